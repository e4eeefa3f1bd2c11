#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The five-minute lab: a switch, two hosts, an uplink, each in a network
# namespace of its own, so nothing of this machine is touched.
#
#   docs/lab/lab.sh          builds it, tries it, removes it      (make lab)
#   docs/lab/lab.sh --keep   leaves it up and says how to look around
#   docs/lab/lab.sh --end    ends a lab that was kept
#
# With --rootless (make lab ROOTLESS=1) in front, an ordinary user does the same
# in user, network and mount namespaces of his own.  LAB=NAME gives a kept lab
# another name than "lab": several can be up.
#
#      alice                  bob                    outside
#      eth0, a tap whose      eth0, one end of       eth0, one end of a veth;
#      descriptor the         a veth                 router and DHCP server
#      switch holds             |                        |
#        |                      |                        |
#    port alice (tap)     port bob (packet)     port uplink (packet)
#        +----------------------+------------------------+
#                 bridge br0 in the namespace switch,
#                 with the interface br0 for its own host
cd "$(dirname "$0")/../.." || exit 1
script=lab name=${LAB:-lab} kind=lab
. docs/lab/common.sh
rootless='' enter=''

# ---- without root: the script calls itself inside ----

outside_kept=/tmp/bascule-$name-$(id -u) # /run is not an ordinary user's
can_have_namespaces() {
    unshare -Urnm true 2>/dev/null ||
        die "an ordinary user gets no namespaces here: look at the sysctls" \
            "user.max_user_namespaces, kernel.unprivileged_userns_clone and" \
            "kernel.apparmor_restrict_unprivileged_userns"
    [ -r /dev/net/tun ] && [ -w /dev/net/tun ] ||
        die "you may not open /dev/net/tun; everybody may on Debian (mode 0666)," \
            "and it only gives what you could do anyway: chmod 0666 /dev/net/tun as root"
}
keeper() {
    local pid
    [ -O "$outside_kept" ] && pid=$(cat "$outside_kept/keeper" 2>/dev/null) &&
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sleep ] || return 1
    echo "$pid"
}
inside() { nsenter --preserve-credentials -t "$1" -U -n -m -- "${@:2}"; }
go_inside() {
    local pid
    case ${1:-} in
    --end)
        pid=$(keeper) || { rm -rf "$outside_kept"; die "no lab is up"; }
        LAB_INSIDE=$outside_kept inside "$pid" "$PWD/docs/lab/lab.sh" --end || exit 1
        kill "$pid"
        rm -rf "$outside_kept"
        exit 0
        ;;
    --keep)
        can_have_namespaces
        keeper >/dev/null && die "a lab is up already; docs/lab/lab.sh --rootless --end ends it"
        rm -rf "$outside_kept"
        mkdir -m 700 "$outside_kept" || die "cannot make $outside_kept"
        LAB_INSIDE=$outside_kept unshare -Urnm docs/lab/lab.sh "$@" && exit 0
        rm -rf "$outside_kept"
        exit 1
        ;;
    *)
        can_have_namespaces
        LAB_INSIDE=yes exec unshare -Urnm docs/lab/lab.sh "$@"
        ;;
    esac
}
prepare_inside() {
    # ip netns keeps its namespaces below /run
    [ "${1:-}" = --end ] || mount -t tmpfs tmpfs /run || die "cannot have a /run of its own"
}

# do_ TEXT COMMAND...: shows and runs a command; TEXT is what fails if it does
do_() {
    local what=$1
    shift
    echo "  # $*" | sed 's/ at switch / /'
    "$@" || die "$what failed: $*"
}

if [ "${1:-}" = --rootless ]; then
    shift
    go_inside "$@"
fi
if [ -n "${LAB_INSIDE:-}" ]; then
    rootless=1
    prepare_inside "$@"
fi
case ${1:-} in
'') ;;
--keep) keep=1 ;;
--end) [ "$(id -u)" -eq 0 ] || die "needs root"; end_kept; exit 0 ;;
*) die "usage: docs/lab/lab.sh [--rootless] [--keep|--end]" ;;
esac

# ---- may we, can we? ----

[ "$(id -u)" -eq 0 ] ||
    die "needs root, for namespaces and devices: sudo make lab, or make lab ROOTLESS=1"
needs ip nsenter ping iperf3 dnsmasq udhcpc
begin
cat >"$dir/lease" <<'END'
#!/bin/sh
case $1 in bound | renew)
    ip addr flush dev $interface
    ip addr add $ip/$mask dev $interface
    [ -z "$router" ] || ip route replace default via $router dev $interface
    ;;
