/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What netplan's "common properties" say of an interface with addresses: of
 * a bridge, that is.  A port's are in netplan.c.
 */
#include "ctl/config/draft.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

/* ---- DHCP ---- */

static int read_use_domains(struct reader *r, const struct node *v, void *to,
                            const struct key *k)
{
    struct conf_dhcp *d = to;
    bool on = false;
    int rc;

    (void)k;
    if (v->type == NODE_SCALAR && strcasecmp(v->text, "route") == 0) {
        d->use_domains = CONF_ON + 1;
        return 0;
    }
    rc = value_switch(r, v, &on);
    if (rc)
        return bad(r, v, "expected yes, no or route%s%s",
                   v->type == NODE_SCALAR ? ", found " : "",
                   v->type == NODE_SCALAR ? SHOW(v->text) : "");
    d->use_domains = on ? CONF_ON : CONF_OFF;
    return 0;
}

/* Letters, digits, '-', '_' and dots, as DNS has them. */
static int domain(struct reader *r, const struct node *v, bool route,
                  const char **name)
{
    int rc = value_keep(r, v, name);
    const char *c = *name;

    if (rc)
        return rc;
    if (route && *c == '~')
        c++;
    if (strlen(c) > 253 || (!*c && *name == c))
        return bad(r, v, "longer than a name in DNS can be");
    for (; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c) &&
            (unsigned char)*c < 0x80)
            return bad(r, v, "%s: '%c' is not allowed in a name in DNS",
                       SHOW(v->text), *c);
    return 0;
}

static int read_hostname(struct reader *r, const struct node *v, void *to,
                         const struct key *k)
{
    struct conf_dhcp *d = to;

    (void)k;
    return domain(r, v, false, &d->hostname);
}

static int read_metric(struct reader *r, const struct node *v, void *to,
                       const struct key *k)
{
    struct conf_dhcp *d = to;

    (void)k;
    d->has_metric = true;
    return value_number(r, v, 0, UINT32_MAX, &d->metric);
}

#define DHCP(field) offsetof(struct conf_dhcp, field)

static const struct key dhcp_keys[] = {
    {"use-dns", key_switch, DHCP(use_dns), NULL},
    {"use-ntp", key_switch, DHCP(use_ntp), NULL},
    {"send-hostname", key_switch, DHCP(send_hostname), NULL},
    {"use-hostname", key_switch, DHCP(use_hostname), NULL},
    {"use-mtu", key_switch, DHCP(use_mtu), NULL},
    {"hostname", read_hostname, 0, NULL},
    {"use-routes", key_switch, DHCP(use_routes), NULL},
    {"route-metric", read_metric, 0, NULL},
    {"use-domains", read_use_domains, 0, NULL},
    {NULL, NULL, 0, NULL},
};

int l3_read_overrides(struct reader *r, const struct node *v,
                      struct conf_dhcp *d, const char *name)
{
    struct keys set = {dhcp_keys, d, NULL};

    d->pos = v->pos;
    return keys_read(r, v, name, &set, 1);
}

static int read_overrides(struct reader *r, const struct node *v, void *to,
                          const struct key *k)
{
    return l3_read_overrides(r, v, (void *)((char *)to + k->at), k->name);
}

static int read_identifier(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    static const char *const words[] = {"mac", "duid", NULL};
    struct conf_l3 *l = to;
    unsigned i = 0;
    int rc = value_word(r, v, words, &i);

    (void)k;
    l->dhcp_identifier = words[i];
    return rc;
}

/* ---- DNS ---- */

static int read_servers(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    struct conf_l3 *l = to;
    int rc = want_list(r, v);

    (void)k;
    if (rc || v->n == 0)
        return rc;
    l->dns = conf_alloc(r->c, v->n * sizeof(*l->dns));
    if (!l->dns)
        return no_memory(r);
    node_each (v, item) {
        rc = value_addr(r, item, ADDR_PLAIN, &l->dns[l->n_dns]);
        if (rc)
            return rc;
        l->n_dns++;
    }
    return 0;
}

static int read_search(struct reader *r, const struct node *v, void *to,
                       const struct key *k)
{
    struct conf_l3 *l = to;
    int rc = want_list(r, v);

    (void)k;
    if (rc || v->n == 0)
        return rc;
    l->search = conf_alloc(r->c, v->n * sizeof(*l->search));
    if (!l->search)
        return no_memory(r);
    node_each (v, item) {
        rc = domain(r, item, true, &l->search[l->n_search]);
        if (rc)
            return rc;
        l->n_search++;
    }
    return 0;
}

static const struct key dns_keys[] = {
    {"addresses", read_servers, 0, NULL},
    {"search", read_search, 0, NULL},
    {NULL, NULL, 0, NULL},
};

static int read_dns(struct reader *r, const struct node *v, void *to,
                    const struct key *k)
{
    struct keys set = {dns_keys, to, NULL};

    return keys_read(r, v, k->name, &set, 1);
}

/* ---- the interface ---- */

