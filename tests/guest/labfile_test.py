#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Labs of one file: up, used, down, whatever ends in between; and guests in a
configuration."""
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time

import guestlib
from guestlib import lib

LAB = """
lab: {name}
bridges:
  br0: {{addresses: [10.9.0.1/24], ageing: 100}}
  br1:
links:
  - [br0, br1]
uplink: {{interface: up0, bridge: br0}}
hosts:
  alice: {{bridge: br0, address: 10.9.0.2/24, gateway: 10.9.0.1}}
  bob: {{bridge: br1, address: 10.9.0.3/24, command: sleep 600}}
guests:
  vm1: {{kernel: {kernel}, initrd: {initrd}, memory: 128, nets: [br1],
        append: {args} bascule.ip=10.9.0.11/24{bios}}}
  vm2: {{kernel: {kernel}, initrd: {initrd}, memory: 128, nets: [br1], start: no}}
"""
BIOS = f", qemu-args: [-bios, {guestlib.QBOOT}]" if os.path.exists(guestlib.QBOOT) else ""


def cli(sw, *args, check=True, enter=None):
    words = [*enter, *sw.words(*args)] if enter else guestlib.from_outside(sw, *args)
    r = subprocess.run(words, capture_output=True, text=True, timeout=60)
    lib.need(not check or r.returncode == 0, lambda: f"{args}: exit {r.returncode}: {r.stderr}")
    return r


def begin(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no labs")
    sw = lab.switch(bridge=None)
    lab.veth("up0", lab.ns("wan"))
    lib.sh("ip", "-n", lab.ns("wan"), "link", "set", "eth0", "up")
    kernel, initrd = guestlib.made()
    name = f"l{os.getpid()}"
    path = lab.write("it.yaml", LAB.format(name=name, kernel=kernel, initrd=initrd,
                                            args=guestlib.KERNEL_ARGS, bios=BIOS))
    lab.at_end(lambda: sw.proc and cli(sw, "lab", "down", path, check=False))
    return sw, name, path


def devices(sw):
    return {d["ifname"] for d in json.loads(lib.sh("ip", "-n", sw.ns, "-j", "link").stdout)}


def nothing_left(sw, name, before):
    lib.need(cli(sw, "-j", "show").stdout.strip() in ("[]", "{}", ""), cli(sw, "show").stdout)
    lib.need(json.loads(cli(sw, "-j", "guest", "list").stdout) == [], "a guest is left")
    lib.need(f"{name}-" not in lib.sh("ip", "netns", "list").stdout, "a namespace is left")
    lib.need(devices(sw) == before, f"devices: {before} before, {devices(sw)} now")
    lib.need(not os.path.exists(sw.sock.replace(".sock", ".labs")), "its state is left")


def ended(pids):
    left = [p for p in pids if os.path.exists(f"/proc/{p}/ns/net")]
    lib.need(not left, f"processes left: {left}")


def test_lab(lab):
    sw, name, path = begin(lab)
    before = devices(sw)
    t0 = time.monotonic()
    said = cli(sw, "lab", "up", path).stdout
    print(f"     up in {time.monotonic() - t0:.1f} s")
    for word in ("bridge br0, spanning tree off", "guest vm1, running", "guest vm2, stopped",
                 "host alice 10.9.0.2/24", "br0-br1", "up0"):
        lib.need(word in said, f"no {word!r} in {said}")
    lib.sh("ping", "-c2", "-W2", "10.9.0.3", ns=f"{name}-alice")
    lib.reaches(f"{name}-alice", "10.9.0.11", limit=guestlib.BOOT)
    lib.sh("ping", "-c1", "-W2", "10.9.0.11", ns=sw.ns)  # from the bridge's own address
    lib.wait_until(lambda: "10.9.0.11" in cli(sw, "lab", "show", path).stdout, 5,
                   lambda: f"show says vm1's address: {cli(sw, 'lab', 'show', path).stdout}")
    bob = lib.sh("ip", "netns", "pids", f"{name}-bob").stdout.split()
    lib.need(bob and f"command runs, process {bob[0]}; log /" in
             cli(sw, "lab", "show", path).stdout, f"{bob}: {cli(sw, 'lab', 'show', path).stdout}")

    r = cli(sw, "lab", "up", path, check=False)
    lib.need(r.returncode == 1 and "is up already" in r.stderr, r.stderr)
    shown = json.loads(cli(sw, "-j", "lab", "show", name).stdout)
    lib.need([g["name"] for g in shown["guests"]] == ["vm1", "vm2"] and
             shown["bridges"][0]["bridge"]["ageing_time"] == 10000, str(shown))

    # a guest is killed, a namespace deleted by hand
    os.kill(sw.json("guest", "show", "vm1")["pid"], signal.SIGKILL)
    lib.wait_until(lambda: "guest vm1, stopped" in cli(sw, "lab", "show", path).stdout, 5,
                   "show says that vm1 has ended")
    for host in ("alice", "bob"):
        lib.sh("ip", "netns", "del", f"{name}-{host}")
    cli(sw, "lab", "down", path)
    ended(bob)
    nothing_left(sw, name, before)
    r = cli(sw, "lab", "down", path)
    lib.need("is not up" in r.stderr, r.stderr)


def test_quiet_end(lab):
    """A lab that is up, and taken down, is nothing to be warned of."""
    sw, name, path = begin(lab)
    before = devices(sw)
    cli(sw, "lab", "up", path)
    lib.need(sw.json("guest", "show", "vm1")["state"] == "running", "vm1 does not run")
    cli(sw, "lab", "down", path)
    nothing_left(sw, name, before)
    guestlib.no_warnings(sw)


def test_crash(lab):
    sw, name, path = begin(lab)
    before = devices(sw)
    cli(sw, "lab", "up", path)
    os.kill(sw.json("version")["pid"], signal.SIGKILL)
    sw.proc.wait(5)
    # without the daemon what can go goes, and the rest is said
    r = cli(sw, "lab", "down", path, check=False)
    lib.need(r.returncode == 1 and "does not answer" in r.stderr, r.stderr)
    lib.need(f"{name}-" not in lib.sh("ip", "netns", "list").stdout, "a namespace is left")
    sw.start()
    lib.need(sw.json("guest", "show", "vm1")["state"] == "running", "vm1 was not found")
    sw.bridge("br0", "--no-local")  # somebody else's, by chance of the same name
    cli(sw, "lab", "down", path)
    lib.need("br0" in cli(sw, "show").stdout, "the bridge of another daemon was removed")
    sw.cli("delbr", "br0")
    nothing_left(sw, name, before)


def test_refused(lab):
    """Nothing is made of a bad file, nor where something is in the way."""
    sw, name, path = begin(lab)
    before = devices(sw)

    def fails(p, *words):
        r = cli(sw, "lab", "up", p, check=False)
        lib.need(r.returncode == 1 and all(w in r.stderr for w in words), r.stderr)
    with open(path) as f:
        text = f.read()
    fails(lab.write("bad.yaml", text.replace("memory: 128", "memroy: 128")),
          "bad.yaml:13:", "did you mean memory?")
    fails(lab.write("bad.yaml", text.replace("up0", "up7")), "bad.yaml:8:", "up7")
    fails(lab.write("bad.yaml", text.replace("initrd: /", "initrd: /nowhere/")),
          "bad.yaml:13:3", "nowhere")
    for bad, words in (
            ("", "bad.yaml:1:1: empty; expected bridges: and"),
            ("{}", "bad.yaml:1:1: empty; expected bridges: and"),
            (text.replace("10.9.0.2/24", "10.9.0.1/16"),
             "10.9.0.1 is the address of br0 already, in"),
            (text.replace("10.9.0.3/24", "10.9.0.2/24"),
             "10.9.0.2 is the address of alice already, in"),
            (text.replace("10.9.0.3/24", "10.9.0.255/24"),
             "bad.yaml:11:31: 10.9.0.255/24 is its network's broadcast, which no host can have")):
        fails(lab.write("bad.yaml", bad), words)
    nothing_left(sw, name, before)
    sw.bridge("br1", "--no-local")
    fails(path, "it.yaml:5:3", "there is a bridge br1 already")
    sw.cli("delbr", "br1")
    lib.sh("ip", "-n", sw.ns, "tuntap", "add", "br1-br0", "mode", "tap")
    fails(path, "it.yaml:7:5", "there is an interface br1-br0 already")
    lib.sh("ip", "-n", sw.ns, "link", "del", "br1-br0")  # it is still there
    nothing_left(sw, name, before)


SMALL = """
lab: {name}
bridges: {{br0: {{}}, br1: {{}}}}
links: [[br0, br1]]
hosts:
  alice: {{bridge: br0, command: "sleep 600 & sleep 601"}}
  bob: {{bridge: br1, command: "echo no such luck; exit 3"}}
