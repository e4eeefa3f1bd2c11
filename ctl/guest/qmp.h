/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's control socket (QMP), as a client that never blocks.
 *
 * Commands are answered in the order they were given; events come between.
 * The functions of 'struct qmp_user' may close it.
 *
 * Threads: control thread.
 */
#ifndef CTL_GUEST_QMP_H
#define CTL_GUEST_QMP_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct ev_loop;
struct qmp;

struct qmp_user {
    /* It has greeted and takes commands. */
    void (*ready)(void *arg);
    void (*event)(void *arg, const char *name, const json_t *data);
    /* The other end has gone, or talks nonsense; qmp_close is next. */
    void (*closed)(void *arg);
    void *arg;
};

/* 0, or -errno with a sentence. */
int qmp_open(struct qmp **q, struct ev_loop *loop, const char *path,
             const struct qmp_user *user, struct err *e);
/* No answer comes any more.  NULL is fine. */
void qmp_close(struct qmp *q);

/* Takes what has come, without waiting for the loop.  False: there was nothing,
 * or it is closed. */
bool qmp_hear(struct qmp *q);

/*
 * 'result' NULL: it said no, 'text' is its sentence.  Not called when the
 * connection ends before.
 */
typedef void (*qmp_answer)(void *arg, const json_t *result, const char *text);

/* 'arguments' is taken over; NULL: none.  'answer' may be NULL.  What comes
 * before it takes commands is sent then.  -errno: it could not be sent. */
int qmp_command(struct qmp *q, const char *name, json_t *arguments,
                qmp_answer answer, void *arg);

#endif
