#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lab of `make lab-vm`, ended by Ctrl-C: it takes down what it has made, in
order, and says nothing but that."""
import os
import re
import signal
import subprocess

import guestlib
from guestlib import lib


def test_interrupted(lab):
    guestlib.made()
    path = os.path.join(lab.dir, "said")
    with open(path, "w") as out:
        p = subprocess.Popen(["docs/lab/vm.sh"], cwd=lib.ROOT, stdout=out, stderr=out,
                             env=dict(os.environ, BUILD=lib.BUILD), start_new_session=True)

    def end():
        if p.poll() is None:
            os.killpg(p.pid, signal.SIGTERM)
            p.wait(60)
    lab.at_end(end)

    def said():
        with open(path) as f:
            return f.read()
    lib.wait_until(lambda: "4. The machines boot" in said() or p.poll() is not None, 60, said)
    lib.need(p.poll() is None, said)
    os.killpg(p.pid, signal.SIGINT)  # as the terminal's driver does it
    lib.need(p.wait(60) == 1, lambda: f"exit {p.returncode}: {said()}")
    lib.need("lab two-vms is down, nothing of it is left" in said(), said)
    lib.need(not re.search("still there|does not answer|Cannot|No such", said()), said)
    left = lib.sh("ip", "netns", "list").stdout
    lib.need(f"vmlab{p.pid}-" not in left, left)


guestlib.main()
