#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The spanning tree from the command line, on real devices: two bridges in one
daemon, joined by two cables."""
import json
import os
import re
import subprocess
import time

import lib
from lib import need, refused


class Loop:
    """br0 and br1, joined by the cables a0-b0 and a1-b1; br0 is to be the root."""

    def __init__(self, lab, version="on"):
        if lib.KERNEL:
            raise lib.Skip("Bascule's commands")
        self.lab, self.sw = lab, lab.switch(bridge=None, quiet=True)
        for br in ("br0", "br1"):
            self.sw.bridge(br)
        self.sw.cli("bridge", "set", "br0", "priority", "4096")
        if version:
            self.sw.cli("stp", "br0", version)
            self.sw.cli("stp", "br1", version)
        for i in range(2):
            lib.sh("ip", "-n", self.sw.ns, "link", "add", f"a{i}", "type", "veth", "peer", "name",
                   f"b{i}")
            for br, dev in (("br0", f"a{i}"), ("br1", f"b{i}")):
                lib.sh("ip", "-n", self.sw.ns, "link", "set", dev, "up")
                self.sw.addif(br, dev)

    def tree(self, br):
        return self.sw.json("stp", "show", br)[0]

    def roles(self):
        """Like {'a0': 'designated forwarding', ...}"""
        return {p["port"]: f"{p['role']} {p['state']}"
                for b in self.sw.json("stp", "show") for p in b["ports"]}

    def settle(self, want, limit=10):
        lib.wait_until(lambda: self.roles() == want, limit, lambda: f"{self.roles()}")


SETTLED = {"a0": "designated forwarding", "a1": "designated forwarding",
           "b0": "root forwarding", "b1": "alternate blocking"}


class Watcher:
    """A client that monitors; what it has printed."""

    def __init__(self, loop, *args):
        self.path = os.path.join(loop.lab.dir, "-".join(("watch",) + args))
        with open(self.path, "wb") as f:
            self.proc = loop.sw.monitor(*args, stdout=f, stderr=subprocess.STDOUT)

    def text(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    def wait(self, words, limit=5):
        lib.wait_until(lambda: words in self.text(), limit, lambda: f"{words!r}: {self.text()}")

    def end(self):
        self.proc.terminate()
        self.proc.wait(5)


def test_show(lab):
    """Root, roles, states and counters; the same in showstp, in columns that fit."""
    t = Loop(lab)
    t.settle(SETTLED)
    root, other = t.tree("br0"), t.tree("br1")
    need(root["root"] == root["id"] == other["root"] and root["id"].startswith("1000."), f"{root}")
    need(root["root_port"] is None and other["root_port"] == "b0", f"{other['root_port']}")
    need(other["version"] == "rstp" and other["root_cost"] == other["ports"][0]["cost"], "cost")
    b1 = other["ports"][1]
    need(b1["vector"]["bridge"] == root["id"] and b1["vector"]["port"] == "8002", f"{b1}")
    need(b1["designated"]["bridge"] == other["id"] and b1["received"] and b1["p2p"], f"{b1}")
    need(b1["counters"]["rx_rst"] > 0 and set(b1["bad"].values()) == {0}, f"{b1}")
    for args in (("stp", "show"), ("-d", "stp", "show"), ("stp", "show", "-d")):
        text = t.sw.cli(*args).stdout
        need(max(map(len, text.splitlines())) <= 100, text)
        need("by port b0" in text and "root         this bridge" in text, text)
    need(json.loads(t.sw.cli("stp", "show", "br1", "-j").stdout)[0]["root"] == root["id"], "-j")
    need("RST BPDUs received" in text and "auto-edge" in text, text)
    text = t.sw.cli("showstp", "br1").stdout
    for line in (f" designated root\t{root['id']}\n", " root port\t\t   1\t\t\tpath cost\t\t   2\n",
                 " port id\t\t8002\t\t\tstate\t\t       blocking\n",
                 f" designated bridge\t{root['id']}\tmessage age timer\t   "):
        need(line in text, f"{line!r} is not in {text}")
    need("br1\t\t" in t.sw.cli("show").stdout and "\tyes\t" in t.sw.cli("show").stdout, "show")
    states = {x["ifname"]: x["state"] for x in t.sw.json("link", "show")}
    need(states["b1"] == "blocking" and states["b0"] == "forwarding", f"{states}")
    r = t.sw.cli("wait-forwarding", "b1", "1", check=False)
    refused(r, "port b1 does not forward: ", "alternate")
    lib.wait_until(lambda: lib.port_counters(t.sw, "br1", "b1").get("bpdu", 0) > 0, 5, "counted")


def test_why(lab):
    """Sentences for each port; clear ones where the tree is off."""
    t = Loop(lab)
    t.settle(SETTLED)
    need("root port" in t.sw.cli("stp", "why", "b0").stdout, "b0")
    need("alternate" in t.sw.cli("stp", "why", "b1").stdout, "b1")
    why = t.sw.json("stp", "why", "a1")
    need(why["stp"] and why["bridge"] == "br0" and "designated" in why["why"][0], f"{why}")
    t.sw.cli("stp", "br0", "off")
    text = t.sw.cli("stp", "why", "a1").stdout
    need("the spanning tree of br0 is off" in text and "a1 forwards" in text, text)
    need(t.sw.json("stp", "why", "a1")["stp"] is False, "JSON")
    need("br0: the spanning tree is off" in t.sw.cli("stp", "show").stdout, "show")


def test_monitor(lab):
    """Sentences as it happens, BPDUs only for those who ask for them."""
    t = Loop(lab)
    t.settle(SETTLED)
    stp, every = Watcher(t, "-t", "monitor", "stp"), Watcher(t, "events", "all")
    objects = Watcher(t, "-j", "monitor", "stp")
    stp.wait(" receives: RST, designated")
    lib.sh("ip", "-n", t.sw.ns, "link", "set", "a0", "down")
    t.settle({"a0": "disabled disabled", "b0": "disabled disabled",
              "a1": SETTLED["a1"], "b1": "root forwarding"})
    stp.wait("b1: root, was alternate")
    every.wait("port b1 of bridge br1 is forwarding")
    lib.wait_until(lambda: '"event":"bpdu"' in objects.text(), 5, "BPDUs as JSON")
    for w in (stp, every, objects):
        w.end()
    need("bpdu" not in every.text() and "sends:" not in every.text(), every.text())
    need("b1: root, was alternate" in every.text(), every.text())
    stamp = stp.text().splitlines()[0].split()[0]
    need(len(stamp) == 15 and stamp[2] == ":" and stamp[8] == ".", stamp)
    events = [json.loads(x) for x in objects.text().splitlines()]
    need({e["event"] for e in events} >= {"stp", "bpdu"}, f"{events[:3]}")
    b1 = [e for e in events if e["event"] == "stp" and e.get("port") == "b1"]
    need(b1 and b1[-1]["role"] == "root" and b1[-1]["state"] == "forwarding", f"{b1}")


def test_monitor_of_parameters(lab):
    """Times are told as `bridge show` has them; who reads JSON gets the same sentence."""
    t = Loop(lab)
    t.settle(SETTLED)
    told, objects = Watcher(t, "events", "port"), Watcher(t, "-j", "events", "port")
    want = []
    for name, value, said in (("ageing", "60", "ageing time is 60.00 s"),
                              ("ageing", "0", "ageing time is 0.00 s"),
                              ("forward-delay", "4.25", "forward delay is 4.25 s"),
                              ("hello", "1.05", "hello time is 1.05 s"),
                              ("max-age", "20", "max age is 20.00 s"),
                              ("recovery", "86400", "recovery time is 86400.00 s"),
                              ("priority", "4096", "priority is 4096"),
                              ("stp", "off", "spanning tree is off")):
        t.sw.cli("bridge", "set", "br0", name, value)
        shown = t.sw.cli("bridge", "show", "br0").stdout
        need(f"{name} ".ljust(17) + said.rpartition(" is ")[2] + "\n" in shown, shown)
        want.append(f"bridge-param bridge br0: {said}")
    told.wait("spanning tree is off")
    objects.wait("spanning tree is off")
    for w in (told, objects):
        w.end()
    need([x for x in told.text().splitlines() if x.startswith("bridge-param")] == want,
         told.text())
    sentences = [e["text"] for e in map(json.loads, objects.text().splitlines())
                 if e["event"] == "bridge-param"]
    need(sentences == [x.partition(" ")[2] for x in want], str(sentences))


def test_tcn_and_mcheck(lab):
    t = Loop(lab)
    t.settle(SETTLED)
    before = t.tree("br0")["topology_changes"]
    t.sw.cli("stp", "tcn", "br1")
    lib.wait_until(lambda: t.tree("br0")["topology_changes"] > before, 5, "br0 hears of it")
    need(t.tree("br0")["last_change_port"] == "a0", f"{t.tree('br0')['last_change_port']}")
    # an STP bridge beside an RSTP bridge, and an RSTP bridge again
    t.sw.cli("stp", "br0", "stp")
    lib.wait_until(lambda: t.tree("br1")["ports"][0]["version"] == "stp", 10, "b0 speaks STP")
    need("speaks STP" in t.sw.cli("-d", "stp", "show", "br1").stdout, "details")
    t.sw.cli("stp", "br0", "rstp")
    t.sw.cli("stp", "mcheck", "b0")
    t.sw.cli("stp", "mcheck", "b1")
    t.settle(SETTLED, 45)
    need(t.tree("br1")["ports"][0]["version"] == "rstp", "it still speaks STP")


def test_edges_and_guards(lab):
    """A guard shuts a port, says so everywhere, and mcheck opens it."""
    t = Loop(lab)
    t.settle(SETTLED)
    t.sw.cli("port", "set", "b1", "bpdu-guard", "on")
    lib.wait_until(lambda: t.tree("br1")["ports"][1]["guard"] == "bpdu-guard", 5, "b1 is shut")
    need("bpdu-guard" in t.sw.cli("stp", "show", "br1").stdout, "show")
    need("bpdu-guard" in t.sw.cli("-d", "stp", "show", "br1").stdout, "details")
    need("BPDU" in lib.port_info(t.sw, "br1", "b1")["why"], lib.port_info(t.sw, "br1", "b1")["why"])
    need(json.loads(t.sw.cli("-j", "-d", "link", "show", "dev", "b1").stdout)[0]["guard"], "link")
    t.sw.cli("port", "set", "b1", "bpdu-guard", "off")
    t.sw.cli("stp", "mcheck", "b1")
    t.settle(SETTLED)
    # a tap's port has guests behind it
    t.sw.addif("br1", "tap:vm0")
    lib.sh("ip", "-n", t.sw.ns, "link", "set", "vm0", "up")
    t.sw.wait_forwarding("vm0")
    vm0 = t.tree("br1")["ports"][2]
    need(vm0["edge"] and vm0["admin_edge"], f"{vm0}")


def test_errors(lab):
    """What is refused, with one sentence; brctl's where brctl has one."""
    t = Loop(lab, None)
    sw = t.sw

    def wrong(args, *words):
        refused(sw.cli(*args, check=False), *words)
    wrong(("stp", "tcn", "br0"), "br0", "the spanning tree is off")
    wrong(("stp", "mcheck", "a0"), "the spanning tree is off")
    for args in (("why", "nope"), ("mcheck", "nope")):
        wrong(("stp",) + args, "no bridge has a port nope")
    for args in (("show", "nope"), ("tcn", "nope")):
        wrong(("stp",) + args, "nope")
    wrong(("stp", "nope", "on"), "set stp status failed: No such device")
    wrong(("stp", "br0", "mstp"), "expect on/off or rstp/stp for argument")
    wrong(("stp", "br0"), "too few arguments")
    wrong(("bridge", "set", "br0", "tx-hold", "0"), "1..10")
    wrong(("bridge", "set", "br0", "force-version", "mstp"), "stp or rstp, not mstp")
    wrong(("port", "set", "a0", "p2p", "maybe"), "auto, on or off, not maybe")
    wrong(("port", "set", "a0", "path-cost", "65536"), "65535")
    brctl = os.path.join(t.lab.dir, "brctl")
    os.symlink(os.path.join(lib.BUILD, "bascule"), brctl)

    def brctl_says(args, sentence, status=1):
        r = lib.sh("env", f"BASCULE_SOCKET={sw.sock}", brctl, *args, ns=sw.ns, check=False)
        need(r.returncode == status and r.stderr == sentence, f"{args}: {r.returncode} {r.stderr}")
    brctl_says(("stp", "br0", "rstp"), "expect on/off for argument\n")
    brctl_says(("stp", "nope", "on"), "set stp status failed: No such device\n")
    sw.cli("bridge", "set", "br0", "force-version", "stp")
    brctl_says(("stp", "br0", "yes"), "", 0)
    need(t.tree("br0")["version"] == "stp", "brctl has set the version")
    brctl_says(("setfd", "br0", "1"),
               "set forward delay failed: Numerical result out of range\n")
    brctl_says(("setpathcost", "br0", "a0", "70000"),
               "set path cost failed: Numerical result out of range\n")
    sw.cli("stp", "br0", "on")
    need(t.tree("br0")["version"] == "rstp", "on is rstp")


