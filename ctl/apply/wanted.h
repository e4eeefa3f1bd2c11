/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration with its places found: which device a `match:` means, and
 * which namespace each device is in.
 *
 * Threads: task thread (it asks the kernel); then read by any.
 */
#ifndef CTL_APPLY_WANTED_H
#define CTL_APPLY_WANTED_H

#include "ctl/apply/owned.h"

/* Namespaces opened by whoever asks, by the text after netns=. */
struct named_netns {
    char *text;
    int fd;
    uint64_t id;
};

/* Files opened by whoever asks, by their paths. */
struct named_file {
    char *path;
    int fd;
};

struct running;

struct want_where {
    int netns_fd; /* the asker's; -1: the daemon's own */
    uint64_t netns;
    const struct named_netns *named;
    unsigned n_named;
    const struct named_file *file;
    unsigned n_files;
    bool may_open; /* the daemon's own configuration: it opens files itself */
    bool dry_run;  /* files need not be open */
    bool may_name; /* UNIX sockets */
    const struct owned *owned; /* what a `match:` meant before */
    const struct running *running;
    bool may_wait; /* a `match:` may find nothing yet, a bridge be absent; one
                      that is awaited already may in any case */
};

struct want_port {
    const struct conf_port *conf;
    struct port_spec spec; /* its descriptors are borrowed from the above */
    uint64_t netns;
    bool taken; /* its device's addresses have been taken */
};

struct want_bridge {
    const struct conf_bridge *conf;
    struct want_port *port;
    unsigned n_ports, room;
    bool absent; /* to be adopted, and not there yet */
};

/* `match:`es that found nothing, and absent bridges: the addresses of their
 * struct conf_pos, to be compared only, while the configuration lives. */
struct want_missing {
    const void **at;
    unsigned n;
};

struct want {
    const struct conf *conf;
    struct want_bridge *bridge;
    unsigned n_bridges;
    struct want_missing missing;
};

/* 0, or -errno with a sentence that begins with "FILE:LINE:COLUMN: ". */
int want_make(struct want **out, const struct conf *c,
              const struct want_where *where, struct err *e);
void want_free(struct want *w);
bool want_is_missing(const struct want_missing *m, const struct conf_pos *pos);
/* Is something of 'before' not in 'now' any more? */
bool want_found_more(const struct want_missing *now,
                     const struct want_missing *before);
/* 'to' is freed first.  0 or -ENOMEM: then it is empty. */
int want_missing_copy(struct want_missing *to, const struct want_missing *from);
void want_missing_free(struct want_missing *m);
struct want_bridge *want_find(const struct want *w, const char *name);

/* err_set with "FILE:LINE:COLUMN: " before it; 'pos' may be NULL. */
int want_fail(struct err *e, int code, const struct conf_pos *pos,
              const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* ... before a sentence that is there. */
int want_wrap(struct err *e, int code, const struct conf_pos *pos);

#endif
