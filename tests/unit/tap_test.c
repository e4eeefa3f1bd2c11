/* SPDX-License-Identifier: BSD-2-Clause */
/* The tap kind on the kernel's taps; the far end is a packet port. */
#include "ports/tap.h"

#include "ports/netdev.h"
#include "tests/lib/netrig.h"

#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static struct netrig tap, far;

static int teardown(void **state)
{
    (void)state;
    netrig_close(&tap);
    netrig_close(&far);
    return 0;
}

#define refused(spec, ns, code, words)                                         \
    do {                                                                       \
        struct err e_;                                                         \
        unsigned fds_ = netrig_fds();                                          \
        assert_int_equal(netrig_try(&tap, spec, ns, &e_), code);               \
        if (!strstr(e_.text, words))                                           \
            fail_msg("%s: says \"%s\"", spec, e_.text);                        \
        assert_int_equal(netrig_fds(), fds_);                                  \
    } while (0)

static void made_and_gone(void **state)
{
    unsigned fds = netrig_fds();

    (void)state;
    netrig_open(&tap, "tap:t0", -1);
    assert_int_not_equal(if_nametoindex("t0"), 0);
    assert_true(tap.port->caps.vnet && tap.port->caps.tx_csum);
    assert_true(tap.port->caps.tx_tso4 && tap.port->caps.tx_tso6);
    assert_true(tap.port->caps.edge && !tap.port->caps.serial);
    assert_false(tap.port->caps.link); /* down, as the kernel makes it */
    assert_int_equal(tap.port->caps.mtu, 1500);
    netrig_do(-1, "ip link show t0 | grep -q 'qlen 4096'");
    netrig_do(-1, "! ip link show t0 | grep -q '[<,]UP[,>]'");
    netrig_close(&tap);
    assert_int_equal(if_nametoindex("t0"), 0);
    assert_int_equal(netrig_fds(), fds);
}

static void keys(void **state)
{
    (void)state;
    netrig_open(&tap, "tap:t0,mac=02:11:22:33:44:55,mtu=9000", -1);
    assert_int_equal(tap.port->caps.mtu, 9000);
    assert_true(mac_to_u64(&tap.port->caps.mac) == 0x021122334455);
    netrig_do(-1, "ip link show t0 | grep -q 02:11:22:33:44:55");
    netrig_close(&tap);
    refused("tap:t0,mac=01:00:00:00:00:01", -1, -EINVAL, "mac=");
    refused("tap:t0,mac=nonsense", -1, -EINVAL, "mac=");
    refused("tap:t0,mtu=67", -1, -EINVAL, "mtu=67");
    refused("tap:t0,mtu=1500x", -1, -EINVAL, "mtu=1500x");
    refused("tap:t0,colour=red", -1, -EINVAL, "colour");
    assert_int_equal(if_nametoindex("t0"), 0);
}

static void existing_names_are_refused(void **state)
{
    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_do(-1, "ip tuntap add t0 mode tap");
    refused("tap:v0", -1, -EEXIST, "packet:v0");
    refused("tap:t0", -1, -EEXIST, "exists");
    netrig_do(-1, "ip link del v0; ip link del t0");
    refused("tap:a/b", -1, -EINVAL, "a/b");
    refused("tap:much-too-long-a-name", -1, -ENAMETOOLONG, "much-too-long");
}

static void open_pair(int ns)
{
    netrig_open(&tap, "tap:t0", ns);
    netrig_do(ns, "ip link set t0 up");
    netrig_open(&far, "packet:t0", ns);
}

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

