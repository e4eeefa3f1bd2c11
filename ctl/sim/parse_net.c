/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a network is made of: bridges, links and LANs.
 */
#include "ctl/sim/parse.h"

#define CHAIN_MAX 256

static int make_link(struct reader *r, struct end *a, struct end *b,
                     struct sim_target *t)
{
    uint32_t lan = sim_add_lan(r->s, ""), port;
    int rc;

    if (lan == SIM_NONE)
        return sim_no_room(r, a->at, r->s->lans, SIM_LANS_MAX,
                           "LANs and links");
    *t = (struct sim_target){SIM_LAN, lan};
    rc = sim_end_attach(r, a, lan, &port);
    return rc ? rc : sim_end_attach(r, b, lan, &port);
}

/* The rest of "B1-B2-B3[options]", from the first '-' on. */
static int read_links(struct reader *r, struct end *first)
{
    static const unsigned where = ON_LAN | ON_PORT;
    struct sim_target list[CHAIN_MAX];
    struct end a = *first, b;
    unsigned n = 0;
    int rc = 0;

    while (!rc && sim_take(&r->scan, '-')) {
        if (n == CHAIN_MAX)
            return sim_bad(&r->scan, r->scan.at,
                           "links in a row: at most %d; begin another row",
                           CHAIN_MAX);
        rc = sim_parse_end(r, &b);
        if (!rc)
            rc = make_link(r, &a, &b, &list[n++]);
        a = b;
        /* in the middle of a chain a number would be that of two ports */
        if (!rc && b.port && sim_peek(&r->scan) == '-')
            rc = sim_bad(&r->scan, b.at, "a numbered port ends a chain");
    }
    return rc ? rc : sim_parse_options(r, where, list, n);
}

static int read_members(struct reader *r, uint32_t lan)
{
    struct scan *c = &r->scan;
    int rc = 0;

    for (sim_blanks(c); !rc && sim_peek(c); sim_blanks(c)) {
        struct sim_target t = {.what = SIM_PORT};
        struct end e;

        rc = sim_parse_end(r, &e);
        if (!rc)
            rc = sim_end_attach(r, &e, lan, &t.index);
        if (!rc)
            rc = sim_parse_options(r, ON_PORT, &t, 1);
    }
    return rc;
}

bool sim_lan_follows(const struct scan *c)
{
    struct scan look = *c;

    if (sim_peek(&look) == '[')
        while (sim_peek(&look) && !sim_take(&look, ']'))
            look.at++;
    sim_blanks(&look);
    return sim_peek(&look) == ':';
}

/*
 * Options of a LAN hold for its ports: they are read again when these are
 * there.
 */
int sim_parse_lan(struct reader *r, const struct end *e)
{
    struct scan *c = &r->scan, again = *c, end;
    struct sim_target t = {.what = SIM_LAN};
    int rc;

    if (e->port || sim_find_bridge(r->s, e->name) != SIM_NONE)
        return sim_bad(c, e->at, "%s is a bridge, not a LAN", e->name);
    if (sim_find_lan(r->s, e->name) != SIM_NONE)
        return sim_bad(c, e->at, "there is a LAN %s already", e->name);
    t.index = sim_add_lan(r->s, e->name);
    if (t.index == SIM_NONE)
        return sim_no_room(r, e->at, r->s->lans, SIM_LANS_MAX,
                           "LANs and links");
    while (!sim_take(c, ':'))
        c->at++;
    rc = read_members(r, t.index);
    end = *c;
    *c = again;
    if (!rc)
        rc = sim_parse_options(r, ON_LAN | ON_PORT, &t, 1);
    if (!rc)
        *c = end;
    return rc;
}

static int read_node(struct reader *r, struct end *e)
{
    struct sim_target t = {.what = e->port ? SIM_PORT : SIM_BRIDGE};
    int rc =
        e->port ? sim_end_port(r, e, &t.index) : sim_end_bridge(r, e, &t.index);

    return rc ? rc : sim_parse_options(r, e->port ? ON_PORT : ON_BRIDGE, &t, 1);
}

int sim_parse_items(struct reader *r, struct end *e)
{
    struct scan *c = &r->scan;
    int rc = 0;

    while (!rc) {
        rc = sim_peek(c) == '-' ? read_links(r, e) : read_node(r, e);
        if (rc)
            break;
        sim_blanks(c);
        if (!sim_peek(c))
            break;
        rc = sim_parse_end(r, e);
    }
    return rc;
}
