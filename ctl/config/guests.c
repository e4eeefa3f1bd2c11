/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `guests:`.  What a guest may be made of, ctl/guest/def.h says: each value is
 * shown to it as it is read, so that a refusal has its place, and at last the
 * whole.
 */
#include "ctl/config/draft.h"
#include "ctl/guest/def.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUESTS_MAX 1000

/* How a scalar of YAML becomes one of JSON. */
enum form { TEXT, PATH, SWITCH, WHERE };

/* A map while it is read. */
struct object {
    json_t *o;
    const char *list; /* the list it is an item of, as in JSON; NULL: none */
};

/* The member's name in JSON. */
static void member_name(const char *key, char out[32])
{
    snprintf(out, 32, "%s", key);
    for (char *c = out; *c; c++)
        if (*c == '-')
            *c = '_';
}

static int check_value(struct reader *r, const struct node *v, const char *list,
                       const char *key, const json_t *value)
{
    struct err e = {""};
    int rc = value ? guest_def_try(list, key, value, &e) : -ENOMEM;

    if (rc == -ENOMEM)
        return no_memory(r);
    return rc ? bad(r, v, "%s", e.text) : 0;
}

/* A path as the daemon, which is somewhere else, has to know it. */
static json_t *path_value(const struct reader *r, const struct node *v)
{
    const char *slash = strrchr(v->pos.file, '/');
    char *dir, *full = NULL;
    json_t *value;

    if (!r->beside || v->text[0] == '/')
        return json_string(v->text);
    dir = slash ? strndup(v->pos.file, (size_t)(slash - v->pos.file) + 1)
                : strdup("./");
    full = dir ? realpath(dir, NULL) : NULL;
    value = full ? json_sprintf("%s/%s", full, v->text) : NULL;
    free(dir);
    free(full);
    return value;
}

static json_t *scalar(const struct reader *r, const struct node *v,
                      enum form form)
{
    bool on;

    if (form == PATH)
        return path_value(r, v);
    if (form != TEXT && value_is_switch(v, &on))
        return json_string(on ? "on" : "off");
    return json_string(v->text);
}

static int read_value(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    struct object *b = to;
    const char *text;
    json_t *value;
    char key[32];
    bool on;
    int rc = value_text(r, v, &text);

    if (rc)
        return rc;
    if (k->at == WHERE && value_is_switch(v, &on) && !on)
        return 0; /* no screen, as without the key */
    member_name(k->name, key);
    value = scalar(r, v, (enum form)k->at);
    rc = check_value(r, v, b->list, key, value);
    if (!rc && json_object_set(b->o, key, value) < 0)
        rc = no_memory(r);
    json_decref(value);
    return rc;
}

/* ---- lists ---- */

