/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/slice.h"

#include "base/clock.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's lower bound. */
#define SHORTEST_NS (100 * NSEC_PER_USEC)

void slice_shortest(void)
{
    struct sched_attr a = {.size = sizeof(a)};

    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) ||
        a.sched_policy != SCHED_NORMAL)
        return;
    a.sched_runtime = SHORTEST_NS;
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}
