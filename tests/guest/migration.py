# SPDX-License-Identifier: BSD-2-Clause
"""A guest that moves from one host to another: two namespaces with a switch
each, a link between the switches, a third host that talks with the guest all
the time.  For tests/guest/migrate_test.py and bench/migrate.py, which is why
the switch is an argument here.

           third host
               | up0
    host A: [ br0 ] vm1      ~ the guest's memory ~>   host B: [ br0 ] vm1
               | link ----------------------------------------- link |
"""
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import guestlib
from guestlib import lib

GUEST, THIRD = "10.9.0.50", "10.9.0.1"
NET = 24
MOVE_PORT = 4444
RARP = 0x8035

# Pings once a millisecond, 4000 of them unless told to end before; prints when
# each was sent and when its answer came (0: never), in seconds of the
# monotonic clock, so that it can be laid beside what others have seen.
_PINGER = r"""
import array, json, select, socket, struct, sys, time
to = sys.argv[1]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.connect((to, 0)); s.setblocking(False)
sent, came = [], {}
def csum(b):
    t = sum(struct.unpack("!%dH" % (len(b) // 2), b)); t = (t >> 16) + (t & 0xffff)
    return 0xffff - ((t >> 16) + t & 0xffff)
def echo(n):
    body = struct.pack("!I", n) + bytes(20)
    head = struct.pack("!BBHHH", 8, 0, 0, 0x4242, n & 0xffff)
    return head[:2] + struct.pack("!H", csum(head + body)) + head[4:] + body
poll = select.poll(); poll.register(s, 1); poll.register(0, 1)
t0 = time.monotonic(); over = None
print("ready", flush=True)
while over is None or time.monotonic() < over:
    now = time.monotonic()
    while over is None and t0 + len(sent) * 0.001 <= now:
        try:
            s.send(echo(len(sent)))
        except OSError:
            pass
        sent.append(now)
    for fd, _ in poll.poll(1):
        if fd == 0:
            over = over or time.monotonic() + 0.5
            poll.unregister(0)
        else:
            while True:
                try:
                    b = s.recv(200)
                except BlockingIOError:
                    break
                except OSError:
                    continue
                if b[20] == 0 and b[24:26] == b"BB":
                    came.setdefault(struct.unpack("!I", b[28:32])[0], time.monotonic())
json.dump([[t, came.get(i, 0)] for i, t in enumerate(sent)], sys.stdout)
"""


