/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests as text.
 */
#include "ctl/client/client.h"
#include "ctl/client/field.h"

#include <string.h>

/* ---- list ---- */

static void list_line(FILE *out, const json_t *g)
{
    const json_t *b;
    size_t i;

    fprintf(out, "%-15s %-10s %8lld %5lld  ", str(g, "name"), str(g, "state"),
            num(g, "memory"), num(g, "cpus"));
    json_array_foreach(json_object_get(g, "bridges"), i, b)
    {
        fprintf(out, "%s%s", i ? "," : "", json_string_value(b));
    }
    fputc('\n', out);
}

static void list_all(FILE *out, const json_t *guests)
{
    const json_t *g;
    size_t i;

    fprintf(out, "%-15s %-10s %8s %5s  %s\n", "guest", "state", "MB", "cpus",
            "bridges");
    json_array_foreach(guests, i, g)
    {
        list_line(out, g);
    }
}

int run_guest_list(struct client *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return client_show(c, "guest.list", NULL, list_all);
}

/* ---- show ---- */

static void line(FILE *out, const char *what, const char *value)
{
    if (*value)
        fprintf(out, "  %-10s %s\n", what, value);
}

static void show_process(FILE *out, const json_t *g)
{
    long s = (long)json_number_value(json_object_get(g, "uptime"));

    if (json_object_get(g, "pid"))
        fprintf(out, "  %-10s %lld, up %ld:%02ld:%02ld\n", "process",
                num(g, "pid"), s / 3600, s / 60 % 60, s % 60);
}

static void show_machine(FILE *out, const json_t *g)
{
    const char *accel = str(g, "running_accel");

    fprintf(out, "  %-10s %lld MB, %lld processor%s%s%s\n", "machine",
            num(g, "memory"), num(g, "cpus"), num(g, "cpus") == 1 ? "" : "s",
            *accel ? ", " : "", accel);
}

static void show_disk(FILE *out, const json_t *d)
{
    fprintf(out, "  %-10s %s (%s, %s%s)\n", "disk", str(d, "path"),
            str(d, "format"), str(d, "bus"),
            json_is_true(json_object_get(d, "readonly")) ? ", read-only" : "");
}

static const char *condition(const json_t *n)
{
    if (!json_is_true(json_object_get(n, "cable")))
        return "cable out";
    return json_is_true(json_object_get(n, "port_link")) ? "link" : "no link";
}

/* A tap may be in a bridge of the kernel's instead. */
static void show_condition(FILE *out, const json_t *n)
{
    const char *kernel = str(n, "kernel_bridge");

    if (json_is_true(json_object_get(n, "attached"))) {
        fputs(condition(n), out);
        return;
    }
    fprintf(out, "%s%s", *kernel ? "in the kernel's bridge " : "not attached",
            kernel);
    if (!json_is_true(json_object_get(n, "cable")))
        fputs(", cable out", out);
}

static void show_traffic(FILE *out, const json_t *n)
{
    if (json_object_get(n, "rx_frames"))
        fprintf(out,
                "    %-8s from it %lld frames, %lld octets; to it %lld frames, "
                "%lld octets\n",
                "traffic", num(n, "rx_frames"), num(n, "rx_bytes"),
                num(n, "tx_frames"), num(n, "tx_bytes"));
}

/* A port of the guest's own name is the usual. */
static void show_net(FILE *out, const json_t *n, const char *guest)
{
    const char *port = str(n, "port");
    const json_t *a;
    size_t i;

    fprintf(out, "  %-10s bridge %s", "net", str(n, "bridge"));
    if (*str(n, "elsewhere"))
        fprintf(out, ", but now in %s", str(n, "elsewhere"));
    if (strcmp(port, guest) != 0)
        fprintf(out, ", port %s", port);
    fprintf(out, ", %s: ", str(n, "kind"));
    show_condition(out, n);
    if (*str(n, "why"))
        fprintf(out, ", %s", str(n, "why"));
    fprintf(out, "\n    %-8s %s\n", "mac", str(n, "mac"));
    json_array_foreach(json_object_get(n, "addresses"), i, a)
    {
        fprintf(out, "    %-8s %s\n", "address", str(a, "address"));
    }
    show_traffic(out, n);
}

static void show_all(FILE *out, const json_t *g)
{
    const json_t *v;
    size_t i;

    fprintf(out, "%s: %s\n", str(g, "name"), str(g, "state"));
    line(out, json_object_get(g, "pid") ? "note" : "why", str(g, "why"));
    show_process(out, g);
    show_machine(out, g);
    json_array_foreach(json_object_get(g, "disks"), i, v)
    {
        show_disk(out, v);
    }
    line(out, "cdrom", str(g, "cdrom"));
    line(out, "kernel", str(g, "kernel"));
    line(out, "initrd", str(g, "initrd"));
    line(out, "cloud-init", str(g, "cloud_init"));
    line(out, "restart", str(g, "restart"));
    if (num(g, "stop_timeout"))
        fprintf(out, "  %-10s within %lld s\n", "stops",
                num(g, "stop_timeout"));
    json_array_foreach(json_object_get(g, "nets"), i, v)
    {
        show_net(out, v, str(g, "name"));
    }
    line(out, "console", str(g, "console"));
    line(out, "qmp", str(g, "qmp"));
    line(out, "vnc",
         *str(g, "vnc_socket") ? str(g, "vnc_socket") : str(g, "vnc"));
    line(out, "log", str(g, "log"));
}

int run_guest_show(struct client *c, int argc, char **argv)
{
    (void)argc;
    return client_show(c, "guest.show", json_pack("{s:s}", "name", argv[0]),
                       show_all);
}
