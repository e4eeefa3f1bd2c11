/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch as its owner (ctl/) sees it: bridges, their ports and
 * parameters, statistics, events.  Everything here runs on the control
 * thread; what takes time is done elsewhere and answered by a callback.
 *
 * A change is in force when its callback comes: devices are open, the new
 * view is published, and a grace period has passed so that no worker still
 * follows the old one.  Callbacks never come from inside the call.
 */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include "base/err.h"
#include "base/mac.h"
#include "fdb/fdb.h"
#include "ports/spec.h"
#include "switch/reason.h"
#include "switch/snoop/snoop.h"
#include "switch/stp/stp.h"

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct sw;
struct bridge;
struct bport; /* a port of a bridge */

#define BRIDGE_PORTS_MAX 1023 /* numbered from 1, as the kernel does */
#define BRIDGE_LOCAL     0    /* the bridge's own interface */

/*
 * rc 0, or -errno with the sentence in *e (never NULL, valid in the call).
 * NULL instead of a function: the caller does not want to know.  When there is
 * no memory to remember the caller, -ENOMEM comes from inside the call.
 */
typedef void (*sw_done)(void *arg, int rc, const struct err *e);

/* ---- the switch ---- */

struct sw_config {
    struct ev_loop *loop; /* the control thread's */
    unsigned workers;     /* 1 .. 8 */
    int cpu[8];           /* worker i is pinned to cpu[i]; -1: not */
    /* Ours alone: what has to be known of devices should nobody be left to put
     * them back.  NULL: nowhere. */
    const char *state_dir;
};

/* 0 or -errno with a sentence.  Starts the job thread and the workers, and puts
 * back what is found in the state directory. */
int sw_new(struct sw **sw, const struct sw_config *c, struct err *e);

/*
 * Deletes all bridges (up or not), restores all devices, ends the threads.
 * Blocks; the last call.
 */
void sw_free(struct sw *sw);

/*
 * Work that may block, for the switch's owner: 'work' runs on a thread kept
 * for that, one after another in order, 'done' on the control thread with
 * what work returned and wrote.  Ports are opened and closed beside it.
 * sw_free waits for all of it.  -ENOMEM when there is no memory; neither is
 * called then.
 */
typedef int (*sw_work)(void *arg, struct err *e);
int sw_job(struct sw *sw, sw_work work, sw_done done, void *arg);

/* ---- bridges ---- */

struct bridge_config {
    char name[PORT_NAME_MAX];
    bool local;   /* make the interface NAME (a tap) */
    int netns_fd; /* where; -1: the daemon's namespace.  Duplicated */
    /*
     * For a bridge whose name is an interface already, the kernel's bridge
     * that is its front: what its own interface is called, its address and
     * MTU.  It is like that until bridge_settle, whatever ports come, and
     * gets frames to unknown addresses as well: behind it may be more than
     * one host.  "": none of that.
     */
    char device[PORT_NAME_MAX];
    struct mac mac;
    uint32_t mtu;
};

/* -EEXIST, -EINVAL (name), what opening the tap says (EEXIST, EPERM, ...). */
void bridge_add(struct sw *sw, const struct bridge_config *c, sw_done done,
                void *arg);

/* Carrier and MTU of the interface follow the ports from now on. */
void bridge_settle(struct bridge *b);

/*
 * -ENXIO: no such bridge.  -EBUSY: its interface is up ('force' does it all
 * the same).  Removes its ports.
 */
void bridge_del(struct sw *sw, const char *name, bool force, sw_done done,
                void *arg);

struct bridge *bridge_find(struct sw *sw, const char *name);
/* In order of creation; NULL at the end; prev NULL: the first. */
struct bridge *bridge_next(struct sw *sw, struct bridge *prev);

/*
 * Numeric parameters.  Times in centiseconds (the kernel's USER_HZ).  While the
 * spanning tree is on the forward delay is 200 .. 3000; switched on with
 * another one, it takes the nearer bound, as the kernel does.
 */
