#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Learning under attack: addresses that move 100 000 times a second, floods of
addresses, an uplink that holds most of the table, a million addresses."""
import json
import os
import re
import threading
import time

import lib
from lib import need

BLAST = os.path.join(lib.TOOLS, "macblast")


def blast(ns, *args, check=True, timeout=60):
    r = lib.sh(BLAST, *args, ns=ns, check=check, timeout=timeout)
    return [int(float(x)) for x in re.findall(r"[\d.]+", r.stdout)]


def learned(lab, port):
    """How many addresses the switch has on a port."""
    if lib.KERNEL:
        r = lib.sh("bridge", "fdb", "show", "brport", port, ns=lab.sw.ns).stdout
        return sum("permanent" not in x for x in r.splitlines())
    return lib.port_info(lab.sw, "br0", port)["fdb_learned"]


def known(lab, port, first, n):
    """How many of the addresses first .. first + n - 1 are on that port."""
    if lib.KERNEL:
        r = lib.sh("bridge", "-j", "fdb", "show", "brport", port, ns=lab.sw.ns).stdout
    else:
        r = lib.sh(*lab.sw.words("-j", "fdb", "show", "brport", port), ns=lab.sw.ns,
                   timeout=60).stdout
    have = {e["mac"] for e in json.loads(r)}
    return sum(lib.mac_text((0x060000000000 + first + i).to_bytes(6, "big")) in have
               for i in range(n))


def teach(lab, host, first, n):
    """Lets the switch learn n addresses behind a host."""
    def taught():
        # again and again: while a table grows learning may wait for the next frame
        blast(host.ns, "-n", n, "-m", n, "-o", first, "-r", "50000", "eth0")
        return known(lab, host.port, first, n) == n
    lib.wait_until(taught, 10, f"{n} addresses behind {host.port}")


class Ping:
    """A steady ping between two hosts; loss at the end."""

    def __init__(self, src, addr, seconds):
        self.loss = None
        self.t = threading.Thread(target=self._run, args=(src, addr, int(seconds / 0.02)))
        self.t.start()

    def _run(self, src, addr, n):
        self.loss = lib.ping(src, addr, n, 0.02, limit=60)

    def done(self):
        self.t.join()
        return self.loss


def test_moves(lab):
    """Two ports claim the same addresses: bounded, counted, told; others unharmed."""
    sw = lab.switch()
    c, d = lab.host("c", "tap"), lab.host("d", "packet")
    ns = lab.ns("mover")
    for i, p in enumerate(("m0", "m1")):
        lab.veth(p, ns, f"eth{i}")
        lib.sh("ip", "-n", ns, "link", "set", f"eth{i}", "up")
        sw.addif("br0", p)
        sw.wait_forwarding(p)
    lib.reaches(c.ns, d.ip4)
    out = os.path.join(lab.dir, "monitor")
    if not lib.KERNEL:
        with open(out, "w") as f:
            sw.monitor("events", "fdb", stdout=f, stderr=f)
    mem = 0 if lib.KERNEL else sw.rss_kb()
    p = Ping(c.ns, d.ip4, 3)
    n = blast(ns, "-s", "3", "-r", "120000", "-m", "64", "eth0", "eth1")
    print(f"     {n[2]} frames per second, each a move")
    need(n[2] > 20000, f"only {n[2]} frames per second were sent")
    loss = p.done()
    need(loss <= 1, f"{loss} % of others' pings were lost")

    def total():
        return learned(lab, "m0") + learned(lab, "m1")
    # what waits in the ports' queues moves them on, also between the two questions
    lib.wait_until(lambda: total() <= 66, 10, lambda: f"64 addresses became {total()} entries")
    if lib.KERNEL:
        return
    fdb = lib.bridge_fdb(sw, "br0")
    need(fdb["moved"] > 1000, f"moves are not counted: {fdb}")

    def told():
        return [x for x in open(out) if "06:00:00:00:00:" in x and "m0" in x and "m1" in x]
    lib.wait_until(told, 3, "an event names address and both ports")
    need(sum(1 for _ in open(out)) < 400000, "the monitor was flooded")
    grown = sw.rss_kb() - mem
    need(grown < 20000, f"the daemon grew by {grown} KB")
    lib.tcp(c.ns, d.ns, d.ip4, 8 << 20)


def test_flood_one_port(lab):
    """A port that floods addresses loses its own entries; the others' stay."""
    sw = lab.switch()
    a, b, c = lab.host("a", "tap"), lab.host("b", "packet"), lab.host("c", "tap")
    lib.reaches(a.ns, b.ip4)
    lib.reaches(b.ns, c.ip4)
    teach(lab, b, 5000000, 100)
    p = Ping(b.ns, c.ip4, 2)
    blast(a.ns, "-s", "2", "-r", "100000", "-m", "200000", "eth0")
    loss = p.done()
    need(loss <= 5, f"{loss} % of the pings were lost")
    n = known(lab, b.port, 5000000, 100)
    need(n == 100, f"b kept {n} of its 100 addresses")
    if lib.KERNEL:
        return
    n = learned(lab, a.port)
    need(0 < n <= 1024, f"a tap port holds {n} addresses instead of at most 1024")
    lib.reaches(a.ns, b.ip4)


