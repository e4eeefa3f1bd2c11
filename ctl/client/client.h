/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client: one connection to the daemon, and what its commands share.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_CLIENT_H
#define CTL_CLIENT_CLIENT_H

#include "base/err.h"
#include "ctl/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct client {
    const char *socket; /* as asked for; NULL: by rule */
    bool json;          /* -j */
    bool brctl;         /* we are called brctl */
    bool bridge;        /* ... or bridge */
    bool ovs_vsctl;     /* ... or ovs-vsctl */
    bool quiet;         /* why an answer takes long is said after a second */
    bool details, stats, pretty, oneline, timestamp; /* -d -s -p -o -t */
    int fd;                                          /* -1: not connected yet */
    char *buf; /* received, not yet read */
    size_t at, len, cap;
};

/* How a call went: a result, or who said what. */
struct reply {
    json_t *root;
    json_t *result;   /* borrowed; NULL: failed */
    int err;          /* errno value > 0; EIO if the daemon gave none */
    int code;         /* JSON-RPC's; 0: the daemon was not reached */
    const char *what; /* "bridge", "port", "member", ... or "" */
    char text[400];   /* the sentence */
};
void reply_free(struct reply *r);
/* Of one without a result: -errno with the sentence. */
int reply_error(const struct reply *r, struct err *e);

/*
 * Carries out one method.  'params' is taken over (NULL: none).  'fd' >= 0 is
 * passed along; it stays the caller's.  True if there is a result.
 */
bool client_call(struct client *c, const char *method, json_t *params, int fd,
                 struct reply *r);
/*
 * The same of commands whose output others have settled.  Why the answer takes
 * long ("notices") is told when it does: after a second.
 */
bool client_call_quietly(struct client *c, const char *method, json_t *params,
                         struct reply *r);
/* With up to CLIENT_FDS_MAX descriptors, in order; negative ones are left
 * out. */
#define CLIENT_FDS_MAX 253 /* as many as a message carries */
bool client_call_fds(struct client *c, const char *method, json_t *params,
                     const int *fd, unsigned n, struct reply *r);

/*
 * The same for a result that is a long array: 'each' gets item by item (it
 * borrows them).  r->result is then an empty array.
 */
bool client_stream(struct client *c, const char *method, json_t *params,
                   void (*each)(void *arg, const json_t *item), void *arg,
                   struct reply *r);

/* The next line the daemon sends, parsed: an event.  NULL: the end. */
json_t *client_event(struct client *c);

/* Has the daemon closed the connection, or does it within 'ms' milliseconds?
 * True also where there is none. */
bool client_ended(const struct client *c, int ms);
/* Has a line been received that client_event has not returned yet? */
bool client_pending(const struct client *c);

void client_close(struct client *c);

/* Prints "bascule: SENTENCE" on stderr; returns 1, the exit status. */
int client_complain(const struct client *c, const struct reply *r);
int complain(const struct client *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints v as one line of JSON; or, once it is to be pretty, as several. */
void print_json(const json_t *v);
void print_json_pretty(void);

/* The result of a call, a new reference; NULL after a complaint. */
json_t *client_ask(struct client *c, const char *method, json_t *params);

/*
 * A call whose answer is printed: as JSON under -j, else by 'render'.  The exit
 * status.
 */
int client_show(struct client *c, const char *method, json_t *params,
                void (*render)(FILE *out, const json_t *result));
/* ... or else is not worth a word. */
int client_simple(struct client *c, const char *method, json_t *params);

/* Our own network namespace, to be passed on; -1 if it cannot be opened. */
int open_own_netns(void);

/* ---- the commands: exit status; argv[0] is the first argument ---- */

#define X(id, ...) int run_##id(struct client *c, int argc, char **argv);
COMMAND_LIST(X)
#undef X

#endif
