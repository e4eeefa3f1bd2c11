/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/reason.h"

#include <stddef.h>

static const char *const names[] = {
#define X(id, name, text) name,
    PORT_REASON_LIST(X) SWITCH_REASON_LIST(X) REMARK_LIST(X)
#undef X
};

static const char *const texts[] = {
#define X(id, name, text) text,
    PORT_REASON_LIST(X) SWITCH_REASON_LIST(X) REMARK_LIST(X)
#undef X
};

_Static_assert(sizeof(names) / sizeof(names[0]) == REASON_COUNT,
               "a name for each reason");

const char *reason_name(enum reason r)
{
    return (unsigned)r < REASON_COUNT ? names[r] : NULL;
}

const char *reason_text(enum reason r)
{
    return (unsigned)r < REASON_COUNT ? texts[r] : NULL;
}
