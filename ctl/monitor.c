/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, told as it happens: clients that monitor, and those that
 * wait for a port to forward.
 */
#include "base/clock.h"
#include "ctl/adopt/adopt.h"
#include "ctl/apply/apply.h"
#include "ctl/call.h"
#include "ctl/guest/guest.h"
#include "ctl/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- monitor ---- */

/* BPDUs cost something while anybody looks at them. */
void monitor_set(struct conn *c, unsigned what)
{
    struct server *s = c->server;
    unsigned before = s->n_stp_monitors;

    s->n_monitors -= c->monitor != 0;
    s->n_monitors += what != 0;
    s->n_stp_monitors -= (c->monitor & MONITOR_STP) != 0;
    s->n_stp_monitors += (what & MONITOR_STP) != 0;
    c->monitor = what;
    if ((before != 0) != (s->n_stp_monitors != 0))
        sw_observe_bpdus(s->sw, s->n_stp_monitors != 0);
}

void rpc_monitor(struct call *c)
{
    const char *what = rpc_string(c->params, "what");
    unsigned m;

    if (!what || strcmp(what, "all") == 0)
        m = MONITOR_FDB | MONITOR_PORT | MONITOR_GUEST;
    else if (strcmp(what, "guest") == 0)
        m = MONITOR_GUEST;
    else if (strcmp(what, "fdb") == 0)
        m = MONITOR_FDB;
    else if (strcmp(what, "port") == 0 || strcmp(what, "link") == 0)
        m = MONITOR_PORT;
    else if (strcmp(what, "stp") == 0)
        m = MONITOR_STP;
    else {
        call_bad_params(
            c, "monitor: %.20s: known are fdb, link, port, stp, guest, all",
            what);
        return;
    }
    monitor_set(c->conn, m);
    call_ok(c, json_true());
}

static const char *event_name(enum sw_event_type t)
{
    static const char *const name[] = {
        [SW_EVENT_PORT_ADD] = "port-add",
        [SW_EVENT_PORT_DEL] = "port-del",
        [SW_EVENT_PORT_STATE] = "port-state",
        [SW_EVENT_PORT_PARAM] = "port-param",
        [SW_EVENT_FDB_ADD] = "fdb-add",
        [SW_EVENT_FDB_MOVE] = "fdb-move",
        [SW_EVENT_FDB_DEL] = "fdb-del",
        [SW_EVENT_FDB_FLUSH] = "fdb-flush",
        [SW_EVENT_BRIDGE_ADD] = "bridge-add",
        [SW_EVENT_BRIDGE_DEL] = "bridge-del",
        [SW_EVENT_BRIDGE_PARAM] = "bridge-param",
        [SW_EVENT_STP] = "stp",
        [SW_EVENT_BPDU] = "bpdu",
        [SW_EVENT_ADDRESS] = "address",
        [SW_EVENT_LOST] = "lost",
    };

    return (size_t)t < sizeof(name) / sizeof(name[0]) ? name[t] : "unknown";
}

static unsigned event_class(enum sw_event_type t)
{
    switch (t) {
    case SW_EVENT_FDB_ADD:
    case SW_EVENT_FDB_MOVE:
    case SW_EVENT_FDB_DEL:
    case SW_EVENT_FDB_FLUSH:
        return MONITOR_FDB;
    case SW_EVENT_STP:
        return MONITOR_PORT | MONITOR_STP;
    case SW_EVENT_BPDU:
        return MONITOR_STP;
    case SW_EVENT_LOST:
        return MONITOR_FDB | MONITOR_PORT | MONITOR_STP;
    default:
        return MONITOR_PORT;
    }
}

static int add_name(struct text *out, const char *key, const char *value)
{
    int rc;

    if (!value[0])
        return 0;
    rc = text_addf(out, ",\"%s\":", key);
    rc |= text_json_string(out, value);
    return rc;
}

/* How the port is now: who follows links need not ask, and come too late. */
static int add_port(struct text *out, struct sw *sw, const struct sw_event *e)
{
    struct bridge *b = e->port[0] ? bridge_find(sw, e->bridge) : NULL;
    struct bport *p = b ? bport_by_no(b, e->port_no) : NULL;
    json_t *o = p ? object_link(p, e->bridge) : NULL;
    int rc = 0;

    if (o) {
        rc = text_add(out, ",\"object\":", 10);
        rc |= text_json(out, o);
    }
    json_decref(o);
    return rc;
}

