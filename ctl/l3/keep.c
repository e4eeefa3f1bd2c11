/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking an IPv4 address off, and nothing else.
 *
 * With the first address of a subnet (its primary) the kernel removes the
 * others there, their secondaries, and with the last of an interface all its
 * routes.  Asked to (promote_secondaries), it makes the next one primary
 * instead, without a gap.  Where that cannot be asked for (/proc/sys is
 * read-only in many containers), what went too is put back.
 */
#include "ctl/l3/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What it was, or -1: it could not be made 'v'. */
static int promote(const char *ifname, char v)
{
    char path[100], was = 0;
    bool ok;
    int fd;

    snprintf(path, sizeof(path),
             "/proc/sys/net/ipv4/conf/%.15s/promote_secondaries", ifname);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ok = read(fd, &was, 1) == 1 && (was == v || pwrite(fd, &v, 1, 0) == 1);
    close(fd);
    return ok ? was : -1;
}

void keep_secondaries(const char *ifname)
{
    (void)promote(ifname, '1');
}

static bool in_subnet(const struct rt_addr *a, const struct rt_addr *b)
{
    unsigned whole = a->prefix / 8, rest = a->prefix % 8;
    const uint8_t *x = a->has_peer ? a->peer : a->local;
    const uint8_t *y = b->has_peer ? b->peer : b->local;

    if (a->family != b->family || a->prefix != b->prefix || a->prefix > 32)
        return false;
    return memcmp(x, y, whole) == 0 &&
           (!rest || (x[whole] ^ y[whole]) >> (8 - rest) == 0);
}

bool keep_is_under(const struct rt_addr *a, const struct rt_addr *b)
{
    return a->family == AF_INET && !rt_addr_same(a, b) && in_subnet(a, b);
}

/* Would others go with it? */
static bool carries(const struct rt_set *have, const struct rt_addr *a)
{
    int at = rt_find_addr(have, a);

    if (a->family != AF_INET || at < 0 ||
        (have->addr[at].flags & IFA_F_SECONDARY))
        return false;
    for (unsigned i = 0; i < have->n_addrs; i++)
        if (keep_is_under(a, &have->addr[i]))
            return true;
    return false;
}

static bool is_from(const struct rt_route *t, const struct rt_addr *a)
{
    return a && t->has_src && t->m.rtm_family == a->family &&
           memcmp(t->src, a->local, sizeof(t->src)) == 0;
}

static bool has_route(const struct rt_set *s, const struct rt_route *t)
{
    for (unsigned i = 0; i < s->n_routes; i++)
        if (rt_route_equal(t, &s->route[i]))
            return true;
    return false;
}

/* One may lead to the gateway of another: those first that have none. */
static void back_routes(struct rtnl *r, int ifindex,
                        const struct rt_set *before, const struct rt_set *now,
                        const struct rt_addr *gone)
{
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < before->n_routes; i++) {
            const struct rt_route *t = &before->route[i];

            if (t->m.rtm_family == AF_INET && !is_from(t, gone) &&
                !has_route(now, t))
                (void)rtnl_add_route(r, ifindex, t, NULL);
        }
}

/* All that was there before and is not now, but for 'gone' and the routes
 * with that source. */
static int put_back(struct rtnl *r, int ifindex, const struct rt_set *before,
                    const struct rt_addr *gone, struct err *e)
{
    struct rt_set now = {0};
    int rc = rtnl_read(r, ifindex, 0, &now, e);

    for (unsigned i = 0; i < before->n_addrs && !rc; i++) {
        const struct rt_addr *a = &before->addr[i];

        if (a->family == AF_INET && !(gone && rt_addr_same(gone, a)) &&
            rt_find_addr(&now, a) < 0)
            rc = rtnl_add_addr(r, ifindex, a, e);
    }
    if (!rc)
        back_routes(r, ifindex, before, &now, gone);
    rt_set_clear(&now);
    return rc;
}

static int remove_first(struct rtnl *r, int ifindex, const struct rt_set *have,
                        const struct rt_addr *a, const struct rt_addr *gone,
                        struct err *e)
{
    char name[IF_NAMESIZE] = "";
    int was, rc;

    if (!if_indextoname((unsigned)ifindex, name))
        return 0; /* it is gone, and so are they */
    was = promote(name, '1');
    rc = rtnl_del_addr(r, ifindex, a, e);
    if (was == '0')
        (void)promote(name, '0');
    return rc ? rc : put_back(r, ifindex, have, gone, e);
}

int keep_del_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e)
{
    struct rt_set have = {0};
    int rc;

    if (a->family != AF_INET)
        return rtnl_del_addr(r, ifindex, a, e);
    rc = rtnl_read(r, ifindex, 0, &have, e);
    if (rc)
        return rc;
    rc = carries(&have, a) ? remove_first(r, ifindex, &have, a, a, e)
                           : rtnl_del_addr(r, ifindex, a, e);
    rt_set_clear(&have);
    return rc;
}

int keep_last(struct rtnl *r, int ifindex, const struct rt_addr *a,
              struct err *e)
{
    struct rt_set have = {0};
    int rc = rtnl_read(r, ifindex, 0, &have, e);

    /* put_back makes it anew, behind the one that has become primary */
    if (!rc && carries(&have, a))
        rc = remove_first(r, ifindex, &have, a, NULL, e);
    rt_set_clear(&have);
    return rc;
}
