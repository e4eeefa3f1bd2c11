/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of something may pass: a bucket that holds 'burst' and leaks 'rate'
 * a second.
 *
 * Threads: a bucket belongs to one.
 */
#ifndef SWITCH_BUDGET_H
#define SWITCH_BUDGET_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing is spent. */
struct budget {
    uint64_t at; /* when it was last looked at */
    uint32_t spent;
};

static inline bool budget_take(struct budget *b, uint64_t now, uint32_t rate,
                               uint32_t burst)
{
    uint64_t leaked = (now - b->at) / (NSEC_PER_SEC / rate);

    if (leaked) {
        b->spent = leaked >= b->spent ? 0 : b->spent - (uint32_t)leaked;
        b->at = now;
    }
    if (b->spent >= burst)
        return false;
    b->spent++;
    return true;
}

#endif
