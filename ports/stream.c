/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer of a stream port: listening, connecting, letting go.
 *
 *   listens:   accept -> connected -> (it ends) -> accept
 *   connects:  attempt -> connected -> (it ends) -> pause -> attempt
 *
 * All of it happens on the thread that owns the queue; only what may block,
 * looking up names and binding, is done by open.
 */
#include "ports/stream_port.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_DEFAULT (1U << 20)
#define BACKLOG        8
/* A connection that lasted so long was a good one: begin anew at once. */
#define LASTED_NS (NSEC_PER_SEC)
/* Seconds */
#define AT_ONCE          0.1
#define PAUSE_MAX        4
#define CONNECT_PATIENCE 5.0
#define NO_DESCRIPTOR    1.0
/* A successor is let in if the peer's host has not answered for so long. */
#define SILENCE_MS 5000
/* While frames are sent to a peer behind TCP, how often it is looked whether
 * its host is still there, and after what silence it is not. */
#define LOOK_EVERY      5.0
#define LONG_SILENCE_MS 15000
#define SILENT          "it does not answer any more"

static const char *const stream_keys[] = {"listen", "reconnect", "mtu", "edge",
                                          "buffer", "mode",      NULL};

/* ---- opening ---- */

static int read_caps(struct stream *s, struct err *e)
{
    const struct port_spec *spec = &s->port.spec;
    struct port_caps c = {
        .serial = true, .edge = true, .mtu = 65535, .any_mtu = true};
    int rc = port_spec_bool(spec, "edge", &c.edge, e);

    if (!rc)
        rc = port_spec_uint(spec, "mtu", 68, 65535, &c.mtu, e);
    c.any_mtu = !port_spec_get(spec, "mtu");
    s->port.caps = c;
    return rc;
}

/* Keys that say nothing about this port are no keys of it. */
static int check_keys(const struct stream *s, struct err *e)
{
    const struct port_spec *spec = &s->port.spec;
    const bool file =
        sockaddr_is_unix(&s->addr.at[0]) && s->addr.at[0].un.sun_path[0];

    if (s->listens && s->reconnect)
        return err_set(e, EINVAL,
                       "reconnect= is for ports that connect "
                       "(listen=off)");
    if (port_spec_get(spec, "mode") && !(s->listens && file))
        return err_set(e, EINVAL, "mode= is for ports that listen at a path");
    if (!s->listens && s->addr.wildcard)
        return err_set(e, EINVAL, "listen=off: which host is to be connected?");
    return 0;
}

static int read_keys(struct stream *s, unsigned *mode, struct err *e)
{
    const struct port_spec *spec = &s->port.spec;
    int rc = sockaddr_parse(spec->target, SOCK_STREAM, &s->addr, e);

    if (rc)
        return rc;
    s->is_tcp = !sockaddr_is_unix(&s->addr.at[0]);
    s->listens = s->addr.wildcard || !s->is_tcp;
    s->reconnect = s->buffer = 0;
    rc = port_spec_bool(spec, "listen", &s->listens, e);
    if (!rc)
        rc = port_spec_uint(spec, "reconnect", 1, 3600, &s->reconnect, e);
    if (!rc)
        rc = port_spec_uint(spec, "buffer", 4096, 1U << 30, &s->buffer, e);
    if (!rc)
        rc = port_spec_mode(spec, mode, e);
    if (!rc)
        rc = read_caps(s, e);
    return rc ? rc : check_keys(s, e);
}

static int listen_at(struct stream *s, const struct sockaddr_one *a,
                     unsigned mode, struct err *e)
{
    int on = 1, rc;

    s->listen_fd = sockaddr_socket(a, SOCK_STREAM, s->port.spec.netns_fd);
    if (s->listen_fd < 0)
        return err_sys(e, s->listen_fd, "making a socket");
    (void)setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    rc = sockaddr_bind(s->listen_fd, a, mode, &s->file, e);
    if (!rc && listen(s->listen_fd, BACKLOG) < 0) {
        char text[SOCKADDR_TEXT];

        rc = errno == EADDRINUSE
                 ? err_set(e, errno, "somebody listens at %s already",
                           sockaddr_text(a, text))
                 : err_sys(e, errno, "listening at %s", sockaddr_text(a, text));
    }
    if (rc) {
        sockaddr_remove(&s->file);
        close(s->listen_fd);
        s->listen_fd = -1;
    }
    return rc;
}

