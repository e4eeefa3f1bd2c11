/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap:NAME[,mac=MAC][,mtu=N]
 *
 * Creates a tap and holds its descriptor; the netdev belongs to whoever takes
 * it: the host, a namespace, a container.  The descriptor is its truth: the
 * netdev may be renamed and moved as people like, EIO says that it is down and
 * EBADFD that it has been deleted.  It disappears with the descriptor, so
 * nothing is left behind even by kill -9.
 *
 * It is made in our own namespace and moved to where it is wanted: a
 * descriptor opened inside a namespace would keep that alive, and so would
 * the namespace's own, which is closed for the same reason once the netdev is
 * there.  A namespace that ends takes its taps along.
 *
 * One queue, one descriptor for all tx contexts (the kernel lets any number
 * of threads write): a plain loop of read and writev.  More queues, io_uring
 * and a thread per direction were all slower on few cores.
 */
#include "ports/tap.h"

#include "ports/netdev.h"
#include "ports/netns.h"
#include "ports/netwatch.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* The default of 1000 is a millisecond of small frames: too few for a reader
 * that shares its processor with the sender. */
#define TXQLEN 4096
/* What it is called until it is in its namespace; the kernel numbers it. */
#define NAME_ON_THE_WAY "bascule%d"
/* In front of each frame; its end holds the virtio-net header while reading. */
#define HEADROOM 64
#define VNET_LEN sizeof(struct virtio_net_hdr)

struct tap {
    struct port port;
    int fd; /* -1: not open */
    /* Where the netdev is; control thread once open. */
    int ifindex;
    char ifname[IFNAMSIZ];
    uint64_t first;   /* the namespace it was made for */
    bool spent;       /* ... whose descriptor is no longer there */
    unsigned changes; /* that have been told of it; control thread */
    ev_io readable;
    struct port_queue *queue; /* NULL: not attached */
};

static struct tap *tap_of(struct port *p)
{
    return (struct tap *)((char *)p - offsetof(struct tap, port));
}

static const char *const tap_keys[] = {"mac", "mtu", NULL};

/* ---- opening ---- */

struct tap_wish {
    bool has_mac;
    struct mac mac;
    uint32_t mtu; /* 0: the kernel's */
};

static int parse_wish(const struct port_spec *s, struct tap_wish *w,
                      struct err *e)
{
    const char *mac = port_spec_get(s, "mac");
    const char *mtu = port_spec_get(s, "mtu");
    char *end;

    memset(w, 0, sizeof(*w));
    if (mac) {
        if (!mac_parse(mac, &w->mac) || mac_is_group(&w->mac) ||
            mac_is_zero(&w->mac))
            return err_set(e, EINVAL,
                           "mac=%s is not the address of one interface", mac);
        w->has_mac = true;
    }
    if (mtu) {
        unsigned long v = strtoul(mtu, &end, 10);

        if (*mtu < '0' || *mtu > '9' || *end || v < 68 || v > 65521)
            return err_set(e, EINVAL, "mtu=%s: must be from 68 to 65521", mtu);
        w->mtu = (uint32_t)v;
    }
    return 0;
}

/* What else could be done, if it is the bridge's own interface. */
static const char *instead(const struct tap *t)
{
    return t->port.spec.local ? ", or make the bridge without an interface "
                                "(--no-local; in a file, local: no)"
                              : "";
}

static int explain_open(const struct tap *t, int rc, struct err *e)
{
    if (rc == EPERM || rc == EACCES)
        return err_set(e, rc,
                       "no permission to open /dev/net/tun: run as root or "
                       "with CAP_NET_ADMIN%s",
                       instead(t));
    if (rc == ENOENT || rc == ENODEV || rc == ENXIO)
        return err_set(e, rc,
                       "no /dev/net/tun: load the module (modprobe tun) or "
                       "give the container the device");
    return err_sys(e, rc, "/dev/net/tun");
}

