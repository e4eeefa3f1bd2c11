#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Layer 3 of a bridge's interface, by itself: addresses and routes from a
file, those of an uplink taken over and given back, real DHCP servers."""
import json
import os
import shutil
import signal
import subprocess
import sys

import lib
from lib import need, sh, wait_until

FILE = """
network:
  version: 2
  ethernets:
    up0: {{dhcp4: no}}
  bridges:
    br0:
      interfaces: [up0]
{0}
"""


class L3:
    """tests/tools/l3tool in the switch's namespace; one line, one answer."""

    def __init__(self, lab, ifname="br0", ns="sw", owner="self", prefix=()):
        self.lab, self.dir = lab, os.path.join(lab.dir, "state")
        os.makedirs(self.dir, exist_ok=True)
        self.log = open(os.path.join(lab.dir, "l3tool.log"), "a+")
        self.p = lab.spawn(*prefix, os.path.join(lib.TOOLS, "l3tool"), ifname, self.dir, owner,
                           ns=ns and lab.ns(ns), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=self.log, text=True)
        lab.at_end(self.close)

    def close(self):
        for f in (self.p.stdin, self.p.stdout, self.log):
            try:
                f.close()
            except OSError:
                pass

    def ask(self, *words):
        """(the notes, the error or None)"""
        self.p.stdin.write(" ".join(words) + "\n")
        self.p.stdin.flush()
        notes = []
        while True:
            line = self.p.stdout.readline()
            need(line, f"l3tool died at {words}: {self.p.poll()}")
            if line == "ok\n":
                return "".join(notes), None
            if line.startswith("error: "):
                return "".join(notes), line[7:].strip()
            notes.append(line)

    def do(self, *words):
        notes, err = self.ask(*words)
        need(err is None, f"{words}: {err}\n{notes}")
        return notes

    def file(self, body, name="net.yaml"):
        path = os.path.join(self.lab.dir, name)
        with open(path, "w") as f:
            f.write(FILE.format("".join(f"      {x}\n" for x in body.strip("\n").split("\n"))))
        return path


def addrs(ns, dev, link_local=False):
    """{address/prefix: what ip says of it}"""
    r = sh("ip", "-n", ns, "-j", "addr", "show", "dev", dev, check=False)
    if r.returncode:
        return {}
    out = {}
    for a in json.loads(r.stdout)[0]["addr_info"]:
        if a["scope"] != "link" or link_local:
            out[f"{a['local']}/{a['prefixlen']}"] = a
    return out


def routes(ns, dev=None):
    """All but the kernel's own, as sorted text."""
    out = []
    for v in ("-4", "-6"):
        for line in sh("ip", "-n", ns, v, "route", "show", "table", "all").stdout.splitlines():
            words = line.split()
            if "kernel" in words or words[0] in ("local", "broadcast", "multicast", "anycast"):
                continue
            if dev is None or (dev in words and words[words.index("dev") + 1] == dev):
                out.append(" ".join(w for w in words if w not in ("linkdown",)))
    return sorted(out)


def world(lab, addresses=True):
    """The switch with br0 (down), its uplink up0 with addresses, `out` behind it."""
    sw = lab.switch(bridge=None)
    sw.cli("addbr", "br0")
    ns, out = lab.ns("sw"), lab.ns("out")
    lab.veth("up0", out)
    sh("ip", "-n", out, "link", "set", "eth0", "up")
    sh("ip", "-n", out, "addr", "add", "10.7.0.1/24", "dev", "eth0")
    sh("ip", "-n", out, "addr", "add", "fd07::1/64", "dev", "eth0", "nodad")
    sh("ip", "-n", out, "addr", "add", "10.99.0.1/32", "dev", "lo")
    sh("ip", "-n", out, "link", "set", "lo", "up")
    if addresses:
        for a in (["10.7.0.2/24", "brd", "+"], ["10.7.0.3/24", "label", "up0:web"],
                  ["10.8.0.1", "peer", "10.8.0.2/30"], ["fd07::2/64", "nodad"]):
            sh("ip", "-n", ns, "addr", "add", *a, "dev", "up0")
        sh("ip", "-n", ns, "addr", "add", "10.7.0.9/24", "dev", "up0", "valid_lft", "600",
           "preferred_lft", "300")
        for r in ("default via 10.7.0.1 dev up0 metric 50 src 10.7.0.2",
                  "10.50.0.0/16 via 10.60.0.1 dev up0 onlink mtu 1300 advmss 1200",
                  "10.51.0.0/16 dev up0 scope link table 77",
                  "10.52.0.0/16 via 10.51.0.9 dev up0 table 77 onlink",
                  "blackhole 10.53.0.0/16"):
            sh("ip", "-n", ns, "route", "add", *r.split())
        sh("ip", "-n", ns, "-6", "route", "add", "default", "via", "fd07::1", "dev", "up0",
           "metric", "60")
    return sw, ns, out


def seen(ns, dev):
    """Addresses without what changes by itself, for comparing."""
    keep = ("local", "prefixlen", "broadcast", "label", "address", "scope")
    return {k: {x: str(a[x]).replace(dev, "DEV") for x in keep if x in a} |
            {"forever": a["valid_life_time"] == 4294967295}
            for k, a in addrs(ns, dev).items()}


def moved(what):
    return [r.replace("dev up0", "dev br0") for r in what]


def test_move_and_return(lab):
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    need(len(a0) == 5 and len(r0) == 5, f"the world is not as it should be: {a0} {r0}")
    l3 = L3(lab)
    l3.do("take", "up0")
    need(seen(ns, "up0") == a0, "nothing is taken off before the bridge has it")
    sw.addif("br0", "up0")
    notes = l3.do("apply", "-")
    need("from up0 to br0" in notes, notes)
    need(seen(ns, "br0") == a0, f"br0 has {seen(ns, 'br0')}, up0 had {a0}")
    need(routes(ns, "br0") == sorted(moved(r0)), f"{routes(ns, 'br0')}\n{moved(r0)}")
    need(not addrs(ns, "up0") and not routes(ns, "up0"), "up0 has still something")
    need(addrs(ns, "br0")["10.7.0.9/24"]["valid_life_time"] <= 600, "the lifetime is kept")
    sw.wait_forwarding("up0")
    lib.reaches(ns, "10.7.0.1")
    lib.reaches(ns, "fd07::1")
    lib.reaches(ns, "10.99.0.1")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need(seen(ns, "up0") == a0, f"up0 has {seen(ns, 'up0')}, had {a0}")
    need(routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}")
    need(not addrs(ns, "br0") and not routes(ns, "br0"), "br0 has still something")
    need(not os.listdir(l3.dir), f"left in the state directory: {os.listdir(l3.dir)}")
    lib.reaches(ns, "10.99.0.1")


