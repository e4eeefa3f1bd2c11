/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the owner of a tap can do to its netdev beyond the port contract; used
 * for the bridge's own interface.  The netdev may have been renamed or moved
 * to another namespace since: these follow it.
 *
 * Threads: as each says, while the port is open.  All of them may wait for the
 * kernel's lock of all interfaces, as every request about a tap does.
 */
#ifndef PORTS_TAP_H
#define PORTS_TAP_H

#include "base/err.h"
#include "base/mac.h"
#include "ports/port.h"

/*
 * 0 or -errno with a sentence; -ENODEV: not an open tap.  The caps follow when
 * the kernel tells of the change.  Any one thread at a time.
 */
int tap_set_mac(struct port *p, const struct mac *mac, struct err *e);
int tap_set_mtu(struct port *p, uint32_t mtu, struct err *e);
int tap_set_carrier(struct port *p, bool on, struct err *e);

/*
 * A descriptor of the namespace the netdev lives in now, for netwatch_add;
 * the caller closes it.  -errno: not an open tap, or no privilege to ask.  Any
 * thread.
 */
int tap_netns(struct port *p);

/*
 * Reads again where the netdev is and how it stands there, and reports CAPS,
 * or FAILED if it is gone: for the one who has begun to watch its new
 * namespace (port->netns).  Control thread.
 */
void tap_refresh(struct port *p);
/* Nobody can watch it there: it counts as up, and writing says frame by frame
 * if it is not. */
void tap_unwatched(struct port *p);

extern const struct port_kind port_kind_tap;

#endif
