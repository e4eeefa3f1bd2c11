/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port information (802.1D-2004, 17.27): what a port knows of the tree, its
 * own or received, and when it is void.
 */
#include "switch/stp/engine.h"

/* Configuration BPDUs, and RST BPDUs that say no role, are designated ports'
 * (9.3.3, note). */
static bool from_designated(const struct bpdu *b)
{
    if (b->type == BPDU_CONFIG)
        return true;
    return b->type == BPDU_RST && (bpdu_role(b) == BPDU_ROLE_DESIGNATED ||
                                   bpdu_role(b) == BPDU_ROLE_UNKNOWN);
}

/* 17.6: a designated port's word about itself replaces its last one, even if
 * it is worse. */
static bool same_sender(const struct stp_vector *a, const struct stp_vector *b)
{
    const uint64_t address = 0xffffffffffffULL;

    return (a->bridge & address) == (b->bridge & address) &&
           STP_PORT_NUMBER(a->port) == STP_PORT_NUMBER(b->port);
}

#define HELLO_MIN         STP_SECOND
#define FORWARD_DELAY_MIN (2 * STP_SECOND)

/*
 * What recordTimes (17.21.13) would make of the message.  Bridges are to be
 * found that say a forward delay of zero; to ignore them would make a loop,
 * and to believe them would too, so that delay has its least, as hello has.
 */
static struct stp_times recorded(const struct bpdu *b)
{
    struct stp_times t = b->times;

    if (t.hello < HELLO_MIN)
        t.hello = HELLO_MIN;
    if (t.forward_delay < FORWARD_DELAY_MIN)
        t.forward_delay = FORWARD_DELAY_MIN;
    return t;
}

/* 17.21.8 rcvInfo */
static enum received_info judge(const struct stp_port *p)
{
    const struct bpdu *b = &p->msg;
    struct stp_times times = recorded(b);
    int order;

    if (b->type == BPDU_TCN)
        return RECEIVED_OTHER;
    order = stp_vector_compare(&b->vector, &p->port_priority);
    if (!from_designated(b))
        return order >= 0 ? RECEIVED_NOT_DESIGNATED : RECEIVED_OTHER;
    if (order == 0 && stp_times_same(&times, &p->port_times))
        return p->info_is == INFO_RECEIVED ? RECEIVED_REPEATED_DESIGNATED
                                           : RECEIVED_OTHER;
    if (order <= 0 || same_sender(&b->vector, &p->port_priority))
        return RECEIVED_SUPERIOR_DESIGNATED;
    return RECEIVED_INFERIOR_DESIGNATED;
}

/* 17.21.1 betterorsameInfo */
static bool better_or_same(const struct stp_port *p, enum info_is what)
{
    const struct stp_vector *v =
        what == INFO_RECEIVED ? &p->msg.vector : &p->designated;

    return p->info_is == what && stp_vector_compare(v, &p->port_priority) <= 0;
}

/* 17.21.11 recordProposal */
static void record_proposal(struct stp_port *p)
{
    if (p->msg.type == BPDU_RST && (p->msg.flags & BPDU_PROPOSAL) &&
        bpdu_role(&p->msg) == BPDU_ROLE_DESIGNATED)
        p->proposed = true;
}

/*
 * 17.21.10 recordDispute: the neighbour thinks worse of the tree than we do,
 * and yet forwards: it does not hear us.  Or our word is under way to it; then
 * it will not say so again, and the dispute is void as other information is.
 */
static void record_dispute(struct stp *s, struct stp_port *p)
{
    if (p->msg.type == BPDU_RST && p->msg.flags & BPDU_LEARNING) {
        p->disputed = true;
        p->dispute_until = s->now + 3 * hello_time(p);
        p->agreed = false;
    }
}

/*
 * Is it this that the neighbour agrees to?  An agreement does not say, and one
 * to what we said before may have been under way when we said something worse.
 * Whoever agrees to what we have told names the same root; its root port is
 * one hop further from it; and if it is this bridge, it says what we say.
 */
static bool agrees_to_this(const struct stp *s, const struct stp_port *p)
{
    const struct bpdu *b = &p->msg;
    int hop = b->times.message_age - p->port_times.message_age;

    if (p->new_info && p->tx_count >= s->config.tx_hold_count)
        return false; /* it has not been told yet */
    if (b->vector.root != p->port_priority.root)
        return false;
    if (b->vector.bridge == s->config.id)
        return b->vector.cost == p->port_priority.cost;
    return bpdu_role(b) != BPDU_ROLE_ROOT ||
           (hop > STP_SECOND / 2 && hop <= STP_SECOND * 3 / 2);
}

