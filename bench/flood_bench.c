/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broadcast to 2, 10, 100 and 1000 mem ports, and how long it takes to start
 * them: the whole switch with its worker.
 *
 *   flood_bench [COPIES]     copies made per measurement (4000000)
 *
 * Linear means: the time per copy stays the same, and so does the time to
 * start one port.
 */
#include "switch/switch.h"

#include "base/clock.h"
#include "ports/mem.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 5

static struct ev_loop *loop;
static struct sw *sw;
static unsigned answers;

static void die(const char *what)
{
    fprintf(stderr, "flood_bench: %s\n", what);
    exit(1);
}

static void answered(void *arg, int rc, const struct err *e)
{
    (void)arg;
    if (rc)
        die(e->text);
    answers++;
}

static void await(unsigned n)
{
    while (answers < n)
        ev_run(loop, EVRUN_ONCE);
    answers = 0;
}

static void tick(struct ev_loop *l, ev_timer *w, int events)
{
    (void)l;
    (void)w;
    (void)events;
}

static struct bridge *new_bridge(void)
{
    struct bridge_config c = {.name = "flood", .netns_fd = -1};

    bridge_add(sw, &c, answered, NULL);
    await(1);
    return bridge_find(sw, "flood");
}

static void add_ports(struct bridge *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct port_spec s;
        struct err e = {{0}};
        char text[48];

        snprintf(text, sizeof(text), "mem:f%u,discard=on", i);
        if (port_spec_parse(&s, text, &e))
            die(e.text);
        bport_add(b, &s, answered, NULL);
        ev_run(loop, EVRUN_NOWAIT); /* commands come one by one */
    }
    await(n);
}

static uint64_t copies_out(struct bridge *b)
{
    uint64_t n = 0;

    for (struct bport *p = bport_next(b, NULL); p; p = bport_next(b, p)) {
        struct bport_stats s;

        bport_stats(p, &s);
        n += s.tx_frames;
    }
    return n;
}

/* Nanoseconds per copy. */
static double flood(struct bridge *b, unsigned ports, uint64_t copies)
{
    static uint8_t f[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
                            0,    0,    0,    0,    1,    0x88, 0xb5};
    uint64_t frames = copies / (ports - 1), t0, want;
    struct bport *in = bport_find(b, "f0");
    ev_timer t;

    ev_timer_init(&t, tick, 0.001, 0.001);
    ev_timer_start(loop, &t);
    want = copies_out(b) + frames * (ports - 1);
    t0 = clock_now();
    for (uint64_t left = frames; left > 0;) {
        unsigned n = left > 500000 ? 500000 : (unsigned)left;

        if (bport_mem_inject(in, f, sizeof(f), NULL, n) == 0)
            left -= n;
        else
            ev_run(loop, EVRUN_ONCE);
    }
    while (copies_out(b) < want)
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &t);
    return (double)(clock_now() - t0) / (double)(frames * (ports - 1));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(unsigned ports, uint64_t copies)
{
    struct bridge *b = new_bridge();
    struct sw_stats st;
    double v[ROUNDS], start;
    uint64_t t0;

    sw_stats(sw, &st);
    t0 = clock_now();
    add_ports(b, ports);
    start = (double)(clock_now() - t0);
    sw_stats(sw, &st);
    for (unsigned i = 0; i < ROUNDS; i++)
        v[i] = flood(b, ports, copies);
    qsort(v, ROUNDS, sizeof(v[0]), by_value);
    printf("%5u ports: started in %8.2f ms (%6.1f us each, longest turn of the "
           "control loop %.2f ms); %6.1f ns per copy (%.1f .. %.1f)\n",
           ports, start / 1e6, start / 1e3 / ports,
           (double)st.loop_lag_max_ns / 1e6, v[ROUNDS / 2], v[0],
           v[ROUNDS - 1]);
    bridge_del(sw, "flood", true, answered, NULL);
    await(1);
}

int main(int argc, char **argv)
{
    static const unsigned ports[] = {2, 10, 100, 1000};
    uint64_t copies = argc > 1 ? strtoull(argv[1], NULL, 0) : 4000000;
    struct sw_config c = {.workers = 1, .cpu = {-1}};
    struct err e = {{0}};

    if (copies < 1000)
        die("COPIES is at least 1000");
    loop = ev_default_loop(EVBACKEND_EPOLL);
    c.loop = loop;
    if (sw_new(&sw, &c, &e))
        die(e.text);
    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        measure(ports[i], copies);
    sw_free(sw);
    return 0;
}
