# SPDX-License-Identifier: BSD-2-Clause
"""What the tests on real devices share.

A test file defines functions `test_*(lab)` and ends with `lib.main()`.  Each
function gets a Lab of its own: network namespaces with unique names, a switch
in the namespace `sw`, hosts around it.  All of it is removed when the function
ends, however it ends.

    BUILD=DIR      where basculed and bascule are          (build)
    SWITCH=kernel  the same test on the kernel's bridge: shows that the test
                   itself is right.  Checks of Bascule's own counters are
                   left out then.
    ONLY=PATTERN   only test functions whose name contains PATTERN
    KEEP_LOG=1     print the daemon's log even if the test passes
"""
import atexit
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
KERNEL = os.environ.get("SWITCH") == "kernel"
TOOLS = os.path.join(BUILD, "tests", "tools")

ETH_P_ALL = 3
ETH_TEST = 0x88B5  # IEEE 802: local experimental
PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 8, 15, 23
SOL_PACKET = 263
TUNSETIFF, TUNSETOFFLOAD, TUNSETCARRIER = 0x400454CA, 0x400454D0, 0x400454E2
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
CLONE_NEWNET = 0x40000000
BCAST = b"\xff" * 6

_libc = ctypes.CDLL(None, use_errno=True)
_lab_no = 0


class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


def need(cond, text):
    """An assertion that says what was wrong."""
    if not cond:
        raise Failed(text() if callable(text) else text)


def wait_until(cond, limit=10.0, what="condition", step=0.02):
    """Waits for cond() to be true and returns its value."""
    end = time.monotonic() + limit
    while True:
        v = cond()
        if v:
            return v
        if time.monotonic() > end:
            raise Failed(f"not within {limit} s: {what() if callable(what) else what}")
        time.sleep(step)


