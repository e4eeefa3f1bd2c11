/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the engine stands: its next deadline, and what people are shown.
 */
#include "switch/stp/engine.h"

static uint64_t left(uint64_t deadline, uint64_t now)
{
    return deadline > now ? deadline - now : 0;
}

static void sooner(const struct stp *s, uint64_t *least, uint64_t deadline)
{
    if (deadline > s->now && deadline < *least)
        *least = deadline;
}

/* Timers that somebody waits for; the rest run out unseen. */
static void port_deadline(const struct stp *s, const struct stp_port *p,
                          uint64_t *least)
{
    bool opens = p->role == STP_ROLE_ROOT || p->role == STP_ROLE_DESIGNATED;

    sooner(s, least, p->recover_at);
    if (!p->enabled)
        return;
    sooner(s, least, p->self_until);
    sooner(s, least, p->mdelay_while);
    if (p->config.assurance)
        sooner(s, least, p->assured_until);
    if (p->config.auto_edge && !p->oper_edge)
        sooner(s, least, p->edge_delay_while);
    if (!p->config.bpdu_filter)
        sooner(s, least, p->hello_when);
    if (p->new_info)
        sooner(s, least, p->tx_tick);
    if (opens && !p->forward)
        sooner(s, least, p->fd_while);
    if (p->role != STP_ROLE_ROOT)
        sooner(s, least, p->rr_while);
    if (p->info_is == INFO_RECEIVED)
        sooner(s, least, p->rcvd_info_while);
    sooner(s, least, p->rb_while);
}

uint64_t stp_deadline(const struct stp *s)
{
    uint64_t least = STP_NEVER;

    each_port (s, p)
        port_deadline(s, p, &least);
    sooner(s, &least, s->fast_until);
    return least;
}

/* ---- the bridge ---- */

static void bridge_timers(const struct stp *s, uint64_t now, struct stp_info *i)
{
    uint64_t hello = STP_NEVER;

    each_port (s, p) {
        uint64_t change = left(p->tc_while, now);

        if (p->role == STP_ROLE_DESIGNATED && p->hello_when > now &&
            p->hello_when < hello)
            hello = p->hello_when;
        if (change > i->change_timer)
            i->change_timer = change;
        if (p->role == STP_ROLE_ROOT && change && !p->send_rst)
            i->tcn_timer = left(p->hello_when, now);
    }
    if (s->root_port == 0 && hello != STP_NEVER)
        i->hello_timer = left(hello, now);
    i->detected = i->change_timer != 0;
    i->change = i->detected || s->fast_until > now;
}

void stp_info(const struct stp *s, uint64_t now, struct stp_info *i)
{
    memset(i, 0, sizeof(*i));
    i->config = s->config;
    i->root = s->root;
    i->times = s->root_times;
    i->root_port = s->root_port;
    i->changes = s->changes;
    i->change_at = s->change_at;
    i->change_port = s->change_port;
    bridge_timers(s, now, i);
}

/* ---- ports ---- */

static void port_timers(const struct stp *s, const struct stp_port *p,
                        uint64_t now, struct stp_port_info *i)
{
    bool opens = p->role == STP_ROLE_ROOT || p->role == STP_ROLE_DESIGNATED;

    if (p->info_is == INFO_RECEIVED)
        i->age_timer = left(p->rcvd_info_while, now);
    if (opens && !p->forward && !p->oper_edge)
        i->delay_timer = left(p->fd_while, now);
    if (p->tx_count >= s->config.tx_hold_count)
        i->hold_timer = left(p->tx_tick, now);
    i->recovery_timer = left(p->recover_at, now);
    i->change_timer = left(p->tc_while, now);
}

bool stp_port_info(const struct stp *s, uint16_t port, uint64_t now,
                   struct stp_port_info *i)
{
    const struct stp_port *p = &s->port[port <= s->ports ? port : 0];

    memset(i, 0, sizeof(*i));
    if (port == 0 || p->number == 0)
        return false;
    i->config = p->config;
    i->role = p->role;
    i->state = !p->learning || p->applying ? STP_DISCARDING
               : p->forwarding             ? STP_FORWARDING
                                           : STP_LEARNING;
    i->guard = stp_guard_of(s, p);
    i->edge = p->oper_edge;
    i->stp = !p->send_rst;
    i->proposing = p->proposing;
    i->agreed = p->agreed;
    i->synced = p->synced;
    i->disputed = p->disputed;
    i->received = p->info_is == INFO_RECEIVED;
    i->change_ack = p->tc_ack;
    i->config_pending = p->new_info;
    i->vector = p->port_priority;
    i->designated = p->designated;
    i->times = p->port_times;
    i->counts = p->counts;
    port_timers(s, p, now, i);
    return true;
}
