/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Housekeeping: the sweep, purges, making room, resizing.  All of it on the
 * owner's thread, in slices.
 *
 * The sweep goes from the last group to the first, so that the end of a run
 * of full groups is freed first and TOMBs before it can become EMPTY in the
 * same pass.
 *
 * Resizing: freeze the table and wait until every learner knows (a grace
 * period); copy it in slices while ages may still change (those changes are
 * lost, which is an age older by the time of copying); publish; wait until no
 * reader holds the old one; give it back in slices.  Learners with an old
 * pointer see a table that stays frozen for ever.
 */
#include "fdb/state.h"

#define relaxed memory_order_relaxed

/* A step's share of a table's pages: a fraction of 1 ms. */
#define TOUCH_OCTETS ((size_t)256 << 10)
#define GIVE_OCTETS  ((size_t)2 << 20)
#define PASS_MIN     10 /* 100 ms units */
#define PASS_MAX     300
#define THIN_TIME    600 /* before the table shrinks */
#define ROOMIER_MAX  3

/* The number of a grace period that begins after now. */
static uint64_t ticket(struct fdb *f)
{
    f->ticket_used = true;
    return f->ticket;
}

static bool over(const struct fdb *f, uint64_t number)
{
    return atomic_load_explicit(&f->granted, relaxed) >= number;
}

/* ---- the sweep ---- */

static void remove_at(struct fdb *f, uint64_t key, _Atomic uint64_t *value,
                      uint64_t v, uint32_t *removed)
{
    struct fdb_value old = fdb_unpack(v);

    if (!entry_kill(f, value, v))
        return; /* seen again, or moved, this very moment */
    ++*removed;
    f->pass_work++;
    f->expired++;
    if (f->gone)
        f->gone(f->gone_arg, key, &old);
}

static bool is_purged(const struct fdb *f, uint64_t v)
{
    uint8_t p = f->purge[value_port(v)];

    return (p & PURGE_NOW) && ((p & PURGE_STATICS) || !(v & V_FIXED));
}

static bool is_above_level(const struct fdb *f, uint64_t v)
{
    return f->level && !(v & V_FIXED) && count_of(f, value_port(v)) > f->level;
}

static void sweep_live(struct fdb *f, const struct fdb_now *t, uint64_t key,
                       _Atomic uint64_t *value, uint64_t v, uint32_t *removed)
{
    if (value_stale(v, t) || value_expired(v, t) || is_purged(f, v) ||
        is_above_level(f, v)) {
        remove_at(f, key, value, v, removed);
    } else if (age_of(v, t->now) > FDB_AGEING_MAX) {
        uint64_t to = value_aged(v, (uint16_t)(t->now - FDB_AGEING_MAX));

        (void)atomic_compare_exchange_strong(value, &v, to);
    }
}

/* DEAD -> RETIRED -> TOMB, unless the key comes back first. */
static void retire(struct fdb *f, _Atomic uint64_t *key,
                   _Atomic uint64_t *value)
{
    uint64_t dead = 0;

    if (!atomic_compare_exchange_strong(value, &dead, V_RETIRED))
        return;
    f->pass_work++;
    FDB_RACE_POINT();
    atomic_store_explicit(key, KEY_TOMB | ticket(f), memory_order_release);
}

static void sweep_group(struct fdb *f, struct table *tab,
                        const struct fdb_now *t, uint32_t at, uint32_t *removed)
{
    uint64_t granted = atomic_load_explicit(&f->granted, relaxed);
    struct group *g = &tab->group[at];
    bool tombs = false;

    for (unsigned i = 0; i < GROUP_SLOTS; i++) {
        uint64_t k = atomic_load_explicit(&g->key[i], memory_order_acquire);
        uint64_t v;

        if (k == KEY_EMPTY)
            continue;
        if (key_is_tomb(k)) {
            tombs |= tomb_ready(k, granted);
            continue;
        }
        v = atomic_load_explicit(&g->value[i], memory_order_acquire);
        if (v & V_LIVE)
            sweep_live(f, t, k, &g->value[i], v, removed);
        if (atomic_load_explicit(&g->value[i], relaxed) == 0)
            retire(f, &g->key[i], &g->value[i]);
    }
    if (tombs && try_lock(f)) {
        f->pass_work += table_clear_tombs(tab, at, granted);
        unlock(f);
    }
}

