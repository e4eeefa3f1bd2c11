#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ports by way of libpcap: a live interface, replay of a file, recording."""
import os
import struct
import time

import lib
from lib import BCAST, frame, need, wait_until

NANO, MICRO = 0xA1B23C4D, 0xA1B2C3D4
A, B = lib.mac("02:77:00:00:00:01"), lib.mac("02:77:00:00:00:02")


def numbered(n, size=60, dst=BCAST, src=A):
    return frame(dst, src, struct.pack("!I", n).ljust(size - 14, b"\x5a"))


def number(f):
    return struct.unpack("!I", f[14:18])[0]


def write_pcap(path, frames, gap=0.0, order=">", link=1, cut=0):
    """frames with 'gap' seconds between them; 'cut' octets of each are missing."""
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", NANO, 2, 4, 0, 0, 262144, link))
        for i, data in enumerate(frames):
            t = int(i * gap * 1e9)
            f.write(struct.pack(order + "IIII", 1000 + t // 10**9, t % 10**9,
                                len(data) - cut, len(data)) + data[:len(data) - cut])


def read_pcap(path):
    """[(seconds, frame)] of a whole capture in our byte order."""
    with open(path, "rb") as f:
        data = f.read()
    magic, _, _, _, _, _, link = struct.unpack("<IHHiIII", data[:24])
    need(magic in (NANO, MICRO) and link == 1, f"{path} is no capture of Ethernet frames")
    at, out = 24, []
    while at < len(data):
        s, ns, cap, n = struct.unpack("<IIII", data[at:at + 16])
        need(cap == n and at + 16 + cap <= len(data), f"{path}: torn at {at}")
        out.append((s + ns * (1e-9 if magic == NANO else 1e-6), data[at + 16:at + 16 + cap]))
        at += 16 + cap
    return out


def mine(f):
    return f[12:14] == struct.pack("!H", lib.ETH_TEST) and f[6:12] in (A, B)


def test_replay_full(lab):
    sw = lab.switch(quiet=True)
    h = lab.host("a", "packet", addresses=False)
    w = h.wire()
    path = os.path.join(lab.dir, "full.pcap")
    write_pcap(path, [numbered(i) for i in range(5000)])
    sw.addif("br0", f"pcapfile:{path},speed=full,name=file")
    got = w.collect(mine, 5000, 10)
    need([number(f) for f in got] == list(range(5000)), f"{len(got)} frames came, or in disorder")
    wait_until(lambda: "end of file" in lib.port_info(sw, "br0", "file")["why"], 3, "the end is told")
    print(sw.cli("port", "show", "br0").stdout)


def test_record(lab):
    sw = lab.switch(quiet=True)
    h = lab.host("a", "packet", addresses=False)
    path = os.path.join(lab.dir, "out.pcap")
    sw.addif("br0", f"pcapfile:{path},mode=record,name=rec")
    sw.wait_forwarding("rec")
    w = h.wire()
    for i in range(100):
        w.send(numbered(i))
    wait_until(lambda: sum(mine(f) for _, f in read_pcap(path)) == 100, 3, "all is in the file")
    print(sw.cli("port", "show", "br0").stdout)


lib.main()