def test_simulator(lab):
    """The manual's example is what comes; what is no network is refused."""
    del lab

    def sim(network):
        return lib.sh(os.path.join(lib.BUILD, "bascule"), "sim", network, check=False)
    with open(os.path.join(lib.ROOT, "docs", "sim.md"), encoding="utf-8") as f:
        network, example = re.search(r"    bascule sim '(.*)'\n\n((?:    .*\n)+)", f.read()).groups()
    lines = iter(sim(network).stdout.splitlines())
    for line in example.splitlines():
        line = line[4:]
        need(line == "..." or line in lines, f"not in the simulation, or not there: {line}")
    r = sim(lib.ROOT)
    need(r.returncode == 1 and "Is a directory" in r.stderr, r.stderr)
    for network, words in (
            ("", "sim: which network?"),
            ("B1", "sim: B1: there is no such file, and a network joins bridges, as B1-B2 does"),
            ("-".join(f"b{i}" for i in range(300)), "links in a row: at most 256"),
            (" ".join(f"b{i}-c{i}" for i in range(600)), "too large: bridges, at most 1024"),
            (" ".join("a-b" for i in range(256)), "ports of a: at most 255")):
        r = sim(network)
        need(r.returncode == 1 and words in r.stderr, f"{words}: {r.stderr}")