enum bridge_param {
    BRIDGE_AGEING,        /* cs; 0: never; at most 600000 */
    BRIDGE_PRIORITY,      /* 0 .. 65535 */
    BRIDGE_FORWARD_DELAY, /* cs */
    BRIDGE_HELLO,         /* cs, 100 .. 1000 */
    BRIDGE_MAX_AGE,       /* cs, 600 .. 4000 */
    BRIDGE_STP,           /* 0, 1 */
    /*
     * 16 bits, all of them settable: which of 01:80:c2:00:00:00 .. 0f are
     * forwarded.  While the spanning tree is off, :00 is forwarded whatever
     * bit 0 says, so that other bridges find loops through this one; the
     * kernel does the same.
     */
    BRIDGE_FWD_MASK,
    BRIDGE_FDB_LIMIT,     /* entries */
    BRIDGE_FORCE_VERSION, /* 0: STP, 2: RSTP (802.1D-2004, 17.13.4) */
    BRIDGE_TX_HOLD,       /* BPDUs a second and port, 1 .. 10 (17.13.12) */
    BRIDGE_LONG_COST,     /* costs from link speed: 0: the kernel's table of 16
                             bits, 1: 20 000 000 by Mb/s (17.14) */
    BRIDGE_RECOVERY,      /* cs until an error-disabled port is tried again; 0:
                             not by itself; at most 8640000 */
    BRIDGE_PARAMS
};
/* What a new bridge has. */
uint32_t bridge_default(enum bridge_param p);
/* -ERANGE, -EINVAL, -EOPNOTSUPP. */
void bridge_set(struct bridge *b, enum bridge_param p, uint32_t v, sw_done done,
                void *arg);

struct bridge_info {
    char name[PORT_NAME_MAX];
    struct mac mac; /* of the bridge id: lowest port's, or as set */
    bool mac_set;
    bool mtu_set; /* by the user, not by the ports */
    uint32_t param[BRIDGE_PARAMS];
    bool local;                 /* has an interface */
    char device[PORT_NAME_MAX]; /* ... called so; "": as the bridge */
    bool up;                    /* ... which is up (true without one) */
    bool carrier;
    uint32_t mtu;
    int ifindex;    /* of the interface; 0 without one */
    uint64_t netns; /* inode of its namespace */
    uint16_t n_ports;
    struct fdb_stats fdb;
};
void bridge_info(const struct bridge *b, struct bridge_info *i);

/* ---- ports ---- */

/*
 * spec->name empty: numbered by kind.  -EBUSY: in another bridge, or taken
 * by another daemon; -ENODEV: no such device; -ELOOP: it is a bridge; -EEXIST:
 * the name is in use; -EXFULL: no number left; else what the kind says.
 */
void bport_add(struct bridge *b, const struct port_spec *spec, sw_done done,
               void *arg);
/*
 * As bport_add, for a port that comes from another bridge whose place this one
 * takes, with its number if that is free.
 */
struct bport_heritage {
    uint16_t no; /* 0: any */
    bool tree;   /* it was in that one's spanning tree, and is to go on there,
                    if ours is on by now: */
    bool forwards;
    struct stp_heritage stp;
};
void bport_add_heir(struct bridge *b, const struct port_spec *spec,
                    const struct bport_heritage *h, sw_done done, void *arg);
/*
 * As bport_add, but a device that does not exist (-ENODEV) is no error: the
 * port is there, failed, and joins when the device appears.  So is one whose
 * capture is not there (-ENOENT), or holds a recording (-EEXIST); it joins when
 * it is removed and added again.
 */
void bport_add_absent(struct bridge *b, const struct port_spec *spec,
                      sw_done done, void *arg);
/* -EINVAL: no such port in this bridge.  Of one that is leaving already: done
 * when it is gone. */
void bport_del(struct bridge *b, const char *name, sw_done done, void *arg);

/*
 * Whoever has added it tells of its device's end himself, and whether that was
 * to be expected: the switch does not warn of it.  Its events tell as ever.
 */
void bport_hush(struct bport *p);

/*
 * Its device may well end, as the tap of a virtual machine that somebody else
 * runs does: of that the log informs, and does not warn.
 */
void bport_expect_end(struct bport *p, bool expected);

struct bport *bport_find(struct bridge *b, const char *name);
/* In port number order, the local port not among them. */
struct bport *bport_next(struct bridge *b, struct bport *prev);
/* The bridge's own interface; NULL without one. */
struct bport *bport_local(struct bridge *b);
/* Is it on its way out?  bport_by_no still finds it then. */
bool bport_leaving(const struct bport *p);
/* Would bport_add refuse it whatever there is: no such kind, key or value?  As
 * port_check. */
int bport_check(const struct port_spec *spec, struct err *e);
/* What it was added with, its name filled in; valid while the port lives. */
const struct port_spec *bport_spec(const struct bport *p);
/* Finds the namespace its device is in: before it answers, *fd is a descriptor
 * of it, for the caller to close; -1: the daemon's own, or none, or nobody may
 * know. */
void bport_netns(struct bport *p, int *fd, sw_done done, void *arg);
/* The same of the file that was passed with its spec; -1: none was. */
int bport_file(const struct bport *p);
/* The bridge a port of that name is in, whichever; NULL if none. */
struct bridge *bport_owner(struct sw *sw, const char *name);

