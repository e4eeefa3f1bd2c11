/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control side of the switch, inside: bridges, their ports and what one
 * turn of the control thread has changed.  switch/switch.h is the outside.
 *
 * Threads: everything here belongs to the control thread, but for what says
 * otherwise.
 */
#ifndef SWITCH_BRIDGE_H
#define SWITCH_BRIDGE_H

#include "ports/netwatch.h"
#include "ports/tap.h"
#include "switch/job.h"
#include "switch/view.h"
#include "switch/worker.h"

#define WORKERS_MAX    (PORT_TXCTX_MAX - 1)
#define FORWARDERS_MAX PORT_TXCTX_MAX

/* ---- answers ---- */

/* A caller's callback, waiting for its change to be in force. */
struct change {
    struct change *next;
    sw_done done;
    void *arg;
    int rc;
    struct err e;
};

struct changes {
    struct change *head, **tail;
};

/* ---- ports ---- */

/* Discarding that the spanning tree waits for: of a view not yet out, of one
 * whose grace period is under way. */
enum apply_stage { APPLY_NONE, APPLY_WANTED, APPLY_IN_GRACE };

/*
 * The life of a port.  Allowed moves are in life.c.
 *
 *   opening    a job opens the device
 *   attaching  workers start its queues
 *   running    in the view
 *   detaching  out of the view; workers let go of its queues
 *   grace      no forwarder may still hold it after this
 *   closing    a job closes the device
 *   failed     closed, kept, waiting for the device to come back
 *   purging    closed and deleted; its entries leave the table
 *   gone       freed
 */
enum life {
    LIFE_OPENING,
    LIFE_ATTACHING,
    LIFE_RUNNING,
    LIFE_DETACHING,
    LIFE_GRACE,
    LIFE_CLOSING,
    LIFE_FAILED,
    LIFE_PURGING,
    LIFE_GONE,
    LIFE_STATES
};

struct queue {
    struct ingress in;
    struct mail mail;
    struct worker *worker; /* NULL: the control thread's */
    struct bport *p;
    int rc; /* of attach */
    bool attached;
    struct mail freshen;
    bool freshening;       /* ... is under way */
    uint32_t fresh_opened; /* with this */
};

/* Asking a device for its speed; see speed.c. */
struct speed {
    struct job job;
    bool out, again; /* the job is out; the link came up once more since */
    int ifindex;
    uint32_t mbps;
};

/* Finding a tap that has left where it was; see home.c. */
struct home {
    struct job job;
    bool out, again; /* the job is out; it is to begin anew when it ends */
    struct tap_place place;
};

struct setting;

struct bport {
    struct bridge *b;
    struct port *port;
    uint16_t no;
    enum life life;
    bool deleting;             /* on its way to gone */
    bool adding;               /* not yet been running: a failure ends it */
    bool may_wait;             /* ... unless its device is not there yet */
    bool limit_set;            /* its limit of addresses is no default */
    bool edge_set;             /* ... nor whether it is an edge port */
    bool watch_set;            /* ... nor whether addresses are watched for */
    bool hushed;               /* somebody else tells of its device's end */
    bool end_expected;         /* ... which is nothing to warn of */
    bool ready;                /* READY came while it could not be used */
    struct netwatch_ns *watch; /* NULL: no netdev */
    bool from_link;            /* a link change waits for a job to end */
    bool from_gone;            /* ... or one that told that it left did */
    bool stale;                /* its record in the view must be made anew */
    bool in_grace;             /* the grace period it waits for has begun */
    enum bport_state shown;    /* last state told to the observer */
    bool shown_failed;
    struct port_desc desc; /* the kind's, as of the last look */
    unsigned outstanding;  /* answers due: of queues, of who it is lent to */
    unsigned lent;         /* to jobs, while it runs */
    uint32_t param[BPORT_PARAMS];
    char why[160];            /* of the failure */
    char no_link[160];        /* why its link went down; "": not known */
    struct port_caps caps;    /* the kind's, as of its last event */
    struct mac entry;         /* its local entry in the table; 0: none */
    struct lane *lane;        /* [forwarders] */
    struct hold *hold;        /* NULL: never wanted so far */
    struct view_port *record; /* in the view, or to be */
    struct changes on_add, on_del;
    struct job job; /* open or close */
    int job_rc;
    struct err job_err;
    struct speed speed;
    struct home home;
    uint64_t netns;          /* inode, for link changes */
    uint64_t netns_first;    /* ... when it was added */
    struct link_change link; /* see from_link */
    char link_name[PORT_NAME_MAX];
    struct port_losses past; /* kernel's losses before the last open */
    struct queue queue[PORT_QUEUES_MAX + 1];
    /* spanning tree; see tree.c */
    enum stp_role stp_role;
    enum stp_state stp_state;
    bool stp_guarded; /* a guard shuts it */
    enum apply_stage apply;
    uint32_t opened;     /* times that it was shut and is open again */
    uint32_t opened_out; /* ... as of the view that is out */
    struct stp_port_config stp_told; /* to the engine */
    struct bport_heritage heritage;  /* ... when it is first told */
    void *note;                      /* the owner's; see bport_set_note */
    void (*release)(void *note);
    struct snoop_table addresses; /* see addresses.c */
    /* from any thread, under the switch's event lock */
    struct message message;
    unsigned events; /* bits of enum port_event */
    char reason[160];
    char fell[160]; /* the reason of the last DOWN */
};

