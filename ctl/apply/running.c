/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/running.h"

#include "base/clock.h"
#include "ctl/adopt/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_NS (300 * NSEC_PER_USEC)

struct running *running_new(struct sw *sw)
{
    struct running *r = calloc(1, sizeof(*r));
    unsigned n = 0;

    for (struct bridge *b = bridge_next(sw, NULL); b; b = bridge_next(sw, b))
        n++;
    if (r)
        r->bridge = calloc(n ? n : 1, sizeof(*r->bridge));
    if (!r || !r->bridge) {
        free(r);
        return NULL;
    }
    for (struct bridge *b = bridge_next(sw, NULL); b; b = bridge_next(sw, b))
        bridge_info(b, &r->bridge[r->n_bridges++].info);
    return r;
}

void running_free(struct running *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_bridges; i++)
        free(r->bridge[i].port);
    free(r->bridge);
    free(r->awaited);
    running_free_guests(r);
    free(r);
}

static struct run_port *grow(struct run_bridge *rb)
{
    unsigned room = rb->room ? rb->room * 2 : 16;
    struct run_port *p;

    if (rb->n_ports < rb->room)
        return &rb->port[rb->n_ports];
    p = calloc(room, sizeof(*p));
    if (!p)
        return NULL;
    for (unsigned i = 0; i < rb->n_ports;
         i++) { /* specs point into themselves */
        struct run_port *to = &p[i], *from = &rb->port[i];

        *to = *from;
        (void)port_spec_copy(&to->spec, &from->spec);
    }
    free(rb->port);
    rb->port = p;
    rb->room = room;
    return &rb->port[rb->n_ports];
}

static int copy_port(struct run_bridge *rb, struct bport *p)
{
    struct run_port *to = grow(rb);
    struct bport_info i;

    if (!to)
        return -ENOMEM;
    bport_info(p, &i);
    if (port_spec_copy(&to->spec, bport_spec(p)))
        return -ENAMETOOLONG;
    memcpy(to->name, i.name, sizeof(to->name));
    memcpy(to->param, i.param, sizeof(to->param));
    if (i.cost_auto)
        to->param[BPORT_PATH_COST] = 0;
    to->netns = i.netns;
    to->edge = i.edge;
    to->failed = i.failed;
    to->owned = rb->owned ? owned_port_find(rb->owned, i.name) : NULL;
    rb->n_ports++;
    return 0;
}

/* The next port behind number r->no; NULL: all are copied. */
static struct bport *next_port(struct running *r, struct bridge *b)
{
    while (r->no < BRIDGE_PORTS_MAX) {
        struct bport *p = bport_by_no(b, (uint16_t)++r->no);

        if (p && !bport_leaving(p))
            return p;
    }
    return NULL;
}

/* One that was adopted for a file is not the one that was made since. */
static struct owned_bridge *owner(const struct run_bridge *rb,
                                  const struct owned *o)
{
    struct owned_bridge *b = owned_find(o, rb->info.name);

    return b && !b->adopt == !rb->info.device[0] ? b : NULL;
}

void running_copy_adopted(struct running *r, const struct adopt *all)
{
    bool disable;

    for (unsigned i = 0; all && i < r->n_bridges; i++) {
        struct run_bridge *rb = &r->bridge[i];

        if (rb->info.device[0] && adopt_has(all, rb->info.name, &disable))
            rb->adopt = disable ? CONF_ADOPT_DISABLE : CONF_ADOPT_YES;
    }
}

int running_copy(struct running *r, struct sw *sw, const struct owned *o)
{
    uint64_t end = clock_now() + SLICE_NS;

    while (r->at < r->n_bridges) {
        struct run_bridge *rb = &r->bridge[r->at];
        struct bridge *b = bridge_find(sw, rb->info.name);
        struct bport *p = b ? next_port(r, b) : NULL;
        int rc;

        rb->owned = owner(rb, o);
        if (!p) {
            r->at++;
            r->no = 0;
            continue;
        }
        rc = copy_port(rb, p);
        if (rc)
            return rc;
        if (clock_now() >= end)
            return 1;
    }
    return 0;
}

struct run_bridge *running_find(const struct running *r, const char *name)
{
    for (unsigned i = 0; i < r->n_bridges; i++)
        if (strcmp(r->bridge[i].info.name, name) == 0)
            return &r->bridge[i];
    return NULL;
}

int running_await(struct running *r, const char *name, uint64_t netns,
                  enum conf_adopt adopt)
{
    struct run_awaited *list;

    if (running_awaits(r, name, netns))
        return 0;
    list = realloc(r->awaited, (r->n_awaited + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    r->awaited = list;
    list = &r->awaited[r->n_awaited++];
    *list = (struct run_awaited){.netns = netns, .adopt = adopt};
    snprintf(list->name, sizeof(list->name), "%s", name);
    return 0;
}

bool running_awaits(const struct running *r, const char *name, uint64_t netns)
{
    for (unsigned i = 0; i < r->n_awaited; i++)
        if (r->awaited[i].netns == netns &&
            strcmp(r->awaited[i].name, name) == 0)
            return true;
    return false;
}

bool spec_equal(const struct port_spec *a, const struct port_spec *b)
{
    if (strcmp(a->kind, b->kind) != 0 || strcmp(a->target, b->target) != 0 ||
        a->n_keys != b->n_keys)
        return false;
    for (unsigned i = 0; i < a->n_keys; i++) {
        const char *other = port_spec_get(b, a->key[i].key);

        if (!other || strcmp(other, a->key[i].value) != 0)
            return false;
    }
    return true;
}

int spec_names_none(const struct port_spec *s, struct err *e)
{
    if (!port_spec_has_socket(s))
        return 0;
    return err_set(e, EPERM,
                   "port '%s:%.60s': a UNIX socket would be opened with the "
                   "daemon's rights, so only root and the daemon's user may "
                   "name one",
                   s->kind, s->target);
}

const char *spec_takes(const struct port_spec *s)
{
    return strcmp(s->kind, "packet") == 0 || strcmp(s->kind, "pcap") == 0
               ? s->target
               : NULL;
}
