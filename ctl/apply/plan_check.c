/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest of the file would be refused for, found before anything is
 * done: a mistake in a file must not cost those that run.  What only QEMU can
 * say is left.
 */
#include "ctl/apply/plan_check.h"
#include "ctl/apply/plan_impl.h"
#include "ports/netdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- definitions ---- */

static int read_def(struct checker *c, struct guest_def **d, const char *text)
{
    json_t *o = json_loads(text, 0, NULL);
    int rc = o ? guest_def_read(d, o, c->e)
               : err_set(c->e, ENOMEM, "no memory for the plan");

    json_decref(o);
    return rc;
}

static int read_defs(struct checker *c)
{
    const struct conf *conf = c->in->want->conf;
    const struct running *r = c->in->running;
    int rc = 0;

    c->wanted = calloc(conf->n_guests + 1, sizeof(struct guest_def *));
    c->now = calloc(r->n_guests + 1, sizeof(struct guest_def *));
    if (!c->wanted || !c->now)
        return err_set(c->e, ENOMEM, "no memory for the plan");
    for (unsigned i = 0; !rc && i < conf->n_guests; i++)
        rc = read_def(c, &c->wanted[i], conf->guest[i].def);
    for (unsigned i = 0; !rc && i < r->n_guests; i++)
        rc = read_def(c, &c->now[i], r->guest[i].def);
    return rc;
}

static void free_defs(struct checker *c)
{
    for (unsigned i = 0; c->wanted && i < c->in->want->conf->n_guests; i++)
        guest_def_free(c->wanted[i]);
    for (unsigned i = 0; c->now && i < c->in->running->n_guests; i++)
        guest_def_free(c->now[i]);
    free(c->wanted);
    free(c->now);
}

/* What is to be defined or started. */
const struct guest_def *check_wanted(const struct checker *c,
                                     const struct step *s)
{
    if (s->kind != STEP_GUEST_DEFINE && s->kind != STEP_GUEST_START)
        return NULL;
    return c->wanted[s->guest - c->in->want->conf->guest];
}

bool check_has_port(const struct guest_def *d, const char *name)
{
    for (unsigned i = 0; i < d->n_nets; i++)
        if (strcmp(d->net[i].port, name) == 0)
            return true;
    return false;
}

/* ---- is there what it needs? ---- */

static int refuse(struct checker *c, const struct step *s, int rc)
{
    return want_wrap(c->e, rc, &s->guest->pos);
}

/* Those that stay as they are; the file's own have been compared. */
static int check_clash(struct checker *c, const struct step *s)
{
    const struct running *r = c->in->running;
    int rc = 0;

    for (unsigned i = 0; !rc && i < r->n_guests; i++)
        if (!r->guest[i].leaves && strcmp(r->guest[i].name, s->port) != 0)
            rc = guest_def_clash(check_wanted(c, s), c->now[i], c->e);
    return rc ? refuse(c, s, err_wrap(c->e, rc, "guest %s", s->port)) : 0;
}

static int check_bridge(struct checker *c, const struct conf_guest *g,
                        const char *bridge)
{
    if (want_find(c->in->want, bridge))
        return 0;
    if (!running_find(c->in->running, bridge))
        return want_fail(c->e, ENODEV, &g->pos,
                         "guest %s: there is no bridge %s", g->name, bridge);
    if (plan_bridge_goes(c->p, bridge))
        return want_fail(c->e, ENODEV, &g->pos,
                         "guest %s: bridge %s is not in the file any more, and "
                         "would be removed",
                         g->name, bridge);
    return 0;
}

/* A guest that starts cannot wait for its bridge. */
static int check_is_there(struct checker *c, const struct conf_guest *g,
                          const char *bridge)
{
    const struct want_bridge *wb = want_find(c->in->want, bridge);

    return wb && wb->absent
               ? want_fail(c->e, ENODEV, &g->pos,
                           "guest %s: bridge %s is waited for, so that it "
                           "cannot start yet",
                           g->name, bridge)
               : 0;
}

/* What could be the card's own, its start will see. */
static bool may_be_cards(const struct guest_net *n, const char *bridge,
                         const struct port_spec *spec)
{
    return strcmp(bridge, n->bridge) == 0 &&
           strcmp(spec->kind, n->kind == GUEST_STREAM ? "stream" : "packet") ==
               0;
}

/* Is a port in the way that is there?  *found: one of that name is. */
static int check_there(struct checker *c, const struct step *s,
                       const struct guest_net *n, bool *found)
{
    const struct running *r = c->in->running;

    for (unsigned b = 0; b < r->n_bridges; b++) {
        const char *bridge = r->bridge[b].info.name;

        for (unsigned i = 0; i < r->bridge[b].n_ports; i++) {
            const struct run_port *p = &r->bridge[b].port[i];

            if (strcmp(p->name, n->port) != 0)
                continue;
            *found = true;
            if (plan_port_stays(c->p, c->in, bridge, n->port) &&
                !may_be_cards(n, bridge, &p->spec))
                return want_fail(c->e, EEXIST, &s->guest->pos,
                                 "guest %s: bridge %s has a port %s already, "
                                 "which is something else: delete it or give "
                                 "the guest another name",
                                 s->port, bridge, n->port);
        }
    }
    return 0;
}