esac
END
chmod +x "$dir/lease"

say "1. Four namespaces: the switch, two hosts, and an outside world behind the uplink."
make_namespaces switch alice bob outside
ip netns list | grep "^$tag-" | sed 's/ .*//; s/^/  /'

say "2. The switch starts; it runs in userspace and asks for nothing but a socket to be controlled by."
start_switch

say "3. A bridge, as with brctl; it comes with an interface br0 for its own host."
do_ "adding the bridge" bascule addbr br0
do_ "setting br0 up" at switch ip link set br0 up

say "4. alice on a tap: the switch makes it in her namespace and holds its other side."
do_ "adding alice" bascule addif br0 "tap:eth0,netns=$tag-alice,name=alice"

say "5. bob and the uplink on veth pairs: the switch takes over existing interfaces."
for n in bob outside; do
    port=${n/outside/uplink}
    cable "$port" $n
    quietly "setting $port up" ip -n "$tag-switch" link set "$port" up
done
do_ "adding bob and the uplink" bascule addif br0 bob uplink
for n in alice bob outside; do
    quietly "setting eth0 up" ip -n "$tag-$n" link set eth0 up
done
for p in alice bob uplink; do
    quietly "forwarding on $p" bascule wait-forwarding "$p" 10
done

say "6. Outside: a router with a DHCP server, and 192.0.2.1 as the rest of the world."
start_outside

say "7. alice, bob and br0 itself get their addresses through the switch, by DHCP."
for n in alice bob switch; do
    dev=eth0
    [ $n = switch ] && dev=br0
    quietly "DHCP for $n" at $n timeout 20 udhcpc -i $dev -f -q -n -t 10 -T 1 -s "$dir/lease"
    ip -n "$tag-$n" -4 -br addr show dev $dev | awk -v n=$n '{sub(/@.*/, "", $1); printf "  %-7s %-5s %s\n", n, $1, $3}'
done
addr() { ip -n "$tag-$1" -4 -o addr show dev "$2" | awk '{split($4, a, "/"); print a[1]}'; }
bob=$(addr bob eth0)

say "8. Pings: host to host, host to outside, the switch's own host to outside."
for w in "alice $bob" "alice 192.0.2.1" "bob 192.0.2.1" "switch 192.0.2.1"; do
    set -- $w
    quietly "ping from $1 to $2" at "$1" ping -n -c 3 -i 0.1 -W 2 "$2"
    printf '  %-7s -> %-12s %s\n' "$1" "$2" "$(tail -n 1 "$dir/out")"
done

say "9. TCP from alice (tap) to bob (veth), three seconds, all offloads as they come."
background bob iperf3.log iperf3 -s -1 --forceflush
within 10 "the start of iperf3" grep -q listening "$dir/iperf3.log"
quietly "TCP from alice to bob" at alice timeout 30 iperf3 -c "$bob" -t 3
grep -E 'sender|receiver' "$dir/out" | sed 's/^/  /'

say "10. What the switch says: its bridge, whom it has learned where, its ports."
do_ "show" bascule show
do_ "showmacs" bascule showmacs br0
do_ "port show" bascule port show br0

if [ -z "$keep" ]; then
    say "Everything worked; the lab is removed again." \
        " make lab ${rootless:+ROOTLESS=1 }KEEP=1 leaves it up."
    exit 0
fi
remember
end=docs/lab/lab.sh
if [ -n "$rootless" ]; then
    # it keeps the namespaces, and is the way into them
    setsid sleep infinity >/dev/null 2>&1 </dev/null &
    echo $! >"$LAB_INSIDE/keeper"
    enter="nsenter --preserve-credentials -t $! -U -n -m "
    end="docs/lab/lab.sh --rootless"
fi
look() { printf '  %-57s%s\n' "$1" "$2"; }
cat <<END

The lab is up.  To look around:

  alias $tag='${enter}ip netns exec $tag-switch $build/bascule -S $kept/control.sock'
END
[ -z "$enter" ] || echo "  alias enter='$enter'"
look "$tag show" "bridges and their interfaces"
look "$tag events" "what happens, as it happens; ^C ends it"
look "$tag stats" "what became of each frame"
look "${enter:+enter }ip netns exec $tag-alice ping $bob" "alice pings bob"
look "${enter:+enter }ip netns exec $tag-switch tcpdump -Z root -ni bob" "what passes bob's port"
look "$tag help" "all commands"
cat <<END

docs/lab/README.md has more to try.  To end it:

  ${LAB:+LAB=$LAB }$end --end
END
