#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`bascule adopt`: a bridge of the kernel's that is in use is taken over in place
and given back: under traffic, without a frame twice, with less than a second
without frames, and so that what other tools show is as it was."""
import os
import re
import signal
import socket
import time

import lib
from adoptlib import Net, Streams, conf, guards
from lib import need, sh, wait_until


def test_there_and_back(lab):
    """Adopted under traffic and given back; nothing is left behind."""
    net = Net(lab)
    net.bridge("link", "set", "dev", "p3", "learning", "on", "flood", "on", "hairpin", "on")
    net.bridge("fdb", "add", "02:09:00:00:00:aa", "dev", "p2", "master", "static")
    net.ip("link", "set", "br0", "type", "bridge", "ageing_time", "12400", "priority", "4096")
    before = net.snapshot()
    net.sw.start()
    s = Streams(net)
    t0 = time.monotonic()
    said = net.adopt().stdout
    t = time.monotonic() - t0
    s.end(f"adopted in {t * 1e3:.0f} ms")
    need(re.fullmatch(r"br0 is adopted, with (\w+, ){3}\w+; bascule adopt br0 --undo gives it "
                      r"back\n", said) and
         all(p in said for p in ("p1", "p2", "p3", "vnet0")), said)
    need(net.ports() == {"br0": "forwarding", "p1": "forwarding", "p2": "forwarding",
                         "p3": "forwarding", "vnet0": "forwarding"}, net.ports())
    need(lib.mac(net.read("br0", "address")) == net.mac, "br0's address changed")
    b = net.sw.json("bridge", "show", "br0")[0]
    need(b["ageing_time"] == 12400 and b["priority"] == 4096, b)
    need(b["device"] == "basc-br0", b)
    need(lib.port_info(net.sw, "br0", "p3")["hairpin"] is True, "hairpin was not taken over")
    text = net.sw.cli("config").stdout
    need("br0:\n      adopt: true" in text and "p1" not in text, text)
    macs = net.sw.cli("fdb", "show", "br", "br0").stdout
    need("02:09:00:00:00:aa dev p2" in macs and "static" in macs, macs)
    shown = sh("brctl", "show", "br0", ns=net.ns, check=False).stdout
    need(all(p in net.sw.cli("show", "br0").stdout for p in ("p1", "p2", "p3", "vnet0")),
         shown)
    for h in net.hosts:
        for o in net.hosts:
            if o is not h:
                lib.tcp(h.ns, o.ns, o.ip4, 2 << 20)
        lib.tcp(h.ns, net.ns, "10.9.0.254", 2 << 20)
        lib.tcp(net.ns, h.ns, h.ip4, 2 << 20)
    # what the host sends to the static address arrives there, by way of us
    w, host = net.hosts[1].wire(), lib.Wire(net.ns, "br0")
    host.send(lib.frame(lib.mac("02:09:00:00:00:aa"), net.mac, b"static" + bytes(50)))
    need(w.collect(lambda f: f[14:20] == b"static", 1, 2), "a static address is not reached")
    host.close()
    s = Streams(net)
    t0 = time.monotonic()
    said = net.adopt("--undo").stdout
    t = time.monotonic() - t0
    s.end(f"given back in {t * 1e3:.0f} ms")
    need(said == "br0 is the kernel's again\n", said)
    log = net.sw.log_tail()
    need(re.search(r"info: bridge br0 adopted", log) and
         log.count("info: bridge br0 is the kernel's again") == 1, log)
    need(net.same(before), lambda: "left behind:\n" + net.left)
    need(net.sw.json("show") == [] or not net.sw.json("bridge", "show"), "a bridge is left")
    net.reach_all()


def test_following(lab):
    """Later members are adopted, leaving ones let go; parameters and states follow."""
    net = Net(lab, vm=False)
    net.sw.start()
    net.adopt()
    net.reach_all()
    h = net.host(4, master=False)
    lib.need(lib.ping(h.ns, "10.9.0.254", 1, wait=0.3) == 100, "p4 is no port yet")
    t0 = time.monotonic()
    net.ip("link", "set", "p4", "master", "br0")
    net.sw.wait_forwarding("p4") if "p4" in net.ports() else wait_until(
        lambda: net.ports().get("p4") == "forwarding", 3, "p4 is adopted", 0.002)
    print(f"     a new member forwards in the switch within "
          f"{(time.monotonic() - t0) * 1e3:.0f} ms of the command's start")
    net.reach_all()
    lib.tcp(h.ns, net.hosts[0].ns, net.hosts[0].ip4, 2 << 20)
    net.bridge("link", "set", "dev", "p4", "isolated", "on")
    net.bridge("link", "set", "dev", "p1", "isolated", "on")
    wait_until(lambda: lib.port_info(net.sw, "br0", "p4")["isolated"] and
               lib.port_info(net.sw, "br0", "p1")["isolated"], 3, "isolation is followed")
    need(lib.ping(h.ns, net.hosts[0].ip4, 2, wait=0.3) == 100, "isolated ports talk")
    net.bridge("link", "set", "dev", "p1", "isolated", "off")
    net.ip("link", "set", "br0", "type", "bridge", "ageing_time", "5000")
    wait_until(lambda: net.sw.json("bridge", "show", "br0")[0]["ageing_time"] == 5000, 3,
               "ageing is followed")
    # another address and down and up again of the front
    net.ip("link", "set", "br0", "address", "02:09:00:00:00:fe")
    wait_until(lambda: net.read("basc-br0", "address") == "02:09:00:00:00:fe", 3,
               "the tap has the new address")
    net.reach_all()
    net.ip("link", "set", "br0", "down")
    wait_until(lambda: not net.sw.json("bridge", "show", "br0")[0]["up"], 3, "br0 is down")
    need(lib.ping(h.ns, net.hosts[1].ip4, 1, wait=0.3) == 100, "a bridge that is down forwards")
    net.ip("link", "set", "br0", "up")
    net.reach_all()
    # the port leaves, is an ordinary interface, and comes back
    net.ip("link", "set", "p4", "nomaster")
    wait_until(lambda: "p4" not in net.ports(), 3, "p4 was let go")
    net.ip("addr", "add", "10.8.0.1/24", "dev", "p4")
    sh("ip", "addr", "add", "10.8.0.2/24", "dev", "eth0", ns=h.ns)
    lib.reaches(h.ns, "10.8.0.1")
    net.ip("link", "set", "p4", "master", "br0")
    wait_until(lambda: net.ports().get("p4") == "forwarding", 3, "p4 is back")
    net.ip("link", "del", "p4")
    wait_until(lambda: "p4" not in net.ports(), 3, "p4 went with its device")
    net.hosts.pop()
    # states of the spanning tree are shown by the kernel's bridge, which would
    # forward otherwise
    net.sw.cli("bridge", "set", "br0", "forward-delay", "4")
    net.sw.cli("bridge", "set", "br0", "force-version", "stp")
    net.sw.cli("stp", "br0", "on")
    wait_until(lambda: "state forwarding" not in net.bridge("link", "show", "dev", "p1").stdout,
               3, "the kernel shows a port that does not forward")
    net.sw.cli("stp", "br0", "off")
    wait_until(lambda: "state forwarding" in net.bridge("link", "show", "dev", "p1").stdout,
               3, "the kernel shows it forwarding")
    # by hand: that one is the kernel's again, and all still reach all
    net.sw.cli("delif", "br0", "p2")
    net.reach_all()
    net.adopt("--undo")
    net.reach_all()


def crash(lab, env, what):
    net = Net(lab)
    net.bridge("fdb", "add", "02:09:00:00:00:aa", "dev", "p2", "master", "static")
    before = net.snapshot()
    net.sw.start(prefix=env)
    net.adopt()
    net.reach_all()
    s = Streams(net)
    net.sw.stop(signal.SIGKILL)
    s.end(f"killed ({what})")
    wait_until(lambda: net.same(before), 3, lambda: "all is put back:\n" + net.left)
    net.reach_all()
    # and it can be adopted again at once
    net.sw.start()
    net.adopt()
    net.reach_all()
    return net, before


def test_killed(lab):
    """kill -9: the kernel's bridge goes on by itself; SIGTERM: as undo."""
    net, before = crash(lab, (), "tcx")
    s = Streams(net)
    need(net.sw.stop(signal.SIGTERM) == 0, "the daemon failed")
    s.end("ended by SIGTERM")
    need(net.same(before), lambda: "left behind:\n" + net.left)
    net.reach_all()