def sh(*cmd, ns=None, check=True, timeout=30, stdin=None):
    """Runs a command, in a namespace if one is given; text in, text out."""
    cmd = [str(c) for c in cmd]
    if ns:
        cmd = ["ip", "netns", "exec", str(ns)] + cmd
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=timeout, input=stdin,
                       stdin=None if stdin is not None else subprocess.DEVNULL)
    if check and r.returncode:
        raise Failed(f"{' '.join(cmd)}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def sentence(r):
    """Of a command that refuses: exit 1 and nothing but one sentence."""
    text = r.stderr.strip()
    need(r.returncode == 1, f"exit {r.returncode}: {r.stdout}{text}")
    need(r.stdout == "", f"beside {text!r} it prints {r.stdout!r}")
    need(text and "\n" not in text, f"not one sentence: {text!r}")
    return text


def refused(r, *words):
    """... that contains the words."""
    text = sentence(r)
    for w in words:
        need(w.lower() in text.lower(), f"{w!r} is not in: {text}")
    print(f"     {text}")


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(b):
    return ":".join(f"{x:02x}" for x in b)


def frame(dst, src, body=b"", proto=ETH_TEST, tags=()):
    """An Ethernet frame; tags are (TPID, TCI) pairs, outermost first."""
    t = b"".join(struct.pack("!HH", p, c) for p, c in tags)
    return dst + src + t + struct.pack("!H", proto) + body


def arp(vm, ip, mac_address):
    """An announcement (RFC 5227, 2.3)."""
    m, ip = mac(mac_address), socket.inet_aton(ip)
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + m + ip + bytes(6) + ip
    vm.send(frame(BCAST, m, body + bytes(18), 0x0806))


class inside:
    """`with inside(ns):` -- this thread works in that namespace."""

    def __init__(self, ns):
        self.name = str(ns)

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
        finally:
            os.close(fd)

    def __exit__(self, *a):
        rc = _libc.setns(self.home, CLONE_NEWNET)
        os.close(self.home)
        if rc:
            os._exit(70)  # in the wrong namespace nothing may go on


class Wire:
    """A raw socket on a device: sends and receives frames byte for byte."""

    def __init__(self, ns, dev):
        with inside(ns):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        with inside(ns):
            self.s.bind((dev, ETH_P_ALL))
        # membership of all: frames to other hosts are of interest too
        self.s.setsockopt(SOL_PACKET, 1, struct.pack("iHH8s", self._index(), 1, 0, b""))
        self.s.setblocking(False)

    def _index(self):
        want = self.s.getsockname()[0]
        r = struct.pack("16si20x", want.encode(), 0)
        return struct.unpack("16si20x", fcntl.ioctl(self.s, 0x8933, r))[1]

    def close(self):
        self.s.close()

    def send(self, data):
        self.s.setblocking(True)
        try:
            return self.s.send(data)
        finally:
            self.s.setblocking(False)

    def recv(self):
        """The next frame with its tag back in place, or None."""
        try:
            data, anc, _, _ = self.s.recvmsg(70000, socket.CMSG_SPACE(20))
        except BlockingIOError:
            return None
        for level, kind, c in anc:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", c[:20])
                if status & 0x10:  # TP_STATUS_VLAN_VALID
                    tpid = tpid if status & 0x40 else 0x8100
                    data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
        return data

    def drain(self):
        while self.recv() is not None:
            pass

    def collect(self, want, n=1, limit=3.0):
        """Frames for which want(frame) is true, until there are n or time is up."""
        got, end = [], time.monotonic() + limit
        while len(got) < n:
            f = self.recv()
            if f is not None:
                if want(f):
                    got.append(f)
                continue
            left = end - time.monotonic()
            if left <= 0:
                break
            select.select([self.s], [], [], left)
        return got


class Vm:
    """A tap whose descriptor we hold, as QEMU would; the netdev is the port."""

    def __init__(self, ns, dev, vnet=True, offload=TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
                 mtu=1500):
        self.ns, self.dev, self.vnet = ns, dev, vnet
        with inside(ns):
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if vnet else 0)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", dev.encode(), flags))
            if vnet:
                fcntl.ioctl(self.fd, TUNSETOFFLOAD, offload)
        sh("ip", "-n", ns, "link", "set", dev, "mtu", mtu, "txqueuelen", "4096", "up")

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def carrier(self, on):
        fcntl.ioctl(self.fd, TUNSETCARRIER, struct.pack("i", on))

    def send(self, data, vnet=bytes(10)):
        return os.write(self.fd, (vnet if self.vnet else b"") + data)

    def recv(self):
        """(virtio-net header, frame) or None."""
        try:
            b = os.read(self.fd, 70000)
        except BlockingIOError:
            return None
        return (b[:10], b[10:]) if self.vnet else (b"", b)

    def drain(self):
        while self.recv() is not None:
            pass

    def collect(self, want, n=1, limit=3.0):
        got, end = [], time.monotonic() + limit
        while len(got) < n:
            r = self.recv()
            if r is not None:
                if want(r[1]):
                    got.append(r)
                continue
            left = end - time.monotonic()
            if left <= 0:
                break
            select.select([self.fd], [], [], left)
        return got


class Host:
    """A namespace with the device eth0 behind one port of the switch."""

    def __init__(self, lab, name, kind, n, port):
        self.lab, self.name, self.kind, self.n, self.port = lab, name, kind, n, port
        self.ns = lab.ns(name)
        self.dev = "eth0"
        self.ip4, self.ip6 = f"10.9.0.{n}", f"fd09::{n:x}"
        self.mac = mac(f"02:09:00:00:00:{n:02x}")

    def wire(self):
        w = Wire(self.ns, self.dev)
        self.lab.at_end(w.close)
        return w

    def configure(self, addresses, mtu):
        ip = ["ip", "-n", self.ns, "link", "set", self.dev]
        sh(*ip, "mtu", mtu)
        sh(*ip, "address", mac_text(self.mac))
        sh(*ip, "up")
        if addresses:
            sh("ip", "-n", self.ns, "addr", "add", f"{self.ip4}/24", "dev", self.dev)
            sh("ip", "-n", self.ns, "-6", "addr", "add", f"{self.ip6}/64", "dev", self.dev,
               "nodad")


