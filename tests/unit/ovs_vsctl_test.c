/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ovs-vsctl without a daemon: every command line that libvirt 9.0 issues, the
 * grammar, and what is refused.  Commands run on a picture made up here.
 */
#include "ctl/client/ovs_vsctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORTS                                                                  \
    "[{\"name\":\"br0\",\"bridge\":\"br0\",\"no\":0,\"kind\":\"tap\","         \
    "\"labels\":{}},"                                                          \
    "{\"name\":\"vnet0\",\"bridge\":\"br0\",\"no\":1,\"kind\":\"packet\","     \
    "\"spec\":\"vnet0\",\"link\":true,\"mtu\":1500,\"isolated\":false,"        \
    "\"mac\":\"fe:54:00:00:00:01\",\"rx_frames\":3,\"rx_bytes\":200,"          \
    "\"tx_frames\":5,\"tx_bytes\":400,"                                        \
    "\"reasons\":{\"flooded\":2,\"tx-down\":4,\"tx-error\":1},"                \
    "\"labels\":{\"vm-id\":\"0-1\",\"iface-status\":\"active\"}},"             \
    "{\"name\":\"mem0\",\"bridge\":\"br1\",\"no\":1,\"kind\":\"mem\","         \
    "\"failed\":true,\"why\":\"as told\",\"labels\":{}}]"
/* A guest that Bascule has launched. */
#define GUESTS                                                                 \
    "[{\"name\":\"web\",\"bridge\":\"br0\",\"no\":2,\"kind\":\"packet\","      \
    "\"spec\":\"web\",\"guest\":\"web\",\"labels\":{}},"                       \
    "{\"name\":\"web-2\",\"bridge\":\"br0\",\"no\":3,\"kind\":\"packet\","     \
    "\"spec\":\"web-2\",\"guest\":\"web\",\"labels\":{}},"                     \
    "{\"name\":\"st\",\"bridge\":\"br0\",\"no\":4,\"kind\":\"stream\","        \
    "\"spec\":\"stream:/s\",\"guest\":\"st\",\"labels\":{}}]"
#define BRIDGES                                                                \
    "[{\"name\":\"br0\",\"stp_state\":false},{\"name\":\"br1\","               \
    "\"stp_state\":false}]"

#define WORDS_MAX 64

struct run {
    struct ovs_line line;
    struct ovs o;
    struct err e;
    char *words[WORDS_MAX];
    char *text, *out;
    size_t n;
    int rc;
};

/* Splits at blanks; quotes are octets like others, as exec passes them. */
static int split(struct run *r, const char *text)
{
    int argc = 0;

    r->text = strdup(text);
    for (char *at = r->text, *w; (w = strtok_r(at, " ", &at)) != NULL;) {
        assert_true(argc < WORDS_MAX - 1);
        r->words[argc++] = w;
    }
    r->words[argc] = NULL;
    return argc;
}

static void parse(struct run *r, const char *text)
{
    memset(r, 0, sizeof(*r));
    r->rc = ovs_parse(&r->line, split(r, text), r->words, &r->e);
}

static void run(struct run *r, const char *text, const char *ports)
{
    FILE *f;

    parse(r, text);
    if (r->rc < 0)
        return;
    r->o.bridges = json_loads(BRIDGES, 0, NULL);
    r->o.ports = json_loads(ports, 0, NULL);
    f = open_memstream(&r->out, &r->n);
    r->rc = ovs_run(&r->o, &r->line, f);
    fclose(f);
    r->e = r->rc < 0 ? r->o.err : r->e;
}

static void run_end(struct run *r)
{
    ovs_free(&r->o);
    free(r->text);
    free(r->out);
}

/* Succeeds, prints that, and would take so many steps. */
static void says(const char *text, const char *want, unsigned steps)
{
    struct run r;

    run(&r, text, PORTS);
    if (r.rc != 0)
        fail_msg("%s: %s", text, r.e.text);
    if (strcmp(r.out, want) != 0)
        fail_msg("%s: printed %s", text, r.out);
    assert_int_equal(r.o.n, steps);
    run_end(&r);
}

/* Fails with a sentence that has that in it. */
static void fails(const char *text, const char *part)
{
    struct run r;

    run(&r, text, PORTS);
    if (r.rc == 0)
        fail_msg("%s: succeeded", text);
    if (!strstr(r.e.text, part))
        fail_msg("%s: said %s", text, r.e.text);
    run_end(&r);
}

