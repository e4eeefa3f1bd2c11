#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The client called ovs-vsctl on a real switch: steps are taken in order, and
taken back when one fails.  What it reads and prints is tests/unit/ovs_vsctl_test.c's."""
import os
import signal
import time

import lib


def names(sw, br="br0"):
    return [p["name"] for p in sw.json("port", "show", br) if p["no"]]


class Vsctl:
    """`ovs-vsctl` by that name."""

    def __init__(self, lab):
        if lib.KERNEL:
            raise lib.Skip("the kernel's bridge has no ovs-vsctl")
        self.sw = lab.switch()
        self.path = os.path.join(lab.dir, "ovs-vsctl")
        os.symlink(os.path.join(lib.BUILD, "bascule"), self.path)
        for dev in ("e1", "e2"):
            lab.veth(dev, lab.ns("far"), dev)

    def run(self, *args, check=True):
        return lib.sh(self.path, f"--db=unix:{self.sw.sock}", *args, ns=self.sw.ns, check=check)

    def fails(self, *args):
        r = self.run(*args, check=False)
        lib.need(r.returncode == 1 and r.stderr.startswith("ovs-vsctl: ") and not r.stdout,
                 f"{args}: exit {r.returncode}, {r.stdout!r}, {r.stderr!r}")
        return r.stderr


def test_steps(lab):
    v = Vsctl(lab)
    v.run("--", "--may-exist", "add-port", "br0", "e1", "--", "set", "Interface", "e1",
          'external-ids:vm-id="1"', "--", "set", "port", "e1", "protected=true")
    p = lib.port_info(v.sw, "br0", "e1")
    lib.need(p["labels"] == {"vm-id": "1"} and p["isolated"], f"port e1: {p}")
    # a bridge with a tap of its own, in one line, and gone in another
    v.run("add-br", "br1", "--", "add-port", "br1", "t0", "--", "set", "interface", "t0",
          "type=internal")
    lib.need(names(v.sw, "br1") == ["t0"], "the tap is no port")
    lib.sh("ip", "-n", v.sw.ns, "link", "set", "t0", "up")
    # from one bridge into another
    v.run("del-port", "e1", "--", "add-port", "br1", "e1")
    lib.need(sorted(names(v.sw, "br1")) == ["e1", "t0"] and names(v.sw) == [], "e1 did not move")
    lib.need(lib.port_info(v.sw, "br1", "e1")["labels"] == {}, "labels outlive the port")
    v.run("del-br", "br1")
    lib.need(v.run("br-exists", "br1", check=False).returncode == 2, "br1 is still there")


def test_taken_back(lab):
    v = Vsctl(lab)
    v.run("add-port", "br0", "e1", "--", "set", "Interface", "e1", "external-ids:x=1")
    # refused before anything is done
    v.fails("del-port", "e1", "--", "add-port", "br0", "e2", "tag=5")
    lib.need(names(v.sw) == ["e1"], "something was done")
    # found out when half is done: a device is missing
    said = v.fails("add-br", "br1", "--", "add-port", "br1", "e2", "--", "set", "Interface", "e1",
                   "external-ids:x=2", "--", "del-port", "e1", "--", "add-port", "br1", "none0")
    lib.need("none0" in said and "e1 is in br0 again" in said, said)
    lib.need(names(v.sw) == ["e1"], f"ports: {names(v.sw)}")
    lib.need(lib.port_info(v.sw, "br0", "e1")["labels"] == {"x": "1"}, "labels are not back")
    lib.need(v.run("list-br").stdout == "br0\n", "br1 is still there")
    v.run("--dry-run", "del-port", "e1")
    lib.need(names(v.sw) == ["e1"], "--dry-run did something")


def test_end_of_a_machine(lab):
    """Its tap goes with it, which is nothing to be warned of."""
    v = Vsctl(lab)
    v.run("add-port", "br0", "e1", "--", "set", "Interface", "e1", 'external-ids:vm-id="1"')
    v.run("add-port", "br0", "e2", "--", "set", "Interface", "e2", 'external-ids:vm-id="1"', "--",
          "remove", "Interface", "e2", "external_ids", "vm-id")
    for dev in ("e1", "e2"):
        lib.sh("ip", "-n", v.sw.ns, "link", "del", "dev", dev)
    lib.wait_until(lambda: "port e2 failed: interface e2 was deleted" in v.sw.log_tail(), 5,
                   lambda: v.sw.log_tail())
    told = [x for x in v.sw.log_tail().splitlines() if "port e1" in x]
    lib.need(told == ["basculed: info: bridge br0: port e1: interface e1 was deleted"], str(told))


def test_nobody_answers(lab):
    v = Vsctl(lab)
    v.sw.proc.send_signal(signal.SIGSTOP)
    t0 = time.monotonic()
    said = v.fails("--timeout=1", "list-br")
    v.sw.proc.send_signal(signal.SIGCONT)
    lib.need("in time" in said and time.monotonic() - t0 < 5, said)
    lib.need(v.sw.stop() == 0, "basculed did not end well")
    lib.need("no basculed answers at" in v.fails("list-br"), "what else?")


lib.main()
