/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload.c against a slow reference: frames are described by a struct shape,
 * and what each piece must be is built from the same description, octet by
 * octet, by code that shares nothing with offload.c.
 */
#include "ports/offload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS 6000
#define ARENA  (4U << 20)

static struct arena arena;
static struct frame out[OFFLOAD_PIECES_MAX];
static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- the reference ---- */

enum proto { TCP = 6, UDP = 17 };

struct shape {
    unsigned tags;
    bool ip6;
    enum proto proto;
    unsigned net_extra;   /* octets of IPv4 options or extension headers */
    unsigned trans_extra; /* octets of TCP options */
    unsigned payload;
    unsigned gso_size; /* 0: a single frame */
    uint16_t id;
    uint32_t seq;
    uint8_t flags;
    bool ecn;
    unsigned nseg;
    uint8_t octet[FRAME_LEN_MAX]; /* payload */
};

struct bytes {
    uint8_t at[FRAME_LEN_MAX + 4096];
    uint32_t n;
};

static void be(struct bytes *b, uint32_t v, unsigned octets)
{
    while (octets--)
        b->at[b->n++] = (uint8_t)(v >> (8 * octets));
}

/* 16-bit words, one after the other, folded each time. */
static uint16_t slow_sum(uint32_t sum, const uint8_t *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 2) {
        sum += (uint32_t)at[i] << 8;
        if (i + 1 < n)
            sum += at[i + 1];
        if (sum > 0xffff)
            sum = (sum & 0xffff) + 1;
    }
    return (uint16_t)sum;
}

static unsigned net_at(const struct shape *s)
{
    return 14 + 4 * s->tags;
}

static unsigned trans_at(const struct shape *s)
{
    return net_at(s) + (s->ip6 ? 40 : 20) + s->net_extra;
}

static unsigned payload_at(const struct shape *s)
{
    return trans_at(s) + (s->proto == TCP ? 20 + s->trans_extra : 8);
}

static void build_mac(const struct shape *s, struct bytes *b)
{
    b->n = 0;
    for (int i = 0; i < 12; i++)
        be(b, 0x02 + (uint32_t)i, 1);
    for (unsigned i = 0; i < s->tags; i++) {
        be(b, i + 1 < s->tags ? 0x88a8 : 0x8100, 2);
        be(b, 0x6001 + i, 2);
    }
    be(b, s->ip6 ? 0x86dd : 0x0800, 2);
}

static void build_ip4(const struct shape *s, struct bytes *b, unsigned index,
                      unsigned len)
{
    uint32_t at = b->n;
    uint16_t sum;

    be(b, 0x40 | ((20 + s->net_extra) / 4), 1);
    be(b, 0x03, 1);
    be(b, len, 2);
    be(b, (uint16_t)(s->id + index), 2);
    be(b, 0x4000, 2);
    be(b, 64, 1);
    be(b, s->proto, 1);
    be(b, 0, 2);
    be(b, 0x0a000001, 4);
    be(b, 0xc0a8fffe, 4);
    for (unsigned i = 0; i < s->net_extra; i++)
        be(b, i + 1 < s->net_extra, 1); /* no-operation, end of list */
    sum = (uint16_t)~slow_sum(0, b->at + at, b->n - at);
    b->at[at + 10] = (uint8_t)(sum >> 8);
    b->at[at + 11] = (uint8_t)sum;
}

/* Extension headers of 8 octets, the last one longer: 0, 43, 60, 60... */
static void build_ip6(const struct shape *s, struct bytes *b, unsigned len)
{
    static const uint8_t type[] = {0, 43, 60, 60};
    unsigned left = s->net_extra, i = 0;

    be(b, 0x6b, 1);
    be(b, 0x00beef, 3);
    be(b, len - 40, 2);
    be(b, left ? type[0] : s->proto, 1);
    be(b, 63, 1);
    for (unsigned k = 0; k < 32; k++)
        be(b, k * 7 + 1, 1);
    while (left) {
        unsigned n = i == 3 ? left : 8;

        left -= n;
        be(b, left ? type[++i] : s->proto, 1);
        be(b, n / 8 - 1, 1);
        for (unsigned k = 2; k < n; k++)
            be(b, 0xa0 + k, 1);
    }
}

