/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/bridge.h"

#include "base/clock.h"
#include "ports/guard.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the control thread's loop ---- */

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

/* The control thread's own forwarder: protocol queues. */
static void forward(struct sw *sw)
{
    if (!turn_pending(sw->fwd)) {
        ev_idle_stop(sw->loop, &sw->idle);
        return;
    }
    (void)turn_run(sw->fwd);
    tree_poll(sw);
    addresses_poll(sw);
    if (sw->fwd->news) {
        sw->fwd->news = false;
        inbox_wake(&sw->inbox);
    }
    if (turn_pending(sw->fwd))
        ev_idle_start(sw->loop, &sw->idle);
}

static void on_idle(struct ev_loop *loop, ev_idle *w, int events)
{
    (void)loop;
    (void)w;
    (void)events;
}

static void measure_lag(struct sw *sw)
{
    uint64_t lag;

    if (!sw->turn_began)
        return;
    lag = clock_now() - sw->turn_began;
    if (lag > sw->lag_max)
        sw->lag_max = lag;
    if (lag > sw->lag_total_max)
        sw->lag_total_max = lag;
    sw->turn_began = 0;
}

/* The last thing before the loop waits. */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
    struct sw *sw =
        (struct sw *)(void *)((char *)w - offsetof(struct sw, prepare));

    (void)loop;
    (void)events;
    forward(sw);
    publish_turn(sw);
    measure_lag(sw);
}

/* The first thing after it. */
static void on_check(struct ev_loop *loop, ev_check *w, int events)
{
    struct sw *sw =
        (struct sw *)(void *)((char *)w - offsetof(struct sw, check));

    (void)loop;
    (void)events;
    sw->turn_began = clock_now();
}

/* A forwarder has left something: events, or a table under pressure. */
static void on_wake(struct inbox *box)
{
    struct sw *sw =
        (struct sw *)(void *)((char *)box - offsetof(struct sw, inbox));

    observe_poll(sw);
    tree_poll(sw);
    addresses_poll(sw);
    for (struct bridge *b = sw->bridges; b; b = b->next)
        if (atomic_exchange_explicit(&b->plane.pressed, false,
                                     memory_order_acquire))
            table_kick(b);
}

static void watch_loop(struct sw *sw)
{
    ev_set_loop_release_cb(sw->loop, before_wait, after_wait);
    ev_prepare_init(&sw->prepare, on_prepare);
    ev_set_priority(&sw->prepare, EV_MINPRI);
    ev_prepare_start(sw->loop, &sw->prepare);
    ev_check_init(&sw->check, on_check);
    ev_set_priority(&sw->check, EV_MAXPRI);
    ev_check_start(sw->loop, &sw->check);
    ev_idle_init(&sw->idle, on_idle);
    inbox_init(&sw->inbox, sw->loop, on_wake);
}

static void unwatch_loop(struct sw *sw)
{
    inbox_free(&sw->inbox);
    ev_timer_stop(sw->loop, &sw->drain);
    ev_idle_stop(sw->loop, &sw->idle);
    ev_check_stop(sw->loop, &sw->check);
    ev_prepare_stop(sw->loop, &sw->prepare);
    ev_set_loop_release_cb(sw->loop, NULL, NULL);
}

/* ---- beginning and end ---- */

static void on_link(void *arg, uint64_t netns, const struct link_change *c)
{
    device_link(arg, netns, c);
}

static int start_workers(struct sw *sw, const struct sw_config *c,
                         struct err *e)
{
    int rc = 0;

    while (sw->n_workers < c->workers) {
        unsigned i = sw->n_workers;

        sw->worker[i] =
            worker_start(i + 1, c->cpu[i], &sw->inbox, &sw->observed, &rc, e);
        if (!sw->worker[i])
            return rc;
        sw->n_workers++;
    }
    return 0;
}

static void stop_workers(struct sw *sw)
{
    while (sw->n_workers > 0)
        worker_stop(sw->worker[--sw->n_workers]);
}

static int start_control(struct sw *sw, struct err *e)
{
    sw->fwd = aligned_alloc(64, (sizeof(*sw->fwd) + 63) & ~(size_t)63);
    if (!sw->fwd || turn_fwd_init(sw->fwd, 0, &sw->observed)) {
        free(sw->fwd);
        return err_set(e, ENOMEM, "no memory for the control thread's frames");
    }
    sw->fwd->loop = sw->loop;
    sw->netwatch = netwatch_new(sw->loop, on_link, sw);
    if (!sw->netwatch) {
        turn_fwd_free(sw->fwd);
        free(sw->fwd);
        return err_set(e, ENOMEM, "no memory for following interfaces");
    }
    return 0;
}

