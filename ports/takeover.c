/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/takeover.h"

#include "ports/guard.h"
#include "ports/netns.h"
#include "ports/netwatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void takeover_init(struct takeover *t)
{
    memset(t, 0, sizeof(*t));
    t->ingress = INGRESS_NONE;
    t->saved = SETTINGS_NONE;
}

/* ---- taking ---- */

/* May this device be a port at all? */
static int check_device(const struct netdev *d, const char *adopt,
                        struct kbridge_saved *bridge, struct err *e)
{
    int rc = netdev_check_port(d, adopt != NULL, e);

    return rc || !adopt ? rc : kbridge_plan(d, adopt, bridge, e);
}

static int shut(struct takeover *t, const struct takeover_how *how,
                const struct netdev *d, struct err *e)
{
    int rc;

    if (!how->block)
        return ingress_lock(&t->ingress, d->ifindex, d->name, e);
    rc = ingress_take(&t->ingress, d->ifindex, d->name, how->adopt != NULL, e);
    if (rc || !how->adopt)
        return rc;
    rc = ingress_shut_egress(&t->ingress, e);
    if (rc)
        ingress_release(&t->ingress);
    return rc;
}

int takeover_take(struct takeover *t, const struct port_spec *spec,
                  const struct takeover_how *how, struct netdev *d,
                  struct err *e)
{
    int rc = netdev_get(spec->target, 0, d, e);

    if (!rc)
        rc = check_device(d, how->adopt, &t->bridge, e);
    if (!rc)
        rc = shut(t, how, d, e);
    if (rc)
        return rc;
    t->netns = netns_id(spec->netns_fd);
    t->ifindex = d->ifindex;
    snprintf(t->ifname, sizeof(t->ifname), "%s", d->name);
    return 0;
}

/* Has the guard know before anything is changed that it would have to undo. */
int takeover_settings(struct takeover *t, const struct netdev *d,
                      const struct takeover_how *how, struct err *e)
{
    struct guard_device g = {
        .netns = t->netns,
        .ifindex = d->ifindex,
        .saved = settings_plan(d),
        .bridge = t->bridge,
        .filter = t->ingress.filter,
        .made_hook = t->ingress.made_hook,
    };
    int rc;

    if (!how->block)
        g.saved.addr_gen = -1; /* the host goes on using it */
    if (!how->gro)
        g.saved.gro = -1;
    rc = guard_add(&g, t->ingress.lock_fd, t->ingress.gate_fd, e);
    if (rc)
        return rc;
    t->guarded = true;
    t->saved = g.saved;
    rc = settings_apply(d, &t->saved, e);
    if (!rc && t->bridge.bridge)
        kbridge_forget(d->ifindex, &t->bridge);
    return rc;
}

/* ---- giving back ---- */

void takeover_give_back(struct takeover *t)
{
    if (!t->ifindex)
        return;
    settings_restore(t->ifindex, &t->saved);
    t->saved = SETTINGS_NONE;
    t->bridge.tree = guard_has_tree(t->netns, t->bridge.bridge);
    kbridge_restore(t->ifindex, &t->bridge);
    t->bridge.bridge = 0;
    ingress_release(&t->ingress);
    if (t->guarded)
        guard_remove(t->netns, t->ifindex);
    t->guarded = false;
    t->ifindex = 0;
}

void takeover_end(struct takeover *t, const struct port_spec *spec)
{
    struct netns_scope scope;

    if (!t->ifindex)
        return;
    if (netns_enter(&scope, spec->netns_fd, NULL) != 0) {
        /* Its settings wait for the guard, which can. */
        t->ingress.filter = t->ingress.made_hook = t->guarded = false;
        ingress_release(&t->ingress);
        t->ifindex = 0;
        return;
    }
    takeover_give_back(t);
    netns_leave(&scope);
}

/* ---- following ---- */

void takeover_caps(struct takeover *t, const struct netdev *d,
                   struct port_caps *caps)
{
    char driver[32];

    netdev_driver(d->name, driver);
    caps->edge = strcmp(driver, "tun") == 0; /* a VM is behind it */
    caps->link = (d->flags & IFF_UP) && (d->flags & IFF_RUNNING);
    caps->mtu = d->mtu;
    caps->speed = netdev_speed(d->name);
    caps->shared = netdev_half_duplex(d->name);
    caps->mac = d->mac;
    snprintf(t->ifname, sizeof(t->ifname), "%s", d->name);
}

void takeover_describe(const struct takeover *t, const struct port *p,
                       struct port_desc *d)
{
    memset(d, 0, sizeof(*d));
    d->ifindex = t->ifindex;
    snprintf(d->device, sizeof(d->device), "interface %s",
             d->ifindex ? t->ifname : p->spec.target);
}

enum port_reason takeover_refusal(int err)
{
    switch (err) {
    case ENOBUFS: /* the qdisc or the ring behind it is full */
    case EAGAIN:  /* too much of ours is still queued below */
        return PORT_REASON_TX_QUEUE_FULL;
    case EMSGSIZE:
        return PORT_REASON_TX_TOO_BIG;
    case ENETDOWN:
        return PORT_REASON_TX_DOWN;
    case ENXIO:
    case ENODEV:
        return PORT_REASON_TX_FAILED;
    case ENOMEM:
        return PORT_REASON_TX_NO_MEMORY;
    default:
        return PORT_REASON_TX_ERROR;
    }
}

int takeover_gone(struct port *p)
{
    port_event(p, PORT_EVENT_FAILED, "interface %s is gone", p->spec.target);
    return -ENODEV;
}

static void follow(struct takeover *t, struct port *p,
                   const struct link_change *c)
{
    struct port_caps *caps = &p->caps, old = *caps;

    snprintf(t->ifname, sizeof(t->ifname), "%s", c->ifname);
    caps->mtu = c->mtu;
    caps->mac = c->mac;
    caps->link = c->up && c->carrier;
    if (caps->mtu != old.mtu || !mac_equal(&caps->mac, &old.mac))
        port_event(p, PORT_EVENT_CAPS, "interface %s: MTU or address changed",
                   t->ifname);
    if (caps->link != old.link)
        port_event(p, caps->link ? PORT_EVENT_UP : PORT_EVENT_DOWN,
                   "interface %s is %s", t->ifname,
                   caps->link ? "up"
                   : !c->up   ? "down"
                              : "without carrier");
}

/* A device of our name that is not ours: has ours been deleted? */
static bool replaced(const struct takeover *t, const struct port *p)
{
    struct netns_scope scope;
    bool exists;

    if (netns_enter(&scope, p->spec.netns_fd, NULL) != 0)
        return false;
    exists = netdev_exists(t->ifindex);
    netns_leave(&scope);
    return !exists;
}

void takeover_link(struct takeover *t, struct port *p,
                   const struct link_change *c)
{
    bool named = !c->gone && strcmp(c->ifname, p->spec.target) == 0;

    if (c->netns != netns_id(p->spec.netns_fd))
        return;
    /* If messages are joined on their way to us, the new device may be the
     * first that we hear of the old one's end. */
    if (named && t->ifindex && c->ifindex != t->ifindex && replaced(t, p))
        takeover_gone(p);
    if (!t->ifindex || atomic_load(&p->failed)) {
        if (named)
            port_event(p, PORT_EVENT_READY, "interface %s is back", c->ifname);
        return;
    }
    if (c->ifindex != t->ifindex)
        return;
    if (c->gone)
        port_event(p, PORT_EVENT_FAILED, "interface %s %s", t->ifname,
                   c->moved ? "moved to another namespace" : "was deleted");
    else
        follow(t, p, c);
}
