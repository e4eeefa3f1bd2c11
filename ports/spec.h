/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port specifications as people type them: KIND:NAME[,key=value...]; a bare
 * NAME is packet:NAME.  A value that contains ',' is quoted with '"'; inside
 * quotes '""' stands for '"'.
 *
 * Common keys   name=PORTNAME  netns=NAME|PID|PATH
 * Others belong to the kind, which refuses what it does not know.
 *
 * Threads: pure functions; any.
 */
#ifndef PORTS_SPEC_H
#define PORTS_SPEC_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_NAME_MAX   16  /* 15 characters and NUL, as IFNAMSIZ */
#define PORT_DETAIL_MAX 224 /* what a kind says of a port in its own words */
#define SPEC_KEYS_MAX   16
#define SPEC_TEXT_MAX   512

struct spec_key {
    const char *key;
    const char *value;
};

struct port_spec {
    char kind[16];
    char name[PORT_NAME_MAX]; /* the port's: name=, or from what follows ':' */
    const char *target;       /* what follows ':' up to the first ',' */
    const char *netns;        /* netns= as typed, or NULL */
    struct spec_key key[SPEC_KEYS_MAX]; /* the kind's own keys, in order */
    unsigned n_keys;
    /*
     * The namespace the device lives in: the client's, or what netns= names.
     * -1 means the daemon's own.  Owned by whoever filled it in.
     */
    int netns_fd;
    /*
     * The file of a kind that stands on one, if somebody opened it already:
     * the client does, since the daemon opens no path for it.  -1: the kind
     * opens it by its path, if it may: the daemon's own configuration names
     * it.  Owned by whoever filled it in.
     */
    int file_fd;
    bool may_open;
    bool again; /* it was there before: a recording goes on where it ended */
    bool local; /* the bridge's own interface (DESIGN 8) */
    char text[SPEC_TEXT_MAX]; /* storage for the strings above */
};

/*
 * Parses 'text'; both descriptors become -1.  0, or -EINVAL / -ENAMETOOLONG
 * with a sentence naming the offending part in 'e'.  Does not resolve netns=.
 * A socket kind without name= gets the empty name: the bridge numbers it
 * (stream0, ...).
 */
int port_spec_parse(struct port_spec *s, const char *text, struct err *e);

/*
 * Is 'name' fit to be a port's (the kernel's rule for interfaces: 1 to 15
 * characters, no '/', ':' or blank)?  0, -EINVAL or -ENAMETOOLONG.
 */
int port_name_check(const char *name, struct err *e);
/* The same of a bridge's and of an interface's; the sentence says so. */
int bridge_name_check(const char *name, struct err *e);
int netdev_name_check(const char *name, struct err *e);

/*
 * Copies a spec with its strings (they point into the struct: never copy one
 * by '=').  Descriptors are copied as numbers.  0, or -ENAMETOOLONG if strings
 * that a program put there itself do not fit.
 */
int port_spec_copy(struct port_spec *to, const struct port_spec *from);

/* Writes the spec as it would be typed; returns 'out'. */
const char *port_spec_format(const struct port_spec *s, char *out, size_t n);

/* The value of the kind's own key, or NULL. */
const char *port_spec_get(const struct port_spec *s, const char *key);

/*
 * Does the spec name a UNIX socket for the daemon to bind or to connect to,
 * with the daemon's authority?
 */
bool port_spec_has_socket(const struct port_spec *s);

/*
 * Reads a boolean key ("on|yes|1|true" / "off|no|0|false") into *v, which
 * keeps its value if the key is absent.  0 or -EINVAL with a sentence.
 */
int port_spec_bool(const struct port_spec *s, const char *key, bool *v,
                   struct err *e);

/* Reads mode=, octal permissions; 0 if the key is absent.  As above. */
int port_spec_mode(const struct port_spec *s, unsigned *mode, struct err *e);

/*
 * Reads a decimal key of min .. max into *v, which keeps its value if the key
 * is absent.  0 or -EINVAL with a sentence.
 */
int port_spec_uint(const struct port_spec *s, const char *key, uint32_t min,
                   uint32_t max, uint32_t *v, struct err *e);

/*
 * Is each of the kind's own keys in 'known' (NULL-terminated)?  0, or
 * -EINVAL with a sentence naming the key and listing the known ones.
 */
int port_spec_known(const struct port_spec *s, const char *const *known,
                    struct err *e);

/* ---- files; specfile.c ---- */

/* Does the spec's kind stand on a file? */
bool port_spec_has_file(const struct port_spec *s);

/* What is to be done with the file, by mode= and overwrite=. */
struct spec_file {
    bool record;    /* else it is replayed */
    bool overwrite; /* what was recorded there before may go */
};

/* Reads the two keys.  0, or -EINVAL with a sentence. */
int port_spec_file(const struct port_spec *s, struct spec_file *how,
                   struct err *e);

/*
 * Opens the file that the spec names, as its keys ask: for reading, or for
 * writing with its content still there; the port looks whether that may go,
 * and empties it when it begins.  Blocks as the disk does; with the rights of
 * the calling process.  *made: it did not exist before.  The descriptor, or
 * -errno with a sentence.
 */
int port_spec_open_file(const struct port_spec *s, bool *made, struct err *e);

/*
 * Writes the spec as port_spec_format does, with its path made absolute by the
 * calling process's working directory.  0, or -errno with a sentence.
 */
int port_spec_absolute(const struct port_spec *s, char *out, size_t n,
                       struct err *e);

#endif
