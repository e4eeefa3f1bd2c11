/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which IP addresses hosts say they have, learned from what they send anyway:
 *
 *   ARP   the sender's two addresses (RFC 826), of a question as of an answer,
 *         and so of an announcement (RFC 5227, 2.3).  A probe, whose sender is
 *         0.0.0.0 (RFC 5227, 2.1.1), says nothing.
 *   ND    the target of a neighbour advertisement, and the source of whatever
 *         names its link-layer address (RFC 4861, 4.1 to 4.4).  Duplicate
 *         address detection asks with source :: (RFC 4862, 5.4.2) and has no
 *         address yet.
 *   DHCP  the server's DHCPACK names both addresses (RFC 2131, table 3); what a
 *         client asks for in a DHCPREQUEST is a hint that may come to nothing.
 *
 * Checksums are not looked at: a guest leaves them to its network card. Anybody
 * can say anything: this is for people to look at, nothing is decided by it.
 *
 * Threads: pure functions; any.  A table belongs to its caller.
 */
#ifndef SWITCH_SNOOP_SNOOP_H
#define SWITCH_SNOOP_SNOOP_H

#include "base/cursor.h"
#include "base/mac.h"

/* In the order of their weight: an entry keeps the best it was told by. */
enum snoop_how {
    SNOOP_DHCP_REQUEST,
    SNOOP_ARP,
    SNOOP_ND,
    SNOOP_DHCP_ACK,
    SNOOP_HOWS
};

/* "arp", "nd", "dhcp", "dhcp-request" */
const char *snoop_how_name(enum snoop_how how);

struct snoop_claim {
    struct mac mac;
    uint8_t family; /* AF_INET, AF_INET6 of <sys/socket.h> */
    uint8_t how;    /* enum snoop_how */
    uint8_t ip[16]; /* of IPv4 the first four */
};

#define SNOOP_IP_TEXT_MAX 46 /* INET6_ADDRSTRLEN */
/* "10.0.0.5"; returns 'text'. */
const char *snoop_ip_format(const struct snoop_claim *c,
                            char text[SNOOP_IP_TEXT_MAX]);

/* ---- the parser ---- */

/* So many of a frame's first octets are enough: two tags, and a DHCP message of
 * the length that everybody takes (RFC 2131, 2). */
#define SNOOP_BYTES 600

/*
 * What the frame says, of which 'n' octets are there.  False: nothing.
 */
bool snoop_parse(const void *bytes, size_t n, struct snoop_claim *c);

/* ---- is it worth parsing? ---- */

#define SNOOP_TYPE_IPV4 0x0800
#define SNOOP_TYPE_ARP  0x0806
#define SNOOP_TYPE_IPV6 0x86dd

#define SNOOP_PROTO_UDP    17
#define SNOOP_PROTO_ICMPV6 58

/* Ports of DHCP's server and client (RFC 2131, 4.1), side by side. */
#define SNOOP_TO_SERVER ((uint32_t)68 << 16 | 67)
#define SNOOP_TO_CLIENT ((uint32_t)67 << 16 | 68)

/* Router solicitation to neighbour advertisement (RFC 4861, 4). */
static inline bool snoop_is_nd(uint8_t type)
{
    return type >= 133 && type <= 136;
}

/*
 * One look at where the ports are without IP options, which nobody sends with
 * DHCP; that they are ports at all, the parser finds out.
 */
static inline bool snoop_is_dhcp(struct cursor ip, bool acks_only)
{
    uint32_t ports;

    if (!cursor_skip(&ip, 20) || !cursor_be32(&ip, &ports))
        return false;
    return ports == SNOOP_TO_CLIENT || (ports == SNOOP_TO_SERVER && !acks_only);
}

/* Neighbour discovery comes without extension headers. */
static inline bool snoop_is_nd_packet(struct cursor c)
{
    uint8_t next, icmp;

    return cursor_skip(&c, 6) && cursor_u8(&c, &next) &&
           next == SNOOP_PROTO_ICMPV6 && cursor_skip(&c, 33) &&
           cursor_u8(&c, &icmp) && snoop_is_nd(icmp);
}

/* Of a frame whose type, behind all tags, is this, and what comes behind it. */
static inline bool snoop_worth_payload(uint16_t type, struct cursor payload,
                                       bool acks_only)
{
    if (type == SNOOP_TYPE_IPV4)
        return snoop_is_dhcp(payload, acks_only);
    if (type == SNOOP_TYPE_IPV6)
        return !acks_only && snoop_is_nd_packet(payload);
    return type == SNOOP_TYPE_ARP && !acks_only;
}

/* Out of line, as few frames have tags. */
bool snoop_worth_tagged(const void *bytes, size_t n, bool acks_only);

/* 802.1Q-2018, table 9-1 */
static inline bool snoop_is_tag(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8;
}

/*
 * Can the frame say anything?  For each frame there is, so that it looks at no
 * more than the first line of the cache, which has been read already.  'type'
 * is the frame's, at octet 12; 'acks_only': only DHCP's answers are wanted.
 */
static inline bool snoop_worth(uint16_t type, const void *bytes, size_t n,
                               bool acks_only)
{
    struct cursor c = cursor_over(bytes, n);

    if (snoop_is_tag(type))
        return snoop_worth_tagged(bytes, n, acks_only);
    return cursor_skip(&c, 14) && snoop_worth_payload(type, c, acks_only);
}

/* ---- a table ---- */

#define SNOOP_TABLE_MAX 16

struct snoop_entry {
    struct snoop_claim claim;
    uint64_t seen; /* by the caller's clock */
};

/* All zero: empty. */
struct snoop_table {
    unsigned n;
    struct snoop_entry entry[SNOOP_TABLE_MAX];
};

enum snoop_news {
    SNOOP_KNOWN,
    SNOOP_NEW,
    SNOOP_CHANGED,   /* another host has the address now */
    SNOOP_CONFIRMED, /* the host had only asked for it */
};

/*
 * Enters what was claimed at 'now'.  A full table gives up the entry not seen
 * for longest.  A DHCPACK takes the place of hints about the same host.
 */
enum snoop_news snoop_enter(struct snoop_table *t, const struct snoop_claim *c,
                            uint64_t now);
/* The host with this address is elsewhere.  True if it was in the table. */
bool snoop_forget(struct snoop_table *t, const struct snoop_claim *c);

#endif
