/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports come, fail, come back and go, with traffic on; and a change is in
 * force when its callback comes.
 */
#include "tests/lib/rig.h"

#include "ports/mem.h"
#include "switch/bridge.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define A   0x020000000001ULL
#define B   0x020000000002ULL
#define ALL 0xffffffffffffULL

static struct rig r;

static int two_ports(void **state)
{
    (void)state;
    rig_up(&r, 2);
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    assert_int_equal(rig_add(&r, "mem:p2,collect=100000"), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_balance(&r);
    rig_down(&r);
    return 0;
}

static void send(const char *port, uint64_t dst, uint64_t src)
{
    rig_send(&r, port, dst, src, 60, 7);
    rig_settle(&r);
}

static struct bport_info info_of(const char *port)
{
    struct bport_info i;

    bport_info(rig_port(&r, port), &i);
    return i;
}

static bool has_failed(void *port)
{
    return info_of(port).failed;
}

static bool is_forwarding(void *port)
{
    return info_of(port).state == BPORT_FORWARDING;
}

static bool is_disabled(void *port)
{
    return info_of(port).state == BPORT_DISABLED;
}

static bool wait_port(bool (*cond)(void *), const char *port)
{
    char name[PORT_NAME_MAX];

    snprintf(name, sizeof(name), "%s", port);
    return rig_wait(&r, cond, name);
}

/* ---- names and numbers ---- */

static void refusals(void **state)
{
    (void)state;
    assert_int_equal(rig_add(&r, "mem:p1"), -EEXIST);
    assert_non_null(strstr(rig_error(), "p1"));
    assert_int_equal(rig_add(&r, "mem:br0"), -EEXIST);
    assert_int_equal(rig_add_bridge(&r, "br0"), -EEXIST);
    assert_int_equal(rig_add_bridge(&r, "p1"), -EEXIST);
    assert_int_equal(rig_add_bridge(&r, "a/b"), -EINVAL);
    assert_int_equal(rig_add_bridge(&r, "br1"), 0);
    assert_int_equal(rig_add_to(&r, bridge_find(r.sw, "br1"), "mem:p1"),
                     -EBUSY);
    assert_int_equal(rig_del(&r, "nobody"), -EINVAL);
    assert_true(rig_add(&r, "mem:p3,no=such") < 0);
    assert_true(rig_add(&r, "mem:p3,fail-open=on") < 0);
    assert_null(bport_find(r.b, "p3"));
    assert_int_equal(rig_add(&r, "mem:p3"), 0);
    assert_int_equal(info_of("p3").no, 3);
    assert_int_equal(rig_set(&r, "p3", BPORT_PRIORITY, 64), -ERANGE);
    assert_int_equal(rig_set(&r, "p3", BPORT_HAIRPIN, 2), -EINVAL);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_HELLO, 99), -ERANGE);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_STP, 2), -ERANGE);
    assert_int_equal(info_of("p3").param[BPORT_PRIORITY], 32);
}

