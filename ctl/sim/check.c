/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/sim/check.h"

#include <string.h>

/* ---- sets ---- */

void sim_sets_reset(const struct sim *s, uint32_t *set)
{
    for (uint32_t i = 0; i < s->bridges + s->lans; i++)
        set[i] = i;
}

uint32_t sim_set_of(uint32_t *set, uint32_t i)
{
    while (set[i] != i) {
        set[i] = set[set[i]];
        i = set[i];
    }
    return i;
}

bool sim_set_join(uint32_t *set, uint32_t a, uint32_t b)
{
    a = sim_set_of(set, a);
    b = sim_set_of(set, b);
    set[a] = b;
    return a != b;
}

/* ---- the way round ---- */

#define PATH_MAX_PORTS 64

/* Ports of a way from a bridge to a LAN, by depth-first search. */
struct way {
    const struct sim *s;
    uint32_t avoid; /* the port that closes the loop */
    uint32_t lan;   /* where to */
    bool seen[SIM_BRIDGES_MAX];
    uint32_t port[PATH_MAX_PORTS];
    unsigned n;
};

static bool find_from(struct way *w, uint32_t bridge);

static bool push(struct way *w, uint32_t port)
{
    if (w->n == PATH_MAX_PORTS)
        return false;
    w->port[w->n++] = port;
    return true;
}

/* Across one LAN, which was entered by 'port'. */
static bool find_across(struct way *w, uint32_t port)
{
    const struct sim *s = w->s;
    const struct sim_lan *l = &s->lan[s->port[port].lan];

    if (s->port[port].lan == w->lan)
        return true;
    for (uint32_t i = 0; i < l->ports; i++) {
        const struct sim_port *q = &s->port[l->port[i]];

        if (l->port[i] == port || w->seen[q->bridge] ||
            !sim_port_forwards(s, q) || !push(w, l->port[i]))
            continue;
        if (find_from(w, q->bridge))
            return true;
        w->n--;
    }
    return false;
}

static bool find_from(struct way *w, uint32_t bridge)
{
    const struct sim *s = w->s;
    const struct sim_bridge *b = &s->bridge[bridge];

    w->seen[bridge] = true;
    for (uint16_t n = 1; n <= b->ports; n++) {
        uint32_t i = b->port[n];

        if (i == SIM_NONE || i == w->avoid ||
            !sim_port_forwards(s, &s->port[i]) || !push(w, i))
            continue;
        if (find_across(w, i))
            return true;
        w->n--;
    }
    return false;
}

/* All ports of the loop that 'closing' closes, in order. */
static void find_way(struct way *w, const struct sim *s, uint32_t closing)
{
    *w = (struct way){.s = s, .avoid = closing, .lan = s->port[closing].lan};
    (void)find_from(w, s->port[closing].bridge);
    (void)push(w, closing);
}

/* "B1.p1 [hub] B2.p1, B2.p2 [L2] B1.p2" */
static void way_format(const struct way *w, char *text, size_t size)
{
    const struct sim *s = w->s;
    char name[SIM_TEXT_MAX], lan[SIM_TEXT_MAX];
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < w->n && len < size; i++) {
        const struct sim_port *p = &s->port[w->port[i]];

        if (i % 2 == 0)
            len += (size_t)snprintf(text + len, size - len, "%s [%s] ",
                                    sim_port_name(s, w->port[i], name),
                                    sim_lan_name(s, p->lan, lan));
        else
            len += (size_t)snprintf(text + len, size - len, "%s%s",
                                    sim_port_name(s, w->port[i], name),
                                    i + 1 < w->n ? ", " : "");
    }
}

/* ---- loops ---- */

/* A forwarding port that closes a loop; SIM_NONE. */
static uint32_t find_loop(struct sim *s)
{
    sim_sets_reset(s, s->set);
    for (uint32_t i = 0; i < s->ports; i++) {
        const struct sim_port *p = &s->port[i];

        if (s->bridge[p->bridge].host || !sim_port_forwards(s, p))
            continue;
        if (s->lan[p->lan].loop ||
            !sim_set_join(s->set, p->bridge, sim_lan_node(s, p->lan)))
            return i;
    }
    return SIM_NONE;
}

/* The other end of a cable; NULL: it is none. */
static const struct sim_port *other_end(const struct sim *s, uint32_t port)
{
    const struct sim_lan *l = &s->lan[s->port[port].lan];

    if (l->ports != 2)
        return NULL;
    return &s->port[l->port[l->port[0] == port]];
}

/* Does it think itself designated on the LAN? */
static bool is_designated(const struct sim *s, const struct sim_port *p)
{
    const struct stp *stp = s->bridge[p->bridge].stp;
    struct stp_port_info i;

    return stp && stp_port_info(stp, p->number, s->now, &i) &&
           i.role == STP_ROLE_DESIGNATED;
}

