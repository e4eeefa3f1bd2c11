/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bridge does with frames, seen from its ports.
 */
#include "tests/lib/rig.h"

#include "base/clock.h"
#include "switch/bridge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A        0x020000000001ULL
#define B        0x020000000002ULL
#define C        0x020000000003ULL
#define ALL      0xffffffffffffULL
#define GROUP    0x01005e000001ULL
#define RESERVED 0x0180c2000000ULL

static struct rig r;

static int three_ports(void **state)
{
    (void)state;
    rig_up(&r, 1);
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    assert_int_equal(rig_add(&r, "mem:p2"), 0);
    assert_int_equal(rig_add(&r, "mem:p3"), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_balance(&r);
    rig_down(&r);
    return 0;
}

static void send(const char *port, uint64_t dst, uint64_t src)
{
    rig_send(&r, port, dst, src, 60, 7);
    rig_settle(&r);
}

#define assert_counts(a, b, c)                                                 \
    do {                                                                       \
        assert_int_equal(rig_count(&r, "p1"), a);                              \
        assert_int_equal(rig_count(&r, "p2"), b);                              \
        assert_int_equal(rig_count(&r, "p3"), c);                              \
    } while (0)

#define assert_reason(port, why, n)                                            \
    assert_int_equal(rig_reason(&r, port, REASON_##why), n)

/* ---- learning and forwarding ---- */

static void unknown_is_flooded_known_is_not(void **state)
{
    (void)state;
    send("p1", B, A);
    assert_counts(0, 1, 1);
    send("p2", A, B);
    assert_counts(1, 0, 0);
    send("p1", B, A);
    assert_counts(0, 1, 0);
    assert_reason("p1", FLOODED, 1);
    assert_reason("p1", FORWARDED, 1);
}

static void a_station_moves(void **state)
{
    (void)state;
    send("p1", ALL, A);
    assert_counts(0, 1, 1);
    send("p3", ALL, A);
    assert_counts(1, 1, 0);
    send("p2", A, B);
    assert_counts(0, 0, 1);
}

static void two_stations_behind_one_port(void **state)
{
    (void)state;
    send("p1", ALL, A);
    send("p1", ALL, B);
    assert_counts(0, 2, 2);
    send("p1", B, A);
    assert_counts(0, 0, 0);
    assert_reason("p1", SAME_PORT, 1);
}

static void hairpin_sends_back(void **state)
{
    (void)state;
    assert_int_equal(rig_set(&r, "p1", BPORT_HAIRPIN, 1), 0);
    send("p1", ALL, A);
    assert_counts(1, 1, 1);
    send("p1", ALL, B);
    assert_counts(1, 1, 1);
    send("p1", B, A);
    assert_counts(1, 0, 0);
    assert_reason("p1", FORWARDED, 1);
    assert_int_equal(rig_set(&r, "p1", BPORT_HAIRPIN, 0), 0);
    send("p1", ALL, A);
    assert_counts(0, 1, 1);
}

static void isolated_ports_do_not_talk(void **state)
{
    (void)state;
    assert_int_equal(rig_set(&r, "p1", BPORT_ISOLATED, 1), 0);
    assert_int_equal(rig_set(&r, "p2", BPORT_ISOLATED, 1), 0);
    send("p1", ALL, A);
    assert_counts(0, 0, 1);
    send("p2", A, B);
    assert_counts(0, 0, 0);
    assert_reason("p2", ISOLATED, 1);
    send("p3", A, C);
    assert_counts(1, 0, 0);
    send("p3", ALL, C);
    assert_counts(1, 1, 0);
    /* nobody but an isolated port is left */
    assert_int_equal(rig_del(&r, "p3"), 0);
    rig_send(&r, "p1", ALL, A, 60, 7);
    rig_settle(&r);
    assert_reason("p1", ISOLATED, 1);
}

static void learning_off(void **state)
{
    (void)state;
    assert_int_equal(rig_set(&r, "p1", BPORT_LEARNING, 0), 0);
    send("p1", ALL, A);
    assert_counts(0, 1, 1);
    send("p2", A, B);
    assert_counts(1, 0, 1);
}

static void each_kind_of_flooding_has_its_switch(void **state)
{
    static const struct {
        enum bport_param param;
        uint64_t dst;
    } kind[] = {{BPORT_FLOOD, 0x02ff00000000ULL},
                {BPORT_FLOOD_MCAST, GROUP},
                {BPORT_FLOOD_BCAST, ALL}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig_set(&r, "p2", kind[i].param, 0), 0);
        for (unsigned k = 0; k < 3; k++) {
            send("p1", kind[k].dst, A);
            assert_counts(0, k != i, 1);
        }
        assert_int_equal(rig_set(&r, "p3", kind[i].param, 0), 0);
        send("p1", kind[i].dst, A);
        assert_counts(0, 0, 0);
        assert_reason("p1", FLOOD_OFF, i + 1);
        assert_int_equal(rig_set(&r, "p2", kind[i].param, 1), 0);
        assert_int_equal(rig_set(&r, "p3", kind[i].param, 1), 0);
    }
}

static void alone_on_the_bridge(void **state)
{
    (void)state;
    assert_int_equal(rig_del(&r, "p2"), 0);
    assert_int_equal(rig_del(&r, "p3"), 0);
    send("p1", ALL, A);
    assert_reason("p1", NO_PORT, 1);
}

/* ---- addresses that are not forwarded ---- */

static void reserved_addresses_by_the_masks(void **state)
{
    (void)state;
    for (unsigned x = 0; x < 16; x++) {
        uint64_t dst = RESERVED + x;

        assert_int_equal(rig_bridge_set(&r, BRIDGE_FWD_MASK, 0), 0);
        send("p1", dst, A);
        /* spanning tree off: its own address passes, as in the kernel */
        assert_counts(0, x == 0, x == 0);
        assert_int_equal(rig_bridge_set(&r, BRIDGE_FWD_MASK, 1U << x), 0);
        send("p1", dst, A);
        assert_counts(0, 1, 1);
        assert_int_equal(
            rig_bridge_set(&r, BRIDGE_FWD_MASK, 0xffff & ~(1U << x)), 0);
        send("p1", dst, A);
        assert_counts(0, x == 0, x == 0);
        assert_int_equal(rig_set(&r, "p1", BPORT_FWD_MASK, 1U << x), 0);
        send("p1", dst, A);
        assert_counts(0, 1, 1);
        assert_int_equal(rig_set(&r, "p1", BPORT_FWD_MASK, 0), 0);
        send("p2", dst, B);
        assert_counts(x == 0, 0, x == 0);
    }
    assert_reason("p1", RESERVED_FORWARDED, 2 * 16 + 2);
    assert_reason("p1", RESERVED_DROPPED, 2 * 15);
    assert_reason("p2", RESERVED_DROPPED, 15);
    send("p1", RESERVED + 16, A);
    assert_counts(0, 1, 1);
    assert_reason("p1", FLOODED, 1);
}

static void bad_sources(void **state)
{
    (void)state;
    send("p1", ALL, 0);
    send("p1", ALL, GROUP);
    send("p1", ALL, ALL);
    assert_counts(0, 0, 0);
    assert_reason("p1", BAD_SOURCE, 3);
}

static void own_address(void **state)
{
    (void)state;
    assert_int_equal(rig_add(&r, "mem:own,mac=02:00:00:00:00:aa"), 0);
    /* from it: remarked upon and not learned, and on it goes */
    send("p1", ALL, 0x0200000000aaULL);
    assert_counts(0, 1, 1);
    assert_int_equal(rig_count(&r, "own"), 1);
    assert_reason("p1", OWN_SOURCE, 1);
    /* to it: for the bridge itself, which has no interface here */
    send("p1", 0x0200000000aaULL, A);
    assert_counts(0, 0, 0);
    assert_int_equal(rig_count(&r, "own"), 0);
    assert_reason("p1", NO_PORT, 1);
    assert_int_equal(rig_del(&r, "own"), 0);
    send("p1", ALL, 0x0200000000aaULL);
    assert_counts(0, 1, 1);
}

static void pinned_addresses(void **state)
{
    (void)state;
    assert_int_equal(rig_fdb_set(&r, A, "p1", FDB_STATIC), 0);
    send("p2", ALL, A);
    assert_counts(1, 0, 1);
    assert_reason("p2", PINNED, 1);
    send("p3", A, C);
    assert_counts(1, 0, 0);
    send("p1", ALL, A);
    assert_counts(0, 1, 1);
    assert_int_equal(rig_flush(&r, NULL), 0);
    send("p3", A, C);
    assert_counts(1, 0, 0);
}

/* ---- sizes ---- */

static void runts_and_giants(void **state)
{
    struct bport_stats s;

    (void)state;
    rig_send(&r, "p1", ALL, A, 13, 0);
    rig_send(&r, "p1", ALL, A, 1, 0);
    rig_settle(&r);
    s = rig_stats(&r, "p1");
    assert_int_equal(s.reason[REASON_PORT_RX_RUNT], 2);
    assert_int_equal(s.rx_frames, 2);
    rig_send(&r, "p1", ALL, A, 14, 0);
    rig_settle(&r);
    assert_counts(0, 1, 1);
    assert_int_equal(rig_set(&r, "p1", BPORT_HAIRPIN, 0), 0);
}

static void too_big_for_one_of_them(void **state)
{
    (void)state;
    assert_int_equal(rig_add(&r, "mem:big,mtu=9000"), 0);
    rig_send(&r, "p1", ALL, A, 9014, 0);
    rig_settle(&r);
    assert_counts(0, 0, 0);
    assert_int_equal(rig_count(&r, "big"), 1);
    assert_reason("p2", PORT_TX_TOO_BIG, 1);
    assert_reason("p3", PORT_TX_TOO_BIG, 1);
    rig_send(&r, "p1", ALL, A, 9015, 0);
    rig_settle(&r);
    assert_int_equal(rig_count(&r, "big"), 0);
    assert_reason("big", PORT_TX_TOO_BIG, 1);
    rig_send(&r, "p1", ALL, A, 1514, 0);
    rig_send(&r, "p1", ALL, A, 1515, 0);
    rig_settle(&r);
    assert_counts(0, 1, 1);
}

/* A TCP/IPv4 super-frame of 'payload' octets, checksum to be completed. */
static unsigned super_frame(uint8_t *f, unsigned payload, uint16_t mss,
                            struct virtio_net_hdr *v)
{
    static const uint8_t head[54] = {
        0x02, 0, 0,  0, 0,    2,    0x02, 0, 0,    0, 0, 1, 8,  0,
        0x45, 0, 0,  0, 0,    1,    0x40, 0, 64,   6, 0, 0, 10, 0,
        0,    1, 10, 0, 0,    2,    0x10, 0, 0x20, 0, 0, 0, 0,  1,
        0,    0, 0,  0, 0x50, 0x10, 0x20, 0, 0,    0, 0, 0};

    memcpy(f, head, sizeof(head));
    f[16] = (uint8_t)((payload + 40) >> 8);
    f[17] = (uint8_t)(payload + 40);
    for (unsigned i = 0; i < payload; i++)
        f[54 + i] = (uint8_t)i;
    *v = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                 .hdr_len = 54,
                                 .gso_size = mss,
                                 .csum_start = 34,
                                 .csum_offset = 16};
    return 54 + payload;
}

static void super_frames_are_cut_where_they_must(void **state)
{
    static uint8_t f[20000], got[20000];
    struct virtio_net_hdr v;
    unsigned len = super_frame(f, 14480, 1448, &v), pieces = 0, octets = 0;
    int n;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:plain,vnet=off"), 0);
    assert_int_equal(rig_add(&r, "mem:tiny,mtu=1000"), 0);
    assert_int_equal(bport_mem_inject(rig_port(&r, "p1"), f, len, &v, 1), 0);
    rig_settle(&r);
    n = bport_mem_collect(rig_port(&r, "p2"), got, sizeof(got), &v);
    assert_int_equal(n, len);
    assert_int_equal(v.gso_size, 1448);
    while ((n = bport_mem_collect(rig_port(&r, "plain"), got, sizeof(got),
                                  &v)) > 0) {
        assert_int_equal(n, 54 + 1448);
        assert_int_equal(v.gso_type, VIRTIO_NET_HDR_GSO_NONE);
        assert_int_equal(v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
        assert_memory_equal(got + 54, f + 54 + octets, 1448);
        octets += 1448;
        pieces++;
    }
    assert_int_equal(pieces, 10);
    assert_int_equal(rig_stats(&r, "plain").tx_frames, 10);
    assert_reason("tiny", PORT_TX_TOO_BIG, 1);
    assert_int_equal(rig_count(&r, "tiny"), 0);
}

/* A port that would swallow anything gets only what fits it. */
static void the_switch_itself_minds_the_mtu(void **state)
{
    (void)state;
    assert_int_equal(rig_add(&r, "mem:any,mtu=1000,discard=on"), 0);
    rig_send(&r, "p1", ALL, A, 1014, 0);
    rig_send(&r, "p1", ALL, A, 1015, 0);
    rig_settle(&r);
    assert_int_equal(rig_stats(&r, "any").tx_frames, 1);
    assert_reason("any", PORT_TX_TOO_BIG, 1);
    assert_counts(0, 2, 2);
}

/* Frames 'port' got: all of 'size' octets, 'n' of them. */
static void assert_pieces(const char *port, unsigned n, int size, bool csum)
{
    static uint8_t got[20000];
    struct virtio_net_hdr v;

    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(
            bport_mem_collect(rig_port(&r, port), got, sizeof(got), &v), size);
        assert_int_equal(v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, csum);
    }
}

/* What is cut once serves all who need it so, and each frame its own cut. */
static void cuts_are_not_mixed_up(void **state)
{
    static const unsigned times[] = {1, 2, 3, 3, 2, 1};
    static uint8_t f[20000];
    struct virtio_net_hdr v;
    unsigned len;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:x1,vnet=off"), 0);
    assert_int_equal(rig_add(&r, "mem:x2,tso4=off"), 0);
    assert_int_equal(rig_add(&r, "mem:x3,vnet=off"), 0);
    assert_int_equal(rig_add(&r, "mem:x4,tso4=off"), 0);
    for (unsigned i = 0; i < 6; i++) {
        len = super_frame(f, 4000 * times[i], (uint16_t)(400 * times[i]), &v);
        assert_int_equal(bport_mem_inject(rig_port(&r, "p1"), f, len, &v, 1),
                         0);
        if (i == 2)
            rig_settle(&r); /* the rest in another turn, in another order */
    }
    rig_settle(&r);
    for (unsigned i = 0; i < 6; i++) {
        int size = 54 + 400 * (int)times[i];

        assert_pieces("x1", 10, size, false);
        assert_pieces("x2", 10, size, true);
        assert_pieces("x3", 10, size, false);
        assert_pieces("x4", 10, size, true);
    }
}

static void tiny_pieces_are_refused(void **state)
{
    static uint8_t f[70000];
    struct virtio_net_hdr v;
    unsigned len = super_frame(f, 64000, 1, &v);
    char name[16], spec[40];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(spec, sizeof(spec), "mem:x%u,vnet=off", i);
        assert_int_equal(rig_add(&r, spec), 0);
    }
    assert_int_equal(bport_mem_inject(rig_port(&r, "p1"), f, len, &v, 1), 0);
    rig_settle(&r);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "x%u", i);
        assert_reason(name, PORT_TX_GSO_TINY, 1);
        assert_int_equal(rig_count(&r, name), 0);
    }
}

