#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Becomes systemd, as process 1 of namespaces that the caller has made, over a copy of
# this machine's root in memory, with Bascule installed there.  Not to be run by hand:
# systemdlib.Machine does.
#
#   systemd_boot.sh TOP FILES BUILD
#
# TOP    an empty folder, to mount on
# FILES  what is laid over the root
# BUILD  where basculed and bascule are
#
# Exit 77: this kernel, or what we are inside of, does not let us.
set -eu
trap 'exit 77' EXIT
top=$1 files=$2 build=$3 root=$1/root
src=$(cd "$(dirname "$0")/../.." && pwd)
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$top"
mkdir "$top/upper" "$top/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" overlay "$root"

# nothing of what this machine itself is set up to do
rm -rf "$root/etc/systemd/system" "$root/etc/bascule" "$root/etc/default/basculed" \
    "$root/var/lib/bascule" "$root/var/lib/libvirt" "$root/usr/local/lib/systemd" \
    "$root/etc/fstab"
mkdir -p "$root/etc/systemd/system"
"$src/packaging/install" "$build" "$root" /usr/local || { trap - EXIT; exit 1; }
cp -r "$files/." "$root/"

# The kernel's settings are for reading, but for those of the network namespace.
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
if [ -e "$root/proc/sysrq-trigger" ]; then
    mount --bind /dev/null "$root/proc/sysrq-trigger"
fi
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/net" "$root/dev/shm"
for d in null zero full random urandom net/tun kvm; do
    [ -e "/dev/$d" ] || continue
    : >"$root/dev/$d"
    mount --bind "/dev/$d" "$root/dev/$d"
done
for d in run tmp dev/shm; do
    mount -t tmpfs tmpfs "$root/$d"
done
mkdir "$root/tmp/old"
cd "$root"
pivot_root . tmp/old
umount -l /tmp/old
rmdir /tmp/old

# Modules, clock, log and audit are the kernel's own, of which there is one.
exec setpriv --bounding-set -sys_module,-sys_time,-syslog,-audit_control,-audit_read \
    env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=test.target --log-target=console \
    --show-status=no
