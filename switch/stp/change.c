/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Topology change (802.1D-2004, 17.31): who is told, and what is forgotten.
 *
 * With force-version 0 the bridge does not forget at once but ages fast for a
 * while (17.19.1, 17.19.7), all ports together as 802.1D-1998 did.  A port that
 * is shut is flushed with either: nothing is behind it any more.
 */
#include "switch/stp/engine.h"

/* 17.21.7 newTcWhile */
static void new_tc_while(struct stp *s, struct stp_port *p)
{
    const struct stp_times *t = &s->root_times;

    if (running(s, p->tc_while))
        return;
    if (p->send_rst) {
        p->tc_while = s->now + hello_time(p) + NS_PER_SECOND;
        p->new_info = true;
    } else {
        p->tc_while = s->now + ns_of((uint32_t)t->max_age + t->forward_delay);
    }
}

/*
 * 17.21.18 setTcPropTree; restrictedTcn is 802.1Q's (2018, 13.27).  Done when
 * all ports have had their turn: they may all ask for it at once, and if two
 * do, each is told by the other.
 */
static void prop_tree(struct stp *s, const struct stp_port *from)
{
    if (from->config.tcn_guard)
        return;
    s->tc_from = s->tc_due && s->tc_from != from->number ? 0 : from->number;
    s->tc_due = true;
}

void stp_tc_prop_tree(struct stp *s)
{
    if (!s->tc_due)
        return;
    s->tc_due = false;
    each_port (s, p)
        if (p->number != s->tc_from)
            p->tc_prop = true;
    stp_wake_all(s);
}

static void age_fast(struct stp *s)
{
    uint16_t age = s->root_times.forward_delay;

    s->fast_until = s->now + ns_of(age);
    stp_do(s, STP_DO_AGEING, 0)->age = age;
}

/* fdbFlush (17.19.7): done as soon as it is asked for. */
static void flush(struct stp *s, struct stp_port *p)
{
    if (rstp_version(s))
        (void)stp_do(s, STP_DO_FLUSH, p->number);
    else
        age_fast(s);
}

/* For people. */
static void note_change(struct stp *s, struct stp_port *p, bool detected)
{
    struct stp_note *n;

    s->changes++;
    s->change_at = s->now;
    s->change_port = p->number;
    n = stp_tell(s, p, STP_NOTE_TC, &s->cause);
    n->yes = detected;
}

/* A port that goes, or is about to have another role, changes nothing yet. */
static bool settled(const struct stp_port *p)
{
    return p->enabled && p->selected && !p->updt_info &&
           p->role == p->selected_role;
}

static bool active_role(const struct stp_port *p)
{
    return p->role == STP_ROLE_ROOT || p->role == STP_ROLE_DESIGNATED;
}

static void inactive(struct stp_port *p)
{
    p->change = CHANGE_INACTIVE;
    p->flush_due = true;
    p->tc_while = 0;
    p->tc_ack = false;
}

static void learning(struct stp_port *p)
{
    p->change = CHANGE_LEARNING;
    p->rcvd_tc = p->rcvd_tcn = p->rcvd_tc_ack = p->tc_prop = false;
}

static void detected(struct stp *s, struct stp_port *p)
{
    p->change = CHANGE_ACTIVE;
    new_tc_while(s, p);
    prop_tree(s, p);
    p->new_info = true;
    note_change(s, p, true);
}

static bool step_learning(struct stp *s, struct stp_port *p)
{
    bool told = p->rcvd_tc || p->rcvd_tcn || p->rcvd_tc_ack || p->tc_prop;

    if (told)
        learning(p);
    else if (!active_role(p) && !p->learn && !p->learning)
        inactive(p);
    else if (active_role(p) && p->forward && !p->oper_edge && settled(p))
        detected(s, p);
    else
        return false;
    return true;
}

/* NOTIFIED_TCN, NOTIFIED_TC */
static void notified(struct stp *s, struct stp_port *p)
{
    uint64_t own = hello_time(p), theirs = ns_of(p->port_times.hello);
    bool news = !running(s, p->told_until);

    /* It tells with each hello, for a while. */
    p->told_until = s->now + 2 * (own > theirs ? own : theirs);
    if (p->rcvd_tcn)
        new_tc_while(s, p);
    p->rcvd_tcn = p->rcvd_tc = false;
    if (p->role == STP_ROLE_DESIGNATED)
        p->tc_ack = true;
    prop_tree(s, p);
    if (news)
        note_change(s, p, false);
}

static void propagate(struct stp *s, struct stp_port *p)
{
    new_tc_while(s, p);
    flush(s, p);
    p->tc_prop = false;
}

static bool step_active(struct stp *s, struct stp_port *p)
{
    if (!active_role(p) || p->oper_edge) {
        learning(p);
    } else if (p->rcvd_tcn || p->rcvd_tc) {
        notified(s, p);
    } else if (p->tc_prop) {
        propagate(s, p);
    } else if (p->rcvd_tc_ack) {
        p->tc_while = 0;
        p->rcvd_tc_ack = false;
    } else {
        return false;
    }
    return true;
}

/*
 * Before a port that was shut learns again, what it knew is forgotten, even if
 * it comes back before its shutting is in force.
 */
bool stp_forget(struct stp *s, struct stp_port *p)
{
    if (!p->flush_due || p->learning)
        return false;
    p->flush_due = false;
    if (p->knows)
        (void)stp_do(s, STP_DO_FLUSH, p->number);
    p->knows = false;
    return true;
}

/* Figure 17-25. */
bool stp_change(struct stp *s, struct stp_port *p)
{
    switch (p->change) {
    case CHANGE_INACTIVE:
        if (!p->learn)
            return false;
        learning(p);
        return true;
    case CHANGE_LEARNING:
        return step_learning(s, p);
    case CHANGE_ACTIVE:
        return step_active(s, p);
    }
    return false;
}
