/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What configurations say.
 */
#include "ctl/config/load.h"
#include "ctl/table.h"
#include "tests/lib/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- helpers ---- */

static struct conf *load(const char *text)
{
    struct conf *c = NULL;
    struct err e = {""};
    int rc = conf_load_text(&c, text, strlen(text), &e);

    if (rc)
        fail_msg("%s\n%s", e.text, text);
    assert_non_null(c);
    return c;
}

static struct conf *load_file(const char *name)
{
    struct conf *c = NULL;
    struct err e = {""};

    if (conf_load(&c, name, conf_open_file, NULL, &e))
        fail_msg("%s", e.text);
    return c;
}

static bool noted(const struct conf *c, const char *words)
{
    for (const struct conf_notice *n = c->notice; n; n = n->next)
        if (strstr(n->text, words))
            return true;
    return false;
}

static struct in_addr v4(const char *text)
{
    struct in_addr a;

    assert_int_equal(inet_pton(AF_INET, text, &a), 1);
    return a;
}

/* ---- what is obeyed ---- */

static void lab(void **state)
{
    struct conf *c = load_file("tests/config/lab.yaml");
    const struct conf_bridge *b = c->bridge;
    const struct conf_l3 *l = &b->l3;

    (void)state;
    assert_int_equal(c->n_bridges, 1);
    assert_string_equal(c->renderer, "networkd");
    assert_string_equal(b->name, "br0");
    assert_true(b->local);
    assert_true(b->set[BRIDGE_STP]);
    assert_int_equal(b->param[BRIDGE_STP], 0);
    assert_true(b->set[BRIDGE_FORWARD_DELAY]);
    assert_int_equal(b->n_ports, 1);
    assert_string_equal(b->port->spec.kind, "packet");
    assert_string_equal(b->port->spec.target, "ens33");
    assert_string_equal(b->port->spec.name, "ens33");
    assert_string_equal(b->port->id, "ens33");
    assert_int_equal(b->port->spec.netns_fd, -1);
    assert_int_equal(l->n_addrs, 1);
    assert_int_equal(l->addr->prefix, 24);
    assert_int_equal(l->addr->a.v4.s_addr, v4("192.168.7.10").s_addr);
    assert_int_equal(l->n_routes, 1);
    assert_int_equal(l->route->to.family, AF_INET);
    assert_int_equal(l->route->to.prefix, 0);
    assert_int_equal(l->route->via.a.v4.s_addr, v4("192.168.7.2").s_addr);
    assert_true(l->route->on_link);
    assert_int_equal(l->n_dns, 2);
    assert_string_equal(l->search[0], "lab.example");
    assert_int_equal(l->dhcp4, CONF_OFF);
    assert_int_equal(l->dhcp6, CONF_UNSET);
    assert_int_equal(l->over4.use_dns, CONF_OFF);
    assert_true(l->over4.has_metric && l->over4.metric == 100);
    assert_int_equal(l->over6.pos.line, 0);
    assert_null(c->notice);
    conf_free(c);
}

static void uplink(const struct conf_port *p)
{
    struct mac m;

    assert_true(p->match.used && p->match.mac_set);
    assert_true(mac_parse("52:54:00:6b:3c:58", &m));
    assert_true(mac_equal(&m, &p->match.mac));
    assert_string_equal(p->match.name, "ens33"); /* set-name */
    assert_int_equal(p->match.n_drivers, 2);
    assert_string_equal(p->match.driver[1], "e1000*");
    assert_string_equal(p->spec.target, "");
    assert_string_equal(p->spec.kind, "packet");
    assert_string_equal(p->id, "uplink");
    assert_true(p->mac_set);
    assert_int_equal(p->mac.octet[5], 0x59);
    assert_int_equal(p->mtu, 9000);
    assert_int_equal(p->wakeonlan, CONF_ON);
    assert_true(p->set[BPORT_HAIRPIN] && p->param[BPORT_HAIRPIN] == 1);
    assert_true(p->set[BPORT_LEARNING] && p->param[BPORT_LEARNING] == 0);
    assert_int_equal(p->param[BPORT_PATH_COST], 4);
    assert_true(p->set[BPORT_PRIORITY] && p->param[BPORT_PRIORITY] == 0);
    assert_false(p->set[BPORT_FLOOD]);
}

