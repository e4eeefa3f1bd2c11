/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet kind on real devices: frames both ways, protocol frames, the
 * host stack kept off, settings put back, other daemons refused.
 */
#include "ports/packet.h"

#include "base/clock.h"
#include "tests/lib/netrig.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct netrig port;
static int vm = -1;

static int teardown(void **state)
{
    (void)state;
    netrig_close(&port);
    if (vm >= 0)
        close(vm);
    vm = -1;
    unsetenv("BASCULE_NO_TCX");
    netrig_run(-1,
               "for l in v0 v1 br0 t0; do ip link del $l; done 2>/dev/null");
    return 0;
}

/* The port on the netdev of a VM's tap. */
static void open_vm(void)
{
    vm = netrig_vm(-1, "t0");
    netrig_open(&port, "packet:t0", -1);
}

static void expect_frame(const uint8_t *want, size_t n, unsigned queue)
{
    uint8_t in[4096];

    assert_int_equal(netrig_recv(&port, queue, in, sizeof(in), NETRIG_WAIT), n);
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
    open_vm();
    for (unsigned t = 0; t < 6; t++)
        for (unsigned l = 0; l < 4; l++) {
            size_t n = netrig_frame(out, length[l], NULL, tagging[t].tag,
                                    tagging[t].n_tags);

            assert_int_equal(write(vm, out, n), n);
            expect_frame(out, n, 0);
            assert_int_equal(netrig_send(&port, out, n, NULL).sent, 1);
            assert_int_equal(netrig_vm_recv(vm, in, sizeof(in), NETRIG_WAIT),
                             n);
            assert_memory_equal(in, out, n);
        }
}

static void sizes_at_the_edges(void **state)
{
    static const size_t length[] = {14,   15,   16,   59,   1514, 2047,
                                    2048, 2049, 2052, 8000, 9014};
    uint32_t tag = 0x81000fff;
    uint8_t out[16384], in[16384];
    struct tx_result r;

    (void)state;
    vm = netrig_vm(-1, "t0");
    netrig_do(-1, "ip link set t0 mtu 9000");
    netrig_open(&port, "packet:t0", -1);
    assert_int_equal(port.port->caps.mtu, 9000);
    for (unsigned i = 0; i < sizeof(length) / sizeof(length[0]); i++)
        /* The kernel itself drops a tag with less than two octets of payload
         * before anybody sees it. */
        for (unsigned tags = 0; tags < (length[i] < 16 ? 1 : 2); tags++) {
            size_t n = length[i] + 4 * tags;

            netrig_frame(out, n, NULL, &tag, tags);
            assert_int_equal(write(vm, out, n), n);
            assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), NETRIG_WAIT),
                             n);
            assert_memory_equal(in, out, n);
        }
    netrig_frame(out, 9100, NULL, NULL, 0);
    r = netrig_send(&port, out, 9100, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_TOO_BIG], 1);
    r = netrig_send(&port, out, 13, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_ERROR], 1);
    r = netrig_send(&port, out, 0, NULL);
    assert_int_equal(r.sent, 0);
    assert_false(r.failed);
}

static void own_frames_do_not_come_back(void **state)
{
    uint8_t out[64], mark[64], in[64];

    (void)state;
    open_vm();
    netrig_frame(out, 60, NULL, NULL, 0);
    netrig_frame(mark, 62, NULL, NULL, 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(netrig_send(&port, out, 60, NULL).sent, 1);
        assert_int_equal(netrig_vm_recv(vm, in, sizeof(in), NETRIG_WAIT), 60);
    }
    assert_int_equal(write(vm, mark, 62), 62);
    expect_frame(mark, 62, 0);
    assert_int_equal(netrig_recv(&port, PORT_QUEUE_PROTO, in, sizeof(in), 0.05),
                     -1);
}

