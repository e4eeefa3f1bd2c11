/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applying a file, and keeping it or taking it back; the beginning and the end
 * of all of it.
 */
#include "ctl/adopt/adopt.h"
#include "ctl/apply/op.h"

#include "base/log.h"
#include "ctl/apply/member.h"
#include "ctl/guest/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- applying a file ---- */

/* It has been carried out for good: its file is the one that counts. */
static void follow(struct op *op)
{
    late_follow(op);
    away_follow(op);
}

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
    op_answer(op, rc, &e);
    if (!rc && op->req->n_files) {
        free(a->left);
        a->left = NULL;
    }
    if (!rc && a->unconfirmed != op)
        follow(op);
    op_over(op, a->unconfirmed == op);
}

static void refuse(struct op *op, int rc, const struct err *e)
{
    op_answer(op, rc, e);
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

/* Between a process and nothing: such a guest neither runs nor can be started.
 */
static bool guest_is_ending(struct guests *all)
{
    struct guest *g = all ? guest_next(all, NULL) : NULL;

    while (g && guest_state(g) != GUEST_ENDING)
        g = guest_next(all, g);
    return g;
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
    if (guest_is_ending(a->guests))
        op_pause(op, begin_apply);
    else if (op_copy(op))
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
    op->notice = r->notice;
    op->done = done;
    op->netns = op_netns(r->netns_fd);
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

static bool changed_guests(const struct op *op)
{
    for (unsigned i = 0; i < op->plan.n; i++)
        if (step_is_of_guest(op->plan.step[i].kind))
            return true;
    return false;
}

/* Is there something, and may whoever asks decide on it? */
static int may_decide(const struct op *op, struct err *e)
{
    const struct op *old = op->a->unconfirmed;

    if (!old)
        return err_set(e, ENOENT, "%s",
                       op->a->left ? op->a->left
                                   : "nothing waits to be confirmed");
    if (!op->may_name && changed_guests(old))
        return err_set(e, EPERM,
                       "guests were changed as well, and only root and the "
                       "daemon's own user may do that");
    return 0;
}

/* The steps are the old operation's, which takes our place in the queue. */
static void begin_revert(struct op *op)
{
    struct apply *a = op->a;
    struct op *old = a->unconfirmed;
    struct err e = {""};
    int rc = may_decide(op, &e);

    if (rc) {
        if (op->simple)
            op->simple(op->arg, rc, &e);
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
    int rc = may_decide(op, &e);

    if (!rc) {
        ev_timer_stop(a->loop, &a->confirm);
        follow(a->unconfirmed);
        op_free(a->unconfirmed);
        a->unconfirmed = NULL;
    }
    op->simple(op->arg, rc, &e);
    op_over(op, false);
}

void apply_confirm(struct apply *a, bool revert, bool may_name, sw_done done,
                   void *arg)
{
    struct op *op = op_new(a, revert ? begin_revert : begin_confirm, arg);
    struct err e;

    if (!op) {
        if (done)
            done(arg, err_set(&e, ENOMEM, "out of memory"), &e);
        return;
    }
    op->simple = done;
    op->may_name = may_name;
    op_queue(op);
}

static void on_confirm_timeout(struct ev_loop *loop, ev_timer *w, int events)
{
    struct apply *a = w->data;

    (void)loop;
    (void)events;
    log_warn("%s: not confirmed in time", a->unconfirmed->what);
    apply_confirm(a, true, true, NULL, NULL);
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
    op_queue_init(a);
    ev_timer_init(&a->confirm, on_confirm_timeout, 0., 0.);
    a->confirm.data = a;
    late_init(&a->late, a);
    away_init(&a->away, a);
    unconfirmed_find(a);
    return a;
}

void apply_guests(struct apply *a, struct guests *g)
{
    a->guests = g;
}

void apply_adopt(struct apply *a, struct adopt *ad)
{
    a->adopt = ad;
    adopt_on_lost(ad, away_lost, a);
}

void apply_end(struct apply *a)
{
    a->ending = true;
    ev_timer_stop(a->loop, &a->next);
    ev_timer_stop(a->loop, &a->confirm);
    late_end(a);
    away_end(a);
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
    free(a->left);
    free(a->state_dir);
    free(a);
}
