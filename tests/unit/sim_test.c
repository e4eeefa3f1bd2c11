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

/* ---- the language ---- */

static void errors(void **state)
{
    static const struct {
        const char *text, *error;
    } list[] = {
        {"", "t:1:1: there is no bridge"},
        {"B1-", "t:1:4: a name is missing"},
        {"B1-B2\n  B3-!", "t:2:6: a name is missing: there is a '!'"},
        {"1B", "t:1:1: 1B: names begin with a letter"},
        {"a_name_of_too_many_letters",
         "t:1:1: a name is longer than 15 characters"},
        {"B1[prio=70000]", "t:1:4: 70000 is not a prio: 0 to 65535 are"},
        {"B1[prio]", "t:1:4: prio needs a value"},
        {"B1[prio=x]", "t:1:4: x is no whole number"},
        {"B1[colour=red]", "t:1:4: there is no option colour"},
        {"B1[cost=4]", "t:1:4: cost is no option of a bridge"},
        {"B1-B2[stp]", "t:1:7: stp is no option of a link or LAN"},
        {"B1-B2[delay=1h]", "t:1:7: 1h: there is no unit h; s, ms, us, ns are"},
        {"B1-B2[loss=5]", "t:1:7: 5 is no part of a hundred: say 5%"},
        {"B1-B2[oneway=maybe]", "t:1:7: maybe is neither on nor off"},
        {"B1-B2[cost=4", "t:1:6: this [ has no ]"},
        {"B1-B2;B1.p1-B3", "t:1:7: port p1 of B1 is in use already"},
        {"B1.px-B2", "t:1:4: ports have numbers from 1 to 255"},
        {"B1.2-B2", "t:1:4: a port is written B1.p1"},
        {"B1-B2.p3-B3", "t:1:4: a numbered port ends a chain"},
        {"hub: B1\nhub-B2", "t:2:1: hub is a LAN, not a bridge"},
        {"B1; B1: B2", "t:1:5: B1 is a bridge, not a LAN"},
        {"h: B1; h: B1", "t:1:8: there is a LAN h already"},
        {"hub[oneway]: B1 B2 B3", "t:1:5: oneway is an option of links of two"},
        {"B1-B2; @x cut B1-B2", "t:1:9: x is no time: say 10s, 1.5ms or 20us"},
        {"B1-B2; @1s cut B1-B3", "t:1:16: there is no link between B1 and B3"},
        {"B1-B2 B1-B2; @1s cut B1-B2",
         "t:1:22: 2 links join B1 and B2: name ports, as in B1.p1-B2.p1"},
        {"B1-B2; @1s cut B1", "t:1:16: cut takes a link, LAN or port"},
        {"B1-B2; @1s kill B3", "t:1:17: there is no bridge or LAN B3"},
        {"B1-B2; @1s break B1", "t:1:12: break is no order: cut, heal, kill, "
                                "revive, set, mcheck and expect are"},
        {"B1-B2; @1s set B1 cost 3", "t:1:19: cost is no option of a bridge"},
        {"B1-B2; @1s set B1 host", "t:1:19: a bridge does not become a host"},
        {"B1-B2; expect B1.p2 root", "t:1:15: B1 has no port p2"},
        {"B1-B2; expect B1.p1 king",
         "t:1:21: king is neither a role nor a state"},
        {"B1-B2; expect B1.p1", "t:1:20: what is expected of it?"},
        {"B1-B2 ]", "t:1:7: a name is missing: there is a ']'"},
        {"default", "t:1:8: default[OPTION=VALUE,...]"},
        {"default[host]", "t:1:9: host is no option of default"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        struct err e = {""};
        struct sim *s;

        if (!sim_read(&s, "t", list[i].text, strlen(list[i].text), &e))
            fail_msg("%s is taken", list[i].text);
        assert_string_equal(e.text, list[i].error);
        assert_null(s);
    }
}

/* A NUL does not end the text, and is not passed over either. */
static void nul(void **state)
{
    struct err e = {""};
    struct sim *s;

    (void)state;
    assert_int_equal(sim_read(&s, "t", "B1-B2\0B3", 8, &e), -EINVAL);
    assert_string_equal(e.text, "t:1:6: the statement should have ended here");
}

/* What may be written in several ways is the same network. */
static void ways(void **state)
{
    static const char *const list[] = {
        "B1-B2-B3-B1\n@20s cut B1-B2",
        "  B1-B2   B2-B3 # a ring\n#\n\nB3-B1;;@20s cut B2-B1 # here",
        "x: B1 B2; y: B2 B3\ny2: B3 B1; @20s cut x",
        "B1.p1-B2.p1 B2.p2-B3; B3-B1.p2; @20000ms cut B1.p1-B2",
        ("default[cost=9]; B1-B2[cost=4] B2-B3-B1[cost=4,portprio=32]\r\n"
         "@20s cut B1.p1"),
    };
    uint64_t steps = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        struct sim *s = must_read(list[i]);

        run(s);
        assert_int_equal(sim_result(s)->loops + sim_result(s)->wrong, 0);
        if (i > 0)
            assert_int_equal(sim_result(s)->steps, steps);
        steps = sim_result(s)->steps;
        sim_free(s);
    }
}

/* The checks see what they are there for. */
static void seen(void **state)
{
    struct sim *s = must_read("B1-B2-B3-B1\nexpect B2 root\n"
                              "expect B3.p1 root\n"
                              "@20s set B1.p1 deaf; @20s set B1.p1 mute\n"
                              "@20s set B2.p2 mute; @60s expect B1 root");

    (void)state;
    run(s);
    assert_int_equal(sim_result(s)->wrong, 2);
    assert_non_null(strstr(sim_result(s)->first, "test:2: expect B2 root"));
    sim_free(s);
}

/* Both forward at once; a moment later one of them does not. */
static void edges(void **state)
{
    struct sim *s = must_read("B1-B2[edge]; B1-B2[edge]");

    (void)state;
    run(s);
    assert_int_equal(sim_result(s)->loops + sim_result(s)->wrong, 0);
    assert_int_equal(sim_result(s)->excused, 1);
    assert_true(sim_result(s)->changed_at < SIM_SECOND / 100);
    sim_free(s);
}

/* ---- random networks ---- */

struct tally {
    unsigned networks, excused, crossed, oneways, unquiet;
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
    t->oneways += r->oneways;
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

/* So that as many networks are looked at when the machine is busy. */
static uint64_t processor_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * SIM_SECOND + (uint64_t)ts.tv_nsec;
}

static void random_for(uint64_t first, unsigned seconds, const char *what)
{
    uint64_t end = processor_time() + seconds * SIM_SECOND, seed = first;
    struct tally t = {0};
    unsigned failed = 0;

    while (processor_time() < end && failed < 10)
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
           "longest %.3f s; %u times at rest with one-way cables; %u failed\n",
           t.networks, (unsigned long long)seed - 1, t.crossed,
           (double)t.longest / 1e9, t.oneways, failed);
    return failed > 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),   cmocka_unit_test(nul),
        cmocka_unit_test(ways),     cmocka_unit_test(seen),
        cmocka_unit_test(edges),    cmocka_unit_test(figures),
        cmocka_unit_test(lossless), cmocka_unit_test(faulty),
    };
    struct tally t = {0};

    if (getenv("SEED"))
        return !seed_holds(setting("SEED"), &t, stdout);
    if (getenv("SOAK"))
        return soak((unsigned)setting("SOAK"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
