/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses, routes, DHCP and DNS of bridges' interfaces: who owns them, and
 * making them so.
 *
 *   networkd, NetworkManager   runs and manages this namespace: it is told by
 *                              runtime files (/run) and does the rest
 *   self                       nobody does: by rtnetlink, with udhcpc or
 *                              dhcpcd as children, DNS through resolvectl
 *                              where that works; resolv.conf is never written
 *
 * A struct l3 stands for one bridge's interface.  What it did last is its
 * memory: applying again is a diff, releasing undoes it.  Addresses the user
 * added by hand stay, also where the primary of their subnet goes: the
 * kernel's promote_secondaries is set on an interface that is managed here.
 *
 * Threads: job thread; calls for one struct l3 are made one after another.
 * All may block for as long as netlink and short helper commands (limit 10 s)
 * take; a DHCP client runs on its own.
 */
#ifndef CTL_L3_L3_H
#define CTL_L3_L3_H

#include "base/err.h"
#include "ctl/config/model.h"

enum l3_owner { L3_SELF, L3_NETWORKD, L3_NM, L3_NONE };

struct l3;

/* Sentences for the user, in order; each '\n'-terminated.  Bounded: what
 * does not fit is counted in 'more'. */
struct l3_notes {
    char text[2048];
    size_t len;
    unsigned more;
};
void l3_note(struct l3_notes *n, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Where and how; strings and netns_fd are copied. */
struct l3_config {
    const char *ifname;   /* the bridge's interface */
    int netns_fd;         /* where it lives; -1: our own */
    const char *renderer; /* conf.renderer or NULL: find out who runs */
    enum l3_owner owner;  /* if 'owner_set': `--l3` of the command */
    bool owner_set;
    const char *state_dir; /* the daemon's runtime directory, for what has to
                              survive a crash: uplinks' addresses */
};

/* The memory only; NULL: none left. */
struct l3 *l3_new(const struct l3_config *c);
/* After l3_release, or to leave everything as it is. */
void l3_free(struct l3 *l);

/* Who it will be, found out at the first call of anything below. */
enum l3_owner l3_owner(struct l3 *l);
const char *l3_owner_name(enum l3_owner o);

/*
 * Is an interface 'ifname' there that is a kernel bridge?  0, or -EEXIST with
 * the remedy in the sentence.  Called before the bridge is made.
 */
int l3_check(struct l3 *l, struct err *e);

/*
 * Before 'uplink' becomes a port: its global addresses, and routes through
 * it, are remembered (also in state_dir).  They stay on it until l3_apply has
 * given them to the bridge's interface, so that the host is never without.
 * Then they are taken off.  Autoconfigured IPv6 addresses are taken off too,
 * but not given: the bridge's interface hears the advertisements now.
 * 0, or -errno with a sentence.  If the port cannot be added, call
 * l3_return_uplink.
 */
int l3_take_uplink(struct l3 *l, const char *uplink, struct l3_notes *n,
                   struct err *e);
/* What l3_take_uplink and l3_apply would move, as sentences; one that is not
 * there has nothing. */
void l3_plan_uplink(struct l3 *l, const char *uplink, struct l3_notes *n);
/*
 * After the port has been removed: they go back, but for an address that the
 * bridge's interface keeps because the configuration gives it that one: that
 * goes back when the interface loses it.  Never fails half-way: what the
 * kernel refuses is noted.
 */
void l3_return_uplink(struct l3 *l, const char *uplink, struct l3_notes *n);

/*
 * Makes the interface (which exists) what 'want' and the uplinks' addresses
 * say: MAC, MTU, addresses, up, routes, DHCP, DNS.  What 'want' says goes
 * before what uplinks brought; 'want' NULL: only that.  To be called when the
 * ports are in: their address is the interface's, which DHCP servers know it
 * by.  0, or -errno with a sentence: then what was there before
 * the call has been put back as far as the kernel let us.
 */
int l3_apply(struct l3 *l, const struct conf_l3 *want, struct l3_notes *n,
             struct err *e);

/* What apply would do, as sentences, and does not; nothing else is said.  The
 * interface may be yet to be made. */
int l3_plan(struct l3 *l, const struct conf_l3 *want, struct l3_notes *n,
            struct err *e);

/*
 * The bridge goes: children ended, runtime files removed, remaining uplinks'
 * addresses returned.  The interface may be gone already.
 */
void l3_release(struct l3 *l, struct l3_notes *n);

/* For 'config': what is in force, as it would be written.  Memory is l3's
 * until its next call; NULL if nothing was applied. */
const struct conf_l3 *l3_current(struct l3 *l);

/*
 * First thing in a program's main that calls any of the above: the program is
 * started again by its DHCP clients, to hear what they were given, and by a
 * small process that gives uplinks their addresses back if the daemon is
 * killed.  True: that is what it was, and '*rc' is the exit status.
 */
bool l3_helper(int argc, char **argv, int *rc);

/*
 * Addresses in 'state_dir' that a killed daemon left behind go back to their
 * uplinks.  Once, when the daemon starts.
 */
void l3_recover(const char *state_dir, struct l3_notes *n);

#endif