"""


def small(lab):
    sw, name, _ = begin(lab)
    path = lab.write("small.yaml", SMALL.format(name=name))
    lab.at_end(lambda: sw.proc and cli(sw, "lab", "down", path, check=False))
    return sw, name, path


def living(sw, name, host):
    state = os.path.join(sw.sock.replace(".sock", ".labs"), f"{name}.json")
    with open(state) as f:
        made = json.load(f)["made"]
    ns = next(m for m in made if m.get("host") == host)["netns"]["inode"]
    return [p for p in os.listdir("/proc") if p.isdigit() and lives_in(p, ns)]


def lives_in(pid, inode):
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == inode
    except OSError:
        return False


def test_interrupted(lab):
    """`lab up` is killed half-way: nobody takes what is there for the lab."""
    sw, name, path = small(lab)
    before = devices(sw)
    state = os.path.join(sw.sock.replace(".sock", ".labs"), f"{name}.json")

    def begun():
        try:
            with open(state) as f:
                return json.load(f)["made"]
        except (OSError, ValueError):
            return False
    p = subprocess.Popen(guestlib.from_outside(sw, "lab", "up", path),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lib.wait_until(begun, 10, "something is made", 0.001)
        p.send_signal(signal.SIGSTOP)
        r = cli(sw, "lab", "show", name)
        lib.need("it is being made" in r.stdout, r.stdout)
        r = cli(sw, "lab", "up", path, check=False)
        lib.need(r.returncode == 1 and "is being made already" in r.stderr, r.stderr)
    finally:
        p.kill()
        p.wait()
    r = cli(sw, "lab", "show", name)
    advice = f"its making was interrupted: bascule lab down {name} takes it away"
    lib.need(advice in r.stdout, r.stdout)
    lib.need(json.loads(cli(sw, "-j", "lab", "show", name).stdout)["state"] == "interrupted", "json")
    r = cli(sw, "lab", "up", path, check=False)
    lib.need(r.returncode == 1 and advice in r.stderr, r.stderr)
    cli(sw, "lab", "down", name)
    nothing_left(sw, name, before)
    cli(sw, "lab", "up", path)
    r = cli(sw, "lab", "show", name)
    lib.need("being made" not in r.stdout and "interrupted" not in r.stdout, r.stdout)
    r = cli(sw, "lab", "up", path, check=False)
    lib.need("it is up already" in r.stderr, r.stderr)
    cli(sw, "lab", "down", name)
    nothing_left(sw, name, before)


TREES = """
lab: {name}
bridges: {{br0: {{stp: yes}}, br1: {{stp: yes}}}}
links: [[br0, br1]]
hosts:
  alice: {{bridge: br0, address: 10.9.0.2/24}}
  bob: {{bridge: br1, address: 10.9.0.3/24}}
