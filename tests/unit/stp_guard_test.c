/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/stp: what keeps a port shut, and lets it go again. */
#include "tests/lib/stprig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S      STPRIG_SECOND
#define BETTER STPRIG_BETTER
#define WORSE  STPRIG_WORSE

static struct stprig r;

static int up_rstp(void **state)
{
    (void)state;
    stprig_up(&r, 8, 2);
    return 0;
}

static int down(void **state)
{
    (void)state;
    stprig_down(&r);
    return 0;
}

#define assert_state(n, want) assert_int_equal(r.port[n].state, want)
#define assert_role(n, want)  assert_int_equal(stprig_info(&r, n).role, want)
#define assert_guard(n, want) assert_int_equal(stprig_info(&r, n).guard, want)

static struct bpdu from_root(uint64_t id)
{
    return stprig_rst(id, 0, id, BPDU_ROLE_DESIGNATED, 0);
}

static void add(uint16_t port)
{
    stprig_add(&r, port)->up = true;
    stprig_set(&r, port);
}

/* ---- BPDU guard ---- */

static void add_guarded(void)
{
    struct stp_port_config *c = stprig_add(&r, 1);

    c->up = c->admin_edge = c->bpdu_guard = true;
    stprig_set(&r, 1);
    assert_state(1, STP_FORWARDING);
}

static void bpdu_guard_and_its_time(void **state)
{
    struct bpdu b = from_root(WORSE);

    (void)state;
    add_guarded();
    stprig_hear(&r, 1, &b);
    assert_state(1, STP_DISCARDING);
    assert_role(1, STP_ROLE_DISABLED);
    assert_guard(1, STP_GUARD_BPDU);
    assert_true(stprig_noted(&r, "port 1: error-disabled by BPDU guard"));
    assert_true(
        stprig_noted(&r, "port 1: disabled, was designated: bpdu-guard"));
    assert_int_equal(r.port[1].flushed, 1);
    assert_true(stprig_info(&r, 1).recovery_timer == 30 * S);
    stprig_hear(&r, 1, &b);
    assert_int_equal(stprig_info(&r, 1).counts.rx_disabled, 1);
    r.port[1].sent = 0;
    stprig_run(&r, 30 * S - 1);
    assert_role(1, STP_ROLE_DISABLED);
    assert_int_equal(r.port[1].sent, 0);
    stprig_run(&r, 1);
    assert_state(1, STP_FORWARDING);
    assert_guard(1, STP_GUARD_NONE);
    assert_true(stprig_noted(&r, "port 1: bpdu-guard lets it go on"));
    assert_true(stprig_noted(&r, "was disabled: recovery time is over"));
}

/* A port that is tried again has all its time to be found an edge port. */
static void bpdu_guard_recovers_afresh(void **state)
{
    struct bpdu b = from_root(WORSE);

    (void)state;
    add_guarded();
    r.port[1].config.admin_edge = false;
    r.port[1].config.auto_edge = true;
    stprig_set(&r, 1);
    stprig_hear(&r, 1, &b);
    stprig_run(&r, 30 * S);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_state(1, STP_DISCARDING);
    stprig_run(&r, 3 * S - 1);
    assert_state(1, STP_DISCARDING);
    stprig_run(&r, 1);
    assert_state(1, STP_FORWARDING);
}

static void bpdu_guard_without_time(void **state)
{
    struct bpdu b = from_root(WORSE);

    (void)state;
    r.config.recovery = 0;
    stprig_bridge(&r);
    add_guarded();
    stprig_hear(&r, 1, &b);
    stprig_run(&r, 100000 * S);
    assert_guard(1, STP_GUARD_BPDU);
    stprig_event(&r, STP_MCHECK, 1);
    assert_state(1, STP_FORWARDING);
    stprig_hear(&r, 1, &b);
    assert_state(1, STP_DISCARDING);
    stprig_link(&r, 1, false);
    assert_guard(1, STP_GUARD_NONE);
    stprig_link(&r, 1, true);
    assert_state(1, STP_FORWARDING);
    stprig_hear(&r, 1, &b);
    r.config.recovery = 5; /* a new time holds for those that wait */
    stprig_bridge(&r);
    stprig_run(&r, 5 * S);
    assert_state(1, STP_FORWARDING);
    stprig_hear(&r, 1, &b);
    r.port[1].config.bpdu_guard = false;
    stprig_set(&r, 1);
    assert_guard(1, STP_GUARD_NONE);
    assert_state(1, STP_FORWARDING);
    assert_int_equal(stp_deadline(r.s) < r.now + 10 * S, 1);
}

