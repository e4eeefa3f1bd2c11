/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in brackets, and behind "set": options of bridges, LANs and
 * ports, one row each.
 */
#ifndef CTL_SIM_OPTION_H
#define CTL_SIM_OPTION_H

#include "ctl/sim/net.h"

/* Where an option may stand. */
enum { ON_BRIDGE = 1, ON_LAN = 2, ON_PORT = 4, ON_DEFAULT = 8 };

enum sim_unit {
    SIM_FLAG,    /* on, off; by itself: on */
    SIM_NUMBER,  /* */
    SIM_TIME,    /* ns; "10s", "1.5ms", "20us"; a bare number is seconds */
    SIM_PERCENT, /* millionths; "5%" */
};

/* X(id, name, where, unit, least, most, help) */
#define SIM_OPTION_LIST(X)                                                     \
    X(PRIO, "prio", ON_BRIDGE, SIM_NUMBER, 0, 65535, "bridge priority")        \
    X(STP, "stp", ON_BRIDGE, SIM_FLAG, 0, 1, "speaks STP only")                \
    X(HOST, "host", ON_BRIDGE, SIM_FLAG, 0, 1, "a host, not a bridge")         \
    X(HELLO, "hello", ON_BRIDGE, SIM_TIME, SIM_SECOND, 10 * SIM_SECOND,        \
      "hello time")                                                            \
    X(MAXAGE, "maxage", ON_BRIDGE, SIM_TIME, 6 * SIM_SECOND, 40 * SIM_SECOND,  \
      "max age")                                                               \
    X(FD, "fd", ON_BRIDGE, SIM_TIME, 2 * SIM_SECOND, 30 * SIM_SECOND,          \
      "forward delay")                                                         \
    X(HOLD, "hold", ON_BRIDGE, SIM_NUMBER, 1, 10, "BPDUs a second and port")   \
    X(RECOVERY, "recovery", ON_BRIDGE, SIM_TIME, 0, 3600 * SIM_SECOND,         \
      "until a port shut by BPDU guard is tried again; 0: never")              \
    X(DELAY, "delay", ON_LAN, SIM_TIME, 0, 10 * SIM_SECOND,                    \
      "how long frames take")                                                  \
    X(LOSS, "loss", ON_LAN, SIM_PERCENT, 0, SIM_MILLION, "frames lost")        \
    X(LOOP, "loop", ON_LAN, SIM_FLAG, 0, 1, "gives frames back to the sender") \
    X(ONEWAY, "oneway", ON_LAN, SIM_FLAG, 0, 1,                                \
      "of a link: nothing comes back from the second end")                     \
    X(COST, "cost", ON_PORT, SIM_NUMBER, 1, 200000000, "path cost")            \
    X(PORTPRIO, "portprio", ON_PORT, SIM_NUMBER, 0, 63, "port priority")       \
    X(EDGE, "edge", ON_PORT, SIM_FLAG, 0, 1, "edge port from the start")       \
    X(AUTOEDGE, "autoedge", ON_PORT, SIM_FLAG, 0, 1,                           \
      "edge port when nobody answers")                                         \
    X(SHARED, "shared", ON_PORT, SIM_FLAG, 0, 1, "not point-to-point")         \
    X(MUTE, "mute", ON_PORT, SIM_FLAG, 0, 1, "what it sends is lost")          \
    X(DEAF, "deaf", ON_PORT, SIM_FLAG, 0, 1, "what is sent to it is lost")     \
    X(BPDUGUARD, "bpduguard", ON_PORT, SIM_FLAG, 0, 1, "BPDU guard")           \
    X(FILTER, "filter", ON_PORT, SIM_FLAG, 0, 1, "BPDU filter")                \
    X(ROOTGUARD, "rootguard", ON_PORT, SIM_FLAG, 0, 1, "root guard")           \
    X(TCNGUARD, "tcnguard", ON_PORT, SIM_FLAG, 0, 1, "TCN guard")              \
    X(LOOPGUARD, "loopguard", ON_PORT, SIM_FLAG, 0, 1, "loop guard")           \
    X(ASSURANCE, "assurance", ON_PORT, SIM_FLAG, 0, 1, "bridge assurance")     \
    X(APPLY, "apply", ON_DEFAULT, SIM_TIME, 0, SIM_SECOND,                     \
      "until discarding is in force")

enum sim_option_id {
#define X(id, ...) SIM_OPTION_##id,
    SIM_OPTION_LIST(X)
#undef X
        SIM_OPTION_COUNT
};

struct sim_option {
    const char *name;
    unsigned where;
    enum sim_unit unit;
    uint64_t least, most;
    const char *help;
};
extern const struct sim_option sim_option_table[SIM_OPTION_COUNT];

/* SIM_OPTION_COUNT: there is none of that name; "priority" is "prio" or
 * "portprio", as it fits 'where'. */
enum sim_option_id sim_option_find(const char *name, unsigned where);

/* 0; -EINVAL with a sentence about 'text', which is a word as typed. */
int sim_value_parse(enum sim_option_id id, const char *text, uint64_t *value,
                    struct err *e);
int sim_time_parse(const char *text, uint64_t *ns, struct err *e);

/* In the network's description only; engines are not told. */
void sim_option_apply(struct sim *s, struct sim_target t, enum sim_option_id id,
                      uint64_t value);
/* For what is added from now on. */
void sim_option_default(struct sim *s, enum sim_option_id id, uint64_t value);
/* As a network begins. */
void sim_defaults(struct sim *s);

#endif
