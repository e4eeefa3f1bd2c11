/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands that brctl does not have.
 */
#include "ctl/client/client.h"
#include "ctl/code.h"
#include "ctl/client/render.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers as typed ---- */

/* Decimal or 0x..., 0 to 'max'. */
static bool whole(const char *text, json_int_t max, json_int_t *n)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *n = strtoll(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
    return errno == 0 && *end == '\0' && *n <= max;
}

static json_t *word_value(const struct client *c, const struct param_name *p,
                          const char *text)
{
    char known[64] = "";
    uint32_t v;

    if (param_word_value(p, text, &v))
        return json_string(text);
    for (const struct param_word *w = p->word; w->text; w++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
                 w == p->word ? ""
                 : w[1].text  ? ", "
                              : " or ",
                 w->text);
    complain(c, "%s: %s, not %s", p->name, known, text);
    return NULL;
}

/* A parameter's value by its unit; NULL after a complaint. */
static json_t *param_value(const struct client *c, const struct param_name *p,
                           const char *text)
{
    json_int_t n;
    double s;
    char *end;

    switch (p->unit) {
    case UNIT_SWITCH:
        if (strcmp(text, "on") == 0 || strcmp(text, "off") == 0)
            return json_boolean(text[1] == 'n');
        complain(c, "%s: on or off, not %s", p->name, text);
        return NULL;
    case UNIT_CENTISECONDS:
        s = strtod(text, &end);
        if (end != text && *end == '\0' && isfinite(s) && s >= 0 && s < 1e9)
            return json_integer((json_int_t)(s * 100 + 1e-6));
        complain(c, "%s: a number of seconds, not %s", p->name, text);
        return NULL;
    case UNIT_WORD:
        return word_value(c, p, text);
    default:
        if (whole(text, UINT32_MAX, &n))
            return json_integer(n);
        complain(c, "%s: a number, not %s", p->name, text);
        return NULL;
    }
}

static const struct param_name *find_param(const struct client *c,
                                           const struct param_name *list,
                                           const char *name)
{
    int i = param_find(list, name);
    char known[512] = "";

    if (i >= 0)
        return &list[i];
    for (i = 0; list[i].name; i++) {
        if (i)
            strncat(known, ", ", sizeof(known) - strlen(known) - 1);
        strncat(known, list[i].name, sizeof(known) - strlen(known) - 1);
    }
    complain(c, "there is no parameter %s; known: %s", name, known);
    return NULL;
}

static int set_param(struct client *c, const char *method, const char *key,
                     const struct param_name *list, char **argv)
{
    const struct param_name *p = find_param(c, list, argv[1]);
    json_t *value = p ? param_value(c, p, argv[2]) : NULL;

    if (!value)
        return 1;
    return client_simple(c, method,
                         json_pack("{s:s,s:s,s:o}", key, argv[0], "parameter",
                                   p->name, "value", value));
}

int run_bridge_set(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_param(c, "bridge.set", "bridge", bridge_param_names, argv);
}

int run_port_set(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_param(c, "port.set", "port", port_param_names, argv);
}

/* ---- showing ---- */

static json_t *optional(const char *key, int argc, char **argv, int i)
{
    return argc > i ? json_pack("{s:s}", key, argv[i]) : NULL;
}

static void render_bridges(FILE *out, const json_t *list)
{
    const json_t *b;
    size_t i;

    json_array_foreach(list, i, b)
    {
        render_bridge(out, b);
    }
}

int run_bridge_show(struct client *c, int argc, char **argv)
{
    return client_show(c, "bridge.show", optional("bridge", argc, argv, 0),
                       render_bridges);
}

int run_port_show(struct client *c, int argc, char **argv)
{
    return client_show(c, "port.show", optional("bridge", argc, argv, 0),
                       render_ports);
}

int run_stats(struct client *c, int argc, char **argv)
{
    return client_show(c, "stats", optional("name", argc, argv, 0),
                       render_stats);
}

/* ---- forwarding database ---- */

static void entry_json(void *arg, const json_t *item)
{
    bool *some = arg;

    putchar(*some ? ',' : '[');
    *some = true;
    json_dumpf(item, stdout, JSON_COMPACT);
}

int client_entries(struct client *c, const char *method, json_t *params)
{
    bool some = false;
    struct reply r;
    int status = 0;

    if (client_stream(c, method, params, entry_json, &some, &r))
        puts(some ? "]" : "[]");
    else
        status = client_complain(c, &r);
    reply_free(&r);
    return status;
}

/* ---- events ---- */

int run_wait_forwarding(struct client *c, int argc, char **argv)
{
    json_t *params = json_pack("{s:s}", "port", argv[0]);
    json_int_t seconds;

    if (argc > 1) {
        if (!whole(argv[1], 86400, &seconds)) {
            json_decref(params);
            return complain(c, "%s: a number of seconds, at most 86400",
                            argv[1]);
        }
        json_object_set_new(params, "timeout", json_integer(seconds));
    }
    return client_simple(c, "wait-forwarding", params);
}

