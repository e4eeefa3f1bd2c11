#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests without a kernel: started and ended many times, and everything that
is refused.  Nothing may be left behind."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree

import guestlib
from guestlib import lib, need_qemu, refused, state

PAUSED = ("--qemu-arg", "-S")


class Left:
    """What there is of us on this host: descriptors, interfaces, files,
    processes."""

    def __init__(self, lab):
        sw = lab.sw
        pid = daemon(lab)
        self.fds = min(descriptors(pid) for _ in range(10))
        self.links = sorted(re.findall(r"^\d+: ([^:@]+)", lib.sh(
            "ip", "-n", sw.ns, "-o", "link").stdout, re.M))
        self.files = sorted(os.path.join(d, f) for d, _, fs in os.walk(lab.dir)
                            for f in fs if not f.endswith(".log"))
        self.qemus = lib.sh("ip", "netns", "pids", sw.ns).stdout.split()

    def same(self, other, why):
        for what in ("fds", "links", "files", "qemus"):
            a, b = getattr(self, what), getattr(other, what)
            lib.need(a == b, f"{why}: {what} were {a} and are {b}")


def descriptors(pid):
    """Of a process; the one of whoever has just asked it goes a moment later."""
    time.sleep(0.01)
    return lib.descriptors(pid)


def daemon(lab):
    """basculed itself, not the ip that it was started by."""
    return lab.sw.json("version")["pid"]


def settled(lab, before, why):
    """The daemon lets go of the last things a moment later."""
    def same():
        try:
            before.same(Left(lab), why)
            return True
        except lib.Failed:
            return False
    end = time.monotonic() + 5
    while time.monotonic() < end and not same():
        time.sleep(0.1)
    before.same(Left(lab), why)


def is_back(lab, name, pid):
    """Waits until a guest that was `pid` is another process; that it waits for a second
    before can be too short to be seen."""
    def back():
        g = lab.sw.json("guest", "show", name)
        return g["state"] == "prelaunch" and g["pid"] != pid
    lib.wait_until(back, 8, f"{name} is back")


def test_cycles(lab):
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "c1", "--memory", "32", "--net", "br0", *PAUSED)
    sw.cli("guest", "define", "c2", "--memory", "32", "--net", "br0,kind=stream", *PAUSED)
    for g in ("c1", "c2"):  # what is made once is made now
        sw.cli("guest", "start", g)
        lib.need(state(lab, g) == "prelaunch", f"{g} is {state(lab, g)}")
        sw.cli("guest", "kill", g)
    before = Left(lab)
    t0 = time.monotonic()
    for i in range(50):
        g = ("c1", "c2")[i % 2]
        sw.cli("guest", "start", g)
        sw.cli("guest", "stop" if i % 4 < 2 else "kill", g)
    print(f"     50 cycles in {time.monotonic() - t0:.1f} s")
    guestlib.no_warnings(sw)
    settled(lab, before, "after 50 cycles")


def test_kill(lab):
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "k1", "--memory", "32", "--net", "br0", "--net",
           "br0,queues=2", *PAUSED)
    sw.cli("guest", "start", "k1")
    sw.cli("guest", "kill", "k1")
    before = Left(lab)
    t0 = time.monotonic()
    for _ in range(20):
        sw.cli("guest", "start", "k1")
        os.kill(sw.json("guest", "show", "k1")["pid"], signal.SIGKILL)
        lib.wait_until(lambda: state(lab, "k1") == "stopped", 5, "k1 has stopped", step=0.01)
    print(f"     20 ends by kill -9 in {time.monotonic() - t0:.1f} s")
    settled(lab, before, "after 20 times kill -9")
    why = sw.json("guest", "show", "k1")["why"]
    lib.need(why == "QEMU was ended by signal 9", f"k1 says {why!r}")
    with open(sw.log) as f:
        told = [x for x in f if ": warn: " in x]
    lib.need(told == ["basculed: warn: guest k1: QEMU was ended by signal 9\n"] * 20, str(told))

    # the next daemon says what this one does of how it runs
    sw.cli("guest", "start", "k1")
    why = sw.json("guest", "show", "k1")["why"]
    sw.stop()
    sw.start()
    lib.need(sw.json("guest", "show", "k1")["why"] == why and (why or os.path.exists("/dev/kvm")),
             f"{why!r} has become {sw.json('guest', 'show', 'k1')['why']!r}")
    sw.bridge("br0")
    lib.wait_until(lambda: all(n["attached"] for n in sw.json("guest", "show", "k1")["nets"]), 5,
                   "it is attached")
    sw.cli("guest", "kill", "k1")

    # its device goes, and it stays
    sw.cli("guest", "start", "k1")
    lib.sh("ip", "-n", sw.ns, "link", "del", "k1")
    lib.wait_until(lambda: "warn: guest k1 runs, but its port k1 failed: " in sw.log_tail(), 5,
                   lambda: f"a loss is told: {sw.log_tail()}")
    sw.cli("guest", "kill", "k1")


def test_restart_policy(lab):
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "p1", "--memory", "32", "--net", "br0", "--restart",
           "on-failure", *PAUSED)
    sw.cli("guest", "start", "p1")
    sw.cli("guest", "kill", "p1")
    before = Left(lab)
    sw.cli("guest", "start", "p1")
    first = sw.json("guest", "show", "p1")["pid"]
    os.kill(first, signal.SIGKILL)
    is_back(lab, "p1", first)
    p = sw.json("guest", "show", "p1")
    lib.need(p["pid"] != first and p["starts"] == 3 and p["nets"][0]["attached"], str(p))
    lib.wait_until(lambda: sw.json("guest", "show", "p1")["nets"][0]["port_link"], 5,
                   "its port has a link again")
    os.kill(p["pid"], signal.SIGKILL)
    lib.wait_until(lambda: state(lab, "p1") == "waiting", 3, "p1 waits")
    sw.cli("guest", "stop", "p1")  # while it waits
    lib.need(state(lab, "p1") == "stopped", state(lab, "p1"))
    settled(lab, before, "after a stop while it waited")

    # it waits, and so does the next daemon
    sw.cli("guest", "start", "p1")
    os.kill(sw.json("guest", "show", "p1")["pid"], signal.SIGKILL)
    lib.wait_until(lambda: state(lab, "p1") == "waiting", 3, "p1 waits")
    sw.stop()
    sw.start()
    sw.bridge("br0")
    lib.wait_until(lambda: state(lab, "p1") == "prelaunch", 8, "p1 is back with the daemon")
    lib.need(sw.json("guest", "show", "p1")["nets"][0]["attached"], "p1 has no port")
    sw.cli("guest", "kill", "p1")


