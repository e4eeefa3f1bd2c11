/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of a device that a file writes down beside its being a port: MAC,
 * MTU, Wake-on-LAN; and that it is up.
 *
 * Threads: task thread; each call asks the kernel only.
 */
#ifndef CTL_APPLY_MEMBER_H
#define CTL_APPLY_MEMBER_H

#include "ctl/apply/owned.h"

/*
 * How it stands.  0 or -errno with a sentence; -ENODEV: there is none.  'as':
 * the port it is to become, which it may not be fit for; NULL: none.
 */
int member_get(int netns_fd, const char *device, const struct port_spec *as,
               struct member *m, struct err *e);

/*
 * Makes what 'm' says so (MAC and MTU only if given; up only if m->up).  0, or
 * -errno with a sentence and what was done taken back.
 */
int member_set(int netns_fd, const char *device, const struct member *m,
               struct err *e);

/* As it was found: of what 'said' says; up or down.  A device that is gone is
 * fine. */
void member_restore(int netns_fd, const char *device,
                    const struct member *before, const struct member *said);

#endif
