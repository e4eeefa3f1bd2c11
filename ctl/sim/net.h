/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the simulator: bridges, LANs, ports and orders, in arrays that
 * know each other by index.  Nobody outside ctl/sim/ includes this.
 */
#ifndef CTL_SIM_NET_H
#define CTL_SIM_NET_H

#include "ctl/sim/heap.h"
#include "ctl/sim/sim.h"

#define SIM_NAME_MAX      16
#define SIM_BRIDGES_MAX   1024
#define SIM_LANS_MAX      4096
#define SIM_PORTS_MAX     255 /* of a bridge */
#define SIM_ALL_PORTS_MAX (SIM_LANS_MAX * 8)
#define SIM_ORDERS_MAX    10000
#define SIM_NONE          UINT32_MAX
#define SIM_MILLION       1000000U
#define SIM_ACTIONS       256

/*
 * What an engine cannot know, of cables' ends: which of its words the other
 * end has heard (check.h).
 */
struct sim_truth {
    struct stp_vector vector; /* said last */
    uint32_t said;            /* how often it has said something else */
    uint32_t heard;           /* 'said' of the other end, as far as it came */
    bool stale;    /* agreed is set by an answer to an earlier word */
    bool by_timer; /* the state was reached by forward delay */
    /* Until then what its bridge promised others may rest on an agreement here
     * that held no more at the other end. */
    uint64_t relied_until;
};

/* A bridge's port, or a host's. */
struct sim_port {
    uint32_t bridge, lan;
    uint16_t number;
    uint8_t priority; /* 0 .. 63, as brctl has it */
    struct stp_port_config config;
    bool cut;
    bool mute;            /* what it sends is lost */
    bool deaf;            /* what is sent to it is lost */
    bool shared;          /* not point-to-point, whatever the LAN looks like */
    uint64_t up_at;       /* frames sent before do not arrive */
    enum stp_state state; /* what the data plane does */
    uint32_t asked;       /* changes of state asked for so far */
    struct sim_truth truth;
};

struct sim_bridge {
    char name[SIM_NAME_MAX];
    bool host, dead;
    uint16_t priority;
    struct mac mac;
    struct stp_config config;
    struct stp *stp;
    uint16_t ports; /* highest number */
    uint32_t port[SIM_PORTS_MAX + 1];
    uint64_t tick_at; /* when its tick is in the queue; STP_NEVER */
    uint32_t life;    /* events of an earlier life are void */
};

struct sim_lan {
    char name[SIM_NAME_MAX]; /* "": a link, named by its ends */
    uint64_t delay;
    uint32_t loss; /* millionths */
    bool loop;     /* gives frames back to their sender */
    bool cut;
    uint64_t last_at; /* frames do not overtake each other */
    uint32_t *port;
    uint32_t ports;
};

enum sim_what { SIM_BRIDGE, SIM_LAN, SIM_PORT };
struct sim_target {
    enum sim_what what;
    uint32_t index;
};

enum sim_verb {
    SIM_CUT,
    SIM_HEAL,
    SIM_KILL,
    SIM_REVIVE,
    SIM_SET,
    SIM_MCHECK,
    SIM_EXPECT
};

struct sim_order {
    uint64_t at; /* STP_NEVER: an expectation of the end */
    enum sim_verb verb;
    struct sim_target target;
    uint32_t option; /* SIM_SET */
    uint64_t value;
    int role, state; /* SIM_EXPECT; -1: any */
    unsigned line;
    char text[80]; /* as written */
};

enum sim_kind { SIM_TICK, SIM_DELIVER, SIM_APPLIED, SIM_ORDER };

/* A frame under way. */
struct sim_frame {
    uint32_t next; /* free list */
    uint32_t from;
    uint64_t sent;
    uint32_t said, answers; /* sim_truth: of the sender, and what it heard */
    bool agreement;
    uint8_t bytes[BPDU_FRAME_LEN];
};

struct sim {
    char file[64];
    struct sim_bridge *bridge;
    struct sim_lan *lan;
    struct sim_port *port;
    struct sim_order *order;
    uint32_t bridges, lans, ports, orders;
    uint32_t bridge_cap, lan_cap, port_cap, order_cap;

    /* what new ones begin as */
    struct sim_bridge new_bridge;
    struct sim_lan new_lan;
    struct sim_port new_port;
    uint64_t apply; /* until discarding is in force */

    bool started, over;
    uint64_t now, random;
    struct sim_heap heap;
    struct sim_frame *frame;
    uint32_t frames, frame_free; /* free list; SIM_NONE */
    uint32_t orders_left;
    struct stp_action action[SIM_ACTIONS];

    /* checking */
    bool dirty;     /* more forwards than at the last look */
    bool looping;   /* now */
    bool loop_told; /* ... that it lasts too long */
    bool crossed;   /* why it is excused */
    uint64_t loop_since;
    uint64_t lossy_until; /* check.h */
    bool edges;           /* edge ports lead to bridges */
    bool judged;          /* since the last change */
    uint32_t *set;        /* union-find over bridges and LANs */
    struct sim_result result;

    void (*line)(void *arg, const struct sim_line *);
    void *line_arg;
};

/* ---- net.c: building ---- */

/* The index; SIM_NONE: out of memory, or too many. */
uint32_t sim_add_bridge(struct sim *s, const char *name);
uint32_t sim_add_lan(struct sim *s, const char *name);
/* 'number' 0: the next one. */
uint32_t sim_add_port(struct sim *s, uint32_t bridge, uint32_t lan,
                      uint16_t number);
struct sim_order *sim_add_order(struct sim *s);
uint32_t sim_find_bridge(const struct sim *s, const char *name);
uint32_t sim_find_lan(const struct sim *s, const char *name);

/* "B1.p2"; "hub" or "B1.p1-B2.p1"; return 'text'. */
#define SIM_TEXT_MAX 48
const char *sim_port_name(const struct sim *s, uint32_t port,
                          char text[SIM_TEXT_MAX]);
const char *sim_lan_name(const struct sim *s, uint32_t lan,
                         char text[SIM_TEXT_MAX]);

uint64_t sim_bridge_id(const struct sim_bridge *b);
/* Ports of bridges, not of hosts. */
unsigned sim_lan_bridge_ports(const struct sim *s, const struct sim_lan *l);
/* Has the port a link? */
bool sim_port_up(const struct sim *s, const struct sim_port *p);
/* Does the data plane forward there? */
bool sim_port_forwards(const struct sim *s, const struct sim_port *p);
uint64_t sim_draw(struct sim *s); /* the next random number */

/* ---- run.c ---- */

/* Tells a bridge's engine; its actions are carried out, and checked. */
void sim_tell(struct sim *s, uint32_t bridge, struct stp_event *e);
/* Tells engines what has become of the port's, or the bridge's parameters. */
void sim_tell_port(struct sim *s, uint32_t port);
void sim_tell_bridge(struct sim *s, uint32_t bridge);
void sim_start_bridge(struct sim *s, uint32_t bridge);
/* Out of memory: the simulation is over, and wrong. */
void sim_exhausted(struct sim *s);

/* ---- order.c ---- */

void sim_carry_out(struct sim *s, const struct sim_order *o);

/* ---- timeline.c ---- */

void sim_say(struct sim *s, enum sim_line_kind kind, const char *who,
             const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* SIM_LINE_WRONG or _LOOP that counts: kept as the result's first. */
void sim_fail(struct sim *s, enum sim_line_kind kind, const char *who,
              const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void sim_say_note(struct sim *s, uint32_t bridge, uint16_t port,
                  const struct stp_note *n);

#endif
