# SPDX-License-Identifier: BSD-2-Clause
"""A guest moved live between two hosts, on Bascule and on the kernel's bridges:
how long a third host that pings it once a millisecond hears nothing, and how
long its TCP connection stands still.  Guests are there from the start and move
to and fro; who is measured takes turns.

Of that silence most is QEMU's stop, then the emulated guest's waking up; both
differ by tens of milliseconds from move to move and know no switch.  So each
move is also taken apart by the kernel's times of the frames on the guest's new
tap:

   last answer | stop ... resume | first request on the tap | first answer on it | answer

    silence around the stop = still (stop to resume)
                              + woke (first request to first answer)
                              + network (all the rest)

and the two switches are compared by the silence there would have been had all
guests taken the same time to stop and to wake: their median, plus each move's
own network."""

import contextlib
import statistics
import threading
import time

from lib import Series, ratio, wait_quiet
import guestlib
import migration

OURS, FOLLOWING, THEIRS = "bascule", "bascule, follow-moves on", "kernel bridge"
UNITS = {"silence": "ms without an answer",
         "lost": "pings of 1000/s",
         "still": "ms between QEMU's stop and resume",
         "woke": "ms from the first request on its new tap to the guest's first answer",
         "network": "ms around the stop without an answer that are neither",
         "alike": "ms without an answer, stop and waking of all moves alike",
         "stall": "ms without a line on the TCP connection",
         "relearned": "ms from resume until the announcement is at the third host"}


def first_after(rows, kind, since):
    return min((t for t, f in rows if t > since and migration.is_ping(f, kind)),
               default=float("inf"))


def one_move(lab, two):
    heard = migration.Announcements(lab, two, two.guest.mac)
    listener = threading.Thread(target=heard.until, args=(1, 30))
    tap = migration.Stamps(two.other().ns, "vm1")
    echo = migration.Echo(lab, two.third, two.guest)
    pinger = migration.Pinger(lab, two.third, migration.GUEST)
    time.sleep(0.3)
    heard.wire.drain()
    listener.start()
    began = time.monotonic()
    said = two.move()
    time.sleep(1)
    pings = pinger.end()
    listener.join()
    echo.end()
    stop, resume = said["stopped-at"], said["resumed-at"]
    silence, still = pings.silence(began, resume + 1)[0], resume - stop
    rows = tap.end()
    asked = first_after(rows, migration.ECHO, resume)
    woke = first_after(rows, migration.ECHO_REPLY, asked) - asked
    found = {"silence": silence, "still": still, "woke": woke,
             "network": pings.silence_at(resume) - still - woke, "stall": echo.stall(began),
             "relearned": heard.seen[0] - resume}
    return {"lost": pings.lost(), **{k: v * 1e3 for k, v in found.items()}}


def settle(report, two, at):
    """Each round begins with a guest that is heard where it is, which is 'at'."""
    try:
        two.guest.ping(migration.THIRD)
    except guestlib.lib.Failed:
        if not migration.lost_memory(two.guest):
            raise
        report.line("  a guest has lost memory on its way; another takes its place")
        two.boot()
    if two.at is not at:
        two.move()
        two.guest.ping(migration.THIRD)
    time.sleep(0.5)


def measured(report, lab, two, at):
    """One move that the guest has survived."""
    for _ in range(4):
        try:
            settle(report, two, at)
            return one_move(lab, two)
        except (guestlib.lib.Failed, OSError) as e:
            lost = migration.lost_memory(two.guest)
            report.line("  a move on %s does not count: %s" % (
                two.at.sw.__class__.__name__,
                "the guest has lost memory" if lost else str(e).splitlines()[0]))
            two.boot()
    raise RuntimeError("four moves in a row that do not count")


def up(stack, label, kernel=False, follow=False):
    lab = guestlib.lib.Lab(label)
    stack.callback(lab.close)
    two = migration.Two(lab, kernel)
    if follow:
        two.a.follow_moves()
        two.b.follow_moves()
    two.boot()
    return lab, two


def rounds(c, stack):
    """{who: {metric: [of each round]}}; the guest leaves the third host's switch in the
    even rounds and comes back in the odd ones."""
    rigs = {OURS: up(stack, "bascule"),
            FOLLOWING: up(stack, "follow", follow=True),
            THEIRS: up(stack, "kernel", kernel=True)}
    got = {who: {} for who in rigs}
    for i in range(c.rounds):
        load = wait_quiet(0 if c.quick else 5)
        if load:
            c.report.line("  round %d: the machine is not quiet, %d %% of its processors are busy"
                          % (i + 1, load * 100))
        for who in (list(rigs) if i // 2 % 2 else reversed(rigs)):
            lab, two = rigs[who]
            at = (two.a, two.b)[i % 2]
            for metric, v in measured(c.report, lab, two, at).items():
                got[who].setdefault(metric, []).append(v)
    return got


def make_alike(got):
    common = statistics.median(a + b for s in got.values()
                               for a, b in zip(s["still"], s["woke"]))
    for s in got.values():
        s["alike"] = [common + v for v in s["network"]]


def show(c, part, got, which):
    """The rounds of one direction."""
    label = {0: "leaving", 1: "coming back"}[which]
    now = {who: {m: Series(v[which::2]) for m, v in metrics.items()}
           for who, metrics in got.items()}
    for who, metrics in now.items():
        for m, s in metrics.items():
            c.report.series(part, "%s, %s" % (who, label), m, UNITS[m], s)
    for who, metric, bound in ((OURS, "silence", 1.0), (OURS, "alike", None), (OURS, "stall", None),
                               (OURS, "network", None), (FOLLOWING, "stall", None)):
        c.report.target(part, "%s, %s, %s : %s" % (metric, label, who, THEIRS),
                        ratio(now[who][metric], now[THEIRS][metric]), "<=", bound)


def migrate(c):
    part = "migrate"
    c.report.head(part, "a QEMU guest moved live between two hosts")
    try:
        with contextlib.ExitStack() as stack:
            got = rounds(c, stack)
    except guestlib.lib.Skip as e:
        c.report.unavailable(part, "guests", e)
        return
    make_alike(got)
    for which in range(min(2, c.rounds)):
        show(c, part, got, which)
