/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orders: what happens to the network, and what is expected of it.
 */
#include "ctl/sim/parse.h"

#include <string.h>

/* ---- whom they are about ---- */

static bool is_end(const struct sim *s, uint32_t port, const struct end *e)
{
    const struct sim_port *p = &s->port[port];

    return strcmp(s->bridge[p->bridge].name, e->name) == 0 &&
           (!e->port || e->port == p->number);
}

/* The one link between two ends. */
static int find_link(struct reader *r, const struct end *a, const struct end *b,
                     struct sim_target *t)
{
    const struct sim *s = r->s;
    unsigned found = 0;

    for (uint32_t i = 0; i < s->lans; i++) {
        const struct sim_lan *l = &s->lan[i];

        if (l->ports != 2 ||
            !((is_end(s, l->port[0], a) && is_end(s, l->port[1], b)) ||
              (is_end(s, l->port[0], b) && is_end(s, l->port[1], a))))
            continue;
        *t = (struct sim_target){SIM_LAN, i};
        found++;
    }
    if (found == 0)
        return sim_bad(&r->scan, a->at, "there is no link between %s and %s",
                       a->name, b->name);
    if (found > 1)
        return sim_bad(&r->scan, a->at,
                       "%u links join %s and %s: name ports, as in %s.p1-%s.p1",
                       found, a->name, b->name, a->name, b->name);
    return 0;
}

static int read_target(struct reader *r, struct sim_target *t)
{
    struct end a, b;
    int rc = sim_parse_end(r, &a);

    if (rc)
        return rc;
    if (sim_take(&r->scan, '-')) {
        rc = sim_parse_end(r, &b);
        return rc ? rc : find_link(r, &a, &b, t);
    }
    if (a.port) {
        t->what = SIM_PORT;
        return sim_end_port(r, &a, &t->index);
    }
    t->what = SIM_LAN;
    t->index = sim_find_lan(r->s, a.name);
    if (t->index != SIM_NONE)
        return 0;
    t->what = SIM_BRIDGE;
    t->index = sim_find_bridge(r->s, a.name);
    return t->index == SIM_NONE
               ? sim_bad(&r->scan, a.at, "there is no bridge or LAN %s", a.name)
               : 0;
}

/* ---- settings ---- */

static const unsigned target_where[] = {[SIM_BRIDGE] = ON_BRIDGE,
                                        [SIM_LAN] = ON_LAN | ON_PORT,
                                        [SIM_PORT] = ON_PORT};

/* "priority 0" as well as "prio=0" */
static int read_setting(struct reader *r, struct sim_order *o)
{
    struct scan *c = &r->scan;
    char name[SIM_WORD_MAX], text[SIM_WORD_MAX] = "";
    size_t at = c->at;
    enum sim_option_id id;
    int rc = sim_word(c, "", "an option", name, sizeof(name));

    if (!rc)
        rc = sim_option_named(r, at, name, target_where[o->target.what], &id);
    if (!rc)
        rc = sim_option_fits(r, &o->target, id, at);
    if (rc)
        return rc;
    if (id == SIM_OPTION_HOST)
        return sim_bad(c, at, "a bridge does not become a host");
    if (!sim_take(c, '='))
        sim_blanks(c);
    if (sim_peek(c) && sim_peek(c) != ',')
        rc = sim_word(c, ".%", "a value", text, sizeof(text));
    o->option = id;
    if (!rc && sim_value_parse(id, text, &o->value, c->err))
        rc = sim_bad_value(c, at);
    return rc;
}

/* All that is said of one target; each option is an order of its own. */
static int read_set(struct reader *r, struct sim_order *o)
{
    struct scan *c = &r->scan;
    struct sim_order more = *o;
    int rc = read_setting(r, o);

    more.target = o->target;
    for (sim_blanks(c); !rc && sim_take(c, ','); sim_blanks(c)) {
        sim_blanks(c);
        o = sim_add_order(r->s);
        if (!o)
            return sim_no_room(r, c->at, r->s->orders, SIM_ORDERS_MAX,
                               "orders");
        *o = more;
        rc = read_setting(r, o);
    }
    return rc;
}

/* ---- expectations ---- */

