/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/stp: ports that come from another bridge's tree. */
#include "tests/lib/stprig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S      STPRIG_SECOND
#define BETTER STPRIG_BETTER
#define WORSE  STPRIG_WORSE
/* Another neighbour with the same root. */
#define OTHER 0x9000020000000004ULL

static struct stprig r;

static int up(void **state)
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

/* Port 'port' comes from a bridge whose tree it was in; of its neighbour,
 * BETTER's, that one knew what 'b' says. */
static void inherit(uint16_t port, bool open, const struct bpdu *b)
{
    struct stp_heritage h = {.heard = b != NULL};
    struct stp_port_config *c = stprig_add(&r, port);

    if (b) {
        h.vector = b->vector;
        h.times = b->times;
    }
    c->up = c->auto_edge = true;
    c->open = open;
    r.port[port].state = open ? STP_FORWARDING : STP_DISCARDING;
    stprig_step(&r, (struct stp_event){.type = STP_PORT,
                                       .port = port,
                                       .port_config = c,
                                       .heritage = &h});
}

static void heirs_go_on(void **state)
{
    struct bpdu root = stprig_config(BETTER, 0, BETTER, 0);
    struct bpdu other = stprig_config(BETTER, 10, OTHER, 0);

    (void)state;
    inherit(1, true, &root);
    assert_role(1, STP_ROLE_ROOT);
    inherit(2, false, &other);
    assert_role(2, STP_ROLE_ALTERNATE);
    inherit(3, true, NULL);
    assert_role(3, STP_ROLE_DESIGNATED);
    assert_state(1, STP_FORWARDING);
    assert_state(2, STP_DISCARDING);
    assert_state(3, STP_FORWARDING);
    for (uint16_t i = 1; i <= 3; i++) {
        assert_int_equal(r.port[i].states, 0); /* nothing was asked for */
        assert_true(stprig_info(&r, i).stp);
    }
    /* Nobody answers; he may be the root port's of 1998, which says nothing. */
    stprig_run_with(&r, 30 * S, 1, &root);
    assert_state(3, STP_FORWARDING);
    assert_false(stprig_info(&r, 3).edge);
    assert_int_equal(r.port[3].last.type, BPDU_CONFIG);
    assert_int_equal(stprig_info(&r, 3).counts.tx_rst, 0);
}

/* What was known is void as if it had been received. */
static void inheritance_ages(void **state)
{
    struct bpdu root = stprig_config(BETTER, 0, BETTER, 0);
    struct bpdu other = stprig_config(BETTER, 10, OTHER, 0);

    (void)state;
    inherit(1, true, &root);
    inherit(2, false, &other);
    stprig_run_with(&r, 6 * S, 2, &other);
    assert_role(2, STP_ROLE_ROOT);
    assert_state(2, STP_FORWARDING);
    assert_role(1, STP_ROLE_DESIGNATED);
}

static void an_heir_learns_rstp(void **state)
{
    struct bpdu b = stprig_rst(WORSE, 0, WORSE, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    inherit(1, true, NULL);
    inherit(2, true, NULL);
    stprig_run(&r, 4 * S);
    stprig_hear(&r, 1, &b);
    assert_false(stprig_info(&r, 1).stp);
    stprig_event(&r, STP_MCHECK, 2);
    assert_false(stprig_info(&r, 2).stp);
    stprig_link(&r, 1, false);
    stprig_link(&r, 1, true);
    assert_state(1, STP_DISCARDING); /* a link like any other */
}

/* A better neighbour than the other bridge knew: it is shut at once. */
static void an_heir_is_shut(void **state)
{
    struct bpdu root = stprig_config(BETTER, 0, BETTER, 0);
    struct bpdu other = stprig_config(BETTER, 10, OTHER, 0);

    (void)state;
    inherit(1, true, &root);
    inherit(2, true, NULL);
    stprig_hear(&r, 2, &other);
    assert_role(2, STP_ROLE_ALTERNATE);
    assert_state(2, STP_DISCARDING);
    inherit(3, true, &other);
    assert_state(3, STP_DISCARDING);
}

/* One that listened there does not begin to wait for longer than there. */
static void an_heir_listens(void **state)
{
    (void)state;
    inherit(1, false, NULL);
    assert_role(1, STP_ROLE_DESIGNATED);
    stprig_run(&r, 14 * S);
    assert_state(1, STP_DISCARDING);
    stprig_run(&r, 2 * S);
    assert_state(1, STP_LEARNING);
    stprig_run(&r, 15 * S);
    assert_state(1, STP_FORWARDING);
}

#define heir(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        heir(heirs_go_on),         heir(inheritance_ages),
        heir(an_heir_learns_rstp), heir(an_heir_is_shut),
        heir(an_heir_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
