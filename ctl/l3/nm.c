/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files for NetworkManager: nm-settings-keyfile(5), NetworkManager.conf(5).
 *
 * The bridge's interface is a tap, so its connection is of type "tun"; NM
 * activates it if mode and flags are those of the device (found out with NM
 * 1.42), and leaves a device that it has not made when the connection goes.
 * The uplink is named as unmanaged: NM then takes its addresses off and the
 * link down, which is put up again (manager.c).
 */
#include "ctl/l3/child.h"
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static void nm_path(char out[PATH_MAX], const char *ifname, bool uplink)
{
    if (uplink)
        snprintf(out, PATH_MAX, "/run/NetworkManager/conf.d/95-bascule-%s.conf",
                 ifname);
    else
        snprintf(out, PATH_MAX,
                 "/run/NetworkManager/system-connections/"
                 "bascule-%s.nmconnection",
                 ifname);
}

static bool is6(uint8_t family)
{
    return family == AF_INET6;
}

static const char *method4(const struct conf_l3 *want, unsigned n_addrs)
{
    if (want && want->dhcp4 == CONF_ON)
        return "auto";
    if (n_addrs)
        return "manual";
    return want && want->link_local4 ? "link-local" : "disabled";
}

static const char *method6(const struct conf_l3 *want, unsigned n_addrs)
{
    if (!want)
        return n_addrs ? "manual" : "ignore";
    if (want->dhcp6 == CONF_ON || want->accept_ra == CONF_ON)
        return "auto";
    if (n_addrs)
        return want->accept_ra == CONF_OFF ? "manual" : "auto";
    if (!want->link_local6)
        return "disabled";
    /* advertisements are heard unless the file says no */
    return want->accept_ra == CONF_OFF ? "link-local" : "auto";
}

static unsigned put_addrs(FILE *f, const struct rt_set *all, bool six)
{
    unsigned n = 0;

    for (unsigned i = 0; i < all->n_addrs; i++) {
        char text[RT_TEXT_MAX];

        if (is6(all->addr[i].family) == six)
            fprintf(f, "address%u=%s\n", ++n,
                    rt_addr_text(&all->addr[i], text));
    }
    return n;
}

static unsigned count(const struct rt_set *all, bool six)
{
    unsigned n = 0;

    for (unsigned i = 0; i < all->n_addrs; i++)
        n += is6(all->addr[i].family) == six;
    return n;
}

static void put_option(FILE *f, const char **sep, const char *key, uint32_t v)
{
    if (!v)
        return;
    fprintf(f, "%s%s=%u", *sep, key, v);
    *sep = ",";
}

static void put_options(FILE *f, unsigned no, const struct route_words *w)
{
    const char *sep = "";

    fprintf(f, "route%u_options=", no);
    if (w->on_link) {
        fprintf(f, "onlink=true");
        sep = ",";
    }
    if (*w->from) {
        fprintf(f, "%ssrc=%s", sep, w->from);
        sep = ",";
    }
    if (strcmp(w->type, "unicast") != 0) {
        fprintf(f, "%stype=%s", sep, w->type);
        sep = ",";
    }
    put_option(f, &sep, "table", w->table);
    put_option(f, &sep, "mtu", w->mtu);
    put_option(f, &sep, "advmss", w->advmss);
    put_option(f, &sep, "initcwnd", w->initcwnd);
    put_option(f, &sep, "initrwnd", w->initrwnd);
    fputc('\n', f);
}

static void put_routes(FILE *f, const struct rt_set *all, bool six)
{
    unsigned n = 0;

    for (unsigned i = 0; i < all->n_routes; i++) {
        struct route_words w;

        if (is6(all->route[i].m.rtm_family) != six ||
            !route_words(&all->route[i], &w))
            continue;
        fprintf(f, "route%u=%s,%s,%u\n", ++n, w.to,
                *w.via ? w.via
                : six  ? "::"
                       : "0.0.0.0",
                w.metric);
        put_options(f, n, &w);
    }
}

static void put_dns(FILE *f, const struct conf_l3 *want, bool six)
{
    bool any = false;

    for (unsigned i = 0; i < want->n_dns; i++) {
        char ip[INET6_ADDRSTRLEN];

        if (is6((uint8_t)want->dns[i].family) != six)
            continue;
        fprintf(
            f, "%s%s;", any ? "" : "dns=",
            inet_ntop(want->dns[i].family, &want->dns[i].a, ip, sizeof(ip)));
        any = true;
    }
    if (any)
        fputc('\n', f);
    for (unsigned i = 0; any && i < want->n_search; i++)
        fprintf(f, "%s%s;%s", i ? "" : "dns-search=", want->search[i],
                i + 1 == want->n_search ? "\n" : "");
}

static void put_overrides(FILE *f, const struct conf_dhcp *o)
{
    fprintf(f, "route-metric=%u\n", o->has_metric ? o->metric : 100);
    if (o->use_routes == CONF_OFF)
        fprintf(f, "ignore-auto-routes=true\nnever-default=true\n");
    if (o->use_dns == CONF_OFF)
        fprintf(f, "ignore-auto-dns=true\n");
    if (o->send_hostname == CONF_OFF)
        fprintf(f, "dhcp-send-hostname=false\n");
    if (o->hostname)
        fprintf(f, "dhcp-hostname=%s\n", o->hostname);
}

