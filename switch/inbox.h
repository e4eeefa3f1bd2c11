/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the control thread: whoever has an answer embeds a message in
 * its own struct and posts it; the control thread runs it from its loop, in
 * order of posting, for at most a millisecond a turn.
 *
 * Threads: inbox_post and inbox_wake any (a short lock, no allocation);
 * the rest control.
 */
#ifndef SWITCH_INBOX_H
#define SWITCH_INBOX_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

struct message {
    struct message *next;
    void (*run)(struct message *m); /* control thread; may free m */
    bool queued;
};

struct inbox {
    struct ev_loop *loop;
    ev_async async;
    pthread_mutex_t lock;
    struct message *head, **tail;
    /* called once per wake-up, for sources that have no message */
    void (*poll)(struct inbox *box);
};

void inbox_init(struct inbox *box, struct ev_loop *loop,
                void (*poll)(struct inbox *box));
/* Messages that are still queued are not run. */
void inbox_free(struct inbox *box);

/* A message that is queued already stays where it is. */
void inbox_post(struct inbox *box, struct message *m);
void inbox_wake(struct inbox *box);
/* The message's memory is about to go: it will not run. */
void inbox_cancel(struct inbox *box, struct message *m);
/* Runs what is queued now. */
void inbox_drain(struct inbox *box);

#endif
