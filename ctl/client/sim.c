/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bascule sim: spanning trees of a network in virtual time, as a timeline.
 * The daemon has no part in it.
 */
#include "ctl/client/client.h"
#include "ctl/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LIMIT (1U << 20)

struct run {
    struct client *client;
    const char *network; /* file or network, as typed */
    uint64_t seed, until;
    bool step;
    FILE *keys;       /* --step */
    bool stop;        /* q was typed */
    bool said;        /* something since the last stop */
    json_t *timeline; /* -j; else NULL */
};

/* ---- the network's text ---- */

/* NULL, with errno. */
static char *read_all(FILE *f, size_t *len)
{
    char *text = malloc(TEXT_LIMIT);

    if (!text)
        return NULL;
    *len = fread(text, 1, TEXT_LIMIT, f);
    if (ferror(f)) { /* a folder, say */
        free(text);
        return NULL;
    }
    return text;
}

/* What cannot be a file's name by mistake: it joins bridges. */
static bool is_network(const char *text)
{
    return strpbrk(text, "-:[; ") != NULL;
}

/* The text, to be freed; '*name' is what errors call it. */
static char *load(const struct run *r, const char **name, size_t *len)
{
    FILE *f;
    char *text;

    *name = r->network;
    if (strcmp(r->network, "-") == 0) {
        *name = "standard input";
        return read_all(stdin, len);
    }
    f = fopen(r->network, "r");
    if (!f && (errno == ENOENT || errno == ENAMETOOLONG) &&
        is_network(r->network)) {
        *name = "network";
        *len = strlen(r->network);
        return strdup(r->network);
    }
    if (!f)
        return NULL;
    text = read_all(f, len);
    fclose(f);
    return text;
}

/* ---- the timeline ---- */

static const char *kind_name(enum sim_line_kind k)
{
    static const char *const name[] = {[SIM_LINE_ORDER] = "order",
                                       [SIM_LINE_NOTE] = "note",
                                       [SIM_LINE_LOOP] = "loop",
                                       [SIM_LINE_WRONG] = "wrong",
                                       [SIM_LINE_QUIET] = "quiet"};

    return name[k];
}

static void line(void *arg, const struct sim_line *l)
{
    struct run *r = arg;

    r->said = true;
    if (!r->timeline) {
        sim_print_line(l, stdout);
        return;
    }
    json_array_append_new(r->timeline, json_pack("{s:f, s:s, s:s, s:s}", "time",
                                                 (double)l->at / 1e9, "kind",
                                                 kind_name(l->kind), "bridge",
                                                 l->who, "text", l->text));
}

/* Enter goes on, q ends. */
static void wait_for_enter(struct run *r)
{
    char answer[64];

    r->said = false;
    fflush(stdout);
    if (!fgets(answer, sizeof(answer), r->keys) || answer[0] == 'q')
        r->stop = true;
}

static void run_all(struct run *r, struct sim *s)
{
    while (!r->stop && sim_next(s, r->until))
        if (r->step && r->said)
            wait_for_enter(r);
}

/* ---- the end as JSON ---- */

static json_t *port_json(const struct sim *s, unsigned bridge, unsigned port)
{
    struct stp_port_info i;
    char lan[48];

    if (!sim_port_view(s, bridge, (uint16_t)port, &i, lan))
        return NULL;
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "port",
                     (int)port, "lan", lan, "role", stp_role_name(i.role),
                     "state", stp_state_name(i.state), "guard",
                     stp_guard_name(i.guard), "cost", (json_int_t)i.config.cost,
                     "edge", i.edge, "stp", i.stp);
}

static json_t *bridge_json(const struct sim *s, unsigned bridge)
{
    json_t *ports = json_array();
    struct sim_bridge_view v;

    sim_bridge_view(s, bridge, &v);
    for (unsigned p = 1; p <= v.ports; p++) {
        json_t *port = port_json(s, bridge, p);

        if (port)
            json_array_append_new(ports, port);
    }
    return json_pack("{s:s, s:b, s:s, s:i, s:I, s:o}", "bridge", v.name, "dead",
                     v.dead, "root", v.root, "root_port", (int)v.info.root_port,
                     "root_cost", (json_int_t)v.info.root.cost, "ports", ports);
}