static void put_ipv4(FILE *f, const struct conf_l3 *want,
                     const struct rt_set *all)
{
    fprintf(f, "\n[ipv4]\nmethod=%s\n", method4(want, count(all, false)));
    put_addrs(f, all, false);
    put_routes(f, all, false);
    if (!want)
        return;
    put_dns(f, want, false);
    if (want->dhcp4 == CONF_ON) {
        put_overrides(f, &want->over4);
        if (want->dhcp_identifier)
            fprintf(f, "dhcp-client-id=%s\n", want->dhcp_identifier);
    }
}

static void put_ipv6(FILE *f, const struct conf_l3 *want,
                     const struct rt_set *all)
{
    fprintf(f, "\n[ipv6]\nmethod=%s\naddr-gen-mode=eui64\n",
            method6(want, count(all, true)));
    put_addrs(f, all, true);
    put_routes(f, all, true);
    if (!want)
        return;
    put_dns(f, want, true);
    if (want->ipv6_privacy != CONF_UNSET)
        fprintf(f, "ip6-privacy=%d\n", want->ipv6_privacy == CONF_ON ? 2 : 0);
    if (want->ipv6_mtu)
        fprintf(f, "mtu=%u\n", want->ipv6_mtu);
    if (want->dhcp6 == CONF_ON)
        put_overrides(f, &want->over6);
}

static void nm_text(FILE *f, const struct l3 *l, const struct conf_l3 *want,
                    const struct rt_set *all)
{
    fprintf(f,
            "[connection]\nid=bascule-%s\ntype=tun\ninterface-name=%s\n"
            "autoconnect=%s\n\n[tun]\nmode=2\nvnet-hdr=true\n",
            l->ifname, l->ifname,
            want && (want->activation_manual || want->activation_off) ? "false"
                                                                      : "true");
    put_ipv4(f, want, all);
    put_ipv6(f, want, all);
}

static void nm_uplink_text(FILE *f, const char *ifname)
{
    fprintf(f, "[keyfile]\nunmanaged-devices+=interface-name:%s\n", ifname);
}

static int refuse(const char *key, struct err *e)
{
    return err_set(e, EOPNOTSUPP,
                   "%s: NetworkManager's files cannot say that for one "
                   "interface",
                   key);
}

static int check_overrides(const struct conf_dhcp *o, struct err *e)
{
    if (o->use_ntp != CONF_UNSET)
        return refuse("dhcp overrides: use-ntp", e);
    if (o->use_hostname != CONF_UNSET)
        return refuse("dhcp overrides: use-hostname", e);
    if (o->use_domains != CONF_UNSET)
        return refuse("dhcp overrides: use-domains", e);
    if (o->use_mtu != CONF_UNSET)
        return refuse("dhcp overrides: use-mtu", e);
    return 0;
}

static int nm_check(const struct conf_l3 *want, struct err *e)
{
    int rc = want->activation_off ? refuse("activation-mode: off", e)
                                  : check_overrides(&want->over4, e);

    if (!rc)
        rc = check_overrides(&want->over6, e);
    for (unsigned i = 0; i < want->n_addrs && !rc; i++)
        if (want->addr[i].label[0] || want->addr[i].deprecated)
            rc = refuse("addresses: label and lifetime", e);
    return rc;
}

static int nmcli(const char *const argv[], struct err *e)
{
    char out[512];
    int rc = child_run(argv, out, sizeof(out), e);

    if (rc <= 0)
        return rc;
    out[strcspn(out, "\n")] = 0;
    return err_set(e, EIO, "nmcli %s %s: %s", argv[1], argv[2], out);
}

/* Unmanaged ones are in its configuration, connections are not. */
static int nm_reload(const char *ifname, struct err *e)
{
    char id[64];
    const char *const conf[] = {"nmcli", "general", "reload", "conf", NULL};
    const char *const con[] = {"nmcli", "connection", "reload", NULL};
    /* a lease is not waited for */
    const char *const up[] = {"nmcli", "-w", "0", "connection",
                              "up",    "id", id,  NULL};
    int rc;

    if (!ifname) {
        rc = nmcli(con, e);
        return rc ? rc : nmcli(conf, e);
    }
    snprintf(id, sizeof(id), "bascule-%s", ifname);
    rc = nmcli(con, e);
    return rc ? rc : nmcli(up, e);
}

static void nm_let_go(const char *ifname)
{
    char id[64];
    const char *const down[] = {"nmcli", "connection", "down", "id", id, NULL};

    snprintf(id, sizeof(id), "bascule-%s", ifname);
    (void)nmcli(down, NULL);
}

const struct manager nm_manager = {
    .process = "NetworkManager",
    .path = nm_path,
    .text = nm_text,
    .uplink_text = nm_uplink_text,
    .mode = 0600,
    .does_link = false,
    .check = nm_check,
    .reload = nm_reload,
    .let_go = nm_let_go,
};
