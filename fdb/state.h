/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of fdb/ share: the object, packing of values, counting.
 * Internal to fdb/.
 */
#ifndef FDB_STATE_H
#define FDB_STATE_H

#include "base/rcu.h"
#include "fdb/fdb.h"
#include "fdb/table.h"

/* Entries that do not age, are not flushed, not moved and not limited. */
#define V_FIXED  ((uint64_t)(FDB_STATIC | FDB_LOCAL) << 32)
#define V_PINNED ((uint64_t)(FDB_STATIC | FDB_LOCAL | FDB_STICKY) << 32)
#define V_EXTERN ((uint64_t)FDB_EXTERN << 32)

_Static_assert(FDB_PORTS == 1 << 12 && FDB_GEN_MAX == (1 << 12) - 1,
               "port 12, generation 12, flags 8, age 16, hint 16: 64 bits");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LONG_LOCK_FREE == 2,
               "keys and values are loaded and stored whole");
_Static_assert(FDB_AGE_FUTURE > FDB_AGEING_MAX,
               "an old age is not a future one");

enum purge {
    PURGE_NONE,
    PURGE_LEARNED = 1,
    PURGE_STATICS = 2, /* and the learned */
    PURGE_NOW = 4,     /* grace period over, the pass is on */
};

/* fdb_step, "resizing" */
enum stage {
    STAGE_IDLE,
    STAGE_FREEZE, /* until no learner takes the table for unfrozen */
    STAGE_COPY,
    STAGE_DRAIN, /* until no reader holds the old table */
    STAGE_GIVE_BACK,
};

struct fdb {
    _Atomic(struct table *) table;

    /* Written by learners; each with its own line or cold. */
    _Alignas(64) atomic_flag lock;
    _Alignas(64) _Atomic int64_t total; /* sum of count[]: the limited ones */
    _Atomic int64_t live;               /* LIVE slots, stale ones too */
    _Atomic uint64_t learned, moved, replaced, refused;
    _Alignas(64) _Atomic bool pressed;
    _Atomic bool said_pressed;
    _Atomic bool full; /* a port below its share was refused */

    /* Written by the owner, read by learners. */
    _Alignas(64) _Atomic uint64_t granted; /* last grace period that is over */
    _Atomic uint32_t limit;
    _Atomic uint32_t active;
    _Atomic uint32_t press_at; /* slots used from which learners press */
    uint16_t gen_max;

    /* The owner's alone. */
    uint32_t slots_min;
    uint32_t statics;
    uint64_t tables; /* made so far: their ids */
    uint64_t expired, resizes;
    void (*gone)(void *arg, uint64_t key, const struct fdb_value *v);
    void *gone_arg;

    uint64_t ticket; /* the grace period to ask for next */
    uint64_t asked;  /* the last one asked for */
    bool ticket_used;

    enum stage stage;
    uint64_t stage_ticket;
    struct table *next; /* being filled */
    struct table *old;  /* being drained */
    uint32_t copy_at;   /* groups copied */
    bool copy_misfit;   /* a key found no place in it */
    unsigned roomier;   /* times that a copy did not fit */

    uint32_t sweep_left;    /* groups of this pass still to visit */
    uint32_t pass_work;     /* slots it removed, retired or cleared */
    uint64_t pass_granted;  /* 'granted' when the last pass ended */
    bool pass_idle;         /* the last pass found little to do */
    bool resize_held;       /* a resize failed: not before the next pass */
    unsigned wasted_passes; /* in a row that left many slots unusable */
    bool thin;              /* far too large, since: */
    uint16_t thin_since;
    uint32_t level;      /* ports above it lose entries; 0: none do ... */
    uint32_t level_left; /* ... for so many groups */
    unsigned purging, purge_waiting;
    uint64_t purge_ticket;
    bool purge_on;

    uint8_t purge[FDB_PORTS];
    _Atomic uint32_t port_limit[FDB_PORTS];
    _Atomic uint32_t hand[FDB_PORTS];  /* where the last victim was found */
    _Atomic uint64_t count[FDB_PORTS]; /* generation << 32 | entries */
};

/* ---- values ---- */

