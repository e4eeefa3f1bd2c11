/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/plan.h"
#include "ctl/apply/plan_guests.h"

#include "ctl/config/param_names.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- plans ---- */

struct step *plan_add(struct plan *p, enum step_kind kind, const char *bridge,
                      const char *port)
{
    struct step *s;

    if (p->n == p->room) {
        unsigned room = p->room ? p->room * 2 : 32;

        s = realloc(p->step, room * sizeof(*s));
        if (!s)
            return NULL;
        p->step = s;
        p->room = room;
    }
    s = &p->step[p->n++];
    *s = (struct step){.kind = kind};
    snprintf(s->bridge, sizeof(s->bridge), "%s", bridge);
    snprintf(s->port, sizeof(s->port), "%s", port ? port : "");
    return s;
}

int plan_say(struct plan *p, struct step *s, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s->text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        s->text = NULL;
        return -ENOMEM;
    }
    p->n_said++;
    return 0;
}

int plan_note(struct plan *p, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    if (p->n_notes == p->notes_room) {
        unsigned room = p->notes_room ? p->notes_room * 2 : 8;
        char **note = realloc(p->note, room * sizeof(*note));

        if (!note)
            return -ENOMEM;
        p->note = note;
        p->notes_room = room;
    }
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -ENOMEM;
    p->note[p->n_notes++] = text;
    return 0;
}

/* By kind, and within one as they were added. */
void plan_sort(struct plan *p)
{
    unsigned at[STEP_KINDS + 1] = {0};
    struct step *sorted = p->n ? malloc(p->n * sizeof(*sorted)) : NULL;

    if (!sorted) { /* slower, needs nothing */
        for (unsigned i = 1; i < p->n; i++) {
            struct step s = p->step[i];
            unsigned k = i;

            for (; k > 0 && p->step[k - 1].kind > s.kind; k--)
                p->step[k] = p->step[k - 1];
            p->step[k] = s;
        }
        return;
    }
    for (unsigned i = 0; i < p->n; i++)
        at[p->step[i].kind + 1]++;
    for (unsigned k = 0; k < STEP_KINDS; k++)
        at[k + 1] += at[k];
    for (unsigned i = 0; i < p->n; i++)
        sorted[at[p->step[i].kind]++] = p->step[i];
    free(p->step);
    p->step = sorted;
    p->room = p->n;
}

void plan_free(struct plan *p)
{
    for (unsigned i = 0; i < p->n; i++)
        free(p->step[i].text);
    for (unsigned i = 0; i < p->n_notes; i++)
        free(p->note[i]);
    free(p->step);
    free(p->note);
    memset(p, 0, sizeof(*p));
}

/* ---- parameters in words ---- */

/* Names that netplan has for the same are said in its words. */
static const char *bridge_word(unsigned w)
{
    static const char *const word[BRIDGE_PARAMS] = {
        [BRIDGE_AGEING] = "ageing-time",
        [BRIDGE_HELLO] = "hello-time",
    };

    return word[w] ? word[w] : bridge_param_names[w].name;
}

static const char *port_word(unsigned w)
{
    return w == BPORT_PRIORITY ? "port-priority" : port_param_names[w].name;
}

static const char *time_words(uint32_t cs, char out[32])
{
    if (cs % 100)
        snprintf(out, 32, cs % 10 ? "%u.%02u" : "%u.%u", cs / 100,
                 cs % 10 ? cs % 100 : cs % 100 / 10);
    else
        snprintf(out, 32, "%u", cs / 100);
    return out;
}

static const char *in_words(const struct param_name *p, uint32_t v,
                            char out[32])
{
    if (p->unit == UNIT_CENTISECONDS)
        return time_words(v, out);
    if (p->unit == UNIT_SWITCH)
        snprintf(out, 32, "%s", v ? "on" : "off");
    else if (p->unit == UNIT_MASK)
        snprintf(out, 32, "0x%x", v);
    else if (p->unit == UNIT_WORD)
        snprintf(out, 32, "%s", param_word(p, v));
    else if (p == &port_param_names[BPORT_PATH_COST] && v == 0)
        snprintf(out, 32, "automatic");
    else
        snprintf(out, 32, "%u", v);
    return out;
}

