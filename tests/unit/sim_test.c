/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree engine in networks: figures with their expected trees
 * (tests/sim/), and random networks.
 *
 *   sim_test              figures, errors, and random networks for some seconds
 *   SEED=n sim_test       the random network of that seed, with its timeline
 *   SOAK=seconds sim_test random networks for so long
 *   FIRST=n               where random networks begin
 *
 * A seed of 2^40 and more is one with faults.
 */
#include "base/clock.h"
#include "ctl/sim/sim.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FAULTS  (1ULL << 40)
#define FOREVER (STP_NEVER - 1)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* As long as a test may take. */
#ifdef SANITIZED
#define RANDOM_SECONDS 10
#else
#define RANDOM_SECONDS 8
#endif

static struct sim *must_read(const char *text)
{
    struct err e = {""};
    struct sim *s;

    if (sim_read(&s, "test", text, strlen(text), &e))
        fail_msg("%s", e.text);
    return s;
}

static void run(struct sim *s)
{
    while (sim_next(s, FOREVER))
        ;
}

/* ---- figures ---- */

static void print_line(void *arg, const struct sim_line *l)
{
    sim_print_line(l, arg);
}

static char *load(const char *path, size_t *len)
{
    static char text[65536];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    *len = fread(text, 1, sizeof(text), f);
    fclose(f);
    return text;
}

static bool figure_holds(const char *path, bool aloud)
{
    struct err e = {""};
    struct sim *s;
    size_t len;
    char *text = load(path, &len);
    bool good;

    if (sim_read(&s, path, text, len, &e))
        fail_msg("%s", e.text);
    if (aloud)
        sim_watch(s, print_line, stderr);
    run(s);
    good = !sim_result(s)->loops && !sim_result(s)->wrong;
    if (aloud) {
        sim_print_tree(s, stderr);
        sim_print_result(s, stderr);
    }
    sim_free(s);
    return good;
}

static void figures(void **state)
{
    DIR *d = opendir("tests/sim");
    struct dirent *f;
    unsigned n = 0;

    (void)state;
    assert_non_null(d);
    while ((f = readdir(d))) {
        char path[300];

        snprintf(path, sizeof(path), "tests/sim/%s", f->d_name);
        if (!strstr(f->d_name, ".sim"))
            continue;
        n++;
        if (!figure_holds(path, false)) {
            (void)figure_holds(path, true);
            fail_msg("%s", path);
        }
    }
    closedir(d);
    assert_true(n > 0);
}

/* ---- random networks ---- */

struct tally {
    unsigned networks, excused, crossed, unquiet;
    uint64_t longest, steps, frames, quiets;
};

static char *network(uint64_t seed)
{
    const struct sim_random want = {
        .seed = seed, .orders = true, .faults = seed >= FAULTS};
    char *text = sim_random(&want);

    assert_non_null(text);
    return text;
}

static void add(struct tally *t, const struct sim_result *r)
{
    t->networks++;
    t->excused += r->excused;
    t->crossed += r->crossed;
    if (r->crossed_longest > t->longest)
        t->longest = r->crossed_longest;
    t->unquiet += !r->quiet;
    t->steps += r->steps;
    t->frames += r->frames;
    t->quiets += r->quiets;
}

static bool seed_holds(uint64_t seed, struct tally *t, FILE *aloud)
{
    char *text = network(seed);
    struct sim *s = must_read(text);
    const struct sim_result *r = sim_result(s);
    bool good;

    sim_seed(s, seed);
    if (aloud) {
        fputs(text, aloud);
        sim_watch(s, print_line, aloud);
    }
    run(s);
    add(t, r);
    good = !r->loops && !r->wrong;
    if (aloud) {
        sim_print_tree(s, aloud);
        sim_print_result(s, aloud);
    } else if (!good) {
        fprintf(stderr, "SEED=%llu: %u loops, %u other, %s\n",
                (unsigned long long)seed, r->loops, r->wrong, r->first);
    }
    free(text);
    sim_free(s);
    return good;
}

static void random_for(uint64_t first, unsigned seconds, const char *what)
{
    uint64_t end = clock_now() + seconds * SIM_SECOND, seed = first;
    struct tally t = {0};
    unsigned failed = 0;

    while (clock_now() < end && failed < 10)
        failed += !seed_holds(seed++, &t, NULL);
    fprintf(stderr,
            "%s: seeds %llu to %llu, %llu steps, %llu BPDUs, %llu times at "
            "rest, %u loops excused, %u by crossed BPDUs (the longest %.3f s), "
            "%u failed\n",
            what, (unsigned long long)first, (unsigned long long)seed - 1,
            (unsigned long long)t.steps, (unsigned long long)t.frames,
            (unsigned long long)t.quiets, t.excused, t.crossed,
            (double)t.longest / 1e9, failed);
    assert_int_equal(failed, 0);
}

/* 0: as usual. */
static uint64_t setting(const char *name)
{
    const char *v = getenv(name);

    return v ? strtoull(v, NULL, 0) : 0;
}

static uint64_t first_seed(void)
{
    return setting("FIRST") ? setting("FIRST") : 1;
}

static void lossless(void **state)
{
    (void)state;
    random_for(first_seed(), RANDOM_SECONDS, "lossless");
}

static void faulty(void **state)
{
    (void)state;
    random_for(FAULTS + first_seed(), RANDOM_SECONDS / 2, "with faults");
}

static int soak(unsigned seconds)
{
    uint64_t end = clock_now() + seconds * SIM_SECOND;
    uint64_t seed =
        setting("FIRST") ? setting("FIRST") : clock_now() % (FAULTS / 2);
    struct tally t = {0};
    unsigned failed = 0;

    printf("from seed %llu on\n", (unsigned long long)seed);
    for (; clock_now() < end && failed < 10; seed++) {
        failed += !seed_holds(seed, &t, NULL);
        failed += !seed_holds(seed + FAULTS, &t, NULL);
    }
    printf("%u networks, the last seed %llu; %u loops by crossed BPDUs, the "
           "longest %.3f s; %u failed\n",
           t.networks, (unsigned long long)seed - 1, t.crossed,
           (double)t.longest / 1e9, failed);
    return failed > 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(lossless),
        cmocka_unit_test(faulty),
    };
    struct tally t = {0};

    if (getenv("SEED"))
        return !seed_holds(setting("SEED"), &t, stdout);
    if (getenv("SOAK"))
        return soak((unsigned)setting("SOAK"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
