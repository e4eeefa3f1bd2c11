/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in and out of datagram sockets: recvmmsg and sendmmsg.
 *
 * A UNIX socket's queue holds as few as ten datagrams (sysctl
 * net.unix.max_dgram_qlen), less than one super-frame is cut into, so frames
 * wait here until the peer has read some.
 */
#include "ports/dgram_port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- receiving ---- */

/*
 * Each datagram has a head, which holds an ordinary frame whole, and a spill
 * for what is longer, so that ordinary frames lie close together.  The stride
 * is an odd number of cache lines: headers fall into different sets.
 */
#define HEAD   2112
#define SPILL  ((FRAME_LEN_MAX - HEAD + 64) / 64 * 64)
#define EXPECT 4

_Static_assert(HEAD % 64 == 0 && HEAD / 64 % 2 == 1, "odd cache lines");

struct rx_call {
    struct mmsghdr msg[DGRAM_BATCH];
    struct iovec v[DGRAM_BATCH][2];
    struct sockaddr_one from[DGRAM_BATCH];
    uint8_t *head, *spill;
};

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Sets up for 'want' datagrams, or as many as the arena has room for. */
static unsigned prepare(struct rx_call *c, struct arena *a, unsigned want)
{
    want = smaller(want, (unsigned)(arena_left(a) / (HEAD + SPILL + 64)));
    if (!want)
        return 0;
    c->head = arena_alloc(a, (size_t)want * HEAD);
    c->spill = arena_alloc(a, (size_t)want * SPILL);
    if (!c->head || !c->spill)
        return 0;
    for (unsigned i = 0; i < want; i++) {
        struct msghdr *m = &c->msg[i].msg_hdr;

        c->v[i][0] = (struct iovec){c->head + (size_t)i * HEAD, HEAD};
        c->v[i][1] = (struct iovec){c->spill + (size_t)i * SPILL, SPILL};
        memset(m, 0, sizeof(*m));
        m->msg_name = &c->from[i].room;
        m->msg_namelen = sizeof(c->from[i].room);
        m->msg_iov = c->v[i];
        m->msg_iovlen = 2;
    }
    return want;
}

/* Makes a frame of datagram i; false with the reason if it is none. */
static bool make_frame(struct rx_call *c, unsigned i, struct frame *f,
                       enum port_reason *why)
{
    uint32_t n = c->msg[i].msg_len;

    *why = PORT_REASON_RX_TRUNCATED;
    if (c->msg[i].msg_hdr.msg_flags & MSG_TRUNC)
        return false;
    f->len = n;
    f->vid = 0;
    f->nseg = 1;
    f->seg[0] = (struct iovec){c->head + (size_t)i * HEAD, n};
    if (n > HEAD) {
        f->nseg = 2;
        f->seg[0].iov_len = HEAD;
        f->seg[1] = (struct iovec){c->spill + (size_t)i * SPILL, n - HEAD};
    }
    memset(&f->vnet, 0, sizeof(f->vnet));
    return frame_vnet_check(f, why);
}

/* Gives back the memory behind the last octet received. */
static void trim(const struct rx_call *c, struct arena *a, unsigned got)
{
    const uint8_t *end = c->head + (size_t)got * HEAD;

    for (unsigned i = 0; i < got; i++)
        if (c->msg[i].msg_len > HEAD)
            end = c->spill + (size_t)i * SPILL + (c->msg[i].msg_len - HEAD);
    a->used = (size_t)(end - a->base);
}

/* Our own multicast datagrams come back: they are nobody's frames. */
static bool is_own(const struct dgram *d, const struct sockaddr_one *from)
{
    return d->is_group && sockaddr_equal(from, &d->own);
}

static void take(struct dgram *d, struct rx_call *c, unsigned i,
                 struct batch *b)
{
    enum port_reason why;

    c->from[i].len = c->msg[i].msg_hdr.msg_namelen;
    if (is_own(d, &c->from[i]))
        return;
    if (!dgram_heard(d, &c->from[i]))
        b->lost[PORT_REASON_RX_STRANGER]++;
    else if (make_frame(c, i, &b->frame[b->n], &why))
        b->n++;
    else
        b->lost[why]++;
}