/* ---- bridges ---- */

/* How the bridge's own interface is. */
struct own_state {
    struct mac mac;
    uint32_t mtu;
    bool carrier;
};

/* What the user may set as well. */
enum own_what { OWN_MAC, OWN_MTU, OWN_WHATS };

/* What a job set, to tell that from what the user sets. */
#define OWN_HISTORY 8
struct own_setting {
    uint64_t time; /* when it ended */
    struct own_state after;
    bool told[OWN_WHATS]; /* the kernel has told of it, or of later ones */
};

/* Setting the bridge's own interface; see own.c. */
struct own {
    struct job job;
    struct bport *setting; /* the job has it; NULL: there is none */
    struct own_state is;   /* as the last job left it, or the kernel told */
    struct own_state doing;
    struct own_state told;  /* by the kernel; of the carrier it is not asked */
    struct changes waiting; /* for what is set with the next view */
    struct changes in_job;
    struct own_setting past[OWN_HISTORY];
    unsigned at; /* of the last job */
};

/* The spanning tree of a bridge; see tree.c. */
struct tree {
    struct stp *stp; /* NULL: it is off */
    struct stp_config told;
    uint16_t age;           /* fast ageing, 1/256 s; 0: none */
    bool known[VIEW_PORTS]; /* to the engine */
    ev_timer timer;
};

struct bridge {
    struct sw *sw;
    struct bridge *next;
    char name[PORT_NAME_MAX];
    int netns_fd;
    uint64_t netns;
    uint32_t number; /* never reused; names the bridge in events */
    bool adding, deleting;
    bool dirty;   /* on the switch's list of bridges to publish */
    bool carrier; /* as the interface is to have it */
    uint32_t param[BRIDGE_PARAMS];
    struct plane plane;
    struct bport *port[VIEW_PORTS]; /* [0]: the interface */
    uint16_t n_ports;
    uint16_t gens[FDB_PORTS];
    bool gen_new[VIEW_PORTS];  /* stepped, and not yet published */
    bool gen_wait[VIEW_PORTS]; /* generations used up: entries must leave */
    unsigned purging;          /* ports and generations that wait for that */
    struct setting *settings;  /* entries that wait for room in the table */
    struct tree tree;
    /* the bridge's own interface, as it is to be */
    struct mac mac, id_mac; /* of the interface; of the bridge id */
    bool mac_set, mtu_set;
    bool unsettled;             /* carrier and MTU are not to be touched */
    char device[PORT_NAME_MAX]; /* its name, if not the bridge's */
    uint32_t mtu;
    struct mac entry; /* local entry of the bridge's own address */
    bool entries_due; /* local entries could not be written: try again */
    struct own own;
    /* housekeeping of the table */
    ev_timer keeper;
    uint64_t grace_wanted;  /* the table waits for one that begins after now */
    uint64_t grace_running; /* ... which is under way */
    uint64_t graces;        /* the last of the table's that has ended */
    struct changes on_add, on_del;
    struct message last; /* all ports are gone: so is the bridge */
};

/* ---- the switch ---- */

