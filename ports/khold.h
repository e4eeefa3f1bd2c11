/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge of the kernel's that is ours meanwhile: nobody else adopts it, and
 * its spanning tree, which is switched off for ours, is switched on again
 * whatever becomes of us.
 *
 * Threads: job thread, inside the bridge's network namespace, except where
 * said.
 */
#ifndef PORTS_KHOLD_H
#define PORTS_KHOLD_H

#include "ports/ingress.h"

#include <stdbool.h>
#include <stdint.h>

struct khold {
    struct ingress lock;
    uint64_t netns;
    int bridge; /* ifindex; 0: none is held */
    bool tree;  /* the guard knows of its spanning tree */
};

#define KHOLD_NONE ((struct khold){.lock = INGRESS_NONE})

/* 'netns_fd' as in a port's specification.  0, or -errno with a sentence;
 * -EBUSY: another daemon has it, or its guard has not put it back yet. */
int khold_take(struct khold *h, int bridge, const char *name, int netns_fd,
               struct err *e);
/* Its spanning tree is on, and will be off.  The same; idempotent. */
int khold_tree(struct khold *h, struct err *e);
/* The tree is on again (see kbridge_tree_back), and nobody's business.  0 or
 * -errno. */
int khold_tree_back(struct khold *h);
/* Any thread and namespace; idempotent. */
void khold_release(struct khold *h);

#endif
