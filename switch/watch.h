/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching for the IP addresses of hosts behind a port, as part of a turn.
 *
 * Of a port that watches, frames that can name an address are parsed.  The
 * answers of DHCP come from where the server is, so they are looked for on the
 * other ports of such a bridge; the control thread finds the port of the host
 * they are for.
 *
 * Threads: a forwarder, online.
 */
#ifndef SWITCH_WATCH_H
#define SWITCH_WATCH_H

#include "switch/turn.h"

/* Frames first .. first + n - 1 of one queue, behind pipeline_ingress; their
 * fates are at f->fate. */
void watch_frames(struct forwarder *f, struct ingress *in,
                  const struct scene *s, unsigned first, unsigned n);

#endif
