# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of adopted bridges share: a bridge of the kernel's with hosts, and
streams of numbered frames between these."""
import difflib
import os
import re
import struct
import threading
import time

import lib
from lib import need, sh

OUTAGE_MAX = 1.0
VM_MAC = lib.mac("02:09:00:00:00:77")
GROUP = lib.mac("01:00:5e:7f:00:01")


class Net:
    """A kernel bridge br0 with an address, three hosts and a VM's tap."""

    def __init__(self, lab, hosts=3, vm=True):
        self.lab, self.ns, self.hosts = lab, lab.ns("sw"), []
        lab.sysctl("sw", "net.ipv6.conf.default.accept_dad", 0)
        self.ip("link", "add", "br0", "type", "bridge")
        sh("sh", "-c", "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
           "[ ! -e $f ] || echo 0 >$f; done", ns=self.ns)
        self.ip("link", "set", "br0", "up")
        self.ip("addr", "add", "10.9.0.254/24", "dev", "br0")
        for i in range(1, hosts + 1):
            self.host(i)
        self.vm = lab.vm("vnet0", br=None) if vm else None
        if vm:
            self.ip("link", "set", "vnet0", "master", "br0")
        self.mac = lib.mac(self.read("br0", "address"))
        self.sw = lib.Bascule(lab)
        lab.sw = self.sw
        for h in self.hosts:
            lib.reaches(h.ns, "10.9.0.254")

    def host(self, n, master=True):
        h = lib.Host(self.lab, f"h{n}", "packet", n, f"p{n}")
        self.lab.veth(h.port, h.ns)
        h.configure(True, 1500)
        if master:
            self.ip("link", "set", h.port, "master", "br0")
        self.hosts.append(h)
        return h

    def ip(self, *args, **kw):
        return sh("ip", "-n", self.ns, *args, **kw)

    def bridge(self, *args, **kw):
        return sh("bridge", "-n", self.ns, *args, **kw)

    def read(self, dev, what):
        return sh("cat", f"/sys/class/net/{dev}/{what}", ns=self.ns).stdout.strip()

    def adopt(self, *args, **kw):
        return self.sw.cli("adopt", "br0", *args, **kw)

    def ports(self):
        return {p["name"]: p["state"] for p in self.sw.json("port", "show", "br0")}

    def snapshot(self):
        """What other tools show, but for running timers."""
        out = [self.ip("-d", "link").stdout, self.bridge("-d", "link").stdout,
               self.ip("addr").stdout]
        for dev in sorted(x.split("@")[0] for x in
                          re.findall(r"^\d+: (\S+):", out[0], re.M)):
            out.append(sh("tc", "-n", self.ns, "qdisc", "show", "dev", dev).stdout)
            for hook in ("ingress", "egress"):
                out.append(sh("tc", "-n", self.ns, "filter", "show", "dev", dev, hook,
                              check=False).stdout)
        fdb = self.bridge("fdb", "show", "br", "br0").stdout.splitlines()
        out += sorted(x for x in fdb if "permanent" in x or "static" in x)
        text = "\n".join(out)
        return re.sub(r"_timer +[0-9.]+|fdb_n_learned \d+", "", text)

    def same(self, before):
        """True if nothing is left behind; else a text is printed at the end."""
        after = self.snapshot()
        self.left = "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(),
                                                   lineterm="", n=0))
        return after == before

    def reach_all(self, limit=3):
        for h in self.hosts:
            lib.reaches(h.ns, "10.9.0.254", limit)
            lib.reaches(self.ns, h.ip4, limit)
            for o in self.hosts:
                if o is not h:
                    lib.reaches(h.ns, o.ip4, limit)


class VmEnd:
    def __init__(self, vm):
        self.vm = vm

    def close(self):
        pass  # the VM goes on

    def send(self, data):
        self.vm.send(data)

    def recv(self):
        r = self.vm.recv()
        return r and r[1]