class KernelBridge:
    """The same verbs on the kernel's bridge, to prove the tests."""

    def __init__(self, lab):
        self.lab, self.ns = lab, lab.ns("sw")
        self.log = None

    def start(self, *args, **kw):
        pass

    def stop(self):
        pass

    def bridge(self, name="br0", *extra):
        sh("ip", "-n", self.ns, "link", "add", name, "type", "bridge")
        sh("sh", "-c", "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
           "[ ! -e $f ] || echo 0 >$f; done", ns=self.ns)
        sh("ip", "-n", self.ns, "link", "set", name, "up")

    def addif(self, br, spec):
        dev = spec.split(",")[0].split(":")[-1]
        sh("ip", "-n", self.ns, "link", "set", dev, "master", br)

    def delif(self, br, port):
        sh("ip", "-n", self.ns, "link", "set", port, "nomaster")

    def fwd_mask(self, mask, br="br0"):
        sh("ip", "-n", self.ns, "link", "set", br, "type", "bridge", "group_fwd_mask",
           hex(mask))

    def has_mac(self, m, br="br0"):
        r = sh("brctl", "showmacs", br, ns=self.ns)
        return any(mac_text(m) in x and "\tno\t" in x for x in r.stdout.splitlines())

    def wait_forwarding(self, port, limit=5):
        def ok():
            r = sh("cat", f"/sys/class/net/{port}/brport/state", ns=self.ns, check=False)
            return r.stdout.strip() == "3"
        wait_until(ok, limit, f"{port} forwards")