/* At the first of the addresses that is possible here. */
static int open_listener(struct stream *s, unsigned mode, struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; i < s->addr.n; i++) {
        rc = listen_at(s, &s->addr.at[i], mode, e);
        if (rc == 0) {
            s->addr.at[0] = s->addr.at[i];
            return 0;
        }
        if (rc != -EAFNOSUPPORT && rc != -EADDRNOTAVAIL)
            return rc;
    }
    return rc;
}

static int stream_open(struct port *p, struct err *e)
{
    struct stream *s = stream_of(p);
    unsigned mode;
    int rc = read_keys(s, &mode, e);

    p->n_queues = 1;
    if (!rc && !s->input.base &&
        (arena_init(&s->input, STREAM_INPUT) ||
         !(s->out = malloc(STREAM_HEAD + FRAME_LEN_MAX))))
        rc = err_set(e, ENOMEM, "no memory for a port's buffer");
    if (!rc && s->listens)
        rc = open_listener(s, mode, e);
    if (rc)
        return err_wrap(e, rc, "stream:%s", p->spec.target);
    s->next_addr = s->failures = 0;
    s->given = UINT64_MAX;
    s->head = s->tail = 0;
    s->last[0] = '\0';
    s->turned_away = 0;
    atomic_store(&p->peer, false);
    atomic_store(&p->failed, false);
    return 0;
}

static void stream_close(struct port *p)
{
    struct stream *s = stream_of(p);

    pthread_mutex_lock(&s->lock);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->up = false;
    s->rest = 0;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&s->words_lock);
    s->peer[0] = '\0';
    pthread_mutex_unlock(&s->words_lock);
    atomic_store(&p->peer, false);
    s->connecting = false;
    sockaddr_remove(&s->file);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    s->listen_fd = -1;
}

/* ---- the connection ---- */

static void say_last(struct stream *s, const char *text)
{
    pthread_mutex_lock(&s->words_lock);
    snprintf(s->last, sizeof(s->last), "%s", text);
    pthread_mutex_unlock(&s->words_lock);
}

static void say_peer(struct stream *s, int fd)
{
    struct sockaddr_one a = {.len = sizeof(a.room)};
    struct ucred cred;
    socklen_t len = sizeof(cred);
    char text[SOCKADDR_TEXT];

    if (getpeername(fd, &a.any, &a.len) < 0)
        snprintf(text, sizeof(text), "?");
    else if (!sockaddr_is_unix(&a))
        (void)sockaddr_text(&a, text);
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
             cred.pid > 0)
        snprintf(text, sizeof(text), "process %d", (int)cred.pid);
    else
        snprintf(text, sizeof(text), "a process elsewhere");
    pthread_mutex_lock(&s->words_lock);
    snprintf(s->peer, sizeof(s->peer), "%.63s", text);
    pthread_mutex_unlock(&s->words_lock);
}

/* How the socket is to behave.  What is refused is a matter of speed only. */
static void tune(const struct stream *s, int fd)
{
    int on = 1, idle = 20, every = 5, count = 3;

    if (!s->is_tcp) {
        sockaddr_buffers(fd, s->buffer ? s->buffer : BUFFER_DEFAULT, s->buffer);
        return;
    }
    sockaddr_buffers(fd, s->buffer, s->buffer);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* A host that has vanished is noticed, even in silence. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
    struct stream *s = w->data;

    (void)loop;
    (void)events;
    s->queue->ready(s->queue);
}

static void watch_input(struct stream *s, struct ev_loop *loop)
{
    ev_io_init(&s->readable, on_readable, s->fd, EV_READ);
    s->readable.data = s;
    ev_io_start(loop, &s->readable);
}

