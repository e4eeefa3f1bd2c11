# SPDX-License-Identifier: BSD-2-Clause
"""A lab at rest: 64 guests defined and 16 of them started.  How long they take
to be listed, and who in the daemon wakes up while no frame comes.  The guests
are paused: what an emulator does when idle is not the switch's."""

import contextlib
import json
import time

import guests
from lib import Series, Unavailable, resident, run, threads

DEFINED, STARTED = 64, 16


def name(i):
    return "g%d" % i


def define(client):
    """By hand, as a lab's owner does."""
    for i in range(DEFINED):
        run(*client, "guest", "define", name(i), "--memory", "64M", "--net",
            "br0", "--accel", "tcg", "--qemu-arg", "-S")


def start(stack, control):
    for i in range(STARTED):
        control.call("guest.start", name=name(i))
        stack.callback(control.call, "guest.kill", name=name(i))
    pids = [control.call("guest.show", name=name(i)).get("pid")
            for i in range(STARTED)]
    if not all(pids):
        raise RuntimeError("not all of %d guests run" % STARTED)


def worker_counts(client):
    """What each worker says of its wake-ups and turns."""
    return [(w["wakeups"], w["turns"])
            for w in json.loads(run(*client, "-j", "stats"))["workers"]]


def worker_threads(pid, count):
    """The threads have no names, but beside the control thread only workers
    sleep in epoll; the others wait for a job."""
    found = []
    for tid in threads(pid):
        with open("/proc/%d/task/%d/wchan" % (pid, tid), encoding="ascii") as f:
            where = f.read()
        if tid != pid and ("epoll" in where or "ep_poll" in where):
            found.append(tid)  # the function's name depends on the kernel
    if len(found) != count:
        raise RuntimeError("%d of %d workers sleep" % (len(found), count))
    return found


def window(client, pid, seconds):
    """One stretch of idleness.  Our questions wake the control thread, so the
    threads are looked at after the first and before the second."""
    counted = worker_counts(client)
    time.sleep(0.5)
    workers = worker_threads(pid, len(counted))
    before = threads(pid)
    time.sleep(seconds)
    slept = {tid: n - before.get(tid, ("", 0))[1]
             for tid, (_, n) in threads(pid).items()}
    more = [(w2 - w1, t2 - t1) for (w1, t1), (w2, t2)
            in zip(counted, worker_counts(client))]
    return {"wakeups": sum(w for w, _ in more), "turns": sum(t for _, t in more),
            "control": slept.pop(pid),
            "kernel": sum(slept.pop(tid) for tid in workers),
            "helpers": sum(slept.values())}


def idle_rounds(c, part, client, pid):
    """The control thread looks through the addresses now and then, and has a
    helper wait until no worker uses what it took out."""
    seconds = 3 if c.quick else 10
    time.sleep(3)  # until the last start has been forgotten
    got = [window(client, pid, seconds) for _ in range(c.rounds)]
    s = {k: Series(g[k] for g in got) for k in got[0]}
    for who, key in (("control thread", "control"), ("helpers", "helpers")):
        c.report.series(part, who, "wake-ups", "in %d s" % seconds, s[key])
    for what, key in (("wake-ups, by stats", "wakeups"),
                      ("turns, by stats", "turns"),
                      ("wake-ups, by the kernel", "kernel")):
        c.report.target(part, "workers' " + what, s[key], "<=", 0)
    c.report.series(part, "bascule", "memory", "MB RSS", Series([resident(pid)]))


def guests16(c):
    part = "guests16"
    c.report.head(part, "%d guests defined, %d started, no traffic"
                  % (DEFINED, STARTED))
    try:
        with contextlib.ExitStack() as stack:
            _, daemon, control = guests.begin(c, stack, "guests")
            define(daemon.client)
            start(stack, control)
            guests.listed(c, part, daemon, control,
                          ", %d of %d run" % (STARTED, DEFINED))
            idle_rounds(c, part, daemon.client, daemon.process.pid)
    except Unavailable as e:
        c.report.unavailable(part, "bascule", e)
