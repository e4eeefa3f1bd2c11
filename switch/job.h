/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads for what may block: opening and closing devices, waiting for grace
 * periods.  Jobs are begun in order; with one thread they also end in order.
 * Each one's answer is a message to the control thread.
 *
 * Closing a device is mostly waiting for the kernel, which lets many wait at
 * once; a port has one job at a time, so its own stay in order.
 *
 * Threads: jobs_add control (or any); work() on a job thread; done.run() on
 * the control thread.
 */
#ifndef SWITCH_JOB_H
#define SWITCH_JOB_H

#include "base/err.h"
#include "switch/inbox.h"

struct job {
    struct job *next;
    void (*work)(struct job *j);
    struct message done; /* done.run is set by whoever adds the job */
};

#define JOBS_THREADS_MAX 16

struct jobs {
    pthread_t thread[JOBS_THREADS_MAX];
    unsigned n_threads;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *head, **tail;
    struct inbox *inbox;
    bool stop;
};

/* 0 or -errno with a sentence and no thread left. */
int jobs_start(struct jobs *q, struct inbox *inbox, unsigned threads,
               struct err *e);
/* Finishes what has been added, then ends the threads.  Blocks. */
void jobs_stop(struct jobs *q);

/* 'j' belongs to the queue until its message runs. */
void jobs_add(struct jobs *q, struct job *j);

#endif
