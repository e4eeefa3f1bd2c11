#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ports at sockets: stream and dgram, with QEMU and with ourselves at the other end, the
end of either, peers that misbehave, and a daemon without any privilege.

TCP through them is in tcp_test.py, guests are in tests/guest/."""
import os
import shutil
import signal
import socket
import struct
import time

import lib

UID = 100000 + os.getpid() % 100000  # nobody has it
A, B = lib.mac("02:00:00:00:00:0a"), lib.mac("02:00:00:00:00:0b")
CLEAN = ("tx-peer-slow", "tx-error", "tx-too-big", "rx-bad-length", "rx-runt", "rx-truncated",
         "rx-stranger")


def no_kernel():
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no such ports")


def inject(sw, port, frame, copies=1):
    sw.cli("mem", "inject", port, frame.hex(), copies)


def collect(sw, port, want, n=1, limit=5):
    """Frames of a mem port for which want(frame), until there are n of them."""
    got = []

    def enough():
        got.extend(f for f in map(bytes.fromhex, sw.cli("mem", "collect", port).stdout.split())
                   if want(f))
        return len(got) >= n
    lib.wait_until(enough, limit, lambda: f"{n} frames at {port}: {len(got)} came")
    return got


def is_test(f):
    return f[12:14] == b"\x88\xb5"


def why(sw, port, br="br0"):
    return lib.port_state(sw, br, port)[1]


def down(sw, port, text, br="br0"):
    lib.wait_until(lambda: text in why(sw, port, br), 5,
                   lambda: f"{port}: {text}; it says: {lib.port_info(sw, br, port)}")


class Peer:
    """The other end of a stream port, by hand."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(5)
        self.s.connect(path)
        self.got = b""

    def send(self, *frames):
        self.s.sendall(b"".join(struct.pack("!I", len(f)) + f for f in frames))

    def recv(self):
        while True:
            n = struct.unpack("!I", self.got[:4])[0] if len(self.got) >= 4 else 0
            if n and len(self.got) >= 4 + n:
                f, self.got = self.got[4:4 + n], self.got[4 + n:]
                return f
            more = self.s.recv(1 << 20)
            if not more:
                return None
            self.got += more

    def frames(self, want, n):
        got = []
        while len(got) < n:
            f = self.recv()
            lib.need(f is not None, "the port closed the connection")
            if want(f):
                got.append(f)
        return got

    def ended(self):
        try:
            return self.recv() is None
        except ConnectionResetError:
            return True


def mem_and(lab, *specs):
    no_kernel()
    sw = lab.switch(bridge=None)
    sw.bridge("br0", "--no-local")
    sw.addif("br0", "mem:m")
    for s in specs:
        sw.addif("br0", s)
    return sw


def test_qemu(lab):
    """QEMU joins, without a guest, five kinds of sockets in a hub: each framing and
    each way of connecting; killed, it is back in all of them when it comes again."""
    no_kernel()
    if not shutil.which("qemu-system-x86_64"):
        raise lib.Skip("qemu-system-x86_64 is not installed")
    sw = lab.switch(bridge=None)
    p = os.path.join(lab.dir, "q")
    nets = {
        "s1": (f"stream:{p}1", f"stream,server=off,addr.type=unix,addr.path={p}1"),
        "s2": (f"stream:{p}2,listen=off", f"stream,server=on,addr.type=unix,addr.path={p}2"),
        "s3": ("stream:127.0.0.1:4003", "socket,listen=127.0.0.1:4003"),
        "s4": ("stream::4004", "socket,connect=127.0.0.1:4004"),
        "d1": (f"dgram:{p}5,remote={p}6", f"dgram,local.type=unix,local.path={p}6,"
               f"remote.type=unix,remote.path={p}5"),
        "d2": ("dgram:127.0.0.1:4006,remote=127.0.0.1:4007",
               "socket,udp=127.0.0.1:4006,localaddr=127.0.0.1:4007"),
        "d3": ("dgram:239.5.5.5:4008,local=127.0.0.1",
               "socket,mcast=239.5.5.5:4008,localaddr=127.0.0.1"),
    }
    # a bridge for each, or they would be a loop
    args = []
    for name, (spec, netdev) in nets.items():
        sw.bridge(f"b{name}", "--no-local")
        sw.addif(f"b{name}", f"mem:m{name}")
        sw.addif(f"b{name}", f"{spec},name={name}")
        args += ["-netdev", f"{netdev},id={name}",
                 "-netdev", f"hubport,hubid=0,id=h{name},netdev={name}"]
    qemu = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none"] + args
    for turn in range(2):
        proc = lab.spawn(*qemu, ns=sw.ns)
        for name in nets:
            sw.wait_forwarding(name, 8)
        for i, name in enumerate(nets):
            f = lib.frame(lib.BCAST, A, bytes([turn, i]) + os.urandom(1400))
            inject(sw, f"m{name}", f, 3)
            for other in nets:
                if other != name:
                    collect(sw, f"m{other}", lambda x, f=f: x == f, 3)
        need = [f"m{n}: {lib.port_counters(sw, f'b{n}', n)}" for n in nets
                if any(lib.port_counters(sw, f"b{n}", n).get(c) for c in CLEAN)]
        lib.need(not need, f"counted: {need}")
        proc.send_signal(signal.SIGKILL)
        proc.wait()
        for name in ("s1", "s2", "s3", "s4"):
            down(sw, name, "waiting for a peer", f"b{name}")
        for name in ("d1", "d2"):  # found by sending to nobody
            inject(sw, f"m{name}", lib.frame(lib.BCAST, A))
            down(sw, name, "waiting for a peer", f"b{name}")


