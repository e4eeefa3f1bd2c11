/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan about a port of the file: one that comes, one that stays.
 */
#include "ctl/apply/plan_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Its addresses can only go to a bridge beside it. */
static bool is_uplink(const struct maker *m, const struct want_port *wp)
{
    return spec_takes(&wp->spec) && m->wb->conf->local &&
           wp->netns == m->in->netns;
}

static int set_members(struct maker *m, const struct want_port *wp,
                       const struct member *now, struct step *s)
{
    const struct conf_port *c = wp->conf;
    char old[MAC_TEXT_MAX], new[MAC_TEXT_MAX], text[200] = "";
    size_t n = 0;

    if (c->mac_set && !mac_equal(&c->mac, &now->mac))
        n += (size_t)snprintf(text, sizeof(text), "MAC address %s → %s",
                              mac_format(&now->mac, old),
                              mac_format(&c->mac, new));
    if (c->mtu && c->mtu != now->mtu)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%sMTU %u → %u",
                              n ? ", " : "", now->mtu, c->mtu);
    if (c->wakeonlan != CONF_UNSET && c->wakeonlan != now->wakeonlan)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%swakeonlan %s",
                              n ? ", " : "", c->wakeonlan ? "on" : "off");
    s->member.has_mac = c->mac_set;
    s->member.mac = c->mac;
    s->member.mtu = c->mtu;
    s->member.wakeonlan = c->wakeonlan;
    snprintf(s->device, sizeof(s->device), "%s", wp->spec.target);
    if (n == 0)
        return 0;
    return plan_say(m->p, s, "%s: %s", wp->spec.target, text)
               ? maker_no_memory(m)
               : 0;
}

/* A device that is taken over: is it there, and what becomes of it? */
static int add_device(struct maker *m, struct want_port *wp)
{
    struct member now = {0};
    struct step *s;
    int rc = m->in->device(m->in->arg, wp->spec.netns_fd, wp->spec.target,
                           &wp->spec, &now, m->e);

    if (rc == -ENODEV && m->in->may_wait) {
        m->p->n_waiting++;
        if (plan_note(m->p, "%s: port %s waits for its interface",
                      m->wb->conf->name, wp->spec.name))
            return maker_no_memory(m);
    } else if (rc) {
        return want_wrap(m->e, rc, &wp->conf->pos);
    }
    if (is_uplink(m, wp)) {
        s = maker_add(m, STEP_UPLINK_TAKE, wp, wp->spec.name);
        if (!s)
            return maker_no_memory(m);
        snprintf(s->device, sizeof(s->device), "%s", wp->spec.target);
    }
    s = maker_add(m, STEP_MEMBER_SET, wp, wp->spec.name);
    if (!s)
        return maker_no_memory(m);
    s->member.up = true;
    return set_members(m, wp, &now, s);
}

/*
 * A tap is made down.  One that is made for the file is up, as ports that are
 * taken over are; one in a namespace that netns= names is its owner's matter.
 */
static int up_tap(struct maker *m, struct want_port *wp)
{
    struct step *s;

    if (strcmp(wp->spec.kind, "tap") != 0 || wp->spec.netns)
        return 0;
    s = maker_add(m, STEP_MEMBER_SET, wp, wp->spec.name);
    if (!s)
        return maker_no_memory(m);
    s->member.wakeonlan = CONF_UNSET;
    s->member.up = true;
    snprintf(s->device, sizeof(s->device), "%s", wp->spec.target);
    return 0;
}

/* Does the default depend on what the device turns out to be? */
static bool by_device(unsigned w)
{
    return bport_default((enum bport_param)w, true) !=
           bport_default((enum bport_param)w, false);
}

static int new_param(struct maker *m, struct want_port *wp, unsigned w)
{
    const struct conf_port *c = wp->conf;
    struct step *s;
    char text[32];

    if (!c->set[w] ||
        (!by_device(w) && c->param[w] == bport_default((enum bport_param)w, 0)))
        return 0;
    s = maker_add(m, STEP_PORT_SET, wp, wp->spec.name);
    if (!s)
        return maker_no_memory(m);
    s->param = w;
    s->value = c->param[w];
    s->old = bport_default((enum bport_param)w, false);
    return plan_say(m->p, s, "%s: port %s: %s %s", m->wb->conf->name,
                    wp->spec.name, plan_port_word(w),
                    plan_in_words(&port_param_names[w], s->value, text))
               ? maker_no_memory(m)
               : 0;
}

static bool name_is_used(const struct plan_input *in, const char *name)
{
    for (unsigned b = 0; b < in->running->n_bridges; b++)
        for (unsigned i = 0; i < in->running->bridge[b].n_ports; i++)
            if (strcmp(in->running->bridge[b].port[i].name, name) == 0)
                return true;
    for (unsigned b = 0; b < in->want->n_bridges; b++)
        for (unsigned i = 0; i < in->want->bridge[b].n_ports; i++)
            if (strcmp(in->want->bridge[b].port[i].spec.name, name) == 0)
                return true;
    return false;
}

/* As the switch would, but known before: stream0, stream1, ... */
static void make_name(struct maker *m, struct port_spec *s)
{
    char name[PORT_NAME_MAX];

    do
        snprintf(name, sizeof(name), "%.10s%u", s->kind, m->number++);
    while (name_is_used(m->in, name));
    memcpy(s->name, name, sizeof(s->name));
}

