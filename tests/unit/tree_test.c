/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree in the switch, on ports in memory whose far end plays the
 * neighbouring bridge.
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

#define A      0x020000000001ULL
#define B      0x020000000002ULL
#define ALL    0xffffffffffffULL
#define BETTER 0x1000020000000009ULL /* a bridge that wins against ours */

static struct rig r;

/* p1 and p2 have guests behind them, n1 and n2 a network. */
static int up(void **state)
{
    (void)state;
    rig_up(&r, 2);
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    assert_int_equal(rig_add(&r, "mem:p2"), 0);
    assert_int_equal(rig_add(&r, "mem:n1,edge=off"), 0);
    assert_int_equal(rig_add(&r, "mem:n2,edge=off"), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_balance(&r);
    rig_down(&r);
    return 0;
}

static void on(void)
{
    assert_int_equal(rig_bridge_set(&r, BRIDGE_STP, 1), 0);
}

static enum bport_state state_of(const char *port)
{
    struct bport_info i;

    bport_info(rig_port(&r, port), &i);
    return i.state;
}

struct awaited {
    const char *port;
    enum bport_state state;
};

static bool has_state(void *arg)
{
    const struct awaited *a = arg;

    return state_of(a->port) == a->state;
}

static void wait_state(const char *port, enum bport_state state)
{
    struct awaited a = {port, state};

    if (!rig_wait(&r, has_state, &a))
        fail_msg("%s is in state %d, not %d", port, state_of(port), state);
}

/* What a neighbour with 'root' for a root says, by its port 1. */
static struct bpdu word(uint64_t root, uint32_t cost, uint64_t bridge,
                        uint8_t flags)
{
    return (struct bpdu){
        .version = 2,
        .type = BPDU_RST,
        .flags = flags | BPDU_ROLE_DESIGNATED << BPDU_ROLE_SHIFT,
        .vector = {.root = root,
                   .cost = cost,
                   .bridge = bridge,
                   .port = 0x8001},
        .times = {.max_age = 20 * STP_SECOND,
                  .hello = 2 * STP_SECOND,
                  .forward_delay = 15 * STP_SECOND},
    };
}

static void hear(const char *port, const struct bpdu *b, unsigned copies)
{
    const struct mac src = {{2, 0, 0, 0, 0, 9}};
    uint8_t frame[BPDU_FRAME_LEN];

    bpdu_encode(b, &src, frame);
    assert_int_equal(bport_mem_inject(rig_port(&r, port), frame, sizeof(frame),
                                      NULL, copies),
                     0);
}

/* The next BPDU sent by the port, other frames passed over. */
static bool said(const char *port, struct bpdu *b)
{
    uint8_t f[128];
    int n;

    while ((n = bport_mem_collect(rig_port(&r, port), f, sizeof(f), NULL)) >= 0)
        if (n >= 14 && f[0] == 0x01 && f[1] == 0x80 && f[5] == 0)
            return bpdu_decode(b, f, (size_t)n) == BPDU_OK;
    return false;
}

struct speaker {
    const char *port;
    bool agreed;
};

static bool says_agreement(void *arg)
{
    struct speaker *s = arg;
    struct bpdu b;

    while (!s->agreed && said(s->port, &b))
        s->agreed = b.flags & BPDU_AGREEMENT;
    return s->agreed;
}

static void wait_agreement(const char *port)
{
    struct speaker s = {.port = port};

    assert_true(rig_wait(&r, says_agreement, &s));
}

/* An agreement to what the port said last. */
static void agree(const char *port)
{
    struct bpdu b, last = {0};

    while (said(port, &b))
        last = b;
    assert_int_equal(last.type, BPDU_RST);
    last.flags = BPDU_AGREEMENT | BPDU_ROLE_ROOT << BPDU_ROLE_SHIFT;
    last.vector.bridge = 0xf000020000000008ULL;
    last.vector.cost += 2;
    last.times.message_age += STP_SECOND;
    hear(port, &last, 1);
}

static bool passes(const char *from, const char *to)
{
    (void)rig_count(&r, to);
    rig_send(&r, from, ALL, A, 60, 42);
    rig_settle(&r);
    for (int64_t mark; (mark = rig_got(&r, to)) >= 0;)
        if (mark == 42)
            return true;
    return false;
}

/* ---- the tests ---- */

static void guests_go_on(void **state)
{
    struct bpdu b;

    (void)state;
    rig_send_n(&r, "p1", ALL, A, 60, 1, 1000);
    on();
    assert_int_equal(state_of("p1"), BPORT_FORWARDING);
    assert_true(passes("p1", "p2"));
    rig_settle(&r);
    assert_int_equal(rig_reason(&r, "p1", REASON_PORT_STATE), 0);
    assert_int_equal(rig_reason(&r, "p1", REASON_FLOODED), 1001);
    assert_true(said("p1", &b));
    assert_int_equal(b.type, BPDU_RST);
    /* ... and a new one forwards at once */
    assert_int_equal(rig_add(&r, "mem:p3"), 0);
    assert_int_equal(state_of("p3"), BPORT_FORWARDING);
    assert_true(passes("p3", "p1"));
}

static void networks_are_asked_first(void **state)
{
    struct bport_info i;

    (void)state;
    on();
    assert_int_equal(state_of("n1"), BPORT_LISTENING);
    bport_info(rig_port(&r, "n1"), &i);
    assert_non_null(strstr(i.why, "agreement"));
    assert_false(passes("n1", "p1"));
    assert_int_equal(rig_reason(&r, "n1", REASON_PORT_STATE), 1);
    assert_false(passes("p1", "n1"));
    assert_int_equal(rig_bridge_set(&r, BRIDGE_PRIORITY, 4096), 0);
    agree("n1");
    wait_state("n1", BPORT_FORWARDING);
    assert_true(passes("n1", "p1"));
    assert_true(passes("p1", "n1"));
}

static void bpdus_go_nowhere(void **state)
{
    struct bpdu b = word(BETTER, 0, BETTER, 0);
    uint8_t rubbish[60] = {0x01, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0x88};
    struct stp_port_info i;

    (void)state;
    on();
    (void)rig_count(&r, "p2");
    hear("p1", &b, 1);
    assert_int_equal(
        bport_mem_inject(rig_port(&r, "p1"), rubbish, sizeof(rubbish), NULL, 1),
        0);
    rig_settle(&r);
    assert_int_equal(rig_reason(&r, "p1", REASON_BPDU), 2);
    wait_state("p1", BPORT_FORWARDING);
    assert_true(bport_stp_info(rig_port(&r, "p1"), &i));
    assert_int_equal(i.role, STP_ROLE_ROOT);
    assert_int_equal(i.counts.rx_rst, 1);
    assert_int_equal(i.counts.rx_bad[BPDU_BAD_LLC], 1);
    while (said("p2", &b))
        assert_int_not_equal(b.vector.bridge, BETTER);
}

static void the_second_way_is_shut(void **state)
{
    struct bpdu far = word(BETTER, 1, 0x3000020000000007ULL, 0);
    struct bpdu near = word(BETTER, 0, BETTER, 0);
    char why[STP_WHY_MAX];

    (void)state;
    on();
    hear("n1", &near, 1);
    hear("n2", &far, 1);
    wait_state("n1", BPORT_FORWARDING);
    wait_state("n2", BPORT_BLOCKING);
    assert_false(passes("n2", "p1"));
    assert_false(passes("p1", "n2"));
    assert_true(bport_stp_why(rig_port(&r, "n2"), why, sizeof(why)) > 0);
    assert_non_null(strstr(why, "alternate"));
    /* the root port's link goes: the other one takes over at once */
    assert_int_equal(mem_set_link(rig_port(&r, "n1")->port, false), 0);
    wait_state("n2", BPORT_FORWARDING);
    assert_true(passes("p1", "n2"));
}

/* When the agreement is out, no forwarder forwards by the old state. */
static void agreement_waits_for_discarding(void **state)
{
    struct bpdu near = word(BETTER, 0, BETTER, BPDU_PROPOSAL);

    (void)state;
    assert_int_equal(rig_bridge_set(&r, BRIDGE_PRIORITY, 8192), 0);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_TX_HOLD, 10), 0);
    on();
    agree("n1");
    wait_state("n1", BPORT_FORWARDING);
    assert_true(passes("p1", "n1"));
    hear("n2", &near, 1);
    wait_agreement("n2");
    for (unsigned i = 0; i < 5; i++) {
        struct bport *n1 = rig_port(&r, "n1");
        struct sw_stats before, after;

        wait_state("n1", BPORT_FORWARDING);
        (void)rig_count(&r, "n1");
        /* worse than what n1's neighbour agreed to: it has to shut first */
        near.vector.cost += 10;
        sw_stats(r.sw, &before);
        hear("n2", &near, 1);
        wait_agreement("n2");
        sw_stats(r.sw, &after);
        assert_int_equal(n1->apply, APPLY_NONE);
        assert_int_not_equal(state_of("n1"), BPORT_FORWARDING);
        assert_false(rcu_read(&r.b->plane.view)->port[n1->no]->forwarding);
        assert_true(after.grace_periods > before.grace_periods);
        agree("n1");
    }
}

