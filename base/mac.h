/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet addresses (IEEE Std 802-2014, clause 8).  As a number, an address
 * is its six octets with the first one most significant, so that numbers
 * compare as the octets do (802.1D-2004, 9.2.5).
 *
 * Pure functions; any thread.
 */
#ifndef BASE_MAC_H
#define BASE_MAC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct mac {
    uint8_t octet[6];
};

#define MAC_TEXT_MAX 18 /* "xx:xx:xx:xx:xx:xx" and NUL */

static inline uint64_t mac_to_u64(const struct mac *m)
{
    uint64_t v = 0;

    for (int i = 0; i < 6; i++)
        v = v << 8 | m->octet[i];
    return v;
}

static inline struct mac mac_from_u64(uint64_t v)
{
    struct mac m;

    for (int i = 5; i >= 0; i--, v >>= 8)
        m.octet[i] = (uint8_t)v;
    return m;
}

/* The I/G bit: a group (multicast or broadcast) address. */
static inline bool mac_is_group(const struct mac *m)
{
    return m->octet[0] & 1;
}

static inline bool mac_is_zero(const struct mac *m)
{
    return mac_to_u64(m) == 0;
}

static inline bool mac_equal(const struct mac *a, const struct mac *b)
{
    return memcmp(a->octet, b->octet, 6) == 0;
}

/* < 0, 0, > 0 as memcmp */
static inline int mac_compare(const struct mac *a, const struct mac *b)
{
    return memcmp(a->octet, b->octet, 6);
}

/* Writes "xx:xx:xx:xx:xx:xx", lower case, and returns 'text'. */
const char *mac_format(const struct mac *m, char text[MAC_TEXT_MAX]);

/*
 * Reads six one- or two-digit hex octets separated by ':' or '-'.  False, and
 * '*m' untouched, if 'text' is anything else.
 */
bool mac_parse(const char *text, struct mac *m);

/* A random locally administered unicast address, from getrandom(2). */
struct mac mac_random(void);

#endif
