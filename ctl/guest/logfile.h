/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of a guest's QEMU, which must not fill the place that it is in.
 *
 * Threads: control.
 */
#ifndef CTL_GUEST_LOGFILE_H
#define CTL_GUEST_LOGFILE_H

#include <ev.h>
#include <limits.h>

#define LOGFILE_MAX  (1024 * 1024) /* octets from which on it is cut ... */
#define LOGFILE_KEEP (64 * 1024)   /* ... to about so many, the newest ones */

struct logfile {
    ev_stat stat;
    char path[PATH_MAX];
};

/* Cuts DIR/log now and whenever it has grown too long; by inotify, so that a
 * QEMU that says nothing wakes nobody. */
void logfile_watch(struct logfile *l, struct ev_loop *loop, const char *dir);
/* Also if it was not watched, but is all zero. */
void logfile_unwatch(struct logfile *l, struct ev_loop *loop);

/* Once.  Errors are nobody's business: then it is long. */
void logfile_cut(const char *path);

#endif
