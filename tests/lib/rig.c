/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/rig.h"

#include "base/clock.h"
#include "ports/mem.h"
#include "switch/bridge.h"

#include <stdio.h>
#include <stdlib.h>

#define LIMIT_NS (10 * NSEC_PER_SEC)

static struct err last;

static void die(const char *what)
{
    fprintf(stderr, "rig: %s\n", what);
    abort();
}

void rig_answered(void *arg, int rc, const struct err *e)
{
    struct rig_answer *a = arg;

    a->come = true;
    a->rc = rc;
    last = *e;
}

bool rig_has_come(void *arg)
{
    return ((struct rig_answer *)arg)->come;
}

static void tick(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)w;
    (void)events;
}

bool rig_wait(struct rig *r, bool (*cond)(void *arg), void *arg)
{
    uint64_t end = clock_now() + LIMIT_NS;
    ev_timer t;

    ev_timer_init(&t, tick, 0.001, 0.001);
    ev_timer_start(r->loop, &t);
    while (!cond(arg) && clock_now() < end)
        ev_run(r->loop, EVRUN_ONCE);
    ev_timer_stop(r->loop, &t);
    return cond(arg);
}

static bool never(void *arg)
{
    return clock_now() >= *(uint64_t *)arg;
}

void rig_run(struct rig *r, double seconds)
{
    uint64_t end = clock_now() + (uint64_t)(seconds * 1e9);

    (void)rig_wait(r, never, &end);
    ev_run(r->loop, EVRUN_NOWAIT); /* we may have slept through all of it */
}

static int wait_answer(struct rig *r, struct rig_answer *a)
{
    if (a->come)
        die("a callback came from inside the call");
    if (!rig_wait(r, rig_has_come, a))
        die("a change was not answered");
    return a->rc;
}

void rig_up(struct rig *r, unsigned workers)
{
    struct sw_config c = {.workers = workers};
    struct err e = {{0}};

    for (unsigned i = 0; i < 8; i++)
        c.cpu[i] = -1;
    r->loop = ev_loop_new(EVBACKEND_EPOLL);
    c.loop = r->loop;
    if (sw_new(&r->sw, &c, &e))
        die(e.text);
    if (rig_add_bridge(r, "br0"))
        die(last.text);
    r->b = bridge_find(r->sw, "br0");
}

void rig_down(struct rig *r)
{
    sw_free(r->sw);
    ev_loop_destroy(r->loop);
}

const char *rig_error(void)
{
    return last.text;
}

int rig_add_bridge(struct rig *r, const char *name)
{
    struct bridge_config c = {.netns_fd = -1};
    struct rig_answer a = {0};

    snprintf(c.name, sizeof(c.name), "%s", name);
    bridge_add(r->sw, &c, rig_answered, &a);
    return wait_answer(r, &a);
}

int rig_add_to(struct rig *r, struct bridge *b, const char *text)
{
    struct port_spec s;
    struct rig_answer a = {0};

    if (port_spec_parse(&s, text, &last))
        die(last.text);
    bport_add(b, &s, rig_answered, &a);
    return wait_answer(r, &a);
}

int rig_add(struct rig *r, const char *text)
{
    return rig_add_to(r, r->b, text);
}

int rig_del(struct rig *r, const char *port)
{
    struct rig_answer a = {0};

    bport_del(r->b, port, rig_answered, &a);
    return wait_answer(r, &a);
}

struct bport *rig_port(struct rig *r, const char *name)
{
    struct bridge *b = NULL;
    struct bport *p = NULL;

    while (!p && (b = bridge_next(r->sw, b)))
        p = bport_find(b, name);
    if (!p)
        die(name);
    return p;
}

int rig_set(struct rig *r, const char *port, enum bport_param p, uint32_t v)
{
    struct rig_answer a = {0};

    bport_set(rig_port(r, port), p, v, rig_answered, &a);
    return wait_answer(r, &a);
}

int rig_bridge_set(struct rig *r, enum bridge_param p, uint32_t v)
{
    struct rig_answer a = {0};

    bridge_set(r->b, p, v, rig_answered, &a);
    return wait_answer(r, &a);
}

