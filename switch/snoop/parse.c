/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/snoop/snoop.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* Moves from behind the two addresses to behind the type; at most two tags. */
static bool skip_tags(struct cursor *c, uint16_t *type)
{
    for (int tags = 0; cursor_be16(c, type); tags++) {
        if (!snoop_is_tag(*type))
            return true;
        if (tags == 2 || !cursor_skip(c, 2))
            return false;
    }
    return false;
}

bool snoop_worth_tagged(const void *bytes, size_t n, bool acks_only)
{
    struct cursor c = cursor_over(bytes, n);
    uint16_t type;

    return cursor_skip(&c, 12) && skip_tags(&c, &type) &&
           snoop_worth_payload(type, c, acks_only);
}

/* ---- addresses that a host can have ---- */

static bool plausible_mac(const struct mac *m)
{
    return !mac_is_group(m) && !mac_is_zero(m);
}

/* Not "this host", loopback, group or broadcast (RFC 1122, 3.2.1.3). */
static bool plausible_ipv4(const uint8_t *ip)
{
    return ip[0] != 0 && ip[0] != 127 && ip[0] < 224;
}

/* Neither unspecified, loopback nor group (RFC 4291, 2.5 and 2.7). */
static bool plausible_ipv6(const uint8_t *ip)
{
    static const uint8_t none[16];

    return ip[0] != 0xff && (memcmp(ip, none, 15) != 0 || ip[15] > 1);
}

static bool take_ipv4(struct snoop_claim *c, const uint8_t *ip,
                      enum snoop_how how)
{
    c->family = AF_INET;
    c->how = (uint8_t)how;
    memcpy(c->ip, ip, 4);
    return plausible_ipv4(ip) && plausible_mac(&c->mac);
}

static bool take_ipv6(struct snoop_claim *c, const uint8_t *ip)
{
    c->family = AF_INET6;
    c->how = SNOOP_ND;
    memcpy(c->ip, ip, 16);
    return plausible_ipv6(ip) && plausible_mac(&c->mac);
}

/* ---- ARP ---- */

static bool parse_arp(struct cursor *c, struct snoop_claim *out)
{
    /* Ethernet, IPv4, and the lengths of their addresses */
    static const uint8_t ours[6] = {0, 1, 8, 0, 6, 4};
    uint8_t head[6], ip[4];
    uint16_t op;

    return cursor_bytes(c, head, 6) && memcmp(head, ours, 6) == 0 &&
           cursor_be16(c, &op) && (op == 1 || op == 2) &&
           cursor_bytes(c, &out->mac, 6) && cursor_bytes(c, ip, 4) &&
           take_ipv4(out, ip, SNOOP_ARP);
}

/* ---- neighbour discovery ---- */

enum { ND_RS = 133, ND_RA, ND_NS, ND_NA };

/* What is before the options, the ICMP header's four octets not counted. */
static const uint8_t nd_fixed[] = {4, 12, 20, 20};

/*
 * The option with the link-layer address: 1 of the source, 2 of the target
 * (RFC 4861, 4.6.1).
 */
static bool nd_option(struct cursor *c, uint8_t wanted, struct mac *m)
{
    uint8_t type, units;

    while (cursor_u8(c, &type) && cursor_u8(c, &units) && units) {
        struct cursor body = *c;

        if (type == wanted && units == 1)
            return cursor_bytes(&body, m, 6);
        if (!cursor_skip(c, units * 8U - 2))
            return false;
    }
    return false;
}

/*
 * An advertisement need not name the link-layer address when it answers a
 * question to one host (4.4): it is then the frame's source, as it stands in
 * out->mac.  A solicitation's source counts only together with its option.
 */
static bool parse_nd(struct cursor *c, const uint8_t *src, uint8_t type,
                     struct snoop_claim *out)
{
    struct cursor body = *c;
    uint8_t target[16];

    if (!cursor_skip(c, nd_fixed[type - ND_RS]))
        return false;
    if (type != ND_NA)
        return nd_option(c, 1, &out->mac) && take_ipv6(out, src);
    (void)nd_option(c, 2, &out->mac);
    return cursor_skip(&body, 4) && cursor_bytes(&body, target, 16) &&
           take_ipv6(out, target);
}

/* Only what comes from this link has a hop limit of 255 (RFC 4861, 7.1); it
 * is never in fragments (RFC 6980) and has no header between. */
static bool parse_ipv6(struct cursor *c, struct snoop_claim *out)
{
    uint8_t next, hops, src[16], type, code;

    return cursor_skip(c, 6) && cursor_u8(c, &next) && cursor_u8(c, &hops) &&
           cursor_bytes(c, src, 16) && cursor_skip(c, 16) &&
           next == SNOOP_PROTO_ICMPV6 && hops == 255 && cursor_u8(c, &type) &&
           cursor_u8(c, &code) && cursor_skip(c, 2) && snoop_is_nd(type) &&
           code == 0 && parse_nd(c, src, type, out);
}

