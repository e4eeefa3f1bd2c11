# SPDX-License-Identifier: BSD-2-Clause
"""Networks of bridges for the tests of the spanning tree.

    net = stplib.Net(lab, "a:bascule b:kernel c:ovs-rstp", "a-b b-c c-a",
                     hosts="a b", root="a")
    net.converged()
    with net.watched("a") as w:         numbered broadcasts from a's host
        net.cut("a", "b")
        w.resumes("b")                  ... until b's host gets them again
    w.clean()                           no host got any number twice

Bridges are joined by veth, each kind in its own way:

    bascule    a basculed in a namespace of its own; rstp, or bascule-stp
    kernel     the kernel's bridge (STP), a namespace of its own
    hub        the kernel's bridge without STP: it forwards BPDUs, too
    ovs-rstp, ovs-stp
               Open vSwitch's userspace datapath with databases of its own

`shared="bascule ovs-rstp"` keeps all bridges of these kinds in one process.
SWITCH=kernel or SWITCH=ovs-rstp puts others in Bascule's place, to prove the
tests; a test asks `net.ours` before it looks at what only Bascule has.
Bridges are named by one or two letters.  The interface of bridge a on the link
to b is a_b, the one to its host a_host; a second link between them is "a-b/2" and
a_b2.  Priorities are 8192, 12288, ... in the order of the description, `root`
first; 4096 and 0 are better.  Times are short, since STP waits twice for its forward delay.
"""
import collections
import contextlib
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import threading
import time

import netns_lib as lib


def use_build(path):
    """Another folder than $BUILD."""
    global NUMBERED
    lib.BUILD, lib.TOOLS = path, os.path.join(path, "tests", "tools")
    NUMBERED = os.path.join(lib.TOOLS, "numbered")


# Seconds: everybody's hello time by default, and with it the least max age.  A hello
# time of 1 would leave a port no BPDUs for what happens (TxHoldCount, 17.13.12).
HELLO, MAX_AGE, FORWARD_DELAY = 2, 6, 4
STP_LIMIT = MAX_AGE + 2 * FORWARD_DELAY + 1  # what STP may take for anything, and a bit
NUMBERED = os.path.join(lib.TOOLS, "numbered")
BROADCAST, THERE, BACK = 1, 2, 3  # streams

# A classic program, for a filter in direct mode: every frame is shot (TC_ACT_SHOT).
DROP_ALL = "1,6 0 0 2,"


class Port:
    """What a bridge says of its port: role and state in 802.1D's words, "" if it has
    no word for it."""

    def __init__(self, role="", state="", **more):
        self.role, self.state, self.more = role, state, more

    def __repr__(self):
        return f"{self.role or '-'}/{self.state}"


class Bridge:
    def __init__(self, net, name, kind):
        self.net, self.lab, self.name, self.kind = net, net.lab, name, kind
        self.alive, self.devs = True, []

    def settle(self):
        """Once, when all ports are there."""

    def dead(self):
        self.alive = False


class Kernel(Bridge):
    def start(self, priority, times):
        self.ns = self.lab.ns(self.name)
        quiet(self.lab, self.name)
        hello, max_age, delay = times
        lib.sh("ip", "-n", self.ns, "link", "add", "br0", "type", "bridge", "stp_state", 1,
               "priority", priority, "hello_time", hello * 100, "max_age", max_age * 100,
               "forward_delay", delay * 100, "mcast_snooping", 0)
        if not self.net.stp or self.kind == "hub":
            self.stp(False)
        lib.sh("sh", "-c", "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
               "[ ! -e $f ] || echo 0 >$f; done", ns=self.ns)
        lib.sh("ip", "-n", self.ns, "link", "set", "br0", "up")

    def add(self, dev, edge=False):
        lib.sh("ip", "-n", self.ns, "link", "set", dev, "master", "br0")

    def priority(self, n):
        lib.sh("ip", "-n", self.ns, "link", "set", "br0", "type", "bridge", "priority", n)

    def ports(self):
        info = json.loads(lib.sh("ip", "-n", self.ns, "-j", "-d", "link", "show").stdout)
        br = [i for i in info if i.get("ifname") == "br0"][0]["linkinfo"]["info_data"]
        out = {}
        for i in info:
            if i.get("master") != "br0":
                continue
            p = i["linkinfo"]["info_slave_data"]
            role = "root" if int(p["no"], 16) == br["root_port"] else ""
            if not role and p["state"] == "forwarding":
                role = "designated"
            out[i["ifname"]] = Port(role, {"blocking": "discarding"}.get(p["state"], p["state"]))
        return out

    def _id(self, which):
        """From sysfs: Debian 12's ip prints the bridge's own identifier as the root's."""
        return plain_id(lib.sh("cat", f"/sys/class/net/br0/bridge/{which}",
                               ns=self.ns).stdout.strip())

    def root(self):
        return self._id("root_id")

    def own(self):
        return self._id("bridge_id")

    def stp(self, on):
        lib.sh("ip", "-n", self.ns, "link", "set", "br0", "type", "bridge", "stp_state",
               int(on))

    def kill(self):
        """Its neighbours' interfaces stay up, as when the machine behind them hangs."""
        lib.sh("ip", "-n", self.ns, "link", "del", "br0")
        self.dead()


