# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What the labs of this folder share: sourced by them, from the top of the tree.
#
#   script  what it is called in what it says      set by the one that sources
#   name    of a kept lab: of its namespaces and its directory in /run
#   kind    the same of one that is not kept, before its number
#
#   tag         what the names of all namespaces begin with, "$tag-switch"
#   dir         sockets and logs
#   namespaces  those that were made
set -u
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
kept=/run/bascule-$name
keep='' tag='' dir=''
namespaces=()

# ---- words ----

bold='' plain=''
[ ! -t 1 ] || { bold=$'\033[1m' plain=$'\033[0m'; }
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() { echo "$script: $*" >&2; exit 1; }

# ---- commands ----

at() { ip netns exec "$tag-$1" "${@:2}"; }
# not by ip netns exec: hosts' namespaces would be seen only inside
bascule() { nsenter --net="/run/netns/$tag-switch" "$build/bascule" -S "$dir/control.sock" "$@"; }
# background NAMESPACE LOG COMMAND...: in a session of its own, as Ctrl-C is for
# the script, which ends things in their order
background() { setsid ip netns exec "$tag-$1" "${@:3}" >"$dir/$2" 2>&1 </dev/null & }

# quietly TEXT COMMAND...: TEXT is what fails if it does
quietly() {
    "${@:2}" >"$dir/out" 2>&1 </dev/null || { cat "$dir/out" >&2; die "$1 failed: ${*:2}"; }
}
# within SECONDS TEXT COMMAND...: until it succeeds
within() {
    local limit=$((SECONDS + $1))
    until "${@:3}" >/dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || die "$2 did not happen: ${*:3}"
        sleep 0.05
    done
}

# ---- beginning ----

# needs PROGRAM...
needs() {
    local c
    for c in "$@"; do
        command -v "$c" >/dev/null || die "$c is missing: make deps installs it"
    done
    [ -x "$build/basculed" ] && [ -x "$build/bascule" ] || die "nothing is built yet: make"
}

# From here on, the end of the script is the end of what it has made.
begin() {
    if [ -n "$keep" ]; then
        [ ! -e "$kept" ] || die "a lab is up already; docs/lab/${0##*/} --end ends it"
        tag=$name dir=$kept
        mkdir -m 755 "$kept" || die "cannot make $kept"
    else
        tag=$kind$$
        dir=$(mktemp -d "/tmp/bascule-$kind.XXXXXX") || die "cannot make a directory in /tmp"
        chmod 755 "$dir" # QEMU's user has to come to its sockets
    fi
    trap finish EXIT
    trap 'exit 1' INT TERM
}

make_namespaces() {
    local n
    for n in "$@"; do
        quietly "making a namespace" ip netns add "$tag-$n"
        namespaces+=("$tag-$n")
        ip -n "$tag-$n" link set lo up
    done
}

# cable PORT NAMESPACE: a veth from the switch to eth0 there
cable() {
    quietly "making a veth" ip -n "$tag-switch" link add "$1" type veth \
        peer name eth0 netns "$tag-$2"
}

start_switch() {
    background switch basculed.log "$build/basculed" --socket "$dir/control.sock"
    within 10 "the start of basculed" bascule show
    echo "  # basculed --socket $dir/control.sock"
}

# A router with DHCP, and 192.0.2.1 as the rest of the world.
start_outside() {
    quietly "addresses outside" ip -n "$tag-outside" addr add 10.77.0.1/24 dev eth0
    quietly "addresses outside" ip -n "$tag-outside" addr add 192.0.2.1/32 dev lo
    quietly "setting eth0 up" ip -n "$tag-outside" link set eth0 up
    background outside dnsmasq.log dnsmasq --no-daemon --conf-file=/dev/null --port=0 \
        --no-ping --user=root --group= --pid-file= --interface=eth0 --bind-interfaces \
        --dhcp-authoritative --dhcp-leasefile="$dir/leases" \
        --dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h --dhcp-option=3,10.77.0.1
    within 10 "the start of the DHCP server" grep -q 'DHCP, ' "$dir/dnsmasq.log"
}

# ---- end ----

# What has to go before the switch does; a lab may have its own.
before_removal() { :; }

inside_any() {
    local n
    for n in "${namespaces[@]}"; do ip netns pids "$n" 2>/dev/null; done
}

remove() {
    local n p
    before_removal
    # SIGTERM first: the switch puts the devices back as they were
    for p in $(inside_any); do kill "$p" 2>/dev/null; done
    for _ in {1..50}; do
        [ -n "$(inside_any)" ] || break
        sleep 0.1
    done
    for p in $(inside_any); do kill -9 "$p" 2>/dev/null; done
    for n in "${namespaces[@]}"; do ip netns del "$n" 2>/dev/null; done
    [ -z "$dir" ] || rm -rf "$dir"
}

finish() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM # another Ctrl-C is not to leave half of it
    [ $rc -eq 0 ] && [ -n "$keep" ] && exit 0
    if [ $rc -ne 0 ] && [ -s "$dir/basculed.log" ]; then
        echo "$script: the last words of the switch:" >&2
        tail -n 10 "$dir/basculed.log" >&2
    fi
    remove
    exit $rc
}

# Writes down, for end_kept, what is to be removed.
remember() { printf '%s\n' "${namespaces[@]}" >"$kept/namespaces"; }

end_kept() {
    [ -e "$kept/namespaces" ] || die "no lab is up"
    tag=$name dir=$kept
    mapfile -t namespaces <"$kept/namespaces"
    remove
    echo "$script: ended, nothing is left"
}
