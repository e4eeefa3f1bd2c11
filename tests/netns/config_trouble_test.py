#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Configurations in the hands of people who do other things meanwhile, and of
people who may not do everything."""

import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib
from config_test import World, bridge
from lib import need, reaches, sh, wait_until

UID = 65533
NOTHING = "network: {version: 2}\n"


def with_address(lab, dev="ens33", address="192.168.7.9/24"):
    w = World(lab)
    sh("ip", "-n", w.ns, "addr", "add", address, "dev", dev)
    return w


def renderer(text, name):
    return text.replace("    br0:\n", f"    br0:\n      renderer: {name}\n")


def test_a_member_names_no_sockets(lab):
    """As with addif: the group's members have no files made by the daemon."""
    w = World(lab, start=False)
    os.chmod(lab.dir, 0o755)
    w.sw.start("--group", str(UID))
    shutil.copy(os.path.join(lib.BUILD, "bascule"), lab.dir)
    member = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups",
              os.path.join(lab.dir, "bascule"), "-S", w.sw.sock, "apply", w.file]
    text = "bascule: {bridges: {br0: {local: false, ports: ['%s']}}}\n"
    path = os.path.join(lab.dir, "s")
    for spec in (f"stream:{path},listen=on", f"dgram:{path},remote={path}2"):
        w.write(text % spec)
        for more in ([], ["--dry-run"]):
            r = sh(*member, *more, ns=w.ns, check=False)
            need(r.returncode == 1 and "only root and the daemon's user" in r.stderr
                 and "lab.yaml:1:" in r.stderr, f"{spec}: {r}")
    need(w.bridges() == [] and not os.path.exists(path), "something was made")
    w.write(text % "stream:127.0.0.1:4000,listen=on")
    sh(*member, ns=w.ns)
    need(list(w.ports()) == ["stream0"], str(w.ports()))


def test_names_of_files_are_said_in_one_line(lab):
    w = World(lab)
    answer = str(w.sw.rpc("apply", {"files": [{"name": "a\nbasculed: error: \x1b[31mno",
                                               "text": "x"}]}))
    need("control characters" in answer and "31m" not in answer, answer)


def test_an_invalid_port_disturbs_none(lab):
    """No such kind, no such key: said before anything is removed."""
    w = World(lab)
    text = "bascule: {bridges: {br0: {local: false, ports: ['%s']}}}\n"
    w.apply(text % "mem:a")
    w.sw.cli("mem", "inject", "a", "ffffffffffff02000000000188b5" + "00" * 50, "3")
    for spec, word in (("bogus:x", "no port kind 'bogus'"), ("mem:b,foo=1", "no key 'foo'"),
                       ("packet:ens33,qdisc=1", "no key 'qdisc'")):
        for more in ((), ("--dry-run",)):
            r = w.sw.cli("apply", w.write(text % spec), *more, check=False)
            need(r.returncode == 1 and word in r.stderr and "lab.yaml:1:" in r.stderr, str(r))
    need(w.ports()["a"]["rx_frames"] == 3, "the port that runs was made anew")


def test_a_tap_that_is_used(lab):
    """Nobody is told to delete a tap that a machine has open."""
    w = World(lab)
    path = os.path.join(lab.dir, "tap.yaml")
    with open(path, "w") as f:
        f.write("bascule: {bridges: {own: {ports: ['tap:used']}}}\n")
    guest = os.path.join(lab.dir, "guest.yaml")
    with open(guest, "w") as f:
        f.write("bascule: {bridges: {own: {}}, guests: {used: {nets: [own]}}}\n")
    sh("ip", "-n", w.ns, "tuntap", "add", "used", "mode", "tap", "vnet_hdr")
    elsewhere = lib.Vm(lab.ns("other"), "used")
    lab.at_end(elsewhere.close)
    hint = "interface used exists already: delete it (ip link del dev used) or "
    for p, end in (path, "take it over as packet:used"), (guest, "give the guest another name"):
        r = w.sw.cli("apply", p, check=False)
        need(hint + end in r.stderr, r.stderr)
    vm = lib.Vm(w.ns, "used")
    lab.at_end(vm.close)
    with open("/proc/self/comm") as f:
        used = (f"interface used exists already, and process {os.getpid()} ({f.read().strip()}) "
                "has it open: ")
    for p, end in (path, "take it over as packet:used"), (guest, "give the guest another name"):
        r = w.sw.cli("apply", p, check=False)
        need(used + end in r.stderr and "ip link del" not in r.stderr, r.stderr)
    need(not w.sw.json("bridge", "show"), "a bridge is left")
    w.sw.bridge("br9")
    r = w.sw.cli("addif", "br9", "tap:used", check=False)
    need(used + "take it over as packet:used" in r.stderr, r.stderr)


