/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See netdev.h.
 */
#include "ports/netdev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Links of NICs with many virtual functions are long. */
#define REPLY_MAX 32768
/* The settings of a request are a few attributes. */
#define REQUEST_MAX 512

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

/* ---- reading a link message ---- */

static int keep_attr(const struct nlattr *a, void *data)
{
    const struct nlattr **tb = data;

    if (mnl_attr_get_type(a) <= IFLA_MAX)
        tb[mnl_attr_get_type(a)] = a;
    return MNL_CB_OK;
}

static void copy_string(const struct nlattr *a, char *out, size_t n)
{
    size_t len = a ? mnl_attr_get_payload_len(a) : 0;

    if (len >= n)
        len = n - 1;
    if (len)
        memcpy(out, mnl_attr_get_payload(a), len);
    out[len] = 0;
}

static uint32_t get_u32(const struct nlattr *a)
{
    if (!a || mnl_attr_validate(a, MNL_TYPE_U32) < 0)
        return 0;
    return mnl_attr_get_u32(a);
}

static void read_kind(const struct nlattr *info, struct netdev *d)
{
    const struct nlattr *a;

    if (!info)
        return;
    mnl_attr_for_each_nested(a,
                             info) if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
        copy_string(a, d->kind, sizeof(d->kind));
}

static void read_addr_gen(const struct nlattr *af_spec, struct netdev *d)
{
    const struct nlattr *af, *a;

    if (!af_spec)
        return;
    mnl_attr_for_each_nested(af, af_spec)
    {
        if (mnl_attr_get_type(af) != AF_INET6)
            continue;
        mnl_attr_for_each_nested(a, af) if (mnl_attr_get_type(a) ==
                                            IFLA_INET6_ADDR_GEN_MODE)
            d->addr_gen = mnl_attr_get_u8(a);
    }
}

bool netdev_parse(const struct nlmsghdr *nlh, struct netdev *d)
{
    const struct nlattr *tb[IFLA_MAX + 1] = {0};
    const struct ifinfomsg *ifi;

    if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
        return false;
    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
        return false;
    ifi = mnl_nlmsg_get_payload(nlh);
    /* A kernel bridge tells of its ports under its own family, and of a port
     * that leaves it as of a deleted link. */
    if (ifi->ifi_family != AF_UNSPEC)
        return false;
    if (mnl_attr_parse(nlh, sizeof(*ifi), keep_attr, tb) < 0)
        return false;

    memset(d, 0, sizeof(*d));
    d->ifindex = ifi->ifi_index;
    d->flags = ifi->ifi_flags;
    d->type = ifi->ifi_type;
    d->addr_gen = -1;
    d->mtu = get_u32(tb[IFLA_MTU]);
    d->txqlen = get_u32(tb[IFLA_TXQLEN]);
    d->master = (int)get_u32(tb[IFLA_MASTER]);
    d->moved_ns =
        nlh->nlmsg_type == RTM_DELLINK && tb[IFLA_NEW_NETNSID] != NULL;
    copy_string(tb[IFLA_IFNAME], d->name, sizeof(d->name));
    if (tb[IFLA_ADDRESS] &&
        mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == sizeof(d->mac))
        memcpy(&d->mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]), sizeof(d->mac));
    read_kind(tb[IFLA_LINKINFO], d);
    read_addr_gen(tb[IFLA_AF_SPEC], d);
    return true;
}

/* ---- one request, one answer ---- */

/* Sends 'req' and hands the answers to 'cb'.  0 or -errno. */
static int talk(struct nlmsghdr *req, mnl_cb_t cb, void *data)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    char *buf = malloc(REPLY_MAX);
    int rc = 0;

    if (!nl || !buf || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
        rc = -errno;
    req->nlmsg_seq = 1;
    if (!rc && mnl_socket_sendto(nl, req, req->nlmsg_len) < 0)
        rc = -errno;
    while (!rc) {
        ssize_t n = mnl_socket_recvfrom(nl, buf, REPLY_MAX);
        int run;

        if (n < 0) {
            rc = -errno;
            break;
        }
        run =
            mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), cb, data);
        if (run < 0)
            rc = -errno;
        if (run <= MNL_CB_STOP)
            break;
    }
    free(buf);
    if (nl)
        mnl_socket_close(nl);
    return rc;
}

struct nlmsghdr *netdev_request(void *buf, uint16_t type, int ifindex)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi;

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = ifindex;
    return nlh;
}

static int take_link(const struct nlmsghdr *nlh, void *data)
{
    netdev_parse(nlh, data);
    return MNL_CB_OK;
}

