/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `addresses:`, `routes:`, `gateway4:` and `gateway6:` of an interface.
 */
#include "ctl/config/draft.h"
#include "ctl/config/words.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* ---- addresses ---- */

struct addr_text {
    char text[INET6_ADDRSTRLEN + 8];
};

static struct addr_text addr_text(const struct conf_addr *a)
{
    struct addr_text t;

    inet_ntop(a->family, &a->a, t.text, sizeof(t.text) - 8);
    snprintf(t.text + strlen(t.text), 8, "/%u", a->prefix);
    return t;
}

static bool unspecified(const struct conf_addr *a)
{
    return a->family == AF_INET ? a->a.v4.s_addr == 0
                                : IN6_IS_ADDR_UNSPECIFIED(&a->a.v6);
}

static bool multicast(const struct conf_addr *a)
{
    return a->family == AF_INET ? (ntohl(a->a.v4.s_addr) >> 28) == 14
                                : IN6_IS_ADDR_MULTICAST(&a->a.v6);
}

/* The same thing may stand only once among what 'scope' has. */
static int only_once(struct reader *r, const void *scope, const char *text,
                     const struct node *n)
{
    const char *kept = scratch_text(r, text);
    const void *first = NULL;
    int rc;

    if (!kept)
        return no_memory(r);
    rc = names_put(r, scope, kept, n, &first);
    if (rc || !first)
        return rc;
    return bad(r, n, "%s stands in %s already", SHOW(text),
               PLACE((const struct node *)first));
}

static int read_label(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    struct conf_addr *a = to;
    const char *text;
    int rc = value_text(r, v, &text);

    (void)k;
    if (rc)
        return rc;
    if (strlen(text) >= sizeof(a->label))
        return bad(r, v, "longer than %zu characters", sizeof(a->label) - 1);
    if (a->family != AF_INET)
        return bad(r, v, "only IPv4 addresses have labels");
    snprintf(a->label, sizeof(a->label), "%s", text);
    return 0;
}

static int read_lifetime(struct reader *r, const struct node *v, void *to,
                         const struct key *k)
{
    static const char *const words[] = {"forever", "0", NULL};
    struct conf_addr *a = to;
    unsigned i = 0;
    int rc = value_word(r, v, words, &i);

    (void)k;
    a->deprecated = i == 1;
    return rc;
}

static const struct key address_keys[] = {
    {"label", read_label, 0, NULL},
    {"lifetime", read_lifetime, 0, NULL},
    {NULL, NULL, 0, NULL},
};

/* "192.0.2.1/24", or a map of that one key with its options. */
static int read_address(struct reader *r, const struct node *n,
                        struct conf_addr *a)
{
    const struct node *text = n, *options = NULL;
    struct keys set = {address_keys, a, NULL};
    int rc;

    if (n->type == NODE_MAP && n->n == 1) {
        text = n->first;
        options = text->value;
    }
    rc = value_addr(r, text, ADDR_PREFIX, a);
    if (!rc && (a->prefix == 0 || unspecified(a) || multicast(a)))
        rc = bad(r, text, "%s is no address an interface can have",
                 SHOW(text->text));
    if (!rc && options)
        rc = keys_read(r, options, "an address", &set, 1);
    return rc;
}

int addresses_read(struct reader *r, const struct node *v, void *to,
                   const struct key *k)
{
    struct conf_l3 *l = to;
    int rc = want_list(r, v);

    (void)k;
    if (rc || v->n == 0)
        return rc;
    l->addr = conf_alloc(r->c, v->n * sizeof(*l->addr));
    if (!l->addr)
        return no_memory(r);
    node_each (v, item) {
        struct conf_addr *a = &l->addr[l->n_addrs];

        rc = read_address(r, item, a);
        if (!rc)
            rc = only_once(r, &l->addr, addr_text(a).text, item);
        if (rc)
            return rc;
        l->n_addrs++;
    }
    return 0;
}

/* ---- routes ---- */

const char *const conf_route_types[] = {
    "unicast",  "local",       "broadcast", "anycast",  "multicast", "nat",
    "xresolve", "unreachable", "blackhole", "prohibit", "throw",     NULL};

struct draft_route {
    struct conf_route *rt;
    const struct node *to, *via, *from;
    bool to_default; /* of a family that `via:` or `from:` says */
};

static int same_family(struct reader *r, const struct node *v,
                       const struct draft_route *d, const struct conf_addr *a)
{
    const struct conf_addr *other[] = {&d->rt->to, &d->rt->via, &d->rt->from};

    for (unsigned i = 0; i < 3; i++)
        if (other[i] != a && other[i]->family && other[i]->family != a->family)
            return bad(r, v, "%s: one route is of IPv4 or of IPv6, not of both",
                       SHOW(v->text));
    return 0;
}

