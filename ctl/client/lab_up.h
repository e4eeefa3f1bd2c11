/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `bascule lab up`, inside: what is made of a lab's file, one kind of thing in
 * each file.
 *
 *   lab_up.c      all of it, or nothing
 *   lab_taken.c   what is there already
 *   lab_bridge.c  bridges, links between them, the uplink
 *   lab_host.c    hosts and their commands
 *   lab_wait.c    until frames go through
 *
 * Unless a line says otherwise: 0, or -errno with a sentence in m->e, which
 * begins with the place in the file if the thing has one.  What is half made
 * is taken back by lab_up.c, from what has been written down.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_LAB_UP_H
#define CTL_CLIENT_LAB_UP_H

#include "ctl/client/lab.h"

/* All of it is lab_up's. */
struct maker {
    struct client *c;
    const struct lab *lab;
    struct lab_state *s;
    int netns; /* our own; -1: it cannot be opened */
    struct err *e;
};

/* ---- lab_up.c ---- */

/* Puts the place in front of the sentence, if there is one; returns rc. */
int lab_at(const struct maker *m, const struct conf_pos *pos, int rc);
/* -EINTR: the user wants no more of it; -ENOTCONN: the daemon has ended. */
int lab_go_on(const struct maker *m);
/* Writes down what is about to be made (which it takes over), unless the user
 * wants no more; the short form for what has a name only. */
int lab_note(const struct maker *m, json_t *what);
int lab_note_name(const struct maker *m, const char *what, const char *name);

/* ---- lab_taken.c---- */

/* -EEXIST: something of it is there; or we may not make it. */
int lab_taken(const struct maker *m);

/* ---- lab_bridge.c ---- */

int lab_make_bridge(const struct maker *m, const struct conf_bridge *b);
int lab_make_link(const struct maker *m, const struct lab_link *l);
/* 0 also if the lab has none. */
int lab_make_uplink(const struct maker *m);
/* 'netns': where its device is. */
int lab_add_port(const struct maker *m, const char *bridge, const char *spec,
                 int netns);

/* ---- lab_host.c ---- */

/* The name of its namespace. */
void lab_host_netns(const struct maker *m, const struct lab_host *h,
                    char out[80]);
int lab_make_host(const struct maker *m, const struct lab_host *h);
/* Starts its command, if it has one. */
int lab_command_host(const struct maker *m, const struct lab_host *h);
/* Notes, on stderr, about commands that have ended at once: the lab is up
 * nevertheless. */
void lab_tell_of_commands(const struct maker *m);

/* ---- lab_wait.c ---- */

/* Until all of its ports forward, but for the uplink: its cable may be out. */
int lab_wait(const struct maker *m);

#endif
