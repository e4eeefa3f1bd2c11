/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/portrig.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_NS (10 * NSEC_PER_SEC)

static void on_event(struct port *p, enum port_event ev, const char *reason)
{
    struct portrig *r = p->owner;

    r->events[ev]++;
    snprintf(r->last, sizeof(r->last), "%s", reason);
    ev_break(r->loop, EVBREAK_ONE);
}

static void on_ready(struct port_queue *q)
{
    struct portrig *r = q->port->owner;

    r->ready++;
    ev_break(r->loop, EVBREAK_ONE);
}

static int make(struct portrig *r, const char *spec, struct err *e)
{
    struct port_spec s;
    int rc = port_spec_parse(&s, spec, e);

    if (rc)
        return rc;
    r->port = port_new(&s, &rc, e);
    if (!r->port)
        return rc;
    r->port->owner = r;
    r->port->event = on_event;
    r->port->n_txctx = PORT_TXCTX_MAX;
    rc = r->port->ops->open(r->port, e);
    if (rc)
        port_free(r->port);
    return rc;
}

int portrig_try(struct portrig *r, const char *spec, struct err *e)
{
    int rc;

    memset(r, 0, sizeof(*r));
    e->text[0] = '\0';
    rc = make(r, spec, e);
    if (rc) {
        r->port = NULL;
        return rc;
    }
    r->loop = ev_loop_new(EVBACKEND_EPOLL);
    assert_non_null(r->loop);
    assert_int_equal(arena_init(&r->arena, 24U << 20), 0);
    r->b = (struct batch){.frame = r->frame, .arena = &r->arena};
    portrig_turn(r);
    r->q = (struct port_queue){r->port, 0, on_ready};
    assert_int_equal(r->port->ops->attach(r->port, &r->q, r->loop), 0);
    r->attached = true;
    return 0;
}

void portrig_open(struct portrig *r, const char *spec)
{
    struct err e;

    if (portrig_try(r, spec, &e))
        fail_msg("%s: %s", spec, e.text);
}

void portrig_shut(struct portrig *r)
{
    if (!r->attached)
        return;
    r->port->ops->detach(r->port, &r->q, r->loop);
    r->port->ops->close(r->port);
    r->attached = false;
}

void portrig_close(struct portrig *r)
{
    if (!r->port)
        return;
    portrig_shut(r);
    port_free(r->port);
    ev_loop_destroy(r->loop);
    arena_destroy(&r->arena);
    r->port = NULL;
}

/* ---- the loop ---- */

static void on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)t;
    (void)revents;
    ev_break(loop, EVBREAK_ONE);
}

void portrig_run(struct portrig *r, double seconds)
{
    ev_timer t;

    ev_timer_init(&t, on_timer, seconds, 0);
    ev_now_update(r->loop);
    ev_timer_start(r->loop, &t);
    ev_run(r->loop, EVRUN_ONCE);
    ev_timer_stop(r->loop, &t);
}

void portrig_wait(struct portrig *r, bool (*cond)(void *arg), void *arg,
                  const char *what)
{
    uint64_t end = clock_now() + LIMIT_NS;

    while (!cond(arg) && clock_now() < end)
        portrig_run(r, 0.01);
    if (!cond(arg))
        fail_msg("not within ten seconds: %s (last event: %s)", what, r->last);
}

struct wanted {
    struct portrig *r;
    enum port_event ev;
    unsigned n;
};

static bool has_event(void *arg)
{
    struct wanted *w = arg;

    /* a connection's end is found by reading */
    if (w->r->ready) {
        w->r->ready = 0;
        portrig_turn(w->r);
        (void)portrig_rx(w->r, PORTRIG_FRAMES);
    }
    return w->r->events[w->ev] >= w->n;
}

void portrig_event(struct portrig *r, enum port_event ev, unsigned n)
{
    struct wanted w = {r, ev, n};

    portrig_wait(r, has_event, &w, "event");
}

/* ---- frames ---- */

void portrig_turn(struct portrig *r)
{
    r->arena.used = 0;
    r->b.n = 0;
    r->b.max = PORTRIG_FRAMES;
    r->b.turn++;
    memset(r->b.lost, 0, sizeof(r->b.lost));
}

int portrig_rx(struct portrig *r, unsigned budget)
{
    return r->port->ops->rx(r->port, 0, &r->b, budget);
}

struct some {
    struct portrig *r;
    unsigned n;
};

static bool has_frames(void *arg)
{
    struct some *s = arg;
    struct portrig *r = s->r;

    /* as the switch does: again at once only after a full budget */
    while (r->ready && r->b.n < s->n) {
        unsigned budget = s->n - r->b.n;
        int got = portrig_rx(r, budget);

        assert_true(got >= 0);
        if ((unsigned)got < budget)
            r->ready = 0;
    }
    return r->b.n >= s->n;
}

void portrig_receive(struct portrig *r, unsigned n)
{
    struct some s = {r, n};

    portrig_turn(r);
    portrig_wait(r, has_frames, &s, "frames");
}

const uint8_t *portrig_octets(const struct frame *f, uint32_t *n)
{
    static uint8_t flat[FRAME_LEN_MAX];
    size_t at = 0;

    assert_int_equal(f->len, frame_iov_len(f));
    for (unsigned i = 0; i < f->nseg; i++) {
        memcpy(flat + at, f->seg[i].iov_base, f->seg[i].iov_len);
        at += f->seg[i].iov_len;
    }
    *n = f->len;
    return flat;
}

struct tx_result portrig_send(struct portrig *r, const void *octets, uint32_t n,
                              unsigned segs)
{
    struct frame f = {.len = n, .nseg = (uint16_t)segs};
    struct frame *list[] = {&f};
    struct tx_result res = {0};
    uint8_t *copy = malloc(n);
    uint32_t each = n / segs, at = 0;

    assert_non_null(copy);
    memcpy(copy, octets, n);
    for (unsigned i = 0; i < segs; i++) {
        uint32_t some = i + 1 == segs ? n - at : each;

        f.seg[i] = (struct iovec){copy + at, some};
        at += some;
    }
    r->port->ops->tx(r->port, 1, list, 1, &res);
    free(copy);
    return res;
}

void portrig_frame(uint8_t *to, uint32_t n, uint32_t mark)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = (uint8_t)(i * 7 + mark * 31 + (i >> 8) + n);
    if (n > 6)
        to[0] = to[6] = 2; /* one station's addresses */
}

/* ---- files ---- */

static char dir[64];

static void remove_dir(void)
{
    char cmd[100];

    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    if (system(cmd) != 0)
        fprintf(stderr, "cannot remove %s\n", dir);
}

const char *portrig_dir(void)
{
    if (!dir[0]) {
        snprintf(dir, sizeof(dir), "/tmp/bascule-test-XXXXXX");
        assert_non_null(mkdtemp(dir));
        atexit(remove_dir);
    }
    return dir;
}
