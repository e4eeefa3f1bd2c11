/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `network:`, in netplan's syntax, version 2: bridges and the ethernets they
 * refer to.  What belongs to no bridge is left to whom it is for.
 */
#include "ctl/config/draft.h"

#include <stdio.h>
#include <string.h>

/* Scope of the names of `network:` in the table of names. */
static const char things[] = "network";

/* ---- what there is ---- */

static int read_version(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    (void)to;
    (void)k;
    if (v->type == NODE_SCALAR && strcmp(v->text, "2") == 0)
        return 0;
    return bad(r, v, "only version 2 is known");
}

static int read_renderer(struct reader *r, const struct node *v, void *to,
                         const struct key *k)
{
    const char *name = NULL;
    int rc = value_renderer(r, v, &name);

    (void)to;
    (void)k;
    if (rc)
        return rc;
    if (r->c->renderer && strcmp(r->c->renderer, name) != 0)
        return bad(r, v, "another file says %s", r->c->renderer);
    r->c->renderer = name;
    return 0;
}

/* Remembers what a name stands for. */
static int new_thing(struct reader *r, const struct node *key,
                     const char *section, const struct node *renderer)
{
    struct thing *t = scratch(r, sizeof(*t));
    const void *first = NULL;
    int rc;

    if (!t)
        return no_memory(r);
    t->section = section;
    t->key = key;
    t->renderer = renderer;
    rc = names_put(r, things, key->text, t, &first);
    if (rc || !first)
        return rc;
    t = (struct thing *)(uintptr_t)first;
    /* a bridge may be told of in several files */
    if (strcmp(t->section, "bridges") == 0 && strcmp(section, "bridges") == 0)
        return 0;
    return bad(r, key, "stands in %s already, under %s:", PLACE(t->key),
               t->section);
}

static bool is_renderer(const struct node *key)
{
    return strcmp(key->text, "renderer") == 0 &&
           key->value->type == NODE_SCALAR;
}

/* What `renderer:` of a section says for all in it; NULL: nothing. */
static const struct node *section_renderer(const struct node *v)
{
    node_each (v, key)
        if (is_renderer(key))
            return key->value;
    return NULL;
}

/* k->name: the section */
static int list_things(struct reader *r, const struct node *v, void *to,
                       const struct key *k)
{
    const struct node *renderer;
    int rc = want_map(r, v);

    (void)to;
    if (rc)
        return rc;
    renderer = section_renderer(v);
    node_each (v, key) {
        if (!is_renderer(key))
            rc = new_thing(r, key, k->name, renderer);
        if (rc)
            return rc;
    }
    return 0;
}

static int list_others(struct reader *r, const struct node *v, void *to,
                       const struct key *k)
{
    int rc = list_things(r, v, to, k);

    if (!rc && conf_note(r->c, "%s: %s: left alone: Bascule makes bridges only",
                         PLACE(v->key), k->name))
        rc = no_memory(r);
    return rc;
}

static int list_bridges(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    const struct node *renderer;
    struct part *p = NULL;
    int rc = list_things(r, v, to, k);

    if (rc)
        return rc;
    renderer = section_renderer(v);
    node_each (v, key) {
        if (is_renderer(key))
            continue;
        rc = draft_part(r, key, false, &p);
        if (rc)
            return rc;
        p->renderer = renderer;
    }
    return 0;
}

static int leave_alone(struct reader *r, const struct node *v, void *to,
                       const struct key *k)
{
    (void)to;
    if (conf_note(r->c, "%s: %s: left alone: Bascule makes bridges only",
                  PLACE(v->key), k->name))
        return no_memory(r);
    return 0;
}

static const struct key network_keys[] = {
    {"version", read_version, 0, NULL},
    {"renderer", read_renderer, 0, NULL},
    {"ethernets", list_things, 0, NULL},
    {"bridges", list_bridges, 0, NULL},
    {"bonds", list_others, 0, NULL},
    {"vlans", list_others, 0, NULL},
    {"wifis", list_others, 0, NULL},
    {"tunnels", list_others, 0, NULL},
    {"vrfs", list_others, 0, NULL},
    {"modems", list_others, 0, NULL},
    {"dummy-devices", list_others, 0, NULL},
    {"virtual-ethernets", list_others, 0, NULL},
    {"nm-devices", list_others, 0, NULL},
    {"openvswitch", leave_alone, 0, NULL},
    {NULL, NULL, 0, NULL},
};

int netplan_list(struct reader *r, const struct source *s)
{
    struct keys set = {network_keys, r, NULL};

    return s->network ? keys_read(r, s->network, "network:", &set, 1) : 0;
}

/* ---- bridges: interfaces ---- */

