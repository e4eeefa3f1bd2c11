/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which command of iproute2's bridge(8) is meant: its options when called by
 * that name, its objects, and its abbreviations, which go by the first word
 * in its order that begins so ("fdb d" deletes, "link s" sets).
 */
#include "ctl/client/iproute2.h"

#include "ports/netns.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* What the real one that this one follows says of itself; scripts look. */
#define BRIDGE_VERSION "bridge utility, 6.1.0"

/* ---- usage ---- */

static const char usage_all[] =
    "Usage: bridge [OPTION]... OBJECT {COMMAND|help}\n"
    "       bridge [-force] -batch FILE\n"
    "  objects  link fdb monitor  (mdb mst vlan vni are not built yet)\n"
    "  options  -d[etails] -s[tatistics] -o[neline] -t[imestamp] -j[son]\n"
    "           -p[retty] -n[etns] NAME -V[ersion]\n";

static const char usage_fdb[] =
    "Usage: bridge fdb {add|append|replace|del} MAC dev PORT [master] [self]\n"
    "                  [permanent|local|static|dynamic] [sticky] [use]\n"
    "                  [extern_learn]\n"
    "       bridge fdb [show] [br BRIDGE] [brport PORT] [vlan VID]\n"
    "                  [state STATE] [dynamic]\n"
    "       bridge fdb get MAC {br BRIDGE|brport PORT} [vlan VID]\n"
    "       bridge fdb flush {dev BRIDGE [brport PORT]|dev PORT master}\n"
    "                  [vlan VID] [[no]permanent] [[no]static] [[no]dynamic]\n"
    "                  [[no]sticky] [[no]extern_learn]\n";

static const char usage_link[] =
    "Usage: bridge link set dev PORT [cost N] [priority N] [PARAMETER "
    "{on|off}]...\n"
    "  parameters  hairpin isolated learning flood mcast_flood bcast_flood\n"
    "              guard root_block\n"
    "       bridge link [show] [dev PORT] [master BRIDGE]\n";

static const char usage_monitor[] = "Usage: bridge monitor [link|fdb|all]\n";

static int usage(const char *text)
{
    fputs(text, stderr);
    return IP_FAIL;
}

/* ---- commands ---- */

typedef int (*run_fn)(struct client *c, int argc, char **argv);

/* In the order in which abbreviations are tried. */
struct verb {
    const char *word;
    run_fn run; /* NULL: help */
};

static const struct verb fdb_verbs[] = {
    {"add", run_fdb_add},
    {"append", run_fdb_append},
    {"replace", run_fdb_replace},
    {"delete", run_fdb_del},
    {"get", run_fdb_get},
    {"show", run_fdb_show},
    {"lst", run_fdb_show},
    {"list", run_fdb_show},
    {"flush", run_fdb_flush},
    {"help", NULL},
    {NULL, NULL},
};

static const struct verb link_verbs[] = {
    {"set", run_link_set},  {"change", run_link_set}, {"show", run_link_show},
    {"lst", run_link_show}, {"list", run_link_show},  {"help", NULL},
    {NULL, NULL},
};

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "help") == 0)
            return true;
    return false;
}

static int run_verb(struct client *c, const char *object,
                    const struct verb *verbs, const char *help, int argc,
                    char **argv)
{
    const char *word = argc ? argv[0] : "show";

    for (const struct verb *v = verbs; v->word; v++) {
        if (!word_begins(word, v->word))
            continue;
        if (!v->run || asks_help(argc, argv))
            return usage(help);
        return v->run(c, argc ? argc - 1 : 0, argv + 1);
    }
    return ip_complain("Command \"%s\" is unknown, try \"bridge %s help\".",
                       word, object);
}

static int do_fdb(struct client *c, int argc, char **argv)
{
    return run_verb(c, "fdb", fdb_verbs, usage_fdb, argc, argv);
}

static int do_link(struct client *c, int argc, char **argv)
{
    return run_verb(c, "link", link_verbs, usage_link, argc, argv);
}

static int do_monitor(struct client *c, int argc, char **argv)
{
    if (asks_help(argc, argv))
        return usage(usage_monitor);
    return run_monitor(c, argc, argv);
}

bool iproute2_object(struct client *c, int argc, char **argv, int *status)
{
    int used;

    if (argc == 0)
        return false;
    if (command_by_words(argv, 1, &used) && strcmp(argv[0], "monitor") != 0)
        return false; /* a command of our own */
    if (word_begins(argv[0], "link"))
        *status = do_link(c, argc - 1, argv + 1);
    else if (word_begins(argv[0], "fdb"))
        *status = do_fdb(c, argc - 1, argv + 1);
    else if (word_begins(argv[0], "monitor") && argv[0][1] == 'o')
        *status = do_monitor(c, argc - 1, argv + 1);
    else
        return false;
    return true;
}

static const char *const unbuilt[] = {"mdb", "vlan", "vni", "mst", NULL};

bool iproute2_unbuilt(const char *word)
{
    for (int i = 0; unbuilt[i]; i++)
        if (strcmp(word, unbuilt[i]) == 0)
            return true;
    return false;
}

