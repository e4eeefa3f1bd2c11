/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a tap's netdev is.  It may be moved to any namespace, and only its
 * descriptor tells which that is: a request that waits for the kernel's lock of
 * all interfaces.  So a job asks; until it has answered, the port goes by what
 * was known before.
 *
 * The port is lent to the job: its descriptor is not closed before the job has
 * ended.  What is told while a job is out makes it begin anew.
 */
#include "switch/bridge.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- following it ---- */

static struct bport *of_job(struct job *j)
{
    return (struct bport *)(void *)((char *)j -
                                    offsetof(struct bport, home.job));
}

static struct bport *of_done(struct message *m)
{
    return (struct bport *)(void *)((char *)m -
                                    offsetof(struct bport, home.job.done));
}

static void work(struct job *j)
{
    struct bport *p = of_job(j);

    tap_find(p->port, &p->home.place);
}

/* The links of another namespace are to be watched. */
static void rewatch(struct bport *p)
{
    struct netwatch_ns *old = p->watch;
    struct err e = {{0}};
    int rc = 0;

    p->netns = p->port->netns;
    p->watch =
        netwatch_add(p->b->sw->netwatch, p->home.place.netns_fd, &rc, &e);
    netwatch_remove(old);
    if (p->watch) {
        p->home.again = true; /* what it was before that is not told */
        return;
    }
    tap_unwatched(p->port);
    log_warn("bridge %s: port %s moved to a namespace whose links cannot be "
             "watched: %s",
             p->b->name, p->port->spec.name, e.text);
}

static void take(struct bport *p)
{
    if (!tap_found(p->port, &p->home.place) || p->port->failed)
        return;
    if (p->watch && p->port->netns != p->netns)
        rewatch(p);
    life_describe(p);
}

static void done(struct message *m)
{
    struct bport *p = of_done(m);
    struct home *h = &p->home;

    h->out = false;
    if (p->life == LIFE_RUNNING && !p->port->failed)
        take(p);
    if (h->place.netns_fd >= 0)
        close(h->place.netns_fd);
    if (h->again)
        home_ask(p);
    life_give_back(p);
}

void home_ask(struct bport *p)
{
    struct home *h = &p->home;

    h->again = h->out;
    if (h->out || p->life != LIFE_RUNNING || p->port->failed ||
        p->port->kind != &port_kind_tap)
        return;
    h->out = true;
    h->job.work = work;
    h->job.done.run = done;
    tap_ask(p->port, &h->place);
    life_lend(p);
    jobs_add(&p->b->sw->settings, &h->job);
}

/* ---- for somebody else ---- */

struct netns_question {
    struct job job;
    struct bport *p;
    int *fd;
    sw_done done;
    void *arg;
};

static struct netns_question *question_of(struct job *j)
{
    return (
        struct netns_question *)(void *)((char *)j -
                                         offsetof(struct netns_question, job));
}

static void netns_work(struct job *j)
{
    struct netns_question *q = question_of(j);
    int fd = tap_netns(q->p->port);

    *q->fd = fd < 0 ? -1 : fd;
}

static void netns_done(struct message *m)
{
    struct job *j =
        (struct job *)(void *)((char *)m - offsetof(struct job, done));
    struct netns_question *q = question_of(j);
    struct err none = {{0}};

    life_give_back(q->p);
    q->done(q->arg, 0, &none);
    free(q);
}

static void ask_netns(struct bport *p, int *fd, sw_done done_, void *arg)
{
    struct netns_question *q = calloc(1, sizeof(*q));
    struct err e;

    if (!q) {
        sw_answer(p->b->sw, done_, arg,
                  err_set(&e, ENOMEM, "port %s: no memory", p->port->spec.name),
                  &e);
        return;
    }
    *q = (struct netns_question){
        .job = {.work = netns_work, .done = {.run = netns_done}},
        .p = p,
        .fd = fd,
        .done = done_,
        .arg = arg,
    };
    life_lend(p);
    jobs_add(&p->b->sw->settings, &q->job);
}

void bport_netns(struct bport *p, int *fd, sw_done done_, void *arg)
{
    struct err none = {{0}};

    *fd = p->port->spec.netns_fd;
    if (p->port->kind == &port_kind_tap && p->life == LIFE_RUNNING) {
        ask_netns(p, fd, done_, arg);
        return;
    }
    if (*fd >= 0)
        *fd = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    sw_answer(p->b->sw, done_, arg, 0, &none);
}
