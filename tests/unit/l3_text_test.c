/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What managers are told, as text; what is remembered of an uplink, there and
 * back; what counts as the same route.
 */
#include "ctl/config/load.h"
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char yaml[] =
    "network:\n"
    "  version: 2\n"
    "  bridges:\n"
    "    br0:\n"
    "      addresses: [192.0.2.5/24, '2001:db8::5/64']\n"
    "      routes:\n"
    "      - {to: default, via: 192.0.2.1, on-link: true, metric: 9}\n"
    "      - {to: 10.1.0.0/16, via: 192.0.2.2, table: 7, mtu: 1400}\n"
    "      - {to: 10.2.0.0/16, type: blackhole}\n"
    "      nameservers: {addresses: [192.0.2.53, '2001:db8::53'],"
    " search: [a.example]}\n"
    "      dhcp6: true\n"
    "      link-local: []\n"
    "      accept-ra: false\n"
    "      mtu: 1400\n";

static const char networkd_text[] = "[Match]\nName=br0\n"
                                    "\n[Link]\nMTUBytes=1400\n"
                                    "\n[Network]\nConfigureWithoutCarrier=yes\n"
                                    "DHCP=ipv6\n"
                                    "LinkLocalAddressing=no\n"
                                    "IPv6AcceptRA=no\n"
                                    "DNS=192.0.2.53 2001:db8::53\n"
                                    "Domains=a.example\n"
                                    "\n[Address]\nAddress=192.0.2.5/24\n"
                                    "\n[Address]\nAddress=2001:db8::5/64\n"
                                    "\n[Route]\nDestination=0.0.0.0/0\n"
                                    "Gateway=192.0.2.1\nGatewayOnLink=yes\n"
                                    "Scope=global\nMetric=9\n"
                                    "\n[Route]\nDestination=10.1.0.0/16\n"
                                    "Gateway=192.0.2.2\nScope=global\n"
                                    "Table=7\nMTUBytes=1400\n"
                                    "\n[Route]\nDestination=10.2.0.0/16\n"
                                    "Type=blackhole\nScope=global\n"
                                    "\n[DHCPv6]\n";

static const char nm_text[] =
    "[connection]\nid=bascule-br0\ntype=tun\ninterface-name=br0\n"
    "autoconnect=true\n"
    "\n[tun]\nmode=2\nvnet-hdr=true\n"
    "\n[ipv4]\nmethod=manual\naddress1=192.0.2.5/24\n"
    "route1=0.0.0.0/0,192.0.2.1,9\nroute1_options=onlink=true,table=254\n"
    "route2=10.1.0.0/16,192.0.2.2,0\nroute2_options=table=7,mtu=1400\n"
    "route3=10.2.0.0/16,0.0.0.0,0\n"
    "route3_options=type=blackhole,table=254\n"
    "dns=192.0.2.53;\ndns-search=a.example;\n"
    "\n[ipv6]\nmethod=auto\naddr-gen-mode=eui64\naddress1=2001:db8::5/64\n"
    "dns=2001:db8::53;\ndns-search=a.example;\nroute-metric=100\n";

static void compare(const struct manager *m, const char *want_text)
{
    struct l3 l = {.ifname = "br0"};
    struct rt_set all = {0};
    struct conf *c = NULL;
    struct err e = {""};
    unsigned n_addrs, n_routes;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (conf_load_text(&c, yaml, strlen(yaml), &e))
        fail_msg("%s", e.text);
    assert_int_equal(
        self_target(&l, &c->bridge[0].l3, &all, &n_addrs, &n_routes, &e), 0);
    assert_int_equal(n_addrs, 2);
    assert_int_equal(n_routes, 3);
    m->text(f, &l, &c->bridge[0].l3, &all);
    fclose(f);
    assert_string_equal(text, want_text);
    free(text);
    rt_set_clear(&all);
    conf_free(c);
}

static void test_networkd(void **state)
{
    (void)state;
    compare(&networkd_manager, networkd_text);
}

static void test_nm(void **state)
{
    (void)state;
    compare(&nm_manager, nm_text);
}

/* ---- remembering ---- */

static struct rt_addr an_addr(const char *ip, uint8_t prefix)
{
    struct rt_addr a = {.family = strchr(ip, ':') ? AF_INET6 : AF_INET,
                        .prefix = prefix,
                        .valid = RT_FOREVER,
                        .preferred = RT_FOREVER,
                        .label = ""};

    inet_pton(a.family, ip, a.local);
    return a;
}

static void fill(struct uplink *u)
{
    struct conf_route c = {.to = {.family = AF_INET, .prefix = 16},
                           .via = {.family = AF_INET, .prefix = 32},
                           .has_table = true,
                           .table = 1234567,
                           .mtu = 1300};
    struct rt_addr a = an_addr("192.0.2.5", 24), b = an_addr("2001:db8::5", 64);
    struct rt_route r;

    memset(u, 0, sizeof(*u));
    snprintf(u->name, sizeof(u->name), "up0");
    u->ifindex = 7;
    u->taken_at = boot_seconds();
    a.valid = 3000000000U; /* no sign */
    snprintf(a.label, sizeof(a.label), "up0:x");
    b.has_peer = true;
    inet_pton(AF_INET6, "2001:db8::6", b.peer);
    inet_pton(AF_INET, "10.1.0.0", &c.to.a.v4);
    inet_pton(AF_INET, "192.0.2.1", &c.via.a.v4);
    assert_int_equal(rt_route_from_conf(&r, &c, NULL), 0);
    assert_int_equal(rt_set_addr(&u->moved, &a), 0);
    assert_int_equal(rt_set_addr(&u->stay, &b), 0);
    assert_int_equal(rt_set_route(&u->moved, &r), 0);
    rt_route_free(&r);
}