static void a_guests_port_stays(void **state)
{
    struct run r;

    (void)state;
    run(&r, "ovs-vsctl -- --if-exists del-port web", GUESTS);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.o.n, 0);
    assert_string_equal(r.o.note.text,
                        "port web stays: it is guest web's, which runs");
    run_end(&r);
    run(&r, "ovs-vsctl del-port br0 web", GUESTS);
    assert_int_equal(r.rc, -1);
    assert_non_null(strstr(r.e.text, "guest web's, which runs, and leaves"));
    run_end(&r);
    run(&r, "ovs-vsctl -- --may-exist add-port br0 web", GUESTS);
    assert_int_equal(r.rc, -1);
    assert_non_null(strstr(r.e.text, "guest web's, which runs: choose"));
    run_end(&r);
    /* nor does it go with its bridge */
    run(&r, "ovs-vsctl -- --if-exists del-br br0", GUESTS);
    assert_int_equal(r.rc, -1);
    assert_int_equal(r.o.n, 0);
    assert_string_equal(r.e.text,
                        "bridge br0 has ports of guests that run, which leave "
                        "with them (bascule guest kill): web, st");
    run_end(&r);
    run(&r, "ovs-vsctl del-br br1", GUESTS);
    assert_int_equal(r.rc, 0);
    run_end(&r);
}

/* ---- libvirt's ---- */

#define V    "ovs-vsctl --timeout=5 "
#define UUID "01fa6ba9-6c3b-4147-a066-2c58a2d1e975"

/* As libvirt says it: a command for each of them. */
static void add_with_ids(char *text, size_t n, const char *port,
                         const char *const *id)
{
    snprintf(text, n, V "-- --may-exist add-port br0 %s", port);
    for (; *id; id++)
        snprintf(text + strlen(text), n - strlen(text),
                 " -- set Interface %s external-ids:%s", port, *id);
}

static const char *const ids[] = {"attached-mac=\"52:54:00:aa:00:01\"",
                                  "iface-id=\"" UUID "\"",
                                  "vm-id=\"" UUID "\"",
                                  "port-profile=\"web\"",
                                  "ifname=\"vnet1\"",
                                  "iface-status=active",
                                  NULL};

static void libvirt_adds_a_port(void **state)
{
    struct run r;
    const json_t *p;
    char text[1000];

    (void)state;
    add_with_ids(text, sizeof(text), "vnet1", ids);
    run(&r, text, PORTS);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.line.timeout, 5);
    assert_int_equal(r.line.n, 7);
    assert_int_equal(r.line.command[0].options, OVS_MAY_EXIST);
    /* one step for the port, one for all its labels */
    assert_int_equal(r.o.n, 2);
    assert_int_equal(r.o.step[0].kind, OVS_ADD_PORT);
    assert_int_equal(r.o.step[1].kind, OVS_SET_LABELS);
    p = ovs_find_port(&r.o, "vnet1");
    assert_string_equal(str(p, "spec"), "vnet1");
    p = json_object_get(p, "labels");
    assert_int_equal(json_object_size(p), 6);
    assert_string_equal(str(p, "attached-mac"), "52:54:00:aa:00:01");
    assert_string_equal(str(p, "port-profile"), "web");
    run_end(&r);
    /* after libvirtd's restart */
    add_with_ids(text, sizeof(text), "vnet0", ids + 5);
    says(text, "", 1);
    fails(V "-- --may-exist add-port br1 vnet0", "bridge br0, not in br1");
    fails(V "-- --may-exist add-port br7 vnet1", "no bridge named br7");
}

static void libvirt_removes_a_port(void **state)
{
    (void)state;
    says(V "-- --if-exists del-port vnet0", "", 1);
    says(V "-- --if-exists del-port vnet9", "", 0);
}

static void libvirt_has_vlans(void **state)
{
    (void)state;
    fails(V "-- --may-exist add-port br0 vnet1 tag=5", "no VLAN filtering");
    fails(V "-- --may-exist add-port br0 vnet1 trunk=5,6", "no VLAN filtering");
    fails(V "-- --may-exist add-port br0 vnet1 vlan_mode=native-tagged tag=5 "
            "trunk=5,6",
          "no VLAN filtering");
    says(V "-- --if-exists clear Port vnet0 tag -- --if-exists clear Port "
           "vnet0 trunk -- --if-exists clear Port vnet0 vlan_mode",
         "", 0);
    fails(V "-- --if-exists clear Port vnet0 tag -- --if-exists clear Port "
            "vnet0 trunk -- --if-exists clear Port vnet0 vlan_mode -- "
            "--if-exists set Port vnet0 tag=7",
          "no VLAN filtering");
}