static void set_fd(struct stream *s, int fd, bool up)
{
    pthread_mutex_lock(&s->lock);
    s->fd = fd;
    s->up = up;
    s->error = 0;
    s->asked = s->watched = false;
    s->rest = 0;
    pthread_mutex_unlock(&s->lock);
}

void stream_connected(struct stream *s, int fd)
{
    tune(s, fd);
    s->connecting = false;
    s->head = s->tail; /* of the last peer; may still be in use this turn */
    s->since = clock_now();
    atomic_store(&s->heard, false);
    say_peer(s, fd);
    set_fd(s, fd, true);
    watch_input(s, s->loop);
    atomic_store(&s->port.peer, true);
    port_event(&s->port, PORT_EVENT_UP, "the peer is connected");
}

/* ---- connecting ---- */

static void attempt(struct stream *s);

static void set_timer(struct stream *s, double after)
{
    ev_now_update(s->loop);
    ev_timer_stop(s->loop, &s->timer);
    ev_timer_set(&s->timer, after, 0.);
    ev_timer_start(s->loop, &s->timer);
}

static void pause_attempts(struct stream *s)
{
    unsigned n = s->failures++;
    double after = s->reconnect;

    if (!s->reconnect)
        after = n == 0 ? AT_ONCE : n < 3 ? n : PAUSE_MAX;
    set_timer(s, after);
}

/* This attempt came to nothing. */
static void not_connected(struct stream *s, int error)
{
    const char *why = strerror(error);

    if (s->fd >= 0) {
        int fd = s->fd;

        ev_io_stop(s->loop, &s->writable);
        set_fd(s, -1, false);
        close(fd);
    }
    s->connecting = false;
    s->next_addr = (s->next_addr + 1) % s->addr.n;
    if (error == EAGAIN) /* it does not take those who wait for it */
        why = "it has not noticed the last one's end (QEMU: its card is down)";
    say_last(s, why);
    if (s->failures == 0)
        s->failures = 1; /* nobody was there: no hurry */
    pause_attempts(s);
}

/*
 * While nobody listens at a local port, the system may give that very port to
 * the socket that connects to it, and TCP then joins the socket with itself.
 */
static bool met_itself(const struct stream *s, int fd)
{
    struct sockaddr_one us = {.len = sizeof(us.room)}, peer = us;

    return s->is_tcp && getsockname(fd, &us.any, &us.len) == 0 &&
           getpeername(fd, &peer.any, &peer.len) == 0 &&
           sockaddr_equal(&us, &peer);
}

static void on_connecting(struct stream *s)
{
    int error = 0, fd = s->fd;
    socklen_t len = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (!error && met_itself(s, fd))
        error = ECONNREFUSED;
    if (error) {
        not_connected(s, error);
        return;
    }
    ev_timer_stop(s->loop, &s->timer);
    ev_io_stop(s->loop, &s->writable);
    stream_connected(s, fd);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
    struct stream *s = w->data;
    bool done;

    (void)events;
    if (s->connecting) {
        on_connecting(s);
        return;
    }
    pthread_mutex_lock(&s->lock);
    done = !s->up || stream_flush(s) || !s->up;
    if (done)
        s->asked = false;
    pthread_mutex_unlock(&s->lock);
    if (done)
        ev_io_stop(loop, w);
}

static void watch_output(struct stream *s, struct ev_loop *loop)
{
    if (ev_is_active(&s->writable))
        return;
    ev_io_init(&s->writable, on_writable, s->fd, EV_WRITE);
    s->writable.data = s;
    ev_io_start(loop, &s->writable);
}

static void attempt(struct stream *s)
{
    const struct sockaddr_one *a = &s->addr.at[s->next_addr];
    int fd = sockaddr_socket(a, SOCK_STREAM, s->port.spec.netns_fd), error;

    if (fd < 0) {
        not_connected(s, -fd);
        return;
    }
    error = connect(fd, &a->any, a->len) < 0 ? errno : 0;
    if (!error && met_itself(s, fd))
        error = ECONNREFUSED;
    if (!error) {
        stream_connected(s, fd);
        return;
    }
    if (error != EINPROGRESS) {
        close(fd);
        not_connected(s, error);
        return;
    }
    s->connecting = true;
    set_fd(s, fd, false);
    watch_output(s, s->loop);
    set_timer(s, CONNECT_PATIENCE);
}

