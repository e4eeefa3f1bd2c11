# SPDX-License-Identifier: BSD-2-Clause
"""How long `guest start` takes beyond what QEMU takes by itself: the same
arguments, its sockets and its tap made by QEMU instead of being passed, until
QMP says how the guest is.  Beside it, how long 64 guests take to be listed."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time

import guests
from lib import Series, Unavailable, run

GUESTS = 64


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


def start_rounds(c, ns, control, folder):
    got = {"bascule": [], "bare": [], "beyond": []}
    for i in range(max(5, c.rounds * 3)):
        ours = control.timed("guest.start", name="g")
        pid = control.call("guest.show", name="g")["pid"]
        args = bare_arguments(pid, folder)
        control.call("guest.kill", name="g")
        exec_cost = empty_namespace_command(ns)
        theirs = bare(ns, args, folder) - exec_cost
        if i == 0:
            continue  # what is read from disk once
        got["bascule"].append(ours)
        got["bare"].append(theirs)
        got["beyond"].append(ours - theirs)
    return got


def launch(c):
    part = "launch"
    c.report.head(part, "guest start beyond QEMU's own start; %d guests listed"
                  % GUESTS)
    try:
        with contextlib.ExitStack() as stack:
            ns, daemon, control = guests.begin(c, stack, "guest")
            control.call("guest.define", name="g", memory=128,
                         nets=[{"bridge": "br0"}], qemu_args=["-S"], accel="tcg")
            started(c, part, start_rounds(c, ns, control, daemon.folder))
            for i in range(GUESTS - 1):
                control.call("guest.define", name="l%d" % i,
                             nets=[{"bridge": "br0"}] * 2)
            guests.listed(c, part, daemon, control, " of %d" % GUESTS)
    except Unavailable as e:
        c.report.unavailable(part, "bascule", e)


def started(c, part, got):
    s = {k: Series(v) for k, v in got.items()}
    c.report.series(part, "bascule", "guest start, QEMU answers", "ms", s["bascule"])
    c.report.series(part, "QEMU alone", "the same arguments", "ms", s["bare"])
    c.report.target(part, "ms beyond QEMU alone", s["beyond"], "<=", 150)