def test_super_frames(lab):
    """64 KB from a tap with TSO are cut for peers that know frames only."""
    no_kernel()
    sw = lab.switch(quiet=True)
    path = os.path.join(lab.dir, "s")
    sw.addif("br0", f"stream:{path}")
    # no queue of a UNIX socket holds 45 frames
    sw.addif("br0", f"dgram:{path}a,remote={path}b")
    d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    d.settimeout(5)
    d.bind(path + "b")
    p = Peer(path)
    vm = lab.vm("vm0")
    for port in ("stream0", "dgram0"):
        sw.wait_forwarding(port)
    data = os.urandom(63000)
    n = -(-len(data) // 1448)
    for tags in ((), ((0x8100, 5),), ((0x88A8, 7), (0x8100, 5))):
        at = 12 + 4 * len(tags)

        def is_piece(x):
            return x[at:at + 2] == b"\x08\x00"
        f, v = lib.tcp4_super(B, A, data, 1448, tags)
        vm.send(f, v)
        got = p.frames(is_piece, n)
        lib.need(lib.tcp4_pieces(got, len(tags)) == data, f"stream, tags {tags}: payload differs")
        got = []
        while len(got) < n:
            x = d.recv(70000)
            if is_piece(x):
                got.append(x)
        lib.need(lib.tcp4_pieces(got, len(tags)) == data, f"dgram, tags {tags}: payload differs")
    for port in ("stream0", "dgram0"):
        lab.counted(port, "tx-peer-slow", 0, 0)


def test_jumbo(lab):
    """Frames as long as the MTU allows, which the bridge's interface does not follow
    unless it was given."""
    no_kernel()
    sw = lab.switch()
    path = os.path.join(lab.dir, "s")
    sw.addif("br0", f"stream:{path}")
    lib.need(sw.json("bridge", "show", "br0")[0]["mtu"] == 1500, "br0 follows a socket's MTU")
    sw.addif("br0", "mem:m,mtu=65000")
    p = Peer(path)
    sw.wait_forwarding("stream0")
    for n in (1500, 9000, 64000):
        f = lib.frame(lib.BCAST, A, os.urandom(n))
        inject(sw, "m", f)
        lib.need(p.frames(is_test, 1) == [f], f"{n} octets out")
        f = lib.frame(lib.BCAST, B, os.urandom(n))
        p.send(f)
        lib.need(collect(sw, "m", is_test) == [f], f"{n} octets in")
    sw.addif("br0", f"stream:{path}2,mtu=1400")
    q = Peer(path + "2")
    sw.wait_forwarding("stream1")
    inject(sw, "m", lib.frame(lib.BCAST, A, os.urandom(1401)))
    lab.counted("stream1", "tx-too-big", 1, 1)
    lib.wait_until(lambda: sw.json("bridge", "show", "br0")[0]["mtu"] == 1400, 5,
                   "br0 follows an MTU that was given")
    q.s.close()


def test_broken_framing(lab):
    path = os.path.join(lab.dir, "s")
    sw = mem_and(lab, f"stream:{path}")
    good = lib.frame(lib.BCAST, A, b"good")
    for i, bad in enumerate((0, 69633, 1 << 31)):
        p = Peer(path)
        sw.wait_forwarding("stream0")
        p.send(good)
        # what is read together with the end may find the port closed already
        collect(sw, "m", lambda f: f == good)
        p.s.sendall(struct.pack("!I", bad) + bytes(100))
        lib.need(p.ended(), f"a frame of {bad} octets is accepted")
        lab.counted("stream0", "rx-bad-length", i + 1, i + 1)
        down(sw, "stream0", f"a frame of {bad} octets")
    # what is merely of no use does not end the connection
    p = Peer(path)
    sw.wait_forwarding("stream0")
    p.send(b"short", bytes(69632), good)
    collect(sw, "m", lambda f: f == good)
    lab.counted("stream0", "rx-runt", 1, 1)
    lab.counted("stream0", "rx-truncated", 1, 1)


def test_slow_peer(lab):
    """One that never reads costs its frames and nobody else's."""
    path = os.path.join(lab.dir, "s")
    sw = mem_and(lab, f"stream:{path}1", f"stream:{path}2", "mem:sink,discard=on")
    lazy, good = Peer(path + "1"), Peer(path + "2")
    for port in ("stream0", "stream1"):
        sw.wait_forwarding(port)
    f = lib.frame(lib.BCAST, A, bytes(1400))
    end, n = time.monotonic() + 10, 0
    while lab.counters("stream0").get("tx-peer-slow", 0) < 500:
        lib.need(time.monotonic() < end, "the lazy peer is never slow")
        inject(sw, "m", f, 200)
        good.frames(is_test, 200)
        n += 200
    lab.counted("stream1", "tx-peer-slow", 0, 0)
    lib.need(lab.counters("sink")["tx_frames"] >= n, "others lost frames")
    # it wakes up: whole frames, and new ones come through again
    sent = lab.counters("stream0")["tx_frames"]
    lazy.frames(is_test, sent)
    inject(sw, "m", f, 5)
    lazy.frames(is_test, 5)


def test_itself(lab):
    """Who connects to a local port at which nobody listens may be given that very port,
    and TCP joins him with himself: that is no peer."""
    no_kernel()
    sw = lab.switch(bridge=None)
    sw.bridge("br0", "--no-local")
    lab.sysctl("sw", "net.ipv4.ip_local_port_range", "4990 4991")
    for port in (4990, 4991):  # the system prefers odd ones, or even ones
        sw.addif("br0", f"stream:127.0.0.1:{port},name=p{port}")
    for port in (4990, 4991):
        down(sw, f"p{port}", "Connection refused")
    # a datagram socket at any address has the one of its peer, too
    sw.addif("br0", "dgram::4992,remote=127.0.0.1:4992,name=d")
    down(sw, "d", "already in use")


def test_vanished(lab):
    """A TCP peer's host that goes without a word while frames are sent to it."""
    sw = mem_and(lab)
    far = lab.ns("far")
    lab.veth("u", far, "eth0")
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.1.0.1/24", "dev", "u")
    lib.sh("ip", "-n", far, "addr", "add", "10.1.0.2/24", "dev", "eth0")
    lib.sh("ip", "-n", far, "link", "set", "eth0", "up")
    with lib.inside(far):
        s = socket.socket()
    s.bind(("10.1.0.2", 4000))
    s.listen()
    sw.addif("br0", "stream:10.1.0.2:4000,name=p")
    peer = s.accept()[0]
    sw.wait_forwarding("p")
    lib.sh("ip", "-n", far, "link", "set", "eth0", "down")
    inject(sw, "m", lib.frame(lib.BCAST, A, bytes(1000)), 3)
    lib.wait_until(lambda: "does not answer any more" in why(sw, "p"), 40,
                   lambda: f"its end is noticed: {lib.port_info(sw, 'br0', 'p')}", 0.5)
    peer.close()


def test_no_descriptors(lab):
    """Ports and their peers have all descriptors: who asks is told, and one at a time
    can still put it right."""
    no_kernel()
    sw = lab.sw = lib.Bascule(lab)
    sw.start(prefix=("prlimit", "--nofile=64:64"))
    sw.bridge("br0", "--no-local")
    path = os.path.join(lab.dir, "s")
    n = 0
    while True:
        r = sw.cli("addif", "br0", f"stream:{path}{n},name=s{n}", check=False)
        if r.returncode:
            break
        n += 1
    lib.need(n > 5 and "no file descriptors left" in r.stderr, f"{n} ports, then {r}")
    peers = [Peer(f"{path}{i}") for i in range(n)]  # one of them gets the last
    r = sw.cli("addif", "br0", "pcapfile:/etc/hostname", check=False)
    lib.need("no file descriptors left" in r.stderr, f"of a descriptor that came: {r}")
    for i in range(5):
        sw.delif("br0", f"s{i}")
    sw.cli("show")
    for p in peers:
        p.s.close()


def test_paths(lab):
    """Two daemons, one path; files left over; files that are no sockets."""
    path = os.path.join(lab.dir, "s")
    sw = mem_and(lab, f"stream:{path}")
    p = Peer(path)
    sw.wait_forwarding("stream0")
    other = lib.Bascule(lab, "-2")
    other.start()
    other.bridge("br0", "--no-local")

    def refused(spec, text):
        r = other.cli("addif", "br0", spec, check=False)
        lib.need(r.returncode == 1 and text in r.stderr, f"addif {spec}: {r}")
        lib.need(len(r.stderr.splitlines()) == 1, f"addif {spec}: {r.stderr!r}")
    refused(f"stream:{path}", "somebody has the socket")
    refused(f"dgram:{path},remote={path}2", "somebody has the socket")
    f = lib.frame(lib.BCAST, A, b"still here")
    p.send(f)
    collect(sw, "m", lambda x: x == f)
    # killed, a daemon leaves its file, which the next replaces
    sw.stop(signal.SIGKILL)
    lib.need(os.path.exists(path), "the file vanished by itself")
    other.addif("br0", f"stream:{path},mode=0600")
    lib.need(os.stat(path).st_mode & 0o777 == 0o600, "mode=0600")
    q = Peer(path)
    other.wait_forwarding("stream0")
    q.s.close()
    other.delif("br0", "stream0")
    lib.need(not os.path.exists(path), "the file stays after delif")
    with open(path, "w") as g:
        g.write("mine")
    refused(f"stream:{path}", "is not a socket")
    refused("stream:" + "/x" * 60, "at most 107")
    with open(path) as g:
        lib.need(g.read() == "mine", "a file was overwritten")
    other.stop()
    sw.start()


def test_authority(lab):
    """The group's members may add ports, but name no files for the daemon."""
    no_kernel()
    os.chmod(lab.dir, 0o755)
    sw = lab.sw = lib.Bascule(lab)
    sw.start("--group", str(UID))
    sw.bridge("br0", "--no-local")
    shutil.copy(os.path.join(lib.BUILD, "bascule"), lab.dir)
    member = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups",
              os.path.join(lab.dir, "bascule"), "-S", sw.sock, "addif", "br0"]
    path = os.path.join(lab.dir, "s")
    for spec in (f"stream:{path}", "stream:@x", f"stream:{path},listen=off",
                 f"dgram:{path},remote={path}2", f"dgram:127.0.0.1:4000,remote={path}"):
        r = lib.sh(*member, spec, check=False)
        lib.need(r.returncode == 1 and "only root and the daemon's user" in r.stderr,
                 f"{spec}: {r}")
    lib.sh(*member, "stream:127.0.0.1:4000,listen=on", ns=sw.ns)
    lib.need([p["name"] for p in sw.json("port", "show", "br0")] == ["stream0"],
             "ports are there that were refused")


