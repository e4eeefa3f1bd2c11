/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `match:`es of the daemon's own configuration that have found nothing: at
 * boot, interfaces come later than the daemon.  When some interface comes, the
 * configuration is looked through again, and applied if more is found.
 *
 * Threads: control thread.
 */
#include "base/log.h"
#include "ctl/apply/op.h"

#include <stdlib.h>

#define SETTLE_S 0.2 /* interfaces come in swarms, and are renamed then */

static void on_link(void *arg, uint64_t netns, const struct link_change *c)
{
    struct late *l = arg;

    (void)netns;
    (void)c;
    if (ev_is_active(&l->settle))
        return;
    ev_timer_set(&l->settle, SETTLE_S, 0.);
    ev_timer_start(l->a->loop, &l->settle);
}

static void looked(void *arg, int rc, const struct err *e,
                   const struct apply_report *r)
{
    (void)arg;
    (void)r;
    if (rc)
        log_warn("an interface that came late: %s", e->text);
}

static struct apply_request *request(const struct late *l)
{
    struct apply_request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->netns_fd = -1;
    r->may_wait = r->may_open = r->may_name = true;
    r->missing = calloc(1, sizeof(*r->missing));
    if (r->missing && want_missing_copy(r->missing, &l->missing) == 0)
        return r;
    apply_request_free(r);
    return NULL;
}

static void on_settled(struct ev_loop *loop, ev_timer *w, int events)
{
    struct late *l = w->data;
    struct apply_request *r;
    struct op *op;

    (void)events;
    if (l->a->unconfirmed) { /* who knows which file will count */
        ev_timer_set(w, 1., 0.);
        ev_timer_start(loop, w);
        return;
    }
    r = request(l);
    op = r ? apply_op(l->a, r, looked, NULL) : NULL;
    if (!op) {
        apply_request_free(r);
        return;
    }
    op->hold = conf_hold_get(l->hold);
    op->conf = l->hold->conf;
    op->what = "the configuration";
    op_queue(op);
}

static void end(struct late *l)
{
    if (!l->hold)
        return;
    ev_timer_stop(l->a->loop, &l->settle);
    netwatch_remove(l->ns);
    netwatch_free(l->watch);
    want_missing_free(&l->missing);
    conf_hold_put(l->hold);
    l->hold = NULL;
    l->watch = NULL;
    l->ns = NULL;
}

static void watch(struct late *l, struct conf_hold *hold)
{
    struct err e = {""};
    int rc = 0;

    l->hold = conf_hold_get(hold);
    l->watch = netwatch_new(l->a->loop, on_link, l);
    if (l->watch)
        l->ns = netwatch_add(l->watch, -1, &rc, &e);
    if (!l->ns)
        log_warn("interfaces that come late will not be noticed: %s",
                 l->watch ? e.text : "out of memory");
}

static void begin(struct late *l, struct op *op)
{
    if (l->hold != op->hold) {
        end(l);
        watch(l, op->hold);
    }
    if (want_missing_copy(&l->missing, &op->want->missing))
        log_warn("interfaces that come late will not be noticed: out of "
                 "memory");
}

void late_init(struct late *l, struct apply *a)
{
    l->a = a;
    ev_timer_init(&l->settle, on_settled, 0., 0.);
    l->settle.data = l;
}

void late_follow(struct op *op)
{
    struct late *l = &op->a->late;

    if (!op->want || op->req->dry_run)
        return;
    if (op->want->missing.n && op->req->may_wait && !op->a->ending)
        begin(l, op);
    else
        end(l);
}

int late_copy(const struct late *l, struct running *r)
{
    const struct conf *c = l->hold ? l->hold->conf : NULL;
    uint64_t netns = op_netns(-1);
    int rc = 0;

    for (unsigned i = 0; c && !rc && i < c->n_bridges; i++)
        if (want_is_missing(&l->missing, &c->bridge[i].pos) &&
            c->bridge[i].adopt)
            rc = running_await(r, c->bridge[i].name, netns, c->bridge[i].adopt);
    return rc;
}

void late_end(struct apply *a)
{
    end(&a->late);
}
