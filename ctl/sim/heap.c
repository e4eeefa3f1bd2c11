/* SPDX-License-Identifier: BSD-2-Clause */
/* A binary heap in an array; children of i are 2i+1 and 2i+2. */
#include "ctl/sim/heap.h"

#include <errno.h>
#include <stdlib.h>

static bool sooner(const struct sim_item *a, const struct sim_item *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static int grow(struct sim_heap *h)
{
    size_t cap = h->cap ? 2 * h->cap : 64;
    struct sim_item *item = realloc(h->item, cap * sizeof(*item));

    if (!item)
        return -ENOMEM;
    h->item = item;
    h->cap = cap;
    return 0;
}

int sim_heap_push(struct sim_heap *h, struct sim_item it)
{
    size_t i = h->n;

    if (h->n == h->cap && grow(h))
        return -ENOMEM;
    h->n++;
    it.order = h->pushed++;
    for (; i > 0 && sooner(&it, &h->item[(i - 1) / 2]); i = (i - 1) / 2)
        h->item[i] = h->item[(i - 1) / 2];
    h->item[i] = it;
    return 0;
}

bool sim_heap_pop(struct sim_heap *h, struct sim_item *it)
{
    const struct sim_item *last;
    size_t i = 0, child;

    if (h->n == 0)
        return false;
    *it = h->item[0];
    last = &h->item[--h->n];
    for (; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && sooner(&h->item[child + 1], &h->item[child]))
            child++;
        if (!sooner(&h->item[child], last))
            break;
        h->item[i] = h->item[child];
    }
    h->item[i] = *last;
    return true;
}

void sim_heap_free(struct sim_heap *h)
{
    free(h->item);
    *h = (struct sim_heap){.item = NULL};
}
