/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `bascule lab`, inside.  What a lab has made is written down, thing by thing
 * and before it is made, in a file beside the control socket; so that `down`
 * finds it whatever has ended in between, and touches nothing else.
 *
 *   lab.c        the three commands
 *   lab_state.c  what is written down
 *   lab_up.c     making; lab_up.h has its parts
 *   lab_down.c   removing
 *   lab_leave.c  by one only
 *   lab_show.c   showing
 *   lab_run.c    ip(8)
 *   lab_command.c  what hosts run
 *   lab_ns.c     network namespaces
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_LAB_H
#define CTL_CLIENT_LAB_H

#include "ctl/client/client.h"
#include "ctl/client/field.h"
#include "ctl/config/lab.h"

#include <limits.h>
#include <netinet/in.h>

struct lab_state {
    char name[LAB_NAME_MAX];
    char path[PATH_MAX]; /* of the file */
    /* {"lab", "file", "daemon": its process, "boot", "netns": where links are,
     * "maker": the `up` that makes it, until all is made,
     * "remover": the `down` that removes it,
     * "made": [{"what", "name", ...}]};
     * what: bridge, link, netns, uplink, guest */
    json_t *o;
};

/* ---- lab_state.c; 0 or -errno with a sentence ---- */

/* Begins the state of a lab that is not up.  -EEXIST: it is. */
int lab_state_new(const struct client *c, struct lab_state *s, const char *lab,
                  const char *file, json_int_t daemon, struct err *e);
/* That of the lab 'word' means, a file or a name.  -ENOENT: it is not up, of
 * s only the name is set. */
int lab_state_find(const struct client *c, struct lab_state *s,
                   const char *word, struct err *e);
/* All is made. */
int lab_state_complete(struct lab_state *s, struct err *e);
/* It is to be removed, by nobody but us: notes that, in what is written down by
 * now.  -EBUSY: somebody else removes it; -ENOENT: he has, it is not up.  What
 * is left over after a failure is nobody's again. */
int lab_state_leave(struct lab_state *s, struct err *e);
void lab_state_left(struct lab_state *s);
/* Or is it still being made, or was that interrupted; or removed? */
enum lab_made { LAB_UP, LAB_BEING_MADE, LAB_INTERRUPTED, LAB_LEAVING };
enum lab_made lab_state_made(const struct lab_state *s);
/* Has the machine not been booted since? */
bool lab_state_fresh(const struct lab_state *s);
/* The names of labs that are up; 'each' borrows them. */
void lab_state_each(const struct client *c,
                    void (*each)(void *arg, const char *lab), void *arg);
/* Takes 'what' over and writes the file. */
int lab_state_add(struct lab_state *s, json_t *what, struct err *e);
int lab_state_save(const struct lab_state *s, struct err *e);
/* The file goes, and what is beside it of that lab. */
void lab_state_remove(struct lab_state *s);
void lab_state_free(struct lab_state *s);
json_t *lab_made(const struct lab_state *s);

/* ---- lab_run.c ---- */

/* ip(8) with some words; what it says becomes the sentence. */
#define LAB_IP(e, ...) lab_ip(e, (const char *const[]){__VA_ARGS__, NULL})
int lab_ip(struct err *e, const char *const *word);
/* A word of it: "10.0.0.1", or with 'prefix' "10.0.0.1/24". */
#define LAB_ADDR_MAX (INET6_ADDRSTRLEN + 4)
const char *lab_addr_text(const struct conf_addr *a, bool prefix,
                          char text[LAB_ADDR_MAX]);

/* ---- processes, in lab_command.c ---- */

/* Notes "pid" and "began", by which it is known again. */
void lab_process_put(json_t *o, pid_t pid);
bool lab_process_runs(const json_t *o);

/* ---- lab_command.c; 'host' is what is written down of it ---- */

/* Starts it in the background; what it says goes to the file "log".  Notes
 * the process. */
int lab_command(const char *netns, const char *command, json_t *host,
                struct err *e);
/* For who started it: has it ended by now, and not well?  Notes "ended",
 * how. */
bool lab_command_ended(json_t *host);

/* ---- lab_ns.c ---- */

struct lab_ns {
    uint64_t inode, cookie;
};
/* Which one 'fd' is; -1: our own. */
bool lab_ns_of(int fd, struct lab_ns *ns);
bool lab_ns_is(int fd, const struct lab_ns *ns);
/* A descriptor of it, if it is the one that has this name; or -1. */
int lab_ns_open(const struct lab_ns *ns, const char *name);
/* ... or if it is ours, or anyone's; -1: it is gone. */
int lab_ns_find(const struct lab_ns *ns);
/* Sends 'sig' to those who live there (0: nothing); how many they are, and
 * one of them. */
unsigned lab_ns_signal(const struct lab_ns *ns, int sig, pid_t *one);
/* Written down as "netns", and read; false: it is not there. */
void lab_ns_put(json_t *o, const struct lab_ns *ns);
bool lab_ns_get(const json_t *o, struct lab_ns *ns);
bool lab_netns_exists(const char *netns);
/* Are we in a mount namespace, as `ip netns exec` makes one, whose new
 * namespaces have no names elsewhere? */
bool lab_ns_hidden(void);

/* ---- the rest; exit status ---- */

int lab_up(struct client *c, const char *file);
/* Quietly, where something was only begun. */
int lab_remove(struct client *c, struct lab_state *s, struct err *e);
int lab_show(struct client *c, const struct lab_state *s);

/* A call whose result is not wanted: 0 or -errno.  'netns' is passed along;
 * -1: none. */
int lab_call_in(struct client *c, const char *method, json_t *params, int netns,
                struct err *e);
int lab_call(struct client *c, const char *method, json_t *params,
             struct err *e);

#endif
