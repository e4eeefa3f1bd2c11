/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is printed is read as the same: of all fixtures and of random
 * configurations.  SEED=n repeats a run.
 */
#include "ctl/config/equal.h"
#include "ctl/config/load.h"
#include "ctl/config/pool.h"
#include "ctl/config/print.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Prints, reads, compares, prints again, compares the texts. */
static void same_again(const struct conf *c)
{
    char *text = conf_print(c), *again;
    struct conf *d = NULL;
    struct err e = {""};

    assert_non_null(text);
    if (conf_load_text(&d, text, strlen(text), &e))
        fail_msg("%s\n%s", e.text, text);
    again = conf_print(d);
    assert_non_null(again);
    assert_string_equal(text, again);
    if (!conf_equal(c, d))
        fail_msg("something is lost in\n%s", text);
    /* what is read raises no eyebrows a second time */
    for (const struct conf_notice *n = d->notice; n; n = n->next)
        if (!strstr(n->text, "default route"))
            fail_msg("%s\n%s", n->text, text);
    conf_free(d);
    free(again);
    free(text);
}

static void fixtures(void **state)
{
    DIR *dir = opendir("tests/config");
    struct dirent *entry;
    unsigned n = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');
        struct conf *c = NULL;
        struct err e = {""};
        char path[300];

        if (!dot || strcmp(dot, ".yaml") != 0)
            continue;
        snprintf(path, sizeof(path), "tests/config/%s", entry->d_name);
        if (conf_load(&c, path, conf_open_file, NULL, &e))
            fail_msg("%s", e.text);
        same_again(c);
        conf_free(c);
        n++;
    }
    closedir(dir);
    assert_true(n >= 4);
}

/* ---- as it looks ---- */

static void lab(void **state)
{
    static const char want[] = "network:\n"
                               "  version: 2\n"
                               "  renderer: networkd\n"
                               "  ethernets:\n"
                               "    ens33: {}\n"
                               "  bridges:\n"
                               "    br0:\n"
                               "      interfaces: [ens33]\n"
                               "      parameters:\n"
                               "        stp: false\n"
                               "        forward-delay: 0\n"
                               "      addresses:\n"
                               "      - 192.168.7.10/24\n"
                               "      routes:\n"
                               "      - to: default\n"
                               "        via: 192.168.7.2\n"
                               "        on-link: true\n"
                               "      nameservers:\n"
                               "        addresses: [192.168.7.2, 8.8.8.8]\n"
                               "        search: [lab.example]\n"
                               "      dhcp4: false\n"
                               "      dhcp4-overrides:\n"
                               "        use-dns: false\n"
                               "        route-metric: 100\n";
    struct conf *c;
    struct err e;
    char *text;

    (void)state;
    assert_int_equal(
        conf_load(&c, "tests/config/lab.yaml", conf_open_file, NULL, &e), 0);
    text = conf_print(c);
    assert_string_equal(text, want);
    free(text);
    conf_free(c);
}

static void empty(void **state)
{
    struct conf *c = conf_new();
    char *text = conf_print(c);

    (void)state;
    assert_string_equal(text, "network:\n  version: 2\n");
    same_again(c);
    free(text);
    conf_free(c);
}

/* Names that YAML would read as something else are quoted. */
static void quoting(void **state)
{
    static const char given[] =
        "network:\n"
        "  bridges:\n"
        "    \"yes\": {interfaces: [\"null\", \"~\", '1e3', '0x10', \"-\"],\n"
        "             nameservers: {search: [\"no\", \"12\", n-1]}}\n"
        "    \"7\": {interfaces: [\"#a\", \"a#\", \"&b\", \"*c\", \"!d\", "
        "\"{\", \"}\",\n"
        "      \"'\", \"\\u00e9\\u20ac\", \"@x\", '0\"', \"a,b\", \"%\", "
        "\"a-\"]}\n";
    struct conf *c;
    struct err e = {""};
    char *text;

    (void)state;
    if (conf_load_text(&c, given, sizeof(given) - 1, &e))
        fail_msg("%s", e.text);
    same_again(c);
    text = conf_print(c);
    assert_non_null(strstr(text, "\"yes\":"));
    assert_non_null(strstr(text, "\"null\""));
    assert_non_null(strstr(text, "search: [\"no\", \"12\", n-1]"));
    free(text);
    conf_free(c);
}

