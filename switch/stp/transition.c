/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port role transitions and port state transitions (802.1D-2004, 17.29 and
 * 17.30): how a port comes to have the role that was selected, and when it may
 * learn and forward.
 *
 * One thing is asynchronous here: a port asked to discard goes on forwarding
 * until all forwarders have taken notice.  "learning" and "forwarding" stay
 * true that long, so that nothing that waits for them to be false, above all
 * an agreement (17.10), comes too early.
 */
#include "switch/stp/engine.h"

/* ---- port states (17.30) ---- */

static void set_state(struct stp *s, struct stp_port *p, enum stp_state state)
{
    stp_tell_role(s, p); /* people hear first what it follows from */
    stp_do(s, STP_DO_STATE, p->number)->state = state;
    stp_tell(s, p, STP_NOTE_STATE, &p->state_cause)->state = state;
    if (state == STP_FORWARDING)
        p->counts.to_forwarding++;
    if (state == STP_DISCARDING)
        p->counts.to_discarding++;
}

/*
 * Figure 17-24.  A port whose role is still to be selected waits for it: an
 * edge port that was open before the tree begins stays open.
 */
bool stp_state_step(struct stp *s, struct stp_port *p)
{
    if (p->applying || !p->selected || p->updt_info ||
        p->role != p->selected_role)
        return false;
    if ((p->learning && !p->learn) || (p->forwarding && !p->forward)) {
        p->applying = true;
        set_state(s, p, STP_DISCARDING);
    } else if (p->learn && !p->learning) {
        p->learning = p->knows = true;
        if (p->forward && !p->forwarding) /* both at once: one change */
            p->forwarding = true;
        set_state(s, p, p->forwarding ? STP_FORWARDING : STP_LEARNING);
    } else if (p->forward && !p->forwarding) {
        p->forwarding = true;
        set_state(s, p, STP_FORWARDING);
    } else {
        return false;
    }
    stp_wake_all(s);
    return true;
}

/* ---- roles ---- */

static void because(struct stp_port *p, enum stp_cause why)
{
    p->state_cause = (struct cause){.why = why};
}

static bool is_shut(enum stp_role r)
{
    return r == STP_ROLE_DISABLED || r == STP_ROLE_ALTERNATE ||
           r == STP_ROLE_BACKUP;
}

/*
 * Timers that the old role has held begin to run.  A port that comes up
 * listens for MaxAge (17.29.1), but as STP for the forward delay, as STP
 * always did (802.1D-1998, 8.4.2).  So does one that comes from another
 * bridge's tree (see struct stp_heritage).
 */
static void release_timers(struct stp *s, struct stp_port *p)
{
    switch (p->role) {
    case STP_ROLE_ROOT:
        p->rr_while = s->now + fwd_delay(p);
        break;
    case STP_ROLE_DISABLED:
        p->fd_while = s->now + (p->send_rst ? max_age(p) : forward_delay(p));
        break;
    case STP_ROLE_BACKUP:
        p->rb_while = s->now + 2 * hello_time(p);
        p->fd_while = s->now + forward_delay(p);
        break;
    case STP_ROLE_ALTERNATE:
        p->fd_while = s->now + forward_delay(p);
        break;
    case STP_ROLE_DESIGNATED:
        break;
    }
}

/* May the neighbour's agreement be hoped for, and come soon? */
static bool can_agree(const struct stp_port *p)
{
    return p->send_rst && p->config.p2p;
}

/*
 * A root port that becomes designated: the standard lets it forward on.  But
 * its neighbour was promised that what is behind this bridge hangs on that
 * neighbour, and goes on relying on that until it hears otherwise; by another
 * way it may hear of the better root that this bridge now knows, and agree
 * there, as if nothing had changed here: a loop.  So it is shut until the
 * neighbour agrees, in a moment.
 */
static void take_role(struct stp *s, struct stp_port *p)
{
    release_timers(s, p);
    if (p->role == STP_ROLE_ROOT && p->selected_role == STP_ROLE_DESIGNATED)
        p->sync |= can_agree(p);
    p->role = p->selected_role;
    if (is_shut(p->role))
        because(p, STP_CAUSE_ROLE);
    else if (!p->learn)
        p->state_cause = s->tree_cause;
    stp_wake_all(s);
}

