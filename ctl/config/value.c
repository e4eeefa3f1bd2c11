/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scalars to values, each with its range in the sentence.
 */
#include "ctl/config/read.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

bool value_null(const struct node *n)
{
    static const char *const nulls[] = {"", "~", "null", NULL};

    return n->type == NODE_SCALAR && n->plain && one_of(n->text, nulls);
}

/* ---- text ---- */

static int want(struct reader *r, const struct node *n, const char *what)
{
    if (n->type != NODE_SCALAR)
        return bad(r, n, "expected %s, found %s", what,
                   n->type == NODE_LIST ? "a list" : "a map");
    if (value_null(n))
        return bad(r, n, "expected %s, found nothing", what);
    if (n->odd)
        return bad(r, n, "the value %s", n->odd);
    return 0;
}

int value_text(struct reader *r, const struct node *n, const char **text)
{
    int rc = want(r, n, "a single value");

    if (!rc && !*n->text)
        rc = bad(r, n, "must not be empty");
    if (!rc)
        *text = n->text;
    return rc;
}

int value_keep(struct reader *r, const struct node *n, const char **text)
{
    int rc = value_text(r, n, text);

    if (rc)
        return rc;
    *text = conf_text(r->c, *text);
    return *text ? 0 : no_memory(r);
}

int value_word(struct reader *r, const struct node *n, const char *const *words,
               unsigned *index)
{
    char list[128] = "";
    size_t used = 0;
    int rc = want(r, n, "a word");

    if (rc)
        return rc;
    for (unsigned i = 0; words[i]; i++) {
        if (strcasecmp(n->text, words[i]) == 0) {
            *index = i;
            return 0;
        }
        if (used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                     i == 0         ? ""
                                     : words[i + 1] ? ", "
                                                    : " or ",
                                     words[i]);
    }
    return bad(r, n, "expected %s, found %s", list, SHOW(n->text));
}

int value_renderer(struct reader *r, const struct node *n, const char **name)
{
    static const char *const known[] = {"networkd", "NetworkManager", NULL};
    unsigned i = 0;
    int rc = value_word(r, n, known, &i);

    if (!rc)
        *name = known[i];
    return rc;
}

/* ---- booleans and numbers ---- */

bool value_is_switch(const struct node *n, bool *v)
{
    static const char *const yes[] = {"true", "on", "yes", "y", NULL};
    static const char *const no[] = {"false", "off", "no", "n", NULL};

    if (n->type != NODE_SCALAR)
        return false;
    *v = one_of(n->text, yes);
    return *v || one_of(n->text, no);
}

int value_switch(struct reader *r, const struct node *n, bool *v)
{
    int rc = want(r, n, "yes or no");

    if (!rc && !value_is_switch(n, v))
        rc = bad(r, n, "expected yes or no, found %s", SHOW(n->text));
    return rc;
}

/* Decimal digits alone, or 0x and hexadecimal ones; false: they are not, or
 * too many. */
static bool digits(const char *text, bool hex, uint64_t *v)
{
    unsigned base = 10;

    if (hex && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (!*text || strlen(text) > 18)
        return false;
    for (const char *c = text; *c; c++)
        if (base == 16 ? !isxdigit((unsigned char)*c)
                       : !isdigit((unsigned char)*c))
            return false;
    *v = strtoull(text, NULL, (int)base);
    return true;
}

static int number(struct reader *r, const struct node *n, uint32_t min,
                  uint32_t max, bool hex, uint32_t *v)
{
    uint64_t u = 0;
    int rc = want(r, n, "a number");

    if (rc)
        return rc;
    if (!digits(n->text, hex, &u) || u < min || u > max)
        return bad(r, n, "expected a number from %u to %u, found %s", min, max,
                   SHOW(n->text));
    *v = (uint32_t)u;
    return 0;
}

int value_number(struct reader *r, const struct node *n, uint32_t min,
                 uint32_t max, uint32_t *v)
{
    return number(r, n, min, max, false, v);
}

int value_mask(struct reader *r, const struct node *n, uint32_t max,
               uint32_t *v)
{
    return number(r, n, 0, max, true, v);
}

/* ---- times ---- */

/* In microseconds; 0: no such unit.  As systemd.time(7) has them, which is
 * where netplan's times go. */
static uint64_t unit(const char *text, size_t len)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {
        {"us", 1},
        {"usec", 1},
        {"ms", 1000},
        {"msec", 1000},
        {"", 1000000},
        {"s", 1000000},
        {"sec", 1000000},
        {"second", 1000000},
        {"seconds", 1000000},
        {"m", 60000000},
        {"min", 60000000},
        {"minute", 60000000},
        {"minutes", 60000000},
        {"h", 3600000000},
        {"hr", 3600000000},
        {"hour", 3600000000},
        {"hours", 3600000000},
        {"d", 86400000000},
        {"day", 86400000000},
        {"days", 86400000000},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == len &&
            memcmp(units[i].name, text, len) == 0)
            return units[i].us;
    return 0;
}

