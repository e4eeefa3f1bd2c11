/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read-copy-update for Bascule: publish an immutable object with one store,
 * free the old one when no reader can hold it.
 *
 * The flavour is liburcu's QSBR; this pair of files is the only place that
 * names it.  Readers pay nothing: a registered thread that is online is a
 * reader at all times, and says rcu_quiescent() at moments when it holds no
 * pointer read before.  Around anything that blocks it goes offline.
 *
 *   control thread, workers   registered; quiescent at the end of each turn;
 *                             offline while asleep in epoll
 *   job thread                registered, offline by default; calls rcu_wait
 *
 * An online thread takes no lock that may be held across a grace period.
 * Under ThreadSanitizer, which does not see into liburcu, these functions
 * tell it the edge from a quiescent state to the end of a grace period; they
 * hide nothing else, so an object freed without one is still reported.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include <stdatomic.h>

/* A pointer that is published and read: _Atomic(struct x *) p; */
#define rcu_publish(p, obj)                                                    \
    atomic_store_explicit((p), (obj), memory_order_release)
#define rcu_read(p) atomic_load_explicit((p), memory_order_acquire)

/* Embedded in objects handed to rcu_defer. */
struct rcu_node {
    void *opaque[2];
    void (*fn)(struct rcu_node *);
};

/* Registers the calling thread and puts it online. */
void rcu_thread_enter(void);
/* Unregisters the calling thread (it may be online or offline). */
void rcu_thread_leave(void);

/* The calling thread holds nothing read before.  Cheap; never blocks. */
void rcu_quiescent(void);
/* As quiescent, until rcu_online(): between them the thread reads nothing. */
void rcu_offline(void);
void rcu_online(void);

/*
 * Waits until every reader online now has been quiescent.  Blocks: for the
 * job thread, and for tests.  The caller may be online (it is then offline
 * meanwhile) or offline.
 */
void rcu_wait(void);

/*
 * Calls node->fn on liburcu's own thread after a grace period.  For freeing
 * only: it may sleep 10 ms.  Control or job thread.
 */
void rcu_defer(struct rcu_node *node, void (*fn)(struct rcu_node *));

/* Waits for all rcu_defer so far to have run.  Job thread, and at exit. */
void rcu_defer_barrier(void);

#endif