/* ---- has it vanished? ---- */

/*
 * A host that was switched off sends no more and takes no more.  One that
 * merely reads nothing still answers when it is asked whether there is room.
 * Keepalive says nothing while frames wait to be acknowledged, and the system
 * goes on trying for a quarter of an hour.
 */
static bool is_silent(const struct tcp_info *i, uint32_t ms)
{
    bool asked =
        (i->tcpi_unacked > 0 && i->tcpi_retransmits > 0) || i->tcpi_probes > 2;

    return asked && i->tcpi_last_ack_recv > ms;
}

static bool tcp_state(const struct stream *s, struct tcp_info *i)
{
    socklen_t len = sizeof(*i);

    return s->is_tcp && getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, i, &len) == 0;
}

static void look_again(struct stream *s)
{
    ev_timer_set(&s->look, LOOK_EVERY, 0.);
    ev_timer_start(s->loop, &s->look);
}

/* If all has arrived, nobody looks until the next frame is sent. */
static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
    struct stream *s = w->data;
    struct tcp_info i;

    (void)loop;
    (void)events;
    if (s->fd < 0 || s->connecting || !tcp_state(s, &i))
        return;
    if (is_silent(&i, LONG_SILENCE_MS)) {
        stream_disconnect(s, SILENT);
    } else if (i.tcpi_unacked > 0 || i.tcpi_probes > 0) {
        look_again(s);
    } else {
        pthread_mutex_lock(&s->lock);
        s->watched = false;
        pthread_mutex_unlock(&s->lock);
    }
}

/* ---- listening ---- */

static bool hung_up(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) == 1;
}

static void turn_away(struct stream *s, int fd)
{
    close(fd);
    pthread_mutex_lock(&s->words_lock);
    s->turned_away++;
    pthread_mutex_unlock(&s->words_lock);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
    struct stream *s = w->data;
    struct tcp_info i;
    int fd;

    (void)events;
    /* The peer has ended, and what it sent last is being read: the next one
     * stays where it is until that is done, and we are called again. */
    if (s->fd >= 0 && hung_up(s->fd))
        return;
    if (s->fd >= 0 && tcp_state(s, &i) && is_silent(&i, SILENCE_MS))
        stream_disconnect(s, SILENT);
    fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && s->fd >= 0) {
        turn_away(s, fd);
    } else if (fd >= 0) {
        stream_connected(s, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
               errno == ENOBUFS) {
        say_last(s, strerror(errno));
        ev_io_stop(loop, w); /* it would be called for ever */
        set_timer(s, NO_DESCRIPTOR);
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct stream *s = w->data;

    (void)events;
    if (s->listens)
        ev_io_start(loop, &s->accept);
    else if (s->connecting)
        not_connected(s, ETIMEDOUT);
    else
        attempt(s);
}

/* ---- letting go ---- */

void stream_disconnect(struct stream *s, const char *fmt, ...)
{
    char why[sizeof(s->last)];
    int fd = s->fd;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    ev_io_stop(s->loop, &s->readable);
    ev_io_stop(s->loop, &s->writable);
    set_fd(s, -1, false);
    close(fd);
    s->head = s->tail;
    pthread_mutex_lock(&s->words_lock);
    s->peer[0] = '\0';
    memcpy(s->last, why, sizeof(why));
    pthread_mutex_unlock(&s->words_lock);
    atomic_store(&s->port.peer, false);
    port_event(&s->port, PORT_EVENT_DOWN, "the peer is gone: %s", why);
    if (s->listens)
        return;
    if (clock_now() - s->since > LASTED_NS)
        s->failures = 0;
    pause_attempts(s);
}

/* ---- the queue ---- */

/* Somebody wrote a part of a frame: the rest is ours.  Or frames began to be
 * sent, and somebody is to see whether they arrive. */
static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    struct stream *s = w->data;
    bool rest, watched;

    (void)events;
    if (s->fd < 0 || s->connecting)
        return;
    pthread_mutex_lock(&s->lock);
    rest = s->asked;
    watched = s->watched;
    pthread_mutex_unlock(&s->lock);
    if (rest)
        watch_output(s, loop);
    if (watched && !ev_is_active(&s->look))
        look_again(s);
}

