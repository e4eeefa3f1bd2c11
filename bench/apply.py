# SPDX-License-Identifier: BSD-2-Clause
"""A configuration of a thousand interfaces applied, applied again unchanged,
and taken away; beside it a shell loop that gives a thousand interfaces to the
kernel's bridge one by one, as scripts do."""

import contextlib
import time

from daemon import Basculed
from lib import Namespace, Series, Unavailable, ratio

PORTS = 1000


def config(ports):
    text = "network:\n  version: 2\n"
    if not ports:
        return text
    names = ["v%d" % i for i in range(ports)]
    return (text + "  ethernets:\n" + "".join("    %s: {}\n" % n for n in names)
            + "  bridges:\n    br0:\n      dhcp4: no\n      interfaces: ["
            + ", ".join(names) + "]\n      parameters: {stp: false}\n")


def timed(ns, *cmd):
    begin = time.monotonic()
    out = ns.run(*cmd, timeout=280)
    return time.monotonic() - begin, out


def make_interfaces(ns, name):
    ns.batch("link add %s%d type veth peer name %sp%d" % (name, i, name, i)
             for i in range(PORTS))
    ns.batch("link set %s%d up" % (x, i) for i in range(PORTS)
             for x in (name, name + "p"))


def one_round(ns, client, folder):
    full, empty = folder + "/full.yaml", folder + "/empty.yaml"
    with open(full, "w", encoding="utf-8") as f:
        f.write(config(PORTS))
    with open(empty, "w", encoding="utf-8") as f:
        f.write(config(0))
    first, _ = timed(ns, *client, "apply", full)
    again, said = timed(ns, *client, "apply", full)
    if "nothing to change" not in said:
        raise RuntimeError("an unchanged file changed something: " + said[:200])
    gone, _ = timed(ns, *client, "apply", empty)
    ns.ip("link", "add", "kbr", "type", "bridge")
    loop, _ = timed(ns, "sh", "-c",
                    "i=0; while [ $i -lt %d ]; do ip link set v$i master kbr; "
                    "i=$((i+1)); done" % PORTS)
    ns.ip("link", "del", "kbr")
    return {"apply": first, "unchanged": again, "away": gone, "loop": loop}


def apply1000(c):
    part = "apply1000"
    c.report.head(part, "a configuration of %d interfaces" % PORTS)
    try:
        with contextlib.ExitStack() as stack:
            ns = Namespace(stack, "apply")
            make_interfaces(ns, "v")
            daemon = Basculed(stack, ns, c.build)
            got = [one_round(ns, daemon.client, daemon.folder)
                   for _ in range(max(1, min(c.rounds, 3)))]
    except Unavailable as e:
        c.report.unavailable(part, "bascule", e)
        return
    s = {k: Series(g[k] for g in got) for k in got[0]}
    c.report.series(part, "bascule", "applied", "s", s["apply"])
    c.report.series(part, "bascule", "applied unchanged", "s", s["unchanged"])
    c.report.series(part, "bascule", "all removed", "s", s["away"])
    c.report.series(part, "kernel bridge", "shell loop of ip", "s", s["loop"])
    c.report.target(part, "seconds, applied", s["apply"], "<=", 5)
    c.report.target(part, "seconds, unchanged", s["unchanged"], "<=", 0.2)
    c.report.target(part, "applied : shell loop", ratio(s["apply"], s["loop"]),
                    "<=", None)
