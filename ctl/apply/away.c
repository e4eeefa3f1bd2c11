/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bridges of the kernel's that a file has adopted and somebody has deleted, as
 * `virsh net-destroy` does: they are adopted again when they are back, as long
 * as the file counts.  Those that the daemon's own configuration waits for
 * (late.c) come here when another file that names them is applied.
 *
 * Threads: control thread.
 */
#include "base/log.h"
#include "ctl/adopt/adopt.h"
#include "ctl/apply/op.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_S 0.2 /* who makes a bridge sets it up as well */

struct away_bridge {
    TAILQ_ENTRY(away_bridge) link;
    struct owned_bridge *b;
    struct netwatch_ns *ns;
    bool due;  /* something was heard of it */
    bool turn; /* the operation has not tried it yet */
};

static struct away_bridge *find(const struct away *w, const char *name)
{
    struct away_bridge *x;

    TAILQ_FOREACH(x, &w->all, link)
    {
        if (strcmp(x->b->name, name) == 0)
            return x;
    }
    return NULL;
}

static void drop(struct away *w, struct away_bridge *x)
{
    TAILQ_REMOVE(&w->all, x, link);
    netwatch_remove(x->ns);
    owned_bridge_free(x->b);
    free(x);
    if (!TAILQ_EMPTY(&w->all))
        return;
    ev_timer_stop(w->a->loop, &w->settle);
    netwatch_free(w->watch);
    w->watch = NULL;
}

static void look_in(struct away *w, double seconds)
{
    if (ev_is_active(&w->settle) || w->a->ending)
        return;
    ev_timer_set(&w->settle, seconds, 0.);
    ev_timer_start(w->a->loop, &w->settle);
}

/* ---- it is back ---- */

/* The file's again, as it was. */
static void own(struct away *w, struct away_bridge *x)
{
    log_info("bridge %s is %s", x->b->name,
             x->b->lost ? "back, and adopted again" : "there, and adopted");
    x->b->lost = false;
    LIST_INSERT_HEAD(&w->a->owned, x->b, link);
    x->b = NULL;
    drop(w, x);
}

static void next(struct op *op);

static void tried(void *arg, int rc, const struct err *e)
{
    struct op *op = arg;
    struct away *w = &op->a->away;
    struct away_bridge *x = find(w, op->name[0]);
    bool disable;

    if (!rc) {
        own(w, x);
    } else if (adopt_has(w->a->adopt, op->name[0], &disable)) {
        x->due = true; /* the one before is on its way out */
        look_in(w, SETTLE_S);
    } else if (rc != -ENODEV) {
        log_warn("bridge %s is %s, and stays the kernel's: %s", op->name[0],
                 x->b->lost ? "back" : "there", e->text);
    }
    next(op);
}

