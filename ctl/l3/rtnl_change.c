/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rtnl.h: what is asked of the kernel to change.
 */
#include "ctl/l3/rtnl_impl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_MAX 4096

static size_t octets(uint8_t family)
{
    return family == AF_INET ? 4 : 16;
}

/* ---- addresses ---- */

static struct nlmsghdr *addr_message(void *buf, uint16_t type, int ifindex,
                                     const struct rt_addr *a)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

    h->nlmsg_type = type;
    m->ifa_family = a->family;
    m->ifa_prefixlen = a->prefix;
    m->ifa_scope = a->scope;
    m->ifa_index = (uint32_t)ifindex;
    mnl_attr_put(h, IFA_LOCAL, octets(a->family), a->local);
    mnl_attr_put(h, IFA_ADDRESS, octets(a->family),
                 a->has_peer ? a->peer : a->local);
    return h;
}

int rtnl_add_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e)
{
    /* The others are states, not wishes. */
    const uint32_t wishes = IFA_F_NODAD | IFA_F_HOMEADDRESS |
                            IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |
                            IFA_F_MCAUTOJOIN;
    struct ifa_cacheinfo c = {.ifa_valid = a->valid,
                              .ifa_prefered = a->preferred};
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *h = addr_message(buf, RTM_NEWADDR, ifindex, a);
    char words[RTNL_WORDS_MAX], text[RT_TEXT_MAX];
    int rc;

    h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
    if (a->has_bcast)
        mnl_attr_put(h, IFA_BROADCAST, 4, a->bcast);
    if (a->label[0])
        mnl_attr_put_strz(h, IFA_LABEL, a->label);
    mnl_attr_put_u32(h, IFA_FLAGS, a->flags & wishes);
    if (a->metric)
        mnl_attr_put_u32(h, IFA_RT_PRIORITY, a->metric);
    mnl_attr_put(h, IFA_CACHEINFO, sizeof(c), &c);
    rc = rtnl_talk(r, h, words);
    if (!rc)
        return 0;
    rtnl_refused(e, rc, words, rt_addr_text(a, text));
    return err_wrap(e, rc, "address");
}

int rtnl_del_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *h = addr_message(buf, RTM_DELADDR, ifindex, a);
    char words[RTNL_WORDS_MAX], text[RT_TEXT_MAX];
    int rc = rtnl_talk(r, h, words);

    if (!rc || rc == -EADDRNOTAVAIL || rc == -ENODEV)
        return 0;
    rtnl_refused(e, rc, words, rt_addr_text(a, text));
    return err_wrap(e, rc, "removing address");
}

/* ---- routes ---- */

/* Interface 0 becomes ours. */
static void put_hops(struct nlmsghdr *h, const struct nlattr *a, int ifindex)
{
    struct nlattr *copy_of = mnl_nlmsg_get_payload_tail(h);
    struct rtnexthop *nh;
    char *p;
    size_t left = mnl_attr_get_payload_len(a);

    mnl_attr_put(h, RTA_MULTIPATH, left, mnl_attr_get_payload(a));
    p = mnl_attr_get_payload(copy_of);
    while ((nh = rtnl_next_hop(&p, &left)) != NULL)
        if (nh->rtnh_ifindex == 0)
            nh->rtnh_ifindex = ifindex;
}

static void put_others(struct nlmsghdr *h, const struct rt_route *t,
                       int ifindex)
{
    const struct nlattr *attr;

    mnl_attr_for_each_payload((void *)t->attr, t->attr_len)
    {
        if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
            put_hops(h, attr, ifindex);
        else
            mnl_attr_put(h, attr->nla_type, mnl_attr_get_payload_len(attr),
                         mnl_attr_get_payload(attr));
    }
}

