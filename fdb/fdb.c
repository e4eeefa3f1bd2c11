/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers, learners and the owner's changes.  The life of a slot is told in
 * table.h, counting in state.h, housekeeping in step.c.
 *
 * Whoever puts a key where there was none, or brings a DEAD one back, holds
 * the lock: a flag that a learner tries once (else FDB_BUSY) and the owner
 * waits for.  Ages and moves are one compare-and-swap of the value, without
 * it.  The table a learner works on may be frozen, because the owner copies
 * it or because a newer one is published: then it changes ages only, and the
 * flag belongs to the table so that one load of the pointer decides both.
 */
#include "fdb/state.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define relaxed memory_order_relaxed

#define VICTIM_GROUPS 16 /* looked at for an entry to replace */
#define BATCH         64

/* ---- life ---- */

static uint64_t mixed(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static void hash_init(struct hash *h, const struct fdb_config *c)
{
    uint64_t s = c->hash_seed;

    if (s == 0) {
        while (getrandom(h, sizeof(*h), 0) != sizeof(*h))
            continue;
    } else {
        h->seed = mixed(&s);
        h->mul[0] = mixed(&s);
        h->mul[1] = mixed(&s);
    }
    h->mul[0] |= 1;
    h->mul[1] |= 1;
    h->mask = c->hash_mask ? c->hash_mask : UINT32_MAX;
}

struct fdb *fdb_new(const struct fdb_config *c)
{
    struct fdb *f;
    struct table *t;
    struct hash h;

    /* Mapped, so that the many per-port words cost memory only when used. */
    f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
             /* cppcheck-suppress invalidFunctionArg */
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f == MAP_FAILED)
        return NULL;
    f->slots_min = c->slots ? c->slots : 1024;
    if (f->slots_min < TABLE_MIN)
        f->slots_min = TABLE_MIN;
    f->limit = c->limit ? c->limit : 1 << 20;
    f->active = 1;
    f->gen_max = c->gen_max ? c->gen_max : FDB_GEN_MAX;
    f->gone = c->gone;
    f->gone_arg = c->gone_arg;
    f->ticket = 1;
    atomic_flag_clear(&f->lock);
    hash_init(&h, c);
    t = table_new(f->slots_min, &h, ++f->tables);
    if (!t) {
        munmap(f, sizeof(*f));
        return NULL;
    }
    f->press_at = t->slots / 16 * 7;
    rcu_publish(&f->table, t);
    return f;
}

void fdb_free(struct fdb *f)
{
    if (!f)
        return;
    table_free(rcu_read(&f->table));
    table_free(f->next);
    table_free(f->old);
    munmap(f, sizeof(*f));
}

/* ---- readers ---- */

bool fdb_lookup(struct fdb *f, const struct fdb_now *t, uint64_t key,
                struct fdb_value *v)
{
    const _Atomic uint64_t *at = table_find(rcu_read(&f->table), key);
    uint64_t found;

    if (!at)
        return false;
    found = atomic_load_explicit(at, memory_order_acquire);
    if (!value_current(found, t))
        return false;
    *v = fdb_unpack(found);
    return true;
}

static void lookup_some(const struct table *tab, const struct fdb_now *t,
                        const uint64_t *key, uint64_t *found, unsigned n)
{
    uint32_t home[BATCH];

    for (unsigned i = 0; i < n; i++) {
        home[i] = table_home(tab, key[i]);
        __builtin_prefetch(&tab->group[home[i]]);
    }
    for (unsigned i = 0; i < n; i++) {
        const _Atomic uint64_t *at = table_find_from(tab, home[i], key[i]);
        uint64_t v = at ? atomic_load_explicit(at, memory_order_acquire) : 0;

        found[i] = value_current(v, t) ? v : 0;
    }
}

void fdb_lookup_batch(struct fdb *f, const struct fdb_now *t,
                      const uint64_t *key, uint64_t *found, unsigned n)
{
    const struct table *tab = rcu_read(&f->table);

    for (unsigned i = 0; i < n; i += BATCH)
        lookup_some(tab, t, key + i, found + i, n - i < BATCH ? n - i : BATCH);
}

void fdb_prefetch(struct fdb *f, const uint64_t *key, unsigned n)
{
    const struct table *tab = rcu_read(&f->table);

    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(&tab->group[table_home(tab, key[i])]);
}

/* ---- learners ---- */

bool fdb_pressed(struct fdb *f)
{
    return atomic_load_explicit(&f->pressed, relaxed) &&
           !atomic_exchange_explicit(&f->said_pressed, true, relaxed);
}

