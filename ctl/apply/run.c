/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of a plan, forth or back: those of a kind are begun all together,
 * a slice of them in each turn of the loop, and the next kind follows when
 * all of them have been answered.
 */
#include "base/clock.h"
#include "base/log.h"
#include "ctl/apply/op.h"

#include <errno.h>
#include <string.h>

#define SLICE_NS (400 * NSEC_PER_USEC)

static void go_on(struct op *op);

static const struct step_kind_ops *group_ops(const struct op *op)
{
    return step_ops(op->plan.step[op->from].kind);
}

/* [from, to): the next group in this direction.  False: there is none. */
static bool next_group(struct op *op)
{
    const struct step *s = op->plan.step;

    if (!op->back) {
        op->from = op->to;
        while (op->to < op->plan.n && s[op->to].kind == s[op->from].kind)
            op->to++;
    } else {
        op->to = op->from;
        while (op->from > 0 && s[op->from - 1].kind == s[op->to - 1].kind)
            op->from--;
    }
    op->at = op->from;
    return op->from < op->to;
}

static const struct conf_pos *place(const struct step *s)
{
    if (s->wp)
        return &s->wp->conf->pos;
    if (s->guest)
        return &s->guest->pos;
    return s->wb ? &s->wb->conf->pos : NULL;
}

/* The rest is taken back all the same; the first one is told. */
static void stays(struct op *op, int rc, const struct err *e)
{
    const char *why = e->text[0] ? e->text : strerror(-rc);

    log_warn("taking %s back: %s", op->what, why);
    if (!op->back_rc)
        op->back_rc =
            err_set(&op->back_err, rc, "not all of it is taken back: %s", why);
}

static void failed(struct step *s, int rc, const struct err *e)
{
    struct op *op = s->op;

    if (op->back) {
        stays(op, rc, e);
    } else if (!op->rc) {
        op->rc = rc;
        op->err = *e;
        if (!op->err.text[0])
            err_set(&op->err, rc, "%s", strerror(-rc));
        want_wrap(&op->err, rc, place(s));
    }
}

void step_done(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct op *op = s->op;

    if (rc)
        failed(s, rc, e);
    else
        s->done = !op->back;
    op->outstanding--;
    if (op->outstanding == 0 && !op->starting)
        go_on(op);
}

/* ---- steps of the task thread ---- */

static bool due(const struct op *op, const struct step *s)
{
    return op->back ? s->done : !s->idle;
}

static int work(void *arg, struct err *e)
{
    struct op *op = arg;
    const struct step_kind_ops *k = group_ops(op);
    int (*fn)(struct step *, struct err *) = op->back ? k->unwork : k->work;

    for (unsigned i = op->from; i < op->to; i++) {
        struct step *s = &op->plan.step[i];
        int rc;

        if (!due(op, s))
            continue;
        rc = fn(s, e);
        op->at = i; /* where it has stopped */
        if (rc && !op->back)
            return rc;
        if (rc)
            stays(op, rc, e);
        else
            s->done = op->back || !s->idle;
    }
    return 0;
}

static void worked(void *arg, int rc, const struct err *e)
{
    struct op *op = arg;
    const struct step_kind_ops *k = group_ops(op);
    void (*fn)(struct step *) = op->back ? k->unafter : k->after;

    if (rc)
        failed(&op->plan.step[op->at], rc, e);
    for (unsigned i = op->from; i < op->to; i++) {
        struct step *s = &op->plan.step[i];

        if (!s->done)
            continue;
        if (fn)
            fn(s);
        s->done = !op->back;
    }
    op->at = op->to;
    go_on(op);
}

static void start_work(struct op *op)
{
    struct err e = {""};
    bool any = false;

    for (unsigned i = op->from; i < op->to; i++) {
        struct step *s = &op->plan.step[i];

        s->op = op;
        if (!due(op, s))
            continue;
        any = true;
        step_prepare(s);
    }
    if (!any) {
        op->at = op->to;
        go_on(op);
    } else if (sw_job(op->a->sw, work, worked, op)) {
        worked(op, err_set(&e, ENOMEM, "out of memory"), &e);
    }
}

/* ---- steps of the control thread ---- */

static bool more_to_start(const struct op *op)
{
    return op->at < op->to && (!op->rc || op->back) && !op->a->ending;
}

static void start_some(struct op *op)
{
    const struct step_kind_ops *k = group_ops(op);
    uint64_t end = clock_now() + SLICE_NS;

    op->starting = true;
    while (more_to_start(op)) {
        struct step *s = &op->plan.step[op->at++];

        s->op = op;
        if (due(op, s)) {
            op->outstanding++;
            (op->back ? k->back : k->go)(s);
        }
        if (clock_now() >= end)
            break;
    }
    op->starting = false;
    go_on(op);
}

/* ---- all together ---- */

static bool group_is_over(const struct op *op)
{
    return op->outstanding == 0 && !more_to_start(op);
}

static void start_group(struct op *op)
{
    const struct step_kind_ops *k = group_ops(op);
    bool task = op->back ? k->unwork != NULL : k->work != NULL;

    op_tell(op);
    if (task)
        start_work(op);
    else
        start_some(op);
}

static void finish(struct op *op)
{
    op->finish(op);
}

static bool any_done(const struct op *op)
{
    for (unsigned i = 0; i < op->plan.n; i++)
        if (op->plan.step[i].done)
            return true;
    return false;
}

static void turn_round(struct op *op)
{
    if (any_done(op))
        log_info("taking %s back: %s", op->what, op->err.text);
    op->back = true;
    op->from = op->to;
    if (next_group(op))
        op_yield(op, start_group);
    else
        finish(op);
}

static void go_on(struct op *op)
{
    if (!group_is_over(op)) {
        if (more_to_start(op))
            op_yield(op, start_some);
        return;
    }
    if (op->rc && !op->back && !op->a->ending)
        turn_round(op);
    else if (!op->a->ending && next_group(op))
        op_yield(op, start_group);
    else
        finish(op);
}

void run_forth(struct op *op)
{
    op->back = false;
    op->rc = 0;
    op->from = op->to = op->at = 0;
    if (next_group(op))
        start_group(op);
    else
        finish(op);
}

void run_back(struct op *op)
{
    op->back = true;
    op->rc = 0;
    op->from = op->to = op->at = op->plan.n;
    if (next_group(op))
        start_group(op);
    else
        finish(op);
}