/* An IPv4 TCP super-frame behind a tag; its checksum is to be completed. */
static size_t tagged_super_frame(uint8_t *out, size_t payload)
{
    static const uint8_t head[] = {
        2,    0,    0,    0,    0,  2, 2, 0, 0,  0, 0, 1, /* MACs */
        0x81, 0,    0,    5,    8,  0,                    /* tag 5, IPv4 */
        0x45, 0,    0,    0,    0,  1, 0, 0, 64, 6, 0, 0,
        10,   0,    0,    1,    10, 0, 0, 2, /* IPv4 */
        0x12, 0x34, 0,    80,   0,  0, 0, 1, 0,  0, 0, 1,
        0x50, 0x10, 0xff, 0xff, 0,  0, 0, 0, /* TCP */
    };
    size_t n = sizeof(head) + payload;
    uint16_t total = (uint16_t)(n - 18);

    memcpy(out, head, sizeof(head));
    out[20] = (uint8_t)(total >> 8);
    out[21] = (uint8_t)total;
    for (size_t i = sizeof(head); i < n; i++)
        out[i] = (uint8_t)(i * 13);
    return n;
}

/* Runs the far port's receiver until a frame of n octets has come. */
static struct frame *receive_length(struct netrig *r, size_t n)
{
    uint64_t end = clock_now() + (uint64_t)(NETRIG_WAIT * NSEC_PER_SEC);

    while (clock_now() < end) {
        r->arena.used = 0;
        r->b = (struct batch){
            .frame = r->frame, .max = NETRIG_MAX, .arena = &r->arena};
        assert_true(r->port->ops->rx(r->port, 0, &r->b, 32) >= 0);
        for (unsigned i = 0; i < r->b.n; i++)
            if (r->frame[i].len == n)
                return &r->frame[i];
        usleep(1000);
    }
    fail_msg("no frame of %zu octets came", n);
    return NULL;
}

static void tags_move_the_checksum_s_place(void **state)
{
    const struct virtio_net_hdr h = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = 58,
        .gso_size = 1000,
        .csum_start = 38,
        .csum_offset = 16,
    };
    static uint8_t out[40000];
    size_t n = tagged_super_frame(out, 30000);
    struct netrig far;
    const struct frame *f;

    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1; "
                  "ip link set v0 up; ip link set v1 up");
    netrig_open(&port, "packet:v0", -1);
    netrig_open(&far, "packet:v1", -1);
    assert_int_equal(netrig_send(&port, out, n, &h).sent, 1);
    f = receive_length(&far, n);
    assert_int_equal(f->csum, CSUM_PARTIAL);
    assert_int_equal(f->vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(f->vnet.gso_size, 1000);
    assert_int_equal(f->vnet.csum_start, 38);
    assert_int_equal(f->vnet.csum_offset, 16);
    assert_int_equal(f->nseg, 2);
    assert_memory_equal(f->seg[0].iov_base, out, f->seg[0].iov_len);
    assert_memory_equal(f->seg[1].iov_base, out + f->seg[0].iov_len,
                        f->seg[1].iov_len);
    netrig_close(&far);
}

/* A batch with one frame that the kernel refuses: the rest is sent. */
static void a_bad_frame_costs_itself(void **state)
{
    uint8_t good[64], big[4000], in[64];
    struct frame f[9] = {0};
    struct frame *list[9];
    struct tx_result r = {0};

    (void)state;
    open_vm();
    netrig_frame(big, sizeof(big), NULL, NULL, 0);
    netrig_frame(good, 60, NULL, NULL, 0);
    for (unsigned i = 0; i < 9; i++) {
        bool bad = i == 0 || i == 4 || i == 5 || i == 8;

        f[i].nseg = 1;
        f[i].len = bad ? sizeof(big) : 60;
        f[i].seg[0] = (struct iovec){bad ? big : good, f[i].len};
        list[i] = &f[i];
    }
    port.port->ops->tx(port.port, 0, list, 9, &r);
    assert_int_equal(r.sent, 5);
    assert_int_equal(r.bytes, 5 * 60);
    assert_int_equal(r.refused[PORT_REASON_TX_TOO_BIG], 4);
    for (int i = 0; i < 5; i++)
        assert_int_equal(netrig_vm_recv(vm, in, sizeof(in), NETRIG_WAIT), 60);
    assert_int_equal(netrig_vm_recv(vm, in, sizeof(in), 0.05), -1);
}

