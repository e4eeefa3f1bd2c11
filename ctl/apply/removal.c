/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removals by hand of what a file made.
 */
#include "ctl/apply/op.h"

#include <errno.h>
#include <stdio.h>

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

static void begin_adopted(struct op *op)
{
    struct apply *a = op->a;
    struct owned_bridge *b = owned_find(&a->owned, op->name[0]);

    if (b && b->adopt && !bridge_find(a->sw, op->name[0])) {
        LIST_REMOVE(b, link);
        if (b->lost)
            away_wait(a, b);
        else
            owned_bridge_free(b);
    }
    op_over(op, false);
}

/* Nobody waits for it; in its turn, since others may be reading. */
void removal_of_adopted(struct apply *a, const char *bridge)
{
    const struct owned_bridge *b = owned_find(&a->owned, bridge);
    struct op *op = b && b->adopt ? op_new(a, begin_adopted, NULL) : NULL;

    if (!op)
        return;
    snprintf(op->name[0], sizeof(op->name[0]), "%s", bridge);
    op_queue(op);
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
                     apply_notice notice, sw_done done, void *arg)
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
    if (!op)
        return;
    op->notice = notice;
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
                      apply_notice notice, sw_done done, void *arg)
{
    struct op *op;

    if (!owned_find(&a->owned, bridge)) {
        bridge_del(a->sw, bridge, force, done, arg);
        return;
    }
    op = removal(a, begin_bridge_del, bridge, NULL, done, arg);
    if (!op)
        return;
    op->notice = notice;
    op->force = force;
    op_queue(op);
}