class Pinger:
    """Numbered pings, 1000 a second, from a namespace."""

    def __init__(self, lab, ns, to):
        self.p = lab.spawn(sys.executable, "-c", _PINGER, to, ns=ns, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
        lib.need(self.p.stdout.readline() == "ready\n", "the pinger did not start")

    def end(self):
        said, _ = self.p.communicate("\n", timeout=15)
        return Pings(json.loads(said))


class Pings:
    def __init__(self, rows):
        self.rows = rows

    def lost(self):
        return sum(1 for _, came in self.rows if not came)

    def silence(self, since=0, until=1e18):
        """The longest time in which no answer came, in seconds, and its end."""
        at = sorted(c for _, c in self.rows if c and since <= c <= until)
        lib.need(len(at) > 10, f"{len(at)} pings answered")
        gap, end = max((b - a, b) for a, b in zip(at, at[1:]))
        return gap, end

    def silence_at(self, when):
        """From the last answer before that time to the first after it."""
        at = [c for _, c in self.rows if c]
        return min(c for c in at if c > when) - max(c for c in at if c <= when)


class Echo:
    """One TCP connection on which the third host sends numbered lines, 500 a second,
    and the guest sends them back."""

    def __init__(self, lab, ns, guest):
        with lib.inside(ns):
            s = socket.socket()
        s.bind((THIRD, 0))
        s.listen()
        s.settimeout(10)
        guest.run(f"nc {THIRD} {s.getsockname()[1]} -e cat &")
        self.c, _ = s.accept()
        s.close()
        lab.at_end(self.c.close)
        self.c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.c.settimeout(20)
        self.sent, self.got, self.over, self.bad = 0, 0, False, None
        self.came = []
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self._send, self._read)]
        for t in self.threads:
            t.start()

    def _send(self):
        try:
            while not self.over:
                self.c.sendall(b"%d\n" % self.sent)
                self.sent += 1
                time.sleep(0.002)
            self.c.shutdown(socket.SHUT_WR)
        except OSError as e:
            self.bad = self.bad or f"sending: {e}"

    def _read(self):
        try:
            with self.c.makefile("rb") as f:
                for line in f:
                    if int(line) != self.got:
                        self.bad = self.bad or f"line {int(line)} came instead of {self.got}"
                    self.got += 1
                    self.came.append(time.monotonic())
        except (OSError, ValueError) as e:
            self.bad = self.bad or f"reading: {e}"

    def end(self):
        """All that was sent has come back on the same connection; how much."""
        self.over = True
        for t in self.threads:
            t.join(20)
        lib.need(not self.bad, f"TCP, {self.sent} lines sent, {self.got} back: {self.bad}")
        lib.need(self.got == self.sent and self.got > 100,
                 f"{self.sent} lines were sent to the guest, {self.got} came back")
        return self.got


    def stall(self, since):
        """The longest time without a line, in seconds; after end()."""
        at = [t for t in self.came if t >= since]
        return max(b - a for a, b in zip(at, at[1:]))


class Stamps:
    """The frames that pass a device, both ways, with the kernel's time of each; nobody
    is woken for them, they are read afterwards."""

    ROOM = 64 << 20
    SO_RCVBUFFORCE, SO_TIMESTAMPNS, ETH_P_ALL = 33, 35, 3

    def __init__(self, ns, dev):
        with lib.inside(ns):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.s.setsockopt(socket.SOL_SOCKET, self.SO_RCVBUFFORCE, self.ROOM)
            self.s.setsockopt(socket.SOL_SOCKET, self.SO_TIMESTAMPNS, 1)
            self.s.bind((dev, self.ETH_P_ALL))
        self.s.setblocking(False)

    def end(self):
        """[(seconds of the monotonic clock, the frame's first octets)]"""
        ahead, rows = time.time() - time.monotonic(), []
        while True:
            try:
                data, said, _, _ = self.s.recvmsg(64, socket.CMSG_SPACE(16))
            except BlockingIOError:
                self.s.close()
                return rows
            sec, nsec = struct.unpack("qq", said[0][2])
            rows.append((sec + nsec / 1e9 - ahead, data))


ECHO, ECHO_REPLY = 8, 0


def is_ping(frame, kind):
    return frame[12:14] == b"\x08\0" and frame[23] == socket.IPPROTO_ICMP and frame[34] == kind


def _monotonic(stamp):
    """QEMU's time of day as seconds of the monotonic clock."""
    ago = time.time() - stamp["seconds"] - stamp["microseconds"] / 1e6
    return time.monotonic() - ago


class Qmp:
    """QEMU's monitor."""

    def __init__(self, path):
        def there():
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(path)
                return s
            except OSError:
                s.close()
                return None
        self.s = lib.wait_until(there, 10, "QEMU's monitor answers")
        self.s.settimeout(10)
        self.f, self.events = self.s.makefile("rb"), []
        self._next()
        self.call("qmp_capabilities")

    def _next(self):
        line = self.f.readline()
        lib.need(line, "QEMU's monitor has ended")
        return json.loads(line)

    def call(self, what, **args):
        self.s.sendall(json.dumps({"execute": what, "arguments": args}).encode() + b"\n")
        while True:
            m = self._next()
            if "event" in m:
                self.events.append((m["event"], _monotonic(m["timestamp"])))
            elif "error" in m:
                raise lib.Failed(f"QEMU: {what}: {m['error']['desc']}")
            else:
                return m["return"]

    def when(self, event):
        """The last event of that name; None if there was none."""
        self.call("query-status")  # what it has told before
        return max((t for e, t in self.events if e == event), default=None)

    def close(self):
        self.f.close()
        self.s.close()