#define TIME_MAX_US 1000000000000000U

/* One "1.5 min"; moves on.  False if it is none. */
static bool span(const char **text, uint64_t *us)
{
    const char *at = *text, *word;
    uint64_t whole = 0, part = 0, scale = 1, each;

    if (!isdigit((unsigned char)*at))
        return false;
    for (; isdigit((unsigned char)*at); at++) {
        whole = whole * 10 + (uint64_t)(*at - '0');
        if (whole > TIME_MAX_US)
            return false;
    }
    if (*at == '.' && isdigit((unsigned char)at[1]))
        for (at++; isdigit((unsigned char)*at); at++) {
            if (scale == 1000000)
                return false;
            part = part * 10 + (uint64_t)(*at - '0');
            scale *= 10;
        }
    at += strspn(at, " ");
    word = at;
    while (isalpha((unsigned char)*at))
        at++;
    each = unit(word, (size_t)(at - word));
    if (!each || whole > TIME_MAX_US / each || part * each % scale)
        return false;
    *us += whole * each + part * each / scale;
    *text = at + strspn(at, " ");
    return *us <= TIME_MAX_US;
}

int value_time(struct reader *r, const struct node *n, uint32_t min,
               uint32_t max, uint32_t *v)
{
    uint64_t us = 0;
    const char *at;
    int rc = want(r, n, "a time");

    if (rc)
        return rc;
    at = n->text;
    do {
        if (!span(&at, &us))
            return bad(r, n,
                       "expected seconds or a time such as 20s, 500ms or "
                       "5min, found %s",
                       SHOW(n->text));
    } while (*at);
    if (us % 10000)
        return bad(r, n, "%s: times are in steps of 10 ms", SHOW(n->text));
    us /= 10000;
    if (us < min || us > max)
        return bad(r, n, "expected %u to %u seconds, found %s", min / 100,
                   max / 100, SHOW(n->text));
    *v = (uint32_t)us;
    return 0;
}

/* ---- addresses and names ---- */

int value_mac(struct reader *r, const struct node *n, struct mac *m)
{
    static const char *const special[] = {"permanent",   "random",   "stable",
                                          "stable-ssid", "preserve", NULL};
    int rc = want(r, n, "an address such as 02:00:00:00:00:01");

    if (rc)
        return rc;
    if (one_of(n->text, special))
        return bad(r, n, "%s is not supported; write the address",
                   SHOW(n->text));
    if (!mac_parse(n->text, m))
        return bad(r, n,
                   "expected an address such as 02:00:00:00:00:01, found %s",
                   SHOW(n->text));
    if (mac_is_group(m) || mac_is_zero(m))
        return bad(r, n, "%s is no address a device can have", n->text);
    return 0;
}

int value_ifname(struct reader *r, const struct node *n, const char **name)
{
    struct err e;
    int rc = want(r, n, "an interface's name");

    if (!rc && netdev_name_check(n->text, &e))
        rc = bad(r, n, "%s", e.text);
    *name = n->text;
    return rc;
}

int value_bridge_name(struct reader *r, const struct node *n)
{
    struct err e;
    int rc = want(r, n, "a bridge's name");

    if (!rc && bridge_name_check(n->text, &e))
        rc = bad(r, n, "%s", e.text);
    return rc;
}

static bool numeric(const char *text, struct conf_addr *a)
{
    if (inet_pton(AF_INET, text, &a->a.v4) == 1) {
        a->family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, text, &a->a.v6) == 1) {
        a->family = AF_INET6;
        return true;
    }
    return false;
}

static const char *example(enum value_addr form)
{
    return form == ADDR_PLAIN ? "an address such as 192.0.2.1 or 2001:db8::1"
                              : "an address with its prefix length, such as "
                                "192.0.2.1/24 or 2001:db8::1/64";
}

int value_addr(struct reader *r, const struct node *n, enum value_addr form,
               struct conf_addr *a)
{
    char text[64];
    const char *slash;
    uint64_t prefix = 0;
    unsigned most;
    int rc = want(r, n, example(form));

    if (rc)
        return rc;
    slash = strchr(n->text, '/');
    snprintf(text, sizeof(text), "%.*s",
             slash ? (int)(slash - n->text) % 64 : 63, n->text);
    if (strlen(n->text) >= sizeof(text) || !numeric(text, a) ||
        (form == ADDR_PLAIN && slash) || (form == ADDR_PREFIX && !slash))
        return bad(r, n, "expected %s, found %s", example(form), SHOW(n->text));
    most = a->family == AF_INET ? 32 : 128;
    if (slash && (!digits(slash + 1, false, &prefix) || prefix > most))
        return bad(r, n, "%s: the prefix length must be from 0 to %u",
                   SHOW(n->text), most);
    a->prefix = (uint8_t)(slash ? prefix : most);
    a->pos = n->pos;
    return 0;
}
