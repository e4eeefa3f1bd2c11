/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/render.h"

#include "ctl/client/client.h"
#include "ctl/client/field.h"

#include <string.h>

/* ---- bridge show ---- */

static void parameter(FILE *out, const json_t *o, const struct param_name *p)
{
    const json_t *v = json_object_get(o, p->key);

    fprintf(out, "  %-17s", p->name);
    switch (p->unit) {
    case UNIT_CENTISECONDS:
        fprintf(out, "%.2f s\n", (double)json_integer_value(v) / 100);
        break;
    case UNIT_SWITCH:
        fprintf(out, "%s\n", json_is_true(v) ? "on" : "off");
        break;
    case UNIT_MASK:
        fprintf(out, "0x%04llx\n", (long long)json_integer_value(v));
        break;
    case UNIT_WORD:
        fprintf(out, "%s\n",
                json_is_string(v) ? json_string_value(v)
                : json_is_true(v) ? "on"
                                  : "off");
        break;
    default:
        fprintf(out, "%lld\n", (long long)json_integer_value(v));
        break;
    }
}

void render_bridge(FILE *out, const json_t *b)
{
    const json_t *fdb = json_object_get(b, "fdb");

    fprintf(out, "%s  id %s  mtu %lld  %zu ports\n", str(b, "name"),
            str(b, "id"), num(b, "mtu"),
            json_array_size(json_object_get(b, "interfaces")));
    if (yes(b, "local"))
        fprintf(out, "  %-17s%s%s%s, %s\n", "interface", str(b, "device"),
                str(b, "device")[0] ? ", the way to the kernel's bridge, " : "",
                yes(b, "up") ? "up" : "down",
                yes(b, "carrier") ? "carrier" : "no carrier");
    else
        fprintf(out, "  %-17snone (--no-local)\n", "interface");
    for (int i = 0; bridge_param_names[i].name; i++)
        parameter(out, b, &bridge_param_names[i]);
    fprintf(out, "  %-17s%lld, %lld of them static; %lld KB\n", "addresses",
            num(fdb, "entries"), num(fdb, "statics"),
            num(fdb, "memory") / 1024);
}

/* ---- port show ---- */

/* "csum tso4 tso6 uso", or "none" */
static const char *offloads(const json_t *port, char *out, size_t n)
{
    static const char *const name[] = {"csum", "tso4", "tso6", "uso"};
    const json_t *o = json_object_get(port, "offloads");

    *out = '\0';
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        if (!yes(o, "vnet") || !yes(o, name[i]))
            continue;
        if (*out)
            strncat(out, ",", n - strlen(out) - 1);
        strncat(out, name[i], n - strlen(out) - 1);
    }
    return *out ? out : "none";
}

static const char *speed(const json_t *port, char *out, size_t n)
{
    long long mbit = num(port, "speed");

    if (mbit == 0)
        snprintf(out, n, "-");
    else if (mbit % 1000 == 0)
        snprintf(out, n, "%lldG", mbit / 1000);
    else
        snprintf(out, n, "%lldM", mbit);
    return out;
}

static void port_row(FILE *out, const json_t *p)
{
    char off[40], fast[24];

    fprintf(out,
            "%-15s %4lld %-15s %-7s %-10s %-4s %5lld %5s %-19s %12lld %12lld",
            str(p, "bridge"), num(p, "no"), str(p, "name"), str(p, "kind"),
            yes(p, "failed") ? "failed" : str(p, "state"),
            yes(p, "link") ? "up" : "down", num(p, "mtu"),
            speed(p, fast, sizeof(fast)), offloads(p, off, sizeof(off)),
            num(p, "rx_frames"), num(p, "tx_frames"));
    if (str(p, "why")[0])
        fprintf(out, "  %s", str(p, "why"));
    fputc('\n', out);
}

void render_ports(FILE *out, const json_t *ports)
{
    const json_t *p;
    size_t i;

    if (json_array_size(ports) == 0)
        return;
    fprintf(out, "%-15s %4s %-15s %-7s %-10s %-4s %5s %5s %-19s %12s %12s\n",
            "bridge", "no", "port", "kind", "state", "link", "mtu", "speed",
            "offloads", "rx frames", "tx frames");
    json_array_foreach(ports, i, p)
    {
        port_row(out, p);
    }
}

/* ---- stats ---- */

static void port_stats(FILE *out, const json_t *p, const json_t *sentences)
{
    const json_t *r;
    const char *name;

    fprintf(out, "\n%s (%s port %lld)%s%s\n", str(p, "name"), str(p, "bridge"),
            num(p, "no"), str(p, "why")[0] ? ": " : "", str(p, "why"));
    fprintf(out, "  %12lld  frames received, %lld octets\n",
            num(p, "rx_frames"), num(p, "rx_bytes"));
    fprintf(out, "  %12lld  frames sent, %lld octets\n", num(p, "tx_frames"),
            num(p, "tx_bytes"));
    /* json_object_foreach would want it writable */
    for (void *i = json_object_iter(json_object_get(p, "reasons")); i;
         i = json_object_iter_next(json_object_get(p, "reasons"), i)) {
        name = json_object_iter_key(i);
        r = json_object_iter_value(i);
        fprintf(out, "  %12lld  %s (%s)\n", (long long)json_integer_value(r),
                str(sentences, name), name);
    }
}

static void fdb_stats_text(FILE *out, const json_t *f)
{
    fprintf(out,
            "addresses   %lld known, %lld of them static; learned %lld, moved "
            "%lld, expired %lld, replaced %lld, refused %lld; %lld KB\n",
            num(f, "entries"), num(f, "statics"), num(f, "learned"),
            num(f, "moved"), num(f, "expired"), num(f, "replaced"),
            num(f, "refused"), num(f, "memory") / 1024);
}

void render_stats(FILE *out, const json_t *s)
{
    const json_t *workers = json_object_get(s, "workers"), *w;
    const json_t *ports = json_object_get(s, "ports"), *p;
    size_t i;

    fprintf(out,
            "control     longest turn %.2f ms since last asked, %.2f ms ever; "
            "%lld clients, %lld requests\n",
            (double)num(s, "loop_lag_max_ns") / 1e6,
            (double)num(s, "loop_lag_total_max_ns") / 1e6, num(s, "clients"),
            num(s, "requests"));
    fprintf(out, "switch      %lld grace periods, %lld events lost\n",
            num(s, "grace_periods"), num(s, "events_lost"));
    json_array_foreach(workers, i, w)
    {
        fprintf(out,
                "worker %zu    %lld turns, %lld frames, %lld wake-ups, %lld "
                "spins\n",
                i, num(w, "turns"), num(w, "frames"), num(w, "wakeups"),
                num(w, "spins"));
    }
    if (json_object_get(s, "fdb"))
        fdb_stats_text(out, json_object_get(s, "fdb"));
    json_array_foreach(ports, i, p)
    {
        port_stats(out, p, json_object_get(s, "sentences"));
    }
}
