/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding database beside liburcu's lock-free hash table (cds_lfht),
 * same keys, same thread, rounds interleaved: a batch of 64 independent
 * look-ups, uniform and Zipf, 1 k / 100 k / 1 M entries.  Two readers on one
 * table beside two copies of an independent loop.  Memory of a million
 * entries, settled and at the peak while growing.
 *
 *   fdb_bench [ROUNDS [memory|lookup|readers]]
 *
 * 7 rounds, all parts; median, and the least and greatest ratio of a round.
 */
#include "base/clock.h"
#include "base/rcu.h"
#include "fdb/fdb.h"

#define URCU_API_MAP
#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH      64
#define ROUNDS_MAX 101
#define STREAM     (1 << 18) /* keys looked up in a lap */
#define LOOKUPS    (1 << 20) /* a measurement, about */
#define PORTS      16

static uint64_t rnd_state = 42;

static uint64_t rnd(void)
{
    uint64_t x = rnd_state += 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static void die(const char *what)
{
    fprintf(stderr, "fdb_bench: %s\n", what);
    exit(1);
}

static uint16_t gens[FDB_PORTS];
static const struct fdb_now now = {gens, 100, 3000};

/* ---- the peer: as one would use it for this ---- */

struct node {
    struct cds_lfht_node node;
    uint64_t key, value;
};

/* Grace periods are over at once where nobody else reads. */
static void step(struct fdb *f, unsigned budget, uint64_t *grace)
{
    struct fdb_step s = fdb_step(f, &now, budget, *grace);

    if (s.want_grace)
        *grace = s.want_grace;
}

struct hash_key {
    uint64_t seed, mul;
};
static struct hash_key hk;

static unsigned long peer_hash(uint64_t key)
{
    uint64_t x = (key ^ hk.seed) * hk.mul;

    return x ^ x >> 32;
}

static int peer_match(struct cds_lfht_node *n, const void *key)
{
    const struct node *e = caa_container_of(n, struct node, node);

    return e->key == *(const uint64_t *)key;
}

static uint64_t peer_lookup(struct cds_lfht *h, uint64_t key)
{
    struct cds_lfht_iter it;
    struct cds_lfht_node *n;

    cds_lfht_lookup(h, peer_hash(key), peer_match, &key, &it);
    n = cds_lfht_iter_get_node(&it);
    return n ? CMM_LOAD_SHARED(caa_container_of(n, struct node, node)->value)
             : 0;
}

/* ---- a set of keys in both tables, and a stream of look-ups ---- */

struct set {
    uint32_t n;
    uint64_t *key;
    struct fdb *f;
    struct cds_lfht *h;
    struct node *nodes;
    uint64_t *stream;
};

static void fill_fdb(struct set *s)
{
    struct fdb_config c = {0};
    uint64_t grace = 0;

    s->f = fdb_new(&c);
    if (!s->f)
        die("no memory");
    fdb_set_active_ports(s->f, PORTS);
    for (uint32_t i = 0; i < s->n; i++) {
        struct fdb_value old;

        /* A key that is drawn twice is KNOWN or MOVED. */
        while (fdb_learn(s->f, &now, s->key[i], i % PORTS, &old) == FDB_BUSY)
            step(s->f, 4096, &grace);
        if (fdb_pressed(s->f))
            step(s->f, 4096, &grace);
    }
    for (int i = 0; i < 1000; i++)
        step(s->f, 1 << 16, &grace);
}

static void fill_peer(struct set *s)
{
    unsigned long size = 1;

    while (size < s->n)
        size <<= 1;
    s->h = cds_lfht_new(size, size, 0, CDS_LFHT_AUTO_RESIZE, NULL);
    s->nodes = calloc(s->n, sizeof(*s->nodes));
    if (!s->h || !s->nodes)
        die("no memory");
    for (uint32_t i = 0; i < s->n; i++) {
        struct node *e = &s->nodes[i];

        cds_lfht_node_init(&e->node);
        e->key = s->key[i];
        e->value = i + 1;
        cds_lfht_add(s->h, peer_hash(e->key), &e->node);
    }
}

/* Zipf with exponent 0.99 by its inverse, approximated by the integral. */
static uint32_t zipf(uint32_t n)
{
    double u = (double)(rnd() >> 11) / 9007199254740992.0, a = 1 - 0.99;
    double x = pow(u * (pow(n + 1.0, a) - 1) + 1, 1 / a) - 1;

    return x < n ? (uint32_t)x : n - 1;
}

static void make_stream(struct set *s, bool skewed)
{
    for (uint32_t i = 0; i < STREAM; i++)
        s->stream[i] = s->key[skewed ? zipf(s->n) : rnd() % s->n];
}

static struct set *set_new(uint32_t n, bool peer)
{
    struct set *s = calloc(1, sizeof(*s));

    if (!s)
        die("no memory");
    s->n = n;
    s->key = malloc(n * sizeof(*s->key));
    s->stream = malloc(STREAM * sizeof(*s->stream));
    if (!s->key || !s->stream)
        die("no memory");
    for (uint32_t i = 0; i < n; i++)
        s->key[i] = fdb_key(rnd() % 4094 + 1, rnd() >> 16 & ~(1ULL << 40));
    fill_fdb(s);
    if (peer)
        fill_peer(s);
    return s;
}

static void peer_free(struct set *s)
{
    struct cds_lfht_iter it;
    struct cds_lfht_node *n;

    if (!s->h)
        return;
    cds_lfht_for_each(s->h, &it, n) cds_lfht_del(s->h, n);
    rcu_wait();
    cds_lfht_destroy(s->h, NULL);
    free(s->nodes);
}

static void set_free(struct set *s)
{
    peer_free(s);
    fdb_free(s->f);
    free(s->key);
    free(s->stream);
    free(s);
}

/* ---- look-ups: nanoseconds each ---- */

static double time_fdb(const struct set *s)
{
    uint64_t found[BATCH], t = clock_now(), hits = 0;

    for (uint32_t n = 0; n < LOOKUPS; n += BATCH) {
        fdb_lookup_batch(s->f, &now, s->stream + n % STREAM, found, BATCH);
        for (int i = 0; i < BATCH; i++)
            hits += found[i] != 0;
        rcu_quiescent();
    }
    t = clock_now() - t;
    if (hits != LOOKUPS)
        die("an entry was not found");
    return (double)t / LOOKUPS;
}

static double time_peer(const struct set *s)
{
    uint64_t found[BATCH], t = clock_now(), hits = 0;

    for (uint32_t n = 0; n < LOOKUPS; n += BATCH) {
        for (int i = 0; i < BATCH; i++)
            found[i] = peer_lookup(s->h, s->stream[n % STREAM + i]);
        for (int i = 0; i < BATCH; i++)
            hits += found[i] != 0;
        rcu_quiescent();
    }
    t = clock_now() - t;
    if (hits != LOOKUPS)
        die("an entry was not found by the peer");
    return (double)t / LOOKUPS;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), by_size);
    return v[n / 2];
}

