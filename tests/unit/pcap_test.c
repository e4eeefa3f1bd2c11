/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pcap kind on real devices: frames both ways with their tags, what
 * senders left undone, filters, losses, devices that come and go.  How a
 * device is taken and given back is packet_test's subject; here only that it
 * is.
 */
#include "base/clock.h"
#include "tests/lib/netrig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct netrig port, far;
static int vm = -1;

static int teardown(void **state)
{
    (void)state;
    netrig_close(&port);
    netrig_close(&far);
    if (vm >= 0)
        close(vm);
    vm = -1;
    netrig_run(-1, "for l in v0 v1 t0 d0; do ip link del $l; done 2>/dev/null");
    return 0;
}

static void open_vm(const char *keys)
{
    char spec[160];

    vm = netrig_vm(-1, "t0");
    snprintf(spec, sizeof(spec), "pcap:t0%s", keys);
    netrig_open(&port, spec, -1);
}

/* A pcap port at v0 and a packet port, which knows headers, at v1. */
static void open_veth(const char *keys)
{
    char spec[160];

    netrig_do(-1, "ip link add v0 type veth peer name v1; "
                  "ip link set v0 up; ip link set v1 up");
    snprintf(spec, sizeof(spec), "pcap:v0%s", keys);
    netrig_open(&port, spec, -1);
    netrig_open(&far, "packet:v1", -1);
}

static void expect_frame(const uint8_t *want, size_t n)
{
    uint8_t in[16384];

    assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), NETRIG_WAIT), n);
    assert_memory_equal(in, want, n);
}

/* ---- frames ---- */

static void octets_arrive_as_they_are(void **state)
{
    static const struct {
        unsigned n_tags;
        uint32_t tag[2];
    } tagging[] = {
        {0, {0}},
        {1, {0x81000064}},
        {1, {0x88a8e00a}},
        {2, {0x88a80005, 0x81002006}},
        {2, {0x81000005, 0x8100b006}},
        {1, {0x81000000}}, /* a priority tag */
    };
    static const size_t length[] = {60, 61, 300, 1500};
    uint8_t out[2048], in[2048];

    (void)state;
    open_vm("");
    for (unsigned t = 0; t < 6; t++)
        for (unsigned l = 0; l < 4; l++) {
            size_t n = netrig_frame(out, length[l], NULL, tagging[t].tag,
                                    tagging[t].n_tags);

            assert_int_equal(write(vm, out, n), n);
            expect_frame(out, n);
            assert_int_equal(netrig_send(&port, out, n, NULL).sent, 1);
            assert_int_equal(netrig_vm_recv(vm, in, sizeof(in), NETRIG_WAIT),
                             n);
            assert_memory_equal(in, out, n);
        }
}

static void the_mtu_is_the_device_s(void **state)
{
    static uint8_t out[FRAME_LEN_MAX + 1];
    uint32_t tag = 0x81000fff;
    struct tx_result r;

    (void)state;
    vm = netrig_vm(-1, "t0");
    netrig_do(-1, "ip link set t0 mtu 9000");
    netrig_open(&port, "pcap:t0", -1);
    assert_int_equal(port.port->caps.mtu, 9000);
    assert_false(port.port->caps.vnet);
    for (unsigned tags = 0; tags < 2; tags++) {
        size_t n = netrig_frame(out, 9014 + 4 * tags, NULL, &tag, tags);

        assert_int_equal(write(vm, out, n), n);
        expect_frame(out, n);
    }
    r = netrig_send(&port, out, 9100, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_TOO_BIG], 1);
    r = netrig_send(&port, out, FRAME_LEN_MAX + 1, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_TOO_BIG], 1);
    assert_false(r.failed);
}

