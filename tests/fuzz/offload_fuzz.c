/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Well-formed super-frames of every shape, and the same with a few octets of
 * their headers spoiled: a well-formed one must be cut (or be too many
 * pieces), a spoiled one cut right or refused.  Input: a struct shape, cuts,
 * pairs of (offset, octet) that spoil, and payload for the rest.
 */
#include "tests/fuzz/pieces.h"

#include "base/cursor.h"

enum { V6 = 1, UDP = 2, ECN = 4, TX_CSUM = 8 };

struct shape {
    uint8_t kind;      /* V6 | UDP | ECN | TX_CSUM, tags in the top two bits */
    uint8_t net_extra; /* IPv4 option words or extension headers */
    uint8_t trans_extra; /* TCP option words */
    uint8_t flags;
    uint8_t gso_size[2];
    uint8_t more[2]; /* octets of payload beyond the input's */
    uint8_t cut[3];
    uint8_t spoil; /* how many pairs follow */
};

static uint8_t bytes[FLAT_MAX];

static uint32_t put(uint32_t at, uint64_t v, unsigned octets)
{
    while (octets--)
        bytes[at++] = (uint8_t)(v >> (8 * octets));
    return at;
}

static uint32_t put_ip6(uint32_t at, const struct shape *s, uint8_t proto)
{
    static const uint8_t type[] = {0, 43, 60};
    unsigned n = s->net_extra % 4;

    at = put(at, 0x60000000, 4);
    at = put(at, 1, 2); /* not zero; set by who cuts */
    at = put(at, n ? type[0] : proto, 1);
    at = put(at, 64, 1);
    for (unsigned i = 0; i < 4; i++)
        at = put(at, 0x0123456789abcdef + i, 8);
    for (unsigned i = 0; i < n; i++) {
        unsigned words = i == 0 ? s->net_extra >> 6 : 0;

        at = put(at, i + 1 < n ? type[i + 1] : proto, 1);
        at = put(at, words, 1);
        for (unsigned k = 0; k < 6 + words * 8; k++)
            at = put(at, k, 1);
    }
    return at;
}

static uint32_t put_ip4(uint32_t at, const struct shape *s, uint8_t proto)
{
    unsigned n = s->net_extra % 11;

    at = put(at, 0x45 + n, 1);
    at = put(at, 0, 7);
    at = put(at, 64, 1);
    at = put(at, proto, 1);
    at = put(at, 0, 2);
    at = put(at, 0x0a0000010a000002, 8);
    while (n--)
        at = put(at, 0x01010101, 4);
    return at;
}

/* Writes the headers and f->vnet; returns where the payload begins. */
static uint32_t put_headers(const struct shape *s, struct frame *f)
{
    uint8_t proto = s->kind & UDP ? 17 : 6;
    unsigned tags = s->kind >> 6, words = s->trans_extra % 11;
    uint32_t at = put(0, 0x020000000001, 6);

    at = put(at, 0x020000000002, 6);
    while (tags--)
        at = put(at, tags ? 0x88a80007 : 0x81000008, 4);
    at = put(at, s->kind & V6 ? 0x86dd : 0x0800, 2);
    at = s->kind & V6 ? put_ip6(at, s, proto) : put_ip4(at, s, proto);
    f->vnet.csum_start = (uint16_t)at;
    f->vnet.csum_offset = proto == 6 ? 16 : 6;
    f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    f->csum = CSUM_PARTIAL;
    if (proto == 17) {
        f->vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
        at = put(at, 0x1000003500000000, 8);
        return at;
    }
    f->vnet.gso_type =
        s->kind & V6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    if (s->kind & ECN)
        f->vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    at = put(at, 0x9c400050ffffff00, 8);
    at = put(at, 7, 4);
    at = put(at, (5 + words) << 4, 1);
    at = put(at, s->flags, 1);
    at = put(at, 0xffff00000000, 6);
    while (words--)
        at = put(at, 0x01010101, 4);
    return at;
}

/* Reads the (offset, octet) pairs; true if any changed a header. */
static bool spoil(struct cursor *c, unsigned pairs, uint32_t hlen)
{
    bool changed = false;
    uint8_t pair[2];

    while (pairs-- && cursor_bytes(c, pair, 2)) {
        if (pair[0] >= hlen)
            continue;
        changed |= bytes[pair[0]] != pair[1];
        bytes[pair[0]] = pair[1];
    }
    return changed;
}

static void check_refusal(const struct frame *f, uint32_t payload, unsigned n)
{
    uint32_t size = f->vnet.gso_size;
    bool tiny =
        size < OFFLOAD_GSO_MIN || payload > (uint64_t)size * OFFLOAD_PIECES_MAX;

    CHECK((n == 0) == (payload > size && tiny));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena arena;
    struct cursor c = cursor_over(data, size);
    struct frame f = {.in_port = 1};
    uint32_t hlen, len, cut[3];
    struct shape s;
    bool spoiled;
    unsigned n;

    if (!arena.base && arena_init(&arena, 2U << 20))
        abort();
    if (!cursor_bytes(&c, &s, sizeof(s)))
        return 0;
    hlen = put_headers(&s, &f);
    f.vnet.gso_size = (uint16_t)be16_at(s.gso_size);
    spoiled = spoil(&c, s.spoil % 4, hlen);
    len = hlen + (uint32_t)cursor_left(&c);
    if (len > FRAME_LEN_MAX)
        return 0;
    (void)cursor_bytes(&c, bytes + hlen, cursor_left(&c));
    for (uint32_t i = be16_at(s.more); i && len < 65500; i--, len++)
        bytes[len] = (uint8_t)(len * 31 >> 3);
    cut[0] = hlen + s.cut[0] * 3U;
    cut[1] = cut[0] + s.cut[1] * 5U;
    cut[2] = cut[1] + s.cut[2] * 201U;
    lay_out(&f, bytes, len, cut, 3);
    n = check_plain(&f, s.kind & TX_CSUM, &arena);
    if (!spoiled)
        check_refusal(&f, len - hlen, n);
    unlay(&f);
    return 0;
}
