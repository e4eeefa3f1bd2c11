#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A guest is moved live from one host's switch to another's by QEMU's own
migration, while a third host talks with it by TCP and by a thousand pings a
second.  SWITCH=kernel does the same on the kernel's bridges."""
import os
import socket
import threading
import time

import guestlib
import migration
from guestlib import lib

need = lib.need


ATTEMPTS = 4


def repeated(two, attempt, between=lambda: None):
    for i in range(ATTEMPTS):
        try:
            attempt()
            break
        except lib.Failed as e:
            if i + 1 == ATTEMPTS or not two.guest or not migration.lost_memory(two.guest):
                raise
            print(f"     once more, the emulator has lost the guest's memory: {e}", flush=True)
            between()


def test_move(lab):
    two = migration.Two(lab, lib.KERNEL)
    lab.sw = two.a.sw
    repeated(two, lambda: moves(lab, two))
    if not lib.KERNEL:
        need(two.b.sw.stop(limit=20) == 0, "host B's daemon ended badly")


def moves(lab, two):
    g = two.boot()
    need(two.a.port_of(g.mac) == "vm1", "the guest is not behind vm1 of host A")
    need(two.b.port_of(g.mac) in (None, "trunk"), "host B has the guest elsewhere")
    heard = migration.Announcements(lab, two, g.mac)
    echo = migration.Echo(lab, two.third, g)
    pinger = migration.Pinger(lab, two.third, migration.GUEST)
    time.sleep(0.5)

    if not lib.KERNEL:
        two.a.follow_moves()
    # when the first announcement has reached the third host, all switches on its way know
    at_first = []
    watch = threading.Thread(target=heard.until, args=(
        5, 60, lambda: at_first.extend((two.a.port_of(g.mac), two.b.port_of(g.mac)))))
    watch.start()
    began = time.monotonic()
    said = two.move()
    time.sleep(1.5)
    watch.join(10)
    pings, lines = pinger.end(), echo.end()
    silence, ended = pings.silence(began)
    print(f"     moved in {said['total-time']} ms, {said['downtime']} ms of it still; silence "
          f"{silence * 1e3:.0f} ms, {pings.lost()} of {len(pings.rows)} pings lost; TCP carried "
          f"{lines} lines there and back")
    need(at_first == ["trunk", "vm1"],
         f"after the first announcement host A has the guest behind {at_first[:1]}, B {at_first[1:]}")
    need(len(heard.seen) == 5, f"{len(heard.seen)} announcements of 5 came through")
    print(f"     first announcement {(heard.seen[0] - ended) * 1e3:+.0f} ms from the first answer; "
          f"the five took {(heard.seen[-1] - heard.seen[0]) * 1e3:.0f} ms")
    if not lib.KERNEL:
        followed(two, said, pings)
    need(two.guest.mac == g.mac, "another guest")
    two.guest.ping(migration.THIRD)
    if not lib.KERNEL:
        addresses(two)
    announced_by_hand(lab, two)


def followed(two, said, pings):
    """What the third host sent while QEMU had the guest stopped came after it."""
    n = lib.port_counters(two.a.sw, "br0", "vm1").get("followed", 0)
    print(f"     {n} frames were sent after it")
    if 20 < said["downtime"] < 400:  # longer than a silence; not more than there is room for
        need(n > 0, "no frame was sent after the guest")
        need(pings.lost() < said["downtime"] / 2,
             f"{pings.lost()} pings lost in {said['downtime']} ms all the same")


def addresses(two):
    """The guest's IP address has moved with it."""
    def told(side):
        return [a["address"] for a in side.sw.json("port", "addresses")]
    lib.wait_until(lambda: migration.GUEST in told(two.b), 5, lambda: f"on B: {told(two.b)}")
    lib.wait_until(lambda: told(two.a) == [], 5, lambda: f"on A: {told(two.a)}")


