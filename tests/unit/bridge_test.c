/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bridge does with frames, seen from its ports.
 */
#include "tests/lib/rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define A   0x020000000001ULL
#define B   0x020000000002ULL
#define C   0x020000000003ULL
#define ALL 0xffffffffffffULL
#define GRP 0x01005e000001ULL

static struct rig r;

static int three_ports(void **state)
{
    (void)state;
    rig_up(&r, 1);
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    assert_int_equal(rig_add(&r, "mem:p2"), 0);
    assert_int_equal(rig_add(&r, "mem:p3"), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_down(&r);
    return 0;
}

static void send(const char *port, uint64_t dst, uint64_t src, uint32_t mark)
{
    rig_send(&r, port, dst, src, 60, mark);
    rig_settle(&r);
}

#define assert_counts(a, b, c)                                                 \
    do {                                                                       \
        assert_int_equal(rig_count(&r, "p1"), a);                              \
        assert_int_equal(rig_count(&r, "p2"), b);                              \
        assert_int_equal(rig_count(&r, "p3"), c);                              \
    } while (0)

static void unknown_is_flooded_known_is_not(void **state)
{
    (void)state;
    send("p1", B, A, 1);
    assert_counts(0, 1, 1);
    send("p2", A, B, 2);
    assert_counts(1, 0, 0);
    send("p1", B, A, 3);
    assert_counts(0, 1, 0);
    assert_int_equal(rig_reason(&r, "p1", REASON_FLOODED), 1);
    assert_int_equal(rig_reason(&r, "p1", REASON_FORWARDED), 1);
    rig_balance(&r);
}

static void a_station_moves(void **state)
{
    (void)state;
    send("p1", ALL, A, 1);
    assert_counts(0, 1, 1);
    send("p3", ALL, A, 2);
    assert_counts(1, 1, 0);
    send("p2", A, B, 3);
    assert_counts(0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unknown_is_flooded_known_is_not,
                                        three_ports, down),
        cmocka_unit_test_setup_teardown(a_station_moves, three_ports, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