static void build_trans(const struct shape *s, struct bytes *b, unsigned skip,
                        uint8_t flags, unsigned chunk)
{
    if (s->proto == UDP) {
        be(b, 4000, 2);
        be(b, 53, 2);
        be(b, 8 + chunk, 2);
        be(b, 0, 2);
        return;
    }
    be(b, 40000, 2);
    be(b, 80, 2);
    be(b, s->seq + skip, 4);
    be(b, 0x12345678, 4);
    be(b, ((20 + s->trans_extra) / 4) << 4, 1);
    be(b, flags, 1);
    be(b, 0xfaf0, 2);
    be(b, 0, 2);
    be(b, 0, 2);
    for (unsigned i = 0; i < s->trans_extra; i++)
        be(b, 1, 1);
}

static uint16_t pseudo_sum(const struct shape *s, const struct bytes *b)
{
    uint32_t len = b->n - trans_at(s);
    uint8_t tail[8] = {(uint8_t)(len >> 24),
                       (uint8_t)(len >> 16),
                       (uint8_t)(len >> 8),
                       (uint8_t)len,
                       0,
                       0,
                       0,
                       (uint8_t)s->proto};
    unsigned at = net_at(s) + (s->ip6 ? 8 : 12);

    return slow_sum(slow_sum(0, b->at + at, s->ip6 ? 32 : 8), tail, 8);
}

/*
 * The frame that carries 'chunk' octets of payload from 'skip', as number
 * 'index'; with its checksum complete, or the pseudo-header's sum in place.
 */
static void build(const struct shape *s, struct bytes *b, unsigned index,
                  unsigned skip, unsigned chunk, uint8_t flags, bool whole)
{
    unsigned len = payload_at(s) - net_at(s) + chunk;
    unsigned field = trans_at(s) + (s->proto == TCP ? 16 : 6);
    uint16_t sum;

    build_mac(s, b);
    if (s->ip6)
        build_ip6(s, b, len);
    else
        build_ip4(s, b, index, len);
    build_trans(s, b, skip, flags, chunk);
    memcpy(b->at + b->n, s->octet + skip, chunk);
    b->n += chunk;
    sum = pseudo_sum(s, b);
    if (whole) {
        sum = slow_sum(sum, b->at + trans_at(s), b->n - trans_at(s));
        sum = (uint16_t)~sum;
        if (sum == 0 && s->proto == UDP)
            sum = 0xffff;
    }
    b->at[field] = (uint8_t)(sum >> 8);
    b->at[field + 1] = (uint8_t)sum;
}

static unsigned pieces_of(const struct shape *s)
{
    if (!s->gso_size || s->payload <= s->gso_size)
        return 1;
    return (s->payload + s->gso_size - 1) / s->gso_size;
}

/* Piece i as it must leave. */
static void expect(const struct shape *s, struct bytes *b, unsigned i)
{
    unsigned n = pieces_of(s);
    unsigned skip = i * s->gso_size;
    unsigned chunk = i + 1 == n ? s->payload - skip : s->gso_size;
    uint8_t flags = s->flags;

    if (i > 0)
        flags &= 0x7f;
    if (i + 1 < n)
        flags &= 0xf6;
    build(s, b, i, skip, chunk, flags, true);
}

/* ---- frames from shapes ---- */

static uint8_t gso_type_of(const struct shape *s)
{
    if (!s->gso_size)
        return VIRTIO_NET_HDR_GSO_NONE;
    if (s->proto == UDP)
        return VIRTIO_NET_HDR_GSO_UDP_L4;
    return (s->ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4) |
           (s->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0);
}

/*
 * Each segment in memory of its own size, so that ASan sees a step beyond.
 */
