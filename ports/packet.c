/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet:IF[,batch=N][,bypass=on]
 *
 * Takes over an existing Ethernet netdev: a NIC, a veth, the netdev of a tap
 * whose descriptor a VM holds.  This file is the port's life: taking the
 * device, following it, giving it back.  Sockets are in packet_sock.c, frames
 * in packet_io.c, the host stack is kept off by ingress.c.
 */
#include "ports/packet.h"

#include "ports/guard.h"
#include "ports/netdev.h"
#include "ports/netns.h"
#include "ports/netwatch.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static const char *const packet_keys[] = {"batch", "bypass", NULL};

/* ---- opening ---- */

static int parse_keys(struct packet *k, struct err *e)
{
    const char *batch = port_spec_get(&k->port.spec, "batch");
    char *end;

    k->batch = 32;
    k->bypass = false;
    if (batch) {
        unsigned long v = strtoul(batch, &end, 10);

        if (*batch < '0' || *batch > '9' || *end || v < 1 ||
            v > PACKET_BATCH_MAX)
            return err_set(e, EINVAL, "batch=%s: must be from 1 to %d", batch,
                           PACKET_BATCH_MAX);
        k->batch = (unsigned)v;
    }
    return port_spec_bool(&k->port.spec, "bypass", &k->bypass, e);
}

/* May this device be a port at all? */
static int check_device(const struct netdev *d, struct err *e)
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
    if (d->master)
        return err_set(e, EBUSY,
                       "%s belongs to a bridge or bond of the kernel: release "
                       "it first (ip link set %s nomaster)",
                       d->name, d->name);
    return 0;
}

/* Does the kernel know UDP super-frames in virtio-net headers (6.2)? */
static bool kernel_has_uso(void)
{
    struct utsname u;
    unsigned long major, minor = 0;
    char *end;

    if (uname(&u) < 0)
        return false;
    major = strtoul(u.release, &end, 10);
    if (*end == '.')
        minor = strtoul(end + 1, NULL, 10);
    return major > 6 || (major == 6 && minor >= 2);
}

/* Has the guard know before anything is changed that it would have to undo. */
static int change_settings(struct packet *k, const struct netdev *d,
                           struct err *e)
{
    struct guard_device g = {
        .netns = k->netns,
        .ifindex = d->ifindex,
        .saved = settings_plan(d),
        .filter = k->ingress.filter,
        .made_hook = k->ingress.made_hook,
    };
    int rc = guard_add(&g, k->ingress.lock_fd, e);

    if (rc)
        return rc;
    k->guarded = true;
    k->saved = g.saved;
    return settings_apply(d, &k->saved, e);
}

/* Undoes what has been done so far; inside the device's namespace. */
static void give_back(struct packet *k)
{
    packet_close_sockets(k);
    settings_restore(k->ifindex, &k->saved);
    k->saved = SETTINGS_NONE;
    ingress_release(&k->ingress);
    if (k->guarded)
        guard_remove(k->netns, k->ifindex);
    k->guarded = false;
    k->ifindex = 0;
}

static void take_caps(struct packet *k, const struct netdev *d)
{
    struct port_caps *c = &k->port.caps;
    char driver[32];

    netdev_driver(d->name, driver);
    *c = (struct port_caps){
        .vnet = true,
        .tx_csum = true,
        .tx_tso4 = true,
        .tx_tso6 = true,
        .tx_uso = kernel_has_uso(),
        .proto_queue = true,
        .edge = strcmp(driver, "tun") == 0, /* a VM is behind it */
        .link = (d->flags & IFF_UP) && (d->flags & IFF_RUNNING),
        .mtu = d->mtu,
        .speed = netdev_speed(d->name),
        .mac = d->mac,
    };
    snprintf(k->ifname, sizeof(k->ifname), "%s", d->name);
}

