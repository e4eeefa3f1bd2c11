/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/stp: deadlines, many ports, room for actions, words. */
#include "tests/lib/stprig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define S      STPRIG_SECOND
#define BETTER STPRIG_BETTER
#define WORSE  STPRIG_WORSE

static struct stprig r, other;

static struct bpdu from_root(uint8_t flags)
{
    return stprig_rst(BETTER, 0, BETTER, BPDU_ROLE_DESIGNATED, flags);
}

static void add(struct stprig *q, uint16_t port)
{
    stprig_add(q, port)->up = true;
    stprig_set(q, port);
}

/* ---- deadlines ---- */

/* One of many things that may happen. */
static void something(struct stprig *q, uint32_t what)
{
    static const uint64_t bridge[] = {BETTER, WORSE, 0x9000020000000004ULL};
    uint16_t port = (uint16_t)(1 + what % 4);
    struct stp_port_config *c = &q->port[port].config;
    uint64_t from = bridge[what / 4 % 3];
    struct bpdu b;

    switch (what / 16 % 16) {
    case 0:
    case 1:
        stprig_link(q, port, !c->up);
        return;
    case 2:
        b = stprig_config(BETTER, 10, from, (uint8_t)(what >> 8));
        break;
    case 3:
        b = (struct bpdu){.type = BPDU_TCN};
        break;
    case 4:
        stprig_event(q, STP_MCHECK, port);
        return;
    case 5:
        c->bpdu_guard = !c->bpdu_guard && what & 0x100;
        c->loop_guard = what & 0x200;
        c->assurance = what & 0x400;
        stprig_set(q, port);
        return;
    case 6:
        b = q->port[1 + what / 4 % 4].last;
        break;
    default:
        b = stprig_rst(from, what >> 8 & 0xff, from, what >> 9 & 3,
                       (uint8_t)(what >> 8 & ~BPDU_ROLE_MASK));
        break;
    }
    stprig_hear(q, port, &b);
}

static void start(struct stprig *q, uint8_t version)
{
    stprig_up(q, 4, version);
    for (uint16_t i = 1; i <= 4; i++) {
        stprig_add(q, i)->up = true;
        q->port[i].config.auto_edge = i & 1;
        stprig_set(q, i);
    }
}

static void run_in_steps(struct stprig *q, uint64_t ns, uint64_t step)
{
    for (uint64_t end = q->now + ns; q->now < end;) {
        q->now += step;
        stprig_event(q, STP_TICK, 0);
    }
}

static void assert_alike(const struct stprig *a, const struct stprig *b)
{
    for (uint16_t i = 1; i <= 4; i++) {
        struct stp_port_info x = stprig_info(a, i), y = stprig_info(b, i);

        assert_int_equal(x.role, y.role);
        assert_int_equal(a->port[i].state, b->port[i].state);
        assert_int_equal(x.guard, y.guard);
        assert_int_equal(x.edge, y.edge);
        assert_int_equal(x.stp, y.stp);
        assert_int_equal(a->port[i].sent, b->port[i].sent);
        assert_int_equal(a->port[i].flushed, b->port[i].flushed);
        assert_int_equal(a->port[i].states, b->port[i].states);
    }
    assert_int_equal(a->age, b->age);
    assert_string_equal(a->notes, b->notes);
}

/*
 * Who is told of time only when it asks comes to the same end, by the same
 * ways, as who is told every 10 ms; and asks seldom.
 */
static void deadlines_suffice(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        start(&r, round % 4 ? 2 : 0);
        start(&other, round % 4 ? 2 : 0);
        for (unsigned i = 0; i < 12; i++) {
            uint64_t ns;

            seed = seed * 1664525 + 1013904223;
            ns = 10000000ULL * (seed >> 8 & 0x3ff);
            stprig_forget(&r);
            stprig_forget(&other);
            something(&r, seed >> 4);
            something(&other, seed >> 4);
            stprig_run(&r, ns);
            run_in_steps(&other, ns, 10000000);
            assert_true(r.ticks <= 10 + ns / S * 4 * 4);
            assert_alike(&r, &other);
        }
        stprig_down(&r);
        stprig_down(&other);
    }
}

static void nothing_due(void **state)
{
    (void)state;
    stprig_up(&r, 4, 2);
    assert_true(stp_deadline(r.s) == STP_NEVER);
    stprig_add(&r, 1);
    stprig_set(&r, 1);
    assert_true(stp_deadline(r.s) == STP_NEVER);
    r.port[1].config.bpdu_filter = r.port[1].config.up = true;
    stprig_set(&r, 1);
    stprig_run(&r, 60 * S);
    assert_true(stp_deadline(r.s) == STP_NEVER);
    stprig_down(&r);
}

/* ---- many ports ---- */

