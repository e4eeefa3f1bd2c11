# SPDX-License-Identifier: BSD-2-Clause
"""The switches that are measured, Bascule among them, each in namespaces of
its own so that all of them can be up at once and take turns.

A rig is a switch with two places to send between:

  veth   hosts in namespaces, veth pairs whose other ends are the ports
  tap    hosts in namespaces whose netdevs are taps the switch made
  vm     taps held by bench/tools/pps as virtual machines hold them; their
         netdevs are the ports
  stream, dgram, vde
         guests (tests/guest) on sockets of that kind
  guesttap
         guests on taps whose netdevs are the ports
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tests", "guest"))

import guestlib
from daemon import Basculed
from lib import Namespace, Unavailable, cpu_busy, run, wait_for

NET = "10.99.0."


class Rig:
    """Namespaces, switch and hosts; a context manager."""

    def __init__(self, peer, form, build):
        self.peer, self.form, self.build = peer, form, build
        self.name = "%s/%s" % (peer.name, form)
        self.stack = contextlib.ExitStack()
        self.pps = None

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def up(self):
        self.peer.check()
        self.switch = Namespace(self.stack, "sw")
        self.peer.start(self.stack, self.switch, self.build)
        getattr(self, "up_" + self.form)()

    def up_hosts(self):
        self.host = [Namespace(self.stack, "h%d" % i) for i in (1, 2)]

    def address_hosts(self):
        for i, h in enumerate(self.host, 1):
            h.ip("addr", "add", "%s%d/24" % (NET, i), "dev", "eth0")
            h.ip("link", "set", "eth0", "up")
        wait_for(self.name + ": first ping", self.ping, 15)

    def ping(self):
        out = self.host[0].run("ping", "-c", 1, "-W", 1, NET + "2",
                               check=False)
        return " 0% packet loss" in out

    def up_veth(self):
        self.up_hosts()
        for i, h in enumerate(self.host, 1):
            self.switch.ip("link", "add", "p%d" % i, "type", "veth", "peer",
                           "name", "eth0", "netns", h.name)
            self.switch.ip("link", "set", "p%d" % i, "up")
        self.peer.take(self.switch, ["p1", "p2"])
        self.address_hosts()

    def up_tap(self):
        self.up_hosts()
        self.peer.make_taps(self.switch, ["t1", "t2"])
        for i, h in enumerate(self.host, 1):
            self.switch.ip("link", "set", "t%d" % i, "netns", h.name)
            h.ip("link", "set", "t%d" % i, "name", "eth0")
        self.address_hosts()

    def up_vm(self):
        self.start_pps("tap:%s:g1" % self.switch.name,
                       "tap:%s:g2" % self.switch.name)
        for n in ("g1", "g2"):
            self.switch.ip("link", "set", n, "up")
        self.peer.take(self.switch, ["g1", "g2"])
        wait_for(self.name + ": first frame",
                 lambda: self.trial(60, 1000, 20)["received"] > 0, 15)

    def up_sockets(self):
        """Guests at sockets that the switch serves."""
        place = GuestPlace(self.stack)
        self.up_guests(place, self.peer.guest_netdevs(
            self.switch, self.form, place.dir))

    up_stream = up_dgram = up_vde = up_sockets

    def up_guesttap(self):
        """QEMU opens taps that are there, and ports, before it runs."""
        names = ["g1", "g2"]
        for n in names:
            self.switch.ip("tuntap", "add", n, "mode", "tap")
            self.switch.ip("link", "set", n, "up")
        self.peer.take(self.switch, names)
        self.up_guests(GuestPlace(self.stack), map(guestlib.tap, names))

    def up_guests(self, place, netdevs):
        """Two guests with iperf3."""
        programs = tuple(shutil.which(p) or p for p in ("iperf3",))
        if not os.access(programs[0], os.X_OK):
            raise Unavailable("install iperf3")
        self.guest = []
        try:
            for i, netdev in enumerate(netdevs, 1):
                self.guest.append(NamedGuest(
                    place, "g%d" % i, netdev, ns=self.switch.name,
                    memory=192, programs=programs))
                self.guest[-1].start()
                if self.peer.name == "direct":  # the first serves the second
                    self.guest[-1].wait_ready(1, 60)
        except guestlib.lib.Skip as e:
            raise Unavailable(str(e)) from e
        for i, g in enumerate(self.guest, 1):
            g.wait_ready(1, 60)
            g.run("ip link set eth0 up && ip addr add %s%d/24 dev eth0"
                  % (NET, i))
        self.guest[0].ping(NET + "2")

    def start_pps(self, sender, receiver):
        tool = os.path.join(self.build, "bench/tools/pps")
        self.pps = self.switch.spawn(self.stack, tool, sender, receiver,
                                     stdin=subprocess.PIPE, text=True,
                                     stdout=subprocess.PIPE, stderr=None)
        if self.pps.stdout.readline() != "ready\n":
            raise RuntimeError("pps did not start")

    def trial(self, size, rate, ms, *option):
        """One stretch of frames; pps's answer plus the processors' time."""
        if self.pps is None:
            self.start_pps("if:%s:eth0" % self.host[0].name,
                           "if:%s:eth0" % self.host[1].name)
        busy = cpu_busy()
        print("trial", size, rate, ms, *option, file=self.pps.stdin,
              flush=True)
        answer = self.pps.stdout.readline()
        if not answer:
            raise RuntimeError("pps ended")
        r = json.loads(answer)
        r["cpu"] = cpu_busy() - busy
        return r


class GuestPlace:
    """Where guests put their files, and what ends them."""

    def __init__(self, stack):
        self.dir = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-guest-"))
        self.at_end = stack.callback


class NamedGuest(guestlib.Guest):
    """Its QEMU's threads have names, so that virtual processors can be told
    from what serves them."""

    made = []

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        NamedGuest.made.append(self)

    def command(self):
        return [*super().command(), "-name", self.name + ",debug-threads=on"]

    @staticmethod
    def running():
        return [g for g in NamedGuest.made if g.proc]


class Peer:
    """Installed?  start() it in a namespace, then give it ports."""

    needs = {}  # program: Debian package
    daemon = None  # its process, if it is one

    def check(self):
        for program, package in self.needs.items():
            if not shutil.which(program):
                raise Unavailable("install %s" % package)

    def start(self, stack, ns, build):
        raise NotImplementedError

    def take(self, ns, names):
        raise Unavailable("%s cannot take over a netdev" % self.name)

    def make_taps(self, ns, names):
        raise Unavailable("%s makes no taps" % self.name)

    def guest_netdevs(self, ns, form, folder):
        """Two -netdev options of QEMU's; the switch serves their sockets."""
        raise Unavailable("%s serves no guests at %s sockets"
                          % (self.name, form))


