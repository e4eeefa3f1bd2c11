/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading long requests beside the control loop: a megabyte of JSON takes
 * tens of milliseconds, which nobody else should wait for.  The thread is
 * started by the first long request.
 *
 * Threads: control thread; the thread made here runs rpc_parse only.
 */
#ifndef CTL_PARSER_H
#define CTL_PARSER_H

#include "ctl/rpc.h"

#include <ev.h>
#include <pthread.h>
#include <sys/queue.h>

/* A line at least this long is for the parser; a shorter one takes less than
 * it costs to hand it over and wait. */
#define PARSER_LINE_MIN (8UL << 10)

struct parse_job {
    char *line; /* the caller's, until the job is done */
    size_t n;
    struct rpc_request request;
    struct rpc_error error;
    int rc; /* rpc_parse's */
    /* The caller's; the parser does not look at them. */
    void *server, *owner;
    size_t cap;
    STAILQ_ENTRY(parse_job) next;
};
STAILQ_HEAD(parse_queue, parse_job);

struct parser {
    struct ev_loop *loop;
    ev_async woken;
    void (*done)(struct parse_job *j);
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* held for list operations only */
    pthread_cond_t work;
    struct parse_queue todo, finished;
    bool ending;
};

/* done() is called on the control thread, from the loop, for each job. */
void parser_init(struct parser *p, struct ev_loop *loop,
                 void (*done)(struct parse_job *j));

/* 0 or -errno: the thread cannot be started. */
int parser_submit(struct parser *p, struct parse_job *j);

/* Ends the thread; done() is called for all jobs that were submitted. */
void parser_end(struct parser *p);

#endif