/* "WHAT: NAME 300 → 60 s" */
static int say_change(struct plan *p, struct step *s, const char *what,
                      const char *name, const struct param_name *param)
{
    char old[32], new[32];

    return plan_say(p, s, "%s: %s %s → %s%s", what, name,
                    in_words(param, s->old, old),
                    in_words(param, s->value, new),
                    param->unit == UNIT_CENTISECONDS ? " s" : "");
}

/* ---- making one ---- */

struct maker {
    struct plan *p;
    const struct plan_input *in;
    struct want_bridge *wb;
    struct err *e;
    unsigned number; /* of the last name made up */
    bool l3_anew;    /* the bridge's layer 3 ends and begins again */
};

static int no_memory(struct maker *m)
{
    return err_set(m->e, ENOMEM, "no memory to compare the configuration");
}

/* A step about the file's bridge; NULL: out of memory. */
static struct step *add(struct maker *m, enum step_kind kind,
                        struct want_port *wp, const char *port)
{
    struct step *s = plan_add(m->p, kind, m->wb->conf->name, port);

    if (!s)
        return NULL;
    s->wb = m->wb;
    s->wp = wp;
    return s;
}

/* Its addresses can only go to a bridge beside it. */
static bool is_uplink(const struct maker *m, const struct want_port *wp)
{
    return spec_takes(&wp->spec) && m->wb->conf->local &&
           wp->netns == m->in->netns;
}

/* ---- what leaves ---- */

static int give_back(struct plan *p, enum step_kind kind, const char *bridge,
                     struct owned_port *o)
{
    struct step *s = plan_add(p, kind, bridge, o->name);

    if (!s)
        return -ENOMEM;
    s->owned_port = o;
    snprintf(s->device, sizeof(s->device), "%s", o->device);
    return 0;
}

int plan_give_back(struct plan *p, const char *bridge, struct owned_port *o)
{
    int rc = 0;

    if (o->has_before)
        rc = give_back(p, STEP_MEMBER_BACK, bridge, o);
    if (!rc && o->taken)
        rc = give_back(p, STEP_UPLINK_RETURN, bridge, o);
    return rc;
}

static int remove_port(struct maker *m, const struct run_bridge *rb,
                       const struct run_port *rp)
{
    struct owned_port *o = rp->owned;
    struct step *s = plan_add(m->p, STEP_PORT_DEL, rb->info.name, rp->name);

    if (!s ||
        plan_say(m->p, s, "remove port %s from %s", rp->name, rb->info.name))
        return no_memory(m);
    return plan_give_back(m->p, rb->info.name, o) ? no_memory(m) : 0;
}

/* A guest that leaves takes its port along. */
static bool goes_with_guest(const struct maker *m, const struct run_bridge *rb,
                            const struct run_port *rp)
{
    const struct run_guest *g =
        running_guest_of(m->in->running, rb->info.name, rp->name);

    return g && g->leaves;
}

static const struct run_port *first_by_hand(const struct maker *m,
                                            const struct run_bridge *rb)
{
    for (unsigned i = 0; i < rb->n_ports; i++)
        if (!rb->port[i].owned && !goes_with_guest(m, rb, &rb->port[i]))
            return &rb->port[i];
    return NULL;
}

static int end_l3(struct maker *m, const struct run_bridge *rb)
{
    if (!rb->owned->l3)
        return 0;
    return plan_add(m->p, STEP_SETTLE, rb->info.name, NULL) &&
                   plan_add(m->p, STEP_L3_END, rb->info.name, NULL)
               ? 0
               : no_memory(m);
}

