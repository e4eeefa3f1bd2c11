#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The same steps with brctl on the kernel's bridge and with Bascule behind the
# name brctl, each in a namespace of its own with the same devices and MACs:
# standard output, standard error and exit code must be the same.
#
# Masked: running timers and ages; what Bascule adds in parentheses behind
# the system's words for an error.
. "$(dirname "$0")/lib.sh"

real=$(command -v brctl) || skip "brctl (bridge-utils) is not installed"
[ "$("$real" --version)" = "bridge-utils, 1.7" ] ||
    skip "the texts are those of bridge-utils 1.7, here is $("$real" --version)"

ns_add sw
ns_add kern
mkdir "$T/bin"
ln -s "$BUILD/bascule" "$T/bin/brctl"
switch_start

# both IP-ARGS...: the same devices on both sides
both() {
    ip -n "$sw" "$@" && ip -n "$kern" "$@" || fail "ip $*"
}
fast= # set while the topology changes: the kernel shows how fast it ages then
mask() {
    sed -E "${fast:+s/(ageing time\t+).*/\1T/}
            "'s/((hello|tcn|topology change|gc|forward delay|hold|message age) timer\t+) *[0-9]+\.[0-9]+/\1T/g
            s/^( *[0-9]+\t[0-9a-f:]{17}\tno\t\t) *[0-9]+\.[0-9]+$/\1T/' "$1"
}
steps=0
# same ARGS...: brctl ARGS on both sides
same() {
    local ours theirs
    ip netns exec "$kern" "$real" "$@" >"$T/k.out" 2>"$T/k.err"
    theirs=$?
    BASCULE_SOCKET=$SOCK ip netns exec "$sw" "$T/bin/brctl" "$@" \
        >"$T/b.out" 2>"$T/b.err"
    ours=$?
    mask "$T/k.out" >"$T/k.out.m"
    mask "$T/b.out" >"$T/b.out.m"
    # getopt says the path it was called by
    sed -E 's|^/.*/brctl:|brctl:|' "$T/k.err" >"$T/k.err.m"
    sed -E 's|^/.*/brctl:|brctl:|; s/ \(.*\)$//' "$T/b.err" >"$T/b.err.m"
    steps=$((steps + 1))
    [ $ours -eq $theirs ] || {
        cat "$T/k.err" "$T/b.err"
        fail "brctl $*: exit $theirs with the kernel's bridge, $ours with Bascule"
    }
    for f in out err; do
        diff -u --label kernel --label bascule "$T/k.$f.m" "$T/b.$f.m" ||
            fail "brctl $*: std$f differs"
    done
}
# like same, repeated until both agree: for what the network brings about
soon_same() {
    local end=$((SECONDS + 10))
    until (same "$@") >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || break
        sleep 0.1
    done
    same "$@"
}

for n in 0 2 4; do
    both link add v$n type veth peer name v$((n + 1))
    both link set v$n address 02:00:00:00:00:$((60 - n))
    both link set v$((n + 1)) address 02:00:00:00:01:0$((n + 1))
    # nothing but what the test sends
    for s in "$sw" "$kern"; do
        for d in v$n v$((n + 1)); do
            ip netns exec "$s" sysctl -qw net.ipv6.conf.$d.disable_ipv6=1
        done
    done
done

# ---- usage ----
same
same nope
same --help
same -h
same -V
same --version
same addbr foo -h
for c in addbr delbr "addif br0" "delif br0" "hairpin br0 v0" "setageing br0" \
    "setbridgeprio br0" "setfd br0" "sethello br0" "setmaxage br0" \
    "setpathcost br0 v0" "setportprio br0 v0" showmacs showstp "stp br0"; do
    # shellcheck disable=SC2086
    same $c
done

# ---- bridges ----
same show
same addbr br0
same addbr br0
same addbr v0
same addbr a/b
same addbr "a b"
same addbr ""
same addbr br1 surplus
same show
same show br1
same show br1 nope v0 br0 br1
same showmacs nope
same showmacs v0
same showstp nope
same showstp v0
same delbr nope
same delbr v0

# ---- membership ----
same addif br0 v0
same addif br0 v0
same addif br1 v0
same addif br0 br1
same addif nope v2
same addif br0 nope
same addif nope nope
same addif v0 v2
same addif br0 lo
same addif br0 nope v2
same show
same addif br0 v4 v2
same show
same delif br0 v1
same delif br0 nope
same delif nope v0
same delif br1 v0
same delif br0 v2
same addif br1 v2

