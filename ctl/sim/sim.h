/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator of spanning trees: bridges, each with the engine that the
 * switch runs (switch/stp/), on LANs, in virtual time.
 *
 * A network and what happens to it are written down in a small language
 * (docs/sim.md; option.h has its options, parse.c its grammar):
 *
 *     B1-B2-B3-B1[delay=1ms]; B1[prio=4096]; @20s cut B1-B2
 *
 * After every step of an engine the forwarding ports are looked at: on LANs
 * that carry frames both ways and lose none there must never be a loop.  When
 * nothing has changed for a while every LAN has to be reached, and roles have
 * to be those of the standard's tree, which tree.c computes from its
 * definition and without the engine.
 *
 * Times are in nanoseconds since the start.
 *
 * Threads: a simulation is its caller's; several do not know of each other.
 */
#ifndef CTL_SIM_SIM_H
#define CTL_SIM_SIM_H

#include "base/err.h"
#include "switch/stp/stp.h"

#include <stdio.h>

struct sim;

#define SIM_SECOND 1000000000ULL

/*
 * Reads a network.  0; -EINVAL with "FILE:LINE:COLUMN: what" in 'e'; -ENOMEM.
 * 'text' may go after the call.
 */
int sim_read(struct sim **s, const char *file, const char *text, size_t len,
             struct err *e);
void sim_free(struct sim *s);

/* Loss is decided by this seed (1 unless set before the first sim_next). */
void sim_seed(struct sim *s, uint64_t seed);

/* ---- what happens, for people ---- */

enum sim_line_kind {
    SIM_LINE_ORDER, /* a timed order of the file is carried out */
    SIM_LINE_NOTE,  /* a bridge tells of a change */
    SIM_LINE_LOOP,  /* a loop, or its end */
    SIM_LINE_WRONG, /* something is not as it must be */
    SIM_LINE_QUIET  /* the tree has converged, and was compared */
};

struct sim_line {
    uint64_t at;
    enum sim_line_kind kind;
    const char *who; /* a bridge's name; "" */
    const char *text;
};
/* Lines are valid during the call only. */
void sim_watch(struct sim *s, void (*line)(void *arg, const struct sim_line *),
               void *arg);

/* ---- running ---- */

/*
 * Carries out what comes next.  False: it is over: the network is quiet and
 * no orders are left, or 'until' would be passed.
 */
bool sim_next(struct sim *s, uint64_t until);

struct sim_result {
    uint64_t now;
    uint64_t since;      /* the last order, or the start */
    uint64_t changed_at; /* the last change of a role or state */
    uint64_t steps, frames, lost;
    unsigned loops;   /* that must not be */
    unsigned excused; /* loops of a network that loses frames (check.h) */
    unsigned crossed; /* loops that the standard cannot prevent (check.h) */
    uint64_t crossed_longest;
    unsigned wrong;   /* roles, reach and expectations that were not right */
    unsigned quiets;  /* times that the network was quiet, and compared */
    unsigned oneways; /* ... of these with one-way cables */
    bool quiet;       /* at the end */
    char first[320];  /* the first thing wrong; "" */
};
const struct sim_result *sim_result(const struct sim *s);

/* ---- how it stands ---- */

unsigned sim_bridges(const struct sim *s);

struct sim_bridge_view {
    const char *name;
    bool host, dead;
    unsigned ports; /* highest number */
    struct stp_info info;
    char root[16]; /* the root's name; its identifier's end if it has none */
};
void sim_bridge_view(const struct sim *s, unsigned bridge,
                     struct sim_bridge_view *v);

/* False: there is no such port.  'lan': the LAN's name. */
bool sim_port_view(const struct sim *s, unsigned bridge, uint16_t port,
                   struct stp_port_info *i, char lan[48]);

/* The tree as it stands: each bridge, its root and its ports. */
void sim_print_tree(const struct sim *s, FILE *out);
/* One line of the timeline. */
void sim_print_line(const struct sim_line *l, FILE *out);
/* What became of it, in one or two lines. */
void sim_print_result(const struct sim *s, FILE *out);

/* ---- random networks (random.c) ---- */

struct sim_random {
    uint64_t seed;
    unsigned bridges; /* 0: 2 .. 64 */
    bool faults;      /* loss, one-way links, silent cuts */
    bool orders;      /* links are cut, bridges die, priorities change */
};
/* The network as text, to be freed by the caller; NULL: out of memory. */
char *sim_random(const struct sim_random *r);

#endif
