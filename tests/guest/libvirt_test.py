#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real libvirtd whose guests are on Bascule's bridge: by a network that calls
ovs-vsctl, as virt-manager's list offers it, and by interfaces of type 'ethernet'
that a hook or a script makes ports.

libvirtd runs in the switch's namespace, with private folders over those of the
system; nothing of it is there before or after."""
import json
import os
import re
import shutil
import subprocess
import uuid

import guestlib
from guestlib import lib

NETWORK = """<network><name>lab</name><forward mode='bridge'/><bridge name='{br}'/>
<virtualport type='openvswitch'/></network>"""
OWN_NETWORK = """<network><name>own</name><bridge name='virbr9'/>
<ip address='10.77.0.1' netmask='255.255.255.0'>
<dhcp><range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip></network>"""
BY_NETWORK = "<interface type='network'><source network='lab'/>{more}"
HOOK = os.path.join(lib.ROOT, "packaging", "libvirt", "qemu-hook")
LEASES = os.path.join(lib.ROOT, "packaging", "libvirt", "leases")
QBOOT = f"<loader readonly='yes' type='rom'>{guestlib.QBOOT}</loader>"
DOMAIN = """<domain type='{type}'><name>{name}</name><uuid>{uuid}</uuid>
<memory unit='MiB'>128</memory><metadata>{metadata}</metadata>
<os><type arch='x86_64' machine='pc'>hvm</type>{loader}<kernel>{kernel}</kernel>
<initrd>{initrd}</initrd><cmdline>{cmdline}</cmdline></os>
<features><acpi/></features>
<devices><emulator>{qemu}</emulator>
{interface}<mac address='{mac}'/><model type='virtio'/><rom enabled='no'/></interface>
<serial type='unix'><source mode='bind' path='{serial}'/></serial>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""
# what libvirtd finds of the system is hidden by private folders; the user that guests
# would run as is not there without the package that makes a service of libvirtd; what
# libvirtd found out of QEMU, which takes it seconds, is kept with the guests' kernel
START = """set -e
for d in /run /var/lib /var/cache /var/log; do mount -t tmpfs none $d; done
mkdir /run/libvirt /var/lib/libvirt /var/cache/libvirt
mount --bind "$1/run" /run/libvirt
mount --bind "$1/state" /var/lib/libvirt
for f in passwd group; do cp /etc/$f /run/$f; done
echo libvirt-qemu:x:64055:64055::/:/bin/false >>/run/passwd
echo libvirt-qemu:x:64055: >>/run/group
for f in passwd group; do mount --bind /run/$f /etc/$f; done
mount --bind "$1/etc" /etc/libvirt
mount --bind "$2" /var/cache/libvirt
exec libvirtd -f "$1/libvirtd.conf" -p "$1/pid"
"""
LIBVIRTD_CONF = """unix_sock_dir = "{dir}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:stderr"
"""
QEMU_CONF = """security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
stdio_handler = "file"
"""


