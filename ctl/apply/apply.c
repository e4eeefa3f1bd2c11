/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/op.h"

#include "base/log.h"
#include "ctl/config/load.h"
#include "ctl/apply/member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- operations ---- */

static void on_next(struct ev_loop *loop, ev_timer *w, int events)
{
    struct apply *a = w->data;
    struct op *op = TAILQ_FIRST(&a->queue);
    void (*resume)(struct op *) = op ? op->resume : NULL;

    (void)loop;
    (void)events;
    if (!op || a->ending)
        return;
    op->resume = NULL;
    if (resume)
        resume(op);
}

static void soon(struct apply *a)
{
    if (ev_is_active(&a->next) || a->ending)
        return;
    ev_timer_set(&a->next, 0., 0.);
    ev_timer_start(a->loop, &a->next);
}

void op_yield(struct op *op, void (*resume)(struct op *op))
{
    op->resume = resume;
    soon(op->a);
}

struct op *op_new(struct apply *a, void (*begin)(struct op *op), void *arg)
{
    struct op *op = calloc(1, sizeof(*op));

    if (!op)
        return NULL;
    op->a = a;
    op->begin = begin;
    op->arg = arg;
    return op;
}

/* A callback never comes from inside the call, so nothing begins here. */
void op_queue(struct op *op)
{
    struct apply *a = op->a;

    op->resume = op->begin;
    TAILQ_INSERT_TAIL(&a->queue, op, link);
    if (TAILQ_FIRST(&a->queue) == op)
        soon(a);
}

static void op_free(struct op *op)
{
    for (unsigned i = 0; i < op->plan.n; i++)
        step_free(&op->plan.step[i]);
    plan_free(&op->plan);
    running_free(op->running);
    want_free(op->want);
    if (op->hold)
        conf_hold_put(op->hold);
    else
        conf_free(op->conf);
    apply_request_free(op->req);
    free(op->text);
    free(op);
}

void op_over(struct op *op, bool keep)
{
    struct apply *a = op->a;

    TAILQ_REMOVE(&a->queue, op, link);
    if (!keep)
        op_free(op);
    if (!TAILQ_EMPTY(&a->queue))
        soon(a);
}

static uint64_t netns_inode(int fd)
{
    struct stat st;

    if ((fd >= 0 ? fstat(fd, &st) : stat("/proc/self/ns/net", &st)) < 0)
        return 0;
    return st.st_ino;
}

void apply_request_free(struct apply_request *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_files; i++) {
        free(r->file[i].name);
        free(r->file[i].text);
    }
    free(r->file);
    for (unsigned i = 0; i < r->n_named; i++) {
        free(r->named[i].text);
        close(r->named[i].fd);
    }
    free(r->named);
    for (unsigned i = 0; i < r->n_opened; i++) {
        free(r->opened[i].path);
        close(r->opened[i].fd);
    }
    free(r->opened);
    if (r->netns_fd >= 0)
        close(r->netns_fd);
    conf_free(r->conf);
    free(r);
}

/* ---- what is told ---- */

struct lines {
    char **line;
    unsigned n, room;
};

static void add_line(struct lines *l, const char *text, size_t n)
{
    if (l->n == l->room) {
        unsigned room = l->room ? l->room * 2 : 16;
        char **p = realloc(l->line, room * sizeof(*p));

        if (!p)
            return;
        l->line = p;
        l->room = room;
    }
    l->line[l->n] = strndup(text, n);
    l->n += l->line[l->n] != NULL;
}

static void add_text(struct lines *l, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n"), said = n;

        while (said > 0 && text[said - 1] == ' ')
            said--;
        if (said)
            add_line(l, text, said);
        text += n + (text[n] == '\n');
    }
}

/* What a step says already is no news when it is done. */
static void drop_said(struct lines *notes, const struct lines *steps)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < notes->n; i++) {
        bool said = false;

        for (unsigned k = 0; k < steps->n && !said; k++)
            said = strcmp(notes->line[i], steps->line[k]) == 0;
        if (said)
            free(notes->line[i]);
        else
            notes->line[kept++] = notes->line[i];
    }
    notes->n = kept;
}