/* ---- purges ---- */

void fdb_port_purge(struct fdb *f, uint16_t port, bool statics)
{
    uint8_t was = f->purge[port];

    if (was & PURGE_NOW)
        f->purging--;
    else if (was)
        f->purge_waiting--;
    f->purge_waiting++;
    f->purge[port] =
        (was & PURGE_STATICS) | PURGE_LEARNED | (statics ? PURGE_STATICS : 0);
    f->purge_ticket = ticket(f);
}

bool fdb_port_purged(const struct fdb *f, uint16_t port)
{
    return f->purge[port] == PURGE_NONE;
}

/* At the start of a pass: purges whose grace period is over take part. */
static void purge_begin(struct fdb *f)
{
    if (!f->purge_waiting || !over(f, f->purge_ticket))
        return;
    for (unsigned p = 0; p < FDB_PORTS; p++) {
        if (f->purge[p])
            f->purge[p] |= PURGE_NOW;
    }
    f->purging += f->purge_waiting;
    f->purge_waiting = 0;
}

static void purge_end(struct fdb *f)
{
    if (!f->purging)
        return;
    for (unsigned p = 0; p < FDB_PORTS; p++) {
        if (f->purge[p] & PURGE_NOW)
            f->purge[p] = PURGE_NONE;
    }
    f->purging = 0;
}

/* ---- passes ---- */

static uint64_t needed(const struct fdb *f)
{
    int64_t total = atomic_load_explicit(&f->total, relaxed);

    return f->statics + (uint64_t)(total > 0 ? total : 0);
}

static uint32_t wasted(const struct fdb *f, const struct table *tab)
{
    int64_t live = atomic_load_explicit(&f->live, relaxed);
    int64_t used = atomic_load_explicit(&tab->used, relaxed);

    return used > live ? (uint32_t)(used - live) : 0;
}

static void pass_begin(struct fdb *f, const struct table *tab,
                       const struct fdb_now *t)
{
    f->sweep_left = tab->slots / GROUP_SLOTS;
    f->pass_work = 0;
    count_sync(f, t);
    purge_begin(f);
}

static void pass_end(struct fdb *f, const struct table *tab,
                     const struct fdb_now *t)
{
    uint64_t granted = atomic_load_explicit(&f->granted, relaxed);

    purge_end(f);
    if (wasted(f, tab) <= tab->slots / 4)
        f->wasted_passes = 0;
    else if (granted > f->pass_granted)
        f->wasted_passes++;
    if (needed(f) * 16 >= tab->slots)
        f->thin = false;
    else if (!f->thin)
        f->thin_since = t->now;
    f->thin = needed(f) * 16 < tab->slots;
    f->resize_held = false;
    f->pass_idle = f->pass_work <= tab->slots / 256;
    f->pass_granted = granted;
}

/* Learners were refused at the bridge's limit: who is to make room? */
static void set_level(struct fdb *f, const struct table *tab)
{
    uint32_t share = count_share(f);

    if (f->level || !atomic_load_explicit(&f->full, relaxed))
        return;
    atomic_store_explicit(&f->full, false, relaxed);
    for (unsigned p = 0; p < FDB_PORTS; p++) {
        if (count_of(f, (uint16_t)p) <= share)
            continue;
        f->level = count_level(f);
        f->level_left = tab->slots / GROUP_SLOTS;
        return;
    }
}

/* Does something wait for the sweep, so that it must not dawdle? */
static bool sweep_urgent(const struct fdb *f, const struct table *tab)
{
    uint32_t used = atomic_load_explicit(&tab->used, relaxed);

    if (f->purging || f->level ||
        (f->purge_waiting && over(f, f->purge_ticket)))
        return true;
    if (f->pass_idle && !over(f, f->pass_granted + 1))
        return false;
    return used > tab->slots / 2 && used - needed(f) > tab->slots / 32;
}

