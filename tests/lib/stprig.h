/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A spanning tree engine driven by hand, in virtual time: what it says is
 * checked for form and kept for the test to look at.
 */
#ifndef TESTS_LIB_STPRIG_H
#define TESTS_LIB_STPRIG_H

#include "switch/stp/stp.h"

#define STPRIG_PORTS  1000
#define STPRIG_SECOND 1000000000ULL
#define STPRIG_ID     0x8000020000000001ULL /* of the engine's bridge */
#define STPRIG_BETTER 0x1000020000000002ULL /* of neighbours */
#define STPRIG_WORSE  0xf000020000000003ULL

struct stprig_port {
    bool there;
    struct stp_port_config config;
    enum stp_state state; /* as it was asked for */
    unsigned to_apply;    /* STP_APPLIED that are due */
    unsigned sent, flushed, states;
    struct bpdu last; /* sent */
};

struct stprig {
    struct stp *s;
    uint64_t now;
    bool hold_applied; /* the test tells STP_APPLIED itself */
    struct stp_config config;
    struct stprig_port port[STPRIG_PORTS + 1];
    uint16_t age;                /* last STP_DO_AGEING */
    unsigned ages, ticks, steps; /* steps: calls, with those for room */
    unsigned max_actions;        /* the engine is given room for so many */
    char notes[16384];           /* a line each */
    size_t noted;
};

void stprig_up(struct stprig *r, uint16_t ports, uint8_t version);
void stprig_down(struct stprig *r);

/* The event, with the rig's time; then STP_APPLIED of what discards. */
void stprig_step(struct stprig *r, struct stp_event e);
/* Tells of r->config. */
void stprig_bridge(struct stprig *r);
/* A port as a point-to-point link with cost 100; told of when up. */
struct stp_port_config *stprig_add(struct stprig *r, uint16_t port);
/* Tells of r->port[port].config. */
void stprig_set(struct stprig *r, uint16_t port);
void stprig_link(struct stprig *r, uint16_t port, bool up);
void stprig_event(struct stprig *r, enum stp_event_type t, uint16_t port);
void stprig_applied(struct stprig *r, uint16_t port);

/* BPDUs of a neighbour: bridge is its identifier, its port is 1. */
struct bpdu stprig_rst(uint64_t root, uint32_t cost, uint64_t bridge,
                       enum bpdu_role role, uint8_t flags);
struct bpdu stprig_config(uint64_t root, uint32_t cost, uint64_t bridge,
                          uint8_t flags);
void stprig_hear(struct stprig *r, uint16_t port, const struct bpdu *b);

/* Time passes; the engine is told whenever it wants to be. */
void stprig_run(struct stprig *r, uint64_t ns);
/* ... while the neighbour on the port says 'b' with each hello. */
void stprig_run_with(struct stprig *r, uint64_t ns, uint16_t port,
                     const struct bpdu *b);

struct stp_port_info stprig_info(const struct stprig *r, uint16_t port);
bool stprig_noted(const struct stprig *r, const char *part);
void stprig_forget(struct stprig *r); /* counts and notes */

#endif