def test_bridge_in_the_way(lab):
    """A bridge of the kernel's is adopted; a port it cannot be."""
    w = World(lab)
    sh("ip", "-n", w.ns, "link", "add", "kb1", "type", "bridge")
    there = "interface kb1 exists already, a bridge of the kernel's: "
    adopt = there + ("take it over (bascule adopt kb1; in a file, adopt: yes) or give the bridge "
                     "another name")

    def says(words, r):
        need(r.returncode == 1 and words in r.stderr and "packet:" not in r.stderr and
             "link del" not in r.stderr, r.stderr)

    def apply(text):
        path = os.path.join(lab.dir, "way.yaml")
        with open(path, "w") as f:
            f.write(text)
        return w.sw.cli("apply", path, check=False)
    says(adopt, w.sw.cli("addbr", "kb1", check=False))
    r = apply("bascule: {bridges: {kb1: {}}}\n")
    need("way.yaml:1:21: kb1 is a bridge of the kernel: take it over (adopt: yes), or " in r.stderr,
         r.stderr)
    says(there + "give the port another name",
         apply("bascule: {bridges: {own: {ports: ['tap:kb1']}}}\n"))
    says(there + "give the guest another name",
         apply("bascule: {bridges: {own: {}}, guests: {kb1: {nets: [own]}}}\n"))
    sh("ip", "-n", w.ns, "tuntap", "add", "kb2", "mode", "tap")
    r = w.sw.cli("addbr", "kb2", check=False)
    need("interface kb2 exists already: delete it (ip link del dev kb2) or give the bridge another "
         "name" in r.stderr, r.stderr)
    need(not w.sw.json("bridge", "show"), "a bridge is left")
    w.sw.cli("adopt", "kb1")
    w.sw.cli("adopt", "--undo", "kb1", check=False)


def test_names_that_cannot_be_typed(lab):
    """The kernel takes escapes into names of devices; people's terminals do not get them."""
    w = World(lab)
    sh("ip", "-n", w.ns, "link", "add", "e\x1b[31mx", "type", "veth", "peer", "name", "y")
    err = w.refused("""\
network:
  ethernets: {all: {match: {name: "e*x"}}}
  bridges: {br0: {interfaces: [all], dhcp4: no, parameters: {stp: false}}}
""", "lab.yaml:3:", "has control characters")
    need("\x1b" not in err and w.bridges() == [], repr(err))


def test_a_prepared_directory_is_refused(lab):
    """What is found beside the socket is obeyed at the start."""
    w = World(lab, start=False)
    state = os.path.join(lab.dir, "ctl.state")
    need(w.sw.sock == os.path.join(lab.dir, "ctl.sock"), w.sw.sock)

    def refused(what):
        w.sw.start(wait=False)
        need(w.sw.proc.wait(10) == 1, f"{what} was taken")
        w.sw.proc = None
        need("ctl.state is not a directory that only this user" in w.sw.log_tail(3),
             w.sw.log_tail())

    os.mkdir(state)
    os.chown(state, UID, UID)
    refused("somebody else's directory")
    os.chown(state, 0, 0)
    os.chmod(state, 0o777)
    refused("a directory open to all")
    os.rmdir(state)
    os.symlink("/run", state)
    refused("a symbolic link")
    os.unlink(state)
    w.sw.start()


