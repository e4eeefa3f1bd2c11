/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From files to a configuration, in this order: all files are read to trees;
 * names of all sections are gathered; each bridge is read from all the places
 * that tell of it, `network:` first; at last, what must hold between bridges.
 */
#include "ctl/config/draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

/* Folders "." and doubled '/' left out, "x/.." too: for comparing only. */
static char *comparable(struct reader *r, const char *name)
{
    char *out = scratch(r, strlen(name) + 2), *at = out;

    if (!out)
        return NULL;
    if (*name == '/')
        *at++ = '/';
    while (*name) {
        size_t n = strcspn(name, "/");

        if (n == 2 && name[0] == '.' && name[1] == '.' && at > out + 1 &&
            !(at - out >= 3 && memcmp(at - 3, "../", 3) == 0)) {
            for (at--; at > out && at[-1] != '/'; at--)
                continue;
        } else if (n && !(n == 1 && *name == '.')) {
            memcpy(at, name, n);
            at += n;
            *at++ = '/';
        }
        name += n + (name[n] == '/');
    }
    *at = '\0';
    return out;
}

/* 'name' as an include of 'from' means it. */
static char *beside(struct reader *r, const char *name, const char *from)
{
    const char *slash = from ? strrchr(from, '/') : NULL;
    size_t n = slash && *name != '/' ? (size_t)(slash - from) + 1 : 0;
    char *out = conf_alloc(r->c, n + strlen(name) + 1);

    if (out) {
        memcpy(out, from ? from : "", n);
        memcpy(out + n, name, strlen(name) + 1);
    }
    return out;
}

static int read_text(struct reader *r, struct source *s, const char *text,
                     size_t len)
{
    struct conf_pos top = {s->name, 1, 1};

    r->bytes += len;
    if (len > CONF_BYTES_MAX)
        return bad_at(r, &top, "%zu octets long; at most %lu are read", len,
                      CONF_BYTES_MAX);
    if (r->bytes > CONF_BYTES_MAX)
        return bad_at(r, &top, "with this file more than %lu octets in all",
                      CONF_BYTES_MAX);
    return tree_read(r, s->name, text, len, &s->root);
}

static int open_source(struct reader *r, struct source *s,
                       const struct node *why)
{
    char *text = NULL;
    size_t len = 0;
    int rc = r->open(r->arg, s->name, s->from ? s->from->name : NULL, &text,
                     &len, r->e);

    if (rc)
        return why ? err_wrap(r->e, rc, "%s: include", PLACE(why)) : rc;
    rc = read_text(r, s, text, len);
    free(text);
    return rc;
}

static int read_source(struct reader *r, const char *name,
                       const struct source *from, const struct node *why);

static int include(struct reader *r, const struct source *s,
                   const struct node *v)
{
    const char *name;
    int rc = value_text(r, v, &name);

    return rc ? rc : read_source(r, name, s, v);
}

static int includes(struct reader *r, const struct source *s)
{
    int rc = 0;

    if (s->include->type != NODE_LIST)
        return include(r, s, s->include);
    node_each (s->include, item) {
        rc = include(r, s, item);
        if (rc)
            break;
    }
    return rc;
}

static int keep_section(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    const struct node **at = (void *)((char *)to + k->at);

    (void)r;
    *at = v;
    return 0;
}

static const struct key top_keys[] = {
    {"network", keep_section, offsetof(struct source, network), NULL},
    {"bascule", keep_section, offsetof(struct source, own), NULL},
    {NULL, NULL, 0, NULL},
};

static int sections(struct reader *r, struct source *s)
{
    struct keys set = {top_keys, s, NULL};
    int rc = keys_read(r, s->root, "the top of a file", &set, 1);

    if (!rc && s->root->n == 0)
        rc = bad(r, s->root, "empty; expected %s", r->sections);
    if (!rc && s->own)
        s->include = node_child(s->own, "include");
    return rc;
}