def test_disabled(lab):
    """--disable: the kernel's bridge shows the ports as disabled, also after it was
    down; the guard puts that back."""
    net = Net(lab)
    net.ip("link", "set", "br0", "down")  # its address by its MAC is made anew by that
    net.ip("link", "set", "br0", "up")
    net.reach_all()
    wait_until(lambda: "state UP" in net.ip("link", "show", "br0").stdout and
               "fe80" in net.ip("addr", "show", "br0").stdout, 5, "br0 has come up")
    before = net.snapshot()
    net.sw.start()

    def states(word):
        text = net.bridge("link").stdout
        return all(f"state {word}" in x for x in text.splitlines() if "basc-br0" not in x)
    s = Streams(net)
    net.adopt("--disable")
    s.end("adopted with --disable")
    wait_until(lambda: states("disabled"), 3, "ports are disabled")
    net.reach_all()
    net.ip("link", "set", "br0", "down")
    net.ip("link", "set", "br0", "up")
    wait_until(lambda: states("disabled"), 3, "ports are disabled again")
    net.reach_all()
    need("LOWER_UP" in net.ip("link", "show", "br0").stdout, "br0 has lost its carrier")
    s = Streams(net)
    net.sw.stop(signal.SIGKILL)
    s.end("killed with --disable")
    wait_until(lambda: net.same(before), 3, lambda: "all is put back:\n" + net.left)
    net.sw.start()
    net.adopt("--disable")
    wait_until(lambda: states("disabled"), 3, "ports are disabled")
    s = Streams(net)
    net.adopt("--undo")
    s.end("given back with --disable")
    need(net.same(before), lambda: "left behind:\n" + net.left)