static void floods_stay_at_their_port(void **state)
{
    struct bpdu near = word(BETTER, 0, BETTER, 0);
    struct bpdu junk = word(0xe000020000000011ULL, 7, 0xe000020000000011ULL, 0);
    struct stp_port_info i;
    struct sw_stats s;

    (void)state;
    on();
    sw_stats(r.sw, &s);
    for (unsigned n = 0; n < 10; n++) {
        hear("p1", &junk, 10000);
        hear("n1", &near, 1);
        rig_settle(&r);
    }
    assert_true(bport_stp_info(rig_port(&r, "n1"), &i));
    assert_int_equal(i.role, STP_ROLE_ROOT);
    assert_int_equal(i.counts.rx_rst, 10);
    assert_true(rig_reason(&r, "p1", REASON_BPDU_FLOOD) > 90000);
    assert_int_equal(rig_reason(&r, "n1", REASON_BPDU_FLOOD), 0);
}

static bool is_known(uint64_t mac)
{
    struct fdb_value v;
    uint32_t age;

    return bridge_fdb_get(r.b, fdb_key(0, mac), &v, &age);
}

static bool is_forgotten(void *mac)
{
    return !is_known(*(uint64_t *)mac);
}

/* Two learners in each other's way leave it to the next frame. */
static void make_known(const char *port, uint64_t mac)
{
    for (unsigned i = 0; i < 10 && !is_known(mac); i++) {
        rig_send(&r, port, ALL, mac, 60, 1);
        rig_settle(&r);
    }
    assert_true(is_known(mac));
}

