# SPDX-License-Identifier: BSD-2-Clause
"""A machine that systemd boots, with Bascule installed: namespaces of its own over a
copy of this machine's root in memory.

Its processes are in a cgroup of their own, which is all that is made outside: it goes,
and all that runs in it, when the test ends, however it ends."""
import json
import os
import shutil
import subprocess

import lib
from lib import need, sh, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEMD = "/lib/systemd/systemd"
UNITS = "/etc/systemd/system"
CLIENT = "/usr/local/sbin/bascule"

# Waits for the end of its input, which comes when the test ends.
SWEEPER = """
trap '' INT TERM
cat >/dev/null
n=0
while [ -d "$1" ]; do
    echo 1 >"$1/cgroup.kill"
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    n=$((n + 1))
    [ $n -lt 100 ] || exit 1
    sleep 0.05
done
"""

# Waits for nothing that a machine has and this one has not.
TARGET = """[Unit]
DefaultDependencies=no
Wants=%s
"""


def cgroup2():
    """The folder of the cgroup that we are in."""
    with open("/proc/self/mounts") as f:
        at = [w[1] for w in map(str.split, f) if w[2] == "cgroup2"]
    with open("/proc/self/cgroup") as f:
        own = [x[3:].strip() for x in f if x.startswith("0::")]
    if not at or not own or "/.." in own[0]:
        raise lib.Skip("no cgroup2 is mounted here")
    return at[0] + own[0].rstrip("/")


def need_machine():
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no unit")
    for what in SYSTEMD, "/sys/fs/cgroup", "/dev/net/tun":
        if not os.path.exists(what):
            raise lib.Skip(f"there is no {what}")
    for what in "systemctl", "systemd-analyze", "unshare", "nsenter", "setpriv":
        if not shutil.which(what):
            raise lib.Skip(f"{what} is not installed")


class Machine:
    """In the namespace of that name."""

    def __init__(self, lab, name="sw"):
        need_machine()
        self.lab, self.ns = lab, lab.ns(name)
        self.files = os.path.join(lab.dir, f"files-{name}")
        self.top = os.path.join(lab.dir, f"top-{name}")
        self.console = os.path.join(lab.dir, f"console-{name}.log")
        os.mkdir(self.files)
        os.mkdir(self.top)
        self.cgroup = os.path.join(cgroup2(), f"{lab.tag}-{name}")
        self.pid = None
        self._own_cgroup()

    def _own_cgroup(self):
        try:
            os.mkdir(self.cgroup)
        except OSError as e:
            raise lib.Skip(f"no cgroup can be made: {e}")
        sweeper = subprocess.Popen(["sh", "-c", SWEEPER, "sh", self.cgroup],
                                   stdin=subprocess.PIPE, start_new_session=True)

        def sweep():
            sweeper.stdin.close()
            if sweeper.wait(20):
                raise lib.Failed(f"{self.cgroup} is left: {sh('find', self.cgroup).stdout}")
        self.lab.at_end(sweep)
        if not os.path.exists(os.path.join(self.cgroup, "cgroup.kill")):
            raise lib.Skip("the kernel has no cgroup.kill (5.14)")

    def file(self, path, text):
        """A file of the machine's: before it boots."""
        need(self.pid is None, "the machine runs")
        path = self.files + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def write(self, path, text):
        """... while it runs."""
        sh(*self.enter(), "sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path,
           stdin=text)

    def boot(self, *wants):
        """Returns when all that is wanted has been started, or has failed."""
        try:
            self._boot(wants, 40)
        except lib.Failed:
            self._boots_without()
            raise

    def _boots_without(self):
        """It is not us, but this machine, if a systemd that wants nothing does not boot."""
        try:
            Machine(self.lab, "bare")._boot([], 10)
        except lib.Failed as e:
            raise lib.Skip(f"systemd cannot be booted here: {e}")

    def _boot(self, wants, limit):
        self.file(f"{UNITS}/test.target", TARGET % " ".join(wants))
        inner = 'echo 0 >"$1/cgroup.procs"; shift; exec unshare --cgroup -- "$@"'
        with open(self.console, "w") as f:
            p = self.lab.spawn(
                "nsenter", f"--net=/run/netns/{self.ns}", "unshare", "--mount", "--pid", "--uts",
                "--ipc", "--fork", "--kill-child", "--", "sh", "-c", inner, "sh", self.cgroup,
                os.path.join(HERE, "systemd_boot.sh"), self.top, self.files, lib.BUILD,
                stdout=f, stderr=f)
        self._find(p)
        wait_until(lambda: self.runs(p) and self.ctl("is-system-running", check=False).stdout
                   .strip() in ("running", "degraded"), limit, lambda: f"systemd boots: {self.said()}")

    def _find(self, p):
        """The pid, here, of its process 1; which is a shell until all is mounted."""
        def up():
            self.runs(p)
            with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
                child = f.read().split()
            if child:
                with open(f"/proc/{child[0]}/comm") as f:
                    self.pid = child[0] if f.read() == "systemd\n" else None
            return self.pid
        wait_until(up, 20, lambda: f"systemd begins: {self.said()}")

    def runs(self, p):
        if p.poll() is not None and self.pid is None and p.returncode == 77:
            raise lib.Skip(f"systemd cannot be booted here: {self.said().strip()[-500:]}")
        need(p.poll() is None, lambda: f"systemd ended with {p.returncode}: {self.said()}")
        return True

    def said(self):
        with open(self.console) as f:
            return f.read()[-4000:]

    def drop_in(self, text, unit="basculed"):
        """More for [Service], from now on."""
        self.write(f"/run/systemd/system/{unit}.service.d/test.conf", f"[Service]\n{text}\n")
        self.ctl("daemon-reload")

    def enter(self):
        return ["nsenter", "-a", "-t", self.pid, "--"]

    def sh(self, *cmd, **kw):
        return sh(*self.enter(), *cmd, **kw)

    def ctl(self, *words, **kw):
        return self.sh("systemctl", "--no-pager", *words, **kw)

    def is_active(self, unit):
        return self.ctl("is-active", unit, check=False).stdout.strip()

    def prop(self, unit, name):
        return self.ctl("show", "-p", name, "--value", unit).stdout.strip()

    def main_pid(self, unit="basculed"):
        return int(self.prop(unit, "MainPID"))

    def cli(self, *words, **kw):
        """bascule, at its usual socket."""
        return self.sh(CLIENT, *words, **kw)

    def json(self, *words):
        return json.loads(self.cli("-j", *words).stdout)

    def log(self, unit="basculed"):
        """What the journal has of it."""
        return self.sh("journalctl", "--no-pager", "-o", "short", "-u", unit).stdout
