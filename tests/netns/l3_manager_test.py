#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Layer 3 of a bridge's interface where somebody else keeps the machine's:
systemd-networkd, NetworkManager, systemd-resolved."""
import json
import os
import sys

import lib
from l3lib import addrs, Cell, DHCP4, Events, fake, kill, routes, world
from lib import dnsmasq, need, running, sh, wait_until

MANAGED = """
addresses: [10.7.0.2/24, 'fd07::5/64']
routes:
- {to: default, via: 10.7.0.1}
- {to: 10.60.0.0/16, via: 10.7.0.1, metric: 7, mtu: 1300}
mtu: 1400
macaddress: '02:00:00:00:00:99'
link-local: [ipv6]
"""


def managed(lab, l3, sw, ns):
    """The same for both managers, which have given up0 10.7.0.2/24 and a default route."""
    a0, r0 = set(addrs(ns, "up0")), routes(ns, "up0")
    need("10.7.0.2/24" in a0 and any(r.startswith("default") for r in r0), f"{a0} {r0}")
    sh("ip", "-n", ns, "addr", "add", "10.7.0.44/24", "dev", "up0")  # comes along
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    notes = l3.do("apply", l3.file(MANAGED))
    need("from up0 to br0" in notes, notes)
    want = {"10.7.0.2/24", "10.7.0.44/24", "fd07::5/64"}
    need(set(addrs(ns, "br0")) == want, f"{addrs(ns, 'br0')}\n{notes}")
    r = "\n".join(routes(ns, "br0"))
    need("default via 10.7.0.1 dev br0" in r and "10.60.0.0/16 via 10.7.0.1" in r, r)
    need("mtu 1300" in r and "metric 7" in r, r)
    wait_until(lambda: not addrs(ns, "up0"), 5, lambda: addrs(ns, "up0"))
    link = json.loads(sh("ip", "-n", ns, "-j", "link", "show", "br0").stdout)[0]
    need(link["mtu"] == 1400 and link["address"] == "02:00:00:00:00:99", link)
    sw.wait_forwarding("up0")
    lib.reaches(ns, "10.99.0.1")
    ev = Events(lab, ns)
    l3.do("apply", l3.file(MANAGED))
    need(ev.about("br0") == [], ev.about("br0"))
    l3.do("apply", l3.file(MANAGED.replace("fd07::5/64", "fd07::6/64")))
    wait_until(lambda: set(addrs(ns, "br0")) == {x.replace("::5", "::6") for x in want}, 5,
               lambda: addrs(ns, "br0"))
    lib.reaches(ns, "10.99.0.1")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    # the file's own address is on br0 still; the manager gives it to up0 all the same
    wait_until(lambda: set(addrs(ns, "up0")) >= a0, 10, lambda: addrs(ns, "up0"))
    l3.do("release")
    wait_until(lambda: not addrs(ns, "br0"), 5, lambda: addrs(ns, "br0"))
    wait_until(lambda: any(x.startswith("default via 10.7.0.1 dev up0") for x in routes(ns)), 10,
               lambda: routes(ns))
    need(not os.listdir(l3.dir), os.listdir(l3.dir))


def with_networkd(lab):
    """A world whose uplink is networkd's."""
    if not os.path.exists("/lib/systemd/systemd-networkd"):
        raise lib.Skip("systemd-networkd is not installed")
    sw, ns, _ = world(lab, addresses=False)
    cell = Cell(lab)
    cell.bus()
    cell.write("/run/systemd/network/10-netplan-up0.network",
               "[Match]\nName=up0\n[Network]\nAddress=10.7.0.2/24\nGateway=10.7.0.1\n")
    cell.spawn("networkd", "/lib/systemd/systemd-networkd")
    wait_until(lambda: routes(ns, "up0"), 10, lambda: f"networkd: {cell.log('networkd')}")
    return sw, ns, cell, cell.l3()


def test_networkd(lab):
    sw, ns, cell, l3 = with_networkd(lab)
    need(l3.do("owner") == "networkd\n", "networkd is found")
    managed(lab, l3, sw, ns)
    need(cell.sh("ls", "/run/systemd/network").stdout.split() == ["10-netplan-up0.network"],
         "our files are gone")


def test_networkd_killed(lab):
    """We are killed: the files go, networkd has the uplink again."""
    sw, ns, cell, l3 = with_networkd(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file(MANAGED))
    need("05-bascule-up0.network" in cell.sh("ls", "/run/systemd/network").stdout, "told")
    kill(lab, sw, l3)
    wait_until(lambda: cell.sh("ls", "/run/systemd/network").stdout.split() ==
               ["10-netplan-up0.network"], 10, lambda: os.listdir(l3.dir))
    wait_until(lambda: routes(ns, "up0"), 10, lambda: routes(ns))

    def pings():  # no route while networkd makes it anew
        return sh("ping", "-nqc1", "-W1", "10.99.0.1", ns=ns, check=False).returncode == 0
    wait_until(pings, 10, "the way out")


