/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the steps on guests do, and how they are taken back; for the table in
 * step.c.  s->port is the guest's name.
 *
 * Threads: control thread.
 */
#ifndef CTL_APPLY_STEP_GUEST_H
#define CTL_APPLY_STEP_GUEST_H

#include "ctl/apply/op.h"

void step_guest_stop(struct step *s);
void step_guest_stop_back(struct step *s);
void step_guest_undefine(struct step *s);
void step_guest_undefine_back(struct step *s);
void step_guest_define(struct step *s);
void step_guest_define_back(struct step *s);
void step_guest_start(struct step *s);
void step_guest_start_back(struct step *s);

#endif
