/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables, their records and columns.  A column that has no counterpart in
 * Bascule has one value for ever; setting it to just that is fine, anything
 * else is refused with the reason.
 */
#include "ctl/client/ovs_vsctl_table.h"

#include <ctype.h>
#include <string.h>

#define NO_VLANS                                                               \
    "Bascule has no VLAN filtering yet: tags pass every port as they are"
#define NO_RATES                                                               \
    "Bascule limits no rates: use tc(8) on the interface, or leave bandwidth " \
    "out of the guest's definition"
#define NO_BONDS   "Bascule has no bonds"
#define NO_FLOWS   "Bascule has no OpenFlow: it is a bridge that learns"
#define NO_OPTIONS "Bascule has no such options: see bascule help addif"
#define IS_SHOWN   "it is shown, and cannot be set"
#define NO_CONFIG  "see bascule help port set and bascule help bridge set"
#define NO_IDS     "Bascule keeps external_ids of ports, not of bridges"

static json_t *empty_set(const struct ovs *o, const json_t *r)
{
    (void)o;
    (void)r;
    return ovs_set_of(json_array());
}

static json_t *empty_map(const struct ovs *o, const json_t *r)
{
    (void)o;
    (void)r;
    return ovs_map(NULL);
}

static json_t *empty_text(const struct ovs *o, const json_t *r)
{
    (void)o;
    (void)r;
    return json_string("");
}

static json_t *zero(const struct ovs *o, const json_t *r)
{
    (void)o;
    (void)r;
    return json_integer(0);
}

static json_t *no(const struct ovs *o, const json_t *r)
{
    (void)o;
    (void)r;
    return json_false();
}

/* A member of the record; an empty set if the port is not there yet. */
static json_t *member(const json_t *r, const char *key)
{
    json_t *v = json_object_get(r, key);

    return v ? json_incref(v) : ovs_set_of(json_array());
}

static json_t *get_name(const struct ovs *o, const json_t *r)
{
    (void)o;
    return member(r, "name");
}

static json_t *get_labels(const struct ovs *o, const json_t *r)
{
    (void)o;
    return ovs_map(json_object_get(r, "labels"));
}

static json_t *get_isolated(const struct ovs *o, const json_t *r)
{
    (void)o;
    return json_boolean(json_is_true(json_object_get(r, "isolated")));
}

static json_t *get_stp(const struct ovs *o, const json_t *r)
{
    (void)o;
    return json_boolean(json_is_true(json_object_get(r, "stp_state")));
}

static json_t *get_type(const struct ovs *o, const json_t *r)
{
    (void)o;
    return json_string(ovs_type(r));
}

static json_t *get_mac(const struct ovs *o, const json_t *r)
{
    (void)o;
    return member(r, "mac");
}

static json_t *get_mtu(const struct ovs *o, const json_t *r)
{
    (void)o;
    return member(r, "mtu");
}

static json_t *get_ifindex(const struct ovs *o, const json_t *r)
{
    (void)o;
    return member(r, "ifindex");
}

static json_t *get_ofport(const struct ovs *o, const json_t *r)
{
    (void)o;
    return member(r, "no");
}

static json_t *get_link(const struct ovs *o, const json_t *r)
{
    const json_t *link = json_object_get(r, "link");

    return link ? json_string(json_is_true(link) ? "up" : "down")
                : empty_set(o, r);
}

static json_t *get_error(const struct ovs *o, const json_t *r)
{
    return json_is_true(json_object_get(r, "failed")) ? member(r, "why")
                                                      : empty_set(o, r);
}

/* Frames that a port lost while receiving ("rx-") or sending ("tx-"). */
static json_int_t lost(const json_t *r, const char *prefix)
{
    json_t *reasons = json_object_get(r, "reasons"), *v;
    const char *name;
    json_int_t n = 0;

    json_object_foreach(reasons, name, v)
    {
        if (strncmp(name, prefix, 3) == 0)
            n += json_integer_value(v);
    }
    return n;
}

