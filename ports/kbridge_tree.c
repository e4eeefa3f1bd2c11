/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree of the kernel's bridges; see kbridge.h.
 */
#include "ports/kbridge_tree.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 256

static int ask(const char *name, struct __bridge_info *i)
{
    unsigned long args[4] = {BRCTL_GET_BRIDGE_INFO, (unsigned long)i};
    struct ifreq r = {.ifr_data = (void *)args};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -errno;
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    rc = ioctl(fd, SIOCDEVPRIVATE, &r) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/*
 * The older way tells some times in hundredths of a second and some in the
 * kernel's own ticks.  The forward delay in force is one of the latter, and
 * rtnetlink tells it as well.
 */
static uint32_t from_ticks(const struct kbridge *k,
                           const struct __bridge_info *i, uint32_t t)
{
    return (
        uint32_t)(((uint64_t)t * k->tree_forward_delay + i->forward_delay / 2) /
                  i->forward_delay);
}

void kbridge_own_times(struct kbridge *k, const char *name)
{
    struct __bridge_info i = {0};

    k->forward_delay = k->tree_forward_delay;
    k->hello = k->tree_hello;
    k->max_age = k->tree_max_age;
    if (!k->root_port || ask(name, &i) || !i.forward_delay)
        return; /* those in force are its own, or have to do */
    k->forward_delay = i.bridge_forward_delay;
    k->hello = from_ticks(k, &i, i.bridge_hello_time);
    k->max_age = from_ticks(k, &i, i.bridge_max_age);
}

int kbridge_set_stp(int bridge, bool on)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_NEWLINK, bridge);
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
    data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, on);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
    return netdev_talk(nlh, NULL, NULL);
}

int kbridge_enable(const struct kbridge_port *p)
{
    alignas(struct nlmsghdr) char buf[REQUEST_MAX];
    struct nlmsghdr *nlh = netdev_request(buf, RTM_SETLINK, p->ifindex);

    mnl_attr_put_u32(nlh, IFLA_GROUP, p->group);
    return netdev_talk(nlh, NULL, NULL);
}

int kbridge_tree_back(int bridge)
{
    struct kbridge k;
    struct err e;
    int rc = kbridge_set_stp(bridge, true);

    if (rc)
        return rc;
    rc = kbridge_read(NULL, bridge, &k, &e);
    for (unsigned i = 0; !rc && i < k.n_ports; i++) {
        const struct kbridge_port *p = &k.port[i];

        if (p->state == KBRIDGE_DISABLED && p->up && p->carrier)
            rc = kbridge_enable(p);
    }
    kbridge_free(&k);
    return rc;
}