static void routes(const struct conf_route *rt)
{
    assert_int_equal(rt[0].metric, 100);
    assert_int_equal(rt[0].advmss, 1400);
    assert_int_equal(rt[1].to.family, AF_INET6);
    assert_int_equal(rt[2].table, 76);
    assert_true(rt[2].has_scope);
    assert_int_equal(rt[2].scope, RT_SCOPE_LINK);
    assert_int_equal(rt[2].from.family, AF_INET);
    assert_int_equal(rt[2].via.family, 0);
    assert_int_equal(rt[3].type, CONF_ROUTE_UNREACHABLE);
    assert_int_equal(rt[3].mtu, 1400);
    assert_int_equal(rt[4].to.prefix, 32);
    assert_int_equal(rt[4].congestion_window, 10);
    assert_int_equal(rt[4].advertised_receive_window, 20);
}

static void interface(const struct conf_l3 *l)
{
    assert_int_equal(l->n_addrs, 4);
    assert_string_equal(l->addr[2].label, "br0:maas");
    assert_true(l->addr[2].deprecated);
    assert_false(l->addr[3].deprecated);
    assert_int_equal(l->addr[1].family, AF_INET6);
    assert_int_equal(l->n_search, 3);
    assert_int_equal(l->dns[1].family, AF_INET6);
    assert_string_equal(l->dhcp_identifier, "mac");
    assert_int_equal(l->over4.send_hostname, CONF_ON);
    assert_int_equal(l->over4.use_mtu, CONF_ON);
    assert_int_equal(l->over4.use_ntp, CONF_OFF);
    assert_int_equal(l->over4.use_hostname, CONF_OFF);
    assert_int_equal(l->over4.use_routes, CONF_OFF);
    assert_int_equal((int)l->over4.use_domains, CONF_ON + 1);
    assert_int_equal(l->over6.use_domains, CONF_ON);
    assert_string_equal(l->over4.hostname, "switch");
    assert_int_equal(l->accept_ra, CONF_ON);
    assert_int_equal(l->ipv6_privacy, CONF_ON);
    assert_int_equal(l->ipv6_mtu, 1400);
    assert_true(l->link_local4 && !l->link_local6);
    assert_true(l->mac_set && l->mac.octet[5] == 1);
    assert_int_equal(l->mtu, 1500);
    assert_int_equal(l->optional, CONF_ON);
    assert_int_equal(l->ignore_carrier, CONF_ON);
    assert_true(l->activation_manual && !l->activation_off);
    routes(l->route);
}

static void everything(void **state)
{
    struct conf *c = load_file("tests/config/netplan.yaml");
    const struct conf_bridge *b = c->bridge;

    (void)state;
    assert_int_equal(c->n_bridges, 3);
    assert_string_equal(c->renderer, "NetworkManager");
    assert_string_equal(b->renderer, "networkd");
    assert_int_equal(b->n_ports, 4);
    uplink(&b->port[0]);
    assert_string_equal(b->port[1].match.name, "vnet*");
    assert_string_equal(b->port[2].spec.target, "ens41");
    assert_string_equal(b->port[3].spec.target, "vlan7");
    interface(&b->l3);
    assert_int_equal(b->param[BRIDGE_PRIORITY], 4096);
    assert_int_equal(b->param[BRIDGE_AGEING], 30000);
    assert_int_equal(b->param[BRIDGE_HELLO], 150);
    assert_int_equal(b->param[BRIDGE_MAX_AGE], 2000);
    assert_int_equal(b[2].port->param[BPORT_PATH_COST], 7);
    assert_int_equal(b[2].port->param[BPORT_PRIORITY], 8);
    assert_int_equal(b[2].l3.n_routes, 2);
    assert_int_equal(b[2].l3.route[1].to.family, AF_INET6);
    assert_true(b[1].set[BRIDGE_STP] && b[1].param[BRIDGE_STP] == 1);
    assert_true(noted(c, "unused0"));
    assert_true(noted(c, "wifis: left alone"));
    assert_true(noted(c, "98:7: gateway4 is deprecated"));
    assert_true(noted(c, "ens41 is not under ethernets:"));
    assert_true(noted(c, "a second default route"));
    conf_free(c);
}

