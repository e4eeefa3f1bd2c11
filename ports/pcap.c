/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap:IF[,filter="EXPRESSION"][,promisc=off][,block=off][,snaplen=N]
 *      [,buffer=KB][,mss=N]
 *
 * An existing Ethernet interface by way of libpcap: what it captures comes in,
 * what the switch sends is injected.  Where the packet kind can be used it is
 * faster, since libpcap knows no virtio-net header: frames leave complete and
 * cut, one system call each, and what a sender left undone in a frame that
 * comes in has to be found out (ports/settle.h).
 *
 * Two handles.  One receives, owned by the worker of queue 0.  The other only
 * sends, under a lock: a handle is for one thread at a time.  It listens for a
 * protocol that nobody sends, as libpcap cannot be told to receive nothing.
 */
#include "ports/netns.h"
#include "ports/offload.h"
#include "ports/pcap_port.h"
#include "ports/settle.h"
#include "ports/takeover.h"

#include <errno.h>
#include <ev.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PROTOCOL_NONE 0xffff /* reserved: no frame has this type */
#define SNDBUF        (16 << 20)
#define BUFFER_KB     32768

struct live {
    struct port port;
    struct takeover dev;
    struct takeover_how how;
    bool promisc;
    uint32_t snaplen, buffer_kb;
    uint32_t mss; /* octets of payload in pieces of super-frames; 0: by MTU */
    _Atomic uint32_t mtu; /* as caps.mtu, for the worker */

    pcap_t *in;
    ev_io readable;
    struct port_queue *queue; /* NULL: not attached */

    pthread_mutex_t tx_lock;
    pcap_t *out;
    uint8_t *flat; /* a frame in one piece */

    pthread_mutex_t stat_lock; /* 'in' while its statistics are read; lost */
    uint64_t lost;
};

static struct live *live_of(struct port *p)
{
    return (struct live *)((char *)p - offsetof(struct live, port));
}

static const char *const live_keys[] = {"filter", "promisc", "block", "snaplen",
                                        "buffer", "mss",     NULL};

/* ---- opening ---- */

static int parse_keys(struct live *k, struct err *e)
{
    const struct port_spec *s = &k->port.spec;
    int rc;

    k->promisc = true;
    k->how = (struct takeover_how){.block = true};
    k->snaplen = FRAME_LEN_MAX;
    k->buffer_kb = BUFFER_KB;
    k->mss = 0;
    rc = port_spec_bool(s, "promisc", &k->promisc, e);
    if (!rc)
        rc = port_spec_bool(s, "block", &k->how.block, e);
    if (!rc)
        rc = port_spec_uint(s, "snaplen", 64, FRAME_LEN_MAX, &k->snaplen, e);
    if (!rc)
        rc = port_spec_uint(s, "buffer", 256, 1 << 20, &k->buffer_kb, e);
    if (!rc)
        rc = port_spec_uint(s, "mss", OFFLOAD_GSO_MIN, 65535, &k->mss, e);
    return rc;
}

/* What libpcap says of a handle that would not activate. */
static int no_handle(pcap_t *h, int rc, const char *name, struct err *e)
{
    const char *text = pcap_geterr(h);

    if (rc == PCAP_ERROR_PERM_DENIED)
        return err_set(e, EPERM,
                       "no permission to capture on %s: run as root or with "
                       "CAP_NET_RAW",
                       name);
    if (rc == PCAP_ERROR_IFACE_NOT_UP)
        return err_set(e, ENETDOWN,
                       "interface %s is down, and libpcap opens none that is: "
                       "ip link set dev %s up",
                       name, name);
    return err_set(e, rc == PCAP_ERROR_NO_SUCH_DEVICE ? ENODEV : EIO,
                   "libpcap on %s: %s", name,
                   *text ? text : pcap_statustostr(rc));
}

static pcap_t *new_handle(const char *name, struct err *e, int *rc)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    pcap_t *h = pcap_create(name, text);

    if (!h)
        *rc = err_set(e, ENOMEM, "libpcap on %s: %s", name, text);
    return h;
}

