#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`bridge` of iproute2 on a kernel bridge, and the client under that name on
Bascule, are put through the same steps: what they print, as text and as JSON,
and their exit codes are the same.  Ages are masked, the order of a table's
entries is nobody's business, all else is compared as it is, the lists that
devices keep themselves ("self") included.  Both namespaces are without IPv6 and
the kernel's bridge without snooping: these add to the lists of its ports, while
Bascule's ports are kept off the host's stack."""
import json
import os
import re
import subprocess
import time

import lib
from lib import need

BR_MAC = "02:00:00:00:00:99"
PORTS = ("p1", "p2", "p3")


def port_mac(i):
    return f"02:00:00:00:01:0{i}"


class Side:
    """A bridge br0 with the ports p1 to p3, and a host behind each."""

    def __init__(self, lab, tag):
        self.lab, self.ns, self.hosts = lab, lab.ns(tag), lab.ns(tag + "-h")
        for n in (tag, tag + "-h"):  # silence, and lists of addresses without IPv6's
            for k in ("all", "default"):
                lab.sysctl(n, f"net.ipv6.conf.{k}.disable_ipv6", 1)

    def port(self, i):
        lib.sh("ip", "-n", self.ns, "link", "add", f"p{i}", "index", 100 + i, "address",
               port_mac(i), "type", "veth", "peer", "name", f"q{i}", "index", 200 + i,
               "address", f"02:00:00:00:02:0{i}", "netns", self.hosts)
        lib.sh("ip", "-n", self.ns, "link", "set", f"p{i}", "up")
        lib.sh("ip", "-n", self.hosts, "link", "set", f"q{i}", "up")
        self.join(f"p{i}")

    def build(self):
        for i in range(1, len(PORTS) + 1):
            self.port(i)
        # a device beside the bridge, its peer beside it
        lib.sh("ip", "-n", self.ns, "link", "add", "x0", "index", 110, "address",
               "02:00:00:00:03:01", "type", "veth", "peer", "name", "x1", "index", 111,
               "address", "02:00:00:00:03:02")
        for p in PORTS:
            lib.wait_until(lambda p=p: self.forwards(p), 5, f"{p} forwards")

    def forwards(self, p):
        r = json.loads(self.run("-j", "link", "show", "dev", p).stdout)
        return r and r[0]["state"] == "forwarding"

    def run(self, *args, check=False, stdin=None):
        return lib.sh(*self.exe, *args, ns=self.ns, check=check, stdin=stdin)

    def say(self, i, n=3):
        """The host behind port i says something to everybody."""
        src = lib.mac(f"02:00:00:00:02:0{i}")
        with lib.inside(self.hosts):
            w = lib.Wire(self.hosts, f"q{i}")
        try:
            for _ in range(n):
                w.send(lib.frame(lib.BCAST, src, b"here".ljust(46)))
        finally:
            w.close()


class Kernel(Side):
    def __init__(self, lab):
        super().__init__(lab, "k")
        self.exe = ["bridge"]
        lib.sh("ip", "-n", self.ns, "link", "add", "br0", "address", BR_MAC, "type", "bridge",
               "mcast_snooping", 0)
        lib.sh("ip", "-n", self.ns, "link", "set", "br0", "up")
        self.build()

    def join(self, p):
        lib.sh("ip", "-n", self.ns, "link", "set", p, "master", "br0")

    def leave(self, p):
        lib.sh("ip", "-n", self.ns, "link", "set", p, "nomaster")


class Ours(Side):
    def __init__(self, lab):
        super().__init__(lab, "sw")
        self.sw = lab.switch(bridge=None)
        name = os.path.join(lab.dir, "bridge")
        os.symlink(os.path.join(lib.BUILD, "bascule"), name)
        self.exe = ["env", f"BASCULE_SOCKET={self.sw.sock}", name]
        self.sw.cli("addbr", "br0")
        lib.sh("ip", "-n", self.ns, "link", "set", "br0", "address", BR_MAC, "up")
        self.build()

    def join(self, p):
        self.sw.addif("br0", p)

    def leave(self, p):
        self.sw.delif("br0", p)


class Pair:
    """Both, and what they say."""

    def __init__(self, lab):
        if lib.KERNEL:
            raise lib.Skip("compares both")
        if "6.1." not in lib.sh("bridge", "-V").stdout:
            raise lib.Skip("needs bridge of iproute2 6.1")
        self.kernel, self.ours = Kernel(lab), Ours(lab)
        self.compared = 0

    def both(self, fn):
        fn(self.kernel)
        fn(self.ours)

    def run(self, *args):
        return self.kernel.run(*args), self.ours.run(*args)

    def same(self, *args):
        """stdout (a set of lines), stderr and exit code are the same."""
        k, b = self.run(*args)
        what = f"bridge {' '.join(args)}"
        need(k.returncode == b.returncode,
             f"{what}: exit {k.returncode} and {b.returncode}\n{k.stderr}---\n{b.stderr}")
        need(k.stderr == b.stderr, f"{what} complains\n{k.stderr}---\n{b.stderr}")
        if "-j" in args and k.stdout != b.stdout:
            self.same_json(what, k.stdout, b.stdout, "-p" in args)
        else:
            differ(what, sorted(masked(k.stdout)), sorted(masked(b.stdout)))
        self.compared += 1
        return k

    def same_json(self, what, k, b, pretty):
        """The same members in the same order and layout."""
        kj, bj = json.loads(k), json.loads(b)
        need(k.endswith("\n") and b.endswith("\n"), f"{what}: no newline")
        differ(what, [list(x) for x in by_text(kj)], [list(x) for x in by_text(bj)])
        differ(what, by_text(kj), by_text(bj))
        if len(kj) < 2:  # letter by letter
            differ(what, masked(k), masked(b))
        elif pretty:
            differ(what, sorted(masked(k)), sorted(masked(b)))

    def state(self):
        """Everything that can be looked at."""
        self.same("fdb")
        for o in ((), ("-s",)):
            self.same(*o, "fdb", "show", "br", "br0")
            self.same(*o, "-j", "fdb", "show", "br", "br0")
        self.same("fdb", "show", "brport", "p1")
        self.same("-d", "link", "show")
        self.same("-j", "-d", "link", "show")


def differ(what, k, b):
    need(k == b, lambda: f"{what}: the kernel's\n{show(k, b)}\n--- ours\n{show(b, k)}")


def show(a, other):
    return "\n".join(f"{' ' if x in other else '!'} {x}" for x in a) or "(nothing)"


def masked(text):
    text = re.sub(r"used \d+/\d+", "used N/N", text)
    return re.sub(r'"(used|updated)": ?\d+', r'"\1":N', text).splitlines()


def by_text(objects):
    for o in objects:
        for k in ("used", "updated"):
            if k in o:
                need(isinstance(o[k], int), f"{k} is {o[k]!r}")
                o[k] = 0
    return sorted(objects, key=lambda o: sorted(map(str, o.items())))


def m(n):
    return f"02:aa:00:00:00:{n:02x}"


def test_links(lab):
    """link show in all its forms, link set of every option."""
    p = Pair(lab)
    forms = ((), ("-d",), ("-o", "-d"), ("-j",), ("-j", "-d"), ("-j", "-p"), ("-p", "-j", "-d"),
             ("-s",), ("-details",), ("-t",))
    for f in forms:
        p.same(*f, "link")
        p.same(*f, "link", "show", "dev", "p2")
        p.same(*f, "link", "show", "dev", "x0")
    for abbreviated in (("l", "sh"), ("li", "lst"), ("link", "list"), ("-js", "l", "l")):
        p.same(*abbreviated)
    for flag in ("hairpin", "learning", "flood", "mcast_flood", "bcast_flood", "isolated",
                 "guard", "root_block"):
        for v in ("on", "off"):
            p.same("link", "set", "dev", "p1", flag, v)
            p.same("-d", "link", "show", "dev", "p1")
            p.same("-j", "-d", "link", "show", "dev", "p1")
    p.same("link", "set", "dev", "p1", "cost", "7", "priority", "3", "hairpin", "on", "master")
    p.same("-d", "link")
    for off in ("fastleave", "mcast_to_unicast", "neigh_suppress", "vlan_tunnel", "locked",
                "learning_sync"):
        p.same("link", "set", "dev", "p2", off, "off")
        r = p.ours.run("link", "set", "dev", "p2", off, "on")
        need(r.returncode and f'"{off} on" is not built yet' in r.stderr, r.stderr)
    p.same("link", "set", "dev", "p1", "state", "3")
    p.same("link", "change", "dev", "p1", "state", "forwarding", "mcast_router", "1",
           "nobackup_port")
    p.same("link", "set", "dev", "p1")
    for bad in ("state foo", "state FORWARDING", "state 9", "hairpin maybe", "cost 70000",
                "priority 64", "cost", "hairpin", "cost 5 self"):
        p.same("link", "set", "dev", "p1", *bad.split())
    for bad in ("dev nope cost 3", "dev x0 cost 3", "dev br0 cost 3", "cost 3", ""):
        p.same("link", "set", *bad.split())
    for bad in ("show dev nope", "show dev", "show dev p1 dev p2", "foo"):
        p.same("link", *bad.split())
    # nothing half-made: the good value before the bad one is not set
    for bad in ("fastleave on", "priority 99", "cost x", "priority x", "self master"):
        r = p.ours.run("link", "set", "dev", "p3", "cost", "9", *bad.split())
        need(r.returncode == 255 and r.stderr, f"{bad} was accepted")
    p.same("-d", "link")
    # a device that goes down, and its peer
    p.both(lambda s: lib.sh("ip", "-n", s.ns, "link", "set", "p2", "down"))
    p.both(lambda s: lib.wait_until(lambda: not s.forwards("p2"), 5, "p2 is down"))
    p.same("link")
    p.both(lambda s: lib.sh("ip", "-n", s.ns, "link", "set", "p2", "up"))
    p.both(lambda s: lib.sh("ip", "-n", s.hosts, "link", "set", "q2", "down"))
    p.both(lambda s: lib.wait_until(
        lambda: "NO-CARRIER" in s.run("link", "show", "dev", "p2").stdout and
        not s.forwards("p2"), 5, "no carrier"))
    p.same("-d", "link")
    p.same("-j", "link")
    p.both(lambda s: s.join("x0"))
    p.both(lambda s: lib.sh("ip", "-n", s.ns, "link", "set", "x0", "up"))
    p.same("link", "show", "dev", "x0")  # its peer is here, and down
    p.same("-j", "link", "show", "dev", "x0")
    print(f"     {p.compared} commands compared")


def test_spanning_tree(lab):
    """The states that the tree brings about, and what it does not let be set."""
    p = Pair(lab)
    p.both(lambda s: lib.sh("ip", "-n", s.ns, "link", "set", "br0", "down"))
    lib.sh("ip", "-n", p.kernel.ns, "link", "set", "br0", "type", "bridge", "forward_delay", 400,
           "stp_state", 1)
    p.ours.sw.cli("setfd", "br0", "4")
    p.ours.sw.cli("stp", "br0", "stp")
    p.same("link")  # disabled
    p.both(lambda s: lib.sh("ip", "-n", s.ns, "link", "set", "br0", "up"))
    for state in ("listening", "learning", "forwarding"):
        for s in (p.kernel, p.ours):
            lib.wait_until(
                lambda s=s, state=state:
                s.run("link").stdout.count(f" state {state} ") == len(PORTS), 8, state, 0.1)
        p.same("-d", "link")
        p.same("-j", "-d", "link")
        for word in ("3", "disabled", "blocking"):
            p.same("link", "set", "dev", "p1", "state", word)
    p.same("link", "set", "dev", "p1", "cost", "70000")
    p.ours.sw.cli("bridge", "set", "br0", "path-cost-method", "long")
    r = p.ours.run("link", "set", "dev", "p1", "cost", "70000")
    need(r.returncode == 0, r.stderr)
    need(json.loads(p.ours.run("-j", "link", "show", "dev", "p1").stdout)[0]["cost"] == 70000,
         "the cost was not set")


def test_fdb(lab):
    """fdb add, replace, append, del, get with every type and place."""
    p = Pair(lab)
    p.state()
    for place in ("", "self", "master", "self master", "mast"):
        for kind in ("", "static", "dynamic", "local", "permanent", "temp", "sticky",
                     "sticky static", "sticky dynamic", "use", "extern_learn", "st", "dy",
                     "static dynamic", "permanent static"):
            p.same("fdb", "add", m(1), "dev", "p1", *place.split(), *kind.split())
            p.same("fdb", "show", "br", "br0")
            p.same("-j", "fdb", "show", "brport", "p1")
            p.same("fdb", "del", m(1), "dev", "p1", *place.split())
        # what one half has refused the other may have made
        p.run("fdb", "del", m(1), "dev", "p1", "master")
    p.state()
    for line in ("add", "add {2}", "add dev p1", "add dev", "add 02:aa:00 dev p1",
                 "add {2} dev nope master", "add {2} dev nope", "add {2} dev x0 master",
                 "add {2} dev p1 nonsense", "add {2} dev p1 {3} master",
                 "add 00:00:00:00:00:00 dev p1 master", "add {2} dev p1 vlan 5000 master",
                 "add {2} dev p1 master vlan x", "add {2} dev p1 master vlan",
                 "add {2} dev p1 master static vlan 5", "del {2} dev p1 master vlan 5",
                 "del {2} dev p1", "del {2} dev p1 master", "del {2} dev br0",
                 # the bridge's own list is its own table
                 "add {2} dev br0", "add {2} dev br0 self", "add {2} dev br0 master",
                 "add {3} dev br0 self static", "get {2} br br0", "del {2} dev br0 master",
                 "del {2} dev br0", "add {2} dev br0 local", "del {2} dev br0 self",
                 # there already
                 "add {3} dev p1 master static", "add {3} dev p1 master static",
                 "add {3} dev p2 master", "replace {3} dev p2 master dynamic", "get {3} br br0",
                 "append {3} dev p1 master static", "get {3} dev p2", "get {3} brport p1",
                 "append {4} dev p1 master static", "append {4} dev p1 self static",
                 "r {5} dev p1 self static", "a {5} dev p3 m perm", "d {5} dev p3 m",
                 "del {3} dev p2 master", "del {3} dev p1 master", "del {3} dev p1 master",
                 "delete {4} dev p1 master", "add to {5} dev p1 master temp"):
        p.same("fdb", *line.format(*map(m, range(10))).split())
        p.same("fdb", "show", "br", "br0")
    for line in ("{5} br br0", "{5} dev p1 master", "{5} brport p1", "{5} dev p2 master",
                 "{5} dev br0", "{5} dev br0 self", "{5} dev p1 self", "{9} br br0", "{5}", "",
                 "br br0", "{5} br br0 vlan 3", "{5} vlan 5000 br br0", "{5} br br0 foo",
                 "{5} br nope", "{5} brport nope", "{5} dev nope", "{5} br br0 dev p1",
                 "{5} br br0 self", "{5} br br0 master", "{5} dev br0 br br0", "xyz br br0",
                 "to {5} br br0", "{5} dev x0", "{5} br", BR_MAC + " br br0",
                 port_mac(1) + " br br0"):
        for f in ((), ("-j",), ("-s",), ("-p", "-j", "-s")):
            p.same(*f, "fdb", "get", *line.format(*map(m, range(10))).split())
    p.state()
    print(f"     {p.compared} commands compared")


def test_fdb_show(lab):
    """fdb show with its filters; what was learned from real frames."""
    p = Pair(lab)
    for i in (1, 2, 3):
        p.both(lambda s: s.say(i))
    p.both(lambda s: lib.wait_until(
        lambda: s.run("fdb", "show", "br", "br0", "dynamic").stdout.count("02:00:00:00:02") == 3,
        5, "three are learned"))
    p.both(lambda s: s.run("fdb", "add", m(1), "dev", "p1", "master", "static", check=True))
    p.both(lambda s: s.run("fdb", "add", m(2), "dev", "p2", "master", "static", "sticky",
                           check=True))
    p.both(lambda s: s.run("fdb", "add", m(3), "dev", "p2", "self", check=True))
    for line in ("", "show", "s", "lst", "list", "br br0", "brport p1", "dev p1", "brport x0",
                 "brport br0", "br br0 brport p1", "dynamic", "br br0 dynamic",
                 "br br0 brport p2 dynamic", "state static", "state permanent", "state perm",
                 "state temp", "state stale br br0", "state reachable br br0",
                 "state all br br0", "vlan 5", "br br0 vlan 7", "state foo", "br nope",
                 "brport nope", "br", "brport", "br br0 br br0", "brport p1 brport p2"):
        words = line.split()
        if words and words[0] not in ("show", "s", "lst", "list"):
            words = ["show"] + words
        for f in ((), ("-s",), ("-d",), ("-j",), ("-j", "-s"), ("-p", "-j")):
            p.same(*f, "fdb", *words)

    def used():
        """Seconds since the host behind p1 was seen."""
        e = json.loads(p.ours.run("-j", "-s", "fdb", "get", "02:00:00:00:02:01", "br",
                                  "br0").stdout)[0]
        need(e["used"] == e["updated"], e)
        return e["used"]
    lib.wait_until(lambda: used() >= 1, 5, "a second has passed")
    p.ours.say(1)
    lib.wait_until(lambda: used() == 0, 1, "it was seen again")
    p.both(lambda s: s.leave("p3"))
    p.both(lambda s: lib.wait_until(
        lambda: "02:00:00:00:02:03" not in s.run("fdb", "show", "br", "br0").stdout, 5,
        "p3's addresses are gone"))
    p.state()
    print(f"     {p.compared} commands compared")


def test_flush(lab):
    """fdb flush by kind and place.  The ports' own addresses stay, here."""
    p = Pair(lab)

    def fill(s):
        for n, line in enumerate(("p1 master", "p1 master static", "p1 master dynamic",
                                  "p2 master static sticky", "p2 master dynamic sticky",
                                  "p2 master extern_learn", "p3 master dynamic",
                                  "p3 master static", "p1 self"), 1):
            s.run("fdb", "replace", m(n), "dev", *line.split(), check=True)

    def left(s):
        out = s.run("fdb", "show").stdout.splitlines()
        return sorted(x for x in out if "02:aa" in x)

    for line in ("dev p1 master", "dev br0", "dev br0 self", "dev br0 brport p1",
                 "dev br0 brport p2 dynamic", "dev br0 dynamic", "dev br0 nodynamic",
                 "dev br0 static", "dev br0 nostatic", "dev p1 master static",
                 "dev p1 master permanent", "dev br0 nopermanent", "dev br0 sticky",
                 "dev br0 nosticky", "dev br0 extern_learn", "dev br0 noextern_learn",
                 "dev br0 sticky nostatic", "dev br0 vlan 5", "dev br0 brport br0",
                 "dev br0 permanent nopermanent", "dev br0 permanent dynamic",
                 "dev br0 nodynamic nopermanent", "dev br0 nostatic permanent"):
        p.both(fill)
        differ("before", left(p.kernel), left(p.ours))
        p.same("fdb", "flush", *line.split())
        differ(f"flush {line}", left(p.kernel), left(p.ours))
    for line in ("", "dev", "dev nope", "dev p1", "dev x0", "dev x0 master",
                 "dev br0 master", "dev br0 vlan 5000", "dev br0 brport nope",
                 "dev br0 brport x0", "dev br0 vlan"):
        p.same("fdb", "flush", *line.split())
    own = p.ours.run("fdb", "show", "br", "br0").stdout
    need(all(f"{port_mac(i)} dev p{i} master br0 permanent" in own for i in (1, 2, 3)) and
         f"{BR_MAC} dev br0 master br0 permanent" in own, f"own addresses went:\n{own}")
    print(f"     {p.compared} commands compared")


