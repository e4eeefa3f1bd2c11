/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing over to systemd-networkd or NetworkManager: what both have in
 * common.  They are told by runtime files, which are written whole and only
 * when their text differs; what the files cannot say (leases in the middle of
 * their time, routes with several gateways) is added by rtnetlink after them.
 *
 * First the bridge's interface is made ready, then the uplink is taken from
 * the manager, which at that removes what it had put there.
 */
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READY_MS 8000 /* until a manager has done what its files say */

static const struct manager *manager_of(const struct l3 *l)
{
    return l->owner == L3_NM ? &nm_manager : &networkd_manager;
}

/* ---- routes in words ---- */

static bool metrics_words(const struct nlattr *nest, struct route_words *w)
{
    const struct nlattr *a;

    mnl_attr_for_each_nested(a, nest)
    {
        uint32_t v = mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : 0;

        switch (mnl_attr_get_type(a)) {
        case RTAX_MTU:
            w->mtu = v;
            break;
        case RTAX_ADVMSS:
            w->advmss = v;
            break;
        case RTAX_INITCWND:
            w->initcwnd = v;
            break;
        case RTAX_INITRWND:
            w->initrwnd = v;
            break;
        default:
            return false;
        }
    }
    return true;
}

static bool attr_words(const struct rt_route *r, struct route_words *w)
{
    const struct nlattr *attr;

    mnl_attr_for_each_payload((const void *)r->attr, r->attr_len)
    {
        const char *p = mnl_attr_get_payload(attr);

        switch (mnl_attr_get_type(attr)) {
        case RTA_GATEWAY:
            inet_ntop(r->m.rtm_family, p, w->via, 64);
            break;
        case RTA_VIA:
            inet_ntop(*(const uint16_t *)(const void *)p, p + 2, w->via, 64);
            break;
        case RTA_METRICS:
            if (!metrics_words(attr, w))
                return false;
            break;
        case RTA_PREF:
            break; /* IPv6: the kernel always tells it */
        default:
            return false;
        }
    }
    return true;
}

static const char *type_word(uint8_t type)
{
    static const char *const word[] = {
        [RTN_UNICAST] = "unicast",
        [RTN_LOCAL] = "local",
        [RTN_BROADCAST] = "broadcast",
        [RTN_ANYCAST] = "anycast",
        [RTN_MULTICAST] = "multicast",
        [RTN_BLACKHOLE] = "blackhole",
        [RTN_UNREACHABLE] = "unreachable",
        [RTN_PROHIBIT] = "prohibit",
        [RTN_THROW] = "throw",
    };

    return type < sizeof(word) / sizeof(word[0]) ? word[type] : NULL;
}

static const char *scope_word(const struct rt_route *r)
{
    if (r->m.rtm_family == AF_INET6)
        return "";
    return r->m.rtm_scope == RT_SCOPE_LINK   ? "link"
           : r->m.rtm_scope == RT_SCOPE_HOST ? "host"
                                             : "global";
}

bool route_words(const struct rt_route *r, struct route_words *w)
{
    size_t n;

    memset(w, 0, sizeof(*w));
    w->type = type_word(r->m.rtm_type);
    w->scope = scope_word(r);
    w->on_link = r->m.rtm_flags & RTNH_F_ONLINK;
    w->metric = r->metric;
    w->table = r->table;
    inet_ntop(r->m.rtm_family, r->dst, w->to, sizeof(w->to));
    n = strlen(w->to);
    snprintf(w->to + n, sizeof(w->to) - n, "/%u", r->m.rtm_dst_len);
    if (r->has_src)
        inet_ntop(r->m.rtm_family, r->src, w->from, sizeof(w->from));
    return w->type && attr_words(r, w) && !r->expires && !r->m.rtm_tos &&
           !r->m.rtm_src_len && r->oif <= 0;
}

/* ---- which of it goes into a file ---- */

static bool addr_in_file(const struct rt_addr *a)
{
    return a->valid == RT_FOREVER && !a->has_peer;
}

/* 'file' gets what a file can say of 'all', 'rest' the others. */
static int sort_out(const struct rt_set *all, unsigned n_addrs,
                    unsigned n_routes, struct rt_set *file, struct rt_set *rest)
{
    struct route_words w;
    int rc = 0;

    for (unsigned i = 0; i < all->n_addrs && !rc; i++)
        rc = rt_set_addr(i < n_addrs || addr_in_file(&all->addr[i]) ? file
                                                                    : rest,
                         &all->addr[i]);
    for (unsigned i = 0; i < all->n_routes && !rc; i++)
        rc = rt_set_route(
            i < n_routes || route_words(&all->route[i], &w) ? file : rest,
            &all->route[i]);
    return rc;
}

/* ---- files ---- */

static int write_file(const char *path, const char *text, mode_t mode,
                      struct err *e)
{
    char draft[PATH_MAX + 8], dir[PATH_MAX];
    size_t n = strlen(text);
    int fd, rc = 0;

    snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = 0;
    (void)mkdir(dir, 0755);
    /* their names are what makes them count: this one has none of those */
    snprintf(draft, sizeof(draft), "%s.new", path);
    unlink(draft);
    fd =
        open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "writing %s", path);
    /* networkd has a user of its own, who must be able to read it */
    if (write(fd, text, n) != (ssize_t)n || fchmod(fd, mode) < 0 ||
        rename(draft, path) < 0)
        rc = err_sys(e, errno, "writing %s", path);
    close(fd);
    if (rc)
        unlink(draft);
    return rc;
}

static char *make_text(const struct l3 *l, const struct conf_l3 *want,
                       const struct rt_set *set)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return NULL;
    fprintf(f, "# written by basculed for %s; it goes with the bridge\n",
            l->ifname);
    manager_of(l)->text(f, l, want, set);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static char *make_uplink_text(const struct l3 *l, const char *uplink)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return NULL;
    fprintf(f, "# written by basculed: %s is a port of %s\n", uplink,
            l->ifname);
    manager_of(l)->uplink_text(f, uplink);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- telling it ---- */

/* At boot it will read the files when it starts. */
static bool runs(const struct l3 *l)
{
    return owner_runs(manager_of(l)->process, l->netns);
}

static int tell(struct l3 *l, const char *text, bool activate, struct err *e)
{
    const struct manager *m = manager_of(l);
    char path[PATH_MAX];
    int rc;

    m->path(path, l->ifname, false);
    rc = files_remember(l, path, e);
    if (!rc)
        rc = write_file(path, text, m->mode, e);
    if (!rc && runs(l))
        rc = m->reload(activate ? l->ifname : NULL, e);
    return rc;
}

static void untell(struct l3 *l)
{
    const struct manager *m = manager_of(l);
    char path[PATH_MAX];
    bool there = runs(l);

    if (there)
        m->let_go(l->ifname);
    m->path(path, l->ifname, false);
    unlink(path);
    if (there)
        (void)m->reload(NULL, NULL);
}

static int change_file(struct l3 *l, char *text, bool activate, struct err *e)
{
    int rc;

    if (l->file && strcmp(l->file, text) == 0) {
        free(text);
        return 0;
    }
    rc = tell(l, text, activate, e);
    if (rc) {
        if (l->file)
            (void)tell(l, l->file, activate, NULL);
        else
            untell(l);
        free(text);
        return rc;
    }
    free(l->file);
    l->file = text;
    return 0;
}

/* ---- waiting for it ---- */

static bool has_all(const struct rt_set *have, const struct rt_set *want)
{
    for (unsigned i = 0; i < want->n_addrs; i++)
        if (!rt_has_ip(have, &want->addr[i]))
            return false;
    for (unsigned i = 0; i < want->n_routes; i++) {
        int h = rt_find_route(have, &want->route[i]);

        if (want->route[i].oif == 0 && (h < 0 || have->route[h].oif != 0))
            return false;
    }
    return true;
}

static void wait_ready(struct l3 *l, const struct rt_set *want,
                       struct l3_notes *n)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    struct rtnl *r;
    bool done = false;

    if (rtnl_open(&r, NULL))
        return;
    for (int ms = 0; ms < READY_MS && !done; ms += 20) {
        struct rt_set have;
        struct netdev d;

        if (netdev_get(l->ifname, 0, &d, NULL) ||
            rtnl_read(r, d.ifindex, 0, &have, NULL))
            break;
        done = has_all(&have, want);
        rt_set_clear(&have);
        if (!done)
            nanosleep(&pause, NULL);
    }
    rtnl_close(r);
    if (!done)
        l3_note(n, "%s: %s has not yet set all of it after %d s (see its log)",
                l->ifname, l3_owner_name(l->owner), READY_MS / 1000);
}

/* ---- uplinks ---- */

/* NetworkManager takes down what it lets go. */
static void bring_up(const char *ifname)
{
    struct netdev d;
    struct rtnl *r;

    if (netdev_get(ifname, 0, &d, NULL) || (d.flags & IFF_UP) ||
        rtnl_open(&r, NULL))
        return;
    (void)rtnl_set_up(r, d.ifindex, true, NULL);
    rtnl_close(r);
}

static int claim_uplinks(struct l3 *l, struct err *e)
{
    const struct manager *m = manager_of(l);
    bool any = false;
    int rc = 0;

    for (const struct uplink *u = l->uplinks; u && !rc; u = u->next) {
        char path[PATH_MAX];
        char *text;

        if (u->stripped || u->left)
            continue;
        any = true;
        m->path(path, u->name, true);
        text = make_uplink_text(l, u->name);
        if (!text)
            return err_sys(e, ENOMEM, "%s", path);
        rc = files_remember(l, path, e);
        if (!rc)
            rc = write_file(path, text, m->mode, e);
        free(text);
    }
    if (!rc && any && runs(l))
        rc = m->reload(NULL, e);
    for (const struct uplink *u = l->uplinks; u && any; u = u->next)
        if (!u->left)
            bring_up(u->name);
    return rc;
}