static int read_role(struct reader *r, struct sim_order *o)
{
    char word[SIM_WORD_MAX];
    size_t at = r->scan.at;
    int rc = sim_word(&r->scan, "", "a role or state", word, sizeof(word));

    if (rc)
        return rc;
    for (int i = STP_ROLE_DISABLED; i <= STP_ROLE_BACKUP; i++)
        if (strcmp(word, stp_role_name((enum stp_role)i)) == 0) {
            o->role = i;
            return 0;
        }
    for (int i = STP_DISCARDING; i <= STP_FORWARDING; i++)
        if (strcmp(word, stp_state_name((enum stp_state)i)) == 0) {
            o->state = i;
            return 0;
        }
    return sim_bad(&r->scan, at, "%s is neither a role nor a state", word);
}

static int read_expect(struct reader *r, struct sim_order *o)
{
    size_t at = r->scan.at;
    int rc = 0;

    if (o->target.what == SIM_LAN)
        return sim_bad(&r->scan, at,
                       "expected are ports' roles and states, "
                       "and that a bridge is the root");
    for (sim_blanks(&r->scan); !rc && sim_peek(&r->scan); sim_blanks(&r->scan))
        rc = read_role(r, o);
    if (rc)
        return rc;
    if (o->role < 0 && o->state < 0)
        return sim_bad(&r->scan, at, "what is expected of it?");
    if (o->target.what == SIM_BRIDGE &&
        (o->role != STP_ROLE_ROOT || o->state >= 0))
        return sim_bad(&r->scan, at,
                       "a bridge is expected to be root, or not "
                       "mentioned");
    return 0;
}

/* ---- all orders ---- */

static const struct {
    const char *name;
    enum sim_verb verb;
    unsigned on; /* 1 << enum sim_what */
    const char *takes;
} verbs[] = {
    {"cut", SIM_CUT, 1 << SIM_LAN | 1 << SIM_PORT, "a link, LAN or port"},
    {"heal", SIM_HEAL, 1 << SIM_LAN | 1 << SIM_PORT, "a link, LAN or port"},
    {"kill", SIM_KILL, 1 << SIM_BRIDGE, "a bridge"},
    {"revive", SIM_REVIVE, 1 << SIM_BRIDGE, "a bridge"},
    {"set", SIM_SET, 7, ""},
    {"mcheck", SIM_MCHECK, 1 << SIM_PORT, "a port"},
    {"expect", SIM_EXPECT, 7, ""},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int read_verb(struct reader *r, struct sim_order *o)
{
    struct scan *c = &r->scan;
    char word[SIM_WORD_MAX];
    size_t at = c->at, v = 0;
    int rc = sim_word(c, "", "an order", word, sizeof(word));

    if (rc)
        return rc;
    while (v < VERBS && strcmp(word, verbs[v].name) != 0)
        v++;
    if (v == VERBS)
        return sim_bad(c, at,
                       "%s is no order: cut, heal, kill, revive, set, mcheck "
                       "and expect are",
                       word);
    o->verb = verbs[v].verb;
    sim_blanks(c);
    at = c->at;
    rc = read_target(r, &o->target);
    if (!rc && !(verbs[v].on & 1U << o->target.what))
        rc = sim_bad(c, at, "%s takes %s", word, verbs[v].takes);
    sim_blanks(c);
    if (!rc && o->verb == SIM_SET)
        rc = read_set(r, o);
    else if (!rc && o->verb == SIM_EXPECT)
        rc = read_expect(r, o);
    return rc;
}

/* The statement's words, for the timeline. */
static void keep_text(const struct scan *c, size_t from, struct sim_order *o)
{
    size_t n = 0;

    while (from + n < c->len && n + 1 < sizeof(o->text) &&
           !strchr(";\n#", c->text[from + n]))
        n++;
    while (n > 0 && strchr(" \t\r", c->text[from + n - 1]))
        n--;
    memcpy(o->text, c->text + from, n);
    o->text[n] = '\0';
}

int sim_parse_order(struct reader *r, uint64_t at)
{
    struct sim_order *o = sim_add_order(r->s);

    if (!o)
        return sim_no_room(r, r->scan.at, r->s->orders, SIM_ORDERS_MAX,
                           "orders");
    o->at = at;
    o->line = r->scan.line;
    keep_text(&r->scan, r->scan.at, o);
    return read_verb(r, o);
}

int sim_parse_timed(struct reader *r)
{
    struct scan *c = &r->scan;
    char word[SIM_WORD_MAX];
    size_t at = c->at;
    uint64_t when;
    int rc = sim_word(c, ".", "a time", word, sizeof(word));

    if (rc)
        return rc;
    if (sim_time_parse(word, &when, c->err))
        return sim_bad_value(c, at);
    sim_blanks(c);
    return sim_parse_order(r, when);
}
