/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/plan_impl.h"

#include <stdio.h>

/* Names that netplan has for the same are said in its words. */
const char *plan_bridge_word(unsigned w)
{
    static const char *const word[BRIDGE_PARAMS] = {
        [BRIDGE_AGEING] = "ageing-time",
        [BRIDGE_HELLO] = "hello-time",
    };

    return word[w] ? word[w] : bridge_param_names[w].name;
}

const char *plan_port_word(unsigned w)
{
    return w == BPORT_PRIORITY ? "port-priority" : port_param_names[w].name;
}

static const char *time_words(uint32_t cs, char out[32])
{
    if (cs % 100)
        snprintf(out, 32, cs % 10 ? "%u.%02u" : "%u.%u", cs / 100,
                 cs % 10 ? cs % 100 : cs % 100 / 10);
    else
        snprintf(out, 32, "%u", cs / 100);
    return out;
}

const char *plan_in_words(const struct param_name *p, uint32_t v, char out[32])
{
    if (p->unit == UNIT_CENTISECONDS)
        return time_words(v, out);
    if (p->unit == UNIT_SWITCH)
        snprintf(out, 32, "%s", v ? "on" : "off");
    else if (p->unit == UNIT_MASK)
        snprintf(out, 32, "0x%x", v);
    else if (p->unit == UNIT_WORD)
        snprintf(out, 32, "%s", param_word(p, v));
    else if (p == &port_param_names[BPORT_PATH_COST] && v == 0)
        snprintf(out, 32, "automatic");
    else
        snprintf(out, 32, "%u", v);
    return out;
}

/* "WHAT: NAME 300 → 60 s" */
int plan_say_change(struct plan *p, struct step *s, const char *what,
                    const char *name, const struct param_name *param)
{
    char old[32], new[32];

    return plan_say(p, s, "%s: %s %s → %s%s", what, name,
                    plan_in_words(param, s->old, old),
                    plan_in_words(param, s->value, new),
                    param->unit == UNIT_CENTISECONDS ? " s" : "");
}