/* ---- DHCP ---- */

struct dhcp {
    uint8_t op, message;
    uint8_t ciaddr[4], yiaddr[4], wanted[4];
};

/* RFC 2132; an option that goes on in sname or file (9.3) is none of ours. */
static void dhcp_options(struct cursor *c, struct dhcp *d)
{
    uint8_t code, len;

    while (cursor_u8(c, &code) && code != 255) {
        struct cursor body;

        if (code == 0)
            continue;
        if (!cursor_u8(c, &len))
            return;
        body = *c;
        if (!cursor_skip(c, len))
            return;
        if (code == 53 && len == 1)
            (void)cursor_u8(&body, &d->message);
        else if (code == 50 && len == 4)
            (void)cursor_bytes(&body, d->wanted, 4);
    }
}

/* The fields of RFC 2131, figure 1, and the options. */
static bool dhcp_read(struct cursor *c, struct dhcp *d, struct mac *m)
{
    uint8_t htype, hlen;
    uint32_t cookie;

    if (!cursor_u8(c, &d->op) || !cursor_u8(c, &htype) ||
        !cursor_u8(c, &hlen) || htype != 1 || hlen != 6)
        return false;
    if (!cursor_skip(c, 9) || !cursor_bytes(c, d->ciaddr, 4) ||
        !cursor_bytes(c, d->yiaddr, 4) || !cursor_skip(c, 8) ||
        !cursor_bytes(c, m, 6) || !cursor_skip(c, 10 + 64 + 128) ||
        !cursor_be32(c, &cookie) || cookie != 0x63825363)
        return false;
    dhcp_options(c, d);
    return true;
}

/*
 * An answer to DHCPINFORM gives no address (4.3.5).  A client that renews
 * has its address in ciaddr, another in the option (4.3.2).
 */
static bool parse_dhcp(struct cursor *c, uint32_t ports,
                       struct snoop_claim *out)
{
    static const uint8_t none[4];
    struct dhcp d = {0};

    if (!dhcp_read(c, &d, &out->mac))
        return false;
    if (ports == SNOOP_TO_CLIENT && d.op == 2 && d.message == 5)
        return take_ipv4(out, d.yiaddr, SNOOP_DHCP_ACK);
    if (ports == SNOOP_TO_SERVER && d.op == 1 && d.message == 3)
        return take_ipv4(out,
                         memcmp(d.ciaddr, none, 4) == 0 ? d.wanted : d.ciaddr,
                         SNOOP_DHCP_REQUEST);
    return false;
}

static bool parse_ipv4(struct cursor *c, struct snoop_claim *out)
{
    uint8_t first, protocol;
    uint16_t fragment;
    uint32_t ports;

    /* no options, no more fragments, nor one behind the first (RFC 791, 3.1) */
    if (!cursor_u8(c, &first) || first != 0x45 || !cursor_skip(c, 5) ||
        !cursor_be16(c, &fragment) || fragment & 0x3fff)
        return false;
    return cursor_skip(c, 1) && cursor_u8(c, &protocol) &&
           protocol == SNOOP_PROTO_UDP && cursor_skip(c, 10) &&
           cursor_be32(c, &ports) && cursor_skip(c, 4) &&
           parse_dhcp(c, ports, out);
}

/* ---- all of them ---- */

bool snoop_parse(const void *bytes, size_t n, struct snoop_claim *out)
{
    struct cursor c = cursor_over(bytes, n);
    uint16_t type;

    memset(out, 0, sizeof(*out));
    if (!cursor_skip(&c, 6) || !cursor_bytes(&c, &out->mac, 6) ||
        !skip_tags(&c, &type))
        return false;
    switch (type) {
    case SNOOP_TYPE_ARP:
        return parse_arp(&c, out);
    case SNOOP_TYPE_IPV4:
        return parse_ipv4(&c, out);
    case SNOOP_TYPE_IPV6:
        return parse_ipv6(&c, out);
    default:
        return false;
    }
}

/* ---- in words ---- */

_Static_assert(SNOOP_IP_TEXT_MAX == INET6_ADDRSTRLEN, "room for any");

const char *snoop_how_name(enum snoop_how how)
{
    static const char *const name[SNOOP_HOWS] = {
        [SNOOP_DHCP_REQUEST] = "dhcp-request",
        [SNOOP_ARP] = "arp",
        [SNOOP_ND] = "nd",
        [SNOOP_DHCP_ACK] = "dhcp",
    };

    return (unsigned)how < SNOOP_HOWS ? name[how] : "unknown";
}

const char *snoop_ip_format(const struct snoop_claim *c,
                            char text[SNOOP_IP_TEXT_MAX])
{
    if (!inet_ntop(c->family, c->ip, text, SNOOP_IP_TEXT_MAX))
        memcpy(text, "?", 2);
    return text;
}
