/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command table: one row per command, from which the daemon takes the
 * method it answers and its parameters, and the client its usage, help,
 * completion and manual.  A command's JSON-RPC method is its name with '.'
 * for the blank: "fdb show" is method "fdb.show".
 *
 * Both sides name their function for a row after its id: rpc_ID in the
 * daemon, run_ID in the client.  A row without one does not link.
 *
 * Threads: constants and pure functions; any.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "ctl/config/param_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum command_flag {
    CMD_READ = 0,
    CMD_CHANGE = 1, /* needs authority */
    CMD_BRCTL = 2,  /* brctl has it too */
    CMD_CLIENT = 4, /* the client's own: the daemon has no such method */
};

#define CMD_ANY (-1) /* no upper bound on arguments */

/*
 * X(id, name, arguments, more, help, min, max, flags, params)
 *
 * arguments, help   brctl's own words where CMD_BRCTL is set
 * more              what bascule understands beyond brctl, "" if nothing
 * min, max          number of arguments, options not counted
 * params            the method's parameters, "name:type" with a '?' behind
 *                   optional ones; types: s string, n number >= 0, i integer,
 *                   b boolean, m MAC address, v number or boolean, w that or a
 *                   string, a array.
 *                   "netns:b" and then "file:b" set take the next descriptor
 *                   received.
 */
#define BRCTL_COMMAND_LIST(X)                                                  \
    X(addbr, "addbr", "<bridge>", "[--no-local]", "add bridge", 1, 1,          \
      CMD_CHANGE | CMD_BRCTL, "bridge:s local:b? netns:b?")                    \
    X(delbr, "delbr", "<bridge>", "[--force]", "delete bridge", 1, 1,          \
      CMD_CHANGE | CMD_BRCTL, "bridge:s force:b? notices:b?")                  \
    X(addif, "addif", "<bridge> <device>", "...", "add interface to bridge",   \
      2, CMD_ANY, CMD_CHANGE | CMD_BRCTL, "bridge:s port:s netns:b? file:b?")  \
    X(delif, "delif", "<bridge> <device>", "...",                              \
      "delete interface from bridge", 2, CMD_ANY, CMD_CHANGE | CMD_BRCTL,      \
      "bridge:s port:s notices:b?")                                            \
    X(hairpin, "hairpin", "<bridge> <port> {on|off}", "",                      \
      "turn hairpin on/off", 3, 3, CMD_CHANGE | CMD_BRCTL,                     \
      "bridge:s port:s value:v")                                               \
    X(setageing, "setageing", "<bridge> <time>", "", "set ageing time", 2, 2,  \
      CMD_CHANGE | CMD_BRCTL, "bridge:s value:n")                              \
    X(setbridgeprio, "setbridgeprio", "<bridge> <prio>", "",                   \
      "set bridge priority", 2, 2, CMD_CHANGE | CMD_BRCTL, "bridge:s value:n") \
    X(setfd, "setfd", "<bridge> <time>", "", "set bridge forward delay", 2, 2, \
      CMD_CHANGE | CMD_BRCTL, "bridge:s value:n")                              \
    X(sethello, "sethello", "<bridge> <time>", "", "set hello time", 2, 2,     \
      CMD_CHANGE | CMD_BRCTL, "bridge:s value:n")                              \
    X(setmaxage, "setmaxage", "<bridge> <time>", "", "set max message age", 2, \
      2, CMD_CHANGE | CMD_BRCTL, "bridge:s value:n")                           \
    X(setpathcost, "setpathcost", "<bridge> <port> <cost>", "",                \
      "set path cost", 3, 3, CMD_CHANGE | CMD_BRCTL,                           \
      "bridge:s port:s value:n")                                               \
    X(setportprio, "setportprio", "<bridge> <port> <prio>", "",                \
      "set port priority", 3, 3, CMD_CHANGE | CMD_BRCTL,                       \
      "bridge:s port:s value:n")                                               \
    X(show, "show", "[ <bridge> ]", "...", "show a list of bridges", 0,        \
      CMD_ANY, CMD_READ | CMD_BRCTL, "bridge:s?")                              \
    X(showmacs, "showmacs", "<bridge>", "", "show a list of mac addrs", 1, 1,  \
      CMD_READ | CMD_BRCTL, "bridge:s")                                        \
    X(showstp, "showstp", "<bridge>", "", "show bridge stp info", 1, 1,        \
      CMD_READ | CMD_BRCTL, "bridge:s")                                        \
    X(stp, "stp", "<bridge> {on|off}", "or rstp|stp", "turn stp on/off", 2, 2, \
      CMD_CHANGE | CMD_BRCTL, "bridge:s value:w")