class Mover(guestlib.Guest):
    """A guest that can be sent, or waits for one that is ("incoming")."""

    def __init__(self, lab, name, ns, twin=None, extra=()):
        super().__init__(lab, name, guestlib.tap("vm1"), ns=ns, memory=96)
        self.extra, self.qmp_path, self.qmp = list(extra), os.path.join(lab.dir, name + ".qmp"), None
        self.twin = twin
        if twin:
            self.mac = twin.mac
        lab.at_end(self.leave)

    def command(self):
        more = ["-qmp", f"unix:{self.qmp_path},server=on,wait=off"]
        if self.twin:
            more += ["-incoming", f"tcp:0.0.0.0:{MOVE_PORT}"]
        return super().command() + more + self.extra

    def start(self):
        super().start()
        if self.twin:  # the same guest, which counts on
            self.count = self.twin.count
        self.qmp = Qmp(self.qmp_path)

    def leave(self):
        if self.qmp:
            self.qmp.close()
        self.qmp = None
        self.kill()


class Side:
    """A host with a switch, or the kernel's bridge."""

    def __init__(self, lab, name, kernel):
        self.lab, self.name, self.ns = lab, name, lab.ns(name)
        if kernel:
            self.sw = lib.KernelBridge(lab)
            self.sw.ns = self.ns
        else:
            self.sw = lib.Bascule(lab, "-" + name, self.ns)
        self.sw.start()
        self.sw.bridge("br0")
        lib.sh("ip", "-n", self.ns, "tuntap", "add", "vm1", "mode", "tap")
        lib.sh("ip", "-n", self.ns, "link", "set", "vm1", "txqueuelen", "4096", "up")
        self.sw.addif("br0", "vm1")

    def join(self, dev):
        lib.sh("ip", "-n", self.ns, "link", "set", dev, "up")
        self.sw.addif("br0", dev)
        self.sw.wait_forwarding(dev)

    def follow_moves(self):
        self.sw.cli("port", "set", "vm1", "follow-moves", "on")

    def port_of(self, mac):
        """Where this host's switch has the address."""
        if isinstance(self.sw, lib.KernelBridge):
            said = lib.sh("bridge", "fdb", "show", "br", "br0", ns=self.ns).stdout
        else:
            said = self.sw.cli("fdb", "show", "br", "br0").stdout
        for line in said.splitlines():
            w = line.split()
            if w and w[0] == mac:
                return w[w.index("dev") + 1]
        return None


