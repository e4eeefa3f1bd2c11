/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel's bridge whose spanning tree is on: ours takes its place, with its
 * parameters, its ports' numbers, and what it knew of its neighbours, so that
 * to these it is the same bridge.
 *
 * The kernel's is off meanwhile, else the tap would be shut for twice the
 * forward delay, and states could not be set.  In the kernel's bridge, which
 * forwards as a hub then, whatever does not forward with us is disabled: the
 * one state that neither a timer nor another port's event ends there.  So a
 * port that is shut stays so whoever is killed.
 */
#include "ctl/adopt/impl.h"

#include "base/log.h"

bool tree_turn(const struct adoption *ad, const struct kbridge_port *p)
{
    switch (ad->turn) {
    case TURN_DEAD:
        return p->state == KBRIDGE_DISABLED;
    case TURN_ROOT:
        return p->no == ad->look.k.root_port;
    case TURN_SHUT:
        return p->state != KBRIDGE_FORWARDING;
    case TURN_REST:
        break;
    }
    return true;
}

static struct stp_heritage what_it_knew(const struct kbridge *k,
                                        const struct kbridge_port *p)
{
    uint32_t age =
        k->tree_max_age > p->void_in ? k->tree_max_age - p->void_in : 0;

    return (struct stp_heritage){
        .heard = p->void_in > 0,
        .vector = {.root = p->root,
                   .cost = p->root_cost,
                   .bridge = p->bridge,
                   .port = p->port},
        .times = {.message_age = stp_time_from_cs(age),
                  .max_age = stp_time_from_cs(k->tree_max_age),
                  .hello = stp_time_from_cs(k->tree_hello),
                  .forward_delay = stp_time_from_cs(k->tree_forward_delay)},
    };
}

struct bport_heritage tree_heritage(const struct adoption *ad,
                                    const struct kbridge_port *p)
{
    const struct kbridge *k = &ad->look.k;

    if (!ad->look.hold.tree)
        return (struct bport_heritage){0};
    return (struct bport_heritage){
        .no = p->no,
        .tree = ad->phase == ADOPTING && p->state != KBRIDGE_DISABLED,
        .forwards = p->state == KBRIDGE_FORWARDING,
        .stp = what_it_knew(k, p),
    };
}

unsigned tree_rank(const struct member *m)
{
    struct bridge *b = adoption_bridge(m->ad);
    struct bport *p = b ? bport_find(b, m->name) : NULL;
    struct stp_port_info i;

    if (!p || !bport_stp_info(p, &i))
        return 1;
    if (i.role == STP_ROLE_ROOT)
        return 2;
    return i.state == STP_FORWARDING;
}

void tree_take(struct adoption *ad)
{
    struct bridge *b = adoption_bridge(ad);

    if (b)
        bridge_set(b, BRIDGE_STP, 1, NULL, NULL);
}
