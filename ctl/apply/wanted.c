/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/wanted.h"

#include "ctl/adopt/adopt.h"
#include "ctl/apply/running.h"
#include "ports/netdev.h"
#include "ports/netns.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int want_wrap(struct err *e, int code, const struct conf_pos *pos)
{
    if (!pos || !pos->file)
        return code > 0 ? -code : code;
    return err_wrap(e, code, "%s:%u:%u", pos->file, pos->line, pos->column);
}

int want_fail(struct err *e, int code, const struct conf_pos *pos,
              const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(e, code, "%s", text);
    return want_wrap(e, code, pos);
}

/* ---- which device? ---- */

/* How a device has the address that is looked for: a VLAN or a bond on top of
 * the one that was made with it has it, too. */
enum fit { FIT_NOT, FIT_NOW, FIT_MADE };

struct search {
    const struct conf *conf;
    const struct conf_port *port;
    const struct want_where *where;
    char found[16][IFNAMSIZ];
    unsigned n; /* may be more than are kept */
    enum fit best;
};

/* Bridges, ours and the kernel's, are no members of bridges. */
static bool may_be_member(const struct search *s, const struct netdev *d)
{
    const struct run_bridge *rb;

    if (d->flags & IFF_LOOPBACK || strcmp(d->kind, "bridge") == 0)
        return false;
    for (unsigned i = 0; i < s->conf->n_bridges; i++)
        if (strcmp(s->conf->bridge[i].name, d->name) == 0)
            return false;
    rb = running_find(s->where->running, d->name);
    return !rb || rb->info.netns != s->where->netns;
}

/* The MAC as made or as it is; or the one it had before we set another. */
static enum fit mac_fits(const struct search *s, const struct netdev *d)
{
    const struct mac *want = &s->port->match.mac;
    const struct owned_bridge *b;
    struct owned_port *p;
    struct mac made;

    if (netdev_permanent_mac(d->name, &made) && mac_equal(&made, want))
        return FIT_MADE;
    LIST_FOREACH(b, s->where->owned, link)
    {
        p = owned_port_find(b, d->name);
        if (p && p->record.has_match_mac && p->netns == s->where->netns &&
            mac_equal(&p->record.match_mac, want))
            return FIT_MADE;
    }
    return mac_equal(&d->mac, want) ? FIT_NOW : FIT_NOT;
}

static bool driver_fits(const struct conf_port *p, const char *device)
{
    char driver[32];

    if (p->match.n_drivers == 0)
        return true;
    netdev_driver(device, driver);
    for (unsigned i = 0; i < p->match.n_drivers; i++)
        if (fnmatch(p->match.driver[i], driver, 0) == 0)
            return true;
    return false;
}

static void look_at(void *arg, const struct netdev *d)
{
    struct search *s = arg;
    const struct conf_port *p = s->port;
    enum fit fit;

    if (!may_be_member(s, d) ||
        (p->match.name && fnmatch(p->match.name, d->name, 0) != 0) ||
        !driver_fits(p, d->name))
        return;
    fit = p->match.mac_set ? mac_fits(s, d) : FIT_MADE;
    if (fit == FIT_NOT || fit < s->best)
        return;
    if (fit > s->best)
        s->n = 0;
    s->best = fit;
    if (s->n < sizeof(s->found) / sizeof(s->found[0]))
        memcpy(s->found[s->n], d->name, IFNAMSIZ);
    s->n++;
}

static void list_found(const struct search *s, char *out, size_t n)
{
    unsigned kept = sizeof(s->found) / sizeof(s->found[0]);

    out[0] = '\0';
    for (unsigned i = 0; i < s->n && i < kept; i++)
        snprintf(out + strlen(out), n - strlen(out), "%s%s", i ? ", " : "",
                 s->found[i]);
    if (s->n > kept)
        snprintf(out + strlen(out), n - strlen(out), ", ...");
}

static int search(struct search *s, struct err *e)
{
    struct netns_scope scope;
    int rc = netns_enter(&scope, s->where->netns_fd, e);

    if (rc)
        return want_wrap(e, rc, &s->port->pos);
    rc = netdev_each(look_at, s, e);
    netns_leave(&scope);
    return rc ? want_wrap(e, rc, &s->port->pos) : 0;
}

/*
 * A device by name pattern or driver may be several, and all of them become
 * ports, as with netplan; an address names one.
 */
