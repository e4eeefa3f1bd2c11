/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses that frames tell of: each kind of frame that does, those that look
 * like one and do not, cut short at every octet; and the table they go into.
 */
#include "switch/snoop/snoop.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A frame under construction. */
static struct {
    uint8_t b[1024];
    size_t n;
    size_t l3; /* where the payload begins */
} f;

static const struct mac host = {{0x52, 0x54, 0, 0, 0, 1}};
static const struct mac other = {{0x52, 0x54, 0, 0, 0, 2}};

static void add(const void *p, size_t n)
{
    assert_true(f.n + n <= sizeof(f.b));
    memcpy(f.b + f.n, p, n);
    f.n += n;
}

static void add8(unsigned v)
{
    uint8_t b = (uint8_t)v;

    add(&b, 1);
}

static void add16(unsigned v)
{
    add8(v >> 8);
    add8(v & 0xff);
}

static void add_zeros(size_t n)
{
    while (n--)
        add8(0);
}

static void add_ip(const char *text)
{
    uint8_t ip[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;

    assert_int_equal(inet_pton(family, text, ip), 1);
    add(ip, family == AF_INET ? 4 : 16);
}

static void ethernet(const struct mac *src, unsigned tags, unsigned type)
{
    f.n = 0;
    add("\xff\xff\xff\xff\xff\xff", 6);
    add(src, 6);
    for (unsigned i = 0; i < tags; i++) {
        add16(i + 1 < tags ? 0x88a8 : 0x8100);
        add16(7 + i);
    }
    add16(type);
    f.l3 = f.n;
}

static void arp(unsigned tags, unsigned op, const struct mac *mac,
                const char *ip)
{
    ethernet(&other, tags, SNOOP_TYPE_ARP);
    add16(1);
    add16(0x0800);
    add16(0x0604);
    add16(op);
    add(mac, 6);
    add_ip(ip);
    add_zeros(6);
    add_ip("10.0.0.9");
}

static void ipv6(const char *src, unsigned next, unsigned hops)
{
    ethernet(&other, 0, SNOOP_TYPE_IPV6);
    add16(0x6000);
    add_zeros(2);
    add16(32);
    add8(next);
    add8(hops);
    add_ip(src);
    add_ip("ff02::1:ff00:5");
}

/* An ND message: what is fixed of it behind the checksum, and an option. */
static void nd(const char *src, unsigned type, const char *target,
               unsigned fixed, unsigned option, const struct mac *mac)
{
    ipv6(src, IPPROTO_ICMPV6, 255);
    add8(type);
    add_zeros(3);
    if (target) {
        add_zeros(4);
        add_ip(target);
    } else {
        add_zeros(fixed);
    }
    if (option) {
        add16(14 << 8 | 1); /* another one before it: a nonce (RFC 3971) */
        add_zeros(6);
        add16(option << 8 | 1);
        add(mac, 6);
    }
}

static void udp(unsigned ihl, unsigned sport, unsigned dport)
{
    ethernet(&other, 0, SNOOP_TYPE_IPV4);
    add8(0x40 | ihl);
    add_zeros(8);
    add8(IPPROTO_UDP);
    add_zeros(2);
    add_ip("10.0.0.1");
    add_ip("255.255.255.255");
    add_zeros((ihl - 5) * 4);
    add16(sport);
    add16(dport);
    add_zeros(4);
}

/* A DHCP message up to its options, which 'end' ends. */
static void dhcp(unsigned op, const char *ciaddr, const char *yiaddr,
                 unsigned message)
{
    add8(op);
    add8(1);
    add8(6);
    add_zeros(9);
    add_ip(ciaddr);
    add_ip(yiaddr);
    add_zeros(8);
    add(&host, 6);
    add_zeros(10 + 64 + 128);
    add("\x63\x82\x53\x63", 4);
    add8(0); /* pad */
    add16(53 << 8 | 1);
    add8(message);
}

static void requested(const char *ip)
{
    add16(50 << 8 | 4);
    add_ip(ip);
    add8(255);
}

/* What the frame is worth, asked both ways. */
static bool worth(bool acks_only)
{
    unsigned type = (unsigned)f.b[12] << 8 | f.b[13];

    return snoop_worth((uint16_t)type, f.b, f.n, acks_only);
}

static void tells(enum snoop_how how, const struct mac *mac, const char *ip)
{
    char text[INET6_ADDRSTRLEN];
    struct snoop_claim c;

    assert_true(worth(false));
    assert_int_equal(worth(true), how == SNOOP_DHCP_ACK);
    assert_true(snoop_parse(f.b, f.n, &c));
    assert_int_equal(c.how, how);
    assert_true(mac_equal(&c.mac, mac));
    assert_string_equal(snoop_ip_format(&c, text), ip);
}

static void tells_nothing(void)
{
    struct snoop_claim c;

    assert_false(snoop_parse(f.b, f.n, &c));
}

/* Cut anywhere before 'need' octets it says nothing, and nothing is read that
 * is not there. */
static void needs(size_t need)
{
    struct snoop_claim c;

    for (size_t n = 0; n <= f.n; n++) {
        uint8_t *p = malloc(n ? n : 1);

        assert_non_null(p);
        memcpy(p, f.b, n);
        assert_int_equal(snoop_parse(p, n, &c), n >= need);
        if (n >= 14)
            (void)snoop_worth((uint16_t)(p[12] << 8 | p[13]), p, n, false);
        free(p);
    }
}

/* ---- ARP ---- */

static void arp_senders(void **state)
{
    (void)state;
    for (unsigned tags = 0; tags < 3; tags++)
        for (unsigned op = 1; op <= 2; op++) {
            arp(tags, op, &host, "10.0.0.5");
            tells(SNOOP_ARP, &host, "10.0.0.5");
            needs(f.n - 10);
        }
    /* an announcement asks for its own address */
    arp(0, 1, &host, "10.0.0.9");
    tells(SNOOP_ARP, &host, "10.0.0.9");
}

static void arp_that_says_nothing(void **state)
{
    static const struct mac group = {{1, 0, 0x5e, 0, 0, 1}}, none;
    static const char *const bad[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1",
                                      "255.255.255.255"};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        arp(0, 1, &host, bad[i]);
        tells_nothing();
    }
    arp(0, 1, &group, "10.0.0.5");
    tells_nothing();
    arp(0, 1, &none, "10.0.0.5");
    tells_nothing();
    arp(0, 3, &host, "10.0.0.5"); /* reverse, RFC 903 */
    tells_nothing();
    arp(3, 1, &host, "10.0.0.5");
    tells_nothing();
    assert_false(worth(false));
    for (unsigned i = 0; i < 6; i++) {
        arp(0, 1, &host, "10.0.0.5");
        f.b[f.l3 + i] ^= 3;
        tells_nothing();
    }
}

