#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What people do to the ports of a bridge keeps working: tc, tcpdump, and a
firewall that drops what the host forwards."""
import os
import re
import shutil
import time

import lib
from lib import need


def test_tc_tbf(lab):
    """A token bucket on a port limits what leaves there, and only there."""
    sw = lab.switch()
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c", "tap")
    size = 16 << 20

    def through():
        """Octets that the bucket has let pass."""
        said = lib.sh("tc", "-n", sw.ns, "-s", "qdisc", "show", "dev", b.port).stdout
        return int(re.search(r"qdisc tbf .*\n Sent (\d+) bytes", said).group(1))
    for h in (b, c):
        lib.reaches(a.ns, h.ip4)
    lib.sh("tc", "-n", sw.ns, "qdisc", "add", "dev", b.port, "root", "tbf", "rate", "20mbit",
           "burst", "64k", "latency", "100ms")
    slow = lib.tcp(a.ns, b.ns, b.ip4, 3 << 20)
    need(slow < 30, f"tbf of 20 Mb/s let {slow:.0f} Mb/s pass")
    need(slow > 5, f"behind tbf of 20 Mb/s TCP crawls at {slow:.1f} Mb/s")
    n = through()
    need(n > 3 << 20, f"{n} octets went through the qdisc")
    for what, src, dst in (("the other direction", b, a), ("another port", a, c)):
        fast = lib.tcp(src.ns, dst.ns, dst.ip4, size)
        n = through() - n
        need(n < size / 8, f"{what}: {n} of {size} octets went through the bucket")
        n = through()
        need(fast > 30, f"{what} is slowed to {fast:.0f} Mb/s")
    lib.sh("tc", "-n", sw.ns, "qdisc", "del", "dev", b.port, "root")
    fast = lib.tcp(a.ns, b.ns, b.ip4, size)
    need(fast > 30, f"without tbf still {fast:.0f} Mb/s")


def test_tcpdump(lab):
    """tcpdump on a port sees both directions, each frame once."""
    sw = lab.switch()
    a, b = lab.host("a"), lab.host("b")
    lib.reaches(a.ns, b.ip4)
    out = os.path.join(lab.dir, "dump")
    with open(out, "w") as f:
        d = lab.spawn("tcpdump", "-i", a.port, "-n", "-l", "-U", "--immediate-mode", "icmp",
                      ns=sw.ns, stdout=f, stderr=f)
    lib.wait_until(lambda: "listening on" in open(out).read(), 5, "tcpdump listens")
    need(lib.ping(a.ns, b.ip4, 5) == 0, "ping loses while tcpdump runs")

    def seen(what):
        return sum(what in x for x in open(out).read().splitlines())
    lib.wait_until(lambda: seen("echo request") >= 5 and seen("echo reply") >= 5, 3,
                   lambda: open(out).read())
    time.sleep(0.1)
    need(seen("echo request") == 5 and seen("echo reply") == 5,
         f"{seen('echo request')} requests, {seen('echo reply')} replies for 5 pings")
    d.terminate()


def test_user_filter(lab):
    """A filter the user puts beside ours acts, and ours survives its removal."""
    sw = lab.switch()
    a, b = lab.host("a"), lab.host("b", "tap")
    lib.reaches(a.ns, b.ip4)
    tc = ["tc", "-n", sw.ns]
    lib.sh(*tc, "qdisc", "add", "dev", a.port, "clsact", check=False)
    # one instruction, "return 2": TC_ACT_SHOT
    lib.sh(*tc, "filter", "add", "dev", a.port, "egress", "protocol", "ip", "prio", "7",
           "bpf", "bytecode", "1,6 0 0 2", "direct-action")
    need(lib.ping(a.ns, b.ip4, 2, wait=0.5) == 100, "the user's egress filter does not act")
    lib.sh(*tc, "filter", "del", "dev", a.port, "egress", "prio", "7")
    lib.reaches(a.ns, b.ip4)
    if not lib.KERNEL:
        lib.sh("ip", "-n", sw.ns, "addr", "add", "10.9.0.222/24", "dev", a.port)
        need(lib.ping(a.ns, "10.9.0.222", 1, wait=0.5) == 100,
             "the host stack hears the port since the user's filter is gone")


def test_forward_drop(lab):
    """docker sets FORWARD to DROP and br_netfilter applies it to bridges; frames of
    a userspace bridge do not meet it."""
    if not shutil.which("iptables"):
        raise lib.Skip("iptables is not installed")
    ns = lab.ns("sw")
    r = lib.sh("iptables", "-P", "FORWARD", "DROP", ns=ns, check=False)
    if r.returncode:
        raise lib.Skip(f"iptables does not work here: {r.stderr.strip()[:80]}")
    nf = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    if lib.sh("test", "-e", nf, ns=ns, check=False).returncode:
        raise lib.Skip("this kernel has no br_netfilter")

    def use_netfilter():
        lib.sh("sh", "-c", f"echo 1 >{nf}", ns=ns)
    # the kernel's bridge, as control: the policy does bite
    kbr = lib.KernelBridge(lab)
    kbr.bridge("kbr")
    use_netfilter()
    ends = []
    for n in (1, 2):
        h = lib.Host(lab, f"k{n}", "packet", n, f"k{n}")
        lab.veth(h.port, h.ns)
        h.configure(True, 1500)
        kbr.addif("kbr", h.port)
        kbr.wait_forwarding(h.port)
        ends.append(h)
    need(lib.ping(ends[0].ns, ends[1].ip4, 2, wait=0.5) == 100,
         "FORWARD DROP does not stop the kernel's bridge: the test proves nothing")
    if lib.KERNEL:
        return
    lab.switch()
    use_netfilter()
    for ka, kb in (("packet", "packet"), ("tap", "packet")):
        a, b = lab.host(f"{ka}1{kb}", ka), lab.host(f"{ka}2{kb}", kb)
        lib.reaches(a.ns, b.ip4)
        lib.tcp(a.ns, b.ns, b.ip4, 4 << 20)


lib.main()