class KernelBridge(Peer):
    name = "kbr"

    def start(self, stack, ns, build):
        ns.ip("link", "add", "br0", "type", "bridge")
        ns.ip("link", "set", "br0", "up")

    def take(self, ns, names):
        for n in names:
            ns.ip("link", "set", n, "master", "br0")


class OpenVSwitch(Peer):
    """Its userspace datapath with segmentation offload, in a daemon of our
    own beside any that the system runs."""

    name = "ovs"
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    needs = {"ovs-vswitchd": "openvswitch-switch",
             "ovsdb-server": "openvswitch-switch",
             "ovs-vsctl": "openvswitch-switch"}

    def start(self, stack, ns, build):
        self.folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-ovs-"))
        folder = self.folder
        env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder,
                   OVS_DBDIR=folder, OVS_SYSCONFDIR=folder)
        self.db = "unix:%s/db.sock" % folder
        run("ovsdb-tool", "create", folder + "/conf.db", self.schema)
        ns.spawn(stack, "ovsdb-server", folder + "/conf.db",
                 "--remote=punix:%s/db.sock" % folder,
                 "--unixctl=%s/db.ctl" % folder, env=env)
        wait_for("ovsdb-server", lambda: os.path.exists(folder + "/db.sock"))
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                   "other_config:userspace-tso-enable=true")
        self.daemon = ns.spawn(
            stack, "ovs-vswitchd", self.db, "--unixctl=%s/vs.ctl" % folder,
            "--log-file=%s/vs.log" % folder, env=env)
        self.vsctl("add-br", "ob", "--", "set", "bridge", "ob",
                   "datapath_type=netdev")

    def vsctl(self, *args):
        run("ovs-vsctl", "--db=" + self.db, "--timeout=10", *args)

    def take(self, ns, names):
        for n in names:
            self.vsctl("add-port", "ob", n)


