/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/config/emit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the text ---- */

static int append(void *data, unsigned char *bytes, size_t n)
{
    struct emit *o = data;

    if (o->cap - o->len <= n) {
        size_t cap = (o->cap + n + 1) * 2;
        char *text = realloc(o->text, cap);

        if (!text)
            return 0;
        o->text = text;
        o->cap = cap;
    }
    memcpy(o->text + o->len, bytes, n);
    o->len += n;
    o->text[o->len] = '\0';
    return 1;
}

/* 'made': the event was; the emitter takes it over. */
static void put(struct emit *o, yaml_event_t *ev, int made)
{
    if (made && o->failed)
        yaml_event_delete(ev);
    else if (!made || !yaml_emitter_emit(&o->emitter, ev))
        o->failed = true;
}

void emit_start(struct emit *o)
{
    yaml_event_t ev;

    memset(o, 0, sizeof(*o));
    if (!yaml_emitter_initialize(&o->emitter)) {
        o->failed = true;
        return;
    }
    yaml_emitter_set_output(&o->emitter, append, o);
    yaml_emitter_set_unicode(&o->emitter, 1);
    yaml_emitter_set_width(&o->emitter, -1);
    put(o, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING));
    put(o, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1));
    emit_map(o);
}

char *emit_finish(struct emit *o)
{
    yaml_event_t ev;

    emit_map_end(o);
    put(o, &ev, yaml_document_end_event_initialize(&ev, 1));
    put(o, &ev, yaml_stream_end_event_initialize(&ev));
    yaml_emitter_delete(&o->emitter);
    if (o->failed) {
        free(o->text);
        o->text = NULL;
    }
    return o->text;
}

/* ---- nodes ---- */

void emit_map(struct emit *o)
{
    yaml_event_t ev;

    put(o, &ev,
        yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1,
                                            YAML_BLOCK_MAPPING_STYLE));
}

void emit_map_end(struct emit *o)
{
    yaml_event_t ev;

    put(o, &ev, yaml_mapping_end_event_initialize(&ev));
}

void emit_list(struct emit *o, bool one_line)
{
    yaml_event_t ev;

    put(o, &ev,
        yaml_sequence_start_event_initialize(
            &ev, NULL, NULL, 1,
            one_line ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE));
}

void emit_list_end(struct emit *o)
{
    yaml_event_t ev;

    put(o, &ev, yaml_sequence_end_event_initialize(&ev));
}

static void scalar(struct emit *o, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t ev;

    put(o, &ev,
        yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)text,
                                     (int)strlen(text), 1, 1, style));
}

void emit_plain(struct emit *o, const char *text)
{
    scalar(o, text, YAML_PLAIN_SCALAR_STYLE);
}

void emit_quoted(struct emit *o, const char *text)
{
    scalar(o, text, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

/* No reader takes it for anything but text. */
static bool clearly_text(const char *text)
{
    static const char *const words[] = {"y",   "n",    "yes", "no",   "true",
                                        "off", "null", "on",  "false"};

    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.-/=:", *c))
            return false;
    if (text[strlen(text) - 1] == ':')
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    return true;
}

void emit_text(struct emit *o, const char *text)
{
    if (clearly_text(text))
        emit_plain(o, text);
    else
        emit_quoted(o, text);
}

/* ---- keys ---- */

void emit_key_text(struct emit *o, const char *key, const char *text)
{
    emit_text(o, key);
    emit_text(o, text);
}

void emit_key_bool(struct emit *o, const char *key, bool v)
{
    emit_text(o, key);
    emit_plain(o, v ? "true" : "false");
}

void emit_key_number(struct emit *o, const char *key, uint32_t v)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", v);
    emit_text(o, key);
    emit_plain(o, text);
}

void emit_key_map(struct emit *o, const char *key)
{
    emit_text(o, key);
    emit_map(o);
}

void emit_key_list(struct emit *o, const char *key, bool one_line)
{
    emit_text(o, key);
    emit_list(o, one_line);
}
