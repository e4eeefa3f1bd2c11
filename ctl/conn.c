/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/conn.h"

#include "base/clock.h"
#include "ctl/call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX  (16UL << 10) /* octets taken from one client in a turn */
#define LINE_MIN  (4UL << 10)
#define LINE_MAX_ (RPC_REQUEST_MAX + 1) /* with its newline */

void conn_ready(struct conn *c)
{
    struct server *s = c->server;

    if (c->is_ready)
        return;
    c->is_ready = true;
    TAILQ_INSERT_TAIL(&s->ready, c, ready);
    if (!ev_is_active(&s->runner)) {
        ev_timer_set(&s->runner, 0., 0.);
        ev_timer_start(s->loop, &s->runner);
    }
}

/* ---- input ---- */

static void drop_fds(struct conn *c)
{
    for (unsigned i = 0; i < c->n_fds; i++)
        close(c->fds[i]);
    c->n_fds = 0;
}

/*
 * A small buffer is everybody's right, so that half requests of some do not
 * keep others out; what is beyond is shared.
 */
static bool take_memory(struct conn *c, size_t before, size_t after)
{
    struct server *s = c->server;
    size_t max = c->may_change ? SERVER_MEMORY_MAX : SERVER_MEMORY_MAX / 2;
    size_t more = after - (before > LINE_MIN ? before : LINE_MIN);

    if (after <= LINE_MIN)
        return true;
    if (s->memory + more > max)
        return false;
    s->memory += more;
    return true;
}

static void give_memory(struct server *s, size_t cap)
{
    if (cap > LINE_MIN)
        s->memory -= cap - LINE_MIN;
}

static void drop_input(struct conn *c)
{
    free(c->in);
    give_memory(c->server, c->in_cap);
    c->in = NULL;
    c->in_len = c->in_cap = c->in_seen = 0;
}

/* Its last words; what it has sent after that is not looked at. */
static void refuse(struct conn *c, const char *why)
{
    struct rpc_error e = {.code = RPC_LIMIT};

    c->server->n_refused++;
    snprintf(e.text, sizeof(e.text), "%s", why);
    (void)rpc_write_error(&c->out, NULL, &e);
    c->closing = true;
    drop_input(c);
    drop_fds(c);
    ev_io_stop(c->server->loop, &c->rd);
    conn_flush(c);
}

/* Makes room for more input.  False: the client has been refused. */
static bool grow_input(struct conn *c)
{
    size_t want = c->in_cap ? c->in_cap * 2 : LINE_MIN;
    char *p;

    if (c->in_len < c->in_cap)
        return true;
    if (want > LINE_MAX_)
        want = LINE_MAX_;
    if (want == c->in_cap) {
        refuse(c, "request is longer than 1048576 octets");
        return false;
    }
    if (!take_memory(c, c->in_cap, want)) {
        refuse(c, "too many long requests at once; try again later");
        return false;
    }
    p = realloc(c->in, want);
    if (!p) {
        give_memory(c->server, want);
        c->server->memory += c->in_cap > LINE_MIN ? c->in_cap - LINE_MIN : 0;
        refuse(c, "out of memory");
        return false;
    }
    c->in = p;
    c->in_cap = want;
    return true;
}

/* Descriptors that came along.  False: more than a client may have waiting. */
static bool take_fds(struct conn *c, struct msghdr *m)
{
    unsigned max = c->may_change ? CONN_FDS_MAX : CONN_READER_FDS;
    bool ok = !(m->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
            if (c->n_fds < max) {
                c->fds[c->n_fds++] = fd;
            } else {
                close(fd);
                ok = false;
            }
        }
    }
    return ok;
}

/* Is there a whole line?  Looks only at what it has not seen. */
static bool has_line(struct conn *c)
{
    if (c->in_seen < c->in_len &&
        memchr(c->in + c->in_seen, '\n', c->in_len - c->in_seen))
        return true;
    c->in_seen = c->in_len;
    return false;
}

