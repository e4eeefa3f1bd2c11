/* SPDX-License-Identifier: BSD-2-Clause */
/* Words that are both read and written. */
#ifndef CTL_CONFIG_WORDS_H
#define CTL_CONFIG_WORDS_H

#include "switch/switch.h"

/* enum conf_route_type, NULL at the end */
extern const char *const conf_route_types[];
/* as "bridge set" and "port set" know them */
const char *conf_bridge_param(enum bridge_param p);
const char *conf_port_param(enum bport_param p);

#endif
