/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a plan is made of: the file's wishes against what runs, both made by
 * hand, devices answered for by the test.
 */
#include "ctl/apply/plan.h"

#include "ctl/config/load.h"
#include "ctl/guest/def.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NETNS 77

static struct conf *conf;
static struct want *want;
static struct running run;
static struct owned owned;
static struct plan plan;
static struct err err;

/* The devices "eth..." are there, and this one; each has an MTU of 1500. */
static const char *device_there = "";
static int device(void *arg, int netns_fd, const char *name,
                  const struct port_spec *as, struct member *m, struct err *e)
{
    (void)arg;
    (void)netns_fd;
    (void)as;
    *m = (struct member){
        .has_mac = true, .mtu = 1500, .wakeonlan = CONF_UNSET, .up = true};
    return strncmp(name, "eth", 3) != 0 && strcmp(name, device_there) != 0
               ? err_set(e, ENODEV, "no interface %s here", name)
               : 0;
}

/* Files of the directory /no are not there; what is called "kvm..." is fast. */
static long hugepages;
static int look(void *arg, const struct guest_def *d, bool start, long others,
                char *notice, size_t n, struct err *e)
{
    (void)arg;
    snprintf(notice, n, "%s",
             start && strncmp(d->name, "kvm", 3) != 0 ? "is slow" : "");
    hugepages = others;
    return d->n_disks && strncmp(d->disk[0].path, "/no/", 4) == 0
               ? err_set(e, ENOENT, "guest %s: --disk %s", d->name,
                         d->disk[0].path)
               : 0;
}

static int up(void **state)
{
    (void)state;
    memset(&run, 0, sizeof(run));
    run.bridge = calloc(4, sizeof(*run.bridge));
    LIST_INIT(&owned);
    return run.bridge ? 0 : -1;
}

static void drop(void)
{
    plan_free(&plan);
    want_free(want);
    conf_free(conf);
    want = NULL;
    conf = NULL;
}

static int down(void **state)
{
    struct owned_bridge *b;

    (void)state;
    drop();
    while ((b = LIST_FIRST(&owned))) {
        LIST_REMOVE(b, link);
        owned_bridge_free(b);
    }
    for (unsigned i = 0; i < run.n_bridges; i++)
        free(run.bridge[i].port);
    free(run.bridge);
    running_free_guests(&run);
    return 0;
}

static struct run_bridge *running(const char *name, bool files)
{
    struct run_bridge *b = &run.bridge[run.n_bridges++];

    snprintf(b->info.name, sizeof(b->info.name), "%s", name);
    b->info.netns = NETNS;
    for (unsigned p = 0; p < BRIDGE_PARAMS; p++)
        b->info.param[p] = bridge_default((enum bridge_param)p);
    b->port = calloc(16, sizeof(*b->port));
    assert_non_null(b->port);
    if (!files)
        return b;
    b->owned = owned_bridge_new(name, NETNS, -1);
    assert_non_null(b->owned);
    LIST_INSERT_HEAD(&owned, b->owned, link);
    return b;
}

static struct run_port *has(struct run_bridge *b, const char *spec)
{
    struct run_port *p = &b->port[b->n_ports++];

    assert_int_equal(port_spec_parse(&p->spec, spec, NULL), 0);
    memcpy(p->name, p->spec.name, sizeof(p->name));
    p->netns = spec_takes(&p->spec) ? NETNS : 0;
    for (unsigned w = 0; w < BPORT_PARAMS; w++)
        p->param[w] = bport_default((enum bport_param)w, false);
    if (b->owned) {
        p->owned = owned_port_new(p->name, NETNS, -1);
        assert_non_null(p->owned);
        p->owned->record.member.wakeonlan = CONF_UNSET;
        owned_port_add(b->owned, p->owned);
    }
    return p;
}

static struct run_port *by_hand(struct run_bridge *b, const char *spec)
{
    struct owned_bridge *o = b->owned;
    struct run_port *p;

    b->owned = NULL;
    p = has(b, spec);
    b->owned = o;
    return p;
}

static bool may_guest = true;

