/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which bridge of the kernel's has a guest's tap.  One is left there when its
 * adoption is undone, and nobody but the kernel knows it then.
 */
#include "ctl/guest/guest_impl.h"

#include "ports/netdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inquiry {
    struct guests *all;
    char *guest;
    pid_t pid;                          /* another process has other taps */
    char tap[GUEST_NETS_MAX][IFNAMSIZ]; /* "": there is nothing to ask */
    char bridge[GUEST_NETS_MAX][IFNAMSIZ];
    guest_shown done;
    void *arg;
};

static void inquiry_free(struct inquiry *q)
{
    free(q->guest);
    free(q);
}

/* Job thread; where taps are made. */
static void look(const char *tap, char bridge[IFNAMSIZ])
{
    struct netdev d, master;

    if (netdev_get(tap, 0, &d, NULL) == 0 && d.master &&
        netdev_get(NULL, d.master, &master, NULL) == 0 &&
        strcmp(master.kind, "bridge") == 0)
        memcpy(bridge, master.name, IFNAMSIZ);
}

static int work(void *arg, struct err *e)
{
    struct inquiry *q = arg;

    (void)e;
    for (unsigned i = 0; i < GUEST_NETS_MAX; i++)
        if (q->tap[i][0])
            look(q->tap[i], q->bridge[i]);
    return 0;
}

static void looked(void *arg, int rc, const struct err *e)
{
    struct inquiry *q = arg;
    const struct guest *g;

    (void)rc;
    (void)e;
    if (!q->all->ended) {
        g = guest_find(q->all, q->guest);
        q->done(q->arg, g ? guest_object(g, g->pid == q->pid ? q->bridge : NULL)
                          : NULL);
    }
    inquiry_free(q);
}

static bool is_unknown(const struct guest *g, unsigned i)
{
    return g->pid && g->def->net[i].kind == GUEST_TAP &&
           !place_port(&g->port[i]);
}

static struct inquiry *inquiry_new(const struct guest *g)
{
    struct inquiry *q = calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    q->all = g->all;
    q->pid = g->pid;
    q->guest = strdup(g->def->name);
    for (unsigned i = 0; i < g->def->n_nets; i++)
        if (is_unknown(g, i))
            snprintf(q->tap[i], IFNAMSIZ, "%s", g->def->net[i].port);
    if (q->guest)
        return q;
    free(q);
    return NULL;
}

void guest_full(struct guest *g, guest_shown done, void *arg)
{
    struct inquiry *q;
    bool asks = false;

    for (unsigned i = 0; i < g->def->n_nets; i++)
        asks |= is_unknown(g, i);
    if (!asks) {
        done(arg, guest_object(g, NULL));
        return;
    }
    q = inquiry_new(g);
    if (q) {
        q->done = done;
        q->arg = arg;
        if (sw_job(g->all->sw, work, looked, q) == 0)
            return;
        inquiry_free(q);
    }
    done(arg, NULL);
}