static void lay_out(const struct bytes *b, struct frame *f, unsigned head,
                    unsigned nseg)
{
    uint32_t at = 0;

    f->nseg = 0;
    f->len = b->n;
    for (unsigned i = 0; i < nseg && (at < b->n || i == 0); i++) {
        uint32_t n = i == 0 ? head : 1 + rnd(b->n - at);

        if (i + 1 == nseg || n > b->n - at)
            n = b->n - at;
        f->seg[i].iov_base = malloc(n ? n : 1);
        f->seg[i].iov_len = n;
        memcpy(f->seg[i].iov_base, b->at + at, n);
        at += n;
        f->nseg++;
    }
}

static void unlay(struct frame *f)
{
    for (unsigned i = 0; i < f->nseg; i++)
        free(f->seg[i].iov_base);
}

static void flatten(const struct frame *f, struct bytes *b)
{
    b->n = 0;
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(b->at + b->n, f->seg[i].iov_base, f->seg[i].iov_len);
        b->n += (uint32_t)f->seg[i].iov_len;
    }
}

static void make_frame(const struct shape *s, struct frame *f, struct bytes *b)
{
    memset(f, 0, sizeof(*f));
    build(s, b, 0, 0, s->payload, s->flags, false);
    lay_out(b, f, payload_at(s) + rnd(s->payload / 2 + 1), s->nseg);
    f->in_port = 7;
    f->vid = 99;
    f->csum = CSUM_PARTIAL;
    f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    f->vnet.gso_type = gso_type_of(s);
    f->vnet.gso_size = (uint16_t)s->gso_size;
    f->vnet.hdr_len = (uint16_t)rnd(65536);
    f->vnet.csum_start = (uint16_t)trans_at(s);
    f->vnet.csum_offset = s->proto == TCP ? 16 : 6;
}

static void random_shape(struct shape *s)
{
    unsigned longest;

    s->tags = rnd(4);
    s->ip6 = rnd(2);
    s->proto = rnd(2) ? TCP : UDP;
    s->net_extra = rnd(3) ? 0 : s->ip6 ? 8 * rnd(7) : 4 * rnd(11);
    s->trans_extra = 4 * rnd(11);
    s->id = (uint16_t)rnd(65536);
    s->seq = rnd(3) ? rnd(UINT32_MAX) : 0xffffff00;
    s->flags = (uint8_t)rnd(256);
    s->ecn = rnd(2);
    s->nseg = 1 + rnd(FRAME_SEGS_MAX);
    s->gso_size = rnd(5) ? OFFLOAD_GSO_MIN + rnd(1500) : 0;
    longest = s->gso_size ? s->gso_size * (1 + rnd(OFFLOAD_PIECES_MAX)) : 1500;
    if (longest > 65000)
        longest = 65000;
    s->payload = 1 + rnd(longest);
    for (unsigned i = 0; i < s->payload; i++)
        s->octet[i] = (uint8_t)rnd(256);
}

static void assert_same(const struct frame *f, const struct bytes *want)
{
    struct bytes *got = malloc(sizeof(*got));

    flatten(f, got);
    assert_int_equal(f->len, want->n);
    assert_int_equal(got->n, want->n);
    assert_memory_equal(got->at, want->at, want->n);
    free(got);
}

