#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A thousand ports: added in reasonable time without holding up the control loop
or the traffic, flooded to, listed, removed."""
import concurrent.futures
import os
import re
import time

import lib
from lib import need

VETHS, TAPS = 400, 596
LOOP_MS = 25


def test_thousand(lab):
    if lib.KERNEL:
        raise lib.Skip("figures are Bascule's")
    # a thousand interfaces that each announce themselves to all others by IPv6
    # are a storm of a million frames; that is not what this measures
    sw = lab.switch(quiet=True)
    a, b, z = lab.host("a", "tap"), lab.host("b"), lab.host("z", addresses=False)
    far = lab.ns("far")
    lab.sysctl("far", "net.ipv6.conf.default.disable_ipv6", 1)
    batch = "".join(f"link add v{i} type veth peer name w{i} netns {far}\n"
                    f"link set v{i} up\n" for i in range(VETHS))
    lib.sh("ip", "-n", sw.ns, "-batch", "-", stdin=batch, timeout=60)
    lib.sh("ip", "-n", far, "-batch", "-",
           stdin="".join(f"link set w{i} up\n" for i in range(VETHS)), timeout=60)
    names = [f"v{i}" for i in range(VETHS)] + [f"tap:t{i}" for i in range(TAPS)]
    lib.reaches(a.ns, b.ip4)
    watch = lib.Lag(sw)
    p = lab.spawn("ping", "-n", "-i", "0.01", "-c", "100000", b.ip4, ns=a.ns,
                  stdout=open(os.path.join(lab.dir, "ping"), "w"))
    t0 = time.monotonic()
    for i in range(0, len(names), 83):
        sw.cli("addif", "br0", *names[i:i + 83], timeout=60)
    took = time.monotonic() - t0
    p.send_signal(2)
    p.wait(5)
    with open(os.path.join(lab.dir, "ping")) as f:
        came = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", f.read())}
    need(came, "no ping was answered")
    loss = round(100 - 100 * len(came) / max(came), 1)  # the last ones are under way
    print(f"     {len(names)} ports added in {took:.1f} s; loss of a ping meanwhile {loss} %; "
          f"{sw.rss_kb() / 1024:.0f} MB")
    # 1 to 6 ms; more only when others have the processors: the loop waits for
    # nothing, not even for the lock of all interfaces to set br0's address
    watch.end("adding", LOOP_MS)
    need(loss <= 1, f"{loss} % of pings lost while ports were added")
    need(took < 60, f"adding the ports took {took:.0f} s")
    lib.sh("ip", "-n", sw.ns, "-batch", "-",
           stdin="".join(f"link set t{i} up\n" for i in range(TAPS)), timeout=60)
    sw.wait_forwarding(f"t{TAPS - 1}")
    sw.wait_forwarding(f"v{VETHS - 1}")
    listed = sw.cli("show", "br0").stdout
    need(len(listed.splitlines()) == len(names) + 3 + 1, "show does not list all ports")
    # a broadcast reaches all of them
    f = lib.frame(lib.BCAST, z.mac, os.urandom(100))
    first, last = lib.Wire(far, "w0"), lib.Wire(far, f"w{VETHS - 1}")
    wz = z.wire()
    wz.send(f)
    for w, n in ((first, "first"), (last, "last")):
        need(w.collect(lambda x: x == f, 1, 5), f"the {n} port did not get the broadcast")
        w.close()
    for p in ("v0", f"v{VETHS - 1}", "t0", f"t{TAPS - 1}"):
        lab.counted(p, "tx_frames", 1)
    need(lib.ping(a.ns, b.ip4, 20, 0.02) == 0, "pings are lost with a thousand ports")
    t0 = time.monotonic()
    watch = lib.Lag(sw)
    # the kernel takes its time for each: several at a time
    remove = [[n.split(":")[-1] for n in names[i::12]] for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(remove)) as pool:
        for f in [pool.submit(sw.cli, "delif", "br0", *some, timeout=60) for some in remove]:
            f.result()
    print(f"     removed in {time.monotonic() - t0:.1f} s")
    watch.end("removing", LOOP_MS)
    need(lib.ping(a.ns, b.ip4, 5) == 0, "pings are lost after the removal")


def test_too_many(lab):
    """The 1024th port is refused, and a number that becomes free is used again."""
    if lib.KERNEL:
        raise lib.Skip("figures are Bascule's")
    sw = lab.switch(bridge=None)
    sw.bridge("br0", "--no-local")
    for i in range(0, 1023, 93):
        sw.cli("addif", "br0", *[f"mem:m{n}" for n in range(i, i + 93)], timeout=60)
    r = sw.cli("addif", "br0", "mem:more", check=False)
    need(r.returncode == 1 and r.stderr.count("\n") == 1, f"exit {r.returncode}: {r.stderr!r}")
    print(f"     {r.stderr.strip()}")
    sw.delif("br0", "m500")
    sw.addif("br0", "mem:more")
    no = lib.port_info(sw, "br0", "more")["no"]
    need(no == 501, f"port number {no} instead of the free 501")


lib.main()
