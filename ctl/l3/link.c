/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of the interface itself: MAC, MTU, up or down, and what IPv6 does
 * by itself.
 *
 * /proc/sys/net shows the namespace of the thread that opens the file.
 */
#include "ctl/l3/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *file, *what;
} sysctl_of[L3_SYSCTLS] = {
    [L3_ACCEPT_RA] = {"accept_ra", "router advertisements"},
    [L3_ADDR_GEN] = {"addr_gen_mode", "generation of IPv6 addresses"},
    [L3_TEMPADDR] = {"use_tempaddr", "temporary IPv6 addresses"},
    [L3_MTU6] = {"mtu", "IPv6's MTU"},
};

static int sysctl_open(const char *ifname, enum l3_sysctl w, int flags)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname,
             sysctl_of[w].file);
    return open(path, flags | O_CLOEXEC);
}

static int sysctl_get(const char *ifname, enum l3_sysctl w)
{
    char text[32];
    int fd = sysctl_open(ifname, w, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = 0;
    return (int)strtol(text, NULL, 10);
}

static int sysctl_set(const char *ifname, enum l3_sysctl w, int v,
                      struct err *e)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%d", v);
    int fd = sysctl_open(ifname, w, O_WRONLY);
    int rc = 0;

    if (fd < 0)
        return err_sys(e, errno, "%s: setting %s", ifname, sysctl_of[w].what);
    if (write(fd, text, (size_t)n) != n)
        rc = err_sys(e, errno, "%s: setting %s to %d", ifname,
                     sysctl_of[w].what, v);
    close(fd);
    return rc;
}

int link_read(const char *ifname, int *ifindex, struct l3_settings *s,
              struct err *e)
{
    struct netdev d;
    int rc = netdev_get(ifname, 0, &d, e);

    if (rc)
        return rc;
    *ifindex = d.ifindex;
    s->mac = d.mac;
    s->mtu = d.mtu;
    s->up = d.flags & IFF_UP;
    for (int i = 0; i < L3_SYSCTLS; i++)
        s->sysctl[i] = sysctl_get(ifname, (enum l3_sysctl)i);
    return 0;
}

/* What the configuration wants of a setting; -1: nothing. */
static int wish(const struct conf_l3 *want, enum l3_sysctl w)
{
    switch (w) {
    case L3_ACCEPT_RA:
        /* 2: also on a host that forwards, since it was asked for */
        return want->accept_ra == CONF_ON    ? 2
               : want->accept_ra == CONF_OFF ? 0
                                             : -1;
    case L3_ADDR_GEN:
        return want->link_local6 ? -1 : IN6_ADDR_GEN_MODE_NONE;
    case L3_TEMPADDR:
        return want->ipv6_privacy == CONF_ON    ? 2
               : want->ipv6_privacy == CONF_OFF ? 0
                                                : -1;
    case L3_MTU6:
        return want->ipv6_mtu ? (int)want->ipv6_mtu : -1;
    default:
        return -1;
    }
}

static int apply_sysctl(const char *ifname, enum l3_sysctl w, int v,
                        const struct l3_settings *now, struct l3_changed *ours,
                        bool dry, struct l3_notes *n, struct err *e)
{
    int target = v;
    int rc;

    if (v < 0 && !ours->sysctl[w])
        return 0;
    if (v < 0)
        target = ours->was.sysctl[w];
    if (now->sysctl[w] < 0)
        return v < 0 ? 0
                     : err_set(e, EOPNOTSUPP,
                               "%s: no %s to set: IPv6 is off here", ifname,
                               sysctl_of[w].what);
    if (now->sysctl[w] != target) {
        if (dry)
            l3_note(n, "%s: %s: %d instead of %d", ifname, sysctl_of[w].what,
                    target, now->sysctl[w]);
        rc = dry ? 0 : sysctl_set(ifname, w, target, e);
        if (rc)
            return rc;
    }
    if (v >= 0 && !ours->sysctl[w])
        ours->was.sysctl[w] = now->sysctl[w];
    ours->sysctl[w] = v >= 0;
    return 0;
}

