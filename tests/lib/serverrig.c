/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/serverrig.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT (10 * NSEC_PER_SEC)

struct serverrig srig;

int srig_up(void **state)
{
    struct server_config c = {.fd = -1, .group = (gid_t)-1};
    struct err e;

    (void)state;
    rig_up(&srig.rig, 1);
    assert_int_equal(rig_add(&srig.rig, "mem:a"), 0);
    assert_int_equal(rig_add(&srig.rig, "mem:b"), 0);
    c.loop = srig.rig.loop;
    c.sw = srig.rig.sw;
    return server_new(&srig.server, &c, &e);
}

int srig_down(void **state)
{
    (void)state;
    server_close(srig.server);
    rig_down(&srig.rig);
    server_free(srig.server);
    return 0;
}

void peer_open(struct peer *p, enum authority authority)
{
    int fd[2];

    memset(p, 0, sizeof(*p));
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd),
        0);
    p->fd = fd[0];
    assert_int_equal(server_adopt(srig.server, fd[1], authority), 0);
}

void peer_close(struct peer *p)
{
    close(p->fd);
    free(p->buf);
    ev_run(srig.rig.loop, EVRUN_NOWAIT);
    ev_run(srig.rig.loop, EVRUN_NOWAIT);
}

void peer_turn(void)
{
    ev_run(srig.rig.loop, EVRUN_NOWAIT);
}

/* What has arrived; false at the end of the stream. */
bool peer_receive(struct peer *p)
{
    ssize_t n;

    if (p->cap - p->n < 65536) {
        p->cap = p->cap * 2 + 131072;
        p->buf = realloc(p->buf, p->cap);
        assert_non_null(p->buf);
    }
    n = recv(p->fd, p->buf + p->n, 65536, 0);
    if (n > 0)
        p->n += (size_t)n;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* The next line, parsed; NULL at the end of the stream. */
json_t *peer_line(struct peer *p)
{
    uint64_t end = clock_now() + LIMIT;
    char *nl;

    while (!p->n || !(nl = memchr(p->buf, '\n', p->n))) {
        assert_true(clock_now() < end);
        peer_turn();
        if (!peer_receive(p))
            return NULL;
    }
    json_t *v = json_loadb(p->buf, (size_t)(nl - p->buf), 0, NULL);

    assert_non_null(v);
    p->n -= (size_t)(nl + 1 - p->buf);
    memmove(p->buf, nl + 1, p->n);
    return v;
}

void peer_say(struct peer *p, const char *text)
{
    size_t n = strlen(text);
    uint64_t end = clock_now() + LIMIT;

    while (n > 0) {
        ssize_t sent = send(p->fd, text, n, MSG_NOSIGNAL);

        assert_true(clock_now() < end);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            peer_turn();
            continue;
        }
        text += sent;
        n -= (size_t)sent;
    }
}

json_t *peer_ask(struct peer *p, const char *method, const char *params)
{
    char text[400];

    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n",
             method, params);
    peer_say(p, text);
    return peer_line(p);
}

int answer_code(json_t *answer)
{
    const json_t *e = json_object_get(answer, "error");
    int n = (int)json_integer_value(json_object_get(e, "code"));

    json_decref(answer);
    return n;
}

bool answer_ok(json_t *answer)
{
    bool yes = json_object_get(answer, "result") != NULL;

    json_decref(answer);
    return yes;
}