static void pieces_leave_as_one_frame(void **state)
{
    uint8_t out[1000], in[1024];
    struct frame f = {.len = sizeof(out), .nseg = 3};
    struct frame *list[] = {&f, &f};
    struct tx_result r = {0};

    (void)state;
    open_vm("");
    netrig_frame(out, sizeof(out), NULL, NULL, 0);
    f.seg[0] = (struct iovec){out, 128};
    f.seg[1] = (struct iovec){out + 128, 1};
    f.seg[2] = (struct iovec){out + 129, sizeof(out) - 129};
    port.port->ops->tx(port.port, 1, list, 2, &r);
    assert_int_equal(r.sent, 2);
    assert_int_equal(r.bytes, 2 * sizeof(out));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(netrig_vm_recv(vm, in, sizeof(in), NETRIG_WAIT),
                         sizeof(out));
        assert_memory_equal(in, out, sizeof(out));
    }
}

static uint64_t time_limit(void)
{
    return clock_now() + (uint64_t)(NETRIG_WAIT * NSEC_PER_SEC);
}

/* Receives until something has come, be it a frame that is only counted. */
static int receive_some(void)
{
    uint64_t end = time_limit();
    int n;

    port.arena.used = 0;
    port.b = (struct batch){
        .frame = port.frame, .max = NETRIG_MAX, .arena = &port.arena};
    do {
        usleep(1000);
        n = port.port->ops->rx(port.port, 0, &port.b, 64);
    } while (n == 0 && !port.b.lost[PORT_REASON_RX_CUT] && clock_now() < end);
    return n;
}

/* Neither what we send comes back nor what the host itself sends there. */
static void only_what_is_received_comes_in(void **state)
{
    uint8_t out[64], mark[64], in[64];

    (void)state;
    open_vm("");
    netrig_do(-1, "ip addr add 10.78.0.1/24 dev t0; "
                  "ping -c 1 -W 1 10.78.0.2 >/dev/null; true");
    netrig_frame(out, 60, NULL, NULL, 0);
    netrig_frame(mark, 62, NULL, NULL, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(netrig_send(&port, out, 60, NULL).sent, 1);
    assert_int_equal(write(vm, mark, 62), 62);
    assert_int_equal(receive_some(), 1);
    assert_memory_equal(port.frame[0].seg[0].iov_base, mark, 62);
    assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), 0.05), -1);
}

/* ---- what senders left undone ---- */

/* An IPv4 TCP segment behind a tag; its checksum is to be completed. */
static size_t segment(uint8_t *out, size_t payload)
{
    static const uint8_t head[] = {
        2,    0,    0,    0,    0,  2, 2, 0, 0,  0, 0, 1, /* MACs */
        0x81, 0,    0,    5,    8,  0,                    /* tag 5, IPv4 */
        0x45, 0,    0,    0,    0,  1, 0, 0, 64, 6, 0, 0,
        10,   0,    0,    1,    10, 0, 0, 2, /* IPv4 */
        0x12, 0x34, 0,    80,   0,  0, 0, 1, 0,  0, 0, 1,
        0x50, 0x10, 0xff, 0xff, 0,  0, 0, 0, /* TCP */
    };
    size_t n = sizeof(head) + payload, len = n - 18;
    size_t sum = 0x0a00 + 1 + 0x0a00 + 2 + 6 + (len - 20);

    memcpy(out, head, sizeof(head));
    out[20] = (uint8_t)(len >> 8);
    out[21] = (uint8_t)len;
    sum = (sum & 0xffff) + (sum >> 16);
    out[54] = (uint8_t)(sum >> 8);
    out[55] = (uint8_t)sum;
    for (size_t i = sizeof(head); i < n; i++)
        out[i] = (uint8_t)(i * 13);
    return n;
}

/* Runs the port's receiver until a frame of n octets has come. */
static struct frame *receive_length(size_t n)
{
    uint64_t end = time_limit();

    while (clock_now() < end) {
        port.arena.used = 0;
        port.b = (struct batch){
            .frame = port.frame, .max = NETRIG_MAX, .arena = &port.arena};
        assert_true(port.port->ops->rx(port.port, 0, &port.b, 32) >= 0);
        for (unsigned i = 0; i < port.b.n; i++)
            if (port.frame[i].len == n)
                return &port.frame[i];
        usleep(1000);
    }
    fail_msg("no frame of %zu octets came", n);
    return NULL;
}

