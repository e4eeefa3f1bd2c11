/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machines that look at a port's neighbour: port receive, port protocol
 * migration, bridge detection (802.1D-2004, 17.23 to 17.25).
 */
#include "switch/stp/engine.h"

/* 17.21.22 updtBPDUVersion */
static void note_version(struct stp_port *p)
{
    if (p->msg.type == BPDU_RST)
        p->rcvd_rst = true;
    else
        p->rcvd_stp = true;
}

/*
 * 17.23, figure 17-12.  The engine takes one BPDU at a time, so that rcvdMsg
 * is never set here.  While the port is disabled, edgeDelayWhile stays at
 * MigrateTime: it runs from the moment that the port is enabled.
 */
bool stp_receive(struct stp *s, struct stp_port *p)
{
    if (!p->enabled) {
        p->rcvd_bpdu = p->rcvd_rst = p->rcvd_stp = p->rcvd_msg = false;
        p->edge_delay_while = s->now + MIGRATE_TIME;
        return false;
    }
    if (!p->rcvd_bpdu || p->rcvd_msg)
        return false;
    note_version(p);
    p->oper_edge = p->rcvd_bpdu = false;
    p->rcvd_msg = true;
    p->edge_delay_while = s->now + MIGRATE_TIME;
    return true;
}

static void sense_again(struct stp *s, struct stp_port *p)
{
    p->migration = MIGRATION_CHECKING;
    p->mcheck = false;
    p->send_rst = rstp_version(s);
    p->mdelay_while = s->now + MIGRATE_TIME;
}

/* 17.24, figure 17-13. */
bool stp_migrate(struct stp *s, struct stp_port *p)
{
    switch (p->migration) {
    case MIGRATION_CHECKING:
        if (!p->enabled) { /* mdelayWhile stays at MigrateTime */
            p->mdelay_while = s->now + MIGRATE_TIME;
            return false;
        }
        if (running(s, p->mdelay_while))
            return false;
        break;
    case MIGRATION_STP:
        if (running(s, p->mdelay_while) && p->enabled && !p->mcheck)
            return false;
        break;
    case MIGRATION_SENSING:
        if (!p->enabled || p->mcheck ||
            (rstp_version(s) && !p->send_rst && p->rcvd_rst)) {
            sense_again(s, p);
            return true;
        }
        if (!p->send_rst || !p->rcvd_stp)
            return false;
        p->migration = MIGRATION_STP;
        p->send_rst = false;
        p->mdelay_while = s->now + MIGRATE_TIME;
        return true;
    }
    p->migration = MIGRATION_SENSING;
    p->rcvd_rst = p->rcvd_stp = false;
    return true;
}

/* Nobody answers our proposals. */
static bool nobody_there(const struct stp *s, const struct stp_port *p)
{
    return !running(s, p->edge_delay_while) && p->config.auto_edge &&
           p->send_rst && p->proposing && !stp_guard_shuts(s, p);
}

static bool is_edge(const struct stp *s, const struct stp_port *p)
{
    if (p->config.bpdu_filter && p->enabled)
        return true;
    if (p->config.assurance)
        return false; /* a bridge is expected there */
    if (!p->enabled)
        return p->config.admin_edge;
    return p->oper_edge || nobody_there(s, p);
}

/* 17.25, figure 17-14.  A port that hears no BPDUs has no bridge behind it. */
bool stp_detect(struct stp *s, struct stp_port *p)
{
    bool was = p->oper_edge;

    p->oper_edge = is_edge(s, p);
    return p->oper_edge != was;
}
