/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and routes as the kernel has them: reading, adding, removing,
 * comparing.  Whatever an entry carries that is not understood here is kept as
 * it came, so that what is taken off one interface can be given to another
 * whole.
 *
 * Inside a set, interface 0 is "the interface the set is about": it is filled
 * in when an entry is given to the kernel.
 *
 * Threads: job thread; calls work in the network namespace the thread was in
 * at rtnl_open.  All talk to the kernel only.
 */
#ifndef CTL_L3_RTNL_H
#define CTL_L3_RTNL_H

#include "base/err.h"
#include "ctl/config/model.h"

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

#define RT_FOREVER UINT32_MAX

/* An interface's address (struct ifaddrmsg, IFA_*). */
struct rt_addr {
    uint8_t family, prefix, scope, proto;
    uint32_t flags; /* IFA_F_* */
    uint8_t local[16];
    uint8_t peer[16]; /* if has_peer: the far end of a point-to-point link */
    uint8_t bcast[4];
    bool has_peer, has_bcast;
    char label[16];            /* "" if it is the interface's name */
    uint32_t valid, preferred; /* seconds left; RT_FOREVER */
    uint32_t metric;           /* of its prefix route; 0: the kernel's choice */
};

/* A route (struct rtmsg, RTA_*). */
struct rt_route {
    struct rtmsg m;
    uint32_t table, metric;
    uint8_t dst[16];
    /* The interface it leaves by; 0: the set's; -1: none (unreachable), or
     * several (in attr). */
    int oif;
    uint8_t src[16]; /* preferred source */
    bool has_src;
    uint32_t expires; /* seconds left; 0: never */
    /* all other attributes; malloc'ed */
    unsigned char *attr;
    uint16_t attr_len;
};

struct rt_set {
    struct rt_addr *addr;
    unsigned n_addrs;
    struct rt_route *route;
    unsigned n_routes;
};

/* Entries are copied (with their memory).  0 or -ENOMEM. */
int rt_set_addr(struct rt_set *s, const struct rt_addr *a);
int rt_set_route(struct rt_set *s, const struct rt_route *r);
int rt_set_copy(struct rt_set *to, const struct rt_set *from);
void rt_set_clear(struct rt_set *s);
/* Takes entry 'i' out. */
void rt_set_drop_addr(struct rt_set *s, unsigned i);
void rt_set_drop_route(struct rt_set *s, unsigned i);

/* ---- what a configuration says, as an entry ---- */

void rt_addr_from_conf(struct rt_addr *a, const struct conf_addr *c);
/* 0; -EOPNOTSUPP with a sentence for types the kernel does not have. */
int rt_route_from_conf(struct rt_route *r, const struct conf_route *c,
                       struct err *e);
void rt_route_free(struct rt_route *r);

/* ---- comparing ---- */

/* The same address: the kernel would refuse the second. */
bool rt_addr_same(const struct rt_addr *a, const struct rt_addr *b);
/* ... and there is nothing to change in 'have' to make it 'want'. */
bool rt_addr_equal(const struct rt_addr *want, const struct rt_addr *have);
/* The same place in the kernel's table: one would replace the other. */
bool rt_route_same(const struct rt_route *a, const struct rt_route *b);
bool rt_route_equal(const struct rt_route *want, const struct rt_route *have);

/* Its index in the set, or -1. */
int rt_find_addr(const struct rt_set *s, const struct rt_addr *a);
int rt_find_route(const struct rt_set *s, const struct rt_route *r);
/* Is the address in the set, whatever its prefix? */
bool rt_has_ip(const struct rt_set *s, const struct rt_addr *a);

/* For people: "192.0.2.1/24", "default via 192.0.2.254 metric 100". */
#define RT_TEXT_MAX 160
const char *rt_addr_text(const struct rt_addr *a, char text[RT_TEXT_MAX]);
const char *rt_route_text(const struct rt_route *r, char text[RT_TEXT_MAX]);

/* ---- the kernel ---- */

struct rtnl;

/* 0, or -errno with a sentence. */
int rtnl_open(struct rtnl **r, struct err *e);
void rtnl_close(struct rtnl *r);

/*
 * All addresses of 'ifindex', and all routes that would go with it: those
 * that leave by it, in any table, and those anywhere whose preferred source is
 * one of its addresses.  Routes that the kernel makes with an address are left
 * out.  The set is empty on error.
 */
enum rtnl_more {
    RTNL_NOWHERE = 1, /* also those that leave by no interface (unreachable) */
    RTNL_PREFIX6 = 2, /* also those the kernel has made to IPv6 prefixes */
};
int rtnl_read(struct rtnl *r, int ifindex, unsigned more, struct rt_set *s,
              struct err *e);

/*
 * 0, or -errno with the kernel's own words.  An address that is there gets the
 * lifetimes; a route to the same place that is there is -EEXIST.
 */
int rtnl_add_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e);
int rtnl_add_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                   struct err *e);
/* The same, but before another to the same place, which stays.  IPv4. */
int rtnl_add_route_before(struct rtnl *r, int ifindex, const struct rt_route *t,
                          struct err *e);
/* In one step instead of whichever is there. */
int rtnl_replace_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                       struct err *e);
/* 0 also if it is not there. */
int rtnl_del_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e);
int rtnl_del_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                   struct err *e);

/* Sets (or clears) IFF_UP. */
int rtnl_set_up(struct rtnl *r, int ifindex, bool up, struct err *e);

#endif
