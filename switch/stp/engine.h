/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the spanning tree engine: the variables of 802.1D-2004, 17.15
 * to 17.20, under the standard's names, and one function for each state
 * machine (17.22 to 17.31).
 *
 * A machine's function makes at most one transition and returns true if it
 * made one; stp.c calls all of them until none does.  Conditions and actions
 * stand as in the standard's figures, whose numbers are at the functions.
 *
 * Timers are deadlines (nanoseconds) where the standard counts seconds down: a
 * timer is zero when its deadline has passed.  Four timers that the standard
 * sets again and again while a port is in some role ("rrWhile != FwdDelay",
 * 17.29) are "held" meanwhile instead: see held timers below.
 *
 * Nobody outside switch/stp/ includes this.
 */
#ifndef SWITCH_STP_ENGINE_H
#define SWITCH_STP_ENGINE_H

#include "switch/stp/stp.h"

#define NS_PER_SECOND 1000000000ULL
#define MIGRATE_TIME  (3 * NS_PER_SECOND) /* 17.13.9 */

enum info_is { /* 17.19.10 */
               INFO_DISABLED,
               INFO_AGED,
               INFO_MINE,
               INFO_RECEIVED
};

/* States of machines that differ in more than what variables say. */
enum migration_state { MIGRATION_CHECKING, MIGRATION_STP, MIGRATION_SENSING };
enum change_state { CHANGE_INACTIVE, CHANGE_LEARNING, CHANGE_ACTIVE };

/* What came in the BPDU being worked on (17.19.14, 17.19.15). */
enum received_info { /* 17.21.8 */
                     RECEIVED_OTHER,
                     RECEIVED_SUPERIOR_DESIGNATED,
                     RECEIVED_REPEATED_DESIGNATED,
                     RECEIVED_INFERIOR_DESIGNATED,
                     RECEIVED_NOT_DESIGNATED
};

struct cause {
    enum stp_cause why;
    uint16_t port;
    uint64_t bridge;
};

struct stp_port {
    uint16_t number; /* 0: there is no such port */
    uint16_t next;   /* in use, in number order; 0: the last */
    bool todo;       /* its machines may have something to do */
    unsigned seen;   /* stp.wakes when they last ran */
    bool knows;      /* it has learned since it was last flushed when shut */
    bool flush_due;  /* ... and is to forget it, once it learns no more */
    struct stp_port_config config;

    /* machines */
    enum migration_state migration;
    enum change_state change;
    bool block_done; /* PRT: in DISABLED_PORT or ALTERNATE_PORT, not on the
                        way (DISABLE_PORT, BLOCK_PORT) */

    /* 17.19, per port variables */
    bool agree, agreed, disputed, proposed, proposing;
    bool learn, forward;       /* wanted */
    bool learning, forwarding; /* in force, or not known not to be */
    bool enabled;              /* portEnabled */
    bool mcheck, new_info, oper_edge;
    bool rcvd_bpdu, rcvd_msg, rcvd_rst, rcvd_stp;
    bool rcvd_tc, rcvd_tc_ack, rcvd_tcn;
    bool reselect, selected, updt_info;
    bool re_root, sync, synced;
    bool send_rst; /* sendRSTP */
    bool tc_ack, tc_prop;
    enum info_is info_is;
    enum stp_role role, selected_role;
    struct stp_vector designated, port_priority;
    struct stp_times designated_times, port_times;
    struct bpdu msg;
    uint64_t msg_at; /* when it came */
    unsigned tx_count;

    /* 17.17, deadlines */
    uint64_t edge_delay_while, fd_while, hello_when, mdelay_while, rb_while,
        rcvd_info_while, rr_while, tc_while;
    uint64_t tx_tick; /* when txCount is next decremented (17.22) */

    /* ours */
    bool applying;     /* discarding was asked for and is not in force yet */
    bool heard;        /* a BPDU has come since the port was enabled */
    bool quiet;        /* bridge assurance: silence for three hello times */
    bool loop_suspect; /* loop guard: silence on a port that was shut */
    bool bpdu_seen;    /* BPDU guard: error-disabled */
    uint64_t dispute_until; /* disputed counts until then */
    uint64_t self_until;    /* it hears itself, until then */
    uint64_t assured_until; /* bridge assurance: silence begins */
    uint64_t told_until;    /* a neighbour tells of a topology change */
    uint64_t recover_at;    /* from error-disabled; 0: not by itself */
    enum stp_guard shown_guard;
    bool shown_edge, shown_stp;
    enum stp_role shown_role;
    struct cause state_cause;
    struct stp_counts counts;
};

struct stp {
    uint16_t ports;
    uint16_t first; /* in use, in number order; 0: none */
    bool configured;
    struct stp_config config;
    uint64_t now;
    struct stp_actions *out; /* of this step */

    /* 17.18, per bridge variables */
    uint16_t root_port; /* its number; 0: none */
    struct stp_vector root;
    struct stp_times root_times;
    bool roles_due;   /* some port's reselect is set */
    bool tc_due;      /* tcProp is to be set: */
    uint16_t tc_from; /* ... not in this port; 0: in all */
    unsigned wakes;   /* counts stp_wake_all, whatever the number of ports */

    struct cause cause;      /* of what happens in this step */
    struct cause tree_cause; /* ... of the roles as they are to be */
    uint64_t shown_root;
    uint16_t shown_root_port;
    uint64_t fast_until; /* fast ageing; 0: not */
    uint64_t changes, change_at;
    uint16_t change_port;
    struct stp_port *port; /* [number]; [0] is not used */
};