static void sweep(struct fdb *f, const struct fdb_now *t, unsigned budget,
                  uint32_t *removed)
{
    struct table *tab = rcu_read(&f->table);

    set_level(f, tab);
    if (f->sweep_left == 0)
        pass_begin(f, tab, t);
    for (unsigned n = budget / GROUP_SLOTS + 1; n && f->sweep_left; n--) {
        sweep_group(f, tab, t, --f->sweep_left, removed);
        if (f->level && --f->level_left == 0)
            f->level = 0;
    }
    if (f->sweep_left == 0)
        pass_end(f, tab, t);
}

/* ---- resizing ---- */

static uint32_t pow2_from(uint64_t n)
{
    uint32_t p = TABLE_MIN;

    while (p < n && p < 1U << 30)
        p <<= 1;
    return p;
}

/* The largest size that is of use: half full at the limit. */
static uint32_t size_most(const struct fdb *f)
{
    uint32_t limit = atomic_load_explicit(&f->limit, relaxed);
    uint32_t most = pow2_from(2 * ((uint64_t)f->statics + limit));

    return most < f->slots_min ? f->slots_min : most;
}

/* The size the table should have now; its own if it is well. */
static uint32_t size_wanted(const struct fdb *f, const struct table *tab,
                            const struct fdb_now *t)
{
    uint64_t need = needed(f);
    uint32_t most = size_most(f), slots = tab->slots;

    if (f->resize_held)
        return slots;
    if (need * 16 > (uint64_t)slots * 7 && slots < most)
        return slots < 1 << 17 && slots * 4 <= most ? slots * 4 : slots * 2;
    if (f->thin && (uint16_t)(t->now - f->thin_since) > THIN_TIME) {
        uint32_t fit = pow2_from(need * 4);

        if (fit < f->slots_min)
            fit = f->slots_min;
        return fit < slots ? fit : slots;
    }
    return slots;
}

static void copy_cancel(struct fdb *f)
{
    struct table *tab = rcu_read(&f->table);

    table_free(f->next);
    f->next = NULL;
    f->copy_misfit = false;
    f->resize_held = true;
    f->stage = STAGE_IDLE;
    atomic_store_explicit(&tab->frozen, false, memory_order_release);
}

static void resize_begin(struct fdb *f, const struct fdb_now *t)
{
    struct table *tab = rcu_read(&f->table);
    uint32_t slots = size_wanted(f, tab, t);

    if (slots == tab->slots && f->wasted_passes < 2)
        return;
    f->wasted_passes = 0;
    f->thin = false;
    f->next = table_new(slots << f->roomier, &tab->hash, f->tables + 1);
    if (!f->next) {
        f->resize_held = true;
        return;
    }
    f->tables++;
    f->copy_at = 0;
    f->stage = STAGE_FREEZE;
    atomic_store_explicit(&tab->frozen, true, memory_order_release);
    f->stage_ticket = ticket(f);
}

/* The new table is the owner's alone until it is published. */
static void copy_put(struct fdb *f, uint64_t key, uint64_t v)
{
    struct spot s = table_spot(f->next, key, 0);

    if (s.found)
        atomic_store_explicit(s.value, v, relaxed);
    else if (s.value && v)
        table_put(f->next, &s, key, v);
    else if (v)
        f->copy_misfit = true;
}

void copy_also(struct fdb *f, uint64_t key, uint64_t value)
{
    if (f->stage == STAGE_COPY)
        copy_put(f, key, value);
}

static void copy_slot(struct fdb *f, const struct fdb_now *t, uint64_t key,
                      _Atomic uint64_t *value, uint32_t *removed)
{
    uint64_t v = atomic_load_explicit(value, memory_order_acquire);

    while ((v & V_LIVE) && !value_current(v, t)) {
        remove_at(f, key, value, v, removed);
        v = atomic_load_explicit(value, memory_order_acquire);
    }
    /* Also when it is gone: the owner may have put it there since. */
    copy_put(f, key, v & V_LIVE ? v : 0);
}