struct sw {
    struct ev_loop *loop;
    unsigned n_workers, n_forwarders;
    struct worker *worker[WORKERS_MAX];
    struct forwarder *fwd; /* the control thread's */
    struct inbox inbox;
    struct jobs devices;  /* open and close */
    struct jobs settings; /* for what is open; it must not wait for those */
    struct jobs graces;   /* a thread of its own: devices may take long */
    struct jobs tasks;    /* the owner's; see task.c */
    unsigned n_tasks;     /* added and not yet answered */
    struct netwatch *netwatch;
    pthread_mutex_t event_lock;
    struct bridge *bridges, **bridges_tail;
    uint32_t next_number;
    /* changes of this turn */
    ev_prepare prepare;
    ev_check check;
    ev_idle idle; /* runs while the control forwarder has ready queues */
    struct changes answers; /* need no grace period */
    struct message answer_message;
    struct changes staged; /* answered after the next grace period */
    struct view *retired;
    bool grace_due; /* somebody waits for a grace period */
    bool grace_running;
    struct job grace;
    struct changes in_grace;
    struct view *retired_in_grace;
    /* observers */
    void (*observer)(void *arg, const struct sw_event *e);
    void *observer_arg;
    _Atomic bool observed;
    bool observe_bpdus;
    ev_timer drain; /* events that wait for the next helping */
    /* health */
    uint64_t turn_began;
    uint64_t lag_max, lag_total_max, grace_count, events_lost;
};

/* Copies a text, cut to what fits. */
static inline void text_copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);

    memcpy(to, from, n);
    to[n] = '\0';
}

/* publish.c */
void changes_init(struct changes *c);
void changes_move(struct changes *to, struct changes *from);
/* Calls back with rc and the sentence of each; frees them. */
void changes_run(struct changes *c);
/* NULL, and 'done' has been called with -ENOMEM, when there is no memory. */
struct change *change_new(struct changes *c, sw_done done, void *arg);
/* All of 'c' get this result. */
void changes_fail(struct changes *c, int rc, const struct err *e);
/* Answers in the next turn, without a grace period. */
void sw_answer(struct sw *sw, sw_done done, void *arg, int rc,
               const struct err *e);
void sw_answer_all(struct sw *sw, struct changes *c);
/* Answers after a grace period that begins now or later. */
void sw_stage(struct sw *sw, struct changes *c);
void sw_want_grace(struct sw *sw);
/* The bridge's view is to be published at the end of this turn. */
void bridge_dirty(struct bridge *b);
/* ... this port's record in it is to be made anew; or all of them. */
void bport_dirty(struct bport *p);
void bridge_all_dirty(struct bridge *b);
void publish_start(struct sw *sw);
/* Publishes what is dirty and starts a grace period if one is due. */
void publish_turn(struct sw *sw);

/* birth.c */
/* A port that is not yet in the bridge; NULL with 'rc' and a sentence. */
struct bport *bport_new(struct bridge *b, const struct port_spec *spec,
                        uint16_t no, int *rc, struct err *e);

/* life.c */
void life_open(struct bport *p);
void life_delete(struct bport *p);
/* A grace period is over that began after the port left the view. */
void life_graced(struct bport *p);
/* The port's entries have left the table. */
void life_purged(struct bport *p);
/* A job uses the device of the running port: it is not closed before it is
 * given back. */
void life_lend(struct bport *p);
void life_give_back(struct bport *p);
/* Looks at the device's description, if it may be asked now. */
void life_describe(struct bport *p);

/* fresh.c */
/* The view is out that opens the port: its queues are read empty. */
void life_freshen(struct bport *p);

/* device.c */
/* A link of that namespace has changed. */
void device_link(struct sw *sw, uint64_t netns, const struct link_change *c);

/* state.c */
bool bport_forwarding(const struct bport *p);
/* The state it is to be in; a view may yet have to say so. */
enum bport_state bport_state(const struct bport *p);
/* ... and as people see it: not open before its queues are fresh. */
enum bport_state bport_shown(const struct bport *p);

/* local.c */
/* Follows ports as they come, go and change: address and MTU first, then what
 * depends on their states. */
