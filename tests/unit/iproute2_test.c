/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iproute2's text and JSON, to the letter (as version 6.1 prints them for a
 * kernel bridge in the same state), and how words are read.  The comparison
 * with the real one is tests/netns/iproute2_test.py.
 */
#include "ctl/client/iproute2.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ENTRY                                                                  \
    "{\"mac\":\"02:00:00:00:00:01\",\"ifname\":\"vm1\",\"vlan\":5,"            \
    "\"flags\":[\"extern_learn\",\"sticky\"],\"state\":\"static\","            \
    "\"master\":\"br0\",\"port_no\":3,\"age\":1234}"
#define PORT                                                                   \
    "{\"name\":\"p1\",\"bridge\":\"br0\",\"no\":1,\"state\":\"forwarding\","   \
    "\"link\":true,\"mtu\":1400,\"cost\":7,\"priority\":32,\"hairpin\":true,"  \
    "\"isolated\":false,\"learning\":true,\"flood\":true,"                     \
    "\"mcast_flood\":false,\"bcast_flood\":true,\"netns\":1,\"ifindex\":4}"

static json_t *json(const char *text)
{
    json_t *v = json_loads(text, 0, NULL);

    assert_non_null(v);
    return v;
}

struct page {
    char *text;
    size_t n;
    struct ip_list list;
};

static struct ip_list *page_open(struct page *p, struct ip_style s)
{
    memset(p, 0, sizeof(*p));
    p->list.style = s;
    p->list.text = ip_entry_text;
    p->list.out = open_memstream(&p->text, &p->n);
    return &p->list;
}

static void page_check(struct page *p, const char *want)
{
    fclose(p->list.out);
    assert_string_equal(p->text, want);
    free(p->text);
}

static void entries(void **state)
{
    const struct ip_style plain = {0}, s = {.stats = true},
                          one = {.no_dev = true},
                          j = {.json = true, .stats = true};
    json_t *e = json(ENTRY);
    struct page p;

    (void)state;
    ip_list_add(page_open(&p, plain), ip_entry(e, &plain));
    ip_list_add(&p.list, ip_deleted(ip_entry(e, &s)));
    ip_list_add(&p.list, ip_entry(e, &one));
    ip_list_end(&p.list);
    page_check(&p, "02:00:00:00:00:01 dev vm1 vlan 5 extern_learn sticky "
                   "master br0 static\n"
                   "Deleted 02:00:00:00:00:01 dev vm1 vlan 5 used 12/12 "
                   "extern_learn sticky master br0 static\n"
                   "02:00:00:00:00:01 vlan 5 extern_learn sticky master br0 "
                   "static\n");
    ip_list_add(page_open(&p, j), ip_entry(e, &j));
    ip_list_add(&p.list, ip_deleted(ip_entry(e, &one)));
    ip_list_end(&p.list);
    page_check(&p,
               "[{\"mac\":\"02:00:00:00:00:01\",\"ifname\":\"vm1\",\"vlan\":5,"
               "\"used\":12,\"updated\":12,\"flags\":[\"extern_learn\","
               "\"sticky\"],\"master\":\"br0\",\"state\":\"static\"},"
               "{\"deleted\":true,\"mac\":\"02:00:00:00:00:01\",\"vlan\":5,"
               "\"flags\":[\"extern_learn\",\"sticky\"],\"master\":\"br0\","
               "\"state\":\"static\"}]\n");
    json_decref(e);
}

static void empty_lists(void **state)
{
    const struct ip_style text = {0}, j = {.json = true},
                          pretty = {.json = true, .pretty = true};
    struct page p;

    (void)state;
    ip_list_end(page_open(&p, text));
    page_check(&p, "");
    ip_list_end(page_open(&p, j));
    page_check(&p, "[]\n");
    ip_list_end(page_open(&p, pretty));
    page_check(&p, "[ ]\n");
}

