/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest moves to another port: what was sent to it since it fell silent comes
 * after it, once, in order, and only if a hypervisor announces it.
 */
#include "tests/lib/rig.h"

#include "base/clock.h"
#include "switch/bridge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GUEST 0x525400000001ULL
#define PEER  0x525400000002ULL
#define OTHER 0x525400000003ULL
#define ALL   0xffffffffffffULL
#define RARP  0x8035

/* Longer than a guest must be silent; shorter than frames are kept. */
#define SILENCE 0.02

static struct rig r;

/* The guest is behind old, and may go to new or to a network. */
static int up(void **state)
{
    (void)state;
    rig_up(&r, 1);
    assert_int_equal(rig_add(&r, "mem:old"), 0);
    assert_int_equal(rig_add(&r, "mem:new"), 0);
    assert_int_equal(rig_add(&r, "mem:net,edge=off"), 0);
    assert_int_equal(rig_add(&r, "mem:peer"), 0);
    assert_int_equal(rig_set(&r, "old", BPORT_FOLLOW_MOVES, 1), 0);
    rig_send(&r, "peer", ALL, PEER, 60, 0);
    rig_send(&r, "old", ALL, GUEST, 60, 0);
    rig_send(&r, "old", ALL, OTHER, 60, 0);
    rig_settle(&r);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_balance(&r);
    rig_down(&r);
    return 0;
}

static void forget(void)
{
    (void)rig_count(&r, "old");
    (void)rig_count(&r, "new");
    (void)rig_count(&r, "net");
    (void)rig_count(&r, "peer");
}

static void announce(const char *port, uint64_t mac, unsigned type)
{
    uint8_t f[60];
    struct mac m = mac_from_u64(mac);

    memset(f, 0xff, 6);
    memcpy(f + 6, m.octet, 6);
    memset(f + 12, 0, sizeof(f) - 12);
    f[12] = (uint8_t)(type >> 8);
    f[13] = (uint8_t)type;
    rig_settle(&r);
    forget();
    assert_int_equal(
        bport_mem_inject(rig_port(&r, port), f, sizeof(f), NULL, 1), 0);
    rig_settle(&r);
}

static void sent_in_silence(unsigned n)
{
    rig_run(&r, SILENCE);
    forget();
    for (unsigned i = 0; i < n; i++)
        rig_send(&r, "peer", GUEST, PEER, 60, 100 + i);
    rig_settle(&r);
}

static void frames_come_after_it(void **state)
{
    enum { N = 700 }; /* more than a turn takes */

    (void)state;
    sent_in_silence(N);
    assert_int_equal(rig_count(&r, "old"), N); /* nothing is held back */
    announce("new", GUEST, RARP);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(rig_got(&r, "new"), 100 + i);
    assert_int_equal(rig_got(&r, "new"), -1);
    assert_int_equal(rig_count(&r, "net"), 1); /* the announcement */
    assert_int_equal(rig_reason(&r, "old", REASON_FOLLOWED), N);
    /* the next two announcements, which QEMU sends as well, bring nothing */
    announce("new", GUEST, RARP);
    assert_int_equal(rig_count(&r, "new"), 0);
    /* ... nor does its way back: "old" was not sent anything since */
    announce("old", GUEST, RARP);
    assert_int_equal(rig_count(&r, "old"), 0);
}

static void by_a_network_too(void **state)
{
    (void)state;
    sent_in_silence(3);
    announce("net", GUEST, RARP);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rig_got(&r, "net"), 100 + i);
}

/* Back to where it came from, it would teach others a wrong place. */
static void never_back_to_its_source(void **state)
{
    (void)state;
    sent_in_silence(3);
    announce("peer", GUEST, RARP);
    assert_int_equal(rig_count(&r, "peer"), 0);
    assert_int_equal(rig_reason(&r, "old", REASON_FOLLOWED), 0);
}

static void to_who_is_not_silent_nothing_is_kept(void **state)
{
    (void)state;
    sent_in_silence(3);
    rig_send(&r, "old", PEER, GUEST, 60, 1); /* it answers: it is there */
    announce("new", GUEST, RARP);
    assert_int_equal(rig_count(&r, "new"), 0);
}

static void other_stations_keep_theirs(void **state)
{
    (void)state;
    sent_in_silence(1);
    rig_send(&r, "peer", OTHER, PEER, 60, 7);
    announce("new", GUEST, RARP);
    assert_int_equal(rig_got(&r, "new"), 100);
    assert_int_equal(rig_got(&r, "new"), -1);
    assert_int_equal(rig_count(&r, "old"), 1); /* the announcement */
}

/* Whose address just turns up elsewhere may be in a loop. */
static void only_announcements_count(void **state)
{
    (void)state;
    sent_in_silence(3);
    announce("new", GUEST, 0x0806);
    assert_int_equal(rig_count(&r, "new"), 0);
    announce("old", GUEST, RARP);
    assert_int_equal(rig_count(&r, "old"), 0);
}

static void what_is_old_stays_behind(void **state)
{
    (void)state;
    sent_in_silence(3);
    rig_run(&r, 1.1);
    announce("new", GUEST, RARP);
    assert_int_equal(rig_count(&r, "new"), 0);
}

static void no_more_than_there_is_room_for(void **state)
{
    enum { LEN = 1400, N = 1000 };
    unsigned n;

    (void)state;
    rig_run(&r, SILENCE);
    rig_send_n(&r, "peer", GUEST, PEER, LEN, 1, N);
    announce("new", GUEST, RARP);
    n = rig_count(&r, "new");
    assert_true(n <= HOLD_BYTES / LEN && n > HOLD_BYTES / LEN * 9 / 10);
}

static void as_the_user_wants(void **state)
{
    (void)state;
    assert_int_equal(rig_set(&r, "old", BPORT_FOLLOW_MOVES, 0), 0);
    sent_in_silence(3);
    announce("new", GUEST, RARP);
    assert_int_equal(rig_count(&r, "new"), 0);
    assert_int_equal(rig_set(&r, "old", BPORT_FOLLOW_MOVES, 2), -EINVAL);
}

static void what_may_not_go_there_does_not(void **state)
{
    (void)state;
    assert_int_equal(rig_set(&r, "peer", BPORT_ISOLATED, 1), 0);
    assert_int_equal(rig_set(&r, "new", BPORT_ISOLATED, 1), 0);
    sent_in_silence(3);
    announce("new", GUEST, RARP);
    assert_int_equal(rig_count(&r, "new"), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(frames_come_after_it),       T(by_a_network_too),
        T(never_back_to_its_source),   T(to_who_is_not_silent_nothing_is_kept),
        T(other_stations_keep_theirs), T(only_announcements_count),
        T(what_is_old_stays_behind),   T(no_more_than_there_is_room_for),
        T(as_the_user_wants),          T(what_may_not_go_there_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