static void octets_arrive_as_they_are(void **state)
{
    static const size_t length[] = {60, 61, 300, 1514};
    uint8_t out[2048], in[2048];

    (void)state;
    open_pair(-1);
    for (unsigned t = 0; t < sizeof(tagging) / sizeof(tagging[0]); t++)
        for (unsigned l = 0; l < 4; l++) {
            size_t n = netrig_frame(out, length[l], NULL, tagging[t].tag,
                                    tagging[t].n_tags);

            assert_int_equal(netrig_send(&tap, out, n, NULL).sent, 1);
            assert_int_equal(netrig_recv(&far, 0, in, sizeof(in), NETRIG_WAIT),
                             n);
            assert_memory_equal(in, out, n);
            if (n + 4 * tagging[t].n_tags > 1514 && tagging[t].n_tags > 1)
                continue; /* over the device's MTU */
            assert_int_equal(netrig_send(&far, out, n, NULL).sent, 1);
            assert_int_equal(netrig_recv(&tap, 0, in, sizeof(in), NETRIG_WAIT),
                             n);
            assert_memory_equal(in, out, n);
        }
}

static void runts_and_giants(void **state)
{
    uint8_t out[2048], in[2048];
    struct tx_result r;
    size_t n;

    (void)state;
    open_pair(-1);
    netrig_frame(out, 60, NULL, NULL, 0);
    r = netrig_send(&tap, out, 0, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_ERROR], 1);
    r = netrig_send(&tap, out, 13, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_ERROR], 1);
    assert_int_equal(r.sent, 0);
    /* A header and nothing else is a frame. */
    n = netrig_frame(out, 14, NULL, NULL, 0);
    assert_int_equal(netrig_send(&tap, out, n, NULL).sent, 1);
    assert_int_equal(netrig_recv(&far, 0, in, sizeof(in), NETRIG_WAIT), 14);
    assert_memory_equal(in, out, 14);
    /* The other end of a device of 1500 octets refuses jumbo frames. */
    n = netrig_frame(out, 1600, NULL, NULL, 0);
    r = netrig_send(&far, out, n, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_TOO_BIG], 1);
    assert_false(r.failed);
}

/* A virtio-net header that lies costs its frame. */
static void lies_are_refused(void **state)
{
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                               .csum_start = 5000,
                               .csum_offset = 16};
    uint8_t out[256], in[256];
    struct tx_result r;

    (void)state;
    open_pair(-1);
    netrig_frame(out, 100, NULL, NULL, 0);
    r = netrig_send(&tap, out, 100, &h);
    assert_int_equal(r.refused[PORT_REASON_TX_ERROR], 1);
    h = (struct virtio_net_hdr){.hdr_len = 60000};
    assert_int_equal(netrig_send(&tap, out, 100, &h).sent, 1);
    assert_int_equal(netrig_recv(&far, 0, in, sizeof(in), NETRIG_WAIT), 100);
}

static void down_and_up(void **state)
{
    uint8_t out[64];
    struct tx_result r;

    (void)state;
    netrig_open(&tap, "tap:t0", -1);
    netrig_watch(&tap);
    netrig_frame(out, 60, NULL, NULL, 0);
    r = netrig_send(&tap, out, 60, NULL);
    assert_int_equal(r.refused[PORT_REASON_TX_DOWN], 1);
    assert_false(r.failed);
    netrig_do(-1, "ip link set t0 up");
    assert_true(netrig_event(&tap, PORT_EVENT_UP, 1));
    assert_true(tap.port->caps.link);
    assert_int_equal(netrig_send(&tap, out, 60, NULL).sent, 1);
    netrig_do(-1, "ip link set t0 down");
    assert_true(netrig_event(&tap, PORT_EVENT_DOWN, 1));
    assert_false(tap.port->caps.link);
    netrig_do(-1, "ip link set t0 mtu 1300 address 02:00:00:00:00:77");
    assert_true(netrig_event(&tap, PORT_EVENT_CAPS, 1));
    while (tap.port->caps.mtu != 1300 ||
           mac_to_u64(&tap.port->caps.mac) != 0x020000000077)
        assert_true(netrig_event(&tap, PORT_EVENT_CAPS,
                                 tap.events[PORT_EVENT_CAPS] + 1));
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 0);
}

