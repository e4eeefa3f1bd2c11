/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything is judged on the private head (seg[0]) and every length is taken
 * from the frame itself: gso_type says what to expect, the headers must agree
 * up to csum_start, and from there the transport header says where the
 * payload begins.
 *
 * Checksums are kept in memory order throughout (RFC 1071, 2 (B)): the sum of
 * swapped words is the swapped sum, so nothing is converted but lengths.
 *
 * The pseudo-header's sum is the sender's: only its length is exchanged.  So
 * it stays right where the addresses that count are not in the header (IPv6
 * routing header), and what a sender gets wrong stays wrong for the receiver
 * to see.
 */
#include "ports/offload.h"
#include "base/cursor.h"
#include "ports/inet.h"
#include "ports/settle.h"

#include <endian.h>

/* What the gso_type says without its ECN bit. */
static unsigned gso_of(const struct frame *f)
{
    return f->vnet.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
}

/*
 * Octets of a super-frame up to its payload, by the transport header itself;
 * 0 if that is not whole in the private head.
 */
static uint32_t gso_hlen(const struct frame *f)
{
    struct cursor c = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    uint32_t n = UDP_HLEN;
    uint8_t doff;

    if (gso_of(f) != VIRTIO_NET_HDR_GSO_UDP_L4) {
        if (!cursor_skip(&c, (size_t)f->vnet.csum_start + TCP_DOFF_AT) ||
            !cursor_u8(&c, &doff))
            return 0;
        n = (uint32_t)(doff >> 4) * 4;
        if (n < TCP_HLEN_MIN)
            return 0;
    }
    n += f->vnet.csum_start;
    return n <= f->seg[0].iov_len && n <= f->len ? n : 0;
}

bool offload_fits(const struct frame *f, const struct port_caps *caps)
{
    if (f->csum == CSUM_UNKNOWN)
        return false; /* not before somebody has looked */
    if (f->csum == CSUM_PARTIAL && !(caps->vnet && caps->tx_csum))
        return false;
    switch (gso_of(f)) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return caps->vnet && caps->tx_tso4;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return caps->vnet && caps->tx_tso6;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return caps->vnet && caps->tx_uso;
    default:
        return false;
    }
}

bool offload_mtu_ok(const struct frame *f, uint32_t mtu)
{
    uint16_t type;
    uint32_t len = f->len, hlen;

    if (len <= mtu + FRAME_ETH_HLEN)
        return true;
    if (frame_is_gso(f)) {
        hlen = gso_hlen(f);
        if (hlen && len > hlen + f->vnet.gso_size)
            len = hlen + f->vnet.gso_size;
    }
    return len <= mtu + inet_mac_hlen(f, &type);
}

/* ---- sums ---- */

/* The sum of a frame's octets from 'from' (inside seg[0]) to its end. */
static uint16_t sum_frame(const struct frame *f, uint32_t from)
{
    uint64_t total = 0;
    bool odd = false;

    for (unsigned i = 0; i < f->nseg; i++) {
        const uint8_t *at = f->seg[i].iov_base;
        size_t n = f->seg[i].iov_len;
        uint16_t s;

        if (i == 0) {
            at += from;
            n -= from;
        }
        s = inet_fold(inet_sum(at, n));
        total += odd ? (uint16_t)(s << 8 | s >> 8) : s;
        odd ^= n & 1;
    }
    return inet_fold(total);
}

/* A length as it counts in a pseudo-header, which has room for 32 bits. */
static uint16_t sum_len(uint32_t len)
{
    return inet_fold(htobe32(len));
}

static void put16(uint8_t *at, uint16_t memory_order)
{
    memcpy(at, &memory_order, 2);
}

static void put_be16(uint8_t *at, uint32_t v)
{
    put16(at, htobe16((uint16_t)v));
}

/* ---- what is to be cut, and how ---- */

struct plan {
    const struct frame *f;
    bool gso;
    bool sctp;    /* its checksum is a CRC (RFC 9260, 6.8) */
    bool tx_csum; /* leave the checksums to the port */
    bool ip4;
    bool tcp;
    uint32_t net;   /* offset of the network header */
    uint32_t trans; /* of the transport header: csum_start */
    uint32_t field; /* of its checksum */
    uint32_t hlen;  /* octets copied to the head of each piece */
    uint32_t size;  /* octets of payload in each piece but the last */
    uint32_t pieces;
    uint16_t pseudo; /* sum of the pseudo-header without its length */
};

