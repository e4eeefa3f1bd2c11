/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Are there huge pages for a guest that wants them?  QEMU only says that
 * memory could not be had.
 *
 * Threads: any.
 */
#ifndef CTL_GUEST_HUGEPAGES_H
#define CTL_GUEST_HUGEPAGES_H

#include "ctl/guest/def.h"

/*
 * 0; -ENOMEM or -EOPNOTSUPP with a sentence.  'others': MB that guests take
 * before this one starts; below 0: that they give back.
 */
int hugepages_check(const struct guest_def *d, long others, struct err *e);

/* The same by the text of /proc/meminfo; 'overcommit': pages that the kernel
 * makes beyond those reserved. */
int hugepages_judge(const struct guest_def *d, long others, const char *meminfo,
                    unsigned long overcommit, struct err *e);

#endif
