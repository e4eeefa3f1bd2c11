/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rtnl.h: what is asked of the kernel.
 */
#include "ctl/l3/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A dump's piece is 32 kB at most. */
#define REPLY_MAX   65536
#define REQUEST_MAX 4096
#define DUMP_TRIES  8

/* Newer than some headers. */
#define ATTR_IFA_PROTO 11

struct rtnl {
    struct mnl_socket *nl;
    uint32_t seq;
    long hz; /* of the kernel's times in messages */
    char buf[REPLY_MAX];
};

int rtnl_open(struct rtnl **out, struct err *e)
{
    /* The kernel answers at once; should it not, we do not wait for ever. */
    const struct timeval limit = {.tv_sec = 5};
    struct rtnl *r = calloc(1, sizeof(*r));
    int on = 1;

    if (!r)
        return err_sys(e, ENOMEM, "talking to the kernel");
    r->hz = sysconf(_SC_CLK_TCK);
    r->seq = (uint32_t)time(NULL);
    r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
        int rc = errno;

        rtnl_close(r);
        return err_sys(e, rc, "opening rtnetlink");
    }
    (void)mnl_socket_setsockopt(r->nl, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(r->nl, NETLINK_CAP_ACK, &on, sizeof(on));
    (void)setsockopt(mnl_socket_get_fd(r->nl), SOL_SOCKET, SO_RCVTIMEO, &limit,
                     sizeof(limit));
    *out = r;
    return 0;
}

void rtnl_close(struct rtnl *r)
{
    if (!r)
        return;
    if (r->nl)
        mnl_socket_close(r->nl);
    free(r);
}

/* ---- one request ---- */

/* The kernel's own sentence about a refusal, if it sent one. */
static void take_words(const struct nlmsghdr *h, char *words, size_t n)
{
    const struct nlmsgerr *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    size_t skip = sizeof(*m);

    if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(h->nlmsg_flags & NLM_F_CAPPED))
        skip += MNL_ALIGN(m->msg.nlmsg_len - sizeof(m->msg));
    mnl_attr_for_each(a, h, skip)
    {
        if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
            snprintf(words, n, "%.*s", (int)mnl_attr_get_payload_len(a),
                     mnl_attr_get_str(a));
    }
}

/* Waits for the answer to request r->seq.  0 or -errno. */
static int answer(struct rtnl *r, char *words, size_t words_max)
{
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(r->nl, r->buf, sizeof(r->buf));
        const struct nlmsghdr *h = (const void *)r->buf;
        int len = (int)n;

        if (n < 0)
            return -errno;
        for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
            const struct nlmsgerr *m = mnl_nlmsg_get_payload(h);

            if (h->nlmsg_seq != r->seq || h->nlmsg_type != NLMSG_ERROR)
                continue;
            if (m->error)
                take_words(h, words, words_max);
            return m->error;
        }
    }
}

static int talk(struct rtnl *r, struct nlmsghdr *req, char *words, size_t max)
{
    words[0] = 0;
    req->nlmsg_seq = ++r->seq;
    req->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (mnl_socket_sendto(r->nl, req, req->nlmsg_len) < 0)
        return -errno;
    return answer(r, words, max);
}

static int refused(struct err *e, int rc, const char *words, const char *what)
{
    if (words[0])
        return err_set(e, rc, "%s: %s", what, words);
    return err_sys(e, rc, "%s", what);
}

/* ---- dumps ---- */

struct dump {
    struct rtnl *r;
    int ifindex;
    unsigned more; /* enum rtnl_more */
    struct rt_set *set;
    int rc;
};

static bool of_another(const struct rtnl *r, size_t n)
{
    struct nlmsghdr h;

    if (n < sizeof(h))
        return false;
    memcpy(&h, r->buf, sizeof(h));
    return h.nlmsg_seq != r->seq;
}

static int dump_once(struct rtnl *r, struct nlmsghdr *req, mnl_cb_t cb,
                     struct dump *d)
{
    unsigned port = mnl_socket_get_portid(r->nl);
    int rc = 1;

    req->nlmsg_seq = ++r->seq;
    req->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    d->rc = 0;
    if (mnl_socket_sendto(r->nl, req, req->nlmsg_len) < 0)
        return -errno;
    while (rc > 0) {
        ssize_t n = mnl_socket_recvfrom(r->nl, r->buf, sizeof(r->buf));

        if (n < 0)
            return -errno;
        if (of_another(r, (size_t)n)) /* the rest of a dump given up */
            continue;
        rc = mnl_cb_run(r->buf, (size_t)n, r->seq, port, cb, d);
    }
    if (d->rc)
        return d->rc;
    return rc < 0 ? -errno : 0;
}

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

static bool addr_parse(const struct nlmsghdr *h, int ifindex, struct rt_addr *a)
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

static int take_addr(const struct nlmsghdr *h, void *data)
{
    struct dump *d = data;
    struct rt_addr a;

    if (h->nlmsg_type == RTM_NEWADDR && !d->rc && addr_parse(h, d->ifindex, &a))
        d->rc = rt_set_addr(d->set, &a);
    return MNL_CB_OK;
}

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