static bool read_ip4(struct cursor *c, uint32_t *hlen, uint8_t *proto)
{
    uint8_t vihl, skip[6];
    uint16_t frag;

    if (!cursor_u8(c, &vihl) || vihl >> 4 != 4 || !cursor_bytes(c, skip, 5) ||
        !cursor_be16(c, &frag) || !cursor_skip(c, 1) || !cursor_u8(c, proto))
        return false;
    *hlen = (uint32_t)(vihl & 15) * 4;
    return *hlen >= IP4_HLEN_MIN && (frag & 0x3fff) == 0;
}

/*
 * Follows the extension headers until 'end' octets from the network header.
 * A payload length of 0 would be a jumbogram, whose option a piece must not
 * carry (RFC 2675).
 */
static bool read_ip6(struct cursor *c, uint32_t end, uint8_t *proto)
{
    uint32_t at = IP6_HLEN;
    uint16_t len;
    uint8_t v, units;

    if (!cursor_u8(c, &v) || v >> 4 != 6 || !cursor_skip(c, 3) ||
        !cursor_be16(c, &len) || len == 0 || !cursor_u8(c, proto) ||
        !cursor_skip(c, 33))
        return false;
    while (at < end) {
        if (*proto != PROTO_HOPOPTS && *proto != PROTO_ROUTING &&
            *proto != PROTO_DSTOPTS)
            return false;
        if (!cursor_u8(c, proto) || !cursor_u8(c, &units) ||
            !cursor_skip(c, (size_t)units * 8 + 6))
            return false;
        at += (uint32_t)units * 8 + 8;
    }
    return at == end;
}

/* The protocol of the header at csum_start, if IP headers lead there. */
static bool find_proto(struct plan *p, uint8_t *proto)
{
    const struct frame *f = p->f;
    struct cursor c = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    uint16_t type;
    uint32_t hlen;

    p->net = inet_mac_hlen(f, &type);
    if (p->trans <= p->net || !cursor_skip(&c, p->net))
        return false;
    p->ip4 = type == ETH_IP4;
    if (p->ip4)
        return read_ip4(&c, &hlen, proto) && p->net + hlen == p->trans;
    return type == ETH_IP6 && read_ip6(&c, p->trans - p->net, proto);
}

/* Do the headers say what gso_type says, and end where csum_start says? */
static bool headers_match(struct plan *p)
{
    const struct frame *f = p->f;
    unsigned gso = gso_of(f);
    uint8_t proto;

    if (!find_proto(p, &proto))
        return false;
    p->tcp = gso != VIRTIO_NET_HDR_GSO_UDP_L4;
    if (gso == VIRTIO_NET_HDR_GSO_TCPV4 || gso == VIRTIO_NET_HDR_GSO_TCPV6)
        return p->ip4 == (gso == VIRTIO_NET_HDR_GSO_TCPV4) &&
               proto == PROTO_TCP && f->vnet.csum_offset == TCP_CSUM_AT;
    return gso == VIRTIO_NET_HDR_GSO_UDP_L4 && proto == PROTO_UDP &&
           f->vnet.csum_offset == UDP_CSUM_AT;
}

bool offload_describes(const struct frame *f)
{
    struct plan p = {.f = f, .trans = f->vnet.csum_start};

    return headers_match(&p);
}

static bool refuse(enum port_reason *why, enum port_reason r)
{
    *why = r;
    return false;
}

static bool plan_pieces(struct plan *p, enum port_reason *why)
{
    const struct frame *f = p->f;
    uint32_t payload;

    if (!headers_match(p) || (p->hlen = gso_hlen(f)) == 0)
        return refuse(why, PORT_REASON_TX_GSO_BAD);
    payload = f->len - p->hlen;
    p->size = f->vnet.gso_size;
    if (payload <= p->size) {
        p->size = payload;
        p->pieces = 1;
        return true;
    }
    if (p->size < OFFLOAD_GSO_MIN)
        return refuse(why, PORT_REASON_TX_GSO_TINY);
    p->pieces = (payload + p->size - 1) / p->size;
    if (p->pieces > OFFLOAD_PIECES_MAX)
        return refuse(why, PORT_REASON_TX_GSO_TINY);
    return true;
}

