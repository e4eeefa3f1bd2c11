#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Layer 3 of a bridge's interface, by itself: addresses and routes from a
file, those of an uplink taken over and given back."""
import json
import os
import signal
import subprocess
import sys

import lib
from l3lib import addrs, Events, kill, L3, no_promotion, routes, seen, world
from lib import dnsmasq, need, running, sh, wait_until


def moved(what):
    return [r.replace("dev up0", "dev br0") for r in what]


def test_move_and_return(lab):
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    need(len(a0) == 5 and len(r0) == 5, f"the world is not as it should be: {a0} {r0}")
    l3 = L3(lab)
    l3.do("take", "up0")
    need(seen(ns, "up0") == a0, "nothing is taken off before the bridge has it")
    sw.addif("br0", "up0")
    notes = l3.do("apply", "-")
    need("from up0 to br0" in notes, notes)
    need(seen(ns, "br0") == a0, f"br0 has {seen(ns, 'br0')}, up0 had {a0}")
    need(routes(ns, "br0") == sorted(moved(r0)), f"{routes(ns, 'br0')}\n{moved(r0)}")
    need(not addrs(ns, "up0") and not routes(ns, "up0"), "up0 has still something")
    need(addrs(ns, "br0")["10.7.0.9/24"]["valid_life_time"] <= 600, "the lifetime is kept")
    sw.wait_forwarding("up0")
    lib.reaches(ns, "10.7.0.1")
    lib.reaches(ns, "fd07::1")
    lib.reaches(ns, "10.99.0.1")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need(seen(ns, "up0") == a0, f"up0 has {seen(ns, 'up0')}, had {a0}")
    need(routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}")
    need(not addrs(ns, "br0") and not routes(ns, "br0"), "br0 has still something")
    need(not os.listdir(l3.dir), f"left in the state directory: {os.listdir(l3.dir)}")
    lib.reaches(ns, "10.99.0.1")


def test_several_gateways(lab):
    """A route with gateways on up0 and on another interface: those on up0 move."""
    sw, ns, out = world(lab)
    lab.veth("x0", lab.ns("far"))
    sh("ip", "-n", ns, "addr", "add", "10.20.0.1/24", "dev", "x0")
    sh("ip", "-n", lab.ns("far"), "link", "set", "eth0", "up")
    sh("ip", "-n", ns, "route", "add", "10.54.0.0/16", "nexthop", "via", "10.7.0.1", "dev", "up0",
       "weight", "2", "nexthop", "via", "10.20.0.2", "dev", "x0", "nexthop", "via", "10.7.0.8",
       "dev", "up0", "weight", "3")

    def gateways():
        return [r for r in sh("ip", "-n", ns, "route", "show", "10.54.0.0/16").stdout.splitlines()
                if r.strip()]
    before = gateways()
    need(len([r for r in before if "dev up0" in r]) == 2 and "dev x0" in str(before), str(before))
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    need(gateways() == moved(before), f"{gateways()}\n{moved(before)}")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need(gateways() == before, f"{gateways()}\n{before}")


_SERVER = """
import socket
s = socket.socket(); s.bind(("10.7.0.1", 4000)); s.listen(); print("ready", flush=True)
c, _ = s.accept()
while True:
    b = c.recv(100)
    if not b: break
    c.sendall(b)
"""


_CLIENT = """
import socket, sys
s = socket.socket(); s.settimeout(20); s.bind(("10.7.0.2", 0)); s.connect(("10.7.0.1", 4000))
for line in sys.stdin:
    s.sendall(line.encode()); print(s.recv(100).decode(), end="", flush=True)