"""


def test_daemon_ends(lab):
    """basculed ends while a lab is made: that is said, and at once."""
    sw, name, _ = begin(lab)
    path = lab.write("trees.yaml", TREES.format(name=name))
    state = os.path.join(sw.sock.replace(".sock", ".labs"), f"{name}.json")
    before = devices(sw)

    def made(what):
        try:
            with open(state) as f:
                return any(m["name"].endswith(what) for m in json.load(f)["made"])
        except (OSError, ValueError):
            return False
    for sig, what, wait in ((signal.SIGTERM, "-bob", 0.5), (signal.SIGKILL, "-bob", 0.5),
                            (signal.SIGKILL, "-alice", 0), (signal.SIGTERM, "-alice", 0),
                            (signal.SIGKILL, "br0", 0)):
        p = subprocess.Popen(guestlib.from_outside(sw, "lab", "up", path), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            lib.wait_until(lambda: made(what), 10, f"{what} is made", 0.001)
            time.sleep(wait)
            os.kill(sw.proc.pid, sig)
            t0 = time.monotonic()
            err = p.communicate(timeout=60)[1]
            took = time.monotonic() - t0
        finally:
            p.kill()
            p.wait()
        lib.need(p.returncode == 1 and err ==
                 f"bascule: lab {name}: basculed ended while the lab was made\n", f"{sig} {what}: {p.returncode} {err}")
        lib.need(took < 5, f"{took:.1f} s")
        sw.proc.wait(10)
        sw.start()
        nothing_left(sw, name, before)


def test_words(lab):
    """What the word behind `lab down` may mean."""
    sw, name, path = small(lab)
    before = devices(sw)

    def down(word, *more, cwd=None):
        r = subprocess.run(["env", "-C", cwd or "/", *guestlib.from_outside(sw, *more, "lab", "down",
                                                                             word)],
                           capture_output=True, text=True, timeout=60)
        return r.returncode, r.stdout, r.stderr
    lib.need(down(path, "-j") == (0, f'{{"lab":"{name}","removed":[]}}\n', ""), str(down(path, "-j")))
    for word in (path, name, name):
        lib.need(down(word) == (0, "", f"lab {name} is not up\n"), str(down(word)))
    for word in ("nope.yaml", "/nowhere/at/all", "./nope"):
        lib.need(down(word) == (1, "", f"bascule: lab: {word}: there is no such file, and no lab of "
                                "that name or file is up\n"), str(down(word)))
    rc, _, err = down("bad.yaml", cwd=os.path.dirname(lab.write("bad.yaml", "lab: [\n")))
    lib.need(rc == 1 and "bad.yaml:" in err, err)

    with open(path) as f:
        text = f.read()
    for word, cwd in ((path, None), ("small.yaml", os.path.dirname(path)),
                      ("./small.yaml", os.path.dirname(path))):
        lab.write("small.yaml", text)
        cli(sw, "lab", "up", path)
        os.unlink(path)
        got = down(word, cwd=cwd)
        lib.need(got[0] == 0 and f"lab {name} is down" in got[1], str(got))
        nothing_left(sw, name, before)
    lab.write("small.yaml", text)


@contextlib.contextmanager
def folder_locked(state):
    """By us, or still by who was stopped."""
    fd = os.open(os.path.dirname(state), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def test_two_downs(lab):
    """One removes it, the other says so."""
    sw, name, path = small(lab)
    before = devices(sw)
    path = lab.write("small.yaml", SMALL.format(name=name).replace("sleep 600", "trap '' TERM; sleep 600"))
    cli(sw, "lab", "up", path)
    words = guestlib.from_outside(sw, "lab", "down", name)
    slow = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        state = os.path.join(sw.sock.replace(".sock", ".labs"), f"{name}.json")

        def claimed():
            with open(state) as f:
                return "remover" in json.load(f)
        lib.wait_until(claimed, 10, "one removes it", 0.001)
        slow.send_signal(signal.SIGSTOP)
        with folder_locked(state):  # as if it had been stopped a moment earlier
            r = cli(sw, "lab", "down", path, check=False)
            lib.need("it is being taken down already" in r.stderr, r.stderr)
        for _ in range(2):
            r = cli(sw, "lab", "down", path, check=False)
            lib.need(r.returncode == 1 and r.stderr ==
                     f"bascule: lab {name}: it is being taken down already\n", r.stderr)
        lib.need("it is being taken down" in cli(sw, "lab", "show", name, check=False).stdout, "show")
        r = cli(sw, "lab", "up", path, check=False)
        lib.need(r.returncode == 1 and "it is being taken down" in r.stderr, r.stderr)
    finally:
        slow.kill()
        slow.wait()
    with folder_locked(state):
        r = cli(sw, "lab", "down", path, check=False)
        lib.need(r.returncode == 1 and f"another process keeps {os.path.dirname(state)} locked" in r.stderr,
                 r.stderr)
    cli(sw, "lab", "down", path)  # who began it has ended
    nothing_left(sw, name, before)

    for _ in range(5):
        cli(sw, "lab", "up", path)
        both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for _ in range(2)]
        said = sorted((p.communicate(timeout=60) for p in both), reverse=True)
        lib.need(said[0][0].startswith(f"lab {name} is down") and not said[1][0] and
                 said[1][1] in (f"bascule: lab {name}: it is being taken down already\n",
                                f"lab {name} is not up\n"), str(said))
        nothing_left(sw, name, before)


def test_places(lab):
    """Up and down from other namespaces than the daemon's."""
    sw, name, path = small(lab)
    before = devices(sw)
    r = cli(sw, "lab", "up", path, check=False, enter=["ip", "netns", "exec", sw.ns])
    lib.need(r.returncode == 1 and "nsenter --net=" in r.stderr, r.stderr)
    nothing_left(sw, name, before)

    # its namespaces have names in a mount namespace that is gone; the links are elsewhere
    cli(sw, "lab", "up", path, enter=["nsenter", f"--net=/run/netns/{sw.ns}", "unshare", "-m"])
    pids = living(sw, name, "alice")
    lib.need(len(pids) == 3 and "br0-br1" in devices(sw), f"{pids} {devices(sw)}")
    cli(sw, "lab", "down", path, enter=["nsenter", f"--net=/run/netns/{lab.ns('wan')}"])
    ended(pids)
    nothing_left(sw, name, before)

    # from where up is refused, down is not
    cli(sw, "lab", "up", path)
    cli(sw, "lab", "down", path, enter=["ip", "netns", "exec", sw.ns])
    nothing_left(sw, name, before)

    # somebody else's by now, of the same name
    cli(sw, "lab", "up", path)
    pids = living(sw, name, "alice")
    alice = f"{name}-alice"
    lib.sh("ip", "netns", "del", alice)
    lib.sh("ip", "netns", "add", alice)
    lab.at_end(lambda: lib.sh("ip", "netns", "del", alice, check=False))
    other = lab.spawn("sleep", "602", ns=alice)
    cli(sw, "lab", "down", path)
    ended(pids)
    lib.need(other.poll() is None and alice in lib.sh("ip", "netns", "list").stdout,
             "down has ended what was not the lab's")
    other.kill()
    other.wait()
    lib.sh("ip", "netns", "del", alice)
    nothing_left(sw, name, before)


