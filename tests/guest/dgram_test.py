#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests on dgram ports: UNIX and UDP sockets, with QEMU's "-netdev dgram" and its
older "-netdev socket,udp="; and one of them with a guest on a tap."""
import os

import guestlib
from guestlib import lib

GONE = r"waiting for a peer at .*: (Connection refused|Connection reset|it closed)"


def test_dgram(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no such ports")
    out = guestlib.Outside(lab)
    sw = lab.sw
    path = os.path.join(lab.dir, "d")
    sw.addif("br0", f"dgram:{path}b,remote={path}g,name=g1")
    sw.addif("br0", "dgram:127.0.0.1:5001,remote=127.0.0.1:5000,name=g2")
    sw.addif("br0", "dgram:127.0.0.1:5003,remote=127.0.0.1:5002,name=g3")
    g1 = guestlib.Guest(lab, "g1", f"dgram,local.type=unix,local.path={path}g,"
                        f"remote.type=unix,remote.path={path}b")
    g2 = guestlib.Guest(lab, "g2", "dgram,local.type=inet,local.host=127.0.0.1,"
                        "local.port=5000,remote.type=inet,remote.host=127.0.0.1,"
                        "remote.port=5001", ns=sw.ns)
    g3 = guestlib.Guest(lab, "g3", "socket,udp=127.0.0.1:5003,localaddr=127.0.0.1:5002",
                        ns=sw.ns)
    tap = guestlib.Guest(lab, "tap", guestlib.tap("vm1", script=guestlib.IFUP), ns=sw.ns)
    for g in (g1, g2, g3, tap):
        g.start()
    lib.wait_until(lambda: guestlib.is_up(sw.ns, "vm1"), 10, "vm1 is up")
    sw.addif("br0", "vm1")
    for g in (g1, g2, g3):
        g.wait_ready(1)
        guestlib.up(lab, g.name)
        g.works(out, g.netdev.split(",")[0])
    tap.wait_ready(1)
    tap.dhcp()
    print(f"     guest to guest: {g1.send_to(g2):.0f}, to a tap {g2.send_to(tap):.0f}, "
          f"from it {tap.send_to(g1):.0f} Mb/s")
    tap.kill()

    guestlib.reloaded(out, g1)
    guestlib.rebooted(lab, out, g1, "g1")
    guestlib.killed(lab, out, (g1, "g1", GONE), (g2, "g2", GONE))


guestlib.main()
