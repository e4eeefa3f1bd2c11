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

static void fdb_list(struct call *c, const char *port)
{
    const char *only = rpc_string(c->params, "bridge");
    struct bport *p = NULL;
    struct bport_info i;
    struct fdb_dump *f;

    if (only && !call_bridge(c))
        return;
    if (port) {
        p = call_port(c, port);
        if (!p)
            return;
        bport_info(p, &i);
    }
    f = fdb_dump_new(c->server->sw, only);
    if (!f) {
        call_fail(c, ENOMEM, NULL, "%s: out of memory", c->req.cmd->name);
        return;
    }
    if (port)
        f->port = i.no;
    call_dump(c, &f->dump);
}

void rpc_showmacs(struct call *c)
{
    fdb_list(c, NULL);
}

void rpc_fdb_show(struct call *c)
{
    const char *port = rpc_string(c->params, "port");

    if (port && !rpc_string(c->params, "bridge"))
        call_bad_params(c, "fdb show: \"port\" needs \"bridge\" beside it");
    else
        fdb_list(c, port);
}

/* ---- changing ---- */

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

void rpc_fdb_add(struct call *c)
{
    const char *type = rpc_string(c->params, "type");
    struct bridge *b;
    struct bport *p;
    uint8_t flags;
    uint64_t key;

    if (!type || strcmp(type, "static") == 0)
        flags = FDB_STATIC;
    else if (strcmp(type, "sticky") == 0)
        flags = FDB_STICKY;
    else if (strcmp(type, "dynamic") == 0)
        flags = 0;
    else {
        call_bad_params(c, "fdb add: %.20s: known are static, sticky, dynamic",
                        type);
        return;
    }
    b = call_bridge(c);
    if (!b)
        return;
    p = call_port(c, rpc_string(c->params, "port"));
    if (!p || !fdb_call_key(c, &key))
        return;
    c->what = "entry";
    bridge_fdb_set(b, key, p, flags, call_done, c);
}

void rpc_fdb_del(struct call *c)
{
    struct bridge *b = call_bridge(c);
    uint64_t key;

    if (!b || !fdb_call_key(c, &key))
        return;
    c->what = "entry";
    bridge_fdb_del(b, key, call_done, c);
}

void rpc_fdb_flush(struct call *c)
{
    const char *port = rpc_string(c->params, "port");
    struct bridge *b = call_bridge(c);
    struct bport *p = NULL;

    if (!b)
        return;
    if (port) {
        p = call_port(c, port);
        if (!p)
            return;
    }
    bridge_fdb_flush(b, p, call_done, c);
}
