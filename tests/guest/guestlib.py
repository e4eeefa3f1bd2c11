# SPDX-License-Identifier: BSD-2-Clause
"""Tests with real guests: QEMU with the tiny image of image.py, driven over its
serial line.

    import guestlib
    from guestlib import lib

    def test_ping(lab):
        out = guestlib.Outside(lab)               # switch, uplink, DHCP, the world
        g = guestlib.Guest(lab, "g1", guestlib.tap("vm1"))
        lab.sw.addif("br0", "vm1")
        g.boot()
        g.dhcp()
        g.run("ping -c 1 192.0.2.1")

    guestlib.main()

A guest ends with the test, however that ends.  Everything else is as in
tests/netns/lib.py, SWITCH=kernel included.
"""
import ctypes
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(os.path.dirname(HERE), "netns"))
import image  # noqa: E402
import netns_lib as lib  # noqa: E402

SIZE = 20_000_000           # octets of a transfer
IFUP = os.path.join(HERE, "ifup.sh")
QBOOT = "/usr/share/qemu/qboot.rom"  # quicker than a PC's firmware
BOOT = 90                   # seconds; on an idle machine it takes 3
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_image = {}


def _kernel_args():
    """What spares the guest's kernel measuring and hardening, which take time in an
    emulator; and the speed of its clock, which it would at times measure wrong."""
    args = ("console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable "
            "no_timer_check lpj=4000000")
    tool = os.path.join(lib.TOOLS, "tsckhz")
    khz = lib.sh(tool, check=False).stdout.strip() if os.path.exists(tool) else ""
    return f"{args} tsc_early_khz={khz}" if khz else args


KERNEL_ARGS = _kernel_args()


def made(programs=(), modules=()):
    """Kernel and initramfs; a test that cannot have them is skipped."""
    if (programs, modules) not in _image:
        try:
            _image[programs, modules] = image.image(programs, modules)
        except image.Unavailable as e:
            raise lib.Skip(str(e))
    return _image[programs, modules]


def accelerators():
    """KVM only where the processor really has it: some hosts show a /dev/kvm on
    which no ordinary kernel boots."""
    with open("/proc/cpuinfo") as f:
        flags = f.read()
    real = re.search(r"\b(vmx|svm)\b", flags) and os.access("/dev/kvm", os.R_OK | os.W_OK)
    return ["-accel", "kvm"] if real and not os.environ.get("BASCULE_TCG") else []


def tap(ifname, *, script="no"):
    """-netdev of a tap: QEMU makes the device, or opens one that is there."""
    return f"tap,ifname={ifname},script={script},downscript=no"


