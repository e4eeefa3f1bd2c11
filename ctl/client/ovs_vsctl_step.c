/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The picture of the switch, and the steps that make the switch what the
 * commands have made of the picture.
 */
#include "ctl/client/ovs_vsctl.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int ovs_fail(struct ovs *o, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(o->err.text, sizeof(o->err.text), fmt, ap);
    va_end(ap);
    return -1;
}

/* ---- the picture ---- */

static void keep(void *list, const json_t *item)
{
    json_array_append_new(list, json_deep_copy(item));
}

/* NULL after o->err. */
static json_t *fetch_list(struct ovs *o, const char *method)
{
    json_t *list = json_array();
    struct reply r;

    if (!client_stream(o->c, method, NULL, keep, list, &r)) {
        ovs_fail(o, "%s", r.text);
        json_decref(list);
        list = NULL;
    }
    reply_free(&r);
    return list;
}

int ovs_fetch(struct ovs *o)
{
    o->bridges = fetch_list(o, "bridge.show");
    o->ports = o->bridges ? fetch_list(o, "port.show") : NULL;
    return o->ports ? 0 : -1;
}

void ovs_free(struct ovs *o)
{
    for (unsigned i = 0; i < o->n; i++)
        json_decref(o->step[i].record);
    json_decref(o->bridges);
    json_decref(o->ports);
    o->bridges = o->ports = NULL;
    o->n = 0;
}

static json_t *find(const json_t *list, const char *name)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        if (strcmp(str(v, "name"), name) == 0)
            return v;
    }
    return NULL;
}

json_t *ovs_find_bridge(const struct ovs *o, const char *name)
{
    return find(o->bridges, name);
}

json_t *ovs_find_port(const struct ovs *o, const char *name)
{
    return find(o->ports, name);
}

bool ovs_is_local(const json_t *port)
{
    const json_t *no = json_object_get(port, "no");

    return json_is_integer(no) && json_integer_value(no) == 0;
}

int ovs_add_step(struct ovs *o, enum ovs_step_kind kind, json_t *record)
{
    if (o->n == OVS_STEPS_MAX)
        return ovs_fail(o, "more than %d changes at once", OVS_STEPS_MAX);
    o->step[o->n++] = (struct ovs_step){kind, json_incref(record)};
    return 0;
}

/* The key under which stands what a value was before. */
static const char *old_key(const char *key, char *out, size_t n)
{
    snprintf(out, n, "-%s", key);
    return out;
}

int ovs_change(struct ovs *o, json_t *record, const char *key, json_t *v,
               enum ovs_step_kind kind)
{
    json_t *old = json_object_get(record, key);
    char text[40];
    int rc = 0;

    if (!json_object_get(record, old_key(key, text, sizeof(text)))) {
        json_object_set_new(record, text, old ? json_incref(old) : json_null());
        rc = ovs_add_step(o, kind, record);
    }
    json_object_set_new(record, key, v);
    return rc;
}

/* ---- taking steps ---- */

/* One call to the daemon.  'params' is taken over. */
static int call(struct ovs *o, const char *method, json_t *params, int fd)
{
    struct reply r;
    int rc = 0;

    if (!client_call(o->c, method, params, fd, &r))
        rc = ovs_fail(o, "%s", r.text);
    reply_free(&r);
    return rc;
}

/* The same for what removes them, perhaps behind what others do. */
static int call_quietly(struct ovs *o, const char *method, json_t *params)
{
    struct reply r;
    int rc = 0;

    if (!client_call_quietly(o->c, method, params, &r))
        rc = ovs_fail(o, "%s", r.text);
    reply_free(&r);
    return rc;
}

/* The same for what makes devices, which are looked for where we are. */
static int call_here(struct ovs *o, const char *method, json_t *params)
{
    int netns = open_own_netns(), rc;

    json_object_set_new(params, "netns", json_boolean(netns >= 0));
    rc = call(o, method, params, netns);
    if (netns >= 0)
        close(netns);
    return rc;
}