void local_identity(struct bridge *b);
void local_update(struct bridge *b);
/* The interface itself changed. */
void local_changed(struct bridge *b);
/* ... as the kernel tells; of several such changes, each. */
void local_heard(struct bridge *b, const struct mac *mac, uint32_t mtu);
/* The bridge's and its ports' own addresses into the table. */
void local_entries(struct bridge *b);
bool bridge_up(const struct bridge *b);
/* The port's device is ours, and so is its address. */
struct mac bport_own_mac(const struct bport *p);

/* speed.c */
/* The port's link has come up. */
void speed_ask(struct bport *p);

/* home.c */
/* The port's netdev may not be where it was; if it is no tap, nothing is done.
 */
void home_ask(struct bport *p);

/* own.c */
void own_init(struct bridge *b);
/* The bridge is about to be freed. */
void own_end(struct bridge *b);
/* The interface is open, and like that. */
void own_begin(struct bridge *b, const struct own_state *is);
/* Sets it as the bridge has it, if it is not like that. */
void own_follow(struct bridge *b);
/* To be answered when what the next view brings about is set, and after a grace
 * period. */
void own_wait(struct bridge *b, struct changes *c);
/* The kernel tells how the interface is, or was: true if somebody else made it
 * so. */
bool own_heard(struct bridge *b, const struct own_state *s, enum own_what w);
/* What it has told counts, if there is no job. */
void own_compare(struct bridge *b);

/* table.c */
struct fdb_now table_now(const struct bridge *b);
void table_start(struct bridge *b);
void table_stop(struct bridge *b);
/* Housekeeping is due now. */
void table_kick(struct bridge *b);
/* A grace period the table asked for has ended. */
void table_graced(struct bridge *b);
/* Forgets what the port learned: a new generation, if there is need. */
/* 'always': even if it seems to have learned nothing. */
void table_flush_port(struct bridge *b, uint16_t no, bool always);
/* Everything the table has of a deleted port leaves it; then life_purged. */
void table_purge_port(struct bport *p);
/* Writes an entry now or, when the table must grow first, soon. */
int table_set(struct bridge *b, uint64_t key, const struct fdb_value *v,
              struct changes *told);

/* tree.c */
/* On or off; the bridge is published anew.  -ENOMEM. */
int tree_switch(struct bridge *b, bool on);
/* Tells the engine what has changed of the bridge and its ports. */
void tree_update(struct bridge *b);
/* The port is about to be freed. */
void tree_port_gone(struct bport *p);
/* BPDUs from the forwarders, of all bridges. */
void tree_poll(struct sw *sw);
/* A grace period begins; it has ended. */
void tree_grace(struct bridge *b);
void tree_graced(struct bridge *b);
/* Ageing time in force, 100 ms units. */
uint16_t tree_ageing(const struct bridge *b);
/* Why the tree keeps a port with link from forwarding; "" if it does not. */
const char *tree_why_shut(const struct bport *p);
/* The path cost it has: as set, or by the link's speed. */
uint32_t bport_cost(const struct bport *p);

/* addresses.c */
/* What the forwarders have seen, of all bridges. */
void addresses_poll(struct sw *sw);
/* The port's state or parameters may have changed. */
void addresses_follow(struct bport *p);

/* bridge.c */
struct bridge *bridge_by_number(struct sw *sw, uint32_t number);
/* All its ports are gone. */
void bridge_port_gone(struct bridge *b);
void bridge_ready(struct bridge *b, int rc, const struct err *e);

/* observe.c */
void observe_bridge(struct bridge *b, enum sw_event_type type, const char *fmt,
                    ...) __attribute__((format(printf, 3, 4)));
void observe_port(struct bport *p, enum sw_event_type type, const char *fmt,
                  ...) __attribute__((format(printf, 3, 4)));
#define OBSERVE_VALUE_MAX 16
/* A parameter's value in words, one of up to 'max': of a switch "on", "off". */
const char *observe_value(uint32_t v, uint32_t max,
                          char text[OBSERVE_VALUE_MAX]);
void observe_fdb(struct bridge *b, enum sw_event_type type, uint64_t key,
                 uint16_t port, uint8_t flags);
void observe_address(struct bport *p, const struct snoop_claim *c);
/* Tells the observer if the port's state is not what it was told last. */
void observe_state(struct bport *p);
void observe_start(struct sw *sw);
/* Events of the forwarders, a bounded helping. */
void observe_poll(struct sw *sw);

#endif
