/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the processor's time stamp counter runs, in kHz.
 *
 * An emulated machine has the host's counter but has to measure its speed with
 * emulated timers, and on a busy host goes wrong by a factor at times (2 of 50
 * boots: 402 and 480 MHz instead of 2300): then its clock runs away, and it
 * hangs in timer interrupts.  With this number it need not measure
 * (tsc_early_khz= on Linux' command line).
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>

#define NS_PER_S 1000000000ull
#define LONG_NS  (50 * 1000000ull)
#define TRIES    50

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

struct point {
    uint64_t ns, ticks;
};

/* Both clocks at one moment: of some tries the one nobody interrupted. */
static struct point both(void)
{
    struct point best = {0};
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = now_ns();
        uint64_t ticks = __rdtsc();
        uint64_t took = now_ns() - before;

        if (took < least) {
            least = took;
            best = (struct point){before + took / 2, ticks};
        }
    }
    return best;
}

int main(void)
{
    struct timespec pause = {.tv_nsec = LONG_NS};
    struct point a = both(), b;

    nanosleep(&pause, NULL);
    b = both();
    printf("%.0f\n", (double)(b.ticks - a.ticks) * 1e6 / (double)(b.ns - a.ns));
    return 0;
}

#else

int main(void)
{
    fputs("tsckhz: only x86 processors have this counter\n", stderr);
    return 1;
}

#endif
