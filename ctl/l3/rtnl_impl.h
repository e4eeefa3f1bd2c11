/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtnl.h, inside; only the rtnl files include this.
 *
 *   rtnl.c         the socket: a request and its answer
 *   rtnl_parse.c   the kernel's messages, as entries
 *   rtnl_read.c    all that an interface has
 *   rtnl_change.c  adding, removing
 *
 * Threads: job thread, one at a time for each struct rtnl.
 */
#ifndef CTL_L3_RTNL_IMPL_H
#define CTL_L3_RTNL_IMPL_H

#include "ctl/l3/rtnl.h"

#include <stddef.h>

/* A dump's piece is 32 kB at most. */
#define RTNL_REPLY_MAX 65536
/* The kernel's own words about a refusal. */
#define RTNL_WORDS_MAX 160

struct rtnl {
    struct mnl_socket *nl;
    uint32_t seq; /* of the last request */
    long hz;      /* of the kernel's times in messages */
    char buf[RTNL_REPLY_MAX];
};

/* ---- rtnl.c ---- */

/* Sends a request and waits for its answer: 0 or -errno, with the kernel's
 * words, or "".  The header's length, type and flags are the caller's. */
int rtnl_talk(struct rtnl *r, struct nlmsghdr *req, char words[RTNL_WORDS_MAX]);
/* Its refusal as a sentence about 'what'; returns rc. */
int rtnl_refused(struct err *e, int rc, const char *words, const char *what);

/* ---- rtnl_parse.c ---- */

/* False: it is none of this interface. */
bool rtnl_parse_addr(const struct nlmsghdr *h, int ifindex, struct rt_addr *a);
/* All but the attributes that are kept as they came; the message is longer than
 * a struct rtmsg.  'hz' as in struct rtnl. */
void rtnl_parse_route(const struct nlmsghdr *h, long hz, struct rt_route *r);
/* ... and those, which the caller frees with the route.  0 or -ENOMEM. */
int rtnl_keep_attrs(const struct nlmsghdr *h, struct rt_route *r);
/* Of several gateways in the attributes: our interface is written as 0.  True
 * if it is one of them. */
bool rtnl_hops_through(struct rt_route *r, int ifindex);
bool rtnl_leads_nowhere(const struct rt_route *r);
/* The next of several gateways, in what is left of RTA_MULTIPATH's payload;
 * NULL: there is none. */
struct rtnexthop *rtnl_next_hop(char **at, size_t *left);

#endif
