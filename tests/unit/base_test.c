/* SPDX-License-Identifier: BSD-2-Clause */
/* base/: errors, addresses, the cursor. */
#include "base/cursor.h"
#include "base/err.h"
#include "base/mac.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- err ---- */

static void err_says_and_returns(void **state)
{
    struct err e = {""};

    (void)state;
    assert_int_equal(err_set(&e, EBUSY, "port %s is taken", "eth1"), -EBUSY);
    assert_string_equal(e.text, "port eth1 is taken");
    assert_int_equal(err_set(&e, -EBUSY, "again"), -EBUSY);
    assert_string_equal(e.text, "again");
    assert_int_equal(err_sys(&e, EPERM, "tc ingress"), -EPERM);
    assert_string_equal(e.text, "tc ingress: Operation not permitted");
    assert_int_equal(err_wrap(&e, -EPERM, "port %d", 3), -EPERM);
    assert_string_equal(e.text, "port 3: tc ingress: Operation not permitted");
    assert_int_equal(err_set(NULL, EIO, "nobody asks"), -EIO);
    assert_int_equal(err_sys(NULL, EIO, "nobody asks"), -EIO);
    assert_int_equal(err_wrap(NULL, EIO, "nobody asks"), -EIO);
}

static void err_cuts(void **state)
{
    struct {
        struct err e;
        char behind[8];
    } s = {.behind = "behind"};
    char longer[2 * ERR_TEXT_MAX];

    (void)state;
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    err_set(&s.e, EIO, "%s", longer);
    assert_int_equal(strlen(s.e.text), ERR_TEXT_MAX - 1);
    err_sys(&s.e, EIO, "%s", longer);
    assert_int_equal(strlen(s.e.text), ERR_TEXT_MAX - 1);
    err_set(&s.e, EIO, "inner");
    err_wrap(&s.e, EIO, "%s", longer);
    assert_int_equal(strlen(s.e.text), ERR_TEXT_MAX - 1);
    err_wrap(&s.e, EIO, "outer");
    assert_int_equal(strlen(s.e.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(s.e.text, "outer: xxx", 10);
    assert_string_equal(s.behind, "behind");
}

/* ---- mac ---- */

static void mac_numbers(void **state)
{
    struct mac m = {{0x02, 0x11, 0x22, 0x33, 0x44, 0xfe}}, n;
    char text[MAC_TEXT_MAX];

    (void)state;
    assert_int_equal(mac_to_u64(&m), 0x0211223344fe);
    n = mac_from_u64(0x0211223344fe);
    assert_true(mac_equal(&m, &n));
    assert_string_equal(mac_format(&m, text), "02:11:22:33:44:fe");
    n.octet[5] = 0xff;
    assert_true(mac_compare(&m, &n) < 0);
    n.octet[0] = 0x01;
    assert_true(mac_compare(&m, &n) > 0);
    assert_true(mac_is_group(&n));
    assert_false(mac_is_group(&m));
    assert_false(mac_is_zero(&m));
    n = mac_from_u64(0);
    assert_true(mac_is_zero(&n));
}

static void mac_reads(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        "02",
        "02:11:22:33:44",
        "02:11:22:33:44:",
        "02:11:22:33:44:55:66",
        "02:11:22:33:44:555",
        "02:11:22-33:44:55",
        "02:11:22:33:44:5g",
        " 02:11:22:33:44:55",
        "02:11:22:33:44:55 ",
        "0211.2233.4455",
        "021122334455",
        "02::22:33:44:55",
    };
    struct mac m;

    (void)state;
    assert_true(mac_parse("02:11:22:33:44:55", &m));
    assert_int_equal(mac_to_u64(&m), 0x021122334455);
    assert_true(mac_parse("A-b-C-0d-0-1", &m));
    assert_int_equal(mac_to_u64(&m), 0x0a0b0c0d0001);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mac_parse(bad[i], &m))
            fail_msg("\"%s\" was read as an address", bad[i]);
        assert_int_equal(mac_to_u64(&m), 0x0a0b0c0d0001); /* untouched */
    }
}

static void mac_randoms(void **state)
{
    struct mac a = mac_random(), b = mac_random();

    (void)state;
    assert_int_equal(a.octet[0] & 3, 2);
    assert_int_equal(b.octet[0] & 3, 2);
    assert_false(mac_equal(&a, &b)); /* 1 in 2^46 */
}

/* ---- cursor ---- */

static void cursor_reads(void **state)
{
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct cursor c = cursor_over(bytes, sizeof(bytes));
    uint8_t u8, some[2];
    uint16_t u16;
    uint32_t u32;

    (void)state;
    assert_int_equal(cursor_left(&c), 9);
    assert_true(cursor_u8(&c, &u8));
    assert_int_equal(u8, 1);
    assert_true(cursor_be16(&c, &u16));
    assert_int_equal(u16, 0x0203);
    assert_true(cursor_be32(&c, &u32));
    assert_int_equal(u32, 0x04050607);
    assert_true(cursor_bytes(&c, some, 2));
    assert_int_equal(some[1], 9);
    assert_int_equal(cursor_left(&c), 0);
    assert_true(cursor_skip(&c, 0));
}

static void cursor_stops(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct cursor c = cursor_over(bytes, sizeof(bytes));
    uint8_t u8 = 9, some[4] = {9, 9, 9, 9};
    uint16_t u16 = 9;
    uint32_t u32 = 9;

    (void)state;
    assert_false(cursor_be32(&c, &u32));
    assert_false(cursor_bytes(&c, some, 4));
    assert_false(cursor_skip(&c, 4));
    assert_false(cursor_skip(&c, SIZE_MAX));
    assert_int_equal(u32, 9);
    assert_int_equal(some[0], 9);
    assert_int_equal(cursor_left(&c), 3); /* nothing moved */
    assert_true(cursor_skip(&c, 2));
    assert_false(cursor_be16(&c, &u16));
    assert_int_equal(u16, 9);
    assert_true(cursor_u8(&c, &u8));
    assert_int_equal(u8, 3);
    assert_false(cursor_u8(&c, &u8));
    assert_int_equal(u8, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_says_and_returns), cmocka_unit_test(err_cuts),
        cmocka_unit_test(mac_numbers),          cmocka_unit_test(mac_reads),
        cmocka_unit_test(mac_randoms),          cmocka_unit_test(cursor_reads),
        cmocka_unit_test(cursor_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
