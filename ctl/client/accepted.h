/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Has the other side of a UNIX stream socket accepted the connection?
 * connect(2) returns before that.
 */
#ifndef CTL_CLIENT_ACCEPTED_H
#define CTL_CLIENT_ACCEPTED_H

#include <stdbool.h>

/*
 * Asks the kernel about this very socket (sock_diag(7)): others that wait at
 * the same path are not taken for it.  True also when the other side has gone,
 * and where the kernel cannot be asked.  Blocks for microseconds.
 */
bool unix_accepted(int fd);

#endif