def test_made_by_hand_before_the_time_is_up(lab):
    """What is taken back is what the file made, not what came in its place."""
    w = with_address(lab)
    w.apply(bridge(["ens33"], ", ageing-time: 60"), "--confirm", "60")
    sh("ip", "-n", w.ns, "link", "set", "br0", "down")
    w.sw.cli("delbr", "br0")
    need(w.addresses("ens33") == ["192.168.7.9/24"], "the uplink has not its address")
    w.sw.cli("addbr", "br0")
    w.sw.cli("addif", "br0", "ens33")
    w.sw.cli("setageing", "br0", "44")
    w.sw.cli("confirm", "--revert")
    need(w.bridges() == ["br0"] and list(w.ports()) == ["ens33"], "made by hand, and gone")
    need(w.sw.json("bridge", "show", "br0")[0]["ageing_time"] == 4400, "the ageing time")
    need("UP" in sh("ip", "-n", w.ns, "-o", "link", "show", "ens33").stdout, "ens33 is down")


def test_not_all_can_be_taken_back(lab):
    """A device that is another bridge's by now keeps its address, and it is said."""
    w = with_address(lab)
    lab.veth("eth1", lab.ns("b"))
    w.apply(bridge(["ens33", "eth1"]))
    w.apply(NOTHING, "--confirm", "60")
    w.sw.cli("addbr", "brx")
    w.sw.cli("addif", "brx", "ens33")
    r = w.sw.cli("confirm", "--revert", check=False)
    need(r.returncode == 1 and "not all of it is taken back: ens33 is a port of bridge brx"
         in r.stderr, str(r))
    need(w.addresses("ens33") == ["192.168.7.9/24"] and w.addresses("br0") == [],
         "taken from another bridge's port")
    need(list(w.ports()) == ["eth1"], "what could be taken back was not")


def test_another_renderer(lab):
    """Layer 3 of the bridge begins anew: ports come along if they stay."""
    w = with_address(lab)
    lab.veth("eth1", lab.ns("b"))
    sh("ip", "-n", w.ns, "addr", "add", "192.168.8.9/24", "dev", "eth1")
    w.apply(bridge(["ens33", "eth1"]))
    one = renderer(bridge(["ens33"]), "networkd")
    w.apply(one)
    need(w.addresses("eth1") == ["192.168.8.9/24"], "a port that left has not its address")
    need(w.addresses("br0") == ["192.168.7.9/24"], str(w.addresses("br0")))
    # a port that was removed while the change waits stays as it is
    w.apply(bridge(["ens33"]), "--confirm", "60")
    w.sw.cli("delif", "br0", "ens33")
    need(w.addresses("ens33") == ["192.168.7.9/24"], "not returned by delif")
    w.sw.cli("confirm", "--revert")
    need(w.addresses("ens33") == ["192.168.7.9/24"] and w.addresses("br0") == [],
         "taken from a device that is no port")
    w.apply(one)
    w.apply(bridge(["ens33"]), "--confirm", "60")
    w.sw.cli("confirm", "--revert")
    need(w.addresses("br0") == ["192.168.7.9/24"], "lost by taking back")
    w.apply(NOTHING)
    need(w.addresses("ens33") == ["192.168.7.9/24"], "lost in the end")


def test_an_uplink_with_another_name(lab):
    """It runs on, and what was its comes back to it under any name."""
    w = with_address(lab)
    w.apply(bridge(["ens33"]))
    for word in ("down", "name", "up"):
        sh("ip", "-n", w.ns, "link", "set", "ens33" if word != "up" else "lan0", word,
           *(["lan0"] if word == "name" else []))
    need(w.apply(bridge(["ens33"])) == [], "not the same port")
    reaches(w.out, "192.168.7.9")
    w.apply(NOTHING)
    need(w.addresses("lan0") == ["192.168.7.9/24"], "lost with the name")