class Libvirt:
    """libvirtd beside the switch, and virsh."""

    def __init__(self, lab, hook=False):
        for tool in ("libvirtd", "virsh", "socat", "qemu-system-x86_64"):
            if not shutil.which(tool):
                raise lib.Skip(f"{tool} is not installed")
        if not os.path.isdir("/etc/libvirt"):
            raise lib.Skip("there is no /etc/libvirt")
        self.lab, self.sw = lab, lab.sw
        self.dir = os.path.join(lab.dir, "lv")
        self.bin = os.path.join(self.dir, "bin")
        self.hooks = os.path.join(self.dir, "etc", "hooks")
        self.log = os.path.join(self.dir, "log")
        self.cache = os.path.join(guestlib.image.cache(), "libvirt")
        self.proc = None
        for d in (self.bin, self.cache, os.path.join(self.dir, "run"),
                  os.path.join(self.dir, "state")):
            os.makedirs(d, exist_ok=True)
        os.makedirs(os.path.join(self.hooks, "qemu.d"))
        for name in ("ovs-vsctl", "bascule"):
            os.symlink(os.path.join(lib.BUILD, "bascule"), os.path.join(self.bin, name))
        if hook:  # libvirtd looks for it when it starts
            shutil.copy(HOOK, os.path.join(self.hooks, "qemu.d", "bascule"))
            self.write("etc/hooks/bascule.conf", f"BASCULE_SOCKET={self.sw.sock}\n")
        self.write("libvirtd.conf", LIBVIRTD_CONF.format(dir=self.dir))
        self.write("etc/qemu.conf", QEMU_CONF)
        self.start()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        env = dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}",
                   BASCULE_SOCKET=self.sw.sock)
        with open(self.log, "ab") as f:
            self.proc = self.lab.spawn("unshare", "-m", "--propagation", "private", "sh", "-c",
                                       START, "sh", self.dir, self.cache, ns=self.sw.ns, env=env,
                                       stdout=f, stderr=f)

        def ready():
            lib.need(self.proc.poll() is None, lambda: f"libvirtd ended: {self.said()[-2000:]}")
            return self.virsh("version", check=False).returncode == 0
        lib.wait_until(ready, 20, lambda: f"libvirtd answers: {self.said()[-2000:]}", step=0.1)

    def said(self):
        with open(self.log) as f:
            return f.read()

    def virsh(self, *args, check=True):
        return lib.sh("virsh", "-q", "-c",
                      f"qemu+unix:///system?socket={self.dir}/libvirt-sock", *args, check=check)

    def fails(self, *args):
        """What virsh says."""
        r = self.virsh(*args, check=False)
        lib.need(r.returncode != 0, f"virsh {' '.join(args)} succeeded")
        said = " ".join(r.stderr.split())
        print(f"     virsh {args[0]}: {said}", flush=True)
        return said

    def network(self, br="br0"):
        self.virsh("net-define", self.write("net.xml", NETWORK.format(br=br)))
        self.virsh("net-start", "lab")


class Guest(guestlib.Guest):
    """A guest of libvirt's; its console is at a socket."""

    def __init__(self, lv, name, interface, metadata=""):
        super().__init__(lv.lab, name, "", ns=None)
        self.lv = lv
        self.uuid = str(uuid.uuid4())
        self.serial_path = os.path.join(lv.dir, f"{name}.sock")
        kernel, initrd = self.images
        self.xml = DOMAIN.format(
            type="kvm" if guestlib.accelerators() else "qemu", name=name, uuid=self.uuid,
            metadata=metadata, kernel=kernel, initrd=initrd, mac=self.mac,
            loader=QBOOT if os.path.exists(guestlib.QBOOT) else "",
            qemu=shutil.which("qemu-system-x86_64"), cmdline=guestlib.KERNEL_ARGS,
            serial=self.serial_path, interface=interface)
        lv.virsh("define", lv.write(f"{name}.xml", self.xml))
        lv.lab.at_end(self.off)

    def command(self):
        return ["socat", "-", f"UNIX-CONNECT:{self.serial_path}"]

    def start(self):
        """Paused at first, so that nothing is said before somebody listens."""
        self.lv.virsh("start", self.name, "--paused")
        super().start()
        lib.wait_until(self.listening, 5, "the console is connected")
        self.lv.virsh("resume", self.name)

    def listening(self):
        r = lib.sh("ss", "-xH", "state", "connected", "src", self.serial_path, check=False)
        return bool(r.stdout.strip())

    def off(self):
        self.lv.virsh("destroy", self.name, check=False)
        self.kill()

    def device(self):
        out = self.lv.virsh("domiflist", self.name).stdout.split()
        return out[0]

    def address(self, ip4):
        self.run(f"ip link set eth0 up && ip addr add {ip4}/24 dev eth0")
        self.ip4 = ip4


