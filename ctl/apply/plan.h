/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The difference between what is wanted and what runs, as steps that can be
 * carried out and taken back.  Nothing here changes anything.
 *
 * Threads: plan_make task thread (it asks the kernel about devices); the rest
 * any.
 */
#ifndef CTL_APPLY_PLAN_H
#define CTL_APPLY_PLAN_H

#include "ctl/apply/running.h"
#include "ctl/apply/wanted.h"
#include "ports/netdev.h"

/*
 * In the order in which they are carried out; those of one kind belong
 * together and are begun all at once.  Taking back goes the other way.
 *
 * What taking back does not make good, a guest's end above all, comes last,
 * when nothing is left that could fail; unless what is new needs its place.
 */
enum step_kind {
    STEP_GUEST_STOP, /* one whose port's name is needed */
    STEP_GUEST_UNDEFINE,
    STEP_SETTLE,        /* nothing; back: layer 3 of the bridge as it was */
    STEP_PORT_DEL,      /* back: the port, with its parameters */
    STEP_MEMBER_BACK,   /* the device's settings as they were found */
    STEP_UPLINK_RETURN, /* its addresses return to the device */
    STEP_L3_END,
    STEP_BRIDGE_DEL, /* one whose name is needed */
    STEP_UNADOPT,    /* it is the kernel's alone again */
    STEP_DISOWN,     /* a bridge that stays is its maker's again */
    STEP_BRIDGE_ADD,
    STEP_ADOPT,
    STEP_BRIDGE_OWN, /* a bridge that is there is the file's */
    STEP_STP_OFF,    /* BRIDGE_STP: off before what only then is allowed ... */
    STEP_BRIDGE_SET,
    STEP_STP_ON, /* ... and on when the rest is as it has to be */
    STEP_L3_BEGIN,
    STEP_UPLINK_TAKE, /* the device's addresses are for the bridge */
    STEP_PORT_ADD,
    STEP_PORT_OWN,
    STEP_PORT_SET,
    STEP_SHORT_COST, /* BRIDGE_LONG_COST 0: no port's cost is long any more */
    STEP_MEMBER_SET,
    STEP_L3_APPLY,
    STEP_GUEST_YIELD, /* as GUEST_STOP, to a guest that comes */
    STEP_GUEST_CEDE,  /* as GUEST_UNDEFINE, likewise */
    STEP_GUEST_DEFINE,
    STEP_GUEST_START,
    STEP_GUEST_LEAVE,  /* as GUEST_STOP */
    STEP_GUEST_FORGET, /* as GUEST_UNDEFINE */
    STEP_BRIDGE_LEAVE, /* as BRIDGE_DEL */
    STEP_KINDS
};

struct op;
struct saved_port;
struct saved_bridge;

struct step {
    enum step_kind kind;
    char bridge[PORT_NAME_MAX];
    char port[PORT_NAME_MAX];     /* GUEST_...: the guest */
    const struct want_bridge *wb; /* NULL where the file names nothing */
    struct want_port *wp;
    const struct conf_guest *guest;
    unsigned param; /* ..._SET, STP_... */
    uint32_t value, old;
    char device[PORT_NAME_MAX]; /* MEMBER_..., UPLINK_... */
    struct member member;       /* MEMBER_SET: as wanted */
    bool force;                 /* BRIDGE_DEL: even if it is up */
    bool idle;                  /* not needed after all */
    char *text; /* for people; NULL: goes without saying.  May be lines */
    struct owned_port *owned_port; /* MEMBER_BACK, UPLINK_RETURN */
    /* Of whoever carries it out (step.c), all zero until then. */
    struct op *op;
    bool done;
    bool was_owned;
    struct bridge_record bridge_record;
    struct port_record port_record;
    struct member before;
    struct owned_bridge *owned_bridge;
    struct saved_port *saved_port;
    struct saved_bridge *saved_bridge;
    char *saved_guest; /* its definition */
    struct l3 *l3;
    const struct conf_l3 *l3_want;
};

struct plan {
    struct step *step;
    unsigned n, room;
    unsigned n_said; /* steps with a text */
    char **note;     /* what is left alone, and why */
    unsigned n_notes, notes_room;
    unsigned n_waiting; /* devices that are not there yet */
};

/* member_get of member.h. */
typedef int (*plan_device)(void *arg, int netns_fd, const char *device,
                           const struct port_spec *as, struct member *m,
                           struct err *e);
/* guest_try of ctl/guest/guest.h. */
struct guest_def;
typedef int (*plan_guest)(void *arg, const struct guest_def *d, bool start,
                          long others, char *notice, size_t n, struct err *e);
struct plan_input {
    struct want *want;       /* ports without a name get one */
    struct running *running; /* of guests, what will become of them */
    const struct owned *owned;
    uint64_t netns; /* the asker's */
    bool may_wait;  /* a device may be absent */
    bool may_guest; /* define, start and remove guests */
    bool no_guests; /* but those that wait for a bridge that is adopted now */
    plan_device device;
    plan_guest guest;
    void *arg; /* of both */
};

/* 0, or -errno with a sentence that names the place. */
int plan_make(struct plan *p, const struct plan_input *in, struct err *e);
void plan_free(struct plan *p);

/* -EEXIST with a sentence: there is such an interface, and it is none of ours,
 * which may go. */
int plan_check_interface(const struct plan_input *in, int netns_fd,
                         const char *name, enum netdev_use use,
                         const struct conf_pos *pos, struct err *e);

/* What is remembered of a port of the file. */
void plan_record(const struct want_port *wp, struct port_record *r);
/* Who manages the bridge's addresses, as written; NULL: nothing is. */
const char *plan_renderer(const struct want *w, const struct want_bridge *wb);

/* For plans made by hand: a step at the end, in its place by kind after
 * plan_sort.  NULL: out of memory. */
struct step *plan_add(struct plan *p, enum step_kind kind, const char *bridge,
                      const char *port);
void plan_sort(struct plan *p);
/* What follows when such a port goes.  0 or -ENOMEM. */
int plan_give_back(struct plan *p, const char *bridge, struct owned_port *o);
/* 0 or -ENOMEM. */
int plan_say(struct plan *p, struct step *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int plan_note(struct plan *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
