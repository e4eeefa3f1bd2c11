/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/config/print_guests.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void put_value(struct emit *o, const json_t *v);

/* A member's name as files have it. */
static void put_key(struct emit *o, const char *member)
{
    char key[32];

    snprintf(key, sizeof(key), "%s", member);
    for (char *c = key; *c; c++)
        if (*c == '_')
            *c = '-';
    emit_text(o, key);
}

static void put_members(struct emit *o, const json_t *map)
{
    const char *key;
    json_t *v;

    /* the macro wants an object that may be changed */
    json_object_foreach((json_t *)(uintptr_t)map, key, v)
    {
        if (strcmp(key, "name") == 0 || strcmp(key, "from_file") == 0 ||
            (json_is_array(v) && json_array_size(v) == 0))
            continue;
        put_key(o, key);
        put_value(o, v);
    }
}

static void put_list(struct emit *o, const json_t *list)
{
    const json_t *v;
    size_t i;

    emit_list(o, false);
    json_array_foreach(list, i, v)
    {
        put_value(o, v);
    }
    emit_list_end(o);
}

static void put_value(struct emit *o, const json_t *v)
{
    char number[24];

    if (json_is_object(v)) {
        emit_map(o);
        put_members(o, v);
        emit_map_end(o);
    } else if (json_is_array(v)) {
        put_list(o, v);
    } else if (json_is_integer(v)) {
        snprintf(number, sizeof(number), "%lld",
                 (long long)json_integer_value(v));
        emit_plain(o, number);
    } else if (json_is_boolean(v)) {
        emit_plain(o, json_is_true(v) ? "true" : "false");
    } else {
        emit_text(o, json_string_value(v));
    }
}

void print_guests(struct emit *o, const struct conf *c)
{
    if (c->n_guests == 0)
        return;
    emit_key_map(o, "guests");
    for (unsigned i = 0; i < c->n_guests; i++) {
        const struct conf_guest *g = &c->guest[i];
        json_t *def = json_loads(g->def, 0, NULL);

        o->failed |= !def;
        emit_key_map(o, g->name);
        if (def)
            put_members(o, def);
        if (!g->start)
            emit_key_bool(o, "start", false);
        emit_map_end(o);
        json_decref(def);
    }
    emit_map_end(o);
}
