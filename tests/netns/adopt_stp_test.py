#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`bascule adopt` of a bridge with the kernel's spanning tree on: ours takes its place, and
gives it back, without a loop, and its neighbours go on as if it were the same bridge."""
import json
import os
import re
import signal
import time

import lib
import stplib
from adoptlib import Net, Streams, conf, guards
from lib import need, sh, wait_until

HELLO, MAX_AGE, FORWARD_DELAY = 2, 6, 4


class Ring(Net):
    """The same br0 in a ring with two more bridges of the kernel's, kr and kt, all with the
    kernel's spanning tree: as the worst of them, so that its port to kt is shut, or as the
    root.  h3 is behind kr, h4 behind kt."""

    def __init__(self, lab, priority=12288):
        super().__init__(lab, hosts=2)
        self.ip("link", "set", "br0", "address", "02:09:00:00:00:fd")  # whoever joins
        self.mac = lib.mac("02:09:00:00:00:fd")
        for h in self.hosts:
            sh("ip", "-n", h.ns, "neigh", "flush", "all")
        self.tree(self.ns, priority)
        self.ip("link", "set", "br0", "type", "bridge", "stp_state", "1")
        self.ip("link", "set", "br0", "up")
        self.far = {}
        for n, (name, prio) in enumerate((("kr", 4096), ("kt", 8192))):
            ns = self.far[name] = lab.ns(name)
            lab.sysctl(name, "net.ipv6.conf.default.disable_ipv6", 1)
            sh("ip", "-n", ns, "link", "add", "br0", "type", "bridge", "stp_state", "1",
               "mcast_snooping", "0")
            self.tree(ns, prio)
            sh("ip", "-n", ns, "link", "set", "br0", "up")
            lab.veth(name, ns, "sw")
            h = lib.Host(lab, f"h{n + 3}", "packet", n + 3, f"h{n + 3}")
            sh("ip", "-n", ns, "link", "add", h.name, "type", "veth", "peer", "name", "eth0",
               "netns", h.ns)
            h.configure(True, 1500)
            self.hosts.append(h)
            for dev in "sw", h.name:
                sh("ip", "-n", ns, "link", "set", dev, "master", "br0", "up")
            self.ip("link", "set", name, "master", "br0")
        sh("ip", "-n", self.far["kr"], "link", "add", "kt", "type", "veth", "peer", "name", "kr",
           "netns", self.far["kt"])
        for a, b in ("kr", "kt"), ("kt", "kr"):
            sh("ip", "-n", self.far[a], "link", "set", b, "master", "br0", "up")
        self.worst = priority > 8192
        wait_until(self.steady, 40, lambda: f"the ring is a tree: {self.states()}")

    @staticmethod
    def tree(ns, priority):
        sh("ip", "-n", ns, "link", "set", "br0", "type", "bridge", "priority", priority,
           "hello_time", HELLO * 100, "max_age", MAX_AGE * 100, "forward_delay",
           FORWARD_DELAY * 100)

    @staticmethod
    def kernel(ns, dev="br0"):
        """What the kernel says of its bridge, or of its port."""
        d = json.loads(sh("ip", "-n", ns, "-j", "-d", "link", "show", "dev", dev).stdout)
        return d[0]["linkinfo"]["info_slave_data" if "master" in d[0] else "info_data"]

    def states(self):
        return {f"{name}.{dev}": self.kernel(ns, dev)["state"]
                for name, ns, devs in (("sw", self.ns, ("p1", "p2", "vnet0", "kr", "kt")),
                                       ("kr", self.far["kr"], ("sw", "kt", "h3")),
                                       ("kt", self.far["kt"], ("sw", "kr", "h4"))) for dev in devs}

    def snapshot(self):
        """As ever, but for whether a change of the topology is being told of."""
        return re.sub(r"(topology_change(_detected|_ack)?|config_pending|ageing_time) +\d+", "",
                      super().snapshot())

    def shut(self):
        return "sw.kt" if self.worst else "kt.kr"

    def steady(self):
        """Every port forwards but the one that would close the ring."""
        return all(s == ("blocking" if p == self.shut() else "forwarding")
                   for p, s in self.states().items())

    def far_steady(self):
        return all(s == ("blocking" if p == self.shut() else "forwarding")
                   for p, s in self.states().items() if p[:2] != "sw")

    def neighbours(self):
        """What the other two know of the tree."""
        known = ("state", "root_id", "bridge_id", "designated_port", "designated_cost")
        return {f"{name}.{dev}": [self.kernel(self.far[name], dev)[x] for x in known]
                for name, dev in (("kr", "sw"), ("kr", "kt"), ("kt", "sw"), ("kt", "kr"))}

    def is_on(self):
        return self.kernel(self.ns)["stp_state"] == 1

    def roles(self):
        return {p["port"]: (p["role"], p["stp_state"])
                for p in self.sw.json("stp", "show", "br0")[0]["ports"]}

    def back(self, before):
        """The tree is the kernel's again, and as it was."""
        need(self.is_on(), "the kernel's spanning tree is still off")
        wait_until(self.steady, 40, lambda: f"the ring is a tree: {self.states()}")
        wait_until(lambda: self.same(before), 40, lambda: "left behind:\n" + self.left)
        self.reach_all()


