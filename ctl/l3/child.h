/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other programs: short commands, and one that is kept running.
 *
 * The daemon's event loop reaps whatever child it is told of, so the exit
 * status is awaited by a small process between us and the program.  That one
 * also ends the program when we end, however that happens, and starts it
 * again when it ends by itself.
 *
 * A program is found in /usr/sbin, /usr/bin, /sbin and /bin; it gets none of
 * our descriptors, an environment of PATH, LANG=C and what is given, and the
 * calling thread's network namespace.
 *
 * Threads: job thread.
 */
#ifndef CTL_L3_CHILD_H
#define CTL_L3_CHILD_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define CHILD_LIMIT_MS 10000 /* of a short command */
#define CHILD_ARGS_MAX 64

/* Is it installed?  Its path, if 'path' is not NULL. */
bool child_find(const char *name, char path[PATH_MAX]);

/*
 * Runs argv[0] to its end.  Its exit status, or -errno with a sentence:
 * -ENOENT not installed, -ETIMEDOUT (it is killed), -EINTR ended by a signal.
 * What it says, to either output, is in 'out' (n octets, NUL-terminated).
 */
int child_run(const char *const argv[], char *out, size_t n, struct err *e);

struct child;

/*
 * Starts argv[0] (the arrays end with NULL; 'env' may be NULL) and keeps it
 * running: should it end, it is started again after a second, then two, up to
 * a minute.  'name' is for the log.  0 or -errno with a sentence.
 */
int child_start(struct child **c, const char *name, const char *const argv[],
                const char *const env[], struct err *e);
/* SIGTERM, and SIGKILL if that does not end it within 3 s.  NULL is fine. */
void child_stop(struct child *c);

/*
 * Starts this very program again, with 'env', when we have ended, however that
 * happens.  0 or -errno with a sentence.
 */
int child_watch_us(struct child **c, const char *const env[], struct err *e);

#endif
