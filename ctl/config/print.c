/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration as text: `network:` as far as netplan has words, then
 * `bascule:` for the rest.
 *
 * Ports keep their order: those of `network:` come first when it is read, so
 * that from the first port on that only `bascule:` can describe all of them
 * are described there.
 */
#include "ctl/config/print.h"

#include "ctl/config/param_names.h"
#include "ctl/config/print_guests.h"
#include "ctl/config/print_l3.h"
#include "ctl/config/words.h"

#include <stdio.h>
#include <string.h>

/* ---- what goes where ---- */

static bool plain_packet(const struct port_spec *s)
{
    return strcmp(s->kind, "packet") == 0 && s->n_keys == 0 && !s->netns &&
           s->target && *s->target && strcmp(s->name, s->target) == 0;
}

/* Only netplan's ethernets have these. */
static bool needs_ethernet(const struct conf_port *p)
{
    return p->match.used || p->mac_set || p->mtu || p->wakeonlan != CONF_UNSET;
}

/* So many of the first ports netplan can describe. */
static unsigned prefix(const struct conf_bridge *b)
{
    unsigned i = 0;

    while (i < b->n_ports &&
           (plain_packet(&b->port[i].spec) || needs_ethernet(&b->port[i])))
        i++;
    return i;
}

static bool in_network(const struct conf_bridge *b, unsigned i, unsigned first)
{
    return i < first || needs_ethernet(&b->port[i]);
}

static const char *ethernet_id(const struct conf_port *p)
{
    return p->id && *p->id ? p->id : p->spec.target;
}

/* Has `network:` words for this parameter of a port? */
static bool netplan_has(const struct conf_port *p, unsigned param)
{
    switch (param) {
    case BPORT_PATH_COST: /* beyond that, with path-cost-method: long */
        return p->param[param] != 0 && p->param[param] <= 65535;
    case BPORT_PRIORITY:
    case BPORT_HAIRPIN:
    case BPORT_LEARNING:
        return true;
    default:
        return false;
    }
}

static bool any_param(const struct conf_port *p, bool netplans)
{
    for (unsigned i = 0; i < BPORT_PARAMS; i++)
        if (p->set[i] && (netplan_has(p, i) == netplans))
            return true;
    return false;
}

/* ---- values ---- */

static void put_time(struct emit *o, const char *key, uint32_t cs)
{
    char text[24];

    if (cs % 100)
        snprintf(text, sizeof(text), "%u.%02u", cs / 100, cs % 100);
    else
        snprintf(text, sizeof(text), "%u", cs / 100);
    emit_text(o, key);
    emit_plain(o, text);
}

static void put_mask(struct emit *o, const char *key, uint32_t v)
{
    char text[16];

    snprintf(text, sizeof(text), "0x%04x", v);
    emit_text(o, key);
    emit_plain(o, text);
}

static void put_mac(struct emit *o, const char *key, const struct mac *m)
{
    char text[MAC_TEXT_MAX];

    emit_text(o, key);
    emit_quoted(o, mac_format(m, text));
}

/* ---- network: ethernets: ---- */

static void put_match(struct emit *o, const struct conf_port *p)
{
    if (!p->match.used)
        return;
    emit_key_map(o, "match");
    if (p->match.mac_set)
        put_mac(o, "macaddress", &p->match.mac);
    if (p->match.name)
        emit_key_text(o, "name", p->match.name);
    if (p->match.n_drivers == 1)
        emit_key_text(o, "driver", p->match.driver[0]);
    if (p->match.n_drivers > 1) {
        emit_key_list(o, "driver", true);
        for (unsigned i = 0; i < p->match.n_drivers; i++)
            emit_text(o, p->match.driver[i]);
        emit_list_end(o);
    }
    emit_map_end(o);
}

static void put_ethernet(struct emit *o, const struct conf_port *p)
{
    emit_key_map(o, ethernet_id(p));
    put_match(o, p);
    if (p->mac_set)
        put_mac(o, "macaddress", &p->mac);
    if (p->mtu)
        emit_key_number(o, "mtu", p->mtu);
    if (p->wakeonlan != CONF_UNSET)
        emit_key_bool(o, "wakeonlan", p->wakeonlan == CONF_ON);
    if (p->set[BPORT_HAIRPIN])
        emit_key_bool(o, "hairpin", p->param[BPORT_HAIRPIN]);
    if (p->set[BPORT_LEARNING])
        emit_key_bool(o, "port-mac-learning", p->param[BPORT_LEARNING]);
    emit_map_end(o);
}

