/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a lab: all of it, or nothing.
 */
#include "ctl/client/lab.h"
#include "ports/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORT_PATIENCE  40        /* s, for a spanning tree to let it forward */
#define COMMAND_MOMENT 300000000 /* ns; "at once" */

struct maker {
    struct client *c;
    const struct lab *lab;
    struct lab_state *s;
    int netns; /* our own */
    struct err *e;
};

/* Ctrl-C takes back what was made so far. */
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

static int at(const struct maker *m, const struct conf_pos *pos, int rc)
{
    return rc ? err_wrap(m->e, rc, "%s:%u:%u", pos->file, pos->line,
                         pos->column)
              : 0;
}

/* To be called before it is made. */
static int write_down(const struct maker *m, const char *what, const char *name)
{
    if (interrupted)
        return err_set(m->e, EINTR, "interrupted");
    return lab_state_add(
        m->s, json_pack("{s:s,s:s}", "what", what, "name", name), m->e);
}

static int call_at(const struct maker *m, const char *method, json_t *params)
{
    struct reply r;
    int rc = 0;

    if (!client_call(m->c, method, params, m->netns, &r))
        rc = err_set(m->e, r.err ? r.err : EIO, "%s", r.text);
    reply_free(&r);
    return rc;
}

/* "10.0.0.1/24"; 'prefix': with its length. */
static const char *addr_text(const struct conf_addr *a, bool prefix,
                             char out[INET6_ADDRSTRLEN + 4])
{
    char plain[INET6_ADDRSTRLEN] = "";

    inet_ntop(a->family, &a->a, plain, sizeof(plain));
    if (prefix)
        snprintf(out, INET6_ADDRSTRLEN + 4, "%s/%u", plain, a->prefix);
    else
        memcpy(out, plain, sizeof(plain));
    return out;
}

/* ---- bridges ---- */

static json_t *param_value(const struct param_name *p, uint32_t v)
{
    if (p->unit == UNIT_SWITCH)
        return json_boolean(v);
    if (p->unit == UNIT_WORD)
        return json_string(param_word(p, v));
    return json_integer(v);
}

static int set_param(const struct maker *m, const struct conf_bridge *b,
                     unsigned i)
{
    const struct param_name *p = &bridge_param_names[i];

    if (!b->set[i] || (i == BRIDGE_STP && !b->param[i]))
        return 0; /* off, as it is made */
    return lab_call(m->c, "bridge.set",
                    json_pack("{s:s,s:s,s:o}", "bridge", b->name, "parameter",
                              p->name, "value", param_value(p, b->param[i])),
                    m->e);
}

static int up_bridge(const struct maker *m, const struct conf_bridge *b)
{
    char text[INET6_ADDRSTRLEN + 4];
    int rc = LAB_IP(m->e, "link", "set", "dev", b->name, "up");

    for (unsigned i = 0; !rc && i < b->l3.n_addrs; i++)
        rc = LAB_IP(m->e, "addr", "add", addr_text(&b->l3.addr[i], true, text),
                    "dev", b->name);
    return rc;
}

/* The spanning tree behind the rest, which it begins with. */
static int make_bridge(const struct maker *m, const struct conf_bridge *b)
{
    int rc = write_down(m, "bridge", b->name);

    if (!rc)
        rc = call_at(m, "addbr",
                     json_pack("{s:s,s:b,s:b}", "bridge", b->name, "local",
                               b->local, "netns", true));
    for (unsigned i = 0; !rc && i < BRIDGE_PARAMS; i++)
        if (i != BRIDGE_STP)
            rc = set_param(m, b, i);
    if (!rc)
        rc = set_param(m, b, BRIDGE_STP);
    if (!rc && b->local)
        rc = up_bridge(m, b);
    return at(m, &b->pos, rc);
}

static int add_port(const struct maker *m, const char *bridge, const char *spec)
{
    return call_at(m, "addif",
                   json_pack("{s:s,s:s,s:b}", "bridge", bridge, "port", spec,
                             "netns", true));
}