static int make(const char *text, bool may_wait)
{
    struct want_where where = {.netns_fd = -1,
                               .netns = NETNS,
                               .owned = &owned,
                               .running = &run,
                               .may_wait = may_wait};
    struct plan_input in = {.running = &run,
                            .owned = &owned,
                            .netns = NETNS,
                            .may_wait = may_wait,
                            .may_guest = may_guest,
                            .device = device,
                            .guest = look};
    int rc;

    drop();
    if (conf_load_text(&conf, text, strlen(text), &err))
        fail_msg("%s", err.text);
    rc = want_make(&want, conf, &where, &err);
    if (rc)
        return rc;
    in.want = want;
    return plan_make(&plan, &in, &err);
}

/* The same file again, when an interface has come. */
static int make_late(void)
{
    struct plan_input in = {.want = want,
                            .running = &run,
                            .owned = &owned,
                            .netns = NETNS,
                            .may_wait = true,
                            .may_guest = true,
                            .no_guests = true,
                            .device = device,
                            .guest = look};

    plan_free(&plan);
    return plan_make(&plan, &in, &err);
}

/* The sentences of a plan, in order, each with a newline behind it. */
static const char *said(void)
{
    static char all[4096];
    size_t n = 0;

    all[0] = '\0';
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.step[i].text)
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s\n",
                                  plan.step[i].text);
    return all;
}

static bool noted(const char *words)
{
    for (unsigned i = 0; i < plan.n_notes; i++)
        if (strstr(plan.note[i], words))
            return true;
    return false;
}

#define OWN(ports)                                                             \
    "bascule:\n  bridges:\n    br0:\n      local: false\n      ports: " ports  \
    "\n"

static void from_nothing(void **state)
{
    (void)state;
    assert_int_equal(make(OWN("[mem:a, eth1]"), false), 0);
    assert_string_equal(said(), "add bridge br0\n"
                                "add port mem:a to br0\n"
                                "add port packet:eth1 to br0\n");
    assert_int_equal(make(OWN("[mem:a, none]"), false), -ENODEV);
    assert_non_null(strstr(err.text, ":5:"));
    assert_int_equal(make(OWN("[mem:a, none]"), true), 0);
    assert_int_equal(plan.n_waiting, 1);
}

static void nothing_to_do(void **state)
{
    struct run_bridge *b = running("br0", true);

    (void)state;
    has(b, "packet:eth1");
    has(b, "mem:a");
    assert_int_equal(make(OWN("[mem:a, eth1]"), false), 0);
    assert_string_equal(said(), "");
    assert_int_equal(plan.n_notes, 0);
}

static void what_no_file_named_stays(void **state)
{
    struct run_bridge *b = running("br0", true);

    (void)state;
    has(b, "mem:a");
    has(b, "mem:b");
    by_hand(b, "tap:vm1");
    running("br9", false);
    assert_int_equal(make(OWN("[mem:a]"), false), 0);
    assert_string_equal(said(), "remove port b from br0\n");
    assert_true(noted("vm1 was added by hand"));
    assert_true(noted("br9 was made by hand"));
    /* the whole bridge leaves the file */
    assert_int_equal(make("network: {version: 2}\n", false), 0);
    assert_string_equal(said(), "remove port a from br0\n"
                                "remove port b from br0\n"
                                "br0 is the configuration's no more\n");
}

static void other_namespaces_are_not_ours(void **state)
{
    struct run_bridge *b = running("br0", true);

    (void)state;
    b->info.netns = b->owned->netns = NETNS + 1;
    assert_int_equal(make("network: {version: 2}\n", false), 0);
    assert_string_equal(said(), "");
    assert_int_equal(make(OWN("[mem:a]"), false), -EEXIST);
}

static void parameters(void **state)
{
    struct run_bridge *b = running("br0", true);
    struct run_port *p = has(b, "mem:a");

    (void)state;
    b->info.param[BRIDGE_AGEING] = 150;
    b->owned->record.wrote[BRIDGE_AGEING] = true;
    b->info.param[BRIDGE_PRIORITY] = 7; /* by hand */
    p->param[BPORT_HAIRPIN] = 1;        /* by hand */
    p->param[BPORT_ISOLATED] = 1;
    p->owned->record.wrote[BPORT_ISOLATED] = true;
    assert_int_equal(make(OWN("[mem:a]"), false), 0);
    assert_string_equal(said(), "br0: ageing-time 1.5 → 300 s\n"
                                "br0: port a: isolated on → off\n");
}