static void stop_control(struct sw *sw)
{
    netwatch_free(sw->netwatch);
    turn_fwd_free(sw->fwd);
    free(sw->fwd);
}

/* Enough for a thousand devices to be closed in seconds: each close waits for
 * 60 ms or so, most of which the kernel lets several share. */
#define DEVICE_THREADS 8

static int start_threads(struct sw *sw, const struct sw_config *c,
                         struct err *e)
{
    struct jobs *queue[] = {&sw->devices, &sw->settings, &sw->graces,
                            &sw->tasks};
    const unsigned threads[] = {DEVICE_THREADS, 1, 1, 1};
    unsigned n = 0;
    int rc = 0;

    while (n < 4 && (rc = jobs_start(queue[n], &sw->inbox, threads[n], e)) == 0)
        n++;
    if (rc == 0) {
        rc = start_workers(sw, c, e);
        if (rc == 0)
            return 0;
        stop_workers(sw);
    }
    while (n > 0)
        jobs_stop(queue[--n]);
    return rc;
}

static int start(struct sw *sw, const struct sw_config *c, struct err *e)
{
    int rc;

    observe_start(sw);
    publish_start(sw);
    watch_loop(sw);
    rc = start_control(sw, e);
    if (rc == 0) {
        rc = start_threads(sw, c, e);
        if (rc == 0)
            return 0;
        stop_control(sw);
    }
    unwatch_loop(sw);
    return rc;
}

int sw_new(struct sw **out, const struct sw_config *c, struct err *e)
{
    struct sw *sw;
    int rc;

    *out = NULL;
    if (c->workers < 1 || c->workers > WORKERS_MAX)
        return err_set(e, EINVAL, "%u workers are not in 1..%u", c->workers,
                       WORKERS_MAX);
    sw = calloc(1, sizeof(*sw));
    if (!sw)
        return err_set(e, ENOMEM, "no memory for the switch");
    sw->loop = c->loop;
    sw->n_forwarders = c->workers + 1;
    sw->bridges_tail = &sw->bridges;
    pthread_mutex_init(&sw->event_lock, NULL);
    rcu_thread_enter();
    rc = start(sw, c, e);
    if (rc) {
        rcu_thread_leave();
        pthread_mutex_destroy(&sw->event_lock);
        free(sw);
        return rc;
    }
    if (c->state_dir)
        guard_recover(c->state_dir);
    *out = sw;
    return 0;
}

void sw_free(struct sw *sw)
{
    if (!sw)
        return;
    for (struct bridge *b = sw->bridges, *next; b; b = next) {
        next = b->next;
        bridge_del(sw, b->name, true, NULL, NULL);
    }
    /* the loop's other customers are served meanwhile */
    while (sw->bridges || sw->grace_running || sw->grace_due ||
           sw->answers.head || sw->n_tasks)
        ev_run(sw->loop, EVRUN_ONCE);
    stop_workers(sw);
    jobs_stop(&sw->tasks);
    jobs_stop(&sw->graces);
    jobs_stop(&sw->settings);
    jobs_stop(&sw->devices);
    stop_control(sw);
    unwatch_loop(sw);
    rcu_thread_leave();
    pthread_mutex_destroy(&sw->event_lock);
    free(sw);
}

/* ---- health ---- */

void sw_stats(struct sw *sw, struct sw_stats *s)
{
    memset(s, 0, sizeof(*s));
    s->loop_lag_max_ns = sw->lag_max;
    s->loop_lag_total_max_ns = sw->lag_total_max;
    sw->lag_max = 0;
    s->grace_periods = sw->grace_count;
    s->events_lost = sw->events_lost;
    s->workers = sw->n_workers;
    for (unsigned i = 0; i < sw->n_workers; i++) {
        const struct forwarder_stats *f = &sw->worker[i]->fwd.stats;

        s->worker[i].turns = lane_read(&f->turns);
        s->worker[i].frames = lane_read(&f->frames);
        s->worker[i].wakeups = lane_read(&f->wakeups);
        s->worker[i].spins = lane_read(&f->spins);
    }
}
