/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lab as it is now.
 */
#include "ctl/client/lab.h"

#include <stdio.h>
#include <string.h>

/* The answer of a method about one thing, or a null; a new reference. */
static json_t *ask(struct client *c, const char *method, const char *key,
                   const char *name)
{
    struct reply r;
    json_t *v = NULL;

    if (client_call(c, method, json_pack("{s:s}", key, name), -1, &r))
        v = json_incref(r.result);
    reply_free(&r);
    return v ? v : json_null();
}

/* The bridge itself, of an answer that is a list. */
static json_t *ask_bridge(struct client *c, const char *name)
{
    json_t *list = ask(c, "bridge.show", "bridge", name);
    json_t *v = json_incref(json_array_get(list, 0));

    json_decref(list);
    return v ? v : json_null();
}

static bool is(const json_t *what, const char *kind)
{
    return strcmp(str(what, "what"), kind) == 0;
}

static const char *const made_word[] = {"up", "being made", "interrupted",
                                        "being taken down"};

/* {"bridges", "guests", "hosts", "links", "uplink"}, as things are. */
static json_t *gather(struct client *c, const struct lab_state *s)
{
    json_t *o = json_pack("{s:s,s:O,s:s,s:[],s:[],s:[],s:[],s:[]}", "lab",
                          s->name, "file", json_object_get(s->o, "file"),
                          "state", made_word[lab_state_made(s)], "bridges",
                          "guests", "hosts", "links", "uplinks");
    json_t *what, *v;
    size_t i;

    json_array_foreach(lab_made(s), i, what)
    {
        const char *name = str(what, "name");

        if (is(what, "bridge")) {
            v = json_pack("{s:s,s:o,s:o}", "name", name, "bridge",
                          ask_bridge(c, name), "ports",
                          ask(c, "port.show", "bridge", name));
            json_array_append_new(json_object_get(o, "bridges"), v);
        } else if (is(what, "guest")) {
            v = json_pack("{s:s,s:o}", "name", name, "guest",
                          ask(c, "guest.show", "name", name));
            json_array_append_new(json_object_get(o, "guests"), v);
        } else {
            const char *to = is(what, "netns")  ? "hosts"
                             : is(what, "link") ? "links"
                                                : "uplinks";

            v = json_deep_copy(what);
            json_object_set_new(
                v, "there",
                json_boolean(!is(what, "netns") || lab_netns_exists(name)));
            if (json_object_get(what, "log"))
                json_object_set_new(v, "runs",
                                    json_boolean(lab_process_runs(what)));
            json_array_append_new(json_object_get(o, to), v);
        }
    }
    return o;
}

/* ---- for people ---- */

static void print_ports(const json_t *ports, const char *bridge)
{
    const json_t *p;
    size_t i;

    json_array_foreach(ports, i, p)
    {
        const char *name = str(p, "name"), *why = str(p, "why");

        if (strcmp(name, bridge) != 0)
            printf("  %-15s %s%s%s\n", name, str(p, "state"), *why ? ": " : "",
                   why);
    }
}

static void print_bridge(const json_t *b)
{
    const json_t *now = json_object_get(b, "bridge");
    const char *name = str(b, "name");

    if (!json_is_object(now)) {
        printf("bridge %s is gone\n", name);
        return;
    }
    printf("bridge %s, spanning tree %s\n", name,
           json_is_true(json_object_get(now, "stp_state")) ? "on" : "off");
    print_ports(json_object_get(b, "ports"), name);
}

static void print_net(const json_t *n)
{
    const json_t *a;
    size_t i;

    printf("  %-15s on %-10s %s", str(n, "port"), str(n, "bridge"),
           str(n, "mac"));
    json_array_foreach(json_object_get(n, "addresses"), i, a)
    {
        printf(" %s",
               json_is_string(a) ? json_string_value(a) : str(a, "address"));
    }
    putchar('\n');
}

static void print_guest(const json_t *g)
{
    const json_t *now = json_object_get(g, "guest"), *n;
    const char *why = str(now, "why");
    size_t i;

    if (!json_is_object(now)) {
        printf("guest %s is gone\n", str(g, "name"));
        return;
    }
    if (json_object_get(now, "pid"))
        why = str(now, "running_accel");
    printf("guest %s, %s%s%s\n", str(g, "name"), str(now, "state"),
           *why ? ", " : "", why);
    json_array_foreach(json_object_get(now, "nets"), i, n)
    {
        print_net(n);
    }
}

static void print_command(const json_t *h)
{
    const char *how = str(h, "ended");

    if (json_is_true(json_object_get(h, "runs")))
        printf("  command runs, process %lld",
               (long long)json_integer_value(json_object_get(h, "pid")));
    else
        printf("  command has ended%s%s", *how ? ", " : "", how);
    printf("; log %s\n", str(h, "log"));
}

static void print_host(const json_t *h)
{
    bool there = json_is_true(json_object_get(h, "there"));

    printf("host %s %s\n", str(h, "host"),
           there ? str(h, "address") : "is gone");
    if (there)
        printf("  on %s; ip netns exec %s sh\n", str(h, "bridge"),
               str(h, "name"));
    if (json_object_get(h, "log"))
        print_command(h);
}

static void print_each(const json_t *o, const char *key,
                       void (*fn)(const json_t *))
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(o, key), i, v)
    {
        fn(v);
    }
}

static bool any_bridge_or_guest(const struct lab_state *s)
{
    const json_t *what;
    size_t i;

    json_array_foreach(lab_made(s), i, what)
    {
        if (is(what, "bridge") || is(what, "guest"))
            return true;
    }
    return false;
}

static void print_made(const struct lab_state *s)
{
    enum lab_made how = lab_state_made(s);

    if (how == LAB_INTERRUPTED)
        printf("  its making was interrupted: bascule lab down %s takes it "
               "away\n",
               s->name);
    else if (how == LAB_BEING_MADE)
        printf("  it is being made\n");
    else if (how == LAB_LEAVING)
        printf("  it is being taken down\n");
}

int lab_show(struct client *c, const struct lab_state *s)
{
    struct err e = {""};
    json_t *o;

    if (any_bridge_or_guest(s) && lab_call(c, "version", NULL, &e))
        return complain(c, "lab %s: %s", s->name, e.text);
    o = gather(c, s);
    if (c->json) {
        print_json(o);
    } else {
        printf("lab %s, %s\n", s->name, str(o, "file"));
        print_made(s);
        print_each(o, "bridges", print_bridge);
        print_each(o, "guests", print_guest);
        print_each(o, "hosts", print_host);
    }
    json_decref(o);
    return 0;
}
