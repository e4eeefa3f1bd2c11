/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See l3.h: who does it, and the order of things.
 */
#include "ctl/l3/l3.h"

#include "ctl/config/load.h"
#include "ctl/config/pool.h"
#include "ctl/l3/child.h"
#include "ctl/l3/impl.h"
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void l3_note(struct l3_notes *n, const char *fmt, ...)
{
    size_t room;
    va_list ap;
    int len;

    if (!n)
        return;
    room = sizeof(n->text) - n->len;
    va_start(ap, fmt);
    len = vsnprintf(n->text + n->len, room, fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len + 2 > room) {
        n->text[n->len] = 0; /* no halves */
        n->more++;
        return;
    }
    n->len += (size_t)len;
    n->text[n->len++] = '\n';
    n->text[n->len] = 0;
}

/* ---- the memory ---- */

static int copy_config(struct l3 *l, const struct l3_config *c)
{
    memcpy(l->ifname, c->ifname, strnlen(c->ifname, IFNAMSIZ - 1));
    l->netns_fd = -1;
    if (c->netns_fd >= 0) {
        l->netns_fd = fcntl(c->netns_fd, F_DUPFD_CLOEXEC, 3);
        if (l->netns_fd < 0)
            return -errno;
    }
    l->netns = netns_inode(l->netns_fd);
    l->renderer = c->renderer ? strdup(c->renderer) : NULL;
    l->state_dir = strdup(c->state_dir ? c->state_dir : "/run/bascule");
    if (!l->state_dir || (c->renderer && !l->renderer))
        return -ENOMEM;
    l->owner = c->owner;
    l->owner_known = c->owner_set;
    return 0;
}

struct l3 *l3_new(const struct l3_config *c)
{
    struct l3 *l = calloc(1, sizeof(*l));

    if (l && copy_config(l, c)) {
        l3_free(l);
        return NULL;
    }
    return l;
}

static void forget_current(struct l3 *l)
{
    if (l->memory)
        conf_free(l->memory);
    l->memory = NULL;
    l->current = NULL;
}

void l3_free(struct l3 *l)
{
    if (!l)
        return;
    forget_current(l);
    while (l->uplinks) {
        struct uplink *u = l->uplinks;

        l->uplinks = u->next;
        uplink_clear(u);
        free(u);
    }
    dhcp_release(l);
    free(l->dns);
    free(l->file);
    rt_set_clear(&l->applied);
    if (l->netns_fd >= 0)
        close(l->netns_fd);
    free(l->renderer);
    free(l->state_dir);
    free(l);
}

/* ---- a copy of what was asked for ---- */

static void *copy_array(struct conf *c, const void *from, size_t n)
{
    void *p = conf_alloc(c, n ? n : 1);

    if (p && n)
        memcpy(p, from, n);
    return p;
}

static bool copy_texts(struct conf *c, struct conf_l3 *to)
{
    const char **search = conf_alloc(c, (to->n_search + 1) * sizeof(*search));
    bool ok = search != NULL;

    for (unsigned i = 0; ok && i < to->n_search; i++) {
        search[i] = conf_text(c, to->search[i]);
        ok = search[i] != NULL;
    }
    to->search = search;
    if (ok && to->dhcp_identifier)
        ok = (to->dhcp_identifier = conf_text(c, to->dhcp_identifier)) != NULL;
    if (ok && to->over4.hostname)
        ok = (to->over4.hostname = conf_text(c, to->over4.hostname)) != NULL;
    if (ok && to->over6.hostname)
        ok = (to->over6.hostname = conf_text(c, to->over6.hostname)) != NULL;
    return ok;
}

struct conf_l3 *l3_copy(struct conf *c, const struct conf_l3 *from)
{
    struct conf_l3 *to = copy_array(c, from, sizeof(*from));

    if (!to)
        return NULL;
    to->addr = copy_array(c, from->addr, from->n_addrs * sizeof(*to->addr));
    to->route = copy_array(c, from->route, from->n_routes * sizeof(*to->route));
    to->dns = copy_array(c, from->dns, from->n_dns * sizeof(*to->dns));
    if (!to->addr || !to->route || !to->dns || !copy_texts(c, to))
        return NULL;
    /* Places belong to the text, which will be gone. */
    for (unsigned i = 0; i < to->n_addrs; i++)
        to->addr[i].pos = (struct conf_pos){"", 0, 0};
    for (unsigned i = 0; i < to->n_dns; i++)
        to->dns[i].pos = (struct conf_pos){"", 0, 0};
    for (unsigned i = 0; i < to->n_routes; i++)
        to->route[i].pos = to->route[i].to.pos = to->route[i].via.pos =
            to->route[i].from.pos = (struct conf_pos){"", 0, 0};
    to->over4.pos.file = to->over6.pos.file = "";
    return to;
}