_SERVER = """
import socket
s = socket.socket(); s.bind(("10.7.0.1", 4000)); s.listen(); print("ready", flush=True)
c, _ = s.accept()
while True:
    b = c.recv(100)
    if not b: break
    c.sendall(b)
"""
_CLIENT = """
import socket, sys
s = socket.socket(); s.settimeout(20); s.bind(("10.7.0.2", 0)); s.connect(("10.7.0.1", 4000))
for line in sys.stdin:
    s.sendall(line.encode()); print(s.recv(100).decode(), end="", flush=True)
"""


def test_tcp_survives(lab):
    sw, ns, out = world(lab)
    srv = lab.spawn(sys.executable, "-c", _SERVER, ns=out, stdout=subprocess.PIPE, text=True)
    need(srv.stdout.readline() == "ready\n", "no server")
    cli = lab.spawn(sys.executable, "-c", _CLIENT, ns=ns, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, text=True)

    def echo(word):
        cli.stdin.write(word + "\n")
        cli.stdin.flush()
        got = cli.stdout.readline()
        need(got == word + "\n", f"{word} came back as {got!r}")
    echo("before")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    echo("moved")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    echo("returned")
    for p in (cli, srv):
        p.stdout.close()
    cli.stdin.close()


LAB = """
addresses: [10.7.0.2/24, 'fd07::2/64', 10.7.0.20/24: {label: 'br0:x'}]
routes:
- {to: 0.0.0.0/0, via: 10.7.0.1, on-link: true}
- {to: 10.61.0.0/16, via: 10.61.0.1, on-link: true, metric: 7, table: 99, mtu: 1280}
- {to: 10.62.0.0/16, scope: link, from: 10.7.0.20}
- {to: 10.64.0.0/16, via: 10.62.0.7}
- {to: 10.63.0.0/16, type: unreachable}
- {to: '2001:db8::/32', via: 'fd07::1', metric: 5, from: 'fd07::2'}
parameters: {stp: false}
dhcp4: no
"""


class Events:
    """What `ip monitor` says of a namespace from now on."""

    def __init__(self, lab, ns):
        self.path = os.path.join(lab.dir, "monitor")
        with open(self.path, "w") as f:
            self.p = lab.spawn("ip", "-n", ns, "-o", "monitor", "address", "route", "link",
                               stdout=f)
        self.ns = ns
        self.mark("10.255.0.1/32")

    def mark(self, a):
        """A change of our own: what came before it has been heard."""
        def heard():
            sh("ip", "-n", self.ns, "addr", "add", a, "dev", "lo", check=False)
            sh("ip", "-n", self.ns, "addr", "del", a, "dev", "lo", check=False)
            with open(self.path) as f:
                return a.split("/")[0] in f.read()
        wait_until(heard, 5, "ip monitor listens")

    def about(self, dev):
        self.mark("10.255.0.2/32")
        with open(self.path) as f:
            return [x for x in f.read().splitlines() if f" {dev}" in x]


def test_file_is_a_diff(lab):
    sw, ns, out = world(lab, addresses=False)
    l3 = L3(lab)
    sw.addif("br0", "up0")
    f = l3.file(LAB)
    plan = l3.do("plan", f)
    need("10.7.0.20/24" in plan and "default via 10.7.0.1" in plan, plan)
    need(not addrs(ns, "br0"), "a plan changes nothing")
    l3.do("apply", f)
    need(set(addrs(ns, "br0")) == {"10.7.0.2/24", "10.7.0.20/24", "fd07::2/64"}, addrs(ns, "br0"))
    need(addrs(ns, "br0")["10.7.0.20/24"]["label"] == "br0:x", "label")
    r = "\n".join(routes(ns))
    for want in ("default via 10.7.0.1 dev br0 proto static onlink",
                 "10.61.0.0/16 via 10.61.0.1 dev br0 table 99 proto static metric 7 onlink mtu 1280",
                 "10.62.0.0/16 dev br0 proto static scope link src 10.7.0.20",
                 "10.64.0.0/16 via 10.62.0.7 dev br0 proto static",
                 "unreachable 10.63.0.0/16 proto static",
                 "2001:db8::/32 via fd07::1 dev br0 proto static src fd07::2 metric 5"):
        need(want in r, f"{want}\nis not in\n{r}")
    lib.reaches(ns, "10.99.0.1")
    sh("ip", "-n", ns, "addr", "add", "192.0.2.77/32", "dev", "br0")  # by hand
    before = routes(ns)
    ev = Events(lab, ns)
    l3.do("apply", f)
    need(ev.about("br0") == [], f"unchanged, but: {ev.about('br0')}")
    need(l3.do("plan", f) == "", "nothing to plan")
    need(routes(ns) == before, "routes are as they were")
    l3.do("apply", l3.file(LAB.replace("10.7.0.20/24", "10.7.0.21/24")
                           .replace("10.7.0.20", "10.7.0.21").replace("metric: 7", "metric: 8")
                           .replace("mtu: 1280", "mtu: 1290")))
    need(set(addrs(ns, "br0")) == {"10.7.0.2/24", "10.7.0.21/24", "fd07::2/64", "192.0.2.77/32"},
         addrs(ns, "br0"))
    r = "\n".join(routes(ns))
    need("metric 8 onlink mtu 1290" in r and "metric 7" not in r and "src 10.7.0.21" in r, r)
    l3.do("release")
    need(set(addrs(ns, "br0")) == {"192.0.2.77/32"}, "by hand stays, ours goes")
    need("unreachable" not in "\n".join(routes(ns)), routes(ns))