static int set_filter(struct live *k, struct err *e)
{
    const char *text = port_spec_get(&k->port.spec, "filter");
    struct bpf_program prog;
    int rc;

    if (!text)
        return 0;
    if (pcap_compile(k->in, &prog, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return err_set(e, EINVAL, "filter \"%s\": %s", text,
                       pcap_geterr(k->in));
    rc = pcap_setfilter(k->in, &prog);
    pcap_freecode(&prog);
    return rc < 0
               ? err_set(e, EIO, "filter \"%s\": %s", text, pcap_geterr(k->in))
               : 0;
}

/*
 * What we send is not for us.  libpcap would filter it by the direction one by
 * one, after it took a place in the ring; the kernel can leave it out.  Where
 * it cannot (before Linux 4.20), the direction is enough.
 */
static int receive_only(struct live *k, struct err *e)
{
    int one = 1;

    if (pcap_setdirection(k->in, PCAP_D_IN) < 0)
        return err_set(e, EIO, "libpcap on %s: direction: %s",
                       k->port.spec.target, pcap_geterr(k->in));
    (void)setsockopt(pcap_fileno(k->in), SOL_PACKET, PACKET_IGNORE_OUTGOING,
                     &one, sizeof(one));
    return 0;
}

static int check_handle(struct live *k, struct err *e)
{
    const char *name = k->port.spec.target;
    char text[PCAP_ERRBUF_SIZE] = "";
    int link = pcap_datalink(k->in);

    if (link != DLT_EN10MB)
        return err_set(e, EINVAL,
                       "%s has frames of type %s, and a bridge needs Ethernet",
                       name, pcap_datalink_val_to_description_or_dlt(link));
    if (pcap_setnonblock(k->in, 1, text) < 0 ||
        pcap_setnonblock(k->out, 1, text) < 0)
        return err_set(e, EIO, "libpcap on %s: %s", name, text);
    if (pcap_get_selectable_fd(k->in) < 0)
        return err_set(e, EIO, "libpcap on %s: it cannot be waited for", name);
    return 0;
}

static int open_in(struct live *k, struct err *e)
{
    const char *name = k->port.spec.target;
    int rc = 0;

    k->in = new_handle(name, e, &rc);
    if (!k->in)
        return rc;
    pcap_set_snaplen(k->in, (int)k->snaplen);
    pcap_set_promisc(k->in, k->promisc);
    pcap_set_immediate_mode(k->in, 1);
    pcap_set_buffer_size(k->in, (int)(k->buffer_kb << 10));
    rc = pcap_activate(k->in);
    return rc < 0 ? no_handle(k->in, rc, name, e) : 0;
}

static int open_out(struct live *k, struct err *e)
{
    const char *name = k->port.spec.target;
    int size = SNDBUF, rc = 0;

    k->out = new_handle(name, e, &rc);
    if (!k->out)
        return rc;
    pcap_set_snaplen(k->out, 64);
    pcap_set_immediate_mode(k->out, 1);
    pcap_set_buffer_size(k->out, 64 << 10);
    pcap_set_protocol_linux(k->out, PROTOCOL_NONE);
    rc = pcap_activate(k->out);
    if (rc < 0)
        return no_handle(k->out, rc, name, e);
    (void)setsockopt(pcap_fileno(k->out), SOL_SOCKET, SO_SNDBUFFORCE, &size,
                     sizeof(size));
    return 0;
}

static int open_handles(struct live *k, struct err *e)
{
    int rc;

    if (!k->flat)
        k->flat = malloc(FRAME_LEN_MAX);
    if (!k->flat)
        return err_set(e, ENOMEM, "no memory for a pcap port");
    rc = open_in(k, e);
    if (!rc)
        rc = open_out(k, e);
    if (!rc)
        rc = check_handle(k, e);
    if (!rc)
        rc = receive_only(k, e);
    return rc ? rc : set_filter(k, e);
}

static void read_losses(struct live *k)
{
    struct pcap_stat st;

    pthread_mutex_lock(&k->stat_lock);
    if (k->in && pcap_stats(k->in, &st) == 0)
        k->lost = st.ps_drop;
    pthread_mutex_unlock(&k->stat_lock);
}

static void close_handles(struct live *k)
{
    pthread_mutex_lock(&k->stat_lock);
    if (k->in)
        pcap_close(k->in);
    k->in = NULL;
    pthread_mutex_unlock(&k->stat_lock);
    if (k->out)
        pcap_close(k->out);
    k->out = NULL;
}

static int take_over(struct live *k, struct err *e)
{
    struct port_caps *caps = &k->port.caps;
    struct netdev d;
    int rc = takeover_take(&k->dev, &k->port.spec, &k->how, &d, e);

    if (rc)
        return rc;
    rc = open_handles(k, e);
    if (!rc)
        rc = takeover_settings(&k->dev, &d, &k->how, e);
    if (rc) {
        close_handles(k);
        takeover_give_back(&k->dev);
        return rc;
    }
    *caps = (struct port_caps){.serial = true};
    takeover_caps(&k->dev, &d, caps);
    atomic_store(&k->mtu, caps->mtu);
    return 0;
}

static int live_open(struct port *p, struct err *e)
{
    struct live *k = live_of(p);
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

static void live_shut(struct port *p)
{
    struct live *k = live_of(p);

    if (!k->dev.ifindex)
        return;
    read_losses(k);
    close_handles(k);
    takeover_end(&k->dev, &p->spec);
}

/* ---- receiving ---- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct live *k = w->data;

    (void)loop;
    (void)revents;
    k->queue->ready(k->queue);
}

static int live_attach(struct port *p, struct port_queue *q,
                       struct ev_loop *loop)
{
    struct live *k = live_of(p);

    if (!k->in || q->index != 0)
        return -EINVAL;
    k->queue = q;
    ev_io_init(&k->readable, on_readable, pcap_get_selectable_fd(k->in),
               EV_READ);
    k->readable.data = k;
    ev_io_start(loop, &k->readable);
    return 0;
}

static void live_detach(struct port *p, struct port_queue *q,
                        struct ev_loop *loop)
{
    struct live *k = live_of(p);

    if (k->queue != q)
        return;
    ev_io_stop(loop, &k->readable);
    k->queue = NULL;
}

struct taking {
    struct batch *b;
    uint32_t mtu, mss;
};

static bool acceptable(const struct pcap_pkthdr *h, enum port_reason *why)
{
    if (h->len > FRAME_LEN_MAX)
        *why = PORT_REASON_RX_TRUNCATED;
    else if (h->caplen < h->len)
        *why = PORT_REASON_RX_CUT;
    else if (h->len < FRAME_ETH_HLEN)
        *why = PORT_REASON_RX_RUNT;
    else
        return true;
    return false;
}

/* libpcap's ring has the next frame when this returns: so it is copied. */
static void take_frame(u_char *user, const struct pcap_pkthdr *h,
                       const u_char *bytes)
{
    struct taking *t = (struct taking *)(void *)user;
    struct batch *b = t->b;
    struct frame *f = &b->frame[b->n];
    enum port_reason why;
    void *at;

    if (!acceptable(h, &why)) {
        b->lost[why]++;
        return;
    }
    at = arena_alloc(b->arena, h->len);
    if (!at) {
        b->lost[PORT_REASON_RX_NO_MEMORY]++;
        return;
    }
    memcpy(at, bytes, h->len);
    *f = (struct frame){
        .seg = {{at, h->len}}, .nseg = 1, .len = h->len, .csum = CSUM_UNKNOWN};
    if (settle_super(f, t->mtu, t->mss, &why))
        b->n++;
    else
        b->lost[why]++;
}

/* As many as the arena has room for, were they all super-frames. */
static unsigned room_for(const struct arena *a, unsigned want)
{
    size_t room = arena_left(a) / (FRAME_LEN_MAX + 64);

    return want < room ? want : (unsigned)room;
}

static int live_rx(struct port *p, unsigned queue, struct batch *b,
                   unsigned budget)
{
    struct live *k = live_of(p);
    struct taking t = {.b = b,
                       .mtu =
                           atomic_load_explicit(&k->mtu, memory_order_relaxed),
                       .mss = k->mss};
    unsigned first = b->n, tried = 0;

    (void)queue;
    while (tried < budget && b->n < b->max) {
        unsigned left = budget - tried;
        unsigned want =
            room_for(b->arena, left < b->max - b->n ? left : b->max - b->n);
        int got;

        if (!want)
            break; /* the watcher will tell again next turn */
        got = pcap_dispatch(k->in, (int)want, take_frame, (u_char *)&t);
        if (got < 0) {
            port_event(p, PORT_EVENT_FAILED, "libpcap on %s: %s",
                       p->spec.target, pcap_geterr(k->in));
            return -EIO;
        }
        tried += (unsigned)got;
        if ((unsigned)got < want)
            break;
    }
    return (int)(b->n - first);
}

/* ---- sending ---- */

static const void *in_one_piece(struct live *k, const struct frame *f)
{
    size_t n = 0;

    if (f->nseg == 1)
        return f->seg[0].iov_base;
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(k->flat + n, f->seg[i].iov_base, f->seg[i].iov_len);
        n += f->seg[i].iov_len;
    }
    return k->flat;
}

/*
 * False with errno.  A socket remembers that its device went down and says so
 * once more when it is up again: hence twice.
 */
static bool inject(struct live *k, const void *bytes, uint32_t len)
{
    for (int tries = 0; tries < 2; tries++) {
        errno = 0;
        if (pcap_inject(k->out, bytes, len) >= 0)
            return true;
        if (errno != ENETDOWN)
            break;
    }
    return false;
}

static void send_one(struct live *k, const struct frame *f, struct tx_result *r)
{
    enum port_reason why;

    if (f->len > FRAME_LEN_MAX) {
        r->refused[PORT_REASON_TX_TOO_BIG]++;
        return;
    }
    if (inject(k, in_one_piece(k, f), f->len)) {
        r->sent++;
        r->bytes += f->len;
        return;
    }
    why = takeover_refusal(errno);
    r->refused[why]++;
    if (why == PORT_REASON_TX_FAILED && !r->failed) {
        r->failed = true;
        takeover_gone(&k->port);
    }
}

static void live_tx(struct port *p, unsigned ctx, struct frame *const *f,
                    unsigned n, struct tx_result *r)
{
    struct live *k = live_of(p);

    (void)ctx;
    pthread_mutex_lock(&k->tx_lock);
    for (unsigned i = 0; i < n; i++)
        send_one(k, f[i], r);
    pthread_mutex_unlock(&k->tx_lock);
}

/* ---- following the device ---- */

static void live_link(struct port *p, const struct link_change *c)
{
    struct live *k = live_of(p);

    if (!k->dev.ifindex && !c->up)
        return; /* libpcap opens no interface that is down */
    takeover_link(&k->dev, p, c);
    atomic_store(&k->mtu, p->caps.mtu);
}

static void live_describe(struct port *p, struct port_desc *d)
{
    struct live *k = live_of(p);
    const char *filter = port_spec_get(&p->spec, "filter");

    takeover_describe(&k->dev, p, d);
    if (d->ifindex)
        snprintf(d->detail, sizeof(d->detail),
                 "libpcap, host stack %s%s, %u KB ring%s%.90s%s",
                 k->how.block ? "kept off by " : "not kept off",
                 k->how.block ? ingress_how(&k->dev.ingress) : "", k->buffer_kb,
                 filter ? ", filter \"" : "", filter ? filter : "",
                 filter ? "\"" : "");
    read_losses(k);
    d->losses.n[PORT_REASON_RX_QUEUE_FULL] = k->lost;
}

/* ---- the kind ---- */

/* A filter is translated for no interface: what it says must be understood. */
static int check_filter(const struct live *k, struct err *e)
{
    const char *text = port_spec_get(&k->port.spec, "filter");
    pcap_t *h = text ? pcap_open_dead(DLT_EN10MB, (int)k->snaplen) : NULL;
    struct bpf_program prog;
    int rc = 0;

    if (!h)
        return text ? err_set(e, ENOMEM, "filter \"%s\": no memory", text) : 0;
    if (pcap_compile(h, &prog, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
        rc = err_set(e, EINVAL, "filter \"%s\": %s", text, pcap_geterr(h));
    else
        pcap_freecode(&prog);
    pcap_close(h);
    return rc;
}

static int live_check(struct port *p, struct err *e)
{
    int rc = parse_keys(live_of(p), e);

    return rc ? rc : check_filter(live_of(p), e);
}

static struct port *live_alloc(void)
{
    struct live *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    takeover_init(&k->dev);
    pthread_mutex_init(&k->tx_lock, NULL);
    pthread_mutex_init(&k->stat_lock, NULL);
    return &k->port;
}

static void live_free(struct port *p)
{
    struct live *k = live_of(p);

    pthread_mutex_destroy(&k->tx_lock);
    pthread_mutex_destroy(&k->stat_lock);
    free(k->flat);
    free(k);
}

static const struct port_ops live_ops = {
    .open = live_open,
    .check = live_check,
    .attach = live_attach,
    .detach = live_detach,
    .rx = live_rx,
    .tx = live_tx,
    .close = live_shut,
    .link = live_link,
    .describe = live_describe,
};

const struct port_kind port_kind_pcap = {
    .name = "pcap",
    .help = "pcap:IF[,filter=\"EXPRESSION\"]: takes over an interface by way "
            "of libpcap",
    .keys = live_keys,
    .ops = &live_ops,
    .netdev = true,
    .alloc = live_alloc,
    .free = live_free,
};