/* ... or one that comes? */
static int check_coming(struct checker *c, const struct step *s,
                        const struct guest_net *n)
{
    for (unsigned i = 0; i < c->p->n; i++) {
        const struct step *o = &c->p->step[i];

        if (o->kind == STEP_PORT_ADD && strcmp(o->port, n->port) == 0 &&
            !may_be_cards(n, o->bridge, &o->wp->spec))
            return want_fail(c->e, EEXIST, &s->guest->pos,
                             "guest %s: its port on %s would be called %s, as "
                             "the one in %s:%u:%u",
                             s->port, n->bridge, n->port, o->wp->conf->pos.file,
                             o->wp->conf->pos.line, o->wp->conf->pos.column);
    }
    return 0;
}

/* A tap is made in the daemon's own namespace. */
static int check_interface(struct checker *c, const struct step *s,
                           const struct guest_net *n)
{
    char way[NETDEV_WAY_MAX];
    struct member m;
    struct err none;

    if (n->kind == GUEST_STREAM || plan_bridge_goes(c->p, n->port) ||
        c->in->device(c->in->arg, -1, n->port, NULL, &m, &none))
        return 0;
    return want_fail(c->e, EEXIST, &s->guest->pos, "guest %s: %s", s->port,
                     netdev_in_the_way(-1, n->port, NETDEV_FOR_GUEST, way));
}

static int check_net(struct checker *c, const struct step *s,
                     const struct guest_net *n)
{
    bool found = false;
    int rc = check_bridge(c, s->guest, n->bridge);

    if (!rc)
        rc = check_is_there(c, s->guest, n->bridge);
    if (!rc)
        rc = check_there(c, s, n, &found);
    if (!rc)
        rc = check_coming(c, s, n);
    return rc || found ? rc : check_interface(c, s, n);
}

static int check_start(struct checker *c, const struct step *s)
{
    const struct guest_def *d = check_wanted(c, s);
    char notice[sizeof(c->notice)];
    int rc = c->in->guest(c->in->arg, d, true, c->hugepages, notice,
                          sizeof(notice), c->e);

    if (rc)
        return refuse(c, s, rc);
    for (unsigned i = 0; !rc && i < d->n_nets; i++)
        rc = check_net(c, s, &d->net[i]);
    if (d->hugepages)
        c->hugepages += (long)d->memory;
    if (*notice && c->emulated++ == 0)
        snprintf(c->notice, sizeof(c->notice), "guest %s %.100s", s->port,
                 notice);
    return rc;
}

static int check_define(struct checker *c, const struct step *s)
{
    char notice[sizeof(c->notice)];
    int rc = check_clash(c, s);

    if (rc)
        return rc;
    rc = c->in->guest(c->in->arg, check_wanted(c, s), false, 0, notice,
                      sizeof(notice), c->e);
    return rc ? refuse(c, s, rc) : 0;
}

/* One that runs as it was before: its new definition waits for its end, and a
 * mistake in that need not. */
static int check_waiting(struct checker *c, unsigned i)
{
    const struct conf_guest *g = &c->in->want->conf->guest[i];
    const struct run_guest *now = running_guest(c->in->running, g->name);
    const struct guest_def *d = c->wanted[i];
    char notice[sizeof(c->notice)];
    int rc;

    if (!now || !now->active || strcmp(now->def, g->def) == 0)
        return 0;
    rc = c->in->guest(c->in->arg, d, false, 0, notice, sizeof(notice), c->e);
    if (rc)
        return want_wrap(c->e, rc, &g->pos);
    for (unsigned k = 0; !rc && k < d->n_nets; k++)
        rc = check_bridge(c, g, d->net[k].bridge);
    return rc;
}

static int check_all(struct checker *c)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < c->in->want->conf->n_guests; i++)
        rc = check_waiting(c, i);
    for (unsigned i = 0; !rc && i < c->p->n; i++) {
        const struct step *s = &c->p->step[i];

        if (s->kind == STEP_GUEST_DEFINE)
            rc = check_define(c, s);
        else if (s->kind == STEP_GUEST_START)
            rc = check_start(c, s);
    }
    return rc;
}

/* ---- all together ---- */

static int say_emulated(struct checker *c)
{
    int rc;

    if (c->emulated == 1)
        rc = plan_note(c->p, "%s", c->notice);
    else
        rc = plan_note(c->p, "%s; so do %u more", c->notice, c->emulated - 1);
    return rc ? err_set(c->e, ENOMEM, "no memory for the plan") : 0;
}

/* When the daemon begins, a guest that cannot run is no reason not to. */
int plan_check_guests(struct plan *p, const struct plan_input *in,
                      struct err *e)
{
    struct checker c = {.p = p, .in = in, .e = e};
    int rc = 0;

    if (in->no_guests)
        return 0;
    rc = read_defs(&c);
    if (!rc)
        place_make(&c);
    if (!rc && !in->may_wait)
        rc = check_all(&c);
    if (!rc && c.emulated)
        rc = say_emulated(&c);
    free_defs(&c);
    return rc;
}