static void free_lines(struct lines *l)
{
    for (unsigned i = 0; i < l->n; i++)
        free(l->line[i]);
    free(l->line);
}

static void answer(struct op *op, int rc, const struct err *e)
{
    struct lines steps = {0}, notes = {0};
    struct apply_report r;

    for (unsigned i = 0; i < op->plan.n; i++)
        if (op->plan.step[i].text && !op->plan.step[i].idle)
            add_text(&steps, op->plan.step[i].text);
    for (unsigned i = 0; i < op->plan.n_notes; i++)
        add_text(&notes, op->plan.note[i]);
    add_text(&notes, op->notes.text);
    drop_said(&notes, &steps);
    r = (struct apply_report){
        .step = (const char *const *)steps.line,
        .n_steps = steps.n,
        .note = (const char *const *)notes.line,
        .n_notes = notes.n,
        .confirm = op->a->unconfirmed == op ? op->req->confirm : 0,
    };
    for (unsigned i = 0; !rc && !op->req->dry_run && i < steps.n; i++)
        log_info("%s: %s", op->what, steps.line[i]);
    op->done(op->arg, rc, e, &r);
    free_lines(&steps);
    free_lines(&notes);
}

/* ---- applying a file ---- */

static void applied(struct op *op)
{
    struct apply *a = op->a;
    bool keep = !op->rc && !op->back && op->req->confirm && op->plan.n_said;
    struct err e = op->err;
    int rc = op->rc;

    if (rc && op->back_rc)
        err_set(&e, rc, "%s; %s", op->err.text, op->back_err.text);
    if (a->ending && !rc)
        rc = err_set(&e, ECANCELED, "the daemon is ending");
    if (keep && !a->ending) {
        a->unconfirmed = op;
        ev_timer_set(&a->confirm, op->req->confirm, 0.);
        ev_timer_start(a->loop, &a->confirm);
    }
    answer(op, rc, &e);
    if (!rc && a->unconfirmed != op)
        late_follow(op);
    op_over(op, a->unconfirmed == op);
}

static void refuse(struct op *op, int rc, const struct err *e)
{
    answer(op, rc, e);
    op_over(op, false);
}

static void planned(void *arg, int rc, const struct err *e)
{
    struct op *op = arg;
    struct err none = {""};

    if (op->conf && !op->hold) {
        op->hold = conf_hold_new(op->conf);
        op->conf = op->hold ? op->conf : NULL;
        if (!op->hold && !rc)
            rc = -ENOMEM;
    }
    if (!rc && op->a->ending)
        rc = -ECANCELED;
    if (rc || op->req->dry_run) {
        refuse(op, rc, rc ? e : &none);
        return;
    }
    op->finish = applied;
    run_forth(op);
}

static void copy(struct op *op)
{
    struct err e = {""};
    int rc = running_copy(op->running, op->a->sw, &op->a->owned);

    if (rc > 0)
        op_yield(op, copy);
    else if (rc < 0 || sw_job(op->a->sw, apply_plan_work, planned, op))
        refuse(op, err_set(&e, ENOMEM, "out of memory"), &e);
}

static void begin_apply(struct op *op)
{
    struct apply *a = op->a;
    struct err e = {""};

    if (a->unconfirmed && !op->req->dry_run) {
        refuse(op,
               err_set(&e, EBUSY,
                       "what was applied before waits to be confirmed for "
                       "another %.0f seconds: run bascule confirm, or bascule "
                       "confirm --revert",
                       ev_timer_remaining(a->loop, &a->confirm)),
               &e);
        return;
    }
    op->running = running_new(a->sw);
    if (!op->running || running_copy_guests(op->running, a->guests))
        refuse(op, err_set(&e, ENOMEM, "out of memory"), &e);
    else
        copy(op);
}

