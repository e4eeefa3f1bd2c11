/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: listening, its clients, and the turns they get.
 *
 * A client has one request carried out at a time, in the order they came.
 * Answers wait in a queue per client; while it is long, the client's next
 * requests are not read.  All clients together get at most SERVER_SLICE_NS
 * of a turn of the control loop, in rotation; a dump of a million entries is
 * many such slices.
 *
 * Authority: root, the daemon's own user and the members of the group given
 * to the daemon may change things; everybody who can connect may read.  Names
 * in the file system (UNIX sockets of ports) are for root and the daemon's
 * user, since the daemon would reach them with its own rights.
 *
 * Threads: control thread.
 */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

#include "base/err.h"
#include "ctl/parser.h"
#include "ctl/rpc.h"
#include "switch/switch.h"

#include <ev.h>
#include <sys/queue.h>
#include <sys/types.h>

#define SERVER_CLIENTS_MAX 256
#define SERVER_READERS_MAX 192 /* of them without authority to change */
/* Requests being received, in all, beyond a small buffer for each client; half
 * of it for clients without authority. */
#define SERVER_MEMORY_MAX (16UL << 20)
#define SERVER_SLICE_NS   (500 * 1000ULL)
#define CONN_QUEUE_LOW    (64UL << 10)  /* answers: go on below this */
#define CONN_MONITOR_MAX  (256UL << 10) /* events: lose them above this */
#define CONN_FDS_MAX      253           /* as many as one message may carry */
#define CONN_READER_FDS   8             /* of a client without authority */

struct adopt;
struct apply;
struct guests;
struct conn;
struct call;
struct dump;

TAILQ_HEAD(conn_list, conn);
LIST_HEAD(call_list, call);
LIST_HEAD(waiter_list, waiter);

struct server {
    struct ev_loop *loop;
    struct sw *sw;
    int fd;
    int spare;   /* for one client when there are none left; -1: in use */
    gid_t group; /* whose members may change things; (gid_t)-1: none */
    ev_io accept;
    ev_timer retry;  /* accepting is paused: no descriptors left */
    ev_timer runner; /* fires every turn while somebody has work */
    struct parser parser;
    ev_timer reaper; /* runs while there are clients we do not read from */
    bool told_full;
    unsigned n_conns, n_readers;
    size_t memory; /* octets of requests being received */
    uint64_t started;
    uint64_t n_requests, n_refused;
    struct conn_list conns;
    struct conn_list ready; /* have work to do, in rotation */
    struct call_list calls; /* being carried out */
    struct waiter_list waiters;
    unsigned n_monitors;
    unsigned n_stp_monitors; /* of them, those that want BPDUs */
    struct apply *apply;
    struct adopt *adopt;
    struct guests *guests; /* NULL: this server has none */
};

enum authority { AUTHORITY_READ, AUTHORITY_CHANGE, AUTHORITY_OWNER };

struct server_config {
    struct ev_loop *loop;
    struct sw *sw;
    int fd; /* listening; taken over.  -1: clients come by server_adopt */
    gid_t group;
    const char *socket;    /* its path, for the daemon's main; or NULL */
    const char *state_dir; /* for what has to survive a crash; NULL: none */
};

/* 0 or -ENOMEM with a sentence. */
int server_new(struct server **s, const struct server_config *c, struct err *e);
/*
 * Closes all connections and the listening socket; calls in progress end
 * unanswered, but the switch may still report to them: server_free comes
 * after sw_free.
 */
void server_close(struct server *s);
void server_free(struct server *s);

/*
 * A connected stream socket becomes a client (taken over).  'authority'
 * stands in for what accept would have found out.  0, -EUSERS when there are
 * too many (the socket is then closed after an error line), -ENOMEM.
 */
int server_adopt(struct server *s, int fd, enum authority authority);

/*
 * Lets go of clients that have hung up while we do not read from them: after
 * the end of their sending, or while one request waits for something and the
 * next has arrived.  No event tells of that.  Called every second while there
 * are such.
 */
void server_reap(struct server *s);

/* Keeps a descriptor for the next client, if there is none yet. */
void server_spare(struct server *s);

#endif
