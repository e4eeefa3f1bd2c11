/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon's start consists of: its options, its socket.
 */
#include "ctl/listen.h"
#include "ctl/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void processor_lists(void **state)
{
    struct err e;
    unsigned n;
    int cpu[OPTIONS_WORKERS_MAX];

    (void)state;
    assert_int_equal(options_cpu_list("0,2-4", cpu, &n, &e), 0);
    assert_int_equal(n, 4);
    assert_int_equal(cpu[3], 4);
    for (const char *const *s =
             (const char *const[]){"", "x", "1-", "-1", "3-1", "1,,2", "1 2",
                                   "99999", "1,", NULL};
         *s; s++) {
        assert_true(options_cpu_list(*s, cpu, &n, &e) < 0);
        assert_non_null(strstr(e.text, "--cpus"));
    }
    assert_int_equal(options_cpu_list("0-20", cpu, &n, &e), -E2BIG);
}

/* Processors that no worker would use are refused, not ignored. */
static void more_processors_than_workers(void **state)
{
    char name[] = "basculed", cpus[] = "--cpus=0,0", two[] = "--workers=2";
    char *argv[] = {name, cpus, two, NULL};
    struct options o;
    struct err e;

    (void)state;
    assert_int_equal(options_parse(&o, 2, argv, &e), -EINVAL);
    assert_non_null(strstr(e.text, "--workers"));
    assert_int_equal(options_parse(&o, 3, argv, &e), 0);
    assert_int_equal(o.workers, 2);
}

static void help_by_its_letter(void **state)
{
    char name[] = "basculed", letter[] = "-h", word[] = "--help", no[] = "-H";
    char *by_letter[] = {name, letter, NULL}, *by_word[] = {name, word, NULL};
    char *none[] = {name, no, NULL};
    struct options o;
    struct err e;

    (void)state;
    assert_int_equal(options_parse(&o, 2, by_letter, &e), 1);
    assert_int_equal(options_parse(&o, 2, by_word, &e), 1);
    assert_int_equal(options_parse(&o, 2, none, &e), -EINVAL);
    assert_string_equal(e.text, "there is no option -H; see --help");
}

static void one_listener_per_path(void **state)
{
    char dir[] = "/tmp/bascule-listen-XXXXXX";
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct listener l, second;
    struct err e;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
    assert_int_equal(listener_open(&l, &a, (gid_t)-1, &e), 0);
    assert_int_equal(listener_open(&second, &a, (gid_t)-1, &e), -EADDRINUSE);
    assert_int_equal(access(a.sun_path, F_OK), 0);
    listener_close(&l, false);
    assert_int_equal(access(a.sun_path, F_OK), -1);
    assert_int_equal(listener_open(&l, &a, (gid_t)-1, &e), 0);
    listener_close(&l, false);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processor_lists),
        cmocka_unit_test(more_processors_than_workers),
        cmocka_unit_test(help_by_its_letter),
        cmocka_unit_test(one_listener_per_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
