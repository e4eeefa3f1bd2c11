/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What could stand for the last word of a command line, for the shell, by the
 * command table's usage.  A word a line; an empty line: a file could, too, and
 * the shell knows files.
 */
#include "ctl/client/complete.h"

#include <string.h>

#define USAGE_WORD 80 /* of a usage line */

void offer(const char *word, size_t n, const char *begun)
{
    if (strncmp(word, begun, strlen(begun)) == 0)
        printf("%.*s\n", (int)n, word);
}

/* First words of all commands, or the second ones behind 'first'. */
static void offer_commands(const char *first, const char *begun)
{
    const char *last = "";

    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *name = command_table[i].name, *blank = strchr(name, ' ');
        size_t n = blank ? (size_t)(blank - name) : strlen(name);

        if (i == CMD_ID_complete) /* it is the shell's */
            continue;
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

static void offer_argument(const struct line *l, int k)
{
    char word[USAGE_WORD];

    argument_word(l->cmd, k, word, sizeof(word));
    offer_names_for(l, word);
    if (!strchr(word, '|'))
        return;
    offer_choice(word, l->begun);
    if (strncmp(l->cmd->more, "or ", 3) == 0) /* beyond what brctl knows */
        offer_choice(l->cmd->more + 3, l->begun);
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
            offer_listed(c, "show", NULL, NULL, begun);
        else if (strcmp(word, "<port>") == 0)
            offer_listed(c, "port.show", NULL, NULL, begun);
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

static void offer_value(const struct line *l, const char *value)
{
    offer_names_for(l, value);
    if (strchr(value, '|'))
        offer_choice(value, l->begun);
}

const char *plain_word(const struct line *l, int k)
{
    char value[USAGE_WORD];

    for (int i = 0; i < l->n; i++) {
        if (strncmp(l->word[i], "--", 2) != 0) {
            if (k-- == 0)
                return l->word[i];
            continue;
        }
        value_of(l->cmd, l->word[i], value, sizeof(value));
        i += *value != '\0';
    }
    return NULL;
}

bool has_word(const struct line *l, const char *word)
{
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->word[i], word) == 0)
            return true;
    return false;
}

static int count_plain(const struct line *l)
{
    int n = 0;

    while (plain_word(l, n))
        n++;
    return n;
}

static void offer_word(const struct line *l)
{
    const char *last = l->n > 0 ? l->word[l->n - 1] : NULL;
    int plain = count_plain(l);
    char value[USAGE_WORD] = "";

    if (last)
        value_of(l->cmd, last, value, sizeof(value));
    if (*value)
        offer_value(l, value);
    else if (strncmp(l->begun, "--", 2) == 0)
        offer_options(l->cmd, l->begun);
    else if (command_id_of(l->cmd) == CMD_ID_help)
        offer_commands(last, l->begun);
    else
        offer_argument(l, plain);
    if (!*l->begun && !*value && plain >= l->cmd->min)
        offer_options(l->cmd, l->begun);
}

/* ---- iproute2 ---- */

static bool of_iproute2(const struct command *cmd)
{
    return strncmp(cmd->name, "fdb ", 4) == 0 ||
           strncmp(cmd->name, "link ", 5) == 0;
}

int run_complete(struct client *c, int argc, char **argv)
{
    struct line l = {.c = c};
    int used;

    if (argc <= 1) {
        offer_commands(NULL, argc ? argv[0] : "");
        return 0;
    }
    l.cmd = command_by_words(argv, argc - 1, &used);
    l.word = argv + used;
    l.n = argc - 1 - used;
    l.begun = argv[argc - 1];
    if (l.cmd && of_iproute2(l.cmd))
        offer_keyword(c, l.cmd, argv[argc - 2], l.begun);
    else if (l.cmd)
        offer_word(&l);
    if (used == 1 && argc == 2 && !(l.cmd && of_iproute2(l.cmd)))
        offer_commands(argv[0], l.begun);
    return 0;
}