static int set_labels(struct ovs *o, const json_t *port, const json_t *labels)
{
    json_t *set = json_array(), *v;
    json_t *copy = json_deep_copy(labels);
    const char *key;

    json_object_foreach(copy, key, v)
    {
        json_array_append_new(set, json_string(key));
        json_array_append(set, v);
    }
    json_decref(copy);
    return call(o, "port.label",
                json_pack("{s:s,s:s,s:b,s:o}", "bridge", str(port, "bridge"),
                          "port", str(port, "name"), "all", 1, "set", set),
                -1);
}

static int set_isolated(struct ovs *o, const json_t *port, const char *key)
{
    return call(o, "port.set",
                json_pack("{s:s,s:s,s:s,s:b}", "bridge", str(port, "bridge"),
                          "port", str(port, "name"), "parameter", "isolated",
                          "value", json_is_true(json_object_get(port, key))),
                -1);
}

static int set_stp(struct ovs *o, const json_t *bridge, const char *key)
{
    return call(o, "stp",
                json_pack("{s:s,s:b}", "bridge", str(bridge, "name"), "value",
                          json_is_true(json_object_get(bridge, key))),
                -1);
}

static json_t *membership(const json_t *port, const char *key)
{
    return json_pack("{s:s,s:s}", "bridge", str(port, "bridge"), "port",
                     str(port, key));
}

static int add_bridge(struct ovs *o, const json_t *bridge)
{
    return call_here(o, "addbr",
                     json_pack("{s:s}", "bridge", str(bridge, "name")));
}

static int del_bridge(struct ovs *o, const json_t *bridge)
{
    return call_quietly(
        o, "delbr",
        json_pack("{s:s,s:b}", "bridge", str(bridge, "name"), "force", 1));
}

static int go(struct ovs *o, const struct ovs_step *s)
{
    switch (s->kind) {
    case OVS_ADD_BRIDGE:
        return add_bridge(o, s->record);
    case OVS_DEL_BRIDGE:
        return del_bridge(o, s->record);
    case OVS_SET_STP:
        return set_stp(o, s->record, "stp_state");
    case OVS_ADD_PORT:
        return call_here(o, "addif", membership(s->record, "spec"));
    case OVS_DEL_PORT:
        return call_quietly(o, "delif", membership(s->record, "name"));
    case OVS_SET_ISOLATED:
        return set_isolated(o, s->record, "isolated");
    default:
        return set_labels(o, s->record, json_object_get(s->record, "labels"));
    }
}

/* A port that was removed, as far as the client can make it again. */
static int add_again(struct ovs *o, json_t *port)
{
    char bridge[40], spec[1024];
    char *argv[] = {bridge, spec};

    snprintf(bridge, sizeof(bridge), "%s", str(port, "bridge"));
    snprintf(spec, sizeof(spec), "%s", str(port, "spec"));
    if (run_addif(o->c, 2, argv) != 0) /* opens what the specification names */
        return ovs_fail(o, "it is lost");
    complain(o->c,
             "port %s is in %s again, with its parameters at their "
             "defaults",
             str(port, "name"), bridge);
    return set_labels(o, port, json_object_get(port, "labels"));
}

static int back(struct ovs *o, const struct ovs_step *s)
{
    switch (s->kind) {
    case OVS_ADD_BRIDGE:
        return del_bridge(o, s->record);
    case OVS_DEL_BRIDGE:
        return ovs_fail(o, "a bridge that was deleted does not come back");
    case OVS_SET_STP:
        return set_stp(o, s->record, "-stp_state");
    case OVS_ADD_PORT:
        return call_quietly(o, "delif", membership(s->record, "name"));
    case OVS_DEL_PORT:
        return add_again(o, s->record);
    case OVS_SET_ISOLATED:
        return set_isolated(o, s->record, "-isolated");
    default:
        return set_labels(o, s->record, json_object_get(s->record, "-labels"));
    }
}

/* Back to how it was before step n; what the first error was stays. */
static void take_back(struct ovs *o, unsigned n)
{
    struct err first = o->err;

    while (n-- > 0) {
        const struct ovs_step *s = &o->step[n];

        if (back(o, s) < 0)
            complain(o->c, "%s could not be taken back: %s",
                     str(s->record, "name"), o->err.text);
    }
    o->err = first;
}

int ovs_take_steps(struct ovs *o)
{
    for (unsigned i = 0; i < o->n; i++) {
        if (go(o, &o->step[i]) < 0) {
            take_back(o, i);
            return -1;
        }
    }
    return 0;
}