def test_networkd_has_a_kernel_bridge(lab):
    if not os.path.exists("/lib/systemd/systemd-networkd"):
        raise lib.Skip("systemd-networkd is not installed")
    lab.ns("sw")
    cell = Cell(lab)
    cell.bus()
    cell.spawn("networkd", "/lib/systemd/systemd-networkd")
    # it has read its files
    wait_until(lambda: cell.sh("networkctl", "reload", check=False).returncode == 0, 10,
               "networkd runs")
    l3 = cell.l3()
    l3.do("check")
    cell.write("/run/systemd/network/10-netplan-br0.netdev",
               "# netplan\n[NetDev]\nName=br0\nKind=bridge\n")
    _, err = l3.ask("check")
    need(err and "10-netplan-br0.netdev" in err, err)
    cell.sh("rm", "/run/systemd/network/10-netplan-br0.netdev")
    l3.do("check")
    sh("ip", "-n", lab.ns("sw"), "link", "add", "br0", "type", "bridge")
    _, err = l3.ask("check")
    need(err and "bridge of the kernel" in err and "ip link delete dev br0" in err, err)


NM_CONF = "[main]\nplugins=keyfile\ndns=none\nno-auto-default=*\n"


NM_UP0 = """[connection]
id=up0
type=ethernet
interface-name=up0
[ipv4]
method=manual
address1=10.7.0.2/24,10.7.0.1
[ipv6]
method=disabled
"""


def test_networkmanager(lab):
    sw, ns, out = world(lab, addresses=False)
    cell = Cell(lab)
    if cell.sh("test", "-x", "/usr/sbin/NetworkManager", check=False).returncode:
        raise lib.Skip("NetworkManager is not installed (see class Cell)")
    cell.bus()
    cell.write("/run/nm/NetworkManager.conf", NM_CONF)
    cell.write("/run/NetworkManager/system-connections/up0.nmconnection", NM_UP0)
    cell.sh("chmod", "600", "/run/NetworkManager/system-connections/up0.nmconnection")
    cell.spawn("nm", "/usr/sbin/NetworkManager", "--no-daemon", "--config",
               "/run/nm/NetworkManager.conf", "--state-file", "/run/nm/state")
    wait_until(lambda: routes(ns, "up0"), 10, lambda: f"NetworkManager: {cell.log('nm')}")
    l3 = cell.l3()
    need(l3.do("owner") == "NetworkManager\n", "NetworkManager is found")
    try:
        managed(lab, l3, sw, ns)
    except lib.Failed:
        print(cell.log("nm"))
        raise
    left = cell.sh("sh", "-c", "cd /run/NetworkManager; ls system-connections conf.d").stdout
    need("bascule" not in left, f"our files are gone: {left}")


def test_resolvectl(lab):
    """What systemd-resolved is told.  A stand-in for it: it needs a user of its own."""
    sw, ns, out = world(lab, addresses=False)
    told = os.path.join(lab.dir, "told")
    cell = Cell(lab, fake(lab, "/usr/bin/resolvectl", '#!/bin/sh\nfor a; do echo "[$a]"; done |'
                          f' tr -d "\\n" >> {told}\necho >> {told}\n'))
    l3 = cell.l3("self")
    f = l3.file("nameservers: {addresses: [10.7.0.1, 'fd07::1'], search: [a.example, b.example]}")
    notes = l3.do("apply", f)
    need("nameservers 10.7.0.1 fd07::1, search a.example b.example not applied" in notes and
         "/etc/resolv.conf yourself" in notes, notes)
    # its name is what it is known by
    cell.spawn("resolved", sys.executable, "-c", "import ctypes, time\n"
               "ctypes.CDLL(None).prctl(15, b'systemd-resolve'); time.sleep(1000)")
    wait_until(lambda: running(ns, "systemd-resolve"), 5, "the stand-in runs")
    l3.do("apply", l3.file("nameservers: {addresses: [10.7.0.1]}"))
    l3.do("apply", l3.file("nameservers: {addresses: [10.7.0.1]}"))
    need(open(told).read() == "[dns][br0][10.7.0.1]\n[domain][br0][]\n", open(told).read())
    dnsmasq(lab, out, "eth0", *DHCP4)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("nameservers: {addresses: [10.7.0.7], search: [a.example]}\n"
                           "dhcp4: true\ndhcp4-overrides: {use-domains: route}"))
    wait_until(lambda: "[dns][br0][10.7.0.7][10.7.0.1]\n[domain][br0][a.example][~lab.example]\n"
               in open(told).read(), 15, lambda: open(told).read())
    l3.do("release")
    need(open(told).read().endswith("[dns][br0][]\n[domain][br0][]\n"), open(told).read())


if __name__ == "__main__":
    lib.main()
