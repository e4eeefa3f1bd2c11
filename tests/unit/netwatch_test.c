/* SPDX-License-Identifier: BSD-2-Clause */
/* Following links: every kind of change, several namespaces, lost messages. */
#include "ports/netwatch.h"

#include "base/clock.h"
#include "tests/lib/netrig.h"

#include <ev.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What has been told of one name; names are unique in a test. */
struct seen {
    uint64_t netns;
    unsigned told;
    char name[IFNAMSIZ];
    struct link_change c;
};

static struct {
    struct ev_loop *loop;
    struct netwatch *w;
    struct seen seen[64];
    unsigned n;
    unsigned told;
    struct netwatch_ns *drop; /* remove it from within the call */
} rig;

static struct seen *seen_of(const char *name, int ifindex)
{
    for (unsigned i = 0; i < rig.n; i++)
        if (*name ? strcmp(rig.seen[i].name, name) == 0
                  : rig.seen[i].c.ifindex == ifindex)
            return &rig.seen[i];
    assert_true(rig.n < 64);
    snprintf(rig.seen[rig.n].name, IFNAMSIZ, "%s", name);
    return &rig.seen[rig.n++];
}

static void on_change(void *arg, uint64_t netns, const struct link_change *c)
{
    struct seen *s = seen_of(c->ifname, c->ifindex);

    assert_ptr_equal(arg, &rig);
    assert_true(netns == c->netns);
    s->netns = netns;
    s->told++;
    s->c = *c;
    s->c.ifname = s->name;
    rig.told++;
    netwatch_remove(rig.drop);
    rig.drop = NULL;
}

static int setup(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.loop = ev_loop_new(EVBACKEND_EPOLL);
    rig.w = netwatch_new(rig.loop, on_change, &rig);
    return rig.loop && rig.w ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    netwatch_free(rig.w);
    ev_loop_destroy(rig.loop);
    return 0;
}

static struct netwatch_ns *add(int ns)
{
    struct netwatch_ns *n;
    struct err e = {""};
    int rc;

    n = netwatch_add(rig.w, ns, &rc, &e);
    if (!n)
        fail_msg("netwatch_add: %d, %s", rc, e.text);
    return n;
}

static void on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)t;
    (void)revents;
    ev_break(loop, EVBREAK_ONE);
}

static void turn(double seconds)
{
    ev_timer t;

    ev_timer_init(&t, on_timer, seconds, 0);
    ev_now_update(rig.loop);
    ev_timer_start(rig.loop, &t);
    ev_run(rig.loop, EVRUN_ONCE);
    ev_timer_stop(rig.loop, &t);
}