static void own(void **state)
{
    struct conf *c = load_file("tests/config/own.yaml");
    const struct conf_bridge *b = c->bridge;

    (void)state;
    assert_int_equal(c->n_bridges, 3);
    assert_string_equal(b[0].name, "br0");
    assert_int_equal(b[0].n_ports, 3);
    assert_string_equal(b[0].port[0].spec.name, "ens33");
    assert_true(b[0].port[0].set[BPORT_PATH_COST]);
    assert_int_equal(b[0].port[0].param[BPORT_FWD_MASK], 0x4000);
    assert_string_equal(b[0].port[1].spec.kind, "tap");
    assert_string_equal(b[0].port[1].id, "");
    assert_string_equal(b[0].port[2].spec.netns, "lab-web");
    assert_int_equal(b[0].port[2].param[BPORT_ISOLATED], 1);
    assert_int_equal(b[0].param[BRIDGE_FWD_MASK], 0xc000);
    assert_int_equal(b[0].param[BRIDGE_FDB_LIMIT], 65536);
    assert_string_equal(b[1].name, "br7");
    assert_int_equal(b[1].l3.dhcp4, CONF_ON);
    assert_int_equal(b[1].param[BRIDGE_PRIORITY], 7);
    assert_string_equal(b[1].renderer, "networkd");
    assert_int_equal(b[1].param[BRIDGE_STP], 1);
    assert_false(b[2].local);
    assert_true(b[2].set[BRIDGE_STP] && b[2].param[BRIDGE_STP] == 0);
    assert_int_equal(b[2].param[BRIDGE_FORWARD_DELAY], 250);
    assert_string_equal(b[2].port[1].spec.name, ""); /* numbered later */
    assert_string_equal(b[2].port[1].spec.target, "unix:/run/a \"b\"");
    assert_string_equal(b[2].port[2].id, "ens50");
    assert_string_equal(b[0].port[1].pos.file, "tests/config/own.yaml");
    assert_int_equal(b[0].port[1].pos.line, 12);
    assert_string_equal(b[0].pos.file, "tests/config/lab.yaml");
    conf_free(c);
}

/* A bridge nobody says stp of: netplan's is on, ours is off as with addbr. */
static void stp(void **state)
{
    struct conf *c = load("bascule: {bridges: {a: {}, b: {}, c: {stp: no}}}\n"
                          "network: {bridges: {b: {}, c: {}}}\n");

    (void)state;
    assert_string_equal(c->bridge[0].name, "b"); /* network: comes first */
    for (unsigned i = 0; i < 3; i++) {
        assert_true(c->bridge[i].set[BRIDGE_STP]);
        assert_int_equal(c->bridge[i].param[BRIDGE_STP], i == 0);
    }
    conf_free(c);
}

