/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of a netdev that would harm a bridge, changed while it is a port
 * and put back afterwards:
 *
 *   IPv6 address generation  off: else the host talks on the wire by itself
 *   LRO                      off: it merges frames beyond recognition
 *   GRO                      on: super-frames are what makes TCP fast
 *
 * Addresses that are there stay.
 *
 * Threads: job thread (and the guard), inside the device's namespace.
 */
#ifndef PORTS_SETTINGS_H
#define PORTS_SETTINGS_H

#include "base/err.h"
#include "ports/netdev.h"

/* What was there before; -1: as it should be already, not touched. */
struct settings {
    int addr_gen;
    int lro;
    int gro;
};
#define SETTINGS_NONE ((struct settings){-1, -1, -1})

/* Which of them have to change, and from what. */
struct settings settings_plan(const struct netdev *d);

/* Changes them.  0, or -errno with a sentence (undo with restore). */
int settings_apply(const struct netdev *d, struct settings *s, struct err *e);

/* Puts them back; a device that is gone is fine. */
void settings_restore(int ifindex, const struct settings *s);

#endif