/* ---- neighbour discovery ---- */

static void advertisements(void **state)
{
    (void)state;
    nd("fe80::1", 136, "2001:db8::5", 0, 2, &host);
    tells(SNOOP_ND, &host, "2001:db8::5");
    needs(f.l3 + 40 + 24); /* without the option: the frame's source */
    nd("fe80::1", 136, "2001:db8::5", 0, 0, NULL);
    tells(SNOOP_ND, &other, "2001:db8::5");
}

static void solicitations(void **state)
{
    (void)state;
    nd("2001:db8::5", 135, "2001:db8::1", 0, 1, &host);
    tells(SNOOP_ND, &host, "2001:db8::5");
    needs(f.n);
    nd("fe80::5", 133, NULL, 4, 1, &host);
    tells(SNOOP_ND, &host, "fe80::5");
    nd("fe80::5", 134, NULL, 12, 1, &host);
    tells(SNOOP_ND, &host, "fe80::5");
    /* nobody's yet */
    nd("::", 135, "2001:db8::5", 0, 0, NULL);
    tells_nothing();
    nd("::", 135, "2001:db8::5", 0, 1, &host);
    tells_nothing();
    nd("2001:db8::5", 135, "2001:db8::1", 0, 0, NULL);
    tells_nothing();
}

static void nd_that_says_nothing(void **state)
{
    (void)state;
    nd("fe80::1", 136, "2001:db8::5", 0, 2, &host);
    f.b[f.l3 + 7] = 254; /* through a router */
    tells_nothing();
    nd("fe80::1", 136, "2001:db8::5", 0, 2, &host);
    f.b[f.l3 + 41] = 1; /* code */
    tells_nothing();
    nd("fe80::1", 136, "ff02::1", 0, 2, &host);
    tells_nothing();
    nd("fe80::1", 136, "::", 0, 2, &host);
    tells_nothing();
    nd("fe80::1", 137, "2001:db8::5", 0, 2, &host); /* redirect */
    tells_nothing();
    assert_false(worth(false));
    nd("fe80::5", 133, NULL, 4, 1, &host);
    f.b[f.l3 + 40 + 8 + 1] = 0; /* an option of no length */
    tells_nothing();
    ipv6("fe80::1", IPPROTO_TCP, 255);
    add_zeros(40);
    tells_nothing();
    assert_false(worth(false));
}

