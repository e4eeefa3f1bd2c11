/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records changed: set, add, remove and clear.
 */
#include "ctl/client/ovs_vsctl_table.h"

#include <stdlib.h>
#include <string.h>

static int set_labels(struct ovs *o, json_t *r, const struct ovs_place *p)
{
    json_t *labels;
    char *value;

    if (!p->key) {
        labels = ovs_read_map(p->value, &o->err);
        return labels ? ovs_change(o, r, "labels", labels, OVS_SET_LABELS) : -1;
    }
    value = ovs_atom(p->value, &o->err);
    if (!value)
        return -1;
    labels = json_deep_copy(json_object_get(r, "labels"));
    json_object_set_new(labels, p->key, json_string(value));
    free(value);
    return ovs_change(o, r, "labels", labels, OVS_SET_LABELS);
}

/* A new port becomes a tap that the switch makes; others stay what they are. */
static int set_type(struct ovs *o, json_t *r, const char *value)
{
    char spec[64];

    if (strcmp(value, ovs_type(r)) == 0 ||
        (strcmp(value, "system") == 0 && !*ovs_type(r)))
        return 0;
    if (strcmp(value, "internal") != 0 && strcmp(value, "tap") != 0)
        return ovs_fail(o,
                        "type=%s: there are no such interfaces here; the "
                        "kinds of ports are in bascule help addif",
                        value);
    if (json_object_get(r, "no")) /* it is there already */
        return ovs_fail(o, "type=%s: port %s is no such interface", value,
                        str(r, "name"));
    snprintf(spec, sizeof(spec), "tap:%s", str(r, "name"));
    json_object_set_new(r, "spec", json_string(spec));
    json_object_set_new(r, "kind", json_string("tap"));
    return 0;
}

static int set_flag(struct ovs *o, json_t *r, const char *key,
                    const char *value, enum ovs_step_kind kind)
{
    bool on = strcmp(value, "true") == 0;

    if (!on && strcmp(value, "false") != 0)
        return ovs_fail(o, "%s: true or false is expected", value);
    return ovs_change(o, r, key, json_boolean(on), kind);
}

/* A column that cannot be set, but may be told what it says. */
static int set_nothing(struct ovs *o, const json_t *r,
                       const struct ovs_place *p, const char *text)
{
    json_t *v = p->column->get(o, r);
    bool same = !p->key && ovs_says(o, v, p->value);

    json_decref(v);
    return same ? 0
                : ovs_fail(o, "%s for %s: %s", text, str(r, "name"),
                           p->column->why);
}

static int set_one(struct ovs *o, const struct ovs_table *t, json_t *r,
                   const char *text)
{
    struct ovs_place p;
    int rc;

    if (ovs_read_place(o, t, text, true, &p) < 0)
        return -1;
    if (p.unequal)
        rc = ovs_fail(o, "%s: expected COLUMN[:KEY]=VALUE", text);
    else if (p.column->how == SET_LABELS)
        rc = set_labels(o, r, &p);
    else if (p.key || p.column->how == SET_NEVER)
        rc = set_nothing(o, r, &p, text);
    else if (p.column->how == SET_TYPE)
        rc = set_type(o, r, p.value);
    else if (p.column->how == SET_ISOLATED)
        rc = set_flag(o, r, "isolated", p.value, OVS_SET_ISOLATED);
    else
        rc = set_flag(o, r, "stp_state", p.value, OVS_SET_STP);
    free(p.key);
    return rc;
}

int ovs_set_port(struct ovs *o, json_t *port, const char *text)
{
    return set_one(o, ovs_find_table(o, "Port"), port, text);
}

int ovs_set(struct ovs *o, const struct ovs_command *c)
{
    const struct ovs_table *t;
    json_t *r;
    int rc = ovs_table_and_record(o, c, &t, &r);

    for (int i = 2; rc > 0 && i < c->argc; i++)
        rc = set_one(o, t, r, c->argv[i]) < 0 ? -1 : 1;
    return rc < 0 ? -1 : 0;
}

/* The column that add and remove are about: external_ids of a port, or none. */
static int labels_column(struct ovs *o, const struct ovs_command *c,
                         const struct ovs_table *t)
{
    const char *text = c->argv[2];
    const struct ovs_column *k = ovs_find_column(o, t, text, strlen(text));

    if (!k)
        return -1;
    return k->how == SET_LABELS
               ? 0
               : ovs_fail(o, "%s %s of %s: %s", ovs_verbs[c->verb].name,
                          k->name, c->argv[1], k->why ? k->why : "use set");
}

static int add_pairs(struct ovs *o, json_t *labels, const char *text)
{
    json_t *more = ovs_read_map(text, &o->err);
    int rc = more ? json_object_update_missing(labels, more) : -1;

    json_decref(more);
    return rc;
}

/* KEY, or KEY=VALUE if it has that value. */
static int remove_pair(struct ovs *o, json_t *labels, const char *text)
{
    json_t *pairs, *v;
    const char *key;
    char *name;

    if (!strchr(text, '=')) {
        name = ovs_atom(text, &o->err);
        if (name)
            json_object_del(labels, name);
        free(name);
        return name ? 0 : -1;
    }
    pairs = ovs_read_map(text, &o->err);
    json_object_foreach(pairs, key, v)
    {
        if (json_equal(json_object_get(labels, key), v))
            json_object_del(labels, key);
    }
    json_decref(pairs);
    return pairs ? 0 : -1;
}

static int change_labels(struct ovs *o, const struct ovs_command *c,
                         int (*one)(struct ovs *o, json_t *labels,
                                    const char *text))
{
    const struct ovs_table *t;
    json_t *r, *labels;
    int rc = ovs_table_and_record(o, c, &t, &r);

    if (rc <= 0)
        return rc;
    if (labels_column(o, c, t) < 0)
        return -1;
    labels = json_deep_copy(json_object_get(r, "labels"));
    for (int i = 3; i < c->argc; i++) {
        if (one(o, labels, c->argv[i]) < 0) {
            json_decref(labels);
            return -1;
        }
    }
    return ovs_change(o, r, "labels", labels, OVS_SET_LABELS);
}

int ovs_add(struct ovs *o, const struct ovs_command *c)
{
    return change_labels(o, c, add_pairs);
}

int ovs_remove(struct ovs *o, const struct ovs_command *c)
{
    return change_labels(o, c, remove_pair);
}

/* What is empty anyway is cleared; the rest has to be said with set. */
static int clear_one(struct ovs *o, const struct ovs_table *t, json_t *r,
                     const char *text)
{
    const struct ovs_column *k = ovs_find_column(o, t, text, strlen(text));
    json_t *v;
    bool empty;

    if (!k)
        return -1;
    if (k->how == SET_LABELS)
        return ovs_change(o, r, "labels", json_object(), OVS_SET_LABELS);
    v = k->get(o, r);
    empty = json_is_array(v) && json_array_size(json_array_get(v, 1)) == 0;
    json_decref(v);
    return empty ? 0
                 : ovs_fail(o, "column %s of %s cannot be cleared", k->name,
                            t->name);
}

int ovs_clear(struct ovs *o, const struct ovs_command *c)
{
    const struct ovs_table *t;
    json_t *r;
    int rc = ovs_table_and_record(o, c, &t, &r);

    for (int i = 2; rc > 0 && i < c->argc; i++)
        rc = clear_one(o, t, r, c->argv[i]) < 0 ? -1 : 1;
    return rc < 0 ? -1 : 0;
}
