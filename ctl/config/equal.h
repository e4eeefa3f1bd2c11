/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do two configurations ask for the same?  Positions and notices do not
 * count, the order of bridges, ports, addresses, ... does.
 *
 * Threads: any.
 */
#ifndef CTL_CONFIG_EQUAL_H
#define CTL_CONFIG_EQUAL_H

#include "ctl/config/model.h"

bool conf_equal(const struct conf *a, const struct conf *b);
bool conf_bridge_equal(const struct conf_bridge *a,
                       const struct conf_bridge *b);
bool conf_port_equal(const struct conf_port *a, const struct conf_port *b);
bool conf_l3_equal(const struct conf_l3 *a, const struct conf_l3 *b);

#endif
