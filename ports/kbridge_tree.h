/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What kbridge.c needs of kbridge_tree.c.
 */
#ifndef PORTS_KBRIDGE_TREE_H
#define PORTS_KBRIDGE_TREE_H

#include "ports/kbridge.h"

/*
 * The times that the bridge was given.  rtnetlink tells those in force, which
 * are the root's.
 */
void kbridge_own_times(struct kbridge *k, const char *name);

#endif
