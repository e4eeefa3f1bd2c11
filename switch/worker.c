/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/worker.h"

#include "base/clock.h"
#include "switch/slice.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

/* How long a worker yields after traffic before it sleeps: measured, see
 * ARCHITECTURE.md; a round trip through a peer on the same cores fits in. */
#define SPIN_NS (40 * NSEC_PER_USEC)

/* Whoever yields on processors that others want gets its turn back only when
 * theirs is over, some milliseconds later; a sleeper is woken at once.  So a
 * yield that took this long means: sleep for a while instead.  Measured with
 * two emulated guests on dgram ports and two processors: 0.13 Gb/s always
 * yielding, 0.25 with a bound of 300 us here, 0.42 with 100, 0.45 never
 * yielding; no difference beyond the noise between hosts on veth. */
#define CROWDED_NS      (100 * NSEC_PER_USEC)
#define CROWDED_REST_NS (100 * NSEC_PER_MSEC)

/* While a queue keeps returning full batches its watcher has nothing to say;
 * other queues' watchers and the mailbox are asked every so many turns. */
#define TURNS_PER_POLL 4

static void count(_Atomic uint64_t *c)
{
    lane_add(c, 1);
}

static void on_async(struct ev_loop *loop, ev_async *a, int events)
{
    struct worker *w = ev_userdata(loop);
    struct mail *m;

    (void)a;
    (void)events;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        m = w->head;
        if (m) {
            w->head = m->next;
            if (!w->head)
                w->tail = &w->head;
        }
        w->ending = w->stop;
        pthread_mutex_unlock(&w->lock);
        if (!m)
            return;
        m->run(m, loop);
        inbox_post(w->inbox, &m->done);
    }
}

/* libev calls these around epoll_wait only. */
static void before_wait(struct ev_loop *loop) EV_NOEXCEPT
{
    (void)loop;
    rcu_offline();
}

static void after_wait(struct ev_loop *loop) EV_NOEXCEPT
{
    (void)loop;
    rcu_online();
}

static void turns(struct worker *w)
{
    for (unsigned i = 0; i < TURNS_PER_POLL && turn_pending(&w->fwd); i++) {
        if (turn_run(&w->fwd) > 0)
            w->last_rx = clock_now();
        rcu_quiescent();
        if (w->fwd.news) {
            w->fwd.news = false;
            inbox_wake(w->inbox);
        }
    }
}

static void yield(struct worker *w)
{
    uint64_t begin = clock_now(), end;

    count(&w->fwd.stats.spins);
    rcu_quiescent();
    sched_yield();
    end = clock_now();
    if (end - begin > CROWDED_NS)
        w->crowded = end + CROWDED_REST_NS;
}

/* Is the next frame so near that yielding is worth while? */
static bool is_near(const struct worker *w)
{
    uint64_t now = clock_now();

    return now - w->last_rx < SPIN_NS && now >= w->crowded;
}

/*
 * Looks for ready queues: at once, as what a turn sent is often answered
 * before it ends; then after yielding the processor to whoever the next frame
 * comes from; then asleep.
 */
static void poll_queues(struct worker *w)
{
    ev_run(w->loop, EVRUN_NOWAIT);
    if (turn_pending(&w->fwd) || w->ending)
        return; /* the order to end may just have come: do not sleep on it */
    if (is_near(w)) {
        yield(w);
    } else {
        ev_run(w->loop, EVRUN_ONCE);
        count(&w->fwd.stats.wakeups);
    }
}

static void *run(void *arg)
{
    struct worker *w = arg;

    rcu_thread_enter();
    slice_shortest();
    while (!w->ending) {
        poll_queues(w);
        turns(w);
    }
    rcu_thread_leave();
    return NULL;
}

static int pin(struct worker *w, pthread_attr_t *attr, struct err *e)
{
    cpu_set_t set;
    int rc;

    if (w->cpu < 0)
        return 0;
    if (w->cpu >= CPU_SETSIZE)
        return err_set(e, EINVAL, "worker %u: there is no cpu %d", w->index,
                       w->cpu);
    CPU_ZERO(&set);
    CPU_SET(w->cpu, &set);
    rc = pthread_attr_setaffinity_np(attr, sizeof(set), &set);
    return rc ? err_sys(e, rc, "worker %u: cpu %d", w->index, w->cpu) : 0;
}

static int start_thread(struct worker *w, struct err *e)
{
    pthread_attr_t attr;
    int rc;

    pthread_attr_init(&attr);
    rc = pin(w, &attr, e);
    if (rc == 0) {
        rc = pthread_create(&w->thread, &attr, run, w);
        if (rc && w->cpu >= 0)
            rc = err_sys(e, rc, "worker %u on cpu %d", w->index, w->cpu);
        else if (rc)
            rc = err_sys(e, rc, "worker %u", w->index);
    }
    pthread_attr_destroy(&attr);
    return rc;
}

static void worker_free(struct worker *w)
{
    if (w->loop)
        ev_loop_destroy(w->loop);
    turn_fwd_free(&w->fwd);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static int set_up(struct worker *w, unsigned ctx, const _Atomic bool *observed,
                  struct err *e)
{
    int rc = turn_fwd_init(&w->fwd, ctx, observed);

    if (rc)
        return err_set(e, rc, "worker %u: no memory for its frames", w->index);
    w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!w->loop)
        return err_sys(e, errno ? errno : ENOMEM, "worker %u: event loop",
                       w->index);
    w->fwd.loop = w->loop;
    ev_set_userdata(w->loop, w);
    ev_set_loop_release_cb(w->loop, before_wait, after_wait);
    ev_async_init(&w->async, on_async);
    ev_async_start(w->loop, &w->async);
    return start_thread(w, e);
}

struct worker *worker_start(unsigned ctx, int cpu, struct inbox *inbox,
                            const _Atomic bool *observed, int *rc,
                            struct err *e)
{
    struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

    if (!w) {
        *rc = err_set(e, ENOMEM, "worker %u: no memory", ctx - 1);
        return NULL;
    }
    memset(w, 0, sizeof(*w));
    w->inbox = inbox;
    w->index = ctx - 1;
    w->cpu = cpu;
    w->tail = &w->head;
    pthread_mutex_init(&w->lock, NULL);
    *rc = set_up(w, ctx, observed, e);
    if (*rc) {
        worker_free(w);
        return NULL;
    }
    return w;
}

void worker_mail(struct worker *w, struct mail *m)
{
    pthread_mutex_lock(&w->lock);
    m->next = NULL;
    *w->tail = m;
    w->tail = &m->next;
    pthread_mutex_unlock(&w->lock);
    ev_async_send(w->loop, &w->async);
}

void worker_stop(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_mutex_unlock(&w->lock);
    ev_async_send(w->loop, &w->async);
    pthread_join(w->thread, NULL);
    worker_free(w);
}
