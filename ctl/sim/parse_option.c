/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options in brackets, and for whom they are.
 */
#include "ctl/sim/parse.h"

static const char *where_name(unsigned where)
{
    if (where & ON_DEFAULT)
        return "default";
    if (where & ON_BRIDGE)
        return "a bridge";
    return where & ON_LAN ? "a link or LAN" : "a port";
}

int sim_option_named(struct reader *r, size_t at, const char *name,
                     unsigned where, enum sim_option_id *id)
{
    *id = sim_option_find(name, where);
    if (*id == SIM_OPTION_COUNT)
        return sim_bad(&r->scan, at, "there is no option %s", name);
    if (!(sim_option_table[*id].where & where))
        return sim_bad(&r->scan, at, "%s is no option of %s", name,
                       where_name(where));
    return 0;
}

/* "name" or "name=value" */
static int read_option(struct reader *r, unsigned where, enum sim_option_id *id,
                       uint64_t *value)
{
    struct scan *c = &r->scan;
    char name[SIM_WORD_MAX], text[SIM_WORD_MAX] = "";
    size_t at = c->at;
    int rc = sim_word(c, "", "an option", name, sizeof(name));

    if (!rc)
        rc = sim_option_named(r, at, name, where, id);
    if (!rc && sim_take(c, '='))
        rc = sim_word(c, ".%", "a value", text, sizeof(text));
    if (!rc && sim_value_parse(*id, text, value, c->err))
        rc = sim_bad_value(c, at);
    return rc;
}

static void use_option(struct reader *r, const struct sim_target *t,
                       enum sim_option_id id, uint64_t value)
{
    if (t)
        sim_option_apply(r->s, *t, id, value);
    else
        sim_option_default(r->s, id, value);
}

/* A link of one way has two ends; a host is one by itself, not by default. */
int sim_option_fits(struct reader *r, const struct sim_target *t,
                    enum sim_option_id id, size_t at)
{
    if (id == SIM_OPTION_ONEWAY &&
        (!t || t->what != SIM_LAN || r->s->lan[t->index].ports != 2))
        return sim_bad(&r->scan, at, "oneway is an option of links of two");
    if (id == SIM_OPTION_HOST && !t)
        return sim_bad(&r->scan, at, "host is no option of default");
    return 0;
}

int sim_parse_options(struct reader *r, unsigned where,
                      const struct sim_target *t, unsigned n)
{
    struct scan *c = &r->scan;
    size_t open = c->at;

    if (!sim_take(c, '['))
        return 0;
    do {
        enum sim_option_id id;
        uint64_t value = 0;
        size_t at;
        int rc;

        sim_blanks(c);
        at = c->at;
        rc = read_option(r, where, &id, &value);
        for (unsigned i = 0; i < n && !rc; i++) {
            rc = sim_option_fits(r, t ? &t[i] : NULL, id, at);
            if (!rc)
                use_option(r, t ? &t[i] : NULL, id, value);
        }
        if (rc)
            return rc;
        sim_blanks(c);
    } while (sim_take(c, ','));
    if (!sim_take(c, ']'))
        return sim_bad(c, open, "this [ has no ]");
    return 0;
}
