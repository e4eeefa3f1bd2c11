/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * COLUMN[:KEY]=VALUE, read and compared.
 */
#include "ctl/client/ovs_vsctl_table.h"

#include <stdlib.h>
#include <string.h>

/* The end of KEY, which may stand in quotes. */
static const char *key_end(const char *s)
{
    const char *at = s;

    if (*at == '"')
        for (at++; *at && *at != '"'; at++)
            at += *at == '\\' && at[1];
    return at + strcspn(at, "=!");
}

static int read_key(struct ovs *o, const char **s, struct ovs_place *p)
{
    const char *end = key_end(*s);
    char *text = strndup(*s, (size_t)(end - *s));

    p->key = text ? ovs_atom(text, &o->err) : NULL;
    free(text);
    *s = end;
    return p->key ? 0 : -1;
}

int ovs_read_place(struct ovs *o, const struct ovs_table *t, const char *text,
                   bool want, struct ovs_place *p)
{
    size_t n = strcspn(text, ":=!<>+{");
    const char *s = text + n;

    *p = (struct ovs_place){.column = ovs_find_column(o, t, text, n)};
    if (!p->column)
        return -1;
    if (*s == ':' && (s++, read_key(o, &s, p) < 0))
        return -1;
    p->unequal = s[0] == '!' && s[1] == '=';
    if (p->unequal || *s == '=')
        p->value = s + (p->unequal ? 2 : 1);
    if (want ? p->value != NULL : *s == '\0')
        return 0;
    free(p->key);
    p->key = NULL;
    return want ? ovs_fail(o, "%s: expected COLUMN[:KEY]=VALUE", text)
                : ovs_fail(o, "%s: expected COLUMN[:KEY]", text);
}

const json_t *ovs_value_of(const json_t *map, const char *key)
{
    const json_t *list = json_array_get(map, 1), *pair;
    size_t i;

    json_array_foreach(list, i, pair)
    {
        const char *k = json_string_value(json_array_get(pair, 0));

        if (k && strcmp(k, key) == 0)
            return json_array_get(pair, 1);
    }
    return NULL;
}

bool ovs_says(struct ovs *o, const json_t *v, const char *text)
{
    char *printed = NULL, *bare = ovs_atom(text, &o->err);
    size_t n;
    FILE *f = open_memstream(&printed, &n);
    bool same;

    if (f) {
        ovs_print(f, v, OVS_STRING);
        fclose(f);
    }
    same = printed && strcmp(printed, text) == 0;
    if (!same && bare && json_is_string(v))
        same = strcmp(json_string_value(v), bare) == 0;
    free(printed);
    free(bare);
    return same;
}
