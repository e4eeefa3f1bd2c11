#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The units of packaging/ under systemd itself: what begins, what comes back after a
restart and a crash, what goes on meanwhile, what a user is told."""
import json
import shutil

import l3lib
import lib
from lib import need, sh, wait_until
from systemdlib import Machine

UNIT_DIR = "/usr/local/lib/systemd/system"
CONF = "/etc/bascule/lab.yaml"
FILE = """
network:
  bridges:
    br0: {interfaces: [up0], addresses: [10.9.0.1/24], parameters: {stp: no}}
"""
GUEST = """
bascule:
  guests:
    fg: {memory: 32, nets: [br0], qemu-args: ["-S"]}
"""
# Network is configured after network-pre.target: what is there then?
LATER = """[Unit]
DefaultDependencies=no
After=network-pre.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ip -4 addr show br0 >/run/later 2>&1'
"""


def need_qemu():
    if not shutil.which("qemu-system-x86_64"):
        raise lib.Skip("qemu-system-x86_64 is not installed")


class Uplink:
    """up0, the machine's way out to the namespace `out`, with addresses and routes."""

    def __init__(self, lab):
        self.ns, self.out = lab.ns("sw"), lab.ns("out")
        lab.veth("up0", self.out)
        for args in (("-n", self.out, "addr", "add", "10.7.0.1/24", "dev", "eth0"),
                     ("-n", self.out, "link", "set", "eth0", "up"),
                     ("-n", self.ns, "addr", "add", "10.7.0.2/24", "dev", "up0"),
                     ("-n", self.ns, "addr", "add", "fd07::2/64", "dev", "up0", "nodad"),
                     ("-n", self.ns, "route", "add", "default", "via", "10.7.0.1")):
            sh("ip", *args)
        self.before = self.state()

    def state(self):
        link, = json.loads(sh("ip", "-n", self.ns, "-d", "-j", "link", "show", "up0").stdout)
        link = {k: link.get(k) for k in ("flags", "mtu", "address", "promiscuity", "allmulti",
                                         "master", "qdisc", "txqlen", "inet6_addr_gen_mode")}
        return {"addresses": l3lib.seen(self.ns, "up0"), "routes": l3lib.routes(self.ns, "up0"),
                "link": link, "offload": sh("ethtool", "-k", "up0", ns=self.ns).stdout}

    def differs(self):
        now = self.state()
        return {k: (v, now[k]) for k, v in self.before.items() if now[k] != v}

    def is_free(self, why):
        """It is as it was, and the host's stack hears it."""
        wait_until(lambda: not self.differs(), 5, lambda: f"{why}: {self.differs()}")
        try:
            lib.reaches(self.out, "10.7.0.2")
        except lib.Failed as e:
            raise lib.Failed(f"{why}: {e}")

    def is_port(self, m):
        """Its addresses are br0's, where the file's is as well, and work there."""
        wait_until(lambda: forwards(m, "up0"), 10, lambda: f"up0 is back: {m.log()}")
        at = l3lib.addrs(self.ns, "br0")
        need({"10.7.0.2/24", "10.9.0.1/24", "fd07::2/64"} <= set(at), f"br0 has {at}")
        need(not l3lib.addrs(self.ns, "up0"), "up0 has kept its addresses")
        lib.reaches(self.out, "10.7.0.2")


def forwards(m, port):
    return any(p["name"] == port and p["state"] == "forwarding" and not p.get("failed")
               for p in m.json("port", "show", "br0"))


def guests(m):
    """{name: (state, pid)}"""
    shown = [m.json("guest", "show", g["name"]) for g in m.json("guest", "list")]
    return {g["name"]: (g["state"], g.get("pid")) for g in shown}


def machine(lab, text=FILE, later=None):
    m = Machine(lab)
    m.file(CONF, text)
    m.file("/etc/default/basculed", f"BASCULED_OPTIONS=--config {CONF}\n")
    if later:
        m.file("/etc/systemd/system/later.service", later)
    m.boot("systemd-journald.service", "basculed.service", *["later.service"] if later else [])
    return m


def is_another(m, pid, unit="basculed", limit=15):
    """Waits until systemd has started it again; the new pid."""
    wait_until(lambda: m.is_active(unit) == "active" and m.main_pid(unit) not in (0, pid), limit,
               lambda: f"{unit} is back: {m.log(unit)}")
    return m.main_pid(unit)