static inline uint64_t value_pack(uint16_t port, uint16_t gen, uint8_t flags,
                                  uint16_t age, uint16_t hint)
{
    return (uint64_t)port << 52 | (uint64_t)(gen & 0xfff) << 40 |
           (uint64_t)flags << 32 | (uint64_t)age << 16 | hint;
}
static inline uint16_t value_port(uint64_t v)
{
    return (uint16_t)(v >> 52);
}
static inline uint16_t value_gen(uint64_t v)
{
    return (uint16_t)(v >> 40 & 0xfff);
}
static inline uint16_t value_age(uint64_t v)
{
    return (uint16_t)(v >> 16);
}
static inline uint64_t value_aged(uint64_t v, uint16_t age)
{
    return (v & ~0xffff0000ULL) | (uint64_t)age << 16;
}

static inline unsigned age_of(uint64_t v, uint16_t now)
{
    return fdb_age(now, value_age(v));
}

/* Of a LIVE value. */
static inline bool value_stale(uint64_t v, const struct fdb_now *t)
{
    return !(v & V_FIXED) && t->gens[value_port(v)] != value_gen(v);
}
static inline bool value_expired(uint64_t v, const struct fdb_now *t)
{
    return t->ageing && !(v & (V_FIXED | V_EXTERN)) &&
           age_of(v, t->now) > t->ageing;
}
/* Of any value: is the entry there for a reader? */
static inline bool value_current(uint64_t v, const struct fdb_now *t)
{
    /* The common one, without flags: no branch but this. */
    if ((v & 0xffULL << 32) == V_LIVE) {
        unsigned d = (uint16_t)(t->now - value_age(v));
        unsigned most = t->ageing ? t->ageing : FDB_AGE_FUTURE;

        return (t->gens[value_port(v)] == value_gen(v)) &
               ((d <= most) | (d >= FDB_AGE_FUTURE));
    }
    return (v & V_LIVE) && !value_stale(v, t) && !value_expired(v, t);
}

/* ---- counting and limits (count.c) ---- */

/*
 * Counts are of a port and a generation: when a learner or the owner comes
 * with a newer one, what was counted before is flushed and leaves the sums at
 * once.  Each LIVE entry that is not fixed and is of its port's counted
 * generation is counted exactly once, from before it is written until after
 * it is gone.
 */
enum taken {
    TAKEN,
    TAKEN_PORT_FULL,
    TAKEN_FULL,
    TAKEN_LATE, /* the generation is older than what is counted */
};
enum take_how {
    TAKE_NEW,   /* both limits hold */
    TAKE_MOVE,  /* the port's limit holds; the sum does not change */
    TAKE_FORCE, /* none; 'gen' is known to be the newest */
};
enum taken count_take(struct fdb *f, uint16_t port, uint16_t gen,
                      enum take_how how);
void count_drop(struct fdb *f, uint16_t port, uint16_t gen);
uint32_t count_of(const struct fdb *f, uint16_t port);
/* Owner: forgets counts of generations that 't' has left. */
void count_sync(struct fdb *f, const struct fdb_now *t);
/* A port's fair share of the bridge's limit. */
uint32_t count_share(const struct fdb *f);
/* The level to which the fullest ports must fall to make some room. */
uint32_t count_level(const struct fdb *f);

/* ---- slots and the lock (fdb.c) ---- */

/* LIVE 'v' -> DEAD, with the counts.  False: another thread changed it. */
bool entry_kill(struct fdb *f, _Atomic uint64_t *value, uint64_t v);

/*
 * Owner, after a change: does it in the table that is being filled as well,
 * if there is one (step.c).  value 0: the key is gone.
 */
void copy_also(struct fdb *f, uint64_t key, uint64_t value);

static inline bool try_lock(struct fdb *f)
{
    return !atomic_flag_test_and_set_explicit(&f->lock, memory_order_acquire);
}
static inline void unlock(struct fdb *f)
{
    atomic_flag_clear_explicit(&f->lock, memory_order_release);
}
/* Owner only: holders never block, but may lose the processor. */
void owner_lock(struct fdb *f);

/* At most this many slots in use, LIVE or not, by learners and by the owner. */
static inline uint32_t used_max(const struct table *t)
{
    return t->slots / 8 * 5;
}
static inline uint32_t used_max_owner(const struct table *t)
{
    return t->slots / 4 * 3;
}

#endif