static bool make_plan(struct plan *p, enum port_reason *why)
{
    const struct frame *f = p->f;
    const uint8_t *head = f->seg[0].iov_base;
    uint8_t proto;

    p->gso = frame_is_gso(f);
    p->trans = f->vnet.csum_start;
    p->field = p->trans + f->vnet.csum_offset;
    p->sctp = !p->gso && f->vnet.csum_offset == SCTP_CSUM_AT &&
              find_proto(p, &proto) && proto == PROTO_SCTP;
    p->hlen = p->field + (p->sctp ? 4 : 2);
    if (f->csum != CSUM_PARTIAL)
        return refuse(why, PORT_REASON_TX_GSO_BAD);
    if (p->trans < FRAME_ETH_HLEN || p->hlen > f->seg[0].iov_len)
        return refuse(why, PORT_REASON_TX_CSUM_BAD);
    p->pieces = 1;
    p->size = f->len - p->hlen;
    if (!p->gso)
        return true;
    if (!plan_pieces(p, why))
        return false;
    p->pseudo = inet_fold((uint64_t)inet_get16(head + p->field) +
                          (uint16_t)~sum_len(f->len - p->trans));
    return true;
}

/* ---- pieces ---- */

/* Where in the frame's segments the next payload octet lies. */
struct place {
    unsigned seg;
    size_t off;
};

/* Appends slices of f's payload to 'out'; returns how many octets. */
static uint32_t take_slices(const struct frame *f, struct place *at,
                            uint32_t want, struct iovec *slice, unsigned *n)
{
    uint32_t got = 0;

    *n = 0;
    while (got < want && at->seg < f->nseg) {
        const struct iovec *s = &f->seg[at->seg];
        size_t here = s->iov_len - at->off;

        if (here > want - got)
            here = want - got;
        if (here) {
            slice[*n].iov_base = (uint8_t *)s->iov_base + at->off;
            slice[(*n)++].iov_len = here;
        }
        got += (uint32_t)here;
        at->off += here;
        if (at->off == s->iov_len)
            *at = (struct place){at->seg + 1, 0};
    }
    return got;
}

/*
 * Puts head and slices together.  A piece that takes from every one of the
 * most segments a frame can have leaves no room for its head: then the first
 * slice is copied behind the head instead.
 */
static bool join(struct frame *out, uint8_t *head, uint32_t hlen,
                 const struct iovec *slice, unsigned n, struct arena *arena)
{
    unsigned first = 0;

    out->seg[0] = (struct iovec){head, hlen};
    if (n == FRAME_SEGS_MAX) {
        uint8_t *both = arena_alloc(arena, hlen + slice[0].iov_len);

        if (!both)
            return false;
        memcpy(both, head, hlen);
        memcpy(both + hlen, slice[0].iov_base, slice[0].iov_len);
        out->seg[0] = (struct iovec){both, hlen + slice[0].iov_len};
        first = 1;
    }
    out->nseg = 1;
    for (unsigned i = first; i < n; i++)
        out->seg[out->nseg++] = slice[i];
    return true;
}

static void edit_net(const struct plan *p, uint8_t *net, uint32_t len,
                     unsigned i)
{
    uint16_t id;

    if (!p->ip4) {
        put_be16(net + IP6_LEN_AT, len - IP6_HLEN);
        return;
    }
    id = be16toh(inet_get16(net + IP4_ID_AT));
    put_be16(net + IP4_LEN_AT, len);
    put_be16(net + IP4_ID_AT, id + i);
    put16(net + IP4_CSUM_AT, 0);
    put16(net + IP4_CSUM_AT,
          (uint16_t)~inet_fold(inet_sum(net, p->trans - p->net)));
}

