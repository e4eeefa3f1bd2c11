#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bridges, ports and addresses from files: applied as a difference, taken back
when something fails or nobody confirms, shown as a file again.

Each test's switch lives in a namespace with the interface ens33, behind which
is a host with the address 192.168.7.254."""

import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib
from lib import need, reaches, sh, wait_until

LAB = """\
network:
  version: 2
  renderer: networkd
  ethernets:
    ens33:
      dhcp4: no
  bridges:
    br0:
      interfaces: [ens33]
      addresses: [192.168.7.1/24]
      routes:
        - to: 0.0.0.0/0
          via: 192.168.7.254
          on-link: true
      nameservers:
        addresses: [192.168.7.254]
      parameters:
        stp: false
      dhcp4-overrides:
        use-dns: false
"""


class World:
    def __init__(self, lab, start=True):
        if lib.KERNEL:
            raise lib.Skip("the kernel's bridge has no configuration of ours")
        self.lab = lab
        self.ns, self.out = lab.ns("sw"), lab.ns("out")
        self.host("ens33", self.out, "192.168.7.254/24")
        # the lowest address: br0 keeps it, and hosts that know it stay right
        sh("ip", "-n", self.ns, "link", "set", "ens33", "address", "02:00:00:00:00:33")
        self.sw = lab.switch(bridge=None) if start else lib.Bascule(lab)
        lab.sw = self.sw
        self.file = os.path.join(lab.dir, "lab.yaml")

    def host(self, dev, ns, address):
        self.lab.veth(dev, ns)
        sh("ip", "-n", ns, "addr", "add", address, "dev", "eth0")
        sh("ip", "-n", ns, "link", "set", "eth0", "up")

    def write(self, text, path=None):
        with open(path or self.file, "w") as f:
            f.write(text)
        return path or self.file

    def apply(self, text, *args, check=True):
        """The lines of the plan; with check=False the finished process."""
        r = self.sw.cli("apply", self.write(text), *args, check=check)
        return r.stdout.splitlines() if check else r

    def refused(self, text, *words):
        r = self.apply(text, check=False)
        need(r.returncode == 1, f"was taken: {r.stdout}{r.stderr}")
        for w in words:
            need(w in r.stderr, f"{w!r} is not in: {r.stderr}")
        return r.stderr

    def ports(self, br="br0"):
        return {p["name"]: p for p in self.sw.json("port", "show", br) if p["no"]}

    def bridges(self):
        return [b["name"] for b in self.sw.json("bridge", "show")]

    def addresses(self, dev):
        r = sh("ip", "-n", self.ns, "-4", "-o", "addr", "show", "dev", dev, check=False)
        return [w.split()[3] for w in r.stdout.splitlines()]

    def dump(self):
        """All that an apply may change."""
        ip = sh("ip", "-n", self.ns, "-4", "-o", "addr").stdout
        routes = sh("ip", "-n", self.ns, "route").stdout
        params = [(b["name"], b["ageing_time"], b["priority"], b["mtu"])
                  for b in self.sw.json("bridge", "show")]
        return (params, [sorted(self.ports(b)) for b in self.bridges()],
                sorted(x.split("\\")[0] for x in ip.splitlines()), routes)


def bridge(ports, extra="", name="br0"):
    return (f"network:\n  version: 2\n  ethernets:\n"
            + "".join(f"    {p}: {{}}\n" for p in ports)
            + f"  bridges:\n    {name}:\n      interfaces: [{', '.join(ports)}]\n"
            + "      dhcp4: no\n      parameters: {stp: false" + extra + "}\n")


def test_the_labs_own_file(lab):
    w = World(lab)
    plan = w.apply(LAB, "--dry-run")
    need(w.bridges() == [] and w.addresses("ens33") == [], "--dry-run changed something")
    need("add bridge br0" in plan and "add port packet:ens33 to br0" in plan, str(plan))
    need(w.apply(LAB) == plan, "apply did something else than --dry-run said")
    reaches(w.out, "192.168.7.1")
    need(w.addresses("br0") == ["192.168.7.1/24"], str(w.addresses("br0")))
    r = sh("ip", "-n", w.ns, "route").stdout
    need("default via 192.168.7.254 dev br0" in r, r)
    need(w.apply(LAB) == [], "applied again, it changed something")
    need(w.apply(LAB, "--dry-run") == [], "--dry-run of what is there")


def test_config_can_be_fed_back(lab):
    w = World(lab)
    w.apply(LAB.replace("stp: false", "stp: false\n        ageing-time: 60\n        "
                        "path-cost: {ens33: 7}"))
    sh("ip", "-n", w.ns, "link", "add", "hand1", "type", "veth", "peer", "name", "hand2")
    sh("ip", "-n", w.ns, "link", "set", "hand1", "up")
    w.sw.cli("addbr", "br9")
    w.sw.cli("addif", "br9", "hand1")
    w.sw.cli("addif", "br0", "mem:a,name=probe")
    w.sw.cli("port", "set", "probe", "isolated", "on")
    w.sw.cli("setageing", "br9", "77")
    text = w.sw.cli("config").stdout
    for word in ("ens33", "hand1", "mem:a", "ageing-time: 77", "192.168.7.1/24", "isolated"):
        need(word in text, f"{word} is not in:\n{text}")
    before = w.dump()
    exe = os.path.join(lib.BUILD, "bascule")
    r = sh("sh", "-c", f"{exe} -S {w.sw.sock} config | {exe} -S {w.sw.sock} apply /dev/stdin",
           ns=w.ns)
    need(r.stdout == "", f"what runs differs from itself: {r.stdout}")
    need(w.dump() == before, "applying what runs changed something")
    need(w.sw.cli("config").stdout == text, "the configuration is another now")


def test_only_the_difference(lab):
    w = World(lab)
    b = lab.ns("b")
    w.host("eth1", b, "192.168.7.2/24")
    w.apply(bridge(["ens33", "eth1"]))
    for p in ("ens33", "eth1"):
        w.sw.wait_forwarding(p)
    reaches(b, "192.168.7.254")
    was = {n: (p["no"], p["ifindex"], p["rx_frames"]) for n, p in w.ports().items()}
    flood = lab.spawn("ping", "-n", "-q", "-i", "0.002", "-c", "1000", "192.168.7.254", ns=b,
                      stdout=subprocess.PIPE, text=True)
    lab.veth("eth2", lab.ns("c"))
    plan = w.apply(bridge(["ens33", "eth1", "eth2"], ", ageing-time: 60"))
    need(plan == ["br0: ageing-time 300 → 60 s", "add port packet:eth2 to br0"], str(plan))
    plan = w.apply(bridge(["ens33", "eth1"], ", ageing-time: 60, path-cost: {eth1: 9}"))
    need(sorted(plan) == sorted(["remove port eth2 from br0",
                                 "br0: port eth1: path-cost automatic → 9"]), str(plan))
    out = flood.communicate(timeout=20)[0]
    need(" 0% packet loss" in out, f"a running flood lost packets: {out}")
    now = w.ports()
    need(sorted(now) == ["ens33", "eth1"], str(sorted(now)))
    for n, (no, ifindex, rx) in was.items():
        need((now[n]["no"], now[n]["ifindex"]) == (no, ifindex) and now[n]["rx_frames"] >= rx,
             f"port {n} was made anew: {was[n]} {now[n]}")
    # a key that leaves the file goes back to its default
    plan = w.apply(bridge(["ens33", "eth1"]))
    need(sorted(plan) == ["br0: ageing-time 60 → 300 s",
                          "br0: port eth1: path-cost 9 → automatic"], str(plan))


def test_taps_of_a_file_are_up(lab):
    w = World(lab)
    web = lab.ns("web")
    text = ("bascule:\n  version: 1\n  bridges:\n    br0:\n      ports:\n"
            f'        - tap:vm1\n        - "tap:eth0,netns={web},name=web"\n')

    def is_up(ns, dev):
        return "UP" in json.loads(sh("ip", "-n", ns, "-j", "link", "show", dev).stdout)[0]["flags"]

    w.apply(text)
    need(is_up(w.ns, "vm1"), "a tap that was made for the file is down")
    need(not is_up(web, "eth0"), "a tap in another namespace was set up")
    sh("ip", "-n", w.ns, "link", "set", "vm1", "down")
    need(w.apply(text) == [] and not is_up(w.ns, "vm1"), "what was set by hand was changed")
    w.apply("network: {version: 2}\n")
    need(w.bridges() == [], "what no file names any more")


def test_values_are_judged_ahead(lab):
    w = World(lab)
    head = "bascule:\n  version: 1\n  bridges:\n    br0:\n      ports:\n"
    for spec, words in (("stream:/tmp/x,listen=maybe", "listen=maybe"),
                        ("dgram::5001", "remote=ADDR is missing"),
                        ("pcap:ens33,filter=no such word", "filter")):
        r = w.apply(head + f'        - "{spec}"\n', "--dry-run", check=False)
        need(r.returncode == 1 and words in r.stderr and "lab.yaml:6:" in r.stderr, r.stderr)


def test_file_from_standard_input(lab):
    w = World(lab)
    command = [f"{lib.BUILD}/bascule", "-S", w.sw.sock, "apply", "-", "--confirm", "60"]
    with open(w.write(LAB)) as f:
        r = subprocess.run(["ip", "netns", "exec", w.ns, *command], stdin=f,
                           capture_output=True, text=True, timeout=20)
    need(r.returncode == 0 and w.bridges() == ["br0"], r.stderr)
    r = w.sw.cli("confirm", "--revert")
    need("taken back" in r.stderr and w.bridges() == [], r.stderr)


def test_what_is_made_by_hand_stays(lab):
    w = World(lab)
    w.apply(bridge(["ens33"]))
    w.sw.cli("addif", "br0", "tap:vm1")
    w.sw.cli("addbr", "br7")
    w.sw.cli("setfd", "br0", "4")
    r = w.sw.cli("apply", w.file)
    need(r.stdout == "", r.stdout)
    need("vm1 was added by hand and stays" in r.stderr and "br7 was made by hand" in r.stderr,
         r.stderr)
    need("vm1" in w.ports() and "br7" in w.bridges(), "something made by hand is gone")
    need(w.sw.json("bridge", "show", "br0")[0]["forward_delay"] == 400,
         "a parameter that no file wrote was changed")
    # named in the file, it is the file's, and goes when it leaves it
    both = bridge(["ens33"]) + "    br7: {dhcp4: no, parameters: {stp: false, ageing-time: 9}}\n"
    plan = w.apply(both)
    need("br7: ageing-time 300 → 9 s" in plan and "add bridge br7" not in plan, str(plan))
    plan = w.apply(bridge(["ens33"]))
    need(plan == ["remove bridge br7"], str(plan))
    # a bridge that leaves the file keeps what was added by hand
    r = w.apply("network: {version: 2}\n", check=False)
    need("vm1 was added by hand" in r.stderr, r.stderr)
    need(list(w.ports()) == ["vm1"], str(list(w.ports())))


def test_addresses_of_the_uplink_move_and_return(lab):
    w = World(lab)
    sh("ip", "-n", w.ns, "addr", "add", "192.168.7.9/24", "dev", "ens33")
    sh("ip", "-n", w.ns, "route", "add", "default", "via", "192.168.7.254")

    def there(dev):
        wait_until(lambda: w.addresses(dev) == ["192.168.7.9/24"], 5,
                   lambda: f"the address on {dev}: {w.addresses(dev)}")
        route = sh("ip", "-n", w.ns, "route").stdout
        need(f"default via 192.168.7.254 dev {dev}" in route, route)
        reaches(w.out, "192.168.7.9")

    there("ens33")
    plain = bridge(["ens33"])
    w.apply(plain)
    need(w.addresses("ens33") == [], "the uplink has kept its address")
    there("br0")
    w.apply("network: {version: 2}\n")
    there("ens33")
    w.apply(plain)
    there("br0")
    w.sw.cli("delif", "br0", "ens33")  # by hand
    there("ens33")
    w.apply(plain)
    there("br0")
    sh("ip", "-n", w.ns, "link", "set", "br0", "down")
    w.sw.cli("delbr", "br0")
    there("ens33")
    w.apply(plain)
    there("br0")
    need(w.sw.stop() == 0, "the daemon's exit status")
    there("ens33")


def test_back_from_a_lease(lab):
    """A static address, then DHCP that nobody confirms: the address is there again."""
    w = World(lab)
    for who in ("all", "default"):
        lab.sysctl("sw", f"net.ipv4.conf.{who}.promote_secondaries", 0)
    _, log = lib.dhcp_server(lab, w.out, "eth0", net="192.168.7")
    # the same renderer: with another, layer 3 would begin anew
    w.apply(LAB.replace("  renderer: networkd\n", ""))

    def routes():
        """Without the carrier of the moment, which comes a little after the command."""
        return sh("ip", "-n", w.ns, "route").stdout.replace(" linkdown", "")
    before = routes()
    dhcp = bridge(["ens33"]).replace("dhcp4: no", "dhcp4: true")
    for _ in range(2):
        w.apply(dhcp, "--confirm", "60")
        wait_until(lambda: any(".7.1" in a and a != "192.168.7.1/24" for a in w.addresses("br0")),
                   15, lambda: f"{w.addresses('br0')} {open(log).read()}")
        w.sw.cli("confirm", "--revert")
        need(w.addresses("br0") == ["192.168.7.1/24"], str(w.addresses("br0")))
        need(routes() == before, lambda: f"{routes()}\nbefore:\n{before}")
        reaches(w.out, "192.168.7.1")


def test_plan_says_each_thing_once(lab):
    """What moves, a first MTU, an on-link route; name servers are said by the step only."""
    w = World(lab)
    sh("ip", "-n", w.ns, "addr", "add", "192.168.7.9/24", "dev", "ens33")
    sh("ip", "-n", w.ns, "route", "add", "default", "via", "192.168.7.254", "dev", "ens33",
       "metric", "7")
    text = LAB.replace("      parameters:", "      mtu: 1400\n      parameters:")
    r = w.apply(text, "--dry-run", check=False)
    said = r.stdout + r.stderr
    need(r.returncode == 0 and "192.168.7.9/24 and 1 route would move from ens33 to br0" in said
         and w.addresses("ens33") == ["192.168.7.9/24"], said)
    need("br0: MTU 1400\n" in said and "default via 192.168.7.254 on-link\n" in said, said)
    r = w.apply(text, check=False)
    said = r.stdout + r.stderr
    need("192.168.7.9/24 and 1 route moved from ens33 to br0" in said, said)
    need(said.count("nameservers 192.168.7.254 not applied") == 1, said)


def test_failure_takes_all_back(lab):
    w = World(lab)
    w.apply(LAB)
    before = w.dump()
    sh("ip", "-n", w.ns, "link", "add", "kbr", "type", "bridge")
    lab.veth("slave", lab.ns("c"))
    sh("ip", "-n", w.ns, "link", "set", "slave", "master", "kbr")
    before = w.dump()
    text = bridge(["ens33", "slave"], ", ageing-time: 33")
    err = w.refused(text, "lab.yaml:", "slave belongs to a bridge")
    line = text[:text.index("[ens33")].count("\n") + 1
    need(f"lab.yaml:{line}:" in err, err)
    need(w.dump() == before, f"not as before: {w.dump()} {before}")
    reaches(w.out, "192.168.7.1")
    w.refused(bridge(["lo"]), "lo is the loopback interface")
    need(not w.sw.log_tail().count("taking"), "ports had gone before it was seen")
    w.refused(bridge(["ens33", "nosuch"]), "lab.yaml:", "no interface nosuch")
    w.refused(bridge(["ens33"], name="kbr"), "kbr is a bridge of the kernel", "ip link delete dev kbr")
    w.refused(bridge(["ens33"], name="slave"), "interface slave exists already")
    w.refused(bridge(["ens33"], name="brx") + "bascule: {bridges: {brx: {ports: [tap:slave]}}}\n",
              "interface slave exists already")
    w.refused(LAB + "  bonds: {b: {}}\n  nonsense: 1\n", "lab.yaml:", "nonsense")
    need(w.dump() == before, "something is left of a file that was refused")
    need(w.apply(LAB) == [], "the first file is no longer in force")


def test_confirm(lab):
    w = World(lab)
    w.apply(LAB)
    before = w.dump()
    other = LAB.replace("192.168.7.1/24", "192.168.7.77/24")
    r = w.apply(other, "--confirm", "2", check=False)
    need(r.returncode == 0 and "2 seconds" in r.stderr, r.stderr)
    reaches(w.out, "192.168.7.77")
    r = w.apply(LAB, check=False)
    need(r.returncode == 1 and "bascule confirm" in r.stderr, f"a second apply: {r.stderr}")
    wait_until(lambda: w.addresses("br0") == ["192.168.7.1/24"], 8, "taken back")
    wait_until(lambda: w.dump() == before, 5, lambda: f"as before: {w.dump()}")
    need(w.sw.cli("confirm", check=False).returncode == 1, "confirm too late was taken")
    w.apply(other, "--confirm", "60")
    w.sw.cli("confirm", "--revert")
    need(w.dump() == before, "not as before after --revert")
    w.apply(other, "--confirm", "2")
    w.sw.cli("confirm")
    time.sleep(2.5)
    need(w.addresses("br0") == ["192.168.7.77/24"], "taken back although confirmed")
    # also a file that removes everything
    w.apply("network: {version: 2}\n", "--confirm", "1")
    need(w.bridges() == [], str(w.bridges()))
    wait_until(lambda: w.bridges() == ["br0"], 8, "the bridge is back")
    reaches(w.out, "192.168.7.77")


def test_the_daemon_ends_unconfirmed(lab):
    """Nobody is left to take it back: the next daemon says so, once, and so does confirm."""
    w = World(lab)
    note = os.path.join(lab.dir, "ctl.state", "unconfirmed")
    file = os.path.join(lab.dir, "lab.yaml")
    said = (f"{file} was applied and not confirmed when basculed was ended: what it changed is "
            "not taken back")

    def answer(*args):
        r = w.sw.cli("confirm", *args, check=False)
        need(r.returncode == 1, str(r))
        return r.stderr

    def decided():
        need(not os.path.exists(note), "still remembered")
        need("nothing waits to be confirmed" in answer(), "something else is said")

    def warnings():
        return [x for x in w.sw.log_tail(200).splitlines() if "not confirmed when" in x]
    for how in ([], ["--revert"]):
        w.apply(LAB.replace("7.1/24", f"7.{2 + len(how)}/24"), "--confirm", "60")
        need(os.path.exists(note), "not remembered")
        w.sw.cli("confirm", *how)
        decided()
    w.apply(bridge(["ens33"]), "--dry-run", "--confirm", "60")
    decided()
    r = w.apply(LAB.replace("on-link: true", "on-link: false").replace("7.1/24", "7.2/32"),
                "--confirm", "60", check=False)
    need(r.returncode == 1 and "taking" in w.sw.log_tail(), "it did not fail half-way")
    decided()
    w.apply(LAB, "--confirm", "1")
    wait_until(lambda: "7.2/24" in str(w.addresses("br0")), 8, "taken back in time")
    decided()

    for n, end in enumerate((signal.SIGKILL, signal.SIGTERM)):
        w.apply(bridge(["ens33"]), "--confirm", "60")
        w.sw.stop(end)
        w.sw.start("--config", w.write(bridge(["ens33"]), w.file + ".boot"))
        wait_until(lambda: w.bridges() == ["br0"], 5, w.sw.log_tail)
        need(len(warnings()) == n + 1 and said in warnings()[-1], w.sw.log_tail(200))
        for how in ([], ["--revert"]):
            need(said in answer(*how), answer(*how))
        w.apply(LAB, "--dry-run")
        need(said in answer(), "forgotten though nothing was applied")
        w.apply(LAB)
        decided()
        w.sw.stop(signal.SIGKILL)
        w.sw.start()
        decided()
        need(len(warnings()) == n + 1, "said again")
    w.sw.stop()
    need(not os.path.exists(os.path.dirname(note)), "something is still remembered")


def test_taps_come_back_where_they_were(lab):
    w = World(lab)
    web, other = lab.ns("web"), lab.ns("other")
    text = "bascule: {version: 1, bridges: {br0: {ports: [%s]}}}\n"
    taps = f'tap:vm1, "tap:eth0,netns={web},name=web"'

    def is_in(ns, dev):
        return sh("ip", "-n", ns, "link", "show", dev, check=False).returncode == 0

    w.apply(text % taps)
    sh("ip", "-n", w.ns, "link", "set", "vm1", "netns", other)
    for _ in range(2):
        w.apply(text % "", "--confirm", "60")
        need(w.ports() == {}, str(w.ports()))
        need(not is_in(other, "vm1") and not is_in(web, "eth0"), "a tap has stayed")
        w.sw.cli("confirm", "--revert")
        need(sorted(w.ports()) == ["vm1", "web"], str(w.ports()))
        need(is_in(other, "vm1") and not is_in(w.ns, "vm1"), "vm1 is not where it was moved to")
        need(is_in(web, "eth0"), "eth0 is not where it was made for")


def test_the_client_dies(lab):
    w = World(lab)
    w.write(LAB)
    p = lab.spawn(*w.sw.words("apply", w.file, "--confirm", "2"), ns=w.ns)
    p.kill()
    p.wait()
    w.sw.cli("ping")
    wait_until(lambda: w.bridges() == [], 10, "taken back, or never begun")


def test_two_at_once(lab):
    w = World(lab)
    one = w.write(LAB, w.file + "1")
    two = w.write(LAB.replace("192.168.7.1/", "192.168.7.2/"), w.file + "2")
    exe = os.path.join(lib.BUILD, "bascule")
    both = [lab.spawn(exe, "-S", w.sw.sock, "apply", f, ns=w.ns, stdout=subprocess.DEVNULL)
            for f in (one, two)]
    need([p.wait(20) for p in both] == [0, 0], "one of two failed")
    need(w.addresses("br0") in (["192.168.7.1/24"], ["192.168.7.2/24"]),
         f"a mixture: {w.addresses('br0')}")


def test_from_the_beginning(lab):
    """--config: absent interfaces come later, kill -9 leaves the host its
    address, an invalid file touches nothing."""
    w = World(lab, start=False)
    sh("ip", "-n", w.ns, "addr", "add", "192.168.7.9/24", "dev", "ens33")
    text = bridge(["ens33", "late0"])
    w.sw.start("--config", w.write(text))
    reaches(w.out, "192.168.7.9")
    # until it has taken over, ens33 answers by itself
    wait_until(lambda: "br0" in w.bridges() and w.ports().get("late0", {}).get("failed"), 10,
               "a port without its interface")
    c = lab.ns("c")
    sh("ip", "-n", w.ns, "link", "add", "late0", "type", "veth", "peer", "name", "eth0",
       "netns", c)  # down
    sh("ip", "-n", c, "addr", "add", "192.168.7.3/24", "dev", "eth0")
    sh("ip", "-n", c, "link", "set", "eth0", "up")
    reaches(c, "192.168.7.254")  # set up by us
    w.sw.stop(signal.SIGKILL)
    wait_until(lambda: w.addresses("ens33") == ["192.168.7.9/24"], 10,
               lambda: f"the address back on ens33: {w.addresses('ens33')}")
    w.sw.start("--config", w.file)
    reaches(w.out, "192.168.7.9")
    wait_until(lambda: "br0" in w.bridges() and sorted(w.ports()) == ["ens33", "late0"],
               10, "both ports")
    need(w.apply(text) == [], "the file the daemon began with differs from what runs")
    need(w.sw.stop() == 0, "the daemon's exit status")
    w.write(text + "    br1: {nonsense: 1}\n")
    w.sw.start("--config", w.file, wait=False)
    need(w.sw.proc.wait(10) == 1, "an invalid file was taken")
    w.sw.proc = None
    need("lab.yaml:" in w.sw.log_tail() and "nonsense" in w.sw.log_tail(), w.sw.log_tail())
    need(w.addresses("ens33") == ["192.168.7.9/24"], "the uplink was touched")


def test_match_and_members(lab):
    w = World(lab)
    addr = "02:07:00:00:00:33"
    sh("ip", "-n", w.ns, "link", "set", "ens33", "address", addr)
    text = """\