def test_told(lab):
    """What is odd in a file and what has gone wrong is told, in JSON as well."""
    sw, name, path = small(lab)
    said = cli(sw, "lab", "up", path)
    log = os.path.join(sw.sock.replace(".sock", ".labs"), f"{name}.bob.log")
    lib.need(f"small.yaml:7:3: the command of bob ended at once, with exit status 3: see {log}" in
             said.stderr and "alice" not in said.stderr, said.stderr)
    lib.need(f"command has ended, exit status 3; log {log}" in said.stdout, said.stdout)
    with open(log) as f:
        lib.need(f.read() == "no such luck\n", "the log")
    bob = json.loads(cli(sw, "-j", "lab", "show", name).stdout)["hosts"][1]
    lib.need((bob["host"], bob["runs"], bob["log"]) == ("bob", False, log), str(bob))

    # the socket is for all, the labs are not
    os.chmod(lab.dir, 0o755)
    os.chmod(sw.sock, 0o777)
    for word in ("up", "show", "down"):
        r = cli(sw, "lab", word, path, check=False,
                enter=["setpriv", "--reuid", "65534", "--clear-groups"])
        lib.need(r.returncode == 1 and "for its own user and root" in r.stderr, r.stderr)
    down = json.loads(cli(sw, "-j", "lab", "down", name).stdout)
    lib.need(down["lab"] == name and [m["name"] for m in down["removed"]] ==
             ["br0", "br1", "br0-br1", f"{name}-alice", f"{name}-bob"], str(down))
    lib.need(json.loads(cli(sw, "-j", "lab", "down", name).stdout)["removed"] == [], "again")

    loop = ("bridges: {a: {}, b: {}, c: {}, d: {}, e: {%s}}\n"
            "links: [[a, b], [d, a], [b, c], [%s]]\n")
    for stp, last, want in (("", "c, a", "join c, b and a in a loop"),
                            ("", "b, a", "join b and a in a loop"), ("", "d, e", ""),
                            ("stp: yes", "e, c], [e, a", "")):
        p = lab.write("loop.yaml", f"lab: {name}\n" + loop % (stp, last))
        said = cli(sw, "lab", "up", p).stderr
        cli(sw, "lab", "down", p)
        lib.need(want in said if want else said == "", f"{last}: {said}")
        lib.need(not want or "note: " in said and "loop.yaml:3:" in said, said)


