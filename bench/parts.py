# SPDX-License-Identifier: BSD-2-Clause
"""The benchmarks.  Each takes a Context and reports; those with peers take
turns round by round, in changing order, so that what drifts drifts for all."""

import contextlib
import json
import os
import re
import time

import stp
from apply import apply1000
from guest import launch
from guests16 import guests16
from lib import (Series, cpu_busy, ratio, resident, run, thread_time, threads,
                 wait_for, wait_quiet)
from peers import NET, NamedGuest, rigs  # which also shows the way to tests/guest
from migrate import migrate

LOSS = 0.001  # what "without loss" allows


class Context:
    """What was asked for on the command line."""

    def __init__(self, build, rounds, quick, report):
        self.build, self.rounds, self.quick = build, rounds, quick
        self.report = report


def take_turns(c, up, measure):
    """measure(rig) -> {metric: number} for each rig in each round; returns
    {rig name: {metric: Series}}."""
    raw = {r.name: {} for r in up}
    for i in range(c.rounds):
        load = wait_quiet()
        if load:
            c.report.line("  round %d: the machine is not quiet, %d %% of its "
                          "processors are busy" % (i + 1, load * 100))
        for r in up if i % 2 == 0 else reversed(up):
            for metric, value in measure(r).items():
                raw[r.name].setdefault(metric, []).append(value)
    return {who: {m: Series(v) for m, v in metrics.items()}
            for who, metrics in raw.items()}


def compare(c, part, what, names, measure, units, targets):
    """A whole benchmark.  targets: (metric, rig, other rig, op, bound)."""
    c.report.head(part, what)
    with contextlib.ExitStack() as stack:
        up = rigs(stack, c.report, part, c.build, names)
        got = take_turns(c, up, measure)
    for who, metrics in got.items():
        for m, s in metrics.items():
            c.report.series(part, who, m, units[m], s)
    for metric, over, under, op, bound in targets:
        if over in got and under in got:
            c.report.target(part, "%s %s : %s" % (metric, over, under),
                            ratio(got[over][metric], got[under][metric]),
                            op, bound)


# ---- one TCP stream ----

def tcp(c, rig):
    host, peer = rig.host
    with contextlib.ExitStack() as stack:
        server = peer.spawn(stack, "iperf3", "-s", "-1")
        wait_listen(peer)
        busy = cpu_busy()
        out = host.run("iperf3", "-c", NET + "2", "-C", "cubic", "-t",
                       1 if c.quick else 3, "-J", timeout=30)
        server.wait(10)
        busy = cpu_busy() - busy
    end = json.loads(out)["end"]["sum_received"]
    return {"throughput": end["bits_per_second"] / 1e9,
            "cpu": busy / (end["bytes"] / 1e9)}


def wait_listen(ns):
    for _ in range(200):
        if ":5201" in ns.run("ss", "-Hltn"):
            return
        time.sleep(0.01)
    raise RuntimeError("iperf3 does not listen")


TCP_UNITS = {"throughput": "Gb/s", "cpu": "CPU s per GB"}


def tcp_veth(c):
    names = ["bascule/veth", "bare/veth", "kbr/veth", "ovs/veth", "vde/tap"]
    compare(c, "tcp-veth", "one TCP stream between namespaces on veth",
            names, lambda r: tcp(c, r), TCP_UNITS, [
                ("throughput", "bascule/veth", "kbr/veth", ">=", 0.95),
                ("cpu", "bascule/veth", "kbr/veth", "<=", 1.7),
                ("throughput", "bascule/veth", "ovs/veth", ">=", 1.25),
                ("throughput", "bascule/veth", "vde/tap", ">=", None),
                ("throughput", "bare/veth", "kbr/veth", ">=", None),
                ("cpu", "bare/veth", "kbr/veth", "<=", None),
                ("throughput", "ovs/veth", "kbr/veth", ">=", None)])


def tcp_tap(c):
    names = ["bascule/tap", "bare/tap", "kbr/veth", "ovs/veth", "vde/tap"]
    compare(c, "tcp-tap", "one TCP stream, taps moved into the namespaces",
            names, lambda r: tcp(c, r), TCP_UNITS, [
                ("throughput", "bascule/tap", "kbr/veth", ">=", 0.88),
                ("cpu", "bascule/tap", "kbr/veth", "<=", None),
                ("throughput", "bascule/tap", "ovs/veth", ">=", 1.25),
                ("throughput", "bare/tap", "kbr/veth", ">=", None),
                ("throughput", "bascule/tap", "vde/tap", ">=", None)])


# ---- guests ----