"""


def test_tcp_survives(lab):
    sw, ns, out = world(lab)
    srv = lab.spawn(sys.executable, "-c", _SERVER, ns=out, stdout=subprocess.PIPE, text=True)
    need(srv.stdout.readline() == "ready\n", "no server")
    cli = lab.spawn(sys.executable, "-c", _CLIENT, ns=ns, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, text=True)

    def echo(word):
        cli.stdin.write(word + "\n")
        cli.stdin.flush()
        got = cli.stdout.readline()
        need(got == word + "\n", f"{word} came back as {got!r}")
    echo("before")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    echo("moved")
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    echo("returned")
    for p in (cli, srv):
        p.stdout.close()
    cli.stdin.close()


LAB = """
addresses: [10.7.0.2/24, 'fd07::2/64', 10.7.0.20/24: {label: 'br0:x'}]
routes:
- {to: 0.0.0.0/0, via: 10.7.0.1, on-link: true}
- {to: 10.61.0.0/16, via: 10.61.0.1, on-link: true, metric: 7, table: 99, mtu: 1280}
- {to: 10.62.0.0/16, scope: link, from: 10.7.0.20}
- {to: 10.64.0.0/16, via: 10.62.0.7}
- {to: 10.63.0.0/16, type: unreachable}
- {to: '2001:db8::/32', via: 'fd07::1', metric: 5, from: 'fd07::2'}
parameters: {stp: false}
dhcp4: no
"""


def test_file_is_a_diff(lab):
    sw, ns, out = world(lab, addresses=False)
    l3 = L3(lab)
    sw.addif("br0", "up0")
    f = l3.file(LAB)
    plan = l3.do("plan", f)
    need("10.7.0.20/24" in plan and "default via 10.7.0.1" in plan, plan)
    need(not addrs(ns, "br0"), "a plan changes nothing")
    l3.do("apply", f)
    need(set(addrs(ns, "br0")) == {"10.7.0.2/24", "10.7.0.20/24", "fd07::2/64"}, addrs(ns, "br0"))
    need(addrs(ns, "br0")["10.7.0.20/24"]["label"] == "br0:x", "label")
    r = "\n".join(routes(ns))
    for want in ("default via 10.7.0.1 dev br0 proto static onlink",
                 "10.61.0.0/16 via 10.61.0.1 dev br0 table 99 proto static metric 7 onlink mtu 1280",
                 "10.62.0.0/16 dev br0 proto static scope link src 10.7.0.20",
                 "10.64.0.0/16 via 10.62.0.7 dev br0 proto static",
                 "unreachable 10.63.0.0/16 proto static",
                 "2001:db8::/32 via fd07::1 dev br0 proto static src fd07::2 metric 5"):
        need(want in r, f"{want}\nis not in\n{r}")
    lib.reaches(ns, "10.99.0.1")
    sh("ip", "-n", ns, "addr", "add", "192.0.2.77/32", "dev", "br0")  # by hand
    before = routes(ns)
    ev = Events(lab, ns)
    l3.do("apply", f)
    need(ev.about("br0") == [], f"unchanged, but: {ev.about('br0')}")
    need(l3.do("plan", f) == "", "nothing to plan")
    need(routes(ns) == before, "routes are as they were")
    l3.do("apply", l3.file(LAB.replace("10.7.0.20/24", "10.7.0.21/24")
                           .replace("10.7.0.20", "10.7.0.21").replace("metric: 7", "metric: 8")
                           .replace("mtu: 1280", "mtu: 1290")))
    need(set(addrs(ns, "br0")) == {"10.7.0.2/24", "10.7.0.21/24", "fd07::2/64", "192.0.2.77/32"},
         addrs(ns, "br0"))
    r = "\n".join(routes(ns))
    need("metric 8 onlink mtu 1290" in r and "metric 7" not in r and "src 10.7.0.21" in r, r)
    l3.do("release")
    need(set(addrs(ns, "br0")) == {"192.0.2.77/32"}, "by hand stays, ours goes")
    need("unreachable" not in "\n".join(routes(ns)), routes(ns))


def test_error_puts_back(lab):
    sw, ns, out = world(lab)
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    a0, r0 = seen(ns, "up0"), routes(ns)
    mtu = sh("ip", "-n", ns, "link", "show", "br0").stdout
    # the last route cannot be: its gateway is nowhere
    bad = LAB + "mtu: 1400\nmacaddress: '02:00:00:00:00:77'\nipv6-mtu: 1300\n"
    bad = bad.replace("dhcp4: no\n", "").replace(
        "parameters", "- {to: 10.90.0.0/16, via: 10.91.0.1}\nparameters")
    notes, err = l3.ask("apply", l3.file(bad))
    need(err and "10.90.0.0/16 via 10.91.0.1" in err, f"{err}\n{notes}")
    need(not addrs(ns, "br0"), addrs(ns, "br0"))
    need(seen(ns, "up0") == a0 and routes(ns) == r0, f"{routes(ns)}\n{r0}")
    after = sh("ip", "-n", ns, "link", "show", "br0").stdout
    need(after.replace('pfifo_fast', 'noop') == mtu, f"{after}\n{mtu}")
    good = l3.file(LAB.replace("10.7.0.20", "10.7.0.30"))
    l3.do("apply", good)
    a1, r1 = seen(ns, "br0"), routes(ns)
    notes, err = l3.ask("apply", l3.file(bad, "bad.yaml"))
    need(err, "refused again")
    need(seen(ns, "br0") == a1, f"{seen(ns, 'br0')}\n{a1}")
    need(routes(ns) == r1, f"{routes(ns)}\n{r1}")
    sw.delif("br0", "up0")
    l3.do("release")
    need(seen(ns, "up0") == a0 and routes(ns) == r0, f"{routes(ns)}\n{r0}")


def test_same_address_in_the_file(lab):
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]\n"
                           "routes: [{to: default, via: 10.7.0.1, metric: 50}]"))
    need(list(addrs(ns, "br0")).count("10.7.0.2/24") == 1, addrs(ns, "br0"))
    need(len([r for r in routes(ns) if r.startswith("default via 10.7.0.1")]) == 1, routes(ns))
    lib.reaches(ns, "10.99.0.1")
    # the port leaves, the file's address stays: no address is there twice
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need("10.7.0.2/24" in addrs(ns, "br0") and "10.7.0.2/24" not in addrs(ns, "up0"),
         f"{addrs(ns, 'br0')} {addrs(ns, 'up0')}")
    l3.do("release")
    need(seen(ns, "up0") == a0 and routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}")


def test_link_settings(lab):
    sw, ns, out = world(lab, addresses=False)
    l3 = L3(lab)
    sw.addif("br0", "up0")
    conf = "/proc/sys/net/ipv6/conf/br0/"
    was = {k: sh("cat", conf + k, ns=ns).stdout for k in ("accept_ra", "use_tempaddr")}
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]\nmacaddress: '02:00:00:00:00:99'\nmtu: 1400\n"
                           "ipv6-mtu: 1300\naccept-ra: true\nipv6-privacy: true\nlink-local: []"))
    link = json.loads(sh("ip", "-n", ns, "-j", "link", "show", "br0").stdout)[0]
    need(link["address"] == "02:00:00:00:00:99" and link["mtu"] == 1400 and
         "UP" in link["flags"], link)
    now = [sh("cat", conf + k, ns=ns).stdout.strip()
           for k in ("accept_ra", "use_tempaddr", "mtu", "addr_gen_mode")]
    need(now == ["2", "2", "1300", "1"], now)
    need(not any(k.startswith("fe80") for k in addrs(ns, "br0", True)), "no link-local address")
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]\nactivation-mode: 'off'\n"))
    now = {k: sh("cat", conf + k, ns=ns).stdout for k in was}
    need(now == was, f"{now} {was}")
    link = json.loads(sh("ip", "-n", ns, "-j", "link", "show", "br0").stdout)[0]
    need("UP" not in link["flags"], "activation-mode: off")
    l3.do("apply", l3.file("activation-mode: manual\n"))
    need("UP" not in link["flags"], "activation-mode: manual")


def test_killed(lab):
    """The daemon is killed: the addresses go back at once."""
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    kill(lab, sw, l3)
    wait_until(lambda: seen(ns, "up0") == a0, 5, lambda: f"{seen(ns, 'up0')}\n{a0}")
    wait_until(lambda: routes(ns, "up0") == r0, 5, lambda: f"{routes(ns, 'up0')}\n{r0}")
    wait_until(lambda: not os.listdir(l3.dir), 5, lambda: os.listdir(l3.dir))
    lib.reaches(ns, "10.99.0.1")


def test_killed_with_its_survivor(lab):
    """Nobody is left: the next daemon gives the addresses back."""
    sw, ns, out = world(lab)
    a0, r0 = seen(ns, "up0"), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", "-")
    other = L3(lab)
    need(other.do("recover") == "" and addrs(ns, "br0"), "its owner lives: hands off")
    for pid in running(ns, "bascule-child"):
        os.kill(pid, signal.SIGKILL)
    kill(lab, sw, l3)
    wait_until(lambda: not addrs(ns, "br0"), 5, "br0 is gone")
    sh("ip", "-n", ns, "addr", "add", "10.7.0.3/24", "dev", "up0")  # somebody was faster
    elsewhere = L3(lab, ns=None)  # a daemon of another namespace finds it, too
    notes = elsewhere.do("recover")
    need(set(seen(ns, "up0")) == set(a0), f"{seen(ns, 'up0')}\n{a0}")
    need(routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}\n{notes}")
    need(not os.listdir(l3.dir), os.listdir(l3.dir))
    need(elsewhere.do("recover") == "", "only once")


def test_without_privileges(lab):
    world(lab)
    os.chmod(lab.dir, 0o755)
    l3 = L3(lab, prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    os.chmod(l3.dir, 0o777)
    l3.do("take", "up0")
    notes, err = l3.ask("apply", l3.file("addresses: [10.7.0.2/24]"))
    need(err and "not permitted" in err, f"{err} {notes}")
    l3.do("release")


def test_the_removed_one_was_primary(lab):
    """Removed from the file, refused, released: others of the subnet stay."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    l3 = L3(lab)
    sw.addif("br0", "up0")
    two = l3.file("addresses: [10.7.0.2/24, 10.7.0.3/24]\n"
                  "routes: [{to: default, via: 10.7.0.1, from: 10.7.0.3}]")
    l3.do("apply", two)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.77/24", "dev", "br0")
    sh("ip", "-n", ns, "route", "add", "10.70.0.0/16", "via", "10.7.0.1", "dev", "br0", "src",
       "10.7.0.77")
    r0 = routes(ns, "br0")
    _, err = l3.ask("apply", l3.file("addresses: [10.7.0.3/24, 10.7.0.4/24]\nroutes: ["
                                     "{to: 10.90.0.0/16, via: 10.91.0.1}]", "bad.yaml"))
    need(err, "refused")
    need(set(addrs(ns, "br0")) == {"10.7.0.2/24", "10.7.0.3/24", "10.7.0.77/24"}, addrs(ns, "br0"))
    need(routes(ns, "br0") == r0, routes(ns, "br0"))
    l3.do("apply", l3.file("addresses: [10.7.0.3/24]\n"
                           "routes: [{to: default, via: 10.7.0.1, from: 10.7.0.3}]", "one.yaml"))
    need(set(addrs(ns, "br0")) == {"10.7.0.3/24", "10.7.0.77/24"}, addrs(ns, "br0"))
    need(routes(ns, "br0") == r0, routes(ns, "br0"))
    l3.do("release")
    need(set(addrs(ns, "br0")) == {"10.7.0.77/24"} and len(routes(ns, "br0")) == 1,
         f"{addrs(ns, 'br0')} {routes(ns, 'br0')}")