static int check_name(const char *name, struct err *e)
{
    if (!*name || strlen(name) >= IFNAMSIZ || strchr(name, '%') ||
        strchr(name, '/'))
        return err_set(e, EINVAL, "\"%s\" cannot be an interface's name", name);
    return 0;
}

static int exists(const struct tap *t, int netns_fd, const char *name,
                  struct err *e)
{
    char way[NETDEV_WAY_MAX];

    return err_set(e, EEXIST, "%s",
                   netdev_in_the_way(netns_fd, name,
                                     t->port.spec.local ? NETDEV_FOR_BRIDGE
                                                        : NETDEV_FOR_PORT,
                                     way));
}

/* Makes the netdev 'name' in our own namespace. */
static int create(struct tap *t, const char *name, struct err *e)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

    if (if_nametoindex(name))
        return exists(t, -1, name, e);
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0)
        return explain_open(t, errno, e);
    memcpy(ifr.ifr_name, name, strlen(name));
    /* If another made it meanwhile, do not attach to theirs. */
    ifr.ifr_flags |= (short)IFF_TUN_EXCL;
    if (ioctl(t->fd, TUNSETIFF, &ifr) == 0) {
        memcpy(t->ifname, ifr.ifr_name, sizeof(t->ifname));
        return 0;
    }
    switch (errno) {
    case EPERM:
        return err_set(e, EPERM,
                       "no permission to create interface %s: run as root or "
                       "with CAP_NET_ADMIN%s",
                       name, instead(t));
    case EBUSY:
    case EEXIST:
        return exists(t, -1, name, e);
    default:
        return err_sys(e, errno, "creating interface %s", name);
    }
}

/*
 * Says what may come up the descriptor.  USO is newer (6.2) than the oldest
 * kernels we meet; the answer also tells whether writes may carry it.
 */
static int set_offloads(struct tap *t, struct err *e)
{
    const unsigned base = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    int size = VNET_LEN, little = 1;

    if (ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0 ||
        ioctl(t->fd, TUNSETVNETLE, &little) < 0)
        return err_sys(e, errno, "setting the virtio-net header");
    t->port.caps.tx_uso = true;
    if (ioctl(t->fd, TUNSETOFFLOAD, base | TUN_F_USO4 | TUN_F_USO6) == 0)
        return 0;
    t->port.caps.tx_uso = false;
    if (ioctl(t->fd, TUNSETOFFLOAD, base) < 0)
        return err_sys(e, errno, "setting the offloads");
    return 0;
}

/* The carrier of the bridge's own interface is what the bridge says it is; of
 * any other it is the user's (ip link set dev ... carrier off). */
static void say_netdev(const struct tap *t, const struct netdev *d,
                       struct tap_place *w)
{
    w->ifindex = d->ifindex;
    memcpy(w->ifname, d->name, sizeof(w->ifname));
    w->link =
        d->flags & IFF_UP && (t->port.spec.local || d->flags & IFF_RUNNING);
    w->mtu = d->mtu;
    w->mac = d->mac;
}

static void take_netdev(struct tap *t, const struct tap_place *w)
{
    t->ifindex = w->ifindex;
    memcpy(t->ifname, w->ifname, sizeof(t->ifname));
    t->port.caps.link = w->link;
    t->port.caps.mtu = w->mtu;
    t->port.caps.mac = w->mac;
}

static int configure(struct tap *t, const struct tap_wish *w, struct err *e)
{
    struct tap_place here;
    struct netdev d;
    int rc;

    rc = netdev_get(t->ifname, 0, &d, e);
    if (!rc)
        rc = netdev_set_txqlen(d.ifindex, TXQLEN, e);
    if (!rc && w->has_mac)
        rc = netdev_set_mac(d.ifindex, &w->mac, e);
    if (!rc && w->mtu)
        rc = netdev_set_mtu(d.ifindex, w->mtu, e);
    if (!rc && (w->has_mac || w->mtu))
        rc = netdev_get(NULL, d.ifindex, &d, e);
    if (rc)
        return rc;
    say_netdev(t, &d, &here);
    take_netdev(t, &here);
    t->port.caps.speed = netdev_speed(d.name);
    return 0;
}