/* One system call.  Datagrams taken off the socket, or -errno. */
static int receive(struct dgram *d, struct batch *b, unsigned want)
{
    size_t mark = b->arena->used;
    struct rx_call c;
    int got;

    want = prepare(&c, b->arena, want);
    if (!want) {
        b->arena->used = mark;
        return 0; /* the watcher will tell again next turn */
    }
    got = recvmmsg(d->rx_fd, c.msg, want, MSG_DONTWAIT, NULL);
    if (got <= 0) {
        b->arena->used = mark;
        return got < 0 ? -errno : 0;
    }
    for (unsigned i = 0; i < (unsigned)got; i++)
        take(d, &c, i, b);
    trim(&c, b->arena, (unsigned)got);
    return got;
}

int dgram_rx(struct port *p, unsigned queue, struct batch *b, unsigned budget)
{
    struct dgram *d = dgram_of(p);
    unsigned first = b->n, tried = 0;

    (void)queue;
    while (tried < budget && b->n < b->max) {
        unsigned want = smaller(budget - tried, b->max - b->n);
        int got;

        want = smaller(want, d->expect);
        got = receive(d, b, want);
        if (got == -EINTR)
            continue;
        if (got < 0) {
            if (got != -EAGAIN)
                dgram_refused(d, -got);
            break;
        }
        tried += (unsigned)got;
        /* A message costs its preparation: ask for what may come. */
        d->expect = smaller((unsigned)got < EXPECT / 2 ? EXPECT : 2U * got,
                            DGRAM_BATCH);
        if ((unsigned)got < want)
            break;
    }
    return (int)(b->n - first);
}

/* ---- the queue ---- */

void dgram_drop_queue(struct dgram *d)
{
    struct dgram_queue *q = &d->out;

    while (q->head < q->tail) {
        uint32_t n;

        memcpy(&n, q->memory.base + q->head, sizeof(n));
        q->head += sizeof(n) + n;
        d->dropped++;
    }
    q->head = q->tail = 0;
}

/* False: no room. */
static bool enqueue(struct dgram_queue *q, const struct frame *f)
{
    size_t need = sizeof(f->len) + f->len;
    uint8_t *to;

    if (q->memory.size - q->tail < need && q->head >= q->memory.size / 2) {
        memmove(q->memory.base, q->memory.base + q->head, q->tail - q->head);
        q->tail -= q->head;
        q->head = 0;
    }
    if (q->memory.size - q->tail < need)
        return false;
    to = q->memory.base + q->tail;
    memcpy(to, &f->len, sizeof(f->len));
    to += sizeof(f->len);
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(to, f->seg[i].iov_base, f->seg[i].iov_len);
        to += f->seg[i].iov_len;
    }
    q->tail += need;
    return true;
}

/* ---- sending ---- */

static enum port_reason send_error(int error)
{
    switch (error) {
    case EMSGSIZE:
        return PORT_REASON_TX_TOO_BIG;
    case ENOBUFS: /* the device's queue, for UDP */
        return PORT_REASON_TX_QUEUE_FULL;
    case ENOMEM:
        return PORT_REASON_TX_NO_MEMORY;
    default:
        return PORT_REASON_TX_ERROR;
    }
}

/* Is it an error that says that nobody is there, or not for this socket? */
static bool says_gone(const struct dgram *d, int error)
{
    if (d->is_unix && error == EPERM)
        return true;
    return error == ECONNREFUSED || error == ENOENT || error == ENOTCONN ||
           error == ECONNRESET || error == EDESTADDRREQ || error == EPIPE;
}

/*
 * Nobody took the last datagram.  A UNIX peer may have been restarted: it is
 * looked for at once.  False: it is not there, and the owner is told.
 */
static bool find_again(struct dgram *d, int error)
{
    if (d->is_unix && dgram_connect(d) == 0)
        return true;
    d->up = false;
    d->error = error;
    return false;
}

/* What a call met. */
enum met { MET_GONE, MET_FULL, MET_ONE, MET_AGAIN };

/*
 * Sends messages, from *at on, until something is met that is not the end of
 * them.  Of MET_ONE *why says what became of the first message left.
 */