static void lowest_number_is_reused(void **state)
{
    struct fdb_value v;
    uint32_t age;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p3"), 0);
    assert_int_equal(rig_fdb_set(&r, A, "p1", FDB_STATIC), 0);
    send("p1", ALL, B);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
    assert_int_equal(rig_del(&r, "p1"), 0);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_false(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
    assert_int_equal(rig_add(&r, "mem:p4"), 0);
    assert_int_equal(info_of("p4").no, 1);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_false(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
    assert_int_equal(rig_add(&r, "mem:p5"), 0);
    assert_int_equal(info_of("p5").no, 4);
}

/* ---- failing and coming back ---- */

static void fails_and_comes_back(void **state)
{
    (void)state;
    send("p1", ALL, A);
    assert_int_equal(bport_mem_fail_after(rig_port(&r, "p1"), 3), 0);
    for (unsigned i = 0; i < 5; i++)
        rig_send(&r, "p2", A, B, 60, i);
    assert_true(wait_port(has_failed, "p1"));
    assert_int_equal(info_of("p1").state, BPORT_DISABLED);
    assert_true(info_of("p1").why[0] != '\0');
    assert_int_equal(rig_count(&r, "p1"), 3);
    /* everything else goes on, and its addresses are forgotten */
    assert_int_equal(rig_add(&r, "mem:p3"), 0);
    send("p2", A, B);
    assert_int_equal(rig_count(&r, "p3"), 1);
    assert_int_equal(rig_count(&r, "p1"), 0);
    assert_int_equal(bport_mem_fail_after(rig_port(&r, "p1"), -1), 0);
    assert_true(wait_port(is_forwarding, "p1"));
    rig_settle(&r);
    send("p2", A, B);
    assert_int_equal(rig_count(&r, "p1"), 1);
    assert_int_equal(info_of("p1").why[0], '\0');
    assert_false(info_of("p1").failed);
}

/* A device that loses frames: its count starts with each open. */
static _Atomic unsigned lost;

static int open_losing(struct port *p, struct err *e)
{
    lost = 0;
    return port_kind_mem.ops->open(p, e);
}

static void close_losing(struct port *p)
{
    lost++; /* the last one, seen by nobody before */
    port_kind_mem.ops->close(p);
}

static void describe_losses(struct port *p, struct port_desc *d)
{
    (void)p;
    d->losses.n[PORT_REASON_TX_QUEUE_FULL] = lost;
}

static bool is_closed(void *p)
{
    return ((struct bport *)p)->life == LIFE_FAILED;
}

/* What the device lost is counted once, failed or not. */
static void losses_are_counted_once(void **state)
{
    static struct port_ops ops;
    const enum reason full = REASON_PORT_TX_QUEUE_FULL;
    struct bport *p = rig_port(&r, "p1");

    (void)state;
    ops = *port_kind_mem.ops;
    ops.open = open_losing;
    ops.close = close_losing;
    ops.describe = describe_losses;
    p->port->ops = &ops;
    lost = 5;
    assert_int_equal(rig_reason(&r, "p1", full), 5);
    assert_int_equal(bport_mem_fail_after(p, 0), 0);
    assert_true(rig_wait(&r, is_closed, p));
    assert_int_equal(rig_reason(&r, "p1", full), 6);
    assert_int_equal(bport_mem_fail_after(p, -1), 0);
    assert_true(wait_port(is_forwarding, "p1"));
    assert_int_equal(rig_reason(&r, "p1", full), 6);
    lost = 2;
    assert_int_equal(rig_reason(&r, "p1", full), 8);
}

static void failing_while_being_deleted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(rig_add(&r, "mem:x"), 0);
        (void)bport_mem_fail_after(rig_port(&r, "x"), i % 2);
        rig_send_n(&r, "p1", ALL, A, 60, 0, 10);
        assert_int_equal(rig_del(&r, "x"), 0);
        rig_settle(&r);
    }
    assert_int_equal(rig_add(&r, "mem:x"), 0);
    assert_int_equal(info_of("x").no, 3);
}

static void link_goes_and_returns(void **state)
{
    struct fdb_value v;
    uint32_t age;

    (void)state;
    send("p1", ALL, A);
    assert_int_equal(mem_set_link(rig_port(&r, "p1")->port, false), 0);
    assert_true(wait_port(is_disabled, "p1"));
    assert_string_equal(info_of("p1").why, "told to be down");
    assert_false(info_of("p1").failed);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    rig_settle(&r);
    send("p2", ALL, B);
    assert_int_equal(rig_reason(&r, "p2", REASON_NO_PORT), 1);
    assert_int_equal(mem_set_link(rig_port(&r, "p1")->port, true), 0);
    assert_true(wait_port(is_forwarding, "p1"));
    rig_settle(&r);
    (void)rig_count(&r, "p1");
    send("p2", ALL, B);
    assert_int_equal(rig_count(&r, "p1"), 1);
}

static bool a_is_forgotten(void *arg)
{
    struct fdb_value v;
    uint32_t age;

    (void)arg;
    return !bridge_fdb_get(r.b, fdb_key(0, A), &v, &age);
}