class Bascule:
    """basculed in the namespace `sw`, and its client."""

    def __init__(self, lab, tag="", ns=None):
        self.lab, self.ns = lab, ns or lab.ns("sw")
        self.sock = os.path.join(lab.dir, f"ctl{tag}.sock")
        self.log = os.path.join(lab.dir, f"basculed{tag}.log")
        self.proc = None

    def start(self, *args, wait=True, prefix=()):
        for exe in ("basculed", "bascule"):
            need(os.path.exists(os.path.join(BUILD, exe)), f"{BUILD}/{exe} is not built")
        told, env = None, dict(os.environ)
        if wait and "--config" in args:  # it answers before all of its file is so
            told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            env["NOTIFY_SOCKET"] = self.sock + ".notify"
            told.bind(env["NOTIFY_SOCKET"])
        with open(self.log, "ab") as f:
            self.proc = self.lab.spawn(*prefix, os.path.join(BUILD, "basculed"), "--socket",
                                       self.sock, *args, ns=self.ns, stdout=f, stderr=f, env=env)
        try:
            if told:
                wait_until(lambda: self.runs() and select.select([told], [], [], 0)[0] and
                           told.recv(99) == b"READY=1", 30,
                           lambda: f"basculed has taken its file over: {self.log_tail()}")
            if wait:
                wait_until(self.ready, 10, "basculed answers")
        finally:
            if told:
                told.close()
                os.unlink(env["NOTIFY_SOCKET"])

    def runs(self):
        need(self.proc.poll() is None,
             lambda: f"basculed ended with {self.proc.returncode}: {self.log_tail()}")
        return True

    def ready(self):
        self.runs()
        return os.path.exists(self.sock) and self.cli("show", check=False).returncode == 0

    def log_tail(self, n=40):
        try:
            with open(self.log) as f:
                return "".join(f.readlines()[-n:])
        except OSError:
            return ""

    def stop(self, sig=signal.SIGTERM, limit=15):
        """Ends the daemon; its exit status."""
        if self.proc is None:
            return None
        self.proc.send_signal(sig)
        rc = self.proc.wait(limit)
        self.proc = None
        return rc

    def words(self, *args):
        """The client as a command."""
        return [os.path.join(BUILD, "bascule"), "-S", self.sock, *map(str, args)]

    def cli(self, *args, check=True, ns=None, timeout=30):
        return sh(*self.words(*args), ns=ns or self.ns, check=check, timeout=timeout)

    def quickly(self, *args, limit=1.0):
        """As cli(); the daemon must answer within the limit, beyond what it takes here
        and now to run a client at all."""
        t0 = time.monotonic()
        r = self.cli(*args)
        took = time.monotonic() - t0
        if took >= limit:
            t0 = time.monotonic()
            self.cli("--version")
            took -= time.monotonic() - t0
        need(took < limit, f"the daemon took {took:.2f} s for {' '.join(args)}")
        return r

    def json(self, *args):
        r = sh(*self.words("-j", *args), ns=self.ns)
        try:
            return json.loads(r.stdout)
        except ValueError:
            raise Failed(f"bascule -j {' '.join(args)} printed no JSON: {r.stdout[:300]!r}")

    def monitor(self, *args, **kw):
        """The client as one that monitors: it listens when this returns."""
        def listening():
            return self.json("stats")["monitors"]
        before = listening()
        p = self.lab.spawn(*self.words(*args), ns=self.ns, **kw)
        wait_until(lambda: listening() > before, 5, f"{args} listens")
        return p

    def rpc(self, method, params):
        """One request at the socket; the whole answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.sock)
            s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                  "params": params}).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def bridge(self, name="br0", *extra):
        self.cli("addbr", name, *extra)
        if "--no-local" not in extra:
            sh("ip", "-n", self.ns, "link", "set", name, "up")

    def addif(self, br, spec):
        self.cli("addif", br, spec)

    def delif(self, br, port):
        self.cli("delif", br, port)

    def wait_forwarding(self, port, limit=5):
        self.cli("wait-forwarding", port, timeout=limit)

    def fwd_mask(self, mask, br="br0"):
        self.cli("bridge", "set", br, "group-fwd-mask", hex(mask))

    def has_mac(self, m, br="br0"):
        r = self.cli("showmacs", br)
        return any(mac_text(m) in x and "\tno\t" in x for x in r.stdout.splitlines())

    def rss_kb(self):
        with open(f"/proc/{self.proc.pid}/status") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0


class Lab:
    """Namespaces, processes and files of one test function."""

    def __init__(self, name):
        global _lab_no
        _lab_no += 1
        self.tag = f"bt{os.getpid()}x{_lab_no}-{name[:16]}"
        self.dir = tempfile.mkdtemp(prefix=self.tag + "-")
        self.nss, self.procs, self.ends, self.hosts = {}, [], [], 0
        self.sw = None
        self.daemons = []  # further switches, which the test's end looks at as well
        atexit.register(self.close)

    # ---- making things ----

    def ns(self, name):
        """The namespace of that name, made at first use."""
        if name not in self.nss:
            full = f"{self.tag}-{name}"
            sh("ip", "netns", "add", full)
            self.nss[name] = full
            sh("ip", "-n", full, "link", "set", "lo", "up")
            if name != "sw":
                self.sysctl(name, "net.ipv6.conf.default.accept_ra", 0)
                self.sysctl(name, "net.ipv6.conf.default.accept_dad", 0)
        return self.nss[name]

    def sysctl(self, name, key, value):
        sh("sysctl", "-qw", f"{key}={value}", ns=self.nss[name])

    def at_end(self, fn):
        self.ends.append(fn)

    def write(self, name, text):
        """A file among the test's own; its path."""
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def spawn(self, *cmd, ns=None, **kw):
        """A process of ours, ended with the test."""
        cmd = [str(c) for c in cmd]
        if ns:
            cmd = ["ip", "netns", "exec", str(ns)] + cmd
        kw.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen(cmd, **kw)
        self.procs.append(p)
        return p

    def switch(self, *args, bridge="br0", quiet=False):
        """Starts the switch under test with one bridge; quiet: its host is silent."""
        if quiet:
            self.ns("sw")
            self.sysctl("sw", "net.ipv6.conf.default.disable_ipv6", 1)
        self.sw = KernelBridge(self) if KERNEL else Bascule(self)
        self.sw.start(*args)
        if bridge:
            self.sw.bridge(bridge)
        return self.sw

    def veth(self, port, ns, dev="eth0"):
        """A veth pair: `port` beside the switch, `dev` in a host's namespace."""
        sh("ip", "-n", self.ns("sw"), "link", "add", port, "type", "veth",
           "peer", "name", dev, "netns", ns)
        sh("ip", "-n", self.ns("sw"), "link", "set", port, "up")

    def host(self, name, kind="packet", addresses=True, br="br0", keys="", mtu=1500):
        """A host behind a new port of kind tap, packet, pcap, stream or dgram; silent
        without addresses."""
        self.hosts += 1
        h = Host(self, name, kind, self.hosts, f"p{self.hosts}")
        if not addresses:  # nothing but what the test sends
            for k in ("all", "default"):
                self.sysctl(name, f"net.ipv6.conf.{k}.disable_ipv6", 1)
        if kind == "tap" and not KERNEL:
            self.sw.addif(br, f"tap:eth0,netns={h.ns},name={h.port}{keys}")
            h.configure(addresses, mtu)
        elif kind in ("stream", "dgram"):
            self.behind_socket(h, br, kind, keys)
            h.configure(addresses, mtu)
        else:
            self.veth(h.port, h.ns)
            sh("ip", "-n", self.ns("sw"), "link", "set", h.port, "mtu", mtu)
            h.configure(addresses, mtu)
            self.sw.addif(br, (f"{kind}:" if kind != "packet" else "") + h.port + keys)
        self.sw.wait_forwarding(h.port)
        return h

    def behind_socket(self, h, br, kind, keys="", ours=None, theirs=None):
        """In the host's namespace a second switch joins its tap eth0 to the socket.
        Specifications `ours` and `theirs` (no keys) if not UNIX sockets in our folder."""
        path = os.path.join(self.dir, h.port)
        if kind == "stream":
            ours, theirs = ours or f"stream:{path}", theirs or f"stream:{path},listen=off"
        else:
            ours = ours or f"dgram:{path}a,remote={path}b"
            theirs = theirs or f"dgram:{path}b,remote={path}a"
        self.sw.addif(br, f"{ours},name={h.port}{keys}")
        h.far = Bascule(self, f"-{h.name}", h.ns)
        h.far.start()
        h.far.bridge("br0", "--no-local")
        h.far.addif("br0", "tap:eth0")
        h.far.addif("br0", f"{theirs},name=uplink")
        return h.far

    def vm(self, dev, br="br0", **kw):
        """A tap held as a VM holds it, its netdev a packet port."""
        v = Vm(self.ns("sw"), dev, **kw)
        self.at_end(v.close)
        if br:
            self.sw.addif(br, dev)
            self.sw.wait_forwarding(dev)
        return v

    # ---- counters (Bascule only) ----

    def counters(self, port, br="br0"):
        return {} if KERNEL else port_counters(self.sw, br, port)

    def counted(self, port, reason, at_least=1, at_most=None, br="br0", limit=3):
        """Waits until the port's counter of that name has the value."""
        if KERNEL:
            return
        wait_until(lambda: self.counters(port, br).get(reason, 0) >= at_least, limit,
                   lambda: f"{port} counts {reason} >= {at_least}: {self.counters(port, br)}")
        n = self.counters(port, br).get(reason, 0)
        need(at_most is None or n <= at_most, f"{port} counts {reason} {n} > {at_most}")

    # ---- the end ----

    def switches(self):
        return [] if KERNEL else [d for d in [self.sw] + self.daemons if d is not None]

    def say_state(self):
        for d in self.switches():
            if d.proc is not None and d.proc.poll() is None:
                self.say_answers(d)
            print(f"--- daemon's log\n{d.log_tail()}")

    @staticmethod
    def say_answers(d):
        for c in (["show"], ["port", "show"], ["stats"], ["stp", "show"]):
            try:
                r = d.cli(*c, check=False, timeout=5)
                text = (r.stdout + r.stderr).splitlines()
                more = ["..."] if len(text) > 60 else []
                print("\n".join([f"--- bascule {' '.join(c)}"] + text[:60] + more))
            except subprocess.TimeoutExpired:
                print(f"--- bascule {' '.join(c)}: no answer within 5 s")

    def close(self):
        atexit.unregister(self.close)
        for fn in reversed(self.ends):
            fn()
        self.ends = []
        for p in self.procs:
            if p.poll() is None:
                p.terminate()
        end = time.monotonic() + 3
        for p in self.procs:
            try:
                p.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.procs = []
        for full in self.nss.values():
            r = subprocess.run(["ip", "netns", "pids", full], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
            for pid in r.stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            subprocess.run(["ip", "netns", "del", full], stderr=subprocess.DEVNULL)
        self.nss = {}
        shutil.rmtree(self.dir, ignore_errors=True)


# The only places that know the JSON of `stats`, `port show` and `bridge show`.

def port_counters(sw, br, port):
    """All counters of one port by name, from `bascule -j stats`."""
    for p in sw.json("stats", br).get("ports", []):
        if p.get("name") == port:
            c = dict(p.get("reasons", {}))
            c.update({k: v for k, v in p.items() if isinstance(v, int)})
            return c
    raise Failed(f"stats {br} does not list the port {port}")


def port_info(sw, br, port):
    for p in sw.json("port", "show", br):
        if p["name"] == port:
            return p
    raise Failed(f"port show {br} does not list {port}")


def port_state(sw, br, port):
    """(forwarding?, the reason if it is not)"""
    p = port_info(sw, br, port)
    return p["state"] == "forwarding" and not p.get("failed"), p.get("why") or ""


def bridge_fdb(sw, br):
    """Counters of the bridge's forwarding database."""
    return sw.json("bridge", "show", br)[0]["fdb"]


def waited(pid, tid):
    """ms that a thread has been ready to run and had no processor."""
    with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
        return int(f.read().split()[1]) / 1e6


def processes(ns):
    """{pid: name} of who lives there."""
    out = {}
    for pid in sh("ip", "netns", "pids", ns).stdout.split():
        try:
            with open(f"/proc/{pid}/comm") as f:
                out[int(pid)] = f.read().strip()
        except OSError:
            pass
    return out


def running(ns, name):
    return [p for p, c in processes(ns).items() if c == name]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Lag:
    """The control loop's longest turn in a stretch of work, and how late the
    machine itself was meanwhile, for us or for the daemon's thread: on a busy one
    nobody keeps 10 ms."""

    def __init__(self, sw):
        self.sw, self.late, self.over = sw, 0.0, threading.Event()
        self.seen = []  # (ms of the clock, _waited() by then)
        loop_lag(sw)
        self.t = threading.Thread(target=self._watch)
        self.t.start()

    def _waited(self):
        """ms that the control thread has been ready to run and had no processor,
        and that the machine's host has kept one from us."""
        pid = self.sw.proc.pid
        with open("/proc/stat") as f:
            stolen = int(f.readline().split()[8])
        return waited(pid, pid) + stolen * 1e3 / os.sysconf("SC_CLK_TCK")

    def _watch(self):
        try:
            while not self.over.is_set():
                t0 = time.monotonic()
                time.sleep(0.002)
                t = time.monotonic()
                self.late = max(self.late, (t - t0) * 1e3 - 2)
                self.seen.append((t * 1e3, self._waited()))
        except (FileNotFoundError, ProcessLookupError):
            pass  # the daemon has ended, with the test

    def _kept(self, ms):
        """The most of a turn of so many ms that can have been waiting: a busy machine
        takes the processor away several times."""
        first, most = 0, 0.0
        for t, waited in self.seen:
            while first + 1 < len(self.seen) and self.seen[first + 1][0] <= t - ms:
                first += 1
            most = max(most, waited - self.seen[first][1])
        return most

    def end(self, what, limit=10):
        self.over.set()
        self.t.join()
        lag = loop_lag(self.sw)
        self.late = max(self.late, self._kept(lag))
        print(f"     {what}: control loop's worst turn {lag:.1f} ms "
              f"(machine late by {self.late:.1f} ms)")
        need(lag <= limit + self.late, f"{what}: the control loop was held for {lag:.1f} ms "
                                    f"(machine late by {self.late:.1f} ms)")


def loop_lag(sw):
    """The control loop's longest turn in ms since last asked."""
    return sw.json("stats")["loop_lag_max_ns"] / 1e6


# ---- traffic ----

_TCP_SERVER = r"""
import socket, sys, zlib
fam = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(fam); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(); print("ready", flush=True)
s.settimeout(60); c, _ = s.accept(); c.settimeout(60); crc = n = 0
while True:
    b = c.recv(1 << 20)
    if not b: break
    crc = zlib.crc32(b, crc); n += len(b)
c.sendall(b"%d %d\n" % (n, crc)); c.close()
"""
_TCP_CLIENT = r"""
import os, random, socket, sys, zlib
fam = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
size = int(sys.argv[3]); block = random.Random(size).randbytes(1 << 20)
s = socket.socket(fam); s.settimeout(60); s.connect((sys.argv[1], int(sys.argv[2])))
crc = n = 0
while n < size:
    # every block differs: a lost, doubled or swapped one changes the sum
    b = (n.to_bytes(8, "big") + block)[: min(size - n, 1 << 20)]
    s.sendall(b); crc = zlib.crc32(b, crc); n += len(b)
s.shutdown(socket.SHUT_WR); got = s.recv(100).decode().split()
print("same" if got == [str(n), str(crc)] else f"sent {n} {crc}, arrived {got}")
"""
_port = 20000


def tcp(src, dst, addr, size=32 << 20, limit=60):
    """Sends `size` octets by TCP and compares length and checksum.  Mb/s."""
    global _port
    _port += 1
    srv = subprocess.Popen(["ip", "netns", "exec", dst, sys.executable, "-c", _TCP_SERVER,
                            addr, str(_port)], stdout=subprocess.PIPE, text=True)
    try:
        need(srv.stdout.readline() == "ready\n", "TCP server did not start")
        t0 = time.monotonic()
        try:
            r = sh(sys.executable, "-c", _TCP_CLIENT, addr, _port, size, ns=src, check=False,
                   timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"TCP {src} -> {addr}: {size} octets did not arrive in {limit} s")
        t = time.monotonic() - t0
        need(r.stdout.strip() == "same", f"TCP {src} -> {addr}: {r.stdout}{r.stderr[-300:]}")
        return size * 8 / t / 1e6
    finally:
        srv.kill()
        srv.wait()
        srv.stdout.close()


def ping(ns, addr, n=3, interval=0.05, wait=1, limit=20):
    """Loss in per cent."""
    r = sh("ping", "-n", "-q", "-c", n, "-i", interval, "-W", wait, addr, ns=ns, check=False,
           timeout=limit)
    for w in r.stdout.replace(",", " ").split():
        if w.endswith("%"):
            return float(w[:-1])
    raise Failed(f"ping {addr}: {r.stdout}{r.stderr}")


def reaches(ns, addr, limit=5):
    wait_until(lambda: ping(ns, addr, 1, wait=0.5) == 0, limit, f"{ns} reaches {addr}")


def dnsmasq(lab, ns, dev, *args):
    """dnsmasq on a device, a DHCP server of what `args` say; its process and log once it is
    ready."""
    if not shutil.which("dnsmasq"):
        raise Skip("dnsmasq is not installed")
    log = os.path.join(lab.dir, "dnsmasq.log")
    with open(log, "w") as f:
        p = lab.spawn("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--no-ping",
                      "--user=root", "--pid-file=", f"--interface={dev}", "--bind-interfaces",
                      f"--dhcp-leasefile={lab.dir}/leases", "--dhcp-authoritative", "--log-dhcp",
                      *args, ns=ns, stdout=f, stderr=f)

    def ready():
        with open(log) as f:
            return "dnsmasq-dhcp: " in f.read()
    wait_until(ready, 5, "dnsmasq runs")
    return p, log


def dhcp_server(lab, ns, dev, *args, net="10.9.0"):
    """A DHCP server for addresses of a lab."""
    return dnsmasq(lab, ns, dev, f"--dhcp-range={net}.100,{net}.150,255.255.255.0,1h", *args)


def vnet(flags=0, gso=0, hdr_len=0, gso_size=0, start=0, offset=0):
    return struct.pack("<BBHHHH", flags, gso, hdr_len, gso_size, start, offset)


def csum(data, start=0):
    if len(data) % 2:
        data += b"\0"
    s = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


def tcp4_super(dst, src, payload, gso_size, tags=(), sport=1000, dport=2000):
    """A TCPv4 super-frame and its virtio-net header, as a guest with TSO sends it."""
    ipsrc, ipdst = bytes([10, 8, 0, 1]), bytes([10, 8, 0, 2])
    n = 20 + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + n, 1, 0x4000, 64, 6, 0, ipsrc, ipdst)
    ip = ip[:10] + struct.pack("!H", 0xFFFF - csum(ip)) + ip[12:]
    pseudo = csum(ipsrc + ipdst + struct.pack("!HH", 6, n))
    t = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, 0x18, 1000, pseudo, 0)
    eth = frame(dst, src, b"", 0x0800, tags)
    start = len(eth) + 20
    return eth + ip + t + payload, vnet(1, 1, start + 20, gso_size, start, 16)