def guest_stream(c, rig, meters):
    """iperf3 from guest to guest.  meters: {metric: what reads the seconds of
    processor had so far}; the result is per GB."""
    sender, receiver = rig.guest
    # listening is state 0A
    receiver.run("iperf3 -s -1 >/dev/null 2>&1 & until grep -q ':1451 .* 0A ' "
                 "/proc/net/tcp*; do usleep 20000; done")
    before = {m: read() for m, read in meters.items()}
    said = sender.run(
        "iperf3 -c %s2 -t %d -J >/tmp/o; sed -n '/sum_received/,/}/p' /tmp/o"
        % (NET, 2 if c.quick else 5), 60)
    used = {m: read() - before[m] for m, read in meters.items()}
    receiver.run("wait")
    got = {k: float(v) for k, v in re.findall(r'"(\w+)":\s*([\d.e+]+)', said)}
    return {"throughput": got["bits_per_second"] / 1e9,
            **{m: t / (got["bytes"] / 1e9) for m, t in used.items()}}


def guest_tcp(c, rig):
    daemon = rig.peer.daemon
    meters = {"all cpu": cpu_busy}
    if daemon:
        meters["switch cpu"] = lambda: thread_time(daemon.pid)
    return guest_stream(c, rig, meters)


def guest(c):
    names = ["bascule/stream", "bascule/dgram", "vde/vde", "direct/stream"]
    compare(c, "guest", "one TCP stream between two QEMU guests", names,
            lambda r: guest_tcp(c, r), {
                "throughput": "Gb/s", "switch cpu": "switch's CPU s per GB",
                "all cpu": "CPU s per GB, guests and all"}, [
                    (metric, "bascule/" + kind, "vde/vde", op, bound)
                    for kind in ("stream", "dgram")
                    for metric, op, bound in (("throughput", ">=", 1.0),
                                              ("switch cpu", "<=", 1.0),
                                              ("all cpu", "<=", None))] + [
                    ("throughput", "bascule/stream", "direct/stream", ">=",
                     None)])


def is_vcpu(name):
    return name.startswith("CPU ")


def outside_vcpus():
    """The whole machine's work without that of virtual processors: those of
    the guests that are not measured now idle, but an emulator's idling costs."""
    return cpu_busy() - sum(thread_time(g.proc.pid, is_vcpu)
                            for g in NamedGuest.running())


def beside_vcpus(rig):
    """The same without strangers' work: the threads that QEMU and the switch
    have for it.  What the kernel does in threads of its own is missing."""
    pids = [g.proc.pid for g in rig.guest]
    total = sum(thread_time(p, lambda name: not is_vcpu(name)) for p in pids)
    return total + (thread_time(rig.peer.daemon.pid) if rig.peer.daemon else 0)


def guesttap(c):
    """Emulated processors are most of the work and no switch's; hence what is
    spent outside them."""
    ours, theirs = names = ["bascule/guesttap", "kbr/guesttap"]
    compare(c, "guesttap", "one TCP stream between two QEMU guests on taps",
            names, lambda r: guest_stream(c, r, {
                "cpu": outside_vcpus, "own cpu": lambda: beside_vcpus(r)}), {
                    "throughput": "Gb/s",
                    "cpu": "CPU s per GB outside vCPUs",
                    "own cpu": "of that QEMU's and the switch's"}, [
                        ("throughput", ours, theirs, ">=", 0.95),
                        ("cpu", ours, theirs, "<=", 1.5),
                        ("own cpu", ours, theirs, "<=", None)])


# ---- round trips ----

