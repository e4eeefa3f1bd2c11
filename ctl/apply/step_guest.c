/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on guests, forth and back.  A step finds its guest by name each time.
 */
#include "ctl/apply/step_impl.h"

#include "base/log.h"
#include "ctl/guest/guest.h"

#include <errno.h>

static struct guest *guest_of(const struct step *s)
{
    struct guests *all = s->op->a->guests;

    return all ? guest_find(all, s->port) : NULL;
}

/* To be taken back.  NULL: it went, and perhaps one was made by hand since. */
static struct guest *files_guest(const struct step *s)
{
    struct guest *g = guest_of(s);

    return g && guest_def(g)->from_file ? g : NULL;
}

static void gone(struct step *s)
{
    struct err e;

    step_done(s, err_set(&e, ENOENT, "guest %s is no more", s->port), &e);
}

/* When the daemon begins, a guest that cannot run is no reason not to. */
static void done_or_said(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;

    if (rc && s->op->req && s->op->req->may_wait && !s->op->back) {
        log_warn("%s", e->text);
        step_done_at_once(s);
        return;
    }
    step_done(s, rc, e);
}

static void define_as(struct step *s, const char *text, bool from_file)
{
    struct guests *all = s->op->a->guests;
    struct guest_def *d = NULL;
    struct err e = {""};
    json_t *o = json_loads(text, 0, NULL);
    int rc = o ? guest_def_read(&d, o, &e)
               : err_set(&e, ENOMEM, "no memory for guest %s", s->port);

    json_decref(o);
    if (rc) {
        step_done(s, rc, &e);
        return;
    }
    d->from_file = from_file;
    guest_define(all, d, done_or_said, s);
}

static void define(struct step *s)
{
    define_as(s, s->guest->def, true);
}

static void define_back(struct step *s)
{
    struct guest *g = files_guest(s);

    if (g)
        guest_undefine(g, step_done, s);
    else
        step_done_at_once(s);
}

static void undefine(struct step *s)
{
    struct guest *g = guest_of(s);
    json_t *o = g ? guest_def_write(guest_def(g)) : NULL;

    s->saved_guest = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (g && s->saved_guest)
        guest_undefine(g, step_done, s);
    else
        gone(s);
}

static void undefine_back(struct step *s)
{
    define_as(s, s->saved_guest, true);
}

static void start(struct step *s)
{
    struct guest *g = guest_of(s);

    s->was_owned = g && guest_def(g)->from_file;
    if (g)
        guest_start(g, done_or_said, s);
    else if (s->op->req && s->op->req->may_wait)
        step_done_at_once(s); /* it could not be defined, and that was said */
    else
        gone(s);
}

/* It has only just begun. */
static void start_back(struct step *s)
{
    struct guest *g = s->was_owned ? files_guest(s) : guest_of(s);

    if (g && guest_state(g) != GUEST_STOPPED)
        guest_kill(g, step_done, s);
    else
        step_done_at_once(s);
}

/* One whose plug had to be pulled is gone, as it shall be: that is told. */
static void left(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;

    if (!rc && e->text[0] &&
        plan_note(&s->op->plan, "guest %s %s", s->port, e->text))
        step_no_memory(s);
    else
        step_done(s, rc, e);
}

static void stop(struct step *s)
{
    struct guest *g = guest_of(s);

    if (g && guest_state(g) != GUEST_STOPPED)
        /* which file counts then is the next daemon's affair */
        guest_leave(g, guest_leave_seconds(g), false, left, s);
    else
        step_done_at_once(s);
}

static void stop_back(struct step *s)
{
    struct guest *g = files_guest(s);

    if (g)
        guest_start(g, step_done, s);
    else if (guest_of(s))
        step_done_at_once(s); /* of it we have said that it is in the way */
    else
        gone(s);
}

const struct step_kind_ops step_guest_stop = {.go = stop, .back = stop_back};
const struct step_kind_ops step_guest_undefine = {.go = undefine,
                                                  .back = undefine_back};
const struct step_kind_ops step_guest_define = {.go = define,
                                                .back = define_back};
const struct step_kind_ops step_guest_start = {.go = start, .back = start_back};
