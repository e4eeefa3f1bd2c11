/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's network cards as ports of bridges.
 */
#include "ctl/guest/guest_impl.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Could this port of the card's name be the card's, kept since it was away? */
static bool is_cards(const struct bport *p, const struct guest_net *n)
{
    const struct port_spec *s = bport_spec(p);

    if (n->kind == GUEST_STREAM)
        return strcmp(s->kind, "stream") == 0;
    return strcmp(s->kind, "packet") == 0 && strcmp(s->target, n->port) == 0;
}

/* The name is free, or the port that has it is the card's, where it should be.
 */
static int check_port(const struct guest *g, const struct guest_net *n,
                      struct err *e)
{
    struct bridge *owner = bport_owner(g->all->sw, n->port);
    struct bridge_info i;

    if (!owner || (owner == bridge_find(g->all->sw, n->bridge) &&
                   is_cards(bport_find(owner, n->port), n)))
        return 0;
    bridge_info(owner, &i);
    return err_set(e, EEXIST,
                   "guest %s: bridge %s has a port %s already, which is "
                   "something else: delete it or give the guest another name",
                   g->def->name, i.name, n->port);
}

int ports_check(const struct guest *g, struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; i < g->def->n_nets && !rc; i++) {
        const struct guest_net *n = &g->def->net[i];

        if (place_port(&g->port[i]))
            continue; /* it waits for the guest, perhaps elsewhere */
        rc = bridge_find(g->all->sw, n->bridge)
                 ? check_port(g, n, e)
                 : err_set(e, ENODEV, "guest %s: there is no bridge %s",
                           g->def->name, n->bridge);
    }
    return rc;
}

/* Is the bridge of network 'i' that of an earlier one? */
static bool named_before(const struct guest_def *d, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (strcmp(d->net[k].bridge, d->net[i].bridge) == 0)
            return true;
    return false;
}

bool guest_missing_bridges(const struct guest *g, char *out, size_t n)
{
    size_t len = 0;

    *out = '\0';
    for (unsigned i = 0; i < g->def->n_nets && len < n; i++)
        if (!bridge_find(g->all->sw, g->def->net[i].bridge) &&
            !named_before(g->def, i))
            len += (size_t)snprintf(out + len, n - len, "%s%s", len ? ", " : "",
                                    g->def->net[i].bridge);
    return len > 0;
}

bool ports_left(const struct guest *g)
{
    for (unsigned i = 0; i < g->def->n_nets; i++)
        if (g->port[i].ours && place_port(&g->port[i]))
            return true;
    return false;
}

static unsigned index_of(const struct guest_port *p)
{
    return (unsigned)(p - p->g->port);
}

static const struct guest_net *net_of(const struct guest_port *p)
{
    return &p->g->def->net[index_of(p)];
}

static void one_less(struct guest *g)
{
    if (--g->pending == 0 && !g->all->ended)
        ports_done(g);
}

/* ---- coming ---- */

/* Its device goes with QEMU, and of QEMU's end we tell. */
static void hush(const struct guest_port *p)
{
    struct bport *b = place_port(p);

    if (b)
        bport_hush(b);
}

static void added(void *arg, int rc, const struct err *e)
{
    struct guest_port *p = arg;
    struct guest *g = p->g;

    p->state = NET_AWAY;
    p->ours = !rc;
    if (!rc) {
        place_set(p, net_of(p)->bridge, net_of(p)->port);
        hush(p);
    }
    snprintf(p->why, sizeof(p->why), "%.190s", rc ? e->text : "");
    if (rc && g->state == GUEST_STARTING && !g->failed) {
        g->failed = true;
        g->failure = *e;
        g->failure_rc = rc;
    } else if (rc) {
        log_warn("guest %s: port %s: %s", g->def->name, net_of(p)->port,
                 e->text);
    }
    one_less(g);
}

/*
 * In a bridge of the kernel's that is adopted the tap is a port of both halves,
 * as the other members are: whatever becomes of us, the kernel's bridge has it.
 */
static bool is_member(const struct guest_net *n, const struct bridge *b)
{
    return n->kind == GUEST_TAP && place_adopted(b);
}

static int make_spec(const struct guest_port *p, bool member,
                     struct port_spec *spec, struct err *e)
{
    const struct guest_net *n = net_of(p);
    char text[SPEC_TEXT_MAX];
    int len;