/* Clears the bits that are the host's; true if there were any. */
static bool to_network(struct conf_addr *a)
{
    uint8_t *octet =
        a->family == AF_INET ? (uint8_t *)&a->a.v4.s_addr : a->a.v6.s6_addr;
    unsigned bits = a->family == AF_INET ? 32 : 128;
    bool any = false;

    for (unsigned i = a->prefix; i < bits; i++) {
        uint8_t bit = (uint8_t)(0x80 >> i % 8);

        any |= (octet[i / 8] & bit) != 0;
        octet[i / 8] = (uint8_t)(octet[i / 8] & ~bit);
    }
    return any;
}

static int read_to(struct reader *r, const struct node *v, void *to,
                   const struct key *k)
{
    struct draft_route *d = to;
    struct conf_addr *a = &d->rt->to;
    int rc;

    (void)k;
    d->to = v;
    d->to_default = v->type == NODE_SCALAR && strcmp(v->text, "default") == 0;
    if (d->to_default)
        return 0;
    rc = value_addr(r, v, ADDR_EITHER, a);
    if (!rc)
        rc = same_family(r, v, d, a);
    if (!rc && to_network(a))
        rc = conf_note(r->c, "%s: to: %s is read as %s", PLACE(v), v->text,
                       addr_text(a).text)
                 ? no_memory(r)
                 : 0;
    return rc;
}

static int read_hop(struct reader *r, const struct node *v,
                    struct draft_route *d, struct conf_addr *a)
{
    int rc = value_addr(r, v, ADDR_PLAIN, a);

    if (!rc && (unspecified(a) || multicast(a)))
        rc = bad(r, v, "%s is no address of a host", SHOW(v->text));
    return rc ? rc : same_family(r, v, d, a);
}

static int read_via(struct reader *r, const struct node *v, void *to,
                    const struct key *k)
{
    struct draft_route *d = to;

    (void)k;
    d->via = v;
    return read_hop(r, v, d, &d->rt->via);
}

static int read_from(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    struct draft_route *d = to;

    (void)k;
    d->from = v;
    return read_hop(r, v, d, &d->rt->from);
}

static int read_on_link(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    struct draft_route *d = to;

    (void)k;
    return value_switch(r, v, &d->rt->on_link);
}

static int read_scope(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    static const char *const words[] = {"global", "link", "host", NULL};
    static const uint8_t scope[] = {RT_SCOPE_UNIVERSE, RT_SCOPE_LINK,
                                    RT_SCOPE_HOST};
    struct draft_route *d = to;
    unsigned i = 0;
    int rc = value_word(r, v, words, &i);

    (void)k;
    d->rt->has_scope = true;
    d->rt->scope = scope[i];
    return rc;
}

static int read_type(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    struct draft_route *d = to;
    unsigned i = 0;
    int rc = value_word(r, v, conf_route_types, &i);

    (void)k;
    d->rt->type = (enum conf_route_type)i;
    if (!rc && (i == CONF_ROUTE_NAT || i == CONF_ROUTE_XRESOLVE))
        rc = bad(r, v, "the kernel has no routes of type %s",
                 conf_route_types[i]);
    return rc;
}

static int read_metric(struct reader *r, const struct node *v, void *to,
                       const struct key *k)
{
    struct draft_route *d = to;

    (void)k;
    d->rt->has_metric = true;
    return value_number(r, v, 0, UINT32_MAX, &d->rt->metric);
}

static int read_table(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    struct draft_route *d = to;

    (void)k;
    d->rt->has_table = true;
    return value_number(r, v, 1, UINT32_MAX, &d->rt->table);
}

static int read_size(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    const struct draft_route *d = to;

    return value_number(r, v, 1, UINT32_MAX, (void *)((char *)d->rt + k->at));
}

static const struct key route_keys[] = {
    {"to", read_to, 0, NULL},
    {"via", read_via, 0, NULL},
    {"from", read_from, 0, NULL},
    {"on-link", read_on_link, 0, NULL},
    {"metric", read_metric, 0, NULL},
    {"table", read_table, 0, NULL},
    {"scope", read_scope, 0, NULL},
    {"type", read_type, 0, NULL},
    {"mtu", read_size, offsetof(struct conf_route, mtu), NULL},
    {"congestion-window", read_size,
     offsetof(struct conf_route, congestion_window), NULL},
    {"advertised-receive-window", read_size,
     offsetof(struct conf_route, advertised_receive_window), NULL},
    {"advertised-mss", read_size, offsetof(struct conf_route, advmss), NULL},
    {NULL, NULL, 0, NULL},
};

