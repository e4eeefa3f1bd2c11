/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking for all links of a namespace by the socket that also hears of changes;
 * for netwatch.c.
 *
 * The kernel answers while it is asked and while the answer is read, and waits
 * for its lock of all interfaces before each piece.  So a thread asks, which
 * has the socket until the answer is complete and keeps all that it reads
 * there, so that answer and changes stay in order.
 *
 * Threads: control thread.
 */
#ifndef PORTS_INQUIRY_H
#define PORTS_INQUIRY_H

#include <ev.h>
#include <linux/netlink.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mnl_socket;
struct inquiry;

/* Our own namespace needs no number. */
#define NSID_HOME (-1)

struct question {
    struct mnl_socket *nl; /* nonblocking; the thread's until it is answered */
    int nsid;              /* of the namespace, or NSID_HOME */
    uint32_t seq;
    struct ev_loop *loop; /* 'wake' is sent when it is answered */
    ev_async *wake;
};

/* What the socket said.  Without octets: that messages were lost. */
struct heard {
    struct heard *next;
    int nsid;
    size_t len;
    alignas(struct nlmsghdr) char octets[];
};

/* NULL: no memory or no thread; the socket stays the caller's. */
struct inquiry *inquiry_start(const struct question *k);
bool inquiry_answered(struct inquiry *q);
/* Of one that is answered; frees it.  Its list, for the caller to free; not
 * complete: it could not be asked, or not all of the answer be kept. */
struct heard *inquiry_take(struct inquiry *q, bool *complete);
/* Never waits.  False: the thread still has the socket, and closes it. */
bool inquiry_abandon(struct inquiry *q);

void heard_free(struct heard *h);

/*
 * Reads one message, of at most MESSAGE_MAX octets; as recv.  'nsid': where it
 * happened, as the kernel says of other namespaces.  Any thread that has the
 * socket.
 */
#define MESSAGE_MAX 32768
ssize_t inquiry_receive(struct mnl_socket *nl, char *buf, int *nsid);

#endif