/* FIN and PSH go with the last piece, CWR with the first (RFC 3168, 6.1.2). */
static void edit_tcp(const struct plan *p, uint8_t *tcp, unsigned i)
{
    uint32_t seq;

    memcpy(&seq, tcp + TCP_SEQ_AT, 4);
    seq = htobe32(be32toh(seq) + i * p->size);
    memcpy(tcp + TCP_SEQ_AT, &seq, 4);
    if (i > 0)
        tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
    if (i + 1 < p->pieces)
        tcp[TCP_FLAGS_AT] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/* The head of piece i, whose frame will be 'len' octets long. */
static void edit_head(const struct plan *p, uint8_t *head, uint32_t len,
                      unsigned i)
{
    edit_net(p, head + p->net, len - p->net, i);
    if (p->tcp)
        edit_tcp(p, head + p->trans, i);
    else
        put_be16(head + p->trans + UDP_LEN_AT, len - p->trans);
    put16(head + p->field,
          inet_fold((uint64_t)p->pseudo + sum_len(len - p->trans)));
}

/*
 * CRC32c of everything from the SCTP header on, its field taken as zero; in
 * little-endian order (RFC 9260, appendix A).  Kernels ask for it with the
 * same flag as for a sum.
 */
static void complete_crc(const struct plan *p, struct frame *out)
{
    uint8_t *field = (uint8_t *)out->seg[0].iov_base + p->field;
    uint32_t crc = UINT32_MAX;

    memset(field, 0, 4);
    for (unsigned i = 0; i < out->nseg; i++) {
        const uint8_t *at = out->seg[i].iov_base;

        for (size_t k = i ? 0 : p->trans; k < out->seg[i].iov_len; k++) {
            crc ^= at[k];
            for (int bit = 0; bit < 8; bit++)
                crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }
    crc = htole32(~crc);
    memcpy(field, &crc, 4);
}

/*
 * Zero means "no checksum" in UDP, which sends its other form instead
 * (RFC 768).  Wherever it is not UDP that has its field there, both forms
 * mean the same.
 */
static void complete(const struct plan *p, struct frame *out)
{
    uint16_t sum;

    out->csum = CSUM_COMPLETE;
    if (p->sctp) {
        complete_crc(p, out);
        return;
    }
    sum = (uint16_t)~sum_frame(out, p->trans);
    if (sum == 0 && p->f->vnet.csum_offset == UDP_CSUM_AT)
        sum = 0xffff;
    put16((uint8_t *)out->seg[0].iov_base + p->field, sum);
}

static bool make_piece(const struct plan *p, unsigned i, struct place *at,
                       uint8_t *head, struct frame *out, struct arena *arena)
{
    const struct frame *f = p->f;
    struct iovec slice[FRAME_SEGS_MAX];
    unsigned n;

    *out = (struct frame){.in_port = f->in_port, .vid = f->vid};
    out->len = p->hlen + take_slices(f, at, p->size, slice, &n);
    memcpy(head, f->seg[0].iov_base, p->hlen);
    if (p->gso)
        edit_head(p, head, out->len, i);
    if (!join(out, head, p->hlen, slice, n, arena))
        return false;
    if (!p->tx_csum) {
        complete(p, out);
        return true;
    }
    out->csum = CSUM_PARTIAL;
    out->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    out->vnet.csum_start = f->vnet.csum_start;
    out->vnet.csum_offset = f->vnet.csum_offset;
    return true;
}

static unsigned make_plain(const struct frame *f, bool tx_csum,
                           struct frame *out, unsigned max, struct arena *arena,
                           enum port_reason *why)
{
    struct plan p = {.f = f, .tx_csum = tx_csum};
    size_t mark = arena->used, stride;
    struct place at;
    uint8_t *heads;

    *why = PORT_REASON_TX_NO_MEMORY;
    if (max == 0)
        return 0;
    if (!frame_is_gso(f) && (tx_csum || f->csum != CSUM_PARTIAL)) {
        out[0] = *f;
        return 1;
    }
    if (!make_plan(&p, why))
        return 0;
    stride = (p.hlen + 15) & ~15U;
    heads = p.pieces <= max ? arena_alloc(arena, p.pieces * stride) : NULL;
    if (!heads)
        return 0;
    at = (struct place){0, p.hlen};
    for (unsigned i = 0; i < p.pieces; i++) {
        if (!make_piece(&p, i, &at, heads + i * stride, &out[i], arena)) {
            arena->used = mark;
            return 0;
        }
    }
    return p.pieces;
}

unsigned offload_plain(const struct frame *f, bool tx_csum, struct frame *out,
                       unsigned max, struct arena *arena, enum port_reason *why)
{
    struct frame known;

    if (f->csum != CSUM_UNKNOWN)
        return make_plain(f, tx_csum, out, max, arena, why);
    known = *f;
    settle(&known);
    return make_plain(&known, tx_csum, out, max, arena, why);
}