const struct conf_l3 *l3_current(struct l3 *l)
{
    return l->current;
}

/* ---- who ---- */

const char *l3_owner_name(enum l3_owner o)
{
    static const char *const name[] = {
        [L3_SELF] = "bascule",
        [L3_NETWORKD] = "networkd",
        [L3_NM] = "NetworkManager",
        [L3_NONE] = "none",
    };

    return name[o];
}

enum l3_owner l3_owner(struct l3 *l)
{
    if (!l->owner_known) {
        l->owner = owner_find(l->renderer, l->netns);
        l->owner_known = true;
    }
    return l->owner;
}

int l3_check(struct l3 *l, struct err *e)
{
    struct netns_scope scope;
    struct netdev d;
    int rc = netns_enter(&scope, l->netns_fd, e);

    if (rc)
        return rc;
    rc = netdev_get(l->ifname, 0, &d, NULL);
    netns_leave(&scope);
    if (rc == 0 && strcmp(d.kind, "bridge") == 0)
        return err_set(e, EEXIST,
                       "%s is a bridge of the kernel: take it over (adopt: "
                       "yes), or take it out of what makes it (netplan, "
                       "/etc/network/interfaces, "
                       "NetworkManager) and remove it: ip link delete dev %s",
                       l->ifname, l->ifname);
    return l3_owner(l) == L3_NETWORKD ? networkd_netdev(l->ifname, e) : 0;
}

/* ---- uplinks ---- */

static bool is_managed(struct l3 *l)
{
    enum l3_owner o = l3_owner(l);

    return o == L3_NETWORKD || o == L3_NM;
}

static struct uplink *find_uplink(struct l3 *l, const char *name)
{
    for (struct uplink *u = l->uplinks; u; u = u->next)
        if (strcmp(u->name, name) == 0 && !u->left)
            return u;
    return NULL;
}

/* If we are killed, somebody has to give back what the files tell, and at
 * once: a host that is reached over the network cannot be helped otherwise. */
static int watch_us(const char *state_dir, struct err *e)
{
    static struct child *watch; /* one for all bridges; ends with us */
    static pid_t whose;
    char dir[PATH_MAX + 20];
    const char *const env[] = {"BASCULE_L3=recover", dir, NULL};
    int rc;

    if (watch && whose == getpid())
        return 0;
    snprintf(dir, sizeof(dir), "BASCULE_STATE=%s", state_dir);
    rc = child_watch_us(&watch, env, e);
    whose = getpid();
    return rc;
}

/* The uplink has all that it ever had. */
static bool has_all(const struct uplink *u)
{
    return !u->moved.n_addrs && !u->moved.n_routes && !u->stay.n_addrs &&
           !u->stay.n_routes;
}

static int take(struct l3 *l, struct uplink *u, const char *name,
                struct l3_notes *n, struct err *e)
{
    int rc = uplink_read(u, name, n, e);

    if (!rc && !has_all(u)) /* else there is nothing to give back */
        rc = store_write(l->state_dir, l->ifname, l->netns, u, e);
    return rc;
}

int l3_take_uplink(struct l3 *l, const char *uplink, struct l3_notes *n,
                   struct err *e)
{
    struct netns_scope scope;
    struct uplink *u;
    int rc;

    if (l3_owner(l) == L3_NONE || find_uplink(l, uplink))
        return 0;
    u = calloc(1, sizeof(*u));
    if (!u)
        return err_sys(e, ENOMEM, "%s", uplink);
    /* in our own namespace: a process in another would keep that alive */
    rc = watch_us(l->state_dir, e);
    if (!rc)
        rc = netns_enter(&scope, l->netns_fd, e);
    if (!rc) {
        rc = take(l, u, uplink, n, e);
        netns_leave(&scope);
    }
    if (rc) {
        uplink_clear(u);
        free(u);
        return rc;
    }
    u->next = l->uplinks;
    l->uplinks = u;
    return 0;
}

void l3_plan_uplink(struct l3 *l, const char *uplink, struct l3_notes *n)
{
    char text[RT_TEXT_MAX];
    struct netns_scope scope;
    struct uplink u;

    if (l3_owner(l) == L3_NONE || find_uplink(l, uplink) ||
        netns_enter(&scope, l->netns_fd, NULL))
        return;
    if (uplink_read(&u, uplink, n, NULL) == 0) {
        if (u.moved.n_addrs || u.moved.n_routes)
            l3_note(n, "%s would move from %s to %s",
                    rt_set_text(&u.moved, text), u.name, l->ifname);
        uplink_clear(&u);
    }
    netns_leave(&scope);
}

