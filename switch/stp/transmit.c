/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port transmit (802.1D-2004, 17.26): what a port says, and how often it may.
 */
#include "switch/stp/engine.h"

static uint8_t role_flags(const struct stp_port *p)
{
    switch (p->role) {
    case STP_ROLE_ROOT:
        return BPDU_ROLE_ROOT << BPDU_ROLE_SHIFT;
    case STP_ROLE_DESIGNATED:
        return BPDU_ROLE_DESIGNATED << BPDU_ROLE_SHIFT;
    case STP_ROLE_ALTERNATE:
    case STP_ROLE_BACKUP:
        return BPDU_ROLE_ALTERNATE_BACKUP << BPDU_ROLE_SHIFT;
    case STP_ROLE_DISABLED:
        break;
    }
    return 0;
}

/*
 * How long until txCount goes down by one.  The standard's second is also the
 * shortest hello time: hellos alone would then keep the count where a burst
 * has left it, and there were no BPDU left for the next change.
 */
static uint64_t tx_period(const struct stp_port *p)
{
    return hello_time(p) < 2 * NS_PER_SECOND ? NS_PER_SECOND / 2
                                             : NS_PER_SECOND;
}

static void send(struct stp *s, struct stp_port *p, struct bpdu *b)
{
    b->vector = p->designated;
    b->times = p->designated_times;
    bpdu_encode(b, &p->config.mac, stp_do(s, STP_DO_SEND, p->number)->frame);
    if (p->tx_count++ == 0)
        p->tx_tick = s->now + tx_period(p);
    p->new_info = false;
}

/* 17.21.20 txRstp */
static void send_rst(struct stp *s, struct stp_port *p)
{
    struct bpdu b = {.version = 2, .type = BPDU_RST, .flags = role_flags(p)};

    if (p->agree)
        b.flags |= BPDU_AGREEMENT;
    if (p->proposing)
        b.flags |= BPDU_PROPOSAL;
    if (running(s, p->tc_while))
        b.flags |= BPDU_TC;
    if (p->learning)
        b.flags |= BPDU_LEARNING;
    if (p->forwarding)
        b.flags |= BPDU_FORWARDING;
    send(s, p, &b);
    p->tc_ack = false;
    p->counts.tx_rst++;
}

/* 17.21.19 txConfig */
static void send_config(struct stp *s, struct stp_port *p)
{
    struct bpdu b = {.type = BPDU_CONFIG};

    if (running(s, p->tc_while))
        b.flags |= BPDU_TC;
    if (p->tc_ack)
        b.flags |= BPDU_TC_ACK;
    send(s, p, &b);
    p->tc_ack = false;
    p->counts.tx_config++;
}

/* 17.21.21 txTcn */
static void send_tcn(struct stp *s, struct stp_port *p)
{
    struct bpdu b = {.type = BPDU_TCN};

    send(s, p, &b);
    p->counts.tx_tcn++;
}

/*
 * What a root port has to tell an STP neighbour is a topology change and
 * nothing else.  The standard's figure sends a TCN for any newInfo, an
 * agreement's too, and so makes such neighbours forget addresses for nothing.
 */
static void send_to_stp(struct stp *s, struct stp_port *p)
{
    if (p->role == STP_ROLE_DESIGNATED)
        send_config(s, p);
    else if (p->role == STP_ROLE_ROOT && running(s, p->tc_while))
        send_tcn(s, p);
    else
        p->new_info = false;
}

/* TRANSMIT_PERIODIC.  Bridge assurance: every port says that it is there. */
static bool says_hello(const struct stp *s, const struct stp_port *p)
{
    if (p->role == STP_ROLE_DISABLED)
        return false;
    return p->role == STP_ROLE_DESIGNATED || p->config.assurance ||
           (p->role == STP_ROLE_ROOT && running(s, p->tc_while));
}

void stp_transmit_tick(struct stp *s, struct stp_port *p)
{
    while (p->tx_count > 0 && !running(s, p->tx_tick)) {
        p->tx_count--;
        p->tx_tick += tx_period(p);
    }
}

/* Figure 17-17. */
bool stp_transmit(struct stp *s, struct stp_port *p)
{
    if (!p->selected || p->updt_info)
        return false;
    if (p->config.bpdu_filter || !p->enabled) {
        p->new_info = false;
        p->hello_when = 0;
        return false;
    }
    if (!running(s, p->hello_when)) {
        p->new_info |= says_hello(s, p);
        p->hello_when = s->now + hello_time(p);
        return true;
    }
    if (!p->new_info || p->tx_count >= s->config.tx_hold_count)
        return false;
    if (p->send_rst)
        send_rst(s, p);
    else
        send_to_stp(s, p);
    p->hello_when = s->now + hello_time(p);
    return true;
}
