/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtnetlink, for what the kernel knows of the ports' devices.  Each call has
 * a socket of its own, in the namespace the client runs in.
 */
#include "ctl/client/iproute2.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_SIZE 512

/* ---- one request ---- */

/* All answers until the end of them: 0 or -errno. */
static int receive(struct mnl_socket *nl, uint32_t seq, mnl_cb_t cb, void *arg)
{
    char buf[16 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));
    unsigned port = mnl_socket_get_portid(nl);
    int rc = MNL_CB_OK;

    while (rc > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        rc = mnl_cb_run(buf, (size_t)n, seq, port, cb, arg);
    }
    return rc < 0 ? -errno : 0;
}

static int ask(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    int rc;

    if (!nl)
        return -errno;
    nlh->nlmsg_seq = 1;
    if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
        rc = -errno;
    else
        rc = receive(nl, 1, cb, arg);
    mnl_socket_close(nl);
    return rc;
}

/* ---- links ---- */

struct link_answer {
    struct kernel_link *link;
    uint32_t peer;
    bool has_peer, elsewhere;
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    struct link_answer *a = arg;
    const struct nlattr *attr;

    a->link->ifindex = ifi->ifi_index;
    a->link->flags = ifi->ifi_flags;
    mnl_attr_for_each(attr, nlh, sizeof(*ifi))
    {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_IFNAME:
            snprintf(a->link->name, sizeof(a->link->name), "%s",
                     mnl_attr_get_str(attr));
            break;
        case IFLA_MTU:
            a->link->mtu = mnl_attr_get_u32(attr);
            break;
        case IFLA_LINK:
            a->peer = mnl_attr_get_u32(attr);
            a->has_peer = true;
            break;
        case IFLA_LINK_NETNSID:
            a->elsewhere = true;
            break;
        default:
            break;
        }
    }
    return MNL_CB_OK;
}

static int get_link(int ifindex, struct link_answer *a)
{
    char buf[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi;

    nlh->nlmsg_type = RTM_GETLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = ifindex;
    return ask(nlh, on_link, a);
}

/* The other end: by name if it is here, else by its number there. */
static void name_peer(struct kernel_link *l, uint32_t peer, bool elsewhere)
{
    struct kernel_link other = {0};
    struct link_answer a = {.link = &other};

    if (peer == 0) {
        snprintf(l->peer, sizeof(l->peer), "NONE");
    } else if (!elsewhere && get_link((int)peer, &a) == 0 && other.name[0]) {
        memcpy(l->peer, other.name, sizeof(l->peer));
        l->peer_down = !(other.flags & IFF_UP);
    } else {
        snprintf(l->peer, sizeof(l->peer), "if%u", peer);
    }
}

bool kernel_link(int ifindex, struct kernel_link *l)
{
    struct link_answer a = {.link = l};

    memset(l, 0, sizeof(*l));
    if (ifindex <= 0 || get_link(ifindex, &a) < 0 || l->ifindex == 0)
        return false;
    if (a.has_peer && a.peer != (uint32_t)l->ifindex)
        name_peer(l, a.peer, a.elsewhere);
    return true;
}

/* ---- lists of addresses ---- */

struct entry_answer {
    void (*each)(void *arg, const struct kernel_entry *e);
    void (*changed)(void *arg, const struct kernel_entry *e, bool deleted);
    void *arg;
};

static void read_address(const struct nlattr *attr, char *out, size_t n)
{
    size_t len = mnl_attr_get_payload_len(attr);

    if (len == 4 || len == 16)
        inet_ntop(len == 4 ? AF_INET : AF_INET6, mnl_attr_get_payload(attr),
                  out, (socklen_t)n);
}

/* False: it belongs to a bridge of the kernel's, or has no address. */
static bool read_entry(const struct nlmsghdr *nlh, struct kernel_entry *e)
{
    const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attr;
    bool whole = false, foreign = false;

    *e = (struct kernel_entry){.ifindex = ndm->ndm_ifindex,
                               .state = ndm->ndm_state,
                               .flags = ndm->ndm_flags};
    mnl_attr_for_each(attr, nlh, sizeof(*ndm))
    {
        switch (mnl_attr_get_type(attr)) {
        case NDA_LLADDR:
            whole = mnl_attr_get_payload_len(attr) == sizeof(e->mac);
            if (whole)
                memcpy(&e->mac, mnl_attr_get_payload(attr), sizeof(e->mac));
            break;
        case NDA_MASTER:
            foreign = true;
            break;
        case NDA_VLAN:
            e->vlan = mnl_attr_get_u16(attr);
            break;
        case NDA_DST:
            read_address(attr, e->dst, sizeof(e->dst));
            break;
        default:
            break;
        }
    }
    return ndm->ndm_family == AF_BRIDGE && whole && !foreign;
}

static int on_entry(const struct nlmsghdr *nlh, void *arg)
{
    const struct entry_answer *a = arg;
    struct kernel_entry e;

    if (nlh->nlmsg_type != RTM_NEWNEIGH && nlh->nlmsg_type != RTM_DELNEIGH)
        return MNL_CB_OK;
    if (!read_entry(nlh, &e))
        return MNL_CB_OK;
    if (a->each)
        a->each(a->arg, &e);
    else
        a->changed(a->arg, &e, nlh->nlmsg_type == RTM_DELNEIGH);
    return MNL_CB_OK;
}

static struct ndmsg *put_neigh(struct nlmsghdr *nlh, uint16_t type,
                               uint16_t flags)
{
    struct ndmsg *ndm;

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
    ndm->ndm_family = AF_BRIDGE;
    return ndm;
}

int kernel_entries(void (*each)(void *arg, const struct kernel_entry *e),
                   void *arg)
{
    char buf[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct entry_answer a = {.each = each, .arg = arg};

    put_neigh(nlh, RTM_GETNEIGH, NLM_F_DUMP);
    return ask(nlh, on_entry, &a);
}

int kernel_entry_set(bool add, unsigned nlflags, const struct kernel_entry *e)
{
    char buf[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ndmsg *ndm = put_neigh(nlh, add ? RTM_NEWNEIGH : RTM_DELNEIGH,
                                  (uint16_t)(NLM_F_ACK | nlflags));

    ndm->ndm_ifindex = e->ifindex;
    ndm->ndm_state = e->state;
    ndm->ndm_flags = e->flags;
    mnl_attr_put(nlh, NDA_LLADDR, sizeof(e->mac), &e->mac);
    if (e->vlan)
        mnl_attr_put_u16(nlh, NDA_VLAN, e->vlan);
    return ask(nlh, NULL, NULL);
}

/* ---- changes ---- */

int kernel_watch(void)
{
    struct sockaddr_nl addr = {.nl_family = AF_NETLINK,
                               .nl_groups = RTMGRP_NEIGH};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    return -errno;
}

int kernel_watch_read(int fd,
                      void (*each)(void *arg, const struct kernel_entry *e,
                                   bool deleted),
                      void *arg)
{
    char buf[16 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct entry_answer a = {.changed = each, .arg = arg};

    for (;;) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        mnl_cb_run(buf, (size_t)n, 0, 0, on_entry, &a);
    }
}