static int remove_bridge(struct maker *m, const struct run_bridge *rb)
{
    const struct run_port *hand = first_by_hand(m, rb);
    const char *name = rb->info.name;
    struct step *s;
    int rc = end_l3(m, rb);

    for (unsigned i = 0; !rc && i < rb->n_ports; i++)
        if (rb->port[i].owned)
            rc = remove_port(m, rb, &rb->port[i]);
    if (rc)
        return rc;
    s = plan_add(m->p, hand ? STEP_DISOWN : STEP_BRIDGE_DEL, name, NULL);
    if (!s)
        return no_memory(m);
    s->force = true;
    if (hand)
        rc = plan_say(m->p, s, "%s is the configuration's no more", name);
    else
        rc = plan_say(m->p, s, "remove bridge %s", name);
    if (!rc && hand)
        rc = plan_note(m->p,
                       "%s stays: its port %s was added by hand (bascule delbr "
                       "%s --force removes both)",
                       name, hand->name, name);
    return rc ? no_memory(m) : 0;
}

/* ---- what comes ---- */

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
    return plan_say(m->p, s, "%s: %s", wp->spec.target, text) ? no_memory(m)
                                                              : 0;
}

/* A device that is taken over: is it there, and what becomes of it? */
static int add_device(struct maker *m, struct want_port *wp)
{
    struct member now = {0};
    struct step *s;
    int rc = m->in->device(m->in->arg, wp->spec.netns_fd, wp->spec.target, &now,
                           m->e);

    if (rc == -ENODEV && m->in->may_wait) {
        m->p->n_waiting++;
        if (plan_note(m->p, "%s: port %s waits for its interface",
                      m->wb->conf->name, wp->spec.name))
            return no_memory(m);
    } else if (rc) {
        return want_wrap(m->e, rc, &wp->conf->pos);
    }
    if (is_uplink(m, wp)) {
        s = add(m, STEP_UPLINK_TAKE, wp, wp->spec.name);
        if (!s)
            return no_memory(m);
        snprintf(s->device, sizeof(s->device), "%s", wp->spec.target);
    }
    s = add(m, STEP_MEMBER_SET, wp, wp->spec.name);
    if (!s)
        return no_memory(m);
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
    s = add(m, STEP_MEMBER_SET, wp, wp->spec.name);
    if (!s)
        return no_memory(m);
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
    s = add(m, STEP_PORT_SET, wp, wp->spec.name);
    if (!s)
        return no_memory(m);
    s->param = w;
    s->value = c->param[w];
    s->old = bport_default((enum bport_param)w, false);
    return plan_say(m->p, s, "%s: port %s: %s %s", m->wb->conf->name,
                    wp->spec.name, port_word(w),
                    in_words(&port_param_names[w], s->value, text))
               ? no_memory(m)
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

static int add_port(struct maker *m, struct want_port *wp)
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
    s = add(m, STEP_PORT_ADD, wp, wp->spec.name);
    if (!s || plan_say(m->p, s, "add port %s to %s",
                       port_spec_format(&wp->spec, text, sizeof(text)),
                       m->wb->conf->name))
        return no_memory(m);
    rc = up_tap(m, wp);
    for (unsigned w = 0; !rc && w < BPORT_PARAMS; w++)
        rc = new_param(m, wp, w);
    return rc;
}

static int set_bridge(struct maker *m, enum step_kind kind, unsigned w,
                      uint32_t old, uint32_t value)
{
    struct step *s;

    if (old == value)
        return 0;
    s = add(m, kind, NULL, NULL);
    if (!s)
        return no_memory(m);
    s->param = w;
    s->old = old;
    s->value = value;
    return say_change(m->p, s, m->wb->conf->name, bridge_word(w),
                      &bridge_param_names[w])
               ? no_memory(m)
               : 0;
}

/* Switched on, the spanning tree would take the nearer bound by itself; as a
 * step of its own this is said, and taken back. */
static uint32_t delay_with_stp(uint32_t cs)
{
    if (cs < 200)
        return 200;
    return cs > 3000 ? 3000 : cs;
}