class Ovsd:
    """ovsdb-server and ovs-vswitchd of our own, beside any that the system runs."""

    schema = "/usr/share/openvswitch/vswitch.ovsschema"

    def __init__(self, lab, tag):
        if not shutil.which("ovs-vswitchd") or not os.path.exists(self.schema):
            raise lib.Skip("openvswitch-switch is not installed")
        self.lab, self.ns = lab, lab.ns(tag)
        quiet(lab, tag)
        # UNIX sockets' paths must be short
        self.dir = os.path.join(lab.dir, tag)
        os.mkdir(self.dir)
        env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir,
                   OVS_SYSCONFDIR=self.dir)
        self.db = f"unix:{self.dir}/db.sock"
        lib.sh("ovsdb-tool", "create", f"{self.dir}/conf.db", self.schema)
        null = subprocess.DEVNULL
        lab.spawn("ovsdb-server", f"{self.dir}/conf.db", f"--remote=p{self.db}",
                  f"--unixctl={self.dir}/db.ctl", ns=self.ns, env=env, stdout=null, stderr=null)
        lib.wait_until(lambda: os.path.exists(f"{self.dir}/db.sock"), 10, "ovsdb-server")
        # the socket is there before anybody listens
        lib.wait_until(lambda: self.vsctl("--no-wait", "init", check=False).returncode == 0, 10,
                       "ovsdb-server answers")
        self.proc = lab.spawn("ovs-vswitchd", self.db, f"--unixctl={self.dir}/vs.ctl",
                              f"--log-file={self.dir}/vs.log", ns=self.ns, env=env,
                              stdout=null, stderr=null)

    def vsctl(self, *args, check=True):
        r = lib.sh("ovs-vsctl", "--db=" + self.db, "--timeout=10", *args, check=check)
        return r.stdout if check else r

    def appctl(self, *args):
        return lib.sh("ovs-appctl", "-t", f"{self.dir}/vs.ctl", *args).stdout


