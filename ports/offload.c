/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/offload.h"
#include "base/cursor.h"

#include <errno.h>

#define ETH_TYPE_AT  12
#define ETH_VLAN     0x8100
#define ETH_QINQ     0x88a8
#define ETH_TAGS_MAX 4
#define UDP_HLEN     8
#define TCP_HLEN_MIN 20
#define TCP_DOFF_AT  12

/* What the gso_type says without its ECN bit. */
static unsigned gso_of(const struct frame *f)
{
    return f->vnet.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
}

/* Octets up to the network header, tags included; its type in *type. */
static uint32_t mac_hlen(const struct frame *f, uint16_t *type)
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
    return len <= mtu + mac_hlen(f, &type);
}