static void changes_flush(void **state)
{
    struct bpdu near = word(BETTER, 0, BETTER, 0);
    uint64_t mac = B;

    (void)state;
    on();
    hear("n1", &near, 1);
    wait_state("n1", BPORT_FORWARDING);
    agree("n2");
    wait_state("n2", BPORT_FORWARDING);
    make_known("n2", B);
    make_known("p1", A);
    near.flags |= BPDU_TC;
    hear("n1", &near, 1);
    assert_true(rig_wait(&r, is_forgotten, &mac));
    assert_true(is_known(A)); /* behind an edge port nothing has changed */
    /* and by command */
    make_known("n2", B);
    bridge_stp_change(r.b, NULL, NULL);
    assert_true(rig_wait(&r, is_forgotten, &mac));
}

static void off_is_off(void **state)
{
    struct bpdu b = word(BETTER, 0, BETTER, 0), got;
    struct stp_info i;

    (void)state;
    assert_false(bridge_stp_info(r.b, &i));
    hear("p1", &b, 1);
    rig_settle(&r);
    assert_true(said("p2", &got));
    assert_int_equal(got.vector.bridge, BETTER);
    assert_int_equal(rig_set(&r, "p1", BPORT_BPDU_FILTER, 1), 0);
    hear("p1", &b, 1);
    rig_settle(&r);
    assert_false(said("p2", &got));
    assert_int_equal(rig_reason(&r, "p1", REASON_BPDU_FILTERED), 1);
    on();
    assert_true(bridge_stp_info(r.b, &i));
    assert_int_equal(rig_bridge_set(&r, BRIDGE_STP, 0), 0);
    assert_int_equal(state_of("n1"), BPORT_FORWARDING);
    assert_true(passes("n1", "n2"));
}

