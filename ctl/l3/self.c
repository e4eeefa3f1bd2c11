/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and routes by rtnetlink.
 *
 * What is wanted is a set; what we gave earlier is another; what the kernel
 * has a third.  Removed is what we gave and nobody wants, added what is wanted
 * and not there.  So a second run finds nothing to do, and what the user
 * added by hand stays.
 *
 * The order matters.  Removals come first, so that what is wanted is primary
 * in its subnet where it can be; none takes others with it (keep.c).  After
 * each step the kernel is asked again what is left.
 */
#include "ctl/l3/impl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTO_LL 3 /* IFAPROT_KERNEL_LL, newer than some headers */

/* ---- what is wanted ---- */

/* With IPv6, a route can only name a source whose check for duplicates is
 * over: that one is given without. */
static bool is_source(const struct conf_l3 *want, const struct rt_addr *a)
{
    for (unsigned i = 0; i < want->n_routes; i++) {
        const struct conf_addr *f = &want->route[i].from;

        if (f->family == AF_INET6 && a->family == AF_INET6 &&
            memcmp(&f->a.v6, a->local, 16) == 0)
            return true;
    }
    return false;
}

static int want_conf(struct rt_set *t, const struct conf_l3 *want,
                     struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; i < want->n_addrs && !rc; i++) {
        struct rt_addr a;

        rt_addr_from_conf(&a, &want->addr[i]);
        if (is_source(want, &a))
            a.flags |= IFA_F_NODAD;
        if (rt_find_addr(t, &a) < 0)
            rc = rt_set_addr(t, &a);
    }
    if (rc)
        return err_sys(e, rc, "addresses");
    for (unsigned i = 0; i < want->n_routes && !rc; i++) {
        struct rt_route r;

        rc = rt_route_from_conf(&r, &want->route[i], e);
        if (!rc && rt_find_route(t, &r) < 0 && rt_set_route(t, &r))
            rc = err_sys(e, ENOMEM, "routes");
        rt_route_free(&r);
    }
    return rc;
}

/* "eth0:web" is "br0:web" there; a label must begin with the name. */
static void relabel(struct rt_addr *a, const char *ifname)
{
    char label[sizeof(a->label) + IFNAMSIZ] = "";
    const char *p = strchr(a->label, ':');

    if (p)
        snprintf(label, sizeof(label), "%.15s%.15s", ifname, p);
    memset(a->label, 0, sizeof(a->label));
    if (strlen(label) < sizeof(a->label))
        memcpy(a->label, label, sizeof(a->label) - 1);
}

/* Made by a client that is not asked any more. */
static bool was_leased(const struct conf_l3 *want, const struct rt_route *r)
{
    return want && want->dhcp4 == CONF_ON && r->m.rtm_family == AF_INET &&
           r->m.rtm_protocol == RTPROT_DHCP;
}

static bool will_be_leased(const struct conf_l3 *want, const struct rt_addr *a)
{
    if (!want || a->valid == RT_FOREVER)
        return false;
    return (a->family == AF_INET ? want->dhcp4 : want->dhcp6) == CONF_ON;
}

static int want_uplink(const struct l3 *l, const struct uplink *u,
                       const struct conf_l3 *want, const struct rt_set *have,
                       struct rt_set *t)
{
    int rc = 0;

    for (unsigned i = 0; i < u->moved.n_addrs && !rc; i++) {
        struct rt_addr a;

        if (!uplink_addr_now(u, &u->moved.addr[i], &a) || rt_has_ip(t, &a))
            continue;
        /* given once: then it is for the DHCP client to keep or remove */
        if (will_be_leased(want, &a) && u->stripped && !rt_has_ip(have, &a))
            continue;
        relabel(&a, l->ifname);
        if (a.family == AF_INET6)
            a.flags |= IFA_F_NODAD;
        rc = rt_set_addr(t, &a);
    }
    for (unsigned i = 0; i < u->moved.n_routes && !rc; i++) {
        const struct rt_route *r = &u->moved.route[i];

        if (was_leased(want, r) && u->stripped && rt_find_route(have, r) < 0)
            continue;
        if (rt_find_route(t, r) < 0 &&
            !(r->expires && r->expires <= boot_seconds() - u->taken_at))
            rc = rt_set_route(t, r);
    }
    return rc;
}

