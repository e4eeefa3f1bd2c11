/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP addresses that hosts claim, on their way from a forwarder to the control
 * thread: a small ring for each port and forwarder.  Frames are looked at
 * within a budget, so that a flood costs the observations of its own port and
 * nobody else's, and the forwarder little.
 *
 * Threads: claim_ring_push by the forwarder, claim_ring_pop by control.
 */
#ifndef SWITCH_CLAIM_RING_H
#define SWITCH_CLAIM_RING_H

#include "switch/budget.h"
#include "switch/snoop/snoop.h"

#include <stdatomic.h>

#define CLAIM_RING_SLOTS 16
/* A host that talks to many neighbours renews some of them a second. */
#define CLAIM_RING_RATE  50 /* frames a second */
#define CLAIM_RING_BURST 100

struct claim_slot {
    struct snoop_claim claim;
    uint16_t vid; /* of the frame */
};

struct claim_ring {
    _Atomic uint32_t head; /* next to read */
    _Atomic uint32_t tail; /* next to write */
    struct budget budget;  /* the forwarder's */
    struct claim_slot slot[CLAIM_RING_SLOTS];
};

/* False: the ring is full. */
bool claim_ring_push(struct claim_ring *r, const struct claim_slot *s);
bool claim_ring_pop(struct claim_ring *r, struct claim_slot *out);

#endif
