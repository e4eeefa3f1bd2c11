#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The lab with virtual machines: a switch in a network namespace, a router with
# DHCP behind its uplink in another, and what a lab's file describes.
#
#   docs/lab/vm.sh [FILE]     takes it up, pings all ways, removes it (make lab-vm)
#   docs/lab/vm.sh --keep [FILE]     leaves it up and says how to look around
#   docs/lab/vm.sh --end      ends one that was kept
#
# FILE is docs/lab/two-vms.yaml if it is not given.  VMLAB=NAME gives a kept one
# another name than "vmlab".
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
name=${VMLAB:-vmlab}
kept=/run/bascule-$name
keep='' lab=''

bold='' plain=''
[ ! -t 1 ] || { bold=$'\033[1m' plain=$'\033[0m'; }
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() { echo "lab-vm: $*" >&2; exit 1; }

at() { ip netns exec "$tag-$1" "${@:2}"; }
# not by ip netns exec: hosts' namespaces would be seen only inside
bascule() { nsenter --net="/run/netns/$tag-switch" "$build/bascule" -S "$dir/control.sock" "$@"; }
background() { ip netns exec "$tag-$1" "${@:3}" >"$dir/$2" 2>&1 </dev/null & }
inside_any() { for n in switch outside; do ip netns pids "$tag-$n" 2>/dev/null; done; }

remove() {
    local p
    [ ! -d "$dir/control.labs" ] || [ -z "$lab" ] || bascule lab down "$lab" || true
    for p in $(inside_any); do kill "$p" 2>/dev/null; done
    for _ in {1..50}; do
        [ -n "$(inside_any)" ] || break
        sleep 0.1
    done
    for p in $(inside_any); do kill -9 "$p" 2>/dev/null; done
    for n in switch outside; do ip netns del "$tag-$n" 2>/dev/null; done
    rm -rf "$dir"
}

finish() {
    local rc=$?
    trap - EXIT INT TERM
    [ $rc -eq 0 ] && [ -n "$keep" ] && exit 0
    if [ $rc -ne 0 ] && [ -s "$dir/basculed.log" ]; then
        echo "lab-vm: the last words of the switch:" >&2
        tail -n 10 "$dir/basculed.log" >&2
    fi
    remove
    exit $rc
}

quietly() {
    local what=$1
    shift
    "$@" >"$dir/out" 2>&1 </dev/null || { cat "$dir/out" >&2; die "$what failed: $*"; }
}
within() {
    local limit=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || die "$what did not happen: $*"
        sleep 0.05
    done
}

# ---- may we, can we? ----

[ "$(id -u)" -eq 0 ] || die "needs root, for namespaces and devices: sudo make lab-vm"
case ${1:-} in
--keep) keep=1; shift ;;
--end)
    [ -e "$kept/lab" ] || die "no lab is up"
    tag=$name dir=$kept lab=$(cat "$kept/lab")
    remove
    echo "lab-vm: ended, nothing is left"
    exit 0
    ;;
esac
file=${1:-docs/lab/two-vms.yaml}
[ -r "$file" ] || die "there is no file $file"
for c in ip nsenter ping dnsmasq python3 qemu-system-x86_64; do
    command -v $c >/dev/null || die "$c is missing: make deps installs it"
done
[ -x "$build/basculed" ] && [ -x "$build/bascule" ] || die "nothing is built yet: make"
if [ -n "$keep" ]; then
    [ ! -e "$kept" ] || die "one is up already; docs/lab/vm.sh --end ends it"
    tag=$name dir=$kept
    mkdir -m 755 "$kept" || die "cannot make $kept"
else
    tag=vmlab$$
    dir=$(mktemp -d /tmp/bascule-vmlab.XXXXXX) || die "cannot make a directory in /tmp"
    chmod 755 "$dir" # QEMU's user has to come to its sockets
fi
trap finish EXIT
trap 'exit 1' INT TERM

say "1. A kernel and a ramdisk for the machines, fetched and made once."
quietly "making the machine" tests/guest/image.py --to docs/lab/image
sed 's/ /\n/; s/^/  /' "$dir/out"

