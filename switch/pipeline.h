/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding pipeline: what becomes of a frame, and why.
 *
 *   sanity -> reserved addresses -> VLAN -> port state -> source checks ->
 *   learn -> decide -> (VLAN egress, offload, emit: switch/turn.h)
 *
 * Each stage asks one question and only says what would change; the change
 * itself is made by pipeline_learn (the table) and by the turn (counters and
 * lists).  Without those two the same code explains a frame's path.
 *
 * Frames come in batches of one ingress port, so that memory latencies of
 * their look-ups overlap.
 *
 * Threads: a forwarder, online.
 */
#ifndef SWITCH_PIPELINE_H
#define SWITCH_PIPELINE_H

#include "switch/view.h"

/* Frames of one batch. */
#define PIPELINE_BATCH 64

/* What is constant for a batch. */
struct scene {
    const struct view *view;
    const struct view_port *in;
    bool late; /* the frames may have come before the port was opened */
    struct fdb *fdb;
    struct fdb_now now;
};

static inline struct fdb_now scene_now(const struct view *v, uint64_t now)
{
    return (struct fdb_now){.gens = v->gens,
                            .now = (uint16_t)(now / (100 * NSEC_PER_MSEC)),
                            .ageing = v->ageing};
}

enum act {
    ACT_DROP,
    ACT_ONE,
    ACT_FLOOD,
    ACT_BPDU /* to the control thread */
};

#define NO_NOTE REASON_COUNT /* fate.note: nothing to remark */

/* What would become of one frame. */
struct fate {
    uint64_t src, dst;          /* FDB keys */
    const struct view_port *to; /* ACT_ONE: the port */
    enum reason verdict;
    uint8_t act;   /* enum act */
    uint8_t flood; /* enum flood, for ACT_FLOOD */
    uint8_t note;  /* enum reason counted beside the verdict; see NO_NOTE */
    bool reserved; /* let in by a group forward mask */
    bool learn;    /* the source is to be learned */
    bool tells;    /* it may name a host's IP address; see watch.h */
};

/* Stages up to the source checks: fills src, dst, learn, tells and early drops.
 */
void pipeline_ingress(const struct scene *s, const struct frame *f,
                      struct fate *fate, unsigned n);

/* Stages from the decision on, for frames that were not dropped. */
void pipeline_decide(const struct scene *s, struct fate *fate, unsigned n);

/* Does flooding send this frame to 'to'?  (The list is flood_list_of's.) */
static inline bool flood_reaches(const struct view_port *in,
                                 const struct view_port *to)
{
    return to != in || in->hairpin;
}

/* How many of the list's ports a frame from 'in' may go to at all. */
static inline unsigned flood_span(const struct view_port *in,
                                  const struct flood_list *l)
{
    return in->isolated ? l->n_open : l->n;
}

/*
 * Both of the above, nothing learned: what would become of 'f' now.  With
 * pipeline_learn between them this is what a turn does.
 */
void pipeline_explain(const struct scene *s, const struct frame *f,
                      struct fate *fate);

#endif
