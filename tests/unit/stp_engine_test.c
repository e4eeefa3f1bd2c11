/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/stp: one bridge's roles and states, hand-shakes and neighbours. */
#include "tests/lib/stprig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S      STPRIG_SECOND
#define BETTER STPRIG_BETTER
#define WORSE  STPRIG_WORSE
/* Another neighbour with the same root. */
#define OTHER 0x9000020000000004ULL
#define BEST  0x0000020000000005ULL

static struct stprig r;

static int up_rstp(void **state)
{
    (void)state;
    stprig_up(&r, 8, 2);
    return 0;
}

static int up_stp(void **state)
{
    (void)state;
    stprig_up(&r, 8, 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    stprig_down(&r);
    return 0;
}

static void add(uint16_t port)
{
    stprig_add(&r, port)->up = true;
    stprig_set(&r, port);
}

static void add_edge(uint16_t port)
{
    stprig_add(&r, port)->up = true;
    r.port[port].config.admin_edge = true;
    stprig_set(&r, port);
}

#define assert_state(n, want) assert_int_equal(r.port[n].state, want)
#define assert_role(n, want)  assert_int_equal(stprig_info(&r, n).role, want)

/* The root's BPDU, as its designated port says it. */
static struct bpdu from_root(uint8_t flags)
{
    return stprig_rst(BETTER, 0, BETTER, BPDU_ROLE_DESIGNATED, flags);
}

/* ---- alone ---- */

static void edge_forwards_at_once(void **state)
{
    (void)state;
    add_edge(1);
    assert_state(1, STP_FORWARDING);
    assert_int_equal(r.port[1].states, 1); /* not by way of learning */
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_true(stprig_info(&r, 1).edge);
    assert_true(stprig_noted(&r, "port 1: forwarding: edge port"));
}

static void auto_edge_after_three_seconds(void **state)
{
    (void)state;
    stprig_add(&r, 1)->auto_edge = true;
    stprig_link(&r, 1, true);
    stprig_run(&r, 3 * S - 1);
    assert_state(1, STP_DISCARDING);
    stprig_run(&r, 1);
    assert_state(1, STP_FORWARDING);
    assert_true(stprig_info(&r, 1).edge);
    /* A shared link: a bridge may be slow to answer (17.20.4). */
    stprig_add(&r, 2)->auto_edge = true;
    r.port[2].config.p2p = false;
    stprig_link(&r, 2, true);
    stprig_run(&r, 20 * S - 1);
    assert_false(stprig_info(&r, 2).edge);
    stprig_run(&r, 1);
    assert_true(stprig_info(&r, 2).edge);
}

static void bpdu_ends_edge(void **state)
{
    struct bpdu b = stprig_rst(WORSE, 0, WORSE, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    add_edge(1);
    stprig_hear(&r, 1, &b);
    assert_false(stprig_info(&r, 1).edge);
    assert_true(stprig_noted(&r, "no edge port any more"));
    stprig_link(&r, 1, false);
    stprig_link(&r, 1, true);
    assert_true(stprig_info(&r, 1).edge);
}

static void nobody_answers(void **state)
{
    (void)state;
    add(1);
    assert_int_equal(r.port[1].sent, 1);
    assert_true(r.port[1].last.flags & BPDU_PROPOSAL);
    stprig_run(&r, 20 * S - 1); /* listens for max age (17.29.1) */
    assert_state(1, STP_DISCARDING);
    stprig_run(&r, 1);
    assert_state(1, STP_LEARNING);
    stprig_run(&r, 2 * S); /* RSTP's forward delay: hello time (17.20.5) */
    assert_state(1, STP_FORWARDING);
}

static void stp_listens_and_learns(void **state)
{
    (void)state;
    add(1);
    assert_int_equal(r.port[1].last.type, BPDU_CONFIG);
    stprig_run(&r, 15 * S - 1);
    assert_state(1, STP_DISCARDING);
    stprig_run(&r, 1);
    assert_state(1, STP_LEARNING);
    stprig_run(&r, 15 * S - 1);
    assert_state(1, STP_LEARNING);
    stprig_run(&r, 1);
    assert_state(1, STP_FORWARDING);
}

static void stp_root_port_waits(void **state)
{
    struct bpdu b = stprig_config(BETTER, 0, BETTER, 0);

    (void)state;
    add(1);
    stprig_run_with(&r, 14 * S, 1, &b);
    assert_role(1, STP_ROLE_ROOT);
    assert_state(1, STP_DISCARDING);
    stprig_run_with(&r, 2 * S, 1, &b);
    assert_state(1, STP_LEARNING);
    stprig_run_with(&r, 16 * S, 1, &b);
    assert_state(1, STP_FORWARDING);
    assert_int_equal(stprig_info(&r, 1).counts.tx_rst, 0);
}

/* ---- hand-shakes ---- */

static void proposes_until_agreed(void **state)
{
    struct bpdu yes =
        stprig_rst(STPRIG_ID, 0, WORSE, BPDU_ROLE_ROOT, BPDU_AGREEMENT);

    (void)state;
    add(1);
    yes.vector = r.port[1].last.vector;
    yes.vector.bridge = WORSE;
    stprig_run(&r, 4 * S);
    assert_true(r.port[1].last.flags & BPDU_PROPOSAL);
    stprig_hear(&r, 1, &yes);
    assert_state(1, STP_FORWARDING);
    assert_true(stprig_info(&r, 1).agreed);
    assert_true(
        stprig_noted(&r, "port 1: forwarding: f000.020000000003 agreed"));
    stprig_run(&r, 2 * S);
    assert_false(r.port[1].last.flags & BPDU_PROPOSAL);
    assert_int_equal(r.port[1].last.flags & 0x3c, 0x3c);
}

static void shared_links_agree_to_nothing(void **state)
{
    struct bpdu yes =
        stprig_rst(STPRIG_ID, 0, WORSE, BPDU_ROLE_ROOT, BPDU_AGREEMENT);

    (void)state;
    stprig_add(&r, 1)->p2p = false;
    stprig_link(&r, 1, true);
    stprig_hear(&r, 1, &yes);
    assert_state(1, STP_DISCARDING);
}

static void root_port_in_one_step(void **state)
{
    struct bpdu b = from_root(BPDU_PROPOSAL);

    (void)state;
    add(1);
    stprig_hear(&r, 1, &b);
    assert_role(1, STP_ROLE_ROOT);
    assert_state(1, STP_FORWARDING);
    assert_true(r.port[1].last.flags & BPDU_AGREEMENT);
    assert_int_equal(bpdu_role(&r.port[1].last), BPDU_ROLE_ROOT);
    assert_int_equal(r.port[1].last.vector.cost, 100);
    assert_true(stprig_noted(&r, "root is 1000.020000000002, cost 100: better "
                                 "BPDU from 1000.020000000002"));
}

/* Two ports forward to who has not agreed; the root proposes on a third. */
static void agrees_only_when_applied(void **state)
{
    struct bpdu b = from_root(BPDU_PROPOSAL);

    (void)state;
    r.hold_applied = true;
    add(1);
    add(2);
    add(3);
    add_edge(4);
    stprig_hear(&r, 3, &b);
    assert_true(r.port[3].last.flags & BPDU_AGREEMENT);
    stprig_run_with(&r, 25 * S, 3, &b);
    assert_state(1, STP_FORWARDING);
    /* What those who said nothing agreed to was better than this. */
    b.vector.cost = 1000;
    r.port[3].last.flags = 0;
    stprig_hear(&r, 3, &b);
    assert_state(1, STP_DISCARDING);
    assert_state(2, STP_DISCARDING);
    assert_state(4, STP_FORWARDING);
    assert_state(3, STP_FORWARDING);
    assert_false(r.port[3].last.flags & BPDU_AGREEMENT);
    stprig_applied(&r, 2);
    stprig_run(&r, 4 * S);
    assert_false(r.port[3].last.flags & BPDU_AGREEMENT);
    stprig_applied(&r, 1);
    assert_true(r.port[3].last.flags & BPDU_AGREEMENT);
}

/* An old root port becomes alternate: it agrees when it discards itself. */
static void alternate_agrees_when_applied(void **state)
{
    struct bpdu old =
        stprig_rst(BETTER, 50, OTHER, BPDU_ROLE_DESIGNATED, BPDU_PROPOSAL);
    struct bpdu b = from_root(BPDU_PROPOSAL);

    (void)state;
    add(1);
    stprig_hear(&r, 1, &old);
    assert_state(1, STP_FORWARDING);
    r.hold_applied = true;
    add(2);
    stprig_hear(&r, 2, &b);
    assert_role(1, STP_ROLE_ALTERNATE);
    assert_role(2, STP_ROLE_ROOT);
    assert_state(2, STP_DISCARDING); /* before the old one is shut */
    assert_false(r.port[2].last.flags & BPDU_AGREEMENT);
    stprig_forget(&r);
    stprig_hear(&r, 1, &old);
    assert_int_equal(r.port[1].sent, 0);
    stprig_applied(&r, 1);
    assert_true(r.port[1].sent > 0);
    assert_true(r.port[1].last.flags & BPDU_AGREEMENT);
    assert_int_equal(bpdu_role(&r.port[1].last), BPDU_ROLE_ALTERNATE_BACKUP);
    assert_true(r.port[2].last.flags & BPDU_AGREEMENT);
    assert_state(2, STP_FORWARDING);
}

/* A designated port that a dispute shuts is not synced before it is shut. */
static void dispute_shuts(void **state)
{
    struct bpdu b = stprig_rst(WORSE, 0, WORSE, BPDU_ROLE_DESIGNATED,
                               BPDU_LEARNING | BPDU_FORWARDING);

    (void)state;
    add(1);
    stprig_run(&r, 25 * S);
    assert_state(1, STP_FORWARDING);
    r.hold_applied = true;
    stprig_hear(&r, 1, &b);
    assert_state(1, STP_DISCARDING);
    assert_false(stprig_info(&r, 1).synced);
    assert_true(stprig_noted(&r, "the neighbour does not hear us"));
    stprig_applied(&r, 1);
    assert_true(stprig_info(&r, 1).synced);
    r.hold_applied = false;
    for (unsigned i = 0; i < 20; i++) {
        stprig_run_with(&r, 2 * S, 1, &b);
        assert_true(r.port[1].state != STP_FORWARDING);
    }
    stprig_run(&r, 5 * S);
    assert_state(1, STP_FORWARDING);
}

/* ---- roles ---- */

static void alternate_takes_over(void **state)
{
    struct bpdu root = from_root(0);
    struct bpdu other = stprig_rst(BETTER, 100, OTHER, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    add(1);
    add(2);
    stprig_hear(&r, 1, &root);
    stprig_hear(&r, 2, &other);
    /* Designated here: 100 + our 8000... is better than 9000.... */
    assert_role(2, STP_ROLE_DESIGNATED);
    other.vector.cost = 50;
    stprig_hear(&r, 2, &other);
    assert_role(1, STP_ROLE_ROOT);
    assert_role(2, STP_ROLE_ALTERNATE);
    assert_state(2, STP_DISCARDING);
    stprig_forget(&r);
    r.hold_applied = true; /* the old port need not be waited for long */
    stprig_link(&r, 1, false);
    assert_role(1, STP_ROLE_DISABLED);
    assert_role(2, STP_ROLE_ROOT);
    assert_state(1, STP_DISCARDING);
    stprig_applied(&r, 1);
    assert_state(2, STP_FORWARDING);
    assert_int_equal(r.now, 1 * S);
    assert_true(
        stprig_noted(&r, "port 2: root, was alternate: link of port 1"));
}

static void backup_waits_for_its_sister(void **state)
{
    struct bpdu own;

    (void)state;
    add(1);
    add(2);
    own = r.port[1].last;
    stprig_run(&r, 1 * S);
    stprig_hear(&r, 2, &own);
    assert_role(2, STP_ROLE_BACKUP);
    assert_role(1, STP_ROLE_DESIGNATED);
    stprig_run_with(&r, 30 * S, 2, &own);
    assert_state(1, STP_FORWARDING);
    assert_state(2, STP_DISCARDING);
    stprig_run(&r, 4 * S);
    assert_role(2, STP_ROLE_DESIGNATED); /* three hellos after the last one */
}

static void better_root_replaces(void **state)
{
    struct bpdu a = stprig_rst(BETTER, 0, BETTER, BPDU_ROLE_DESIGNATED, 0);
    struct bpdu b = stprig_rst(BEST, 0, BEST, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    add(1);
    add(2);
    stprig_hear(&r, 1, &a);
    stprig_hear(&r, 2, &b);
    assert_role(2, STP_ROLE_ROOT);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_state(2, STP_FORWARDING); /* the old one discards, in this step */
    assert_state(1, STP_DISCARDING);
    assert_true(r.port[1].last.vector.root == BEST);
}

static void ties_are_broken(void **state)
{
    struct bpdu a = from_root(0);

    (void)state;
    add(1);
    add(2);
    add(3);
    r.port[3].config.id = 0x7003;
    stprig_set(&r, 3);
    stprig_hear(&r, 2, &a);
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_ROOT); /* our port identifier */
    stprig_hear(&r, 3, &a);
    assert_role(3, STP_ROLE_ROOT);
    a.vector.port = 0x7001; /* the sender's, which counts first */
    stprig_hear(&r, 2, &a);
    assert_role(2, STP_ROLE_ROOT);
    r.port[1].config.cost = 99;
    stprig_set(&r, 1);
    assert_role(1, STP_ROLE_ROOT);
    r.config.id = BETTER - 5;
    stprig_bridge(&r);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_role(2, STP_ROLE_DESIGNATED);
    assert_true(stprig_noted(&r, "is the root: parameters were changed"));
}

static void old_root_port_waits(void **state)
{
    struct bpdu a = from_root(0), b = from_root(0);

    (void)state;
    b.vector.bridge = b.vector.root = BEST;
    add(1);
    add(2);
    stprig_hear(&r, 1, &a);
    r.hold_applied = true;
    stprig_hear(&r, 2, &b);
    assert_role(2, STP_ROLE_ROOT);
    assert_state(2, STP_DISCARDING); /* re-rooted only when 1 is shut */
    stprig_run(&r, 3 * S);
    assert_state(2, STP_DISCARDING);
    stprig_applied(&r, 1);
    assert_state(2, STP_FORWARDING);
}

static void gone_root_port(void **state)
{
    struct bpdu a = from_root(0);

    (void)state;
    add(1);
    add(2);
    stprig_hear(&r, 1, &a);
    stprig_event(&r, STP_GONE, 1);
    assert_role(2, STP_ROLE_DESIGNATED);
    assert_true(stprig_noted(&r, "is the root: port 1 left the bridge"));
    assert_false(stp_port_info(r.s, 1, r.now, &(struct stp_port_info){0}));
    stprig_event(&r, STP_TICK, 0);
    stprig_event(&r, STP_MCHECK, 1);
    add(1);
    assert_state(1, STP_DISCARDING);
}

static void flap_while_discarding(void **state)
{
    (void)state;
    add_edge(1);
    r.hold_applied = true;
    stprig_link(&r, 1, false);
    assert_state(1, STP_DISCARDING);
    stprig_link(&r, 1, true);
    assert_state(1, STP_DISCARDING);
    assert_int_equal(r.port[1].flushed, 0);
    stprig_applied(&r, 1);
    assert_state(1, STP_FORWARDING);
    assert_int_equal(r.port[1].flushed, 1);
}

/* ---- information ---- */

static void ages_after_three_hellos(void **state)
{
    struct bpdu a = from_root(0);

    (void)state;
    add(1);
    a.times.hello = 3 * STP_SECOND;
    stprig_hear(&r, 1, &a);
    stprig_run(&r, 9 * S - 1);
    assert_role(1, STP_ROLE_ROOT);
    stprig_run(&r, 1);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_true(stprig_noted(&r, "no BPDU from 1000.020000000002 on port 1"));
    a.times.hello = 0; /* never below one second (17.21.13) */
    stprig_hear(&r, 1, &a);
    stprig_run(&r, 3 * S - 1);
    assert_role(1, STP_ROLE_ROOT);
    stprig_run(&r, 1);
    assert_role(1, STP_ROLE_DESIGNATED);
}

static void message_age_grows(void **state)
{
    struct bpdu a = from_root(0);

    (void)state;
    add(1);
    add(2);
    a.times.message_age = 3 * STP_SECOND + 100; /* rounds down */
    stprig_hear(&r, 1, &a);
    assert_int_equal(r.port[2].last.times.message_age, 4 * STP_SECOND);
    a.times.message_age = 3 * STP_SECOND + 128;
    stprig_hear(&r, 1, &a);
    assert_int_equal(r.port[2].last.times.message_age, 5 * STP_SECOND);
    a.times.message_age = 19 * STP_SECOND;
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_ROOT);
    a.times.message_age = 19 * STP_SECOND + 128; /* with us, too old */
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_DESIGNATED);
    a.times.message_age = a.times.max_age = UINT16_MAX;
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_DESIGNATED);
}