int netdev_get(const char *name, int ifindex, struct netdev *d, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_GETLINK, ifindex);
    int rc;

    if (name && (!*name || strlen(name) >= IFNAMSIZ))
        return err_set(e, ENODEV, "no interface can have the name \"%s\"",
                       name);
    if (name)
        mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    memset(d, 0, sizeof(*d));
    rc = talk(nlh, take_link, d);
    if (rc == -ENODEV || (rc == 0 && d->ifindex == 0))
        return name ? err_set(e, ENODEV, "no interface %s here (see: ip link)",
                              name)
                    : err_set(e, ENODEV, "interface %d is gone", ifindex);
    if (rc)
        return err_sys(e, rc, "asking for interface %s", name ? name : "");
    return 0;
}

/* This request is answered under RCU. */
bool netdev_exists(int ifindex)
{
    char name[IFNAMSIZ];

    return if_indextoname((unsigned)ifindex, name) || errno != ENXIO;
}

int netdev_check_port(const struct netdev *d, bool adopted, struct err *e)
{
    if (d->flags & IFF_LOOPBACK)
        return err_set(e, EINVAL,
                       "%s is the loopback interface: it cannot be a port",
                       d->name);
    if (d->type != ARPHRD_ETHER)
        return err_set(e, EINVAL, "%s is not an Ethernet interface", d->name);
    if (strcmp(d->kind, "bridge") == 0)
        return err_set(e, ELOOP,
                       "%s is a bridge itself: it cannot be a port of one",
                       d->name);
    if (d->master && !adopted)
        return err_set(e, EBUSY,
                       "%s belongs to a bridge or bond of the kernel: release "
                       "it first (ip link set dev %s nomaster)",
                       d->name, d->name);
    return 0;
}

struct each {
    void (*fn)(void *arg, const struct netdev *d);
    void *arg;
};

static int each_link(const struct nlmsghdr *nlh, void *data)
{
    struct each *each = data;
    struct netdev d;

    if (netdev_parse(nlh, &d))
        each->fn(each->arg, &d);
    return MNL_CB_OK;
}

int netdev_each(void (*fn)(void *arg, const struct netdev *d), void *arg,
                struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_GETLINK, 0);
    struct each each = {fn, arg};
    int rc;

    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    rc = talk(nlh, each_link, &each);
    return rc ? err_sys(e, rc, "listing interfaces") : 0;
}

/* ---- changing ---- */

static int apply(struct nlmsghdr *nlh, struct err *e, const char *what)
{
    int rc = talk(nlh, NULL, NULL);

    return rc ? err_sys(e, rc, "setting the %s", what) : 0;
}

int netdev_set_mtu(int ifindex, uint32_t mtu, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_SETLINK, ifindex);

    mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
    return apply(nlh, e, "MTU");
}

int netdev_set_mac(int ifindex, const struct mac *mac, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_SETLINK, ifindex);

    mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(*mac), mac);
    return apply(nlh, e, "MAC address");
}

int netdev_set_up(int ifindex, bool up, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_NEWLINK, ifindex);
    struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

    ifi->ifi_flags = up ? IFF_UP : 0;
    ifi->ifi_change = IFF_UP;
    return apply(nlh, e, up ? "link up" : "link down");
}

int netdev_set_txqlen(int ifindex, uint32_t len, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_SETLINK, ifindex);

    mnl_attr_put_u32(nlh, IFLA_TXQLEN, len);
    return apply(nlh, e, "length of the transmit queue");
}

int netdev_set_addr_gen(int ifindex, int mode, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_SETLINK, ifindex);
    struct nlattr *spec, *inet6;

    spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    inet6 = mnl_attr_nest_start(nlh, AF_INET6);
    mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, (uint8_t)mode);
    mnl_attr_nest_end(nlh, inet6);
    mnl_attr_nest_end(nlh, spec);
    return apply(nlh, e, "generation of IPv6 addresses");
}

int netdev_move(int ifindex, int netns_fd, const char *name, struct err *e)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_NEWLINK, ifindex);
    int rc;

    mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    rc = talk(nlh, NULL, NULL);
    if (rc == -EEXIST)
        return err_set(e, EEXIST, "interface %s exists there already", name);
    return rc ? err_sys(e, rc, "moving %s to its namespace", name) : 0;
}

/* ---- numbers of namespaces ---- */

