/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of plan_check_guests: what its two halves share.
 *
 *   plan_check.c  what a guest would be refused for
 *   plan_place.c  what leaves and is in the way
 *
 * Threads: task thread.
 */
#ifndef CTL_APPLY_PLAN_CHECK_H
#define CTL_APPLY_PLAN_CHECK_H

#include "ctl/apply/plan_guests.h"
#include "ctl/guest/def.h"

struct checker {
    struct plan *p;
    const struct plan_input *in;
    struct err *e;
    struct guest_def **wanted; /* as the file has them */
    struct guest_def **now;    /* as they are, all of in->running */
    long hugepages; /* MB that others take before, less what is given back */
    unsigned emulated;
    char notice[160]; /* of the first of those */
};

/* What the step is to define or start; NULL: it is another step. */
const struct guest_def *check_wanted(const struct checker *c,
                                     const struct step *s);
/* Has the guest a card whose port is called so? */
bool check_has_port(const struct guest_def *d, const char *name);

/* Steps of what has to make place become those that are early. */
void place_make(struct checker *c);

#endif
