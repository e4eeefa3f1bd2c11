#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`addbr br0` makes the interface br0, and it behaves as the kernel bridge's:
down at first, MAC, MTU and carrier by the ports, no deletion while up."""
import json
import struct

import lib
from lib import need


def link(ns, dev):
    return json.loads(lib.sh("ip", "-n", ns, "-j", "link", "show", "dev", dev).stdout)[0]


def lone_bridge(lab):
    sw = lab.switch(bridge=None)
    if lib.KERNEL:
        lib.sh("ip", "-n", sw.ns, "link", "add", "br0", "type", "bridge")
    else:
        sw.cli("addbr", "br0")
    return sw


def test_life(lab):
    sw = lone_bridge(lab)
    need("UP" not in link(sw.ns, "br0")["flags"], "br0 is up without having been set up")
    a, b = None, None
    for name, kind in (("a", "packet"), ("b", "packet")):
        lab.hosts += 1
        h = lib.Host(lab, name, kind, lab.hosts, f"p{lab.hosts}")
        lab.veth(h.port, h.ns)
        h.configure(True, 1500)
        sw.addif("br0", h.port)
        a, b = (h, b) if name == "a" else (a, h)
    # while br0 is down nothing is bridged, as with the kernel
    need(lib.ping(a.ns, b.ip4, 1, wait=0.5) == 100, "frames pass though br0 is down")
    lib.sh("ip", "-n", sw.ns, "link", "set", "br0", "up")
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.200/24", "dev", "br0")
    lib.reaches(a.ns, b.ip4)
    lib.reaches(a.ns, "10.9.0.200")
    lib.reaches(sw.ns, b.ip4)
    if not lib.KERNEL:
        r = sw.cli("delbr", "br0", check=False)
        need(r.returncode == 1 and r.stderr == "bridge br0 is still up; can't delete it\n",
             f"delbr while up: exit {r.returncode}, {r.stderr!r}")
        lib.sh("ip", "-n", sw.ns, "link", "set", "br0", "down")
        lab.counted(a.port, "bridge-down", 0)
        need(lib.ping(a.ns, b.ip4, 1, wait=0.5) == 100, "frames pass though br0 is down")
        lab.counted(a.port, "bridge-down", 1)
        sw.cli("delbr", "br0")
        need(lib.sh("ip", "-n", sw.ns, "link", "show", "br0", check=False).returncode,
             "br0 is still there after delbr")


def test_mac_mtu_carrier(lab):
    sw = lab.switch()

    def is_mac(m):
        return lambda: link(sw.ns, "br0")["address"] == m
    macs = ["42:00:00:00:00:05", "42:00:00:00:00:03", "42:00:00:00:00:09"]
    for i, m in enumerate(macs):
        lab.veth(f"p{i}", lab.ns(f"h{i}"))
        lib.sh("ip", "-n", sw.ns, "link", "set", f"p{i}", "address", m)
        lib.sh("ip", "-n", lab.ns(f"h{i}"), "link", "set", "eth0", "up")
    sw.addif("br0", "p0")
    lib.wait_until(is_mac(macs[0]), 3, "br0 takes the first port's address")
    lib.wait_until(lambda: "LOWER_UP" in link(sw.ns, "br0")["flags"], 3, "carrier")
    sw.addif("br0", "p1")
    lib.wait_until(is_mac(macs[1]), 3, "br0 takes the lowest port's address")
    sw.addif("br0", "p2")
    sw.delif("br0", "p1")
    lib.wait_until(is_mac(macs[0]), 3, "br0's address without the lowest port")
    # what the user sets stays
    lib.sh("ip", "-n", sw.ns, "link", "set", "br0", "address", "42:00:00:00:00:77")
    sw.addif("br0", "p1")
    lab.sw.wait_forwarding("p1")
    need(is_mac("42:00:00:00:00:77")(), "a set address was changed by a port")
    # MTU: the smallest of the ports
    lib.sh("ip", "-n", sw.ns, "link", "set", "p2", "mtu", "1400")
    lib.wait_until(lambda: link(sw.ns, "br0")["mtu"] == 1400, 3, "br0's MTU follows p2's")
    sw.delif("br0", "p2")
    lib.wait_until(lambda: link(sw.ns, "br0")["mtu"] == 1500, 3, "br0's MTU without p2")
    for p in ("p0", "p1"):
        sw.delif("br0", p)
    lib.wait_until(lambda: "LOWER_UP" not in link(sw.ns, "br0")["flags"], 3, "no carrier")


def test_host_stack_kept_off(lab):
    """The host answers for br0 only: what stands on a port's device hears nothing,
    and ip_forward makes no second copy of a frame."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge hands the addresses of its ports to the host")
    sw = lab.switch()
    a, b = lab.host("a", "packet"), lab.host("b", "packet")
    lib.sh("sysctl", "-qw", "net.ipv4.ip_forward=1", ns=sw.ns)
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.222/24", "dev", a.port)
    lib.reaches(a.ns, b.ip4)
    rx = "/proc/net/snmp"
    before = [x for x in lib.sh("cat", rx, ns=sw.ns).stdout.splitlines() if x[:3] == "Ip:"][1]
    need(lib.ping(a.ns, "10.9.0.222", 2, wait=0.5) == 100, "the port's own stack answers")
    w = b.wire()
    mark = lib.frame(b.mac, a.mac, struct.pack("!Q", 77) + bytes(60))
    a.wire().send(mark)
    n = len(w.collect(lambda f: f == mark, 2, 0.3))
    need(n == 1, f"the frame arrived {n} times")
    lib.tcp(a.ns, b.ns, b.ip4, 4 << 20)
    after = [x for x in lib.sh("cat", rx, ns=sw.ns).stdout.splitlines() if x[:3] == "Ip:"][1]
    got = int(after.split()[3]) - int(before.split()[3])
    need(got < 20, f"the host stack received {got} IP packets of others' traffic")


def test_any_own_address_is_the_hosts(lab):
    """A neighbour that knows the host by a port's address, not br0's, reaches it:
    so it is when a port with a lower address joins and br0 takes that."""
    sw = lab.switch()
    a, b = lab.host("a", "packet"), lab.host("b", "packet")
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.200/24", "dev", "br0")
    lib.sh("ip", "-n", sw.ns, "link", "set", "br0", "address", "02:00:00:00:00:01")
    lib.reaches(b.ns, "10.9.0.200")
    # the kernel's does so for the port by which the frame comes only
    for h in (b,) if lib.KERNEL else (a, b):
        port = link(sw.ns, h.port)["address"]
        lib.sh("ip", "-n", b.ns, "neigh", "replace", "10.9.0.200", "lladdr", port, "dev", "eth0",
               "nud", "permanent")
        lib.reaches(b.ns, "10.9.0.200")
        lib.tcp(b.ns, sw.ns, "10.9.0.200", 1 << 20)
    lib.sh("ip", "-n", b.ns, "neigh", "replace", "10.9.0.200", "lladdr", "02:00:00:00:00:99", "dev",
           "eth0", "nud", "permanent")
    need(lib.ping(b.ns, "10.9.0.200", 1, wait=0.5) == 100, "the host takes what is not its own")


def test_no_local(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge always has its interface")
    sw = lab.switch(bridge=None)
    sw.bridge("br0", "--no-local")
    need(lib.sh("ip", "-n", sw.ns, "link", "show", "br0", check=False).returncode,
         "--no-local made an interface")
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    lib.reaches(a.ns, b.ip4)
    sw.cli("delbr", "br0")


lib.main()