def test_error_puts_back(lab):
    sw, ns, out = world(lab)
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    a0, r0 = seen(ns, "up0"), routes(ns)
    mtu = sh("ip", "-n", ns, "link", "show", "br0").stdout
    # the last route cannot be: its gateway is nowhere
    bad = LAB + "mtu: 1400\nmacaddress: '02:00:00:00:00:77'\nipv6-mtu: 1300\n"
    bad = bad.replace("dhcp4: no\n", "").replace(
        "parameters", "- {to: 10.90.0.0/16, via: 10.91.0.1}\nparameters")
    notes, err = l3.ask("apply", l3.file(bad))
    need(err and "10.90.0.0/16 via 10.91.0.1" in err, f"{err}\n{notes}")
    need(not addrs(ns, "br0"), addrs(ns, "br0"))
    need(seen(ns, "up0") == a0 and routes(ns) == r0, f"{routes(ns)}\n{r0}")
    after = sh("ip", "-n", ns, "link", "show", "br0").stdout
    need(after.replace('pfifo_fast', 'noop') == mtu, f"{after}\n{mtu}")
    good = l3.file(LAB.replace("10.7.0.20", "10.7.0.30"))
    l3.do("apply", good)
    a1, r1 = seen(ns, "br0"), routes(ns)
    notes, err = l3.ask("apply", l3.file(bad, "bad.yaml"))
    need(err, "refused again")
    need(seen(ns, "br0") == a1, f"{seen(ns, 'br0')}\n{a1}")
    need(routes(ns) == r1, f"{routes(ns)}\n{r1}")
    sw.delif("br0", "up0")
    l3.do("release")
    need(seen(ns, "up0") == a0 and routes(ns) == r0, f"{routes(ns)}\n{r0}")


def test_same_address_in_the_file(lab):
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]\n"
                           "routes: [{to: default, via: 10.7.0.1, metric: 50}]"))
    need(list(addrs(ns, "br0")).count("10.7.0.2/24") == 1, addrs(ns, "br0"))
    need(len([r for r in routes(ns) if r.startswith("default via 10.7.0.1")]) == 1, routes(ns))
    lib.reaches(ns, "10.99.0.1")
    # the port leaves, the file's address stays: no address is there twice
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need("10.7.0.2/24" in addrs(ns, "br0") and "10.7.0.2/24" not in addrs(ns, "up0"),
         f"{addrs(ns, 'br0')} {addrs(ns, 'up0')}")
    l3.do("release")
    need(seen(ns, "up0") == a0 and routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}")


def test_link_settings(lab):
    sw, ns, out = world(lab, addresses=False)
    l3 = L3(lab)
    sw.addif("br0", "up0")
    conf = "/proc/sys/net/ipv6/conf/br0/"
    was = {k: sh("cat", conf + k, ns=ns).stdout for k in ("accept_ra", "use_tempaddr")}
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]\nmacaddress: '02:00:00:00:00:99'\nmtu: 1400\n"
                           "ipv6-mtu: 1300\naccept-ra: true\nipv6-privacy: true\nlink-local: []"))
    link = json.loads(sh("ip", "-n", ns, "-j", "link", "show", "br0").stdout)[0]
    need(link["address"] == "02:00:00:00:00:99" and link["mtu"] == 1400 and
         "UP" in link["flags"], link)
    now = [sh("cat", conf + k, ns=ns).stdout.strip()
           for k in ("accept_ra", "use_tempaddr", "mtu", "addr_gen_mode")]
    need(now == ["2", "2", "1300", "1"], now)
    need(not any(k.startswith("fe80") for k in addrs(ns, "br0", True)), "no link-local address")
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]\nactivation-mode: 'off'\n"))
    now = {k: sh("cat", conf + k, ns=ns).stdout for k in was}
    need(now == was, f"{now} {was}")
    link = json.loads(sh("ip", "-n", ns, "-j", "link", "show", "br0").stdout)[0]
    need("UP" not in link["flags"], "activation-mode: off")
    l3.do("apply", l3.file("activation-mode: manual\n"))
    need("UP" not in link["flags"], "activation-mode: manual")


def kill(lab, sw, l3):
    """The daemon, which here is two processes."""
    sw.proc.send_signal(signal.SIGKILL)
    sw.proc.wait(5)
    l3.p.kill()
    l3.p.wait(5)
    sw.proc = None


def test_killed(lab):
    """The daemon is killed: the addresses go back at once."""
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    kill(lab, sw, l3)
    wait_until(lambda: seen(ns, "up0") == a0, 5, lambda: f"{seen(ns, 'up0')}\n{a0}")
    wait_until(lambda: routes(ns, "up0") == r0, 5, lambda: f"{routes(ns, 'up0')}\n{r0}")
    wait_until(lambda: not os.listdir(l3.dir), 5, lambda: os.listdir(l3.dir))
    lib.reaches(ns, "10.99.0.1")


def test_killed_with_its_survivor(lab):
    """Nobody is left: the next daemon gives the addresses back."""
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    other = L3(lab)
    need(other.do("recover") == "" and addrs(ns, "br0"), "its owner lives: hands off")
    for pid in running(ns, "bascule-child"):
        os.kill(pid, signal.SIGKILL)
    kill(lab, sw, l3)
    wait_until(lambda: not addrs(ns, "br0"), 5, "br0 is gone")
    sh("ip", "-n", ns, "addr", "add", "10.7.0.3/24", "dev", "up0")  # somebody was faster
    elsewhere = L3(lab, ns=None)  # a daemon of another namespace finds it, too
    notes = elsewhere.do("recover")
    need(set(seen(ns, "up0")) == set(a0), f"{seen(ns, 'up0')}\n{a0}")
    need(routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}\n{notes}")
    need(not os.listdir(l3.dir), os.listdir(l3.dir))
    need(elsewhere.do("recover") == "", "only once")


