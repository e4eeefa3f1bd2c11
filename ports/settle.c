/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/settle.h"
#include "ports/inet.h"

#include <endian.h>

#define IP4_ADDR_AT 12
#define IP6_ADDR_AT 8
#define IP4_ADDRS   8
#define IP6_ADDRS   32

/* A whole, unfragmented IP packet in the frame. */
struct packet {
    const struct frame *f;
    bool ip4;
    uint8_t proto;
    uint32_t net;   /* offset of the network header */
    uint32_t trans; /* of the transport header */
    uint32_t end;   /* of the packet; padding may follow */
    uint64_t addrs; /* sum of the addresses */
};

static bool read_ip4(struct packet *p, struct cursor *c)
{
    uint8_t h[IP4_HLEN_MIN];
    uint32_t hlen, len;

    if (!cursor_bytes(c, h, sizeof(h)))
        return false;
    hlen = (uint32_t)(h[0] & 15) * 4;
    len = (uint32_t)h[2] << 8 | h[3];
    p->proto = h[9];
    p->trans = p->net + hlen;
    p->end = p->net + len;
    p->addrs = inet_sum(h + IP4_ADDR_AT, IP4_ADDRS);
    return h[0] >> 4 == 4 && hlen >= IP4_HLEN_MIN && len >= hlen &&
           ((h[6] & 0x3f) | h[7]) == 0;
}

static bool is_extension(uint8_t proto)
{
    return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING ||
           proto == PROTO_DSTOPTS;
}

static bool read_ip6(struct packet *p, struct cursor *c)
{
    uint8_t h[IP6_HLEN], units;

    if (!cursor_bytes(c, h, sizeof(h)) || h[0] >> 4 != 6)
        return false;
    p->proto = h[6];
    p->trans = p->net + IP6_HLEN;
    p->end = p->trans + ((uint32_t)h[4] << 8 | h[5]);
    p->addrs = inet_sum(h + IP6_ADDR_AT, IP6_ADDRS);
    while (is_extension(p->proto)) {
        if (!cursor_u8(c, &p->proto) || !cursor_u8(c, &units) ||
            !cursor_skip(c, (size_t)units * 8 + 6))
            return false;
        p->trans += (uint32_t)units * 8 + 8;
    }
    return p->end >= p->trans;
}

static bool find(struct packet *p)
{
    const struct frame *f = p->f;
    struct cursor c = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    uint16_t type;
    bool ok;

    p->net = inet_mac_hlen(f, &type);
    if (!cursor_skip(&c, p->net))
        return false;
    p->ip4 = type == ETH_IP4;
    if (p->ip4)
        ok = read_ip4(p, &c);
    else
        ok = type == ETH_IP6 && read_ip6(p, &c);
    return ok && p->end <= f->len;
}

/* Is everything behind the packet zero, so that a sum does not see it? */
static bool padded_with_zeros(const struct packet *p)
{
    const struct frame *f = p->f;
    size_t at = 0;

    for (unsigned i = 0; i < f->nseg; i++) {
        const uint8_t *b = f->seg[i].iov_base;
        size_t n = f->seg[i].iov_len;

        for (size_t k = p->end > at ? p->end - at : 0; k < n; k++)
            if (b[k])
                return false;
        at += n;
    }
    return true;
}

/* What a sender puts into the field for a device to go on from. */
static uint16_t pseudo(const struct packet *p)
{
    return inet_fold(p->addrs + htobe16(p->proto) +
                     inet_fold(htobe32(p->end - p->trans)));
}

/* Is there a checksum to complete?  Its place in *offset. */
static bool is_partial(const struct packet *p, uint16_t *offset)
{
    const uint8_t *head = p->f->seg[0].iov_base;
    bool sctp = p->proto == PROTO_SCTP;
    uint32_t field, end;

    if (p->proto == PROTO_TCP)
        *offset = TCP_CSUM_AT;
    else if (p->proto == PROTO_UDP)
        *offset = UDP_CSUM_AT;
    else if (sctp)
        *offset = SCTP_CSUM_AT;
    else
        return false;
    field = p->trans + *offset;
    end = field + (sctp ? 4 : 2);
    if (end > p->end || end > p->f->seg[0].iov_len)
        return false;
    if (sctp) /* a CRC sees every octet, zero or not */
        return inet_get16(head + field) == 0 &&
               inet_get16(head + field + 2) == 0 && p->end == p->f->len;
    return inet_get16(head + field) == pseudo(p) && padded_with_zeros(p);
}

static void describe(struct frame *f, const struct packet *p, uint16_t offset)
{
    f->csum = CSUM_PARTIAL;
    f->vnet = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = (uint16_t)p->trans,
        .csum_offset = offset,
    };
}

void settle(struct frame *f)
{
    struct packet p = {.f = f};
    uint16_t offset;

    if (f->csum != CSUM_UNKNOWN)
        return;
    f->csum = CSUM_COMPLETE;
    if (find(&p) && is_partial(&p, &offset))
        describe(f, &p, offset);
}

/* Octets of the TCP header, 0 if it is none or not whole. */
static uint32_t tcp_hlen(const struct packet *p)
{
    const struct frame *f = p->f;
    struct cursor c = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    uint8_t doff;
    uint32_t n;

    if (p->proto != PROTO_TCP || !cursor_skip(&c, p->trans + TCP_DOFF_AT) ||
        !cursor_u8(&c, &doff))
        return 0;
    n = (uint32_t)(doff >> 4) * 4;
    return n < TCP_HLEN_MIN || p->trans + n > p->end ||
                   p->trans + n > f->seg[0].iov_len
               ? 0
               : n;
}

bool settle_super(struct frame *f, uint32_t mtu, uint32_t mss,
                  enum port_reason *why)
{
    struct packet p = {.f = f};
    uint16_t type, offset;
    uint32_t headers, size;
    const uint8_t *head = f->seg[0].iov_base;

    if (f->len <= mtu + FRAME_ETH_HLEN ||
        f->len <= mtu + inet_mac_hlen(f, &type))
        return true;
    *why = PORT_REASON_RX_UNDESCRIBED;
    if (!find(&p) || (headers = tcp_hlen(&p)) == 0 || p.end != f->len ||
        !is_partial(&p, &offset))
        return false;
    headers += p.trans;
    if (mtu <= headers - p.net)
        return false;
    size = mtu - (headers - p.net);
    if (mss && mss < size)
        size = mss;
    describe(f, &p, offset);
    f->vnet.gso_type =
        p.ip4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if (head[p.trans + TCP_FLAGS_AT] & TCP_CWR)
        f->vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    f->vnet.gso_size = (uint16_t)size;
    f->vnet.hdr_len = (uint16_t)headers;
    return true;
}
