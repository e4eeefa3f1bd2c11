/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaying captures at full speed against frames prepared in memory: whole
 * turns of unicast 60-byte frames among a thousand stations, from four mem
 * ports as in pipeline_bench, and from four pcapfile ports that loop over
 * captures of the same frames; both to four mem ports.
 *
 *   replay_bench [ROUNDS [FRAMES]]
 *
 * Rounds of the two alternate.  Prints each round, medians and spread, and
 * what of a long capture, which does not fit into memory, is replayed as it is
 * read.
 */
#include "switch/turn.h"

#include "base/clock.h"
#include "ports/mem.h"

#include <ev.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SINKS    4
#define STATIONS 1024
#define PATTERN  4096 /* frames of one source */
#define LONG     (600 * 1000)

/* Ports 0 .. 3 are sinks; where captures are replayed 4 .. 7 are sources. */
struct rig {
    unsigned n, first; /* ports; the first source */
    struct port *port[2 * SINKS];
    struct lane *lane[2 * SINKS];
    struct ingress in[2 * SINKS];
    struct plane plane;
    struct forwarder *fwd;
    struct ev_loop *loop;
    struct view *view;
    _Atomic bool observed;
};

static void die(const char *what)
{
    fprintf(stderr, "replay_bench: %s\n", what);
    exit(1);
}

static void event(struct port *p, enum port_event ev, const char *reason)
{
    (void)p;
    if (ev == PORT_EVENT_FAILED)
        die(reason);
}

/* ---- frames ---- */

static uint64_t station(unsigned n)
{
    return 0x020000000000ULL + n * 0x010001ULL;
}

/* From a station behind port 'from' to one behind another, a sink. */
static void make_frame(uint8_t out[60], unsigned n, unsigned from)
{
    unsigned sink, per = STATIONS / n;
    struct mac d, s;

    do
        sink = (unsigned)rand() % SINKS;
    while (sink == from);
    s = mac_from_u64(station((unsigned)rand() % per * n + from));
    d = mac_from_u64(station((unsigned)rand() % per * n + sink));
    memset(out, 0, 60);
    memcpy(out, d.octet, 6);
    memcpy(out + 6, s.octet, 6);
    out[12] = 0x88;
    out[13] = 0xb5;
}

/* A capture without a name; its descriptor. */
static int make_capture(unsigned n, unsigned from, unsigned frames)
{
    pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);
    FILE *f = tmpfile();
    pcap_dumper_t *dump = p && f ? pcap_dump_fopen(p, f) : NULL;
    uint8_t bytes[60];
    int fd;

    if (!dump)
        die("a temporary file");
    for (unsigned i = 0; i < frames; i++) {
        struct pcap_pkthdr h = {
            .ts = {.tv_sec = i / 1000000, .tv_usec = i % 1000000},
            .caplen = 60,
            .len = 60};

        make_frame(bytes, n, from);
        pcap_dump((u_char *)dump, &h, bytes);
    }
    pcap_dump_flush(dump);
    fd = dup(fileno(f));
    pcap_dump_close(dump);
    pcap_close(p);
    return fd;
}

static void feed_mem(struct port *p, unsigned n, unsigned from)
{
    static uint8_t bytes[PATTERN][60];
    static struct mem_frame f[PATTERN];

    for (unsigned i = 0; i < PATTERN; i++) {
        make_frame(bytes[i], n, from);
        f[i] = (struct mem_frame){.bytes = bytes[i], .len = 60};
    }
    if (mem_replay(p, f, PATTERN, UINT64_MAX / PATTERN))
        die("mem_replay");
}

/* ---- the rig ---- */

static struct port *open_port(const char *text, int fd)
{
    struct port_spec s;
    struct err e = {{0}};
    struct port *p;
    int rc;

    if (port_spec_parse(&s, text, &e))
        die(e.text);
    s.file_fd = fd;
    p = port_new(&s, &rc, &e);
    if (!p)
        die(e.text);
    p->event = event;
    p->n_txctx = 1;
    if (p->ops->open(p, &e))
        die(e.text);
    atomic_store(&p->forwarding, true);
    if (fd >= 0)
        close(fd);
    return p;
}

static void make_view(struct rig *r)
{
    const struct view_port *ports[VIEW_PORTS] = {0};
    static uint16_t gens[FDB_PORTS];

    for (unsigned i = 0; i < r->n; i++) {
        struct view_port v = {
            .port = r->port[i],
            .lane = r->lane[i],
            .no = (uint16_t)(i + 1),
            .forwarding = true,
            .learning = true,
            .flood = {true, true, true, true},
            .caps = r->port[i]->caps,
        };

        ports[i + 1] = view_port_new(&v);
    }
    r->view = view_new(ports, gens);
    r->view->up = true;
    r->view->ageing = 0;
    rcu_publish(&r->plane.view, r->view);
}

static void teach(struct rig *r)
{
    struct fdb_now now = {.gens = r->view->gens, .ageing = r->view->ageing};
    struct fdb_value old;

    for (unsigned i = 0; i < STATIONS; i++)
        if (fdb_learn(r->plane.fdb, &now, fdb_key(0, station(i)),
                      (uint16_t)(i % r->n + 1), &old) != FDB_NEW)
            die("a station was not learned");
}

