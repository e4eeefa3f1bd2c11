/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting until frames go through a lab.
 */
#include "ctl/client/lab_up.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PORT_PATIENCE 40 /* s, for a spanning tree to let it forward */

static int forwards(const struct maker *m, const char *port)
{
    int rc = lab_go_on(m);

    if (rc)
        return rc;
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
        const char *state = str(p, "state");

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
    int rc;

    for (unsigned n = 0; quiet < 5 && n < 5 * PORT_PATIENCE; n++) {
        quiet++;
        for (unsigned i = 0; i < conf->n_bridges; i++)
            if (is_on_its_way(m, conf->bridge[i].name))
                quiet = 0;
        rc = lab_go_on(m);
        if (rc)
            return rc;
        nanosleep(&step, NULL);
    }
    return quiet ? 0
                 : err_set(m->e, ETIMEDOUT,
                           "the spanning tree has not settled in %d s",
                           PORT_PATIENCE);
}

int lab_wait(const struct maker *m)
{
    const struct lab *lab = m->lab;
    int rc = lab->n_links ? settle_links(m) : 0;

    for (unsigned i = 0; !rc && i < lab->n_hosts; i++)
        rc = forwards(m, lab->host[i].name);
    for (unsigned i = 0; !rc && i < lab->conf->n_guests; i++)
        rc = guest_forwards(m, &lab->conf->guest[i]);
    return rc;
}