static int apply_mtu(int ifindex, const char *ifname, uint32_t v,
                     const struct l3_settings *now, struct l3_changed *ours,
                     bool dry, struct l3_notes *n, struct err *e)
{
    uint32_t target = v ? v : ours->was.mtu;
    int rc = 0;

    if (!v && !ours->mtu)
        return 0;
    if (now->mtu != target) {
        if (dry && now->mtu)
            l3_note(n, "%s: MTU %u instead of %u", ifname, target, now->mtu);
        else if (dry) /* it is yet to be made */
            l3_note(n, "%s: MTU %u", ifname, target);
        rc = dry ? 0 : netdev_set_mtu(ifindex, target, e);
        if (rc)
            return err_wrap(e, rc, "%s: %u", ifname, target);
    }
    if (v && !ours->mtu)
        ours->was.mtu = now->mtu;
    ours->mtu = v != 0;
    return 0;
}

static int apply_mac(int ifindex, const char *ifname, const struct mac *v,
                     const struct l3_settings *now, struct l3_changed *ours,
                     bool dry, struct l3_notes *n, struct err *e)
{
    const struct mac *target = v ? v : &ours->was.mac;
    char text[MAC_TEXT_MAX];
    int rc = 0;

    if (!v && !ours->mac)
        return 0;
    if (!mac_equal(&now->mac, target)) {
        if (dry)
            l3_note(n, "%s: MAC address %s", ifname, mac_format(target, text));
        rc = dry ? 0 : netdev_set_mac(ifindex, target, e);
        if (rc)
            return err_wrap(e, rc, "%s: %s", ifname, mac_format(target, text));
    }
    if (v && !ours->mac)
        ours->was.mac = now->mac;
    ours->mac = v != NULL;
    return 0;
}

int link_apply(int ifindex, const char *ifname, const struct conf_l3 *want,
               const struct l3_settings *now, struct l3_changed *ours, bool dry,
               struct l3_notes *n, struct err *e)
{
    const struct mac *mac = want && want->mac_set ? &want->mac : NULL;
    int rc =
        apply_mtu(ifindex, ifname, want ? want->mtu : 0, now, ours, dry, n, e);

    if (!rc)
        rc = apply_mac(ifindex, ifname, mac, now, ours, dry, n, e);
    for (int i = 0; i < L3_MTU6 && !rc; i++)
        rc = apply_sysctl(ifname, (enum l3_sysctl)i,
                          want ? wish(want, (enum l3_sysctl)i) : -1, now, ours,
                          dry, n, e);
    return rc;
}

/* The kernel also forgets it when the link gets its first carrier, which a
 * bridge's interface does soon after it is up, if it does. */
static bool wait_carrier(const char *ifname)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    struct netdev d;

    for (int i = 0; i < 100; i++) {
        if (netdev_get(ifname, 0, &d, NULL) || !(d.flags & IFF_UP))
            return false;
        if (d.flags & IFF_RUNNING)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

int link_apply_up(const char *ifname, const struct conf_l3 *want,
                  const struct l3_settings *before, struct l3_changed *ours,
                  bool dry, struct l3_notes *n, struct err *e)
{
    struct l3_settings now = *before;
    int v = want ? wish(want, L3_MTU6) : -1;

    if (v >= 0 && !dry && !wait_carrier(ifname))
        l3_note(n,
                "%s has no carrier yet, and the kernel forgets IPv6's MTU when "
                "it gets one: apply this again then",
                ifname);
    now.sysctl[L3_MTU6] = sysctl_get(ifname, L3_MTU6);
    return apply_sysctl(ifname, L3_MTU6, v, &now, ours, dry, n, e);
}

void link_rollback(int ifindex, const char *ifname,
                   const struct l3_settings *then)
{
    struct l3_settings now;

    if (link_read(ifname, &ifindex, &now, NULL))
        return;
    if (now.mtu != then->mtu)
        (void)netdev_set_mtu(ifindex, then->mtu, NULL);
    if (!mac_equal(&now.mac, &then->mac))
        (void)netdev_set_mac(ifindex, &then->mac, NULL);
    for (int i = 0; i < L3_SYSCTLS; i++)
        if (now.sysctl[i] != then->sysctl[i] && then->sysctl[i] >= 0)
            (void)sysctl_set(ifname, (enum l3_sysctl)i, then->sysctl[i], NULL);
}
