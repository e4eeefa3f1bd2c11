/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over a bridge of the kernel's that is in use, and following it.
 *
 * The kernel's bridge stays what all tools know: its interface with its
 * addresses, its ports, its parameters.  A bridge of the switch of the same
 * name does the work.  They are connected by a tap, which is the one's own
 * interface and a port of the other:
 *
 *   host - br0 (kernel) - basc-br0 (tap) - br0 (switch) = eth1, vnet0, ...
 *
 * The members are packet ports with adopt=br0: shut for the kernel's bridge,
 * in which they remain.  The tap is there before the first member changes
 * sides and goes after the last, so that the two halves of a bridge that is
 * half taken over reach each other.
 *
 * What becomes of the kernel's bridge is followed level by level, not event by
 * event: a message of rtnetlink about it only says that it is time to look at
 * it again, as a whole.
 *
 * Threads: control thread.
 */
#ifndef CTL_ADOPT_ADOPT_H
#define CTL_ADOPT_ADOPT_H

#include "switch/switch.h"

struct adopt; /* all that are adopted */
struct ev_loop;

/* NULL: out of memory. */
struct adopt *adopt_new(struct ev_loop *loop, struct sw *sw);
/* Told of each bridge that is given up because the kernel's was deleted. */
void adopt_on_lost(struct adopt *a, void (*fn)(void *arg, const char *bridge),
                   void *arg);
/* Follows nothing any more; before sw_free, which gives the devices back. */
void adopt_end(struct adopt *a);
void adopt_free(struct adopt *a);

/*
 * Takes the kernel's bridge 'name' over; 'netns_fd' (taken over, -1: the
 * daemon's own) is where it is.  All of it or nothing.
 *
 * 'disable': the kernel's bridge shows its ports as disabled instead of in the
 * state they have with us.  It makes no copies for them then, which our
 * programs would drop; but somebody has to set the states again after a crash.
 */
void adopt_begin(struct adopt *a, const char *name, int netns_fd, bool disable,
                 sw_done done, void *arg);
/* Gives it back; of one that was renamed since, both names will do.  -ENXIO:
 * none of that name is adopted. */
void adopt_undo(struct adopt *a, const char *name, sw_done done, void *arg);

/*
 * Thread: one that may block.  Could the kernel's bridge be adopted, as far as
 * itself says?  0, or -errno with a sentence; -ENODEV: there is none.
 */
int adopt_try(const char *name, int netns_fd, struct err *e);
/* Is a bridge of that name adopted, or about to be?  'disable' as above. */
bool adopt_has(const struct adopt *a, const char *name, bool *disable);

/* What happens in the switch. */
void adopt_event(struct adopt *a, const struct sw_event *e);

#endif
