/* SPDX-License-Identifier: BSD-2-Clause */
/* Bridges, LANs and ports: made, found and named. */
#include "ctl/sim/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more of 'size' bytes; false: there is none. */
static bool room(void **array, uint32_t n, uint32_t *cap, size_t size,
                 uint32_t max)
{
    uint32_t more = *cap ? 2 * *cap : 16;
    void *bigger;

    if (n >= max)
        return false;
    if (n < *cap)
        return true;
    bigger = realloc(*array, more * size);
    if (!bigger)
        return false;
    *array = bigger;
    *cap = more;
    return true;
}

static void set_name(char name[SIM_NAME_MAX], const char *from)
{
    snprintf(name, SIM_NAME_MAX, "%s", from);
}

uint32_t sim_add_bridge(struct sim *s, const char *name)
{
    uint32_t i = s->bridges;
    struct sim_bridge *b;

    if (!room((void **)&s->bridge, i, &s->bridge_cap, sizeof(*b),
              SIM_BRIDGES_MAX))
        return SIM_NONE;
    b = &s->bridge[s->bridges++];
    *b = s->new_bridge;
    set_name(b->name, name);
    b->mac = mac_from_u64(0x020000000000ULL | (i + 1));
    b->tick_at = STP_NEVER;
    memset(b->port, 0xff, sizeof(b->port));
    return i;
}

uint32_t sim_add_lan(struct sim *s, const char *name)
{
    uint32_t i = s->lans;
    struct sim_lan *l;

    if (!room((void **)&s->lan, i, &s->lan_cap, sizeof(*l), SIM_LANS_MAX))
        return SIM_NONE;
    l = &s->lan[s->lans++];
    *l = s->new_lan;
    set_name(l->name, name);
    return i;
}

static bool attach(struct sim_lan *l, uint32_t port)
{
    uint32_t *list = realloc(l->port, (l->ports + 1) * sizeof(*list));

    if (!list)
        return false;
    l->port = list;
    l->port[l->ports++] = port;
    return true;
}

uint32_t sim_add_port(struct sim *s, uint32_t bridge, uint32_t lan,
                      uint16_t number)
{
    struct sim_bridge *b = &s->bridge[bridge];
    uint32_t i = s->ports;
    struct sim_port *p;

    if (!number)
        number = b->ports + 1U;
    if (number > SIM_PORTS_MAX || b->port[number] != SIM_NONE ||
        !room((void **)&s->port, i, &s->port_cap, sizeof(*p),
              SIM_ALL_PORTS_MAX) ||
        !attach(&s->lan[lan], i))
        return SIM_NONE;
    p = &s->port[s->ports++];
    *p = s->new_port;
    p->bridge = bridge;
    p->lan = lan;
    p->number = number;
    p->config.mac =
        mac_from_u64(0x020000000000ULL | (bridge + 1) << 16 | (uint64_t)number);
    b->port[number] = i;
    if (number > b->ports)
        b->ports = number;
    return i;
}

struct sim_order *sim_add_order(struct sim *s)
{
    struct sim_order *o;

    if (!room((void **)&s->order, s->orders, &s->order_cap, sizeof(*o),
              SIM_ORDERS_MAX))
        return NULL;
    o = &s->order[s->orders++];
    memset(o, 0, sizeof(*o));
    o->role = o->state = -1;
    return o;
}

void sim_free(struct sim *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->bridges; i++)
        stp_free(s->bridge[i].stp);
    for (uint32_t i = 0; i < s->lans; i++)
        free(s->lan[i].port);
    free(s->bridge);
    free(s->lan);
    free(s->port);
    free(s->order);
    free(s->frame);
    free(s->set);
    sim_heap_free(&s->heap);
    free(s);
}

/* ---- finding ---- */

uint32_t sim_find_bridge(const struct sim *s, const char *name)
{
    for (uint32_t i = 0; i < s->bridges; i++)
        if (strcmp(s->bridge[i].name, name) == 0)
            return i;
    return SIM_NONE;
}

uint32_t sim_find_lan(const struct sim *s, const char *name)
{
    for (uint32_t i = 0; i < s->lans; i++)
        if (strcmp(s->lan[i].name, name) == 0)
            return i;
    return SIM_NONE;
}

const char *sim_port_name(const struct sim *s, uint32_t port,
                          char text[SIM_TEXT_MAX])
{
    const struct sim_port *p = &s->port[port];

    snprintf(text, SIM_TEXT_MAX, "%s.p%u", s->bridge[p->bridge].name,
             p->number);
    return text;
}

const char *sim_lan_name(const struct sim *s, uint32_t lan,
                         char text[SIM_TEXT_MAX])
{
    const struct sim_lan *l = &s->lan[lan];
    char a[SIM_TEXT_MAX], b[SIM_TEXT_MAX];

    if (l->name[0] || l->ports != 2)
        snprintf(text, SIM_TEXT_MAX, "%s", l->name);
    else
        snprintf(text, SIM_TEXT_MAX, "%.22s-%.22s",
                 sim_port_name(s, l->port[0], a),
                 sim_port_name(s, l->port[1], b));
    return text;
}

/* ---- how they stand ---- */

uint64_t sim_bridge_id(const struct sim_bridge *b)
{
    return stp_bridge_id(b->priority, &b->mac);
}

unsigned sim_lan_bridge_ports(const struct sim *s, const struct sim_lan *l)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < l->ports; i++)
        n += !s->bridge[s->port[l->port[i]].bridge].host;
    return n;
}

/*
 * Two on a LAN have a cable between them: each sees the other's end go.  On a
 * LAN of more there is a hub in between, which keeps everybody's link up.
 */
bool sim_port_up(const struct sim *s, const struct sim_port *p)
{
    const struct sim_lan *l = &s->lan[p->lan];

    if (p->cut || l->cut || s->bridge[p->bridge].dead)
        return false;
    if (l->ports != 2)
        return true;
    for (uint32_t i = 0; i < 2; i++) {
        const struct sim_port *q = &s->port[l->port[i]];

        if (q->cut || s->bridge[q->bridge].dead)
            return false;
    }
    return true;
}

bool sim_port_forwards(const struct sim *s, const struct sim_port *p)
{
    return p->state == STP_FORWARDING && sim_port_up(s, p) &&
           s->lan[p->lan].loss < SIM_MILLION;
}

/* splitmix64 */
uint64_t sim_draw(struct sim *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}
