#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The switches of a port: hairpin, isolation, learning, the three floods; static
and sticky entries.  Each is shown by who gets a frame and who does not, and by
the name under which the switch counts the one that was not sent."""
import os

import lib
from lib import need

UNKNOWN = lib.mac("02:77:00:00:00:01")
GROUP = lib.mac("01:00:5e:01:02:03")


def setting(lab, port, name, on):
    if lib.KERNEL:
        flag = {"mcast-flood": "mcast_flood", "bcast-flood": "bcast_flood"}.get(name, name)
        lib.sh("ip", "-n", lab.sw.ns, "link", "set", port, "type", "bridge_slave",
               flag, "on" if on else "off")
    else:
        lab.sw.cli("port", "set", port, name, "on" if on else "off")


class Trio:
    """Three silent hosts; two kinds of port."""

    def __init__(self, lab):
        lab.switch()
        self.lab = lab
        self.h = [lab.host("a", "packet", False), lab.host("b", "tap", False),
                  lab.host("c", "packet", False)]
        self.w = [h.wire() for h in self.h]

    def sent(self, src, dst, sender=None):
        """Sends one frame on wire src; the set of wires that got it."""
        f = lib.frame(dst, sender or self.h[src].mac, os.urandom(50))
        mark = lib.frame(lib.BCAST, f[6:12], os.urandom(50))
        self.w[src].send(f)
        self.w[src].send(mark)
        got = set()
        for i, w in enumerate(self.w):
            seen = []

            def see(x):
                seen.append(x)
                return x == mark
            # the broadcast behind it tells that the frame is not just late
            w.collect(see, 1, 0.15 if i == src else 1.0)
            if f in seen:
                got.add(i)
        return got


def test_hairpin(lab):
    t = Trio(lab)
    need(t.sent(0, UNKNOWN) == {1, 2}, "an unknown address is not flooded to the others")
    setting(lab, t.h[0].port, "hairpin", True)
    need(t.sent(0, UNKNOWN) == {0, 1, 2}, "hairpin does not send back")
    two = lib.mac("02:09:00:00:00:aa")
    t.sent(0, UNKNOWN, two)
    need(t.sent(0, two) == {0}, "hairpin does not send back to a known address")
    setting(lab, t.h[0].port, "hairpin", False)
    need(t.sent(0, two) == set(), "without hairpin a frame came back")
    lab.counted(t.h[0].port, "same-port", 1)


def test_isolated(lab):
    t = Trio(lab)
    for i in (0, 1):
        t.sent(i, UNKNOWN)
        setting(lab, t.h[i].port, "isolated", True)
    # the mark behind the frame is isolated too: c is the wire to look at
    f = lib.frame(t.h[1].mac, t.h[0].mac, os.urandom(50))
    for dst, others in ((t.h[1].mac, False), (UNKNOWN, True), (lib.BCAST, True)):
        for w in t.w:
            w.drain()
        f = lib.frame(dst, t.h[0].mac, os.urandom(50))
        t.w[0].send(f)
        if others:
            need(t.w[2].collect(lambda x: x == f), "a port that is not isolated gets nothing")
        need(not t.w[1].collect(lambda x: x == f, 1, 0.15), "isolated ports talk to each other")
    lab.counted(t.h[0].port, "isolated", 1)
    for i in (0, 1):
        f = lib.frame(t.h[2].mac, t.h[i].mac, os.urandom(50))
        t.w[i].send(f)
        need(t.w[2].collect(lambda x: x == f), "an isolated port cannot talk to an ordinary one")
        f = lib.frame(t.h[i].mac, t.h[2].mac, os.urandom(50))
        t.w[2].send(f)
        need(t.w[i].collect(lambda x: x == f), "an ordinary port cannot talk to an isolated one")
    for i in (0, 1):
        setting(lab, t.h[i].port, "isolated", False)
    need(t.sent(0, t.h[1].mac) == {1}, "isolation does not end")


def test_learning_and_floods(lab):
    t = Trio(lab)
    a, c = t.h[0].port, t.h[2].port
    setting(lab, a, "learning", False)
    t.sent(0, UNKNOWN)
    need(t.sent(1, t.h[0].mac) == {0, 2}, "learned on a port that must not learn")
    setting(lab, a, "learning", True)
    t.sent(0, UNKNOWN)
    need(t.sent(1, t.h[0].mac) == {0}, "not learned")
    for name, dst in (("flood", UNKNOWN), ("mcast-flood", GROUP)):
        need(t.sent(0, dst) == {1, 2}, f"{name}: not flooded by default")
        setting(lab, c, name, False)
        need(t.sent(0, dst) == {1}, f"{name} off: flooded all the same")
        setting(lab, c, name, True)
        need(t.sent(0, dst) == {1, 2}, f"{name} on again: not flooded")
    setting(lab, c, "bcast-flood", False)
    f = lib.frame(lib.BCAST, t.h[0].mac, os.urandom(50))
    t.w[0].send(f)
    need(t.w[1].collect(lambda x: x == f), "a broadcast reaches nobody")
    need(not t.w[2].collect(lambda x: x == f, 1, 0.15), "bcast-flood off: flooded all the same")
    # with all floods off everywhere the frame is counted where it came in
    if not lib.KERNEL:
        for h in t.h:
            setting(lab, h.port, "flood", False)
        sw = lab.sw
        sw.cli("port", "set", "br0", "flood", "off", check=False)
        before = lab.counters(a).get("flood-off", 0) + lab.counters(a).get("flooded", 0)
        t.w[0].send(lib.frame(UNKNOWN, t.h[0].mac, bytes(50)))
        lib.wait_until(lambda: lab.counters(a).get("flood-off", 0) +
                       lab.counters(a).get("flooded", 0) > before, 3, "the frame is counted")


def test_static_entries(lab):
    t = Trio(lab)
    sw, c = lab.sw, t.h[2].port

    def entry(verb, m, port, kind):
        args = ["fdb", verb, lib.mac_text(m), "dev", port, "master", kind]
        if lib.KERNEL:
            lib.sh("bridge", *args, ns=sw.ns)
        else:
            sw.cli(*args)
    entry("add", UNKNOWN, c, "static")
    need(t.sent(0, UNKNOWN) == {2}, "a static entry is not obeyed")
    if not lib.KERNEL:  # there it would move
        # the address turns up elsewhere
        t.w[1].send(lib.frame(lib.BCAST, UNKNOWN, os.urandom(50)))
        lab.counted(t.h[1].port, "pinned", 1)
        need(t.sent(0, UNKNOWN) == {2}, "a static entry moved")
        sw.cli("fdb", "flush", "dev", "br0", "dynamic")
        need(t.sent(0, UNKNOWN) == {2}, "a flush took a static entry")
    entry("del", UNKNOWN, c, "static")
    need(t.sent(0, UNKNOWN) == {1, 2}, "a deleted entry is obeyed")
    if not lib.KERNEL:
        r = sw.cli("fdb", "del", lib.mac_text(UNKNOWN), "dev", c, "master", check=False)
        need(r.returncode == 255 and lib.mac_text(UNKNOWN) in r.stderr, f"{r.stderr!r}")


lib.main()