static void protocol_frames_have_their_own_way(void **state)
{
    static const char *const others[] = {
        "01:80:c2:00:00:10", "01:80:c2:00:01:00", "01:80:c2:00:ff:0e",
        "01:00:0c:cc:cc:cc", "01:00:0c:cc:cd:cd", "00:80:c2:00:00:00",
        "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"};
    uint32_t tag = 0x81000007;
    uint8_t out[128], in[128];
    char mac[32];

    (void)state;
    open_vm();
    assert_true(port.port->caps.proto_queue);
    for (unsigned i = 0; i < 17; i++)
        for (unsigned tags = 0; tags < 2; tags++) {
            snprintf(mac, sizeof(mac), "01:80:c2:00:00:%02x", i);
            netrig_frame(out, 60 + i, i < 16 ? mac : "01:00:0c:cc:cc:cd", &tag,
                         tags);
            assert_int_equal(write(vm, out, 60 + i), 60 + i);
            expect_frame(out, 60 + i, PORT_QUEUE_PROTO);
        }
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        netrig_frame(out, 60 + i, others[i], NULL, 0);
        assert_int_equal(write(vm, out, 60 + i), 60 + i);
        expect_frame(out, 60 + i, 0);
    }
    assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), 0.05), -1);
    assert_int_equal(netrig_recv(&port, PORT_QUEUE_PROTO, in, sizeof(in), 0.05),
                     -1);
}

static void what_the_socket_lost_is_counted(void **state)
{
    const unsigned sent = 60000;
    struct port_desc d;
    uint8_t out[1514], in[2048];
    uint64_t lost, got = 0;

    (void)state;
    open_vm();
    netrig_frame(out, sizeof(out), NULL, NULL, 0);
    for (unsigned i = 0; i < sent; i++)
        assert_int_equal(write(vm, out, sizeof(out)), sizeof(out));
    port.port->ops->describe(port.port, &d);
    lost = d.losses.n[PORT_REASON_RX_QUEUE_FULL];
    assert_in_range(lost, 1, sent - 1);
    while (netrig_recv(&port, 0, in, sizeof(in), 0.1) > 0)
        got++;
    assert_int_equal(got + lost, sent);
    port.port->ops->describe(port.port, &d);
    assert_int_equal(d.losses.n[PORT_REASON_RX_QUEUE_FULL], lost);
}

static void small_arena(void **state)
{
    struct batch b = {.frame = port.frame, .max = 8};
    uint8_t out[64];

    (void)state;
    open_vm();
    netrig_frame(out, 60, NULL, NULL, 0);
    assert_int_equal(write(vm, out, 60), 60);
    b.arena = &port.arena;
    port.arena.used = port.arena.size - 5000;
    assert_int_equal(port.port->ops->rx(port.port, 0, &b, 8), 0);
    assert_int_equal(port.arena.used, port.arena.size - 5000);
    expect_frame(out, 60, 0);
}

/* ---- which devices, and whose ---- */

#define refused(spec, code, words)                                             \
    do {                                                                       \
        struct netrig r_;                                                      \
        struct err e_;                                                         \
        unsigned fds_ = netrig_fds();                                          \
        assert_int_equal(netrig_try(&r_, spec, -1, &e_), code);                \
        if (!strstr(e_.text, words))                                           \
            fail_msg("%s: says \"%s\"", spec, e_.text);                        \
        assert_int_equal(netrig_fds(), fds_);                                  \
    } while (0)

