/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of networks.  Statements end with a line or a ';':
 *
 *   statement  item... | lan ':' member... | '@' time order | expectation
 *              | 'default' '[' option,... ']'
 *   item       bridge[options] | port[options] | end '-' end ['-' end...]
 *              [options]                            (links, one for each '-')
 *   lan        name[options]
 *   member     end[options]
 *   end        bridge | port
 *   port       bridge '.p' number
 *   order      'cut' what | 'heal' what | 'kill' bridge | 'revive' bridge
 *              | 'mcheck' port | 'set' what option... | expectation
 *   what       bridge | lan | port | end '-' end
 *   expectation 'expect' port role [state] | 'expect' bridge 'root'
 *   option     name | name=value
 *
 * A bridge is there as soon as it is named.  Its ports are numbered as they
 * are named; an end may say which number it is to be.
 */
#include "ctl/sim/option.h"
#include "ctl/sim/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An end as written. */
struct end {
    char name[SIM_NAME_MAX];
    unsigned port; /* 0: none said */
    size_t at;
};

struct reader {
    struct scan scan;
    struct sim *s;
};

static int no_room(struct reader *r, size_t at)
{
    return sim_bad(&r->scan, at, "the network is too large");
}

/* ---- ends ---- */

static int read_port_number(struct reader *r, struct end *e)
{
    struct scan *c = &r->scan;
    size_t at = c->at;
    unsigned n = 0;

    if (!sim_take(c, 'p'))
        return sim_bad(c, at, "a port is written %s.p1", e->name);
    while (sim_peek(c) >= '0' && sim_peek(c) <= '9' && n <= SIM_PORTS_MAX)
        n = n * 10 + (unsigned)(c->text[c->at++] - '0');
    if (n < 1 || n > SIM_PORTS_MAX)
        return sim_bad(c, at, "ports have numbers from 1 to %d", SIM_PORTS_MAX);
    e->port = n;
    return 0;
}

static int read_end(struct reader *r, struct end *e)
{
    struct scan *c = &r->scan;
    int rc;

    e->at = c->at;
    e->port = 0;
    rc = sim_word(c, "", "a name", e->name, sizeof(e->name));
    if (rc)
        return rc;
    if (e->name[0] >= '0' && e->name[0] <= '9')
        return sim_bad(c, e->at, "%s: names begin with a letter", e->name);
    return sim_take(c, '.') ? read_port_number(r, e) : 0;
}

/* The bridge of that name, made if need be. */
static int bridge_of(struct reader *r, const struct end *e, uint32_t *bridge)
{
    *bridge = sim_find_bridge(r->s, e->name);
    if (*bridge != SIM_NONE)
        return 0;
    if (sim_find_lan(r->s, e->name) != SIM_NONE)
        return sim_bad(&r->scan, e->at, "%s is a LAN, not a bridge", e->name);
    *bridge = sim_add_bridge(r->s, e->name);
    return *bridge == SIM_NONE ? no_room(r, e->at) : 0;
}

static int known_bridge(struct reader *r, const struct end *e, uint32_t *bridge)
{
    *bridge = sim_find_bridge(r->s, e->name);
    return *bridge == SIM_NONE
               ? sim_bad(&r->scan, e->at, "there is no bridge %s", e->name)
               : 0;
}

static int known_port(struct reader *r, const struct end *e, uint32_t *port)
{
    uint32_t bridge;
    int rc = known_bridge(r, e, &bridge);

    if (rc)
        return rc;
    *port = r->s->bridge[bridge].port[e->port];
    return *port == SIM_NONE ? sim_bad(&r->scan, e->at, "%s has no port p%u",
                                       e->name, e->port)
                             : 0;
}

static int attach(struct reader *r, const struct end *e, uint32_t lan,
                  uint32_t *port)
{
    uint32_t bridge;
    int rc = bridge_of(r, e, &bridge);

    if (rc)
        return rc;
    if (e->port && r->s->bridge[bridge].port[e->port] != SIM_NONE)
        return sim_bad(&r->scan, e->at, "port p%u of %s is in use already",
                       e->port, e->name);
    *port = sim_add_port(r->s, bridge, lan, (uint16_t)e->port);
    return *port == SIM_NONE ? no_room(r, e->at) : 0;
}

