/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands on configurations.  The client reads the files, since the daemon
 * opens none for a client, checks them, and sends their texts.
 */
#include "ctl/client/client.h"
#include "ctl/config/load.h"
#include "ctl/config/print.h"
#include "ports/netns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ---- */

struct files {
    json_t *list; /* [{name, text}] as sent */
};

/* A conf_open that keeps what it has read. */
static int read_file(void *arg, const char *name, const char *from, char **text,
                     size_t *len, struct err *e)
{
    struct files *f = arg;
    int rc = conf_open_file(NULL, name, from, text, len, e);
    json_t *value;

    if (rc)
        return rc;
    value = json_stringn(*text, *len);
    if (!value) {
        free(*text);
        *text = NULL;
        return err_set(e, EINVAL, "%s: is not UTF-8", name);
    }
    json_array_append_new(f->list,
                          json_pack("{s:s,s:o}", "name", name, "text", value));
    return 0;
}

static void print_notices(const struct conf *conf)
{
    for (const struct conf_notice *n = conf->notice; n; n = n->next)
        fprintf(stderr, "note: %s\n", n->text);
}

/* ---- namespaces that ports name ---- */

#define NAMED_MAX 252 /* with our own as many as a message carries */

/* Namespaces, and behind them captures: their descriptors go in this order. */
struct named {
    const char *text[NAMED_MAX];
    int fd[NAMED_MAX + 1]; /* [0]: our own */
    bool made[NAMED_MAX];  /* a file that did not exist */
    unsigned n, n_netns;
};

static bool has(const struct named *n, unsigned from, const char *text)
{
    for (unsigned i = from; i < n->n; i++)
        if (strcmp(n->text[i], text) == 0)
            return true;
    return false;
}

static int add_named(struct named *n, const struct conf_pos *at,
                     const char *text, int fd, struct err *e)
{
    if (fd < 0)
        return err_wrap(e, fd, "%s:%u:%u", at->file, at->line, at->column);
    n->text[n->n++] = text;
    n->fd[n->n] = fd;
    return 0;
}

static int full(const struct conf_pos *at, struct err *e)
{
    return err_set(e, E2BIG,
                   "%s:%u:%u: more than %d network namespaces and captures in "
                   "one file",
                   at->file, at->line, at->column, NAMED_MAX);
}

static int open_netns(struct named *n, const struct conf_port *p, struct err *e)
{
    if (!p->spec.netns || has(n, 0, p->spec.netns))
        return 0;
    if (n->n == NAMED_MAX)
        return full(&p->pos, e);
    return add_named(n, &p->pos, p->spec.netns, netns_open(p->spec.netns, e),
                     e);
}

/* The daemon opens no file for a client, and says itself what else is wrong. */
static int open_capture(struct named *n, const struct conf_port *p,
                        struct err *e)
{
    bool made;
    int rc;

    if (!port_spec_has_file(&p->spec) || p->spec.target[0] != '/' ||
        has(n, n->n_netns, p->spec.target))
        return 0;
    if (n->n == NAMED_MAX)
        return full(&p->pos, e);
    rc = add_named(n, &p->pos, p->spec.target,
                   port_spec_open_file(&p->spec, &made, e), e);
    if (!rc)
        n->made[n->n - 1] = made;
    return rc;
}

/* What is only to be tried: a recording would be made. */
static int open_replay(struct named *n, const struct conf_port *p,
                       struct err *e)
{
    struct spec_file how;

    if (port_spec_file(&p->spec, &how, NULL) || how.record)
        return 0;
    return open_capture(n, p, e);
}

static int for_ports(struct named *n, const struct conf *conf,
                     int (*fn)(struct named *n, const struct conf_port *p,
                               struct err *e),
                     struct err *e)
{
    int rc = 0;

    for (unsigned b = 0; !rc && b < conf->n_bridges; b++)
        for (unsigned i = 0; !rc && i < conf->bridge[b].n_ports; i++)
            rc = fn(n, &conf->bridge[b].port[i], e);
    return rc;
}

static int open_named(struct named *n, const struct conf *conf, bool captures,
                      struct err *e)
{
    int rc;

    memset(n, 0, sizeof(*n));
    n->fd[0] = open_own_netns();
    if (n->fd[0] < 0)
        return err_sys(e, errno, "our own network namespace");
    rc = for_ports(n, conf, open_netns, e);
    n->n_netns = n->n;
    return rc ? rc
              : for_ports(n, conf, captures ? open_capture : open_replay, e);
}

/* 'came_to_nothing': files that were made for it go. */
static void close_named(struct named *n, bool came_to_nothing)
{
    for (unsigned i = 0; i <= n->n; i++)
        if (n->fd[i] >= 0)
            close(n->fd[i]);
    for (unsigned i = 0; i < n->n; i++)
        if (n->made[i] && came_to_nothing)
            (void)unlink(n->text[i]);
}