static int read_link_local(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    static const char *const words[] = {"ipv4", "ipv6", NULL};
    struct conf_l3 *l = to;
    int rc = want_list(r, v);

    (void)k;
    if (rc)
        return rc;
    l->link_local4 = l->link_local6 = false;
    node_each (v, item) {
        unsigned i = 0;

        rc = value_word(r, item, words, &i);
        if (rc)
            return rc;
        *(i ? &l->link_local6 : &l->link_local4) = true;
    }
    return 0;
}

static int read_mac(struct reader *r, const struct node *v, void *to,
                    const struct key *k)
{
    struct conf_l3 *l = to;

    (void)k;
    l->mac_set = true;
    return value_mac(r, v, &l->mac);
}

/* A tap takes no more: 65535 less its Ethernet header. */
#define BRIDGE_MTU_MAX 65521

static int read_mtu(struct reader *r, const struct node *v, void *to,
                    const struct key *k)
{
    struct conf_l3 *l = to;

    (void)k;
    return value_number(r, v, 68, BRIDGE_MTU_MAX, &l->mtu);
}

static int read_mtu6(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    struct conf_l3 *l = to;

    (void)k;
    return value_number(r, v, 1280, BRIDGE_MTU_MAX, &l->ipv6_mtu);
}

static int read_activation(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    static const char *const words[] = {"manual", "off", NULL};
    struct conf_l3 *l = to;
    unsigned i = 0;
    int rc = value_word(r, v, words, &i);

    (void)k;
    l->activation_manual = i == 0;
    l->activation_off = i == 1;
    return rc;
}

static const char not_bridge[] =
    "is a setting of a port; write it under ethernets:";

#define L3(field) offsetof(struct conf_l3, field)

const struct key l3_keys[] = {
    {"dhcp4", key_switch, L3(dhcp4), NULL},
    {"dhcp6", key_switch, L3(dhcp6), NULL},
    {"dhcp4-overrides", read_overrides, L3(over4), NULL},
    {"dhcp6-overrides", read_overrides, L3(over6), NULL},
    {"dhcp-identifier", read_identifier, 0, NULL},
    {"accept-ra", key_switch, L3(accept_ra), NULL},
    {"link-local", read_link_local, 0, NULL},
    {"addresses", addresses_read, 0, NULL},
    {"routes", routes_read, 0, NULL},
    {"gateway4", gateway_read, AF_INET, NULL},
    {"gateway6", gateway_read, AF_INET6, NULL},
    {"nameservers", read_dns, 0, NULL},
    {"macaddress", read_mac, 0, NULL},
    {"mtu", read_mtu, 0, NULL},
    {"ipv6-mtu", read_mtu6, 0, NULL},
    {"ipv6-privacy", key_switch, L3(ipv6_privacy), NULL},
    {"optional", key_switch, L3(optional), NULL},
    {"ignore-carrier", key_switch, L3(ignore_carrier), NULL},
    {"activation-mode", read_activation, 0, NULL},
    {"critical", key_only_no, 0,
     "addresses cannot be kept when the daemon ends, as the bridge's interface "
     "goes with it; leave it out"},
    {"optional-addresses", key_only_empty, 0,
     "not supported; optional: true lets nothing wait for the bridge"},
    {"ra-overrides", NULL, 0,
     "not supported; accept-ra: no turns router advertisements off"},
    {"ipv6-address-generation", NULL, 0,
     "not supported; set it by sysctl net.ipv6.conf.BRIDGE.addr_gen_mode"},
    {"ipv6-address-token", NULL, 0,
     "not supported; set it by ip token, or write the address"},
    {"routing-policy", NULL, 0, "not supported; add rules by ip rule"},
    {"hairpin", NULL, 0, not_bridge},
    {"port-mac-learning", NULL, 0, not_bridge},
    {"neigh-suppress", key_only_no, 0,
     "the switch does not answer for neighbours; leave it out"},
    {"networkmanager", NULL, 0,
     "settings for NetworkManager alone are not supported; leave it out"},
    {"openvswitch", NULL, 0,
     "asks for a bridge of Open vSwitch, and this one is not; leave it out"},
    {NULL, NULL, 0, NULL},
};

_Static_assert(sizeof(l3_keys) / sizeof(l3_keys[0]) <= L3_KEYS_MAX,
               "struct draft has a place for each");

static void dhcp_defaults(struct conf_dhcp *d)
{
    d->use_dns = d->use_ntp = d->send_hostname = CONF_UNSET;
    d->use_hostname = d->use_mtu = d->use_routes = CONF_UNSET;
    d->use_domains = CONF_UNSET;
}

void conf_l3_init(struct conf_l3 *l)
{
    dhcp_defaults(&l->over4);
    dhcp_defaults(&l->over6);
    l->dhcp4 = l->dhcp6 = l->accept_ra = CONF_UNSET;
    l->optional = l->ipv6_privacy = l->ignore_carrier = CONF_UNSET;
    l->link_local6 = true;
}
