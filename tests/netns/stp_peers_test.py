#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The spanning tree among other bridges: Linux's (STP) and Open vSwitch's (RSTP and
STP), Bascule as root, in the middle and at the end.  Links are cut and mended,
bridges die, the root changes: traffic resumes in bounded time, and no host ever gets
a numbered broadcast twice."""
import time

import stplib
from stplib import MAX_AGE, STP_LIMIT, lib

# What RSTP may take where it needs no timer: milliseconds, but a port that has no BPDU
# left (TxHoldCount) says what it has to with the next hello.
RSTP_LIMIT = STP_LIMIT if lib.KERNEL else 2 * stplib.HELLO + 1
# Where there is an Open vSwitch, see Watch.clean().  A loop makes that many in a
# moment, and more than MOST of each.
TURNED, MOST = 60, 3


def outage(w, what, host, limit, stream=stplib.BROADCAST):
    """The longest silence at a host."""
    s = w.of(host, stream)["gap_ms"] / 1e3
    print(f"     {what}: nothing for {s:.3f} s at {host}")
    lib.need(s <= limit, f"{what}: nothing for {s:.2f} s, more than {limit}, at {host}")
    return s


def ring_of_three(lab, root, cut, at, limit):
    """A ring of all three.  A link of the tree is cut and mended, with traffic all the
    time, also when the ring is closed."""
    net = stplib.Net(lab, "a:bascule b:kernel c:ovs-rstp", "a-b b-c c-a", hosts="a b c",
                     root=root)
    net.converged()
    net.rooted(root)
    if net.ours:
        lib.need(net.fallen_back("a") == {"b"}, f"STP is spoken to {net.fallen_back('a')}")
    with net.watched(root) as w:
        time.sleep(0.5)
        net.cut(*cut)
        w.resumes(at)
        net.mend(*cut)
        net.converged()
    w.clean(TURNED, MOST)
    outage(w, f"root {root}, {'-'.join(cut)} cut", at, limit)


def test_bascule_is_root(lab):
    ring_of_three(lab, "a", "ab", "b", STP_LIMIT)


def test_kernel_is_root(lab):
    """OVS blocks its way to Bascule, which is cut off: the alternate way opens."""
    ring_of_three(lab, "b", "ab", "a", STP_LIMIT)


def test_ovs_is_root(lab):
    ring_of_three(lab, "c", "ac", "a", STP_LIMIT)


def test_rstp_ring_of_four(lab):
    """RSTP only, two Bascules in the middle: no timer has to run out."""
    net = stplib.Net(lab, "a:bascule b:ovs-rstp c:bascule d:ovs-rstp", "a-b b-c c-d d-a",
                     hosts="a b c d", root="b")
    net.converged()
    net.rooted("b")
    with net.watched("b", pair="bd") as w:
        time.sleep(0.5)
        net.cut("b", "a")
        w.resumes("a")
        net.mend("b", "a")
        net.converged()
        net.cut("b", "c")
        w.resumes("c")
        net.mend("b", "c")
        net.converged()
        net.bridges["a"].priority(0)
        net.rooted("a", 5)
        net.converged()
    w.clean(TURNED, MOST)
    for h in "acd":
        outage(w, "RSTP ring of four, links cut, root changed", h, RSTP_LIMIT)


def test_mesh_of_four(lab):
    """Everyone joined to everyone; the root, an Open vSwitch, is killed, then a Bascule
    shall be the root."""
    net = stplib.Net(lab, "a:bascule b:ovs-rstp c:bascule d:kernel",
                     "a-b a-c a-d b-c b-d c-d", hosts="a c d", root="b")
    net.converged()
    net.rooted("b")
    with net.watched("a") as w:
        time.sleep(0.5)
        net.kill("b")
        for h in "cd":
            w.resumes(h, limit=STP_LIMIT + 4)
        net.converged()
        net.bridges["c"].priority(0)
        net.rooted("c")
        net.converged()
        for h in "cd":
            w.resumes(h)
    w.clean(TURNED, MOST)
    outage(w, "mesh of four, the root killed", "c", STP_LIMIT + 2)


def test_kill_bascule(lab):
    """A Bascule that is the root dies (kill -9: its interfaces stay up)."""
    net = stplib.Net(lab, "a:bascule b:ovs-rstp c:bascule d:ovs-rstp",
                     "a-b a-c a-d b-c c-d", hosts="b c d", root="a")
    net.converged()
    net.rooted("a")
    with net.watched("b") as w:
        time.sleep(0.5)
        net.kill("a")
        for h in "cd":
            w.resumes(h, limit=STP_LIMIT)
        net.converged()
    w.clean(TURNED, MOST)
    for h in "cd":
        outage(w, "RSTP mesh, the root killed", h, STP_LIMIT if lib.KERNEL else MAX_AGE + 1)


def test_ring_of_eight(lab):
    """Mixed; a link is cut silently and mended, and the root moves to the other side."""
    net = stplib.Net(lab, "a:bascule b:kernel c:ovs-rstp d:bascule e:bascule f:ovs-rstp "
                     "g:kernel h:bascule", "a-b b-c c-d d-e e-f f-g g-h h-a",
                     hosts="a d f", root="a", shared="ovs-rstp")
    net.converged()
    net.rooted("a")
    if net.ours:
        lib.need(net.fallen_back("a") == {"b"} and net.fallen_back("h") == {"g"},
                 "STP is spoken to the kernel's bridges only")
    with net.watched("a") as w:
        time.sleep(0.5)
        net.cut("c", "d", silent=True)
        for h in "df":
            w.resumes(h)
        net.mend("c", "d", silent=True)
        net.converged()
        net.bridges["e"].priority(0)
        net.rooted("e")
        net.converged()
        for h in "df":
            w.resumes(h)
    w.clean(TURNED, MOST)
    for h in "df":
        outage(w, "ring of eight, silent cut, root changed", h, 2 * STP_LIMIT)


def test_bascule_as_stp(lab):
    """`stp BR stp`: one STP bridge among Linux's."""
    net = stplib.Net(lab, "a:bascule-stp b:kernel c:kernel", "a-b b-c c-a", hosts="a b c",
                     root="b")
    net.converged()
    net.rooted("b")
    with net.watched("b") as w:
        time.sleep(0.5)
        net.cut("a", "b")
        w.resumes("a")
    w.clean()
    outage(w, "STP ring", "a", STP_LIMIT)


def test_ovs_stp(lab):
    """Open vSwitch's STP beside ours; its topology change is told of and flushed, or
    unicast would go astray for as long as addresses are known."""
    net = stplib.Net(lab, "a:bascule b:ovs-stp c:bascule d:ovs-stp", "a-b b-c c-d d-a",
                     hosts="a b c d", root="a")
    net.converged()
    net.rooted("a")
    with net.watched("a", pair="ab") as w:
        time.sleep(0.5)
        net.cut("a", "b")
        w.resumes("b")
        w.resumes("b", stplib.THERE)
        w.resumes("a", stplib.BACK)
    w.clean(TURNED, MOST)
    outage(w, "ring with OVS's STP, unicast", "b", STP_LIMIT + 1, stplib.THERE)


lib.main(at_once=5)
