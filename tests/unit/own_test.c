/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bridge's own interface follows the ports while the kernel's lock of all
 * interfaces is somebody else's: the control thread does not wait for it, and
 * what is set in the end is what was wanted last.
 */
#include "switch/bridge.h"
#include "tests/lib/netrig.h"
#include "tests/lib/rig.h"
#include "tests/lib/rtnl.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HIGH  "02:00:00:00:00:05"
#define LOW   "02:00:00:00:00:01"
#define USERS "02:00:00:00:00:77"

/* A turn that waits for the lock takes all of HELD_S, since nobody lets go.
 * Both are far from what a busy machine makes of a short turn. */
#define HELD_S  6.0
#define TURN_NS 3000000000

static struct rig r;

static void wait_for(struct rig_answer *a)
{
    assert_true(rig_wait(&r, rig_has_come, a));
    assert_int_equal(a->rc, 0);
}

static struct bridge_info info(void)
{
    struct bridge_info i;

    bridge_info(r.b, &i);
    return i;
}

static bool is_up(void *arg)
{
    (void)arg;
    return info().up;
}

static bool is_users(void *arg)
{
    (void)arg;
    return info().mac_set;
}

static void add(struct rig_answer *a, const char *text)
{
    struct port_spec s;

    *a = (struct rig_answer){0};
    assert_int_equal(port_spec_parse(&s, text, NULL), 0);
    bport_add(r.b, &s, rig_answered, a);
}

static void del(struct rig_answer *a, const char *name)
{
    *a = (struct rig_answer){0};
    bport_del(r.b, name, rig_answered, a);
}

static void has_mac(const char *mac)
{
    char text[MAC_TEXT_MAX];
    struct mac have = info().mac;

    netrig_do(-1, "ip link show br1 | grep -q 'ether %s'", mac);
    assert_string_equal(mac_format(&have, text), mac);
}

static void has_carrier(bool on)
{
    netrig_do(-1, "ip link show br1 | grep -q %s",
              on ? "LOWER_UP" : "NO-CARRIER");
    assert_int_equal(info().carrier, on);
}

/* A bridge whose interface br1 is up. */
static int up(void **state)
{
    struct bridge_config c = {.name = "br1", .local = true, .netns_fd = -1};
    struct rig_answer a = {0};

    (void)state;
    rig_up(&r, 1);
    bridge_add(r.sw, &c, rig_answered, &a);
    assert_true(rig_wait(&r, rig_has_come, &a) && a.rc == 0);
    r.b = bridge_find(r.sw, "br1");
    netrig_do(-1, "ip link set br1 up");
    assert_true(rig_wait(&r, is_up, NULL));
    has_carrier(false);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_down(&r);
    assert_int_equal(if_nametoindex("br1"), 0);
    return 0;
}

/* The loop goes on while the lock is held. */
static void run_held(void)
{
    struct sw_stats s;

    sw_stats(r.sw, &s);
    rig_run(&r, 0.05);
    sw_stats(r.sw, &s);
    assert_in_range(s.loop_lag_max_ns, 0, TURN_NS);
}

static void no_turn_waits(void **state)
{
    struct rig_answer a, b;

    (void)state;
    rtnl_hold(HELD_S);
    add(&a, "mem:p1,mtu=1400,mac=" LOW);
    run_held();
    assert_false(a.come);
    rtnl_release();
    wait_for(&a);
    /* it was answered because it is so */
    has_carrier(true);
    has_mac(LOW);
    netrig_do(-1, "ip link show br1 | grep -q 'mtu 1400'");
    rtnl_hold(HELD_S);
    del(&b, "p1");
    run_held();
    assert_false(b.come);
    rtnl_release();
    wait_for(&b);
    has_carrier(false);
    netrig_do(-1, "ip link show br1 | grep -q 'mtu 1500'");
}

/* Who has nothing to do with the interface does not wait for it. */
static void others_are_answered(void **state)
{
    struct rig_answer a;

    (void)state;
    rtnl_hold(HELD_S);
    add(&a, "mem:p1");
    run_held();
    assert_int_equal(rig_bridge_set(&r, BRIDGE_AGEING, 1000), 0);
    assert_false(a.come);
    rtnl_release();
    wait_for(&a);
}

static void last_wish_wins(void **state)
{
    struct rig_answer a, b, c;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p1,mac=" LOW), 0);
    has_carrier(true);
    rtnl_hold(HELD_S);
    del(&a, "p1");
    run_held();
    add(&b, "mem:p2,mac=" HIGH);
    run_held();
    assert_false(b.come);
    rtnl_release();
    wait_for(&a);
    wait_for(&b);
    has_carrier(true);
    has_mac(HIGH);
    rtnl_hold(HELD_S);
    del(&a, "p2");
    run_held();
    add(&b, "mem:p3,mac=" LOW);
    run_held();
    del(&c, "p3");
    run_held();
    rtnl_release();
    wait_for(&a);
    wait_for(&b);
    wait_for(&c);
    has_carrier(false);
}