#define OWN_COMMAND_LIST(X)                                                    \
    X(stp_show, "stp show", "[<bridge>]", "",                                  \
      "show the spanning tree: root, roles, states; -d all of it", 0, 1,       \
      CMD_READ, "bridge:s?")                                                   \
    X(stp_why, "stp why", "<port>", "",                                        \
      "say why a port is in its role and state", 1, 1, CMD_READ,               \
      "port:s bridge:s?")                                                      \
    X(stp_tcn, "stp tcn", "<bridge>", "",                                      \
      "act as if the topology had changed", 1, 1, CMD_CHANGE, "bridge:s")      \
    X(stp_mcheck, "stp mcheck", "<port>", "",                                  \
      "find out anew whether the neighbour speaks RSTP, and let the port out " \
      "of a guard",                                                            \
      1, 1, CMD_CHANGE, "port:s bridge:s?")                                    \
    X(bridge_show, "bridge show", "[<bridge>]", "",                            \
      "show bridges with their parameters", 0, 1, CMD_READ, "bridge:s?")       \
    X(bridge_set, "bridge set", "<bridge> <parameter> <value>", "",            \
      "set a parameter of a bridge", 3, 3, CMD_CHANGE,                         \
      "bridge:s parameter:s value:w")                                          \
    X(port_show, "port show", "[<bridge>]", "",                                \
      "show ports, their devices and counters", 0, 1, CMD_READ, "bridge:s?")   \
    X(port_set, "port set", "<port> <parameter> <value>", "",                  \
      "set a parameter of a port", 3, 3, CMD_CHANGE,                           \
      "port:s parameter:s value:w bridge:s?")                                  \
    X(port_addresses, "port addresses", "[<port>]", "",                        \
      "show IP addresses of hosts behind ports, and who told of them", 0, 1,   \
      CMD_READ, "port:s? bridge:s?")                                           \
    X(fdb_show, "fdb show",                                                    \
      "[br <bridge>] [brport <port>] [vlan <vid>] [state <state>] [dynamic]",  \
      "", "show the forwarding database", 0, CMD_ANY, CMD_READ,                \
      "bridge:s? port:s?")                                                     \
    X(fdb_get, "fdb get", "<mac> {br <bridge>|brport <port>}", "[vlan <vid>]", \
      "show one entry of the forwarding database", 3, CMD_ANY, CMD_READ,       \
      "bridge:s? port:s? mac:m vlan:n?")                                       \
    X(fdb_add, "fdb add",                                                      \
      "<mac> dev <port> master [permanent|static|dynamic]",                    \
      "[sticky] [use] [extern_learn] [self]",                                  \
      "add an entry to the forwarding database", 3, CMD_ANY, CMD_CHANGE,       \
      "bridge:s? mac:m port:s? type:s? vlan:n? sticky:b? extern:b? "           \
      "exclusive:b?")                                                          \
    X(fdb_del, "fdb del", "<mac> dev <port> master", "[vlan <vid>] [self]",    \
      "delete an entry from the forwarding database", 3, CMD_ANY, CMD_CHANGE,  \
      "bridge:s? mac:m port:s? vlan:n?")                                       \
    X(fdb_flush, "fdb flush",                                                  \
      "dev {<bridge>|<port>} [master] [brport <port>] [vlan <vid>]",           \
      "[permanent|nopermanent] [static|nostatic] [dynamic|nodynamic] "         \
      "[sticky|nosticky] [extern_learn|noextern_learn]",                       \
      "delete entries of a bridge, or of a port (master); without another "    \
      "word all but the ports' own addresses",                                 \
      2, CMD_ANY, CMD_CHANGE,                                                  \
      "bridge:s? port:s? all:b? vlan:n? permanent:b? static:b? sticky:b? "     \
      "extern:b?")                                                             \
    X(apply, "apply", "<file>", "[--dry-run] [--confirm <seconds>]",           \
      "make bridges, ports and addresses what the file says", 1, 2,            \
      CMD_CHANGE,                                                              \
      "files:a dry_run:b? confirm:n? namespaces:a? netns:b? "                  \
      "captures:a? notices:b?")                                                \
    X(confirm, "confirm", "", "[--revert]",                                    \
      "keep what was applied with --confirm, or take it back now", 0, 0,       \
      CMD_CHANGE, "revert:b?")                                                 \
    X(config, "config", "[<file>]", "",                                        \
      "print the running configuration as a file, or a file as understood", 0, \
      1, CMD_READ, "netns:b? notices:b?")                                      \
    X(adopt, "adopt", "<bridge>", "[--disable] [--undo]",                      \
      "take over a bridge of the kernel's that is in use, or give it back", 1, \
      2, CMD_CHANGE, "bridge:s undo:b? disable:b? netns:b?")                   \
    X(stats, "stats", "[<bridge>|<port>]", "",                                 \
      "what became of the frames, and the daemon's health", 0, 1, CMD_READ,    \
      "name:s?")                                                               \
    X(wait_forwarding, "wait-forwarding", "<port> [<seconds>]", "",            \
      "wait until a port forwards; exit 1 if it takes longer (30)", 1, 2,      \
      CMD_READ, "port:s timeout:n?")                                           \
    X(monitor, "monitor", "[link|fdb|all|stp]", "",                            \
      "print changes of ports and addresses as bridge(8) does; stp: BPDUs, "   \
      "roles and states in sentences",                                         \
      0, CMD_ANY, CMD_READ, "what:s?")                                         \
    X(mem_inject, "mem inject", "<port> <hex> [<copies>]", "",                 \
      "let a mem port receive a frame", 2, 3, CMD_CHANGE,                      \
      "port:s frame:s copies:n?")                                              \
    X(mem_collect, "mem collect", "<port> [<frames>]", "",                     \
      "take frames that were sent to a mem port, at most 256 or so many", 1,   \
      2, CMD_CHANGE, "port:s max:n?")                                          \
    X(mem_fail_after, "mem fail-after", "<port> <frames>|never", "",           \
      "let a mem port refuse frames after so many", 2, 2, CMD_CHANGE,          \
      "port:s frames:i")                                                       \
    X(guest_define, "guest define", "<name>",                                  \
      "[--disk <disk>]... [--snapshot] [--cdrom <path>] [--kernel <path>] "    \
      "[--initrd <path>] [--append <text>] [--memory <size>] [--cpus <n>] "    \
      "[--net <net>]... [--accel auto|kvm|tcg] [--machine <type>] "            \
      "[--hugepages] [--numa <node>]... [--ksm on|off] [--vnc <where>] "       \
      "[--cloud-init <dir>] [--boot network|disk|cdrom] "                      \
      "[--restart no|on-failure|always] [--stop-timeout <seconds>] "           \
      "[--qemu-arg <arg>]...",                                                 \
      "say what a guest is made of", 1, CMD_ANY, CMD_CHANGE,                   \
      "name:s disks:a? snapshot:b? cdrom:s? kernel:s? initrd:s? append:s? "    \
      "memory:n? cpus:n? nets:a? accel:s? machine:s? hugepages:b? numa:a? "    \
      "ksm:s? vnc:s? cloud_init:s? boot:s? restart:s? stop_timeout:n? "        \
      "qemu_args:a?")                                                          \
    X(guest_undefine, "guest undefine", "<guest>", "",                         \
      "forget a guest that is stopped", 1, 1, CMD_CHANGE, "name:s")            \
    X(guest_start, "guest start", "<guest>", "", "start a guest", 1, 1,        \
      CMD_CHANGE, "name:s")                                                    \
    X(guest_stop, "guest stop", "<guest>", "[--timeout <seconds>] [--kill]",   \
      "ask a guest to power down, and wait for it (30)", 1, 2, CMD_CHANGE,     \
      "name:s timeout:n? kill:b?")                                             \
    X(guest_kill, "guest kill", "<guest>", "", "pull a guest's plug", 1, 1,    \
      CMD_CHANGE, "name:s")                                                    \
    X(guest_restart, "guest restart", "<guest>", "[--timeout <seconds>]",      \
      "stop a guest and start it again", 1, 2, CMD_CHANGE,                     \
      "name:s timeout:n?")                                                     \
    X(guest_link, "guest link", "<guest> {up|down}", "",                       \
      "put a guest's network cables in, or pull them", 2, 2, CMD_CHANGE,       \
      "name:s up:b")                                                           \
    X(guest_list, "guest list", "", "", "show the guests there are", 0, 0,     \
      CMD_READ, "")                                                            \
    X(guest_show, "guest show", "<guest>", "", "show all about a guest", 1, 1, \
      CMD_READ, "name:s")                                                      \
    X(port_label, "port label", "<port> [<key>=[<value>]]...", "",             \
      "show or set what others want remembered of a port; no value: forget",   \
      1, CMD_ANY, CMD_CHANGE, "port:s bridge:s? all:b? clear:a? set:a?")       \
    X(version, "version", "", "", "versions of client and daemon", 0, 0,       \
      CMD_READ, "")                                                            \
    X(ping, "ping", "", "", "ask whether the daemon is there and well", 0, 0,  \
      CMD_READ, "")

