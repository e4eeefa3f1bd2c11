/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in and out of AF_PACKET sockets with virtio-net headers.
 *
 * Plain recvmmsg and sendmmsg: mapped rings copy as often, cannot carry
 * super-frames well and were slower in every comparison.
 */
#include "ports/packet.h"

#include "ports/offload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define VNET_LEN sizeof(struct virtio_net_hdr)
#define TAG_LEN  4

/*
 * Receive memory.  Each frame has a head that holds an ordinary frame whole,
 * and a spill that only super-frames and jumbo frames reach: a batch of small
 * frames touches a few pages, not one page of each of 64 buffers of 64 KB.
 * The stride of heads is an odd number of cache lines, so that headers fall
 * into different sets of the first-level cache.
 *
 *   |<- room ->|<------------- HEAD ------------->|   ...   |<- SPILL ->|
 *         ^vnet ^frame
 */
#define ROOM   64
#define HEAD   2048
#define STRIDE (ROOM + HEAD)
#define SPILL  (((FRAME_LEN_MAX - HEAD) / 64 + 2) * 64)

/* The fewest frames asked for, were the batch not smaller. */
#define EXPECT_MIN 4

_Static_assert(STRIDE / 64 % 2 == 1, "heads must spread over the cache");
_Static_assert(STRIDE % 64 == 0 && SPILL % 64 == 0, "whole cache lines");
_Static_assert(ROOM >= VNET_LEN + TAG_LEN, "room for header or tag");

union packet_control {
    char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    struct cmsghdr align;
};

/* One recvmmsg: on the stack, as a thousand ports would be megabytes. */
struct rx_call {
    struct mmsghdr msg[PACKET_BATCH_MAX];
    struct iovec iov[PACKET_BATCH_MAX][2];
    union packet_control control[PACKET_BATCH_MAX];
    uint8_t *head, *spill;
};

/* Sets up for 'want' frames or as many as the arena has room for. */
static unsigned prepare(struct rx_call *c, struct arena *a, unsigned want)
{
    size_t room = arena_left(a) / (STRIDE + SPILL + 64);

    if (want > room)
        want = (unsigned)room;
    if (!want)
        return 0;
    c->head = arena_alloc(a, (size_t)want * STRIDE);
    c->spill = arena_alloc(a, (size_t)want * SPILL);
    if (!c->head || !c->spill)
        return 0;
    for (unsigned i = 0; i < want; i++) {
        struct msghdr *m = &c->msg[i].msg_hdr;

        c->iov[i][0].iov_base = c->head + i * STRIDE + ROOM - VNET_LEN;
        c->iov[i][0].iov_len = VNET_LEN + HEAD;
        c->iov[i][1].iov_base = c->spill + i * SPILL;
        c->iov[i][1].iov_len = SPILL;
        m->msg_name = NULL;
        m->msg_namelen = 0;
        m->msg_iov = c->iov[i];
        m->msg_iovlen = 2;
        m->msg_control = &c->control[i];
        m->msg_controllen = sizeof(c->control[i]);
        m->msg_flags = 0;
    }
    return want;
}

/*
 * The kernel takes the outer tag off before packet sockets see the frame and
 * tells of it beside.  Put it back: the two addresses move into the room in
 * front.
 */
static void restore_tag(struct frame *f, struct msghdr *m)
{
    struct cmsghdr *cm = CMSG_FIRSTHDR(m);
    struct tpacket_auxdata aux;
    uint16_t tag[2];
    uint8_t *at;

    if (!cm || cm->cmsg_level != SOL_PACKET || cm->cmsg_type != PACKET_AUXDATA)
        return;
    memcpy(&aux, CMSG_DATA(cm), sizeof(aux));
    if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
        return;
    tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid
                                                             : ETH_P_8021Q);
    tag[1] = htons(aux.tp_vlan_tci);
    at = f->seg[0].iov_base;
    memmove(at - TAG_LEN, at, 2 * ETH_ALEN);
    memcpy(at - TAG_LEN + 2 * ETH_ALEN, tag, sizeof(tag));
    f->seg[0].iov_base = at - TAG_LEN;
    f->seg[0].iov_len += TAG_LEN;
    f->len += TAG_LEN;
    if (f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        f->vnet.csum_start += TAG_LEN;
    if (f->vnet.hdr_len)
        f->vnet.hdr_len += TAG_LEN;
}

/* Makes a frame of message i.  False with the reason if it cannot be one. */
static bool make_frame(struct rx_call *c, unsigned i, struct frame *f,
                       enum port_reason *why)
{
    size_t n = c->msg[i].msg_len;
    uint8_t *at = c->head + i * STRIDE + ROOM;

    *why = PORT_REASON_RX_TRUNCATED;
    if (c->msg[i].msg_hdr.msg_flags & MSG_TRUNC)
        return false;
    *why = PORT_REASON_RX_RUNT;
    if (n < VNET_LEN + FRAME_ETH_HLEN)
        return false;
    n -= VNET_LEN;
    memcpy(&f->vnet, at - VNET_LEN, VNET_LEN);
    f->len = (uint32_t)n;
    f->vid = 0;
    f->nseg = 1;
    f->seg[0].iov_base = at;
    f->seg[0].iov_len = n;
    if (n > HEAD) {
        f->nseg = 2;
        f->seg[0].iov_len = HEAD;
        f->seg[1].iov_base = c->spill + i * SPILL;
        f->seg[1].iov_len = n - HEAD;
    }
    restore_tag(f, &c->msg[i].msg_hdr);
    if (!frame_vnet_check(f, why))
        return false;
    *why = PORT_REASON_RX_UNDESCRIBED;
    return !frame_is_gso(f) || offload_describes(f);
}

