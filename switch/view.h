/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The view: all that forwarding needs to know of one bridge and that changes
 * by configuration or protocol.  It is immutable: the control thread builds a
 * new one for the changes of one of its turns, publishes it with one store,
 * and frees the old one after a grace period.  Records of ports that did not
 * change are shared by successive views.
 *
 * Threads: built, published and freed by the control thread; read by
 * forwarders, which take the pointer once per batch and drop it at the end of
 * the turn.
 */
#ifndef SWITCH_VIEW_H
#define SWITCH_VIEW_H

#include "base/rcu.h"
#include "fdb/fdb.h"
#include "ports/port.h"
#include "switch/hold.h"
#include "switch/lane.h"
#include "switch/switch.h"

#define VIEW_PORTS (BRIDGE_PORTS_MAX + 1)

/* Kinds of flooding, each with its list of ports. */
enum flood {
    FLOOD_UNICAST, /* to an unknown address */
    FLOOD_MULTICAST,
    FLOOD_BROADCAST,
    FLOOD_FROM_LOCAL, /* group addresses sent by the bridge itself: all ports,
                         whatever their switches say, as the kernel does */
    FLOOD_KINDS
};

/* One port, as forwarding sees it.  Immutable. */
struct view_port {
    struct port *port;
    struct lane *lane; /* one per forwarder */
    uint16_t no;
    uint16_t fwd_mask; /* reserved addresses it lets in, bridge's included */
    bool forwarding;
    bool learns_only; /* state learning: frames go nowhere */
    uint32_t opened;  /* counts the times that the tree has opened it */
    bool bpdu_filter;
    bool learning; /* the user's switch */
    bool hairpin;
    bool isolated;
    bool watches;      /* for addresses of hosts behind it */
    struct hold *hold; /* what is sent to it is kept a while; NULL: it is not */
    bool flood[FLOOD_KINDS];
    struct port_caps caps;
    unsigned refs; /* control thread: views that hold it, and the port */
};

struct flood_list {
    uint16_t n;
    uint16_t n_open; /* the first n_open are not isolated */
    const struct view_port **to;
};

struct view {
    struct view *next; /* control thread: retired, waiting to be freed */
    bool up;           /* the bridge's interface is up, or it has none */
    bool stp;          /* spanning tree is on */
    bool watches;      /* some port does */
    uint16_t ageing;   /* 100 ms units */
    const struct view_port *port[VIEW_PORTS];
    struct flood_list flood[FLOOD_KINDS];
    uint16_t gens[FDB_PORTS];
    const struct view_port *slots[]; /* storage of the flood lists */
};

/* What a bridge shares with the forwarders; lives until no queue uses it. */
struct plane {
    _Atomic(struct view *) view;
    struct fdb *fdb;
    _Atomic bool pressed; /* set by a forwarder: the table wants its owner */
    _Atomic bool bpdus;   /* set by a forwarder: a port's ring has some */
    /* set by forwarders: ports' rings have some */
    _Atomic uint64_t claims[VIEW_PORTS / 64];
    uint32_t bridge; /* the bridge's number, for events */
};

/* NULL when out of memory.  'ports' by number; NULL where there is none. */
struct view *view_new(const struct view_port *const *ports,
                      const uint16_t *gens);
/* Frees the view and those port records that nobody else holds. */
void view_free(struct view *v);

/* Port records: made with one reference. */
struct view_port *view_port_new(const struct view_port *from);
void view_port_put(const struct view_port *p);

#endif