def test_tree_there_and_back(lab):
    """A bridge with the kernel's spanning tree on, whose port to kt is shut: ours takes
    its place under traffic with all it has, and gives it back."""
    net = Ring(lab)
    for dev in "p1", "p2":  # numbers other than the order of devices says
        net.ip("link", "set", dev, "nomaster")
    for dev in "p2", "p1":
        net.ip("link", "set", dev, "master", "br0")
    net.bridge("link", "set", "dev", "p1", "priority", "16", "cost", "7")
    net.bridge("link", "set", "dev", "kr", "priority", "24")
    net.ip("link", "set", "br0", "type", "bridge", "hello_time", "300", "max_age", "800",
           "forward_delay", "500")  # those in force are the root's
    time.sleep(2 * HELLO)
    wait_until(net.steady, 40, lambda: f"the ring is a tree: {net.states()}")
    before, root = net.snapshot(), stplib.plain_id(net.read("br0", "bridge/root_id"))
    neighbours = net.neighbours()
    net.sw.start()
    s = Streams(net)
    net.adopt()
    s.end("adopted, with a spanning tree")
    need(not net.is_on(), "the kernel's spanning tree is on")
    need(net.roles() == {"p1": ("designated", "forwarding"), "p2": ("designated", "forwarding"),
                         "vnet0": ("designated", "forwarding"), "kr": ("root", "forwarding"),
                         "kt": ("alternate", "discarding")}, f"{net.roles()}")
    b = net.sw.json("stp", "show", "br0")[0]
    said = [b[x] for x in ("version", "id", "root", "root_cost")]
    need(said == ["rstp", "3000.0209000000fd", f"{root[:4]}.{root[4:]}", 2], f"{said} {root}")
    need(b["own"] == {"max_age": 800, "hello_time": 300, "forward_delay": 500}, f"{b['own']}")
    need(b["times"]["max_age"] == 100 * MAX_AGE, f"{b['times']}")
    for p in b["ports"]:
        k = net.kernel(net.ns, p["port"])
        said = p["no"], p["cost"], int(p["id"], 16)
        need(said == (int(k["no"], 16), k["cost"], int(k["id"], 16)), f"{said} {k}")
    need([p["cost"] for p in b["ports"]] == [2, 7, 2, 2, 2], "costs")
    # it stays so, and the neighbours go on as if nothing had happened
    s = Streams(net)
    time.sleep(MAX_AGE + 2 * HELLO)
    s.end("for longer than max age")
    need(net.neighbours() == neighbours, f"{neighbours} {net.neighbours()}")
    need(net.far_steady(), f"{net.states()}")
    need(net.kernel(net.ns, "kt")["state"] == "disabled" and
         net.kernel(net.ns, "kr")["state"] == "forwarding", f"{net.states()}")
    net.reach_all()
    s = Streams(net)
    net.adopt("--undo")
    s.end("given back, with a spanning tree")
    net.back(before)
    # what the tree is for
    net.adopt()
    sh("ip", "-n", net.far["kr"], "link", "set", "sw", "down")
    wait_until(lambda: net.roles()["kt"] == ("root", "forwarding"), 3, lambda: f"{net.roles()}")
    lib.reaches(net.hosts[0].ns, net.hosts[3].ip4, 3)
    net.adopt("--undo")
    lib.reaches(net.hosts[0].ns, net.hosts[3].ip4, 3)