static void set_loop(struct stream *s, struct ev_loop *loop)
{
    pthread_mutex_lock(&s->lock);
    s->loop = loop;
    pthread_mutex_unlock(&s->lock);
}

static int stream_attach(struct port *p, struct port_queue *q,
                         struct ev_loop *loop)
{
    struct stream *s = stream_of(p);

    if (q->index != 0)
        return -EINVAL;
    s->queue = q;
    ev_init(&s->readable, on_readable);
    ev_init(&s->writable, on_writable);
    ev_init(&s->timer, on_timer);
    ev_init(&s->look, on_look);
    ev_async_init(&s->wake, on_wake);
    ev_io_init(&s->accept, on_accept, s->listen_fd, EV_READ);
    s->timer.data = s->look.data = s->wake.data = s->accept.data = s;
    ev_async_start(loop, &s->wake);
    set_loop(s, loop);
    if (s->listens)
        ev_io_start(loop, &s->accept);
    else
        attempt(s);
    return 0;
}

static void stream_detach(struct port *p, struct port_queue *q,
                          struct ev_loop *loop)
{
    struct stream *s = stream_of(p);

    if (s->queue != q)
        return;
    set_loop(s, NULL);
    ev_io_stop(loop, &s->accept);
    ev_io_stop(loop, &s->readable);
    ev_io_stop(loop, &s->writable);
    ev_timer_stop(loop, &s->timer);
    ev_timer_stop(loop, &s->look);
    ev_async_stop(loop, &s->wake);
    s->queue = NULL;
}

/* ---- the kind ---- */

static void stream_describe(struct port *p, struct port_desc *d)
{
    struct stream *s = stream_of(p);
    char more[32] = "";

    snprintf(d->device, sizeof(d->device), "%s %.50s",
             s->listens ? "listens at" : "connects to", p->spec.target);
    pthread_mutex_lock(&s->words_lock);
    if (s->turned_away)
        snprintf(more, sizeof(more), "; %u others turned away", s->turned_away);
    if (s->peer[0])
        snprintf(d->detail, sizeof(d->detail), "peer: %s%s%s", s->peer,
                 atomic_load(&s->heard) ? "" : ", which has sent nothing yet",
                 more);
    else
        snprintf(d->detail, sizeof(d->detail),
                 "waiting for a peer at %.60s%s%s%s", p->spec.target,
                 !s->last[0]  ? ""
                 : s->listens ? "; the last: "
                              : ": ",
                 s->last, more);
    pthread_mutex_unlock(&s->words_lock);
}

static int stream_check(struct port *p, struct err *e)
{
    unsigned mode;
    int rc = read_keys(stream_of(p), &mode, e);

    return rc ? err_wrap(e, rc, "stream:%s", p->spec.target) : 0;
}

static struct port *stream_alloc(void)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->fd = s->listen_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->words_lock, NULL);
    return &s->port;
}

static void stream_free(struct port *p)
{
    struct stream *s = stream_of(p);

    arena_destroy(&s->input);
    free(s->out);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->words_lock);
    free(s);
}

static const struct port_ops stream_ops = {
    .open = stream_open,
    .check = stream_check,
    .attach = stream_attach,
    .detach = stream_detach,
    .rx = stream_rx,
    .tx = stream_tx,
    .close = stream_close,
    .describe = stream_describe,
};

const struct port_kind port_kind_stream = {
    .name = "stream",
    .help = "stream:ADDR[,listen=on|off]: a peer at a UNIX or TCP socket, as "
            "QEMU's -netdev stream and socket",
    .keys = stream_keys,
    .ops = &stream_ops,
    .peer = true,
    .alloc = stream_alloc,
    .free = stream_free,
};