/* Errors are not told apart from other losses: no counters for them. */
static json_t *get_statistics(const struct ovs *o, const json_t *r)
{
    static const char *const key[][2] = {{"rx_bytes", "rx_bytes"},
                                         {"rx_packets", "rx_frames"},
                                         {"tx_bytes", "tx_bytes"},
                                         {"tx_packets", "tx_frames"}};
    json_t *all = json_object(), *v;

    (void)o;
    for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
        if ((v = json_object_get(r, key[i][1])) != NULL)
            json_object_set(all, key[i][0], v);
    json_object_set_new(all, "rx_dropped", json_integer(lost(r, "rx-")));
    json_object_set_new(all, "tx_dropped", json_integer(lost(r, "tx-")));
    v = ovs_map(all);
    json_decref(all);
    return v;
}

static json_t *get_interfaces(const struct ovs *o, const json_t *r)
{
    (void)o;
    return ovs_set_of(json_pack("[s]", str(r, "name")));
}

static json_t *get_ports(const struct ovs *o, const json_t *r)
{
    json_t *names = json_array();
    const json_t *p;
    size_t i;

    json_array_foreach(o->ports, i, p)
    {
        if (strcmp(str(p, "bridge"), str(r, "name")) == 0)
            json_array_append(names, json_object_get(p, "name"));
    }
    return ovs_set_of(names);
}

static const struct ovs_column bridge_columns[] = {
    {"controller", empty_set, SET_NEVER, NO_FLOWS},
    {"datapath_type", empty_text, SET_NEVER, NO_FLOWS},
    {"external_ids", empty_map, SET_NEVER, NO_IDS},
    {"fail_mode", empty_set, SET_NEVER, NO_FLOWS},
    {"mcast_snooping_enable", no, SET_NEVER,
     "Bascule has no multicast snooping yet"},
    {"name", get_name, SET_NEVER, IS_SHOWN},
    {"other_config", empty_map, SET_NEVER, NO_CONFIG},
    {"ports", get_ports, SET_NEVER, "see add-port and del-port"},
    {"protocols", empty_set, SET_NEVER, NO_FLOWS},
    {"rstp_enable", no, SET_NEVER, "see stp_enable"},
    {"stp_enable", get_stp, SET_STP, NULL},
    {NULL, NULL, SET_NEVER, NULL},
};

static const struct ovs_column port_columns[] = {
    {"bond_mode", empty_set, SET_NEVER, NO_BONDS},
    {"external_ids", get_labels, SET_LABELS, NULL},
    {"interfaces", get_interfaces, SET_NEVER, NO_BONDS},
    {"lacp", empty_set, SET_NEVER, NO_BONDS},
    {"name", get_name, SET_NEVER, IS_SHOWN},
    {"other_config", empty_map, SET_NEVER, NO_CONFIG},
    {"protected", get_isolated, SET_ISOLATED, NULL},
    {"qos", empty_set, SET_NEVER, NO_RATES},
    {"tag", empty_set, SET_NEVER, NO_VLANS},
    {"trunks", empty_set, SET_NEVER, NO_VLANS},
    {"vlan_mode", empty_set, SET_NEVER, NO_VLANS},
    {NULL, NULL, SET_NEVER, NULL},
};

static const struct ovs_column interface_columns[] = {
    {"error", get_error, SET_NEVER, IS_SHOWN},
    {"external_ids", get_labels, SET_LABELS, NULL},
    {"ifindex", get_ifindex, SET_NEVER, IS_SHOWN},
    {"ingress_policing_burst", zero, SET_NEVER, NO_RATES},
    {"ingress_policing_rate", zero, SET_NEVER, NO_RATES},
    {"link_state", get_link, SET_NEVER, IS_SHOWN},
    {"mac", empty_set, SET_NEVER, "use ip link set dev DEV address MAC"},
    {"mac_in_use", get_mac, SET_NEVER, IS_SHOWN},
    {"mtu", get_mtu, SET_NEVER, "use ip link set dev DEV mtu N"},
    {"mtu_request", empty_set, SET_NEVER, "use ip link set dev DEV mtu N"},
    {"name", get_name, SET_NEVER, IS_SHOWN},
    {"ofport", get_ofport, SET_NEVER, IS_SHOWN},
    {"options", empty_map, SET_NEVER, NO_OPTIONS},
    {"other_config", empty_map, SET_NEVER, NO_CONFIG},
    {"statistics", get_statistics, SET_NEVER, IS_SHOWN},
    {"type", get_type, SET_TYPE, NULL},
    {NULL, NULL, SET_NEVER, NULL},
};