static void print_event(const struct client *c, const json_t *event)
{
    const json_t *params = json_object_get(event, "params");
    const char *text = json_string_value(json_object_get(params, "text"));
    const char *name = json_string_value(json_object_get(params, "event"));

    if (c->json)
        print_json(params);
    else
        printf("%-12s %s\n", name ? name : "?", text ? text : "");
    fflush(stdout);
}

/* To the daemon it is the method "monitor", which says so. */
static int no_events(const struct client *c, const struct reply *r,
                     const char *what)
{
    char usage[COMMAND_USAGE_MAX];

    if (r->code != RPC_BAD_PARAMS || !what)
        return client_complain(c, r);
    return complain(
        c, "events: there are no events %s; usage: bascule %s", what,
        command_usage(&command_table[CMD_ID_events], usage, sizeof(usage)));
}

/* 0, or 1 after a complaint. */
static int begin_events(struct client *c, int argc, char **argv)
{
    struct reply r;
    int status = 0;

    if (!client_call(c, "monitor", optional("what", argc, argv, 0), -1, &r))
        status = no_events(c, &r, argc > 0 ? argv[0] : NULL);
    reply_free(&r);
    return status;
}

int run_events(struct client *c, int argc, char **argv)
{
    json_t *event;

    if (begin_events(c, argc, argv))
        return 1;
    while ((event = client_event(c)) != NULL) {
        print_event(c, event);
        json_decref(event);
        if (ferror(stdout))
            return 1;
    }
    return complain(c, "the daemon has ended");
}

/* ---- mem ports ---- */

int run_mem_inject(struct client *c, int argc, char **argv)
{
    json_t *params = json_pack("{s:s,s:s}", "port", argv[0], "frame", argv[1]);
    json_int_t n;

    if (argc > 2) {
        if (!whole(argv[2], 1000000, &n)) {
            json_decref(params);
            return complain(c, "mem inject: %s is no number of copies",
                            argv[2]);
        }
        json_object_set_new(params, "copies", json_integer(n));
    }
    return client_simple(c, "mem.inject", params);
}

static void render_frames(FILE *out, const json_t *list)
{
    const json_t *f;
    size_t i;

    json_array_foreach(list, i, f)
    {
        fprintf(out, "%s\n", json_string_value(f));
    }
}

#define COLLECT_DEFAULT 256

/* One answer's worth of frames, at most 'n'; *some: how many. */
static int collect_some(struct client *c, const char *port, json_int_t n,
                        json_t *all, size_t *some)
{
    json_t *frames = client_ask(c, "mem.collect",
                                json_pack("{s:s,s:I}", "port", port, "max", n));

    if (!frames)
        return 1;
    *some = json_array_size(frames);
    json_array_extend(all, frames);
    json_decref(frames);
    return 0;
}

int run_mem_collect(struct client *c, int argc, char **argv)
{
    json_t *all = json_array();
    json_int_t n = COLLECT_DEFAULT;
    size_t some = 1;
    int status = 0;

    if (argc > 1 && !whole(argv[1], 1000000, &n)) {
        json_decref(all);
        return complain(c, "mem collect: %s is no number of frames", argv[1]);
    }
    do { /* an answer holds as many as the daemon likes */
        status = collect_some(c, argv[0], n - (json_int_t)json_array_size(all),
                              all, &some);
    } while (status == 0 && some > 0 && json_array_size(all) < (size_t)n);
    if (c->json && (status == 0 || json_array_size(all) > 0))
        print_json(all);
    else if (!c->json)
        render_frames(stdout, all);
    json_decref(all);
    return status;
}

int run_mem_fail_after(struct client *c, int argc, char **argv)
{
    json_int_t n = -1;

    (void)argc;
    if (strcmp(argv[1], "never") != 0 && !whole(argv[1], 1LL << 40, &n))
        return complain(c, "mem fail-after: %s: a number of frames, or never",
                        argv[1]);
    return client_simple(c, "mem.fail-after",
                         json_pack("{s:s,s:I}", "port", argv[0], "frames", n));
}

/* ---- health ---- */

static void render_version(FILE *out, const json_t *v)
{
    fprintf(out, "bascule %s\nbasculed %s (process %lld)\n", BASCULE_VERSION,
            json_string_value(json_object_get(v, "version")),
            (long long)json_integer_value(json_object_get(v, "pid")));
}

int run_version(struct client *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return client_show(c, "version", NULL, render_version);
}

static void render_ping(FILE *out, const json_t *v)
{
    fprintf(out, "basculed answers: up %.0f s, process %lld\n",
            json_number_value(json_object_get(v, "uptime")),
            (long long)json_integer_value(json_object_get(v, "pid")));
}

int run_ping(struct client *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return client_show(c, "ping", NULL, render_ping);
}