def test_inet(lab):
    """Two switches joined over a network, by TCP and by UDP, whose datagrams are longer
    than its packets; the far one is killed and comes again."""
    no_kernel()
    sw = lab.switch()
    a = lab.host("a", "tap")
    lab.hosts += 1
    for i, kind in enumerate(("stream", "dgram")):
        h = lib.Host(lab, f"far{i}", kind, lab.hosts + i, f"far{i}")
        lab.veth(f"u{i}", h.ns, "under")
        net = f"192.168.{77 + i}"
        lib.sh("ip", "-n", sw.ns, "addr", "add", f"{net}.1/24", "dev", f"u{i}")
        lib.sh("ip", "-n", h.ns, "addr", "add", f"{net}.2/24", "dev", "under")
        lib.sh("ip", "-n", h.ns, "link", "set", "under", "up")
        theirs = f"stream:{net}.1:4000"
        if kind == "stream":
            lab.behind_socket(h, "br0", kind, "", f"stream:{net}.1:4000,listen=on", theirs)
        else:
            theirs = f"dgram:{net}.2:4000,remote={net}.1:4000"
            lab.behind_socket(h, "br0", kind, "", f"dgram:{net}.1:4000,remote={net}.2:4000",
                              theirs)
        h.configure(True, 1500)
        for turn in range(2):
            sw.wait_forwarding(h.port)
            lib.reaches(a.ns, h.ip4)
            lib.tcp(a.ns, h.ns, h.ip4, 4 << 20)
            lib.tcp(h.ns, a.ns, a.ip4, 4 << 20)
            if turn:
                break
            h.far.stop(signal.SIGKILL)
            down_text = "waiting for a peer"
            lib.ping(a.ns, h.ip4, 2)  # UDP notices by this
            down(sw, h.port, down_text)
            h.far.start()
            h.far.bridge("br0", "--no-local")
            h.far.addif("br0", "tap:eth0")
            h.far.addif("br0", f"{theirs},name=uplink")
            h.configure(True, 1500)


