#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests on taps whose netdevs are packet ports, as a lab has them: checksum and
segmentation offloads in both directions, as QEMU and the guest agree on them."""
import guestlib
from guestlib import lib

# virtio-net feature bits: checksums and TSO of the frames that the guest sends (0,
# 11, 12) and of those it takes (1, 7, 8)
OFFLOADS = {0, 1, 7, 8, 11, 12}


def test_tap(lab):
    out = guestlib.Outside(lab)
    sw = lab.sw
    # vm1 is made by hand and stays, vm2 is QEMU's own and goes with it
    lib.sh("ip", "-n", sw.ns, "tuntap", "add", "vm1", "mode", "tap")
    lib.sh("ip", "-n", sw.ns, "link", "set", "vm1", "up")
    g1 = guestlib.Guest(lab, "g1", guestlib.tap("vm1"), ns=sw.ns)
    g2 = guestlib.Guest(lab, "g2", guestlib.tap("vm2", script=guestlib.IFUP), ns=sw.ns)
    g1.start()
    g2.start()
    lib.wait_until(lambda: guestlib.is_up(sw.ns, "vm2"), 10, "vm2 is up")
    sw.addif("br0", "vm1")
    sw.addif("br0", "vm2")
    print(f"     up after {g1.wait_ready(1):.1f} s and {g2.wait_ready(1):.1f} s")
    for g in (g1, g2):
        lib.need(OFFLOADS <= g.features(), f"offloads are off: {sorted(g.features())}")
        g.works(out, "tap")
    print(f"     guest to guest: {g1.send_to(g2):.0f} Mb/s")
    guestlib.untroubled(lab, "vm1", "vm2", out.uplink)

    guestlib.reloaded(out, g1)
    guestlib.rebooted(lab, out, g1, "vm1")
    guestlib.killed(lab, out, (g1, "vm1", "interface vm1 is without carrier"),
                    (g2, "vm2", "interface vm2 was deleted"))


guestlib.main()
