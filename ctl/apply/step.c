/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each kind of step does, and how it is taken back.  A step finds its
 * bridge and port by name each time: between doing and taking back somebody
 * may have removed them by hand.
 */
#include "ctl/apply/step_impl.h"

#include <errno.h>
#include <stdlib.h>

/* ---- finding ---- */

struct bridge *step_bridge(const struct step *s)
{
    return bridge_find(s->op->a->sw, s->bridge);
}

struct bport *step_port(const struct step *s)
{
    struct bridge *b = step_bridge(s);

    return b ? bport_find(b, s->port) : NULL;
}

struct owned_bridge *step_owned_bridge(const struct step *s)
{
    return owned_find(&s->op->a->owned, s->bridge);
}

struct owned_port *step_owned_port(const struct step *s)
{
    struct owned_bridge *b = step_owned_bridge(s);

    return b ? owned_port_find(b, s->port) : NULL;
}

void step_done_at_once(struct step *s)
{
    struct err none = {""};

    step_done(s, 0, &none);
}

void step_no_memory(struct step *s)
{
    struct err none = {""};

    step_done(s, -ENOMEM, &none);
}

void step_gone(struct step *s)
{
    struct err e;

    step_done(s,
              err_set(&e, ENOENT, "%s%s%s was deleted meanwhile",
                      s->port[0] ? s->port : s->bridge,
                      s->port[0] ? " of " : "", s->port[0] ? s->bridge : ""),
              &e);
}

/* ---- the kinds ---- */

const struct step_kind_ops *step_ops(enum step_kind k)
{
    static const struct step_kind_ops *const ops[STEP_KINDS] = {
        [STEP_GUEST_STOP] = &step_guest_stop,
        [STEP_GUEST_UNDEFINE] = &step_guest_undefine,
        [STEP_SETTLE] = &step_settle,
        [STEP_PORT_DEL] = &step_port_del,
        [STEP_MEMBER_BACK] = &step_member_back,
        [STEP_UPLINK_RETURN] = &step_uplink_return,
        [STEP_L3_END] = &step_l3_end,
        [STEP_BRIDGE_DEL] = &step_bridge_del,
        [STEP_UNADOPT] = &step_unadopt,
        [STEP_DISOWN] = &step_disown,
        [STEP_BRIDGE_ADD] = &step_bridge_add,
        [STEP_ADOPT] = &step_adopt,
        [STEP_BRIDGE_OWN] = &step_bridge_own,
        [STEP_STP_OFF] = &step_bridge_set,
        [STEP_BRIDGE_SET] = &step_bridge_set,
        [STEP_STP_ON] = &step_bridge_set,
        [STEP_L3_BEGIN] = &step_l3_begin,
        [STEP_UPLINK_TAKE] = &step_uplink_take,
        [STEP_PORT_ADD] = &step_port_add,
        [STEP_PORT_OWN] = &step_port_own,
        [STEP_PORT_SET] = &step_port_set,
        [STEP_SHORT_COST] = &step_bridge_set,
        [STEP_MEMBER_SET] = &step_member_set,
        [STEP_L3_APPLY] = &step_l3_apply,
        [STEP_GUEST_YIELD] = &step_guest_stop,
        [STEP_GUEST_CEDE] = &step_guest_undefine,
        [STEP_GUEST_DEFINE] = &step_guest_define,
        [STEP_GUEST_START] = &step_guest_start,
        [STEP_GUEST_LEAVE] = &step_guest_stop,
        [STEP_GUEST_FORGET] = &step_guest_undefine,
        [STEP_BRIDGE_LEAVE] = &step_bridge_del,
    };

    return ops[k];
}

bool step_is_of_guest(enum step_kind k)
{
    const struct step_kind_ops *o = step_ops(k);

    return o == &step_guest_stop || o == &step_guest_undefine ||
           o == &step_guest_define || o == &step_guest_start;
}

/* Of these a step keeps what was remembered of the bridge. */
static bool keeps_bridge(const struct step *s)
{
    return s->kind == STEP_BRIDGE_DEL || s->kind == STEP_BRIDGE_LEAVE ||
           s->kind == STEP_UNADOPT || s->kind == STEP_DISOWN;
}

void steps_leave_to_end(struct op *op)
{
    struct owned *all = &op->a->owned;

    for (unsigned i = 0; i < op->plan.n; i++) {
        struct step *s = &op->plan.step[i];

        if (!keeps_bridge(s) || !s->owned_bridge)
            continue;
        LIST_INSERT_HEAD(all, s->owned_bridge, link);
        s->owned_bridge = NULL;
    }
    for (unsigned i = 0; i < op->plan.n; i++) {
        struct step *s = &op->plan.step[i];
        struct owned_bridge *b = owned_find(all, s->bridge);

        if (s->kind != STEP_PORT_DEL || !s->owned_port || !b)
            continue;
        owned_port_add(b, s->owned_port);
        s->owned_port = NULL;
    }
}

void step_free(struct step *s)
{
    step_free_port(s->saved_port);
    free(s->saved_bridge);
    free(s->saved_guest);
    if (s->kind == STEP_PORT_DEL)
        owned_port_free(s->owned_port);
    if (keeps_bridge(s))
        owned_bridge_free(s->owned_bridge);
    if (s->kind == STEP_BRIDGE_OWN)
        conf_hold_put(s->bridge_record.conf);
    if (s->kind == STEP_L3_BEGIN && s->l3)
        l3_free(s->l3);
}
