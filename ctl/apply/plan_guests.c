/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests are not as bridges: they live on when the daemon ends, so that who
 * made them is kept in their definitions; and one that runs is somebody's
 * machine, which no apply stops because a line of its definition has changed.
 */
#include "ctl/apply/plan_guests.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct guest_maker {
    struct plan *p;
    const struct plan_input *in;
    struct err *e;
};

static int no_memory(const struct guest_maker *m)
{
    return err_set(m->e, ENOMEM, "no memory for the plan");
}

static int step(struct guest_maker *m, enum step_kind kind, const char *name,
                const struct conf_guest *c, const char *text)
{
    struct step *s;

    if (!m->in->may_guest && c)
        return want_fail(m->e, EPERM, &c->pos,
                         "guest %s: only root and the daemon's own user may "
                         "define guests",
                         name);
    if (!m->in->may_guest)
        return err_set(m->e, EPERM,
                       "guest %s is not in the file any more, and only root "
                       "and the daemon's own user may remove guests",
                       name);
    s = plan_add(m->p, kind, "", name);
    if (!s)
        return no_memory(m);
    s->guest = c;
    return text && plan_say(m->p, s, "%s guest %s", text, name) ? no_memory(m)
                                                                : 0;
}

/* One that has left the file. */
static int remove_guest(struct guest_maker *m, struct run_guest *g)
{
    int rc = 0;

    if (g->active)
        rc = step(m, STEP_GUEST_LEAVE, g->name, NULL, "stop");
    g->leaves = true;
    return rc ? rc : step(m, STEP_GUEST_FORGET, g->name, NULL, "undefine");
}

static int start(struct guest_maker *m, const struct conf_guest *c)
{
    return c->start ? step(m, STEP_GUEST_START, c->name, c, "start") : 0;
}

static int new_guest(struct guest_maker *m, const struct conf_guest *c)
{
    int rc = step(m, STEP_GUEST_DEFINE, c->name, c, "define");

    return rc ? rc : start(m, c);
}

static int changed(struct guest_maker *m, const struct run_guest *g,
                   const struct conf_guest *c)
{
    int rc;

    if (!g->from_file)
        return want_fail(m->e, EEXIST, &c->pos,
                         "guest %s was defined by hand, and in another way: "
                         "bascule guest undefine %s, or give this one another "
                         "name",
                         c->name, c->name);
    if (g->active)
        return plan_note(m->p,
                         "guest %s needs a restart: it runs as it was defined "
                         "before, and the file's new definition waits; stop it "
                         "(bascule guest stop %s) and apply the file again",
                         c->name, c->name)
                   ? no_memory(m)
                   : 0;
    rc = step(m, STEP_GUEST_UNDEFINE, c->name, c, NULL);
    if (!rc)
        rc = step(m, STEP_GUEST_DEFINE, c->name, c, NULL);
    if (!rc && plan_say(m->p, &m->p->step[m->p->n - 1], "define guest %s anew",
                        c->name))
        rc = no_memory(m);
    return rc ? rc : start(m, c);
}

static int same(struct guest_maker *m, const struct run_guest *g,
                const struct conf_guest *c)
{
    if (!g->from_file &&
        plan_note(m->p,
                  "guest %s was defined by hand, as it is here, and stays "
                  "when it leaves the file",
                  c->name))
        return no_memory(m);
    return g->active ? 0 : start(m, c);
}

/* What was applied in another network namespace is that one's. */
static bool is_elsewhere(const struct plan_input *in, const struct run_guest *g)
{
    for (unsigned i = 0; i < g->n_ports; i++) {
        const struct run_bridge *b =
            running_find(in->running, g->port[i].bridge);

        if (b && b->info.netns != in->netns)
            return true;
    }
    return false;
}

static const struct conf_guest *named(const struct conf *c, const char *name)
{
    for (unsigned i = 0; i < c->n_guests; i++)
        if (strcmp(c->guest[i].name, name) == 0)
            return &c->guest[i];
    return NULL;
}

/* A bridge of the kernel's that came late, perhaps behind its guests. */
static bool comes_now(const struct plan_input *in, const char *bridge)
{
    const struct want_bridge *wb = want_find(in->want, bridge);

    return wb && wb->conf->adopt && !wb->absent &&
           !running_find(in->running, bridge);
}

static int late_guest(struct guest_maker *m, const struct run_guest *g,
                      const struct conf_guest *c)
{
    bool waited = false;

    for (unsigned i = 0; i < g->n_ports; i++)
        waited |= comes_now(m->in, g->port[i].bridge);
    return waited && !g->active && strcmp(g->def, c->def) == 0 ? start(m, c)
                                                               : 0;
}

static int late_guests(struct guest_maker *m)
{
    const struct conf *c = m->in->want->conf;
    int rc = 0;

    for (unsigned i = 0; !rc && i < c->n_guests; i++) {
        const struct run_guest *g =
            running_guest(m->in->running, c->guest[i].name);

        if (g)
            rc = late_guest(m, g, &c->guest[i]);
    }
    return rc;
}

int plan_guests(struct plan *p, const struct plan_input *in, struct err *e)
{
    struct guest_maker m = {p, in, e};
    const struct conf *c = in->want->conf;
    struct running *r = in->running;
    int rc = 0;

    if (in->no_guests)
        return late_guests(&m);
    if (c->n_guests && !r->has_guests)
        return want_fail(e, EOPNOTSUPP, &c->guest[0].pos,
                         "this daemon keeps no guests");
    for (unsigned i = 0; !rc && i < r->n_guests; i++)
        if (r->guest[i].from_file && !named(c, r->guest[i].name) &&
            !is_elsewhere(in, &r->guest[i]))
            rc = remove_guest(&m, &r->guest[i]);
    for (unsigned i = 0; !rc && i < c->n_guests; i++) {
        const struct conf_guest *g = &c->guest[i];
        const struct run_guest *now = running_guest(r, g->name);

        if (!now)
            rc = new_guest(&m, g);
        else if (strcmp(now->def, g->def) == 0)
            rc = same(&m, now, g);
        else
            rc = changed(&m, now, g);
    }
    return rc;
}
