/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests: defined once, started and stopped as often as one likes, each a
 * QEMU whose network cards are ports of our bridges.
 *
 * A definition is kept in a file and lives until it is undefined.  A guest
 * that runs has a directory with its sockets, its log and what the next
 * daemon has to know; a daemon that ends leaves its guests running, and one
 * that begins looks for them.  Their ports are added as soon as the bridge is
 * there, and again should it come back.  A port that somebody else has added
 * under the same name is used and stays.
 *
 * Definitions name files and programs, and these are opened with the daemon's
 * rights: whoever may define guests can do what the daemon's user can.  That
 * a daemon opens no path for a client holds for everybody else; here the
 * caller has to see to it that only root and the daemon's own user come in.
 *
 * Inside, the daemon's configuration may define guests as well: guest_def_read
 * makes a definition of an object.
 *
 * Threads: control thread.  Callbacks never come from inside the call.
 */
#ifndef CTL_GUEST_GUEST_H
#define CTL_GUEST_GUEST_H

#include "ctl/guest/def.h"
#include "switch/switch.h"

struct ev_loop;
struct guests;
struct guest;

struct guests_config {
    struct ev_loop *loop; /* the default one */
    struct sw *sw;
    const char *def_dir; /* definitions; made when the first one comes */
    const char *run_dir; /* of guests that run; likewise */
    const char *run_top; /* ... or one above it, from which on they are ours */
    const char *user; /* QEMU's; NULL: "bascule" if there is one, or nobody */
    /* What happens, for people; NULL: nobody listens.  name: "started" ... */
    void (*event)(void *arg, const char *guest, const char *name,
                  const char *text);
    void *event_arg;
};

/*
 * Reads the definitions and finds the guests that run.  Files that cannot be
 * read are logged and left alone.  0 or -errno with a sentence; -EPERM: what
 * is kept there may be somebody else's.
 */
int guests_new(struct guests **g, const struct guests_config *c, struct err *e);
/* Lets go of all guests; they go on.  Before sw_free.  NULL is fine. */
void guests_end(struct guests *g);
/* After sw_free. */
void guests_free(struct guests *g);

/* What happens in the switch: bridges that come. */
void guests_event(struct guests *g, const struct sw_event *e);

/* ---- definitions ---- */

struct guest *guest_find(struct guests *g, const char *name);
/* In order of their names; NULL at the end; prev NULL: the first. */
struct guest *guest_next(struct guests *g, struct guest *prev);

/*
 * Takes 'd' over, also on error.  Its files must be there.  -EEXIST: the
 * name, a port's name or a MAC address is taken.
 */
void guest_define(struct guests *g, struct guest_def *d, sw_done done,
                  void *arg);
/* -EBUSY: it runs. */
void guest_undefine(struct guest *g, sw_done done, void *arg);
const struct guest_def *guest_def(const struct guest *g);
/* "br8, br9": bridges it is to be on that are not there; false: all are. */
bool guest_missing_bridges(const struct guest *g, char *out, size_t n);

/* The guest whose card is behind that port now; NULL: none. */
const char *guest_behind(struct guests *g, const char *bridge,
                         const char *port);

/*
 * The port that leads to the card of this port's name, if it is one of a guest
 * that runs, has no port now, and is no interface that could be added by its
 * name.  0; -ENOENT: there is none; another -errno with a sentence.
 */
int guest_card_spec(struct guests *g, const char *name, struct port_spec *spec,
                    struct err *e);

/* ---- life ---- */

/*
 * stopped    nothing runs
 * starting   files and taps are being opened; QEMU is on its way
 * running    QEMU answers
 * stopping   it has been asked to power down
 * ending     the process is gone, its ports are leaving
 * waiting    it ended and will be started again, by its restart policy
 * saving     the definition is being written or removed
 */
enum guest_state {
    GUEST_STOPPED,
    GUEST_STARTING,
    GUEST_RUNNING,
    GUEST_STOPPING,
    GUEST_ENDING,
    GUEST_WAITING,
    GUEST_SAVING,
    GUEST_STATES
};

/*
 * Done when QEMU runs; else nothing of it is left.  -EALREADY: it runs;
 * -ENODEV: a bridge is missing; what QEMU said when it ended at once.
 */
void guest_start(struct guest *g, sw_done done, void *arg);
/*
 * Asks it to power down, as its power button would.  Done when it is gone.
 * If the daemon ends before, the next one goes on with it.
 * -ETIMEDOUT after 'seconds': it runs on.  -ESRCH: it does not run.  One that
 * is ending by itself, or has, is not started again by its restart policy.
 * -EBUSY: no button ends it as it is, one that was moved away for example.
 */
void guest_stop(struct guest *g, unsigned seconds, sw_done done, void *arg);
/* Pulls the plug.  Done when it is gone. */
void guest_kill(struct guest *g, sw_done done, void *arg);
/* Power down, then start.  A guest that does not run is started. */
void guest_restart(struct guest *g, unsigned seconds, sw_done done, void *arg);
/*
 * For one that is to be removed: asks it to power down, and pulls the plug
 * when 'seconds' are over; 0: at once.  One that has been asked by somebody
 * else already gets the time it was given then.  Done when it is gone; if it
 * has not done as it was asked, the sentence says so without its name:
 * "ignored its power button for 30 s and was killed".  -ESRCH: it does not
 * run; -EBUSY: somebody else has said that it is to leave.  lasting: a daemon
 * that begins meanwhile goes on with it, as it does after guest_stop and
 * guest_kill.
 */
void guest_leave(struct guest *g, unsigned seconds, bool lasting, sw_done done,
                 void *arg);
/* The cables of all its network cards.  Done when QEMU has moved them. */
void guest_link(struct guest *g, bool up, sw_done done, void *arg);

#define GUEST_STOP_SECONDS 30 /* the usual patience */
/* How long it gets for powering down, by its definition. */
unsigned guest_stop_seconds(const struct guest *g);
/* ... if it is to leave: none if there is no disk that could suffer and its
 * definition does not ask for it. */
unsigned guest_leave_seconds(const struct guest *g);

/*
 * Thread: one that may block.  What guest_define would refuse, or with
 * 'start' guest_start, of what can be seen without doing it: the files of 'd'
 * and what the host has, not its ports.  'others': MB of huge pages that other
 * guests take before (below 0: give back).  'notice': what guest_why would
 * say of it then.  0 or -errno with a sentence.
 */
int guest_try(const struct guests *g, const struct guest_def *d, bool start,
              long others, char *notice, size_t n, struct err *e);

/* ---- how it is ---- */

enum guest_state guest_state(const struct guest *g);
/* "running"; as QEMU says it while it has a process ("paused", ...). */
const char *guest_state_word(const struct guest *g);

/* A line of a list, a new object; NULL: no memory. */
json_t *guest_brief(const struct guest *g);
/*
 * All of it, a new object, for 'done': perhaps from inside, as most of it is
 * known at once.  NULL: the guest is gone, or there is no memory.
 */
typedef void (*guest_shown)(void *arg, json_t *o);
void guest_full(struct guest *g, guest_shown done, void *arg);

/* Why it is not running, or what was decided when it started; "" if there is
 * nothing to say. */
const char *guest_why(const struct guest *g);

#endif