int plan_add_port(struct maker *m, struct want_port *wp)
{
    char text[SPEC_TEXT_MAX];
    struct step *s;
    int rc = bport_check(&wp->spec, m->e);

    if (rc)
        return want_wrap(m->e, rc, &wp->conf->pos);
    rc = spec_takes(&wp->spec) ? add_device(m, wp) : 0;
    if (rc)
        return rc;
    if (!wp->spec.name[0])
        make_name(m, &wp->spec);
    s = maker_add(m, STEP_PORT_ADD, wp, wp->spec.name);
    if (!s || plan_say(m->p, s, "add port %s to %s",
                       port_spec_format(&wp->spec, text, sizeof(text)),
                       m->wb->conf->name))
        return maker_no_memory(m);
    rc = up_tap(m, wp);
    for (unsigned w = 0; !rc && w < BPORT_PARAMS; w++)
        rc = new_param(m, wp, w);
    return rc;
}

/* ---- one that stays ---- */

void plan_record(const struct want_port *wp, struct port_record *r)
{
    const struct conf_port *c = wp->conf;

    memset(r, 0, sizeof(*r));
    memcpy(r->wrote, c->set, sizeof(r->wrote));
    r->has_match_mac = c->match.used && c->match.mac_set;
    if (r->has_match_mac)
        r->match_mac = c->match.mac;
    r->member.has_mac = c->mac_set;
    if (c->mac_set)
        r->member.mac = c->mac;
    r->member.mtu = c->mtu;
    r->member.wakeonlan = c->wakeonlan;
}

static int keep_param(struct maker *m, struct want_port *wp,
                      const struct run_port *rp, unsigned w)
{
    const struct conf_port *c = wp->conf;
    char what[48];
    struct step *s;
    uint32_t v;

    if (c->set[w])
        v = c->param[w];
    else if (rp->owned && rp->owned->record.wrote[w])
        v = bport_default((enum bport_param)w, rp->edge);
    else
        return 0;
    if (v == rp->param[w])
        return 0;
    s = maker_add(m, STEP_PORT_SET, wp, rp->name);
    if (!s)
        return maker_no_memory(m);
    s->param = w;
    s->old = rp->param[w];
    s->value = v;
    snprintf(what, sizeof(what), "%s: port %s", m->wb->conf->name, rp->name);
    return plan_say_change(m->p, s, what, plan_port_word(w),
                           &port_param_names[w])
               ? maker_no_memory(m)
               : 0;
}

static bool says_something(const struct member *m)
{
    return m->has_mac || m->mtu || m->wakeonlan != CONF_UNSET;
}

/* What was written of the device and is no more goes back to what it was. */
static int keep_member(struct maker *m, struct want_port *wp,
                       const struct run_port *rp,
                       const struct port_record *record)
{
    const struct owned_port *o = rp->owned;
    bool had = o && o->has_before && says_something(&o->record.member);
    struct want_port as = *wp;
    struct conf_port c = *wp->conf;
    struct member now;
    struct step *s;
    unsigned said = m->p->n_said;
    int rc;

    if (!spec_takes(&wp->spec) || (!says_something(&record->member) && !had))
        return 0;
    if (m->in->device(m->in->arg, wp->spec.netns_fd, wp->spec.target, NULL,
                      &now, NULL))
        return 0; /* it is set when the device is back */
    if (had && !c.mac_set && o->record.member.has_mac) {
        c.mac_set = true;
        c.mac = o->before.mac;
    }
    if (had && !c.mtu && o->record.member.mtu)
        c.mtu = o->before.mtu;
    if (had && c.wakeonlan == CONF_UNSET &&
        o->record.member.wakeonlan != CONF_UNSET)
        c.wakeonlan = o->before.wakeonlan;
    as.conf = &c;
    (void)port_spec_copy(&as.spec, &wp->spec);
    s = maker_add(m, STEP_MEMBER_SET, wp, rp->name);
    if (!s)
        return maker_no_memory(m);
    rc = set_members(m, &as, &now, s);
    s->idle = m->p->n_said == said;
    return rc;
}

/* By name: when this is taken back, the port may be gone. */
static int take_anew(struct maker *m, const struct owned_port *o)
{
    static const enum step_kind kind[] = {STEP_UPLINK_RETURN, STEP_UPLINK_TAKE};

    for (unsigned i = 0; i < 2; i++) {
        struct step *s = maker_add(m, kind[i], NULL, o->name);

        if (!s)
            return maker_no_memory(m);
        snprintf(s->device, sizeof(s->device), "%s", o->device);
    }
    return 0;
}

static bool same_record(const struct port_record *a,
                        const struct port_record *b)
{
    const struct member *x = &a->member, *y = &b->member;

    return memcmp(a->wrote, b->wrote, sizeof(a->wrote)) == 0 &&
           a->has_match_mac == b->has_match_mac &&
           mac_equal(&a->match_mac, &b->match_mac) &&
           x->has_mac == y->has_mac && mac_equal(&x->mac, &y->mac) &&
           x->mtu == y->mtu && x->wakeonlan == y->wakeonlan;
}

int plan_keep_port(struct maker *m, struct want_port *wp,
                   const struct run_port *rp)
{
    struct port_record r;
    int rc = 0;

    if (m->l3_anew && rp->owned && rp->owned->taken)
        rc = take_anew(m, rp->owned);
    if (rc)
        return rc;
    plan_record(wp, &r);
    if ((!rp->owned || !same_record(&rp->owned->record, &r)) &&
        !maker_add(m, STEP_PORT_OWN, wp, rp->name))
        return maker_no_memory(m);
    for (unsigned w = 0; !rc && w < BPORT_PARAMS; w++)
        rc = keep_param(m, wp, rp, w);
    return rc ? rc : keep_member(m, wp, rp, &r);
}
