/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer of a dgram port: finding it, and noticing that it is not there.
 *
 * Datagrams know no connection, so "there" means that nobody has refused the
 * last ones.  See dgram_port.h for which socket does what.
 */
#include "ports/dgram_port.h"

#include "base/mac.h"
#include "ports/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_DEFAULT (4U << 20)
#define TRY_EVERY      1.0 /* seconds */
/* The longest datagram is 65507 octets, over IPv4; room for two tags. */
#define UDP_MTU (65507 - FRAME_ETH_HLEN - 8)
/* A frame that hosts and bridges let be: loopback test, to its own sender. */
#define PROBE_LEN  60
#define PROBE_TYPE 0x9000

static const char *const dgram_keys[] = {
    "remote", "learn", "local", "ttl", "mtu", "edge", "buffer", "mode", NULL};

/* ---- keys ---- */

/* Picks addresses of one family for the two sides. */
static int pair_up(struct dgram *d, const struct sockaddrs *local,
                   const struct sockaddrs *remote, struct err *e)
{
    for (unsigned i = 0; i < local->n; i++)
        for (unsigned k = 0; k < remote->n; k++)
            if (local->at[i].any.sa_family == remote->at[k].any.sa_family) {
                d->local = local->at[i];
                d->remote = remote->at[k];
                return 0;
            }
    return err_set(e, EINVAL,
                   "remote=%s is of another address family than the local "
                   "address",
                   port_spec_get(&d->port.spec, "remote"));
}

static int read_remote(struct dgram *d, const struct sockaddrs *local,
                       struct err *e)
{
    const char *text = port_spec_get(&d->port.spec, "remote");
    struct sockaddrs remote;
    int rc;

    d->known = text != NULL;
    d->local = local->at[0];
    if (!text)
        return 0;
    rc = sockaddr_parse(text, SOCK_DGRAM, &remote, e);
    if (rc)
        return err_wrap(e, rc, "remote=");
    if (remote.wildcard || sockaddr_is_multicast(&remote.at[0]))
        return err_set(e, EINVAL, "remote=%s: expected the address of one peer",
                       text);
    rc = pair_up(d, local, &remote, e);
    if (!rc && sockaddr_equal(&d->local, &d->remote))
        return err_set(e, EINVAL, "remote=%s is the local address itself",
                       text);
    return rc;
}

/* Keys that say nothing about this port are no keys of it. */
static int check_keys(const struct dgram *d, struct err *e)
{
    const struct port_spec *s = &d->port.spec;
    const bool file = d->is_unix && d->local.un.sun_path[0];

    if (d->is_group && (d->known || d->learns))
        return err_set(e, EINVAL, "a multicast group has no remote= or learn=");
    if (!d->is_group && d->known && d->learns)
        return err_set(e, EINVAL, "either remote= or learn=on");
    if (d->is_unix && d->learns)
        return err_set(
            e, EINVAL,
            "learn= is for UDP: senders at UNIX sockets need have no "
            "address");
    if (!d->is_group && !d->known && !d->learns)
        return err_set(e, EINVAL, "remote=ADDR is missing%s",
                       d->is_unix ? ""
                                  : " (or learn=on, to take whoever sends "
                                    "first)");
    if (!d->is_group && (port_spec_get(s, "local") || port_spec_get(s, "ttl")))
        return err_set(e, EINVAL, "local= and ttl= are for multicast groups");
    if (!file && port_spec_get(s, "mode"))
        return err_set(e, EINVAL, "mode= is for UNIX sockets at a path");
    return 0;
}

static int read_caps(struct dgram *d, struct err *e)
{
    const struct port_spec *spec = &d->port.spec;
    uint32_t most = d->is_unix ? 65535 : UDP_MTU;
    struct port_caps c = {.serial = true,
                          .edge = !d->is_group,
                          .shared = d->is_group,
                          .mtu = most,
                          .any_mtu = true};
    int rc = port_spec_bool(spec, "edge", &c.edge, e);

    if (!rc)
        rc = port_spec_uint(spec, "mtu", 68, most, &c.mtu, e);
    c.any_mtu = !port_spec_get(spec, "mtu");
    d->port.caps = c;
    return rc;
}