static const struct virtio_net_hdr left_undone = {
    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 38, .csum_offset = 16};

static void a_checksum_is_not_known(void **state)
{
    uint8_t out[1000];
    size_t n = segment(out, 100);
    const struct frame *f;

    (void)state;
    open_veth("");
    assert_int_equal(netrig_send(&far, out, n, &left_undone).sent, 1);
    f = receive_length(n);
    assert_int_equal(f->csum, CSUM_UNKNOWN);
    assert_memory_equal(f->seg[0].iov_base, out, n);
}

static void super_frames_are_described(void **state)
{
    static const struct {
        const char *keys;
        uint16_t size;
    } how[] = {{"", 1460}, {",mss=1000", 1000}};
    static uint8_t out[40000];
    struct virtio_net_hdr h = left_undone;
    size_t n = segment(out, 30000);

    (void)state;
    h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    h.gso_size = 700;
    h.hdr_len = 58;
    for (int i = 0; i < 2; i++) {
        const struct frame *f;

        open_veth(how[i].keys);
        assert_int_equal(netrig_send(&far, out, n, &h).sent, 1);
        f = receive_length(n);
        assert_int_equal(f->csum, CSUM_PARTIAL);
        assert_int_equal(f->vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
        assert_int_equal(f->vnet.gso_size, how[i].size);
        assert_int_equal(f->vnet.csum_start, 38);
        assert_memory_equal(f->seg[0].iov_base, out, n);
        teardown(NULL);
    }
}

/* ---- keys ---- */

static void a_filter_chooses(void **state)
{
    uint8_t out[128], other[128];

    (void)state;
    open_vm(",filter=\"ether[14] = 0x42 and len < 100\"");
    netrig_frame(other, 60, NULL, NULL, 0);
    netrig_frame(out, 61, NULL, NULL, 0);
    other[14] = 0x41;
    out[14] = 0x42;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(write(vm, other, 60), 60);
        assert_int_equal(write(vm, out, 61), 61);
        expect_frame(out, 61);
    }
}

static void a_bad_filter_is_told_in_libpcap_s_words(void **state)
{
    struct err e;

    (void)state;
    vm = netrig_vm(-1, "t0");
    assert_int_equal(netrig_try(&port, "pcap:t0,filter=\"tcp prt 80\"", -1, &e),
                     -EINVAL);
    assert_non_null(strstr(e.text, "tcp prt 80"));
    assert_non_null(strstr(e.text, "syntax error"));
    netrig_open(&port, "pcap:t0", -1); /* nothing was kept */
}

static void a_short_snaplen_is_counted(void **state)
{
    uint8_t out[200], small[64];

    (void)state;
    open_vm(",snaplen=100");
    netrig_frame(out, sizeof(out), NULL, NULL, 0);
    netrig_frame(small, 60, NULL, NULL, 0);
    assert_int_equal(write(vm, out, sizeof(out)), sizeof(out));
    assert_int_equal(receive_some(), 0);
    assert_int_equal(port.b.lost[PORT_REASON_RX_CUT], 1);
    assert_int_equal(write(vm, small, 60), 60);
    expect_frame(small, 60);
}

static void keys_are_checked(void **state)
{
    static const char *const bad[] = {
        "pcap:t0,snaplen=1",   "pcap:t0,promisc=perhaps", "pcap:t0,block=x",
        "pcap:t0,buffer=1",    "pcap:t0,mss=1",           "pcap:t0,colour=red",
        "pcap:t0,snaplen=1e9", "pcap:t0,buffer=-5",
    };
    struct err e;

    (void)state;
    vm = netrig_vm(-1, "t0");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(netrig_try(&port, bad[i], -1, &e), -EINVAL);
}

/* ---- losses ---- */