static void unfit_devices_are_refused(void **state)
{
    (void)state;
    netrig_do(-1, "ip link add br0 type bridge; "
                  "ip link add v0 type veth peer name v1; "
                  "ip link set v0 master br0; ip tuntap add t0 mode tun");
    refused("packet:lo", -EINVAL, "loopback");
    refused("packet:t0", -EINVAL, "not an Ethernet");
    refused("packet:br0", -ELOOP, "bridge itself");
    refused("packet:v0", -EBUSY, "ip link set dev v0 nomaster");
    refused("packet:nosuch", -ENODEV, "no interface nosuch");
    refused("packet:v1,batch=0", -EINVAL, "batch=0");
    refused("packet:v1,batch=65", -EINVAL, "from 1 to 64");
    refused("packet:v1,bypass=maybe", -EINVAL, "bypass");
    refused("packet:v1,speed=9", -EINVAL, "speed");
    netrig_do(-1, "ip link set v0 nomaster");
    netrig_open(&port, "packet:v0,batch=64,bypass=on", -1);
}

/* In another process, whose end is not orderly. */
static pid_t other_daemon(const char *spec)
{
    int ready[2];
    char c = 0;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        static struct netrig r;
        struct err e;

        close(ready[0]);
        c = netrig_try(&r, spec, -1, &e) == 0;
        if (write(ready[1], &c, 1) != 1)
            _exit(1);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    assert_int_equal(c, 1);
    return pid;
}