/* When a parameter is to be set: see enum step_kind. */
static enum step_kind kind_of(unsigned w, uint32_t v)
{
    if (w == BRIDGE_STP)
        return v ? STEP_STP_ON : STEP_STP_OFF;
    return w == BRIDGE_LONG_COST && !v ? STEP_SHORT_COST : STEP_BRIDGE_SET;
}

/* From 'now' to what is written; 'wrote': what was, and goes back if it is no
 * more.  NULL: nothing. */
static int set_params(struct maker *m, const uint32_t *now, const bool *wrote)
{
    const struct conf_bridge *c = m->wb->conf;
    bool on = c->param[BRIDGE_STP];
    int rc = 0;

    for (unsigned w = 0; !rc && w < BRIDGE_PARAMS; w++) {
        uint32_t v = now[w];

        if (c->set[w])
            v = c->param[w];
        else if (wrote && wrote[w])
            v = bridge_default((enum bridge_param)w);
        if (w == BRIDGE_FORWARD_DELAY && on)
            v = delay_with_stp(v);
        rc = set_bridge(m, kind_of(w, v), w, now[w], v);
    }
    return rc;
}

static int add_bridge(struct maker *m)
{
    const struct conf_bridge *c = m->wb->conf;
    struct step *s = add(m, STEP_BRIDGE_ADD, NULL, NULL);
    uint32_t new[BRIDGE_PARAMS];
    int rc;

    if (!s || plan_say(m->p, s, "add bridge %s", c->name))
        return no_memory(m);
    if (c->local && (!add(m, STEP_L3_BEGIN, NULL, NULL) ||
                     !add(m, STEP_L3_APPLY, NULL, NULL)))
        return no_memory(m);
    for (unsigned w = 0; w < BRIDGE_PARAMS; w++)
        new[w] = bridge_default((enum bridge_param)w);
    rc = set_params(m, new, NULL);
    for (unsigned i = 0; !rc && i < m->wb->n_ports; i++)
        rc = add_port(m, &m->wb->port[i]);
    return rc;
}

/* ---- what stays ---- */

static void record_of(const struct want_port *wp, struct port_record *r)
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

void plan_record(const struct want_port *wp, struct port_record *r)
{
    record_of(wp, r);
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
    s = add(m, STEP_PORT_SET, wp, rp->name);
    if (!s)
        return no_memory(m);
    s->param = w;
    s->old = rp->param[w];
    s->value = v;
    snprintf(what, sizeof(what), "%s: port %s", m->wb->conf->name, rp->name);
    return say_change(m->p, s, what, port_word(w), &port_param_names[w])
               ? no_memory(m)
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
    if (m->in->device(m->in->arg, wp->spec.netns_fd, wp->spec.target, &now,
                      NULL))
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
    s = add(m, STEP_MEMBER_SET, wp, rp->name);
    if (!s)
        return no_memory(m);
    rc = set_members(m, &as, &now, s);
    s->idle = m->p->n_said == said;
    return rc;
}