/* Off first, on last, and what depends on either between them. */
static void spanning_tree(void **state)
{
    struct run_bridge *b = running("br0", true);
    struct run_port *p = has(b, "mem:a");

    (void)state;
    p->param[BPORT_PATH_COST] = 100000;
    p->owned->record.wrote[BPORT_PATH_COST] = true;
    b->info.param[BRIDGE_FORWARD_DELAY] = 0; /* by hand */
    b->info.param[BRIDGE_LONG_COST] = 1;
    b->owned->record.wrote[BRIDGE_LONG_COST] = true;
    assert_int_equal(make(OWN("[{spec: 'mem:a', admin-edge: yes}]\n"
                              "      stp: on\n      force-version: stp"),
                          false),
                     0);
    assert_string_equal(said(), "br0: forward-delay 0 → 2 s\n"
                                "br0: force-version rstp → stp\n"
                                "br0: stp off → on\n"
                                "br0: port a: path-cost 100000 → automatic\n"
                                "br0: port a: admin-edge off → on\n"
                                "br0: path-cost-method long → short\n");
    b->info.param[BRIDGE_LONG_COST] = 0;
    b->info.param[BRIDGE_STP] = 1;
    b->info.param[BRIDGE_FORWARD_DELAY] = 200;
    p->param[BPORT_PATH_COST] = 2;
    p->owned->record.wrote[BPORT_PATH_COST] = false;
    assert_int_equal(make(OWN("[mem:a]\n      forward-delay: 0"), false), 0);
    assert_string_equal(said(), "br0: stp on → off\n"
                                "br0: forward-delay 2 → 0 s\n");
}

/* What netplan does not say of stp is on, whoever made the bridge. */
static void netplans_default(void **state)
{
    struct run_bridge *b = running("br0", false);

    (void)state;
    b->info.local = true;
    assert_int_equal(make("network: {bridges: {br0: {}}}\n", false), 0);
    assert_string_equal(said(), "br0: stp off → on\n");
    assert_int_equal(make("network: {bridges: {br1: {parameters: {stp: no}}, "
                          "br2: {}}}\n",
                          false),
                     0);
    assert_string_equal(said(), "add bridge br1\n"
                                "add bridge br2\n"
                                "br2: stp off → on\n");
}

/* Whether a port is an edge depends on what its device turns out to be. */
static void defaults_by_device(void **state)
{
    (void)state;
    assert_int_equal(make(OWN("[{spec: 'tap:a', admin-edge: no, "
                              "auto-edge: yes, p2p: auto}]"),
                          false),
                     0);
    assert_string_equal(said(), "add bridge br0\n"
                                "add port tap:a to br0\n"
                                "br0: port a: admin-edge off\n");
}

static void another_specification_is_another_port(void **state)
{
    struct run_bridge *b = running("br0", true);

    (void)state;
    has(b, "packet:eth1,batch=8");
    assert_int_equal(make(OWN("[eth1]"), false), 0);
    assert_string_equal(said(), "remove port eth1 from br0\n"
                                "add port packet:eth1 to br0\n");
    /* keys in another order are the same, the namespace counts */
    b->n_ports = 0;
    has(b, "packet:eth1,bypass=on,batch=8");
    assert_int_equal(make(OWN("[\"packet:eth1,batch=8,bypass=on\"]"), false),
                     0);
    assert_string_equal(said(), "");
    b->port[0].netns = NETNS + 1;
    assert_int_equal(make(OWN("[\"packet:eth1,batch=8,bypass=on\"]"), false),
                     0);
    assert_int_equal(plan.n_said, 2);
}

static void names_are_made_up_once(void **state)
{
    struct run_bridge *b = running("br7", false);

    (void)state;
    by_hand(b, "mem:x,name=dgram0");
    assert_int_equal(make(OWN("[\"dgram:127.0.0.1:9,remote=127.0.0.1:8\", "
                              "\"dgram:127.0.0.1:7,remote=127.0.0.1:6\"]"),
                          false),
                     0);
    assert_string_equal(want->bridge[0].port[0].spec.name, "dgram1");
    assert_string_equal(want->bridge[0].port[1].spec.name, "dgram2");
}

static void refused(const char *text, int code, const char *words)
{
    assert_int_equal(make(text, false), -code);
    if (!strstr(err.text, words))
        fail_msg("%s", err.text);
}

