/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two bridges and three workers; ports come, go, fail, come back, lose their
 * links and change their parameters at random while frames of all kinds pass
 * between them.  Every change is answered, every frame received is judged,
 * and the table holds nothing of ports that are gone.
 *
 *   churn_test [SEED]
 */
#include "tests/lib/rig.h"

#include "base/clock.h"
#include "ports/mem.h"
#include "switch/bridge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PORTS 12
#define TURNS 20000
#define ALL   0xffffffffffffULL

static struct rig r;
static struct bridge *bridge[2];
static uint64_t state;
static unsigned asked, answered;

static unsigned rnd(unsigned below)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(state >> 33) % below;
}

static void answer(void *arg, int rc, const struct err *e)
{
    (void)arg;
    (void)rc;
    (void)e;
    answered++;
}

static struct bport *any_port(struct bridge *b)
{
    char name[PORT_NAME_MAX];

    snprintf(name, sizeof(name), "%s%u", b == bridge[0] ? "a" : "b",
             rnd(PORTS));
    return bport_find(b, name);
}

static void add(struct bridge *b)
{
    static const char *const more[] = {
        "", ",queues=4", ",vnet=off", ",discard=on", ",proto=on", ",slow=3"};
    struct port_spec s;
    char text[64];
    struct err e;

    snprintf(text, sizeof(text), "mem:%s%u%s", b == bridge[0] ? "a" : "b",
             rnd(PORTS), more[rnd(6)]);
    assert_int_equal(port_spec_parse(&s, text, &e), 0);
    asked++;
    bport_add(b, &s, answer, NULL);
}

static uint64_t address(void)
{
    return 0x020000000000ULL + rnd(300);
}

static void inject(struct bport *p)
{
    uint64_t dst = rnd(4) ? address() : rnd(2) ? ALL : 0x0180c2000000ULL;
    uint8_t f[1500] = {0};
    struct mac d = mac_from_u64(dst), s = mac_from_u64(address());

    memcpy(f, d.octet, 6);
    memcpy(f + 6, s.octet, 6);
    (void)bport_mem_inject(p, f, 14 + rnd(1486), NULL, 1 + rnd(400));
}

static void change(struct bridge *b, struct bport *p)
{
    switch (rnd(8)) {
    case 0:
        asked++;
        bport_del(b, p->port->spec.name, answer, NULL);
        break;
    case 1:
        (void)bport_mem_fail_after(p, rnd(3) ? -1 : (int)rnd(50));
        break;
    case 2:
        if (p->life != LIFE_OPENING) /* its keys are being read */
            (void)mem_set_link(p->port, rnd(4));
        break;
    case 3:
        asked++;
        bport_set(p, BPORT_HAIRPIN + rnd(6), rnd(4) != 0, answer, NULL);
        break;
    case 4:
        asked++;
        bridge_fdb_set(b, fdb_key(0, address()), p, rnd(2) ? FDB_STATIC : 0,
                       answer, NULL);
        break;
    case 5:
        asked++;
        bridge_fdb_del(b, fdb_key(0, address()), answer, NULL);
        break;
    case 6:
        asked++;
        bridge_fdb_flush(b, rnd(2) ? p : NULL, answer, NULL);
        break;
    default:
        (void)bport_mem_fail_after(p, -1);
    }
}

static bool all_answered(void *arg)
{
    (void)arg;
    return answered == asked;
}

static void check_entries(struct bridge *b)
{
    struct fdb_walk w = {0};

    while (!w.done) {
        struct fdb_entry e[64];
        uint32_t age[64];
        unsigned n = bridge_fdb_walk(b, &w, e, age, 64, 4096);

        for (unsigned i = 0; i < n; i++)
            assert_non_null(b->port[e[i].value.port]);
    }
}

static void empty(struct bridge *b)
{
    struct bport *p;

    while ((p = bport_next(b, NULL))) {
        asked++;
        bport_del(b, p->port->spec.name, answer, NULL);
    }
    assert_true(rig_wait(&r, all_answered, NULL));
    assert_int_equal(b->n_ports, 0);
    assert_int_equal(b->purging, 0);
}

static void churn(void **unused)
{
    struct bridge_info i;

    (void)unused;
    rig_up(&r, 3);
    assert_int_equal(rig_add_bridge(&r, "br1"), 0);
    bridge[0] = r.b;
    bridge[1] = bridge_find(r.sw, "br1");
    for (unsigned n = 0; n < TURNS; n++) {
        struct bridge *b = bridge[rnd(2)];
        struct bport *p = any_port(b);

        if (!p)
            add(b);
        else if (rnd(3))
            inject(p);
        else
            change(b, p);
        if (n % 100 == 0)
            check_entries(b);
        if (n % 16 == 0)
            rig_run(&r, 0.0005);
        else
            ev_run(r.loop, EVRUN_NOWAIT);
    }
    assert_true(rig_wait(&r, all_answered, NULL));
    rig_settle(&r);
    for (unsigned k = 0; k < 2; k++) {
        check_entries(bridge[k]);
        r.b = bridge[k];
        rig_balance(&r);
        empty(bridge[k]);
        bridge_info(bridge[k], &i);
        assert_int_equal(i.fdb.entries, 0);
        assert_int_equal(i.fdb.statics, 0);
    }
    for (unsigned k = 0; k < r.sw->n_workers; k++)
        assert_int_equal(r.sw->worker[k]->queues, 0);
    rig_down(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(churn)};

    state = argc > 1 ? strtoull(argv[1], NULL, 0) : clock_now();
    printf("seed %llu\n", (unsigned long long)state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
