#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""IP addresses seen behind ports: what hosts of the kernel's and clients of DHCP
say by themselves, on taps and on netdevs of taps as QEMU has them."""
import os
import shutil
import socket
import struct
import subprocess
import threading

import lib
from lib import need, wait_until


def addresses(lab, port=None):
    """{address: (mac, how)} as told behind the port."""
    return {a["address"]: (a["mac"], a["how"])
            for a in lab.sw.json("port", "addresses", *([port] if port else []))}


def shows(lab, port, address, mac=None, how=None, limit=5):
    """Waits until it does."""
    def ok():
        a = addresses(lab, port).get(address)
        return a and (mac is None or a[0] == lib.mac_text(mac)) and \
            (how is None or a[1] in how)
    wait_until(ok, limit, lambda: f"{address} behind {port} by {how}: {addresses(lab, port)}")


class Events:
    """`bascule events`, as lines."""

    def __init__(self, lab):
        self.lines = []
        self.p = lab.sw.monitor("events", "port", stdout=subprocess.PIPE, text=True)
        self.t = threading.Thread(target=self._read, daemon=True)
        self.t.start()

    def _read(self):
        for line in self.p.stdout:
            self.lines.append(line)

    def of(self, *words):
        return [x for x in self.lines if all(w in x for w in words)]


def bascule_only():
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has nothing like it")


def test_static(lab):
    """A tap's host pings: its address is there, and a second one, and IPv6."""
    bascule_only()
    lab.switch()
    ev = Events(lab)
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    lib.reaches(a.ns, b.ip4)
    shows(lab, a.port, a.ip4, a.mac, ("arp",))
    lib.sh("ip", "-n", a.ns, "addr", "add", "10.9.0.77/24", "dev", "eth0")
    lib.sh("ping", "-c", "1", "-W", "2", "-I", "10.9.0.77", b.ip4, ns=a.ns)
    lib.sh("ip", "neigh", "flush", "dev", "eth0", ns=b.ns)  # b asks for who it is
    lib.sh("ping", "-c", "1", "-W", "2", "10.9.0.77", ns=b.ns)
    shows(lab, a.port, "10.9.0.77", a.mac, ("arp",))
    lib.reaches(a.ns, b.ip6)
    shows(lab, a.port, a.ip6, a.mac, ("nd",))
    need(set(addresses(lab, a.port)) >= {a.ip4, "10.9.0.77", a.ip6},
         lambda: f"not all three are there: {addresses(lab, a.port)}")
    wait_until(lambda: ev.of(a.ip4, "is " + lib.mac_text(a.mac), "behind port " + a.port), 3,
               lambda: f"an event: {ev.lines}")
    n = len(ev.of(a.ip4))
    lib.ping(a.ns, b.ip4, 20)
    need(len(ev.of(a.ip4 + " ")) == n, lambda: f"told again of what is known: {ev.lines}")
    # behind b is a network, which nobody watches unless asked to
    need(addresses(lab, b.port) == {}, "a port to a network is watched")
    lab.sw.cli("port", "set", b.port, "watch-addresses", "on")
    wait_until(lambda: ev.of("port-param", f"port {b.port}: watching for addresses is on\n"), 5,
               lambda: f"a switch's value is a word: {ev.lines}")
    lib.sh("ip", "neigh", "flush", "dev", "eth0", ns=a.ns)
    lib.reaches(a.ns, b.ip4)
    shows(lab, b.port, b.ip4, b.mac, ("arp",))
    text = lab.sw.cli("port", "addresses").stdout
    need(a.ip4 in text and b.ip4 in text and "told by" in text, text)


def test_announcement_and_probe(lab):
    """An announcement counts, a probe does not (RFC 5227)."""
    bascule_only()
    lab.switch()
    vm = lab.vm("vm1")
    m = lib.mac("52:54:00:00:00:01")

    def arp(op, ip, target, tags=()):
        ip, target = socket.inet_aton(ip), socket.inet_aton(target)
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + m + ip + bytes(6) + target
        vm.send(lib.frame(lib.BCAST, m, body + bytes(18), 0x0806, tags))
    arp(1, "0.0.0.0", "10.0.0.5")
    arp(1, "10.0.0.6", "10.0.0.6")
    arp(1, "10.0.0.7", "10.0.0.1", ((0x8100, 9),))
    shows(lab, "vm1", "10.0.0.7", m, ("arp",))
    need(set(addresses(lab, "vm1")) == {"10.0.0.6", "10.0.0.7"},
         lambda: f"{addresses(lab, 'vm1')}")
    vm.close()  # as QEMU's end
    wait_until(lambda: not lab.sw.json("port", "addresses"), 5, "they go with the link")


def lease(lab, h):
    """Gets an address by udhcpc; nothing is set, so nobody asks for it by ARP."""
    script = os.path.join(lab.dir, "lease.sh")
    with open(script, "w") as f:
        f.write('#!/bin/sh\n[ "$1" != bound ] || echo "lease $ip"\n')
    os.chmod(script, 0o755)
    r = lib.sh("udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", "10", "-T", "1", "-s", script,
               ns=h.ns, timeout=20)
    return r.stdout.split("lease ")[1].split()[0]


def test_dhcp(lab):
    """The server's answer tells the address, wherever the server is."""
    bascule_only()
    for tool in ("dnsmasq", "udhcpc"):
        if not shutil.which(tool):
            raise lib.Skip(f"{tool} is not installed")
    lab.switch()
    ev = Events(lab)
    server = lab.host("server", "packet")
    client = lab.host("client", "tap", False)
    lib.dhcp_server(lab, server.ns, "eth0", net=server.ip4.rpartition(".")[0])
    got = lease(lab, client)
    shows(lab, client.port, got, client.mac, ("dhcp",))
    wait_until(lambda: "asks" not in (ev.of(got + " is ") or ["asks"])[-1], 3,
               lambda: f"an event when the server agrees: {ev.lines}")
    need(len(ev.of(got + " is ")) <= 2, lambda: f"told too often: {ev.lines}")
    need(addresses(lab, server.port) == {}, "the server's port has the client's address")
    need(list(addresses(lab, client.port)) == [got], lambda: f"{addresses(lab, client.port)}")


def test_flood(lab):
    """A thousand senders behind one port: bounded there, unnoticed elsewhere."""
    bascule_only()
    lab.switch()
    noisy, quiet = lab.vm("vm1"), lab.vm("vm2")
    ev = Events(lab)

    def arp(vm, n, ip):
        m = lib.mac("52:54:01:00:00:00")[:4] + struct.pack("!H", n)
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + m + ip + bytes(10)
        vm.send(lib.frame(lib.BCAST, m, body + bytes(18), 0x0806))
    lag = lib.Lag(lab.sw)
    for again in range(5):
        for n in range(1000):
            arp(noisy, n, bytes([10, 1, n >> 8, n & 255]))
            noisy.drain()
            if n % 50 == 0:
                quiet.drain()
    arp(quiet, 2000, bytes([10, 2, 0, 1]))
    shows(lab, "vm2", "10.2.0.1")
    lag.end("flood of ARP")
    need(len(addresses(lab, "vm1")) == 16, lambda: f"{len(addresses(lab, 'vm1'))} addresses")
    need(len(ev.of(" is ", "behind port vm1")) < 1000, "an event for each frame of a flood")
    lab.counted("vm1", "flooded", 4000)


lib.main()
