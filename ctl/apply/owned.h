/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What configurations made: the daemon's memory of which bridges and ports
 * are a file's.  The rule: what an applied file names is the file's, whoever
 * made it; it goes when it leaves the file.  What no file named is its
 * maker's: never removed by an apply.  The same of parameters: one that was
 * written and no longer is goes back to its default, one that never was stays.
 *
 * Threads: control; read by the task thread while it works for the control
 * thread, which changes nothing meanwhile (apply.h).
 */
#ifndef CTL_APPLY_OWNED_H
#define CTL_APPLY_OWNED_H

#include "ctl/config/model.h"

#include <sys/queue.h>

struct l3;

/* Settings of a member that are not the port's but its device's. */
struct member {
    bool has_mac;
    struct mac mac;
    uint32_t mtu; /* 0: none */
    enum conf_switch wakeonlan;
    bool up; /* as found: it was up; as wanted: it shall be */
};

/* What a file said of a port. */
struct port_record {
    bool wrote[BPORT_PARAMS];
    bool has_match_mac;
    struct mac match_mac;
    struct member member;
};

struct owned_port {
    LIST_ENTRY(owned_port) link;
    char name[PORT_NAME_MAX];
    char device[PORT_NAME_MAX]; /* an existing one it took over, or "" */
    char id[64];                /* netplan's name of it, or "" */
    uint64_t netns;             /* where the device is */
    int netns_fd;               /* of that; -1: the daemon's own */
    bool taken;                 /* its addresses are the bridge's */
    bool waits;                 /* its device is not there */
    bool joins;                 /* ... has come: there is work to do */
    bool has_before;
    struct member before; /* the device's, when it was taken over */
    struct port_record record;
};

/* A configuration that several may still point into. */
struct conf_hold {
    struct conf *conf;
    unsigned refs;
};
/* Takes 'c' over, in any case; NULL: out of memory. */
struct conf_hold *conf_hold_new(struct conf *c);
struct conf_hold *conf_hold_get(struct conf_hold *h);
void conf_hold_put(struct conf_hold *h);

/* What a file said of a bridge beyond its ports. */
struct bridge_record {
    bool wrote[BRIDGE_PARAMS];
    struct conf_hold *conf;     /* NULL: no layer 3 */
    const struct conf_l3 *want; /* in it */
    const char *renderer;       /* in it, or NULL */
};

#define OWNED_BUCKETS 64
LIST_HEAD(owned_ports, owned_port);

struct owned_bridge {
    LIST_ENTRY(owned_bridge) link;
    char name[PORT_NAME_MAX];
    uint64_t netns; /* from where it was applied */
    int netns_fd;   /* of that; -1: the daemon's own */
    bool local;
    enum conf_adopt adopt; /* else of our making */
    bool lost; /* adopted, and the kernel's was deleted (control thread only) */
    struct l3 *l3; /* NULL: none */
    struct bridge_record record;
    struct owned_ports port[OWNED_BUCKETS];
};
LIST_HEAD(owned, owned_bridge);

/* New, in no list.  netns_fd is duplicated.  NULL: out of memory. */
struct owned_bridge *owned_bridge_new(const char *name, uint64_t netns,
                                      int netns_fd);
/* With its ports; its l3 is the caller's. */
void owned_bridge_free(struct owned_bridge *b);
struct owned_bridge *owned_find(const struct owned *o, const char *name);

struct owned_port *owned_port_new(const char *name, uint64_t netns,
                                  int netns_fd);
void owned_port_free(struct owned_port *p);
void owned_port_add(struct owned_bridge *b, struct owned_port *p);
struct owned_port *owned_port_find(const struct owned_bridge *b,
                                   const char *name);

#define OWNED_EACH_PORT(b, i, p)                                               \
    for ((i) = 0; (i) < OWNED_BUCKETS; (i)++)                                  \
    LIST_FOREACH(p, &(b)->port[i], link)

#endif
