/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands about bridges and ports, and the run of one invocation.
 */
#include "ctl/client/ovs_vsctl.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What br-exists says of a bridge that is not there. */
#define STATUS_NO_BRIDGE 2

static json_t *need_bridge(struct ovs *o, const char *name)
{
    json_t *b = ovs_find_bridge(o, name);

    if (!b)
        ovs_fail(o, "there is no bridge named %s", name);
    return b;
}

/* ---- bridges ---- */

static int ovs_run_init(struct ovs *o, const struct ovs_command *c)
{
    (void)o;
    (void)c;
    return 0;
}

/* The bridge's own interface, as the picture has it. */
static json_t *local_port(const char *bridge)
{
    return json_pack("{s:s,s:s,s:i,s:s,s:{}}", "name", bridge, "bridge", bridge,
                     "no", 0, "kind", "tap", "labels");
}

static int ovs_run_add_br(struct ovs *o, const struct ovs_command *c)
{
    const char *name = c->argv[0];
    const json_t *port = ovs_find_port(o, name);
    json_t *b;

    if (c->argc > 1)
        return ovs_fail(o,
                        "add-br %s %s: a bridge for a VLAN of another: "
                        "Bascule has no VLAN filtering yet",
                        name, c->argv[1]);
    if (ovs_find_bridge(o, name))
        return c->options & OVS_MAY_EXIST
                   ? 0
                   : ovs_fail(o, "there is a bridge named %s already", name);
    if (port)
        return ovs_fail(o, "there is a port named %s already, in bridge %s",
                        name, str(port, "bridge"));
    b = json_pack("{s:s}", "name", name);
    json_array_append_new(o->bridges, b);
    json_array_append_new(o->ports, local_port(name));
    return ovs_add_step(o, OVS_ADD_BRIDGE, b);
}

/* A record leaves the picture. */
static void drop(json_t *list, const json_t *record)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (json_array_get(list, i) == record)
            json_array_remove(list, i);
}

/* The guests that Bascule has launched with cards in the bridge, each once. */
static json_t *guests_in(const struct ovs *o, const char *bridge)
{
    json_t *guests = json_object(), *p;
    size_t i;

    json_array_foreach(o->ports, i, p)
    {
        if (strcmp(str(p, "bridge"), bridge) == 0 && *str(p, "guest"))
            json_object_set_new(guests, str(p, "guest"), json_null());
    }
    return guests;
}

/* Their ports leave with them, as del-port says. */
static int spare_guests(struct ovs *o, const char *bridge)
{
    json_t *guests = guests_in(o, bridge), *v;
    char names[ERR_TEXT_MAX] = "";
    size_t len = 0;
    const char *name;

    json_object_foreach(guests, name, v)
    {
        if (len < sizeof(names))
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
                                    len ? ", " : "", name);
    }
    json_decref(guests);
    if (!len)
        return 0;
    return ovs_fail(o,
                    "bridge %s has ports of guests that run, which leave "
                    "with them (bascule guest kill): %s",
                    bridge, names);
}