    if (n->kind == GUEST_STREAM)
        len = snprintf(text, sizeof(text), "stream:%s/%s,listen=off,name=%s",
                       p->g->dir, args_net_socket(index_of(p)), n->port);
    else
        len = snprintf(text, sizeof(text), "packet:%s%s%s", n->port,
                       member ? ",adopt=" : "", member ? n->bridge : "");
    if (len >= (int)sizeof(text))
        return err_set(e, ENAMETOOLONG, "%s: too long", p->g->dir);
    return port_spec_parse(spec, text, e);
}

int guest_card_spec(struct guests *all, const char *name,
                    struct port_spec *spec, struct err *e)
{
    struct guest *g;

    TAILQ_FOREACH(g, &all->list, link)
    {
        for (unsigned i = 0; g->pid && i < g->def->n_nets; i++) {
            const struct guest_port *p = &g->port[i];

            if (p->state == NET_AWAY && net_of(p)->kind == GUEST_STREAM &&
                strcmp(net_of(p)->port, name) == 0)
                return make_spec(p, false, spec, e);
        }
    }
    return -ENOENT;
}

/* Somebody else has added it.  What adoption has added goes with the tap. */
static void take_place(struct guest_port *p, const char *bridge,
                       const struct bport *at)
{
    const struct port_spec *s = bport_spec(at);

    place_set(p, bridge, s->name);
    p->why[0] = '\0';
    p->ours |= port_spec_get(s, "adopt") != NULL;
    if (p->ours)
        hush(p);
}

static void add(struct guest_port *p, struct bridge *b, bool member)
{
    struct port_spec spec;
    struct err e = {""};
    int rc = make_spec(p, member, &spec, &e);

    if (rc) {
        added(p, rc, &e);
        return;
    }
    bport_add(b, &spec, added, p);
    /* it is a port of the bridge while it is being opened, too */
    place_set(p, net_of(p)->bridge, net_of(p)->port);
}

static int join(void *arg, struct err *e)
{
    const struct guest_net *n = net_of(arg);

    return tap_join(n->port, n->bridge, e);
}

static void joined(void *arg, int rc, const struct err *e)
{
    struct guest_port *p = arg;
    const struct guest_net *n = net_of(p);
    struct bridge *b = bridge_find(p->g->all->sw, n->bridge);
    const struct bport *at = b ? bport_find(b, n->port) : NULL;
    struct err gone;

    if (p->g->all->ended)
        return;
    if (place_port(p)) { /* whoever follows the kernel's bridge was quicker */
        one_less(p->g);
    } else if (rc == -ENODEV && b) {
        add(p, b, false); /* the kernel's has another name by now */
    } else if (rc) {
        added(p, rc, e);
    } else if (!b) {
        rc = err_set(&gone, ENODEV, "bridge %s was deleted", n->bridge);
        added(p, rc, &gone);
    } else if (at) { /* ... before the guest had a process */
        take_place(p, n->bridge, at);
        one_less(p->g);
    } else {
        add(p, b, true);
    }
}

/* One of an earlier tap's is gone. */
static void cleared(void *arg, int rc, const struct err *e)
{
    struct guest_port *p = arg;
    struct err none;

    (void)rc; /* as a rule there was none */
    (void)e;
    if (!p->g->all->ended && sw_job(p->g->all->sw, join, joined, p) < 0)
        added(p, err_set(&none, ENOMEM, "no memory"), &none);
}

static void attach(struct guest_port *p)
{
    const struct guest_net *n = net_of(p);
    struct bridge *b = bridge_find(p->g->all->sw, n->bridge);
    const struct bport *at;
    struct err e = {""};
    int rc;

    if (!b)
        return; /* still due */
    p->due = false;
    rc = check_port(p->g, n, &e);
    at = bport_find(b, n->port);
    if (!rc && at) { /* it was kept */
        take_place(p, n->bridge, at);
        return;
    }
    p->g->pending++;
    p->state = NET_ADDING;
    if (rc)
        added(p, rc, &e);
    else if (is_member(n, b))
        bport_del(b, n->port, cleared, p);
    else
        add(p, b, false);
}

void ports_attach(struct guest *g)
{
    g->pending++; /* done is once, behind all of them */
    for (unsigned i = 0; i < g->def->n_nets; i++)
        if (g->port[i].due && g->port[i].state == NET_AWAY)
            attach(&g->port[i]);
    one_less(g);
}

/* ---- going ---- */

static void deleted(void *arg, int rc, const struct err *e)
{
    struct guest_port *p = arg;

    (void)rc; /* somebody may have been first */
    (void)e;
    p->state = NET_AWAY;
    p->ours = false;
    one_less(p->g);
}

