/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking for and changing the settings of one netdev: rtnetlink for what it
 * knows, ethtool for the rest.
 *
 * Threads: job thread, since most of it waits for the kernel's lock of all
 * interfaces; what says so does not, and may be called by the control thread.
 * Every call opens a socket of its own and talks to the kernel only.  All work
 * in the network namespace the calling thread is in (netns_enter).
 */
#ifndef PORTS_NETDEV_H
#define PORTS_NETDEV_H

#include "base/err.h"
#include "base/mac.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct nlmsghdr;
struct sock_filter;

/* What rtnetlink says of a link. */
struct netdev {
    int ifindex;
    char name[IFNAMSIZ];
    char kind[16];       /* "veth", "bridge", "tun"; "" for hardware */
    unsigned flags;      /* IFF_* */
    unsigned short type; /* ARPHRD_* */
    uint32_t mtu;
    uint32_t txqlen;
    struct mac mac;
    int master;    /* its master's ifindex, 0 if none */
    int addr_gen;  /* IN6_ADDR_GEN_MODE_*; -1: it has no IPv6 */
    bool moved_ns; /* RTM_DELLINK because it went to another namespace */
};

/*
 * Reads an RTM_NEWLINK or RTM_DELLINK message.  False if it is about
 * something else (a bridge port, say) or malformed.
 */
bool netdev_parse(const struct nlmsghdr *nlh, struct netdev *d);

/*
 * Finds a link by name, or by ifindex if 'name' is NULL.  0, or -errno with a
 * sentence (-ENODEV: none of that name).
 */
int netdev_get(const char *name, int ifindex, struct netdev *d, struct err *e);

/* Is there a link of that number?  If in doubt, yes.  Does not wait. */
bool netdev_exists(int ifindex);

/* May it be a port?  'adopted': of a bridge of the kernel's, in which it is. */
int netdev_check_port(const struct netdev *d, bool adopted, struct err *e);

/* Every link here.  0 or -errno with a sentence. */
int netdev_each(void (*fn)(void *arg, const struct netdev *d), void *arg,
                struct err *e);

/* 0 or -errno, with the sentence naming the setting. */
int netdev_set_mtu(int ifindex, uint32_t mtu, struct err *e);
int netdev_set_mac(int ifindex, const struct mac *mac, struct err *e);
int netdev_set_up(int ifindex, bool up, struct err *e);
int netdev_set_txqlen(int ifindex, uint32_t len, struct err *e);
int netdev_set_addr_gen(int ifindex, int mode, struct err *e);

/*
 * Moves a link to the namespace 'netns_fd' under the name 'name'.  0, or
 * -errno with a sentence (-EEXIST: there is one of that name).
 */
int netdev_move(int ifindex, int netns_fd, const char *name, struct err *e);

/*
 * The number (nsid) that the calling thread's namespace has for that of
 * 'netns_fd'; given one if it has none.  0 or -errno with a sentence.  Does not
 * wait.
 */
int netdev_nsid(int netns_fd, int *nsid, struct err *e);

/*
 * tc's clsact qdisc, which has hooks for filters at ingress and egress.
 * Adding it where it is gives -EEXIST; removing it takes all filters along.
 */
int netdev_clsact_add(int ifindex);
int netdev_clsact_del(int ifindex);

/*
 * A filter at one of these hooks: a classic BPF program that returns TC_ACT_*,
 * which needs no permission to load BPF programs, only CAP_NET_ADMIN over the
 * namespace.  'handle' and 'priority' are its place, where it replaces what is
 * there.  0 or -errno.
 */
int netdev_filter_add(int ifindex, bool egress, uint32_t handle,
                      uint16_t priority, const struct sock_filter *prog,
                      uint16_t n);
int netdev_filter_del(int ifindex, bool egress, uint32_t handle,
                      uint16_t priority);

/*
 * How many filters are on its clsact hooks; or -errno.  'ours', which may be
 * NULL, tells how many of them have that handle.
 */
int netdev_clsact_filters(int ifindex, uint32_t handle, int *ours);

/*
 * May an interface be made of this name?  "all" and "default" are the kernel's
 * own words in /proc/sys/net/ipv4/conf, of which it says no more than EINVAL.
 */
static inline bool netdev_name_is_allowed(const char *name)
{
    return strcmp(name, "all") != 0 && strcmp(name, "default") != 0;
}

/*
 * What to say when there is an interface of a name that was to be made, and
 * what for: "interface vm1 exists already: delete it (ip link del dev vm1) or
 * give the guest another name".  That a tap be deleted which a process has
 * open, or a bridge of the kernel's, is not proposed.  'netns_fd': where it
 * is, -1: the daemon's own.  Returns 'text'.  Job thread: it looks through
 * proc(5), for milliseconds.
 */
enum netdev_use { NETDEV_FOR_PORT, NETDEV_FOR_BRIDGE, NETDEV_FOR_GUEST };
#define NETDEV_WAY_MAX 200
const char *netdev_in_the_way(int netns_fd, const char *name,
                              enum netdev_use use, char text[NETDEV_WAY_MAX]);

/* ---- rtnetlink as such ---- */

/* The head of one about a device, with an acknowledgement asked for; 'buf' is
 * aligned as one and has room for what comes behind. */
struct nlmsghdr *netdev_request(void *buf, uint16_t type, int ifindex);

/*
 * Sends a request (its sequence number is set here) and hands each answer to
 * 'cb', a libmnl callback; NULL: none is expected but the acknowledgement.
 * 0 or -errno.
 */
int netdev_talk(struct nlmsghdr *req,
                int (*cb)(const struct nlmsghdr *nlh, void *data), void *data);

/* ---- ethtool; by name, as that is what it takes ---- */

enum netdev_offload { NETDEV_LRO, NETDEV_GRO };

/* 1 on, 0 off, -errno if the driver does not say. */
int netdev_offload_get(const char *name, enum netdev_offload w);
int netdev_offload_set(const char *name, enum netdev_offload w, bool on);

/* Mb/s, 0 if unknown. */
uint32_t netdev_speed(const char *name);
/* Is it known to share its medium (802.1D-2004, 6.4.3)? */
bool netdev_half_duplex(const char *name);

/* Wake-on-LAN by magic packet: 1 on, 0 off, -errno if it cannot. */
int netdev_wol_get(const char *name);
int netdev_wol_set(const char *name, bool on);

/* The address it was made with; false if the driver does not say. */
bool netdev_permanent_mac(const char *name, struct mac *mac);

/* The driver's name, "" if it does not say. */
void netdev_driver(const char *name, char out[32]);

#endif