static void press(struct fdb *f)
{
    if (!atomic_load_explicit(&f->pressed, relaxed))
        atomic_store_explicit(&f->pressed, true, relaxed);
}

static bool change(_Atomic uint64_t *value, uint64_t *from, uint64_t to)
{
    FDB_RACE_POINT();
    return atomic_compare_exchange_strong_explicit(
        value, from, to, memory_order_acq_rel, memory_order_acquire);
}

static void count_in(struct fdb *f, uint64_t v)
{
    if (v & V_FIXED)
        f->statics++; /* the owner: nobody else makes or ends these */
    else
        (void)count_take(f, value_port(v), value_gen(v), TAKE_FORCE);
}

static void count_out(struct fdb *f, uint64_t v)
{
    if (v & V_FIXED)
        f->statics--;
    else
        count_drop(f, value_port(v), value_gen(v));
}

bool entry_kill(struct fdb *f, _Atomic uint64_t *value, uint64_t v)
{
    if (!change(value, &v, 0))
        return false;
    atomic_fetch_sub_explicit(&f->live, 1, relaxed);
    count_out(f, v);
    return true;
}

static bool is_victim(uint64_t v, uint16_t port)
{
    return (v & V_LIVE) && !(v & V_FIXED) && value_port(v) == port;
}

/*
 * Kills the entry of 'port' last seen longest ago among some slots, beginning
 * where the search for this port ended last time.
 */
static bool kill_victim(struct fdb *f, struct table *tab, uint16_t now,
                        uint16_t port)
{
    uint32_t at = atomic_load_explicit(&f->hand[port], relaxed);
    _Atomic uint64_t *victim = NULL;
    uint64_t victim_v = 0;

    for (unsigned n = 0; n < VICTIM_GROUPS; n++, at++) {
        struct group *g = &tab->group[at & tab->mask];

        for (unsigned i = 0; i < GROUP_SLOTS; i++) {
            uint64_t v =
                atomic_load_explicit(&g->value[i], memory_order_acquire);

            if (!is_victim(v, port))
                continue;
            if (victim && age_of(v, now) <= age_of(victim_v, now))
                continue;
            victim = &g->value[i];
            victim_v = v;
        }
    }
    atomic_store_explicit(&f->hand[port], at, relaxed);
    return victim && entry_kill(f, victim, victim_v);
}

/*
 * Takes a count for a new entry of 'port' or one that moves there, in place
 * of another one of the port's if it must: FDB_NEW, FDB_REPLACED or why not.
 */
static enum fdb_learned take_room(struct fdb *f, struct table *tab,
                                  const struct fdb_now *t, uint16_t port,
                                  enum take_how how)
{
    uint16_t gen = t->gens[port];
    enum taken taken = count_take(f, port, gen, how);
    enum fdb_learned refusal;
    uint32_t used;

    if (taken == TAKEN)
        return FDB_NEW;
    if (taken == TAKEN_LATE)
        return FDB_BUSY;
    refusal = taken == TAKEN_PORT_FULL ? FDB_PORT_FULL : FDB_FULL;
    if (taken == TAKEN_FULL && count_of(f, port) < count_share(f)) {
        atomic_store_explicit(&f->full, true, relaxed);
        press(f);
        return refusal;
    }
    /*
     * Each replacement leaves a DEAD slot behind.  A port that floods may
     * use up some of the slots kept for that, not all.
     */
    used = atomic_load_explicit(&tab->used, relaxed);
    if (used > used_max(tab) - tab->slots / 16) {
        press(f);
        return refusal;
    }
    if (!kill_victim(f, tab, t->now, port) ||
        count_take(f, port, gen, how) != TAKEN)
        return refusal;
    return FDB_REPLACED;
}

/* Where the lock's holder may put 'key': a place, or press and say no. */
static bool place_for(struct fdb *f, struct table *tab, uint64_t key,
                      struct spot *s)
{
    uint32_t used = atomic_load_explicit(&tab->used, relaxed);

    *s = table_spot(tab, key,
                    atomic_load_explicit(&f->granted, memory_order_acquire));
    if (used >= atomic_load_explicit(&f->press_at, relaxed))
        press(f);
    return s->value && (!s->fresh || used < used_max(tab));
}