network:
  version: 2
  ethernets:
    lan:
      match: {macaddress: "%s"}
      mtu: %d
  bridges:
    br0: {interfaces: [lan], dhcp4: no, parameters: {stp: false}}
"""
    plan = w.apply(text % (addr, 1400))
    need("add port packet:ens33 to br0" in plan, str(plan))
    link = "/sys/class/net/ens33/mtu"

    def mtu():
        return sh("cat", link, ns=w.ns).stdout.strip()

    need(mtu() == "1400", mtu())
    need(w.apply(text % (addr, 1400)) == [], "applied again, it changed something")
    need(w.apply(text % (addr, 1300)) == ["ens33: MTU 1400 → 1300"], "only the MTU differs")
    w.refused(text % ("02:07:00:00:00:99", 1300), "lab.yaml:8:", "no interface here matches")
    w.apply("network: {version: 2}\n")
    need(mtu() == "1500", f"the MTU was not put back: {mtu()}")


def test_a_thousand_ports(lab):
    w = World(lab)
    n = 1000
    text = ("bascule:\n  bridges:\n    br0:\n      local: false\n      ports:\n"
            + "".join(f"        - mem:m{i}\n" for i in range(n)))
    watch = lib.Lag(w.sw)
    t = time.monotonic()
    plan = w.apply(text)
    made = time.monotonic() - t
    need(len(plan) == n + 1, f"{len(plan)} steps")
    t = time.monotonic()
    need(w.apply(text) == [], "applied again, it changed something")
    again = time.monotonic() - t
    watch.end("a thousand ports")
    print(f"     {n} ports: {made:.2f} s, unchanged {again:.3f} s")
    need(made <= 5, f"{made:.2f} s for {n} ports")
    need(again <= 0.2 + watch.late / 1e3, f"{again:.2f} s for an unchanged file")


if __name__ == "__main__":
    lib.main()
