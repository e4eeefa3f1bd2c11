/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on bridges.
 */
#include "ctl/apply/step_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct saved_bridge {
    struct bridge_config config;
    uint32_t param[BRIDGE_PARAMS];
};

void step_record_bridge(struct step *s, struct owned_bridge *b)
{
    struct op *op = s->op;

    memcpy(b->record.wrote, s->wb->conf->set, sizeof(b->record.wrote));
    b->record.conf = conf_hold_get(op->hold);
    b->record.want = &s->wb->conf->l3;
    b->record.renderer = plan_renderer(op->want, s->wb);
    b->local = s->wb->conf->local;
    b->adopt = s->wb->conf->adopt;
}

void step_forget_bridge(struct step *s)
{
    struct owned_bridge *b = step_owned_bridge(s);

    if (!b)
        return;
    LIST_REMOVE(b, link);
    owned_bridge_free(b);
}

void step_bridge_came(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct op *op = s->op;
    struct owned_bridge *b;

    if (rc) {
        step_done(s, rc, e);
        return;
    }
    step_forget_bridge(s); /* an earlier one, whose bridge is gone */
    b = owned_bridge_new(s->bridge, op->netns, op->req->netns_fd);
    if (!b) {
        s->done = true;
        step_no_memory(s);
        return;
    }
    step_record_bridge(s, b);
    LIST_INSERT_HEAD(&op->a->owned, b, link);
    s->was_owned = true;
    step_done(s, 0, e);
}

static void add_bridge(struct step *s)
{
    struct bridge_config c = {.local = s->wb->conf->local,
                              .netns_fd = s->op->req->netns_fd};

    memcpy(c.name, s->bridge, sizeof(c.name));
    bridge_add(s->op->a->sw, &c, step_bridge_came, s);
}

static void bridge_went(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;

    if (!rc)
        step_forget_bridge(s);
    step_done(s, rc == -ENXIO ? 0 : rc, e);
}

static void bridge_add_back(struct step *s)
{
    if (s->was_owned && !step_owned_bridge(s)) {
        step_done_at_once(s); /* it went, and another one was made by hand */
        return;
    }
    bridge_del(s->op->a->sw, s->bridge, true, bridge_went, s);
}

static void bridge_left(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = rc ? NULL : step_owned_bridge(s);

    if (b) {
        LIST_REMOVE(b, link);
        s->owned_bridge = b;
    }
    step_done(s, rc, e);
}

static void del_bridge(struct step *s)
{
    struct bridge *b = step_bridge(s);
    const struct owned_bridge *o = step_owned_bridge(s);
    struct saved_bridge *sb = calloc(1, sizeof(*sb));
    struct bridge_info i;

    if (!b || !o || !sb) {
        free(sb);
        if (b && o)
            step_no_memory(s);
        else
            step_gone(s);
        return;
    }
    bridge_info(b, &i);
    memcpy(sb->param, i.param, sizeof(sb->param));
    memcpy(sb->config.name, s->bridge, sizeof(sb->config.name));
    sb->config.local = i.local;
    sb->config.netns_fd = o->netns_fd; /* lives as long as it does */
    s->saved_bridge = sb;
    bridge_del(s->op->a->sw, s->bridge, s->force, bridge_left, s);
}

/* The spanning tree last: it begins with the other parameters. */
static void give_params(struct bridge *b, const struct saved_bridge *sb)
{
    for (unsigned w = 0; w < BRIDGE_PARAMS; w++)
        if (w != BRIDGE_STP &&
            sb->param[w] != bridge_default((enum bridge_param)w))
            bridge_set(b, (enum bridge_param)w, sb->param[w], NULL, NULL);
    if (sb->param[BRIDGE_STP])
        bridge_set(b, BRIDGE_STP, 1, NULL, NULL);
}

static void bridge_came_back(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    const struct saved_bridge *sb = s->saved_bridge;
    struct bridge *b = rc ? NULL : step_bridge(s);

    if (b && s->owned_bridge) {
        LIST_INSERT_HEAD(&s->op->a->owned, s->owned_bridge, link);
        s->owned_bridge = NULL;
    }
    if (b)
        give_params(b, sb);
    step_done(s, rc, e);
}

static void bridge_del_back(struct step *s)
{
    bridge_add(s->op->a->sw, &s->saved_bridge->config, bridge_came_back, s);
}

static void disown(struct step *s)
{
    struct err none = {""};

    bridge_left(s, 0, &none);
}

static void disown_back(struct step *s)
{
    if (s->owned_bridge && step_bridge(s)) {
        LIST_INSERT_HEAD(&s->op->a->owned, s->owned_bridge, link);
        s->owned_bridge = NULL;
    }
    step_done_at_once(s);
}

static void bridge_own(struct step *s)
{
    struct op *op = s->op;
    struct owned_bridge *b = step_owned_bridge(s);

    s->was_owned = b != NULL;
    if (!b) {
        b = owned_bridge_new(s->bridge, op->netns, op->req->netns_fd);
        if (!b) {
            step_no_memory(s);
            return;
        }
        LIST_INSERT_HEAD(&op->a->owned, b, link);
    }
    s->bridge_record = b->record; /* with its hold */
    step_record_bridge(s, b);
    step_done_at_once(s);
}

static void bridge_own_back(struct step *s)
{
    struct owned_bridge *b = step_owned_bridge(s);

    if (b && s->was_owned) {
        conf_hold_put(b->record.conf);
        b->record = s->bridge_record;
        memset(&s->bridge_record, 0, sizeof(s->bridge_record));
    } else if (b) {
        LIST_REMOVE(b, link);
        owned_bridge_free(b);
    }
    step_done_at_once(s);
}

static void set_bridge(struct step *s, uint32_t v)
{
    struct bridge *b = step_bridge(s);

    if (b)
        bridge_set(b, (enum bridge_param)s->param, v, step_done, s);
    else
        step_gone(s);
}

static void bridge_set_value(struct step *s)
{
    set_bridge(s, s->value);
}

static void bridge_set_old(struct step *s)
{
    if (step_owned_bridge(s))
        set_bridge(s, s->old);
    else
        step_done_at_once(s);
}

const struct step_kind_ops step_bridge_add = {.go = add_bridge,
                                              .back = bridge_add_back};
const struct step_kind_ops step_bridge_del = {.go = del_bridge,
                                              .back = bridge_del_back};
const struct step_kind_ops step_disown = {.go = disown, .back = disown_back};
const struct step_kind_ops step_bridge_own = {.go = bridge_own,
                                              .back = bridge_own_back};
const struct step_kind_ops step_bridge_set = {.go = bridge_set_value,
                                              .back = bridge_set_old};