def test_configuration(lab):
    """guests: in a file that is applied."""
    sw, _, _ = begin(lab)
    kernel, initrd = guestlib.made()

    def conf(name, guests):
        lines = [f"    {g}: {{kernel: {kernel}, initrd: {initrd}, memory: {mb}, "
                 f"nets: [{net}], start: {start}{BIOS}}}" for g, mb, net, start in guests]
        return lab.write(name, "\n".join(["bascule:", "  bridges: {br0: {}}",
                                           *(["  guests:"] if lines else []), *lines, ""]))

    def apply(path, *more, check=True):
        r = cli(sw, "apply", *more, path, check=check)
        return r.stdout.splitlines(), r.stderr
    a = conf("a.yaml", [("vm1", 128, "br0", "yes"), ("vm2", 128, "br0", "no")])
    plan, _ = apply(a, "--dry-run")
    for s in ("define guest vm1", "define guest vm2", "start guest vm1"):
        lib.need(s in plan, str(plan))
    lib.need("start guest vm2" not in plan and sw.json("guest", "list") == [], str(plan))
    lib.need(apply(a)[0] == plan, "what was done is not what was planned")
    lib.need(apply(a)[0] == [], "applied twice, something changes")
    pid = sw.json("guest", "show", "vm1")["pid"]

    # changed: the stopped one anew, the running one is said to need a restart
    b = conf("b.yaml", [("vm1", 130, "br0", "yes"), ("vm2", 130, "br0", "no")])
    plan, notes = apply(b)
    lib.need(plan == ["define guest vm2 anew"] and "vm1 needs a restart" in notes, f"{plan} {notes}")
    lib.need(sw.json("guest", "show", "vm1")["pid"] == pid, "vm1 was restarted")

    # what fails is taken back
    c = conf("c.yaml", [("vm1", 128, "br0", "yes"), ("vm3", 128, "brx", "yes")])
    _, notes = apply(c, check=False)
    lib.need("c.yaml:5:5" in notes and "no bridge brx" in notes, notes)
    lib.need([g["name"] for g in sw.json("guest", "list")] == ["vm1", "vm2"], "not taken back")
    text = sw.cli("config").stdout
    lib.need("guests:" in text and "tap:vm1" not in text and "packet:vm1" not in text, text)
    sw.stop()
    sw.start("--config", b)  # as the file wants it, also by the next daemon
    lib.need(sw.json("guest", "show", "vm1")["pid"] == pid, "vm1 was not found again")

    # what leaves the file is forgotten
    none = conf("none.yaml", [])
    lib.need(apply(none, "--dry-run")[0] == ["stop guest vm1", "undefine guest vm1",
                                             "undefine guest vm2"], "leaving")
    sw.cli("guest", "kill", "vm1")
    apply(none)
    lib.need(sw.json("guest", "list") == [], "a guest is left")


