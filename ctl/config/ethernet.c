/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `ethernets:` says of a bridge's port.
 */
#include "ctl/config/draft.h"

#include <stdio.h>
#include <string.h>

static int read_match_mac(struct reader *r, const struct node *v, void *to,
                          const struct key *k)
{
    struct conf_port *p = to;

    (void)k;
    p->match.mac_set = true;
    return value_mac(r, v, &p->match.mac);
}

static int read_match_name(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    struct conf_port *p = to;

    (void)k;
    return value_keep(r, v, &p->match.name);
}

static int read_driver(struct reader *r, const struct node *v,
                       struct conf_port *p)
{
    const char **to = &p->match.driver[p->match.n_drivers];
    int rc = value_keep(r, v, to);

    if (!rc && strpbrk(*to, " \t"))
        rc = bad(r, v, "a driver's name has no blanks");
    p->match.n_drivers++;
    return rc;
}

static int read_match_driver(struct reader *r, const struct node *v, void *to,
                             const struct key *k)
{
    struct conf_port *p = to;
    unsigned n = v->type == NODE_LIST ? v->n : 1;
    int rc = 0;

    (void)k;
    if (n == 0)
        return bad(r, v, "an empty list matches nothing");
    p->match.driver = conf_alloc(r->c, n * sizeof(*p->match.driver));
    if (!p->match.driver)
        return no_memory(r);
    if (v->type != NODE_LIST)
        return read_driver(r, v, p);
    node_each (v, item) {
        rc = read_driver(r, item, p);
        if (rc)
            return rc;
    }
    return 0;
}

static const struct key match_keys[] = {
    {"macaddress", read_match_mac, 0, NULL},
    {"name", read_match_name, 0, NULL},
    {"driver", read_match_driver, 0, NULL},
    {NULL, NULL, 0, NULL},
};

static int read_match(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    const struct draft_at *at = to;
    struct conf_port *p = &at->d->b->port[at->port];
    struct keys set = {match_keys, p, NULL};
    int rc = keys_read(r, v, k->name, &set, 1);

    p->match.used = true;
    if (!rc && v->n == 0)
        rc = bad(r, v, "{} matches every device there is; say which");
    return rc;
}

static int read_port_mac(struct reader *r, const struct node *v, void *to,
                         const struct key *k)
{
    const struct draft_at *at = to;
    struct conf_port *p = &at->d->b->port[at->port];

    (void)k;
    p->mac_set = true;
    return value_mac(r, v, &p->mac);
}

static int read_port_mtu(struct reader *r, const struct node *v, void *to,
                         const struct key *k)
{
    const struct draft_at *at = to;

    (void)k;
    return value_number(r, v, 68, 65535, &at->d->b->port[at->port].mtu);
}

static int read_wakeonlan(struct reader *r, const struct node *v, void *to,
                          const struct key *k)
{
    const struct draft_at *at = to;

    return key_switch(r, v, &at->d->b->port[at->port].wakeonlan, k);
}

static int read_port_param(struct reader *r, const struct node *v, void *to,
                           const struct key *k)
{
    const struct draft_at *at = to;

    return param_port(r, at->d, at->port, (unsigned)k->at, v);
}

/* The port's own must be the bridge's: one of them configures the lot. */
static int read_port_renderer(struct reader *r, const struct node *v, void *to,
                              const struct key *k)
{
    const struct draft_at *at = to;
    const struct conf_bridge *b = at->d->b;
    const char *name = NULL, *its = b->renderer ? b->renderer : r->c->renderer;
    int rc = value_renderer(r, v, &name);

    (void)k;
    if (rc || !its || strcmp(its, name) == 0)
        return rc;
    return bad(r, v, "bridge %s is configured by %s, and so are its ports",
               b->name, its);
}

/* Looked at when all is read: `match:` may follow. */
static int keep_name(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    const struct draft_at *at = to;
    const char *name;

    (void)k;
    at->d->port[at->port].set_name = v;
    return value_ifname(r, v, &name);
}

/* Without DHCP, which a port cannot have, they say nothing: netplan takes
 * them, too.  They must be right all the same. */
static int read_idle_overrides(struct reader *r, const struct node *v, void *to,
                               const struct key *k)
{
    struct conf_dhcp unused = {0};

    (void)to;
    return l3_read_overrides(r, v, &unused, k->name);
}

static const char bridge_has[] = "a bridge's port has no addresses; write it "
                                 "with the bridge, under bridges:";
static const char by_ethtool[] = "not set by Bascule, which needs no offloads "
                                 "switched off; use ethtool -K";
static const char sr_iov[] = "SR-IOV is not set up by Bascule; leave it out";

