/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on the devices that are ports: MAC, MTU, Wake-on-LAN, up.
 */
#include "ctl/apply/step_impl.h"

#include "ctl/apply/member.h"

#include <errno.h>

static int member_fd(const struct step *s)
{
    if (s->wp)
        return s->wp->spec.netns_fd;
    return s->owned_port ? s->owned_port->netns_fd : -1;
}

static int set_member(struct step *s, struct err *e)
{
    int rc = member_get(member_fd(s), s->device, NULL, &s->before, e);

    if (rc == -ENODEV) {
        s->idle = true; /* it will be set when it comes */
        return 0;
    }
    return rc ? rc : member_set(member_fd(s), s->device, &s->member, e);
}

static void member_is_set(struct step *s)
{
    struct owned_port *o = step_owned_port(s);

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

const struct step_kind_ops step_member_set = {
    .work = set_member, .after = member_is_set, .unwork = unset_member};
const struct step_kind_ops step_member_back = {.work = restore_member,
                                               .unwork = unrestore_member};
