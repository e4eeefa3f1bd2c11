/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The method that lists IP addresses seen behind ports.
 */
#include "ctl/call.h"
#include "ctl/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static json_t *address_object(const struct bport_address *a)
{
    char mac[MAC_TEXT_MAX];

    return json_pack("{s:s,s:s,s:s,s:s,s:I}", "address", a->text, "family",
                     a->family == AF_INET ? "inet" : "inet6", "mac",
                     mac_format(&a->mac, mac), "how", snoop_how_name(a->how),
                     "age", (json_int_t)a->age_cs);
}

json_t *object_addresses(const struct bport *p)
{
    struct bport_address a[BPORT_ADDRESSES_MAX];
    unsigned n = bport_addresses(p, a, BPORT_ADDRESSES_MAX);
    json_t *list = json_array();
    int rc = 0;

    for (unsigned i = 0; i < n; i++)
        rc |= json_array_append_new(list, address_object(&a[i]));
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}

/* Each address with the port it is behind, to be of use by itself. */
static json_t *full_object(const struct bport_address *a,
                           const struct bport_info *port, const char *bridge)
{
    json_t *o = address_object(a);

    if (o && json_object_set_new(o, "port", text_value(port->name)) == 0 &&
        json_object_set_new(o, "bridge", text_value(bridge)) == 0)
        return o;
    json_decref(o);
    return NULL;
}

static int write_port(struct dump *d, struct text *out, struct bport *p,
                      const char *bridge)
{
    struct bport_address a[BPORT_ADDRESSES_MAX];
    unsigned n = bport_addresses(p, a, BPORT_ADDRESSES_MAX);
    struct bport_info info;
    int rc = 0;

    if (n == 0)
        return 0;
    bport_info(p, &info);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        json_t *o = full_object(&a[i], &info, bridge);

        rc = o && dump_comma(d, out) == 0 ? text_json(out, o) : -ENOMEM;
        json_decref(o);
    }
    return rc;
}

/* Ports by bridge and number, since they may come and go between two slices. */
struct walk {
    struct dump dump;
    unsigned n, at;
    uint16_t no;   /* of the port to look at next */
    uint16_t last; /* ... and to end with */
    char bridge[][PORT_NAME_MAX];
};

/* Ports in one slice: most of them have nothing to say. */
#define SLICE 64

static enum dump_next walk_next(struct dump *d, struct text *out)
{
    struct walk *w = (struct walk *)d;
    struct bridge *b;

    if (w->at == w->n)
        return DUMP_END;
    b = bridge_find(d->server->sw, w->bridge[w->at]);
    for (unsigned i = 0; b && i < SLICE && w->no <= w->last; i++, w->no++) {
        struct bport *p = bport_by_no(b, w->no);

        if (p && write_port(d, out, p, w->bridge[w->at]) < 0)
            return DUMP_FAILED;
    }
    if (!b || w->no > w->last) {
        w->at++;
        w->no = BRIDGE_LOCAL;
    }
    return DUMP_MORE;
}

static void walk_free(struct dump *d)
{
    free(d);
}

/* NULL after an answer. */
static struct walk *walk_new(struct call *c)
{
    struct sw *sw = c->server->sw;
    unsigned n = 0;
    struct walk *w;

    for (struct bridge *b = bridge_next(sw, NULL); b; b = bridge_next(sw, b))
        n++;
    w = calloc(1, sizeof(*w) + n * sizeof(w->bridge[0]));
    if (!w) {
        call_fail(c, ENOMEM, NULL, "port addresses: out of memory");
        return NULL;
    }
    w->dump = (struct dump){
        .head = "[", .tail = "]", .next = walk_next, .free = walk_free};
    w->last = BRIDGE_PORTS_MAX;
    return w;
}

static void add_bridge(struct walk *w, const struct bridge *b)
{
    struct bridge_info i;

    bridge_info(b, &i);
    memcpy(w->bridge[w->n++], i.name, sizeof(i.name));
}

void rpc_port_addresses(struct call *c)
{
    struct sw *sw = c->server->sw; /* a call that failed is gone */
    const char *port = rpc_string(c->params, "port");
    struct bport *p = port ? call_port(c, port) : NULL;
    struct bport_info info;
    struct walk *w;

    if ((port && !p) || !(w = walk_new(c)))
        return;
    if (p) {
        bport_info(p, &info);
        w->no = w->last = info.no;
        add_bridge(w, bport_owner(sw, port));
    } else {
        for (struct bridge *b = bridge_next(sw, NULL); b;
             b = bridge_next(sw, b))
            add_bridge(w, b);
    }
    call_dump(c, &w->dump);
}