/* ---- links and the uplink ---- */

static int make_link(const struct maker *m, const struct lab_link *l)
{
    int rc = write_down(m, "link", l->port[0]);

    if (!rc)
        rc = LAB_IP(m->e, "link", "add", "name", l->port[0], "type", "veth",
                    "peer", "name", l->port[1]);
    for (unsigned i = 0; !rc && i < 2; i++) {
        rc = LAB_IP(m->e, "link", "set", "dev", l->port[i], "up");
        if (!rc)
            rc = add_port(m, l->bridge[i], l->port[i]);
    }
    return at(m, &l->pos, rc);
}

static int make_uplink(const struct maker *m)
{
    const struct lab *lab = m->lab;
    int rc;

    if (!lab->uplink)
        return 0;
    rc = lab_state_add(m->s,
                       json_pack("{s:s,s:s,s:s}", "what", "uplink", "name",
                                 lab->uplink, "bridge", lab->uplink_bridge),
                       m->e);
    if (!rc)
        rc = LAB_IP(m->e, "link", "set", "dev", lab->uplink, "up");
    if (!rc)
        rc = add_port(m, lab->uplink_bridge, lab->uplink);
    return at(m, &lab->uplink_pos, rc);
}

/* ---- hosts ---- */

static void netns_of(const struct maker *m, const struct lab_host *h,
                     char out[80])
{
    snprintf(out, 80, "%s-%s", m->lab->name, h->name);
}

/* The daemon makes eth0 in there and holds its other side. */
static int plug_host(const struct maker *m, const struct lab_host *h,
                     const char *netns)
{
    char spec[200];
    struct maker there = *m;
    int rc;

    there.netns = netns_open(netns, m->e);
    if (there.netns < 0)
        return there.netns;
    snprintf(spec, sizeof(spec), "tap:eth0,netns=%s,name=%s", netns, h->name);
    rc = add_port(&there, h->bridge, spec);
    close(there.netns);
    return rc;
}

static int address_host(const struct maker *m, const struct lab_host *h,
                        const char *netns)
{
    char text[INET6_ADDRSTRLEN + 4];
    int rc = LAB_IP(m->e, "-n", netns, "link", "set", "eth0", "up");

    if (!rc && h->addr.family == AF_INET)
        rc = LAB_IP(m->e, "-n", netns, "addr", "add",
                    addr_text(&h->addr, true, text), "dev", "eth0");
    else if (!rc && h->addr.family) /* nobody else has it: the file is ours */
        rc = LAB_IP(m->e, "-n", netns, "addr", "add",
                    addr_text(&h->addr, true, text), "dev", "eth0", "nodad");
    if (!rc && h->gateway.family)
        rc = LAB_IP(m->e, "-n", netns, "route", "add", "default", "via",
                    addr_text(&h->gateway, false, text));
    return rc;
}

/* What is written down of it last. */
static json_t *last_made(const struct maker *m)
{
    json_t *made = lab_made(m->s);

    return json_array_get(made, json_array_size(made) - 1);
}

static int note_host(const struct maker *m, const struct lab_host *h,
                     const char *netns)
{
    char text[INET6_ADDRSTRLEN + 4] = "";

    if (interrupted)
        return err_set(m->e, EINTR, "interrupted");
    if (h->addr.family)
        addr_text(&h->addr, true, text);
    return lab_state_add(m->s,
                         json_pack("{s:s,s:s,s:s,s:s,s:s}", "what", "netns",
                                   "name", netns, "host", h->name, "bridge",
                                   h->bridge, "address", text),
                         m->e);
}

/* By what it is known, should its name go. */
static int note_netns(const struct maker *m, const char *netns)
{
    int fd = netns_open(netns, m->e);
    struct lab_ns ns;

    if (fd < 0)
        return fd;
    if (lab_ns_of(fd, &ns))
        lab_ns_put(last_made(m), &ns);
    close(fd);
    return lab_state_save(m->s, m->e);
}

