/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on guests.  What changes them is for root and the daemon's own user:
 * a definition names files, which are opened with the daemon's rights.
 */
#include "ctl/call.h"
#include "ctl/guest/guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool may(struct call *c)
{
    c->what = "guest";
    if (!c->server->guests)
        call_fail(c, EOPNOTSUPP, "guest", "this daemon keeps no guests");
    else if (c->req.cmd->flags & CMD_CHANGE && !call_is_owner(c))
        call_fail(c, EPERM, "guest",
                  "%s: only root and the daemon's own user may do that",
                  c->req.cmd->name);
    else
        return true;
    return false;
}

/* NULL after an answer. */
static struct guest *named(struct call *c)
{
    const char *name = rpc_string(c->params, "name");
    struct guest *g;

    if (!may(c))
        return NULL;
    if (!name || !*name) {
        call_fail(c, EINVAL, "guest", "which guest?  Its name is empty");
        return NULL;
    }
    g = guest_find(c->server->guests, name);
    if (!g)
        call_fail(c, ENOENT, "guest",
                  "there is no guest %.40s: see bascule guest list", name);
    return g;
}

/* What was done, and a word about it for people; "": there is none. */
static void tell(struct call *c, const char *notice)
{
    call_ok(c, json_pack("{s:s,s:o}", "name", rpc_string(c->params, "name"),
                         "notice", text_value(notice)));
}

/* It may be defined before its bridges are. */
static void defined(void *arg, int rc, const struct err *e)
{
    struct call *c = arg;
    const struct guest *g =
        rc ? NULL
           : guest_find(c->server->guests, rpc_string(c->params, "name"));
    char missing[160] = "", notice[240] = "";

    if (!g) {
        call_done(c, rc, e);
        return;
    }
    if (guest_missing_bridges(g, missing, sizeof(missing)))
        snprintf(notice, sizeof(notice),
                 "is defined, and cannot start yet: there is no bridge %s",
                 missing);
    tell(c, notice);
}

void rpc_guest_define(struct call *c)
{
    struct guest_def *d;
    struct err e = {""};
    int rc;

    if (!may(c))
        return;
    rc = guest_def_read(&d, c->params, &e);
    if (rc)
        call_fail(c, rc, "guest", "%s", e.text);
    else
        guest_define(c->server->guests, d, defined, c);
}

void rpc_guest_undefine(struct call *c)
{
    struct guest *g = named(c);

    if (g)
        guest_undefine(g, call_done, c);
}

/* A word about how it runs goes along. */
static void started(void *arg, int rc, const struct err *e)
{
    struct call *c = arg;
    struct guest *g =
        rc ? NULL
           : guest_find(c->server->guests, rpc_string(c->params, "name"));

    if (!g)
        call_done(c, rc, e);
    else
        tell(c, guest_why(g));
}

void rpc_guest_start(struct call *c)
{
    struct guest *g = named(c);

    if (g)
        guest_start(g, started, c);
}

/* Seconds, as asked for or else 'usual'.  False after an answer. */
static bool patience(struct call *c, unsigned usual, unsigned *seconds)
{
    bool asked = json_object_get(c->params, "timeout") != NULL;
    uint64_t n = rpc_number(c->params, "timeout", usual);

    *seconds = (unsigned)n;
    if (!asked || (n > 0 && n <= GUEST_STOP_MAX))
        return true;
    call_bad_params(c, "%s: --timeout is 1 to %d seconds", c->req.cmd->name,
                    GUEST_STOP_MAX);
    return false;
}

/* How it went goes along. */
static void left(void *arg, int rc, const struct err *e)
{
    struct call *c = arg;

    if (rc)
        call_done(c, rc, e);
    else
        tell(c, e->text);
}

static void leave(struct call *c, struct guest *g)
{
    unsigned seconds;

    if (patience(c, guest_leave_seconds(g), &seconds))
        guest_leave(g, seconds, true, left, c);
}

void rpc_guest_stop(struct call *c)
{
    struct guest *g = named(c);
    unsigned seconds;

    if (g && rpc_bool(c->params, "kill", false))
        leave(c, g);
    else if (g && patience(c, guest_stop_seconds(g), &seconds))
        guest_stop(g, seconds, call_done, c);
}

void rpc_guest_restart(struct call *c)
{
    struct guest *g = named(c);
    unsigned seconds;

    if (g && patience(c, guest_stop_seconds(g), &seconds))
        guest_restart(g, seconds, started, c);
}

void rpc_guest_kill(struct call *c)
{
    struct guest *g = named(c);

    if (g)
        guest_kill(g, call_done, c);
}

void rpc_guest_link(struct call *c)
{
    struct guest *g = named(c);

    if (g)
        guest_link(g, rpc_bool(c->params, "up", true), call_done, c);
}

/* ---- showing ---- */

void rpc_guest_list(struct call *c)
{
    json_t *list = json_array();
    int rc = list ? 0 : -1;

    if (!may(c)) {
        json_decref(list);
        return;
    }
    for (struct guest *g = guest_next(c->server->guests, NULL); g && !rc;
         g = guest_next(c->server->guests, g))
        rc = json_array_append_new(list, guest_brief(g));
    if (rc) {
        json_decref(list);
        list = NULL;
    }
    call_ok(c, list);
}

static void shown(void *arg, json_t *o)
{
    struct call *c = arg;

    if (o || named(c)) /* else it has gone meanwhile */
        call_ok(c, o);
}

void rpc_guest_show(struct call *c)
{
    struct guest *g = named(c);

    if (g)
        guest_full(g, shown, c);
}