/* DISABLE_PORT, BLOCK_PORT: not done before discarding is in force. */
static void shut(struct stp *s, struct stp_port *p)
{
    bool port_change = is_shut(p->role) && is_shut(p->selected_role);

    take_role(s, p);
    p->learn = p->forward = false;
    /* The standard leaves it set, as its ports shut in no time. */
    if (p->learning || p->forwarding)
        p->synced = false;
    if (p->role == STP_ROLE_DISABLED)
        p->flush_due = true;
    /* From alternate to backup there is nothing left to wait for. */
    p->block_done = port_change && p->block_done;
    if (p->role == STP_ROLE_DISABLED)
        p->block_done = false;
}

/* DISABLED_PORT, ALTERNATE_PORT */
static void be_shut(struct stp *s, struct stp_port *p)
{
    p->block_done = true;
    p->synced = true;
    p->rr_while = 0;
    p->sync = p->re_root = false;
    stp_wake_all(s);
}

/* 17.21.14 setSyncTree */
static void set_sync_tree(struct stp *s)
{
    each_port (s, p)
        p->sync = true;
    stp_wake_all(s);
}

/* 17.21.15 setReRootTree */
static void set_re_root_tree(struct stp *s)
{
    each_port (s, p)
        p->re_root = true;
    stp_wake_all(s);
}

/* 17.20.3 */
static bool all_synced(const struct stp *s)
{
    each_port (s, p) {
        if (!p->selected || p->updt_info || p->role != p->selected_role)
            return false;
        if (p->role != STP_ROLE_ROOT && !p->synced)
            return false;
    }
    return true;
}

/* 17.20.10 */
static bool re_rooted(const struct stp *s, const struct stp_port *root)
{
    each_port (s, p)
        if (p != root && rr_running(s, p))
            return false;
    return true;
}

static void agree(struct stp *s, struct stp_port *p)
{
    p->proposed = p->sync = false;
    p->agree = true;
    p->new_info = true;
    stp_wake_all(s);
}

/* ROOT_PROPOSED and ROOT_AGREED, ALTERNATE_PROPOSED and ALTERNATE_AGREED */
static bool handshake(struct stp *s, struct stp_port *p)
{
    if (p->agree && !p->proposed)
        return false;
    if (p->agree || all_synced(s)) {
        agree(s, p);
        return true;
    }
    if (!p->proposed)
        return false;
    set_sync_tree(s);
    p->proposed = false;
    return true;
}

/* Figure 17-20. */
static bool disabled_role(struct stp *s, struct stp_port *p)
{
    if (!p->block_done && (p->learning || p->forwarding))
        return false;
    if (p->block_done && !p->sync && !p->re_root && p->synced)
        return false;
    be_shut(s, p);
    return true;
}

/* Figure 17-23: nothing is agreed to before the port itself discards. */
static bool blocked_role(struct stp *s, struct stp_port *p)
{
    if (!p->block_done || p->sync || p->re_root || !p->synced)
        return disabled_role(s, p);
    return handshake(s, p);
}

/* Figure 17-21: may the root port go on to the next state? */
static bool root_may(const struct stp *s, const struct stp_port *p,
                     enum stp_cause *why)
{
    if (rstp_version(s) && !rb_running(s, p) && re_rooted(s, p)) {
        *why = STP_CAUSE_ROOT;
        return true;
    }
    *why = STP_CAUSE_DELAY;
    return !running(s, p->fd_while);
}

static bool root_role(struct stp *s, struct stp_port *p)
{
    enum stp_cause why;

    if (handshake(s, p))
        return true;
    if (!p->forward && !p->re_root) {
        set_re_root_tree(s); /* REROOT */
        return true;
    }
    if (p->forward && p->re_root) {
        p->re_root = false; /* REROOTED */
        return true;
    }
    if (p->forward || !root_may(s, p, &why))
        return false;
    because(p, why);
    if (!p->learn) { /* ROOT_LEARN */
        p->fd_while = s->now + forward_delay(p);
        p->learn = true;
    } else { /* ROOT_FORWARD */
        p->fd_while = 0;
        p->forward = true;
    }
    return true;
}

