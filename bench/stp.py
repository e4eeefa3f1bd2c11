# SPDX-License-Identifier: BSD-2-Clause
"""The spanning tree: for how long nothing comes when a link is cut, beside Open
vSwitch and Linux; a new guest's first frame; a tree under attack; unicast while
the tree changes elsewhere.

Networks and numbered frames are those of the tests (tests/netns/stplib.py)."""

import contextlib
import fcntl
import os
import statistics
import struct
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tests", "netns"))

import stplib
from lib import Series, Unavailable, cpu_busy
from stplib import BACK, THERE

RING = "a-b b-c c-d d-e e-a"
REST = 4  # s between events: a port has six BPDUs, and one more a second
DEFAULTS = 2, 20, 15  # hello time, max age, forward delay; OVS has no other hello


@contextlib.contextmanager
def lab(c, name):
    """A lab of the tests', gone afterwards."""
    stplib.use_build(c.build)
    here = stplib.lib.Lab(name)
    try:
        yield here
    finally:
        here.close()


def repetitions(c, n):
    return 2 if c.quick else n


def make_ring(here, kinds, root="a", hosts="a c", times=DEFAULTS):
    try:
        net = stplib.Net(here, " ".join("%s:%s" % x for x in zip(
            "abcde", kinds.split())), RING, hosts=hosts, root=root, times=times)
    except stplib.lib.Skip as e:
        raise Unavailable(str(e)) from e
    net.converged(60)
    net.rooted(root, 60)
    return net


def outage(net, cut, silent=False, limit=30):
    """Milliseconds in which nothing came, of unicast at 1 kHz to and fro: the
    worse direction."""
    a, b = cut
    with net.watched(pair="ac") as w:
        time.sleep(0.5)
        w.forget()
        net.cut(a, b, silent)
        w.resumes("c", THERE, limit)
        w.resumes("a", BACK, limit)
        time.sleep(0.2)
    w.clean(turned=10 ** 9)  # the tests are strict; here time counts
    again = sum(s["frames"] - s["numbers"] for h in w.got.values()
                for s in h.values())
    net.mend(a, b, silent)
    net.converged(60)
    return max(w.of("c", THERE)["gap_ms"], w.of("a", BACK)["gap_ms"]), again


# ---- a link is cut ----

RINGS = {
    "bascule": "bascule bascule bascule bascule bascule",
    "ovs": "ovs-rstp ovs-rstp ovs-rstp ovs-rstp ovs-rstp",
    "3 ovs, 2 bascule": "ovs-rstp bascule ovs-rstp bascule ovs-rstp",
}


def rings(c, here, part, stack):
    up = {}
    for i, (name, kinds) in enumerate(RINGS.items()):
        place = here if i == 0 else stack.enter_context(lab(c, "ring%d" % i))
        try:
            up[name] = make_ring(place, kinds)
        except Unavailable as e:
            c.report.unavailable(part, name, e)
    return up


def stp_cut(c):
    """Rings take turns; the cut link is next to the root, or the one behind."""
    part = "stp-cut"
    c.report.head(part, "RSTP, ring of five, a link is cut; outage of unicast")
    got, again = {}, {}
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(lab(c, "ring"))
        up = rings(c, here, part, stack)
        for i in range(repetitions(c, 20)):
            time.sleep(REST)
            for name, net in up.items():
                ms, n = outage(net, ("ab", "bc")[i % 2])
                got.setdefault(name, []).append(ms)
                again[name] = again.get(name, 0) + n
    s = {n: Series(v) for n, v in got.items()}
    for n, v in s.items():
        c.report.series(part, n, "outage", "ms", v)
        c.report.series(part, n, "frames that came again", "", Series([
            again[n]]))
    c.report.target(part, "outage in ms, bascule", s["bascule"], "<=", 50)
    if "ovs" in s and "3 ovs, 2 bascule" in s:
        # medians: single outages of both differ tenfold
        c.report.target(part, "outage, mixed : ovs", Series([
            s["3 ovs, 2 bascule"].median / s["ovs"].median]), "<=", 1.5)


# so that --quick takes 14 s each and not 50; the targets are for the defaults, for
# RSTP waits for three hellos before the other clocks begin
SHORT = 2, stplib.MAX_AGE, stplib.FORWARD_DELAY


KERNELS = {
    "b is kbr": "bascule kernel bascule bascule bascule",  # beside the cut
    "d is kbr": "bascule bascule bascule kernel bascule",  # opens the way
    "all kbr": "kernel kernel kernel kernel kernel",
}


def kernel_outages(c, kinds, times, how, n):
    with lab(c, "kernel") as here:
        net = make_ring(here, kinds, times=times)
        got = []
        for _ in range(n):
            time.sleep(REST)
            got.append(outage(net, "ab", how == "link silent",
                              2 * (times[1] + 2 * times[2]))[0] / 1e3)
    return Series(got)