/* Found before anything is done. */
static void names_are_taken(void **state)
{
    struct run_bridge *b = running("br9", false);

    (void)state;
    by_hand(b, "mem:a");
    refused(OWN("[mem:a]"), EBUSY, ":5:15: port a is in bridge br9 already");
    refused(OWN("['mem:x,name=br9']"), EEXIST, "br9 is the name of a bridge");
    device_there = "there";
    refused(OWN("['tap:there']"), EEXIST, "interface there exists already");
    /* what goes leaves its name */
    b = running("br8", true);
    has(b, "tap:there");
    assert_int_equal(make(OWN("['tap:there']"), false), 0);
    assert_int_equal(make("bascule: {bridges: {br8: {local: no}, "
                          "br7: {local: no, ports: ['mem:x,name=there']}}}\n",
                          false),
                     0);
    device_there = "";
}

/* Of those that are adopted already: others would be asked for. */
static void adopted(void **state)
{
    struct run_bridge *b = running("br0", true);

    (void)state;
    snprintf(b->info.device, sizeof(b->info.device), "basc-br0");
    b->adopt = b->owned->adopt = CONF_ADOPT_YES;
    by_hand(b, "packet:eth1");
    assert_int_equal(make("bascule: {bridges: {br0: {adopt: yes}}}\n", false),
                     0);
    assert_string_equal(said(), "");
    assert_int_equal(plan.n_notes, 0);
    assert_int_equal(
        make("bascule: {bridges: {br0: {adopt: disable}}}\n", false), 0);
    assert_string_equal(said(), "give bridge br0 back to the kernel\n"
                                "adopt bridge br0, its ports disabled for the "
                                "kernel\n");
    assert_int_equal(make("bascule: {bridges: {}}\n", false), 0);
    assert_string_equal(said(), "give bridge br0 back to the kernel\n");
    refused("bascule: {bridges: {br0: {}}}\n", EEXIST, "that was adopted");
    b->owned = NULL; /* by hand */
    assert_int_equal(make("bascule: {bridges: {br0: {adopt: yes}}}\n", false),
                     0);
    assert_true(noted("br0 was adopted by hand and is the file's"));
    refused("bascule: {bridges: {br0: {adopt: disable}}}\n", EEXIST,
            "adopted by hand, and in another way");
    assert_int_equal(make("bascule: {bridges: {}}\n", false), 0);
    assert_string_equal(said(), "");
    assert_int_equal(make("bascule: {bridges: {nobr: {adopt: yes}}}\n", true),
                     0);
    assert_string_equal(said(), "");
    assert_int_equal(want->missing.n, 1);
    refused("bascule: {bridges: {nobr: {adopt: yes}}}\n", ENODEV, ":1:21: ");
}

/* ---- guests ---- */

#define GUEST(body)                                                            \
    "bascule:\n  bridges: {br0: {local: no}}\n  guests:\n    vm1: " body "\n"

/* The guest that 'body' defines is there, with a port of br0. */
static struct run_guest *guest(const char *text, bool from_file, bool active)
{
    struct run_guest *g;

    assert_int_equal(make(text, true), 0);
    run.guest = calloc(2, sizeof(*run.guest));
    assert_non_null(run.guest);
    g = &run.guest[run.n_guests++];
    snprintf(g->name, sizeof(g->name), "vm1");
    g->def = strdup(conf->guest[0].def);
    g->port = calloc(1, sizeof(*g->port));
    assert_true(g->def && g->port);
    snprintf(g->port->bridge, sizeof(g->port->bridge), "br0");
    snprintf(g->port->name, sizeof(g->port->name), "vm1");
    g->n_ports = 1;
    g->from_file = from_file;
    g->active = active;
    return g;
}

static void guests_come(void **state)
{
    (void)state;
    assert_int_equal(make(GUEST("{}"), false), -EOPNOTSUPP);
    run.has_guests = true;
    assert_int_equal(make(GUEST("{nets: [br0]}"), false), 0);
    assert_string_equal(said(), "add bridge br0\n"
                                "define guest vm1\n"
                                "start guest vm1\n");
    assert_int_equal(make(GUEST("{start: no}"), false), 0);
    assert_string_equal(said(), "add bridge br0\ndefine guest vm1\n");
    may_guest = false;
    assert_int_equal(make(GUEST("{}"), false), -EPERM);
    assert_non_null(strstr(err.text, "text:4:5: guest vm1"));
    may_guest = true;
}

/* To whoever applies it; when the daemon begins, it is no fault of its own. */
static void guest_refused(const char *text, int code, const char *words)
{
    refused(text, code, words);
    assert_int_equal(make(text, true), 0);
}

