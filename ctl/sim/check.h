/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold: never a loop, and once nothing moves the standard's tree.
 *
 * A port counts as forwarding as long as its data plane forwards, also while
 * discarding is asked for and not in force yet.
 *
 * Where a loop is no fault of the engine's:
 *
 *  lossy   BPDUs are lost, or come through one way only: silence is what says
 *          that a segment has nobody else on it.  The promise is void while
 *          that is so, and SIM_SETTLE longer: what a bridge came to believe
 *          has to age.  After that it must hold.  (One-way cables by
 *          themselves make no loop at rest: oneway.c.)
 *  edges   two edge ports face each other: both forward until they hear of
 *          each other.  Such a loop has to be gone after SIM_EDGE_GRACE.
 *
 *  crossed what keeps a port of the loop open is overtaken by what is under way
 *          to it.  The standard has no means against it, see below.  Such a
 *          loop has to be gone after SIM_CROSSED_GRACE.
 *
 * Crossed, from the standard (802.1D-2004): an agreement does not say what it
 * agrees to.  Any BPDU of the neighbour's that carries the flag and no better
 * vector sets agreed (17.21.8, 17.21.9), also one that answers what the port
 * said before it said something else; and what was agreed stays so when the
 * port's own information gets better (17.21.1, figure 17-18), while the
 * neighbour may have found a better root meanwhile and be designated itself.
 * On a LAN where there can be no agreement a port opens after twice hello time
 * (17.20.5), which BPDUs held back by txHoldCount may take longer than.  The
 * simulator sees both ends, so it can tell: only loops with a port of which
 * this is true are taken so.
 *
 * Cables and hubs that are cut, mended, or joined by another bridge are no
 * excuse: a port whose link has come up begins by discarding.
 */
#ifndef CTL_SIM_CHECK_H
#define CTL_SIM_CHECK_H

#include "ctl/sim/net.h"

#define SIM_SETTLE        (120 * SIM_SECOND)
#define SIM_EDGE_GRACE    (3 * SIM_SECOND)
#define SIM_CROSSED_GRACE (10 * SIM_SECOND)

/* After every step. */
void sim_check(struct sim *s);
/* The port's bridge agrees there: what does it rely on? */
void sim_agrees(struct sim *s, uint32_t port);
/* An agreement comes from a port that may be designated meanwhile. */
void sim_agreement_comes(struct sim *s, uint32_t port, uint32_t from);
/* The port is designated now: does the other end rely on its agreement? */
void sim_agrees_no_more(struct sim *s, uint32_t port);
/* After every order: what the network is like now. */
void sim_excuses(struct sim *s);
/* The network is at rest: loops, reach and the tree. */
void sim_judge(struct sim *s);
/* It does not come to rest. */
void sim_restless(struct sim *s);

/* ---- union-find over bridges and LANs ---- */

/* Everyone is alone; 'set' has bridges + lans members. */
void sim_sets_reset(const struct sim *s, uint32_t *set);
uint32_t sim_set_of(uint32_t *set, uint32_t i);
/* False: they were in one set already. */
bool sim_set_join(uint32_t *set, uint32_t a, uint32_t b);
static inline uint32_t sim_lan_node(const struct sim *s, uint32_t lan)
{
    return s->bridges + lan;
}

/* ---- oneway.c ---- */

/* Are frames lost on one-way cables and nowhere else, among RSTP bridges? */
bool sim_oneway_only(const struct sim *s);
/* Do frames go round? */
bool sim_oneway_loop(const struct sim *s);

/* ---- tree.c ---- */

/*
 * Compares every bridge and port with the tree that the standard defines;
 * what differs is told and counted.  False: there is nothing to compare with
 * (guards and filters make another tree), 'why' says so.
 */
bool sim_compare_tree(struct sim *s, const char **why);

#endif