static void deleted_meanwhile(void **state)
{
    struct rig_answer a, b = {0};

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    rtnl_hold(HELD_S);
    del(&a, "p1");
    run_held();
    bridge_del(r.sw, "br1", true, rig_answered, &b);
    run_held();
    assert_false(b.come);
    rtnl_release();
    wait_for(&a);
    wait_for(&b);
    assert_int_equal(if_nametoindex("br1"), 0);
}

static void ended_meanwhile(void **state)
{
    struct rig_answer a;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p1"), 0);
    rtnl_hold(0.2); /* and rig_down waits */
    del(&a, "p1");
    run_held();
    down(NULL);
    assert_true(a.come);
    rtnl_release();
    up(NULL);
}

/* One request, which waits for the lock once. */
static void *set_users(void *arg)
{
    struct ifreq ifr = {.ifr_name = "br1"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct mac m;

    (void)mac_parse(USERS, &m);
    ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr.ifr_hwaddr.sa_data, m.octet, sizeof(m.octet));
    if (s < 0 || ioctl(s, SIOCSIFHWADDR, &ifr) < 0)
        perror("SIOCSIFHWADDR");
    close(s);
    return arg;
}

static void user_beside_us(bool first)
{
    struct rig_answer a;
    pthread_t user;

    rtnl_hold(HELD_S);
    if (!first)
        add(&a, "mem:p1,mac=" LOW);
    run_held();
    assert_int_equal(pthread_create(&user, NULL, set_users, NULL), 0);
    run_held();
    if (first)
        add(&a, "mem:p1,mac=" LOW);
    run_held();
    rtnl_release();
    pthread_join(user, NULL);
    wait_for(&a);
    assert_true(rig_wait(&r, is_users, NULL));
    rig_run(&r, 0.2);
    has_mac(USERS);
}

static void user_before_us(void **state)
{
    (void)state;
    user_beside_us(true);
}

static void user_after_us(void **state)
{
    (void)state;
    user_beside_us(false);
}

static bool has_mtu(void *arg)
{
    return info().mtu == *(uint32_t *)arg;
}

static void set_mtu(uint32_t mtu)
{
    netrig_do(-1, "ip link set br1 mtu %u", mtu);
    assert_true(rig_wait(&r, has_mtu, &mtu));
    rig_run(&r, 0.1);
    netrig_do(-1, "ip link show br1 | grep -q 'mtu %u'", mtu);
}

/* What the bridge had until just now is the user's when the user sets it. */
static void set_back(void **state)
{
    unsigned jobs;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p1,mac=" HIGH), 0);
    assert_int_equal(rig_add(&r, "mem:p2,mac=" LOW), 0);
    rig_run(&r, 0.1);
    has_mac(LOW);
    jobs = r.b->own.at;
    netrig_do(-1, "ip link set br1 address " HIGH);
    assert_true(rig_wait(&r, is_users, NULL));
    rig_run(&r, 0.1);
    has_mac(HIGH);
    set_mtu(1300);
    set_mtu(1500);
    assert_int_equal(r.b->own.at, jobs); /* it is as it is to be */
}

/* The kernel tells that the interface went down, and what its address was,
 * when another one is wanted already. */
static void old_news(void **state)
{
    struct rig_answer a;

    (void)state;
    assert_int_equal(rig_add(&r, "mem:p1,mac=" HIGH), 0);
    assert_int_equal(rig_add(&r, "mem:p2,mac=" LOW), 0);
    has_mac(LOW);
    rig_run(&r, 2.2); /* nobody waits any more to hear of what was set */
    netrig_do(-1, "ip link set br1 down");
    del(&a, "p2");
    wait_for(&a);
    rig_run(&r, 0.1);
    assert_false(info().mac_set);
    has_mac(HIGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_turn_waits, up, down),
        cmocka_unit_test_setup_teardown(others_are_answered, up, down),
        cmocka_unit_test_setup_teardown(last_wish_wins, up, down),
        cmocka_unit_test_setup_teardown(deleted_meanwhile, up, down),
        cmocka_unit_test_setup_teardown(ended_meanwhile, up, down),
        cmocka_unit_test_setup_teardown(user_before_us, up, down),
        cmocka_unit_test_setup_teardown(user_after_us, up, down),
        cmocka_unit_test_setup_teardown(set_back, up, down),
        cmocka_unit_test_setup_teardown(old_news, up, down),
    };
    int rc;

    netrig_start();
    rtnl_start();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    rtnl_end();
    return rc;
}