class Vde(Peer):
    name = "vde"
    needs = {"vde_switch": "vde2"}

    def start(self, stack, ns, build):
        self.stack = stack
        self.folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-vde-"))

    def make_taps(self, ns, names):
        taps = [w for n in names for w in ("-tap", n)]
        # it ends when its standard input does
        self.daemon = ns.spawn(
            self.stack, "vde_switch", "-sock", self.folder + "/ctl", *taps,
            stdin=subprocess.PIPE)
        for n in names:
            wait_for("vde_switch: tap " + n,
                     lambda: n in ns.ip("-o", "link", "show"))

    def guest_netdevs(self, ns, form, folder):
        path = self.folder + "/ctl"
        self.daemon = ns.spawn(self.stack, "vde_switch", "-sock", path,
                               stdin=subprocess.PIPE)
        wait_for("vde_switch", lambda: os.path.exists(path + "/ctl"))
        return ["vde,sock=" + path] * 2


class Bascule(Peer):
    name = "bascule"

    def start(self, stack, ns, build):
        self.basculed = Basculed(stack, ns, build)
        self.daemon = self.basculed.process
        self.call(ns, "addbr", "br0", "--no-local")

    def call(self, ns, *args):
        return ns.run(*self.basculed.client, *args)

    def take(self, ns, names):
        for n in names:
            self.call(ns, "addif", "br0", "packet:" + n)

    def make_taps(self, ns, names):
        for n in names:
            self.call(ns, "addif", "br0", "tap:" + n)

    def guest_netdevs(self, ns, form, folder):
        at = folder + "/%s%d"
        for i in (1, 2):
            remote = ",remote=" + at % ("g", i) if form == "dgram" else ""
            self.call(ns, "addif", "br0", "%s:%s%s,name=g%d" % (
                form, at % ("s", i), remote, i))
        if form == "stream":
            return ["stream,server=off,addr.type=unix,addr.path=" + at % (
                "s", i) for i in (1, 2)]
        return ["dgram,local.type=unix,local.path=%s,remote.type=unix,"
                "remote.path=%s" % (at % ("g", i), at % ("s", i))
                for i in (1, 2)]


class Bare(Peer):
    """Bascule's ports without the switch (bench/tools/bare.c): the floor."""

    name = "bare"

    def start(self, stack, ns, build):
        self.stack = stack
        self.tool = os.path.join(build, "bench/tools/bare")
        if not os.access(self.tool, os.X_OK):
            raise Unavailable("build %s" % self.tool)

    def forward(self, ns, kind, names):
        self.daemon = ns.spawn(self.stack, self.tool, *(
            "%s:%s" % (kind, n) for n in names), stderr=None, text=True,
            stdout=subprocess.PIPE)
        if self.daemon.stdout.readline() != "ready\n":
            raise RuntimeError("bare did not start")

    def take(self, ns, names):
        self.forward(ns, "packet", names)

    def make_taps(self, ns, names):
        self.forward(ns, "tap", names)


class Direct(Peer):
    """No switch: the guests' sockets are each other's."""

    name = "direct"

    def start(self, stack, ns, build):
        self.daemon = None

    def guest_netdevs(self, ns, form, folder):
        return ["stream,server=%s,addr.type=unix,addr.path=%s/s" % (
            server, folder) for server in ("on", "off")]


PEERS = {c.name: c for c in (KernelBridge, OpenVSwitch, Vde, Bascule, Bare,
                             Direct)}


def rigs(stack, report, part, build, names):
    """Brings up "peer/form" for each name; leaves out, and says so, what
    cannot be measured here."""
    up = []
    for name in names:
        peer, form = name.split("/")
        try:
            up.append(stack.enter_context(Rig(PEERS[peer](), form, build)))
        except Unavailable as e:
            report.unavailable(part, name, e)
    time.sleep(0.3)
    return up
