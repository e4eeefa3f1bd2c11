/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port's device tells: its kind by events, from any thread, and the
 * kernel of its link.
 */
#include "switch/life.h"

#include "base/log.h"

#include <string.h>

static void tell_failed(const struct bport *p)
{
    const char *bridge = p->b->name, *name = p->port->spec.name;

    if (p->hushed)
        return;
    if (p->end_expected)
        log_info("bridge %s: port %s: %s", bridge, name, p->why);
    else
        log_warn("bridge %s: port %s failed: %s", bridge, name, p->why);
}

static void on_failed(struct bport *p, const char *reason)
{
    text_copy(p->why, sizeof(p->why), reason);
    tell_failed(p);
    if (p->life == LIFE_RUNNING)
        life_detach(p);
}

static void on_ready(struct bport *p)
{
    if (p->life == LIFE_FAILED)
        life_reopen(p);
    else if (p->life != LIFE_RUNNING)
        p->ready = true;
}

/* 'fell': the link went down, even if it is up again by now. */
static void on_caps(struct bport *p, bool fell)
{
    bool link = p->caps.link;

    if (p->life != LIFE_RUNNING)
        return;
    p->caps = port_caps_now(p->port);
    if (fell || (link && !p->caps.link))
        table_flush_port(p->b, p->no, true);
    bport_dirty(p);
    if (p->no == BRIDGE_LOCAL)
        local_changed(p->b);
    local_entries(p->b);
}

#define BIT(e) (1u << PORT_EVENT_##e)

void device_message(struct message *m)
{
    struct bport *p =
        (struct bport *)(void *)((char *)m - offsetof(struct bport, message));
    struct sw *sw = p->b->sw;
    char reason[sizeof(p->reason)], fell[sizeof(p->fell)];
    unsigned events;

    pthread_mutex_lock(&sw->event_lock);
    events = p->events;
    p->events = 0;
    memcpy(reason, p->reason, sizeof(reason));
    memcpy(fell, p->fell, sizeof(fell));
    pthread_mutex_unlock(&sw->event_lock);
    if (events & BIT(DOWN))
        text_copy(p->no_link, sizeof(p->no_link), fell);
    if (events & (BIT(UP) | BIT(DOWN) | BIT(CAPS)))
        on_caps(p, events & BIT(DOWN));
    if (events & BIT(UP))
        speed_ask(p);
    if (events & BIT(FAILED))
        on_failed(p, reason);
    if (events & BIT(READY))
        on_ready(p);
    if (events & BIT(AWAY))
        home_ask(p);
}

/* Any thread. */
void device_event(struct port *port, enum port_event ev, const char *reason)
{
    struct bport *p = port->owner;
    struct sw *sw = p->b->sw;

    pthread_mutex_lock(&sw->event_lock);
    p->events |= 1u << ev;
    if (ev == PORT_EVENT_FAILED)
        text_copy(p->reason, sizeof(p->reason), reason ? reason : "");
    if (ev == PORT_EVENT_DOWN)
        text_copy(p->fell, sizeof(p->fell), reason ? reason : "");
    pthread_mutex_unlock(&sw->event_lock);
    inbox_post(&sw->inbox, &p->message);
}

/* ---- link changes ---- */

/* A link change that came while a job had the port: true if its device left
 * since. */
bool device_link_now(struct bport *p)
{
    bool was = p->from_link, left = p->from_gone;

    p->from_link = p->from_gone = false;
    if (was && p->port->ops->link)
        p->port->ops->link(p->port, &p->link);
    return left;
}

/* While a job has the port its changes wait; the last one is enough, but for
 * whether one told that the device left. */
static void link_later(struct bport *p, const struct link_change *c)
{
    p->from_link = true;
    p->from_gone |= c->gone;
    p->link = *c;
    text_copy(p->link_name, sizeof(p->link_name), c->ifname ? c->ifname : "");
    p->link.ifname = p->link_name;
}

static void link_port(struct bport *p, const struct link_change *c)
{
    bool named = c->ifname && strcmp(c->ifname, p->port->spec.target) == 0;

    if (!named && (p->desc.ifindex == 0 || c->ifindex != p->desc.ifindex))
        return;
    if (p->life != LIFE_RUNNING && p->life != LIFE_FAILED) {
        link_later(p, c);
        return;
    }
    p->port->ops->link(p->port, c);
    if (p->no == BRIDGE_LOCAL && p->life == LIFE_RUNNING && !c->gone &&
        c->ifindex == p->desc.ifindex)
        local_heard(p->b, &c->mac, c->mtu);
}

void device_link(struct sw *sw, uint64_t netns, const struct link_change *c)
{
    for (struct bridge *b = sw->bridges; b; b = b->next)
        for (unsigned i = 0; i < VIEW_PORTS; i++)
            if (b->port[i] && b->port[i]->watch && b->port[i]->netns == netns &&
                b->port[i]->port->ops->link)
                link_port(b->port[i], c);
}