class Guest:
    """A guest with one network card, eth0, on the given -netdev."""

    serial = 0

    def __init__(self, lab, name, netdev, ns=None, card="virtio-net-pci", memory=128,
                 programs=(), prefix=()):
        Guest.serial += 1
        self.lab, self.name, self.netdev, self.ns = lab, name, netdev, ns
        self.card, self.memory, self.prefix = card, memory, [str(x) for x in prefix]
        self.images = made(programs)
        self.mac = f"52:54:00:{os.getpid() >> 8 & 255:02x}:{os.getpid() & 255:02x}:" \
                   f"{Guest.serial:02x}"
        self.log = os.path.join(lab.dir, f"{name}.console")
        self.proc, self.ip4 = None, None
        self.count = self.boots = self.seen = 0
        lab.at_end(self.kill)

    # ---- its life ----

    def command(self):
        if not shutil.which("qemu-system-x86_64"):
            raise lib.Skip("qemu-system-x86_64 is not installed")
        kernel, initramfs = self.images
        boot = ["-bios", QBOOT] if os.path.exists(QBOOT) else []
        kind, _, keys = self.netdev.partition(",")
        return [*self.prefix, "qemu-system-x86_64", "-M", "pc", *accelerators(), "-m", str(self.memory),
                "-nodefaults", "-no-user-config", "-display", "none", *boot,
                "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs,
                "-append", KERNEL_ARGS,
                "-netdev", f"{kind},id=n0,{keys}" if keys else f"{kind},id=n0",
                "-device", f"{self.card},netdev=n0,mac={self.mac},romfile="]

    def start(self):
        """Starts QEMU; boot() also waits for the guest."""
        def die_with_us():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        cmd = self.command()
        if self.ns:
            cmd = ["ip", "netns", "exec", str(self.ns)] + cmd
        self.boots = self.seen = 0
        self.text, self.changed, self.over = bytearray(), threading.Condition(), False
        self.proc = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, preexec_fn=die_with_us)
        self.t0 = time.monotonic()
        self.reader = threading.Thread(target=self._read, args=(self.proc,), daemon=True)
        self.reader.start()

    def boot(self, limit=BOOT):
        self.start()
        return self.wait_ready(1, limit)

    def wait_ready(self, boots, limit=BOOT):
        """Until the guest has come up that often; seconds since QEMU's start."""
        self._wait(lambda: self.boots >= boots, limit, f"guest {self.name} is up")
        self.seen = self.text.rindex(b"@@ ready")
        self.seen = self.text.index(b"\n", self.seen) + 1
        return time.monotonic() - self.t0

    def kill(self):
        """As `kill -9` of QEMU."""
        if self.proc is None:
            return
        self.proc.kill()
        self.proc.wait()
        self.reader.join(5)
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc = None

    # ---- its console ----

    def _read(self, proc):
        with open(self.log, "ab") as log:
            while True:
                b = os.read(proc.stdout.fileno(), 65536)
                log.write(b)
                log.flush()
                with self.changed:
                    self.text += b
                    self.boots = len(re.findall(rb"@@ ready \S+\n", self.text))
                    self.over = not b
                    self.changed.notify_all()
                if not b:
                    return

    def _wait(self, cond, limit, what):
        with self.changed:
            self.changed.wait_for(lambda: self.over or cond(), limit)
            if cond():
                return
            tail = bytes(self.text[-1500:]).decode(errors="replace")
        raise lib.Failed(f"{'QEMU ended before' if self.over else f'not within {limit} s'}: "
                         f"{what}\n--- console of {self.name}\n{tail}")

    def post(self, command):
        """Gives the guest a command; the number that its answer will have."""
        lib.need("\n" not in command and len(command) < 1000, "a command is one short line")
        self.count += 1
        self.proc.stdin.write(f"{self.count} {command}\n".encode())
        self.proc.stdin.flush()
        return self.count

    def answer(self, number, limit=20):
        """(status, text) of that command."""
        mark = re.compile(rb"@@ %d (\d+)\n" % number)
        self._wait(lambda: mark.search(self.text, self.seen), limit,
                   f"answer number {number}")
        m = mark.search(self.text, self.seen)
        said = bytes(self.text[self.seen:m.start()]).decode(errors="replace")
        self.seen = m.end()
        return int(m.group(1)), said

    def says(self, word, limit=20):
        """Waits for what it says by itself, behind the last answer."""
        self._wait(lambda: word.encode() in self.text[self.seen:], limit,
                   f"guest {self.name} says {word}")

    def run(self, command, limit=20, check=True):
        """What the guest prints for a command; it must succeed."""
        status, said = self.answer(self.post(command), limit)
        lib.need(not check or status == 0,
                 lambda: f"guest {self.name}: {command}: exit {status}\n{said}")
        return said

    # ---- what a guest does ----

    def dhcp(self, limit=15):
        """Gets an address; returns it."""
        said = self.run("ip link set eth0 up && udhcpc -i eth0 -f -n -q -t 20 -T 1 "
                        "-s /etc/lease 2>&1", limit + 10)
        m = re.search(r"^lease (\S+)", said, re.M)
        lib.need(m, f"guest {self.name} has no lease: {said}")
        self.ip4 = m.group(1)
        return self.ip4

    def ping(self, address, limit=10):
        """Until one answer has come."""
        self.run(f"for i in $(seq {limit}); do ping -c 1 -W 1 {address} >/tmp/ping && break; "
                 f"done; tail -n 3 /tmp/ping; grep -q ' 0% packet loss' /tmp/ping",
                 limit + 5)

    def features(self):
        """The virtio features in use, as a set of bit numbers."""
        bits = self.run("cat /sys/class/net/eth0/device/features").strip()
        return {i for i, b in enumerate(bits) if b == "1"}

    def reload(self):
        """Takes the network driver out and puts it in again."""
        self.run("rmmod virtio_net && insmod /modules/*-virtio_net.ko && ip link set eth0 up")

    def reboot(self, limit=BOOT):
        before = self.boots
        self.post("reboot -f")
        self.wait_ready(before + 1, limit)

    def begin_download(self, out):
        """Starts to fetch SIZE octets from outside; returns when some have come."""
        sent = out.sent
        self.run(f"nc {out.router} {out.port} -e sh -c 'cat >/tmp/got' &")
        lib.wait_until(lambda: out.sent > sent + SIZE // 10, 10,
                       f"a transfer to guest {self.name} is under way", step=0.005)
        lib.need(out.sent < sent + SIZE, "the transfer was over before anything happened")

    def end_download(self, out, limit=30):
        said = self.run("wait; md5sum </tmp/got", limit)
        lib.need(out.md5 in said,
                 f"guest {self.name}: {SIZE} octets from outside arrived wrong: {said}")

    def download(self, out, limit=40):
        """Fetches SIZE octets from outside.  Mb/s."""
        t0 = time.monotonic()
        self.begin_download(out)
        self.end_download(out, limit)
        return SIZE * 8e-6 / (time.monotonic() - t0)

    def upload(self, out, limit=40):
        """Sends what download() has fetched back.  Mb/s."""
        t0 = time.monotonic()
        self.run(f"nc {out.router} {out.sink_port} -e cat /tmp/got", limit)
        got = out.received(limit)
        lib.need(got == (SIZE, out.md5),
                 f"guest {self.name}: {SIZE} octets with sum {out.md5} went out, "
                 f"{got[0]} with {got[1]} arrived")
        return SIZE * 8e-6 / (time.monotonic() - t0)

    def send_to(self, other, limit=40):
        """Sends what download() has fetched to another guest.  Mb/s."""
        n = other.post("timeout 30 nc -l -p 7000 -e sh -c 'cat >/tmp/got'; md5sum </tmp/got")
        t0 = time.monotonic()
        self.run("md5sum </tmp/got >/tmp/sum; for i in $(seq 50); do "
                 f"nc {other.ip4} 7000 -e cat /tmp/got 2>/dev/null && break; usleep 100000; done",
                 limit)
        status, said = other.answer(n, limit)
        lib.need(status == 0 and said.split()[0] == self.run("cat /tmp/sum").split()[0],
                 f"{self.name} to {other.name}: arrived wrong: {said}")
        return SIZE * 8e-6 / (time.monotonic() - t0)

    def works(self, out, why):
        """Address, outside world, TCP both ways: all that a guest wants."""
        t0 = time.monotonic()
        self.dhcp()
        t1 = time.monotonic()
        self.ping(out.world)
        down, up = self.download(out), self.upload(out)
        print(f"     {self.name}, {why}: lease in {t1 - t0:.1f} s, TCP in {down:.0f}, out {up:.0f} Mb/s",
              flush=True)