int rig_fdb_set(struct rig *r, uint64_t mac, const char *port, uint8_t flags)
{
    struct rig_answer a = {0};

    bridge_fdb_set(r->b, fdb_key(0, mac), rig_port(r, port), flags,
                   rig_answered, &a);
    return wait_answer(r, &a);
}

int rig_flush(struct rig *r, const char *port)
{
    struct rig_answer a = {0};

    bridge_fdb_flush(r->b, port ? rig_port(r, port) : NULL, rig_answered, &a);
    return wait_answer(r, &a);
}

void rig_send_n(struct rig *r, const char *port, uint64_t dst, uint64_t src,
                unsigned len, uint32_t mark, unsigned copies)
{
    static uint8_t f[FRAME_LEN_MAX];
    struct mac d = mac_from_u64(dst), s = mac_from_u64(src);
    int rc;

    memset(f, 0, sizeof(f));
    memcpy(f, d.octet, 6);
    memcpy(f + 6, s.octet, 6);
    f[12] = 0x88;
    f[13] = 0xb5;
    memcpy(f + 14, &mark, sizeof(mark));
    rc = bport_mem_inject(rig_port(r, port), f, len, NULL, copies);
    if (rc) {
        fprintf(stderr, "rig: inject at %s: %d\n", port, rc);
        abort();
    }
}

void rig_send(struct rig *r, const char *port, uint64_t dst, uint64_t src,
              unsigned len, uint32_t mark)
{
    rig_send_n(r, port, dst, src, len, mark, 1);
}

/*
 * Frames leave the pending count when they are received, in the middle of a
 * turn; a grace period later that turn is over.
 */
static bool nothing_pending(void *arg)
{
    struct rig *r = arg;

    for (struct bridge *b = bridge_next(r->sw, NULL); b;
         b = bridge_next(r->sw, b))
        for (struct bport *p = bport_next(b, NULL); p; p = bport_next(b, p))
            if (mem_is(p->port) && mem_pending(p->port))
                return false;
    return true;
}

void rig_settle(struct rig *r)
{
    if (!rig_wait(r, nothing_pending, r))
        die("frames were not received");
    rcu_wait();
    rig_run(r, 0.001);
}

int64_t rig_got(struct rig *r, const char *port)
{
    uint8_t f[64] = {0};
    uint32_t mark;

    if (bport_mem_collect(rig_port(r, port), f, sizeof(f), NULL) < 0)
        return -1;
    memcpy(&mark, f + 14, sizeof(mark));
    return mark;
}

unsigned rig_count(struct rig *r, const char *port)
{
    unsigned n = 0;

    while (rig_got(r, port) >= 0)
        n++;
    return n;
}

struct bport_stats rig_stats(struct rig *r, const char *port)
{
    struct bport_stats s;

    bport_stats(rig_port(r, port), &s);
    return s;
}

uint64_t rig_reason(struct rig *r, const char *port, enum reason why)
{
    return rig_stats(r, port).reason[why];
}

/* Verdicts on what came in; the others are about what was to go out. */
static bool is_ingress(enum reason r)
{
    return !reason_is_remark(r) &&
           (r < REASON_PORT_TX_DOWN || r > REASON_PORT_LAST);
}

void rig_balance(struct rig *r)
{
    for (struct bport *p = bport_next(r->b, NULL); p; p = bport_next(r->b, p)) {
        struct bport_stats s;
        uint64_t sum = 0;

        /* received comes before judged, in one turn */
        for (unsigned n = 0; n < 100; n++) {
            bport_stats(p, &s);
            sum = 0;
            for (unsigned i = 0; i < REASON_COUNT; i++)
                sum += is_ingress(i) ? s.reason[i] : 0;
            if (sum == s.rx_frames)
                break;
            rcu_wait();
        }
        if (sum != s.rx_frames) {
            fprintf(stderr, "rig: %s: %llu received, %llu judged\n",
                    p->port->spec.name, (unsigned long long)s.rx_frames,
                    (unsigned long long)sum);
            abort();
        }
    }
}