/* A port of `bascule:` before one netplan could have: the order stays. */
static void order(void **state)
{
    static const char given[] =
        "bascule: {bridges: {a: {ports: [e1, mem:m, e2]}}}";
    struct conf *c;
    struct err e;
    char *text;

    (void)state;
    assert_int_equal(conf_load_text(&c, given, sizeof(given) - 1, &e), 0);
    same_again(c);
    text = conf_print(c);
    assert_non_null(strstr(text, "interfaces: [e1]"));
    assert_non_null(strstr(text, "- mem:m\n      - packet:e2\n"));
    free(text);
    conf_free(c);
}

/* ---- random ones ---- */

static unsigned seed;

static unsigned upto(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

static bool maybe(void)
{
    return upto(3) == 0;
}

static enum conf_switch any_switch(void)
{
    return (enum conf_switch)((int)upto(3) - 1);
}

static const char *word(struct conf *c, unsigned number)
{
    static const char *const some[] = {"y",   "null",     "a b", "0",
                                       "x:y", "#",        "-",   "\"",
                                       "'",   "\xc3\xa9", "[",   "e0"};
    char text[32];

    snprintf(text, sizeof(text), "%s%u", some[upto(12)], number);
    return conf_text(c, text);
}

/* Fit for an interface. */
static void name(char *to, unsigned number)
{
    static const char *const some[] = {"eth", "yes",          "0", "-",  "'",
                                       "\"",  "\xe2\x82\xac", "#", "a&", "!"};

    snprintf(to, PORT_NAME_MAX, "%s%u", some[upto(10)], number);
}

static struct mac any_mac(void)
{
    struct mac m =
        mac_from_u64(((uint64_t)upto(1U << 24) << 24 | upto(1U << 24)) + 1);

    m.octet[0] &= 0xfe;
    return m;
}

static struct conf_addr any_addr(int family, bool prefix, unsigned number)
{
    struct conf_addr a = {.family = family};

    if (family == AF_INET) {
        a.a.v4.s_addr = htonl(0x0a000000 | (number + 1) << 8 | (1 + upto(200)));
        a.prefix = (uint8_t)(prefix ? 24 + upto(9) : 32);
    } else {
        inet_pton(AF_INET6, "2001:db8::1", &a.a.v6);
        a.a.v6.s6_addr[5] = (uint8_t)(number + 1);
        a.a.v6.s6_addr[14] = (uint8_t)upto(256);
        a.prefix = (uint8_t)(prefix ? 64 + upto(65) : 128);
    }
    return a;
}

static void any_addresses(struct conf *c, struct conf_l3 *l)
{
    l->n_addrs = upto(4);
    l->addr = conf_alloc(c, 4 * sizeof(*l->addr));
    for (unsigned i = 0; i < l->n_addrs; i++) {
        struct conf_addr *a = &l->addr[i];

        *a = any_addr(maybe() ? AF_INET6 : AF_INET, true, i);
        a->deprecated = maybe();
        if (a->family == AF_INET && maybe())
            snprintf(a->label, sizeof(a->label), "%s", word(c, i));
    }
}

static struct conf_route any_route(unsigned number)
{
    static const enum conf_route_type types[] = {
        CONF_ROUTE_UNICAST,     CONF_ROUTE_LOCAL,     CONF_ROUTE_ANYCAST,
        CONF_ROUTE_UNREACHABLE, CONF_ROUTE_BLACKHOLE, CONF_ROUTE_THROW};
    int family = maybe() ? AF_INET6 : AF_INET;
    struct conf_route rt = {.type = types[maybe() ? upto(6) : 0]};

    rt.to = any_addr(family, false, number);
    if (rt.type < CONF_ROUTE_UNREACHABLE)
        rt.via = any_addr(family, false, 77);
    if (maybe()) { /* default */
        memset(&rt.to, 0, sizeof(rt.to));
        rt.to.family = family;
    }
    if (maybe())
        rt.from = any_addr(family, false, 9);
    rt.on_link = rt.via.family && maybe();
    rt.has_metric = true;
    rt.metric = number * 1000 + upto(1000);
    rt.has_table = maybe();
    rt.table = rt.has_table ? 1 + upto(1000) : 0;
    rt.has_scope = maybe();
    rt.scope = rt.has_scope ? RT_SCOPE_LINK : 0;
    rt.mtu = maybe() ? 1 + upto(9000) : 0;
    rt.congestion_window = maybe() ? 10 : 0;
    rt.advertised_receive_window = maybe() ? UINT32_MAX : 0;
    rt.advmss = maybe() ? 1400 : 0;
    return rt;
}

static void any_dhcp(struct conf *c, struct conf_dhcp *d)
{
    d->use_dns = any_switch();
    d->use_ntp = any_switch();
    d->send_hostname = any_switch();
    d->use_hostname = any_switch();
    d->use_mtu = any_switch();
    d->use_routes = any_switch();
    d->use_domains = (enum conf_switch)((int)upto(4) - 1);
    d->hostname = maybe() ? conf_text(c, "yes.example") : NULL;
    d->has_metric = maybe();
    d->metric = d->has_metric ? upto(1000) : 0;
}

static void any_l3(struct conf *c, struct conf_l3 *l)
{
    l->dhcp4 = any_switch();
    l->dhcp6 = any_switch();
    any_dhcp(c, &l->over4);
    any_dhcp(c, &l->over6);
    l->dhcp_identifier = maybe() ? "mac" : maybe() ? "duid" : NULL;
    l->accept_ra = any_switch();
    l->link_local4 = maybe();
    l->link_local6 = !maybe();
    any_addresses(c, l);
    l->n_routes = upto(4);
    l->route = conf_alloc(c, 4 * sizeof(*l->route));
    for (unsigned i = 0; i < l->n_routes; i++)
        l->route[i] = any_route(i);
    l->n_dns = upto(3);
    l->dns = conf_alloc(c, 3 * sizeof(*l->dns));
    for (unsigned i = 0; i < l->n_dns; i++)
        l->dns[i] = any_addr(maybe() ? AF_INET6 : AF_INET, false, i);
    l->n_search = upto(3);
    l->search = conf_alloc(c, 3 * sizeof(*l->search));
    for (unsigned i = 0; i < l->n_search; i++)
        l->search[i] = i ? "~no" : "1.2";
    l->mac_set = maybe();
    l->mac = any_mac();
    l->mtu = maybe() ? 1280 + upto(5000) : 0;
    l->ipv6_mtu = maybe() ? 1280 + upto(5000) : 0;
    l->optional = any_switch();
    l->ipv6_privacy = any_switch();
    l->ignore_carrier = any_switch();
    l->activation_off = maybe();
    l->activation_manual = !l->activation_off && maybe();
}

static void any_port_params(struct conf_port *p)
{
    static const uint32_t most[BPORT_PARAMS] = {
        65535, 63, 1, 1, 1, 1, 1, 1, 0xffff, 1U << 30,
        1,     1,  2, 1, 1, 1, 1, 1, 1};

    for (unsigned i = 0; i < BPORT_PARAMS; i++) {
        p->set[i] = upto(6) == 0;
        if (p->set[i])
            p->param[i] = upto(most[i] + 1);
    }
}

/* As netplan has them. */
static void any_ethernet(struct conf *c, struct conf_port *p, unsigned number)
{
    char ifname[PORT_NAME_MAX];
    struct err e;

    name(ifname, number);
    strcpy(p->spec.kind, "packet");
    p->spec.netns_fd = -1;
    p->spec.target = "";
    p->match.used = maybe();
    if (p->match.used) {
        p->id = word(c, number);
        p->match.mac_set = maybe();
        p->match.mac = any_mac();
        p->match.name = maybe() || !p->match.mac_set ? word(c, 1) : NULL;
        p->match.n_drivers = upto(3);
        p->match.driver = conf_alloc(c, 2 * sizeof(*p->match.driver));
        for (unsigned i = 0; i < p->match.n_drivers; i++)
            p->match.driver[i] = i ? "e1000*" : "null";
    } else if (strpbrk(ifname, ",\"") ||
               port_spec_parse(&p->spec, ifname, &e)) {
        snprintf(ifname, sizeof(ifname), "en%u", number);
        assert_int_equal(port_spec_parse(&p->spec, ifname, &e), 0);
    }
    if (!p->match.used)
        p->id = conf_text(c, p->spec.target);
    p->mac_set = maybe();
    p->mac = any_mac();
    p->mtu = maybe() ? 68 + upto(9000) : 0;
    p->wakeonlan = any_switch();
}

static void any_own(struct conf_port *p, unsigned number)
{
    static const char *const some[][2] = {
        {"tap:t", ""},           {"mem:m", ",csum=on,name=null"},
        {"tap:x", ",netns=a b"}, {"stream:\"unix:/run/a,b \"\"", "\"\"\""},
        {"dgram:x", ",k=\"#\""}, {"packet:p", ",bypass=on"},
    };
    unsigned i = upto(6);
    char text[128];
    struct err e;

    snprintf(text, sizeof(text), "%s%u%s", some[i][0], number, some[i][1]);
    if (i == 1)
        snprintf(text + strlen(text), 12, "%u", number);
    assert_int_equal(port_spec_parse(&p->spec, text, &e), 0);
    p->id = "";
    p->wakeonlan = CONF_UNSET;
}

static void any_bridge(struct conf *c, struct conf_bridge *b, unsigned number)
{
    static const uint32_t least[BRIDGE_PARAMS] = {0, 0, 200, 100, 600, 0,
                                                  0, 1, 2,   1,   0,   0};
    static const uint32_t most[BRIDGE_PARAMS] = {
        600000, 65535, 3000, 1000, 4000, 1, 0xffff, 1000, 2, 10, 1, 8640000};
    unsigned ethernets = upto(4);

    snprintf(b->name, sizeof(b->name), "%s%u", maybe() ? "no" : "br", number);
    b->local = !maybe();
    b->renderer = maybe() ? "networkd" : NULL;
    for (unsigned i = 0; i < BRIDGE_PARAMS; i++) {
        b->set[i] = maybe();
        if (b->set[i])
            b->param[i] = least[i] + upto(most[i] - least[i] + 1);
    }
    if (!b->set[BRIDGE_STP])
        b->param[BRIDGE_STP] =
            1; /* netplan's default, which it is printed as */
    b->set[BRIDGE_STP] = true;
    b->set[BRIDGE_FORCE_VERSION] = maybe();
    b->param[BRIDGE_FORCE_VERSION] = maybe() ? 2 : 0;
    b->n_ports = ethernets + upto(4);
    b->port = conf_alloc(c, 8 * sizeof(*b->port));
    for (unsigned i = 0; i < b->n_ports; i++) {
        struct conf_port *p = &b->port[i];

        if (i < ethernets)
            any_ethernet(c, p, number * 100 + i);
        else
            any_own(p, number * 100 + i);
        any_port_params(p);
    }
    conf_l3_init(&b->l3);
    if (b->local)
        any_l3(c, &b->l3);
}

static void random_ones(void **state)
{
    const char *given = getenv("SEED");

    (void)state;
    seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    printf("SEED=%u\n", seed);
    for (int i = 0; i < 1500; i++) {
        struct conf *c = conf_new();

        c->n_bridges = upto(4);
        c->renderer = maybe() ? "NetworkManager" : NULL;
        c->bridge = conf_alloc(c, 4 * sizeof(*c->bridge));
        for (unsigned b = 0; b < c->n_bridges; b++)
            any_bridge(c, &c->bridge[b], b);
        same_again(c);
        conf_free(c);
    }
}

/* ---- comparing sees every difference ---- */

/* How a bridge is adopted is a difference, too. */
static void adopted(void **state)
{
    static const char *const how[] = {"yes", "disable", "no"};
    struct conf *c[3];
    char text[80];
    struct err e = {""};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(text, sizeof(text), "bascule: {bridges: {br0: {adopt: %s}}}",
                 how[i]);
        if (conf_load_text(&c[i], text, strlen(text), &e))
            fail_msg("%s", e.text);
        assert_int_equal(c[i]->bridge[0].adopt, (i + 1) % 3);
        same_again(c[i]);
    }
    assert_false(conf_equal(c[0], c[1]) || conf_equal(c[0], c[2]));
    for (unsigned i = 0; i < 3; i++)
        conf_free(c[i]);
}

