/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/guest/qmp.h"

#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_ (64 << 10) /* of one message; more is nonsense */
#define ASKED_MAX 32         /* commands under way */

struct asked {
    qmp_answer answer;
    void *arg;
};

struct qmp {
    struct ev_loop *loop;
    struct qmp_user user;
    ev_io readable;
    char *buf;
    size_t len, cap;
    struct asked asked[ASKED_MAX]; /* a ring */
    unsigned first, n;
    bool greeted, ready; /* it takes no command before it is ready */
    char *held;          /* those that came too early; malloc'ed */
    size_t held_len;
    bool busy;   /* a function of the user's is at work */
    bool closed; /* ... and has closed it */
};

static void destroy(struct qmp *q)
{
    free(q->buf);
    free(q->held);
    free(q);
}

static void fail(struct qmp *q)
{
    ev_io_stop(q->loop, &q->readable);
    q->user.closed(q->user.arg);
}

/* ---- sending ---- */

static int put(struct qmp *q, const char *text, size_t n)
{
    ssize_t sent = send(q->readable.fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent == (ssize_t)n)
        return 0;
    /* half a command cannot be taken back; and none of ours fills the queue */
    return sent < 0 ? -errno : -EPIPE;
}

static int hold(struct qmp *q, const char *text, size_t n)
{
    char *p = realloc(q->held, q->held_len + n);

    if (!p)
        return -ENOMEM;
    memcpy(p + q->held_len, text, n);
    q->held = p;
    q->held_len += n;
    return 0;
}

static int put_or_hold(struct qmp *q, const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    size_t n;
    int rc;

    if (!text)
        return -ENOMEM;
    n = strlen(text);
    text[n++] = '\n'; /* instead of the NUL */
    rc = q->ready ? put(q, text, n) : hold(q, text, n);
    free(text);
    return rc;
}

int qmp_command(struct qmp *q, const char *name, json_t *arguments,
                qmp_answer answer, void *arg)
{
    json_t *o = json_pack("{s:s}", "execute", name);
    int rc = o ? 0 : -ENOMEM;

    if (arguments && json_object_set_new(o, "arguments", arguments) < 0)
        rc = -ENOMEM;
    if (!rc && q->n == ASKED_MAX)
        rc = -EBUSY;
    if (!rc)
        rc = put_or_hold(q, o);
    json_decref(o);
    if (!rc)
        q->asked[(q->first + q->n++) % ASKED_MAX] = (struct asked){answer, arg};
    return rc;
}

/* ---- receiving ---- */

static void greet(struct qmp *q)
{
    static const char greeting[] = "{\"execute\":\"qmp_capabilities\"}\n";

    if (q->greeted || put(q, greeting, sizeof(greeting) - 1) < 0)
        fail(q);
    q->greeted = true;
}

/* The answer to that, the first one there is. */
static void take_ready(struct qmp *q, const json_t *o)
{
    q->ready = q->greeted && json_object_get(o, "return");
    if (!q->ready || (q->held && put(q, q->held, q->held_len) < 0))
        fail(q);
    else
        q->user.ready(q->user.arg);
}

static void take_answer(struct qmp *q, const json_t *o)
{
    const json_t *error = json_object_get(o, "error");
    const char *text = json_string_value(json_object_get(error, "desc"));
    struct asked a;

    if (q->n == 0) {
        fail(q);
        return;
    }
    a = q->asked[q->first];
    q->first = (q->first + 1) % ASKED_MAX;
    q->n--;
    if (a.answer)
        a.answer(a.arg, json_object_get(o, "return"),
                 text ? text : "QEMU gave no reason");
}

static void take(struct qmp *q, const json_t *o)
{
    const char *event = json_string_value(json_object_get(o, "event"));

    if (event)
        q->user.event(q->user.arg, event, json_object_get(o, "data"));
    else if (json_object_get(o, "QMP"))
        greet(q);
    else if (!q->ready)
        take_ready(q, o);
    else
        take_answer(q, o);
}

/* False: the connection is gone, q with it perhaps. */
static bool take_line(struct qmp *q, const char *line, size_t n)
{
    json_t *o = json_loadb(line, n, JSON_ALLOW_NUL, NULL);

    if (!o) {
        fail(q);
        return false;
    }
    q->busy = true;
    take(q, o);
    q->busy = false;
    json_decref(o);
    if (!q->closed)
        return ev_is_active(&q->readable);
    destroy(q);
    return false;
}

/* False: the connection is gone, q with it perhaps. */
static bool take_lines(struct qmp *q)
{
    size_t at = 0;
    char *end;

    while ((end = memchr(q->buf + at, '\n', q->len - at)) != NULL) {
        size_t n = (size_t)(end - q->buf) - at;

        if (!take_line(q, q->buf + at, n))
            return false;
        at += n + 1;
    }
    memmove(q->buf, q->buf + at, q->len - at);
    q->len -= at;
    return true;
}

static bool make_room(struct qmp *q)
{
    size_t want = q->cap ? q->cap * 2 : 4096;
    char *p;

    if (q->len < q->cap)
        return true;
    p = want <= LINE_MAX_ ? realloc(q->buf, want) : NULL;
    if (!p)
        return false;
    q->buf = p;
    q->cap = want;
    return true;
}

bool qmp_hear(struct qmp *q)
{
    ssize_t n;

    if (!make_room(q)) {
        fail(q);
        return false;
    }
    n = recv(q->readable.fd, q->buf + q->len, q->cap - q->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        fail(q);
        return false;
    }
    q->len += (size_t)n;
    return take_lines(q);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    (void)qmp_hear(w->data);
}

int qmp_open(struct qmp **out, struct ev_loop *loop, const char *path,
             const struct qmp_user *user, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct qmp *q = calloc(1, sizeof(*q));
    int fd, rc = 0;

    if (!q)
        return err_set(e, ENOMEM, "no memory");
    if (strlen(path) >= sizeof(a.sun_path)) {
        free(q);
        return err_set(e, ENAMETOOLONG, "%s: too long", path);
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
        rc = err_sys(e, errno, "%s", path);
    if (rc) {
        if (fd >= 0)
            close(fd);
        free(q);
        return rc;
    }
    q->loop = loop;
    q->user = *user;
    ev_io_init(&q->readable, on_readable, fd, EV_READ);
    q->readable.data = q;
    ev_io_start(loop, &q->readable);
    *out = q;
    return 0;
}

void qmp_close(struct qmp *q)
{
    if (!q)
        return;
    ev_io_stop(q->loop, &q->readable);
    close(q->readable.fd);
    if (q->busy)
        q->closed = true;
    else
        destroy(q);
}
