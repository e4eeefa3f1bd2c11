/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames made of fuzz input, and what must hold of everything offload_plain
 * makes of them.
 */
#ifndef TESTS_FUZZ_PIECES_H
#define TESTS_FUZZ_PIECES_H

#include "ports/offload.h"
#include "tests/fuzz/check.h"

#include <stdbool.h>
#include <string.h>

#define FLAT_MAX (FRAME_LEN_MAX + 64)

static uint8_t flat_in[FLAT_MAX], flat_out[FLAT_MAX];

static inline uint32_t flatten(const struct frame *f, uint8_t *to)
{
    uint32_t n = 0;

    CHECK(f->nseg >= 1 && f->nseg <= FRAME_SEGS_MAX);
    CHECK(frame_iov_len(f) == f->len && f->len <= FLAT_MAX);
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(to + n, f->seg[i].iov_base, f->seg[i].iov_len);
        n += (uint32_t)f->seg[i].iov_len;
    }
    return n;
}

/* Segments of their own size each, cut where 'cut' says. */
static inline void lay_out(struct frame *f, const uint8_t *bytes, uint32_t len,
                           const uint32_t *cut, unsigned cuts)
{
    uint32_t at = 0;

    CHECK(cuts < FRAME_SEGS_MAX);
    f->len = len;
    f->nseg = 0;
    for (unsigned i = 0; i <= cuts; i++) {
        uint32_t end = i == cuts || cut[i] > len ? len : cut[i];

        if (end < at)
            end = at;
        f->seg[i].iov_len = end - at;
        f->seg[i].iov_base = malloc(end - at ? end - at : 1);
        memcpy(f->seg[i].iov_base, bytes + at, end - at);
        f->nseg++;
        at = end;
    }
}

static inline void unlay(struct frame *f)
{
    for (unsigned i = 0; i < f->nseg; i++)
        free(f->seg[i].iov_base);
}

static inline uint32_t be16_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* Sum of 16-bit words modulo 0xffff, where 0 and 0xffff are the same. */
static inline uint32_t sum_mod(const uint8_t *at, uint32_t n)
{
    uint64_t s = 0;

    for (uint32_t i = 0; i < n; i++)
        s += (uint64_t)at[i] << (i % 2 ? 0 : 8);
    return (uint32_t)(s % 0xffff);
}