static int read_keys(struct dgram *d, unsigned *mode, struct err *e)
{
    const struct port_spec *spec = &d->port.spec;
    struct sockaddrs local;
    int rc = sockaddr_parse(spec->target, SOCK_DGRAM, &local, e);

    if (rc)
        return rc;
    d->is_unix = sockaddr_is_unix(&local.at[0]);
    d->is_group = sockaddr_is_multicast(&local.at[0]);
    d->learns = false;
    d->buffer = BUFFER_DEFAULT;
    d->ttl = 1;
    rc = read_remote(d, &local, e);
    if (!rc)
        rc = port_spec_bool(spec, "learn", &d->learns, e);
    if (!rc)
        rc = port_spec_uint(spec, "buffer", 4096, 1U << 30, &d->buffer, e);
    if (!rc)
        rc = port_spec_uint(spec, "ttl", 1, 255, &d->ttl, e);
    if (!rc)
        rc = port_spec_mode(spec, mode, e);
    if (!rc)
        rc = read_caps(d, e);
    return rc ? rc : check_keys(d, e);
}

/* ---- sockets ---- */

static int make_socket(const struct dgram *d, struct err *e)
{
    int fd = sockaddr_socket(&d->local, SOCK_DGRAM, d->port.spec.netns_fd);

    if (fd < 0)
        return err_sys(e, fd, "making a socket");
    sockaddr_buffers(fd, d->buffer, d->buffer);
    return fd;
}

/* The interface local= means, by its address. */
static int group_interface4(const struct dgram *d, struct in_addr *a,
                            struct err *e)
{
    const char *text = port_spec_get(&d->port.spec, "local");

    a->s_addr = htonl(INADDR_ANY);
    if (text && inet_pton(AF_INET, text, a) != 1)
        return err_set(e, EINVAL,
                       "local=%s: expected an IPv4 address of the interface",
                       text);
    return 0;
}

static int join4(struct dgram *d, struct err *e)
{
    const struct sockaddr_in *group = (const void *)&d->local.room;
    struct ip_mreq m = {.imr_multiaddr = group->sin_addr};
    uint8_t ttl = (uint8_t)d->ttl, loop = 1;
    int rc = group_interface4(d, &m.imr_interface, e);

    if (rc)
        return rc;
    if (setsockopt(d->rx_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) < 0)
        return err_sys(e, errno,
                       "joining the group (is there a route to it, or give "
                       "local=)");
    if (setsockopt(d->tx_fd, IPPROTO_IP, IP_MULTICAST_IF, &m.imr_interface,
                   sizeof(m.imr_interface)) < 0 ||
        setsockopt(d->tx_fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, 1) < 0 ||
        setsockopt(d->tx_fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, 1) < 0)
        return err_sys(e, errno, "sending to the group");
    return 0;
}

/* The interface is the group's scope: [ff12::1%eth0]:5000. */
static int join6(struct dgram *d, struct err *e)
{
    const struct sockaddr_in6 *group = (const void *)&d->local.room;
    struct ipv6_mreq m = {.ipv6mr_multiaddr = group->sin6_addr,
                          .ipv6mr_interface = group->sin6_scope_id};
    int ttl = (int)d->ttl, loop = 1, index = (int)group->sin6_scope_id;

    if (port_spec_get(&d->port.spec, "local"))
        return err_set(e, EINVAL,
                       "local=: with IPv6 the interface is part of the group, "
                       "as in [ff12::1%%eth0]:5000");
    if (setsockopt(d->rx_fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) <
        0)
        return err_sys(e, errno,
                       "joining the group (name the interface: "
                       "[ff12::1%%eth0]:5000)");
    if (setsockopt(d->tx_fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
                   sizeof(index)) < 0 ||
        setsockopt(d->tx_fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &ttl,
                   sizeof(ttl)) < 0 ||
        setsockopt(d->tx_fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop,
                   sizeof(loop)) < 0)
        return err_sys(e, errno, "sending to the group");
    return 0;
}

