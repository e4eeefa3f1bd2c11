/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb.flush.  What was learned goes at once, whatever its number; entries
 * that are chosen by their kind are looked for all through the table, in
 * helpings, one for each turn of the loop.
 */
#include "ctl/call.h"
#include "ctl/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HELPING 64
#define SLOTS   512

struct flush {
    struct call *call;
    ev_timer timer;
    char bridge[PORT_NAME_MAX];
    struct mac own; /* of the bridge's interface */
    int port;       /* only this one's entries; -1: all */
    int vid;        /* only these; -1: all */
    uint8_t mask, value;
    struct fdb_walk walk;
    uint64_t held; /* found and not deleted yet; 0: none */
};

static void flush_end(struct flush *f)
{
    ev_timer_stop(f->call->server->loop, &f->timer);
    free(f);
}

static void flush_cancel(struct call *c)
{
    flush_end(c->state);
    call_free(c);
}

/*
 * The host's own addresses stay: without them it would be cut off.  (The
 * kernel's bridge forgets them.)
 */
static bool is_own(struct bridge *b, const struct flush *f,
                   const struct fdb_entry *e)
{
    struct mac mac = mac_from_u64(fdb_key_mac(e->key));
    struct bport *p = bport_by_no(b, e->value.port);
    struct bport_info i;

    if (!(e->value.flags & FDB_LOCAL))
        return false;
    if (mac_equal(&mac, &f->own))
        return true;
    if (!p)
        return false;
    bport_info(p, &i);
    return mac_equal(&mac, &i.mac);
}

static bool matches(struct bridge *b, const struct flush *f,
                    const struct fdb_entry *e)
{
    return (f->port < 0 || e->value.port == f->port) &&
           (f->vid < 0 || fdb_key_vid(e->key) == f->vid) &&
           (e->value.flags & f->mask) == f->value && !is_own(b, f, e);
}

/*
 * Does all that was learned match?  Then it goes by a new generation, however
 * much it is, and the walk leaves it alone.
 */
static bool all_learned(const struct flush *f)
{
    return f->value == 0 && f->vid < 0 &&
           (f->mask & ~(FDB_LOCAL | FDB_STATIC)) == 0;
}

static bool by_generation(const struct flush *f, const struct fdb_entry *e)
{
    return all_learned(f) && !(e->value.flags & (FDB_LOCAL | FDB_STATIC));
}

/* An entry that left by itself meanwhile is as good as deleted. */
static void on_deleted(void *call, int rc, const struct err *e)
{
    (void)rc;
    (void)e;
    call_ok(call, json_true());
}

/* The last helping has been taken: the answer comes when it is in force. */
static void finish(struct flush *f, struct bridge *b)
{
    struct bport *p = f->port > 0 ? bport_by_no(b, (uint16_t)f->port) : NULL;
    bool learned = all_learned(f) && f->port != BRIDGE_LOCAL;
    bool gone = f->port > 0 && !p;
    struct call *c = f->call;
    uint64_t held = f->held;

    flush_end(f);
    c->cancel = NULL;
    c->state = NULL;
    if (held)
        bridge_fdb_del(b, held, learned || gone ? NULL : on_deleted, c);
    if (gone)
        call_fail(c, ENOENT, "port", "fdb flush: the port was deleted");
    else if (learned)
        bridge_fdb_flush(b, p, call_done, c);
    else if (!held)
        call_ok(c, json_true());
}

/* The last one found is deleted last, by 'finish', whose answer it carries. */
static void hold(struct flush *f, struct bridge *b, uint64_t key)
{
    if (f->held)
        bridge_fdb_del(b, f->held, NULL, NULL);
    f->held = key;
}

static void on_turn(struct ev_loop *loop, ev_timer *t, int events)
{
    struct flush *f = t->data;
    struct bridge *b = bridge_find(f->call->server->sw, f->bridge);
    struct fdb_entry e[HELPING];
    uint32_t age[HELPING];
    struct call *c = f->call;
    unsigned n;

    (void)events;
    if (!b) {
        flush_end(f);
        call_fail(c, ENXIO, "bridge", "fdb flush: the bridge was deleted");
        return;
    }
    n = bridge_fdb_walk(b, &f->walk, e, age, HELPING, SLOTS);
    for (unsigned i = 0; i < n; i++)
        if (!by_generation(f, &e[i]) && matches(b, f, &e[i]))
            hold(f, b, e[i].key);
    if (f->walk.done) {
        finish(f, b);
        return;
    }
    ev_timer_set(t, 0., 0.);
    ev_timer_start(loop, t);
}

/* "permanent": true, only these; false, only others; absent, both. */
static void want(struct flush *f, const json_t *params, const char *key,
                 uint8_t bit)
{
    const json_t *v = json_object_get(params, key);

    if (!v)
        return;
    f->mask |= bit;
    if (json_is_true(v))
        f->value |= bit;
}

static struct flush *flush_new(struct call *c, struct bridge *b, int port)
{
    struct flush *f = calloc(1, sizeof(*f));
    struct bridge_info i;

    if (!f) {
        call_fail(c, ENOMEM, NULL, "fdb flush: out of memory");
        return NULL;
    }
    bridge_info(b, &i);
    memcpy(f->bridge, i.name, sizeof(f->bridge));
    f->own = i.mac;
    f->call = c;
    f->port = port;
    f->vid = json_object_get(c->params, "vlan")
                 ? (int)rpc_number(c->params, "vlan", 0)
                 : -1;
    want(f, c->params, "permanent", FDB_LOCAL);
    want(f, c->params, "static", FDB_STATIC);
    want(f, c->params, "sticky", FDB_STICKY);
    want(f, c->params, "extern", FDB_EXTERN);
    return f;
}

/* Without another word than where: what was learned, and nothing else. */
static bool only_learned(const json_t *params)
{
    static const char *const word[] = {"all",    "vlan",   "permanent",
                                       "static", "sticky", "extern"};

    for (unsigned i = 0; i < sizeof(word) / sizeof(word[0]); i++)
        if (json_object_get(params, word[i]))
            return false;
    return true;
}

static void flush_start(struct call *c, struct bridge *b, int port)
{
    struct flush *f = flush_new(c, b, port);

    if (!f)
        return;
    c->state = f;
    c->cancel = flush_cancel;
    ev_timer_init(&f->timer, on_turn, 0., 0.);
    f->timer.data = f;
    ev_timer_start(c->server->loop, &f->timer);
}

void rpc_fdb_flush(struct call *c)
{
    struct bridge *b;
    struct bport *p;
    int no;

    if (rpc_number(c->params, "vlan", 0) > 4094) {
        call_fail(c, ERANGE, "value", "fdb flush: vlan: 1 to 4094");
        return;
    }
    if (!call_place(c, &b, &p, &no))
        return;
    if (only_learned(c->params))
        bridge_fdb_flush(b, p, call_done, c);
    else
        flush_start(c, b, no);
}