static int ovs_run_del_br(struct ovs *o, const struct ovs_command *c)
{
    json_t *b = ovs_find_bridge(o, c->argv[0]);
    int rc;

    if (!b && (c->options & OVS_IF_EXISTS))
        return 0;
    if (!b)
        return need_bridge(o, c->argv[0]) ? 0 : -1;
    if (spare_guests(o, c->argv[0]) < 0)
        return -1;
    rc = ovs_add_step(o, OVS_DEL_BRIDGE, b);
    for (size_t i = json_array_size(o->ports); i-- > 0;)
        if (strcmp(str(json_array_get(o->ports, i), "bridge"), c->argv[0]) == 0)
            json_array_remove(o->ports, i);
    drop(o->bridges, b);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* Names of a list, sorted; 'bridge': only its ports, without its own. */
static int print_names(struct ovs *o, const json_t *list, const char *bridge)
{
    const char **name = calloc(json_array_size(list) + 1, sizeof(*name));
    const json_t *v;
    size_t i, n = 0;

    json_array_foreach(list, i, v)
    {
        if (name && (!bridge || (!ovs_is_local(v) &&
                                 strcmp(str(v, "bridge"), bridge) == 0)))
            name[n++] = str(v, "name");
    }
    if (name)
        qsort(name, n, sizeof(*name), by_text);
    for (i = 0; i < n; i++)
        fprintf(o->out, "%s\n", name[i]);
    free(name);
    return 0;
}

static int ovs_run_list_br(struct ovs *o, const struct ovs_command *c)
{
    if (c->options & OVS_FAKE) /* those for VLANs: there are none */
        return 0;
    return print_names(o, o->bridges, NULL);
}

static int ovs_run_br_exists(struct ovs *o, const struct ovs_command *c)
{
    if (!ovs_find_bridge(o, c->argv[0]))
        o->status = STATUS_NO_BRIDGE;
    return 0;
}

static int ovs_run_br_to_vlan(struct ovs *o, const struct ovs_command *c)
{
    if (!need_bridge(o, c->argv[0]))
        return -1;
    fputs("0\n", o->out);
    return 0;
}

static int ovs_run_br_to_parent(struct ovs *o, const struct ovs_command *c)
{
    if (!need_bridge(o, c->argv[0]))
        return -1;
    fprintf(o->out, "%s\n", c->argv[0]);
    return 0;
}

/* ---- ports ---- */

static int ovs_run_list_ports(struct ovs *o, const struct ovs_command *c)
{
    if (!need_bridge(o, c->argv[0]))
        return -1;
    return print_names(o, o->ports, c->argv[0]);
}

static int ovs_run_list_ifaces(struct ovs *o, const struct ovs_command *c)
{
    return ovs_run_list_ports(o, c);
}

static int set_columns(struct ovs *o, const struct ovs_command *c, json_t *port)
{
    for (int i = 2; i < c->argc; i++)
        if (ovs_set_port(o, port, c->argv[i]) < 0)
            return -1;
    return 0;
}

/* --may-exist, and it does. */
static int same_port(struct ovs *o, const struct ovs_command *c, json_t *port)
{
    const char *bridge = str(port, "bridge");

    if (!(c->options & OVS_MAY_EXIST) || ovs_is_local(port))
        return ovs_fail(o, "there is a port named %s already, in bridge %s",
                        c->argv[1], bridge);
    if (strcmp(bridge, c->argv[0]) != 0)
        return ovs_fail(o, "port %s is in bridge %s, not in %s", c->argv[1],
                        bridge, c->argv[0]);
    if (*str(port, "guest"))
        return ovs_fail(o,
                        "port %s is guest %s's, which runs: choose another "
                        "name",
                        c->argv[1], str(port, "guest"));
    return set_columns(o, c, port);
}

static int ovs_run_add_port(struct ovs *o, const struct ovs_command *c)
{
    const char *name = c->argv[1];
    json_t *port = ovs_find_port(o, name);

    if (!need_bridge(o, c->argv[0]))
        return -1;
    if (port)
        return same_port(o, c, port);
    if (strpbrk(name, ":,"))
        return ovs_fail(o,
                        "%s: the name of an interface is expected; ports "
                        "of other kinds are added by bascule addif",
                        name);
    port = json_pack("{s:s,s:s,s:s,s:s,s:{}}", "name", name, "bridge",
                     c->argv[0], "kind", "packet", "spec", name, "labels");
    json_array_append_new(o->ports, port);
    if (ovs_add_step(o, OVS_ADD_PORT, port) < 0)
        return -1;
    return set_columns(o, c, port);
}

/*
 * Bascule launches the guest, and its port goes with it.  Who says
 * --if-exists, as libvirt does when a guest of its own of that name could not
 * be started, does not know what port there is.
 */
static int spare_guest(struct ovs *o, const struct ovs_command *c,
                       const json_t *port)
{
    const char *name = str(port, "name"), *guest = str(port, "guest");

    if (!(c->options & OVS_IF_EXISTS))
        return ovs_fail(o,
                        "port %s is guest %s's, which runs, and leaves with "
                        "it: bascule guest kill %s; or bascule delif %s %s",
                        name, guest, guest, str(port, "bridge"), name);
    err_set(&o->note, 0, "port %s stays: it is guest %s's, which runs", name,
            guest);
    return 0;
}

static int ovs_run_del_port(struct ovs *o, const struct ovs_command *c)
{
    const char *name = c->argv[c->argc - 1];
    json_t *port = ovs_find_port(o, name);
    int rc;

    if (c->argc == 2 && !need_bridge(o, c->argv[0]))
        return -1;
    if (!port)
        return c->options & OVS_IF_EXISTS
                   ? 0
                   : ovs_fail(o, "there is no port named %s", name);
    if (c->argc == 2 && strcmp(str(port, "bridge"), c->argv[0]) != 0)
        return ovs_fail(o, "port %s is in bridge %s, not in %s", name,
                        str(port, "bridge"), c->argv[0]);
    if (ovs_is_local(port))
        return ovs_fail(o, "port %s is the bridge's own: see del-br", name);
    if (*str(port, "guest"))
        return spare_guest(o, c, port);
    rc = ovs_add_step(o, OVS_DEL_PORT, port);
    drop(o->ports, port);
    return rc;
}

static int ovs_run_port_to_br(struct ovs *o, const struct ovs_command *c)
{
    const json_t *port = ovs_find_port(o, c->argv[0]);

    if (!port || ovs_is_local(port))
        return ovs_fail(o, "there is no port named %s", c->argv[0]);
    fprintf(o->out, "%s\n", str(port, "bridge"));
    return 0;
}

static int ovs_run_iface_to_br(struct ovs *o, const struct ovs_command *c)
{
    return ovs_run_port_to_br(o, c);
}

static void show_port(struct ovs *o, const json_t *port)
{
    const char *name = str(port, "name"), *type = ovs_type(port);

    fprintf(o->out, "        Port %s\n            Interface %s\n", name, name);
    if (*type)
        fprintf(o->out, "                type: %s\n", type);
    if (json_is_true(json_object_get(port, "failed")))
        fprintf(o->out, "                error: \"%s\"\n", str(port, "why"));
}

static int ovs_run_show(struct ovs *o, const struct ovs_command *c)
{
    const json_t *b, *p;
    size_t i, k;

    (void)c;
    json_array_foreach(o->bridges, i, b)
    {
        fprintf(o->out, "    Bridge %s\n", str(b, "name"));
        json_array_foreach(o->ports, k, p)
        {
            if (strcmp(str(p, "bridge"), str(b, "name")) == 0)
                show_port(o, p);
        }
    }
    return 0;
}

/* ---- records ---- */

static int ovs_run_list(struct ovs *o, const struct ovs_command *c)
{
    return ovs_list(o, c);
}

static int ovs_run_find(struct ovs *o, const struct ovs_command *c)
{
    return ovs_find(o, c);
}

static int ovs_run_get(struct ovs *o, const struct ovs_command *c)
{
    return ovs_get(o, c);
}

static int ovs_run_set(struct ovs *o, const struct ovs_command *c)
{
    return ovs_set(o, c);
}

static int ovs_run_add(struct ovs *o, const struct ovs_command *c)
{
    return ovs_add(o, c);
}

static int ovs_run_remove(struct ovs *o, const struct ovs_command *c)
{
    return ovs_remove(o, c);
}

static int ovs_run_clear(struct ovs *o, const struct ovs_command *c)
{
    return ovs_clear(o, c);
}

static int ovs_run_create(struct ovs *o, const struct ovs_command *c)
{
    return ovs_fail(o,
                    "create %s: there are only bridges and ports here (add-br, "
                    "add-port), no QoS, mirrors or controllers",
                    c->argv[0]);
}

static int ovs_run_destroy(struct ovs *o, const struct ovs_command *c)
{
    return ovs_fail(o,
                    "destroy %s: there are only bridges and ports here, for "
                    "which see del-br and del-port",
                    c->argv[0]);
}

/* ---- one invocation ---- */

static int run_command(struct ovs *o, const struct ovs_command *c)
{
    static int (*const run[OVS_VERBS])(struct ovs *,
                                       const struct ovs_command *) = {
#define X(id, ...) [OVS_##id] = ovs_run_##id,
        OVS_VERB_LIST(X)
#undef X
    };

    return run[c->verb](o, c);
}

/* What a command has printed, in one line if so wanted. */
static void pass_on(const char *text, size_t n, bool oneline, FILE *out)
{
    if (!oneline) {
        fwrite(text, 1, n, out);
        return;
    }
    if (n > 0 && text[n - 1] == '\n')
        n--;
    for (size_t i = 0; i < n; i++)
        fputs(text[i] == '\n'   ? "\\n"
              : text[i] == '\\' ? "\\\\"
                                : (char[]){text[i], '\0'},
              out);
    fputc('\n', out);
}

static int run_commands(struct ovs *o, const struct ovs_line *l, FILE *out)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && o->status == 0 && i < l->n; i++) {
        char *text = NULL;
        size_t n = 0;

        o->out = open_memstream(&text, &n);
        if (!o->out)
            return ovs_fail(o, "out of memory");
        rc = run_command(o, &l->command[i]);
        fclose(o->out);
        o->out = NULL;
        pass_on(text, n, l->oneline, out);
        free(text);
    }
    return rc;
}