static void detach(struct guest_port *p)
{
    struct bridge *b = bridge_find(p->g->all->sw, p->bridge);

    p->due = false;
    p->why[0] = '\0';
    if (!place_port(p) || !p->ours || !b) {
        p->state = NET_AWAY;
        p->ours = false;
        return;
    }
    p->g->pending++;
    bport_del(b, p->name, deleted, p);
}

void ports_settle(struct guest *g)
{
    g->pending++;
    one_less(g);
}

void ports_detach(struct guest *g)
{
    g->pending++;
    for (unsigned i = 0; i < g->def->n_nets; i++)
        detach(&g->port[i]);
    one_less(g);
}

/* ---- devices that go while QEMU stays ---- */

#define LOSS_WAIT 1. /* s: as long may a process take to end */

static void on_loss(struct ev_loop *loop, ev_timer *w, int revents)
{
    const struct guest *g = w->data;

    (void)loop;
    (void)revents;
    for (unsigned i = 0; i < g->def->n_nets; i++) {
        const struct guest_port *p = &g->port[i];
        const struct bport *b = p->ours ? place_port(p) : NULL;
        struct bport_info info = {.failed = false};

        if (b)
            bport_info(b, &info);
        if (info.failed)
            log_warn("guest %s runs, but its port %s failed: %s", g->def->name,
                     p->name, info.why);
    }
}

void ports_watch_losses(struct guest *g)
{
    ev_timer_init(&g->loss, on_loss, 0., 0.);
    g->loss.data = g;
}

void ports_end_losses(struct guest *g)
{
    ev_timer_stop(g->all->loop, &g->loss);
}

static void lost(struct guest *g)
{
    if (!g->pid)
        return;
    ev_timer_stop(g->all->loop, &g->loss);
    ev_timer_set(&g->loss, LOSS_WAIT, 0.);
    ev_timer_start(g->all->loop, &g->loss);
}

/* ---- what happens in the switch ---- */

static void on_attach(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct guests *all = w->data;
    struct guest *g;

    (void)loop;
    (void)revents;
    TAILQ_FOREACH(g, &all->list, link)
    {
        if (g->state == GUEST_RUNNING || g->state == GUEST_STOPPING)
            ports_attach(g);
    }
}

void ports_watch(struct guests *all)
{
    ev_timer_init(&all->attach, on_attach, 0., 0.);
    all->attach.data = all;
}

/* Somebody has added a port while a guest runs: is it one of its cards'? */
static void came(struct guest *g, const struct sw_event *e)
{
    struct bridge *b = bridge_find(g->all->sw, e->bridge);
    const struct bport *at = b ? bport_find(b, e->port) : NULL;

    for (unsigned i = 0; at && i < g->def->n_nets; i++) {
        struct guest_port *p = &g->port[i];

        if (!place_port(p) && place_is(g, i, at)) /* perhaps while we add it */
            take_place(p, e->bridge, at);
    }
}

/* What was added stays ours, should somebody add it again. */
static void follow_port(struct guest_port *p, const struct sw_event *e)
{
    if (p->state != NET_THERE || strcmp(p->bridge, e->bridge) != 0)
        return;
    if (e->type == SW_EVENT_BRIDGE_DEL ||
        (e->type == SW_EVENT_PORT_DEL && strcmp(p->name, e->port) == 0))
        p->state = NET_AWAY;
    else if (e->type == SW_EVENT_PORT_STATE && e->failed && p->ours &&
             strcmp(p->name, e->port) == 0)
        lost(p->g);
}

static void follow(struct guest *g, const struct sw_event *e)
{
    if (e->type == SW_EVENT_PORT_ADD && g->pid)
        came(g, e);
    for (unsigned i = 0; i < g->def->n_nets; i++) {
        struct guest_port *p = &g->port[i];

        if (e->type == SW_EVENT_BRIDGE_ADD) {
            if (g->pid && p->state == NET_AWAY &&
                strcmp(g->def->net[i].bridge, e->bridge) == 0)
                p->due = true;
        } else {
            follow_port(p, e);
        }
    }
}

void guests_event(struct guests *all, const struct sw_event *e)
{
    struct guest *g;

    if (!all ||
        (e->type != SW_EVENT_BRIDGE_ADD && e->type != SW_EVENT_BRIDGE_DEL &&
         e->type != SW_EVENT_PORT_ADD && e->type != SW_EVENT_PORT_DEL &&
         e->type != SW_EVENT_PORT_STATE))
        return;
    TAILQ_FOREACH(g, &all->list, link)
    {
        follow(g, e);
    }
    /* not from inside the switch's telling of it */
    if (e->type == SW_EVENT_BRIDGE_ADD)
        ev_timer_start(all->loop, &all->attach);
}