static void lists_of_devices(void **state)
{
    const struct ip_style s = {.json = true, .pretty = true, .stats = true};
    struct kernel_entry e = {.mac = {{0x33, 0x33, 0, 0, 0, 1}},
                             .state = NUD_PERMANENT,
                             .flags = NTF_SELF};
    struct page p;

    (void)state;
    ip_list_add(page_open(&p, s), ip_self_entry(&e, "eth0", &s));
    e.state = 0x10;
    e.flags = 0;
    snprintf(e.dst, sizeof(e.dst), "192.0.2.7");
    ip_list_add(&p.list, ip_self_entry(&e, "eth0", &s));
    ip_list_end(&p.list);
    page_check(&p, "[ {\n"
                   "        \"mac\": \"33:33:00:00:00:01\",\n"
                   "        \"ifname\": \"eth0\",\n"
                   "        \"flags\": [ \"self\" ],\n"
                   "        \"state\": \"permanent\"\n"
                   "    },{\n"
                   "        \"mac\": \"33:33:00:00:00:01\",\n"
                   "        \"ifname\": \"eth0\",\n"
                   "        \"dst\": \"192.0.2.7\",\n"
                   "        \"flags\": [ ],\n"
                   "        \"state\": \"state=0x10\"\n"
                   "    } ]\n");
}

#define DETAILS                                                                \
    "hairpin on guard off root_block off fastleave off learning on flood on "  \
    "mcast_flood off bcast_flood on mcast_router 1 mcast_to_unicast off "      \
    "neigh_suppress off vlan_tunnel off isolated off locked off \n"

static void links(void **state)
{
    const struct ip_style plain = {0}, d = {.details = true},
                          one = {.details = true, .oneline = true},
                          j = {.json = true};
    struct kernel_link k = {.ifindex = 4,
                            .flags = IFF_UP | IFF_BROADCAST | IFF_MULTICAST,
                            .mtu = 1500,
                            .peer = "q1",
                            .peer_down = true};
    json_t *port = json(PORT), *o;
    struct page p;

    (void)state;
    page_open(&p, plain);
    p.list.text = ip_link_text;
    ip_list_add(&p.list, ip_link(port, NULL, &plain));
    o = ip_deleted(ip_link(port, &k, &plain));
    ip_link_cut(o);
    ip_list_add(&p.list, o);
    ip_list_add(&p.list, ip_link(port, &k, &d));
    p.list.style = one;
    ip_list_add(&p.list, ip_link(port, &k, &d));
    page_check(&p,
               "0: p1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 master br0 "
               "state forwarding priority 32 cost 7 \n"
               "Deleted 4: p1@q1: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> "
               "mtu 1500 master br0 \n"
               "4: p1@q1: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 "
               "master br0 state forwarding priority 32 cost 7 \n    " DETAILS
               "4: p1@q1: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 "
               "master br0 state forwarding priority 32 cost 7 \\    " DETAILS);
    k.flags = IFF_BROADCAST | 1U << 30;
    k.peer[0] = '\0';
    k.peer_down = false;
    ip_list_add(page_open(&p, j), ip_link(port, &k, &j));
    ip_list_end(&p.list);
    page_check(&p, "[{\"ifindex\":4,\"ifname\":\"p1\",\"flags\":[\"BROADCAST\","
                   "\"40000000\"],\"mtu\":1500,\"master\":\"br0\",\"state\":"
                   "\"forwarding\",\"priority\":32,\"cost\":7}]\n");
    json_decref(port);
}

