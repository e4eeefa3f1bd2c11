/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests of struct running.
 */
#include "ctl/apply/running.h"
#include "ctl/guest/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As struct conf_guest has it. */
static char *text_of(const struct guest_def *d)
{
    json_t *o = guest_def_write(d);
    char *text = NULL;

    if (o && (!d->from_file || json_object_del(o, "from_file") == 0))
        text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    return text;
}

static int copy_guest(struct run_guest *to, const struct guest *g)
{
    const struct guest_def *d = guest_def(g);

    memcpy(to->name, d->name, strlen(d->name) + 1); /* as long as a port's */
    to->def = text_of(d);
    to->from_file = d->from_file;
    to->active =
        guest_state(g) != GUEST_STOPPED && guest_state(g) != GUEST_SAVING;
    to->port = calloc(d->n_nets + 1, sizeof(*to->port));
    if (!to->def || !to->port)
        return -ENOMEM;
    for (unsigned i = 0; i < d->n_nets; i++) {
        struct run_guest_port *p = &to->port[to->n_ports++];

        memcpy(p->bridge, d->net[i].bridge, strlen(d->net[i].bridge) + 1);
        memcpy(p->name, d->net[i].port, sizeof(p->name));
    }
    return 0;
}

int running_copy_guests(struct running *r, struct guests *all)
{
    unsigned n = 0;
    int rc = 0;

    if (!all)
        return 0;
    r->has_guests = true;
    for (struct guest *g = guest_next(all, NULL); g; g = guest_next(all, g))
        n++;
    r->guest = calloc(n + 1, sizeof(*r->guest));
    if (!r->guest)
        return -ENOMEM;
    for (struct guest *g = guest_next(all, NULL); g && !rc;
         g = guest_next(all, g))
        rc = copy_guest(&r->guest[r->n_guests++], g);
    return rc;
}

void running_free_guests(struct running *r)
{
    for (unsigned i = 0; i < r->n_guests; i++) {
        free(r->guest[i].def);
        free(r->guest[i].port);
    }
    free(r->guest);
}

struct run_guest *running_guest(const struct running *r, const char *name)
{
    for (unsigned i = 0; i < r->n_guests; i++)
        if (strcmp(r->guest[i].name, name) == 0)
            return &r->guest[i];
    return NULL;
}

static bool has_port(const struct run_guest *g, const char *bridge,
                     const char *port)
{
    for (unsigned i = 0; i < g->n_ports; i++)
        if (strcmp(g->port[i].name, port) == 0 &&
            strcmp(g->port[i].bridge, bridge) == 0)
            return true;
    return false;
}

const struct run_guest *running_guest_of(const struct running *r,
                                         const char *bridge, const char *port)
{
    for (unsigned i = 0; i < r->n_guests; i++)
        if (r->guest[i].active && has_port(&r->guest[i], bridge, port))
            return &r->guest[i];
    return NULL;
}
