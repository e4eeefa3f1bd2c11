# SPDX-License-Identifier: BSD-2-Clause
"""A lab at rest: 64 guests defined and 16 of them started.  How long they take
to be listed, and who in the daemon wakes up while no frame comes.  The guests
are paused: what an emulator does when idle is not the switch's."""

import contextlib
import json
import os
import shutil
import tempfile
import time

from guest import Daemon
from lib import Namespace, Series, resident, run, threads, wait_for

DEFINED, STARTED = 64, 16


def name(i):
    return "g%d" % i


def define(client):
    """By hand, as a lab's owner does."""
    for i in range(DEFINED):
        run(*client, "guest", "define", name(i), "--memory", "64M", "--net",
            "br0", "--accel", "tcg", "--qemu-arg", "-S")


def start(stack, daemon):
    for i in range(STARTED):
        daemon.call("guest.start", name=name(i))
        stack.callback(daemon.call, "guest.kill", name=name(i))
    pids = [daemon.call("guest.show", name=name(i)).get("pid")
            for i in range(STARTED)]
    if not all(pids):
        raise RuntimeError("not all of %d guests run" % STARTED)


def list_rounds(c, part, client, daemon):
    shell, rpc = [], []
    for _ in range(max(5, c.rounds * 3)):
        rpc.append(daemon.timed("guest.list"))
        begin = time.monotonic()
        run(*client, "guest", "list")
        shell.append((time.monotonic() - begin) * 1000)
    c.report.series(part, "bascule", "list, at the socket", "ms", Series(rpc))
    c.report.target(part, "ms, guest list, %d of %d run" % (STARTED, DEFINED),
                    Series(shell), "<=", 50)


def workers(client):
    """(wake-ups, turns) of all workers by their own count."""
    said = json.loads(run(*client, "-j", "stats"))["workers"]
    return [sum(w[k] for w in said) for k in ("wakeups", "turns")]


def window(client, pid, seconds):
    """One stretch of idleness.  Our questions wake the control thread, so the
    threads are looked at after the first and before the second."""
    counted = workers(client)
    time.sleep(0.5)
    before = threads(pid)
    time.sleep(seconds)
    after = threads(pid)
    slept = {tid: n - before.get(tid, (0, 0))[1]
             for tid, (_, n) in after.items()}
    wakeups, turns = (b - a for a, b in zip(counted, workers(client)))
    return {"control": slept.pop(pid), "others": sum(slept.values()),
            "wakeups": wakeups, "turns": turns}


def idle_rounds(c, part, client, pid):
    seconds = 3 if c.quick else 10
    time.sleep(3)  # until the last start has been forgotten
    got = [window(client, pid, seconds) for _ in range(c.rounds)]
    s = {k: Series(g[k] for g in got) for k in got[0]}
    c.report.series(part, "bascule", "control thread slept, woke",
                    "times in %d s" % seconds, s["control"])
    c.report.target(part, "workers' wake-ups, by stats", s["wakeups"], "<=", 0)
    c.report.target(part, "workers' turns, by stats", s["turns"], "<=", 0)
    c.report.target(part, "other threads' wake-ups", s["others"], "<=", 0)
    c.report.series(part, "bascule", "memory", "MB RSS", Series([resident(pid)]))


def guests16(c):
    part = "guests16"
    c.report.head(part, "%d guests defined, %d started, no traffic"
                  % (DEFINED, STARTED))
    if not shutil.which("qemu-system-x86_64"):
        c.report.unavailable(part, "bascule", "no qemu-system-x86_64")
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-guest-"))
        ns = Namespace(stack, "guests")
        at = folder + "/control.sock"
        client = [os.path.join(c.build, "bascule"), "-S", at]
        p = ns.spawn(stack, os.path.join(c.build, "basculed"), "--socket", at)
        wait_for("basculed", lambda: os.path.exists(at))
        daemon = Daemon(at)
        stack.callback(daemon.s.close)
        daemon.call("addbr", bridge="br0")
        ns.ip("link", "set", "br0", "up")
        define(client)
        start(stack, daemon)
        list_rounds(c, part, client, daemon)
        idle_rounds(c, part, client, p.pid)