def port_names(sw, br="br0"):
    return [p["name"] for p in sw.json("port", "show", br) if p["no"]]


def lab_with_libvirt(lab, hook=False):
    if lib.KERNEL:
        raise lib.Skip("libvirt and the kernel's bridge are others' to test")
    lab.switch()
    lib.sh("ip", "-n", lab.sw.ns, "addr", "add", "10.9.0.200/24", "dev", "br0")
    return Libvirt(lab, hook)


def shows(lv, g, dev, host):
    """What virsh tells of an interface, and what Bascule does."""
    sw = lv.sw
    labels = lib.port_info(sw, "br0", dev)["labels"]
    lib.need(labels["attached-mac"] == g.mac and labels["vm-id"] == g.uuid and
             labels["iface-status"] == "active", f"labels of {dev}: {labels}")
    lib.reaches(sw.ns, g.ip4)
    r = lv.virsh("domifaddr", g.name, "--source", "arp", check=False)
    if "wrong nlmsg len" in r.stderr:  # libvirt cannot read the end of newer kernels' lists
        print(f"     domifaddr --source arp: {r.stderr.split(chr(10))[1]}", flush=True)
    else:
        lib.need(g.ip4 in r.stdout, f"domifaddr: {r.stdout!r} {r.stderr}")
    said = lv.virsh("domifstat", g.name, dev).stdout
    n = {k: int(v) for _, k, v in re.findall(r"(\S+) (\S+) (\d+)", said)}
    lib.need(n["rx_packets"] > 3 and n["tx_packets"] > 3, f"domifstat: {n}")
    got = json.loads(sw_vsctl(lv, "--if-exists", "--format=list", "--data=json", "--no-headings",
                              "--columns=statistics", "list", "Interface", dev))
    lib.need(dict(got[1])["rx_packets"] > 3, f"statistics: {got}")
    lib.reaches(host.ns, g.ip4)


def sw_vsctl(lv, *args, check=True):
    r = lib.sh(os.path.join(lv.bin, "ovs-vsctl"), f"--db=unix:{lv.sw.sock}", *args, ns=lv.sw.ns,
               check=check)
    return r.stdout if check else r


def test_network(lab):
    lv = lab_with_libvirt(lab)
    host = lab.host("h")
    lv.network()
    g = Guest(lv, "vm1", BY_NETWORK.format(more=""))
    print(f"     guest is up after {g.boot():.1f} s", flush=True)
    dev = g.device()
    lib.need(dev in port_names(lab.sw), f"{dev} is no port: {port_names(lab.sw)}")
    lab.sw.wait_forwarding(dev)
    g.address("10.9.0.100")
    g.ping(host.ip4)
    shows(lv, g, dev, host)

    # another card while it runs, and away again
    lv.virsh("attach-interface", "vm1", "network", "lab", "--model", "virtio", "--mac",
             "52:54:00:00:00:77", "--target", "hot0")
    lib.need("hot0" in port_names(lab.sw), "the second card is no port")
    g.run("for i in $(seq 50); do [ -e /sys/class/net/eth1 ] && break; usleep 100000; done; "
          "ls -d /sys/class/net/eth1")
    lv.virsh("detach-interface", "vm1", "bridge", "--mac", "52:54:00:00:00:77")
    lib.wait_until(lambda: "hot0" not in port_names(lab.sw), 10, "the second card's port is gone")

    # libvirtd comes back after basculed, which knew nothing any more
    lab.sw.delif("br0", dev)
    lv.proc.terminate()
    lv.proc.wait(10)
    lv.start()
    # it looks after its guests once it answers
    lib.wait_until(lambda: dev in port_names(lab.sw), 10, f"{dev} is a port again")
    lab.sw.wait_forwarding(dev)
    g.ping(host.ip4)

    for again in (True, False):
        g.off()
        lib.need(port_names(lab.sw) == [host.port], f"ports left: {port_names(lab.sw)}")
        if again:
            lv.virsh("start", "vm1", "--paused")
            lib.need(g.device() in port_names(lab.sw), "started again, it is no port")
    guestlib.no_warnings(lab.sw)