static void guests_change(void **state)
{
    struct run_guest *g;

    (void)state;
    run.has_guests = true;
    g = guest(GUEST("{memory: 100}"), true, true);
    running("br0", true);
    assert_int_equal(make(GUEST("{memory: 100}"), false), 0);
    assert_string_equal(said(), "");
    assert_int_equal(make(GUEST("{memory: 101}"), false), 0);
    assert_string_equal(said(), "");
    assert_true(noted("vm1 needs a restart"));
    guest_refused(GUEST("{disks: [/no/disk]}"), ENOENT, /* also if it waits */
                  "text:4:5: guest vm1: --disk /no/disk");
    guest_refused(GUEST("{nets: [br1]}"), ENODEV,
                  "vm1: there is no bridge br1");
    g->active = false;
    assert_int_equal(make(GUEST("{memory: 101}"), false), 0);
    assert_string_equal(said(), "define guest vm1 anew\nstart guest vm1\n");
    assert_int_equal(make(GUEST("{memory: 100}"), false), 0);
    assert_string_equal(said(), "start guest vm1\n");
    g->from_file = false;
    assert_int_equal(make(GUEST("{memory: 100}"), false), 0);
    assert_true(noted("was defined by hand"));
    assert_int_equal(make(GUEST("{memory: 101}"), false), -EEXIST);
}

/* Its port goes with it, and so the bridge can. */
static void guests_leave(void **state)
{
    struct run_bridge *b;
    struct run_guest *g;

    (void)state;
    run.has_guests = true;
    g = guest(GUEST("{nets: [br0]}"), true, true);
    b = running("br0", true);
    by_hand(b, "packet:vm1");
    assert_int_equal(make(GUEST("{nets: [br0]}"), false), 0);
    assert_string_equal(said(), "");
    assert_int_equal(plan.n_notes, 0);
    assert_int_equal(make("network: {version: 2}\n", false), 0);
    assert_string_equal(said(), "stop guest vm1\n"
                                "undefine guest vm1\n"
                                "remove bridge br0\n");
    assert_int_equal(plan.step[0].kind, STEP_GUEST_LEAVE);
    g->from_file = g->leaves = false;
    assert_int_equal(make("network: {version: 2}\n", false), 0);
    assert_string_equal(said(), "br0 is the configuration's no more\n");
    g->from_file = true;
    b->info.netns = NETNS + 1; /* applied somewhere else */
    b->owned->netns = NETNS + 1;
    assert_int_equal(make("network: {version: 2}\n", false), 0);
    assert_string_equal(said(), "");
}

/* Those that waited for a bridge start when it comes, others are left alone. */
static void guests_come_late(void **state)
{
    static const char *const text =
        "bascule:\n  bridges: {br0: {adopt: yes}}\n"
        "  guests: {vm1: {nets: [br0]}, vm2: {nets: [br0], start: no}}\n";

    (void)state;
    run.has_guests = true;
    guest(text, true, false);
    want->bridge[0].absent = false;
    assert_int_equal(make_late(), 0);
    assert_string_equal(said(), "adopt bridge br0\nstart guest vm1\n");
    want->bridge[0].absent = true;
    assert_int_equal(make_late(), 0);
    assert_string_equal(said(), "");
    assert_true(noted("br0 waits for the kernel's bridge"));
    want->bridge[0].absent = false;
    run.guest->active = true;
    assert_int_equal(make_late(), 0);
    assert_string_equal(said(), "adopt bridge br0\n");
}

#define LEAVES(vm1, body)                                                      \
    guest_leaves("bascule:\n  guests:\n    vm1: " vm1 "\n",                    \
                 "bascule:\n  bridges: {br0: {local: no}}\n  guests:\n    "    \
                 "kvm2: " body "\n")

/* vm1 is there, the file has others; are they started before vm1 ends? */
static bool guest_leaves(const char *before, const char *after)
{
    unsigned stop = 0, start = 0;

    running_free_guests(&run);
    run.n_guests = 0;
    run.guest = NULL;
    guest(before, true, true);
    run.guest->n_ports = 0;
    if (make(after, false))
        fail_msg("%s", err.text);
    for (unsigned i = 0; i < plan.n; i++) {
        assert_int_not_equal(plan.step[i].kind, STEP_GUEST_STOP);
        if (plan.step[i].kind == STEP_GUEST_YIELD ||
            plan.step[i].kind == STEP_GUEST_LEAVE)
            stop = i;
        if (plan.step[i].kind == STEP_GUEST_START)
            start = i;
    }
    return start < stop;
}