/* Has it an agreement that does not hold at the other end? */
static bool overtaken(const struct sim *s, uint32_t port)
{
    const struct sim_port *p = &s->port[port], *q = other_end(s, port);
    struct stp_port_info i;

    if (!q || !is_designated(s, p))
        return false;
    (void)stp_port_info(s->bridge[p->bridge].stp, p->number, s->now, &i);
    return i.agreed && (p->truth.stale || is_designated(s, q));
}

/* Opened after twice hello time, without an agreement. */
static bool too_early(const struct sim *s, const struct sim_port *p)
{
    struct stp_port_info i;

    (void)stp_port_info(s->bridge[p->bridge].stp, p->number, s->now, &i);
    return p->truth.by_timer && !i.stp && i.role == STP_ROLE_DESIGNATED;
}

void sim_agrees(struct sim *s, uint32_t port)
{
    const struct sim_bridge *b = &s->bridge[s->port[port].bridge];

    for (uint16_t n = 1; n <= b->ports; n++) {
        uint32_t i = b->port[n];

        if (i != SIM_NONE && i != port && s->port[i].state != STP_DISCARDING &&
            overtaken(s, i))
            s->port[i].truth.relied_until = s->now + SIM_CROSSED_GRACE;
    }
}

void sim_agreement_comes(struct sim *s, uint32_t port, uint32_t from)
{
    if (is_designated(s, &s->port[from]))
        s->port[port].truth.relied_until = s->now + SIM_CROSSED_GRACE;
}

void sim_agrees_no_more(struct sim *s, uint32_t port)
{
    const struct sim_lan *l = &s->lan[s->port[port].lan];
    uint32_t other;

    if (l->ports != 2)
        return;
    other = l->port[l->port[0] == port];
    if (s->port[other].state != STP_DISCARDING && overtaken(s, other))
        s->port[other].truth.relied_until = s->now + SIM_CROSSED_GRACE;
}

static bool crossed(const struct sim *s, uint32_t port)
{
    const struct sim_port *p = &s->port[port];

    return s->now < p->truth.relied_until || too_early(s, p) ||
           overtaken(s, port);
}

static bool way_crossed(const struct way *w)
{
    for (unsigned i = 0; i < w->n; i++)
        if (crossed(w->s, w->port[i]))
            return true;
    return false;
}

static bool excused(const struct sim *s)
{
    return s->now < s->lossy_until || s->edges;
}

static void loop_begins(struct sim *s, uint32_t port)
{
    char way[256];
    struct way w;

    s->looping = true;
    s->loop_since = s->now;
    find_way(&w, s, port);
    way_format(&w, way, sizeof(way));
    /* also where there are edge ports */
    s->crossed = s->now >= s->lossy_until && way_crossed(&w);
    if (s->crossed) {
        s->result.crossed++;
        sim_say(s, SIM_LINE_LOOP, "", "a loop, BPDUs having crossed: %s", way);
    } else if (excused(s)) {
        s->result.excused++;
        sim_say(s, SIM_LINE_LOOP, "", "a loop: %s", way);
    } else {
        s->result.loops++;
        sim_fail(s, SIM_LINE_LOOP, "", "a loop: %s", way);
    }
}

static void loop_goes_on(struct sim *s)
{
    uint64_t grace = s->crossed ? SIM_CROSSED_GRACE : SIM_EDGE_GRACE;

    if (s->now < s->lossy_until || (!s->edges && !s->crossed) || s->loop_told ||
        s->now - s->loop_since <= grace)
        return;
    s->loop_told = true;
    s->result.loops++;
    sim_fail(s, SIM_LINE_LOOP, "", "the loop does not end");
}

static void loop_ends(struct sim *s)
{
    uint64_t lasted = s->now - s->loop_since;

    s->looping = s->loop_told = false;
    if (s->crossed && lasted > s->result.crossed_longest)
        s->result.crossed_longest = lasted;
    sim_say(s, SIM_LINE_LOOP, "", "the loop is gone");
}

void sim_check(struct sim *s)
{
    uint32_t port;

    if (!s->dirty && !s->looping)
        return;
    s->dirty = false;
    port = find_loop(s);
    if (port != SIM_NONE && !s->looping) {
        loop_begins(s, port);
    } else if (port != SIM_NONE) {
        loop_goes_on(s);
    } else if (s->looping) {
        loop_ends(s);
    }
}

/* ---- excuses ---- */