static enum met send_some(struct dgram *d, struct mmsghdr *m, unsigned n,
                          unsigned *at, enum port_reason *why)
{
    bool looked = false;

    while (*at < n) {
        int sent =
            sendmmsg(d->out_fd, m + *at, n - *at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            *at += (unsigned)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return MET_FULL;
        if (says_gone(d, errno)) {
            if (looked || !find_again(d, errno))
                return MET_GONE;
            looked = true;
            continue;
        }
        *why = send_error(errno);
        return MET_ONE;
    }
    return MET_AGAIN;
}

bool dgram_flush(struct dgram *d)
{
    struct dgram_queue *q = &d->out;

    while (q->head < q->tail) {
        struct mmsghdr m[DGRAM_BATCH];
        struct iovec v[DGRAM_BATCH];
        enum port_reason why;
        size_t next = q->head;
        unsigned n = 0, at = 0;
        enum met met;

        for (; n < DGRAM_BATCH && next < q->tail; n++) {
            uint32_t len;

            memcpy(&len, q->memory.base + next, sizeof(len));
            next += sizeof(len);
            v[n] = (struct iovec){q->memory.base + next, len};
            m[n] = (struct mmsghdr){
                .msg_hdr = {.msg_iov = &v[n], .msg_iovlen = 1}};
            next += len;
        }
        met = send_some(d, m, n, &at, &why);
        if (met == MET_ONE) { /* it was taken already: lost on the way */
            at++;
            d->dropped++;
        }
        for (unsigned i = 0; i < at; i++)
            q->head += sizeof(uint32_t) + v[i].iov_len;
        if (met == MET_GONE)
            dgram_drop_queue(d);
        if (met == MET_GONE || met == MET_FULL)
            return false;
    }
    q->head = q->tail = 0;
    return true;
}

static void sent(struct frame *const *f, unsigned n, struct tx_result *r)
{
    r->sent += n;
    for (unsigned i = 0; i < n; i++)
        r->bytes += f[i]->len;
}

/* Keeps what there is room for. */
static void wait_in_queue(struct dgram *d, struct frame *const *f, unsigned n,
                          struct tx_result *r)
{
    unsigned kept = 0;

    while (kept < n && enqueue(&d->out, f[kept]))
        kept++;
    sent(f, kept, r);
    r->refused[PORT_REASON_TX_PEER_SLOW] += n - kept;
}

/* As many as one call takes; false: the rest of the list is accounted for. */
static bool send_batch(struct dgram *d, struct frame *const *f, unsigned n,
                       unsigned total, struct tx_result *r)
{
    struct mmsghdr m[DGRAM_BATCH];
    unsigned at = 0;

    for (unsigned i = 0; i < n; i++)
        m[i] = (struct mmsghdr){
            .msg_hdr = {.msg_iov = f[i]->seg, .msg_iovlen = f[i]->nseg}};
    while (at < n) {
        enum port_reason why;
        unsigned from = at;
        enum met met = send_some(d, m, n, &at, &why);

        sent(f + from, at - from, r);
        switch (met) {
        case MET_GONE:
            r->refused[PORT_REASON_TX_DOWN] += total - at;
            return false;
        case MET_FULL:
            wait_in_queue(d, f + at, total - at, r);
            return false;
        case MET_ONE:
            r->refused[why]++;
            at++;
            break;
        case MET_AGAIN:
            break;
        }
    }
    return true;
}

static void send_list(struct dgram *d, struct frame *const *f, unsigned n,
                      struct tx_result *r)
{
    while (n) {
        unsigned some = smaller(n, DGRAM_BATCH);

        if (!send_batch(d, f, some, n, r))
            return;
        f += some;
        n -= some;
    }
}

void dgram_tx(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
              struct tx_result *r)
{
    struct dgram *d = dgram_of(p);

    (void)ctx;
    pthread_mutex_lock(&d->lock);
    if (d->up && dgram_flush(d))
        send_list(d, f, n, r);
    else if (d->up)
        wait_in_queue(d, f, n, r);
    else
        r->refused[PORT_REASON_TX_DOWN] += n;
    if ((d->error || d->out.tail > 0) && d->loop && !d->asked) {
        d->asked = true;
        ev_async_send(d->loop, &d->wake);
    }
    pthread_mutex_unlock(&d->lock);
}
