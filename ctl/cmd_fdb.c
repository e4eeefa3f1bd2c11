/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on the forwarding database.
 */
#include "ctl/call.h"
#include "ctl/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- showing ---- */

#define WALK_ENTRIES 64
#define WALK_SLOTS   512

struct fdb_dump {
    struct dump dump;
    char (*bridge)[PORT_NAME_MAX];
    unsigned n_bridges, at;
    int port; /* only this one; -1: all */
    struct fdb_walk walk;
};

static void fdb_dump_free(struct dump *d)
{
    struct fdb_dump *f = (struct fdb_dump *)d;

    free(f->bridge);
    free(f);
}

static const char *port_name(struct bridge *b, uint16_t no, const char *bridge,
                             struct bport_info *i)
{
    struct bport *p = no == BRIDGE_LOCAL ? bport_local(b) : bport_by_no(b, no);

    if (!p) /* the bridge's own address, without an interface */
        return bridge;
    bport_info(p, i);
    return i->name;
}

/*
 * Entries come in no order, but neighbours are often of one port: the name
 * of the last one is kept.
 */
static int write_entries(struct fdb_dump *f, struct bridge *b,
                         const char *bridge, struct text *out,
                         const struct fdb_entry *e, const uint32_t *age,
                         unsigned n)
{
    struct bport_info info;
    const char *name = NULL;
    int last = -1;

    for (unsigned i = 0; i < n; i++) {
        if (f->port >= 0 && e[i].value.port != f->port)
            continue;
        if (e[i].value.port != last)
            name = port_name(b, e[i].value.port, bridge, &info);
        last = e[i].value.port;
        if (dump_comma(&f->dump, out) < 0 ||
            object_entry(out, &e[i], age[i], name, bridge) < 0)
            return -ENOMEM;
    }
    return 0;
}

static enum dump_next fdb_next(struct dump *d, struct text *out)
{
    struct fdb_dump *f = (struct fdb_dump *)d;
    struct fdb_entry e[WALK_ENTRIES];
    uint32_t age[WALK_ENTRIES];
    struct bridge *b;
    unsigned n;

    if (f->at == f->n_bridges)
        return DUMP_END;
    b = bridge_find(d->server->sw, f->bridge[f->at]);
    if (!b) { /* gone, and its entries with it */
        f->at++;
        memset(&f->walk, 0, sizeof(f->walk));
        return DUMP_MORE;
    }
    n = bridge_fdb_walk(b, &f->walk, e, age, WALK_ENTRIES, WALK_SLOTS);
    if (write_entries(f, b, f->bridge[f->at], out, e, age, n) < 0)
        return DUMP_FAILED;
    if (f->walk.done) {
        f->at++;
        memset(&f->walk, 0, sizeof(f->walk));
    }
    return DUMP_MORE;
}

static struct fdb_dump *fdb_dump_new(struct sw *sw, const char *only)
{
    struct fdb_dump *f = calloc(1, sizeof(*f));
    struct bridge *b;
    unsigned n = 1;

    for (b = bridge_next(sw, NULL); b; b = bridge_next(sw, b))
        n++;
    if (f)
        f->bridge = calloc(n, sizeof(*f->bridge));
    if (!f || !f->bridge) {
        free(f);
        return NULL;
    }
    for (b = bridge_next(sw, NULL); b; b = bridge_next(sw, b)) {
        struct bridge_info i;

        bridge_info(b, &i);
        if (!only || strcmp(only, i.name) == 0)
            memcpy(f->bridge[f->n_bridges++], i.name, sizeof(i.name));
    }
    f->port = -1;
    f->dump.head = "[";
    f->dump.tail = "]";
    f->dump.next = fdb_next;
    f->dump.free = fdb_dump_free;
    return f;
}

/* 'port': only that one's entries; -1: all. */
static void fdb_list(struct call *c, const char *only, int port)
{
    struct fdb_dump *f = fdb_dump_new(c->server->sw, only);

    if (!f) {
        call_fail(c, ENOMEM, NULL, "%s: out of memory", c->req.cmd->name);
        return;
    }
    f->port = port;
    call_dump(c, &f->dump);
}

void rpc_showmacs(struct call *c)
{
    if (call_bridge(c))
        fdb_list(c, rpc_string(c->params, "bridge"), -1);
}

void rpc_fdb_show(struct call *c)
{
    struct bridge_info i;
    struct bridge *b;
    struct bport *p;
    int no;

    if (json_object_size(c->params) == 0) {
        fdb_list(c, NULL, -1);
        return;
    }
    if (!call_place(c, &b, &p, &no))
        return;
    bridge_info(b, &i);
    fdb_list(c, i.name, no);
}

/* ---- one entry ---- */

