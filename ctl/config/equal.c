/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/config/equal.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(const char **a, unsigned na, const char **b, unsigned nb)
{
    if (na != nb)
        return false;
    for (unsigned i = 0; i < na; i++)
        if (!same_text(a[i], b[i]))
            return false;
    return true;
}

static bool same_mac(bool has_a, const struct mac *a, bool has_b,
                     const struct mac *b)
{
    return has_a == has_b && (!has_a || mac_equal(a, b));
}

static bool same_number(bool has_a, uint32_t a, bool has_b, uint32_t b)
{
    return has_a == has_b && (!has_a || a == b);
}

static bool same_params(const bool *set_a, const uint32_t *a, const bool *set_b,
                        const uint32_t *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!same_number(set_a[i], a[i], set_b[i], b[i]))
            return false;
    return true;
}

/* ---- layer 3 ---- */

static bool same_addr(const struct conf_addr *a, const struct conf_addr *b)
{
    size_t n = a->family == AF_INET ? sizeof(a->a.v4) : sizeof(a->a.v6);

    if (a->family != b->family)
        return false;
    return a->family == 0 ||
           (memcmp(&a->a, &b->a, n) == 0 && a->prefix == b->prefix &&
            a->deprecated == b->deprecated && strcmp(a->label, b->label) == 0);
}

static bool same_addrs(const struct conf_addr *a, unsigned na,
                       const struct conf_addr *b, unsigned nb)
{
    if (na != nb)
        return false;
    for (unsigned i = 0; i < na; i++)
        if (!same_addr(&a[i], &b[i]))
            return false;
    return true;
}

static bool same_route(const struct conf_route *a, const struct conf_route *b)
{
    return same_addr(&a->to, &b->to) && same_addr(&a->via, &b->via) &&
           same_addr(&a->from, &b->from) && a->on_link == b->on_link &&
           same_number(a->has_metric, a->metric, b->has_metric, b->metric) &&
           same_number(a->has_table, a->table, b->has_table, b->table) &&
           same_number(a->has_scope, a->scope, b->has_scope, b->scope) &&
           a->type == b->type && a->mtu == b->mtu &&
           a->congestion_window == b->congestion_window &&
           a->advertised_receive_window == b->advertised_receive_window &&
           a->advmss == b->advmss;
}

static bool same_routes(const struct conf_l3 *a, const struct conf_l3 *b)
{
    if (a->n_routes != b->n_routes)
        return false;
    for (unsigned i = 0; i < a->n_routes; i++)
        if (!same_route(&a->route[i], &b->route[i]))
            return false;
    return true;
}

static bool same_dhcp(const struct conf_dhcp *a, const struct conf_dhcp *b)
{
    return a->use_dns == b->use_dns && a->use_ntp == b->use_ntp &&
           a->send_hostname == b->send_hostname &&
           a->use_hostname == b->use_hostname && a->use_mtu == b->use_mtu &&
           a->use_routes == b->use_routes && a->use_domains == b->use_domains &&
           same_text(a->hostname, b->hostname) &&
           same_number(a->has_metric, a->metric, b->has_metric, b->metric);
}

static bool same_addressing(const struct conf_l3 *a, const struct conf_l3 *b)
{
    return a->dhcp4 == b->dhcp4 && a->dhcp6 == b->dhcp6 &&
           same_dhcp(&a->over4, &b->over4) && same_dhcp(&a->over6, &b->over6) &&
           same_text(a->dhcp_identifier, b->dhcp_identifier) &&
           a->accept_ra == b->accept_ra && a->link_local4 == b->link_local4 &&
           a->link_local6 == b->link_local6 &&
           a->ipv6_privacy == b->ipv6_privacy;
}

bool conf_l3_equal(const struct conf_l3 *a, const struct conf_l3 *b)
{
    return same_addressing(a, b) &&
           same_addrs(a->addr, a->n_addrs, b->addr, b->n_addrs) &&
           same_routes(a, b) &&
           same_addrs(a->dns, a->n_dns, b->dns, b->n_dns) &&
           same_texts(a->search, a->n_search, b->search, b->n_search) &&
           same_mac(a->mac_set, &a->mac, b->mac_set, &b->mac) &&
           a->mtu == b->mtu && a->ipv6_mtu == b->ipv6_mtu &&
           a->optional == b->optional &&
           a->ignore_carrier == b->ignore_carrier &&
           a->activation_manual == b->activation_manual &&
           a->activation_off == b->activation_off;
}

/* ---- ports and bridges ---- */

static bool same_spec(const struct port_spec *a, const struct port_spec *b)
{
    if (strcmp(a->kind, b->kind) != 0 || strcmp(a->name, b->name) != 0 ||
        !same_text(a->target, b->target) || !same_text(a->netns, b->netns) ||
        a->n_keys != b->n_keys)
        return false;
    for (unsigned i = 0; i < a->n_keys; i++)
        if (!same_text(a->key[i].key, b->key[i].key) ||
            !same_text(a->key[i].value, b->key[i].value))
            return false;
    return true;
}

static bool same_match(const struct conf_port *a, const struct conf_port *b)
{
    return a->match.used == b->match.used &&
           same_mac(a->match.mac_set, &a->match.mac, b->match.mac_set,
                    &b->match.mac) &&
           same_text(a->match.name, b->match.name) &&
           same_texts(a->match.driver, a->match.n_drivers, b->match.driver,
                      b->match.n_drivers);
}

bool conf_port_equal(const struct conf_port *a, const struct conf_port *b)
{
    return same_spec(&a->spec, &b->spec) && same_match(a, b) &&
           same_text(a->id, b->id) &&
           same_params(a->set, a->param, b->set, b->param, BPORT_PARAMS) &&
           same_mac(a->mac_set, &a->mac, b->mac_set, &b->mac) &&
           a->mtu == b->mtu && a->wakeonlan == b->wakeonlan;
}

bool conf_bridge_equal(const struct conf_bridge *a, const struct conf_bridge *b)
{
    if (strcmp(a->name, b->name) != 0 || a->local != b->local ||
        a->adopt != b->adopt || a->n_ports != b->n_ports ||
        !same_text(a->renderer, b->renderer) ||
        !same_params(a->set, a->param, b->set, b->param, BRIDGE_PARAMS) ||
        !conf_l3_equal(&a->l3, &b->l3))
        return false;
    for (unsigned i = 0; i < a->n_ports; i++)
        if (!conf_port_equal(&a->port[i], &b->port[i]))
            return false;
    return true;
}

static bool same_guest(const struct conf_guest *a, const struct conf_guest *b)
{
    return strcmp(a->def, b->def) == 0 && a->start == b->start;
}

bool conf_equal(const struct conf *a, const struct conf *b)
{
    if (a->n_bridges != b->n_bridges || a->n_guests != b->n_guests ||
        !same_text(a->renderer, b->renderer))
        return false;
    for (unsigned i = 0; i < a->n_guests; i++)
        if (!same_guest(&a->guest[i], &b->guest[i]))
            return false;
    for (unsigned i = 0; i < a->n_bridges; i++)
        if (!conf_bridge_equal(&a->bridge[i], &b->bridge[i]))
            return false;
    return true;
}
