/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a configuration in the syntax it is read in.  What netplan can say
 * is said in `network:`; the rest in `bascule:`, which is absent if there is
 * nothing to say.  conf_load(conf_print(c)) equals c but for positions.
 *
 * Threads: any.
 */
#ifndef CTL_CONFIG_PRINT_H
#define CTL_CONFIG_PRINT_H

#include "ctl/config/model.h"

/* malloc'ed YAML, or NULL (no memory). */
char *conf_print(const struct conf *c);

#endif
