#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The spanning tree between Bascules: how long nothing comes when a link is cut, that
nothing comes twice, what becomes of unicast elsewhere, switching it on in a running
loop, what Wireshark thinks of it, guests' ports, loops behind edge ports."""
import os
import time

import stplib
from stplib import BACK, BROADCAST, STP_LIMIT, THERE, lib

RING = "a-b b-c c-d d-e e-a"
# no tight timing: others use this machine
LIMIT = STP_LIMIT if lib.KERNEL else 2.0


def ring(lab, hosts):
    net = stplib.Net(lab, "a:bascule b:bascule c:bascule d:bascule e:bascule", RING,
                     hosts=hosts, root="a")
    net.converged()
    net.rooted("a")
    return net


def test_cut_and_mend(lab):
    """Each link in turn, with broadcasts and unicast all the time."""
    net = ring(lab, "a b c d e" if not lib.KERNEL else "a c")
    for x, y in ["ab", "cb", "dc"] if not lib.KERNEL else ["ab"]:
        with net.watched("a", pair="ac") as w:
            time.sleep(5)  # a port has six BPDUs, and one more each second (TxHoldCount)
            net.cut(x, y)
            w.resumes("c", THERE)
            time.sleep(0.3)
            net.mend(x, y)
            net.converged()
        w.clean()
        gap = {h: w.of(h)["gap_ms"] for h in net.hosts if h != "a"}
        uni = w.of("c", THERE)["gap_ms"], w.of("a", BACK)["gap_ms"]
        print(f"     {x}-{y}: longest silence, ms: broadcasts "
              f"{' '.join(f'{h} {g:.0f}' for h, g in gap.items())}, unicast "
              f"{uni[0]:.0f} to and {uni[1]:.0f} fro")
        lib.need(max(*gap.values(), *uni) < LIMIT * 1e3, f"{x}-{y}: silence of {gap} {uni} ms")


def test_silent_cut(lab):
    """A link that stays up and carries nothing: three hellos, then as above."""
    net = ring(lab, "a b")
    with net.watched("a") as w:
        time.sleep(0.3)
        net.cut("a", "b", silent=True)
        w.resumes("b")
        net.converged()
    w.clean()
    gap = w.of("b")["gap_ms"]
    print(f"     silence: {gap:.0f} ms")
    lib.need(gap < 3e3 * stplib.HELLO + LIMIT * 1e3, f"silent cut: silence of {gap} ms")


def test_root_change(lab):
    net = ring(lab, "a c d")
    with net.watched("c", pair="ad") as w:
        for root in "db":
            net.bridges[root].priority(4096 if root == "d" else 0)
            net.rooted(root)
            net.converged()
        w.resumes("a")
    w.clean()
    gap = w.of("a")["gap_ms"], w.of("d")["gap_ms"]
    lib.need(max(gap) < 2 * LIMIT * 1e3, f"root change: silence of {gap} ms")


def test_unicast_elsewhere(lab):
    """Unicast between hosts whose way does not change, while a link elsewhere goes and
    comes: addresses are flushed, so that frames are flooded for a moment; none is lost."""
    net = ring(lab, "a b e")

    def flooded():
        return w.now("b").get(THERE, {"numbers": 0})["numbers"]
    # c's way to the root is by b, d's by e: the link c-b is not between a and e
    with net.watched(pair="ae", back_rate=20) as w:
        time.sleep(0.5)
        before = flooded()  # e's host was not known at first
        net.cut("c", "b")
        time.sleep(0.5)
        net.converged()
        # forwarding again, b tells a, which forgets what is behind a_e
        net.mend("c", "b")
        if net.ours:
            lib.wait_until(lambda: flooded() > before, 6, "frames are flooded")
        net.converged()
    w.clean()
    for host, stream in (("e", THERE), ("a", BACK)):
        s = w.of(host, stream)
        lib.need(s["first"] == 0 and s["missing"] == 0 and
                 s["last"] + 1 == w.sent[stream]["sent"],
                 f"stream {stream} to {host}: some of it was lost: {s}, sent "
                 f"{w.sent[stream]}")
    n = w.got["b"].get(THERE, {"numbers": 0})["numbers"]
    print(f"     of {w.sent[THERE]['sent']} frames {n - before} were flooded")
    lib.need(n < w.sent[THERE]["sent"] / 2, f"{n} were flooded: nothing is learned")


def test_switched_on_in_a_loop(lab):
    """A loop storms until the spanning tree is on, and not after."""
    net = stplib.Net(lab, "a:bascule b:bascule c:bascule", "a-b b-c c-a", hosts="a b",
                     stp=False, rate="2mbit")
    lib.wait_until(lambda: all(p.state == "forwarding" for p in net.ports().values()), 5,
                   "all ports forward")
    with net.watched("a", rate=20) as w:
        time.sleep(0.5)
        storm = w.now("b")[BROADCAST]
        lib.need(storm["copies"] > 5, f"there is no loop to begin with: {storm}")
        for b in net.bridges.values():
            b.stp(True)
        net.converged()
        time.sleep(0.3)  # queues run empty
        w.forget()
        time.sleep(1)
        for h in "ab":
            s = w.now(h).get(BROADCAST)
            lib.need(s is None or s["duplicated"] == 0, f"{h}: the storm goes on: {s}")
        # off and on again where the way is shut: the neighbours hear each other meanwhile
        net.bridges["c"].stp(False)
        time.sleep(0.5)
        net.bridges["c"].stp(True)
        net.converged()
        time.sleep(0.3)
        w.forget()
        time.sleep(1)
    w.clean()


