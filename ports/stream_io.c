/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in and out of a stream socket.
 *
 * In: one read takes as many frames as there are, and they are given out from
 * where they lie.  The buffer begins anew when it is empty, or when its end
 * is reached, but never while frames of this turn point into it.
 *
 * Out: one call for a whole list.  Of a frame that the socket took in part
 * the rest is kept and goes first; what is behind it is refused.
 */
#include "ports/stream_port.h"

#include "base/cursor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

/* ---- receiving ---- */

enum next { NEXT_NONE, NEXT_TAKEN, NEXT_BROKEN };

static uint8_t *at(const struct stream *s, size_t offset)
{
    return s->input.base + offset;
}

/* Makes a frame of n octets that lie at 'octets'. */
static void give(struct stream *s, uint8_t *octets, uint32_t n, struct batch *b)
{
    struct frame *f = &b->frame[b->n];
    enum port_reason why;

    f->seg[0] = (struct iovec){octets, n};
    f->nseg = 1;
    f->len = n;
    f->vid = 0;
    memset(&f->vnet, 0, sizeof(f->vnet));
    if (!frame_vnet_check(f, &why)) {
        b->lost[why]++;
        return;
    }
    s->given = b->turn;
    b->n++;
}

/* Takes the next frame off the input, if all of it is there. */
static enum next next_frame(struct stream *s, struct batch *b)
{
    struct cursor c = cursor_over(at(s, s->head), s->tail - s->head);
    uint32_t n;

    if (!cursor_be32(&c, &n))
        return NEXT_NONE;
    if (n == 0 || n > STREAM_WIRE_MAX) {
        b->lost[PORT_REASON_RX_BAD_LENGTH]++;
        stream_disconnect(s, "it announced a frame of %u octets", n);
        return NEXT_BROKEN;
    }
    if (cursor_left(&c) < n)
        return NEXT_NONE;
    give(s, at(s, s->head + STREAM_HEAD), n, b);
    s->head += STREAM_HEAD + n;
    return NEXT_TAKEN;
}

/* How much may be read behind the tail; 0: nothing in this turn. */
static size_t room(struct stream *s, const struct batch *b)
{
    size_t left;

    if (s->given != b->turn && s->head > 0) {
        /* at most a part of one frame: all others have been given out */
        memmove(at(s, 0), at(s, s->head), s->tail - s->head);
        s->tail -= s->head;
        s->head = 0;
    }
    left = s->input.size - s->tail;
    if (left < STREAM_READ_MIN)
        return 0;
    return left < STREAM_READ_MAX ? left : STREAM_READ_MAX;
}

/* What writing has met, if the connection ended by that. */
static int write_error(struct stream *s)
{
    int error;

    pthread_mutex_lock(&s->lock);
    error = s->error;
    pthread_mutex_unlock(&s->lock);
    return error;
}

/* The peer's sending has ended. */
static void end_of_input(struct stream *s)
{
    int error = write_error(s);

    stream_disconnect(s, "%s%s",
                      error ? strerror(error) : "it closed the connection",
                      s->head < s->tail ? ", in the middle of a frame" : "");
}

/*
 * Reads once.  1: there may be more; 0: that was all for now; -1: not in this
 * turn, or no connection any more.
 */
static int read_some(struct stream *s, const struct batch *b)
{
    size_t want = room(s, b);
    ssize_t n;

    if (want == 0)
        return -1;
    n = recv(s->fd, at(s, s->tail), want, MSG_DONTWAIT);
    if (n > 0) {
        s->tail += (size_t)n;
        if (!atomic_load_explicit(&s->heard, memory_order_relaxed))
            atomic_store(&s->heard, true);
        return (size_t)n == want;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n == 0)
        end_of_input(s);
    else
        stream_disconnect(s, "%s", strerror(errno));
    return -1;
}

int stream_rx(struct port *p, unsigned queue, struct batch *b, unsigned budget)
{
    struct stream *s = stream_of(p);
    unsigned first = b->n, tries = 0;
    bool more = true, again = false;

    (void)queue;
    /* Refused frames count against the budget too: a peer that sends nothing
     * else must not hold the turn. */
    while (tries < budget && s->fd >= 0 && !s->connecting) {
        enum next next = next_frame(s, b);
        int rc;

        if (next == NEXT_TAKEN)
            tries++;
        if (next == NEXT_BROKEN || (next == NEXT_NONE && !more))
            break;
        if (next != NEXT_NONE)
            continue;
        rc = read_some(s, b);
        if (rc < 0) {
            again = true;
            break;
        }
        more = rc > 0;
    }
    /* Fewer than asked for would mean "empty"; what is in the buffer already
     * makes no watcher speak. */
    again = again || tries == budget;
    if (again && b->n - first < budget && s->fd >= 0 && s->queue)
        ev_feed_event(s->loop, &s->readable, EV_READ);
    return (int)(b->n - first);
}

