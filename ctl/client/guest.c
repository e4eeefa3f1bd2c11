/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands on guests, but for the console and libvirt's XML.
 */
#include "ctl/client/client.h"
#include "ctl/client/field.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- define: words to an object ---- */

enum kind { FLAG, TEXT, PATH, NUMBER, SIZE, WHERE, PARTS, NODE, LIST };

struct option_row {
    const char *option;
    const char *key; /* in JSON */
    enum kind kind;
    const char *first; /* PARTS: the key of what stands before the ',' */
};

static const struct option_row rows[] = {
    {"--disk", "disks", PARTS, "path"},
    {"--snapshot", "snapshot", FLAG, NULL},
    {"--cdrom", "cdrom", PATH, NULL},
    {"--kernel", "kernel", PATH, NULL},
    {"--initrd", "initrd", PATH, NULL},
    {"--append", "append", TEXT, NULL},
    {"--memory", "memory", SIZE, NULL},
    {"--cpus", "cpus", NUMBER, NULL},
    {"--net", "nets", PARTS, "bridge"},
    {"--accel", "accel", TEXT, NULL},
    {"--machine", "machine", TEXT, NULL},
    {"--hugepages", "hugepages", FLAG, NULL},
    {"--numa", "numa", NODE, NULL},
    {"--ksm", "ksm", TEXT, NULL},
    {"--vnc", "vnc", WHERE, NULL},
    {"--cloud-init", "cloud_init", PATH, NULL},
    {"--boot", "boot", TEXT, NULL},
    {"--restart", "restart", TEXT, NULL},
    {"--stop-timeout", "stop_timeout", NUMBER, NULL},
    {"--qemu-arg", "qemu_args", LIST, NULL},
};

static int put(json_t *o, const char *key, json_t *v)
{
    return json_object_set_new(o, key, v);
}

/* The daemon is somewhere else: paths are from the root. */
static json_t *path_value(const char *path)
{
    char here[PATH_MAX];

    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return json_string(path);
    return json_sprintf("%s/%s", here, path);
}

/* The list 'key' of the object, made if need be. */
static json_t *list_of(json_t *o, const char *key)
{
    json_t *list = json_object_get(o, key);

    if (!list && put(o, key, json_array()) == 0)
        list = json_object_get(o, key);
    return list;
}

/* "key=value" into the object. */
static int add_key(const struct client *c, json_t *o,
                   const struct option_row *r, const char *text, char *word)
{
    char *value = strchr(word, '=');

    if (!value || value == word)
        return complain(c, "guest define: %s %s: what is %s?", r->option, text,
                        word);
    *value++ = '\0';
    put(o, word, json_string(value));
    return 0;
}

/* Is there a comma with nothing behind it? */
static bool bare_comma(const char *text)
{
    return strstr(text, ",,") || (*text && text[strlen(text) - 1] == ',');
}

/* "PATH,key=value,...": values are the daemon's to judge. */
static int add_parts(const struct client *c, json_t *o,
                     const struct option_row *r, const char *text)
{
    char *copy = strdup(text), *save = NULL, *word;
    json_t *part = json_object();
    int status = 0;

    word = copy && text[0] != ',' ? strtok_r(copy, ",", &save) : NULL;
    if (word && bare_comma(text))
        status = complain(c,
                          "guest define: %s %s: there is nothing behind a "
                          "comma of it",
                          r->option, text);
    else if (word)
        put(part, r->first,
            strcmp(r->first, "path") == 0 ? path_value(word)
                                          : json_string(word));
    else
        status = complain(c, "guest define: %s %s: it begins with the %s",
                          r->option, text, r->first);
    while (!status && (word = strtok_r(NULL, ",", &save)) != NULL)
        status = add_key(c, part, r, text, word);
    if (!status && json_array_append(list_of(o, r->key), part) < 0)
        status = complain(c, "out of memory");
    json_decref(part);
    free(copy);
    return status;
}

/* "NODE:CPUS:MEMORY" */
static int add_node(const struct client *c, json_t *o,
                    const struct option_row *r, const char *text)
{
    const char *cpus = strchr(text, ':');
    const char *memory = cpus ? strchr(cpus + 1, ':') : NULL;

    if (!memory)
        return complain(c,
                        "guest define: %s %s: NODE:CPUS:MEMORY, as in "
                        "0:0-1:512",
                        r->option, text);
    if (json_array_append_new(list_of(o, r->key),
                              json_pack("{s:s%,s:s%,s:s}", "node", text,
                                        (size_t)(cpus - text), "cpus", cpus + 1,
                                        (size_t)(memory - cpus - 1), "memory",
                                        memory + 1)) < 0)
        return complain(c, "out of memory");
    return 0;
}

/* Megabytes, or with a unit. */
static int add_number(const struct client *c, json_t *o,
                      const struct option_row *r, const char *text)
{
    json_int_t n;
    char *end;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (r->kind == SIZE && (*end == 'G' || *end == 'g') && n < INT_MAX) {
        n *= 1024;
        end++;
    } else if (r->kind == SIZE && (*end == 'M' || *end == 'm')) {
        end++;
    }
    if (*text < '0' || *text > '9' || *end || errno)
        return complain(c, "guest define: %s %s: %s", r->option, text,
                        r->kind == SIZE ? "megabytes, or gigabytes as in 2G"
                                        : "a number");
    put(o, r->key, json_integer(n));
    return 0;
}