class Ovs(Bridge):
    def start(self, priority, times):
        self.d = self.net.daemon(self, Ovsd)
        self.ns = self.d.ns
        self.br = "ovs-" + self.name
        self.mode = self.kind.partition("-")[2]
        hello, max_age, delay = times
        conf = []
        if self.mode == "rstp":
            # fixed by 17.14 to 2 s for RSTP, and OVS has no other
            conf = ["rstp_enable=true", f"other_config:rstp-priority={priority}",
                    f"other_config:rstp-max-age={max_age}",
                    f"other_config:rstp-forward-delay={delay}"]
        elif self.mode == "stp":
            conf = ["stp_enable=true", f"other_config:stp-priority={priority}",
                    f"other_config:stp-hello-time={hello}",
                    f"other_config:stp-max-age={max_age}",
                    f"other_config:stp-forward-delay={delay}"]
        self.d.vsctl("add-br", self.br, "--", "set", "bridge", self.br,
                     "datapath_type=netdev", *conf)

    def add(self, dev, edge=False):
        conf = []
        if edge and self.mode == "rstp":
            conf = ["--", "set", "port", dev, "other_config:rstp-port-admin-edge=true"]
        self.d.vsctl("add-port", self.br, dev, *conf)

    def priority(self, n):
        self.d.vsctl("set", "bridge", self.br, f"other_config:{self.mode}-priority={n}")

    def ports(self):
        """From the daemon itself: the database is told late."""
        out = {}
        for line in self.d.appctl(f"{self.mode}/show", self.br).splitlines():
            w = line.split()
            if len(w) >= 4 and w[0] in self.devs:
                out[w[0]] = Port(*self._words(w[1], w[2]))
        return out

    @staticmethod
    def _words(role, state):
        state = state.lower()
        return (role.lower(), {"blocking": "discarding"}.get(state, state))

    def _id(self, heading):
        """OVS shows priority and address on lines of their own."""
        text = self.d.appctl(f"{self.mode}/show", self.br).partition(heading)[2]
        w = re.search(r"(?:stp-priority|priority)\s+(\S+)", text)
        m = re.search(r"(?:stp-system-id|address|system-id)\s+(\S+)", text)
        lib.need(w and m, f"{self.mode}/show: no {heading}")
        return plain_id(f"{int(w.group(1), 0):04x}.{m.group(1)}")

    def root(self):
        return self._id("Root ID")

    def own(self):
        return self._id("Bridge ID")

    def stp(self, on):
        self.d.vsctl("set", "bridge", self.br,
                     f"{self.mode}_enable={'true' if on else 'false'}")

    def kill(self):
        if self.name in self.net.alone(self.d):
            self.d.proc.send_signal(signal.SIGKILL)
            self.d.proc.wait(5)
        else:
            self.d.vsctl("del-br", self.br)
        self.dead()


class Basculed(lib.Bascule):
    """basculed in a namespace of its own."""

    def __init__(self, lab, tag):
        super().__init__(lab, tag, lab.ns(tag))
        quiet(lab, tag)
        self.start()
        lab.daemons.append(self)


class Bascule(Bridge):
    def start(self, priority, times):
        self.d = self.net.daemon(self, Basculed)
        self.ns = self.d.ns
        self.br = "br-" + self.name
        hello, max_age, delay = times
        self.d.cli("addbr", self.br, "--no-local")
        for verb, value in (("setbridgeprio", priority), ("sethello", hello),
                            ("setmaxage", max_age), ("setfd", delay)):
            self.d.cli(verb, self.br, value)
        if self.net.stp:
            self.stp(True)

    def add(self, dev, edge=False):
        self.d.cli("addif", self.br, dev)
        if edge:
            self.d.cli("port", "set", dev, "admin-edge", "on")

    def priority(self, n):
        self.d.cli("setbridgeprio", self.br, n)

    def show(self):
        """The bridge's tree, and its ports by name."""
        got = self.d.json("stp", "show", self.br)[0]
        return got, {p["port"]: p for p in got["ports"]}

    def ports(self):
        return {n: Port(p["role"] or "", p["state"].replace("blocking", "discarding"),
                        **{k: v for k, v in p.items() if k not in ("role", "state")})
                for n, p in self.show()[1].items()}

    def root(self):
        return plain_id(self.show()[0]["root"])

    def own(self):
        return plain_id(self.show()[0]["id"])

    def stp(self, on):
        version = {"bascule": "rstp", "bascule-stp": "stp"}[self.kind]
        self.d.cli("stp", self.br, version if on else "off")

    def kill(self):
        if self.name in self.net.alone(self.d):
            self.lab.daemons.remove(self.d)
            self.d.stop(signal.SIGKILL)
        else:
            self.d.cli("delbr", self.br)
        self.dead()


KINDS = {"kernel": Kernel, "hub": Kernel, "ovs-rstp": Ovs, "ovs-stp": Ovs,
         "bascule": Bascule, "bascule-stp": Bascule}
STP_KINDS = ("kernel", "ovs-stp", "bascule-stp")


def plain_id(text):
    """A bridge's identifier as 16 hexadecimal digits, whoever printed it."""
    head, _, tail = text.partition(".")
    return f"{int(head, 16):04x}" + tail.replace(":", "").lower()


def quiet(lab, name):
    """Nothing but what the test sends."""
    for k in ("all", "default"):
        lab.sysctl(name, f"net.ipv6.conf.{k}.disable_ipv6", 1)


