/* SPDX-License-Identifier: BSD-2-Clause */
/* Naming network namespaces, entering them and coming back. */
#include "ports/netns.h"

#include "ports/netwatch.h"
#include "tests/lib/netrig.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t mine(void)
{
    struct stat st;

    assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
    return st.st_ino;
}

static void named_by_process_and_path(void **state)
{
    char pid[16];
    struct err e = {""};
    int fd;

    (void)state;
    snprintf(pid, sizeof(pid), "%d", getpid());
    fd = netns_open(pid, &e);
    assert_true(fd >= 0);
    assert_true(netns_id(fd) == mine());
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    fd = netns_open("/proc/self/ns/net", &e);
    assert_true(fd >= 0);
    assert_true(netns_id(fd) == mine());
    close(fd);
}

static void named_under_run(void **state)
{
    struct err e = {""};
    char name[32];
    int fd;

    (void)state;
    snprintf(name, sizeof(name), "nstest-%d", getpid());
    netrig_do(-1, "ip netns add %s", name);
    fd = netns_open(name, &e);
    netrig_do(-1, "ip netns del %s", name);
    assert_true(fd >= 0);
    assert_true(netns_id(fd) != mine());
    close(fd);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
        int rc;
    } bad[] = {
        {"", "empty", -EINVAL},
        {"no-such-namespace", "no network namespace", -ENOENT},
        {"999999999", "no network namespace", -ENOENT},
        {"/etc/passwd", "not a network namespace", -EINVAL},
        {"/proc/self/ns/mnt", "not a network namespace", -EINVAL},
        {"/no/such/path", "no network namespace", -ENOENT},
    };
    unsigned before = netrig_fds();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = {""};

        assert_int_equal(netns_open(bad[i].text, &e), bad[i].rc);
        if (!strstr(e.text, bad[i].says))
            fail_msg("\"%s\": says \"%s\"", bad[i].text, e.text);
    }
    assert_int_equal(netrig_fds(), before);
}

static void enter_and_leave(void **state)
{
    struct netns_scope s;
    uint64_t home = mine();
    int fd = netrig_ns();
    unsigned before = netrig_fds();

    (void)state;
    assert_int_equal(netns_enter(&s, fd, NULL), 0);
    assert_true(mine() == netns_id(fd));
    assert_true(mine() != home);
    netns_leave(&s);
    assert_true(mine() == home);
    netns_leave(&s); /* harmless */

    assert_int_equal(netns_enter(&s, -1, NULL), 0);
    assert_true(mine() == home);
    netns_leave(&s);
    assert_int_equal(netrig_fds(), before);
    close(fd);
}

static void entering_can_fail(void **state)
{
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC), fd = netrig_ns();
    struct rlimit old, none = {.rlim_cur = 0};
    struct netns_scope s;
    struct err e = {""};
    uint64_t home = mine();

    (void)state;
    assert_int_equal(netns_enter(&s, file, &e), -EINVAL);
    assert_string_not_equal(e.text, "");
    netns_leave(&s);

    getrlimit(RLIMIT_NOFILE, &old);
    none.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(netns_enter(&s, fd, &e), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &old);
    netns_leave(&s);
    assert_true(mine() == home);
    close(fd);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_by_process_and_path),
        cmocka_unit_test(named_under_run),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(enter_and_leave),
        cmocka_unit_test(entering_can_fail),
    };

    netrig_start();
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
