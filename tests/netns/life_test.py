#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Devices go and come back, the daemon is killed and started again: the port
says what is wrong, comes back by itself, and nothing stale stays behind."""
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

import lib
from lib import need


def link_up(ns, dev, how="up"):
    lib.sh("ip", "-n", ns, "link", "set", dev, how)


def fails_with_reason(sw, port):
    def down():
        ok, why = lib.port_state(sw, "br0", port)
        return not ok and len(why) > 4
    lib.wait_until(down, 3, lambda: f"{port} has failed and says why: "
                                    f"{lib.port_info(sw, 'br0', port)}")
    print(f"     {port}: {lib.port_state(sw, 'br0', port)[1]}")


def ours_only():
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge forgets a port whose device goes")


def test_device_recreated(lab):
    ours_only()
    sw = lab.switch()
    a, b, c = lab.host("a"), lab.host("b", "tap"), lab.host("c")
    lib.reaches(a.ns, b.ip4)
    for _ in range(3):
        lib.sh("ip", "-n", sw.ns, "link", "del", a.port)
        fails_with_reason(sw, a.port)
        need(lib.ping(c.ns, b.ip4, 5) == 0, "other ports suffer")
        lab.veth(a.port, a.ns)
        a.configure(True, 1500)
        sw.wait_forwarding(a.port)
        lib.reaches(a.ns, b.ip4)
    lib.tcp(a.ns, b.ns, b.ip4, 8 << 20)


# holds a tap as QEMU would, until it is killed
HOLDER = """
import os, sys, time
sys.path.insert(0, sys.argv[1]); import lib
v = lib.Vm(sys.argv[2], "vm0"); print("ready", flush=True)
while True:
    lib.select.select([v.fd], [], []); v.drain()
"""


def boot(lab):
    p = lab.spawn(sys.executable, "-c", HOLDER, os.path.dirname(lib.__file__), lab.sw.ns,
                  stdout=subprocess.PIPE, text=True)
    need(p.stdout.readline() == "ready\n", "the tap's holder did not start")
    return p


def test_vm_killed(lab):
    """kill -9 of the process that holds a VM's tap, under traffic; then the next."""
    ours_only()
    sw = lab.switch()
    a, b = lab.host("a"), lab.host("b", "tap")
    vm = boot(lab)
    sw.addif("br0", "vm0")
    sw.wait_forwarding("vm0")
    w = a.wire()
    for _ in range(3):
        for i in range(500):
            w.send(lib.frame(lib.BCAST, a.mac, bytes(200)))
            if i == 250:
                vm.send_signal(signal.SIGKILL)
                vm.wait()
        fails_with_reason(sw, "vm0")
        need(lib.ping(a.ns, b.ip4, 5) == 0, "other ports suffer")
        vm = boot(lab)
        sw.wait_forwarding("vm0")
    before = lab.counters("vm0")["tx_frames"]
    w.send(lib.frame(lib.BCAST, a.mac, bytes(200)))
    lib.wait_until(lambda: lab.counters("vm0")["tx_frames"] > before, 3,
                   "frames reach the new VM")


def test_loop_while_taps_die(lab):
    """A VM that ends takes br0's carrier along, and the kernel holds its lock of all
    interfaces while it deletes the tap: the control loop does not wait for it."""
    ours_only()
    sw = lab.switch()
    worst = []
    for _ in range(40):
        vm = boot(lab)
        sw.addif("br0", "vm0")
        sw.wait_forwarding("vm0")
        lib.loop_lag(sw)
        vm.kill()
        vm.wait()
        lib.wait_until(lambda: "NO-CARRIER" in lib.sh(
            "ip", "-n", sw.ns, "link", "show", "br0").stdout, 3, "br0 has no carrier")
        worst.append(lib.loop_lag(sw))
        sw.delif("br0", "vm0")
    middle = statistics.median(worst)
    print(f"     the control loop's worst turn while a tap dies: {middle:.2f} ms "
          f"({min(worst):.2f}-{max(worst):.2f}, {len(worst)} of them)")
    need(middle < 4, f"the control loop was held for {middle:.1f} ms (median)")


def test_speed_follows(lab):
    """A NIC has another speed after its link was down: so has the port."""
    ours_only()
    sw = lab.switch()
    vm = lab.vm("vm0")
    sw.wait_forwarding("vm0")

    def speed():
        return lib.port_info(sw, "br0", "vm0")["speed"]
    for mbps in (100, 2500):
        vm.carrier(False)
        lib.wait_until(lambda: not lib.port_state(sw, "br0", "vm0")[0], 3, "the link is down")
        lib.sh("ethtool", "-s", "vm0", "speed", mbps, "duplex", "full", ns=sw.ns)
        vm.carrier(True)
        lib.wait_until(lambda: speed() == mbps, 3, lambda: f"{mbps} Mb/s, not {speed()}")


