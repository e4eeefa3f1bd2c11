/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `guests:` as it is written.
 *
 * Threads: any.
 */
#ifndef CTL_CONFIG_PRINT_GUESTS_H
#define CTL_CONFIG_PRINT_GUESTS_H

#include "ctl/config/emit.h"
#include "ctl/config/model.h"

/* The key and its map, if there are guests. */
void print_guests(struct emit *o, const struct conf *c);

#endif