static void toggled_with_traffic(void **state)
{
    struct bpdu near = word(BETTER, 0, BETTER, BPDU_PROPOSAL);

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        rig_send_n(&r, "p1", ALL, A, 60, i, 200);
        rig_send_n(&r, "n1", ALL, B, 60, i, 200);
        hear("n1", &near, 3);
        assert_int_equal(rig_bridge_set(&r, BRIDGE_STP, !(i & 1)), 0);
        if (i % 8 == 3) {
            assert_int_equal(rig_del(&r, "n2"), 0);
            assert_int_equal(rig_add(&r, "mem:n2,edge=off"), 0);
        }
    }
    rig_settle(&r);
    assert_int_equal(state_of("n1"), BPORT_FORWARDING);
    assert_int_equal(rig_reason(&r, "p1", REASON_PORT_STATE), 0);
}

static void guards_and_recovery(void **state)
{
    struct bpdu b = word(BETTER, 0, BETTER, 0);
    struct bport_info i;

    (void)state;
    assert_int_equal(rig_bridge_set(&r, BRIDGE_RECOVERY, 100), 0);
    assert_int_equal(rig_set(&r, "p1", BPORT_BPDU_GUARD, 1), 0);
    on();
    hear("p1", &b, 1);
    wait_state("p1", BPORT_DISABLED);
    bport_info(rig_port(&r, "p1"), &i);
    assert_non_null(strstr(i.why, "BPDU guard"));
    assert_false(passes("p1", "p2"));
    wait_state("p1", BPORT_FORWARDING); /* after a second */
    assert_int_equal(rig_set(&r, "n1", BPORT_ROOT_GUARD, 1), 0);
    hear("n1", &b, 1);
    wait_state("n1", BPORT_BLOCKING);
    bport_info(rig_port(&r, "n1"), &i);
    assert_non_null(strstr(i.why, "root guard"));
}

static void ranges(void **state)
{
    struct bridge_info i;

    (void)state;
    assert_int_equal(rig_bridge_set(&r, BRIDGE_FORWARD_DELAY, 100), 0);
    on();
    bridge_info(r.b, &i);
    assert_int_equal(i.param[BRIDGE_FORWARD_DELAY], 200);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_FORWARD_DELAY, 199), -ERANGE);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_FORWARD_DELAY, 3001), -ERANGE);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_FORCE_VERSION, 1), -EINVAL);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_TX_HOLD, 0), -ERANGE);
    assert_int_equal(rig_set(&r, "n1", BPORT_PATH_COST, 65536), -ERANGE);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_LONG_COST, 1), 0);
    assert_int_equal(rig_set(&r, "n1", BPORT_PATH_COST, 65536), 0);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_LONG_COST, 0), -EINVAL);
    assert_non_null(strstr(rig_error(), "n1"));
    assert_int_equal(rig_set(&r, "n2", BPORT_P2P, 3), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
        T(guests_go_on),
        T(networks_are_asked_first),
        T(bpdus_go_nowhere),
        T(the_second_way_is_shut),
        T(agreement_waits_for_discarding),
        T(floods_stay_at_their_port),
        T(changes_flush),
        T(off_is_off),
        T(toggled_with_traffic),
        T(guards_and_recovery),
        T(ranges),
    };

    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
