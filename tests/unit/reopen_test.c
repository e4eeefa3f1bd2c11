/* SPDX-License-Identifier: BSD-2-Clause */
/* A port of the switch whose device goes and comes back, for real. */
#include "tests/lib/netrig.h"
#include "tests/lib/rig.h"

#include "switch/bridge.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct rig r;

static int up(void **state)
{
    (void)state;
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_do(-1, "ip link set v0 up && ip link set v1 up");
    rig_up(&r, 1);
    assert_int_equal(rig_add(&r, "packet:v0"), 0);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_down(&r);
    netrig_run(-1, "ip link del v0 2>/dev/null");
    return 0;
}

static bool is_forwarding(void *p)
{
    return bport_forwarding(p);
}

static bool is_closing(void *p)
{
    return ((struct bport *)p)->life == LIFE_CLOSING;
}

static bool link_waits(void *arg)
{
    const struct bport *p = arg;

    return p->from_link && !p->link.gone && p->link.up;
}

/* Keeps the threads that close devices busy. */
static struct job blocker[JOBS_THREADS_MAX];
static sem_t go;
static unsigned blocked;

static void block(struct job *j)
{
    (void)j;
    sem_wait(&go);
}

static void unblocked(struct message *m)
{
    (void)m;
    blocked--;
}

static void block_all(void)
{
    sem_init(&go, 0, 0);
    for (blocked = 0; blocked < r.sw->devices.n_threads; blocked++) {
        struct job *j = &blocker[blocked];

        *j = (struct job){.work = block, .done.run = unblocked};
        jobs_add(&r.sw->devices, j);
    }
}

static bool none_blocked(void *arg)
{
    (void)arg;
    return blocked == 0;
}

static void unblock_all(void)
{
    for (unsigned i = r.sw->devices.n_threads; i > 0; i--)
        sem_post(&go);
    assert_true(rig_wait(&r, none_blocked, NULL));
    sem_destroy(&go);
}

/* All that is told of the new device comes while the old one is closed. */
static void back_before_it_was_closed(void **state)
{
    struct bport *p = rig_port(&r, "v0");
    bool closing, told;

    (void)state;
    assert_true(rig_wait(&r, is_forwarding, p));
    block_all();
    netrig_do(-1, "ip link del v0");
    closing = rig_wait(&r, is_closing, p);
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_do(-1, "ip link set v1 up && ip link set v0 up");
    told = rig_wait(&r, link_waits, p);
    rig_run(&r, 0.1);
    unblock_all();
    assert_true(closing && told);
    assert_true(rig_wait(&r, is_forwarding, p));
}

struct answer {
    bool come;
    int rc;
};

static void answered(void *arg, int rc, const struct err *e)
{
    *(struct answer *)arg = (struct answer){true, rc};
    (void)e;
}

static bool has_come(void *arg)
{
    return ((struct answer *)arg)->come;
}

static bool is_there(void *arg)
{
    (void)arg;
    return bport_find(r.b, "late0") != NULL;
}

/* A port may be added before its device is there, if that was asked for. */
static void added_before_its_device(void **state)
{
    struct answer a = {0};
    struct port_spec s;
    struct bport_info i;

    (void)state;
    assert_int_equal(rig_add(&r, "packet:late0"), -ENODEV);
    assert_int_equal(port_spec_parse(&s, "packet:late0", NULL), 0);
    s.netns_fd = -1;
    bport_add_absent(r.b, &s, answered, &a);
    assert_true(rig_wait(&r, has_come, &a));
    assert_int_equal(a.rc, 0);
    assert_true(is_there(NULL));
    bport_info(rig_port(&r, "late0"), &i);
    assert_true(i.failed);
    assert_non_null(strstr(i.why, "late0"));
    assert_int_equal(rig_set(&r, "late0", BPORT_FDB_LIMIT, 77), 0);
    netrig_do(-1, "ip link add late0 type veth peer name late1");
    netrig_do(-1, "ip link set late1 up && ip link set late0 up");
    assert_true(rig_wait(&r, is_forwarding, rig_port(&r, "late0")));
    bport_info(rig_port(&r, "late0"), &i);
    assert_int_equal(i.param[BPORT_FDB_LIMIT], 77);
    assert_int_equal(rig_del(&r, "late0"), 0);
    netrig_do(-1, "ip link del late0");
    /* and it can go while it waits */
    a.come = false;
    bport_add_absent(r.b, &s, answered, &a);
    assert_true(rig_wait(&r, has_come, &a));
    assert_int_equal(rig_del(&r, "late0"), 0);
    assert_false(is_there(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(back_before_it_was_closed, up, down),
        cmocka_unit_test_setup_teardown(added_before_its_device, up, down),
    };

    netrig_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