def test_as_printed(lab):
    """libvirt takes what `bascule guest xml` prints, and Bascule gets the frames."""
    lv = lab_with_libvirt(lab)
    sw = lab.sw
    lv.network()
    g = Guest(lv, "vm10", BY_NETWORK.format(more=""))
    sw.addif("br0", "stream:127.0.0.1:4000,listen=on,name=tcp")
    sw.cli("guest", "define", "p", "--net", "br0", "--net", "br0,kind=stream")
    text = sw.cli("guest", "xml", "p").stdout
    macs = [n["mac"] for n in sw.json("guest", "show", "p")["nets"]]
    for i, part in enumerate(re.findall(r"<!--.*?</interface>", text, re.S)):
        lv.virsh("attach-device", "vm10", lv.write(f"{i}.xml", part), "--config")
    g.boot()
    lib.need(len(port_names(sw)) == 3, f"ports: {port_names(sw)}")
    g.run("for i in 0 1 2; do ip link set eth$i up; done")
    labels = [lib.port_info(sw, "br0", p).get("labels", {}) for p in port_names(sw)]
    lib.need(macs[0] in [x.get("attached-mac") for x in labels], str(labels))

    def heard():
        return {x["mac"]: x["ifname"] for x in sw.json("fdb", "show", "br", "br0")}.get(macs[1])
    lib.wait_until(lambda: heard() == "tcp", 10, lambda: sw.cli("fdb", "show", "br", "br0").stdout)
    g.off()


def tells_of(lv, name, *want, limit=5):
    """Waits until virsh names these addresses, of the guest that runs as of the network."""
    def column(n, *cmd):
        return [line.split()[n] for line in lv.virsh(*cmd).stdout.splitlines() if line]

    def told():
        return (column(3, "domifaddr", name) if name else [],
                column(4, "net-dhcp-leases", "lab"))
    # a network of this kind has no netmask, and so libvirt no prefix
    want = [f"{ip}/0" for ip in want]
    lib.wait_until(lambda: told() == (want if name else [], want), limit,
                   lambda: f"{want}: virsh says {told()}", step=0.2)


def test_leases(lab):
    """What Bascule has seen of the guest, virsh tells."""
    lv = lab_with_libvirt(lab)
    host = lab.host("h")
    lv.network()
    leases = lab.spawn(LEASES, "--socket", lab.sw.sock, "--state-dir",
                       os.path.join(lv.dir, "state", "dnsmasq"), "br0")
    g = Guest(lv, "vm1", BY_NETWORK.format(more=""))
    g.boot()
    lab.sw.wait_forwarding(g.device())
    tells_of(lv, "vm1")
    lib.dhcp_server(lab, host.ns, "eth0")
    tells_of(lv, "vm1", g.dhcp())
    g.run("ip addr add fd00::100/64 dev eth0")
    lib.sh("ip", "-n", host.ns, "addr", "add", "fd00::1/64", "dev", "eth0", "nodad")
    lib.reaches(host.ns, "fd00::100", 10)
    tells_of(lv, "vm1", g.ip4, "fd00::100")
    print(f"     {lv.virsh('domifaddr', 'vm1').stdout.strip()}", flush=True)
    g.off()
    tells_of(lv, None)
    lv.virsh("start", "vm1", "--paused")
    tells_of(lv, "vm1")
    leases.terminate()
    lib.need(leases.wait(5) == 0, "it did not end well")
    lib.need(os.listdir(os.path.join(lv.dir, "state", "dnsmasq")) == [], "the file is left")


