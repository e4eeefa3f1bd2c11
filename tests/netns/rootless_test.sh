#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The lab of README.md without root: an ordinary user in namespaces of his own,
# where no BPF program may be loaded and yet the host's stack is kept off.
. "$(dirname "$0")/lib.sh"
uid=$((100000 + $$ % 100000)) # nobody has it
tree=$T/tree
rel=${BUILD#"$PWD"/}
mkdir "$tree" "$T/dev" "$T/home"
chmod 755 "$T"
chown $uid "$T/home"

# as_user TUN COMMAND...: in the tree, by an ordinary user; TUN are the
# permissions of /dev/net/tun
as_user() {
    local mode=$1
    shift
    unshare -m bash -euc '
        tree=$1 dev=$2 uid=$3 mode=$4 home=$5; shift 5
        mount --bind . "$tree" # wherever it is, he gets there
        mount -t tmpfs tmpfs "$dev"
        mknod -m "$mode" "$dev/tun" c 10 200
        mount --bind "$dev/tun" /dev/net/tun
        cd "$tree"
        exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all \
            --inh-caps=-all env HOME="$home" XDG_RUNTIME_DIR="$home" "$@"
    ' - "$tree" "$T/dev" $uid "$mode" "$T/home" BUILD="$rel" LAB="${LAB:-lab}" "$@"
}
his() { pgrep -u $uid -a; }
nothing_left() {
    wait_until 3 eval '! his' || fail "processes are left: $(his)"
    [ -z "$(find /tmp -maxdepth 1 -uid $uid)" ] || fail "left: $(find /tmp -maxdepth 1 -uid $uid)"
}
# ends what is his, should the test fail
trap 'rc=$?; for p in $(pgrep -u $uid); do kill -9 "$p"; done
      find /tmp -maxdepth 1 -uid $uid -exec rm -rf {} +; (exit $rc); finish' EXIT

as_user 0666 true || skip "cannot become an ordinary user here"
as_user 0666 unshare -Urnm true || skip "this kernel gives ordinary users no namespaces"

# what is missing is said
as_user 0666 docs/lab/lab.sh 2>"$T/err" && fail "the lab needs no root"
grep -q 'ROOTLESS=1' "$T/err" || fail "no way out is told: $(cat "$T/err")"
as_user 0600 docs/lab/lab.sh --rootless 2>"$T/err" && fail "no tap, and the lab works"
grep -q 'may not open /dev/net/tun' "$T/err" || fail "no clear sentence: $(cat "$T/err")"

# it works as it does for root
as_user 0666 docs/lab/lab.sh --rootless >"$T/out" 2>&1 || { cat "$T/out"; fail "the lab"; }
for w in 'br0' 'receiver' 'alice ' 'uplink' 'is local?' 'lab is removed'; do
    grep -q -- "$w" "$T/out" || { cat "$T/out"; fail "the lab does not print: $w"; }
done
grep receiver "$T/out"
nothing_left

# kept, it is entered as it says
export LAB=lr$$
as_user 0666 docs/lab/lab.sh --rootless --keep >"$T/out" 2>&1 ||
    { cat "$T/out"; fail "the lab does not stay"; }
as_user 0666 docs/lab/lab.sh --rootless --keep 2>"$T/err" && fail "a second lab of one name"
grep -q 'up already' "$T/err" || fail "no clear sentence: $(cat "$T/err")"
enter=$(sed -n "s/^  alias enter='\(.*\)'$/\1/p" "$T/out")
lab=$(sed -n "s/^  alias $LAB='\(.*\)'$/\1/p" "$T/out")
[ -n "$enter" ] && [ -n "$lab" ] || { cat "$T/out"; fail "it does not say how to look around"; }
# shellcheck disable=SC2086
{
    e() { as_user 0666 $enter "$@"; }
    l() { as_user 0666 $lab "$@"; }
    l show | grep -q br0 || fail "the kept lab has no br0"
    l -j port show br0 >"$T/ports"
    jq -e '.[] | select(.name == "bob").detail | contains("clsact")' "$T/ports" >/dev/null ||
        fail "the ingress of bob's port: $(cat "$T/ports")"
    e ip netns exec $LAB-alice ping -n -c 2 -i 0.2 192.0.2.1 >/dev/null || fail "alice reaches nothing"
    # an address on a port's interface is deaf, until the interface is given back
    e ip -n $LAB-switch addr add 10.78.0.1/24 dev bob
    e ip -n $LAB-bob addr add 10.78.0.2/24 dev eth0
    e ip netns exec $LAB-bob ping -n -c 2 -i 0.2 -W 1 10.78.0.1 >/dev/null &&
        fail "the host's stack answers on a port's interface"
    l delif br0 bob || fail "delif"
    wait_until 5 e ip netns exec $LAB-bob ping -n -c 1 -W 1 10.78.0.1 ||
        fail "bob's interface is not given back"
}
as_user 0666 docs/lab/lab.sh --rootless --end || fail "--end"
nothing_left
as_user 0666 docs/lab/lab.sh --rootless --end 2>/dev/null && fail "--end without a lab succeeds"
exit 0
