/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Following netdevs by rtnetlink: one watch per network namespace in use,
 * shared by all ports whose devices live there.  A watch does not keep its
 * namespace alive.
 *
 * Threads: control thread, except where said.  Nothing here waits for the
 * kernel's lock of all interfaces: a thread of the watch's own does.
 */
#ifndef PORTS_NETWATCH_H
#define PORTS_NETWATCH_H

#include "base/err.h"
#include "ports/port.h"

struct ev_loop;
struct netwatch;
struct netwatch_ns; /* the watch of one namespace */

/*
 * 'change' is called for every link change in any watched namespace, on the
 * control thread; 'netns' is the namespace's inode number (fstat of its fd).
 * After lost messages (ENOBUFS) the watch re-reads all links by itself.
 */
struct netwatch *netwatch_new(struct ev_loop *loop,
                              void (*change)(void *arg, uint64_t netns,
                                             const struct link_change *c),
                              void *arg);
/* Not from inside 'change'. */
void netwatch_free(struct netwatch *w);

/*
 * Starts (or counts one more user of) the watch of the namespace 'netns_fd'
 * (-1: our own), which the caller may close then.  Quick enough for the
 * control thread.  NULL with *rc = -errno and a sentence.  The first user of a
 * namespace is told of all its links; when the namespace ends all users are
 * told that its links are gone.  'change' may call these.
 */
struct netwatch_ns *netwatch_add(struct netwatch *w, int netns_fd, int *rc,
                                 struct err *e);
/* NULL is fine. */
void netwatch_remove(struct netwatch_ns *n);

/* Inode number that identifies a namespace; 0 on failure. */
uint64_t netns_id(int netns_fd);

#endif