/* A cable that is moved: told of both at once, we forget what was behind. */
static void link_bounces(void **state)
{
    (void)state;
    send("p1", ALL, A);
    assert_false(a_is_forgotten(NULL));
    assert_int_equal(mem_set_link(rig_port(&r, "p1")->port, false), 0);
    assert_int_equal(mem_set_link(rig_port(&r, "p1")->port, true), 0);
    assert_true(rig_wait(&r, a_is_forgotten, NULL));
    assert_true(wait_port(is_forwarding, "p1"));
}

static void added(void *arg, int rc, const struct err *e)
{
    (void)arg;
    if (rc)
        fprintf(stderr, "adding x: %s\n", e->text);
    assert_true(rc == 0 || rc == -ECANCELED);
}

static bool is_running(void *p)
{
    return ((struct bport *)p)->life == LIFE_RUNNING;
}

/* Adds mem:x and stops as soon as it attaches; false if that went unseen. */
static bool caught_attaching(void)
{
    struct port_spec s;
    struct err e;
    struct bport *p;

    assert_int_equal(port_spec_parse(&s, "mem:x", &e), 0);
    bport_add(r.b, &s, added, NULL);
    for (unsigned i = 0; i < 10000; i++) {
        ev_run(r.loop, EVRUN_NOWAIT);
        p = rig_port(&r, "x");
        if (p && p->life >= LIFE_ATTACHING)
            return p->life == LIFE_ATTACHING;
        usleep(10);
    }
    fail_msg("x neither attaches nor is refused");
    return false;
}

/* The link goes down after the open has looked and before the port runs. */
static void link_goes_while_attaching(void **state)
{
    unsigned tries = 0;

    (void)state;
    while (!caught_attaching()) {
        assert_true(tries++ < 1000);
        assert_int_equal(rig_del(&r, "x"), 0);
    }
    assert_int_equal(mem_set_link(rig_port(&r, "x")->port, false), 0);
    assert_true(rig_wait(&r, is_running, rig_port(&r, "x")));
    rig_run(&r, 0.05);
    assert_false(info_of("x").link);
    assert_int_equal(info_of("x").state, BPORT_DISABLED);
}

/* ---- under traffic ---- */

static void deleted_under_traffic(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(rig_add(&r, "mem:x,discard=on"), 0);
        assert_int_equal(rig_add(&r, "mem:y,discard=on"), 0);
        rig_send_n(&r, "p1", ALL, A, 60, 0, 2000);
        rig_send_n(&r, "x", ALL, B, 60, 0, 2000);
        rig_send_n(&r, "y", A, B + i, 60, 0, 2000);
        assert_int_equal(rig_del(&r, "x"), 0);
        assert_int_equal(rig_del(&r, "y"), 0);
    }
    rig_settle(&r);
    assert_int_equal(rig_stats(&r, "p1").rx_frames, 100000);
}

static void bridge_deleted_under_traffic(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct bridge *b;

        assert_int_equal(rig_add_bridge(&r, "br1"), 0);
        b = bridge_find(r.sw, "br1");
        assert_int_equal(rig_add_to(&r, b, "mem:x,discard=on"), 0);
        assert_int_equal(rig_add_to(&r, b, "mem:y,discard=on"), 0);
        rig_send_n(&r, "x", ALL, A, 60, 0, 5000);
        rig_send_n(&r, "y", A, B, 60, 0, 5000);
        bridge_del(r.sw, "br1", false, NULL, NULL);
        assert_null(bridge_find(r.sw, "br1"));
        while (rig_add_bridge(&r, "br1") == -EEXIST)
            rig_run(&r, 0.001);
        bridge_del(r.sw, "br1", true, NULL, NULL);
        while (rig_add_bridge(&r, "br1") == -EEXIST)
            rig_run(&r, 0.001);
        bridge_del(r.sw, "br1", true, NULL, NULL);
        rig_run(&r, 0.01);
    }
}

/*
 * Frames sent after the callback of a change are judged by it, every one,
 * while a worker is busy with others.
 */
