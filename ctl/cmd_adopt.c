/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over bridges of the kernel's.
 */
#include "ctl/adopt/adopt.h"
#include "ctl/apply/apply.h"
#include "ctl/call.h"

#include <errno.h>

/* The bridge, and what came in with it. */
static json_t *outcome(struct sw *sw, const char *name)
{
    struct bridge *b = bridge_find(sw, name);
    json_t *members = json_array();
    int rc = 0;

    for (struct bport *p = b ? bport_next(b, NULL) : NULL; p;
         p = bport_next(b, p))
        rc |= json_array_append_new(members, json_string(bport_spec(p)->name));
    if (rc == 0)
        return json_pack("{s:s,s:o}", "bridge", name, "members", members);
    json_decref(members);
    return NULL;
}

static void adopted(void *arg, int rc, const struct err *e)
{
    struct call *c = arg;

    if (rc)
        call_done(c, rc, e);
    else
        call_ok(c, outcome(c->server->sw, rpc_string(c->params, "bridge")));
}

void rpc_adopt(struct call *c)
{
    const char *name = rpc_string(c->params, "bridge");
    struct adopt *a = c->server->adopt;
    int netns_fd;

    c->what = "bridge";
    if (rpc_bool(c->params, "undo", false)) {
        apply_unadopt(c->server->apply, name, call_done, c);
        return;
    }
    if (call_netns(c, &netns_fd) == 0)
        adopt_begin(a, name, netns_fd, rpc_bool(c->params, "disable", false),
                    adopted, c);
}