static int found_fit(const struct search *s, struct err *e)
{
    const struct conf_port *p = s->port;
    unsigned kept = sizeof(s->found) / sizeof(s->found[0]);
    char list[160];

    if (s->n == 0)
        return want_fail(e, ENODEV, &p->pos,
                         "%s: no interface here matches it (see: ip link)",
                         p->id);
    list_found(s, list, sizeof(list));
    if (s->n > 1 && p->match.mac_set)
        return want_fail(e, EEXIST, &p->pos,
                         "%s: several interfaces have this address: %s; add "
                         "`name:` to its `match:`",
                         p->id, list);
    if (s->n > 1 && p->mac_set)
        return want_fail(e, EEXIST, &p->pos,
                         "%s: several interfaces match it (%s), which cannot "
                         "all have one macaddress",
                         p->id, list);
    if (s->n > kept)
        return want_fail(e, E2BIG, &p->pos,
                         "%s: %u interfaces match it, at most %u can be meant "
                         "by one `match:`",
                         p->id, s->n, kept);
    return 0;
}

/* ---- what is missing ---- */

static int add_missing(struct want *w, const struct conf_pos *pos,
                       struct err *e)
{
    struct want_missing *m = &w->missing;
    const void **at = realloc(m->at, (m->n + 1) * sizeof(*at));

    if (!at)
        return want_fail(e, ENOMEM, pos, "no memory");
    m->at = at;
    m->at[m->n++] = pos;
    return 0;
}

bool want_is_missing(const struct want_missing *m, const struct conf_pos *pos)
{
    for (unsigned i = 0; i < m->n; i++)
        if (m->at[i] == pos)
            return true;
    return false;
}

bool want_found_more(const struct want_missing *now,
                     const struct want_missing *before)
{
    for (unsigned i = 0; i < before->n; i++)
        if (!want_is_missing(now, before->at[i]))
            return true;
    return false;
}

void want_missing_free(struct want_missing *m)
{
    free(m->at);
    *m = (struct want_missing){0};
}

int want_missing_copy(struct want_missing *to, const struct want_missing *from)
{
    want_missing_free(to);
    to->at = malloc((from->n + 1) * sizeof(*to->at));
    if (!to->at)
        return -ENOMEM;
    for (unsigned i = 0; i < from->n; i++)
        to->at[to->n++] = from->at[i];
    return 0;
}

/* ---- ports ---- */

static struct want_port *new_port(struct want_bridge *wb)
{
    if (wb->n_ports == wb->room) {
        unsigned room = wb->room ? wb->room * 2 : wb->conf->n_ports + 1;
        struct want_port *p = calloc(room, sizeof(*p));

        if (!p)
            return NULL;
        for (unsigned i = 0; i < wb->n_ports; i++) {
            p[i] = wb->port[i];
            (void)port_spec_copy(&p[i].spec, &wb->port[i].spec);
        }
        free(wb->port);
        wb->port = p;
        wb->room = room;
    }
    return &wb->port[wb->n_ports++];
}

static int find_netns(struct want_port *wp, const struct want_where *where,
                      struct err *e)
{
    wp->spec.netns_fd = where->netns_fd;
    wp->netns = where->netns;
    if (!wp->spec.netns)
        return 0;
    for (unsigned i = 0; i < where->n_named; i++) {
        if (strcmp(where->named[i].text, wp->spec.netns) == 0) {
            wp->spec.netns_fd = where->named[i].fd;
            wp->netns = where->named[i].id;
            return 0;
        }
    }
    return want_fail(e, EINVAL, &wp->conf->pos,
                     "netns=%s: the client must open the namespace and pass it",
                     wp->spec.netns);
}

/* A path that is not absolute would mean another file to everybody. */
static int find_file(struct want_port *wp, const struct want_where *where,
                     struct err *e)
{
    const struct conf_pos *pos = &wp->conf->pos;

    if (!port_spec_has_file(&wp->spec))
        return 0;
    if (wp->spec.target[0] != '/')
        return want_fail(e, EINVAL, pos, "%s: a path must be absolute here",
                         wp->spec.target);
    wp->spec.may_open = where->may_open;
    for (unsigned i = 0; i < where->n_files; i++) {
        if (strcmp(where->file[i].path, wp->spec.target) == 0) {
            wp->spec.file_fd = where->file[i].fd;
            return 0;
        }
    }
    if (where->may_open || where->dry_run)
        return 0;
    return want_fail(e, EINVAL, pos,
                     "%s: the client must open the file and pass it",
                     wp->spec.target);
}

static int add_port(struct want_bridge *wb, const struct conf_port *cp,
                    const struct want_where *where, const char *device,
                    struct err *e)
{
    struct want_port *wp = new_port(wb);
    struct port_spec spec;
    int rc;

    if (!wp)
        return want_fail(e, ENOMEM, &cp->pos, "no memory");
    wp->conf = cp;
    rc = port_spec_copy(&spec, &cp->spec);
    if (device)
        spec.target = device;
    if (device && (!spec.name[0] || cp->match.used))
        snprintf(spec.name, sizeof(spec.name), "%s", device);
    if (!rc)
        rc = port_spec_copy(&wp->spec, &spec);
    if (rc)
        return want_fail(e, rc, &cp->pos, "the specification is too long");
    rc = where->may_name ? 0 : spec_names_none(&spec, e);
    if (rc)
        return want_wrap(e, rc, &cp->pos);
    rc = find_netns(wp, where, e);
    return rc ? rc : find_file(wp, where, e);
}

