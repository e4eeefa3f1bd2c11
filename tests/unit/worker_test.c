/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers: order, several at once, sleep when there is nothing to do; and
 * what they tell an observer.
 */
#include "tests/lib/rig.h"

#include "base/clock.h"
#include "ports/mem.h"
#include "switch/bridge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define A   0x020000000001ULL
#define B   0x020000000002ULL
#define C   0x020000000003ULL
#define ALL 0xffffffffffffULL

static struct rig r;

static int one_worker(void **state)
{
    (void)state;
    rig_up(&r, 1);
    return 0;
}

static int two_workers(void **state)
{
    (void)state;
    rig_up(&r, 2);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_balance(&r);
    rig_down(&r);
    return 0;
}

/* ---- order ---- */

/*
 * Frames of one queue leave each port in the order they came: known, unknown
 * and group addresses mixed, so many that lists and turns run over.
 */
static void order_is_kept(void **state)
{
    static const uint64_t dst[] = {B, ALL, 0x02ff00000000ULL, C};
    enum { N = 3000 };
    char name[32];
    int64_t last[60];

    (void)state;
    assert_int_equal(rig_add(&r, "mem:in"), 0);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "mem:o%u,collect=8192", i);
        assert_int_equal(rig_add(&r, name), 0);
        last[i] = -1;
    }
    rig_send(&r, "o0", A, B, 60, 0);
    rig_send(&r, "o1", A, C, 60, 0);
    rig_settle(&r);
    (void)rig_count(&r, "in");
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "o%u", i);
        (void)rig_count(&r, name);
    }
    for (uint32_t i = 0; i < N; i++)
        rig_send(&r, "in", dst[i % 4], A, 60, i);
    rig_settle(&r);
    for (unsigned i = 0; i < 60; i++) {
        unsigned want = i < 2 ? N / 4 * 3 : N / 2, n = 0;
        int64_t mark;

        snprintf(name, sizeof(name), "o%u", i);
        while ((mark = rig_got(&r, name)) >= 0) {
            assert_true(mark > last[i]);
            last[i] = mark;
            n++;
        }
        assert_int_equal(n, want);
    }
}

/* ---- two at once ---- */

static void two_workers_at_once(void **state)
{
    enum { N = 30000 };

    (void)state;
    assert_int_equal(rig_add(&r, "mem:a,collect=65536"), 0);
    assert_int_equal(rig_add(&r, "mem:b,collect=65536"), 0);
    assert_int_equal(rig_add(&r, "mem:c,collect=65536"), 0);
    /* one after the other: of two new addresses at the very same moment one
     * may have to wait for its next frame */
    rig_send(&r, "a", ALL, A, 60, 0);
    rig_settle(&r);
    rig_send(&r, "b", ALL, B, 60, 0);
    rig_settle(&r);
    (void)rig_count(&r, "a");
    (void)rig_count(&r, "b");
    (void)rig_count(&r, "c");
    rig_send_n(&r, "a", B, A, 60, 1, N);
    rig_send_n(&r, "b", A, B, 60, 2, N);
    rig_settle(&r);
    assert_int_equal(rig_count(&r, "a"), N);
    assert_int_equal(rig_count(&r, "b"), N);
    assert_int_equal(rig_count(&r, "c"), 0);
    {
        struct sw_stats s;

        sw_stats(r.sw, &s);
        assert_int_equal(s.workers, 2);
        assert_true(s.worker[0].frames >= N);
        assert_true(s.worker[1].frames >= N);
    }
}

static void queues_of_one_port(void **state)
{
    enum { FLOWS = 64, N = 100 };

    (void)state;
    assert_int_equal(rig_add(&r, "mem:a,queues=4"), 0);
    assert_int_equal(rig_add(&r, "mem:b,collect=20000"), 0);
    for (unsigned i = 0; i < N; i++)
        for (unsigned k = 0; k < FLOWS; k++)
            rig_send(&r, "a", B, A + k * 256, 60, k << 16 | i);
    rig_settle(&r);
    {
        uint32_t next[FLOWS] = {0};
        int64_t mark;

        while ((mark = rig_got(&r, "b")) >= 0)
            assert_int_equal(mark & 0xffff, next[mark >> 16]++);
        for (unsigned k = 0; k < FLOWS; k++)
            assert_int_equal(next[k], N);
    }
}

