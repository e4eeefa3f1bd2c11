/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One port without a switch, driven through the port contract in one thread.
 * Needs no privileges.  Every wait is for a condition and has a limit.
 */
#ifndef TESTS_LIB_PORTRIG_H
#define TESTS_LIB_PORTRIG_H

#include "ports/port.h"

#include <ev.h>

#define PORTRIG_FRAMES 256

struct portrig {
    struct port *port;
    struct ev_loop *loop;
    struct port_queue q;
    bool attached;
    unsigned ready; /* times that ready() was called */
    struct arena arena;
    struct frame frame[PORTRIG_FRAMES];
    struct batch b;
    unsigned events[PORT_EVENT_READY + 1];
    char last[200]; /* reason of the last event */
};

/* New, open and attached; fails the test if that fails. */
void portrig_open(struct portrig *r, const char *spec);
/* 0 and the same, or -errno with nothing left. */
int portrig_try(struct portrig *r, const char *spec, struct err *e);
/* Detach, close, free; and only the first two. */
void portrig_close(struct portrig *r);
void portrig_shut(struct portrig *r);

/* Runs the loop once, at most for so long. */
void portrig_run(struct portrig *r, double seconds);
/* Runs it until cond(arg), at most ten seconds; fails the test if it is not. */
void portrig_wait(struct portrig *r, bool (*cond)(void *arg), void *arg,
                  const char *what);
/* Until the port has reported n such events. */
void portrig_event(struct portrig *r, enum port_event ev, unsigned n);

/* A new turn: what was received is gone. */
void portrig_turn(struct portrig *r);
/* rx of queue 0; appends to r->frame. */
int portrig_rx(struct portrig *r, unsigned budget);
/* Turns and waits until n frames have come in one turn; fails if they do not.
 */
void portrig_receive(struct portrig *r, unsigned n);
/* The frame's octets in one piece, valid until the next call; *n of them. */
const uint8_t *portrig_octets(const struct frame *f, uint32_t *n);

/* Sends one frame of n octets in 'segs' segments (1 .. FRAME_SEGS_MAX). */
struct tx_result portrig_send(struct portrig *r, const void *octets, uint32_t n,
                              unsigned segs);

/* A frame of n octets whose content follows from n and 'mark'. */
void portrig_frame(uint8_t *to, uint32_t n, uint32_t mark);

/* A directory of its own for the test program, removed at its end. */
const char *portrig_dir(void);

#endif