/* ---- DHCP ---- */

static void acks(void **state)
{
    (void)state;
    udp(5, 67, 68);
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    tells(SNOOP_DHCP_ACK, &host, "10.0.0.5");
    needs(f.n);
    assert_true(f.n < SNOOP_BYTES);
}

static void requests(void **state)
{
    (void)state;
    udp(5, 68, 67);
    dhcp(1, "0.0.0.0", "0.0.0.0", 3);
    requested("10.0.0.5");
    tells(SNOOP_DHCP_REQUEST, &host, "10.0.0.5");
    udp(5, 68, 67); /* renewing */
    dhcp(1, "10.0.0.6", "0.0.0.0", 3);
    tells(SNOOP_DHCP_REQUEST, &host, "10.0.0.6");
}

static void dhcp_that_says_nothing(void **state)
{
    static const unsigned others[] = {1, 2, 4, 6, 7, 8};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        udp(5, 68, 67);
        dhcp(1, "10.0.0.6", "0.0.0.0", others[i]);
        tells_nothing();
        udp(5, 67, 68);
        dhcp(2, "10.0.0.6", "10.0.0.6", others[i]);
        tells_nothing();
    }
    udp(5, 67, 68); /* an answer to DHCPINFORM */
    dhcp(2, "10.0.0.6", "0.0.0.0", 5);
    tells_nothing();
    udp(5, 67, 67); /* to a relay */
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    tells_nothing();
    assert_false(worth(false));
    udp(5, 68, 67); /* the wrong way round */
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    tells_nothing();
    udp(5, 67, 68); /* not the first fragment */
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    f.b[f.l3 + 7] = 1;
    tells_nothing();
    udp(5, 67, 68);
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    f.b[f.l3] = 0x40; /* a header of no length */
    tells_nothing();
    udp(6, 67, 68); /* options of IP */
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    tells_nothing();
}

static void options_in_disorder(void **state)
{
    (void)state;
    udp(5, 67, 68);
    dhcp(2, "0.0.0.0", "10.0.0.5", 5);
    add16(12 << 8 | 200); /* longer than the frame */
    add_zeros(20);
    tells(SNOOP_DHCP_ACK, &host, "10.0.0.5");
    udp(5, 68, 67);
    dhcp(1, "0.0.0.0", "0.0.0.0", 3);
    add16(50 << 8 | 3);
    add_zeros(3);
    add8(255);
    requested("10.0.0.5"); /* behind the end */
    tells_nothing();
}

/* ---- the cheap look at any frame ---- */

static void ordinary_frames(void **state)
{
    (void)state;
    udp(5, 1000, 2000);
    assert_false(worth(false));
    f.b[f.l3 + 9] = IPPROTO_TCP;
    assert_false(worth(false));
    ethernet(&host, 1, 0x88b5);
    add_zeros(46);
    assert_false(worth(false));
    ethernet(&host, 0, 0x8035);
    add_zeros(46);
    assert_false(worth(false));
}

/* ---- the table ---- */

