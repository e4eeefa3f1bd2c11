/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan about names that are taken.  The switch and the kernel
 * would refuse them, too, but when the first ports have gone already.
 */
#include "ctl/apply/plan_impl.h"
#include "ports/netdev.h"

#include <errno.h>
#include <string.h>

static bool any_step(const struct plan *p, enum step_kind kind,
                     const char *bridge, const char *port)
{
    for (unsigned i = 0; i < p->n; i++) {
        const struct step *s = &p->step[i];

        if (s->kind == kind && strcmp(s->bridge, bridge) == 0 &&
            (!port || strcmp(s->port, port) == 0))
            return true;
    }
    return false;
}

bool plan_bridge_goes(const struct plan *p, const char *bridge)
{
    return any_step(p, STEP_BRIDGE_DEL, bridge, NULL) ||
           any_step(p, STEP_BRIDGE_LEAVE, bridge, NULL);
}

bool plan_port_stays(const struct plan *p, const struct plan_input *in,
                     const char *bridge, const char *port)
{
    const struct run_guest *g = running_guest_of(in->running, bridge, port);

    return !(g && g->leaves) && !any_step(p, STEP_PORT_DEL, bridge, port) &&
           !plan_bridge_goes(p, bridge);
}

/* Is that the interface of something that is ours?  Then it is known whether
 * it goes. */
static bool is_ours(const struct running *r, const char *device)
{
    for (unsigned b = 0; b < r->n_bridges; b++) {
        const struct run_bridge *rb = &r->bridge[b];

        if (strcmp(rb->info.name, device) == 0)
            return true;
        for (unsigned i = 0; i < rb->n_ports; i++)
            if (rb->port[i].spec.target &&
                strcmp(rb->port[i].spec.target, device) == 0)
                return true;
    }
    return false;
}

int plan_check_interface(const struct plan_input *in, int netns_fd,
                         const char *name, enum netdev_use use,
                         const struct conf_pos *pos, struct err *e)
{
    char way[NETDEV_WAY_MAX];
    struct member m;
    struct err none;

    if (is_ours(in->running, name) ||
        in->device(in->arg, netns_fd, name, NULL, &m, &none))
        return 0;
    return want_fail(e, EEXIST, pos, "%s",
                     netdev_in_the_way(netns_fd, name, use, way));
}

static int check_port(const struct plan *p, const struct plan_input *in,
                      const struct step *s, struct err *e)
{
    const struct conf_pos *pos = &s->wp->conf->pos;
    const struct running *r = in->running;

    for (unsigned b = 0; b < r->n_bridges; b++) {
        const char *bridge = r->bridge[b].info.name;

        if (strcmp(bridge, s->port) == 0 && !plan_bridge_goes(p, bridge))
            return want_fail(e, EEXIST, pos, "%s is the name of a bridge",
                             s->port);
        for (unsigned i = 0; i < r->bridge[b].n_ports; i++)
            if (strcmp(r->bridge[b].port[i].name, s->port) == 0 &&
                plan_port_stays(p, in, bridge, s->port))
                return want_fail(e, EBUSY, pos,
                                 "port %s is in bridge %s already", s->port,
                                 bridge);
    }
    if (strcmp(s->wp->spec.kind, "tap") != 0)
        return 0;
    return plan_check_interface(in, s->wp->spec.netns_fd, s->wp->spec.target,
                                NETDEV_FOR_PORT, pos, e);
}

int plan_check_names(const struct plan *p, const struct plan_input *in,
                     struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < p->n; i++) {
        const struct step *s = &p->step[i];

        if (s->kind == STEP_PORT_ADD)
            rc = check_port(p, in, s, e);
    }
    return rc;
}
