/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numeric parameters of bridges and ports: how they are written, and the
 * ranges of switch/switch.h (a test compares them with the switch's own).
 */
#include "ctl/config/draft.h"
#include "ctl/config/param_names.h"
#include "ctl/config/words.h"

#include <string.h>

enum form { FORM_NUMBER, FORM_TIME, FORM_SWITCH, FORM_MASK, FORM_WORD };

/* More than SHORT_COST_MAX needs path-cost-method: long. */
#define COST_MAX       200000000
#define SHORT_COST_MAX 65535
/* While the spanning tree is on, in hundredths of a second. */
#define DELAY_MIN 200U
#define DELAY_MAX 3000U

struct range {
    enum form form;
    uint32_t min, max;
};

static const struct range bridge_range[BRIDGE_PARAMS] = {
    [BRIDGE_AGEING] = {FORM_TIME, 0, 600000},
    [BRIDGE_PRIORITY] = {FORM_NUMBER, 0, 65535},
    [BRIDGE_FORWARD_DELAY] = {FORM_TIME, 0, UINT32_MAX},
    [BRIDGE_HELLO] = {FORM_TIME, 100, 1000},
    [BRIDGE_MAX_AGE] = {FORM_TIME, 600, 4000},
    [BRIDGE_STP] = {FORM_SWITCH, 0, 1},
    [BRIDGE_FWD_MASK] = {FORM_MASK, 0, 0xffff},
    [BRIDGE_FDB_LIMIT] = {FORM_NUMBER, 1, UINT32_MAX},
    [BRIDGE_FORCE_VERSION] = {FORM_WORD, 0, 2},
    [BRIDGE_TX_HOLD] = {FORM_NUMBER, 1, 10},
    [BRIDGE_LONG_COST] = {FORM_WORD, 0, 1},
    [BRIDGE_RECOVERY] = {FORM_TIME, 0, 8640000},
};

static const struct range port_range[BPORT_PARAMS] = {
    [BPORT_PATH_COST] = {FORM_NUMBER, 0, COST_MAX},
    [BPORT_PRIORITY] = {FORM_NUMBER, 0, 63},
    [BPORT_HAIRPIN] = {FORM_SWITCH, 0, 1},
    [BPORT_ISOLATED] = {FORM_SWITCH, 0, 1},
    [BPORT_LEARNING] = {FORM_SWITCH, 0, 1},
    [BPORT_FLOOD] = {FORM_SWITCH, 0, 1},
    [BPORT_FLOOD_MCAST] = {FORM_SWITCH, 0, 1},
    [BPORT_FLOOD_BCAST] = {FORM_SWITCH, 0, 1},
    [BPORT_FWD_MASK] = {FORM_MASK, 0, 0xffff},
    [BPORT_FDB_LIMIT] = {FORM_NUMBER, 0, 1U << 30},
    [BPORT_ADMIN_EDGE] = {FORM_SWITCH, 0, 1},
    [BPORT_AUTO_EDGE] = {FORM_SWITCH, 0, 1},
    [BPORT_P2P] = {FORM_WORD, 0, 2},
    [BPORT_BPDU_GUARD] = {FORM_SWITCH, 0, 1},
    [BPORT_BPDU_FILTER] = {FORM_SWITCH, 0, 1},
    [BPORT_ROOT_GUARD] = {FORM_SWITCH, 0, 1},
    [BPORT_TCN_GUARD] = {FORM_SWITCH, 0, 1},
    [BPORT_LOOP_GUARD] = {FORM_SWITCH, 0, 1},
    [BPORT_ASSURANCE] = {FORM_SWITCH, 0, 1},
    [BPORT_WATCH_ADDRESSES] = {FORM_SWITCH, 0, 1},
    [BPORT_FOLLOW_MOVES] = {FORM_SWITCH, 0, 1},
};

/* One of the parameter's words; where "on" is one, whatever means that. */
static int read_word(struct reader *r, const struct node *v,
                     const struct param_name *p, uint32_t *to)
{
    const char *words[8] = {NULL};
    unsigned i, at = 0;
    bool on;
    int rc;

    if (value_is_switch(v, &on) && param_word_value(p, on ? "on" : "off", to))
        return 0;
    for (i = 0; i < 7 && p->word[i].text; i++)
        words[i] = p->word[i].text;
    rc = value_word(r, v, words, &at);
    if (!rc)
        *to = p->word[at].value;
    return rc;
}

static int read_value(struct reader *r, const struct node *v,
                      const struct range *range, const struct param_name *p,
                      uint32_t *to)
{
    bool on = false;
    int rc = 0;

    switch (range->form) {
    case FORM_NUMBER:
        return value_number(r, v, range->min, range->max, to);
    case FORM_TIME:
        return value_time(r, v, range->min, range->max, to);
    case FORM_MASK:
        return value_mask(r, v, range->max, to);
    case FORM_WORD:
        return read_word(r, v, p, to);
    case FORM_SWITCH:
        rc = value_switch(r, v, &on);
        *to = on;
    }
    return rc;
}

int param_bridge(struct reader *r, struct draft *d, unsigned p,
                 const struct node *v)
{
    int rc;

    if (d->param[p])
        return bad_twice(r, v, d->param[p]);
    d->param[p] = v;
    rc = read_value(r, v, &bridge_range[p], &bridge_param_names[p],
                    &d->b->param[p]);
    d->b->set[p] = rc == 0;
    return rc;
}

int param_port(struct reader *r, struct draft *d, unsigned port, unsigned p,
               const struct node *v)
{
    const struct node **at = &d->port[port].param[p];
    struct conf_port *to = &d->b->port[port];
    int rc;

    if (*at)
        return bad_twice(r, v, *at);
    *at = v;
    rc = read_value(r, v, &port_range[p], &port_param_names[p], &to->param[p]);
    to->set[p] = rc == 0;
    return rc;
}

/* ---- parameters that depend on each other ---- */

/* The kernel takes the nearer bound, too, when the spanning tree is on. */
static int settle_delay(struct reader *r, struct draft *d)
{
    uint32_t *v = &d->b->param[BRIDGE_FORWARD_DELAY];
    const uint32_t wrote = *v;

    if (!d->b->param[BRIDGE_STP] || !d->b->set[BRIDGE_FORWARD_DELAY])
        return 0;
    if (wrote < DELAY_MIN)
        *v = DELAY_MIN;
    if (wrote > DELAY_MAX)
        *v = DELAY_MAX;
    if (*v == wrote)
        return 0;
    return conf_note(
               r->c,
               "%s: with the spanning tree on, the forward delay is %u to "
               "%u seconds; %u it is",
               PLACE(d->param[BRIDGE_FORWARD_DELAY]), DELAY_MIN / 100,
               DELAY_MAX / 100, *v / 100)
               ? no_memory(r)
               : 0;
}

static int check_costs(struct reader *r, const struct draft *d)
{
    if (d->b->set[BRIDGE_LONG_COST] && d->b->param[BRIDGE_LONG_COST])
        return 0;
    for (unsigned i = 0; i < d->b->n_ports; i++)
        if (d->b->port[i].set[BPORT_PATH_COST] &&
            d->b->port[i].param[BPORT_PATH_COST] > SHORT_COST_MAX)
            return bad(r, d->port[i].param[BPORT_PATH_COST],
                       "expected a number from 1 to %u, found %u (more with "
                       "path-cost-method: long, under bascule:)",
                       SHORT_COST_MAX, d->b->port[i].param[BPORT_PATH_COST]);
    return 0;
}

/* A bridge that netplan knows has stp on unless the file says otherwise; one
 * that only `bascule:` knows is as `addbr` makes it. */
static void settle_stp(struct draft *d)
{
    if (d->b->set[BRIDGE_STP])
        return;
    d->b->set[BRIDGE_STP] = true;
    for (const struct part *p = d->part; p; p = p->next)
        if (!p->own)
            d->b->param[BRIDGE_STP] = 1;
}

int params_settle(struct reader *r, struct draft *d)
{
    int rc;

    settle_stp(d);
    rc = settle_delay(r, d);
    return rc ? rc : check_costs(r, d);
}

/* ---- `bascule:`, with the names of "bridge set" and "port set" ---- */

static int own_bridge_param(struct reader *r, const struct node *v, void *to,
                            const struct key *k)
{
    return param_bridge(r, to, (unsigned)k->at, v);
}

const struct key own_bridge_params[] = {
    {"ageing", own_bridge_param, BRIDGE_AGEING, NULL},
    {"priority", own_bridge_param, BRIDGE_PRIORITY, NULL},
    {"forward-delay", own_bridge_param, BRIDGE_FORWARD_DELAY, NULL},
    {"hello", own_bridge_param, BRIDGE_HELLO, NULL},
    {"max-age", own_bridge_param, BRIDGE_MAX_AGE, NULL},
    {"stp", own_bridge_param, BRIDGE_STP, NULL},
    {"group-fwd-mask", own_bridge_param, BRIDGE_FWD_MASK, NULL},
    {"fdb-limit", own_bridge_param, BRIDGE_FDB_LIMIT, NULL},
    {"force-version", own_bridge_param, BRIDGE_FORCE_VERSION, NULL},
    {"tx-hold", own_bridge_param, BRIDGE_TX_HOLD, NULL},
    {"path-cost-method", own_bridge_param, BRIDGE_LONG_COST, NULL},
    {"recovery", own_bridge_param, BRIDGE_RECOVERY, NULL},
    {NULL, NULL, 0, NULL},
};

static int own_port_param(struct reader *r, const struct node *v, void *to,
                          const struct key *k)
{
    const struct draft_at *at = to;

    return param_port(r, at->d, at->port, (unsigned)k->at, v);
}

const struct key own_port_params[] = {
    {"path-cost", own_port_param, BPORT_PATH_COST, NULL},
    {"priority", own_port_param, BPORT_PRIORITY, NULL},
    {"hairpin", own_port_param, BPORT_HAIRPIN, NULL},
    {"isolated", own_port_param, BPORT_ISOLATED, NULL},
    {"learning", own_port_param, BPORT_LEARNING, NULL},
    {"flood", own_port_param, BPORT_FLOOD, NULL},
    {"mcast-flood", own_port_param, BPORT_FLOOD_MCAST, NULL},
    {"bcast-flood", own_port_param, BPORT_FLOOD_BCAST, NULL},
    {"group-fwd-mask", own_port_param, BPORT_FWD_MASK, NULL},
    {"fdb-limit", own_port_param, BPORT_FDB_LIMIT, NULL},
    {"admin-edge", own_port_param, BPORT_ADMIN_EDGE, NULL},
    {"auto-edge", own_port_param, BPORT_AUTO_EDGE, NULL},
    {"p2p", own_port_param, BPORT_P2P, NULL},
    {"bpdu-guard", own_port_param, BPORT_BPDU_GUARD, NULL},
    {"bpdu-filter", own_port_param, BPORT_BPDU_FILTER, NULL},
    {"root-guard", own_port_param, BPORT_ROOT_GUARD, NULL},
    {"tcn-guard", own_port_param, BPORT_TCN_GUARD, NULL},
    {"loop-guard", own_port_param, BPORT_LOOP_GUARD, NULL},
    {"assurance", own_port_param, BPORT_ASSURANCE, NULL},
    {"watch-addresses", own_port_param, BPORT_WATCH_ADDRESSES, NULL},
    {"follow-moves", own_port_param, BPORT_FOLLOW_MOVES, NULL},
    {NULL, NULL, 0, NULL},
};

/* The tables are in the order of the enums. */
_Static_assert(sizeof(own_bridge_params) / sizeof(own_bridge_params[0]) ==
                   BRIDGE_PARAMS + 1,
               "a key for each");
_Static_assert(sizeof(own_port_params) / sizeof(own_port_params[0]) ==
                   BPORT_PARAMS + 1,
               "a key for each");

const char *conf_bridge_param(enum bridge_param p)
{
    return own_bridge_params[p].name;
}

const char *conf_port_param(enum bport_param p)
{
    return own_port_params[p].name;
}
