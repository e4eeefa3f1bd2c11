/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a port, inside: what its files ask of each other.  What the rest
 * of the switch asks is in switch/bridge.h.
 *
 *   birth.c   a port from its specification, and its memory back
 *   life.c    states and moves
 *   queues.c  its queues at their workers
 *   device.c  what its device tells
 *   state.c   what it does with frames
 *
 * Threads: the control thread, but for what says otherwise.  The port is the
 * bridge's until life.c frees it.
 */
#ifndef SWITCH_LIFE_H
#define SWITCH_LIFE_H

#include "switch/bridge.h"

/* ---- birth.c ---- */

/* It is in no view, and no job and no worker has it. */
void bport_free(struct bport *p);

/* ---- life.c ---- */

/* The device of the running port is of no use any more: out of the view with
 * it; it is closed when nobody holds it. */
void life_detach(struct bport *p);
/* The device of the failed port may be there again. */
void life_reopen(struct bport *p);
/* All of its queues are attached, or were refused: p->job_rc, p->job_err. */
void life_attached(struct bport *p);
/* ... are detached, and no job has it. */
void life_detached(struct bport *p);

/* ---- queues.c ---- */

/* Both return at once and count the answers due in p->outstanding; after the
 * last it is life_attached, or life_detached. */
void queues_attach(struct bport *p);
void queues_detach(struct bport *p);

/* ---- device.c ---- */

/* Any thread: of struct port. */
void device_event(struct port *port, enum port_event ev, const char *reason);
/* Events have come: of p->message. */
void device_message(struct message *m);
/* A link change that came while a job had the port: true if its device left
 * since. */
bool device_link_now(struct bport *p);

#endif