struct op *apply_op(struct apply *a, struct apply_request *r, apply_done done,
                    void *arg)
{
    struct op *op = op_new(a, begin_apply, arg);

    if (!op)
        return NULL;
    op->what = r->n_files ? r->file[0].name : "the configuration";
    op->req = r;
    op->done = done;
    op->netns = netns_inode(r->netns_fd);
    return op;
}

void apply_start(struct apply *a, struct apply_request *r, apply_done done,
                 void *arg)
{
    struct op *op = apply_op(a, r, done, arg);
    struct apply_report none = {0};
    struct err e;

    if (!op) {
        apply_request_free(r);
        done(arg, err_set(&e, ENOMEM, "out of memory"), &e, &none);
        return;
    }
    op_queue(op);
}

/* ---- confirming, and taking back ---- */

static void reverted(struct op *op)
{
    struct op *asked = op->arg;

    log_info("%s: taken back", op->what);
    if (asked->simple)
        asked->simple(asked->arg, op->back_rc, &op->back_err);
    op_free(asked);
    op_over(op, false);
}

/* The steps are the old operation's, which takes our place in the queue. */
static void begin_revert(struct op *op)
{
    struct apply *a = op->a;
    struct op *old = a->unconfirmed;
    struct err e = {""};

    if (!old) {
        if (op->simple)
            op->simple(op->arg,
                       err_set(&e, ENOENT, "nothing waits to be confirmed"),
                       &e);
        op_over(op, false);
        return;
    }
    ev_timer_stop(a->loop, &a->confirm);
    a->unconfirmed = NULL;
    old->finish = reverted;
    old->arg = op;
    TAILQ_REMOVE(&a->queue, op, link);
    TAILQ_INSERT_HEAD(&a->queue, old, link);
    run_back(old);
}

static void begin_confirm(struct op *op)
{
    struct apply *a = op->a;
    struct err e = {""};
    int rc = 0;

    if (a->unconfirmed) {
        ev_timer_stop(a->loop, &a->confirm);
        late_follow(a->unconfirmed);
        op_free(a->unconfirmed);
        a->unconfirmed = NULL;
    } else {
        rc = err_set(&e, ENOENT, "nothing waits to be confirmed");
    }
    op->simple(op->arg, rc, &e);
    op_over(op, false);
}

void apply_confirm(struct apply *a, bool revert, sw_done done, void *arg)
{
    struct op *op = op_new(a, revert ? begin_revert : begin_confirm, arg);
    struct err e;

    if (!op) {
        if (done)
            done(arg, err_set(&e, ENOMEM, "out of memory"), &e);
        return;
    }
    op->simple = done;
    op_queue(op);
}

static void on_confirm_timeout(struct ev_loop *loop, ev_timer *w, int events)
{
    struct apply *a = w->data;

    (void)loop;
    (void)events;
    log_warn("%s: not confirmed in time", a->unconfirmed->what);
    apply_confirm(a, true, NULL, NULL);
}

/* ---- removals by hand ---- */

static void removed(struct op *op)
{
    op->simple(op->arg, op->rc, &op->err);
    op_over(op, false);
}

/* Whatever has become of it while it waited: the switch says what is wrong. */
static void begin_bport_del(struct op *op)
{
    struct apply *a = op->a;
    struct owned_bridge *b = owned_find(&a->owned, op->name[0]);
    struct owned_port *o = b ? owned_port_find(b, op->name[1]) : NULL;
    struct step *s =
        plan_add(&op->plan, STEP_PORT_DEL, op->name[0], op->name[1]);

    op->finish = removed;
    if (!s || (o && plan_give_back(&op->plan, op->name[0], o)))
        op->rc = err_set(&op->err, ENOMEM, "out of memory");
    if (op->rc)
        removed(op);
    else
        run_forth(op);
}

