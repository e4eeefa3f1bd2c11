#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One slice of the soak (tests/soak): a switch under traffic, churn and floods
for SOAK_SLICE seconds.  Memory and descriptors are compared between the end of
the first third and the end."""
import os
import random
import threading
import time

import lib
from lib import descriptors, need

SLICE = int(os.environ.get("SOAK_SLICE", "60"))
BLAST = os.path.join(lib.TOOLS, "macblast")


class Worker(threading.Thread):
    """Repeats a function until the time is over or something fails."""

    def __init__(self, fn, end, failures):
        super().__init__()
        self.fn, self.until, self.failures, self.turns = fn, end, failures, 0

    def run(self):
        try:
            while time.monotonic() < self.until and not self.failures:
                self.fn()
                self.turns += 1
        except Exception as e:  # noqa: reported by the main thread
            self.failures.append(f"{self.fn.__name__}: {e}")


def test_slice(lab):
    seed = int(os.environ.get("SOAK_SEED", random.randrange(1 << 30)))
    print(f"     seed {seed}, {SLICE} s", flush=True)
    rnd = random.Random(seed)
    sw = lab.switch()
    a, b = lab.host("a", "tap"), lab.host("b", "packet")
    flood = lab.host("flood", "packet", addresses=False)
    churn = lab.ns("churn")
    lib.reaches(a.ns, b.ip4)

    def transfer():
        src, dst, addr = rnd.choice(((a, b, b.ip4), (b, a, a.ip4), (a, b, b.ip6),
                                     (b, a, a.ip6)))
        lib.tcp(src.ns, dst.ns, addr, rnd.randrange(1 << 20, 64 << 20))

    def ports():
        n = rnd.randrange(8)
        kind = rnd.choice(("tap", "veth", "mem"))
        if kind == "veth":
            lab.veth(f"c{n}", churn, f"d{n}")
            lib.sh("ip", "-n", churn, "link", "set", f"d{n}", "up")
            sw.addif("br0", f"c{n}")
            if rnd.random() < 0.5:  # the device goes first
                lib.sh("ip", "-n", sw.ns, "link", "del", f"c{n}")
                if not lib.KERNEL:
                    sw.delif("br0", f"c{n}")
            else:
                sw.delif("br0", f"c{n}")
                lib.sh("ip", "-n", sw.ns, "link", "del", f"c{n}")
        elif not lib.KERNEL:
            spec = f"tap:c{n}" if kind == "tap" else f"mem:c{n}"
            sw.addif("br0", spec)
            sw.cli("port", "show", "br0")
            sw.delif("br0", f"c{n}")

    def addresses():
        lib.sh(BLAST, "-s", "1", "-r", rnd.choice((1000, 20000, 50000)), "-m", "20000", "-o",
               rnd.randrange(1 << 20), "eth0", ns=flood.ns)
        if not lib.KERNEL and rnd.random() < 0.2:
            sw.cli("fdb", "flush", "dev", "br0", "dynamic")
        time.sleep(rnd.random())

    failures = []
    end = time.monotonic() + SLICE
    workers = [Worker(f, end, failures) for f in (transfer, ports, addresses)]
    for w in workers:
        w.start()
    mark = None
    while any(w.is_alive() for w in workers):
        time.sleep(0.2)
        if mark is None and time.monotonic() > end - SLICE * 2 / 3 and not lib.KERNEL:
            mark = sw.rss_kb()
    for w in workers:
        w.join()
    need(not failures, "; ".join(failures))
    print("     " + ", ".join(f"{w.fn.__name__} {w.turns}" for w in workers))
    need(all(w.turns for w in workers), "a worker did nothing")
    if lib.KERNEL:
        return
    rss, fds = sw.rss_kb(), descriptors(sw.proc.pid)
    print(f"     memory {mark} KB after a third, {rss} KB at the end; {fds} descriptors")
    need(rss < mark * 1.25 + 8192, f"memory grew from {mark} to {rss} KB")
    need(fds < 100, f"{fds} descriptors are open")
    lib.reaches(a.ns, b.ip4)


lib.main(SLICE + 120)
