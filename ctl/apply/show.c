/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs, as a file would say it: copied by the control thread, put
 * together and printed by the task thread.
 */
#include "ctl/apply/op.h"
#include "ctl/config/load.h"
#include "ctl/config/pool.h"
#include "ctl/config/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show_member(const struct run_port *rp, struct conf_port *c)
{
    const struct member *m = rp->owned ? &rp->owned->record.member : NULL;

    c->wakeonlan = m ? m->wakeonlan : CONF_UNSET;
    if (!m)
        return;
    c->mac_set = m->has_mac;
    c->mac = m->mac;
    c->mtu = m->mtu;
}

static bool plain_device(const struct port_spec *s)
{
    return strcmp(s->kind, "packet") == 0 && s->n_keys == 0 && !s->netns &&
           strcmp(s->name, s->target) == 0;
}

static int show_port(struct conf *conf, const struct run_port *rp,
                     struct conf_port *c)
{
    int rc = port_spec_copy(&c->spec, &rp->spec);

    c->spec.netns_fd = -1;
    c->id = plain_device(&rp->spec) ? conf_text(conf, rp->spec.target) : "";
    for (unsigned w = 0; w < BPORT_PARAMS; w++) {
        c->param[w] = rp->param[w];
        c->set[w] =
            rp->param[w] != bport_default((enum bport_param)w, rp->edge);
    }
    show_member(rp, c);
    return rc || !c->id ? -ENOMEM : 0;
}

/* What nobody wrote: as the bridge was found. */
static void show_found(const struct bridge_info *i, struct conf_l3 *l3)
{
    conf_l3_init(l3);
    l3->mac_set = i->mac_set;
    if (i->mac_set)
        l3->mac = i->mac;
    l3->mtu = i->mtu_set ? i->mtu : 0;
    l3->activation_manual = i->local && !i->up;
}

/* All else is the kernel's, and known there. */
static void show_adopted(const char name[PORT_NAME_MAX], enum conf_adopt adopt,
                         struct conf_bridge *c)
{
    memcpy(c->name, name, sizeof(c->name));
    c->adopt = adopt;
    c->local = true;
    conf_l3_init(&c->l3);
}

/* They are back already, or something else has the name, where it runs. */
static void show_awaited(const struct op *op, struct conf *conf)
{
    const struct running *r = op->running;

    for (unsigned i = 0; i < r->n_awaited; i++) {
        const struct run_awaited *w = &r->awaited[i];

        if (w->netns == op->netns && !running_find(r, w->name))
            show_adopted(w->name, w->adopt, &conf->bridge[conf->n_bridges++]);
    }
}

static int show_bridge(struct conf *conf, const struct running *r,
                       const struct run_bridge *rb, struct conf_bridge *c)
{
    const struct owned_bridge *o = rb->owned;
    const struct conf_l3 *now = o && o->l3 ? l3_current(o->l3) : NULL;

    memcpy(c->name, rb->info.name, sizeof(c->name));
    c->local = rb->info.local;
    for (unsigned w = 0; w < BRIDGE_PARAMS; w++) {
        c->param[w] = rb->info.param[w];
        c->set[w] = w == BRIDGE_STP ||
                    rb->info.param[w] != bridge_default((enum bridge_param)w);
    }
    if (o && o->record.renderer) {
        c->renderer = conf_text(conf, o->record.renderer);
        if (!c->renderer)
            return -ENOMEM;
    }
    if (now)
        c->l3 = *now; /* its memory is layer 3's until it is printed */
    else
        show_found(&rb->info, &c->l3);
    c->port = conf_alloc(conf, (rb->n_ports + 1) * sizeof(*c->port));
    for (unsigned i = 0; c->port && i < rb->n_ports; i++)
        if (!running_guest_of(r, rb->info.name, rb->port[i].name) &&
            show_port(conf, &rb->port[i], &c->port[c->n_ports++]))
            return -ENOMEM;
    return c->port ? 0 : -ENOMEM;
}

static int show_guests(struct conf *conf, const struct running *r)
{
    conf->guest = conf_alloc(conf, (r->n_guests + 1) * sizeof(*conf->guest));
    if (!conf->guest)
        return -ENOMEM;
    for (unsigned i = 0; i < r->n_guests; i++) {
        struct conf_guest *c = &conf->guest[conf->n_guests++];

        c->name = r->guest[i].name; /* until it is printed */
        c->def = r->guest[i].def;
        c->start = r->guest[i].active;
    }
    return 0;
}

static int show_all(struct op *op, struct conf *conf)
{
    const struct running *r = op->running;
    int rc = 0;

    conf->bridge = conf_alloc(conf, (r->n_bridges + r->n_awaited + 1) *
                                        sizeof(*conf->bridge));
    if (!conf->bridge)
        return -ENOMEM;
    for (unsigned i = 0; !rc && i < r->n_bridges; i++)
        if (r->bridge[i].info.netns == op->netns && r->bridge[i].adopt)
            show_adopted(r->bridge[i].info.name, r->bridge[i].adopt,
                         &conf->bridge[conf->n_bridges++]);
        else if (r->bridge[i].info.netns == op->netns &&
                 !r->bridge[i].info.device[0])
            rc = show_bridge(conf, r, &r->bridge[i],
                             &conf->bridge[conf->n_bridges++]);
    show_awaited(op, conf);
    return rc ? rc : show_guests(conf, r);
}

/* Bridges that a file applied here could not make. */
static char *elsewhere(const struct op *op)
{
    const struct running *r = op->running;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return NULL;
    for (unsigned i = 0; i < r->n_bridges; i++) {
        const struct bridge_info *b = &r->bridge[i].info;

        if (b->netns != op->netns)
            fprintf(f, "# %s is in another network namespace\n", b->name);
    }
    fclose(f);
    return text;
}

static int show_work(void *arg, struct err *e)
{
    struct op *op = arg;
    struct conf *conf = conf_new();
    int rc = conf ? show_all(op, conf) : -ENOMEM;
    char *text = rc ? NULL : conf_print(conf);
    char *head = elsewhere(op);

    conf_free(conf);
    if (text && head && asprintf(&op->text, "%s%s", head, text) < 0)
        op->text = NULL;
    free(text);
    free(head);
    return op->text ? 0 : err_set(e, ENOMEM, "out of memory");
}

static void showed(void *arg, int rc, const struct err *e)
{
    struct op *op = arg;

    op->show(op->arg, rc, e, op->text);
    op_over(op, false);
}

static void show_failed(struct op *op)
{
    struct err e;

    showed(op, err_set(&e, ENOMEM, "out of memory"), &e);
}

static void copy(struct op *op)
{
    int rc = running_copy(op->running, op->a->sw, &op->a->owned);

    if (rc > 0)
        op_yield(op, copy);
    else if (rc < 0 || sw_job(op->a->sw, show_work, showed, op))
        show_failed(op);
}

void apply_show_begin(struct op *op)
{
    if (op_copy(op))
        show_failed(op);
    else
        copy(op);
}

void apply_config(struct apply *a, int netns_fd, apply_notice notice,
                  apply_text done, void *arg)
{
    struct op *op = op_new(a, apply_show_begin, arg);
    uint64_t netns = op_netns(netns_fd);
    struct err e;

    if (netns_fd >= 0)
        close(netns_fd);
    if (!op) {
        done(arg, err_set(&e, ENOMEM, "out of memory"), &e, NULL);
        return;
    }
    op->notice = notice;
    op->show = done;
    op->netns = netns;
    op_queue(op);
}
