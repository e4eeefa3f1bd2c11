/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: options for all, then commands with "--" between them.
 * Options of the first command may stand among those for all, and may be cut
 * short as long as they are not ambiguous: libvirt relies on both.
 */
#include "ctl/client/ovs_vsctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct ovs_verb ovs_verbs[OVS_VERBS] = {
#define X(id, name, args, min, max, options)                                   \
    [OVS_##id] = {name, args, min, max, options},
    OVS_VERB_LIST(X)
#undef X
};

/* ---- options ---- */

enum what {
    W_TIMEOUT,
    W_FORMAT,
    W_DATA,
    W_BARE,
    W_NO_HEADINGS,
    W_ONELINE,
    W_DRY_RUN,
    W_DB,
    W_HELP,
    W_VERSION,
    W_NOTHING, /* is so anyway, or has no meaning here */
    W_COMMAND, /* the command's */
};

static const struct option_name {
    const char *name;
    enum what what;
    char value; /* 'n': none, 'r': required, 'o': optional */
    char letter;
    unsigned bit; /* W_COMMAND */
} option_names[] = {
    {"timeout", W_TIMEOUT, 'r', 't', 0},
    {"format", W_FORMAT, 'r', 'f', 0},
    {"data", W_DATA, 'r', 'd', 0},
    {"bare", W_BARE, 'n', 0, 0},
    {"no-headings", W_NO_HEADINGS, 'n', 0, 0},
    {"oneline", W_ONELINE, 'n', 0, 0},
    {"dry-run", W_DRY_RUN, 'n', 0, 0},
    {"db", W_DB, 'r', 0, 0},
    {"help", W_HELP, 'n', 'h', 0},
    {"version", W_VERSION, 'n', 'V', 0},
    {"no-wait", W_NOTHING, 'n', 0, 0},
    {"retry", W_NOTHING, 'n', 0, 0},
    {"pretty", W_NOTHING, 'n', 0, 0},
    {"no-syslog", W_NOTHING, 'n', 0, 0},
    {"syslog-target", W_NOTHING, 'r', 0, 0},
    {"syslog-method", W_NOTHING, 'r', 0, 0},
    {"verbose", W_NOTHING, 'o', 'v', 0},
    {"log-file", W_NOTHING, 'o', 0, 0},
    {"if-exists", W_COMMAND, 'n', 0, OVS_IF_EXISTS},
    {"may-exist", W_COMMAND, 'n', 0, OVS_MAY_EXIST},
    {"columns", W_COMMAND, 'r', 0, OVS_COLUMNS},
    {"with-iface", W_COMMAND, 'n', 0, OVS_WITH_IFACE},
    {"real", W_COMMAND, 'n', 0, OVS_REAL},
    {"fake", W_COMMAND, 'n', 0, OVS_FAKE},
    {"all", W_COMMAND, 'n', 0, OVS_ALL},
    {"id", W_COMMAND, 'r', 0, OVS_ID},
    {NULL, W_NOTHING, 'n', 0, 0},
};

/* The words, and where we are among them. */
struct words {
    char **argv;
    int argc, at;
};

static const struct option_name *by_name(const char *text, struct err *e)
{
    const struct option_name *found = NULL;
    size_t n = strcspn(text, "=");

    for (const struct option_name *o = option_names; o->name; o++) {
        if (strncmp(o->name, text, n) != 0)
            continue;
        if (o->name[n] == '\0')
            return o;
        if (found) {
            err_set(e, EINVAL, "--%.*s may be --%s or --%s", (int)n, text,
                    found->name, o->name);
            return NULL;
        }
        found = o;
    }
    if (!found)
        err_set(e, EINVAL, "there is no option --%.*s here", (int)n, text);
    return found;
}

static const struct option_name *by_letter(char letter, struct err *e)
{
    for (const struct option_name *o = option_names; o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    err_set(e, EINVAL, "there is no option -%c here", letter);
    return NULL;
}

/* The option at w->at and its value; goes on behind both. */
static const struct option_name *next_option(struct words *w,
                                             const char **value, struct err *e)
{
    const char *text = w->argv[w->at++];
    bool longer = text[1] == '-';
    const struct option_name *o =
        longer ? by_name(text + 2, e) : by_letter(text[1], e);
    const char *eq = strchr(text, '=');

    if (!o)
        return NULL;
    *value = longer ? (eq ? eq + 1 : NULL) : (text[2] ? text + 2 : NULL);
    if (o->value == 'n' && *value) {
        err_set(e, EINVAL, "%s: the option takes no value", text);
        return NULL;
    }
    if (o->value == 'r' && !*value && w->at < w->argc)
        *value = w->argv[w->at++];
    if (o->value == 'r' && !*value) {
        err_set(e, EINVAL, "%s needs a value", text);
        return NULL;
    }
    return o;
}

static int set_timeout(struct ovs_line *l, const char *value, struct err *e)
{
    char *end;
    unsigned long v = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || v > 86400)
        return err_set(e, EINVAL, "--timeout=%s: a number of seconds", value);
    l->timeout = (unsigned)v;
    return 0;
}