static int take_over(struct packet *k, struct err *e)
{
    struct netdev d;
    int rc;

    rc = netdev_get(k->port.spec.target, 0, &d, e);
    if (!rc)
        rc = check_device(&d, e);
    if (!rc)
        rc = ingress_take(&k->ingress, d.ifindex, d.name, e);
    if (rc)
        return rc;
    k->ifindex = d.ifindex;
    rc = packet_open_rx(k, d.ifindex, true, e);
    if (!rc)
        rc = packet_open_rx(k, d.ifindex, false, e);
    if (!rc)
        rc = packet_open_tx(k, d.ifindex, e);
    if (!rc)
        rc = change_settings(k, &d, e);
    if (rc) {
        give_back(k);
        return rc;
    }
    take_caps(k, &d);
    return 0;
}

static int packet_open(struct port *p, struct err *e)
{
    struct packet *k = packet_of(p);
    struct netns_scope scope;
    int rc = parse_keys(k, e);

    k->lost = 0;
    if (!rc)
        rc = netns_enter(&scope, p->spec.netns_fd, e);
    if (rc)
        return rc;
    k->netns = netns_id(p->spec.netns_fd);
    atomic_store(&p->failed, false);
    p->n_queues = 1;
    rc = take_over(k, e);
    netns_leave(&scope);
    return rc;
}

static void packet_close(struct port *p)
{
    struct packet *k = packet_of(p);
    struct netns_scope scope;

    if (!k->ifindex)
        return;
    /* First what needs no descriptor: entering a namespace takes one. */
    packet_read_losses(k);
    packet_close_sockets(k);
    if (netns_enter(&scope, p->spec.netns_fd, NULL) != 0) {
        /* Its settings wait for the guard, which can. */
        k->ingress.filter = k->ingress.made_hook = k->guarded = false;
        ingress_release(&k->ingress);
        k->ifindex = 0;
        return;
    }
    give_back(k);
    netns_leave(&scope);
}

/* ---- watchers ---- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct packet_queue *q = w->data;

    (void)loop;
    (void)revents;
    q->queue->ready(q->queue);
}

static struct packet_queue *queue_of(struct packet *k, unsigned index)
{
    return index == PORT_QUEUE_PROTO ? &k->proto : &k->data;
}

static int packet_attach(struct port *p, struct port_queue *pq,
                         struct ev_loop *loop)
{
    struct packet_queue *q = queue_of(packet_of(p), pq->index);

    if (q->fd < 0 || (pq->index != 0 && pq->index != PORT_QUEUE_PROTO))
        return -EINVAL;
    q->queue = pq;
    ev_io_init(&q->readable, on_readable, q->fd, EV_READ);
    q->readable.data = q;
    ev_io_start(loop, &q->readable);
    return 0;
}

static void packet_detach(struct port *p, struct port_queue *pq,
                          struct ev_loop *loop)
{
    struct packet_queue *q = queue_of(packet_of(p), pq->index);

    if (q->queue != pq)
        return;
    ev_io_stop(loop, &q->readable);
    q->queue = NULL;
}

/* ---- following the device ---- */

int packet_gone(struct packet *k)
{
    port_event(&k->port, PORT_EVENT_FAILED, "interface %s is gone",
               k->port.spec.target);
    return -ENODEV;
}

/* After link down and up again, a NIC may have another speed. */
static uint32_t read_speed(struct packet *k)
{
    struct netns_scope scope;
    uint32_t speed;

    if (netns_enter(&scope, k->port.spec.netns_fd, NULL) != 0)
        return k->port.caps.speed;
    speed = netdev_speed(k->ifname);
    netns_leave(&scope);
    return speed;
}

