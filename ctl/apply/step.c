/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each kind of step does, and how it is taken back.  A step finds its
 * bridge and port by name each time: between doing and taking back somebody
 * may have removed them by hand.
 */
#include "ctl/apply/op.h"
#include "ctl/config/load.h"
#include "ctl/apply/member.h"
#include "ctl/apply/step_guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct saved_port {
    struct port_spec spec; /* its descriptors are owned */
    uint32_t param[BPORT_PARAMS];
    bool edge;
};

struct saved_bridge {
    struct bridge_config config;
    uint32_t param[BRIDGE_PARAMS];
};

static const struct err no_words = {""};

/* ---- finding ---- */

static struct bridge *bridge_of(const struct step *s)
{
    return bridge_find(s->op->a->sw, s->bridge);
}

static struct bport *port_of(const struct step *s)
{
    struct bridge *b = bridge_of(s);

    return b ? bport_find(b, s->port) : NULL;
}

static struct owned_bridge *owned_bridge_of(const struct step *s)
{
    return owned_find(&s->op->a->owned, s->bridge);
}

static struct owned_port *owned_port_of(const struct step *s)
{
    struct owned_bridge *b = owned_bridge_of(s);

    return b ? owned_port_find(b, s->port) : NULL;
}

static void done_at_once(struct step *s)
{
    step_done(s, 0, &no_words);
}

static void out_of_memory(struct step *s)
{
    step_done(s, -ENOMEM, &no_words);
}

static void gone(struct step *s)
{
    struct err e;

    step_done(s,
              err_set(&e, ENOENT, "%s%s%s was deleted meanwhile",
                      s->port[0] ? s->port : s->bridge,
                      s->port[0] ? " of " : "", s->port[0] ? s->bridge : ""),
              &e);
}

/* ---- ports ---- */

static struct saved_port *save_port(const struct bport *p)
{
    struct saved_port *sp = calloc(1, sizeof(*sp));
    struct bport_info i;

    if (!sp)
        return NULL;
    (void)port_spec_copy(&sp->spec, bport_spec(p));
    sp->spec.netns_fd = bport_netns(p);
    sp->spec.file_fd = bport_file(p);
    sp->spec.again = true;
    bport_info(p, &i);
    memcpy(sp->param, i.param, sizeof(sp->param));
    if (i.cost_auto)
        sp->param[BPORT_PATH_COST] = 0;
    sp->edge = i.edge;
    return sp;
}

static void free_saved_port(struct saved_port *sp)
{
    if (sp && sp->spec.netns_fd >= 0)
        close(sp->spec.netns_fd);
    if (sp && sp->spec.file_fd >= 0)
        close(sp->spec.file_fd);
    free(sp);
}

static void port_left(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_port *o = rc ? NULL : owned_port_of(s);

    if (o) {
        LIST_REMOVE(o, link);
        s->owned_port = o;
    }
    step_done(s, rc, e);
}

static void port_del(struct step *s)
{
    struct bport *p = port_of(s);

    if (!p) {
        gone(s);
        return;
    }
    s->saved_port = save_port(p);
    if (!s->saved_port)
        out_of_memory(s);
    else
        bport_del(bridge_of(s), s->port, port_left, s);
}

static void port_came_back(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = owned_bridge_of(s);
    const struct saved_port *sp = s->saved_port;
    struct bport *p = rc ? NULL : port_of(s);

    if (!rc && b && s->owned_port) {
        owned_port_add(b, s->owned_port);
        s->owned_port = NULL;
    }
    for (unsigned w = 0; p && w < BPORT_PARAMS; w++)
        if (sp->param[w] != bport_default((enum bport_param)w, sp->edge))
            bport_set(p, (enum bport_param)w, sp->param[w], NULL, NULL);
    step_done(s, rc, e);
}

/* Whatever has become of its device, the port is back. */
static void port_del_back(struct step *s)
{
    struct bridge *b = bridge_of(s);

    if (b)
        bport_add_absent(b, &s->saved_port->spec, port_came_back, s);
    else
        gone(s);
}

