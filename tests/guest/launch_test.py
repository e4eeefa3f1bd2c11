#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests that Bascule launches: from `guest start` to the power button, with
the daemon killed in the midst of it."""
import errno
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import termios
import time

import guestlib
from guestlib import lib


def configure(g, ip4):
    g.run(f"ip link set eth0 up && ip addr add {ip4}/24 dev eth0")
    g.ip4 = ip4


def state(g, word, limit=10):
    lib.wait_until(lambda: g.info()["state"] == word, limit,
                   lambda: f"{g.name} is {word}: {g.info()['state']}")


def cable(g, where):
    """`guest show` has it there."""
    said = g.sw.cli("guest", "show", g.name).stdout
    lib.need(("cable out" in said) == (where == "out") and
             g.info()["nets"][0]["cable"] == (where == "in"), f"not {where}: {said}")


def carrier(g):
    """As the guest has it."""
    return g.run("cat /sys/class/net/eth0/carrier").strip()


def console_by_hand(g):
    """`bascule guest console` at a terminal, left by its key."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    p = subprocess.Popen(["ip", "netns", "exec", g.sw.ns, os.path.join(lib.BUILD, "bascule"),
                          "-S", g.sw.sock, "guest", "console", g.name],
                         stdin=theirs, stdout=theirs, stderr=theirs)
    said, end = b"", time.monotonic() + 10
    asked = False
    while b"@@ 77 0" not in said and time.monotonic() < end:
        if select.select([ours], [], [], 0.2)[0]:
            said += os.read(ours, 4096)
        if b"leaves it" in said and not asked:
            lib.wait_until(lambda: termios.tcgetattr(theirs)[3] & termios.ICANON == 0, 2,
                           "the terminal is raw")
            os.write(ours, b"77 echo six times $((3 * 7))\n")
            asked = True
    lib.need(b"six times 21" in said and b"@@ 77 0" in said, f"the console says {said!r}")
    os.write(ours, b"\x1d")
    lib.need(p.wait(5) == 0, f"guest console: exit {p.returncode}")
    lib.need(termios.tcgetattr(theirs) == before, "the terminal is not as it was")
    os.close(ours)
    os.close(theirs)


def sleeps_briefly(pid):
    with open(f"/proc/{pid}/syscall") as f:
        return f.read().startswith("7 0x0 0x0 0x14 ")  # poll(NULL, 0, 20)


def console_by_script(g):
    """A second console is refused; one whose input has ended ends."""
    sw = g.sw
    r = sw.cli("guest", "console", g.name, check=False)
    # the one that is attached was not made in the switch's network namespace
    lib.need(r.returncode == 1 and r.stderr == f"bascule: guest {g.name}: another console is "
             "attached, from another network namespace, or its QEMU does not answer\n", r.stderr)
    # where others wait, and give up, it waits as well
    queue, path = [], g.info()["console"]
    while not queue or queue[-1].connect_ex(path) != errno.EAGAIN:
        queue.append(socket.socket(socket.AF_UNIX))
        queue[-1].setblocking(False)
    p = sw.lab.spawn(*sw.words("guest", "console", g.name), ns=sw.ns, stderr=subprocess.PIPE,
                     text=True)
    lib.wait_until(lambda: sleeps_briefly(p.pid) or p.poll() is not None, 5, "it waits")
    for s in queue:
        s.close()
    g.unlisten()
    lib.need(p.communicate(timeout=20)[1] == "" and p.returncode == 0, "it is served in the end")
    for _ in range(3):  # one after the other, without waiting
        t0 = time.monotonic()
        r = lib.sh("sh", "-c", 'printf "78 echo seven times \\$((6 * 7))\\n" | '
                   f'"$0" -S "$1" guest console {g.name}', os.path.join(lib.BUILD, "bascule"),
                   sw.sock, ns=sw.ns)
        lib.need("seven times 42" in r.stdout and "@@ 78 0" in r.stdout and r.stderr == "",
                 f"{r.stdout!r} {r.stderr!r}")
        lib.need(time.monotonic() - t0 < 5, "the console ends late")
    r = sw.cli("guest", "console", g.name)  # its input is /dev/null
    lib.need(r.stdout == "" and r.stderr == "", f"{r.stdout!r} {r.stderr!r}")


def unprivileged(pid):
    """Root's daemon gives QEMU no rights."""
    with open(f"/proc/{pid}/status") as f:
        s = dict(x.rstrip("\n").split(":\t", 1) for x in f if ":\t" in x)
    lib.need(set(s["Uid"].split()) != {"0"} and "0" not in s["Uid"].split(), s["Uid"])
    lib.need(int(s["CapEff"], 16) == 0, s["CapEff"])
    lib.need(s["NoNewPrivs"] == "1" and s["Seccomp"] == "2", str(s))