def our_bpdus(lab):
    """Captures of what Bascules send: among themselves, and to a Linux bridge that is
    the root first, then not."""
    net = stplib.Net(lab, "a:bascule b:bascule c:kernel", "a-b b-c c-a", hosts="b", root="c")
    caps = [stplib.Capture(lab, net.bridges[x].ns, dev, os.path.join(lab.dir, dev),
                           direction="out")
            for x, dev in (("a", "a_b"), ("b", "b_a"), ("a", "a_c"), ("b", "b_c"))]
    net.converged()
    net.cut("a", "b")
    net.noticed("a", "b")
    net.mend("a", "b")
    net.converged()
    time.sleep(2.5)  # the topology change is told of with the next hello
    net.bridges["a"].priority(0)
    net.rooted("a")
    net.converged()
    net.cut("c", "b")
    time.sleep(4.5)  # two hellos: TCN, and what answers it
    return [c.end() for c in caps]


def test_wireshark(lab):
    """It decodes our BPDUs and finds nothing odd."""
    seen = set()
    for cap in our_bpdus(lab):
        text = stplib.tshark(cap, "-V")
        for word in ("Malformed", "Expert Info", "Unknown", "unknown protocol"):
            lib.need(word not in text, lambda: f"{os.path.basename(cap)}: {word}: " + "\n".join(
                x for x in text.splitlines() if word in x))
        for line in stplib.tshark(cap, "-T", "fields", "-E", "separator=,", "-e", "stp.type",
                                  "-e", "stp.flags", "-e", "frame.len").splitlines():
            kind, flags, length = line.split(",")
            lib.need(lib.KERNEL or int(length) == 60, f"a BPDU of {length} octets on the wire")
            seen.add((int(kind, 16), int(flags or "0", 16)))
    flags = {k: 0 for k, _ in seen}
    for k, f in seen:
        flags[k] |= f
    if lib.KERNEL:
        return
    lib.need(flags.get(2, 0) & 0x43 == 0x43,
             f"RST BPDUs with topology change, proposal and agreement: {sorted(seen)}")
    lib.need(flags.get(0, 0) & 0x01, f"Configuration BPDUs with topology change: {sorted(seen)}")
    lib.need(0x80 in flags, f"TCN BPDUs: {sorted(seen)}")
    print("     type/flags: " + " ".join(f"{k:02x}/{f:02x}" for k, f in sorted(seen)))


def test_dhcp_of_a_new_guest(lab):
    """A tap held as a VM holds it is an edge port: a lease in well under two seconds."""
    if lib.KERNEL:
        raise lib.Skip("STP without edge ports takes twice its forward delay")
    net = stplib.Net(lab, "a:bascule b:bascule", "a-b a-b/2", hosts="b", root="b")
    net.converged()
    h, b = net.hosts["b"], net.bridges["a"]
    lib.sh("ip", "-n", h.ns, "addr", "add", "10.9.0.1/24", "dev", h.dev)
    lib.dhcp_server(lab, h.ns, h.dev)
    vm = lib.Vm(b.ns, "vm1")
    lab.at_end(vm.close)
    t0 = time.monotonic()
    b.add("vm1")
    lib.need(stplib.lease(vm, lib.mac("02:09:00:00:02:01"))[:3] == bytes([10, 9, 0]),
             "an address of the pool")
    t = time.monotonic() - t0
    print(f"     lease on a new guest's port after {t * 1e3:.0f} ms")
    lib.need(t < 2, f"the lease took {t:.1f} s")
    if net.ours:
        lib.need(b.ports()["vm1"].more["edge"], "a guest's tap is an edge port")


def shut(net, devs, limit=STP_LIMIT + 2):
    """Waits until just one of these ports of bridge a forwards."""
    def once():
        p = net.bridges["a"].ports()
        return sum(p[d].state == "forwarding" for d in devs) == 1
    lib.wait_until(once, limit, lambda: f"one of {devs} forwards: {net.bridges['a'].ports()}")


def test_loop_behind_edge_ports(lab):
    """Two edge ports joined by something that knows no spanning tree."""
    net = stplib.Net(lab, "a:bascule x:hub", "a-x", hosts="a x", rate="2mbit")
    net.join("a-x/2", edge=True)
    shut(net, ["a_x", "a_x2"])
    with net.watched("x") as w:
        w.resumes("a")
    w.clean()


def test_loop_behind_one_edge_port(lab):
    """The loop is behind it: the port hears itself and is shut; others do not suffer."""
    if not lib.KERNEL:
        net = stplib.Net(lab, "a:bascule b:bascule x:hub", "a-b", hosts="a b", rate="1mbit")
        x = net.bridges["x"]
        lib.sh("ip", "-n", x.ns, "link", "add", "l1", "type", "veth", "peer", "name", "l2")
        for dev in ("l1", "l2"):
            lib.sh("tc", "-n", x.ns, "qdisc", "add", "dev", dev, "root", "tbf", "rate",
                   "1mbit", "burst", "4k", "latency", "20ms")
            lib.sh("ip", "-n", x.ns, "link", "set", dev, "up", "master", "br0")
        net.join("a-x", edge=True)
        lib.wait_until(lambda: net.bridges["a"].ports()["a_x"].state != "forwarding", 5,
                       lambda: f"the port is shut: {net.bridges['a'].ports()}")
        time.sleep(0.5)
        with net.watched("b") as w:
            w.resumes("a")
        w.clean()


lib.main(at_once=4)
