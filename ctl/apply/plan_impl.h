/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of plan.h: how a plan is made, a bridge of the file at a time.
 *
 *   plan.c        plans, and the whole of making one
 *   plan_bridge.c a bridge of the file
 *   plan_adopt.c  ... that is the kernel's
 *   plan_ports.c  ... which of its ports run already
 *   plan_port.c   ... and a port of it
 *   plan_leave.c  what is not in the file
 *   plan_names.c  whether what is new can be called so
 *   plan_words.c  parameters in words
 *
 * All that return int: 0, or -errno with a sentence in the maker's err.
 *
 * Threads: task thread.
 */
#ifndef CTL_APPLY_PLAN_IMPL_H
#define CTL_APPLY_PLAN_IMPL_H

#include "ctl/apply/plan.h"
#include "ctl/config/param_names.h"

struct maker {
    struct plan *p;
    const struct plan_input *in;
    struct want_bridge *wb;
    struct err *e;
    unsigned number; /* of the last name made up */
    bool l3_anew;    /* the bridge's layer 3 ends and begins again */
};

int maker_no_memory(struct maker *m);
/* A step about the file's bridge; NULL: out of memory. */
struct step *maker_add(struct maker *m, enum step_kind kind,
                       struct want_port *wp, const char *port);

/* plan_bridge.c */
int plan_add_bridge(struct maker *m);
int plan_keep_bridge(struct maker *m, const struct run_bridge *rb);

/* plan_adopt.c; rb may be NULL */
int plan_adopt_bridge(struct maker *m, const struct run_bridge *rb);
int plan_unadopt(struct maker *m, const struct run_bridge *rb);

/* plan_ports.c */
int plan_keep_ports(struct maker *m, const struct run_bridge *rb);

/* plan_port.c */
int plan_add_port(struct maker *m, struct want_port *wp);
int plan_keep_port(struct maker *m, struct want_port *wp,
                   const struct run_port *rp);

/* plan_leave.c */
int plan_remove_port(struct maker *m, const struct run_bridge *rb,
                     const struct run_port *rp);
/* 'anew': there will be another of its name. */
int plan_remove_bridge(struct maker *m, const struct run_bridge *rb, bool anew);
/* NULL: none, but for guests' that leave. */
const struct run_port *plan_first_by_hand(const struct maker *m,
                                          const struct run_bridge *rb);
/* Its layer 3, if it has one. */
int plan_end_l3(struct maker *m, const struct run_bridge *rb);

/* plan_names.c; when all steps are known. */
bool plan_bridge_goes(const struct plan *p, const char *bridge);
/* Of a port that is there. */
bool plan_port_stays(const struct plan *p, const struct plan_input *in,
                     const char *bridge, const char *port);
int plan_check_names(const struct plan *p, const struct plan_input *in,
                     struct err *e);

/* plan_words.c */
const char *plan_bridge_word(unsigned w);
const char *plan_port_word(unsigned w);
const char *plan_in_words(const struct param_name *p, uint32_t v, char out[32]);
/* "WHAT: NAME 300 → 60 s".  0 or -ENOMEM. */
int plan_say_change(struct plan *p, struct step *s, const char *what,
                    const char *name, const struct param_name *param);

#endif
