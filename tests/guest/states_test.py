#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests that stand: what QEMU says they stand for is what is shown and told, and
what a stop in vain says."""
import json
import os
import socket
import threading

import guestlib
from guestlib import lib, need_qemu, refused, state

SEABIOS = "/usr/share/seabios/bios-256k.bin"  # wakes a guest up, which qboot does not

# What boot sectors do before they halt for good.
WATCHDOG = "ba4304 b00e ee"    # mov dx,443h; mov al,0eh; out dx,al: ib700 in 2 s
PANIC = "ba0505 b001 ee"       # mov dx,505h; mov al,1; out dx,al: to pvpanic
POWER_OFF = "ba0406 b80020 ef"  # mov dx,604h; mov ax,2000h; out dx,ax: ACPI's S5
HALT = "f4 ebfd"               # hlt; jmp to it


def stands(lab, name, word, said):
    """QEMU has that word for it, which is told in a sentence."""
    lib.wait_until(lambda: state(lab, name) == word, 20,
                   lambda: f"{name} is {state(lab, name)}, not {word}")
    line = f"basculed: info: guest {name} {said}\n"
    lib.need(lab.sw.log_tail(1) == line, f"{line}: {lab.sw.log_tail(5)}")
    lib.need(lab.sw.json("guest", "show", name)["state"] == word, word)
    print(f"     {name}: {word}")


def in_vain(lab, name, said):
    """Nothing in it hears a button, and it is as it was."""
    before = state(lab, name)
    refused(lab, f"guest {name} has not powered down in time: it {said}; bascule guest kill "
            f"{name} ends it$", "guest", "stop", name, "--timeout", "1")
    lib.need(state(lab, name) == before, f"{name} is {state(lab, name)}")


def boot(lab, name, code, *args):
    """Starts a guest of a boot sector."""
    path = os.path.join(lab.dir, f"{name}.disk")
    with open(path, "wb") as f:
        f.write(bytes.fromhex(code + HALT).ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    lab.sw.cli("guest", "define", name, "--memory", "32", "--disk", f"{path},bus=ide", "--boot",
               "disk", *(x for a in args for x in ("--qemu-arg", a)))
    lab.sw.cli("guest", "start", name)


def is_over(lab, name, said):
    """No button ends it, which is said at once."""
    for command in "stop", "start", "restart":
        refused(lab, f"guest {name} {said}$", "guest", command, name)
    lab.sw.cli("guest", "kill", name)
    lib.need(state(lab, name) == "stopped", f"{name} is {state(lab, name)}")


def test_disk_full_and_asleep(lab):
    """Its disk is a file on a file system without room; later there is some.  Then its
    kernel suspends it to memory."""
    need_qemu()
    if not os.path.exists(SEABIOS):
        raise lib.Skip(f"there is no {SEABIOS} (apt-get install seabios)")
    full = os.path.join(lab.dir, "full")
    os.mkdir(full)
    lib.sh("mount", "-t", "tmpfs", "-o", "size=1m", "full", full)
    lab.at_end(lambda: lib.sh("umount", full))
    with open(os.path.join(full, "disk"), "wb") as f:
        f.truncate(8 << 20)
    sw = lab.switch(quiet=True, bridge=None)
    m = guestlib.Monitor(lab, "st")
    g = guestlib.Launched(lab, "st", modules=("virtio_blk",), extra=(
        "--disk", os.path.join(full, "disk"), *m.args, "--qemu-arg", "-bios", "--qemu-arg",
        SEABIOS))
    g.start()
    g.wait_ready(1)
    number = g.post("dd if=/dev/zero of=/dev/vda bs=64k count=64 conv=fsync")
    stands(lab, "st", "io-error", "was stopped by an error of a disk's")
    in_vain(lab, "st", "was stopped by an error of a disk's")
    lib.sh("mount", "-o", "remount,size=16m", full)
    m.say("cont")
    stands(lab, "st", "running", "goes on")
    status, said = g.answer(number)
    lib.need(status == 0, said)

    number = g.post("echo mem >/sys/power/state")
    stands(lab, "st", "suspended", "is suspended")
    in_vain(lab, "st", "is suspended")
    m.say("system_wakeup")
    stands(lab, "st", "running", "goes on")
    status, said = g.answer(number)
    lib.need(status == 0, said)
    g.run("true")
    guestlib.no_warnings(sw)


def test_watchdog(lab):
    """Its system hangs, with a watchdog that stops it then."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    m = guestlib.Monitor(lab, "wd")
    boot(lab, "wd", WATCHDOG, "-device", "ib700", "-action", "watchdog=pause", *m.args[1::2])
    stands(lab, "wd", "watchdog", "was stopped by its watchdog")
    in_vain(lab, "wd", "was stopped by its watchdog")
    m.say("cont")
    stands(lab, "wd", "running", "goes on")
    sw.cli("guest", "kill", "wd")
    guestlib.no_warnings(sw)


def test_over(lab):
    """It has panicked, or powered down, and its QEMU was told to stay."""
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    boot(lab, "pa", PANIC, "-device", "pvpanic", "-action", "panic=pause")
    stands(lab, "pa", "guest-panicked", "has panicked")
    is_over(lab, "pa", "has panicked: bascule guest kill pa ends it")
    boot(lab, "po", POWER_OFF, "-no-shutdown")
    stands(lab, "po", "shutdown", "shuts down: guest-shutdown")
    is_over(lab, "po", "has powered down, and its QEMU stays: bascule guest kill po ends what is "
            "left of it")
    guestlib.no_warnings(sw)


class Qmp:
    """What a QEMU would say whose kernel has lost track of its guest: only KVM does, and
    not on demand."""

    def __init__(self, lab, path):
        self.word, self.client = "running", None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        lab.at_end(self.listener.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def send(self, o):
        self.client.sendall(json.dumps(o).encode() + b"\r\n")

    def _serve(self):
        self.client, _ = self.listener.accept()
        self.send({"QMP": {"version": {}, "capabilities": []}})
        for line in self.client.makefile():
            ask = json.loads(line)["execute"]
            self.send({"return": {"status": self.word} if ask == "query-status" else {}})

    def stop(self, word):
        self.word = word
        self.send({"event": "STOP", "timestamp": {"seconds": 0, "microseconds": 0}})


def test_internal_error(lab):
    need_qemu()
    sw = lab.switch(quiet=True, bridge=None)
    sw.cli("guest", "define", "ie", "--memory", "32", "--qemu-arg", "-S")
    sw.cli("guest", "start", "ie")
    path = sw.json("guest", "show", "ie")["qmp"]
    sw.stop()
    os.rename(path, f"{path}.qemu")
    qmp = Qmp(lab, path)
    sw.start()
    lib.wait_until(lambda: qmp.client and state(lab, "ie") == "running", 5,
                   lambda: f"ie is {state(lab, 'ie')}")
    qmp.stop("internal-error")
    stands(lab, "ie", "internal-error", "was stopped by an error inside its QEMU")
    is_over(lab, "ie", "was stopped by an error inside its QEMU: bascule guest kill ie ends it")


guestlib.main()
