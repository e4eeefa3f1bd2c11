/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * brctl show, showmacs and showstp: brctl's columns to the letter.
 */
#include "ctl/client/client.h"
#include "ctl/client/render.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* ---- show ---- */

static int no_such_bridge(const struct client *c, const char *name,
                          const struct reply *r)
{
    if (r->err != ENODEV || strcmp(r->what, "bridge") != 0)
        return client_complain(c, r);
    if (if_nametoindex(name))
        fprintf(stderr, "device %s is not a bridge!\n", name);
    else
        fprintf(stderr, "bridge %s does not exist!\n", name);
    return 1;
}

/* One call; 'all' collects for -j. */
static int show_call(struct client *c, const char *name, bool *header,
                     json_t *all)
{
    json_t *params = name ? json_pack("{s:s}", "bridge", name) : NULL;
    struct reply r;
    int status = 0;

    if (!client_call(c, "show", params, -1, &r))
        status = name ? no_such_bridge(c, name, &r) : client_complain(c, &r);
    else if (c->json)
        json_array_extend(all, r.result);
    else
        render_show(stdout, r.result, header);
    reply_free(&r);
    return status;
}

int run_show(struct client *c, int argc, char **argv)
{
    json_t *all = json_array();
    bool header = false;
    int status = 0;

    if (argc == 0)
        status = show_call(c, NULL, &header, all);
    for (int i = 0; i < argc; i++)
        status |= show_call(c, argv[i], &header, all);
    if (c->json && (status == 0 || json_array_size(all) > 0))
        print_json(all);
    json_decref(all);
    return status;
}

/* ---- showmacs ---- */

static void collect_mac(void *arg, const json_t *item)
{
    render_macs_add(arg, item);
}

int run_showmacs(struct client *c, int argc, char **argv)
{
    json_t *params = json_pack("{s:s}", "bridge", argv[0]);
    struct mac_list list = {0};
    struct reply r;
    int status = 0, err;

    (void)argc;
    if (c->json)
        return client_entries(c, "showmacs", params);
    if (client_stream(c, "showmacs", params, collect_mac, &list, &r)) {
        render_macs(stdout, &list);
    } else if (r.err == ENODEV && strcmp(r.what, "bridge") == 0) {
        err = if_nametoindex(argv[0]) ? EOPNOTSUPP : ENODEV;
        fprintf(stderr, "read of forward table failed: %s\n", strerror(err));
        status = 1;
    } else {
        status = client_complain(c, &r);
    }
    free(list.mac);
    reply_free(&r);
    return status;
}

/* ---- showstp ---- */

int run_showstp(struct client *c, int argc, char **argv)
{
    json_t *params = json_pack("{s:s}", "bridge", argv[0]);
    struct reply r;
    int status = 0;

    (void)argc;
    if (!client_call(c, "showstp", params, -1, &r))
        status = no_such_bridge(c, argv[0], &r);
    else if (c->json)
        print_json(r.result);
    else
        render_stp(stdout, r.result);
    reply_free(&r);
    return status;
}
