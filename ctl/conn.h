/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One client of the control socket.
 *
 * Threads: control thread.
 */
#ifndef CTL_CONN_H
#define CTL_CONN_H

#include "ctl/server.h"

struct conn {
    struct server *server;
    int fd;
    bool may_change;
    bool is_owner; /* root or the daemon's own user */
    ev_io rd, wr;
    TAILQ_ENTRY(conn) all, ready;
    bool is_ready;

    char *in; /* octets received and not yet understood */
    size_t in_len, in_cap;
    size_t in_seen;        /* of them known to hold no newline */
    int fds[CONN_FDS_MAX]; /* descriptors received, in order */
    unsigned n_fds;

    struct text out;
    struct parse_job *parsing; /* a long request, being read elsewhere */
    struct call *call;         /* the request being carried out */
    struct dump *dump;         /* its answer, being written piece by piece */
    struct text held; /* events meanwhile: no line in another's midst */

    unsigned monitor; /* MONITOR_* it listens to, 0: none; monitor_set */
    uint64_t lost;    /* events, since the last that went through */

    bool eof;     /* it sends no more */
    bool closing; /* close when 'out' is empty */
};

#define MONITOR_FDB   1u
#define MONITOR_PORT  2u
#define MONITOR_STP   4u /* and BPDUs */
#define MONITOR_GUEST 8u

/* Takes 'fd' over; NULL when out of memory (fd is then closed). */
struct conn *conn_new(struct server *s, int fd, enum authority authority);
void conn_free(struct conn *c);

/*
 * One piece of work: a request, or a slice of a dump.  False when there is
 * nothing to do for now.  May free the connection.
 */
bool conn_run(struct conn *c);

/* A long request has been read: the parser's done function. */
void conn_parsed(struct parse_job *j);

/* The request in progress has been answered: go on with the next. */
void conn_call_done(struct conn *c);

/* Has the client closed its end altogether? */
bool conn_hung_up(const struct conn *c);

/* 'out' has grown: see that it is written. */
void conn_flush(struct conn *c);

/* It has work to do in one of the next turns. */
void conn_ready(struct conn *c);

#endif
