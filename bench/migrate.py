# SPDX-License-Identifier: BSD-2-Clause
"""A guest moved live between two hosts, on Bascule and on the kernel's bridges:
how long a third host that pings it once a millisecond hears nothing.  Guests
are there from the start and move to and fro; who is measured takes turns."""

import contextlib
import threading
import time

from lib import Series, ratio, wait_quiet
import guestlib
import migration

UNITS = {"silence": "ms without an answer",
         "lost": "pings of 1000/s",
         "still": "ms between QEMU's stop and resume",
         "beyond": "ms of silence beyond that",
         "relearned": "ms from resume until the announcement is at the third host"}


def one_move(lab, two):
    heard = migration.Announcements(lab, two, two.guest.mac)
    listener = threading.Thread(target=heard.until, args=(1, 30))
    pinger = migration.Pinger(lab, two.third, migration.GUEST)
    time.sleep(0.3)
    heard.wire.drain()
    listener.start()
    began = time.monotonic()
    said = two.move()
    time.sleep(1)
    pings = pinger.end()
    listener.join()
    silence = pings.silence(began)[0] * 1e3
    still = (said["resumed-at"] - said["stopped-at"]) * 1e3
    return {"silence": silence, "lost": pings.lost(), "still": still,
            "beyond": silence - still,
            "relearned": (heard.seen[0] - said["resumed-at"]) * 1e3}


def settle(report, two):
    """Each round begins with a guest that is heard where it is."""
    try:
        two.guest.ping(migration.THIRD)
    except guestlib.lib.Failed:
        if not migration.lost_memory(two.guest):
            raise
        report.line("  a guest has lost memory on its way; another takes its place")
        two.boot()
    time.sleep(0.5)


def measured(report, lab, two):
    """One move that the guest has survived."""
    for _ in range(3):
        settle(report, two)
        try:
            return one_move(lab, two)
        except guestlib.lib.Failed:
            if not migration.lost_memory(two.guest):
                raise
    raise RuntimeError("three guests in a row have lost memory")


def up(stack, label, kernel):
    lab = guestlib.lib.Lab(label)
    stack.callback(lab.close)
    two = migration.Two(lab, kernel)
    two.boot()
    return lab, two


def rounds(c, stack):
    rigs = {"bascule": up(stack, "bascule", False),
            "kernel bridge": up(stack, "kernel", True)}
    got = {who: {} for who in rigs}
    for i in range(c.rounds):
        load = wait_quiet(5)
        if load:
            c.report.line("  round %d: the machine is not quiet, %d %% of its processors are busy"
                          % (i + 1, load * 100))
        for who in sorted(rigs, reverse=bool(i % 2)):
            for metric, v in measured(c.report, *rigs[who]).items():
                got[who].setdefault(metric, []).append(v)
    return {who: {m: Series(v) for m, v in s.items()} for who, s in got.items()}


def migrate(c):
    part = "migrate"
    c.report.head(part, "a QEMU guest moved live between two hosts")
    try:
        with contextlib.ExitStack() as stack:
            got = rounds(c, stack)
    except guestlib.lib.Skip as e:
        c.report.unavailable(part, "guests", e)
        return
    for who, metrics in got.items():
        for m, s in metrics.items():
            c.report.series(part, who, m, UNITS[m], s)
    ours, theirs = got["bascule"], got["kernel bridge"]
    for metric, bound in (("silence", 1.0), ("beyond", 1.0), ("lost", None)):
        c.report.target(part, "%s bascule : kernel bridge" % metric,
                        ratio(ours[metric], theirs[metric]), "<=", bound)