/* ---- several bridges ---- */

static void bridges_do_not_mix(void **state)
{
    struct bridge *other;

    (void)state;
    assert_int_equal(rig_add_bridge(&r, "br1"), 0);
    other = bridge_find(r.sw, "br1");
    assert_int_equal(rig_add_to(&r, other, "mem:q1"), 0);
    assert_int_equal(rig_add_to(&r, other, "mem:q2"), 0);
    send("p1", ALL, A);
    assert_counts(0, 1, 1);
    assert_int_equal(rig_count(&r, "q1") + rig_count(&r, "q2"), 0);
    send("q2", A, B);
    assert_counts(0, 0, 0);
    assert_int_equal(rig_count(&r, "q1"), 1);
    assert_reason("q2", FLOODED, 1);
}

/* ---- the table, seen from outside ---- */

static void flush_and_ageing(void **state)
{
    struct fdb_value v;
    uint64_t sent;
    uint32_t age;

    (void)state;
    send("p1", ALL, A);
    send("p2", ALL, B);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_int_equal(v.port, 1);
    assert_int_equal(rig_flush(&r, "p1"), 0);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_true(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
    send("p1", ALL, A);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_int_equal(rig_flush(&r, NULL), 0);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_false(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
    sent = clock_now();
    send("p1", ALL, A);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_AGEING, 20), 0);
    if (!bridge_fdb_get(r.b, fdb_key(0, A), &v, &age))
        assert_true(clock_now() - sent > 100 * NSEC_PER_MSEC);
    rig_run(&r, 0.5);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
}

