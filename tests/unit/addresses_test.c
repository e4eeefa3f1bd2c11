/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP addresses seen behind ports, in a switch with ports in memory: which ports
 * are watched, whose an answer of DHCP is, and that a flood harms only itself.
 */
#include "tests/lib/rig.h"

#include "base/clock.h"
#include "ports/mem.h"
#include "switch/bridge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define HOST 0x525400000001ULL

static struct rig r;
static struct {
    unsigned n;
    enum snoop_how how;
    char text[336];
} told;

static void observe(void *arg, const struct sw_event *e)
{
    (void)arg;
    if (e->type != SW_EVENT_ADDRESS)
        return;
    told.n++;
    told.how = e->how;
    snprintf(told.text, sizeof(told.text), "%s", e->text);
}

/* p1 and p2 have guests behind them, net a network. */
static int up(void **state)
{
    (void)state;
    memset(&told, 0, sizeof(told));
    rig_up(&r, 2);
    sw_observe(r.sw, observe, NULL);
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    assert_int_equal(rig_add(&r, "mem:p2"), 0);
    assert_int_equal(rig_add(&r, "mem:net,edge=off"), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_balance(&r);
    rig_down(&r);
    return 0;
}

static void inject(const char *port, const void *bytes, uint32_t len,
                   unsigned copies)
{
    assert_int_equal(
        bport_mem_inject(rig_port(&r, port), bytes, len, NULL, copies), 0);
}

/* An ARP question by 10.x.y.z. */
static void arp(const char *port, uint64_t mac, unsigned ip)
{
    uint8_t f[60] = {[12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, [28] = 10};
    struct mac m = mac_from_u64(mac);

    memset(f, 0xff, 6);
    memcpy(f + 6, m.octet, 6);
    memcpy(f + 22, m.octet, 6);
    f[29] = (uint8_t)(ip >> 16);
    f[30] = (uint8_t)(ip >> 8);
    f[31] = (uint8_t)ip;
    inject(port, f, sizeof(f), 1);
}

/* A message of DHCP about HOST, so far without addresses and options. */
static void dhcp(uint8_t f[290], uint8_t from, uint8_t to, uint8_t op)
{
    struct mac m = mac_from_u64(HOST);

    f[12] = 8;
    f[14] = 0x45;
    f[23] = SNOOP_PROTO_UDP;
    f[35] = from;
    f[37] = to;
    f[42] = op;
    f[43] = 1;
    f[44] = 6;
    memcpy(f + 70, m.octet, 6);
}

/* A server's answer to HOST: it may have 10.0.0.ip. */
static void ack(const char *port, unsigned ip)
{
    static const uint8_t is_ack[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 5};
    uint8_t f[290] = {0};
    struct mac m = mac_from_u64(HOST);

    dhcp(f, 67, 68, 2);
    memcpy(f, m.octet, 6);
    f[6] = 2;
    f[58] = 10;
    f[61] = (uint8_t)ip;
    memcpy(f + 278, is_ack, sizeof(is_ack));
    inject(port, f, sizeof(f), 1);
}

/* HOST asks for 10.0.0.ip. */
static void request(const char *port, unsigned ip)
{
    static const uint8_t asks[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 3, 50, 4, 10};
    uint8_t f[291] = {0};
    struct mac m = mac_from_u64(HOST);

    dhcp(f, 68, 67, 1);
    memset(f, 0xff, 6);
    memcpy(f + 6, m.octet, 6);
    memcpy(f + 278, asks, sizeof(asks));
    f[290] = (uint8_t)ip;
    inject(port, f, sizeof(f), 1);
}

static unsigned seen(const char *port, struct bport_address *a)
{
    struct bport_address none[BPORT_ADDRESSES_MAX];

    rig_settle(&r);
    return bport_addresses(rig_port(&r, port), a ? a : none,
                           BPORT_ADDRESSES_MAX);
}

/* ---- the tests ---- */

static void guests_are_watched(void **state)
{
    struct bport_address a[BPORT_ADDRESSES_MAX];

    (void)state;
    arp("p1", HOST, 5);
    assert_int_equal(seen("p1", a), 1);
    assert_string_equal(a[0].text, "10.0.0.5");
    assert_int_equal(mac_to_u64(&a[0].mac), HOST);
    assert_int_equal(a[0].how, SNOOP_ARP);
    assert_true(a[0].age_cs < 500);
    assert_string_equal(told.text,
                        "10.0.0.5 is 52:54:00:00:00:01 behind port p1");
    arp("p1", HOST, 5);
    arp("p1", HOST, 6);
    assert_int_equal(seen("p1", a), 2);
    assert_string_equal(a[0].text, "10.0.0.6"); /* the newest first */
    assert_int_equal(told.n, 2);
    arp("net", HOST + 1, 7);
    assert_int_equal(seen("net", NULL), 0);
}

static void as_the_user_wants(void **state)
{
    (void)state;
    assert_int_equal(rig_set(&r, "net", BPORT_WATCH_ADDRESSES, 1), 0);
    arp("net", HOST, 7);
    assert_int_equal(seen("net", NULL), 1);
    assert_int_equal(rig_set(&r, "net", BPORT_WATCH_ADDRESSES, 0), 0);
    assert_int_equal(seen("net", NULL), 0);
    arp("net", HOST, 7);
    assert_int_equal(seen("net", NULL), 0);
    assert_int_not_equal(rig_set(&r, "net", BPORT_WATCH_ADDRESSES, 2), 0);
}

static void answers_find_their_port(void **state)
{
    struct bport_address a[BPORT_ADDRESSES_MAX];

    (void)state;
    ack("net", 4); /* to somebody nobody knows */
    assert_int_equal(seen("p1", NULL) + seen("p2", NULL), 0);
    rig_send(&r, "p2", 0xffffffffffffULL, HOST, 60, 1);
    rig_settle(&r);
    ack("net", 5);
    assert_int_equal(seen("p2", a), 1);
    assert_string_equal(a[0].text, "10.0.0.5");
    assert_int_equal(a[0].how, SNOOP_DHCP_ACK);
    assert_int_equal(seen("net", NULL), 0);
    /* ... also from a server that is a guest */
    ack("p1", 6);
    assert_int_equal(seen("p2", NULL), 2);
    assert_int_equal(seen("p1", NULL), 0);
}

static void told_when_it_is_its_own(void **state)
{
    (void)state;
    request("p1", 5);
    assert_int_equal(seen("p1", NULL), 1);
    assert_int_equal(told.how, SNOOP_DHCP_REQUEST);
    assert_non_null(strstr(told.text, "asks by DHCP"));
    ack("net", 5);
    assert_int_equal(seen("p1", NULL), 1);
    assert_int_equal(told.n, 2);
    assert_int_equal(told.how, SNOOP_DHCP_ACK);
    assert_string_equal(told.text,
                        "10.0.0.5 is 52:54:00:00:00:01 behind port p1");
    request("p1", 5); /* it renews its lease */
    ack("net", 5);
    assert_int_equal(seen("p1", NULL), 1);
    assert_int_equal(told.n, 2);
}

static void who_moves_is_in_one_place(void **state)
{
    (void)state;
    arp("p1", HOST, 5);
    arp("p1", HOST, 6);
    assert_int_equal(seen("p1", NULL), 2);
    arp("p2", HOST, 5);
    assert_int_equal(seen("p2", NULL), 1);
    assert_int_equal(seen("p1", NULL), 1);
    /* two that quarrel about an address are both shown */
    arp("p2", HOST + 1, 6);
    assert_int_equal(seen("p2", NULL), 2);
    assert_int_equal(seen("p1", NULL), 1);
}

static bool none_seen(void *port)
{
    struct bport_address a[BPORT_ADDRESSES_MAX];

    return bport_addresses(rig_port(&r, port), a, BPORT_ADDRESSES_MAX) == 0;
}

static void gone_with_the_link(void **state)
{
    char p1[] = "p1";

    (void)state;
    arp(p1, HOST, 5);
    assert_int_equal(seen(p1, NULL), 1);
    assert_int_equal(mem_set_link(rig_port(&r, "p1")->port, false), 0);
    assert_true(rig_wait(&r, none_seen, p1));
}

static void a_flood_harms_itself(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        arp("p1", HOST + 2 + i, 1000 + i);
    assert_int_equal(seen("p1", NULL), BPORT_ADDRESSES_MAX);
    assert_true(told.n < 500); /* the budget, or what the ring holds of it */
    arp("p2", HOST, 5);
    assert_int_equal(seen("p2", NULL), 1);
    assert_int_equal(rig_reason(&r, "p1", REASON_FLOODED), 1000);
}

static void what_is_dropped_tells_nothing(void **state)
{
    (void)state;
    assert_int_equal(rig_bridge_set(&r, BRIDGE_STP, 1), 0);
    assert_int_equal(rig_set(&r, "net", BPORT_WATCH_ADDRESSES, 1), 0);
    arp("net", HOST, 5); /* it listens */
    assert_int_equal(seen("net", NULL), 0);
    assert_int_equal(rig_reason(&r, "net", REASON_PORT_STATE), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(guests_are_watched),        T(as_the_user_wants),
        T(answers_find_their_port),   T(told_when_it_is_its_own),
        T(who_moves_is_in_one_place), T(gone_with_the_link),
        T(a_flood_harms_itself),      T(what_is_dropped_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