def test_words(lab):
    """Objects, options, abbreviations, and what is refused."""
    p = Pair(lab)
    for line in ("-V", "-Ver", "foo", "-x link", "-ts link", "fdb foo", "link foo",
                 "monitor foo", "monitor link foo", "-n nope link", "--json link", "-color=auto l",
                 "-com link", "-color=never fdb show brport p1"):
        p.same(*line.split())
    for line in ("", "help", "fdb help", "link help", "fdb add help", "monitor help", "-h"):
        k, b = p.run(*line.split())
        need(k.returncode == b.returncode == 255 and b.stderr.startswith("Usage: bridge"),
             f"bridge {line}: {b.returncode} {b.stderr}")
    for o in ("mdb", "vlan", "vni", "mst"):
        r = p.ours.run(o)
        need(r.returncode == 255 and f'"{o}" is not built yet' in r.stderr, r.stderr)
    for line in (f"fdb add {m(1)} dev p1 master dst 1.2.3.4",
                 f"fdb add {m(1)} dev p1 master port 5", f"fdb add {m(1)} dev p1 master nhid 5",
                 f"fdb add {m(1)} dev p1 master router", f"fdb get {m(1)} br br0 vni 5",
                 "fdb flush dev br0 added_by_user", "link set dev p1 state blocking",
                 "link set dev p1 hwmode vepa", "link set dev p1 backup_port p2",
                 "link set dev p1 mcast_router 2", "link set dev p1 mab on", "monitor mdb",
                 "-color link", "-c link"):
        r = p.ours.run(*line.split())
        need(r.returncode == 255 and "not built yet" in r.stderr, f"{line}: {r.stderr}")
    for line in ("fdb show nonsense", "link show nonsense", "fdb flush dev br0 nonsense",
                 "link set dev p1 nonsense on"):
        r = p.ours.run(*line.split())
        need(r.returncode == 255 and '"nonsense"' in r.stderr, f"{line}: {r.stderr}")
    # many commands at once
    batch = (f"fdb add {m(1)} dev p1 master static # one\n\n  # two\n"
             f"fdb add {m(2)} dev \\\np2 'master' \"static\"\nlink show dev p1\n"
             f"fdb add {m(2)} dev p2 master\nbogus\nfdb get {m(1)} br br0\n")
    for f in (("-batch", "-"), ("-force", "-b", "-"), ("-batch", "/nonexistent")):
        k, b = (s.run(*f, stdin=batch) for s in (p.kernel, p.ours))
        need((k.stdout, k.returncode) == (b.stdout, b.returncode), f"{f}: {k} {b}")
        need(k.stderr == b.stderr or f[-1] != "-", f"{f}: {k.stderr} {b.stderr}")
    r = p.ours.run("-b", "-", stdin='fdb add "02:\n')
    need(r.returncode == 1 and "quote" in r.stderr and "-:1" in r.stderr, r.stderr)
    # a group address is in no table that forwards
    r = p.ours.run("fdb", "add", "01:00:5e:01:02:03", "dev", "p1", "master")
    need(r.returncode == 255 and "Invalid argument" in r.stderr, r.stderr)
    # under our own name the daemon's sentence follows
    r = p.ours.sw.cli("fdb", "add", port_mac(1), "dev", "p1", "master", check=False)
    need(r.returncode == 255 and
         re.fullmatch(r"RTNETLINK answers: File exists \(.*there is an entry.*\)\n", r.stderr),
         r.stderr)
    r = p.ours.sw.cli("l", check=False)
    need(r.stdout == p.ours.run("link").stdout, "abbreviated object")
    for line, want in (("fdb show b", {"br", "brport"}), ("fdb show br ", {"br0"}),
                       ("link set dev p1 h", {"hairpin"}), ("fdb show brport p", set(PORTS)),
                       ("fdb flush dev br0 nos", {"nostatic", "nosticky"})):
        r = p.ours.sw.cli("complete", *line.split(" "))
        need(set(r.stdout.split()) == want, f"complete {line}: {r.stdout}")
    # the client may work in another namespace, where the devices are
    r = lib.sh(*p.ours.exe, "-n", p.ours.ns, "link", ns=p.ours.hosts)
    need(r.stdout == p.ours.run("link").stdout, f"-n:\n{r.stdout}")
    # and where they are not, ports are shown without an interface
    r = lib.sh(*p.ours.exe, "link", "show", "dev", "p1", ns=p.ours.hosts)
    need(r.stdout == "0: p1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state "
         "forwarding priority 32 cost 2 \n", r.stdout)
    p.ours.sw.addif("br0", "mem:m0,mtu=1400")
    r = json.loads(p.ours.run("-j", "link", "show", "dev", "m0").stdout)
    need(r == [{"ifindex": 0, "ifname": "m0", "flags": ["BROADCAST", "MULTICAST", "UP",
                                                        "LOWER_UP"],
                "mtu": 1400, "master": "br0", "state": "forwarding", "priority": 32,
                "cost": 2}], r)
    r = p.ours.run("fdb", "add", m(1), "dev", "m0")
    need(r.returncode == 255 and 'say "master"' in r.stderr, r.stderr)
    p.ours.run("fdb", "add", m(7), "dev", "m0", "master", check=True)
    r = p.ours.run("fdb", "show", "brport", "m0").stdout
    need(r == f"{m(7)} master br0 permanent\n", r)


