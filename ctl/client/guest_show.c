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

static void show_uptime(FILE *out, const json_t *g)
{
    long s = (long)json_number_value(json_object_get(g, "uptime"));

    if (!json_object_get(g, "pid"))
        return;
    fprintf(out, "  %-10s %lld, up %ld:%02ld:%02ld, %s\n", "process",
            number(g, "pid"), s / 3600, s / 60 % 60, s % 60,
            text(g, "running_accel"));
}

static void show_disk(FILE *out, const json_t *d)
{
    fprintf(out, "  %-10s %s (%s, %s%s)\n", "disk", text(d, "path"),
            text(d, "format"), text(d, "bus"),
            json_is_true(json_object_get(d, "readonly")) ? ", read-only" : "");
}

static const char *condition(const json_t *n)
{
    if (!json_is_true(json_object_get(n, "attached")))
        return "not attached";
    if (!json_is_true(json_object_get(n, "cable")))
        return "cable out";
    return json_is_true(json_object_get(n, "port_link")) ? "link" : "no link";
}

static void show_net(FILE *out, const json_t *n)
{
    const json_t *a;
    size_t i;

    fprintf(out, "  %-10s %s on %s, %s, %s, %s", "net", text(n, "port"),
            text(n, "bridge"), text(n, "kind"), text(n, "mac"), condition(n));
    if (*text(n, "why"))
        fprintf(out, ": %s", text(n, "why"));
    fputc('\n', out);
    if (json_object_get(n, "rx_frames"))
        fprintf(out,
                "             from it %lld frames, %lld octets; to it %lld, "
                "%lld\n",
                number(n, "rx_frames"), number(n, "rx_bytes"),
                number(n, "tx_frames"), number(n, "tx_bytes"));
    json_array_foreach(json_object_get(n, "addresses"), i, a)
    {
        fprintf(out, "             address %s\n",
                json_is_string(a) ? json_string_value(a) : text(a, "address"));
    }
}

static void show_all(FILE *out, const json_t *g)
{
    const json_t *v;
    size_t i;

    fprintf(out, "%s: %s", text(g, "name"), text(g, "state"));
    fprintf(out, "%s%s\n", *text(g, "why") ? ", " : "", text(g, "why"));
    show_uptime(out, g);
    fprintf(out, "  %-10s %lld MB, %lld processor%s\n", "machine",
            number(g, "memory"), number(g, "cpus"),
            number(g, "cpus") == 1 ? "" : "s");
    json_array_foreach(json_object_get(g, "disks"), i, v)
    {
        show_disk(out, v);
    }
    line(out, "cdrom", text(g, "cdrom"));
    line(out, "kernel", text(g, "kernel"));
    line(out, "initrd", text(g, "initrd"));
    line(out, "cloud-init", text(g, "cloud_init"));
    line(out, "restart", text(g, "restart"));
    json_array_foreach(json_object_get(g, "nets"), i, v)
    {
        show_net(out, v);
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

/* ---- libvirt ---- */

static void xml_net(FILE *out, const json_t *n)
{
    fprintf(out,
            "<interface type='ethernet'>\n"
            "  <mac address='%s'/>\n"
            "  <target dev='%s' managed='no'/>\n"
            "  <model type='virtio'/>\n"
            "</interface>\n"
            "<!-- the tap is made by hand (ip tuntap add %s mode tap) and "
            "added to %s (bascule addif %s %s);\n"
            "     or, with a libvirt network of the name %s, which says "
            "<forward mode='bridge'/> <bridge name='%s'/>\n"
            "     <virtualport type='openvswitch'/>:\n"
            "<interface type='network'>\n"
            "  <mac address='%s'/>\n"
            "  <source network='%s'/>\n"
            "  <model type='virtio'/>\n"
            "</interface>\n"
            "-->\n",
            text(n, "mac"), text(n, "port"), text(n, "port"), text(n, "bridge"),
            text(n, "bridge"), text(n, "port"), text(n, "bridge"),
            text(n, "bridge"), text(n, "mac"), text(n, "bridge"));
}

int run_guest_xml(struct client *c, int argc, char **argv)
{
    const json_t *n;
    struct reply r;
    int status = 0;
    size_t i;

    (void)argc;
    if (!client_call(c, "guest.show", json_pack("{s:s}", "name", argv[0]), -1,
                     &r)) {
        status = client_complain(c, &r);
    } else {
        json_array_foreach(json_object_get(r.result, "nets"), i, n)
        {
            xml_net(stdout, n);
        }
    }
    reply_free(&r);
    return status;
}
