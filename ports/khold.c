/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/khold.h"

#include "ports/guard.h"
#include "ports/netwatch.h"

#include <errno.h>

int khold_take(struct khold *h, int bridge, const char *name, int netns_fd,
               struct err *e)
{
    int rc = ingress_lock(&h->lock, bridge, name, e);

    if (rc == -EBUSY)
        return err_set(e, EBUSY,
                       "%s is being adopted or given back by another basculed: "
                       "try again",
                       name);
    if (rc)
        return rc;
    h->bridge = bridge;
    h->netns = netns_id(netns_fd);
    return 0;
}

int khold_tree(struct khold *h, struct err *e)
{
    int rc =
        h->tree ? 0 : guard_add_tree(h->netns, h->bridge, h->lock.lock_fd, e);

    h->tree = rc == 0;
    return rc;
}

int khold_tree_back(struct khold *h)
{
    int rc = kbridge_tree_back(h->bridge);

    guard_remove(h->netns, h->bridge);
    h->tree = false;
    return rc;
}

void khold_release(struct khold *h)
{
    ingress_release(&h->lock);
    *h = KHOLD_NONE;
}
