/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `bascule:`, our own section: what netplan has no words for.
 */
#include "ctl/config/draft.h"

#include <stdio.h>
#include <string.h>

/* ---- what there is ---- */

static int read_version(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    (void)to;
    (void)k;
    if (v->type == NODE_SCALAR && strcmp(v->text, "1") == 0)
        return 0;
    return bad(r, v, "only version 1 is known");
}

/* load.c has followed an include; guests.c reads guests. */
static int read_elsewhere(struct reader *r, const struct node *v, void *to,
                          const struct key *k)
{
    (void)r;
    (void)v;
    (void)to;
    (void)k;
    return 0;
}

static int list_bridges(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    struct part *p;
    int rc = want_map(r, v);

    (void)to;
    (void)k;
    if (rc)
        return rc;
    node_each (v, key) {
        rc = draft_part(r, key, true, &p);
        if (rc)
            return rc;
    }
    return 0;
}

static const struct key own_keys[] = {
    {"version", read_version, 0, NULL},
    {"include", read_elsewhere, 0, NULL},
    {"guests", read_elsewhere, 0, NULL},
    {"bridges", list_bridges, 0, NULL},
    {NULL, NULL, 0, NULL},
};

int own_list(struct reader *r, const struct source *s)
{
    struct keys set = {own_keys, r, NULL};

    return s->own ? keys_read(r, s->own, "bascule:", &set, 1) : 0;
}

/* ---- ports ---- */

/* An item that describes a port, not one that adds to a port. */
static bool describes(const struct node *item)
{
    return item->type != NODE_MAP || !node_child(item, "port");
}

int own_count(struct reader *r, struct draft *d, struct part *p, unsigned *n)
{
    int rc = want_map(r, p->key->value);

    (void)d;
    if (rc)
        return rc;
    p->ports = node_child(p->key->value, "ports");
    if (!p->ports)
        return 0;
    rc = want_list(r, p->ports);
    if (rc)
        return rc;
    node_each (p->ports, item)
        *n += describes(item);
    return 0;
}

/* Does the port say nothing that netplan could not say of an ethernet? */
static bool plain(const struct port_spec *s)
{
    return strcmp(s->kind, "packet") == 0 && s->n_keys == 0 && !s->netns &&
           strcmp(s->name, s->target) == 0;
}

/* As it will be printed, it must be fit to be read again. */
static int check_printed(struct reader *r, const struct node *v,
                         const struct port_spec *s)
{
    char printed[2 * SPEC_TEXT_MAX + 64];

    port_spec_format(s, printed, sizeof(printed));
    if (strlen(printed) < SPEC_TEXT_MAX)
        return 0;
    return bad(r, v, "longer than %d characters", SPEC_TEXT_MAX - 1);
}

static int read_spec(struct reader *r, const struct node *v,
                     struct conf_port *p)
{
    struct err e;
    const char *text;
    int rc = value_text(r, v, &text);

    if (rc)
        return rc;
    if (port_spec_parse(&p->spec, text, &e))
        return bad(r, v, "%s", e.text);
    if (!strchr(text, ':') && strchr(p->spec.target, '='))
        return bad(r, v,
                   "%s: if it belongs to the specification before it, "
                   "put that in quotes",
                   SHOW(text));
    p->id = plain(&p->spec) ? conf_text(r->c, p->spec.target) : "";
    if (!p->id)
        return no_memory(r);
    return check_printed(r, v, &p->spec);
}

static int no_read(struct reader *r, const struct node *v, void *to,
                   const struct key *k)
{
    (void)r;
    (void)v;
    (void)to;
    (void)k;
    return 0; /* read before the parameters */
}

static const struct key spec_keys[] = {
    {"spec", no_read, 0, NULL},
    {"port", no_read, 0, NULL},
    {NULL, NULL, 0, NULL},
};

static int read_params(struct reader *r, struct draft *d, unsigned port,
                       const struct node *item)
{
    struct draft_at at = {d, port};
    struct keys set[] = {{spec_keys, NULL, NULL}, {own_port_params, &at, NULL}};

    return keys_read(r, item, "a port", set, 2);
}

static int new_port(struct reader *r, struct draft *d, const struct node *item)
{
    unsigned i = d->b->n_ports;
    struct conf_port *p = &d->b->port[i];
    const struct node *spec = item;
    int rc;

    if (item->type == NODE_MAP) {
        spec = node_child(item, "spec");
        if (!spec)
            return bad(r, item,
                       "a port needs spec: SPECIFICATION, or port: "
                       "NAME for one that network: lists");
    }
    d->b->n_ports++;
    d->port[i].item = item;
    p->pos = item->pos;
    p->wakeonlan = CONF_UNSET;
    p->id = "";
    rc = read_spec(r, spec, p);
    if (rc || item->type != NODE_MAP)
        return rc;
    return read_params(r, d, i, item);
}

/* `port: NAME`: more about a port of `network:`. */
static int more_about(struct reader *r, struct draft *d,
                      const struct node *item)
{
    const struct node *name = node_child(item, "port"),
                      *spec = node_child(item, "spec");
    const struct draft_port *dp;
    const char *text;
    int rc = value_text(r, name, &text);

    if (rc)
        return rc;
    if (spec)
        return bad(r, spec,
                   "either spec: describes a port, or port: names one "
                   "that network: lists; not both");
    dp = names_get(r, d, text);
    if (!dp)
        return bad(r, name,
                   "%s is not among the interfaces that network: "
                   "lists for %s",
                   SHOW(text), d->b->name);
    return read_params(r, d, (unsigned)(dp - d->port), item);
}

static int read_ports(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    int rc;

    (void)k;
    node_each (v, item) {
        rc = describes(item) ? new_port(r, to, item) : more_about(r, to, item);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- bridges ---- */

static int read_local(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    struct draft *d = to;

    (void)k;
    if (d->local)
        return bad_twice(r, v, d->local);
    d->local = v;
    return value_switch(r, v, &d->b->local);
}

static int read_renderer(struct reader *r, const struct node *v, void *to,
                         const struct key *k)
{
    struct draft *d = to;

    (void)k;
    if (d->renderer)
        return bad_twice(r, v, d->renderer);
    d->renderer = v;
    return value_renderer(r, v, &d->b->renderer);
}

static int read_adopt(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    struct draft *d = to;
    const char *text;
    bool on;
    int rc;

    (void)k;
    if (d->adopt)
        return bad_twice(r, v, d->adopt);
    d->adopt = v;
    if (value_is_switch(v, &on)) {
        d->b->adopt = on ? CONF_ADOPT_YES : CONF_ADOPT_NO;
        return 0;
    }
    rc = value_text(r, v, &text);
    if (!rc && strcmp(text, "disable") != 0)
        return bad(r, v, "expected yes, no or disable, found %s", SHOW(text));
    d->b->adopt = CONF_ADOPT_DISABLE;
    return rc;
}

static const struct key bridge_keys[] = {
    {"adopt", read_adopt, 0, NULL}, {"local", read_local, 0, NULL},
    {"ports", read_ports, 0, NULL}, {"renderer", read_renderer, 0, NULL},
    {NULL, NULL, 0, NULL},
};

int own_bridge(struct reader *r, struct draft *d, const struct part *p)
{
    struct keys set[] = {{bridge_keys, d, NULL},
                         {own_bridge_params, d, NULL},
                         {l3_keys, &d->b->l3, d->l3_seen}};

    return keys_read(r, p->key->value, "a bridge", set, 3);
}