static void words(void **state)
{
    char a[] = "dev", b[] = "p1";
    char *v[] = {a, b};
    struct words w = {2, v};
    unsigned long n;

    (void)state;
    assert_string_equal(words_take(&w), "dev");
    assert_string_equal(words_value(&w), "p1");
    assert_null(words_take(&w));
    assert_true(word_begins("st", "static"));
    assert_true(word_begins("static", "static"));
    assert_false(word_begins("", "static"));
    assert_false(word_begins("statics", "static"));
    assert_true(word_number("0", 10, &n) && n == 0);
    assert_true(word_number("0x1f", 31, &n) && n == 31);
    assert_true(word_number("10", 10, &n) && n == 10);
    assert_false(word_number("11", 10, &n));
    assert_false(word_number("", 10, &n));
    assert_false(word_number("-1", 10, &n));
    assert_false(word_number("1x", 10, &n));
    assert_false(word_number("99999999999999999999999", ~0UL, &n));
    assert_int_equal(ip_state_bits("permanent"), NUD_PERMANENT);
    assert_int_equal(ip_state_bits("static"), NUD_NOARP);
    assert_int_equal(ip_state_bits(""), NUD_REACHABLE);
}

static void ports_by_name(void **state)
{
    json_t *ports = json("[" PORT ",{\"name\":\"m0\",\"netns\":0}]");
    const json_t *p = ip_port_find(ports, "p1");

    (void)state;
    assert_ptr_equal(p, json_array_get(ports, 0));
    assert_null(ip_port_find(ports, "p"));
    /* not in our namespace; no netdev */
    assert_int_equal(ip_port_index(p), 0);
    assert_int_equal(ip_port_index(json_array_get(ports, 1)), 0);
    json_decref(ports);
}

/* ---- the kernel, in a namespace with nothing but lo ---- */

struct seen {
    unsigned n;
    struct kernel_entry last;
    bool deleted;
};

static void count_entry(void *arg, const struct kernel_entry *e)
{
    struct seen *s = arg;

    if (e->mac.octet[0] == 0x02)
        s->n++, s->last = *e;
}

static void count_change(void *arg, const struct kernel_entry *e, bool deleted)
{
    struct seen *s = arg;

    count_entry(arg, e);
    s->deleted = deleted;
}

static void asks_the_kernel(void **state)
{
    struct kernel_entry e = {
        .mac = {{2, 0, 0, 0, 0, 1}}, .state = NUD_PERMANENT, .flags = NTF_SELF};
    struct seen all = {0}, told = {0};
    struct kernel_link k;
    int home, fd;

    (void)state;
    home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(home >= 0);
    if (unshare(CLONE_NEWNET) < 0) {
        close(home);
        print_message("no network namespace: %s\n", strerror(errno));
        skip();
    }
    assert_true(kernel_link(1, &k));
    assert_string_equal(k.name, "lo");
    assert_true(k.flags & IFF_LOOPBACK);
    assert_int_equal(k.peer[0], 0);
    assert_false(kernel_link(99, &k));
    assert_false(kernel_link(0, &k));
    fd = kernel_watch();
    assert_true(fd >= 0);
    assert_int_equal(kernel_entry_set(true, NLM_F_CREATE | NLM_F_EXCL, &e),
                     -EINVAL); /* no device */
    e.ifindex = 1;
    if (kernel_entry_set(true, NLM_F_CREATE | NLM_F_EXCL, &e) == 0) {
        assert_int_equal(kernel_entry_set(true, NLM_F_CREATE | NLM_F_EXCL, &e),
                         -EEXIST);
        assert_int_equal(kernel_entries(count_entry, &all), 0);
        assert_int_equal(all.n, 1);
        assert_int_equal(all.last.flags, NTF_SELF);
        assert_int_equal(kernel_entry_set(false, 0, &e), 0);
        assert_int_equal(kernel_watch_read(fd, count_change, &told), 0);
        assert_int_equal(told.n, 2);
        assert_true(told.deleted);
    }
    close(fd);
    assert_int_equal(setns(home, CLONE_NEWNET), 0);
    close(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),
        cmocka_unit_test(empty_lists),
        cmocka_unit_test(lists_of_devices),
        cmocka_unit_test(links),
        cmocka_unit_test(words),
        cmocka_unit_test(ports_by_name),
        cmocka_unit_test(asks_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