/* ---- sending ---- */

static void refuse(struct tx_result *r, enum port_reason why, unsigned n)
{
    r->refused[why] += n;
}

/* Writing has failed for good: the owner finds the end and says so. */
static void broken(struct stream *s, int error)
{
    s->error = error;
    s->up = false;
    s->rest = 0;
    (void)shutdown(s->fd, SHUT_RDWR);
}

/* One call.  Octets written, 0 if there is no room, or -errno. */
static ssize_t write_some(struct stream *s, struct iovec *v, size_t n)
{
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    ssize_t w;

    do {
        w = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (w < 0 && errno == EINTR);
    if (w >= 0)
        return w;
    return errno == EAGAIN ? 0 : -errno;
}

bool stream_flush(struct stream *s)
{
    while (s->rest) {
        struct iovec v = {s->out + s->rest_at, s->rest};
        ssize_t w = write_some(s, &v, 1);

        if (w == 0 || w == -ENOBUFS || w == -ENOMEM)
            return false;
        if (w < 0) {
            broken(s, (int)-w);
            return false;
        }
        s->rest_at += (size_t)w;
        s->rest -= (size_t)w;
    }
    return true;
}

/* One call's worth of frames. */
struct tx_call {
    struct iovec v[IOV_MAX];
    uint32_t head[IOV_MAX / 2];
};

/* How many of the frames go into the call; *nv segments, *octets in all. */
static unsigned fill(struct tx_call *c, struct frame *const *f, unsigned n,
                     size_t *nv, size_t *octets)
{
    unsigned i;

    *nv = *octets = 0;
    for (i = 0; i < n && *nv + 1 + f[i]->nseg <= IOV_MAX; i++) {
        c->head[i] = htonl(f[i]->len);
        c->v[(*nv)++] = (struct iovec){&c->head[i], STREAM_HEAD};
        memcpy(&c->v[*nv], f[i]->seg, f[i]->nseg * sizeof(c->v[0]));
        *nv += f[i]->nseg;
        *octets += STREAM_HEAD + f[i]->len;
    }
    return i;
}

/* Keeps what is behind the first 'written' octets of the frame. */
static void keep_rest(struct stream *s, const struct frame *f, size_t written)
{
    uint32_t head = htonl(f->len);
    size_t n = STREAM_HEAD;

    memcpy(s->out, &head, STREAM_HEAD);
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(s->out + n, f->seg[i].iov_base, f->seg[i].iov_len);
        n += f->seg[i].iov_len;
    }
    s->rest_at = written;
    s->rest = n - written;
}

/* Counts the frames that 'written' octets are; keeps the rest of the last. */
static unsigned account(struct stream *s, struct frame *const *f, unsigned n,
                        size_t written, struct tx_result *r)
{
    unsigned i;

    for (i = 0; i < n && written > 0; i++) {
        size_t whole = STREAM_HEAD + f[i]->len;

        r->sent++;
        r->bytes += f[i]->len;
        if (written < whole) {
            keep_rest(s, f[i], written);
            return i + 1;
        }
        written -= whole;
    }
    return i;
}

static void send_list(struct stream *s, struct frame *const *f, unsigned n,
                      struct tx_result *r)
{
    struct tx_call c;

    while (n) {
        size_t nv, octets;
        unsigned some = fill(&c, f, n, &nv, &octets), done;
        ssize_t w = write_some(s, c.v, nv);

        if (w == -ENOBUFS || w == -ENOMEM) {
            refuse(r, PORT_REASON_TX_NO_MEMORY, n);
            return;
        }
        if (w < 0) {
            broken(s, (int)-w);
            refuse(r, PORT_REASON_TX_DOWN, n);
            return;
        }
        done = account(s, f, some, (size_t)w, r);
        f += done;
        n -= done;
        if ((size_t)w < octets) {
            refuse(r, PORT_REASON_TX_PEER_SLOW, n);
            return;
        }
    }
}

/* The owner writes the rest, and looks after who is sent frames by TCP. */
static void ask_owner(struct stream *s)
{
    const bool write = s->rest && !s->asked;
    const bool watch = s->is_tcp && s->up && !s->watched;

    if (!s->loop || !(write || watch))
        return;
    s->asked |= write;
    s->watched |= watch;
    ev_async_send(s->loop, &s->wake);
}

void stream_tx(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
               struct tx_result *r)
{
    struct stream *s = stream_of(p);

    (void)ctx;
    pthread_mutex_lock(&s->lock);
    if (s->up && stream_flush(s))
        send_list(s, f, n, r);
    else
        refuse(r, s->up ? PORT_REASON_TX_PEER_SLOW : PORT_REASON_TX_DOWN, n);
    ask_owner(s);
    pthread_mutex_unlock(&s->lock);
}
