/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket in the file system, and telling systemd.
 *
 * Threads: the main thread, before and after the loop runs.
 */
#ifndef CTL_LISTEN_H
#define CTL_LISTEN_H

#include "ctl/sockpath.h"

#include <stdbool.h>
#include <sys/types.h>

struct listener {
    int fd;   /* listening, non-blocking */
    int lock; /* held while we live: a second daemon finds it taken */
    struct sockaddr_un addr;
    char lock_path[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
    bool made_dir; /* SOCKPATH_RUN_DIR */
};

/*
 * Binds and listens.  Everybody may connect; authority is looked at command
 * by command.  A socket file nobody listens on is replaced.  'group' becomes
 * the file's group unless it is (gid_t)-1.  0, or -errno with a sentence and
 * nothing left behind; -EADDRINUSE: another daemon is there.
 */
int listener_open(struct listener *l, const struct sockaddr_un *addr,
                  gid_t group, struct err *e);

/* Removes what open made.  Does not close fd if 'keep_fd' (it was given on). */
void listener_close(struct listener *l, bool keep_fd);

/*
 * sd_notify(3)'s datagram to $NOTIFY_SOCKET, e.g. "READY=1"; nothing if it is
 * not set.  0 or -errno.
 */
int notify_systemd(const char *state);

#endif
