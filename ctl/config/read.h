/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loader, inside: YAML text becomes a tree of nodes (tree.c), tables of
 * keys (keys.c) say what may stand where, values (value.c) are read with
 * their ranges, and the sections (netplan.c, own.c) put the result into
 * struct conf.  ctl/config/load.h is the outside.
 *
 * Every function that can fail returns 0, -ENOMEM or -EINVAL and has then
 * written the sentence.
 *
 * Threads: one for each struct reader.
 */
#ifndef CTL_CONFIG_READ_H
#define CTL_CONFIG_READ_H

#include "ctl/config/load.h"
#include "ctl/config/pool.h"

#include <stddef.h>

/* ---- nodes ---- */

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    bool plain;             /* a scalar without quotes */
    unsigned n;             /* children */
    const char *text;       /* of a scalar */
    const char *odd;        /* what is wrong with the text, or NULL */
    struct node *first;     /* child: item of a list, key of a map */
    struct node *next;      /* item, key */
    struct node *value;     /* of a key */
    const struct node *key; /* the nearest key above; a key: itself */
    struct conf_pos pos;
};

#define node_each(n, child)                                                    \
    for (const struct node *child = (n)->first; child; child = child->next)

/* ---- the reader ---- */

/* (scope, text) -> pointer; see names.c */
struct names {
    struct name {
        const void *scope;
        const char *text;
        const void *value;
    } * slot;
    size_t size, used;
    uint64_t seed;
};

struct source {
    const char *name; /* in the configuration's pool */
    const char *same; /* the name in a form fit for comparing */
    const struct source *from;
    const struct node *root;
    const struct node *network, *own; /* values of the two sections */
    const struct node *include;
};

struct reader {
    struct conf *c;       /* what is being made */
    struct conf *scratch; /* its pool is freed when that is done */
    struct err *e;
    conf_open open;
    void *arg;
    struct source source[CONF_FILES_MAX];
    unsigned n_sources;
    size_t bytes;   /* of all files */
    unsigned nodes; /* of all files */
    struct names names;
    struct draft *draft, **draft_tail;
    unsigned n_drafts;
    const char *sections; /* what a file has at its top */
    bool beside; /* paths of guests are relative to the file they are in */
};

/* "FILE:LINE:COLUMN: KEY: sentence" at a node; -EINVAL. */
int bad(struct reader *r, const struct node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* ... at a place, without a key. */
int bad_at(struct reader *r, const struct conf_pos *pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 'n' says again what 'first' said. */
int bad_twice(struct reader *r, const struct node *n, const struct node *first);
int no_memory(struct reader *r);

/* Text fit for a sentence: short, no control characters, whole characters. */
struct shown {
    char text[64];
};
struct shown show(const char *text);
#define SHOW(t) (show(t).text)

struct place {
    char text[160];
};
/* "FILE:LINE:COLUMN" */
struct place place(const struct conf_pos *pos);
#define PLACE(n) (place(&(n)->pos).text)

/* Both from the scratch pool. */
void *scratch(struct reader *r, size_t n);
char *scratch_text(struct reader *r, const char *text);

/* tree.c: the tree of one file; pos.file is 'name' itself. */
int tree_read(struct reader *r, const char *name, const char *text, size_t len,
              const struct node **root);

/*
 * names.c: what (scope, text) stands for; *value is NULL if it is new, and
 * then 'mine' from now on.  'text' must outlive the reader.
 */
int names_put(struct reader *r, const void *scope, const char *text,
              const void *mine, const void **value);
const void *names_get(const struct reader *r, const void *scope,
                      const char *text);

/* ---- keys (keys.c) ---- */

struct key;
typedef int (*key_read)(struct reader *r, const struct node *v, void *to,
                        const struct key *k);

/*
 * A key that may stand in a map.  'read' obeys it; without 'read' it is
 * refused with 'why'.  'at' is the reader's: mostly an offset in 'to'.
 */
struct key {
    const char *name;
    key_read read;
    size_t at;
    const char *why;
};

/* Keys that fill one struct. */
struct keys {
    const struct key *key; /* the last has no name */
    void *to;
    const struct node **seen; /* [keys], or NULL: where each was read */
};

/* 'what' says whose keys they are ("a bridge"), for those it has not. */
int keys_read(struct reader *r, const struct node *map, const char *what,
              const struct keys *set, unsigned n_sets);

/* The value of a key; NULL: there is none, or it is no map. */
const struct node *node_child(const struct node *map, const char *name);

/* Is it a map, a list?  Else a sentence. */
int want_map(struct reader *r, const struct node *n);
int want_list(struct reader *r, const struct node *n);

/* Readers for tables.  key_switch: an enum conf_switch at 'at'. */
int key_switch(struct reader *r, const struct node *v, void *to,
               const struct key *k);
/* "no" and an empty list are what is the case anyway; else 'why'. */
int key_only_no(struct reader *r, const struct node *v, void *to,
                const struct key *k);
int key_only_empty(struct reader *r, const struct node *v, void *to,
                   const struct key *k);
/* Must be a boolean; changes nothing. */
int key_either(struct reader *r, const struct node *v, void *to,
               const struct key *k);

/* ---- values (value.c) ---- */

bool value_null(const struct node *n);
/* A scalar that is not null; the text is in scratch. */
int value_text(struct reader *r, const struct node *n, const char **text);
/* ... copied to the configuration's pool. */
int value_keep(struct reader *r, const struct node *n, const char **text);
bool value_is_switch(const struct node *n, bool *v);
int value_switch(struct reader *r, const struct node *n, bool *v);
int value_number(struct reader *r, const struct node *n, uint32_t min,
                 uint32_t max, uint32_t *v);
/* Also 0x... */
int value_mask(struct reader *r, const struct node *n, uint32_t max,
               uint32_t *v);
/* Seconds, or with suffixes; in hundredths of a second. */
int value_time(struct reader *r, const struct node *n, uint32_t min,
               uint32_t max, uint32_t *v);
/* Index into 'words', which ends with NULL; whatever the case. */
int value_word(struct reader *r, const struct node *n, const char *const *words,
               unsigned *index);
/* A device's own address. */
int value_mac(struct reader *r, const struct node *n, struct mac *m);
/* An interface's name. */
int value_ifname(struct reader *r, const struct node *n, const char **name);
/* Is its text fit to be a bridge's? */
int value_bridge_name(struct reader *r, const struct node *n);
enum value_addr { ADDR_PLAIN, ADDR_PREFIX, ADDR_EITHER };
/* 'pos' is set, too. */
int value_addr(struct reader *r, const struct node *n, enum value_addr form,
               struct conf_addr *a);
int value_renderer(struct reader *r, const struct node *n, const char **name);

#endif