static int add_value(const struct client *c, json_t *o,
                     const struct option_row *r, const char *text)
{
    switch (r->kind) {
    case PARTS:
        return add_parts(c, o, r, text);
    case NODE:
        return add_node(c, o, r, text);
    case NUMBER:
    case SIZE:
        return add_number(c, o, r, text);
    case LIST:
        json_array_append_new(list_of(o, r->key), json_string(text));
        return 0;
    case PATH:
        put(o, r->key, path_value(text));
        return 0;
    default:
        put(o, r->key, json_string(text));
        return 0;
    }
}

static const struct option_row *row_of(const char *option)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].option, option) == 0)
            return &rows[i];
    return NULL;
}

/* May it be said more than once? */
static bool repeats(const struct option_row *r)
{
    return r->kind == PARTS || r->kind == NODE || r->kind == LIST;
}

/* One option and its value; how many words, or 0 after a complaint. */
static int add_option(const struct client *c, json_t *o, int argc, char **argv)
{
    const struct option_row *r = row_of(argv[0]);
    bool has = argc > 1 && strncmp(argv[1], "--", 2) != 0;

    if (!r) {
        complain(c, "guest define: there is no option %s", argv[0]);
        return 0;
    }
    if (!repeats(r) && json_object_get(o, r->key)) {
        complain(c, "guest define: %s is given twice", r->option);
        return 0;
    }
    if (r->kind == FLAG) {
        put(o, r->key, json_true());
        return 1;
    }
    if (r->kind == WHERE && !has) {
        put(o, r->key, json_string("on"));
        return 1;
    }
    if (argc < 2) {
        complain(c, "guest define: %s needs a value", r->option);
        return 0;
    }
    return add_value(c, o, r, argv[1]) ? 0 : 2;
}

static void tell_notice(FILE *out, const json_t *result)
{
    (void)out;
    if (*str(result, "notice"))
        fprintf(stderr, "guest %s %s\n", str(result, "name"),
                str(result, "notice"));
}

/* A call whose answer may have a word about what was done. */
static int with_notice(struct client *c, const char *method, json_t *params)
{
    return client_show(c, method, params, tell_notice);
}

int run_guest_define(struct client *c, int argc, char **argv)
{
    json_t *o;

    if (strncmp(argv[0], "--", 2) == 0)
        return complain(c, "guest define: the guest's name comes first");
    o = json_pack("{s:s}", "name", argv[0]);
    for (int i = 1; i < argc;) {
        int used = add_option(c, o, argc - i, argv + i);

        if (!used) {
            json_decref(o);
            return 1;
        }
        i += used;
    }
    return with_notice(c, "guest.define", o);
}

/* ---- the rest ---- */

int run_guest_undefine(struct client *c, int argc, char **argv)
{
    (void)argc;
    return client_simple(c, "guest.undefine",
                         json_pack("{s:s}", "name", argv[0]));
}

int run_guest_kill(struct client *c, int argc, char **argv)
{
    (void)argc;
    return client_simple(c, "guest.kill", json_pack("{s:s}", "name", argv[0]));
}

int run_guest_start(struct client *c, int argc, char **argv)
{
    (void)argc;
    return with_notice(c, "guest.start", json_pack("{s:s}", "name", argv[0]));
}

static bool seconds(const char *text, json_int_t *n)
{
    char *end;

    errno = 0;
    *n = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* "NAME [--timeout N] [--kill]"; NULL after a complaint. */
static json_t *with_timeout(const struct client *c, int argc, char **argv,
                            bool may_kill)
{
    const char *name = NULL;
    json_t *o = json_object();
    json_int_t n;
    int status = 0;

    for (int i = 0; i < argc && !status; i++) {
        if (may_kill && strcmp(argv[i], "--kill") == 0) {
            put(o, "kill", json_true());
        } else if (strcmp(argv[i], "--timeout") != 0) {
            if (name)
                status = complain(c, "guest: what is %s?", argv[i]);
            name = argv[i];
        } else if (i + 1 == argc || !seconds(argv[i + 1], &n)) {
            status = complain(c, "--timeout: a number of seconds is needed");
        } else {
            put(o, "timeout", json_integer(n));
            i++;
        }
    }
    if (!status && !name)
        status = complain(c, "which guest?");
    if (!status)
        put(o, "name", json_string(name));
    if (!status)
        return o;
    json_decref(o);
    return NULL;
}

int run_guest_stop(struct client *c, int argc, char **argv)
{
    json_t *o = with_timeout(c, argc, argv, true);

    return o ? with_notice(c, "guest.stop", o) : 1;
}

int run_guest_restart(struct client *c, int argc, char **argv)
{
    json_t *o = with_timeout(c, argc, argv, false);

    return o ? with_notice(c, "guest.restart", o) : 1;
}

int run_guest_link(struct client *c, int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[1], "up") != 0 && strcmp(argv[1], "down") != 0)
        return complain(c, "guest link: up or down, not %s", argv[1]);
    return client_simple(
        c, "guest.link",
        json_pack("{s:s,s:b}", "name", argv[0], "up", argv[1][0] == 'u'));
}
