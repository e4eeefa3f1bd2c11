#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lab's picture: VM1 on a tap on br0, br0 on the uplink, a ping to the outside.
br0, its address and its route come from the lab's netplan file, in which only the
uplink's name is another; VM1 is added by brctl.  The host has a firewall that
forwards nothing, as docker leaves it."""
import os

import guestlib
from guestlib import lib

FILE = os.path.join(lib.ROOT, "tests", "config", "lab.yaml")
HOST, ROUTER, WORLD = "192.168.7.10", "192.168.7.2", "8.8.8.8"  # as the file has them


def tables(lab, ns):
    """A host that forwards nothing, bridged frames of the kernel's included."""
    r = lib.sh("iptables", "-P", "FORWARD", "DROP", ns=ns, check=False)
    if r.returncode:
        print(f"     without a firewall, which cannot be had here: {r.stderr.strip()}")
    lib.sh("sh", "-c", "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
           "[ ! -e $f ] || echo 1 >$f; done; echo 1 >/proc/sys/net/ipv4/ip_forward", ns=ns)


def test_picture(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge reads no file")
    sw = lab.switch(bridge=None)
    out = guestlib.Outside(lab, switch=False, uplink="lab0", router=ROUTER, world=WORLD)
    tables(lab, sw.ns)
    with open(FILE) as f:
        text = f.read().replace("ens33", "lab0")
    path = os.path.join(lab.dir, "50-lab.yaml")
    with open(path, "w") as f:
        f.write(text)
    print("     " + (sw.cli("apply", path).stdout.strip() or "no notice"))
    sw.wait_forwarding("lab0")
    lib.reaches(sw.ns, WORLD)
    addr = lib.sh("ip", "-n", sw.ns, "-4", "-br", "addr", "show", "dev", "br0").stdout
    lib.need(f"{HOST}/24" in addr, f"br0 has not the file's address: {addr}")

    lib.sh("ip", "-n", sw.ns, "tuntap", "add", "vm1", "mode", "tap")
    lib.sh("ip", "-n", sw.ns, "link", "set", "vm1", "up")
    brctl = os.path.join(lab.dir, "brctl")
    os.symlink(os.path.join(lib.BUILD, "bascule"), brctl)
    lib.sh("env", f"BASCULE_SOCKET={sw.sock}", brctl, "addif", "br0", "vm1", ns=sw.ns)
    g = guestlib.Guest(lab, "VM1", guestlib.tap("vm1"), ns=sw.ns)
    g.boot()
    g.works(out, "on the bridge")
    g.ping(HOST)
    # who applies the file again does not throw VM1 out
    sw.cli("apply", path)
    lib.need("vm1" in sw.cli("show", "br0").stdout, "the second apply has removed VM1")
    g.ping(WORLD)
    lib.reaches(sw.ns, g.ip4)
    guestlib.untroubled(lab, "vm1", "lab0")


guestlib.main()
