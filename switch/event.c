/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/event.h"

void ring_push(struct ring *r, const struct fdb_event *e)
{
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);

    if (tail - head == RING_SLOTS) {
        uint64_t n = atomic_load_explicit(&r->lost, memory_order_relaxed);

        atomic_store_explicit(&r->lost, n + 1, memory_order_relaxed);
        return;
    }
    r->slot[tail % RING_SLOTS] = *e;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

bool ring_pop(struct ring *r, struct fdb_event *e)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

    if (head == tail)
        return false;
    *e = r->slot[head % RING_SLOTS];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return true;
}

uint64_t ring_lost(struct ring *r)
{
    uint64_t now = atomic_load_explicit(&r->lost, memory_order_relaxed);
    uint64_t n = now - r->reported;

    r->reported = now;
    return n;
}