/* The receiver's part: completes a partial piece the slow way. */
static void finish_partial(struct frame *f, struct bytes *b)
{
    uint32_t at = f->vnet.csum_start;
    uint16_t sum;

    assert_int_equal(f->csum, CSUM_PARTIAL);
    assert_int_equal(f->vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(f->vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_true(at + f->vnet.csum_offset + 2 <= f->seg[0].iov_len);
    flatten(f, b);
    sum = (uint16_t)~slow_sum(0, b->at + at, b->n - at);
    if (sum == 0 && f->vnet.csum_offset == 6)
        sum = 0xffff;
    at += f->vnet.csum_offset;
    b->at[at] = (uint8_t)(sum >> 8);
    b->at[at + 1] = (uint8_t)sum;
}

static void check_pieces(const struct shape *s, const struct frame *f)
{
    struct bytes *want = malloc(sizeof(*want)), *got = malloc(sizeof(*got));
    enum port_reason why;
    unsigned n;

    arena.used = 0;
    n = offload_plain(f, false, out, OFFLOAD_PIECES_MAX, &arena, &why);
    assert_int_equal(n, pieces_of(s));
    for (unsigned i = 0; i < n; i++) {
        expect(s, want, i);
        assert_same(&out[i], want);
        assert_int_equal(out[i].csum, CSUM_COMPLETE);
        assert_int_equal(out[i].in_port, 7);
        assert_int_equal(out[i].vid, 99);
        assert_false(frame_is_gso(&out[i]));
        assert_int_equal(out[i].vnet.flags, 0);
    }
    if (s->gso_size) {
        n = offload_plain(f, true, out, OFFLOAD_PIECES_MAX, &arena, &why);
        assert_int_equal(n, pieces_of(s));
        for (unsigned i = 0; i < n; i++) {
            expect(s, want, i);
            finish_partial(&out[i], got);
            assert_int_equal(got->n, want->n);
            assert_memory_equal(got->at, want->at, want->n);
        }
    }
    free(want);
    free(got);
}

static void check_mtu(const struct shape *s, const struct frame *f)
{
    unsigned longest = s->payload;

    if (s->gso_size && longest > s->gso_size)
        longest = s->gso_size;
    longest += payload_at(s) - net_at(s);
    assert_true(offload_mtu_ok(f, longest));
    assert_false(offload_mtu_ok(f, longest - 1));
}

static void random_frames(void **state)
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    struct frame f;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct frame before;
        enum port_reason why;

        random_shape(&s);
        make_frame(&s, &f, b);
        before = f;
        assert_true(frame_vnet_check(&f, &why));
        f.vnet.hdr_len = before.vnet.hdr_len;
        check_pieces(&s, &f);
        check_mtu(&s, &f);
        assert_memory_equal(&f, &before, sizeof(f));
        assert_same(&f, b);
        unlay(&f);
    }
    free(b);
}

/* ---- single frames ---- */

/*
 * Whatever the protocol: the sum from csum_start goes to csum_offset.  The
 * field lies anywhere in the head, the head may end right behind it.
 */
static void any_checksum(void **state)
{
    struct bytes *b = malloc(sizeof(*b)), *want = malloc(sizeof(*want));
    enum port_reason why;
    struct frame f;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t start = 14 + rnd(100), offset = rnd(50);
        uint32_t end = start + offset + 2, rest = rnd(1600);

        arena.used = 0;
        for (b->n = 0; b->n < end + rest;)
            be(b, rnd(round % 3 ? 256 : 2), 1);
        memset(&f, 0, sizeof(f));
        lay_out(b, &f, end + rnd(rest + 1), 1 + rnd(FRAME_SEGS_MAX));
        f.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        f.vnet.csum_start = (uint16_t)start;
        f.vnet.csum_offset = (uint16_t)offset;
        assert_true(frame_vnet_check(&f, &why));
        f.vnet.flags |= VIRTIO_NET_HDR_F_DATA_VALID; /* means nothing here */
        f.csum = CSUM_PARTIAL;
        out[0] = f;
        out[0].vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        finish_partial(&out[0], want);
        assert_int_equal(offload_plain(&f, false, out, 1, &arena, &why), 1);
        assert_same(&out[0], want);
        assert_same(&f, b);
        unlay(&f);
    }
    free(b);
    free(want);
}

/* UDP's checksum comes out as zero and is sent as 0xffff. */
static void udp_zero(void **state)
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    enum port_reason why;
    struct frame f;
    uint32_t field;
    uint16_t sum;

    (void)state;
    arena.used = 0;
    s = (struct shape){.proto = UDP, .payload = 2, .nseg = 1};
    field = trans_at(&s) + 6;
    build(&s, b, 0, 0, 2, 0, false);
    /* A payload that makes the sum 0xffff, whose complement is zero. */
    sum = (uint16_t)~slow_sum(0, b->at + trans_at(&s), b->n - trans_at(&s));
    s.octet[0] = (uint8_t)(sum >> 8);
    s.octet[1] = (uint8_t)sum;
    make_frame(&s, &f, b);
    assert_int_equal(offload_plain(&f, false, out, 1, &arena, &why), 1);
    flatten(&out[0], b);
    assert_int_equal(b->at[field] << 8 | b->at[field + 1], 0xffff);
    unlay(&f);
    free(b);
}

