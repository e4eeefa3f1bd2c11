/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the language of networks is read, inside; parse.c has the grammar and
 * nobody outside ctl/sim/parse*.c includes this.
 *
 *   parse_end.c     names of bridges and their ports
 *   parse_option.c  what stands in brackets
 *   parse_net.c     bridges, links and LANs
 *   parse_order.c   what happens, and what is expected
 *   parse.c         statements
 *
 * Everything begins to read where r->scan stands and leaves it behind what was
 * read.  What is made belongs to r->s, which sim_read frees on an error.
 * Unless a line says otherwise: 0, or -EINVAL with "FILE:LINE:COLUMN: what" in
 * r->scan.err.
 *
 * Threads: the reader's caller's.
 */
#ifndef CTL_SIM_PARSE_H
#define CTL_SIM_PARSE_H

#include "ctl/sim/option.h"
#include "ctl/sim/scan.h"

struct reader {
    struct scan scan;
    struct sim *s;
};

/* An end as written. */
struct end {
    char name[SIM_NAME_MAX];
    unsigned port; /* 0: none said */
    size_t at;
};

/* ---- parse_end.c ---- */

/* The sentence about a network with more than 'max' of something, of which it
 * has 'n', or out of memory. */
int sim_no_room(struct reader *r, size_t at, unsigned n, unsigned max,
                const char *what);
int sim_parse_end(struct reader *r, struct end *e);
/* The bridge of that name, made if need be. */
int sim_end_bridge(struct reader *r, const struct end *e, uint32_t *bridge);
/* The port, which must be there. */
int sim_end_port(struct reader *r, const struct end *e, uint32_t *port);
/* Makes the port, on that LAN; its bridge, too, if need be. */
int sim_end_attach(struct reader *r, const struct end *e, uint32_t lan,
                   uint32_t *port);

/* ---- parse_option.c; 'where': bits of ON_BRIDGE and so on ---- */

/* Which option a name is, in this place.  'at': of the name. */
int sim_option_named(struct reader *r, size_t at, const char *name,
                     unsigned where, enum sim_option_id *id);
/* May it be said of this target?  NULL: of the defaults. */
int sim_option_fits(struct reader *r, const struct sim_target *t,
                    enum sim_option_id id, size_t at);
/* "[...]", if it is there, for each of 'n' targets.  NULL: the defaults. */
int sim_parse_options(struct reader *r, unsigned where,
                      const struct sim_target *t, unsigned n);

/* ---- parse_net.c ---- */

/* Does a ':' follow, perhaps behind brackets? */
bool sim_lan_follows(const struct scan *c);
/* A LAN of that name, from its options on. */
int sim_parse_lan(struct reader *r, const struct end *e);
/* Bridges, ports and links, from behind the first end on; 'e' is used. */
int sim_parse_items(struct reader *r, struct end *e);

/* ---- parse_order.c ---- */

/* An order without its time.  'at': ns; STP_NEVER: expected of the end. */
int sim_parse_order(struct reader *r, uint64_t at);
/* A time and its order, from behind the '@' on. */
int sim_parse_timed(struct reader *r);

#endif
