/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this folder share; nobody else includes it.
 *
 * Threads: job thread, inside the interface's network namespace unless a line
 * says otherwise.
 */
#ifndef CTL_L3_IMPL_H
#define CTL_L3_IMPL_H

#include "base/mac.h"
#include "ctl/l3/l3.h"
#include "ctl/l3/rtnl.h"
#include "ports/netdev.h"

#include <jansson.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/types.h>

/* ---- settings of the interface itself (link.c) ---- */

enum l3_sysctl {
    L3_ACCEPT_RA,
    L3_ADDR_GEN,
    L3_TEMPADDR,
    L3_MTU6, /* the last: the kernel forgets it when the link comes up */
    L3_SYSCTLS
};

/* One setting: what it is now, or what was there before we changed it. */
struct l3_settings {
    struct mac mac;
    uint32_t mtu;
    bool up;
    int sysctl[L3_SYSCTLS]; /* -1: not there */
};

/* Which of them are ours, and what they were. */
struct l3_changed {
    bool mac, mtu, sysctl[L3_SYSCTLS];
    struct l3_settings was;
};

int link_read(const char *ifname, int *ifindex, struct l3_settings *s,
              struct err *e);
/* Makes those that 'want' (may be NULL) asks for, restores others of ours.
 * 'n' gets the sentences; if 'dry' nothing is done. */
int link_apply(int ifindex, const char *ifname, const struct conf_l3 *want,
               const struct l3_settings *now, struct l3_changed *ours, bool dry,
               struct l3_notes *n, struct err *e);
/* The rest, once it is up (or is to stay down). */
int link_apply_up(const char *ifname, const struct conf_l3 *want,
                  const struct l3_settings *before, struct l3_changed *ours,
                  bool dry, struct l3_notes *n, struct err *e);
/* Back to 'then', as far as the kernel lets us. */
void link_rollback(int ifindex, const char *ifname,
                   const struct l3_settings *then);

/* ---- addresses that others depend on (keep.c) ---- */

/* From now on the kernel keeps the secondary addresses of 'ifname' when their
 * primary goes, whoever removes it, if that can be had. */
void keep_secondaries(const char *ifname);
/* Is 'b' another address in the IPv4 subnet of 'a'? */
bool keep_is_under(const struct rt_addr *a, const struct rt_addr *b);
/* As rtnl_del_addr, and the others of its subnet and their routes stay. */
int keep_del_addr(struct rtnl *r, int ifindex, const struct rt_addr *a,
                  struct err *e);
/* If it is its subnet's primary, another becomes that. */
int keep_last(struct rtnl *r, int ifindex, const struct rt_addr *a,
              struct err *e);

/* ---- uplinks (uplink.c, store.c) ---- */

struct uplink {
    struct uplink *next;
    char name[IFNAMSIZ];
    int ifindex;
    struct mac mac;
    /* Taken off; times left are those of then. */
    struct rt_set moved; /* is given to the bridge's interface */
    struct rt_set stay;  /* is not: autoconfiguration finds it anew */
    uint64_t taken_at;   /* seconds of CLOCK_BOOTTIME */
    struct rt_set order; /* 'moved' as it was: just its IPv4 addresses */
    bool stripped;       /* it is off the uplink, and on the bridge's */
    bool left;           /* no port any more; what is still here was kept */
};

/* A file of an uplink's addresses, as read. */
struct stored {
    struct uplink u;
    char bridge[IFNAMSIZ];
    uint64_t netns; /* inode */
    bool this_boot;
    bool owner_alive; /* a running daemon's: not ours to touch */
};

uint64_t boot_seconds(void);
/* The inode of 'netns_fd' (-1: the thread's), 0 if there is none. */
uint64_t netns_inode(int netns_fd);

/* Written whole or not at all.  0 or -errno. */
int store_json(const char *path, const json_t *j);
/* Says whose it is: this process, this run of the machine. */
int store_stamp(json_t *j);
/* Is the one who stamped it alive; was it in this run? */
bool store_owner_alive(const json_t *j);
bool store_this_boot(const json_t *j);

/* 0 or -errno with a sentence. */
int store_write(const char *dir, const char *bridge, uint64_t netns,
                const struct uplink *u, struct err *e);
void store_remove(const char *dir, uint64_t netns, const char *uplink);
/* 0, or -errno with a sentence: no such file, or none of ours. */
int store_read(const char *path, struct stored *s, struct err *e);
void uplink_clear(struct uplink *u);

/*
 * Records what 'name' has; nothing is taken off yet.  -ENODEV and so on with a
 * sentence.
 */
int uplink_read(struct uplink *u, const char *name, struct l3_notes *n,
                struct err *e);
/* Says so if routing rules name it (rules.c). */
void note_rules(const char *ifname, struct l3_notes *n);
/* The time that is left now; false if it is over. */
bool uplink_addr_now(const struct uplink *u, const struct rt_addr *a,
                     struct rt_addr *out);
/* Takes off what was recorded; what the kernel refuses is noted. */
void uplink_strip(struct rtnl *r, struct uplink *u, struct l3_notes *n);
/*
 * Gives it back, by name, or by number if it has been given another name; what
 * the kernel refuses is noted.  Entries in
 * 'except' (may be NULL), which the bridge's interface keeps, stay in *u.
 * 'over' is the interface whose routes make room for the same here; 0: none.
 */
void uplink_give_back(struct uplink *u, const struct rt_set *except, int over,
                      struct l3_notes *n);
