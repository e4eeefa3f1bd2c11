/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port does with frames: what its life, its link and the spanning tree
 * make of it together.
 */
#include "switch/bridge.h"

/* A device is there, and the tree may say what becomes of its frames. */
static bool operational(const struct bport *p)
{
    if (p->life != LIFE_RUNNING || !bridge_up(p->b))
        return false;
    return p->no == BRIDGE_LOCAL || p->caps.link;
}

enum bport_state bport_state(const struct bport *p)
{
    if (!operational(p))
        return BPORT_DISABLED;
    if (!p->b->tree.stp || p->no == BRIDGE_LOCAL)
        return BPORT_FORWARDING;
    if (p->stp_state == STP_FORWARDING)
        return BPORT_FORWARDING;
    if (p->stp_state == STP_LEARNING)
        return BPORT_LEARN;
    if (p->stp_role == STP_ROLE_ALTERNATE || p->stp_role == STP_ROLE_BACKUP ||
        (p->stp_guarded && p->stp_role != STP_ROLE_DISABLED))
        return BPORT_BLOCKING;
    return p->stp_role == STP_ROLE_DISABLED ? BPORT_DISABLED : BPORT_LISTENING;
}

enum bport_state bport_shown(const struct bport *p)
{
    enum bport_state s = bport_state(p);

    for (unsigned i = 0; i < PORT_QUEUES_MAX && s == BPORT_FORWARDING; i++)
        if (p->queue[i].freshening)
            s = BPORT_LISTENING;
    return s;
}

bool bport_forwarding(const struct bport *p)
{
    return bport_state(p) == BPORT_FORWARDING;
}
