/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces: naming them and working inside them.
 */
#ifndef PORTS_NETNS_H
#define PORTS_NETNS_H

#include "base/err.h"

#include <stdint.h>

/*
 * Opens the namespace that 'text' names: a name under /run/netns, a process
 * id, or a path.  A descriptor (O_CLOEXEC) or -errno with a sentence.  For
 * the client, which passes the descriptor; the daemon opens no path.
 */
int netns_open(const char *text, struct err *e);

/*
 * Enters the namespace 'fd' in the calling thread and remembers the one it
 * was in; -1 means "stay".  0 or -errno with a sentence.  Leave always
 * succeeds or ends the process: a thread in the wrong namespace would go on
 * to touch the wrong devices.
 */
struct netns_scope {
    int home;
};
int netns_enter(struct netns_scope *s, int fd, struct err *e);
void netns_leave(struct netns_scope *s);

/* The cookie of the calling thread's namespace, a number that the kernel gives
 * to no other one until the next boot, unlike inodes.  0: it cannot be told
 * (before Linux 5.14). */
uint64_t netns_cookie(void);

#endif
