/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the owner of a tap can do to its netdev beyond the port contract; used
 * for the bridge's own interface.  The netdev may have been renamed or moved
 * to another namespace since: these follow it.
 *
 * Threads: as each says, while the port is open.  Those that are not for the
 * control thread may wait for the kernel's lock of all interfaces, as every
 * request about a tap does.
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
 * A descriptor of the namespace the netdev lives in now; the caller closes it.
 * -errno: not an open tap, or no privilege to ask.  Any thread.
 */
int tap_netns(struct port *p);

/*
 * Where the netdev is and how it stands there: asked by the control thread,
 * found by a job, taken by the control thread.
 */
struct tap_place {
    unsigned changes; /* how many had been told when it was asked */
    int rc;           /* 0, or -errno of what failed */
    int netns_fd;     /* for netwatch_add; the caller closes it.  -1: unknown */
    uint64_t netns;   /* its inode number */
    /* with rc 0 */
    int ifindex;
    char ifname[PORT_NAME_MAX];
    bool link;
    uint32_t mtu;
    struct mac mac;
};

/* Control thread. */
void tap_ask(struct port *p, struct tap_place *w);
/* Any one thread at a time; fills the rest. */
void tap_find(struct port *p, struct tap_place *w);
/*
 * Control thread.  The port takes what was found (port->netns, caps) and
 * reports CAPS, or FAILED if the netdev is gone.  False, and nothing is taken,
 * if the kernel has told of a change since it was asked: if that was that the
 * netdev left, AWAY has been reported once more.
 *
 * Whoever begins to watch another namespace then asks again: what it was before
 * that is not told.
 */
bool tap_found(struct port *p, const struct tap_place *w);
/* Nobody can watch it there: it counts as up, and writing says frame by frame
 * if it is not.  Control thread. */
void tap_unwatched(struct port *p);

extern const struct port_kind port_kind_tap;

#endif
