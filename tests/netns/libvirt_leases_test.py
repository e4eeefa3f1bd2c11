#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""packaging/libvirt/leases keeps the file that libvirt reads: what is in it and
when, whose it is, and what becomes of it.  With libvirtd and a guest it is in
tests/guest/libvirt_test.py."""
import json
import os
import signal
import socket
import struct
import subprocess
import time

import lib
from lib import arp, need, wait_until

PROGRAM = os.path.join(lib.ROOT, "packaging", "libvirt", "leases")


# Python reads it when it starts: the program gets SIGTERM as the call returns (and one
# that would never come to it before, one second after its start).
TERMINATED = """
import os, signal, tempfile
real = {name}
def call(*args, **kw):
    got = real(*args, **kw)
    os.kill(os.getpid(), signal.SIGTERM)
    return got
{name} = call
signal.signal(signal.SIGALRM, lambda *a: os.kill(os.getpid(), signal.SIGTERM))
signal.alarm(1)
"""


class Leases:
    """The program, and the file it keeps for a bridge."""

    def __init__(self, lab, bridge="br0"):
        if lib.KERNEL:
            raise lib.Skip("the kernel's bridge has nothing like it")
        self.lab, self.bridge = lab, bridge
        self.dir = os.path.join(lab.dir, "dnsmasq")
        self.path = os.path.join(self.dir, f"{bridge}.status")
        self.log = os.path.join(lab.dir, "leases.log")
        self.proc = None

    def command(self):
        return [PROGRAM, "--socket", self.lab.sw.sock, "--state-dir", self.dir, self.bridge]

    def start(self):
        with open(self.log, "w") as f:
            self.proc = self.lab.spawn(*self.command(), stdout=f, stderr=f)

    def said(self):
        with open(self.log) as f:
            return f.read()

    def refused(self, *words):
        """It ends at once, for good, and says why."""
        r = subprocess.run(self.command(), capture_output=True, text=True, timeout=10)
        need(r.returncode == 2 and all(w in r.stderr for w in words), f"{r}")
        need(r.stderr.count("\n") == 1, f"not one sentence: {r.stderr}")

    def waits(self):
        """How often it has slept (proc(5), status)."""
        with open(f"/proc/{self.proc.pid}/status") as f:
            return [line for line in f if line.startswith("voluntary_ctxt_switches")]

    def entries(self):
        try:
            with open(self.path) as f:
                return json.load(f)
        except FileNotFoundError:
            return None

    def shows(self, *want, limit=5):
        """Waits until these (address, MAC) are in the file and no others."""
        def ok():
            got = self.entries()
            return got is not None and \
                [(e["ip-address"], e["mac-address"]) for e in got] == list(want)
        wait_until(ok, limit, lambda: f"{want} in the file: {self.entries()} {self.said()}")

    def stop(self, sig=signal.SIGTERM):
        self.proc.send_signal(sig)
        return self.proc.wait(5)


def dhcp_request(vm, ip, mac):
    """The client asks for an address (RFC 2131, 4.3.2)."""
    dhcp = struct.pack("!BBBBIHH16s16s192xI", 1, 1, 6, 0, 0x42, 0, 0x8000, b"", lib.mac(mac),
                       0x63825363) + bytes([53, 1, 3, 50, 4]) + socket.inet_aton(ip) + b"\xff"
    udp = struct.pack("!HHHH", 68, 67, 8 + len(dhcp), 0) + dhcp
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(4),
                     b"\xff" * 4)
    vm.send(lib.frame(lib.BCAST, lib.mac(mac), ip + udp, 0x0800))


A, B, C = "52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:0c"


def test_follows(lab):
    """Addresses come, move and go; those of other bridges are not there."""
    lv = Leases(lab)
    lab.switch()
    lab.sw.bridge("br1")
    a, b, other = lab.vm("vm1"), lab.vm("vm2"), lab.vm("vm3", br="br1")
    arp(a, "10.0.0.9", A)
    lv.start()
    lv.shows(("10.0.0.9", A))
    now = time.time()
    e, = lv.entries()
    need(now + 1800 < e["expiry-time"] <= now + 3600, f"{e}")
    mode = os.stat(lv.path).st_mode & 0o777
    need(mode == 0o644, f"mode {mode:o}")
    arp(other, "10.0.0.3", C)
    arp(a, "169.254.1.1", A)
    arp(a, "10.0.0.10", A)
    lv.shows(("10.0.0.9", A), ("10.0.0.10", A))
    arp(b, "10.0.0.9", A)  # it moved to the other port
    wait_until(lambda: lv.entries()[0]["bascule-port"] == "vm2", 5, lambda: f"{lv.entries()}")
    lv.shows(("10.0.0.9", A), ("10.0.0.10", A))
    a.close()
    lv.shows(("10.0.0.9", A))
    before = os.stat(lv.path).st_ino, os.stat(lv.path).st_mtime_ns
    lab.sw.cli("port", "set", "vm2", "isolated", "on")  # news, but not of this kind
    time.sleep(0.5)
    need(before == (os.stat(lv.path).st_ino, os.stat(lv.path).st_mtime_ns), "written for nothing")
    lab.sw.cli("port", "set", "vm2", "watch-addresses", "off")
    lv.shows()
    need(os.listdir(lv.dir) == ["br0.status"], f"{os.listdir(lv.dir)}")
    need(lv.stop() == 0 and os.listdir(lv.dir) == [], f"{os.listdir(lv.dir)} {lv.said()}")


def test_ipv6(lab):
    """Of a host that has both, the link-local one is left out."""
    lv = Leases(lab)
    lab.switch()
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    lv.start()
    lib.reaches(a.ns, b.ip4)
    lib.reaches(a.ns, b.ip6)
    mac = lib.mac_text(a.mac)
    link = "fe80::" + lib.sh("ip", "-n", a.ns, "-6", "addr", "show", "dev", "eth0", "scope",
                             "link").stdout.split("fe80::")[1].split("/")[0]
    lib.sh("ping", "-c", "1", "-W", "2", "-I", link, "ff02::1%eth0", ns=a.ns, check=False)
    lib.sh("ip", "neigh", "flush", "dev", "eth0", ns=b.ns)
    lib.sh("ping", "-c", "1", "-W", "2", f"{link}%eth0", ns=b.ns)
    wait_until(lambda: link in [x["address"] for x in lab.sw.json("port", "addresses", a.port)],
               5, "Bascule knows the link-local address")
    lv.shows((a.ip4, mac), (a.ip6, mac))


def test_request(lab):
    """What a guest has only asked for is not shown, but soon after it has it."""
    lv = Leases(lab)
    lab.switch()
    a = lab.vm("vm1")
    lv.start()
    dhcp_request(a, "10.0.0.9", A)
    wait_until(lambda: [x["how"] for x in lab.sw.json("port", "addresses", "vm1")] ==
               ["dhcp-request"], 5, lambda: f"{lab.sw.json('port', 'addresses')}")
    time.sleep(0.5)
    before = lv.waits()
    time.sleep(1.2)
    need(lv.waits() == before, "it looks again and again whether the server agrees")
    lv.shows()
    arp(a, "10.0.0.9", A)
    lv.shows(("10.0.0.9", A))


def test_expiry(lab):
    """An entry that would soon be over is written anew, one whose time is not ours, too."""
    lv = Leases(lab)
    lab.switch()
    a = lab.vm("vm1")
    arp(a, "10.0.0.9", A)
    lv.start()
    lv.shows(("10.0.0.9", A))
    for when, isolated in (60, "on"), (9999, "off"):
        e, = lv.entries()
        e["expiry-time"] = int(time.time()) + when
        with open(lv.path, "w") as f:
            json.dump([e], f)
        lab.sw.cli("port", "set", "vm1", "isolated", isolated)  # any news
        wait_until(lambda: abs(lv.entries()[0]["expiry-time"] - time.time() - 3600) < 30, 5,
                   lambda: f"the time is set: {lv.entries()}")


def test_daemon(lab):
    """The daemon comes later, goes and comes back; a killed program's file is taken up."""
    lv = Leases(lab)
    lab.switch()
    lab.sw.stop()
    lv.start()
    lv.shows()
    wait_until(lambda: "no basculed answers at " + lab.sw.sock in lv.said(), 5, lv.said)
    said = lv.said()
    with socket.socket(socket.AF_UNIX) as s:  # bound, and does not listen yet
        s.bind(lab.sw.sock)
        slept = []

        def tried():
            if lv.waits() not in slept:
                slept.append(lv.waits())
            return len(slept) > 3
        wait_until(tried, 20, "it tries again and again")
    os.unlink(lab.sw.sock)
    need(lv.said() == said, lv.said())
    for again in range(2):
        lab.sw.start()
        lab.sw.bridge("br0")
        a = lab.vm("vm1")
        arp(a, "10.0.0.9", A)
        lv.shows(("10.0.0.9", A))
        if not again:
            lv.stop(signal.SIGKILL)
            lv.start()
            lv.shows(("10.0.0.9", A))
        a.close()
        lab.sw.stop()
        lv.shows()
    need(lv.said().count("\n") <= 3, f"says it again and again: {lv.said()}")
    need(lv.stop() == 0 and lv.entries() is None, lv.said())