static int wanted(const struct l3 *l, const struct conf_l3 *want,
                  const struct rt_set *have, struct rt_set *t, struct err *e)
{
    int rc = want ? want_conf(t, want, e) : 0;

    if (rc)
        return rc;
    /* what follows came with uplinks */
    for (const struct uplink *u = l->uplinks; u && !rc; u = u->next)
        if (!u->left)
            rc = want_uplink(l, u, want, have, t);
    return rc ? err_sys(e, rc, "addresses of uplinks") : 0;
}

int self_target(const struct l3 *l, const struct conf_l3 *want,
                struct rt_set *t, unsigned *n_addrs, unsigned *n_routes,
                struct err *e)
{
    const struct rt_set none = {0};
    struct rt_set own = {0};
    int rc = want ? want_conf(&own, want, e) : 0;

    *n_addrs = own.n_addrs;
    *n_routes = own.n_routes;
    rt_set_clear(&own);
    return rc ? rc : wanted(l, want, &none, t, e);
}

/* ---- one run ---- */

struct run {
    struct l3 *l;
    const struct rt_set *only; /* instead of what is wanted */
    const struct conf_l3 *want;
    bool dry;
    struct l3_notes *n;
    struct rtnl *r;
    int ifindex;
    struct l3_settings settings; /* before */
    struct rt_set before, have;  /* the interface's, before and now */
    struct rt_set uplinks;       /* what unstripped uplinks have now */
    struct rt_set target;
};

static bool any_nowhere(const struct rt_set *s)
{
    for (unsigned i = 0; i < s->n_routes; i++)
        if (s->route[i].oif < 0)
            return true;
    return false;
}

static int read_have(struct run *x, struct err *e)
{
    rt_set_clear(&x->have);
    if (!x->r) /* the interface is yet to be made */
        return 0;
    return rtnl_read(x->r, x->ifindex,
                     any_nowhere(&x->target) || any_nowhere(&x->l->applied)
                         ? RTNL_NOWHERE
                         : 0,
                     &x->have, e);
}

static int read_uplinks(struct run *x, struct err *e)
{
    int rc = 0;

    for (const struct uplink *u = x->l->uplinks; u && !rc; u = u->next) {
        struct rt_set s;

        if (u->left || u->stripped)
            continue;
        rc = rtnl_read(x->r, u->ifindex, 0, &s, e);
        for (unsigned i = 0; !rc && i < s.n_routes; i++)
            if (s.route[i].oif <= 0 && rt_set_route(&x->uplinks, &s.route[i]))
                rc = err_sys(e, ENOMEM, "routes of %s", u->name);
        rt_set_clear(&s);
    }
    return rc;
}

static void say(struct run *x, const char *what, const char *text)
{
    if (x->dry)
        l3_note(x->n, "%s: %s %s", x->l->ifname, what, text);
}

/* ---- removing ---- */

/* The kernel's own link-local address, where none is wanted. */
static bool unwanted_ll(const struct run *x, const struct rt_addr *a)
{
    return x->want && !x->want->link_local6 && a->family == AF_INET6 &&
           a->scope == RT_SCOPE_LINK && a->proto == PROTO_LL;
}

/* There, but not as wanted, and not to be changed in place. */
static bool addr_goes(const struct run *x, const struct rt_addr *have)
{
    int t = rt_find_addr(&x->target, have);

    if (t < 0)
        return rt_find_addr(&x->l->applied, have) >= 0 || unwanted_ll(x, have);
    return strcmp(x->target.addr[t].label, have->label) != 0 ||
           x->target.addr[t].prefix != have->prefix;
}

static bool route_goes(const struct run *x, const struct rt_route *have)
{
    int t = rt_find_route(&x->target, have);
    int a = rt_find_route(&x->l->applied, have);
    bool ours = a >= 0 && x->l->applied.route[a].oif == have->oif;

    if (t < 0)
        return ours;
    return have->oif == x->target.route[t].oif &&
           !rt_route_equal(&x->target.route[t], have);
}

