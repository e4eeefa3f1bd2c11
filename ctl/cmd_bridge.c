/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on bridges, and brctl's on ports.
 */
#include "ctl/apply/apply.h"
#include "ctl/call.h"
#include "ctl/guest/guest.h"
#include "ctl/object.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- making and ending ---- */

void rpc_addbr(struct call *c)
{
    const char *name = rpc_string(c->params, "bridge");
    struct bridge_config bc = {
        .local = rpc_bool(c->params, "local", true),
    };
    struct err e = {""};
    int rc;

    rc = bridge_name_check(name, &e);
    if (rc < 0) {
        call_fail(c, rc, "bridge", "%s", e.text);
        return;
    }
    snprintf(bc.name, sizeof(bc.name), "%s", name);
    if (call_netns(c, &bc.netns_fd) < 0)
        return;
    c->what = "bridge";
    bridge_add(c->server->sw, &bc, call_done, c);
    if (bc.netns_fd >= 0)
        close(bc.netns_fd); /* the switch has its own */
}

void rpc_delbr(struct call *c)
{
    c->what = "bridge";
    apply_bridge_del(c->server->apply, rpc_string(c->params, "bridge"),
                     rpc_bool(c->params, "force", false), call_notices(c),
                     call_done, c);
}

/* ---- membership ---- */

/* The switch has its own by now, or does not want them. */
static void close_descriptors(const struct port_spec *spec)
{
    if (spec->netns_fd >= 0)
        close(spec->netns_fd);
    if (spec->file_fd >= 0)
        close(spec->file_fd);
}

static int take_descriptors(struct call *c, struct port_spec *spec)
{
    if (call_netns(c, &spec->netns_fd) < 0)
        return -1;
    if (call_file(c, &spec->file_fd) < 0) {
        close_descriptors(spec);
        return -1;
    }
    return 0;
}

/* A guest's card that is no interface has a name nevertheless. */
static int be_guests_card(const struct call *c, struct port_spec *spec,
                          struct err *e)
{
    struct guests *all = c->server->guests;
    int rc = -ENOENT;

    if (all && strcmp(rpc_string(c->params, "port"), spec->name) == 0) {
        struct port_spec card;

        rc = guest_card_spec(all, spec->name, &card, e);
        if (!rc) {
            close_descriptors(spec);
            rc = port_spec_copy(spec, &card);
        }
    }
    return rc == -ENOENT ? 0 : rc;
}

void rpc_addif(struct call *c)
{
    struct bridge *b = call_bridge(c), *owner;
    struct port_spec spec;
    struct err e = {""};
    int rc;

    if (!b)
        return;
    rc = port_spec_parse(&spec, rpc_string(c->params, "port"), &e);
    if (rc < 0) {
        call_fail(c, rc, "spec", "%s", e.text);
        return;
    }
    rc = call_may_add(c, &spec, &e);
    if (rc < 0) {
        call_fail(c, rc, "port", "%s", e.text);
        return;
    }
    if (spec.netns && !rpc_bool(c->params, "netns", false)) {
        call_bad_params(c,
                        "addif: netns=%.40s: the client must open the "
                        "namespace and pass it",
                        spec.netns);
        return;
    }
    if (port_spec_has_file(&spec) && !rpc_bool(c->params, "file", false)) {
        call_bad_params(c,
                        "addif: %.60s: the client must open the file and pass "
                        "it",
                        spec.target);
        return;
    }
    if (take_descriptors(c, &spec) < 0)
        return;
    rc = be_guests_card(c, &spec, &e);
    if (rc < 0) {
        close_descriptors(&spec);
        call_fail(c, rc, "port", "%s", e.text);
        return;
    }
    owner = spec.name[0] ? bport_owner(c->server->sw, spec.name) : NULL;
    c->what = owner ? "member" : "port";
    bport_add(b, &spec, call_done, c);
    close_descriptors(&spec);
}

void rpc_delif(struct call *c)
{
    struct bridge *b = call_bridge(c);

    if (!b)
        return;
    c->what = "port";
    apply_bport_del(c->server->apply, b, rpc_string(c->params, "port"),
                    call_notices(c), call_done, c);
}

/* ---- parameters ---- */