static void count_answer(void *arg, int rc, const struct err *e)
{
    (void)e;
    assert_int_equal(rc, 0);
    ++*(unsigned *)arg;
}

static unsigned due;

static bool all_answered(void *arg)
{
    return *(unsigned *)arg == due;
}

static void set_soon(uint64_t mac, const char *port, unsigned *answers)
{
    due++;
    bridge_fdb_set(r.b, fdb_key(0, mac), rig_port(&r, port), FDB_STATIC,
                   count_answer, answers);
}

/* More entries at once than the table has room for: the last word counts. */
static void settings_that_wait(void **state)
{
    unsigned answers = 0, n = 0;
    struct fdb_value v;
    uint32_t age;

    (void)state;
    due = 0;
    while (!r.b->settings)
        set_soon(A + 0x10000 + ++n, "p1", &answers);
    set_soon(B, "p1", &answers);
    set_soon(B, "p2", &answers);
    set_soon(C, "p1", &answers);
    due++;
    bridge_fdb_del(r.b, fdb_key(0, C), count_answer, &answers);
    assert_true(rig_wait(&r, all_answered, &answers));
    assert_true(bridge_fdb_get(r.b, fdb_key(0, A + 0x10000 + n), &v, &age));
    assert_true(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
    assert_int_equal(v.port, rig_port(&r, "p2")->no);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, C), &v, &age));
    rig_run(&r, 0.1);
    assert_int_equal(answers, due);
    assert_null(r.b->settings);
}

