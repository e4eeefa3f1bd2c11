/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/sim/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct sim_option sim_option_table[SIM_OPTION_COUNT] = {
#define X(id, name, where, unit, least, most, help)                            \
    [SIM_OPTION_##id] = {name, where, unit, least, most, help},
    SIM_OPTION_LIST(X)
#undef X
};

enum sim_option_id sim_option_find(const char *name, unsigned where)
{
    bool prio = strcmp(name, "priority") == 0 || strcmp(name, "prio") == 0;

    if (prio)
        name = where & ON_BRIDGE ? "prio" : "portprio";
    for (unsigned i = 0; i < SIM_OPTION_COUNT; i++)
        if (strcmp(sim_option_table[i].name, name) == 0)
            return i;
    return SIM_OPTION_COUNT;
}

/* ---- values ---- */

static int number_parse(const char *text, double *value, const char **unit)
{
    char *end;

    if (!strchr("0123456789.", text[0]) || !text[0])
        return -EINVAL;
    /* hexadecimal and "infinity" are strtod's own ideas */
    if (strspn(text, "0123456789.") == 0 || text[1] == 'x' || text[1] == 'X')
        return -EINVAL;
    *value = strtod(text, &end);
    *unit = end;
    return end == text ? -EINVAL : 0;
}

int sim_time_parse(const char *text, uint64_t *ns, struct err *e)
{
    static const struct {
        const char *name;
        double ns;
    } list[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"", 1e9}};
    const char *unit;
    double v;

    if (number_parse(text, &v, &unit))
        return err_set(e, EINVAL, "%s is no time: say 10s, 1.5ms or 20us",
                       text);
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        if (strcmp(unit, list[i].name) == 0) {
            if (v * list[i].ns > 1e15)
                return err_set(e, EINVAL, "%s is too long", text);
            *ns = (uint64_t)(v * list[i].ns + 0.5);
            return 0;
        }
    return err_set(e, EINVAL, "%s: there is no unit %s; s, ms, us, ns are",
                   text, unit);
}

static int flag_parse(const char *text, uint64_t *value, struct err *e)
{
    if (!*text || strcmp(text, "on") == 0)
        *value = 1;
    else if (strcmp(text, "off") == 0)
        *value = 0;
    else
        return err_set(e, EINVAL, "%s is neither on nor off", text);
    return 0;
}

static int percent_parse(const char *text, uint64_t *value, struct err *e)
{
    const char *unit;
    double v;

    if (number_parse(text, &v, &unit) || strcmp(unit, "%") != 0 || v > 100)
        return err_set(e, EINVAL, "%s is no part of a hundred: say 5%%", text);
    *value = (uint64_t)(v * 1e4 + 0.5);
    return 0;
}

static int whole_parse(const char *text, uint64_t *value, struct err *e)
{
    const char *unit;
    double v;

    if (number_parse(text, &v, &unit) || *unit || strchr(text, '.') || v > 1e12)
        return err_set(e, EINVAL, "%s is no whole number", text);
    *value = (uint64_t)v;
    return 0;
}

static int in_range(const struct sim_option *o, const char *text,
                    uint64_t value, struct err *e)
{
    double unit = o->unit == SIM_TIME ? 1e9 : 1;

    if (value >= o->least && value <= o->most)
        return 0;
    return err_set(e, EINVAL, "%s is not a %s: %.15g to %.15g%s are", text,
                   o->name, (double)o->least / unit, (double)o->most / unit,
                   o->unit == SIM_TIME ? " s" : "");
}

int sim_value_parse(enum sim_option_id id, const char *text, uint64_t *value,
                    struct err *e)
{
    const struct sim_option *o = &sim_option_table[id];
    int rc = 0;

    if (!*text && o->unit != SIM_FLAG)
        return err_set(e, EINVAL, "%s needs a value", o->name);
    switch (o->unit) {
    case SIM_FLAG:
        rc = flag_parse(text, value, e);
        break;
    case SIM_NUMBER:
        rc = whole_parse(text, value, e);
        break;
    case SIM_TIME:
        rc = sim_time_parse(text, value, e);
        break;
    case SIM_PERCENT:
        rc = percent_parse(text, value, e);
        break;
    }
    return rc ? rc : in_range(o, text, *value, e);
}

/* ---- setting ---- */

static uint16_t protocol_time(uint64_t ns)
{
    return (uint16_t)(ns / (SIM_SECOND / STP_SECOND));
}

