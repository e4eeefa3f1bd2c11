/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree of one bridge: RSTP (IEEE Std 802.1D-2004, clause 17),
 * which with force-version 0 is STP, and speaks STP on each port whose
 * neighbour does (17.4).
 *
 * An engine without clock, input, output, locks or allocation: stp_step() is
 * told what happened and when, and says what is to be done, in order.
 * stp_deadline() says when it wants to be told that time has passed.
 *
 * Beside the standard's own root guard (restrictedRole) and TCN guard
 * (restrictedTcn) there are BPDU guard, BPDU filter, loop guard, bridge
 * assurance, and a port that hears itself is shut (guard.c says why).
 *
 * Terms are the standard's: a port's role, state, priority vector.  Numbers of
 * ports are 1 .. ports.  Times: 'now' is in nanoseconds and never goes back;
 * protocol times are in 1/256 s.
 *
 * Threads: one at a time.
 */
#ifndef SWITCH_STP_STP_H
#define SWITCH_STP_STP_H

#include "switch/stp/bpdu.h"

struct stp;

#define STP_NEVER UINT64_MAX

enum stp_role { /* 17.7 */
                STP_ROLE_DISABLED,
                STP_ROLE_ROOT,
                STP_ROLE_DESIGNATED,
                STP_ROLE_ALTERNATE,
                STP_ROLE_BACKUP
};
/* "alternate" */
const char *stp_role_name(enum stp_role r);

enum stp_state { STP_DISCARDING, STP_LEARNING, STP_FORWARDING };
const char *stp_state_name(enum stp_state s);

/* What keeps a port shut whatever its role. */
enum stp_guard {
    STP_GUARD_NONE,
    STP_GUARD_BPDU,      /* BPDU guard: error-disabled until recovery */
    STP_GUARD_ROOT,      /* root guard: a better root behind it */
    STP_GUARD_LOOP,      /* loop guard: BPDUs ceased on a blocked port */
    STP_GUARD_ASSURANCE, /* bridge assurance: no BPDUs for three hello times */
    STP_GUARD_SELF       /* it receives what it sends itself */
};
/* "bpdu-guard" */
const char *stp_guard_name(enum stp_guard g);

/* ---- what it is told ---- */

/* 17.13, 17.20.  Whoever sets it keeps the ranges of switch/switch.h. */
struct stp_config {
    uint64_t id;           /* bridge identifier */
    uint8_t force_version; /* 0: STP, 2: RSTP (17.13.4) */
    uint8_t tx_hold_count; /* BPDUs a second and port, 1 .. 10 (17.13.12) */
    uint16_t hello, max_age, forward_delay;
    uint32_t recovery; /* seconds until an error-disabled port is tried again;
                          0: only when told (STP_MCHECK, link down and up) */
};

struct stp_port_config {
    bool up;        /* MAC_Operational: link, and the bridge is up */
    bool open;      /* it forwards already, from before the tree; looked at when
                       the port is new */
    uint16_t id;    /* port identifier: priority << 10 | number */
    uint32_t cost;  /* 1 .. 200000000 */
    struct mac mac; /* source of its BPDUs */
    bool admin_edge;  /* edge from the start (17.13.1) */
    bool auto_edge;   /* edge when nobody answers (17.13.3) */
    bool p2p;         /* operPointToPointMAC (6.4.3) */
    bool bpdu_guard;  /* a BPDU shuts the port */
    bool bpdu_filter; /* BPDUs are neither sent nor heard; it forwards */
    bool root_guard;  /* restrictedRole: never the root port */
    bool tcn_guard;   /* restrictedTcn: topology changes stop here */
    bool loop_guard;  /* silence does not make a blocked port designated */
    bool assurance;   /* BPDUs are sent and expected whatever the role */
};

/*
 * What a port was in the spanning tree of another bridge, whose place this one
 * takes while its neighbours go on.  They speak STP with it, and so it does
 * until it has found out better (STP_MCHECK, or its link goes down and up): a
 * neighbour of 1998 would not hear anything else, and one whose root port it
 * is would not say so before its max age.
 */
struct stp_heritage {
    bool heard; /* it knew what its neighbour says: */
    struct stp_vector vector;
    struct stp_times times; /* message_age: by now */
};

