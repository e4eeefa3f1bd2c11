/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/stp: topology changes, who is told of them, what is forgotten. */
#include "tests/lib/stprig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S      STPRIG_SECOND
#define BETTER STPRIG_BETTER
#define WORSE  STPRIG_WORSE

static struct stprig r;

static struct bpdu from_root(uint8_t flags)
{
    return stprig_rst(BETTER, 0, BETTER, BPDU_ROLE_DESIGNATED, flags);
}

/* Port 1 leads to the root, 2 and 3 to others, 4 is an edge port.  All
 * forward, and nothing has changed for long. */
static void stand(uint8_t version, const struct bpdu *root)
{
    stprig_up(&r, 8, version);
    for (uint16_t i = 1; i <= 4; i++) {
        stprig_add(&r, i)->up = true;
        r.port[i].config.admin_edge = i == 4;
        stprig_set(&r, i);
    }
    stprig_run_with(&r, 200 * S, 1, root);
    for (uint16_t i = 1; i <= 4; i++)
        assert_int_equal(r.port[i].state, STP_FORWARDING);
    stprig_forget(&r);
}

static int up_rstp(void **state)
{
    struct bpdu root = from_root(0);

    (void)state;
    stand(2, &root);
    return 0;
}

static int up_stp(void **state)
{
    struct bpdu root = stprig_config(BETTER, 0, BETTER, 0);

    (void)state;
    stand(0, &root);
    return 0;
}

static int down(void **state)
{
    (void)state;
    stprig_down(&r);
    return 0;
}

static void assert_flushed(unsigned a, unsigned b, unsigned c, unsigned d)
{
    assert_int_equal(r.port[1].flushed, a);
    assert_int_equal(r.port[2].flushed, b);
    assert_int_equal(r.port[3].flushed, c);
    assert_int_equal(r.port[4].flushed, d);
}

static uint64_t changes(void)
{
    struct stp_info i;

    stp_info(r.s, r.now, &i);
    return i.changes;
}

static void edge_ports_change_nothing(void **state)
{
    (void)state;
    stprig_link(&r, 4, false);
    assert_flushed(0, 0, 0, 1); /* its own */
    stprig_link(&r, 4, true);
    assert_int_equal(r.port[4].state, STP_FORWARDING);
    assert_flushed(0, 0, 0, 1);
    assert_int_equal(r.port[1].sent, 0);
    assert_false(stprig_noted(&r, "topology change"));
}

/* A port that begins to forward: all others are flushed and told. */
static void detected(void **state)
{
    struct bpdu root = from_root(0), yes;

    (void)state;
    stprig_link(&r, 2, false);
    assert_flushed(0, 1, 0, 0);
    stprig_link(&r, 2, true);
    stprig_forget(&r);
    yes = stprig_rst(BETTER, 100, WORSE, BPDU_ROLE_ROOT, BPDU_AGREEMENT);
    yes.times.message_age = 2 * STP_SECOND; /* a hop behind us */
    stprig_hear(&r, 2, &yes);
    assert_int_equal(r.port[2].state, STP_FORWARDING);
    assert_flushed(1, 0, 1, 0);
    assert_true(r.port[1].last.flags & BPDU_TC);
    assert_true(r.port[2].last.flags & BPDU_TC);
    assert_true(r.port[3].last.flags & BPDU_TC);
    assert_int_equal(r.port[1].sent, 1);
    assert_true(
        stprig_noted(&r, "port 2: topology change: it forwards to a network"));
    /* For hello time and a second (17.21.7). */
    stprig_run_with(&r, 3 * S, 1, &root);
    stprig_forget(&r);
    stprig_run_with(&r, 2 * S, 1, &root);
    assert_int_equal(r.port[1].sent, 0);
    assert_true(r.port[3].sent > 0);
    assert_false(r.port[3].last.flags & BPDU_TC);
}

static void told_by_a_neighbour(void **state)
{
    struct bpdu tc = from_root(BPDU_TC);
    uint64_t before = changes();

    (void)state;
    stprig_hear(&r, 1, &tc);
    assert_flushed(0, 1, 1, 0); /* not where it came from, no edge port */
    assert_true(r.port[2].last.flags & BPDU_TC);
    assert_true(r.port[3].last.flags & BPDU_TC);
    assert_int_equal(r.port[1].sent, 0); /* not back */
    assert_true(stprig_noted(&r, "port 1: topology change, told by"));
    assert_int_equal(changes(), before + 1);
    stprig_forget(&r);
    stprig_run_with(&r, 30 * S, 1, &tc); /* one change, however long told */
    assert_int_equal(changes(), before + 1);
    assert_false(stprig_noted(&r, "topology change"));
}

