/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What could stand for the last word of a command line, for the shell: from
 * the command table's usage, and names from the daemon.  Nothing is said where
 * a file may stand: the shell knows files.
 */
#include "ctl/client/lab.h"

#include <net/if.h>
#include <string.h>

#define USAGE_WORD 80 /* of a usage line */

static void offer(const char *word, size_t n, const char *begun)
{
    if (strncmp(word, begun, strlen(begun)) == 0)
        printf("%.*s\n", (int)n, word);
}

static void offer_params(const struct param_name *p, const char *begun)
{
    for (; p->name; p++)
        offer(p->name, strlen(p->name), begun);
}

/* The names of what the daemon has; silent without a daemon. */
static void offer_names(struct client *c, const char *method, const char *begun)
{
    const json_t *o;
    struct reply r;
    size_t i;

    if (client_call(c, method, NULL, -1, &r)) {
        json_array_foreach(r.result, i, o)
        {
            const char *s = json_string_value(json_object_get(o, "name"));

            if (s)
                offer(s, strlen(s), begun);
        }
    }
    reply_free(&r);
}

/* Interfaces of the namespace we are in. */
static void offer_interfaces(const char *begun)
{
    struct if_nameindex *all = if_nameindex();

    if (!all)
        return;
    for (struct if_nameindex *i = all; i->if_index; i++)
        offer(i->if_name, strlen(i->if_name), begun);
    if_freenameindex(all);
}

static void offer_lab(void *arg, const char *lab)
{
    const char *const *begun = arg;

    offer(lab, strlen(lab), *begun);
}

/* First words of all commands, or the second ones behind 'first'. */
static void offer_commands(const char *first, const char *begun)
{
    const char *last = "";

    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *name = command_table[i].name, *blank = strchr(name, ' ');
        size_t n = blank ? (size_t)(blank - name) : strlen(name);

        if (!first) {
            if (strncmp(last, name, n) != 0 || !strchr(" ", last[n]))
                offer(name, n, begun);
            last = name;
        } else if (blank && strncmp(name, first, n) == 0 && !first[n]) {
            offer(blank + 1, strlen(blank + 1), begun);
        }
    }
}

/* What argument number 'k' of a command is: the k-th word of its usage. */
static void argument_word(const struct command *cmd, int k, char *out, size_t n)
{
    const char *s = cmd->args;
    size_t len;

    *out = '\0';
    for (;;) {
        s += strspn(s, " []");
        len = strcspn(s, " ]");
        if (len == 0)
            return;
        snprintf(out, n, "%.*s", (int)len, s);
        if (k-- == 0)
            return;
        s += len;
        if (s[strspn(s, " []")] == '\0') { /* the last one may repeat */
            if (cmd->max != CMD_ANY)
                *out = '\0';
            return;
        }
    }
}

/* "{on|off}", "fdb|port|all": the words between the bars. */
static void offer_choice(const char *word, const char *begun)
{
    for (word += strspn(word, "{"); *word; word += strspn(word, "|}")) {
        size_t n = strcspn(word, "|}");

        if (*word != '<')
            offer(word, n, begun);
        word += n;
    }
}

static void offer_argument(struct client *c, const struct command *cmd, int k,
                           const char *begun)
{
    char word[USAGE_WORD];

    argument_word(cmd, k, word, sizeof(word));
    if (strstr(word, "<bridge>"))
        offer_names(c, "show", begun);
    if (strcmp(word, "<device>") == 0 && command_id_of(cmd) == CMD_ID_addif)
        offer_interfaces(begun);
    else if (strstr(word, "<port>") || strcmp(word, "<device>") == 0)
        offer_names(c, "port.show", begun);
    if (strstr(word, "<guest>"))
        offer_names(c, "guest.list", begun);
    if (strstr(word, "<lab>"))
        lab_state_each(c, offer_lab, &begun);
    if (strcmp(word, "<parameter>") == 0)
        offer_params(command_id_of(cmd) == CMD_ID_bridge_set
                         ? bridge_param_names
                         : port_param_names,
                     begun);
    if (strchr(word, '|'))
        offer_choice(word, begun);
}

/* The next word of a usage line without what is around it; NULL at its end. */
static const char *usage_word(const char *at, char *word, size_t n)
{
    static const char around[] = " []{}|.";
    size_t len;

    at += strspn(at, around);
    len = strcspn(at, around);
    snprintf(word, n, "%.*s", (int)len, at);
    return len ? at + len : NULL;
}