def test_uplink_carrier(lab):
    """The uplink's cable is pulled and put back."""
    sw = lab.switch()
    up, b, c = lab.host("up"), lab.host("b", "tap"), lab.host("c")
    lib.reaches(b.ns, up.ip4)
    for _ in range(3):
        link_up(up.ns, "eth0", "down")
        need(lib.ping(b.ns, up.ip4, 2, wait=0.3) == 100, "replies through a pulled cable")
        if not lib.KERNEL:
            fails_with_reason(sw, up.port)
            lab.counted(up.port, "tx-down", 0)
        need(lib.ping(b.ns, c.ip4, 5) == 0, "other ports suffer")
        link_up(up.ns, "eth0")
        t0 = time.monotonic()
        lib.reaches(b.ns, up.ip4, 3)
        print(f"     back after {time.monotonic() - t0:.2f} s")
    # the same by the port's own device
    link_up(sw.ns, up.port, "down")
    need(lib.ping(b.ns, up.ip4, 2, wait=0.3) == 100, "replies through a port set down")
    link_up(sw.ns, up.port)
    lib.reaches(b.ns, up.ip4, 3)
    lib.sh("ip", "-n", up.ns, "addr", "replace", f"{up.ip6}/64", "dev", "eth0", "nodad")
    lib.tcp(b.ns, up.ns, up.ip4, 4 << 20)


def snapshot(ns, dev):
    """What a user would see of a device's settings."""
    j = json.loads(lib.sh("ip", "-n", ns, "-d", "-j", "link", "show", "dev", dev).stdout)[0]
    keep = {k: j.get(k) for k in ("mtu", "qdisc", "txqlen", "address", "promiscuity",
                                  "inet6_addr_gen_mode", "flags", "allmulti", "group",
                                  "gso_max_size", "gro_max_size", "master", "xdp")}
    keep["ethtool"] = lib.sh("ethtool", "-k", dev, ns=ns).stdout
    keep["qdiscs"] = lib.sh("tc", "-n", ns, "qdisc", "show", "dev", dev).stdout
    keep["filters"] = lib.sh("tc", "-n", ns, "filter", "show", "dev", dev, "ingress",
                             check=False).stdout
    keep["sysctl"] = lib.sh("sysctl", f"net.ipv6.conf.{dev}.disable_ipv6",
                            f"net.ipv6.conf.{dev}.addr_gen_mode", ns=ns).stdout
    return keep


def unchanged(before, ns, dev, when):
    def same():
        return snapshot(ns, dev) == before
    try:
        lib.wait_until(same, 3, "")
    except lib.Failed:
        now = snapshot(ns, dev)
        diff = {k: (before[k], now[k]) for k in before if before[k] != now[k]}
        raise lib.Failed(f"{dev} is not as it was {when}: {diff}")


def stack_hears(ns, port, host):
    """The host's own stack is on the device again."""
    lib.sh("ip", "-n", ns, "addr", "add", "10.9.0.222/24", "dev", port)
    lib.reaches(host.ns, "10.9.0.222", 3)
    lib.sh("ip", "-n", ns, "addr", "del", "10.9.0.222/24", "dev", port)


def test_delif_restores(lab):
    sw = lab.switch()
    lab.veth("p9", lab.ns("z"))
    z = lib.Host(lab, "z", "packet", 99, "p9")
    z.configure(True, 1500)
    lib.sh("ethtool", "-K", "p9", "gro", "off", ns=sw.ns)
    before = snapshot(sw.ns, "p9")
    for _ in range(2):
        sw.addif("br0", "p9")
        sw.wait_forwarding("p9")
        p = json.loads(lib.sh("ip", "-n", sw.ns, "-d", "-j", "link", "show", "p9").stdout)[0]
        need(p["promiscuity"] >= 1, "a port is not promiscuous")
        sw.delif("br0", "p9")
        unchanged(before, sw.ns, "p9", "after delif")
        stack_hears(sw.ns, "p9", z)


