/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Usage and manual, from the command table.
 */
#include "ctl/client/client.h"

#include <string.h>

static void list_commands(FILE *out)
{
    char usage[COMMAND_USAGE_MAX];

    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];

        fprintf(out, "  %s\n        %s\n",
                command_usage(c, usage, sizeof(usage)), c->help);
    }
}

static const char overview[] =
    "Usage: bascule [-S PATH] [-j] COMMAND [ARGUMENT]...\n"
    "\n"
    "  -S PATH   the daemon's control socket\n"
    "  -j        print results as JSON; -p makes it pretty\n"
    "  -d -s -o -t   for link, fdb and monitor: details, ages, one line for\n"
    "            each, timestamps; -d for stp show, too.  -j and -d may also\n"
    "            stand behind what a command shows: stp show br0 -d\n"
    "  -n NAME   work in that network namespace\n"
    "  -h        this list\n"
    "  -V        version\n"
    "\n"
    "A device is KIND:NAME[,key=value]... or the bare name of a network\n"
    "interface: tap:vm1, packet:eth1, eth1, mem:a; name= gives the port "
    "another\n"
    "name, netns=NAME|PID|PATH says where the device lives.\n"
    "\n";

static void list_params(FILE *out, const struct param_name *p)
{
    for (; p->name; p++)
        fprintf(out, "    %-16s %s\n", p->name, p->help);
}

#define GUEST_STATES_HELP                                                      \
    "Its state is stopped: nothing runs; starting: QEMU is on its way; "       \
    "running; stopping: it was asked to power down; ending: its process is "   \
    "gone and its ports are leaving; waiting: it ended, and its restart "      \
    "policy is about to start it again; saving: its definition is being "      \
    "written or removed.  While its process is there QEMU may have another "   \
    "word for running: prelaunch (started with -S), paused, suspended, "       \
    "inmigrate (waits to be moved here), finish-migrate (is being moved "      \
    "away), postmigrate (was moved away), shutdown, guest-panicked, "          \
    "io-error, internal-error, watchdog"

/* What one line does not hold. */
static const char *const more_help[COMMAND_COUNT] = {
    [CMD_ID_addbr] = "--no-local makes it without an interface for the host",
    [CMD_ID_delbr] = "--force removes it although its interface is up",
    [CMD_ID_addif] =
        "<device> is KIND:NAME[,key=value]... or an interface's name; "
        "the kinds are tap, packet, pcap, pcapfile, stream, dgram and "
        "mem, and basculed(8) has their keys",
    [CMD_ID_stp] =
        "on is rstp: force-version rstp, and the spanning tree on; stp "
        "makes an old bridge of it, which knows no RSTP (called as "
        "brctl, on leaves the version as it is)",
    [CMD_ID_stp_mcheck] =
        "a port that has heard an STP bridge speaks STP until then, or "
        "until its link goes down; guards are bpdu-guard and others "
        "(port set)",
    [CMD_ID_port_addresses] = "libvirt shows them, too, where the service "
                              "bascule-libvirt-leases@BRIDGE runs",
    [CMD_ID_apply] =
        "<file> is YAML as in basculed.conf(5), - reads standard input; "
        "--dry-run says each step and takes none; --confirm takes all "
        "back after 1 to 86400 seconds unless bascule confirm is run, or "
        "the daemon ends before, which the next one says",
    [CMD_ID_adopt] =
        "The kernel's bridge stays what all tools know, its ports go "
        "through the switch; who joins or leaves it later is followed. "
        "--disable: the kernel shows its ports as disabled and makes no "
        "copies for them. --undo gives everything back",
    [CMD_ID_confirm] =
        "--revert does not wait until the seconds of apply --confirm "
        "are over",
    [CMD_ID_config] =
        "prints what Bascule was told, by files and commands, in the "
        "words of basculed.conf(5); addresses that ip(8) gave to a "
        "bridge's interface are not in it",
    [CMD_ID_guest_define] =
        "<disk> is PATH[,format=raw|qcow2][,bus=virtio|scsi|ide]"
        "[,readonly=on]; <net> is BRIDGE[,kind=tap|stream][,mac=MAC]"
        "[,queues=N]; <size> is in MB, or as in 2G; <node> is "
        "NODE:CPUS:SIZE; "
        "--vnc alone makes a socket, else HOST:DISPLAY; <dir> holds "
        "user-data and meta-data; --stop-timeout is what guest stop and "
        "whoever removes the guest wait for it, 30 unless it is said.  "
        "The name comes first",
    [CMD_ID_guest_start] =
        "answers when QEMU runs, or with what it said when it ended",
    [CMD_ID_guest_stop] =
        "as its power button would; a guest that does not listen to "
        "it runs on when the seconds are over, or with --kill is "
        "killed, at once if it has neither --stop-timeout nor a disk "
        "that could suffer",
    [CMD_ID_guest_console] =
        "what is typed goes to the guest as it is, Ctrl-C too; a "
        "second console of the same guest is refused.  When standard "
        "input is a file or pipe and has ended, the console ends once "
        "the guest has been silent for a second: bascule guest console "
        "web <commands",
    [CMD_ID_guest_list] = GUEST_STATES_HELP,
    [CMD_ID_guest_show] = GUEST_STATES_HELP,
    [CMD_ID_guest_xml] =
        "for a guest that libvirt is to run: taps as members of a "
        "network, and in a comment by libvirt-hook; streams by TCP, "
        "since libvirt knows no others",
    [CMD_ID_lab_up] =
        "<file> is YAML with bridges, guests, hosts, links and uplink, "
        "as basculed.conf(5) says; all of it is made, or nothing.  Not "
        "from inside ip netns exec, where new namespaces would not be "
        "seen outside: nsenter --net=/run/netns/NAME does",
    [CMD_ID_lab_down] =
        "also after a crash of the daemon or of a guest, and without its "
        "file; a lab that is not up is no error; guests are "
        "ended as by guest stop --kill",
    [CMD_ID_sim] =
        "<file> describes a network as docs/sim.md says, - reads "
        "standard input; what names no file is the network itself: "
        "bascule sim 'B1-B2-B3-B1'; --step waits for Enter at each "
        "change; --seed decides which frames are lost; exit 1 if there "
        "was a loop or the tree is wrong; no daemon is needed",
};