static void in_force_when_answered(void **state)
{
    uint64_t before;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:busy,discard=on"), 0);
    assert_int_equal(rig_add(&r, "mem:busy2,discard=on"), 0);
    for (unsigned i = 0; i < 200; i++) {
        rig_send_n(&r, "busy", ALL, B, 60, 1, 300);
        rig_send_n(&r, "busy2", ALL, B + 1, 60, 1, 300);
        assert_int_equal(rig_set(&r, "p2", BPORT_FLOOD_BCAST, 0), 0);
        while (rig_got(&r, "p2") >= 0)
            ;
        /* from here on nothing reaches p2 */
        before = rig_stats(&r, "p2").tx_frames;
        rig_send_n(&r, "busy", ALL, B, 60, 2, 20);
        rig_send_n(&r, "p1", ALL, A, 60, 3, 20);
        rig_settle(&r);
        assert_int_equal(rig_stats(&r, "p2").tx_frames, before);
        assert_int_equal(rig_set(&r, "p2", BPORT_FLOOD_BCAST, 1), 0);
        rig_send_n(&r, "p1", ALL, A, 60, 4, 5);
        rig_settle(&r);
        assert_int_equal(rig_stats(&r, "p2").tx_frames, before + 5);
    }
}

/* A reader in the middle of its turn. */
struct reader {
    pthread_t thread;
    sem_t in, go;
};

static void *read_slowly(void *arg)
{
    struct reader *w = arg;

    rcu_thread_enter();
    sem_post(&w->in);
    sem_wait(&w->go);
    rcu_thread_leave();
    return NULL;
}

static void note_answer(void *arg, int rc, const struct err *e)
{
    (void)e;
    assert_int_equal(rc, 0);
    *(bool *)arg = true;
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

/* No answer before the last forwarder has ended the turn it was in. */
static void answered_after_the_last_turn(void **state)
{
    bool answer = false, early, late;
    struct reader w;

    (void)state;
    sem_init(&w.in, 0, 0);
    sem_init(&w.go, 0, 0);
    assert_int_equal(pthread_create(&w.thread, NULL, read_slowly, &w), 0);
    sem_wait(&w.in);
    bport_set(rig_port(&r, "p1"), BPORT_HAIRPIN, 1, note_answer, &answer);
    rig_run(&r, 0.2);
    early = answer;
    sem_post(&w.go);
    late = rig_wait(&r, is_true, &answer);
    pthread_join(w.thread, NULL);
    sem_destroy(&w.in);
    sem_destroy(&w.go);
    assert_false(early);
    assert_true(late);
}

/* Deleted in the middle of being added: both callers hear. */
static int add_rc;

static void note_add(void *arg, int rc, const struct err *e)
{
    (void)e;
    add_rc = rc;
    *(bool *)arg = true;
}

static void deleted_while_being_added(void **state)
{
    struct port_spec s;
    struct err e;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        bool added = false, deleted = false;

        add_rc = 1;
        assert_int_equal(port_spec_parse(&s, "mem:x", &e), 0);
        bport_add(r.b, &s, note_add, &added);
        for (unsigned k = 0; k < i % 5; k++)
            ev_run(r.loop, EVRUN_NOWAIT);
        bport_del(r.b, "x", note_answer, &deleted);
        assert_true(rig_wait(&r, is_true, &deleted));
        assert_true(rig_wait(&r, is_true, &added));
        assert_true(add_rc == 0 || add_rc == -ECANCELED);
        assert_null(bport_find(r.b, "x"));
    }
}

/* A bridge whose only port has failed is deleted all the same. */
static void bridge_of_failed_ports(void **state)
{
    bool gone = false;
    struct bridge *b;

    (void)state;
    assert_int_equal(rig_add_bridge(&r, "br1"), 0);
    b = bridge_find(r.sw, "br1");
    assert_int_equal(rig_add_to(&r, b, "mem:x"), 0);
    (void)bport_mem_fail_after(rig_port(&r, "x"), 0);
    assert_true(wait_port(has_failed, "x"));
    rig_run(&r, 0.05);
    bridge_del(r.sw, "br1", false, note_answer, &gone);
    assert_true(rig_wait(&r, is_true, &gone));
    assert_int_equal(rig_add_bridge(&r, "br1"), 0);
}