def test_order_of_returned_addresses(lab):
    """What was primary on up0 is it again, though the file's bridge kept it longer."""
    sw, ns, out = world(lab, addresses=False)
    no_promotion(lab)
    for a in ("10.7.0.2/24", "10.7.0.33/24", "10.7.0.34/24"):
        sh("ip", "-n", ns, "addr", "add", a, "dev", "up0")
    sh("ip", "-n", ns, "route", "add", "10.70.0.0/16", "via", "10.7.0.1", "dev", "up0", "src",
       "10.7.0.33")

    def listed():
        return sh("ip", "-n", ns, "-4", "addr", "show", "dev", "up0").stdout
    before, r0 = listed(), routes(ns, "up0")
    l3 = L3(lab)
    l3.do("take", "up0")
    sw.addif("br0", "up0")
    l3.do("apply", l3.file("addresses: [10.7.0.2/24]"))
    sw.delif("br0", "up0")
    l3.do("return", "up0")
    need(set(addrs(ns, "up0")) == {"10.7.0.33/24", "10.7.0.34/24"}, addrs(ns, "up0"))
    l3.do("release")
    strip = [[x.strip() for x in t.splitlines()[1:]] for t in (listed(), before)]
    need(strip[0] == strip[1], f"{listed()}\n{before}")
    need(routes(ns, "up0") == r0, f"{routes(ns, 'up0')}\n{r0}")


