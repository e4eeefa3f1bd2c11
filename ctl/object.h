/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bridges, ports and entries as JSON.
 *
 * Threads: control thread.
 */
#ifndef CTL_OBJECT_H
#define CTL_OBJECT_H

#include "ctl/text.h"
#include "switch/switch.h"

/* New objects; NULL when out of memory. */
json_t *object_bridge(struct bridge *b);
json_t *object_port(struct bport *p, const char *bridge);
/* Of a port what events tell: how it is as a link, and its parameters. */
json_t *object_link(struct bport *p, const char *bridge);
/* object_stp.c: its spanning tree but for the ports; a port's part in it. */
json_t *object_stp(struct bridge *b);
json_t *object_stp_port(struct bport *p);
json_t *object_fdb(const struct fdb_stats *f);
/* IP addresses seen behind the port. */
json_t *object_addresses(const struct bport *p);
/* Counters that are not zero: {"name": n, ...} */
json_t *object_reasons(const struct bport_stats *s);
/* What others wanted remembered of a port: strings by name; ours to change. */
json_t *object_labels(const struct bport *p);

/*
 * An FDB entry with iproute2's keys, and our "port_no" and "age"
 * (centiseconds since last seen).  Appended as text: there may be a million.
 */
int object_entry(struct text *out, const struct fdb_entry *e, uint32_t age_cs,
                 const char *port, const char *bridge);

/* An entry's members "flags" and "state" behind others: ,"flags":[...],... */
int object_entry_kind(struct text *out, uint8_t flags);

/* "forwarding" */
const char *object_state(enum bport_state s);

#endif