/*
 * SCTP's checksum is a CRC32c.  Its well-known check value: "123456789" gives
 * 0xe3069283.
 */
static uint32_t crc32c(const uint8_t *at, size_t n)
{
    uint32_t crc = UINT32_MAX;

    for (size_t bit = 0; bit < 8 * n; bit++) {
        uint32_t in = at[bit / 8] >> bit % 8 & 1;

        crc = crc >> 1 ^ ((crc ^ in) & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void sctp_crc(void **state)
{
    struct bytes *b = malloc(sizeof(*b));
    enum port_reason why;
    struct frame f = {.csum = CSUM_PARTIAL}, laid;
    uint32_t at, got;

    (void)state;
    assert_int_equal(crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
    for (int round = 0; round < 400; round++) {
        static struct shape s;

        s = (struct shape){.tags = rnd(3), .ip6 = rnd(2), .proto = 132};
        arena.used = 0;
        build_mac(&s, b);
        at = trans_at(&s);
        if (s.ip6)
            build_ip6(&s, b, 40 + 12 + 99);
        else
            build_ip4(&s, b, 0, 20 + 12 + 99);
        while (b->n < at + 12 + (unsigned)round)
            be(b, rnd(256), 1);
        lay_out(b, &f, at + 12 + rnd((unsigned)round + 1), 1 + rnd(4));
        f.vnet = (struct virtio_net_hdr){
            .flags = 1, .csum_start = (uint16_t)at, .csum_offset = 8};
        assert_int_equal(offload_plain(&f, false, out, 1, &arena, &why), 1);
        assert_int_equal(out[0].csum, CSUM_COMPLETE);
        assert_same(&f, b);
        memset(b->at + at + 8, 0, 4);
        got = crc32c(b->at + at, b->n - at);
        for (int i = 0; i < 4; i++)
            assert_int_equal(
                ((uint8_t *)out[0].seg[0].iov_base)[at + 8 + (unsigned)i],
                got >> 8 * i & 255);
        laid = f;
        f.seg[0].iov_len = at + 11; /* half a field */
        f.len = at + 11;
        f.nseg = 1;
        assert_int_equal(offload_plain(&f, false, out, 1, &arena, &why), 0);
        assert_int_equal(why, PORT_REASON_TX_CSUM_BAD);
        unlay(&laid);
    }
    free(b);
}

static void nothing_to_do(void **state)
{
    static uint8_t bytes[60];
    struct frame f = {.seg = {{bytes, 60}}, .nseg = 1, .len = 60};
    enum port_reason why;

    (void)state;
    f.csum = CSUM_COMPLETE;
    assert_int_equal(offload_plain(&f, false, out, 1, &arena, &why), 1);
    assert_memory_equal(&out[0], &f, sizeof(f));
    f.csum = CSUM_PARTIAL;
    f.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    f.vnet.csum_start = 34;
    assert_int_equal(offload_plain(&f, true, out, 1, &arena, &why), 1);
    assert_memory_equal(&out[0], &f, sizeof(f));
}

/* Room for the heads only: what was taken is given back. */
static void check_no_room(const struct frame *f)
{
    struct arena small = {.base = arena.base, .size = 192, .used = 1};
    enum port_reason why;

    assert_int_equal(offload_plain(f, false, out, 2, &small, &why), 0);
    assert_int_equal(why, PORT_REASON_TX_NO_MEMORY);
    assert_int_equal(small.used, 1);
}

/*
 * A piece that takes from all four segments has no slot for its head: the
 * first slice is copied.
 */
static void four_segments_in_a_piece(void **state)
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    struct frame f;

    (void)state;
    s = (struct shape){.proto = TCP, .payload = 200, .gso_size = 199};
    for (unsigned i = 0; i < s.payload; i++)
        s.octet[i] = (uint8_t)i;
    for (s.tags = 0; s.tags < 3; s.tags++) {
        uint32_t at, n;

        memset(&f, 0, sizeof(f));
        make_frame(&s, &f, b);
        unlay(&f);
        f.nseg = 4;
        at = 0;
        for (unsigned i = 0; i < 4; i++) {
            n = i == 0 ? payload_at(&s) + 7 : i == 3 ? b->n - at : 31;
            f.seg[i].iov_base = malloc(n);
            f.seg[i].iov_len = n;
            memcpy(f.seg[i].iov_base, b->at + at, n);
            at += n;
        }
        check_pieces(&s, &f);
        check_no_room(&f);
        unlay(&f);
    }
    free(b);
}

/*
 * With a routing header the checksum covers the final destination, which
 * only the sender's sum knows.
 */
static void sender_pseudo_header(void **state)
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b)), *want = malloc(sizeof(*want));
    enum port_reason why;
    struct frame f;
    uint32_t field;
    uint16_t a, c;

    (void)state;
    arena.used = 0;
    s = (struct shape){.ip6 = true, .proto = TCP, .payload = 3000};
    s.gso_size = 1000;
    s.net_extra = 16;
    s.nseg = 2;
    make_frame(&s, &f, b);
    field = trans_at(&s) + 16;
    /* As if the destination summed to 0x1234 more. */
    a = (uint16_t)(b->at[field] << 8 | b->at[field + 1]);
    a = (uint16_t)((a + 0x1234) % 0xffff);
    ((uint8_t *)f.seg[0].iov_base)[field] = (uint8_t)(a >> 8);
    ((uint8_t *)f.seg[0].iov_base)[field + 1] = (uint8_t)a;
    assert_int_equal(offload_plain(&f, false, out, 3, &arena, &why), 3);
    for (unsigned i = 0; i < 3; i++) {
        expect(&s, want, i);
        flatten(&out[i], b);
        a = (uint16_t) ~(b->at[field] << 8 | b->at[field + 1]);
        c = (uint16_t) ~(want->at[field] << 8 | want->at[field + 1]);
        assert_int_equal(a % 0xffff, (c + 0x1234) % 0xffff);
    }
    unlay(&f);
    free(b);
    free(want);
}

