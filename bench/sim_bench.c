/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simulations a second, on one core: random networks of 16 bridges (and of 64)
 * from the start until they are at rest, every step checked, the tree compared.
 * Seconds are the processor's, so that a busy machine does not count.
 *
 *   sim_bench [SECONDS]
 */
#include "ctl/sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void die(const char *what)
{
    fprintf(stderr, "sim_bench: %s\n", what);
    exit(1);
}

static uint64_t processor_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * SIM_SECOND + (uint64_t)ts.tv_nsec;
}

static void run_one(uint64_t seed, unsigned bridges, struct sim_result *sum)
{
    char *text = sim_random(
        &(struct sim_random){.seed = seed, .bridges = bridges, .orders = true});
    const struct sim_result *r;
    struct err e = {""};
    struct sim *s;

    if (!text || sim_read(&s, "random", text, strlen(text), &e))
        die(text ? e.text : "out of memory");
    while (sim_next(s, STP_NEVER - 1))
        ;
    r = sim_result(s);
    if (r->loops || r->wrong) {
        fprintf(stderr, "%s\n# seed %llu\n", text, (unsigned long long)seed);
        die(r->first);
    }
    sum->steps += r->steps;
    sum->frames += r->frames;
    sum->now += r->now;
    sim_free(s);
    free(text);
}

static void bench(unsigned bridges, unsigned seconds)
{
    uint64_t start = processor_time(), took;
    struct sim_result sum = {0};
    unsigned n = 0;
    double s;

    do
        run_one(++n, bridges, &sum);
    while ((took = processor_time() - start) < seconds * SIM_SECOND);
    s = (double)took / 1e9;
    printf("%u bridges: %.0f simulations/s, %.2f M steps/s, %.2f M BPDUs/s, "
           "%.0f s simulated in one (%u in %.1f s)\n",
           bridges, n / s, (double)sum.steps / 1e6 / s,
           (double)sum.frames / 1e6 / s, (double)sum.now / 1e9 / n, n, s);
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5;

    bench(16, seconds);
    bench(64, seconds);
    return 0;
}
