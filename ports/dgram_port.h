/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a dgram port, shared by dgram.c (the peer) and dgram_io.c
 * (frames).  Nobody else includes this, but tests.
 *
 * The thread that owns queue 0 reads and decides whether the peer is there;
 * any forwarder writes.  What both touch is under the lock.
 *
 * UNIX sockets: the one that is bound receives and is not connected, or a
 * peer that was restarted could not send to us (EPERM) until we noticed.  A
 * second one, connected, sends: only that tells when a full queue has room.
 * UDP: one connected socket does both, and the kernel keeps strangers out.
 * Multicast: a second socket sends, so that its address tells our own
 * datagrams, which come back, from those of others on this host.
 */
#ifndef PORTS_DGRAM_PORT_H
#define PORTS_DGRAM_PORT_H

#include "ports/dgram.h"
#include "ports/sockaddr.h"

#include <ev.h>
#include <pthread.h>

#define DGRAM_BATCH 64
/* Octets that may wait for a peer whose queue is full: some 700 full-sized
 * frames, a few windows of TCP. */
#define DGRAM_QUEUE (1U << 20)

/* Frames that wait: each its length, then its octets. */
struct dgram_queue {
    struct arena memory;
    size_t head, tail;
};

struct dgram {
    struct port port;
    /* set by open */
    bool is_unix, is_group, learns;
    uint32_t buffer, ttl;
    struct sockaddr_one local;
    struct sockaddr_one own; /* group: what we send from */
    struct sockaddr_file file;
    int rx_fd; /* -1: not open; bound to 'local' */
    int tx_fd; /* for UDP the same */
    struct mac probe_mac;

    /* of the thread that owns the queue */
    struct port_queue *queue; /* NULL: not attached */
    ev_io readable, writable;
    ev_timer timer;  /* runs while the peer refuses */
    bool probing;    /* UDP: it was asked, and has not refused since */
    unsigned expect; /* datagrams to ask for */

    pthread_mutex_t lock;
    /* under the lock */
    struct ev_loop *loop; /* NULL: not attached */
    ev_async wake;
    int out_fd;                 /* what sends: tx_fd, if need be rx_fd */
    bool known;                 /* 'remote' is */
    struct sockaddr_one remote; /* changed by the owner only */
    bool up;                    /* frames may be sent */
    int error;  /* what sending met: the owner will say and go down */
    bool asked; /* the owner has been asked to look */
    struct dgram_queue out;
    uint64_t dropped; /* of 'out', since the peer was gone */

    pthread_mutex_t words_lock;
    char peer[SOCKADDR_TEXT]; /* learned, or "" */
    char last[64];            /* why the link is down */
};

static inline struct dgram *dgram_of(const struct port *p)
{
    return (struct dgram *)(uintptr_t)p; /* port is the first member */
}

/*
 * Connects what sends to the peer.  0 or -errno.  With the lock held, any
 * thread.
 */
int dgram_connect(struct dgram *d);

/* Of the thread that owns the queue, without the lock. */
/* Nobody is there. */
void dgram_refused(struct dgram *d, int error);
/* A datagram came from 'from' (len 0: it did not say).  May it be taken? */
bool dgram_heard(struct dgram *d, const struct sockaddr_one *from);

/* Port operations. */
int dgram_rx(struct port *p, unsigned queue, struct batch *b, unsigned budget);
void dgram_tx(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
              struct tx_result *r);

/* Sends what waits, with the lock held.  True if nothing waits any more. */
bool dgram_flush(struct dgram *d);
/* Forgets what waits, with the lock held. */
void dgram_drop_queue(struct dgram *d);

#endif
