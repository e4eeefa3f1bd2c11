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
cd "$(dirname "$0")/../.." || exit 1
script=lab-vm name=${VMLAB:-vmlab} kind=vmlab
. docs/lab/common.sh
lab=''

before_removal() {
    [ ! -d "$dir/control.labs" ] || [ -z "$lab" ] || bascule lab down "$lab" || true
}

# ---- may we, can we? ----

[ "$(id -u)" -eq 0 ] || die "needs root, for namespaces and devices: sudo make lab-vm"
case ${1:-} in
--keep) keep=1; shift ;;
--end)
    lab=$(cat "$kept/lab" 2>/dev/null)
    end_kept
    exit 0
    ;;
esac
file=${1:-docs/lab/two-vms.yaml}
[ -r "$file" ] || die "there is no file $file"
needs ip nsenter ping dnsmasq python3 qemu-system-x86_64
begin

say "1. A kernel and a ramdisk for the machines, fetched and made once."
quietly "making the machine" tests/guest/image.py --to docs/lab/image
sed 's/ /\n/; s/^/  /' "$dir/out"

say "2. A switch, and behind its uplink a router with DHCP and 192.0.2.1, the rest of the world."
make_namespaces switch outside
cable uplink outside
start_outside
start_switch

say "3. The lab, in one command."
echo "  # bascule lab up $file"
lab=$file # by that it is found until its name is known
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
remember
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
