/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a mem port, shared by its two ends: mem.c (the kind, towards
 * the switch) and mem_far.c (the API of mem.h).  Nobody else includes this.
 *
 * Injected frames wait in a list per queue under the port's lock.  rx steals
 * the whole list at once and copies from it without the lock; what it has
 * used up goes back with the next theft and is freed by whoever injects, so
 * the worker neither allocates nor frees.
 *
 * Collected frames lie in one byte ring, made at the first open and never
 * grown.
 */
#ifndef PORTS_MEM_PORT_H
#define PORTS_MEM_PORT_H

#include "ports/mem.h"

#include <ev.h>
#include <pthread.h>
#include <stdlib.h>

#define QUEUES (PORT_QUEUES_MAX + 1) /* the last one is PORT_QUEUE_PROTO */

/* A frame that was injected; 'copies' of it are still to be received. */
struct injected {
    struct injected *next;
    unsigned copies;
    uint32_t len;
    struct virtio_net_hdr vnet;
    uint8_t bytes[];
};

struct list {
    struct injected *head;
    struct injected *tail; /* meaningful if head is not NULL */
};

/* Frames prepared once and received many times. */
struct replay {
    struct replay *next; /* older ones, kept until close */
    unsigned n;
    unsigned at; /* of the thread that owns queue 0 */
    _Atomic uint64_t left;
    struct frame *frame;
    uint8_t *bytes;
};

struct queue {
    struct list in;   /* under the lock */
    struct list used; /* under the lock; freed by mem_inject and close */
    struct list work; /* of the thread that owns the queue */
    struct list done; /* of the thread that owns the queue */
    _Atomic uint64_t pending;
    struct ev_loop *loop; /* NULL: not attached; under the lock */
    ev_async wake;
};

/* A collected frame in the ring; its octets follow. */
struct record {
    uint32_t len;
    struct virtio_net_hdr vnet;
};

struct ring {
    struct arena memory;
    size_t head; /* of the oldest record */
    size_t used;
    uint32_t frames;
    uint32_t frames_max;
};

struct counter {
    _Alignas(64) _Atomic uint64_t n;
};

struct mem_port {
    struct port port;
    pthread_mutex_t lock;
    bool ready; /* keys have been read, the ring exists */
    /* under the lock */
    bool open;
    struct port_caps taken_caps; /* what tx goes by */
    int64_t fail_after;          /* -1: never */
    struct ring ring;
    /* each thing in it says whose it is */
    struct queue queue[QUEUES];
    _Atomic bool link;
    _Atomic bool broken; /* the device has failed */
    _Atomic bool armed;  /* fail_after is not -1 */
    _Atomic(struct replay *) replay;
    uint32_t head; /* octets in the first segment; 0: all */
    uint32_t slow; /* frames taken of a list; 0: all */
    bool discard;
    bool fail_open;
    struct counter taken[PORT_TXCTX_MAX];
};

static inline struct mem_port *mem_of(const struct port *p)
{
    return (struct mem_port *)(uintptr_t)p; /* port is the first member */
}

/* ---- lists of injected frames ---- */

static inline void list_push(struct list *l, struct injected *i)
{
    i->next = NULL;
    if (l->head)
        l->tail->next = i;
    else
        l->head = i;
    l->tail = i;
}

static inline struct injected *list_pop(struct list *l)
{
    struct injected *i = l->head;

    l->head = i->next;
    return i;
}

/* Appends all of 'from' to 'to'. */
static inline void list_move(struct list *to, struct list *from)
{
    if (!from->head)
        return;
    if (to->head)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    from->head = NULL;
}

static inline void list_free(struct list *l)
{
    while (l->head)
        free(list_pop(l));
}

static inline void replay_free(struct replay *r)
{
    if (!r)
        return;
    free(r->frame);
    free(r->bytes);
    free(r);
}

/* With the lock held: rx may succeed. */
static inline void mem_wake_locked(struct queue *q)
{
    if (q->loop)
        ev_async_send(q->loop, &q->wake);
}

#endif