static void tap_close(struct port *p)
{
    struct tap *t = tap_of(p);

    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    t->ifindex = 0;
}

/* ---- where the netdev is ---- */

int tap_netns(struct port *p)
{
    struct tap *t = tap_of(p);
    int fd;

    if (p->kind != &port_kind_tap || t->fd < 0)
        return -ENODEV;
    fd = ioctl(t->fd, TUNGETDEVNETNS);
    return fd < 0 ? -errno : fd;
}

/*
 * Enters the namespace the netdev is in and finds it there.  Of the port it
 * reads only what stays while it is open.  *fd is that namespace, for the
 * caller to close, or -1 if it is not known.
 */
static int enter_home_once(struct tap *t, struct netns_scope *scope,
                           struct netdev *d, int *fd, struct err *e)
{
    struct ifreq ifr = {0};
    int rc = tap_netns(&t->port);

    *fd = rc < 0 ? -1 : rc;
    if (rc < 0)
        return err_sys(e, rc, "finding the namespace of %s",
                       t->port.spec.target);
    rc = netns_enter(scope, *fd, e);
    if (rc)
        return rc;
    if (ioctl(t->fd, TUNGETIFF, &ifr) < 0)
        rc = err_sys(e, errno, "finding the name of %s", t->port.spec.target);
    else
        rc = netdev_get(ifr.ifr_name, 0, d, e);
    if (rc)
        netns_leave(scope);
    return rc;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static int enter_home(struct tap *t, struct netns_scope *scope,
                      struct netdev *d, int *fd, struct err *e)
{
    int rc = enter_home_once(t, scope, d, fd, e);