int netplan_count(struct reader *r, struct draft *d, struct part *p,
                  unsigned *n)
{
    int rc = want_map(r, p->key->value);

    (void)d;
    if (rc)
        return rc;
    p->ports = node_child(p->key->value, "interfaces");
    if (p->ports)
        rc = want_list(r, p->ports);
    if (!rc && p->ports)
        *n += p->ports->n;
    return rc;
}

/* Sections whose devices may be ports, once somebody has made them. */
static bool may_be_port(const char *section)
{
    static const char *const fit[] = {"bonds", "vlans", "tunnels",
                                      "dummy-devices", "virtual-ethernets"};

    for (unsigned i = 0; i < sizeof(fit) / sizeof(fit[0]); i++)
        if (strcmp(section, fit[i]) == 0)
            return true;
    return false;
}

static int other_device(struct reader *r, const struct node *item,
                        const struct thing *t)
{
    if (strcmp(t->section, "bridges") == 0)
        return bad(r, item, "%s is a bridge itself", SHOW(item->text));
    if (!may_be_port(t->section))
        return bad(r, item,
                   "%s is under %s: in %s; such a device cannot be a "
                   "bridge's port",
                   SHOW(item->text), t->section, PLACE(t->key));
    return conf_note(r->c,
                     "%s: %s is under %s:, which is left alone; the port waits "
                     "for whoever makes that device",
                     PLACE(item), SHOW(item->text), t->section)
               ? no_memory(r)
               : 0;
}

static int not_described(struct reader *r, const struct node *item)
{
    return conf_note(r->c,
                     "%s: %s is not under ethernets:, so it is the interface "
                     "of that name (netplan would refuse it)",
                     PLACE(item), SHOW(item->text))
               ? no_memory(r)
               : 0;
}

/* What an item of `interfaces:` names; *ether stays NULL if it is none. */
static int find_ether(struct reader *r, struct draft *d,
                      const struct node *item, const struct thing **ether)
{
    const void *found = names_get(r, things, item->text);
    struct thing *t = (struct thing *)(uintptr_t)found;

    if (!t)
        return not_described(r, item);
    if (t->user)
        return bad(r, item, "%s is a port of %s already, see %s",
                   SHOW(item->text), t->user->b->name, PLACE(t->used));
    t->user = d;
    t->used = item;
    if (strcmp(t->section, "ethernets") != 0)
        return other_device(r, item, t);
    *ether = t;
    return 0;
}

/* A port of that name, or of a device still to be found. */
static int plain_port(struct reader *r, struct conf_port *p,
                      const struct node *item)
{
    const char *name;
    int rc;

    snprintf(p->spec.kind, sizeof(p->spec.kind), "packet");
    p->spec.netns_fd = -1;
    p->spec.target = p->spec.text;
    if (p->match.used)
        return 0;
    rc = value_ifname(r, item, &name);
    if (rc)
        return rc;
    snprintf(p->spec.name, sizeof(p->spec.name), "%s", name);
    snprintf(p->spec.text, sizeof(p->spec.text), "%s", name);
    return 0;
}

static int read_interface(struct reader *r, struct draft *d,
                          const struct node *item)
{
    unsigned i = d->b->n_ports;
    struct conf_port *p = &d->b->port[i];
    const struct thing *ether = NULL;
    int rc;

    d->b->n_ports++;
    rc = value_keep(r, item, &p->id);
    if (!rc)
        rc = find_ether(r, d, item, &ether);
    if (rc)
        return rc;
    d->port[i].item = item;
    p->pos = item->pos;
    p->wakeonlan = CONF_UNSET;
    if (ether)
        rc = ethernet_read(r, d, i, ether);
    return rc ? rc : plain_port(r, p, item);
}

static int read_interfaces(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    struct draft *d = to;

    (void)k;
    node_each (v, item) {
        int rc = read_interface(r, d, item);

        if (rc)
            return rc;
    }
    return 0;
}

/* ---- bridges: parameters ---- */

static int read_param(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    return param_bridge(r, to, (unsigned)k->at, v);
}

/* Needs the ports: see spread. */
static int keep_node(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    const struct node **at = (void *)((char *)to + k->at);

    if (*at)
        return bad_twice(r, v, *at);
    *at = v;
    return 0;
}

static const struct key param_keys[] = {
    {"ageing-time", read_param, BRIDGE_AGEING, NULL},
    {"aging-time", read_param, BRIDGE_AGEING, NULL},
    {"forward-delay", read_param, BRIDGE_FORWARD_DELAY, NULL},
    {"hello-time", read_param, BRIDGE_HELLO, NULL},
    {"max-age", read_param, BRIDGE_MAX_AGE, NULL},
    {"priority", read_param, BRIDGE_PRIORITY, NULL},
    {"stp", read_param, BRIDGE_STP, NULL},
    {"path-cost", keep_node, offsetof(struct draft, path_cost), NULL},
    {"port-priority", keep_node, offsetof(struct draft, port_priority), NULL},
    {NULL, NULL, 0, NULL},
};