static void stale_is_not_heard(void **state)
{
    struct bpdu a = stprig_config(BETTER, 0, BETTER, 0);

    (void)state;
    add_edge(1);
    a.times.message_age = a.times.max_age;
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_int_equal(stprig_info(&r, 1).counts.rx_stale, 1);
    assert_false(stprig_info(&r, 1).edge);
    a.times.message_age -= STP_SECOND;
    stprig_hear(&r, 1, &a);
    assert_int_equal(stprig_info(&r, 1).counts.rx_stale, 1);
    assert_role(1, STP_ROLE_ROOT);
    a.times.message_age += STP_SECOND; /* does not undo what it said before */
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_ROOT);
}

/* Zero from elsewhere is a bridge's word all the same. */
static void odd_times_of_others(void **state)
{
    struct bpdu a = from_root(0);
    struct stp_info i;

    (void)state;
    a.times = (struct stp_times){.max_age = 20 * STP_SECOND};
    add(1);
    add(2);
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_ROOT);
    stp_info(r.s, r.now, &i);
    assert_int_equal(i.times.forward_delay, 2 * STP_SECOND);
    a.times = (struct stp_times){0};
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_DESIGNATED);
    memset(&a.times, 0xff, sizeof(a.times));
    a.times.message_age = 0;
    stprig_hear(&r, 1, &a);
    assert_role(1, STP_ROLE_ROOT);
    r.ticks = 0;
    stprig_run(&r, 100 * S);
    assert_true(r.ticks < 300);
}

