/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request being carried out, as the handlers of the methods see it.
 *
 * A handler (rpc_ID, one per row of the command table) answers exactly once,
 * with one of the call_ functions below, in the call or later.  After that
 * the call is gone.  The client may have gone before: nothing changes for
 * the handler, the answer is dropped.
 *
 * Threads: control thread.
 */
#ifndef CTL_CALL_H
#define CTL_CALL_H

#include "ctl/conn.h"

struct call {
    struct server *server;
    struct conn *conn; /* NULL once the client has gone */
    struct rpc_request req;
    json_t *params; /* req.params */
    LIST_ENTRY(call) link;
    /* Optional: the client has gone, the handler need not answer any more. */
    void (*cancel)(struct call *c);
    void *state;      /* the handler's */
    const char *what; /* what a failing errno is about, for the client */
};

#define X(id, ...) void rpc_##id(struct call *c);
DAEMON_COMMAND_LIST(X)
#undef X

/* For connections and the server's end; handlers answer instead. */
struct call *call_new(struct conn *c, const struct rpc_request *r);
void call_free(struct call *c);

/* Takes 'result' over; NULL (out of memory) becomes an error. */
void call_ok(struct call *c, json_t *result);

/* What gives a call a word before its answer, a notification ("notice", with a
 * "text"); NULL: the client has not asked for such ("notices"). */
typedef void (*call_word)(void *call, const char *text);
call_word call_notices(const struct call *c);

/* The switch said no.  'err': errno of either sign. */
void call_fail(struct call *c, int err, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void call_bad_params(struct call *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* An sw_done: answers true, or the error with c->what. */
void call_done(void *call, int rc, const struct err *e);

/*
 * The answer is "HEAD item,item,... TAIL" written while the client reads it.
 * The dump owns its state; it is freed with it by dump->free.
 */
enum dump_next { DUMP_MORE, DUMP_END, DUMP_FAILED };
struct dump {
    const char *head; /* what follows "result": e.g. "[" */
    const char *tail;
    /* Appends some items (dump_comma before each), in well under a ms. */
    enum dump_next (*next)(struct dump *d, struct text *out);
    void (*free)(struct dump *d);
    struct server *server;
    uint64_t count; /* items written */
};
void call_dump(struct call *c, struct dump *d);
int dump_comma(struct dump *d, struct text *out);

/* The bridge or port a parameter names, or NULL after call_fail. */
struct bridge *call_bridge(struct call *c);
struct bport *call_port(struct call *c, const char *name);

/*
 * A place in the forwarding database: which bridge, and which of its ports.
 * "port" alone finds its bridge; the name of a bridge in the place of a
 * port's is its own interface.  *no: -1 without "port", 0 for the bridge
 * itself (*p is NULL for both), else the port's number.  False after an
 * answer.
 */
bool call_place(struct call *c, struct bridge **b, struct bport **p, int *no);

/* Root, or the daemon's own user? */
bool call_is_owner(const struct call *c);

/*
 * May this client have a port of that specification?  0, or -EPERM with a
 * sentence: it names a UNIX socket, and the client is neither root nor the
 * daemon's own user.
 */
int call_may_add(const struct call *c, const struct port_spec *spec,
                 struct err *e);

/*
 * The next descriptor received, if params say "netns": checked to be a
 * network namespace.  0 and *fd (-1: none, or it is the daemon's own; else
 * the caller's), or -1 after an answer.
 */
int call_netns(struct call *c, int *fd);
/* The same for a file, if params say "file"; what it is, its port checks. */
int call_file(struct call *c, int *fd);
/*
 * One more namespace (which may be our own) or file; 'why' there should be a
 * descriptor is for the sentence.  0, or -1 after an answer.
 */
int call_next_netns(struct call *c, const char *why, int *fd);
int call_next_file(struct call *c, const char *why, int *fd);

/* ---- observers (monitor.c) ---- */

/* An sw_observe function; arg is the server. */
void monitor_event(void *server, const struct sw_event *e);
/* The same for guests: of guests_config. */
void monitor_guest(void *server, const char *guest, const char *name,
                   const char *text);
/* What a client listens to from now on; 0: nothing. */
void monitor_set(struct conn *c, unsigned what);
/* Something was written: was the client missing events? */
void monitor_caught_up(struct conn *c);

#endif
