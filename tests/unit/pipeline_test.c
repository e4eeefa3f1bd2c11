/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pipeline alone: every verdict it can give, what it says would change,
 * and that saying so changes nothing.
 */
#include "switch/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL 0xffffffffffffULL

static struct {
    struct fdb *fdb;
    struct view_port *port[VIEW_PORTS];
    uint16_t gens[FDB_PORTS];
    struct view *view;
    struct scene scene;
    bool stp;
    uint8_t bytes[64];
    struct frame frame;
} t;

/* Station n is behind port n. */
static uint64_t mac(unsigned n)
{
    return 0x020000000000ULL + n;
}

static void add_port(uint16_t no)
{
    const struct view_port p = {
        .no = no,
        .forwarding = true,
        .learning = true,
        .flood = {no != BRIDGE_LOCAL, true, true, no != BRIDGE_LOCAL},
    };

    t.port[no] = view_port_new(&p);
    assert_non_null(t.port[no]);
}

static void put(uint64_t m, uint16_t port, uint8_t flags)
{
    struct fdb_value v = {.port = port, .flags = flags};

    assert_int_equal(fdb_set(t.fdb, &t.scene.now, fdb_key(0, m), &v), 0);
}

static int set_up(void **state)
{
    struct fdb_config c = {0};

    (void)state;
    memset(&t, 0, sizeof(t));
    rcu_thread_enter();
    t.fdb = fdb_new(&c);
    assert_non_null(t.fdb);
    t.scene.now = (struct fdb_now){.gens = t.gens, .now = 1000, .ageing = 3000};
    for (uint16_t i = 0; i < 4; i++)
        add_port(i);
    for (uint16_t i = 1; i < 4; i++)
        put(mac(i), i, 0);
    put(mac(0x99), BRIDGE_LOCAL, FDB_LOCAL | FDB_STATIC);
    put(mac(0x92), 2, FDB_LOCAL | FDB_STATIC);
    put(mac(0x71), 1, FDB_STATIC);
    put(mac(0x72), 2, FDB_STICKY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    view_free(t.view);
    for (unsigned i = 0; i < VIEW_PORTS; i++)
        if (t.port[i])
            view_port_put(t.port[i]);
    fdb_free(t.fdb);
    rcu_thread_leave();
    return 0;
}

/* What becomes of a frame that comes in at 'in' now? */
static struct fate explain_len(unsigned in, uint64_t dst, uint64_t src,
                               unsigned len)
{
    struct mac d = mac_from_u64(dst), s = mac_from_u64(src);
    struct fate f;
    bool up = t.view ? t.view->up : true;

    view_free(t.view);
    t.view = view_new((const struct view_port *const *)t.port, t.gens);
    assert_non_null(t.view);
    t.view->up = up;
    t.view->stp = t.stp;
    t.scene.view = t.view;
    t.scene.in = t.port[in];
    t.scene.fdb = t.fdb;
    memcpy(t.bytes, d.octet, 6);
    memcpy(t.bytes + 6, s.octet, 6);
    t.frame = (struct frame){.seg = {{t.bytes, len}}, .nseg = 1, .len = len};
    pipeline_explain(&t.scene, &t.frame, &f);
    return f;
}

static struct fate explain(unsigned in, uint64_t dst, uint64_t src)
{
    return explain_len(in, dst, src, 60);
}

static void assert_one(struct fate f, enum reason why, unsigned port)
{
    assert_int_equal(f.verdict, why);
    assert_int_equal(f.act, ACT_ONE);
    assert_ptr_equal(f.to, t.port[port]);
}

static void assert_drop(struct fate f, enum reason why)
{
    assert_int_equal(f.verdict, why);
    assert_int_equal(f.act, ACT_DROP);
    assert_false(f.learn);
}

/* Forwarded all the same, and nothing learned. */
static void assert_remark(struct fate f, enum reason what, unsigned to)
{
    assert_one(f, REASON_FORWARDED, to);
    assert_int_equal(f.note, what);
    assert_false(f.learn);
}

static void assert_flood(struct fate f, enum flood kind)
{
    assert_int_equal(f.verdict, REASON_FLOODED);
    assert_int_equal(f.act, ACT_FLOOD);
    assert_int_equal(f.flood, kind);
}

static void decisions(void **state)
{
    (void)state;
    assert_one(explain(1, mac(2), mac(1)), REASON_FORWARDED, 2);
    assert_one(explain(1, mac(0x99), mac(1)), REASON_LOCAL, 0);
    assert_one(explain(1, mac(0x92), mac(1)), REASON_LOCAL, 0);
    /* from the bridge itself, a port's own address is out of that port */
    assert_one(explain(0, mac(0x92), mac(0x99)), REASON_FORWARDED, 2);
    assert_flood(explain(1, mac(77), mac(1)), FLOOD_UNICAST);
    assert_flood(explain(1, ALL, mac(1)), FLOOD_BROADCAST);
    assert_flood(explain(1, 0x01005e000001ULL, mac(1)), FLOOD_MULTICAST);
    assert_flood(explain(0, ALL, mac(0x99)), FLOOD_FROM_LOCAL);
    assert_drop(explain(1, mac(1), mac(0x71)), REASON_SAME_PORT);
    t.port[2]->forwarding = false;
    assert_drop(explain(1, mac(2), mac(1)), REASON_EGRESS_STATE);
    assert_drop(explain(2, mac(1), mac(2)), REASON_PORT_STATE);
}

static void sources(void **state)
{
    (void)state;
    assert_drop(explain(1, mac(2), 0), REASON_BAD_SOURCE);
    assert_drop(explain(1, mac(2), ALL), REASON_BAD_SOURCE);
    assert_drop(explain(1, mac(2), 0x010000000000ULL), REASON_BAD_SOURCE);
    assert_remark(explain(1, mac(2), mac(0x99)), REASON_OWN_SOURCE, 2);
    assert_remark(explain(2, mac(1), mac(0x92)), REASON_OWN_SOURCE, 1);
    assert_remark(explain(2, mac(1), mac(0x71)), REASON_PINNED, 1);
    assert_remark(explain(1, mac(2), mac(0x72)), REASON_PINNED, 2);
    assert_one(explain(1, mac(2), mac(0x71)), REASON_FORWARDED, 2);
}

static void lengths(void **state)
{
    (void)state;
    for (unsigned len = 0; len < 14; len++)
        assert_drop(explain_len(1, mac(2), mac(1), len), REASON_PORT_RX_RUNT);
    assert_one(explain_len(1, mac(2), mac(1), 14), REASON_FORWARDED, 2);
}

/* When would the source be learned? */
static void what_is_learned(void **state)
{
    (void)state;
    assert_false(explain(1, mac(2), mac(1)).learn); /* known, just seen */
    t.scene.now.now++;
    assert_true(explain(1, mac(2), mac(1)).learn); /* its age changes */
    assert_true(explain(1, mac(2), mac(3)).learn); /* it moves */
    assert_true(explain(1, mac(2), mac(50)).learn);
    assert_false(explain(1, mac(2), mac(0x71)).learn); /* static */
    t.port[1]->learning = false;
    assert_false(explain(1, mac(2), mac(50)).learn);
    assert_false(explain(1, mac(2), mac(3)).learn);
}

static void a_down_bridge(void **state)
{
    (void)state;
    (void)explain(1, mac(2), mac(1));
    t.view->up = false;
    assert_drop(explain(1, mac(2), mac(1)), REASON_BRIDGE_DOWN);
}

#define GROUP 0x0180c2000000ULL /* the bridge group address */

static void bpdus(void **state)
{
    (void)state;
    t.port[1]->forwarding = false;
    assert_drop(explain(1, GROUP, mac(1)), REASON_PORT_STATE);
    t.port[1]->forwarding = true;
    assert_int_equal(explain(1, GROUP, mac(1)).act, ACT_FLOOD);
    t.port[1]->bpdu_filter = true;
    assert_drop(explain(1, GROUP, mac(1)), REASON_BPDU_FILTERED);
    /* taken in every state, and no other reserved address is */
    t.stp = true;
    for (int i = 0; i < 2; i++) {
        struct fate f = explain(1, GROUP, mac(1));

        assert_int_equal(f.act, ACT_BPDU);
        assert_int_equal(f.verdict, REASON_BPDU);
        assert_false(f.learn);
        assert_drop(explain(1, GROUP + 3, mac(1)), REASON_RESERVED_DROPPED);
        t.port[1]->forwarding = false;
        t.port[1]->bpdu_filter = false;
    }
    /* what the host sends is not for us */
    assert_int_equal(explain(0, GROUP, mac(0x99)).act, ACT_FLOOD);
}

static void state_learning(void **state)
{
    struct fate f;

    (void)state;
    t.port[1]->forwarding = false;
    t.port[1]->learns_only = true;
    f = explain(1, mac(2), mac(50));
    assert_int_equal(f.act, ACT_DROP);
    assert_int_equal(f.verdict, REASON_PORT_STATE);
    assert_true(f.learn);
    assert_drop(explain(1, mac(2), 0), REASON_BAD_SOURCE);
    assert_drop(explain(2, mac(1), mac(2)), REASON_EGRESS_STATE);
    t.port[1]->learns_only = false;
    assert_drop(explain(1, mac(2), mac(50)), REASON_PORT_STATE);
}

/* Frames from before the port was opened. */
static void late_frames(void **state)
{
    (void)state;
    t.stp = true;
    t.scene.late = true;
    assert_drop(explain(1, mac(2), mac(50)), REASON_PORT_STATE);
    assert_int_equal(explain(1, GROUP, mac(1)).act, ACT_BPDU);
    t.scene.late = false;
    assert_one(explain(1, mac(2), mac(50)), REASON_FORWARDED, 2);
}

static void explaining_changes_nothing(void **state)
{
    struct fdb_stats a, b;

    (void)state;
    fdb_stats(t.fdb, &a);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(explain(1, mac(77), mac(50)).learn);
        assert_true(explain(1, mac(2), mac(3)).learn);
    }
    fdb_stats(t.fdb, &b);
    assert_memory_equal(&a, &b, sizeof(a));
}

