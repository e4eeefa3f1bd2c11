/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bascule: one command to the daemon.  Called by the name brctl, bridge or
 * ovs-vsctl it behaves as these do, down to how they read their options.
 */
#include "ctl/client/client.h"
#include "ctl/client/iproute2.h"
#include "ctl/client/ovs_vsctl.h"

#include "base/stdfds.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* What Debian's brctl says of itself; scripts look at it. */
#define BRCTL_VERSION "bridge-utils, 1.7"

typedef int (*run_fn)(struct client *c, int argc, char **argv);

static run_fn const run_table[COMMAND_COUNT] = {
#define X(id, ...) [CMD_ID_##id] = run_##id,
    COMMAND_LIST(X)
#undef X
};

static int finish(struct client *c, int status)
{
    client_close(c);
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(c, "standard output: %s", strerror(errno));
    return status;
}

/* What JSON cannot carry would get lost on the way to the daemon. */
static int check_utf8(const struct client *c, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        json_t *v = json_string(argv[i]);

        if (!v)
            return complain(c, "word %d of the command is not UTF-8", i + 1);
        json_decref(v);
    }
    return 0;
}

/* ---- brctl ---- */

static int brctl_options(int argc, char **argv)
{
    static const struct option list[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "Vh", list, NULL)) != -1) {
        switch (option) {
        case 'h':
            command_brctl_help(stdout);
            return 0;
        case 'V':
            puts(BRCTL_VERSION);
            return 0;
        default:
            fprintf(stderr, "Unknown option '%c'\n", option);
            command_brctl_help(stdout);
            return 1;
        }
    }
    return -1;
}

static int brctl_main(struct client *c, int argc, char **argv)
{
    int status = brctl_options(argc, argv), used;
    const struct command *cmd;

    if (status >= 0)
        return status;
    argc -= optind;
    argv += optind;
    if (argc == 0) {
        command_brctl_help(stdout);
        return 1;
    }
    cmd = command_by_words(argv, 1, &used);
    if (!cmd || !(cmd->flags & CMD_BRCTL)) {
        fprintf(stderr, "never heard of command [%s]\n", argv[0]);
        command_brctl_help(stdout);
        return 1;
    }
    if (argc - 1 < cmd->min) {
        command_brctl_usage(cmd, stdout);
        return 1;
    }
    if (check_utf8(c, argc, argv))
        return 1;
    return run_table[command_id_of(cmd)](c, argc - 1, argv + 1);
}

/* ---- bascule ---- */

/* Options that stand for themselves do not count as arguments. */
static int count_arguments(int argc, char **argv)
{
    int n = 0;

    for (int i = 0; i < argc; i++)
        n += strncmp(argv[i], "--", 2) != 0;
    return n;
}

static int wrong_count(const struct client *c, const struct command *cmd, int n)
{
    char usage[COMMAND_USAGE_MAX];

    return complain(c, "%s: too %s arguments; usage: bascule %s", cmd->name,
                    n < cmd->min ? "few" : "many",
                    command_usage(cmd, usage, sizeof(usage)));
}

/* What is behind the option, 'n' characters, in the command's usage; NULL: it
 * has no such option. */
static const char *in_usage(const struct command *cmd, const char *option,
                            size_t n)
{
    for (const char *at = cmd->more; (at = strstr(at, "[--")) != NULL; at++)
        if (strncmp(at + 1, option, n) == 0 && strchr("] ", at[1 + n]))
            return at + 1 + n;
    return NULL;
}

/* An option that the command does not have is refused, never ignored; so is a
 * value behind a '=' for one that has none. */
static const char *unknown_option(const struct command *cmd, int argc,
                                  char **argv)
{
    for (int i = 0; i < argc; i++) {
        size_t n = strcspn(argv[i], "=");
        const char *at = in_usage(cmd, argv[i], n);

        if (strncmp(argv[i], "--", 2) == 0 &&
            (!at || (argv[i][n] && *at != ' ')))
            return argv[i];
    }
    return NULL;
}

/* "--option=value" is two words for the command. */
static int run_command(struct client *c, const struct command *cmd, int argc,
                       char **argv)
{
    char **words = calloc(2 * (size_t)argc + 1, sizeof(*words));
    int n = 0, status;

    if (!words)
        return complain(c, "out of memory");
    for (int i = 0; i < argc; i++) {
        char *equals =
            strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;

        words[n++] = argv[i];
        if (equals) {
            *equals = '\0';
            words[n++] = equals + 1;
        }
    }
    status = run_table[command_id_of(cmd)](c, n, words);
    free(words);
    return status;
}

/* Commands that only show: how they are to print may stand behind them, too.
 * How many words are left. */
