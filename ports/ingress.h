/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping the host's own stack off a netdev that a port has taken over.
 *
 * A two-instruction BPF program at tc ingress drops every frame.  Packet
 * sockets have seen it by then, so the switch gets all and IP, ARP and the
 * rest of the host nothing, without any address being touched.  Where the
 * kernel has tcx (6.6) and lets us load the program, it hangs on a link that
 * dies with its descriptor.  Else, on an older kernel or in a user's own
 * namespaces (unshare -Urn), it is a classic one in a cls_bpf filter on the
 * clsact qdisc, beside the filters of others.
 *
 * A device that stays a port of the kernel's bridge is shut at egress as well:
 * a second program lets out what carries our mark and drops the rest, which is
 * what that bridge would send.
 *
 * A lock per (namespace, ifindex), an abstract UNIX socket bound inside the
 * device's namespace, tells other daemons that the device is taken.
 *
 * Threads: job thread, inside the device's network namespace.
 */
#ifndef PORTS_INGRESS_H
#define PORTS_INGRESS_H

#include "base/err.h"

#include <stdbool.h>

struct ingress {
    int ifindex;
    int lock_fd;    /* -1: not taken */
    int link_fd;    /* tcx; -1: none */
    int out_fd;     /* the same at egress */
    int gate_fd;    /* opens both, see ingress_open_gate; not ours to close */
    bool filter;    /* cls_bpf instead, at one of them at least */
    bool made_hook; /* the clsact qdisc is ours */
};

/* A struct ingress that holds nothing. */
#define INGRESS_NONE                                                           \
    ((struct ingress){                                                         \
        .lock_fd = -1, .link_fd = -1, .out_fd = -1, .gate_fd = -1})

/* The mark (SO_MARK) of frames that may leave by a shut device.  Below 2^31,
 * as a BPF instruction extends its sign. */
#define EGRESS_MARK 0x5bba5c1e

/*
 * Takes the device and blocks its ingress.  0, or -errno with a sentence and
 * nothing held; -EBUSY: another daemon has it.  Filters of ours that are there,
 * of a daemon that was killed with its guard, go.  'mortal': where the kernel
 * has tcx what blocks dies with our process, however many devices come at once.
 * BASCULE_NO_TCX in the environment leaves tcx unused (tests of the way for
 * older kernels).
 */
int ingress_take(struct ingress *g, int ifindex, const char *name, bool mortal,
                 struct err *e);

/* Only the lock, and such filters: the host's stack goes on seeing what the
 * device receives. */
int ingress_lock(struct ingress *g, int ifindex, const char *name,
                 struct err *e);

/* After ingress_take: nothing leaves but what has EGRESS_MARK.  0 or -errno
 * with a sentence; ingress_release undoes it. */
int ingress_shut_egress(struct ingress *g, struct err *e);

/* Undoes all of it; idempotent.  The device may be gone. */
void ingress_release(struct ingress *g);

/* Lets all devices that share the gate receive and send as if there was no
 * program on them.  For the one who cleans up after a crash. */
void ingress_open_gate(int fd);

/* "tcx", "clsact" or "none" */
const char *ingress_how(const struct ingress *g);

/*
 * Removes filters of ours that outlived their daemon, and the qdisc if
 * nothing else is on it.  For the one who cleans up after a crash.
 */
void ingress_remove_filter(int ifindex, bool made_hook);

#endif