static struct op *removal(struct apply *a, void (*begin)(struct op *op),
                          const char *bridge, const char *port, sw_done done,
                          void *arg)
{
    struct op *op = op_new(a, begin, arg);
    struct err e;

    if (!op) {
        done(arg, err_set(&e, ENOMEM, "out of memory"), &e);
        return NULL;
    }
    op->simple = done;
    op->what = "the removal";
    snprintf(op->name[0], sizeof(op->name[0]), "%s", bridge);
    snprintf(op->name[1], sizeof(op->name[1]), "%s", port ? port : "");
    return op;
}

void apply_bport_del(struct apply *a, struct bridge *b, const char *port,
                     sw_done done, void *arg)
{
    struct owned_bridge *o;
    struct bridge_info i;
    struct op *op;

    bridge_info(b, &i);
    o = owned_find(&a->owned, i.name);
    if (!o || !owned_port_find(o, port)) {
        bport_del(b, port, done, arg);
        return;
    }
    op = removal(a, begin_bport_del, i.name, port, done, arg);
    if (op)
        op_queue(op);
}

/* The bridge first, which may refuse: then its devices are given back. */
static void begin_bridge_del(struct op *op)
{
    struct apply *a = op->a;
    const char *name = op->name[0];
    struct owned_bridge *b = owned_find(&a->owned, name);
    struct step *s = plan_add(&op->plan, STEP_BRIDGE_DEL, name, NULL);
    struct owned_port *p;
    unsigned i;

    op->finish = removed;
    if (!b) { /* it has gone, or is its maker's, since it was asked for */
        bridge_del(a->sw, name, op->force, op->simple, op->arg);
        op_over(op, false);
        return;
    }
    if (!s)
        op->rc = -ENOMEM;
    else
        s->force = op->force;
    OWNED_EACH_PORT(b, i, p)
    {
        if (!op->rc && p->has_before &&
            !(s = plan_add(&op->plan, STEP_MEMBER_BACK, name, p->name)))
            op->rc = -ENOMEM;
        else if (!op->rc && p->has_before)
            s->owned_port = p;
    }
    if (!op->rc && b->l3 && !(s = plan_add(&op->plan, STEP_L3_END, name, NULL)))
        op->rc = -ENOMEM;
    else if (!op->rc && b->l3)
        s->owned_bridge = b;
    if (op->rc) {
        err_set(&op->err, ENOMEM, "out of memory");
        removed(op);
    } else {
        run_forth(op);
    }
}

void apply_bridge_del(struct apply *a, const char *bridge, bool force,
                      sw_done done, void *arg)
{
    struct op *op;

    if (!owned_find(&a->owned, bridge)) {
        bridge_del(a->sw, bridge, force, done, arg);
        return;
    }
    op = removal(a, begin_bridge_del, bridge, NULL, done, arg);
    if (!op)
        return;
    op->force = force;
    op_queue(op);
}

/* ---- showing ---- */

void apply_config(struct apply *a, int netns_fd, apply_text done, void *arg)
{
    struct op *op = op_new(a, apply_show_begin, arg);
    uint64_t netns = netns_inode(netns_fd);
    struct err e;

    if (netns_fd >= 0)
        close(netns_fd);
    if (!op) {
        done(arg, err_set(&e, ENOMEM, "out of memory"), &e, NULL);
        return;
    }
    op->show = done;
    op->netns = netns;
    op_queue(op);
}

/* ---- devices that come ---- */

static void joined(struct op *op)
{
    if (op->rc)
        log_warn("a device that came back: %s", op->err.text);
    op_over(op, false);
}

static int join_port(struct op *op, struct owned_bridge *b,
                     struct owned_port *p)
{
    struct step *s;

    p->joins = false;
    if (b->l3 && !p->taken && p->netns == b->netns) {
        s = plan_add(&op->plan, STEP_UPLINK_TAKE, b->name, p->name);
        if (!s)
            return -ENOMEM;
        s->owned_port = p;
        memcpy(s->device, p->device, sizeof(s->device));
    }
    s = plan_add(&op->plan, STEP_MEMBER_SET, b->name, p->name);
    if (!s)
        return -ENOMEM;
    s->owned_port = p;
    memcpy(s->device, p->device, sizeof(s->device));
    s->member = p->record.member;
    s->member.up = true;
    return 0;
}

