/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port contract: what a kind of port (tap, packet, mem, ...) must do, who
 * calls it, and who owns what.
 *
 * A kind embeds struct port in its own struct and is reached by container_of.
 * It exports one struct port_kind.  Life of a port:
 *
 *   port_new      control   memory and names only, nothing opened
 *   open          job       may block; device opened, taken over
 *   attach        worker    one call per queue; watchers started
 *     rx tx kick  worker    (and the control thread: queue PORT_QUEUE_PROTO,
 *                            tx context 0)
 *   detach        worker    one call per queue
 *   close         job       after a grace period in which no view has it
 *   port_free     control
 *
 * A port whose device fails stays: it reports FAILED, is detached and closed,
 * and is opened again when the device is back (READY).
 *
 * A bad peer or device costs its port, never the process.
 */
#ifndef PORTS_PORT_H
#define PORTS_PORT_H

#include "base/err.h"
#include "base/mac.h"
#include "ports/frame.h"
#include "ports/port_reason.h"
#include "ports/spec.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct port;
struct port_kind;

#define PORT_QUEUES_MAX 8
/* The queue of protocol frames (01:80:c2:00:00:0X), read by the control
 * thread.  Exists where caps.proto_queue is set. */
#define PORT_QUEUE_PROTO PORT_QUEUES_MAX
#define PORT_TXCTX_MAX   9 /* control thread (0) and up to eight workers */

/*
 * What a port can take and how it stands.  A value: copied into the view.
 * The kind changes its own copy on the job or control thread only and then
 * reports PORT_EVENT_CAPS.
 */
struct port_caps {
    bool vnet;    /* tx takes a virtio-net header; else frames must be
                     complete and cut */
    bool tx_csum; /* ... with CSUM_PARTIAL */
    bool tx_tso4; /* ... with GSO_TCPV4 (ECN included) */
    bool tx_tso6;
    bool tx_uso;      /* ... with GSO_UDP_L4 */
    bool proto_queue; /* PORT_QUEUE_PROTO exists; rx never sees 01:80:c2:00:
                         00:0X on other queues */
    bool serial;      /* tx contexts share one lock inside the kind */
    bool edge;        /* a host or guest is expected behind it (STP edge) */
    bool shared;      /* more than one station may be on it: half duplex, a
                         multicast group (802.1D-2004, 6.4.3) */
    bool link;        /* carrier and administratively up */
    uint32_t mtu;     /* payload octets behind the Ethernet header, tag not
                         counted; a frame of mtu + 14 + 4 * tags passes */
    bool any_mtu;     /* mtu is merely what fits: the bridge's interface is
                         not to follow it */
    uint32_t speed;   /* Mb/s, 0 if unknown; the switch reads it again after
                         the link came up (switch/speed.c) */
    struct mac mac;   /* the device's own address; zero if it has none */
};

/*
 * Counters that only the kind (or the kernel) knows, running totals since
 * open was last called, whether it succeeded or not; see describe.
 */
struct port_losses {
    uint64_t n[PORT_REASON_COUNT];
};

/* What 'port show' prints of a port's device. */
struct port_desc {
    char device[64];              /* "veth0 in namespace lab", a path, ... */
    char detail[PORT_DETAIL_MAX]; /* kind's own words: "tcx, 8 MB socket buffer"
                                   */
    int ifindex;                  /* 0 if it is no netdev */
    struct port_losses losses;
};

/* How tx went.  The caller zeroes it; the kind adds. */
struct tx_result {
    uint32_t sent;  /* frames handed over, super-frames counted once */
    uint64_t bytes; /* their octets */
    uint32_t refused[PORT_REASON_COUNT];
    bool failed; /* the port has failed; reported by port_event too */
};

enum port_event {
    PORT_EVENT_UP,     /* link came up */
    PORT_EVENT_DOWN,   /* link went down; the port stays open */
    PORT_EVENT_CAPS,   /* caps changed: MTU, MAC, speed, offloads */
    PORT_EVENT_FAILED, /* device or peer gone: close me, keep me */
    PORT_EVENT_READY,  /* device is back: open me again */
    PORT_EVENT_AWAY,   /* device is not where it was: find out where it is
                          (tap only; see ports/tap.h) */
};

/*
 * One ingress queue, as the forwarder that owns it sees it.  The kind's
 * watcher calls ready() on the owning thread when rx may succeed.
 */
struct port_queue {
    struct port *port;
    unsigned index; /* 0 .. n_queues - 1, or PORT_QUEUE_PROTO */
    void (*ready)(struct port_queue *q);
};

/*
 * A change of the netdev a port stands on, as rtnetlink tells it.  Delivered
 * on the control thread by the netlink watch (ports/netwatch.h).
 */
struct link_change {
    uint64_t netns; /* inode number of the namespace it is seen in */
    int ifindex;
    const char *ifname;
    bool gone;    /* RTM_DELLINK */
    bool moved;   /* ... because it moved to another namespace */
    bool up;      /* IFF_UP */
    bool carrier; /* IFF_RUNNING / operstate up or unknown */
    uint32_t mtu;
    struct mac mac;
    int master; /* ifindex of its master, 0 if none */
};

