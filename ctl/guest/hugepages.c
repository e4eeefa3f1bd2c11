/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See hugepages.h.
 */
#include "ctl/guest/hugepages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "HugePages_Free:    12"; 0: there is no such line. */
static unsigned long field(const char *meminfo, const char *name)
{
    const char *at = strstr(meminfo, name);

    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static unsigned long pages(unsigned long mb, unsigned long kb)
{
    return (mb * 1024UL + kb - 1) / kb;
}

/* Each node's memory is a mapping of its own. */
static unsigned long pages_of(const struct guest_def *d, unsigned long kb)
{
    unsigned long n = 0;

    for (unsigned i = 0; i < d->n_numa; i++)
        n += pages(d->numa[i].memory, kb);
    return d->n_numa ? n : pages(d->memory, kb);
}

int hugepages_judge(const struct guest_def *d, long others, const char *meminfo,
                    unsigned long overcommit, struct err *e)
{
    unsigned long kb = field(meminfo, "\nHugepagesize:");
    unsigned long surplus = field(meminfo, "\nHugePages_Surp:");
    unsigned long all = field(meminfo, "\nHugePages_Total:") - surplus;
    unsigned long kept = field(meminfo, "\nHugePages_Rsvd:");
    unsigned long free = field(meminfo, "\nHugePages_Free:"), need, taken;

    if (!d->hugepages)
        return 0;
    if (!kb)
        return err_set(e, EOPNOTSUPP,
                       "--hugepages: this kernel has no huge pages");
    need = pages_of(d, kb);
    taken = others > 0 ? kept + pages((unsigned long)others, kb) : kept;
    if (others < 0)
        free += pages((unsigned long)-others, kb);
    free = free > taken ? free - taken : 0; /* others were promised those */
    if (need <= free + (overcommit > surplus ? overcommit - surplus : 0))
        return 0;
    return err_set(e, ENOMEM,
                   "--hugepages: %lu huge pages of %lu kB are needed and %lu "
                   "are free; sysctl vm.nr_hugepages=%lu reserves enough",
                   need, kb, free, all + need - free);
}

static void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

int hugepages_check(const struct guest_def *d, long others, struct err *e)
{
    char meminfo[8192], overcommit[32];

    read_text("/proc/meminfo", meminfo, sizeof(meminfo));
    read_text("/proc/sys/vm/nr_overcommit_hugepages", overcommit,
              sizeof(overcommit));
    return hugepages_judge(d, others, meminfo, strtoul(overcommit, NULL, 10),
                           e);
}
