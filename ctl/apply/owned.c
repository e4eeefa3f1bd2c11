/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/owned.h"

#include "ctl/config/load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configurations ---- */

struct conf_hold *conf_hold_new(struct conf *c)
{
    struct conf_hold *h = malloc(sizeof(*h));

    if (!h) {
        conf_free(c);
        return NULL;
    }
    *h = (struct conf_hold){.conf = c, .refs = 1};
    return h;
}

struct conf_hold *conf_hold_get(struct conf_hold *h)
{
    if (h)
        h->refs++;
    return h;
}

void conf_hold_put(struct conf_hold *h)
{
    if (!h || --h->refs > 0)
        return;
    conf_free(h->conf);
    free(h);
}

/* ---- bridges ---- */

/* -1 for -1; else a copy, or -2. */
static int copy_fd(int fd)
{
    int copy;

    if (fd < 0)
        return -1;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -2 : copy;
}

struct owned_bridge *owned_bridge_new(const char *name, uint64_t netns,
                                      int netns_fd)
{
    struct owned_bridge *b = calloc(1, sizeof(*b));
    int fd = b ? copy_fd(netns_fd) : -2;

    if (fd == -2) {
        free(b);
        return NULL;
    }
    snprintf(b->name, sizeof(b->name), "%s", name);
    b->netns = netns;
    b->netns_fd = fd;
    return b;
}

void owned_bridge_free(struct owned_bridge *b)
{
    struct owned_port *p;

    if (!b)
        return;
    for (unsigned i = 0; i < OWNED_BUCKETS; i++) {
        while ((p = LIST_FIRST(&b->port[i]))) {
            LIST_REMOVE(p, link);
            owned_port_free(p);
        }
    }
    conf_hold_put(b->record.conf);
    if (b->netns_fd >= 0)
        close(b->netns_fd);
    free(b);
}

struct owned_bridge *owned_find(const struct owned *o, const char *name)
{
    struct owned_bridge *b;

    LIST_FOREACH(b, o, link)
    {
        if (strcmp(b->name, name) == 0)
            return b;
    }
    return NULL;
}

/* ---- ports ---- */

struct owned_port *owned_port_new(const char *name, uint64_t netns,
                                  int netns_fd)
{
    struct owned_port *p = calloc(1, sizeof(*p));
    int fd = p ? copy_fd(netns_fd) : -2;

    if (fd == -2) {
        free(p);
        return NULL;
    }
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->netns = netns;
    p->netns_fd = fd;
    return p;
}

void owned_port_free(struct owned_port *p)
{
    if (!p)
        return;
    if (p->netns_fd >= 0)
        close(p->netns_fd);
    free(p);
}

/* FNV-1a */
static unsigned bucket(const char *name)
{
    uint32_t h = 2166136261U;

    while (*name)
        h = (h ^ (uint8_t)*name++) * 16777619U;
    return h % OWNED_BUCKETS;
}

void owned_port_add(struct owned_bridge *b, struct owned_port *p)
{
    LIST_INSERT_HEAD(&b->port[bucket(p->name)], p, link);
}

struct owned_port *owned_port_find(const struct owned_bridge *b,
                                   const char *name)
{
    struct owned_port *p;

    LIST_FOREACH(p, &b->port[bucket(name)], link)
    {
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}
