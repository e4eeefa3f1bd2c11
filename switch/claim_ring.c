/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/claim_ring.h"

bool claim_ring_push(struct claim_ring *r, const struct claim_slot *s)
{
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);

    if (tail - head == CLAIM_RING_SLOTS)
        return false;
    r->slot[tail % CLAIM_RING_SLOTS] = *s;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}

bool claim_ring_pop(struct claim_ring *r, struct claim_slot *out)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

    if (head == tail)
        return false;
    *out = r->slot[head % CLAIM_RING_SLOTS];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return true;
}