def test_units(lab):
    """Nothing in them is misspelt or unknown, and they can be enabled."""
    m = machine(lab)
    for unit in "basculed.service", "bascule-libvirt-leases@.service":
        r = m.sh("systemd-analyze", "verify", f"{UNIT_DIR}/{unit}")
        need(r.stdout + r.stderr == "", f"{unit}: {r.stdout}{r.stderr}")
    r = m.ctl("enable", "basculed", "bascule-libvirt-leases@br0")
    for unit in "basculed", "bascule-libvirt-leases@br0":
        need(m.ctl("is-enabled", unit).stdout == "enabled\n", f"{unit}: {r}")
    # guests are in its cgroup
    need(m.prop("basculed", "OOMPolicy") == "continue", "a guest without memory ends the daemon")
    need(m.prop("basculed", "TasksMax") == "infinity", "guests' threads are counted")


def test_begins(lab):
    """It is there before the network is configured, at its usual socket."""
    up = Uplink(lab)
    m = machine(lab, later=LATER)
    need(m.is_active("basculed") == "active", m.log())
    later = m.sh("cat", "/run/later").stdout
    need("10.9.0.1/24" in later and "10.7.0.2/24" in later,
         f"when the network was configured there was {later}")
    up.is_port(m)
    need("br0" in m.cli("show").stdout, m.cli("show").stdout)
    need("<6>" not in m.log() and "the configuration: add bridge br0" in m.log(), m.log())
    m.ctl("stop", "basculed")
    need(m.is_active("basculed") == "inactive", m.ctl("status", "basculed", check=False).stdout)
    need(m.prop("basculed", "Result") == "success", m.log())
    up.is_free("after stop")


def test_guests(lab):
    """Guests and their ports outlive restart, crash and stop of the daemon."""
    need_qemu()
    up = Uplink(lab)
    m = machine(lab, FILE + GUEST)
    m.cli("guest", "define", "hg", "--memory", "32", "--net", "br0", "--qemu-arg", "-S")
    m.cli("guest", "start", "hg")
    before = guests(m)
    need({s for s, _ in before.values()} == {"prelaunch"} and set(before) == {"fg", "hg"}, before)

    def go_on(why):
        for g in before:
            wait_until(lambda: forwards(m, g), 10, lambda: f"{why}: port {g}: {m.log()}")
        need(guests(m) == before, f"{why}: {before} have become {guests(m)}")
        up.is_port(m)

    pid = m.main_pid()
    m.ctl("restart", "basculed")
    pid = is_another(m, pid)
    go_on("restart")
    m.ctl("kill", "--kill-whom=main", "-s", "KILL", "basculed")
    pid = is_another(m, pid)
    need(m.prop("basculed", "NRestarts") == "1", m.log())
    go_on("crash")
    m.ctl("stop", "basculed")
    need(m.prop("basculed", "Result") == "success", m.log())
    up.is_free("stop")
    for name, (_, qemu) in before.items():
        need("qemu" in m.sh("cat", f"/proc/{qemu}/comm").stdout, f"{name} has ended")
    m.ctl("start", "basculed")
    go_on("start")

    # kill without --kill-whom is for all of them
    pid = m.main_pid()
    m.ctl("kill", "-s", "KILL", "basculed")
    is_another(m, pid)
    wait_until(lambda: forwards(m, "fg"), 10, lambda: f"fg is back: {m.log()}")
    now = guests(m)
    need(now["fg"][0] == "prelaunch" and now["fg"][1] != before["fg"][1], f"{now}")
    need(now["hg"][0] == "stopped", f"{now}")
    up.is_port(m)
    m.ctl("stop", "basculed")
    up.is_free("after all were killed")


def test_guest_leaves(lab):
    """Its power button has longer than systemd waits for a daemon to begin."""
    need_qemu()
    m = machine(lab, "bascule:\n  bridges: {br0: {}}\n  guests:\n"
                     "    fg: {memory: 32, stop-timeout: 6}\n")
    m.write(CONF, "bascule: {bridges: {br0: {}}}\n")
    m.drop_in("TimeoutStartSec=3")
    m.ctl("restart", "basculed")
    need(m.prop("basculed", "NRestarts") == "0", m.log())
    need("ignored its power button for 6 s" in m.log(), m.log())