enum bport_param {
    BPORT_PATH_COST, /* 1 .. 65535, with BRIDGE_LONG_COST 1 .. 200000000; 0:
                        from the link's speed again */
    BPORT_PRIORITY,  /* 0 .. 63 */
    BPORT_HAIRPIN,   /* 0, 1, and so on down to FLOOD_BCAST */
    BPORT_ISOLATED,
    BPORT_LEARNING,
    BPORT_FLOOD, /* unknown unicast */
    BPORT_FLOOD_MCAST,
    BPORT_FLOOD_BCAST,
    BPORT_FWD_MASK,  /* 16 bits, or'ed with the bridge's */
    BPORT_FDB_LIMIT, /* learned entries; 0: none of its own */
    /* of the spanning tree; see switch/stp/stp.h */
    BPORT_ADMIN_EDGE, /* 0, 1 */
    BPORT_AUTO_EDGE,
    BPORT_P2P, /* 0, 1; 2: by the device */
    BPORT_BPDU_GUARD,
    BPORT_BPDU_FILTER, /* with the spanning tree off: drops others' BPDUs */
    BPORT_ROOT_GUARD,
    BPORT_TCN_GUARD,
    BPORT_LOOP_GUARD,
    BPORT_ASSURANCE,
    BPORT_WATCH_ADDRESSES, /* 0, 1: for IP addresses of hosts behind it */
    BPORT_FOLLOW_MOVES,    /* 0, 1: frames follow a guest that leaves; hold.h */
    BPORT_PARAMS
};
/* What a new port has; 'edge': behind it are guests, not a network. */
uint32_t bport_default(enum bport_param w, bool edge);
void bport_set(struct bport *p, enum bport_param w, uint32_t v, sw_done done,
               void *arg);

/* brctl's numbers */
enum bport_state {
    BPORT_DISABLED,
    BPORT_LISTENING,
    BPORT_LEARN,
    BPORT_FORWARDING,
    BPORT_BLOCKING
};

struct bport_info {
    char name[PORT_NAME_MAX];
    char spec[SPEC_TEXT_MAX];
    char kind[16];
    uint16_t no;
    enum bport_state state;
    char why[160]; /* why it is not forwarding, or "" */
    bool failed;
    bool edge;      /* guests are behind it */
    bool cost_auto; /* the path cost follows the link's speed */
    uint64_t netns; /* inode of the namespace it was added in; 0: no netdev */
    uint32_t param[BPORT_PARAMS];
    struct mac mac;
    uint32_t mtu;
    uint32_t speed; /* Mb/s, 0 unknown */
    bool link;
    bool vnet, tx_csum, tx_tso4, tx_tso6, tx_uso;
    char device[64];
    char detail[PORT_DETAIL_MAX];
    int ifindex;
    uint32_t fdb_learned;
};
void bport_info(const struct bport *p, struct bport_info *i);

/*
 * What the owner of the switch wants kept with a port, for as long as there is
 * that port.  A former note is released; NULL: none.
 */
void bport_set_note(struct bport *p, void *note, void (*release)(void *note));
void *bport_note(const struct bport *p);

struct bport_stats {
    uint64_t rx_frames, rx_bytes; /* received and judged */
    uint64_t tx_frames, tx_bytes; /* handed to the device */
    uint64_t reason[REASON_COUNT];
};
/* Sum over forwarders and of the kernel's own counts; not a snapshot. */
void bport_stats(const struct bport *p, struct bport_stats *s);

/* ---- addresses ---- */

/* An IP address seen behind a port; see switch/snoop/snoop.h. */
struct bport_address {
    struct mac mac;
    uint8_t family; /* AF_INET, AF_INET6 */
    uint8_t ip[16]; /* of IPv4 the first four */
    enum snoop_how how;
    uint32_t age_cs; /* since it was last seen */
    char text[SNOOP_IP_TEXT_MAX];
};
#define BPORT_ADDRESSES_MAX SNOOP_TABLE_MAX
/*
 * Addresses of hosts behind the port, the newest first; how many.  They are
 * forgotten when the port loses its link or BPORT_WATCH_ADDRESSES is taken off.
 */
unsigned bport_addresses(const struct bport *p, struct bport_address *out,
                         unsigned max);

/* ---- forwarding database ---- */

/*
 * flags: FDB_STATIC, FDB_STICKY, FDB_LOCAL or 0 for dynamic; p NULL: the
 * bridge itself.  A frame from an address that is static or sticky on another
 * port is forwarded and remarked upon (REASON_PINNED); the entry stays.
 */
void bridge_fdb_set(struct bridge *b, uint64_t key, struct bport *p,
                    uint8_t flags, sw_done done, void *arg);
