/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This program as the script of a DHCP client: udhcpc(8) leaves it to its
 * script to make the lease so, dhcpcd(8) does addresses and routes itself.
 * Also the process that gives back what a killed daemon had taken.
 *
 * Threads: a process of its own, with one thread.
 */
#include "ctl/l3/child.h"
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_FOREVER 0xffffffffUL
#define MTU_LEAST     1280 /* IPv6 works with no less */

static const char *env(const char *name)
{
    const char *v = getenv(name);

    return v ? v : "";
}

static bool may(const char *what)
{
    char list[200], *save = NULL;

    snprintf(list, sizeof(list), "%s", env("BASCULE_USE"));
    for (char *w = strtok_r(list, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        if (strcmp(w, what) == 0)
            return true;
    return false;
}

/* ---- the lease, from udhcpc's environment ---- */

static bool lease_addr(struct rt_addr *a)
{
    unsigned long time = strtoul(env("lease"), NULL, 10);
    long prefix = strtol(env("mask"), NULL, 10);

    memset(a, 0, sizeof(*a));
    a->family = AF_INET;
    if (inet_pton(AF_INET, env("ip"), a->local) != 1)
        return false;
    a->prefix = prefix > 0 && prefix <= 32 ? (uint8_t)prefix : 24;
    a->has_bcast = inet_pton(AF_INET, env("broadcast"), a->bcast) == 1;
    a->valid = time && time < LEASE_FOREVER ? (uint32_t)time : RT_FOREVER;
    a->preferred = a->valid;
    return true;
}

static bool inside(const struct rt_addr *a, const uint8_t gw[4])
{
    uint32_t x, y, mask;

    memcpy(&x, a->local, 4);
    memcpy(&y, gw, 4);
    mask = a->prefix ? htonl(UINT32_MAX << (32 - a->prefix)) : 0;
    return (x & mask) == (y & mask);
}

static int lease_route(struct lease *l, const char *dst, long len,
                       const char *via, uint32_t metric)
{
    struct conf_route c = {.to.family = AF_INET,
                           .to.prefix = (uint8_t)len,
                           .has_metric = true,
                           .metric = metric};
    const struct rt_addr *a = &l->set.addr[0];
    struct rt_route r;
    int rc;

    if (len < 0 || len > 32 || inet_pton(AF_INET, dst, &c.to.a.v4) != 1 ||
        inet_pton(AF_INET, via, &c.via.a.v4) != 1)
        return 0; /* the server's nonsense costs its route */
    if (c.via.a.v4.s_addr != 0) {
        c.via.family = AF_INET;
        c.on_link = !inside(a, (const uint8_t *)&c.via.a.v4);
    }
    c.from.family = AF_INET;
    memcpy(&c.from.a.v4, a->local, 4);
    rc = rt_route_from_conf(&r, &c, NULL);
    if (rc)
        return rc;
    r.m.rtm_protocol = RTPROT_DHCP;
    if (rt_find_route(&l->set, &r) < 0)
        rc = rt_set_route(&l->set, &r);
    rt_route_free(&r);
    return rc;
}

/* RFC 3442: with classless routes, the routers' option does not count. */
static int lease_routes(struct lease *l)
{
    uint32_t metric = (uint32_t)strtoul(env("BASCULE_METRIC"), NULL, 10);
    const char *list = env("staticroutes");
    char copy[2048], *save = NULL, *w;
    bool classless = *list;
    int rc = 0;

    if (!may("routes"))
        return 0;
    snprintf(copy, sizeof(copy), "%s", classless ? list : env("router"));
    for (w = strtok_r(copy, " ", &save); w && !rc;
         w = strtok_r(NULL, " ", &save)) {
        char *slash = strchr(w, '/');
        const char *via = classless ? strtok_r(NULL, " ", &save) : w;

        if (!classless)
            rc = lease_route(l, "0.0.0.0", 0, via, metric++);
        else if (slash && via) {
            *slash = 0;
            rc = lease_route(l, w, strtol(slash + 1, NULL, 10), via, metric);
        }
    }
    return rc;
}

/* What resolvectl and sethostname get comes from the net: only what such
 * words are made of. */
static void take_words(char out[L3_WORDS_MAX], const char *from,
                       const char *before)
{
    char copy[L3_WORDS_MAX], *save = NULL;
    size_t n = strlen(out);

    snprintf(copy, sizeof(copy), "%s", from);
    for (char *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        if (w[0] == '-' || strspn(w, "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.:-_%") != strlen(w))
            continue;
        if (n + strlen(w) + 3 < L3_WORDS_MAX)
            n += (size_t)snprintf(out + n, L3_WORDS_MAX - n, "%s%s%s",
                                  n ? " " : "", before, w);
    }
}

static void lease_names(struct lease *l, const char *dns, const char *domain,
                        const char *search)
{
    if (may("dns"))
        take_words(l->dns, env(dns), "");
    if (may("domains") || may("route-domains")) {
        const char *list = *env(search) ? search : domain;

        take_words(l->domains, env(list), may("domains") ? "" : "~");
    }
}

/* ---- making it so ---- */

static void say(const struct err *e)
{
    fprintf(stderr, "%s: %s\n", env("BASCULE_IF"), e->text);
}

/* What was moved here from the uplink and is not in the lease: addresses that
 * run out, and routes that some DHCP client had made. */
static void drop_stale(struct rtnl *r, int ifindex, const struct lease *l)
{
    struct rt_set have;
    struct err e;

    if (rtnl_read(r, ifindex, 0, &have, &e))
        return;
    for (unsigned i = have.n_routes; i-- > 0;) {
        const struct rt_route *t = &have.route[i];

        if (t->oif == 0 && t->m.rtm_family == AF_INET &&
            t->m.rtm_protocol == RTPROT_DHCP && rt_find_route(&l->set, t) < 0)
            (void)rtnl_del_route(r, ifindex, t, &e);
    }
    for (unsigned i = have.n_addrs; i-- > 0;) {
        const struct rt_addr *a = &have.addr[i];

        if (a->family == AF_INET && a->valid != RT_FOREVER &&
            rt_find_addr(&l->set, a) < 0)
            (void)keep_del_addr(r, ifindex, a, &e);
    }
    rt_set_clear(&have);
}

static void add_route(struct rtnl *r, int ifindex, const struct rt_set *have,
                      const struct rt_route *t)
{
    int h = rt_find_route(have, t);
    struct err e = {""};
    int rc;

    if (h >= 0 && rt_route_equal(t, &have->route[h]))
        return;
    rc = h >= 0 && have->route[h].oif == 0
             ? rtnl_replace_route(r, ifindex, t, &e)
             : rtnl_add_route(r, ifindex, t, &e);
    if (rc)
        say(&e);
}

static void make(struct rtnl *r, int ifindex, const struct lease *now)
{
    struct rt_set have = {0};
    struct err e = {""};

    for (unsigned i = 0; i < now->set.n_addrs; i++)
        if (rtnl_add_addr(r, ifindex, &now->set.addr[i], &e))
            say(&e);
    (void)rtnl_read(r, ifindex, 0, &have, NULL);
    /* those without a gateway first */
    for (int via = 0; via < 2; via++)
        for (unsigned i = 0; i < now->set.n_routes; i++)
            if ((now->set.route[i].m.rtm_scope == RT_SCOPE_UNIVERSE) == via)
                add_route(r, ifindex, &have, &now->set.route[i]);
    rt_set_clear(&have);
}

static void unmake(struct rtnl *r, int ifindex, const struct lease *was)
{
    struct err e;

    for (unsigned i = was->set.n_routes; i-- > 0;)
        (void)rtnl_del_route(r, ifindex, &was->set.route[i], &e);
    for (unsigned i = was->set.n_addrs; i-- > 0;)
        (void)keep_del_addr(r, ifindex, &was->set.addr[i], &e);
}

static void use_mtu(int ifindex)
{
    unsigned long mtu = strtoul(env("mtu"), NULL, 10);
    struct netdev d;
    struct err e;

    if (!may("mtu") || mtu < MTU_LEAST || mtu > 65535 ||
        netdev_get(NULL, ifindex, &d, &e) || d.mtu == mtu)
        return;
    if (netdev_set_mtu(ifindex, (uint32_t)mtu, &e))
        say(&e);
}

static void use_hostname(const char *name)
{
    char word[L3_WORDS_MAX] = "";

    take_words(word, name, "");
    if (may("hostname") && *word && !strchr(word, ' ') &&
        sethostname(word, strlen(word)) < 0)
        fprintf(stderr, "setting the host's name: %s\n", strerror(errno));
}

static void append(char words[L3_WORDS_MAX], const char *more)
{
    size_t n = strlen(words), m = strlen(more);

    if (!m || n + m + 2 > L3_WORDS_MAX)
        return;
    if (n)
        words[n++] = ' ';
    memcpy(words + n, more, m + 1);
}

/* The configuration's, this lease's and that of the other family. */
static void use_names(const struct lease *l)
{
    char dns[L3_WORDS_MAX], domains[L3_WORDS_MAX];
    struct lease other;
    struct err e;

    if (!dns_there())
        return;
    lease_read(env("BASCULE_OTHER"), &other);
    snprintf(dns, sizeof(dns), "%s", env("BASCULE_DNS"));
    snprintf(domains, sizeof(domains), "%s", env("BASCULE_SEARCH"));
    take_words(dns, l->dns, "");
    take_words(dns, other.dns, "");
    append(domains, l->domains);
    append(domains, other.domains);
    if (dns_set(env("BASCULE_IF"), dns, domains, &e))
        say(&e);
    lease_clear(&other);
}

/* ---- udhcpc ---- */

static void update(struct rtnl *r, int ifindex, const struct lease *was,
                   const struct lease *now)
{
    struct lease gone = {0};

    for (unsigned i = 0; i < was->set.n_addrs; i++)
        if (rt_find_addr(&now->set, &was->set.addr[i]) < 0)
            (void)rt_set_addr(&gone.set, &was->set.addr[i]);
    for (unsigned i = 0; i < was->set.n_routes; i++)
        if (rt_find_route(&now->set, &was->set.route[i]) < 0)
            (void)rt_set_route(&gone.set, &was->set.route[i]);
    unmake(r, ifindex, &gone);
    lease_clear(&gone);
    if (!now->set.n_addrs)
        return;
    make(r, ifindex, now);
    drop_stale(r, ifindex, now);
    use_mtu(ifindex);
    use_hostname(env("hostname"));
}

static int udhcpc_event(const char *what)
{
    bool bound = strcmp(what, "bound") == 0 || strcmp(what, "renew") == 0;
    struct lease was, now = {.dns = ""};
    struct rt_addr a;
    struct netdev d;
    struct rtnl *r;
    struct err e;

    if (!bound && strcmp(what, "deconfig") != 0)
        return 0; /* leasefail, nak: nothing has changed */
    if (netdev_get(env("BASCULE_IF"), 0, &d, &e) || rtnl_open(&r, &e)) {
        say(&e);
        return 1;
    }
    lease_read(env("BASCULE_LEASE"), &was);
    if (bound && lease_addr(&a) && rt_set_addr(&now.set, &a) == 0) {
        (void)lease_routes(&now);
        lease_names(&now, "dns", "domain", "search");
    }
    update(r, d.ifindex, &was, &now);
    if (bound)
        (void)lease_write(env("BASCULE_LEASE"), &now);
    else
        unlink(env("BASCULE_LEASE"));
    if (bound || *was.dns || *was.domains)
        use_names(&now);
    lease_clear(&was);
    lease_clear(&now);
    rtnl_close(r);
    return 0;
}

/* ---- dhcpcd ---- */

static bool one_of(const char *what, const char *const list[])
{
    for (; *list; list++)
        if (strcmp(what, *list) == 0)
            return true;
    return false;
}

static int dhcpcd_event(const char *reason)
{
    static const char *const got[] = {
        "BOUND",   "RENEW",   "REBIND",  "REBOOT",     "BOUND6", "RENEW6",
        "REBIND6", "REBOOT6", "INFORM6", "DELEGATED6", NULL};
    static const char *const lost[] = {
        "EXPIRE",  "STOP",  "STOPPED",  "RELEASE",   "NAK", "FAIL",
        "EXPIRE6", "STOP6", "RELEASE6", "NOCARRIER", NULL};
    struct lease now = {.dns = ""};

    if (one_of(reason, got)) {
        if (strcmp(env("BASCULE_FAMILY"), "4") == 0) {
            lease_names(&now, "new_domain_name_servers", "new_domain_name",
                        "new_domain_search");
            use_hostname(env("new_host_name"));
        } else {
            lease_names(&now, "new_dhcp6_name_servers",
                        "new_dhcp6_domain_search", "new_dhcp6_domain_search");
        }
        (void)lease_write(env("BASCULE_LEASE"), &now);
    } else if (one_of(reason, lost)) {
        unlink(env("BASCULE_LEASE"));
    } else {
        return 0;
    }
    use_names(&now);
    return 0;
}

int dhcp_script(int argc, char **argv)
{
    if (*env("reason"))
        return dhcpcd_event(env("reason"));
    return argc > 1 ? udhcpc_event(argv[1]) : 1;
}

/* ---- which of them ---- */

static int recover_all(void)
{
    struct l3_notes n = {.len = 0};

    l3_recover(env("BASCULE_STATE"), &n);
    fputs(n.text, stderr);
    return 0;
}

bool l3_helper(int argc, char **argv, int *rc)
{
    const char *what = getenv("BASCULE_L3");

    if (!what)
        return false;
    if (strcmp(what, "dhcp") == 0)
        *rc = dhcp_script(argc, argv);
    else if (strcmp(what, "recover") == 0)
        *rc = recover_all();
    else
        *rc = 2;
    return true;
}
