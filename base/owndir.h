/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories in which we keep what we obey later: nobody else may have
 * prepared them, or write to them.
 *
 * Threads: any.
 */
#ifndef BASE_OWNDIR_H
#define BASE_OWNDIR_H

#include "base/err.h"

/*
 * Is 'path' our user's directory, which nobody else can write to, or a link
 * of our user's to one?  0, also if there is nothing at all; -EPERM with a
 * sentence that names 'option', by which another place is given.
 */
int owndir_check(const char *path, const char *option, struct err *e);

#endif
