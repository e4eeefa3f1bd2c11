#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests that are to go, and do not listen to their power button: with the
file that made them, with their lab, by hand; and those that are not to go
because of a mistake in a file."""
import json
import os
import signal
import subprocess
import time

import guestlib
from guestlib import lib, state

IGNORED = "guest {} ignored its power button for {} s and was killed"
BIOS = f"qemu-args: [-bios, {guestlib.QBOOT}]," if os.path.exists(guestlib.QBOOT) else ""


def begin(lab):
    if lib.KERNEL:
        raise lib.Skip("the kernel's bridge has no guests")
    return lab.switch(bridge=None)


def disk(lab, name):
    path = os.path.join(lab.dir, name)
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    os.chmod(lab.dir, 0o755)
    return path


def guest(name, more):
    kernel, initrd = guestlib.made()
    return (f"{name}: {{kernel: {kernel}, initrd: {initrd}, memory: 128, nets: [br0], {BIOS} "
            f"append: {guestlib.KERNEL_ARGS} bascule.ip=10.9.0.11/24, {more}}}")


def write(lab, name, *lines):
    return lab.write(name, "\n".join(lines) + "\n")


def conf(lab, name, *guests):
    return write(lab, name, "bascule:", "  bridges: {br0: {addresses: [10.9.0.1/24]}}",
                 *(["  guests:"] if guests else []), *(f"    {g}" for g in guests))


def spawn(sw, *args):
    return subprocess.Popen(guestlib.from_outside(sw, *args), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def ended(p, limit=20):
    out, err = p.communicate(timeout=limit)
    lib.need(p.returncode == 0, f"{p.args[6:]}: exit {p.returncode}: {err}")
    return out, err


def stopping(lab, name):
    lib.wait_until(lambda: state(lab, name) == "stopping", 5, f"{name} is asked to power down")


def others_go_on(sw):
    """What somebody else asks for meanwhile is done at once."""
    sw.quickly("addbr", "other")
    lib.need("other" in sw.quickly("show").stdout, "show")
    sw.quickly("delbr", "other")


def test_it_leaves_the_file(lab):
    sw = begin(lab)
    both = conf(lab, "both.yaml", guest("vm1", f"disks: [{disk(lab, 'd1')}], stop-timeout: 3"),
                "vm2: {memory: 64, nets: [br0]}")
    none = conf(lab, "none.yaml")
    sw.cli("apply", both)
    lab.at_end(lambda: sw.proc and [sw.cli("guest", "kill", g, check=False)
                                    for g in ("vm1", "vm2")])
    lib.need(json.loads(sw.cli("-j", "guest", "show", "vm1").stdout)["stop_timeout"] == 3, "show")
    lib.reaches(sw.ns, "10.9.0.11", limit=guestlib.BOOT)
    t0 = time.monotonic()
    p = spawn(sw, "apply", none)
    stopping(lab, "vm1")
    again = [spawn(sw, "apply", *args, none) for args in ([], ["--dry-run"])]
    others_go_on(sw)
    for q in again:
        lib.need(q.stderr.readline() == f"note: {none} is being applied first, which waits for "
                 "guest vm1 to stop\n", "an apply that waits does not say so")
    lib.need(state(lab, "vm1") == "stopping", "it was not waited for")
    out, err = ended(p)
    for q in again:
        lib.need(ended(q) == ("", "nothing to change\n"), "there was something left to do")
    took = time.monotonic() - t0
    lib.need(out.splitlines() == ["stop guest vm1", "stop guest vm2", "undefine guest vm1",
                                  "undefine guest vm2"], out)
    lib.need(err.count(IGNORED.format("vm1", 3)) == 1 and "vm2" not in err, err)
    lib.need(3 <= took < 8, f"it took {took:.1f} s")
    ports = {p["name"] for p in sw.json("port", "show")}
    lib.need(sw.json("guest", "list") == [] and ports == {"br0"}, f"left: {ports}")

    # what is taken back runs again, from its beginning
    sw.cli("apply", both)
    sw.cli("apply", "--confirm", "60", none, timeout=40)
    lib.need(sw.json("guest", "list") == [], "a guest is left")
    r = sw.cli("confirm", "--revert")
    lib.need(r.stderr == "taken back: bridges, ports, addresses and guests are as before that apply\n",
             r.stderr)
    lib.need(state(lab, "vm1") == "running", f"vm1 is {state(lab, 'vm1')}")
    lib.reaches(sw.ns, "10.9.0.11", limit=guestlib.BOOT)


def test_what_waits_says_so(lab):
    """Behind an apply that waits for a guest; where brctl has settled the output, when it
    takes long."""
    sw = begin(lab)

    def file(name, *guests):
        return write(lab, name, "bascule:", "  bridges:", "    br0: {}",
                     "    br1: {ports: ['mem:m1', 'mem:m2']}", "    br2: {}", "  guests:",
                     *(f"    {g}" for g in guests), "    idle: {start: no}")
    vm1 = guest("vm1", f"disks: [{disk(lab, 'd1')}], stop-timeout: 60")
    both, none = file("both.yaml", vm1), file("none.yaml")
    lab.at_end(lambda: sw.proc and sw.cli("guest", "kill", "vm1", check=False))
    note = f"note: {none} is being applied first, which waits for guest vm1 to stop\n"

    def busy():
        sw.cli("apply", both)
        p = spawn(sw, "apply", none)
        stopping(lab, "vm1")
        return p
    p, others = busy(), []
    for words in (["config"], ["delif", "br1", "m1"], ["delbr", "br2", "--force"]):
        t0 = time.monotonic()
        others.append(spawn(sw, *words))
        lib.need(others[-1].stderr.readline() == note, f"{words} does not say why it waits")
        lib.need(words == ["config"] or time.monotonic() - t0 >= 1, f"{words} is rash")
    sw.cli("guest", "kill", "vm1")
    ended(p)
    text = ended(others[0])
    lib.need("br2" in text[0] and "vm1" not in text[0] and text[1] == "", str(text))
    lib.need(all(ended(q) == ("", "") for q in others[1:]), "more was said")
    lib.need({b["name"] for b in sw.json("bridge", "show")} == {"br0", "br1"}, "br2 is there")
    lib.need({x["name"] for x in sw.json("port", "show", "br1")} == {"br1", "m2"}, "m1 is there")

    # a short wait is not worth a word
    for _ in range(5):
        p, t0 = busy(), time.monotonic()
        q = spawn(sw, "delif", "br1", "m2")
        sw.cli("guest", "kill", "vm1")
        out, err = ended(q)
        took = time.monotonic() - t0
        ended(p)
        if took < 0.9:
            lib.need((out, err) == ("", ""), err)
            break
    lib.need(took < 0.9, "this machine is too busy to be quick once")


def test_others_are_left_alone(lab):
    """What is taken back is the file's, not what was defined by hand since."""
    sw = begin(lab)
    lab.at_end(lambda: [sw.cli("guest", "kill", g, check=False) for g in ("a1", "b1")])
    sw.cli("apply", conf(lab, "a.yaml", "a1: {memory: 32, qemu-args: [-S]}"))
    sw.cli("apply", "--confirm", "60", conf(lab, "b.yaml", "b1: {memory: 32, qemu-args: [-S]}"))
    sw.cli("guest", "kill", "b1")
    sw.cli("guest", "undefine", "b1")
    sw.cli("guest", "define", "a1", "--memory", "33")
    sw.cli("guest", "define", "b1", "--memory", "33", "--qemu-arg", "-S")
    sw.cli("guest", "start", "b1")
    r = sw.cli("confirm", "--revert", check=False)
    lib.need(r.returncode == 1 and r.stderr == "bascule: not all of it is taken back: guest a1 is "
             "defined already\n", r.stderr)
    lib.need((state(lab, "a1"), state(lab, "b1")) == ("stopped", "prelaunch"),
             f"{sw.json('guest', 'list')} {sw.log_tail(9)}")


