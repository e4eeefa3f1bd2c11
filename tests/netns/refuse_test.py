#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What cannot be done is refused with one clear sentence and exit code 1, and
nothing is half-made: missing and taken devices, a second daemon, no /dev/net/tun,
no privilege, no descriptors left."""
import os
import time

import lib
from lib import need, refused


def ours_only():
    if lib.KERNEL:
        raise lib.Skip("the sentences are Bascule's")


def ports_of(sw, br="br0"):
    return [p["name"] for p in sw.json("port", "show", br) if p["name"] != br]


def test_devices(lab):
    ours_only()
    sw = lab.switch()
    a, b = lab.host("a"), lab.host("b", "tap")

    def add(spec, br="br0"):
        return sw.cli("addif", br, spec, check=False)
    refused(add("nope0"), "interface nope0 does not exist!")
    refused(add(a.port, "br7"), "bridge br7 does not exist!")
    refused(add(a.port), a.port, "already a member of a bridge",
            "can't add it to bridge br0")
    sw.bridge("br1")
    refused(add(a.port, "br1"), "already a member of a bridge")
    refused(add("br1"), "bridge device", "br1")
    # one that the kernel's bridge has
    kbr = lib.KernelBridge(lab)
    kbr.bridge("kbr")
    lab.veth("k1", lab.ns("k"))
    kbr.addif("kbr", "k1")
    refused(add("k1"), "k1", "bridge")
    refused(add("kbr"), "bridge device", "kbr")
    refused(add("lo"), "lo")
    refused(add("tap:" + "x" * 16), "x" * 16)
    refused(add("bogus:x"), "bogus")
    refused(add("tap:t9,colour=red"), "colour")
    refused(add("tap:t9,netns=nowhere"), "nowhere")
    refused(add(f"tap:t8,name={a.port}"), a.port)
    refused(add("tap:k1"), "k1")
    refused(sw.cli("addbr", "br0", check=False), "br0", "already exists")
    refused(sw.cli("addbr", "k1", check=False), "k1", "already exists")
    refused(sw.cli("addbr", "a/b", check=False), "a/b")
    refused(sw.cli("delbr", "br7", check=False), "bridge br7 doesn't exist; can't delete it")
    refused(sw.cli("delif", "br0", "k1", check=False), "device k1 is not a port of br0")
    have = ports_of(sw)
    need(have == [a.port, b.port], f"half-made ports: {have}")
    left = lib.sh("ip", "-n", sw.ns, "-br", "link").stdout
    need("t9" not in left and "t8" not in left, f"half-made devices: {left}")
    need(lib.ping(a.ns, b.ip4, 3) == 0, "the refusals hurt others")


def test_names(lab):
    """Words of commands can be names; what no command could name, or the kernel does not
    take, cannot."""
    ours_only()
    sw = lab.switch()
    for name in ("all", "default", "show", "why", "tcn", "mcheck", "on", "off", "dev", "br",
                 "master", "self", "help", "events", "-x", "-"):
        sw.cli("addbr", name, "--no-local")
        sw.cli("bridge", "set", name, "stp", "on")
        sw.cli("addif", name, f"mem:{name}.")
        sw.cli("port", "set", f"{name}.", "isolated", "on")
        need([b["name"] for b in sw.json("bridge", "show", name)] == [name], name)
        need(sw.json("port", "show", name)[0]["isolated"], f"{name}.")
        sw.cli("stp", "show", name)
        sw.cli("delif", name, f"{name}.")
        sw.cli("delbr", name)
        sw.cli("addif", "br0", f"mem:{name}")
        sw.cli("port", "set", name, "isolated", "on")
        need(name in ports_of(sw), f"{name} is no port")
        sw.cli("delif", "br0", name)
    for name in "all", "default":
        refused(sw.cli("addbr", name, check=False), f"no interface be called {name}", "--no-local")
        refused(sw.cli("addif", "br0", f"tap:{name}", check=False),
                f"no interface be called {name}: choose another name")
    refused(sw.cli("addif", "br0", "mem:--force", check=False),
            "'--force' cannot be a port's name: it begins as options of commands do")
    for name in ".", "..":
        refused(sw.cli("addbr", name, check=False), f"'{name}' cannot be a bridge's name")
        refused(sw.cli("adopt", name, check=False), f"'{name}' cannot be a bridge's name")
        refused(sw.cli("addif", "br0", f"mem:{name}", check=False),
                f"'{name}' cannot be a port's name")
    refused(sw.cli("addbr", "", check=False), "a bridge's name must not be empty")
    refused(sw.cli("events", "foo", check=False), "events: there are no events foo; usage: "
            "bascule events [fdb|port|stp|guest|all]")
    path = os.path.join(lab.dir, "names.yaml")
    for text, words in (("{--force: {}}", "names.yaml:1:21: --force: '--force' cannot be a "
                         "bridge's name: it begins as"),
                        ("{all: {}}", "names.yaml:1:21: "),
                        ("{br1: {ports: ['tap:default']}}", "names.yaml:1:35: ")):
        with open(path, "w") as f:
            f.write(f"bascule: {{bridges: {text}}}\n")
        refused(sw.cli("apply", path, check=False), words)
    for name, why in ("..", ""), ("sixteen-letters-", ": it is longer than 15 characters"), \
                     ("a b", ": it contains ' '"), ("a/b", ": it contains '/'"):
        words = f"'{name}' cannot be a bridge's name{why}"
        for text, how in ((f"bascule: {{bridges: {{'{name}': {{}}}}}}", ["apply"]),
                          (f"network: {{bridges: {{'{name}': {{}}}}}}", ["apply"]),
                          (f"bridges: {{'{name}': {{}}}}", ["lab", "up"])):
            with open(path, "w") as f:
                f.write(text + "\n")
            refused(sw.cli(*how, path, check=False), f"names.yaml:1:{text.index(name)}: {name}: "
                    + words)
        refused(sw.cli("guest", "define", "g1", "--net", name, check=False), f"--net: {words}")
        refused(sw.cli("addbr", name, check=False), words)
    need([b["name"] for b in sw.json("bridge", "show")] == ["br0"] and not ports_of(sw), "left")


def test_second_daemon(lab):
    ours_only()
    sw = lab.switch()
    a, b = lab.host("a"), lab.host("b")
    vm = lab.vm("vm0")
    second = lib.Bascule(lab, "2")
    second.start()
    second.bridge("br2")
    for dev in (a.port, "vm0"):
        refused(second.cli("addif", "br2", dev, check=False), dev)
    need(ports_of(second, "br2") == [], "the second daemon has a port")
    refused(second.cli("addbr", "br0", check=False), "br0", "already exists")
    need(lib.ping(a.ns, b.ip4, 5) == 0, "the first daemon was hurt")
    # free again when the first lets go
    sw.delif("br0", a.port)
    second.addif("br2", a.port)
    second.wait_forwarding(a.port)
    refused(sw.cli("addif", "br0", a.port, check=False), a.port)
    need(second.stop() == 0, "the second daemon did not end well")
    sw.addif("br0", a.port)
    lib.reaches(a.ns, b.ip4)
    vm.drain()
    # same socket
    r = lib.sh(os.path.join(lib.BUILD, "basculed"), "--socket", sw.sock, ns=sw.ns, check=False,
               timeout=10)
    need(r.returncode == 1 and sw.sock in r.stderr, f"exit {r.returncode}: {r.stderr}")
    print(f"     {r.stderr.strip()}")
    need(sw.cli("show").returncode == 0, "the first daemon lost its socket")
    need(lib.ping(a.ns, b.ip4, 3) == 0, "the first daemon was hurt")


def test_no_tun(lab):
    """Without /dev/net/tun: no taps, but everything else."""
    ours_only()
    sw = lab.sw = lib.Bascule(lab)
    sw.start(prefix=("unshare", "-m", "sh", "-c",
                     'mount -t tmpfs none /dev/net && exec "$@"', "sh"))
    refused(sw.cli("addbr", "br0", check=False), "/dev/net/tun")
    need(sw.cli("show").stdout == "", "a half-made bridge")
    sw.bridge("br0", "--no-local")
    refused(sw.cli("addif", "br0", "tap:t0", check=False), "/dev/net/tun")
    a, b = lab.host("a"), lab.host("b")
    lib.reaches(a.ns, b.ip4)


def test_no_privilege(lab):
    """As nobody: a sentence that says what is missing; mem ports work."""
    ours_only()
    sw = lab.sw = lib.Bascule(lab)
    os.chmod(lab.dir, 0o777)
    sw.start(prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                     "--inh-caps", "-all", "--bounding-set", "-all"))
    lab.veth("p9", lab.ns("z"))
    refused(sw.cli("addbr", "br0", check=False))
    sw.bridge("br0", "--no-local")
    refused(sw.cli("addif", "br0", "tap:t0", check=False))
    r = sw.cli("addif", "br0", "p9", check=False)
    refused(r, "p9")
    need("CAP_NET" in r.stderr or "root" in r.stderr or "permitted" in r.stderr, r.stderr)
    need(ports_of(sw) == [], "a half-made port")
    sw.addif("br0", "mem:m0")
    sw.addif("br0", "mem:m1")
    sw.cli("mem", "inject", "m0", lib.frame(lib.BCAST, b"\x02" * 6, bytes(46)).hex())
    lab.counted("m1", "tx_frames", 1)


def test_descriptors(lab):
    """No descriptors left: a sentence, and what is there goes on."""
    ours_only()
    sw = lab.sw = lib.Bascule(lab)
    sw.start(prefix=("prlimit", "--nofile=64:64"))
    sw.bridge("br0")
    a, b = lab.host("a", "tap"), lab.host("b")
    lib.reaches(a.ns, b.ip4)
    n, r = 0, None
    while n < 100:
        r = sw.cli("addif", "br0", f"tap:x{n}", check=False, timeout=10)
        if r.returncode:
            break
        n += 1
    refused(r, "too many open files")
    need(n >= 3, f"only {n} taps with 64 descriptors")
    need(len(ports_of(sw)) == n + 2, "a half-made port")
    need(lib.ping(a.ns, b.ip4, 5) == 0, "the data path suffers")
    for i in range(3):
        sw.delif("br0", f"x{i}")
    time.sleep(0.1)
    sw.addif("br0", "tap:again")


def test_too_few_descriptors(lab):
    """A daemon that could not even start its threads says so instead."""
    ours_only()
    path = os.path.join(lab.dir, "few")
    for n in (10, 12, 20, 31):
        r = lib.sh("prlimit", f"--nofile={n}:{n}", os.path.join(lib.BUILD, "basculed"),
                   "--socket", path, check=False, timeout=10)
        refused(r, f"only {n} file descriptors", "ulimit")
    need(not os.path.exists(path), "a socket is left behind")


def test_arguments(lab):
    """What is asked for wrongly is refused and changes nothing."""
    ours_only()
    sw = lab.sw = lib.Bascule(lab)
    sw.start()
    sw.bridge("br0", "--no-local")
    sw.addif("br0", "mem:m0")
    sw.addif("br0", "mem:m1")
    sw.cli("fdb", "add", "02:00:00:00:00:01", "dev", "m0", "master", "dynamic")

    def wrong(args, *words):
        refused(sw.cli(*args, check=False), *words)
    # options that a command does not have
    wrong(("ping", "--now"), "ping", "--now")
    wrong(("setageing", "br0", "5", "--now"), "--now")
    wrong(("bridge", "set", "br0", "ageing", "5", "--no-local"), "--no-local")
    wrong(("addbr", "br1", "--force"), "--force")
    wrong(("addbr", "br1", "--"), "--")
    wrong(("-xj", "show"), "-x")
    wrong(("--json=yes", "show"), "--json=yes")
    # octets that would get lost: all ports were meant with one less argument
    wrong(("fdb", "flush", "dev", "br0", "\udcff"), "UTF-8")
    wrong(("addbr", "\udcff\udcfe"), "UTF-8")
    need(len(sw.json("fdb", "show", "brport", "m0")) == 1, "it was flushed all the same")
    # sentences that say what was wrong, in the units that were typed
    wrong(("setageing", "br0", "-1"), "out of range")
    wrong(("setageing", "br0", "6000.01"), "6000.01", "6000 seconds")
    wrong(("bridge", "set", "br0", "hello", "0"), "0.00", "1..10 seconds")
    wrong(("addif", "br0", 'mem:m2,name="x'), "quote is not closed")
    wrong(("addif", "br0", f"mem:m2,netns={sw.ns}" if sw.ns else "mem:m2,netns=1"), "netns=")
    wrong(("delif", "br0", "mem:m0"), "mem:m0 is not a port of br0", "names")
    r = sw.cli("-j", "show", "nosuch", check=False)
    refused(r, "nosuch")
    need(r.stdout == "", "an answer in spite of the error")
    need(ports_of(sw) == ["m0", "m1"], "something was made")
    need(sw.json("bridge", "show", "br0")[0]["ageing_time"] == 30000, "something was changed")


def test_closed_output(lab):
    """No place to print to: exit 1, and the socket does not become standard output."""
    ours_only()
    sw = lab.sw = lib.Bascule(lab)
    sw.start()
    sw.bridge("br0", "--no-local")
    exe = os.path.join(lib.BUILD, "bascule")
    for to in (">&-", ">/dev/full"):
        r = lib.sh("sh", "-c", f'exec "$0" -S "$1" bridge show {to}', exe, sw.sock, check=False,
                   timeout=10)
        refused(r, "standard output")
    need(sw.json("bridge", "show")[0]["name"] == "br0", "the daemon does not answer")


def test_collect_many(lab):
    """mem collect takes as many frames as it was asked for."""
    ours_only()
    sw = lab.sw = lib.Bascule(lab)
    sw.start()
    sw.bridge("br0", "--no-local")
    sw.addif("br0", "mem:m0")
    sw.addif("br0", "mem:m1")
    sw.wait_forwarding("m1")
    sw.cli("mem", "inject", "m0", lib.frame(lib.BCAST, b"\x02" * 6, bytes(46)).hex(), "1000")
    lab.counted("m1", "tx_frames", 1000)
    need(len(sw.json("mem", "collect", "m1", "700")) == 700, "not as many as asked for")
    need(len(sw.json("mem", "collect", "m1")) == 256, "not as many as help says")
    need(len(sw.cli("mem", "collect", "m1", "1000").stdout.split()) == 44, "not the rest")
    need(sw.json("mem", "collect", "m1") == [], "more than there were")


lib.main()