def test_bridge_back(lab):
    """Its bridge comes back at the moment at which it ends to be started again."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    sw.bridge("br0", "--no-local")
    sw.cli("guest", "define", "b1", "--memory", "32", "--net", "br0", *PAUSED)
    sw.cli("guest", "start", "b1")
    for _ in range(10):
        sw.cli("delbr", "br0")
        ask = {"addbr": {"bridge": "br0", "local": False}, "guest.restart": {"name": "b1"}}
        asked = []
        for method, params in ask.items():
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(sw.sock)
            s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                  "params": params}).encode() + b"\n")
            asked.append(s)
        for s in asked:
            a = json.loads(s.makefile().readline())
            lib.need("result" in a, f"{a} {sw.log_tail(12)}")
            s.close()
        lib.need(state(lab, "b1") == "prelaunch", sw.log_tail(12))
        lib.need(sw.json("guest", "show", "b1")["nets"][0]["attached"], sw.log_tail(12))
    qemus = [p for p in lib.sh("ip", "netns", "pids", sw.ns).stdout.split()
             if b"qemu" in open(f"/proc/{p}/cmdline", "rb").read()]
    lib.need(len(qemus) == 1, f"these run: {qemus}")
    lib.need("no way" not in sw.log_tail(1000), sw.log_tail(40))
    sw.cli("guest", "kill", "b1")


def asked(lab, *args):
    """A client whose request the daemon has got."""
    sw = lab.sw
    before, looks = sw.json("stats")["requests"], 0
    p = lab.spawn(os.path.join(lib.BUILD, "bascule"), "-S", sw.sock, *args, ns=sw.ns,
                  stderr=subprocess.PIPE, text=True)

    def heard():
        nonlocal looks
        looks += 1
        return sw.json("stats")["requests"] - before > looks
    lib.wait_until(heard, 10, f"{args} is heard")
    return p


def test_next_daemon(lab):
    """One that finds a guest and is slow, or whose guest is."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "n1", "--memory", "32", "--net", "br0", "--restart", "on-failure",
           *PAUSED)
    sw.cli("guest", "start", "n1")
    pid = sw.json("guest", "show", "n1")["pid"]
    sw.stop()
    os.kill(pid, signal.SIGSTOP)
    sw.start()
    p = asked(lab, "guest", "link", "n1", "down")  # QEMU has not answered yet
    os.kill(pid, signal.SIGCONT)
    _, said = p.communicate(timeout=10)
    lib.need(p.returncode == 0, f"its cable: {said!r}")
    # who lost patience is answered first, and whoever came then waits for the own one
    os.kill(pid, signal.SIGSTOP)
    refused(lab, "QEMU has not answered within 5 s", "guest", "link", "n1", "down")
    p = asked(lab, "guest", "link", "n1", "up")
    os.kill(pid, signal.SIGCONT)
    lib.need(p.wait(10) == 0, "its cable is put in")
    lib.need(sw.log_tail(1) == "basculed: info: guest n1: its cable is in\n", sw.log_tail(4))
    # it ends while nobody looks, as it should
    ours = daemon(lab)
    os.kill(ours, signal.SIGSTOP)
    os.kill(pid, signal.SIGTERM)
    lib.wait_until(lambda: pid_state(pid) in "Z-", 5, "QEMU has ended")
    os.kill(ours, signal.SIGCONT)
    lib.wait_until(lambda: state(lab, "n1") in ("stopped", "waiting"), 5, "its end is seen")
    g = sw.json("guest", "show", "n1")
    lib.need(g["state"] == "stopped" and g["why"] == "", str(g))
    guestlib.no_warnings(sw)


def test_died_between_daemons(lab):
    """The file's guest is running when the next daemon has begun."""
    need_qemu()
    sw = lab.switch(bridge=None)
    conf = lab.write("d.yaml", "bascule:\n  bridges: {br0: {}}\n  guests:\n"
                     "    d1: {memory: 32, nets: [br0], qemu-args: ['-S']}\n")
    pid = None
    for _ in range(4):
        sw.stop()
        if pid:
            os.kill(pid, signal.SIGKILL)
            lib.wait_until(lambda: pid_state(pid) == "-", 5, "QEMU is gone")
        sw.start("--config", conf)
        g = sw.json("guest", "show", "d1")
        lib.need(g["state"] == "prelaunch" and g["pid"] != pid, f"{g} {sw.log_tail()}")
        pid = g["pid"]


def pid_state(pid):
    """The letter in /proc; "-": there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return "-"


def test_stop_wins(lab):
    """Whoever stops a guest whose QEMU has just died has stopped it."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "w1", "--memory", "32", "--net", "br0", "--restart", "on-failure",
           *PAUSED)
    for _ in range(5):
        sw.cli("guest", "start", "w1")
        pid = sw.json("guest", "show", "w1")["pid"]
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(sw.sock)
            f = s.makefile()
            s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"guest.list"}\n')
            f.readline()
            stopped = daemon(lab)
            os.kill(stopped, signal.SIGSTOP)
            try:
                os.kill(pid, signal.SIGKILL)
                lib.wait_until(lambda: re.search(r"\) [ZX]", open(f"/proc/{pid}/stat").read()), 5,
                               "QEMU is dead", step=0.01)
                s.sendall(b'{"jsonrpc":"2.0","id":2,"method":"guest.stop",'
                          b'"params":{"name":"w1"}}\n')
            finally:
                os.kill(stopped, signal.SIGCONT)
            said = f.readline()
        lib.need('"result"' in said, said)
        lib.need(state(lab, "w1") == "stopped", f"w1 is {state(lab, 'w1')}")
    starts = sw.json("guest", "show", "w1")["starts"]
    time.sleep(1.5)
    i = sw.json("guest", "show", "w1")
    lib.need(i["state"] == "stopped" and i["starts"] == starts, str(i))
    lib.need([p["name"] for p in sw.json("port", "show", "br0")] == ["br0"], "its port is left")


