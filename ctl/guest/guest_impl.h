/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests, inside: guest.h is the outside.
 *
 * Threads: control thread, but for what says otherwise.
 */
#ifndef CTL_GUEST_GUEST_IMPL_H
#define CTL_GUEST_GUEST_IMPL_H

#include "ctl/guest/guest.h"
#include "ctl/guest/logfile.h"
#include "ctl/guest/open.h"
#include "ctl/guest/qmp.h"

#include <ev.h>
#include <net/if.h>
#include <sys/queue.h>

/* A caller that waits. */
struct answer {
    sw_done done; /* NULL: nobody */
    void *arg;
};

/* What launch_spawn has written down for the next daemon. */
struct run_state {
    pid_t pid;
    unsigned long long start;
    bool kvm;
    char notice[160]; /* as in struct launch */
};

/* A network's port. */
enum net_state {
    NET_AWAY,   /* the bridge is not there, or it has not been tried */
    NET_ADDING, /* the switch is at it */
    NET_THERE,
};

/* That it is to end, for the next daemon. */
struct ending {
    unsigned seconds; /* for powering down */
    bool force;       /* then its plug is pulled; 0 seconds: at once */
};

struct guest_port {
    struct guest *g;
    enum net_state state;
    bool due;  /* to be added when its bridge is there */
    bool ours; /* added by us: it leaves with the guest.  So does one by which
                  somebody has replaced it while the guest runs */
    bool down; /* the cable is out */
    /* NET_THERE: the bridge it is in, and what it is called there */
    char bridge[PORT_NAME_MAX], name[PORT_NAME_MAX];
    char why[200];
};

struct guest {
    TAILQ_ENTRY(guest) link;
    struct guests *all;
    struct guest_def *def;
    char dir[PATH_MAX]; /* when it runs */
    enum guest_state state;
    char status[24]; /* QEMU's word */
    char why[ERR_TEXT_MAX];

    struct launch *launch; /* while it is starting */
    unsigned pending;      /* ports on their way in or out */
    struct err failure;    /* of the start that is under way */
    int failure_rc;
    bool failed; /* it is being taken back */

    pid_t pid; /* 0: none */
    unsigned long long start;
    bool child; /* ours to reap, not found by us */
    bool kvm;
    ev_io exit; /* its pidfd */
    struct qmp *qmp;
    ev_timer timer; /* what it means, the state says */
    ev_timer again; /* reconnecting QMP */
    ev_timer loss;  /* a port's device has gone: and the process? */
    struct logfile log;

    ev_timer cables;       /* for QEMU to answer about them */
    unsigned cables_asked; /* of which it has not */
    bool cables_moved;     /* one of them was not so before */
    unsigned cables_sent;  /* unanswered, of those who lost patience as well */

    ev_timer look;        /* again, what QEMU's word is by now */
    ev_timer resets_line; /* until more of them are told of */
    unsigned resets;      /* ... since the last line */

    unsigned noting; /* notes for the next daemon that are on their way */
    bool unpressed; /* asked to power down, and its button is not pressed yet */
    bool untold;    /* asked to power down, but QEMU does not know */
    bool lasting;   /* asked to end, and the next daemon shall go on with it */
    bool forced;    /* if it does not power down, its plug is pulled */
    bool wanted_end; /* somebody asked for it */
    bool killed;     /* ... by pulling the plug */
    bool panicked;
    bool farewell;     /* QEMU has said that it ends, as it should */
    bool deaf;         /* QMP could not be reached, and we have said so */
    bool restart;      /* somebody asked for it: when it has ended */
    bool by_policy;    /* this start is the policy's */
    bool will_again;   /* ... which will start it again */
    unsigned backoff;  /* s */
    unsigned patience; /* ... of the stop that is under way */
    char parting[64];  /* how it left, if not as it should */
    uint64_t since;    /* clock_now() of the last start */
    unsigned starts;

    struct answer on_start, on_stop, on_kill, on_leave, on_save, on_link;
    struct guest_port port[GUEST_NETS_MAX];
};

TAILQ_HEAD(guest_list, guest);
TAILQ_HEAD(later_list, later);

/* Exit statuses that libev has reaped, by process. */
#define REAPED_MAX 64
struct reaped {
    pid_t pid;
    int status;
};

struct guests {
    struct ev_loop *loop;
    struct sw *sw;
    struct guests_config config;
    char def_dir[PATH_MAX];
    char run_dir[PATH_MAX];
    size_t run_own; /* the length of its part from which on it is ours */
    struct guest_user user;
    struct guest_list list;
    struct later_list laters; /* answers for the next turn */
    ev_timer answer;
    ev_child child;
    struct reaped reaped[REAPED_MAX];
    unsigned reaped_at;
    ev_timer attach; /* a bridge has come */
    bool ended;
};

struct later {
    TAILQ_ENTRY(later) link;
    struct answer to;
    int rc;
    struct err e;
};