/* "192.0.2.1/24, 2001:db8::1/64 and 2 routes" */
const char *rt_set_text(const struct rt_set *s, char text[RT_TEXT_MAX]);

/* ---- addresses and routes of the interface (self.c) ---- */

/*
 * By rtnetlink, all of it but DHCP and DNS.  'dry': sentences only.  On error
 * everything is as it was.
 */
int self_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
               struct l3_notes *n, struct err *e);
/* The same for just these addresses and routes: a manager does the rest. */
int self_apply_set(struct l3 *l, const struct rt_set *only, struct l3_notes *n,
                   struct err *e);
/* What is wanted in all; the first *n_addrs and *n_routes are the
 * configuration's, the others came with uplinks. */
int self_target(const struct l3 *l, const struct conf_l3 *want,
                struct rt_set *t, unsigned *n_addrs, unsigned *n_routes,
                struct err *e);
/* An uplink has left: what came with it goes back. */
void self_return(struct l3 *l, struct uplink *u, struct l3_notes *n);
/* Takes what is ours off the interface, which may be gone. */
void self_release(struct l3 *l, struct l3_notes *n);

/* ---- leases (store.c), DHCP clients (dhcp.c), what they tell (script.c) ----
 */

#define L3_WORDS_MAX 512 /* name servers or domains, with blanks between */

struct lease {
    struct rt_set set;
    char dns[L3_WORDS_MAX], domains[L3_WORDS_MAX];
};
/* "" in *l where there is no file. */
void lease_read(const char *path, struct lease *l);
int lease_write(const char *path, const struct lease *l);
void lease_clear(struct lease *l);

struct dhcp; /* a running client */

/* Can all that is asked for be done here?  0, or -errno with a sentence. */
int dhcp_check(const struct conf_l3 *want, struct err *e);
/* Starts, leaves alone or ends the clients of both families. */
int dhcp_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
               struct l3_notes *n, struct err *e);
void dhcp_release(struct l3 *l);
/* This process is a client's script. */
int dhcp_script(int argc, char **argv);

/* ---- name servers (dns.c) ---- */

/* Does systemd-resolved serve the thread's namespace? */
bool dns_there(void);
/* Words with blanks between; "": none. */
int dns_set(const char *ifname, const char *servers, const char *domains,
            struct err *e);
/* What the configuration says, as words. */
void dns_words(const struct conf_l3 *want, char servers[L3_WORDS_MAX],
               char domains[L3_WORDS_MAX]);
void dns_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
               struct l3_notes *n);
void dns_release(struct l3 *l);

/* ---- managers (owner.c) ---- */

/* As the functions of the same names in l3.h (manager.c). */
int manager_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
                  struct l3_notes *n, struct err *e);
void manager_return(struct l3 *l, struct uplink *u, struct l3_notes *n);
void manager_release(struct l3 *l, struct l3_notes *n);
/* The paths of files that have to go if we are killed (files.c). */
int files_remember(struct l3 *l, const char *path, struct err *e);
void files_forget(struct l3 *l);
/* Files that a daemon which was killed left for a manager; 'list' is what
 * files_remember wrote. */
void files_recover(const char *list, struct l3_notes *n);

/* A route in the words of managers' files. */
struct route_words {
    char to[64], via[64], from[64]; /* "": none */
    const char *type;               /* "unicast" */
    const char *scope;              /* "" if it is what they take anyway */
    bool on_link;
    uint32_t metric, table, mtu, advmss, initcwnd, initrwnd;
};
/* False: it has what their files cannot say. */
bool route_words(const struct rt_route *r, struct route_words *w);

/* One that manages interfaces (networkd.c, nm.c). */
struct manager {
    const char *process;
    /* The files of the bridge's interface and of an uplink. */
    void (*path)(char out[PATH_MAX], const char *ifname, bool uplink);
    /* Their text is written to 'f'. */
    void (*text)(FILE *f, const struct l3 *l, const struct conf_l3 *want,
                 const struct rt_set *all);
    void (*uplink_text)(FILE *f, const char *ifname);
    mode_t mode;
    /* It does MAC and MTU itself. */
    bool does_link;
    int (*check)(const struct conf_l3 *want, struct err *e);
    /* Reads its files again; 'ifname', if not NULL, is the bridge's whose file
     * has changed. */
    int (*reload)(const char *ifname, struct err *e);
    /* Before the file of the bridge's interface goes. */
    void (*let_go)(const char *ifname);
};
/* Would networkd make a device of that name itself?  -EEXIST with the remedy.
 */
int networkd_netdev(const char *ifname, struct err *e);
extern const struct manager networkd_manager, nm_manager;

/* Does a process of that name run in the namespace with this inode? */
bool owner_runs(const char *comm, uint64_t netns);
enum l3_owner owner_find(const char *renderer, uint64_t netns);

/* ---- the whole ---- */

/* A deep copy into 'c', a pool; NULL: no memory. */
struct conf;
struct conf_l3 *l3_copy(struct conf *c, const struct conf_l3 *from);

struct l3 {
    char ifname[IFNAMSIZ];
    int netns_fd;
    uint64_t netns;
    char *renderer, *state_dir;
    enum l3_owner owner;
    bool owner_known;
    struct rt_set applied; /* what we gave the interface */
    struct l3_changed changed;
    struct uplink *uplinks;
    struct dhcp *dhcp4, *dhcp6;
    char *dns;           /* what resolvectl was told */
    char *file;          /* the text a manager has of us */
    struct conf *memory; /* of 'current' */
    struct conf_l3 *current;
};

#endif