static void many(uint16_t ports, unsigned max_actions)
{
    stprig_up(&r, ports, 2);
    r.max_actions = max_actions;
    r.hold_applied = true;
    for (uint16_t i = 1; i <= ports; i++)
        add(&r, i);
}

static void apply_all(uint16_t ports)
{
    for (uint16_t i = 1; i <= ports; i++)
        while (r.port[i].to_apply)
            stprig_applied(&r, i);
}

/* Little room: all is done all the same, in the same order for each port. */
static void room_for_actions(void **state)
{
    static const unsigned room[] = {STP_ACTIONS_MIN, 20000};
    struct bpdu b = from_root(BPDU_PROPOSAL);

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        many(STPRIG_PORTS, room[k]);
        stprig_run(&r, 25 * S);
        for (uint16_t i = 1; i <= STPRIG_PORTS; i++)
            assert_int_equal(r.port[i].state, STP_FORWARDING);
        stprig_hear(&r, 7, &b);
        b.vector.cost = 1;
        r.port[7].last.flags = 0;
        stprig_forget(&r);
        stprig_hear(&r, 7, &b);
        if (k == 1)
            assert_int_equal(r.steps, 1);
        else
            assert_true(r.steps > 20);
        for (uint16_t i = 1; i <= STPRIG_PORTS; i++)
            assert_int_equal(r.port[i].state,
                             i == 7 ? STP_FORWARDING : STP_DISCARDING);
        assert_false(r.port[7].last.flags & BPDU_AGREEMENT);
        apply_all(STPRIG_PORTS);
        assert_true(r.port[7].last.flags & BPDU_AGREEMENT);
        stprig_run(&r, 2 * S);
        for (uint16_t i = 1; i <= STPRIG_PORTS; i++) {
            assert_true(r.port[i].sent > 0);
            assert_true(r.port[i].last.vector.cost == 101);
            assert_true(r.port[i].last.vector.root == BETTER);
        }
        b.vector.cost = 0;
        stprig_down(&r);
    }
}

/* ---- words ---- */

static const char *name(void *arg, uint16_t port)
{
    (void)arg;
    return port == 1 ? "eth0" : NULL;
}

static const char *why(uint16_t port)
{
    static const struct stp_names names = {.name = name};
    static char text[STP_WHY_MAX];
    size_t n = stp_why(r.s, port, r.now, &names, text, sizeof(text));

    assert_int_equal(n, strlen(text));
    for (size_t size = 0; size <= n; size++) { /* cut, and never over the end */
        char *cut = malloc(size + 1);

        assert_non_null(cut);
        cut[size] = '!';
        stp_why(r.s, port, r.now, &names, cut, size);
        assert_int_equal(cut[size], '!');
        assert_true(!size || strlen(cut) == size - 1);
        free(cut);
    }
    return text;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not said: \"%s\" in:\n%s", part, text);
}

static void says_why(void **state)
{
    struct bpdu root = from_root(0), own;
    struct bpdu far =
        stprig_rst(BETTER, 50, 0x9000020000000004, BPDU_ROLE_DESIGNATED, 0);

    (void)state;
    stprig_up(&r, 8, 2);
    for (uint16_t i = 1; i <= 5; i++)
        add(&r, i);
    assert_says(why(1), "It is designated: this bridge is the root.\n  sends");
    assert_says(why(1), "No bridge has been heard since it is up.\n");
    assert_says(why(1), "It is discarding: link of eth0 came up.\n"
                        "  It waits for its neighbour's agreement, at most "
                        "20.00 s more.\n");
    stprig_hear(&r, 1, &root);
    assert_says(why(1), "It is the root port");
    assert_says(why(1), "root 1000.020000000002  cost 0  bridge "
                        "1000.020000000002  port 8001\n");
    assert_says(why(1), "with its own path cost 100 that makes 100.\n"
                        "  No other port hears of a root.\n");
    assert_says(why(1), "It is forwarding: root port");
    stprig_hear(&r, 2, &far);
    assert_says(why(2), "It is an alternate port");
    assert_says(why(2), "the cost to the root decided.\n");
    assert_says(why(2), "It is discarding: alternate ports do not forward.\n");
    assert_says(why(1), "By port 2 it would be root 1000.020000000002, cost "
                        "150: the cost to the root decided.\n");
    own = r.port[3].last;
    stprig_hear(&r, 4, &own);
    assert_says(why(4), "It is a backup port");
    assert_says(why(3), "for its segment this bridge is the best way");
    stprig_hear(&r, 3, &far);
    far.vector.cost = 5000;
    stprig_hear(&r, 3, &far);
    assert_says(why(3), "  heard      root 1000.020000000002  cost 5000");
    stprig_link(&r, 5, false);
    assert_says(why(5),
                "It is disabled: it has no link, or the bridge is down.\n");
    stprig_link(&r, 5, true);
    assert_says(why(5), "It is discarding: link of port 5 came up.\n");
    r.port[5].config.bpdu_guard = true;
    stprig_set(&r, 5);
    stprig_hear(&r, 5, &far);
    assert_says(why(5), "It is error-disabled: BPDU guard is on, and a BPDU "
                        "came.\n");
    assert_says(why(5), "It is tried again in 30.00 s.\n");
    r.port[2].config.root_guard = true;
    stprig_set(&r, 2);
    root.vector.root = root.vector.bridge = 0x99;
    stprig_hear(&r, 2, &root);
    assert_says(why(2), "It is shut by root guard");
    assert_says(why(1), "root guard decided.\n");
    r.port[2].config.bpdu_filter = true;
    stprig_set(&r, 2);
    assert_says(why(2), "BPDU filter is on: it neither sends nor hears");
    assert_int_equal(stp_why(r.s, 8, 0, NULL, (char[4]){"x"}, 4), 0);
    assert_int_equal(stp_why(r.s, 0, 0, NULL, (char[4]){"x"}, 4), 0);
    assert_int_equal(stp_why(r.s, 999, 0, NULL, (char[4]){"x"}, 4), 0);
    stprig_down(&r);
}