def test_sigterm_cleans(lab):
    """SIGTERM removes what the daemon made and puts back what it changed."""
    ours_only()
    sw = lab.switch(bridge=None)
    lab.veth("p9", lab.ns("z"))
    z = lib.Host(lab, "z", "packet", 99, "p9")
    z.configure(True, 1500)
    before = snapshot(sw.ns, "p9")
    sw.bridge("br0")
    t = lab.host("t", "tap")
    sw.addif("br0", "p9")
    sw.wait_forwarding("p9")
    lib.reaches(t.ns, z.ip4)
    rc = sw.stop()
    need(rc == 0, f"SIGTERM: exit {rc}")
    unchanged(before, sw.ns, "p9", "after SIGTERM")
    stack_hears(sw.ns, "p9", z)
    need(lib.sh("ip", "-n", sw.ns, "link", "show", "br0", check=False).returncode, "br0 stays")
    need(lib.sh("ip", "-n", t.ns, "link", "show", "eth0", check=False).returncode,
         "a tap of the daemon stays")
    need(not os.path.exists(sw.sock), "the control socket stays")


ISO = "/usr/bin/genisoimage"


def test_sigterm_in_a_removal(lab):
    """What a file took over is given back also if the daemon is ended while it is being
    removed by hand, behind something slow."""
    ours_only()
    if not os.path.exists(ISO):
        raise lib.Skip(f"there is no {ISO} (apt-get install genisoimage)")
    sw = lab.switch(bridge=None)
    lab.veth("u0", lab.ns("z"))
    began = os.path.join(lab.dir, "began")
    tool = lab.write("genisoimage", f"#!/bin/sh\ntouch {began}\nsleep 3\nexit 1\n")
    os.chmod(tool, 0o755)
    for name in "user-data", "meta-data":
        lab.write(name, "{}\n")
    conf = lab.write("c.yaml", "network:\n  ethernets: {u0: {mtu: 1400}}\n  bridges:\n"
                     "    br0: {interfaces: [u0], addresses: [10.9.0.1/24]}\n")
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.7.0.2/24", "dev", "u0")
    link_up(sw.ns, "u0")

    def seen():
        d, = json.loads(lib.sh("ip", "-n", sw.ns, "-j", "addr", "show", "u0").stdout)
        return d["mtu"], [a["local"] for a in d["addr_info"] if a["family"] == "inet"]
    before = seen()
    sw.stop()
    # in the mounts of `ip netns exec`, which are the daemon's alone
    slow = ("sh", "-c", f"mount --bind {tool} {ISO} && BASCULE_QEMU=/bin/true exec \"$@\"", "-")
    for words, gone in ((["delbr", "br0", "--force"], lambda: sw.json("bridge", "show") == []),
                        (["delif", "br0", "u0"],
                         lambda: "u0" not in sw.cli("port", "show", "br0").stdout)):
        sw.start(prefix=slow)
        sw.cli("apply", conf)
        need(seen() == (1400, []), f"it is taken over: {seen()}")
        if words[0] == "delbr":
            sw.cli("guest", "define", "ci", "--memory", 16, "--cloud-init", lab.dir)
        lab.spawn(*sw.words("guest", "start", "ci"), ns=sw.ns, stderr=subprocess.DEVNULL)
        lib.wait_until(lambda: os.path.exists(began), 5, "something slow is under way")
        lab.spawn(*sw.words(*words), ns=sw.ns, stderr=subprocess.DEVNULL)
        lib.wait_until(gone, 2, f"{words[0]} has begun")
        need(sw.stop() == 0, sw.log_tail())
        need(seen() == before, f"after {words[0]} there is {seen()}, not {before}")
        os.unlink(began)


def test_killed_restores(lab):
    """Even kill -9 leaves an existing interface as it was."""
    ours_only()
    sw = lab.switch(bridge=None)
    lab.veth("p9", lab.ns("z"))
    z = lib.Host(lab, "z", "packet", 99, "p9")
    z.configure(True, 1500)
    lib.sh("ethtool", "-K", "p9", "gro", "off", ns=sw.ns)
    before = snapshot(sw.ns, "p9")
    sw.bridge("br0")
    sw.addif("br0", "p9")
    sw.wait_forwarding("p9")
    sw.stop(signal.SIGKILL)
    unchanged(before, sw.ns, "p9", "after kill -9")
    stack_hears(sw.ns, "p9", z)


