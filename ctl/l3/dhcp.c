/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCP clients: udhcpc or dhcpcd for IPv4, dhcpcd for IPv6 (router
 * advertisements are the kernel's).  Their script is this program itself, so
 * that Debian's own, which rewrite resolv.conf and flush the interface, have
 * no part; what it needs to know it finds in its environment.
 */
#include "ctl/l3/child.h"
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define METRIC_DEFAULT 100 /* netplan's, for what comes by DHCP */
#define WORDS_MAX      48

/* A list of words, as a program or its environment takes them. */
struct words {
    char *word[WORDS_MAX + 1];
    unsigned n;
    bool lost; /* no memory, or no room */
};

struct dhcp {
    struct child *child;
    struct words argv, env;
    char lease[PATH_MAX];
};

static void __attribute__((format(printf, 2, 3)))
add(struct words *w, const char *fmt, ...)
{
    va_list ap;
    char *p = NULL;

    va_start(ap, fmt);
    if (vasprintf(&p, fmt, ap) < 0)
        p = NULL;
    va_end(ap);
    if (!p || w->n == WORDS_MAX) {
        w->lost = true;
        free(p);
        return;
    }
    w->word[w->n++] = p;
}

static void words_free(struct words *w)
{
    while (w->n)
        free(w->word[--w->n]);
    memset(w, 0, sizeof(*w));
}

static bool words_equal(const struct words *a, const struct words *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (strcmp(a->word[i], b->word[i]) != 0)
            return false;
    return true;
}

/* ---- what cannot be obeyed here ---- */

static int refuse(const struct conf_dhcp *o, int family, const char *key,
                  const char *why, struct err *e)
{
    char place[200] = "";

    if (o->pos.line)
        snprintf(place, sizeof(place), "%s:%u:%u: ", o->pos.file, o->pos.line,
                 o->pos.column);
    return err_set(e, EOPNOTSUPP, "%sdhcp%d-overrides: %s: %s", place, family,
                   key, why);
}

static int check_common(const struct conf_dhcp *o, int family, struct err *e)
{
    if (o->use_ntp == CONF_ON)
        return refuse(o, family, "use-ntp: true",
                      "there is nobody here to give time servers to (only "
                      "systemd-networkd does that)",
                      e);
    return 0;
}

static int check4(const struct conf_l3 *want, struct err *e)
{
    bool udhcpc = child_find("udhcpc", NULL);

    if (!udhcpc && !child_find("dhcpcd", NULL))
        return err_set(e, ENOENT,
                       "dhcp4: no DHCP client here; install udhcpc or "
                       "dhcpcd-base");
    if (want->dhcp_identifier && strcmp(want->dhcp_identifier, "duid") == 0 &&
        udhcpc && !child_find("dhcpcd", NULL))
        return err_set(e, ENOENT,
                       "dhcp-identifier: duid: udhcpc cannot do that; install "
                       "dhcpcd-base");
    return check_common(&want->over4, 4, e);
}

static int check6(const struct conf_l3 *want, struct err *e)
{
    const struct conf_dhcp *o = &want->over6;
    const char *why = "DHCPv6 has no such thing; routes come with router "
                      "advertisements, which the kernel takes";

    if (!child_find("dhcpcd", NULL))
        return err_set(e, ENOENT,
                       "dhcp6: no client here that speaks DHCPv6; install "
                       "dhcpcd-base");
    if (o->use_routes == CONF_OFF)
        return refuse(o, 6, "use-routes: false", why, e);
    if (o->has_metric)
        return refuse(o, 6, "route-metric", why, e);
    if (o->use_mtu == CONF_ON)
        return refuse(o, 6, "use-mtu: true", why, e);
    if (o->use_hostname == CONF_ON)
        return refuse(o, 6, "use-hostname: true", "DHCPv6 gives no name", e);
    if (o->hostname)
        return refuse(o, 6, "hostname", "not sent here; only for dhcp4", e);
    return check_common(o, 6, e);
}

int dhcp_check(const struct conf_l3 *want, struct err *e)
{
    int rc = 0;

    if (want->link_local4)
        return err_set(e, EOPNOTSUPP,
                       "link-local: [ ipv4 ] needs systemd-networkd, which "
                       "does not run here");
    if (want->dhcp4 == CONF_ON)
        rc = check4(want, e);
    if (!rc && want->dhcp6 == CONF_ON)
        rc = check6(want, e);
    return rc;
}

/* ---- what a client is told ---- */

static void lease_path(const struct l3 *l, int family, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/l3-lease%d-%llu-%s.json", l->state_dir, family,
             (unsigned long long)l->netns, l->ifname);
}

static void put_env(const struct l3 *l, const struct conf_l3 *want, int family,
                    struct dhcp *d)
{
    const struct conf_dhcp *o = family == 4 ? &want->over4 : &want->over6;
    char servers[L3_WORDS_MAX], domains[L3_WORDS_MAX], path[PATH_MAX];

