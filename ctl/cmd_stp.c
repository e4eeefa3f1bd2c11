/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on the spanning tree.
 */
#include "ctl/call.h"
#include "ctl/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- on and off ---- */

/*
 * A version, and then on: both are asked for in one go, so that nobody's
 * command comes between, and the first that fails is what the client hears.
 */
struct change {
    struct call *call;
    char bridge[PORT_NAME_MAX];
    uint32_t old_version;
    unsigned outstanding;
    int rc;
    struct err e;
};

static void change_done(void *arg, int rc, const struct err *e)
{
    struct change *ch = arg;

    if (rc && !ch->rc) {
        ch->rc = rc;
        ch->e = *e;
    }
    if (--ch->outstanding)
        return;
    call_done(ch->call, ch->rc, &ch->e);
    free(ch);
}

/* The spanning tree did not come on: the version is what it was. */
static void switched(void *arg, int rc, const struct err *e)
{
    struct change *ch = arg;
    struct bridge *b =
        rc ? bridge_find(ch->call->server->sw, ch->bridge) : NULL;

    if (b)
        bridge_set(b, BRIDGE_FORCE_VERSION, ch->old_version, NULL, NULL);
    change_done(ch, rc, e);
}

static void switch_on(struct call *c, struct bridge *b, uint32_t version)
{
    struct change *ch = calloc(1, sizeof(*ch));
    struct bridge_info i;

    if (!ch) {
        call_fail(c, ENOMEM, NULL, "stp: out of memory");
        return;
    }
    bridge_info(b, &i);
    ch->call = c;
    memcpy(ch->bridge, i.name, sizeof(ch->bridge));
    ch->old_version = i.param[BRIDGE_FORCE_VERSION];
    ch->outstanding = 2;
    bridge_set(b, BRIDGE_FORCE_VERSION, version, change_done, ch);
    bridge_set(b, BRIDGE_STP, 1, switched, ch);
}

/* brctl's true and false leave the version as it is. */
void rpc_stp(struct call *c)
{
    const char *word = rpc_string(c->params, "value");
    uint64_t v = rpc_value(c->params, "value");
    struct bridge *b = call_bridge(c);
    uint32_t version;

    if (!b)
        return;
    c->what = "value";
    if (!word)
        bridge_set(b, BRIDGE_STP, v > 1 ? UINT32_MAX : (uint32_t)v, call_done,
                   c);
    else if (param_word_value(&bridge_param_names[BRIDGE_FORCE_VERSION], word,
                              &version))
        switch_on(c, b, version);
    else
        call_bad_params(c, "stp: true, false, rstp or stp, not %.20s", word);
}

/* ---- show ---- */

/*
 * A list of bridges, each with a list of ports: a piece is a bridge's head, a
 * port, or a bridge's end.  By names and numbers, since they may come and go
 * between two pieces.
 */
struct show {
    struct dump dump;
    char (*bridge)[PORT_NAME_MAX];
    unsigned n_bridges, at;
    bool inside; /* of a bridge whose head is written */
    bool some;   /* ... and a port of it */
    int port;    /* the last one written */
};

static void show_free(struct dump *d)
{
    struct show *s = (struct show *)d;

    free(s->bridge);
    free(s);
}

/* The object but for its end, and the beginning of the list in it. */
static int write_head(struct text *out, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    size_t n = text ? strlen(text) : 0;
    int rc = -ENOMEM;

    json_decref(o);
    if (n)
        rc = text_add(out, text, n - 1);
    if (rc == 0)
        rc = text_add(out, ",\"ports\":[", 10);
    free(text);
    return rc;
}

static enum dump_next begin_bridge(struct show *s, struct text *out)
{
    struct bridge *b = bridge_find(s->dump.server->sw, s->bridge[s->at]);

    if (!b) {
        s->at++;
        return DUMP_MORE;
    }
    if (dump_comma(&s->dump, out) < 0 || write_head(out, object_stp(b)) < 0)
        return DUMP_FAILED;
    s->inside = true;
    s->some = false;
    s->port = 0;
    return DUMP_MORE;
}

static enum dump_next end_bridge(struct show *s, struct text *out)
{
    s->inside = false;
    s->at++;
    return text_add(out, "]}", 2) < 0 ? DUMP_FAILED : DUMP_MORE;
}

static struct bport *port_behind(struct bridge *b, int no)
{
    struct bport *p = NULL;

    while (b && !p && ++no <= BRIDGE_PORTS_MAX)
        p = bport_by_no(b, (uint16_t)no);
    return p;
}