/* The port's part in the spanning tree, as it is now. */
static int add_role(struct text *out, struct sw *sw, const struct sw_event *e)
{
    struct bridge *b = e->port[0] ? bridge_find(sw, e->bridge) : NULL;
    struct bport *p = b ? bport_find(b, e->port) : NULL;
    struct stp_port_info tree;
    int rc;

    if (!p)
        return 0;
    rc = text_addf(out, ",\"state\":\"%s\"", object_state(e->state));
    if (bport_stp_info(p, &tree))
        rc |= text_addf(out, ",\"role\":\"%s\"", stp_role_name(tree.role));
    return rc;
}

static int write_event(struct text *out, struct sw *sw,
                       const struct sw_event *e)
{
    char mac_text[MAC_TEXT_MAX];
    int rc;

    rc = text_addf(out,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":"
                   "{\"event\":\"%s\",\"time\":%llu",
                   event_name(e->type), (unsigned long long)e->time);
    rc |= add_name(out, "bridge", e->bridge);
    rc |= add_name(out, "port", e->port);
    rc |= add_name(out, "old_port", e->old_port);
    rc |= add_name(out, "address", e->address);
    if (e->key) {
        struct mac mac = mac_from_u64(fdb_key_mac(e->key));

        rc |= text_addf(out, ",\"mac\":\"%s\"", mac_format(&mac, mac_text));
        if (fdb_key_vid(e->key))
            rc |= text_addf(out, ",\"vlan\":%u", fdb_key_vid(e->key));
        if (e->type == SW_EVENT_ADDRESS)
            rc |= add_name(out, "how", snoop_how_name(e->how));
        else
            rc |= object_entry_kind(out, e->flags);
    }
    if (event_class(e->type) == MONITOR_PORT)
        rc |= add_port(out, sw, e);
    if (e->type == SW_EVENT_STP)
        rc |= add_role(out, sw, e);
    if (e->type == SW_EVENT_PORT_STATE)
        rc |= text_addf(out, ",\"state\":\"%s\"", object_state(e->state));
    if (e->count)
        rc |= text_addf(out, ",\"count\":%llu", (unsigned long long)e->count);
    rc |= add_name(out, "text", e->text);
    rc |= text_add(out, "}}\n", 3);
    return rc;
}

/*
 * A client that does not read loses events, never holds anybody up.  One
 * that is being given a long answer gets them behind it.
 */
static void tell(struct conn *c, const struct text *line)
{
    size_t waiting = text_size(&c->out) + text_size(&c->held);

    if (c->closing)
        return;
    if (c->lost || waiting + text_size(line) > CONN_MONITOR_MAX ||
        text_add(c->dump ? &c->held : &c->out, line->p, line->len) < 0)
        c->lost++;
    else
        conn_flush(c);
}

void monitor_caught_up(struct conn *c)
{
    struct sw_event e = {
        .type = SW_EVENT_LOST, .time = clock_now(), .count = c->lost};
    size_t before = text_size(&c->out);

    if (c->dump || before > CONN_MONITOR_MAX / 2)
        return;
    snprintf(e.text, sizeof(e.text),
             "%llu events were lost because this client read too slowly: "
             "look again",
             (unsigned long long)c->lost);
    if (write_event(&c->out, c->server->sw, &e) != 0) {
        text_cut(&c->out, before);
        return;
    }
    c->lost = 0;
    conn_flush(c);
}

/* ---- wait-forwarding ---- */

struct waiter {
    LIST_ENTRY(waiter) link;
    struct call *call;
    ev_timer timer;
    char port[PORT_NAME_MAX];
};

static void waiter_end(struct waiter *w)
{
    ev_timer_stop(w->call->server->loop, &w->timer);
    LIST_REMOVE(w, link);
    free(w);
}

static void waiter_cancel(struct call *c)
{
    waiter_end(c->state);
    call_free(c);
}

static struct bport *waited_port(const struct waiter *w)
{
    struct bridge *b = bport_owner(w->call->server->sw, w->port);

    return b ? bport_find(b, w->port) : NULL;
}

