/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client under the name ovs-vsctl: what libvirt and people say to Open
 * vSwitch about bridges and ports, said to Bascule.
 *
 * One invocation is several commands.  They are read first (ovs_vsctl_parse.c),
 * then carried out on a picture of the switch taken at the beginning, which
 * yields what is to be printed and the steps to be taken, and only then are
 * the steps taken, the ones before taken back if one fails (ovs_vsctl_step.c).
 * What cannot be done is thus known before anything has changed.
 *
 * A record of table Bridge is an object as "bridge show" has it, one of Port
 * and Interface, which are the same thing here, an object as "port show" has
 * it.  Values are written as OVSDB does in JSON (RFC 7047, 5.1): strings,
 * numbers, booleans, ["set",[...]], ["map",[[key,value],...]].
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_OVS_VSCTL_H
#define CTL_CLIENT_OVS_VSCTL_H

#include "ctl/client/client.h"
#include "ctl/client/field.h"

enum ovs_option {
    OVS_IF_EXISTS = 1 << 0,
    OVS_MAY_EXIST = 1 << 1,
    OVS_COLUMNS = 1 << 2,
    OVS_WITH_IFACE = 1 << 3,
    OVS_REAL = 1 << 4,
    OVS_FAKE = 1 << 5,
    OVS_ALL = 1 << 6,
    OVS_ID = 1 << 7,
};

/* X(id, name, arguments, min, max, options) */
#define OVS_VERB_LIST(X)                                                       \
    X(init, "init", "", 0, 0, 0)                                               \
    X(show, "show", "", 0, 0, 0)                                               \
    X(add_br, "add-br", "BRIDGE", 1, 3, OVS_MAY_EXIST)                         \
    X(del_br, "del-br", "BRIDGE", 1, 1, OVS_IF_EXISTS)                         \
    X(list_br, "list-br", "", 0, 0, OVS_REAL | OVS_FAKE)                       \
    X(br_exists, "br-exists", "BRIDGE", 1, 1, 0)                               \
    X(br_to_vlan, "br-to-vlan", "BRIDGE", 1, 1, 0)                             \
    X(br_to_parent, "br-to-parent", "BRIDGE", 1, 1, 0)                         \
    X(list_ports, "list-ports", "BRIDGE", 1, 1, 0)                             \
    X(list_ifaces, "list-ifaces", "BRIDGE", 1, 1, 0)                           \
    X(add_port, "add-port", "BRIDGE PORT [COLUMN[:KEY]=VALUE]...", 2, CMD_ANY, \
      OVS_MAY_EXIST)                                                           \
    X(del_port, "del-port", "[BRIDGE] PORT", 1, 2,                             \
      OVS_IF_EXISTS | OVS_WITH_IFACE)                                          \
    X(port_to_br, "port-to-br", "PORT", 1, 1, 0)                               \
    X(iface_to_br, "iface-to-br", "IFACE", 1, 1, 0)                            \
    X(list, "list", "TABLE [RECORD]...", 1, CMD_ANY,                           \
      OVS_IF_EXISTS | OVS_COLUMNS)                                             \
    X(find, "find", "TABLE [COLUMN[:KEY]=VALUE]...", 1, CMD_ANY, OVS_COLUMNS)  \
    X(get, "get", "TABLE RECORD [COLUMN[:KEY]]...", 2, CMD_ANY,                \
      OVS_IF_EXISTS | OVS_ID)                                                  \
    X(set, "set", "TABLE RECORD COLUMN[:KEY]=VALUE...", 3, CMD_ANY,            \
      OVS_IF_EXISTS)                                                           \
    X(add, "add", "TABLE RECORD COLUMN KEY=VALUE...", 4, CMD_ANY,              \
      OVS_IF_EXISTS)                                                           \
    X(remove, "remove", "TABLE RECORD COLUMN KEY[=VALUE]...", 4, CMD_ANY,      \
      OVS_IF_EXISTS)                                                           \
    X(clear, "clear", "TABLE RECORD COLUMN...", 3, CMD_ANY, OVS_IF_EXISTS)     \
    X(create, "create", "TABLE COLUMN[:KEY]=VALUE...", 2, CMD_ANY, OVS_ID)     \
    X(destroy, "destroy", "TABLE RECORD...", 1, CMD_ANY,                       \
      OVS_IF_EXISTS | OVS_ALL)

enum ovs_verb_id {
#define X(id, ...) OVS_##id,
    OVS_VERB_LIST(X)
#undef X
        OVS_VERBS
};

struct ovs_verb {
    const char *name;
    const char *args;
    int min, max; /* CMD_ANY: no bound */
    unsigned options;
};
extern const struct ovs_verb ovs_verbs[OVS_VERBS];

