/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that come: ports whose interface was away.
 */
#include "ctl/apply/op.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

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

    if (e->type == SW_EVENT_BRIDGE_DEL && !a->ending)
        removal_of_adopted(a, e->bridge);
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