static void add_port(struct rig *r, unsigned i, struct port *p)
{
    r->port[i] = p;
    r->lane[i] = aligned_alloc(64, sizeof(*r->lane[i]));
    if (!r->lane[i])
        die("no memory");
    memset(r->lane[i], 0, sizeof(*r->lane[i]));
    r->in[i] = (struct ingress){
        .q = {.port = p, .ready = turn_ready},
        .fwd = r->fwd,
        .plane = &r->plane,
        .lane = r->lane[i],
        .no = (uint16_t)(i + 1),
    };
    if (p->ops->attach(p, &r->in[i].q, r->loop))
        die("attach");
}

static void set_up(struct rig *r, bool replay, unsigned frames)
{
    struct fdb_config fc = {.slots = 4 * STATIONS};

    r->first = replay ? SINKS : 0;
    r->n = r->first + SINKS;
    r->loop = ev_loop_new(EVBACKEND_EPOLL);
    r->plane.fdb = fdb_new(&fc);
    r->fwd = aligned_alloc(64, (sizeof(*r->fwd) + 63) & ~(size_t)63);
    if (!r->loop || !r->plane.fdb || !r->fwd ||
        turn_fwd_init(r->fwd, 0, &r->observed))
        die("no memory");
    for (unsigned i = 0; i < r->n; i++) {
        char text[64];
        bool file = i >= SINKS;

        if (file)
            snprintf(text, sizeof(text), "pcapfile:-,speed=full,loop=on");
        else
            snprintf(text, sizeof(text), "mem:m%u,discard=on", i);
        add_port(r, i,
                 open_port(text, file ? make_capture(r->n, i, frames) : -1));
        if (!replay)
            feed_mem(r->port[i], r->n, i);
    }
    make_view(r);
    teach(r);
}

static uint64_t sent(const struct rig *r)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < r->n; i++)
        n += atomic_load(&r->lane[i]->tx_frames);
    return n;
}

/* As a worker does: watchers are asked every so many turns. */
static void run(struct rig *r, uint64_t frames)
{
    uint64_t done = 0, before = sent(r);

    for (unsigned turn = 0; done < frames; turn++) {
        if (turn % 4 == 0)
            ev_run(r->loop, EVRUN_NOWAIT);
        if (r->first == 0)
            for (unsigned i = 0; i < r->n; i++)
                turn_ready(&r->in[i].q);
        done += turn_run(r->fwd);
        rcu_quiescent();
    }
    if (sent(r) - before != done)
        die("frames were not all sent on");
}

static void tear_down(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        r->port[i]->ops->detach(r->port[i], &r->in[i].q, r->loop);
        r->port[i]->ops->close(r->port[i]);
        view_port_put(r->view->port[i + 1]); /* the maker's reference */
    }
    view_free(r->view);
    for (unsigned i = 0; i < r->n; i++) {
        port_free(r->port[i]);
        free(r->lane[i]);
    }
    turn_fwd_free(r->fwd);
    free(r->fwd);
    fdb_free(r->plane.fdb);
    ev_loop_destroy(r->loop);
}

/* ---- measuring ---- */

/* Million frames per second. */
static double timed(struct rig *r, uint64_t frames)
{
    uint64_t t0 = clock_now();

    run(r, frames);
    return (double)frames * 1e3 / (double)(clock_now() - t0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void summary(const char *what, double *v, unsigned n, const char *unit)
{
    qsort(v, n, sizeof(*v), by_value);
    printf("%-22s median %7.2f %s  (%.2f .. %.2f)\n", what, v[n / 2], unit,
           v[0], v[n - 1]);
}

static void compare(unsigned rounds, uint64_t frames)
{
    static struct rig mem, file;
    double a[64], b[64], ratio[64];

    set_up(&mem, false, 0);
    set_up(&file, true, PATTERN);
    run(&mem, 200000);
    run(&file, 200000);
    for (unsigned i = 0; i < rounds; i++) {
        a[i] = timed(&mem, frames);
        b[i] = timed(&file, frames);
        ratio[i] = b[i] / a[i];
        printf("round %u: prepared %.2f, replayed %.2f M frames/s, ratio "
               "%.2f\n",
               i, a[i], b[i], ratio[i]);
    }
    summary("prepared", a, rounds, "M frames/s");
    summary("replayed", b, rounds, "M frames/s");
    summary("ratio (target 0.8)", ratio, rounds, "x");
    tear_down(&file);
    tear_down(&mem);
}

static void long_capture(unsigned rounds)
{
    static struct rig file;
    double v[64];

    set_up(&file, true, LONG);
    for (unsigned i = 0; i < rounds; i++)
        v[i] = timed(&file, LONG);
    summary("longer than memory", v, rounds, "M frames/s");
    tear_down(&file);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 9;
    uint64_t frames = argc > 2 ? strtoull(argv[2], NULL, 0) : 2000000;

    if (rounds < 1 || rounds > 64 || frames == 0)
        die("ROUNDS 1..64, FRAMES > 0");
    srand(1);
    rcu_thread_enter();
    compare(rounds, frames);
    long_capture(rounds);
    rcu_thread_leave();
    return 0;
}