/* guest.c */
struct guest *guest_make(struct guests *all, struct guest_def *d);
void guest_drop(struct guest *g);
void guest_move(struct guest *g, enum guest_state to);
/* Tells log and observer; GUEST_FAILED is told as a warning. */
#define GUEST_FAILED "failed"
void guest_tell(struct guest *g, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Why it is as it is, without the guest's name in front, for g->why. */
void guest_set_why(struct guest *g, const char *text);
/* Answers whoever waits there; nobody waits then. */
void answer(struct answer *a, int rc, const struct err *e);
/* The same in the next turn, for what is known at once. */
void answer_later(struct guests *all, sw_done done, void *arg, int rc,
                  const struct err *e);

/* place.c */
/* Is this port the card's, of a guest that has a process? */
bool place_is(const struct guest *g, unsigned net, const struct bport *p);
/* It is there: NET_THERE. */
void place_set(struct guest_port *p, const char *bridge, const char *port);
/* NULL: it is not there. */
struct bport *place_port(const struct guest_port *p);
/* Is it the half of a bridge of the kernel's, where taps are made? */
bool place_adopted(const struct bridge *b);

/* ports.c */
/* 0, or -ENODEV: a bridge is missing. */
int ports_check(const struct guest *g, struct err *e);
/* Adds those that are not there; ports_done follows when all have been
 * tried, perhaps from inside. */
void ports_attach(struct guest *g);
void ports_detach(struct guest *g);
/* Leaves them where they are; ports_done follows when none is on its way. */
void ports_settle(struct guest *g);
/* Are there some to be detached? */
bool ports_left(const struct guest *g);
void ports_watch(struct guests *all);
/* The same of one guest, while it has a process. */
void ports_watch_losses(struct guest *g);
void ports_end_losses(struct guest *g);
/* Implemented by life.c: no port is on its way any more. */
void ports_done(struct guest *g);

/* life.c */
void life_init(struct guest *g);
/* As guest_start; g->on_start hears of it. */
void life_begin(struct guest *g);
/* A process of an earlier daemon's goes on. */
void life_adopt(struct guest *g, const struct run_state *r);
/* It has ended while nobody looked. */
void life_lost(struct guest *g);
/* Watches nothing any more; what runs goes on. */
void life_let_go(struct guest *g);
/* Takes back what there is of it: its process is gone, or has never been. */
void life_end(struct guest *g);
void life_send_kill(struct guest *g);
/* g->timer; what it means, the state says. */
void life_set_timer(struct guest *g, double seconds);

/* stop.c */
/* -ESRCH with a sentence: there is nothing to end. */
int guest_not_running(const struct guest *g, struct err *e);
/* GUEST_STOPPING has taken too long. */
void stop_out_of_patience(struct guest *g);
/* What kept GUEST_STOPPING from pressing the button is perhaps over. */
void stop_go_on(struct guest *g);
/* Its process was there before us, and an earlier daemon was to end it. */
void stop_resume(struct guest *g, const struct ending *w);

/* wish.c */
/* Writes down that it is to end; stop_go_on follows, perhaps from inside. */
void wish_write(struct guest *g, struct ending what);
/* It runs on.  Behind that, g->on_stop hears how it went. */
void wish_take_back(struct guest *g, int rc, const struct err *e);

/* status.c */
/* Tells of g->status, which it was not before. */
void status_tell(struct guest *g);
/* Does QEMU change that word without telling? */
bool status_passes(const struct guest *g);
/* -code with a sentence: no power button ends it, and it does not run. */
int status_check(const struct guest *g, int code, struct err *e);
/* -ETIMEDOUT with a sentence: it has not powered down in time. */
int status_late(const struct guest *g, struct err *e);

/* cable.c */
void cable_init(struct guest *g);
/* Its process was there before us: how its cables were left. */
void cable_recall(struct guest *g);
/* It has no process any more; the next one has its cables in. */
void cable_forget(struct guest *g);
/* Nobody answers any more what QEMU was asked. */
void cable_lost(struct guest *g);

/* talk.c */
void talk_init(struct guest *g);
void talk_open(struct guest *g);
/* Its process has ended: what it had said, which nobody has read yet. */
void talk_last_words(struct guest *g);
void talk_close(struct guest *g);
/* Implemented by life.c: QEMU has said how it is. */
void talk_running(struct guest *g);

/* defs.c; these may block */
int defs_save(const char *dir, const struct guest_def *d, struct err *e);
int defs_remove(const char *dir, const char *name, struct err *e);
/* Calls 'fn' for each definition; it takes it over. */
int defs_load(const char *dir, void (*fn)(void *arg, struct guest_def *d),
              void *arg, struct err *e);
/* False: nothing readable. */
bool run_state(const char *dir, struct run_state *r);
/* No directory is no error.  0 or -errno with a sentence. */
int ending_save(const char *dir, const struct ending *w, struct err *e);
int ending_forget(const char *dir, struct err *e);
/* False: nobody wanted its end. */
bool ending_saved(const char *dir, struct ending *w);
/* Which cables of the guest of that directory are out: bit 0 is its first
 * card's.  0 or -errno with a sentence. */
int cables_save(const char *dir, unsigned out, struct err *e);
unsigned cables_saved(const char *dir);

/* show.c */
/* As guest_full has it.  kernel: which bridge of the kernel's has each of its
 * taps, "" if none; NULL: none has any.  NULL: no memory. */
json_t *guest_object(const struct guest *g, const char (*kernel)[IFNAMSIZ]);

/* addresses.c */
/* The network addresses seen behind a guest's card, if it has a port (else
 * NULL): a new array. */
json_t *guest_addresses(const struct bport *p, const struct mac *mac);

#endif
