/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over bridges of the kernel's.
 */
#include "ctl/adopt/adopt.h"
#include "ctl/call.h"

#include <errno.h>

void rpc_adopt(struct call *c)
{
    const char *name = rpc_string(c->params, "bridge");
    struct adopt *a = c->server->adopt;
    int netns_fd;

    c->what = "bridge";
    if (rpc_bool(c->params, "undo", false)) {
        adopt_undo(a, name, call_done, c);
        return;
    }
    if (call_netns(c, &netns_fd) == 0)
        adopt_begin(a, name, netns_fd, rpc_bool(c->params, "disable", false),
                    call_done, c);
}
