/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rtnl.h: sets of addresses and routes as values.
 */
#include "ctl/l3/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IP6_METRIC_DEFAULT 1024 /* the kernel's, where none is given */

/* ---- sets ---- */

int rt_set_addr(struct rt_set *s, const struct rt_addr *a)
{
    struct rt_addr *p =
        reallocarray(s->addr, (size_t)s->n_addrs + 1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    s->addr = p;
    p[s->n_addrs++] = *a;
    return 0;
}

int rt_set_route(struct rt_set *s, const struct rt_route *r)
{
    struct rt_route *p =
        reallocarray(s->route, (size_t)s->n_routes + 1, sizeof(*p));
    unsigned char *attr = malloc(r->attr_len ? r->attr_len : 1);

    if (p)
        s->route = p;
    if (!p || !attr) {
        free(attr);
        return -ENOMEM;
    }
    if (r->attr_len)
        memcpy(attr, r->attr, r->attr_len);
    p[s->n_routes] = *r;
    p[s->n_routes++].attr = attr;
    return 0;
}

int rt_set_copy(struct rt_set *to, const struct rt_set *from)
{
    int rc = 0;

    memset(to, 0, sizeof(*to));
    for (unsigned i = 0; i < from->n_addrs && !rc; i++)
        rc = rt_set_addr(to, &from->addr[i]);
    for (unsigned i = 0; i < from->n_routes && !rc; i++)
        rc = rt_set_route(to, &from->route[i]);
    if (rc)
        rt_set_clear(to);
    return rc;
}

void rt_route_free(struct rt_route *r)
{
    free(r->attr);
    r->attr = NULL;
    r->attr_len = 0;
}

void rt_set_clear(struct rt_set *s)
{
    for (unsigned i = 0; i < s->n_routes; i++)
        free(s->route[i].attr);
    free(s->addr);
    free(s->route);
    memset(s, 0, sizeof(*s));
}

void rt_set_drop_addr(struct rt_set *s, unsigned i)
{
    s->n_addrs--;
    memmove(&s->addr[i], &s->addr[i + 1],
            (s->n_addrs - i) * sizeof(s->addr[0]));
}

void rt_set_drop_route(struct rt_set *s, unsigned i)
{
    free(s->route[i].attr);
    s->n_routes--;
    memmove(&s->route[i], &s->route[i + 1],
            (s->n_routes - i) * sizeof(s->route[0]));
}

int rt_find_addr(const struct rt_set *s, const struct rt_addr *a)
{
    for (unsigned i = 0; i < s->n_addrs; i++)
        if (rt_addr_same(&s->addr[i], a))
            return (int)i;
    return -1;
}

int rt_find_route(const struct rt_set *s, const struct rt_route *r)
{
    for (unsigned i = 0; i < s->n_routes; i++)
        if (rt_route_same(&s->route[i], r))
            return (int)i;
    return -1;
}

bool rt_has_ip(const struct rt_set *s, const struct rt_addr *a)
{
    for (unsigned i = 0; i < s->n_addrs; i++)
        if (s->addr[i].family == a->family &&
            memcmp(s->addr[i].local, a->local, 16) == 0)
            return true;
    return false;
}

/* ---- from a configuration ---- */

static uint8_t octets(uint8_t family)
{
    return family == AF_INET ? 4 : 16;
}

static void copy_ip(uint8_t out[16], const struct conf_addr *c)
{
    memset(out, 0, 16);
    memcpy(out, &c->a, octets((uint8_t)c->family));
}

static bool is_link_local(const struct rt_addr *a)
{
    if (a->family == AF_INET6)
        return a->local[0] == 0xfe && (a->local[1] & 0xc0) == 0x80;
    return a->local[0] == 169 && a->local[1] == 254;
}

/* As `ip address add ADDR/LEN brd +` does. */
static void set_broadcast(struct rt_addr *a)
{
    uint32_t ip, host;

    if (a->family != AF_INET || a->prefix >= 31)
        return;
    memcpy(&ip, a->local, 4);
    host = a->prefix ? (uint32_t)((1ULL << (32 - a->prefix)) - 1) : UINT32_MAX;
    ip |= htonl(host);
    memcpy(a->bcast, &ip, 4);
    a->has_bcast = true;
}

void rt_addr_from_conf(struct rt_addr *a, const struct conf_addr *c)
{
    memset(a, 0, sizeof(*a));
    a->family = (uint8_t)c->family;
    a->prefix = c->prefix;
    copy_ip(a->local, c);
    a->scope = is_link_local(a) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    a->valid = RT_FOREVER;
    a->preferred = c->deprecated ? 0 : RT_FOREVER;
    memcpy(a->label, c->label, sizeof(a->label));
    a->label[sizeof(a->label) - 1] = 0;
    set_broadcast(a);
}

static const uint8_t route_type[] = {
    [CONF_ROUTE_UNICAST] = RTN_UNICAST,
    [CONF_ROUTE_LOCAL] = RTN_LOCAL,
    [CONF_ROUTE_BROADCAST] = RTN_BROADCAST,
    [CONF_ROUTE_ANYCAST] = RTN_ANYCAST,
    [CONF_ROUTE_MULTICAST] = RTN_MULTICAST,
    [CONF_ROUTE_NAT] = RTN_NAT,
    [CONF_ROUTE_XRESOLVE] = RTN_XRESOLVE,
    [CONF_ROUTE_UNREACHABLE] = RTN_UNREACHABLE,
    [CONF_ROUTE_BLACKHOLE] = RTN_BLACKHOLE,
    [CONF_ROUTE_PROHIBIT] = RTN_PROHIBIT,
    [CONF_ROUTE_THROW] = RTN_THROW,
};

static bool leads_nowhere(uint8_t type)
{
    return type == RTN_UNREACHABLE || type == RTN_BLACKHOLE ||
           type == RTN_PROHIBIT || type == RTN_THROW;
}

/* netplan's default: "link" for what has no gateway, "host" for our own. */
static uint8_t default_scope(const struct conf_route *c, uint8_t type)
{
    if (c->to.family == AF_INET6 || leads_nowhere(type))
        return RT_SCOPE_UNIVERSE;
    if (type == RTN_LOCAL)
        return RT_SCOPE_HOST;
    if (c->via.family && type == RTN_UNICAST)
        return RT_SCOPE_UNIVERSE;
    return RT_SCOPE_LINK;
}

#define ATTR_ROOM 256

static void put_metrics(struct nlmsghdr *h, const struct conf_route *c)
{
    const struct {
        uint16_t type;
        uint32_t v;
    } m[] = {
        {RTAX_MTU, c->mtu},
        {RTAX_ADVMSS, c->advmss},
        {RTAX_INITCWND, c->congestion_window},
        {RTAX_INITRWND, c->advertised_receive_window},
    };
    struct nlattr *nest = mnl_attr_nest_start(h, RTA_METRICS);
    unsigned n = 0;

    for (unsigned i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
        if (!m[i].v)
            continue;
        mnl_attr_put_u32(h, m[i].type, m[i].v);
        n++;
    }
    if (n)
        mnl_attr_nest_end(h, nest);
    else
        mnl_attr_nest_cancel(h, nest);
}

static void put_gateway(struct nlmsghdr *h, const struct conf_route *c)
{
    struct {
        uint16_t family;
        uint8_t addr[16];
    } via = {.family = (uint16_t)c->via.family};
    size_t n = octets((uint8_t)c->via.family);

    if (!c->via.family)
        return;
    if (c->via.family == c->to.family) {
        mnl_attr_put(h, RTA_GATEWAY, n, &c->via.a);
        return;
    }
    memcpy(via.addr, &c->via.a, n);
    mnl_attr_put(h, RTA_VIA, sizeof(via.family) + n, &via);
}

static void route_head(struct rt_route *r, const struct conf_route *c)
{
    memset(r, 0, sizeof(*r));
    r->m.rtm_family = (uint8_t)c->to.family;
    r->m.rtm_dst_len = c->to.prefix;
    r->m.rtm_protocol = RTPROT_STATIC;
    r->m.rtm_type = route_type[c->type];
    r->m.rtm_scope = c->has_scope && c->to.family == AF_INET
                         ? c->scope
                         : default_scope(c, r->m.rtm_type);
    r->m.rtm_flags = c->on_link ? RTNH_F_ONLINK : 0;
    r->table = c->has_table                 ? c->table
               : r->m.rtm_type == RTN_LOCAL ? RT_TABLE_LOCAL
                                            : RT_TABLE_MAIN;
    r->metric = c->has_metric ? c->metric : 0;
    if (r->m.rtm_family == AF_INET6 && !r->metric)
        r->metric = IP6_METRIC_DEFAULT;
    r->oif = leads_nowhere(r->m.rtm_type) ? -1 : 0;
    copy_ip(r->dst, &c->to);
    r->has_src = c->from.family != 0;
    if (r->has_src)
        copy_ip(r->src, &c->from);
}

int rt_route_from_conf(struct rt_route *r, const struct conf_route *c,
                       struct err *e)
{
    alignas(struct nlmsghdr) char buf[MNL_NLMSG_HDRLEN + ATTR_ROOM];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

    if (c->type == CONF_ROUTE_NAT || c->type == CONF_ROUTE_XRESOLVE)
        return err_set(e, EOPNOTSUPP,
                       "%s:%u:%u: Linux has no routes of type %s any more",
                       c->pos.file, c->pos.line, c->pos.column,
                       c->type == CONF_ROUTE_NAT ? "nat" : "xresolve");
    route_head(r, c);
    put_gateway(h, c);
    put_metrics(h, c);
    r->attr_len = (uint16_t)mnl_nlmsg_get_payload_len(h);
    r->attr = malloc(r->attr_len ? r->attr_len : 1);
    if (!r->attr)
        return err_sys(e, ENOMEM, "a route");
    memcpy(r->attr, mnl_nlmsg_get_payload(h), r->attr_len);
    return 0;
}

/* ---- comparing ---- */

bool rt_addr_same(const struct rt_addr *a, const struct rt_addr *b)
{
    if (a->family != b->family || memcmp(a->local, b->local, 16) != 0)
        return false;
    /* One IPv6 address is on an interface once, one of IPv4 once per
     * prefix and far end. */
    if (a->family == AF_INET6)
        return true;
    return a->prefix == b->prefix && a->has_peer == b->has_peer &&
           (!a->has_peer || memcmp(a->peer, b->peer, 16) == 0);
}

/* Flags that are asked for; the others are the kernel's. */
#define ADDR_FLAGS                                                             \
    (IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR)

bool rt_addr_equal(const struct rt_addr *want, const struct rt_addr *have)
{
    if (!rt_addr_same(want, have) || want->prefix != have->prefix)
        return false;
    if ((want->flags & ADDR_FLAGS) != (have->flags & ADDR_FLAGS))
        return false;
    if (want->metric && want->metric != have->metric)
        return false;
    /* what runs down need not be told again */
    return strcmp(want->label, have->label) == 0 &&
           (want->valid == RT_FOREVER) == (have->valid == RT_FOREVER) &&
           (want->preferred == 0) == (have->preferred == 0);
}

bool rt_route_same(const struct rt_route *a, const struct rt_route *b)
{
    return a->m.rtm_family == b->m.rtm_family && a->table == b->table &&
           a->m.rtm_dst_len == b->m.rtm_dst_len &&
           a->m.rtm_src_len == b->m.rtm_src_len &&
           a->m.rtm_tos == b->m.rtm_tos && a->metric == b->metric &&
           memcmp(a->dst, b->dst, 16) == 0;
}

struct view {
    const struct nlattr *gateway, *via, *metrics, *multipath;
};

static void look(const struct rt_route *r, struct view *v)
{
    const struct nlattr *attr;

    memset(v, 0, sizeof(*v));
    mnl_attr_for_each_payload((const void *)r->attr, r->attr_len)
    {
        switch (mnl_attr_get_type(attr)) {
        case RTA_GATEWAY:
            v->gateway = attr;
            break;
        case RTA_VIA:
            v->via = attr;
            break;
        case RTA_METRICS:
            v->metrics = attr;
            break;
        case RTA_MULTIPATH:
            v->multipath = attr;
            break;
        default:
            break;
        }
    }
}

static bool same_attr(const struct nlattr *a, const struct nlattr *b)
{
    if (!a || !b)
        return a == b;
    return a->nla_len == b->nla_len &&
           memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b),
                  mnl_attr_get_payload_len(a)) == 0;
}