def test_off_again(lab):
    """After a while with the spanning tree others' BPDUs pass again: also by ports
    that it had shut and opened."""
    sw = lab.switch()
    a, b = lab.host("a"), lab.host("b")
    bpdu = (lib.mac("01:80:c2:00:00:00") + a.mac + b"\x00\x07\x42\x42\x03" +
            bytes.fromhex("00000080")).ljust(60, b"\0")
    sw.cli("stp", "br0", "on")
    for h in (a, b):
        need(sw.cli("wait-forwarding", h.port, "10").returncode == 0, h.port)
    wire, far = a.wire(), b.wire()
    wire.send(bpdu)
    need(not far.collect(lambda f: f[:12] == bpdu[:12], limit=0.5), "a BPDU passes")
    sw.cli("stp", "br0", "off")
    for n in range(3):
        wire.send(bpdu)
        need(far.collect(lambda f: f[:12] == bpdu[:12]), f"BPDU {n} does not pass")


def test_files(lab):
    """netplan's default switches it on, words of our section come back as written."""
    t = Loop(lab, None)
    sw = t.sw
    path = os.path.join(lab.dir, "x.yaml")

    def apply(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return sw.cli("apply", path).stdout
    sw.cli("setfd", "br0", "0")
    text = apply("network: {bridges: {br0: {interfaces: [a0, a1], dhcp4: no}}}\n")
    need("stp off → on" in text and "forward-delay 0 → 2 s" in text, text)
    need(t.tree("br0")["stp"], "it is off")
    own = ("bascule: {bridges: {br0: {force-version: stp, path-cost-method: long, recovery: 30,\n"
           "  ports: [{port: a0, path-cost: 200000, p2p: off, root-guard: on, auto-edge: off}]}}}\n")
    apply("network: {bridges: {br0: {interfaces: [a0, a1], dhcp4: no}}}\n" + own)
    a0 = lib.port_info(sw, "br0", "a0")
    need(a0["cost"] == 200000 and a0["p2p"] is False and a0["root_guard"], f"{a0}")
    printed = sw.cli("config").stdout
    for line in ("stp: true", "force-version: stp", "path-cost-method: long", "recovery: 30",
                 "path-cost: 200000", "p2p: false", "root-guard: true", "auto-edge: false"):
        need(line in printed, f"{line} is not in {printed}")
    need("nothing to do" in apply(printed).lower() or apply(printed).count("\n") <= 1, "not the same")
    # back to short costs, off, and a delay that only then is allowed
    apply("network: {bridges: {br0: {interfaces: [a0, a1], dhcp4: no,\n"
          "  parameters: {stp: no, forward-delay: 0, path-cost: {a0: 9}}}}}\n")
    b = sw.json("bridge", "show", "br0")[0]
    need(not b["stp_state"] and b["forward_delay"] == 0, f"{b}")
    need(b["path_cost_method"] == "short" and b["recovery"] == 30000, f"{b}")
    need(lib.port_info(sw, "br0", "a0")["cost"] == 9, "cost")
    time.sleep(0.1)
    need(sw.cli("show").returncode == 0, "the daemon is gone")


lib.main()
