/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adopted bridges, inside: adopt.c takes them over and gives them back,
 * follow.c keeps up with them, kernel.c is what blocks.
 *
 * Threads: control thread; what a struct look holds belongs to the task thread
 * from adopt_look until its done is called.
 */
#ifndef CTL_ADOPT_IMPL_H
#define CTL_ADOPT_IMPL_H

#include "ctl/adopt/adopt.h"
#include "ports/kbridge.h"

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

/* A look at the kernel's bridge, with what is to be put right there. */
struct look {
    struct adoption *ad;
    int netns_fd;
    int bridge, tap; /* ifindex; 0: not yet known */
    char name[PORT_NAME_MAX];
    char device[PORT_NAME_MAX]; /* what the tap is called; by the first look */
    bool first;                 /* with its table */
    bool front;                 /* the tap is to be made its port */
    struct {
        int ifindex;
        enum kbridge_state state;
    } * want;
    unsigned n_want;
    /* what was found */
    struct kbridge k;
    struct kbridge_entry *fdb;
    unsigned n_fdb;
    int nl_fd;      /* 'first': tells of changes from now on */
    char text[200]; /* what could not be put right, for the log */
};

enum phase { ADOPTING, FOLLOWING, UNDOING, DEAD };

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
    unsigned next;    /* ADOPTING: of look.k.port, which is to come in */
    unsigned pending; /* answers of the switch that are still to come */
    bool disable;     /* see adopt_begin */
    bool bridge;      /* the switch has one */
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
void look_reset(struct look *l);
/* Control thread.  True: one of the messages is about the bridge. */
bool look_heard(struct adoption *ad);

/* follow.c */
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

/* adopt.c: the bridge is no more (-ENODEV), or is no longer the kernel's. */
void adoption_lost(struct adoption *ad, int rc, const char *why);
/* When nothing is waited for any more: goes on undoing, frees what is dead. */
void adoption_check(struct adoption *ad);

#endif
