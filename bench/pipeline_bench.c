/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the pipeline costs on mem ports: whole turns (receive, pipeline, lists,
 * send) of unicast 60-byte frames among a thousand stations on four ports,
 * against the least that any switch must do with the same frames on the same
 * ports: read the header, two look-ups, append to a list, send the lists.  And
 * the same turns while all ports watch for addresses (switch/watch.h), or only
 * some other port does: frames are of IPv4 and UDP, which takes the longest to
 * see that there is nothing in them.
 *
 *   pipeline_bench [ROUNDS [FRAMES]]
 *
 * Rounds of all alternate.  Prints each round, medians and spread, and of the
 * turn a second time, so that one sees what the machine's noise is.
 */
#include "switch/turn.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "ports/mem.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#define PORTS      4
#define STATIONS   1024
#define BATCH      64
#define PATTERN    4096 /* frames prepared per port */
#define ROUNDS_MAX 1000

struct rig {
    struct port *port[PORTS];
    struct lane *lane[PORTS];
    struct ingress in[PORTS];
    struct plane plane;
    struct forwarder *fwd;
    struct ev_loop *loop;
    struct view *view;
    struct view *watching, *beside; /* all ports watch; none of these does */
    _Atomic bool observed;
};

static void die(const char *what)
{
    fprintf(stderr, "pipeline_bench: %s\n", what);
    exit(1);
}

static void no_event(struct port *p, enum port_event ev, const char *reason)
{
    (void)p;
    (void)ev;
    (void)reason;
}

static void no_ready(struct port_queue *q)
{
    (void)q;
}

static struct port *open_port(unsigned i)
{
    char text[64];
    struct port_spec s;
    struct err e = {{0}};
    struct port *p;
    int rc;

    snprintf(text, sizeof(text), "mem:m%u,discard=on", i);
    if (port_spec_parse(&s, text, &e))
        die(e.text);
    p = port_new(&s, &rc, &e);
    if (!p)
        die(e.text);
    p->event = no_event;
    p->n_txctx = 1;
    if (p->ops->open(p, &e))
        die(e.text);
    return p;
}

static uint64_t station(unsigned n)
{
    return 0x020000000000ULL + n * 0x010001ULL;
}

/* Station n is behind port n % PORTS. */
static void prepare(struct port *p, unsigned no, uint64_t rounds)
{
    static uint8_t bytes[PATTERN][60];
    static struct mem_frame f[PATTERN];

    memset(f, 0, sizeof(f));
    for (unsigned i = 0; i < PATTERN; i++) {
        unsigned src = (unsigned)rand() % (STATIONS / PORTS) * PORTS + no;
        unsigned dst = (unsigned)rand() % (STATIONS / PORTS) * PORTS +
                       (no + 1 + (unsigned)rand() % (PORTS - 1)) % PORTS;
        struct mac d = mac_from_u64(station(dst));
        struct mac s = mac_from_u64(station(src));

        memcpy(bytes[i], d.octet, 6);
        memcpy(bytes[i] + 6, s.octet, 6);
        memcpy(bytes[i] + 12, "\x08\x00\x45", 3);
        bytes[i][23] = 17; /* UDP */
        bytes[i][34] = 7;
        f[i].bytes = bytes[i];
        f[i].len = sizeof(bytes[i]);
    }
    if (mem_replay(p, f, PATTERN, rounds))
        die("replay");
}

static struct view *make_view(struct rig *r, bool watches)
{
    const struct view_port *ports[VIEW_PORTS] = {0};
    static uint16_t gens[FDB_PORTS];
    struct view *v;

    for (unsigned i = 0; i < PORTS; i++) {
        struct view_port p = {
            .port = r->port[i],
            .lane = r->lane[i],
            .no = (uint16_t)(i + 1),
            .forwarding = true,
            .learning = true,
            .watches = watches,
            .flood = {true, true, true, true},
            .caps = r->port[i]->caps,
        };

        ports[i + 1] = view_port_new(&p);
        if (!ports[i + 1])
            die("no memory");
    }
    v = view_new(ports, gens);
    if (!v)
        die("no memory");
    for (unsigned i = 1; i <= PORTS; i++)
        view_port_put(ports[i]); /* the view has its own reference */
    v->up = true;
    v->ageing = 3000;
    return v;
}

