#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real DHCP server and client across the switch, offloads as they come: the
UDP checksum is right, and a new port forwards at once."""
import os
import shutil
import time

import lib

UDHCPC_SCRIPT = """#!/bin/sh
case $1 in
bound|renew) ip addr flush dev $interface
             ip addr add $ip/${mask:-24} dev $interface ;;
esac
"""


def udhcpc(lab, ns, dev, limit=10):
    """Gets a lease within `limit` seconds."""
    script = os.path.join(lab.dir, "udhcpc.sh")
    if not os.path.exists(script):
        with open(script, "w") as f:
            f.write(UDHCPC_SCRIPT)
        os.chmod(script, 0o755)
    r = lib.sh("timeout", limit, "udhcpc", "-i", dev, "-f", "-n", "-q", "-t", "10", "-T", "1",
               "-s", script, ns=ns, check=False, timeout=limit + 5)
    lib.need(r.returncode == 0, f"udhcpc on {dev}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    a = lib.sh("ip", "-n", ns, "-4", "-br", "addr", "show", "dev", dev).stdout
    lib.need("10.9.0.1" in a, f"no address on {dev}: {a}")


def dhclient(lab, ns, dev, limit=15):
    files = [f"-{x} {lab.dir}/dhclient-{ns}.{y}" for x, y in (("lf", "leases"), ("pf", "pid"))]
    lib.sh("timeout", limit, "dhclient", "-1", "-4", *" ".join(files).split(), "-sf",
           "/bin/true", dev, ns=ns)
    with open(f"{lab.dir}/dhclient-{ns}.leases") as f:
        lib.need("fixed-address 10.9.0.1" in f.read(), "dhclient has no lease")


def pair(lab, server_kind, client_kind):
    sw = lab.switch()
    s = lab.host("server", server_kind)
    lib.dhcp_server(lab, s.ns, s.dev)
    c = lab.host("client", client_kind)
    lib.sh("ip", "-n", c.ns, "addr", "flush", "dev", c.dev)
    udhcpc(lab, c.ns, c.dev)
    lib.reaches(c.ns, s.ip4)
    if shutil.which("dhclient"):
        dhclient(lab, c.ns, c.dev)
    # a port just added forwards at once: a lease within two seconds
    sw.delif("br0", c.port)
    if client_kind == "tap" and not lib.KERNEL:
        sw.addif("br0", f"tap:eth0,netns={c.ns},name={c.port}")
        lib.sh("ip", "-n", c.ns, "link", "set", c.dev, "up")
    else:
        sw.addif("br0", c.port if lib.KERNEL else f"{client_kind}:{c.port}")
    t0 = time.monotonic()
    udhcpc(lab, c.ns, c.dev, 5)
    t = time.monotonic() - t0
    lib.need(t < 2, f"the lease took {t:.1f} s")
    print(f"     lease on a new {client_kind} port after {t:.2f} s")


def test_tap_tap(lab):
    pair(lab, "tap", "tap")


def test_tap_packet(lab):
    pair(lab, "tap", "packet")


def test_packet_tap(lab):
    pair(lab, "packet", "tap")


def test_packet_packet(lab):
    pair(lab, "packet", "packet")


def test_pcap_tap(lab):
    pair(lab, "pcap", "tap")


def test_tap_pcap(lab):
    pair(lab, "tap", "pcap")


def test_bridge_interface(lab):
    """`addbr br0; dhclient br0`: the bridge's own interface is a DHCP client, then
    a server."""
    sw = lab.switch()
    s = lab.host("server", "packet")
    lib.dhcp_server(lab, s.ns, s.dev)
    udhcpc(lab, sw.ns, "br0")
    lib.reaches(sw.ns, s.ip4)
    if shutil.which("dhclient"):
        dhclient(lab, sw.ns, "br0")


def test_bridge_interface_serves(lab):
    """Hosts of every kind get a lease from it: its offers' checksums are incomplete."""
    sw = lab.switch()
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.200/24", "dev", "br0")
    lib.dhcp_server(lab, sw.ns, "br0")
    for kind in ("tap", "packet", "pcap", "stream", "dgram")[:2 if lib.KERNEL else None]:
        c = lab.host(kind, kind)
        lib.sh("ip", "-n", c.ns, "addr", "flush", "dev", c.dev)
        udhcpc(lab, c.ns, c.dev)
        lib.reaches(c.ns, "10.9.0.200")


lib.main(at_once=3)