def test_cables(lab):
    """A cable is out when QEMU has taken it out."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "l1", "--memory", "32", "--net", "br0", "--net", "br0", *PAUSED)
    sw.cli("guest", "start", "l1")
    pid = sw.json("guest", "show", "l1")["pid"]

    def cables():
        return [n["cable"] for n in sw.json("guest", "show", "l1")["nets"]]
    for _ in range(2):
        sw.cli("guest", "link", "l1", "down")
        lib.need(cables() == [False, False], str(cables()))
    told = sw.log_tail(50).count("guest l1: its cable is out\n")
    lib.need(told == 1, f"nothing changes, and it is told: {told} times")
    sw.cli("guest", "link", "l1", "up")
    lib.need(cables() == [True, True], str(cables()))
    os.kill(pid, signal.SIGSTOP)
    try:
        refused(lab, r"guest l1: QEMU has not answered within 5 s", "guest", "link", "l1", "down")
        lib.need(cables() == [True, True], f"before QEMU has answered: {cables()}")
    finally:
        os.kill(pid, signal.SIGCONT)
    lib.wait_until(lambda: cables() == [False, False], 5, "QEMU has gone on")
    os.kill(pid, signal.SIGSTOP)
    t = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
    t.start()
    refused(lab, r"guest l1: its QEMU does not listen", "guest", "link", "l1", "up")
    t.join()
    lib.wait_until(lambda: state(lab, "l1") == "stopped", 5, "l1 has stopped")


def test_deaf_stream(lab):
    """QEMU does not notice the daemon's end while nobody takes its card's frames."""
    need_qemu()
    sw = lab.switch(quiet=True)
    h = lab.host("host")
    sw.cli("guest", "define", "d1", "--memory", "32", "--net", "br0,kind=stream", *PAUSED)
    sw.cli("guest", "start", "d1")
    w = h.wire()
    for _ in range(3):
        w.send(lib.frame(lib.BCAST, h.mac, bytes(50)))
        lib.wait_until(lambda: lib.port_info(sw, "br0", "d1")["tx_frames"] > 0 or
                       not lib.port_info(sw, "br0", "d1")["link"], 3, "frames wait in QEMU")
        sw.stop(signal.SIGKILL)
        sw.start()
        sw.bridge("br0")
        sw.addif("br0", h.port)
        sw.wait_forwarding(h.port)
        lib.wait_until(lambda: sw.json("guest", "show", "d1")["nets"][0]["attached"], 5, "attached")
    lib.wait_until(lambda: lib.port_info(sw, "br0", "d1")["why"].endswith(
        ": it has not noticed the last one's end (QEMU: its card is down)"), 3,
        lambda: f"the port says why: {lib.port_info(sw, 'br0', 'd1')['why']}")
    sw.cli("guest", "kill", "d1")


def test_ports_by_hand(lab):
    """A card's port is what stands on its tap, wherever somebody has put it."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.bridge("br1")

    def net():
        return sw.json("guest", "show", "m1")["nets"][0]

    def ports(br):
        return [p["name"] for p in sw.json("port", "show", br) if p["no"]]
    sw.cli("guest", "define", "m1", "--memory", "32", "--net", "br0", "--restart", "on-failure",
           *PAUSED)
    for bridge, spec, name, where in (("br0", "m1", "m1", ""), ("br1", "m1", "m1", "br1"),
                                      ("br0", "packet:m1,name=front", "front", "")):
        sw.cli("guest", "start", "m1")
        sw.delif("br0", "m1")
        n = net()
        lib.need(not n["attached"] and "rx_frames" not in n, str(n))
        sw.addif(bridge, spec)
        n = net()
        lib.need(n["attached"] and n["elsewhere"] == where and n["port"] == name and
                 n["bridge"] == "br0" and "rx_frames" in n, str(n))
        shown = sw.cli("guest", "show", "m1").stdout
        lib.need(("but now in br1" in shown) == bool(where), shown)
        sw.cli("guest", "kill", "m1")
        lib.need(not ports("br0") and not ports("br1"), f"left: {ports('br0')} {ports('br1')}")
    # it waits there while the guest does
    sw.cli("guest", "start", "m1")
    sw.delif("br0", "m1")
    sw.addif("br1", "m1")
    pid = sw.json("guest", "show", "m1")["pid"]
    os.kill(pid, signal.SIGKILL)
    is_back(lab, "m1", pid)
    lib.need(net()["attached"] and net()["elsewhere"] == "br1" and not ports("br0"), str(net()))
    sw.cli("guest", "kill", "m1")
    lib.need(not ports("br1"), f"left: {ports('br1')}")
    # others that clean up after a guest of theirs called so leave it alone
    vsctl = os.path.join(lab.dir, "ovs-vsctl")
    os.symlink(os.path.join(lib.BUILD, "bascule"), vsctl)
    sw.cli("guest", "start", "m1")
    lib.need(lib.port_info(sw, "br0", "m1")["guest"] == "m1", "whose port is it?")
    for args, status in ((("--if-exists", "del-port", "m1"), 0), (("del-port", "m1"), 1),
                         (("--may-exist", "add-port", "br0", "m1"), 1)):
        r = lib.sh(vsctl, f"--db=unix:{sw.sock}", "--", *args, ns=sw.ns, check=False)
        lib.need(r.returncode == status and "guest m1's, which runs" in r.stderr,
                 f"{args}: {r.returncode} {r.stderr}")
    lib.need(net()["attached"], str(net()))
    sw.cli("guest", "kill", "m1")
    # what is called so and is something else is not the guest's
    sw.cli("guest", "start", "m1")
    sw.delif("br0", "m1")
    sw.addif("br1", "mem:m1")
    lib.need(not net()["attached"], str(net()))
    sw.cli("guest", "kill", "m1")
    lib.need(ports("br1") == ["m1"], f"{ports('br1')}")
    sw.delif("br1", "m1")


