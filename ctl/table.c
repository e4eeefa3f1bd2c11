/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include <string.h>

const struct command command_table[COMMAND_COUNT] = {
#define X(id, name, args, more, help, min, max, flags, params)                 \
    [CMD_ID_##id] = {name, args, more, help, min, max, flags, params},
    COMMAND_LIST(X)
#undef X
};

/* Values: 17.13.4; BRIDGE_LONG_COST; BPORT_P2P. */
static const struct param_word versions[] = {
    {"stp", 0}, {"rstp", 2}, {NULL, 0}};
static const struct param_word cost_methods[] = {
    {"short", 0}, {"long", 1}, {NULL, 0}};
static const struct param_word links[] = {
    {"auto", 2}, {"on", 1}, {"off", 0}, {NULL, 0}};

const struct param_name bridge_param_names[] = {
    {"ageing", "ageing_time", UNIT_CENTISECONDS,
     "seconds until an address not seen is forgotten; 0: never", NULL},
    {"priority", "priority", UNIT_NUMBER, "bridge priority, 0 to 65535", NULL},
    {"forward-delay", "forward_delay", UNIT_CENTISECONDS,
     "seconds in each of listening and learning; 2 to 30 while stp is on",
     NULL},
    {"hello", "hello_time", UNIT_CENTISECONDS, "seconds, 1 to 10", NULL},
    {"max-age", "max_age", UNIT_CENTISECONDS, "seconds, 6 to 40", NULL},
    {"stp", "stp_state", UNIT_SWITCH, "spanning tree, on or off", NULL},
    {"group-fwd-mask", "group_fwd_mask", UNIT_MASK,
     "bit X: forward frames to 01:80:c2:00:00:0X", NULL},
    {"fdb-limit", "fdb_limit", UNIT_NUMBER, "most learned addresses", NULL},
    {"force-version", "force_version", UNIT_WORD,
     "rstp, or stp: as an old bridge that knows no RSTP", versions},
    {"tx-hold", "tx_hold", UNIT_NUMBER,
     "most BPDUs that a port sends in a second, 1 to 10", NULL},
    {"path-cost-method", "path_cost_method", UNIT_WORD,
     "costs from link speed: short, as the kernel's bridge (10 Gb/s: 2), or "
     "long, 20000000 divided by Mb/s",
     cost_methods},
    {"recovery", "recovery", UNIT_CENTISECONDS,
     "seconds until a port that bpdu-guard shut is tried again; 0: never",
     NULL},
    {NULL, NULL, UNIT_NUMBER, NULL, NULL},
};

const struct param_name port_param_names[] = {
    {"path-cost", "cost", UNIT_NUMBER,
     "path cost, 1 to 65535, with path-cost-method long to 200000000; 0: from "
     "the link's speed",
     NULL},
    {"priority", "priority", UNIT_NUMBER, "port priority, 0 to 63", NULL},
    {"hairpin", "hairpin", UNIT_SWITCH,
     "send frames back out of the port they came from", NULL},
    {"isolated", "isolated", UNIT_SWITCH,
     "no frames to or from other isolated ports", NULL},
    {"learning", "learning", UNIT_SWITCH, "learn addresses on this port", NULL},
    {"flood", "flood", UNIT_SWITCH, "flood unknown unicast to this port", NULL},
    {"mcast-flood", "mcast_flood", UNIT_SWITCH, "flood multicast to this port",
     NULL},
    {"bcast-flood", "bcast_flood", UNIT_SWITCH, "flood broadcast to this port",
     NULL},
    {"group-fwd-mask", "group_fwd_mask", UNIT_MASK,
     "bit X: forward frames to 01:80:c2:00:00:0X, beside the bridge's mask",
     NULL},
    {"fdb-limit", "fdb_limit", UNIT_NUMBER,
     "most learned addresses; 0: only the bridge's limit", NULL},
    {"admin-edge", "admin_edge", UNIT_SWITCH,
     "an edge port: hosts are behind it, it forwards at once", NULL},
    {"auto-edge", "auto_edge", UNIT_SWITCH,
     "becomes an edge port when no bridge is heard for three seconds", NULL},
    {"p2p", "p2p", UNIT_WORD,
     "one neighbour at most is behind it: on, off, auto: by the device", links},
    {"bpdu-guard", "bpdu_guard", UNIT_SWITCH,
     "a BPDU that comes in shuts the port (see recovery)", NULL},
    {"bpdu-filter", "bpdu_filter", UNIT_SWITCH,
     "neither sends BPDUs nor hears them, and forwards", NULL},
    {"root-guard", "root_guard", UNIT_SWITCH,
     "never the root port: shut while a better root is behind it", NULL},
    {"tcn-guard", "tcn_guard", UNIT_SWITCH,
     "topology changes that come in here go no further", NULL},
    {"loop-guard", "loop_guard", UNIT_SWITCH,
     "stays shut when a neighbour that was heard falls silent", NULL},
    {"assurance", "assurance", UNIT_SWITCH,
     "expects BPDUs always, and is shut while none come", NULL},
    {NULL, NULL, UNIT_NUMBER, NULL, NULL},
};

int param_find(const struct param_name *list, const char *name)
{
    for (int i = 0; list[i].name; i++) {
        if (strcmp(list[i].name, name) == 0)
            return i;
    }
    return -1;
}

const char *param_word(const struct param_name *p, uint32_t value)
{
    for (const struct param_word *w = p->word; w && w->text; w++)
        if (w->value == value)
            return w->text;
    return "?";
}

bool param_word_value(const struct param_name *p, const char *text,
                      uint32_t *value)
{
    for (const struct param_word *w = p->word; w && w->text; w++) {
        if (strcmp(w->text, text) == 0) {
            *value = w->value;
            return true;
        }
    }
    return false;
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
