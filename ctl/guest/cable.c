/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cables of a guest's network cards, which QEMU takes out and puts in.
 * They are as it has last answered, and this is written down for the next
 * daemon, since QEMU does not tell.
 */
#include "ctl/guest/guest_impl.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_LIMIT 5. /* s; it answers at once, or is not itself */

/* ---- for the next daemon ---- */

struct note {
    struct guests *all;
    char dir[PATH_MAX];
    unsigned out;
    /* whoever hears of it when it is written */
    struct answer to;
    int rc;
    struct err e;
};

/* Job thread. */
static int write_note(void *arg, struct err *e)
{
    const struct note *n = arg;

    return cables_save(n->dir, n->out, e);
}

static void written(void *arg, int rc, const struct err *e)
{
    struct note *n = arg;

    if (rc)
        log_warn("which cables are out is lost when basculed ends: %s",
                 e->text);
    if (!n->all->ended)
        answer(&n->to, n->rc, &n->e);
    free(n);
}

/* Behind that, g->on_link hears how it went. */
static void write_down(struct guest *g, int rc, const struct err *e)
{
    struct note *n = calloc(1, sizeof(*n));

    if (n) {
        n->all = g->all;
        snprintf(n->dir, sizeof(n->dir), "%s", g->dir);
        for (unsigned i = 0; i < g->def->n_nets; i++)
            n->out |= (unsigned)g->port[i].down << i;
        n->to = g->on_link;
        n->rc = rc;
        n->e = *e;
    }
    if (n && sw_job(g->all->sw, write_note, written, n) == 0) {
        g->on_link.done = NULL;
        return;
    }
    free(n);
    answer(&g->on_link, rc, e);
}

void cable_recall(struct guest *g)
{
    unsigned out = cables_saved(g->dir);

    for (unsigned i = 0; i < g->def->n_nets; i++)
        g->port[i].down = out >> i & 1;
}

void cable_forget(struct guest *g)
{
    for (unsigned i = 0; i < g->def->n_nets; i++)
        g->port[i].down = false;
}

/* ---- moving them ---- */

static void finish(struct guest *g, int rc, const struct err *e)
{
    ev_timer_stop(g->all->loop, &g->cables);
    g->cables_asked = 0;
    write_down(g, rc, e);
}

static void answered(struct guest_port *p, bool up, bool well, const char *text)
{
    struct guest *g = p->g;
    struct err e = {""};

    if (well) {
        g->cables_moved |= p->down == up;
        p->down = !up;
    }
    if (!g->cables_asked) { /* nobody waits any more */
        if (well)
            write_down(g, 0, &e);
    } else if (!well) {
        finish(g,
               err_set(&e, EIO, "guest %s: QEMU: %.200s", g->def->name, text),
               &e);
    } else if (--g->cables_asked == 0) {
        if (g->cables_moved)
            guest_tell(g, up ? "link-up" : "link-down",
                       "guest %s: its cable is %s", g->def->name,
                       up ? "in" : "out");
        finish(g, 0, &e);
    }
}

/* What was asked before somebody lost patience is answered first. */
static void heard(struct guest_port *p, bool up, const json_t *result,
                  const char *text)
{
    struct guest *g = p->g;
    bool late = g->cables_asked && g->cables_sent > g->cables_asked;

    g->cables_sent--;
    if (!late)
        answered(p, up, result != NULL, text);
    else if (result)
        p->down = !up;
}

static void on_in(void *arg, const json_t *result, const char *text)
{
    heard(arg, true, result, text);
}

static void on_out(void *arg, const json_t *result, const char *text)
{
    heard(arg, false, result, text);
}

/* All of them, or those before the one that could not be asked for. */
static int ask(struct guest *g, bool up, struct err *e)
{
    char id[16];

    for (unsigned i = 0; i < g->def->n_nets; i++) {
        snprintf(id, sizeof(id), "nic%u", i);
        if (!g->qmp || qmp_command(g->qmp, "set_link",
                                   json_pack("{s:s,s:b}", "name", id, "up", up),
                                   up ? on_in : on_out, &g->port[i]) < 0)
            return err_set(e, ENOTCONN, "guest %s: its QEMU does not listen",
                           g->def->name);
        g->cables_sent++;
    }
    return 0;
}

void guest_link(struct guest *g, bool up, sw_done done, void *arg)
{
    struct err e = {""};
    int rc = 0;

    if (!g->pid)
        rc = err_set(&e, ESRCH, "guest %s does not run", g->def->name);
    else if (!g->def->n_nets)
        rc = err_set(&e, ENODEV, "guest %s has no network card", g->def->name);
    else if (g->cables_asked)
        rc = err_set(&e, EBUSY, "guest %s: its cables are being moved already",
                     g->def->name);
    if (!rc)
        rc = ask(g, up, &e);
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    g->on_link = (struct answer){done, arg};
    g->cables_asked = g->def->n_nets;
    g->cables_moved = false;
    ev_timer_stop(g->all->loop, &g->cables);
    ev_timer_set(&g->cables, ANSWER_LIMIT, 0.);
    ev_timer_start(g->all->loop, &g->cables);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct guest *g = w->data;
    struct err e;

    (void)loop;
    (void)revents;
    finish(g,
           err_set(&e, ETIMEDOUT,
                   "guest %s: QEMU has not answered within %d s; its cables "
                   "are moved when it goes on",
                   g->def->name, (int)ANSWER_LIMIT),
           &e);
}

void cable_init(struct guest *g)
{
    ev_timer_init(&g->cables, on_limit, 0., 0.);
    g->cables.data = g;
}

void cable_lost(struct guest *g)
{
    struct err e;

    g->cables_sent = 0;
    if (g->all->ended)
        ev_timer_stop(g->all->loop, &g->cables);
    else if (g->cables_asked)
        finish(g,
               err_set(&e, ENOTCONN, "guest %s: its QEMU does not listen",
                       g->def->name),
               &e);
}
