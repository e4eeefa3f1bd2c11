/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: a thread with an event loop of its own that owns ingress queues
 * and runs the forwarder's turns.
 *
 * Idle, it sleeps in epoll and makes no system call.  After traffic it yields
 * the processor for some tens of microseconds before it sleeps again, which
 * saves a round trip's wake-up.  It is an RCU reader while awake, quiescent
 * after each turn, offline while it waits.
 *
 * Threads: worker_start, worker_stop, worker_mail by the control thread.
 */
#ifndef SWITCH_WORKER_H
#define SWITCH_WORKER_H

#include "base/err.h"
#include "switch/inbox.h"
#include "switch/turn.h"

/* A request to a worker; the answer is a message to control. */
struct mail {
    struct mail *next;
    void (*run)(struct mail *m, struct ev_loop *loop); /* worker */
    struct message done;                               /* control */
};

struct worker {
    struct forwarder fwd;
    struct ev_loop *loop;
    struct inbox *inbox;
    pthread_t thread;
    ev_async async;
    pthread_mutex_t lock;
    struct mail *head, **tail;
    bool stop;   /* under lock */
    bool ending; /* the worker's own copy */
    unsigned index;
    int cpu;          /* -1: anywhere */
    unsigned queues;  /* control thread: ingress queues it owns */
    uint64_t last_rx; /* when it last received something */
    uint64_t crowded; /* until when others need the processors: no yielding */
};

/* ctx 1 .. 8.  NULL, *rc and a sentence when it cannot start. */
struct worker *worker_start(unsigned ctx, int cpu, struct inbox *inbox,
                            const _Atomic bool *observed, int *rc,
                            struct err *e);
/* No queue is attached any more.  Blocks until the thread has ended. */
void worker_stop(struct worker *w);

void worker_mail(struct worker *w, struct mail *m);

#endif
