/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files for systemd-networkd: systemd.network(5).  Their names sort before
 * those netplan generates, and the first file that matches counts.
 */
#include "ctl/l3/child.h"
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

static void nd_path(char out[PATH_MAX], const char *ifname, bool uplink)
{
    (void)uplink;
    snprintf(out, PATH_MAX, "/run/systemd/network/05-bascule-%s.network",
             ifname);
}

static const char *yes(bool on)
{
    return on ? "yes" : "no";
}

static void put_switch(FILE *f, const char *key, enum conf_switch v)
{
    if (v != CONF_UNSET)
        fprintf(f, "%s=%s\n", key, yes(v == CONF_ON));
}

static const char *both(bool four, bool six)
{
    return four && six ? "yes" : four ? "ipv4" : six ? "ipv6" : "no";
}

static void put_link(FILE *f, const struct conf_l3 *want)
{
    char mac[MAC_TEXT_MAX];

    fprintf(f, "\n[Link]\n");
    if (want->mac_set)
        fprintf(f, "MACAddress=%s\n", mac_format(&want->mac, mac));
    if (want->mtu)
        fprintf(f, "MTUBytes=%u\n", want->mtu);
    if (want->optional == CONF_ON)
        fprintf(f, "RequiredForOnline=no\n");
    if (want->activation_manual)
        fprintf(f, "ActivationPolicy=manual\n");
    if (want->activation_off)
        fprintf(f, "ActivationPolicy=always-down\n");
}

static void put_network(FILE *f, const struct conf_l3 *want)
{
    char servers[L3_WORDS_MAX], domains[L3_WORDS_MAX];

    dns_words(want, servers, domains);
    fprintf(f, "DHCP=%s\n",
            both(want->dhcp4 == CONF_ON, want->dhcp6 == CONF_ON));
    fprintf(f, "LinkLocalAddressing=%s\n",
            both(want->link_local4, want->link_local6));
    put_switch(f, "IPv6AcceptRA", want->accept_ra);
    put_switch(f, "IPv6PrivacyExtensions", want->ipv6_privacy);
    if (want->ipv6_mtu)
        fprintf(f, "IPv6MTUBytes=%u\n", want->ipv6_mtu);
    if (*servers)
        fprintf(f, "DNS=%s\n", servers);
    if (*domains)
        fprintf(f, "Domains=%s\n", domains);
}

static void put_addr(FILE *f, const struct rt_addr *a)
{
    char text[RT_TEXT_MAX];

    fprintf(f, "\n[Address]\nAddress=%s\n", rt_addr_text(a, text));
    if (a->label[0])
        fprintf(f, "Label=%s\n", a->label);
    if (a->preferred == 0)
        fprintf(f, "PreferredLifetime=0\n");
    if (a->metric)
        fprintf(f, "RouteMetric=%u\n", a->metric);
}

static void put_number(FILE *f, const char *key, uint32_t v)
{
    if (v)
        fprintf(f, "%s=%u\n", key, v);
}

static void put_route(FILE *f, const struct rt_route *r)
{
    struct route_words w;

    if (!route_words(r, &w))
        return; /* not chosen for a file */
    fprintf(f, "\n[Route]\nDestination=%s\n", w.to);
    if (*w.via)
        fprintf(f, "Gateway=%s\n", w.via);
    if (*w.from)
        fprintf(f, "PreferredSource=%s\n", w.from);
    if (w.on_link)
        fprintf(f, "GatewayOnLink=yes\n");
    if (strcmp(w.type, "unicast") != 0)
        fprintf(f, "Type=%s\n", w.type);
    if (*w.scope)
        fprintf(f, "Scope=%s\n", w.scope);
    if (w.table != RT_TABLE_MAIN)
        fprintf(f, "Table=%u\n", w.table);
    put_number(f, "Metric", w.metric);
    put_number(f, "MTUBytes", w.mtu);
    put_number(f, "TCPAdvertisedMaximumSegmentSize", w.advmss);
    put_number(f, "InitialCongestionWindow", w.initcwnd);
    put_number(f, "InitialAdvertisedReceiveWindow", w.initrwnd);
}

static void put_domains(FILE *f, const struct conf_dhcp *o)
{
    if (o->use_domains > CONF_ON)
        fprintf(f, "UseDomains=route\n");
    else
        put_switch(f, "UseDomains", o->use_domains);
}

static void put_dhcp4(FILE *f, const struct conf_l3 *want)
{
    const struct conf_dhcp *o = &want->over4;

    fprintf(f, "\n[DHCPv4]\nRouteMetric=%u\n",
            o->has_metric ? o->metric : 100); /* netplan's */
    if (want->dhcp_identifier)
        fprintf(f, "ClientIdentifier=%s\n", want->dhcp_identifier);
    /* networkd's default is not netplan's */
    fprintf(f, "UseMTU=%s\n", yes(o->use_mtu != CONF_OFF));
    put_switch(f, "UseDNS", o->use_dns);
    put_switch(f, "UseNTP", o->use_ntp);
    put_switch(f, "SendHostname", o->send_hostname);
    put_switch(f, "UseHostname", o->use_hostname);
    put_switch(f, "UseRoutes", o->use_routes);
    put_domains(f, o);
    if (o->hostname)
        fprintf(f, "Hostname=%s\n", o->hostname);
}