/* Has it come to an answer?  Then the waiter is gone. */
static void waiter_check(struct waiter *w, bool deleted)
{
    struct bport *p = deleted ? NULL : waited_port(w);
    struct call *c = w->call;
    struct bport_info i;

    if (p) {
        bport_info(p, &i);
        if (i.state != BPORT_FORWARDING)
            return;
        waiter_end(w);
        call_ok(c, json_true());
        return;
    }
    waiter_end(w);
    call_fail(c, ENOENT, "port", "the port was deleted meanwhile");
}

static void on_timeout(struct ev_loop *loop, ev_timer *t, int revents)
{
    struct waiter *w = t->data;
    struct call *c = w->call;
    struct bport *p = waited_port(w);
    struct bport_info i = {.why = "it was deleted"};
    char name[PORT_NAME_MAX];

    (void)loop;
    (void)revents;
    if (p)
        bport_info(p, &i);
    memcpy(name, w->port, sizeof(name));
    waiter_end(w);
    call_fail(c, ETIMEDOUT, "port", "port %s does not forward%s%s", name,
              i.why[0] ? ": " : "", i.why);
}

#define WAIT_DEFAULT 30
#define WAIT_MAX     86400

void rpc_wait_forwarding(struct call *c)
{
    const char *name = rpc_string(c->params, "port");
    uint64_t seconds = rpc_number(c->params, "timeout", WAIT_DEFAULT);
    struct waiter *w;

    if (seconds > WAIT_MAX) {
        call_bad_params(c, "wait-forwarding: at most %d seconds", WAIT_MAX);
        return;
    }
    if (!call_port(c, name))
        return;
    w = calloc(1, sizeof(*w));
    if (!w) {
        call_fail(c, ENOMEM, NULL, "wait-forwarding: out of memory");
        return;
    }
    w->call = c;
    snprintf(w->port, sizeof(w->port), "%s", name);
    c->state = w;
    c->cancel = waiter_cancel;
    ev_timer_init(&w->timer, on_timeout, (double)seconds, 0.);
    w->timer.data = w;
    ev_timer_start(c->server->loop, &w->timer);
    LIST_INSERT_HEAD(&c->server->waiters, w, link);
    waiter_check(w, false);
}

/* ---- all events come here ---- */

static void check_waiters(struct server *s, const struct sw_event *e)
{
    struct waiter *w = LIST_FIRST(&s->waiters), *next;

    for (; w; w = next) {
        next = LIST_NEXT(w, link);
        if (e->type == SW_EVENT_LOST || e->type == SW_EVENT_BRIDGE_DEL ||
            strcmp(w->port, e->port) == 0)
            waiter_check(w, e->type == SW_EVENT_PORT_DEL);
    }
}

void monitor_event(void *arg, const struct sw_event *e)
{
    unsigned class = event_class(e->type);
    struct server *s = arg;
    struct text line = {0};
    struct conn *c;

    adopt_event(s->adopt, e);
    if (class & MONITOR_PORT) {
        check_waiters(s, e);
        apply_event(s->apply, e);
        guests_event(s->guests, e);
    }
    if (s->n_monitors == 0)
        return;
    if (write_event(&line, s->sw, e) == 0) {
        TAILQ_FOREACH(c, &s->conns, all)
        {
            if (c->monitor & class)
                tell(c, &line);
        }
    }
    text_free(&line);
}

void monitor_guest(void *arg, const char *guest, const char *name,
                   const char *text)
{
    struct server *s = arg;
    struct text line = {0};
    struct conn *c;
    int rc;

    if (s->n_monitors == 0)
        return;
    rc = text_addf(&line,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":"
                   "{\"event\":\"guest-%s\",\"time\":%llu",
                   name, (unsigned long long)clock_now());
    rc |= add_name(&line, "guest", guest);
    rc |= add_name(&line, "text", text);
    rc |= text_add(&line, "}}\n", 3);
    TAILQ_FOREACH(c, &s->conns, all)
    {
        if (rc == 0 && c->monitor & MONITOR_GUEST)
            tell(c, &line);
    }
    text_free(&line);
}

/* ---- health ---- */

void rpc_version(struct call *c)
{
    call_ok(c, json_pack("{s:s,s:i}", "version", BASCULE_VERSION, "pid",
                         (int)getpid()));
}

void rpc_ping(struct call *c)
{
    struct server *s = c->server;

    call_ok(c, json_pack("{s:f,s:i,s:i}", "uptime",
                         (double)(clock_now() - s->started) / NSEC_PER_SEC,
                         "clients", (int)s->n_conns, "pid", (int)getpid()));
}