def test_without_privileges(lab):
    world(lab)
    os.chmod(lab.dir, 0o755)
    l3 = L3(lab, prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    os.chmod(l3.dir, 0o777)
    l3.do("take", "up0")
    notes, err = l3.ask("apply", l3.file("addresses: [10.7.0.2/24]"))
    need(err and "not permitted" in err, f"{err} {notes}")
    l3.do("release")


def dnsmasq(lab, ns, *args):
    if not shutil.which("dnsmasq"):
        raise lib.Skip("dnsmasq is not installed")
    log = os.path.join(lab.dir, "dnsmasq.log")
    with open(log, "w") as f:
        p = lab.spawn("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--no-ping",
                      "--user=root", "--pid-file=", "--interface=eth0", "--bind-interfaces",
                      f"--dhcp-leasefile={lab.dir}/leases", "--dhcp-authoritative", "--log-dhcp",
                      *args, ns=ns, stdout=f, stderr=f)
    wait_until(lambda: "DHCP" in open(log).read(), 5, "dnsmasq runs")
    return p, log


def processes(ns):
    out = {}
    for pid in sh("ip", "netns", "pids", ns).stdout.split():
        try:
            with open(f"/proc/{pid}/comm") as f:
                out[int(pid)] = f.read().strip()
        except OSError:
            pass
    return out


def running(ns, name):
    return [p for p, c in processes(ns).items() if c == name]


DHCP4 = ("--dhcp-range=10.7.0.100,10.7.0.150,255.255.255.0,1h", "--dhcp-option=3,10.7.0.1",
         "--dhcp-option=26,1400", "--dhcp-option=6,10.7.0.1", "--dhcp-option=15,lab.example")


def test_dhcp4(lab):
    sw, ns, out = world(lab, addresses=False)
    srv, log = dnsmasq(lab, out, *DHCP4)
    l3 = L3(lab)
    resolv = open("/etc/resolv.conf").read() if os.path.exists("/etc/resolv.conf") else ""
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    f = l3.file("dhcp4: true\ndhcp4-overrides: {route-metric: 333, hostname: tester}")
    notes = l3.do("apply", f)
    need("nameservers from DHCP are not applied" in notes, notes)
    wait_until(lambda: any(a.startswith("10.7.0.1") for a in addrs(ns, "br0")), 15,
               lambda: f"a lease: {open(log).read()[-2000:]}")
    wait_until(lambda: any("default via 10.7.0.1 dev br0 proto dhcp" in r and "metric 333" in r
                           for r in routes(ns)), 5, lambda: routes(ns))
    lib.reaches(ns, "10.99.0.1")
    need("tester" in open(log).read(), "the name was sent")
    lease = [a for a in addrs(ns, "br0").values()][0]
    need(3000 < lease["valid_life_time"] <= 3600, lease)
    wait_until(lambda: "mtu 1400" in sh("ip", "-n", ns, "link", "show", "br0").stdout, 5, "MTU")
    pid = running(ns, "udhcpc")
    need(len(pid) == 1, processes(ns))
    fds = os.listdir(f"/proc/{pid[0]}/fd")
    links = [os.readlink(f"/proc/{pid[0]}/fd/{x}") for x in fds]
    need(len([x for x in links if x != "/dev/null"]) <= 2, f"descriptors of ours: {links}")
    ev = Events(lab, ns)
    need(l3.do("plan", f) == "", "nothing to plan")
    l3.do("apply", f)
    need(ev.about("br0") == [], ev.about("br0"))
    need(running(ns, "udhcpc") == pid, "an unchanged client goes on")
    os.kill(pid[0], signal.SIGKILL)
    wait_until(lambda: running(ns, "udhcpc") not in ([], pid), 5, "it is started again")
    wait_until(lambda: any(a.startswith("10.7.0.1") for a in addrs(ns, "br0")), 15, "a lease")
    l3.do("apply", l3.file("dhcp4: true\ndhcp4-overrides: {use-routes: false, use-mtu: false}"))
    wait_until(lambda: any(a.startswith("10.7.0.1") for a in addrs(ns, "br0")), 15, "a lease")
    need(not any(r.startswith("default") for r in routes(ns)), routes(ns))
    l3.do("apply", l3.file("dhcp4: false"))
    need(not addrs(ns, "br0") and not running(ns, "udhcpc"), addrs(ns, "br0"))
    for bad in ("use-ntp: true",):
        _, err = l3.ask("apply", l3.file("dhcp4: true\ndhcp4-overrides: {%s}" % bad, "bad.yaml"))
        need(err and "use-ntp" in err, err)
    l3.do("apply", f)
    l3.p.stdin.close()
    wait_until(lambda: not running(ns, "udhcpc"), 8, "it ends with its daemon")
    now = open("/etc/resolv.conf").read() if os.path.exists("/etc/resolv.conf") else ""
    need(now == resolv, "resolv.conf was written")


def test_dhcp4_of_the_uplink(lab):
    """The uplink has a lease already: br0 has it at once, and renews it."""
    sw, ns, out = world(lab, addresses=False)
    srv, log = dnsmasq(lab, out, *DHCP4)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.140/24", "dev", "up0", "valid_lft", "50",
       "preferred_lft", "50")
    sh("ip", "-n", ns, "route", "add", "default", "via", "10.7.0.1", "dev", "up0", "proto",
       "dhcp", "src", "10.7.0.140", "metric", "1024")
    l3 = L3(lab)
    notes = l3.do("take", "up0")
    need("10.7.0.140/24 is leased" in notes, notes)
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("dhcp4: true"))
    need("10.7.0.140/24" in addrs(ns, "br0"), "at once")
    wait_until(lambda: addrs(ns, "br0")["10.7.0.140/24"]["valid_life_time"] > 3000, 15,
               lambda: f"renewed: {addrs(ns, 'br0')}\n{open(log).read()[-2000:]}")
    wait_until(lambda: [r for r in routes(ns) if r.startswith("default")] ==
               ["default via 10.7.0.1 dev br0 proto dhcp src 10.7.0.140 metric 100"], 5,
               lambda: routes(ns))
    l3.do("apply", l3.file("dhcp4: true"))
    need([r for r in routes(ns) if r.startswith("default")] ==
         ["default via 10.7.0.1 dev br0 proto dhcp src 10.7.0.140 metric 100"], routes(ns))
    need(len(addrs(ns, "br0")) == 1, addrs(ns, "br0"))
    sw.delif("br0", "up0")
    l3.do("release")
    need("10.7.0.140/24" in addrs(ns, "up0"), addrs(ns, "up0"))


def no_promotion(lab):
    """The kernel's default, whatever this machine has: secondaries go with their primary."""
    for who in ("all", "default", "br0", "up0"):
        lab.sysctl("sw", f"net.ipv4.conf.{who}.promote_secondaries", 0)