static void compare(const struct set *s, const char *how, int rounds)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX], r[ROUNDS_MAX], am, bm;

    time_fdb(s);
    time_peer(s);
    for (int i = 0; i < rounds; i++) {
        a[i] = time_fdb(s);
        b[i] = time_peer(s);
        r[i] = b[i] / a[i];
    }
    am = median(a, rounds);
    bm = median(b, rounds);
    median(r, rounds);
    printf("%8u  %-8s %8.1f %8.1f   %5.2f  (%.2f .. %.2f)%s\n", s->n, how, am,
           bm, r[rounds / 2], r[0], r[rounds - 1],
           r[rounds / 2] >= 2 ? "" : "  below 2");
    fflush(stdout);
}

/* ---- two readers ---- */

struct runner {
    struct set *s;
    int cpu;
    pthread_barrier_t *start;
    double ns;
};

static void *run(void *arg)
{
    struct runner *r = arg;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(r->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    rcu_thread_enter();
    time_fdb(r->s);
    rcu_offline();
    pthread_barrier_wait(r->start);
    rcu_online();
    r->ns = time_fdb(r->s);
    rcu_thread_leave();
    return NULL;
}

/* Look-ups per microsecond of both together. */
static double run_two(struct set *a, struct set *b)
{
    pthread_barrier_t start;
    struct runner r[2] = {{a, 0, &start, 0}, {b, 1, &start, 0}};
    pthread_t t[2];

    pthread_barrier_init(&start, NULL, 2);
    rcu_offline();
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&t[i], NULL, run, &r[i]))
            die("no thread");
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    rcu_online();
    pthread_barrier_destroy(&start);
    return 1000 / r[0].ns + 1000 / r[1].ns;
}

