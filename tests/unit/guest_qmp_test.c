/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's control protocol against a QEMU played by hand: pieces, events
 * between answers, nonsense, and an end in the midst of it.
 */
#include "ctl/guest/qmp.h"

#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define GREETING                                                               \
    "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}, \"capabilities\": "   \
    "[]}}\r\n"

struct rig {
    char dir[32], path[64];
    struct ev_loop *loop;
    int listener, far;
    struct qmp *q;
    unsigned ready, closed, answers;
    bool close_on_event;
    char said[4096]; /* events and answers, in order */
};

static void note(struct rig *r, const char *a, const char *b)
{
    size_t n = strlen(r->said);

    snprintf(r->said + n, sizeof(r->said) - n, "%s%s;", a, b);
}

static void on_ready(void *arg)
{
    ((struct rig *)arg)->ready++;
}

static void on_event(void *arg, const char *name, const json_t *data)
{
    struct rig *r = arg;
    const char *reason = json_string_value(json_object_get(data, "reason"));

    note(r, name, reason ? reason : "");
    if (r->close_on_event) {
        qmp_close(r->q);
        r->q = NULL;
    }
}

static void on_closed(void *arg)
{
    struct rig *r = arg;

    r->closed++;
    qmp_close(r->q);
    r->q = NULL;
}

static void on_answer(void *arg, const json_t *result, const char *text)
{
    struct rig *r = arg;

    r->answers++;
    note(r, result ? "yes" : "no:", result ? "" : text);
}

static void turn(struct rig *r)
{
    for (int i = 0; i < 5; i++)
        ev_run(r->loop, EVRUN_NOWAIT);
}

static void say(struct rig *r, const char *text)
{
    assert_int_equal(write(r->far, text, strlen(text)), strlen(text));
    turn(r);
}

/* What it has been told, as one string. */
static void hears(struct rig *r, const char *part)
{
    char text[4096];
    ssize_t n = recv(r->far, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    if (!strstr(text, part))
        fail_msg("it hears \"%s\", not \"%s\"", text, part);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct qmp_user user = {on_ready, on_event, on_closed, r};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct err e = {""};

    strcpy(r->dir, "/tmp/qmpXXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof(r->path), "%s/s", r->dir);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", r->path);
    r->loop = ev_loop_new(EVFLAG_AUTO);
    r->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(qmp_open(&r->q, r->loop, r->path, &user, &e), -ENOENT);
    assert_int_equal(bind(r->listener, (const struct sockaddr *)&a, sizeof(a)),
                     0);
    assert_int_equal(listen(r->listener, 1), 0);
    assert_int_equal(qmp_open(&r->q, r->loop, r->path, &user, &e), 0);
    r->far = accept(r->listener, NULL, NULL);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    qmp_close(r->q);
    close(r->far);
    close(r->listener);
    unlink(r->path);
    rmdir(r->dir);
    ev_loop_destroy(r->loop);
    free(r);
    return 0;
}

static void negotiate(struct rig *r)
{
    say(r, GREETING);
    hears(r, "{\"execute\":\"qmp_capabilities\"}\n");
    assert_int_equal(r->ready, 0);
    say(r, "{\"return\": {}}\r\n");
    assert_int_equal(r->ready, 1);
}

static void talk(void **state)
{
    struct rig *r = *state;

    negotiate(r);
    assert_int_equal(qmp_command(r->q, "a", NULL, on_answer, r), 0);
    assert_int_equal(
        qmp_command(r->q, "b", json_pack("{s:b}", "up", 0), on_answer, r), 0);
    hears(r, "{\"execute\":\"b\",\"arguments\":{\"up\":false}}\n");
    /* in pieces, with events between */
    say(r, "{\"event\": \"SHUTDOWN\", \"data\": {\"rea");
    assert_string_equal(r->said, "");
    say(r, "son\": \"guest-shutdown\"}}\n{\"return\": {}}\n{\"event\"");
    say(r,
        ": \"STOP\"}\n{\"error\": {\"class\": \"x\", \"desc\": \"never\"}}\n");
    assert_string_equal(r->said, "SHUTDOWNguest-shutdown;yes;STOP;no:never;");
    assert_int_equal(r->closed, 0);
}

/* Before it takes commands they would be refused. */
static void early(void **state)
{
    struct rig *r = *state;

    assert_int_equal(qmp_command(r->q, "a", NULL, on_answer, r), 0);
    say(r, GREETING);
    assert_int_equal(qmp_command(r->q, "b", NULL, on_answer, r), 0);
    hears(r, "{\"execute\":\"qmp_capabilities\"}\n");
    say(r, "{\"return\": {}}\r\n");
    assert_int_equal(r->ready, 1);
    hears(r, "{\"execute\":\"a\"}\n{\"execute\":\"b\"}\n");
    say(r, "{\"error\": {\"desc\": \"never\"}}\n{\"return\": {}}\n");
    assert_string_equal(r->said, "no:never;yes;");
    assert_int_equal(r->closed, 0);
}

static void not_let_in(void **state)
{
    struct rig *r = *state;

    say(r, GREETING);
    say(r, "{\"error\": {\"desc\": \"never\"}}\n");
    assert_int_equal(r->closed, 1);
    assert_int_equal(r->ready, 0);
}

static void nonsense(void **state)
{
    struct rig *r = *state;

    negotiate(r);
    say(r, "{\"event\": \"STOP\"}\nwhat?\n{\"event\": \"STOP\"}\n");
    assert_string_equal(r->said, "STOP;");
    assert_int_equal(r->closed, 1);
}

static void unasked(void **state)
{
    struct rig *r = *state;

    negotiate(r);
    say(r, "{\"return\": {}}\n");
    assert_int_equal(r->closed, 1);
}

static void endless(void **state)
{
    struct rig *r = *state;
    char text[4096];

    negotiate(r);
    memset(text, ' ', sizeof(text));
    for (int i = 0; i < 64 && !r->closed; i++) {
        (void)!send(r->far, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL);
        turn(r);
    }
    assert_int_equal(r->closed, 1);
}

static void end_of_it(void **state)
{
    struct rig *r = *state;

    negotiate(r);
    assert_int_equal(qmp_command(r->q, "a", NULL, on_answer, r), 0);
    shutdown(r->far, SHUT_RDWR);
    turn(r);
    assert_int_equal(r->closed, 1);
    assert_int_equal(r->answers, 0);
}

static void closed_from_inside(void **state)
{
    struct rig *r = *state;

    negotiate(r);
    r->close_on_event = true;
    say(r, "{\"event\": \"STOP\"}\n{\"event\": \"STOP\"}\n");
    assert_string_equal(r->said, "STOP;");
    assert_int_equal(r->closed, 0);
}

static void too_many(void **state)
{
    struct rig *r = *state;
    int rc = 0, n = 0;

    negotiate(r);
    while (n < 1000 && (rc = qmp_command(r->q, "a", NULL, on_answer, r)) == 0)
        n++;
    assert_int_equal(rc, -EBUSY);
    for (int i = 0; i < n; i++)
        say(r, "{\"return\": {}}\n");
    assert_int_equal(r->answers, n);
    assert_int_equal(qmp_command(r->q, "a", NULL, on_answer, r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(talk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unasked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(endless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(end_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_from_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
