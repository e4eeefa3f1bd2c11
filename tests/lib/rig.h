/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A switch on mem ports for tests: made, driven and taken down in one thread.
 * Every wait is for a condition and has a limit.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include "switch/switch.h"

#include <ev.h>

struct rig {
    struct ev_loop *loop;
    struct sw *sw;
    struct bridge *b;
};

/* A switch with 'workers' workers and the bridge "br0" without interface. */
void rig_up(struct rig *r, unsigned workers);
void rig_down(struct rig *r);

/* Each returns rc of the change, once it is in force. */
int rig_add_bridge(struct rig *r, const char *name);
int rig_add(struct rig *r, const char *spec);
int rig_add_to(struct rig *r, struct bridge *b, const char *spec);
int rig_del(struct rig *r, const char *port);
int rig_set(struct rig *r, const char *port, enum bport_param p, uint32_t v);
int rig_bridge_set(struct rig *r, enum bridge_param p, uint32_t v);
int rig_fdb_set(struct rig *r, uint64_t mac, const char *port, uint8_t flags);
int rig_flush(struct rig *r, const char *port); /* NULL: all */
/* The sentence that came with the last of them. */
const char *rig_error(void);

struct bport *rig_port(struct rig *r, const char *name);

/* A frame of 'len' octets from src to dst, type 0x88b5, 'mark' in it. */
void rig_send(struct rig *r, const char *port, uint64_t dst, uint64_t src,
              unsigned len, uint32_t mark);
void rig_send_n(struct rig *r, const char *port, uint64_t dst, uint64_t src,
                unsigned len, uint32_t mark, unsigned copies);

/* Runs the loop until cond(arg), at most ten seconds; false if it did not. */
bool rig_wait(struct rig *r, bool (*cond)(void *arg), void *arg);

/* The answer to a change: rig_answered is its sw_done, rig_has_come a condition
 * of rig_wait. */
struct rig_answer {
    bool come;
    int rc;
};
void rig_answered(void *answer, int rc, const struct err *e);
bool rig_has_come(void *answer);
/* Runs the loop until all frames sent so far have been judged. */
void rig_settle(struct rig *r);
/* Runs the loop for a moment. */
void rig_run(struct rig *r, double seconds);

/* The mark of the next frame collected at 'port', -1 if there is none. */
int64_t rig_got(struct rig *r, const char *port);
/* Frames collected at 'port'; empties it. */
unsigned rig_count(struct rig *r, const char *port);
uint64_t rig_reason(struct rig *r, const char *port, enum reason why);
struct bport_stats rig_stats(struct rig *r, const char *port);

/* Do the ingress verdicts of all ports add up to what was received? */
void rig_balance(struct rig *r);

#endif
