/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/bpdu_ring.h"

#include "ports/frame.h"

#include <string.h>

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

    if (tail - head == BPDU_RING_SLOTS ||
        !budget_take(&r->budget, now, BPDU_RING_RATE, BPDU_RING_BURST))
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