# What a guest needs to hear its power button: modules, and a command.
BUTTON = ("button", "evdev")
ACPID = ("mkdir -p /tmp/acpi/PWRF && printf '#!/bin/sh\\npoweroff -f\\n' "
         ">/tmp/acpi/PWRF/00000080 && chmod +x /tmp/acpi/PWRF/00000080 && "
         "acpid -c /tmp/acpi -l /tmp/acpi.log && for i in $(seq 200); do "
         "ls -l /proc/$(pidof acpid)/fd | grep -q /dev/input && break; usleep 50000; done")


class Launched(Guest):
    """A guest that `bascule guest` launches; its console is a socket."""

    def __init__(self, lab, name, *nets, memory=128, modules=(), extra=(), private=False):
        """private: its kernel is root's alone."""
        Guest.serial += 1
        self.lab, self.name, self.sw = lab, name, lab.sw
        self.log = os.path.join(lab.dir, f"{name}.console")
        self.proc, self.ip4, self.sock = None, None, None
        self.count = self.boots = self.seen = 0
        kernel, initramfs = made((), modules)
        if private:
            kernel = shutil.copy(kernel, os.path.join(lab.dir, "vmlinuz"))
            os.chmod(kernel, 0o600)
        boot = ["--qemu-arg", "-bios", "--qemu-arg", QBOOT] if os.path.exists(QBOOT) else []
        args = [x for n in nets for x in ("--net", n)]
        self.sw.cli("guest", "define", name, "--memory", memory, "--kernel", kernel, "--initrd",
                    initramfs, "--append", KERNEL_ARGS, *args, *boot, *extra)
        lab.at_end(self.end)

    def info(self):
        return self.sw.json("guest", "show", self.name)

    def start(self):
        self.sw.cli("guest", "start", self.name)
        self.listen()

    def listen(self):
        """Reads the console of the guest that runs now."""
        self.unlisten()
        self.boots = self.seen = 0
        self.t0 = time.monotonic()
        self.text, self.changed, self.over = bytearray(), threading.Condition(), False
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.info()["console"])
        self.proc = _Line(self.sock)
        self.reader = threading.Thread(target=self._read, args=(self.proc,), daemon=True)
        self.reader.start()

    def unlisten(self):
        """Leaves the console to somebody else."""
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)
            self.reader.join(5)
            self.sock.close()
            self.sock = None

    def relisten(self):
        """... of a guest that has been up for long."""
        self.listen()
        self.boots = 1

    def end(self):
        try:
            self.unlisten()
        except OSError:
            pass
        if self.sw.proc is not None:
            self.sw.cli("guest", "kill", self.name, check=False)