/* By name: when this is taken back, the port may be gone. */
static int take_anew(struct maker *m, const struct owned_port *o)
{
    static const enum step_kind kind[] = {STEP_UPLINK_RETURN, STEP_UPLINK_TAKE};

    for (unsigned i = 0; i < 2; i++) {
        struct step *s = add(m, kind[i], NULL, o->name);

        if (!s)
            return no_memory(m);
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

static int keep_port(struct maker *m, struct want_port *wp,
                     const struct run_port *rp)
{
    struct port_record r;
    int rc = 0;

    if (m->l3_anew && rp->owned && rp->owned->taken)
        rc = take_anew(m, rp->owned);
    if (rc)
        return rc;
    record_of(wp, &r);
    if ((!rp->owned || !same_record(&rp->owned->record, &r)) &&
        !add(m, STEP_PORT_OWN, wp, rp->name))
        return no_memory(m);
    for (unsigned w = 0; !rc && w < BPORT_PARAMS; w++)
        rc = keep_param(m, wp, rp, w);
    return rc ? rc : keep_member(m, wp, rp, &r);
}

/* The ports that run, in order of kind and target. */
struct entry {
    struct run_port *port;
    bool used; /* the file names it */
};

struct index {
    struct entry *e;
    unsigned n;
};

static int compare_specs(const struct port_spec *x, const struct port_spec *y)
{
    int c = strcmp(x->kind, y->kind);

    return c ? c : strcmp(x->target, y->target);
}

static int by_spec(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return compare_specs(&x->port->spec, &y->port->spec);
}

static bool fits(const struct want_port *wp, const struct run_port *rp)
{
    return (!rp->netns || rp->netns == wp->netns) &&
           (!wp->spec.name[0] || strcmp(wp->spec.name, rp->name) == 0) &&
           spec_equal(&wp->spec, &rp->spec);
}

/* The first of those with its kind and target. */
static unsigned lower_bound(const struct index *x, const struct port_spec *key)
{
    unsigned lo = 0, hi = x->n;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (compare_specs(&x->e[mid].port->spec, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct run_port *take_same(struct index *x, const struct want_port *wp)
{
    for (unsigned i = lower_bound(x, &wp->spec); i < x->n; i++) {
        struct entry *e = &x->e[i];

        if (compare_specs(&e->port->spec, &wp->spec) != 0)
            break;
        if (e->used || !fits(wp, e->port))
            continue;
        e->used = true;
        return e->port;
    }
    return NULL;
}

static int index_make(struct index *x, const struct run_bridge *rb)
{
    x->n = rb->n_ports;
    x->e = calloc(x->n + 1, sizeof(*x->e));
    if (!x->e)
        return -ENOMEM;
    for (unsigned i = 0; i < x->n; i++)
        x->e[i].port = &rb->port[i];
    qsort(x->e, x->n, sizeof(*x->e), by_spec);
    return 0;
}

/* Those that are in the bridge and not in the file. */
static int others(struct maker *m, const struct run_bridge *rb,
                  const struct index *x)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < x->n; i++) {
        const struct run_port *rp = x->e[i].port;

        if (x->e[i].used)
            continue;
        if (rp->owned)
            rc = remove_port(m, rb, rp);
        else if (!running_guest_of(m->in->running, rb->info.name, rp->name) &&
                 plan_note(m->p, "%s: port %s was added by hand and stays",
                           rb->info.name, rp->name))
            rc = no_memory(m);
    }
    return rc;
}

static int keep_ports(struct maker *m, const struct run_bridge *rb)
{
    struct index x = {0};
    int rc = index_make(&x, rb) ? no_memory(m) : 0;

    for (unsigned i = 0; !rc && i < m->wb->n_ports; i++) {
        struct want_port *wp = &m->wb->port[i];
        struct run_port *rp = take_same(&x, wp);

        rc = rp ? keep_port(m, wp, rp) : add_port(m, wp);
    }
    if (!rc)
        rc = others(m, rb, &x);
    free(x.e);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

const char *plan_renderer(const struct want *w, const struct want_bridge *wb)
{
    return wb->conf->renderer ? wb->conf->renderer : w->conf->renderer;
}

/* Somebody else shall manage its addresses: all is given back and over. */
static int change_renderer(struct maker *m, const struct run_bridge *rb,
                           const char *renderer)
{
    struct step *s;

    if (end_l3(m, rb) || !add(m, STEP_L3_BEGIN, NULL, NULL))
        return no_memory(m);
    m->l3_anew = true;
    s = add(m, STEP_L3_APPLY, NULL, NULL);
    if (!s || plan_say(m->p, s, "%s: renderer %s", rb->info.name,
                       renderer ? renderer : "by what runs"))
        return no_memory(m);
    return 0;
}

static int keep_l3(struct maker *m, const struct run_bridge *rb)
{
    const char *renderer = plan_renderer(m->in->want, m->wb);

    m->l3_anew = false;
    if (!m->wb->conf->local)
        return 0;
    if (rb->owned && rb->owned->l3 &&
        !same_text(rb->owned->record.renderer, renderer))
        return change_renderer(m, rb, renderer);
    if (rb->owned && rb->owned->l3) {
        if (!add(m, STEP_SETTLE, NULL, NULL))
            return no_memory(m);
    } else if (!add(m, STEP_L3_BEGIN, NULL, NULL)) {
        return no_memory(m);
    }
    return add(m, STEP_L3_APPLY, NULL, NULL) ? 0 : no_memory(m);
}

static int keep_bridge(struct maker *m, const struct run_bridge *rb)
{
    int rc;

    if (!add(m, STEP_BRIDGE_OWN, NULL, NULL))
        return no_memory(m);
    if (!rb->owned &&
        plan_note(m->p, "%s was made by hand and is the file's from now on",
                  rb->info.name))
        return no_memory(m);
    rc = set_params(m, rb->info.param,
                    rb->owned ? rb->owned->record.wrote : NULL);
    if (!rc)
        rc = keep_l3(m, rb);
    return rc ? rc : keep_ports(m, rb);
}

/* With an interface or without: a bridge is made so. */
static int remake_bridge(struct maker *m, const struct run_bridge *rb)
{
    const struct run_port *hand = first_by_hand(m, rb);
    const char *name = rb->info.name;
    int rc;

    if (!rb->owned || hand)
        return want_fail(m->e, EEXIST, &m->wb->conf->pos,
                         "%s is there %s an interface of its own, and %s%s was "
                         "made by hand: delete it first (brctl delbr %s)",
                         name, rb->info.local ? "with" : "without",
                         hand ? "its port " : "it", hand ? hand->name : "",
                         name);
    rc = remove_bridge(m, rb);
    return rc ? rc : add_bridge(m);
}

static int want_one(struct maker *m)
{
    const struct conf_bridge *c = m->wb->conf;
    const struct run_bridge *rb = running_find(m->in->running, c->name);

    if (!rb)
        return add_bridge(m);
    if (rb->info.netns != m->in->netns)
        return want_fail(m->e, EEXIST, &c->pos,
                         "there is a bridge %s already, in another network "
                         "namespace",
                         c->name);
    if (rb->info.device[0])
        return want_fail(m->e, EEXIST, &c->pos,
                         "%s is a bridge of the kernel's that was adopted: "
                         "whoever made it there configures it (to give it "
                         "back: bascule adopt %s --undo)",
                         c->name, c->name);
    return rb->info.local == c->local ? keep_bridge(m, rb)
                                      : remake_bridge(m, rb);
}

/* A bridge that the file does not name. */
static int unwanted(struct maker *m, const struct run_bridge *rb)
{
    if (rb->owned && rb->owned->netns == m->in->netns)
        return remove_bridge(m, rb);
    if (rb->owned || rb->info.netns != m->in->netns)
        return 0;
    if (rb->info.device[0])
        return 0; /* not of our making */
    return plan_note(m->p, "%s was made by hand and stays", rb->info.name)
               ? no_memory(m)
               : 0;
}

int plan_make(struct plan *p, const struct plan_input *in, struct err *e)
{
    struct maker m = {.p = p, .in = in, .e = e};
    int rc = 0;

    memset(p, 0, sizeof(*p));
    if (!in->no_guests)
        rc = plan_guests(p, in, e);
    for (unsigned i = 0; !rc && i < in->running->n_bridges; i++)
        if (!want_find(in->want, in->running->bridge[i].info.name))
            rc = unwanted(&m, &in->running->bridge[i]);
    for (unsigned i = 0; !rc && i < in->want->n_bridges; i++) {
        m.wb = &in->want->bridge[i];
        rc = want_one(&m);
    }
    if (rc)
        plan_free(p);
    else
        plan_sort(p);
    return rc;
}
