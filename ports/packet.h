/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet:IF, inside: what packet.c (life of the port) and packet_io.c (frames)
 * share.  Nobody else includes this but the table of kinds.
 */
#ifndef PORTS_PACKET_H
#define PORTS_PACKET_H

#include "ports/port.h"
#include "ports/takeover.h"

#include <ev.h>
#include <pthread.h>

#define PACKET_BATCH_MAX 64

/* One receiving socket: of data, or of protocol frames. */
struct packet_queue {
    int fd;          /* -1: not open */
    unsigned expect; /* frames to ask for next; see packet_io.c */
    ev_io readable;
    struct port_queue *queue; /* NULL: not attached */
};

struct packet {
    struct port port;
    unsigned batch;    /* frames per system call */
    bool bypass;       /* transmit past the qdisc */
    const char *adopt; /* the kernel's bridge it stays a port of, or NULL */
    struct packet_queue data, proto;
    int tx_fd[PORT_TXCTX_MAX]; /* -1: none */

    struct takeover dev;
    unsigned rcvbuf; /* octets the kernel granted */

    pthread_mutex_t stat_lock; /* fds while statistics are read; lost */
    uint64_t lost;             /* frames the sockets had no room for */
};

static inline struct packet *packet_of(struct port *p)
{
    return (struct packet *)((char *)p - offsetof(struct packet, port));
}

/* Sockets; job thread, inside the device's namespace.  0 or -errno. */
int packet_open_rx(struct packet *k, int ifindex, bool proto, struct err *e);
int packet_open_tx(struct packet *k, int ifindex, struct err *e);
void packet_close_sockets(struct packet *k);
/* Adds what the kernel lost since last asked to k->lost. */
void packet_read_losses(struct packet *k);

/* Operations of the port contract. */
int packet_rx(struct port *p, unsigned queue, struct batch *b, unsigned budget);
void packet_tx(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
               struct tx_result *r);
/* Reports that the device has gone.  -ENODEV. */
int packet_gone(struct packet *k);

extern const struct port_kind port_kind_packet;

#endif
