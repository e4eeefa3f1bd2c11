/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses that guests use.  Nothing in the switch watches ARP, neighbour
 * discovery and DHCP yet; this is where it will be asked.
 */
#include "ctl/guest/guest_impl.h"

json_t *guest_addresses(struct sw *sw, const char *bridge, const char *port,
                        const struct mac *mac)
{
    (void)sw;
    (void)bridge;
    (void)port;
    (void)mac;
    return json_array();
}