    /* It may move or get another name between one question and the next. */
    for (int i = 1; i < 3 && rc == -ENODEV; i++) {
        close_fd(*fd);
        rc = enter_home_once(t, scope, d, fd, e);
    }
    return rc;
}

static void locate(struct tap *t, struct tap_place *w, struct err *e)
{
    struct netns_scope scope = {.home = -1};
    struct netdev d = {0};

    w->rc = enter_home(t, &scope, &d, &w->netns_fd, e);
    w->netns = w->netns_fd < 0 ? 0 : netns_id(w->netns_fd);
    if (w->rc)
        return;
    netns_leave(&scope);
    say_netdev(t, &d, w);
}

static int move_in(struct tap *t, int netns_fd, struct err *e)
{
    const char *name = t->port.spec.target;
    int rc = netdev_move(t->ifindex, netns_fd, name, e);
    struct tap_place w;

    if (rc == -EEXIST)
        return exists(t, netns_fd, name, e);
    if (rc)
        return rc;
    locate(t, &w, e);
    close_fd(w.netns_fd);
    if (!w.rc)
        take_netdev(t, &w);
    return w.rc;
}

static int make(struct tap *t, const struct tap_wish *w, struct err *e)
{
    int ns = t->port.spec.netns_fd;
    bool abroad = ns >= 0 && netns_id(ns) != netns_id(-1);
    int rc;

    rc = create(t, abroad ? NAME_ON_THE_WAY : t->port.spec.target, e);
    if (!rc)
        rc = set_offloads(t, e);
    if (!rc)
        rc = configure(t, w, e);
    if (!rc && abroad)
        rc = move_in(t, ns, e);
    if (rc)
        return rc;
    t->first = t->port.netns = netns_id(ns);
    if (ns >= 0)
        close(ns);
    t->port.spec.netns_fd = -1;
    t->spent = abroad;
    return 0;
}

static int tap_open(struct port *p, struct err *e)
{
    struct tap *t = tap_of(p);
    struct tap_wish wish;
    int rc;

    if (t->spent)
        return err_set(e, ESTALE,
                       "the namespace of interface %s is not kept: remove the "
                       "port and add it again",
                       p->spec.target);
    p->caps = (struct port_caps){
        .vnet = true,
        .tx_csum = true,
        .tx_tso4 = true,
        .tx_tso6 = true,
        .edge = true,
    };
    p->n_queues = 1;
    atomic_store(&p->failed, false);
    rc = check_name(p->spec.target, e);
    if (!rc)
        rc = parse_wish(&p->spec, &wish, e);
    if (!rc)
        rc = make(t, &wish, e);
    if (rc)
        tap_close(p);
    return rc;
}

/* ---- forwarding ---- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct tap *t = w->data;

    (void)loop;
    (void)revents;
    t->queue->ready(t->queue);
}

static int tap_attach(struct port *p, struct port_queue *q,
                      struct ev_loop *loop)
{
    struct tap *t = tap_of(p);

    if (t->fd < 0 || q->index != 0)
        return -EINVAL;
    t->queue = q;
    ev_io_init(&t->readable, on_readable, t->fd, EV_READ);
    t->readable.data = t;
    ev_io_start(loop, &t->readable);
    return 0;
}

static void tap_detach(struct port *p, struct port_queue *q,
                       struct ev_loop *loop)
{
    struct tap *t = tap_of(p);

    if (t->queue != q)
        return;
    ev_io_stop(loop, &t->readable);
    t->queue = NULL;
}

/* The netdev is gone from under the descriptor. */
static int gone(struct tap *t)
{
    port_event(&t->port, PORT_EVENT_FAILED,
               "interface %s was deleted: to make it anew remove the port and "
               "add it again (delif, addif)",
               t->port.spec.target);
    return -ENODEV;
}

/*
 * Reads one frame into the end of the arena and keeps no more of it than what
 * came, so that a turn's memory is dense.  1, 0 (none there), or -errno.
 */
static int read_one(struct tap *t, struct batch *b)
{
    struct arena *a = b->arena;
    struct frame *f = &b->frame[b->n];
    enum port_reason why = PORT_REASON_RX_BAD_VNET;
    size_t mark = a->used;
    uint8_t *at = arena_alloc(a, HEADROOM + FRAME_LEN_MAX);
    ssize_t n;

    if (!at)
        return 0; /* the watcher will tell again next turn */
    n = read(t->fd, at + HEADROOM - VNET_LEN, VNET_LEN + FRAME_LEN_MAX);
    a->used = mark;
    if (n < 0)
        return -errno;
    if ((size_t)n < VNET_LEN + FRAME_ETH_HLEN) {
        b->lost[PORT_REASON_RX_RUNT]++;
        return 1;
    }
    n -= VNET_LEN;
    memcpy(&f->vnet, at + HEADROOM - VNET_LEN, VNET_LEN);
    f->seg[0].iov_base = at + HEADROOM;
    f->seg[0].iov_len = (size_t)n;
    f->len = (uint32_t)n;
    f->nseg = 1;
    f->vid = 0;
    if (!frame_vnet_check(f, &why)) {
        b->lost[why]++;
        return 1;
    }
    a->used = (size_t)(at + HEADROOM + n - a->base);
    b->n++;
    return 1;
}

static int tap_rx(struct port *p, unsigned queue, struct batch *b,
                  unsigned budget)
{
    struct tap *t = tap_of(p);
    unsigned first = b->n, tries = 0;

    (void)queue;
    /* Refused frames count against the budget too: a device that sends
     * nothing else must not hold the turn. */
    for (; tries < budget && b->n < b->max; tries++) {
        int rc = read_one(t, b);

        if (rc == 1)
            continue;
        if (rc == -EBADFD || rc == -ENODEV)
            return gone(t);
        if (rc == -EINTR)
            continue;
        break; /* EAGAIN: empty; EIO: down, which netlink tells */
    }
    return (int)(b->n - first);
}

static enum port_reason write_error(int err)
{
    switch (err) {
    case EIO:
        return PORT_REASON_TX_DOWN;
    case EAGAIN:
    case ENOBUFS:
        return PORT_REASON_TX_QUEUE_FULL;
    case ENOMEM:
        return PORT_REASON_TX_NO_MEMORY;
    case EMSGSIZE:
        return PORT_REASON_TX_TOO_BIG;
    case EBADFD:
    case ENODEV:
        return PORT_REASON_TX_FAILED;
    default:
        return PORT_REASON_TX_ERROR;
    }
}

static int write_one(struct tap *t, const struct frame *f)
{
    struct virtio_net_hdr h = f->vnet;
    struct iovec v[1 + FRAME_SEGS_MAX];

    /* A hint that nobody answers for; the kernel refuses one that lies. */
    if (h.hdr_len > f->len)
        h.hdr_len = 0;
    v[0].iov_base = &h;
    v[0].iov_len = VNET_LEN;
    memcpy(v + 1, f->seg, f->nseg * sizeof(v[0]));
    return writev(t->fd, v, 1 + f->nseg) < 0 ? errno : 0;
}

static void tap_tx(struct port *p, unsigned ctx, struct frame *const *f,
                   unsigned n, struct tx_result *r)
{
    struct tap *t = tap_of(p);

    (void)ctx;
    for (unsigned i = 0; i < n; i++) {
        int err = write_one(t, f[i]);
        enum port_reason why;

        if (!err) {
            r->sent++;
            r->bytes += f[i]->len;
            continue;
        }
        why = write_error(err);
        r->refused[why]++;
        if (why == PORT_REASON_TX_FAILED && !r->failed) {
            r->failed = true;
            gone(t);
        }
    }
}

/* ---- following the netdev ---- */

void tap_ask(struct port *p, struct tap_place *w)
{
    *w = (struct tap_place){.changes = tap_of(p)->changes, .netns_fd = -1};
}

void tap_find(struct port *p, struct tap_place *w)
{
    locate(tap_of(p), w, NULL);
}

/*
 * A namespace that is ending cannot be entered any more (EINVAL), and takes the
 * netdev along.  What the kernel has told meanwhile is at least as new, or is
 * followed by what is.
 */
bool tap_found(struct port *p, const struct tap_place *w)
{
    struct tap *t = tap_of(p);

    if (w->rc == -EBADFD || w->rc == -EINVAL) {
        gone(t);
        return true;
    }
    if (w->changes != t->changes)
        return false;
    if (w->netns_fd >= 0)
        p->netns = w->netns;
    if (w->rc)
        tap_unwatched(p);
    else
        take_netdev(t, w);
    port_event(p, PORT_EVENT_CAPS, "interface %s was found again", t->ifname);
    return true;
}

void tap_unwatched(struct port *p)
{
    struct tap *t = tap_of(p);

    t->ifindex = 0;
    if (!p->spec.local)
        p->caps.link = true;
}

static bool caps_equal(const struct port_caps *a, const struct port_caps *b)
{
    return a->mtu == b->mtu && mac_equal(&a->mac, &b->mac);
}

static void tap_link(struct port *p, const struct link_change *c)
{
    struct tap *t = tap_of(p);
    struct port_caps old = p->caps;

    if (t->fd < 0 || atomic_load(&p->failed) || c->netns != p->netns ||
        c->ifindex != t->ifindex)
        return;
    t->changes++;
    if (c->gone) {
        t->ifindex = 0; /* the descriptor knows whether it is no more */
        port_event(p, PORT_EVENT_AWAY, "interface %s left", t->ifname);
        return;
    }
    p->caps.mtu = c->mtu;
    p->caps.mac = c->mac;
    p->caps.link = c->up && (c->carrier || p->spec.local);
    snprintf(t->ifname, sizeof(t->ifname), "%s", c->ifname);
    if (!caps_equal(&old, &p->caps))
        port_event(p, PORT_EVENT_CAPS, "interface %s: MTU or address changed",
                   t->ifname);
    if (old.link != p->caps.link)
        port_event(p, p->caps.link ? PORT_EVENT_UP : PORT_EVENT_DOWN,
                   "interface %s is %s", t->ifname,
                   !c->up         ? "down"
                   : p->caps.link ? "up"
                                  : "without carrier");
}

static void tap_describe(struct port *p, struct port_desc *d)
{
    struct tap *t = tap_of(p);

    memset(d, 0, sizeof(*d));
    d->ifindex = t->ifindex;
    snprintf(d->device, sizeof(d->device), "tap %s",
             *t->ifname ? t->ifname : p->spec.target);
    snprintf(d->detail, sizeof(d->detail), "%s%s",
             p->caps.tx_uso ? "virtio-net header, TSO, USO"
                            : "virtio-net header, TSO",
             p->netns != t->first ? ", moved to another namespace" : "");
}

/* ---- for the owner of the bridge's own interface ---- */

/* From another thread than the one that follows the netdev: what changes while
 * the port is open is not looked at. */

static int check_open(struct port *p, struct err *e)
{
    if (p->kind == &port_kind_tap && tap_of(p)->fd >= 0)
        return 0;
    return err_set(e, ENODEV, "port %s is not an open tap", p->spec.name);
}

int tap_set_mac(struct port *p, const struct mac *mac, struct err *e)
{
    struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
    struct tap *t = tap_of(p);
    int rc = check_open(p, e);

    if (rc)
        return rc;
    memcpy(ifr.ifr_hwaddr.sa_data, mac->octet, sizeof(mac->octet));
    if (ioctl(t->fd, SIOCSIFHWADDR, &ifr) < 0)
        return err_sys(e, errno, "setting the MAC address of %s",
                       p->spec.target);
    return 0;
}

int tap_set_mtu(struct port *p, uint32_t mtu, struct err *e)
{
    struct netns_scope scope = {.home = -1};
    struct netdev d = {0};
    int fd = -1, rc = check_open(p, e);

    if (!rc)
        rc = enter_home(tap_of(p), &scope, &d, &fd, e);
    close_fd(fd);
    if (rc)
        return rc;
    rc = netdev_set_mtu(d.ifindex, mtu, e);
    netns_leave(&scope);
    return rc;
}

int tap_set_carrier(struct port *p, bool on, struct err *e)
{
    int v = on, rc = check_open(p, e);

    if (rc)
        return rc;
    if (ioctl(tap_of(p)->fd, TUNSETCARRIER, &v) < 0)
        return err_sys(e, errno, "setting the carrier of %s", p->spec.target);
    return 0;
}

/* ---- the kind ---- */

static int tap_check(struct port *p, struct err *e)
{
    struct tap_wish w;
    int rc = parse_wish(&p->spec, &w, e);

    return rc ? rc : check_name(p->spec.target, e);
}

static struct port *tap_alloc(void)
{
    struct tap *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->fd = -1;
    return &t->port;
}

static void tap_free(struct port *p)
{
    free(tap_of(p));
}

static const struct port_ops tap_ops = {
    .open = tap_open,
    .check = tap_check,
    .attach = tap_attach,
    .detach = tap_detach,
    .rx = tap_rx,
    .tx = tap_tx,
    .close = tap_close,
    .link = tap_link,
    .describe = tap_describe,
};

const struct port_kind port_kind_tap = {
    .name = "tap",
    .help = "tap:NAME[,mac=MAC][,mtu=N]: an interface made here, for a host, "
            "a namespace or a container",
    .keys = tap_keys,
    .ops = &tap_ops,
    .netdev = true,
    .alloc = tap_alloc,
    .free = tap_free,
};