/* 17.21.9 recordAgreement */
static void record_agreement(struct stp *s, struct stp_port *p)
{
    bool was = p->agreed;

    p->disputed = false; /* it hears us */
    p->agreed = rstp_version(s) && p->config.p2p && p->msg.type == BPDU_RST &&
                p->msg.flags & BPDU_AGREEMENT && agrees_to_this(s, p);
    if (p->agreed)
        p->proposing = false;
    if (p->agreed && !was)
        p->state_cause = (struct cause){.why = STP_CAUSE_AGREED,
                                        .bridge = p->msg.vector.bridge};
}

/* 17.21.17 setTcFlags */
static void set_tc_flags(struct stp_port *p)
{
    if (p->msg.flags & BPDU_TC)
        p->rcvd_tc = true;
    if (p->msg.type == BPDU_CONFIG && p->msg.flags & BPDU_TC_ACK)
        p->rcvd_tc_ack = true;
}

/* 17.21.23 updtRcvdInfoWhile.  Ages are whole seconds behind the first hop. */
static void hold_information(struct stp *s, struct stp_port *p)
{
    uint32_t age = p->port_times.message_age + STP_SECOND;

    age = (age + STP_SECOND / 2) / STP_SECOND * STP_SECOND;
    if (age <= p->port_times.max_age)
        p->rcvd_info_while = s->now + 3 * ns_of(p->port_times.hello);
    else
        p->rcvd_info_while = 0;
}

/* ---- the machine's states ---- */

static void disable(struct stp *s, struct stp_port *p)
{
    p->rcvd_msg = false;
    p->proposing = p->proposed = p->agree = p->agreed = false;
    p->disputed = false; /* that was another link */
    p->rcvd_info_while = 0;
    p->info_is = INFO_DISABLED;
    stp_reselect(s, p);
}

static void aged(struct stp *s, struct stp_port *p)
{
    /* Information that was void as it came is no silence. */
    if (p->info_is == INFO_RECEIVED && p->rcvd_info_while) {
        stp_blame(s, STP_CAUSE_AGED, p->number, p->port_priority.bridge);
        stp_guard_aged(p);
    }
    p->info_is = INFO_AGED;
    stp_reselect(s, p);
}

static void update(struct stp *s, struct stp_port *p)
{
    p->proposing = p->proposed = false;
    p->agreed = p->agreed && better_or_same(p, INFO_MINE);
    p->synced = p->synced && p->agreed;
    p->port_priority = p->designated;
    p->port_times = p->designated_times;
    p->updt_info = false;
    p->info_is = INFO_MINE;
    p->new_info = true;
    stp_wake_all(s);
}

static void superior_designated(struct stp *s, struct stp_port *p)
{
    bool better = p->info_is != INFO_RECEIVED ||
                  stp_vector_compare(&p->msg.vector, &p->port_priority) < 0;

    p->agreed = p->proposing = false;
    record_proposal(p);
    set_tc_flags(p);
    p->agree = p->agree && better_or_same(p, INFO_RECEIVED);
    p->port_priority = p->msg.vector; /* 17.21.12 recordPriority */
    p->port_times = recorded(&p->msg);
    hold_information(s, p);
    p->info_is = INFO_RECEIVED;
    stp_blame(s, better ? STP_CAUSE_BETTER : STP_CAUSE_CHANGED, p->number,
              p->msg.vector.bridge);
    stp_reselect(s, p);
}

static void receive(struct stp *s, struct stp_port *p)
{
    switch (judge(p)) {
    case RECEIVED_SUPERIOR_DESIGNATED:
        superior_designated(s, p);
        break;
    case RECEIVED_REPEATED_DESIGNATED:
        record_proposal(p);
        set_tc_flags(p);
        hold_information(s, p);
        break;
    case RECEIVED_INFERIOR_DESIGNATED:
        record_dispute(s, p);
        /* The standard waits for its hello time; 802.1D-1998 replied at once
         * (8.6.9), and so do we: a neighbour whose port is new need not wait */
        p->new_info = true;
        break;
    case RECEIVED_NOT_DESIGNATED:
        record_agreement(s, p);
        set_tc_flags(p);
        break;
    case RECEIVED_OTHER:
        if (p->msg.type == BPDU_TCN)
            p->rcvd_tcn = true;
        break;
    }
    p->rcvd_msg = false;
}

/* 17.27, figure 17-18. */
bool stp_information(struct stp *s, struct stp_port *p)
{
    if (!p->enabled && p->info_is != INFO_DISABLED) {
        disable(s, p);
    } else if (p->info_is == INFO_DISABLED) {
        if (!p->enabled)
            return false;
        aged(s, p);
    } else if (p->selected && p->updt_info) {
        update(s, p);
    } else if (p->info_is == INFO_RECEIVED && !p->updt_info && !p->rcvd_msg &&
               !running(s, p->rcvd_info_while)) {
        aged(s, p);
    } else if (p->rcvd_msg && !p->updt_info && p->info_is != INFO_AGED) {
        receive(s, p);
    } else {
        return false;
    }
    return true;
}
