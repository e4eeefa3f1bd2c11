# SPDX-License-Identifier: BSD-2-Clause
"""Layer 3 of a bridge's interface without the daemon's configuration: l3tool asks for it line by
line, beside a switch whose uplink has addresses and routes of its own."""
import json
import os
import shutil
import signal
import subprocess

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
        lines = "".join(f"      {x}\n" for x in body.strip("\n").split("\n"))
        return self.lab.write(name, FILE.format(lines))


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


def kill(lab, sw, l3):
    """The daemon, which here is two processes."""
    sw.proc.send_signal(signal.SIGKILL)
    sw.proc.wait(5)
    l3.p.kill()
    l3.p.wait(5)
    sw.proc = None


def no_promotion(lab):
    """The kernel's default, whatever this machine has: secondaries go with their primary."""
    for who in ("all", "default", "br0", "up0"):
        lab.sysctl("sw", f"net.ipv4.conf.{who}.promote_secondaries", 0)


DHCP4 = ("--dhcp-range=10.7.0.100,10.7.0.150,255.255.255.0,1h", "--dhcp-option=3,10.7.0.1",
         "--dhcp-option=26,1400", "--dhcp-option=6,10.7.0.1", "--dhcp-option=15,lab.example")


def has_lease(ns, dev="br0"):
    return any(a.startswith("10.7.0.1") for a in addrs(ns, dev))


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


def fake(lab, path, text, mode=0o755):
    """A program laid over /usr; the directory to lay."""
    full = os.path.join(lab.dir, "fake", path.lstrip("/"))
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as f:
        f.write(text)
    os.chmod(full, mode)
    return os.path.join(lab.dir, "fake")