def has_lease(ns, dev="br0"):
    return any(a.startswith("10.7.0.1") for a in addrs(ns, dev))


STATIC = """
addresses: [10.7.0.2/24]
routes:
- {to: default, via: 10.7.0.1}
- {to: 10.61.0.0/16, via: 10.7.0.1, from: 10.7.0.2}
"""


def from_lease_to_static(lab, sw, ns, out, l3):
    dnsmasq(lab, out, *DHCP4)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    static = l3.file(STATIC, "static.yaml")
    both = l3.file(STATIC + "dhcp4: true\n", "both.yaml")
    dhcp = l3.file("dhcp4: true")
    for first, by_hand in ((dhcp, "10.7.0.77/24"), (both, "10.7.0.78/24")):
        l3.do("apply", first)
        wait_until(lambda: has_lease(ns), 15, lambda: addrs(ns, "br0"))
        sh("ip", "-n", ns, "addr", "add", by_hand, "dev", "br0")
        l3.do("apply", static)
        need(not running(ns, "udhcpc") and
             set(addrs(ns, "br0")) == {"10.7.0.2/24", by_hand}, addrs(ns, "br0"))
        r = routes(ns, "br0")
        need(len(r) == 2 and r[1].startswith("default via 10.7.0.1 dev br0 proto static") and
             "src 10.7.0.2" in r[0], r)
        need(l3.do("plan", static) == "", "nothing to plan")
        lib.reaches(ns, "10.99.0.1")
        sh("ip", "-n", ns, "addr", "del", by_hand, "dev", "br0")


def test_from_lease_to_static(lab):
    """The file's address is in the leased one's subnet, and stays when that goes."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    from_lease_to_static(lab, sw, ns, out, L3(lab))


def test_from_lease_to_static_read_only(lab):
    """The same where the kernel cannot be told (/proc/sys is read-only)."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    cell = Cell(lab)
    cell.sh("mount", "-o", "bind", "/proc/sys", "/proc/sys")
    cell.sh("mount", "-o", "remount,ro,bind", "/proc/sys")
    from_lease_to_static(lab, sw, ns, out, cell.l3("self"))
    need(sh("cat", "/proc/sys/net/ipv4/conf/br0/promote_secondaries", ns=ns).stdout == "0\n",
         "it was to be read-only")


def test_another_lease_than_the_uplinks(lab):
    """The server gives br0 another address than up0 had: that goes, the new one stays."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    dnsmasq(lab, out, *DHCP4)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.33/24", "dev", "up0", "valid_lft", "60",
       "preferred_lft", "60")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    f = l3.file("dhcp4: true")
    l3.do("apply", f)
    need("10.7.0.33/24" in addrs(ns, "br0"), "it moves at once")
    wait_until(lambda: "10.7.0.33/24" not in addrs(ns, "br0"), 15, lambda: addrs(ns, "br0"))
    wait_until(lambda: [r for r in routes(ns) if r.startswith("default")], 5, lambda: routes(ns))
    need(has_lease(ns) and len(addrs(ns, "br0")) == 1, addrs(ns, "br0"))
    need(l3.do("plan", f) == "", "nothing to plan")
    lib.reaches(ns, "10.99.0.1")
    # the client ends: nobody's address goes but its own
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]", "static.yaml"))
    need(not has_lease(ns) and "10.7.0.2/24" in addrs(ns, "br0"), addrs(ns, "br0"))
    l3.do("release")
    need(not addrs(ns, "br0"), addrs(ns, "br0"))


def test_the_removed_one_was_primary(lab):
    """Removed from the file, refused, released: others of the subnet stay."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    l3 = L3(lab)
    sw.addif("br0", "up0")
    two = l3.file("addresses: [10.7.0.2/24, 10.7.0.3/24]\n"
                  "routes: [{to: default, via: 10.7.0.1, from: 10.7.0.3}]")
    l3.do("apply", two)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.77/24", "dev", "br0")
    sh("ip", "-n", ns, "route", "add", "10.70.0.0/16", "via", "10.7.0.1", "dev", "br0", "src",
       "10.7.0.77")
    r0 = routes(ns, "br0")
    _, err = l3.ask("apply", l3.file("addresses: [10.7.0.3/24, 10.7.0.4/24]\nroutes: ["
                                     "{to: 10.90.0.0/16, via: 10.91.0.1}]", "bad.yaml"))
    need(err, "refused")
    need(set(addrs(ns, "br0")) == {"10.7.0.2/24", "10.7.0.3/24", "10.7.0.77/24"}, addrs(ns, "br0"))
    need(routes(ns, "br0") == r0, routes(ns, "br0"))
    l3.do("apply", l3.file("addresses: [10.7.0.3/24]\n"
                           "routes: [{to: default, via: 10.7.0.1, from: 10.7.0.3}]", "one.yaml"))
    need(set(addrs(ns, "br0")) == {"10.7.0.3/24", "10.7.0.77/24"}, addrs(ns, "br0"))
    need(routes(ns, "br0") == r0, routes(ns, "br0"))
    l3.do("release")
    need(set(addrs(ns, "br0")) == {"10.7.0.77/24"} and len(routes(ns, "br0")) == 1,
         f"{addrs(ns, 'br0')} {routes(ns, 'br0')}")