int iproute2_command(struct client *c, int argc, char **argv)
{
    const char *word = argv[0];

    if (word_begins(word, "link"))
        return do_link(c, argc - 1, argv + 1);
    if (word_begins(word, "fdb"))
        return do_fdb(c, argc - 1, argv + 1);
    if (word_begins(word, "monitor") && word[1])
        return do_monitor(c, argc - 1, argv + 1);
    for (int i = 0; unbuilt[i]; i++)
        if (word_begins(word, unbuilt[i]))
            return ip_complain("Error: \"%s\" is not built yet: Bascule has "
                               "link, fdb and monitor.",
                               unbuilt[i]);
    if (word_begins(word, "help"))
        return usage(usage_all);
    return ip_complain("Object \"%s\" is unknown, try \"bridge help\".", word);
}

/* ---- options ---- */

enum option_id {
    OPT_HELP,
    OPT_VERSION,
    OPT_STATS,
    OPT_DETAILS,
    OPT_ONELINE,
    OPT_TIMESTAMP,
    OPT_NETNS,
    OPT_COLOR,
    OPT_COMPRESS,
    OPT_FORCE,
    OPT_JSON,
    OPT_PRETTY,
    OPT_BATCH,
    OPT_UNKNOWN
};

/* In the order in which abbreviations are tried. */
static const struct {
    const char *name;
    enum option_id id;
} options[] = {
    {"help", OPT_HELP},           {"Version", OPT_VERSION},
    {"stats", OPT_STATS},         {"statistics", OPT_STATS},
    {"details", OPT_DETAILS},     {"oneline", OPT_ONELINE},
    {"timestamp", OPT_TIMESTAMP}, {"netns", OPT_NETNS},
    {"color", OPT_COLOR},         {"compressvlans", OPT_COMPRESS},
    {"force", OPT_FORCE},         {"json", OPT_JSON},
    {"pretty", OPT_PRETTY},       {"batch", OPT_BATCH},
    {NULL, OPT_UNKNOWN},
};

static enum option_id option_find(const char *word)
{
    int i;

    if (strncmp(word, "color=", 6) == 0)
        return OPT_COLOR;
    for (i = 0; options[i].name; i++)
        if (word_begins(word, options[i].name))
            break;
    return options[i].id;
}

int iproute2_netns(const struct client *c, const char *name)
{
    struct err e = {""};
    int fd = netns_open(name, &e);
    int rc = fd < 0 ? -1 : setns(fd, CLONE_NEWNET);

    if (fd < 0)
        return ip_complain("Cannot open network namespace \"%s\": %s", name,
                           c->bridge ? strerror(-fd) : e.text);
    close(fd);
    if (rc < 0)
        return complain(c, "network namespace %s: %s", name, strerror(errno));
    return 0;
}

/* Never coloured: asking for that is fine, for colours not. */
static int color(const char *word)
{
    if (strcmp(word, "color=never") == 0 || strcmp(word, "color=auto") == 0)
        return 0;
    return ip_complain("Error: \"-%s\": colours are not built yet.", word);
}

struct batch {
    const char *path; /* NULL: no batch */
    bool force;
};

/* -1: go on; else the exit status. */
static int option(struct client *c, const char *word, struct words *w,
                  struct batch *b)
{
    const char *value;
    int status = 0;

    switch (option_find(word)) {
    case OPT_HELP:
        return usage(usage_all);
    case OPT_VERSION:
        puts(BRIDGE_VERSION);
        return 0;
    case OPT_STATS:
        c->stats = true;
        break;
    case OPT_DETAILS:
        c->details = true;
        break;
    case OPT_ONELINE:
        c->oneline = true;
        break;
    case OPT_TIMESTAMP:
        c->timestamp = true;
        break;
    case OPT_JSON:
        c->json = true;
        break;
    case OPT_PRETTY:
        c->pretty = true;
        break;
    case OPT_COMPRESS: /* of VLAN lists only */
        break;
    case OPT_COLOR:
        status = color(word);
        break;
    case OPT_NETNS:
        value = words_value(w);
        status = value ? iproute2_netns(c, value) : IP_FAIL;
        break;
    case OPT_FORCE:
        b->force = true;
        break;
    case OPT_BATCH:
        b->path = words_value(w);
        status = b->path ? 0 : IP_FAIL;
        break;
    default:
        return ip_complain("Option \"-%s\" is unknown, try \"bridge help\".",
                           word);
    }
    return status ? status : -1;
}

int iproute2_main(struct client *c, int argc, char **argv)
{
    struct words w = {argc - 1, argv + 1};
    struct batch b = {0};
    int status;

    while (w.n > 0 && w.v[0][0] == '-') {
        const char *word = words_take(&w) + 1;

        if (strcmp(word, "-") == 0)
            break;
        status = option(c, word + (*word == '-'), &w, &b);
        if (status >= 0)
            return status;
    }
    if (b.path)
        return iproute2_batch(c, b.path, b.force);
    if (w.n == 0)
        return usage(usage_all);
    return iproute2_command(c, w.n, w.v);
}
