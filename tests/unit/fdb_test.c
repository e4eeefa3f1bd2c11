/* SPDX-License-Identifier: BSD-2-Clause */
/* The forwarding database, one thread: contract of fdb/fdb.h. */
#include "fdb/fdb.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct world {
    struct fdb *f;
    uint16_t gens[FDB_PORTS];
    struct fdb_now t;
    uint64_t grace, asked;
    bool due; /* the last step wants another one */
    unsigned gone;
};

static void gone(void *arg, uint64_t key, const struct fdb_value *v)
{
    struct world *w = arg;

    (void)key;
    (void)v;
    w->gone++;
}

static struct world *world(struct fdb_config c)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    c.gone = gone;
    c.gone_arg = w;
    w->f = fdb_new(&c);
    assert_non_null(w->f);
    w->t = (struct fdb_now){w->gens, 1000, 3000};
    return w;
}

static void end(struct world *w)
{
    fdb_free(w->f);
    free(w);
}

/* One step; a grace period is over by the next one. */
static struct fdb_step step(struct world *w, unsigned budget)
{
    struct fdb_step s;

    w->grace = w->asked;
    s = fdb_step(w->f, &w->t, budget, w->grace);
    if (s.want_grace)
        w->asked = s.want_grace;
    w->due = s.wait == 0 || s.want_grace;
    return s;
}

/* As an owner does who is woken when there is something to do. */
static void step_if_due(struct world *w)
{
    bool pressed = fdb_pressed(w->f);

    if (pressed || w->due)
        step(w, 4096);
}

/*
 * Steps until nothing is to be done at once and no grace period is waited
 * for, three times in a row: tombs are cleared by the pass after theirs.
 */
static unsigned settle(struct world *w)
{
    unsigned expired = 0, quiet = 0, n = 0;
    struct fdb_step s;

    while (quiet < 3) {
        s = step(w, 1 << 22);
        expired += s.expired;
        quiet = s.wait == 0 || s.want_grace ? 0 : quiet + 1;
        assert_true(++n < 1000);
    }
    return expired;
}

static enum fdb_learned learn(struct world *w, uint64_t key, uint16_t port)
{
    struct fdb_value old;

    return fdb_learn(w->f, &w->t, key, port, &old);
}

static int port_of(struct world *w, uint64_t key)
{
    struct fdb_value v;

    return fdb_lookup(w->f, &w->t, key, &v) ? v.port : -1;
}

static uint64_t key(uint64_t n)
{
    return fdb_key(1, n);
}

static uint32_t count(struct world *w, uint16_t port)
{
    return fdb_port_learned(w->f, port, w->gens[port]);
}

static int set(struct world *w, uint64_t k, uint16_t port, uint8_t flags)
{
    struct fdb_value v = {.port = port, .flags = flags, .hint = 77};

    return fdb_set(w->f, &w->t, k, &v);
}

static struct fdb_stats stats(struct world *w)
{
    struct fdb_stats s;

    fdb_stats(w->f, &s);
    return s;
}

static void packs_keys(void **state)
{
    uint64_t k = fdb_key(4095, 0xfedcba987654);

    (void)state;
    assert_int_equal(fdb_key_vid(k), 4095);
    assert_int_equal(fdb_key_mac(k), 0xfedcba987654);
    assert_true(fdb_key(0, 0) != 0);
    assert_true(fdb_key(1, 0) != fdb_key(0, 1));
}

static void learns_and_finds(void **state)
{
    struct world *w = world((struct fdb_config){0});
    uint64_t k = fdb_key(7, 0x020000000001), other = fdb_key(8, 0x020000000001);
    struct fdb_value v;

    (void)state;
    assert_int_equal(port_of(w, k), -1);
    assert_int_equal(learn(w, k, 3), FDB_NEW);
    assert_int_equal(port_of(w, k), 3);
    assert_int_equal(port_of(w, other), -1);
    assert_int_equal(learn(w, k, 3), FDB_KNOWN);
    assert_int_equal(count(w, 3), 1);
    assert_int_equal(fdb_learn(w->f, &w->t, k, 4, &v), FDB_MOVED);
    assert_int_equal(v.port, 3);
    assert_int_equal(port_of(w, k), 4);
    assert_int_equal(count(w, 3), 0);
    assert_int_equal(count(w, 4), 1);
    assert_int_equal(fdb_del(w->f, &w->t, k, &v), 0);
    assert_int_equal(v.port, 4);
    assert_int_equal(port_of(w, k), -1);
    assert_int_equal(count(w, 4), 0);
    assert_int_equal(fdb_del(w->f, &w->t, k, NULL), -ENOENT);
    assert_int_equal(learn(w, k, 5), FDB_NEW);
    assert_int_equal(stats(w).entries, 1);
    assert_int_equal(stats(w).learned, 2);
    assert_int_equal(stats(w).moved, 1);
    end(w);
}