static void bpdu_guard_before_time_begins(void **state)
{
    struct bpdu b = from_root(WORSE);

    (void)state;
    stprig_down(&r);
    memset(&r, 0, sizeof(r));
    stprig_up(&r, 8, 2);
    add_guarded();
    stprig_hear(&r, 1, &b);
    stprig_event(&r, STP_MCHECK, 1);
    assert_guard(1, STP_GUARD_NONE);
}

/* ---- root guard ---- */

static void root_guard(void **state)
{
    struct bpdu good = from_root(BETTER), best = from_root(5);

    (void)state;
    add(1);
    stprig_add(&r, 2)->up = true;
    r.port[2].config.root_guard = true;
    stprig_set(&r, 2);
    stprig_hear(&r, 1, &good);
    stprig_run_with(&r, 25 * S, 1, &good);
    assert_state(2, STP_FORWARDING);
    stprig_hear(&r, 2, &best);
    assert_role(1, STP_ROLE_ROOT);
    assert_role(2, STP_ROLE_ALTERNATE);
    assert_guard(2, STP_GUARD_ROOT);
    assert_state(2, STP_DISCARDING);
    assert_true(stprig_noted(&r, "port 2: shut by root guard"));
    stprig_run_with(&r, 6 * S, 1, &good);
    assert_role(2, STP_ROLE_DESIGNATED);
    assert_guard(2, STP_GUARD_NONE);
    stprig_run_with(&r, 6 * S, 1, &good);
    assert_state(2, STP_FORWARDING);
}