def test_the_daemon_ends_meanwhile(lab):
    """The guest runs on, and the next one has the file applied again."""
    sw = begin(lab)
    one = conf(lab, "one.yaml", guest("vm1", f"disks: [{disk(lab, 'd1')}], stop-timeout: 60"))
    none = conf(lab, "none.yaml")
    sw.cli("apply", one)
    lab.at_end(lambda: sw.proc and sw.cli("guest", "kill", "vm1", check=False))
    lib.reaches(sw.ns, "10.9.0.11", limit=guestlib.BOOT)
    pid = sw.json("guest", "show", "vm1")["pid"]
    p = spawn(sw, "apply", none)
    stopping(lab, "vm1")
    lib.need(sw.stop() == 0, "the daemon did not end well")
    _, err = p.communicate(timeout=10)
    lib.need(p.returncode == 1 and err, f"apply: exit {p.returncode}: {err}")
    sw.start("--config", one)
    lib.need(sw.json("guest", "show", "vm1")["pid"] == pid, "vm1 was not found")
    p = spawn(sw, "apply", none)
    stopping(lab, "vm1")
    sw.cli("guest", "kill", "vm1")  # by somebody who has no patience
    _, err = ended(p)
    lib.need("vm1" not in err and sw.json("guest", "list") == [], err)


