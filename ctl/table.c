/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include <string.h>

const struct command command_table[COMMAND_COUNT] = {
#define X(id, name, args, more, help, min, max, flags, params)                 \
    [CMD_ID_##id] = {name, args, more, help, min, max, flags, params},
    COMMAND_LIST(X)
#undef X
};

/* Are they the same name, with ' ' in one and '.' in the other? */
static bool method_equals(const char *name, const char *method)
{
    for (; *name && *method; name++, method++) {
        if (*name != *method && !(*name == ' ' && *method == '.'))
            return false;
        if (*name == ' ' && *method == ' ')
            return false;
    }
    return *name == *method;
}

const struct command *command_by_method(const char *method)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];

        if (!(c->flags & CMD_CLIENT) && method_equals(c->name, method))
            return c;
    }
    return NULL;
}

/* How many of the words the command's name is: 0 if it is another's.  *begins:
 * the first word at least is the first of two. */
static int words_of(const struct command *c, char *const *word, int n,
                    bool *begins)
{
    const char *blank = strchr(c->name, ' ');
    size_t len = blank ? (size_t)(blank - c->name) : strlen(c->name);

    if (strncmp(c->name, word[0], len) != 0 || word[0][len] != '\0')
        return 0;
    if (!blank)
        return 1;
    *begins = true;
    return n > 1 && strcmp(blank + 1, word[1]) == 0 ? 2 : 0;
}

/* "stp show" goes before "stp" with a bridge named "show". */
const struct command *command_by_words(char *const *word, int n, int *used)
{
    const struct command *best = NULL;
    bool begins = false;

    *used = 0;
    for (int i = 0; i < COMMAND_COUNT && n > 0; i++) {
        int k = words_of(&command_table[i], word, n, &begins);

        if (k > *used) {
            *used = k;
            best = &command_table[i];
        }
    }
    if (!best)
        *used = begins;
    return best;
}

const char *command_param_next(const char *schema, struct command_param *p)
{
    size_t n;

    while (*schema == ' ')
        schema++;
    if (*schema == '\0')
        return NULL;
    n = strcspn(schema, ":");
    snprintf(p->name, sizeof(p->name), "%.*s", (int)n, schema);
    schema += n + 1;
    p->type = *schema++;
    p->optional = *schema == '?';
    return schema + p->optional;
}

const char *command_usage(const struct command *c, char *out, size_t n)
{
    snprintf(out, n, "%s%s%s%s%s", c->name, *c->args ? " " : "", c->args,
             *c->more ? " " : "", c->more);
    return out;
}

/* brctl sets the help text off by two tabs behind short arguments. */
static const char *brctl_gap(const struct command *c)
{
    return strlen(c->args) < 16 ? "\t\t" : "\t";
}

void command_brctl_help(FILE *out)
{
    fprintf(out, "Usage: brctl [commands]\ncommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];

        if (c->flags & CMD_BRCTL)
            fprintf(out, "\t%-10s\t%s%s%s\n", c->name, c->args, brctl_gap(c),
                    c->help);
    }
}

void command_brctl_usage(const struct command *c, FILE *out)
{
    fprintf(out,
            "Incorrect number of arguments for command\n"
            "Usage: brctl %s %s%s%s\n",
            c->name, c->args, brctl_gap(c), c->help);
}