enum stp_event_type {
    STP_TICK,    /* a deadline has come, or room for more actions */
    STP_BRIDGE,  /* config: the bridge's parameters; the first event of all */
    STP_PORT,    /* port, port_config: it is there, or has changed */
    STP_GONE,    /* port: it has left, and no forwarder knows it any more.  What
                    was asked for before is not to be told as applied when
                    the number is given to another */
    STP_BPDU,    /* port, frame, len: received */
    STP_APPLIED, /* port: the discarding that was asked for is in force */
    STP_CHANGE,  /* act as if the topology had changed */
    STP_MCHECK,  /* port: forget that its neighbour speaks STP (17.19.13), and
                    let it out of a guard */
};

struct stp_event {
    enum stp_event_type type;
    uint16_t port;
    uint64_t now;
    const struct stp_config *config;
    const struct stp_port_config *port_config;
    const struct stp_heritage *heritage; /* of a new port; NULL: it has none.
                                            With port_config.open it goes on
                                            forwarding if its role may */
    const void *frame;                   /* from the destination address on */
    size_t len;
};

/* ---- what it says ---- */

/*
 * Why something changed.  With some come the port that brought it about, and
 * the bridge that a vector names.
 */
enum stp_cause {
    STP_CAUSE_START,     /* the tree was switched on, or begins anew */
    STP_CAUSE_CONFIG,    /* parameters were changed */
    STP_CAUSE_LINK_UP,   /* port */
    STP_CAUSE_LINK_DOWN, /* port */
    STP_CAUSE_GONE,      /* port left */
    STP_CAUSE_BETTER,    /* port, bridge: a better BPDU came */
    STP_CAUSE_CHANGED,   /* port, bridge: the port's neighbour says other
                            than before */
    STP_CAUSE_AGED,      /* port: no BPDU for three hello times */
    STP_CAUSE_EDGE,      /* edge port */
    STP_CAUSE_FILTER,    /* BPDU filter: nobody is asked */
    STP_CAUSE_AGREED,    /* bridge: the neighbour agreed to our proposal */
    STP_CAUSE_DELAY,     /* forward delay is over */
    STP_CAUSE_ROOT,      /* root port, and the old ones are shut */
    STP_CAUSE_ROLE,      /* its role does not forward */
    STP_CAUSE_SYNC,      /* shut until our neighbours agree (17.10) */
    STP_CAUSE_DISPUTE,   /* a neighbour does not hear us (17.21.10) */
    STP_CAUSE_GUARD,     /* the port's guard says so */
    STP_CAUSE_RECOVERED  /* ... and no longer */
};

enum stp_note_type {
    STP_NOTE_ROLE,  /* role, was */
    STP_NOTE_STATE, /* state */
    STP_NOTE_ROOT,  /* the root bridge is another; vector, port: root port */
    STP_NOTE_GUARD, /* guard; yes: it lets the port go on */
    STP_NOTE_EDGE,  /* yes: edge port now; no: no longer */
    STP_NOTE_STP,   /* yes: speaks STP to its neighbour now; no: RSTP */
    STP_NOTE_TC     /* topology change detected, or told of by a neighbour */
};

struct stp_note {
    enum stp_note_type type;
    enum stp_role role, was;
    enum stp_state state;
    enum stp_guard guard; /* which; NOTE_GUARD: it shuts, or (yes) opens */
    bool yes;
    enum stp_cause cause;
    uint16_t cause_port;      /* 0: none */
    uint64_t cause_bridge;    /* 0: none */
    struct stp_vector vector; /* NOTE_ROOT: the root priority vector; NOTE_ROLE:
                                 the port's */
};

enum stp_action_type {
    STP_DO_STATE,  /* port, state.  When discarding is in force for every
                      forwarder, STP_APPLIED is to follow */
    STP_DO_FLUSH,  /* port: forget what was learned there */
    STP_DO_SEND,   /* port, frame */
    STP_DO_AGEING, /* age: ageing time in 1/256 s until told again; 0: as
                      configured */
    STP_DO_TELL    /* port (0: the bridge), note: for people */
};

struct stp_action {
    enum stp_action_type type;
    uint16_t port;
    union {
        enum stp_state state;
        uint16_t age;
        uint8_t frame[BPDU_FRAME_LEN];
        struct stp_note note;
    };
};

