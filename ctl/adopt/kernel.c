/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked of the kernel about an adopted bridge, and changed there.
 *
 * The socket that tells of changes is one of our own, not a netwatch: that
 * leaves out what a bridge says of its ports under its own family, such as
 * their flags.
 */
#include "ctl/adopt/impl.h"

#include "ports/netns.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Learned addresses beyond these are learned again by flooding. */
#define FDB_MAX 65536

/* What the taps are called that lead to the host. */
#define TAP_PREFIX "basc-"

/* ---- may it be adopted ---- */

static int check(const struct kbridge *k, struct err *e)
{
    if (k->stp == 2)
        return err_set(
            e, EBUSY,
            "%s has a program that does its spanning tree (stp_state 2: "
            "/sbin/bridge-stp), which would go on setting the states of its "
            "ports: switch it off first (ip link set dev %s type bridge "
            "stp_state 0); ours can be switched on afterwards (bascule stp %s "
            "on)",
            k->name, k->name, k->name);
    if (k->vlan_filtering)
        return err_set(
            e, EOPNOTSUPP,
            "%s filters VLANs, which is not taken over: switch it "
            "off first (ip link set dev %s type bridge vlan_filtering "
            "0)",
            k->name, k->name);
    /* whatever the bridge was called then */
    for (unsigned i = 0; i < k->n_ports; i++)
        if (strncmp(k->port[i].name, TAP_PREFIX, strlen(TAP_PREFIX)) == 0)
            return err_set(e, EALREADY,
                           "%s is adopted already: %s is the tap of a "
                           "basculed",
                           k->name, k->port[i].name);
    return 0;
}

static int listen_links(struct err *e)
{
    const int size = 1 << 20;
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);

    if (fd < 0)
        return err_sys(e, errno, "rtnetlink");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return err_sys(e, errno, "rtnetlink");
}

/* After the bridge, as far as there is room. */
static void name_tap(struct look *l)
{
    if (strlen(l->name) + 5 < sizeof(l->device))
        snprintf(l->device, sizeof(l->device), TAP_PREFIX "%.10s", l->name);
    else
        snprintf(l->device, sizeof(l->device), TAP_PREFIX "%d", l->k.ifindex);
}

static int read_bridge(struct look *l, struct err *e)
{
    int rc = kbridge_read(l->name, 0, &l->k, e);

    if (rc)
        return rc;
    name_tap(l);
    l->bridge = l->k.ifindex;
    return check(&l->k, e);
}

int adopt_try(const char *name, int netns_fd, struct err *e)
{
    struct look l = {.netns_fd = netns_fd};
    struct netns_scope scope;
    int rc = netns_enter(&scope, netns_fd, e);

    if (rc)
        return rc;
    snprintf(l.name, sizeof(l.name), "%s", name);
    rc = read_bridge(&l, e);
    netns_leave(&scope);
    look_reset(&l);
    return rc;
}

/* From here on nothing is missed: listening first, then reading. */
static int first_look(struct look *l, struct err *e)
{
    int rc;

    l->nl_fd = listen_links(e);
    if (l->nl_fd < 0)
        return l->nl_fd;
    rc = read_bridge(l, e);
    if (!rc)
        rc = kbridge_fdb(l->bridge, FDB_MAX, &l->fdb, &l->n_fdb, e);
    return rc;
}

/* ---- the tap ---- */

/* As quiet as a cable: no address of its own. */
static int make_ready(const struct look *l, const struct netdev *tap,
                      struct err *e)
{
    int rc = 0;

    if (tap->addr_gen >= 0)
        rc = netdev_set_addr_gen(tap->ifindex, IN6_ADDR_GEN_MODE_NONE, e);
    if (!rc && l->k.up)
        rc = netdev_set_up(tap->ifindex, true, e);
    return rc;
}

static int make_port(const struct look *l, const struct netdev *tap,
                     struct err *e)
{
    int rc = kbridge_enslave(tap->ifindex, l->bridge, e);

    /* Who wants which multicasts, the kernel knows of its own ports only. */
    if (!rc)
        (void)kbridge_set_router(tap->ifindex);
    return rc;
}

/* The tap is to look like the bridge that it stands for. */
static int mend_tap(struct look *l, struct err *e)
{
    struct netdev tap;
    int rc = netdev_get(NULL, l->tap, &tap, e);

    if (!rc && !mac_is_zero(&l->k.mac) && !mac_equal(&tap.mac, &l->k.mac))
        rc = netdev_set_mac(l->tap, &l->k.mac, e);
    if (!rc && (l->what == LOOK_FRONT || tap.master != l->bridge))
        rc = make_ready(l, &tap, e);
    if (!rc && tap.master != l->bridge &&
        (l->what != LOOK_FRONT || !l->hold.tree))
        rc = make_port(l, &tap, e);
    if (!rc && l->k.up != !!(tap.flags & IFF_UP))
        rc = netdev_set_up(l->tap, l->k.up, e);
    return rc;
}

/* ---- states ---- */

static void mend_state(struct look *l, const struct kbridge_port *p,
                       enum kbridge_state want)
{
    int rc = 0;

    if (p->state == want || !p->up || !p->carrier)
        return; /* without link the kernel has it disabled, and so have we */
    if (p->state != KBRIDGE_DISABLED)
        rc = kbridge_set_state(p->ifindex, KBRIDGE_DISABLED);
    if (!rc && want == KBRIDGE_FORWARDING)
        rc = kbridge_enable(p);
    if (rc && rc != -ENETDOWN && rc != -ENODEV)
        snprintf(l->text, sizeof(l->text),
                 "port %s: its state could not be told to the kernel: %s",
                 p->name, strerror(-rc));
}

/* Without its spanning tree no port of the kernel's bridge is to forward that
 * is not ours. */
