/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other programs: their status and words, the time limit, what they inherit,
 * and one that is kept running.
 */
#include "ctl/l3/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int run(const char *script, char *out, size_t n, struct err *e)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    return child_run(argv, out, n, e);
}

static void test_status_and_words(void **state)
{
    char out[64];
    struct err e = {""};

    (void)state;
    assert_int_equal(
        run("echo to out; echo to err >&2; exit 3", out, sizeof(out), &e), 3);
    assert_string_equal(out, "to out\nto err\n");
    assert_int_equal(run("kill -9 $$", out, sizeof(out), &e), -EINTR);
    assert_non_null(strstr(e.text, "signal 9"));
}

static void test_not_installed(void **state)
{
    const char *const argv[] = {"bascule-no-such-program", NULL};
    char out[64];
    struct err e = {""};

    (void)state;
    assert_int_equal(child_run(argv, out, sizeof(out), &e), -ENOENT);
    assert_string_equal(e.text, "bascule-no-such-program is not installed");
}

/* No descriptor of ours but the three, and no environment but the little. */
static void test_inherits_nothing(void **state)
{
    int fd = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */
    char out[256];

    (void)state;
    assert_true(fd >= 0);
    setenv("BASCULE_SECRET", "x", 1);
    /* the fourth is the shell's own, for looking */
    assert_int_equal(run("set -- /proc/$$/fd/*; echo $#; env | grep -c SECRET; "
                         "echo $PATH",
                         out, sizeof(out), NULL),
                     0);
    assert_string_equal(out, "4\n0\n/usr/sbin:/usr/bin:/sbin:/bin\n");
    unsetenv("BASCULE_SECRET");
    close(fd);
}

/* More than a pipe holds does not stop it. */
static void test_long_words(void **state)
{
    char out[100];

    (void)state;
    assert_int_equal(
        run("head -c 300000 /dev/zero | tr '\\0' x", out, sizeof(out), NULL),
        0);
    assert_true(strlen(out) < sizeof(out));
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool wait_for(bool (*cond)(const char *), const char *path, bool want)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

    for (int i = 0; i < 800; i++) {
        if (cond(path) == want)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* It ends, is started again, and is gone after child_stop. */
static void test_kept_running(void **state)
{
    char dir[] = "/tmp/l3childXXXXXX", script[400], one[60], two[60], cmd[80];
    const char *const argv[] = {"sh", "-c", script, NULL};
    const char *const env[] = {"GIVEN=yes", NULL};
    struct child *c = NULL;
    struct err e = {""};

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(one, sizeof(one), "%s/one", dir);
    snprintf(two, sizeof(two), "%s/two", dir);
    snprintf(script, sizeof(script),
             "test $GIVEN = yes || exit; test -e %s || { touch %s; exit 7; }; "
             "trap 'rm %s; exit' TERM; touch %s; sleep 60 & wait",
             one, one, two, two);
    assert_int_equal(child_start(&c, "a test", argv, env, &e), 0);
    assert_true(wait_for(exists, one, true));
    assert_true(wait_for(exists, two, true)); /* the second time */
    child_stop(c);
    assert_false(exists(two)); /* it heard SIGTERM */
    child_stop(NULL);
    snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
    assert_int_equal(run(cmd, script, sizeof(script), NULL), 0);
}

/* One that does not heed SIGTERM is killed, with what it has started. */
static void test_stubborn(void **state)
{
    const char *const argv[] = {
        "sh", "-c", "trap '' TERM; while :; do sleep 1; done", NULL};
    struct timespec a, b;
    struct child *c = NULL;

    (void)state;
    assert_int_equal(child_start(&c, "a test", argv, NULL, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &a);
    child_stop(c);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(b.tv_sec - a.tv_sec <= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_words),
        cmocka_unit_test(test_not_installed),
        cmocka_unit_test(test_inherits_nothing),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_kept_running),
        cmocka_unit_test(test_stubborn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