say "2. A switch, and behind its uplink a router with DHCP and 192.0.2.1, the rest of the world."
for n in switch outside; do
    quietly "making a namespace" ip netns add "$tag-$n"
    ip -n "$tag-$n" link set lo up
done
quietly "making the uplink" ip -n "$tag-switch" link add uplink type veth \
    peer name eth0 netns "$tag-outside"
quietly "addresses outside" ip -n "$tag-outside" addr add 10.77.0.1/24 dev eth0
quietly "addresses outside" ip -n "$tag-outside" addr add 192.0.2.1/32 dev lo
quietly "setting eth0 up" ip -n "$tag-outside" link set eth0 up
background outside dnsmasq.log dnsmasq --no-daemon --conf-file=/dev/null --port=0 \
    --no-ping --user=root --group= --pid-file= --interface=eth0 --bind-interfaces \
    --dhcp-authoritative --dhcp-leasefile="$dir/leases" \
    --dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h --dhcp-option=3,10.77.0.1
within 10 "the start of the DHCP server" grep -q 'DHCP, ' "$dir/dnsmasq.log"
background switch basculed.log "$build/basculed" --socket "$dir/control.sock"
within 10 "the start of basculed" bascule show
echo "  # basculed --socket $dir/control.sock"

say "3. The lab, in one command."
echo "  # bascule lab up $file"
bascule lab up "$file" >"$dir/up" || die "the lab is not up"
sed 's/^/  /' "$dir/up"
lab=$(sed -n '1s/^lab \([^,]*\),.*/\1/p' "$dir/up")
[ -z "$keep" ] || echo "$lab" >"$dir/lab"

console() { bascule -j guest show "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["console"])'; }
tell() { python3 docs/lab/say.py "$(console "$1")" "${@:2}"; }
mapfile -t machines < <(sed -n 's/^guest \([^,]*\), running.*/\1/p' "$dir/up")
[ ${#machines[@]} -gt 0 ] || die "no machine runs"

say "4. The machines boot, and have addresses."
declare -A addr
for m in "${machines[@]}"; do
    said=$(tell "$m" 'for i in $(seq 40); do ip -4 -o addr show dev eth0 | grep -q inet && break; sleep 0.5; done; ip -4 -o addr show dev eth0') ||
        die "$m has no address: $said"
    addr[$m]=$(awk '{split($4, a, "/"); print a[1]; exit}' <<<"$said")
    [ -n "${addr[$m]}" ] || die "$m has no address: $said"
    echo "  $m  ${addr[$m]}"
done

say "5. Pings: from machine to machine, and out."
pings() {
    local from=$1 to=$2 said
    said=$(tell "$from" "ping -c 3 -W 2 $to") || die "ping from $from to $to failed: $said"
    printf '  %-8s -> %-14s %s\n' "$from" "$to" "$(grep -E 'packets|round-trip' <<<"$said" | tr -s '\n\r' '  ')"
}
for a in "${machines[@]}"; do
    for b in "${machines[@]}"; do [ "$a" = "$b" ] || pings "$a" "${addr[$b]}"; done
    ! grep -q '^uplink:' "$file" || pings "$a" 192.0.2.1
done

say "6. What the switch says."
ln -s "$build/bascule" "$dir/brctl"
echo "  # brctl show"
BASCULE_SOCKET=$dir/control.sock at switch "$dir/brctl" show || die "brctl show failed"

if [ -z "$keep" ]; then
    say "Everything worked; the lab is removed again.  make lab-vm KEEP=1 leaves it up."
    exit 0
fi
look() { printf '  %-46s%s\n' "$1" "$2"; }
cat <<END

The lab is up.  To look around:

  alias $tag='nsenter --net=/run/netns/$tag-switch $build/bascule -S $dir/control.sock'
END
look "$tag lab show $lab" "what there is"
look "$tag guest console ${machines[0]}" "its serial line: 1 ip addr; Ctrl-] leaves it"
look "$tag events" "what happens, as it happens; ^C ends it"
look "$tag guest list" "the machines"
cat <<END

To end it:

  ${VMLAB:+VMLAB=$VMLAB }docs/lab/vm.sh --end
END
