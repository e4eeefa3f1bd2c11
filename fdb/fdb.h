/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding database: (VID, MAC) -> port, learned and static
 * (802.1Q-2018, 8.8).  Concurrent: any number of readers and learners, one
 * owner.  It knows numbers only: no frames, no port objects, no clock.
 *
 * Key and value are a 64-bit word each, so that each is loaded and stored
 * whole.  The table is open addressing over cache lines with a bounded probe;
 * see fdb.c for the life of a slot and why no reader ever pairs one entry's
 * key with another's value.
 *
 * Flushing is O(1): a learned entry carries the generation its port had when
 * it was learned.  Generations live with the caller (the view); an entry
 * whose generation is not its port's current one is stale and counts as
 * absent, also when a late learner writes it after the flush.
 *
 * Threads
 *   reader    fdb_lookup*        registered RCU reader, online
 *   learner   fdb_learn          likewise
 *   owner     all the rest       one thread (control), RCU reader or offline
 * Readers and learners never block and never allocate.
 */
#ifndef FDB_FDB_H
#define FDB_FDB_H

#include "base/mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDB_PORTS      4096  /* 12 bits; port 0 is the bridge itself */
#define FDB_GEN_MAX    4095  /* 12 bits; the step after it is 0 */
#define FDB_AGEING_MAX 60000 /* 6000 s: ages are told apart up to there */

/* ---- key and value ---- */

/* 12 bits VID above 48 bits MAC, bit 60 set so that a key is never 0. */
static inline uint64_t fdb_key(uint16_t vid, uint64_t mac)
{
    return 1ULL << 60 | (uint64_t)(vid & 0xfff) << 48 | mac;
}
static inline uint16_t fdb_key_vid(uint64_t key)
{
    return (uint16_t)(key >> 48 & 0xfff);
}
static inline uint64_t fdb_key_mac(uint64_t key)
{
    return key & 0xffffffffffffULL;
}

/* A value, unpacked.  Packed: port 12, gen 12, flags 8, age 16, hint 16. */
struct fdb_value {
    uint16_t port;
    uint16_t gen;
    uint8_t flags; /* FDB_* below */
    uint16_t age;  /* last seen, in 100 ms units of a wrapping clock */
    uint16_t hint; /* for the port: tunnel remote; 0 */
};

#define FDB_STATIC 0x01 /* by an administrator: no ageing, flush or move */
#define FDB_STICKY 0x02 /* ages and is flushed, but stays on its port */
#define FDB_LOCAL  0x04 /* the bridge's or a port's own address: as static */
#define FDB_EXTERN 0x08 /* someone else's learning: flushed, does not age */
/* 0x40, 0x80: the table's own slot states */

/* Ages this much "older" than the clock are from a clock that is ahead. */
#define FDB_AGE_FUTURE 0xf000u

/* How long ago 'seen' was, in 100 ms units. */
static inline unsigned fdb_age(uint16_t now, uint16_t seen)
{
    unsigned d = (uint16_t)(now - seen);

    return d < FDB_AGE_FUTURE ? d : 0;
}

/* ---- life ---- */

struct fdb;

struct fdb_config {
    uint32_t limit;     /* most learned entries; 0: 1 << 20 */
    uint64_t hash_seed; /* 0: random (tests fix it) */
    uint32_t slots;     /* least and first size, power of two; 0: 1024 */
    uint32_t hash_mask; /* tests: bits of the hash that are used; 0: all */
    uint16_t gen_max;   /* tests: 2^n - 1; 0: FDB_GEN_MAX */
    /*
     * Called by fdb_step, on the owner's thread, for each entry it removes;
     * for observers.  It must not call back.  NULL: nobody looks.
     */
    void (*gone)(void *arg, uint64_t key, const struct fdb_value *v);
    void *gone_arg;
};

/* NULL when out of memory. */
struct fdb *fdb_new(const struct fdb_config *c);
/* No reader or learner is left.  NULL is fine. */
void fdb_free(struct fdb *f);

/* ---- readers ---- */

/*
 * gens[port] is the current generation of each port (FDB_PORTS numbers, of
 * the caller's view; a flush steps it by one); 'now' and 'ageing' in 100 ms
 * units, ageing at most FDB_AGEING_MAX, 0: never.  Threads' clocks may differ
 * by minutes: an age from the future is 0.
 * True and *v if a live, current, unexpired entry exists.
 */
struct fdb_now {
    const uint16_t *gens;
    uint16_t now;
    uint16_t ageing;
};
bool fdb_lookup(struct fdb *f, const struct fdb_now *t, uint64_t key,
                struct fdb_value *v);

/*
 * n look-ups side by side, memory latencies overlapped.  found[i] is the
 * packed value, or 0 (a live value is never 0): unpack with fdb_unpack.
 */
void fdb_lookup_batch(struct fdb *f, const struct fdb_now *t,
                      const uint64_t *key, uint64_t *found, unsigned n);

/* Starts fetching what look-up or learning of these keys will touch. */
void fdb_prefetch(struct fdb *f, const uint64_t *key, unsigned n);