static void deletion_is_the_end(void **state)
{
    uint8_t out[64];
    struct tx_result r;

    (void)state;
    /* ... by what netlink says */
    netrig_open(&tap, "tap:t0", -1);
    netrig_watch(&tap);
    netrig_do(-1, "ip link del t0");
    assert_true(netrig_event(&tap, PORT_EVENT_FAILED, 1));
    assert_non_null(strstr(tap.last, "t0"));
    netrig_close(&tap);
    /* ... by what reading says, without netlink */
    netrig_open(&tap, "tap:t0", -1);
    netrig_do(-1, "ip link del t0");
    assert_int_equal(netrig_recv(&tap, 0, out, sizeof(out), 0.1), -1);
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 1);
    netrig_close(&tap);
    /* ... by what writing says */
    netrig_open(&tap, "tap:t0", -1);
    netrig_do(-1, "ip link del t0");
    netrig_frame(out, 60, NULL, NULL, 0);
    r = netrig_send(&tap, out, 60, NULL);
    assert_true(r.failed);
    assert_int_equal(r.refused[PORT_REASON_TX_FAILED], 1);
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 1);
    /* and it can be opened again */
    netrig_shut(&tap);
    assert_int_equal(netrig_reopen(&tap, NULL), 0);
    assert_false(atomic_load(&tap.port->failed));
}

/* The switch may learn of every change by no more than a CAPS. */
#define follow_until(cond)                                                     \
    do {                                                                       \
        while (!(cond))                                                        \
            assert_true(netrig_event(&tap, PORT_EVENT_CAPS,                    \
                                     tap.events[PORT_EVENT_CAPS] + 1));        \
    } while (0)

static void moving_is_no_failure(void **state)
{
    int ns = netrig_ns(), there;
    uint8_t out[64], in[64];
    struct port_desc d;

    (void)state;
    netrig_open(&tap, "tap:t0", -1);
    netrig_watch(&tap);
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    assert_true(netrig_event(&tap, PORT_EVENT_CAPS, 1));
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 0);
    assert_false(tap.port->caps.link); /* moving sets it down */
    netrig_do(ns, "ip link set t0 name renamed; ip link set renamed up");
    assert_true(netrig_event(&tap, PORT_EVENT_UP, 1));
    assert_true(tap.port->caps.link);
    netrig_do(ns, "ip link set renamed mtu 1400");
    follow_until(tap.port->caps.mtu == 1400);
    netrig_do(ns, "ip link set renamed down");
    assert_true(netrig_event(&tap, PORT_EVENT_DOWN, 1));
    netrig_do(ns, "ip link set renamed up");
    assert_true(netrig_event(&tap, PORT_EVENT_UP, 2));
    there = tap_netns(tap.port);
    assert_true(netns_id(there) == netns_id(ns));
    close(there);

    netrig_open(&far, "packet:renamed", ns);
    netrig_frame(out, 60, NULL, NULL, 0);
    assert_int_equal(netrig_send(&tap, out, 60, NULL).sent, 1);
    assert_int_equal(netrig_recv(&far, 0, in, sizeof(in), NETRIG_WAIT), 60);
    assert_int_equal(netrig_send(&far, out, 60, NULL).sent, 1);
    assert_int_equal(netrig_recv(&tap, 0, in, sizeof(in), NETRIG_WAIT), 60);

    /* A device at home that has its old number or name is not it. */
    netrig_do(-1, "ip link add t0 type veth peer name t1; ip link del t0");
    assert_int_equal(netrig_recv(&tap, 0, in, sizeof(in), 0.2), -1);
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 0);
    tap.port->ops->describe(tap.port, &d);
    assert_non_null(strstr(d.detail, "moved"));

    /* The end of the namespace is the end of the device. */
    netrig_close(&far);
    close(ns);
    assert_true(netrig_event(&tap, PORT_EVENT_FAILED, 1) ||
                netrig_recv(&tap, 0, in, sizeof(in), 0.1) == -1);
    for (int i = 0; i < 30 && !tap.events[PORT_EVENT_FAILED]; i++)
        netrig_recv(&tap, 0, in, sizeof(in), 0.1);
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 1);
}

