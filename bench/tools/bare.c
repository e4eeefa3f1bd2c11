/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor under the switch: carries frames between two ports of Bascule's
 * own kinds and judges nothing.  What the switch needs beyond this is the
 * price of being a switch.
 *
 *   bare SPEC SPEC
 *
 * Says "ready" when both are open.  One thread; yields for 40 us after
 * traffic before it sleeps, as a worker does.
 */
#include "base/clock.h"
#include "ports/port.h"

#include <ev.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH   64
#define SPIN_NS (40 * NSEC_PER_USEC)
#define ARENA   (64UL << 20)
#define TXCTX   2

struct side {
    struct port *port;
    struct port_queue queue;
    bool ready;
};

static struct side side[2];
static struct frame frame[BATCH];
static struct arena arena;
static volatile sig_atomic_t ending;

static void on_event(struct port *p, enum port_event ev, const char *reason)
{
    (void)p;
    if (ev == PORT_EVENT_FAILED)
        fprintf(stderr, "bare: %s\n", reason);
}

static void on_ready(struct port_queue *q)
{
    side[q == &side[1].queue].ready = true;
}

static void on_signal(int number)
{
    (void)number;
    ending = 1;
}

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bare: %s: %s\n", what, e->text);
    exit(1);
}

static void open_side(struct side *s, const char *text, struct ev_loop *loop)
{
    struct port_spec spec;
    struct err e = {{0}};
    int rc;

    if (port_spec_parse(&spec, text, &e) < 0)
        die(text, &e);
    spec.netns_fd = -1;
    s->port = port_new(&spec, &rc, &e);
    if (!s->port)
        die(text, &e);
    s->port->event = on_event;
    s->port->n_txctx = TXCTX;
    if (s->port->ops->open(s->port, &e) < 0)
        die(text, &e);
    s->queue.port = s->port;
    s->queue.ready = on_ready;
    if (s->port->ops->attach(s->port, &s->queue, loop) < 0)
        die(text, &e);
}

static void close_side(struct side *s, struct ev_loop *loop)
{
    s->port->ops->detach(s->port, &s->queue, loop);
    s->port->ops->close(s->port);
    port_free(s->port);
}

/* One batch from one side to the other; how many frames. */
static unsigned carry(struct side *from, struct side *to)
{
    struct batch b = {.frame = frame, .max = BATCH, .arena = &arena};
    struct frame *list[BATCH];
    struct tx_result r;
    int n;

    arena.used = 0;
    n = from->port->ops->rx(from->port, 0, &b, BATCH);
    from->ready = n == BATCH;
    for (unsigned i = 0; i < b.n; i++)
        list[i] = &frame[i];
    if (b.n) {
        memset(&r, 0, sizeof(r));
        to->port->ops->tx(to->port, 1, list, b.n, &r);
    }
    return b.n;
}

static void forward(struct ev_loop *loop)
{
    uint64_t last = 0;

    while (!ending) {
        unsigned n = 0;

        if (side[0].ready)
            n += carry(&side[0], &side[1]);
        if (side[1].ready)
            n += carry(&side[1], &side[0]);
        if (n) {
            last = clock_now();
        } else if (clock_now() - last < SPIN_NS) {
            sched_yield();
        } else {
            ev_run(loop, EVRUN_ONCE);
            continue;
        }
        ev_run(loop, EVRUN_NOWAIT);
    }
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);

    if (argc != 3) {
        fprintf(stderr, "usage: bare SPEC SPEC\n");
        return 2;
    }
    if (!loop || arena_init(&arena, ARENA) < 0) {
        fprintf(stderr, "bare: no memory\n");
        return 1;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    open_side(&side[0], argv[1], loop);
    open_side(&side[1], argv[2], loop);
    puts("ready");
    fflush(stdout);
    forward(loop);
    close_side(&side[0], loop);
    close_side(&side[1], loop);
    arena_destroy(&arena);
    return 0;
}