def test_launch(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge launches no guests")
    sw = lab.switch()
    h = lab.host("host")
    events = sw.monitor("events", "guest", stdout=open(os.path.join(lab.dir, "events.log"), "w"))
    g1 = guestlib.Launched(lab, "g1", "br0", modules=guestlib.BUTTON, private=True)
    g2 = guestlib.Launched(lab, "g2", "br0,kind=stream", extra=("--restart", "always"))
    t0 = time.monotonic()
    g1.start()
    g2.start()
    print(f"     two guests started in {time.monotonic() - t0:.2f} s")
    i = g1.info()
    lib.need(i["state"] == "running" and i["nets"][0]["port"] == "g1" and i["nets"][0]["attached"],
             str(i))
    unprivileged(i["pid"])
    r = lib.sh("ip", "-n", sw.ns, "-o", "link", "show", "g1").stdout
    lib.need("fe:54:00:" in r and i["nets"][0]["mac"][2:] in r, r)
    for n, g in ((11, g1), (12, g2)):
        g.wait_ready(1)
        configure(g, f"10.9.0.{n}")
    g1.ping(g2.ip4)
    g1.ping(h.ip4)
    g2.ping(h.ip4)
    guestlib.untroubled(lab, "g1", "g2")
    for g in (g1, g2):
        lib.wait_until(lambda g=g: g.ip4 in [a["address"] for a in
                                             g.info()["nets"][0]["addresses"]], 5,
                       lambda g=g: f"{g.name}'s address is known: {g.info()['nets']}")

    sw.cli("guest", "link", "g1", "down")
    lib.wait_until(lambda: carrier(g1) == "0", 5, "g1 sees that its cable is out")
    sw.cli("guest", "link", "g1", "up")
    g1.ping(h.ip4)
    for g in (g1, g2):
        sw.cli("guest", "link", g.name, "down")
    console_by_script(g1)
    console_by_hand(g1)
    g1.relisten()

    with open(os.path.join(lab.dir, "events.log")) as f:
        said = f.read()
    for word in ("guest-defined", "guest-started", "guest-link-down", "guest-link-up"):
        lib.need(word in said, f"no {word} among the events: {said}")
    events.terminate()

    # the daemon is killed: the guests do not notice
    pids = g1.info()["pid"], g2.info()["pid"]
    os.kill(sw.json("version")["pid"], signal.SIGKILL)
    sw.proc.wait(5)
    t0 = time.monotonic()
    sw.start()
    lib.need((g1.info()["pid"], g2.info()["pid"]) == pids, "the guests were not found")
    lib.need(not g1.info()["nets"][0]["attached"], "a port without a bridge")
    for g in (g1, g2):
        cable(g, "out")
        lib.need(carrier(g) == "0", f"the cable of {g.name} is in")
        sw.cli("guest", "link", g.name, "up")
        cable(g, "in")
    sw.bridge("br0")
    sw.addif("br0", h.port)
    sw.wait_forwarding(h.port)
    for g in (g1, g2):
        lib.wait_until(lambda g=g: g.info()["nets"][0]["attached"], 5, "its port is back")
        sw.wait_forwarding(g.name)
    print(f"     ports back {time.monotonic() - t0:.2f} s after the daemon began")
    g1.ping(g2.ip4)
    g1.ping(h.ip4)
    state(g1, "running")

    # the same when it ends by itself
    sw.cli("guest", "link", "g2", "down")
    sw.stop()
    sw.start()
    cable(g1, "in")
    cable(g2, "out")
    sw.bridge("br0")
    sw.addif("br0", h.port)
    sw.wait_forwarding("g1")
    sw.wait_forwarding(h.port)
    g1.ping(h.ip4)
    state(g1, "running")

    # power button, and a guest that goes by itself and is started again
    g1.run(guestlib.ACPID)
    g2.post("poweroff -f")
    t0 = time.monotonic()
    sw.cli("guest", "stop", "g1", timeout=40)
    print(f"     g1 powered down in {time.monotonic() - t0:.1f} s")
    state(g1, "stopped")
    lib.need(g1.info()["why"] == "", f"g1 says {g1.info()['why']!r}")  # no child of this daemon
    r = lib.sh("ip", "-n", sw.ns, "link", "show", "g1", check=False)
    lib.need(r.returncode != 0, f"the tap is still there: {r.stdout}")
    lib.wait_until(lambda: g2.info().get("pid") not in (None, pids[1]), 10, "g2 is back")
    state(g2, "running")
    cable(g2, "in")  # it is another machine's
    g2.listen()
    g2.wait_ready(1)
    configure(g2, "10.9.0.12")
    g2.ping(h.ip4)
    guestlib.no_warnings(sw)
    r = sw.cli("guest", "stop", "g2", "--timeout", "1", check=False)  # it has no acpid
    lib.need(r.returncode == 1 and "has not powered down in time" in r.stderr, r.stderr)
    state(g2, "running")
    os.kill(g2.info()["pid"], signal.SIGKILL)
    lib.wait_until(lambda: g2.info()["starts"] == 2, 10, "g2 was started again")
    sw.cli("guest", "kill", "g2")
    state(g2, "stopped")


def test_adopted(lab):
    """In a bridge of the kernel's that is adopted a guest is a member: it stays
    reachable when that is undone, and when the daemon ends or is killed."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge launches no guests")
    ns = lab.ns("sw")
    lib.sh("ip", "-n", ns, "link", "add", "br0", "type", "bridge")
    lib.sh("ip", "-n", ns, "link", "set", "br0", "up")
    lib.sh("ip", "-n", ns, "addr", "add", "10.9.0.254/24", "dev", "br0")
    lib.sh("sh", "-c", "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
           "[ ! -e $f ] || echo 0 >$f; done", ns=ns)
    h = lib.Host(lab, "h1", "packet", 1, "p1")
    lab.veth(h.port, h.ns)
    h.configure(True, 1500)
    lib.sh("ip", "-n", ns, "link", "set", "p1", "master", "br0")
    sw = lab.sw = lib.Bascule(lab)
    sw.start()
    sw.cli("adopt", "br0")
    g = guestlib.Launched(lab, "g1", "br0")
    g.start()

    def kernels():
        return "g1" in lib.sh("bridge", "-n", ns, "link").stdout

    def reached(why):
        for n in (ns, h.ns):
            lib.reaches(n, g.ip4, 5)
        lib.need(kernels(), f"{why}: g1 is no port of the kernel's bridge")

    def attached():
        lib.wait_until(lambda: g.info()["nets"][0]["attached"], 5, "g1 has a port")
        lib.wait_until(lambda: lib.port_info(sw, "br0", "g1")["state"] == "forwarding", 5,
                       "it forwards")
        p = lib.port_info(sw, "br0", "g1")
        lib.need(p["spec"] == "packet:g1,adopt=br0" and p["guest"] == "g1", str(p))
    attached()
    g.wait_ready(1)
    configure(g, "10.9.0.11")
    reached("adopted")
    sw.cli("adopt", "br0", "--undo")
    lib.need(not g.info()["nets"][0]["attached"], "a port without a bridge")
    said = sw.cli("guest", "show", "g1").stdout
    lib.need("bridge br0, tap: in the kernel's bridge br0\n" in said, said)
    reached("given back")
    lib.sh("ip", "-n", ns, "link", "set", "g1", "nomaster")
    said = sw.cli("guest", "show", "g1").stdout
    lib.need("bridge br0, tap: not attached\n" in said, said)
    lib.sh("ip", "-n", ns, "link", "set", "g1", "master", "br0")
    sw.cli("adopt", "br0")
    attached()
    reached("adopted again")
    for end in (signal.SIGKILL, signal.SIGTERM):
        sw.stop(end)
        reached(f"ended by {end}")
        sw.start()
        sw.cli("adopt", "br0")
        attached()
        reached(f"adopted after {end}")
    for _ in range(10):  # the one before is hardly gone
        sw.cli("guest", "kill", "g1")
        sw.cli("guest", "start", "g1")
        attached()
    sw.cli("guest", "kill", "g1")
    lib.need(not kernels(), "the tap is still there")
    lib.wait_until(lambda: [p["name"] for p in sw.json("port", "show", "br0")] == ["br0", "p1"], 3,
                   lambda: f"g1's port is gone: {sw.json('port', 'show', 'br0')}")
    guestlib.no_warnings(sw)


def test_network_boot(lab):
    """iPXE of QEMU's network card, DHCP and TFTP."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge launches no guests")
    if not os.path.exists("/usr/lib/ipxe/qemu/efi-virtio.rom"):
        raise lib.Skip("ipxe-qemu is not installed")
    if not shutil.which("dnsmasq"):
        raise lib.Skip("dnsmasq is not installed")
    sw = lab.switch()
    h = lab.host("boot")
    tftp = os.path.join(lab.dir, "tftp")
    os.mkdir(tftp)
    os.chmod(lab.dir, 0o755)
    log = os.path.join(lab.dir, "dnsmasq.log")
    with open(os.path.join(tftp, "hello.ipxe"), "w") as f:
        f.write("#!ipxe\necho booted over the network\npoweroff\n")
    with open(log, "w") as f:
        lab.spawn("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--no-ping",
                  "--user=root", "--pid-file=", "--interface=eth0", "--bind-interfaces",
                  "--dhcp-authoritative", f"--dhcp-leasefile={lab.dir}/leases",
                  "--dhcp-range=10.9.0.100,10.9.0.150,255.255.255.0,1h", "--enable-tftp",
                  f"--tftp-root={tftp}", "--dhcp-boot=hello.ipxe", ns=h.ns, stdout=f, stderr=f)
    sw.cli("guest", "define", "pxe", "--memory", "128", "--net", "br0", "--boot", "network")
    lab.at_end(lambda: sw.cli("guest", "kill", "pxe", check=False))
    sw.cli("guest", "start", "pxe")

    def sent():
        with open(log) as f:
            return re.search(r"sent .*hello\.ipxe to", f.read())
    lib.wait_until(sent, 40, lambda: "the script was fetched: " + open(log).read()[-800:])
    sw.cli("guest", "kill", "pxe")


guestlib.main()
