/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a launch opens and closes.
 *
 * Threads: one that may block.
 */
#ifndef CTL_GUEST_OPEN_H
#define CTL_GUEST_OPEN_H

#include "ctl/guest/spawn.h"

/* Closes every descriptor that is for QEMU. */
void launch_close(struct launch *l);

/* Can the files that the definition names be opened?  0 or -errno. */
int launch_check_files(const struct guest_def *d, struct err *e);

/*
 * Is there what the host has to have for the guest to start: QEMU, the
 * accelerator, memory, the tools?  'others' as in hugepages.h; 'l' learns what
 * was found.  0 or -errno.
 */
int launch_check_host(struct launch *l, long others, struct err *e);

/* QEMU's path.  0, or -ENOENT with a sentence. */
int launch_find_qemu(char path[PATH_MAX], struct err *e);

#endif