    dns_words(want, servers, domains);
    add(&d->env, "BASCULE_L3=dhcp");
    add(&d->env, "BASCULE_FAMILY=%d", family);
    add(&d->env, "BASCULE_IF=%s", l->ifname);
    lease_path(l, family, path);
    add(&d->env, "BASCULE_LEASE=%s", path);
    lease_path(l, family == 4 ? 6 : 4, path);
    add(&d->env, "BASCULE_OTHER=%s", path);
    add(&d->env, "BASCULE_METRIC=%u",
        o->has_metric ? o->metric : METRIC_DEFAULT);
    add(&d->env, "BASCULE_USE=%s%s%s%s%s%s",
        o->use_routes != CONF_OFF ? " routes" : "",
        o->use_dns != CONF_OFF ? " dns" : "",
        o->use_mtu != CONF_OFF && !want->mtu ? " mtu" : "",
        o->use_hostname == CONF_ON ? " hostname" : "",
        o->use_domains == CONF_ON ? " domains" : "",
        o->use_domains > CONF_ON ? " route-domains" : "");
    add(&d->env, "BASCULE_DNS=%s", servers);
    add(&d->env, "BASCULE_SEARCH=%s", domains);
}

static void put_hostname(struct words *w, const struct conf_dhcp *o,
                         const char *option)
{
    char name[128] = "";

    if (o->send_hostname == CONF_OFF)
        return;
    if (o->hostname)
        snprintf(name, sizeof(name), "%s", o->hostname);
    else if (gethostname(name, sizeof(name) - 1) < 0)
        return;
    if (!name[0])
        return;
    if (strcmp(option, "-h") == 0) {
        add(w, "-h");
        add(w, "%s", name);
        return;
    }
    add(w, "-x");
    add(w, "hostname:%s", name);
}

/* The address the uplink had by DHCP is asked for again. */
static void put_request(const struct l3 *l, struct words *w)
{
    for (const struct uplink *u = l->uplinks; u; u = u->next)
        for (unsigned i = 0; !u->left && i < u->moved.n_addrs; i++) {
            const struct rt_addr *a = &u->moved.addr[i];
            char ip[INET_ADDRSTRLEN];

            if (a->family != AF_INET || a->valid == RT_FOREVER)
                continue;
            add(w, "-r");
            add(w, "%s", inet_ntop(AF_INET, a->local, ip, sizeof(ip)));
            return;
        }
}

static void udhcpc(const struct l3 *l, const struct conf_l3 *want,
                   struct dhcp *d)
{
    static const char *const option[] = {"staticroutes", "mtu", "search"};

    add(&d->argv, "udhcpc");
    add(&d->argv, "-fR");
    add(&d->argv, "-i");
    add(&d->argv, "%s", l->ifname);
    add(&d->argv, "-s");
    add(&d->argv, "/proc/%ld/exe", (long)getpid());
    /* five times, two seconds each, and again after five */
    add(&d->argv, "-t5");
    add(&d->argv, "-T2");
    add(&d->argv, "-A5");
    for (unsigned i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
        add(&d->argv, "-O");
        add(&d->argv, "%s", option[i]);
    }
    put_hostname(&d->argv, &want->over4, "-x");
    put_request(l, &d->argv);
}

static void dhcpcd(const struct l3 *l, const struct conf_l3 *want, int family,
                   struct dhcp *d)
{
    const struct conf_dhcp *o = family == 4 ? &want->over4 : &want->over6;

    add(&d->argv, "dhcpcd");
    add(&d->argv, "-Bq%d", family);
    add(&d->argv, "-f");
    add(&d->argv, "/dev/null"); /* the host's own file is not about this */
    add(&d->argv, "-c");
    add(&d->argv, "/proc/%ld/exe", (long)getpid());
    add(&d->argv, "-o");
    if (family == 6) {
        add(&d->argv, "dhcp6_name_servers,dhcp6_domain_search");
        add(&d->argv, "--noipv6rs");
        add(&d->argv, "--ia_na");
    } else {
        add(&d->argv, "domain_name_servers,domain_name,domain_search,"
                      "classless_static_routes,interface_mtu,host_name");
        add(&d->argv, "-m%u", o->has_metric ? o->metric : METRIC_DEFAULT);
        if (o->use_routes == CONF_OFF)
            add(&d->argv, "-G");
        if (want->dhcp_identifier && !strcmp(want->dhcp_identifier, "duid"))
            add(&d->argv, "-D");
        put_hostname(&d->argv, o, "-h");
    }
    for (unsigned i = 0; i < d->env.n; i++) {
        add(&d->argv, "-e");
        add(&d->argv, "%s", d->env.word[i]);
    }
    add(&d->argv, "%s", l->ifname);
}

/* ---- running ---- */

static bool with_udhcpc(const struct conf_l3 *want)
{
    return child_find("udhcpc", NULL) &&
           !(want->dhcp_identifier &&
             strcmp(want->dhcp_identifier, "duid") == 0);
}

static struct dhcp *prepare(const struct l3 *l, const struct conf_l3 *want,
                            int family)
{
    struct dhcp *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    lease_path(l, family, d->lease);
    put_env(l, want, family, d);
    if (family == 4 && with_udhcpc(want))
        udhcpc(l, want, d);
    else
        dhcpcd(l, want, family, d);
    return d;
}

