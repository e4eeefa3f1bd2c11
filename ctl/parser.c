/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/parser.h"

#include <signal.h>

static struct parse_job *take(struct parser *p)
{
    struct parse_job *j;

    pthread_mutex_lock(&p->lock);
    while (STAILQ_EMPTY(&p->todo) && !p->ending)
        pthread_cond_wait(&p->work, &p->lock);
    j = STAILQ_FIRST(&p->todo);
    if (j)
        STAILQ_REMOVE_HEAD(&p->todo, next);
    pthread_mutex_unlock(&p->lock);
    return j;
}

static void give(struct parser *p, struct parse_job *j)
{
    pthread_mutex_lock(&p->lock);
    STAILQ_INSERT_TAIL(&p->finished, j, next);
    pthread_mutex_unlock(&p->lock);
    ev_async_send(p->loop, &p->woken);
}

static void *run(void *arg)
{
    struct parser *p = arg;
    struct parse_job *j;

    while ((j = take(p)) != NULL) {
        j->rc = rpc_parse(j->line, j->n, &j->request, &j->error);
        give(p, j);
    }
    return NULL;
}

static void deliver(struct parser *p)
{
    struct parse_queue q = STAILQ_HEAD_INITIALIZER(q);
    struct parse_job *j;

    pthread_mutex_lock(&p->lock);
    STAILQ_CONCAT(&q, &p->finished);
    pthread_mutex_unlock(&p->lock);
    while ((j = STAILQ_FIRST(&q)) != NULL) {
        STAILQ_REMOVE_HEAD(&q, next);
        p->done(j);
    }
}

static void on_woken(struct ev_loop *loop, ev_async *w, int revents)
{
    (void)loop;
    (void)revents;
    deliver(w->data);
}

void parser_init(struct parser *p, struct ev_loop *loop,
                 void (*done)(struct parse_job *j))
{
    p->loop = loop;
    p->done = done;
    p->running = p->ending = false;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    STAILQ_INIT(&p->todo);
    STAILQ_INIT(&p->finished);
    ev_async_init(&p->woken, on_woken);
    p->woken.data = p;
    ev_async_start(loop, &p->woken);
}

/* Signals are the control thread's. */
static int start(struct parser *p)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    p->running = rc == 0;
    return -rc;
}

int parser_submit(struct parser *p, struct parse_job *j)
{
    int rc = p->running ? 0 : start(p);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&p->lock);
    STAILQ_INSERT_TAIL(&p->todo, j, next);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

void parser_end(struct parser *p)
{
    if (p->running) {
        pthread_mutex_lock(&p->lock);
        p->ending = true;
        pthread_cond_signal(&p->work);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
        p->running = false;
    }
    deliver(p);
    ev_async_stop(p->loop, &p->woken);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
}