/* -ENOENT */
void bridge_fdb_del(struct bridge *b, uint64_t key, sw_done done, void *arg);
/* Learned entries of one port, or of all (NULL): O(1). */
void bridge_fdb_flush(struct bridge *b, struct bport *p, sw_done done,
                      void *arg);
/* One entry now, age in centiseconds since last seen.  False if absent. */
bool bridge_fdb_get(struct bridge *b, uint64_t key, struct fdb_value *v,
                    uint32_t *age_cs);
/* As fdb_walk; age_cs[i] belongs to out[i]. */
unsigned bridge_fdb_walk(struct bridge *b, struct fdb_walk *w,
                         struct fdb_entry *out, uint32_t *age_cs, unsigned max,
                         unsigned budget);
struct bport *bport_by_no(struct bridge *b, uint16_t no);

/* ---- spanning tree ---- */

/* False: it is off. */
bool bridge_stp_info(const struct bridge *b, struct stp_info *i);
/* False: it is off, or the port is not open. */
bool bport_stp_info(const struct bport *p, struct stp_port_info *i);
/* Why the port is in its role, in sentences; the length; 0: as above. */
size_t bport_stp_why(const struct bport *p, char *text, size_t size);
/* Acts as if the topology had changed.  -EOPNOTSUPP: it is off. */
void bridge_stp_change(struct bridge *b, sw_done done, void *arg);
/* The port finds out anew whether its neighbour speaks RSTP, and is let out of
 * error-disabled.  -EOPNOTSUPP: it is off, or the port is not open. */
void bport_stp_mcheck(struct bport *p, sw_done done, void *arg);

/* ---- mem ports (scriptable) ---- */

/* -EINVAL: p is no mem port; -EMSGSIZE. */
int bport_mem_inject(struct bport *p, const void *frame, uint32_t len,
                     const struct virtio_net_hdr *vnet, unsigned copies);
/* Takes the oldest frame collected; its length, or -EAGAIN. */
int bport_mem_collect(struct bport *p, void *buf, uint32_t size,
                      struct virtio_net_hdr *vnet);
/* Refuse frames after n more have been taken (-1: never). */
int bport_mem_fail_after(struct bport *p, int64_t n);

/* ---- events, for observers ---- */

enum sw_event_type {
    SW_EVENT_PORT_ADD,
    SW_EVENT_PORT_DEL,
    SW_EVENT_PORT_STATE, /* state or link changed, failed, came back */
    SW_EVENT_PORT_PARAM,
    SW_EVENT_FDB_ADD,
    SW_EVENT_FDB_MOVE,
    SW_EVENT_FDB_DEL,
    SW_EVENT_FDB_FLUSH,
    SW_EVENT_BRIDGE_ADD,
    SW_EVENT_BRIDGE_DEL,
    SW_EVENT_BRIDGE_PARAM,
    SW_EVENT_STP,  /* roles, states, guards, the root, topology changes; of the
                      bridge if port is "" */
    SW_EVENT_BPDU, /* received or sent; see sw_observe_bpdus */
    SW_EVENT_ADDRESS, /* an IP address is behind the port, new or by another
                         MAC; key: the MAC */
    SW_EVENT_LOST,    /* 'count' events were lost: look again */
};

struct sw_event {
    enum sw_event_type type;
    uint64_t time; /* clock_now() */
    char bridge[PORT_NAME_MAX];
    char port[PORT_NAME_MAX];
    char old_port[PORT_NAME_MAX];
    uint16_t port_no; /* port events; the port may be on its way out */
    uint64_t key;     /* FDB events, ADDRESS */
    uint8_t flags;
    enum bport_state state;
    bool failed; /* PORT_STATE: device or peer are gone */
    uint64_t count;
    char address[SNOOP_IP_TEXT_MAX]; /* ADDRESS */
    enum snoop_how how;              /* ADDRESS */
    char text[336];                  /* for people; names are in it */
};

/* Called on the control thread for each event; one observer.  NULL: none. */
void sw_observe(struct sw *sw, void (*fn)(void *arg, const struct sw_event *e),
                void *arg);

/* BPDUs are told of, decoded, only while somebody wants them. */
void sw_observe_bpdus(struct sw *sw, bool on);

/* ---- health ---- */

struct sw_stats {
    uint64_t loop_lag_max_ns; /* control loop, since last asked */
    uint64_t loop_lag_total_max_ns;
    uint64_t grace_periods;
    uint64_t events_lost;
    unsigned workers;
    struct {
        uint64_t turns, frames, wakeups, spins;
    } worker[8];
};
void sw_stats(struct sw *sw, struct sw_stats *s);

#endif
