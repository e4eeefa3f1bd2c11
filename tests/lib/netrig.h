/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports on real devices, for unit tests: network namespaces without names
 * (they vanish with the test, however it ends), and a port with its loop,
 * its events and a memory to receive into.
 *
 * Frames that tests send have the type TEST_TYPE, possibly behind tags;
 * everything else that a device may say by itself is passed over.
 */
#ifndef TESTS_LIB_NETRIG_H
#define TESTS_LIB_NETRIG_H

#include "ports/netwatch.h"
#include "ports/port.h"

#include <ev.h>

#define TEST_TYPE   0x88b5 /* for local experiments */
#define NETRIG_WAIT 10.0   /* seconds until a condition counts as missed */
#define NETRIG_MAX  128

/*
 * Ends the program with 77 and a sentence unless it runs as root and can
 * make network namespaces; else puts it into one of its own.
 */
void netrig_start(void);

/* A new, empty namespace with lo up and IPv6 off: its descriptor. */
int netrig_ns(void);

/* Runs a shell command in the namespace 'ns' (-1: ours); its exit code. */
int netrig_run(int ns, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As netrig_run, and fails the test unless it succeeds. */
void netrig_do(int ns, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Does 10.77.0.1 answer a ping from the namespace 'ns'?  Patient when an
 * answer 'must' come: the machine may be busy.
 */
bool netrig_pings(int ns, bool must);
/* Path by which `ip link set X netns PATH` names the namespace. */
const char *netrig_path(int ns);

/* How many descriptors we have open. */
unsigned netrig_fds(void);

struct netrig {
    struct port *port;
    struct ev_loop *loop;
    struct port_queue q[PORT_QUEUES_MAX + 1];
    bool attached;
    unsigned ready;
    unsigned events[PORT_EVENT_AWAY + 1];
    char last[160]; /* reason of the last event */
    struct netwatch *watch;
    struct netwatch_ns *watched; /* a tap: where it is ... */
    uint64_t netns;              /* ... and which that is */
    struct arena arena;
    struct frame frame[NETRIG_MAX];
    struct batch b;
};

/* Makes the port; 0 or what port_new or open said.  The spec's device is in
 * 'ns'. */
int netrig_try(struct netrig *r, const char *spec, int ns, struct err *e);
/* ... which must succeed. */
void netrig_open(struct netrig *r, const char *spec, int ns);
/* Opens again what was closed with netrig_shut. */
int netrig_reopen(struct netrig *r, struct err *e);
void netrig_shut(struct netrig *r);
/* Idempotent. */
void netrig_close(struct netrig *r);

/* Links changes of the port's namespace to the port. */
void netrig_watch(struct netrig *r);
/* Runs the loop until events[ev] is n or more; false: it did not come. */
bool netrig_event(struct netrig *r, enum port_event ev, unsigned n);

/* Sends octets through the port. */
struct tx_result netrig_send(struct netrig *r, const void *octets, size_t n,
                             const struct virtio_net_hdr *vnet);
/*
 * Receives the next test frame from 'queue' and copies it out.  Its length,
 * or -1 after 'seconds'.
 */
int netrig_recv(struct netrig *r, unsigned queue, void *out, size_t size,
                double seconds);

/*
 * A tap that the test holds as a VM would: what is written to it the netdev
 * receives.  No header, no tags taken off.
 */
int netrig_vm(int ns, const char *name);
/* As netrig_recv, from such a descriptor. */
int netrig_vm_recv(int fd, void *out, size_t size, double seconds);

/* A frame of n octets: broadcast, or to 'dst'; tags as given. */
size_t netrig_frame(uint8_t *out, size_t n, const char *dst,
                    const uint32_t *tags, unsigned n_tags);

#endif
