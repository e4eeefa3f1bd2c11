/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lab's file: bridges, guests, hosts in network namespaces, links between
 * bridges and an uplink, for `bascule lab`.  docs/lab/README.md has its keys.
 *
 * Every key is obeyed or refused by name, line and column; paths are relative
 * to the file.  A value: made by lab_load, not changed afterwards.
 *
 * Threads: any; lab_load blocks while it reads the file.
 */
#ifndef CTL_CONFIG_LAB_H
#define CTL_CONFIG_LAB_H

#include "base/err.h"
#include "ctl/config/model.h"

#define LAB_NAME_MAX  32
#define LAB_LINKS_MAX 256
#define LAB_HOSTS_MAX 1000

/* A network namespace with the interface eth0, a tap of the daemon's. */
struct lab_host {
    const char *name; /* its port's, too */
    const char *bridge;
    struct conf_addr addr;    /* family 0: none */
    struct conf_addr gateway; /* likewise */
    const char *command;      /* for the shell, in the namespace; NULL: none */
    struct conf_pos pos;
};

/* A veth pair; port[i] is a port of bridge[i]. */
struct lab_link {
    const char *bridge[2];
    char port[2][PORT_NAME_MAX];
    struct conf_pos pos;
};

struct lab {
    char name[LAB_NAME_MAX];
    struct conf *conf; /* its bridges, without ports, and its guests */
    struct lab_host *host;
    unsigned n_hosts;
    struct lab_link *link;
    unsigned n_links;
    const char *uplink; /* an interface that is there; NULL: none */
    const char *uplink_bridge;
    struct conf_pos uplink_pos;
};

/* Letters, digits, '_' and '-': may a lab be called that? */
bool lab_name_is_fit(const char *s);

/* 0, or -errno with a sentence that begins with FILE:LINE:COLUMN, but for a
 * file that cannot be read. */
int lab_load(struct lab **lab, const char *name, struct err *e);
/* 'text' as it would be a file called 'name'. */
int lab_load_text(struct lab **lab, const char *name, const char *text,
                  size_t len, struct err *e);
void lab_free(struct lab *lab);

/* Do links join bridges in a loop that no spanning tree cuts?  Then a sentence
 * names them; the lab can be made nevertheless. */
bool lab_loop(const struct lab *lab, struct err *e);

#endif