def test_its_lab_goes_down(lab):
    sw = begin(lab)
    name = f"v{os.getpid()}"
    path = write(lab, "lab.yaml", f"lab: {name}", "bridges: {br0: {addresses: [10.9.0.1/24]}}",
                 "guests:", "  " + guest("vm1", f"disks: [{disk(lab, 'd1')}], stop-timeout: 2"))
    ended(spawn(sw, "lab", "up", path))
    lib.reaches(sw.ns, "10.9.0.11", limit=guestlib.BOOT)
    out, err = ended(spawn(sw, "lab", "down", path))
    lib.need("nothing of it is left" in out and err.strip() == IGNORED.format("vm1", 2), out + err)
    lib.need(sw.json("guest", "list") == [], "a guest is left")


def test_by_hand(lab):
    sw = begin(lab)
    sw.bridge("br0")
    deaf = guestlib.Launched(lab, "deaf", "br0", extra=("--disk", disk(lab, "d1")))
    polite = guestlib.Launched(lab, "polite", "br0", modules=guestlib.BUTTON,
                               extra=("--disk", disk(lab, "d2")))
    for g in (deaf, polite):
        g.start()
        g.wait_ready(1)
    deaf.unlisten()
    polite.run(guestlib.ACPID)
    r = sw.cli("guest", "stop", "polite", "--kill", timeout=40)
    lib.need(r.stderr == "" and polite.info()["why"] == "", f"{r.stderr} {polite.info()['why']}")

    # one is patient for a while, another one does not want to see it any more
    first = spawn(sw, "guest", "stop", "deaf", "--timeout", 3)
    stopping(lab, "deaf")
    t0 = time.monotonic()
    _, err = ended(spawn(sw, "guest", "stop", "deaf", "--kill", "--timeout", 20))
    lib.need(err.strip() == IGNORED.format("deaf", 3), err)
    lib.need(time.monotonic() - t0 < 6, "it got more time than it was given first")
    ended(first)
    lib.need(deaf.info()["state"] == "stopped", deaf.info()["state"])

    # without a disk there is nothing to wait for
    bare = guestlib.Launched(lab, "bare", "br0")
    bare.start()
    bare.unlisten()
    t0 = time.monotonic()
    r = sw.cli("guest", "stop", "bare", "--kill")
    lib.need(r.stderr == "" and time.monotonic() - t0 < 3, r.stderr)
    r = sw.cli("guest", "stop", "bare", "--kill", check=False)
    lib.need(r.returncode == 1 and "bare does not run" in r.stderr, r.stderr)


def again(sw, g, pid):
    """The next daemon finds a guest whose stop is under way."""
    stopping(g.lab, g.name)
    lib.need(sw.stop() == 0, "the daemon did not end well")
    sw.start()
    sw.bridge("br0")
    i = g.info()
    lib.need((i["state"], i["pid"]) == ("stopping", pid), f"{g.name} was found as {i}")


def stays_down(g, why=""):
    """Not in the hands of its restart policy, for which it would be waiting."""
    lib.wait_until(lambda: state(g.lab, g.name) == "stopped", 20,
                   lambda: f"{g.name} is {state(g.lab, g.name)}: {g.sw.log_tail(9)}")
    i = g.info()
    lib.need(i["why"] == why and "pid" not in i, str(i))