/* Lock held; 's' is where. */
static enum fdb_learned add_at(struct fdb *f, struct table *tab,
                               const struct fdb_now *t, const struct spot *s,
                               uint64_t key, uint16_t port)
{
    uint64_t want = value_pack(port, t->gens[port], 0, t->now, 0) | V_LIVE;
    enum fdb_learned r;
    uint64_t v = 0;

    if (s->found) {
        v = atomic_load_explicit(s->value, memory_order_acquire);
        if (v & V_LIVE) {
            if (value_current(v, t) || !entry_kill(f, s->value, v))
                return FDB_BUSY; /* somebody was faster */
        } else if (v & V_RETIRED) {
            return FDB_BUSY; /* the owner is about to take the key away */
        }
        v = 0;
    }
    r = take_room(f, tab, t, port, TAKE_NEW);
    if (r != FDB_NEW && r != FDB_REPLACED)
        return r;
    if (!s->found) {
        table_put(tab, s, key, want);
    } else if (!change(s->value, &v, want)) {
        count_drop(f, port, t->gens[port]);
        return FDB_BUSY;
    }
    atomic_fetch_add_explicit(&f->live, 1, relaxed);
    return r;
}

static enum fdb_learned learn_new(struct fdb *f, struct table *tab,
                                  const struct fdb_now *t, uint64_t key,
                                  uint16_t port)
{
    enum fdb_learned r = FDB_BUSY;
    struct spot s;

    if (atomic_load_explicit(&tab->frozen, memory_order_acquire) ||
        !try_lock(f))
        return FDB_BUSY;
    if (place_for(f, tab, key, &s))
        r = add_at(f, tab, t, &s, key, port);
    unlock(f);
    return r;
}

/* 'v' is current and says another port. */
static enum fdb_learned learn_move(struct fdb *f, struct table *tab,
                                   const struct fdb_now *t,
                                   _Atomic uint64_t *value, uint64_t v,
                                   uint16_t port, struct fdb_value *old)
{
    uint64_t want = value_pack(port, t->gens[port], 0, t->now, 0) | V_LIVE;
    enum fdb_learned r;

    if (v & V_PINNED) {
        *old = fdb_unpack(v);
        return FDB_PINNED;
    }
    if (atomic_load_explicit(&tab->frozen, memory_order_acquire))
        return FDB_BUSY;
    r = take_room(f, tab, t, port, TAKE_MOVE);
    if (r != FDB_NEW && r != FDB_REPLACED)
        return r;
    *old = fdb_unpack(v);
    if (!change(value, &v, want)) {
        count_drop(f, port, t->gens[port]);
        return FDB_BUSY;
    }
    count_drop(f, value_port(v), value_gen(v));
    return FDB_MOVED;
}

static enum fdb_learned learn(struct fdb *f, const struct fdb_now *t,
                              uint64_t key, uint16_t port,
                              struct fdb_value *old)
{
    struct table *tab = rcu_read(&f->table);
    _Atomic uint64_t *value = table_find(tab, key);
    uint64_t v;

    if (!value)
        return learn_new(f, tab, t, key, port);
    v = atomic_load_explicit(value, memory_order_acquire);
    if (!value_current(v, t))
        return learn_new(f, tab, t, key, port);
    if (value_port(v) != port)
        return learn_move(f, tab, t, value, v, port, old);
    if (value_age(v) != t->now && !(v & V_FIXED))
        (void)change(value, &v, value_aged(v, t->now));
    return FDB_KNOWN;
}

static void tally(_Atomic uint64_t *n)
{
    atomic_fetch_add_explicit(n, 1, relaxed);
}

enum fdb_learned fdb_learn(struct fdb *f, const struct fdb_now *t, uint64_t key,
                           uint16_t port, struct fdb_value *old)
{
    enum fdb_learned r = learn(f, t, key, port, old);

    switch (r) {
    case FDB_KNOWN:
    case FDB_PINNED:
        break;
    case FDB_REPLACED:
        tally(&f->replaced);
        tally(&f->learned);
        break;
    case FDB_NEW:
        tally(&f->learned);
        break;
    case FDB_MOVED:
        tally(&f->moved);
        break;
    case FDB_PORT_FULL:
    case FDB_FULL:
    case FDB_BUSY:
        tally(&f->refused);
        break;
    }
    return r;
}

/* ---- owner ---- */

void owner_lock(struct fdb *f)
{
    for (unsigned n = 0; !try_lock(f); n++) {
        if (n > 100)
            sched_yield();
    }
}

void fdb_set_port_limit(struct fdb *f, uint16_t port, uint32_t limit)
{
    atomic_store_explicit(&f->port_limit[port], limit, relaxed);
}

void fdb_set_limit(struct fdb *f, uint32_t limit)
{
    atomic_store_explicit(&f->limit, limit ? limit : 1, relaxed);
}

void fdb_set_active_ports(struct fdb *f, uint32_t n)
{
    atomic_store_explicit(&f->active, n, relaxed);
}