def test_daemon_killed(lab):
    """kill -9 under traffic; start again with the same commands."""
    ours_only()
    sw = lab.switch()
    a, b, t = lab.host("a"), lab.host("b"), lab.host("t", "tap")
    vm = lab.vm("vm0")
    lib.reaches(a.ns, t.ip4)
    for _ in range(2):
        srv = lab.spawn("ping", "-n", "-q", "-i", "0.002", "-c", "100000", b.ip4, ns=a.ns,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.1)
        sw.stop(signal.SIGKILL)
        srv.terminate()
        srv.wait()
        gone = ("ip", "-n", sw.ns, "link", "show", "br0")
        lib.wait_until(lambda: lib.sh(*gone, check=False).returncode, 3, "br0 goes")
        # an uplink is a plain interface again
        stack_hears(sw.ns, a.port, a)
        sw.start()
        need(sw.cli("show").stdout == "", "a bridge out of nowhere")
        sw.bridge("br0")
        for h in (a, b):
            sw.addif("br0", h.port)
        sw.addif("br0", "vm0")
        sw.addif("br0", f"tap:eth0,netns={t.ns},name={t.port}")
        t.configure(True, 1500)
        for p in (a.port, b.port, t.port, "vm0"):
            sw.wait_forwarding(p)
        lib.reaches(a.ns, b.ip4)
        lib.reaches(a.ns, t.ip4)
        vm.drain()
        f = lib.frame(lib.BCAST, a.mac, os.urandom(80))
        a.wire().send(f)
        need(vm.collect(lambda x: x == f), "the VM's port is dead after the restart")
    lib.tcp(a.ns, t.ns, t.ip4, 8 << 20)
    # and what the second life changed is put back as it was before the first
    sw.delif("br0", a.port)
    stack_hears(sw.ns, a.port, a)