/* The key that "mac" and "vlan" name; false after an answer. */
static bool fdb_call_key(struct call *c, uint64_t *key)
{
    uint64_t vid = rpc_number(c->params, "vlan", 0);
    struct mac mac;

    mac_parse(rpc_string(c->params, "mac"), &mac);
    if (vid > 4094) {
        call_fail(c, ERANGE, "value", "%s: vlan: 1 to 4094, or 0 for none",
                  c->req.cmd->name);
        return false;
    }
    if (mac_is_group(&mac) || mac_is_zero(&mac)) {
        call_fail(c, EINVAL, "value",
                  "%s: %s is no address of a single station", c->req.cmd->name,
                  rpc_string(c->params, "mac"));
        return false;
    }
    *key = fdb_key((uint16_t)vid, mac_to_u64(&mac));
    return true;
}

static void no_entry(struct call *c, struct bridge *b)
{
    struct bridge_info i;

    bridge_info(b, &i);
    call_fail(c, ENOENT, "entry", "bridge %s has no such entry for %s", i.name,
              rpc_string(c->params, "mac"));
}

/* A port in "port" only says which bridge, as with iproute2. */
void rpc_fdb_get(struct call *c)
{
    struct bport_info port;
    struct bridge_info i;
    struct text text = {0};
    struct fdb_entry e;
    struct bridge *b;
    struct bport *p;
    uint32_t age;
    int no;

    if (!call_place(c, &b, &p, &no) || !fdb_call_key(c, &e.key))
        return;
    if (!bridge_fdb_get(b, e.key, &e.value, &age)) {
        no_entry(c, b);
        return;
    }
    bridge_info(b, &i);
    if (object_entry(&text, &e, age, port_name(b, e.value.port, i.name, &port),
                     i.name) < 0)
        call_fail(c, ENOMEM, NULL, "fdb get: out of memory");
    else
        call_ok(c, json_loadb(text.p, text.len, 0, NULL));
    text_free(&text);
}

/* ---- changing ---- */

/* The flags that "type", "sticky" and "extern" ask for; -1 after an answer. */
static int entry_flags(struct call *c)
{
    static const struct {
        const char *name;
        uint8_t flags;
    } type[] = {{"static", FDB_STATIC},
                {"dynamic", 0},
                {"sticky", FDB_STICKY},
                {"permanent", FDB_LOCAL | FDB_STATIC},
                {"local", FDB_LOCAL | FDB_STATIC}};
    const char *name = rpc_string(c->params, "type");
    int flags = -1;

    for (unsigned i = 0; i < sizeof(type) / sizeof(type[0]); i++)
        if (strcmp(name ? name : "static", type[i].name) == 0)
            flags = type[i].flags;
    if (flags < 0) {
        call_bad_params(c,
                        "fdb add: %.20s: known are static, sticky, dynamic, "
                        "permanent, local",
                        name);
        return -1;
    }
    if (rpc_bool(c->params, "sticky", false))
        flags |= FDB_STICKY;
    if (rpc_bool(c->params, "extern", false))
        flags |= FDB_EXTERN;
    if ((flags & FDB_LOCAL) && (flags & (FDB_STICKY | FDB_EXTERN))) {
        call_fail(c, EINVAL, "value",
                  "fdb add: a permanent entry is neither sticky nor learned");
        return -1;
    }
    return flags;
}

/* What only the state of the switch can tell; false after an answer. */
static bool may_add(struct call *c, struct bridge *b, struct bport *p,
                    uint64_t key, int flags)
{
    struct fdb_value old;
    uint32_t age;

    if (fdb_key_vid(key)) {
        call_fail(c, EINVAL, "value",
                  "fdb add: vlan %u: there is no VLAN filtering yet, and no "
                  "entry of a VLAN",
                  fdb_key_vid(key));
        return false;
    }
    if (!p && !(flags & FDB_LOCAL)) {
        call_fail(c, EINVAL, "value",
                  "fdb add: entries of the bridge itself are permanent");
        return false;
    }
    if (rpc_bool(c->params, "exclusive", false) &&
        bridge_fdb_get(b, key, &old, &age)) {
        call_fail(c, EEXIST, "entry", "fdb add: there is an entry for %s",
                  rpc_string(c->params, "mac"));
        return false;
    }
    return true;
}

void rpc_fdb_add(struct call *c)
{
    int flags = entry_flags(c);
    struct bridge *b;
    struct bport *p;
    uint64_t key;
    int no;

    if (flags < 0 || !call_place(c, &b, &p, &no) || !fdb_call_key(c, &key))
        return;
    if (no < 0) {
        call_bad_params(c, "fdb add: parameter \"port\" is missing");
        return;
    }
    if (!may_add(c, b, p, key, flags))
        return;
    c->what = "entry";
    bridge_fdb_set(b, key, p, (uint8_t)flags, call_done, c);
}

/* With "port": only if the entry is on that one. */
void rpc_fdb_del(struct call *c)
{
    struct fdb_value old;
    struct bridge *b;
    struct bport *p;
    uint32_t age;
    uint64_t key;
    int no;

    if (!call_place(c, &b, &p, &no) || !fdb_call_key(c, &key))
        return;
    if (no >= 0 && (!bridge_fdb_get(b, key, &old, &age) || old.port != no)) {
        no_entry(c, b);
        return;
    }
    c->what = "entry";
    bridge_fdb_del(b, key, call_done, c);
}
