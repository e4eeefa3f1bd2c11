#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Mininet's LinuxBridge switch runs its pingall with Bascule behind the name
# brctl.  Mininet gets namespaces of its own, also for processes: when it
# fails it ends what looks like Mininet, and must not find anybody else's.
. "$(dirname "$0")/lib.sh"

for c in mn mnexec ifconfig; do
    command -v $c >/dev/null || skip "$c is not installed"
done

ns_add sw
mkdir "$T/bin"
if [ "${SWITCH:-}" != kernel ]; then
    ln -s "$BUILD/bascule" "$T/bin/brctl"
    switch_start
fi

# what Mininet's command line does behind the pings: who is the bridge?
cat >"$T/post" <<END
sh ip -o link show type bridge >$T/kernel-bridges
sh brctl show >$T/shown
END

pingall() {
    local topo=$1 switches=$2 out=$T/mn.out n
    rm -f "$T/kernel-bridges" "$T/shown"
    PATH=$T/bin:$PATH BASCULE_SOCKET=$SOCK ip netns exec "$sw" \
        unshare --pid --fork --kill-child --mount-proc \
        timeout -k 5 60 mn --controller none --switch lxbr --topo "$topo" \
        --post "$T/post" --test pingall >"$out" 2>&1 ||
        { cat "$out"; fail "mn --topo $topo: exit $?"; }
    grep -q 'Results: 0% dropped' "$out" || { cat "$out"; fail "$topo: pings lost"; }
    if [ "${SWITCH:-}" != kernel ]; then
        [ -e "$T/kernel-bridges" ] || fail "$topo: Mininet did not run the script"
        [ -s "$T/kernel-bridges" ] && fail "$topo: the kernel has bridges: $(cat "$T/kernel-bridges")"
        for ((n = 1; n <= switches; n++)); do
            grep -q "^s$n"$'\t' "$T/shown" ||
                { cat "$T/shown"; fail "$topo: bascule has no bridge s$n"; }
        done
        [ -z "$(b show)" ] || fail "$topo: bridges are left behind: $(b show)"
        gone "$DAEMON" && fail "$topo: the daemon has died"
    fi
    echo "$topo: $(grep Results "$out")"
}

pingall linear,3 3
pingall tree,2,3 4
pingall single,8 1
exit 0