/* An entry made in place of a port's own stays when the port goes. */
static void a_setting_in_an_own_address_s_place(void **state)
{
    struct fdb_value v;
    uint32_t age;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p9,mac=02:00:00:00:00:99"), 0);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, 0x020000000099), &v, &age));
    assert_true(v.flags & FDB_LOCAL);
    assert_int_equal(rig_fdb_set(&r, 0x020000000099, "p2", FDB_STATIC), 0);
    assert_int_equal(rig_del(&r, "p9"), 0);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, 0x020000000099), &v, &age));
    assert_int_equal(v.port, rig_port(&r, "p2")->no);
    assert_int_equal(rig_add(&r, "mem:p9,mac=02:00:00:00:00:98"), 0);
    assert_int_equal(rig_del(&r, "p9"), 0);
    assert_false(bridge_fdb_get(r.b, fdb_key(0, 0x020000000098), &v, &age));
}

/* A forwarder whose turn began after we looked at the clock. */
static void seen_a_moment_ahead(void **state)
{
    struct fdb_now t = table_now(r.b);
    struct fdb_walk w = {0};
    struct fdb_entry e;
    struct fdb_value v;
    uint32_t age;

    (void)state;
    t.now = (uint16_t)(t.now + 50);
    assert_int_equal(fdb_learn(r.b->plane.fdb, &t, fdb_key(0, A), 1, &v),
                     FDB_NEW);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    assert_int_equal(age, 0);
    assert_int_equal(bridge_fdb_walk(r.b, &w, &e, &age, 1, 1U << 20), 1);
    assert_int_equal(age, 0);
}