class Monitor:
    """QEMU's monitor for people, beside the socket that the daemon talks by."""

    def __init__(self, lab, name):
        self.dir = os.path.join(lab.dir, f"of-{name}")
        os.mkdir(self.dir)
        os.chmod(lab.dir, 0o711)
        os.chmod(self.dir, 0o777)  # QEMU is somebody else, and makes its socket there
        self.args = ("--qemu-arg", "-monitor", "--qemu-arg",
                     f"unix:{self.dir}/monitor,server=on,wait=off")

    def say(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(f"{self.dir}/monitor")
            f = s.makefile("rw")
            f.write(line + "\n")
            f.flush()
            while line.split()[-1] not in f.readline():  # it is echoed when it is taken
                pass

    def sink(self):
        """Where it can be moved to; nobody lives there."""
        path = os.path.join(self.dir, "move")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        listener.settimeout(20)
        os.chmod(path, 0o777)

        def drain():
            s, _ = listener.accept()
            while s.recv(1 << 16):
                pass
        threading.Thread(target=drain, daemon=True).start()
        return f"unix:{path}"


class _Line:
    """What a socket has of a process's pipes."""

    def __init__(self, sock):
        self.stdin = sock.makefile("wb", buffering=0)
        self.stdout = sock


class Outside:
    """The switch with br0 and an uplink, and behind that a router with a DHCP
    server, an address of the wide world, and a TCP server each way."""

    def __init__(self, lab, switch=True, uplink="up0", router="10.9.0.1", world="192.0.2.1"):
        """switch=False: only the uplink is there, beside where the switch will be."""
        self.lab, self.uplink, self.router, self.world = lab, uplink, router, world
        if switch:
            lab.switch()
        self.ns = lab.ns("wan")
        lab.veth(uplink, self.ns)
        ip = ["ip", "-n", self.ns]
        lib.sh(*ip, "addr", "add", f"{router}/24", "dev", "eth0")
        lib.sh(*ip, "addr", "add", f"{world}/32", "dev", "lo")
        lib.sh(*ip, "link", "set", "eth0", "up")
        self.data = random.Random(os.getpid()).randbytes(SIZE)
        self.md5 = hashlib.md5(self.data).hexdigest()
        self.sent, self.got, self.changed = 0, [], threading.Condition()
        self.port = self._serve(self._source)
        self.sink_port = self._serve(self._sink)
        lib.dhcp_server(lab, self.ns, "eth0", f"--dhcp-option=3,{router}",
                        net=router.rpartition(".")[0])
        if switch:
            lab.sw.addif("br0", uplink)
            lab.sw.wait_forwarding(uplink)

    def _serve(self, handle):
        """Serves a port of this namespace, each client in a thread."""
        with lib.inside(self.ns):
            s = socket.socket()
        s.bind((self.router, 0))
        s.listen()
        self.lab.at_end(s.close)

        def client(c):
            with c:
                c.settimeout(30)
                try:
                    handle(c)
                except OSError:
                    pass  # a guest that was killed

        def loop():
            while True:
                try:
                    c, _ = s.accept()
                except OSError:
                    return  # the test is over
                threading.Thread(target=client, args=(c,), daemon=True).start()
        threading.Thread(target=loop, daemon=True).start()
        return s.getsockname()[1]

    def _source(self, c):
        # little between us and the guest: what is sent has nearly arrived
        c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 << 10)
        for at in range(0, SIZE, 1 << 17):
            c.sendall(self.data[at:at + (1 << 17)])
            self.sent += min(1 << 17, SIZE - at)

    def _sink(self, c):
        n, h = 0, hashlib.md5()
        while True:
            b = c.recv(1 << 18)
            if not b:
                break
            n += len(b)
            h.update(b)
        with self.changed:
            self.got.append((n, h.hexdigest()))
            self.changed.notify()

    def received(self, limit=10):
        """The next transfer that has come in: (octets, checksum)."""
        with self.changed:
            self.changed.wait_for(lambda: self.got, limit)
            lib.need(self.got, "nothing has arrived outside")
            return self.got.pop(0)