def test_uplink_keeps_its_share(lab):
    """An uplink holds 60 % of the table; another port floods; the uplink's stay."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no fair shares")
    sw = lab.switch()
    up, bad, c = lab.host("up", "packet"), lab.host("bad", "packet"), lab.host("c", "tap")
    sw.cli("bridge", "set", "br0", "fdb-limit", "10000")
    # The hosts' own addresses first: one that turns up when the table is full
    # takes a place of its own port, and would be missed below.
    lib.reaches(c.ns, up.ip4)
    lib.reaches(bad.ns, up.ip4)
    teach(lab, up, 0, 6000)
    blast(bad.ns, "-s", "2", "-r", "60000", "-m", "100000", "-o", "1000000", "eth0")
    n = known(lab, up.port, 0, 6000)
    need(n == 6000, f"the uplink kept {n} of 6000 addresses")
    total = learned(lab, up.port) + learned(lab, bad.port) + learned(lab, c.port)
    need(total <= 10000, f"{total} addresses with a limit of 10000")
    # somebody new can still be learned: c takes what the flooder holds too much
    lib.sh("ip", "-n", c.ns, "neigh", "flush", "all")
    lib.reaches(c.ns, up.ip4)
    lib.wait_until(lambda: sw.has_mac(c.mac), 5, "a newcomer is learned")


def test_million(lab):
    """A million addresses: learned, dumped, flushed; the loop does not stall."""
    if lib.KERNEL:
        raise lib.Skip("figures are Bascule's")
    sw = lab.switch()
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c", "tap")
    lib.reaches(b.ns, c.ip4)
    want, base = 1000000, lib.bridge_fdb(sw, "br0")["entries"]
    n = 0
    for _ in range(20):
        blast(a.ns, "-n", want, "-m", want, "-r", "250000", "eth0")
        n = lib.bridge_fdb(sw, "br0")["entries"] - base
        if n >= want * 0.99:
            break
    need(n >= want * 0.99, f"only {n} of a million addresses are known")
    rss = sw.rss_kb()
    print(f"     {n} addresses, daemon's memory {rss / 1024:.0f} MB")
    need(rss < 160 << 10, f"the daemon takes {rss} KB")
    watch = lib.Lag(sw)
    p = Ping(b.ns, c.ip4, 2)
    t0 = time.monotonic()
    with open(os.path.join(lab.dir, "dump"), "w") as f:
        d = lab.spawn(*sw.words("fdb", "show", "br", "br0"), ns=sw.ns, stdout=f)
        need(d.wait(120) == 0, "fdb show failed")
    took = time.monotonic() - t0
    with open(os.path.join(lab.dir, "dump")) as f:
        lines = sum(1 for _ in f)
    print(f"     dump of {lines} lines in {took:.1f} s")
    watch.end("dump")
    need(lines >= n * 0.99, f"the dump has {lines} lines")
    need(p.done() <= 1, "others lost frames during the dump")
    watch = lib.Lag(sw)
    sw.cli("fdb", "flush", "dev", "br0", "sticky", timeout=20)  # looks at all of them
    watch.end("flush by kind")
    sw.cli("fdb", "flush", "dev", "br0")
    need(len(sw.json("fdb", "show", "br", "br0")) < 100, "flush left entries")
    lib.reaches(b.ns, c.ip4)


def test_ageing(lab):
    """An address not seen for the ageing time is flooded again; 0 means never."""
    sw = lab.switch()
    a, b = lab.host("a", addresses=False), lab.host("b", "tap", addresses=False)
    c = lab.host("c", addresses=False)
    wa, wb, wc = a.wire(), b.wire(), c.wire()
    hello = lib.frame(lib.BCAST, a.mac, b"hello".ljust(46))
    ask = lib.frame(a.mac, b.mac, b"ask".ljust(46))
    if lib.KERNEL:
        lib.sh("ip", "-n", sw.ns, "link", "set", "br0", "type", "bridge", "ageing_time", "100")
    else:
        sw.cli("setageing", "br0", "1")

    def asked_in_time():
        """On a busy machine a's address may be too old already."""
        t0 = time.monotonic()
        wa.send(hello)
        lib.wait_until(lambda: sw.has_mac(a.mac), 3, "a is learned")
        wb.send(ask)
        need(wa.collect(lambda f: f == ask), "a did not get the frame")
        if time.monotonic() - t0 < 0.8:
            return True
        wc.drain()
        return False
    lib.wait_until(asked_in_time, 20, "all that within the ageing time")
    need(not wc.collect(lambda f: f == ask, 1, 0.2), "c got a frame for a known address")
    time.sleep(1.3)

    def flooded():
        wb.send(ask)
        return wc.collect(lambda f: f == ask, 1, 0.1)
    lib.wait_until(flooded, 3, "after the ageing time frames for a are flooded")


lib.main()