static int check_new(struct reader *r, const struct source *s,
                     const struct source *from, const struct node *why)
{
    for (const struct source *o = from; o; o = o->from)
        if (strcmp(o->same, s->same) == 0)
            return bad(r, why, "%s includes itself%s", SHOW(s->name),
                       o == from ? "" : " by way of other files");
    for (unsigned i = 0; i < r->n_sources; i++)
        if (strcmp(r->source[i].same, s->same) == 0)
            return bad(r, why, "%s is included already", SHOW(s->name));
    if (r->n_sources == CONF_FILES_MAX)
        return bad(r, why, "more than %d files", CONF_FILES_MAX);
    return 0;
}

static int read_source(struct reader *r, const char *name,
                       const struct source *from, const struct node *why)
{
    struct source s = {.from = from}, *kept;
    int rc;

    s.name = beside(r, name, from ? from->name : NULL);
    if (s.name)
        s.same = comparable(r, s.name);
    if (!s.same)
        return no_memory(r);
    rc = check_new(r, &s, from, why);
    if (rc)
        return rc;
    kept = &r->source[r->n_sources++];
    *kept = s;
    rc = open_source(r, kept, why);
    if (!rc)
        rc = sections(r, kept);
    if (!rc && kept->include)
        rc = includes(r, kept);
    return rc;
}

/* ---- bridges ---- */

static const char drafts[] = "bridges";

static int new_draft(struct reader *r, const struct node *key,
                     struct draft **out)
{
    struct draft *d = scratch(r, sizeof(*d));

    if (!d)
        return no_memory(r);
    d->key = key;
    d->part_tail = &d->part;
    *r->draft_tail = d;
    r->draft_tail = &d->next;
    r->n_drafts++;
    *out = d;
    return 0;
}

int draft_part(struct reader *r, const struct node *key, bool own,
               struct part **part)
{
    const void *found = names_get(r, drafts, key->text);
    struct draft *d = (struct draft *)(uintptr_t)found;
    struct part *p = scratch(r, sizeof(*p));
    int rc = p ? value_bridge_name(r, key) : no_memory(r);

    if (!rc && strchr(key->text, '%'))
        rc = bad(r, key,
                 "the name contains '%%', which the kernel would "
                 "replace by a number");
    if (!rc && !d)
        rc = new_draft(r, key, &d);
    if (!rc && !found)
        rc = names_put(r, drafts, key->text, d, &found);
    if (rc || !d || !p)
        return rc;
    p->key = key;
    p->own = own;
    *d->part_tail = p;
    d->part_tail = &p->next;
    *part = p;
    return 0;
}

static int count_ports(struct reader *r, struct draft *d, unsigned *n)
{
    int rc = 0;

    for (struct part *p = d->part; p && !rc; p = p->next)
        rc = p->own ? own_count(r, d, p, n) : netplan_count(r, d, p, n);
    if (!rc && *n > BRIDGE_PORTS_MAX)
        rc = bad(r, d->key, "%u ports; a bridge has at most %d", *n,
                 BRIDGE_PORTS_MAX);
    return rc;
}

static int start_bridge(struct reader *r, struct draft *d)
{
    struct conf_bridge *b = d->b;
    unsigned n = 0;
    int rc = count_ports(r, d, &n);

    if (rc)
        return rc;
    snprintf(b->name, sizeof(b->name), "%s", d->key->text);
    b->local = true;
    b->pos = d->key->pos;
    conf_l3_init(&b->l3);
    if (n == 0)
        return 0;
    b->port = conf_alloc(r->c, n * sizeof(*b->port));
    d->port = scratch(r, n * sizeof(*d->port));
    return b->port && d->port ? 0 : no_memory(r);
}

/* Without an interface there is nothing to have addresses. */
static int check_local(struct reader *r, const struct draft *d)
{
    if (d->b->local)
        return 0;
    for (unsigned i = 0; i < L3_KEYS_MAX; i++)
        if (d->l3_seen[i])
            return bad(r, d->l3_seen[i],
                       "%s has no interface (local: no, in %s)", d->b->name,
                       PLACE(d->local));
    return 0;
}

