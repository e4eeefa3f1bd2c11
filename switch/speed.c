/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device whose link comes up may have another speed than before.  To ask it
 * waits for the kernel's lock of all interfaces, so a job asks; the port goes
 * by the speed that it had until the answer is there.
 */
#include "switch/bridge.h"

#include "ports/netdev.h"
#include "ports/netns.h"
#include "ports/tap.h"

static struct bport *of_job(struct job *j)
{
    return (struct bport *)(void *)((char *)j -
                                    offsetof(struct bport, speed.job));
}

static struct bport *of_done(struct message *m)
{
    return (struct bport *)(void *)((char *)m -
                                    offsetof(struct bport, speed.job.done));
}

/* It may have been renamed. */
static void ask(struct speed *s, int netns_fd)
{
    struct netns_scope scope;
    struct netdev d;

    if (netns_enter(&scope, netns_fd, NULL))
        return;
    if (netdev_get(NULL, s->ifindex, &d, NULL) == 0)
        s->mbps = netdev_speed(d.name);
    netns_leave(&scope);
}

static void work(struct job *j)
{
    struct bport *p = of_job(j);

    ask(&p->speed, p->port->spec.netns_fd);
}

static void done(struct message *m)
{
    struct bport *p = of_done(m);
    struct speed *s = &p->speed;

    s->out = false;
    if (p->life == LIFE_RUNNING && s->mbps != p->port->caps.speed) {
        p->port->caps.speed = s->mbps;
        port_event(p->port, PORT_EVENT_CAPS, "its speed changed");
    }
    if (p->life == LIFE_RUNNING && s->again)
        speed_ask(p);
    life_give_back(p);
}

void speed_ask(struct bport *p)
{
    const struct port_kind *k = p->port->kind;
    struct speed *s = &p->speed;

    if (p->life != LIFE_RUNNING || !k->netdev || k == &port_kind_tap)
        return;
    s->again = s->out;
    if (s->out)
        return;
    s->out = true;
    s->ifindex = p->desc.ifindex;
    s->mbps = p->port->caps.speed;
    s->job.work = work;
    s->job.done.run = done;
    life_lend(p);
    jobs_add(&p->b->sw->settings, &s->job);
}