static void put_ethernets(struct emit *o, const struct conf *c)
{
    bool begun = false;

    for (unsigned b = 0; b < c->n_bridges; b++) {
        unsigned first = prefix(&c->bridge[b]);

        for (unsigned i = 0; i < c->bridge[b].n_ports; i++) {
            if (!in_network(&c->bridge[b], i, first))
                continue;
            if (!begun)
                emit_key_map(o, "ethernets");
            begun = true;
            put_ethernet(o, &c->bridge[b].port[i]);
        }
    }
    if (begun)
        emit_map_end(o);
}

/* ---- network: bridges: ---- */

/* path-cost or port-priority: a map, as netplan wants it. */
static void put_port_param(struct emit *o, const char *key,
                           const struct conf_bridge *b, unsigned param)
{
    unsigned first = prefix(b);
    bool begun = false;

    for (unsigned i = 0; i < b->n_ports; i++) {
        const struct conf_port *p = &b->port[i];

        if (!in_network(b, i, first) || !p->set[param] ||
            !netplan_has(p, param))
            continue;
        if (!begun)
            emit_key_map(o, key);
        begun = true;
        emit_key_number(o, ethernet_id(p), p->param[param]);
    }
    if (begun)
        emit_map_end(o);
}

/* A parameter of a bridge that netplan has no word for. */
static bool only_own(unsigned param)
{
    return param == BRIDGE_FWD_MASK || param >= BRIDGE_FDB_LIMIT;
}

static bool any_netplan_param(const struct conf_bridge *b)
{
    unsigned first = prefix(b);

    for (unsigned i = 0; i < BRIDGE_PARAMS; i++)
        if (b->set[i] && !only_own(i))
            return true;
    for (unsigned i = 0; i < b->n_ports; i++)
        if (in_network(b, i, first) &&
            ((b->port[i].set[BPORT_PATH_COST] &&
              netplan_has(&b->port[i], BPORT_PATH_COST)) ||
             b->port[i].set[BPORT_PRIORITY]))
            return true;
    return false;
}

static void put_parameters(struct emit *o, const struct conf_bridge *b)
{
    static const struct {
        unsigned param;
        const char *key;
    } times[] = {{BRIDGE_AGEING, "ageing-time"},
                 {BRIDGE_FORWARD_DELAY, "forward-delay"},
                 {BRIDGE_HELLO, "hello-time"},
                 {BRIDGE_MAX_AGE, "max-age"}};

    if (!any_netplan_param(b))
        return;
    emit_key_map(o, "parameters");
    if (b->set[BRIDGE_STP])
        emit_key_bool(o, "stp", b->param[BRIDGE_STP]);
    if (b->set[BRIDGE_PRIORITY])
        emit_key_number(o, "priority", b->param[BRIDGE_PRIORITY]);
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (b->set[times[i].param])
            put_time(o, times[i].key, b->param[times[i].param]);
    put_port_param(o, "path-cost", b, BPORT_PATH_COST);
    put_port_param(o, "port-priority", b, BPORT_PRIORITY);
    emit_map_end(o);
}

static void put_interfaces(struct emit *o, const struct conf_bridge *b)
{
    unsigned first = prefix(b);
    bool begun = false;

    for (unsigned i = 0; i < b->n_ports; i++) {
        if (!in_network(b, i, first))
            continue;
        if (!begun)
            emit_key_list(o, "interfaces", b->n_ports <= 8);
        begun = true;
        emit_text(o, ethernet_id(&b->port[i]));
    }
    if (begun)
        emit_list_end(o);
}

static void put_bridge(struct emit *o, const struct conf_bridge *b)
{
    emit_key_map(o, b->name);
    if (b->renderer)
        emit_key_text(o, "renderer", b->renderer);
    put_interfaces(o, b);
    put_parameters(o, b);
    print_l3(o, &b->l3);
    emit_map_end(o);
}

static void put_bridges(struct emit *o, const struct conf *c)
{
    bool begun = false;

    for (unsigned b = 0; b < c->n_bridges; b++) {
        if (c->bridge[b].adopt)
            continue;
        if (!begun)
            emit_key_map(o, "bridges");
        begun = true;
        put_bridge(o, &c->bridge[b]);
    }
    if (begun)
        emit_map_end(o);
}

static void put_network(struct emit *o, const struct conf *c)
{
    emit_key_map(o, "network");
    emit_key_number(o, "version", 2);
    if (c->renderer)
        emit_key_text(o, "renderer", c->renderer);
    put_ethernets(o, c);
    put_bridges(o, c);
    emit_map_end(o);
}

