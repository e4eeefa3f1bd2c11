/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * That somebody wants a guest to end is written down before it is asked to, in
 * its run directory, and goes with that.  So a daemon that begins meanwhile
 * ends it, instead of starting it again by its restart policy.
 */
#include "ctl/guest/guest_impl.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

struct note {
    struct guest *g; /* its directory's removal is a job behind this one */
    struct ending what;
    bool back; /* it is taken back */
    /* whoever hears of that */
    struct answer to;
    int rc;
    struct err e;
};

/* Job thread. */
static int write_note(void *arg, struct err *e)
{
    const struct note *n = arg;

    return n->back ? ending_forget(n->g->dir, e)
                   : ending_save(n->g->dir, &n->what, e);
}

static void written(void *arg, int rc, const struct err *e)
{
    struct note *n = arg;
    struct guest *g = n->g;

    if (rc)
        log_warn("guest %s: what the next basculed shall do with it: %s",
                 g->def->name, e->text);
    g->noting--;
    if (!g->all->ended) {
        answer(&n->to, n->rc, &n->e);
        if (!n->back)
            stop_go_on(g);
    }
    free(n);
}

static bool note(struct note *n)
{
    if (!n || sw_job(n->g->all->sw, write_note, written, n)) {
        free(n);
        return false;
    }
    n->g->noting++;
    return true;
}

void wish_write(struct guest *g, struct ending what)
{
    struct note *n = calloc(1, sizeof(*n));

    if (n) {
        n->g = g;
        n->what = what;
    }
    if (!note(n))
        stop_go_on(g);
}

void wish_take_back(struct guest *g, int rc, const struct err *e)
{
    struct note *n = calloc(1, sizeof(*n));

    if (!g->on_stop.done) /* an earlier daemon was asked */
        log_warn("%s", e->text);
    if (n) {
        n->g = g;
        n->back = true;
        n->to = g->on_stop;
        n->rc = rc;
        n->e = *e;
    }
    if (note(n))
        g->on_stop.done = NULL;
    else
        answer(&g->on_stop, rc, e);
}
