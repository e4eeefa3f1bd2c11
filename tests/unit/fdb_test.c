/* SPDX-License-Identifier: BSD-2-Clause */
/* The forwarding database, one thread: contract of fdb/fdb.h. */
#include "fdb/fdb.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct fdb *f;
    uint16_t gens[FDB_PORTS];
    struct fdb_now t;
    uint64_t grace, asked;
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
    return s;
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
    assert_int_equal(fdb_learn(w->f, &w->t, k, 4, &v), FDB_MOVED);
    assert_int_equal(v.port, 3);
    assert_int_equal(port_of(w, k), 4);
    assert_int_equal(fdb_del(w->f, &w->t, k, &v), 0);
    assert_int_equal(v.port, 4);
    assert_int_equal(port_of(w, k), -1);
    assert_int_equal(fdb_del(w->f, &w->t, k, NULL), -ENOENT);
    end(w);
}

static void grows_to_a_million(void **state)
{
    struct world *w = world((struct fdb_config){0});
    struct fdb_stats s;

    (void)state;
    for (uint64_t i = 0; i < 1000000; i++) {
        while (learn(w, fdb_key(1, i), 1) != FDB_NEW)
            step(w, 4096);
        if (fdb_pressed(w->f))
            step(w, 4096);
    }
    settle(w);
    fdb_stats(w->f, &s);
    assert_int_equal(s.entries, 1000000);
    assert_int_equal(s.slots, 1 << 21);
    assert_true(s.memory <= 40000000);
    for (uint64_t i = 0; i < 1000000; i++)
        assert_int_equal(port_of(w, fdb_key(1, i)), 1);
    end(w);
}

static void flushes(void **state)
{
    struct world *w = world((struct fdb_config){0});
    struct fdb_stats s;

    (void)state;
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(learn(w, fdb_key(1, i), 1 + i % 2), FDB_NEW);
    w->gens[1]++;
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(port_of(w, fdb_key(1, i)), i % 2 ? 2 : -1);
    assert_int_equal(settle(w), 150);
    assert_int_equal(w->gone, 150);
    fdb_stats(w->f, &s);
    assert_int_equal(s.entries, 150);
    assert_int_equal(s.dead, 0);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_finds),
        cmocka_unit_test(flushes),
        cmocka_unit_test(grows_to_a_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