static int open_group(struct dgram *d, struct err *e)
{
    int on = 1, rc;

    d->tx_fd = make_socket(d, e);
    if (d->tx_fd < 0)
        return d->tx_fd;
    /* Others of this host are members of it, too. */
    (void)setsockopt(d->rx_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    rc = sockaddr_bind(d->rx_fd, &d->local, 0, &d->file, e);
    if (!rc)
        rc = d->local.any.sa_family == AF_INET6 ? join6(d, e) : join4(d, e);
    if (rc)
        return rc;
    if (connect(d->tx_fd, &d->local.any, d->local.len) < 0)
        return err_sys(e, errno,
                       "sending to the group (is there a route to it, or give "
                       "local=)");
    d->own.len = sizeof(d->own.room);
    if (getsockname(d->tx_fd, &d->own.any, &d->own.len) < 0)
        return err_sys(e, errno, "sending to the group");
    return 0;
}

static int open_sockets(struct dgram *d, unsigned mode, struct err *e)
{
    int rc;

    d->rx_fd = make_socket(d, e);
    if (d->rx_fd < 0)
        return d->rx_fd;
    if (d->is_group)
        return open_group(d, e);
    rc = sockaddr_bind(d->rx_fd, &d->local, mode, &d->file, e);
    if (rc)
        return rc;
    d->tx_fd = d->is_unix ? make_socket(d, e) : d->rx_fd;
    d->out_fd = d->tx_fd;
    return d->tx_fd < 0 ? d->tx_fd : 0;
}

static void dgram_close(struct port *p)
{
    struct dgram *d = dgram_of(p);

    pthread_mutex_lock(&d->lock);
    dgram_drop_queue(d);
    d->up = false;
    sockaddr_remove(&d->file);
    if (d->tx_fd >= 0 && d->tx_fd != d->rx_fd)
        close(d->tx_fd);
    if (d->rx_fd >= 0)
        close(d->rx_fd);
    d->tx_fd = d->rx_fd = d->out_fd = -1;
    pthread_mutex_unlock(&d->lock);
    atomic_store(&p->peer, false);
}

static int dgram_open(struct port *p, struct err *e)
{
    struct dgram *d = dgram_of(p);
    unsigned mode;
    int rc = read_keys(d, &mode, e);

    p->n_queues = 1;
    if (!rc && !d->out.memory.base && arena_init(&d->out.memory, DGRAM_QUEUE))
        rc = err_set(e, ENOMEM, "no memory for a port's queue");
    if (!rc)
        rc = open_sockets(d, mode, e);
    d->out_fd = d->tx_fd;
    if (rc) {
        dgram_close(p);
        return err_wrap(e, rc, "dgram:%s", p->spec.target);
    }
    d->error = 0;
    d->dropped = 0;
    d->expect = DGRAM_BATCH;
    d->peer[0] = d->last[0] = '\0';
    atomic_store(&p->failed, false);
    return 0;
}

/* ---- the peer ---- */

static void unconnect(int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &none, sizeof(none));
}

/*
 * Bound to any address, a UDP socket has one of its own when it is connected:
 * that may be the one it is connected to.
 */
static int check_other(const struct dgram *d)
{
    struct sockaddr_one us = {.len = sizeof(us.room)};

    if (d->is_unix || getsockname(d->tx_fd, &us.any, &us.len) < 0 ||
        !sockaddr_equal(&us, &d->remote))
        return 0;
    unconnect(d->tx_fd);
    return -EADDRINUSE;
}

/*
 * A UNIX peer that is connected itself takes datagrams from that one socket
 * only; if it is to ours, it is the bound one.
 */
int dgram_connect(struct dgram *d)
{
    int rc = connect(d->tx_fd, &d->remote.any, d->remote.len) < 0 ? -errno : 0;

    if (rc == -EPERM && d->is_unix) {
        rc = connect(d->rx_fd, &d->remote.any, d->remote.len) < 0 ? -errno : 0;
        if (!rc)
            d->out_fd = d->rx_fd;
    } else if (!rc && d->out_fd != d->tx_fd) {
        unconnect(d->rx_fd); /* it would hear its old peer only */
        d->out_fd = d->tx_fd;
    }
    return rc ? rc : check_other(d);
}

/* Is what receives connected, because the peer is? */
static bool is_tied(struct dgram *d)
{
    bool tied;

    pthread_mutex_lock(&d->lock);
    tied = d->is_unix && d->out_fd == d->rx_fd;
    pthread_mutex_unlock(&d->lock);
    return tied;
}

