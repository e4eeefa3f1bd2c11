/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan about a bridge of the file, but for its ports.
 */
#include "ctl/apply/plan_impl.h"

#include <string.h>

static int set_bridge(struct maker *m, enum step_kind kind, unsigned w,
                      uint32_t old, uint32_t value)
{
    struct step *s;

    if (old == value)
        return 0;
    s = maker_add(m, kind, NULL, NULL);
    if (!s)
        return maker_no_memory(m);
    s->param = w;
    s->old = old;
    s->value = value;
    return plan_say_change(m->p, s, m->wb->conf->name, plan_bridge_word(w),
                           &bridge_param_names[w])
               ? maker_no_memory(m)
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

int plan_add_bridge(struct maker *m)
{
    const struct conf_bridge *c = m->wb->conf;
    struct step *s = maker_add(m, STEP_BRIDGE_ADD, NULL, NULL);
    uint32_t new[BRIDGE_PARAMS];
    int rc;

    if (!s || plan_say(m->p, s, "add bridge %s", c->name))
        return maker_no_memory(m);
    if (c->local && (!maker_add(m, STEP_L3_BEGIN, NULL, NULL) ||
                     !maker_add(m, STEP_L3_APPLY, NULL, NULL)))
        return maker_no_memory(m);
    for (unsigned w = 0; w < BRIDGE_PARAMS; w++)
        new[w] = bridge_default((enum bridge_param)w);
    rc = set_params(m, new, NULL);
    for (unsigned i = 0; !rc && i < m->wb->n_ports; i++)
        rc = plan_add_port(m, &m->wb->port[i]);
    return rc;
}

/* ---- one that stays ---- */

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

    if (plan_end_l3(m, rb) || !maker_add(m, STEP_L3_BEGIN, NULL, NULL))
        return maker_no_memory(m);
    m->l3_anew = true;
    s = maker_add(m, STEP_L3_APPLY, NULL, NULL);
    if (!s || plan_say(m->p, s, "%s: renderer %s", rb->info.name,
                       renderer ? renderer : "by what runs"))
        return maker_no_memory(m);
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
        if (!maker_add(m, STEP_SETTLE, NULL, NULL))
            return maker_no_memory(m);
    } else if (!maker_add(m, STEP_L3_BEGIN, NULL, NULL)) {
        return maker_no_memory(m);
    }
    return maker_add(m, STEP_L3_APPLY, NULL, NULL) ? 0 : maker_no_memory(m);
}

int plan_keep_bridge(struct maker *m, const struct run_bridge *rb)
{
    int rc;

    if (!maker_add(m, STEP_BRIDGE_OWN, NULL, NULL))
        return maker_no_memory(m);
    if (!rb->owned &&
        plan_note(m->p, "%s was made by hand and is the file's from now on",
                  rb->info.name))
        return maker_no_memory(m);
    rc = set_params(m, rb->info.param,
                    rb->owned ? rb->owned->record.wrote : NULL);
    if (!rc)
        rc = keep_l3(m, rb);
    return rc ? rc : plan_keep_ports(m, rb);
}
