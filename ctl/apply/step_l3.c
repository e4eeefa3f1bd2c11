/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on the addresses of bridges and of the devices that are their ports.
 */
#include "ctl/apply/step_impl.h"

#include "ctl/apply/member.h"

#include <errno.h>

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
           b != step_bridge(s);
}

/* The step of a plan that has forgotten the bridge knows it by itself. */
void step_prepare(struct step *s)
{
    struct owned_bridge *b =
        s->owned_bridge ? s->owned_bridge : step_owned_bridge(s);

    if (s->kind == STEP_L3_END && s->op->back)
        return; /* it keeps its own */
    s->l3 = b ? b->l3 : NULL;
    if ((is_by_name(s) && !step_owned_port(s)) || is_elsewhere(s))
        s->l3 = NULL; /* a device that is no port keeps what it has */
    if (s->kind == STEP_MEMBER_SET && s->op->back && !step_owned_port(s))
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
    struct owned_bridge *b = step_owned_bridge(s);

    if (b) {
        b->l3 = s->l3;
        s->l3 = NULL;
    }
    step_done_at_once(s);
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
        s->owned_bridge ? s->owned_bridge : step_owned_bridge(s);

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
    struct owned_bridge *b = step_owned_bridge(s);

    if (b)
        b->l3 =
            apply_l3_new(s->op->a, s->bridge, b->netns_fd, b->record.renderer);
    if (b && !b->l3)
        step_no_memory(s);
    else
        step_done_at_once(s);
}

static int take(struct step *s, struct err *e)
{
    struct member m;

    if (!s->l3)
        return 0;
    if (s->op->req && s->op->req->may_wait &&
        member_get(s->owned_port ? s->owned_port->netns_fd
                                 : s->op->req->netns_fd,
                   s->device, NULL, &m, NULL) == -ENODEV) {
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
    struct owned_port *o = s->owned_port ? s->owned_port : step_owned_port(s);

    if (s->wp)
        s->wp->taken = true;
    if (o)
        o->taken = true;
}

static void gave(struct step *s)
{
    struct owned_port *o = s->owned_port ? s->owned_port : step_owned_port(s);

    if (o)
        o->taken = false;
}

static int apply_l3(struct step *s, struct err *e)
{
    return s->l3 ? l3_apply(s->l3, s->l3_want, &s->op->notes, e) : 0;
}

const struct step_kind_ops step_settle = {.go = step_done_at_once,
                                          .unwork = settle_back};
const struct step_kind_ops step_l3_begin = {
    .go = l3_begin, .unwork = l3_end, .unafter = l3_ended};
const struct step_kind_ops step_l3_end = {
    .work = l3_end, .after = l3_ended, .back = l3_end_back};
const struct step_kind_ops step_uplink_take = {
    .work = take, .after = took, .unwork = give, .unafter = gave};
const struct step_kind_ops step_uplink_return = {
    .work = give, .after = gave, .unwork = take, .unafter = took};
const struct step_kind_ops step_l3_apply = {.work = apply_l3,
                                            .back = step_done_at_once};