static void end_hard(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void second_opener(void **state)
{
    int ns = netrig_ns();
    struct netrig elsewhere;
    pid_t pid;

    (void)state;
    netrig_do(-1, "ip link add v0 index 777 type veth peer name v1");
    netrig_do(ns, "ip link add v0 index 777 type veth peer name v1");
    netrig_open(&port, "packet:v0", -1);
    refused("packet:v0", -EBUSY, "remove it there first");
    /* The same number in another namespace is another device. */
    netrig_open(&elsewhere, "packet:v0", ns);
    netrig_close(&elsewhere);
    netrig_close(&port);

    pid = other_daemon("packet:v0");
    refused("packet:v0", -EBUSY, "basculed");
    end_hard(pid);
    netrig_open(&port, "packet:v0", -1);
    close(ns);
}

/* ---- the host stack ---- */

static void host_stack_kept_off(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(-1,
              "ip link add v0 type veth peer name v1; ip link set v1 "
              "netns %s; ip addr add 10.77.0.1/24 dev v0; ip link set v0 up",
              netrig_path(ns));
    netrig_do(ns, "ip addr add 10.77.0.2/24 dev v1; ip link set v1 up");
    assert_true(netrig_pings(ns, true));
    netrig_open(&port, "packet:v0", -1);
    assert_false(netrig_pings(ns, false));
    netrig_do(-1, "ip addr show v0 | grep -q 10.77.0.1");
    netrig_close(&port);
    assert_true(netrig_pings(ns, true));
    close(ns);
}

static void host_stack_kept_off_by_clsact(void **state)
{
    setenv("BASCULE_NO_TCX", "1", 1);
    host_stack_kept_off(state);
    netrig_do(-1, "! tc qdisc show dev v0 | grep -q clsact");
}

static void filters_of_others_stay(void **state)
{
    struct port_desc d;

    (void)state;
    setenv("BASCULE_NO_TCX", "1", 1);
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    /* their qdisc */
    netrig_do(-1, "tc qdisc add dev v0 clsact");
    netrig_open(&port, "packet:v0", -1);
    port.port->ops->describe(port.port, &d);
    assert_non_null(strstr(d.detail, "clsact"));
    netrig_do(-1, "tc filter show dev v0 ingress | grep -q 0xba5c");
    netrig_close(&port);
    netrig_do(-1, "! tc filter show dev v0 ingress | grep -q 0xba5c");
    netrig_do(-1, "tc qdisc show dev v0 | grep -q clsact");
    /* their filter on our qdisc */
    netrig_do(-1, "tc qdisc del dev v0 clsact");
    netrig_open(&port, "packet:v0", -1);
    netrig_do(-1, "tc filter add dev v0 egress pref 5 protocol all "
                  "bpf bytecode '1,6 0 0 0,' classid 1:1");
    netrig_close(&port);
    netrig_do(-1, "tc filter show dev v0 egress | grep -q 'pref 5'");
    netrig_do(-1, "! tc filter show dev v0 ingress | grep -q 0xba5c");
}

/* ---- settings ---- */

static bool pristine(void)
{
    return netrig_run(-1, "ip -d link show v0 | grep -q 'addrgenmode eui64' && "
                          "ip -d link show v0 | grep -q 'promiscuity 0' && "
                          "! tc qdisc show dev v0 | grep -q clsact") == 0;
}

static void taken_over(void)
{
    netrig_do(-1, "ip -d link show v0 | grep -q 'addrgenmode none'");
    netrig_do(-1, "ip -d link show v0 | grep -q 'promiscuity 1'");
}

static void settings_are_put_back(void **state)
{
    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    assert_true(pristine());
    netrig_open(&port, "packet:v0", -1);
    taken_over();
    /* It may have been renamed meanwhile. */
    netrig_do(-1, "ip link set v0 name v0x");
    netrig_close(&port);
    netrig_do(-1, "ip link set v0x name v0");
    assert_true(pristine());

    vm = netrig_vm(-1, "t0");
    netrig_do(-1, "ethtool -K t0 gro off");
    netrig_open(&port, "packet:t0", -1);
    netrig_do(-1, "ethtool -k t0 | grep -q 'generic-receive-offload: on'");
    netrig_close(&port);
    netrig_do(-1, "ethtool -k t0 | grep -q 'generic-receive-offload: off'");
}

static void killed_hard_once(void)
{
    uint64_t end;
    pid_t pid = other_daemon("packet:v0");

    taken_over();
    end_hard(pid);
    end = clock_now() + (uint64_t)(NETRIG_WAIT * NSEC_PER_SEC);
    while (!pristine() && clock_now() < end)
        usleep(20000);
    assert_true(pristine());
}

static void settings_are_put_back_after_kill(void **state)
{
    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    killed_hard_once();
    setenv("BASCULE_NO_TCX", "1", 1);
    killed_hard_once();
}

/* ---- the device's life ---- */

static void down_up_deleted_and_back(void **state)
{
    uint8_t out[64], in[64];
    struct tx_result r;

    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_open(&port, "packet:v0", -1);
    assert_false(port.port->caps.link);
    netrig_frame(out, 60, NULL, NULL, 0);
    r = netrig_send(&port, out, 60, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_DOWN], 1);
    assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), 0.05), -1);
    netrig_watch(&port);
    netrig_do(-1, "ip link set v0 up; ip link set v1 up");
    assert_true(netrig_event(&port, PORT_EVENT_UP, 1));
    assert_true(port.port->caps.link);
    assert_int_equal(netrig_send(&port, out, 60, NULL).sent, 1);
    netrig_do(-1, "ip link set v1 down");
    assert_true(netrig_event(&port, PORT_EVENT_DOWN, 1));
    assert_non_null(strstr(port.last, "carrier"));
    netrig_do(-1, "ip link set v1 up");
    assert_true(netrig_event(&port, PORT_EVENT_UP, 2));
    netrig_do(-1, "ip link set v0 mtu 1400");
    assert_true(netrig_event(&port, PORT_EVENT_CAPS, 1));
    assert_int_equal(port.port->caps.mtu, 1400);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 0);

    netrig_do(-1, "ip link del v0");
    assert_true(netrig_event(&port, PORT_EVENT_FAILED, 1));
    netrig_shut(&port);
    assert_int_equal(port.events[PORT_EVENT_READY], 0);
    netrig_do(-1, "ip link add v0 type veth peer name v1; ip link set v0 up; "
                  "ip link set v1 up");
    assert_true(netrig_event(&port, PORT_EVENT_READY, 1));
    assert_int_equal(netrig_reopen(&port, NULL), 0);
    assert_int_equal(netrig_send(&port, out, 60, NULL).sent, 1);
    netrig_do(-1, "ip link show v1 >/dev/null");
}

