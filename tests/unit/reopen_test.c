/* SPDX-License-Identifier: BSD-2-Clause */
/* A port of the switch whose device goes and comes back, for real. */
#include "tests/lib/netrig.h"
#include "tests/lib/rig.h"

#include "switch/bridge.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

/* Keeps the thread that closes devices busy. */
struct blocker {
    struct job job;
    sem_t go;
};

static void block(struct job *j)
{
    sem_wait(&((struct blocker *)j)->go);
}

static void unblocked(struct message *m)
{
    (void)m;
}

/* All that is told of the new device comes while the old one is closed. */
static void back_before_it_was_closed(void **state)
{
    struct bport *p = rig_port(&r, "v0");
    struct blocker b = {.job = {.work = block, .done.run = unblocked}};
    bool closing, told;

    (void)state;
    assert_true(rig_wait(&r, is_forwarding, p));
    sem_init(&b.go, 0, 0);
    jobs_add(&r.sw->devices, &b.job);
    netrig_do(-1, "ip link del v0");
    closing = rig_wait(&r, is_closing, p);
    netrig_do(-1, "ip link add v0 type veth peer name v1");
    netrig_do(-1, "ip link set v1 up && ip link set v0 up");
    told = rig_wait(&r, link_waits, p);
    rig_run(&r, 0.1);
    sem_post(&b.go);
    assert_true(closing && told);
    assert_true(rig_wait(&r, is_forwarding, p));
    sem_destroy(&b.go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(back_before_it_was_closed, up, down),
    };

    netrig_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
