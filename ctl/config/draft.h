/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loader, inside: bridges and ports while they are read, and who reads
 * which part of them.  Conventions as in ctl/config/read.h.
 *
 * Threads: one for each struct reader.
 */
#ifndef CTL_CONFIG_DRAFT_H
#define CTL_CONFIG_DRAFT_H

#include "ctl/config/read.h"

/* A port while it is read: where its parameters stand. */
struct draft_port {
    const struct node *item; /* in `interfaces:` or `ports:` */
    const struct node *set_name;
    const struct node *param[BPORT_PARAMS];
};

/* A bridge while it is read, from however many places. */
struct part {
    struct part *next;
    const struct node *key;      /* its name there */
    bool own;                    /* in `bascule:` */
    const struct node *renderer; /* of the `bridges:` it is in */
    const struct node *ports;    /* list: `interfaces:` or `ports:` */
};

#define L3_KEYS_MAX 40
struct draft {
    struct draft *next;
    const struct node *key; /* the first */
    struct part *part, **part_tail;
    struct conf_bridge *b;
    struct draft_port *port; /* as b->port */
    const struct node *param[BRIDGE_PARAMS];
    const struct node *l3_seen[L3_KEYS_MAX];
    const struct node *renderer;
    const struct node *local;
    const struct node *adopt;
    /* netplan's, to be spread over ports when these are known */
    const struct node *path_cost, *port_priority;
};

/* A port, for those who read its parameters. */
struct draft_at {
    struct draft *d;
    unsigned port;
};

/* Something of `network:` that a name stands for. */
struct thing {
    const char *section;
    const struct node *key;
    const struct node *renderer; /* of its section */
    const struct draft *user;    /* an ethernet: the bridge it is in */
    const struct node *used;     /* ... by this item */
};

/* load.c: the draft of that name, made if it is new. */
int draft_part(struct reader *r, const struct node *key, bool own,
               struct part **part);

/* params.c */
int param_bridge(struct reader *r, struct draft *d, unsigned p,
                 const struct node *v);
int param_port(struct reader *r, struct draft *d, unsigned port, unsigned p,
               const struct node *v);
/* When all is read: what nobody wrote, and what does not go together. */
int params_settle(struct reader *r, struct draft *d);
extern const struct key own_bridge_params[], own_port_params[];

/* l3keys.c: what netplan says of any interface with addresses */
extern const struct key l3_keys[];
/* dhcp4-overrides and dhcp6-overrides; 'name' of them, for messages. */
int l3_read_overrides(struct reader *r, const struct node *v,
                      struct conf_dhcp *d, const char *name);

/* routes.c */
int routes_read(struct reader *r, const struct node *v, void *to,
                const struct key *k);
int gateway_read(struct reader *r, const struct node *v, void *to,
                 const struct key *k);
int addresses_read(struct reader *r, const struct node *v, void *to,
                   const struct key *k);

/* netplan.c: what is in `network:`, for names; later, the bridges' parts. */
int netplan_list(struct reader *r, const struct source *s);
int netplan_count(struct reader *r, struct draft *d, struct part *p,
                  unsigned *n);
int netplan_bridge(struct reader *r, struct draft *d, const struct part *p);
/* path-cost and port-priority of its ports, when all of them are known. */
int netplan_spread(struct reader *r, struct draft *d);
/* After all bridges: what was left alone. */
int netplan_notices(struct reader *r);

/* ethernet.c: what 't' says of a port of the bridge */
int ethernet_read(struct reader *r, struct draft *d, unsigned port,
                  const struct thing *t);

/* own.c */
int own_list(struct reader *r, const struct source *s);
int own_count(struct reader *r, struct draft *d, struct part *p, unsigned *n);
int own_bridge(struct reader *r, struct draft *d, const struct part *p);

/* guests.c: `guests:` of all files; later, one such map. */
int guests_read_all(struct reader *r);
int guests_read(struct reader *r, const struct node *const *map, unsigned n);

/* lab_check.c: what does not go together in a lab that is read. */
struct lab;
int lab_check(struct reader *r, const struct lab *lab);

#endif