def test_unprivileged(lab):
    """Two daemons of a user without privileges, the sockets where such have them."""
    no_kernel()
    lab.sw = None
    os.chmod(lab.dir, 0o755)
    ns = lab.ns("sw")
    for exe in ("basculed", "bascule"):
        shutil.copy(os.path.join(lib.BUILD, exe), lab.dir)
    user = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--bounding-set=-all",
            "--inh-caps=-all", "--no-new-privs"]
    ends = []
    for name in ("x", "y"):
        home = os.path.join(lab.dir, name)
        os.mkdir(home, 0o700)
        os.chown(home, UID, UID)
        env = {"XDG_RUNTIME_DIR": home, "PATH": os.environ["PATH"]}
        with open(os.path.join(lab.dir, f"{name}.log"), "wb") as log:
            proc = lab.spawn(*user, f"{lab.dir}/basculed", ns=ns, env=env, stdout=log, stderr=log)
        sw = lib.Bascule(lab)
        sw.proc, sw.sock = proc, os.path.join(home, "bascule.sock")
        lib.wait_until(sw.ready, 10, "basculed answers")
        lib.sh(*user, "env", f"XDG_RUNTIME_DIR={home}", f"{lab.dir}/bascule", "addbr", "br0",
                   "--no-local", ns=ns)
        sw.addif("br0", "mem:m")
        ends.append(sw)
    x, y = ends
    lib.sh("ip", "-n", ns, "link", "add", "u0", "type", "veth", "peer", "name", "u1")
    for args, remedy in ((["addbr", "br1"], "--no-local"), (["addif", "br0", "tap:vm"], "root"),
                         (["addif", "br0", "u0"], "root")):
        r = x.cli(*args, check=False)
        lib.need(r.returncode == 1 and remedy in r.stderr, f"{args}: {r}")
    run = f"{lab.dir}/x/s"
    for mine, theirs in ((f"stream:{run}1", f"stream:{run}1,listen=off"),
                         ("stream::4000", "stream:[::1]:4000"),
                         (f"dgram:{run}2,remote={lab.dir}/y/s", f"dgram:{lab.dir}/y/s,remote={run}2"),
                         ("dgram:127.0.0.1:4001,remote=127.0.0.1:4002",
                          "dgram::4002,remote=127.0.0.1:4001")):
        x.addif("br0", f"{mine},name=p")
        y.addif("br0", f"{theirs},name=p")
        for sw in ends:
            sw.wait_forwarding("p")
        for src, dst, m in ((x, y, A), (y, x, B)):
            f = lib.frame(lib.BCAST, m, os.urandom(1400))
            inject(src, "m", f, 200)
            collect(dst, "m", lambda g, f=f: g == f, 200)
        for sw in ends:
            c = lib.port_counters(sw, "br0", "p")
            lib.need(not any(c.get(k) for k in CLEAN), f"{mine}: {c}")
            sw.delif("br0", "p")
    for sw in ends:
        rc = sw.stop()
        lib.need(rc == 0, f"basculed ended with {rc}")
    lib.need(not os.path.exists(run + "1"), "a socket was left behind")


lib.main(at_once=4)