/* Last, unless what comes needs what it has. */
static void guests_make_place(void **state)
{
    (void)state;
    run.has_guests = true;
    assert_true(LEAVES("{}", "{}"));
    assert_true(LEAVES("{nets: [br0]}", "{nets: [br0]}"));
    assert_true(LEAVES("{disks: [/a]}", "{disks: [/b]}"));
    assert_false(LEAVES("{disks: [/a]}", "{disks: [/b, /a]}"));
    assert_false(LEAVES("{nets: [{bridge: br0, mac: 52:54:00:00:00:01}]}",
                        "{nets: [{bridge: br0, mac: 52:54:00:00:00:01}]}"));
    assert_true(LEAVES("{vnc: yes}", "{vnc: yes}"));
    assert_false(LEAVES("{vnc: 127.0.0.1:1}", "{vnc: 127.0.0.1:1}"));
    assert_true(LEAVES("{qemu-args: [-bios, /x]}", "{qemu-args: [-bios, /x]}"));
    assert_false(LEAVES("{qemu-args: [-serial, tcp::9]}",
                        "{qemu-args: [-serial, tcp::9]}"));
    assert_false(
        LEAVES("{hugepages: yes, memory: 64}", "{hugepages: yes, memory: 32}"));
    assert_int_equal(hugepages, -64);
    /* a port of the file's */
    assert_true(LEAVES("{nets: [br0]}", "{}"));
    assert_int_equal(make(OWN("[mem:vm1]"), false), 0);
    assert_int_equal(plan.step[0].kind, STEP_GUEST_STOP);
    assert_int_equal(make(OWN("[mem:vm]"), false), 0);
    assert_int_equal(plan.step[0].kind, STEP_BRIDGE_ADD);
}

/* Before anything is done. */
static void guests_are_looked_at(void **state)
{
    static const char *const mine = GUEST("{nets: [br0]}");
    struct run_bridge *b;

    (void)state;
    run.has_guests = true;
    guest_refused(GUEST("{disks: [/no/disk], start: no}"), ENOENT,
                  "text:4:5: guest vm1: --disk /no/disk");
    guest_refused(GUEST("{disks: [/no/disk]}"), ENOENT, "--disk /no/disk");
    guest_refused(GUEST("{nets: [br1]}"), ENODEV,
                  "vm1: there is no bridge br1");
    assert_int_equal(make(GUEST("{nets: [br1], start: no}"), false), 0);
    b = running("br1", true);
    guest_refused(GUEST("{nets: [br1]}"), ENODEV,
                  "br1 is not in the file any more");
    guest_refused("bascule:\n  bridges: {br0: {local: no, ports: [mem:vm1]}}\n"
                  "  guests: {vm1: {nets: [br0]}}\n",
                  EEXIST, "would be called vm1, as the one in text:2:38");
    by_hand(b, "mem:vm1"); /* so that br1 stays */
    guest_refused(mine, EEXIST, "bridge br1 has a port vm1 already");
    b->n_ports = 0;
    device_there = "vm1";
    guest_refused(mine, EEXIST, "interface vm1 exists already");
    device_there = "";
    assert_int_equal(make(mine, false), 0);
    assert_true(noted("guest vm1 is slow"));
    assert_false(noted("more"));
    guest(GUEST("{nets: [{bridge: br0, mac: 52:54:00:00:00:01}]}"), false,
          false);
    guest_refused(
        "bascule:\n  bridges: {br0: {local: no}}\n"
        "  guests: {vm2: {nets: [{bridge: br0, mac: 52:54:00:00:00:01}]}}",
        EEXIST,
        "text:3:12: guest vm2: --net, mac=52:54:00:00:00:01: "
        "guest vm1 has that address");
    assert_int_equal(
        make("bascule:\n  guests: {a: {}, kvm: {}, b: {}, c: {}}\n", false), 0);
    assert_true(noted("guest a is slow; so do 2 more"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(from_nothing),
        T(nothing_to_do),
        T(what_no_file_named_stays),
        T(other_namespaces_are_not_ours),
        T(parameters),
        T(spanning_tree),
        T(netplans_default),
        T(defaults_by_device),
        T(another_specification_is_another_port),
        T(names_are_made_up_once),
        T(names_are_taken),
        T(adopted),
        T(guests_come),
        T(guests_change),
        T(guests_leave),
        T(guests_come_late),
        T(guests_make_place),
        T(guests_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