def test_leases_of_libvirt(lab):
    """Where libvirt has a DHCP server of its own, the file is that one's."""
    lv = lab_with_libvirt(lab)
    if not shutil.which("dnsmasq"):
        raise lib.Skip("dnsmasq is not installed")
    lv.virsh("net-define", lv.write("own.xml", OWN_NETWORK))
    lv.virsh("net-start", "own")
    folder = os.path.join(lv.dir, "state", "dnsmasq")
    before = os.stat(os.path.join(folder, "virbr9.status"))
    r = lib.sh(LEASES, "--socket", lab.sw.sock, "--state-dir", folder, "virbr9", check=False)
    lib.need(r.returncode == 2 and os.path.join(folder, "own.conf") in r.stderr, f"{r}")
    lib.need(os.stat(os.path.join(folder, "virbr9.status")) == before, "it was changed")
    lv.virsh("net-destroy", "own")


def by_ethernet(lv, host, g, dev):
    lab = lv.lab
    g.boot()
    lib.need(g.device() == dev, g.device())
    lab.sw.wait_forwarding(dev)
    g.address("10.9.0.101")
    g.ping(host.ip4)
    g.off()
    lib.need(dev not in port_names(lab.sw), f"{dev} is still a port")
    left = lib.sh("ip", "-n", lab.sw.ns, "link", "show", dev, check=False)
    lib.need(left.returncode != 0, f"{dev} is still there")


def bridge_mac(sw):
    return lib.sh("ip", "-n", sw.ns, "-j", "link", "show", "br0").stdout.split('"address":"')[1][:17]


def hook_of_vnet(lv, host):
    """A tap of libvirt's with a name of libvirt's own, which it does not tell when the
    guest ends."""
    sw = lv.sw
    g = Guest(lv, "vm2", "<interface type='ethernet'>")

    def says(meta):
        lv.virsh("metadata", "vm2", "urn:bascule", "--config", "--key", "bascule", "--set", meta)
    says(f"<ports><port bridge='br0' mac='{g.mac.upper()}' isolated='yes'/></ports>")
    sw.addif("br0", "mem:mine")
    sw.cli("port", "label", "mine", f"vm-id={g.uuid}")  # not the hook's, which leaves it alone
    for _ in range(2):
        lv.virsh("start", "vm2", "--paused")
        info = lib.port_info(sw, "br0", g.device())
        lib.need(info["isolated"], "the port is not isolated")
        lib.need(info["labels"]["vm-id"] == g.uuid and info["labels"]["attached-mac"] == g.mac,
                 str(info["labels"]))
        # what it was started with counts, not what the metadata has become meanwhile
        lv.virsh("metadata", "vm2", "urn:bascule", "--live", "--key", "bascule", "--set", "<nix/>")
        g.off()
        lib.need(port_names(sw) == [host.port, "mine"], f"ports left: {port_names(sw)}")
    guestlib.no_warnings(sw)  # of taps that went with the guest
    sw.delif("br0", "mine")

    for meta, words in (
            ("<port bridge='br0' isolated='maybe'/>", "isolated is yes or no"),
            ("<port bridge='br0' vlan='5'/>", "there is no vlan="),
            ("<prt bridge='br0'/>", "<prt bridge='br0'>: <port> or <ports> is expected"),
            ("<ports><prt bridge='br0'/></ports>", "<prt bridge='br0'>: <port> or <ports>"),
            ("<ports/>", "<ports>: one or more"),
            ("<ports bridge='br0'/>", "<ports bridge='br0'>: one or more"),
            ("<port bridge='br0'><port bridge='br1'/></port>", "nothing can be in it"),
            ("<port dev='vm1'/>", "it needs bridge='NAME'"),
            ("<port bridge='br0' dev='nosuch'/>", "dev='nosuch'>: the guest has no such interface"),
            ("<port bridge='br0' mac='52:54:00:99:99:99'/>", "the guest has no such interface"),
            ("<ports><port bridge='br0'/><port bridge='br9'/></ports>", "are for one interface")):
        says(meta)
        lib.need(words in lv.fails("start", "vm2"), f"{meta}: no {words!r}")
        lib.need(port_names(sw) == [host.port], f"ports left: {port_names(sw)}")