static int connect_now(struct dgram *d)
{
    int rc;

    pthread_mutex_lock(&d->lock);
    rc = dgram_connect(d);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static void set_timer(struct dgram *d, bool on)
{
    if (!on) {
        ev_timer_stop(d->loop, &d->timer);
    } else if (!ev_is_active(&d->timer)) {
        ev_now_update(d->loop);
        ev_timer_set(&d->timer, TRY_EVERY, TRY_EVERY);
        ev_timer_start(d->loop, &d->timer);
    }
}

static void say(struct dgram *d, const char *last)
{
    pthread_mutex_lock(&d->words_lock);
    snprintf(d->last, sizeof(d->last), "%s", last);
    if (d->learns && d->known)
        (void)sockaddr_text(&d->remote, d->peer);
    else
        d->peer[0] = '\0';
    pthread_mutex_unlock(&d->words_lock);
}

static void set_up(struct dgram *d, bool up)
{
    pthread_mutex_lock(&d->lock);
    d->up = up;
    d->error = 0;
    if (!up)
        dgram_drop_queue(d);
    pthread_mutex_unlock(&d->lock);
}

static void come_up(struct dgram *d)
{
    d->probing = false;
    set_up(d, true);
    say(d, "");
    /* While what receives is connected, a restarted peer cannot be heard. */
    set_timer(d, is_tied(d));
    if (!atomic_exchange(&d->port.peer, true))
        port_event(&d->port, PORT_EVENT_UP, "the peer is there");
}

/* Whoever is connected to is let go, and anybody may send again. */
static void forget_peer(struct dgram *d)
{
    unconnect(d->rx_fd);
    pthread_mutex_lock(&d->lock);
    d->known = !d->learns;
    d->out_fd = d->tx_fd;
    pthread_mutex_unlock(&d->lock);
}

void dgram_refused(struct dgram *d, int error)
{
    if (d->is_group)
        return; /* nobody answers for a group */
    d->probing = false;
    set_up(d, false);
    if (d->learns || is_tied(d))
        forget_peer(d);
    say(d, strerror(error));
    set_timer(d, d->known);
    if (atomic_exchange(&d->port.peer, false))
        port_event(&d->port, PORT_EVENT_DOWN, "the peer is gone: %s",
                   strerror(error));
}

static bool learn(struct dgram *d, const struct sockaddr_one *from)
{
    int rc;

    pthread_mutex_lock(&d->lock);
    d->remote = *from;
    rc = dgram_connect(d);
    d->known = rc == 0;
    pthread_mutex_unlock(&d->lock);
    if (rc)
        return false;
    come_up(d);
    return true;
}

bool dgram_heard(struct dgram *d, const struct sockaddr_one *from)
{
    if (d->is_group)
        return true;
    if (!d->known)
        return learn(d, from);
    /* Who may write to a UNIX socket is up to its file's permissions. */
    if (!d->is_unix && !sockaddr_equal(from, &d->remote))
        return false;
    if (!atomic_load_explicit(&d->port.peer, memory_order_relaxed) &&
        connect_now(d) == 0)
        come_up(d);
    return true;
}

/* ---- trying again ---- */

static bool send_probe(struct dgram *d)
{
    uint8_t f[PROBE_LEN] = {0};
    const uint16_t type = htons(PROBE_TYPE);

    memcpy(f, d->probe_mac.octet, 6);
    memcpy(f + 6, d->probe_mac.octet, 6);
    memcpy(f + 12, &type, sizeof(type));
    return send(d->tx_fd, f, sizeof(f), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct dgram *d = w->data;
    int rc;

    (void)loop;
    (void)events;
    if (d->probing) { /* for a second, and not refused */
        come_up(d);
        return;
    }
    rc = connect_now(d);
    if (rc)
        dgram_refused(d, -rc);
    else if (d->is_unix)
        come_up(d);
    else
        d->probing = send_probe(d);
}

/* ---- the queue ---- */

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
    struct dgram *d = w->data;

    (void)loop;
    (void)events;
    d->queue->ready(d->queue);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events);

/* The socket that sends changes when a UNIX peer is found again. */
static void watch_output(struct dgram *d, struct ev_loop *loop, int fd)
{
    if (ev_is_active(&d->writable) && d->writable.fd == fd)
        return;
    ev_io_stop(loop, &d->writable);
    ev_io_init(&d->writable, on_writable, fd, EV_WRITE);
    ev_io_start(loop, &d->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
    struct dgram *d = w->data;
    int error, fd;
    bool done;

    (void)events;
    pthread_mutex_lock(&d->lock);
    done = !d->up || dgram_flush(d) || !d->up;
    if (done)
        d->asked = false;
    error = d->error;
    fd = d->out_fd;
    pthread_mutex_unlock(&d->lock);
    if (done)
        ev_io_stop(loop, &d->writable);
    else
        watch_output(d, loop, fd);
    if (error)
        dgram_refused(d, error);
}

/* A forwarder met something: a full queue, or nobody. */
static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    struct dgram *d = w->data;
    int error, fd;

    (void)events;
    pthread_mutex_lock(&d->lock);
    error = d->error;
    fd = d->up && d->out.tail > 0 ? d->out_fd : -1;
    if (fd < 0)
        d->asked = false;
    pthread_mutex_unlock(&d->lock);
    if (error)
        dgram_refused(d, error);
    if (fd >= 0)
        watch_output(d, loop, fd);
}

static void set_loop(struct dgram *d, struct ev_loop *loop)
{
    pthread_mutex_lock(&d->lock);
    d->loop = loop;
    d->asked = false;
    pthread_mutex_unlock(&d->lock);
}

static int dgram_attach(struct port *p, struct port_queue *q,
                        struct ev_loop *loop)
{
    struct dgram *d = dgram_of(p);
    int rc;

    if (q->index != 0 || d->rx_fd < 0)
        return -EINVAL;
    d->queue = q;
    ev_init(&d->writable, on_writable);
    ev_init(&d->timer, on_timer);
    ev_async_init(&d->wake, on_wake);
    ev_io_init(&d->readable, on_readable, d->rx_fd, EV_READ);
    d->readable.data = d->writable.data = d->timer.data = d->wake.data = d;
    ev_async_start(loop, &d->wake);
    set_loop(d, loop);
    ev_io_start(loop, &d->readable);
    if (!d->is_group && !d->known)
        return 0; /* somebody will send */
    rc = d->is_group ? 0 : connect_now(d);
    if (rc)
        dgram_refused(d, -rc);
    else
        come_up(d);
    return 0;
}

static void dgram_detach(struct port *p, struct port_queue *q,
                         struct ev_loop *loop)
{
    struct dgram *d = dgram_of(p);

    if (d->queue != q)
        return;
    set_loop(d, NULL);
    ev_io_stop(loop, &d->readable);
    ev_io_stop(loop, &d->writable);
    ev_timer_stop(loop, &d->timer);
    ev_async_stop(loop, &d->wake);
    d->queue = NULL;
}

/* ---- the kind ---- */

static int dgram_check(struct port *p, struct err *e)
{
    struct in_addr a;
    unsigned mode;
    struct dgram *d = dgram_of(p);
    int rc = read_keys(d, &mode, e);

    if (!rc && d->is_group && d->local.any.sa_family == AF_INET)
        rc = group_interface4(d, &a, e);
    return rc ? err_wrap(e, rc, "dgram:%s", p->spec.target) : 0;
}

static void dgram_describe(struct port *p, struct port_desc *desc)
{
    struct dgram *d = dgram_of(p);
    const char *remote = port_spec_get(&p->spec, "remote");

    pthread_mutex_lock(&d->words_lock);
    if (!remote)
        remote = d->peer;
    snprintf(desc->device, sizeof(desc->device), "%s %.50s",
             d->is_group ? "group" : "at", p->spec.target);
    if (d->is_group)
        snprintf(desc->detail, sizeof(desc->detail), "multicast");
    else if (atomic_load(&p->peer))
        snprintf(desc->detail, sizeof(desc->detail), "peer: %s", remote);
    else
        snprintf(desc->detail, sizeof(desc->detail),
                 "waiting for a peer%s%.100s%s%s", *remote ? " at " : "",
                 remote, d->last[0] ? ": " : "", d->last);
    pthread_mutex_unlock(&d->words_lock);
    pthread_mutex_lock(&d->lock);
    desc->losses.n[PORT_REASON_TX_DOWN] = d->dropped;
    pthread_mutex_unlock(&d->lock);
}

static struct port *dgram_alloc(void)
{
    struct dgram *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->rx_fd = d->tx_fd = d->out_fd = -1;
    d->probe_mac = mac_random();
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->words_lock, NULL);
    return &d->port;
}

static void dgram_free(struct port *p)
{
    struct dgram *d = dgram_of(p);

    arena_destroy(&d->out.memory);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->words_lock);
    free(d);
}

static const struct port_ops dgram_ops = {
    .open = dgram_open,
    .check = dgram_check,
    .attach = dgram_attach,
    .detach = dgram_detach,
    .rx = dgram_rx,
    .tx = dgram_tx,
    .close = dgram_close,
    .describe = dgram_describe,
};

const struct port_kind port_kind_dgram = {
    .name = "dgram",
    .help = "dgram:LOCAL,remote=REMOTE: a peer at a UNIX or UDP socket, or a "
            "multicast group, as QEMU's -netdev dgram",
    .keys = dgram_keys,
    .ops = &dgram_ops,
    .peer = true,
    .alloc = dgram_alloc,
    .free = dgram_free,
};
