/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's answers as text.  Pure but for the stream: what is printed
 * depends on the JSON alone.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_RENDER_H
#define CTL_CLIENT_RENDER_H

#include "base/mac.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct client;

/* ---- brctl's (render_brctl.c) ---- */

/* "show": *header says whether its first line has been printed. */
void render_show(FILE *out, const json_t *bridges, bool *header);

/* "showmacs": entries in any order, printed sorted by address. */
struct mac_entry {
    struct mac mac;
    uint16_t port;
    bool local;
    uint32_t age; /* centiseconds */
};
struct mac_list {
    struct mac_entry *mac;
    size_t n, cap;
};
void render_macs_add(struct mac_list *l, const json_t *entry);
void render_macs(FILE *out, struct mac_list *l);

/* "showstp" */
void render_stp(FILE *out, const json_t *result);

/* ---- the spanning tree (render_stp.c) ---- */

void render_stp_show(FILE *out, const json_t *bridges, bool details);
void render_stp_why(FILE *out, const json_t *result, bool details);

/* "monitor stp", until the daemon ends (stp.c); the exit status. */
int client_monitor_stp(struct client *c);

/* ---- our own (render.c) ---- */

void render_bridge(FILE *out, const json_t *bridge);
void render_ports(FILE *out, const json_t *ports);
void render_stats(FILE *out, const json_t *result);

/* Prints a streamed array of entries as JSON; the exit status. */
int client_entries(struct client *c, const char *method, json_t *params);

#endif