/* What an STP bridge cannot have is made what the kernel would make of it. */
static void stp_delay(void **state)
{
    static const struct {
        const char *text;
        uint32_t cs;
        bool note;
    } t[] = {{"forward-delay: 0", 200, true},
             {"forward-delay: 31", 3000, true},
             {"forward-delay: 2", 200, false},
             {"forward-delay: 30", 3000, false},
             {"forward-delay: 0, stp: false", 0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct conf *c;
        char text[128];

        snprintf(text, sizeof(text),
                 "network: {bridges: {b: {parameters: {%s}}}}\n", t[i].text);
        c = load(text);
        assert_int_equal(c->bridge->param[BRIDGE_FORWARD_DELAY], t[i].cs);
        assert_int_equal(noted(c, "the forward delay is 2 to 30"), t[i].note);
        conf_free(c);
    }
}

static void stp_words(void **state)
{
    struct conf *c =
        load("bascule: {bridges: {a: {force-version: stp, tx-hold: 10,\n"
             "  path-cost-method: LONG, recovery: 0, ports: [\n"
             "  {spec: mem:x, p2p: no, path-cost: 200000000, bpdu-guard: on},\n"
             "  {spec: mem:y, p2p: auto, admin-edge: false, assurance: yes},\n"
             "  {spec: mem:z, p2p: true}]}}}\n");
    const struct conf_bridge *b = c->bridge;

    (void)state;
    assert_true(b->set[BRIDGE_FORCE_VERSION]);
    assert_int_equal(b->param[BRIDGE_FORCE_VERSION], 0);
    assert_int_equal(b->param[BRIDGE_TX_HOLD], 10);
    assert_int_equal(b->param[BRIDGE_LONG_COST], 1);
    assert_true(b->set[BRIDGE_RECOVERY] && !b->param[BRIDGE_RECOVERY]);
    assert_int_equal(b->port[0].param[BPORT_P2P], 0);
    assert_int_equal(b->port[0].param[BPORT_PATH_COST], 200000000);
    assert_int_equal(b->port[0].param[BPORT_BPDU_GUARD], 1);
    assert_int_equal(b->port[1].param[BPORT_P2P], 2);
    assert_true(b->port[1].set[BPORT_ADMIN_EDGE]);
    assert_int_equal(b->port[1].param[BPORT_ADMIN_EDGE], 0);
    assert_int_equal(b->port[1].param[BPORT_ASSURANCE], 1);
    assert_int_equal(b->port[2].param[BPORT_P2P], 1);
    conf_free(c);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        uint32_t cs;
    } t[] = {{"0", 0},
             {"15", 1500},
             {"1.5", 150},
             {"2.25s", 225},
             {"500ms", 50},
             {"5min", 30000},
             {"1h 30min", 540000},
             {"\"1 min 3 sec\"", 6300},
             {"10000us", 1},
             {"6000", 600000}};

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char text[128];
        struct conf *c;

        snprintf(text, sizeof(text), "bascule: {bridges: {a: {ageing: %s}}}",
                 t[i].text);
        c = load(text);
        assert_int_equal(c->bridge->param[BRIDGE_AGEING], t[i].cs);
        conf_free(c);
    }
}

/* A device that is called so already; nothing is renamed. */
static void set_name(void **state)
{
    struct conf *c =
        load("network:\n"
             "  ethernets: {up: {match: {macaddress: 02-00-00-00-00-09},\n"
             "                   set-name: ens3}}\n"
             "  bridges: {br0: {interfaces: [up]}}\n");

    (void)state;
    assert_string_equal(c->bridge->port->match.name, "ens3");
    assert_true(c->bridge->port->match.mac_set);
    conf_free(c);
}

/* The mark that some editors put before UTF-8 is no error. */
static void mark(void **state)
{
    struct conf *c = load("\xef\xbb\xbfnetwork: {version: 2}\n");

    (void)state;
    assert_int_equal(c->n_bridges, 0);
    conf_free(c);
}

static void host_bits(void **state)
{
    struct conf *c = load("network:\n  version: 2\n  bridges:\n    br0:\n"
                          "      routes: [{to: 10.1.2.3/15, via: 1.1.1.1}]\n");

    (void)state;
    assert_int_equal(c->bridge->l3.route->to.a.v4.s_addr,
                     v4("10.0.0.0").s_addr);
    assert_true(noted(c, "is read as 10.0.0.0/15"));
    conf_free(c);
}

/* ---- the switch's own names and ranges ---- */

/* Something that every parameter of its unit takes; *want: what it means. */
static const char *a_value(const struct param_name *p, uint32_t *want)
{
    switch (p->unit) {
    case UNIT_SWITCH:
        *want = 1;
        return "yes";
    case UNIT_CENTISECONDS:
        *want = 1000;
        return "10";
    case UNIT_WORD:
        *want = p->word[1].value;
        return p->word[1].text;
    default:
        *want = 10;
        return "10";
    }
}

