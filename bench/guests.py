# SPDX-License-Identifier: BSD-2-Clause
"""What measuring the guests of `bascule guest` begins with, and how long it
takes to list them."""

import shutil
import time

from daemon import Basculed
from lib import Namespace, Series, Unavailable, run


def begin(c, stack, label):
    """A namespace, in it the daemon with a bridge br0, and its control
    socket."""
    if not shutil.which("qemu-system-x86_64"):
        raise Unavailable("no qemu-system-x86_64")
    ns = Namespace(stack, label)
    daemon = Basculed(stack, ns, c.build)
    control = daemon.control()
    control.call("addbr", bridge="br0")  # no spanning tree unless asked for
    ns.ip("link", "set", "br0", "up")
    return ns, daemon, control


def listed(c, part, daemon, control, which):
    """Lists the guests there are, `which`, at the socket and as people do."""
    shell, rpc = [], []
    for _ in range(max(5, c.rounds * 3)):
        rpc.append(control.timed("guest.list"))
        start = time.monotonic()
        run(*daemon.client, "guest", "list")
        shell.append((time.monotonic() - start) * 1000)
    c.report.series(part, "bascule", "list, at the socket", "ms", Series(rpc))
    c.report.target(part, "ms, guest list" + which, Series(shell), "<=", 50)