static void find(struct tap_place *w)
{
    tap_ask(tap.port, w);
    tap_find(tap.port, w);
    if (w->netns_fd >= 0)
        close(w->netns_fd);
}

/* What is told after a question is newer than its answer may be. */
static void old_answers_are_passed_over(void **state)
{
    struct link_change c = {.ifname = "t0"};
    struct tap_place w;
    int ns = netrig_ns();

    (void)state;
    netrig_open(&tap, "tap:t0", -1);
    netrig_watch(&tap);
    find(&w);
    netrig_do(-1, "ip link set t0 mtu 1400");
    follow_until(tap.port->caps.mtu == 1400);
    assert_int_equal(w.mtu, 1500);
    assert_false(tap_found(tap.port, &w));
    assert_int_equal(tap.port->caps.mtu, 1400);

    find(&w);
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    assert_true(netrig_event(&tap, PORT_EVENT_AWAY, 1));
    follow_until(tap.port->netns == netns_id(ns));
    assert_false(tap_found(tap.port, &w));
    assert_true(tap.port->netns == netns_id(ns));

    /* But that it is no more stays so. */
    find(&w);
    c.netns = w.netns;
    c.ifindex = w.ifindex;
    close(ns);
    for (int i = 0; i < 30 && w.rc == 0; i++) {
        usleep(100000);
        find(&w);
    }
    tap.port->ops->link(tap.port, &c);
    assert_true(tap_found(tap.port, &w));
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 1);
}

/* Nobody but its users keeps a namespace with a tap of ours in it. */
static void namespace_is_not_kept(void **state)
{
    unsigned fds = netrig_fds();
    uint8_t in[64];
    struct err e;
    int ns = netrig_ns();

    (void)state;
    netrig_open(&tap, "tap:t0,mtu=1400,mac=02:00:00:00:00:99", ns);
    assert_int_equal(if_nametoindex("t0"), 0);
    assert_int_not_equal(netrig_run(-1, "ip link | grep -q bascule"), 0);
    netrig_do(ns, "ip link show t0 | grep -q 'mtu 1400.*qlen 4096'");
    netrig_do(ns, "ip link show t0 | grep -q 02:00:00:00:00:99");
    assert_int_equal(tap.port->caps.mtu, 1400);
    assert_true(tap.port->netns == netns_id(ns));
    netrig_watch(&tap);
    netrig_do(ns, "ip link set t0 up");
    assert_true(netrig_event(&tap, PORT_EVENT_UP, 1));
    close(ns);
    for (int i = 0; i < 30 && !tap.events[PORT_EVENT_FAILED]; i++)
        netrig_recv(&tap, 0, in, sizeof(in), 0.1);
    assert_int_equal(tap.events[PORT_EVENT_FAILED], 1);
    assert_non_null(strstr(tap.last, "deleted"));
    assert_non_null(strstr(tap.last, "addif"));
    netrig_shut(&tap);
    assert_int_equal(netrig_reopen(&tap, &e), -ESTALE);
    netrig_close(&tap);
    assert_int_equal(netrig_fds(), fds);
}

static void names_abroad(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add t0 type veth peer name t1");
    refused("tap:t0", ns, -EEXIST, "packet:t0");
    assert_int_not_equal(netrig_run(-1, "ip link | grep -q bascule"), 0);
    netrig_do(-1, "ip link add t2 type veth peer name t3");
    netrig_open(&tap, "tap:t2", ns); /* that at home is another */
    netrig_do(ns, "ip link show t2 >/dev/null");
    netrig_do(-1, "ip link del t2");
    close(ns);
}