def test_a_lease_is_mended(lab):
    """A second apply makes good what somebody took of a lease."""
    w = World(lab)
    lib.dhcp_server(lab, w.out, "eth0", "--dhcp-option=3,192.168.7.254", net="192.168.7")
    text = bridge(["ens33"]).replace("dhcp4: no", "dhcp4: true")
    w.apply(text)
    gateway = "default via 192.168.7.254 dev br0 proto dhcp"

    def leased():
        return w.addresses("br0") and gateway in sh("ip", "-n", w.ns, "route").stdout

    wait_until(leased, 15, "a lease")
    need(w.apply(text) == [], "applied again, it changed something")
    for word in ("down", "up"):
        sh("ip", "-n", w.ns, "link", "set", "br0", word)
    need(not leased(), "the gateway survived: nothing is shown here")
    plan = w.apply(text, "--dry-run")
    need(plan == ["br0: route default via 192.168.7.254 metric 100"], str(plan))
    need(w.apply(text) == plan and leased(), "the gateway is not back")
    sh("ip", "-n", w.ns, "addr", "flush", "dev", "br0")
    w.apply(text)
    wait_until(leased, 15, "asked again")


def test_a_recording_goes_on(lab):
    """Taken back, the removal of a recording port costs no frame of before."""
    w = World(lab)
    path = os.path.join(lab.dir, "r.pcap")
    text = "bascule: {bridges: {br0: {local: false, ports: [%s'mem:m']}}}\n"
    w.apply(text % f"'pcapfile:{path},mode=record', ")

    def record(n):
        w.sw.cli("mem", "inject", "m", "ffffffffffff02000000000188b5" + "00" * 50, n)

    def frames(n):
        size = 24 + n * (16 + 64)
        wait_until(lambda: os.path.getsize(path) == size, 5,
                   lambda: f"{n} frames in {os.path.getsize(path)} octets")

    record(20)
    frames(20)
    w.apply(text % "", "--confirm", "60")
    record(3)
    w.sw.cli("confirm", "--revert")
    need("pcapfile0" in w.ports(), f"it is not back: {w.sw.log_tail()}")
    record(5)
    frames(25)
    with open(path, "rb") as f:
        need(f.read(4) == b"\x4d\x3c\xb2\xa1", "the file's header")
    need(w.apply(text % f"'pcapfile:{path},mode=record', ") == [], "not as before")


def test_a_match_that_comes_late(lab):
    """At boot, interfaces come later than the daemon."""
    w = World(lab, start=False)
    text = """\
network:
  version: 2
  ethernets:
    ens33: {}
    mac: {match: {macaddress: "02:07:00:00:00:77"}}
    name: {match: {name: "late*"}}
  bridges:
    br0: {interfaces: [ens33, mac, name], dhcp4: no, parameters: {stp: false}}
"""
    w.sw.start("--config", w.write(text))
    for i in ("mac", "name"):
        wait_until(lambda i=i: f"br0: {i} waits for an interface" in w.sw.log_tail(), 5,
                   w.sw.log_tail)
    ip = ("ip", "-n", w.ns)
    sh(*ip, "link", "add", "x0", "type", "veth", "peer", "name", "x1")
    sh(*ip, "link", "set", "x1", "address", "02:07:00:00:00:77")
    wait_until(lambda: sorted(w.ports()) == ["ens33", "x1"], 5, lambda: f"x1: {list(w.ports())}")
    sh(*ip, "link", "set", "x0", "name", "late0")
    wait_until(lambda: sorted(w.ports()) == ["ens33", "late0", "x1"], 5, "late0 joins")
    need(w.apply(text) == [], "the file differs from what runs")
    # another file counts from now on
    sh(*ip, "link", "del", "late0")
    w.apply(bridge(["ens33"]))
    sh(*ip, "link", "add", "late1", "type", "veth", "peer", "name", "x1")
    w.sw.cli("ping")
    need(list(w.ports()) == ["ens33"], str(list(w.ports())))


if __name__ == "__main__":
    lib.main()