static inline struct fdb_value fdb_unpack(uint64_t packed)
{
    struct fdb_value v = {
        .port = (uint16_t)(packed >> 52),
        .gen = (uint16_t)(packed >> 40 & 0xfff),
        .flags = (uint8_t)(packed >> 32 & 0x3f),
        .age = (uint16_t)(packed >> 16),
        .hint = (uint16_t)packed,
    };

    return v;
}

/* ---- learners ---- */

enum fdb_learned {
    FDB_KNOWN,     /* nothing stored, or only the age */
    FDB_NEW,       /* entry added */
    FDB_MOVED,     /* entry was on another port: *old says what it was */
    FDB_REPLACED,  /* added in place of another entry of the same port */
    FDB_PINNED,    /* static, sticky or local elsewhere: not moved; *old */
    FDB_PORT_FULL, /* refused: the port's own limit */
    FDB_FULL,      /* refused: the bridge's limit */
    FDB_BUSY,      /* refused: table is being resized or written; next time */
};

/*
 * 'key' was seen on 'port'.  An entry that says the same costs a load, and a
 * store only when its age changed.  *old is written on MOVED and PINNED.
 */
enum fdb_learned fdb_learn(struct fdb *f, const struct fdb_now *t, uint64_t key,
                           uint16_t port, struct fdb_value *old);

/*
 * Was a learn refused that housekeeping could have made room for, or is the
 * table filling up?  Then the owner should be woken for fdb_step.  True once:
 * the next true comes after a step.  Any thread; after a FDB_NEW, FDB_FULL,
 * FDB_PORT_FULL or FDB_BUSY is soon enough.
 */
bool fdb_pressed(struct fdb *f);

/* ---- owner ---- */

/*
 * Most learned entries on 'port' (0: no limit of its own) and in all.  An
 * entry of the owner's is never refused, but counts if it is not static.
 */
void fdb_set_port_limit(struct fdb *f, uint16_t port, uint32_t limit);
void fdb_set_limit(struct fdb *f, uint32_t limit);
/* Ports that take part, for the fair share limit / active. */
void fdb_set_active_ports(struct fdb *f, uint32_t n);

/*
 * Adds or replaces an entry with v->port, flags, hint; age and gen are taken
 * from 't'.  0, -ENOSPC (table cannot grow now: housekeeping is behind; call
 * again after fdb_step), -ENOMEM.
 */
int fdb_set(struct fdb *f, const struct fdb_now *t, uint64_t key,
            const struct fdb_value *v);
/* 0 or -ENOENT (absent, stale and expired alike).  *old if not NULL. */
int fdb_del(struct fdb *f, const struct fdb_now *t, uint64_t key,
            struct fdb_value *old);

/*
 * Entries of 'port' learned in generation 'gen'.  0: a flush is moot, save for
 * a learn that is under way in another thread right now.
 */
uint32_t fdb_port_learned(const struct fdb *f, uint16_t port, uint16_t gen);

/*
 * Deletes every entry of 'port', static ones only if 'statics', whatever the
 * generation.  A walk of the whole table after a grace period: fdb_step
 * carries it out, fdb_port_purged says when it is done.  Many ports may be
 * purged in one pass.  A port number may be used again once a purge is done
 * that was asked for after the last view with the port in it; a generation of
 * a port once one is done that was asked for after it was last current.
 */
void fdb_port_purge(struct fdb *f, uint16_t port, bool statics);
bool fdb_port_purged(const struct fdb *f, uint16_t port);

/*
 * Housekeeping: sweeps expired and stale entries, keeps ages from wrapping,
 * makes room at the limit, frees slots, resizes.  Visits about 'budget' slots
 * and returns.  't' is the newest view's.
 *
 * Grace periods are run by the owner.  want_grace is 0 or the number of the
 * one the table waits for: it must begin after this return.  When it is over,
 * call again with that number as 'grace' (0 before the first).
 * Call again after 'wait' times 100 ms at the latest (0: this turn or the
 * next), when a grace period is over, and when fdb_pressed was true.
 */
struct fdb_step {
    uint64_t want_grace;
    uint16_t wait;
    uint32_t expired; /* entries removed by this step, for whatever reason */
};
struct fdb_step fdb_step(struct fdb *f, const struct fdb_now *t,
                         unsigned budget, uint64_t grace);

/*
 * Resumable walk over live entries.  cursor starts at 0; returns entries
 * written (at most max, visiting at most 'budget' slots) and advances it;
 * *done when the table's end is reached.  Each entry that lives throughout
 * is seen at least once; after a resize the walk starts over and may repeat.
 */
struct fdb_entry {
    uint64_t key;
    struct fdb_value value;
};
struct fdb_walk {
    uint64_t at;
    uint64_t table; /* which table 'at' belongs to */
    bool done;
};
unsigned fdb_walk(struct fdb *f, const struct fdb_now *t, struct fdb_walk *w,
                  struct fdb_entry *out, unsigned max, unsigned budget);

struct fdb_stats {
    uint32_t slots;
    uint32_t entries; /* live, learned and static (stale ones not yet swept
                         included) */
    uint32_t statics;
    uint32_t dead; /* slots waiting for a grace period */
    uint32_t limit;
    uint64_t learned, moved, expired, replaced, refused, resizes;
    size_t memory; /* octets of the tables */
};
void fdb_stats(const struct fdb *f, struct fdb_stats *s);

#endif