#define CLIENT_COMMAND_LIST(X)                                                 \
    X(fdb_append, "fdb append", "<mac> dev <port> master ...", "",             \
      "as fdb replace", 3, CMD_ANY, CMD_CLIENT, "")                            \
    X(fdb_replace, "fdb replace", "<mac> dev <port> master ...", "",           \
      "add an entry, or change the one there is", 3, CMD_ANY, CMD_CLIENT, "")  \
    X(link_show, "link show", "[dev <port>] [master <bridge>]", "",            \
      "show ports; -d adds their flags", 0, CMD_ANY, CMD_CLIENT, "")           \
    X(link_set, "link set",                                                    \
      "dev <port> [cost <cost>] [priority <prio>] "                            \
      "[{hairpin|isolated|learning|flood|mcast_flood|bcast_flood|guard|"       \
      "root_block} {on|off}]...",                                              \
      "", "set parameters of a port", 2, CMD_ANY, CMD_CLIENT, "")              \
    X(events, "events", "[fdb|port|stp|guest|all]", "",                        \
      "tell what happens in sentences, until interrupted", 0, 1, CMD_CLIENT,   \
      "")                                                                      \
    X(sim, "sim", "<file>|<network>",                                          \
      "[--step] [--seed <n>] [--until <seconds>]",                             \
      "simulate spanning trees of a network and check them", 1, CMD_ANY,       \
      CMD_CLIENT, "")                                                          \
    X(lab_up, "lab up", "<file>", "",                                          \
      "make a lab: bridges, guests, hosts, links", 1, 1, CMD_CLIENT, "")       \
    X(lab_down, "lab down", "<file>|<lab>", "",                                \
      "remove all that a lab has made", 1, 1, CMD_CLIENT, "")                  \
    X(lab_show, "lab show", "<file>|<lab>", "", "show a lab that is up", 1, 1, \
      CMD_CLIENT, "")                                                          \
    X(guest_console, "guest console", "<guest>", "",                           \
      "the guest's serial line; Ctrl-] leaves it", 1, 1, CMD_CLIENT, "")       \
    X(guest_xml, "guest xml", "<guest>", "",                                   \
      "print libvirt's <interface> elements for a guest", 1, 1, CMD_CLIENT,    \
      "")                                                                      \
    X(help, "help", "[<command>]", "[--man]", "this list, or one command", 0,  \
      2, CMD_CLIENT, "")                                                       \
    X(complete, "complete", "<word>...", "",                                   \
      "what could stand for the last word (for the shell)", 0, CMD_ANY,        \
      CMD_CLIENT, "")

