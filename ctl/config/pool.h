/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All memory of one configuration.  For the loader, and for whoever makes a
 * struct conf from what is running.
 *
 * Threads: one at a time for each configuration.
 */
#ifndef CTL_CONFIG_POOL_H
#define CTL_CONFIG_POOL_H

#include "ctl/config/model.h"

#include <stddef.h>

/* An empty configuration; NULL when out of memory.  conf_free (load.h) frees
 * it with all that came from its pool. */
struct conf *conf_new(void);

/* Zeroed, aligned for anything, until conf_free.  NULL: out of memory. */
void *conf_alloc(struct conf *c, size_t n);
char *conf_text(struct conf *c, const char *text);

/* What is the case where nothing is written: zeroes are not. */
void conf_l3_init(struct conf_l3 *l);

/* At the end of c->notice.  0 or -ENOMEM. */
int conf_note(struct conf *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