static bool lan_is_lossy(const struct sim *s, const struct sim_lan *l)
{
    unsigned bridges = sim_lan_bridge_ports(s, l);

    if (l->loss)
        return true;
    for (uint32_t i = 0; i < l->ports; i++) {
        const struct sim_port *p = &s->port[l->port[i]];

        if (p->mute || p->deaf || (p->config.bpdu_filter && bridges > 1))
            return true;
    }
    return false;
}

static bool lan_has_edges(const struct sim *s, const struct sim_lan *l)
{
    if (sim_lan_bridge_ports(s, l) < 2 && !l->loop)
        return false;
    for (uint32_t i = 0; i < l->ports; i++)
        if (s->port[l->port[i]].config.admin_edge)
            return true;
    return false;
}

void sim_excuses(struct sim *s)
{
    bool lossy = false;

    s->edges = false;
    for (uint32_t i = 0; i < s->lans; i++) {
        lossy |= lan_is_lossy(s, &s->lan[i]);
        s->edges |= lan_has_edges(s, &s->lan[i]);
    }
    if (lossy)
        s->lossy_until = STP_NEVER;
    else if (s->lossy_until == STP_NEVER)
        s->lossy_until = s->now + SIM_SETTLE;
}

/* ---- at rest ---- */

/* LANs that bridges join, and LANs that forwarding ports join. */
static void join_lans(struct sim *s, uint32_t *joined, uint32_t *reached)
{
    sim_sets_reset(s, joined);
    sim_sets_reset(s, reached);
    for (uint32_t i = 0; i < s->ports; i++) {
        const struct sim_port *p = &s->port[i];
        uint32_t lan = sim_lan_node(s, p->lan);

        if (!s->bridge[p->bridge].stp || !sim_port_up(s, p) ||
            s->lan[p->lan].loop)
            continue;
        (void)sim_set_join(joined, p->bridge, lan);
        if (sim_port_forwards(s, p))
            (void)sim_set_join(reached, p->bridge, lan);
    }
}

static bool has_link(const struct sim *s, const struct sim_lan *l)
{
    for (uint32_t i = 0; i < l->ports; i++)
        if (s->bridge[s->port[l->port[i]].bridge].stp &&
            sim_port_up(s, &s->port[l->port[i]]))
            return true;
    return false;
}

/* Every LAN is reached from every other that bridges join it with. */
static void check_reach(struct sim *s)
{
    uint32_t *joined = s->set, *reached = s->set + s->bridges + s->lans;
    char a[SIM_TEXT_MAX], b[SIM_TEXT_MAX];

    join_lans(s, joined, reached);
    for (uint32_t i = 0; i < s->lans; i++)
        for (uint32_t k = i + 1; k < s->lans; k++) {
            uint32_t x = sim_lan_node(s, i), y = sim_lan_node(s, k);

            if (!has_link(s, &s->lan[i]) || !has_link(s, &s->lan[k]) ||
                sim_set_of(joined, x) != sim_set_of(joined, y) ||
                sim_set_of(reached, x) == sim_set_of(reached, y))
                continue;
            s->result.wrong++;
            sim_fail(s, SIM_LINE_WRONG, "", "%s is not reached from %s",
                     sim_lan_name(s, k, b), sim_lan_name(s, i, a));
            return;
        }
}

static void judge_oneway(struct sim *s)
{
    if (s->lossy_until != STP_NEVER || !sim_oneway_only(s))
        return;
    s->result.oneways++;
    if (!sim_oneway_loop(s))
        return;
    s->result.wrong++;
    sim_fail(s, SIM_LINE_WRONG, "",
             "at rest, and frames go round though cables are one-way only");
}

void sim_judge(struct sim *s)
{
    double took = (double)(s->result.changed_at - s->result.since) / 1e9;
    const char *why = NULL;

    s->result.quiets++;
    if (s->result.changed_at < s->result.since)
        took = 0;
    if (s->now < s->lossy_until) {
        judge_oneway(s);
        sim_say(s, SIM_LINE_QUIET, "",
                "at rest after %.6f s; frames are lost, so nothing is promised",
                took);
        return;
    }
    if (s->looping) {
        s->result.wrong++;
        sim_fail(s, SIM_LINE_WRONG, "", "at rest, and there is a loop");
    }
    if (sim_compare_tree(s, &why)) {
        check_reach(s);
        sim_say(s, SIM_LINE_QUIET, "",
                "at rest after %.6f s; compared with the standard's tree",
                took);
    } else {
        sim_say(s, SIM_LINE_QUIET, "", "at rest after %.6f s; not compared: %s",
                took, why);
    }
}

void sim_restless(struct sim *s)
{
    if (s->now < s->lossy_until)
        return;
    s->result.wrong++;
    sim_fail(s, SIM_LINE_WRONG, "", "it does not come to rest");
}
