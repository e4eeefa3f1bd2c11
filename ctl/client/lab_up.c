/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a lab: all of it, or nothing.
 */
#include "ctl/client/lab_up.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ms: the devices of a daemon that ends go, and whatever needs them fails,
 * before it is heard that it has ended. */
#define END_MOMENT 300

/* Ctrl-C takes back what was made so far. */
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

int lab_at(const struct maker *m, const struct conf_pos *pos, int rc)
{
    return rc ? err_wrap(m->e, rc, "%s:%u:%u", pos->file, pos->line,
                         pos->column)
              : 0;
}

static int daemon_ended(const struct maker *m)
{
    return err_set(m->e, ENOTCONN, "basculed ended while the lab was made");
}

int lab_go_on(const struct maker *m)
{
    if (interrupted)
        return err_set(m->e, EINTR, "interrupted");
    return client_ended(m->c, 0) ? daemon_ended(m) : 0;
}

int lab_note(const struct maker *m, json_t *what)
{
    int rc = lab_go_on(m);

    if (!rc)
        return lab_state_add(m->s, what, m->e);
    json_decref(what);
    return rc;
}

int lab_note_name(const struct maker *m, const char *what, const char *name)
{
    return lab_note(m, json_pack("{s:s,s:s}", "what", what, "name", name));
}

/* ---- guests ---- */

static int make_guest(const struct maker *m, const struct conf_guest *g)
{
    json_t *def = json_loads(g->def, 0, NULL);
    int rc = def ? lab_note_name(m, "guest", g->name)
                 : err_set(m->e, ENOMEM, "out of memory");

    if (rc)
        json_decref(def);
    else
        rc = lab_call(m->c, "guest.define", def, m->e);
    if (!rc && g->start)
        rc = lab_call(m->c, "guest.start", json_pack("{s:s}", "name", g->name),
                      m->e);
    return lab_at(m, &g->pos, rc);
}

/* ---- all of it ---- */

static int make_all(const struct maker *m)
{
    const struct lab *lab = m->lab;
    int rc = 0;

    for (unsigned i = 0; !rc && i < lab->conf->n_bridges; i++)
        rc = lab_make_bridge(m, &lab->conf->bridge[i]);
    for (unsigned i = 0; !rc && i < lab->n_links; i++)
        rc = lab_make_link(m, &lab->link[i]);
    if (!rc)
        rc = lab_make_uplink(m);
    for (unsigned i = 0; !rc && i < lab->n_hosts; i++)
        rc = lab_make_host(m, &lab->host[i]);
    for (unsigned i = 0; !rc && i < lab->n_hosts; i++)
        rc = lab_command_host(m, &lab->host[i]);
    for (unsigned i = 0; !rc && i < lab->conf->n_guests; i++)
        rc = make_guest(m, &lab->conf->guest[i]);
    return rc ? rc : lab_wait(m);
}

static json_int_t daemon_pid(const struct maker *m)
{
    struct reply r;
    json_int_t pid = 0;

    if (client_call(m->c, "version", NULL, -1, &r))
        pid = json_integer_value(json_object_get(r.result, "pid"));
    else
        reply_error(&r, m->e);
    reply_free(&r);
    return pid;
}

static int make(struct maker *m, const char *file)
{
    struct err left = {""};
    json_int_t pid = daemon_pid(m);
    struct err why;
    int rc = pid ? lab_state_new(m->c, m->s, m->lab->name, file, pid, m->e)
                 : -ENOTCONN;

    if (rc)
        return rc;
    rc = lab_taken(m);
    if (!rc)
        rc = make_all(m);
    if (!rc)
        rc = lab_state_complete(m->s, m->e);
    if (!rc)
        return 0;
    if (rc != -EINTR && client_ended(m->c, END_MOMENT))
        rc = daemon_ended(m);
    why = *m->e;
    if (lab_remove(m->c, m->s, &left))
        err_set(m->e, rc, "%.150s; and not all is taken back: %.120s", why.text,
                left.text);
    lab_state_free(m->s);
    return rc;
}

static int make_and_show(struct maker *m, const char *file)
{
    int rc = make(m, file);

    if (rc)
        return complain(m->c, "lab %s: %s", m->lab->name, m->e->text);
    lab_tell_of_commands(m);
    rc = lab_show(m->c, m->s);
    lab_state_free(m->s);
    return rc;
}

int lab_up(struct client *c, const char *file)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct lab *lab;
    struct lab_state s;
    struct err e = {""};
    struct maker m = {.c = c, .s = &s, .e = &e};
    int status;

    if (lab_load(&lab, file, &e))
        return complain(c, "%s", e.text);
    m.lab = lab;
    if (lab_loop(lab, &e))
        fprintf(stderr, "note: %s\n", e.text);
    m.netns = open_own_netns();
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    status = make_and_show(&m, file);
    if (m.netns >= 0)
        close(m.netns);
    lab_free(lab);
    return status;
}
