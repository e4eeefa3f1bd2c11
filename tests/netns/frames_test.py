#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frames arrive byte for byte and once: tags, odd lengths, jumbos; what cannot
arrive is counted with its reason; nothing we sent comes back to us."""
import os
import struct

import lib
from lib import need

PAIRS = (("tap", "tap"), ("tap", "packet"), ("packet", "tap"), ("packet", "packet"),
         ("pcap", "tap"), ("packet", "pcap"), ("stream", "packet"), ("tap", "dgram"))
if lib.KERNEL:
    PAIRS = PAIRS[:4]
DST = lib.mac("02:09:00:00:00:02")
SRC = lib.mac("02:09:00:00:00:01")


def same(w_in, w_out, f, limit=3.0):
    """Sends f on one wire; exactly f must come out of the other."""
    w_out.drain()
    w_in.send(f)
    got = w_out.collect(lambda x: x[6:12] == f[6:12], 1, limit)
    need(got, lambda: f"lost: {len(f)} octets {f[:40].hex()}")
    need(got[0] == f, lambda: f"changed: sent {len(f)} {f[:40].hex()}, "
                              f"got {len(got[0])} {got[0][:40].hex()}")


def each_pair(lab, frames):
    sw = lab.switch(quiet=True)
    for i, (ka, kb) in enumerate(PAIRS):
        a = lab.host(f"a{i}", ka, addresses=False)
        b = lab.host(f"b{i}", kb, addresses=False)
        wa, wb = a.wire(), b.wire()
        for f in frames:
            same(wa, wb, f)
        # nothing else, no second copy, nothing came back
        need(not wb.collect(lambda x: x[6:12] == SRC, 1, 0.1), "a frame arrived twice")
        need(not wa.collect(lambda x: x[6:12] == SRC, 1, 0.1), "a frame came back")
        for h in (a, b):
            sw.delif("br0", h.port)


def test_tags(lab):
    """802.1Q, 802.1ad, double, priority tags, all TCI bits, odd TPIDs."""
    body = os.urandom(60)
    tags = [((0x8100, 5),), ((0x88A8, 7),), ((0x88A8, 7), (0x8100, 5)),
            ((0x8100, 5), (0x8100, 5)), ((0x88A8, 9), (0x88A8, 9)),
            ((0x8100, 0x8100), (0x88A8, 1)), ((0x8100, 0),), ((0x8100, 0xE000),),
            ((0x8100, 0xFFFF),), ((0x8100, 0x1001), (0x8100, 2), (0x88A8, 3)),
            ((0x9100, 4),)]
    frames = [lib.frame(DST, SRC, body, tags=t) for t in tags]
    frames.append(lib.frame(DST, SRC, os.urandom(1500), tags=((0x8100, 5),)))
    each_pair(lab, frames)


def test_lengths(lab):
    """From the bare header up to the MTU; nothing is padded or cut."""
    sizes = [0, 1, 2, 5, 31, 32, 45, 46, 47, 113, 114, 115, 498, 1499, 1500]
    each_pair(lab, [lib.frame(DST, SRC, os.urandom(n)) for n in sizes])


def test_runts(lab):
    """Shorter than an Ethernet header, down to nothing: counted, never a crash."""
    if lib.KERNEL:
        raise lib.Skip("no device lets a runt pass; this needs a mem port")
    sw = lab.switch(quiet=True)
    b = lab.host("b", "tap", addresses=False)
    sw.addif("br0", "mem:m0")
    w = b.wire()
    f = lib.frame(lib.BCAST, SRC)
    for n in range(14):
        sw.cli("mem", "inject", "m0", f[:n].hex())
        lab.counted("m0", "rx-runt", n + 1, n + 1)
    need(not w.collect(lambda x: True, 1, 0.1), "a runt came out")
    sw.cli("mem", "inject", "m0", f.hex())
    need(w.collect(lambda x: x == f), "a bare header did not pass")
    # and what a tap's holder may write: the kernel refuses the same
    vm = lab.vm("vm0")
    for n in range(14):
        try:
            vm.send(f[:n])
        except OSError:
            pass
    vm.send(f)
    need(w.collect(lambda x: x == f), "the VM's port is dead after runts")


def test_ethertypes(lab):
    """802.3 length fields, LLC, unknown types and garbage pass untouched."""
    bodies = [(3, b"\x42\x42\x03"), (0, b""), (1500, os.urandom(100)), (0x0600, b"x" * 50),
              (0xFFFF, os.urandom(64)), (0x0800, b""), (0x0800, b"\x45" + os.urandom(9)),
              (0x86DD, os.urandom(3)), (0x0800, os.urandom(800))]
    each_pair(lab, [lib.frame(DST, SRC, b, p) for p, b in bodies])


def test_jumbo(lab):
    """A jumbo reaches the ports that can take it and is counted at the one that
    cannot; a raised MTU is noticed."""
    sw = lab.switch(quiet=True)
    hosts = [lab.host("a", "packet", False, mtu=9000), lab.host("b", "packet", False, mtu=9000),
             lab.host("c", "packet", False), lab.host("d", "tap", False),
             lab.host("e", "tap", False, mtu=9000)]
    a, b, c, d, e = hosts
    wa, wb, wc, wd, we = [h.wire() for h in hosts]
    f = lib.frame(lib.BCAST, SRC, os.urandom(9000))
    same(wa, wb, f)
    need(we.collect(lambda x: x == f), "the tap with MTU 9000 did not get the jumbo")
    for w, h in ((wc, c), (wd, d)):
        need(not w.collect(lambda x: x[6:12] == SRC, 1, 0.1), "a jumbo passed an MTU of 1500")
        lab.counted(h.port, "tx-too-big", 1, 1)
    # one octet over and exactly at the limit
    wa.send(lib.frame(lib.BCAST, SRC, os.urandom(1501)))
    lab.counted(c.port, "tx-too-big", 2, 2)
    same(wa, wc, lib.frame(lib.BCAST, SRC, os.urandom(1500)))
    tagged = lib.frame(lib.BCAST, SRC, os.urandom(1500), tags=((0x8100, 5),))
    same(wa, wc, tagged)
    need(wd.collect(lambda x: x == tagged), "a tagged frame of full length did not reach the tap")
    for ns, dev in ((sw.ns, c.port), (c.ns, c.dev), (d.ns, d.dev), (sw.ns, d.port)):
        if lib.KERNEL or dev != d.port:  # a tap port has one device, in the host
            lib.sh("ip", "-n", ns, "link", "set", dev, "mtu", 9000)

    def passes(w):
        w.drain()
        wa.send(f)
        return w.collect(lambda x: x == f, 1, 0.2)
    for w, h in ((wc, c), (wd, d)):
        lib.wait_until(lambda: passes(w), 5, f"raised MTU of {h.port} is noticed")


def test_longest(lab):
    """The longest single frame a netdev can carry, 65535 octets behind the header."""
    lab.switch(quiet=True)
    a = lab.host("a", "packet", False, mtu=65535)
    b = lab.host("b", "packet", False, mtu=65535)
    t = lab.host("t", "tap", False, mtu=65521)
    wa, wb, wt = a.wire(), b.wire(), t.wire()
    same(wa, wb, lib.frame(DST, SRC, os.urandom(65535)))
    same(wa, wt, lib.frame(DST, SRC, os.urandom(65521)))
    same(wt, wa, lib.frame(DST, lib.mac("02:09:00:00:00:09"), os.urandom(65500)))


def test_own_frames(lab):
    """What the switch sends out of a port is not received there again."""
    lab.switch(quiet=True)
    hosts = [lab.host("a", "packet", False), lab.host("b", "packet", False),
             lab.host("c", "tap", False)]
    a, b, c = hosts
    wa = a.wire()
    wb = b.wire()
    for i in range(200):
        wa.send(lib.frame(lib.BCAST, SRC, struct.pack("!I", i) + bytes(60)))
    got = wb.collect(lambda x: x[6:12] == SRC, 201, 1.0)
    need([x[14:18] for x in got] == [struct.pack("!I", i) for i in range(200)],
         f"{len(got)} of 200 frames, or not in order")
    if lib.KERNEL:
        return
    # a's frames count once at a's port, and the others received nothing at all
    for h, n in ((a, 200), (b, 0), (c, 0)):
        have = lab.counters(h.port)["rx_frames"]
        need(have == n, f"port {h.port} received {have} frames instead of {n}")
    need(lab.counters(b.port)["tx_frames"] == 200, "port b did not send 200 frames")


def test_source(lab):
    """Frames from a group address or from nobody are refused by name."""
    lab.switch(quiet=True)
    a, b = lab.host("a", "packet", False), lab.host("b", "tap", False)
    wa, wb = a.wire(), b.wire()
    for i, src in enumerate((lib.BCAST, lib.mac("01:00:5e:00:00:01"), bytes(6))):
        wa.send(lib.frame(DST, src, bytes(50)))
        lab.counted(a.port, "bad-source", i + 1, i + 1)
    need(not wb.collect(lambda x: x[12:14] == struct.pack("!H", lib.ETH_TEST), 1, 0.2),
         "a frame with an impossible source passed")
    same(wa, wb, lib.frame(DST, SRC, bytes(50)))


def test_reserved(lab):
    """All sixteen 01:80:c2:00:00:0X: held back, and passed when the mask says so."""
    sw = lab.switch(quiet=True)
    a, b = lab.host("a", "packet", False), lab.host("b", "tap", False)
    c = lab.host("c", "packet", False)
    wa, outs = a.wire(), (b.wire(), c.wire())

    def group(i):
        return lib.mac(f"01:80:c2:00:00:{i:02x}")

    def passed():
        """Which of the sixteen come out of b; c must agree."""
        mark = lib.frame(DST, SRC, os.urandom(46))
        for i in range(16):
            wa.send(lib.frame(group(i), SRC, os.urandom(46)))
        wa.send(mark)
        got = []
        for w in outs:
            seen = set()

            def see(f):
                if f[:5] == group(0)[:5] and f[6:12] == SRC:
                    seen.add(f[5])
                return f == mark
            need(w.collect(see, 1, 3), "the frame behind the sixteen did not arrive")
            # protocol frames have a way of their own and may arrive behind it
            w.collect(see, 99, 0.2)
            got.append(seen)
        need(got[0] == got[1], f"tap port got {got[0]}, packet port {got[1]}")
        return got[0]

    # with no spanning tree here, others' BPDUs (0) pass, as on the kernel's bridge
    need(passed() == {0}, "without a mask something reserved passed, or no BPDU")
    lab.counted(a.port, "reserved", 15, 15)
    bits = range(3, 16) if lib.KERNEL else range(1, 16)
    for i in bits:
        sw.fwd_mask(1 << i)
        p = passed()
        need(p == {0, i}, f"mask {1 << i:#x} passed {p}")
    sw.fwd_mask(0xFFF8 if lib.KERNEL else 0xFFFF)
    need(passed() == set(bits) | {0}, "with all bits set not all passed")
    # neighbours that are no reserved addresses are ordinary groups
    sw.fwd_mask(0)
    for g in ("01:80:c2:00:00:10", "01:80:c2:00:00:20", "01:00:0c:cc:cc:cd"):
        f = lib.frame(lib.mac(g), SRC, os.urandom(46))
        same(wa, outs[0], f)


lib.main(at_once=3)
