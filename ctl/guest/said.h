/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's last words, in those of the guest's definition.
 *
 * Threads: any; said_last reads a file.
 */
#ifndef CTL_GUEST_SAID_H
#define CTL_GUEST_SAID_H

#include "ctl/guest/def.h"

/* Why it ended, as far as its log in 'dir' says, in one line; "": it does not.
 * What does not fit in 'n' octets lacks its middle. */
void said_last(const struct guest_def *d, const char *dir, char *out, size_t n);

/* The same of a line: paths of the definition's for the descriptors that QEMU
 * was started with. */
void said_translate(const struct guest_def *d, const char *text, char *out,
                    size_t n);

#endif
