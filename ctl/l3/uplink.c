/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an uplink has, taken off it and given back.
 *
 * The order is that of a move without a gap: the bridge's interface has the
 * addresses and routes before the uplink loses them.  Everything is read
 * before the first change, since with the primary address of a subnet the
 * kernel removes the others, and with the last address all routes.
 *
 * Not given to the bridge's interface, but remembered and given back:
 *   link-local IPv6 addresses  belong to their link (they are not even taken)
 *   autoconfigured ones        go with the advertisements, which the uplink
 *                              does not hear while it is a port, and the
 *                              bridge's interface does: it makes its own
 */
#include "ctl/l3/impl.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROTO_RA 2 /* IFAPROT_KERNEL_RA, newer than some headers */

static bool is_link_local6(const struct rt_addr *a)
{
    return a->family == AF_INET6 && a->local[0] == 0xfe &&
           (a->local[1] & 0xc0) == 0x80;
}

/* Made by the kernel out of an advertisement.  Kernels before 5.18 do not
 * tell; then it is what has a lifetime and the prefix that is usual there. */
static bool is_autoconf(const struct rt_addr *a)
{
    if (a->family != AF_INET6)
        return false;
    if (a->proto)
        return a->proto == PROTO_RA;
    return (a->flags & (IFA_F_TEMPORARY | IFA_F_MANAGETEMPADDR)) ||
           (a->valid != RT_FOREVER && a->prefix == 64);
}

static bool is_learnt(const struct rt_route *r)
{
    return r->m.rtm_family == AF_INET6 && r->m.rtm_protocol == RTPROT_RA;
}

/* To a prefix: advertised, unless one of our addresses is in it (then the
 * route comes and goes with the address) or it is the link-local one. */
static bool is_advertised(const struct uplink *u, const struct rt_route *r)
{
    if (r->dst[0] == 0xfe && (r->dst[1] & 0xc0) == 0x80)
        return false;
    for (unsigned i = 0; i < u->moved.n_addrs; i++) {
        const struct rt_addr *a = &u->moved.addr[i];

        if (a->family == AF_INET6 && a->prefix == r->m.rtm_dst_len &&
            memcmp(a->local, r->dst, a->prefix / 8) == 0)
            return false;
    }
    return true;
}

static int sort_out(struct uplink *u, const struct rt_set *all)
{
    int rc = 0;

    for (unsigned i = 0; i < all->n_addrs && !rc; i++) {
        const struct rt_addr *a = &all->addr[i];

        if (is_link_local6(a) || a->scope == RT_SCOPE_HOST)
            continue;
        rc = rt_set_addr(is_autoconf(a) ? &u->stay : &u->moved, a);
    }
    for (unsigned i = 0; i < all->n_routes && !rc; i++) {
        const struct rt_route *r = &all->route[i];

        if (r->m.rtm_protocol != RTPROT_KERNEL)
            rc = rt_set_route(is_learnt(r) ? &u->stay : &u->moved, r);
        else if (is_advertised(u, r))
            rc = rt_set_route(&u->stay, r);
    }
    return rc;
}

/* Which was primary among those of one subnet. */
static int note_order(struct uplink *u)
{
    int rc = 0;

    for (unsigned i = 0; i < u->moved.n_addrs && !rc; i++)
        if (u->moved.addr[i].family == AF_INET)
            rc = rt_set_addr(&u->order, &u->moved.addr[i]);
    return rc;
}

void uplink_clear(struct uplink *u)
{
    rt_set_clear(&u->order);
    rt_set_clear(&u->moved);
    rt_set_clear(&u->stay);
}

const char *rt_set_text(const struct rt_set *s, char text[RT_TEXT_MAX])
{
    size_t at = 0;

    text[0] = 0;
    for (unsigned i = 0; i < s->n_addrs && at < RT_TEXT_MAX - 60; i++) {
        char one[RT_TEXT_MAX];
        int n = snprintf(text + at, RT_TEXT_MAX - at, "%s%s", i ? ", " : "",
                         rt_addr_text(&s->addr[i], one));

        at += (size_t)n;
    }
    if (s->n_routes && at < RT_TEXT_MAX)
        snprintf(text + at, RT_TEXT_MAX - at, "%s%u route%s",
                 s->n_addrs ? " and " : "", s->n_routes,
                 s->n_routes == 1 ? "" : "s");
    return text;
}

/* ---- clients of others that would put an address back ---- */

static bool is_client(const char *comm)
{
    static const char *const client[] = {"dhclient", "dhcpcd", "udhcpc"};

    for (unsigned i = 0; i < sizeof(client) / sizeof(client[0]); i++)
        if (strcmp(comm, client[i]) == 0)
            return true;
    return false;
}

static size_t read_proc(const char *pid, const char *what, char *out, size_t n)
{
    char path[300];
    size_t got = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%s/%s", pid, what);
    f = fopen(path, "re");
    if (f) {
        got = fread(out, 1, n - 1, f);
        fclose(f);
    }
    out[got] = 0;
    return got;
}