static int keep_attrs(const struct nlmsghdr *h, struct rt_route *r)
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

/* Several gateways: our interface is written as 0.  True if it is in. */
static bool hops_through(struct rt_route *r, int ifindex)
{
    struct nlattr *attr;
    bool found = false;

    mnl_attr_for_each_payload((void *)r->attr, r->attr_len)
    {
        char *p = mnl_attr_get_payload(attr);
        size_t left = mnl_attr_get_payload_len(attr);

        if (mnl_attr_get_type(attr) != RTA_MULTIPATH)
            continue;
        while (left >= sizeof(struct rtnexthop)) {
            struct rtnexthop *nh = (void *)p;

            if (nh->rtnh_len < sizeof(*nh) || nh->rtnh_len > left)
                break;
            nh->rtnh_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
            if (nh->rtnh_ifindex == ifindex) {
                nh->rtnh_ifindex = 0;
                found = true;
            }
            if ((size_t)RTNH_ALIGN(nh->rtnh_len) >= left)
                break;
            left -= RTNH_ALIGN(nh->rtnh_len);
            p += RTNH_ALIGN(nh->rtnh_len);
        }
    }
    return found;
}

static bool route_wanted(const struct rtmsg *m, unsigned more)
{
    if ((m->rtm_flags & RTM_F_CLONED) ||
        (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
        return false;
    if (m->rtm_protocol != RTPROT_KERNEL)
        return true;
    /* comes with its address, or with an advertisement */
    return (more & RTNL_PREFIX6) && m->rtm_family == AF_INET6 &&
           m->rtm_type == RTN_UNICAST;
}

static bool leads_nowhere(const struct rt_route *r)
{
    return r->m.rtm_type == RTN_UNREACHABLE || r->m.rtm_type == RTN_BLACKHOLE ||
           r->m.rtm_type == RTN_PROHIBIT || r->m.rtm_type == RTN_THROW;
}

static void route_fields(struct rt_route *r, const struct rtmsg *m,
                         const struct nlattr *tb[], long hz)
{
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
    if (tb[RTA_CACHEINFO]) {
        struct rta_cacheinfo c = {0};

        copy(&c, sizeof(c), tb[RTA_CACHEINFO]);
        if (c.rta_expires > 0 && hz > 0)
            r->expires = (uint32_t)(c.rta_expires / hz) + 1;
    }
    /* IPv6 has the unreachable ones on lo */
    if (leads_nowhere(r))
        r->oif = -1;
}

/* Would it go with an address of the set? */
static bool from_ours(const struct rt_set *s, const struct rt_route *r)
{
    for (unsigned i = 0; r->has_src && i < s->n_addrs; i++)
        if (s->addr[i].family == r->m.rtm_family &&
            memcmp(s->addr[i].local, r->src, 16) == 0)
            return true;
    return false;
}

static int take_route(const struct nlmsghdr *h, void *data)
{
    const struct nlattr *tb[RTA_MAX + 1] = {0};
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    struct dump *d = data;
    struct rt_route r;
    bool with, through;

    if (h->nlmsg_type != RTM_NEWROUTE || d->rc ||
        mnl_nlmsg_get_payload_len(h) < sizeof(*m) || !route_wanted(m, d->more))
        return MNL_CB_OK;
    mnl_attr_parse(h, sizeof(*m), keep, tb);
    route_fields(&r, m, tb, d->r->hz);
    with = from_ours(d->set, &r) ||
           ((d->more & RTNL_NOWHERE) && leads_nowhere(&r));
    if (!tb[RTA_MULTIPATH] && r.oif != d->ifindex && !with)
        return MNL_CB_OK;
    d->rc = keep_attrs(h, &r);
    through = r.oif == d->ifindex || hops_through(&r, d->ifindex);
    if (r.oif == d->ifindex)
        r.oif = 0;
    if (!d->rc && (through || with))
        d->rc = rt_set_route(d->set, &r);
    rt_route_free(&r);
    return MNL_CB_OK;
}

static int dump(struct dump *d, uint16_t type, size_t head, mnl_cb_t cb)
{
    int rc = -EINTR;

    /* Interrupted by a change: what was read is no picture. */
    for (int i = 0; i < DUMP_TRIES && rc == -EINTR; i++) {
        alignas(struct nlmsghdr) char buf[256];
        struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

        h->nlmsg_type = type;
        mnl_nlmsg_put_extra_header(h, head);
        while (type == RTM_GETADDR && d->set->n_addrs)
            rt_set_drop_addr(d->set, 0);
        while (type == RTM_GETROUTE && d->set->n_routes)
            rt_set_drop_route(d->set, 0);
        rc = dump_once(d->r, h, cb, d);
    }
    return rc;
}

/* The label says nothing if it is the name. */
static void tidy_labels(struct rt_set *s, int ifindex)
{
    char name[IF_NAMESIZE];

    if (!if_indextoname((unsigned)ifindex, name))
        return;
    for (unsigned i = 0; i < s->n_addrs; i++)
        if (strcmp(s->addr[i].label, name) == 0)
            memset(s->addr[i].label, 0, sizeof(s->addr[i].label));
}

int rtnl_read(struct rtnl *r, int ifindex, unsigned more, struct rt_set *s,
              struct err *e)
{
    struct dump d = {.r = r, .ifindex = ifindex, .more = more, .set = s};
    int rc;

    memset(s, 0, sizeof(*s));
    rc = dump(&d, RTM_GETADDR, sizeof(struct ifaddrmsg), take_addr);
    if (!rc)
        rc = dump(&d, RTM_GETROUTE, sizeof(struct rtmsg), take_route);
    if (rc) {
        rt_set_clear(s);
        return err_sys(e, rc, "reading addresses and routes");
    }
    tidy_labels(s, ifindex);
    return 0;
}

/* ---- changing ---- */

static size_t octets(uint8_t family)
{
    return family == AF_INET ? 4 : 16;
}

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
    char words[160], text[RT_TEXT_MAX];
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
    rc = talk(r, h, words, sizeof(words));
    if (!rc)
        return 0;
    refused(e, rc, words, rt_addr_text(a, text));
    return err_wrap(e, rc, "address");
}

int rtnl_del_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *h = addr_message(buf, RTM_DELADDR, ifindex, a);
    char words[160], text[RT_TEXT_MAX];
    int rc = talk(r, h, words, sizeof(words));

    if (!rc || rc == -EADDRNOTAVAIL || rc == -ENODEV)
        return 0;
    refused(e, rc, words, rt_addr_text(a, text));
    return err_wrap(e, rc, "removing address");
}

