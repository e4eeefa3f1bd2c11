/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/config/param_names.h"

#include <stddef.h>
#include <string.h>

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
    {"watch-addresses", "watch_addresses", UNIT_SWITCH,
     "note the IP addresses of hosts behind it (see port addresses)", NULL},
    {"follow-moves", "follow_moves", UNIT_SWITCH,
     "what was sent to a guest while it was moved is sent after it", NULL},
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
