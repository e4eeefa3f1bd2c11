# SPDX-License-Identifier: BSD-2-Clause
"""What every benchmark needs: commands with time limits, namespaces and
processes that go away whatever happens, processor time, and numbers with
their spread."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


class Unavailable(Exception):
    """A peer or a part that cannot be measured here; the text says why."""


def run(*cmd, timeout=30, check=True, **kw):
    """Runs a command and returns what it printed."""
    p = subprocess.run([str(c) for c in cmd], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=timeout,
                       **kw)
    if check and p.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (
            " ".join(str(c) for c in cmd), p.returncode, p.stdout.strip()))
    return p.stdout


def wait_for(what, test, seconds=10):
    """Waits until test() is true; complains after so many seconds."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise RuntimeError("%s: not within %d s" % (what, seconds))
        time.sleep(0.02)


def stop(process):
    """Ends a process we started, politely first.  The kernel takes its time
    to delete a thousand taps, whoever asks."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def turn_signals_into_exits():
    """So that a signal, too, unwinds every clean-up."""
    def leave(number, _frame):
        sys.exit(128 + number)
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, leave)


class Namespace:
    """A network namespace of our own, quiet: no IPv6, so no chatter."""

    serial = 0

    def __init__(self, stack, label):
        Namespace.serial += 1
        self.name = "bb%d-%d-%s" % (os.getpid(), Namespace.serial, label)
        run("ip", "netns", "add", self.name)
        stack.callback(run, "ip", "netns", "del", self.name, check=False)
        for which in ("all", "default"):
            self.run("sysctl", "-qw",
                     "net.ipv6.conf.%s.disable_ipv6=1" % which, check=False)
        self.ip("link", "set", "lo", "up")

    def command(self, *cmd):
        return ["ip", "netns", "exec", self.name] + [str(c) for c in cmd]

    def run(self, *cmd, **kw):
        return run(*self.command(*cmd), **kw)

    def ip(self, *args, **kw):
        return run("ip", "-n", self.name, *args, **kw)

    def spawn(self, stack, *cmd, **kw):
        """Starts a process in here; it ends with the stack."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.DEVNULL)
        kw.setdefault("stderr", subprocess.DEVNULL)
        p = subprocess.Popen(self.command(*cmd), **kw)
        stack.callback(stop, p)
        return p

    def batch(self, lines, timeout=120):
        """Many ip(8) commands in one process."""
        run("ip", "-n", self.name, "-batch", "-", timeout=timeout,
            input="\n".join(lines) + "\n")


def cpu_busy():
    """Seconds all processors have worked so far: user, nice, system, irq,
    softirq.  Time the host took away (steal) is nobody's work."""
    with open("/proc/stat", encoding="ascii") as f:
        n = [int(x) for x in f.readline().split()[1:]]
    return (n[0] + n[1] + n[2] + n[5] + n[6]) / TICK


def thread_time(pid, wanted=lambda name: True):
    """Seconds of processor that a process's threads of wanted names have had."""
    total = 0
    for tid in os.listdir("/proc/%d/task" % pid):
        at = "/proc/%d/task/%s/" % (pid, tid)
        with open(at + "comm", encoding="ascii", errors="replace") as f:
            if not wanted(f.read().strip()):
                continue
        with open(at + "schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def threads(pid):
    """{thread id: (name, times it has slept and been woken)}"""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid),
                  encoding="ascii") as f:
            field = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        found[int(tid)] = (field["Name"].strip(),
                           int(field["voluntary_ctxt_switches"]))
    return found


def resident(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS of %d" % pid)


def foreign_load(seconds=0.1):
    """Share of the processors that somebody uses while we do nothing."""
    busy = cpu_busy()
    time.sleep(seconds)
    return (cpu_busy() - busy) / seconds / os.cpu_count()


def wait_quiet(seconds=20, bound=0.2):
    """Waits for others to be done; the load that is left if they are not."""
    end = time.monotonic() + seconds
    load = foreign_load()
    while load > bound and time.monotonic() < end:
        load = foreign_load(0.3)
    return load if load > bound else 0


class Series:
    """One figure over all rounds."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)
        self.low = min(self.values)
        self.high = max(self.values)

    def __str__(self):
        return "%s (%s-%s)" % tuple(
            figure(x) for x in (self.median, self.low, self.high))


def figure(x):
    """Three significant digits, no exponent."""
    if x == 0:
        return "0"
    if abs(x) >= 100:
        return "%.0f" % x
    return "%.*f" % (2 if abs(x) >= 1 else 3, x)


def ratio(over, under):
    """Round by round: the two were measured next to each other."""
    return Series(a / b for a, b in zip(over.values, under.values))


class Report:
    """Prints as it goes, keeps the text, and appends rows for machines."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.text = open(os.path.join(folder, "report.txt"), "w",
                         encoding="utf-8")
        self.rows = open(os.path.join(folder, "results.jsonl"), "a",
                         encoding="utf-8")
        self.missed = 0

    def line(self, text=""):
        print(text, flush=True)
        self.text.write(text + "\n")
        self.text.flush()

    def row(self, **fields):
        fields["time"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.rows.write(json.dumps(fields) + "\n")
        self.rows.flush()

    def head(self, part, what):
        self.line()
        self.line("== %s: %s" % (part, what))

    def series(self, part, who, metric, unit, s):
        self.line("  %-16s %-28s %s %s" % (who, metric, s, unit))
        self.row(part=part, who=who, metric=metric, unit=unit,
                 median=s.median, min=s.low, max=s.high, rounds=s.values)

    def target(self, part, what, s, op, bound):
        """A ratio with what it ought to be."""
        if bound is None:
            verdict = "for information"
        else:
            met = s.median >= bound if op == ">=" else s.median <= bound
            self.missed += not met
            verdict = "target %s %s: %s" % (op, bound,
                                            "met" if met else "MISSED")
        self.line("  ratio %-39s %s  %s" % (what, s, verdict))
        self.row(part=part, ratio=what, median=s.median, min=s.low,
                 max=s.high, rounds=s.values, op=op, target=bound,
                 verdict=verdict)

    def unavailable(self, part, who, why):
        self.line("  %-16s not measured (%s)" % (who, why))
        self.row(part=part, who=who, not_measured=str(why))