class Streams:
    """Numbered frames at 1 kHz on several ways at once.  What counts as an outage
    is the time in which frames were sent of which none arrived."""

    def __init__(self, net):
        self.ends, self.over, self.sent = {}, threading.Event(), []
        self.tag = os.urandom(4)  # on a busy machine frames of an earlier one may be late
        for h in net.hosts:
            self.ends[h.name] = lib.Wire(h.ns, h.dev)
        self.ends["br0"] = lib.Wire(net.ns, "br0")
        macs = {h.name: h.mac for h in net.hosts}
        macs["br0"] = net.mac
        if net.vm:
            net.vm.drain()
            self.ends["vm"] = VmEnd(net.vm)
            macs["vm"] = VM_MAC
        first = net.hosts[0].name
        # (name, from, frame without number, to)
        self.way = [("broadcast", first, lib.frame(lib.BCAST, macs[first]),
                     [x for x in self.ends if x != first]),
                    ("multicast", first, lib.frame(GROUP, macs[first]),
                     [x for x in self.ends if x != first])]
        for a, b in (("h2", "h3"), ("h3", "br0"), ("br0", "h2"), ("vm", "h1"), ("h1", "vm"),
                     ("br0", "vm"), ("vm", "br0")):
            if a in self.ends and b in self.ends:
                self.way.append((f"{a} to {b}", a, lib.frame(macs[b], macs[a]), [b]))
        self.got = {(i, to): {} for i, w in enumerate(self.way) for to in w[3]}
        for name, end in self.ends.items():  # so that all tables know all addresses
            end.send(lib.frame(lib.BCAST, macs[name], bytes(50)))
        self.t = threading.Thread(target=self._run)
        self.t.start()
        time.sleep(0.3)

    def _drain(self):
        for name, end in self.ends.items():
            for _ in range(400):
                f = end.recv()
                if f is None:
                    break
                if f[12:14] == b"\x88\xb5" and f[14:18] == self.tag:
                    way, seq = struct.unpack("!HI", f[18:24])
                    k = self.got.get((way, name))
                    if k is not None:
                        k[seq] = k.get(seq, 0) + 1

    def _run(self):
        begin, seq = time.monotonic(), 0
        while not self.over.is_set():
            due = begin + seq / 1000
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            for i, (_, src, head, _to) in enumerate(self.way):
                try:
                    self.ends[src].send(head + self.tag + struct.pack("!HI", i, seq) + bytes(40))
                except OSError:
                    pass  # a device that is just changing hands
            self.sent.append(time.monotonic())
            seq += 1
            if seq % 20 == 0:
                self._drain()

    def end(self, what):
        """No frame twice; the longest outage in seconds."""
        time.sleep(0.5)
        self.over.set()
        self.t.join()
        time.sleep(0.2)
        self._drain()
        for end in self.ends.values():
            end.close()
        worst, lost = ("", 0.0), 0
        for (i, to), got in self.got.items():
            name = f"{self.way[i][0]} at {to}"
            twice = [s for s, n in got.items() if n > 1]
            need(not twice, f"{what}: {len(twice)} frames of {name} came twice: {twice[:5]}")
            last = self.sent[0]
            for seq, t in enumerate(self.sent):
                if seq not in got:
                    lost += 1
                    if t - last > worst[1]:
                        worst = (name, t - last)
                else:
                    last = t
        print(f"     {what}: longest outage {worst[1] * 1e3:.0f} ms ({worst[0]}), {lost} of "
              f"{len(self.sent) * len(self.got)} frames lost, none twice")
        need(worst[1] < OUTAGE_MAX, f"{what}: {worst[0]} was out for {worst[1]:.2f} s")
        return worst[1]


def guards(net):
    return lib.running(net.ns, "bascule-guard")


def conf(net, text, name="f.yaml"):
    return net.lab.write(name, f"bascule:\n  bridges:\n    {text}\n")
