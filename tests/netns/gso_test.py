#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Super-frames as guests with TSO send them: carried whole to ports that take
them, cut by gso_size for those that do not, tags included, refused with a
reason when they cannot be cut."""
import os

import lib
from lib import need

SRC, DST = lib.mac("02:09:00:00:00:01"), lib.mac("02:09:00:00:00:02")
TAGS = ((), ((0x8100, 5),), ((0x88A8, 7),), ((0x88A8, 7), (0x8100, 5)))


def mine(f):
    return f[6:12] == SRC


def payload_of(got, tags, gso_size):
    """Payload of what a VM received: pieces, super-frames or both."""
    h = 14 + 4 * len(tags)
    head = lib.frame(DST, SRC, b"", 0x0800, tags)
    plain = []
    for v, f in got:
        need(f[:h] == head, f"header changed: {f[:h].hex()} instead of {head.hex()}")
        flags, gso, _, size, start, off = lib.struct.unpack("<BBHHHH", v or bytes(10))
        if gso:
            need(size == gso_size, f"gso_size became {size}")
        if flags & 1:
            need((start, off) == (h + 20, 16),
                 f"csum_start {start}, offset {off} with {len(tags)} tags")
            ln = len(f) - h - 20
            pseudo = lib.csum(f[h + 12:h + 20] + lib.struct.pack("!HH", 6, ln))
            need(lib.struct.unpack("!H", f[start + 16:start + 18])[0] == pseudo,
                 "pseudo-header sum does not fit the frame's length")
            c = 0xFFFF - lib.csum(f[start:])
            f = f[:start + 16] + lib.struct.pack("!H", c) + f[start + 18:]
        plain.append(f)
    return lib.tcp4_pieces(plain, len(tags))


def gather(vm, size, tags=(), limit=5):
    """Frames until they hold `size` octets of payload."""
    got, have = [], 0
    end = lib.time.monotonic() + limit
    while have < size and lib.time.monotonic() < end:
        for v, f in vm.collect(mine, 1, 0.2):
            got.append((v, f))
            have += len(f) - 14 - 4 * len(tags) - 40
    return got


def test_whole_and_cut(lab):
    """64 KB to a VM with TSO and to one without, untagged and with each kind of tag."""
    lab.switch()
    src = lab.vm("vm0")
    tso, old = lab.vm("vm1"), lab.vm("vm2", vnet=False)
    for tags in TAGS:
        for size in (1000, 1448, 1449, 9000, 60000, 65535 - 40):
            pay = os.urandom(size)
            f, v = lib.tcp4_super(DST, SRC, pay, 1448, tags)
            for vm in (tso, old):
                vm.drain()
            if size > 1448:
                src.send(f, v)
            else:
                src.send(f, lib.vnet(1, 0, 0, 0, 34 + 4 * len(tags), 16))
            for vm in (tso, old):
                got = gather(vm, size, tags)
                need(payload_of(got, tags, 1448) == pay,
                     f"{size} octets, {len(tags)} tags: payload arrived changed at {vm.dev}")
                if vm is old:
                    longest = max(len(f) for _, f in got)
                    need(longest <= 1514 + 4 * len(tags), f"a piece of {longest} octets")


def test_to_daemon_tap(lab):
    """The same out of a tap the switch holds, seen by a raw socket in the host."""
    lab.switch()
    src, host = lab.vm("vm0"), lab.host("h", "tap", addresses=False)
    lib.sh("ethtool", "-K", "eth0", "gro", "off", ns=host.ns)
    w = host.wire()
    for tags in TAGS[:3]:
        pay = os.urandom(40000)
        f, v = lib.tcp4_super(DST, SRC, pay, 1448, tags)
        w.drain()
        src.send(f, v)
        got = w.collect(mine, 1, 3)
        need(got, f"super-frame with {len(tags)} tags did not arrive")
        # one super-frame, or pieces; their payload is what counts
        h = 14 + 4 * len(tags) + 40
        data = got[0][h:]
        while len(data) < len(pay):
            more = w.collect(mine, 1, 1)
            need(more, f"{len(data)} of {len(pay)} octets arrived")
            data += more[0][h:]
        need(data == pay, "payload changed")


def test_small_mtu(lab):
    """Judged by gso_size, not by length: 64 KB pass an MTU of 1400 if the pieces do."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge lets every super-frame pass the MTU check")
    lab.switch()
    src = lab.vm("vm0")
    small, small_old = lab.vm("vm1", mtu=1400), lab.vm("vm2", mtu=1400, vnet=False)
    big = lab.vm("vm3")
    pay = os.urandom(60000)
    f, v = lib.tcp4_super(DST, SRC, pay, 1360)
    src.send(f, v)
    for vm in (small, small_old, big):
        need(payload_of(gather(vm, len(pay)), (), 1360) == pay, f"{vm.dev}: payload changed")
    for n, (size, ok) in enumerate(((1361, False), (1448, False)), 1):
        f, v = lib.tcp4_super(DST, SRC, pay, size)
        src.send(f, v)
        for vm in (small, small_old):
            lab.counted(vm.dev, "tx-too-big", n, n)
            need(not vm.collect(mine, 1, 0.1), f"{vm.dev} got a piece over its MTU")
        need(payload_of(gather(big, len(pay)), (), size) == pay, "the large port lost it")


def test_tiny_gso(lab):
    """gso_size 1 in 64 KB would be 60 000 frames per port: refused by name."""
    if lib.KERNEL:
        raise lib.Skip("counters are Bascule's")
    sw = lab.switch()
    src = lab.vm("vm0")
    names = [f"m{i}" for i in range(100)]
    sw.cli("addif", "br0", *[f"mem:{n},vnet=off" for n in names])
    for n in names:
        sw.wait_forwarding(n)
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    lib.reaches(a.ns, b.ip4)
    nobody = lib.mac("02:77:00:00:00:01")
    f, v = lib.tcp4_super(nobody, SRC, os.urandom(60000), 1)
    for _ in range(50):
        src.send(f, v)
    lab.counted("m0", "tx-gso-tiny", 50, 50)
    lab.counted("m99", "tx-gso-tiny", 50, 50)
    need(lib.ping(a.ns, b.ip4, 20, 0.02) == 0, "others lost frames")
    # and an ordinary one is cut for all hundred
    f, v = lib.tcp4_super(nobody, SRC, os.urandom(60000), 1448)

    def sent():
        return lab.counters("m99")["tx_frames"]

    def cut():
        """Unless the hosts say something by themselves just then."""
        before = sent()
        src.send(f, v)
        lib.wait_until(lambda: sent() >= before + 42, 5, "it is cut")
        return sent() - before == 42
    lib.wait_until(cut, 20, "an ordinary super-frame becomes 42 frames")


lib.main()