def test_order_of_returned_addresses(lab):
    """What was primary on up0 is it again, though the file's bridge kept it longer."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    for a in ("10.7.0.2/24", "10.7.0.33/24", "10.7.0.34/24"):
        sh("ip", "-n", ns, "addr", "add", a, "dev", "up0")
    sh("ip", "-n", ns, "route", "add", "10.70.0.0/16", "via", "10.7.0.1", "dev", "up0", "src",
       "10.7.0.33")

    def listed():
        return sh("ip", "-n", ns, "-4", "addr", "show", "dev", "up0").stdout
    before, r0 = listed(), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]"))
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need(set(addrs(ns, "up0")) == {"10.7.0.33/24", "10.7.0.34/24"}, addrs(ns, "up0"))
    l3.do("release")
    strip = [[x.strip() for x in t.splitlines()[1:]] for t in (listed(), before)]
    need(strip[0] == strip[1], f"{listed()}\n{before}")
    need(routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}")


def test_route_of_the_file_and_the_uplink(lab):
    """Both have a default route: up0's is back with its address, br0 keeps the file's."""
    sw, ns, out = world(lab, addresses=False)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.33/24", "dev", "up0")
    sh("ip", "-n", ns, "route", "add", "default", "via", "10.7.0.1", "dev", "up0")
    l3 = L3(lab)

    def default():
        return [r.split()[4] for r in routes(ns) if r.startswith("default")]
    f = l3.file("addresses: [10.8.0.2/24]\n"
                "routes: [{to: default, via: 10.7.0.1, on-link: true}]\nmtu: 1400")
    plan = l3.do("plan", f)
    need("route default via 10.7.0.1 on-link\n" in plan, plan)
    for _ in range(2):
        l3.do("take", "up0")
        sw.addif("br0", "up0")
        l3.do("apply", f)
        need(default() == ["br0"], routes(ns))
        sw.wait_forwarding("up0")
        lib.reaches(ns, "10.99.0.1")
        sw.delif("br0", "up0")
        l3.do("return", "up0")
        need(sorted(default()) == ["br0", "up0"], routes(ns))
        need("up0" in sh("ip", "-n", ns, "route", "get", "10.99.0.1").stdout, routes(ns))
        lib.reaches(ns, "10.99.0.1")
        l3.do("apply", f)
        need(sorted(default()) == ["br0", "up0"], routes(ns))
    l3.do("release")
    need(default() == ["up0"], routes(ns))
    lib.reaches(ns, "10.99.0.1")


def test_dhcp6(lab):
    if not shutil.which("dhcpcd"):
        raise lib.Skip("dhcpcd is not installed")
    sw, ns, out = world(lab, addresses=False)
    srv, log = dnsmasq(lab, out, "--dhcp-range=fd07::100,fd07::1ff,64,1h", "--enable-ra")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("dhcp6: true\naccept-ra: true"))
    wait_until(lambda: any(a.startswith("fd07::1") and a.endswith("/128")
                           for a in addrs(ns, "br0")), 20,
               lambda: f"a lease: {addrs(ns, 'br0')} {open(log).read()[-2000:]}"
                       f"{open(os.path.join(lab.dir, 'l3tool.log')).read()}{processes(ns)}")
    wait_until(lambda: any(r.startswith("default via fe80") for r in routes(ns, "br0")), 10,
               lambda: routes(ns))
    lib.reaches(ns, "fd07::1")
    l3.do("release")
    wait_until(lambda: not running(ns, "dhcpcd"), 5, lambda: processes(ns))
    need(not any(a.endswith("/128") for a in addrs(ns, "br0")), addrs(ns, "br0"))


def test_router_advertisements(lab):
    """What the uplink got from advertisements br0 gets by itself, and it goes back."""
    sw, ns, out = world(lab, addresses=False)
    lab.sysctl("sw", "net.ipv6.conf.up0.accept_ra", 2)
    lab.sysctl("sw", "net.ipv6.conf.up0.accept_dad", 0)
    dnsmasq(lab, out, "--dhcp-range=fd07::,ra-only,64,1h", "--enable-ra")
    sh("ip", "-n", ns, "link", "set", "up0", "down")
    sh("ip", "-n", ns, "link", "set", "up0", "up")
    wait_until(lambda: any(r.startswith("default via fe80") for r in routes(ns, "up0")), 10,
               lambda: f"{routes(ns)} {addrs(ns, 'up0')}")
    a0 = set(addrs(ns, "up0"))
    sh("ip", "-n", ns, "rule", "add", "iif", "up0", "table", "77")
    l3 = L3(lab)
    notes = l3.do("take", "up0")
    need("1 routing rule names up0" in notes, notes)
    sw.addif("br0", "up0")
    notes = l3.do("apply", l3.file("accept-ra: true"))
    need("moved" not in notes and not addrs(ns, "up0") and not routes(ns, "up0"),
         f"{notes} {addrs(ns, 'up0')} {routes(ns, 'up0')}")
    wait_until(lambda: set(addrs(ns, "br0")) and
               any(r.startswith("default via fe80") for r in routes(ns, "br0")), 10,
               lambda: f"{routes(ns)} {addrs(ns, 'br0')}")
    lib.reaches(ns, "fd07::1")
    sw.delif("br0", "up0")
    l3.do("release")
    need(set(addrs(ns, "up0")) == a0, f"{addrs(ns, 'up0')} {a0}")
    need(any(r.startswith("default via fe80") for r in routes(ns, "up0")), routes(ns))


class Cell:
    """The switch's namespace with a /run, a D-Bus and managers of its own.

    BASCULE_TEST_ROOT=DIR: packages unpacked there (dpkg -x) are laid over /usr, for managers
    that are better not installed."""

    SETUP = """set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases \
    /run/systemd/netif/lldp /run/lock /run/NetworkManager
chown -R systemd-network: /run/systemd/netif || true
mount -o remount,bind,ro /sys
for d in bin sbin lib/x86_64-linux-gnu share/dbus-1; do
    [ -z "$ROOT" ] || [ ! -d $ROOT/usr/$d ] ||
        mount -t overlay overlay -o lowerdir=$ROOT/usr/$d:/usr/$d /usr/$d
done
for d in /etc/systemd/network /etc/NetworkManager /var/lib/NetworkManager; do
    [ ! -d $d ] || mount -t tmpfs tmpfs $d
