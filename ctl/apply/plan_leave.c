/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan about what leaves: ports, bridges, and what is given back.
 */
#include "ctl/apply/plan_impl.h"

#include <errno.h>
#include <stdio.h>

static int give_back(struct plan *p, enum step_kind kind, const char *bridge,
                     struct owned_port *o)
{
    struct step *s = plan_add(p, kind, bridge, o->name);

    if (!s)
        return -ENOMEM;
    s->owned_port = o;
    snprintf(s->device, sizeof(s->device), "%s", o->device);
    return 0;
}

int plan_give_back(struct plan *p, const char *bridge, struct owned_port *o)
{
    int rc = 0;

    if (o->has_before)
        rc = give_back(p, STEP_MEMBER_BACK, bridge, o);
    if (!rc && o->taken)
        rc = give_back(p, STEP_UPLINK_RETURN, bridge, o);
    return rc;
}

int plan_remove_port(struct maker *m, const struct run_bridge *rb,
                     const struct run_port *rp)
{
    struct owned_port *o = rp->owned;
    struct step *s = plan_add(m->p, STEP_PORT_DEL, rb->info.name, rp->name);

    if (!s ||
        plan_say(m->p, s, "remove port %s from %s", rp->name, rb->info.name))
        return maker_no_memory(m);
    return plan_give_back(m->p, rb->info.name, o) ? maker_no_memory(m) : 0;
}

/* A guest that leaves takes its port along. */
static bool goes_with_guest(const struct maker *m, const struct run_bridge *rb,
                            const struct run_port *rp)
{
    const struct run_guest *g =
        running_guest_of(m->in->running, rb->info.name, rp->name);

    return g && g->leaves;
}

const struct run_port *plan_first_by_hand(const struct maker *m,
                                          const struct run_bridge *rb)
{
    for (unsigned i = 0; i < rb->n_ports; i++)
        if (!rb->port[i].owned && !goes_with_guest(m, rb, &rb->port[i]))
            return &rb->port[i];
    return NULL;
}

int plan_end_l3(struct maker *m, const struct run_bridge *rb)
{
    if (!rb->owned->l3)
        return 0;
    return plan_add(m->p, STEP_SETTLE, rb->info.name, NULL) &&
                   plan_add(m->p, STEP_L3_END, rb->info.name, NULL)
               ? 0
               : maker_no_memory(m);
}

int plan_remove_bridge(struct maker *m, const struct run_bridge *rb, bool anew)
{
    const struct run_port *hand = plan_first_by_hand(m, rb);
    enum step_kind go = anew ? STEP_BRIDGE_DEL : STEP_BRIDGE_LEAVE;
    const char *name = rb->info.name;
    struct step *s;
    int rc = plan_end_l3(m, rb);

    for (unsigned i = 0; !rc && i < rb->n_ports; i++)
        if (rb->port[i].owned)
            rc = plan_remove_port(m, rb, &rb->port[i]);
    if (rc)
        return rc;
    s = plan_add(m->p, hand ? STEP_DISOWN : go, name, NULL);
    if (!s)
        return maker_no_memory(m);
    s->force = true;
    if (hand)
        rc = plan_say(m->p, s, "%s is the configuration's no more", name);
    else
        rc = plan_say(m->p, s, "remove bridge %s", name);
    if (!rc && hand)
        rc = plan_note(m->p,
                       "%s stays: its port %s was added by hand (bascule delbr "
                       "%s --force removes both)",
                       name, hand->name, name);
    return rc ? maker_no_memory(m) : 0;
}
