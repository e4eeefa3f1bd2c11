/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second half of reading a definition.
 *
 * Threads: pure; any.
 */
#ifndef CTL_GUEST_CHECK_H
#define CTL_GUEST_CHECK_H

#include "ctl/guest/def.h"

/* Names ports, settles addresses and formats, and looks whether all of it
 * fits together.  0 or -errno with a sentence. */
int guest_def_check(struct guest_def *d, struct err *e);

#endif
