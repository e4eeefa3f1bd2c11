/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread for what may block: opening and closing devices, waiting for grace
 * periods.  Jobs run in order; each one's answer is a message to the control
 * thread.
 *
 * Threads: jobs_add control (or any); work() on the job thread; done.run() on
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

struct jobs {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *head, **tail;
    struct inbox *inbox;
    bool stop;
};

/* 0 or -errno with a sentence. */
int jobs_start(struct jobs *q, struct inbox *inbox, struct err *e);
/* Finishes what has been added, then ends the thread.  Blocks. */
void jobs_stop(struct jobs *q);

/* 'j' belongs to the queue until its message runs. */
void jobs_add(struct jobs *q, struct job *j);

#endif
