/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests as text.
 */
#include "ctl/client/client.h"

#include <string.h>

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static long long number(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

/* ---- list ---- */

static void list_line(FILE *out, const json_t *g)
{
    const json_t *b;
    size_t i;

    fprintf(out, "%-15s %-10s %8lld %5lld  ", text(g, "name"), text(g, "state"),
            number(g, "memory"), number(g, "cpus"));
    json_array_foreach(json_object_get(g, "bridges"), i, b)
    {
        fprintf(out, "%s%s", i ? "," : "", json_string_value(b));
    }
    fputc('\n', out);
}

int run_guest_list(struct client *c, int argc, char **argv)
{
    const json_t *g;
    struct reply r;
    int status = 0;
    size_t i;

    (void)argc;
    (void)argv;
    if (!client_call(c, "guest.list", NULL, -1, &r)) {
        status = client_complain(c, &r);
    } else if (c->json) {
        print_json(r.result);
    } else {
        printf("%-15s %-10s %8s %5s  %s\n", "guest", "state", "MB", "cpus",
               "bridges");
        json_array_foreach(r.result, i, g)
        {
            list_line(stdout, g);
        }
    }
    reply_free(&r);
    return status;
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
                number(g, "pid"), s / 3600, s / 60 % 60, s % 60);
}

static void show_machine(FILE *out, const json_t *g)
{
    const char *accel = text(g, "running_accel");

    fprintf(out, "  %-10s %lld MB, %lld processor%s%s%s\n", "machine",
            number(g, "memory"), number(g, "cpus"),
            number(g, "cpus") == 1 ? "" : "s", *accel ? ", " : "", accel);
}

static void show_disk(FILE *out, const json_t *d)
{
    fprintf(out, "  %-10s %s (%s, %s%s)\n", "disk", text(d, "path"),
            text(d, "format"), text(d, "bus"),
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
    const char *kernel = text(n, "kernel_bridge");

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
                "traffic", number(n, "rx_frames"), number(n, "rx_bytes"),
                number(n, "tx_frames"), number(n, "tx_bytes"));
}

/* A port of the guest's own name is the usual. */
static void show_net(FILE *out, const json_t *n, const char *guest)
{
    const char *port = text(n, "port");
    const json_t *a;
    size_t i;

    fprintf(out, "  %-10s bridge %s", "net", text(n, "bridge"));
    if (*text(n, "elsewhere"))
        fprintf(out, ", but now in %s", text(n, "elsewhere"));
    if (strcmp(port, guest) != 0)
        fprintf(out, ", port %s", port);
    fprintf(out, ", %s: ", text(n, "kind"));
    show_condition(out, n);
    if (*text(n, "why"))
        fprintf(out, ", %s", text(n, "why"));
    fprintf(out, "\n    %-8s %s\n", "mac", text(n, "mac"));
    json_array_foreach(json_object_get(n, "addresses"), i, a)
    {
        fprintf(out, "    %-8s %s\n", "address", text(a, "address"));
    }
    show_traffic(out, n);
}

static void show_all(FILE *out, const json_t *g)
{
    const json_t *v;
    size_t i;

    fprintf(out, "%s: %s\n", text(g, "name"), text(g, "state"));
    line(out, json_object_get(g, "pid") ? "note" : "why", text(g, "why"));
    show_process(out, g);
    show_machine(out, g);
    json_array_foreach(json_object_get(g, "disks"), i, v)
    {
        show_disk(out, v);
    }
    line(out, "cdrom", text(g, "cdrom"));
    line(out, "kernel", text(g, "kernel"));
    line(out, "initrd", text(g, "initrd"));
    line(out, "cloud-init", text(g, "cloud_init"));
    line(out, "restart", text(g, "restart"));
    if (number(g, "stop_timeout"))
        fprintf(out, "  %-10s within %lld s\n", "stops",
                number(g, "stop_timeout"));
    json_array_foreach(json_object_get(g, "nets"), i, v)
    {
        show_net(out, v, text(g, "name"));
    }
    line(out, "console", text(g, "console"));
    line(out, "qmp", text(g, "qmp"));
    line(out, "vnc",
         *text(g, "vnc_socket") ? text(g, "vnc_socket") : text(g, "vnc"));
    line(out, "log", text(g, "log"));
}

int run_guest_show(struct client *c, int argc, char **argv)
{
    struct reply r;
    int status = 0;

    (void)argc;
    if (!client_call(c, "guest.show", json_pack("{s:s}", "name", argv[0]), -1,
                     &r))
        status = client_complain(c, &r);
    else if (c->json)
        print_json(r.result);
    else
        show_all(stdout, r.result);
    reply_free(&r);
    return status;
}