def test_killed_clsact(lab):
    """The same with filters on clsact, which outlive the daemon without its guard."""
    crash(lab, ("env", "BASCULE_NO_TCX=1"), "clsact")


def test_killed_with_guard(lab):
    """Daemon and guard killed at once: with tcx nothing but the daemon's own
    descriptors keeps the kernel's bridge shut."""
    net = Net(lab)
    net.sw.start()
    net.adopt()
    guard, = guards(net)
    os.kill(guard, signal.SIGSTOP)  # it will not see the daemon's end
    s = Streams(net)
    net.sw.proc.send_signal(signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    net.sw.stop(signal.SIGKILL)
    s.end("daemon and guard killed")
    net.reach_all()


def children(pid):
    out = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{tid}/children") as f:
                out += [int(p) for p in f.read().split()]
        except OSError:  # a thread that has ended
            pass
    return out


def test_guard_killed(lab):
    """There is a new one, which knows what the last one knew, and the log says so."""
    net = Net(lab)
    net.sw.start()
    net.adopt()

    def told():
        return net.sw.log_tail(100).count("there is a new one")
    for _ in range(20):
        old, before = [], told()
        for _ in range(2):  # the second perhaps before it knows anything
            old.append(wait_until(lambda: next((p for p in children(net.sw.proc.pid)
                                                if p not in old), None), 5, "a new guard", 0))
            os.kill(old[-1], signal.SIGKILL)

        def new():
            now = guards(net)
            return len(now) == 1 and now[0] not in old and told() > before
        wait_until(new, 5, "a new guard, and the log says so")
    need("there is no new one" not in net.sw.log_tail(100), "that there is none is said")
    s = Streams(net)
    net.sw.stop(signal.SIGKILL)
    s.end("killed, with the last guard")
    net.reach_all()
    wait_until(lambda: not guards(net), 5, "it ends")


def test_guard_stopped(lab):
    """A guard that does not answer is replaced, and opens nothing when it goes on."""
    net = Net(lab)
    net.sw.start()
    net.adopt()
    guard, = guards(net)
    h = net.host(4, master=False)
    os.kill(guard, signal.SIGSTOP)
    net.ip("link", "set", "p4", "master", "br0")
    time.sleep(2.5)  # it has two seconds for an answer
    try:
        os.kill(guard, signal.SIGCONT)
    except ProcessLookupError:
        pass
    lib.reaches(h.ns, "10.9.0.254", 5)
    s = Streams(net)
    time.sleep(0.5)
    s.end("a guard was stopped and went on")
    net.adopt("--undo")
    for host in net.hosts:  # br0 has another address if p4's was the lowest
        sh("ip", "-n", host.ns, "neigh", "flush", "all")
    net.reach_all()


def test_two_daemons(lab):
    """A second daemon is told who has it, and changes nothing."""
    net = Net(lab, hosts=2, vm=False)
    net.sw.start()
    net.adopt()
    other = lib.Bascule(lab, "2", net.ns)
    other.start()
    r = other.cli("adopt", "br0", check=False)
    need(r.returncode == 1 and "adopted already" in r.stderr, r.stderr)
    net.reach_all()
    net.adopt("--undo")
    other.cli("adopt", "br0")
    net.reach_all()
    r = net.adopt(check=False)
    need(r.returncode == 1 and "adopted already" in r.stderr, r.stderr)
    other.cli("adopt", "br0", "--undo")
    # a member that is held is a reason to leave all as it was
    net.ip("link", "set", "p2", "nomaster")
    other.cli("addbr", "other", "--no-local")
    other.cli("addif", "other", "p2")
    net.ip("link", "set", "p2", "master", "br0")
    before = net.snapshot()
    r = net.adopt(check=False)
    need(r.returncode == 1 and "p2" in r.stderr, r.stderr)
    need(net.same(before), lambda: "left behind by a failed attempt:\n" + net.left)
    need(not net.sw.json("bridge", "show"), "a bridge is left")
    other.cli("delbr", "other")
    net.reach_all()


def test_renamed(lab):
    """The kernel's bridge gets another name: both are known when it is given back."""
    net = Net(lab, hosts=2, vm=False)
    net.sw.start()
    for undo in ("brx", "br0"):
        net.adopt()
        net.ip("link", "set", "br0", "down")
        net.ip("link", "set", "br0", "name", "brx")
        net.ip("link", "set", "brx", "up")
        wait_until(lambda: "bridge br0 is called brx by the kernel now" in net.sw.log_tail(8), 3,
                   "it is followed")
        net.reach_all()
        refused(net, "brx is adopted already: basc-br0", "brx")
        said = net.sw.cli("adopt", undo, "--undo").stdout
        need(said == f"{undo} is the kernel's again\n", said)
        need(not net.sw.json("bridge", "show"), "a bridge is left")
        net.reach_all()
        net.ip("link", "set", "brx", "down")
        net.ip("link", "set", "brx", "name", "br0")
        net.ip("link", "set", "br0", "up")
        net.reach_all()


def test_renamed_on_the_way(lab):
    """A member that is renamed before it is its turn is a member."""
    net, n = Net(lab, vm=False), 40
    for i in range(n):
        net.ip("link", "add", f"m{i}", "up", "master", "br0", "type", "veth")
    net.sw.start()
    p = lab.spawn(*net.sw.words("adopt", "br0"), ns=net.ns)
    wait_until(lambda: net.sw.json("port", "show"), 5, "the first are in")
    net.ip("link", "set", f"m{n - 1}", "name", "late")
    need(p.wait(30) == 0, "it failed")
    wait_until(lambda: len(net.ports()) == n + 4, 5, lambda: f"{net.ports()}")
    need("late" in net.ports() or f"m{n - 1}" in net.ports(), f"{net.ports()}")


def refused(net, words, *args, **kw):
    r = net.sw.cli("adopt", *args, check=False, **kw)
    need(r.returncode == 1 and words in r.stderr, f"{args}: {r.stderr!r}")


def test_refusals(lab):
    """What cannot be adopted is refused with a reason."""
    net = Net(lab, hosts=1, vm=False)
    net.sw.start()
    refused(net, "no interface nobr", "nobr")
    refused(net, "not a bridge", "p1")
    refused(net, "is not adopted", "br0", "--undo")
    if net.ip("link", "set", "br0", "type", "bridge", "vlan_filtering", "1",
              check=False).returncode == 0:  # else the kernel was built without
        refused(net, "VLAN", "br0")
        net.ip("link", "set", "br0", "type", "bridge", "vlan_filtering", "0")
    net.adopt()
    refused(net, "adopted already", "br0")
    # of the same name as a bridge of the switch's own
    net.sw.cli("delbr", "br0", "--force")
    net.reach_all()
    net.sw.cli("addbr", "mine", "--no-local")
    net.ip("link", "add", "mine", "type", "bridge")
    refused(net, "there is a bridge mine already", "mine")
    # without the right to change interfaces
    weak = lib.Bascule(lab, "3", net.ns)
    weak.start(prefix=("setpriv", "--bounding-set", "-net_admin,-net_raw", "--inh-caps",
                       "-net_admin,-net_raw"))
    r = weak.cli("adopt", "br0", check=False)
    need(r.returncode == 1 and "permission" in r.stderr, r.stderr)
    net.reach_all()
    # an empty bridge is a bridge too, and one in another namespace as well
    net.ip("link", "add", "br-empty-long-n", "type", "bridge")
    said = net.sw.cli("adopt", "br-empty-long-n").stdout
    need(said.startswith("br-empty-long-n is adopted, without members as yet;"), said)
    net.sw.cli("adopt", "br-empty-long-n", "--undo")
    far = lab.ns("far")
    sh("ip", "-n", far, "link", "add", "br7", "type", "bridge")
    sh("ip", "-n", far, "link", "set", "br7", "up")
    net.sw.cli("adopt", "br7", ns=far)
    need("basc-br7" in sh("ip", "-n", far, "link").stdout, "no tap in the namespace")
    # the bridge is deleted: so is what we had of it
    sh("ip", "-n", far, "link", "del", "br7")
    wait_until(lambda: not [b for b in net.sw.json("bridge", "show") if b["name"] == "br7"], 3,
               "the switch's bridge went with the kernel's")


def test_in_a_file(lab):
    """`adopt:` of a configuration: there, changed, taken back, gone."""
    net = Net(lab, hosts=2, vm=False)
    before = net.snapshot()
    net.sw.start()
    apply = lambda *a, **kw: net.sw.cli("apply", *a, **kw)  # noqa: E731
    yes, none = conf(net, "br0: {adopt: yes}"), conf(net, "{}", "none.yaml")

    def adopted():
        net.reach_all()
        return sorted(net.ports()) == ["br0", "p1", "p2"]

    def given_back():
        need(not net.sw.json("bridge", "show"), "a bridge is left")
        need(net.same(before), lambda: "left behind:\n" + net.left)
        net.reach_all()
    need(apply(yes, "--dry-run").stdout == "adopt bridge br0\n", "dry run")
    given_back()
    need(apply(yes).stdout == "adopt bridge br0\n" and adopted(), f"{net.ports()}")
    need(apply(yes).stdout == "", "applied twice, something changes")
    text = net.sw.cli("config").stdout
    need("br0:\n      adopt: true" in text and "p1" not in text, text)
    with open(os.path.join(lab.dir, "again.yaml"), "w") as f:
        f.write(text)
    need(apply(f.name).stdout == "", "config cannot be fed back")

    # the kernel's states: the other way
    disable = conf(net, "br0: {adopt: disable}", "disable.yaml")
    said = apply(disable).stdout.splitlines()
    need(len(said) == 2 and "give bridge br0 back" in said[0] and "disabled" in said[1], said)
    need(adopted() and "adopt: disable" in net.sw.cli("config").stdout, "not disabled")
    wait_until(lambda: "state disabled" in net.bridge("link").stdout, 3, "ports are disabled")

    # what leaves goes back; until it is confirmed all can be taken back
    leaving = "give bridge br0 back to the kernel\n"
    need(apply(none, "--dry-run").stdout == leaving and adopted(), "dry run of leaving")
    apply("--confirm", "60", none)
    given_back()
    net.sw.cli("confirm", "--revert")
    need(adopted() and "adopt: disable" in net.sw.cli("config").stdout, "not taken back")
    need(apply(none).stdout == leaving, "the bridge was not the file's any more")
    given_back()
    apply("--confirm", "60", yes)
    need(adopted(), "with --confirm")
    net.sw.cli("confirm", "--revert")
    given_back()
    bad = conf(net, "{br0: {adopt: yes}, br1: {ports: ['stream:/no/dir/s,listen=on']}}", "bad.yaml")
    r = apply(bad, check=False)
    need(r.returncode == 1 and "/no/dir" in r.stderr, r.stderr)
    need("taking" in net.sw.log_tail(), "it was not adopted and given back")
    given_back()

    # by hand meanwhile
    net.adopt()
    need("by hand" in apply(yes).stderr, "not said whose it was")
    net.adopt("--undo")
    need(apply(none).stdout == "", "it was given back by hand")
    net.adopt()
    need(apply(none).stdout == "" and adopted(), "what was adopted by hand is given back")
    r = apply(disable, check=False)
    need(r.returncode == 1 and "disable.yaml:3:5: br0 was adopted by hand" in r.stderr, r.stderr)
    net.adopt("--undo")
    apply(yes)
    net.ip("link", "del", "br0")
    wait_until(lambda: not net.sw.json("bridge", "show"), 3, "it went with the kernel's")
    wait_until(lambda: net.sw.cli("addbr", "br0", "--no-local", check=False).returncode == 0, 3,
               "another br0 is made")
    need(apply(none).stdout == "" and net.sw.json("bridge", "show"), "that br0 is another one")


def test_made_anew(lab):
    """A bridge that a file has adopted is deleted and made anew, as virsh net-destroy and
    net-start do."""
    net = Net(lab, hosts=2, vm=False)
    net.sw.start()
    apply = lambda *a, **kw: net.sw.cli("apply", *a, **kw)  # noqa: E731
    yes = conf(net, "br0: {adopt: yes}")
    names = lambda: [b["name"] for b in net.sw.json("bridge", "show")]  # noqa: E731

    def delete():
        net.ip("link", "del", "br0")
        wait_until(lambda: not names(), 3, "it went with the kernel's")

    def make():
        net.ip("link", "add", "br0", "type", "bridge")
        for dev in "p1", "p2":
            net.ip("link", "set", dev, "master", "br0")
        net.ip("addr", "add", "10.9.0.254/24", "dev", "br0")
        net.ip("link", "set", "br0", "up")

    def adopted_again(back=1):
        wait_until(lambda: names() == ["br0"], 5, net.sw.log_tail)
        wait_until(lambda: sorted(net.ports()) == ["br0", "p1", "p2"], 5, net.sw.log_tail)
        wait_until(lambda: net.sw.log_tail(60).count("br0 is back, and adopted again") == back, 3,
                   net.sw.log_tail)
        net.reach_all()
        need("br0:\n      adopt: true" in net.sw.cli("config").stdout, "it is not the file's")
    apply(yes)
    delete()
    wait_until(lambda: "adopted again when it is back" in net.sw.log_tail(), 3, net.sw.log_tail)
    make()
    adopted_again()
    net.ip("link", "del", "br0")  # ... at once
    make()
    adopted_again(2)
    need(apply(yes).stdout == "", "applied again, something changes")

    # what cannot be adopted is said, and is adopted when it can be
    delete()
    with lib.inside(net.ns):  # as another daemon that has it
        other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        other.bind("\0bascule/netdev/4711")
    net.ip("link", "add", "br0", "index", "4711", "type", "bridge")
    wait_until(lambda: "br0 is back, and stays the kernel's: br0 is being adopted" in
               net.sw.log_tail(), 5, net.sw.log_tail)
    other.close()
    net.ip("link", "del", "br0")
    make()
    adopted_again(3)

    # given back by hand, or no longer in the file, it stays away
    both = conf(net, "br0: {adopt: yes}\n    kb2: {adopt: yes}", "both.yaml")
    second = conf(net, "kb2: {adopt: yes}", "second.yaml")

    def stays(why):
        """kb2, which comes after it, is adopted again: so would br0 have been."""
        net.ip("link", "del", "kb2")
        wait_until(lambda: not names(), 3, "both are away")
        make()
        net.ip("link", "add", "kb2", "type", "bridge")
        wait_until(lambda: "kb2" in names(), 5, net.sw.log_tail)
        need(names() == ["kb2"], f"adopted again though {why}")
    net.ip("link", "add", "kb2", "type", "bridge")
    apply(both)
    net.ip("link", "del", "br0")
    wait_until(lambda: net.adopt("--undo", check=False).returncode == 0, 3,
               "it is given back while it is away")
    refused(net, "br0 is not adopted", "br0", "--undo")
    stays("it was given back")
    apply(both)
    net.ip("link", "del", "br0")
    wait_until(lambda: names() == ["kb2"], 3, "it went with the kernel's")
    need(apply(second).stdout == "", "there is nothing to give back")
    stays("no file says so")

    # nor one that was adopted by hand
    net.adopt()
    net.ip("link", "del", "br0")
    wait_until(lambda: names() == ["kb2"], 3, "it went with the kernel's")
    stays("that was by hand")


def test_awaited(lab):
    """While a bridge of the file is away, the file stays what it is: shown, and applied."""
    net = Net(lab, hosts=1, vm=False)
    net.sw.start()
    apply = lambda *a, **kw: net.sw.cli("apply", *a, **kw)  # noqa: E731
    one = conf(net, "br0: {adopt: yes}")
    two = conf(net, "{br0: {adopt: yes}, own: {local: no}}", "two.yaml")
    none = conf(net, "{}", "none.yaml")
    names = lambda: sorted(b["name"] for b in net.sw.json("bridge", "show"))  # noqa: E731
    shown = lambda how="true": f"br0:\n      adopt: {how}" in net.sw.cli("config").stdout  # noqa: E731
    note = "br0 waits for the kernel's bridge of that name"

    def delete():
        net.ip("link", "del", "br0")
        wait_until(lambda: "br0" not in names(), 3, "it went with the kernel's")

    def make():
        net.ip("link", "add", "br0", "type", "bridge")
        net.ip("link", "set", "p1", "master", "br0")
        net.ip("link", "set", "br0", "up")
    apply(one)
    delete()
    need(shown(), "forgotten while it is away")
    need("br0" not in net.sw.cli("config", ns=lab.ns("else")).stdout, "shown in another namespace")
    for how in (["--dry-run"], []):
        r = apply(*how, one)
        need(r.stdout == "" and note in r.stderr, f"{how}: {r}")
    r = apply("--dry-run", two)
    need(r.stdout == "add bridge own\n" and note in r.stderr and names() == [], str(r))
    apply("--confirm", "60", conf(net, "mine: {local: no}", "mine.yaml"))
    need(names() == ["mine"], str(names()))
    net.sw.cli("confirm", "--revert")
    need(shown(), "not awaited any more though the file without it was taken back")
    sh(*net.sw.words("apply", none), ns=lab.ns("else"))
    need(shown(), "not awaited any more for a file of another namespace")
    r = apply(two)
    need(r.stdout == "add bridge own\n" and note in r.stderr and names() == ["own"], str(r))
    with open(two + "2", "w") as f:
        f.write(net.sw.cli("config").stdout)
    need(apply(two + "2").stdout == "", "what is shown is not what runs")
    r = apply("--dry-run", conf(net, "br0: {adopt: yes}\n  guests: {g: {nets: [br0]}}", "g.yaml"),
              check=False)
    need(r.returncode == 1 and "g.yaml:4:12: guest g: bridge br0 is waited for" in r.stderr, r.stderr)
    r = apply(conf(net, "{br0: {adopt: yes}, own: {}, br5: {adopt: yes}}", "new.yaml"), check=False)
    need(r.returncode == 1 and "new.yaml:3:34: no interface br5" in r.stderr, r.stderr)
    make()
    wait_until(lambda: names() == ["br0", "own"], 5, net.sw.log_tail)
    need(shown() and apply(two).stdout == "", "it is not the file's")
    # in another way
    delete()
    apply(conf(net, "br0: {adopt: disable}", "disable.yaml"))
    need(shown("disable"), "not in the way of the later file")
    make()
    wait_until(lambda: names() == ["br0"], 5, net.sw.log_tail)
    need(shown("disable"), "not in the way of the later file")
    # no longer in the file
    delete()
    apply(none)
    need(not shown("disable"), "shown though no file says so")
    r = apply(one, check=False)
    need(r.returncode == 1 and "f.yaml:3:5: no interface br0" in r.stderr, r.stderr)


def test_files_refused(lab):
    """What contradicts, or is not there, has its line and column."""
    net = Net(lab, hosts=1, vm=False)
    net.sw.start()
    for text, words in (
            ("br0: {adopt: maybe}", "f.yaml:3:18: adopt: expected yes, no or disable"),
            ("br0: {adopt: yes, ageing: 30}", "f.yaml:3:23: ageing: br0 is a bridge of the kernel"),
            ("br0: {ports: [p1], adopt: yes}", "f.yaml:3:11: ports: br0 is"),
            ("br0: {adopt: yes, addresses: [10.0.0.1/8]}", "f.yaml:3:23: addresses: br0 is"),
            ("br0: {adopt: yes, local: no}", "f.yaml:3:23: local: br0 is"),
            ("br0: {adopt: yes}\nnetwork: {bridges: {br0: {}}}", "f.yaml:4:21: br0: it would be made"),
            ("br5: {adopt: yes}", "f.yaml:3:5: no interface br5"),
            ("p1: {adopt: yes}", "f.yaml:3:5: p1 is not a bridge"),
            ("br0: {}", "f.yaml:3:5: br0 is a bridge of the kernel")):
        for how in (["--dry-run"], []):
            r = net.sw.cli("apply", *how, conf(net, text), check=False)
            need(r.returncode == 1 and words in r.stderr, f"{text}: {r.stderr}")
    net.ip("link", "add", "basc-of-another", "type", "veth", "peer", "name", "x0")
    net.ip("link", "set", "basc-of-another", "master", "br0")
    r = net.sw.cli("apply", "--dry-run", conf(net, "br0: {adopt: yes}"), check=False)
    need(r.returncode == 1 and "f.yaml:3:5: br0 is adopted already: basc-of-another" in r.stderr,
         r.stderr)
    need(not net.sw.json("bridge", "show"), "a bridge is left")


def test_from_the_beginning(lab):
    """basculed --config: at once, after a crash, and when the bridge comes late."""
    net = Net(lab, hosts=2, vm=False)
    before = net.snapshot()
    path = conf(net, "{br0: {adopt: yes}, late: {adopt: yes}}")

    def adopted(name="br0"):
        return name in [b["name"] for b in net.sw.json("bridge", "show")]
    net.sw.start("--config", path)
    wait_until(lambda: "late waits for the kernel's bridge" in net.sw.log_tail(), 5,
               "it is said what is waited for")
    need(adopted(), net.sw.log_tail())
    net.reach_all()
    net.sw.stop(signal.SIGKILL)
    wait_until(lambda: net.same(before), 3, lambda: "all is put back:\n" + net.left)
    net.sw.start("--config", path)
    wait_until(adopted, 5, "br0 is adopted again")
    net.reach_all()
    need(sorted(net.ports()) == ["br0", "p1", "p2"], f"{net.ports()}")
    need(not adopted("late"), "there is no such bridge")
    net.ip("link", "add", "late", "type", "bridge")
    wait_until(lambda: adopted("late"), 5, "the late bridge is adopted")
    net.reach_all()
    need(net.sw.stop() == 0, "the daemon failed")
    net.ip("link", "del", "late")
    need(net.same(before), lambda: "left behind:\n" + net.left)


def test_awaited_from_the_beginning(lab):
    """What basculed --config waits for is shown, and awaited by the file applied by hand."""
    net = Net(lab, hosts=1, vm=False)
    path = conf(net, "{br0: {adopt: yes}, late: {adopt: yes}}")
    names = lambda: sorted(b["name"] for b in net.sw.json("bridge", "show"))  # noqa: E731
    net.sw.start("--config", path)
    wait_until(lambda: names() == ["br0"], 5, net.sw.log_tail)
    need("late:\n      adopt: true" in net.sw.cli("config").stdout, "not shown")
    r = net.sw.cli("apply", path)
    need(r.stdout == "" and "late waits for the kernel's bridge" in r.stderr, str(r))
    net.ip("link", "add", "late", "type", "bridge")
    wait_until(lambda: names() == ["br0", "late"], 5, "the late bridge is adopted")
    need(net.sw.cli("apply", path).stderr.count("waits") == 0, "still awaited")


def test_one_goes_as_another_comes(lab):
    """What is found is looked for even if just as much is missing as before."""
    net = Net(lab, hosts=1, vm=False)
    path = net.lab.write("f.yaml", """\
network:
  ethernets: {any: {match: {name: "late*"}}, other: {match: {name: "other*"}}}
  bridges:
    own: {interfaces: [any], dhcp4: no, parameters: {stp: false}}
    own2: {interfaces: [other], dhcp4: no, parameters: {stp: false}}
bascule:
  bridges:
    br0: {adopt: yes}
""")

    def at_once(*lines):
        sh("ip", "-n", net.ns, "-batch", net.lab.write("batch", "\n".join(lines) + "\n"))

    def ports(br):
        return [p["name"] for p in net.sw.json("port", "show", br) if p["no"]]
    net.ip("link", "add", "late0", "type", "veth", "peer", "name", "x0")
    net.sw.start("--config", path)
    wait_until(lambda: "other waits for an interface" in net.sw.log_tail(), 5, net.sw.log_tail)
    wait_until(lambda: "br0" in [b["name"] for b in net.sw.json("bridge", "show")], 5,
               net.sw.log_tail)
    at_once("link del br0", "link add other0 type veth peer name x1")
    wait_until(lambda: ports("own2") == ["other0"], 5, lambda: f"other0 did not join: {net.sw.log_tail()}")
    need(ports("own") == ["late0"], f"own: {ports('own')}")


if lib.KERNEL:
    print("this is about bascule only")
    raise SystemExit(77)
lib.main()