struct ovs_command {
    enum ovs_verb_id verb;
    unsigned options;    /* those given */
    const char *columns; /* of --columns; NULL: all */
    int argc;
    char **argv; /* its arguments */
};

enum ovs_format { OVS_LIST, OVS_CSV, OVS_JSON };
enum ovs_data { OVS_STRING, OVS_BARE, OVS_DATA_JSON };

/* How lists of records are printed. */
struct ovs_style {
    enum ovs_format format;
    enum ovs_data data;
    bool headings;
};

#define OVS_COMMANDS_MAX 64

struct ovs_line {
    struct ovs_style style;
    unsigned timeout; /* seconds; 0: none */
    bool oneline, dry_run, help, version;
    const char *socket; /* of --db=unix:PATH; NULL: not said */
    unsigned n;
    struct ovs_command command[OVS_COMMANDS_MAX];
};

/* 0, or -EINVAL with the sentence.  'l' points into argv afterwards. */
int ovs_parse(struct ovs_line *l, int argc, char **argv, struct err *e);
void ovs_help(FILE *out);

/* ---- values (ovs_vsctl_value.c) ---- */

/* {} as a map, sorted by key; a list of strings as a set. */
json_t *ovs_map(const json_t *object);
json_t *ovs_set_of(json_t *array);
/* One value as 'data' has it. */
void ovs_print(FILE *out, const json_t *v, enum ovs_data data);
/* "TEXT" with JSON's escapes, or the text as it is.  NULL after err. */
char *ovs_atom(const char *text, struct err *e);
/* "a=b,c=d", with braces around or without, into an object.  NULL after err. */
json_t *ovs_read_map(const char *text, struct err *e);

/* ---- the picture, and what is to be done ---- */

enum ovs_step_kind {
    OVS_ADD_BRIDGE,
    OVS_DEL_BRIDGE,
    OVS_SET_STP,
    OVS_ADD_PORT,
    OVS_DEL_PORT,
    OVS_SET_ISOLATED,
    OVS_SET_LABELS,
};

/*
 * 'record' is as it is to be once all commands are done; what it was before
 * stands beside it, under the column's key with '-' before it.
 */
struct ovs_step {
    enum ovs_step_kind kind;
    json_t *record;
};

#define OVS_STEPS_MAX 256

struct ovs {
    struct client *c;
    json_t *bridges, *ports;
    struct ovs_style style;
    FILE *out; /* of the command being carried out */
    struct err err;
    struct err note; /* what was left undone, for people; "" */
    int status;      /* > 0: end at once, with this exit status */
    unsigned n;
    struct ovs_step step[OVS_STEPS_MAX];
};

/* Asks the daemon how things are.  -1 after o->err. */
int ovs_fetch(struct ovs *o);
void ovs_free(struct ovs *o);

/* By name; NULL: there is none.  A bridge's own interface has number 0. */
json_t *ovs_find_bridge(const struct ovs *o, const char *name);
json_t *ovs_find_port(const struct ovs *o, const char *name);
bool ovs_is_local(const json_t *port);

/* Notes a step; -1 after o->err. */
int ovs_add_step(struct ovs *o, enum ovs_step_kind kind, json_t *record);
/* record[key] = v (taken over), with a step the first time. */
int ovs_change(struct ovs *o, json_t *record, const char *key, json_t *v,
               enum ovs_step_kind kind);

/* Takes the steps; -1 after o->err, when those before are taken back. */
int ovs_take_steps(struct ovs *o);

/* Says what went wrong; always -1. */
int ovs_fail(struct ovs *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- tables (ovs_vsctl_show.c, ovs_vsctl_record.c) ---- */

/* As the verbs; argv[0] is the table. */
int ovs_list(struct ovs *o, const struct ovs_command *c);
int ovs_find(struct ovs *o, const struct ovs_command *c);
int ovs_get(struct ovs *o, const struct ovs_command *c);
int ovs_set(struct ovs *o, const struct ovs_command *c);
int ovs_add(struct ovs *o, const struct ovs_command *c);
int ovs_remove(struct ovs *o, const struct ovs_command *c);
int ovs_clear(struct ovs *o, const struct ovs_command *c);
/* COLUMN[:KEY]=VALUE of a port. */
int ovs_set_port(struct ovs *o, json_t *port, const char *text);
/* "vxlan" of a port's device; "" for a plain interface. */
const char *ovs_type(const json_t *port);

/* ---- all of it ---- */

/* Carries out 'l' on the picture in 'o' and prints to 'out'. */
int ovs_run(struct ovs *o, const struct ovs_line *l, FILE *out);
int ovs_vsctl_main(struct client *c, int argc, char **argv);

#endif
