/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/view.h"

#include <stdlib.h>

struct view_port *view_port_new(const struct view_port *from)
{
    struct view_port *p = malloc(sizeof(*p));

    if (p) {
        *p = *from;
        p->refs = 1;
    }
    return p;
}

/* References are counted by the control thread alone; readers see const. */
static struct view_port *writable(const struct view_port *p)
{
    return (struct view_port *)(uintptr_t)p;
}

void view_port_put(const struct view_port *p)
{
    struct view_port *w = writable(p);

    if (w && --w->refs == 0)
        free(w);
}

/*
 * One list of the ports to flood to, those that are not isolated first: a
 * frame from an isolated port takes the front part only.
 */
static void list_fill(struct flood_list *l, const struct view *v, enum flood k)
{
    for (int isolated = 0; isolated < 2; isolated++) {
        for (unsigned i = 0; i < VIEW_PORTS; i++) {
            const struct view_port *p = v->port[i];

            if (p && p->forwarding && p->flood[k] && p->isolated == isolated)
                l->to[l->n++] = p;
        }
        if (!isolated)
            l->n_open = l->n;
    }
}

struct view *view_new(const struct view_port *const *ports,
                      const uint16_t *gens)
{
    unsigned n = 0;
    struct view *v;

    for (unsigned i = 0; i < VIEW_PORTS; i++)
        n += ports[i] != NULL;
    v = calloc(1, sizeof(*v) + (size_t)FLOOD_KINDS * n *
                                   sizeof(const struct view_port *));
    if (!v)
        return NULL;
    memcpy(v->gens, gens, sizeof(v->gens));
    for (unsigned i = 0; i < VIEW_PORTS; i++) {
        v->port[i] = ports[i];
        if (ports[i])
            writable(ports[i])->refs++;
    }
    for (unsigned k = 0; k < FLOOD_KINDS; k++) {
        v->flood[k].to = v->slots + (size_t)k * n;
        list_fill(&v->flood[k], v, k);
    }
    return v;
}

void view_free(struct view *v)
{
    if (!v)
        return;
    for (unsigned i = 0; i < VIEW_PORTS; i++)
        if (v->port[i])
            view_port_put(v->port[i]);
    free(v);
}
