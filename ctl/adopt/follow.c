/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping up with an adopted bridge: who is its port, with which flags and
 * parameters, and telling it the states of its ports.
 */
#include "ctl/adopt/impl.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages come in bursts: one look is for all of them. */
#define SOON 0.001

/* While the kernel's tree tells of a change, it shows another ageing time than
 * it was given, and says nothing when that is over. */
#define LATER 5.

struct bridge *adoption_bridge(const struct adoption *ad)
{
    return bridge_find(ad->a->sw, ad->name);
}

static struct bport *port_of(const struct member *m)
{
    struct bridge *b = adoption_bridge(m->ad);

    return b ? bport_find(b, m->name) : NULL;
}

/* ---- parameters ---- */

static void set_param(struct adoption *ad, enum bridge_param p, uint32_t now,
                      uint32_t then, bool all)
{
    struct bridge *b = adoption_bridge(ad);

    if (b && (all || now != then))
        bridge_set(b, p, now, NULL, NULL);
}

/* The longest that ours knows, a thousand minutes; the kernel's is longer. */
static uint32_t ageing(const struct kbridge *k)
{
    return k->ageing < 600000 ? k->ageing : 600000;
}

void follow_params(struct adoption *ad, const struct kbridge *k, bool all)
{
    const struct kbridge *o = &ad->known;

    set_param(ad, BRIDGE_AGEING, ageing(k), ageing(o), all);
    set_param(ad, BRIDGE_PRIORITY, k->priority, o->priority, all);
    set_param(ad, BRIDGE_FORWARD_DELAY, k->forward_delay, o->forward_delay,
              all);
    set_param(ad, BRIDGE_HELLO, k->hello, o->hello, all);
    set_param(ad, BRIDGE_MAX_AGE, k->max_age, o->max_age, all);
    set_param(ad, BRIDGE_FWD_MASK, k->fwd_mask, o->fwd_mask, all);
    if (!all && strcmp(k->name, o->name) != 0)
        log_info("bridge %s is called %s by the kernel now; here its name "
                 "stays, and bascule adopt %s --undo gives it back as well",
                 ad->name, k->name, k->name);
    ad->known = *k;
    ad->known.port = NULL;
    ad->known.n_ports = 0;
}

static void set_flag(struct bport *p, enum bport_param w, uint32_t now,
                     uint32_t then, bool all)
{
    if (all || now != then)
        bport_set(p, w, now, NULL, NULL);
}

static void follow_flags(struct member *m, const struct kbridge_port *k,
                         bool all)
{
    const struct kbridge_port *o = &m->known;
    struct bport *p = port_of(m);

    if (!p)
        return;
    set_flag(p, BPORT_PRIORITY, k->priority, o->priority, all);
    set_flag(p, BPORT_HAIRPIN, k->hairpin, o->hairpin, all);
    set_flag(p, BPORT_ISOLATED, k->isolated, o->isolated, all);
    set_flag(p, BPORT_LEARNING, k->learning, o->learning, all);
    set_flag(p, BPORT_FLOOD, k->flood, o->flood, all);
    set_flag(p, BPORT_FLOOD_MCAST, k->mcast_flood, o->mcast_flood, all);
    set_flag(p, BPORT_FLOOD_BCAST, k->bcast_flood, o->bcast_flood, all);
    /* At first both are by the link's speed, which we know as well; unless
     * somebody has set it, which matters to a tree only. */
    if (k->cost != o->cost || (all && m->ad->look.hold.tree))
        bport_set(p, BPORT_PATH_COST, k->cost, NULL, NULL);
    m->known = *k;
}

/* ---- members ---- */

void member_free(struct member *m)
{
    LIST_REMOVE(m, link);
    free(m);
}

/* Whoever made the device, as one that launches guests, may have added it as
 * ours already. */
static bool is_in(const struct adoption *ad, struct bridge *b, const char *name)
{
    const struct bport *p = bport_find(b, name);
    const char *adopt = p ? port_spec_get(bport_spec(p), "adopt") : NULL;

    return adopt && strcmp(adopt, ad->known.name) == 0;
}