static int remove_unwanted(struct run *x, struct err *e)
{
    char text[RT_TEXT_MAX];
    int rc = 0;

    for (unsigned i = x->have.n_routes; i-- > 0 && !rc;) {
        const struct rt_route *r = &x->have.route[i];

        if (!route_goes(x, r))
            continue;
        say(x, "remove route", rt_route_text(r, text));
        rc = x->dry ? 0 : rtnl_del_route(x->r, x->ifindex, r, e);
    }
    for (unsigned i = x->have.n_addrs; i-- > 0 && !rc;) {
        const struct rt_addr *a = &x->have.addr[i];

        if (!addr_goes(x, a))
            continue;
        say(x, "remove address", rt_addr_text(a, text));
        rc = x->dry ? 0 : keep_del_addr(x->r, x->ifindex, a, e);
    }
    return rc;
}

/* ---- adding ---- */

static int add_addrs(struct run *x, struct err *e)
{
    char text[RT_TEXT_MAX];
    int rc = 0;

    for (unsigned i = 0; i < x->target.n_addrs && !rc; i++) {
        const struct rt_addr *a = &x->target.addr[i];
        int h = rt_find_addr(&x->have, a);

        if (h >= 0 && rt_addr_equal(a, &x->have.addr[h]))
            continue;
        say(x, "address", rt_addr_text(a, text));
        rc = x->dry ? 0 : rtnl_add_addr(x->r, x->ifindex, a, e);
    }
    return rc;
}

static bool have_route(const struct run *x, const struct rt_route *r)
{
    for (unsigned i = 0; i < x->have.n_routes; i++)
        if (rt_route_equal(r, &x->have.route[i]))
            return true;
    return false;
}

static int add_route(struct run *x, const struct rt_route *r, struct err *e)
{
    /* from the uplink to us in one step */
    return rt_find_route(&x->uplinks, r) >= 0
               ? rtnl_replace_route(x->r, x->ifindex, r, e)
               : rtnl_add_route(x->r, x->ifindex, r, e);
}

/*
 * A route may lead to the gateway of another, so those that are refused are
 * tried again as long as others get in.
 */
static int add_routes(struct run *x, struct err *e)
{
    unsigned n = x->target.n_routes, progress;
    bool *done = calloc(n ? n : 1, sizeof(*done));
    int rc;

    if (!done)
        return err_sys(e, ENOMEM, "routes");
    do {
        rc = 0;
        progress = 0;
        for (unsigned i = 0; i < n; i++) {
            struct err why = {""};
            int one;

            if (done[i] || have_route(x, &x->target.route[i]))
                continue;
            one = add_route(x, &x->target.route[i], &why);
            done[i] = !one;
            progress += !one;
            if (one && !rc)
                rc = err_set(e, one, "%s", why.text);
        }
    } while (rc && progress);
    free(done);
    return rc;
}

static void say_routes(struct run *x)
{
    char text[RT_TEXT_MAX];

    for (unsigned i = 0; i < x->target.n_routes; i++)
        if (!have_route(x, &x->target.route[i]))
            say(x, "route", rt_route_text(&x->target.route[i], text));
}

/* ---- up or down ---- */

/* 1 up, 0 down, -1 as it is */
static int want_up(const struct run *x)
{
    if (x->want && x->want->activation_off)
        return 0;
    if (x->want)
        return x->want->activation_manual ? -1 : 1;
    return x->target.n_addrs ? 1 : -1;
}

static int set_up(struct run *x, bool *up, struct err *e)
{
    int w = want_up(x);

    *up = w < 0 ? x->settings.up : w;
    if (*up == x->settings.up)
        return 0;
    say(x, *up ? "up" : "down", "");
    return x->dry ? 0 : rtnl_set_up(x->r, x->ifindex, *up, e);
}

/* ---- back, after an error ---- */