static int make_host(const struct maker *m, const struct lab_host *h)
{
    char netns[80];
    int rc;

    netns_of(m, h, netns);
    rc = note_host(m, h, netns);
    if (!rc)
        rc = LAB_IP(m->e, "netns", "add", netns);
    if (!rc)
        rc = note_netns(m, netns);
    if (!rc)
        rc = LAB_IP(m->e, "-n", netns, "link", "set", "lo", "up");
    if (!rc)
        rc = plug_host(m, h, netns);
    if (!rc)
        rc = address_host(m, h, netns);
    return at(m, &h->pos, rc);
}

/* What is written down of a host. */
static json_t *host_made(const struct maker *m, const struct lab_host *h)
{
    json_t *what;
    size_t i;

    json_array_foreach(lab_made(m->s), i, what)
    {
        if (strcmp(lab_text(what, "host"), h->name) == 0)
            return what;
    }
    return NULL;
}

static int command_host(const struct maker *m, const struct lab_host *h)
{
    size_t stem = strlen(m->s->path) - strlen(".json");
    char netns[80], log[PATH_MAX + 40];
    json_t *what = host_made(m, h);
    int rc;

    if (!h->command)
        return 0;
    netns_of(m, h, netns);
    snprintf(log, sizeof(log), "%.*s.%s.log", (int)stem, m->s->path, h->name);
    json_object_set_new(what, "log", json_string(log));
    rc = lab_command(netns, h->command, what, m->e);
    if (!rc)
        rc = lab_state_save(m->s, m->e);
    return at(m, &h->pos, rc);
}

/* A command that cannot work ends at once; the lab is up nevertheless. */
static void tell_of_commands(const struct maker *m)
{
    const struct timespec moment = {0, COMMAND_MOMENT};
    bool any = false;

    for (unsigned i = 0; i < m->lab->n_hosts; i++)
        any |= m->lab->host[i].command != NULL;
    if (any)
        nanosleep(&moment, NULL);
    for (unsigned i = 0; any && i < m->lab->n_hosts; i++) {
        const struct lab_host *h = &m->lab->host[i];
        json_t *what = host_made(m, h);

        if (h->command && lab_command_ended(what))
            fprintf(stderr,
                    "note: %s:%u:%u: the command of %s ended at once, with %s: "
                    "see %s\n",
                    h->pos.file, h->pos.line, h->pos.column, h->name,
                    lab_text(what, "ended"), lab_text(what, "log"));
    }
    if (any)
        (void)lab_state_save(m->s, m->e);
}

/* ---- guests ---- */

static int make_guest(const struct maker *m, const struct conf_guest *g)
{
    json_t *def = json_loads(g->def, 0, NULL);
    int rc = def ? write_down(m, "guest", g->name)
                 : err_set(m->e, ENOMEM, "out of memory");

    if (rc)
        json_decref(def);
    else
        rc = lab_call(m->c, "guest.define", def, m->e);
    if (!rc && g->start)
        rc = lab_call(m->c, "guest.start", json_pack("{s:s}", "name", g->name),
                      m->e);
    return at(m, &g->pos, rc);
}

/* ---- what is there already ---- */

static bool is_in(const json_t *list, const char *name)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        if (strcmp(lab_text(v, "name"), name) == 0)
            return true;
    }
    return false;
}

static int check_bridges(const struct maker *m)
{
    const struct conf *conf = m->lab->conf;
    struct reply r;
    int rc = 0;

    if (!client_call(m->c, "bridge.show", NULL, -1, &r))
        rc = err_set(m->e, r.err ? r.err : EIO, "%s", r.text);
    for (unsigned i = 0; !rc && i < conf->n_bridges; i++)
        if (is_in(r.result, conf->bridge[i].name))
            rc = at(m, &conf->bridge[i].pos,
                    err_set(m->e, EEXIST, "there is a bridge %s already",
                            conf->bridge[i].name));
    reply_free(&r);
    return rc;
}

