/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/job.h"

#include "base/rcu.h"

#include <assert.h>
#include <stddef.h>

static struct job *next_job(struct jobs *q)
{
    struct job *j;

    pthread_mutex_lock(&q->lock);
    while (!q->head && !q->stop)
        pthread_cond_wait(&q->more, &q->lock);
    j = q->head;
    if (j) {
        q->head = j->next;
        if (!q->head)
            q->tail = &q->head;
    }
    pthread_mutex_unlock(&q->lock);
    return j;
}

static void *run(void *arg)
{
    struct jobs *q = arg;
    struct job *j;

    rcu_thread_enter();
    rcu_offline();
    while ((j = next_job(q))) {
        j->work(j);
        inbox_post(q->inbox, &j->done);
    }
    rcu_thread_leave();
    return NULL;
}

int jobs_start(struct jobs *q, struct inbox *inbox, unsigned threads,
               struct err *e)
{
    int rc = 0;

    assert(threads >= 1 && threads <= JOBS_THREADS_MAX);
    q->n_threads = 0;
    q->inbox = inbox;
    q->stop = false;
    q->head = NULL;
    q->tail = &q->head;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->more, NULL);
    while (rc == 0 && q->n_threads < threads) {
        rc = pthread_create(&q->thread[q->n_threads], NULL, run, q);
        q->n_threads += rc == 0;
    }
    if (rc == 0)
        return 0;
    jobs_stop(q);
    return err_sys(e, rc, "job thread");
}

void jobs_stop(struct jobs *q)
{
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_broadcast(&q->more);
    pthread_mutex_unlock(&q->lock);
    while (q->n_threads > 0)
        pthread_join(q->thread[--q->n_threads], NULL);
    pthread_cond_destroy(&q->more);
    pthread_mutex_destroy(&q->lock);
}

void jobs_add(struct jobs *q, struct job *j)
{
    pthread_mutex_lock(&q->lock);
    j->next = NULL;
    *q->tail = j;
    q->tail = &j->next;
    pthread_cond_signal(&q->more);
    pthread_mutex_unlock(&q->lock);
}
