/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was sent to a host while it moved is sent after it: see switch/hold.h.
 *
 * Threads: the forwarder's.
 */
#ifndef SWITCH_FOLLOW_H
#define SWITCH_FOLLOW_H

#include "switch/turn.h"

/* Is this how a hypervisor says that a guest is somewhere else now? */
bool follow_announces(const struct frame *f);

/*
 * Between turns' lists, when f->n_moved ports have lost a host: what they hold
 * is judged again by the view and the table as they are now, and sent where the
 * host is.  What would still go to the old port is dropped.
 */
void follow_run(struct forwarder *f);

#endif