static void two_readers(uint32_t n, int rounds)
{
    struct set *a = set_new(n, false), *b = set_new(n, false);
    double one[ROUNDS_MAX], two[ROUNDS_MAX], r[ROUNDS_MAX];
    struct set second;

    make_stream(a, false);
    make_stream(b, false);
    /* The same table, another stream of keys. */
    second = *a;
    second.stream = malloc(STREAM * sizeof(*second.stream));
    if (!second.stream)
        die("no memory");
    make_stream(&second, false);
    for (int i = 0; i < rounds; i++) {
        one[i] = run_two(a, &second);
        two[i] = run_two(a, b);
        r[i] = one[i] / two[i];
    }
    median(r, rounds);
    printf("%8u  %8.1f %8.1f   %5.2f  (%.2f .. %.2f)%s\n", n,
           median(one, rounds), median(two, rounds), r[rounds / 2], r[0],
           r[rounds - 1], r[rounds / 2] >= 0.9 ? "" : "  below 0.9");
    free(second.stream);
    set_free(a);
    set_free(b);
}

/* ---- memory ---- */

static double resident_mb(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    char line[128], *second;

    if (!f || !fgets(line, sizeof(line), f) || !(second = strchr(line, ' ')))
        die("/proc/self/statm cannot be read");
    fclose(f);
    return (double)strtoul(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE) /
           1e6;
}

struct growth {
    double before, peak, peak_said, slowest;
    uint64_t grace;
};

/* Of this thread: what others take from it is not the step's. */
static uint64_t cpu_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void growth_step(struct growth *g, struct fdb *f)
{
    uint64_t t = cpu_now();
    struct fdb_stats st;

    step(f, 4096, &g->grace);
    g->slowest = fmax(g->slowest, (double)(cpu_now() - t) / 1e3);
    fdb_stats(f, &st);
    g->peak_said = fmax(g->peak_said, (double)st.memory / 1e6);
    g->peak = fmax(g->peak, resident_mb() - g->before);
}

static void memory(void)
{
    struct fdb_config c = {0};
    struct growth g = {.before = resident_mb()};
    struct fdb *f = fdb_new(&c);
    struct fdb_stats st;
    struct fdb_value old;

    if (!f)
        die("no memory");
    for (uint32_t i = 0; i < 1000000; i++) {
        while (fdb_learn(f, &now, fdb_key(1, i), 1, &old) != FDB_NEW)
            growth_step(&g, f);
        if (fdb_pressed(f))
            growth_step(&g, f);
    }
    for (int i = 0; i < 1000; i++)
        step(f, 1 << 16, &g.grace);
    fdb_stats(f, &st);
    printf(
        "settled: tables %.1f MB, resident %.1f MB (target 40)\n"
        "peak:    tables %.1f MB, resident %.1f MB (target 64)\n"
        "slowest step while growing: %.0f us of CPU time (budget 4096 slots)\n",
        (double)st.memory / 1e6, resident_mb() - g.before, g.peak_said, g.peak,
        g.slowest);
    fdb_free(f);
}

static const uint32_t sizes[] = {1000, 100000, 1000000};

static void lookups(int rounds)
{
    printf("look-ups, batches of %d, %d rounds\n"
           " entries  keys      ns fdb  ns lfht   ratio\n",
           BATCH, rounds);
    for (int i = 0; i < 3; i++) {
        struct set *s = set_new(sizes[i], true);

        make_stream(s, false);
        compare(s, "uniform", rounds);
        make_stream(s, true);
        compare(s, "zipf", rounds);
        set_free(s);
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7;
    const char *part = argc > 2 ? argv[2] : "";
    bool all = !*part, any = false;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        die("rounds: 1 to 101");
    setvbuf(stdout, NULL, _IOLBF, 0);
    hk = (struct hash_key){rnd(), rnd() | 1};
    rcu_thread_enter();
    if (all || !strcmp(part, "memory")) {
        any = true;
        puts("memory of 1000000 entries");
        memory();
    }
    if (all || !strcmp(part, "lookup")) {
        any = true;
        lookups(rounds);
    }
    if (all || !strcmp(part, "readers")) {
        any = true;
        puts("two readers, look-ups per us: one table, a table each\n"
             " entries  one tab.  each   ratio");
        for (int i = 0; i < 3; i++)
            two_readers(sizes[i], rounds);
    }
    rcu_thread_leave();
    if (!all && !any)
        die("parts: memory, lookup, readers");
    return 0;
}