/* One grace period serves many changes. */
static unsigned answers;

static void count_answer(void *arg, int rc, const struct err *e)
{
    (void)arg;
    (void)e;
    assert_int_equal(rc, 0);
    answers++;
}

static bool all_answered(void *arg)
{
    return answers == *(unsigned *)arg;
}

static void changes_share_a_grace_period(void **state)
{
    struct sw_stats before, after;
    unsigned want = 1000;

    (void)state;
    sw_stats(r.sw, &before);
    answers = 0;
    for (unsigned i = 0; i < want; i++)
        bport_set(rig_port(&r, "p1"), BPORT_HAIRPIN, i & 1, count_answer, NULL);
    assert_true(rig_wait(&r, all_answered, &want));
    sw_stats(r.sw, &after);
    assert_in_range(after.grace_periods - before.grace_periods, 1, 3);
}

/* Up to a minute: a thousand take four seconds of a processor under TSan, which
 * others want as well, and all answers come in the end. */
static bool wait_answers(unsigned want)
{
    for (unsigned i = 0; i < 6; i++)
        if (rig_wait(&r, all_answered, &want))
            return true;
    return false;
}

/* A thousand ports come at once and hear a broadcast. */
static void thousand_ports(void **state)
{
    unsigned want = 1000;
    struct sw_stats s;
    char name[40];

    (void)state;
    answers = 0;
    sw_stats(r.sw, &s);
    for (unsigned i = 0; i < want; i++) {
        struct port_spec spec;
        struct err e;

        snprintf(name, sizeof(name), "mem:t%u,collect=64", i);
        assert_int_equal(port_spec_parse(&spec, name, &e), 0);
        bport_add(r.b, &spec, count_answer, NULL);
    }
    assert_true(wait_answers(want));
    rig_send_n(&r, "p1", ALL, A, 60, 5, 50);
    rig_send_n(&r, "p1", ALL, A, 60, 6, 5);
    rig_settle(&r);
    for (unsigned i = 0; i < want; i++) {
        snprintf(name, sizeof(name), "t%u", i);
        for (unsigned k = 0; k < 50; k++)
            assert_int_equal(rig_got(&r, name), 5);
        for (unsigned k = 0; k < 5; k++)
            assert_int_equal(rig_got(&r, name), 6);
        assert_int_equal(rig_got(&r, name), -1);
    }
    assert_int_equal(rig_stats(&r, "p1").reason[REASON_FLOODED], 55);
    assert_int_equal(bport_next(r.b, NULL) != NULL, 1);
    for (unsigned i = 0; i < 21; i++) {
        snprintf(name, sizeof(name), "mem:u%u", i);
        assert_int_equal(rig_add(&r, name), 0);
    }
    assert_int_equal(rig_add(&r, "mem:onemore"), -EXFULL);
}

/* Who is told "forwarding" may send at once. */
static void forwarding_is_what_is_in_force(void **state)
{
    struct bport *p = rig_port(&r, "p1");

    (void)state;
    p->caps.link = false;
    bport_dirty(p);
    assert_int_equal(info_of("p1").state, BPORT_DISABLED);
    rig_settle(&r);
    p->caps.link = true;
    bport_dirty(p);
    assert_int_equal(info_of("p1").state, BPORT_DISABLED);
    assert_true(rig_wait(&r, is_forwarding, (void *)(uintptr_t) "p1"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, two_ports, down)
    const struct CMUnitTest tests[] = {
        T(refusals),
        T(lowest_number_is_reused),
        T(fails_and_comes_back),
        T(losses_are_counted_once),
        T(failing_while_being_deleted),
        T(link_goes_and_returns),
        T(link_bounces),
        T(link_goes_while_attaching),
        T(deleted_under_traffic),
        T(bridge_deleted_under_traffic),
        T(in_force_when_answered),
        T(forwarding_is_what_is_in_force),
        T(answered_after_the_last_turn),
        T(deleted_while_being_added),
        T(bridge_of_failed_ports),
        T(changes_share_a_grace_period),
        T(thousand_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