bool conn_hung_up(const struct conn *c)
{
    struct pollfd p = {.fd = c->fd};

    return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static void reap_later(struct server *s)
{
    if (!ev_is_active(&s->reaper))
        ev_timer_again(s->loop, &s->reaper);
}

static void end_of_input(struct conn *c)
{
    struct server *s = c->server;

    ev_io_stop(s->loop, &c->rd);
    c->eof = true;
    if (c->in_len > 0) { /* a last line without its newline is one */
        c->in[c->in_len++] = '\n';
    } else if (conn_hung_up(c)) {
        conn_free(c); /* gone altogether, not only done with sending */
        return;
    }
    reap_later(s);
    conn_ready(c);
}

static void on_read(struct ev_loop *loop, ev_io *w, int revents)
{
    struct conn *c = w->data;
    union {
        char room[CMSG_SPACE(sizeof(int) * CONN_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov;
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    (void)revents;
    if (!grow_input(c))
        return;
    iov.iov_base = c->in + c->in_len;
    iov.iov_len = c->in_cap - c->in_len;
    if (iov.iov_len > READ_MAX)
        iov.iov_len = READ_MAX;
    n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && !take_fds(c, &m)) {
        refuse(c, m.msg_flags & MSG_CTRUNC ? "the daemon has no file "
                                             "descriptors left: raise its "
                                             "limit (LimitNOFILE=, ulimit -n)"
                  : c->may_change          ? "too many descriptors passed (253)"
                                           : "too many descriptors passed (8)");
        return;
    }
    if (n <= 0) {
        if (n < 0)
            conn_free(c);
        else
            end_of_input(c);
        return;
    }
    c->in_len += (size_t)n;
    if (!has_line(c))
        return;
    ev_io_stop(loop, w); /* until these requests are answered */
    conn_ready(c);
}

/* ---- output ---- */

static void finish_if_done(struct conn *c)
{
    bool idle = !c->call && !c->parsing && !c->dump && !c->is_ready;

    if (text_size(&c->out) > 0)
        return;
    if (c->closing || (c->eof && idle && !c->monitor && !has_line(c)))
        conn_free(c);
}

static void on_write(struct ev_loop *loop, ev_io *w, int revents)
{
    struct conn *c = w->data;
    ssize_t n;

    (void)revents;
    n = send(c->fd, c->out.p + c->out.head, text_size(&c->out),
             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_free(c);
        return;
    }
    text_take(&c->out, (size_t)n);
    if (c->lost)
        monitor_caught_up(c);
    if (text_size(&c->out) == 0)
        ev_io_stop(loop, w);
    if (text_size(&c->out) < CONN_QUEUE_LOW &&
        (c->dump || !(c->call || c->parsing)))
        conn_ready(c);
    finish_if_done(c);
}

void conn_flush(struct conn *c)
{
    if (text_size(&c->out) > 0 && !ev_is_active(&c->wr))
        ev_io_start(c->server->loop, &c->wr);
}

/* ---- work ---- */

static bool is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    }
    return true;
}

static void answer_error(struct conn *c, const struct rpc_request *r,
                         const struct rpc_error *e)
{
    if (rpc_write_error(&c->out, r->id, e) < 0)
        refuse(c, "out of memory");
    else
        conn_flush(c);
}

static void no_authority(struct conn *c, struct rpc_request *r)
{
    struct rpc_error e = {.code = RPC_DENIED, .err = EPERM};

    snprintf(e.text, sizeof(e.text),
             "%s: only root, the daemon's user and its group may change things",
             r->cmd->name);
    if (r->id)
        answer_error(c, r, &e);
}

/* Takes 'r' over. */
static void carry_out(struct conn *c, struct rpc_request *r)
{
    struct call *call;

    if (r->cmd->flags & CMD_CHANGE && !c->may_change) {
        no_authority(c, r);
        rpc_request_free(r);
        return;
    }
    call = call_new(c, r);
    if (!call) {
        refuse(c, "out of memory");
        return;
    }
    switch (command_id_of(call->req.cmd)) {
#define X(id, ...)                                                             \
    case CMD_ID_##id:                                                          \
        rpc_##id(call);                                                        \
        break;
        DAEMON_COMMAND_LIST(X)
#undef X
    default:
        call_bad_params(call, "the client does this by itself");
    }
}

static void parsed(struct conn *c, int rc, struct rpc_request *r,
                   const struct rpc_error *e)
{
    c->server->n_requests++;
    if (rc == 0) {
        carry_out(c, r);
        return;
    }
    answer_error(c, r, e);
    rpc_request_free(r);
}

void conn_parsed(struct parse_job *j)
{
    struct conn *c = j->owner;

    give_memory(j->server, j->cap);
    free(j->line);
    if (c) {
        c->parsing = NULL;
        parsed(c, j->rc, &j->request, &j->error);
        conn_ready(c);
    } else { /* it has gone meanwhile */
        rpc_request_free(&j->request);
    }
    free(j);
}

/* Has a long line read beside the loop.  False: read it here. */
static bool read_elsewhere(struct conn *c, char *line, size_t n, size_t cap)
{
    struct parse_job *j;

    if (n < PARSER_LINE_MIN)
        return false;
    j = calloc(1, sizeof(*j));
    if (!j)
        return false;
    j->line = line;
    j->n = n;
    j->cap = cap;
    j->server = c->server;
    j->owner = c;
    if (parser_submit(&c->server->parser, j) < 0) {
        free(j);
        return false;
    }
    c->parsing = j;
    return true;
}

/* Takes 'line' over, and its memory of size 'cap'. */
static void read_request(struct conn *c, char *line, size_t n, size_t cap)
{
    struct server *s = c->server;
    struct rpc_request r;
    struct rpc_error e;
    int rc;

    if (read_elsewhere(c, line, n, cap))
        return;
    if (!is_blank(line, n)) {
        rc = rpc_parse(line, n, &r, &e);
        parsed(c, rc, &r, &e);
    }
    free(line);
    give_memory(s, cap);
}

/*
 * Takes the first line off the input and carries it out.  What follows it is
 * little: reading stops at the first line.
 */
static void next_request(struct conn *c)
{
    char *end = memchr(c->in + c->in_seen, '\n', c->in_len - c->in_seen);
    size_t n = (size_t)(end - c->in), rest = c->in_len - n - 1;
    size_t cap = c->in_cap, room = rest < LINE_MIN ? LINE_MIN : rest;
    char *line = c->in, *more = rest ? malloc(room) : NULL;

    c->in = NULL;
    c->in_len = c->in_cap = c->in_seen = 0;
    if (rest && !(more && take_memory(c, 0, room))) {
        free(more);
        free(line);
        give_memory(c->server, cap);
        refuse(c, "out of memory");
        return;
    }
    if (rest) {
        memcpy(more, end + 1, rest);
        c->in = more;
        c->in_len = rest;
        c->in_cap = room;
    }
    read_request(c, line, n, cap);
}

/* The events that had to wait for the end of a long answer. */
static int release_held(struct conn *c)
{
    size_t n = text_size(&c->held);

    return n ? text_add(&c->out, c->held.p + c->held.head, n) : 0;
}

static void dump_slice(struct conn *c)
{
    struct dump *d = c->dump;
    enum dump_next next = d->next(d, &c->out);

    if (next == DUMP_END &&
        (text_addf(&c->out, "%s}\n", d->tail) < 0 || release_held(c) < 0))
        next = DUMP_FAILED;
    if (next == DUMP_FAILED) { /* half a line cannot be taken back */
        c->closing = true;
        text_free(&c->out);
        next = DUMP_END;
    }
    if (next == DUMP_END) {
        c->dump = NULL;
        text_free(&c->held);
        d->free(d);
        call_free(c->call);
    }
    conn_flush(c);
}

bool conn_run(struct conn *c)
{
    struct server *s = c->server;

    if (c->closing) {
        finish_if_done(c);
        return false;
    }
    if (text_size(&c->out) >= CONN_QUEUE_LOW)
        return false; /* on_write comes back to us */
    if (c->dump) {
        dump_slice(c);
        return true;
    }
    if (has_line(c)) {
        if (c->call || c->parsing) {
            reap_later(s);
            return false; /* its end comes back to us */
        }
        next_request(c);
        return true;
    }
    /* Nobody asked for them, and no request that has begun to arrive could. */
    if (!c->call && !c->parsing && c->in_len == 0)
        drop_fds(c);
    if (c->eof)
        finish_if_done(c);
    else /* also while a request is carried out: to see the client go */
        ev_io_start(s->loop, &c->rd);
    return false;
}

void conn_call_done(struct conn *c)
{
    conn_flush(c);
    conn_ready(c);
}

/* ---- life ---- */

struct conn *conn_new(struct server *s, int fd, enum authority authority)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (!c) {
        close(fd);
        return NULL;
    }
    c->server = s;
    c->fd = fd;
    c->may_change = authority != AUTHORITY_READ;
    c->is_owner = authority == AUTHORITY_OWNER;
    ev_io_init(&c->rd, on_read, fd, EV_READ);
    ev_io_init(&c->wr, on_write, fd, EV_WRITE);
    c->rd.data = c->wr.data = c;
    ev_io_start(s->loop, &c->rd);
    TAILQ_INSERT_TAIL(&s->conns, c, all);
    s->n_conns++;
    s->n_readers += !c->may_change;
    return c;
}

void conn_free(struct conn *c)
{
    struct server *s = c->server;

    ev_io_stop(s->loop, &c->rd);
    ev_io_stop(s->loop, &c->wr);
    if (c->is_ready)
        TAILQ_REMOVE(&s->ready, c, ready);
    TAILQ_REMOVE(&s->conns, c, all);
    s->n_conns--;
    s->n_readers -= !c->may_change;
    monitor_set(c, 0);
    if (c->parsing)
        c->parsing->owner = NULL;
    if (c->dump)
        c->dump->free(c->dump);
    if (c->call) {
        struct call *call = c->call;

        call->conn = NULL;
        if (c->dump)
            call_free(call);
        else if (call->cancel)
            call->cancel(call);
    }
    drop_input(c);
    drop_fds(c);
    text_free(&c->out);
    text_free(&c->held);
    close(c->fd);
    server_spare(s);
    free(c);
}
