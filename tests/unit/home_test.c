/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports follow their devices while the kernel's lock of all interfaces is
 * somebody else's: the control thread does not wait for it, and in the end
 * knows where each device is and how it stands there.
 *
 * What the kernel tells is left unread until the lock is held.
 */
#include "base/clock.h"
#include "switch/bridge.h"
#include "tests/lib/netrig.h"
#include "tests/lib/rig.h"
#include "tests/lib/rtnl.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Longer than any turn, shorter than the lock is held if nobody lets go. */
#define HELD_S  1.0
#define TURN_NS 300000000

/* What a port is to be like. */
struct wish {
    const char *port;
    uint64_t netns;
    uint32_t mtu;
    bool link;
};

static struct rig r;

static void wait_for(struct rig_answer *a)
{
    assert_true(rig_wait(&r, rig_has_come, a));
    assert_int_equal(a->rc, 0);
}

static void add(struct rig_answer *a, const char *text, int ns)
{
    struct port_spec s;
    uint64_t began;

    *a = (struct rig_answer){0};
    assert_int_equal(port_spec_parse(&s, text, NULL), 0);
    s.netns_fd = ns;
    began = clock_now();
    bport_add(r.b, &s, rig_answered, a);
    assert_in_range(clock_now() - began, 0, TURN_NS);
}

static void add_now(const char *text, int ns)
{
    struct rig_answer a;

    add(&a, text, ns);
    wait_for(&a);
    rig_run(&r, 0.1); /* what is told at first */
}

static void del(struct rig_answer *a, const char *name)
{
    *a = (struct rig_answer){0};
    bport_del(r.b, name, rig_answered, a);
}

static struct bport_info info(const char *name)
{
    struct bport_info i;

    bport_info(rig_port(&r, name), &i);
    return i;
}

static bool is_like(void *arg)
{
    const struct wish *w = arg;
    struct bport_info i = info(w->port);

    return i.netns == w->netns && i.mtu == w->mtu && i.link == w->link &&
           i.ifindex != 0;
}

static bool has_failed(void *arg)
{
    (void)arg;
    return info("t0").failed;
}

static bool has_link(void *arg)
{
    return info(*(const char **)arg).link;
}

static bool has_no_link(void *arg)
{
    return !has_link(arg);
}

static void wait_link(const char *name, bool on)
{
    assert_true(rig_wait(&r, on ? has_link : has_no_link, &name));
}

/* The loop goes on while the lock is held. */
static void run_held(void)
{
    uint64_t began = clock_now();

    rig_run(&r, 0.05);
    assert_in_range(clock_now() - began, 0, TURN_NS);
}

/* Has a job answered?  The loop is not run. */
static bool job_has_answered(void)
{
    struct inbox *box = &r.sw->inbox;
    bool there;

    pthread_mutex_lock(&box->lock);
    there = box->head != NULL;
    pthread_mutex_unlock(&box->lock);
    return there;
}

static void wait_job(void)
{
    uint64_t end = clock_now() + 10 * NSEC_PER_SEC;

    while (!job_has_answered() && clock_now() < end)
        sched_yield();
    assert_true(job_has_answered());
}

static int up(void **state)
{
    (void)state;
    rig_up(&r, 1);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_down(&r);
    return 0;
}

static void make_tap(const char *more)
{
    char text[64];

    snprintf(text, sizeof(text), "tap:t0%s", more);
    add_now(text, -1);
    netrig_do(-1, "ip link set t0 up");
    wait_link("t0", true);
}

/* ---- a tap that goes to another namespace ---- */

static void moved(void **state)
{
    int ns = netrig_ns();
    struct wish w = {"t0", netns_id(ns), 1300, true};

    (void)state;
    make_tap("");
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    netrig_do(ns, "ip link set t0 mtu 1300 name renamed up");
    rtnl_hold(HELD_S);
    run_held();
    rtnl_release();
    assert_true(rig_wait(&r, is_like, &w));
    /* ... where it is followed */
    netrig_do(ns, "ip link set renamed down");
    wait_link("t0", false);
    close(ns);
}