static void follow(struct packet *k, const struct link_change *c)
{
    struct port_caps *caps = &k->port.caps, old = *caps;

    snprintf(k->ifname, sizeof(k->ifname), "%s", c->ifname);
    caps->mtu = c->mtu;
    caps->mac = c->mac;
    caps->link = c->up && c->carrier;
    if (caps->link && !old.link)
        caps->speed = read_speed(k);
    if (caps->mtu != old.mtu || caps->speed != old.speed ||
        !mac_equal(&caps->mac, &old.mac))
        port_event(&k->port, PORT_EVENT_CAPS,
                   "interface %s: MTU, address or speed changed", k->ifname);
    if (caps->link != old.link)
        port_event(&k->port, caps->link ? PORT_EVENT_UP : PORT_EVENT_DOWN,
                   "interface %s is %s", k->ifname,
                   caps->link ? "up"
                   : !c->up   ? "down"
                              : "without carrier");
}

/* A device of our name that is not ours: has ours been deleted? */
static bool replaced(struct packet *k)
{
    struct netns_scope scope;
    struct netdev d;
    int rc;

    if (netns_enter(&scope, k->port.spec.netns_fd, NULL) != 0)
        return false;
    rc = netdev_get(NULL, k->ifindex, &d, NULL);
    netns_leave(&scope);
    return rc == -ENODEV;
}

static void packet_link(struct port *p, const struct link_change *c)
{
    struct packet *k = packet_of(p);

    bool named = !c->gone && strcmp(c->ifname, p->spec.target) == 0;

    if (c->netns != netns_id(p->spec.netns_fd))
        return;
    /* If messages are joined on their way to us, the new device may be the
     * first that we hear of the old one's end. */
    if (named && k->ifindex && c->ifindex != k->ifindex && replaced(k))
        packet_gone(k);
    if (!k->ifindex || atomic_load(&p->failed)) {
        if (named)
            port_event(p, PORT_EVENT_READY, "interface %s is back", c->ifname);
        return;
    }
    if (c->ifindex != k->ifindex)
        return;
    if (c->gone)
        port_event(p, PORT_EVENT_FAILED, "interface %s %s", k->ifname,
                   c->moved ? "moved to another namespace" : "was deleted");
    else
        follow(k, c);
}

static void packet_describe(struct port *p, struct port_desc *d)
{
    struct packet *k = packet_of(p);

    memset(d, 0, sizeof(*d));
    d->ifindex = k->ifindex;
    snprintf(d->device, sizeof(d->device), "interface %s",
             d->ifindex ? k->ifname : p->spec.target);
    if (d->ifindex)
        snprintf(d->detail, sizeof(d->detail),
                 "host stack kept off by %s, %u KB socket buffer, %s",
                 ingress_how(&k->ingress), k->rcvbuf >> 10,
                 k->bypass ? "past the qdisc" : "through the qdisc");
    packet_read_losses(k);
    d->losses.n[PORT_REASON_RX_QUEUE_FULL] = k->lost;
}

/* ---- the kind ---- */

static struct port *packet_alloc(void)
{
    struct packet *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->data.fd = k->proto.fd = -1;
    for (unsigned i = 0; i < PORT_TXCTX_MAX; i++)
        k->tx_fd[i] = -1;
    k->ingress = INGRESS_NONE;
    k->saved = SETTINGS_NONE;
    pthread_mutex_init(&k->stat_lock, NULL);
    return &k->port;
}

static void packet_free(struct port *p)
{
    struct packet *k = packet_of(p);

    pthread_mutex_destroy(&k->stat_lock);
    free(k);
}

static const struct port_ops packet_ops = {
    .open = packet_open,
    .attach = packet_attach,
    .detach = packet_detach,
    .rx = packet_rx,
    .tx = packet_tx,
    .close = packet_close,
    .link = packet_link,
    .describe = packet_describe,
};

const struct port_kind port_kind_packet = {
    .name = "packet",
    .help = "packet:IF[,batch=N][,bypass=on]: takes over an interface (NIC, "
            "veth, a VM's tap)",
    .keys = packet_keys,
    .ops = &packet_ops,
    .netdev = true,
    .alloc = packet_alloc,
    .free = packet_free,
};