static void says_that_it_speaks_stp(void **state)
{
    struct bpdu b = stprig_config(WORSE, 0, WORSE, 0);

    (void)state;
    stprig_up(&r, 8, 2);
    add(&r, 1);
    stprig_run(&r, 4 * S);
    stprig_hear(&r, 1, &b);
    assert_says(why(1), "  It waits, at most 16.00 s more.\n"
                        "  Its neighbour speaks STP, so this port does.\n");
    stprig_down(&r);
}

/* Every note there can be has its sentence, and ends within its bounds. */
static void notes_are_sentences(void **state)
{
    const struct stp_names names = {.name = name};

    (void)state;
    for (unsigned type = 0; type <= STP_NOTE_TC; type++)
        for (unsigned cause = 0; cause <= STP_CAUSE_RECOVERED; cause++)
            for (unsigned k = 0; k < 6; k++) {
                struct stp_note n = {.type = (enum stp_note_type)type,
                                     .cause = (enum stp_cause)cause,
                                     .role = k % 5,
                                     .was = (k + 1) % 5,
                                     .state = k % 3,
                                     .guard = (enum stp_guard)k,
                                     .yes = k & 1,
                                     .cause_port = (uint16_t)k,
                                     .cause_bridge = k ? UINT64_MAX : 0,
                                     .vector.cost = UINT32_MAX};
                char text[STP_TEXT_MAX];

                memset(text, 'x', sizeof(text));
                stp_note_format(&n, (uint16_t)k, &names, text);
                assert_non_null(memchr(text, '\0', sizeof(text)));
                assert_true(strlen(text) > 10);
                assert_true(strlen(text) < STP_TEXT_MAX - 1);
                assert_null(strchr(text, '?'));
            }
}

static void brctl_values(void **state)
{
    struct bpdu root = from_root(BPDU_TC);
    struct stp_info i;

    (void)state;
    stprig_up(&r, 8, 2);
    add(&r, 1);
    add(&r, 2);
    r.now += S / 2;
    stp_info(r.s, r.now, &i);
    assert_true(i.hello_timer == 2 * S - S / 2);
    assert_int_equal(i.root_port, 0);
    assert_true(i.root.root == STPRIG_ID && i.root.cost == 0);
    assert_false(i.change || i.detected);
    stprig_event(&r, STP_TICK, 0);
    stprig_hear(&r, 1, &root);
    stp_info(r.s, r.now, &i);
    assert_int_equal(i.root_port, 1);
    assert_int_equal(i.root.cost, 100);
    assert_true(i.root.root == BETTER);
    assert_int_equal(i.times.message_age, STP_SECOND);
    assert_true(i.hello_timer == 0);
    assert_true(i.change && i.detected && i.change_timer == 3 * S);
    assert_int_equal(i.change_port, 1);
    assert_true(i.change_at == r.now);
    assert_true(stprig_info(&r, 1).age_timer == 6 * S);
    assert_true(stprig_info(&r, 1).received);
    assert_false(stprig_info(&r, 2).received);
    assert_true(stprig_info(&r, 2).delay_timer == 20 * S - S / 2);
    assert_true(stprig_info(&r, 2).designated.cost == 100);
    stprig_down(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_suffice),
        cmocka_unit_test(nothing_due),
        cmocka_unit_test(room_for_actions),
        cmocka_unit_test(says_why),
        cmocka_unit_test(says_that_it_speaks_stp),
        cmocka_unit_test(notes_are_sentences),
        cmocka_unit_test(brctl_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
