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

    def expect(self, *lines):
        for line, want in lines:
            got = self.complete(line)
            need(got == want, f"{line!r}: {got}")

    def end(self):
        os.close(self.fd)  # it hangs up
        os.waitpid(self.pid, 0)


def parameters(sw, what):
    """The names of them, from the help text."""
    lines = sw.cli("help", what, "set").stdout.splitlines()
    return {l.split()[0] for l in lines if l[0] == " " and len(l[:20].split()) == 1}


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
    sw.cli("addbr", "br1")
    sw.addif("br1", "mem:web")
    sw.addif("br0", "mem:q$(pwd);#")  # others' names are words and no commands
    sw.cli("lab", "up", os.path.join(folder, "one.yaml"))
    sw.cli("guest", "define", "web", "--net", "br0")
    files, bridges = {"one.yaml", "two.qcow2"}, {"br0", "br1", "lb0"}
    mine, switch = {"probe", "q$(pwd);#"}, {"on", "off"}
    bash = Bash(sw, folder)
    lab.at_end(bash.end)
    bash.expect(

            ("bascule lab ", {"up", "down", "show"}),
            ("bascule lab up ", files), ("bascule lab up o", {"one.yaml"}),
            ("bascule lab down ", files | {"office"}),
            ("bascule -j lab show o", {"office", "one.yaml"}),
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
            ("bascule guest define w2 --qemu-arg -S --net br", {"br0", "br1"}),
            ("bascule guest stop ", {"web"}), ("bascule guest stop web --t", {"--timeout"}),
            ("bascule guest stop --timeout 5 ", {"web"}),
            (f"bascule -S {sw.sock} showmacs ", bridges), ("bascule delif br0 p", {"probe"}),
            ("bascule delif br0 q", {"q$(pwd);#"}),
            ("bascule addif br0 l", {"lo"}),
            ("bascule stp br0 of", {"off"}), ("bascule stp br0 ", switch | {"rstp", "stp"}),
            ("bascule hairpin br0 probe ", switch),
            ("bascule delif br0 ", mine), ("bascule delif br1 ", {"web"}),
            ("bascule delif br0 probe ", mine), ("bascule hairpin br1 ", {"web"}),
            ("bascule stp why ", mine | {"web"}), ("bascule port set ", mine | {"web"}),
            ("bascule port addresses ", mine | {"web"}), ("bascule stats b", {"br0", "br1"}),
            ("bascule port set web follow-moves ", switch),
            ("bascule port set web hairpin o", switch),
            ("bascule port set web p2p ", switch | {"auto"}),
            ("bascule port set web priority ", set()),
            ("bascule bridge set br0 force-version ", {"stp", "rstp"}),
            ("bascule bridge set br0 stp ", switch), ("bascule bridge set br0 nothing ", set()),
            ("bascule comp", {"comp"}), ("bascule help comp", {"comp"}),  # stays
            ("bascule frobnicate ", set()))
    got = bash.complete("bascule guest define w2 ")
    need({"--disk", "--cpus", "--qemu-arg"} <= got and all(w.startswith("--") for w in got), got)
    need({"lab", "guest", "help", "addbr"} <= bash.complete("bascule help "), "help")
    need(bash.complete("bascule port set web ") == parameters(sw, "port"), "port set")
    need(bash.complete("bascule bridge set br0 ") == parameters(sw, "bridge"), "bridge set")
    sw.cli("lab", "down", "office")
    bash.expect(("bascule lab down ", files), ("bascule lab show t", {"two.qcow2"}))


def test_completion_of_kernel(lab):
    """Bridges of the kernel's are offered where they are, in whose namespace -n says."""
    if lib.KERNEL:
        raise lib.Skip("the client is ours")
    if not shutil.which("bash"):
        raise lib.Skip("no bash")
    sw = lab.switch()
    elsewhere = lab.ns("else")
    for ns, name in ((sw.ns, "kbr0"), (sw.ns, "kbr1"), (elsewhere, "kbr2")):
        lib.sh("ip", "-n", ns, "link", "add", name, "type", "bridge")
        lib.sh("ip", "-n", ns, "link", "set", name, "up")
    sw.cli("adopt", "kbr1")
    bash = Bash(sw, lab.dir)
    lab.at_end(bash.end)
    bash.expect(
        (f"bascule -n {sw.ns} adopt ", {"kbr0", "kbr1"}),
        (f"bascule -j --netns {elsewhere} adopt ", {"kbr2"}),
        (f"bascule -n{elsewhere} adopt ", {"kbr2"}),
        (f"bascule -n {elsewhere} adopt --undo ", {"kbr1"}),
        (f"bascule -n {elsewhere} addif br0 ", {"lo", "kbr2"}),
        (f"bascule -n {sw.ns} adopt kbr1 ", {"--undo", "--disable"}),
        (f"bascule -n {lab.tag}-", {sw.ns, elsewhere}),
        (f"bascule -j --netns {lab.tag}-e", {elsewhere}),
        (f"bascule -n /run/netns/{lab.tag}-e", {f"/run/netns/{elsewhere}"}))
    need({sw.ns, elsewhere} <= bash.complete("bascule -n "), "-n")
    need("ctl.sock" in bash.complete("bascule -S "), "-S")
    sw.cli("adopt", "kbr1", "--undo")
    bash.expect((f"bascule -n {sw.ns} adopt --undo ", set()))


def test_manual(lab):
    """The manual pages set without a warning, wide or narrow."""
    if not shutil.which("man") or not shutil.which("groff"):
        raise lib.Skip("no man")
    text = lib.sh(os.path.join(lib.BUILD, "bascule"), "help", "--man").stdout
    own = lab.write("bascule.8", text)
    for page in (own, f"{lib.ROOT}/docs/basculed.8", f"{lib.ROOT}/docs/basculed.conf.5"):
        for width in ("60", "80", "100"):
            r = lib.sh("env", f"MANWIDTH={width}", "MANROFFOPT=", "LC_ALL=C.UTF-8", "man",
                       "--warnings", "-l", page)
            need(len(r.stdout) > 5000, f"{page}: {len(r.stdout)} characters")
            need(not r.stderr, f"{page}, {width} wide: {r.stderr}")


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