/* ---- what is refused ---- */

static void refused_change(enum port_reason expected, bool gso,
                           void (*change)(struct frame *f, uint8_t *head))
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    enum port_reason why = PORT_REASON_COUNT;
    struct frame f, laid;

    s = (struct shape){.proto = TCP, .payload = 4000, .nseg = 2};
    s.gso_size = gso ? 1000 : 0;
    make_frame(&s, &f, b);
    arena.used = 0;
    assert_true(offload_plain(&f, false, out, 4, &arena, &why));
    arena.used = 0;
    laid = f;
    change(&f, f.seg[0].iov_base);
    assert_int_equal(offload_plain(&f, false, out, 4, &arena, &why), 0);
    assert_int_equal(why, expected);
    assert_int_equal(arena.used, 0);
    unlay(&laid);
    free(b);
}

#define CHANGE(name, ...)                                                      \
    static void name(struct frame *f, uint8_t *head)                           \
    {                                                                          \
        (void)f;                                                               \
        (void)head;                                                            \
        __VA_ARGS__;                                                           \
    }

CHANGE(tiny, f->vnet.gso_size = OFFLOAD_GSO_MIN - 1)
CHANGE(size_one, f->vnet.gso_size = 1)
CHANGE(size_zero, f->vnet.gso_size = 0)
CHANGE(fragment, head[14 + 6] |= 0x20)
CHANGE(fragment_offset, head[14 + 7] |= 1)
CHANGE(other_version, head[14] = 0x65)
CHANGE(short_ihl, head[14] = 0x44)
CHANGE(short_ihl_agreed, head[14] = 0x44; f->vnet.csum_start = 30;
       head[30 + 12] = 0x50)
CHANGE(long_ihl, head[14] = 0x46)
CHANGE(other_proto, head[14 + 9] = 17)
CHANGE(other_type, head[12] = 0x86; head[13] = 0xdd)
CHANGE(short_doff, head[34 + 12] = 0x40)
CHANGE(long_doff, head[34 + 12] = 0xf0; f->seg[0].iov_len = 60; f->nseg = 1;
       f->len = 60)
