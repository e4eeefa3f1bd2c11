/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/bpdu_ring.h"

#include "base/clock.h"
#include "ports/frame.h"

#include <string.h>

/* A bucket that holds BURST and leaks RATE a second. */
static bool within_budget(struct bpdu_ring *r, uint64_t now)
{
    uint64_t leaked = (now - r->budget_at) / (NSEC_PER_SEC / BPDU_RING_RATE);

    if (leaked) {
        r->spent = leaked >= r->spent ? 0 : r->spent - (uint32_t)leaked;
        r->budget_at = now;
    }
    if (r->spent == BPDU_RING_BURST)
        return false;
    r->spent++;
    return true;
}

/*
 * A version 3 BPDU is longer than a slot, and what is behind the part that we
 * read is of no interest: the copy says that it ends where it does.
 */
static void cut(struct bpdu_slot *s, uint32_t len)
{
    uint32_t says = (uint32_t)s->bytes[12] << 8 | s->bytes[13];
    uint32_t room = s->len - FRAME_ETH_HLEN;

    if (len <= s->len || says > len - FRAME_ETH_HLEN || says <= room)
        return;
    s->bytes[12] = 0;
    s->bytes[13] = (uint8_t)room;
}

bool bpdu_ring_push(struct bpdu_ring *r, uint64_t now, const void *bytes,
                    uint32_t have, uint32_t len)
{
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    struct bpdu_slot *s = &r->slot[tail % BPDU_RING_SLOTS];

    if (tail - head == BPDU_RING_SLOTS || !within_budget(r, now))
        return false;
    s->len = (uint16_t)(have < BPDU_RING_BYTES ? have : BPDU_RING_BYTES);
    memcpy(s->bytes, bytes, s->len);
    cut(s, len);
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}

bool bpdu_ring_pop(struct bpdu_ring *r, struct bpdu_slot *out)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

    if (head == tail)
        return false;
    *out = r->slot[head % BPDU_RING_SLOTS];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return true;
}
