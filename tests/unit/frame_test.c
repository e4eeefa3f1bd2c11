/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define NEEDS VIRTIO_NET_HDR_F_NEEDS_CSUM
#define VALID VIRTIO_NET_HDR_F_DATA_VALID
#define TCP4  VIRTIO_NET_HDR_GSO_TCPV4
#define TCP6  VIRTIO_NET_HDR_GSO_TCPV6
#define USO   VIRTIO_NET_HDR_GSO_UDP_L4
#define UFO   VIRTIO_NET_HDR_GSO_UDP
#define ECN   VIRTIO_NET_HDR_GSO_ECN

/* ---- arena ---- */

static void allocating(void **state)
{
    struct arena a;
    uint8_t *x, *y;

    (void)state;
    assert_int_equal(arena_init(&a, 4096), 0);
    x = arena_alloc(&a, 1);
    y = arena_alloc(&a, 65);
    assert_non_null(x);
    assert_int_equal((uintptr_t)x % 64, 0);
    assert_ptr_equal(y, x + 64);
    assert_int_equal(arena_left(&a), 4096 - 64 - 65);
    assert_null(arena_alloc(&a, 4096 - 192 + 1));
    assert_ptr_equal(arena_alloc(&a, 4096 - 192), x + 192);
    assert_null(arena_alloc(&a, 1));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 0));
    x[4095] = 1; /* it is all there */
    a.used = 0;
    assert_ptr_equal(arena_alloc(&a, 4096), x);
    arena_destroy(&a);
    assert_null(a.base);
    assert_null(arena_alloc(&a, 1));
    arena_destroy(&a);
}

/* Not a multiple of 64: the last, aligned step may not wrap around. */
static void odd_end(void **state)
{
    uint8_t base[70];
    struct arena a = {.base = base, .size = 70, .used = 70};

    (void)state;
    assert_null(arena_alloc(&a, 0));
    assert_null(arena_alloc(&a, 1));
}

#define RESERVE ((size_t)256 << 20)

static unsigned resident(const struct arena *a, unsigned char *page)
{
    unsigned n = 0;

    assert_int_equal(mincore(a->base, a->size, page), 0);
    for (size_t i = 0; i < a->size / 4096; i++)
        n += page[i] & 1;
    return n;
}

static void reserve_is_not_touched(void **state)
{
    static unsigned char page[RESERVE / 4096];
    struct arena a;

    (void)state;
    assert_int_equal(arena_init(&a, RESERVE), 0);
    assert_int_equal(resident(&a, page), 0);
    *(uint8_t *)arena_alloc(&a, 1) = 1;
    assert_true(resident(&a, page) > 0);
    arena_destroy(&a);
    assert_int_equal(arena_init(&a, SIZE_MAX / 2), -ENOMEM);
    arena_destroy(&a);
}

/* ---- the virtio-net header ---- */

static uint8_t bytes[FRAME_LEN_MAX + 1];

static struct frame frame_of(uint32_t len, uint32_t head)
{
    struct frame f = {.len = len, .nseg = 1, .csum = 99};

    f.seg[0] = (struct iovec){bytes, head < len ? head : len};
    if (head < len) {
        f.seg[1] = (struct iovec){bytes + head, len - head};
        f.nseg = 2;
    }
    return f;
}

static void accepted(struct virtio_net_hdr v, enum csum_state csum)
{
    struct frame f = frame_of(1514, 128);
    enum port_reason why = PORT_REASON_COUNT;

    f.vnet = v;
    assert_true(frame_vnet_check(&f, &why));
    assert_int_equal(f.csum, csum);
    assert_int_equal(f.vnet.gso_type, v.gso_type);
}

static void refused(struct virtio_net_hdr v)
{
    struct frame f = frame_of(1514, 128);
    enum port_reason why = PORT_REASON_COUNT;

    f.vnet = v;
    assert_false(frame_vnet_check(&f, &why));
    assert_int_equal(why, PORT_REASON_RX_BAD_VNET);
}

#define HDR(fl, gso, size, start, offset)                                      \
    (struct virtio_net_hdr)                                                    \
    {                                                                          \
        .flags = (fl), .gso_type = (gso), .gso_size = (size),                  \
        .csum_start = (start), .csum_offset = (offset)                         \
    }

static void lengths(void **state)
{
    enum port_reason why;
    struct frame f;

    (void)state;
    for (uint32_t len = 0; len < 14; len++) {
        f = frame_of(len, len);
        assert_false(frame_vnet_check(&f, &why));
        assert_int_equal(why, PORT_REASON_RX_RUNT);
    }
    f = frame_of(14, 14);
    assert_true(frame_vnet_check(&f, &why));
    f = frame_of(FRAME_LEN_MAX, FRAME_LEN_MAX);
    assert_true(frame_vnet_check(&f, &why));
    f = frame_of(FRAME_LEN_MAX + 1, FRAME_LEN_MAX + 1);
    assert_false(frame_vnet_check(&f, &why));
    assert_int_equal(why, PORT_REASON_RX_TRUNCATED);
}

