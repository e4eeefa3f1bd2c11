/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `guests:` in configurations, and the files of labs: what they say, and what
 * they are told when they say it wrong.
 */
#include "ctl/config/equal.h"
#include "ctl/config/lab.h"
#include "ctl/config/load.h"
#include "ctl/config/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- guests ---- */

#define HEAD "bascule:\n  guests:\n    vm1:\n"

static struct conf *load(const char *text)
{
    struct conf *c = NULL;
    struct err e = {""};

    if (conf_load_text(&c, text, strlen(text), &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

static void is_refused(int rc, const struct err *e, const char *place,
                       const char *words, const char *text)
{
    if (rc == 0)
        fail_msg("not refused (%s):\n%s", words, text);
    assert_int_equal(rc, -EINVAL);
    if (strncmp(e->text, place, strlen(place)) != 0 || !strstr(e->text, words))
        fail_msg("expected %s ... %s\nfound %s\n%s", place, words, e->text,
                 text);
}

/* What stands below vm1: is refused there. */
static void refused(const char *body, const char *place, const char *words)
{
    char text[2000], at[80];
    struct conf *c = NULL;
    struct err e = {""};

    snprintf(text, sizeof(text), HEAD "%s", body);
    snprintf(at, sizeof(at), "text:%s", place);
    is_refused(conf_load_text(&c, text, strlen(text), &e), &e, at, words, text);
    assert_null(c);
}

static void guests_are_read(void **state)
{
    struct conf *c =
        load(HEAD "      disks: [/a.qcow2, {path: /b, bus: scsi}]\n"
                  "      memory: 2G\n"
                  "      cpus: 2\n"
                  "      nets:\n"
                  "        - br0\n"
                  "        - {bridge: br1, kind: stream}\n"
                  "      hugepages: yes\n"
                  "      ksm: off\n"
                  "      vnc: yes\n"
                  "      cloud-init: /seed\n"
                  "      qemu-args: [-foo, \"a b\"]\n"
                  "      start: no\n"
                  "    vm2: {}\n");
    const char *def = c->guest[0].def;

    (void)state;
    assert_int_equal(c->n_guests, 2);
    assert_string_equal(c->guest[0].name, "vm1");
    assert_false(c->guest[0].start);
    assert_true(c->guest[1].start);
    assert_int_equal(c->guest[0].pos.line, 3);
    for (const char *const *w =
             (const char *const[]){"\"memory\":2048", "\"format\":\"qcow2\"",
                                   "\"bus\":\"scsi\"", "\"kind\":\"stream\"",
                                   "\"hugepages\":true", "\"ksm\":\"off\"",
                                   "\"vnc\":\"on\"", "\"cloud_init\":\"/seed\"",
                                   "[\"-foo\",\"a b\"]", NULL};
         *w; w++)
        if (!strstr(def, *w))
            fail_msg("no %s in %s", *w, def);
    conf_free(c);
}

/* As it is printed, it is read again. */
static void guests_are_printed(void **state)
{
    struct conf *c =
        load("bascule:\n  bridges: {br0: {}}\n  guests:\n"
             "    a: {append: \"x: 'y' #\", kernel: /k, vnc: \"10.0.0.1:2\",\n"
             "        nets: [{bridge: br0, mac: \"52:54:00:00:00:01\"}],\n"
             "        numa: [{node: 0, cpus: 0, memory: 512}]}\n"
             "    b: {restart: on-failure, start: no, ksm: on,\n"
             "        stop-timeout: 90}\n");
    char *text = conf_print(c);
    struct conf *again = load(text);

    (void)state;
    assert_true(conf_equal(c, again));
    conf_free(again);
    again = load("bascule:\n  guests:\n    a: {memory: 513}\n    b: {}\n");
    assert_false(conf_equal(c, again));
    conf_free(again);
    conf_free(c);
    free(text);
}

static void guests_are_refused(void **state)
{
    (void)state;
    refused("      memroy: 1\n", "4:7: memroy: ", "did you mean memory?");
    refused("      memory: 3X\n", "4:15: memory: ", "found 3X: megabytes");
    refused("      memory: 0\n", "4:15: memory: ", "1 to ");
    refused("      cpus: 300\n", "4:13: cpus: ", "1 to 255");
    refused("      stop-timeout: 1m\n", "4:21: stop-timeout: ", "a number");
    refused("      disks: /a\n", "4:14: disks: ", "expected a list");
    refused("      disks: [b.img]\n", "4:15: disks: ", "must be absolute");
    refused("      disks: [{format: raw}]\n",
            "4:15: disks: ", "a disk needs path:");
    refused("      disks: [{path: /a, bus: usb}]\n",
            "4:31: bus: ", "found usb: one of virtio, scsi, ide");
    refused("      disks: [{path: /a, speed: 1}]\n",
            "4:26: speed: ", "a disk has no such key");
    refused("      nets: [{bridge: br0, queues: 9}]\n",
            "4:36: queues: ", "1 to 8");
    refused("      nets: [{bridge: br0, mac: nope}]\n", "4:7: ", "mac=nope");
    refused("      initrd: /x\n", "4:7: initrd: ", "it goes with --kernel");
    refused("      boot: floppy\n", "4:13: boot: ", "one of network, disk");
    refused("      boot: cdrom\n", "4:7: boot cdrom: ", "has none");
    refused("      snapshot: yes\n", "4:7: snapshot: ", "there is no --disk");
    refused("      start: maybe\n", "4:14: start: ", "expected yes or no");
    refused("      vnc: here\n", "4:7: vnc here: ", "HOST:DISPLAY");
    refused("      from-file: yes\n", "4:7: from-file: ", "no such key");
    refused("      name: x\n", "4:7: name: ", "no such key");
    refused("      qemu-args: {}\n", "4:18: qemu-args: ", "expected a list");
    refused("      {}\n    a_guest_of_a_long_name: {}\n",
            "5:5: ", "at most 15 characters");
    refused("      nets: [br0]\n"
            "    vm2: {nets: [{bridge: br0, mac: \"52:54:00:17:6b:b2\"}]}\n",
            "5:5: vm2: ", "guest vm1 has that address");
    refused("      nets: [b]\n  bridges:\n    vm1: {}\n",
            "3:5: vm1: ", "is the name of a bridge");
    refused("      []\n", "4:7: vm1: ", "expected a map");
}

/* ---- labs ---- */

static void lab_refused(const char *text, const char *place, const char *words)
{
    struct lab *l = NULL;
    char at[80];
    struct err e = {""};

    snprintf(at, sizeof(at), "lab.yaml:%s", place);
    is_refused(lab_load_text(&l, "lab.yaml", text, strlen(text), &e), &e, at,
               words, text);
    assert_null(l);
}

static struct lab *load_lab(const char *name, const char *text)
{
    struct lab *l = NULL;
    struct err e = {""};

    if (lab_load_text(&l, name, text, strlen(text), &e))
        fail_msg("%s\n%s", e.text, text);
    return l;
}

static void lab_is_read(void **state)
{
    struct lab *l = load_lab(
        "tests/config/small.yaml",
        "bridges:\n"
        "  br0: {stp: yes, priority: 4096, addresses: [10.0.0.1/24]}\n"
        "  br1:\n"
        "guests:\n"
        "  vm1: {nets: [br0, br1], kernel: image/vmlinuz}\n"
        "hosts:\n"
        "  h1: {bridge: br1, address: 10.0.0.2/24, gateway: 10.0.0.1,\n"
        "       command: sleep 5}\n"
        "links:\n"
        "  - [br0, br1]\n"
        "  - [br1, br0]\n"
        "uplink: {interface: eth1, bridge: br0}\n");

    (void)state;
    assert_string_equal(l->name, "small");
    assert_int_equal(l->conf->n_bridges, 2);
    assert_int_equal(l->conf->bridge[0].param[BRIDGE_STP], 1);
    assert_int_equal(l->conf->bridge[0].l3.n_addrs, 1);
    assert_int_equal(l->conf->n_guests, 1);
    assert_non_null(strstr(l->conf->guest[0].def, "\"kernel\":\"/"));
    assert_non_null(strstr(l->conf->guest[0].def, "/tests/config/image/vml"));
    assert_int_equal(l->n_hosts, 1);
    assert_string_equal(l->host[0].command, "sleep 5");
    assert_int_equal(l->n_links, 2);
    assert_string_equal(l->link[0].port[1], "br1-br0");
    assert_string_equal(l->link[1].port[0], "br1-br0.2");
    assert_string_equal(l->uplink, "eth1");
    lab_free(l);
    l = load_lab("x.yaml", "lab: mine\nbridges: {br0: {}}\n");
    assert_string_equal(l->name, "mine");
    lab_free(l);
    lab_free(NULL);
}

static void examples_are_read(void **state)
{
    static const char *const file[] = {"docs/lab/two-vms.yaml",
                                       "docs/lab/three-vms.yaml"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct lab *l = NULL;
        struct err e = {""};

        if (lab_load(&l, file[i], &e))
            fail_msg("%s", e.text);
        assert_int_equal(l->conf->n_guests, 2 + i);
        lab_free(l);
    }
}

#define B "bridges: {br0: {}, br1: {}}\n"

static void labs_are_refused(void **state)
{
    (void)state;
    lab_refused("guests: {}\n", "1:1: ", "a lab needs bridges:");
    lab_refused(B "gests: {}\n", "2:1: gests: ", "did you mean guests?");
    lab_refused(B "network: {}\n", "2:1: network: ", "bascule apply");
    lab_refused("lab: \"a b\"\n" B, "1:6: lab: ", "letters, digits");
    lab_refused("lab: a.b\n" B, "1:6: lab: ", "letters, digits");
    lab_refused("bridges: {br0: {ports: [x]}}\n",
                "1:17: ports: ", "no such key");
    lab_refused("bridges: {br0: {hello: 99}}\n", "1:24: hello: ", "");
    lab_refused("bridges: {br0: {local: no, addresses: [10.0.0.1/8]}}\n",
                "1:39: addresses: ", "has no interface");
    lab_refused(B "guests: {vm1: {nets: [br7]}}\n",
                "2:10: vm1: ", "there is no br7 among the bridges");
    lab_refused(B "hosts: {h: {address: 10.0.0.1/8}}\n",
                "2:9: h: ", "a host needs bridge:");
    lab_refused(B "hosts: {h: {bridge: br7}}\n",
                "2:21: bridge: ", "there is no br7");
    lab_refused(B "hosts: {h: {bridge: br0, address: 10.0.0.1}}\n",
                "2:35: address: ", "expected");
    lab_refused(B "hosts: {h: {bridge: br0, address: 10.1.2.0/23}}\n",
                "2:35: ", "10.1.2.0/23 is its network's address, which no");
    lab_refused(B "hosts: {h: {bridge: br0, address: 10.1.3.255/23}}\n",
                "2:35: ", "10.1.3.255/23 is its network's broadcast, which no");
    lab_refused(B "hosts: {h: {bridge: br0, address: 'fd00::/64'}}\n",
                "2:35: ", "fd00::/64 is its network's address");
    lab_free(load_lab("x.yaml",
                      B "hosts:\n"
                        "  a: {bridge: br0, address: 10.1.2.255/23}\n"
                        "  b: {bridge: br0, address: 10.1.3.0/23}\n"
                        "  c: {bridge: br0, address: 10.1.4.0/31}\n"
                        "  d: {bridge: br0, address: 10.1.4.3/32}\n"
                        "  e: {bridge: br0, address: 'fd00::/127'}\n"
                        "  f: {bridge: br0, address: 'fd00::ffff/112'}\n"));
    lab_refused(B "hosts: {h: {bridge: br0, gateway: 10.0.0.1}}\n",
                "2:9: h: ", "a gateway needs an address");
    lab_refused(B "hosts: {vm1: {bridge: br0}}\nguests: {vm1: {nets: [br0]}}\n",
                "2:9: vm1: ", "something else already, in lab.yaml:3:10");
    lab_refused(B "hosts: {br1: {bridge: br0}}\n",
                "2:9: br1: ", "something else already");
    lab_refused(B "links: [[br0]]\n", "2:9: links: ", "joins two bridges");
    lab_refused(B "links: [[br0, br0]]\n", "2:9: links: ", "to itself");
    lab_refused(B "links: [[br0, brx]]\n", "2:15: links: ", "there is no brx");
    lab_refused("bridges: {a_long_name: {}, another_one: {}}\n"
                "links: [[a_long_name, another_one]]\n",
                "2:9: links: ", "longer than 15");
    lab_refused(B "uplink: {interface: eth0}\n",
                "2:9: uplink: ", "needs interface: and bridge:");
    lab_refused(B "uplink: eth0\n", "2:9: uplink: ", "expected a map");
    lab_refused("bridges: [br0]\n", "1:10: bridges: ", "expected a map");
    lab_refused("bridges: {br0: &x {}}\n", "1:", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_are_read),
        cmocka_unit_test(guests_are_printed),
        cmocka_unit_test(guests_are_refused),
        cmocka_unit_test(lab_is_read),
        cmocka_unit_test(examples_are_read),
        cmocka_unit_test(labs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