def announced_by_hand(lab, two):
    """QMP's announce-self, with parameters of its own, fills emptied tables again."""
    mac = two.guest.mac
    for side in (two.a, two.b):
        if lib.KERNEL:
            lib.sh("ip", "-n", side.ns, "link", "set", "br0", "type", "bridge", "fdb_flush")
        else:
            side.sw.cli("fdb", "flush", "dev", "br0")
    heard = migration.Announcements(lab, two, mac)
    heard.wire.drain()
    two.guest.qmp.call("announce-self", initial=20, max=100, rounds=3, step=40)
    heard.until(4, 2)
    need(len(heard.seen) == 3, f"{len(heard.seen)} announcements, 3 were asked for")
    took = heard.seen[-1] - heard.seen[0]
    need(took >= 0.07, f"they came within {took * 1e3:.0f} ms, 20 and 60 apart were asked for")
    need(two.a.port_of(mac) == "trunk" and two.b.port_of(mac) == "vm1",
         f"after announce-self A has it behind {two.a.port_of(mac)}, B {two.b.port_of(mac)}")


def launched(lab, two, side, *extra):
    """The same guest on either host, with a monitor as its definition asks for."""
    lab.sw = side.sw
    path = os.path.join(lab.dir, f"monitor{two.moves}")
    two.moves += 1
    more = ["-monitor", f"unix:{path},server=on,wait=off", *extra]
    g = guestlib.Launched(lab, "web", "br0", memory=96,
                          extra=[w for a in more for w in ("--qemu-arg", a)])
    g.monitor = path
    return g


def say(g, command):
    """To the monitor; what it answers."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(g.monitor)
        said = b""
        for line in ("", command):
            s.sendall(line.encode() + b"\n" if line else b"")
            while not said.endswith(b"(qemu) "):
                said += s.recv(4096)
            said, last = b"", said
    return last.decode(errors="replace")


def moves_launched(lab, two):
    here = launched(lab, two, two.a)
    here.start()
    here.wait_ready(1)
    here.run(f"ip link set eth0 up && ip addr add {migration.GUEST}/24 dev eth0; echo here >/mark")
    here.ping(migration.THIRD)
    there = launched(lab, two, two.b, "-incoming", f"tcp:0.0.0.0:{migration.MOVE_PORT}")
    there.start()
    lab.sw = two.a.sw
    mac = here.info()["nets"][0]["mac"]
    need(mac == there.info()["nets"][0]["mac"], "the same name, another address")
    two.b.sw.wait_forwarding("web")
    need(two.a.port_of(mac) == "web", f"before: {two.a.port_of(mac)}")
    pinger = migration.Pinger(lab, two.third, migration.GUEST)
    time.sleep(0.3)
    say(here, f"migrate -d tcp:{two.b.move_address}:{migration.MOVE_PORT}")
    lib.wait_until(lambda: "Migration status: completed" in say(here, "info migrate"), 40,
                   lambda: f"it has moved: {say(here, 'info migrate')}")
    lib.wait_until(lambda: "VM status: running" in say(there, "info status"), 10, "it runs there")
    time.sleep(1)
    pings = pinger.end()
    two.guest, there.boots, there.count = there, 1, here.count
    need(there.run("cat /mark").strip() == "here", "it is another guest")
    need(two.a.port_of(mac) == "trunk" and two.b.port_of(mac) == "web",
         f"after: {two.a.port_of(mac)}, {two.b.port_of(mac)}")
    print(f"     {pings.lost()} of {len(pings.rows)} pings lost", flush=True)
    two.a.sw.cli("guest", "kill", "web")
    two.a.sw.cli("guest", "undefine", "web")
    lib.reaches(two.third, migration.GUEST)


def forget(two):
    for side in (two.a, two.b):
        for word in ("kill", "undefine"):
            if side.sw.proc:
                side.sw.cli("guest", word, "web", check=False)


def test_launched(lab):
    """A guest of Bascule's own, as the README says it."""
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge launches no guests")
    two = migration.Two(lab)
    os.chmod(lab.dir, 0o777)  # QEMU makes its monitor there, as nobody
    lab.at_end(lambda: forget(two))
    repeated(two, lambda: moves_launched(lab, two), lambda: forget(two))


guestlib.main()
