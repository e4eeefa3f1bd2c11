/* SPDX-License-Identifier: BSD-2-Clause */
#include "fdb/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE       ((size_t)4096)
#define MAPPED_MIN ((size_t)256 << 10)

/*
 * Large tables are mapped, so that their pages can be made and given back in
 * slices.  Not as huge pages: those make a look-up among a million entries
 * faster, but the first touch of one clears 2 MB in one go, several
 * milliseconds where a host has to find the memory first.
 */
static struct group *groups_new(size_t bytes, bool mapped)
{
    void *p;

    if (mapped) {
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                 /* cppcheck-suppress invalidFunctionArg */
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        return p;
    }
    p = aligned_alloc(64, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

struct table *table_new(uint32_t slots, const struct hash *h, uint64_t id)
{
    struct table *t = aligned_alloc(64, sizeof(*t));

    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->slots = slots;
    t->mask = slots / GROUP_SLOTS - 1;
    t->hash = *h;
    t->id = id;
    t->bytes = (size_t)slots / GROUP_SLOTS * sizeof(struct group);
    t->mapped = t->bytes >= MAPPED_MIN;
    t->touched = t->mapped ? 0 : t->bytes;
    t->group = groups_new(t->bytes, t->mapped);
    if (!t->group) {
        free(t);
        return NULL;
    }
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    if (t->mapped)
        munmap(t->group, t->bytes);
    else
        free(t->group);
    free(t);
}

bool table_touch(struct table *t, size_t octets)
{
    volatile uint8_t *p = (volatile uint8_t *)t->group;

    for (; t->touched < t->bytes && octets >= PAGE; octets -= PAGE) {
        /* Nobody else knows the table yet. */
        p[t->touched] = 0;
        t->touched += PAGE;
    }
    return t->touched >= t->bytes;
}

bool table_give_back(struct table *t, size_t octets)
{
    if (!t->mapped || t->bytes <= octets)
        return true;
    t->bytes -= octets;
    munmap((uint8_t *)t->group + t->bytes, octets);
    return false;
}

/* ---- putting keys in, and making room ---- */

struct spot table_spot(const struct table *t, uint64_t key, uint64_t granted)
{
    struct spot s = {0};
    uint32_t at = table_home(t, key);

    for (unsigned n = 0; n < PROBE_GROUPS; n++, at = (at + 1) & t->mask) {
        struct group *g = &t->group[at];
        bool empty = false;

        for (unsigned i = 0; i < GROUP_SLOTS; i++) {
            uint64_t k = atomic_load_explicit(&g->key[i], memory_order_acquire);

            if (k == key)
                return (struct spot){&g->key[i], &g->value[i], true, false};
            empty |= k == KEY_EMPTY;
            if (s.value || (k != KEY_EMPTY && !tomb_ready(k, granted)))
                continue;
            s = (struct spot){&g->key[i], &g->value[i], false, k == KEY_EMPTY};
        }
        if (empty)
            break;
    }
    return s;
}

void table_put(struct table *t, const struct spot *s, uint64_t key,
               uint64_t value)
{
    atomic_store_explicit(s->value, value, memory_order_relaxed);
    FDB_RACE_POINT();
    atomic_store_explicit(s->key, key, memory_order_release);
    if (s->fresh)
        atomic_fetch_add_explicit(&t->used, 1, memory_order_relaxed);
}

/*
 * Does a key lie behind group 'at' whose search leads over it?  Such a key is
 * displaced at least as far as it lies behind; none lies beyond a group with
 * an EMPTY slot.
 */
static bool leads_over(const struct table *t, uint32_t at)
{
    for (uint32_t d = 1; d < PROBE_GROUPS; d++) {
        uint32_t there = (at + d) & t->mask;
        const struct group *g = &t->group[there];
        bool empty = false;

        for (unsigned i = 0; i < GROUP_SLOTS; i++) {
            uint64_t k = atomic_load_explicit(&g->key[i], memory_order_relaxed);

            if (k == KEY_EMPTY)
                empty = true;
            else if (!key_is_tomb(k) &&
                     ((there - table_home(t, k)) & t->mask) >= d)
                return true;
        }
        if (empty)
            return false;
    }
    return false;
}

unsigned table_clear_tombs(struct table *t, uint32_t at, uint64_t granted)
{
    struct group *g = &t->group[at];
    uint64_t key[GROUP_SLOTS];
    bool empty = false;
    unsigned n = 0;

    for (unsigned i = 0; i < GROUP_SLOTS; i++) {
        key[i] = atomic_load_explicit(&g->key[i], memory_order_relaxed);
        empty |= key[i] == KEY_EMPTY;
    }
    if (!empty && leads_over(t, at))
        return 0;
    for (unsigned i = 0; i < GROUP_SLOTS; i++) {
        if (!tomb_ready(key[i], granted))
            continue;
        atomic_store_explicit(&g->value[i], 0, memory_order_relaxed);
        atomic_store_explicit(&g->key[i], KEY_EMPTY, memory_order_release);
        n++;
    }
    atomic_fetch_sub_explicit(&t->used, n, memory_order_relaxed);
    return n;
}