def test_a_stop_outlives_the_daemon(lab):
    """A guest that is to be down is so in the end, whoever was daemon when it was said."""
    sw = begin(lab)
    always = ("--restart", "always")
    sw.bridge("br0")
    deaf = guestlib.Launched(lab, "deaf", "br0", extra=("--disk", disk(lab, "d1"), *always))
    slow = guestlib.Launched(lab, "slow", "br0", modules=guestlib.BUTTON, extra=always)
    for g in (deaf, slow):
        g.start()
        g.wait_ready(1)

    # in vain: it runs on, and so it does for the next daemon, by its policy
    r = sw.cli("guest", "stop", "deaf", "--timeout", 1, check=False)
    lib.need(r.returncode == 1 and "has not powered down in time" in r.stderr, r.stderr)
    pid = deaf.info()["pid"]
    sw.stop()
    sw.start()
    sw.bridge("br0")
    lib.wait_until(lambda: state(lab, "deaf") == "running", 5, "deaf runs on")
    os.kill(pid, signal.SIGKILL)
    lib.wait_until(lambda: deaf.info().get("pid", pid) != pid, 20, "deaf is back by its policy")
    lib.wait_until(lambda: state(lab, "deaf") == "running", 20, "deaf runs")

    # it never listens, and is killed by the next daemon
    p = spawn(sw, "guest", "stop", "deaf", "--kill", "--timeout", 3)
    again(sw, deaf, deaf.info()["pid"])
    lib.need(p.wait(10) == 1, "the client has an answer")
    stays_down(deaf, "ignored its power button for 3 s and was killed")

    # it takes its time, and somebody waits for it once more
    slow.run(guestlib.ACPID.replace("poweroff", "sleep 4; poweroff"))
    slow.unlisten()
    spawn(sw, "guest", "stop", "slow")
    again(sw, slow, slow.info()["pid"])
    ended(spawn(sw, "guest", "stop", "slow"))
    stays_down(slow)

    # it is down before there is a next one
    slow.start()
    slow.wait_ready(1)
    slow.run(guestlib.ACPID.replace("poweroff", "echo pressed >/dev/ttyS0; sleep 2; poweroff"))
    pid = slow.info()["pid"]
    spawn(sw, "guest", "stop", "slow")
    slow.says("pressed")
    sw.stop()
    lib.wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), 20, "QEMU has ended")
    sw.start()
    sw.bridge("br0")
    stays_down(slow)

    # what a daemon leaves that dies before it has pulled the plug
    slow.start()
    slow.unlisten()
    sw.stop()
    with open(os.path.join(lab.dir, "ctl.guests/run/slow/ending"), "w") as f:
        json.dump({"seconds": 0, "force": True}, f)
    sw.start()
    sw.bridge("br0")
    stays_down(slow, "was killed")


def test_the_next_daemon_is_not_heard(lab):
    """QEMU stands still and never hears of the button: it has its time once, not twice."""
    sw = begin(lab)
    sw.cli("guest", "define", "fz", "--memory", "32", "--restart", "always", "--qemu-arg", "-S")
    lab.at_end(lambda: sw.proc and sw.cli("guest", "kill", "fz", check=False))
    sw.cli("guest", "start", "fz")
    pid = sw.json("guest", "show", "fz")["pid"]

    def next_daemon(*args):
        os.kill(pid, signal.SIGSTOP)
        spawn(sw, "guest", "stop", "fz", "--timeout", 4, *args)
        stopping(lab, "fz")
        sw.stop(signal.SIGKILL)
        sw.start()
        return time.monotonic()
    t0 = next_daemon()
    said = spawn(sw, "guest", "stop", "fz").communicate(timeout=20)[1]
    took = time.monotonic() - t0
    lib.need("its QEMU does not listen; bascule guest kill fz ends it" in said, said)
    lib.need(3.5 < took < 6.5, f"it took {took:.1f} s")
    lib.need(sw.json("guest", "show", "fz")["pid"] == pid, "it runs on")
    t0 = next_daemon("--kill")
    lib.wait_until(lambda: state(lab, "fz") == "stopped", 20, "fz is killed")
    took = time.monotonic() - t0
    lib.need(3.5 < took < 6.5, f"it took {took:.1f} s")
    why = sw.json("guest", "show", "fz")["why"]
    lib.need(why == "could not be asked to power down and was killed", why)


def pids(sw):
    return {g["name"]: sw.json("guest", "show", g["name"]).get("pid")
            for g in sw.json("guest", "list")}


