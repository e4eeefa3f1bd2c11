/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML as it is written out, by libyaml's emitter.  The first failure (there
 * is no memory) is kept; what follows does nothing.
 *
 * Threads: its owner's.
 */
#ifndef CTL_CONFIG_EMIT_H
#define CTL_CONFIG_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

struct emit {
    yaml_emitter_t emitter;
    bool failed;
    char *text;
    size_t len, cap;
};

/* Begins the document and its map.  'o' must not move. */
void emit_start(struct emit *o);
/* malloc'ed, or NULL. */
char *emit_finish(struct emit *o);

void emit_map(struct emit *o);
void emit_map_end(struct emit *o);
void emit_list(struct emit *o, bool one_line);
void emit_list_end(struct emit *o);

/* Quoted where another reader could take it for a number or a boolean. */
void emit_text(struct emit *o, const char *text);
/* As it is. */
void emit_plain(struct emit *o, const char *text);
void emit_quoted(struct emit *o, const char *text);

/* A key and its value. */
void emit_key_text(struct emit *o, const char *key, const char *text);
void emit_key_bool(struct emit *o, const char *key, bool v);
void emit_key_number(struct emit *o, const char *key, uint32_t v);
/* Begins the value, too. */
void emit_key_map(struct emit *o, const char *key);
void emit_key_list(struct emit *o, const char *key, bool one_line);

#endif
