/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making what runs what a configuration says.
 *
 * One operation at a time; others wait in the order they came: applying a
 * file, taking it back, and removals by hand of what a file made.  An
 * operation goes
 *
 *   control   copies what runs (in slices)
 *   task      reads the files, looks devices up, compares: the plan
 *   control   carries the plan's steps out, those of a kind all at once; what
 *             blocks goes to the task thread
 *
 * and, when a step fails, takes back in reverse order what was done.  What it
 * has done it keeps while it is to be confirmed, to be able to take it back.
 * While that waits, another apply is refused.
 *
 * Threads: control thread.
 */
#ifndef CTL_APPLY_APPLY_H
#define CTL_APPLY_APPLY_H

#include "ctl/apply/wanted.h"
#include "switch/switch.h"

struct adopt;
struct apply;
struct ev_loop;
struct guests;

/* state_dir: what has to survive a crash; NULL: nothing does.  Copied. */
struct apply *apply_new(struct ev_loop *loop, struct sw *sw,
                        const char *state_dir);
/* Whose guests files may define; NULL: nobody's. */
void apply_guests(struct apply *a, struct guests *g);
/* By whom bridges of the kernel's are adopted. */
void apply_adopt(struct apply *a, struct adopt *ad);
/* No step is begun any more; before sw_free. */
void apply_end(struct apply *a);
/* Gives back what files made of devices and addresses; after sw_free. */
void apply_free(struct apply *a);

/* One file's text, NUL behind it; all of it malloc'ed. */
struct apply_file {
    char *name, *text;
    size_t len;
};

/* Told, with the argument of 'done', what an operation waits for if that may
 * take long. */
typedef void (*apply_notice)(void *arg, const char *text);

struct apply_request {
    struct apply_file *file; /* the first is the one asked for */
    unsigned n_files;
    int netns_fd; /* the asker's; -1: the daemon's own */
    struct named_netns *named;
    unsigned n_named;
    struct named_file *opened; /* captures that ports name */
    unsigned n_opened;
    bool dry_run;
    bool may_open; /* ... or they are the daemon's to open */
    bool may_wait; /* devices need not be there */
    /* not NULL: nothing unless some of these are found; its own */
    struct want_missing *missing;
    bool may_name;       /* what the daemon opens with its own rights: UNIX
                               sockets, the files of guests */
    unsigned confirm;    /* seconds; 0: in force for good */
    apply_notice notice; /* NULL: nobody listens, here and below */
    struct conf *conf;   /* instead of files: read already */
};
/* All that is in it, and itself. */
void apply_request_free(struct apply_request *r);

/* What came of it; valid in the call. */
struct apply_report {
    const char *const *step;
    unsigned n_steps;
    const char *const *note;
    unsigned n_notes;
    unsigned confirm; /* seconds until it is taken back; 0: it stays */
};

typedef void (*apply_done)(void *arg, int rc, const struct err *e,
                           const struct apply_report *r);

/* Takes the request over.  done comes later. */
void apply_start(struct apply *a, struct apply_request *r, apply_done done,
                 void *arg);

/* -ENOENT: nothing waits.  'revert': take it back now, else keep it.
 * -EPERM: guests were changed, and who asks may not (apply_request's may_name).
 */
void apply_confirm(struct apply *a, bool revert, bool may_name, sw_done done,
                   void *arg);

/*
 * As bport_del and bridge_del, and gives back what a file made of it.  For
 * all who remove ports and bridges by hand.
 */
void apply_bport_del(struct apply *a, struct bridge *b, const char *port,
                     apply_notice notice, sw_done done, void *arg);
void apply_bridge_del(struct apply *a, const char *bridge, bool force,
                      apply_notice notice, sw_done done, void *arg);

/* As adopt_undo, also of one that a file waits for because it was deleted. */
void apply_unadopt(struct apply *a, const char *bridge, sw_done done,
                   void *arg);

/* What happens in the switch: devices that files wait for. */
void apply_event(struct apply *a, const struct sw_event *e);

/*
 * The running configuration as a file would say it; text is valid in the
 * call.  Bridges of other namespaces than 'netns_fd' (taken over) are named
 * in comments only.
 */
typedef void (*apply_text)(void *arg, int rc, const struct err *e,
                           const char *text);
void apply_config(struct apply *a, int netns_fd, apply_notice notice,
                  apply_text done, void *arg);

#endif