static void set_up(struct rig *r)
{
    struct fdb_config fc = {.slots = 4 * STATIONS};

    r->loop = ev_loop_new(EVBACKEND_EPOLL);
    r->plane.fdb = fdb_new(&fc);
    r->fwd = aligned_alloc(64, (sizeof(*r->fwd) + 63) & ~(size_t)63);
    if (!r->loop || !r->plane.fdb || !r->fwd ||
        turn_fwd_init(r->fwd, 0, &r->observed))
        die("no memory");
    for (unsigned i = 0; i < PORTS; i++) {
        r->port[i] = open_port(i);
        r->lane[i] = aligned_alloc(64, sizeof(*r->lane[i]));
        if (!r->lane[i])
            die("no memory");
        memset(r->lane[i], 0, sizeof(*r->lane[i]));
        r->in[i] = (struct ingress){
            .q = {.port = r->port[i], .ready = no_ready},
            .fwd = r->fwd,
            .plane = &r->plane,
            .lane = r->lane[i],
            .no = (uint16_t)(i + 1),
        };
        if (r->port[i]->ops->attach(r->port[i], &r->in[i].q, r->loop))
            die("attach");
    }
    r->view = make_view(r, false);
    r->watching = make_view(r, true);
    r->beside = make_view(r, false);
    r->watching->watches = r->beside->watches = true;
    rcu_publish(&r->plane.view, r->view);
}

/* ---- the switch ---- */

static uint64_t run_switch(struct rig *r, uint64_t frames)
{
    uint64_t done = 0;

    while (done < frames) {
        for (unsigned i = 0; i < PORTS; i++)
            turn_ready(&r->in[i].q);
        done += turn_run(r->fwd);
        rcu_quiescent();
    }
    return done;
}

static uint64_t run_watching(struct rig *r, uint64_t frames)
{
    uint64_t done;

    rcu_publish(&r->plane.view, r->watching);
    done = run_switch(r, frames);
    rcu_publish(&r->plane.view, r->view);
    return done;
}

static uint64_t run_beside(struct rig *r, uint64_t frames)
{
    uint64_t done;

    rcu_publish(&r->plane.view, r->beside);
    done = run_switch(r, frames);
    rcu_publish(&r->plane.view, r->view);
    return done;
}

/* ---- the least ---- */

struct bare_list {
    struct frame *f[4 * BATCH];
    unsigned n;
};

static void bare_frame(struct rig *r, const struct fdb_now *t, struct frame *f,
                       struct bare_list *list, uint16_t in)
{
    struct cursor c = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    uint16_t a, b;
    uint32_t lo_d, lo_s;
    struct fdb_value v;
    uint64_t dst, src;

    if (!cursor_be16(&c, &a) || !cursor_be32(&c, &lo_d) ||
        !cursor_be16(&c, &b) || !cursor_be32(&c, &lo_s))
        return;
    dst = fdb_key(0, (uint64_t)a << 32 | lo_d);
    src = fdb_key(0, (uint64_t)b << 32 | lo_s);
    if (!fdb_lookup(r->plane.fdb, t, src, &v) || v.port != in)
        return;
    if (!fdb_lookup(r->plane.fdb, t, dst, &v))
        return;
    list[v.port].f[list[v.port].n++] = f;
}

static uint64_t run_bare(struct rig *r, uint64_t frames)
{
    static struct frame frame[PORTS * BATCH];
    static struct bare_list list[PORTS + 1];
    uint64_t done = 0;

    while (done < frames) {
        struct fdb_now t = {.gens = r->view->gens,
                            .now = (uint16_t)(clock_now() / 100000000),
                            .ageing = 3000};
        struct batch b = {
            .frame = frame, .max = PORTS * BATCH, .arena = &r->fwd->arena};

        r->fwd->arena.used = 0;
        for (uint16_t i = 0; i < PORTS; i++) {
            unsigned first = b.n;

            r->port[i]->ops->rx(r->port[i], 0, &b, BATCH);
            for (unsigned k = first; k < b.n; k++)
                bare_frame(r, &t, &frame[k], list, (uint16_t)(i + 1));
        }
        for (unsigned i = 1; i <= PORTS; i++) {
            struct tx_result res = {0};

            r->port[i - 1]->ops->tx(r->port[i - 1], 0, list[i].f, list[i].n,
                                    &res);
            list[i].n = 0;
        }
        done += b.n;
        rcu_quiescent();
    }
    return done;
}

