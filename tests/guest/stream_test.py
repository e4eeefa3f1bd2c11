#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests on stream ports: QEMU is the server and the switch connects to it, the
other way round, and QEMU's older "-netdev socket" over TCP."""
import os

import guestlib
from guestlib import lib

GONE = r"waiting for a peer at .*: (Connection refused|Connection reset|it closed)"


def test_stream(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no such ports")
    out = guestlib.Outside(lab)
    sw = lab.sw
    path = os.path.join(lab.dir, "s")
    sw.addif("br0", f"stream:{path}1,listen=off,name=g1")
    sw.addif("br0", f"stream:{path}2,name=g2")
    sw.addif("br0", "stream:127.0.0.1:5555,listen=on,name=g3")
    unix = "addr.type=unix,addr.path=" + path
    g1 = guestlib.Guest(lab, "g1", f"stream,server=on,{unix}1")
    g2 = guestlib.Guest(lab, "g2", f"stream,server=off,{unix}2")
    g3 = guestlib.Guest(lab, "g3", "socket,connect=127.0.0.1:5555", ns=sw.ns)
    guests = (g1, g2, g3)
    for g in guests:
        g.start()
    for g in guests:
        g.wait_ready(1)
        guestlib.up(lab, g.name)
        g.works(out, g.netdev.split(",")[0])
    print(f"     guest to guest: {g1.send_to(g3):.0f}, {g3.send_to(g2):.0f} Mb/s")
    guestlib.untroubled(lab, "g1", "g2", "g3", out.uplink)

    guestlib.reloaded(out, g1)
    guestlib.rebooted(lab, out, g1, "g1")
    guestlib.killed(lab, out, (g1, "g1", GONE), (g2, "g2", GONE), (g3, "g3", GONE))


guestlib.main()
