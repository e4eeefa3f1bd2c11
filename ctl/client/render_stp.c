/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree for people: a table of at most 100 columns, and lines
 * behind each port for those who want all of it.
 */
#include "ctl/client/field.h"
#include "ctl/client/render.h"

#include <stdint.h>
#include <string.h>

static const json_t *sub(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

/* Centiseconds. */
static double seconds(const json_t *o, const char *key)
{
    return (double)num(o, key) / 100;
}

/* ---- bridges ---- */

static void head(FILE *out, const json_t *b)
{
    fprintf(out, "%s: %s, bridge %s\n", str(b, "bridge"),
            strcmp(str(b, "version"), "stp") == 0 ? "STP" : "RSTP",
            str(b, "id"));
    if (num(b, "root_port_no") == 0)
        fprintf(out, "  root         this bridge\n");
    else
        fprintf(out, "  root         %s by port %s at cost %lld\n",
                str(b, "root"), str(b, "root_port"), num(b, "root_cost"));
}

static bool same_times(const json_t *a, const json_t *b)
{
    static const char *const key[] = {"hello_time", "max_age", "forward_delay"};

    for (int i = 0; i < 3; i++)
        if (num(a, key[i]) != num(b, key[i]))
            return false;
    return true;
}

static void times(FILE *out, const json_t *b)
{
    const json_t *t = sub(b, "times"), *own = sub(b, "own");

    fprintf(out,
            "  times        hello %.2f, max age %.2f, forward delay %.2f s",
            seconds(t, "hello_time"), seconds(t, "max_age"),
            seconds(t, "forward_delay"));
    if (!same_times(t, own))
        fprintf(out, "; as root %.2f, %.2f, %.2f s", seconds(own, "hello_time"),
                seconds(own, "max_age"), seconds(own, "forward_delay"));
    fputc('\n', out);
}

static void changes(FILE *out, const json_t *b)
{
    fprintf(out, "  topology     %lld change%s", num(b, "topology_changes"),
            num(b, "topology_changes") == 1 ? "" : "s");
    if (!json_is_null(sub(b, "last_change_ago")))
        fprintf(out, ", the last %.2f s ago", seconds(b, "last_change_ago"));
    if (*str(b, "last_change_port"))
        fprintf(out, " by port %s", str(b, "last_change_port"));
    if (yes(b, "topology_change"))
        fprintf(out, "; others are being told");
    fputc('\n', out);
}

static void bridge_details(FILE *out, const json_t *b)
{
    const json_t *t = sub(b, "timers");

    fprintf(
        out, "  timers       hello %.2f, tcn %.2f, topology change %.2f s\n",
        seconds(t, "hello"), seconds(t, "tcn"), seconds(t, "topology_change"));
    fprintf(out, "  settings     %lld BPDUs a second and port, %s path costs, ",
            num(b, "tx_hold"), str(b, "path_cost_method"));
    if (num(b, "recovery"))
        fprintf(out, "recovery after %.0f s\n", seconds(b, "recovery"));
    else
        fprintf(out, "no recovery by itself\n");
}

/* ---- ports ---- */

/* "p2p edge", "shared stp" */
static const char *link_words(const json_t *p, char out[32])
{
    snprintf(out, 32, "%s%s", yes(p, "p2p") ? "p2p" : "shared",
             yes(p, "edge")                          ? " edge"
             : strcmp(str(p, "version"), "stp") == 0 ? " stp"
                                                     : "");
    return out;
}

static void port_row(FILE *out, const json_t *p)
{
    const json_t *v = sub(p, "vector");
    const char *guard = str(p, "guard");
    char link[32];

    if (json_is_null(sub(p, "role"))) {
        fprintf(out, "  %4lld %-15s %-10s %-10s %s\n", num(p, "no"),
                str(p, "port"), "-", str(p, "state"), str(p, "why"));
        return;
    }
    fprintf(out, "  %4lld %-15s %-10s %-10s %-10s %9lld %-17s %-4s",
            num(p, "no"), str(p, "port"), str(p, "role"), str(p, "state"),
            link_words(p, link), num(p, "cost"), str(v, "bridge"),
            str(v, "port"));
    if (*guard && strcmp(guard, "none") != 0)
        fprintf(out, " %s", guard);
    fputc('\n', out);
}

static void vector(FILE *out, const char *what, const json_t *v)
{
    fprintf(out, "         %-10s root %s cost %lld, bridge %s port %s\n", what,
            str(v, "root"), num(v, "cost"), str(v, "bridge"), str(v, "port"));
}

static void port_times(FILE *out, const json_t *p)
{
    const json_t *t = sub(p, "times"), *r = sub(p, "timers");

    fprintf(out,
            "         %-10s message age %.2f of %.2f, hello %.2f, forward "
            "delay %.2f s\n",
            "times", seconds(t, "message_age"), seconds(t, "max_age"),
            seconds(t, "hello_time"), seconds(t, "forward_delay"));
    fprintf(out,
            "         %-10s message age %.2f, forward delay %.2f, hold %.2f, "
            "recovery %.2f s\n",
            "timers", seconds(r, "message_age"), seconds(r, "forward_delay"),
            seconds(r, "hold"), seconds(r, "recovery"));
}

/* What is configured and what is the case, as words. */
static void port_flags(FILE *out, const json_t *p)
{
    static const char *const flag[] = {
        "admin_edge", "auto_edge", "proposing",           "agreed",
        "synced",     "disputed",  "topology_change_ack", "config_pending"};
    const json_t *guards = sub(p, "guards"), *g;
    const char *guard = str(p, "guard");
    size_t i;

    fprintf(out, "         %-10s id %s, speaks %s", "flags", str(p, "id"),
            strcmp(str(p, "version"), "stp") == 0 ? "STP" : "RSTP");
    for (i = 0; i < sizeof(flag) / sizeof(flag[0]); i++) {
        if (!yes(p, flag[i]))
            continue;
        fputs(", ", out);
        for (const char *s = flag[i]; *s; s++)
            fputc(*s == '_' ? '-' : *s, out);
    }
    fputc('\n', out);
    if (json_array_size(guards) == 0)
        return;
    fprintf(out, "         %-10s", "guards");
    json_array_foreach(guards, i, g)
    {
        fprintf(out, "%s %s", i ? "," : "", json_string_value(g));
    }
    if (*guard && strcmp(guard, "none") != 0)
        fprintf(out, "; %s keeps it shut", guard);
    fputc('\n', out);
}

/* What is not zero, each with its sentence. */
static void counts(FILE *out, const json_t *counters, const json_t *sentences,
                   const char *before)
{
    /* json_object_foreach would want it writable */
    for (void *i = json_object_iter((json_t *)(uintptr_t)counters); i;
         i = json_object_iter_next((json_t *)(uintptr_t)counters, i)) {
        const char *name = json_object_iter_key(i);
        long long n = json_integer_value(json_object_iter_value(i));

        if (n)
            fprintf(out, "         %10lld %s%s\n", n, before,
                    str(sentences, name));
    }
}

static void port_details(FILE *out, const json_t *p, const json_t *sentences)
{
    if (json_is_null(sub(p, "role")))
        return;
    vector(out, yes(p, "received") ? "heard" : "own", sub(p, "vector"));
    vector(out, "would say", sub(p, "designated"));
    port_times(out, p);
    port_flags(out, p);
    counts(out, sub(p, "counters"), sub(sentences, "counters"), "");
    counts(out, sub(p, "bad"), sub(sentences, "bad"), "no BPDU: ");
}

static void show_ports(FILE *out, const json_t *b, bool details)
{
    const json_t *ports = sub(b, "ports"), *p;
    size_t i;

    if (json_array_size(ports) == 0)
        return;
    fprintf(out, "  %4s %-15s %-10s %-10s %-10s %9s %-17s %-4s\n", "no", "port",
            "role", "state", "link", "cost", "designated bridge", "port");
    json_array_foreach(ports, i, p)
    {
        port_row(out, p);
        if (details)
            port_details(out, p, sub(b, "sentences"));
    }
}

void render_stp_show(FILE *out, const json_t *bridges, bool details)
{
    const json_t *b;
    size_t i;

    json_array_foreach(bridges, i, b)
    {
        if (i)
            fputc('\n', out);
        if (!yes(b, "stp")) {
            fprintf(out, "%s: the spanning tree is off (bascule stp %s on)\n",
                    str(b, "bridge"), str(b, "bridge"));
            continue;
        }
        head(out, b);
        times(out, b);
        changes(out, b);
        if (details)
            bridge_details(out, b);
        show_ports(out, b, details);
    }
}

void render_stp_why(FILE *out, const json_t *result, bool details)
{
    const json_t *why = sub(result, "why"), *line;
    size_t i;

    (void)details;
    json_array_foreach(why, i, line)
    {
        fprintf(out, "%s\n", json_string_value(line));
    }
}
