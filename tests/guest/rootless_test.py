#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests without root: switch, client and QEMU belong to an ordinary user who has no
privilege of any kind, not even namespaces of his own."""
import os
import shutil

import guestlib
from guestlib import lib

UID = 200000 + os.getpid() % 100000  # nobody has it
USER = ("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--bounding-set=-all",
        "--inh-caps=-all", "--no-new-privs",
        # whose change takes this away from a process
        "--pdeathsig", "KILL")


class Unprivileged(lib.Bascule):
    """basculed and its client as that user, who may not be able to reach the tree."""

    def __init__(self, lab):
        super().__init__(lab)
        os.chmod(lab.dir, 0o755)
        self.home = os.path.join(lab.dir, "home")
        os.mkdir(self.home)
        os.chown(self.home, UID, UID)
        for exe in ("basculed", "bascule"):
            shutil.copy(os.path.join(lib.BUILD, exe), lab.dir)
        self.sock = os.path.join(self.home, "bascule.sock")
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.home, HOME=self.home)

    def start(self):
        with open(self.log, "ab") as f:
            self.proc = self.lab.spawn(*USER, os.path.join(self.lab.dir, "basculed"), ns=self.ns,
                                       stdout=f, stderr=f, env=self.env)
        lib.wait_until(self.ready, 10, "basculed answers")

    def words(self, *args):
        return [*USER, os.path.join(self.lab.dir, "bascule"), "-S", self.sock, *map(str, args)]


def guest(lab, sw, name, netdev):
    g = guestlib.Guest(lab, name, netdev, ns=sw.ns, prefix=USER)
    g.images = [shutil.copy(f, lab.dir) for f in guestlib.made()]
    return g


def test_rootless(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge needs root")
    sw = lab.sw = Unprivileged(lab)
    sw.start()
    with open(f"/proc/{sw.proc.pid}/status") as f:
        lib.need("CapEff:\t0000000000000000\n" in f.read(), "basculed has privileges")
    # what cannot be had is said
    r = sw.cli("addbr", "br1", check=False)
    lib.need(r.returncode != 0 and "permi" in (r.stdout + r.stderr).lower(),
             f"addbr with an interface of its own: {r.returncode} {r.stdout}{r.stderr}")
    sw.cli("addbr", "br0", "--no-local")
    path = os.path.join(sw.home, "s")
    sw.addif("br0", f"stream:{path}1,name=g1")
    sw.addif("br0", f"dgram:{path}2,remote={path}3,name=g2")
    g1 = guest(lab, sw, "g1", f"stream,server=off,addr.type=unix,addr.path={path}1")
    g2 = guest(lab, sw, "g2", f"dgram,local.type=unix,local.path={path}3,"
               f"remote.type=unix,remote.path={path}2")
    g1.start()
    g2.start()
    # the second gives the first its address
    g2.wait_ready(1)
    g2.run("ip link set eth0 up && ip addr add 10.9.0.2/24 dev eth0")
    g2.ip4 = "10.9.0.2"
    for line in ("start 10.9.0.10", "end 10.9.0.20", "option subnet 255.255.255.0",
                 "interface eth0", "lease_file /tmp/leases", "pidfile /tmp/pid"):
        g2.run(f"echo {line} >>/tmp/udhcpd.conf")
    g2.run("touch /tmp/leases; udhcpd -f /tmp/udhcpd.conf >/tmp/udhcpd.log 2>&1 &")
    g1.wait_ready(1)
    g1.dhcp()
    g1.ping(g2.ip4)
    g1.run(f"dd if=/dev/urandom of=/tmp/got bs=1000000 count={guestlib.SIZE // 1000000} "
           "2>/dev/null")
    rates = g1.send_to(g2), g2.send_to(g1)
    print(f"     without root: {rates[0]:.0f} and {rates[1]:.0f} Mb/s")
    guestlib.untroubled(lab, "g1", "g2")


guestlib.main()
