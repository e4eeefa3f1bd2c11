/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/frame.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* Where the checksum lies in its header (RFC 9293, 3.1; RFC 768). */
#define TCP_CSUM_OFFSET 16
#define UDP_CSUM_OFFSET 6

int arena_init(struct arena *a, size_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg ; no file, as mmap(2) wants it */
    void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

    *a = (struct arena){0};
    if (m == MAP_FAILED)
        return -ENOMEM;
    a->base = m;
    a->size = size;
    return 0;
}

void arena_destroy(struct arena *a)
{
    if (a->base)
        munmap(a->base, a->size);
    *a = (struct arena){0};
}

/* The field to complete lies in the private head, behind the MAC header. */
static bool csum_in_head(const struct frame *f)
{
    const struct virtio_net_hdr *v = &f->vnet;
    size_t end = (size_t)v->csum_start + v->csum_offset + 2;

    return v->csum_start >= FRAME_ETH_HLEN && end <= f->len &&
           end <= f->seg[0].iov_len;
}

/*
 * A super-frame must have NEEDS_CSUM: virtio 1.2 obliges both sides to set it
 * (5.1.6.2.1, 5.1.6.4.1), Linux does for all that GSO and GRO make, and
 * without csum_start nobody could cut the frame without guessing where its
 * transport header is.  The exceptions are LRO and UDP GRO by fragment list,
 * which a port must have off for frames it means to forward.
 *
 * GSO_UDP cuts into IP fragments (UFO); we never offer it.
 */
static bool gso_sane(const struct virtio_net_hdr *v)
{
    if (!(v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || v->gso_size == 0)
        return false;
    switch (v->gso_type) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
    case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
    case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
        return v->csum_offset == TCP_CSUM_OFFSET;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return v->csum_offset == UDP_CSUM_OFFSET;
    default:
        return false;
    }
}

static bool refuse(enum port_reason *why, enum port_reason r)
{
    *why = r;
    return false;
}

bool frame_vnet_check(struct frame *f, enum port_reason *why)
{
    struct virtio_net_hdr *v = &f->vnet;

    if (f->len < FRAME_ETH_HLEN)
        return refuse(why, PORT_REASON_RX_RUNT);
    if (f->len > FRAME_LEN_MAX)
        return refuse(why, PORT_REASON_RX_TRUNCATED);
    v->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
    if (v->hdr_len > f->len)
        v->hdr_len = 0;
    if (v->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        v->gso_size = 0;
    else if (!gso_sane(v))
        return refuse(why, PORT_REASON_RX_BAD_VNET);
    if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        if (!csum_in_head(f))
            return refuse(why, PORT_REASON_RX_BAD_VNET);
        f->csum = CSUM_PARTIAL;
    } else {
        v->csum_start = v->csum_offset = 0;
        f->csum = CSUM_COMPLETE;
    }
    return true;
}

/* Octets of a head that is split off; what is judged is always in it. */
#define HEAD_LEN 128

bool frame_own_head(struct frame *f, struct arena *a)
{
    struct iovec rest = f->seg[0];
    bool split = rest.iov_len > HEAD_LEN && f->nseg < FRAME_SEGS_MAX;
    size_t n = split ? HEAD_LEN : rest.iov_len;
    void *head = arena_alloc(a, n);

    if (!head)
        return false;
    memcpy(head, rest.iov_base, n);
    if (split) {
        memmove(&f->seg[2], &f->seg[1], (f->nseg - 1U) * sizeof(f->seg[0]));
        f->seg[1] =
            (struct iovec){(uint8_t *)rest.iov_base + n, rest.iov_len - n};
        f->nseg++;
    }
    f->seg[0] = (struct iovec){head, n};
    return true;
}