static int read_parameters(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    struct keys set = {param_keys, to, NULL};

    return keys_read(r, v, k->name, &set, 1);
}

static int one_port_param(struct reader *r, struct draft *d, unsigned port,
                          unsigned p, const struct node *v)
{
    int rc = param_port(r, d, port, p, v);

    if (!rc && p == BPORT_PATH_COST && d->b->port[port].param[p] == 0)
        rc = bad(r, v, "expected a number from 1 to 65535, found 0");
    return rc;
}

/* Scope of a bridge's ports is the draft itself. */
static int spread(struct reader *r, struct draft *d, const struct node *v,
                  unsigned p, unsigned n_ports)
{
    int rc = 0;

    if (v->type == NODE_SCALAR) {
        for (unsigned i = 0; i < n_ports && !rc; i++)
            rc = one_port_param(r, d, i, p, v);
        return rc;
    }
    rc = want_map(r, v);
    if (rc)
        return rc;
    node_each (v, key) {
        const struct draft_port *dp = names_get(r, d, key->text);

        if (!dp)
            return bad(r, v, "%s is not among the interfaces of %s",
                       SHOW(key->text), d->b->name);
        rc = one_port_param(r, d, (unsigned)(dp - d->port), p, key->value);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- bridges ---- */

static int read_bridge_renderer(struct reader *r, const struct node *v,
                                void *to, const struct key *k)
{
    (void)r;
    (void)v;
    (void)to;
    (void)k;
    return 0; /* read before the others: its ports ask for it */
}

static const struct key bridge_keys[] = {
    {"interfaces", read_interfaces, 0, NULL},
    {"parameters", read_parameters, 0, NULL},
    {"renderer", read_bridge_renderer, 0, NULL},
    {NULL, NULL, 0, NULL},
};

static int bridge_renderer(struct reader *r, struct draft *d,
                           const struct part *p)
{
    const struct node *own = node_child(p->key->value, "renderer");

    if (own && d->renderer)
        return bad_twice(r, own, d->renderer);
    if (own)
        d->renderer = own;
    if (own)
        return value_renderer(r, own, &d->b->renderer);
    return p->renderer && !d->renderer
               ? value_renderer(r, p->renderer, &d->b->renderer)
               : 0;
}

/* path-cost and port-priority are for the ports of `network:`. */
static int settle_ports(struct reader *r, struct draft *d, unsigned first)
{
    int rc = 0;

    for (unsigned i = first; i < d->b->n_ports; i++) {
        const void *twice = NULL;

        rc = names_put(r, d, d->b->port[i].id, &d->port[i], &twice);
        if (!rc && twice)
            rc = bad_twice(r, d->port[i].item,
                           ((const struct draft_port *)twice)->item);
        if (rc)
            return rc;
    }
    return 0;
}

int netplan_bridge(struct reader *r, struct draft *d, const struct part *p)
{
    struct keys set[] = {{bridge_keys, d, NULL},
                         {l3_keys, &d->b->l3, d->l3_seen}};
    unsigned first = d->b->n_ports;
    int rc = bridge_renderer(r, d, p);

    if (!rc)
        rc = keys_read(r, p->key->value, "a bridge", set, 2);
    return rc ? rc : settle_ports(r, d, first);
}

int netplan_spread(struct reader *r, struct draft *d)
{
    unsigned n = d->b->n_ports;
    int rc = 0;

    if (d->path_cost)
        rc = spread(r, d, d->path_cost, BPORT_PATH_COST, n);
    if (!rc && d->port_priority)
        rc = spread(r, d, d->port_priority, BPORT_PRIORITY, n);
    return rc;
}

/* ---- what was left alone ---- */

static int note_unused(struct reader *r, const struct node *section)
{
    char list[200] = "";
    size_t used = 0;
    unsigned more = 0, n = 0;

    node_each (section, key) {
        const struct thing *t = names_get(r, things, key->text);

        if (is_renderer(key) || !t || t->user)
            continue;
        n++;
        if (used < 140)
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                     used ? ", " : "", SHOW(key->text));
        else
            more++;
    }
    if (n == 0)
        return 0;
    if (more)
        snprintf(list + used, sizeof(list) - used, " and %u more", more);
    return conf_note(r->c, "%s: in no bridge, left alone: %s",
                     PLACE(section->key), list)
               ? no_memory(r)
               : 0;
}

int netplan_notices(struct reader *r)
{
    int rc = 0;

    for (unsigned i = 0; i < r->n_sources && !rc; i++) {
        const struct node *n = r->source[i].network;
        const struct node *ethernets = n ? node_child(n, "ethernets") : NULL;

        if (ethernets)
            rc = note_unused(r, ethernets);
    }
    return rc;
}
