/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tap of a guest: made here, held by QEMU.  It goes when QEMU's
 * descriptors are closed, so that nothing has to be cleaned up.
 */
#include "ctl/guest/spawn.h"

#include "ports/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TXQLEN 4096 /* as the switch's own taps have */

static int explain(const char *name, int rc, struct err *e)
{
    char way[NETDEV_WAY_MAX];

    if (rc == EPERM || rc == EACCES)
        return err_set(e, rc,
                       "no permission to make the interface %s: run basculed "
                       "as root or with CAP_NET_ADMIN, or use kind=stream",
                       name);
    if (rc == EBUSY || rc == EEXIST)
        return err_set(e, EEXIST, "%s",
                       netdev_in_the_way(-1, name, NETDEV_FOR_GUEST, way));
    return err_sys(e, rc, "making the interface %s", name);
}

static int open_queue(const char *name, short flags, int *fd, struct err *e)
{
    struct ifreq ifr = {.ifr_flags = flags};

    *fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT || errno == ENODEV
                   ? err_set(e, errno,
                             "no /dev/net/tun: load the module (modprobe tun) "
                             "or give the container the device")
                   : explain(name, errno, e);
    memcpy(ifr.ifr_name, name, strlen(name) + 1);
    if (ioctl(*fd, TUNSETIFF, &ifr) < 0)
        return explain(name, errno, e);
    return 0;
}

/* A request about an interface by its name. */
static int ask(unsigned long request, struct ifreq *ifr, const char *name,
               const char *what, struct err *e)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

    memcpy(ifr->ifr_name, name, strlen(name) + 1);
    if (s < 0 || ioctl(s, request, ifr) < 0)
        rc = err_sys(e, errno, "interface %s: %s", name, what);
    if (s >= 0)
        close(s);
    return rc;
}

static int settle(const char *name, const struct mac *guest, struct err *e)
{
    struct ifreq ifr = {.ifr_hwaddr = {.sa_family = ARPHRD_ETHER}};
    int rc;

    memcpy(ifr.ifr_hwaddr.sa_data, guest->octet, 6);
    /* high, so that no bridge takes it for its own */
    ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
    rc = ask(SIOCSIFHWADDR, &ifr, name, "setting its address", e);
    if (rc)
        return rc;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_qlen = TXQLEN;
    return ask(SIOCSIFTXQLEN, &ifr, name, "setting its queue's length", e);
}

int tap_make(const char *name, const struct mac *guest, unsigned queues,
             int *fd, struct err *e)
{
    short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    int rc = 0;

    if (if_nametoindex(name))
        return explain(name, EEXIST, e);
    if (queues > 1)
        flags |= IFF_MULTI_QUEUE;
    /* the first is never another's of that name */
    for (unsigned q = 0; q < queues && !rc; q++)
        rc = open_queue(name, q ? flags : (short)(flags | IFF_TUN_EXCL), &fd[q],
                        e);
    return rc ? rc : settle(name, guest, e);
}

int tap_up(const char *name, struct err *e)
{
    struct ifreq ifr = {.ifr_flags = 0};
    int rc = ask(SIOCGIFFLAGS, &ifr, name, "looking at it", e);

    if (rc)
        return rc;
    ifr.ifr_flags |= IFF_UP;
    return ask(SIOCSIFFLAGS, &ifr, name, "setting it up", e);
}

int tap_join(const char *name, const char *bridge, struct err *e)
{
    struct ifreq ifr = {.ifr_ifindex = (int)if_nametoindex(name)};
    int rc =
        ask(SIOCBRADDIF, &ifr, bridge, "making the guest's tap its port", e);

    return rc == -EBUSY ? 0 : rc; /* it is one's already */
}