def killed_with_its_guard(sw):
    guard, = lib.running(sw.ns, "bascule-guard")
    os.kill(guard, signal.SIGSTOP)
    sw.stop(signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    lib.wait_until(lambda: not lib.running(sw.ns, "bascule-guard"), 3, "the guard has ended")


def test_killed_with_its_guard(lab):
    """Nobody was left to remove the filters: whoever has the device next does."""
    ours_only()
    sw = lab.switch()
    lab.veth("p9", lab.ns("z"))
    z = lib.Host(lab, "z", "packet", 99, "p9")
    z.configure(True, 1500)
    before = snapshot(sw.ns, "p9")
    for spec in "p9", "pcap:p9,block=off":
        sw.stop()
        sw.start(prefix=("env", "BASCULE_NO_TCX=1"))
        sw.bridge("br0")
        sw.addif("br0", "p9")
        killed_with_its_guard(sw)
        need("clsact" in lib.sh("tc", "qdisc", "show", "dev", "p9", ns=sw.ns).stdout,
             "no filter is left")
        sw.start()
        unchanged(before, sw.ns, "p9", "the next daemon has begun")
        sw.bridge("br0")
        sw.addif("br0", spec)
        if "block" in spec:
            stack_hears(sw.ns, "p9", z)
        sw.delif("br0", "p9")
        stack_hears(sw.ns, "p9", z)
        need("clsact" not in lib.sh("tc", "qdisc", "show", "dev", "p9", ns=sw.ns).stdout,
             "our qdisc is left")


def test_another_has_it(lab):
    """What a daemon left that was killed with its guard is another's by now."""
    ours_only()
    sw = lab.switch()
    lab.veth("p9", lab.ns("z"))
    before = snapshot(sw.ns, "p9")
    sw.addif("br0", "p9")
    killed_with_its_guard(sw)
    other = lib.Bascule(lab, "2")
    other.start(prefix=("env", "BASCULE_NO_TCX=1"))
    other.bridge("br2")
    other.addif("br2", "p9")
    taken = snapshot(sw.ns, "p9")
    sw.start()
    unchanged(taken, sw.ns, "p9", "the first is back")
    need("clsact" in lib.sh("tc", "qdisc", "show", "dev", "p9", ns=sw.ns).stdout,
         "the filter of the one that has it is gone")
    need(other.stop() == 0, "the other one did not end well")
    sw.stop()
    sw.start()
    unchanged(before, sw.ns, "p9", "all have had it")


def test_left_for_another(lab):
    """What a daemon left is not for a namespace that has its number by now, and what else
    is called like its files hinders nobody."""
    ours_only()
    sw, other = lab.switch(), lab.ns("other")
    lab.veth("p9", lab.ns("z"))
    sw.addif("br0", "p9")
    killed_with_its_guard(sw)
    state = sw.sock.replace(".sock", ".state")
    number = os.stat(f"/run/netns/{other}").st_ino
    files = os.listdir(state)
    need(files, "nothing is left")
    for name in files:
        with open(os.path.join(state, name), "r+b") as f:  # it begins with the number
            f.write(number.to_bytes(8, sys.byteorder))
    index = lib.sh("cat", "/sys/class/net/p9/ifindex", ns=sw.ns).stdout.strip()
    lib.sh("ip", "-n", other, "link", "add", "x9", "index", index, "type", "veth")
    lib.sh("ip", "-n", other, "link", "set", "x9", "addrgenmode", "none")
    before = snapshot(other, "x9")
    os.mkfifo(os.path.join(state, "guard-1-1"))
    sw.ns = other
    sw.start()
    unchanged(before, other, "x9", "a daemon has begun in another namespace")
    need(not os.listdir(state), f"{os.listdir(state)}")


def start_at_once(sw):
    """kill -9, and the next daemon while the dying one still takes its devices down.
    What a machine that is busy with others needs for that is not the daemon's."""
    old, ended = sw.proc, []

    def watch():
        old.wait()
        ended.append(time.monotonic())
    t = threading.Thread(target=watch)
    t0 = time.monotonic()
    old.kill()
    t.start()
    try:
        sw.start()
    except lib.Failed:
        t.join()
        need(ended[0] - t0 > 3, f"refused, though it was gone after {ended[0] - t0:.1f} s")
        raise lib.Skip(f"the kernel took {ended[0] - t0:.1f} s to end a process")
    t.join()
    return time.monotonic() - t0


def test_killed_and_started_at_once(lab):
    """A service manager, or a hand, is quicker than the kernel with its bridges' taps."""
    ours_only()
    sw = lab.switch(bridge=None)
    longest = 0
    for _ in range(10):
        for br in ("br0", "br1"):
            sw.bridge(br)
            for t in range(3):
                sw.addif(br, f"tap:{br}t{t}")
        longest = max(longest, start_at_once(sw))
    print(f"     the longest start took {longest:.2f} s")
    # the same with a bridge of the kernel's that is adopted
    lib.sh("ip", "-n", sw.ns, "link", "add", "kbr", "type", "bridge")
    lib.sh("ip", "-n", sw.ns, "link", "set", "kbr", "up")
    lab.veth("p9", lab.ns("z"))
    lib.Host(lab, "z", "packet", 99, "p9").configure(True, 1500)
    lib.sh("ip", "-n", sw.ns, "link", "set", "p9", "master", "kbr")
    before = snapshot(sw.ns, "p9")
    for _ in range(5):
        sw.bridge("br0")
        sw.addif("br0", "tap:t0")
        sw.cli("adopt", "kbr")
        sw.wait_forwarding("p9")
        start_at_once(sw)
    unchanged(before, sw.ns, "p9", "after kill -9")


def test_tap_moves(lab):
    """The netdev of a tap port moves into a namespace: no failure.  The namespace
    is deleted: a failure, of that port only."""
    ours_only()
    sw = lab.switch()
    a = lab.host("a")
    sw.addif("br0", "tap:t0")
    link_up(sw.ns, "t0")
    lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.77/24", "dev", "t0")
    lib.reaches(a.ns, "10.9.0.77")
    extra = lab.ns("container")
    lib.sh("ip", "-n", sw.ns, "link", "set", "t0", "netns", extra, "name", "eth7")
    lib.sh("ip", "-n", extra, "addr", "add", "10.9.0.78/24", "dev", "eth7")
    link_up(extra, "eth7")
    sw.wait_forwarding("t0")
    lib.reaches(a.ns, "10.9.0.78")
    lib.tcp(a.ns, extra, "10.9.0.78", 8 << 20)
    # down and up in there is followed too
    link_up(extra, "eth7", "down")
    fails_with_reason(sw, "t0")
    need(lib.ping(a.ns, "10.9.0.78", 1, wait=0.3) == 100, "a tap set down answers")
    link_up(extra, "eth7")
    lib.reaches(a.ns, "10.9.0.78")
    lib.sh("ip", "netns", "del", extra)
    del lab.nss["container"]
    fails_with_reason(sw, "t0")
    need("delet" in lib.port_state(sw, "br0", "t0")[1], "the reason does not say deleted")
    b = lab.host("b", "tap")
    lib.reaches(a.ns, b.ip4)
    sw.delif("br0", "t0")
    # made in a namespace from the start: the switch does not keep that alive
    made = lab.ns("made")
    sw.addif("br0", f"tap:t1,netns={made}")
    lib.sh("ip", "-n", made, "addr", "add", "10.9.0.79/24", "dev", "t1")
    link_up(made, "t1")
    sw.wait_forwarding("t1")
    lib.reaches(a.ns, "10.9.0.79")
    link_up(made, "t1", "down")
    fails_with_reason(sw, "t1")
    link_up(made, "t1")
    lib.reaches(a.ns, "10.9.0.79")
    lib.sh("ip", "netns", "del", made)
    del lab.nss["made"]
    lib.wait_until(lambda: "delet" in lib.port_state(sw, "br0", "t1")[1], 3,
                   "the tap went with its namespace")
    lib.reaches(a.ns, b.ip4)
    sw.delif("br0", "t1")


lib.main()
