/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of a mem port: what mem.h offers. */
#include "ports/mem_port.h"

#include <errno.h>
#include <string.h>

bool mem_is(const struct port *p)
{
    return p->kind == &port_kind_mem;
}

/* ---- frames to be received ---- */

static struct queue *queue_for(struct mem_port *m, const uint8_t *bytes,
                               uint32_t len)
{
    static const uint8_t proto[] = {0x01, 0x80, 0xc2, 0x00, 0x00};
    uint32_t h = 0;

    if (m->port.caps.proto_queue && len >= 6 &&
        memcmp(bytes, proto, sizeof(proto)) == 0 && bytes[5] < 0x10)
        return &m->queue[PORT_QUEUE_PROTO];
    for (uint32_t i = 0; i < 12 && i < len; i++)
        h = h * 31 + bytes[i];
    return &m->queue[h % m->port.n_queues];
}

/* With the lock held: may a frame arrive? */
static bool can_arrive(struct mem_port *m)
{
    return m->open && !atomic_load(&m->broken) && atomic_load(&m->link);
}

int mem_inject(struct port *p, const void *frame, uint32_t len,
               const struct virtio_net_hdr *vnet, unsigned copies)
{
    struct mem_port *m = mem_of(p);
    struct list used = {0};
    struct injected *i;
    struct queue *q;
    int rc = 0;

    if (!mem_is(p))
        return -EINVAL;
    if (len > FRAME_LEN_MAX)
        return -EMSGSIZE;
    if (copies == 0)
        return 0;
    i = malloc(sizeof(*i) + len);
    if (!i)
        return -ENOMEM;
    i->copies = copies;
    i->len = len;
    i->vnet = vnet ? *vnet : (struct virtio_net_hdr){0};
    memcpy(i->bytes, frame, len);
    pthread_mutex_lock(&m->lock);
    if (!can_arrive(m)) {
        rc = -ENETDOWN;
        list_push(&used, i);
    } else {
        q = queue_for(m, i->bytes, len);
        list_move(&used, &q->used);
        if (copies > MEM_PENDING_MAX - atomic_load(&q->pending)) {
            rc = -ENOBUFS;
            list_push(&used, i);
        } else {
            list_push(&q->in, i);
            atomic_fetch_add(&q->pending, copies);
            mem_wake_locked(q);
        }
    }
    pthread_mutex_unlock(&m->lock);
    list_free(&used);
    return rc;
}

uint64_t mem_pending(const struct port *p)
{
    struct mem_port *m = mem_of(p);
    struct replay *r;
    uint64_t n = 0;

    if (!mem_is(p))
        return 0;
    for (int i = 0; i < QUEUES; i++)
        n += atomic_load(&m->queue[i].pending);
    r = atomic_load(&m->replay);
    return r ? n + atomic_load(&r->left) : n;
}

/* ---- frames that were sent ---- */

static void ring_read(struct ring *r, void *out, size_t n)
{
    size_t first = r->memory.size - r->head < n ? r->memory.size - r->head : n;

    memcpy(out, r->memory.base + r->head, first);
    memcpy((uint8_t *)out + first, r->memory.base, n - first);
}

static void ring_drop(struct ring *r, size_t n)
{
    r->used -= n;
    r->head = r->used ? (r->head + n) % r->memory.size : 0;
}

int mem_collect(struct port *p, void *buf, uint32_t size,
                struct virtio_net_hdr *vnet)
{
    struct mem_port *m = mem_of(p);
    struct record rec;
    int rc = -EAGAIN;

