/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree by its definition (802.1D-2004, 17.1.1 and 17.6), worked out from
 * the network as a whole; nothing of the engine is used, so that both cannot
 * be wrong in the same way.
 *
 * Every bridge begins by taking itself for the root.  Round by round each LAN
 * takes the best that bridges on it have to offer, and each bridge the best
 * that its LANs have, its ports' costs added, until nothing moves.
 */
#include "ctl/sim/check.h"

#include <stdlib.h>
#include <string.h>

/* What decides, in this order. */
struct path {
    uint64_t root, cost, bridge;
    uint32_t sent_by, received_by; /* port identifiers */
};

struct tree {
    const struct sim *s;
    struct path *bridge; /* the way to the root */
    uint32_t *root_port; /* SIM_NONE: it is the root */
    unsigned *hops;
    struct path *lan; /* the best on offer */
    uint32_t *designated;
};

static bool less(const struct path *a, const struct path *b)
{
    if (a->root != b->root)
        return a->root < b->root;
    if (a->cost != b->cost)
        return a->cost < b->cost;
    if (a->bridge != b->bridge)
        return a->bridge < b->bridge;
    if (a->sent_by != b->sent_by)
        return a->sent_by < b->sent_by;
    return a->received_by < b->received_by;
}

static bool same(const struct path *a, const struct path *b)
{
    return !less(a, b) && !less(b, a);
}

static bool takes_part(const struct sim *s, const struct sim_port *p)
{
    return s->bridge[p->bridge].stp && sim_port_up(s, p);
}

static uint32_t port_id(const struct sim_port *p)
{
    return (uint32_t)p->priority << 10 | p->number;
}

static void offer(struct tree *t, uint32_t lan)
{
    const struct sim *s = t->s;
    const struct sim_lan *l = &s->lan[lan];

    t->designated[lan] = SIM_NONE;
    for (uint32_t i = 0; i < l->ports; i++) {
        const struct sim_port *p = &s->port[l->port[i]];
        struct path v;

        if (!takes_part(s, p))
            continue;
        v = (struct path){.root = t->bridge[p->bridge].root,
                          .cost = t->bridge[p->bridge].cost,
                          .bridge = sim_bridge_id(&s->bridge[p->bridge]),
                          .sent_by = port_id(p)};
        if (t->designated[lan] != SIM_NONE && !less(&v, &t->lan[lan]))
            continue;
        t->lan[lan] = v;
        t->designated[lan] = l->port[i];
    }
}

/* True: it found another way than before. */
static bool choose(struct tree *t, uint32_t bridge)
{
    const struct sim *s = t->s;
    const struct sim_bridge *b = &s->bridge[bridge];
    uint64_t id = sim_bridge_id(b);
    struct path best = {.root = id, .bridge = id}, was = t->bridge[bridge];

    t->root_port[bridge] = SIM_NONE;
    t->hops[bridge] = 0;
    for (uint16_t n = 1; n <= b->ports; n++) {
        const struct sim_port *p;
        struct path v;

        if (b->port[n] == SIM_NONE)
            continue;
        p = &s->port[b->port[n]];
        if (!takes_part(s, p) ||
            s->port[t->designated[p->lan]].bridge == bridge)
            continue;
        v = t->lan[p->lan];
        v.cost += p->config.cost;
        v.received_by = port_id(p);
        if (!less(&v, &best))
            continue;
        best = v;
        t->root_port[bridge] = b->port[n];
        t->hops[bridge] = t->hops[s->port[t->designated[p->lan]].bridge] + 1;
    }
    t->bridge[bridge] = best;
    return !same(&best, &was);
}

static void work_out(struct tree *t)
{
    const struct sim *s = t->s;
    bool moved = true;

    for (uint32_t i = 0; i < s->bridges; i++) {
        uint64_t id = sim_bridge_id(&s->bridge[i]);

        t->bridge[i] = (struct path){.root = id, .bridge = id};
    }
    /* As many rounds as there are bridges are enough; hops take as many. */
    for (uint32_t round = 0; round < 2 * s->bridges + 2 && moved; round++) {
        moved = round < s->bridges;
        for (uint32_t i = 0; i < s->lans; i++)
            offer(t, i);
        for (uint32_t i = 0; i < s->bridges; i++)
            if (s->bridge[i].stp)
                moved |= choose(t, i);
    }
}

static void tree_free(struct tree *t)
{
    free(t->bridge);
    free(t->root_port);
    free(t->hops);
    free(t->lan);
    free(t->designated);
}

