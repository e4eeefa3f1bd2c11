/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records shown: get, list and find.
 */
#include "ctl/client/ovs_vsctl_table.h"

#include <stdlib.h>
#include <string.h>

static int get_one(struct ovs *o, const struct ovs_command *c,
                   const struct ovs_table *t, const json_t *r, const char *text)
{
    const json_t *part;
    struct ovs_place p;
    json_t *v;
    int rc = 0;

    if (ovs_read_place(o, t, text, false, &p) < 0)
        return -1;
    v = p.column->get(o, r);
    part = p.key ? ovs_value_of(v, p.key) : v;
    if (part)
        ovs_print(o->out, part, OVS_STRING);
    else if (!(c->options & OVS_IF_EXISTS))
        rc = ovs_fail(o, "%s %s: column %s has no key %s", t->name,
                      str(r, "name"), p.column->name, p.key);
    fputc('\n', o->out);
    json_decref(v);
    free(p.key);
    return rc;
}

int ovs_get(struct ovs *o, const struct ovs_command *c)
{
    const struct ovs_table *t;
    json_t *r;
    int rc;

    if (c->options & OVS_ID)
        return ovs_fail(o, "get: --id names records for others to refer to; "
                           "nothing here does");
    rc = ovs_table_and_record(o, c, &t, &r);
    for (int i = 2; rc > 0 && i < c->argc; i++)
        rc = get_one(o, c, t, r, c->argv[i]) < 0 ? -1 : 1;
    return rc < 0 ? -1 : 0;
}

#define COLUMNS_MAX 20

struct columns {
    const struct ovs_column *column[COLUMNS_MAX];
    size_t n;
};

/* Those of --columns, in that order, or all. */
static int choose(struct ovs *o, const struct ovs_command *c,
                  const struct ovs_table *t, struct columns *all)
{
    all->n = 0;
    if (!c->columns) {
        for (const struct ovs_column *k = t->columns; k->name; k++)
            all->column[all->n++] = k;
        return 0;
    }
    for (const char *s = c->columns; *s;) {
        size_t n = strcspn(s, ", ");

        if (n && all->n == COLUMNS_MAX)
            return ovs_fail(o, "--columns: at most %d", COLUMNS_MAX);
        if (n && !(all->column[all->n++] = ovs_find_column(o, t, s, n)))
            return -1;
        s += n + (s[n] != '\0');
    }
    return 0;
}

/* A blank line between records. */
static void print_list(struct ovs *o, const struct columns *all,
                       const json_t *r, bool first)
{
    if (!first)
        fputc('\n', o->out);
    for (size_t i = 0; i < all->n; i++) {
        json_t *v = all->column[i]->get(o, r);

        if (o->style.headings)
            fprintf(o->out, "%-20s: ", all->column[i]->name);
        ovs_print(o->out, v, o->style.data);
        fputc('\n', o->out);
        json_decref(v);
    }
}

static void print_csv_cell(struct ovs *o, const char *text, bool first)
{
    bool quotes = strpbrk(text, ",\"\n") != NULL;

    fputs(first ? "" : ",", o->out);
    fputs(quotes ? "\"" : "", o->out);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, o->out);
    fputs(quotes ? "\"" : "", o->out);
}

static void print_csv(struct ovs *o, const struct columns *all, const json_t *r)
{
    for (size_t i = 0; i < all->n; i++) {
        json_t *v = all->column[i]->get(o, r);
        char *text = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        if (f) {
            ovs_print(f, v, o->style.data);
            fclose(f);
        }
        print_csv_cell(o, text ? text : "", i == 0);
        free(text);
        json_decref(v);
    }
    fputc('\n', o->out);
}

static void print_csv_head(struct ovs *o, const struct columns *all)
{
    for (size_t i = 0; i < all->n; i++)
        print_csv_cell(o, all->column[i]->name, i == 0);
    fputc('\n', o->out);
}

