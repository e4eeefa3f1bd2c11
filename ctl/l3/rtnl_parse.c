/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rtnl.h: the kernel's messages about addresses and routes, as entries.
 */
#include "ctl/l3/rtnl_impl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Newer than some headers. */
#define ATTR_IFA_PROTO 11

static int keep(const struct nlattr *a, void *data)
{
    const struct nlattr **tb = data;
    uint16_t type = mnl_attr_get_type(a);

    if (type <= RTA_MAX)
        tb[type] = a;
    return MNL_CB_OK;
}

static void copy(void *out, size_t n, const struct nlattr *a)
{
    size_t len = mnl_attr_get_payload_len(a);

    memcpy(out, mnl_attr_get_payload(a), len < n ? len : n);
}

static uint32_t u32_of(const struct nlattr *a)
{
    uint32_t v = 0;

    if (a)
        copy(&v, sizeof(v), a);
    return v;
}

/* ---- addresses ---- */

static void addr_ips(struct rt_addr *a, const struct nlattr *tb[])
{
    const struct nlattr *local = tb[IFA_LOCAL], *far = tb[IFA_ADDRESS];

    copy(a->local, 16, local ? local : far);
    if (local && far) {
        copy(a->peer, 16, far);
        a->has_peer = memcmp(a->peer, a->local, 16) != 0;
    }
    if (tb[IFA_BROADCAST]) {
        copy(a->bcast, 4, tb[IFA_BROADCAST]);
        a->has_bcast = true;
    }
}

bool rtnl_parse_addr(const struct nlmsghdr *h, int ifindex, struct rt_addr *a)
{
    const struct nlattr *tb[RTA_MAX + 1] = {0};
    const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
    struct ifa_cacheinfo c = {.ifa_valid = RT_FOREVER,
                              .ifa_prefered = RT_FOREVER};

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
        (int)m->ifa_index != ifindex ||
        (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
        return false;
    mnl_attr_parse(h, sizeof(*m), keep, tb);
    if (!tb[IFA_LOCAL] && !tb[IFA_ADDRESS])
        return false;
    memset(a, 0, sizeof(*a));
    a->family = m->ifa_family;
    a->prefix = m->ifa_prefixlen;
    a->scope = m->ifa_scope;
    a->flags = tb[IFA_FLAGS] ? u32_of(tb[IFA_FLAGS]) : m->ifa_flags;
    addr_ips(a, tb);
    if (tb[IFA_LABEL])
        copy(a->label, sizeof(a->label) - 1, tb[IFA_LABEL]);
    if (tb[IFA_CACHEINFO])
        copy(&c, sizeof(c), tb[IFA_CACHEINFO]);
    a->valid = c.ifa_valid;
    a->preferred = c.ifa_prefered;
    a->metric = u32_of(tb[IFA_RT_PRIORITY]);
    if (tb[ATTR_IFA_PROTO])
        a->proto = mnl_attr_get_u8(tb[ATTR_IFA_PROTO]);
    return true;
}

/* ---- routes ---- */

/* Kept aside in struct rt_route, or no property of the route. */
static bool in_fields(uint16_t type)
{
    switch (type) {
    case RTA_DST:
    case RTA_OIF:
    case RTA_PRIORITY:
    case RTA_PREFSRC:
    case RTA_TABLE:
    case RTA_CACHEINFO:
    case RTA_NH_ID: /* what the object says is in the other attributes */
    case RTA_EXPIRES:
        return true;
    default:
        return false;
    }
}

int rtnl_keep_attrs(const struct nlmsghdr *h, struct rt_route *r)
{
    const struct nlattr *a;

    r->attr = malloc(mnl_nlmsg_get_payload_len(h));
    if (!r->attr)
        return -ENOMEM;
    mnl_attr_for_each(a, h, sizeof(struct rtmsg))
    {
        if (in_fields(mnl_attr_get_type(a)))
            continue;
        memcpy(r->attr + r->attr_len, a, MNL_ALIGN(a->nla_len));
        r->attr_len = (uint16_t)(r->attr_len + MNL_ALIGN(a->nla_len));
    }
    return 0;
}

struct rtnexthop *rtnl_next_hop(char **at, size_t *left)
{
    struct rtnexthop *nh = (void *)*at;
    size_t len;

    if (*left < sizeof(*nh) || nh->rtnh_len < sizeof(*nh) ||
        nh->rtnh_len > *left)
        return NULL;
    len = RTNH_ALIGN(nh->rtnh_len);
    if (len > *left)
        len = *left;
    *left -= len;
    *at += len;
    return nh;
}

bool rtnl_hops_through(struct rt_route *r, int ifindex)
{
    struct nlattr *attr;
    bool found = false;

    mnl_attr_for_each_payload((void *)r->attr, r->attr_len)
    {
        char *p = mnl_attr_get_payload(attr);
        size_t left = mnl_attr_get_payload_len(attr);
        struct rtnexthop *nh;

        if (mnl_attr_get_type(attr) != RTA_MULTIPATH)
            continue;
        while ((nh = rtnl_next_hop(&p, &left)) != NULL) {
            nh->rtnh_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
            if (nh->rtnh_ifindex == ifindex) {
                nh->rtnh_ifindex = 0;
                found = true;
            }
        }
    }
    return found;
}

bool rtnl_leads_nowhere(const struct rt_route *r)
{
    return r->m.rtm_type == RTN_UNREACHABLE || r->m.rtm_type == RTN_BLACKHOLE ||
           r->m.rtm_type == RTN_PROHIBIT || r->m.rtm_type == RTN_THROW;
}

/* Seconds; 0: never. */
static uint32_t expires_in(const struct nlattr *a, long hz)
{
    struct rta_cacheinfo c = {0};

    copy(&c, sizeof(c), a);
    return c.rta_expires > 0 && hz > 0 ? (uint32_t)(c.rta_expires / hz) + 1 : 0;
}

void rtnl_parse_route(const struct nlmsghdr *h, long hz, struct rt_route *r)
{
    const struct nlattr *tb[RTA_MAX + 1] = {0};
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);

    mnl_attr_parse(h, sizeof(*m), keep, tb);
    memset(r, 0, sizeof(*r));
    r->m = *m;
    r->m.rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
    r->table = tb[RTA_TABLE] ? u32_of(tb[RTA_TABLE]) : m->rtm_table;
    r->metric = u32_of(tb[RTA_PRIORITY]);
    r->oif = tb[RTA_OIF] ? (int)u32_of(tb[RTA_OIF]) : -1;
    if (tb[RTA_DST])
        copy(r->dst, 16, tb[RTA_DST]);
    if (tb[RTA_PREFSRC]) {
        copy(r->src, 16, tb[RTA_PREFSRC]);
        r->has_src = true;
    }
    if (tb[RTA_CACHEINFO])
        r->expires = expires_in(tb[RTA_CACHEINFO], hz);
    /* IPv6 has the unreachable ones on lo */
    if (rtnl_leads_nowhere(r))
        r->oif = -1;
}