static void set_bridge(struct sim_bridge *b, enum sim_option_id id,
                       uint64_t value)
{
    switch (id) {
    case SIM_OPTION_PRIO:
        b->priority = (uint16_t)value;
        break;
    case SIM_OPTION_STP:
        b->config.force_version = value ? 0 : 2;
        break;
    case SIM_OPTION_HOST:
        b->host = value;
        break;
    case SIM_OPTION_HELLO:
        b->config.hello = protocol_time(value);
        break;
    case SIM_OPTION_MAXAGE:
        b->config.max_age = protocol_time(value);
        break;
    case SIM_OPTION_FD:
        b->config.forward_delay = protocol_time(value);
        break;
    case SIM_OPTION_HOLD:
        b->config.tx_hold_count = (uint8_t)value;
        break;
    case SIM_OPTION_RECOVERY:
        b->config.recovery = (uint32_t)(value / SIM_SECOND);
        break;
    default:
        break;
    }
}

static void set_lan(struct sim_lan *l, enum sim_option_id id, uint64_t value)
{
    if (id == SIM_OPTION_DELAY)
        l->delay = value;
    else if (id == SIM_OPTION_LOSS)
        l->loss = (uint32_t)value;
    else if (id == SIM_OPTION_LOOP)
        l->loop = value;
}

static void set_number(struct sim_port *p, enum sim_option_id id,
                       uint64_t value)
{
    if (id == SIM_OPTION_COST)
        p->config.cost = (uint32_t)value;
    else if (id == SIM_OPTION_PORTPRIO)
        p->priority = (uint8_t)value;
}

/* The flag of a port; NULL. */
static bool *flag_of(struct sim_port *p, enum sim_option_id id)
{
    bool *const flag[SIM_OPTION_COUNT] = {
        [SIM_OPTION_EDGE] = &p->config.admin_edge,
        [SIM_OPTION_AUTOEDGE] = &p->config.auto_edge,
        [SIM_OPTION_SHARED] = &p->shared,
        [SIM_OPTION_MUTE] = &p->mute,
        [SIM_OPTION_DEAF] = &p->deaf,
        [SIM_OPTION_BPDUGUARD] = &p->config.bpdu_guard,
        [SIM_OPTION_FILTER] = &p->config.bpdu_filter,
        [SIM_OPTION_ROOTGUARD] = &p->config.root_guard,
        [SIM_OPTION_TCNGUARD] = &p->config.tcn_guard,
        [SIM_OPTION_LOOPGUARD] = &p->config.loop_guard,
        [SIM_OPTION_ASSURANCE] = &p->config.assurance,
    };

    return flag[id];
}

static void set_port(struct sim_port *p, enum sim_option_id id, uint64_t value)
{
    bool *flag = flag_of(p, id);

    if (flag)
        *flag = value;
    else
        set_number(p, id, value);
}

void sim_option_apply(struct sim *s, struct sim_target t, enum sim_option_id id,
                      uint64_t value)
{
    const struct sim_lan *l;

    if (t.what == SIM_BRIDGE) {
        set_bridge(&s->bridge[t.index], id, value);
        return;
    }
    if (t.what == SIM_PORT) {
        set_port(&s->port[t.index], id, value);
        return;
    }
    l = &s->lan[t.index];
    set_lan(&s->lan[t.index], id, value);
    if (id == SIM_OPTION_ONEWAY && l->ports == 2)
        s->port[l->port[1]].mute = value;
    for (uint32_t i = 0; i < l->ports; i++)
        set_port(&s->port[l->port[i]], id, value);
}

void sim_option_default(struct sim *s, enum sim_option_id id, uint64_t value)
{
    if (id == SIM_OPTION_APPLY)
        s->apply = value;
    set_bridge(&s->new_bridge, id, value);
    set_lan(&s->new_lan, id, value);
    set_port(&s->new_port, id, value);
}

void sim_defaults(struct sim *s)
{
    s->random = 1;
    s->apply = SIM_SECOND / 5000;
    s->new_bridge = (struct sim_bridge){
        .priority = 32768,
        .config = {.force_version = 2,
                   .tx_hold_count = 6,
                   .hello = 2 * STP_SECOND,
                   .max_age = 20 * STP_SECOND,
                   .forward_delay = 15 * STP_SECOND,
                   .recovery = 300},
    };
    s->new_lan = (struct sim_lan){.delay = SIM_SECOND / 100000};
    s->new_port = (struct sim_port){.priority = 32,
                                    .config = {.cost = 4, .auto_edge = true}};
}