def test_guard(lab):
    """The daemon is killed and does not come back: its guard gives the uplink back."""
    up = Uplink(lab)
    m = machine(lab)
    up.is_port(m)
    m.drop_in("Restart=no")
    m.ctl("kill", "--kill-whom=main", "-s", "KILL", "basculed")
    wait_until(lambda: m.is_active("basculed") == "failed", 5, m.log)
    up.is_free("after the crash")
    wait_until(lambda: not m.prop("basculed", "ControlGroup") or not m.sh(
        "sh", "-c", "cat /sys/fs/cgroup/system.slice/basculed.service/cgroup.procs",
        check=False).stdout, 5, "the guard has ended")
    m.ctl("start", "basculed")
    up.is_port(m)


def test_bad_file(lab):
    """The start fails for good, and says why where one looks."""
    m = machine(lab, "network:\n  bridges:\n    br0: {interfaces: up0}\n")
    for again in range(2):
        need(m.is_active("basculed") == "failed", m.log())
        status = m.ctl("status", "basculed", check=False).stdout
        why = [x for x in status.splitlines() if f"{CONF}:3" in x]
        need(len(why) == 1, f"not one sentence: {status}")
        need(m.prop("basculed", "NRestarts") == "0", f"it tries again and again: {status}")
        errors = m.sh("journalctl", "--no-pager", "-p", "err", "-u", "basculed").stdout
        need(errors.count(f"{CONF}:3") == again + 1, f"not marked as errors: {errors}")
        r = m.ctl("start", "basculed", check=False)
        need(r.returncode == 1 and "journalctl" in r.stderr, f"{r}")
        if again:
            break
    print("     " + why[0])
    m.write(CONF, "bascule: {bridges: {br0: {addresses: [10.9.0.1/24]}}}\n")
    m.ctl("start", "basculed")
    need("10.9.0.1/24" in l3lib.addrs(m.ns, "br0"), m.log())


LEASES = "bascule-libvirt-leases@br0"
STATUS = "/var/lib/libvirt/dnsmasq/br0.status"
A = "52:54:00:00:00:0a"


def leases(m):
    """(address, MAC) in the file; None: there is none."""
    r = m.sh("cat", STATUS, check=False)
    return None if r.returncode else [(e["ip-address"], e["mac-address"])
                                      for e in json.loads(r.stdout)]


def shows(m, want, why, limit=10):
    wait_until(lambda: leases(m) == want, limit,
               lambda: f"{why}: {leases(m)} {m.log(LEASES)}{m.ctl('status', LEASES, check=False)}")


def test_leases(lab):
    """Its sandbox lets it do its work; it comes back, unless that is of no use."""
    m = machine(lab, "bascule: {bridges: {br0: {}}}\n")
    sh("ip", "-n", m.ns, "link", "set", "br0", "up")
    vm = lib.Vm(m.ns, "vm1")
    lab.at_end(vm.close)

    def attach():
        m.cli("addif", "br0", "vm1")
        m.cli("wait-forwarding", "vm1")
        lib.arp(vm, "10.0.0.9", A)
    attach()
    m.ctl("start", LEASES)
    wait_until(lambda: "libvirt is not installed" in m.log(LEASES), 5, lambda: m.log(LEASES))
    m.sh("mkdir", "/var/lib/libvirt")  # it is, by now
    shows(m, [("10.0.0.9", A)], "libvirt was installed")
    need(m.is_active(LEASES) == "active", m.log(LEASES))
    pid = m.main_pid(LEASES)
    m.ctl("restart", "basculed")
    shows(m, [], "the next daemon knows nothing")
    attach()
    shows(m, [("10.0.0.9", A)], "the next daemon has heard of it")
    need(m.main_pid(LEASES) == pid, m.log(LEASES))

    m.ctl("kill", "-s", "KILL", LEASES)
    is_another(m, pid, LEASES)
    lib.arp(vm, "10.0.0.10", A)  # the file is there, of the one before
    shows(m, [("10.0.0.9", A), ("10.0.0.10", A)], "after kill")
    m.ctl("stop", LEASES)
    need(m.prop(LEASES, "Result") == "success" and leases(m) is None, m.log(LEASES))

    m.write(STATUS, "[{}]")
    m.ctl("start", LEASES)
    wait_until(lambda: m.is_active(LEASES) == "failed", 5, lambda: m.log(LEASES))
    need(m.prop(LEASES, "ExecMainStatus") == "2" and m.prop(LEASES, "NRestarts") == "0",
         m.log(LEASES))
    need(f"{STATUS} is somebody else's" in m.ctl("status", LEASES, check=False).stdout,
         m.log(LEASES))
    need(m.sh("cat", STATUS).stdout == "[{}]", "it was changed")


lib.main(at_once=3)
