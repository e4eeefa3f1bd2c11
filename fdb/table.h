/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table itself: slots of a key word and a value word, four to a cache
 * line (a group), open addressing from group to group.  Internal to fdb/.
 *
 * The life of a slot, and why no reader ever pairs one entry's key with
 * another's value:
 *
 *   EMPTY    key 0
 *   LIVE     key K, value with V_LIVE
 *   DEAD     key K, value 0: absent, but K may come back in place
 *   RETIRED  key K, value V_RETIRED: K will not come back
 *   TOMB     key KEY_TOMB | n: as retired; n is the grace period that must
 *            be over before the slot is used for something else
 *
 *   EMPTY/TOMB -> LIVE   holder of the lock: value first, then the key with
 *                        release.  A reader that sees the key sees the value.
 *   LIVE <-> LIVE, DEAD  anybody: one compare-and-swap of the value
 *   DEAD -> RETIRED      owner: compare-and-swap, so that it either beats a
 *                        revival or leaves the slot alone; then the key
 *   TOMB -> EMPTY        holder of the lock, where no other key's search
 *                        leads over the slot
 *
 * A reader loads the key with acquire, then the value.  Having seen K it may
 * load the value at any time until it is quiescent; the slot gets a value of
 * another key only after a grace period that began after K was taken away,
 * so what it loads is a value of K, or 0, or V_RETIRED.
 *
 * A search goes from the key's home group on and ends at the first group with
 * an EMPTY slot: a key lies in the first group that had room for it, and a
 * slot does not become EMPTY while a key lies behind it.  It is bounded by
 * PROBE_GROUPS in any case.
 */
#ifndef FDB_TABLE_H
#define FDB_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_SLOTS 4
#define PROBE_GROUPS                                                           \
    32 /* 128 slots: at half load 1 key in 10^10 is refused                    \
        */
#define TABLE_MIN 256

#define KEY_EMPTY 0ULL
#define KEY_TOMB  (1ULL << 61)
#define V_LIVE    (0x40ULL << 32)
#define V_RETIRED (0x80ULL << 32)

/*
 * Where a torture test lets another thread run: between two steps whose order
 * matters.  Nothing otherwise.
 */
#ifndef FDB_RACE_POINT
#define FDB_RACE_POINT() ((void)0)
#endif

struct group {
    _Alignas(64) _Atomic uint64_t key[GROUP_SLOTS];
    _Atomic uint64_t value[GROUP_SLOTS];
};
_Static_assert(sizeof(struct group) == 64, "a group is a cache line");

/* Secrets of the hash; a new table keeps its predecessor's. */
struct hash {
    uint64_t seed;
    uint64_t mul[2];
    uint32_t mask;
};

struct table {
    struct group *group;
    uint32_t mask; /* groups - 1 */
    uint32_t slots;
    struct hash hash;
    uint64_t id;
    size_t bytes;
    bool mapped;
    size_t touched; /* octets whose pages are there */
    /* Written now and then: not in the readers' line. */
    _Alignas(64) _Atomic bool frozen; /* learners change nothing but ages */
    _Atomic uint32_t used;            /* slots that are not EMPTY */
};

/* NULL when out of memory.  slots: a power of two, at least TABLE_MIN. */
struct table *table_new(uint32_t slots, const struct hash *h, uint64_t id);
void table_free(struct table *t);
/*
 * Have at most 'octets' more of the table's pages made or given back, for a
 * thread that must not stop for the whole table.  True when all is done; a
 * table that is given back is good for table_free only.  octets: whole pages.
 */
bool table_touch(struct table *t, size_t octets);
bool table_give_back(struct table *t, size_t octets);

static inline uint32_t table_home(const struct table *t, uint64_t key)
{
    uint64_t x = (key ^ t->hash.seed) * t->hash.mul[0];

    x ^= x >> 32;
    x *= t->hash.mul[1];
    return (uint32_t)(x >> 32) & t->hash.mask & t->mask;
}

/*
 * The value word of a key, live or not, from its home group on; or NULL.
 * All keys of a group are compared before anything is decided: where in its
 * group a key lies cannot be predicted, that it is there can.
 */
static inline _Atomic uint64_t *table_find_from(const struct table *t,
                                                uint32_t at, uint64_t key)
{
    for (unsigned n = 0; n < PROBE_GROUPS; n++) {
        struct group *g = &t->group[at];
        uint64_t k0, k1, k2, k3;
        unsigned hit;

        k0 = atomic_load_explicit(&g->key[0], memory_order_acquire);
        k1 = atomic_load_explicit(&g->key[1], memory_order_acquire);
        k2 = atomic_load_explicit(&g->key[2], memory_order_acquire);
        k3 = atomic_load_explicit(&g->key[3], memory_order_acquire);
        hit = (unsigned)(k0 == key) | (unsigned)(k1 == key) << 1 |
              (unsigned)(k2 == key) << 2 | (unsigned)(k3 == key) << 3;
        if (hit) {
            FDB_RACE_POINT();
            return &g->value[__builtin_ctz(hit)];
        }
        if (!k0 || !k1 || !k2 || !k3)
            return NULL;
        at = (at + 1) & t->mask;
    }
    return NULL;
}

static inline _Atomic uint64_t *table_find(const struct table *t, uint64_t key)
{
    return table_find_from(t, table_home(t, key), key);
}

/* Where a key is (found) or may be put (value not NULL). */
struct spot {
    _Atomic uint64_t *key;
    _Atomic uint64_t *value;
    bool found;
    bool fresh; /* was EMPTY: putting a key there uses a slot more */
};

/*
 * Holder of the lock.  'granted' is the last grace period that is over: tombs
 * up to it may be used again.
 */
struct spot table_spot(const struct table *t, uint64_t key, uint64_t granted);
void table_put(struct table *t, const struct spot *s, uint64_t key,
               uint64_t value);

/*
 * Holder of the lock: makes the TOMBs of group 'at' that may be used again
 * EMPTY if no search leads over them.  How many it made.
 */
unsigned table_clear_tombs(struct table *t, uint32_t at, uint64_t granted);

static inline bool key_is_tomb(uint64_t k)
{
    return k & KEY_TOMB;
}
static inline bool tomb_ready(uint64_t k, uint64_t granted)
{
    return key_is_tomb(k) && (k & ~KEY_TOMB) <= granted;
}

#endif