/* Learns that were refused, and entries that were taken away. */
static uint64_t not_kept(void)
{
    struct bridge_info info;

    bridge_info(r.b, &info);
    return info.fdb.refused + info.fdb.expired;
}

struct newcomer {
    uint64_t mac, not_kept;
    bool again;
};

/*
 * A learn is refused while the owner is at the table.  At either half of the
 * circle of generations all that the port has learned is told to leave, and
 * what it learns until then leaves as well (fdb_port_purge).  In either case
 * the next frame is learned.
 */
static bool is_learned(struct newcomer *n)
{
    struct fdb_value v;
    uint32_t age;

    if (bridge_fdb_get(r.b, fdb_key(0, n->mac), &v, &age))
        return true;
    if (not_kept() > n->not_kept) {
        n->not_kept = not_kept();
        n->again = true;
        rig_send(&r, "p1", B, n->mac, 60, 0);
    }
    return false;
}

/* More flushes than there are generations: none comes back to life. */
static void generations_wrap(void **state)
{
    struct fdb_value v;
    uint32_t age;

    (void)state;
    send("p2", ALL, B);
    for (unsigned i = 0; i < FDB_GEN_MAX + 100; i++) {
        struct newcomer n = {A + 0x10000 + i, not_kept(), false};
        uint64_t end = clock_now() + 10 * NSEC_PER_SEC;

        rig_send(&r, "p1", B, n.mac, 60, 0);
        while (!is_learned(&n) && clock_now() < end)
            ev_run(r.loop, EVRUN_NOWAIT);
        assert_true(is_learned(&n));
        if (n.again)
            rig_settle(&r); /* none is left to be learned after the flush */
        assert_int_equal(rig_flush(&r, "p1"), 0);
        assert_false(bridge_fdb_get(r.b, fdb_key(0, n.mac), &v, &age));
    }
    for (unsigned i = 0; i < FDB_GEN_MAX + 100; i++)
        assert_false(
            bridge_fdb_get(r.b, fdb_key(0, A + 0x10000 + i), &v, &age));
    assert_true(bridge_fdb_get(r.b, fdb_key(0, B), &v, &age));
}