static void libvirt_asks(void **state)
{
    (void)state;
    says(V "--if-exists --format=list --data=json --no-headings "
           "--columns=statistics list Interface vnet0",
         "[\"map\",[[\"rx_bytes\",200],[\"rx_dropped\",0],[\"rx_packets\",3],"
         "[\"tx_bytes\",400],[\"tx_dropped\",5],[\"tx_packets\",5]]]\n",
         0);
    says(V "--if-exists --format=list --data=json --no-headings "
           "--columns=statistics list Interface vnet9",
         "", 0);
    says(V "iface-to-br vnet0", "br0\n", 0);
    fails(V "iface-to-br vnet9", "no port named vnet9");
    says(V "get Interface vnet0 name", "vnet0\n", 0);
    fails(V "get Interface vhost9 name", "no record \"vhost9\"");
    says(V "--no-headings --columns=name find Interface "
           "options:vhost-server-path=/run/vh.sock",
         "", 0);
}

static void libvirt_migrates(void **state)
{
    (void)state;
    says(V "--if-exists get Interface vnet0 external_ids:PortData", "\n", 0);
    says(V "--if-exists get Interface vnet9 external_ids:PortData", "", 0);
    fails(V "get Interface vnet0 external_ids:PortData", "no key PortData");
    says(V "set Interface vnet0 external_ids:PortData=a=b\\,{c} -- get "
           "Interface vnet0 external_ids:PortData",
         "\"a=b\\\\,{c}\"\n", 1);
}

static void libvirt_limits_rates(void **state)
{
    (void)state;
    says(V "--no-heading --columns=_uuid find queue external-ids:vm-id=\"" UUID
           "\" external-ids:ifname=\"vnet0\"",
         "", 0);
    says(V "--no-heading --columns=_uuid find qos external-ids:vm-id=\"" UUID
           "\" external-ids:ifname=\"vnet0\"",
         "", 0);
    says(V "set Interface vnet0 ingress_policing_rate=0 "
           "ingress_policing_burst=0",
         "", 0);
    fails(V "set Interface vnet0 ingress_policing_rate=8000 "
            "ingress_policing_burst=800",
          "limits no rates");
    fails(V "set port vnet0 qos=@qos1 external-ids:vm-id=\"" UUID
            "\" external-ids:ifname=\"vnet0\" -- --id=@qos1 create qos "
            "type=linux-htb other_config:min-rate=8000 queues:0=@queue0 -- "
            "--id=@queue0 create queue other_config:min-rate=8000",
          "limits no rates");
    fails(V "destroy qos " UUID, "only bridges and ports");
}

/* ---- people's ---- */

static void bridges_and_ports(void **state)
{
    (void)state;
    says("ovs-vsctl list-br", "br0\nbr1\n", 0);
    says("ovs-vsctl add-br br2 -- list-br", "br0\nbr1\nbr2\n", 1);
    says("ovs-vsctl --may-exist add-br br1", "", 0);
    fails("ovs-vsctl add-br br1", "already");
    fails("ovs-vsctl add-br br2 br0 7", "VLAN");
    says("ovs-vsctl del-br br0 -- list-br", "br1\n", 1);
    says("ovs-vsctl --if-exists del-br br9", "", 0);
    fails("ovs-vsctl del-br br9", "no bridge named br9");
    says("ovs-vsctl list-ports br0 -- list-ifaces br1 -- port-to-br mem0",
         "vnet0\nmem0\nbr1\n", 0);
    says("ovs-vsctl --oneline list-br -- br-to-vlan br0", "br0\\nbr1\n0\n", 0);
    fails("ovs-vsctl add-port br0 vnet0", "already, in bridge br0");
    fails("ovs-vsctl add-port br0 tap:x", "bascule addif");
    fails("ovs-vsctl del-port br1 vnet0", "bridge br0, not in br1");
    fails("ovs-vsctl del-port br0", "the bridge's own");
    /* a port changes bridges */
    says("ovs-vsctl del-port vnet0 -- add-port br1 vnet0 -- list-ports br1",
         "mem0\nvnet0\n", 2);
    says("ovs-vsctl show",
         "    Bridge br0\n        Port br0\n            Interface br0\n"
         "                type: internal\n        Port vnet0\n"
         "            Interface vnet0\n    Bridge br1\n        Port mem0\n"
         "            Interface mem0\n                type: mem\n"
         "                error: \"as told\"\n",
         0);
}

