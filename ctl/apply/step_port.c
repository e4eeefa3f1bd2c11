/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on ports.
 */
#include "ctl/apply/step_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct saved_port {
    struct port_spec spec; /* its descriptors are owned */
    uint32_t param[BPORT_PARAMS];
    bool edge;
};

static struct saved_port *save_port(const struct bport *p)
{
    struct saved_port *sp = calloc(1, sizeof(*sp));
    struct bport_info i;

    if (!sp)
        return NULL;
    (void)port_spec_copy(&sp->spec, bport_spec(p));
    sp->spec.netns_fd = -1; /* port_del asks */
    sp->spec.file_fd = bport_file(p);
    sp->spec.again = true;
    bport_info(p, &i);
    memcpy(sp->param, i.param, sizeof(sp->param));
    if (i.cost_auto)
        sp->param[BPORT_PATH_COST] = 0;
    sp->edge = i.edge;
    return sp;
}

void step_free_port(struct saved_port *sp)
{
    if (sp && sp->spec.netns_fd >= 0)
        close(sp->spec.netns_fd);
    if (sp && sp->spec.file_fd >= 0)
        close(sp->spec.file_fd);
    free(sp);
}

static void port_left(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_port *o = rc ? NULL : step_owned_port(s);

    if (o) {
        LIST_REMOVE(o, link);
        s->owned_port = o;
    }
    step_done(s, rc, e);
}

/* Where its device is when it is deleted, it is to be again. */
static void port_is_placed(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;

    if (rc)
        step_done(s, rc, e);
    else if (!step_port(s))
        step_gone(s);
    else
        bport_del(step_bridge(s), s->port, port_left, s);
}

static void port_del(struct step *s)
{
    struct bport *p = step_port(s);

    if (!p) {
        step_gone(s);
        return;
    }
    s->saved_port = save_port(p);
    if (!s->saved_port)
        step_no_memory(s);
    else
        bport_netns(p, &s->saved_port->spec.netns_fd, port_is_placed, s);
}

static void port_came_back(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = step_owned_bridge(s);
    const struct saved_port *sp = s->saved_port;
    struct bport *p = rc ? NULL : step_port(s);

    if (!rc && b && s->owned_port) {
        owned_port_add(b, s->owned_port);
        s->owned_port = NULL;
    }
    for (unsigned w = 0; p && w < BPORT_PARAMS; w++)
        if (sp->param[w] != bport_default((enum bport_param)w, sp->edge))
            bport_set(p, (enum bport_param)w, sp->param[w], NULL, NULL);
    step_done(s, rc, e);
}

/* Whatever has become of its device, the port is back. */
static void port_del_back(struct step *s)
{
    struct bridge *b = step_bridge(s);

    if (b)
        bport_add_absent(b, &s->saved_port->spec, port_came_back, s);
    else
        step_gone(s);
}

static void port_came(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = step_owned_bridge(s);
    struct bport *p = rc ? NULL : step_port(s);
    const char *device = spec_takes(&s->wp->spec);
    struct owned_port *o;
    struct bport_info i;

    if (rc || !b || !p) {
        step_done(s, rc, e);
        return;
    }
    o = owned_port_new(s->port, s->wp->netns,
                       device ? s->wp->spec.netns_fd : -1);
    if (!o) {
        s->done = true; /* there it is: to be taken back */
        step_no_memory(s);
        return;
    }
    bport_info(p, &i);
    plan_record(s->wp, &o->record);
    snprintf(o->device, sizeof(o->device), "%s", device ? device : "");
    snprintf(o->id, sizeof(o->id), "%s", s->wp->conf->id);
    o->taken = s->wp->taken;
    o->waits = i.failed;
    owned_port_add(b, o);
    s->was_owned = true;
    step_done(s, 0, e);
}

static void port_add(struct step *s)
{
    struct bridge *b = step_bridge(s);

    if (!b)
        step_gone(s);
    else if (s->op->req->may_wait)
        bport_add_absent(b, &s->wp->spec, port_came, s);
    else
        bport_add(b, &s->wp->spec, port_came, s);
}

static void port_went(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_port *o = step_owned_port(s);

    if (o) {
        LIST_REMOVE(o, link);
        owned_port_free(o);
    }
    step_done(s, rc, e);
}

/* One of that name that is not ours any more was made by hand since. */
static void port_add_back(struct step *s)
{
    struct err none = {""};

    if (step_port(s) && (step_owned_port(s) || !s->was_owned))
        bport_del(step_bridge(s), s->port, port_went, s);
    else
        port_went(s, 0, &none);
}

static void port_own(struct step *s)
{
    struct owned_bridge *b = step_owned_bridge(s);
    struct owned_port *o = step_owned_port(s);
    const char *device = spec_takes(&s->wp->spec);

    s->was_owned = o != NULL;
    if (!o && b) {
        o = owned_port_new(s->port, s->wp->netns,
                           device ? s->wp->spec.netns_fd : -1);
        if (o)
            owned_port_add(b, o);
    }
    if (!o) {
        step_no_memory(s);
        return;
    }
    memcpy(&s->port_record, &o->record, sizeof(o->record));
    plan_record(s->wp, &o->record);
    snprintf(o->device, sizeof(o->device), "%s", device ? device : "");
    snprintf(o->id, sizeof(o->id), "%s", s->wp->conf->id);
    step_done_at_once(s);
}

static void port_own_back(struct step *s)
{
    struct owned_port *o = step_owned_port(s);

    if (o && s->was_owned) {
        memcpy(&o->record, &s->port_record, sizeof(o->record));
    } else if (o) {
        LIST_REMOVE(o, link);
        owned_port_free(o);
    }
    step_done_at_once(s);
}

static void set_port(struct step *s, uint32_t v)
{
    struct bport *p = step_port(s);

    if (p)
        bport_set(p, (enum bport_param)s->param, v, step_done, s);
    else
        step_gone(s);
}

static void port_set(struct step *s)
{
    set_port(s, s->value);
}

static void port_set_back(struct step *s)
{
    if (step_owned_port(s))
        set_port(s, s->old);
    else
        step_done_at_once(s);
}

const struct step_kind_ops step_port_del = {.go = port_del,
                                            .back = port_del_back};
const struct step_kind_ops step_port_add = {.go = port_add,
                                            .back = port_add_back};
const struct step_kind_ops step_port_own = {.go = port_own,
                                            .back = port_own_back};
const struct step_kind_ops step_port_set = {.go = port_set,
                                            .back = port_set_back};
