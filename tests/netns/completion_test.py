#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Completion, as somebody at a terminal has it: bash completes."""
import os
import pty
import re
import select
import shutil
import time

import lib
from lib import need

ALL = b"\x1b*"  # puts all possible completions into the line
SETUP = ("PS1=; bind 'set enable-bracketed-paste off'; "
         f"cd %s; source {lib.ROOT}/packaging/bash-completion; echo :: ready\n")


class Bash:
    def __init__(self, sw, folder):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ.update(PATH=f"{lib.BUILD}:{os.environ['PATH']}", TERM="dumb",
                              BASCULE_SOCKET=sw.sock, COLUMNS="2000", HISTFILE="")
            os.execlp("bash", "bash", "--norc", "--noprofile", "-i")
        self.pid = pid
        self.got = b""
        self.type(SETUP % folder)

    def type(self, text):
        """What it says in a line that begins with '::'."""
        os.write(self.fd, text.encode() if isinstance(text, str) else text)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            found = re.search(rb"(?m)^:: ?(.*?)\r?\n", self.got)
            if found:
                self.got = self.got[found.end():]
                return found.group(1).decode().split()
            if select.select([self.fd], [], [], 0.2)[0]:
                self.got += os.read(self.fd, 65536)
        raise lib.Failed(f"bash does not answer: {self.got!r}")

    def complete(self, line):
        """The words that came instead of the line's last one."""
        got = self.type(line.encode() + ALL + b"\x01echo :: \r")
        return set(got[len(line.split()) - (not line.endswith(" ")):])

    def end(self):
        os.close(self.fd)  # it hangs up
        os.waitpid(self.pid, 0)


def test_completion(lab):
    if lib.KERNEL:
        raise lib.Skip("the client is ours")
    if not shutil.which("bash"):
        raise lib.Skip("no bash")
    sw = lab.switch()
    folder = os.path.join(lab.dir, "files")
    os.mkdir(folder)
    for name in ("one.yaml", "two.qcow2"):
        with open(os.path.join(folder, name), "w") as f:
            f.write("lab: office\nbridges: {lb0: {local: no}}\n")
    sw.addif("br0", "mem:probe")
    sw.addif("br0", "mem:q$(pwd);#")  # others' names are words and no commands
    sw.cli("lab", "up", os.path.join(folder, "one.yaml"))
    sw.cli("guest", "define", "web", "--net", "br0")
    files, bridges = {"one.yaml", "two.qcow2"}, {"br0", "lb0"}
    bash = Bash(sw, folder)
    lab.at_end(bash.end)
    for line, want in (
            ("bascule lab ", {"up", "down", "show"}),
            ("bascule lab up ", files), ("bascule lab up o", {"one.yaml"}),
            ("bascule lab down ", {"office"}), ("bascule -j lab show o", {"office"}),
            ("bascule lab down one", {"one.yaml"}),
            ("bascule apply ", files), ("bascule apply --dry-run ", files),
            ("bascule apply one.yaml --", {"--dry-run", "--confirm"}),
            ("bascule help guest l", {"link", "list"}), ("bascule help wa", {"wait-forwarding"}),
            ("bascule guest define w2 --r", {"--restart"}),
            ("bascule guest define w2 --disk ", files),
            ("bascule guest define w2 --disk two.qcow2 --sn", {"--snapshot"}),
            ("bascule guest define w2 --snapshot --accel ", {"auto", "kvm", "tcg"}),
            ("bascule guest define w2 --restart o", {"on-failure"}),
            ("bascule guest define w2 --net ", bridges),
            ("bascule guest define w2 --qemu-arg -S --net b", {"br0"}),
            ("bascule guest stop ", {"web"}), ("bascule guest stop web --t", {"--timeout"}),
            ("bascule guest stop --timeout 5 ", {"web"}),
            (f"bascule -S {sw.sock} showmacs ", bridges), ("bascule delif br0 p", {"probe"}),
            ("bascule delif br0 q", {"q$(pwd);#"}),
            ("bascule addif br0 l", {"lo"}),
            ("bascule stp br0 of", {"off"})):
        got = bash.complete(line)
        need(got == want, f"{line!r}: {got}")
    got = bash.complete("bascule guest define w2 ")
    need({"--disk", "--cpus", "--qemu-arg"} <= got and all(w.startswith("--") for w in got), got)
    need({"lab", "guest", "help", "addbr"} <= bash.complete("bascule help "), "help")
    sw.cli("lab", "down", "office")


def test_help(lab):
    if lib.KERNEL:
        raise lib.Skip("the client is ours")
    sw = lab.switch()
    r = sw.cli("help", "guest", "foo", check=False)
    need(r.returncode == 1 and "there is no command guest foo;" in r.stderr, r.stderr)
    for words, first in ((("guest",), "guest define"), (("guest", "stop"), "guest stop"),
                         (("stp",), "stp")):
        need(sw.cli("help", *words).stdout.startswith(f"bascule {first} "), words)


lib.main()