/* Without netlink, the sockets tell; once. */
static void gone_by_the_sockets(void **state)
{
    uint8_t out[64], in[64];
    struct tx_result r;

    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1; ip link set v0 up");
    netrig_open(&port, "packet:v0", -1);
    netrig_do(-1, "ip link del v0");
    netrig_frame(out, 60, NULL, NULL, 0);
    r = netrig_send(&port, out, 60, NULL);
    assert_true(r.failed);
    assert_int_equal(r.refused[PORT_REASON_TX_FAILED], 1);
    assert_int_equal(netrig_recv(&port, 0, in, sizeof(in), 0.1), -1);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 1);
}

/* The new device is heard of, the end of the old one is not. */
static void replaced_unnoticed(void **state)
{
    struct link_change c = {.ifname = "v0", .up = true, .mtu = 1500};

    (void)state;
    netrig_do(-1, "ip link add v0 index 700 type veth peer name v1");
    netrig_open(&port, "packet:v0", -1);
    c.netns = netns_id(-1);
    c.ifindex = 701;
    /* Another of that name while ours is there: nothing to do with us. */
    port.port->ops->link(port.port, &c);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 0);
    netrig_do(-1, "ip link del v0; "
                  "ip link add v0 index 701 type veth peer name v1");
    port.port->ops->link(port.port, &c);
    assert_int_equal(port.events[PORT_EVENT_FAILED], 1);
    assert_int_equal(port.events[PORT_EVENT_READY], 1);
}

static void moved_away(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_open(&port, "packet:v0", -1);
    netrig_watch(&port);
    netrig_do(-1, "ip link set v0 netns %s", netrig_path(ns));
    assert_true(netrig_event(&port, PORT_EVENT_FAILED, 1));
    assert_non_null(strstr(port.last, "another namespace"));
    netrig_close(&port);
    netrig_open(&port, "packet:v0", ns);
    close(ns);
}

static void descriptors_run_out(void **state)
{
    struct rlimit old, few;
    unsigned fds, refusals = 0;

    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_open(&port, "packet:v0", -1);
    netrig_shut(&port);
    fds = netrig_fds();
    getrlimit(RLIMIT_NOFILE, &old);
    for (unsigned limit = 0; limit < 64; limit++) {
        struct err e = {""};
        int rc;

        few = (struct rlimit){limit, old.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
        rc = port.port->ops->open(port.port, &e);
        setrlimit(RLIMIT_NOFILE, &old);
        if (rc == 0)
            break;
        refusals++;
        assert_int_equal(rc, -EMFILE);
        assert_string_not_equal(e.text, "");
        assert_int_equal(netrig_fds(), fds);
        if (!pristine())
            fail_msg("with %u descriptors something was left behind", limit);
    }
    assert_in_range(refusals, 6, 63);
    taken_over();
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
    const struct CMUnitTest tests[] = {
        T(octets_arrive_as_they_are),
        T(sizes_at_the_edges),
        T(own_frames_do_not_come_back),
        T(tags_move_the_checksum_s_place),
        T(a_bad_frame_costs_itself),
        T(protocol_frames_have_their_own_way),
        T(what_the_socket_lost_is_counted),
        T(small_arena),
        T(unfit_devices_are_refused),
        T(second_opener),
        T(host_stack_kept_off),
        T(host_stack_kept_off_by_clsact),
        T(filters_of_others_stay),
        T(settings_are_put_back),
        T(settings_are_put_back_after_kill),
        T(down_up_deleted_and_back),
        T(gone_by_the_sockets),
        T(replaced_unnoticed),
        T(moved_away),
        T(descriptors_run_out),
    };

    netrig_start();
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
