/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over a netdev that others made, following it, and giving it back as
 * it was: what the kinds that stand on an existing interface share.
 *
 * Threads: job thread inside the device's namespace, except where said.
 */
#ifndef PORTS_TAKEOVER_H
#define PORTS_TAKEOVER_H

#include "ports/ingress.h"
#include "ports/kbridge.h"
#include "ports/netdev.h"
#include "ports/port.h"
#include "ports/settings.h"

#include <net/if.h>

/* The zeroed struct, with takeover_init, holds nothing. */
struct takeover {
    _Atomic int ifindex; /* 0: not taken */
    uint64_t netns;
    char ifname[IFNAMSIZ];
    struct ingress ingress;
    struct settings saved;       /* what was changed on the device */
    struct kbridge_saved bridge; /* ... and in the kernel's bridge */
    bool guarded;
};

void takeover_init(struct takeover *t);

/* How a device is taken. */
struct takeover_how {
    bool block; /* keep the host's stack off, and its settings out of the way */
    bool gro;   /* super-frames are welcome: GRO on; else it stays as it is */
    const char *adopt; /* the kernel's bridge that it stays a port of, with
                          block; frames sent need EGRESS_MARK; or NULL */
};

/*
 * Finds the device that the spec names, refuses what cannot be a port, locks
 * it and blocks its ingress.  0, or -errno with a sentence and nothing held.
 * Settings wait for takeover_settings: a kind that fails in between has
 * changed nothing.
 */
int takeover_take(struct takeover *t, const struct port_spec *spec,
                  const struct takeover_how *how, struct netdev *d,
                  struct err *e);
int takeover_settings(struct takeover *t, const struct netdev *d,
                      const struct takeover_how *how, struct err *e);

/* Undoes both; idempotent. */
void takeover_give_back(struct takeover *t);

/* As give_back, from outside the namespace, which it enters if it can. */
void takeover_end(struct takeover *t, const struct port_spec *spec);

/* The part of caps that every netdev has: edge, link, mtu, speed, mac. */
void takeover_caps(struct takeover *t, const struct netdev *d,
                   struct port_caps *caps);

/* "interface eth1"; ifindex too.  Control thread. */
void takeover_describe(const struct takeover *t, const struct port *p,
                       struct port_desc *d);

/* Why the kernel refused a frame sent to it by a packet socket. */
enum port_reason takeover_refusal(int err);

/* Reports that the device has gone.  Any thread.  -ENODEV. */
int takeover_gone(struct port *p);

/* The kind's link operation.  Control thread. */
void takeover_link(struct takeover *t, struct port *p,
                   const struct link_change *c);

#endif