static void differences(void **state)
{
    static const char *const change[][2] = {
        {"mtu: 9000", "mtu: 9001"},
        {"e1000*", "e1001*"},
        {"3c:59", "3c:60"},
        {"3C:58", "3C:57"},
        {"wakeonlan: true", "wakeonlan: false"},
        {"hairpin: true", "hairpin: false"},
        {"vnet*", "vnet?"},
        {"[ens40]", "[ens49]"},
        {"renderer: NetworkManager", "renderer: networkd"},
        {"priority: 4096", "priority: 4097"},
        {"        stp: false\n", ""},
        {"uplink: 4", "uplink: 5"},
        {"192.168.14.2/24", "192.168.14.2/25"},
        {"2001:db8:1::1", "2001:db8:1::2"},
        {"lifetime: 0", "lifetime: forever"},
        {"br0:maas", "br0:mass"},
        {"metric: 100", "metric: 101"},
        {"on-link: true", "on-link: false"},
        {"advertised-mss: 1400", "advertised-mss: 1401"},
        {"scope: link", "scope: host"},
        {"table: 76", "table: 77"},
        {"from: 192.168.14.2", "from: 192.168.14.3"},
        {"type: unreachable", "type: prohibit"},
        {"congestion-window: 10", "congestion-window: 11"},
        {"window: 20", "window: 21"},
        {"home.example", "home.examples"},
        {"8.8.8.8", "8.8.4.4"},
        {"dhcp6: ON", "dhcp6: OFF"},
        {"dhcp-identifier: mac", "dhcp-identifier: duid"},
        {"use-dns: no", "use-dns: yes"},
        {"hostname: switch", "hostname: hub"},
        {"route-metric: 700", "route-metric: 701"},
        {"use-domains: route", "use-domains: yes"},
        {"use-domains: true", "use-domains: false"},
        {"accept-ra: yes", "accept-ra: no"},
        {"ipv6-privacy: true", "ipv6-privacy: no"},
        {"ipv6-mtu: 1400", "ipv6-mtu: 1401"},
        {"[ipv4]", "[ipv6]"},
        {"00:00:01", "00:00:02"},
        {"mtu: 1500", "mtu: 1501"},
        {"optional: true\n      ignore", "optional: no\n      ignore"},
        {"ignore-carrier: true", "ignore-carrier: no"},
        {"activation-mode: manual", "activation-mode: off"},
        {"br1:", "br9:"},
        {"gateway4: 172.16.0.1", "gateway4: 172.16.0.2"},
    };
    static char text[8192], other[8192];
    FILE *f = fopen("tests/config/netplan.yaml", "r");
    struct conf *a, *b;
    struct err e = {""};

    (void)state;
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_int_equal(conf_load_text(&a, text, strlen(text), &e), 0);
    for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
        const char *at = strstr(text, change[i][0]);

        if (!at)
            fail_msg("the fixture has no %s", change[i][0]);
        snprintf(other, sizeof(other), "%.*s%s%s", (int)(at - text), text,
                 change[i][1], at + strlen(change[i][0]));
        if (conf_load_text(&b, other, strlen(other), &e))
            fail_msg("%s: %s", change[i][1], e.text);
        if (conf_equal(a, b))
            fail_msg("%s and %s: equal", change[i][0], change[i][1]);
        same_again(b);
        conf_free(b);
    }
    assert_true(conf_equal(a, a));
    conf_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures), cmocka_unit_test(lab),
        cmocka_unit_test(empty),    cmocka_unit_test(quoting),
        cmocka_unit_test(order),    cmocka_unit_test(random_ones),
        cmocka_unit_test(adopted),  cmocka_unit_test(differences),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
