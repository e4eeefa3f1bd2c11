/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where frames come one way only, what is left of the promise: on cables, and
 * among bridges that speak RSTP, nothing goes round once the network is at
 * rest.  Who forwards on a cable by which it does not hear its better is heard
 * by that one, which disputes it and shuts its own end (17.21.10).
 *
 * A loop is then a way along which frames really go, so that it has a
 * direction: out of a port that is not mute, into one that is not deaf.
 */
#include "ctl/sim/check.h"

#include <stdlib.h>

enum mark { NEW, ON_THE_WAY, DONE };

static bool goes_round(const struct sim *s, uint8_t *mark, uint32_t out);

/* Out of every other port of the bridge that a frame enters by 'in'. */
static bool from_bridge(const struct sim *s, uint8_t *mark, uint32_t in)
{
    const struct sim_bridge *b = &s->bridge[s->port[in].bridge];

    for (uint16_t n = 1; n <= b->ports; n++)
        if (b->port[n] != SIM_NONE && b->port[n] != in &&
            goes_round(s, mark, b->port[n]))
            return true;
    return false;
}

/* Does what leaves by this port come back to it? */
static bool goes_round(const struct sim *s, uint8_t *mark, uint32_t out)
{
    const struct sim_port *p = &s->port[out];
    const struct sim_lan *l = &s->lan[p->lan];
    bool round = false;

    if (mark[out] != NEW || p->mute || !sim_port_forwards(s, p))
        return mark[out] == ON_THE_WAY;
    mark[out] = ON_THE_WAY;
    for (uint32_t i = 0; i < l->ports && !round; i++) {
        const struct sim_port *q = &s->port[l->port[i]];

        if (l->port[i] != out && !q->deaf && sim_port_forwards(s, q))
            round = from_bridge(s, mark, l->port[i]);
    }
    mark[out] = DONE;
    return round;
}

bool sim_oneway_loop(const struct sim *s)
{
    uint8_t *mark = calloc(s->ports + 1U, 1);
    bool round = false;

    for (uint32_t i = 0; mark && i < s->ports && !round; i++)
        round = goes_round(s, mark, i);
    free(mark);
    return round;
}

bool sim_oneway_only(const struct sim *s)
{
    for (uint32_t i = 0; i < s->bridges; i++)
        if (!s->bridge[i].host && s->bridge[i].config.force_version < 2)
            return false;
    for (uint32_t i = 0; i < s->lans; i++)
        if (s->lan[i].loss || s->lan[i].loop)
            return false;
    for (uint32_t i = 0; i < s->ports; i++) {
        const struct sim_port *p = &s->port[i];

        if (p->config.bpdu_filter || p->config.admin_edge ||
            ((p->mute || p->deaf) && !p->config.p2p))
            return false;
    }
    return true;
}
