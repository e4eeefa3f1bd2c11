/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame on its way through the switch, and the memory it lives in.
 *
 * Frame memory is the arena of the forwarder (a worker, or the control thread
 * for protocol frames) that received it and lives until the end of that turn;
 * tx is synchronous, so nobody needs a reference count.  What must outlive a
 * turn is copied.
 *
 * Threads: a frame, a batch and an arena belong to one forwarder.
 */
#ifndef PORTS_FRAME_H
#define PORTS_FRAME_H

#include <linux/virtio_net.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ports/port_reason.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* Linux 6.2 */
#endif

/* The longest frame we carry: a 64 KB super-frame, two tags, some air. */
#define FRAME_LEN_MAX  (65536 + 64)
#define FRAME_SEGS_MAX 4
/* Octets of an Ethernet header without tag: two addresses and a type. */
#define FRAME_ETH_HLEN 14

/*
 * What is known of a frame's transport checksum (virtio 1.2, 5.1.6).
 *
 * COMPLETE  the field in the frame is right, or the frame has none
 * PARTIAL   the field holds the pseudo-header's sum; the one's complement sum
 *           from vnet.csum_start to the end goes to vnet.csum_offset behind it
 * UNKNOWN   the kind cannot tell (libpcap): may be either; settled when the
 *           frame is first sent to a port (ports/settle.h), never seen by tx
 */
enum csum_state { CSUM_COMPLETE, CSUM_PARTIAL, CSUM_UNKNOWN };

/*
 * seg[0] is switch-private memory, holds the headers (everything that exists
 * of the first 128 octets) and is what is judged and what is sent.  The
 * pipeline reads it and does not write it; a port that needs other headers
 * gets a private head from offload.c.
 *
 * vnet: the virtio-net header that came with the frame, in host byte order
 * (TUNSETVNETLE / native PACKET_VNET_HDR on the little-endian machines we
 * support), all zero if the kind has none.  Its offsets count from the first
 * octet of the frame as it stands here, with all tags.  It has been checked
 * by frame_vnet_check() before the frame leaves rx: if NEEDS_CSUM, csum_start
 * is behind the Ethernet header and the field it leads to inside seg[0]; a
 * gso_type is known, comes with NEEDS_CSUM, the csum_offset of its protocol
 * and a gso_size.  hdr_len is never trusted.
 */
struct frame {
    struct iovec seg[FRAME_SEGS_MAX];
    uint32_t len;     /* octets in all segments: MAC header to payload end */
    uint16_t nseg;    /* 1 .. FRAME_SEGS_MAX */
    uint16_t in_port; /* bridge port number it came from; set by the turn */
    uint16_t vid;     /* VLAN it is classified to; 0 until VLANs filter */
    uint8_t csum;     /* enum csum_state */
    struct virtio_net_hdr vnet;
};

/* A bump allocator; emptied at the end of each turn. */
struct arena {
    uint8_t *base;
    size_t size;
    size_t used;
};

/* 0 or -ENOMEM.  Memory is reserved, not touched. */
int arena_init(struct arena *a, size_t size);
void arena_destroy(struct arena *a);

static inline size_t arena_left(const struct arena *a)
{
    return a->size - a->used;
}

/* n octets, 64-aligned, or NULL when the arena is full. */
static inline void *arena_alloc(struct arena *a, size_t n)
{
    size_t at = (a->used + 63) & ~(size_t)63;

    if (at > a->size || a->size - at < n)
        return NULL;
    a->used = at + n;
    return a->base + at;
}

/*
 * What one turn receives.  rx appends to frame[n] .. frame[max - 1] and takes
 * memory from 'arena'; frames it had to refuse are counted in lost[].
 */
struct batch {
    struct frame *frame;
    unsigned n;
    unsigned max;
    struct arena *arena;
    /* Differs from turn to turn: frames of another turn are no more. */
    uint64_t turn;
    uint32_t lost[PORT_REASON_COUNT];
};

/*
 * For rx: is the frame long enough to be one, and is its virtio-net header
 * one that a well-behaved kernel or guest would send with it?  Sets f->csum
 * and tidies f->vnet: what means nothing for this frame (offsets without
 * NEEDS_CSUM, gso_size without gso_type, unknown flags, an hdr_len past the
 * end) becomes zero, so that nothing a peer made up is passed on.
 * Returns true, or false with the reason to count in *why.
 */
bool frame_vnet_check(struct frame *f, enum port_reason *why);

/*
 * Gives 'f' a head of its own in 'a' that may be written, with the same octets:
 * what was in seg[0] is shared by whoever keeps the frame (a replayed capture,
 * for instance).  False: no memory left in the arena, and 'f' is as it was.
 */
bool frame_own_head(struct frame *f, struct arena *a);

/* Segments' total, for assertions. */
static inline size_t frame_iov_len(const struct frame *f)
{
    size_t n = 0;

    for (unsigned i = 0; i < f->nseg; i++)
        n += f->seg[i].iov_len;
    return n;
}

/* A super-frame that stands for several (TSO, USO). */
static inline bool frame_is_gso(const struct frame *f)
{
    return f->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

#endif