/*
 * iproute2's grammar: keywords in any order, each perhaps with a value.
 * Behind a keyword that has one in the usage line, what that can be; else all
 * keywords.
 */
static void offer_keyword(struct client *c, const struct command *cmd,
                          const char *before, const char *begun)
{
    char usage[COMMAND_USAGE_MAX], word[40], last[40] = "";
    const char *at = command_usage(cmd, usage, sizeof(usage));

    bool value = false;

    at += strlen(cmd->name);
    while ((at = usage_word(at, word, sizeof(word)))) {
        if (*word != '<') {
            memcpy(last, word, sizeof(last));
            continue;
        }
        if (strcmp(last, before) != 0)
            continue;
        value = true;
        if (strcmp(word, "<bridge>") == 0)
            offer_names(c, "show", begun);
        else if (strcmp(word, "<port>") == 0)
            offer_names(c, "port.show", begun);
    }
    if (value)
        return;
    at = usage + strlen(cmd->name);
    while ((at = usage_word(at, word, sizeof(word))))
        if (*word != '<')
            offer(word, strlen(word), begun);
}

/* ---- options ---- */

/* "[--cpus <n>] [--snapshot]": the next one and the word behind it, "" if
 * there is none; NULL at the end. */
static const char *next_option(const char *at, char *option, char *value,
                               size_t n)
{
    at = strstr(at, "[--");
    if (!at)
        return NULL;
    at++;
    snprintf(option, n, "%.*s", (int)strcspn(at, " ]"), at);
    at += strcspn(at, " ]");
    at += strspn(at, " ");
    snprintf(value, n, "%.*s", (int)strcspn(at, "]"), at);
    return at;
}

/* What stands behind an option; "": nothing, or it is none. */
static void value_of(const struct command *cmd, const char *option, char *value,
                     size_t n)
{
    const char *at = cmd->more;
    char name[USAGE_WORD];

    while ((at = next_option(at, name, value, n)))
        if (strcmp(name, option) == 0)
            return;
    *value = '\0';
}

static void offer_options(const struct command *cmd, const char *begun)
{
    const char *at = cmd->more;
    char name[USAGE_WORD], value[USAGE_WORD];

    while ((at = next_option(at, name, value, USAGE_WORD)))
        offer(name, strlen(name), begun);
}

static void offer_value(struct client *c, const char *value, const char *begun)
{
    if (strcmp(value, "<net>") == 0)
        offer_names(c, "show", begun);
    if (strchr(value, '|'))
        offer_choice(value, begun);
}

/* Words that are neither options nor what belongs to one. */
static int count_plain(const struct command *cmd, char **word, int n)
{
    char value[USAGE_WORD];
    int plain = 0;

    for (int i = 0; i < n; i++) {
        if (strncmp(word[i], "--", 2) != 0) {
            plain++;
            continue;
        }
        value_of(cmd, word[i], value, sizeof(value));
        i += *value != '\0';
    }
    return plain;
}

/* The last of n words behind the command. */
static void offer_word(struct client *c, const struct command *cmd, char **word,
                       int n)
{
    const char *begun = word[n - 1];
    int plain = count_plain(cmd, word, n - 1);
    char value[USAGE_WORD] = "";

    if (n > 1)
        value_of(cmd, word[n - 2], value, sizeof(value));
    if (strncmp(begun, "--", 2) == 0)
        offer_options(cmd, begun);
    else if (*value)
        offer_value(c, value, begun);
    else if (command_id_of(cmd) == CMD_ID_help)
        offer_commands(n > 1 ? word[n - 2] : NULL, begun);
    else
        offer_argument(c, cmd, plain, begun);
    if (!*begun && !*value && plain >= cmd->min)
        offer_options(cmd, begun);
}

/* ---- iproute2 ---- */

static bool of_iproute2(const struct command *cmd)
{
    return strncmp(cmd->name, "fdb ", 4) == 0 ||
           strncmp(cmd->name, "link ", 5) == 0;
}

int run_complete(struct client *c, int argc, char **argv)
{
    const struct command *cmd;
    int used;

    if (argc <= 1) {
        offer_commands(NULL, argc ? argv[0] : "");
        return 0;
    }
    cmd = command_by_words(argv, argc - 1, &used);
    if (cmd && of_iproute2(cmd))
        offer_keyword(c, cmd, argv[argc - 2], argv[argc - 1]);
    else if (cmd)
        offer_word(c, cmd, argv + used, argc - used);
    if (used == 1 && argc == 2 && !(cmd && of_iproute2(cmd)))
        offer_commands(argv[0], argv[1]);
    return 0;
}