def test_ended_while_writing(lab):
    """Its end is asked for at the worst moments: nothing is left, nothing is said."""
    lv = Leases(lab)
    lab.switch()
    env = dict(os.environ, PYTHONPATH=lab.dir)
    for name in "tempfile.mkstemp", "os.replace", "os.unlink":
        with open(os.path.join(lab.dir, "sitecustomize.py"), "w") as f:
            f.write(TERMINATED.format(name=name))
        r = subprocess.run(lv.command(), capture_output=True, text=True, timeout=10, env=env)
        need((r.returncode, r.stderr, os.listdir(lv.dir)) == (0, "", []),
             f"SIGTERM in {name}: {r} {os.listdir(lv.dir)}")


def test_misspelt(lab):
    lv = Leases(lab, "br7")
    lab.switch()
    lv.start()
    wait_until(lambda: "there is no bridge br7 yet" in lv.said(), 5, lv.said)
    lab.sw.bridge("br7")
    arp(lab.vm("vm1", br="br7"), "10.0.0.9", A)
    lv.shows(("10.0.0.9", A))


def test_refused(lab):
    """A file that is somebody else's is left as it is."""
    lv = Leases(lab)
    lab.switch()
    os.mkdir(lv.dir)
    conf = os.path.join(lv.dir, "default.conf")
    with open(conf, "w") as f:
        f.write("strict-order\ninterface=br0\ndhcp-range=10.0.0.2,10.0.0.9\n")
    lv.refused("br0", "dnsmasq", conf, lv.path)
    need(lv.entries() is None, "a file for a bridge that libvirt serves")
    with open(lv.path, "w") as f:
        pass
    lv.refused("dnsmasq")
    need(os.path.exists(lv.path), "an empty file of libvirt's was removed")
    os.unlink(lv.path)
    for text in ("strict-order\ninterface=br01\ndhcp-range=10.0.0.2,10.0.0.9\n",
                 "interface=br0\n"):
        with open(conf, "w") as f:
            f.write(text)
        lv.start()
        lv.shows()
        lv.stop()
    others = [{"ip-address": "10.0.0.2", "mac-address": A, "expiry-time": 4000000000}]
    for text in (json.dumps(others), "{", "7"):
        with open(lv.path, "w") as f:
            f.write(text)
        lv.refused(lv.path, "somebody else's")
        with open(lv.path) as f:
            need(f.read() == text, "it was changed")
    # libvirt's helper adds to a file that it finds
    os.unlink(lv.path)
    lv.start()
    lv.shows()
    with open(lv.path, "w") as f:
        json.dump(others, f)
    arp(lab.vm("vm1"), "10.0.0.9", A)
    need(lv.proc.wait(10) == 2 and lv.entries() == others, f"{lv.entries()} {lv.said()}")
    lv.dir = "/nowhere/dnsmasq"
    r = subprocess.run(lv.command(), capture_output=True, text=True, timeout=10)
    need(r.returncode == 1 and "there is no /nowhere/dnsmasq" in r.stderr, f"{r}")
    r = subprocess.run([PROGRAM, "a/b"], capture_output=True, text=True, timeout=10)
    need(r.returncode == 2 and "no bridge has the name 'a/b'" in r.stderr, f"{r}")


lib.main()