/* Nine operations.  NULL where "optional" says so. */
struct port_ops {
    /*
     * Job thread; may block.  Opens what spec names and fills caps and
     * n_queues.  0, or -errno with a sentence in 'e' and nothing left open,
     * nothing changed.  Called again after a failure.
     */
    int (*open)(struct port *p, struct err *e);

    /*
     * The thread that owns 'q' (worker; control thread for PORT_QUEUE_PROTO),
     * at most once per open and queue.  Starts watchers on 'loop'.  'q' stays
     * the caller's and valid until detach.  0 or -errno.
     */
    int (*attach)(struct port *p, struct port_queue *q, struct ev_loop *loop);

    /*
     * Same thread as attach; idempotent; after it ready() is not called.
     */
    void (*detach)(struct port *p, struct port_queue *q, struct ev_loop *loop);

    /*
     * Thread that owns the queue; never blocks.  Appends at most 'budget'
     * frames to 'b'.  Returns how many; fewer than 'budget' means the queue
     * is empty for now (the watcher will tell); <0: the port has failed
     * (reported by port_event too).  Frames and their memory are valid until
     * the turn ends.  Refused frames are counted in b->lost.
     */
    int (*rx)(struct port *p, unsigned queue, struct batch *b, unsigned budget);

    /*
     * Any forwarder, 'ctx' its own number; never blocks.  Takes all n frames:
     * sent or refused with a reason in *r.  The frames are already fit for
     * caps (offload.c); their memory stays the caller's, unchanged, and may
     * be reused when tx returns.  Order is kept.
     */
    void (*tx)(struct port *p, unsigned ctx, struct frame *const *f, unsigned n,
               struct tx_result *r);

    /* Optional; after the last tx of a turn, same thread: ring the doorbell. */
    void (*kick)(struct port *p, unsigned ctx);

    /*
     * Job thread; may block.  No queue is attached and no forwarder holds the
     * port.  Restores what open changed.  Idempotent.
     */
    void (*close)(struct port *p);

    /*
     * Optional; control thread, quick.  The netdev in the namespace and with
     * the name or ifindex this port stands on changed; also called for a
     * failed port when such a device appears.  The kind updates caps and
     * calls port_event.
     */
    void (*link)(struct port *p, const struct link_change *c);

    /*
     * Optional; any thread, on a port that was never opened.  Do the values of
     * its keys make sense?  Touches nothing outside.  0, or -errno with the
     * sentence that open would say.
     */
    int (*check)(struct port *p, struct err *e);

    /* Optional; control thread, quick, also between close and open. */
    void (*describe)(struct port *p, struct port_desc *d);
};

struct port_kind {
    const char *name;        /* "tap" */
    const char *help;        /* one line for usage and manual */
    const char *const *keys; /* the kind's own keys, NULL-terminated */
    const struct port_ops *ops;
    bool netdev; /* spec.target is an interface name */
    bool file;   /* ... or a path; spec.file_fd counts */
    bool peer;   /* the link is port.peer, not caps.link */
    /* Zeroed memory of the kind's struct, its struct port first member to be
     * filled by port_new; NULL for -ENOMEM. */
    struct port *(*alloc)(void);
    void (*free)(struct port *p);
};

struct port {
    const struct port_kind *kind;
    const struct port_ops *ops;
    struct port_spec spec; /* private copy; its descriptors are dups, owned */
    /* The namespace (inode) a netdev that may move is in now, as far as is
     * known; 0: does not move.  Set by open, then control thread. */
    uint64_t netns;
    struct port_caps caps;
    unsigned n_queues;   /* set by open: 1 .. PORT_QUEUES_MAX */
    unsigned n_txctx;    /* set by the switch before open */
    _Atomic bool failed; /* set with PORT_EVENT_FAILED, cleared by open */
    /* Set by the switch while frames that come in by this port go on; a kind
     * that makes its own frames need not begin before. */
    _Atomic bool forwarding;
    /*
     * For kinds whose link is a peer that comes and goes (kind->peer): is it
     * there?  Any thread, before it reports UP or DOWN; stands for caps.link.
     */
    _Atomic bool peer;
    /*
     * The one upcall: any thread, never blocks, 'reason' is copied.  Set by
     * the switch before open.  Call it through port_event().
     */
    void (*event)(struct port *p, enum port_event ev, const char *reason);
    void *owner; /* the switch's; kinds do not touch it */
};

/* All kinds, ending with NULL. */
extern const struct port_kind *const port_kinds[];
const struct port_kind *port_kind_find(const char *name);

/*
 * Can there be such a port?  Kind known, keys known, name fit, values as far as
 * they can be judged without opening anything.  Any thread; may take as long as
 * libpcap needs for a filter.  0 or -errno with a sentence.
 */
int port_check(const struct port_spec *spec, struct err *e);

/*
 * Makes a port for 'spec' (copied, descriptors duplicated): kind known, keys
 * known.  Control thread.  NULL with *rc = -errno and a sentence.
 */
struct port *port_new(const struct port_spec *spec, int *rc, struct err *e);
/* Control thread, after close.  NULL is fine. */
void port_free(struct port *p);

/* The port's capabilities with its link as it is now.  Control thread. */
struct port_caps port_caps_now(const struct port *p);

/*
 * Reports an event.  FAILED sets p->failed and is passed on once per open.
 */
void port_event(struct port *p, enum port_event ev, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
