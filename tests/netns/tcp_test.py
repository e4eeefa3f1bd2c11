#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""TCP across every pair of port kinds, IPv4 and IPv6, both directions, with the
hosts' checksum and segmentation offloads as they come.  Ping working proves
little: a frame whose checksum nobody completed passes ping and kills TCP."""
import lib

# what must stay at zero while ordinary TCP flows
TROUBLE = ("rx-truncated", "rx-bad-vnet", "rx-undescribed", "tx-too-big", "tx-gso-tiny",
           "tx-gso-bad", "tx-csum-bad", "tx-failed", "tx-no-memory", "tx-error",
           "rx-no-memory", "turn-full")


def untroubled(lab, *ports):
    for p in ports:
        c = lab.counters(p)
        bad = {k: c[k] for k in TROUBLE if c.get(k)}
        lib.need(not bad, f"port {p} counted {bad}")


def pair(a, b, size):
    rates = []
    for addr_a, addr_b in ((a.ip4, b.ip4), (a.ip6, b.ip6)):
        lib.reaches(a.ns, addr_b)
        for src, dst, addr in ((a, b, addr_b), (b, a, addr_a)):
            rates.append(lib.tcp(src.ns, dst.ns, addr, size))
            # dead offloads show as kilobits, not as a few per cent
            lib.need(rates[-1] > 10,
                     f"{src.kind} to {dst.kind} {addr}: only {rates[-1]:.0f} Mb/s")
    print(f"     {a.kind} - {b.kind}: there and back, IPv4 and IPv6: "
          f"{', '.join(f'{r:.0f}' for r in rates)} Mb/s")


# Every kind of port that Lab.host can put a host behind; the kernel's bridge has two.
KINDS = ("tap", "packet", "pcap", "stream", "dgram")[:2 if lib.KERNEL else None]


def test_every_pair(lab):
    """Two hosts of each kind, so that each kind meets each, itself included."""
    lab.switch()
    hosts = {k: (lab.host(f"{k}1", k), lab.host(f"{k}2", k)) for k in KINDS}
    for i, ka in enumerate(KINDS):
        for kb in KINDS[i:]:
            pair(hosts[ka][0], hosts[kb][1], 4 << 20)
    untroubled(lab, *(h.port for two in hosts.values() for h in two))


def test_bridge_interface(lab):
    """br0 with an address talks to hosts on ports of several kinds."""
    sw = lab.switch()
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.200/24", "dev", "br0")
    for kind in ("tap", "packet") if lib.KERNEL else ("tap", "packet", "stream", "dgram"):
        h = lab.host(kind, kind)
        lib.reaches(h.ns, "10.9.0.200")
        lib.tcp(h.ns, sw.ns, "10.9.0.200", 8 << 20)
        lib.tcp(sw.ns, h.ns, h.ip4, 8 << 20)
        untroubled(lab, h.port)


def test_no_offload_host(lab):
    """One host without any offload: its peer's super-frames are cut for it."""
    lab.switch()
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    lib.sh("ethtool", "-K", b.dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off",
           "gro", "off", ns=b.ns)
    lib.reaches(a.ns, b.ip4)
    lib.tcp(a.ns, b.ns, b.ip4, 16 << 20)
    lib.tcp(b.ns, a.ns, a.ip4, 16 << 20)
    untroubled(lab, a.port, b.port)


lib.main()