def test_hook(lab):
    """Taps that libvirt makes, and one that the hook makes."""
    lv = lab_with_libvirt(lab, hook=True)
    host = lab.host("h")
    hook_of_vnet(lv, host)
    meta = "<b:port xmlns:b='urn:bascule' bridge='br0'{}/>"
    g = Guest(lv, "vm3", "<interface type='ethernet'><target dev='t3' managed='no'/>",
              meta.format(" dev='t3'"))
    before = bridge_mac(lab.sw)
    lv.virsh("start", "vm3", "--paused")
    tap = lib.sh("ip", "-n", lab.sw.ns, "link", "show", "t3").stdout
    lib.need("fe" + g.mac[2:] in tap and bridge_mac(lab.sw) == before,
             f"br0 was {before} and is {bridge_mac(lab.sw)}; {tap}")
    g.off()
    by_ethernet(lv, host, g, "t3")
    g = Guest(lv, "vm4", "<interface type='ethernet'>", meta.format("").replace("br0", "br9"))
    said = lv.fails("start", "vm4")
    lib.need("br9" in said, "the hook's sentence is not shown")
    lib.need(port_names(lab.sw) == [host.port], f"ports left: {port_names(lab.sw)}")


PORT = "<b:port xmlns:b='urn:bascule' bridge='br0'/>"


def ethernet(dev, managed="yes"):
    return f"<interface type='ethernet'><target dev='{dev}' managed='{managed}'/>"


def links(sw):
    return [x["ifname"] for x in json.loads(lib.sh("ip", "-n", sw.ns, "-j", "link").stdout)]


def launched(lab, name, more=""):
    """A guest that Bascule runs."""
    lab.sw.cli("guest", "define", name, "--memory", "32", "--net", f"br0{more}", "--qemu-arg", "-S")
    lab.sw.cli("guest", "start", name)
    lab.at_end(lambda: lab.sw.cli("guest", "kill", name, check=False))


def test_hook_of_others(lab):
    """A port of the interface's name that stands on something else is not the hook's to
    take, nor to take away."""
    lv = lab_with_libvirt(lab, hook=True)
    sw = lab.sw
    launched(lab, "st", ",kind=stream")
    launched(lab, "web")
    for spec in ("mem:hkm", "mem:vnet0", "tap:own"):
        sw.addif("br0", spec)
    before, there = sorted(port_names(sw)), links(sw)
    for dev, managed, words in (
            ("st", "yes", "port st of br0 is guest st's"),
            ("web", "no", "port web of br0 is guest web's"),
            ("hkm", "yes", "port hkm of br0 is of kind mem, not on the guest's interface hkm"),
            ("hkm", "no", "port hkm of br0 is of kind mem"),
            ("vnet0", None, "port vnet0 of br0 is of kind mem"),  # libvirt chooses that name
            ("own", "no", "port own of br0 is of kind tap")):
        g = Guest(lv, f"v{dev}{managed}",
                  ethernet(dev, managed) if managed else "<interface type='ethernet'>", PORT)
        said = lv.fails("start", g.name)
        lib.need(words in said, said)
        lib.need(sorted(port_names(sw)) == before and links(sw) == there,
                 f"{dev}: {port_names(sw)}, {links(sw)}")
        lib.need(lib.port_info(sw, "br0", dev)["labels"] == {}, f"{dev} is labelled")
    for name in ("st", "web"):
        lib.need(sw.json("guest", "show", name)["nets"][0]["attached"], f"{name} has no port")


