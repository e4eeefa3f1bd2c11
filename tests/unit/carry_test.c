/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts in two namespaces, their offloads at their defaults, talk through two
 * ports joined by the smallest of forwarders: across every pair of the kinds
 * that stand on netdevs, super-frames and partial checksums arrive right.
 */
#include "base/clock.h"
#include "ports/netns.h"
#include "ports/port.h"
#include "tests/lib/netrig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/udp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OCTETS    (24u << 20)
#define DATAGRAM  1000
#define DATAGRAMS 40 /* of one super-frame */
#define LIMIT_S   60

static struct netrig port[2];
static int host[2]; /* namespaces */
static unsigned widest;
static uint32_t lost[PORT_REASON_COUNT];

/* ---- the forwarder ---- */

static unsigned forward(struct netrig *from, struct netrig *to)
{
    struct frame *list[NETRIG_MAX];
    struct tx_result r = {0};
    struct batch *b = &from->b;
    int n;

    from->arena.used = 0;
    *b = (struct batch){
        .frame = from->frame, .max = NETRIG_MAX, .arena = &from->arena};
    n = from->port->ops->rx(from->port, 0, b, 64);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        list[i] = &from->frame[i];
        if (list[i]->len > widest)
            widest = list[i]->len;
    }
    if (n)
        to->port->ops->tx(to->port, 1, list, (unsigned)n, &r);
    for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
        lost[i] += r.refused[i] + b->lost[i];
    return (unsigned)n;
}

static void forward_until(_Atomic bool *done)
{
    uint64_t end = clock_now() + LIMIT_S * NSEC_PER_SEC;

    while (!atomic_load(done)) {
        if (clock_now() > end)
            fail_msg("nothing came within %d seconds", LIMIT_S);
        if (forward(&port[0], &port[1]) + forward(&port[1], &port[0]) == 0)
            usleep(20);
    }
}

/* ---- the hosts ---- */

struct talk {
    int family;
    int server, client; /* sockets, in their namespaces already */
    _Atomic bool done;
    uint64_t received;
    bool right; /* every octet was what was sent */
};

static uint8_t octet_at(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 11));
}

