/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What netplan says of an interface with addresses, written out.
 */
#include "ctl/config/print_l3.h"

#include "ctl/config/words.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

static void put_switch(struct emit *o, const char *key, enum conf_switch s)
{
    if (s != CONF_UNSET)
        emit_key_bool(o, key, s != CONF_OFF);
}

static void put_number(struct emit *o, const char *key, uint32_t v)
{
    if (v)
        emit_key_number(o, key, v);
}

/* ---- addresses ---- */

struct addr_text {
    char text[INET6_ADDRSTRLEN + 8];
};

static struct addr_text addr_text(const struct conf_addr *a, bool prefix)
{
    struct addr_text t;

    inet_ntop(a->family, &a->a, t.text, sizeof(t.text) - 8);
    if (prefix)
        snprintf(t.text + strlen(t.text), 8, "/%u", a->prefix);
    return t;
}

/* Those of IPv6 are quoted, as netplan's manual has them. */
static void put_addr(struct emit *o, const struct conf_addr *a, bool prefix)
{
    if (a->family == AF_INET)
        emit_plain(o, addr_text(a, prefix).text);
    else
        emit_quoted(o, addr_text(a, prefix).text);
}

static void put_address(struct emit *o, const struct conf_addr *a)
{
    if (!a->label[0] && !a->deprecated) {
        put_addr(o, a, true);
        return;
    }
    emit_map(o);
    put_addr(o, a, true);
    emit_map(o);
    if (a->label[0])
        emit_key_text(o, "label", a->label);
    if (a->deprecated)
        emit_key_number(o, "lifetime", 0);
    emit_map_end(o);
    emit_map_end(o);
}

static void put_addresses(struct emit *o, const struct conf_l3 *l)
{
    if (l->n_addrs == 0)
        return;
    emit_key_list(o, "addresses", false);
    for (unsigned i = 0; i < l->n_addrs; i++)
        put_address(o, &l->addr[i]);
    emit_list_end(o);
}

/* ---- routes ---- */

static void put_scope(struct emit *o, const struct conf_route *rt)
{
    if (rt->has_scope)
        emit_key_text(o, "scope",
                      rt->scope == RT_SCOPE_HOST   ? "host"
                      : rt->scope == RT_SCOPE_LINK ? "link"
                                                   : "global");
}

/* Without another address beside it, "default" would have no family. */
static void put_to(struct emit *o, const struct conf_route *rt)
{
    emit_text(o, "to");
    if (rt->to.prefix == 0 && (rt->via.family || rt->from.family))
        emit_plain(o, "default");
    else
        put_addr(o, &rt->to, true);
}

static void put_hop(struct emit *o, const char *key, const struct conf_addr *a)
{
    if (!a->family)
        return;
    emit_text(o, key);
    put_addr(o, a, false);
}

static void put_route(struct emit *o, const struct conf_route *rt)
{
    emit_map(o);
    put_to(o, rt);
    put_hop(o, "via", &rt->via);
    put_hop(o, "from", &rt->from);
    if (rt->on_link)
        emit_key_bool(o, "on-link", true);
    if (rt->has_metric)
        emit_key_number(o, "metric", rt->metric);
    if (rt->has_table)
        emit_key_number(o, "table", rt->table);
    put_scope(o, rt);
    if (rt->type != CONF_ROUTE_UNICAST)
        emit_key_text(o, "type", conf_route_types[rt->type]);
    put_number(o, "mtu", rt->mtu);
    put_number(o, "congestion-window", rt->congestion_window);
    put_number(o, "advertised-receive-window", rt->advertised_receive_window);
    put_number(o, "advertised-mss", rt->advmss);
    emit_map_end(o);
}

static void put_routes(struct emit *o, const struct conf_l3 *l)
{
    if (l->n_routes == 0)
        return;
    emit_key_list(o, "routes", false);
    for (unsigned i = 0; i < l->n_routes; i++)
        put_route(o, &l->route[i]);
    emit_list_end(o);
}

