/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What leaves goes last, for a guest that was stopped does not come back as it
 * was.  But what is new may need what only one can have: a name, an address, a
 * disk.  For a new guest there is still time when all else has succeeded.
 */
#include "ctl/apply/plan_check.h"

#include <string.h>

static bool same_disk(const struct guest_def *a, const struct guest_def *b)
{
    for (unsigned i = 0; i < a->n_disks; i++)
        for (unsigned k = 0; k < b->n_disks; k++)
            if (strcmp(a->disk[i].path, b->disk[k].path) == 0)
                return true;
    return false;
}

/* "user,hostfwd=tcp::2222-:22": words of QEMU's that name something may name
 * what only one can have. */
static bool same_arg(const struct guest_def *a, const struct guest_def *b)
{
    for (unsigned i = 0; i < a->n_args; i++)
        for (unsigned k = 0; k < b->n_args; k++)
            if (strpbrk(a->arg[i], "=:") && strcmp(a->arg[i], b->arg[k]) == 0)
                return true;
    return false;
}

/* A screen at a socket is each guest's own. */
static bool same_screen(const struct guest_def *a, const struct guest_def *b)
{
    return a->vnc && b->vnc && strcmp(a->vnc, "on") != 0 &&
           strcmp(a->vnc, b->vnc) == 0;
}

static bool get_in_the_way(const struct guest_def *a, const struct guest_def *b)
{
    struct err why;

    return guest_def_clash(a, b, &why) || same_disk(a, b) || same_arg(a, b) ||
           same_screen(a, b) || (a->hugepages && b->hugepages);
}

/* The guest that leaves, which is 'd', is in the way of a new port. */
static bool takes_port(const struct checker *c, const struct guest_def *d)
{
    for (unsigned i = 0; i < c->p->n; i++) {
        const struct step *s = &c->p->step[i];

        if (s->kind == STEP_PORT_ADD &&
            (check_has_port(d, s->port) ||
             (s->wp && s->wp->spec.target &&
              check_has_port(d, s->wp->spec.target))))
            return true;
    }
    return false;
}

/* ... of a new guest. */
static bool takes_place(const struct checker *c, const struct guest_def *d)
{
    for (unsigned i = 0; i < c->p->n; i++) {
        const struct guest_def *wanted = check_wanted(c, &c->p->step[i]);

        if (wanted && get_in_the_way(wanted, d))
            return true;
    }
    return false;
}

static void go(struct checker *c, const char *guest, enum step_kind stop,
               enum step_kind undefine)
{
    for (unsigned i = 0; i < c->p->n; i++) {
        struct step *s = &c->p->step[i];

        if (strcmp(s->port, guest) != 0)
            continue;
        if (s->kind == STEP_GUEST_LEAVE)
            s->kind = stop;
        else if (s->kind == STEP_GUEST_FORGET)
            s->kind = undefine;
    }
}

static void make_room(struct checker *c)
{
    const struct running *r = c->in->running;

    for (unsigned i = 0; i < r->n_guests; i++) {
        const struct run_guest *g = &r->guest[i];

        if (!g->leaves)
            continue;
        if (takes_port(c, c->now[i]))
            go(c, g->name, STEP_GUEST_STOP, STEP_GUEST_UNDEFINE);
        else if (takes_place(c, c->now[i]))
            go(c, g->name, STEP_GUEST_YIELD, STEP_GUEST_CEDE);
        else
            continue;
        if (g->active && c->now[i]->hugepages)
            c->hugepages -= (long)c->now[i]->memory;
    }
}

/* An interface of a bridge that leaves may be what a port is to be called. */
static void make_names(struct checker *c)
{
    for (unsigned i = 0; i < c->p->n; i++) {
        struct step *s = &c->p->step[i];

        for (unsigned k = 0; s->kind == STEP_BRIDGE_LEAVE && k < c->p->n; k++) {
            const struct step *o = &c->p->step[k];
            const struct guest_def *d = check_wanted(c, o);

            if ((d && check_has_port(d, s->bridge)) ||
                (o->kind == STEP_PORT_ADD && strcmp(o->port, s->bridge) == 0))
                s->kind = STEP_BRIDGE_DEL;
        }
    }
}

void place_make(struct checker *c)
{
    make_room(c);
    make_names(c);
}
