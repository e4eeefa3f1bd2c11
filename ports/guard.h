/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small process that puts devices back if ours is killed.
 *
 * Sockets, taps, locks and tcx programs die with their descriptors; a setting
 * of a netdev and a filter on clsact do not.  The guard is told of them, sees
 * our end by the end of its socket, and undoes what is still on its list.  It
 * is started with the first device and ends with us.
 *
 * Threads: job thread, inside the device's network namespace.
 */
#ifndef PORTS_GUARD_H
#define PORTS_GUARD_H

#include "base/err.h"
#include "ports/kbridge.h"
#include "ports/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct guard_device {
    uint64_t netns; /* inode of the namespace */
    int ifindex;
    struct settings saved;
    struct kbridge_saved bridge;
    bool filter;    /* clsact filters of ours are on it */
    bool made_hook; /* ... and the qdisc is ours too */
};

/*
 * The guard keeps a copy of the device's lock (ports/ingress.h), so that a
 * daemon started at once after our death does not meet it half put back.
 * It opens the gate of adopted devices (-1: none) before anything else.
 * 0, or -errno with a sentence.
 */
int guard_add(const struct guard_device *d, int lock_fd, int gate_fd,
              struct err *e);
/*
 * The same for a bridge of the kernel's, whose spanning tree was on and is off
 * for us: it is put back before anything else, gates included, so that no port
 * of it is without one.
 */
int guard_add_tree(uint64_t netns, int bridge, int lock_fd, struct err *e);
/* Was it told of that one? */
bool guard_has_tree(uint64_t netns, int bridge);
/* Forgets the device, which has been put back, and lets go of its lock. */
void guard_remove(uint64_t netns, int ifindex);

/*
 * Before the first device, and on no special thread: puts back what a daemon
 * left in our namespace that was killed together with its guard.  Other
 * namespaces cannot be entered by their numbers.  From now on 'dir', which
 * exists and is ours alone, has what is to be put back.
 */
void guard_recover(const char *dir);

#endif