/* Protocol frames have a queue of their own, read by the control thread. */
static void protocol_queue(void **state)
{
    struct sw_stats s;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:a,proto=on"), 0);
    assert_int_equal(rig_add(&r, "mem:b"), 0);
    rig_send_n(&r, "a", 0x0180c2000000ULL, A, 60, 1, 10);
    rig_send_n(&r, "a", 0x0180c200000eULL, A, 60, 2, 10);
    rig_settle(&r);
    assert_int_equal(rig_count(&r, "b"), 10);
    assert_int_equal(rig_reason(&r, "a", REASON_RESERVED_DROPPED), 10);
    sw_stats(r.sw, &s);
    assert_int_equal(s.worker[0].frames, 0);
}

/* ---- idle ---- */

static uint64_t wakeups(void)
{
    struct sw_stats s;

    sw_stats(r.sw, &s);
    return s.worker[0].wakeups + s.worker[0].turns + s.worker[0].spins;
}

static unsigned control_turns;

static void count_turn(struct ev_loop *loop, ev_check *w, int events)
{
    (void)loop;
    (void)w;
    (void)events;
    control_turns++;
}

static void time_over(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* After some traffic: workers sleep, the control thread nearly. */
static void idle_is_asleep(void **state)
{
    uint64_t before;
    ev_check check;
    ev_timer end;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:a"), 0);
    assert_int_equal(rig_add(&r, "mem:b"), 0);
    rig_send_n(&r, "a", ALL, A, 60, 0, 100);
    rig_settle(&r);
    rig_run(&r, 1.0); /* housekeeping comes to rest */
    before = wakeups();
    ev_check_init(&check, count_turn);
    ev_check_start(r.loop, &check);
    ev_timer_init(&end, time_over, 3., 0.);
    ev_timer_start(r.loop, &end);
    control_turns = 0;
    ev_run(r.loop, 0);
    ev_check_stop(r.loop, &check);
    assert_int_equal(wakeups(), before);
    assert_in_range(control_turns, 1, 7);
}

/* ---- observers ---- */

static struct {
    unsigned added, moved, lost_events, others;
    uint64_t lost;
    struct sw_event last_move;
} seen;

static void observer(void *arg, const struct sw_event *e)
{
    (void)arg;
    if (e->type == SW_EVENT_FDB_ADD) {
        seen.added++;
    } else if (e->type == SW_EVENT_FDB_MOVE) {
        seen.moved++;
        seen.last_move = *e;
    } else if (e->type == SW_EVENT_LOST) {
        seen.lost_events++;
        seen.lost += e->count;
    } else {
        seen.others++;
    }
}

static bool something_moved(void *arg)
{
    (void)arg;
    return seen.moved > 0;
}

static void a_move_is_told_by_name(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(rig_add(&r, "mem:a"), 0);
    assert_int_equal(rig_add(&r, "mem:b"), 0);
    sw_observe(r.sw, observer, NULL);
    rig_send(&r, "a", ALL, A, 60, 0);
    rig_settle(&r);
    rig_send(&r, "b", ALL, A, 60, 0);
    assert_true(rig_wait(&r, something_moved, NULL));
    assert_int_equal(seen.added, 1);
    assert_int_equal(seen.moved, 1);
    assert_string_equal(seen.last_move.bridge, "br0");
    assert_string_equal(seen.last_move.port, "b");
    assert_string_equal(seen.last_move.old_port, "a");
    assert_int_equal(fdb_key_mac(seen.last_move.key), A);
    assert_non_null(strstr(seen.last_move.text, "02:00:00:00:00:01"));
}

static bool all_told(void *arg)
{
    return seen.moved + seen.added + seen.lost >= *(uint64_t *)arg;
}

static bool all_received(void *arg)
{
    return rig_stats(&r, "a").rx_frames + rig_stats(&r, "b").rx_frames ==
           *(uint64_t *)arg;
}

static struct fdb_stats table_stats(void)
{
    struct bridge_info i;

    bridge_info(r.b, &i);
    return i.fdb;
}

/*
 * A hundred thousand moves: each is told or counted as lost, other traffic is
 * unharmed, and the control loop stays quick.  The queues are served a batch
 * at a time in turn, so that each of a batch's 64 addresses moves.
 */
static void a_storm_of_moves(void **state)
{
    enum { N = 51200, ADDRESSES = 64 };
    struct fdb_stats before, after;
    uint64_t total;
    struct sw_stats s;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(rig_add(&r, "mem:a,discard=on"), 0);
    assert_int_equal(rig_add(&r, "mem:b,discard=on"), 0);
    assert_int_equal(rig_add(&r, "mem:c,collect=4096"), 0);
    assert_int_equal(rig_add(&r, "mem:d"), 0);
    rig_send(&r, "c", ALL, C, 60, 0);
    rig_send(&r, "d", ALL, B, 60, 0);
    rig_settle(&r);
    (void)rig_count(&r, "c");
    before = table_stats();
    sw_observe(r.sw, observer, NULL);
    for (unsigned i = 0; i < N; i++) {
        rig_send(&r, "a", B, A + i % ADDRESSES * 256, 60, 0);
        rig_send(&r, "b", B, A + i % ADDRESSES * 256, 60, 0);
        if (i % 64 == 0)
            rig_send(&r, "d", C, B, 60, i);
        total = 2 * (i + 1);
        if (i % ADDRESSES == ADDRESSES - 1) /* so that each frame is a move */
            assert_true(rig_wait(&r, all_received, &total));
    }
    rig_run(&r, 0.002); /* the above was a long turn, and our own */
    sw_stats(r.sw, &s);
    total = 2 * N;
    assert_true(rig_wait(&r, all_received, &total));
    sw_stats(r.sw, &s);
    assert_true(s.loop_lag_max_ns < 50 * NSEC_PER_MSEC);
    rig_settle(&r);
    for (unsigned i = 0; i < N; i += 64)
        assert_int_equal(rig_got(&r, "c"), i);
    after = table_stats();
    total = after.moved - before.moved + after.learned - before.learned;
    assert_true(total > N);
    assert_true(rig_wait(&r, all_told, &total));
    rig_run(&r, 0.1);
    assert_int_equal(seen.moved + seen.added + seen.lost, total);
    assert_true(seen.moved > 0);
}

/* An observer that is slower than the switch hears that it has lost. */
static void losses_are_told(void **state)
{
    enum { N = 3 * RING_SLOTS };
    uint64_t total;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(rig_add(&r, "mem:a,edge=off"), 0);
    assert_int_equal(rig_add(&r, "mem:b,discard=on"), 0);
    sw_observe(r.sw, observer, NULL);
    for (unsigned i = 0; i < N; i++)
        rig_send(&r, "a", B, A + 256 * i, 60, 0);
    /* the control loop does not run: the ring is all there is */
    while (rig_stats(&r, "a").rx_frames < N)
        sched_yield();
    rcu_wait(); /* received, but learned only when that turn is over */
    total = table_stats().learned;
    assert_in_range(total, 1, N);
    assert_true(rig_wait(&r, all_told, &total));
    rig_run(&r, 0.1);
    assert_int_equal(seen.added + seen.lost, total);
    if (total > RING_SLOTS) {
        struct sw_stats s;

        assert_true(seen.lost_events > 0);
        sw_stats(r.sw, &s);
        assert_int_equal(s.events_lost, seen.lost);
    }
}

static void ring_alone(void **state)
{
    static struct ring ring;
    struct fdb_event e = {0};

    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < RING_SLOTS + 10; i++) {
            e.key = i;
            ring_push(&ring, &e);
        }
        for (unsigned i = 0; i < RING_SLOTS; i++) {
            assert_true(ring_pop(&ring, &e));
            assert_int_equal(e.key, i);
        }
        assert_false(ring_pop(&ring, &e));
        assert_int_equal(ring_lost(&ring), 10);
        assert_int_equal(ring_lost(&ring), 0);
    }
}

int main(void)
{
#define T1(f) cmocka_unit_test_setup_teardown(f, one_worker, down)
#define T2(f) cmocka_unit_test_setup_teardown(f, two_workers, down)
    const struct CMUnitTest tests[] = {
        T1(order_is_kept),
        T2(two_workers_at_once),
        T2(queues_of_one_port),
        T1(protocol_queue),
        T1(idle_is_asleep),
        T1(a_move_is_told_by_name),
        T1(a_storm_of_moves),
        T1(losses_are_told),
        cmocka_unit_test(ring_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