    if (!mem_is(p))
        return -EINVAL;
    pthread_mutex_lock(&m->lock);
    if (m->ring.frames) {
        ring_read(&m->ring, &rec, sizeof(rec));
        ring_drop(&m->ring, sizeof(rec));
        ring_read(&m->ring, buf, size < rec.len ? size : rec.len);
        ring_drop(&m->ring, rec.len);
        m->ring.frames--;
        if (vnet)
            *vnet = rec.vnet;
        rc = (int)rec.len;
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

uint64_t mem_taken(const struct port *p)
{
    struct mem_port *m = mem_of(p);
    uint64_t n = 0;

    if (!mem_is(p))
        return 0;
    for (int i = 0; i < PORT_TXCTX_MAX; i++)
        n += atomic_load_explicit(&m->taken[i].n, memory_order_relaxed);
    return n;
}

/* ---- the device ---- */

int mem_fail_after(struct port *p, int64_t n)
{
    struct mem_port *m = mem_of(p);
    bool was;

    if (!mem_is(p))
        return -EINVAL;
    pthread_mutex_lock(&m->lock);
    was = atomic_load(&m->broken);
    m->fail_after = n < 0 ? -1 : n;
    atomic_store(&m->armed, n >= 0);
    atomic_store(&m->broken, n == 0);
    pthread_mutex_unlock(&m->lock);
    if (n == 0)
        port_event(p, PORT_EVENT_FAILED, "told to fail");
    else if (was)
        port_event(p, PORT_EVENT_READY, "told to work again");
    return 0;
}

int mem_set_link(struct port *p, bool up)
{
    struct mem_port *m = mem_of(p);

    if (!mem_is(p))
        return -EINVAL;
    if (atomic_exchange(&m->link, up) == up)
        return 0;
    p->caps.link = up;
    port_event(p, up ? PORT_EVENT_UP : PORT_EVENT_DOWN, "told to be %s",
               up ? "up" : "down");
    return 0;
}

int mem_set_caps(struct port *p, const struct port_caps *c)
{
    struct mem_port *m = mem_of(p);
    struct port_caps *own = &p->caps;

    if (!mem_is(p))
        return -EINVAL;
    own->vnet = c->vnet;
    own->tx_csum = c->tx_csum;
    own->tx_tso4 = c->tx_tso4;
    own->tx_tso6 = c->tx_tso6;
    own->tx_uso = c->tx_uso;
    own->mtu = c->mtu;
    own->speed = c->speed;
    own->mac = c->mac;
    pthread_mutex_lock(&m->lock);
    m->taken_caps = *own;
    pthread_mutex_unlock(&m->lock);
    port_event(p, PORT_EVENT_CAPS, "told to change");
    return 0;
}

/* ---- replay ---- */

static int replay_fill(struct replay *r, const struct mem_frame *f)
{
    size_t at = 0;

    for (unsigned i = 0; i < r->n; i++) {
        struct frame *to = &r->frame[i];
        enum port_reason why;

        memcpy(r->bytes + at, f[i].bytes, f[i].len);
        to->seg[0] = (struct iovec){r->bytes + at, f[i].len};
        to->nseg = 1;
        to->len = f[i].len;
        to->vnet = f[i].vnet;
        if (!frame_vnet_check(to, &why))
            return -EINVAL;
        at += (f[i].len + 63) & ~63U;
    }
    return 0;
}

static struct replay *replay_make(const struct mem_frame *f, unsigned n,
                                  uint64_t rounds, int *rc)
{
    struct replay *r = calloc(1, sizeof(*r));
    size_t size = 64;

    *rc = -ENOMEM;
    if (!r)
        return NULL;
    for (unsigned i = 0; i < n; i++)
        size += (f[i].len + 63) & ~63U;
    r->n = n;
    r->frame = calloc(n, sizeof(*r->frame));
    r->bytes = aligned_alloc(64, size);
    atomic_init(&r->left, n * rounds);
    if (r->frame && r->bytes)
        *rc = replay_fill(r, f);
    if (*rc == 0)
        return r;
    replay_free(r);
    return NULL;
}

int mem_replay(struct port *p, const struct mem_frame *f, unsigned n,
               uint64_t rounds)
{
    struct mem_port *m = mem_of(p);
    struct replay *r, *old;
    int rc;

    if (!mem_is(p) || n == 0)
        return -EINVAL;
    r = replay_make(f, n, rounds, &rc);
    if (!r)
        return rc;
    pthread_mutex_lock(&m->lock);
    old = atomic_load(&m->replay);
    if (!can_arrive(m))
        rc = -ENETDOWN;
    else if (old && atomic_load(&old->left))
        rc = -EBUSY;
    if (!rc) {
        r->next = old;
        atomic_store_explicit(&m->replay, r, memory_order_release);
        mem_wake_locked(&m->queue[0]);
    }
    pthread_mutex_unlock(&m->lock);
    if (rc)
        replay_free(r);
    return rc;
}