static json_t *named_list(const struct named *n, unsigned from, unsigned to)
{
    json_t *list = json_array();

    for (unsigned i = from; i < to; i++)
        json_array_append_new(list, json_string(n->text[i]));
    return list;
}

/* ---- apply ---- */

/* "-", as everywhere; named in full, for what is said of it. */
static const char *file_named(const char *word)
{
    return strcmp(word, "-") == 0 ? "/dev/stdin" : word;
}

struct asked {
    const char *file;
    bool dry_run;
    json_int_t confirm;
};

static bool seconds(const char *text, json_int_t *n)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    *n = strtol(text, &end, 10);
    return *end == '\0' && *n >= 1 && *n <= 86400;
}

static int read_args(const struct client *c, int argc, char **argv,
                     struct asked *a)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--dry-run") == 0) {
            a->dry_run = true;
        } else if (strcmp(argv[i], "--confirm") == 0) {
            if (++i == argc || !seconds(argv[i], &a->confirm))
                return complain(c, "apply: --confirm: a number of seconds, 1 "
                                   "to 86400");
        } else if (a->file) {
            return complain(c, "apply: one file; what is %s?", argv[i]);
        } else {
            a->file = file_named(argv[i]);
        }
    }
    return a->file ? 0 : complain(c, "apply: which file?");
}

static void print_list(FILE *out, const char *head, const json_t *list)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        fprintf(out, "%s%s\n", head, json_string_value(v));
    }
}

static void report(const struct client *c, const json_t *r)
{
    const json_t *steps = json_object_get(r, "steps");
    json_int_t confirm = json_integer_value(json_object_get(r, "confirm"));

    if (c->json) {
        print_json(r);
        return;
    }
    print_list(stdout, "", steps);
    fflush(stdout);
    print_list(stderr, "note: ", json_object_get(r, "notes"));
    if (json_array_size(steps) == 0)
        fprintf(stderr, "nothing to change\n");
    if (confirm)
        fprintf(stderr,
                "taken back in %d seconds unless you run: bascule confirm\n",
                (int)confirm);
}

static int send_files(struct client *c, const struct asked *a,
                      const struct conf *conf, json_t *files)
{
    struct named n;
    struct reply r;
    struct err e = {""};
    int status = 0;

    if (open_named(&n, conf, !a->dry_run, &e) < 0) {
        close_named(&n, true);
        return complain(c, "%s", e.text);
    }
    if (client_call_fds(
            c, "apply",
            json_pack("{s:O,s:b,s:I,s:o,s:o,s:b,s:b}", "files", files,
                      "dry_run", a->dry_run, "confirm", a->confirm,
                      "namespaces", named_list(&n, 0, n.n_netns), "captures",
                      named_list(&n, n.n_netns, n.n), "netns", 1, "notices", 1),
            n.fd, n.n + 1, &r))
        report(c, r.result);
    else
        status = client_complain(c, &r);
    reply_free(&r);
    close_named(&n, status != 0);
    return status;
}

int run_apply(struct client *c, int argc, char **argv)
{
    struct files f = {.list = json_array()};
    struct asked a = {0};
    struct conf *conf = NULL;
    struct err e = {""};
    int status = read_args(c, argc, argv, &a);

    if (status == 0 && conf_load(&conf, a.file, read_file, &f, &e) < 0)
        status = complain(c, "%s", e.text);
    if (status == 0) {
        print_notices(conf);
        status = send_files(c, &a, conf, f.list);
    }
    conf_free(conf);
    json_decref(f.list);
    return status;
}

int run_confirm(struct client *c, int argc, char **argv)
{
    int status =
        client_simple(c, "confirm", json_pack("{s:b}", "revert", argc > 0));

    (void)argv;
    if (status == 0 && argc > 0 && !c->json)
        fprintf(stderr, "taken back: bridges, ports, addresses and guests are "
                        "as before that apply\n");
    return status;
}

/* ---- config ---- */

/* A file, as we understand it. */
static int show_file(struct client *c, const char *name)
{
    struct conf *conf = NULL;
    struct err e = {""};
    char *text;

    if (conf_load(&conf, name, conf_open_file, NULL, &e) < 0)
        return complain(c, "%s", e.text);
    print_notices(conf);
    text = conf_print(conf);
    conf_free(conf);
    if (!text)
        return complain(c, "out of memory");
    fputs(text, stdout);
    free(text);
    return 0;
}

int run_config(struct client *c, int argc, char **argv)
{
    struct reply r;
    int netns, status = 0;

    if (argc > 0)
        return show_file(c, file_named(argv[0]));
    netns = open_own_netns();
    if (!client_call(c, "config",
                     json_pack("{s:b,s:b}", "netns", netns >= 0, "notices", 1),
                     netns, &r))
        status = client_complain(c, &r);
    else if (c->json)
        print_json(r.result);
    else
        fputs(json_string_value(r.result), stdout);
    if (netns >= 0)
        close(netns);
    reply_free(&r);
    return status;
}