def test_its_bridge_comes_late(lab):
    """A guest on a bridge of the kernel's that the daemon is to adopt."""
    sw = lab.switch(bridge=None)
    path = lab.write("late.yaml", "bascule:\n  bridges: {late: {adopt: yes}}\n  guests:\n"
                 "    vm1: {memory: 64, nets: [late]}\n    vm2: {memory: 64, nets: [late], start: no}\n")
    sw.stop()
    sw.start("--config", path)
    lab.at_end(lambda: sw.proc and cli(sw, "guest", "kill", "vm1", check=False))
    lib.wait_until(lambda: len(sw.json("guest", "list")) == 2, 5, "the guests are defined")

    def states():
        return {g["name"]: g["state"] for g in sw.json("guest", "list")}
    lib.need(states() == {"vm1": "stopped", "vm2": "stopped"}, str(states()))
    lib.sh("ip", "-n", sw.ns, "link", "add", "late", "type", "bridge")
    lib.wait_until(lambda: states() == {"vm1": "running", "vm2": "stopped"}, 10,
                   lambda: f"vm1 starts when its bridge has come: {states()} {sw.log_tail()}")
    lib.need("vm1" in [p["name"] for p in sw.json("port", "show", "late")], "no port")
    cli(sw, "apply", lab.write("none.yaml", "bascule: {}\n"))
    lib.need(sw.json("guest", "list") == [] and sw.json("bridge", "show") == [], "what is left")


guestlib.main(at_once=3)  # which mostly wait