static enum dump_next write_port(struct show *s, struct text *out,
                                 struct bport *p)
{
    json_t *o = object_stp_port(p);
    int rc = o ? 0 : -ENOMEM;

    s->port = (int)json_integer_value(json_object_get(o, "no"));
    if (rc == 0 && s->some)
        rc = text_add(out, ",", 1);
    if (rc == 0)
        rc = text_json(out, o);
    s->some = true;
    json_decref(o);
    return rc < 0 ? DUMP_FAILED : DUMP_MORE;
}

static enum dump_next show_next(struct dump *d, struct text *out)
{
    struct show *s = (struct show *)d;
    struct bport *p;

    if (s->at == s->n_bridges)
        return DUMP_END;
    if (!s->inside)
        return begin_bridge(s, out);
    p = port_behind(bridge_find(d->server->sw, s->bridge[s->at]), s->port);
    return p ? write_port(s, out, p) : end_bridge(s, out);
}

static struct show *show_new(struct sw *sw, const char *only)
{
    struct show *s = calloc(1, sizeof(*s));
    unsigned n = 1;

    for (struct bridge *b = NULL; (b = bridge_next(sw, b));)
        n++;
    if (s)
        s->bridge = calloc(n, sizeof(*s->bridge));
    if (!s || !s->bridge) {
        free(s);
        return NULL;
    }
    s->dump = (struct dump){
        .head = "[", .tail = "]", .next = show_next, .free = show_free};
    for (struct bridge *b = NULL; (b = bridge_next(sw, b));) {
        struct bridge_info i;

        bridge_info(b, &i);
        if (!only || strcmp(only, i.name) == 0)
            memcpy(s->bridge[s->n_bridges++], i.name, sizeof(i.name));
    }
    return s;
}

void rpc_stp_show(struct call *c)
{
    const char *only = rpc_string(c->params, "bridge");
    struct show *s;

    if (only && !call_bridge(c))
        return;
    s = show_new(c->server->sw, only);
    if (s)
        call_dump(c, &s->dump);
    else
        call_fail(c, ENOMEM, NULL, "stp show: out of memory");
}

/* ---- why ---- */

static json_t *lines(char *text)
{
    json_t *list = json_array();
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        json_array_append_new(list, text_value(line));
    return list;
}

/* Nothing to explain by the engine: off, or the port is not open. */
static void why_not(const char *bridge, bool on, const struct bport_info *i,
                    char *text, size_t n)
{
    bool forwards = i->state == BPORT_FORWARDING;

    if (on)
        snprintf(text, n, "%s takes no part in the spanning tree: %s", i->name,
                 i->why[0] ? i->why : "it is not open");
    else
        snprintf(text, n,
                 "the spanning tree of %s is off (bascule stp %s on)\n"
                 "%s %s%s",
                 bridge, bridge, i->name,
                 forwards ? "forwards, as every port with a link does"
                          : "does not forward: ",
                 forwards ? "" : i->why);
}

void rpc_stp_why(struct call *c)
{
    const char *name = rpc_string(c->params, "port");
    struct bport *p = call_port(c, name);
    struct bridge *b = p ? bport_owner(c->server->sw, name) : NULL;
    char text[STP_WHY_MAX] = "";
    struct bridge_info bi;
    struct bport_info i;
    struct stp_info tree;
    bool on;

    if (!p)
        return;
    if (!b) {
        call_fail(c, ENOENT, "port", "port %.40s is leaving", name);
        return;
    }
    bridge_info(b, &bi);
    bport_info(p, &i);
    on = bridge_stp_info(b, &tree);
    if (bport_stp_why(p, text, sizeof(text)) == 0)
        why_not(bi.name, on, &i, text, sizeof(text));
    call_ok(c, json_pack("{s:o,s:o,s:b,s:o}", "bridge", text_value(bi.name),
                         "port", text_value(i.name), "stp", (int)on, "why",
                         lines(text)));
}

/* ---- acting upon it ---- */

void rpc_stp_tcn(struct call *c)
{
    struct bridge *b = call_bridge(c);

    if (!b)
        return;
    c->what = "stp";
    bridge_stp_change(b, call_done, c);
}

void rpc_stp_mcheck(struct call *c)
{
    struct bport *p = call_port(c, rpc_string(c->params, "port"));

    if (!p)
        return;
    c->what = "stp";
    bport_stp_mcheck(p, call_done, c);
}