/* It changes between the answer and the hearing of it, and goes on. */
static void moved_again(void **state)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int ns = netrig_ns(), next = netrig_ns();
    struct wish w = {"t0", netns_id(next), 1400, true};

    (void)state;
    make_tap("");
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    rtnl_hold(HELD_S);
    run_held();
    rtnl_release();
    netrig_do(ns, "ip link set t0 netns %s", netrig_path(next));
    netrig_do(next, "ip link set t0 mtu 1400 up");
    assert_true(rig_wait(&r, is_like, &w));
    netrig_do(next, "ip link set t0 netns %s", netrig_path(ns));
    netrig_do(ns, "ip link set t0 netns %s", netrig_path(home));
    netrig_do(-1, "ip link set t0 mtu 1200 up");
    w = (struct wish){"t0", netns_id(-1), 1200, true};
    assert_true(rig_wait(&r, is_like, &w));
    close(home);
    close(ns);
    close(next);
}

/* Where links are watched already, so that not all of them are told anew. */
static void moved_among_others(void **state)
{
    int ns = netrig_ns();
    struct wish w = {"t0", netns_id(ns), 1250, true};

    (void)state;
    netrig_do(ns, "ip link add v0 type veth peer name v1");
    add_now("packet:v0", ns);
    make_tap("");
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    rtnl_hold(HELD_S);
    run_held();
    rtnl_release();
    wait_job(); /* whose answer the loop has not read yet */
    netrig_do(ns, "ip link set t0 mtu 1250 up");
    assert_true(rig_wait(&r, is_like, &w));
    close(ns);
}

static void deleted_abroad(void **state)
{
    int ns = netrig_ns();

    (void)state;
    make_tap("");
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    netrig_do(ns, "ip link del t0");
    rtnl_hold(HELD_S);
    run_held();
    rtnl_release();
    assert_true(rig_wait(&r, has_failed, NULL));
    close(ns);
}

static void port_goes_meanwhile(void **state)
{
    int ns = netrig_ns();
    struct rig_answer a;

    (void)state;
    make_tap("");
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    rtnl_hold(HELD_S);
    run_held();
    del(&a, "t0");
    run_held();
    assert_false(a.come);
    rtnl_release();
    wait_for(&a);
    assert_int_not_equal(netrig_run(ns, "ip link show t0 2>/dev/null"), 0);
    close(ns);
}

static void switch_ends_meanwhile(void **state)
{
    int ns = netrig_ns();

    (void)state;
    make_tap("");
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    rtnl_hold(0.2); /* and rig_down waits */
    run_held();
    rig_down(&r);
    rtnl_release();
    rig_up(&r, 1);
    close(ns);
}

/* ---- where is it? ---- */

static void asked_for(void **state)
{
    int ns = netrig_ns(), tap = -2, mem = -2, packet = -2;
    struct rig_answer a = {0}, b = {0}, c = {0}, gone;
    unsigned fds;

    (void)state;
    netrig_do(ns, "ip link add v0 type veth peer name v1");
    make_tap("");
    add_now("mem:m0", -1);
    add_now("packet:v0", ns);
    netrig_do(-1, "ip link set t0 netns %s", netrig_path(ns));
    rig_run(&r, 0.1);
    fds = netrig_fds();
    rtnl_hold(HELD_S);
    bport_netns(rig_port(&r, "t0"), &tap, rig_answered, &a);
    bport_netns(rig_port(&r, "m0"), &mem, rig_answered, &b);
    bport_netns(rig_port(&r, "v0"), &packet, rig_answered, &c);
    run_held();
    assert_true(!a.come && b.come && c.come);
    del(&gone, "t0"); /* which waits for the answer */
    run_held();
    rtnl_release();
    wait_for(&a);
    wait_for(&gone);
    assert_true(netns_id(tap) == netns_id(ns));
    assert_true(netns_id(packet) == netns_id(ns));
    assert_int_equal(mem, -1);
    close(tap);
    close(packet);
    assert_in_range(netrig_fds(), 0, fds);
    close(ns);
}

/* ---- all links of a namespace are asked for ---- */

