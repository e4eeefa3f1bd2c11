#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The lab of README.md works, says what it does, and leaves nothing behind;
# kept, it stays up until it is ended.
. "$(dirname "$0")/lib.sh"
export BUILD

nothing_left() {
    local left
    left=$(ip netns list | grep "^$1-")
    [ -z "$left" ] || fail "namespaces are left behind: $left"
}

t0=$SECONDS
docs/lab/lab.sh >"$T/out" 2>&1 &
pid=$!
wait $pid || { cat "$T/out"; fail "docs/lab/lab.sh"; }
[ $((SECONDS - t0)) -lt 60 ] || fail "the lab took $((SECONDS - t0)) s"
nothing_left lab$pid
for w in 'br0' 'receiver' 'alice ' 'uplink' 'is local?' 'lab is removed'; do
    grep -q -- "$w" "$T/out" || { cat "$T/out"; fail "the lab does not print: $w"; }
done
grep receiver "$T/out"

export LAB=lb$$
trap 'rc=$?; docs/lab/lab.sh --end >/dev/null 2>&1; (exit $rc); finish' EXIT
docs/lab/lab.sh --keep >"$T/out" 2>&1 || { cat "$T/out"; fail "docs/lab/lab.sh --keep"; }
docs/lab/lab.sh --keep >"$T/again" 2>&1 && fail "a second lab of the same name"
grep -q 'up already' "$T/again" || fail "no clear sentence: $(cat "$T/again")"
# what it says about looking around is true
ip netns exec $LAB-alice ping -n -c 2 -i 0.1 192.0.2.1 >/dev/null || fail "alice reaches nothing"
ip netns exec $LAB-switch "$BUILD/bascule" -S /run/bascule-$LAB/control.sock show |
    grep -q br0 || fail "the kept lab has no br0"
docs/lab/lab.sh --end || fail "--end"
nothing_left $LAB
[ ! -e /run/bascule-$LAB ] || fail "/run/bascule-$LAB is left behind"
docs/lab/lab.sh --end >"$T/again" 2>&1 && fail "--end without a lab succeeds"

# an error half-way cleans up and says one sentence
mkdir "$T/bin"
printf '#!/bin/sh\nexit 1\n' >"$T/bin/udhcpc"
chmod +x "$T/bin/udhcpc"
PATH=$T/bin:$PATH docs/lab/lab.sh >"$T/out" 2>"$T/err" &
pid=$!
wait $pid && fail "the lab succeeds without DHCP"
nothing_left lab$pid
grep -q '^lab: DHCP for alice failed' "$T/err" || fail "no clear sentence: $(cat "$T/err")"
exit 0
