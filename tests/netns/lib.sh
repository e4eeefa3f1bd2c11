# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What shell tests on real devices share.  Source it first:
#
#   . "$(dirname "$0")/lib.sh"
#
# gives  $T          a directory for this run's files, removed at the end
#        ns_add NAME    makes a namespace; $NAME is its full, unique name
#        switch_start   basculed in namespace $sw, socket $SOCK
#        b ARGS...      bascule's client, run in $sw
#        wait_until LIMIT COMMAND...   every 50 ms until it succeeds
#        fail TEXT, skip TEXT
#
# The exit trap ends what ran in the namespaces and deletes them.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
BUILD=${BUILD:-$PWD/build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
[ "$(id -u)" -eq 0 ] || { echo "needs root: it makes network namespaces"; exit 77; }
TAG=bt$$-$(basename "$0" _test.sh)
T=$(mktemp -d "/tmp/$TAG-XXXXXX")
SOCK=$T/ctl.sock
NSS=()
DAEMON=

finish() {
    local rc=$? n p
    trap - EXIT INT TERM
    [ $rc -eq 0 ] || [ $rc -eq 77 ] || [ ! -s "$T/basculed.log" ] || {
        echo "--- daemon's log"
        tail -n 40 "$T/basculed.log"
    }
    [ -z "$DAEMON" ] || kill "$DAEMON" 2>/dev/null
    # the daemon gets a moment to put devices back as they were
    [ -z "$DAEMON" ] || wait_until 5 gone "$DAEMON"
    for n in "${NSS[@]}"; do
        for p in $(ip netns pids "$n" 2>/dev/null); do kill -9 "$p" 2>/dev/null; done
        ip netns del "$n" 2>/dev/null
    done
    rm -rf "$T"
    exit $rc
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() { echo "FAIL: $*"; exit 1; }
skip() { echo "$*"; exit 77; }
gone() { ! kill -0 "$1" 2>/dev/null; }

wait_until() {
    local limit=$1 end
    shift
    end=$((SECONDS + limit))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# sets the variable NAME to the namespace's full name
ns_add() {
    local full=$TAG-$1
    ip netns add "$full" || fail "cannot make the namespace $full"
    NSS+=("$full")
    ip -n "$full" link set lo up
    printf -v "$1" %s "$full"
}

# switch_start [ARGS...]: basculed in the namespace sw
switch_start() {
    [ -x "$BUILD/basculed" ] || fail "$BUILD/basculed is not built"
    [ -n "${sw:-}" ] || ns_add sw
    ip netns exec "$sw" "$BUILD/basculed" --socket "$SOCK" "$@" >>"$T/basculed.log" 2>&1 &
    DAEMON=$!
    wait_until 10 b show || fail "basculed does not answer"
}

b() { ip netns exec "${sw:-}" "$BUILD/bascule" -S "$SOCK" "$@"; }