static const struct key port_keys[] = {
    {"match", read_match, 0, NULL},
    {"macaddress", read_port_mac, 0, NULL},
    {"mtu", read_port_mtu, 0, NULL},
    {"wakeonlan", read_wakeonlan, 0, NULL},
    {"hairpin", read_port_param, BPORT_HAIRPIN, NULL},
    {"port-mac-learning", read_port_param, BPORT_LEARNING, NULL},
    {"renderer", read_port_renderer, 0, NULL},
    {"optional", key_either, 0, NULL},
    {"dhcp4", key_only_no, 0, bridge_has},
    {"dhcp6", key_only_no, 0, bridge_has},
    {"accept-ra", key_only_no, 0, bridge_has},
    {"link-local", key_only_empty, 0, bridge_has},
    {"addresses", key_only_empty, 0, bridge_has},
    {"routes", key_only_empty, 0, bridge_has},
    {"routing-policy", key_only_empty, 0, bridge_has},
    {"optional-addresses", key_only_empty, 0, bridge_has},
    {"ipv6-privacy", key_only_no, 0, bridge_has},
    {"critical", key_only_no, 0, bridge_has},
    {"gateway4", NULL, 0, bridge_has},
    {"gateway6", NULL, 0, bridge_has},
    {"nameservers", NULL, 0, bridge_has},
    {"dhcp4-overrides", read_idle_overrides, 0, NULL},
    {"dhcp6-overrides", read_idle_overrides, 0, NULL},
    {"dhcp-identifier", NULL, 0, bridge_has},
    {"ra-overrides", NULL, 0, bridge_has},
    {"ipv6-mtu", NULL, 0, bridge_has},
    {"ipv6-address-generation", NULL, 0, bridge_has},
    {"ipv6-address-token", NULL, 0, bridge_has},
    {"ignore-carrier", key_only_no, 0,
     "a port without carrier does not forward; leave it out"},
    {"activation-mode", NULL, 0, "a port is up with its bridge; leave it out"},
    {"neigh-suppress", key_only_no, 0,
     "the switch does not answer for neighbours; leave it out"},
    {"set-name", keep_name, 0, NULL},
    {"emit-lldp", key_only_no, 0, "Bascule sends no LLDP; run lldpd"},
    {"receive-checksum-offload", NULL, 0, by_ethtool},
    {"transmit-checksum-offload", NULL, 0, by_ethtool},
    {"tcp-segmentation-offload", NULL, 0, by_ethtool},
    {"tcp6-segmentation-offload", NULL, 0, by_ethtool},
    {"generic-segmentation-offload", NULL, 0, by_ethtool},
    {"generic-receive-offload", NULL, 0, by_ethtool},
    {"large-receive-offload", NULL, 0, by_ethtool},
    {"auth", NULL, 0, "802.1X is not done by Bascule; run wpa_supplicant"},
    {"link", NULL, 0, sr_iov},
    {"virtual-function-count", NULL, 0, sr_iov},
    {"embedded-switch-mode", NULL, 0, sr_iov},
    {"delay-virtual-functions-rebind", key_only_no, 0, sr_iov},
    {"infiniband-mode", NULL, 0, "InfiniBand devices cannot be ports"},
    {"wakeonwlan", key_only_empty, 0, "a port is an Ethernet device"},
    {"networkmanager", NULL, 0,
     "settings for NetworkManager alone are not supported; leave it out"},
    {"openvswitch", NULL, 0,
     "asks for a port of Open vSwitch, and this one is not; leave it out"},
    {NULL, NULL, 0, NULL},
};

/*
 * No device is renamed: the one that matches must have the name already, as
 * it has after netplan or udev made it so.
 */
static int settle_name(struct reader *r, const struct draft_port *dp,
                       struct conf_port *p)
{
    const struct node *v = dp->set_name;

    if (!p->match.used)
        return bad(r, v, "needs match:, which says what to rename");
    if (p->match.name && strcmp(p->match.name, v->text) != 0)
        return bad(r, v,
                   "Bascule renames no devices; match: the name that it "
                   "has now and leave this out");
    p->match.name = conf_text(r->c, v->text);
    return p->match.name ? 0 : no_memory(r);
}

int ethernet_read(struct reader *r, struct draft *d, unsigned port,
                  const struct thing *t)
{
    struct draft_at at = {d, port};
    struct keys set = {port_keys, &at, NULL};
    int rc = keys_read(r, t->key->value, "a bridge's port", &set, 1);

    if (!rc && t->renderer && !node_child(t->key->value, "renderer"))
        rc = read_port_renderer(r, t->renderer, &at, NULL);
    if (!rc && d->port[port].set_name)
        rc = settle_name(r, &d->port[port], &d->b->port[port]);
    return rc;
}