static void back_addrs(struct run *x)
{
    for (unsigned i = x->have.n_addrs; i-- > 0;)
        if (rt_find_addr(&x->before, &x->have.addr[i]) < 0 &&
            rt_find_addr(&x->target, &x->have.addr[i]) >= 0)
            (void)keep_del_addr(x->r, x->ifindex, &x->have.addr[i], NULL);
    (void)read_have(x, NULL);
    for (unsigned i = 0; i < x->before.n_addrs; i++)
        if (rt_find_addr(&x->have, &x->before.addr[i]) < 0)
            (void)rtnl_add_addr(x->r, x->ifindex, &x->before.addr[i], NULL);
}

static bool was_there(const struct run *x, const struct rt_route *r)
{
    for (unsigned i = 0; i < x->before.n_routes; i++)
        if (rt_route_equal(&x->before.route[i], r))
            return true;
    return false;
}

static void back_routes(struct run *x)
{
    for (unsigned i = x->have.n_routes; i-- > 0;)
        if (!was_there(x, &x->have.route[i]) &&
            rt_find_route(&x->target, &x->have.route[i]) >= 0)
            (void)rtnl_del_route(x->r, x->ifindex, &x->have.route[i], NULL);
    /* twice: gateways may be reached by routes that come later */
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < x->before.n_routes; i++)
            (void)rtnl_add_route(x->r, x->ifindex, &x->before.route[i], NULL);
    for (const struct uplink *u = x->l->uplinks; u; u = u->next)
        for (unsigned i = 0; !u->stripped && i < u->moved.n_routes; i++)
            (void)rtnl_add_route(x->r, u->ifindex, &u->moved.route[i], NULL);
}

static void roll_back(struct run *x)
{
    (void)read_have(x, NULL);
    for (unsigned i = x->have.n_routes; i-- > 0;)
        if (!was_there(x, &x->have.route[i]) &&
            rt_find_route(&x->target, &x->have.route[i]) >= 0)
            (void)rtnl_del_route(x->r, x->ifindex, &x->have.route[i], NULL);
    back_addrs(x);
    link_rollback(x->ifindex, x->l->ifname, &x->settings);
    (void)rtnl_set_up(x->r, x->ifindex, x->settings.up, NULL);
    (void)read_have(x, NULL);
    back_routes(x);
}

/* ---- the whole ---- */

static int change(struct run *x, struct l3_changed *changed, struct err *e)
{
    bool up;
    int rc = x->only ? 0
                     : link_apply(x->ifindex, x->l->ifname, x->want,
                                  &x->settings, changed, x->dry, x->n, e);

    if (!rc && !x->dry)
        keep_secondaries(x->l->ifname);
    if (!rc)
        rc = remove_unwanted(x, e);
    if (!rc)
        rc = read_have(x, e);
    if (!rc)
        rc = add_addrs(x, e);
    if (!rc)
        rc = set_up(x, &up, e);
    if (!rc && !x->only)
        rc = link_apply_up(x->l->ifname, x->want, &x->settings, changed, x->dry,
                           x->n, e);
    if (rc)
        return rc;
    if (!up && x->target.n_routes) {
        if (!x->dry)
            l3_note(x->n,
                    "%s is down: its routes wait until it is up and this is "
                    "applied again",
                    x->l->ifname);
        return 0;
    }
    if (x->dry) {
        say_routes(x);
        return 0;
    }
    rc = read_have(x, e);
    return rc ? rc : add_routes(x, e);
}

static void strip_uplinks(struct run *x)
{
    char text[RT_TEXT_MAX];

    for (struct uplink *u = x->l->uplinks; u; u = u->next) {
        if (u->stripped || u->left)
            continue;
        if (u->moved.n_addrs || u->moved.n_routes)
            l3_note(x->n, "%s %s from %s to %s", rt_set_text(&u->moved, text),
                    x->dry ? "would move" : "moved", u->name, x->l->ifname);
        if (!x->dry)
            uplink_strip(x->r, u, x->n);
    }
}