/* It is configured by whoever made it in the kernel. */
static int check_adopted(struct reader *r, const struct draft *d)
{
    for (const struct part *p = d->part; d->b->adopt && p; p = p->next) {
        if (!p->own)
            return bad(r, p->key,
                       "it would be made here, and is a bridge of the kernel's "
                       "by adopt: in %s",
                       PLACE(d->adopt));
        node_each (p->key->value, key)
            if (strcmp(key->text, "adopt") != 0)
                return bad(r, key,
                           "%s is a bridge of the kernel's (adopt: in %s), and "
                           "is configured there",
                           d->b->name, PLACE(d->adopt));
    }
    return 0;
}

static int read_parts(struct reader *r, struct draft *d, bool own)
{
    int rc = 0;

    for (const struct part *p = d->part; p && !rc; p = p->next)
        if (p->own == own)
            rc = own ? own_bridge(r, d, p) : netplan_bridge(r, d, p);
    return rc;
}

static int read_bridge(struct reader *r, struct draft *d)
{
    int rc = start_bridge(r, d);

    if (!rc)
        rc = read_parts(r, d, false);
    if (!rc)
        rc = netplan_spread(r, d);
    if (!rc)
        rc = read_parts(r, d, true);
    if (!rc)
        rc = check_adopted(r, d);
    if (!rc)
        rc = params_settle(r, d);
    return rc ? rc : check_local(r, d);
}

static bool to_be_adopted(const struct draft *d)
{
    bool on = true;

    for (const struct part *p = d->part; p; p = p->next) {
        const struct node *v =
            p->own ? node_child(p->key->value, "adopt") : NULL;

        if (v)
            return !value_is_switch(v, &on) || on;
    }
    return false;
}

/* Those to be adopted last: so they are printed, since `network:` comes first
 * and has no words for them. */
static int read_drafts(struct reader *r, bool adopted, unsigned *n)
{
    int rc = 0;

    for (struct draft *d = r->draft; d && !rc; d = d->next) {
        if (to_be_adopted(d) != adopted)
            continue;
        d->b = &r->c->bridge[(*n)++];
        r->c->n_bridges = *n;
        rc = read_bridge(r, d);
    }
    return rc;
}

static int read_bridges(struct reader *r)
{
    unsigned n = 0;
    int rc;

    if (r->n_drafts == 0)
        return 0;
    r->c->bridge = conf_alloc(r->c, r->n_drafts * sizeof(*r->c->bridge));
    if (!r->c->bridge)
        return no_memory(r);
    rc = read_drafts(r, false, &n);
    return rc ? rc : read_drafts(r, true, &n);
}

/* ---- between bridges ---- */

static const char port_names[] = "port names", devices[] = "devices";

/* Kinds whose target is a network device. */
static bool has_device(const struct port_spec *s)
{
    static const char *const kind[] = {"tap", "packet", "pcap", "xdp"};

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(s->kind, kind[i]) == 0)
            return *s->target != '\0';
    return false;
}

static int check_name(struct reader *r, const struct draft *d, unsigned i)
{
    const struct port_spec *s = &d->b->port[i].spec;
    const struct node *item = d->port[i].item;
    const struct draft *bridge = names_get(r, drafts, s->name);
    const void *first = NULL;
    int rc;

    if (!*s->name)
        return 0;
    if (bridge)
        return bad(r, item, "%s is the name of a bridge, in %s", s->name,
                   PLACE(bridge->key));
    rc = names_put(r, port_names, s->name, item, &first);
    if (!rc && first)
        rc = bad(r, item, "there is a port %s in %s already", s->name,
                 PLACE((const struct node *)first));
    return rc;
}

static int check_device(struct reader *r, const struct draft *d, unsigned i)
{
    const struct port_spec *s = &d->b->port[i].spec;
    const struct node *item = d->port[i].item;
    char text[2 * SPEC_TEXT_MAX + 64];
    const struct draft *bridge;
    const void *first = NULL;
    char *kept;
    int rc;

    if (!has_device(s))
        return 0;
    bridge = s->netns ? NULL : names_get(r, drafts, s->target);
    if (bridge && bridge->b->local)
        return bad(r, item, "%s is a bridge, in %s", s->target,
                   PLACE(bridge->key));
    snprintf(text, sizeof(text), "%s:%s,%s", s->kind, s->target,
             s->netns ? s->netns : "");
    kept = scratch_text(r, text);
    rc = kept ? names_put(r, devices, kept, item, &first) : no_memory(r);
    if (!rc && first)
        rc = bad(r, item, "%s is a port already, in %s", s->target,
                 PLACE((const struct node *)first));
    return rc;
}