static int set_format(struct ovs_line *l, const char *value, struct err *e)
{
    static const char *const name[] = {"list", "csv", "json", NULL};

    for (int i = 0; name[i]; i++) {
        if (strcmp(name[i], value) == 0) {
            l->style.format = (enum ovs_format)i;
            return 0;
        }
    }
    return err_set(e, EINVAL, "--format=%s: there are list, csv and json here",
                   value);
}

static int set_data(struct ovs_line *l, const char *value, struct err *e)
{
    static const char *const name[] = {"string", "bare", "json", NULL};

    for (int i = 0; name[i]; i++) {
        if (strcmp(name[i], value) == 0) {
            l->style.data = (enum ovs_data)i;
            return 0;
        }
    }
    return err_set(e, EINVAL, "--data=%s: there are string, bare and json",
                   value);
}

/* Open vSwitch's database becomes Bascule's control socket. */
static int set_db(struct ovs_line *l, const char *value, struct err *e)
{
    if (strncmp(value, "unix:", 5) != 0 || !value[5])
        return err_set(e, EINVAL,
                       "--db=%s: only unix:PATH, with the path of basculed's "
                       "control socket",
                       value);
    l->socket = value + 5;
    return 0;
}

static int apply_option(struct ovs_line *l, enum what what, const char *value,
                        struct err *e)
{
    switch (what) {
    case W_TIMEOUT:
        return set_timeout(l, value, e);
    case W_FORMAT:
        return set_format(l, value, e);
    case W_DATA:
        return set_data(l, value, e);
    case W_DB:
        return set_db(l, value, e);
    case W_BARE:
        l->style = (struct ovs_style){OVS_LIST, OVS_BARE, false};
        break;
    case W_NO_HEADINGS:
        l->style.headings = false;
        break;
    default:
        l->oneline |= what == W_ONELINE;
        l->dry_run |= what == W_DRY_RUN;
        l->help |= what == W_HELP;
        l->version |= what == W_VERSION;
        break;
    }
    return 0;
}

static bool is_option(const struct words *w)
{
    const char *text = w->at < w->argc ? w->argv[w->at] : "";

    return text[0] == '-' && text[1] && strcmp(text, "--") != 0;
}

