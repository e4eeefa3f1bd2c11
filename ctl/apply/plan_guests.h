/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan that is about guests.
 *
 * Threads: any.
 */
#ifndef CTL_APPLY_PLAN_GUESTS_H
#define CTL_APPLY_PLAN_GUESTS_H

#include "ctl/apply/plan.h"

/* Adds its steps; before those of bridges, whose ports guests may be.  0 or
 * -errno with a sentence. */
int plan_guests(struct plan *p, const struct plan_input *in, struct err *e);

/*
 * When all steps are known, before they are sorted: what leaves and is in the
 * way of what comes goes first, and what a guest would be refused for is found
 * before anything is done.  0 or -errno with a sentence.
 */
int plan_check_guests(struct plan *p, const struct plan_input *in,
                      struct err *e);

#endif