static void port_came(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = owned_bridge_of(s);
    struct bport *p = rc ? NULL : port_of(s);
    const char *device = spec_takes(&s->wp->spec);
    struct owned_port *o;
    struct bport_info i;

    if (rc || !b || !p) {
        step_done(s, rc, e);
        return;
    }
    o = owned_port_new(s->port, s->wp->netns,
                       device ? s->wp->spec.netns_fd : -1);
    if (!o) {
        s->done = true; /* there it is: to be taken back */
        out_of_memory(s);
        return;
    }
    bport_info(p, &i);
    plan_record(s->wp, &o->record);
    snprintf(o->device, sizeof(o->device), "%s", device ? device : "");
    snprintf(o->id, sizeof(o->id), "%s", s->wp->conf->id);
    o->taken = s->wp->taken;
    o->waits = i.failed;
    owned_port_add(b, o);
    s->was_owned = true;
    step_done(s, 0, e);
}

static void port_add(struct step *s)
{
    struct bridge *b = bridge_of(s);

    if (!b)
        gone(s);
    else if (s->op->req->may_wait)
        bport_add_absent(b, &s->wp->spec, port_came, s);
    else
        bport_add(b, &s->wp->spec, port_came, s);
}

static void port_went(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_port *o = owned_port_of(s);

    if (o) {
        LIST_REMOVE(o, link);
        owned_port_free(o);
    }
    step_done(s, rc, e);
}

/* One of that name that is not ours any more was made by hand since. */
static void port_add_back(struct step *s)
{
    if (port_of(s) && (owned_port_of(s) || !s->was_owned))
        bport_del(bridge_of(s), s->port, port_went, s);
    else
        port_went(s, 0, &no_words);
}

static void port_own(struct step *s)
{
    struct owned_bridge *b = owned_bridge_of(s);
    struct owned_port *o = owned_port_of(s);
    const char *device = spec_takes(&s->wp->spec);

    s->was_owned = o != NULL;
    if (!o && b) {
        o = owned_port_new(s->port, s->wp->netns,
                           device ? s->wp->spec.netns_fd : -1);
        if (o)
            owned_port_add(b, o);
    }
    if (!o) {
        out_of_memory(s);
        return;
    }
    memcpy(&s->port_record, &o->record, sizeof(o->record));
    plan_record(s->wp, &o->record);
    snprintf(o->device, sizeof(o->device), "%s", device ? device : "");
    snprintf(o->id, sizeof(o->id), "%s", s->wp->conf->id);
    done_at_once(s);
}

static void port_own_back(struct step *s)
{
    struct owned_port *o = owned_port_of(s);

    if (o && s->was_owned) {
        memcpy(&o->record, &s->port_record, sizeof(o->record));
    } else if (o) {
        LIST_REMOVE(o, link);
        owned_port_free(o);
    }
    done_at_once(s);
}

static void set_port(struct step *s, uint32_t v)
{
    struct bport *p = port_of(s);

    if (p)
        bport_set(p, (enum bport_param)s->param, v, step_done, s);
    else
        gone(s);
}

static void port_set(struct step *s)
{
    set_port(s, s->value);
}

static void port_set_back(struct step *s)
{
    if (owned_port_of(s))
        set_port(s, s->old);
    else
        done_at_once(s);
}

/* ---- bridges ---- */

static void record_bridge(struct step *s, struct owned_bridge *b)
{
    struct op *op = s->op;

    memcpy(b->record.wrote, s->wb->conf->set, sizeof(b->record.wrote));
    b->record.conf = conf_hold_get(op->hold);
    b->record.want = &s->wb->conf->l3;
    b->record.renderer = plan_renderer(op->want, s->wb);
    b->local = s->wb->conf->local;
}

static void bridge_came(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct op *op = s->op;
    struct owned_bridge *b;

    if (rc) {
        step_done(s, rc, e);
        return;
    }
    b = owned_bridge_new(s->bridge, op->netns, op->req->netns_fd);
    if (!b) {
        s->done = true;
        out_of_memory(s);
        return;
    }
    record_bridge(s, b);
    LIST_INSERT_HEAD(&op->a->owned, b, link);
    s->was_owned = true;
    step_done(s, 0, e);
}