def stp_kernel(c):
    """One Linux bridge among four Bascules, and nothing but Linux bridges."""
    part = "stp-kernel"
    c.report.head(part, "ring of five, one of them a Linux bridge (STP)")
    times = SHORT if c.quick else DEFAULTS
    bound = times[1] + 2 * times[2]
    for how in ("link down", "link silent"):
        for who, kinds in KERNELS.items():
            s = kernel_outages(c, kinds, times, how, 1 if c.quick else 2)
            c.report.series(part, who, "outage, " + how, "s", s)
            c.report.target(part, "%s, %s : max age + 2 x fwd delay" % (
                who, how), Series(x / bound for x in s.values), "<=",
                None if who == "all kbr" else 1.1)


# ---- a guest begins ----

def first_frame(net, vm_dev, number):
    """Milliseconds from carrier to the first frame on the other side."""
    lib, b = stplib.lib, net.bridges["a"]
    src = lib.mac("02:09:00:00:03:%02x" % (number & 0xff))
    body = number.to_bytes(4, "big") + bytes(42)
    wire = lib.Wire(net.hosts["c"].ns, "eth0")
    vm = None
    try:
        t0 = time.monotonic()
        vm = attach(b.ns, vm_dev)
        t1 = time.monotonic()
        while time.monotonic() < t1 + 5:
            os.write(vm, bytes(10) + lib.frame(lib.BCAST, src, body))
            if wire.collect(lambda f: f[14:18] == body[:4] and f[6:12] == src,
                            1, 0.0005):
                return (time.monotonic() - t0) * 1e3
        raise RuntimeError("no frame within 5 s")
    finally:
        if vm is not None:
            os.close(vm)
        wire.close()


def attach(ns, dev):
    """Takes hold of a tap that is there and up: with this it has carrier."""
    lib = stplib.lib
    with lib.inside(ns):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(fd, lib.TUNSETIFF, struct.pack(
            "16sH22x", dev.encode(), lib.IFF_TAP | lib.IFF_NO_PI |
            lib.IFF_VNET_HDR))
    return fd


def new_guests(net, n):
    lib, b = stplib.lib, net.bridges["a"]
    lib.sh("ip", "-n", b.ns, "tuntap", "add", "vm1", "mode", "tap", "vnet_hdr")
    lib.sh("ip", "-n", b.ns, "link", "set", "vm1", "up")
    b.add("vm1")
    got = []
    for i in range(n):
        lib.wait_until(lambda: b.ports()["vm1"].state == "disabled", 5,
                       "the port is down without carrier")
        got.append(first_frame(net, "vm1", i))
    return got


def lease_ms(net, n):
    lib, b, h = stplib.lib, net.bridges["a"], net.hosts["c"]
    lib.sh("ip", "-n", h.ns, "addr", "add", "10.9.0.1/24", "dev", h.dev)
    lib.dhcp_server(net.lab, h.ns, h.dev)
    got = []
    for i in range(n):
        t0 = time.monotonic()
        vm = lib.Vm(b.ns, "g%d" % i)
        try:
            b.add("g%d" % i)
            stplib.lease(vm, lib.mac("02:09:00:00:04:%02x" % i))
            got.append((time.monotonic() - t0) * 1e3)
        finally:
            vm.close()
    return got


def stp_guest(c):
    part = "stp-guest"
    c.report.head(part, "a new guest's port, STP on, in a ring of five")
    with lab(c, "guest") as here:
        net = make_ring(here, RINGS["bascule"])
        frames = new_guests(net, 10 if c.quick else 100)
        leases = lease_ms(net, 3 if c.quick else 20)
    c.report.series(part, "bascule", "carrier to first frame", "ms",
                    Series(frames))
    c.report.series(part, "bascule", "new port to DHCP lease", "ms",
                    Series(leases))
    p95 = statistics.quantiles(frames, n=20)[-1]
    c.report.target(part, "carrier to first frame in ms, p95", Series([p95]),
                    "<=", 10)
    c.report.target(part, "longest way to a lease in s",
                    Series([max(leases) / 1e3]), "<=", 2)


# ---- under attack ----

def tool(here, ns, name, *args, prefix=()):
    return here.spawn(*prefix, os.path.join(stplib.lib.TOOLS, name), *args, ns=ns,
                      stdout=subprocess.PIPE, text=True)


def extra_host(net, bridge, name):
    """A further host; its namespace.  A port without keys, as users add it."""
    lib, b = stplib.lib, net.bridges[bridge]
    ns = net.lab.ns(name)
    stplib.quiet(net.lab, name)
    lib.sh("ip", "-n", b.ns, "link", "add", name, "type", "veth", "peer",
           "name", "eth0", "netns", ns)
    lib.sh("ip", "-n", b.ns, "link", "set", name, "up")
    lib.sh("ip", "-n", ns, "link", "set", "eth0", "up")
    b.add(name)
    return ns


# which ports of the tree look at each other
FACING = [x for link in RING.split() for x in (
    stplib.Net.names(link), stplib.Net.names(link)[::-1])]