struct member *member_add(struct adoption *ad, const struct kbridge_port *p,
                          sw_done done)
{
    struct bridge *b = adoption_bridge(ad);
    struct member *m = calloc(1, sizeof(*m));
    struct bport_heritage heritage;
    struct port_spec spec;
    char text[80];

    if (!m || !b) {
        free(m);
        return NULL;
    }
    m->ad = ad;
    m->known = *p;
    m->seen = true;
    snprintf(m->name, sizeof(m->name), "%s", p->name);
    LIST_INSERT_HEAD(&ad->members, m, link);
    if (is_in(ad, b, m->name)) {
        m->stage = MEMBER_IN;
        follow_flags(m, p, true);
        return m;
    }
    snprintf(text, sizeof(text), "packet:%s,adopt=%s", p->name, ad->known.name);
    if (port_spec_parse(&spec, text, NULL)) { /* no name for us: x,y */
        m->stage = MEMBER_REFUSED;
        return m;
    }
    spec.netns_fd = ad->netns_fd;
    ad->pending++;
    heritage = tree_heritage(ad, p);
    bport_add_heir(b, &spec, &heritage, done, m);
    follow_flags(m, p, true);
    return m;
}

void member_remove(struct member *m, sw_done done)
{
    struct bridge *b = adoption_bridge(m->ad);

    if (!b || !port_of(m)) {
        member_free(m);
        return;
    }
    m->stage = MEMBER_GOING;
    m->ad->pending++;
    bport_del(b, m->name, done, m);
}

static void on_added(void *arg, int rc, const struct err *e)
{
    struct member *m = arg;
    struct adoption *ad = m->ad;

    ad->pending--;
    if (m->stage == MEMBER_COMING)
        m->stage = rc ? MEMBER_REFUSED : MEMBER_IN;
    if (rc == -ECANCELED || rc == -ENODEV) {
        member_free(m); /* it left while it came */
    } else if (rc) {
        log_warn("bridge %s: %s stays with the kernel: %s", ad->name, m->name,
                 e->text);
    } else {
        log_info("bridge %s: %s adopted", ad->name, m->name);
    }
    follow_soon(ad);
    adoption_check(ad);
}

static void on_removed(void *arg, int rc, const struct err *e)
{
    struct member *m = arg;
    struct adoption *ad = m->ad;

    (void)rc;
    (void)e;
    ad->pending--;
    member_free(m);
    follow_soon(ad); /* it may have come back meanwhile */
    adoption_check(ad);
}

static struct member *find(struct adoption *ad, int ifindex)
{
    struct member *m;

    LIST_FOREACH(m, &ad->members, link)
    {
        if (m->known.ifindex == ifindex)
            return m;
    }
    return NULL;
}

static bool name_in_use(const struct adoption *ad, const char *name)
{
    const struct member *m;

    LIST_FOREACH(m, &ad->members, link)
    {
        if (strcmp(m->name, name) == 0)
            return true;
    }
    return false;
}

static void meet(struct adoption *ad, const struct kbridge_port *p)
{
    struct member *m = find(ad, p->ifindex);

    if (!m) {
        /* Of an earlier one of that name we look again when it is gone. */
        if (!name_in_use(ad, p->name))
            (void)member_add(ad, p, on_added);
        return;
    }
    m->seen = true;
    if (m->stage != MEMBER_IN)
        return;
    if (port_of(m)) {
        follow_flags(m, p, false);
        return;
    }
    m->stage = MEMBER_REFUSED;
    log_info("bridge %s: %s was given back to the kernel's bridge by hand",
             ad->name, m->name);
}

static void meet_all(struct adoption *ad, const struct kbridge *k)
{
    struct member *m, *next;

    LIST_FOREACH(m, &ad->members, link)
    {
        m->seen = false;
    }
    for (unsigned i = 0; i < k->n_ports; i++)
        if (k->port[i].ifindex != ad->look.tap)
            meet(ad, &k->port[i]);
    for (m = LIST_FIRST(&ad->members); m; m = next) {
        next = LIST_NEXT(m, link);
        if (!m->seen && (m->stage == MEMBER_IN || m->stage == MEMBER_REFUSED)) {
            log_info("bridge %s: %s is no longer its port", ad->name, m->name);
            member_remove(m, on_removed);
        }
    }
}

/* ---- looking ---- */

/*
 * The states that the kernel's bridge is to show.  What does not forward is
 * disabled there: with its spanning tree off it ends "blocking" at once by
 * itself, and the others when their timers say.
 */