static enum kbridge_state wanted(const struct look *l,
                                 const struct kbridge_port *p)
{
    for (unsigned i = 0; i < l->n_want; i++)
        if (p->ifindex == l->want[i].ifindex)
            return l->want[i].state;
    return l->hold.tree && p->ifindex != l->tap ? KBRIDGE_DISABLED : p->state;
}

static void mend_states(struct look *l)
{
    if (l->k.stp == 2)
        return; /* it is for its program to do */
    for (unsigned i = 0; i < l->k.n_ports; i++)
        mend_state(l, &l->k.port[i], wanted(l, &l->k.port[i]));
}

/* ---- its spanning tree ---- */

/* Before it is put aside the guard knows. */
static int know_tree(struct look *l, struct err *e)
{
    return l->k.stp == 1 ? khold_tree(&l->hold, e) : 0;
}

static int put_tree_aside(struct look *l, struct err *e)
{
    int rc = 0;

    if (l->k.stp == 1)
        rc = kbridge_set_stp(l->bridge, false);
    return rc ? err_sys(e, rc, "switching the kernel's spanning tree of %s off",
                        l->k.name)
              : 0;
}

/* Those that forward are still to come to us. */
static void shut_others(struct look *l)
{
    for (unsigned i = 0; i < l->k.n_ports; i++)
        if (l->k.port[i].state != KBRIDGE_FORWARDING)
            mend_state(l, &l->k.port[i], KBRIDGE_DISABLED);
}

static void put_tree_back(struct look *l)
{
    int rc = khold_tree_back(&l->hold);

    if (rc && rc != -ENODEV)
        snprintf(l->text, sizeof(l->text),
                 "the kernel's spanning tree could not be switched on again: "
                 "%s",
                 strerror(-rc));
}

void look_tree_back(struct look *l)
{
    struct netns_scope scope;

    if (!l->hold.tree || netns_enter(&scope, l->netns_fd, NULL))
        return;
    (void)kbridge_tree_back(l->bridge);
    netns_leave(&scope);
}

/* ---- a look ---- */

static int front_look(struct look *l, struct err *e)
{
    /* Perhaps a guard is still putting it back. */
    int rc = khold_take(&l->hold, l->bridge, l->name, l->netns_fd, e);

    if (!rc)
        rc = kbridge_read(NULL, l->bridge, &l->k, e);
    if (!rc)
        rc = check(&l->k, e);
    if (!rc)
        rc = know_tree(l, e);
    return rc ? rc : mend_tap(l, e);
}

/* The states are those that the kernel's tree has left. */
static int join_look(struct look *l, struct err *e)
{
    int rc = put_tree_aside(l, e);

    kbridge_free(&l->k);
    if (!rc)
        rc = kbridge_read(NULL, l->bridge, &l->k, e);
    if (!rc)
        shut_others(l);
    return rc ? rc : mend_tap(l, e);
}

static int follow_look(struct look *l, struct err *e)
{
    int rc = know_tree(l, e);

    if (!rc)
        rc = put_tree_aside(l, e);
    if (!rc)
        rc = mend_tap(l, e);
    if (!rc)
        mend_states(l);
    return rc;
}

static int look_here(struct look *l, struct err *e)
{
    int rc;

    if (l->what == LOOK_FIRST)
        return first_look(l, e);
    if (l->what == LOOK_FRONT)
        return front_look(l, e);
    rc = kbridge_read(NULL, l->bridge, &l->k, e);
    if (!rc && l->what == LOOK_JOIN)
        return join_look(l, e);
    if (!rc && l->what == LOOK_AGAIN)
        return follow_look(l, e);
    if (!rc && l->n_want) /* else they are back */
        mend_states(l);
    put_tree_back(l);
    return rc;
}

void look_forget_table(struct look *l)
{
    free(l->fdb);
    l->fdb = NULL;
    l->n_fdb = 0;
}

int look_work(void *arg, struct err *e)
{
    struct look *l = arg;
    struct netns_scope scope;
    int rc = netns_enter(&scope, l->netns_fd, e);

    if (rc)
        return rc;
    rc = look_here(l, e);
    netns_leave(&scope);
    return rc;
}

void look_reset(struct look *l)
{
    kbridge_free(&l->k);
    free(l->want);
    l->want = NULL;
    l->n_want = 0;
    l->text[0] = '\0';
}

/* ---- hearing of changes ---- */

static int take_master(const struct nlattr *a, void *data)
{
    if (mnl_attr_get_type(a) == IFLA_MASTER &&
        mnl_attr_get_payload_len(a) == sizeof(uint32_t))
        *(int *)data = (int)mnl_attr_get_u32(a);
    return MNL_CB_OK;
}

static bool concerns(const struct adoption *ad, const struct nlmsghdr *nlh)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    const struct member *m;
    int master = 0;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
        return false;
    if (ifi->ifi_index == ad->look.bridge || ifi->ifi_index == ad->look.tap)
        return true;
    LIST_FOREACH(m, &ad->members, link)
    {
        if (m->known.ifindex == ifi->ifi_index)
            return true;
    }
    (void)mnl_attr_parse(nlh, sizeof(*ifi), take_master, &master);
    return master == ad->look.bridge;
}

bool look_heard(struct adoption *ad)
{
    alignas(struct nlmsghdr) char buf[16384];
    bool some = false;

    for (;;) {
        const struct nlmsghdr *nlh = (const void *)buf;
        ssize_t n = recv(ad->look.nl_fd, buf, sizeof(buf), 0);
        int left = (int)n;

        if (n < 0 && errno == ENOBUFS) {
            some = true; /* whatever it was */
            continue;
        }
        if (n <= 0)
            return some;
        for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
            some |= concerns(ad, nlh);
    }
}