/* Octets before the payload of a super-frame whose headers were accepted. */
static inline uint32_t header_len(const struct frame *f, const uint8_t *flat)
{
    uint32_t start = f->vnet.csum_start;

    if (f->vnet.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
        return start + 8;
    return start + (uint32_t)(flat[start + 12] >> 4) * 4;
}

static inline uint32_t net_offset(const uint8_t *flat)
{
    uint32_t at = 12;

    while (be16_at(flat + at) == 0x8100 || be16_at(flat + at) == 0x88a8)
        at += 4;
    return at + 2;
}

/* One piece of a super-frame: lengths, header sums, checksum. */
static inline void check_piece(const struct frame *f, const struct frame *o,
                               bool partial)
{
    uint32_t start = f->vnet.csum_start, n = flatten(o, flat_out);
    uint32_t field = start + f->vnet.csum_offset, net = net_offset(flat_out);
    uint32_t pseudo = be16_at(flat_in + field);
    bool ip4 = be16_at(flat_out + net - 2) == 0x0800;

    CHECK(o->len > start && !frame_is_gso(o));
    /* swap the super-frame's length for the piece's */
    pseudo += 0xffff * 2 - (f->len - start) % 0xffff + (n - start) % 0xffff;
    if (partial) {
        CHECK(o->csum == CSUM_PARTIAL && o->vnet.csum_start == start);
        CHECK(be16_at(flat_out + field) % 0xffff == pseudo % 0xffff);
    } else {
        CHECK(o->csum == CSUM_COMPLETE && o->vnet.flags == 0);
        CHECK((pseudo + sum_mod(flat_out + start, n - start)) % 0xffff == 0);
        if (f->vnet.csum_offset == 6)
            CHECK(be16_at(flat_out + field) != 0);
    }
    if (ip4) {
        CHECK(be16_at(flat_out + net + 2) == n - net);
        CHECK(sum_mod(flat_out + net, start - net) == 0);
    } else {
        CHECK(be16_at(flat_out + net - 2) == 0x86dd);
        CHECK(be16_at(flat_out + net + 4) == n - net - 40);
    }
    if (f->vnet.csum_offset == 6)
        CHECK(be16_at(flat_out + start + 4) == n - start);
}

/* The payloads one after the other are f's, each piece but the last full. */
static inline void check_cut(const struct frame *f, const struct frame *out,
                             unsigned n, bool partial)
{
    uint32_t hlen = header_len(f, flat_in), at = hlen, longest = 0;
    uint32_t net = net_offset(flat_in);

    for (unsigned i = 0; i < n; i++) {
        uint32_t len = out[i].len - hlen;

        check_piece(f, &out[i], partial);
        CHECK(out[i].len >= hlen && at + len <= f->len);
        CHECK(memcmp(flat_out + hlen, flat_in + at, len) == 0);
        CHECK(i + 1 == n ? len <= f->vnet.gso_size : len == f->vnet.gso_size);
        at += len;
        if (out[i].len > longest)
            longest = out[i].len;
    }
    CHECK(at == f->len);
    CHECK(offload_mtu_ok(f, longest - net));
    CHECK(longest == 14 || !offload_mtu_ok(f, longest - net - 1));
}

/* May the frame be one with a CRC?  (Its value is a unit test's business.) */
static inline bool is_sctp(const uint8_t *flat, uint32_t start)
{
    for (uint32_t at = 14; at < start; at++) {
        if (flat[at] == 132)
            return true;
    }
    return false;
}

/* A single frame: nothing but the checksum has changed. */
static inline void check_single(const struct frame *f, const struct frame *o,
                                bool tx_csum)
{
    uint32_t start = f->vnet.csum_start, n = flatten(o, flat_out);
    uint32_t field = start + f->vnet.csum_offset;

    CHECK(n == f->len);
    if (f->csum != CSUM_PARTIAL || tx_csum) {
        CHECK(o->csum == f->csum && memcmp(flat_in, flat_out, n) == 0);
        return;
    }
    CHECK(o->csum == CSUM_COMPLETE && o->vnet.flags == 0);
    CHECK(memcmp(flat_in, flat_out, field) == 0);
    if (f->vnet.csum_offset == 8 && is_sctp(flat_in, start)) {
        CHECK(n <= field + 4 ||
              memcmp(flat_in + field + 4, flat_out + field + 4,
                     n - field - 4) == 0);
        return;
    }
    CHECK(memcmp(flat_in + field + 2, flat_out + field + 2, n - field - 2) ==
          0);
    /* Removing the old field's share leaves what the new one cancels. */
    if ((f->vnet.csum_offset & 1) == 0)
        CHECK(
            (sum_mod(flat_out + start, n - start) + be16_at(flat_in + field)) %
                0xffff ==
            0);
}

/* Everything that must hold; returns how many pieces there were. */
static inline unsigned check_plain(const struct frame *f, bool tx_csum,
                                   struct arena *arena)
{
    static struct frame out[OFFLOAD_PIECES_MAX];
    struct frame before = *f;
    enum port_reason why = PORT_REASON_COUNT;
    unsigned n;

    arena->used = 0;
    flatten(f, flat_in);
    n = offload_plain(f, tx_csum, out, OFFLOAD_PIECES_MAX, arena, &why);
    CHECK(n <= OFFLOAD_PIECES_MAX);
    CHECK(memcmp(&before, f, sizeof(before)) == 0);
    flatten(f, flat_out);
    CHECK(memcmp(flat_in, flat_out, f->len) == 0);
    if (n == 0) {
        CHECK(why == PORT_REASON_TX_GSO_TINY || why == PORT_REASON_TX_GSO_BAD ||
              why == PORT_REASON_TX_CSUM_BAD ||
              why == PORT_REASON_TX_NO_MEMORY);
        CHECK(arena->used == 0);
    } else if (frame_is_gso(f)) {
        check_cut(f, out, n, tx_csum);
    } else {
        CHECK(n == 1);
        check_single(f, &out[0], tx_csum);
    }
    return n;
}

#endif