static int printing(struct client *c, const struct command *cmd, int argc,
                    char **argv)
{
    int n = 0;

    if (cmd->flags & (CMD_CHANGE | CMD_CLIENT))
        return argc;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-j") == 0)
            c->json = true;
        else if (strcmp(argv[i], "-d") == 0)
            c->details = true;
        else
            argv[n++] = argv[i];
    }
    return n;
}

static int command_main(struct client *c, int argc, char **argv)
{
    const struct command *cmd;
    const char *option;
    int used, n;

    if (iproute2_object(c, argc, argv, &n))
        return n;
    cmd = command_by_words(argv, argc, &used);
    if (!cmd && used == 0 && iproute2_unbuilt(argv[0]))
        return complain(c, "%s is not built yet: see bascule help for what is",
                        argv[0]);
    if (!cmd && used == 1)
        return complain(c, "%s %s: there is no such command; see bascule help",
                        argv[0], argc > 1 ? argv[1] : "without another word");
    if (!cmd)
        return complain(c, "%s: there is no such command; see bascule help",
                        argv[0]);
    argv += used;
    argc = printing(c, cmd, argc - used, argv);
    option = cmd->flags & CMD_CLIENT ? NULL : unknown_option(cmd, argc, argv);
    if (option)
        return complain(c, "%s: there is no option %s", cmd->name, option);
    n = cmd->flags & CMD_CLIENT ? argc : count_arguments(argc, argv);
    if (n < cmd->min || (cmd->max != CMD_ANY && n > cmd->max))
        return wrong_count(c, cmd, n);
    return cmd->flags & CMD_CLIENT
               ? run_table[command_id_of(cmd)](c, argc, argv)
               : run_command(c, cmd, argc, argv);
}

static int bascule_main(struct client *c, int argc, char **argv)
{
    static const struct option list[] = {
        {"socket", required_argument, NULL, 'S'},
        {"json", no_argument, NULL, 'j'},
        {"pretty", no_argument, NULL, 'p'},
        {"details", no_argument, NULL, 'd'},
        {"statistics", no_argument, NULL, 's'},
        {"timestamp", no_argument, NULL, 't'},
        {"oneline", no_argument, NULL, 'o'},
        {"netns", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "+:S:n:jpdstohV", list, NULL)) !=
           -1) {
        switch (option) {
        case 'S':
            c->socket = optarg;
            break;
        case 'j':
            c->json = true;
            break;
        case 'p':
            c->pretty = true;
            print_json_pretty();
            break;
        case 'd':
            c->details = true;
            break;
        case 's':
            c->stats = true;
            break;
        case 't':
            c->timestamp = true;
            break;
        case 'o':
            c->oneline = true;
            break;
        case 'n':
            if (iproute2_netns(c, optarg))
                return 1;
            break;
        case 'h':
            return run_help(c, 0, argv);
        case 'V':
            printf("bascule %s\n", BASCULE_VERSION);
            return 0;
        case ':':
            return complain(c, "%s needs a value; see bascule -h",
                            argv[optind - 1]);
        default:
            /* a letter may stand in the middle of its word */
            if (optopt && !strchr("SnjpdstohV", optopt))
                return complain(c, "there is no option -%c; see bascule -h",
                                optopt);
            return complain(c, "there is no option %s; see bascule -h",
                            argv[optind - 1]);
        }
    }
    if (optind == argc)
        return complain(c, "which command?  See bascule help");
    if (check_utf8(c, argc - optind, argv + optind))
        return 1;
    return command_main(c, argc - optind, argv + optind);
}

/* ---- iproute2's bridge ---- */

static int bridge_main(struct client *c, int argc, char **argv)
{
    return check_utf8(c, argc, argv) ? IP_FAIL : iproute2_main(c, argc, argv);
}

/* ---- Open vSwitch's ovs-vsctl ---- */

static int vsctl_main(struct client *c, int argc, char **argv)
{
    return check_utf8(c, argc, argv) ? 1 : ovs_vsctl_main(c, argc, argv);
}

int main(int argc, char **argv)
{
    struct client c = {.fd = -1};
    const char *slash = strrchr(argv[0], '/');

    stdfds_fill();
    c.brctl = strcmp(slash ? slash + 1 : argv[0], "brctl") == 0;
    c.bridge = strcmp(slash ? slash + 1 : argv[0], "bridge") == 0;
    c.ovs_vsctl = strcmp(slash ? slash + 1 : argv[0], "ovs-vsctl") == 0;
    if (c.ovs_vsctl)
        return finish(&c, vsctl_main(&c, argc, argv));
    if (c.brctl)
        return finish(&c, brctl_main(&c, argc, argv));
    if (c.bridge)
        return finish(&c, bridge_main(&c, argc, argv));
    return finish(&c, bascule_main(&c, argc, argv));
}