def test_moved(lab):
    """A guest that QEMU's migration moves away is not paused, and no button ends it."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    for name, args, event in (("mv1", (), "running"), ("mv2", PAUSED, "prelaunch")):
        m = guestlib.Monitor(lab, name)
        sw.cli("guest", "define", name, "--memory", "32", *m.args, *args)
        sw.cli("guest", "start", name)
        lib.need(state(lab, name) == event, f"{name} is {state(lab, name)}")
        m.say(f"migrate -d {m.sink()}")
        lib.wait_until(lambda n=name: state(lab, n) == "postmigrate", 10,
                       lambda n=name: f"{n} is {state(lab, n)}")
        lib.wait_until(lambda n=name: f"info: guest {n} was moved away\n" in sw.log_tail(20), 2,
                       lambda: sw.log_tail(20))
        said = f"guest {name} was moved away: bascule guest kill {name} ends what is left of it"
        t0 = time.monotonic()
        for command in ("stop", "start", "restart"):
            refused(lab, said, "guest", command, name)
        lib.need(time.monotonic() - t0 < 5, "it is said at once")
        lib.need(state(lab, name) == "postmigrate", f"{name} is {state(lab, name)}")
        sw.cli("guest", "kill", name)
    lib.need("is paused" not in sw.log_tail(100), sw.log_tail(100))
    # one that waits to be moved here
    sw.cli("guest", "define", "mv3", "--memory", "32", "--qemu-arg", "-incoming", "--qemu-arg",
           "defer")
    sw.cli("guest", "start", "mv3")
    refused(lab, "guest mv3 waits to be moved here: bascule guest kill mv3 ends it", "guest",
            "stop", "mv3")
    sw.cli("guest", "stop", "--kill", "mv3")
    guestlib.no_warnings(sw)


def test_words(lab):
    """What is said of a guest that stands is what QEMU says it stands for."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    m = guestlib.Monitor(lab, "wd")
    sw.cli("guest", "define", "wd", "--memory", "32", *m.args)
    sw.cli("guest", "start", "wd")

    def told():
        return re.findall(r"info: guest wd (.*)\n", sw.log_tail(100))
    for line, word, said in (("stop", "paused", "is paused"), ("cont", "running", "goes on"),
                             ("stop", "paused", "is paused")):
        m.say(line)
        lib.wait_until(lambda w=word: state(lab, "wd") == w, 5, f"wd is {word}")
        lib.need(told()[-1] == said, f"{word}: {told()}")
    # it is paused already: no word is told twice
    m.say("stop")
    m.say("cont")
    lib.wait_until(lambda: state(lab, "wd") == "running", 5, "wd is running")
    lib.need(told()[-4:] == ["is paused", "goes on", "is paused", "goes on"], f"{told()}")


def test_adopted(lab):
    """When an adoption has answered, a running guest's card is where it says."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    lib.sh("ip", "-n", sw.ns, "link", "add", "kbr", "type", "bridge")
    lib.sh("ip", "-n", sw.ns, "link", "set", "kbr", "up")
    sw.cli("adopt", "kbr")
    sw.cli("guest", "define", "ad", "--memory", "32", "--net", "kbr", "--net", "kbr", *PAUSED)
    sw.cli("guest", "start", "ad")
    for _ in range(8):
        sw.cli("adopt", "kbr", "--undo")
        lib.need(sw.json("guest", "show", "ad")["nets"][0]["kernel_bridge"] == "kbr", "it is left")
        with socket.socket(socket.AF_UNIX) as s:  # at once, as no command would be
            s.settimeout(20)
            s.connect(sw.sock)
            f = s.makefile()
            asked = []
            for method, params in (("adopt", {"bridge": "kbr"}), ("guest.show", {"name": "ad"})):
                s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                      "params": params}).encode() + b"\n")
                asked.append(json.loads(f.readline()))
        lib.need("result" in asked[0], str(asked[0]))
        nets = asked[1]["result"]["nets"]
        lib.need(all(n["attached"] and not n["kernel_bridge"] for n in nets),
                 f"adopted: {asked[0]}, and shown: {nets}")
        lib.wait_until(lambda: all(n["port_link"] for n in sw.json("guest", "show", "ad")["nets"]),
                       5, "its ports have a link")
    sw.cli("guest", "kill", "ad")
    guestlib.no_warnings(sw)


def freeze(pid):
    os.kill(pid, signal.SIGSTOP)
    lib.wait_until(lambda: pid_state(pid) == "T", 10, "QEMU stands still")


def test_console_unserved(lab):
    """Somebody else's console is one thing, a QEMU that does not answer another."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    pid = {}
    for name in ("cu", "cv"):
        sw.cli("guest", "define", name, "--memory", "32", *PAUSED)
        sw.cli("guest", "start", name)
        pid[name] = sw.json("guest", "show", name)["pid"]
    freeze(pid["cv"])
    refused(lab, f"guest cv: its QEMU does not answer: process {pid['cv']} is stopped$", "guest",
            "console", "cv")
    os.kill(pid["cv"], signal.SIGCONT)
    p = lab.spawn(os.path.join(lib.BUILD, "bascule"), "-S", sw.sock, "guest", "console", "cu",
                  ns=sw.ns, stdin=subprocess.PIPE)
    lib.wait_until(lambda: re.search(r" 03 +\d+ \S*cu/console.sock", lib.sh(
        "cat", "/proc/net/unix", ns=sw.ns).stdout), 10, "it is attached")
    said = "guest cu: another console is attached, and there can be one at a time$"
    refused(lab, said, "guest", "console", "cu")
    freeze(pid["cu"])  # and so it is
    refused(lab, said, "guest", "console", "cu")
    os.kill(pid["cu"], signal.SIGCONT)
    p.stdin.close()
    lib.need(p.wait(10) == 0, "the console ends")


