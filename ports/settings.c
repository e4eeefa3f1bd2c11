/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See settings.h.
 *
 * GRO of veth is left as it is.  What comes out of a veth are the sender's
 * own super-frames already; switching GRO on turns the pair to NAPI, which
 * costs a softirq per burst and merges nothing.  One TCP stream over two
 * packet ports, three rounds interleaved: 7.9 - 8.5 Gb/s and 10 - 12 us
 * without, 7.7 - 8.1 Gb/s and 10 - 12 us with.
 */
#include "ports/settings.h"

#include <linux/if_link.h>
#include <string.h>

struct settings settings_plan(const struct netdev *d)
{
    struct settings s = SETTINGS_NONE;

    if (d->addr_gen >= 0 && d->addr_gen != IN6_ADDR_GEN_MODE_NONE)
        s.addr_gen = d->addr_gen;
    if (netdev_offload_get(d->name, NETDEV_LRO) == 1)
        s.lro = 1;
    if (strcmp(d->kind, "veth") != 0 &&
        netdev_offload_get(d->name, NETDEV_GRO) == 0)
        s.gro = 0;
    return s;
}

int settings_apply(const struct netdev *d, struct settings *s, struct err *e)
{
    int rc;

    if (s->addr_gen >= 0) {
        rc = netdev_set_addr_gen(d->ifindex, IN6_ADDR_GEN_MODE_NONE, e);
        if (rc)
            return rc;
    }
    if (s->lro >= 0) {
        rc = netdev_offload_set(d->name, NETDEV_LRO, false);
        if (rc)
            return err_sys(e, rc, "switching LRO of %s off", d->name);
    }
    /* Only a gain: a device that refuses is used as it is. */
    if (s->gro >= 0 && netdev_offload_set(d->name, NETDEV_GRO, true) != 0)
        s->gro = -1;
    return 0;
}

void settings_restore(int ifindex, const struct settings *s)
{
    struct netdev d;

    /* By number: it may have been renamed. */
    if (netdev_get(NULL, ifindex, &d, NULL) != 0)
        return;
    if (s->addr_gen >= 0)
        (void)netdev_set_addr_gen(ifindex, s->addr_gen, NULL);
    if (s->lro >= 0)
        (void)netdev_offload_set(d.name, NETDEV_LRO, s->lro);
    if (s->gro >= 0)
        (void)netdev_offload_set(d.name, NETDEV_GRO, s->gro);
}
