/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the control socket is: what was asked for, else $BASCULE_SOCKET, else
 * /run/bascule/control.sock for root and $XDG_RUNTIME_DIR/bascule.sock for
 * others.  Daemon and client share this rule.
 */
#ifndef CTL_SOCKPATH_H
#define CTL_SOCKPATH_H

#include "base/err.h"

#include <sys/socket.h>
#include <sys/un.h>

#define SOCKPATH_RUN_DIR "/run/bascule"

/*
 * Fills 'addr'.  'asked' may be NULL.  0, or -ENAMETOOLONG / -ENOENT (no rule
 * gives a path) with a sentence.
 */
int sockpath_resolve(const char *asked, struct sockaddr_un *addr,
                     struct err *e);

#endif
