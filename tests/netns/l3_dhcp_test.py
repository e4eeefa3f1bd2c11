#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Addresses that a bridge's interface leases, of real DHCP servers."""
import os
import shutil
import signal

import lib
from l3lib import addrs, Cell, DHCP4, Events, fake, has_lease, L3, no_promotion, routes, world
from lib import dnsmasq, need, processes, running, sh, wait_until


def test_dhcp4(lab):
    sw, ns, out = world(lab, addresses=False)
    srv, log = dnsmasq(lab, out, "eth0", *DHCP4)
    l3 = L3(lab)
    resolv = open("/etc/resolv.conf").read() if os.path.exists("/etc/resolv.conf") else ""
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    f = l3.file("dhcp4: true\ndhcp4-overrides: {route-metric: 333, hostname: tester}")
    notes = l3.do("apply", f)
    need("nameservers from DHCP are not applied" in notes, notes)
    wait_until(lambda: any(a.startswith("10.7.0.1") for a in addrs(ns, "br0")), 15,
               lambda: f"a lease: {open(log).read()[-2000:]}")
    wait_until(lambda: any("default via 10.7.0.1 dev br0 proto dhcp" in r and "metric 333" in r
                           for r in routes(ns)), 5, lambda: routes(ns))
    lib.reaches(ns, "10.99.0.1")
    need("tester" in open(log).read(), "the name was sent")
    lease = [a for a in addrs(ns, "br0").values()][0]
    need(3000 < lease["valid_life_time"] <= 3600, lease)
    wait_until(lambda: "mtu 1400" in sh("ip", "-n", ns, "link", "show", "br0").stdout, 5, "MTU")
    pid = running(ns, "udhcpc")
    need(len(pid) == 1, processes(ns))
    fds = os.listdir(f"/proc/{pid[0]}/fd")
    links = [os.readlink(f"/proc/{pid[0]}/fd/{x}") for x in fds]
    need(len([x for x in links if x != "/dev/null"]) <= 2, f"descriptors of ours: {links}")
    ev = Events(lab, ns)
    need(l3.do("plan", f) == "", "nothing to plan")
    l3.do("apply", f)
    need(ev.about("br0") == [], ev.about("br0"))
    need(running(ns, "udhcpc") == pid, "an unchanged client goes on")
    os.kill(pid[0], signal.SIGKILL)
    wait_until(lambda: running(ns, "udhcpc") not in ([], pid), 5, "it is started again")
    wait_until(lambda: any(a.startswith("10.7.0.1") for a in addrs(ns, "br0")), 15, "a lease")
    l3.do("apply", l3.file("dhcp4: true\ndhcp4-overrides: {use-routes: false, use-mtu: false}"))
    wait_until(lambda: any(a.startswith("10.7.0.1") for a in addrs(ns, "br0")), 15, "a lease")
    need(not any(r.startswith("default") for r in routes(ns)), routes(ns))
    l3.do("apply", l3.file("dhcp4: false"))
    need(not addrs(ns, "br0") and not running(ns, "udhcpc"), addrs(ns, "br0"))
    for bad in ("use-ntp: true",):
        _, err = l3.ask("apply", l3.file("dhcp4: true\ndhcp4-overrides: {%s}" % bad, "bad.yaml"))
        need(err and "use-ntp" in err, err)
    l3.do("apply", f)
    l3.p.stdin.close()
    wait_until(lambda: not running(ns, "udhcpc"), 8, "it ends with its daemon")
    now = open("/etc/resolv.conf").read() if os.path.exists("/etc/resolv.conf") else ""
    need(now == resolv, "resolv.conf was written")


def test_dhcp4_of_the_uplink(lab):
    """The uplink has a lease already: br0 has it at once, and renews it."""
    sw, ns, out = world(lab, addresses=False)
    srv, log = dnsmasq(lab, out, "eth0", *DHCP4)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.140/24", "dev", "up0", "valid_lft", "50",
       "preferred_lft", "50")
    sh("ip", "-n", ns, "route", "add", "default", "via", "10.7.0.1", "dev", "up0", "proto",
       "dhcp", "src", "10.7.0.140", "metric", "1024")
    l3 = L3(lab)
    notes = l3.do("take", "up0")
    need("10.7.0.140/24 is leased" in notes, notes)
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("dhcp4: true"))
    need("10.7.0.140/24" in addrs(ns, "br0"), "at once")
    wait_until(lambda: addrs(ns, "br0")["10.7.0.140/24"]["valid_life_time"] > 3000, 15,
               lambda: f"renewed: {addrs(ns, 'br0')}\n{open(log).read()[-2000:]}")
    wait_until(lambda: [r for r in routes(ns) if r.startswith("default")] ==
               ["default via 10.7.0.1 dev br0 proto dhcp src 10.7.0.140 metric 100"], 5,
               lambda: routes(ns))
    l3.do("apply", l3.file("dhcp4: true"))
    need([r for r in routes(ns) if r.startswith("default")] ==
         ["default via 10.7.0.1 dev br0 proto dhcp src 10.7.0.140 metric 100"], routes(ns))
    need(len(addrs(ns, "br0")) == 1, addrs(ns, "br0"))
    sw.delif("br0", "up0")
    l3.do("release")
    need("10.7.0.140/24" in addrs(ns, "up0"), addrs(ns, "up0"))


STATIC = """
addresses: [10.7.0.2/24]
routes:
- {to: default, via: 10.7.0.1}
- {to: 10.61.0.0/16, via: 10.7.0.1, from: 10.7.0.2}
"""