static struct snoop_claim claim(const struct mac *m, unsigned ip,
                                enum snoop_how how)
{
    struct snoop_claim c = {.mac = *m, .family = AF_INET, .how = (uint8_t)how};

    c.ip[0] = 10;
    c.ip[2] = (uint8_t)(ip >> 8);
    c.ip[3] = (uint8_t)ip;
    return c;
}

static enum snoop_news enter(struct snoop_table *t, const struct mac *m,
                             unsigned ip, enum snoop_how how, uint64_t now)
{
    struct snoop_claim c = claim(m, ip, how);

    return snoop_enter(t, &c, now);
}

static void news(void **state)
{
    struct snoop_table t = {0};
    struct snoop_claim c = claim(&other, 5, SNOOP_ARP);

    (void)state;
    assert_int_equal(enter(&t, &host, 5, SNOOP_DHCP_REQUEST, 1), SNOOP_NEW);
    assert_int_equal(enter(&t, &host, 5, SNOOP_ARP, 2), SNOOP_CONFIRMED);
    assert_int_equal(t.entry[0].claim.how, SNOOP_ARP);
    assert_int_equal(enter(&t, &host, 5, SNOOP_DHCP_ACK, 3), SNOOP_KNOWN);
    assert_int_equal(enter(&t, &host, 5, SNOOP_ARP, 4), SNOOP_KNOWN);
    assert_int_equal(t.entry[0].claim.how, SNOOP_DHCP_ACK);
    assert_int_equal(t.entry[0].seen, 4);
    /* who only asks for an address does not take it from who has it */
    assert_int_equal(enter(&t, &other, 5, SNOOP_DHCP_REQUEST, 5), SNOOP_KNOWN);
    assert_int_equal(t.entry[0].seen, 4);
    assert_int_equal(enter(&t, &other, 5, SNOOP_ARP, 6), SNOOP_CHANGED);
    assert_int_equal(t.n, 1);
    assert_true(snoop_forget(&t, &c));
    assert_false(snoop_forget(&t, &c));
    assert_int_equal(t.n, 0);
}

static void hints_give_way(void **state)
{
    struct snoop_table t = {0};

    (void)state;
    enter(&t, &host, 4, SNOOP_DHCP_REQUEST, 1);
    enter(&t, &host, 5, SNOOP_DHCP_REQUEST, 2);
    enter(&t, &other, 6, SNOOP_DHCP_REQUEST, 3);
    enter(&t, &host, 7, SNOOP_ARP, 3);
    assert_int_equal(enter(&t, &host, 5, SNOOP_DHCP_ACK, 4), SNOOP_CONFIRMED);
    assert_int_equal(t.n, 3);
    assert_int_equal(enter(&t, &host, 4, SNOOP_DHCP_REQUEST, 5), SNOOP_NEW);
}

static void bounded(void **state)
{
    struct snoop_table t = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        enter(&t, &other, 5000, SNOOP_ARP, 2 * i); /* this one is alive */
        assert_int_equal(enter(&t, &host, i, SNOOP_ARP, 2 * i + 1), SNOOP_NEW);
        assert_true(t.n <= SNOOP_TABLE_MAX);
    }
    assert_int_equal(enter(&t, &other, 5000, SNOOP_ARP, 2000), SNOOP_KNOWN);
    for (unsigned i = 1000 - SNOOP_TABLE_MAX + 1; i < 1000; i++)
        assert_int_equal(enter(&t, &host, i, SNOOP_ARP, 2001), SNOOP_KNOWN);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(snoop_how_name(SNOOP_DHCP_ACK), "dhcp");
    assert_string_equal(snoop_how_name(SNOOP_HOWS), "unknown");
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
    const struct CMUnitTest tests[] = {
        T(arp_senders),
        T(arp_that_says_nothing),
        T(advertisements),
        T(solicitations),
        T(nd_that_says_nothing),
        T(acks),
        T(requests),
        T(dhcp_that_says_nothing),
        T(options_in_disorder),
        T(ordinary_frames),
        T(news),
        T(hints_give_way),
        T(bounded),
        T(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