static void batch_says_the_same(void **state)
{
    struct world *w = world((struct fdb_config){0});
    uint64_t k[150], found[150];

    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        k[i] = key(i);
        if (i % 3)
            assert_int_equal(learn(w, k[i], (uint16_t)i), FDB_NEW);
    }
    w->gens[100]++;
    fdb_prefetch(w->f, k, 150);
    fdb_lookup_batch(w->f, &w->t, k, found, 150);
    for (unsigned i = 0; i < 150; i++) {
        if (i % 3 == 0 || i == 100)
            assert_int_equal(found[i], 0);
        else
            assert_int_equal(fdb_unpack(found[i]).port, i);
    }
    end(w);
}

/* ---- generations ---- */

static void flushes(void **state)
{
    /* how many keys are displaced is for the hash to say */
    struct world *w = world((struct fdb_config){.hash_seed = 1});

    (void)state;
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(learn(w, key(i), 1 + i % 2), FDB_NEW);
    w->gens[1]++;
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(port_of(w, key(i)), i % 2 ? 2 : -1);
    assert_int_equal(fdb_del(w->f, &w->t, key(0), NULL), -ENOENT);
    assert_int_equal(learn(w, key(0), 1), FDB_NEW);
    assert_int_equal(count(w, 1), 1);
    assert_int_equal(settle(w), 149);
    assert_int_equal(w->gone, 149);
    assert_int_equal(stats(w).entries, 151);
    assert_true(stats(w).dead <= 8); /* those before a displaced key stay */
    assert_int_equal(count(w, 2), 150);
    end(w);
}

static void late_learn_is_born_stale(void **state)
{
    struct world *w = world((struct fdb_config){0});
    uint16_t *before = calloc(FDB_PORTS, sizeof(*before));
    struct fdb_now late = {before, 1000, 3000};
    struct fdb_value old;

    (void)state;
    assert_non_null(before);
    w->gens[1]++; /* a worker still has the view with generation 0 */
    assert_int_equal(fdb_learn(w->f, &late, key(1), 1, &old), FDB_NEW);
    assert_int_equal(port_of(w, key(1)), -1);
    assert_int_equal(count(w, 1), 0);
    assert_int_equal(learn(w, key(1), 1), FDB_NEW);
    assert_int_equal(port_of(w, key(1)), 1);
    /* Now the new generation is counted: an older one adds nothing. */
    assert_int_equal(fdb_learn(w->f, &late, key(2), 1, &old), FDB_BUSY);
    assert_int_equal(count(w, 1), 1);
    free(before);
    end(w);
}

static void flush_frees_limit_at_once(void **state)
{
    struct world *w = world((struct fdb_config){.limit = 100});

    (void)state;
    fdb_set_active_ports(w->f, 2);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    assert_int_equal(learn(w, key(200), 2), FDB_FULL);
    w->gens[1]++;
    assert_int_equal(learn(w, key(201), 1), FDB_NEW);
    for (uint64_t i = 202; i < 250; i++)
        assert_int_equal(learn(w, key(i), 2), FDB_NEW);
    assert_int_equal(count(w, 1), 1);
    assert_int_equal(count(w, 2), 48);
    end(w);
}

static void purge_frees_generations(void **state)
{
    struct world *w = world((struct fdb_config){.gen_max = 15});

    (void)state;
    for (unsigned n = 0; n < 100; n++) {
        assert_int_equal(learn(w, key(n), 1), FDB_NEW);
        w->gens[1] = (w->gens[1] + 1) % 16;
        fdb_port_purge(w->f, 1, false);
        assert_false(fdb_port_purged(w->f, 1));
        settle(w);
        assert_true(fdb_port_purged(w->f, 1));
    }
    assert_int_equal(stats(w).entries, 0);
    end(w);
}

