/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/inbox.h"

#include "base/clock.h"

#include <stddef.h>

static struct message *take(struct inbox *box)
{
    struct message *m;

    pthread_mutex_lock(&box->lock);
    m = box->head;
    if (m) {
        box->head = m->next;
        if (!box->head)
            box->tail = &box->head;
        m->queued = false;
    }
    pthread_mutex_unlock(&box->lock);
    return m;
}

void inbox_drain(struct inbox *box)
{
    uint64_t end = clock_now() + NSEC_PER_MSEC;
    struct message *m;

    while ((m = take(box))) {
        m->run(m);
        if (clock_now() >= end) {
            inbox_wake(box); /* the rest in the next turn */
            return;
        }
    }
}

static void on_async(struct ev_loop *loop, ev_async *w, int events)
{
    struct inbox *box =
        (struct inbox *)(void *)((char *)w - offsetof(struct inbox, async));

    (void)loop;
    (void)events;
    if (box->poll)
        box->poll(box);
    inbox_drain(box);
}

void inbox_init(struct inbox *box, struct ev_loop *loop,
                void (*poll)(struct inbox *box))
{
    box->loop = loop;
    box->poll = poll;
    box->head = NULL;
    box->tail = &box->head;
    pthread_mutex_init(&box->lock, NULL);
    ev_async_init(&box->async, on_async);
    ev_async_start(loop, &box->async);
}

void inbox_free(struct inbox *box)
{
    ev_async_stop(box->loop, &box->async);
    pthread_mutex_destroy(&box->lock);
}

void inbox_wake(struct inbox *box)
{
    ev_async_send(box->loop, &box->async);
}

void inbox_post(struct inbox *box, struct message *m)
{
    bool fresh;

    pthread_mutex_lock(&box->lock);
    fresh = !m->queued;
    if (fresh) {
        m->next = NULL;
        m->queued = true;
        *box->tail = m;
        box->tail = &m->next;
    }
    pthread_mutex_unlock(&box->lock);
    if (fresh)
        inbox_wake(box);
}

void inbox_cancel(struct inbox *box, struct message *m)
{
    pthread_mutex_lock(&box->lock);
    for (struct message **at = &box->head; *at; at = &(*at)->next) {
        if (*at != m)
            continue;
        *at = m->next;
        if (!*at)
            box->tail = at;
        m->queued = false;
        break;
    }
    pthread_mutex_unlock(&box->lock);
}