static void drop(struct dhcp *d)
{
    if (!d)
        return;
    child_stop(d->child);
    words_free(&d->argv);
    words_free(&d->env);
    free(d);
}

static void stop(struct dhcp **d)
{
    struct dhcp *was = *d;

    *d = NULL;
    if (!was)
        return;
    child_stop(was->child); /* its script takes the lease off */
    was->child = NULL;
    unlink(was->lease);
    drop(was);
}

/* Asking for what it had once more is no change. */
static bool same(const struct dhcp *a, const struct dhcp *b)
{
    return words_equal(&a->env, &b->env) && words_equal(&a->argv, &b->argv);
}

/* ---- what a lease gave, and is there no more ---- */

/* udhcpc(8) does not hear that an interface which was down for a moment has
 * lost its routes, and finds them missing only when it renews the lease. */
static void mend_routes(struct l3 *l, const struct rt_set *lease,
                        struct rtnl *r, int ifindex, bool dry,
                        struct l3_notes *n)
{
    struct rt_set have = {0};
    struct err e = {""};
    char text[RT_TEXT_MAX];

    (void)rtnl_read(r, ifindex, 0, &have, NULL);
    for (unsigned i = 0; i < lease->n_routes; i++) {
        const struct rt_route *t = &lease->route[i];

        if (rt_find_route(&have, t) >= 0)
            continue;
        if (dry)
            l3_note(n, "%s: route %s", l->ifname, rt_route_text(t, text));
        else if (rtnl_add_route(r, ifindex, t, &e))
            l3_note(n, "%s: %s", l->ifname, e.text);
    }
    rt_set_clear(&have);
}

static bool has_addrs(struct rtnl *r, int ifindex, const struct rt_set *lease)
{
    struct rt_set have = {0};
    bool all = true;

    if (rtnl_read(r, ifindex, 0, &have, NULL))
        return true; /* nobody knows */
    for (unsigned i = 0; i < lease->n_addrs; i++)
        all = all && rt_has_ip(&have, &lease->addr[i]);
    rt_set_clear(&have);
    return all;
}

/* False: the address is gone, and only asking again gives another. */
static bool mend(struct l3 *l, const struct dhcp *d, bool dry,
                 struct l3_notes *n)
{
    struct lease lease;
    struct rtnl *r = NULL;
    struct netdev link;
    bool whole = true;

    lease_read(d->lease, &lease);
    if (lease.set.n_addrs && netdev_get(l->ifname, 0, &link, NULL) == 0 &&
        link.flags & IFF_UP && rtnl_open(&r, NULL) == 0) {
        whole = has_addrs(r, link.ifindex, &lease.set);
        if (whole)
            mend_routes(l, &lease.set, r, link.ifindex, dry, n);
        rtnl_close(r);
    }
    lease_clear(&lease);
    return whole;
}

static int start(struct l3 *l, struct dhcp **slot, struct dhcp *d, int family,
                 struct err *e)
{
    char name[64];
    int rc;

    snprintf(name, sizeof(name), "%s on %s", d->argv.word[0], l->ifname);
    stop(slot);
    unlink(d->lease); /* of a daemon that was killed */
    rc = child_start(&d->child, name, (const char *const *)d->argv.word,
                     (const char *const *)d->env.word, e);
    if (rc) {
        drop(d);
        return err_wrap(e, rc, "%s: dhcp%d", l->ifname, family);
    }
    *slot = d;
    return 0;
}

static int one(struct l3 *l, const struct conf_l3 *want, int family, bool dry,
               struct l3_notes *n, struct err *e)
{
    struct dhcp **slot = family == 4 ? &l->dhcp4 : &l->dhcp6, *d;
    bool on = want && (family == 4 ? want->dhcp4 : want->dhcp6) == CONF_ON;
    bool again;

    if (!on) {
        if (*slot && dry)
            l3_note(n, "%s: end %s", l->ifname, (*slot)->argv.word[0]);
        if (!dry)
            stop(slot);
        return 0;
    }
    d = prepare(l, want, family);
    if (!d || d->argv.lost || d->env.lost) {
        drop(d);
        return err_sys(e, ENOMEM, "%s: dhcp%d", l->ifname, family);
    }
    again = *slot && same(*slot, d);
    if (again && mend(l, *slot, dry, n)) {
        drop(d);
        return 0;
    }
    if (dry) {
        l3_note(n, "%s: %s %s%s", l->ifname, again ? "restart" : "start",
                d->argv.word[0],
                again ? ", whose address has been removed" : "");
        drop(d);
        return 0;
    }
    return start(l, slot, d, family, e);
}

int dhcp_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
               struct l3_notes *n, struct err *e)
{
    int rc = one(l, want, 4, dry, n, e);

    return rc ? rc : one(l, want, 6, dry, n, e);
}

void dhcp_release(struct l3 *l)
{
    stop(&l->dhcp4);
    stop(&l->dhcp6);
}