static bool tree_make(struct tree *t, const struct sim *s)
{
    *t = (struct tree){
        .s = s,
        .bridge = calloc(s->bridges + 1U, sizeof(*t->bridge)),
        .root_port = calloc(s->bridges + 1U, sizeof(*t->root_port)),
        .hops = calloc(s->bridges + 1U, sizeof(*t->hops)),
        .lan = calloc(s->lans + 1U, sizeof(*t->lan)),
        .designated = calloc(s->lans + 1U, sizeof(*t->designated)),
    };
    if (!t->bridge || !t->root_port || !t->hops || !t->lan || !t->designated) {
        tree_free(t);
        return false;
    }
    work_out(t);
    return true;
}

/* ---- comparing ---- */

static enum stp_role role_of(const struct tree *t, uint32_t port)
{
    const struct sim *s = t->s;
    const struct sim_port *p = &s->port[port];

    if (!takes_part(s, p))
        return STP_ROLE_DISABLED;
    if (t->designated[p->lan] == port)
        return STP_ROLE_DESIGNATED;
    if (t->root_port[p->bridge] == port)
        return STP_ROLE_ROOT;
    return s->port[t->designated[p->lan]].bridge == p->bridge
               ? STP_ROLE_BACKUP
               : STP_ROLE_ALTERNATE;
}

static void compare_port(struct sim *s, const struct tree *t, uint32_t port)
{
    const struct sim_port *p = &s->port[port];
    enum stp_role role = role_of(t, port);
    bool open = (role == STP_ROLE_ROOT || role == STP_ROLE_DESIGNATED) &&
                !s->lan[p->lan].loop;
    enum stp_state state = open ? STP_FORWARDING : STP_DISCARDING;
    struct stp_port_info i;
    char name[SIM_TEXT_MAX];

    (void)stp_port_info(s->bridge[p->bridge].stp, p->number, s->now, &i);
    if (i.role == role && i.state == state && p->state == state)
        return;
    s->result.wrong++;
    sim_fail(s, SIM_LINE_WRONG, s->bridge[p->bridge].name,
             "%s is %s, %s (in force: %s); by the standard's tree %s, %s",
             sim_port_name(s, port, name), stp_role_name(i.role),
             stp_state_name(i.state), stp_state_name(p->state),
             stp_role_name(role), stp_state_name(state));
}

static void compare_bridge(struct sim *s, const struct tree *t, uint32_t bridge)
{
    const struct sim_bridge *b = &s->bridge[bridge];
    char is[STP_ID_TEXT_MAX], should[STP_ID_TEXT_MAX];
    struct stp_info i;

    stp_info(b->stp, s->now, &i);
    if (i.root.root != t->bridge[bridge].root ||
        i.root.cost != t->bridge[bridge].cost) {
        s->result.wrong++;
        sim_fail(s, SIM_LINE_WRONG, b->name,
                 "%s has root %s at cost %lu; by the standard's tree %s at %lu",
                 b->name, stp_id_format(i.root.root, is),
                 (unsigned long)i.root.cost,
                 stp_id_format(t->bridge[bridge].root, should),
                 (unsigned long)t->bridge[bridge].cost);
    }
    for (uint16_t n = 1; n <= b->ports; n++)
        if (b->port[n] != SIM_NONE)
            compare_port(s, t, b->port[n]);
}

/* What makes another tree than the definition's. */
static const char *not_comparable(const struct sim *s, const struct tree *t)
{
    for (uint32_t i = 0; i < s->ports; i++) {
        const struct stp_port_config *c = &s->port[i].config;

        if (c->root_guard)
            return "there is root guard";
        if (c->bpdu_guard)
            return "there is BPDU guard";
        if (c->bpdu_filter)
            return "there is BPDU filter";
    }
    for (uint32_t i = 0; i < s->bridges; i++)
        for (uint32_t k = 0; k < s->bridges; k++)
            if (t->hops[i] * STP_SECOND > s->bridge[k].config.max_age)
                return "the network is wider than max age allows";
    return NULL;
}

bool sim_compare_tree(struct sim *s, const char **why)
{
    struct tree t;

    if (!tree_make(&t, s)) {
        sim_exhausted(s);
        *why = "out of memory";
        return false;
    }
    *why = not_comparable(s, &t);
    for (uint32_t i = 0; i < s->bridges && !*why; i++)
        if (s->bridge[i].stp)
            compare_bridge(s, &t, i);
    tree_free(&t);
    return !*why;
}