/* In lines of a terminal. */
static void put_folded(FILE *out, const char *text)
{
    while (*text) {
        size_t n = strlen(text);

        if (n > 74)
            for (n = 74; n > 0 && text[n] != ' ';)
                n--;
        fprintf(out, "    %.*s\n", (int)n, text);
        text += n;
        text += *text == ' ';
    }
}

static void one_command(FILE *out, const struct command *c)
{
    char usage[COMMAND_USAGE_MAX];

    fprintf(out, "bascule %s\n    %s\n", command_usage(c, usage, sizeof(usage)),
            c->help);
    if (more_help[command_id_of(c)])
        put_folded(out, more_help[command_id_of(c)]);
    if (command_id_of(c) == CMD_ID_bridge_set)
        list_params(out, bridge_param_names);
    if (command_id_of(c) == CMD_ID_port_set)
        list_params(out, port_param_names);
}

/* ---- manual ---- */

/* Text for roff: '-' as typed, no line that starts with a control; lists of
 * choices may be broken at their bars. */
static void roff(FILE *out, const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", out);
    for (; *s; s++) {
        if (*s == '-')
            fputs("\\-", out);
        else if (*s == '\\')
            fputs("\\e", out);
        else if (*s == '|')
            fputs("|\\:", out);
        else
            fputc(*s, out);
    }
}

static void roff_params(FILE *out, const char *title,
                        const struct param_name *p)
{
    fprintf(out, ".SS %s\n", title);
    for (; p->name; p++) {
        fprintf(out, ".TP\n.B ");
        roff(out, p->name);
        fprintf(out, "\n");
        roff(out, p->help);
        fprintf(out, "\n");
    }
}

static void roff_commands(FILE *out, const char *title, unsigned mask,
                          unsigned want)
{
    fprintf(out, ".SH %s\n", title);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        char usage[COMMAND_USAGE_MAX];

        if ((c->flags & mask) != want)
            continue;
        fprintf(out, ".TP\n.B ");
        roff(out, command_usage(c, usage, sizeof(usage)));
        fprintf(out, "\n");
        roff(out, c->help);
        if (more_help[command_id_of(c)]) {
            fputs("; ", out);
            roff(out, more_help[command_id_of(c)]);
        }
        if (c->flags & CMD_CHANGE)
            fputs(".  Needs authority", out);
        fprintf(out, ".\n");
    }
}

