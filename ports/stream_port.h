/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a stream port, shared by stream.c (its peer's coming and
 * going) and stream_io.c (frames).  Nobody else includes this, but tests.
 *
 * The thread that owns queue 0 makes and ends connections and reads; any
 * forwarder writes.  What both touch is under the lock.
 */
#ifndef PORTS_STREAM_PORT_H
#define PORTS_STREAM_PORT_H

#include "ports/sockaddr.h"
#include "ports/stream.h"

#include <ev.h>
#include <pthread.h>

/* Octets of the length in front of a frame. */
#define STREAM_HEAD 4
/* The longest frame QEMU would send (its NET_BUFSIZE); longer ones are no
 * frames, and what follows them cannot be found. */
#define STREAM_WIRE_MAX 69632
/* Received octets: a few hundred frames by one system call. */
#define STREAM_READ_MAX (256U << 10)
#define STREAM_INPUT    (2 * STREAM_READ_MAX)
/* With less room than this a read waits for the next turn; it is more than a
 * frame, which is therefore always completed. */
#define STREAM_READ_MIN (96U << 10)
_Static_assert(STREAM_READ_MIN > STREAM_HEAD + STREAM_WIRE_MAX &&
                   STREAM_INPUT > 2 * STREAM_READ_MIN,
               "a frame fits behind a part of another");

struct stream {
    struct port port;
    /* set by open */
    struct sockaddrs addr;
    bool listens, is_tcp;
    uint32_t reconnect; /* seconds; 0: not given */
    uint32_t buffer;    /* octets; 0: not given */
    int listen_fd;      /* -1: none */
    struct sockaddr_file file;

    /* of the thread that owns the queue */
    struct port_queue *queue; /* NULL: not attached */
    ev_io accept;
    ev_io readable, writable; /* of 'fd' */
    ev_timer timer; /* the next attempt, or the end of patience with this */
    ev_timer look;  /* whether who is sent frames is still there */
    bool connecting;
    unsigned next_addr; /* of addr.at, to try next */
    unsigned failures;  /* attempts since a connection that lasted */
    uint64_t since;     /* when it was connected */

    /*
     * Received octets are input[head .. tail).  Frames point into it, so
     * that what has been given out in this turn stays where it is.
     */
    struct arena input;
    size_t head, tail;
    uint64_t given; /* the turn in which frames were last given out */

    /* A connection may also wait in the queue of one who serves another. */
    _Atomic bool heard;

    pthread_mutex_t lock;
    /* under the lock */
    struct ev_loop *loop; /* NULL: not attached */
    ev_async wake;
    int fd;       /* -1: none; changed by the queue's owner only */
    bool up;      /* frames may be written */
    int error;    /* what writing met: the owner will say and disconnect */
    bool asked;   /* the owner has been asked to write the rest */
    bool watched; /* TCP: ... or to look whether frames arrive */
    size_t rest;  /* octets of a frame that wait to be written ... */
    size_t rest_at;
    uint8_t *out; /* ... from here on: room for one */

    /* for describe; under 'words_lock' */
    pthread_mutex_t words_lock;
    char peer[64]; /* who is connected, or "" */
    char last[80]; /* why nobody is */
    uint32_t turned_away;
};

static inline struct stream *stream_of(const struct port *p)
{
    return (struct stream *)(uintptr_t)p; /* port is the first member */
}

/*
 * Ends the connection and goes on waiting or trying.  Thread that owns the
 * queue; not with the lock held.
 */
void stream_disconnect(struct stream *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* 'fd', taken over, is the connection now.  Thread that owns the queue. */
void stream_connected(struct stream *s, int fd);

/* Port operations. */
int stream_rx(struct port *p, unsigned queue, struct batch *b, unsigned budget);
void stream_tx(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
               struct tx_result *r);

/*
 * Writes what waits, with the lock held.  True if nothing waits any more.
 * Errors are left in s->error.
 */
bool stream_flush(struct stream *s);

#endif