# ---- states, addresses, ids: the lowest MAC, the lowest free number ----
for d in br0 br1 v0 v1 v2 v3; do both link set $d up; done
soon_same showstp br0
soon_same showstp br1
for s in "$sw" "$kern"; do
    ip -n "$s" addr add 10.0.0.1/24 dev v1
    ip netns exec "$s" ping -c 1 -W 1 10.0.0.2 >/dev/null # somebody speaks
done
soon_same showmacs br0
same show
same delbr br0
same delif br0 v4
same show
same addif br0 v4
same showstp br0
same delif br0 v0
same delif br0 v4
same addif br0 v4 v0
same show
soon_same showstp br0

# ---- parameters: what is stored, what is refused ----
for c in setageing setfd sethello setmaxage; do
    for v in 0 1 2 0.52 10 40 100000 1e1 abc ""; do
        [ "$c $v" != "setageing 100000" ] || continue # beyond Bascule's range
        same $c br0 "$v"
        same showstp br0
    done
    same $c nope 5
    same $c v0 5
done
for v in 0 1 65535 0x10 010 abc "" 32768; do
    same setbridgeprio br0 "$v"
    same show
done
same setbridgeprio nope 5
same setbridgeprio v0 5
for v in 0 1 65535 65536 abc "" 0x10; do
    same setpathcost br0 v0 "$v"
    soon_same showstp br0
done
same setpathcost br0 v1 5
same setpathcost br0 nope 5
for v in 0 63 64 255 abc "" 0x10; do
    same setportprio br0 v0 "$v"
    soon_same showstp br0
done
same setportprio br0 v1 5
same setportprio br0 nope 5
for v in on off yes no 1 0 true ON ""; do
    same hairpin br0 v0 "$v"
    same showstp br0
done
same hairpin br0 v1 on
same hairpin br0 nope on
same hairpin nope v0 on
for v in off no 0 true ""; do same stp br0 "$v"; done
same stp nope on
same stp v0 off
same setageing br0 -1
same setageing -- nope -1

# ---- spanning tree: as the kernel's, which knows no RSTP ----
version() { "$BUILD/bascule" -S "$SOCK" bridge set br0 force-version "$1"; }
for c in "setfd br0 1" "sethello br0 1" "setmaxage br0 6"; do
    # shellcheck disable=SC2086
    same $c
done
version stp
# switched on while up, the kernel lets ports go on that forward already
both link set br0 down
same stp br0 on
same stp br0 on
same show
both link set br0 up
soon_same showstp br0 # listening, and a delay of 2 s instead of 1
for v in 1 1.99 31 30 2; do
    same setfd br0 $v
    same showstp br0
done
for v in 0 65535 32768; do
    same setbridgeprio br0 $v
    same show
done
soon_same showstp br0
sleep 5
fast=1
soon_same showstp br0 # forwarding, and it tells of that
grep -q "state.*forwarding" "$T/b.out" || fail "no port forwards after twice the delay"
sleep 5
fast=
soon_same showstp br0 # ... no more
grep -q "flags.*TOPOLOGY_CHANGE" "$T/b.out" && fail "told of for ever"
same setpathcost br0 v0 7
same setportprio br0 v0 1
soon_same showstp br0
both link set v0 down
soon_same showstp br0
both link set v0 up
soon_same showstp br0
same setpathcost br0 v0 65536
both link set br0 down
soon_same showstp br0
both link set br0 up
soon_same showstp br0
same stp br0 no
same setfd br0 0
soon_same showstp br0
version rstp

# ---- without authority ----
nobody() {
    local ours theirs
    for f in k b; do : >"$T/$f.out"; done
    chmod 755 "$T"
    setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null || return
    ip netns exec "$kern" setpriv --reuid 65534 --regid 65534 --clear-groups \
        "$real" "$@" >"$T/k.out" 2>&1
    theirs=$?
    BASCULE_SOCKET=$SOCK ip netns exec "$sw" setpriv --reuid 65534 --regid 65534 \
        --clear-groups "$T/bin/brctl" "$@" >"$T/b.out" 2>&1
    ours=$?
    steps=$((steps + 1))
    [ $ours -eq $theirs ] || fail "nobody: brctl $*: exit $theirs and $ours"
    diff -u --label kernel --label bascule "$T/k.out" <(sed -E 's/ \(.*\)$//' "$T/b.out") ||
        fail "nobody: brctl $*: output differs"
}
nobody show
nobody addbr bz
nobody delbr br0
nobody addif br0 v2
nobody delif br0 v0
nobody setageing br0 5
nobody stp br0 off

# ---- the end ----
for d in br0 br1; do both link set $d down; done
same showmacs br0
soon_same showstp br0
same delbr br0
same delbr br1
same show
for n in 0 2 4; do both link set v$n up; done # nobody's members any more

echo "$steps steps with the same output"
exit 0