int ovs_run(struct ovs *o, const struct ovs_line *l, FILE *out)
{
    o->style = l->style;
    return run_commands(o, l, out);
}

/* Nothing is printed unless all has been done. */
static int invoke(struct ovs *o, const struct ovs_line *l)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    int rc;

    if (!out)
        return ovs_fail(o, "out of memory");
    rc = ovs_fetch(o);
    if (rc == 0)
        rc = ovs_run(o, l, out);
    if (rc == 0 && o->status == 0 && !l->dry_run)
        rc = ovs_take_steps(o);
    fclose(out);
    if (rc == 0)
        fwrite(text, 1, n, stdout);
    free(text);
    return rc;
}

/* The daemon is there and does not answer: there is nothing to be taken back,
 * for who should do it. */
static void too_late(int number)
{
    static const char text[] = "ovs-vsctl: basculed did not answer in time\n";

    (void)number;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    _exit(1);
}

static void start_clock(unsigned seconds)
{
    struct sigaction sa = {.sa_handler = too_late};

    if (seconds == 0)
        return;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    alarm(seconds);
}

int ovs_vsctl_main(struct client *c, int argc, char **argv)
{
    static struct ovs_line line;
    static struct ovs o;
    struct err e = {""};
    int rc;

    if (ovs_parse(&line, argc, argv, &e) < 0)
        return complain(c, "%s", e.text);
    if (line.help)
        ovs_help(stdout);
    else if (line.version)
        printf("ovs-vsctl (Bascule) %s\n", BASCULE_VERSION);
    if (line.help || line.version)
        return 0;
    c->socket = line.socket;
    start_clock(line.timeout);
    o.c = c;
    rc = invoke(&o, &line);
    if (rc < 0)
        complain(c, "%s", o.err.text);
    else if (o.note.text[0])
        complain(c, "%s", o.note.text);
    rc = rc < 0 ? 1 : o.status;
    ovs_free(&o);
    return rc;
}