static void owner_sets_it_wherever_it_is(void **state)
{
    const struct mac mac = {{2, 0, 0, 0, 0, 0x42}};
    int ns = netrig_ns();
    struct err e = {""};

    (void)state;
    netrig_open(&tap, "tap:t0", -1);
    netrig_watch(&tap);
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    netrig_do(ns, "ip link set t0 name br9; ip link set br9 up");
    assert_int_equal(tap_set_mac(tap.port, &mac, &e), 0);
    assert_int_equal(tap_set_mtu(tap.port, 1280, &e), 0);
    netrig_do(ns, "ip link show br9 | grep -q 'mtu 1280'");
    netrig_do(ns, "ip link show br9 | grep -q 02:00:00:00:00:42");
    assert_int_equal(tap_set_carrier(tap.port, false, &e), 0);
    netrig_do(ns, "ip link show br9 | grep -q NO-CARRIER");
    assert_int_equal(tap_set_carrier(tap.port, true, &e), 0);
    netrig_do(ns, "ip link show br9 | grep -q LOWER_UP");
    assert_int_equal(tap_set_mtu(tap.port, 5, &e), -EINVAL);
    assert_non_null(strstr(e.text, "MTU"));
    netrig_shut(&tap);
    assert_int_equal(tap_set_mac(tap.port, &mac, &e), -ENODEV);
    assert_int_equal(tap_set_mtu(tap.port, 1280, &e), -ENODEV);
    assert_int_equal(tap_set_carrier(tap.port, true, &e), -ENODEV);
    assert_int_equal(tap_netns(tap.port), -ENODEV);
    close(ns);
}

static void descriptors_run_out(void **state)
{
    int ns = netrig_ns(), made;
    unsigned fds, refusals = 0;
    struct rlimit old, few;
    struct port_spec spec;
    struct port *p;

    (void)state;
    assert_int_equal(port_spec_parse(&spec, "tap:t0", NULL), 0);
    spec.netns_fd = ns;
    p = port_new(&spec, &made, NULL);
    assert_non_null(p);
    fds = netrig_fds();
    getrlimit(RLIMIT_NOFILE, &old);
    for (unsigned limit = 0; limit < 64; limit++) {
        struct err e = {""};
        int rc;

        few = (struct rlimit){limit, old.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
        rc = p->ops->open(p, &e);
        setrlimit(RLIMIT_NOFILE, &old);
        if (rc == 0)
            break;
        refusals++;
        assert_int_equal(rc, -EMFILE);
        assert_string_not_equal(e.text, "");
        assert_int_equal(netrig_fds(), fds);
        assert_int_not_equal(netrig_run(ns, "ip link show t0 2>/dev/null"), 0);
    }
    assert_in_range(refusals, 3, 63);
    netrig_do(ns, "ip link show t0 >/dev/null");
    p->ops->close(p);
    port_free(p);
    close(ns);
}

/* A turn that has no memory left takes nothing and loses nothing. */
static void arena_full(void **state)
{
    uint8_t out[64], in[64];
    struct batch b = {.frame = far.frame, .max = 8, .arena = &tap.arena};

    (void)state;
    open_pair(-1);
    netrig_frame(out, 60, NULL, NULL, 0);
    assert_int_equal(netrig_send(&far, out, 60, NULL).sent, 1);
    tap.arena.used = tap.arena.size - 1000;
    assert_int_equal(tap.port->ops->rx(tap.port, 0, &b, 8), 0);
    assert_int_equal(tap.arena.used, tap.arena.size - 1000);
    assert_int_equal(netrig_recv(&tap, 0, in, sizeof(in), NETRIG_WAIT), 60);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
    const struct CMUnitTest tests[] = {
        T(made_and_gone),
        T(keys),
        T(existing_names_are_refused),
        T(octets_arrive_as_they_are),
        T(runts_and_giants),
        T(lies_are_refused),
        T(down_and_up),
        T(deletion_is_the_end),
        T(moving_is_no_failure),
        T(old_answers_are_passed_over),
        T(namespace_is_not_kept),
        T(names_abroad),
        T(owner_sets_it_wherever_it_is),
        T(descriptors_run_out),
        T(arena_full),
    };

    netrig_start();
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
