/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of apply.h: an operation, and how its plan is carried out.
 *
 *   apply.c    applying a file, what waits to be confirmed
 *   op.c       operations, their queue
 *   files.c    from files to a plan, on the task thread
 *   run.c      steps in order, forth and back
 *   step.c     the kinds of steps; step_*.c, what each of them does
 *   report.c   what is told of it
 *   removal.c  removals by hand of what a file made
 *   show.c     the running configuration
 *   join.c     ports whose interface comes back
 *   late.c     interfaces that come when a file has been applied already
 *   away.c     adopted bridges that the kernel has no more, and again
 *   unconfirmed.c  what is remembered of a file that waits to be confirmed
 *
 * Threads: control thread, except where said.
 */
#ifndef CTL_APPLY_OP_H
#define CTL_APPLY_OP_H

#include "ctl/apply/apply.h"
#include "ctl/apply/plan.h"
#include "ctl/l3/l3.h"
#include "ports/netwatch.h"

#include <ev.h>
#include <sys/queue.h>

TAILQ_HEAD(op_queue, op);

/* What the daemon's own configuration waits for. */
struct late {
    struct apply *a;
    struct conf_hold *hold; /* NULL: nothing */
    struct want_missing missing;
    struct netwatch *watch;
    struct netwatch_ns *ns;
    ev_timer settle;
};

TAILQ_HEAD(away_list, away_bridge);

/* Bridges that a file has adopted and that were deleted. */
struct away {
    struct apply *a;
    struct away_list all;
    struct netwatch *watch; /* while there are some */
    ev_timer settle;
    bool queued; /* an operation for them */
};

struct apply {
    struct ev_loop *loop;
    struct sw *sw;
    struct guests *guests; /* NULL: there are none */
    struct adopt *adopt;   /* likewise */
    char *state_dir;       /* NULL: none */
    struct owned owned;
    struct op_queue queue; /* the first one is under way */
    struct op *unconfirmed;
    char *left;    /* what a daemon before has left so, a sentence; or NULL */
    ev_timer next; /* the first one is to begin, or to go on */
    ev_timer confirm; /* time is up */
    struct late late;
    struct away away;
    bool joining; /* an operation for devices that came is queued */
    bool ending;
};

struct op {
    TAILQ_ENTRY(op) link;
    struct apply *a;
    void (*begin)(struct op *op);
    void (*resume)(struct op *op); /* in the next turn */
    void (*finish)(struct op *op); /* the plan has been carried out, or not */
    const char *what;              /* for the log */
    /* whoever asked */
    struct apply_request *req;
    apply_done done;
    sw_done simple;
    apply_text show;
    apply_notice notice;
    void *arg;
    char name[2][PORT_NAME_MAX]; /* removals: bridge, port */
    bool force;
    bool may_name; /* of a confirmation */
    bool noted;    /* by unconfirmed_note */
    /* what is to be done */
    struct conf *conf; /* until the hold has it */
    struct conf_hold *hold;
    uint64_t netns;
    struct want *want;
    struct running *running;
    struct plan plan;
    struct l3_notes notes; /* the task thread's, while it works */
    char *text;            /* of show.c */
    /* the run */
    bool back;             /* taking back */
    bool starting;         /* in the middle of beginning steps */
    unsigned from, to, at; /* the group of steps, and the next of it */
    unsigned outstanding;
    int rc; /* of the first that failed */
    struct err err;
    int back_rc; /* ... on the way back; the task thread's while it works */
    struct err back_err;
};

/* op.c */
void op_queue_init(struct apply *a);
struct op *op_new(struct apply *a, void (*begin)(struct op *op), void *arg);
void op_queue(struct op *op);
/* Those that wait are told if 'op', the first, waits for guests to stop. */
void op_tell(const struct op *op);
/* It is over: the next one's turn.  Frees it unless it is to be kept. */
void op_over(struct op *op, bool keep);
void op_free(struct op *op);
/* op->running: what runs, but for ports, which running_copy copies.  0 or
 * -ENOMEM. */
int op_copy(struct op *op);
/* op->resume in the next turn of the loop. */
void op_yield(struct op *op, void (*resume)(struct op *op));
/* ... in some milliseconds: it waits for what nobody tells it of. */
void op_pause(struct op *op, void (*resume)(struct op *op));

/* The namespace of an open file; -1: the daemon's own.  0: nobody knows. */
uint64_t op_netns(int fd);

/* report.c: calls op->done. */
void op_answer(struct op *op, int rc, const struct err *e);

/* apply.c */
/* An operation that applies; the request is its.  NULL: out of memory. */
struct op *apply_op(struct apply *a, struct apply_request *r, apply_done done,
                    void *arg);

/* removal.c: a bridge is gone that perhaps was adopted for a file. */
void removal_of_adopted(struct apply *a, const char *bridge);

/* late.c */
void late_init(struct late *l, struct apply *a);
/* 'op' has been carried out for good: its file is the one that counts. */
void late_follow(struct op *op);
/* Bridges that are waited for.  0 or -ENOMEM. */
int late_copy(const struct late *l, struct running *r);
void late_end(struct apply *a);

/* away.c */
void away_init(struct away *w, struct apply *a);
/* For adopt_on_lost. */
void away_lost(void *apply, const char *bridge);
/* 'b', whose bridge is gone, is in no list any more; taken over. */
void away_wait(struct apply *a, struct owned_bridge *b);
/* As late_follow. */
void away_follow(struct op *op);
/* As late_copy. */
int away_copy(const struct away *w, struct running *r);
void away_end(struct apply *a);

/* unconfirmed.c */
/* Task thread: before 'op' changes anything. */
void unconfirmed_note(struct op *op);
/* 'op' is decided on, or has failed. */
void unconfirmed_over(const struct op *op);
/* Of a daemon before. */
void unconfirmed_find(struct apply *a);

/* files.c: an sw_work; arg is the op. */
int apply_plan_work(void *op, struct err *e);

/* run.c: carries op->plan out, then op->finish; or takes it back. */
void run_forth(struct op *op);
void run_back(struct op *op);

/* step.c */
struct step_kind_ops {
    /* Control thread: begins it; step_done is called, in the call or later. */
    void (*go)(struct step *s);
    void (*back)(struct step *s);
    /* Task thread, for all of the kind together; 'after' then on control. */
    int (*work)(struct step *s, struct err *e);
    int (*unwork)(struct step *s, struct err *e);
    void (*after)(struct step *s);
    void (*unafter)(struct step *s);
};
const struct step_kind_ops *step_ops(enum step_kind k);
/* Control thread, before work: what the task thread must not look up. */
void step_prepare(struct step *s);
/* An sw_done; arg is the step. */
void step_done(void *step, int rc, const struct err *e);
/* The memory of layer 3 for a bridge; NULL: none left. */
struct l3 *apply_l3_new(const struct apply *a, const char *bridge, int netns_fd,
                        const char *renderer);
/* What it has kept for taking it back. */
void step_free(struct step *s);
/* The daemon ends before all steps are done: what they have taken off the list
 * of what is owned is there again, for apply_free to give back. */
void steps_leave_to_end(struct op *op);
/* Does it change a guest? */
bool step_is_of_guest(enum step_kind k);

/* show.c */
void apply_show_begin(struct op *op);

#endif