def test_console_of_an_end(lab):
    """QEMU ends while somebody waits to be served."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    sw.cli("guest", "define", "ce", "--memory", "32", *PAUSED)
    sw.cli("guest", "start", "ce")
    pid = sw.json("guest", "show", "ce")["pid"]
    freeze(pid)
    waiting = [lab.spawn(os.path.join(lib.BUILD, "bascule"), "-S", sw.sock, "guest", "console",
                         "ce", ns=sw.ns, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(8)]  # more than there is room for in its queue

    def sockets(p):
        fds = f"/proc/{p.pid}/fd"
        return sum(os.path.realpath(f"{fds}/{x}").rpartition("/")[2].startswith("socket:")
                   for x in os.listdir(fds))
    lib.wait_until(lambda: any(sockets(p) > 1 for p in waiting), 10, "one waits")
    os.kill(pid, signal.SIGKILL)
    t0 = time.monotonic()
    for p in waiting:
        said = p.communicate(timeout=20)[1]
        lib.need(re.search("guest ce (has ended|does not run)$", said), said)
    lib.need(time.monotonic() - t0 < 5, "they have waited for nothing")


def test_consoles_at_once(lab):
    """Of two that come at the same moment one is served, and only the other is told."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    sw.cli("guest", "define", "ca", "--memory", "32", *PAUSED)
    sw.cli("guest", "start", "ca")
    for _ in range(4):
        both = [lab.spawn(os.path.join(lib.BUILD, "bascule"), "-S", sw.sock, "guest", "console",
                          "ca", ns=sw.ns, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for _ in range(2)]
        lost = lib.wait_until(lambda: [p for p in both if p.poll() is not None], 20, "one is told")
        lib.need(len(lost) == 1 and "another console is attached" in lost[0].stderr.read(),
                 f"{[p.poll() for p in both]}")
        both.remove(lost[0])
        both[0].stdin.close()
        lib.need(both[0].wait(10) == 0, both[0].stderr.read())


def test_console_full(lab):
    """What the guest says cannot be written: no silent end."""
    need_qemu()
    sw = lab.switch(quiet=True)
    # a firmware that speaks on the serial line, again and again
    sw.cli("guest", "define", "cf", "--memory", "32", "--qemu-arg", "-machine", "--qemu-arg",
           "graphics=off", "--qemu-arg", "-boot", "--qemu-arg", "reboot-timeout=100")
    sw.cli("guest", "start", "cf")
    with open("/dev/full", "w") as full:
        p = subprocess.Popen(guestlib.from_outside(sw, "guest", "console", "cf"),
                             stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE, text=True)
    try:
        said = p.stderr.read()  # until it ends
        lib.need(p.wait(30) == 1 and said ==
                 "bascule: console of cf: standard output: No space left on device\n",
                 f"exit {p.returncode}: {said!r}")
    finally:
        p.kill()
        p.communicate()
    sw.cli("guest", "kill", "cf")


def test_reset_loop(lab):
    """A guest that finds nothing to boot from and starts anew does not fill the log."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "rl", "--memory", "32", "--qemu-arg", "-boot", "--qemu-arg",
           "reboot-timeout=100")
    sw.cli("guest", "start", "rl")

    def lines():
        return [x for x in sw.log_tail(400).splitlines() if "guest rl was reset" in x]
    lib.wait_until(lines, 30, "it was reset")
    time.sleep(6)  # it starts anew every tenth of a second
    lib.need(len(lines()) == 1, f"the log: {lines()}")
    if os.environ.get("LONG"):
        lib.wait_until(lambda: len(lines()) > 1, 70, "more is told of")
        time.sleep(3)
        lib.need(len(lines()) == 2 and
                 re.search(r"was reset \d+ times in the last 60 s$", lines()[1]),
                 f"the log: {lines()}")
    sw.cli("guest", "kill", "rl")


def test_tap_deleted(lab):
    """Somebody deletes a running guest's interface: whoever looks at it sees that."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "t1", "--memory", "32", "--net", "br0", *PAUSED)
    sw.cli("guest", "start", "t1")
    lib.need(sw.json("guest", "show", "t1")["nets"][0]["why"] == "", "it is well")
    lib.sh("ip", "-n", sw.ns, "link", "del", "t1")
    lib.wait_until(lambda: sw.json("guest", "show", "t1")["nets"][0]["why"] ==
                   "interface t1 was deleted", 3,
                   lambda: f"why: {sw.json('guest', 'show', 't1')['nets']}")
    shown = sw.cli("guest", "show", "t1").stdout
    lib.need("tap: no link, interface t1 was deleted" in shown, shown)
    sw.cli("guest", "kill", "t1")


def test_stream_moves(lab):
    """The card of a stream guest is no interface, and has its port's name all the same."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.bridge("br3")

    def net():
        return sw.json("guest", "show", "st")["nets"][0]
    refused(lab, "interface st does not exist", "addif", "br3", "st")
    sw.cli("guest", "define", "st", "--memory", "32", "--net", "br0,kind=stream", *PAUSED)
    refused(lab, "interface st does not exist", "addif", "br3", "st")
    sw.cli("guest", "start", "st")
    for br, where in (("br3", "br3"), ("br0", ""), ("br0", "")):
        sw.delif(net()["elsewhere"] or "br0", "st")
        lib.need(not net()["attached"], str(net()))
        sw.addif(br, "st")
        n = net()
        lib.need(n["attached"] and n["elsewhere"] == where and n["port"] == "st", str(n))
        sw.wait_forwarding("st")
    refused(lab, "already a member", "addif", "br3", "st")
    sw.delif("br0", "st")
    sw.addif("br3", "st")
    sw.cli("guest", "kill", "st")
    lib.need(not [p for p in sw.json("port", "show", "br3") if p["no"]], "its port stays")
    refused(lab, "interface st does not exist", "addif", "br3", "st")


def test_refusals(lab):
    need_qemu()
    sw = lab.switch(quiet=True)
    disk = os.path.join(lab.dir, "disk.raw")
    with open(disk, "wb") as f:
        f.truncate(1 << 20)
    define = ("guest", "define")
    sw.cli(*define, "r0", "--memory", "32", "--net", "br0", *PAUSED)
    sw.cli("guest", "start", "r0")  # what is made once is made now
    sw.cli("guest", "kill", "r0")
    sw.cli("guest", "undefine", "r0")
    half = os.path.join(lab.dir, "half")
    os.mkdir(half)
    with open(os.path.join(half, "user-data"), "w"):
        pass
    before = Left(lab)
    for pattern, *args in (
            (r"--disk .*nothing.*No such file", "--disk", "/nothing"),
            (r"--disk .*(neither a file|Is a directory)", "--disk", lab.dir),
            (r"format=vmdk: one of raw, qcow2", "--disk", disk + ",format=vmdk"),
            (r"there is no key colour", "--disk", disk + ",colour=red"),
            (r"--memory 0: 1 to", "--memory", "0"),
            (r"--memory 5x: megabytes", "--memory", "5x"),
            (r"--cpus 999: 1 to 255", "--cpus", "999"),
            (r"--accel xen: one of auto, kvm, tcg", "--accel", "xen"),
            (r"kind=foo: one of tap, stream$", "--net", "br0,kind=foo"),
            (r"vhost-user: it is not available yet; use tap or stream$", "--net",
             "br0,kind=vhost-user"),
            (r"mac=01:00:00:00:00:01", "--net", "br0,mac=01:00:00:00:00:01"),
            (r"queues=2: a stream has one", "--net", "br0,kind=stream,queues=2"),
            (r"--initrd: it goes with --kernel", "--initrd", disk),
            (r"--snapshot: there is no --disk", "--snapshot"),
            (r"--boot cdrom: the guest has none", "--boot", "cdrom"),
            (r"--numa: the nodes have 8 MB", "--numa", "0:0:8"),
            (r"--cloud-init .*user-data", "--cloud-init", lab.dir),
            (r"--cloud-init \S*/half: meta-data: No such file", "--cloud-init", half),
            (r"--disk, bus=usb: one of virtio", "--disk", disk + ",bus=usb"),
            (r"--net, queues=0: 1 to", "--net", "br0,queues=0"),
            (r"--memory 5x: megabytes", "--memory=5x"),
            (r"--memory is given twice", "--memory=5", "--memory", "5"),
            (r"no option --snapshot=on$", "--snapshot=on"),
            (r"no option --mem=5$", "--mem=5"),
            (r"no option --memoryx=5$", "--memoryx=5"),
            (r"--net: 'br 0' cannot be a bridge's name: ", "--net", "br 0"),
            (r"--net br0,: there is nothing behind a comma", "--net", "br0,"),
            (r"--net br0,,kind=tap: there is nothing", "--net", "br0,,kind=tap"),
            (r"--vnc localhost:99999: HOST:DISPLAY.*0 to 59635", "--vnc", "localhost:99999"),
            (r"--machine microvm: it has no PCI", "--machine", "microvm"),
            (r"no option --colour", "--colour", "red")):
        refused(lab, pattern, *define, "r1", *args)
    refused(lab, r"at most 15 characters", *define, "a-name-of-16-chr")
    refused(lab, r"a-name-of-15-ch-1: at most 15", *define, "a-name-of-15-ch", "--net", "br0",
            "--net", "br0")
    refused(lab, r"letters, digits", *define, "a/b")
    refused(lab, r"the guest's name is empty", *define, "")
    lib.need(sw.json("guest", "list") == [], "something has been defined")
    settled(lab, before, "after refused definitions")

    sw.cli(*define, "r1", "--memory", "32", "--net", "br0,mac=52:54:00:00:00:01",
           "--disk", disk, *PAUSED)
    before = Left(lab)
    refused(lab, r"r1 is defined already", *define, "r1")
    refused(lab, r"52:54:00:00:00:01: guest r1 has that address", *define, "r2", "--net",
            "br0,mac=52:54:00:00:00:01")
    refused(lab, r"there is no guest r9", "guest", "start", "r9")
    refused(lab, r"r1 does not run", "guest", "stop", "r1")
    refused(lab, r"r1 does not run", "guest", "kill", "r1")
    sw.cli("guest", "start", "r1")
    refused(lab, r"r1 runs already", "guest", "start", "r1")
    refused(lab, r"r1 is prelaunch: .*kill", "guest", "undefine", "r1")
    sw.cli("guest", "kill", "r1")
    settled(lab, before, "after an ordinary start")

    os.rename(disk, disk + "x")
    refused(lab, r"--disk .*No such file", "guest", "start", "r1")
    os.rename(disk + "x", disk)
    lib.sh("ip", "-n", sw.ns, "link", "add", "r1", "type", "veth", "peer", "name",
           "r1x")
    refused(lab, r"interface r1 exists already", "guest", "start", "r1")
    lib.sh("ip", "-n", sw.ns, "link", "del", "r1")
    sw.addif("br0", "mem:r1")
    refused(lab, r"br0 has a port r1 already", "guest", "start", "r1")
    sw.delif("br0", "r1")
    run = os.path.join(lab.dir, "ctl.guests", "run", "r1", "qmp.sock")
    os.makedirs(run)
    refused(lab, r"qmp.sock is in the way", "guest", "start", "r1")
    os.rmdir(run)
    os.rmdir(os.path.dirname(run))
    mine = os.path.join(lab.dir, "mine")
    os.mkdir(mine)
    with open(os.path.join(mine, "letter"), "w"):
        pass
    os.symlink(mine, os.path.dirname(run))
    refused(lab, r"run/r1 is in the way: Not a directory", "guest", "start", "r1")
    lib.need(os.listdir(mine) == ["letter"], f"in the folder is {os.listdir(mine)}")
    os.unlink(os.path.dirname(run))
    shutil.rmtree(mine)
    sw.cli("guest", "undefine", "r1")

    sw.cli(*define, "r1", "--net", "nobridge", "--memory", "32")
    refused(lab, r"there is no bridge nobridge", "guest", "start", "r1")
    sw.cli("guest", "undefine", "r1")
    sw.cli(*define, "r1", "--net", "br0", "--memory", "4000G")
    refused(lab, r"cannot .*memory", "guest", "start", "r1")
    sw.cli("guest", "undefine", "r1")
    sw.cli(*define, "r1", "--net", "br0", "--memory", "32", "--machine", "none-such")
    refused(lab, r"ended with status 1: --machine none-such: unsupported machine type$", "guest",
            "start", "r1")
    lib.need(sw.json("guest", "show", "r1")["state"] == "stopped", "r1 is not stopped")
    sw.cli("guest", "undefine", "r1")
    before.files = [f for f in before.files if not f.endswith("r1.json")]
    settled(lab, before, "after refused starts")


def test_kinds(lab):
    """QEMU takes what we make of every option."""
    need_qemu()
    sw = lab.switch(quiet=True)
    disk, kernel, seed = (os.path.join(lab.dir, x) for x in ("disk,1.raw", "kernel", "seed"))
    for f in (disk, kernel):
        with open(f, "wb") as out:
            out.truncate(1 << 20)
        os.chmod(f, 0o600)  # root's, and QEMU is somebody else
    os.chmod(lab.dir, 0o711)  # QEMU makes VNC's socket by itself
    os.mkdir(seed)
    for f, text in (("user-data", "#cloud-config\n"), ("meta-data", "instance-id: x\n")):
        with open(os.path.join(seed, f), "w") as out:
            out.write(text)
    if shutil.which("qemu-img"):
        qcow2 = os.path.join(lab.dir, "disk.qcow2")
        lib.sh("qemu-img", "create", "-f", "qcow2", qcow2, "8M")
    else:
        qcow2 = None

    def disk_by(**keys):
        return {"path": disk, **keys}
    kinds = {
        "v1": {"disks": [disk_by(bus="ide")]},
        "v2": {"disks": [disk_by(bus="scsi", readonly=True), disk_by(bus="virtio", readonly=True)],
               "cdrom": disk},
        "v3": {"disks": [disk_by(bus="virtio")], "snapshot": True, "machine": "q35"},
        "v5": {"cpus": 2, "memory": 64, "numa": [{"node": 0, "cpus": "0", "memory": 32},
                                                 {"node": 1, "cpus": "1", "memory": 32}]},
        "v6": {"ksm": "off", "vnc": "on", "boot": "network",
               "nets": [{"bridge": "br0", "queues": 4}, {"bridge": "br0", "kind": "stream"}]},
    }
    if qcow2:
        kinds["v7"] = {"disks": [{"path": qcow2}]}
    if shutil.which("genisoimage"):
        kinds["v8"] = {"cloud_init": seed}
    for name, d in kinds.items():
        d.update(name=name, qemu_args=["-S"])
        d.setdefault("memory", 32)
        answer = sw.rpc("guest.define", d)
        lib.need("result" in answer, f"{name}: {answer}")
        sw.cli("guest", "start", name)
        i = sw.json("guest", "show", name)
        lib.need(i["state"] == "prelaunch", f"{name}: {i['state']}")
        if name == "v6":
            lib.need(all(n["attached"] for n in i["nets"]), str(i["nets"]))
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(i["vnc_socket"])
                lib.need(s.recv(3) == b"RFB", "no VNC at its socket")
        run = os.path.join(lab.dir, "ctl.guests/run", name)
        for f in os.listdir(run):
            mode = os.stat(os.path.join(run, f)).st_mode
            lib.need(mode & 0o077 == 0, f"{name}: {f} is open to others: {mode:o}")
        if name == "v8":
            with open(os.path.join(lab.dir, "ctl.guests/run/v8/seed.iso"), "rb") as f:
                lib.need(b"cidata" in f.read(), "the seed has no such label")
        sw.cli("guest", "kill", name)
        sw.cli("guest", "undefine", name)
    sw.cli("guest", "define", "v9", "--kernel", kernel, "--initrd", kernel, "--append", "a=b, c")
    # QEMU has read it, and is not content with zeros
    refused(lab, "linux kernel too old", "guest", "start", "v9")
    for_libvirt(sw)


def for_libvirt(sw):
    sw.cli("guest", "define", "x1", "--net", "br0")
    sw.cli("guest", "define", "x2", "--net", "br0,queues=2", "--net", "b--1", "--net",
           "b--1,kind=stream", "--net", "br0", "--net", "br0,kind=stream")
    for name, tags in (("x1", ["lab"]), ("x2", ["lab-br0", "lab-b--1", "4000", "lab-br0", "4001"])):
        text = sw.cli("guest", "xml", name).stdout
        root = xml.etree.ElementTree.fromstring(f"<devices>{text}</devices>")
        macs = [n["mac"] for n in sw.json("guest", "show", name)["nets"]]
        lib.need([i.find("mac").get("address") for i in root] == macs, text)
        lib.need([i.find("source").get("network") or i.find("source").get("port")
                  for i in root] == tags, text)
        lib.need([i.get("type") for i in root] ==
                 ["client" if t.isdigit() else "network" for t in tags], text)
        lib.need(text.count("openvswitch") == len(set(t for t in tags if "lab" in t)), text)
        lib.need(text.count("type='ethernet'") == 1 and
                 text.count("stream:127.0.0.1:4000,listen=on") == ("4000" in tags), text)
        sw.cli("guest", "undefine", name)


def test_sentences(lab):
    """What is said of a guest that does not start speaks of what its user gave."""
    need_qemu()
    sw = lab.switch(quiet=True)
    raw, empty = (os.path.join(lab.dir, x) for x in ("no.qcow2", "empty"))
    for path, size in ((raw, 1 << 20), (empty, 0)):
        with open(path, "wb") as f:
            f.truncate(size)
    for args, pattern in (
            (("--disk", raw), r"--disk \S*/no.qcow2: Image is not in qcow2 format"),
            (("--kernel", empty), r"load kernel '\S*/empty'"),
            (("--disk", f"{raw},format=raw", "--disk", f"{raw},format=raw"),
             r"using the image \[\S*/no.qcow2\]"),
            (("--memory", "4000G", "--hugepages"),
             r"--hugepages: \d+ huge pages of \d+ kB are needed and \d+ are free; "
             r"sysctl vm.nr_hugepages=\d+ reserves")):
        sw.cli("guest", "define", "t1", *args, *PAUSED)
        said = refused(lab, pattern, "guest", "start", "t1")
        lib.need("/dev/fdset" not in said and "/proc/self" not in said, said)
        shown = sw.cli("guest", "show", "t1").stdout
        lib.need("t1: stopped\n" in shown and len(re.findall(r"\bt1\b", shown)) == 1, shown)
        sw.cli("guest", "undefine", "t1")
    if shutil.which("qemu-img"):
        far = os.path.join(lab.dir, "a-folder-with-a-name-as-long-" + "as-people-give-them-" * 3)
        base, over = os.path.join(far, "base.qcow2"), os.path.join(far, "over.qcow2")
        os.mkdir(far)
        lib.sh("qemu-img", "create", "-f", "qcow2", base, "1M")
        lib.sh("qemu-img", "create", "-f", "qcow2", "-b", base, "-F", "qcow2", over)
        os.chmod(base, 0o600)  # root's, and QEMU opens it by itself
        sw.cli("guest", "define", "t1", "--disk", over, *PAUSED)
        refused(lab, r"--disk /\S*/a-folder.*\.\.\..*/base.qcow2': Permission denied$",
                "guest", "start", "t1")
        sw.cli("guest", "undefine", "t1")
    r = sw.cli("guest", "define", "t1", "--net", "br0", "--net", "br7", "--net", "br8", "--net",
               "br7", *PAUSED)
    lib.need(r.stdout == "" and r.stderr == "guest t1 is defined, and cannot start yet: there is "
             "no bridge br7, br8\n", r.stderr)
    sw.cli("guest", "undefine", "t1")
    told = sw.json("guest", "define", "t1", "--net", "br9")
    lib.need(told == {"name": "t1", "notice": "is defined, and cannot start yet: there is no "
                      "bridge br9"}, str(told))
    sw.cli("guest", "undefine", "t1")
    r = sw.cli("guest", "define", "t1", "--net", "br0", *PAUSED)
    lib.need(r.stderr == "", r.stderr)
    sw.cli("guest", "undefine", "t1")
    refused(lab, r"which guest\?  Its name is empty", "guest", "show", "")


def test_store(lab):
    """Definitions outlive the daemon; a broken one harms nobody."""
    need_qemu()
    os.environ["BASCULE_GUESTS"] = os.path.join(lab.dir, "defs")
    try:
        sw = lab.switch(quiet=True)
        sw.cli("guest", "define", "s1", "--net=br0,kind=stream", "--memory=1G", "--vnc=on",
               "--qemu-arg=-name a=b")
        sw.cli("guest", "define", "s2", "--restart", "always")
        before = sw.json("guest", "show", "s1")
        lib.need((before["memory"], before["vnc"], before["qemu_args"],
                  before["nets"][0]["kind"]) == (1024, "on", ["-name a=b"], "stream"), str(before))
        sw.stop()
        with open(os.path.join(lab.dir, "defs", "s2.json"), "w") as f:
            f.write("{")
        sw.start()
    finally:
        del os.environ["BASCULE_GUESTS"]
    lib.need([g["name"] for g in sw.json("guest", "list")] == ["s1"], "not s1 alone is there")
    lib.need(sw.json("guest", "show", "s1") == before, "s1 has changed")
    lib.need("s2.json" in sw.log_tail(), sw.log_tail())


def test_group(lab):
    """Those of the group decide on bridges, and not on what was done with guests."""
    need_qemu()
    sw = lab.switch("--group", "65533", quiet=True, bridge=None)
    os.chmod(lab.dir, 0o755)
    conf = os.path.join(lab.dir, "g.yaml")
    for more, rc in (("  guests: {g1: {memory: 32, start: off}}\n", 1), ("", 0)):
        with open(conf, "w") as f:
            f.write("bascule:\n  bridges: {br0: {local: off}}\n" + more)
        for args in (("confirm", "--revert"), ("confirm",)):
            sw.cli("apply", "--confirm", "60", conf)
            r = lib.sh("setpriv", "--reuid", "65534", "--regid", "65533", "--clear-groups",
                       os.path.join(lib.BUILD, "bascule"), "-S", sw.sock, *args, check=False)
            lib.need(r.returncode == rc and ("only root and the daemon's own user" in r.stderr) ==
                     bool(rc), f"{args}: {r.returncode} {r.stderr}")
            if rc:
                sw.cli("confirm", "--revert")
            elif args == ("confirm",):
                sw.cli("delbr", "br0")


def test_chatty(lab):
    """A QEMU that warns without end does not fill the machine's memory."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    log = os.path.join(lab.dir, "ctl.guests/run/c1/log")
    sw.cli("guest", "define", "c1", "--memory", "32", *PAUSED)
    sw.cli("guest", "start", "c1")

    def chatter():
        with open(log, "a") as f:
            for i in range(3000):
                f.write(f"warning {i} {'.' * 500}\n")
                f.flush()

    def is_cut():
        return os.stat(log).st_size < 1 << 20
    chatter()
    lib.wait_until(is_cut, 5, lambda: f"{os.stat(log)}")
    with open(log) as f:
        lines = f.read().splitlines()
    # what is written at that moment stands before or behind
    gone = [x for x in lines if not x.startswith("warning ")]
    lib.need(gone == ["(here were earlier lines, which are gone)"] and len(lines) > 100,
             f"{lines[:3]} ... {len(lines)} lines")
    sw.stop()
    chatter()
    sw.start()
    lib.wait_until(is_cut, 5, lambda: f"{os.stat(log)}")
    sw.cli("guest", "kill", "c1")


def test_prepared(lab):
    """Definitions and notes that somebody else may have put there are not obeyed."""
    need_qemu()
    theirs = os.path.join(lab.dir, "ctl.guests")
    os.makedirs(os.path.join(theirs, "run", "e1"))
    with open(os.path.join(theirs, "e1.json"), "w") as f:
        json.dump({"name": "e1", "memory": 32, "restart": "always"}, f)
    with open(os.path.join(theirs, "run", "e1", "state"), "w") as f:
        f.write('{"pid":4194303,"start":1,"kvm":false}')
    sw = lib.Bascule(lab)
    for bad in (theirs, os.path.join(theirs, "run")):
        os.chmod(bad, 0o777)
        sw.start(wait=False)
        lib.need(sw.proc.wait(10) == 1, sw.log_tail())
        lib.need(f"error: {bad} is not a directory that only this user can write to; " in
                 sw.log_tail(1), sw.log_tail())
        os.chmod(bad, 0o755)
    shutil.rmtree(theirs)
    sw = lab.switch(quiet=True)
    lib.need(sw.json("guest", "list") == [], "a guest from nowhere")
    os.mkdir(theirs)
    os.chmod(theirs, 0o777)
    refused(lab, "is not a directory that only this user can write to", "guest", "define", "e2",
            "--memory", "32")
    os.chmod(theirs, 0o755)
    sw.cli("guest", "define", "e2", "--memory", "32", *PAUSED)
    os.chmod(theirs, 0o777)
    refused(lab, "is not a directory that only this user can write to", "guest", "start", "e2")


def test_no_qemu(lab):
    need_qemu()
    os.environ["BASCULE_QEMU"] = "qemu-system-none"
    try:
        sw = lab.switch(quiet=True)
    finally:
        del os.environ["BASCULE_QEMU"]
    sw.cli("guest", "define", "n1", "--net", "br0")
    refused(lab, r"there is no program qemu-system-none", "guest", "start", "n1")


def test_readers(lab):
    """Others see guests and change none."""
    need_qemu()
    sw = lab.switch(quiet=True)
    sw.cli("guest", "define", "o1", "--memory", "32", *PAUSED)
    os.chmod(lab.dir, 0o755)
    os.chmod(sw.sock, 0o666)
    exe = os.path.join(lib.BUILD, "bascule")
    s = socket.socket(socket.AF_UNIX)
    pid = os.fork()
    if pid == 0:  # the build folder may be closed to others: the protocol is not
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            s.connect(sw.sock)
            s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"guest.list"}\n'
                      b'{"jsonrpc":"2.0","id":2,"method":"guest.start","params":{"name":"o1"}}\n')
            f = s.makefile()
            a, b = f.readline(), f.readline()
            ok = '"o1"' in a and "-32001" in b
            os._exit(0 if ok else 1)
        except BaseException:
            os._exit(2)
    s.close()
    lib.need(os.waitpid(pid, 0)[1] == 0, f"a reader may do what he should not ({exe})")


guestlib.main()