/* An alternate port that offers nothing better is one like any. */
static void root_guard_spares_alternates(void **state)
{
    struct bpdu good = from_root(BETTER);
    struct bpdu far =
        stprig_rst(BETTER, 90, 0x7000020000000009, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    add(1);
    stprig_add(&r, 2)->up = true;
    r.port[2].config.root_guard = true;
    stprig_set(&r, 2);
    stprig_hear(&r, 1, &good);
    stprig_hear(&r, 2, &far);
    assert_role(2, STP_ROLE_ALTERNATE);
    assert_guard(2, STP_GUARD_NONE);
    r.port[2].config.root_guard = false;
    stprig_set(&r, 2);
    stprig_link(&r, 1, false);
    assert_role(2, STP_ROLE_ROOT);
}

/* ---- loop guard ---- */

static void loop_guard(void **state)
{
    struct bpdu good = from_root(BETTER);
    struct bpdu other =
        stprig_rst(BETTER, 50, 0x9000020000000004, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    add(1);
    stprig_add(&r, 2)->up = true;
    r.port[2].config.loop_guard = true;
    stprig_set(&r, 2);
    stprig_hear(&r, 1, &good);
    stprig_hear(&r, 2, &other);
    assert_role(2, STP_ROLE_ALTERNATE);
    stprig_run_with(&r, 100 * S, 1, &good);
    assert_role(2, STP_ROLE_DESIGNATED);
    assert_guard(2, STP_GUARD_LOOP);
    assert_state(2, STP_DISCARDING);
    assert_false(stprig_info(&r, 2).edge);
    stprig_hear(&r, 2, &other);
    assert_guard(2, STP_GUARD_NONE);
    assert_role(2, STP_ROLE_ALTERNATE);
    stprig_run_with(&r, 10 * S, 1, &good);
    assert_guard(2, STP_GUARD_LOOP);
    stprig_event(&r, STP_MCHECK, 2);
    assert_guard(2, STP_GUARD_NONE);
    stprig_run_with(&r, 10 * S, 1, &good);
    assert_state(2, STP_FORWARDING);
}

/* A port that never heard anybody is no business of loop guard's; and what
 * was void when it came is no silence. */
static void loop_guard_needs_a_word(void **state)
{
    struct bpdu old = from_root(BETTER);

    (void)state;
    stprig_add(&r, 1)->up = true;
    r.port[1].config.loop_guard = r.port[1].config.auto_edge = true;
    stprig_set(&r, 1);
    stprig_run(&r, 3 * S);
    assert_state(1, STP_FORWARDING);
    old.times.message_age = old.times.max_age;
    stprig_hear(&r, 1, &old);
    assert_guard(1, STP_GUARD_NONE);
    assert_false(stprig_noted(&r, "three hello times"));
}

/* ---- bridge assurance ---- */

static void assurance(void **state)
{
    struct bpdu b = stprig_rst(WORSE, 0, WORSE, BPDU_ROLE_ROOT, 0);

    (void)state;
    stprig_add(&r, 1)->up = true;
    r.port[1].config.assurance = r.port[1].config.admin_edge = true;
    stprig_set(&r, 1);
    assert_state(1, STP_DISCARDING); /* no edge port */
    stprig_run(&r, 6 * S - 1);
    assert_guard(1, STP_GUARD_NONE);
    stprig_run(&r, 1);
    assert_guard(1, STP_GUARD_ASSURANCE);
    stprig_run(&r, 100 * S);
    assert_state(1, STP_DISCARDING);
    stprig_run_with(&r, 40 * S, 1, &b);
    assert_guard(1, STP_GUARD_NONE);
    assert_state(1, STP_FORWARDING);
    stprig_run(&r, 6 * S);
    assert_guard(1, STP_GUARD_ASSURANCE);
    assert_state(1, STP_DISCARDING);
    r.port[1].config.assurance = false;
    stprig_set(&r, 1);
    assert_guard(1, STP_GUARD_NONE);
}

/* The other end is to hear of us, whatever our role. */
static void assurance_speaks(void **state)
{
    struct bpdu good = from_root(BETTER);

    (void)state;
    stprig_add(&r, 1)->up = true;
    r.port[1].config.assurance = true;
    stprig_set(&r, 1);
    stprig_hear(&r, 1, &good);
    stprig_run_with(&r, 10 * S, 1, &good);
    stprig_forget(&r);
    stprig_run_with(&r, 20 * S, 1, &good);
    assert_int_equal(r.port[1].sent, 10);
    assert_int_equal(bpdu_role(&r.port[1].last), BPDU_ROLE_ROOT);
    assert_true(r.port[1].last.flags & BPDU_AGREEMENT);
}

/* Silence is measured by the hello time that the last word told of. */
static void assurance_by_their_hello(void **state)
{
    struct bpdu slow = from_root(BETTER);

    (void)state;
    stprig_add(&r, 1)->up = true;
    r.port[1].config.assurance = true;
    stprig_set(&r, 1);
    slow.times.hello = 10 * STP_SECOND;
    stprig_hear(&r, 1, &slow);
    stprig_run(&r, 30 * S - 1);
    assert_guard(1, STP_GUARD_NONE);
    assert_state(1, STP_FORWARDING);
    stprig_run(&r, 1);
    assert_guard(1, STP_GUARD_ASSURANCE);
    assert_state(1, STP_DISCARDING);
}

/* ---- the port that hears itself ---- */

static void self_loop(void **state)
{
    (void)state;
    stprig_add(&r, 1)->up = true;
    r.port[1].config.admin_edge = true;
    stprig_set(&r, 1);
    assert_state(1, STP_FORWARDING);
    for (unsigned i = 0; i < 20; i++) {
        struct bpdu own = r.port[1].last;

        stprig_hear(&r, 1, &own);
        assert_guard(1, STP_GUARD_SELF);
        assert_state(1, STP_DISCARDING);
        stprig_run(&r, 2 * S);
    }
    assert_int_equal(stprig_info(&r, 1).counts.rx_own, 20);
    stprig_run(&r, 4 * S - 1);
    assert_guard(1, STP_GUARD_SELF);
    stprig_run(&r, 1);
    assert_guard(1, STP_GUARD_NONE);
    stprig_run(&r, 30 * S);
    assert_state(1, STP_FORWARDING);
}

/* ---- TCN guard is in stp_change_test.c ---- */

/* ---- BPDU filter ---- */

static void filter(void **state)
{
    struct bpdu good = from_root(BETTER);

    (void)state;
    stprig_add(&r, 1)->up = true;
    r.port[1].config.bpdu_filter = true;
    stprig_set(&r, 1);
    assert_state(1, STP_FORWARDING);
    assert_true(stprig_noted(&r, "port 1: forwarding: BPDU filter"));
    stprig_run_with(&r, 10 * S, 1, &good);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_state(1, STP_FORWARDING);
    assert_int_equal(r.port[1].sent, 0);
    assert_int_equal(stprig_info(&r, 1).counts.rx_filtered, 5);
    r.port[1].config.bpdu_filter = false;
    stprig_set(&r, 1);
    assert_state(1, STP_DISCARDING); /* a bridge may be there, unheard */
    assert_int_equal(r.port[1].flushed, 1);
    stprig_hear(&r, 1, &good);
    assert_role(1, STP_ROLE_ROOT);
    assert_state(1, STP_FORWARDING);
    r.port[1].config.bpdu_filter = true;
    stprig_set(&r, 1);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_state(1, STP_FORWARDING);
}

#define rstp(f) cmocka_unit_test_setup_teardown(f, up_rstp, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rstp(bpdu_guard_and_its_time),
        rstp(bpdu_guard_recovers_afresh),
        rstp(bpdu_guard_without_time),
        rstp(bpdu_guard_before_time_begins),
        rstp(root_guard),
        rstp(root_guard_spares_alternates),
        rstp(loop_guard),
        rstp(loop_guard_needs_a_word),
        rstp(assurance),
        rstp(assurance_speaks),
        rstp(assurance_by_their_hello),
        rstp(self_loop),
        rstp(filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