static bool names(const char *args, size_t n, const char *ifname)
{
    for (const char *p = args; p < args + n; p += strlen(p) + 1)
        if (strcmp(p, ifname) == 0)
            return true;
    return false;
}

static bool note_client(const char *pid, const char *ifname, struct l3_notes *n)
{
    char comm[32], args[1024];
    size_t len;

    if (!read_proc(pid, "comm", comm, sizeof(comm)))
        return false;
    comm[strcspn(comm, "\n")] = 0;
    if (!is_client(comm))
        return false;
    len = read_proc(pid, "cmdline", args, sizeof(args));
    if (names(args, len, ifname))
        l3_note(n,
                "%s (process %s) asks for addresses on %s and may put them "
                "back; end it, and do not let it start again",
                comm, pid, ifname);
    return true;
}

/* A thousand uplinks at once need one look whether there are such clients. */
static void note_clients(const char *ifname, struct l3_notes *n)
{
    static uint64_t none_at;
    bool any = false;
    const struct dirent *x;
    DIR *d;

    if (none_at && boot_seconds() - none_at <= 1)
        return;
    d = opendir("/proc");
    /* cppcheck-suppress readdirCalled ; one stream, one thread */
    while (d && (x = readdir(d)))
        if (x->d_name[0] >= '1' && x->d_name[0] <= '9')
            any |= note_client(x->d_name, ifname, n);
    none_at = any ? 0 : boot_seconds();
    if (d)
        closedir(d);
}

/* ---- recording ---- */

static void note_leases(const struct uplink *u, struct l3_notes *n)
{
    char text[RT_TEXT_MAX];

    for (unsigned i = 0; i < u->moved.n_addrs; i++) {
        const struct rt_addr *a = &u->moved.addr[i];

        if (a->valid != RT_FOREVER)
            l3_note(n,
                    "%s: %s is leased and runs out in %u s unless the bridge "
                    "renews it (dhcp%d: true)",
                    u->name, rt_addr_text(a, text), a->valid,
                    a->family == AF_INET ? 4 : 6);
    }
}

int uplink_read(struct uplink *u, const char *name, struct l3_notes *n,
                struct err *e)
{
    struct rt_set all;
    struct rtnl *r;
    struct netdev d;
    int rc = netdev_get(name, 0, &d, e);

    memset(u, 0, sizeof(*u));
    if (!rc)
        rc = rtnl_open(&r, e);
    if (rc)
        return rc;
    memcpy(u->name, d.name, sizeof(u->name));
    u->ifindex = d.ifindex;
    u->mac = d.mac;
    u->taken_at = boot_seconds();
    rc = rtnl_read(r, d.ifindex, RTNL_PREFIX6, &all, e);
    rtnl_close(r);
    if (rc)
        return err_wrap(e, rc, "%s", name);
    rc = sort_out(u, &all);
    if (!rc)
        rc = note_order(u);
    rt_set_clear(&all);
    if (rc) {
        uplink_clear(u);
        return err_sys(e, rc, "addresses of %s", name);
    }
    note_leases(u, n);
    note_clients(u->name, n);
    note_rules(u->name, n);
    return 0;
}

static uint32_t left(uint32_t then, uint64_t gone)
{
    if (then == RT_FOREVER)
        return then;
    return then > gone ? then - (uint32_t)gone : 0;
}

bool uplink_addr_now(const struct uplink *u, const struct rt_addr *a,
                     struct rt_addr *out)
{
    uint64_t gone = boot_seconds() - u->taken_at;

    *out = *a;
    out->valid = left(a->valid, gone);
    out->preferred = left(a->preferred, gone);
    return out->valid > 0;
}

/* ---- off ---- */

static void strip_set(struct rtnl *r, const struct uplink *u,
                      const struct rt_set *s, struct l3_notes *n)
{
    struct err e = {""};

    /* Backwards: secondary addresses before their primary. */
    for (unsigned i = s->n_routes; i-- > 0;)
        /* those of other interfaces go or stay with the address */
        if (s->route[i].oif <= 0 &&
            rtnl_del_route(r, u->ifindex, &s->route[i], &e))
            l3_note(n, "%s: %s", u->name, e.text);
    for (unsigned i = s->n_addrs; i-- > 0;)
        if (rtnl_del_addr(r, u->ifindex, &s->addr[i], &e))
            l3_note(n, "%s: %s", u->name, e.text);
}

void uplink_strip(struct rtnl *r, struct uplink *u, struct l3_notes *n)
{
    strip_set(r, u, &u->moved, n);
    strip_set(r, u, &u->stay, n);
    u->stripped = true;
}

/* ---- and back ---- */

/* It was before others here that were given back, or are there, already. */
static void in_order(struct rtnl *r, int ifindex, const struct uplink *u,
                     const struct rt_addr *a, struct l3_notes *n)
{
    int at = rt_find_addr(&u->order, a);

    for (unsigned i = (unsigned)at + 1; at >= 0 && i < u->order.n_addrs; i++) {
        struct err e = {""};

        if (keep_is_under(a, &u->order.addr[i]) &&
            keep_last(r, ifindex, &u->order.addr[i], &e))
            l3_note(n, "%s: %s", u->name, e.text);
    }
}

