/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan about the ports of a bridge that stays: which of those
 * that run are the file's, and what becomes of the others.
 */
#include "ctl/apply/plan_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The ports that run, in order of kind and target. */
struct entry {
    struct run_port *port;
    bool used; /* the file names it */
};

struct index {
    struct entry *e;
    unsigned n;
};

static int compare_specs(const struct port_spec *x, const struct port_spec *y)
{
    int c = strcmp(x->kind, y->kind);

    return c ? c : strcmp(x->target, y->target);
}

static int by_spec(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return compare_specs(&x->port->spec, &y->port->spec);
}

static bool fits(const struct want_port *wp, const struct run_port *rp)
{
    return (!rp->netns || rp->netns == wp->netns) &&
           (!wp->spec.name[0] || strcmp(wp->spec.name, rp->name) == 0) &&
           spec_equal(&wp->spec, &rp->spec);
}

/* The first of those with its kind and target. */
static unsigned lower_bound(const struct index *x, const struct port_spec *key)
{
    unsigned lo = 0, hi = x->n;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (compare_specs(&x->e[mid].port->spec, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct run_port *take_same(struct index *x, const struct want_port *wp)
{
    for (unsigned i = lower_bound(x, &wp->spec); i < x->n; i++) {
        struct entry *e = &x->e[i];

        if (compare_specs(&e->port->spec, &wp->spec) != 0)
            break;
        if (e->used || !fits(wp, e->port))
            continue;
        e->used = true;
        return e->port;
    }
    return NULL;
}

static int index_make(struct index *x, const struct run_bridge *rb)
{
    x->n = rb->n_ports;
    x->e = calloc(x->n + 1, sizeof(*x->e));
    if (!x->e)
        return -ENOMEM;
    for (unsigned i = 0; i < x->n; i++)
        x->e[i].port = &rb->port[i];
    qsort(x->e, x->n, sizeof(*x->e), by_spec);
    return 0;
}

/* Those that are in the bridge and not in the file. */
static int others(struct maker *m, const struct run_bridge *rb,
                  const struct index *x)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < x->n; i++) {
        const struct run_port *rp = x->e[i].port;

        if (x->e[i].used)
            continue;
        if (rp->owned)
            rc = plan_remove_port(m, rb, rp);
        else if (!running_guest_of(m->in->running, rb->info.name, rp->name) &&
                 plan_note(m->p, "%s: port %s was added by hand and stays",
                           rb->info.name, rp->name))
            rc = maker_no_memory(m);
    }
    return rc;
}

int plan_keep_ports(struct maker *m, const struct run_bridge *rb)
{
    struct index x = {0};
    int rc = index_make(&x, rb) ? maker_no_memory(m) : 0;

    for (unsigned i = 0; !rc && i < m->wb->n_ports; i++) {
        struct want_port *wp = &m->wb->port[i];
        struct run_port *rp = take_same(&x, wp);

        rc = rp ? plan_keep_port(m, wp, rp) : plan_add_port(m, wp);
    }
    if (!rc)
        rc = others(m, rb, &x);
    free(x.e);
    return rc;
}
