/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods whose answer is a list of bridges or ports: written item by item,
 * because a switch may have a thousand of each.
 */
#include "ctl/call.h"
#include "ctl/guest/guest.h"
#include "ctl/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where a list is: bridges by name, since they may come and go between two
 * slices, and ports by the number of the last one written.
 */
struct list {
    struct dump dump;
    char (*bridge)[PORT_NAME_MAX];
    unsigned n_bridges, at;
    json_t *(*item)(struct bport *p, const char *bridge);
    int port; /* number of the last port written; -1: none yet */
    bool want_local;
    char only_port[PORT_NAME_MAX]; /* "": all */
    char head[1];                  /* dump.head if it is not constant */
};

static void list_free(struct dump *d)
{
    struct list *l = (struct list *)d;

    free(l->bridge);
    free(l);
}

/* NULL after an answer.  'only': one bridge; NULL: all there are now. */
static struct list *list_new(struct call *c, const char *only, size_t head)
{
    struct list *l = calloc(1, sizeof(*l) + head);
    struct sw *sw = c->server->sw;
    unsigned n = 1;
    struct bridge *b;

    for (b = bridge_next(sw, NULL); b; b = bridge_next(sw, b))
        n++;
    if (l)
        l->bridge = calloc(n, sizeof(*l->bridge));
    if (!l || !l->bridge) {
        free(l);
        call_fail(c, ENOMEM, NULL, "%s: out of memory", c->req.cmd->name);
        return NULL;
    }
    l->port = -1;
    l->item = object_port;
    l->dump.head = "[";
    l->dump.tail = "]";
    l->dump.free = list_free;
    for (b = bridge_next(sw, NULL); b; b = bridge_next(sw, b)) {
        struct bridge_info i;

        bridge_info(b, &i);
        if (!only || strcmp(only, i.name) == 0)
            memcpy(l->bridge[l->n_bridges++], i.name, sizeof(i.name));
    }
    return l;
}

static enum dump_next add_item(struct dump *d, struct text *out, json_t *o)
{
    int rc = -ENOMEM;

    if (o && dump_comma(d, out) == 0)
        rc = text_json(out, o);
    json_decref(o);
    return rc == 0 ? DUMP_MORE : DUMP_FAILED;
}

static enum dump_next next_bridge(struct dump *d, struct text *out)
{
    struct list *l = (struct list *)d;
    struct bridge *b;

    if (l->at == l->n_bridges)
        return DUMP_END;
    b = bridge_find(d->server->sw, l->bridge[l->at++]);
    return b ? add_item(d, out, object_bridge(b)) : DUMP_MORE;
}

/* The first port behind number 'after'; the local one is number 0. */
static struct bport *port_after(struct bridge *b, int after, bool local)
{
    struct bport *p;

    if (after < 0 && local && (p = bport_local(b)) != NULL)
        return p;
    for (int no = after < 1 ? 1 : after + 1; no <= BRIDGE_PORTS_MAX; no++) {
        p = bport_by_no(b, (uint16_t)no);
        if (p)
            return p;
    }
    return NULL;
}