/* ---- ageing ---- */

static void ages(void **state)
{
    struct world *w = world((struct fdb_config){0});

    (void)state;
    for (uint64_t i = 0; i < 2; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    w->t.now += 3000;
    assert_int_equal(port_of(w, key(0)), 1);
    assert_int_equal(learn(w, key(1), 1), FDB_KNOWN); /* seen again */
    w->t.now += 1;
    assert_int_equal(port_of(w, key(0)), -1);
    assert_int_equal(fdb_del(w->f, &w->t, key(0), NULL), -ENOENT);
    assert_int_equal(port_of(w, key(1)), 1);
    assert_int_equal(settle(w), 1);
    assert_int_equal(stats(w).expired, 1);
    assert_int_equal(count(w, 1), 1);
    w->t.now += 3000;
    assert_int_equal(learn(w, key(1), 2), FDB_NEW); /* expired: no move */
    assert_int_equal(count(w, 1), 0);
    assert_int_equal(count(w, 2), 1);
    end(w);
}

static void never_ages_over_wraps(void **state)
{
    struct world *w = world((struct fdb_config){0});

    (void)state;
    w->t.ageing = 0;
    assert_int_equal(learn(w, key(1), 1), FDB_NEW);
    for (unsigned i = 0; i < 3000; i++) { /* 900000 units: 13 wraps */
        w->t.now += 300;
        step(w, 4096);
        assert_int_equal(port_of(w, key(1)), 1);
    }
    w->t.ageing = FDB_AGEING_MAX - 1;
    assert_int_equal(port_of(w, key(1)), -1);
    end(w);
}

static void longest_ageing(void **state)
{
    struct world *w = world((struct fdb_config){0});

    (void)state;
    w->t.ageing = FDB_AGEING_MAX;
    assert_int_equal(learn(w, key(1), 1), FDB_NEW);
    for (unsigned i = 0; i < 200; i++, w->t.now += 300) {
        step(w, 4096);
        assert_int_equal(port_of(w, key(1)), 1);
    }
    w->t.now += 1;
    assert_int_equal(port_of(w, key(1)), -1);
    step(w, 4096);
    assert_int_equal(stats(w).entries, 0);
    end(w);
}

static void clocks_may_differ(void **state)
{
    struct world *w = world((struct fdb_config){0});

    (void)state;
    assert_int_equal(learn(w, key(1), 1), FDB_NEW);
    w->t.now -= 50; /* another thread's clock is behind */
    assert_int_equal(port_of(w, key(1)), 1);
    assert_int_equal(settle(w), 0);
    end(w);
}

/* ---- static, local, sticky, extern ---- */

static void statics_stay(void **state)
{
    struct world *w = world((struct fdb_config){0});
    struct fdb_value v;

    (void)state;
    assert_int_equal(set(w, key(1), 1, FDB_STATIC), 0);
    assert_int_equal(set(w, key(2), 0, FDB_LOCAL), 0);
    assert_int_equal(count(w, 1), 0);
    assert_int_equal(stats(w).statics, 2);
    assert_int_equal(fdb_learn(w->f, &w->t, key(1), 2, &v), FDB_PINNED);
    assert_int_equal(v.port, 1);
    assert_int_equal(v.flags, FDB_STATIC);
    assert_int_equal(v.hint, 77);
    assert_int_equal(learn(w, key(2), 2), FDB_PINNED);
    assert_int_equal(learn(w, key(1), 1), FDB_KNOWN);
    w->gens[0]++;
    w->gens[1]++;
    for (unsigned i = 0; i < 1000; i++, w->t.now += 300)
        step(w, 4096);
    assert_int_equal(port_of(w, key(1)), 1);
    assert_int_equal(port_of(w, key(2)), 0);
    assert_int_equal(set(w, key(1), 3, FDB_STATIC), 0);
    assert_int_equal(port_of(w, key(1)), 3);
    assert_int_equal(set(w, key(1), 3, 0), 0); /* dynamic from now on */
    assert_int_equal(stats(w).statics, 1);
    assert_int_equal(count(w, 3), 1);
    assert_int_equal(learn(w, key(1), 4), FDB_MOVED);
    assert_int_equal(set(w, key(1), 4, FDB_STATIC), 0);
    assert_int_equal(count(w, 4), 0);
    assert_int_equal(fdb_del(w->f, &w->t, key(1), NULL), 0);
    assert_int_equal(fdb_del(w->f, &w->t, key(2), NULL), 0);
    assert_int_equal(stats(w).statics, 0);
    assert_int_equal(stats(w).entries, 0);
    end(w);
}

static void sticky_and_extern(void **state)
{
    struct world *w = world((struct fdb_config){0});

    (void)state;
    assert_int_equal(set(w, key(1), 1, FDB_STICKY), 0);
    assert_int_equal(set(w, key(2), 1, FDB_EXTERN), 0);
    assert_int_equal(count(w, 1), 2);
    assert_int_equal(learn(w, key(1), 2), FDB_PINNED);
    w->t.now += 3001;
    assert_int_equal(port_of(w, key(1)), -1);
    assert_int_equal(port_of(w, key(2)), 1);
    assert_int_equal(learn(w, key(1), 2), FDB_NEW); /* it had aged */
    assert_int_equal(learn(w, key(2), 2), FDB_MOVED);
    w->t.now += 3001;
    assert_int_equal(port_of(w, key(2)), -1); /* ours since it moved */
    assert_int_equal(set(w, key(2), 1, FDB_EXTERN), 0);
    w->gens[1]++;
    assert_int_equal(port_of(w, key(2)), -1);
    end(w);
}

/* ---- limits ---- */

static void port_limit(void **state)
{
    struct world *w = world((struct fdb_config){0});
    unsigned replaced = 0;

    (void)state;
    fdb_set_port_limit(w->f, 1, 10);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(learn(w, key(1000 + i), 2), FDB_NEW);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    for (uint64_t i = 10; i < 400; i++) {
        enum fdb_learned r = learn(w, key(i), 1);

        assert_true(r == FDB_REPLACED || r == FDB_PORT_FULL);
        replaced += r == FDB_REPLACED;
        assert_true(count(w, 1) <= 10);
        step(w, 4096);
    }
    assert_true(replaced > 10);
    assert_int_equal(stats(w).replaced, replaced);
    assert_int_equal(count(w, 2), 50);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(port_of(w, key(1000 + i)), 2);
    /* A move to a full port replaces as well, and never exceeds. */
    (void)learn(w, key(1000), 1);
    assert_true(count(w, 1) <= 10);
    assert_int_equal(set(w, key(5000), 1, 0), 0); /* the owner may */
    end(w);
}

/* An uplink holds 60 %, a guest floods: it replaces its own. */
static void flood_keeps_to_its_share(void **state)
{
    struct world *w = world((struct fdb_config){.limit = 1000});

    (void)state;
    fdb_set_active_ports(w->f, 4);
    for (uint64_t i = 0; i < 600; i++) {
        while (learn(w, key(i), 1) == FDB_BUSY)
            step(w, 4096);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        (void)learn(w, key(10000 + i), 2);
        step_if_due(w);
        w->t.now += i % 100 == 0;
    }
    settle(w);
    assert_int_equal(count(w, 1), 600);
    for (uint64_t i = 0; i < 600; i++)
        assert_int_equal(port_of(w, key(i)), 1);
    assert_true(count(w, 2) <= 400 && count(w, 2) > 300);
    end(w);
}

/* One port has it all: housekeeping frees what another one is due. */
static void room_is_made(void **state)
{
    struct world *w = world((struct fdb_config){.limit = 1000});

    (void)state;
    fdb_set_active_ports(w->f, 2);
    for (uint64_t i = 0; i < 1000; i++) {
        while (learn(w, key(i), 1) == FDB_BUSY)
            step(w, 4096);
    }
    assert_int_equal(count(w, 1), 1000);
    assert_int_equal(learn(w, key(5000), 2), FDB_FULL);
    assert_true(fdb_pressed(w->f));
    assert_false(fdb_pressed(w->f)); /* once */
    for (uint64_t i = 0; i < 5000; i++) {
        (void)learn(w, key(5000 + i), 2);
        step(w, 4096);
    }
    assert_true(count(w, 2) >= 450);
    assert_true(count(w, 1) >= 500); /* not below its share */
    end(w);
}

/* ---- slots ---- */

static void slots_wait_for_grace(void **state)
{
    struct world *w = world((struct fdb_config){.slots = 256});
    struct fdb_step s = {0};
    uint64_t want = 0;

    (void)state;
    for (uint64_t i = 0; i < 90; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    for (uint64_t i = 0; i < 90; i++)
        assert_int_equal(fdb_del(w->f, &w->t, key(i), NULL), 0);
    assert_int_equal(stats(w).dead, 90);
    for (unsigned i = 0; i < 50; i++) { /* no grace period comes */
        s = fdb_step(w->f, &w->t, 4096, 0);
        assert_true(s.want_grace != 0);
        assert_true(want == 0 || s.want_grace == want);
        want = s.want_grace;
    }
    assert_int_equal(stats(w).dead, 90);
    (void)fdb_step(w->f, &w->t, 4096, want);
    (void)fdb_step(w->f, &w->t, 4096, want);
    assert_int_equal(stats(w).dead, 0);
    end(w);
}

static void collisions(void **state)
{
    struct world *w = world((struct fdb_config){.hash_mask = 1});
    unsigned refused = 0;

    (void)state;
    for (uint64_t i = 0; i < 120; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    for (uint64_t i = 0; i < 120; i += 2)
        assert_int_equal(fdb_del(w->f, &w->t, key(i), NULL), 0);
    settle(w);
    for (uint64_t i = 0; i < 120; i++)
        assert_int_equal(port_of(w, key(i)), i % 2 ? 1 : -1);
    for (uint64_t i = 0; i < 300; i++) {
        enum fdb_learned r = learn(w, key(i), 1);

        assert_true(r == FDB_KNOWN || r == FDB_NEW || r == FDB_BUSY);
        refused += r == FDB_BUSY;
        assert_int_equal(port_of(w, key(i)), r == FDB_BUSY ? -1 : 1);
    }
    assert_true(refused > 100); /* the search is bounded */
    end(w);
}

static void purges_port(void **state)
{
    struct world *w = world((struct fdb_config){0});
    struct fdb_step s;

    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(learn(w, key(i), 1 + i % 2), FDB_NEW);
    assert_int_equal(set(w, key(300), 1, FDB_STATIC), 0);
    assert_int_equal(set(w, key(301), 2, FDB_STATIC), 0);
    fdb_port_purge(w->f, 1, false);
    s = fdb_step(w->f, &w->t, 1 << 20, 0);
    assert_true(s.want_grace != 0);
    (void)fdb_step(w->f, &w->t, 1 << 20, 0);
    assert_false(fdb_port_purged(w->f, 1)); /* no grace period yet */
    assert_int_equal(count(w, 1), 100);
    w->asked = s.want_grace;
    settle(w);
    assert_true(fdb_port_purged(w->f, 1));
    assert_int_equal(count(w, 1), 0);
    assert_int_equal(port_of(w, key(300)), 1);
    fdb_port_purge(w->f, 1, true);
    settle(w);
    assert_int_equal(port_of(w, key(300)), -1);
    assert_int_equal(port_of(w, key(301)), 2);
    assert_int_equal(count(w, 2), 100);
    assert_int_equal(stats(w).statics, 1);
    end(w);
}

/* ---- walk ---- */

static unsigned walk_all(struct world *w, unsigned max, unsigned budget)
{
    struct fdb_walk at = {0};
    struct fdb_entry e[64];
    unsigned n = 0;

    while (!at.done) {
        unsigned got = fdb_walk(w->f, &w->t, &at, e, max, budget);

        assert_true(got <= max);
        for (unsigned i = 0; i < got; i++)
            assert_int_equal(port_of(w, e[i].key), e[i].value.port);
        n += got;
    }
    return n;
}

static void walks(void **state)
{
    struct world *w = world((struct fdb_config){0});

    (void)state;
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(learn(w, key(i), 1 + i % 3), FDB_NEW);
    assert_int_equal(walk_all(w, 64, 10000), 300);
    assert_int_equal(walk_all(w, 1, 1), 300);
    assert_int_equal(walk_all(w, 7, 50), 300);
    w->gens[1]++;
    assert_int_equal(walk_all(w, 64, 100), 200);
    end(w);
}

/* ---- resizing ---- */

static void grows_to_a_million(void **state)
{
    struct world *w = world((struct fdb_config){0});
    struct fdb_walk at = {0};
    struct fdb_entry e[64];
    size_t peak = 0;
    unsigned n = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000000; i++) {
        while (learn(w, key(i), 1) != FDB_NEW)
            step(w, 4096);
        step_if_due(w);
        peak = stats(w).memory > peak ? stats(w).memory : peak;
    }
    settle(w);
    assert_int_equal(stats(w).entries, 1000000);
    assert_int_equal(stats(w).slots, 1 << 21);
    assert_true(stats(w).memory <= 40000000);
    assert_true(peak <= 64000000);
    for (uint64_t i = 0; i < 1000000; i++)
        assert_int_equal(port_of(w, key(i)), 1);
    while (!at.done)
        n += fdb_walk(w->f, &w->t, &at, e, 64, 4096);
    assert_int_equal(n, 1000000);

    /* And back, when it has been nearly empty for a minute. */
    w->gens[1]++;
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    settle(w);
    assert_int_equal(stats(w).slots, 1 << 21);
    for (unsigned i = 0; i < 10; i++, w->t.now += 100)
        settle(w);
    assert_int_equal(stats(w).slots, 1024);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(port_of(w, key(i)), 1);
    assert_int_equal(stats(w).entries, 100);
    end(w);
}

/* Steps with a small budget until entries are being copied. */
static void step_into_copy(struct world *w)
{
    struct fdb_step s;

    do
        s = step(w, 8);
    while (s.wait || learn(w, key(999999), 1) != FDB_BUSY);
    step(w, 64);
    step(w, 64);
    assert_int_equal(stats(w).resizes, 0);
}

static void changes_while_resizing(void **state)
{
    struct world *w = world((struct fdb_config){.slots = 4096});

    (void)state;
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(learn(w, key(i), 1), FDB_NEW);
    step_into_copy(w);
    assert_int_equal(learn(w, key(1), 1), FDB_KNOWN);
    assert_int_equal(learn(w, key(1), 2), FDB_BUSY);
    assert_int_equal(learn(w, key(5000), 1), FDB_BUSY);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(set(w, key(6000 + i), 3, FDB_STATIC), 0);
        assert_int_equal(fdb_del(w->f, &w->t, key(i), NULL), 0);
        assert_int_equal(set(w, key(200 + i), 4, 0), 0);
    }
    assert_int_equal(stats(w).resizes, 0);
    settle(w);
    assert_int_equal(stats(w).resizes, 1);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(port_of(w, key(6000 + i)), 3);
        assert_int_equal(port_of(w, key(i)), -1);
        assert_int_equal(port_of(w, key(200 + i)), 4);
    }
    assert_int_equal(count(w, 1), 1800);
    assert_int_equal(count(w, 4), 100);
    assert_int_equal(walk_all(w, 64, 1000), 2000);
    assert_int_equal(learn(w, key(5000), 1), FDB_NEW);
    end(w);
}