static void br_exists_is_2(void **state)
{
    struct run r;

    (void)state;
    run(&r, "ovs-vsctl br-exists br9 -- add-br br9", PORTS);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.o.status, 2);
    assert_int_equal(r.o.n, 0);
    run_end(&r);
    says("ovs-vsctl br-exists br0", "", 0);
}

static void internal_ports_are_taps(void **state)
{
    struct run r;

    (void)state;
    run(&r, "ovs-vsctl add-port br0 p0 -- set interface p0 type=internal",
        PORTS);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.o.n, 1);
    assert_string_equal(str(r.o.step[0].record, "spec"), "tap:p0");
    run_end(&r);
    says("ovs-vsctl set interface vnet0 type=system", "", 0);
    fails("ovs-vsctl set interface vnet0 type=internal", "no such interface");
    fails("ovs-vsctl add-port br0 p0 -- set interface p0 type=vxlan",
          "type=vxlan");
}

static void records(void **state)
{
    (void)state;
    says("ovs-vsctl get port vnet0 tag trunks protected qos",
         "[]\n[]\nfalse\n[]\n", 0);
    says("ovs-vsctl get interf vnet0 external-ids mac_in_use link_state",
         "{iface-status=active, vm-id=\"0-1\"}\n\"fe:54:00:00:00:01\"\nup\n",
         0);
    says("ovs-vsctl get Interface mem0 error type", "\"as told\"\nmem\n", 0);
    says("ovs-vsctl --bare --columns=name,ports list Bridge br0",
         "br0\nbr0 vnet0\n", 0);
    says("ovs-vsctl --columns=name find Interface type=mem external_ids={}",
         "name                : mem0\n", 0);
    says("ovs-vsctl --bare --columns=name find interface "
         "external_ids:vm-id=0-1",
         "vnet0\n", 0);
    says("ovs-vsctl --bare --columns=name find port name!=vnet0",
         "br0\n\nmem0\n", 0);
    says("ovs-vsctl -f csv --columns=name,external_ids list Port vnet0",
         "name,external_ids\n"
         "vnet0,\"{iface-status=active, vm-id=\"\"0-1\"\"}\"\n",
         0);
    says("ovs-vsctl -f json --columns=name list Bridge br1",
         "{\"data\":[[\"br1\"]],\"headings\":[\"name\"]}\n", 0);
    fails("ovs-vsctl list Flow_Table", "no table Flow_Table");
    fails("ovs-vsctl list Q", "may be");
    fails("ovs-vsctl get Port vnet0 nothing", "no column nothing");
    fails("ovs-vsctl get Port vnet0 t", "may be");
    fails("ovs-vsctl find Port nothing=1", "no column nothing");
}

static void labels_change(void **state)
{
    (void)state;
    says("ovs-vsctl set Port vnet0 external_ids={a=b,\"c,d\"=e} -- get Port "
         "vnet0 external_ids",
         "{a=b, \"c,d\"=e}\n", 1);
    says("ovs-vsctl add Port vnet0 external_ids a=b,vm-id=2 -- get Port vnet0 "
         "external_ids",
         "{a=b, iface-status=active, vm-id=\"0-1\"}\n", 1);
    says("ovs-vsctl remove Port vnet0 external_ids vm-id iface-status=down -- "
         "get Port vnet0 external_ids",
         "{iface-status=active}\n", 1);
    says("ovs-vsctl clear Interface vnet0 external_ids -- get Port vnet0 "
         "external_ids",
         "{}\n", 1);
    says("ovs-vsctl set Port vnet0 external_ids=x=1 protected=true -- get Port "
         "vnet0 external_ids protected",
         "{x=\"1\"}\ntrue\n", 2);
    fails("ovs-vsctl set Port vnet0 external_ids=x", "KEY=VALUE");
    fails("ovs-vsctl set Port vnet0 external_ids={x=1", "KEY=VALUE");
    fails("ovs-vsctl set Port vnet0 external_ids:a=\"b", "quotes");
    fails("ovs-vsctl set Port vnet0 external_ids", "COLUMN[:KEY]=VALUE");
    fails("ovs-vsctl set Port vnet0 protected=maybe", "true or false");
    fails("ovs-vsctl set Bridge br0 external_ids:a=b", "not of bridges");
    fails("ovs-vsctl set Bridge br0 fail_mode=secure", "no OpenFlow");
    fails("ovs-vsctl set Interface vnet0 mtu_request=9000",
          "ip link set dev DEV");
    fails("ovs-vsctl add Port vnet0 tag 5=5", "no VLAN filtering");
    fails("ovs-vsctl clear Port vnet0 name", "cannot be cleared");
    says("ovs-vsctl set Bridge br0 stp_enable=true", "", 1);
}