def two_run(lab):
    sw = begin(lab)
    two = conf(lab, "two.yaml", guest("web", f"disks: [{disk(lab, 'd1')}], stop-timeout: 1"),
               guest("db", ""))
    err = sw.cli("apply", two).stderr
    lab.at_end(lambda: sw.proc and [sw.cli("guest", "kill", g, check=False)
                                    for g in ("web", "db", "n1", "www")])
    why = sw.json("guest", "show", "web")["why"]
    lib.need(err.count("emulation") == (1 if "emulation" in why else 0), f"{why}: {err}")
    lib.need("emulation" not in why or f"guest web {why}; so do 1 more" in err, f"{why}: {err}")
    lib.need("emulation" not in sw.cli("apply", two).stderr, "nothing was started")
    return sw


def test_a_mistake_costs_none(lab):
    """What can be seen before is; what only QEMU sees comes before any end."""
    sw = two_run(lab)
    before = pids(sw)
    lib.need(len(before) == 2 and all(before.values()), str(before))
    sw.bridge("br9", "--no-local")
    sw.cli("addif", "br9", "mem:taken")

    def fails(text, *words, dry=True):
        path = write(lab, "x.yaml", "bascule:", "  bridges: {br0: {}}", "  guests:",
                     f"    {text}")
        for how in ([["--dry-run"]] if dry else []) + [[]]:
            r = sw.cli("apply", *how, path, check=False)
            lib.need(r.returncode == 1 and all(w in r.stderr for w in words) and not r.stdout,
                     f"{how} {text}: {r.stdout} {r.stderr}")
            lib.need(pids(sw) == before, f"{how} {text}: {before}, now {pids(sw)}")
    kernel, _ = guestlib.made()
    for key, option in (("disks: [/nonexist]", "--disk /nonexist"),
                        ("cdrom: /nonexist", "--cdrom /nonexist"),
                        ("kernel: /nonexist", "--kernel /nonexist"),
                        (f"kernel: {kernel}, initrd: /nonexist", "--initrd /nonexist"),
                        ("cloud-init: /nonexist", "--cloud-init /nonexist")):
        fails(f"n1: {{nets: [br0], {key}}}", "x.yaml:4:5: guest n1: " + option)
    fails("n1: {nets: [br7]}", "x.yaml:4:5: guest n1: there is no bridge br7")
    fails("taken: {nets: [br0]}", "x.yaml:4:5: guest taken: bridge br9 has a port taken already")
    lib.sh("ip", "-n", sw.ns, "tuntap", "add", "there", "mode", "tap")
    fails("there: {nets: [br0]}", "x.yaml:4:5: guest there: interface there exists already")
    fails("n1: {nets: [br0], qemu-args: [-device, nothing]}", "x.yaml:4:5: guest n1: QEMU",
          "nothing", dry=False)


def test_others_come(lab):
    """They run before those that go are ended; but one disk has one guest."""
    sw = two_run(lab)
    r = sw.cli("apply", conf(lab, "n1.yaml", guest("n1", ""), guest("db", "")))
    lib.need(r.stdout.splitlines() == ["define guest n1", "start guest n1", "stop guest web",
                                       "undefine guest web"], r.stdout)
    lib.need(set(pids(sw)) == {"n1", "db"}, str(pids(sw)))
    sw.cli("apply", conf(lab, "web.yaml", guest("web", f"disks: [{lab.dir}/d1], stop-timeout: 1")))
    r = sw.cli("apply", conf(lab, "www.yaml", guest("www", f"disks: [{lab.dir}/d1]")))
    lib.need(r.stdout.splitlines() == ["stop guest web", "undefine guest web", "define guest www",
                                       "start guest www"], r.stdout)
    lib.need(pids(sw)["www"], str(pids(sw)))

    # what fails before the new one is there costs nobody a reboot
    before = pids(sw)
    bad = write(lab, "bad.yaml", "bascule:", "  bridges:",
                "    br0: {addresses: [10.9.0.1/24], ports: ['stream:/no/dir/s,listen=on']}",
                "  guests:", f"    {guest('wiki', f'disks: [{lab.dir}/d1]')}")
    r = sw.cli("apply", bad, check=False)
    lib.need(r.returncode == 1 and "/no/dir" in r.stderr, r.stderr)
    lib.need(pids(sw) == before, f"{before}, now {pids(sw)}")


guestlib.main()