/* In a batch the source that repeats is learned once. */
static void batches(void **state)
{
    struct frame f[PIPELINE_BATCH];
    struct fate fate[PIPELINE_BATCH];
    uint8_t bytes[PIPELINE_BATCH][60] = {{0}};
    unsigned learned = 0;

    (void)state;
    (void)explain(1, mac(2), mac(1));
    for (unsigned i = 0; i < PIPELINE_BATCH; i++) {
        struct mac d = mac_from_u64(mac(i % 3 + 1));
        struct mac s = mac_from_u64(mac(100 + i / 16));

        memcpy(bytes[i], d.octet, 6);
        memcpy(bytes[i] + 6, s.octet, 6);
        f[i] = (struct frame){.seg = {{bytes[i], 60}}, .nseg = 1, .len = 60};
    }
    pipeline_ingress(&t.scene, f, fate, PIPELINE_BATCH);
    pipeline_decide(&t.scene, fate, PIPELINE_BATCH);
    for (unsigned i = 0; i < PIPELINE_BATCH; i++) {
        unsigned to = i % 3 + 1;

        learned += fate[i].learn;
        assert_int_equal(fate[i].verdict,
                         to == 1 ? REASON_SAME_PORT : REASON_FORWARDED);
        if (to != 1)
            assert_ptr_equal(fate[i].to, t.port[to]);
        assert_int_equal(fdb_key_mac(fate[i].src), mac(100 + i / 16));
    }
    /* a frame that goes nowhere teaches all the same */
    assert_int_equal(learned, PIPELINE_BATCH / 16);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(decisions),       T(sources),       T(lengths),
        T(what_is_learned), T(a_down_bridge), T(explaining_changes_nothing),
        T(batches),         T(bpdus),         T(state_learning),
        T(late_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