static void put_hops(struct nlmsghdr *h, const struct nlattr *a, int ifindex)
{
    struct nlattr *copy_of = mnl_nlmsg_get_payload_tail(h);
    char *p;
    size_t left = mnl_attr_get_payload_len(a);

    mnl_attr_put(h, RTA_MULTIPATH, left, mnl_attr_get_payload(a));
    p = mnl_attr_get_payload(copy_of);
    while (left >= sizeof(struct rtnexthop)) {
        struct rtnexthop *nh = (void *)p;

        if (nh->rtnh_len < sizeof(*nh) || nh->rtnh_len > left)
            return;
        if (nh->rtnh_ifindex == 0)
            nh->rtnh_ifindex = ifindex;
        if ((size_t)RTNH_ALIGN(nh->rtnh_len) >= left)
            return;
        left -= RTNH_ALIGN(nh->rtnh_len);
        p += RTNH_ALIGN(nh->rtnh_len);
    }
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
                      int ifindex, const struct rt_route *t, char words[160])
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
    rc = talk(r, h, words, 160);
    free(buf);
    return rc;
}

int rtnl_add_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                   struct err *e)
{
    char words[160], text[RT_TEXT_MAX];
    /* Others' routes to the same place stay: IPv6 takes ours beside them,
     * IPv4 refuses it. */
    uint16_t flags = NLM_F_CREATE |
                     (t->m.rtm_family == AF_INET6 ? NLM_F_APPEND : NLM_F_EXCL);
    int rc = route_talk(r, RTM_NEWROUTE, flags, ifindex, t, words);

    if (!rc)
        return 0;
    if (rc == -EEXIST)
        return err_set(e, rc, "route %s: there is another to the same place",
                       rt_route_text(t, text));
    refused(e, rc, words, rt_route_text(t, text));
    return err_wrap(e, rc, "route");
}

int rtnl_add_route_before(struct rtnl *r, int ifindex, const struct rt_route *t,
                          struct err *e)
{
    char words[160], text[RT_TEXT_MAX];
    int rc = route_talk(r, RTM_NEWROUTE, NLM_F_CREATE, ifindex, t, words);

    if (!rc)
        return 0;
    refused(e, rc, words, rt_route_text(t, text));
    return err_wrap(e, rc, "route");
}

int rtnl_replace_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                       struct err *e)
{
    char words[160], text[RT_TEXT_MAX];
    int rc = route_talk(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, ifindex,
                        t, words);

    if (!rc)
        return 0;
    refused(e, rc, words, rt_route_text(t, text));
    return err_wrap(e, rc, "route");
}

int rtnl_del_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                   struct err *e)
{
    char words[160], text[RT_TEXT_MAX];
    int rc = route_talk(r, RTM_DELROUTE, 0, ifindex, t, words);

    if (!rc || rc == -ESRCH || rc == -ENODEV)
        return 0;
    refused(e, rc, words, rt_route_text(t, text));
    return err_wrap(e, rc, "removing route");
}

int rtnl_set_up(struct rtnl *r, int ifindex, bool up, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    char words[160];
    int rc;

    h->nlmsg_type = RTM_NEWLINK;
    m->ifi_index = ifindex;
    m->ifi_change = IFF_UP;
    m->ifi_flags = up ? IFF_UP : 0;
    rc = talk(r, h, words, sizeof(words));
    return rc ? refused(e, rc, words, up ? "bringing it up" : "taking it down")
              : 0;
}