/* Lock held.  Writes 'want' over a key that is there, LIVE or DEAD. */
static void set_over(struct fdb *f, _Atomic uint64_t *value, uint64_t want)
{
    uint64_t v = atomic_load_explicit(value, memory_order_acquire);

    while (!change(value, &v, want))
        continue; /* an age or a move came between */
    if (v & V_LIVE)
        count_out(f, v);
    else
        atomic_fetch_add_explicit(&f->live, 1, relaxed);
}

/* Lock held.  False: no room. */
static bool set_in(struct fdb *f, struct table *tab, uint64_t key,
                   uint64_t want)
{
    struct spot s = table_spot(
        tab, key, atomic_load_explicit(&f->granted, memory_order_relaxed));

    if (s.found) {
        set_over(f, s.value, want);
        return true;
    }
    if (!s.value || (s.fresh && atomic_load_explicit(&tab->used, relaxed) >=
                                    used_max_owner(tab)))
        return false;
    table_put(tab, &s, key, want);
    atomic_fetch_add_explicit(&f->live, 1, relaxed);
    return true;
}

int fdb_set(struct fdb *f, const struct fdb_now *t, uint64_t key,
            const struct fdb_value *v)
{
    uint64_t want = value_pack(v->port, t->gens[v->port], v->flags & 0x3f,
                               t->now, v->hint) |
                    V_LIVE;
    bool fits;

    owner_lock(f);
    count_in(f, want);
    fits = set_in(f, rcu_read(&f->table), key, want);
    if (!fits)
        count_out(f, want);
    unlock(f);
    if (!fits) {
        press(f);
        return -ENOSPC;
    }
    copy_also(f, key, want);
    return 0;
}

int fdb_del(struct fdb *f, const struct fdb_now *t, uint64_t key,
            struct fdb_value *old)
{
    _Atomic uint64_t *value = table_find(rcu_read(&f->table), key);
    uint64_t v;

    if (!value)
        return -ENOENT;
    do {
        v = atomic_load_explicit(value, memory_order_acquire);
        if (!value_current(v, t))
            return -ENOENT;
    } while (!entry_kill(f, value, v));
    copy_also(f, key, 0);
    if (old)
        *old = fdb_unpack(v);
    return 0;
}

uint32_t fdb_port_learned(const struct fdb *f, uint16_t port, uint16_t gen)
{
    uint64_t c = atomic_load_explicit(&f->count[port], relaxed);

    return (uint16_t)(c >> 32) == gen ? (uint32_t)c : 0;
}

/* ---- walk and statistics ---- */

/* The current entry in slot 'at', if there is one. */
static bool entry_at(const struct table *tab, uint64_t at,
                     const struct fdb_now *t, struct fdb_entry *out)
{
    const struct group *g = &tab->group[at / GROUP_SLOTS];
    unsigned i = at % GROUP_SLOTS;
    uint64_t k = atomic_load_explicit(&g->key[i], memory_order_acquire);
    uint64_t v;

    if (k == KEY_EMPTY || key_is_tomb(k))
        return false;
    v = atomic_load_explicit(&g->value[i], memory_order_acquire);
    if (!value_current(v, t))
        return false;
    out->key = k;
    out->value = fdb_unpack(v);
    return true;
}

unsigned fdb_walk(struct fdb *f, const struct fdb_now *t, struct fdb_walk *w,
                  struct fdb_entry *out, unsigned max, unsigned budget)
{
    const struct table *tab = rcu_read(&f->table);
    unsigned n = 0;

    if (w->table != tab->id) {
        w->table = tab->id;
        w->at = 0;
    }
    for (; n < max && budget && w->at < tab->slots; w->at++, budget--)
        n += entry_at(tab, w->at, t, &out[n]);
    w->done = w->at >= tab->slots;
    return n;
}

void fdb_stats(const struct fdb *f, struct fdb_stats *s)
{
    const struct table *tab = rcu_read(&f->table);
    uint32_t used = atomic_load_explicit(&tab->used, relaxed);
    int64_t live = atomic_load_explicit(&f->live, relaxed);

    memset(s, 0, sizeof(*s));
    s->slots = tab->slots;
    s->entries = (uint32_t)live;
    s->statics = f->statics;
    s->dead = used > s->entries ? used - s->entries : 0;
    s->limit = atomic_load_explicit(&f->limit, relaxed);
    s->learned = atomic_load_explicit(&f->learned, relaxed);
    s->moved = atomic_load_explicit(&f->moved, relaxed);
    s->replaced = atomic_load_explicit(&f->replaced, relaxed);
    s->refused = atomic_load_explicit(&f->refused, relaxed);
    s->expired = f->expired;
    s->resizes = f->resizes;
    s->memory = tab->bytes + (f->next ? f->next->bytes : 0) +
                (f->old ? f->old->bytes : 0);
}
