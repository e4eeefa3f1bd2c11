/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame as a hostile peer could send it.  Input: three octets that cut it
 * into segments, two that say how much to add at its end, the virtio-net
 * header, the frame.
 */
#include "tests/fuzz/pieces.h"

#include "base/cursor.h"

#define PREFIX (5 + sizeof(struct virtio_net_hdr))

static uint8_t bytes[FLAT_MAX];

static void check_accepted(const struct frame *f)
{
    static const struct port_caps none, all = {.vnet = true,
                                               .tx_csum = true,
                                               .tx_tso4 = true,
                                               .tx_tso6 = true,
                                               .tx_uso = true};
    size_t end = (size_t)f->vnet.csum_start + f->vnet.csum_offset + 2;
    bool partial = f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;

    CHECK(f->len >= FRAME_ETH_HLEN && f->len <= FRAME_LEN_MAX);
    CHECK(f->csum == (partial ? CSUM_PARTIAL : CSUM_COMPLETE));
    if (partial)
        CHECK(end <= f->len && end <= f->seg[0].iov_len);
    else
        CHECK(end == 2 && !frame_is_gso(f));
    CHECK(offload_fits(f, &all));
    CHECK(offload_fits(f, &none) == !partial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena arena;
    struct cursor c = cursor_over(data, size);
    struct frame f = {.in_port = 1};
    uint8_t knob[5] = {0};
    enum port_reason why;
    uint32_t len, cut[3];

    if (!arena.base && arena_init(&arena, 2U << 20))
        abort();
    if (!cursor_bytes(&c, knob, 5) ||
        !cursor_bytes(&c, &f.vnet, sizeof(f.vnet)))
        return 0;
    len = (uint32_t)cursor_left(&c);
    if (len > FRAME_LEN_MAX + 1)
        len = FRAME_LEN_MAX + 1;
    (void)cursor_bytes(&c, bytes, len);
    for (uint32_t more = be16_at(knob + 3); more && len <= FRAME_LEN_MAX;
         more--, len++)
        bytes[len] = (uint8_t)(len * 7);
    /* The first segment has what there is of 128 octets, at least. */
    cut[0] = 128 + (knob[0] & 0x3f) * 8U;
    cut[1] = cut[0] + knob[1] * 5U;
    cut[2] = cut[1] + knob[2] * 201U;
    lay_out(&f, bytes, len, cut, knob[0] >> 6);
    if (frame_vnet_check(&f, &why)) {
        check_accepted(&f);
        check_plain(&f, false, &arena);
        check_plain(&f, true, &arena);
    } else {
        CHECK(why == PORT_REASON_RX_RUNT || why == PORT_REASON_RX_TRUNCATED ||
              why == PORT_REASON_RX_BAD_VNET);
    }
    unlay(&f);
    return 0;
}