/* As when it was added: up, with its settings, its addresses the bridge's. */
static void begin_join(struct op *op)
{
    struct apply *a = op->a;
    struct owned_bridge *b;
    struct owned_port *p;
    bool any;
    unsigned i;

    a->joining = false;
    op->finish = joined;
    LIST_FOREACH(b, &a->owned, link)
    {
        any = false;
        OWNED_EACH_PORT(b, i, p)
        {
            if (!p->joins || op->rc)
                continue;
            any = true;
            op->rc = join_port(op, b, p);
        }
        if (any && b->l3 && !op->rc &&
            !plan_add(&op->plan, STEP_L3_APPLY, b->name, NULL))
            op->rc = -ENOMEM;
    }
    if (op->rc) {
        err_set(&op->err, ENOMEM, "out of memory");
        joined(op);
        return;
    }
    plan_sort(&op->plan);
    run_forth(op);
}

void apply_event(struct apply *a, const struct sw_event *e)
{
    struct owned_bridge *b;
    struct owned_port *p;
    struct op *op;

    if (e->type != SW_EVENT_PORT_STATE || a->ending)
        return;
    b = owned_find(&a->owned, e->bridge);
    p = b ? owned_port_find(b, e->port) : NULL;
    if (!p || !p->device[0])
        return;
    if (e->failed)
        p->waits = true;
    if (e->failed || !p->waits)
        return;
    p->waits = false;
    p->joins = true;
    if (a->joining || !(op = op_new(a, begin_join, NULL)))
        return;
    op->what = "a device that came back";
    a->joining = true;
    op_queue(op);
}

/* ---- beginning and end ---- */

struct apply *apply_new(struct ev_loop *loop, struct sw *sw,
                        const char *state_dir)
{
    struct apply *a = calloc(1, sizeof(*a));

    if (a && state_dir)
        a->state_dir = strdup(state_dir);
    if (!a || (state_dir && !a->state_dir)) {
        free(a);
        return NULL;
    }
    a->loop = loop;
    a->sw = sw;
    LIST_INIT(&a->owned);
    TAILQ_INIT(&a->queue);
    ev_timer_init(&a->next, on_next, 0., 0.);
    ev_timer_init(&a->confirm, on_confirm_timeout, 0., 0.);
    a->next.data = a->confirm.data = a;
    late_init(&a->late, a);
    return a;
}

void apply_guests(struct apply *a, struct guests *g)
{
    a->guests = g;
}

void apply_end(struct apply *a)
{
    a->ending = true;
    ev_timer_stop(a->loop, &a->next);
    ev_timer_stop(a->loop, &a->confirm);
    late_end(a);
}

static void give_back_bridge(struct owned_bridge *b, struct l3_notes *notes)
{
    struct owned_port *p = NULL;
    unsigned i;

    OWNED_EACH_PORT(b, i, p)
    {
        if (p->has_before)
            member_restore(p->netns_fd, p->device, &p->before,
                           &p->record.member);
    }
    if (b->l3) {
        l3_release(b->l3, notes);
        l3_free(b->l3);
    }
}

void apply_free(struct apply *a)
{
    struct l3_notes notes = {{0}, 0, 0};
    struct owned_bridge *b;
    struct op *op, *next;

    if (!a)
        return;
    for (op = TAILQ_FIRST(&a->queue); op; op = next) {
        next = TAILQ_NEXT(op, link);
        if (op->finish == reverted)
            op_free(op->arg);
        op_free(op);
    }
    if (a->unconfirmed)
        op_free(a->unconfirmed);
    while ((b = LIST_FIRST(&a->owned))) {
        LIST_REMOVE(b, link);
        give_back_bridge(b, &notes);
        owned_bridge_free(b);
    }
    free(a->state_dir);
    free(a);
}