/* All of 'a' are in 'b'. */
static bool metrics_in(const struct nlattr *a, const struct nlattr *b)
{
    const struct nlattr *m, *n;

    if (!a)
        return true;
    mnl_attr_for_each_nested(m, a)
    {
        bool found = false;

        if (b)
            mnl_attr_for_each_nested(n, b) found |=
                mnl_attr_get_type(m) == mnl_attr_get_type(n) && same_attr(m, n);
        if (!found)
            return false;
    }
    return true;
}

bool rt_route_equal(const struct rt_route *want, const struct rt_route *have)
{
    struct view a, b;

    if (!rt_route_same(want, have) || want->oif != have->oif ||
        want->m.rtm_type != have->m.rtm_type ||
        want->m.rtm_scope != have->m.rtm_scope ||
        (want->m.rtm_flags & RTNH_F_ONLINK) !=
            (have->m.rtm_flags & RTNH_F_ONLINK) ||
        want->has_src != have->has_src || memcmp(want->src, have->src, 16) != 0)
        return false;
    look(want, &a);
    look(have, &b);
    return same_attr(a.gateway, b.gateway) && same_attr(a.via, b.via) &&
           same_attr(a.multipath, b.multipath) &&
           metrics_in(a.metrics, b.metrics) && metrics_in(b.metrics, a.metrics);
}