/* Designated ports: is it time to learn or forward, and why? */
static bool designated_may(const struct stp *s, const struct stp_port *p,
                           enum stp_cause *why)
{
    if ((p->re_root && rr_running(s, p)) || p->sync || stp_guard_shuts(s, p))
        return false;
    if (p->oper_edge)
        *why = p->config.bpdu_filter ? STP_CAUSE_FILTER : STP_CAUSE_EDGE;
    else if (p->agreed)
        *why = STP_CAUSE_AGREED;
    else
        *why = STP_CAUSE_DELAY;
    return p->oper_edge || p->agreed || !running(s, p->fd_while);
}

/* ... or time to shut? */
static bool designated_must_shut(const struct stp *s, const struct stp_port *p,
                                 enum stp_cause *why)
{
    bool sync = (p->sync && !p->synced) || (p->re_root && rr_running(s, p));
    bool dispute = p->disputed && running(s, p->dispute_until);

    if (stp_guard_shuts(s, p)) {
        *why = STP_CAUSE_GUARD;
        return true;
    }
    *why = dispute ? STP_CAUSE_DISPUTE : STP_CAUSE_SYNC;
    return !p->oper_edge && (dispute || sync);
}

static void designated_discard(struct stp *s, struct stp_port *p,
                               enum stp_cause why)
{
    because(p, why);
    p->learn = p->forward = p->disputed = false;
    if (p->learning || p->forwarding) /* as in shut() */
        p->synced = false;
    p->fd_while = s->now + forward_delay(p);
}

static void designated_open(struct stp *s, struct stp_port *p,
                            enum stp_cause why)
{
    bool agreed =
        why == STP_CAUSE_AGREED && p->state_cause.why == STP_CAUSE_AGREED;

    if (!agreed) /* else the cause knows who it was */
        because(p, why);
    if (!p->learn) { /* DESIGNATED_LEARN */
        p->learn = true;
        p->fd_while = s->now + forward_delay(p);
    } else { /* DESIGNATED_FORWARD */
        p->forward = true;
        p->fd_while = 0;
        /* Figure 17-22 sets it to sendRSTP.  Opened by forward delay, the port
         * would count as agreed with and not be shut when this bridge agrees
         * elsewhere, though nobody has agreed to anything. */
        p->agreed = p->agreed && p->send_rst;
    }
}

/* Figure 17-22. */
static bool designated_role(struct stp *s, struct stp_port *p)
{
    enum stp_cause why;

    if (!p->forward && !p->agreed && !p->proposing && !p->oper_edge) {
        p->proposing = true; /* DESIGNATED_PROPOSE */
        p->edge_delay_while = s->now + edge_delay(p);
        p->new_info = true;
        return true;
    }
    if ((!p->learning && !p->forwarding && !p->synced) ||
        (p->agreed && !p->synced) || (p->oper_edge && !p->synced) ||
        (p->sync && p->synced)) {
        p->rr_while = 0; /* DESIGNATED_SYNCED */
        p->synced = true;
        p->sync = false;
        stp_wake_all(s);
        return true;
    }
    if (p->re_root && !rr_running(s, p)) {
        p->re_root = false; /* DESIGNATED_RETIRED */
        return true;
    }
    if ((p->learn || p->forward) && designated_must_shut(s, p, &why)) {
        designated_discard(s, p, why);
        return true;
    }
    if (p->forward || !designated_may(s, p, &why))
        return false;
    designated_open(s, p, why);
    return true;
}

static bool change_role(struct stp *s, struct stp_port *p)
{
    if (is_shut(p->selected_role))
        shut(s, p);
    else
        take_role(s, p);
    return true;
}

bool stp_role_step(struct stp *s, struct stp_port *p)
{
    if (!p->selected || p->updt_info)
        return false;
    if (p->role != p->selected_role)
        return change_role(s, p);
    switch (p->role) {
    case STP_ROLE_DISABLED:
        return disabled_role(s, p);
    case STP_ROLE_ROOT:
        return root_role(s, p);
    case STP_ROLE_DESIGNATED:
        return designated_role(s, p);
    case STP_ROLE_ALTERNATE:
    case STP_ROLE_BACKUP:
        return blocked_role(s, p);
    }
    return false;
}