/* Options up to the next other word; 'first': those for all, too. */
static int read_options(struct ovs_line *l, struct words *w, bool first,
                        struct ovs_command *c, struct err *e)
{
    while (is_option(w)) {
        const char *value, *text = w->argv[w->at];
        const struct option_name *o = next_option(w, &value, e);
        int rc = 0;

        if (!o)
            return -EINVAL;
        if (o->what == W_COMMAND) {
            c->options |= o->bit;
            c->columns = o->bit == OVS_COLUMNS ? value : c->columns;
        } else if (first) {
            rc = apply_option(l, o->what, value ? value : "", e);
        } else {
            rc = err_set(e, EINVAL, "%s stands before the first command", text);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- commands ---- */

static int verb_by_name(const char *name)
{
    for (int i = 0; i < OVS_VERBS; i++)
        if (strcmp(ovs_verbs[i].name, name) == 0)
            return i;
    return -1;
}

/* What people of Open vSwitch know and there is no such thing of here. */
static int no_verb(const char *name, struct err *e)
{
    static const char *const flows[] = {"controller", "manager", "fail-mode",
                                        "ssl", "aa-mapping"};

    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++)
        if (strstr(name, flows[i]))
            return err_set(e, EINVAL,
                           "%s: Bascule has no OpenFlow and no controllers; "
                           "it is a bridge that learns",
                           name);
    if (strstr(name, "bond"))
        return err_set(e, EINVAL, "%s: Bascule has no bonds", name);
    if (strstr(name, "external-id"))
        return err_set(e, EINVAL,
                       "%s: Bascule keeps external_ids of ports, not of "
                       "bridges",
                       name);
    return err_set(e, EINVAL,
                   "there is no command %s here; ovs-vsctl --help lists those "
                   "there are",
                   name);
}

static int check_options(const struct ovs_command *c, struct err *e)
{
    const struct ovs_verb *v = &ovs_verbs[c->verb];
    unsigned wrong = c->options & ~v->options;

    for (const struct option_name *o = option_names; wrong && o->name; o++)
        if (o->bit & wrong)
            return err_set(e, EINVAL, "%s has no option --%s", v->name,
                           o->name);
    return 0;
}

static int check_count(const struct ovs_command *c, struct err *e)
{
    const struct ovs_verb *v = &ovs_verbs[c->verb];

    if (c->argc >= v->min && (v->max == CMD_ANY || c->argc <= v->max))
        return 0;
    return err_set(e, EINVAL, "%s: too %s arguments; usage: %s %s", v->name,
                   c->argc < v->min ? "few" : "many", v->name, v->args);
}

/* One command, up to "--" or the end. */
static int read_command(struct ovs_command *c, struct words *w, struct err *e)
{
    const char *name = w->argv[w->at++];
    int verb = verb_by_name(name), rc;

    if (verb < 0)
        return no_verb(name, e);
    c->verb = (enum ovs_verb_id)verb;
    c->argv = w->argv + w->at;
    while (w->at < w->argc && strcmp(w->argv[w->at], "--") != 0) {
        c->argc++;
        w->at++;
    }
    rc = check_options(c, e);
    return rc < 0 ? rc : check_count(c, e);
}

static bool at_end_of_command(const struct words *w)
{
    return w->at == w->argc || strcmp(w->argv[w->at], "--") == 0;
}

static int read_commands(struct ovs_line *l, struct words *w, struct err *e)
{
    bool first = true;

    while (w->at < w->argc) {
        struct ovs_command *c = &l->command[l->n];
        int rc;

        if (l->n == OVS_COMMANDS_MAX)
            return err_set(e, EINVAL, "at most %d commands at once",
                           OVS_COMMANDS_MAX);
        rc = read_options(l, w, first, c, e);
        if (rc < 0)
            return rc;
        if (!at_end_of_command(w)) {
            rc = read_command(c, w, e);
            l->n++;
            first = false;
        } else if (c->options && w->at == w->argc) {
            rc = err_set(e, EINVAL, "options without a command");
        }
        if (rc < 0)
            return rc;
        w->at++; /* the "--" */
    }
    return 0;
}

int ovs_parse(struct ovs_line *l, int argc, char **argv, struct err *e)
{
    struct words w = {.argv = argv, .argc = argc, .at = 1};
    int rc;

    memset(l, 0, sizeof(*l));
    l->style.headings = true;
    rc = read_commands(l, &w, e);
    if (rc == 0 && l->n == 0 && !l->help && !l->version)
        return err_set(e, EINVAL, "which command?  See ovs-vsctl --help");
    return rc;
}

/* ---- help ---- */

static void help_options(FILE *out, unsigned options)
{
    for (const struct option_name *o = option_names; o->name; o++)
        if (o->bit & options)
            fprintf(out, "[--%s%s] ", o->name, o->value == 'r' ? "=..." : "");
}

void ovs_help(FILE *out)
{
    fputs("Usage: ovs-vsctl [OPTION]... COMMAND [-- COMMAND]...\n"
          "Bascule's bridges and ports by the commands of Open vSwitch.\n\n",
          out);
    for (int i = 0; i < OVS_VERBS; i++) {
        fputs("  ", out);
        help_options(out, ovs_verbs[i].options);
        fprintf(out, "%s %s\n", ovs_verbs[i].name, ovs_verbs[i].args);
    }
    fputs("\nTABLE is Bridge, Port or Interface; QoS and Queue are there and "
          "empty.\n"
          "external_ids of a port are its labels: see bascule help port "
          "label.\n\n"
          "  --db=unix:PATH      basculed's control socket\n"
          "  -t, --timeout=SECS  give up after so long\n"
          "  -f, --format=list|csv|json   -d, --data=string|bare|json\n"
          "  --no-headings --bare --columns=COLUMN,...   of list and find\n"
          "  --oneline           what a command prints in one line\n"
          "  --dry-run           print, but change nothing\n"
          "  -h, --help  -V, --version\n",
          out);
}