static void states(void **state)
{
    (void)state;
    accepted(HDR(0, 0, 0, 0, 0), CSUM_COMPLETE);
    accepted(HDR(VALID, 0, 0, 0, 0), CSUM_COMPLETE);
    accepted(HDR(NEEDS, 0, 0, 34, 16), CSUM_PARTIAL);
    accepted(HDR(NEEDS | VALID, 0, 0, 34, 16), CSUM_PARTIAL);
    /* offsets of a frame that needs nothing mean nothing */
    accepted(HDR(0, 0, 0, 60000, 60000), CSUM_COMPLETE);
    accepted(HDR(VALID, 0, 0, 60000, 60000), CSUM_COMPLETE);
}

static void offsets(void **state)
{
    (void)state;
    accepted(HDR(NEEDS, 0, 0, 14, 0), CSUM_PARTIAL);
    accepted(HDR(NEEDS, 0, 0, 110, 16), CSUM_PARTIAL);
    accepted(HDR(NEEDS, 0, 0, 14, 112), CSUM_PARTIAL);
    refused(HDR(NEEDS, 0, 0, 13, 16));
    refused(HDR(NEEDS, 0, 0, 0, 16));
    refused(HDR(NEEDS, 0, 0, 111, 16)); /* half of it behind the head */
    refused(HDR(NEEDS, 0, 0, 1498, 16));
    refused(HDR(NEEDS, 0, 0, 1500, 16));
    refused(HDR(NEEDS, 0, 0, 14, 113));
    refused(HDR(NEEDS, 0, 0, 65535, 0));
    refused(HDR(NEEDS, 0, 0, 34, 65535));
    refused(HDR(NEEDS, 0, 0, 65535, 65535));
    refused(HDR(NEEDS, 0, 0, 32768, 32768));
}

static void super_frames(void **state)
{
    (void)state;
    accepted(HDR(NEEDS, TCP4, 1448, 34, 16), CSUM_PARTIAL);
    accepted(HDR(NEEDS, TCP6, 1428, 54, 16), CSUM_PARTIAL);
    accepted(HDR(NEEDS, TCP4 | ECN, 1448, 34, 16), CSUM_PARTIAL);
    accepted(HDR(NEEDS, TCP6 | ECN, 1428, 54, 16), CSUM_PARTIAL);
    accepted(HDR(NEEDS, USO, 1000, 34, 6), CSUM_PARTIAL);
    refused(HDR(0, TCP4, 1448, 34, 16)); /* virtio: MUST set NEEDS_CSUM */
    refused(HDR(VALID, TCP4, 1448, 34, 16));
    refused(HDR(NEEDS, TCP4, 0, 34, 16));
    refused(HDR(NEEDS, TCP4, 1448, 34, 6));
    refused(HDR(NEEDS, TCP6, 1448, 34, 14));
    refused(HDR(NEEDS, USO, 1448, 34, 16));
    refused(HDR(NEEDS, UFO, 1448, 34, 6));
    refused(HDR(NEEDS, ECN, 1448, 34, 16));
    refused(HDR(NEEDS, USO | ECN, 1448, 34, 6));
    refused(HDR(NEEDS, TCP4, 1448, 120, 16));
    for (unsigned type = 6; type < 0x80; type++)
        refused(HDR(NEEDS, (uint8_t)type, 1448, 34, 16));
}

/* What a peer made up does not go on to the next device. */
static void tidied(void **state)
{
    struct frame f = frame_of(60, 60);
    enum port_reason why;

    (void)state;
    f.vnet = (struct virtio_net_hdr){.flags = 0xfe,
                                     .gso_size = 5,
                                     .hdr_len = 61,
                                     .csum_start = 7,
                                     .csum_offset = 9};
    assert_true(frame_vnet_check(&f, &why));
    assert_int_equal(f.vnet.flags, VALID);
    assert_int_equal(f.vnet.gso_size, 0);
    assert_int_equal(f.vnet.hdr_len, 0);
    assert_int_equal(f.vnet.csum_start, 0);
    assert_int_equal(f.vnet.csum_offset, 0);
    f.vnet = HDR(0xff, 0, 0, 34, 16);
    f.vnet.hdr_len = 54;
    assert_true(frame_vnet_check(&f, &why));
    assert_int_equal(f.vnet.flags, NEEDS | VALID);
    assert_int_equal(f.vnet.hdr_len, 54);
    assert_int_equal(f.vnet.csum_start, 34);
    assert_int_equal(f.vnet.csum_offset, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocating),
        cmocka_unit_test(odd_end),
        cmocka_unit_test(reserve_is_not_touched),
        cmocka_unit_test(lengths),
        cmocka_unit_test(states),
        cmocka_unit_test(offsets),
        cmocka_unit_test(super_frames),
        cmocka_unit_test(tidied),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