static int prepare(struct run *x, struct err *e)
{
    int rc = link_read(x->l->ifname, &x->ifindex, &x->settings, e);

    if (rc == -ENODEV && x->dry)
        return wanted(x->l, x->want, &x->before, &x->target, e);
    if (!rc)
        rc = rtnl_open(&x->r, e);
    if (!rc)
        rc = rtnl_read(x->r, x->ifindex, RTNL_NOWHERE, &x->before, e);
    if (!rc)
        rc = x->only ? rt_set_copy(&x->target, x->only)
                     : wanted(x->l, x->want, &x->before, &x->target, e);
    if (!rc)
        rc = read_have(x, e);
    if (!rc)
        rc = read_uplinks(x, e);
    return rc;
}

static void keep(struct run *x, const struct l3_changed *changed)
{
    x->l->changed = *changed;
    rt_set_clear(&x->l->applied);
    x->l->applied = x->target;
    memset(&x->target, 0, sizeof(x->target));
}

static int run(struct run *x, struct err *e)
{
    struct l3_changed changed = x->l->changed;
    int rc = prepare(x, e);

    if (!rc) {
        rc = change(x, &changed, e);
        if (rc && !x->dry)
            roll_back(x);
        if (!rc)
            strip_uplinks(x);
        if (!rc && !x->dry)
            keep(x, &changed);
    }
    rt_set_clear(&x->before);
    rt_set_clear(&x->have);
    rt_set_clear(&x->uplinks);
    rt_set_clear(&x->target);
    rtnl_close(x->r);
    return rc ? err_wrap(e, rc, "%s", x->l->ifname) : 0;
}

int self_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
               struct l3_notes *n, struct err *e)
{
    struct run x = {.l = l, .want = want, .dry = dry, .n = n};

    return run(&x, e);
}

int self_apply_set(struct l3 *l, const struct rt_set *only, struct l3_notes *n,
                   struct err *e)
{
    struct run x = {.l = l, .only = only, .n = n};

    return run(&x, e);
}

/* ---- returning ---- */

/* Takes what we gave and is not in 'stay' off the interface. */
static void drop_others(struct l3 *l, const struct rt_set *stay,
                        struct l3_notes *n)
{
    struct run x = {.l = l, .n = n};
    struct err e = {""};

    if (link_read(l->ifname, &x.ifindex, &x.settings, NULL))
        return; /* gone, and all that was on it */
    if (rtnl_open(&x.r, &e) || rt_set_copy(&x.target, stay) ||
        read_have(&x, &e) || remove_unwanted(&x, &e))
        l3_note(n, "%s: %s", l->ifname, e.text);
    rt_set_clear(&x.have);
    rt_set_clear(&x.target);
    rtnl_close(x.r);
}

void self_return(struct l3 *l, struct uplink *u, struct l3_notes *n)
{
    struct rt_set stay = {0}, none = {0};
    struct l3_settings s;
    int ifindex = 0;

    u->left = true;
    if (!u->stripped) { /* it still has everything */
        uplink_clear(u);
        return;
    }
    (void)link_read(l->ifname, &ifindex, &s, NULL);
    (void)wanted(l, l->current, &none, &stay, NULL);
    uplink_give_back(u, ifindex ? &stay : NULL, ifindex, n);
    drop_others(l, &stay, n);
    rt_set_clear(&l->applied);
    l->applied = stay;
}

/* Routes that leave by no interface do not go with ours. */
void self_release(struct l3 *l, struct l3_notes *n)
{
    const struct rt_set none = {0};
    struct l3_settings now;
    struct rtnl *r;
    int ifindex = 0;

    if (link_read(l->ifname, &ifindex, &now, NULL) == 0) {
        drop_others(l, &none, n);
        (void)link_apply(ifindex, l->ifname, NULL, &now, &l->changed, false, n,
                         NULL);
    } else if (any_nowhere(&l->applied) && rtnl_open(&r, NULL) == 0) {
        for (unsigned i = 0; i < l->applied.n_routes; i++)
            if (l->applied.route[i].oif < 0)
                (void)rtnl_del_route(r, 0, &l->applied.route[i], NULL);
        rtnl_close(r);
    }
    rt_set_clear(&l->applied);
}