/* Gives back the memory behind the last octet received. */
static void trim(struct rx_call *c, struct arena *a, unsigned got)
{
    const uint8_t *end = c->head + (size_t)got * STRIDE;

    for (unsigned i = 0; i < got; i++)
        if (c->msg[i].msg_len > VNET_LEN + HEAD)
            end = c->spill + (size_t)i * SPILL +
                  (c->msg[i].msg_len - VNET_LEN - HEAD);
    a->used = (size_t)(end - a->base);
}

/* One system call.  Messages taken off the socket, or -errno. */
static int receive(int fd, struct batch *b, unsigned want)
{
    struct rx_call c;
    size_t mark = b->arena->used;
    int got;

    want = prepare(&c, b->arena, want);
    if (!want) {
        b->arena->used = mark;
        return 0; /* the watcher will tell again next turn */
    }
    got = recvmmsg(fd, c.msg, want, MSG_DONTWAIT, NULL);
    if (got <= 0) {
        b->arena->used = mark;
        return got < 0 ? -errno : 0;
    }
    for (unsigned i = 0; i < (unsigned)got; i++) {
        enum port_reason why;

        if (make_frame(&c, i, &b->frame[b->n], &why))
            b->n++;
        else
            b->lost[why]++;
    }
    trim(&c, b->arena, (unsigned)got);
    return got;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * A message costs its preparation whether or not a frame comes for it, and a
 * bulk transfer brings one or two super-frames a call.  So ask for twice what
 * came last, up to the batch.
 */
static void adapt(struct packet_queue *q, unsigned got, unsigned batch)
{
    q->expect = smaller(got < EXPECT_MIN / 2 ? EXPECT_MIN : 2 * got, batch);
}

int packet_rx(struct port *p, unsigned queue, struct batch *b, unsigned budget)
{
    struct packet *k = packet_of(p);
    struct packet_queue *q = queue == PORT_QUEUE_PROTO ? &k->proto : &k->data;
    unsigned first = b->n, tried = 0;

    while (tried < budget && b->n < b->max) {
        unsigned want =
            smaller(smaller(budget - tried, b->max - b->n), q->expect);
        int got = receive(q->fd, b, want);

        if (got == -EINVAL) {
            /* It was taken off the queue, but its offload has no name in a
             * virtio-net header: a tunnel's super-frame. */
            b->lost[PORT_REASON_RX_UNDESCRIBED]++;
            tried++;
            continue;
        }
        if (got == -EINTR)
            continue;
        if (got == -ENODEV || got == -ENXIO)
            return packet_gone(k);
        if (got < 0)
            break; /* EAGAIN: empty; ENETDOWN: netlink tells */
        tried += (unsigned)got;
        adapt(q, (unsigned)got, k->batch);
        if ((unsigned)got < want)
            break;
    }
    return (int)(b->n - first);
}

/* ---- transmit ---- */

struct tx_call {
    struct mmsghdr msg[PACKET_BATCH_MAX];
    struct iovec iov[PACKET_BATCH_MAX][1 + FRAME_SEGS_MAX];
    struct virtio_net_hdr vnet[PACKET_BATCH_MAX];
};

static void fill(struct tx_call *c, struct frame *const *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct msghdr *m = &c->msg[i].msg_hdr;

        c->vnet[i] = f[i]->vnet;
        /* A hint that nobody answers for; the kernel refuses one that lies. */
        if (c->vnet[i].hdr_len > f[i]->len)
            c->vnet[i].hdr_len = 0;
        c->iov[i][0].iov_base = &c->vnet[i];
        c->iov[i][0].iov_len = VNET_LEN;
        memcpy(&c->iov[i][1], f[i]->seg, f[i]->nseg * sizeof(struct iovec));
        memset(m, 0, sizeof(*m));
        m->msg_iov = c->iov[i];
        m->msg_iovlen = 1 + (size_t)f[i]->nseg;
    }
}

static void count_sent(struct frame *const *f, unsigned n, struct tx_result *r)
{
    r->sent += n;
    for (unsigned i = 0; i < n; i++)
        r->bytes += f[i]->len;
}

/* sendmmsg stops at the first frame refused; go on behind it. */
static void send_all(struct packet *k, int fd, struct tx_call *c,
                     struct frame *const *f, unsigned n, struct tx_result *r)
{
    unsigned at = 0;

    while (at < n) {
        int sent = sendmmsg(fd, c->msg + at, n - at, MSG_DONTWAIT);
        enum port_reason why;

        if (sent > 0) {
            count_sent(f + at, (unsigned)sent, r);
            at += (unsigned)sent;
            continue;
        }
        if (sent < 0 && errno == EINTR)
            continue;
        why = takeover_refusal(sent < 0 ? errno : EIO);
        r->refused[why]++;
        at++;
        if (why == PORT_REASON_TX_FAILED && !r->failed) {
            r->failed = true;
            packet_gone(k);
        }
    }
}

void packet_tx(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
               struct tx_result *r)
{
    struct packet *k = packet_of(p);

    for (unsigned at = 0, some; at < n; at += some) {
        struct tx_call c;

        some = smaller(n - at, PACKET_BATCH_MAX);
        fill(&c, f + at, some);
        send_all(k, k->tx_fd[ctx], &c, f + at, some, r);
    }
}