/* `to: default` is of the family that the rest speaks. */
static int settle_default(struct reader *r, const struct node *n,
                          struct draft_route *d)
{
    struct conf_addr *to = &d->rt->to;

    if (!d->to)
        return bad(r, n,
                   "a route must say where it goes: to: default or to: "
                   "NETWORK/PREFIX");
    if (!d->to_default)
        return 0;
    to->pos = d->to->pos;
    to->family = d->via ? d->rt->via.family : d->rt->from.family;
    if (!to->family)
        return bad(r, d->to,
                   "default of IPv4 or of IPv6? without via: write "
                   "0.0.0.0/0 or ::/0");
    return 0;
}

static int check_route(struct reader *r, const struct node *n,
                       const struct draft_route *d)
{
    const struct conf_route *rt = d->rt;

    if (d->via && rt->type >= CONF_ROUTE_UNREACHABLE)
        return bad(r, d->via, "a route of type %s goes nowhere: it has no via",
                   conf_route_types[rt->type]);
    if (rt->on_link && !d->via)
        return bad(r, n,
                   "on-link: true says how via is reached, which is "
                   "missing");
    if (rt->type == CONF_ROUTE_UNICAST && !d->via && rt->has_scope &&
        rt->scope == RT_SCOPE_UNIVERSE)
        return bad(r, n, "a global route needs via");
    if (rt->type == CONF_ROUTE_UNICAST && !d->via && rt->to.prefix == 0 &&
        !rt->has_scope)
        return bad(r, n, "a default route needs via, or scope: link");
    return 0;
}

/* What the kernel would take for the same route. */
static int route_once(struct reader *r, const struct conf_l3 *l,
                      const struct conf_route *rt, const struct node *n)
{
    char text[160];
    uint32_t table = rt->has_table ? rt->table : RT_TABLE_MAIN;

    snprintf(text, sizeof(text), "route to %s%s%s, metric %u, table %u",
             addr_text(&rt->to).text, rt->to.family == AF_INET6 ? " via " : "",
             rt->to.family == AF_INET6 && rt->via.family
                 ? addr_text(&rt->via).text
                 : "",
             rt->has_metric ? rt->metric : 0, table);
    return only_once(r, &l->route, text, n);
}

/* A place for one more; the array grows by doubling. */
static struct conf_route *new_route(struct reader *r, struct conf_l3 *l,
                                    const struct node *n)
{
    struct conf_route *rt;

    if ((l->n_routes & (l->n_routes - 1)) == 0) {
        size_t cap = l->n_routes ? 2UL * l->n_routes : 1;
        struct conf_route *more = conf_alloc(r->c, cap * sizeof(*more));

        if (!more)
            return NULL;
        if (l->n_routes)
            memcpy(more, l->route, l->n_routes * sizeof(*more));
        l->route = more;
    }
    rt = &l->route[l->n_routes++];
    rt->pos = n->pos;
    return rt;
}

static int read_route(struct reader *r, const struct node *n, struct conf_l3 *l)
{
    struct draft_route d = {.rt = new_route(r, l, n)};
    struct keys set = {route_keys, &d, NULL};
    int rc;

    if (!d.rt)
        return no_memory(r);
    rc = keys_read(r, n, "a route", &set, 1);
    if (!rc)
        rc = settle_default(r, n, &d);
    if (!rc)
        rc = check_route(r, n, &d);
    return rc ? rc : route_once(r, l, d.rt, n);
}

int routes_read(struct reader *r, const struct node *v, void *to,
                const struct key *k)
{
    int rc = want_list(r, v);

    (void)k;
    if (rc)
        return rc;
    node_each (v, item) {
        rc = read_route(r, item, to);
        if (rc)
            return rc;
    }
    return 0;
}

/* k->at: the family */
int gateway_read(struct reader *r, const struct node *v, void *to,
                 const struct key *k)
{
    struct conf_l3 *l = to;
    struct conf_route *rt = new_route(r, l, v);
    int rc;

    if (!rt)
        return no_memory(r);
    rc = value_addr(r, v, ADDR_PLAIN, &rt->via);
    if (rc)
        return rc;
    if (rt->via.family != (int)k->at || unspecified(&rt->via) ||
        multicast(&rt->via))
        return bad(r, v, "%s is no IPv%d address of a host", SHOW(v->text),
                   k->at == AF_INET ? 4 : 6);
    rt->to.family = rt->via.family;
    rt->to.pos = v->pos;
    if (conf_note(r->c,
                  "%s: %s is deprecated; write routes: [{to: default, via: "
                  "\"%s\"}]",
                  PLACE(v->key), k->name, v->text))
        return no_memory(r);
    return route_once(r, l, rt, v);
}
