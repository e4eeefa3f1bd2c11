/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of what was sent to a port since its host fell silent.
 *
 * A hypervisor that moves a guest live stops it here, copies the rest of its
 * memory, and lets it go on behind another port, from which it announces the
 * guest's address by RARP.  What was sent to the old port between stop and
 * announcement has reached nobody.  So it is kept, for as long as a bridge may
 * take to forward a frame (1 s: 802.1D-2004, table 7-3), and sent after the
 * host when its announcement comes; see switch/follow.h.
 *
 * What cannot be known from outside is when the guest was stopped: a frame may
 * be kept that the guest has received, too, and did not answer.  It gets such a
 * frame twice.
 *
 * A host that talks costs a look at the clock: nothing is copied until it has
 * been silent for HOLD_SILENT.  One that only listens costs HOLD_BYTES of
 * copying a second.
 *
 * Threads: made and freed by the control thread, while no view has it; the rest
 * by any forwarder.
 */
#ifndef SWITCH_HOLD_H
#define SWITCH_HOLD_H

#include "base/clock.h"
#include "ports/frame.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HOLD_SILENT (1 * NSEC_PER_MSEC)
#define HOLD_MAX    NSEC_PER_SEC
#define HOLD_BYTES  (256UL * 1024)

struct hold {
    _Atomic uint64_t heard; /* about when its host was heard last */
    _Atomic uint64_t full;  /* nothing more is kept until then */
    pthread_mutex_t lock;   /* of all below */
    struct arena kept;      /* records, one behind the other */
    uint64_t begun;         /* when the first of them was kept */
};

/* NULL when out of memory.  Its HOLD_BYTES are reserved, not touched. */
struct hold *hold_new(void);
/* NULL is fine. */
void hold_free(struct hold *h);

/* The port's host was heard: it is not on its way, and has what it was sent. */
void hold_heard(struct hold *h, uint64_t now);

/* Has the host been silent, and is there room? */
static inline bool hold_wants(struct hold *h, uint64_t now)
{
    return now > HOLD_SILENT +
                     atomic_load_explicit(&h->heard, memory_order_relaxed) &&
           now > atomic_load_explicit(&h->full, memory_order_relaxed);
}

/* Keeps a copy of 'f', to the address 'key': if hold_wants says so. */
void hold_frame(struct hold *h, uint64_t now, uint64_t key,
                const struct frame *f);

/* A frame that was kept. */
struct held {
    struct frame frame; /* one segment; in_port as it was */
    uint64_t key;       /* FDB key of its destination */
};

/*
 * Empties the hold into 'a', if its host is silent still, and returns how many
 * octets that are; hold_next walks them from *at = 0 in the order in which they
 * were sent.  0: nothing is held, or no memory left in the arena.
 */
size_t hold_take(struct hold *h, uint64_t now, struct arena *a,
                 uint8_t **bytes);
/* False: that was all. */
bool hold_next(uint8_t *bytes, size_t n, size_t *at, struct held *out);

#endif
