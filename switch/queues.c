/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues of a port find workers, which begin to read them, and let go of them
 * again.
 */
#include "switch/life.h"

static struct queue *of_mail(struct mail *m)
{
    return (struct queue *)(void *)((char *)m - offsetof(struct queue, mail));
}

static struct queue *of_mail_done(struct message *m)
{
    return (struct queue *)(void *)((char *)m -
                                    offsetof(struct queue, mail.done));
}

/* The owner of the queue runs it and answers; of the control thread's own we
 * are that. */
static void send(struct queue *q,
                 void (*run)(struct mail *m, struct ev_loop *loop),
                 void (*answered)(struct message *m))
{
    struct sw *sw = q->p->b->sw;

    q->mail.run = run;
    q->mail.done.run = answered;
    q->p->outstanding++;
    if (q->worker) {
        worker_mail(q->worker, &q->mail);
    } else {
        run(&q->mail, sw->loop);
        inbox_post(&sw->inbox, &q->mail.done);
    }
}

/* ---- attaching ---- */

static void attach_run(struct mail *m, struct ev_loop *loop)
{
    struct queue *q = of_mail(m);
    struct port *port = q->in.q.port;

    q->rc = port->ops->attach(port, &q->in.q, loop);
}

static void attach_answered(struct message *m)
{
    struct queue *q = of_mail_done(m);
    struct bport *p = q->p;

    if (q->rc && !p->port->failed && !p->job_rc) {
        p->job_rc = q->rc;
        err_sys(&p->job_err, q->rc, "port %s: starting queue %u",
                p->port->spec.name, q->in.q.index);
    }
    if (--p->outstanding == 0)
        life_attached(p);
}

static struct worker *least_busy(struct sw *sw)
{
    struct worker *w = sw->worker[0];

    for (unsigned i = 1; i < sw->n_workers; i++)
        if (sw->worker[i]->queues < w->queues)
            w = sw->worker[i];
    return w;
}

static void queue_init(struct bport *p, unsigned index, struct worker *w)
{
    struct queue *q = &p->queue[index];
    struct forwarder *fwd = w ? &w->fwd : p->b->sw->fwd;

    q->p = p;
    q->worker = w;
    q->in = (struct ingress){
        .q = {.port = p->port, .index = index, .ready = turn_ready},
        .fwd = fwd,
        .plane = &p->b->plane,
        .lane = &p->lane[fwd->ctx],
        .no = p->no,
        .fresh = p->opened,
        .asked = p->opened,
    };
    q->attached = true;
    if (w)
        w->queues++;
}

/* 'w' NULL: the control thread's. */
static void attach_queue(struct bport *p, unsigned index, struct worker *w)
{
    queue_init(p, index, w);
    send(&p->queue[index], attach_run, attach_answered);
}

void queues_attach(struct bport *p)
{
    unsigned n = p->port->n_queues;

    if (n > PORT_QUEUES_MAX)
        n = PORT_QUEUES_MAX;
    for (unsigned i = 0; i < n; i++)
        attach_queue(p, i, least_busy(p->b->sw));
    if (p->caps.proto_queue)
        attach_queue(p, PORT_QUEUE_PROTO, NULL);
}

/* ---- detaching ---- */

static void detach_run(struct mail *m, struct ev_loop *loop)
{
    struct queue *q = of_mail(m);
    struct port *port = q->in.q.port;

    port->ops->detach(port, &q->in.q, loop);
    turn_forget(&q->in);
}

static void detach_answered(struct message *m)
{
    struct queue *q = of_mail_done(m);
    struct bport *p = q->p;

    q->attached = false;
    if (q->worker)
        q->worker->queues--;
    if (--p->outstanding == 0)
        life_detached(p);
}

void queues_detach(struct bport *p)
{
    for (unsigned i = 0; i <= PORT_QUEUE_PROTO; i++)
        if (p->queue[i].attached)
            send(&p->queue[i], detach_run, detach_answered);
}