static void many_statics(void **state)
{
    struct world *w = world((struct fdb_config){.limit = 10});

    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        while (set(w, key(i), 1, FDB_STATIC) == -ENOSPC)
            step(w, 4096);
    }
    for (uint64_t i = 0; i < 20000; i++)
        assert_int_equal(port_of(w, key(i)), 1);
    assert_int_equal(stats(w).statics, 20000);
    end(w);
}

/* ---- against a model, at random ---- */

#define MODEL_KEYS 700

struct model {
    bool there[MODEL_KEYS];
    uint16_t port[MODEL_KEYS];
    uint16_t gen[MODEL_KEYS];
    uint8_t flags[MODEL_KEYS];
};

static uint64_t rnd_state;

static unsigned rnd(unsigned n)
{
    rnd_state = rnd_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(rnd_state >> 33) % n;
}

static int model_port(const struct world *w, const struct model *m, unsigned i)
{
    if (!m->there[i])
        return -1;
    if (!m->flags[i] && m->gen[i] != w->gens[m->port[i]])
        return -1;
    return m->port[i];
}

static void model_put(struct world *w, struct model *m, unsigned i,
                      uint16_t port, uint8_t flags)
{
    m->there[i] = true;
    m->port[i] = port;
    m->gen[i] = w->gens[port];
    m->flags[i] = flags;
}