static void bridge_add_step(struct step *s)
{
    struct bridge_config c = {.local = s->wb->conf->local,
                              .netns_fd = s->op->req->netns_fd};

    memcpy(c.name, s->bridge, sizeof(c.name));
    bridge_add(s->op->a->sw, &c, bridge_came, s);
}

static void bridge_went(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = rc ? NULL : owned_bridge_of(s);

    if (b) {
        LIST_REMOVE(b, link);
        owned_bridge_free(b);
    }
    step_done(s, rc == -ENXIO ? 0 : rc, e);
}

static void bridge_add_back(struct step *s)
{
    if (s->was_owned && !owned_bridge_of(s)) {
        done_at_once(s); /* it went, and another one was made by hand */
        return;
    }
    bridge_del(s->op->a->sw, s->bridge, true, bridge_went, s);
}

static void bridge_left(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = rc ? NULL : owned_bridge_of(s);

    if (b) {
        LIST_REMOVE(b, link);
        s->owned_bridge = b;
    }
    step_done(s, rc, e);
}

static void bridge_del_step(struct step *s)
{
    struct bridge *b = bridge_of(s);
    const struct owned_bridge *o = owned_bridge_of(s);
    struct saved_bridge *sb = calloc(1, sizeof(*sb));
    struct bridge_info i;

    if (!b || !o || !sb) {
        free(sb);
        if (b && o)
            out_of_memory(s);
        else
            gone(s);
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
    struct bridge *b = rc ? NULL : bridge_of(s);

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
    bridge_left(s, 0, &no_words);
}

static void disown_back(struct step *s)
{
    if (s->owned_bridge && bridge_of(s)) {
        LIST_INSERT_HEAD(&s->op->a->owned, s->owned_bridge, link);
        s->owned_bridge = NULL;
    }
    done_at_once(s);
}

static void bridge_own(struct step *s)
{
    struct op *op = s->op;
    struct owned_bridge *b = owned_bridge_of(s);

    s->was_owned = b != NULL;
    if (!b) {
        b = owned_bridge_new(s->bridge, op->netns, op->req->netns_fd);
        if (!b) {
            out_of_memory(s);
            return;
        }
        LIST_INSERT_HEAD(&op->a->owned, b, link);
    }
    s->bridge_record = b->record; /* with its hold */
    record_bridge(s, b);
    done_at_once(s);
}

static void bridge_own_back(struct step *s)
{
    struct owned_bridge *b = owned_bridge_of(s);

    if (b && s->was_owned) {
        conf_hold_put(b->record.conf);
        b->record = s->bridge_record;
        memset(&s->bridge_record, 0, sizeof(s->bridge_record));
    } else if (b) {
        LIST_REMOVE(b, link);
        owned_bridge_free(b);
    }
    done_at_once(s);
}

static void set_bridge(struct step *s, uint32_t v)
{
    struct bridge *b = bridge_of(s);

    if (b)
        bridge_set(b, (enum bridge_param)s->param, v, step_done, s);
    else
        gone(s);
}

static void bridge_set_step(struct step *s)
{
    set_bridge(s, s->value);
}

static void bridge_set_back(struct step *s)
{
    if (owned_bridge_of(s))
        set_bridge(s, s->old);
    else
        done_at_once(s);
}

/* ---- layer 3 ---- */

static bool is_by_name(const struct step *s)
{
    return (s->kind == STEP_UPLINK_RETURN || s->kind == STEP_UPLINK_TAKE) &&
           !s->wp && !s->owned_port;
}

/* What was its device has become somebody else's port by hand. */
static bool is_elsewhere(const struct step *s)
{
    const struct bridge *b = bport_owner(s->op->a->sw, s->port);

    return s->kind == STEP_UPLINK_RETURN && s->op->back && b &&
           b != bridge_of(s);
}

/* The step of a plan that has forgotten the bridge knows it by itself. */
void step_prepare(struct step *s)
{
    struct owned_bridge *b =
        s->owned_bridge ? s->owned_bridge : owned_bridge_of(s);

    if (s->kind == STEP_L3_END && s->op->back)
        return; /* it keeps its own */
    s->l3 = b ? b->l3 : NULL;
    if ((is_by_name(s) && !owned_port_of(s)) || is_elsewhere(s))
        s->l3 = NULL; /* a device that is no port keeps what it has */
    if (s->kind == STEP_MEMBER_SET && s->op->back && !owned_port_of(s))
        s->idle = true; /* it was given back when the port was removed */
    s->l3_want = b ? b->record.want : NULL;
    if (s->wb)
        s->l3_want = &s->wb->conf->l3;
    if (s->kind == STEP_SETTLE)
        s->l3_want = b ? b->record.want : NULL;
}

static int settle_back(struct step *s, struct err *e)
{
    return s->l3 ? l3_apply(s->l3, s->l3_want, &s->op->notes, e) : 0;
}

static void l3_begin(struct step *s)
{
    struct owned_bridge *b = owned_bridge_of(s);

    if (b) {
        b->l3 = s->l3;
        s->l3 = NULL;
    }
    done_at_once(s);
}

static int l3_end(struct step *s, struct err *e)
{
    (void)e;
    if (s->l3) {
        l3_release(s->l3, &s->op->notes);
        l3_free(s->l3);
    }
    s->l3 = NULL;
    return 0;
}

static void l3_ended(struct step *s)
{
    struct owned_bridge *b =
        s->owned_bridge ? s->owned_bridge : owned_bridge_of(s);

    if (b)
        b->l3 = NULL;
}

struct l3 *apply_l3_new(const struct apply *a, const char *bridge, int netns_fd,
                        const char *renderer)
{
    struct l3_config c = {.ifname = bridge,
                          .netns_fd = netns_fd,
                          .renderer = renderer,
                          .state_dir = a->state_dir};

    return l3_new(&c);
}

static void l3_end_back(struct step *s)
{
    struct owned_bridge *b = owned_bridge_of(s);

    if (b)
        b->l3 =
            apply_l3_new(s->op->a, s->bridge, b->netns_fd, b->record.renderer);
    if (b && !b->l3)
        out_of_memory(s);
    else
        done_at_once(s);
}

static int take(struct step *s, struct err *e)
{
    struct member m;

    if (!s->l3)
        return 0;
    if (s->op->req && s->op->req->may_wait &&
        member_get(s->owned_port ? s->owned_port->netns_fd
                                 : s->op->req->netns_fd,
                   s->device, &m, NULL) == -ENODEV) {
        s->idle = true; /* when it is there */
        return 0;
    }
    return l3_take_uplink(s->l3, s->device, &s->op->notes, e);
}

static int give(struct step *s, struct err *e)
{
    (void)e;
    if (s->l3)
        l3_return_uplink(s->l3, s->device, &s->op->notes);
    return 0;
}

static void took(struct step *s)
{
    struct owned_port *o = s->owned_port ? s->owned_port : owned_port_of(s);

    if (s->wp)
        s->wp->taken = true;
    if (o)
        o->taken = true;
}

static void gave(struct step *s)
{
    struct owned_port *o = s->owned_port ? s->owned_port : owned_port_of(s);

    if (o)
        o->taken = false;
}

static int apply_l3(struct step *s, struct err *e)
{
    return s->l3 ? l3_apply(s->l3, s->l3_want, &s->op->notes, e) : 0;
}

/* ---- devices of members ---- */

static int member_fd(const struct step *s)
{
    if (s->wp)
        return s->wp->spec.netns_fd;
    return s->owned_port ? s->owned_port->netns_fd : -1;
}

static int set_member(struct step *s, struct err *e)
{
    int rc = member_get(member_fd(s), s->device, &s->before, e);

    if (rc == -ENODEV) {
        s->idle = true; /* it will be set when it comes */
        return 0;
    }
    return rc ? rc : member_set(member_fd(s), s->device, &s->member, e);
}

static void member_is_set(struct step *s)
{
    struct owned_port *o = owned_port_of(s);

    if (!o || o->has_before || !o->device[0])
        return; /* known, or nothing that is given back */
    o->has_before = true;
    o->before = s->before;
}

static int unset_member(struct step *s, struct err *e)
{
    (void)e;
    if (!s->idle)
        member_restore(member_fd(s), s->device, &s->before, &s->member);
    return 0;
}

static int restore_member(struct step *s, struct err *e)
{
    const struct owned_port *o = s->owned_port;

    (void)e;
    member_restore(o->netns_fd, o->device, &o->before, &o->record.member);
    return 0;
}

static int unrestore_member(struct step *s, struct err *e)
{
    const struct owned_port *o = s->owned_port;
    struct member m = o->record.member;

    m.up = true;
    return member_set(o->netns_fd, o->device, &m, e);
}

/* ---- the kinds ---- */

static void nothing(struct step *s)
{
    done_at_once(s);
}

const struct step_kind_ops *step_ops(enum step_kind k)
{
    static const struct step_kind_ops ops[STEP_KINDS] = {
        [STEP_GUEST_STOP] = {.go = step_guest_stop,
                             .back = step_guest_stop_back},
        [STEP_GUEST_UNDEFINE] = {.go = step_guest_undefine,
                                 .back = step_guest_undefine_back},
        [STEP_GUEST_DEFINE] = {.go = step_guest_define,
                               .back = step_guest_define_back},
        [STEP_GUEST_START] = {.go = step_guest_start,
                              .back = step_guest_start_back},
        [STEP_SETTLE] = {.go = nothing, .unwork = settle_back},
        [STEP_PORT_DEL] = {.go = port_del, .back = port_del_back},
        [STEP_MEMBER_BACK] = {.work = restore_member,
                              .unwork = unrestore_member},
        [STEP_UPLINK_RETURN] = {.work = give,
                                .after = gave,
                                .unwork = take,
                                .unafter = took},
        [STEP_L3_END] = {.work = l3_end,
                         .after = l3_ended,
                         .back = l3_end_back},
        [STEP_BRIDGE_DEL] = {.go = bridge_del_step, .back = bridge_del_back},
        [STEP_DISOWN] = {.go = disown, .back = disown_back},
        [STEP_BRIDGE_ADD] = {.go = bridge_add_step, .back = bridge_add_back},
        [STEP_BRIDGE_OWN] = {.go = bridge_own, .back = bridge_own_back},
        [STEP_STP_OFF] = {.go = bridge_set_step, .back = bridge_set_back},
        [STEP_BRIDGE_SET] = {.go = bridge_set_step, .back = bridge_set_back},
        [STEP_STP_ON] = {.go = bridge_set_step, .back = bridge_set_back},
        [STEP_L3_BEGIN] = {.go = l3_begin,
                           .unwork = l3_end,
                           .unafter = l3_ended},
        [STEP_UPLINK_TAKE] = {.work = take,
                              .after = took,
                              .unwork = give,
                              .unafter = gave},
        [STEP_PORT_ADD] = {.go = port_add, .back = port_add_back},
        [STEP_PORT_OWN] = {.go = port_own, .back = port_own_back},
        [STEP_PORT_SET] = {.go = port_set, .back = port_set_back},
        [STEP_SHORT_COST] = {.go = bridge_set_step, .back = bridge_set_back},
        [STEP_MEMBER_SET] = {.work = set_member,
                             .after = member_is_set,
                             .unwork = unset_member},
        [STEP_L3_APPLY] = {.work = apply_l3, .back = nothing},
    };

    return &ops[k];
}

void step_free(struct step *s)
{
    free_saved_port(s->saved_port);
    free(s->saved_bridge);
    free(s->saved_guest);
    if (s->kind == STEP_PORT_DEL)
        owned_port_free(s->owned_port);
    if (s->kind == STEP_BRIDGE_DEL || s->kind == STEP_DISOWN)
        owned_bridge_free(s->owned_bridge);
    if (s->kind == STEP_BRIDGE_OWN)
        conf_hold_put(s->bridge_record.conf);
    if (s->kind == STEP_L3_BEGIN && s->l3)
        l3_free(s->l3);
}