def tcp4_pieces(frames, tags=0):
    """Checks single TCPv4 frames (IP and TCP checksums) and joins their payload."""
    out = {}
    for f in frames:
        h = 14 + 4 * tags
        need(csum(f[h:h + 20]) == 0xFFFF, "IP header checksum is wrong")
        total = struct.unpack("!H", f[h + 2:h + 4])[0]
        need(total <= len(f) - h, f"IP length {total} in a frame of {len(f)}")
        seg = f[h + 20:h + total]
        pseudo = csum(f[h + 12:h + 20] + struct.pack("!HH", 6, len(seg)))
        need(csum(seg, pseudo) == 0xFFFF, "TCP checksum is wrong")
        out[struct.unpack("!I", seg[4:8])[0]] = seg[(seg[12] >> 4) * 4:]
    data, at = b"", 1
    for seq in sorted(out):
        need(seq == at, f"gap: sequence number {seq} instead of {at}")
        data += out[seq]
        at += len(out[seq])
    return data


# ---- running ----

def run_one(mod, name, fn):
    """One test in a lab of its own: None, or why it failed or was skipped."""
    t0 = time.monotonic()
    lab = Lab(os.path.basename(mod.__file__).split("_test")[0])
    try:
        fn(lab)
        up = [d for d in lab.switches() if d.proc is not None]
        need(all(d.proc.poll() is None for d in up), "basculed has died")
        for d in up:  # also says what a sanitizer found
            rc = d.stop(limit=40)
            need(rc == 0, f"basculed ended with {rc}")
        print(f"ok   {name} {time.monotonic() - t0:.1f} s", flush=True)
        if os.environ.get("KEEP_LOG") and not KERNEL and lab.sw:
            print(lab.sw.log_tail(400))
        return 0
    except Skip as e:
        print(f"skip {name}: {e}", flush=True)
        return 77
    except Exception as e:  # noqa: any failure is the test's
        print(f"FAIL {name}: {e}")
        traceback.print_exc(limit=-3, file=sys.stdout)
        lab.say_state()
        sys.stdout.flush()
        return 1
    finally:
        lab.close()


