/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet:IF[,batch=N][,bypass=on][,adopt=BRIDGE]
 *
 * Takes over an existing Ethernet netdev: a NIC, a veth, the netdev of a tap
 * whose descriptor a VM holds.  With adopt= it stays a port of that bridge of
 * the kernel's, which neither hears of it nor reaches it meanwhile.  This file
 * is the port's life.  How the device is taken, followed and given back is in
 * takeover.c, sockets are in packet_sock.c, frames in packet_io.c.
 */
#include "ports/packet.h"

#include "ports/netns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static const char *const packet_keys[] = {"batch", "bypass", "adopt", NULL};

/* ---- opening ---- */

static int parse_keys(struct packet *k, struct err *e)
{
    const char *batch = port_spec_get(&k->port.spec, "batch");
    char *end;

    k->batch = 32;
    k->bypass = false;
    k->adopt = port_spec_get(&k->port.spec, "adopt");
    if (k->adopt && bridge_name_check(k->adopt, e))
        return -EINVAL;
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

static void take_caps(struct packet *k, const struct netdev *d)
{
    k->port.caps = (struct port_caps){
        .vnet = true,
        .tx_csum = true,
        .tx_tso4 = true,
        .tx_tso6 = true,
        .tx_uso = kernel_has_uso(),
        .proto_queue = true,
    };
    takeover_caps(&k->dev, d, &k->port.caps);
}

static int take_over(struct packet *k, struct err *e)
{
    const struct takeover_how how = {
        .block = true, .gro = true, .adopt = k->adopt};
    struct netdev d;
    int rc = takeover_take(&k->dev, &k->port.spec, &how, &d, e);

    if (rc)
        return rc;
    rc = packet_open_rx(k, d.ifindex, true, e);
    if (!rc)
        rc = packet_open_rx(k, d.ifindex, false, e);
    if (!rc)
        rc = packet_open_tx(k, d.ifindex, e);
    if (!rc)
        rc = takeover_settings(&k->dev, &d, &how, e);
    if (rc) {
        packet_close_sockets(k);
        takeover_give_back(&k->dev);
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
    atomic_store(&p->failed, false);
    p->n_queues = 1;
    rc = take_over(k, e);
    netns_leave(&scope);
    return rc;
}

static void packet_close(struct port *p)
{
    struct packet *k = packet_of(p);

    if (!k->dev.ifindex)
        return;
    /* First what needs no descriptor: entering a namespace takes one. */
    packet_read_losses(k);
    packet_close_sockets(k);
    takeover_end(&k->dev, &p->spec);
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
    return takeover_gone(&k->port);
}

static void packet_link(struct port *p, const struct link_change *c)
{
    takeover_link(&packet_of(p)->dev, p, c);
}

static void packet_describe(struct port *p, struct port_desc *d)
{
    struct packet *k = packet_of(p);

    takeover_describe(&k->dev, p, d);
    if (d->ifindex)
        snprintf(d->detail, sizeof(d->detail),
                 "host stack%s%s kept off by %s, %u KB socket buffer, %s",
                 k->adopt ? " and the kernel's bridge " : "",
                 k->adopt ? k->adopt : "", ingress_how(&k->dev.ingress),
                 k->rcvbuf >> 10,
                 k->bypass ? "past the qdisc" : "through the qdisc");
    packet_read_losses(k);
    d->losses.n[PORT_REASON_RX_QUEUE_FULL] = k->lost;
}

/* ---- the kind ---- */

static int packet_check(struct port *p, struct err *e)
{
    return parse_keys(packet_of(p), e);
}

static struct port *packet_alloc(void)
{
    struct packet *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->data.fd = k->proto.fd = -1;
    for (unsigned i = 0; i < PORT_TXCTX_MAX; i++)
        k->tx_fd[i] = -1;
    takeover_init(&k->dev);
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
    .check = packet_check,
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
    .help = "packet:IF[,batch=N][,bypass=on][,adopt=BRIDGE]: takes over an "
            "interface (NIC, "
            "veth, a VM's tap)",
    .keys = packet_keys,
    .ops = &packet_ops,
    .netdev = true,
    .alloc = packet_alloc,
    .free = packet_free,
};