def test_hook_of_the_users(lab):
    """A port that the user has put on the guest's interface serves it, and stays."""
    lv = lab_with_libvirt(lab, hook=True)
    sw = lab.sw
    lib.sh("ip", "-n", sw.ns, "tuntap", "add", "dev", "u1", "mode", "tap", "vnet_hdr")
    sw.addif("br0", "packet:u1,name=mine")
    g = Guest(lv, "vm12", ethernet("u1", "no"), PORT.replace("/>", " isolated='yes'/>"))
    lv.virsh("start", "vm12", "--paused")
    info = lib.port_info(sw, "br0", "mine")
    lib.need(port_names(sw) == ["mine"] and info["isolated"] and info["labels"] == {}, f"{info}")
    g.off()
    lib.need(port_names(sw) == ["mine"] and "u1" in links(sw), f"{port_names(sw)}, {links(sw)}")
    # by a name of a device's that is a word of ip's
    for dev in ("up", "type"):
        g = Guest(lv, f"v{dev}", ethernet(dev, "no"), PORT)
        lv.virsh("start", g.name, "--paused")
        lib.need(dev in port_names(sw), f"{dev} is no port")
        g.off()
        lib.need(port_names(sw) == ["mine"] and dev not in links(sw), f"{dev} is left")
    guestlib.no_warnings(sw)


def test_hook_undoes(lab):
    """What was made for a guest that then cannot start is gone again, and what another
    guest has stays."""
    lv = lab_with_libvirt(lab, hook=True)
    sw = lab.sw
    g = Guest(lv, "vm13", ethernet("t1", "no"), PORT)
    lv.virsh("start", "vm13", "--paused")
    Guest(lv, "vm14", ethernet("t1", "no") + f"<mac address='{g.mac[:-2]}e1'/></interface>" +
          ethernet("t2", "no"), PORT)
    lib.need("which runs" in lv.fails("start", "vm14"), "the hook's sentence is not shown")
    # the tap is made, and its address refused
    Guest(lv, "vm15", ethernet("t2", "no"), PORT)
    path = lv.write("ip", "#!/bin/sh\ncase $* in *address*) echo refused; exit 1;; esac\n"
                    f"exec {shutil.which('ip')} \"$@\"\n", 0o755)
    os.symlink(path, os.path.join(lv.bin, "ip"))
    lib.need("refused" in lv.fails("start", "vm15"), "the hook's sentence is not shown")
    lib.need(port_names(sw) == ["t1"] and "t1" in links(sw) and "t2" not in links(sw),
             f"{port_names(sw)}, {links(sw)}")
    os.unlink(os.path.join(lv.bin, "ip"))
    g.off()
    lib.need(port_names(sw) == [] and "t1" not in links(sw), f"{port_names(sw)}, {links(sw)}")


def test_hook_without_note(lab):
    """A device that nobody would find again is not made: one sentence, nothing left."""
    if lib.KERNEL:
        raise lib.Skip("the hook is ours")
    sw = lab.switch()
    xml = ("<domain><uuid>11111111-2222-3333-4444-555555555555</uuid><metadata>"
           "<b:port xmlns:b='urn:bascule' bridge='br0'/></metadata><devices>"
           "<interface type='ethernet'><mac address='52:54:00:00:00:01'/>"
           "<target dev='vm1' managed='no'/></interface></devices></domain>")
    r = subprocess.run(
        ["ip", "netns", "exec", sw.ns, "unshare", "-m", "sh", "-c",
         "mount -t tmpfs none /run && touch /run/bascule-libvirt && exec \"$@\"", "sh",
         HOOK, "web", "prepare", "begin", "-"], input=xml, capture_output=True, text=True,
        env=dict(os.environ, BASCULE=os.path.join(lib.BUILD, "bascule"), BASCULE_SOCKET=sw.sock))
    lib.need(r.returncode == 1 and
             r.stderr == "bascule: /run/bascule-libvirt/vm1: File exists\n", r.stderr)
    left = lib.sh("ip", "-n", sw.ns, "link").stdout
    lib.need("vm1" not in left, left)