class Host:
    def __init__(self, net, bridge, n):
        self.name, self.ns, self.dev = bridge, net.lab.ns(f"h-{bridge}"), "eth0"
        self.mac = f"02:09:00:00:01:{n:02x}"
        self.ip4 = f"10.9.1.{n}"
        quiet(net.lab, f"h-{bridge}")


class Net:
    def __init__(self, lab, bridges, links, hosts="", root=None, shared="",
                 times=(HELLO, MAX_AGE, FORWARD_DELAY), stp=True, rate=None):
        """stp=False: off at first.  rate: what a link carries, "2mbit"."""
        self.lab, self.shared, self.stp, self.rate = lab, shared.split(), stp, rate
        self.bridges, self.links, self.hosts, self.daemons = {}, [], {}, {}
        self.down = set()
        instead = os.environ.get("SWITCH")
        self.ours = not instead
        order = [b.split(":") for b in bridges.split()]
        order = [(n, instead if instead and k.startswith("bascule") else k) for n, k in order]
        order.sort(key=lambda b: b[0] != root)  # stable: root first
        for i, (name, kind) in enumerate(order):
            b = self.bridges[name] = KINDS[kind](self, name, kind)
            b.start(4096 * (i + 2), times)
        for n, h in enumerate(hosts.split(), 1):
            self.add_host(h, n)
        for link in links.split():
            self.join(link)

    # ---- building ----

    def daemon(self, bridge, make):
        """The bridge's daemon: its own, or the one that all of its kind share."""
        key = bridge.kind if bridge.kind in self.shared else bridge.name
        if key not in self.daemons:
            self.daemons[key] = make(self.lab, key), set()
        self.daemons[key][1].add(bridge.name)
        return self.daemons[key][0]

    def alone(self, daemon):
        """The bridges of a daemon if it has just one."""
        for d, names in self.daemons.values():
            if d is daemon and len(names) == 1:
                return names
        return set()

    def add_host(self, bridge, n):
        b = self.bridges[bridge]
        h = self.hosts[bridge] = Host(self, bridge, n)
        dev = f"{bridge}_host"
        lib.sh("ip", "-n", b.ns, "link", "add", dev, "type", "veth", "peer", "name", h.dev,
               "address", h.mac, "netns", h.ns)
        lib.sh("ip", "-n", b.ns, "link", "set", dev, "up")
        lib.sh("ip", "-n", h.ns, "addr", "add", f"{h.ip4}/24", "dev", h.dev)
        lib.sh("ip", "-n", h.ns, "link", "set", h.dev, "up")
        b.devs.append(dev)
        b.add(dev, edge=True)

    @staticmethod
    def names(link):
        """"a-b/2": the interfaces a_b2 and b_a2, and their bridges."""
        ends, _, n = link.partition("/")
        a, b = ends.split("-")
        return (a, f"{a}_{b}{n}"), (b, f"{b}_{a}{n}")

    def join(self, link, edge=False):
        (a, da), (b, db) = self.names(link)
        na, nb = self.bridges[a].ns, self.bridges[b].ns
        lib.sh("ip", "-n", na, "link", "add", da, "type", "veth", "peer", "name", db,
               "netns", nb)
        self.links.append(link)
        for name, dev in ((a, da), (b, db)):
            br = self.bridges[name]
            br.devs.append(dev)
            br.add(dev, edge)
        for ns, dev in ((na, da), (nb, db)):
            if self.rate:
                lib.sh("tc", "-n", ns, "qdisc", "add", "dev", dev, "root", "tbf", "rate",
                       self.rate, "burst", "4k", "latency", "20ms")
            lib.sh("ip", "-n", ns, "link", "set", dev, "up")

    # ---- what happens ----

    def link(self, a, b):
        for x in self.links:
            if x in (f"{a}-{b}", f"{b}-{a}"):
                return x
        raise KeyError(f"no link {a}-{b}")

    def ends(self, link):
        return [(self.bridges[b], dev) for b, dev in self.names(link)]

    def cut(self, a, b, silent=False):
        """Takes a's end down; silently: both ends stay up and nothing gets through.
        The moment, by the clock of `time.time()`."""
        link = self.link(a, b)
        ends = self.ends(link)
        if silent:
            for br, dev in ends:
                lib.sh("tc", "-n", br.ns, "qdisc", "add", "dev", dev, "clsact", check=False)
            for br, dev in ends:
                lib.sh("tc", "-n", br.ns, "filter", "add", "dev", dev, "egress", "prio", 7,
                       "protocol", "all", "bpf", "bytecode", DROP_ALL, "direct-action")
        else:
            dev = f"{a}_{b}"
            lib.sh("ip", "-n", self.bridges[a].ns, "link", "set", dev, "down")
        self.down.add(link)
        return time.time()

    def noticed(self, a, b):
        """Waits until both bridges know that the link is down: one that is mended at once
        may never have been cut for them."""
        ends = [(br, dev) for br, dev in self.ends(self.link(a, b)) if br.alive]
        lib.wait_until(lambda: all("disabled" in (br.ports()[dev].state, br.ports()[dev].role)
                                   for br, dev in ends), 5, f"{a} and {b} know of the cut")

    def mend(self, a, b, silent=False):
        link = self.link(a, b)
        for br, dev in self.ends(link):
            if silent:
                lib.sh("tc", "-n", br.ns, "filter", "del", "dev", dev, "egress", "prio", 7)
            else:
                lib.sh("ip", "-n", br.ns, "link", "set", dev, "up")
        self.down.discard(link)

    def kill(self, name):
        self.bridges[name].kill()
        return time.time()

    # ---- the tree ----

    def working(self):
        """Links that are neither cut nor end at a dead bridge."""
        return [x for x in self.links if x not in self.down and
                all(b.alive for b, _ in self.ends(x))]

    def ports(self):
        """{interface: Port} of all bridges."""
        out = {}
        for b in self.bridges.values():
            if b.alive:
                out.update(b.ports())
        return out

    def open_links(self, ports=None):
        ports = ports or self.ports()

        def forwards(dev):
            return dev in ports and ports[dev].state == "forwarding"
        return [x for x in self.working() if all(forwards(d) for _, d in self.ends(x))]

    def fallen_back(self, name):
        """Neighbours to which a Bascule speaks STP."""
        _, ports = self.bridges[name].show()
        return {dev.partition("_")[2] for dev, p in ports.items() if p["version"] == "stp"}

    def is_tree(self, ports):
        """Do open links join all bridges that are up, without a loop?"""
        up = {n: n for n, b in self.bridges.items() if b.alive}

        def find(x):
            while up[x] != x:
                x = up[x]
            return x
        for link in self.open_links(ports):
            a, b = (find(n) for n, _ in self.names(link))
            if a == b:
                return False
            up[a] = b
        return len({find(x) for x in up}) == 1

    def settled(self):
        """All hosts' ports forward, all links are up, no port is on its way, and the
        open links are a tree: the ports, or None."""
        ports = self.ports()
        hosts = [f"{h}_host" for h in self.hosts if self.bridges[h].alive]
        if any(ports.get(h, Port()).state != "forwarding" for h in hosts):
            return None
        if any(p.state in ("learning", "listening") for p in ports.values()):
            return None
        # a link that came up is known to be up a second later
        ends = [d for x in self.working() for _, d in self.ends(x)]
        if any("disabled" in (ports[d].state, ports[d].role) for d in ends if d in ports):
            return None
        return ports if self.is_tree(ports) else None

    def converged(self, limit=STP_LIMIT + 6):
        """Waits until it is settled and stays so."""
        def twice():
            a = self.settled()
            time.sleep(0.25)
            b = a and self.settled()
            return b and {k: repr(v) for k, v in a.items()} == {
                k: repr(v) for k, v in b.items()} and b
        return lib.wait_until(twice, limit, lambda: f"the tree settles: {self.ports()}", 0.1)

    def one_root(self):
        """The root all bridges agree on."""
        roots = {n: b.root() for n, b in self.bridges.items() if b.alive}
        lib.need(len(set(roots.values())) == 1, f"different roots: {roots}")
        return next(iter(roots.values()))

    def rooted(self, name, limit=STP_LIMIT + 6):
        """Waits until all bridges know that this one is the root."""
        want = self.bridges[name].own()
        lib.wait_until(lambda: all(b.root() == want for b in self.bridges.values() if b.alive),
                       limit, lambda: f"{name} is the root: " + ", ".join(
                           f"{n} {b.root()}" for n, b in self.bridges.items() if b.alive))

    # ---- traffic ----

    @contextlib.contextmanager
    def watched(self, broadcast=None, rate=500, pair=None, pair_rate=1000, back_rate=None):
        """Numbered frames run and every host counts them: broadcasts from the host of
        one bridge, unicast to and fro between the hosts of two."""
        w = Watch(self)
        try:
            if broadcast:
                w.send(broadcast, BROADCAST, rate, "ff:ff:ff:ff:ff:ff")
            if pair:
                a, b = (self.hosts[x] for x in pair)
                w.send(a.name, THERE, pair_rate, b.mac)
                w.send(b.name, BACK, back_rate or pair_rate, a.mac)
            yield w
            w.finish()
        finally:
            w.close()