static void told_from_below(void **state)
{
    struct bpdu tc = stprig_rst(BETTER, 100, WORSE, BPDU_ROLE_ROOT,
                                BPDU_TC | BPDU_AGREEMENT);

    (void)state;
    stprig_hear(&r, 3, &tc);
    assert_flushed(1, 1, 0, 0);
    assert_true(r.port[1].last.flags & BPDU_TC);
    assert_int_equal(stprig_info(&r, 3).counts.rx_tc, 1);
}

static void tcn_guard(void **state)
{
    struct bpdu tc = stprig_rst(BETTER, 100, WORSE, BPDU_ROLE_ROOT,
                                BPDU_TC | BPDU_AGREEMENT);
    struct bpdu tcn = {.type = BPDU_TCN};

    (void)state;
    tc.times.message_age = 2 * STP_SECOND; /* a hop behind us */
    r.port[3].config.tcn_guard = true;
    stprig_set(&r, 3);
    stprig_hear(&r, 3, &tc);
    stprig_hear(&r, 3, &tcn);
    assert_flushed(0, 0, 0, 0);
    assert_int_equal(r.port[1].sent, 0);
    /* ... nor what it sees itself */
    stprig_link(&r, 3, false);
    stprig_link(&r, 3, true);
    stprig_forget(&r);
    stprig_hear(&r, 3, &tc);
    assert_int_equal(r.port[3].state, STP_FORWARDING);
    assert_flushed(0, 0, 0, 0);
}

static void by_command(void **state)
{
    uint64_t before = changes();

    (void)state;
    stprig_event(&r, STP_CHANGE, 0);
    assert_flushed(1, 1, 1, 0);
    assert_true(r.port[1].last.flags & BPDU_TC);
    assert_int_equal(changes(), before + 1);
}

/* An STP neighbour's TCN is acknowledged, and told of as RSTP does. */
static void tcn_of_a_neighbour(void **state)
{
    struct bpdu tcn = {.type = BPDU_TCN};

    (void)state;
    stprig_hear(&r, 2, &tcn);
    assert_true(stprig_info(&r, 2).stp);
    assert_flushed(1, 0, 1, 0);
    assert_true(stprig_info(&r, 2).change_ack);
    stprig_run(&r, 2 * S);
    assert_int_equal(r.port[2].last.type, BPDU_CONFIG);
    assert_true(r.port[2].last.flags & BPDU_TC_ACK);
    assert_true(r.port[2].last.flags & BPDU_TC);
    stprig_run(&r, 2 * S);
    assert_false(r.port[2].last.flags & BPDU_TC_ACK);
    assert_true(r.port[2].last.flags & BPDU_TC);
}

/* ---- STP ---- */

static void stp_ages_fast(void **state)
{
    struct bpdu tc = stprig_config(BETTER, 0, BETTER, BPDU_TC);
    struct bpdu plain = stprig_config(BETTER, 0, BETTER, 0);

    (void)state;
    stprig_hear(&r, 1, &tc);
    assert_flushed(0, 0, 0, 0);
    assert_int_equal(r.age, 15 * STP_SECOND);
    assert_true(r.ages > 0);
    stprig_run_with(&r, 15 * S - 1, 1, &plain);
    assert_int_equal(r.age, 15 * STP_SECOND);
    stprig_run(&r, 1);
    assert_int_equal(r.age, 0);
}

static void stp_tells_the_root(void **state)
{
    struct bpdu tcn = {.type = BPDU_TCN};
    struct bpdu plain = stprig_config(BETTER, 0, BETTER, 0);
    struct bpdu ack = stprig_config(BETTER, 0, BETTER, BPDU_TC | BPDU_TC_ACK);

    (void)state;
    stprig_hear(&r, 2, &tcn);
    stprig_run_with(&r, 6 * S, 1, &plain);
    assert_int_equal(r.port[1].last.type, BPDU_TCN);
    assert_int_equal(r.port[1].sent, 3);
    stprig_hear(&r, 1, &ack);
    stprig_forget(&r);
    stprig_run_with(&r, 10 * S, 1, &plain);
    assert_int_equal(r.port[1].sent, 0);
    assert_true(r.port[3].last.flags & BPDU_TC);
}

static void stp_shut_port_is_flushed(void **state)
{
    (void)state;
    stprig_link(&r, 4, false);
    assert_flushed(0, 0, 0, 1);
    assert_int_equal(r.ages, 0);
}

#define rstp(f) cmocka_unit_test_setup_teardown(f, up_rstp, down)
#define stp(f)  cmocka_unit_test_setup_teardown(f, up_stp, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rstp(edge_ports_change_nothing),
        rstp(detected),
        rstp(told_by_a_neighbour),
        rstp(told_from_below),
        rstp(tcn_guard),
        rstp(by_command),
        rstp(tcn_of_a_neighbour),
        stp(stp_ages_fast),
        stp(stp_tells_the_root),
        stp(stp_shut_port_is_flushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