/* ---- measuring ---- */

/* The thread's own time: what others take of a busy machine is not ours. */
static uint64_t own_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static double timed(uint64_t (*run)(struct rig *, uint64_t), struct rig *r,
                    uint64_t frames)
{
    uint64_t t0 = own_time();
    uint64_t n = run(r, frames);

    return (double)(own_time() - t0) / (double)n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void summary(const char *what, double *v, unsigned n, const char *unit)
{
    qsort(v, n, sizeof(*v), by_value);
    printf("%-12s median %8.2f %s  (%.2f .. %.2f)\n", what, v[n / 2], unit,
           v[0], v[n - 1]);
}

static void tear_down(struct rig *r)
{
    for (unsigned i = 0; i < PORTS; i++) {
        r->port[i]->ops->detach(r->port[i], &r->in[i].q, r->loop);
        r->port[i]->ops->close(r->port[i]);
    }
    view_free(r->view);
    view_free(r->watching);
    view_free(r->beside);
    for (unsigned i = 0; i < PORTS; i++) {
        port_free(r->port[i]);
        free(r->lane[i]);
    }
    turn_fwd_free(r->fwd);
    free(r->fwd);
    fdb_free(r->plane.fdb);
    ev_loop_destroy(r->loop);
}

enum way { TURN, BARE, WATCHING, BESIDE, AGAIN, WAYS };

static double took[WAYS][ROUNDS_MAX];

/* In an order that goes round, as who comes first finds other caches. */
static void measure(struct rig *r, unsigned round, uint64_t frames)
{
    static uint64_t (*const run[WAYS])(struct rig *,
                                       uint64_t) = {[TURN] = run_switch,
                                                    [BARE] = run_bare,
                                                    [WATCHING] = run_watching,
                                                    [BESIDE] = run_beside,
                                                    [AGAIN] = run_switch};

    for (unsigned i = 0; i < WAYS; i++) {
        unsigned w = (i + round) % WAYS;

        took[w][round] = timed(run[w], r, frames);
    }
    printf("round %u: turn %.1f ns/frame, bare loop %.1f, ratio %.2f\n", round,
           took[TURN][round], took[BARE][round],
           took[TURN][round] / took[BARE][round]);
}

static void report(unsigned rounds)
{
    static double v[ROUNDS_MAX];
    static const struct {
        const char *what;
        enum way over, under;
        const char *unit;
    } ratio[] = {{"ratio", TURN, BARE, "x"},
                 {"watching", WATCHING, TURN, "x the turn"},
                 {"beside one", BESIDE, TURN, "x the turn"},
                 {"the same", AGAIN, TURN, "x the turn (noise)"}};

    for (unsigned k = 0; k < sizeof(ratio) / sizeof(ratio[0]); k++) {
        for (unsigned i = 0; i < rounds; i++)
            v[i] = took[ratio[k].over][i] / took[ratio[k].under][i];
        summary(ratio[k].what, v, rounds, ratio[k].unit);
    }
    for (unsigned i = 0; i < rounds; i++)
        v[i] = 1e3 / took[TURN][i];
    summary("turn", v, rounds, "M frames/s");
    summary("turn", took[TURN], rounds, "ns/frame");
    summary("watching", took[WATCHING], rounds, "ns/frame");
    summary("beside one", took[BESIDE], rounds, "ns/frame");
    summary("bare loop", took[BARE], rounds, "ns/frame");
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 9;
    uint64_t frames = argc > 2 ? strtoull(argv[2], NULL, 0) : 2000000;
    static struct rig r;

    if (rounds < 1 || rounds > ROUNDS_MAX || frames == 0)
        die("ROUNDS 1..1000, FRAMES > 0");
    srand(1);
    rcu_thread_enter();
    set_up(&r);
    for (unsigned i = 0; i < PORTS; i++)
        prepare(r.port[i], i, UINT64_MAX / PATTERN);
    (void)run_switch(&r, 200000); /* learns all stations, warms up */
    (void)run_bare(&r, 200000);
    for (unsigned i = 0; i < rounds; i++)
        measure(&r, i, frames);
    report(rounds);
    tear_down(&r);
    rcu_thread_leave();
    return 0;
}
