/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own bridges, as rtnetlink shows and changes them, and what has
 * to be changed of a port of one that is ours meanwhile.
 *
 * Threads: as netdev.h: job or control thread, in the network namespace the
 * calling thread is in; microseconds, but for tables of many addresses.
 */
#ifndef PORTS_KBRIDGE_H
#define PORTS_KBRIDGE_H

#include "base/err.h"
#include "base/mac.h"
#include "ports/netdev.h"

#include <stdbool.h>
#include <stdint.h>

/* Port states: BR_STATE_* of the kernel, which are brctl's numbers too. */
enum kbridge_state {
    KBRIDGE_DISABLED,
    KBRIDGE_LISTENING,
    KBRIDGE_LEARNING,
    KBRIDGE_FORWARDING,
    KBRIDGE_BLOCKING
};

struct kbridge_port {
    int ifindex;
    char name[IFNAMSIZ];
    struct mac mac;
    bool up, carrier;
    bool hardware; /* a switch chip may forward behind the kernel's back */
    enum kbridge_state state;
    uint16_t no;
    uint32_t cost, priority; /* priority as brctl has it, 0 .. 63 */
    uint32_t group;          /* of devices */
    /* What its neighbour said last, in the spanning tree; void in so many
     * hundredths of a second; 0: nobody has said anything. */
    uint32_t void_in;
    uint64_t root, bridge; /* priority << 48 | address */
    uint32_t root_cost;
    uint16_t port;
    bool hairpin, isolated, learning, flood, mcast_flood, bcast_flood;
};

/* Times in hundredths of a second. */
struct kbridge {
    int ifindex;
    char name[IFNAMSIZ];
    struct mac mac;
    uint32_t mtu;
    bool up, vlan_filtering;
    uint32_t ageing, priority, forward_delay, hello, max_age, fwd_mask;
    uint32_t stp;       /* 0: off, 1: the kernel's, 2: a program's */
    uint16_t root_port; /* its number; 0: none */
    bool change;        /* of the topology, which the tree tells of: ageing is
                           quick */
    /* As above, but the root's, whoever that is. */
    uint32_t tree_forward_delay, tree_hello, tree_max_age;
    struct kbridge_port *port;
    unsigned n_ports;
};

/*
 * Reads the bridge of that name, or number if 'name' is NULL, and its ports.
 * 0; -ENODEV, -EINVAL (no bridge of the kernel's), ... with a sentence.  What
 * is in *k is freed by kbridge_free, also after an error.
 */
int kbridge_read(const char *name, int ifindex, struct kbridge *k,
                 struct err *e);
void kbridge_free(struct kbridge *k);

/* An entry of the table, as the kernel has it in struct ndmsg. */
struct kbridge_entry {
    int port; /* ifindex; the bridge's own for its own entries */
    struct mac mac;
    uint16_t vlan;
    uint16_t state; /* NUD_* */
    uint8_t flags;  /* NTF_* */
};
bool kbridge_entry_local(const struct kbridge_entry *x); /* for the host */
/* Set by somebody, does not age, and is not for the host. */
bool kbridge_entry_static(const struct kbridge_entry *x);

/* All entries of the bridge, at most 'max'; *list is freed by the caller. */
int kbridge_fdb(int bridge, unsigned max, struct kbridge_entry **list,
                unsigned *n, struct err *e);

/* 0 or -errno.  -EBUSY: the kernel's spanning tree is on; -ENETDOWN: the port
 * has no link. */
int kbridge_set_state(int port, enum kbridge_state s);
/* Switches the kernel's spanning tree on or off; states stay what they are.  0
 * or -errno. */
int kbridge_set_stp(int bridge, bool on);
/*
 * Enables a port that is disabled though it has a link: it listens if the
 * kernel's spanning tree is on, and else forwards.  The kernel does so when it
 * hears of any change of the device; to set the group that it is in already is
 * one.  To set the state instead is refused while the tree is on; and while it
 * is off the port would go by what it once knew of its neighbour.
 */
int kbridge_enable(const struct kbridge_port *p);
/*
 * Has the kernel's spanning tree on, and the ports listen that are disabled
 * though they have a link.  Ports that forward go on.  0 or -errno.
 */
int kbridge_tree_back(int bridge);
/* Makes 'ifindex' a port (bridge 0: of none).  0 or -errno with a sentence. */
int kbridge_enslave(int ifindex, int bridge, struct err *e);
/* The port gets all multicasts, as a router of them would.  0 or -errno. */
int kbridge_set_router(int port);

/* ---- a port that is ours meanwhile ---- */

#define KBRIDGE_STATICS_MAX 64

/* What was there before, for whoever puts it back; a value without pointers. */
struct kbridge_saved {
    int bridge; /* its ifindex; 0: the device is no port of one for us */
    bool tree;  /* its spanning tree is to be back as well: states are its
                   business */
    enum kbridge_state state;
    unsigned n; /* static entries of the port */
    struct kbridge_entry entry[KBRIDGE_STATICS_MAX];
};

/*
 * Is 'd' a port of the bridge 'name', and can it be ours?  Fills *s.  0, or
 * -errno with a sentence.
 */
int kbridge_plan(const struct netdev *d, const char *name,
                 struct kbridge_saved *s, struct err *e);

/*
 * Takes the port's addresses out of the kernel's table, so that what the host
 * sends to them is no longer sent to the port, which is shut, but to all: our
 * tap is among them.
 */
void kbridge_forget(int port, const struct kbridge_saved *s);

/* Puts state (unless it is the tree's) and static entries back if it is still
 * that bridge's port. */
void kbridge_restore(int port, const struct kbridge_saved *s);

#endif