def run_aside(mod, name, fn, limit):
    """The same in a process of its own; its pid and where its words go."""
    out = tempfile.TemporaryFile("w+")
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid, out
    code = 1
    try:  # what the caller has to tidy up is not ours
        os.dup2(out.fileno(), 1)
        signal.alarm(limit)
        code = run_one(mod, name, fn)
    finally:
        sys.stdout.flush()
        os._exit(code)


def run_some(mod, tests, limit, at_once):
    """All tests, so many at a time; their exit codes."""
    left, running, codes = list(tests), {}, []
    try:
        while left or running:
            while left and len(running) < at_once:
                pid, out = run_aside(mod, *left.pop(0), limit)
                running[pid] = out
            pid, status = os.wait()
            if pid in running:
                out = running.pop(pid)
                out.seek(0)
                print(out.read(), end="", flush=True)
                codes.append(os.waitstatus_to_exitcode(status))
    finally:
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        for pid in running:
            os.waitpid(pid, 0)
    return codes


def main(limit=200, at_once=1):
    """Runs the caller's test functions; exits 0, 1 or 77.  `at_once`: how many at a
    time, for tests that mostly wait and measure nothing.  `limit`: seconds for all of
    them, below that of tests/run, so that what hangs is shown with its state."""
    mod = sys.modules["__main__"]
    tests = [(n, f) for n, f in vars(mod).items() if n.startswith("test_") and callable(f)]
    only = os.environ.get("ONLY", "")
    tests = [t for t in tests if only in t[0]]
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))
    signal.signal(signal.SIGINT, lambda *a: sys.exit(1))

    def too_long(*a):
        raise Failed(f"still running after {limit} s")
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    if os.geteuid() != 0:
        print("needs root: it makes network namespaces and devices")
        sys.exit(77)
    if at_once > 1:
        codes = run_some(mod, tests, limit, at_once)
    else:
        codes = [run_one(mod, name, fn) for name, fn in tests]
    if any(c not in (0, 77) for c in codes):
        sys.exit(1)
    if codes and all(c == 77 for c in codes):
        sys.exit(77)
    sys.exit(0)