static int socket_in(int ns, int family, int type)
{
    const struct timeval limit = {.tv_sec = LIMIT_S};
    struct netns_scope s;
    int fd;

    assert_int_equal(netns_enter(&s, ns, NULL), 0);
    fd = socket(family, type | SOCK_CLOEXEC, 0);
    netns_leave(&s);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

static socklen_t address(int family, int last, struct sockaddr_storage *a)
{
    struct sockaddr_in *in = (void *)a;
    struct sockaddr_in6 *in6 = (void *)a;
    char text[32];

    memset(a, 0, sizeof(*a));
    a->ss_family = (sa_family_t)family;
    snprintf(text, sizeof(text), family == AF_INET ? "10.66.0.%d" : "fd66::%d",
             last);
    if (family == AF_INET) {
        in->sin_port = htons(7777);
        assert_int_equal(inet_pton(family, text, &in->sin_addr), 1);
        return sizeof(*in);
    }
    in6->sin6_port = htons(7777);
    assert_int_equal(inet_pton(family, text, &in6->sin6_addr), 1);
    return sizeof(*in6);
}

static void *client(void *arg)
{
    static uint8_t buf[65536];
    struct talk *t = arg;
    struct sockaddr_storage a;
    socklen_t n = address(t->family, 2, &a);
    uint64_t sent = 0;

    if (connect(t->client, (struct sockaddr *)&a, n) < 0)
        return NULL;
    while (sent < OCTETS) {
        ssize_t some;

        for (size_t i = 0; i < sizeof(buf); i++)
            buf[i] = octet_at(sent + i);
        some = send(t->client, buf, sizeof(buf), MSG_NOSIGNAL);
        if (some <= 0)
            break;
        sent += (uint64_t)some;
    }
    shutdown(t->client, SHUT_WR);
    return NULL;
}

static void *server(void *arg)
{
    static uint8_t buf[65536];
    struct talk *t = arg;
    int fd = accept(t->server, NULL, NULL);
    ssize_t n;

    t->right = fd >= 0;
    while (fd >= 0 && (n = recv(fd, buf, sizeof(buf), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            t->right =
                t->right && buf[i] == octet_at(t->received + (uint64_t)i);
        t->received += (uint64_t)n;
    }
    if (fd >= 0)
        close(fd);
    atomic_store(&t->done, true);
    return NULL;
}

/* One TCP stream from host 0 to host 1. */
static void tcp(int family)
{
    struct talk t = {.family = family};
    struct sockaddr_storage a;
    socklen_t n = address(family, 2, &a);
    pthread_t c, s;
    int one = 1;

    t.server = socket_in(host[1], family, SOCK_STREAM);
    t.client = socket_in(host[0], family, SOCK_STREAM);
    setsockopt(t.server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(t.server, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(t.server, 1), 0);
    widest = 0;
    assert_int_equal(pthread_create(&s, NULL, server, &t), 0);
    assert_int_equal(pthread_create(&c, NULL, client, &t), 0);
    forward_until(&t.done);
    pthread_join(c, NULL);
    pthread_join(s, NULL);
    close(t.server);
    close(t.client);
    assert_true(t.right);
    assert_true(t.received >= OCTETS);
    /* Else nothing has been shown about super-frames. */
    assert_in_range(widest, 1515, FRAME_LEN_MAX);
}

static void *datagrams(void *arg)
{
    uint8_t buf[2 * DATAGRAM];
    struct talk *t = arg;

    while (t->received < DATAGRAMS) {
        ssize_t n = recv(t->server, buf, sizeof(buf), 0);

        if (n != DATAGRAM)
            break;
        for (ssize_t i = 0; i < n; i++)
            t->right = t->right && buf[i] == octet_at((uint64_t)i);
        t->received++;
    }
    atomic_store(&t->done, true);
    return NULL;
}

/* A sender with UDP_SEGMENT: one super-frame of datagrams. */
static void uso(int family)
{
    struct talk t = {.family = family, .right = true};
    static uint8_t buf[DATAGRAM * DATAGRAMS];
    struct sockaddr_storage a;
    socklen_t n = address(family, 2, &a);
    pthread_t s;
    int size = DATAGRAM;

    for (size_t i = 0; i < sizeof(buf); i++)
        buf[i] = octet_at(i % DATAGRAM);
    t.server = socket_in(host[1], family, SOCK_DGRAM);
    t.client = socket_in(host[0], family, SOCK_DGRAM);
    assert_int_equal(bind(t.server, (struct sockaddr *)&a, n), 0);
    assert_int_equal(
        setsockopt(t.client, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
    assert_int_equal(pthread_create(&s, NULL, datagrams, &t), 0);
    assert_int_equal(
        sendto(t.client, buf, sizeof(buf), 0, (struct sockaddr *)&a, n),
        sizeof(buf));
    forward_until(&t.done);
    pthread_join(s, NULL);
    close(t.server);
    close(t.client);
    assert_int_equal(t.received, DATAGRAMS);
    assert_true(t.right);
}

/* ---- pairs ---- */

/* Host i, its interface h0, behind a port of the given kind. */
static void make_host(int i, const char *kind)
{
    char spec[64];

    host[i] = netrig_ns();
    snprintf(spec, sizeof(spec), "%s:p%d", kind, i);
    if (strcmp(kind, "tap") == 0) {
        netrig_open(&port[i], spec, -1);
        netrig_do(-1, "ip link set p%d name h0 netns %s", i,
                  netrig_path(host[i]));
    } else {
        netrig_do(-1,
                  "ip link add p%d type veth peer name h0; ip link set h0 "
                  "netns %s; ip link set p%d up",
                  i, netrig_path(host[i]), i);
        netrig_open(&port[i], spec, -1);
    }
    netrig_do(host[i],
              "echo 0 > /proc/sys/net/ipv6/conf/h0/disable_ipv6; "
              "ip addr add 10.66.0.%d/24 dev h0; "
              "ip addr add fd66::%d/64 dev h0 nodad; "
              "ip link set h0 up",
              i + 1, i + 1);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        netrig_close(&port[i]);
        close(host[i]);
        netrig_run(-1, "ip link del p%d 2>/dev/null", i);
    }
    return 0;
}

static void carry(const char *a, const char *b)
{
    make_host(0, a);
    make_host(1, b);
    memset(lost, 0, sizeof(lost));
    tcp(AF_INET);
    tcp(AF_INET6);
    if (port[1].port->caps.tx_uso) {
        uso(AF_INET);
        uso(AF_INET6);
    }
    assert_int_equal(lost[PORT_REASON_RX_BAD_VNET], 0);
    assert_int_equal(lost[PORT_REASON_RX_TRUNCATED], 0);
    assert_int_equal(lost[PORT_REASON_TX_ERROR], 0);
    assert_int_equal(lost[PORT_REASON_TX_TOO_BIG], 0);
}

static void packet_to_packet(void **state)
{
    (void)state;
    carry("packet", "packet");
}

static void tap_to_tap(void **state)
{
    (void)state;
    carry("tap", "tap");
}

static void tap_to_packet(void **state)
{
    (void)state;
    carry("tap", "packet");
}

static void packet_to_tap(void **state)
{
    (void)state;
    carry("packet", "tap");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(packet_to_packet, teardown),
        cmocka_unit_test_teardown(tap_to_tap, teardown),
        cmocka_unit_test_teardown(tap_to_packet, teardown),
        cmocka_unit_test_teardown(packet_to_tap, teardown),
    };

    netrig_start();
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
