/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a configuration asks for, after it has been read and judged: the
 * bridges of netplan's `bridges:` (netplan(5), version 2) with the
 * `ethernets:` they refer to, and our own `bascule:` section beside it.
 *
 * A value: made by conf_load, not changed afterwards, freed whole.  Threads:
 * made on any, then read by any.
 */
#ifndef CTL_CONFIG_MODEL_H
#define CTL_CONFIG_MODEL_H

#include "base/mac.h"
#include "ports/spec.h"
#include "switch/switch.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Where something was written, for messages: "FILE:LINE:COLUMN". */
struct conf_pos {
    const char *file;      /* as named by who loaded it */
    unsigned line, column; /* from 1 */
};

/* Not written: the kernel's, or the manager's, default stands. */
enum conf_switch { CONF_UNSET = -1, CONF_OFF = 0, CONF_ON = 1 };

/* ---- layer 3 ---- */

/* An address with its prefix length, or a destination. */
struct conf_addr {
    int family; /* AF_INET, AF_INET6 */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } a;
    uint8_t prefix; /* 0 .. 32, 128 */
    /* of an interface's address: netplan's `label:` ("": none) and
     * `lifetime: 0` */
    char label[16];
    bool deprecated;
    struct conf_pos pos;
};

enum conf_route_type {
    CONF_ROUTE_UNICAST,
    CONF_ROUTE_LOCAL,
    CONF_ROUTE_BROADCAST,
    CONF_ROUTE_ANYCAST,
    CONF_ROUTE_MULTICAST,
    CONF_ROUTE_NAT,
    CONF_ROUTE_XRESOLVE,
    CONF_ROUTE_UNREACHABLE,
    CONF_ROUTE_BLACKHOLE,
    CONF_ROUTE_PROHIBIT,
    CONF_ROUTE_THROW,
};

/* 0 (or family 0) where nothing was written. */
struct conf_route {
    struct conf_addr to; /* default: prefix 0 */
    struct conf_addr via;
    struct conf_addr from; /* preferred source */
    bool on_link;
    bool has_metric, has_table, has_scope;
    uint32_t metric, table;
    uint8_t scope; /* RT_SCOPE_* */
    enum conf_route_type type;
    uint32_t mtu, congestion_window, advertised_receive_window, advmss;
    struct conf_pos pos;
};

/* netplan's dhcp4-overrides and dhcp6-overrides */
struct conf_dhcp {
    enum conf_switch use_dns, use_ntp, send_hostname, use_hostname, use_mtu,
        use_routes;
    enum conf_switch use_domains; /* CONF_ON + 1: "route" */
    const char *hostname;         /* NULL: the system's */
    bool has_metric;
    uint32_t metric;
    struct conf_pos pos; /* line 0: the map was not written */
};

struct conf_l3 {
    enum conf_switch dhcp4, dhcp6;
    struct conf_dhcp over4, over6;
    const char *dhcp_identifier; /* "mac", "duid" or NULL */
    enum conf_switch accept_ra;
    bool link_local4, link_local6; /* `link-local:`; default [ipv6] */
    struct conf_addr *addr;
    unsigned n_addrs;
    struct conf_route *route; /* gateway4/gateway6 among them */
    unsigned n_routes;
    struct conf_addr *dns;
    unsigned n_dns;
    const char **search;
    unsigned n_search;
    bool mac_set;
    struct mac mac;
    uint32_t mtu; /* 0: by the ports */
    uint32_t ipv6_mtu;
    enum conf_switch optional, ipv6_privacy, ignore_carrier;
    bool activation_manual, activation_off; /* `activation-mode:` */
};

/* ---- ports and bridges ---- */

struct conf_port {
    /*
     * What to add.  From netplan: packet:IFNAME.  A `match:` is kept beside
     * it and looked up when it is applied; spec.target and spec.name are then
     * "", and each device that fits is a port.
     */
    struct port_spec spec;
    struct {
        bool used;
        bool mac_set;
        struct mac mac;
        const char *name;    /* fnmatch pattern, or NULL */
        const char **driver; /* fnmatch patterns, one of which must match */
        unsigned n_drivers;  /* 0: any */
    } match;
    /*
     * What `network:` calls it: netplan's name of the ethernet.  A plain
     * packet port of `bascule:` has its interface's, as netplan could have
     * named it; all others have "".
     */
    const char *id;
    bool set[BPORT_PARAMS]; /* which of param[] are written */
    uint32_t param[BPORT_PARAMS];
    /* of the uplink itself */
    bool mac_set;
    struct mac mac;
    uint32_t mtu; /* 0: as it is */
    enum conf_switch wakeonlan;
    struct conf_pos pos;
};

/* A bridge of the kernel's that is taken over in place (ctl/adopt/adopt.h); it
 * has a name and nothing else here. */
enum conf_adopt { CONF_ADOPT_NO, CONF_ADOPT_YES, CONF_ADOPT_DISABLE };

struct conf_bridge {
    char name[PORT_NAME_MAX];
    enum conf_adopt adopt; /* own section */
    bool local;            /* own section: `local: false` makes a pure switch */
    bool set[BRIDGE_PARAMS]; /* which of param[] are written; of BRIDGE_STP
                                always, see params.c */
    uint32_t param[BRIDGE_PARAMS]; /* the switch's units */
    const char *renderer; /* this bridge's own; NULL: the configuration's */
    struct conf_port *port;
    unsigned n_ports;
    struct conf_l3 l3;
    struct conf_pos pos;
};

/* A guest of `guests:`. */
struct conf_guest {
    const char *name;
    const char *def; /* its definition (ctl/guest/def.h), as JSON with sorted
                        keys: the same text, the same guest */
    bool start;      /* to be running when this has been applied */
    struct conf_pos pos;
};

/* Something worth saying that is no error ("ens34 is in no bridge: ..."). */
struct conf_notice {
    struct conf_notice *next;
    const char *text; /* with its place */
};

struct conf {
    struct conf_bridge *bridge;
    unsigned n_bridges;
    struct conf_guest *guest;
    unsigned n_guests;
    const char *renderer; /* "networkd", "NetworkManager" or NULL */
    struct conf_notice *notice;
    struct conf_pool *pool; /* load.c: all memory of this configuration */
};

#endif
