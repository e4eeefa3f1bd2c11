#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Has one of the lab's tiny machines run a command, over its serial line.

    docs/lab/say.py SOCKET COMMAND...      prints what it prints, exits as it does

Waits for it to be up, up to a minute in all.
"""
import os
import re
import signal
import socket
import sys
import time

LIMIT = 60


def main(path, command):
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends it without a word
    end = time.monotonic() + LIMIT
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.settimeout(0.5)
    number, text, asked = os.getpid(), b"", False
    hello = re.compile(rb"@@ %d00 0\r?\n" % number)
    answer = re.compile(rb"@@ %d01 (\d+)\r?\n" % number)
    while time.monotonic() < end:
        m = not asked and hello.search(text)
        if m:
            asked, text = True, text[m.end():]  # perhaps half of another answer
            s.sendall(b"%d01 %s\n" % (number, command.encode()))
        elif not asked:
            s.sendall(b"%d00 true\n" % number)
        try:
            more = s.recv(65536)
        except TimeoutError:
            continue
        if not more:
            sys.exit("say.py: the machine has ended")
        text += more
        m = asked and answer.search(text)
        if m:
            said = re.sub(rb"@@ \d+ \d+\r?\n", b"", text[:m.start()])
            sys.stdout.write(said.decode(errors="replace"))
            return int(m.group(1))
    sys.exit(f"say.py: no answer within {LIMIT} s")


sys.exit(main(sys.argv[1], " ".join(sys.argv[2:])))