/* There are no records in them; libvirt looks there for what it made. */
static const struct ovs_column queue_columns[] = {
    {"_uuid", empty_set, SET_NEVER, NO_RATES},
    {"external_ids", empty_map, SET_NEVER, NO_RATES},
    {"other_config", empty_map, SET_NEVER, NO_RATES},
    {NULL, NULL, SET_NEVER, NULL},
};

static const struct ovs_table tables[] = {
    {"Bridge", bridge_columns}, {"Interface", interface_columns},
    {"Port", port_columns},     {"QoS", queue_columns},
    {"Queue", queue_columns},   {NULL, NULL},
};

const char *ovs_type(const json_t *port)
{
    const char *kind = str(port, "kind");

    if (strcmp(kind, "tap") == 0)
        return "internal";
    return strcmp(kind, "packet") == 0 ? "" : kind;
}

/* ---- names ---- */

/* As Open vSwitch compares: any case, '-' for '_', cut short. */
static bool begins(const char *name, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int a = tolower((unsigned char)name[i]);
        int b = tolower((unsigned char)text[i]);

        if (a != b && !(a == '_' && b == '-'))
            return false;
    }
    return n > 0;
}

const struct ovs_table *ovs_find_table(struct ovs *o, const char *text)
{
    const struct ovs_table *found = NULL;
    size_t n = strlen(text);

    for (const struct ovs_table *t = tables; t->name; t++) {
        if (!begins(t->name, text, n))
            continue;
        if (strlen(t->name) == n)
            return t;
        if (found) {
            ovs_fail(o, "table %s may be %s or %s", text, found->name, t->name);
            return NULL;
        }
        found = t;
    }
    if (!found)
        ovs_fail(o,
                 "there is no table %s here: Bridge, Port and Interface are "
                 "there, QoS and Queue are there and empty",
                 text);
    return found;
}

const struct ovs_column *ovs_find_column(struct ovs *o,
                                         const struct ovs_table *t,
                                         const char *text, size_t n)
{
    const struct ovs_column *found = NULL;

    for (const struct ovs_column *c = t->columns; c->name; c++) {
        if (!begins(c->name, text, n))
            continue;
        if (strlen(c->name) == n)
            return c;
        if (found) {
            ovs_fail(o, "column %.*s of table %s may be %s or %s", (int)n, text,
                     t->name, found->name, c->name);
            return NULL;
        }
        found = c;
    }
    if (!found)
        ovs_fail(o, "table %s has no column %.*s here", t->name, (int)n, text);
    return found;
}

json_t *ovs_records(const struct ovs *o, const struct ovs_table *t)
{
    if (t->columns == bridge_columns)
        return o->bridges;
    return t->columns == queue_columns ? NULL : o->ports;
}

int ovs_find_record(struct ovs *o, const struct ovs_command *c,
                    const struct ovs_table *t, const char *name, json_t **r)
{
    json_t *v;
    size_t i;

    json_array_foreach(ovs_records(o, t), i, v)
    {
        if (strcmp(str(v, "name"), name) == 0) {
            *r = v;
            return 1;
        }
    }
    if (c->options & OVS_IF_EXISTS)
        return 0;
    return ovs_fail(o, "table %s has no record \"%s\"", t->name, name);
}

int ovs_table_and_record(struct ovs *o, const struct ovs_command *c,
                         const struct ovs_table **t, json_t **r)
{
    *t = ovs_find_table(o, c->argv[0]);
    return *t ? ovs_find_record(o, c, *t, c->argv[1], r) : -1;
}
