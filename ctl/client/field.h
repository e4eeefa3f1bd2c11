/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an answer of the daemon says, by name; what it does not say is "", 0 or
 * no.  Texts are the object's.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_FIELD_H
#define CTL_CLIENT_FIELD_H

#include <jansson.h>
#include <stdbool.h>

static inline const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static inline long long num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static inline bool yes(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

#endif