class Monitor:
    """`monitor` on both sides, each into a file."""

    def __init__(self, p, *args):
        self.args, self.files = args, []
        for i, s in enumerate((p.kernel, p.ours)):
            f = os.path.join(s.lab.dir, f"mon{i}-{'-'.join(args)}")
            self.files.append(f)
            with open(f, "w") as out:
                s.lab.spawn(*s.exe, *args, ns=s.ns, stdout=out, stderr=subprocess.STDOUT)

    def lines(self, side):
        with open(self.files[side]) as f:
            return f.read().splitlines()


def told(lines):
    """
    What a monitor says of the bridge: the kernel tells of a change up to four
    times, of plain devices beside ports, and of its own timers.
    """
    out = []
    for x in lines:
        link = re.match(r"(\[LINK\])?(Deleted )?\d+: ", x)
        if link and " state " not in x and not link.group(2):
            continue
        x = masked(x)[0]
        if not out or out[-1] != x:
            out.append(x)
    return out


def test_monitor(lab):
    """A sequence of changes, as monitor tells of it."""
    p = Pair(lab)
    mons = [Monitor(p, *a) for a in (("monitor",), ("-s", "monitor", "fdb"),
                                     ("-d", "monitor", "link"), ("-o", "-d", "mo", "l"),
                                     ("monitor", "all"))]
    stamped = Monitor(p, "-t", "monitor", "fdb")
    js = Monitor(p, "-j", "-t", "monitor", "fdb", "link")
    n = 0

    def settled():
        """A change that all have told of: they are listening."""
        nonlocal n
        n += 1
        p.both(lambda s: s.run("fdb", "add", m(0xe0), "dev", "p3", "master", "static"))
        p.both(lambda s: s.run("fdb", "del", m(0xe0), "dev", "p3", "master"))
        p.both(lambda s: s.run("link", "set", "dev", "p3", "cost", "5"))
        time.sleep(0.05)
        return all(m.lines(i) for m in mons + [stamped, js] for i in (0, 1))
    lib.wait_until(settled, 5, "all monitors listen")
    p.both(lambda s: s.run("link", "set", "dev", "p3", "cost", "77"))

    def step(line):
        p.both(lambda s: s.run(*line.format(*map(m, range(10))).split(), check=True))
    for line in ("fdb add {1} dev p1 master static", "fdb replace {1} dev p2 master dynamic",
                 "fdb del {1} dev p2 master", "fdb add {2} dev p1 master static sticky",
                 "link set dev p1 cost 9", "link set dev p1 hairpin on",
                 "link set dev p1 isolated on", "fdb add {3} dev p1 self",
                 "fdb del {3} dev p1 self", "fdb add {4} dev br0",
                 "fdb del {4} dev br0", "fdb flush dev p1 master static nopermanent"):
        step(line)
    p.both(lambda s: s.say(2, 1))
    time.sleep(0.3)
    step("link set dev p3 cost 78")

    def compare(mon):
        got = []
        for i in (0, 1):
            x = told(mon.lines(i))
            at = [j for j, y in enumerate(x) if " cost 77 " in y]
            got.append(x[at[0]:] if at else x)
        return got
    for mon in mons:
        fdb = "fdb" in mon.args  # has no line to begin at
        def equal():
            k, b = compare(mon)
            if fdb:
                k, b = ([y for y in x if "e0 dev p3" not in y] for x in (k, b))
            return k and k == b
        try:
            lib.wait_until(equal, 3, "")
        except lib.Failed:
            differ(" ".join(mon.args), *compare(mon))
    lines = stamped.lines(1)
    need(re.fullmatch(r"Timestamp: [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} "
                      r"\d+ usec", lines[0]) and f"{m(0xe0)} dev p3" in lines[1], lines[:2])
    objects = [json.loads(x) for x in js.lines(1)]
    need(all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", o.pop("timestamp"))
             for o in objects), "no timestamps")
    gone = [o for o in objects if o.get("deleted") and o.get("mac") == m(1)]
    need(gone == [{"deleted": True, "mac": m(1), "ifname": "p2", "flags": [], "master": "br0",
                   "state": ""}], gone)
    need([o for o in objects if o.get("ifname") == "p1" and o.get("cost") == 9], "no link")
    # a port that leaves
    p.both(lambda s: s.leave("p1"))
    want = "Deleted 101: p1@if201: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 "
    for i in (0, 1):
        lib.wait_until(lambda: want in mons[0].lines(i), 3,
                       lambda: "\n".join(mons[0].lines(i)[-5:]))
    lib.wait_until(lambda: f"Deleted {port_mac(1)} dev p1 master br0 permanent" in
                   mons[0].lines(1), 3, lambda: "\n".join(mons[0].lines(1)[-5:]))


lib.main()