static int add_matches(struct want *w, struct want_bridge *wb,
                       const struct conf_port *cp,
                       const struct want_where *where, struct err *e)
{
    struct search s = {.conf = w->conf, .port = cp, .where = where};
    int rc = search(&s, e);

    if (!rc && s.n == 0 && where->may_wait)
        return add_missing(w, &cp->pos, e);
    if (!rc)
        rc = found_fit(&s, e);
    for (unsigned i = 0; !rc && i < s.n; i++)
        rc = add_port(wb, cp, where, s.found[i], e);
    return rc;
}

static int add_ports(struct want *w, struct want_bridge *wb,
                     const struct want_where *where, struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < wb->conf->n_ports; i++) {
        const struct conf_port *cp = &wb->conf->port[i];

        rc = cp->match.used ? add_matches(w, wb, cp, where, e)
                            : add_port(wb, cp, where, NULL, e);
    }
    return rc;
}

/* ---- bridges to adopt ---- */

static bool is_adopted(const struct want_where *where, const char *name)
{
    const struct run_bridge *rb = running_find(where->running, name);

    return rb && rb->info.device[0] && rb->info.netns == where->netns;
}

static int find_bridge(struct want *w, struct want_bridge *wb,
                       const struct want_where *where, struct err *e)
{
    const struct conf_bridge *c = wb->conf;
    int rc;

    if (!c->adopt || is_adopted(where, c->name))
        return 0;
    rc = adopt_try(c->name, where->netns_fd, e);
    if (rc != -ENODEV ||
        !(where->may_wait ||
          running_awaits(where->running, c->name, where->netns)))
        return want_wrap(e, rc, &c->pos);
    wb->absent = true;
    return add_missing(w, &c->pos, e);
}

/* ---- what is found twice ---- */

static int same_device(const struct want_port *a, const struct want_port *b,
                       struct err *e)
{
    const char *x = spec_takes(&a->spec), *y = spec_takes(&b->spec);

    if (a == b || !x || !y || a->netns != b->netns || strcmp(x, y) != 0)
        return 0;
    return want_fail(e, EEXIST, &a->conf->pos,
                     "%s matches %s, which is a port already, in %s:%u:%u",
                     a->conf->id, x, b->conf->pos.file, b->conf->pos.line,
                     b->conf->pos.column);
}

/* A device that is found may also stand elsewhere; what is not found, the file
 * names, and that has been looked at. */
static int check_found(const struct want *w, const struct want_port *wp,
                       struct err *e)
{
    int rc = 0;

    if (!wp->conf->match.used)
        return 0;
    for (unsigned b = 0; !rc && b < w->n_bridges; b++)
        for (unsigned i = 0; !rc && i < w->bridge[b].n_ports; i++)
            rc = same_device(wp, &w->bridge[b].port[i], e);
    return rc;
}

static int check_all_found(const struct want *w, struct err *e)
{
    int rc = 0;

    for (unsigned b = 0; !rc && b < w->n_bridges; b++)
        for (unsigned i = 0; !rc && i < w->bridge[b].n_ports; i++)
            rc = check_found(w, &w->bridge[b].port[i], e);
    return rc;
}

int want_make(struct want **out, const struct conf *c,
              const struct want_where *where, struct err *e)
{
    struct want *w = calloc(1, sizeof(*w));
    int rc = 0;

    *out = NULL;
    if (w)
        w->bridge = calloc(c->n_bridges + 1, sizeof(*w->bridge));
    if (!w || !w->bridge) {
        free(w);
        return err_set(e, ENOMEM, "no memory for the configuration");
    }
    w->conf = c;
    for (unsigned i = 0; !rc && i < c->n_bridges; i++) {
        struct want_bridge *wb = &w->bridge[w->n_bridges++];

        wb->conf = &c->bridge[i];
        rc = find_bridge(w, wb, where, e);
        if (!rc)
            rc = add_ports(w, wb, where, e);
    }
    if (!rc)
        rc = check_all_found(w, e);
    if (rc) {
        want_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void want_free(struct want *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->n_bridges; i++)
        free(w->bridge[i].port);
    free(w->bridge);
    want_missing_free(&w->missing);
    free(w);
}

struct want_bridge *want_find(const struct want *w, const char *name)
{
    for (unsigned i = 0; i < w->n_bridges; i++)
        if (strcmp(w->bridge[i].conf->name, name) == 0)
            return &w->bridge[i];
    return NULL;
}