def test_route_of_the_file_and_the_uplink(lab):
    """Both have a default route: up0's is back with its address, br0 keeps the file's."""
    sw, ns, out = world(lab, addresses=False)
    sh("ip", "-n", ns, "addr", "add", "10.7.0.33/24", "dev", "up0")
    sh("ip", "-n", ns, "route", "add", "default", "via", "10.7.0.1", "dev", "up0")
    l3 = L3(lab)

    def default():
        return [r.split()[4] for r in routes(ns) if r.startswith("default")]
    f = l3.file("addresses: [10.8.0.2/24]\n"
                "routes: [{to: default, via: 10.7.0.1, on-link: true}]\nmtu: 1400")
    plan = l3.do("plan", f)
    need("route default via 10.7.0.1 on-link\n" in plan, plan)
    for _ in range(2):
        l3.do("take", "up0")
        sw.addif("br0", "up0")
        l3.do("apply", f)
        need(default() == ["br0"], routes(ns))
        sw.wait_forwarding("up0")
        lib.reaches(ns, "10.99.0.1")
        sw.delif("br0", "up0")
        l3.do("return", "up0")
        need(sorted(default()) == ["br0", "up0"], routes(ns))
        need("up0" in sh("ip", "-n", ns, "route", "get", "10.99.0.1").stdout, routes(ns))
        lib.reaches(ns, "10.99.0.1")
        l3.do("apply", f)
        need(sorted(default()) == ["br0", "up0"], routes(ns))
    l3.do("release")
    need(default() == ["up0"], routes(ns))
    lib.reaches(ns, "10.99.0.1")