#define DAEMON_COMMAND_LIST(X)                                                 \
    BRCTL_COMMAND_LIST(X)                                                      \
    OWN_COMMAND_LIST(X)
#define COMMAND_LIST(X)                                                        \
    DAEMON_COMMAND_LIST(X)                                                     \
    CLIENT_COMMAND_LIST(X)

enum command_id {
#define X(id, ...) CMD_ID_##id,
    COMMAND_LIST(X)
#undef X
        COMMAND_COUNT
};

struct command {
    const char *name;
    const char *args;
    const char *more;
    const char *help;
    int min;
    int max;
    unsigned flags;
    const char *params;
};

extern const struct command command_table[COMMAND_COUNT];

/* By method name ("fdb.show"); NULL if the daemon has none of that name. */
const struct command *command_by_method(const char *method);

/*
 * By the words typed.  *used is how many of them the name took.  NULL if no
 * command begins so; *used is then 1 if the first word at least begins a
 * two-word command ("fdb"), else 0.
 */
const struct command *command_by_words(char *const *word, int n, int *used);

static inline enum command_id command_id_of(const struct command *c)
{
    return (enum command_id)(c - command_table);
}

/* One parameter of the schema string; NULL at its end. */
struct command_param {
    char name[16];
    char type;
    bool optional;
};
const char *command_param_next(const char *schema, struct command_param *p);

#define COMMAND_USAGE_MAX 640
/* "fdb add <bridge> ..." as bascule understands it; returns 'out'. */
const char *command_usage(const struct command *c, char *out, size_t n);

/* brctl's own list of commands and its usage line, to the letter. */
void command_brctl_help(FILE *out);
void command_brctl_usage(const struct command *c, FILE *out);

#endif
