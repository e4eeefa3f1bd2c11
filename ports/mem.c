/* SPDX-License-Identifier: BSD-2-Clause */
/* A mem port as the switch sees it: the operations of ports/port.h. */
#include "ports/mem_port.h"
#include "base/cursor.h"
#include "ports/offload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the ring of collected frames ---- */

static int ring_make(struct ring *r, uint32_t frames)
{
    size_t size = (size_t)frames * 2048;

    if (size < 2 * (FRAME_LEN_MAX + sizeof(struct record)))
        size = 2 * (FRAME_LEN_MAX + sizeof(struct record));
    r->frames_max = frames;
    return arena_init(&r->memory, size);
}

static void ring_write(struct ring *r, const void *bytes, size_t n)
{
    size_t at = (r->head + r->used) % r->memory.size;
    size_t first = r->memory.size - at < n ? r->memory.size - at : n;

    memcpy(r->memory.base + at, bytes, first);
    memcpy(r->memory.base, (const uint8_t *)bytes + first, n - first);
    r->used += n;
}

static bool ring_put(struct ring *r, const struct frame *f)
{
    struct record rec = {.len = f->len, .vnet = f->vnet};

    if (r->frames == r->frames_max ||
        r->memory.size - r->used < sizeof(rec) + rec.len)
        return false;
    ring_write(r, &rec, sizeof(rec));
    for (unsigned i = 0; i < f->nseg; i++)
        ring_write(r, f->seg[i].iov_base, f->seg[i].iov_len);
    r->frames++;
    return true;
}

/* ---- life ---- */

static struct port *mem_alloc(void)
{
    struct mem_port *m = aligned_alloc(64, sizeof(*m));

    if (!m)
        return NULL;
    memset(m, 0, sizeof(*m));
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return NULL;
    }
    m->fail_after = -1;
    return &m->port;
}

static void forget_received(struct mem_port *m)
{
    struct replay *r = atomic_exchange(&m->replay, NULL);

    while (r) {
        struct replay *next = r->next;

        replay_free(r);
        r = next;
    }
    for (int i = 0; i < QUEUES; i++) {
        struct queue *q = &m->queue[i];

        list_free(&q->in);
        list_free(&q->used);
        list_free(&q->work);
        list_free(&q->done);
        atomic_store(&q->pending, 0);
    }
}

