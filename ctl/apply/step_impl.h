/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between step.c, which knows all kinds of steps, and the files that have one
 * subject's each.
 *
 * Threads: control thread.
 */
#ifndef CTL_APPLY_STEP_IMPL_H
#define CTL_APPLY_STEP_IMPL_H

#include "ctl/apply/op.h"

/* What the step is about, looked up; NULL: it is gone, or not a file's. */
struct bridge *step_bridge(const struct step *s);
struct bport *step_port(const struct step *s);
struct owned_bridge *step_owned_bridge(const struct step *s);
struct owned_port *step_owned_port(const struct step *s);

/* step_done: with success; with -ENOMEM; with who was deleted meanwhile. */
void step_done_at_once(struct step *s);
void step_no_memory(struct step *s);
void step_gone(struct step *s);

/* step_guest.c; s->port is the guest's name */
extern const struct step_kind_ops step_guest_stop;
extern const struct step_kind_ops step_guest_undefine;
extern const struct step_kind_ops step_guest_define;
extern const struct step_kind_ops step_guest_start;

/* step_port.c */
extern const struct step_kind_ops step_port_del;
extern const struct step_kind_ops step_port_add;
extern const struct step_kind_ops step_port_own;
extern const struct step_kind_ops step_port_set;
/* NULL is fine. */
void step_free_port(struct saved_port *sp);

/* step_bridge.c */
extern const struct step_kind_ops step_bridge_add;
extern const struct step_kind_ops step_bridge_del;
extern const struct step_kind_ops step_disown;
extern const struct step_kind_ops step_bridge_own;
extern const struct step_kind_ops step_bridge_set;

/* What is remembered of the file's bridge. */
void step_record_bridge(struct step *s, struct owned_bridge *b);
/* No file's any more, if it was one's. */
void step_forget_bridge(struct step *s);
/* A sw_done: it is there, and the file's; the step is done. */
void step_bridge_came(void *arg, int rc, const struct err *e);

/* step_adopt.c */
extern const struct step_kind_ops step_adopt;
extern const struct step_kind_ops step_unadopt;

/* step_l3.c */
extern const struct step_kind_ops step_settle;
extern const struct step_kind_ops step_l3_begin;
extern const struct step_kind_ops step_l3_end;
extern const struct step_kind_ops step_uplink_take;
extern const struct step_kind_ops step_uplink_return;
extern const struct step_kind_ops step_l3_apply;

/* step_member.c */
extern const struct step_kind_ops step_member_set;
extern const struct step_kind_ops step_member_back;

#endif
