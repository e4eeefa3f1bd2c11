/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests as JSON.
 */
#include "ctl/guest/guest_impl.h"

#include "ctl/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int put(json_t *o, const char *key, json_t *v)
{
    return json_object_set_new(o, key, v);
}

static json_t *bridges(const struct guest_def *d)
{
    json_t *a = json_array();
    int rc = 0;

    for (unsigned i = 0; i < d->n_nets; i++)
        rc |= json_array_append_new(a, json_string(d->net[i].bridge));
    if (rc == 0)
        return a;
    json_decref(a);
    return NULL;
}

json_t *guest_brief(const struct guest *g)
{
    return json_pack("{s:s,s:s,s:i,s:i,s:o}", "name", g->def->name, "state",
                     guest_state_word(g), "memory", (int)g->def->memory, "cpus",
                     (int)g->def->cpus, "bridges", bridges(g->def));
}

/* Seconds since the process started, whoever started it. */
static double uptime(const struct guest *g)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
           (double)g->start / (double)sysconf(_SC_CLK_TCK);
}

static int put_traffic(json_t *o, struct bport *p)
{
    struct bport_stats s;
    struct bport_info i;
    int rc = 0;

    bport_info(p, &i);
    bport_stats(p, &s);
    rc |= put(o, "port_link", json_boolean(i.link));
    rc |= put(o, "rx_frames", json_integer((json_int_t)s.rx_frames));
    rc |= put(o, "rx_bytes", json_integer((json_int_t)s.rx_bytes));
    rc |= put(o, "tx_frames", json_integer((json_int_t)s.tx_frames));
    rc |= put(o, "tx_bytes", json_integer((json_int_t)s.tx_bytes));
    return rc;
}

/* Why it has no port, or one that does not work. */
static json_t *net_why(const struct guest_port *p, const struct bport *at)
{
    struct bport_info i = {.failed = false};

    if (at && !p->why[0])
        bport_info(at, &i);
    return text_value(i.failed ? i.why : p->why);
}

static json_t *net_object(const struct guest *g, unsigned i, const char *kernel)
{
    const struct guest_net *n = &g->def->net[i];
    const struct guest_port *p = &g->port[i];
    struct bport *bp = place_port(p);
    const char *elsewhere =
        bp && strcmp(p->bridge, n->bridge) != 0 ? p->bridge : "";
    char mac[MAC_TEXT_MAX];
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:b,s:o,s:o,s:b,s:o,s:o}", "port",
                  bp ? p->name : n->port, "bridge", n->bridge, "kind",
                  guest_kind_word(n->kind), "mac", mac_format(&n->mac, mac),
                  "queues", (int)n->queues, "attached", bp != NULL, "elsewhere",
                  text_value(elsewhere), "kernel_bridge",
                  text_value(bp ? "" : kernel), "cable", !p->down, "why",
                  net_why(p, bp), "addresses", guest_addresses(bp, &n->mac));

    if (o && bp && put_traffic(o, bp) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *nets(const struct guest *g, const char (*kernel)[IFNAMSIZ])
{
    json_t *a = json_array();
    int rc = 0;

    for (unsigned i = 0; i < g->def->n_nets; i++)
        rc |=
            json_array_append_new(a, net_object(g, i, kernel ? kernel[i] : ""));
    if (rc == 0)
        return a;
    json_decref(a);
    return NULL;
}

static int put_path(json_t *o, const struct guest *g, const char *key,
                    const char *file)
{
    return put(o, key, json_sprintf("%s/%s", g->dir, file));
}

static int put_process(json_t *o, const struct guest *g)
{
    int rc = 0;

    rc |= put(o, "pid", json_integer(g->pid));
    rc |= put(o, "uptime", json_real(uptime(g)));
    rc |= put(o, "running_accel", json_string(g->kvm ? "kvm" : "tcg"));
    rc |= put_path(o, g, "console", ARGS_CONSOLE);
    rc |= put_path(o, g, "qmp", ARGS_QMP);
    rc |= put_path(o, g, "log", "log");
    if (g->def->vnc && strcmp(g->def->vnc, "on") == 0)
        rc |= put_path(o, g, "vnc_socket", ARGS_VNC);
    return rc;
}

json_t *guest_object(const struct guest *g, const char (*kernel)[IFNAMSIZ])
{
    json_t *o = guest_def_write(g->def);
    int rc = o ? 0 : -1;

    rc |= put(o, "state", json_string(guest_state_word(g)));
    rc |= put(o, "why", text_value(g->why));
    rc |= put(o, "starts", json_integer(g->starts));
    rc |= put(o, "nets", nets(g, kernel));
    if (g->pid)
        rc |= put_process(o, g);
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}