#define each_port(s, p)                                                        \
    for (struct stp_port *p = (s)->first ? &(s)->port[(s)->first] : NULL; p;   \
         p = p->next ? &(s)->port[p->next] : NULL)

/* ---- time ---- */

static inline uint64_t ns_of(uint32_t t) /* 1/256 s */
{
    return t * (NS_PER_SECOND / STP_SECOND);
}

static inline bool running(const struct stp *s, uint64_t deadline)
{
    return deadline > s->now;
}

/* 17.20: parameters by the standard's names; times in ns. */
static inline uint64_t hello_time(const struct stp_port *p)
{
    return ns_of(p->designated_times.hello);
}

static inline uint64_t fwd_delay(const struct stp_port *p)
{
    return ns_of(p->designated_times.forward_delay);
}

static inline uint64_t max_age(const struct stp_port *p)
{
    return ns_of(p->designated_times.max_age);
}

/* 17.20.5 */
static inline uint64_t forward_delay(const struct stp_port *p)
{
    return p->send_rst ? hello_time(p) : fwd_delay(p);
}

/* 17.20.4 */
static inline uint64_t edge_delay(const struct stp_port *p)
{
    return p->config.p2p ? MIGRATE_TIME : max_age(p);
}

/* 17.20.11 */
static inline bool rstp_version(const struct stp *s)
{
    return s->config.force_version >= 2;
}

/*
 * Held timers.  rrWhile stays at FwdDelay in a root port, rbWhile at twice
 * HelloTime in a backup port, fdWhile at its start in ports that are shut:
 * it runs from the moment that the port leaves that role (transition.c).
 */
static inline bool rr_running(const struct stp *s, const struct stp_port *p)
{
    return p->role == STP_ROLE_ROOT || running(s, p->rr_while);
}

static inline bool rb_running(const struct stp *s, const struct stp_port *p)
{
    return p->role == STP_ROLE_BACKUP || running(s, p->rb_while);
}

/* ---- what machines share (stp.c) ---- */

/* MAC_Operational (portEnabled) is as config and guards have it; timers of a
 * port that comes up start. */
void stp_enable(struct stp *s, struct stp_port *p);

/* Something that other ports' conditions look at has changed. */
void stp_wake_all(struct stp *s);
/* The port's information has changed: roles are selected anew. */
void stp_reselect(struct stp *s, struct stp_port *p);
/* The cause of what follows in this step, and of the tree's next change. */
void stp_blame(struct stp *s, enum stp_cause why, uint16_t port,
               uint64_t bridge);
/* The next action; there is always room for one. */
struct stp_action *stp_do(struct stp *s, enum stp_action_type type,
                          uint16_t port);
/* A note about the port, or the bridge (NULL); its cause filled in. */
struct stp_note *stp_tell(struct stp *s, const struct stp_port *p,
                          enum stp_note_type type, const struct cause *why);
/* The port's role, unless it has been told of already. */
void stp_tell_role(struct stp *s, struct stp_port *p);

/* ---- machines ---- */

bool stp_receive(struct stp *s, struct stp_port *p);     /* 17.23, receive.c */
bool stp_migrate(struct stp *s, struct stp_port *p);     /* 17.24 */
bool stp_detect(struct stp *s, struct stp_port *p);      /* 17.25 */
bool stp_information(struct stp *s, struct stp_port *p); /* 17.27, info.c */
void stp_select_roles(struct stp *s);                    /* 17.28, roles.c */
bool stp_leads_better(const struct stp *s, const struct stp_port *p);
struct stp_vector stp_path_by(const struct stp_port *p);
bool stp_role_step(struct stp *s, struct stp_port *p);  /* 17.29 */
bool stp_state_step(struct stp *s, struct stp_port *p); /* 17.30 */
bool stp_change(struct stp *s, struct stp_port *p);     /* 17.31, change.c */
bool stp_forget(struct stp *s, struct stp_port *p);
bool stp_transmit(struct stp *s, struct stp_port *p); /* 17.26, transmit.c */

/* change.c: setTcPropTree (17.21.18), for all that asked for it. */
void stp_tc_prop_tree(struct stp *s);
/* transmit.c: the clock of txCount. */
void stp_transmit_tick(struct stp *s, struct stp_port *p);

/* ---- guards (guard.c) ---- */

/* A good BPDU came.  False: a guard has taken it. */
bool stp_guard_admit(struct stp *s, struct stp_port *p, const struct bpdu *b);
/* ... and is a neighbour's, and not void. */
void stp_guard_heard(struct stp *s, struct stp_port *p);
/* Out of error-disabled, and of what waits for a BPDU. */
void stp_guard_release(struct stp *s, struct stp_port *p);
/* The time of recovery was changed. */
void stp_guard_retime(struct stp *s, struct stp_port *p);
/* Information was not renewed (17.27, AGED). */
void stp_guard_aged(struct stp_port *p);
/* The port is enabled, or disabled: all forgotten. */
void stp_guard_reset(struct stp *s, struct stp_port *p);
/* Time has passed. */
bool stp_guard_tick(struct stp *s, struct stp_port *p);
/* What keeps it shut. */
enum stp_guard stp_guard_of(const struct stp *s, const struct stp_port *p);
/* Is a designated port to stay shut? */
static inline bool stp_guard_shuts(const struct stp *s,
                                   const struct stp_port *p)
{
    enum stp_guard g = stp_guard_of(s, p);

    return g != STP_GUARD_NONE && g != STP_GUARD_ROOT;
}

#endif
