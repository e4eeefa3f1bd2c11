/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numeric parameters of bridges and ports: how they are written, and the
 * ranges of switch/switch.h (a test compares them with the switch's own).
 */
#include "ctl/config/draft.h"
#include "ctl/config/words.h"

#include <string.h>

enum form { FORM_NUMBER, FORM_TIME, FORM_SWITCH, FORM_MASK };

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
};

static const struct range port_range[BPORT_PARAMS] = {
    [BPORT_PATH_COST] = {FORM_NUMBER, 0, 65535},
    [BPORT_PRIORITY] = {FORM_NUMBER, 0, 63},
    [BPORT_HAIRPIN] = {FORM_SWITCH, 0, 1},
    [BPORT_ISOLATED] = {FORM_SWITCH, 0, 1},
    [BPORT_LEARNING] = {FORM_SWITCH, 0, 1},
    [BPORT_FLOOD] = {FORM_SWITCH, 0, 1},
    [BPORT_FLOOD_MCAST] = {FORM_SWITCH, 0, 1},
    [BPORT_FLOOD_BCAST] = {FORM_SWITCH, 0, 1},
    [BPORT_FWD_MASK] = {FORM_MASK, 0, 0xffff},
    [BPORT_FDB_LIMIT] = {FORM_NUMBER, 0, 1U << 30},
    [BPORT_WATCH_ADDRESSES] = {FORM_SWITCH, 0, 1},
};

static int read_value(struct reader *r, const struct node *v,
                      const struct range *range, uint32_t *to)
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
    rc = read_value(r, v, &bridge_range[p], &d->b->param[p]);
    if (rc)
        return rc;
    if (p == BRIDGE_STP && d->b->param[p])
        return bad(r, v,
                   "the spanning tree is not built yet; write stp: false");
    d->b->set[p] = true;
    return 0;
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
    rc = read_value(r, v, &port_range[p], &to->param[p]);
    to->set[p] = rc == 0;
    return rc;
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
    {"long-cost", own_bridge_param, BRIDGE_LONG_COST, NULL},
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
