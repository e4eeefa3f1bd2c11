# SPDX-License-Identifier: BSD-2-Clause
"""basculed to be measured, and its control socket, spoken to as the client
does."""

import json
import os
import socket
import tempfile
import time

from lib import Unavailable, wait_for


class Basculed:
    """The daemon in a namespace, until the stack ends; what is made for it may
    lie in its folder."""

    def __init__(self, stack, ns, build):
        program, client = (os.path.join(build, p)
                           for p in ("basculed", "bascule"))
        for p in (program, client):
            if not os.access(p, os.X_OK):
                raise Unavailable("build %s" % p)
        self.stack = stack
        self.folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-bascule-"))
        self.socket = self.folder + "/control.sock"
        self.client = [client, "-S", self.socket]
        self.log = open(self.folder + "/log", "w+", encoding="utf-8")
        stack.callback(self.log.close)
        self.process = ns.spawn(stack, program, "--socket", self.socket,
                                stderr=self.log)
        wait_for("basculed", self.listening)

    def listening(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise Unavailable("basculed ended: " + self.log.read().strip())
        return os.path.exists(self.socket)

    def control(self):
        return Control(self.stack, self.socket)


class Control:
    """A connection to its control socket."""

    def __init__(self, stack, path):
        self.socket = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.lines = stack.enter_context(self.socket.makefile("rw"))
        self.serial = 0

    def call(self, method, **params):
        self.serial += 1
        self.lines.write(json.dumps({
            "jsonrpc": "2.0", "id": self.serial, "method": method,
            "params": params}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            raise RuntimeError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def timed(self, method, **params):
        """... in milliseconds."""
        begin = time.monotonic()
        self.call(method, **params)
        return (time.monotonic() - begin) * 1000