static void copy(struct fdb *f, const struct fdb_now *t, unsigned budget,
                 uint32_t *removed)
{
    struct table *tab = rcu_read(&f->table);
    uint32_t end = tab->slots / GROUP_SLOTS;

    for (unsigned n = budget / GROUP_SLOTS + 1; n && f->copy_at < end; n--) {
        struct group *g = &tab->group[f->copy_at++];

        for (unsigned i = 0; i < GROUP_SLOTS; i++) {
            uint64_t k = atomic_load_explicit(&g->key[i], memory_order_acquire);

            if (k != KEY_EMPTY && !key_is_tomb(k))
                copy_slot(f, t, k, &g->value[i], removed);
        }
    }
    if (f->copy_misfit) {
        f->roomier += f->roomier < ROOMIER_MAX;
        copy_cancel(f);
        return;
    }
    if (f->copy_at < end)
        return;
    f->old = tab;
    rcu_publish(&f->table, f->next);
    f->next = NULL;
    f->roomier = 0;
    f->resizes++;
    f->sweep_left = 0;
    f->stage = STAGE_DRAIN;
    f->stage_ticket = ticket(f);
}

static void give_back(struct fdb *f)
{
    if (!table_give_back(f->old, GIVE_OCTETS))
        return;
    table_free(f->old);
    f->old = NULL;
    f->stage = STAGE_IDLE;
}

/* True if a resize has taken this step. */
static bool resize(struct fdb *f, const struct fdb_now *t, unsigned budget,
                   uint32_t *removed)
{
    switch (f->stage) {
    case STAGE_IDLE:
        resize_begin(f, t);
        return false;
    case STAGE_FREEZE:
        if (table_touch(f->next, TOUCH_OCTETS) && over(f, f->stage_ticket))
            f->stage = STAGE_COPY;
        return true;
    case STAGE_COPY:
        copy(f, t, budget, removed);
        return true;
    case STAGE_DRAIN:
        if (over(f, f->stage_ticket))
            f->stage = STAGE_GIVE_BACK;
        return false;
    case STAGE_GIVE_BACK:
        give_back(f);
        return true;
    }
    return false;
}

/* ---- a step ---- */

static uint16_t pause_after(const struct fdb *f, const struct fdb_now *t,
                            unsigned budget)
{
    const struct table *tab = rcu_read(&f->table);
    uint32_t pass = t->ageing ? t->ageing / 16 : PASS_MAX;
    uint32_t wait;

    if (f->stage == STAGE_COPY || f->stage == STAGE_GIVE_BACK ||
        (f->stage == STAGE_FREEZE && f->next->touched < f->next->bytes))
        return 0;
    if (f->stage != STAGE_FREEZE &&
        (sweep_urgent(f, tab) ||
         (f->stage == STAGE_IDLE && size_wanted(f, tab, t) != tab->slots)))
        return 0;
    if (pass < PASS_MIN)
        pass = PASS_MIN;
    if (pass > PASS_MAX)
        pass = PASS_MAX;
    wait = (uint32_t)((uint64_t)pass * budget / tab->slots);
    return (uint16_t)(wait > pass ? pass : wait < 1 ? 1 : wait);
}

static void set_press(struct fdb *f)
{
    uint32_t slots = rcu_read(&f->table)->slots;

    atomic_store_explicit(
        &f->press_at, slots < size_most(f) ? slots / 16 * 7 : slots / 16 * 9,
        relaxed);
    atomic_store_explicit(&f->pressed, false, relaxed);
    atomic_store_explicit(&f->said_pressed, false, relaxed);
}

struct fdb_step fdb_step(struct fdb *f, const struct fdb_now *t,
                         unsigned budget, uint64_t grace)
{
    struct fdb_step s = {0};

    if (grace < atomic_load_explicit(&f->granted, relaxed))
        grace = atomic_load_explicit(&f->granted, relaxed);
    atomic_store_explicit(&f->granted, grace, memory_order_release);
    set_press(f);
    if (!resize(f, t, budget, &s.expired))
        sweep(f, t, budget, &s.expired);
    if (f->ticket_used && f->asked <= grace) {
        f->asked = f->ticket++;
        f->ticket_used = false;
    }
    if (f->asked > grace)
        s.want_grace = f->asked;
    s.wait = pause_after(f, t, budget);
    return s;
}