def test_tree_root(lab):
    """The root is adopted: its neighbours of 1998, which say nothing to it, go on."""
    net = Ring(lab, 0)
    before = net.snapshot()
    net.sw.start()
    s = Streams(net)
    net.adopt()
    s.end("the root adopted")
    s = Streams(net)
    time.sleep(2 * MAX_AGE)
    s.end("for longer than max age")
    need(net.far_steady(), f"{net.states()}")
    need(all(r == ("designated", "forwarding") for r in net.roles().values()), f"{net.roles()}")
    for p in net.sw.json("stp", "show", "br0")[0]["ports"]:  # nobody has missed us
        n = p["counters"]
        need(n["tx_rst"] == n["rx_config"] == 0 and n["tx_config"] > 5, f"{p['port']}: {n}")
    net.reach_all()
    s = Streams(net)
    net.adopt("--undo")
    s.end("the root given back")
    net.back(before)


def test_tree_many_without_link(lab):
    """What is behind the root port does not wait for ports without a link."""
    net = Ring(lab)
    for i in range(50):
        net.ip("link", "add", f"m{i}", "up", "master", "br0", "type", "veth")
    wait_until(lambda: net.bridge("link").stdout.count("state disabled") == 50, 5,
               "the kernel has seen that they have none")
    net.sw.start()
    s = Streams(net)
    net.adopt()
    out = s.end("50 ports without a link adopted as well")
    need(out < 0.5, f"{out:.2f} s is too long")
    s = Streams(net)
    net.adopt("--undo")
    s.end("they are given back")