/* Whose card is behind it, if it is a guest of ours. */
static json_t *with_guest(struct server *s, json_t *o, const char *bridge,
                          const char *port)
{
    const char *guest =
        s->guests ? guest_behind(s->guests, bridge, port) : NULL;

    if (o && guest && json_object_set_new(o, "guest", json_string(guest)) < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static enum dump_next next_port(struct dump *d, struct text *out)
{
    struct list *l = (struct list *)d;
    const char *name;
    struct bport_info i;
    struct bridge *b;
    struct bport *p;

    if (l->at == l->n_bridges)
        return DUMP_END;
    name = l->bridge[l->at];
    b = bridge_find(d->server->sw, name);
    p = b ? port_after(b, l->port, l->want_local) : NULL;
    if (!p) {
        l->at++;
        l->port = -1;
        return DUMP_MORE;
    }
    bport_info(p, &i);
    l->port = i.no;
    if (l->only_port[0] && strcmp(l->only_port, i.name) != 0)
        return DUMP_MORE;
    return add_item(d, out,
                    with_guest(d->server, l->item(p, name), name, i.name));
}

static void list_bridges(struct call *c)
{
    const char *only = rpc_string(c->params, "bridge");
    struct list *l;

    if (only && !call_bridge(c))
        return;
    l = list_new(c, only, 0);
    if (!l)
        return;
    l->dump.next = next_bridge;
    call_dump(c, &l->dump);
}

void rpc_show(struct call *c)
{
    list_bridges(c);
}

void rpc_bridge_show(struct call *c)
{
    list_bridges(c);
}

void rpc_port_show(struct call *c)
{
    const char *only = rpc_string(c->params, "bridge");
    struct list *l;

    if (only && !call_bridge(c))
        return;
    l = list_new(c, only, 0);
    if (!l)
        return;
    l->want_local = true;
    l->dump.next = next_port;
    call_dump(c, &l->dump);
}

/*
 * A list behind other members: 'o' without its closing brace, then
 * "ports":[ ... ].  Takes 'o' over.
 */
static void list_behind(struct call *c, json_t *o, const char *only,
                        const char *only_port, bool local,
                        json_t *(*item)(struct bport *p, const char *bridge))
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    size_t n = text ? strlen(text) : 0;
    struct list *l;

    json_decref(o);
    if (!text) {
        call_fail(c, ENOMEM, NULL, "%s: out of memory", c->req.cmd->name);
        return;
    }
    l = list_new(c, only, n + 16);
    if (l) {
        snprintf(l->head, n + 16, "%.*s,\"ports\":[", (int)n - 1, text);
        l->dump.head = l->head;
        l->dump.tail = "]}";
        l->dump.next = next_port;
        l->want_local = local;
        l->item = item;
        if (only_port)
            snprintf(l->only_port, sizeof(l->only_port), "%s", only_port);
        call_dump(c, &l->dump);
    }
    free(text);
}

static json_t *port_with_stp(struct bport *p, const char *bridge)
{
    json_t *o = object_port(p, bridge);

    if (o)
        json_object_set_new(o, "stp", object_stp_port(p));
    return o;
}

void rpc_showstp(struct call *c)
{
    struct bridge *b = call_bridge(c);
    json_t *o;

    if (!b)
        return;
    o = object_bridge(b);
    if (o)
        json_object_set_new(o, "stp", object_stp(b));
    list_behind(c, json_pack("{s:o}", "bridge", o),
                rpc_string(c->params, "bridge"), NULL, false, port_with_stp);
}

static json_t *workers_array(const struct sw_stats *s)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < s->workers && i < 8; i++)
        json_array_append_new(
            list, json_pack("{s:I,s:I,s:I,s:I}", "turns",
                            (json_int_t)s->worker[i].turns, "frames",
                            (json_int_t)s->worker[i].frames, "wakeups",
                            (json_int_t)s->worker[i].wakeups, "spins",
                            (json_int_t)s->worker[i].spins));
    return list;
}

/* What the reasons of all ports mean: {"no-port": "no port to ...", ...} */
static json_t *sentences_object(void)
{
    json_t *o = json_object();

    for (int r = 0; r < (int)REASON_COUNT; r++)
        json_object_set_new(o, reason_name((enum reason)r),
                            json_string(reason_text((enum reason)r)));
    return o;
}

static json_t *daemon_object(struct server *server)
{
    struct sw_stats s;

    sw_stats(server->sw, &s);
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:i,s:i,s:I,s:I,s:o,s:o}", "loop_lag_max_ns",
        (json_int_t)s.loop_lag_max_ns, "loop_lag_total_max_ns",
        (json_int_t)s.loop_lag_total_max_ns, "grace_periods",
        (json_int_t)s.grace_periods, "events_lost", (json_int_t)s.events_lost,
        "clients", (int)server->n_conns, "monitors", (int)server->n_monitors,
        "requests", (json_int_t)server->n_requests, "refused",
        (json_int_t)server->n_refused, "workers", workers_array(&s),
        "sentences", sentences_object());
}

/* A name is a bridge's, else a port's. */
void rpc_stats(struct call *c)
{
    const char *name = rpc_string(c->params, "name"), *port = NULL;
    json_t *o = daemon_object(c->server);
    struct sw *sw = c->server->sw;
    struct bridge_info i;
    struct bridge *b = NULL;

    if (name) {
        b = bridge_find(sw, name);
        if (!b) {
            b = bport_owner(sw, name);
            port = name;
        }
        if (!b) {
            json_decref(o);
            call_fail(c, ENOENT, "name", "there is no bridge or port %.40s",
                      name);
            return;
        }
        bridge_info(b, &i);
        json_object_set_new(o, "bridge", text_value(i.name));
        json_object_set_new(o, "fdb", object_fdb(&i.fdb));
    }
    list_behind(c, o, b ? i.name : NULL, port, true, object_port);
}
