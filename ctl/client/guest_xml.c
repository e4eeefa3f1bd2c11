/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's network cards as libvirt has them.
 */
#include "ctl/client/client.h"
#include "ctl/client/field.h"

#include <string.h>

#define FIRST_TCP 4000 /* of streams, for which libvirt has no UNIX sockets */

static bool is_stream(const json_t *net)
{
    return strcmp(str(net, "kind"), "stream") == 0;
}

/* As the value of an attribute. */
static void put_value(FILE *out, const char *s)
{
    for (; *s; s++) {
        if (strchr("&<>'\"", *s))
            fprintf(out, "&#%d;", *s);
        else
            fputc(*s, out);
    }
}

/* The first network on that bridge whose card is a tap? */
static bool is_first_on(const json_t *nets, size_t at)
{
    const char *bridge = str(json_array_get(nets, at), "bridge");

    for (size_t i = 0; i < at; i++) {
        const json_t *n = json_array_get(nets, i);

        if (!is_stream(n) && strcmp(str(n, "bridge"), bridge) == 0)
            return false;
    }
    return !is_stream(json_array_get(nets, at));
}

/* "lab", as in README.md; with several bridges there is one of each. */
static void put_network(FILE *out, const json_t *nets, const char *bridge)
{
    unsigned bridges = 0;

    for (size_t i = 0; i < json_array_size(nets); i++)
        bridges += is_first_on(nets, i);
    fputs("lab", out);
    if (bridges > 1) {
        fputc('-', out);
        put_value(out, bridge);
    }
}

/* ---- taps ---- */

/* What no comment may hold is left to the reader. */
static void put_definition(FILE *out, const json_t *nets, const char *bridge)
{
    fputs("       <network><name>", out);
    put_network(out, nets, strstr(bridge, "--") ? "BRIDGE" : bridge);
    fputs("</name><forward mode='bridge'/>\n         <bridge name='", out);
    put_value(out, strstr(bridge, "--") ? "BRIDGE" : bridge);
    fputs("'/><virtualport type='openvswitch'/></network>\n", out);
}

static void explain_taps(FILE *out, const json_t *nets)
{
    fputs("<!-- Taps, in one of two ways; README.md, \"libvirt and "
          "virt-manager\", has all of it.\n"
          "     By a network of libvirt's, which calls ovs-vsctl:\n",
          out);
    for (size_t i = 0; i < json_array_size(nets); i++)
        if (is_first_on(nets, i))
            put_definition(out, nets, str(json_array_get(nets, i), "bridge"));
    fputs("     Or type='ethernet', <target dev='PORT' managed='no'/> "
          "instead of <source/>, and in the\n"
          "     domain's <metadata>, for libvirt-hook, <b:port "
          "xmlns:b='urn:bascule' bridge='BRIDGE' dev='PORT'/>. -->\n",
          out);
}

static void put_tap(FILE *out, const json_t *nets, const json_t *n)
{
    long long queues =
        (long long)json_integer_value(json_object_get(n, "queues"));

    fprintf(out,
            "<interface type='network'>\n"
            "  <mac address='%s'/>\n"
            "  <source network='",
            str(n, "mac"));
    put_network(out, nets, str(n, "bridge"));
    fputs("'/>\n  <model type='virtio'/>\n", out);
    if (queues > 1)
        fprintf(out, "  <driver queues='%lld'/>\n", queues);
    fputs("</interface>\n", out);
}

/* ---- streams ---- */

static void explain_streams(FILE *out)
{
    fprintf(out,
            "<!-- Streams: libvirt has no element for QEMU's stream at a UNIX "
            "socket, but one for TCP,\n"
            "     which any user of this host can connect to, and which is "
            "not for a guest that runs.\n"
            "     For each, before the guest starts,\n"
            "       bascule addif BRIDGE "
            "stream:127.0.0.1:%d,listen=on,name=PORT -->\n",
            FIRST_TCP);
}

static void put_stream(FILE *out, const json_t *n, unsigned nth)
{
    fprintf(out,
            "<interface type='client'>\n"
            "  <mac address='%s'/>\n"
            "  <source address='127.0.0.1' port='%u'/>\n"
            "  <model type='virtio'/>\n"
            "</interface>\n",
            str(n, "mac"), FIRST_TCP + nth);
}

/* ---- all of them ---- */

static void put_nets(FILE *out, const json_t *nets)
{
    unsigned taps = 0, streams = 0;
    const json_t *n;
    size_t i;

    json_array_foreach(nets, i, n)
    {
        if (is_stream(n) && streams == 0)
            explain_streams(out);
        if (!is_stream(n) && taps == 0)
            explain_taps(out, nets);
        if (is_stream(n)) {
            put_stream(out, n, streams++);
        } else {
            put_tap(out, nets, n);
            taps++;
        }
    }
    if (taps + streams == 0)
        fputs("<!-- The guest has no network card. -->\n", out);
}

int run_guest_xml(struct client *c, int argc, char **argv)
{
    json_t *g =
        client_ask(c, "guest.show", json_pack("{s:s}", "name", argv[0]));

    (void)argc;
    if (!g)
        return 1;
    put_nets(stdout, json_object_get(g, "nets"));
    json_decref(g);
    return 0;
}
