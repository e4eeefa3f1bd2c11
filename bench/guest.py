# SPDX-License-Identifier: BSD-2-Clause
"""How long `guest start` takes beyond what QEMU takes by itself: the same
arguments, its sockets and its tap made by QEMU instead of being passed, until
QMP says how the guest is.  Beside it, how long 64 guests take to be listed."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from lib import Namespace, Series, run, wait_for

GUESTS = 64


class Daemon:
    """Its control socket, spoken to as the client does."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.f = self.s.makefile()

    def call(self, method, **params):
        self.s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                   "params": params}).encode() + b"\n")
        answer = json.loads(self.f.readline())
        if "result" not in answer:
            raise RuntimeError("%s: %s" % (method, answer["error"]["message"]))
        return answer["result"]

    def timed(self, method, **params):
        begin = time.monotonic()
        self.call(method, **params)
        return (time.monotonic() - begin) * 1000


def bare_arguments(pid, folder):
    """What QEMU was called with, but that it makes everything itself."""
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        args = f.read().decode().split("\0")[:-1]
    text = "\0".join(args)
    for name in ("qmp", "console"):
        text = re.sub(r"socket,id=%s,fd=\d+" % name,
                      "socket,id=%s,path=%s/%s" % (name, folder, name), text)
    text = re.sub(r"tap,id=net0,fds=\d+",
                  "tap,id=net0,ifname=bare,script=no,downscript=no", text)
    return text.split("\0")


def running(path):
    """Until QMP answers query-status."""
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            break
        except OSError:
            s.close()
            time.sleep(0.0005)
    f = s.makefile()
    f.readline()
    for command in ("qmp_capabilities", "query-status"):
        s.sendall(b'{"execute":"%s"}\n' % command.encode())
        while "return" not in json.loads(f.readline()):
            pass
    s.close()


def bare(ns, args, folder):
    begin = time.monotonic()
    p = subprocess.Popen(ns.command(*args), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running(folder + "/qmp")
    took = (time.monotonic() - begin) * 1000
    p.kill()
    p.wait()
    os.unlink(folder + "/qmp")
    return took


def empty_namespace_command(ns):
    """`ip netns exec` itself, which only the bare start pays for."""
    begin = time.monotonic()
    run(*ns.command("true"))
    return (time.monotonic() - begin) * 1000


def start_rounds(c, ns, daemon, folder):
    got = {"bascule": [], "bare": [], "beyond": []}
    for i in range(max(5, c.rounds * 3)):
        ours = daemon.timed("guest.start", name="g")
        pid = daemon.call("guest.show", name="g")["pid"]
        args = bare_arguments(pid, folder)
        daemon.call("guest.kill", name="g")
        exec_cost = empty_namespace_command(ns)
        theirs = bare(ns, args, folder) - exec_cost
        if i == 0:
            continue  # what is read from disk once
        got["bascule"].append(ours)
        got["bare"].append(theirs)
        got["beyond"].append(ours - theirs)
    return got


def list_rounds(c, daemon, client):
    for i in range(GUESTS - 1):
        daemon.call("guest.define", name="l%d" % i, nets=[{"bridge": "br0"}] * 2)
    rpc, shell = [], []
    for _ in range(max(5, c.rounds * 3)):
        rpc.append(daemon.timed("guest.list"))
        begin = time.monotonic()
        run(*client, "guest", "list")
        shell.append((time.monotonic() - begin) * 1000)
    return rpc, shell


def launch(c):
    part = "launch"
    c.report.head(part, "guest start beyond QEMU's own start; %d guests listed"
                  % GUESTS)
    if not shutil.which("qemu-system-x86_64"):
        c.report.unavailable(part, "bascule", "no qemu-system-x86_64")
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-guest-"))
        ns = Namespace(stack, "guest")
        at = folder + "/control.sock"
        ns.spawn(stack, os.path.join(c.build, "basculed"), "--socket", at)
        wait_for("basculed", lambda: os.path.exists(at))
        daemon = Daemon(at)
        stack.callback(daemon.s.close)
        daemon.call("addbr", bridge="br0")
        ns.ip("link", "set", "br0", "up")
        daemon.call("guest.define", name="g", memory=128,
                    nets=[{"bridge": "br0"}], qemu_args=["-S"], accel="tcg")
        got = start_rounds(c, ns, daemon, folder)
        rpc, shell = list_rounds(c, daemon,
                                 [os.path.join(c.build, "bascule"), "-S", at])
    s = {k: Series(v) for k, v in got.items()}
    c.report.series(part, "bascule", "guest start, QEMU answers", "ms", s["bascule"])
    c.report.series(part, "QEMU alone", "the same arguments", "ms", s["bare"])
    c.report.target(part, "ms beyond QEMU alone", s["beyond"], "<=", 150)
    c.report.series(part, "bascule", "list, at the socket", "ms", Series(rpc))
    c.report.target(part, "ms, guest list of %d" % GUESTS, Series(shell), "<=", 50)