def test_tree_killed(lab):
    """kill -9: the guard has the kernel's spanning tree on again, and no loop forwards
    meanwhile, not even without the guard; SIGTERM: as undo."""
    net = Ring(lab)
    before = net.snapshot()
    net.sw.start()
    net.adopt()
    net.reach_all()
    wait_until(lambda: net.kernel(net.ns, "kt")["state"] == "disabled", 3, "kt is shut")
    s = Streams(net)
    net.sw.stop(signal.SIGKILL)
    wait_until(net.is_on, 3, "the spanning tree is on again")
    time.sleep(MAX_AGE)
    s.end("killed, with a spanning tree")
    net.back(before)
    net.sw.start()
    net.adopt()
    net.reach_all()
    s = Streams(net)
    need(net.sw.stop(signal.SIGTERM) == 0, "the daemon failed")
    need(net.is_on(), "the kernel's spanning tree is off after SIGTERM")
    time.sleep(MAX_AGE)
    s.end("ended by SIGTERM, with a spanning tree")
    net.back(before)
    net.sw.start()
    net.adopt()
    net.reach_all()
    wait_until(lambda: net.kernel(net.ns, "kt")["state"] == "disabled", 3, "kt is shut")
    guard, = guards(net)
    os.kill(guard, signal.SIGSTOP)
    s = Streams(net)
    net.sw.proc.send_signal(signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    net.sw.stop(signal.SIGKILL)
    time.sleep(MAX_AGE)
    s.end("daemon and guard killed, with a spanning tree")
    need(net.kernel(net.ns, "kt")["state"] == "disabled", f"{net.states()}")


def test_tree_recovered(lab):
    """What daemon and guard left that were killed together the next daemon puts back, and
    no port that has been shut since forwards while the spanning tree is off."""
    net = Ring(lab, 0)
    run = os.path.join(lab.dir, "run")
    os.mkdir(run)
    sh("mount", "-t", "tmpfs", "none", run)  # as /run: it lists the newest file first
    lab.at_end(lambda: sh("umount", "-l", run, check=False))
    net.sw.sock = os.path.join(run, "ctl.sock")
    net.sw.start()
    net.adopt()
    net.reach_all()
    net.ip("link", "set", "br0", "type", "bridge", "priority", "12288")
    net.worst = True
    wait_until(lambda: net.roles()["kt"] == ("alternate", "discarding") and net.far_steady() and
               net.kernel(net.ns, "kt")["state"] == "disabled", 40, lambda: f"{net.states()}")
    guard, = guards(net)
    os.kill(guard, signal.SIGSTOP)
    net.sw.proc.send_signal(signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    net.sw.stop(signal.SIGKILL)
    wait_until(lambda: not guards(net), 3, "the guard has ended")
    s = Streams(net)
    net.sw.start()
    need(net.is_on(), "the kernel's spanning tree is off")
    time.sleep(HELLO)
    s.end("put back by the next daemon")
    wait_until(net.steady, 40, lambda: f"the ring is a tree: {net.states()}")


def test_tree_switched_on(lab):
    """`stp_state 1` on a bridge that is adopted is for ours; it is the kernel's again when
    the bridge is, also one without ports."""
    net = Net(lab, vm=False)
    net.sw.start()
    net.adopt()
    need(not net.sw.json("stp", "show", "br0")[0]["stp"], "ours is on")
    on = lambda br="br0": Ring.kernel(net.ns, br)["stp_state"] == 1  # noqa: E731
    net.ip("link", "set", "br0", "type", "bridge", "stp_state", "1")
    wait_until(lambda: net.sw.json("stp", "show", "br0")[0]["stp"] and not on(), 3,
               net.sw.log_tail)
    need("spanning tree was switched on: ours is on in its place" in net.sw.log_tail(),
         net.sw.log_tail())
    for h in net.hosts:  # edge ports, in a moment
        lib.reaches(h.ns, "10.9.0.254", 6)
    net.adopt("--undo")
    need(on(), "the kernel's spanning tree is off")
    net.reach_all()
    net.ip("link", "add", "lone", "type", "bridge", "stp_state", "1")  # has no address later
    for end in (lambda: net.sw.cli("adopt", "lone", "--undo"),
                lambda: net.sw.cli("delbr", "lone", "--force"),
                lambda: net.sw.stop(signal.SIGKILL)):
        net.sw.cli("adopt", "lone")
        need(not on("lone"), "the kernel's spanning tree is on")
        end()
        wait_until(lambda: on("lone"), 3, "the kernel's spanning tree is on again")
    net.sw.start()
    net.sw.cli("adopt", "lone")
    net.ip("link", "del", "lone")
    wait_until(lambda: not net.sw.json("bridge", "show"), 3, "it went with the kernel's")


def test_tree_later_member(lab):
    """A member that comes later and closes a ring is shut, and one that is given back by
    hand is, in the kernel's bridge."""
    net = Ring(lab)
    before = net.snapshot()
    net.sw.start()
    net.adopt()
    lab.veth("more", net.far["kr"], "more")
    sh("ip", "-n", net.far["kr"], "link", "set", "more", "master", "br0", "up")
    wait_until(lambda: net.kernel(net.far["kr"], "more")["state"] == "forwarding", 20,
               "kr forwards to it")
    net.ip("link", "set", "more", "master", "br0")
    wait_until(lambda: net.roles().get("more") == ("alternate", "discarding"), 5,
               lambda: f"{net.roles()}")
    s = Streams(net)
    time.sleep(MAX_AGE)
    s.end("a second way to kr")
    need(net.kernel(net.ns, "more")["state"] == "disabled", f"{net.kernel(net.ns, 'more')}")
    net.sw.cli("delif", "br0", "more")
    wait_until(lambda: net.kernel(net.ns, "more")["state"] == "disabled" and
               "more" not in net.roles(), 5, "it is the kernel's")
    s = Streams(net)
    time.sleep(MAX_AGE)
    s.end("given back by hand")
    need(net.kernel(net.ns, "more")["state"] == "disabled", f"{net.kernel(net.ns, 'more')}")
    net.ip("link", "del", "more")
    s = Streams(net)
    net.sw.cli("delbr", "br0", "--force")
    s.end("given back by delbr")
    net.back(before)


def test_tree_in_a_file(lab):
    """`adopt: yes`, there and back, with --confirm, and after a crash."""
    net = Ring(lab)
    before = net.snapshot()
    yes, none = conf(net, "br0: {adopt: yes}"), conf(net, "{}", "none.yaml")
    net.sw.start("--config", yes)
    wait_until(lambda: net.sw.json("stp", "show"), 5, net.sw.log_tail)

    def adopted():
        wait_until(lambda: not net.is_on() and net.roles()["kt"] == ("alternate", "discarding"),
                   5, net.sw.log_tail)
        net.reach_all()
    adopted()
    s = Streams(net)
    net.sw.cli("apply", "--confirm", "60", none)
    need(net.is_on(), "the kernel's spanning tree is off")
    wait_until(lambda: net.kernel(net.ns, "kt")["state"] == "blocking", 2 * FORWARD_DELAY,
               lambda: f"{net.states()}")
    net.sw.cli("confirm", "--revert")
    adopted()
    net.sw.stop(signal.SIGKILL)
    net.sw.start("--config", yes)  # at once
    adopted()
    s.end("given back, adopted again, killed and adopted again")
    net.sw.cli("apply", none)
    net.back(before)
    net.sw.cli("apply", "--confirm", "60", yes)
    adopted()
    net.sw.cli("confirm", "--revert")
    net.back(before)


if lib.KERNEL:
    print("this is about bascule only")
    raise SystemExit(77)
lib.main(at_once=4)  # which mostly wait