/* "rstp, stp" */
static const char *known_words(const struct param_name *p, char *out, size_t n)
{
    *out = '\0';
    for (const struct param_word *w = p->word; w->text; w++)
        snprintf(out + strlen(out), n - strlen(out), "%s%s", *out ? ", " : "",
                 w->text);
    return out;
}

/* Words have numbers in the switch, which nobody else needs to know. */
static bool word_value(struct call *c, const struct param_name *p, uint32_t *v)
{
    const json_t *json = json_object_get(c->params, "value");
    const char *text = json_string_value(json);
    char known[64];

    if (json_is_boolean(json))
        text = json_is_true(json) ? "on" : "off";
    if (text && param_word_value(p, text, v))
        return true;
    call_bad_params(c, "%s: one of %s", p->name,
                    known_words(p, known, sizeof(known)));
    return false;
}

/* The parameter "value" as the switch has it; false after an answer. */
static bool take_value(struct call *c, const struct param_name *p, uint32_t *v)
{
    uint64_t n = rpc_value(c->params, "value");

    if (p->unit == UNIT_WORD)
        return word_value(c, p, v);
    if (json_is_string(json_object_get(c->params, "value"))) {
        call_bad_params(c, "%s: %s, not a string", p->name,
                        p->unit == UNIT_SWITCH ? "true or false" : "a number");
        return false;
    }
    if (n > UINT32_MAX) {
        call_fail(c, ERANGE, "value", "%s: the value is out of range", p->name);
        return false;
    }
    *v = (uint32_t)n;
    return true;
}

static void set_bridge(struct call *c, enum bridge_param p)
{
    struct bridge *b = call_bridge(c);
    uint32_t v;

    if (!b || !take_value(c, &bridge_param_names[p], &v))
        return;
    c->what = "value";
    bridge_set(b, p, v, call_done, c);
}

static void set_port(struct call *c, enum bport_param p)
{
    struct bport *port = call_port(c, rpc_string(c->params, "port"));
    uint32_t v;

    if (!port || !take_value(c, &port_param_names[p], &v))
        return;
    c->what = "value";
    bport_set(port, p, v, call_done, c);
}

void rpc_setageing(struct call *c)
{
    set_bridge(c, BRIDGE_AGEING);
}

void rpc_setbridgeprio(struct call *c)
{
    set_bridge(c, BRIDGE_PRIORITY);
}

void rpc_setfd(struct call *c)
{
    set_bridge(c, BRIDGE_FORWARD_DELAY);
}

void rpc_sethello(struct call *c)
{
    set_bridge(c, BRIDGE_HELLO);
}

void rpc_setmaxage(struct call *c)
{
    set_bridge(c, BRIDGE_MAX_AGE);
}

void rpc_hairpin(struct call *c)
{
    set_port(c, BPORT_HAIRPIN);
}

/* brctl's path cost has no "automatic" */
void rpc_setpathcost(struct call *c)
{
    if (rpc_value(c->params, "value") == 0)
        call_fail(c, ERANGE, "value", "path cost: 1 to 65535");
    else
        set_port(c, BPORT_PATH_COST);
}

void rpc_setportprio(struct call *c)
{
    set_port(c, BPORT_PRIORITY);
}

/* The parameter by its typed or its JSON name; -1 after an answer. */
static int param_index(struct call *c, const struct param_name *list)
{
    const char *name = rpc_string(c->params, "parameter");
    char known[512] = "";
    int i = param_find(list, name);

    for (int k = 0; i < 0 && list[k].name; k++) {
        if (strcmp(list[k].key, name) == 0)
            i = k;
        if (k)
            strncat(known, ", ", sizeof(known) - strlen(known) - 1);
        strncat(known, list[k].name, sizeof(known) - strlen(known) - 1);
    }
    if (i < 0)
        call_bad_params(c, "there is no parameter \"%.20s\"; known: %s", name,
                        known);
    return i;
}

void rpc_bridge_set(struct call *c)
{
    int p = param_index(c, bridge_param_names);

    if (p >= 0)
        set_bridge(c, (enum bridge_param)p);
}

void rpc_port_set(struct call *c)
{
    int p = param_index(c, port_param_names);

    if (p >= 0)
        set_port(c, (enum bport_param)p);
}
