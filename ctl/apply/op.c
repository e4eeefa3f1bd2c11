/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations and their queue.
 */
#include "ctl/apply/op.h"

#include "ctl/config/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAUSE 0.005 /* s */

static void on_next(struct ev_loop *loop, ev_timer *w, int events)
{
    struct apply *a = w->data;
    struct op *op = TAILQ_FIRST(&a->queue);
    void (*resume)(struct op *) = op ? op->resume : NULL;

    (void)loop;
    (void)events;
    if (!op || a->ending)
        return;
    op->resume = NULL;
    if (resume)
        resume(op);
}

static void later(struct apply *a, double seconds)
{
    if (ev_is_active(&a->next) || a->ending)
        return;
    ev_timer_set(&a->next, seconds, 0.);
    ev_timer_start(a->loop, &a->next);
}

static void soon(struct apply *a)
{
    later(a, 0.);
}

void op_yield(struct op *op, void (*resume)(struct op *op))
{
    op->resume = resume;
    soon(op->a);
}

void op_pause(struct op *op, void (*resume)(struct op *op))
{
    op->resume = resume;
    later(op->a, PAUSE);
}

void op_queue_init(struct apply *a)
{
    TAILQ_INIT(&a->queue);
    ev_timer_init(&a->next, on_next, 0., 0.);
    a->next.data = a;
}

struct op *op_new(struct apply *a, void (*begin)(struct op *op), void *arg)
{
    struct op *op = calloc(1, sizeof(*op));

    if (!op)
        return NULL;
    op->a = a;
    op->begin = begin;
    op->arg = arg;
    return op;
}

/* ---- what takes long ---- */

/* NULL: it waits for no guest to stop. */
static const char *stops(const struct op *op)
{
    const struct step *s =
        !op->back && op->from < op->to ? &op->plan.step[op->from] : NULL;

    return s && (s->kind == STEP_GUEST_STOP || s->kind == STEP_GUEST_YIELD ||
                 s->kind == STEP_GUEST_LEAVE)
               ? s->port
               : NULL;
}

static void tell(const struct op *op, const struct op *first)
{
    const char *guest = stops(first);
    char text[400];

    if (!guest || !op->notice)
        return;
    snprintf(text, sizeof(text),
             "%.200s is being applied first, which waits for guest %s to stop",
             first->what, guest);
    op->notice(op->arg, text);
}

void op_tell(const struct op *op)
{
    const struct op *o = op;

    while ((o = TAILQ_NEXT(o, link)) != NULL)
        tell(o, op);
}

/* ---- the queue ---- */

/* A callback never comes from inside the call, so nothing begins here. */
void op_queue(struct op *op)
{
    struct apply *a = op->a;

    op->resume = op->begin;
    TAILQ_INSERT_TAIL(&a->queue, op, link);
    if (TAILQ_FIRST(&a->queue) == op)
        soon(a);
    else
        tell(op, TAILQ_FIRST(&a->queue));
}

void op_free(struct op *op)
{
    unconfirmed_over(op);
    if (op->a->ending && !op->back && op->to < op->plan.n)
        steps_leave_to_end(op);
    for (unsigned i = 0; i < op->plan.n; i++)
        step_free(&op->plan.step[i]);
    plan_free(&op->plan);
    running_free(op->running);
    want_free(op->want);
    if (op->hold)
        conf_hold_put(op->hold);
    else
        conf_free(op->conf);
    apply_request_free(op->req);
    free(op->text);
    free(op);
}

void op_over(struct op *op, bool keep)
{
    struct apply *a = op->a;

    TAILQ_REMOVE(&a->queue, op, link);
    if (!keep)
        op_free(op);
    if (!TAILQ_EMPTY(&a->queue))
        soon(a);
}

int op_copy(struct op *op)
{
    struct apply *a = op->a;

    op->running = running_new(a->sw);
    if (!op->running || running_copy_guests(op->running, a->guests))
        return -ENOMEM;
    running_copy_adopted(op->running, a->adopt);
    return away_copy(&a->away, op->running) || late_copy(&a->late, op->running)
               ? -ENOMEM
               : 0;
}

uint64_t op_netns(int fd)
{
    struct stat st;

    if ((fd >= 0 ? fstat(fd, &st) : stat("/proc/self/ns/net", &st)) < 0)
        return 0;
    return st.st_ino;
}

void apply_request_free(struct apply_request *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_files; i++) {
        free(r->file[i].name);
        free(r->file[i].text);
    }
    free(r->file);
    for (unsigned i = 0; i < r->n_named; i++) {
        free(r->named[i].text);
        close(r->named[i].fd);
    }
    free(r->named);
    for (unsigned i = 0; i < r->n_opened; i++) {
        free(r->opened[i].path);
        close(r->opened[i].fd);
    }
    free(r->opened);
    if (r->netns_fd >= 0)
        close(r->netns_fd);
    conf_free(r->conf);
    if (r->missing)
        want_missing_free(r->missing);
    free(r->missing);
    free(r);
}
