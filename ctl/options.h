/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's command line.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "base/err.h"
#include "base/log.h"

#include <sys/types.h>

#define OPTIONS_WORKERS_MAX 8

struct options {
    const char *socket;     /* NULL: by rule */
    const char *config;     /* a file to begin with, or NULL */
    const char *group;      /* as typed, or NULL */
    const char *guest_dir;  /* definitions of guests; NULL: by rule */
    const char *guest_user; /* QEMU's; NULL: by rule */
    gid_t gid;              /* (gid_t)-1: none */
    unsigned workers;
    int cpu[OPTIONS_WORKERS_MAX]; /* -1: not pinned */
    unsigned n_cpus;              /* as listed */
    enum log_level log;
};

/*
 * 0 to go on; 1 when --help or --version have been printed; -EINVAL with a
 * sentence naming the option and what is wrong with it.
 */
int options_parse(struct options *o, int argc, char **argv, struct err *e);

/*
 * "0,2-3": 0 and *n numbers in cpu[], or -EINVAL / -E2BIG with a sentence.
 */
int options_cpu_list(const char *text, int *cpu, unsigned *n, struct err *e);

#endif