static struct nlmsghdr *route_message(void *buf, uint16_t type, int ifindex,
                                      const struct rt_route *t)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

    h->nlmsg_type = type;
    *m = t->m;
    m->rtm_table = t->table < 256 ? (uint8_t)t->table : RT_TABLE_UNSPEC;
    mnl_attr_put_u32(h, RTA_TABLE, t->table);
    if (t->m.rtm_dst_len)
        mnl_attr_put(h, RTA_DST, octets(t->m.rtm_family), t->dst);
    if (t->oif >= 0)
        mnl_attr_put_u32(h, RTA_OIF, (uint32_t)(t->oif ? t->oif : ifindex));
    if (t->metric)
        mnl_attr_put_u32(h, RTA_PRIORITY, t->metric);
    if (t->has_src)
        mnl_attr_put(h, RTA_PREFSRC, octets(t->m.rtm_family), t->src);
    put_others(h, t, ifindex);
    return h;
}

static int route_talk(struct rtnl *r, uint16_t type, uint16_t flags,
                      int ifindex, const struct rt_route *t,
                      char words[RTNL_WORDS_MAX])
{
    size_t room = REQUEST_MAX + 2U * t->attr_len;
    char *buf = aligned_alloc(alignof(max_align_t), (room + 63) & ~(size_t)63);
    struct nlmsghdr *h;
    int rc;

    words[0] = 0;
    if (!buf)
        return -ENOMEM;
    h = route_message(buf, type, ifindex, t);
    h->nlmsg_flags = flags;
    if (t->expires && type == RTM_NEWROUTE)
        mnl_attr_put_u32(h, RTA_EXPIRES, t->expires);
    rc = rtnl_talk(r, h, words);
    free(buf);
    return rc;
}

static int put_route(struct rtnl *r, uint16_t flags, int ifindex,
                     const struct rt_route *t, struct err *e)
{
    char words[RTNL_WORDS_MAX], text[RT_TEXT_MAX];
    int rc =
        route_talk(r, RTM_NEWROUTE, NLM_F_CREATE | flags, ifindex, t, words);

    if (!rc)
        return 0;
    rtnl_refused(e, rc, words, rt_route_text(t, text));
    return err_wrap(e, rc, "route");
}

int rtnl_add_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                   struct err *e)
{
    char text[RT_TEXT_MAX];
    /* Others' routes to the same place stay: IPv6 takes ours beside them,
     * IPv4 refuses it. */
    uint16_t flags = t->m.rtm_family == AF_INET6 ? NLM_F_APPEND : NLM_F_EXCL;
    int rc = put_route(r, flags, ifindex, t, e);

    if (rc == -EEXIST)
        return err_set(e, rc, "route %s: there is another to the same place",
                       rt_route_text(t, text));
    return rc;
}

int rtnl_add_route_before(struct rtnl *r, int ifindex, const struct rt_route *t,
                          struct err *e)
{
    return put_route(r, 0, ifindex, t, e);
}

int rtnl_replace_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                       struct err *e)
{
    return put_route(r, NLM_F_REPLACE, ifindex, t, e);
}

int rtnl_del_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                   struct err *e)
{
    char words[RTNL_WORDS_MAX], text[RT_TEXT_MAX];
    int rc = route_talk(r, RTM_DELROUTE, 0, ifindex, t, words);

    if (!rc || rc == -ESRCH || rc == -ENODEV)
        return 0;
    rtnl_refused(e, rc, words, rt_route_text(t, text));
    return err_wrap(e, rc, "removing route");
}

/* ---- the interface ---- */

int rtnl_set_up(struct rtnl *r, int ifindex, bool up, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    char words[RTNL_WORDS_MAX];
    int rc;

    h->nlmsg_type = RTM_NEWLINK;
    m->ifi_index = ifindex;
    m->ifi_change = IFF_UP;
    m->ifi_flags = up ? IFF_UP : 0;
    rc = rtnl_talk(r, h, words);
    return rc ? rtnl_refused(e, rc, words,
                             up ? "bringing it up" : "taking it down")
              : 0;
}
