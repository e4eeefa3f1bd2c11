/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ovs-vsctl's commands on records share: tables, columns, and how a place
 * in a record is written.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_OVS_VSCTL_TABLE_H
#define CTL_CLIENT_OVS_VSCTL_TABLE_H

#include "ctl/client/ovs_vsctl.h"

enum ovs_how { SET_NEVER, SET_LABELS, SET_ISOLATED, SET_TYPE, SET_STP };

struct ovs_column {
    const char *name;
    json_t *(*get)(const struct ovs *o, const json_t *record);
    enum ovs_how how;
    const char *why; /* it cannot be set */
};

struct ovs_table {
    const char *name;
    const struct ovs_column *columns;
};

/* By name: any case, '-' for '_', cut short.  NULL after o->err. */
const struct ovs_table *ovs_find_table(struct ovs *o, const char *text);
const struct ovs_column *ovs_find_column(struct ovs *o,
                                         const struct ovs_table *t,
                                         const char *text, size_t n);

/* The records of a table: borrowed; NULL: none. */
json_t *ovs_records(const struct ovs *o, const struct ovs_table *t);
/* 1, 0 if there is none and that is all right, -1 after o->err. */
int ovs_find_record(struct ovs *o, const struct ovs_command *c,
                    const struct ovs_table *t, const char *name, json_t **r);
/* The same for TABLE RECORD at the beginning of the arguments. */
int ovs_table_and_record(struct ovs *o, const struct ovs_command *c,
                         const struct ovs_table **t, json_t **r);

/* COLUMN[:KEY], =VALUE */
struct ovs_place {
    const struct ovs_column *column;
    char *key; /* NULL: all of the column */
    bool unequal;
    const char *value; /* NULL: none */
};

/* 'want': a value has to follow.  p->key is to be freed.  -1 after o->err. */
int ovs_read_place(struct ovs *o, const struct ovs_table *t, const char *text,
                   bool want, struct ovs_place *p);

/* The value of a key in a map; NULL: it is not there. */
const json_t *ovs_value_of(const json_t *map, const char *key);
/* Is the value, printed, what the text says?  Quotes in it are optional. */
bool ovs_says(struct ovs *o, const json_t *v, const char *text);

#endif
