/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/hold.h"

#include <stdlib.h>
#include <string.h>

/* In front of each frame's octets. */
struct record {
    struct virtio_net_hdr vnet;
    uint64_t key;
    uint32_t len;
    uint16_t in_port, vid;
    uint8_t csum;
};

/* How exactly it is known when the host was heard: less often written, for
 * another forwarder's cache may have it. */
#define HEARD_GRAIN (HOLD_SILENT / 8)

struct hold *hold_new(void)
{
    struct hold *h = calloc(1, sizeof(*h));

    if (h && arena_init(&h->kept, HOLD_BYTES)) {
        free(h);
        h = NULL;
    }
    if (h)
        pthread_mutex_init(&h->lock, NULL);
    return h;
}

void hold_free(struct hold *h)
{
    if (!h)
        return;
    arena_destroy(&h->kept);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* Forwarders' clocks differ by the length of a turn. */
static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static uint64_t last_heard(struct hold *h)
{
    return atomic_load_explicit(&h->heard, memory_order_relaxed);
}

void hold_heard(struct hold *h, uint64_t now)
{
    if (since(now, last_heard(h)) <= HEARD_GRAIN)
        return;
    atomic_store_explicit(&h->heard, now, memory_order_relaxed);
    atomic_store_explicit(&h->full, 0, memory_order_relaxed);
}

static bool over(struct hold *h, uint64_t now)
{
    return last_heard(h) >= h->begun || since(now, h->begun) > HOLD_MAX;
}

static void append(struct hold *h, uint64_t key, const struct frame *f)
{
    struct record r = {.vnet = f->vnet,
                       .key = key,
                       .len = f->len,
                       .in_port = f->in_port,
                       .vid = f->vid,
                       .csum = f->csum};
    uint8_t *to = arena_alloc(&h->kept, sizeof(r) + f->len);

    if (!to) {
        atomic_store_explicit(&h->full, h->begun + HOLD_MAX,
                              memory_order_relaxed);
        return;
    }
    memcpy(to, &r, sizeof(r));
    to += sizeof(r);
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(to, f->seg[i].iov_base, f->seg[i].iov_len);
        to += f->seg[i].iov_len;
    }
}

void hold_frame(struct hold *h, uint64_t now, uint64_t key,
                const struct frame *f)
{
    /* Who finds another forwarder at it does without rather than wait. */
    if (pthread_mutex_trylock(&h->lock))
        return;
    if (over(h, now))
        h->kept.used = 0;
    if (h->kept.used == 0)
        h->begun = now;
    append(h, key, f);
    pthread_mutex_unlock(&h->lock);
}

size_t hold_take(struct hold *h, uint64_t now, struct arena *a, uint8_t **bytes)
{
    size_t n = 0;

    if (pthread_mutex_trylock(&h->lock))
        return 0;
    if (!over(h, now) && (*bytes = arena_alloc(a, h->kept.used))) {
        n = h->kept.used;
        memcpy(*bytes, h->kept.base, n);
    }
    h->kept.used = 0;
    pthread_mutex_unlock(&h->lock);
    return n;
}

bool hold_next(uint8_t *bytes, size_t n, size_t *at, struct held *out)
{
    size_t start = (*at + 63) & ~(size_t)63; /* as arena_alloc has it */
    struct record r;

    if (start >= n)
        return false;
    memcpy(&r, bytes + start, sizeof(r));
    *at = start + sizeof(r) + r.len;
    *out = (struct held){.key = r.key};
    out->frame = (struct frame){
        .seg[0] = {bytes + start + sizeof(r), r.len},
        .len = r.len,
        .nseg = 1,
        .in_port = r.in_port,
        .vid = r.vid,
        .csum = r.csum,
        .vnet = r.vnet,
    };
    return true;
}
