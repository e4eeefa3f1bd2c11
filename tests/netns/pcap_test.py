#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ports by way of libpcap: a live interface, replay of a capture, recording."""
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


def mine(f):
    return f[6:12] in (A, B)


def write_pcap(path, frames, gap=0.0, link=1):
    """A capture of frames with 'gap' seconds between them."""
    with open(path, "wb") as f:
        f.write(struct.pack(">IHHiIII", NANO, 2, 4, 0, 0, 262144, link))
        for i, data in enumerate(frames):
            t = int(i * gap * 1e9)
            f.write(struct.pack(">IIII", 1000 + t // 10**9, t % 10**9, len(data), len(data)))
            f.write(data)


def read_pcap(path):
    """The frames of a whole capture in our byte order."""
    with open(path, "rb") as f:
        data = f.read()
    need(len(data) >= 24, f"{path} has no header")
    magic, _, _, _, _, _, link = struct.unpack("<IHHiIII", data[:24])
    need(magic == NANO and link == 1, f"{path} is no capture of Ethernet frames")
    at, out = 24, []
    while at < len(data):
        _, _, cap, n = struct.unpack("<IIII", data[at:at + 16])
        need(cap == n and at + 16 + cap <= len(data), f"{path}: torn at {at}")
        out.append(data[at + 16:at + 16 + cap])
        at += 16 + cap
    return out


def sum16(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


def tcp_sum(f):
    """Of an IPv4 TCP frame: 0xffff if the checksum is right."""
    n = struct.unpack("!H", f[16:18])[0]
    seg = f[14 + (f[14] & 15) * 4:14 + n]
    return sum16(f[26:34] + struct.pack("!HH", 6, len(seg)) + seg)


def tcp_frame(bad=0):
    """An IPv4 TCP segment whose checksum is off by 'bad'."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, 1, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    ip = ip[:10] + struct.pack("!H", 0xFFFF ^ sum16(ip)) + ip[12:]
    seg = struct.pack("!HHIIBBHHH", 1234, 80, 1, 1, 0x50, 0x18, 999, 0, 0) + b"x" * 20
    s = 0xFFFF ^ sum16(ip[12:] + struct.pack("!HH", 6, len(seg)) + seg)
    seg = seg[:16] + struct.pack("!H", (s + bad) & 0xFFFF) + seg[18:]
    return frame(BCAST, A, ip + seg, proto=0x0800)


# ---- live ----

def test_tags_and_checksums_of_others(lab):
    """Tags and checksums, right or wrong, come out as they went in."""
    lab.switch(quiet=True)
    a, b = (lab.host(n, "pcap", addresses=False).wire() for n in "ab")
    c = lab.host("c", "packet", addresses=False).wire()
    sent = [numbered(1), tcp_frame(), tcp_frame(1), tcp_frame(0x1234)]
    for tags in ([(0x8100, 5)], [(0x88A8, 0xE007)], [(0x88A8, 7), (0x8100, 0x2006)]):
        sent.append(frame(BCAST, A, bytes(50), tags=tags))
    for f in sent:
        a.send(f)
    for w in (b, c):
        got = w.collect(mine, len(sent))
        need(got == sent, lambda: f"came out as {[g.hex() for g in got]}")
    need(not a.collect(mine, 1, 0.2), "a frame came back to who sent it")


def test_udp_and_mixed_mtu(lab):
    """UDP with its checksum left undone; a datagram in fragments."""
    lab.switch()
    a, b, c = lab.host("a", "pcap"), lab.host("b", "tap"), lab.host("c", "packet")
    for src, dst in ((a, b), (b, a), (a, c), (c, a)):
        lib.reaches(src.ns, dst.ip4)
        for size in (10, 1400, 4000):
            srv = lab.spawn("timeout", "10", "socat", "-u", "UDP-RECV:7777",
                            f"CREATE:{lab.dir}/got", ns=dst.ns)
            wait_until(lambda: ":7777" in lib.sh("ss", "-Hlun", ns=dst.ns).stdout, 5, "socat")
            lib.sh("socat", "-u", "-b", "65000", "-", f"UDP:{dst.ip4}:7777", ns=src.ns,
                   stdin="u" * size)
            path = os.path.join(lab.dir, "got")
            wait_until(lambda: os.path.exists(path) and os.path.getsize(path) == size, 5,
                       f"{size} octets by UDP from {src.kind} to {dst.kind}")
            srv.terminate()
            srv.wait()
            os.unlink(path)


def test_device_goes_and_comes(lab):
    sw = lab.switch(quiet=True)
    a, b = lab.host("a", "pcap", addresses=False), lab.host("b", "packet", addresses=False)
    wb = b.wire()
    ip = ["ip", "-n", sw.ns, "link"]
    lib.sh(*ip, "set", a.port, "down")
    wait_until(lambda: not lib.port_state(sw, "br0", a.port)[0], 5, "link down is seen")
    lib.sh(*ip, "set", a.port, "up")
    sw.wait_forwarding(a.port)
    a.wire().send(numbered(1))
    need(wb.collect(mine), "no frame after down and up")
    lib.sh(*ip, "del", a.port)
    wait_until(lambda: lib.port_info(sw, "br0", a.port)["failed"], 5, "its end is seen")
    lab.veth(a.port, a.ns)
    lib.sh("ip", "-n", a.ns, "link", "set", "eth0", "up")
    sw.wait_forwarding(a.port)
    a.wire().send(numbered(2))
    need([number(f) for f in wb.collect(mine)] == [2], "no frame after it came back")


def test_filter_and_errors(lab):
    sw = lab.switch(quiet=True)
    a = lab.host("a", "pcap", addresses=False, keys=f',filter="ether src {lib.mac_text(A)}"')
    wb = lab.host("b", "packet", addresses=False).wire()
    w = a.wire()
    w.send(numbered(1, src=B))
    w.send(numbered(2, src=A))
    need([number(f) for f in wb.collect(mine, 2, 1)] == [2], "the filter did not choose")
    lab.veth("v9", lab.ns("a"), "eth9")
    r = sw.cli("addif", "br0", 'pcap:v9,filter="tcp prt"', check=False)
    need(r.returncode == 1 and "syntax error" in r.stderr, r.stderr)
    lib.sh("ip", "-n", sw.ns, "link", "set", "v9", "down")
    r = sw.cli("addif", "br0", "pcap:v9", check=False)
    need(r.returncode == 1 and "ip link set dev v9 up" in r.stderr, r.stderr)


def configuration(lab, capture, out):
    return lab.write(
        "x.yaml", "bascule:\n  version: 1\n  bridges:\n    br0:\n      local: no\n"
        "      ports:\n        - pcap:v1\n"
        f'        - "pcapfile:{capture},speed=full,start=0.5,name=file"\n'
        f'        - "pcapfile:{out},mode=record,name=rec"\n')


def test_configured(lab):
    """By a file: captures are opened by the client."""
    sw = lab.switch(bridge=None, quiet=True)
    lab.veth("v1", lab.ns("a"))
    lib.sh("ip", "-n", lab.ns("a"), "link", "set", "eth0", "up")
    capture, out = (os.path.join(lab.dir, n) for n in ("c.pcap", "out.pcap"))
    write_pcap(capture, [numbered(i) for i in range(30)])
    for bad, words in (("c.pcap", "must be absolute"), ("/no/such", "No such file")):
        r = sw.cli("apply", configuration(lab, bad, out), check=False)
        need(r.returncode == 1 and words in r.stderr, r.stderr)
        need(not os.path.exists(out), "a recording that came to nothing was left behind")
    conf = configuration(lab, capture, out)
    r = sw.cli("apply", "--dry-run", configuration(lab, "/no/such", out), check=False)
    need(r.returncode == 1 and "No such file" in r.stderr, r.stderr)
    conf = configuration(lab, capture, out)
    sw.cli("apply", "--dry-run", conf)
    need(not os.path.exists(out), "a dry run made a file")
    sw.cli("apply", conf)
    wait_until(lambda: sum(map(mine, read_pcap(out))) == 30, 5, "the replay was recorded")
    sw.cli("apply", conf)  # nothing has changed: nothing is recorded over
    need(sum(map(mine, read_pcap(out))) == 30, "the recording is gone")


def test_configured_at_start(lab):
    """The daemon's own file: it opens captures itself, and a pcap port waits until
    the daemon has brought its interface up."""
    lab.ns("sw")
    lab.veth("v1", lab.ns("a"))
    lib.sh("ip", "-n", lab.ns("a"), "link", "set", "eth0", "up")
    lib.sh("ip", "-n", lab.ns("sw"), "link", "set", "v1", "down")
    capture, out = (os.path.join(lab.dir, n) for n in ("c.pcap", "out.pcap"))
    write_pcap(capture, [numbered(i) for i in range(30)])
    sw = lab.switch("--config", configuration(lab, capture, out), bridge=None, quiet=True)
    sw.wait_forwarding("v1")
    # the port itself says so for a moment only
    need("v1 waits for its device: interface v1 is down" in sw.log_tail() and
         "v1 is back" in sw.log_tail(), "the log says what it waited for")
    wait_until(lambda: sum(map(mine, read_pcap(out))) == 30, 5, "the replay was recorded")


def test_start_finds_a_recording(lab):
    """What must not be recorded over, or is not there, costs its port only."""
    lab.ns("sw")
    lab.veth("v1", lab.ns("a"))
    lib.sh("ip", "-n", lab.ns("a"), "link", "set", "eth0", "up")
    capture, out = (os.path.join(lab.dir, n) for n in ("c.pcap", "out.pcap"))
    write_pcap(out, [numbered(7)])
    with open(out, "rb") as f:
        before = f.read()
    sw = lab.switch("--config", configuration(lab, capture, out), bridge=None, quiet=True)
    sw.wait_forwarding("v1")
    need("overwrite=on" in lib.port_state(sw, "br0", "rec")[1], "the recording's port")
    need("No such file" in lib.port_state(sw, "br0", "file")[1], "the replay's port")
    for port in ("rec", "file"):
        info = lib.port_info(sw, "br0", port)
        need(info["failed"] and not info["link"], f"{port}: {info}")
    with open(out, "rb") as f:
        need(f.read() == before, "it was recorded over")


# ---- replay ----

def test_replay(lab):
    sw = lab.switch(quiet=True)
    w = lab.host("a", "packet", addresses=False).wire()
    path = os.path.join(lab.dir, "c.pcap")
    write_pcap(path, [numbered(i) for i in range(5000)])
    for _ in range(2):  # once more by removing and adding
        sw.addif("br0", f"pcapfile:{path},speed=full,name=file")
        got = w.collect(mine, 5000, 10)
        need([number(f) for f in got] == list(range(5000)), f"{len(got)} frames came")
        wait_until(lambda: "end of file" in (lib.port_info(sw, "br0", "file")["why"] or ""),
                   3, "the end is told")
        need(not lib.port_info(sw, "br0", "file").get("failed"), "the port failed")
        lab.counted("file", "flooded", 5000, 5000)
        sw.delif("br0", "file")
    write_pcap(path, [numbered(i) for i in range(11)], gap=0.05)
    sw.addif("br0", f"pcapfile:{path},speed=2,loop=2,name=file")
    t, got = [], []
    for _ in range(22):
        got += w.collect(mine, 1, 3)
        t.append(time.monotonic())
    need([number(f) for f in got] == list(range(11)) * 2, f"{len(got)} frames came")
    need(0.5 < t[-1] - t[0] < 3, f"21 times 25 ms took {t[-1] - t[0]:.3f} s")


def test_replay_waits_for_the_bridge(lab):
    sw = lab.switch(bridge=None, quiet=True)
    sw.cli("addbr", "br0")  # down
    path = os.path.join(lab.dir, "c.pcap")
    write_pcap(path, [numbered(i) for i in range(20)])
    lab.veth("p1", lab.ns("a"))
    lib.sh("ip", "-n", lab.ns("a"), "link", "set", "eth0", "up")
    sw.addif("br0", "p1")
    sw.addif("br0", f"pcapfile:{path},speed=full,name=file")
    w = lib.Wire(lab.ns("a"), "eth0")
    lab.at_end(w.close)
    need(not w.collect(mine, 1, 0.3), "a frame through a bridge that is down")
    lib.sh("ip", "-n", sw.ns, "link", "set", "br0", "up")
    need([number(f) for f in w.collect(mine, 20)] == list(range(20)), "not all came")


def test_replay_of_a_capture_with_offloads(lab):
    """What tcpdump saw on a host whose device was to finish the frames: every
    frame arrives finished."""
    sw = lab.switch()
    a, b = lab.host("a", "packet"), lab.host("b", "packet")
    path = os.path.join(lab.dir, "c.pcap")
    dump = lab.spawn("tcpdump", "-i", "eth0", "-w", path, "-s", "0", "-U",
                     "--immediate-mode", f"tcp and src {a.ip4}", ns=a.ns)
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path) >= 24, 5, "tcpdump")
    lib.reaches(a.ns, b.ip4)
    lib.tcp(a.ns, b.ns, b.ip4, 1 << 20)
    wait_until(lambda: os.path.getsize(path) > 1 << 20, 5, "tcpdump has seen it all")
    dump.terminate()
    dump.wait()
    sw.delif("br0", a.port)
    sw.cli("fdb", "flush", "dev", "br0")
    sw.delif("br0", b.port)
    wc = lab.host("c", "pcap", addresses=False).wire()  # takes no super-frames
    sw.addif("br0", f"pcapfile:{path},speed=full,name=file")
    got = wc.collect(lambda f: f[6:12] == a.mac and f[12:14] == b"\x08\0" and f[23] == 6,
                     100000, 1)
    size = sum(struct.unpack("!H", f[16:18])[0] - 20 - (f[46] >> 4) * 4 for f in got)
    need(size >= 1 << 20, f"{size} octets of payload came")
    need(max(map(len, got)) <= 1514, "a frame longer than the MTU came")
    bad = sum(tcp_sum(f) != 0xFFFF for f in got)
    need(bad == 0, f"{bad} of {len(got)} frames have a bad checksum")


def test_replay_refusals(lab):
    sw = lab.switch(quiet=True)
    path = os.path.join(lab.dir, "c.pcap")
    ports = lambda: len(sw.json("port", "show", "br0"))
    before = ports()

    def refused(spec, *words):
        r = sw.cli("addif", "br0", spec, check=False)
        need(r.returncode == 1 and r.stderr.count("\n") == 1 and
             all(w in r.stderr for w in words), f"{spec}: {r.returncode} {r.stderr!r}")

    refused(f"pcapfile:{path}", path, "No such file")
    refused("pcapfile:/dev/null", "no regular file")
    with open(path, "w") as f:
        f.write("no capture")
    refused(f"pcapfile:{path}", "unknown file format")
    write_pcap(path, [], link=101)
    refused(f"pcapfile:{path}", "Raw IP")
    write_pcap(path, [numbered(1)])
    refused(f"pcapfile:{path},speed=fast", "speed=fast")
    refused(f"pcapfile:{path},mode=both", "mode=both")
    need(ports() == before, "something half-made is in the bridge")
    with open(path, "ab") as f:
        f.write(b"torn")
    sw.addif("br0", f"pcapfile:{path},speed=full,name=torn")
    wait_until(lambda: "truncated dump file" in lib.port_state(sw, "br0", "torn")[1], 3,
               "libpcap's sentence")
    need(lib.port_info(sw, "br0", "torn")["failed"], "the port has not failed")


# ---- recording ----

def test_record(lab):
    sw = lab.switch(quiet=True)
    h = lab.host("a", "packet", addresses=False)
    path = os.path.join(lab.dir, "out.pcap")
    # a path of the client's: the daemon lives elsewhere
    lib.sh("sh", "-c", f"cd {lab.dir} && exec {lib.BUILD}/bascule -S {sw.sock} addif br0 "
           "pcapfile:out.pcap,mode=record,name=rec", ns=sw.ns)
    need(path in sw.cli("port", "show", "br0").stdout + str(sw.json("port", "show", "br0")),
         "the path is not shown in full")
    sw.wait_forwarding("rec")
    w = h.wire()
    sent = [numbered(i, 60 + i % 1000) for i in range(100)]
    sent += [frame(BCAST, A, bytes(50), tags=[(0x88A8, 7), (0x8100, 6)])]
    for f in sent:
        w.send(f)
    wait_until(lambda: sum(map(mine, read_pcap(path))) == len(sent), 3, "all is in the file")
    need([f for f in read_pcap(path) if mine(f)] == sent, "other octets than were sent")
    r = lib.sh("tcpdump", "-nr", path)
    need(len(r.stdout.splitlines()) >= len(sent), "tcpdump does not read it")
    # what is there is not lost by mistake
    r = sw.cli("addif", "br0", f"pcapfile:{path},mode=record,overwrite=on", check=False)
    need(r.returncode == 1 and "being recorded to already" in r.stderr, r.stderr)
    sw.delif("br0", "rec")
    r = sw.cli("addif", "br0", f"pcapfile:{path},mode=record", check=False)
    need(r.returncode == 1 and "overwrite=on" in r.stderr, r.stderr)
    need([f for f in read_pcap(path) if mine(f)] == sent, "the file has changed")
    sw.addif("br0", f"pcapfile:{path},mode=record,overwrite=on,name=rec")
    need(not any(map(mine, read_pcap(path))), "the old recording is still there")
    # a port that comes to nothing leaves no file behind
    new = os.path.join(lab.dir, "new.pcap")
    for br, spec in (("nobridge", f"pcapfile:{new},mode=record"),
                     ("br0", f"pcapfile:{new},mode=record,speed=full")):
        need(sw.cli("addif", br, spec, check=False).returncode == 1, spec)
        need(not os.path.exists(new), f"{spec} left its file behind")


def test_record_wire_frames(lab):
    """Super-frames are recorded as they would be on a wire.  Who does not
    learn floods, so that a recorder sees everything."""
    sw = lab.switch()
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    for h in (a, b):
        sw.cli("port", "set", h.port, "learning", "off")
    sw.cli("fdb", "flush", "dev", "br0")
    path = os.path.join(lab.dir, "out.pcap")
    sw.addif("br0", f"pcapfile:{path},mode=record,name=rec")
    sw.wait_forwarding("rec")
    lib.tcp(a.ns, b.ns, b.ip4, 2 << 20)
    sw.delif("br0", "rec")
    got = [f for f in read_pcap(path) if f[6:12] == a.mac and f[12:14] == b"\x08\0"
           and f[23] == 6]
    size = sum(struct.unpack("!H", f[16:18])[0] - 20 - (f[46] >> 4) * 4 for f in got)
    need(size >= 2 << 20, f"{size} octets of payload were recorded")
    need(max(map(len, got)) <= 1514, "a frame longer than the MTU was recorded")
    need(all(tcp_sum(f) == 0xFFFF for f in got), "a bad checksum was recorded")


def test_full_disk(lab):
    """A disk without room costs the port, and nothing else."""
    sw = lab.switch(quiet=True)
    a, b = lab.host("a", "packet", addresses=False), lab.host("b", "packet", addresses=False)
    disk = os.path.join(lab.dir, "disk")
    os.mkdir(disk)
    lib.sh("mount", "-t", "tmpfs", "-o", "size=200k", "bascule-test", disk)
    lab.at_end(lambda: lib.sh("umount", "-l", disk, check=False))
    path = os.path.join(disk, "out.pcap")
    sw.addif("br0", f"pcapfile:{path},mode=record,name=rec")
    sw.wait_forwarding("rec")
    wa, wb = a.wire(), b.wire()
    for i in range(400):
        wa.send(numbered(i, 1000))
    wait_until(lambda: "No space left" in lib.port_state(sw, "br0", "rec")[1], 5,
               "the port says why it failed")
    need(len(wb.collect(mine, 400)) == 400, "others missed frames")
    got = [number(f) for f in read_pcap(path) if mine(f)]
    need(got == list(range(len(got))) and len(got) < 400, "torn or out of order")
    wa.send(numbered(7777))
    need([number(f) for f in wb.collect(mine)] == [7777], "the switch does not go on")


lib.main()