static void wish(struct adoption *ad, enum look_what what)
{
    struct look *l = &ad->look;
    struct member *m;
    unsigned n = 0;

    LIST_FOREACH(m, &ad->members, link)
    {
        n++;
    }
    l->want = calloc(n + 1, sizeof(*l->want));
    LIST_FOREACH(m, &ad->members, link)
    {
        struct bport *p = m->stage == MEMBER_IN ? port_of(m) : NULL;
        struct bport_info i;

        if (!p || !l->want)
            continue;
        bport_info(p, &i);
        l->want[l->n_want].ifindex = m->known.ifindex;
        l->want[l->n_want++].state =
            i.state == BPORT_FORWARDING && (!ad->disable || what == LOOK_BACK)
                ? KBRIDGE_FORWARDING
                : KBRIDGE_DISABLED;
    }
}

static void follow_in(struct adoption *ad, double delay)
{
    if (ad->phase != FOLLOWING || ad->a->ending ||
        (ev_is_active(&ad->soon) &&
         ev_timer_remaining(ad->a->loop, &ad->soon) <= delay))
        return;
    ev_timer_stop(ad->a->loop, &ad->soon);
    ev_timer_set(&ad->soon, delay, 0.);
    ev_timer_start(ad->a->loop, &ad->soon);
}

static void note_stp(struct adoption *ad, const struct kbridge *k)
{
    bool program = k->stp == 2;

    if (k->stp == 1) {
        log_info("bridge %s: the kernel's spanning tree was switched on: ours "
                 "is on in its place until the bridge is the kernel's again",
                 ad->name);
        tree_take(ad);
        follow_soon(ad);
    }
    if (program && !ad->told_stp)
        log_warn("bridge %s: a program is to do the spanning tree of the "
                 "kernel's bridge (stp_state 2), which hears and sends nothing "
                 "by the ports that are adopted: switch it off (ip link set "
                 "dev %s type bridge stp_state 0)",
                 ad->name, k->name);
    ad->told_stp = program;
}

static void on_looked(void *arg, int rc, const struct err *e)
{
    struct look *l = arg;
    struct adoption *ad = l->ad;

    bool follows = ad->phase == FOLLOWING && !ad->a->ending;
    bool lost = rc == -ENODEV || rc == -EINVAL;

    ad->looking = false;
    if (follows && rc && !lost)
        log_warn("bridge %s: %s", ad->name, e->text);
    if (follows && l->text[0])
        log_warn("bridge %s: %s", ad->name, l->text);
    if (follows && !rc) {
        note_stp(ad, &l->k);
        follow_params(ad, &l->k, false);
        meet_all(ad, &l->k);
        if (l->k.change)
            follow_in(ad, LATER);
    }
    look_reset(l);
    if (ad->again)
        follow_soon(ad);
    if (follows && lost)
        adoption_lost(ad, rc, e->text);
    else
        adoption_check(ad);
}

int adoption_look(struct adoption *ad, enum look_what what, sw_done done)
{
    look_reset(&ad->look);
    wish(ad, what);
    ad->look.what = what;
    ad->looking = true;
    if (sw_job(ad->a->sw, look_work, done, &ad->look) == 0)
        return 0;
    ad->looking = false;
    look_reset(&ad->look);
    return -ENOMEM;
}

static void look_again(struct adoption *ad)
{
    if (ad->phase != FOLLOWING || ad->a->ending || !adoption_bridge(ad))
        return; /* by delbr it is about to be given back */
    ad->again = ad->looking;
    if (!ad->looking && adoption_look(ad, LOOK_AGAIN, on_looked))
        follow_soon(ad);
}

static void on_soon(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    look_again(t->data);
}

void follow_soon(struct adoption *ad)
{
    follow_in(ad, SOON);
}

static void on_heard(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    if (look_heard(w->data))
        follow_soon(w->data);
}

void follow_start(struct adoption *ad)
{
    ad->phase = FOLLOWING;
    ev_timer_init(&ad->soon, on_soon, SOON, 0.);
    ev_io_init(&ad->heard, on_heard, ad->look.nl_fd, EV_READ);
    ad->soon.data = ad->heard.data = ad;
    ev_io_start(ad->a->loop, &ad->heard);
    follow_soon(ad);
}

void follow_stop(struct adoption *ad)
{
    ev_timer_stop(ad->a->loop, &ad->soon);
    ev_io_stop(ad->a->loop, &ad->heard);
    if (ad->look.nl_fd >= 0)
        close(ad->look.nl_fd);
    ad->look.nl_fd = -1;
}
