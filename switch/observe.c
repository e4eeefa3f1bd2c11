/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events to the observer.  Those of the control thread are told at once;
 * those of forwarders come through bounded rings, in helpings, so that a
 * storm of moving addresses costs the control thread a bounded share.
 */
#include "switch/bridge.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define HELPING       256
#define HELPING_EVERY 0.01

static void tell(struct sw *sw, struct sw_event *e)
{
    if (e->time == 0)
        e->time = clock_now();
    sw->observer(sw->observer_arg, e);
}

void observe_bridge(struct bridge *b, enum sw_event_type type, const char *fmt,
                    ...)
{
    struct sw_event e = {.type = type};
    va_list ap;

    if (!b->sw->observer)
        return;
    text_copy(e.bridge, sizeof(e.bridge), b->name);
    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    tell(b->sw, &e);
}

void observe_port(struct bport *p, enum sw_event_type type, const char *fmt,
                  ...)
{
    struct sw_event e = {.type = type};
    va_list ap;

    if (!p->b->sw->observer)
        return;
    text_copy(e.bridge, sizeof(e.bridge), p->b->name);
    text_copy(e.port, sizeof(e.port), p->port->spec.name);
    e.port_no = p->no;
    e.state = bport_shown(p);
    e.failed = p->life == LIFE_FAILED;
    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    tell(p->b->sw, &e);
}

const char *observe_value(uint32_t v, uint32_t max,
                          char text[OBSERVE_VALUE_MAX])
{
    if (max == 1)
        return v ? "on" : "off";
    snprintf(text, OBSERVE_VALUE_MAX, "%u", v);
    return text;
}

void observe_state(struct bport *p)
{
    static const char *const word[] = {"disabled", "listening", "learning",
                                       "forwarding", "blocking"};
    enum bport_state now = bport_shown(p);
    bool broken = p->life == LIFE_FAILED;
    const char *why = "";

    if ((now == p->shown && broken == p->shown_failed) || p->deleting)
        return;
    p->shown = now;
    p->shown_failed = broken;
    if (broken)
        why = p->why;
    else if (now == BPORT_DISABLED && p->life == LIFE_RUNNING && !p->caps.link)
        why = p->no_link;
    observe_port(p, SW_EVENT_PORT_STATE, "port %s of bridge %s is %s%s%s",
                 p->port->spec.name, p->b->name, word[now], *why ? ": " : "",
                 why);
}

/* ---- addresses ---- */

void observe_address(struct bport *p, const struct snoop_claim *c)
{
    struct sw_event e = {.type = SW_EVENT_ADDRESS,
                         .key = fdb_key(0, mac_to_u64(&c->mac)),
                         .port_no = p->no,
                         .how = (enum snoop_how)c->how};
    char mac[MAC_TEXT_MAX];

    if (!p->b->sw->observer)
        return;
    text_copy(e.bridge, sizeof(e.bridge), p->b->name);
    text_copy(e.port, sizeof(e.port), p->port->spec.name);
    snoop_ip_format(c, e.address);
    snprintf(e.text, sizeof(e.text), "%s is %s behind port %s%s", e.address,
             mac_format(&c->mac, mac), p->port->spec.name,
             c->how == SNOOP_DHCP_REQUEST ? ", or so it asks by DHCP" : "");
    tell(p->b->sw, &e);
}

/* ---- of the table ---- */

static const char *port_name(const struct bridge *b, uint16_t no)
{
    const struct bport *p = no < VIEW_PORTS ? b->port[no] : NULL;

    return p ? p->port->spec.name : "?";
}

static void say(struct sw_event *e)
{
    struct mac m = mac_from_u64(fdb_key_mac(e->key));
    char mac[MAC_TEXT_MAX];

    mac_format(&m, mac);
    if (e->type == SW_EVENT_FDB_MOVE)
        snprintf(e->text, sizeof(e->text), "%s moved from port %s to port %s",
                 mac, e->old_port, e->port);
    else
        snprintf(e->text, sizeof(e->text), "%s %s port %s", mac,
                 e->type == SW_EVENT_FDB_ADD ? "is behind" : "left", e->port);
}

static void tell_fdb(struct bridge *b, const struct fdb_event *f)
{
    struct sw_event e = {.type = (enum sw_event_type)f->type,
                         .time = f->time,
                         .key = f->key,
                         .flags = f->flags};

    text_copy(e.bridge, sizeof(e.bridge), b->name);
    text_copy(e.port, sizeof(e.port), port_name(b, f->port));
    if (f->type == SW_EVENT_FDB_MOVE)
        text_copy(e.old_port, sizeof(e.old_port), port_name(b, f->old_port));
    say(&e);
    tell(b->sw, &e);
}

void observe_fdb(struct bridge *b, enum sw_event_type type, uint64_t key,
                 uint16_t port, uint8_t flags)
{
    struct fdb_event f = {
        .key = key, .port = port, .type = (uint8_t)type, .flags = flags};

    if (b->sw->observer)
        tell_fdb(b, &f);
}

/* ---- of the forwarders ---- */

static void tell_lost(struct sw *sw, uint64_t n)
{
    struct sw_event e = {.type = SW_EVENT_LOST, .count = n};

    sw->events_lost += n;
    snprintf(e.text, sizeof(e.text), "%llu events were lost: look again",
             (unsigned long long)n);
    if (sw->observer)
        tell(sw, &e);
}

/* True if there may be more. */
static bool drain(struct sw *sw, struct ring *r)
{
    struct fdb_event f;
    uint64_t lost;

    for (unsigned i = 0; i < HELPING; i++) {
        struct bridge *b;

        if (!ring_pop(r, &f)) {
            lost = ring_lost(r);
            if (lost)
                tell_lost(sw, lost);
            return false;
        }
        b = bridge_by_number(sw, f.bridge);
        if (b && sw->observer)
            tell_fdb(b, &f);
    }
    return true;
}

void observe_poll(struct sw *sw)
{
    bool more = drain(sw, &sw->fwd->ring);

    if (ev_is_active(&sw->drain))
        return; /* the next helping has its time */
    for (unsigned i = 0; i < sw->n_workers; i++)
        more |= drain(sw, &sw->worker[i]->fwd.ring);
    if (more)
        ev_timer_start(sw->loop, &sw->drain);
}

static void on_drain(struct ev_loop *loop, ev_timer *w, int events)
{
    struct sw *sw =
        (struct sw *)(void *)((char *)w - offsetof(struct sw, drain));

    (void)events;
    ev_timer_stop(loop, w);
    ev_timer_set(w, HELPING_EVERY, 0.);
    observe_poll(sw);
}

void observe_start(struct sw *sw)
{
    ev_timer_init(&sw->drain, on_drain, HELPING_EVERY, 0.);
}

void sw_observe_bpdus(struct sw *sw, bool on)
{
    sw->observe_bpdus = on;
}

void sw_observe(struct sw *sw, void (*fn)(void *arg, const struct sw_event *e),
                void *arg)
{
    sw->observer = fn;
    sw->observer_arg = arg;
    atomic_store_explicit(&sw->observed, fn != NULL, memory_order_relaxed);
}