static void model_learn(struct world *w, struct model *m, unsigned i,
                        uint16_t port)
{
    int was = model_port(w, m, i);
    enum fdb_learned r = learn(w, key(i), port);

    if (r == FDB_BUSY)
        return;
    if (was == port)
        assert_int_equal(r, FDB_KNOWN);
    else if (was >= 0 && m->flags[i])
        assert_int_equal(r, FDB_PINNED);
    else
        assert_int_equal(r, was < 0 ? FDB_NEW : FDB_MOVED);
    if (r == FDB_NEW || r == FDB_MOVED)
        model_put(w, m, i, port, 0);
}

static void model_change(struct world *w, struct model *m)
{
    unsigned i = rnd(MODEL_KEYS), what = rnd(1000);
    uint16_t port = (uint16_t)(1 + rnd(5));

    if (what < 700) {
        model_learn(w, m, i, port);
    } else if (what < 800) {
        int r = fdb_del(w->f, &w->t, key(i), NULL);

        assert_int_equal(r, model_port(w, m, i) < 0 ? -ENOENT : 0);
        m->there[i] = false;
    } else if (what < 850) {
        uint8_t flags = rnd(2) ? FDB_STATIC : 0;

        if (set(w, key(i), port, flags) == 0)
            model_put(w, m, i, port, flags);
    } else if (what < 990) {
        (void)step(w, 1 + rnd(64));
    } else {
        w->gens[port]++;
    }
}