static void grammar(void **state)
{
    (void)state;
    fails("ovs-vsctl", "which command");
    fails("ovs-vsctl --", "which command");
    fails("ovs-vsctl frob", "no command frob");
    fails("ovs-vsctl set-controller br0 tcp:127.0.0.1", "no OpenFlow");
    fails("ovs-vsctl set-fail-mode br0 secure", "no OpenFlow");
    fails("ovs-vsctl add-bond br0 b0 a b", "no bonds");
    fails("ovs-vsctl list-br br0", "too many");
    fails("ovs-vsctl add-port br0", "too few");
    fails("ovs-vsctl --may-exist list-br", "no option --may-exist");
    fails("ovs-vsctl --nonsense list-br", "no option --nonsense");
    fails("ovs-vsctl --no list-br", "may be");
    fails("ovs-vsctl --timeout list-br", "a number of seconds");
    fails("ovs-vsctl --timeout=-1 list-br", "a number of seconds");
    fails("ovs-vsctl list-br -- --timeout=1 list-br", "before the first");
    fails("ovs-vsctl list-br -- --may-exist", "without a command");
    fails("ovs-vsctl --bare=1 list-br", "takes no value");
    fails("ovs-vsctl --db=tcp:127.0.0.1:6640 list-br", "unix:PATH");
    fails("ovs-vsctl -f table list-br", "list, csv and json");
    fails("ovs-vsctl -x list-br", "no option -x");
    says("ovs-vsctl -t 3 -vconsole:off --no-wait --log-file -- -- list-br",
         "br0\nbr1\n", 0);
    says("ovs-vsctl -t3 --dry-run list-br --", "br0\nbr1\n", 0);
}

static void socket_and_help(void **state)
{
    struct run r;

    (void)state;
    parse(&r, "ovs-vsctl --db=unix:/run/x.sock --dry-run list-br");
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.line.socket, "/run/x.sock");
    assert_true(r.line.dry_run);
    run_end(&r);
    parse(&r, "ovs-vsctl --version");
    assert_int_equal(r.rc, 0);
    assert_true(r.line.version);
    run_end(&r);
}

/* No number of words or commands does harm. */
static void too_many(void **state)
{
    struct run r;
    char *argv[200];
    int n = 0;

    (void)state;
    memset(&r, 0, sizeof(r));
    argv[n++] = strdup("ovs-vsctl");
    for (int i = 0; i < OVS_COMMANDS_MAX + 1; i++) {
        argv[n++] = strdup("list-br");
        argv[n++] = strdup("--");
    }
    assert_true(ovs_parse(&r.line, n, argv, &r.e) < 0);
    assert_non_null(strstr(r.e.text, "at most"));
    while (n > 0)
        free(argv[--n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libvirt_adds_a_port),
        cmocka_unit_test(libvirt_removes_a_port),
        cmocka_unit_test(a_guests_port_stays),
        cmocka_unit_test(libvirt_has_vlans),
        cmocka_unit_test(libvirt_asks),
        cmocka_unit_test(libvirt_migrates),
        cmocka_unit_test(libvirt_limits_rates),
        cmocka_unit_test(bridges_and_ports),
        cmocka_unit_test(br_exists_is_2),
        cmocka_unit_test(internal_ports_are_taps),
        cmocka_unit_test(records),
        cmocka_unit_test(labels_change),
        cmocka_unit_test(grammar),
        cmocka_unit_test(socket_and_help),
        cmocka_unit_test(too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
