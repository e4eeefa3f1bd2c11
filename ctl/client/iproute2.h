/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iproute2's bridge(8): its grammar, its text and its JSON (those of version
 * 6.1), for the objects link, fdb and monitor.
 *
 * Where the real one talks to the kernel, this talks to the daemon; what
 * belongs to the kernel's devices (flags, MTU, their own lists of addresses,
 * "self") is read from and written to the kernel, in the namespace that the
 * client runs in.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_IPROUTE2_H
#define CTL_CLIENT_IPROUTE2_H

#include "base/mac.h"
#include "ctl/client/client.h"

#include <net/if.h>
#include <stdint.h>

/* Exit statuses of iproute2: -1, and two that callers may meet. */
#define IP_FAIL     255
#define IP_FAIL_GET 254 /* fdb get: the answer is no */
#define IP_FAIL_ON  234 /* neither on nor off */

/* ---- which command (iproute2.c) ---- */

/*
 * Is argv[0] one of the objects, possibly abbreviated?  Then carries the
 * command out and sets *status.
 */
bool iproute2_object(struct client *c, int argc, char **argv, int *status);

/* One of the objects, in full, that are not built here? */
bool iproute2_unbuilt(const char *word);

/* Enters a namespace, by name, process or path: 0 or IP_FAIL, complained. */
int iproute2_netns(const struct client *c, const char *name);

/* Called by the name "bridge". */
int iproute2_main(struct client *c, int argc, char **argv);

/* One command, without options. */
int iproute2_command(struct client *c, int argc, char **argv);

/* Commands from a file, "-": standard input; 'force': go on after failures. */
int iproute2_batch(struct client *c, const char *path, bool force);

/* ---- words (iproute2_args.c) ---- */

struct words {
    int n;
    char **v;
};

/* The word that comes next, taken; NULL at the end. */
const char *words_take(struct words *w);
/* The value behind a keyword; NULL after a complaint at the end. */
const char *words_value(struct words *w);
/* Is 'typed' an abbreviation of 'word', or all of it? */
bool word_begins(const char *typed, const char *word);
/* 0x.., decimal; from 0 to max. */
bool word_number(const char *text, unsigned long max, unsigned long *n);
/* 1 to 4094 */
bool word_vlan(const char *text, unsigned *vid);

/* One line on standard error, as it is; returns IP_FAIL. */
int ip_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "Error: argument ..." */
int ip_wrong(const char *arg, const char *why);
int ip_duplicate(const char *key, const char *arg);
int ip_garbage(const char *arg);
/* "RTNETLINK answers: ..." for an errno, or for what the daemon said. */
int ip_answers(int err);
int ip_said(const struct client *c, const struct reply *r);

/* ---- what the daemon has (iproute2_args.c) ---- */

/* 1: a bridge of the daemon's, 0: not, -1 after a complaint. */
int ip_is_bridge(struct client *c, const char *name);
/*
 * Port objects by name, the bridges' own interfaces among them (number 0).
 * A new reference, or NULL after a complaint.
 */
json_t *ip_ports(struct client *c);
/* Borrowed; NULL if there is none. */
const json_t *ip_port_find(const json_t *ports, const char *name);
/* Is the port's device an interface of our namespace?  Its index, or 0. */
int ip_port_index(const json_t *port);

/* ---- what the kernel has (iproute2_kernel.c) ---- */

struct kernel_link {
    int ifindex;
    unsigned flags; /* IFF_* */
    uint32_t mtu;
    char name[IF_NAMESIZE];
    char peer[IF_NAMESIZE]; /* what follows '@'; "": nothing */
    bool peer_down;
};
/* False: there is none. */
bool kernel_link(int ifindex, struct kernel_link *l);

struct kernel_entry {
    int ifindex;
    struct mac mac;
    uint16_t state; /* NUD_* */
    uint8_t flags;  /* NTF_* */
    uint16_t vlan;
    char dst[48]; /* a tunnel's remote, "" */
};
/*
 * The devices' own lists of addresses; what belongs to bridges of the
 * kernel's is left out.  0 or -errno.
 */
int kernel_entries(void (*each)(void *arg, const struct kernel_entry *e),
                   void *arg);
/*
 * Adds to a device's own list, or deletes from it.  'nlflags': NLM_F_CREATE
 * and so on.  0 or -errno.
 */
int kernel_entry_set(bool add, unsigned nlflags, const struct kernel_entry *e);

/*
 * A socket that hears of changes to those lists; a descriptor, or -errno.
 * 'each' gets what has arrived, until there is no more; -errno on failure.
 */
int kernel_watch(void);
int kernel_watch_read(int fd,
                      void (*each)(void *arg, const struct kernel_entry *e,
                                   bool deleted),
                      void *arg);

/* ---- printing (iproute2_render.c) ---- */

struct ip_style {
    bool json, pretty, details, stats, oneline;
    bool no_dev; /* all entries are one device's: it is not named */
};
struct ip_style ip_style(const struct client *c);

/* A list of objects, as an array or as lines. */
struct ip_list {
    FILE *out;
    struct ip_style style;
    size_t n; /* printed */
    void (*text)(FILE *out, const json_t *o, const struct ip_style *s);
};
/* Takes 'o' over. */
void ip_list_add(struct ip_list *l, json_t *o);
void ip_list_end(struct ip_list *l);

/*
 * New objects with iproute2's members in its order: from the daemon's entry
 * or event, from the kernel's entry, from the daemon's port and what the
 * kernel says of its device (NULL: it is none of ours to ask).
 */
json_t *ip_entry(const json_t *entry, const struct ip_style *s);
json_t *ip_self_entry(const struct kernel_entry *e, const char *ifname,
                      const struct ip_style *s);
json_t *ip_link(const json_t *port, const struct kernel_link *k,
                const struct ip_style *s);
/* A "deleted" in front.  Takes 'o' over. */
json_t *ip_deleted(json_t *o);
/* Takes from a link what it has as a port. */
void ip_link_cut(json_t *o);

/* One object as JSON on a line of its own, or as -p likes it. */
void ip_object_json(FILE *out, const json_t *o, const struct ip_style *s);

/* And as lines. */
void ip_entry_text(FILE *out, const json_t *o, const struct ip_style *s);
void ip_link_text(FILE *out, const json_t *o, const struct ip_style *s);

/* The NUD_* of "permanent", "static", "". */
unsigned ip_state_bits(const char *state);

#endif
