/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See kbridge.h.
 */
#include "ports/kbridge_tree.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_MAX 256

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif
#ifndef NTF_STICKY
#define NTF_STICKY (1 << 6)
#endif

/* ---- reading attributes ---- */

struct table {
    const struct nlattr **tb;
    unsigned max;
};

static int keep(const struct nlattr *a, void *data)
{
    struct table *t = data;

    if (mnl_attr_get_type(a) <= t->max)
        t->tb[mnl_attr_get_type(a)] = a;
    return MNL_CB_OK;
}

static void nested(const struct nlattr *a, const struct nlattr **tb,
                   unsigned max)
{
    struct table t = {tb, max};

    if (a)
        (void)mnl_attr_parse_nested(a, keep, &t);
}

/* Whatever its width. */
static uint32_t number(const struct nlattr *a)
{
    switch (a ? mnl_attr_get_payload_len(a) : 0) {
    case 1:
        return mnl_attr_get_u8(a);
    case 2:
        return mnl_attr_get_u16(a);
    case 4:
        return mnl_attr_get_u32(a);
    case 8:
        return (uint32_t)mnl_attr_get_u64(a);
    default:
        return 0;
    }
}

static bool is_text(const struct nlattr *a, const char *text)
{
    return a && mnl_attr_get_payload_len(a) == strlen(text) + 1 &&
           memcmp(mnl_attr_get_payload(a), text, strlen(text) + 1) == 0;
}

static void take_mac(const struct nlattr *a, struct mac *mac)
{
    if (a && mnl_attr_get_payload_len(a) == sizeof(*mac))
        memcpy(mac, mnl_attr_get_payload(a), sizeof(*mac));
}

/* ---- a bridge and its ports ---- */

struct reader {
    struct kbridge *k;
    int rc;
};

static void take_bridge(struct kbridge *k, const struct netdev *d,
                        const struct nlattr *data)
{
    const struct nlattr *br[IFLA_BR_MAX + 1] = {0};

    nested(data, br, IFLA_BR_MAX);
    k->ifindex = d->ifindex;
    memcpy(k->name, d->name, sizeof(k->name));
    k->mac = d->mac;
    k->mtu = d->mtu;
    k->up = d->flags & IFF_UP;
    k->ageing = number(br[IFLA_BR_AGEING_TIME]);
    k->priority = number(br[IFLA_BR_PRIORITY]);
    k->tree_forward_delay = number(br[IFLA_BR_FORWARD_DELAY]);
    k->tree_hello = number(br[IFLA_BR_HELLO_TIME]);
    k->tree_max_age = number(br[IFLA_BR_MAX_AGE]);
    k->change = number(br[IFLA_BR_TOPOLOGY_CHANGE]);
    k->root_port = (uint16_t)number(br[IFLA_BR_ROOT_PORT]);
    k->fwd_mask = number(br[IFLA_BR_GROUP_FWD_MASK]);
    k->stp = number(br[IFLA_BR_STP_STATE]);
    k->vlan_filtering = number(br[IFLA_BR_VLAN_FILTERING]);
}

static struct kbridge_port *another(struct kbridge *k)
{
    struct kbridge_port *p =
        realloc(k->port, (k->n_ports + 1) * sizeof(*k->port));

    if (!p)
        return NULL;
    k->port = p;
    p += k->n_ports++;
    memset(p, 0, sizeof(*p));
    return p;
}

/* struct ifla_bridge_id */
static uint64_t bridge_id(const struct nlattr *a)
{
    const uint8_t *b = a ? mnl_attr_get_payload(a) : NULL;
    uint64_t id = 0;

    for (unsigned i = 0; b && i < 8 && i < mnl_attr_get_payload_len(a); i++)
        id = id << 8 | b[i];
    return id;
}

