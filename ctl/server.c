/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "ctl/adopt/adopt.h"
#include "ctl/apply/apply.h"
#include "ctl/call.h"
#include "ctl/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Groups of a peer that are looked at; more is unheard of on a lab's host. */
#define GROUPS_MAX 1024

static bool in_group(int fd, const struct ucred *cred, gid_t group)
{
    gid_t list[GROUPS_MAX];
    socklen_t len = sizeof(list);

    if (group == (gid_t)-1)
        return false;
    if (cred->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) < 0)
        return false;
    for (unsigned i = 0; i < len / sizeof(list[0]); i++) {
        if (list[i] == group)
            return true;
    }
    return false;
}

static enum authority authority_of(const struct server *s, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return AUTHORITY_READ;
    if (cred.uid == 0 || cred.uid == geteuid())
        return AUTHORITY_OWNER;
    return in_group(fd, &cred, s->group) ? AUTHORITY_CHANGE : AUTHORITY_READ;
}

/* A socket we will not serve hears why; what it cannot take is lost. */
static void turn_away(struct server *s, int fd, const char *why)
{
    struct rpc_error e = {.code = RPC_LIMIT};
    struct text t = {0};

    s->n_refused++;
    snprintf(e.text, sizeof(e.text), "%s", why);
    if (rpc_write_error(&t, NULL, &e) == 0)
        (void)!send(fd, t.p, t.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    text_free(&t);
    close(fd);
}

int server_adopt(struct server *s, int fd, enum authority authority)
{
    struct conn *c;

    if (s->n_conns >= SERVER_CLIENTS_MAX) {
        turn_away(s, fd, "too many clients (256); try again later");
        return -EUSERS;
    }
    if (authority == AUTHORITY_READ && s->n_readers >= SERVER_READERS_MAX) {
        turn_away(s, fd,
                  "too many clients without authority (192); try again later");
        return -EUSERS;
    }
    c = conn_new(s, fd, authority);
    if (!c)
        return -ENOMEM;
    return 0;
}

/* No descriptor for the next client: others go on, new ones wait. */
static void pause_accepting(struct server *s)
{
    if (!s->told_full)
        log_warn("control socket: no file descriptors left; new clients wait "
                 "(raise LimitNOFILE)");
    s->told_full = true;
    ev_io_stop(s->loop, &s->accept);
    ev_timer_set(&s->retry, 1., 0.);
    ev_timer_start(s->loop, &s->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct server *s = w->data;

    (void)revents;
    ev_io_start(loop, &s->accept);
}

void server_spare(struct server *s)
{
    if (s->fd >= 0 && s->spare < 0)
        s->spare = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
}

static void drop_spare(struct server *s)
{
    if (s->spare >= 0)
        close(s->spare);
    s->spare = -1;
}

static int accept_one(struct server *s)
{
    return accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* The descriptor of the next client, or -1 with errno. */
static int next_client(struct server *s)
{
    int fd = accept_one(s);

    if (fd >= 0 || errno != EMFILE || s->spare < 0)
        return fd;
    drop_spare(s);
    return accept_one(s);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
    struct server *s = w->data;

    (void)loop;
    (void)revents;
    for (int i = 0; i < 16; i++) { /* the rest in the next turn */
        int fd = next_client(s);

        if (fd >= 0) {
            (void)server_adopt(s, fd, authority_of(s, fd));
            continue;
        }
        if (is_shortage(errno))
            pause_accepting(s);
        return;
    }
}

/*
 * Everybody who has work gets a piece of it in rotation until the slice is
 * used up; the rest waits for the next turn, which the timer makes come at
 * once while other watchers get theirs.
 */
static void on_run(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct server *s = w->data;
    uint64_t end = clock_now() + SERVER_SLICE_NS;
    struct conn *c;

    (void)revents;
    while ((c = TAILQ_FIRST(&s->ready)) != NULL) {
        TAILQ_REMOVE(&s->ready, c, ready);
        c->is_ready = false;
        if (conn_run(c))
            conn_ready(c);
        if (clock_now() >= end)
            break;
    }
    if (!TAILQ_EMPTY(&s->ready)) {
        ev_timer_set(w, 0., 0.);
        ev_timer_start(loop, w);
    }
}

void server_reap(struct server *s)
{
    struct conn *c = TAILQ_FIRST(&s->conns), *next;
    bool some = false;

    for (; c; c = next) {
        next = TAILQ_NEXT(c, all);
        if (ev_is_active(&c->rd))
            continue; /* which would tell */
        some = true;
        if (conn_hung_up(c))
            conn_free(c);
    }
    if (!some)
        ev_timer_stop(s->loop, &s->reaper);
}

static void on_reap(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    server_reap(w->data);
}

int server_new(struct server **out, const struct server_config *c,
               struct err *e)
{
    struct server *s = calloc(1, sizeof(*s));

    if (!s)
        return err_sys(e, ENOMEM, "control socket");
    s->loop = c->loop;
    s->sw = c->sw;
    s->fd = c->fd;
    s->spare = -1;
    server_spare(s);
    s->group = c->group;
    s->started = clock_now();
    TAILQ_INIT(&s->conns);
    TAILQ_INIT(&s->ready);
    LIST_INIT(&s->calls);
    LIST_INIT(&s->waiters);
    ev_timer_init(&s->runner, on_run, 0., 0.);
    ev_timer_init(&s->retry, on_retry, 1., 0.);
    ev_timer_init(&s->reaper, on_reap, 1., 1.);
    s->reaper.data = s;
    ev_io_init(&s->accept, on_accept, s->fd, EV_READ);
    s->runner.data = s->retry.data = s->accept.data = s;
    if (s->fd >= 0)
        ev_io_start(s->loop, &s->accept);
    s->apply = apply_new(s->loop, s->sw, c->state_dir);
    s->adopt = adopt_new(s->loop, s->sw);
    if (!s->apply || !s->adopt) {
        adopt_free(s->adopt);
        if (s->apply) {
            apply_end(s->apply);
            apply_free(s->apply);
        }
        ev_io_stop(s->loop, &s->accept);
        drop_spare(s);
        free(s);
        return err_sys(e, ENOMEM, "control socket");
    }
    apply_adopt(s->apply, s->adopt);
    parser_init(&s->parser, s->loop, conn_parsed);
    sw_observe(s->sw, monitor_event, s);
    *out = s;
    return 0;
}

void server_close(struct server *s)
{
    struct conn *c;

    sw_observe(s->sw, NULL, NULL);
    while ((c = TAILQ_FIRST(&s->conns)) != NULL)
        conn_free(c);
    parser_end(&s->parser);
    adopt_end(s->adopt);
    apply_end(s->apply);
    guests_end(s->guests);
    ev_timer_stop(s->loop, &s->runner);
    ev_timer_stop(s->loop, &s->retry);
    ev_timer_stop(s->loop, &s->reaper);
    ev_io_stop(s->loop, &s->accept);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    drop_spare(s);
}

void server_free(struct server *s)
{
    struct call *c;

    if (!s)
        return;
    adopt_free(s->adopt);
    apply_free(s->apply);
    guests_free(s->guests);
    while ((c = LIST_FIRST(&s->calls)) != NULL)
        call_free(c);
    free(s);
}
