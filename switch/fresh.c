/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port that the spanning tree opens begins with queues that are empty: what
 * they hold may have come while it was shut, and gone another way meanwhile.
 * The workers that own them are asked to read them (turn_freshen), once the
 * view that opens the port is out.
 */
#include "switch/bridge.h"

static void freshen_run(struct mail *m, struct ev_loop *loop)
{
    struct queue *q =
        (struct queue *)(void *)((char *)m - offsetof(struct queue, freshen));

    (void)loop;
    turn_freshen(&q->in, q->fresh_opened);
}

static void freshen_answered(struct message *m);

/*
 * The worker's mail is in order: the port is not detached, and so not gone,
 * before this one has been answered.  The control thread's own queue has
 * protocol frames only: an old BPDU is no worse for being read, and there are
 * no two ways by which another could have come.
 */
static void freshen_queue(struct queue *q)
{
    if (!q->attached || q->freshening)
        return;
    if (!q->worker) {
        q->in.fresh = q->in.asked = q->p->opened_out;
        return;
    }
    q->freshening = true;
    q->fresh_opened = q->p->opened_out;
    q->freshen.run = freshen_run;
    q->freshen.done.run = freshen_answered;
    worker_mail(q->worker, &q->freshen);
}

static void freshen_answered(struct message *m)
{
    struct queue *q =
        (struct queue *)(void *)((char *)m -
                                 offsetof(struct queue, freshen.done));

    q->freshening = false;
    if (q->p->life != LIFE_RUNNING)
        return;
    if (q->fresh_opened != q->p->opened_out)
        freshen_queue(q);
    observe_state(q->p);
}

void life_freshen(struct bport *p)
{
    p->opened_out = p->opened;
    if (p->life != LIFE_RUNNING)
        return;
    for (unsigned i = 0; i <= PORT_QUEUE_PROTO; i++)
        freshen_queue(&p->queue[i]);
}