static void take_neighbour(struct kbridge_port *p, const struct nlattr **bp)
{
    p->void_in = number(bp[IFLA_BRPORT_MESSAGE_AGE_TIMER]);
    p->root = bridge_id(bp[IFLA_BRPORT_ROOT_ID]);
    p->bridge = bridge_id(bp[IFLA_BRPORT_BRIDGE_ID]);
    p->root_cost = number(bp[IFLA_BRPORT_DESIGNATED_COST]);
    p->port = (uint16_t)number(bp[IFLA_BRPORT_DESIGNATED_PORT]);
}

static void take_port(struct kbridge_port *p, const struct netdev *d,
                      const struct nlattr *data)
{
    const struct nlattr *bp[IFLA_BRPORT_MAX + 1] = {0};

    nested(data, bp, IFLA_BRPORT_MAX);
    p->ifindex = d->ifindex;
    memcpy(p->name, d->name, sizeof(p->name));
    p->mac = d->mac;
    p->up = d->flags & IFF_UP;
    p->carrier = d->flags & IFF_RUNNING;
    p->state = (enum kbridge_state)number(bp[IFLA_BRPORT_STATE]);
    p->cost = number(bp[IFLA_BRPORT_COST]);
    p->priority = number(bp[IFLA_BRPORT_PRIORITY]);
    p->hairpin = number(bp[IFLA_BRPORT_MODE]);
    p->isolated = number(bp[IFLA_BRPORT_ISOLATED]);
    p->learning = number(bp[IFLA_BRPORT_LEARNING]);
    p->flood = number(bp[IFLA_BRPORT_UNICAST_FLOOD]);
    p->mcast_flood = number(bp[IFLA_BRPORT_MCAST_FLOOD]);
    p->bcast_flood = number(bp[IFLA_BRPORT_BCAST_FLOOD]);
    p->no = (uint16_t)number(bp[IFLA_BRPORT_NO]);
    take_neighbour(p, bp);
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
    const struct nlattr *tb[IFLA_MAX + 1] = {0}, *li[IFLA_INFO_MAX + 1] = {0};
    struct table t = {tb, IFLA_MAX};
    struct reader *r = data;
    struct kbridge_port *p;
    struct netdev d;

    if (!netdev_parse(nlh, &d) ||
        mnl_attr_parse(nlh, sizeof(struct ifinfomsg), keep, &t) < 0)
        return MNL_CB_OK;
    nested(tb[IFLA_LINKINFO], li, IFLA_INFO_MAX);
    if (d.ifindex == r->k->ifindex)
        take_bridge(r->k, &d, li[IFLA_INFO_DATA]);
    if (d.master != r->k->ifindex ||
        !is_text(li[IFLA_INFO_SLAVE_KIND], "bridge"))
        return MNL_CB_OK;
    p = another(r->k);
    if (!p) {
        r->rc = -ENOMEM;
        return MNL_CB_OK;
    }
    take_port(p, &d, li[IFLA_INFO_SLAVE_DATA]);
    p->hardware = tb[IFLA_PHYS_SWITCH_ID] != NULL;
    p->group = number(tb[IFLA_GROUP]);
    return MNL_CB_OK;
}

static int read_links(struct kbridge *k)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct reader r = {k, 0};
    struct ifinfomsg *ifi;
    int rc;

    nlh->nlmsg_type = RTM_GETLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    rc = netdev_talk(nlh, on_link, &r);
    return rc ? rc : r.rc;
}

int kbridge_read(const char *name, int ifindex, struct kbridge *k,
                 struct err *e)
{
    struct netdev d;
    int rc;

    memset(k, 0, sizeof(*k));
    rc = netdev_get(name, ifindex, &d, e);
    if (rc)
        return rc;
    if (strcmp(d.kind, "bridge") != 0)
        return err_set(e, EINVAL,
                       "%s is not a bridge of the kernel's, only such a one "
                       "can be adopted",
                       d.name);
    k->ifindex = d.ifindex;
    rc = read_links(k);
    kbridge_own_times(k, d.name);
    return rc ? err_sys(e, rc, "reading bridge %s and its ports", d.name) : 0;
}