static void test_remembers(void **state)
{
    char dir[] = "/tmp/l3textXXXXXX", path[100];
    struct stored s;
    struct uplink u;
    struct err e = {""};

    (void)state;
    assert_non_null(mkdtemp(dir));
    fill(&u);
    assert_int_equal(store_write(dir, "br0", 42, &u, &e), 0);
    snprintf(path, sizeof(path), "%s/l3-uplink-42-up0.json", dir);
    assert_int_equal(store_read(path, &s, &e), 0);
    assert_true(s.this_boot && s.owner_alive);
    assert_int_equal(s.netns, 42);
    assert_string_equal(s.bridge, "br0");
    assert_string_equal(s.u.name, "up0");
    assert_int_equal(s.u.moved.n_addrs, 1);
    assert_true(rt_addr_equal(&u.moved.addr[0], &s.u.moved.addr[0]));
    assert_true(rt_addr_equal(&u.stay.addr[0], &s.u.stay.addr[0]));
    assert_true(rt_route_equal(&u.moved.route[0], &s.u.moved.route[0]));
    uplink_clear(&s.u);
    store_remove(dir, 42, "up0");
    assert_int_equal(store_read(path, &s, &e), -ENOENT);
    uplink_clear(&u);
    assert_int_equal(rmdir(dir), 0);
}

static void test_not_ours(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"layout\": 1}",
        "{\"layout\": 1, \"uplink\": \"a name that is much too long\", "
        "\"bridge\": \"b\", \"mac\": \"02:00:00:00:00:01\"}",
        "{\"layout\": 1, \"uplink\": \"u\", \"bridge\": \"b\", "
        "\"mac\": \"02:00:00:00:00:01\", \"moved\": {\"routes\": "
        "[{\"message\": \"zz\"}]}}",
        "{\"layout\": 1, \"uplink\": \"u\", \"bridge\": \"b\", "
        "\"mac\": \"02:00:00:00:00:01\", \"moved\": {\"addresses\": "
        "[{\"family\": 2, \"local\": \"0a\"}]}}"};
    char path[] = "/tmp/l3textXXXXXX";
    int fd = mkstemp(path);

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct stored s;
        struct err e = {""};
        FILE *f = fopen(path, "w");

        fputs(bad[i], f);
        fclose(f);
        assert_int_equal(store_read(path, &s, &e), -EINVAL);
        assert_non_null(strstr(e.text, path));
    }
    close(fd);
    unlink(path);
}

/* ---- the same, equal, other ---- */

static struct rt_route a_route(const char *via, uint32_t metric, uint32_t mtu)
{
    struct conf_route c = {.to = {.family = AF_INET},
                           .via = {.family = AF_INET, .prefix = 32},
                           .has_metric = true,
                           .metric = metric,
                           .mtu = mtu};
    struct rt_route r;

    inet_pton(AF_INET, via, &c.via.a.v4);
    assert_int_equal(rt_route_from_conf(&r, &c, NULL), 0);
    return r;
}

static void test_same_and_equal(void **state)
{
    struct rt_route r[] = {
        a_route("192.0.2.1", 1, 0), a_route("192.0.2.1", 1, 0),
        a_route("192.0.2.2", 1, 0), a_route("192.0.2.1", 2, 0),
        a_route("192.0.2.1", 1, 1400)};
    struct rt_addr a = an_addr("192.0.2.1", 24), b = an_addr("192.0.2.1", 25);
    struct rt_addr c = an_addr("2001:db8::1", 64),
                   d = an_addr("2001:db8::1", 128);

    (void)state;
    assert_true(rt_route_equal(&r[0], &r[1]));
    assert_true(rt_route_same(&r[0], &r[2]) && !rt_route_equal(&r[0], &r[2]));
    assert_false(rt_route_same(&r[0], &r[3]));
    assert_true(rt_route_same(&r[0], &r[4]) && !rt_route_equal(&r[0], &r[4]));
    assert_false(rt_route_equal(&r[4], &r[0]));
    assert_false(rt_addr_same(&a, &b)); /* IPv4: once per prefix */
    assert_true(rt_addr_same(&c, &d) && !rt_addr_equal(&c, &d));
    for (unsigned i = 0; i < sizeof(r) / sizeof(r[0]); i++)
        rt_route_free(&r[i]);
}

/* Notes that do not fit are counted, none is cut. */
static void test_notes_are_bounded(void **state)
{
    struct l3_notes n = {.len = 0};

    (void)state;
    for (int i = 0; i < 200; i++)
        l3_note(&n, "sentence number %d", i);
    assert_true(n.more > 0);
    assert_true(n.len < sizeof(n.text));
    assert_int_equal(n.text[n.len - 1], '\n');
    assert_int_equal(strlen(n.text), n.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networkd),
        cmocka_unit_test(test_nm),
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_same_and_equal),
        cmocka_unit_test(test_notes_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
