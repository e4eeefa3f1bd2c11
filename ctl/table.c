/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include <string.h>

const struct command command_table[COMMAND_COUNT] = {
#define X(id, name, args, more, help, min, max, flags, params)                 \
    [CMD_ID_##id] = {name, args, more, help, min, max, flags, params},
    COMMAND_LIST(X)
#undef X
};

const struct param_name bridge_param_names[] = {
    {"ageing", "ageing_time", UNIT_CENTISECONDS,
     "seconds until an address not seen is forgotten; 0: never"},
    {"priority", "priority", UNIT_NUMBER, "bridge priority, 0 to 65535"},
    {"forward-delay", "forward_delay", UNIT_CENTISECONDS,
     "seconds in each of listening and learning"},
    {"hello", "hello_time", UNIT_CENTISECONDS, "seconds, 1 to 10"},
    {"max-age", "max_age", UNIT_CENTISECONDS, "seconds, 6 to 40"},
    {"stp", "stp_state", UNIT_SWITCH, "spanning tree, on or off"},
    {"group-fwd-mask", "group_fwd_mask", UNIT_MASK,
     "bit X: forward frames to 01:80:c2:00:00:0X"},
    {"fdb-limit", "fdb_limit", UNIT_NUMBER, "most learned addresses"},
    {"force-version", "force_version", UNIT_NUMBER, ""},
    {"tx-hold", "tx_hold", UNIT_NUMBER, ""},
    {"long-cost", "long_cost", UNIT_SWITCH, ""},
    {"recovery", "recovery", UNIT_CENTISECONDS, ""},
    {NULL, NULL, UNIT_NUMBER, NULL},
};

const struct param_name port_param_names[] = {
    {"path-cost", "cost", UNIT_NUMBER,
     "path cost, 1 to 65535; 0: from the link's speed"},
    {"priority", "priority", UNIT_NUMBER, "port priority, 0 to 63"},
    {"hairpin", "hairpin", UNIT_SWITCH,
     "send frames back out of the port they came from"},
    {"isolated", "isolated", UNIT_SWITCH,
     "no frames to or from other isolated ports"},
    {"learning", "learning", UNIT_SWITCH, "learn addresses on this port"},
    {"flood", "flood", UNIT_SWITCH, "flood unknown unicast to this port"},
    {"mcast-flood", "mcast_flood", UNIT_SWITCH, "flood multicast to this port"},
    {"bcast-flood", "bcast_flood", UNIT_SWITCH, "flood broadcast to this port"},
    {"group-fwd-mask", "group_fwd_mask", UNIT_MASK,
     "bit X: forward frames to 01:80:c2:00:00:0X, beside the bridge's mask"},
    {"fdb-limit", "fdb_limit", UNIT_NUMBER,
     "most learned addresses; 0: only the bridge's limit"},
    {"admin-edge", "admin_edge", UNIT_SWITCH, ""},
    {"auto-edge", "auto_edge", UNIT_SWITCH, ""},
    {"p2p", "p2p", UNIT_NUMBER, ""},
    {"bpdu-guard", "bpdu_guard", UNIT_SWITCH, ""},
    {"bpdu-filter", "bpdu_filter", UNIT_SWITCH, ""},
    {"root-guard", "root_guard", UNIT_SWITCH, ""},
    {"tcn-guard", "tcn_guard", UNIT_SWITCH, ""},
    {"loop-guard", "loop_guard", UNIT_SWITCH, ""},
    {"assurance", "assurance", UNIT_SWITCH, ""},
    {"watch-addresses", "watch_addresses", UNIT_SWITCH,
     "note the IP addresses of hosts behind the port"},
    {NULL, NULL, UNIT_NUMBER, NULL},
};

int param_find(const struct param_name *list, const char *name)
{
    for (int i = 0; list[i].name; i++) {
        if (strcmp(list[i].name, name) == 0)
            return i;
    }
    return -1;
}

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

const struct command *command_by_words(char *const *word, int n, int *used)
{
    *used = 0;
    for (int i = 0; i < COMMAND_COUNT && n > 0; i++) {
        const struct command *c = &command_table[i];
        const char *blank = strchr(c->name, ' ');

        if (!blank) {
            if (strcmp(c->name, word[0]) == 0) {
                *used = 1;
                return c;
            }
            continue;
        }
        if (strncmp(c->name, word[0], (size_t)(blank - c->name)) != 0 ||
            word[0][blank - c->name] != '\0')
            continue;
        *used = 1;
        if (n > 1 && strcmp(blank + 1, word[1]) == 0) {
            *used = 2;
            return c;
        }
    }
    return NULL;
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