static void first_of_a_namespace(void **state)
{
    int ns = netrig_ns();
    struct rig_answer a, b;

    (void)state;
    netrig_do(ns, "ip link add v0 type veth peer name v1; "
                  "ip link set v0 up; ip link set v1 up");
    rtnl_hold(HELD_S);
    add(&a, "packet:v0", ns);
    run_held();
    assert_false(a.come);
    add(&b, "mem:m0", -1); /* others are served */
    run_held();
    assert_true(b.come);
    rtnl_release();
    wait_for(&a);
    netrig_do(ns, "ip link set v1 down");
    wait_link("v0", false);
    close(ns);
}

static void none_left_to_ask(void **state)
{
    int ns = netrig_ns();
    struct rig_answer a;

    (void)state;
    netrig_do(ns, "ip link add v0 type veth peer name v1");
    rtnl_hold(0.2);
    add(&a, "packet:v0", ns);
    run_held();
    rig_down(&r);
    rtnl_release();
    rig_up(&r, 1);
    close(ns);
}

/* Changes a setting so often that the socket's buffer cannot hold it. */
static void storm(int ns, const char *name, unsigned n)
{
    netrig_do(ns,
              "i=0; while [ $i -lt %u ]; do i=$((i+1)); "
              "echo link set %s mtu 1400; echo link set %s mtu 1500; done | "
              "ip -batch -",
              n, name, name);
}

static void after_a_loss(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add v0 type veth peer name v1; "
                  "ip link add v2 type veth peer name v3; "
                  "ip link set v0 up; ip link set v1 up");
    add_now("packet:v0", ns);
    wait_link("v0", true);
    storm(ns, "v2", 4000);
    netrig_do(ns, "ip link set v1 down");
    rtnl_hold(HELD_S);
    run_held();
    rtnl_release();
    wait_link("v0", false);
    close(ns);
}

/* ---- another device has a port's name ---- */

static void name_of_another(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add v0 type veth peer name v1; "
                  "ip link set v0 up; ip link set v1 up");
    add_now("packet:v0", ns);
    wait_link("v0", true);
    /* It goes on under another name ... */
    netrig_do(ns, "ip link set v0 down; ip link set v0 name old; "
                  "ip link set old up; "
                  "ip link add v0 type veth peer name v2");
    rtnl_hold(HELD_S);
    run_held();
    rtnl_release();
    rig_run(&r, 0.2);
    assert_false(info("v0").failed);
    wait_link("v0", true);
    /* ... and when it goes, its port is the other's. */
    netrig_do(ns, "ip link del old; ip link set v0 mtu 1300");
    assert_true(
        rig_wait(&r, is_like, &(struct wish){"v0", netns_id(ns), 1300, false}));
    close(ns);
}

/* ---- what may be asked on the control thread ---- */

/* The kernel says without that lock what an interface is called: so whose tap a
 * port stands on is looked up where it is needed. */
static void number_and_name(void **state)
{
    char name[IF_NAMESIZE];
    uint64_t before;
    unsigned index;

    (void)state;
    make_tap("");
    rtnl_hold(HELD_S);
    before = clock_now();
    index = if_nametoindex("t0");
    assert_non_null(if_indextoname(index, name));
    assert_in_range(clock_now() - before, 0, TURN_NS);
    rtnl_release();
    assert_string_equal(name, "t0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(moved, up, down),
        cmocka_unit_test_setup_teardown(moved_again, up, down),
        cmocka_unit_test_setup_teardown(moved_among_others, up, down),
        cmocka_unit_test_setup_teardown(deleted_abroad, up, down),
        cmocka_unit_test_setup_teardown(port_goes_meanwhile, up, down),
        cmocka_unit_test_setup_teardown(switch_ends_meanwhile, up, down),
        cmocka_unit_test_setup_teardown(asked_for, up, down),
        cmocka_unit_test_setup_teardown(first_of_a_namespace, up, down),
        cmocka_unit_test_setup_teardown(none_left_to_ask, up, down),
        cmocka_unit_test_setup_teardown(after_a_loss, up, down),
        cmocka_unit_test_setup_teardown(name_of_another, up, down),
        cmocka_unit_test_setup_teardown(number_and_name, up, down),
    };
    int rc;

    netrig_start();
    rtnl_start();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    rtnl_end();
    return rc;
}
