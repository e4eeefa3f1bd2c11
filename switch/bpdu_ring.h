/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPDUs on their way from a forwarder to the control thread: a small ring for
 * each port and forwarder, with a budget, so that neither floods of data nor
 * another port's BPDUs get into the way of a neighbour's, and a flood of BPDUs
 * costs the control thread little.
 *
 * Threads: bpdu_ring_push by the forwarder, bpdu_ring_pop by control.
 */
#ifndef SWITCH_BPDU_RING_H
#define SWITCH_BPDU_RING_H

#include "switch/budget.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BPDU_RING_SLOTS 16
#define BPDU_RING_BYTES 72 /* an RST BPDU has 53, its frame 60 */
/* A neighbour sends 10 a second at most (txHoldCount, 802.1D-2004, 17.13.12);
 * on a shared segment there may be some. */
#define BPDU_RING_RATE  100 /* a second */
#define BPDU_RING_BURST 100

struct bpdu_slot {
    uint16_t len;
    uint8_t bytes[BPDU_RING_BYTES];
};

struct bpdu_ring {
    _Atomic uint32_t head; /* next to read */
    _Atomic uint32_t tail; /* next to write */
    struct budget budget;  /* the forwarder's */
    struct bpdu_slot slot[BPDU_RING_SLOTS];
};

/*
 * Takes the first octets of a frame that is 'len' long and has 'have' of them
 * in one piece.  False: over the budget, or the ring is full.
 */
bool bpdu_ring_push(struct bpdu_ring *r, uint64_t now, const void *bytes,
                    uint32_t have, uint32_t len);
bool bpdu_ring_pop(struct bpdu_ring *r, struct bpdu_slot *out);

#endif