/* True: 'tried' is called. */
static bool try(struct op *op, struct away_bridge *x)
{
    struct away *w = &op->a->away;
    const char *name = x->b->name;
    bool disable;
    int fd;

    if (bridge_find(w->a->sw, name)) { /* of our own, or adopted by hand */
        if (adopt_has(w->a->adopt, name, &disable))
            own(w, x);
        return false;
    }
    fd = x->b->netns_fd >= 0 ? fcntl(x->b->netns_fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (x->b->netns_fd >= 0 && fd < 0)
        return false;
    snprintf(op->name[0], sizeof(op->name[0]), "%s", name);
    adopt_begin(w->a->adopt, name, fd, x->b->adopt == CONF_ADOPT_DISABLE, tried,
                op);
    return true;
}

static void next(struct op *op)
{
    struct away_bridge *x, *after;

    for (x = TAILQ_FIRST(&op->a->away.all); x; x = after) {
        after = TAILQ_NEXT(x, link);
        if (!x->turn)
            continue;
        x->turn = false;
        if (try(op, x))
            return;
    }
    op_over(op, false);
}

static void begin_again(struct op *op)
{
    struct away *w = &op->a->away;
    struct away_bridge *x;

    w->queued = false;
    if (op->a->unconfirmed) { /* who knows which file will count */
        look_in(w, 1.);
        op_over(op, false);
        return;
    }
    TAILQ_FOREACH(x, &w->all, link)
    {
        x->turn = x->due;
        x->due = false;
    }
    next(op);
}

static void on_settled(struct ev_loop *loop, ev_timer *t, int events)
{
    struct away *w = t->data;
    struct op *op;

    (void)loop;
    (void)events;
    if (w->queued || !(op = op_new(w->a, begin_again, NULL)))
        return;
    op->what = "a bridge that is back";
    w->queued = true;
    op_queue(op);
}

/* ---- waiting for it ---- */

static void on_link(void *arg, uint64_t netns, const struct link_change *c)
{
    struct away *w = arg;
    struct away_bridge *x = c->gone ? NULL : find(w, c->ifname);

    if (!x || x->b->netns != netns)
        return;
    x->due = true;
    look_in(w, SETTLE_S);
}

static int watch(struct away *w, struct away_bridge *x, struct err *e)
{
    int rc = 0;

    if (!w->watch)
        w->watch = netwatch_new(w->a->loop, on_link, w);
    if (!w->watch)
        return err_set(e, ENOMEM, "out of memory");
    x->ns = netwatch_add(w->watch, x->b->netns_fd, &rc, e);
    return x->ns ? 0 : rc;
}

void away_wait(struct apply *a, struct owned_bridge *b)
{
    struct away_bridge *x = calloc(1, sizeof(*x));
    struct err e = {"out of memory"};

    if (!x) {
        owned_bridge_free(b);
        return;
    }
    x->b = b;
    x->due = true; /* it may be back already */
    TAILQ_INSERT_TAIL(&a->away.all, x, link);
    if (watch(&a->away, x, &e)) {
        log_warn("bridge %s will not be adopted again: %s", b->name, e.text);
        drop(&a->away, x);
        return;
    }
    log_info("bridge %s: it is adopted %s, as the file says", b->name,
             b->lost ? "again when it is back" : "when it is there");
    look_in(&a->away, SETTLE_S);
}

/* ---- not waiting any more ---- */

static bool wanted(const struct op *op, const struct owned_bridge *b)
{
    if (op->netns != b->netns) /* not of that file's world */
        return true;
    for (unsigned i = 0; i < op->want->n_bridges; i++) {
        const struct conf_bridge *c = op->want->bridge[i].conf;

        if (c->adopt == b->adopt && strcmp(c->name, b->name) == 0)
            return true;
    }
    return false;
}

static void wait_too(struct op *op, const struct conf_bridge *c)
{
    struct owned_bridge *b =
        owned_bridge_new(c->name, op->netns, op->req->netns_fd);

    if (!b) {
        log_warn("bridge %s will not be adopted: out of memory", c->name);
        return;
    }
    b->adopt = c->adopt;
    away_wait(op->a, b);
}

/* What the daemon's own file waits for, late.c knows. */
static void wait_for_absent(struct op *op)
{
    for (unsigned i = 0; !op->req->may_wait && i < op->want->n_bridges; i++) {
        const struct want_bridge *wb = &op->want->bridge[i];

        if (wb->absent && !find(&op->a->away, wb->conf->name))
            wait_too(op, wb->conf);
    }
}

void away_follow(struct op *op)
{
    struct away *w = &op->a->away;
    struct away_bridge *x, *after;

    if (!op->want)
        return;
    for (x = TAILQ_FIRST(&w->all); x; x = after) {
        after = TAILQ_NEXT(x, link);
        if (!wanted(op, x->b) || owned_find(&w->a->owned, x->b->name))
            drop(w, x);
    }
    wait_for_absent(op);
}

int away_copy(const struct away *w, struct running *r)
{
    const struct away_bridge *x;
    int rc = 0;

    TAILQ_FOREACH(x, &w->all, link)
    {
        if (!rc)
            rc = running_await(r, x->b->name, x->b->netns, x->b->adopt);
    }
    return rc;
}

void apply_unadopt(struct apply *a, const char *bridge, sw_done done, void *arg)
{
    struct away_bridge *x = find(&a->away, bridge);
    const struct err none = {""};
    bool disable;

    if (!x || adopt_has(a->adopt, bridge, &disable)) {
        adopt_undo(a->adopt, bridge, done, arg);
        return;
    }
    drop(&a->away, x);
    done(arg, 0, &none);
}

/* ---- beginning and end ---- */

void away_lost(void *apply, const char *bridge)
{
    struct apply *a = apply;
    struct owned_bridge *b = owned_find(&a->owned, bridge);

    if (b && b->adopt)
        b->lost = true;
}

void away_init(struct away *w, struct apply *a)
{
    w->a = a;
    TAILQ_INIT(&w->all);
    ev_timer_init(&w->settle, on_settled, 0., 0.);
    w->settle.data = w;
}

void away_end(struct apply *a)
{
    struct away_bridge *x, *after;

    ev_timer_stop(a->loop, &a->away.settle);
    for (x = TAILQ_FIRST(&a->away.all); x; x = after) {
        after = TAILQ_NEXT(x, link);
        drop(&a->away, x);
    }
}
