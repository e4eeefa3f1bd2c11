/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parameters of bridges and ports as people and programs know them: for
 * the commands, files and JSON alike.
 *
 * Threads: constants and pure functions; any.
 */
#ifndef CTL_CONFIG_PARAM_NAMES_H
#define CTL_CONFIG_PARAM_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Names of the parameters that "bridge set" and "port set" know, in the
 * order of the switch's enums (enum bridge_param, enum bport_param).
 */
enum param_unit {
    UNIT_NUMBER,
    UNIT_CENTISECONDS,
    UNIT_SWITCH,
    UNIT_MASK,
    UNIT_WORD /* one of 'word'; in JSON that word, "on" and "off" booleans */
};
struct param_word {
    const char *text;
    uint32_t value;
};
struct param_name {
    const char *name; /* as typed */
    const char *key;  /* in JSON */
    enum param_unit unit;
    const char *help;
    const struct param_word *word; /* UNIT_WORD: the last has no text */
};
extern const struct param_name bridge_param_names[];
extern const struct param_name port_param_names[];
/* Index into the list, or -1. */
int param_find(const struct param_name *list, const char *name);
/* UNIT_WORD: the word for a value ("?": there is none), and the other way. */
const char *param_word(const struct param_name *p, uint32_t value);
bool param_word_value(const struct param_name *p, const char *text,
                      uint32_t *value);

#endif