class Kept:
    """How many ms of a second, at most, these processes' threads were kept from a
    processor that they were ready for."""

    def __init__(self, pids):
        self.pids, self.most, self.over = pids, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _now(self):
        out = {}
        for pid in self.pids:
            try:
                for tid in os.listdir(f"/proc/{pid}/task"):
                    out[pid, tid] = lib.waited(pid, tid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it was killed, or a thread of it ended
        return out

    def _watch(self):
        past = collections.deque()
        while not self.over.wait(0.05):
            past.append((time.monotonic(), self._now()))
            while past[0][0] < past[-1][0] - 1:
                past.popleft()
            first, last = past[0][1], past[-1][1]
            self.most = max([self.most] + [last[k] - first[k] for k in last if k in first])

    def end(self):
        self.over.set()
        self.thread.join()
        return self.most


class Watch:
    """Numbered frames and who got them."""

    def __init__(self, net):
        self.net, self.senders, self.sent, self.got, self.over = net, {}, {}, {}, False
        self.receivers = {}
        self.ovs = Kept([d.proc.pid for d, _ in net.daemons.values() if isinstance(d, Ovsd)])
        for n, h in net.hosts.items():
            self.receivers[n] = self._tool(h.ns, "recv", h.dev)
        for n, p in self.receivers.items():
            lib.need(p.stdout.readline() == "ready\n", f"{n}: numbered did not start")

    def _tool(self, ns, *args):
        return self.net.lab.spawn(NUMBERED, *args, ns=ns, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def send(self, host, stream, rate, dst):
        h = self.net.hosts[host]
        self.senders[stream] = host, self._tool(h.ns, "send", "-r", rate, "-i", stream,
                                                "-d", dst, h.dev)

    def now(self, host, reset=False):
        """{stream: what it has got of it so far}"""
        p = self.receivers[host]
        p.stdin.write("reset\n" if reset else "report\n")
        p.stdin.flush()
        ready, _, _ = select.select([p.stdout], [], [], 20)
        lib.need(ready, f"{host}: numbered does not answer")
        r = json.loads(p.stdout.readline())
        lib.need(r["dropped"] == 0, f"{host}: the receiver was too slow: {r}")
        return {int(k): v for k, v in r["streams"].items()}

    def forget(self):
        """What was counted so far, and begins anew."""
        return {h: self.now(h, reset=True) for h in self.receivers}

    def number(self, host, stream):
        return self.now(host).get(stream, {"last": -1})["last"]

    def resumes(self, host, stream=BROADCAST, limit=STP_LIMIT + 4):
        """Waits until the host gets numbers again that are sent from now on; seconds."""
        t0 = time.monotonic()
        time.sleep(0.05)
        rate = 50
        start = self.now(host).get(stream, {"numbers": 0})["numbers"]

        def flows():
            return self.now(host).get(stream, {"numbers": 0})["numbers"] >= start + rate
        lib.wait_until(flows, limit, lambda: f"{host} gets stream {stream} again: "
                       f"{self.net.ports()}", 0.05)
        return time.monotonic() - t0

    def finish(self):
        """Ends the senders, then the counting."""
        if self.over:
            return
        self.over = True
        for stream, (host, p) in self.senders.items():
            out, _ = p.communicate(timeout=10)
            self.sent[stream] = dict(json.loads(out), host=host)
        time.sleep(0.2)  # what is under way
        self.got = {h: self.now(h) for h in self.receivers}

    def close(self):
        self.ovs.end()
        for p in [p for _, p in self.senders.values()] + list(self.receivers.values()):
            if p.poll() is None:
                p.stdin.close()
                try:
                    p.wait(3)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
            p.stdout.close()

    def clean(self, turned=0, most=0):
        """No number came to any host more than once, and none back to its sender.  But
        as many frames as `turned` may, each at most `most` times: Open vSwitch agrees to
        a proposal some milliseconds before its datapath heeds that a port is shut, and
        what goes through it meanwhile comes again.  While others have its processor that
        takes longer, and a frame goes round more often: as much again for each 50 ms that
        it was kept waiting.  A loop makes thousands in that time."""
        lib.need(self.over, "finish first")
        kept = self.ovs.end()
        if turned:
            print(f"     Open vSwitch was kept from a processor for up to {kept:.0f} ms of a second")
            turned, most = (int(n * (1 + kept / 50)) for n in (turned, most))
        for host, streams in self.got.items():
            for stream, s in streams.items():
                extra = s["frames"] - s["numbers"]
                if self.sent[stream]["host"] == host:
                    extra = s["frames"]
                if extra and extra <= turned:
                    print(f"     {host}: {extra} frames of stream {stream} turned round")
                lib.need(extra == 0 or (extra <= turned and s["copies"] <= most),
                         f"{host}: of stream {stream} {extra} frames came again, one number "
                         f"{s['copies']} times: {s}")

    def of(self, host, stream=BROADCAST):
        lib.need(stream in self.got.get(host, {}), f"{host} got nothing of stream {stream}")
        return self.got[host][stream]


def tshark(pcap, *args):
    """What Wireshark makes of a capture."""
    if not shutil.which("tshark"):
        raise lib.Skip("tshark is not installed")
    return lib.sh("tshark", "-r", pcap, *args, timeout=60).stdout


def lease(vm, mac, limit=5.0):
    """DHCP by hand through a tap held as a VM holds it; the address.  Asks again every
    0.2 s, since the first may be lost."""
    def ask(kind, more=b""):
        dhcp = struct.pack("!BBBBIHH16s16s192xI", 1, 1, 6, 0, 0x42, 0, 0x8000, b"", mac,
                           0x63825363) + bytes([53, 1, kind]) + more + b"\xff"
        dhcp = dhcp.ljust(300, b"\0")
        udp = struct.pack("!HHHH", 68, 67, 8 + len(dhcp), 0) + dhcp
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(4),
                         b"\xff" * 4)
        ip = ip[:10] + struct.pack("!H", 0xFFFF - lib.csum(ip)) + ip[12:]
        return lib.frame(lib.BCAST, mac, ip + udp, 0x0800)

    def answer(kind):
        def fits(f):
            d = f[42:]  # Ethernet, IP without options, UDP
            return (f[12:14] == b"\x08\0" and f[23] == 17 and f[34:36] == b"\0\x43" and
                    d[28:34] == mac and d[240:243] == bytes([53, 1, kind]))
        return fits

    def talk(frame, kind, end):
        while time.monotonic() < end:
            vm.send(frame)
            got = vm.collect(answer(kind), 1, 0.2)
            if got:
                return got[0][1][42 + 16:42 + 20]
        raise lib.Failed(f"no DHCP answer within {limit} s")

    end = time.monotonic() + limit
    address = talk(ask(1), 2, end)
    return talk(ask(3, bytes([50, 4]) + address), 5, end)


class Capture:
    """tcpdump on an interface: BPDUs, or what the filter says."""

    def __init__(self, lab, ns, dev, path, expression="ether dst 01:80:c2:00:00:00",
                 direction="inout"):
        self.path = path
        self.p = lab.spawn("tcpdump", "-Z", "root", "-U", "-n", "-i", dev, "-Q", direction,
                           "-w", path, expression, ns=ns, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        lib.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) >= 24, 5,
                       "tcpdump runs")

    def end(self):
        time.sleep(0.1)
        self.p.send_signal(signal.SIGINT)
        self.p.wait(5)
        return self.path


def main(**kw):
    lib.main(**kw)
