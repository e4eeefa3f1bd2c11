/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of Open vSwitch's database: printed and read.
 */
#include "ctl/client/ovs_vsctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

json_t *ovs_map(const json_t *object)
{
    const char **name = calloc(json_object_size(object) + 1, sizeof(*name));
    json_t *list = json_array(), *o = json_deep_copy(object), *v;
    const char *key;
    size_t n = 0;

    json_object_foreach(o, key, v)
    {
        if (name)
            name[n++] = key;
    }
    if (name)
        qsort(name, n, sizeof(*name), by_text);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("[s,O]", name[i], json_object_get(o, name[i])));
    free(name);
    json_decref(o);
    return json_pack("[s,o]", "map", list);
}

json_t *ovs_set_of(json_t *array)
{
    return json_pack("[s,o]", "set", array);
}

/* ---- printing ---- */

/* Words that cannot be taken for anything else stand without quotes. */
static bool plain(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_-.", *s))
            return false;
    return true;
}

static void print_atom(FILE *out, const json_t *v, bool bare)
{
    const char *s = json_string_value(v);

    if (s && (bare || plain(s)))
        fputs(s, out);
    else
        json_dumpf(v, out, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void print_set(FILE *out, const json_t *list, bool bare)
{
    size_t n = json_array_size(list), i;
    bool brackets = !bare && n != 1;
    const json_t *v;

    fputs(brackets ? "[" : "", out);
    json_array_foreach(list, i, v)
    {
        fputs(i == 0 ? "" : bare ? " " : ", ", out);
        print_atom(out, v, bare);
    }
    fputs(brackets ? "]" : "", out);
}

static void print_map(FILE *out, const json_t *list, bool bare)
{
    const json_t *pair;
    size_t i;

    fputs(bare ? "" : "{", out);
    json_array_foreach(list, i, pair)
    {
        fputs(i == 0 ? "" : bare ? " " : ", ", out);
        print_atom(out, json_array_get(pair, 0), bare);
        fputc('=', out);
        print_atom(out, json_array_get(pair, 1), bare);
    }
    fputs(bare ? "" : "}", out);
}

void ovs_print(FILE *out, const json_t *v, enum ovs_data data)
{
    const char *kind = json_string_value(json_array_get(v, 0));
    const json_t *list = json_array_get(v, 1);

    if (data == OVS_DATA_JSON)
        json_dumpf(v, out, JSON_ENCODE_ANY | JSON_COMPACT);
    else if (kind && strcmp(kind, "map") == 0)
        print_map(out, list, data == OVS_BARE);
    else if (kind)
        print_set(out, list, data == OVS_BARE);
    else
        print_atom(out, v, data == OVS_BARE);
}

/* ---- reading ---- */

/* A JSON string at *s; goes on behind it.  NULL: it is none. */
static char *read_quoted(const char **s)
{
    const char *end = *s + 1, *text;
    json_t *v;
    char *copy;

    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return NULL;
    v = json_loadb(*s, (size_t)(end + 1 - *s), JSON_DECODE_ANY, NULL);
    text = json_string_value(v);
    copy = text ? strdup(text) : NULL;
    json_decref(v);
    *s = end + 1;
    return copy;
}

char *ovs_atom(const char *text, struct err *e)
{
    const char *at = text;
    char *copy;

    if (*text != '"')
        return strdup(text);
    copy = read_quoted(&at);
    if (copy && *at == '\0')
        return copy;
    free(copy);
    err_set(e, EINVAL, "%s is no string in quotes", text);
    return NULL;
}

/* A word up to one of 'ends', or a string in quotes. */
static char *read_word(const char **s, const char *ends)
{
    size_t n;
    char *word;

    if (**s == '"')
        return read_quoted(s);
    n = strcspn(*s, ends);
    word = n ? strndup(*s, n) : NULL;
    *s += n;
    return word;
}

static void skip(const char **s, const char *what)
{
    *s += strspn(*s, what);
}

static bool read_pair(const char **s, json_t *map)
{
    char *key = read_word(s, "=,} \t"), *value = NULL;
    bool ok = key && **s == '=';

    if (ok) {
        ++*s;
        value = read_word(s, ",} \t");
        ok = value && json_object_set_new(map, key, json_string(value)) == 0;
    }
    free(key);
    free(value);
    return ok;
}

json_t *ovs_read_map(const char *text, struct err *e)
{
    json_t *map = json_object();
    const char *s = text;
    bool brace, ok = true;

    skip(&s, " \t");
    brace = *s == '{';
    s += brace;
    skip(&s, " \t,");
    while (ok && *s && *s != '}') {
        ok = read_pair(&s, map);
        skip(&s, " \t,");
    }
    if (ok && brace)
        ok = *s++ == '}';
    if (ok && *s == '\0')
        return map;
    json_decref(map);
    err_set(e, EINVAL, "%s: expected KEY=VALUE,...", text);
    return NULL;
}