static void agrees_with_a_model(void **state)
{
    struct world *w = world((struct fdb_config){.slots = 256});
    struct model *m = calloc(1, sizeof(*m));
    const char *given = getenv("BASCULE_TEST_SEED");
    struct timespec ts;
    unsigned live = 0;

    (void)state;
    assert_non_null(m);
    clock_gettime(CLOCK_REALTIME, &ts);
    rnd_state = (uint64_t)ts.tv_nsec << 20 ^ (uint64_t)ts.tv_sec;
    if (given)
        rnd_state = strtoull(given, NULL, 0);
    print_message("seed %#llx\n", (unsigned long long)rnd_state);
    for (unsigned n = 0; n < 300000; n++) {
        unsigned i = rnd(MODEL_KEYS);

        model_change(w, m);
        assert_int_equal(port_of(w, key(i)), model_port(w, m, i));
    }
    settle(w);
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        assert_int_equal(port_of(w, key(i)), model_port(w, m, i));
        live += model_port(w, m, i) >= 0;
    }
    assert_int_equal(stats(w).entries, live);
    assert_true(stats(w).resizes > 0);
    free(m);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_keys),
        cmocka_unit_test(learns_and_finds),
        cmocka_unit_test(batch_says_the_same),
        cmocka_unit_test(flushes),
        cmocka_unit_test(late_learn_is_born_stale),
        cmocka_unit_test(flush_frees_limit_at_once),
        cmocka_unit_test(purge_frees_generations),
        cmocka_unit_test(ages),
        cmocka_unit_test(never_ages_over_wraps),
        cmocka_unit_test(longest_ageing),
        cmocka_unit_test(clocks_may_differ),
        cmocka_unit_test(statics_stay),
        cmocka_unit_test(sticky_and_extern),
        cmocka_unit_test(port_limit),
        cmocka_unit_test(flood_keeps_to_its_share),
        cmocka_unit_test(room_is_made),
        cmocka_unit_test(slots_wait_for_grace),
        cmocka_unit_test(collisions),
        cmocka_unit_test(purges_port),
        cmocka_unit_test(walks),
        cmocka_unit_test(grows_to_a_million),
        cmocka_unit_test(changes_while_resizing),
        cmocka_unit_test(many_statics),
        cmocka_unit_test(agrees_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
