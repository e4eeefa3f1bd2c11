/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things lie in Ethernet, IP and transport headers, and the Internet
 * checksum: what offload.c and settle.c share.  Nobody else includes this.
 *
 * Sums are in memory order (RFC 1071, 2 (B)).  Pure; any thread.
 */
#ifndef PORTS_INET_H
#define PORTS_INET_H

#include "base/cursor.h"
#include "ports/frame.h"

#define ETH_TYPE_AT  12
#define ETH_VLAN     0x8100
#define ETH_QINQ     0x88a8
#define ETH_IP4      0x0800
#define ETH_IP6      0x86dd
#define ETH_TAGS_MAX 4

#define IP4_HLEN_MIN 20
#define IP4_LEN_AT   2
#define IP4_ID_AT    4
#define IP4_CSUM_AT  10
#define IP6_HLEN     40
#define IP6_LEN_AT   4

#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_HOPOPTS 0
#define PROTO_ROUTING 43
#define PROTO_DSTOPTS 60
#define PROTO_SCTP    132

#define SCTP_CSUM_AT 8
#define UDP_HLEN     8
#define UDP_LEN_AT   4
#define UDP_CSUM_AT  6
#define TCP_HLEN_MIN 20
#define TCP_SEQ_AT   4
#define TCP_DOFF_AT  12
#define TCP_FLAGS_AT 13
#define TCP_CSUM_AT  16
#define TCP_FIN      0x01
#define TCP_PSH      0x08
#define TCP_CWR      0x80

/* Octets up to the network header, tags included; its type in *type. */
static inline uint32_t inet_mac_hlen(const struct frame *f, uint16_t *type)
{
    struct cursor c = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    uint32_t n = ETH_TYPE_AT + 2;
    uint16_t tci;

    *type = 0;
    if (!cursor_skip(&c, ETH_TYPE_AT) || !cursor_be16(&c, type))
        return n;
    for (int i = 0; i < ETH_TAGS_MAX; i++) {
        if (*type != ETH_VLAN && *type != ETH_QINQ)
            break;
        if (!cursor_be16(&c, &tci) || !cursor_be16(&c, type))
            break;
        n += 4;
    }
    return n;
}

/* One's complement sum in memory order; not folded. */
static inline uint64_t inet_sum(const uint8_t *at, size_t n)
{
    uint64_t a = 0, b = 0, w[2];
    uint32_t d;
    uint16_t h;

    for (; n >= 16; n -= 16, at += 16) {
        memcpy(w, at, 16);
        a += (w[0] & UINT32_MAX) + (w[1] & UINT32_MAX);
        b += (w[0] >> 32) + (w[1] >> 32);
    }
    for (; n >= 4; n -= 4, at += 4) {
        memcpy(&d, at, 4);
        a += d;
    }
    if (n >= 2) {
        memcpy(&h, at, 2);
        b += h;
    }
    if (n & 1) {
        uint8_t last[2] = {at[n - 1], 0};

        memcpy(&h, last, 2);
        b += h;
    }
    return a + b;
}

static inline uint16_t inet_fold(uint64_t s)
{
    s = (s & UINT32_MAX) + (s >> 32);
    s = (s & UINT32_MAX) + (s >> 32);
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t)s;
}

static inline uint16_t inet_get16(const uint8_t *at)
{
    uint16_t v;

    memcpy(&v, at, 2);
    return v;
}

#endif