/* ---- for people ---- */

const char *rt_addr_text(const struct rt_addr *a, char text[RT_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];

    inet_ntop(a->family, a->local, ip, sizeof(ip));
    snprintf(text, RT_TEXT_MAX, "%s/%u", ip, a->prefix);
    return text;
}

static const char *route_kind(uint8_t type)
{
    switch (type) {
    case RTN_LOCAL:
        return "local ";
    case RTN_BROADCAST:
        return "broadcast ";
    case RTN_ANYCAST:
        return "anycast ";
    case RTN_MULTICAST:
        return "multicast ";
    case RTN_UNREACHABLE:
        return "unreachable ";
    case RTN_BLACKHOLE:
        return "blackhole ";
    case RTN_PROHIBIT:
        return "prohibit ";
    case RTN_THROW:
        return "throw ";
    default:
        return "";
    }
}

static const char *gateway_text(const struct rt_route *r, char ip[64])
{
    struct view v;

    look(r, &v);
    ip[0] = 0;
    if (v.gateway)
        inet_ntop(r->m.rtm_family, mnl_attr_get_payload(v.gateway), ip, 64);
    else if (v.via)
        inet_ntop(*(const uint16_t *)mnl_attr_get_payload(v.via),
                  (const char *)mnl_attr_get_payload(v.via) + 2, ip, 64);
    else if (v.multipath)
        return "several gateways";
    return ip;
}

const char *rt_route_text(const struct rt_route *r, char text[RT_TEXT_MAX])
{
    char ip[64], dst[80];
    const char *gw = gateway_text(r, ip);
    int n;

    inet_ntop(r->m.rtm_family, r->dst, dst, sizeof(dst));
    snprintf(dst + strlen(dst), sizeof(dst) - strlen(dst), "/%u",
             r->m.rtm_dst_len);
    n = snprintf(text, RT_TEXT_MAX, "%s%s%s%s", route_kind(r->m.rtm_type),
                 r->m.rtm_dst_len ? dst : "default", *gw ? " via " : "", gw);
    if (r->metric && n < RT_TEXT_MAX)
        n += snprintf(text + n, RT_TEXT_MAX - (size_t)n, " metric %u",
                      r->metric);
    if (r->table != RT_TABLE_MAIN && n < RT_TEXT_MAX)
        n += snprintf(text + n, RT_TEXT_MAX - (size_t)n, " table %u", r->table);
    if ((r->m.rtm_flags & RTNH_F_ONLINK) && n < RT_TEXT_MAX)
        snprintf(text + n, RT_TEXT_MAX - (size_t)n, " on-link");
    return text;
}