# ---- what `bascule guest` is asked ----

def need_qemu():
    """For who launches guests."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge launches no guests")
    if not shutil.which("qemu-system-x86_64"):
        raise lib.Skip("qemu-system-x86_64 is not installed")


def state(lab, name):
    """None: there is no such guest."""
    return {g["name"]: g["state"] for g in lab.sw.json("guest", "list")}.get(name)


def refused(lab, pattern, *args):
    """The command fails with one sentence that matches."""
    text = lib.sentence(lab.sw.cli(*args, check=False))
    lib.need(re.search(pattern, text), f"{' '.join(args)} says {text!r}, not {pattern!r}")
    return text


def from_outside(sw, *args):
    """The client's words, not in a mount namespace of its own, as `ip netns exec` makes one."""
    return ["nsenter", f"--net=/run/netns/{sw.ns}", *sw.words(*args)]


# ---- what every kind of port has to stand ----

def down(lab, port, why):
    """Waits until the port has no link, for a reason that matches."""
    if lib.KERNEL:
        return

    def said():
        p = lib.port_info(lab.sw, "br0", port)
        return "" if p["link"] and not p.get("failed") else p.get("why") or "no reason"
    text = lib.wait_until(said, 5, f"{port} is down")
    lib.need(re.search(why, text), f"{port} is down and says {text!r}, not {why!r}")
    print(f"     {port}: {text}")


def up(lab, port):
    lab.sw.wait_forwarding(port, 10)


def is_up(ns, dev):
    r = lib.sh("ip", "-n", ns, "-o", "link", "show", dev, "up", check=False)
    return dev in r.stdout


# what must stay at zero while ordinary guests talk
TROUBLE = ("rx-truncated", "rx-bad-vnet", "rx-undescribed", "tx-too-big", "tx-gso-tiny",
           "tx-gso-bad", "tx-csum-bad", "tx-failed", "tx-no-memory", "tx-error",
           "rx-no-memory", "turn-full")


def no_warnings(sw, since=0):
    """The daemon's log has none from that line on; how many lines there are."""
    with open(sw.log) as f:
        lines = f.read().splitlines()
    bad = [x for x in lines[since:] if not re.match(r"basculed: (info|debug): ", x)]
    lib.need(not bad, lambda: "in the daemon's log: " + "\n".join(bad))
    return len(lines)


def untroubled(lab, *ports):
    for p in ports:
        c = lab.counters(p)
        bad = {k: c[k] for k in TROUBLE if c.get(k)}
        lib.need(not bad, f"port {p} counted {bad}")


def reloaded(out, g):
    """The driver is taken out and put in again in the middle of a transfer."""
    g.begin_download(out)
    g.reload()
    g.dhcp()
    # the same address again, so that the transfer goes on where it was
    g.end_download(out)
    print(f"     {g.name}: transfer survives reloading of the driver", flush=True)


def rebooted(lab, out, g, port):
    """The guest reboots in the middle of a transfer."""
    g.begin_download(out)
    g.reboot()
    up(lab, port)
    g.works(out, "after reboot")


def killed(lab, out, *ports):
    """QEMU is killed in the middle of a transfer and started again.  `ports` are
    (guest, port, what the port says meanwhile); it comes back by itself."""
    for g, _, _ in ports:
        g.begin_download(out)
    for g, port, why in ports:
        g.kill()
        down(lab, port, why)
    for g, port, _ in ports:
        g.start()
        if lib.KERNEL and not is_up(lab.sw.ns, port):  # which forgets deleted ports
            lib.wait_until(lambda dev=port: is_up(lab.sw.ns, dev), 10, f"{port} is up")
            lab.sw.addif("br0", port)
        up(lab, port)
    for g, _, _ in ports:
        g.wait_ready(1)
        g.works(out, "after kill -9")


def main(**kw):
    lib.main(**kw)