def told(net):
    """{port: BPDUs sent}, {port: BPDUs received}, {port: (state, changes)}"""
    sent, heard, state = {}, {}, {}
    for b in net.bridges.values():
        for name, p in b.show()[1].items():
            n = p["counters"]
            sent[name] = n["tx_rst"] + n["tx_config"] + n["tx_tcn"]
            heard[name] = n["rx_rst"] + n["rx_config"] + n["rx_tcn"]
            state[name] = p["state"], n["to_forwarding"], n["to_discarding"]
    return sent, heard, state


def attack(c, net, seconds):
    here = net.lab
    flood, storm = (extra_host(net, "b", n) for n in ("flood", "storm"))
    time.sleep(5)  # until the new ports are what they will be
    before, t0, cpu = told(net), time.monotonic(), cpu_busy()
    a, z = net.hosts["a"], net.hosts["c"]
    for_so_long = "-s", seconds
    busy = {
        "data": tool(here, a.ns, "macblast", *for_so_long, "-d", z.mac, "-l",
                     1000, "eth0"),
        "data back": tool(here, z.ns, "macblast", *for_so_long, "-d", a.mac,
                          "-l", 1000, "eth0"),
        "addresses": tool(here, flood, "macblast", *for_so_long, "-m",
                          1000000, "eth0"),
        # it stands for a machine of its own, which has no lack of processors
        "BPDUs": tool(here, storm, "bpdublast", *for_so_long, "-r", 100000,
                      "eth0", prefix=("nice", "-n", "-15"))}
    for what, p in busy.items():
        said = p.communicate(timeout=seconds + 60)[0]
        c.report.line("  %s: %s" % (what, said.strip()))
    c.report.line("  processors busy: %.0f %%" % (
        100 * (cpu_busy() - cpu) / (time.monotonic() - t0) / os.cpu_count()))
    # let what is on its way arrive: a hello may be sent between two answers
    time.sleep(0.3)
    return before, told(net)


def lost_bpdus(before, after):
    """Of correct neighbours, by port that ought to have heard them.  The one
    that is on its way while we ask does not count."""
    lost = {}
    for (_, x), (_, y) in FACING:
        sent = after[0][x] - before[0][x]
        heard = after[1][y] - before[1][y]
        lost[y] = max(0, sent - heard - 1)
    return lost


def stp_attack(c):
    part = "stp-attack"
    seconds = 5 if c.quick else 60
    c.report.head(part, "data at full speed both ways, a MAC flood, 100 000 "
                  "BPDU/s, %d s" % seconds)
    with lab(c, "attack") as here:
        net = make_ring(here, RINGS["bascule"])
        before, after = attack(c, net, seconds)
    tree = [y for _, (_, y) in FACING]
    lost = lost_bpdus(before, after)
    changed = [n for n in tree if before[2][n] != after[2][n]]
    flood = after[1]["storm"] - before[1]["storm"]
    own = sum(after[0][n] - before[0][n] for n in tree)
    c.report.line("  %d BPDUs of the flood were taken, %d of the tree sent; "
                  "ports that changed: %s" % (flood, own, " ".join(changed)
                                              or "none"))
    c.report.target(part, "BPDUs of correct neighbours lost",
                    Series([sum(lost.values())]), "<=", 0)
    c.report.target(part, "ports of the tree that changed state",
                    Series([len(changed)]), "<=", 0)


# ---- elsewhere ----

def stp_elsewhere(c):
    """The way from a to e stays; c and d find theirs anew."""
    part = "stp-elsewhere"
    c.report.head(part, "unicast while the topology changes elsewhere")
    lost, flooded, shares = [], [], []
    with lab(c, "elsewhere") as here:
        net = make_ring(here, RINGS["bascule"], hosts="a b e")
        for _ in range(repetitions(c, 10)):
            time.sleep(REST)
            with net.watched(pair="ae", back_rate=20) as w:
                time.sleep(0.3)
                net.cut("c", "b")
                time.sleep(1)
                net.converged()
                net.mend("c", "b")
                time.sleep(1)
            net.converged()
            lost.append(sum(w.sent[s]["sent"] - w.of(h, s)["numbers"]
                            for h, s in (("e", THERE), ("a", BACK))))
            n = w.got["b"].get(THERE, {"numbers": 0})["numbers"]
            flooded.append(n)
            shares.append(n / w.sent[THERE]["sent"])
    c.report.series(part, "bascule", "frames flooded", "", Series(flooded))
    c.report.series(part, "bascule", "share flooded", "", Series(shares))
    c.report.target(part, "frames lost, all repetitions",
                    Series([sum(lost)]), "<=", 0)


PARTS = {
    "stp-cut": stp_cut,
    "stp-kernel": stp_kernel,
    "stp-guest": stp_guest,
    "stp-attack": stp_attack,
    "stp-elsewhere": stp_elsewhere,
}
