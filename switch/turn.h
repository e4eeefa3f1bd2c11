/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarder and its turn:
 *
 *   ready queues -> rx -> pipeline -> a list per egress port -> tx once per
 *   port -> kick once -> (caller) quiescent state
 *
 * A turn ends at 256 frames or 1 MB; when its 4096 list entries run out, for
 * instance in a flood to a thousand ports, what is listed is sent and the turn
 * goes on.  Frames of one ingress queue leave each port in arrival order.
 *
 * Each worker has a forwarder; the control thread has one (number 0) for
 * protocol queues.
 *
 * Threads: a forwarder belongs to its thread; turn_fwd_init and turn_fwd_free
 * run before and after it does.  Nothing here allocates, logs or blocks.
 */
#ifndef SWITCH_TURN_H
#define SWITCH_TURN_H

#include "ports/offload.h"
#include "switch/event.h"
#include "switch/pipeline.h"

#define TURN_FRAMES  256
#define TURN_BYTES   (1024 * 1024)
#define TURN_ENTRIES 4096
#define TURN_GATHER  512

/* An ingress queue of a port, and who serves it. */
struct ingress {
    struct port_queue q; /* first: ready() is given this */
    struct forwarder *fwd;
    struct plane *plane;
    struct lane *lane; /* the port's, of this forwarder */
    uint16_t no;       /* the port's number */
    bool queued;       /* on the forwarder's ready list */
    /* The view_port's "opened" since which the queue has been empty once; and
     * the one for which it is to be read empty, and by when. */
    uint32_t fresh, asked;
    uint64_t asked_end;
    struct ingress *next;
};

/* A frame made plain, kept for all ports of the turn that need it so. */
struct cut {
    struct frame *piece;
    uint16_t n; /* 0: refused, see why */
    bool done;
    uint8_t why; /* enum port_reason */
};

/* A port that has lost a host to another. */
struct moved {
    struct plane *plane;
    uint16_t port;
};
#define TURN_MOVES 16

struct entry {
    uint16_t frame;
    uint16_t next;
};

/* Written by the forwarder, read by control. */
struct forwarder_stats {
    _Atomic uint64_t turns, frames, wakeups, spins;
};

struct forwarder {
    unsigned ctx;         /* tx context, index of its lanes */
    struct ev_loop *loop; /* of its thread, for detach; NULL: none to detach */
    struct ingress *ready, **ready_tail;
    struct arena arena;
    struct frame frame[TURN_FRAMES];
    struct fate fate[PIPELINE_BATCH];
    struct cut cut[TURN_FRAMES][2]; /* [1]: the port completes checksums */
    bool cut_used[TURN_FRAMES];
    struct entry entry[TURN_ENTRIES];
    unsigned n_entries;
    const struct view_port *touched[TURN_ENTRIES];
    unsigned n_touched;
    const struct view_port *kick[TURN_ENTRIES];
    unsigned n_kick;
    struct frame *gather[TURN_GATHER];
    struct frame scratch[OFFLOAD_PIECES_MAX];
    struct moved moved[TURN_MOVES];
    unsigned n_moved; /* any end the turn; see follow.h */
    struct ring ring;
    const _Atomic bool *observed; /* somebody wants events */
    uint64_t now;                 /* of this turn */
    bool news;                    /* control has something to look at */
    struct forwarder_stats stats;
};

/* 0 or -ENOMEM. */
int turn_fwd_init(struct forwarder *f, unsigned ctx,
                  const _Atomic bool *observed);
void turn_fwd_free(struct forwarder *f);

/* For struct port_queue's ready(): the queue may have frames. */
void turn_ready(struct port_queue *q);
/*
 * The view that says 'opened' is out.  What the queue holds now may have come
 * while the spanning tree had the port shut: it is read and dropped, as all is
 * that comes until then.  Runs turns; the caller is to wake the control thread.
 */
void turn_freshen(struct ingress *in, uint32_t opened);
/* The queue is being detached: forget that it was ready. */
void turn_forget(struct ingress *in);

static inline bool turn_pending(const struct forwarder *f)
{
    return f->ready != NULL;
}

/*
 * One turn over the ready queues; returns the frames it received.  The caller
 * says rcu_quiescent() after it.  If f->news is set, it clears it and wakes
 * the control thread.
 */
unsigned turn_run(struct forwarder *f);

#endif