/* ---- DNS and DHCP ---- */

static void put_dns(struct emit *o, const struct conf_l3 *l)
{
    if (l->n_dns == 0 && l->n_search == 0)
        return;
    emit_key_map(o, "nameservers");
    if (l->n_dns) {
        emit_key_list(o, "addresses", true);
        for (unsigned i = 0; i < l->n_dns; i++)
            put_addr(o, &l->dns[i], false);
        emit_list_end(o);
    }
    if (l->n_search) {
        emit_key_list(o, "search", true);
        for (unsigned i = 0; i < l->n_search; i++)
            emit_text(o, l->search[i]);
        emit_list_end(o);
    }
    emit_map_end(o);
}

static bool says_something(const struct conf_dhcp *d)
{
    const enum conf_switch all[] = {
        d->use_dns, d->use_ntp,    d->send_hostname, d->use_hostname,
        d->use_mtu, d->use_routes, d->use_domains};

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] != CONF_UNSET)
            return true;
    return d->hostname || d->has_metric;
}

static void put_overrides(struct emit *o, const char *key,
                          const struct conf_dhcp *d)
{
    if (!says_something(d))
        return;
    emit_key_map(o, key);
    put_switch(o, "use-dns", d->use_dns);
    put_switch(o, "use-ntp", d->use_ntp);
    put_switch(o, "send-hostname", d->send_hostname);
    put_switch(o, "use-hostname", d->use_hostname);
    put_switch(o, "use-mtu", d->use_mtu);
    if (d->hostname)
        emit_key_text(o, "hostname", d->hostname);
    put_switch(o, "use-routes", d->use_routes);
    if (d->has_metric)
        emit_key_number(o, "route-metric", d->metric);
    if ((int)d->use_domains == CONF_ON + 1)
        emit_key_text(o, "use-domains", "route");
    else
        put_switch(o, "use-domains", d->use_domains);
    emit_map_end(o);
}

static void put_dhcp(struct emit *o, const struct conf_l3 *l)
{
    put_switch(o, "dhcp4", l->dhcp4);
    put_overrides(o, "dhcp4-overrides", &l->over4);
    put_switch(o, "dhcp6", l->dhcp6);
    put_overrides(o, "dhcp6-overrides", &l->over6);
    if (l->dhcp_identifier)
        emit_key_text(o, "dhcp-identifier", l->dhcp_identifier);
}

/* ---- the interface ---- */

static void put_link_local(struct emit *o, const struct conf_l3 *l)
{
    if (!l->link_local4 && l->link_local6)
        return; /* as it is by itself */
    emit_key_list(o, "link-local", true);
    if (l->link_local4)
        emit_plain(o, "ipv4");
    if (l->link_local6)
        emit_plain(o, "ipv6");
    emit_list_end(o);
}

static void put_device(struct emit *o, const struct conf_l3 *l)
{
    char mac[MAC_TEXT_MAX];

    if (l->mac_set) {
        emit_text(o, "macaddress");
        emit_quoted(o, mac_format(&l->mac, mac));
    }
    put_number(o, "mtu", l->mtu);
    put_number(o, "ipv6-mtu", l->ipv6_mtu);
    put_switch(o, "optional", l->optional);
    put_switch(o, "ignore-carrier", l->ignore_carrier);
    if (l->activation_manual || l->activation_off)
        emit_key_text(o, "activation-mode",
                      l->activation_off ? "off" : "manual");
}

void print_l3(struct emit *o, const struct conf_l3 *l)
{
    put_device(o, l);
    put_addresses(o, l);
    put_routes(o, l);
    put_dns(o, l);
    put_dhcp(o, l);
    put_switch(o, "accept-ra", l->accept_ra);
    put_switch(o, "ipv6-privacy", l->ipv6_privacy);
    put_link_local(o, l);
}
