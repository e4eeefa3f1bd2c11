/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker asks of the scheduler: the shortest slice, and nothing else is
 * changed.
 */
#include "tests/lib/rig.h"

#include "switch/bridge.h"
#include "switch/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/sched/types.h, which does not go together with pthread.h. */
struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static struct attr asked(void)
{
    struct attr a = {0};

    assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0), 0);
    return a;
}

/* An older kernel says nothing of slices. */
static void need_slices(void)
{
    if (asked().runtime == 0)
        skip();
}

static struct {
    struct mail mail;
    struct attr a;
    sem_t done;
} ask;

static void in_worker(struct mail *m, struct ev_loop *loop)
{
    (void)m;
    (void)loop;
    ask.a = asked();
    sem_post(&ask.done);
}

static void nothing(struct message *m)
{
    (void)m;
}

static void workers_ask(void **state)
{
    struct attr mine = asked();
    struct rig r;

    (void)state;
    need_slices();
    rig_up(&r, 1);
    sem_init(&ask.done, 0, 0);
    ask.mail.run = in_worker;
    ask.mail.done.run = nothing;
    worker_mail(r.sw->worker[0], &ask.mail);
    sem_wait(&ask.done);
    rig_run(&r, 0.01); /* its message has come back */
    assert_int_equal(ask.a.runtime, 100000);
    assert_int_equal(ask.a.policy, mine.policy);
    assert_int_equal(ask.a.nice, mine.nice);
    /* this thread is none */
    assert_int_equal(asked().runtime, mine.runtime);
    rig_down(&r);
    sem_destroy(&ask.done);
}

static void *batch(void *arg)
{
    const struct sched_param p = {0};
    struct attr *after = arg;

    assert_int_equal(pthread_setschedparam(pthread_self(), SCHED_BATCH, &p), 0);
    slice_shortest();
    *after = asked();
    return NULL;
}

static void a_policy_of_ones_own_stays(void **state)
{
    struct attr after;
    pthread_t t;

    (void)state;
    need_slices();
    assert_int_equal(pthread_create(&t, NULL, batch, &after), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(after.policy, SCHED_BATCH);
    assert_int_not_equal(after.runtime, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_ask),
        cmocka_unit_test(a_policy_of_ones_own_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