/* ---- bascule: ---- */

static bool own_says(const struct conf_bridge *b)
{
    unsigned first = prefix(b);

    if (!b->local || b->adopt)
        return true;
    for (unsigned i = 0; i < BRIDGE_PARAMS; i++)
        if (b->set[i] && only_own(i))
            return true;
    for (unsigned i = 0; i < b->n_ports; i++)
        if (!in_network(b, i, first) || any_param(&b->port[i], false))
            return true;
    return false;
}

static void put_word(struct emit *o, const char *key,
                     const struct param_name *p, uint32_t v)
{
    const char *word = param_word(p, v);

    if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0)
        emit_key_bool(o, key, word[1] == 'n');
    else
        emit_key_text(o, key, word);
}

static void put_param(struct emit *o, const char *key,
                      const struct param_name *p, uint32_t v)
{
    switch (p->unit) {
    case UNIT_MASK:
        put_mask(o, key, v);
        break;
    case UNIT_SWITCH:
        emit_key_bool(o, key, v);
        break;
    case UNIT_CENTISECONDS:
        put_time(o, key, v);
        break;
    case UNIT_WORD:
        put_word(o, key, p, v);
        break;
    default:
        emit_key_number(o, key, v);
        break;
    }
}

static void put_own_param(struct emit *o, const struct conf_port *p, unsigned i)
{
    put_param(o, conf_port_param(i), &port_param_names[i], p->param[i]);
}

/* 'all': not only what netplan has no words for */
static void put_own_params(struct emit *o, const struct conf_port *p, bool all)
{
    for (unsigned i = 0; i < BPORT_PARAMS; i++)
        if (p->set[i] && (all || !netplan_has(p, i)))
            put_own_param(o, p, i);
}

static void put_own_port(struct emit *o, const struct conf_port *p,
                         bool network)
{
    char spec[2 * SPEC_TEXT_MAX + 64];

    port_spec_format(&p->spec, spec, sizeof(spec));
    if (network) {
        emit_map(o);
        emit_key_text(o, "port", ethernet_id(p));
        put_own_params(o, p, false);
        emit_map_end(o);
    } else if (any_param(p, true) || any_param(p, false)) {
        emit_map(o);
        emit_key_text(o, "spec", spec);
        put_own_params(o, p, true);
        emit_map_end(o);
    } else {
        emit_text(o, spec);
    }
}

static void put_own_ports(struct emit *o, const struct conf_bridge *b)
{
    unsigned first = prefix(b);
    bool begun = false;

    for (unsigned i = 0; i < b->n_ports; i++) {
        bool network = in_network(b, i, first);

        if (network && !any_param(&b->port[i], false))
            continue;
        if (!begun)
            emit_key_list(o, "ports", false);
        begun = true;
        put_own_port(o, &b->port[i], network);
    }
    if (begun)
        emit_list_end(o);
}

static void put_own_bridge(struct emit *o, const struct conf_bridge *b)
{
    emit_key_map(o, b->name);
    if (b->adopt == CONF_ADOPT_YES)
        emit_key_bool(o, "adopt", true);
    else if (b->adopt)
        emit_key_text(o, "adopt", "disable");
    if (!b->local)
        emit_key_bool(o, "local", false);
    for (unsigned i = 0; !b->adopt && i < BRIDGE_PARAMS; i++)
        if (b->set[i] && only_own(i))
            put_param(o, conf_bridge_param(i), &bridge_param_names[i],
                      b->param[i]);
    put_own_ports(o, b);
    emit_map_end(o);
}

static void put_own_bridges(struct emit *o, const struct conf *c)
{
    bool begun = false;

    for (unsigned b = 0; b < c->n_bridges; b++) {
        if (!own_says(&c->bridge[b]))
            continue;
        if (!begun)
            emit_key_map(o, "bridges");
        begun = true;
        put_own_bridge(o, &c->bridge[b]);
    }
    if (begun)
        emit_map_end(o);
}

static void put_own(struct emit *o, const struct conf *c)
{
    bool any = c->n_guests > 0;

    for (unsigned b = 0; b < c->n_bridges; b++)
        any |= own_says(&c->bridge[b]);
    if (!any)
        return;
    emit_key_map(o, "bascule");
    emit_key_number(o, "version", 1);
    put_own_bridges(o, c);
    print_guests(o, c);
    emit_map_end(o);
}

char *conf_print(const struct conf *c)
{
    struct emit o;

    emit_start(&o);
    put_network(&o, c);
    put_own(&o, c);
    return emit_finish(&o);
}