/* ---- options ---- */

static const char *where_name(unsigned where)
{
    if (where & ON_DEFAULT)
        return "default";
    if (where & ON_BRIDGE)
        return "a bridge";
    return where & ON_LAN ? "a link or LAN" : "a port";
}

static int find_option(struct reader *r, size_t at, const char *name,
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
        rc = find_option(r, at, name, where, id);
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

/* "stp" is off where "rstp" is meant; a link of one way has two ends. */
static int check_option(struct reader *r, const struct sim_target *t,
                        enum sim_option_id id, size_t at)
{
    if (id == SIM_OPTION_ONEWAY &&
        (!t || t->what != SIM_LAN || r->s->lan[t->index].ports != 2))
        return sim_bad(&r->scan, at, "oneway is an option of links of two");
    if (id == SIM_OPTION_HOST && !t)
        return sim_bad(&r->scan, at, "host is no option of default");
    return 0;
}

/* "[...]", if it is there, for every target.  NULL: the defaults. */
static int read_options(struct reader *r, unsigned where,
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
            rc = check_option(r, t ? &t[i] : NULL, id, at);
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

/* ---- links and LANs ---- */

#define CHAIN_MAX 256

static int make_link(struct reader *r, struct end *a, struct end *b,
                     struct sim_target *t)
{
    uint32_t lan = sim_add_lan(r->s, ""), port;
    int rc;

    if (lan == SIM_NONE)
        return no_room(r, a->at);
    *t = (struct sim_target){SIM_LAN, lan};
    rc = attach(r, a, lan, &port);
    return rc ? rc : attach(r, b, lan, &port);
}

/* The rest of "B1-B2-B3[options]", from the first '-' on. */
static int read_links(struct reader *r, struct end *first)
{
    static const unsigned where = ON_LAN | ON_PORT;
    struct sim_target list[CHAIN_MAX];
    struct end a = *first, b;
    unsigned n = 0;
    int rc = 0;

    while (!rc && sim_take(&r->scan, '-')) {
        if (n == CHAIN_MAX)
            return no_room(r, r->scan.at);
        rc = read_end(r, &b);
        if (!rc)
            rc = make_link(r, &a, &b, &list[n++]);
        a = b;
        /* in the middle of a chain a number would be that of two ports */
        if (!rc && b.port && sim_peek(&r->scan) == '-')
            rc = sim_bad(&r->scan, b.at, "a numbered port ends a chain");
    }
    return rc ? rc : read_options(r, where, list, n);
}

static int read_members(struct reader *r, uint32_t lan)
{
    struct scan *c = &r->scan;
    int rc = 0;

    for (sim_blanks(c); !rc && sim_peek(c); sim_blanks(c)) {
        struct sim_target t = {.what = SIM_PORT};
        struct end e;

        rc = read_end(r, &e);
        if (!rc)
            rc = attach(r, &e, lan, &t.index);
        if (!rc)
            rc = read_options(r, ON_PORT, &t, 1);
    }
    return rc;
}

/* Does a ':' follow, perhaps behind brackets? */
static bool is_lan(const struct scan *c)
{
    struct scan look = *c;

    if (sim_peek(&look) == '[')
        while (sim_peek(&look) && !sim_take(&look, ']'))
            look.at++;
    sim_blanks(&look);
    return sim_peek(&look) == ':';
}

/*
 * Options of a LAN hold for its ports: they are read again when these are
 * there.
 */
static int read_lan(struct reader *r, const struct end *e)
{
    struct scan *c = &r->scan, again = *c, end;
    struct sim_target t = {.what = SIM_LAN};
    int rc;

    if (e->port || sim_find_bridge(r->s, e->name) != SIM_NONE)
        return sim_bad(c, e->at, "%s is a bridge, not a LAN", e->name);
    if (sim_find_lan(r->s, e->name) != SIM_NONE)
        return sim_bad(c, e->at, "there is a LAN %s already", e->name);
    t.index = sim_add_lan(r->s, e->name);
    if (t.index == SIM_NONE)
        return no_room(r, e->at);
    while (!sim_take(c, ':'))
        c->at++;
    rc = read_members(r, t.index);
    end = *c;
    *c = again;
    if (!rc)
        rc = read_options(r, ON_LAN | ON_PORT, &t, 1);
    if (!rc)
        *c = end;
    return rc;
}

static int read_node(struct reader *r, struct end *e)
{
    struct sim_target t = {.what = e->port ? SIM_PORT : SIM_BRIDGE};
    int rc = e->port ? known_port(r, e, &t.index) : bridge_of(r, e, &t.index);

    return rc ? rc : read_options(r, e->port ? ON_PORT : ON_BRIDGE, &t, 1);
}

static int read_items(struct reader *r, struct end *e)
{
    struct scan *c = &r->scan;
    int rc = 0;

    while (!rc) {
        rc = sim_peek(c) == '-' ? read_links(r, e) : read_node(r, e);
        if (rc)
            break;
        sim_blanks(c);
        if (!sim_peek(c))
            break;
        rc = read_end(r, e);
    }
    return rc;
}

/* ---- orders ---- */

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
    int rc = read_end(r, &a);

    if (rc)
        return rc;
    if (sim_take(&r->scan, '-')) {
        rc = read_end(r, &b);
        return rc ? rc : find_link(r, &a, &b, t);
    }
    if (a.port) {
        t->what = SIM_PORT;
        return known_port(r, &a, &t->index);
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
        rc = find_option(r, at, name, target_where[o->target.what], &id);
    if (!rc)
        rc = check_option(r, &o->target, id, at);
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
            return no_room(r, c->at);
        *o = more;
        rc = read_setting(r, o);
    }
    return rc;
}

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

static int read_order(struct reader *r, uint64_t at)
{
    struct sim_order *o = sim_add_order(r->s);

    if (!o)
        return no_room(r, r->scan.at);
    o->at = at;
    o->line = r->scan.line;
    keep_text(&r->scan, r->scan.at, o);
    return read_verb(r, o);
}

static int read_timed(struct reader *r)
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
    return read_order(r, when);
}