static void print_all_json(struct run *r, const struct sim *s)
{
    const struct sim_result *end = sim_result(s);
    double took = end->changed_at > end->since
                      ? (double)(end->changed_at - end->since) / 1e9
                      : 0;
    json_t *bridges = json_array(), *all;

    for (unsigned b = 0; b < sim_bridges(s); b++) {
        struct sim_bridge_view v;

        sim_bridge_view(s, b, &v);
        if (!v.host)
            json_array_append_new(bridges, bridge_json(s, b));
    }
    all = json_pack("{s:I, s:O, s:o, s:b, s:f, s:i, s:i, s:i, s:s, s:I}",
                    "seed", (json_int_t)r->seed, "timeline", r->timeline,
                    "bridges", bridges, "quiet", end->quiet, "converged_after",
                    took, "loops", (int)end->loops, "loops_excused",
                    (int)end->excused, "wrong", (int)end->wrong, "first",
                    end->first, "bpdus", (json_int_t)end->frames);
    print_json(all);
    json_decref(all);
}

/* ---- the command ---- */

static int number(const struct run *r, const char *option, const char *text,
                  double *v)
{
    char *end;

    if (text) {
        *v = strtod(text, &end);
        if (end != text && !*end && *v >= 0 && *v < 1e9)
            return 0;
    }
    return complain(r->client, "sim: %s takes a number, not %s", option,
                    text ? text : "nothing");
}

static int parse_option(struct run *r, int argc, char **argv, int *at)
{
    const char *option = argv[*at];
    double v = 0;

    if (strcmp(option, "--step") == 0) {
        r->step = true;
        return 0;
    }
    if (strcmp(option, "--seed") != 0 && strcmp(option, "--until") != 0)
        return complain(r->client, "sim: there is no option %s", option);
    ++*at;
    if (number(r, option, *at < argc ? argv[*at] : NULL, &v))
        return 1;
    if (strcmp(option, "--seed") == 0)
        r->seed = (uint64_t)v;
    else
        r->until = (uint64_t)(v * 1e9);
    return 0;
}

static int parse(struct run *r, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            if (parse_option(r, argc, argv, &i))
                return 1;
        } else if (r->network) {
            return complain(r->client, "sim: one network at a time, please; "
                                       "quote it if it has blanks");
        } else {
            r->network = argv[i];
        }
    }
    if (!r->network || !*r->network) {
        (void)complain(r->client, "sim: which network?  See bascule help sim");
        return 1;
    }
    if (r->step && r->client->json)
        return complain(r->client, "sim: --step and -j do not go together");
    return 0;
}

/* Keys come from the terminal, also when the network comes by a pipe. */
static int open_keys(struct run *r)
{
    if (!r->step)
        return 0;
    r->keys = fopen("/dev/tty", "r");
    if (!r->keys && strcmp(r->network, "-") != 0)
        r->keys = stdin;
    return r->keys ? 0
                   : complain(r->client, "sim: --step needs a terminal: %s",
                              strerror(errno));
}

static int simulate(struct run *r, struct sim *s)
{
    const struct sim_result *end = sim_result(s);

    sim_seed(s, r->seed);
    if (r->client->json)
        r->timeline = json_array();
    sim_watch(s, line, r);
    run_all(r, s);
    if (r->timeline) {
        print_all_json(r, s);
        json_decref(r->timeline);
    } else {
        sim_print_tree(s, stdout);
        sim_print_result(s, stdout);
    }
    return end->loops || end->wrong ? 1 : 0;
}

int run_sim(struct client *c, int argc, char **argv)
{
    struct run r = {.client = c, .seed = 1, .until = STP_NEVER - 1};
    struct err e = {""};
    const char *name;
    struct sim *s;
    size_t len = 0;
    char *text;
    int rc;

    if (parse(&r, argc, argv) || open_keys(&r))
        return 1;
    text = load(&r, &name, &len);
    if (!text && errno == ENOENT)
        return complain(c,
                        "sim: %s: there is no such file, and a network "
                        "joins bridges, as B1-B2 does",
                        r.network);
    if (!text)
        return complain(c, "sim: %s: %s", r.network, strerror(errno));
    rc = sim_read(&s, name, text, len, &e);
    free(text);
    if (rc)
        return complain(c, "%s", e.text);
    rc = simulate(&r, s);
    sim_free(s);
    if (r.keys && r.keys != stdin)
        fclose(r.keys);
    return rc;
}