static int check_guests(const struct maker *m)
{
    const struct conf *conf = m->lab->conf;
    struct reply r;
    int rc = 0;

    if (conf->n_guests == 0)
        return 0;
    if (!client_call(m->c, "guest.list", NULL, -1, &r))
        rc = err_set(m->e, r.err ? r.err : EIO, "%s", r.text);
    for (unsigned i = 0; !rc && i < conf->n_guests; i++)
        if (is_in(r.result, conf->guest[i].name))
            rc = at(m, &conf->guest[i].pos,
                    err_set(m->e, EEXIST, "there is a guest %s already",
                            conf->guest[i].name));
    reply_free(&r);
    return rc;
}

static int check_hosts(const struct maker *m)
{
    char netns[80];

    for (unsigned i = 0; i < m->lab->n_hosts; i++) {
        netns_of(m, &m->lab->host[i], netns);
        if (lab_netns_exists(netns))
            return at(m, &m->lab->host[i].pos,
                      err_set(m->e, EEXIST,
                              "there is a network namespace %s already",
                              netns));
    }
    return 0;
}

/* What is there by that name would be removed with the lab. */
static int check_links(const struct maker *m)
{
    for (unsigned i = 0; i < m->lab->n_links; i++) {
        const struct lab_link *l = &m->lab->link[i];

        for (unsigned k = 0; k < 2; k++)
            if (if_nametoindex(l->port[k]))
                return at(m, &l->pos,
                          err_set(m->e, EEXIST,
                                  "there is an interface %s already",
                                  l->port[k]));
    }
    return 0;
}

/* Whoever is inside `ip netns exec` would make them for himself only. */
static int check_place(const struct maker *m)
{
    if (m->lab->n_hosts == 0 || !lab_ns_hidden())
        return 0;
    return err_set(m->e, EINVAL,
                   "the hosts would not be seen outside of this mount "
                   "namespace, as ip netns exec makes one: begin with nsenter "
                   "--net=/run/netns/NAME instead");
}

static int check_all(const struct maker *m)
{
    int rc = check_bridges(m);

    if (!rc)
        rc = check_guests(m);
    if (!rc)
        rc = check_hosts(m);
    if (!rc)
        rc = check_links(m);
    if (!rc)
        rc = check_place(m);
    if (!rc && (m->lab->n_hosts || m->lab->n_links) && geteuid() != 0)
        rc = err_set(m->e, EPERM,
                     "hosts and links need root, for namespaces and veth "
                     "pairs");
    return rc;
}

/* ---- all of it ---- */

static int forwards(const struct maker *m, const char *port)
{
    if (interrupted)
        return err_set(m->e, EINTR, "interrupted");
    return lab_call(
        m->c, "wait-forwarding",
        json_pack("{s:s,s:i}", "port", port, "timeout", PORT_PATIENCE), m->e);
}

static int guest_forwards(const struct maker *m, const struct conf_guest *g)
{
    json_t *def = json_loads(g->def, 0, NULL);
    size_t n = json_array_size(json_object_get(def, "nets"));
    char port[PORT_NAME_MAX + 24];
    int rc = 0;

    for (size_t i = 0; !rc && g->start && i < n; i++) {
        snprintf(port, sizeof(port), i ? "%s-%zu" : "%s", g->name, i);
        rc = forwards(m, port);
    }
    json_decref(def);
    return rc;
}

/* Of links between spanning trees some ends stay shut: all is settled when
 * none has been on its way for a second. */
static bool is_on_its_way(const struct maker *m, const char *bridge)
{
    struct reply r;
    const json_t *p;
    bool some = false;
    size_t i;

    if (!client_call(m->c, "port.show", json_pack("{s:s}", "bridge", bridge),
                     -1, &r))
        some = true;
    json_array_foreach(r.result, i, p)
    {
        const char *state = lab_text(p, "state");

        some |=
            strcmp(state, "listening") == 0 || strcmp(state, "learning") == 0;
    }
    reply_free(&r);
    return some;
}