void kbridge_free(struct kbridge *k)
{
    free(k->port);
    k->port = NULL;
    k->n_ports = 0;
}

/* ---- its table ---- */

struct fdb_reader {
    int bridge;
    struct kbridge_entry *list;
    unsigned n, max, room;
    bool nomem;
};

static bool fdb_room(struct fdb_reader *r)
{
    unsigned room = r->room ? 2 * r->room : 64;
    struct kbridge_entry *list;

    if (r->n >= r->max)
        return false;
    if (r->n < r->room)
        return true;
    list = realloc(r->list, room * sizeof(*list));
    r->nomem |= !list;
    if (!list)
        return false;
    r->list = list;
    r->room = room;
    return true;
}

static int on_entry(const struct nlmsghdr *nlh, void *data)
{
    const struct nlattr *tb[NDA_MAX + 1] = {0};
    struct table t = {tb, NDA_MAX};
    struct fdb_reader *r = data;
    const struct ndmsg *n = mnl_nlmsg_get_payload(nlh);

    if (nlh->nlmsg_type != RTM_NEWNEIGH ||
        mnl_nlmsg_get_payload_len(nlh) < sizeof(*n) ||
        n->ndm_family != AF_BRIDGE ||
        mnl_attr_parse(nlh, sizeof(*n), keep, &t) < 0)
        return MNL_CB_OK;
    /* A device's own filter is listed too, without a master. */
    if ((int)number(tb[NDA_MASTER]) != r->bridge || !fdb_room(r))
        return MNL_CB_OK;
    r->list[r->n] = (struct kbridge_entry){
        .port = n->ndm_ifindex,
        .vlan = (uint16_t)number(tb[NDA_VLAN]),
        .state = n->ndm_state,
        .flags = n->ndm_flags,
    };
    take_mac(tb[NDA_LLADDR], &r->list[r->n].mac);
    r->n++;
    return MNL_CB_OK;
}

int kbridge_fdb(int bridge, unsigned max, struct kbridge_entry **list,
                unsigned *n, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct fdb_reader r = {.bridge = bridge, .max = max};
    struct ifinfomsg *ifi;
    int rc;

    nlh->nlmsg_type = RTM_GETNEIGH;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_BRIDGE;
    mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)bridge);
    rc = netdev_talk(nlh, on_entry, &r);
    if (!rc && r.nomem)
        rc = -ENOMEM;
    *list = r.list;
    *n = r.n;
    return rc ? err_sys(e, rc, "reading the bridge's table") : 0;
}

bool kbridge_entry_local(const struct kbridge_entry *x)
{
    return x->state & NUD_PERMANENT;
}

/* What a control plane has learned elsewhere stays until that takes it away. */
bool kbridge_entry_static(const struct kbridge_entry *x)
{
    return !kbridge_entry_local(x) &&
           ((x->state & NUD_NOARP) || (x->flags & NTF_EXT_LEARNED));
}

static int change_entry(uint16_t type, uint16_t flags,
                        const struct kbridge_entry *x)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ndmsg *n;

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    n = mnl_nlmsg_put_extra_header(nlh, sizeof(*n));
    n->ndm_family = AF_BRIDGE;
    n->ndm_ifindex = x->port;
    n->ndm_state = x->state;
    n->ndm_flags = NTF_MASTER | (x->flags & (NTF_STICKY | NTF_EXT_LEARNED));
    mnl_attr_put(nlh, NDA_LLADDR, sizeof(x->mac), &x->mac);
    return netdev_talk(nlh, NULL, NULL);
}

/* ---- changing a port ---- */

static int set_port(int port, uint16_t attr, const uint8_t *v)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi;
    struct nlattr *info;

    nlh->nlmsg_type = RTM_SETLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_BRIDGE;
    ifi->ifi_index = port;
    info = mnl_attr_nest_start(nlh, IFLA_PROTINFO);
    if (v)
        mnl_attr_put_u8(nlh, attr, *v);
    else
        mnl_attr_put(nlh, attr, 0, NULL);
    mnl_attr_nest_end(nlh, info);
    return netdev_talk(nlh, NULL, NULL);
}