CHANGE(ufo, f->vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP)
CHANGE(tcp6, f->vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV6)
CHANGE(uso, f->vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4)
CHANGE(start_moved, f->vnet.csum_start += 4)
CHANGE(start_mac, f->vnet.csum_start = 14)
CHANGE(offset_moved, f->vnet.csum_offset = 6)
CHANGE(no_csum, f->csum = CSUM_COMPLETE)
CHANGE(start_far, f->vnet.csum_start = 65535)
CHANGE(start_zero, f->vnet.csum_start = 0)
CHANGE(offset_far, f->vnet.csum_offset = 65535)
CHANGE(half_field, f->vnet.csum_start = (uint16_t)(f->seg[0].iov_len - 17))

static void refusals(void **state)
{
    (void)state;
    refused_change(PORT_REASON_TX_GSO_TINY, true, tiny);
    refused_change(PORT_REASON_TX_GSO_TINY, true, size_one);
    refused_change(PORT_REASON_TX_GSO_TINY, true, size_zero);
    refused_change(PORT_REASON_TX_GSO_BAD, true, fragment);
    refused_change(PORT_REASON_TX_GSO_BAD, true, fragment_offset);
    refused_change(PORT_REASON_TX_GSO_BAD, true, other_version);
    refused_change(PORT_REASON_TX_GSO_BAD, true, short_ihl);
    refused_change(PORT_REASON_TX_GSO_BAD, true, short_ihl_agreed);
    refused_change(PORT_REASON_TX_GSO_BAD, true, long_ihl);
    refused_change(PORT_REASON_TX_GSO_BAD, true, other_proto);
    refused_change(PORT_REASON_TX_GSO_BAD, true, other_type);
    refused_change(PORT_REASON_TX_GSO_BAD, true, short_doff);
    refused_change(PORT_REASON_TX_GSO_BAD, true, long_doff);
    refused_change(PORT_REASON_TX_GSO_BAD, true, ufo);
    refused_change(PORT_REASON_TX_GSO_BAD, true, tcp6);
    refused_change(PORT_REASON_TX_GSO_BAD, true, uso);
    refused_change(PORT_REASON_TX_GSO_BAD, true, start_moved);
    refused_change(PORT_REASON_TX_GSO_BAD, true, start_mac);
    refused_change(PORT_REASON_TX_GSO_BAD, true, offset_moved);
    refused_change(PORT_REASON_TX_GSO_BAD, true, no_csum);
    refused_change(PORT_REASON_TX_CSUM_BAD, true, start_far);
    refused_change(PORT_REASON_TX_CSUM_BAD, false, start_far);
    refused_change(PORT_REASON_TX_CSUM_BAD, false, start_zero);
    refused_change(PORT_REASON_TX_CSUM_BAD, false, offset_far);
    refused_change(PORT_REASON_TX_CSUM_BAD, false, half_field);
}

static void too_many_pieces(void **state)
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    enum port_reason why;
    struct frame f;

    (void)state;
    s = (struct shape){.proto = TCP, .nseg = 1, .gso_size = 100};
    s.payload = 100 * OFFLOAD_PIECES_MAX;
    make_frame(&s, &f, b);
    arena.used = 0;
    assert_int_equal(
        offload_plain(&f, false, out, OFFLOAD_PIECES_MAX, &arena, &why),
        OFFLOAD_PIECES_MAX);
    unlay(&f);
    s.payload++;
    make_frame(&s, &f, b);
    assert_int_equal(
        offload_plain(&f, false, out, OFFLOAD_PIECES_MAX, &arena, &why), 0);
    assert_int_equal(why, PORT_REASON_TX_GSO_TINY);
    unlay(&f);
    free(b);
}

static void no_memory(void **state)
{
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    struct arena small = {.base = arena.base, .size = 256};
    enum port_reason why;
    struct frame f;

    (void)state;
    s = (struct shape){.proto = TCP, .nseg = 1, .gso_size = 100};
    s.payload = 1000;
    make_frame(&s, &f, b);
    assert_int_equal(offload_plain(&f, false, out, 10, &small, &why), 0);
    assert_int_equal(why, PORT_REASON_TX_NO_MEMORY);
    assert_int_equal(small.used, 0);
    assert_int_equal(offload_plain(&f, false, out, 9, &arena, &why), 0);
    assert_int_equal(why, PORT_REASON_TX_NO_MEMORY);
    unlay(&f);
    free(b);
}