static void print_as_json(struct ovs *o, const struct columns *all,
                          const json_t *list)
{
    json_t *rows = json_array(), *heads = json_array(), *whole;
    const json_t *r;
    size_t i;

    for (size_t k = 0; k < all->n; k++)
        json_array_append_new(heads, json_string(all->column[k]->name));
    json_array_foreach(list, i, r)
    {
        json_t *row = json_array();

        for (size_t k = 0; k < all->n; k++)
            json_array_append_new(row, all->column[k]->get(o, r));
        json_array_append_new(rows, row);
    }
    whole = json_pack("{s:o,s:o}", "data", rows, "headings", heads);
    json_dumpf(whole, o->out, JSON_COMPACT);
    fputc('\n', o->out);
    json_decref(whole);
}

static void print_records(struct ovs *o, const struct columns *all,
                          const json_t *list)
{
    const json_t *r;
    size_t i;

    if (o->style.format == OVS_JSON) {
        print_as_json(o, all, list);
        return;
    }
    if (o->style.format == OVS_CSV && o->style.headings)
        print_csv_head(o, all);
    json_array_foreach(list, i, r)
    {
        if (o->style.format == OVS_CSV)
            print_csv(o, all, r);
        else
            print_list(o, all, r, i == 0);
    }
}

static int named_records(struct ovs *o, const struct ovs_command *c,
                         const struct ovs_table *t, json_t *list)
{
    json_t *r;

    for (int i = 1; i < c->argc; i++) {
        int rc = ovs_find_record(o, c, t, c->argv[i], &r);

        if (rc < 0)
            return -1;
        if (rc > 0)
            json_array_append(list, r);
    }
    return 0;
}

int ovs_list(struct ovs *o, const struct ovs_command *c)
{
    const struct ovs_table *t = ovs_find_table(o, c->argv[0]);
    json_t *list = json_array();
    struct columns all;
    int rc = -1;

    if (t && choose(o, c, t, &all) == 0) {
        if (c->argc == 1)
            json_array_extend(list, ovs_records(o, t));
        rc = named_records(o, c, t, list);
        if (rc == 0)
            print_records(o, &all, list);
    }
    json_decref(list);
    return rc;
}

/* 1 yes, 0 no, -1 after o->err. */
static int matches(struct ovs *o, const struct ovs_table *t, const json_t *r,
                   const char *text)
{
    const json_t *part;
    struct ovs_place p;
    json_t *v;
    bool same;

    if (ovs_read_place(o, t, text, true, &p) < 0)
        return -1;
    v = p.column->get(o, r);
    part = p.key ? ovs_value_of(v, p.key) : v;
    same = part && ovs_says(o, part, p.value);
    json_decref(v);
    free(p.key);
    return part && same != p.unequal;
}

/* Conditions are read even where there is no record to be compared. */
static int check_conditions(struct ovs *o, const struct ovs_command *c,
                            const struct ovs_table *t)
{
    for (int i = 1; i < c->argc; i++) {
        struct ovs_place p;

        if (ovs_read_place(o, t, c->argv[i], true, &p) < 0)
            return -1;
        free(p.key);
    }
    return 0;
}

int ovs_find(struct ovs *o, const struct ovs_command *c)
{
    const struct ovs_table *t = ovs_find_table(o, c->argv[0]);
    struct columns all;
    json_t *list, *r;
    size_t i;

    if (!t || choose(o, c, t, &all) < 0 || check_conditions(o, c, t) < 0)
        return -1;
    list = json_array();
    json_array_foreach(ovs_records(o, t), i, r)
    {
        int yes = 1;

        for (int k = 1; yes > 0 && k < c->argc; k++)
            yes = matches(o, t, r, c->argv[k]);
        if (yes > 0)
            json_array_append(list, r);
    }
    print_records(o, &all, list);
    json_decref(list);
    return 0;
}