class Two:
    """Both hosts and the third."""

    def __init__(self, lab, kernel=False):
        self.lab = lab
        self.a, self.b = Side(lab, "hosta", kernel), Side(lab, "hostb", kernel)
        self.third = lab.ns("third")
        lib.sh("ip", "-n", self.a.ns, "link", "add", "trunk", "type", "veth", "peer", "name",
               "trunk", "netns", self.b.ns)
        lib.sh("ip", "-n", self.a.ns, "link", "add", "up0", "type", "veth", "peer", "name",
               "eth0", "netns", self.third)
        # the guest's memory goes another way, as in a cluster
        lib.sh("ip", "-n", self.a.ns, "link", "add", "move", "type", "veth", "peer", "name",
               "move", "netns", self.b.ns)
        for side, n in ((self.a, 1), (self.b, 2)):
            side.move_address = f"10.98.0.{n}"
            lib.sh("ip", "-n", side.ns, "addr", "add", f"{side.move_address}/24", "dev", "move")
            for dev in ("move", "trunk"):
                lib.sh("ip", "-n", side.ns, "link", "set", dev, "up")
        lib.sh("ip", "-n", self.third, "addr", "add", f"{THIRD}/{NET}", "dev", "eth0")
        lib.sh("ip", "-n", self.third, "link", "set", "eth0", "up")
        for side, dev in ((self.a, "trunk"), (self.b, "trunk"), (self.a, "up0")):
            side.join(dev)
        self.guest, self.at, self.moves = None, self.a, 0

    def boot(self):
        """A new guest, on host A; the one there was is gone."""
        if self.guest:
            self.guest.leave()
        self.moves, self.at = self.moves + 1, self.a
        g = self.guest = Mover(self.lab, f"guest{self.moves}", self.a.ns)
        g.boot()
        g.run(f"ip link set eth0 up && ip addr add {GUEST}/{NET} dev eth0")
        g.ping(THIRD)
        return g

    def other(self):
        """The host to which it would move."""
        return self.b if self.at is self.a else self.a

    @staticmethod
    def _moved(src, dst, to, parameters):
        dst.start()
        to.sw.wait_forwarding("vm1")
        src.qmp.call("migrate-set-parameters", **{"downtime-limit": 100, **parameters})
        src.qmp.call("migrate", uri=f"tcp:{to.move_address}:{MOVE_PORT}")

        def done():
            m = src.qmp.call("query-migrate")
            lib.need(m.get("status") not in ("failed", "cancelled"), f"QEMU did not move it: {m}")
            return m if m.get("status") == "completed" else None
        said = lib.wait_until(done, 40, "the guest has moved", 0.01)
        lib.wait_until(lambda: dst.qmp.call("query-status")["running"], 10, "it runs again")
        return said

    def move(self, **parameters):
        """To the other host; what QEMU says of it, and when the guest stopped here and
        went on there, in seconds of the monotonic clock."""
        src, to = self.guest, self.other()
        self.moves += 1
        dst = Mover(self.lab, f"guest{self.moves}", to.ns, src)
        try:
            said = self._moved(src, dst, to, parameters)
        except (lib.Failed, OSError):
            dst.leave()
            raise
        said["stopped-at"], said["resumed-at"] = src.qmp.when("STOP"), dst.qmp.when("RESUME")
        self.guest, self.at = dst, to
        src.leave()
        return said


def lost_memory(guest):
    """Has QEMU's emulator lost some of the guest's memory on the way?  It marks a page
    that is written to as changed too late at times (QEMU 7.2: one move in some dozens
    on a busy machine, whatever the switch), and then the guest breaks by itself."""
    if guest.proc is None or accelerated():
        return False
    if re.search(rb"general protection|Oops|BUG:|Kernel panic|segfault|[Ss]egmentation fault",
                 bytes(guest.text)):
        return True
    try:
        return guest.run("echo well", 5, check=False).strip() != "well"
    except lib.Failed:
        return True


def accelerated():
    return bool(guestlib.accelerators())


class Announcements:
    """The guest's RARP frames (QEMU's announcements), as the third host gets them."""

    def __init__(self, lab, two, mac):
        self.wire, self.mac, self.seen = lib.Wire(two.third, "eth0"), lib.mac(mac), []
        self.wire.s.setsockopt(lib.SOL_PACKET, 1, struct.pack("iHH8s", self.wire._index(), 1, 0, b""))
        self.over = False
        lab.at_end(self.wire.close)

    def until(self, n, limit=5, at_first=None):
        """Until n have come; calls at_first when the first has."""
        end = time.monotonic() + limit
        while len(self.seen) < n and time.monotonic() < end:
            f = self.wire.recv()
            if f is None:
                select.select([self.wire.s], [], [], 0.05)
            elif f[12:14] == struct.pack("!H", RARP) and f[6:12] == self.mac:
                self.seen.append(time.monotonic())
                if at_first and len(self.seen) == 1:
                    at_first()
        return len(self.seen)