def from_lease_to_static(lab, sw, ns, out, l3):
    dnsmasq(lab, out, "eth0", *DHCP4)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    static = l3.file(STATIC, "static.yaml")
    both = l3.file(STATIC + "dhcp4: true\n", "both.yaml")
    dhcp = l3.file("dhcp4: true")
    for first, by_hand in ((dhcp, "10.7.0.77/24"), (both, "10.7.0.78/24")):
        l3.do("apply", first)
        wait_until(lambda: has_lease(ns), 15, lambda: addrs(ns, "br0"))
        sh("ip", "-n", ns, "addr", "add", by_hand, "dev", "br0")
        l3.do("apply", static)
        need(not running(ns, "udhcpc") and
             set(addrs(ns, "br0")) == {"10.7.0.2/24", by_hand}, addrs(ns, "br0"))
        r = routes(ns, "br0")
        need(len(r) == 2 and r[1].startswith("default via 10.7.0.1 dev br0 proto static") and
             "src 10.7.0.2" in r[0], r)
        need(l3.do("plan", static) == "", "nothing to plan")
        lib.reaches(ns, "10.99.0.1")
        sh("ip", "-n", ns, "addr", "del", by_hand, "dev", "br0")


def test_from_lease_to_static(lab):
    """The file's address is in the leased one's subnet, and stays when that goes."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    from_lease_to_static(lab, sw, ns, out, L3(lab))


def test_from_lease_to_static_read_only(lab):
    """The same where the kernel cannot be told (/proc/sys is read-only)."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    cell = Cell(lab)
    cell.sh("mount", "-o", "bind", "/proc/sys", "/proc/sys")
    cell.sh("mount", "-o", "remount,ro,bind", "/proc/sys")
    from_lease_to_static(lab, sw, ns, out, cell.l3("self"))
    need(sh("cat", "/proc/sys/net/ipv4/conf/br0/promote_secondaries", ns=ns).stdout == "0\n",
         "it was to be read-only")


def test_another_lease_than_the_uplinks(lab):
    """The server gives br0 another address than up0 had: that goes, the new one stays."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    dnsmasq(lab, out, "eth0", *DHCP4)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.33/24", "dev", "up0", "valid_lft", "60",
       "preferred_lft", "60")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    f = l3.file("dhcp4: true")
    l3.do("apply", f)
    need("10.7.0.33/24" in addrs(ns, "br0"), "it moves at once")
    wait_until(lambda: "10.7.0.33/24" not in addrs(ns, "br0"), 15, lambda: addrs(ns, "br0"))
    wait_until(lambda: [r for r in routes(ns) if r.startswith("default")], 5, lambda: routes(ns))
    need(has_lease(ns) and len(addrs(ns, "br0")) == 1, addrs(ns, "br0"))
    need(l3.do("plan", f) == "", "nothing to plan")
    lib.reaches(ns, "10.99.0.1")
    # the client ends: nobody's address goes but its own
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]", "static.yaml"))
    need(not has_lease(ns) and "10.7.0.2/24" in addrs(ns, "br0"), addrs(ns, "br0"))
    l3.do("release")
    need(not addrs(ns, "br0"), addrs(ns, "br0"))


def test_dhcp4_by_dhcpcd(lab):
    """The same where udhcpc is not installed."""
    if not shutil.which("dhcpcd"):
        raise lib.Skip("dhcpcd is not installed")
    sw, ns, out = world(lab, addresses=False)
    cell = Cell(lab)
    for d in ("/bin", "/sbin", "/usr/bin", "/usr/sbin"):  # a file that is not executable
        if os.path.exists(d + "/udhcpc") and not os.path.islink(d):
            over = fake(lab, "/hide" + d + "/udhcpc", "", 0o644) + "/hide" + d
            cell.sh("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={over}:{d}", d)
    srv, log = dnsmasq(lab, out, "eth0", *DHCP4)
    l3 = cell.l3("self")
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("dhcp4: true\ndhcp4-overrides: {route-metric: 444}"))
    wait_until(lambda: any("default via 10.7.0.1 dev br0" in r and "metric 444" in r
                           for r in routes(ns)), 20,
               lambda: f"{routes(ns)} {processes(ns)} {open(log).read()[-1500:]}")
    lib.reaches(ns, "10.99.0.1")
    l3.do("release")
    wait_until(lambda: not running(ns, "dhcpcd"), 5, lambda: processes(ns))
    need(not addrs(ns, "br0"), addrs(ns, "br0"))


def test_dhcp6(lab):
    if not shutil.which("dhcpcd"):
        raise lib.Skip("dhcpcd is not installed")
    sw, ns, out = world(lab, addresses=False)
    srv, log = dnsmasq(lab, out, "eth0", "--dhcp-range=fd07::100,fd07::1ff,64,1h", "--enable-ra")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("dhcp6: true\naccept-ra: true"))
    wait_until(lambda: any(a.startswith("fd07::1") and a.endswith("/128")
                           for a in addrs(ns, "br0")), 20,
               lambda: f"a lease: {addrs(ns, 'br0')} {open(log).read()[-2000:]}"
                       f"{open(os.path.join(lab.dir, 'l3tool.log')).read()}{processes(ns)}")
    wait_until(lambda: any(r.startswith("default via fe80") for r in routes(ns, "br0")), 10,
               lambda: routes(ns))
    lib.reaches(ns, "fd07::1")
    l3.do("release")
    wait_until(lambda: not running(ns, "dhcpcd"), 5, lambda: processes(ns))
    need(not any(a.endswith("/128") for a in addrs(ns, "br0")), addrs(ns, "br0"))


if __name__ == "__main__":
    lib.main()