/* Jumbograms and headers that are not extension headers up to csum_start. */
static void ip6_refusals(void **state)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } change[] = {
        {14 + 6, 44},      /* fragment header */
        {14 + 6, 6},       /* TCP too early */
        {14 + 40, 58},     /* something else in the chain */
        {14 + 40 + 1, 1},  /* header too long: past csum_start */
        {14 + 40 + 8, 17}, /* ends in UDP */
    };
    static struct shape s;
    struct bytes *b = malloc(sizeof(*b));
    enum port_reason why;
    struct frame f;
    uint8_t *head;

    (void)state;
    s = (struct shape){.ip6 = true, .proto = TCP, .nseg = 1, .gso_size = 100};
    s.net_extra = 16;
    s.payload = 1000;
    for (size_t i = 0; i <= sizeof(change) / sizeof(change[0]); i++) {
        make_frame(&s, &f, b);
        head = f.seg[0].iov_base;
        if (i < sizeof(change) / sizeof(change[0]))
            head[change[i].at] = change[i].value;
        else
            head[14 + 4] = head[14 + 5] = 0;
        arena.used = 0;
        assert_int_equal(offload_plain(&f, false, out, 10, &arena, &why), 0);
        assert_int_equal(why, PORT_REASON_TX_GSO_BAD);
        unlay(&f);
    }
    /* TCP follows, but further on than csum_start */
    make_frame(&s, &f, b);
    head = f.seg[0].iov_base;
    head[14 + 40] = 6;
    head[14 + 41] = 2;
    assert_int_equal(offload_plain(&f, false, out, 10, &arena, &why), 0);
    assert_int_equal(why, PORT_REASON_TX_GSO_BAD);
    unlay(&f);
    free(b);
}

/* ---- capabilities ---- */

static void fits(void **state)
{
    struct frame f = {.csum = CSUM_COMPLETE};
    struct port_caps none = {0}, vnet = {.vnet = true};
    struct port_caps csum = {.vnet = true, .tx_csum = true};
    struct port_caps all = {.vnet = true,
                            .tx_csum = true,
                            .tx_tso4 = true,
                            .tx_tso6 = true,
                            .tx_uso = true};
    static const uint8_t type[] = {
        VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6,
        VIRTIO_NET_HDR_GSO_UDP_L4,
        VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN};

    (void)state;
    assert_true(offload_fits(&f, &none));
    f.csum = CSUM_UNKNOWN;
    assert_false(offload_fits(&f, &none));
    assert_false(offload_fits(&f, &all));
    f.csum = CSUM_PARTIAL;
    assert_false(offload_fits(&f, &none));
    assert_false(offload_fits(&f, &vnet));
    assert_true(offload_fits(&f, &csum));
    for (size_t i = 0; i < sizeof(type); i++) {
        struct port_caps lack = all;

        f.vnet.gso_type = type[i];
        assert_true(offload_fits(&f, &all));
        assert_false(offload_fits(&f, &csum));
        if (i == 1)
            lack.tx_tso6 = false;
        else if (i == 2)
            lack.tx_uso = false;
        else
            lack.tx_tso4 = false;
        assert_false(offload_fits(&f, &lack));
    }
    f.vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    assert_false(offload_fits(&f, &all));
}

static int set_up(void **state)
{
    (void)state;
    return arena_init(&arena, ARENA);
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const char *given = getenv("SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_frames),
        cmocka_unit_test(any_checksum),
        cmocka_unit_test(udp_zero),
        cmocka_unit_test(sctp_crc),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(four_segments_in_a_piece),
        cmocka_unit_test(sender_pseudo_header),
        cmocka_unit_test(refusals),
        cmocka_unit_test(too_many_pieces),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(ip6_refusals),
        cmocka_unit_test(fits),
    };

    seed = given ? strtoull(given, NULL, 0)
                 : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    printf("SEED=%llu\n", (unsigned long long)seed);
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
