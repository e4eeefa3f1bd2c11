/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs, copied from the switch so that another thread can compare it
 * with what is wanted.  Copying a thousand ports is done in slices.
 *
 * Threads: running_copy control; the rest any.
 */
#ifndef CTL_APPLY_RUNNING_H
#define CTL_APPLY_RUNNING_H

#include "ctl/apply/owned.h"

struct run_port {
    char name[PORT_NAME_MAX];
    struct port_spec spec;        /* netns_fd is not to be used */
    uint64_t netns;               /* where its device was; 0: no netdev */
    uint32_t param[BPORT_PARAMS]; /* path cost 0: automatic */
    bool edge, failed;
    struct owned_port *owned; /* NULL: made by hand */
};

struct run_bridge {
    struct bridge_info info;
    enum conf_adopt adopt;      /* the kernel's, by us */
    struct owned_bridge *owned; /* NULL: made by hand */
    struct run_port *port;
    unsigned n_ports, room;
};

struct run_guest_port {
    char bridge[PORT_NAME_MAX];
    char name[PORT_NAME_MAX];
};

struct run_guest {
    char name[PORT_NAME_MAX];
    char *def;      /* as in struct conf_guest */
    bool from_file; /* a configuration has defined it */
    bool active;    /* it is not stopped */
    bool leaves;    /* ... and will be, by the plan that is made */
    struct run_guest_port *port;
    unsigned n_ports;
};

/* A bridge of the kernel's that is not there, and adopted when it is. */
struct run_awaited {
    char name[PORT_NAME_MAX];
    uint64_t netns;
    enum conf_adopt adopt;
};

struct running {
    struct run_bridge *bridge;
    unsigned n_bridges;
    bool has_guests; /* the daemon keeps some */
    struct run_guest *guest;
    unsigned n_guests;
    struct run_awaited *awaited;
    unsigned n_awaited;
    /* where the copy is */
    unsigned at;
    int no; /* number of the last port copied */
};

/* Where to begin.  NULL: out of memory. */
struct running *running_new(struct sw *sw);
void running_free(struct running *r);

/*
 * Goes on copying, for a fraction of a millisecond.  1: there is more; 0: done;
 * -ENOMEM.
 */
int running_copy(struct running *r, struct sw *sw, const struct owned *o);

struct run_bridge *running_find(const struct running *r, const char *name);

/* Control thread, at once. */
struct adopt;
void running_copy_adopted(struct running *r, const struct adopt *all);

/* Control thread: one more that is awaited, unless it is known.  0 or -ENOMEM.
 */
int running_await(struct running *r, const char *name, uint64_t netns,
                  enum conf_adopt adopt);
bool running_awaits(const struct running *r, const char *name, uint64_t netns);

/* Control thread, at once; NULL: there are none.  0 or -ENOMEM. */
struct guests;
int running_copy_guests(struct running *r, struct guests *all);
void running_free_guests(struct running *r);
struct run_guest *running_guest(const struct running *r, const char *name);
/* Whose port is that?  NULL: no guest's that runs. */
const struct run_guest *running_guest_of(const struct running *r,
                                         const char *bridge, const char *port);

/* Do both name the same thing?  Kind, target, keys; names do not count. */
bool spec_equal(const struct port_spec *a, const struct port_spec *b);

/*
 * For a client that is neither root nor the daemon's own user: 0, or -EPERM
 * with a sentence if the port would have the daemon bind or connect a UNIX
 * socket.
 */
int spec_names_none(const struct port_spec *s, struct err *e);

/* The existing device that a port of this kind takes over, or NULL. */
const char *spec_takes(const struct port_spec *s);

#endif
