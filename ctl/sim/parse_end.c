/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends: names of bridges, and which of their ports is meant.
 */
#include "ctl/sim/parse.h"

int sim_no_room(struct reader *r, size_t at, unsigned n, unsigned max,
                const char *what)
{
    return n < max
               ? sim_bad(&r->scan, at, "out of memory")
               : sim_bad(&r->scan, at,
                         "the network is too large: %s, at most %u", what, max);
}

static int read_port_number(struct reader *r, struct end *e)
{
    struct scan *c = &r->scan;
    size_t at = c->at;
    unsigned n = 0;

    if (!sim_take(c, 'p'))
        return sim_bad(c, at, "a port is written %s.p1", e->name);
    while (sim_peek(c) >= '0' && sim_peek(c) <= '9' && n <= SIM_PORTS_MAX)
        n = n * 10 + (unsigned)(c->text[c->at++] - '0');
    if (n < 1 || n > SIM_PORTS_MAX)
        return sim_bad(c, at, "ports have numbers from 1 to %d", SIM_PORTS_MAX);
    e->port = n;
    return 0;
}

int sim_parse_end(struct reader *r, struct end *e)
{
    struct scan *c = &r->scan;
    int rc;

    e->at = c->at;
    e->port = 0;
    rc = sim_word(c, "", "a name", e->name, sizeof(e->name));
    if (rc)
        return rc;
    if (e->name[0] >= '0' && e->name[0] <= '9')
        return sim_bad(c, e->at, "%s: names begin with a letter", e->name);
    return sim_take(c, '.') ? read_port_number(r, e) : 0;
}

int sim_end_bridge(struct reader *r, const struct end *e, uint32_t *bridge)
{
    *bridge = sim_find_bridge(r->s, e->name);
    if (*bridge != SIM_NONE)
        return 0;
    if (sim_find_lan(r->s, e->name) != SIM_NONE)
        return sim_bad(&r->scan, e->at, "%s is a LAN, not a bridge", e->name);
    *bridge = sim_add_bridge(r->s, e->name);
    return *bridge == SIM_NONE ? sim_no_room(r, e->at, r->s->bridges,
                                             SIM_BRIDGES_MAX, "bridges")
                               : 0;
}

static int known_bridge(struct reader *r, const struct end *e, uint32_t *bridge)
{
    *bridge = sim_find_bridge(r->s, e->name);
    return *bridge == SIM_NONE
               ? sim_bad(&r->scan, e->at, "there is no bridge %s", e->name)
               : 0;
}

int sim_end_port(struct reader *r, const struct end *e, uint32_t *port)
{
    uint32_t bridge;
    int rc = known_bridge(r, e, &bridge);

    if (rc)
        return rc;
    *port = r->s->bridge[bridge].port[e->port];
    return *port == SIM_NONE ? sim_bad(&r->scan, e->at, "%s has no port p%u",
                                       e->name, e->port)
                             : 0;
}

int sim_end_attach(struct reader *r, const struct end *e, uint32_t lan,
                   uint32_t *port)
{
    uint32_t bridge;
    int rc = sim_end_bridge(r, e, &bridge);

    if (rc)
        return rc;
    if (e->port && r->s->bridge[bridge].port[e->port] != SIM_NONE)
        return sim_bad(&r->scan, e->at, "port p%u of %s is in use already",
                       e->port, e->name);
    *port = sim_add_port(r->s, bridge, lan, (uint16_t)e->port);
    if (*port != SIM_NONE)
        return 0;
    if (!e->port && r->s->bridge[bridge].ports >= SIM_PORTS_MAX)
        return sim_bad(&r->scan, e->at, "ports of %s: at most %d", e->name,
                       SIM_PORTS_MAX);
    return sim_no_room(r, e->at, r->s->ports, SIM_ALL_PORTS_MAX, "ports");
}