static const struct key disk_keys[] = {
    {"path", read_value, PATH, NULL},
    {"format", read_value, TEXT, NULL},
    {"bus", read_value, TEXT, NULL},
    {"readonly", read_value, SWITCH, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct key net_keys[] = {
    {"bridge", read_value, TEXT, NULL},
    {"kind", read_value, TEXT, NULL},
    {"mac", read_value, TEXT, NULL},
    {"queues", read_value, TEXT, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct key numa_keys[] = {
    {"node", read_value, TEXT, NULL},
    {"cpus", read_value, TEXT, NULL},
    {"memory", read_value, TEXT, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct list {
    const char *name, *what;
    const struct key *keys;
    unsigned needed; /* so many of the first keys have to be there */
    bool alone;      /* a scalar stands for the first of them */
} lists[] = {
    {"disks", "a disk", disk_keys, 1, true},
    {"nets", "a network card", net_keys, 1, true},
    {"numa", "a node", numa_keys, 3, false},
};

static int read_map(struct reader *r, const struct node *item,
                    const struct list *l, struct object *to)
{
    struct keys set = {l->keys, to, NULL};
    int rc = keys_read(r, item, l->what, &set, 1);

    for (unsigned i = 0; !rc && i < l->needed; i++)
        if (!node_child(item, l->keys[i].name))
            rc = bad(r, item, "%s needs %s:", l->what, l->keys[i].name);
    return rc;
}

static int read_item(struct reader *r, const struct node *item,
                     const struct list *l, json_t *list)
{
    struct object to = {json_object(), l->name};
    int rc = to.o ? 0 : no_memory(r);

    if (!rc && l->alone && item->type == NODE_SCALAR)
        rc = read_value(r, item, &to, &l->keys[0]);
    else if (!rc)
        rc = read_map(r, item, l, &to);
    if (!rc && json_array_append(list, to.o) < 0)
        rc = no_memory(r);
    json_decref(to.o);
    return rc;
}

static int read_list(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    const struct list *l = &lists[k->at];
    struct object *b = to;
    json_t *list = json_array();
    int rc = want_list(r, v);

    if (!rc && (!list || json_object_set(b->o, l->name, list) < 0))
        rc = no_memory(r);
    for (const struct node *i = v->first; !rc && i; i = i->next)
        rc = read_item(r, i, l, list);
    json_decref(list);
    return rc;
}

static int read_args(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    struct object *b = to;
    json_t *list = json_array();
    const char *text;
    int rc = want_list(r, v);

    (void)k;
    if (!rc && (!list || json_object_set(b->o, "qemu_args", list) < 0))
        rc = no_memory(r);
    for (const struct node *i = v->first; !rc && i; i = i->next) {
        json_t *value = NULL;

        rc = value_text(r, i, &text);
        if (!rc)
            value = json_string(text);
        if (!rc)
            rc = check_value(r, i, NULL, "qemu_args", value);
        if (!rc && json_array_append(list, value) < 0)
            rc = no_memory(r);
        json_decref(value);
    }
    json_decref(list);
    return rc;
}

/* ---- a guest ---- */

/* Read by itself: it is no part of the definition. */
static int read_start(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    bool on;

    (void)to;
    (void)k;
    return value_switch(r, v, &on);
}

static const struct key guest_keys[] = {
    {"disks", read_list, 0, NULL},
    {"nets", read_list, 1, NULL},
    {"numa", read_list, 2, NULL},
    {"snapshot", read_value, SWITCH, NULL},
    {"cdrom", read_value, PATH, NULL},
    {"kernel", read_value, PATH, NULL},
    {"initrd", read_value, PATH, NULL},
    {"append", read_value, TEXT, NULL},
    {"memory", read_value, TEXT, NULL},
    {"cpus", read_value, TEXT, NULL},
    {"accel", read_value, TEXT, NULL},
    {"machine", read_value, TEXT, NULL},
    {"hugepages", read_value, SWITCH, NULL},
    {"ksm", read_value, SWITCH, NULL},
    {"vnc", read_value, WHERE, NULL},
    {"cloud-init", read_value, PATH, NULL},
    {"boot", read_value, TEXT, NULL},
    {"restart", read_value, TEXT, NULL},
    {"stop-timeout", read_value, TEXT, NULL},
    {"qemu-args", read_args, 0, NULL},
    {"start", read_start, 0, NULL},
    {NULL, NULL, 0, NULL},
};

/* "--disk ...: why": the place is that of the key. */
static int refuse_whole(struct reader *r, const struct node *key,
                        const struct err *e)
{
    const char *text = e->text;
    char word[32];
    size_t n;

    if (strncmp(text, "--", 2) != 0)
        return bad(r, key, "%s", text);
    text += 2;
    n = strcspn(text, " ,:");
    node_each (key->value, k) {
        snprintf(word, sizeof(word), "%s", k->text);
        if (strncmp(word, text, n) == 0 && (!word[n] || !strcmp(word + n, "s")))
            return bad_at(r, &k->pos, "%s", text);
    }
    return bad(r, key, "%s", text);
}

static int keep(struct reader *r, const struct guest_def *d,
                const struct node *key)
{
    struct conf_guest *g = &r->c->guest[r->c->n_guests];
    const struct node *start = node_child(key->value, "start");
    json_t *o = guest_def_write(d);
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    g->name = conf_text(r->c, d->name);
    g->def = text ? conf_text(r->c, text) : NULL;
    g->pos = key->pos;
    g->start = true;
    if (start)
        (void)value_is_switch(start, &g->start);
    json_decref(o);
    free(text);
    if (!g->name || !g->def)
        return no_memory(r);
    r->c->n_guests++;
    return 0;
}

static int read_guest(struct reader *r, const struct node *key,
                      struct guest_def **d)
{
    struct object to = {json_pack("{s:s}", "name", key->text), NULL};
    struct keys set = {guest_keys, &to, NULL};
    struct err e = {""};
    int rc = to.o ? 0 : no_memory(r);

    if (!rc && guest_name_check(key->text, &e))
        rc = bad(r, key, "%s", e.text);
    if (!rc)
        rc = keys_read(r, key->value, "a guest", &set, 1);
    if (!rc && (rc = guest_def_read(d, to.o, &e)) != 0)
        rc = rc == -ENOMEM ? no_memory(r) : refuse_whole(r, key, &e);
    json_decref(to.o);
    return rc;
}

/* ---- all of them ---- */

static int check_others(struct reader *r, struct guest_def *const *d,
                        unsigned n, const struct node *key)
{
    struct err e = {""};

    for (unsigned i = 0; i < n; i++)
        if (guest_def_clash(d[n], d[i], &e))
            return bad(r, key, "%s", e.text);
    for (unsigned i = 0; i < r->c->n_bridges; i++)
        for (unsigned k = 0; k < d[n]->n_nets; k++)
            if (strcmp(d[n]->net[k].port, r->c->bridge[i].name) == 0)
                return bad(r, key, "%s is the name of a bridge, in %s",
                           d[n]->net[k].port, place(&r->c->bridge[i].pos).text);
    return 0;
}

static int read_one(struct reader *r, struct guest_def **d, unsigned *n,
                    const struct node *key)
{
    int rc = read_guest(r, key, &d[*n]);

    if (rc)
        return rc;
    rc = check_others(r, d, *n, key);
    (*n)++;
    return rc ? rc : keep(r, d[*n - 1], key);
}

static int count(struct reader *r, const struct node *const *map, unsigned n,
                 unsigned *all)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < n; i++) {
        rc = want_map(r, map[i]);
        *all += map[i]->n;
        if (!rc && *all > GUESTS_MAX)
            rc = bad(r, map[i], "more than %d guests", GUESTS_MAX);
    }
    return rc;
}

int guests_read(struct reader *r, const struct node *const *map, unsigned n)
{
    struct guest_def **d;
    unsigned all = 0, done = 0;
    int rc = count(r, map, n, &all);

    if (rc || all == 0)
        return rc;
    r->c->guest = conf_alloc(r->c, all * sizeof(*r->c->guest));
    d = r->c->guest ? calloc(all, sizeof(struct guest_def *)) : NULL;
    if (!d)
        return no_memory(r);
    for (unsigned i = 0; !rc && i < n; i++)
        for (const struct node *k = map[i]->first; !rc && k; k = k->next)
            rc = read_one(r, d, &done, k);
    for (unsigned i = 0; i < done; i++)
        guest_def_free(d[i]);
    free(d);
    return rc;
}

int guests_read_all(struct reader *r)
{
    const struct node *map[CONF_FILES_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_sources; i++) {
        const struct node *own = r->source[i].own;

        if (own && node_child(own, "guests"))
            map[n++] = node_child(own, "guests");
    }
    return guests_read(r, map, n);
}
