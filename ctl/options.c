/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: basculed [OPTION]...\n"
    "The switch, in the foreground, until SIGTERM or SIGINT.\n"
    "\n"
    "  -S, --socket PATH\n"
    "                  control socket ($BASCULE_SOCKET, else\n"
    "                  /run/bascule/control.sock for root and\n"
    "                  $XDG_RUNTIME_DIR/bascule.sock for others)\n"
    "  --group NAME    its members may change things, too\n"
    "  --workers N     forwarding threads, 1 to 8 (1)\n"
    "  --cpus LIST     processors for them, e.g. 2,4-6\n"
    "  --log LEVEL     error, warn, info or debug (info)\n"
    "  --config FILE   bridges, ports and addresses to begin with\n"
    "  --guest-dir DIR\n"
    "                  where guests' definitions are kept\n"
    "                  ($BASCULE_GUESTS, else /var/lib/bascule/guests for "
    "root\n"
    "                  and ~/.local/state/bascule/guests for others; beside "
    "the\n"
    "                  control socket if that is not at its usual place)\n"
    "  --guest-user NAME\n"
    "                  whom root runs QEMU as (bascule, else nobody)\n"
    "  --version\n"
    "  -h, --help\n";

/* A whole number from 'text' up to where it ends; -1 if there is none. */
static long number(const char *text, char **end)
{
    long v;

    *end = NULL;
    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    v = strtol(text, end, 10);
    return errno ? -1 : v;
}

int options_cpu_list(const char *text, int *cpu, unsigned *n, struct err *e)
{
    const char *p = text;

    *n = 0;
    for (;;) {
        char *end;
        long first = number(p, &end), last = first;

        if (first >= 0 && *end == '-')
            last = number(end + 1, &end);
        if (first < 0 || last < first || last >= CPU_SETSIZE)
            return err_set(e, EINVAL,
                           "--cpus %s: a list of processor numbers such as "
                           "2,4-6",
                           text);
        for (long c = first; c <= last; c++) {
            if (*n == OPTIONS_WORKERS_MAX)
                return err_set(e, E2BIG, "--cpus %s: at most %d processors",
                               text, OPTIONS_WORKERS_MAX);
            cpu[(*n)++] = (int)c;
        }
        if (*end == '\0')
            return 0;
        if (*end != ',')
            return err_set(e, EINVAL,
                           "--cpus %s: a list of processor numbers such as "
                           "2,4-6",
                           text);
        p = end + 1;
    }
}

static int parse_workers(struct options *o, const char *text, struct err *e)
{
    char *end;
    long v = number(text, &end);

    if (v < 1 || v > OPTIONS_WORKERS_MAX || *end != '\0')
        return err_set(e, EINVAL, "--workers %s: 1 to %d", text,
                       OPTIONS_WORKERS_MAX);
    o->workers = (unsigned)v;
    return 0;
}

static int parse_group(struct options *o, const char *text, struct err *e)
{
    /* There is but one thread so far. */
    /* cppcheck-suppress getgrnamCalled */
    const struct group *g = getgrnam(text);
    char *end;
    long v = number(text, &end);

    o->group = text;
    if (g)
        o->gid = g->gr_gid;
    else if (v >= 0 && *end == '\0')
        o->gid = (gid_t)v;
    else
        return err_set(e, EINVAL, "--group %s: there is no such group", text);
    return 0;
}

/* Each listed processor must be one we may run on. */
static int parse_cpus(struct options *o, const char *text, struct err *e)
{
    cpu_set_t allowed;
    unsigned n;
    int rc = options_cpu_list(text, o->cpu, &n, e);

    if (rc < 0)
        return rc;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return err_sys(e, errno, "--cpus %s", text);
    for (unsigned i = 0; i < n; i++) {
        if (!CPU_ISSET((size_t)o->cpu[i], &allowed))
            return err_set(e, EINVAL,
                           "--cpus %s: processor %d is not there or not ours",
                           text, o->cpu[i]);
    }
    o->n_cpus = n;
    for (unsigned i = 0; i + n < OPTIONS_WORKERS_MAX; i++)
        o->cpu[i + n] = o->cpu[i]; /* more workers than processors */
    return 0;
}

static int parse_log(struct options *o, const char *text, struct err *e)
{
    if (log_level_parse(text, &o->log))
        return 0;
    return err_set(e, EINVAL, "--log %s: error, warn, info or debug", text);
}

static int parse_one(struct options *o, int option, char **argv, struct err *e)
{
    switch (option) {
    case 'S':
        o->socket = optarg;
        return 0;
    case 'g':
        return parse_group(o, optarg, e);
    case 'w':
        return parse_workers(o, optarg, e);
    case 'c':
        return parse_cpus(o, optarg, e);
    case 'l':
        return parse_log(o, optarg, e);
    case 'f':
        o->config = optarg;
        return 0;
    case 'd':
        o->guest_dir = optarg;
        return 0;
    case 'u':
        o->guest_user = optarg;
        return 0;
    case 'V':
        printf("basculed %s\n", BASCULE_VERSION);
        return 1;
    case 'h':
        fputs(usage, stdout);
        return 1;
    case ':':
        return err_set(e, EINVAL, "%s needs a value; see --help",
                       argv[optind - 1]);
    default:
        if (optopt && !strchr("Vh", optopt))
            return err_set(e, EINVAL, "there is no option -%c; see --help",
                           optopt);
        return err_set(e, EINVAL, "there is no option %s; see --help",
                       argv[optind - 1]);
    }
}

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
    static const struct option list[] = {
        {"socket", required_argument, NULL, 'S'},
        {"group", required_argument, NULL, 'g'},
        {"workers", required_argument, NULL, 'w'},
        {"cpus", required_argument, NULL, 'c'},
        {"log", required_argument, NULL, 'l'},
        {"config", required_argument, NULL, 'f'},
        {"guest-dir", required_argument, NULL, 'd'},
        {"guest-user", required_argument, NULL, 'u'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, rc;

    *o =
        (struct options){.gid = (gid_t)-1, .workers = 1, .log = LOG_LEVEL_INFO};
    for (unsigned i = 0; i < OPTIONS_WORKERS_MAX; i++)
        o->cpu[i] = -1;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":S:h", list, NULL)) != -1) {
        rc = parse_one(o, option, argv, e);
        if (rc != 0)
            return rc;
    }
    if (optind < argc)
        return err_set(e, EINVAL, "what is %s?  See --help", argv[optind]);
    if (o->n_cpus > o->workers)
        return err_set(e, EINVAL,
                       "--cpus lists %u processors for %u worker%s: list fewer "
                       "or raise --workers",
                       o->n_cpus, o->workers, o->workers == 1 ? "" : "s");
    return 0;
}
