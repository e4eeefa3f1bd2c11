/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is there already, before a lab is made.
 */
#include "ctl/client/lab_up.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

static bool is_in(const json_t *list, const char *name)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        if (strcmp(str(v, "name"), name) == 0)
            return true;
    }
    return false;
}

/* What the daemon has of a kind; a new reference, NULL on error. */
static int list_of(const struct maker *m, const char *method, json_t **list)
{
    struct reply r;
    int rc = 0;

    if (!client_call(m->c, method, NULL, -1, &r))
        rc = reply_error(&r, m->e);
    *list = json_incref(r.result);
    reply_free(&r);
    return rc;
}

static int there_is(const struct maker *m, const struct conf_pos *pos,
                    const char *what, const char *name)
{
    return lab_at(m, pos,
                  err_set(m->e, EEXIST, "there is %s %s already", what, name));
}

static int check_bridges(const struct maker *m)
{
    const struct conf *conf = m->lab->conf;
    json_t *list;
    int rc = list_of(m, "bridge.show", &list);

    for (unsigned i = 0; !rc && i < conf->n_bridges; i++)
        if (is_in(list, conf->bridge[i].name))
            rc = there_is(m, &conf->bridge[i].pos, "a bridge",
                          conf->bridge[i].name);
    json_decref(list);
    return rc;
}

static int check_guests(const struct maker *m)
{
    const struct conf *conf = m->lab->conf;
    json_t *list;
    int rc;

    if (conf->n_guests == 0)
        return 0;
    rc = list_of(m, "guest.list", &list);
    for (unsigned i = 0; !rc && i < conf->n_guests; i++)
        if (is_in(list, conf->guest[i].name))
            rc = there_is(m, &conf->guest[i].pos, "a guest",
                          conf->guest[i].name);
    json_decref(list);
    return rc;
}

static int check_hosts(const struct maker *m)
{
    char netns[80];

    for (unsigned i = 0; i < m->lab->n_hosts; i++) {
        lab_host_netns(m, &m->lab->host[i], netns);
        if (lab_netns_exists(netns))
            return there_is(m, &m->lab->host[i].pos, "a network namespace",
                            netns);
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
                return there_is(m, &l->pos, "an interface", l->port[k]);
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

int lab_taken(const struct maker *m)
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