done
echo ready
exec sleep 1000
"""

    def __init__(self, lab, root=os.environ.get("BASCULE_TEST_ROOT", "")):
        self.lab, self.ns = lab, lab.ns("sw")
        self.p = lab.spawn("unshare", "-m", "-u", "sh", "-c", self.SETUP, ns=self.ns,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           env=dict(os.environ, ROOT=root))
        if self.p.stdout.readline() != "ready\n":
            raise lib.Skip(f"no private /run here: {self.p.stderr.read().strip()}")
        self.enter = ["nsenter", "-m", "-u", "-n", "-t", str(self.p.pid)]
        lab.at_end(lambda: (self.p.stdout.close(), self.p.stderr.close()))

    def spawn(self, name, *cmd, **kw):
        with open(os.path.join(self.lab.dir, name + ".log"), "w") as f:
            return self.lab.spawn(*self.enter, *cmd, stdout=f, stderr=f, **kw)

    def log(self, name):
        with open(os.path.join(self.lab.dir, name + ".log")) as f:
            return f.read()[-3000:]

    def sh(self, *cmd, check=True):
        return sh(*self.enter, *cmd, check=check)

    def write(self, path, text):
        p = subprocess.run([*self.enter, "sh", "-c", f"umask 77; mkdir -p $(dirname {path}); "
                            f"cat > {path}; chmod ${{MODE:-644}} {path}"], input=text, text=True)
        need(p.returncode == 0, path)

    def read(self, path):
        return self.sh("cat", path, check=False).stdout

    def bus(self):
        if not shutil.which("dbus-daemon"):
            raise lib.Skip("dbus-daemon is not installed")
        self.spawn("dbus", "dbus-daemon", "--system", "--nofork", "--nopidfile")
        wait_until(lambda: self.sh("test", "-S", "/run/dbus/system_bus_socket",
                                   check=False).returncode == 0, 5, "D-Bus runs")

    def l3(self, owner="find"):
        return L3(self.lab, ns=None, owner=owner, prefix=self.enter)


MANAGED = """
addresses: [10.7.0.2/24, 'fd07::5/64']
routes:
- {to: default, via: 10.7.0.1}
- {to: 10.60.0.0/16, via: 10.7.0.1, metric: 7, mtu: 1300}
mtu: 1400
macaddress: '02:00:00:00:00:99'
link-local: [ipv6]
"""


def managed(lab, l3, sw, ns):
    """The same for both managers, which have given up0 10.7.0.2/24 and a default route."""
    a0, r0 = set(addrs(ns, "up0")), routes(ns, "up0")
    need("10.7.0.2/24" in a0 and any(r.startswith("default") for r in r0), f"{a0} {r0}")
    sh("ip", "-n", ns, "addr", "add", "10.7.0.44/24", "dev", "up0")  # comes along
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    notes = l3.do("apply", l3.file(MANAGED))
    need("from up0 to br0" in notes, notes)
    want = {"10.7.0.2/24", "10.7.0.44/24", "fd07::5/64"}
    need(set(addrs(ns, "br0")) == want, f"{addrs(ns, 'br0')}\n{notes}")
    r = "\n".join(routes(ns, "br0"))
    need("default via 10.7.0.1 dev br0" in r and "10.60.0.0/16 via 10.7.0.1" in r, r)
    need("mtu 1300" in r and "metric 7" in r, r)
    wait_until(lambda: not addrs(ns, "up0"), 5, lambda: addrs(ns, "up0"))
    link = json.loads(sh("ip", "-n", ns, "-j", "link", "show", "br0").stdout)[0]
    need(link["mtu"] == 1400 and link["address"] == "02:00:00:00:00:99", link)
    sw.wait_forwarding("up0")
    lib.reaches(ns, "10.99.0.1")
    ev = Events(lab, ns)
    l3.do("apply", l3.file(MANAGED))
    need(ev.about("br0") == [], ev.about("br0"))
    l3.do("apply", l3.file(MANAGED.replace("fd07::5/64", "fd07::6/64")))
    wait_until(lambda: set(addrs(ns, "br0")) == {x.replace("::5", "::6") for x in want}, 5,
               lambda: addrs(ns, "br0"))
    lib.reaches(ns, "10.99.0.1")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    # the file's own address is on br0 still; the manager gives it to up0 all the same
    wait_until(lambda: set(addrs(ns, "up0")) >= a0, 10, lambda: addrs(ns, "up0"))
    l3.do("release")
    wait_until(lambda: not addrs(ns, "br0"), 5, lambda: addrs(ns, "br0"))
    wait_until(lambda: any(x.startswith("default via 10.7.0.1 dev up0") for x in routes(ns)), 10,
               lambda: routes(ns))
    need(not os.listdir(l3.dir), os.listdir(l3.dir))


def fake(lab, path, text, mode=0o755):
    """A program laid over /usr; the directory to lay."""
    full = os.path.join(lab.dir, "fake", path.lstrip("/"))
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as f:
        f.write(text)
    os.chmod(full, mode)
    return os.path.join(lab.dir, "fake")


def test_resolvectl(lab):
    """What systemd-resolved is told.  A stand-in for it: it needs a user of its own."""
    sw, ns, out = world(lab, addresses=False)
    told = os.path.join(lab.dir, "told")
    cell = Cell(lab, fake(lab, "/usr/bin/resolvectl", '#!/bin/sh\nfor a; do echo "[$a]"; done |'
                          f' tr -d "\\n" >> {told}\necho >> {told}\n'))
    l3 = cell.l3("self")
    f = l3.file("nameservers: {addresses: [10.7.0.1, 'fd07::1'], search: [a.example, b.example]}")
    notes = l3.do("apply", f)
    need("nameservers 10.7.0.1 fd07::1, search a.example b.example not applied" in notes and
         "/etc/resolv.conf yourself" in notes, notes)
    # its name is what it is known by
    cell.spawn("resolved", sys.executable, "-c", "import ctypes, time\n"
               "ctypes.CDLL(None).prctl(15, b'systemd-resolve'); time.sleep(1000)")
    wait_until(lambda: running(ns, "systemd-resolve"), 5, "the stand-in runs")
    l3.do("apply", l3.file("nameservers: {addresses: [10.7.0.1]}"))
    l3.do("apply", l3.file("nameservers: {addresses: [10.7.0.1]}"))
    need(open(told).read() == "[dns][br0][10.7.0.1]\n[domain][br0][]\n", open(told).read())
    dnsmasq(lab, out, *DHCP4)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("nameservers: {addresses: [10.7.0.7], search: [a.example]}\n"
                           "dhcp4: true\ndhcp4-overrides: {use-domains: route}"))
    wait_until(lambda: "[dns][br0][10.7.0.7][10.7.0.1]\n[domain][br0][a.example][~lab.example]\n"
               in open(told).read(), 15, lambda: open(told).read())
    l3.do("release")
    need(open(told).read().endswith("[dns][br0][]\n[domain][br0][]\n"), open(told).read())


def test_dhcp4_by_dhcpcd(lab):
    """The same where udhcpc is not installed."""
    if not shutil.which("dhcpcd"):
        raise lib.Skip("dhcpcd is not installed")
    sw, ns, out = world(lab, addresses=False)
    cell = Cell(lab)
    for d in ("/bin", "/sbin", "/usr/bin", "/usr/sbin"):  # a file that is not executable
        if os.path.exists(d + "/udhcpc") and not os.path.islink(d):
            over = fake(lab, "/hide" + d + "/udhcpc", "", 0o644) + "/hide" + d
            cell.sh("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={over}:{d}", d)
    srv, log = dnsmasq(lab, out, *DHCP4)
    l3 = cell.l3("self")
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("dhcp4: true\ndhcp4-overrides: {route-metric: 444}"))
    wait_until(lambda: any("default via 10.7.0.1 dev br0" in r and "metric 444" in r
                           for r in routes(ns)), 20,
               lambda: f"{routes(ns)} {processes(ns)} {open(log).read()[-1500:]}")
    lib.reaches(ns, "10.99.0.1")
    l3.do("release")
    wait_until(lambda: not running(ns, "dhcpcd"), 5, lambda: processes(ns))
    need(not addrs(ns, "br0"), addrs(ns, "br0"))


def test_networkd(lab):
    if not os.path.exists("/lib/systemd/systemd-networkd"):
        raise lib.Skip("systemd-networkd is not installed")
    sw, ns, out = world(lab, addresses=False)
    cell = Cell(lab)
    cell.bus()
    cell.write("/run/systemd/network/10-netplan-up0.network",
               "[Match]\nName=up0\n[Network]\nAddress=10.7.0.2/24\nGateway=10.7.0.1\n")
    cell.spawn("networkd", "/lib/systemd/systemd-networkd")
    wait_until(lambda: routes(ns, "up0"), 10, lambda: f"networkd: {cell.log('networkd')}")
    l3 = cell.l3()
    need(l3.do("owner") == "networkd\n", "networkd is found")
    managed(lab, l3, sw, ns)
    need(cell.sh("ls", "/run/systemd/network").stdout.split() == ["10-netplan-up0.network"],
         "our files are gone")


def test_networkd_killed(lab):
    """We are killed: the files go, networkd has the uplink again."""
    if not os.path.exists("/lib/systemd/systemd-networkd"):
        raise lib.Skip("systemd-networkd is not installed")
    sw, ns, out = world(lab, addresses=False)
    cell = Cell(lab)
    cell.bus()
    cell.write("/run/systemd/network/10-netplan-up0.network",
               "[Match]\nName=up0\n[Network]\nAddress=10.7.0.2/24\nGateway=10.7.0.1\n")
    cell.spawn("networkd", "/lib/systemd/systemd-networkd")
    wait_until(lambda: routes(ns, "up0"), 10, lambda: f"networkd: {cell.log('networkd')}")
    l3 = cell.l3()
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file(MANAGED))
    need("05-bascule-up0.network" in cell.sh("ls", "/run/systemd/network").stdout, "told")
    kill(lab, sw, l3)
    wait_until(lambda: cell.sh("ls", "/run/systemd/network").stdout.split() ==
               ["10-netplan-up0.network"], 10, lambda: os.listdir(l3.dir))
    wait_until(lambda: routes(ns, "up0"), 10, lambda: routes(ns))

    def pings():  # no route while networkd makes it anew
        return sh("ping", "-nqc1", "-W1", "10.99.0.1", ns=ns, check=False).returncode == 0
    wait_until(pings, 10, "the way out")


def test_networkd_has_a_kernel_bridge(lab):
    if not os.path.exists("/lib/systemd/systemd-networkd"):
        raise lib.Skip("systemd-networkd is not installed")
    lab.ns("sw")
    cell = Cell(lab)
    cell.bus()
    cell.spawn("networkd", "/lib/systemd/systemd-networkd")
    # it has read its files
    wait_until(lambda: cell.sh("networkctl", "reload", check=False).returncode == 0, 10,
               "networkd runs")
    l3 = cell.l3()
    l3.do("check")
    cell.write("/run/systemd/network/10-netplan-br0.netdev",
               "# netplan\n[NetDev]\nName=br0\nKind=bridge\n")
    _, err = l3.ask("check")
    need(err and "10-netplan-br0.netdev" in err, err)
    cell.sh("rm", "/run/systemd/network/10-netplan-br0.netdev")
    l3.do("check")
    sh("ip", "-n", lab.ns("sw"), "link", "add", "br0", "type", "bridge")
    _, err = l3.ask("check")
    need(err and "bridge of the kernel" in err and "ip link delete dev br0" in err, err)


NM_CONF = "[main]\nplugins=keyfile\ndns=none\nno-auto-default=*\n"
NM_UP0 = """[connection]
id=up0
type=ethernet
interface-name=up0
[ipv4]
method=manual
address1=10.7.0.2/24,10.7.0.1
[ipv6]
method=disabled
"""


def test_networkmanager(lab):
    sw, ns, out = world(lab, addresses=False)
    cell = Cell(lab)
    if cell.sh("test", "-x", "/usr/sbin/NetworkManager", check=False).returncode:
        raise lib.Skip("NetworkManager is not installed (see class Cell)")
    cell.bus()
    cell.write("/run/nm/NetworkManager.conf", NM_CONF)
    cell.write("/run/NetworkManager/system-connections/up0.nmconnection", NM_UP0)
    cell.sh("chmod", "600", "/run/NetworkManager/system-connections/up0.nmconnection")
    cell.spawn("nm", "/usr/sbin/NetworkManager", "--no-daemon", "--config",
               "/run/nm/NetworkManager.conf", "--state-file", "/run/nm/state")
    wait_until(lambda: routes(ns, "up0"), 10, lambda: f"NetworkManager: {cell.log('nm')}")
    l3 = cell.l3()
    need(l3.do("owner") == "NetworkManager\n", "NetworkManager is found")
    try:
        managed(lab, l3, sw, ns)
    except lib.Failed:
        print(cell.log("nm"))
        raise
    left = cell.sh("sh", "-c", "cd /run/NetworkManager; ls system-connections conf.d").stdout
    need("bascule" not in left, f"our files are gone: {left}")


if __name__ == "__main__":
    lib.main()