static void put_dhcp6(FILE *f, const struct conf_l3 *want)
{
    const struct conf_dhcp *o = &want->over6;

    fprintf(f, "\n[DHCPv6]\n");
    put_switch(f, "UseDNS", o->use_dns);
    put_switch(f, "UseNTP", o->use_ntp);
    put_switch(f, "UseHostname", o->use_hostname);
    put_domains(f, o);
}

static void nd_text(FILE *f, const struct l3 *l, const struct conf_l3 *want,
                    const struct rt_set *all)
{
    const bool waits = want && want->ignore_carrier == CONF_OFF;

    fprintf(f, "[Match]\nName=%s\n", l->ifname);
    if (want)
        put_link(f, want);
    fprintf(f, "\n[Network]\nConfigureWithoutCarrier=%s\n", yes(!waits));
    if (want)
        put_network(f, want);
    for (unsigned i = 0; i < all->n_addrs; i++)
        put_addr(f, &all->addr[i]);
    for (unsigned i = 0; i < all->n_routes; i++)
        put_route(f, &all->route[i]);
    if (want && want->dhcp4 == CONF_ON)
        put_dhcp4(f, want);
    if (want && want->dhcp6 == CONF_ON)
        put_dhcp6(f, want);
}

static void nd_uplink_text(FILE *f, const char *ifname)
{
    fprintf(f, "[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n", ifname);
}

static int nd_check(const struct conf_l3 *want, struct err *e)
{
    const struct conf_dhcp *o = &want->over6;

    if (want->dhcp6 != CONF_ON)
        return 0;
    if (o->use_routes == CONF_OFF || o->has_metric || o->hostname ||
        o->use_mtu == CONF_ON)
        return err_set(e, EOPNOTSUPP,
                       "dhcp6-overrides: of these, systemd-networkd has only "
                       "use-dns, use-ntp, use-hostname and use-domains for "
                       "DHCPv6");
    return 0;
}

static int nd_reload(const char *ifname, struct err *e)
{
    const char *const argv[] = {"networkctl", "reload", NULL};
    char out[256];
    int rc = child_run(argv, out, sizeof(out), e);

    (void)ifname;
    if (rc <= 0)
        return rc;
    out[strcspn(out, "\n")] = 0;
    return err_set(e, EIO, "networkctl reload: %s", out);
}

/* ---- devices it would make ---- */

/* Its "Name=" within [NetDev]; the rest of the file is about that device. */
static bool file_names(const char *path, const char *ifname)
{
    FILE *f = fopen(path, "re");
    char line[512];
    bool within = false, found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == '[')
            within = strcmp(line, "[NetDev]") == 0;
        found = within && strncmp(line, "Name=", 5) == 0 &&
                strcmp(line + 5, ifname) == 0;
    }
    if (f)
        fclose(f);
    return found;
}

static bool dir_names(const char *dir, const char *ifname, char path[PATH_MAX])
{
    DIR *d = opendir(dir);
    const struct dirent *x;
    bool found = false;

    /* cppcheck-suppress readdirCalled ; one stream, one thread */
    while (d && !found && (x = readdir(d))) {
        size_t n = strlen(x->d_name);

        if (n < 7 || strcmp(x->d_name + n - 7, ".netdev") != 0)
            continue;
        snprintf(path, PATH_MAX, "%s/%s", dir, x->d_name);
        found = file_names(path, ifname);
    }
    if (d)
        closedir(d);
    return found;
}

int networkd_netdev(const char *ifname, struct err *e)
{
    static const char *const dir[] = {"/etc/systemd/network",
                                      "/run/systemd/network",
                                      "/usr/lib/systemd/network"};
    char path[PATH_MAX];

    for (unsigned i = 0; i < sizeof(dir) / sizeof(dir[0]); i++)
        if (dir_names(dir[i], ifname, path))
            return err_set(
                e, EEXIST,
                "systemd-networkd makes %s itself (%s); if that is netplan's, "
                "move the file with the bridge out of /etc/netplan, leave "
                "there its ethernets with dhcp4: no and optional: true, then "
                "netplan apply",
                ifname, path);
    return 0;
}

static void nd_let_go(const char *ifname)
{
    (void)ifname;
}

const struct manager networkd_manager = {
    .process = "systemd-networkd",
    .path = nd_path,
    .text = nd_text,
    .uplink_text = nd_uplink_text,
    .mode = 0644,
    .does_link = true,
    .check = nd_check,
    .reload = nd_reload,
    .let_go = nd_let_go,
};