static int take_nsid(const struct nlmsghdr *nlh, void *data)
{
    const struct nlattr *a;

    if (nlh->nlmsg_type != RTM_NEWNSID)
        return MNL_CB_OK;
    mnl_attr_for_each(a, nlh, sizeof(struct rtgenmsg))
    {
        if (mnl_attr_get_type(a) == NETNSA_NSID &&
            mnl_attr_get_payload_len(a) >= sizeof(int))
            *(int *)data = (int)mnl_attr_get_u32(a);
    }
    return MNL_CB_OK;
}

static int nsid_request(uint16_t type, int netns_fd, int *nsid)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct rtgenmsg *g;

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
    g->rtgen_family = AF_UNSPEC;
    mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)netns_fd);
    if (type == RTM_NEWNSID) /* whichever is free */
        mnl_attr_put_u32(nlh, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
    return talk(nlh, take_nsid, nsid);
}

int netdev_nsid(int netns_fd, int *nsid, struct err *e)
{
    int rc;

    *nsid = NETNSA_NSID_NOT_ASSIGNED;
    rc = nsid_request(RTM_GETNSID, netns_fd, nsid);
    if (rc || *nsid >= 0)
        return rc ? err_sys(e, rc, "network namespace's number") : 0;
    rc = nsid_request(RTM_NEWNSID, netns_fd, nsid);
    if (!rc || rc == -EEXIST) /* another gave it one meanwhile */
        rc = nsid_request(RTM_GETNSID, netns_fd, nsid);
    if (!rc && *nsid < 0)
        rc = -ENOENT;
    return rc ? err_sys(e, rc, "network namespace's number") : 0;
}

/* ---- tc ---- */

static struct nlmsghdr *tc_request(void *buf, uint16_t type, uint16_t flags,
                                   int ifindex, uint32_t hook)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct tcmsg *tc;

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
    tc->tcm_family = AF_UNSPEC;
    tc->tcm_ifindex = ifindex;
    tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook);
    return nlh;
}

static int clsact(uint16_t type, uint16_t flags, int ifindex)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = tc_request(buf, type, NLM_F_ACK | flags, ifindex, 0);
    struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

    tc->tcm_parent = TC_H_CLSACT;
    tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
    return talk(nlh, NULL, NULL);
}

int netdev_clsact_add(int ifindex)
{
    return clsact(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
}

int netdev_clsact_del(int ifindex)
{
    return clsact(RTM_DELQDISC, 0, ifindex);
}

static uint32_t hook_of(bool egress)
{
    return egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS;
}

static struct nlmsghdr *filter_request(void *buf, uint16_t type, uint16_t flags,
                                       int ifindex, bool egress,
                                       uint32_t handle, uint16_t priority)
{
    struct nlmsghdr *nlh =
        tc_request(buf, type, NLM_F_ACK | flags, ifindex, hook_of(egress));
    struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

    tc->tcm_handle = handle;
    tc->tcm_info = TC_H_MAKE((uint32_t)priority << 16, htons(ETH_P_ALL));
    mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
    return nlh;
}

int netdev_filter_add(int ifindex, bool egress, uint32_t handle,
                      uint16_t priority, const struct sock_filter *prog,
                      uint16_t n)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = filter_request(buf, RTM_NEWTFILTER, NLM_F_CREATE,
                                          ifindex, egress, handle, priority);
    struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

    mnl_attr_put_u16(nlh, TCA_BPF_OPS_LEN, n);
    mnl_attr_put(nlh, TCA_BPF_OPS, n * sizeof(*prog), prog);
    /* What it returns is the verdict, not a class. */
    mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_put_u32(nlh, TCA_BPF_FLAGS_GEN, TCA_CLS_FLAGS_SKIP_HW);
    mnl_attr_nest_end(nlh, options);
    return talk(nlh, NULL, NULL);
}

int netdev_filter_del(int ifindex, bool egress, uint32_t handle,
                      uint16_t priority)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];

    return talk(filter_request(buf, RTM_DELTFILTER, 0, ifindex, egress, handle,
                               priority),
                NULL, NULL);
}

struct filters {
    int n, ours;
    uint32_t handle;
};

static int count_filter(const struct nlmsghdr *nlh, void *data)
{
    struct filters *f = data;
    const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

    /* Each priority is listed as well, without a handle. */
    if (nlh->nlmsg_type != RTM_NEWTFILTER ||
        mnl_nlmsg_get_payload_len(nlh) < sizeof(*tc) || !tc->tcm_handle)
        return MNL_CB_OK;
    f->n++;
    f->ours += tc->tcm_handle == f->handle;
    return MNL_CB_OK;
}

