/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The owner's blocking work.  It has a thread of its own: a DHCP client that
 * takes seconds to start must not keep devices from opening.
 */
#include "switch/bridge.h"

#include <errno.h>
#include <stdlib.h>

struct task {
    struct job job;
    struct sw *sw;
    sw_work work;
    sw_done done;
    void *arg;
    int rc;
    struct err e;
};

static struct task *task_of(struct job *j)
{
    return (struct task *)(void *)((char *)j - offsetof(struct task, job));
}

static void task_work(struct job *j)
{
    struct task *t = task_of(j);

    t->rc = t->work(t->arg, &t->e);
}

static void task_done(struct message *m)
{
    struct job *j =
        (struct job *)(void *)((char *)m - offsetof(struct job, done));
    struct task *t = task_of(j);

    t->sw->n_tasks--;
    if (t->done)
        t->done(t->arg, t->rc, &t->e);
    free(t);
}

int sw_job(struct sw *sw, sw_work work, sw_done done, void *arg)
{
    struct task *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    *t = (struct task){
        .job = {.work = task_work, .done = {.run = task_done}},
        .sw = sw,
        .work = work,
        .done = done,
        .arg = arg,
    };
    sw->n_tasks++;
    jobs_add(&sw->tasks, &t->job);
    return 0;
}
