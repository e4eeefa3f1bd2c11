/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a lab's hosts, and running their commands.
 */
#include "ctl/client/lab_up.h"
#include "ports/netns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MOMENT 300000000 /* ns; "at once" */

void lab_host_netns(const struct maker *m, const struct lab_host *h,
                    char out[80])
{
    snprintf(out, 80, "%s-%s", m->lab->name, h->name);
}

/* The daemon makes eth0 in there and holds its other side. */
static int plug_host(const struct maker *m, const struct lab_host *h,
                     const char *netns)
{
    char spec[200];
    int fd = netns_open(netns, m->e), rc;

    if (fd < 0)
        return fd;
    snprintf(spec, sizeof(spec), "tap:eth0,netns=%s,name=%s", netns, h->name);
    rc = lab_add_port(m, h->bridge, spec, fd);
    close(fd);
    return rc;
}

static int address_host(const struct maker *m, const struct lab_host *h,
                        const char *netns)
{
    char text[LAB_ADDR_MAX];
    int rc = LAB_IP(m->e, "-n", netns, "link", "set", "eth0", "up");

    if (!rc && h->addr.family == AF_INET)
        rc = LAB_IP(m->e, "-n", netns, "addr", "add",
                    lab_addr_text(&h->addr, true, text), "dev", "eth0");
    else if (!rc && h->addr.family) /* nobody else has it: the file is ours */
        rc =
            LAB_IP(m->e, "-n", netns, "addr", "add",
                   lab_addr_text(&h->addr, true, text), "dev", "eth0", "nodad");
    if (!rc && h->gateway.family)
        rc = LAB_IP(m->e, "-n", netns, "route", "add", "default", "via",
                    lab_addr_text(&h->gateway, false, text));
    return rc;
}

/* What is written down of it last. */
static json_t *last_made(const struct maker *m)
{
    json_t *made = lab_made(m->s);

    return json_array_get(made, json_array_size(made) - 1);
}

static int note_host(const struct maker *m, const struct lab_host *h,
                     const char *netns)
{
    char text[LAB_ADDR_MAX] = "";

    if (h->addr.family)
        lab_addr_text(&h->addr, true, text);
    return lab_note(m, json_pack("{s:s,s:s,s:s,s:s,s:s}", "what", "netns",
                                 "name", netns, "host", h->name, "bridge",
                                 h->bridge, "address", text));
}

/* By what it is known, should its name go. */
static int note_netns(const struct maker *m, const char *netns)
{
    int fd = netns_open(netns, m->e);
    struct lab_ns ns;

    if (fd < 0)
        return fd;
    if (lab_ns_of(fd, &ns))
        lab_ns_put(last_made(m), &ns);
    close(fd);
    return lab_state_save(m->s, m->e);
}

int lab_make_host(const struct maker *m, const struct lab_host *h)
{
    char netns[80];
    int rc;

    lab_host_netns(m, h, netns);
    rc = note_host(m, h, netns);
    if (!rc)
        rc = LAB_IP(m->e, "netns", "add", netns);
    if (!rc)
        rc = note_netns(m, netns);
    if (!rc)
        rc = LAB_IP(m->e, "-n", netns, "link", "set", "lo", "up");
    if (!rc)
        rc = plug_host(m, h, netns);
    if (!rc)
        rc = address_host(m, h, netns);
    return lab_at(m, &h->pos, rc);
}

/* ---- commands ---- */

/* What is written down of a host. */
static json_t *host_made(const struct maker *m, const struct lab_host *h)
{
    json_t *what;
    size_t i;

    json_array_foreach(lab_made(m->s), i, what)
    {
        if (strcmp(str(what, "host"), h->name) == 0)
            return what;
    }
    return NULL;
}

int lab_command_host(const struct maker *m, const struct lab_host *h)
{
    size_t stem = strlen(m->s->path) - strlen(".json");
    char netns[80], log[PATH_MAX + 40];
    json_t *what = host_made(m, h);
    int rc;

    if (!h->command)
        return 0;
    lab_host_netns(m, h, netns);
    snprintf(log, sizeof(log), "%.*s.%s.log", (int)stem, m->s->path, h->name);
    json_object_set_new(what, "log", json_string(log));
    rc = lab_command(netns, h->command, what, m->e);
    if (!rc)
        rc = lab_state_save(m->s, m->e);
    return lab_at(m, &h->pos, rc);
}

/* A command that cannot work ends at once; the lab is up nevertheless. */
void lab_tell_of_commands(const struct maker *m)
{
    const struct timespec moment = {0, COMMAND_MOMENT};
    bool any = false;

    for (unsigned i = 0; i < m->lab->n_hosts; i++)
        any |= m->lab->host[i].command != NULL;
    if (any)
        nanosleep(&moment, NULL);
    for (unsigned i = 0; any && i < m->lab->n_hosts; i++) {
        const struct lab_host *h = &m->lab->host[i];
        json_t *what = host_made(m, h);

        if (h->command && lab_command_ended(what))
            fprintf(stderr,
                    "note: %s:%u:%u: the command of %s ended at once, with %s: "
                    "see %s\n",
                    h->pos.file, h->pos.line, h->pos.column, h->name,
                    str(what, "ended"), str(what, "log"));
    }
    if (any)
        (void)lab_state_save(m->s, m->e);
}
