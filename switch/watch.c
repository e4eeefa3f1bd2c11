/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/watch.h"

/*
 * Octets of the frame in one piece: most frames have all they need in the
 * first segment.  Returns how many.
 */
static size_t first_octets(const struct frame *frame, uint8_t *room,
                           const void **at)
{
    size_t n = 0;

    *at = frame->seg[0].iov_base;
    if (frame->nseg == 1)
        return frame->seg[0].iov_len;
    for (unsigned i = 0; i < frame->nseg && n < SNOOP_BYTES; i++) {
        size_t more = frame->seg[i].iov_len;

        if (more > SNOOP_BYTES - n)
            more = SNOOP_BYTES - n;
        memcpy(room + n, frame->seg[i].iov_base, more);
        n += more;
    }
    *at = room;
    return n;
}

/* The control thread is told which port has something. */
static void announce(struct forwarder *f, struct ingress *in)
{
    atomic_fetch_or_explicit(&in->plane->claims[in->no / 64],
                             1ULL << in->no % 64, memory_order_release);
    f->news = true;
}

void watch_look(struct forwarder *f, struct ingress *in,
                const struct frame *frame, bool acks_only)
{
    struct claim_ring *r = &in->lane->claims;
    struct claim_slot s = {.vid = frame->vid};
    uint8_t room[SNOOP_BYTES];
    const void *bytes;
    size_t n;

    if (!budget_take(&r->budget, f->now, CLAIM_RING_RATE, CLAIM_RING_BURST))
        return;
    n = first_octets(frame, room, &bytes);
    if (!snoop_parse(bytes, n, &s.claim) ||
        (acks_only && s.claim.how != SNOOP_DHCP_ACK))
        return;
    if (claim_ring_push(r, &s))
        announce(f, in);
}