def rtt(c, rig):
    """The mean without the slowest twentieth: ping prints whole microseconds,
    so a median would move in steps, and one interruption moves a mean."""
    count = 500 if c.quick else 2000
    busy = cpu_busy()
    out = rig.host[0].run("ping", "-i", "0.0005", "-c", count, NET + "2",
                          timeout=60)
    busy = cpu_busy() - busy
    times = sorted(float(line.split("time=")[1].split()[0]) * 1000
                   for line in out.splitlines() if "time=" in line)
    if len(times) < count * 0.999:
        raise RuntimeError("%s: %d of %d pings lost" % (
            rig.name, count - len(times), count))
    kept = times[:len(times) * 19 // 20]
    return {"rtt": sum(kept) / len(kept),
            "rtt-p99": times[len(times) * 99 // 100],
            "cpu": busy / count * 1e6}


def round_trip(c):
    names = ["bascule/tap", "bascule/veth", "bare/tap", "bare/veth",
             "kbr/veth", "ovs/veth", "vde/tap"]
    compare(c, "rtt", "ping every 0.5 ms", names, lambda r: rtt(c, r),
            {"rtt": "us", "rtt-p99": "us", "cpu": "CPU us per ping"}, [
                ("rtt", "bascule/tap", "kbr/veth", "<=", 1.6),
                ("rtt", "bascule/veth", "kbr/veth", "<=", 2.5),
                ("rtt", "bare/tap", "kbr/veth", "<=", None),
                ("rtt", "bare/veth", "kbr/veth", "<=", None),
                ("rtt", "bascule/veth", "ovs/veth", "<=", None)])


# ---- frames per second ----

def frame_rate(c, rig, size):
    """Full speed, then the highest rate with at most LOSS lost: bisection
    between the rates that passed and failed.  A rate fails when it fails
    twice, for one interruption of a virtual machine fails any switch."""
    ms = 150 if c.quick else 300
    full = rig.trial(size, 0, ms)
    best = passed(full)
    tried = full["received"] / full["recv_ns"] * 1e9
    low, high = 0, full["offered"] / full["send_ns"] * 1e9
    result = {"full": tried / 1e6,
              "cpu": full["cpu"] / full["received"] * 1e6}
    if best:
        return dict(result, lossless=best / 1e6)
    for _ in range(5 if c.quick else 7):
        got = passed(rig.trial(size, tried, ms)) or passed(
            rig.trial(size, tried, ms))
        if got:
            best, low = max(best, got), tried
        else:
            high = tried
        if high < low * 1.03:
            break
        tried = (low + high) / 2 if low else tried * 0.8
    return dict(result, lossless=best / 1e6)


def passed(trial):
    """The rate received if (nearly) all arrived, in order; else 0."""
    lost = trial["offered"] - trial["received"]
    if lost > trial["offered"] * LOSS or trial["received"] == 0:
        return 0
    return trial["received"] / trial["send_ns"] * 1e9


PPS_UNITS = {"full": "Mpps", "lossless": "Mpps", "cpu": "CPU us per frame"}


def pps_tap(c):
    compare(c, "pps-tap", "60-byte frames between namespaces",
            ["bascule/tap", "bare/tap", "kbr/veth", "ovs/veth"],
            lambda r: frame_rate(c, r, 60), PPS_UNITS, [
                ("lossless", "bascule/tap", "kbr/veth", ">=", 1.4),
                ("full", "bascule/tap", "kbr/veth", ">=", None),
                ("lossless", "bare/tap", "kbr/veth", ">=", None),
                ("lossless", "bascule/tap", "ovs/veth", ">=", None),
                ("cpu", "bascule/tap", "kbr/veth", "<=", None)])


def pps_vm(c, size=60):
    wanted = size == 60
    compare(c, "pps-vm-%d" % size, "%d-byte frames, guest tap to guest tap"
            % size, ["bascule/vm", "bare/vm", "kbr/vm", "ovs/vm"],
            lambda r: frame_rate(c, r, size), PPS_UNITS, [
                ("lossless", "bascule/vm", "kbr/vm", ">=",
                 1.0 if wanted else None),
                ("lossless", "bascule/vm", "ovs/vm", ">=",
                 1.8 if wanted else None),
                ("lossless", "bare/vm", "kbr/vm", ">=", None),
                ("full", "bascule/vm", "kbr/vm", ">=", None),
                ("full", "bascule/vm", "ovs/vm", ">=", None),
                ("cpu", "bascule/vm", "kbr/vm", "<=", None)])


# ---- an idle switch ----

def idle(c):
    part, seconds = "idle", 3 if c.quick else 10
    c.report.head(part, "wake-ups in %d s without traffic" % seconds)
    with contextlib.ExitStack() as stack:
        up = rigs(stack, c.report, part, c.build,
                  ["bascule/veth", "bascule/tap", "ovs/veth", "vde/tap"])
        for r in up:  # or the hosts would ask again whom they know
            for h in r.host:
                h.ip("neigh", "flush", "dev", "eth0")
        time.sleep(3)
        before = {r: threads(r.peer.daemon.pid) for r in up}
        time.sleep(seconds)
        for r in up:
            idle_report(c, part, r, before[r], seconds)


def idle_report(c, part, rig, before, seconds):
    pid = rig.peer.daemon.pid
    after = threads(pid)
    main, others = 0, 0
    for tid, (name, woken) in sorted(after.items()):
        n = woken - before.get(tid, (name, 0))[1]
        c.report.line("  %-16s thread %-22s %d wake-ups" % (
            rig.name, name + (" (main)" if tid == pid else ""), n))
        if tid == pid:
            main = n
        else:
            others += n
    size = resident(pid)
    c.report.series(part, rig.name, "memory", "MB RSS", Series([size]))
    if rig.peer.name != "bascule":
        return
    for what, value, bound in (
            ("main thread's wake-ups per s", main / seconds, 2),
            ("other threads' wake-ups", others, 0),
            ("MB RSS", size, 8)):
        c.report.target(part, "%s: %s" % (rig.name, what), Series([value]),
                        "<=", bound)


# ---- many ports ----

def delivered(ns):
    """Frames that have arrived on all netdevs of a namespace."""
    lines = ns.run("cat", "/proc/net/dev").splitlines()[2:]
    return sum(int(x.split(":")[1].split()[1]) for x in lines)


def broadcast(rig, n, ms):
    """Broadcasts to n ports at twice what goes through: copies per second,
    and what one costs.  Not at full speed, where a full ring in front of a
    thousand ports is seconds of work."""
    before = delivered(rig.switch)
    t = rig.trial(60, 2e6 / n, ms, "bcast")
    copies = delivered(rig.switch) - before
    if not t["received"] or not copies:
        raise RuntimeError("no broadcast arrived: %s" % t)
    return {"copies": copies / t["recv_ns"] * 1e3,
            "cpu": t["cpu"] / copies * 1e6}


def all_forward(rig, n):
    """Does a broadcast reach each of the n ports but the sender's?"""
    before = delivered(rig.switch)
    t = rig.trial(60, 200, 50, "bcast")
    return delivered(rig.switch) - before >= t["offered"] * (n - 2) > 0


def ports1000(c):
    part, steps = "ports1000", [2, 10, 30, 100, 300, 1000]
    c.report.head(part, "a bridge of 1000 tap ports")
    with contextlib.ExitStack() as stack:
        up = rigs(stack, c.report, part, c.build, ["bascule/tap"])
        for rig in up:
            grow(c, part, rig, rig.peer.basculed.control(), steps)


def grow(c, part, rig, control, steps):
    """From the rig's two ports to each of the steps; measures there."""
    have, total, cost = 2, 0.0, {}
    for n in steps:
        names = ["x%d" % i for i in range(have, n)]
        begin = time.monotonic()
        for name in names:
            control.call("addif", bridge="br0", port="tap:" + name)
        spent = time.monotonic() - begin
        total += spent
        if names:
            rig.switch.batch("link set %s up" % x for x in names)
            c.report.series(part, "%d ports" % n, "adding a port", "ms",
                            Series([spent / len(names) * 1000]))
            begin = time.monotonic()
            wait_for("%d ports forwarding" % n,
                     lambda: all_forward(rig, n), 60)
            c.report.series(part, "%d ports" % n, "until all forward", "s",
                            Series([time.monotonic() - begin]))
        have = n
        got = [broadcast(rig, n, 150 if c.quick else 500)
               for _ in range(c.rounds)] if n > 2 else []
        for metric, unit in (("copies", "M/s"), ("cpu", "CPU us per copy")):
            if got:
                cost[n, metric] = Series(g[metric] for g in got)
                c.report.series(part, "%d ports" % n, "broadcast " + metric,
                                unit, cost[n, metric])
    c.report.series(part, rig.name, "adding %d ports" % (have - 2), "s",
                    Series([total]))
    c.report.series(part, rig.name, "memory", "MB RSS",
                    Series([resident(rig.peer.daemon.pid)]))
    c.report.target(part, "CPU per copy, %d ports : 30 ports" % have,
                    ratio(cost[have, "cpu"], cost[30, "cpu"]), "<=", None)


# ---- programs that measure themselves ----

def program(c, name, what):
    """What bench/NAME_bench.c prints is the result."""
    path = os.path.join(c.build, "bench", name + "_bench")
    c.report.head(name, what)
    if not os.access(path, os.X_OK):
        c.report.unavailable(name, name, "build %s" % path)
        return
    for line in run(path, timeout=600).splitlines():
        c.report.line("  " + line)
        c.report.row(part=name, text=line)


PARTS = {
    "tcp-veth": tcp_veth,
    "tcp-tap": tcp_tap,
    "guest": guest,
    "guesttap": guesttap,
    "rtt": round_trip,
    "pps-tap": pps_tap,
    "pps-vm-60": pps_vm,
    "pps-vm-1514": lambda c: pps_vm(c, 1514),
    "idle": idle,
    "ports1000": ports1000,
    "apply1000": apply1000,
    "launch": launch,
    "guests16": guests16,
    "migrate": migrate,
    "fdb": lambda c: program(c, "fdb", "look-ups against cds_lfht, memory"),
    "pipeline": lambda c: program(c, "pipeline", "frames over mem ports"),
    "flood": lambda c: program(c, "flood", "broadcast over mem ports"),
    "replay": lambda c: program(c, "replay", "captures at full speed"),
    **stp.PARTS,
}