static void mem_free(struct port *p)
{
    struct mem_port *m = mem_of(p);

    forget_received(m);
    arena_destroy(&m->ring.memory);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static int read_offloads(const struct port_spec *s, struct port_caps *c,
                         struct err *e)
{
    int rc;

    c->vnet = true;
    rc = port_spec_bool(s, "vnet", &c->vnet, e);
    c->tx_csum = c->tx_tso4 = c->tx_tso6 = c->tx_uso = c->vnet;
    if (!rc)
        rc = port_spec_bool(s, "csum", &c->tx_csum, e);
    if (!rc)
        rc = port_spec_bool(s, "tso4", &c->tx_tso4, e);
    if (!rc)
        rc = port_spec_bool(s, "tso6", &c->tx_tso6, e);
    if (!rc)
        rc = port_spec_bool(s, "uso", &c->tx_uso, e);
    if (rc)
        return rc;
    if (!c->vnet && (c->tx_csum || c->tx_tso4 || c->tx_tso6 || c->tx_uso))
        return err_set(e, EINVAL,
                       "vnet=off: without the header there are no offloads");
    if (!c->tx_csum && (c->tx_tso4 || c->tx_tso6 || c->tx_uso))
        return err_set(e, EINVAL,
                       "csum=off: super-frames need checksum offload; turn "
                       "tso4, tso6 and uso off too");
    return 0;
}

static int read_caps(const struct port_spec *s, struct port_caps *c,
                     struct err *e)
{
    const char *mac = port_spec_get(s, "mac");
    int rc = read_offloads(s, c, e);

    c->link = c->edge = true;
    c->mtu = 1500;
    c->speed = 10000;
    if (!rc)
        rc = port_spec_bool(s, "link", &c->link, e);
    if (!rc)
        rc = port_spec_bool(s, "edge", &c->edge, e);
    if (!rc)
        rc = port_spec_bool(s, "proto", &c->proto_queue, e);
    if (!rc)
        rc = port_spec_uint(s, "mtu", 68, 65535, &c->mtu, e);
    if (!rc)
        rc = port_spec_uint(s, "speed", 0, UINT32_MAX, &c->speed, e);
    if (!rc && mac && !mac_parse(mac, &c->mac))
        rc = err_set(e, EINVAL, "mac=%s: not a MAC address", mac);
    if (!rc && mac_is_group(&c->mac))
        rc = err_set(e, EINVAL, "mac=%s: a group address", mac);
    return rc;
}

/* The keys are read once: what was set since is the device's own state. */
static int get_ready(struct mem_port *m, struct err *e)
{
    const struct port_spec *s = &m->port.spec;
    uint32_t queues = 1, collect = 4096;
    struct port_caps caps = {0};
    int rc = read_caps(s, &caps, e);

    if (!rc && s->netns)
        rc = err_set(e, EINVAL,
                     "netns=%s: a port in memory lives in no network namespace",
                     s->netns);
    if (!rc)
        rc = port_spec_uint(s, "queues", 1, PORT_QUEUES_MAX, &queues, e);
    if (!rc)
        rc = port_spec_uint(s, "head", 128, 65535, &m->head, e);
    if (!rc)
        rc = port_spec_uint(s, "collect", 1, 1U << 20, &collect, e);
    if (!rc)
        rc = port_spec_uint(s, "slow", 0, UINT32_MAX, &m->slow, e);
    if (!rc)
        rc = port_spec_bool(s, "discard", &m->discard, e);
    if (!rc)
        rc = port_spec_bool(s, "fail-open", &m->fail_open, e);
    if (rc)
        return rc;
    caps.serial = !m->discard;
    if (!m->discard && ring_make(&m->ring, collect))
        return err_set(e, ENOMEM, "no memory for %u collected frames", collect);
    m->port.caps = m->taken_caps = caps;
    m->port.n_queues = queues;
    atomic_store(&m->link, caps.link);
    m->ready = true;
    return 0;
}

static int mem_open(struct port *p, struct err *e)
{
    struct mem_port *m = mem_of(p);
    int rc = m->ready ? 0 : get_ready(m, e);

    if (!rc && m->fail_open)
        rc = err_set(e, EIO, "told to fail (fail-open=on)");
    if (!rc && atomic_load(&m->broken))
        rc = err_set(e, EIO, "told to fail (fail_after)");
    if (rc)
        return err_wrap(e, rc, "mem:%s", p->spec.target);
    pthread_mutex_lock(&m->lock);
    m->open = true;
    pthread_mutex_unlock(&m->lock);
    atomic_store(&p->failed, false);
    return 0;
}

static void mem_close(struct port *p)
{
    struct mem_port *m = mem_of(p);

    pthread_mutex_lock(&m->lock);
    m->open = false;
    forget_received(m);
    pthread_mutex_unlock(&m->lock);
}

/* ---- receiving ---- */

static void woken(struct ev_loop *loop, ev_async *w, int events)
{
    struct port_queue *q = w->data;

    (void)loop;
    (void)events;
    q->ready(q);
}

static int mem_attach(struct port *p, struct port_queue *pq,
                      struct ev_loop *loop)
{
    struct mem_port *m = mem_of(p);
    struct queue *q = &m->queue[pq->index];

    ev_async_init(&q->wake, woken);
    q->wake.data = pq;
    ev_async_start(loop, &q->wake);
    pthread_mutex_lock(&m->lock);
    q->loop = loop;
    if (mem_pending(p))
        ev_async_send(loop, &q->wake);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static void mem_detach(struct port *p, struct port_queue *pq,
                       struct ev_loop *loop)
{
    struct mem_port *m = mem_of(p);
    struct queue *q = &m->queue[pq->index];

    pthread_mutex_lock(&m->lock);
    if (q->loop) {
        ev_async_stop(loop, &q->wake);
        q->loop = NULL;
    }
    pthread_mutex_unlock(&m->lock);
}

static void wake(struct mem_port *m, struct queue *q)
{
    pthread_mutex_lock(&m->lock);
    mem_wake_locked(q);
    pthread_mutex_unlock(&m->lock);
}

/* Takes all that was injected; gives back what is used up. */
static void steal(struct mem_port *m, struct queue *q)
{
    if (atomic_load_explicit(&q->pending, memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&m->lock);
    list_move(&q->used, &q->done);
    list_move(&q->work, &q->in);
    pthread_mutex_unlock(&m->lock);
}

/*
 * Lays the frame into the arena, in as many segments as head= asks for, none
 * of them touching the next.  False: no memory.
 */
static bool lay_out(const struct mem_port *m, const struct injected *i,
                    struct frame *f, struct arena *a)
{
    struct cursor c = cursor_over(i->bytes, i->len);
    uint32_t first = m->head && m->head < i->len ? m->head : i->len;
    uint32_t rest =
        (i->len - first + FRAME_SEGS_MAX - 2) / (FRAME_SEGS_MAX - 1);
    size_t mark = a->used;

    memset(f, 0, sizeof(*f));
    f->len = i->len;
    f->vnet = i->vnet;
    do {
        size_t n = f->nseg ? rest : first;
        void *at;

        if (n > cursor_left(&c))
            n = cursor_left(&c);
        at = arena_alloc(a, n);
        if (!at) {
            a->used = mark;
            return false;
        }
        (void)cursor_bytes(&c, at, n);
        f->seg[f->nseg++] = (struct iovec){at, n};
    } while (cursor_left(&c));
    return true;
}

/* One copy of the first frame that waits.  False: no room in this turn. */
static bool receive_one(struct mem_port *m, struct queue *q, struct batch *b)
{
    struct injected *i = q->work.head;
    struct frame *f = &b->frame[b->n];
    enum port_reason why;

    if (b->n == b->max)
        return false;
    if (!lay_out(m, i, f, b->arena)) {
        if (b->n > 0)
            return false;
        b->lost[PORT_REASON_RX_NO_MEMORY]++;
    } else if (frame_vnet_check(f, &why)) {
        b->n++;
    } else {
        b->lost[why]++;
    }
    atomic_fetch_sub_explicit(&q->pending, 1, memory_order_relaxed);
    if (--i->copies == 0)
        list_push(&q->done, list_pop(&q->work));
    return true;
}

static unsigned receive_replay(struct mem_port *m, struct batch *b,
                               unsigned budget)
{
    struct replay *r = atomic_load_explicit(&m->replay, memory_order_acquire);
    uint64_t left =
        r ? atomic_load_explicit(&r->left, memory_order_relaxed) : 0;
    unsigned n = budget < left ? budget : (unsigned)left;

    if (n > b->max - b->n)
        n = b->max - b->n;
    for (unsigned i = 0; i < n; i++) {
        b->frame[b->n++] = r->frame[r->at];
        if (++r->at == r->n)
            r->at = 0;
    }
    if (n)
        atomic_store_explicit(&r->left, left - n, memory_order_release);
    return n;
}

static int mem_rx(struct port *p, unsigned queue, struct batch *b,
                  unsigned budget)
{
    struct mem_port *m = mem_of(p);
    struct queue *q = &m->queue[queue];
    unsigned before = b->n, tries;

    if (atomic_load_explicit(&m->broken, memory_order_relaxed)) {
        port_event(p, PORT_EVENT_FAILED, "told to fail");
        return -EIO;
    }
    tries = queue == 0 ? receive_replay(m, b, budget) : 0;
    for (; tries < budget; tries++) {
        if (!q->work.head)
            steal(m, q);
        if (!q->work.head)
            return (int)(b->n - before);
        if (!receive_one(m, q, b))
            break;
    }
    /* Fewer than asked for would mean "empty", which it is not. */
    if (b->n - before < budget)
        wake(m, q);
    return (int)(b->n - before);
}

/* ---- sending ---- */

/* PORT_REASON_COUNT: the device takes the frame. */
static enum port_reason refusal(const struct mem_port *m, const struct frame *f)
{
    const struct port_caps *c = &m->taken_caps;

    if (!offload_mtu_ok(f, c->mtu))
        return PORT_REASON_TX_TOO_BIG;
    if (offload_fits(f, c))
        return PORT_REASON_COUNT;
    return frame_is_gso(f) ? PORT_REASON_TX_GSO_BAD : PORT_REASON_TX_CSUM_BAD;
}

/* Takes one frame, with the lock held; returns why not. */
static enum port_reason take(struct mem_port *m, const struct frame *f)
{
    enum port_reason why = PORT_REASON_COUNT;

    if (atomic_load_explicit(&m->broken, memory_order_relaxed))
        return PORT_REASON_TX_FAILED;
    if (!atomic_load_explicit(&m->link, memory_order_relaxed))
        return PORT_REASON_TX_DOWN;
    if (!m->discard) {
        why = refusal(m, f);
        if (why == PORT_REASON_COUNT && !ring_put(&m->ring, f))
            why = PORT_REASON_TX_QUEUE_FULL;
    }
    if (why == PORT_REASON_COUNT && m->fail_after > 0 && --m->fail_after == 0)
        atomic_store(&m->broken, true);
    return why;
}

static void account(struct mem_port *m, unsigned ctx, uint64_t n)
{
    _Atomic uint64_t *c = &m->taken[ctx].n;

    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void take_list(struct mem_port *m, unsigned ctx, struct frame *const *f,
                      unsigned n, struct tx_result *r)
{
    uint32_t before = r->sent;

    pthread_mutex_lock(&m->lock);
    for (unsigned i = 0; i < n; i++) {
        enum port_reason why =
            m->slow && i >= m->slow ? PORT_REASON_TX_PEER_SLOW : take(m, f[i]);

        if (why != PORT_REASON_COUNT) {
            r->refused[why]++;
            continue;
        }
        r->sent++;
        r->bytes += f[i]->len;
    }
    account(m, ctx, r->sent - before);
    pthread_mutex_unlock(&m->lock);
}

static void mem_tx(struct port *p, unsigned ctx, struct frame *const *f,
                   unsigned n, struct tx_result *r)
{
    struct mem_port *m = mem_of(p);

    if (m->discard && !m->slow &&
        !atomic_load_explicit(&m->armed, memory_order_relaxed) &&
        atomic_load_explicit(&m->link, memory_order_relaxed)) {
        for (unsigned i = 0; i < n; i++)
            r->bytes += f[i]->len;
        r->sent += n;
        account(m, ctx, n);
        return;
    }
    take_list(m, ctx, f, n, r);
    if (atomic_load_explicit(&m->broken, memory_order_relaxed)) {
        r->failed = true;
        port_event(p, PORT_EVENT_FAILED, "told to fail");
    }
}

/* ---- the kind ---- */

static void mem_describe(struct port *p, struct port_desc *d)
{
    struct mem_port *m = mem_of(p);
    uint32_t frames, max;

    pthread_mutex_lock(&m->lock);
    frames = m->ring.frames;
    max = m->ring.frames_max;
    pthread_mutex_unlock(&m->lock);
    snprintf(d->device, sizeof(d->device), "memory");
    if (m->discard)
        snprintf(d->detail, sizeof(d->detail),
                 "discards; %llu injected frames wait",
                 (unsigned long long)mem_pending(p));
    else
        snprintf(d->detail, sizeof(d->detail),
                 "%u of %u frames collected; %llu injected frames wait", frames,
                 max, (unsigned long long)mem_pending(p));
}

static const char *const mem_keys[] = {
    "vnet",  "csum",    "tso4",    "tso6", "uso",       "mtu",
    "speed", "mac",     "link",    "edge", "queues",    "proto",
    "head",  "collect", "discard", "slow", "fail-open", NULL};

static const struct port_ops mem_ops = {
    .open = mem_open,
    .attach = mem_attach,
    .detach = mem_detach,
    .rx = mem_rx,
    .tx = mem_tx,
    .close = mem_close,
    .describe = mem_describe,
};

const struct port_kind port_kind_mem = {
    .name = "mem",
    .help = "port in memory, fed and read by commands: for tests and trials",
    .keys = mem_keys,
    .ops = &mem_ops,
    .alloc = mem_alloc,
    .free = mem_free,
};
