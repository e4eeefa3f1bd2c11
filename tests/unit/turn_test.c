/* SPDX-License-Identifier: BSD-2-Clause */
/* The turn's dealings with a queue whose device has died under it. */
#include "switch/turn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Only its address matters: a kind's detach would hand it to libev. */
static char loop_there;
#define LOOP ((struct ev_loop *)(void *)&loop_there)

static unsigned received, detached;
static int answer;

static int rx(struct port *p, unsigned queue, struct batch *b, unsigned budget)
{
    (void)p;
    (void)queue;
    (void)b;
    (void)budget;
    received++;
    return answer;
}

static void detach(struct port *p, struct port_queue *q, struct ev_loop *loop)
{
    assert_ptr_equal(q->port, p);
    assert_ptr_equal(loop, LOOP);
    detached++;
}

static const struct port_ops ops = {.rx = rx, .detach = detach};

static void turn(int rc)
{
    static const _Atomic bool observed;
    struct forwarder *f = aligned_alloc(64, (sizeof(*f) + 63) & ~(size_t)63);
    struct lane *lane = aligned_alloc(64, (sizeof(*lane) + 63) & ~(size_t)63);
    struct port port = {.ops = &ops};
    struct ingress in = {.q = {.port = &port}, .fwd = f, .lane = lane, .no = 1};

    assert_non_null(f);
    assert_non_null(lane);
    memset(lane, 0, sizeof(*lane));
    assert_int_equal(turn_fwd_init(f, 1, &observed), 0);
    f->loop = LOOP;
    received = detached = 0;
    answer = rc;
    turn_ready(&in.q);
    assert_int_equal(turn_run(f), 0);
    assert_int_equal(received, 1);
    assert_false(turn_pending(f));
    turn_fwd_free(f);
    free(lane);
    free(f);
}

/*
 * A deleted tap looks readable for ever.  The forwarder stops watching it by
 * itself, or it would spin until the control thread comes to it.
 */
static void dead_queue_is_left(void **state)
{
    (void)state;
    turn(-ENODEV);
    assert_int_equal(detached, 1);
}

static void empty_queue_is_kept(void **state)
{
    (void)state;
    turn(0);
    assert_int_equal(detached, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_queue_is_left),
        cmocka_unit_test(empty_queue_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