/* The caller's memory; n is set by stp_step. */
struct stp_actions {
    struct stp_action *action;
    unsigned n, max; /* max: at least STP_ACTIONS_MIN */
};
#define STP_ACTIONS_MIN 64

/* ---- the engine ---- */

/* For ports 1 .. ports.  NULL when out of memory. */
struct stp *stp_new(uint16_t ports);
void stp_free(struct stp *s);

/*
 * True: there was no room for all actions; carry these out and call again,
 * with STP_TICK and the same time.
 */
bool stp_step(struct stp *s, const struct stp_event *e, struct stp_actions *a);

/* When STP_TICK is due; STP_NEVER. */
uint64_t stp_deadline(const struct stp *s);

/* ---- how it stands ---- */

/* Timers: what is left in nanoseconds; 0: not running. */
struct stp_info {
    struct stp_config config;
    struct stp_vector root; /* the bridge's root priority vector (17.18.6) */
    struct stp_times times; /* root times (17.18.7) */
    uint16_t root_port;     /* number; 0: this is the root */
    bool change;            /* a topology change is being told of */
    bool detected;          /* ... which this bridge has seen and is telling */
    uint64_t changes;       /* topology changes so far */
    uint64_t change_at;     /* time of the last; 0: none yet */
    uint16_t change_port;   /* ... and by which port it came */
    uint64_t hello_timer, tcn_timer, change_timer;
};
void stp_info(const struct stp *s, uint64_t now, struct stp_info *i);

#define STP_COUNT_LIST(X)                                                      \
    X(rx_config, "Configuration BPDUs received")                               \
    X(rx_rst, "RST BPDUs received")                                            \
    X(rx_tcn, "TCN BPDUs received")                                            \
    X(rx_own, "own BPDUs received: the segment loops")                         \
    X(rx_stale, "BPDUs whose message age is over their max age")               \
    X(rx_filtered, "BPDUs received and not heard: BPDU filter")                \
    X(rx_disabled, "BPDUs received on a disabled port")                        \
    X(rx_tc, "BPDUs received that tell of a topology change")                  \
    X(tx_config, "Configuration BPDUs sent")                                   \
    X(tx_rst, "RST BPDUs sent")                                                \
    X(tx_tcn, "TCN BPDUs sent")                                                \
    X(to_forwarding, "changes to forwarding")                                  \
    X(to_discarding, "changes to discarding")

struct stp_counts {
#define X(name, text) uint64_t name;
    STP_COUNT_LIST(X)
#undef X
    uint64_t rx_bad[BPDU_BAD_COUNT];
};

struct stp_port_info {
    struct stp_port_config config;
    enum stp_role role;
    enum stp_state state; /* in force, or about to be */
    enum stp_guard guard;
    bool edge; /* operEdge */
    bool stp;  /* speaks STP, as its neighbour does */
    bool proposing, agreed, synced, disputed;
    bool received; /* the vector is the neighbour's, else ours */
    bool change_ack, config_pending; /* brctl's flags */
    struct stp_vector vector;        /* port priority vector (17.19.21) */
    struct stp_vector designated;    /* what it would send (17.19.4) */
    struct stp_times times;          /* of the port's vector (17.19.22) */
    uint64_t age_timer;   /* until the received information is void */
    uint64_t delay_timer; /* forward delay, while waiting to forward */
    uint64_t hold_timer;  /* until another BPDU may be sent */
    uint64_t recovery_timer;
    uint64_t change_timer; /* topology changes are told until then */
    struct stp_counts counts;
};
/* False: there is no such port. */
bool stp_port_info(const struct stp *s, uint16_t port, uint64_t now,
                   struct stp_port_info *i);

/* ---- words (explain.c) ---- */

/* Names for ports; "port 3" where it is NULL. */
struct stp_names {
    const char *(*name)(void *arg, uint16_t port);
    void *arg;
};

#define STP_TEXT_MAX 160
/* "p3: alternate, better BPDU from 8000.... on p1" */
const char *stp_note_format(const struct stp_note *n, uint16_t port,
                            const struct stp_names *names,
                            char text[STP_TEXT_MAX]);

/*
 * Why a port is in its role: sentences, one a line, with the vectors that
 * were compared.  Returns the length, cut to 'size'.
 */
#define STP_WHY_MAX 2048
size_t stp_why(const struct stp *s, uint16_t port, uint64_t now,
               const struct stp_names *names, char *text, size_t size);

#endif