static void forget_uplink(struct l3 *l, struct uplink *u)
{
    struct uplink **p = &l->uplinks;

    while (*p && *p != u)
        p = &(*p)->next;
    if (*p)
        *p = u->next;
    store_remove(l->state_dir, l->netns, u->name);
    uplink_clear(u);
    free(u);
}

void l3_return_uplink(struct l3 *l, const char *uplink, struct l3_notes *n)
{
    struct uplink *u = find_uplink(l, uplink);
    struct netns_scope scope;
    struct err e = {""};

    if (!u)
        return;
    if (netns_enter(&scope, l->netns_fd, &e)) {
        l3_note(n, "%s: %s", uplink, e.text);
        return;
    }
    if (is_managed(l))
        manager_return(l, u, n);
    else
        self_return(l, u, n);
    netns_leave(&scope);
    if (has_all(u))
        forget_uplink(l, u);
    else
        (void)store_write(l->state_dir, l->ifname, l->netns, u, NULL);
}

/* ---- applying ---- */

static int remember(struct l3 *l, const struct conf_l3 *want, struct err *e)
{
    struct conf *c = want ? conf_new() : NULL;
    struct conf_l3 *copy = c ? l3_copy(c, want) : NULL;

    if (want && !copy) {
        if (c)
            conf_free(c);
        return err_sys(e, ENOMEM, "%s", l->ifname);
    }
    forget_current(l);
    l->memory = c;
    l->current = copy;
    return 0;
}

static int apply_managed(struct l3 *l, const struct conf_l3 *want, bool dry,
                         struct l3_notes *n, struct err *e)
{
    int rc = manager_apply(l, want, dry, n, e);

    return rc || dry ? rc : remember(l, want, e);
}

static int apply_here(struct l3 *l, const struct conf_l3 *want, bool dry,
                      struct l3_notes *n, struct err *e)
{
    const struct dhcp *had4 = l->dhcp4, *had6 = l->dhcp6;
    int rc = want ? dhcp_check(want, e) : 0;

    if (!rc)
        rc = self_apply(l, want, dry, n, e);
    if (rc)
        return rc;
    /* A client asks for the address that self_apply has just left alone. */
    rc = dhcp_apply(l, want, dry, n, e);
    /* One that has ended may have taken more with it than its own. */
    if (!rc && !dry &&
        ((had4 && had4 != l->dhcp4) || (had6 && had6 != l->dhcp6)))
        rc = self_apply(l, want, false, n, e);
    if (rc && !dry)
        (void)self_apply(l, l->current, false, n, NULL);
    if (rc)
        return rc;
    dns_apply(l, want, dry, n);
    return dry ? 0 : remember(l, want, e);
}

static int apply(struct l3 *l, const struct conf_l3 *want, bool dry,
                 struct l3_notes *n, struct err *e)
{
    struct netns_scope scope;
    int rc;

    if (l3_owner(l) == L3_NONE)
        return dry ? 0 : remember(l, want, e);
    rc = netns_enter(&scope, l->netns_fd, e);
    if (rc)
        return rc;
    rc = is_managed(l) ? apply_managed(l, want, dry, n, e)
                       : apply_here(l, want, dry, n, e);
    netns_leave(&scope);
    return rc;
}

int l3_apply(struct l3 *l, const struct conf_l3 *want, struct l3_notes *n,
             struct err *e)
{
    return apply(l, want, false, n, e);
}

int l3_plan(struct l3 *l, const struct conf_l3 *want, struct l3_notes *n,
            struct err *e)
{
    return apply(l, want, true, n, e);
}

void l3_release(struct l3 *l, struct l3_notes *n)
{
    struct netns_scope scope;
    struct err e = {""};

    if (netns_enter(&scope, l->netns_fd, &e)) {
        l3_note(n, "%s: %s", l->ifname, e.text);
        return;
    }
    dhcp_release(l);
    dns_release(l);
    forget_current(l);
    for (struct uplink *u = l->uplinks; u; u = u->next)
        if (!u->left && is_managed(l))
            manager_return(l, u, n);
        else if (!u->left)
            self_return(l, u, n);
    if (is_managed(l))
        manager_release(l, n);
    else if (l3_owner(l) == L3_SELF)
        self_release(l, n);
    while (l->uplinks) {
        uplink_give_back(l->uplinks, NULL, 0, n); /* what was kept */
        forget_uplink(l, l->uplinks);
    }
    netns_leave(&scope);
}
