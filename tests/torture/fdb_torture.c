/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding database under readers, learners and its owner at once:
 * flushes with 4-bit generations, purges, sweeps, deletions, resizes, limits;
 * and a second table in which all keys have one of two homes.
 *
 * What may be found under a key is a function of the key (its ports are
 * congruent to it, a static entry's hint is computed from it), so one entry's
 * key with another's value is seen.  Statics of the stable kind are there
 * from beginning to end.  A port that was flushed and has stopped learning
 * stays empty, however late a learner is.  At the end the counts agree with
 * what a walk of the table finds.
 *
 * The sources are included, so that threads can be made to change over at
 * the points where order matters.
 *
 *   fdb_torture [SECONDS [SEED]]   (or BASCULE_TORTURE_SECONDS; 4)
 */
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static void race_point(void);
#define FDB_RACE_POINT() race_point()

/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "fdb/count.c"
#undef relaxed
#include "fdb/fdb.c"
#undef relaxed
#include "fdb/step.c"
#undef relaxed
#include "fdb/table.c"
/* NOLINTEND(bugprone-suspicious-include) */

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>

#define READERS  2
#define LEARNERS 3
#define PORTS    24 /* 1 .. 24 */
#define CLASSES  8  /* a key's ports are congruent to it modulo this */
#define GENS     16
#define STABLE   24 /* statics that are never deleted */
#define CHURNED  16 /* statics that come and go */
#define QUIET_OF 3  /* every so many-th flush also stops the port's learning */

/* How much longer a scene may take until everything has happened in it. */
#define PATIENCE_NS (60 * NSEC_PER_SEC)

/* ---- randomness, a stream per thread ---- */

static _Thread_local uint64_t rnd_state;

static uint64_t rnd(void)
{
    uint64_t x = rnd_state += 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
    return x ^ x >> 32;
}

static void race_point(void)
{
    uint64_t r = rnd();

    if (r % 512 == 0) {
        sched_yield();
    } else if (r % 32768 == 1) {
        struct timespec ts = {0, 200000};

        nanosleep(&ts, NULL); /* long enough for a grace period elsewhere */
    }
}

/* ---- the scene ---- */

/* What a real view would hold; published whole, freed after its readers. */
struct view {
    struct rcu_node node;
    uint16_t gens[FDB_PORTS];
    uint16_t now, ageing;
    bool learning[PORTS + 1];
    uint64_t since; /* its number */
};

struct scene {
    const char *name;
    struct fdb *f;
    uint32_t seed_keys; /* learned keys at most */
    _Atomic uint32_t keys;
    _Atomic(struct view *) view;
    _Atomic bool stop;
    _Atomic uint64_t grace_asked, grace_done; /* the job thread's */
    _Atomic uint64_t lookups, hits, result[FDB_BUSY + 1];
};

static uint64_t seed;
static struct scene *scene;

static void fail(const char *what, uint64_t key, uint64_t value)
{
    fprintf(stderr, "fdb_torture: %s: %s (key %#llx, value %#llx; seed %llu)\n",
            scene->name, what, (unsigned long long)key,
            (unsigned long long)value, (unsigned long long)seed);
    abort();
}

enum kind { LEARNED, STABLE_STATIC, CHURNED_STATIC };

static uint64_t key_of(enum kind kind, uint32_t n)
{
    return fdb_key((uint16_t)(kind + 1), 0x020000000000ULL | n);
}
static enum kind kind_of(uint64_t key)
{
    return (enum kind)(fdb_key_vid(key) - 1);
}
static unsigned class_of(uint64_t key)
{
    return (unsigned)(fdb_key_mac(key) % CLASSES);
}
static uint16_t hint_of(uint64_t key)
{
    return (uint16_t)(key * 0x9e3779b97f4a7c15ULL >> 48);
}
/* One of the ports that a key may be on: 1 .. PORTS. */
static uint16_t port_for(uint64_t key, uint64_t r)
{
    return (uint16_t)(1 + class_of(key) + CLASSES * (r % (PORTS / CLASSES)));
}

static struct fdb_now now_of(const struct view *v)
{
    return (struct fdb_now){v->gens, v->now, v->ageing};
}

/* ---- what must hold of whatever is found ---- */

static void check_found(const struct view *w, uint64_t key, uint64_t packed)
{
    struct fdb_value v = fdb_unpack(packed);

    if (v.port < 1 || v.port > PORTS ||
        (unsigned)(v.port - 1) % CLASSES != class_of(key))
        fail("an entry has another one's port", key, packed);
    if (kind_of(key) != LEARNED) {
        if (v.flags != FDB_STATIC)
            fail("a static entry has other flags", key, packed);
        if (v.hint != hint_of(key))
            fail("a static entry has another one's hint", key, packed);
        return;
    }
    if (v.flags || v.hint)
        fail("a learned entry has flags or a hint", key, packed);
    if (v.gen != w->gens[v.port])
        fail("a stale entry was found", key, packed);
    if (!w->learning[v.port])
        fail("an entry was found on a flushed port that does not learn", key,
             packed);
}

static uint64_t pack(const struct fdb_value *v)
{
    return value_pack(v->port, v->gen, v->flags, v->age, v->hint);
}

static uint64_t any_key(void)
{
    uint64_t r = rnd();

    if (r % 16 == 0)
        return key_of(STABLE_STATIC, (uint32_t)(r >> 8) % STABLE);
    if (r % 16 == 1)
        return key_of(CHURNED_STATIC, (uint32_t)(r >> 8) % CHURNED);
    return key_of(LEARNED,
                  (uint32_t)(r >> 8) %
                      atomic_load_explicit(&scene->keys, memory_order_relaxed));
}

/* ---- threads ---- */

static void thread_begin(void *arg)
{
    rnd_state = seed ^ (uint64_t)(uintptr_t)arg << 32;
    rcu_thread_enter();
}

static void look_up_some(const struct view *w, const struct fdb_now *t)
{
    uint64_t key[40], found[40];

    for (unsigned i = 0; i < 40; i++)
        key[i] = any_key();
    fdb_lookup_batch(scene->f, t, key, found, 40);
    for (unsigned i = 0; i < 40; i++) {
        if (found[i]) {
            check_found(w, key[i], found[i]);
            atomic_fetch_add_explicit(&scene->hits, 1, memory_order_relaxed);
        } else if (kind_of(key[i]) == STABLE_STATIC) {
            fail("a static entry was lost", key[i], 0);
        }
    }
    atomic_fetch_add_explicit(&scene->lookups, 40, memory_order_relaxed);
}

static void *reader(void *arg)
{
    thread_begin(arg);
    while (!atomic_load_explicit(&scene->stop, memory_order_relaxed)) {
        const struct view *w = rcu_read(&scene->view);
        struct fdb_now t = now_of(w);
        uint64_t key = any_key();
        struct fdb_value v;

        look_up_some(w, &t);
        if (fdb_lookup(scene->f, &t, key, &v))
            check_found(w, key, pack(&v));
        rcu_quiescent();
    }
    rcu_thread_leave();
    return NULL;
}

static void check_learned(const struct view *w, uint64_t key,
                          enum fdb_learned r, const struct fdb_value *old)
{
    bool fixed = kind_of(key) == STABLE_STATIC;

    atomic_fetch_add_explicit(&scene->result[r], 1, memory_order_relaxed);
    if (fixed && r != FDB_PINNED && r != FDB_KNOWN)
        fail("a static entry was learned over", key, r);
    if (r == FDB_MOVED || r == FDB_PINNED)
        check_found(w, key, pack(old));
}

static void *learner(void *arg)
{
    thread_begin(arg);
    while (!atomic_load_explicit(&scene->stop, memory_order_relaxed)) {
        const struct view *w = rcu_read(&scene->view);
        struct fdb_now t = now_of(w);

        for (unsigned i = 0; i < 16; i++) {
            uint64_t key = any_key();
            uint16_t port = port_for(key, rnd() % 64 ? key >> 5 : rnd());
            struct fdb_value old = {0};

            if (kind_of(key) == CHURNED_STATIC || !w->learning[port])
                continue; /* those keys are never learned */
            check_learned(w, key, fdb_learn(scene->f, &t, key, port, &old),
                          &old);
            race_point();
        }
        (void)fdb_pressed(scene->f);
        rcu_quiescent();
    }
    rcu_thread_leave();
    return NULL;
}

/* The job thread: one grace period at a time, when asked. */
static void *job(void *arg)
{
    thread_begin(arg);
    rcu_offline();
    while (!atomic_load(&scene->stop)) {
        uint64_t asked = atomic_load(&scene->grace_asked);

        if (asked == atomic_load(&scene->grace_done)) {
            sched_yield();
            continue;
        }
        rcu_wait();
        atomic_store(&scene->grace_done, asked);
    }
    rcu_thread_leave();
    return NULL;
}

/* ---- the owner ---- */

struct owner {
    struct view *view;
    struct fdb_walk walk;
    uint64_t walk_table;
    bool walk_seen[STABLE];
    /* Generations that may still lie in the table, a bit each. */
    uint16_t used[PORTS + 1], purging[PORTS + 1];
    uint64_t flushes, purges, walks, held;
};

static void view_free(struct rcu_node *n)
{
    free(n); /* its first member */
}

static struct view *view_copy(const struct view *old)
{
    struct view *w = malloc(sizeof(*w));

    if (!w)
        fail("no memory", 0, 0);
    *w = *old;
    w->since++;
    return w;
}

static void view_publish(struct owner *o, struct view *w)
{
    struct view *old = o->view;

    o->view = w;
    rcu_publish(&scene->view, w);
    rcu_defer(&old->node, view_free);
}

/*
 * Flushes a port, if the next generation is free, and starts or stops its
 * learning.  A purge is asked for when many are in use.
 */
static void flush(struct owner *o, uint16_t p)
{
    uint16_t next = (o->view->gens[p] + 1) % GENS;
    struct view *w;

    if (o->used[p] & 1 << next) {
        o->held++;
    } else {
        w = view_copy(o->view);
        w->gens[p] = next;
        w->learning[p] = rnd() % QUIET_OF != 0;
        o->used[p] |= 1 << next;
        view_publish(o, w);
        o->flushes++;
    }
    if (__builtin_popcount(o->used[p]) > GENS / 2 && !o->purging[p]) {
        o->purging[p] = o->used[p] & ~(1 << o->view->gens[p]);
        fdb_port_purge(scene->f, p, false);
        o->purges++;
    }
}

static void purges_done(struct owner *o)
{
    for (uint16_t p = 1; p <= PORTS; p++) {
        if (!o->purging[p] || !fdb_port_purged(scene->f, p))
            continue;
        o->used[p] &= ~o->purging[p];
        o->purging[p] = 0;
    }
}

static void walk_some(struct owner *o)
{
    struct fdb_now t = now_of(o->view);
    struct fdb_entry e[32];
    unsigned n = fdb_walk(scene->f, &t, &o->walk, e, 32, 100);

    if (o->walk.table != o->walk_table) {
        memset(o->walk_seen, 0, sizeof(o->walk_seen));
        o->walk_table = o->walk.table;
    }
    for (unsigned i = 0; i < n; i++) {
        check_found(o->view, e[i].key, pack(&e[i].value));
        if (kind_of(e[i].key) == STABLE_STATIC)
            o->walk_seen[fdb_key_mac(e[i].key) & 0xff] = true;
    }
    if (!o->walk.done)
        return;
    for (unsigned i = 0; i < STABLE; i++) {
        if (!o->walk_seen[i])
            fail("a walk missed a static entry", key_of(STABLE_STATIC, i), 0);
    }
    memset(o->walk_seen, 0, sizeof(o->walk_seen));
    o->walk = (struct fdb_walk){0};
    o->walks++;
}

static void set_static(struct owner *o, uint64_t key)
{
    struct fdb_value v = {.port = port_for(key, rnd()),
                          .flags = FDB_STATIC,
                          .hint = hint_of(key)};
    struct fdb_now t = now_of(o->view);
    struct fdb_value got;

    if (fdb_set(scene->f, &t, key, &v) != 0)
        return; /* no room: the others stay as they are */
    if (!fdb_lookup(scene->f, &t, key, &got) || got.port != v.port)
        fail("what was set is not there", key, pack(&v));
}

static void change_statics(struct owner *o)
{
    uint64_t key = key_of(CHURNED_STATIC, (uint32_t)(rnd() % CHURNED));
    struct fdb_now t = now_of(o->view);
    struct fdb_value v;

    if (rnd() % 2) {
        set_static(o, key);
    } else if (fdb_del(scene->f, &t, key, NULL) == 0 &&
               fdb_lookup(scene->f, &t, key, &v)) {
        fail("what was deleted is there", key, pack(&v));
    }
    set_static(o, key_of(STABLE_STATIC, (uint32_t)(rnd() % STABLE)));
}

/* The owner deletes or sets what learners learn. */
static void change_learned(struct owner *o)
{
    uint64_t key = key_of(LEARNED, (uint32_t)(rnd() % scene->keys));
    struct fdb_value v = {.port = port_for(key, rnd())};
    struct fdb_now t = now_of(o->view);

    if (rnd() % 2 && o->view->learning[v.port])
        (void)fdb_set(scene->f, &t, key, &v);
    else
        (void)fdb_del(scene->f, &t, key, NULL);
}

static void change_limits(void)
{
    uint32_t many = 16 + (uint32_t)(rnd() % scene->seed_keys);

    atomic_store_explicit(&scene->keys, many, memory_order_relaxed);
    fdb_set_active_ports(scene->f, PORTS);
    fdb_set_limit(scene->f, rnd() % 4 ? scene->seed_keys * 2 : many / 2);
    fdb_set_port_limit(scene->f, (uint16_t)(1 + rnd() % PORTS),
                       rnd() % 2 ? 1 + many / PORTS / 2 : 0);
}

static void clock_on(struct owner *o)
{
    struct view *w = view_copy(o->view);

    w->now += 1 + rnd() % 40;
    w->ageing = rnd() % 4 ? 300 : 0;
    view_publish(o, w);
}

static void step(struct owner *o)
{
    struct fdb_now t = now_of(o->view);
    struct fdb_step s = fdb_step(scene->f, &t, 128 + rnd() % 256,
                                 atomic_load(&scene->grace_done));

    if (s.want_grace > atomic_load(&scene->grace_asked))
        atomic_store(&scene->grace_asked, s.want_grace);
}

static void owner_turn(struct owner *o)
{
    uint64_t r = rnd();

    step(o);
    walk_some(o);
    purges_done(o);
    if (r % 8 == 0)
        flush(o, (uint16_t)(1 + rnd() % PORTS));
    if (r / 8 % 8 == 0)
        change_statics(o);
    if (r / 64 % 4 == 0)
        change_learned(o);
    if (r / 256 % 8 == 0)
        clock_on(o);
    if (r / 2048 % 512 == 0)
        change_limits();
    rcu_quiescent();
    if (r % 3 == 0)
        sched_yield();
}

/* Has everything happened that this is about? */
static bool has_tested(const struct owner *o)
{
    struct fdb_stats s;

    fdb_stats(scene->f, &s);
    /* A hundred keys are not enough to be sure of a resize. */
    return scene->hits && o->purges && o->walks &&
           (s.resizes || scene->seed_keys <= 1000);
}

/* ---- the end: everything adds up ---- */

static void settle(struct owner *o)
{
    uint64_t asked = atomic_load(&scene->grace_done);
    unsigned quiet = 0;

    for (unsigned n = 0; quiet < 6; n++) {
        struct fdb_now t = now_of(o->view);
        struct fdb_step s = fdb_step(scene->f, &t, 1 << 20, asked);

        asked = s.want_grace ? s.want_grace : asked; /* nobody else is left */
        quiet = s.wait == 0 || s.want_grace ? 0 : quiet + 1;
        if (n > 10000)
            fail("housekeeping finds no end", 0, 0);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct fdb_entry *x = a, *y = b;

    return x->key < y->key ? -1 : x->key > y->key;
}

static void check_sums(struct owner *o, const struct fdb_entry *e, unsigned n)
{
    uint32_t on[PORTS + 1] = {0}, statics = 0, learned = 0;
    struct fdb_stats s;

    for (unsigned i = 0; i < n; i++) {
        check_found(o->view, e[i].key, pack(&e[i].value));
        if (i && e[i].key == e[i - 1].key)
            fail("a key is there twice", e[i].key, pack(&e[i].value));
        if (e[i].value.flags & FDB_STATIC) {
            statics++;
        } else {
            on[e[i].value.port]++;
            learned++;
        }
    }
    for (uint16_t p = 1; p <= PORTS; p++) {
        if (fdb_port_learned(scene->f, p, o->view->gens[p]) != on[p])
            fail("a port's count is wrong: port, entries", p, on[p]);
    }
    fdb_stats(scene->f, &s);
    if (s.entries != n || s.statics != statics)
        fail("the statistics are wrong: entries, statics", n, statics);
    if (atomic_load(&scene->f->total) != learned)
        fail("the sum of counts is wrong", learned, 0);
    if (s.dead > s.slots / 4)
        fail("slots were not freed: dead", s.dead, s.slots);
}

static void check_end(struct owner *o)
{
    struct fdb_now t;
    struct fdb_walk w = {0};
    struct fdb_entry *e;
    struct fdb_stats s;
    unsigned n = 0;

    settle(o);
    t = now_of(o->view);
    fdb_stats(scene->f, &s);
    e = calloc(s.slots, sizeof(*e));
    if (!e)
        fail("no memory", 0, 0);
    while (!w.done)
        n += fdb_walk(scene->f, &t, &w, e + n, s.slots - n, 1000);
    qsort(e, n, sizeof(*e), by_key);
    check_sums(o, e, n);
    free(e);
    printf("fdb_torture: %s: %llu look-ups, %llu hits; known %llu, new %llu, "
           "moved %llu, replaced %llu, pinned %llu, refused %llu + %llu + "
           "%llu; %llu resizes, %llu flushes (%llu held), %llu purges, %llu "
           "walks, %llu removed\n",
           scene->name, (unsigned long long)scene->lookups,
           (unsigned long long)scene->hits,
           (unsigned long long)scene->result[FDB_KNOWN],
           (unsigned long long)scene->result[FDB_NEW],
           (unsigned long long)scene->result[FDB_MOVED],
           (unsigned long long)scene->result[FDB_REPLACED],
           (unsigned long long)scene->result[FDB_PINNED],
           (unsigned long long)scene->result[FDB_PORT_FULL],
           (unsigned long long)scene->result[FDB_FULL],
           (unsigned long long)scene->result[FDB_BUSY],
           (unsigned long long)s.resizes, (unsigned long long)o->flushes,
           (unsigned long long)o->held, (unsigned long long)o->purges,
           (unsigned long long)o->walks, (unsigned long long)s.expired);
    if (!has_tested(o))
        fail("the test did not test what it should", 0, 0);
}

static void run_threads(struct owner *o, uint64_t end)
{
    pthread_t t[READERS + LEARNERS + 1];
    uintptr_t n = 0;

    for (uintptr_t i = 0; i < READERS; i++, n++)
        pthread_create(&t[n], NULL, reader, (void *)(n + 1));
    for (uintptr_t i = 0; i < LEARNERS; i++, n++)
        pthread_create(&t[n], NULL, learner, (void *)(n + 1));
    pthread_create(&t[n], NULL, job, (void *)(n + 1));
    /* on a busy machine, until it has had its turns */
    while (clock_now() < end ||
           (!has_tested(o) && clock_now() < end + PATIENCE_NS))
        owner_turn(o);
    atomic_store(&scene->stop, true);
    rcu_offline();
    for (uintptr_t i = 0; i <= n; i++)
        pthread_join(t[i], NULL);
    rcu_online();
}

static void torture(const char *name, uint32_t keys, uint32_t hash_mask,
                    double seconds)
{
    struct fdb_config c = {.slots = TABLE_MIN,
                           .hash_seed = seed,
                           .hash_mask = hash_mask,
                           .gen_max = GENS - 1};
    struct scene s = {.name = name, .seed_keys = keys, .keys = keys};
    struct owner o = {.view = calloc(1, sizeof(struct view))};

    scene = &s;
    s.f = fdb_new(&c);
    if (!o.view || !s.f)
        fail("no memory", 0, 0);
    for (unsigned p = 1; p <= PORTS; p++) {
        o.view->learning[p] = true;
        o.used[p] = 1;
    }
    o.view->ageing = 300;
    rcu_publish(&s.view, o.view);
    for (uint32_t i = 0; i < STABLE; i++)
        set_static(&o, key_of(STABLE_STATIC, i));
    run_threads(&o, clock_now() + (uint64_t)(seconds * NSEC_PER_SEC));
    check_end(&o);
    rcu_defer_barrier();
    fdb_free(s.f);
    free(o.view);
}

int main(int argc, char **argv)
{
    const char *given = getenv("BASCULE_TORTURE_SECONDS");
    double seconds = given ? strtod(given, NULL) : 4;

    seed = clock_now();
    if (argc > 1)
        seconds = strtod(argv[1], NULL);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    printf("fdb_torture: seed %llu, %.0f s\n", (unsigned long long)seed,
           seconds);
    fflush(stdout);
    rnd_state = seed;
    rcu_thread_enter();
    torture("spread", 6000, 0, seconds / 2);
    torture("two homes", 100, 1, seconds / 2);
    rcu_thread_leave();
    return 0;
}