def test_script(lab):
    """Without a hook: a script of two lines each way."""
    lv = lab_with_libvirt(lab)
    head = f"#!/bin/sh\nexport BASCULE_SOCKET={lab.sw.sock}\n"
    up = lv.write("up", f'{head}exec {lib.BUILD}/bascule addif br0 "$1"\n', 0o755)
    down = lv.write("down", f'{head}exec {lib.BUILD}/bascule delif br0 "$1"\n', 0o755)
    g = Guest(lv, "vm5", f"<interface type='ethernet'><target dev='t5'/><script path='{up}'/>"
              f"<downscript path='{down}'/>")
    lv.virsh("start", "vm5", "--paused")
    lib.need(port_names(lab.sw) == ["t5"], f"ports: {port_names(lab.sw)}")
    g.off()
    lib.need(port_names(lab.sw) == [], f"ports: {port_names(lab.sw)}")


def test_same_name(lab):
    """A tap for libvirt is to be called as that of a guest which Bascule runs: libvirt
    fails, and cleans up nothing that is not its own."""
    lv = lab_with_libvirt(lab)
    sw = lab.sw
    launched(lab, "web")
    Guest(lv, "vm11", "<interface type='bridge'><source bridge='br0'/>"
          "<virtualport type='openvswitch'/><target dev='web'/>")
    lv.fails("start", "vm11")
    lib.need(sw.json("guest", "show", "web")["nets"][0]["attached"] and
             port_names(sw) == ["web"], f"ports: {port_names(sw)}")
    r = sw_vsctl(lv, "del-br", "br0", check=False)
    lib.need(r.returncode == 1 and r.stderr.strip().endswith("guest kill): web") and
             port_names(sw) == ["web"], f"{r}")
    sw.cli("guest", "kill", "web")
    lib.need(port_names(sw) == [], f"ports left: {port_names(sw)}")
    lv.virsh("start", "vm11", "--paused")
    lib.need(port_names(sw) == ["web"], "the name is free, and libvirt's guest no port")
    lv.virsh("destroy", "vm11")
    lib.need(port_names(sw) == [], f"ports left: {port_names(sw)}")


def test_errors(lab):
    lv = lab_with_libvirt(lab)
    lv.network("br7")
    g = Guest(lv, "vm6", BY_NETWORK.format(more=""))
    lib.need("br7" in lv.fails("start", "vm6"), "the bridge that is missing is not named")
    lab.sw.bridge("br7")
    # what virt-manager calls a bridge device is the kernel's; with a type it is ours, too
    bridge = "<interface type='bridge'><source bridge='br7'/>"
    Guest(lv, "vm8", bridge)
    lib.need("br7" in lv.fails("start", "vm8"), "the bridge is not named")
    g8 = Guest(lv, "vm9", bridge + "<virtualport type='openvswitch'/>")
    lv.virsh("start", "vm9", "--paused")
    lib.need(g8.device() in port_names(lab.sw, "br7"), "the guest is no port")
    g8.off()
    # tags are refused, and nothing of it stays
    Guest(lv, "vm7", BY_NETWORK.format(more="<vlan><tag id='5'/></vlan>"))
    lib.need("br7" in lv.fails("start", "vm7"), "virsh does not say where it failed")
    lib.need("no VLAN filtering" in lv.said(), f"the log says nothing of VLANs: {lv.said()[-900:]}")
    lib.need(port_names(lab.sw, "br7") == [], "a port of the guest that did not start")
    # the daemon does not answer, then is not there
    lv.virsh("start", "vm6", "--paused")
    lib.need(len(port_names(lab.sw, "br7")) == 1, "the guest is no port")
    lab.sw.stop()
    g.off()  # nobody is there to be told, and that keeps nobody waiting
    lib.need("no basculed answers" in lv.said(), f"the log: {lv.said()[-900:]}")
    said = lv.fails("start", "vm6")
    lib.need("br7" in said, "virsh does not name the bridge")


guestlib.main()