static void give_addrs(struct rtnl *r, int ifindex, struct uplink *u,
                       struct rt_set *s, const struct rt_set *except,
                       struct l3_notes *n)
{
    struct rt_set here = {0};
    unsigned i = 0;

    (void)rtnl_read(r, ifindex, 0, &here, NULL);
    while (i < s->n_addrs) {
        struct rt_addr a;
        struct err e = {""};

        if (except && rt_has_ip(except, &s->addr[i])) {
            i++;
            continue;
        }
        /* Somebody may have given it one meanwhile.  No duplicate is looked
         * for: it was in use on this very link until now. */
        if (!rt_has_ip(&here, &s->addr[i]) &&
            uplink_addr_now(u, &s->addr[i], &a)) {
            a.flags |= a.family == AF_INET6 ? IFA_F_NODAD : 0;
            if (rtnl_add_addr(r, ifindex, &a, &e))
                l3_note(n, "%s: %s", u->name, e.text);
            else
                in_order(r, ifindex, u, &a, n);
        }
        rt_set_drop_addr(s, i);
    }
    rt_set_clear(&here);
}

static bool is_here(const struct rt_set *here, const struct rt_route *t)
{
    for (unsigned i = 0; i < here->n_routes; i++)
        if (rt_route_same(&here->route[i], t) && here->route[i].oif == t->oif)
            return true;
    return false;
}

static int give_route(struct rtnl *r, int ifindex, const struct rt_route *t,
                      const struct rt_set *yield, struct err *e)
{
    return rt_find_route(yield, t) >= 0 ? rtnl_replace_route(r, ifindex, t, e)
                                        : rtnl_add_route(r, ifindex, t, e);
}

/*
 * The bridge's interface keeps one to the same place, which the configuration
 * gives it.  But it leads nowhere without this uplink: where the uplink's
 * addresses are back, so is its route, and comes first.
 */
static bool give_beside(struct rtnl *r, int ifindex, const struct rt_route *t,
                        const struct rt_set *here, const struct rt_set *except)
{
    struct rt_addr src = {.family = t->m.rtm_family};
    bool any = false;

    memcpy(src.local, t->src, sizeof(src.local));
    if (t->m.rtm_family != AF_INET || t->oif != 0 ||
        (t->has_src && rt_has_ip(except, &src)))
        return false;
    for (unsigned i = 0; i < here->n_addrs; i++)
        any = any || here->addr[i].family == AF_INET;
    return any && rtnl_add_route_before(r, ifindex, t, NULL) == 0;
}

static void give_routes(struct rtnl *r, int ifindex, struct uplink *u,
                        struct rt_set *s, const struct rt_set *except,
                        const struct rt_set *yield, struct l3_notes *n)
{
    uint64_t gone = boot_seconds() - u->taken_at;
    struct rt_set here = {0};

    (void)rtnl_read(r, ifindex, 0, &here, NULL);
    /* Those without a gateway lead to the gateways of the others; the kernel
     * lists them in no useful order. */
    for (int pass = 0; pass < 3; pass++) {
        unsigned i = 0;

        while (i < s->n_routes) {
            struct rt_route t = s->route[i];
            struct err e = {""};
            bool over = t.expires && t.expires <= gone;

            if (except && rt_find_route(except, &t) >= 0) {
                if (give_beside(r, ifindex, &t, &here, except))
                    rt_set_drop_route(s, i);
                else
                    i++;
                continue;
            }
            if (t.expires)
                t.expires -= over ? t.expires : (uint32_t)gone;
            if (!over && !is_here(&here, &t) &&
                give_route(r, ifindex, &t, yield, &e)) {
                if (pass < 2) {
                    i++;
                    continue;
                }
                l3_note(n, "%s: %s", u->name, e.text);
            }
            rt_set_drop_route(s, i);
        }
    }
    rt_set_clear(&here);
}

/* By name, or, if it has another one now, as the interface it was. */
static int find_again(const struct uplink *u, struct netdev *d, struct err *e)
{
    int rc = netdev_get(u->name, 0, d, e);

    if (rc == -ENODEV && netdev_get(NULL, u->ifindex, d, NULL) == 0 &&
        mac_equal(&d->mac, &u->mac))
        rc = 0;
    return rc;
}

void uplink_give_back(struct uplink *u, const struct rt_set *except, int over,
                      struct l3_notes *n)
{
    struct rt_set yield = {0};
    struct netdev d;
    struct err e = {""};
    struct rtnl *r;

    if (find_again(u, &d, &e) || rtnl_open(&r, &e)) {
        l3_note(n, "what was taken off %s cannot go back: %s", u->name, e.text);
        return;
    }
    if (over)
        (void)rtnl_read(r, over, 0, &yield, NULL);
    give_addrs(r, d.ifindex, u, &u->moved, except, n);
    give_addrs(r, d.ifindex, u, &u->stay, NULL, n);
    give_routes(r, d.ifindex, u, &u->moved, except, &yield, n);
    give_routes(r, d.ifindex, u, &u->stay, NULL, &yield, n);
    rt_set_clear(&yield);
    rtnl_close(r);
}