static int settle_links(const struct maker *m)
{
    const struct conf *conf = m->lab->conf;
    struct timespec step = {0, 200000000};
    unsigned quiet = 0;

    for (unsigned n = 0; quiet < 5 && n < 5 * PORT_PATIENCE; n++) {
        quiet++;
        for (unsigned i = 0; i < conf->n_bridges; i++)
            if (is_on_its_way(m, conf->bridge[i].name))
                quiet = 0;
        if (interrupted)
            return err_set(m->e, EINTR, "interrupted");
        nanosleep(&step, NULL);
    }
    return quiet ? 0
                 : err_set(m->e, ETIMEDOUT,
                           "the spanning tree has not settled in %d s",
                           PORT_PATIENCE);
}

/* The uplink's link is not ours to wait for: its cable may be out. */
static int wait_all(const struct maker *m)
{
    const struct lab *lab = m->lab;
    int rc = lab->n_links ? settle_links(m) : 0;

    for (unsigned i = 0; !rc && i < lab->n_hosts; i++)
        rc = forwards(m, lab->host[i].name);
    for (unsigned i = 0; !rc && i < lab->conf->n_guests; i++)
        rc = guest_forwards(m, &lab->conf->guest[i]);
    return rc;
}

static int make_all(const struct maker *m)
{
    const struct lab *lab = m->lab;
    int rc = 0;

    for (unsigned i = 0; !rc && i < lab->conf->n_bridges; i++)
        rc = make_bridge(m, &lab->conf->bridge[i]);
    for (unsigned i = 0; !rc && i < lab->n_links; i++)
        rc = make_link(m, &lab->link[i]);
    if (!rc)
        rc = make_uplink(m);
    for (unsigned i = 0; !rc && i < lab->n_hosts; i++)
        rc = make_host(m, &lab->host[i]);
    for (unsigned i = 0; !rc && i < lab->n_hosts; i++)
        rc = command_host(m, &lab->host[i]);
    for (unsigned i = 0; !rc && i < lab->conf->n_guests; i++)
        rc = make_guest(m, &lab->conf->guest[i]);
    return rc ? rc : wait_all(m);
}

static json_int_t daemon_pid(const struct maker *m)
{
    struct reply r;
    json_int_t pid = 0;

    if (client_call(m->c, "version", NULL, -1, &r))
        pid = json_integer_value(json_object_get(r.result, "pid"));
    else
        err_set(m->e, r.err ? r.err : EIO, "%s", r.text);
    reply_free(&r);
    return pid;
}

static int make(struct maker *m, const char *file)
{
    struct err left = {""};
    json_int_t pid = daemon_pid(m);
    struct err why;
    int rc = pid ? lab_state_new(m->c, m->s, m->lab->name, file, pid, m->e)
                 : -ENOTCONN;

    if (rc)
        return rc;
    rc = check_all(m);
    if (!rc)
        rc = make_all(m);
    if (!rc)
        rc = lab_state_complete(m->s, m->e);
    if (!rc)
        return 0;
    why = *m->e;
    if (lab_remove(m->c, m->s, &left))
        err_set(m->e, rc, "%.150s; and not all is taken back: %.120s", why.text,
                left.text);
    lab_state_free(m->s);
    return rc;
}

static int make_and_show(struct maker *m, const char *file)
{
    int rc = make(m, file);

    if (rc)
        return complain(m->c, "lab %s: %s", m->lab->name, m->e->text);
    tell_of_commands(m);
    rc = lab_show(m->c, m->s);
    lab_state_free(m->s);
    return rc;
}

int lab_up(struct client *c, const char *file)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct lab *lab;
    struct lab_state s;
    struct err e = {""};
    struct maker m = {.c = c, .s = &s, .e = &e};
    int status;

    if (lab_load(&lab, file, &e))
        return complain(c, "%s", e.text);
    m.lab = lab;
    if (lab_loop(lab, &e))
        fprintf(stderr, "note: %s\n", e.text);
    m.netns = open_own_netns();
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    status = make_and_show(&m, file);
    if (m.netns >= 0)
        close(m.netns);
    lab_free(lab);
    return status;
}