static int check_ports(struct reader *r)
{
    int rc = 0;

    for (const struct draft *d = r->draft; d && !rc; d = d->next)
        for (unsigned i = 0; i < d->b->n_ports && !rc; i++) {
            rc = check_name(r, d, i);
            if (!rc)
                rc = check_device(r, d, i);
        }
    return rc;
}

static const char gateways[] = "default routes";

/* netplan says no more about it either; the kernel refuses the second. */
static int check_default(struct reader *r, const struct conf_bridge *b,
                         const struct conf_route *rt)
{
    char text[64], *kept;
    const struct conf_pos *pos = &rt->pos;
    const void *first = NULL;
    int rc;

    snprintf(text, sizeof(text), "%d %u %u", rt->to.family,
             rt->has_table ? rt->table : 254, rt->has_metric ? rt->metric : 0);
    kept = scratch_text(r, text);
    rc = kept ? names_put(r, gateways, kept, pos, &first) : no_memory(r);
    if (!rc && first &&
        conf_note(r->c,
                  "%s: %s: a second default route of the same metric and "
                  "table, see %s; give one of them a metric",
                  place(pos).text, b->name,
                  place((const struct conf_pos *)first).text))
        rc = no_memory(r);
    return rc;
}

static int check_defaults(struct reader *r)
{
    int rc = 0;

    for (unsigned i = 0; i < r->c->n_bridges; i++) {
        const struct conf_bridge *b = &r->c->bridge[i];

        for (unsigned k = 0; k < b->l3.n_routes && !rc; k++)
            if (b->l3.route[k].to.prefix == 0)
                rc = check_default(r, b, &b->l3.route[k]);
    }
    return rc;
}

/* ---- all of it ---- */

static int each_source(struct reader *r,
                       int (*fn)(struct reader *, const struct source *))
{
    int rc = 0;

    for (unsigned i = 0; i < r->n_sources && !rc; i++)
        rc = fn(r, &r->source[i]);
    return rc;
}

static int load(struct reader *r, const char *name)
{
    int rc = read_source(r, name, NULL, NULL);

    if (!rc)
        rc = each_source(r, netplan_list);
    if (!rc)
        rc = each_source(r, own_list);
    if (!rc)
        rc = read_bridges(r);
    if (!rc)
        rc = check_ports(r);
    if (!rc)
        rc = guests_read_all(r);
    if (!rc)
        rc = check_defaults(r);
    return rc ? rc : netplan_notices(r);
}

int conf_load(struct conf **conf, const char *name, conf_open open, void *arg,
              struct err *e)
{
    struct reader *r = calloc(1, sizeof(*r));
    int rc;

    *conf = NULL;
    if (!r)
        return err_set(e, ENOMEM, "no memory for the configuration");
    r->e = e;
    r->open = open;
    r->arg = arg;
    r->draft_tail = &r->draft;
    r->sections = "network: or bascule:";
    r->c = conf_new();
    r->scratch = conf_new();
    rc = r->c && r->scratch ? load(r, name) : no_memory(r);
    conf_free(r->scratch);
    if (rc)
        conf_free(r->c);
    else
        *conf = r->c;
    free(r);
    return rc;
}

/* ---- texts ---- */

struct given {
    const char *text;
    size_t len;
};

static int open_given(void *arg, const char *name, const char *from,
                      char **text, size_t *len, struct err *e)
{
    const struct given *g = arg;

    if (from)
        return err_set(e, EINVAL, "%s: a text alone can include no files",
                       name);
    *text = malloc(g->len + 1);
    if (!*text)
        return err_set(e, ENOMEM, "no memory for the configuration");
    memcpy(*text, g->text, g->len);
    (*text)[g->len] = '\0';
    *len = g->len;
    return 0;
}

int conf_load_text(struct conf **conf, const char *text, size_t len,
                   struct err *e)
{
    struct given g = {text, len};

    return conf_load(conf, "text", open_given, &g, e);
}