static void own_names(void **state)
{
    struct conf *c;
    uint32_t want;
    char text[256];

    (void)state;
    for (int i = 0; bridge_param_names[i].name; i++) {
        snprintf(text, sizeof(text), "bascule: {bridges: {a: {%s: %s}}}",
                 bridge_param_names[i].name,
                 a_value(&bridge_param_names[i], &want));
        c = load(text);
        assert_true(c->bridge->set[i]);
        assert_int_equal(c->bridge->param[i], want);
        conf_free(c);
    }
    for (int i = 0; port_param_names[i].name; i++) {
        snprintf(text, sizeof(text),
                 "bascule: {bridges: {a: {ports: [{spec: mem:x, %s: %s}]}}}",
                 port_param_names[i].name,
                 a_value(&port_param_names[i], &want));
        c = load(text);
        assert_true(c->bridge->port->set[i]);
        assert_int_equal(c->bridge->port->param[i], want);
        conf_free(c);
    }
}

/* Does the configuration take it? */
static bool config_takes(bool port, const char *name, uint64_t v, bool time)
{
    struct conf *c;
    struct err e;
    char text[256], value[40];
    int rc;

    snprintf(value, sizeof(value), "%llu%s", (unsigned long long)v,
             time ? "0ms" : "");
    snprintf(text, sizeof(text), "bascule: {bridges: {a: {%s%s: %s%s}}}",
             port ? "ports: [{spec: mem:x, " : "", name, value,
             port ? "}]" : "");
    rc = conf_load_text(&c, text, strlen(text), &e);
    conf_free(c);
    return rc == 0;
}

static const uint64_t probes[] = {
    0,         1,     2,     31,     32,     63,       64,
    99,        100,   599,   600,    1000,   1001,     4000,
    4001,      65535, 65536, 600000, 600001, 1U << 30, (1U << 30) + 1,
    UINT32_MAX};

static void bridge_ranges(void **state)
{
    struct rig r;

    (void)state;
    rig_up(&r, 1);
    for (unsigned p = 0; p < BRIDGE_PARAMS; p++) {
        const struct param_name *name = &bridge_param_names[p];

        if (name->unit == UNIT_SWITCH || name->unit == UNIT_WORD)
            continue;
        for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
            bool sw = rig_bridge_set(&r, p, (uint32_t)probes[i]) == 0;

            if (config_takes(false, name->name, probes[i],
                             name->unit == UNIT_CENTISECONDS) != sw)
                fail_msg("%s %llu: the switch says %d", name->name,
                         (unsigned long long)probes[i], sw);
        }
    }
    rig_down(&r);
}

static void port_ranges(void **state)
{
    struct rig r;

    (void)state;
    rig_up(&r, 1);
    assert_int_equal(rig_add(&r, "mem:x"), 0);
    for (unsigned p = 0; p < BPORT_PARAMS; p++) {
        const struct param_name *name = &port_param_names[p];

        if (name->unit == UNIT_SWITCH || name->unit == UNIT_WORD)
            continue;
        for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
            bool sw = rig_set(&r, "x", p, (uint32_t)probes[i]) == 0;

            if (config_takes(true, name->name, probes[i], false) != sw)
                fail_msg("%s %llu: the switch says %d", name->name,
                         (unsigned long long)probes[i], sw);
        }
    }
    rig_down(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lab),         cmocka_unit_test(everything),
        cmocka_unit_test(own),         cmocka_unit_test(stp),
        cmocka_unit_test(stp_delay),   cmocka_unit_test(stp_words),
        cmocka_unit_test(times),       cmocka_unit_test(set_name),
        cmocka_unit_test(mark),        cmocka_unit_test(host_bits),
        cmocka_unit_test(own_names),   cmocka_unit_test(bridge_ranges),
        cmocka_unit_test(port_ranges),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