int netdev_clsact_filters(int ifindex, uint32_t handle, int *ours)
{
    struct filters f = {.handle = handle};

    for (int egress = 0; egress < 2; egress++) {
        alignas(struct nlmsghdr) char buf[REQUEST_MAX];
        int rc = talk(tc_request(buf, RTM_GETTFILTER, NLM_F_DUMP, ifindex,
                                 hook_of(egress)),
                      count_filter, &f);

        if (rc)
            return rc;
    }
    if (ours)
        *ours = f.ours;
    return f.n;
}

int netdev_talk(struct nlmsghdr *req,
                int (*cb)(const struct nlmsghdr *nlh, void *data), void *data)
{
    return talk(req, cb, data);
}

/* ---- ethtool ---- */

static int ethtool(const char *name, void *cmd)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -errno;
    memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    ifr.ifr_data = cmd;
    rc = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

int netdev_offload_get(const char *name, enum netdev_offload w)
{
    struct ethtool_value v = {.cmd = w == NETDEV_LRO ? ETHTOOL_GFLAGS
                                                     : ETHTOOL_GGRO};
    int rc = ethtool(name, &v);

    if (rc)
        return rc;
    return w == NETDEV_LRO ? (v.data & ETH_FLAG_LRO) != 0 : v.data != 0;
}

int netdev_offload_set(const char *name, enum netdev_offload w, bool on)
{
    struct ethtool_value v = {.cmd = ETHTOOL_GFLAGS};
    int rc;

    if (w == NETDEV_GRO) {
        v.cmd = ETHTOOL_SGRO;
        v.data = on;
        return ethtool(name, &v);
    }
    /* The flags word holds others' bits as well. */
    rc = ethtool(name, &v);
    if (rc)
        return rc;
    v.cmd = ETHTOOL_SFLAGS;
    v.data = on ? v.data | ETH_FLAG_LRO : v.data & ~(uint32_t)ETH_FLAG_LRO;
    return ethtool(name, &v);
}

int netdev_wol_get(const char *name)
{
    struct ethtool_wolinfo w = {.cmd = ETHTOOL_GWOL};
    int rc = ethtool(name, &w);

    if (rc)
        return rc;
    return w.supported & WAKE_MAGIC ? (w.wolopts & WAKE_MAGIC) != 0
                                    : -EOPNOTSUPP;
}

int netdev_wol_set(const char *name, bool on)
{
    struct ethtool_wolinfo w = {.cmd = ETHTOOL_GWOL};
    int rc = ethtool(name, &w);

    if (rc)
        return rc;
    w.cmd = ETHTOOL_SWOL;
    w.wolopts = on ? w.wolopts | WAKE_MAGIC : w.wolopts & ~(uint32_t)WAKE_MAGIC;
    return ethtool(name, &w);
}

bool netdev_permanent_mac(const char *name, struct mac *mac)
{
    struct {
        struct ethtool_perm_addr a;
        uint8_t octet[32];
    } req = {.a = {.cmd = ETHTOOL_GPERMADDR, .size = sizeof(req.octet)}};

    if (ethtool(name, &req) || req.a.size != sizeof(*mac))
        return false;
    memcpy(mac, req.octet, sizeof(*mac));
    return !mac_is_zero(mac);
}

static bool link_settings(const char *name, struct ethtool_link_settings *s)
{
    struct {
        struct ethtool_link_settings s;
        uint32_t masks[3 * 127]; /* nwords is an int8_t */
    } req = {.s = {.cmd = ETHTOOL_GLINKSETTINGS}};

    /* The first call tells how long the link mode masks are. */
    if (ethtool(name, &req) || req.s.link_mode_masks_nwords >= 0)
        return false;
    req.s.cmd = ETHTOOL_GLINKSETTINGS;
    req.s.link_mode_masks_nwords = (int8_t)-req.s.link_mode_masks_nwords;
    if (ethtool(name, &req))
        return false;
    *s = req.s;
    return true;
}

uint32_t netdev_speed(const char *name)
{
    struct ethtool_link_settings s;

    if (!link_settings(name, &s) || s.speed == (uint32_t)SPEED_UNKNOWN)
        return 0;
    return s.speed;
}

bool netdev_half_duplex(const char *name)
{
    struct ethtool_link_settings s;

    return link_settings(name, &s) && s.duplex == DUPLEX_HALF;
}

void netdev_driver(const char *name, char out[32])
{
    struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};

    out[0] = 0;
    if (ethtool(name, &d) == 0)
        memcpy(out, d.driver, 32);
    out[31] = 0;
}
