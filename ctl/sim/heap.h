/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual time: what is to happen, and when.  Items of the same time come out
 * in the order in which they went in, so that a run depends on nothing but its
 * seed.
 */
#ifndef CTL_SIM_HEAP_H
#define CTL_SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_item {
    uint64_t at;    /* ns */
    uint64_t order; /* set by sim_heap_push */
    uint32_t kind, a, b, c;
};

struct sim_heap {
    struct sim_item *item;
    size_t n, cap;
    uint64_t pushed;
};

/* 0; -ENOMEM */
int sim_heap_push(struct sim_heap *h, struct sim_item it);
/* False: it is empty. */
bool sim_heap_pop(struct sim_heap *h, struct sim_item *it);
void sim_heap_free(struct sim_heap *h);

#endif
