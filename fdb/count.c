/* SPDX-License-Identifier: BSD-2-Clause */
#include "fdb/state.h"

#define relaxed memory_order_relaxed

static bool gen_older(const struct fdb *f, uint16_t gen, uint16_t than)
{
    uint16_t ahead = (uint16_t)(gen - than) & f->gen_max;

    return ahead > f->gen_max / 2;
}

enum taken count_take(struct fdb *f, uint16_t port, uint16_t gen,
                      enum take_how how)
{
    uint32_t limit = atomic_load_explicit(&f->port_limit[port], relaxed);
    uint64_t c = atomic_load_explicit(&f->count[port], relaxed);
    uint32_t flushed, n;
    uint64_t want;

    do {
        n = (uint32_t)c;
        flushed = 0;
        if ((uint16_t)(c >> 32) != gen) {
            if (how != TAKE_FORCE && n && gen_older(f, gen, c >> 32))
                return TAKEN_LATE;
            flushed = n;
            n = 0;
        }
        if (how != TAKE_FORCE && limit && n >= limit)
            return TAKEN_PORT_FULL;
        want = (uint64_t)gen << 32 | (n + 1);
    } while (!atomic_compare_exchange_weak_explicit(&f->count[port], &c, want,
                                                    relaxed, relaxed));
    if (flushed)
        atomic_fetch_sub_explicit(&f->total, flushed, relaxed);
    if (atomic_fetch_add_explicit(&f->total, 1, relaxed) >=
            (int64_t)atomic_load_explicit(&f->limit, relaxed) &&
        how == TAKE_NEW) {
        count_drop(f, port, gen);
        return TAKEN_FULL;
    }
    return TAKEN;
}

void count_drop(struct fdb *f, uint16_t port, uint16_t gen)
{
    uint64_t c = atomic_load_explicit(&f->count[port], relaxed);

    do {
        /* Of a generation that is flushed: it left the sums then. */
        if ((uint16_t)(c >> 32) != gen || (uint32_t)c == 0)
            return;
    } while (!atomic_compare_exchange_weak_explicit(&f->count[port], &c, c - 1,
                                                    relaxed, relaxed));
    atomic_fetch_sub_explicit(&f->total, 1, relaxed);
}

uint32_t count_of(const struct fdb *f, uint16_t port)
{
    return (uint32_t)atomic_load_explicit(&f->count[port], relaxed);
}

void count_sync(struct fdb *f, const struct fdb_now *t)
{
    for (unsigned p = 0; p < FDB_PORTS; p++) {
        uint64_t c = atomic_load_explicit(&f->count[p], relaxed);
        uint64_t want = (uint64_t)t->gens[p] << 32;

        while ((uint32_t)c && (uint16_t)(c >> 32) != t->gens[p]) {
            if (atomic_compare_exchange_weak_explicit(&f->count[p], &c, want,
                                                      relaxed, relaxed)) {
                atomic_fetch_sub_explicit(&f->total, (uint32_t)c, relaxed);
                break;
            }
        }
    }
}

uint32_t count_share(const struct fdb *f)
{
    uint32_t active = atomic_load_explicit(&f->active, relaxed);

    return atomic_load_explicit(&f->limit, relaxed) / (active ? active : 1);
}

/* What all ports hold if those above 'level' are cut down to it. */
static uint64_t held_below(const struct fdb *f, uint32_t level)
{
    uint64_t sum = 0;

    for (unsigned p = 0; p < FDB_PORTS; p++) {
        uint32_t n = count_of(f, (uint16_t)p);

        sum += n < level ? n : level;
    }
    return sum;
}

uint32_t count_level(const struct fdb *f)
{
    uint32_t limit = atomic_load_explicit(&f->limit, relaxed);
    uint32_t room = limit / 64 ? limit / 64 : 1;
    uint32_t low = count_share(f), high = limit;

    if (low == 0)
        low = 1;
    while (low < high) {
        uint32_t mid = low + (high - low + 1) / 2;

        if (held_below(f, mid) <= limit - room)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}