static void what_found_no_room_is_counted(void **state)
{
    const unsigned sent = 5000;
    struct port_desc d;
    uint8_t out[1514], in[2048];
    uint64_t lost, got = 0;

    (void)state;
    open_vm(",buffer=256");
    netrig_frame(out, sizeof(out), NULL, NULL, 0);
    for (unsigned i = 0; i < sent; i++)
        assert_int_equal(write(vm, out, sizeof(out)), sizeof(out));
    port.port->ops->describe(port.port, &d);
    lost = d.losses.n[PORT_REASON_RX_QUEUE_FULL];
    assert_in_range(lost, 1, sent - 1);
    while (netrig_recv(&port, 0, in, sizeof(in), 0.1) > 0)
        got++;
    assert_int_equal(got + lost, sent);
    netrig_shut(&port);
    port.port->ops->describe(port.port, &d);
    assert_int_equal(d.losses.n[PORT_REASON_RX_QUEUE_FULL], lost);
}

/* Whatever the arena has room for is taken, the rest later: none is lost. */
static void a_small_arena_loses_nothing(void **state)
{
    struct arena small;
    uint8_t out[1514];
    unsigned got = 0;

    (void)state;
    open_vm("");
    assert_int_equal(arena_init(&small, 3 * FRAME_LEN_MAX), 0);
    netrig_frame(out, sizeof(out), NULL, NULL, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(vm, out, sizeof(out)), sizeof(out));
    for (int i = 0; i < 1000 && got < 100; i++) {
        small.used = 0;
        port.b = (struct batch){
            .frame = port.frame, .max = NETRIG_MAX, .arena = &small};
        assert_true(port.port->ops->rx(port.port, 0, &port.b, 64) >= 0);
        assert_int_equal(port.b.lost[PORT_REASON_RX_NO_MEMORY], 0);
        got += port.b.n;
    }
    assert_int_equal(got, 100);
    arena_destroy(&small);
}

/* ---- the device ---- */

static void host_stack_kept_off_unless_told(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(-1,
              "ip link add v0 type veth peer name v1; ip link set v1 "
              "netns %s; ip addr add 10.77.0.1/24 dev v0; ip link set v0 up",
              netrig_path(ns));
    netrig_do(ns, "ip addr add 10.77.0.2/24 dev v1; ip link set v1 up");
    assert_true(netrig_pings(ns, true));
    netrig_open(&port, "pcap:v0,block=off", -1);
    assert_true(netrig_pings(ns, true));
    netrig_close(&port);
    netrig_open(&port, "pcap:v0", -1);
    assert_false(netrig_pings(ns, false));
    netrig_close(&port);
    assert_true(netrig_pings(ns, true));
    close(ns);
}

static void taken_is_taken(void **state)
{
    static const char *const spec[] = {"pcap:t0", "packet:t0",
                                       "pcap:t0,block=off"};
    struct err e;

    (void)state;
    vm = netrig_vm(-1, "t0");
    for (int i = 0; i < 3; i++) {
        netrig_open(&port, spec[i], -1);
        assert_int_equal(netrig_try(&far, spec[(i + 1) % 3], -1, &e), -EBUSY);
        assert_non_null(strstr(e.text, "t0 is a port already"));
        netrig_close(&port);
    }
}

static void unfit_devices_are_refused(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(netrig_try(&port, "pcap:none", -1, &e), -ENODEV);
    assert_int_equal(netrig_try(&port, "pcap:lo", -1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "loopback"));
    netrig_do(-1, "ip tuntap add d0 mode tun; ip link set d0 up");
    assert_int_equal(netrig_try(&port, "pcap:d0", -1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "not an Ethernet interface"));
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    assert_int_equal(netrig_try(&port, "pcap:v0", -1, &e), -ENETDOWN);
    assert_non_null(strstr(e.text, "ip link set dev v0 up"));
}

