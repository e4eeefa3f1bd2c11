/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of an interface with addresses, into the map that is open. */
#ifndef CTL_CONFIG_PRINT_L3_H
#define CTL_CONFIG_PRINT_L3_H

#include "ctl/config/emit.h"
#include "ctl/config/model.h"

void print_l3(struct emit *o, const struct conf_l3 *l);

#endif
