/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one forwarder keeps for one port: its counters, the list of frames that
 * the current turn sends there, and what waits for the control thread: BPDUs
 * and addresses seen.  A port has as many lanes as there are forwarders, so
 * that no two threads write the same cache line; the control thread sums them.
 *
 * Threads: written by its forwarder alone; counters are read by any.
 * Life: as long as the port; freed after a grace period.
 */
#ifndef SWITCH_LANE_H
#define SWITCH_LANE_H

#include "switch/bpdu_ring.h"
#include "switch/claim_ring.h"
#include "switch/reason.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct view_port;

struct lane {
    /* the turn's list: indices of entries in the forwarder, LANE_END ends */
    alignas(64) const struct view_port *to; /* set while the list is in use */
    uint16_t head, tail;
    bool kick; /* doorbell due at the turn's end */

    _Atomic uint64_t rx_frames, rx_bytes;
    _Atomic uint64_t tx_frames, tx_bytes;
    _Atomic uint64_t reason[REASON_COUNT];

    struct bpdu_ring bpdus;   /* to the spanning tree */
    struct claim_ring claims; /* addresses seen; see watch.h */
};

#define LANE_END 0xffff

/* There is one writer: a load and a store, no locked instruction. */
static inline void lane_add(_Atomic uint64_t *c, uint64_t n)
{
    uint64_t v = atomic_load_explicit(c, memory_order_relaxed);

    atomic_store_explicit(c, v + n, memory_order_relaxed);
}

static inline uint64_t lane_read(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
