#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What QEMU calls with the name of a tap it has made.
exec ip link set "$1" up
