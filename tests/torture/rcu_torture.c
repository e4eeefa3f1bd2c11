/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/rcu.h: readers hold an object until they are quiescent, offline or
 * gone; what is freed after a grace period is never seen again.
 *
 * Objects are written plainly, so under ThreadSanitizer each grace period
 * that its readers do not get is a data race.  That this would be *found* is
 * tested too: the program runs itself with a planted race (an object freed
 * without waiting), and with the same steps and the wait.
 *
 *   rcu_torture [SECONDS]      (or BASCULE_TORTURE_SECONDS; 2)
 */
#include "base/clock.h"
#include "base/rcu.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#endif

#define READERS 3

struct object {
    struct rcu_node node;
    uint64_t a, b; /* b == ~a while anybody may look */
};

static _Atomic(struct object *) current;
static _Atomic bool stop;
static _Atomic uint64_t freed;

static void fail(const char *what)
{
    fprintf(stderr, "rcu_torture: %s\n", what);
    abort();
}

static struct object *object(uint64_t a)
{
    struct object *o = malloc(sizeof(*o));

    if (!o)
        fail("no memory");
    o->a = a;
    o->b = ~a;
    return o;
}

static void discard(struct object *o)
{
    if (o->b != ~o->a)
        fail("freed twice");
    o->a = o->b = 0x5a5a5a5a5a5a5a5a;
    free(o);
    atomic_fetch_add(&freed, 1);
}

static void discard_node(struct rcu_node *n)
{
    discard(
        (struct object *)(void *)((char *)n - offsetof(struct object, node)));
}

static void look(const struct object *o)
{
    if (o->b != ~o->a)
        fail("a reader holds an object that was freed");
}

static void *reader(void *arg)
{
    unsigned n = (unsigned)(uintptr_t)arg;

    rcu_thread_enter();
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        struct object *o = rcu_read(&current);

        for (unsigned i = 0; i < 50; i++)
            look(o);
        if (n++ % 7 == 0)
            sched_yield();
        look(o);
        if (n % 64) {
            rcu_quiescent();
            continue;
        }
        rcu_offline();
        sched_yield();
        rcu_online();
        if (n % 4096 == 0) {
            rcu_thread_leave();
            rcu_thread_enter();
        }
    }
    rcu_thread_leave();
    return NULL;
}

static uint64_t publish_until(uint64_t end)
{
    uint64_t made = 1;

    while (clock_now() < end) {
        struct object *old = rcu_read(&current);

        rcu_publish(&current, object(made++));
        if (made % 3) {
            rcu_wait();
            discard(old);
        } else {
            rcu_defer(&old->node, discard_node);
        }
    }
    return made;
}

static void torture(unsigned seconds)
{
    pthread_t t[READERS];
    uint64_t made;

    rcu_publish(&current, object(0));
    for (uintptr_t i = 0; i < READERS; i++) {
        if (pthread_create(&t[i], NULL, reader, (void *)i))
            fail("no thread");
    }
    rcu_thread_enter();
    made = publish_until(clock_now() + seconds * NSEC_PER_SEC);
    atomic_store(&stop, true);
    rcu_offline();
    for (int i = 0; i < READERS; i++)
        pthread_join(t[i], NULL);
    rcu_defer_barrier();
    rcu_thread_leave();
    discard(rcu_read(&current));
    if (atomic_load(&freed) != made)
        fail("objects were lost");
    printf("rcu_torture: %llu objects published and freed\n",
           (unsigned long long)made);
}

/* ---- the planted race ---- */

static _Atomic int has_read;

static void *one_read(void *arg)
{
    (void)arg;
    rcu_thread_enter();
    look(rcu_read(&current));
    /* Relaxed: must not order anything. */
    atomic_store_explicit(&has_read, 1, memory_order_relaxed);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        rcu_quiescent();
        sched_yield();
    }
    rcu_thread_leave();
    return NULL;
}

/* The reader has looked; then the object goes, after a wait or at once. */
static int planted(bool wait)
{
    struct object *old = object(1), *new = object(2);
    pthread_t t;

    rcu_publish(&current, old);
    if (pthread_create(&t, NULL, one_read, NULL))
        fail("no thread");
    while (!atomic_load_explicit(&has_read, memory_order_relaxed))
        sched_yield();
    rcu_publish(&current, new);
    if (wait)
        rcu_wait();
    discard(old);
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    pthread_join(t, NULL);
    discard(new);
    return 0;
}

#ifdef TSAN
#define FOUND 66

/* This program again, with 'arg'; its exit status. */
static int run_self(const char *arg)
{
    const char *given = getenv("TSAN_OPTIONS");
    char options[1024];
    int status = 0;
    pid_t pid;

    snprintf(options, sizeof(options), "%s exitcode=%d halt_on_error=1",
             given ? given : "", FOUND);
    pid = fork();
    if (pid < 0)
        fail("no process");
    if (pid == 0) {
        setenv("TSAN_OPTIONS", options, 1);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        execl("/proc/self/exe", "rcu_torture", arg, (char *)NULL);
        _exit(1);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        fail("the program run with a planted race did not end properly");
    return WEXITSTATUS(status);
}

static void find_planted(void)
{
    if (run_self("planted") != FOUND)
        fail("an object freed without a grace period was not reported");
    if (run_self("waiting") != 0)
        fail("the same with a grace period was reported");
    puts("rcu_torture: the planted race is found, and only it");
}
#else
static void find_planted(void)
{
    puts("rcu_torture: no planted race: this build would not see it");
}
#endif

int main(int argc, char **argv)
{
    const char *s = getenv("BASCULE_TORTURE_SECONDS");

    if (argc > 1 && strcmp(argv[1], "planted") == 0)
        return planted(false);
    if (argc > 1 && strcmp(argv[1], "waiting") == 0)
        return planted(true);
    if (argc > 1)
        s = argv[1];
    find_planted();
    torture(s ? (unsigned)strtoul(s, NULL, 10) : 2);
    return 0;
}