/* Runs the loop until 'cond' holds of what was told of 'name'. */
#define expect(name_, cond)                                                    \
    do {                                                                       \
        uint64_t end_ = clock_now() + 20 * NSEC_PER_SEC;                       \
        const struct seen *s = seen_of(name_, 0);                              \
        while (!(s->told && (cond)) && clock_now() < end_)                     \
            turn(0.05);                                                        \
        if (!(s->told && (cond)))                                              \
            fail_msg("%s: not seen: %s", name_, #cond);                        \
    } while (0)

/* Lets everything that is under way arrive. */
static void quiet(void)
{
    unsigned before;

    do {
        before = rig.told;
        turn(0.1);
    } while (rig.told != before);
}

static void every_change(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add va type veth peer name vb");
    add(ns);
    expect("va", !s->c.up && !s->c.gone);
    assert_true(seen_of("va", 0)->netns == netns_id(ns));

    netrig_do(ns, "ip link set va up");
    expect("va", s->c.up && !s->c.carrier);
    netrig_do(ns, "ip link set vb up");
    expect("va", s->c.up && s->c.carrier);
    netrig_do(ns, "ip link set va mtu 1400");
    expect("va", s->c.mtu == 1400);
    netrig_do(ns, "ip link set va address 02:00:00:00:12:34");
    expect("va", mac_to_u64(&s->c.mac) == 0x020000001234);
    netrig_do(ns, "ip link set vb down");
    expect("va", s->c.up && !s->c.carrier);

    /* A bridge's word on its ports is not about the links themselves. */
    netrig_do(ns, "ip link add br0 type bridge; ip link set va master br0");
    expect("va", s->c.master != 0);
    netrig_do(ns, "ip link set va nomaster");
    expect("va", s->c.master == 0);
    quiet();
    assert_false(seen_of("va", 0)->c.gone);

    netrig_do(ns, "ip link del va");
    expect("va", s->c.gone && !s->c.moved);
    expect("vb", s->c.gone);
    close(ns);
}

static void moving_is_told(void **state)
{
    int ns = netrig_ns(), other = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add va type veth peer name vb");
    add(ns);
    expect("va", !s->c.gone);
    netrig_do(ns, "ip link set va netns %s", netrig_path(other));
    expect("va", s->c.gone && s->c.moved);
    add(other);
    expect("va", !s->c.gone && s->netns == netns_id(other));
    close(ns);
    close(other);
}

static void users_are_counted(void **state)
{
    struct netwatch_ns *first, *second;
    int ns = netrig_ns();

    (void)state;
    first = add(ns);
    second = add(ns);
    assert_ptr_equal(first, second);
    netwatch_remove(first);
    netrig_do(ns, "ip link add va type veth peer name vb");
    expect("va", !s->c.gone);
    netwatch_remove(second);
    netrig_do(ns, "ip link del va");
    quiet();
    assert_false(seen_of("va", 0)->c.gone);
    netwatch_remove(NULL);
    close(ns);
}

static void user_may_leave_inside_the_call(void **state)
{
    int ns = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add va type veth peer name vb");
    rig.drop = add(ns);
    quiet();
    assert_int_equal(rig.told, 1);
    close(ns);
}

/* Many namespaces at once, each with devices of the same numbers; each tells
 * of its own, and its end is told although we have nothing open in it. */
static void namespaces_do_not_mix(void **state)
{
    struct netwatch_ns *w[8];
    uint64_t id[8];
    int ns[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        ns[i] = netrig_ns();
        id[i] = netns_id(ns[i]);
        netrig_do(ns[i], "ip link add va%u type veth peer name vb%u", i, i);
        w[i] = add(ns[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        char name[8];

        snprintf(name, sizeof(name), "va%u", i);
        expect(name, !s->c.gone && !s->c.up && s->netns == id[i]);
        netrig_do(ns[i], "ip link set va%u mtu %u up", i, 1300 + i);
        expect(name, s->c.up && s->c.mtu == 1300 + i && s->netns == id[i]);
        quiet();
        for (unsigned j = 0; j < rig.n; j++)
            assert_false(rig.seen[j].c.gone);
    }
    for (unsigned i = 0; i < 8; i += 2) {
        char name[8];

        snprintf(name, sizeof(name), "va%u", i);
        close(ns[i]);
        expect(name, s->c.gone && s->netns == id[i]);
        snprintf(name, sizeof(name), "vb%u", i);
        expect(name, s->c.gone && s->netns == id[i]);
    }
    /* The numbers of the dead may be given to the new. */
    for (unsigned i = 0; i < 8; i += 2) {
        struct netwatch_ns *again;

        ns[i] = netrig_ns();
        netrig_do(ns[i], "ip link add vn%u type veth peer name vm%u", i, i);
        again = add(ns[i]);
        netwatch_remove(w[i]);
        w[i] = again;
    }
    expect("vn6", !s->c.gone && s->netns == netns_id(ns[6]));
    expect("vn0", !s->c.gone && s->netns == netns_id(ns[0]));
    quiet();
    assert_false(seen_of("va1", 0)->c.gone || seen_of("va7", 0)->c.gone);
    for (unsigned i = 0; i < 8; i++) {
        netwatch_remove(w[i]);
        close(ns[i]);
    }
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

static void nothing_is_missed_after_a_loss(void **state)
{
    const unsigned changes = 8000;
    int ns = netrig_ns();

    (void)state;
    netrig_do(ns, "ip link add va type veth peer name vb; "
                  "ip link add vc type veth peer name vd");
    add(ns);
    expect("vd", !s->c.gone);
    expect("va", !s->c.gone);
    quiet();
    /* The loop stands still meanwhile, as a busy control thread would. */
    storm(ns, "va", 20);
    netrig_do(ns, "ip link add brief type veth peer name short");
    storm(ns, "va", changes);
    netrig_do(ns, "ip link del brief; ip link del vc; ip link set va mtu 1234; "
                  "ip link add late type veth peer name later");
    expect("vc", s->c.gone);
    expect("vd", s->c.gone);
    expect("va", s->c.mtu == 1234);
    expect("late", !s->c.gone);
    /* That it came is told after the loss is, and that it went is lost. */
    expect("brief", s->c.gone);
    /* Else the buffer was large enough, and this has shown nothing. */
    assert_true(rig.told < changes);
    close(ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_change, setup, teardown),
        cmocka_unit_test_setup_teardown(moving_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(users_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(user_may_leave_inside_the_call, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(namespaces_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_missed_after_a_loss, setup,
                                        teardown),
    };

    netrig_start();
    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