static void worse_word_of_the_same(void **state)
{
    struct bpdu a = from_root(0), b;

    (void)state;
    add(1);
    stprig_hear(&r, 1, &a);
    b = a;
    b.vector.root = WORSE; /* it has lost its root; we are the better one */
    stprig_hear(&r, 1, &b);
    assert_role(1, STP_ROLE_DESIGNATED);
    stprig_hear(&r, 1, &a);
    b.vector.bridge = WORSE; /* somebody else's worse word changes nothing */
    stprig_hear(&r, 1, &b);
    assert_role(1, STP_ROLE_ROOT);
}

/* ---- neighbours that speak STP ---- */

static void stp_neighbour_and_back(void **state)
{
    struct bpdu b = stprig_config(WORSE, 0, WORSE, 0);
    struct bpdu rst = stprig_rst(WORSE, 0, WORSE, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    add(1);
    stprig_run(&r, S);
    stprig_hear(&r, 1, &b); /* not within three seconds (17.24) */
    assert_false(stprig_info(&r, 1).stp);
    stprig_run(&r, 3 * S);
    stprig_hear(&r, 1, &b);
    assert_true(stprig_info(&r, 1).stp);
    assert_true(stprig_noted(&r, "port 1: speaks STP, as its neighbour does"));
    stprig_run(&r, 3 * S);
    assert_int_equal(r.port[1].last.type, BPDU_CONFIG);
    stprig_event(&r, STP_MCHECK, 1);
    assert_false(stprig_info(&r, 1).stp);
    stprig_run(&r, 2 * S);
    assert_int_equal(r.port[1].last.type, BPDU_RST);
    stprig_run(&r, 2 * S);
    stprig_hear(&r, 1, &b);
    assert_true(stprig_info(&r, 1).stp);
    stprig_hear(&r, 1, &rst); /* within the delay: no flapping */
    assert_true(stprig_info(&r, 1).stp);
    stprig_run(&r, 3 * S);
    stprig_hear(&r, 1, &rst);
    assert_false(stprig_info(&r, 1).stp);
    assert_true(stprig_noted(&r, "port 1: speaks RSTP to its neighbour"));
}

static void stp_neighbour_waits(void **state)
{
    struct bpdu b = stprig_config(WORSE, 0, WORSE, 0);

    (void)state;
    add(1);
    stprig_run_with(&r, 20 * S - 1, 1, &b);
    assert_state(1, STP_DISCARDING);
    stprig_run_with(&r, 2, 1, &b);
    assert_state(1, STP_LEARNING);
    stprig_run_with(&r, 15 * S - 2, 1, &b);
    assert_state(1, STP_LEARNING);
    stprig_run_with(&r, 1, 1, &b);
    assert_state(1, STP_FORWARDING);
}

static void version_change_begins_anew(void **state)
{
    struct bpdu a = from_root(0);

    (void)state;
    add(1);
    add_edge(2);
    stprig_hear(&r, 1, &a);
    assert_state(1, STP_FORWARDING);
    stprig_forget(&r);
    r.config.force_version = 0;
    stprig_bridge(&r);
    assert_role(1, STP_ROLE_DESIGNATED);
    assert_state(1, STP_DISCARDING);
    assert_int_equal(r.port[1].flushed, 1);
    assert_int_equal(r.port[2].flushed, 0); /* an edge port is not shut */
    assert_state(2, STP_FORWARDING);
    assert_int_equal(r.port[1].last.type, BPDU_CONFIG);
    r.config.force_version = 2;
    stprig_bridge(&r);
    assert_int_equal(r.port[1].last.type, BPDU_RST);
}

/* ---- transmission ---- */

static void hold_count(void **state)
{
    (void)state;
    r.config.tx_hold_count = 3;
    stprig_bridge(&r);
    add(1);
    stprig_forget(&r);
    for (unsigned i = 0; i < 50; i++) {
        r.config.max_age = (uint16_t)((20 + i % 2) * STP_SECOND);
        stprig_bridge(&r);
    }
    assert_int_equal(r.port[1].sent, 2); /* and one when it came up */
    assert_true(stprig_info(&r, 1).config_pending);
    assert_true(stprig_info(&r, 1).hold_timer == S);
    stprig_run(&r, S - 1);
    assert_int_equal(r.port[1].sent, 2);
    stprig_run(&r, 1);
    assert_int_equal(r.port[1].sent, 3);
    assert_int_equal(r.port[1].last.times.max_age, 21 * STP_SECOND);
    assert_false(stprig_info(&r, 1).config_pending);
}

/* As many as it may send at once. */
static unsigned burst(void)
{
    stprig_forget(&r);
    for (unsigned i = 0; i < 50; i++) {
        r.config.max_age = (uint16_t)((20 + i % 2) * STP_SECOND);
        stprig_bridge(&r);
    }
    return r.port[1].sent;
}

/* Whatever the hello time, hellos do not use up what is for changes. */
static void hold_count_recovers(void **state)
{
    static const unsigned hello[] = {1, 2, 3};

    (void)state;
    add(1);
    for (unsigned i = 0; i < 3; i++) {
        r.config.hello = (uint16_t)(hello[i] * STP_SECOND);
        stprig_bridge(&r);
        stprig_run(&r, 20 * S);
        burst();
        stprig_run(&r, 20 * S);
        assert_true(burst() >= r.config.tx_hold_count - 1U);
    }
}

static void hello_times(void **state)
{
    static const unsigned hello[] = {1, 2, 10};

    (void)state;
    add(1);
    for (unsigned i = 0; i < 3; i++) {
        r.config.hello = (uint16_t)(hello[i] * STP_SECOND);
        stprig_bridge(&r);
        stprig_run(&r, 40 * S);
        stprig_forget(&r);
        stprig_run(&r, 100 * S);
        assert_int_equal(r.port[1].sent, 100 / hello[i]);
        assert_int_equal(r.port[1].last.times.hello, r.config.hello);
    }
}

static void root_port_says_nothing(void **state)
{
    struct bpdu a = from_root(0);

    (void)state;
    add(1);
    stprig_run_with(&r, 10 * S, 1, &a);
    stprig_forget(&r);
    stprig_run_with(&r, 30 * S, 1, &a);
    assert_int_equal(r.port[1].sent, 0);
}

#define rstp(f) cmocka_unit_test_setup_teardown(f, up_rstp, down)
#define stp(f)  cmocka_unit_test_setup_teardown(f, up_stp, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rstp(edge_forwards_at_once),
        rstp(auto_edge_after_three_seconds),
        rstp(bpdu_ends_edge),
        rstp(nobody_answers),
        stp(stp_listens_and_learns),
        stp(stp_root_port_waits),
        rstp(proposes_until_agreed),
        rstp(shared_links_agree_to_nothing),
        rstp(root_port_in_one_step),
        rstp(agrees_only_when_applied),
        rstp(alternate_agrees_when_applied),
        rstp(dispute_shuts),
        rstp(alternate_takes_over),
        rstp(backup_waits_for_its_sister),
        rstp(better_root_replaces),
        rstp(ties_are_broken),
        rstp(old_root_port_waits),
        rstp(gone_root_port),
        rstp(flap_while_discarding),
        rstp(ages_after_three_hellos),
        rstp(message_age_grows),
        rstp(stale_is_not_heard),
        rstp(odd_times_of_others),
        rstp(worse_word_of_the_same),
        rstp(stp_neighbour_and_back),
        rstp(stp_neighbour_waits),
        rstp(version_change_begins_anew),
        rstp(hold_count),
        rstp(hold_count_recovers),
        rstp(hello_times),
        rstp(root_port_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
