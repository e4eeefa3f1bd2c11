/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keeps a port shut beside the standard's machines.
 *
 *   BPDU guard   a BPDU where none should be disables the port, for
 *                config.recovery seconds
 *   root guard   restrictedRole (802.1Q-2018, 13.27): the port is
 *                never the root port, and alternate while a better root is
 *                behind it
 *   loop guard   a port that was shut because of its neighbour's BPDUs hears
 *                no more of them.  The standard makes it designated, and it
 *                forwards; if the link carries frames one way only, that is a
 *                loop.  Guarded, it stays shut until a BPDU comes
 *   assurance    both ends send BPDUs whatever their roles; a port that hears
 *                none for three hello times is shut (RSTP, point-to-point)
 *   self         the port's own BPDUs come back to it: the segment loops.
 *                9.3.4 has them ignored, and the port would forward frames
 *                that come back.  Shut until none has come for three hello
 *                times.  Not an option: there is no use for such a port, but
 *                as the root port, which says too little to hear itself
 *
 * BPDU filter is in receive.c (edge), transmit.c (silence) and stp.c
 * (deafness).
 */
#include "switch/stp/engine.h"

static bool own(const struct stp *s, const struct stp_port *p,
                const struct bpdu *b)
{
    const uint64_t address = 0xffffffffffffULL;

    return b->type != BPDU_TCN &&
           (b->vector.bridge & address) == (s->config.id & address) &&
           STP_PORT_NUMBER(b->vector.port) == STP_PORT_NUMBER(p->config.id);
}

static bool assured(const struct stp *s, const struct stp_port *p)
{
    return p->config.assurance && p->enabled && p->config.p2p &&
           rstp_version(s) && !p->config.bpdu_filter;
}

static uint64_t three_hellos(const struct stp *s, const struct stp_port *p)
{
    uint16_t hello = s->config.hello;

    if (hello < p->port_times.hello)
        hello = p->port_times.hello;
    if (hello < p->msg.times.hello) /* not yet in the port's times */
        hello = p->msg.times.hello;
    return s->now + 3 * ns_of(hello);
}

void stp_guard_retime(struct stp *s, struct stp_port *p)
{
    if (p->bpdu_seen)
        p->recover_at = s->config.recovery
                            ? s->now + s->config.recovery * NS_PER_SECOND
                            : 0;
}

static void error_disable(struct stp *s, struct stp_port *p, uint64_t bridge)
{
    p->bpdu_seen = true;
    stp_guard_retime(s, p);
    stp_blame(s, STP_CAUSE_GUARD, p->number, bridge);
    stp_enable(s, p);
}

void stp_guard_release(struct stp *s, struct stp_port *p)
{
    p->recover_at = p->self_until = 0;
    stp_guard_heard(s, p);
    if (!p->bpdu_seen)
        return;
    p->bpdu_seen = false;
    stp_enable(s, p);
}

bool stp_guard_admit(struct stp *s, struct stp_port *p, const struct bpdu *b)
{
    if (p->config.bpdu_guard) {
        error_disable(s, p, b->vector.bridge);
        return false;
    }
    if (own(s, p, b)) {
        p->counts.rx_own++;
        p->oper_edge = false;
        p->edge_delay_while = s->now + MIGRATE_TIME;
        p->self_until = three_hellos(s, p);
        return false;
    }
    p->heard = true;
    return true;
}

void stp_guard_heard(struct stp *s, struct stp_port *p)
{
    p->loop_suspect = p->quiet = false;
    p->assured_until = three_hellos(s, p);
}

void stp_guard_aged(struct stp_port *p)
{
    bool was_shut = p->role == STP_ROLE_ROOT || p->role == STP_ROLE_ALTERNATE ||
                    p->role == STP_ROLE_BACKUP;

    if (p->config.loop_guard && was_shut)
        p->loop_suspect = true;
}

void stp_guard_reset(struct stp *s, struct stp_port *p)
{
    p->heard = false;
    p->self_until = 0;
    memset(&p->msg, 0, sizeof(p->msg));
    stp_guard_heard(s, p);
}

enum stp_guard stp_guard_of(const struct stp *s, const struct stp_port *p)
{
    if (p->bpdu_seen)
        return STP_GUARD_BPDU;
    if (p->role == STP_ROLE_ROOT) /* it hears of the root, here and now */
        return STP_GUARD_NONE;
    if (running(s, p->self_until))
        return STP_GUARD_SELF;
    if (p->loop_suspect && p->config.loop_guard)
        return STP_GUARD_LOOP;
    if (p->quiet && assured(s, p))
        return STP_GUARD_ASSURANCE;
    if (p->config.root_guard && p->role == STP_ROLE_ALTERNATE &&
        stp_leads_better(s, p))
        return STP_GUARD_ROOT;
    return STP_GUARD_NONE;
}

static void tell(struct stp *s, struct stp_port *p, enum stp_guard g)
{
    const struct cause none = {.why = STP_CAUSE_GUARD};
    struct stp_note *n = stp_tell(s, p, STP_NOTE_GUARD, g ? &none : &s->cause);

    n->yes = g == STP_GUARD_NONE;
    n->guard = n->yes ? p->shown_guard : g;
    p->shown_guard = g;
}

bool stp_guard_tick(struct stp *s, struct stp_port *p)
{
    enum stp_guard g;

    if (p->bpdu_seen && p->recover_at && !running(s, p->recover_at)) {
        stp_blame(s, STP_CAUSE_RECOVERED, p->number, 0);
        stp_guard_release(s, p);
    }
    if (assured(s, p) && !running(s, p->assured_until))
        p->quiet = true;
    g = stp_guard_of(s, p);
    if (g == p->shown_guard)
        return false;
    tell(s, p, g);
    stp_wake_all(s);
    return true;
}
