/* SPDX-License-Identifier: BSD-2-Clause */
#include <urcu/urcu-qsbr.h>

#include "base/rcu.h"

#include <assert.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#endif

#ifdef RCU_TSAN
/*
 * One synchronisation object for all threads: a quiescent state releases it,
 * the end of a grace period acquires it.  That is the edge liburcu promises,
 * slightly widened (a grace period that ends after an unrelated quiescent
 * state acquires that one too), which can hide a missing grace period only
 * where another one ended in between.
 */
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
static char edge;
#define EDGE_RELEASE(p) __tsan_release(p)
#define EDGE_ACQUIRE(p) __tsan_acquire(p)
#else
#define EDGE_RELEASE(p) ((void)0)
#define EDGE_ACQUIRE(p) ((void)0)
#endif

static_assert(sizeof(struct rcu_head) <= sizeof(void *[2]),
              "rcu_node's room for liburcu's head");
static_assert(offsetof(struct rcu_node, opaque) == 0,
              "the head and the node are at one address");

void rcu_thread_enter(void)
{
    urcu_qsbr_register_thread();
}

void rcu_thread_leave(void)
{
    EDGE_RELEASE(&edge);
    urcu_qsbr_unregister_thread();
}

void rcu_quiescent(void)
{
    EDGE_RELEASE(&edge);
    urcu_qsbr_quiescent_state();
}

void rcu_offline(void)
{
    EDGE_RELEASE(&edge);
    urcu_qsbr_thread_offline();
}

void rcu_online(void)
{
    urcu_qsbr_thread_online();
}

void rcu_wait(void)
{
    EDGE_RELEASE(&edge);
    urcu_qsbr_synchronize_rcu();
    EDGE_ACQUIRE(&edge);
}

static void deferred(struct rcu_head *head)
{
    /* The head lies in 'opaque', which is the node's first member. */
    struct rcu_node *node = (struct rcu_node *)(void *)head;

    EDGE_ACQUIRE(node);
    EDGE_ACQUIRE(&edge);
    node->fn(node);
}

void rcu_defer(struct rcu_node *node, void (*fn)(struct rcu_node *))
{
    node->fn = fn;
    EDGE_RELEASE(node);
    urcu_qsbr_call_rcu((struct rcu_head *)(void *)node->opaque, deferred);
}

void rcu_defer_barrier(void)
{
    urcu_qsbr_barrier();
    EDGE_ACQUIRE(&edge);
}
