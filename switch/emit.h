/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second half of a turn: frames are appended to a list per egress port,
 * and the lists are handed to the ports.  What does not fit a port is cut or
 * completed here, once per turn for all ports that need it so, and what
 * cannot be sent is counted at the egress port with its reason.
 *
 * Threads: the forwarder's.
 */
#ifndef SWITCH_EMIT_H
#define SWITCH_EMIT_H

#include "switch/turn.h"

/* Sends all lists and empties them.  Doorbells wait for emit_kicks. */
void emit_lists(struct forwarder *f);
void emit_kicks(struct forwarder *f);

/* The first frame of the turn, or since lists were sent, for 'to'. */
void emit_touch(struct forwarder *f, const struct view_port *to);

/* Puts a frame of the turn on the list of 'to'. */
static inline void emit_append(struct forwarder *f, const struct view_port *to,
                               unsigned frame)
{
    struct lane *lane = &to->lane[f->ctx];
    unsigned e;

    if (f->n_entries == TURN_ENTRIES)
        emit_lists(f);
    e = f->n_entries++;
    f->entry[e].frame = (uint16_t)frame;
    f->entry[e].next = LANE_END;
    if (!lane->to) {
        emit_touch(f, to);
        lane->head = (uint16_t)e;
    } else {
        f->entry[lane->tail].next = (uint16_t)e;
    }
    lane->tail = (uint16_t)e;
}

#endif
