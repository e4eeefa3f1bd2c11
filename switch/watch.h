/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP addresses of the hosts behind a port: what a turn does with a frame that,
 * as the pipeline says, may name one.
 *
 * Threads: a forwarder, online.
 */
#ifndef SWITCH_WATCH_H
#define SWITCH_WATCH_H

#include "switch/turn.h"

/*
 * Parses the frame, if its port is within its budget, and passes what it says
 * on to the control thread, which finds the port of a host that an answer of
 * DHCP is for.  'acks_only': nothing but these is wanted.
 */
void watch_look(struct forwarder *f, struct ingress *in,
                const struct frame *frame, bool acks_only);

#endif
