#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What udhcpc calls in the guest.
case $1 in
deconfig) ip addr flush dev "$interface" ;;
bound | renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/${mask:-24}" dev "$interface"
    [ -z "$router" ] || ip route add default via "$router" dev "$interface"
    echo "lease $ip"
    ;;
esac
