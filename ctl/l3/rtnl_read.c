/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rtnl.h: what the kernel has, and what of it belongs to an interface.
 */
#include "ctl/l3/rtnl_impl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

#define DUMP_TRIES 8

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

static int take_addr(const struct nlmsghdr *h, void *data)
{
    struct dump *d = data;
    struct rt_addr a;

    if (h->nlmsg_type == RTM_NEWADDR && !d->rc &&
        rtnl_parse_addr(h, d->ifindex, &a))
        d->rc = rt_set_addr(d->set, &a);
    return MNL_CB_OK;
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

/* Would it go with an address of the set? */
static bool from_ours(const struct rt_set *s, const struct rt_route *r)
{
    for (unsigned i = 0; r->has_src && i < s->n_addrs; i++)
        if (s->addr[i].family == r->m.rtm_family &&
            memcmp(s->addr[i].local, r->src, 16) == 0)
            return true;
    return false;
}

/* Has it several gateways, and so no interface of its own? */
static bool has_hops(const struct nlmsghdr *h)
{
    const struct nlattr *a;

    mnl_attr_for_each(a, h, sizeof(struct rtmsg))
    {
        if (mnl_attr_get_type(a) == RTA_MULTIPATH)
            return true;
    }
    return false;
}

static int take_route(const struct nlmsghdr *h, void *data)
{
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    struct dump *d = data;
    struct rt_route r;
    bool with, through;

    if (h->nlmsg_type != RTM_NEWROUTE || d->rc ||
        mnl_nlmsg_get_payload_len(h) < sizeof(*m) || !route_wanted(m, d->more))
        return MNL_CB_OK;
    rtnl_parse_route(h, d->r->hz, &r);
    with = from_ours(d->set, &r) ||
           ((d->more & RTNL_NOWHERE) && rtnl_leads_nowhere(&r));
    if (!has_hops(h) && r.oif != d->ifindex && !with)
        return MNL_CB_OK;
    d->rc = rtnl_keep_attrs(h, &r);
    through = r.oif == d->ifindex || rtnl_hops_through(&r, d->ifindex);
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
