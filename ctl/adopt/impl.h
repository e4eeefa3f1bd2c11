/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adopted bridges, inside: adopt.c takes them over and gives them back,
 * follow.c keeps up with them, tree.c knows of spanning trees, kernel.c is what
 * blocks.
 *
 * Threads: control thread; what a struct look holds belongs to the task thread
 * from adopt_look until its done is called.
 */
#ifndef CTL_ADOPT_IMPL_H
#define CTL_ADOPT_IMPL_H

#include "ctl/adopt/adopt.h"
#include "ports/kbridge.h"
#include "ports/khold.h"

#include <ev.h>
#include <sys/queue.h>

LIST_HEAD(adoption_list, adoption);
LIST_HEAD(member_list, member);

struct adopt {
    struct ev_loop *loop;
    struct sw *sw;
    struct adoption_list all;
    void (*on_lost)(void *arg, const char *bridge); /* NULL: nobody listens */
    void *on_lost_arg;
    bool ending;
};

/*
 *   coming    its ports are on their way in
 *   in        the switch has it
 *   going     on its way out, because it left the kernel's bridge or all is
 *             undone
 *   refused   it cannot be ours, or was given back by hand: it stays the
 *             kernel's until it has left that bridge
 */
enum member_stage { MEMBER_COMING, MEMBER_IN, MEMBER_GOING, MEMBER_REFUSED };

struct member {
    LIST_ENTRY(member) link;
    struct adoption *ad;
    enum member_stage stage;
    struct kbridge_port known; /* as last taken over from the kernel */
    char name[PORT_NAME_MAX];  /* the port's; the device's may change */
    bool seen;
};

enum look_what {
    LOOK_FIRST, /* with its table */
    LOOK_FRONT, /* the tap is made ready, and its port if no tree is in the way
                 */
    LOOK_JOIN,  /* its spanning tree is put aside, the tap made its port */
    LOOK_AGAIN,
    LOOK_BACK /* its spanning tree is put back */
};

/* A look at the kernel's bridge, with what is to be put right there. */
struct look {
    struct adoption *ad;
    enum look_what what;
    int netns_fd;
    int bridge, tap; /* ifindex; 0: not yet known */
    char name[PORT_NAME_MAX];
    char device[PORT_NAME_MAX]; /* what the tap is called; by the first look */
    struct khold hold;          /* from LOOK_FRONT on */
    struct {
        int ifindex;
        enum kbridge_state state;
    } * want;
    unsigned n_want;
    /* what was found */
    struct kbridge k;
    struct kbridge_entry *fdb;
    unsigned n_fdb;
    int nl_fd;      /* LOOK_FIRST: tells of changes from now on */
    char text[200]; /* what could not be put right, for the log */
};

enum phase { ADOPTING, FOLLOWING, UNDOING, DEAD };

/*
 * Whose turn it is while adopting.  With a spanning tree what the bridge's
 * neighbours say is heard by us before the kernel's tree ends, and no port that
 * is shut can be taken for the way to the root before the one that is:
 */
enum turn {
    TURN_DEAD, /* those without link: from the root port on to the joining,
                  what is behind that is cut off, and they are no hurry */
    TURN_ROOT, /* the root port */
    TURN_SHUT, /* those that do not forward; then our half and the kernel's are
                  joined */
    TURN_REST
};

struct adoption {
    LIST_ENTRY(adoption) link;
    struct adopt *a;
    enum phase phase;
    char name[PORT_NAME_MAX];
    int netns_fd;
    struct look look;
    bool looking;         /* it is the task thread's */
    bool again;           /* ... and is out of date */
    struct kbridge known; /* parameters as last taken over; no ports */
    struct member_list members;
    enum turn turn;
    unsigned next;    /* ADOPTING: of look.k.port, which is to come in */
    unsigned pending; /* answers of the switch that are still to come */
    bool disable;     /* see adopt_begin */
    bool bridge;      /* the switch has one */
    bool dropping;    /* UNDOING: the bridge goes as a whole */
    bool told_stp;
    int rc; /* the first failure */
    struct err e;
    sw_done done; /* who waits for it */
    void *arg;
    ev_io heard;
    ev_timer soon;
};

/* kernel.c; task thread, sw_work.  The argument is a struct look. */
int look_work(void *look, struct err *e);
/* The kernel's spanning tree is on again, and known to nobody here.  May block:
 * for the end of the daemon. */
void look_tree_back(struct look *l);
void look_reset(struct look *l); /* but for its table */
void look_forget_table(struct look *l);
/* Control thread.  True: one of the messages is about the bridge. */
bool look_heard(struct adoption *ad);

/* follow.c.  0, or -ENOMEM, and 'done' will not be called. */
int adoption_look(struct adoption *ad, enum look_what what, sw_done done);
struct bridge *adoption_bridge(const struct adoption *ad);
void follow_start(struct adoption *ad);
void follow_stop(struct adoption *ad);
/* Looks again in a moment. */
void follow_soon(struct adoption *ad);
/* Its parameters, as far as they are not what we know. */
void follow_params(struct adoption *ad, const struct kbridge *k, bool all);
/* A new member's way in; 'done' when it is there or is not.  NULL: no memory.
 */
struct member *member_add(struct adoption *ad, const struct kbridge_port *p,
                          sw_done done);
/* Its way out; a refused one is forgotten at once. */
void member_remove(struct member *m, sw_done done);
void member_free(struct member *m);

/* tree.c: is it the port's turn? */
bool tree_turn(const struct adoption *ad, const struct kbridge_port *p);
/* What it brings along. */
struct bport_heritage tree_heritage(const struct adoption *ad,
                                    const struct kbridge_port *p);
/* The lower ones have to leave first: as tree_turn, the other way round. */
#define TREE_RANKS 3
unsigned tree_rank(const struct member *m);
/* Ours is on in the place of the kernel's. */
void tree_take(struct adoption *ad);

/* adopt.c: the bridge is no more (-ENODEV), or is no longer the kernel's. */
void adoption_lost(struct adoption *ad, int rc, const char *why);
/* When nothing is waited for any more: goes on undoing, frees what is dead. */
void adoption_check(struct adoption *ad);

#endif