/* ---- statements ---- */

static bool next_word_is(const struct scan *c, const char *word)
{
    size_t n = strlen(word);
    struct scan end = *c;

    if (c->len - c->at < n || strncmp(c->text + c->at, word, n) != 0)
        return false;
    end.at += n;
    return strchr(" \t\r[", sim_peek(&end)) != NULL;
}

static int read_default(struct reader *r)
{
    r->scan.at += strlen("default");
    sim_blanks(&r->scan);
    if (sim_peek(&r->scan) != '[')
        return sim_bad(&r->scan, r->scan.at, "default[OPTION=VALUE,...]");
    return read_options(r, ON_DEFAULT | ON_BRIDGE | ON_LAN | ON_PORT, NULL, 1);
}

static int read_statement(struct reader *r)
{
    struct scan *c = &r->scan;
    struct end e;
    int rc;

    sim_blanks(c);
    if (!sim_peek(c) && (c->at >= c->len || c->text[c->at]))
        return 0;
    if (sim_take(c, '@')) {
        rc = read_timed(r);
    } else if (next_word_is(c, "expect")) {
        rc = read_order(r, STP_NEVER);
    } else if (next_word_is(c, "default")) {
        rc = read_default(r);
    } else {
        rc = read_end(r, &e);
        if (!rc)
            rc = is_lan(c) ? read_lan(r, &e) : read_items(r, &e);
    }
    sim_blanks(c);
    if (!rc && (sim_peek(c) || (c->at < c->len && !c->text[c->at])))
        rc = sim_bad(c, c->at, "the statement should have ended here");
    return rc;
}

int sim_read(struct sim **s, const char *file, const char *text, size_t len,
             struct err *e)
{
    struct reader r = {
        .scan = {.file = file, .text = text, .len = len, .line = 1, .err = e}};
    int rc;

    *s = NULL;
    r.s = calloc(1, sizeof(*r.s));
    if (!r.s)
        return err_set(e, ENOMEM, "out of memory");
    sim_defaults(r.s);
    snprintf(r.s->file, sizeof(r.s->file), "%s", file);
    do
        rc = read_statement(&r);
    while (!rc && sim_next_statement(&r.scan));
    if (!rc && r.s->bridges == 0)
        rc = sim_bad(&r.scan, r.scan.at, "there is no bridge");
    if (rc) {
        sim_free(r.s);
        return rc;
    }
    *s = r.s;
    return 0;
}