static bool nothing_leaves(void *arg)
{
    (void)arg;
    return r.b->purging == 0;
}

/*
 * All generations within a moment, before any sweep: the number comes round
 * only when the entries that bear it have left.
 */
static void generations_come_round_too_soon(void **state)
{
    struct fdb_value v;
    uint32_t age;

    (void)state;
    send("p1", ALL, A);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    for (unsigned i = 0; i <= FDB_GEN_MAX; i++) {
        r.b->gen_new[1] = false;
        table_flush_port(r.b, 1, true);
    }
    assert_true(rig_wait(&r, nothing_leaves, NULL));
    assert_false(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
    rig_run(&r, 0.01);
    send("p1", ALL, A);
    assert_true(bridge_fdb_get(r.b, fdb_key(0, A), &v, &age));
}

static uint32_t learned(const char *port)
{
    struct bport_info info;

    bport_info(rig_port(&r, port), &info);
    return info.fdb_learned;
}

/* A learn is refused now and then, while the table grows. */
static bool all_learned(void *arg)
{
    if (learned("uplink") == 2400)
        return true;
    for (unsigned i = 0; i < 2400; i++)
        rig_send(&r, "uplink", ALL, C + 0x100000 + i, 60, 0);
    rig_settle(&r);
    (void)arg;
    return false;
}

/* A guest that makes up addresses loses its own, not those of the uplink. */
static void a_flood_of_addresses(void **state)
{
    struct fdb_value v;
    uint32_t age;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:uplink,edge=off"), 0);
    assert_int_equal(rig_bridge_set(&r, BRIDGE_FDB_LIMIT, 4000), 0);
    assert_true(rig_wait(&r, all_learned, NULL));
    for (unsigned i = 0; i < 20000; i++) {
        rig_send(&r, "p1", C, A + 0x200000 + i, 60, 0);
        if (i % 500 == 0)
            rig_settle(&r);
    }
    rig_settle(&r);
    for (unsigned i = 0; i < 2400; i++)
        assert_true(
            bridge_fdb_get(r.b, fdb_key(0, C + 0x100000 + i), &v, &age));
    assert_in_range(learned("p1"), 1, 1024);
    assert_int_equal(learned("uplink"), 2400);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, three_ports, down)
    const struct CMUnitTest tests[] = {
        T(unknown_is_flooded_known_is_not),
        T(a_station_moves),
        T(two_stations_behind_one_port),
        T(hairpin_sends_back),
        T(isolated_ports_do_not_talk),
        T(learning_off),
        T(each_kind_of_flooding_has_its_switch),
        T(alone_on_the_bridge),
        T(reserved_addresses_by_the_masks),
        T(bad_sources),
        T(own_address),
        T(pinned_addresses),
        T(runts_and_giants),
        T(too_big_for_one_of_them),
        T(super_frames_are_cut_where_they_must),
        T(the_switch_itself_minds_the_mtu),
        T(cuts_are_not_mixed_up),
        T(tiny_pieces_are_refused),
        T(bridges_do_not_mix),
        T(flush_and_ageing),
        T(settings_that_wait),
        T(a_setting_in_an_own_address_s_place),
        T(seen_a_moment_ahead),
        T(generations_wrap),
        T(generations_come_round_too_soon),
        T(a_flood_of_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