int kbridge_set_state(int port, enum kbridge_state s)
{
    uint8_t v = (uint8_t)s;

    return set_port(port, IFLA_BRPORT_STATE, &v);
}

int kbridge_set_router(int port)
{
    const uint8_t always = 2; /* MDB_RTR_TYPE_PERM */

    return set_port(port, IFLA_BRPORT_MULTICAST_ROUTER, &always);
}

int kbridge_enslave(int ifindex, int bridge, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi;
    int rc;

    nlh->nlmsg_type = RTM_NEWLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = ifindex;
    mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)bridge);
    rc = netdev_talk(nlh, NULL, NULL);
    return rc ? err_sys(e, rc, "making our tap a port of the kernel's bridge")
              : 0;
}

/* ---- a port that is ours meanwhile ---- */

static int save_entries(const struct kbridge *k, int port,
                        struct kbridge_saved *s, struct err *e)
{
    struct kbridge_entry *list;
    unsigned n;
    int rc = kbridge_fdb(k->ifindex, UINT32_MAX, &list, &n, e);

    for (unsigned i = 0; !rc && i < n; i++) {
        /* without VLANs an entry of one is never looked up */
        if (list[i].port != port || list[i].vlan ||
            !kbridge_entry_static(&list[i]))
            continue;
        if (s->n == KBRIDGE_STATICS_MAX)
            rc = err_set(e, E2BIG,
                         "more than %d static addresses are on one port of %s "
                         "(bridge fdb): as many as can be put back after a "
                         "crash",
                         KBRIDGE_STATICS_MAX, k->name);
        else
            s->entry[s->n++] = list[i];
    }
    free(list);
    return rc;
}

static int plan(const struct netdev *d, const struct kbridge *k,
                struct kbridge_saved *s, struct err *e)
{
    for (unsigned i = 0; i < k->n_ports; i++) {
        const struct kbridge_port *p = &k->port[i];

        if (p->ifindex != d->ifindex)
            continue;
        if (p->hardware)
            return err_set(e, EOPNOTSUPP,
                           "%s belongs to a switch chip, which forwards "
                           "without asking anybody: it cannot be adopted",
                           d->name);
        s->state = p->state;
        s->bridge = k->ifindex;
        return save_entries(k, d->ifindex, s, e);
    }
    return err_set(e, EINVAL, "%s is not a port of %s", d->name, k->name);
}

int kbridge_plan(const struct netdev *d, const char *name,
                 struct kbridge_saved *s, struct err *e)
{
    struct kbridge k;
    int rc = kbridge_read(name, 0, &k, e);

    memset(s, 0, sizeof(*s));
    if (!rc)
        rc = plan(d, &k, s, e);
    if (rc)
        s->bridge = 0;
    kbridge_free(&k);
    return rc;
}

void kbridge_forget(int port, const struct kbridge_saved *s)
{
    (void)set_port(port, IFLA_BRPORT_FLUSH, NULL);
    for (unsigned i = 0; i < s->n; i++)
        (void)change_entry(RTM_DELNEIGH, 0, &s->entry[i]);
}

void kbridge_restore(int port, const struct kbridge_saved *s)
{
    struct netdev d;

    if (!s->bridge || netdev_get(NULL, port, &d, NULL) != 0 ||
        d.master != s->bridge)
        return;
    for (unsigned i = 0; i < s->n; i++)
        (void)change_entry(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
                           &s->entry[i]);
    /* Without link, or with the kernel's spanning tree on, it is the kernel's
     * business, which refuses ours. */
    if (s->state == KBRIDGE_FORWARDING && !s->tree)
        (void)kbridge_set_state(port, s->state);
}