/* ---- the whole ---- */

static int do_link(struct l3 *l, const struct conf_l3 *want, bool dry,
                   struct l3_notes *n, struct err *e)
{
    struct l3_settings now;
    struct conf_l3 w = {0};
    int ifindex, rc;

    if (manager_of(l)->does_link)
        return 0;
    w.link_local6 = true; /* that is the manager's */
    if (want) {
        w.mac_set = want->mac_set;
        w.mac = want->mac;
        w.mtu = want->mtu;
    }
    rc = link_read(l->ifname, &ifindex, &now, e);
    return rc ? rc
              : link_apply(ifindex, l->ifname, &w, &now, &l->changed, dry, n,
                           e);
}

/* After an error: the manager has what it had.  'old' is its text, or NULL. */
static void back_out(struct l3 *l, char *old, bool activate)
{
    const struct manager *m = manager_of(l);

    for (const struct uplink *u = l->uplinks; u; u = u->next) {
        char path[PATH_MAX];

        m->path(path, u->name, true);
        if (!u->stripped && !u->left)
            unlink(path);
    }
    if (old) {
        (void)change_file(l, old, activate, NULL);
    } else {
        untell(l);
        free(l->file);
        l->file = NULL;
    }
    if (runs(l))
        (void)m->reload(NULL, NULL);
}

static int make_so(struct l3 *l, const struct conf_l3 *want,
                   const struct rt_set *file, const struct rt_set *rest,
                   struct l3_notes *n, struct err *e)
{
    bool activate =
        !(want && (want->activation_manual || want->activation_off));
    char *text = make_text(l, want, file);
    char *old = l->file ? strdup(l->file) : NULL;
    int rc;

    if (!text || (l->file && !old)) {
        free(text);
        free(old);
        return err_sys(e, ENOMEM, "%s", l->ifname);
    }
    rc = do_link(l, want, false, n, e);
    if (!rc)
        rc = change_file(l, text, activate, e);
    else
        free(text);
    if (rc) {
        free(old);
        return rc;
    }
    if (activate && runs(l))
        wait_ready(l, file, n);
    rc = claim_uplinks(l, e);
    if (!rc)
        rc = self_apply_set(l, rest, n, e);
    if (rc)
        back_out(l, old, activate);
    else
        free(old);
    return rc;
}

static int only_say(struct l3 *l, const struct conf_l3 *want,
                    const struct rt_set *file, struct l3_notes *n,
                    struct err *e)
{
    char path[PATH_MAX], text[RT_TEXT_MAX];
    char *t = make_text(l, want, file);

    if (!t)
        return err_sys(e, ENOMEM, "%s", l->ifname);
    manager_of(l)->path(path, l->ifname, false);
    if (!l->file || strcmp(l->file, t) != 0)
        l3_note(n, "%s: %s is told by %s: %s", l->ifname,
                l3_owner_name(l->owner), path, rt_set_text(file, text));
    free(t);
    return do_link(l, want, true, n, e);
}

int manager_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
                  struct l3_notes *n, struct err *e)
{
    struct rt_set all = {0}, file = {0}, rest = {0};
    unsigned n_addrs, n_routes;
    int rc = want ? manager_of(l)->check(want, e) : 0;

    if (!rc)
        rc = self_target(l, want, &all, &n_addrs, &n_routes, e);
    if (!rc && sort_out(&all, n_addrs, n_routes, &file, &rest))
        rc = err_sys(e, ENOMEM, "%s", l->ifname);
    if (!rc)
        rc = dry ? only_say(l, want, &file, n, e)
                 : make_so(l, want, &file, &rest, n, e);
    rt_set_clear(&all);
    rt_set_clear(&file);
    rt_set_clear(&rest);
    return rc;
}

void manager_return(struct l3 *l, struct uplink *u, struct l3_notes *n)
{
    const struct manager *m = manager_of(l);
    struct rt_set stay = {0};
    unsigned n_addrs, n_routes;
    struct l3_settings s;
    char path[PATH_MAX];
    struct err e = {""};
    int ifindex = 0;

    u->left = true;
    (void)self_target(l, l->current, &stay, &n_addrs, &n_routes, NULL);
    if (u->stripped)
        uplink_give_back(u, l->current ? &stay : NULL,
                         link_read(l->ifname, &ifindex, &s, NULL) ? 0 : ifindex,
                         n);
    else
        uplink_clear(u);
    rt_set_clear(&stay);
    m->path(path, u->name, true);
    /* It removes again what its own files for the uplink do not say. */
    if (unlink(path) == 0 && runs(l) && m->reload(NULL, &e))
        l3_note(n, "%s: %s", u->name, e.text);
    if (l->file && l->current && manager_apply(l, l->current, false, n, &e))
        l3_note(n, "%s: %s", l->ifname, e.text);
}

void manager_release(struct l3 *l, struct l3_notes *n)
{
    if (l->file)
        untell(l);
    free(l->file);
    l->file = NULL;
    files_forget(l);
    self_release(l, n);
}