def test_router_advertisements(lab):
    """What the uplink got from advertisements br0 gets by itself, and it goes back."""
    sw, ns, out = world(lab, addresses=False)
    lab.sysctl("sw", "net.ipv6.conf.up0.accept_ra", 2)
    lab.sysctl("sw", "net.ipv6.conf.up0.accept_dad", 0)
    dnsmasq(lab, out, "eth0", "--dhcp-range=fd07::,ra-only,64,1h", "--enable-ra")
    sh("ip", "-n", ns, "link", "set", "up0", "down")
    sh("ip", "-n", ns, "link", "set", "up0", "up")
    wait_until(lambda: any(r.startswith("default via fe80") for r in routes(ns, "up0")), 10,
               lambda: f"{routes(ns)} {addrs(ns, 'up0')}")
    a0 = set(addrs(ns, "up0"))
    sh("ip", "-n", ns, "rule", "add", "iif", "up0", "table", "77")
    l3 = L3(lab)
    notes = l3.do("take", "up0")
    need("1 routing rule names up0" in notes, notes)
    sw.addif("br0", "up0")
    notes = l3.do("apply", l3.file("accept-ra: true"))
    need("moved" not in notes and not addrs(ns, "up0") and not routes(ns, "up0"),
         f"{notes} {addrs(ns, 'up0')} {routes(ns, 'up0')}")
    wait_until(lambda: set(addrs(ns, "br0")) and
               any(r.startswith("default via fe80") for r in routes(ns, "br0")), 10,
               lambda: f"{routes(ns)} {addrs(ns, 'br0')}")
    lib.reaches(ns, "fd07::1")
    sw.delif("br0", "up0")
    l3.do("release")
    need(set(addrs(ns, "up0")) == a0, f"{addrs(ns, 'up0')} {a0}")
    need(any(r.startswith("default via fe80") for r in routes(ns, "up0")), routes(ns))


if __name__ == "__main__":
    lib.main()
