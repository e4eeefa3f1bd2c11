/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does not go together in a lab, by how its links join its bridges.
 */
#include "ctl/config/lab.h"

#include "ctl/config/draft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bridges as numbers: their place in the file. */
static unsigned number_of(const struct lab *lab, const char *bridge)
{
    unsigned i = 0;

    while (strcmp(lab->conf->bridge[i].name, bridge) != 0)
        i++;
    return i;
}

/* ---- the same address twice in one network ---- */

/* net[i]: the first of the bridges that links join with bridge i; NULL: no
 * memory. */
static unsigned *networks(struct reader *r, const struct lab *lab)
{
    unsigned n = lab->conf->n_bridges,
             *net = scratch(r, (n + 1) * sizeof(*net));

    for (unsigned i = 0; net && i < n; i++)
        net[i] = i;
    for (unsigned l = 0; net && l < lab->n_links; l++) {
        unsigned a = net[number_of(lab, lab->link[l].bridge[0])];
        unsigned b = net[number_of(lab, lab->link[l].bridge[1])];

        for (unsigned i = 0; i < n; i++)
            if (net[i] == a || net[i] == b)
                net[i] = a < b ? a : b;
    }
    return net;
}

static bool same_address(const struct conf_addr *a, const struct conf_addr *b)
{
    if (!a->family || a->family != b->family)
        return false;
    return a->family == AF_INET ? a->a.v4.s_addr == b->a.v4.s_addr
                                : memcmp(&a->a.v6, &b->a.v6, 16) == 0;
}

static int refuse(struct reader *r, const struct conf_addr *a,
                  const char *owner, const struct conf_pos *pos)
{
    char text[INET6_ADDRSTRLEN] = "";

    inet_ntop(a->family, &a->a, text, sizeof(text));
    return bad_at(r, &a->pos, "%s is the address of %s already, in %s", text,
                  SHOW(owner), place(pos).text);
}

/* That of host 'h' against those before it. */
static int check_address(struct reader *r, const struct lab *lab,
                         const unsigned *net, unsigned h)
{
    const struct conf_addr *a = &lab->host[h].addr;
    unsigned here = net[number_of(lab, lab->host[h].bridge)];

    for (unsigned i = 0; i < lab->conf->n_bridges; i++) {
        const struct conf_bridge *b = &lab->conf->bridge[i];

        for (unsigned k = 0; net[i] == here && k < b->l3.n_addrs; k++)
            if (same_address(a, &b->l3.addr[k]))
                return refuse(r, a, b->name, &b->l3.addr[k].pos);
    }
    for (unsigned i = 0; i < h; i++) {
        const struct lab_host *o = &lab->host[i];

        if (same_address(a, &o->addr) && net[number_of(lab, o->bridge)] == here)
            return refuse(r, a, o->name, &o->addr.pos);
    }
    return 0;
}

/* ---- an address that no host can have ---- */

/* Are the bits behind the prefix all 0 (or 1)? */
static bool rest_is(const uint8_t *ip, unsigned n, unsigned prefix, bool ones)
{
    for (unsigned bit = prefix; bit < n; bit++)
        if ((ip[bit / 8] >> (7 - bit % 8) & 1) != ones)
            return false;
    return true;
}

/* Two addresses need no third for the network (RFC 3021, RFC 6164); IPv6 has no
 * broadcast. */
static int check_host_part(struct reader *r, const struct conf_addr *a)
{
    unsigned n = a->family == AF_INET ? 32 : 128;
    const uint8_t *ip = (const uint8_t *)&a->a;
    char text[INET6_ADDRSTRLEN] = "";
    bool net, all;

    if (!a->family || a->prefix + 2U > n)
        return 0;
    net = rest_is(ip, n, a->prefix, false);
    all = n == 32 && rest_is(ip, n, a->prefix, true);
    if (!net && !all)
        return 0;
    inet_ntop(a->family, &a->a, text, sizeof(text));
    return bad_at(r, &a->pos, "%s/%u is %s, which no host can have", text,
                  a->prefix,
                  net ? "its network's address" : "its network's broadcast");
}

int lab_check(struct reader *r, const struct lab *lab)
{
    const unsigned *net = networks(r, lab);
    int rc = 0;

    if (!net)
        return no_memory(r);
    for (unsigned h = 0; !rc && h < lab->n_hosts; h++) {
        rc = check_host_part(r, &lab->host[h].addr);
        if (!rc)
            rc = check_address(r, lab, net, h);
    }
    return rc;
}

/* ---- loops ---- */

static bool has_tree(const struct lab *lab, unsigned bridge)
{
    const struct conf_bridge *b = &lab->conf->bridge[bridge];

    return b->set[BRIDGE_STP] && b->param[BRIDGE_STP];
}

/* A link with no spanning tree at either end, as two numbers. */
static bool is_bare(const struct lab *lab, unsigned l, unsigned end[2])
{
    end[0] = number_of(lab, lab->link[l].bridge[0]);
    end[1] = number_of(lab, lab->link[l].bridge[1]);
    return !has_tree(lab, end[0]) && !has_tree(lab, end[1]);
}

/* The way from 'at' to 'to' over links before 'n'; fills way[] from *len on.
 * seen[]: bridges that need not be tried (again). */
static bool find_way(const struct lab *lab, unsigned n, unsigned at,
                     unsigned to, bool *seen, unsigned *way, unsigned *len)
{
    unsigned end[2];

    seen[at] = true;
    way[(*len)++] = at;
    if (at == to)
        return true;
    for (unsigned l = 0; l < n; l++) {
        if (!is_bare(lab, l, end) || (end[0] != at && end[1] != at))
            continue;
        if (!seen[end[end[0] == at]] &&
            find_way(lab, n, end[end[0] == at], to, seen, way, len))
            return true;
    }
    (*len)--;
    return false;
}

static void name_loop(const struct lab *lab, unsigned l, const unsigned *way,
                      unsigned len, struct err *e)
{
    char names[160] = "";

    for (unsigned i = 0; i < len; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
                 i == 0         ? ""
                 : i + 1 == len ? " and "
                                : ", ",
                 lab->conf->bridge[way[i]].name);
    err_set(e, ELOOP,
            "%s: links join %s in a loop, and none of them has a spanning tree "
            "(stp: yes): broadcasts go round it for ever",
            place(&lab->link[l].pos).text, names);
}

bool lab_loop(const struct lab *lab, struct err *e)
{
    unsigned n = lab->conf->n_bridges, end[2], len = 0;
    bool *seen = calloc(n + 1, sizeof(*seen)), found = false;
    unsigned *way = calloc(n + 1, sizeof(*way));

    for (unsigned l = 0; !found && seen && way && l < lab->n_links; l++) {
        if (!is_bare(lab, l, end))
            continue;
        memset(seen, 0, n * sizeof(*seen));
        found = find_way(lab, l, end[0], end[1], seen, way, &len);
        if (found)
            name_loop(lab, l, way, len, e);
    }
    free(seen);
    free(way);
    return found;
}