static void manual(FILE *out)
{
    fprintf(out,
            ".TH BASCULE 8 \"\" \"bascule %s\"\n"
            ".ad l\n" /* usage lines have long words */
            ".SH NAME\nbascule \\- control the switch basculed\n"
            ".SH SYNOPSIS\n.B bascule\n[\\-S PATH] [\\-jpdsto] [\\-n NETNS] "
            "COMMAND "
            "[ARGUMENT]...\n.br\n.B brctl\nCOMMAND [ARGUMENT]...\n.br\n"
            ".B bridge\n[OPTION]... {link|fdb|monitor} [ARGUMENT]...\n"
            ".SH DESCRIPTION\n"
            "Asks the daemon\n.B basculed\nto do something, or how things "
            "are.  Called by the name\n.B brctl\nit takes the commands, prints "
            "the texts and ends with the exit codes of brctl(8).\n"
            ".PP\nThe commands\n.BR link ,\n.B fdb\nand\n.B monitor\nare "
            "those of bridge(8) of iproute2 6.1, with its abbreviations, text "
            "and JSON, also when called by the name\n.BR bridge .\n"
            "Without\n.B master\nan entry is the device's own (self), which "
            "is the kernel's business.  What is not built here is refused by "
            "name.\n"
            ".PP\nWith \\-j results are printed as JSON, with \\-p "
            "prettily.  For link, fdb and monitor, \\-d shows flags, \\-s "
            "seconds since an address was seen, \\-o a line for each, \\-t "
            "timestamps.  \\-n works in another network namespace.\n",
            BASCULE_VERSION);
    roff_commands(out, "COMMANDS OF BRCTL", CMD_BRCTL, CMD_BRCTL);
    roff_commands(out, "FURTHER COMMANDS", CMD_BRCTL, 0);
    fprintf(out, ".SH PARAMETERS\n");
    roff_params(out, "bridge set", bridge_param_names);
    roff_params(out, "port set", port_param_names);
    fprintf(
        out,
        ".SH AUTHORITY\nRoot, the user that runs the daemon and the "
        "members of the group given to it may change things; everybody "
        "who can connect may read.  Guests are changed by root and the "
        "daemon's user only.\n"
        ".SH ENVIRONMENT\n.TP\n.B BASCULE_SOCKET\nThe control socket, "
        "unless \\-S names one.\n"
        ".SH FILES\n.TP\n.B /run/bascule/control.sock\nThe control socket "
        "of a daemon that runs as root.\n.TP\n.B "
        "$XDG_RUNTIME_DIR/bascule.sock\nThat of others.\n"
        ".SH EXIT STATUS\n0, or 1 and one sentence on standard error.\n"
        ".SH SEE ALSO\nbasculed(8), basculed.conf(5), brctl(8), bridge(8)\n");
}

/* "fdb": all that begins with that word.  False if nothing does. */
static bool group(FILE *out, const char *word)
{
    size_t n = strlen(word);
    bool any = false;

    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *cmd = &command_table[i];

        if (strncmp(cmd->name, word, n) != 0 || cmd->name[n] != ' ')
            continue;
        one_command(out, cmd);
        any = true;
    }
    return any;
}

int run_help(struct client *c, int argc, char **argv)
{
    const struct command *cmd;
    bool known;
    int used;

    if (argc == 1 && strcmp(argv[0], "--man") == 0) {
        manual(stdout);
        return 0;
    }
    if (argc == 0) {
        fputs(overview, stdout);
        list_commands(stdout);
        return 0;
    }
    cmd = command_by_words(argv, argc, &used);
    known = cmd && used == argc;
    if (known)
        one_command(stdout, cmd);
    if (argc == 1) /* "stp" is a command, and begins others */
        known |= group(stdout, argv[0]);
    if (known)
        return 0;
    return complain(c, "there is no command %s%s%s; see bascule help", argv[0],
                    argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
}