static void down_up_deleted_and_back(void **state)
{
    uint8_t out[64], in[64];

    (void)state;
    open_veth("");
    netrig_watch(&port);
    netrig_frame(out, 60, NULL, NULL, 0);
    netrig_do(-1, "ip link set v0 down");
    assert_true(netrig_event(&port, PORT_EVENT_DOWN, 1));
    assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), 0.2), -1);
    assert_int_equal(
        netrig_send(&port, out, 60, NULL).refused[PORT_REASON_TX_DOWN], 1);
    netrig_do(-1, "ip link set v0 up");
    assert_true(netrig_event(&port, PORT_EVENT_UP, 1));
    assert_int_equal(netrig_send(&far, out, 60, NULL).sent, 1);
    expect_frame(out, 60);
    assert_int_equal(netrig_send(&port, out, 60, NULL).sent, 1);
    netrig_do(-1, "ip link set v0 mtu 1400");
    assert_true(netrig_event(&port, PORT_EVENT_CAPS, 1));
    assert_int_equal(port.port->caps.mtu, 1400);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 0);

    netrig_close(&far);
    netrig_do(-1, "ip link del v0");
    assert_true(netrig_event(&port, PORT_EVENT_FAILED, 1));
    netrig_shut(&port);
    netrig_do(-1, "ip link add v0 type veth peer name v1; ip link set v1 up");
    for (int i = 0; i < 200; i++) {
        ev_run(port.loop, EVRUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(port.events[PORT_EVENT_READY], 0); /* it is down */
    netrig_do(-1, "ip link set v0 up");
    assert_true(netrig_event(&port, PORT_EVENT_READY, 1));
    assert_int_equal(netrig_reopen(&port, NULL), 0);
    assert_int_equal(netrig_send(&port, out, 60, NULL).sent, 1);
}

/* Without netlink, libpcap itself finds out. */
static void gone_by_libpcap(void **state)
{
    uint64_t until = time_limit();
    int rc = 0;

    (void)state;
    open_veth("");
    netrig_close(&far);
    netrig_do(-1, "ip link del v0");
    while (rc >= 0 && clock_now() < until) {
        port.arena.used = 0;
        port.b = (struct batch){
            .frame = port.frame, .max = NETRIG_MAX, .arena = &port.arena};
        rc = port.port->ops->rx(port.port, 0, &port.b, 32);
        usleep(1000);
    }
    assert_int_equal(rc, -EIO);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 1);
    assert_non_null(strstr(port.last, "v0"));
}

static void nothing_is_left_open(void **state)
{
    unsigned before;
    struct err e;

    (void)state;
    vm = netrig_vm(-1, "t0");
    netrig_open(&port, "pcap:t0", -1); /* starts the guard */
    netrig_close(&port);
    before = netrig_fds();
    for (int i = 0; i < 5; i++) {
        netrig_open(&port, "pcap:t0", -1);
        netrig_close(&port);
        assert_true(netrig_try(&port, "pcap:t0,filter=\"(\"", -1, &e) < 0);
        assert_true(netrig_try(&port, "pcap:none", -1, &e) < 0);
        assert_int_equal(netrig_fds(), before);
    }
}

int main(void)
{
#define TEST(t) cmocka_unit_test_teardown(t, teardown)
    const struct CMUnitTest tests[] = {
        TEST(octets_arrive_as_they_are),
        TEST(the_mtu_is_the_device_s),
        TEST(pieces_leave_as_one_frame),
        TEST(only_what_is_received_comes_in),
        TEST(a_checksum_is_not_known),
        TEST(super_frames_are_described),
        TEST(a_filter_chooses),
        TEST(a_bad_filter_is_told_in_libpcap_s_words),
        TEST(a_short_snaplen_is_counted),
        TEST(keys_are_checked),
        TEST(what_found_no_room_is_counted),
        TEST(a_small_arena_loses_nothing),
        TEST(host_stack_kept_off_unless_told),
        TEST(taken_is_taken),
        TEST(unfit_devices_are_refused),
        TEST(down_up_deleted_and_back),
        TEST(gone_by_libpcap),
        TEST(nothing_is_left_open),
    };

    netrig_start();
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests_name("pcap", tests, NULL, NULL);
}
