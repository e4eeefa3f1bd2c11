#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# The guest's first process: loads the drivers and then does what the serial
# line says.  A line is NUMBER COMMAND; the answer is what the command prints
# and then "@@ NUMBER STATUS".  "@@ ready UPTIME" says that it listens.  Words of
# the kernel's command line configure eth0: bascule.ip=ADDRESS/LENGTH,
# bascule.gw=ADDRESS, bascule.dhcp.
/bin/mount -t proc proc /proc
/bin/mount -t sysfs sysfs /sys
/bin/mount -t devtmpfs dev /dev
export PATH=/bin HOME=/tmp
for m in /modules/*.ko; do insmod "$m"; done
ip link set lo up
for word in $(cat /proc/cmdline); do
    case $word in
    bascule.ip=*)
        ip link set eth0 up
        ip addr add "${word#*=}" dev eth0
        ;;
    bascule.gw=*) ip route add default via "${word#*=}" ;;
    bascule.dhcp)
        ip link set eth0 up
        udhcpc -i eth0 -b -t 20 -T 1 -s /etc/lease >/tmp/dhcp 2>&1 &
        ;;
    esac
done
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty raw -echo icrnl
echo "@@ ready $(cut -d ' ' -f 1 /proc/uptime)"
while read -r number command; do
    eval "$command" </dev/null
    echo "@@ $number $?"
done
# the line is gone: so are we
poweroff -f
