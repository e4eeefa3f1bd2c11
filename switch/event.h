/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events from a forwarder to whoever watches: a bounded ring with one writer
 * and one reader and no lock.  When it is full, events are lost and counted;
 * nothing that must be right is derived from them.
 *
 * Threads: ring_push by the forwarder, online; ring_pop and ring_lost by the
 * control thread.
 */
#ifndef SWITCH_EVENT_H
#define SWITCH_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RING_SLOTS 1024

/* Numbers only; the control thread finds the names. */
struct fdb_event {
    uint64_t time;
    uint64_t key;
    uint32_t bridge; /* struct plane's number */
    uint16_t port;
    uint16_t old_port;
    uint8_t type; /* enum sw_event_type */
    uint8_t flags;
};

struct ring {
    _Atomic uint32_t head; /* next to read */
    _Atomic uint32_t tail; /* next to write */
    _Atomic uint64_t lost;
    uint64_t reported; /* reader: losses already told */
    struct fdb_event slot[RING_SLOTS];
};

void ring_push(struct ring *r, const struct fdb_event *e);
bool ring_pop(struct ring *r, struct fdb_event *e);
/* Losses since the last call that has seen any. */
uint64_t ring_lost(struct ring *r);

#endif
