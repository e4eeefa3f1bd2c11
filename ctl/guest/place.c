/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which port a guest's card is behind, whoever has added it, wherever it is
 * and whatever it is called: for a tap the one that stands on its interface,
 * for a stream the one that connects to its socket.
 */
#include "ctl/guest/guest_impl.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Where taps are made. */
static uint64_t own_netns(void)
{
    struct stat st;

    return stat("/proc/self/ns/net", &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

/*
 * What an interface is called the kernel says without its lock of all
 * interfaces, for which we must not wait.  Which one has a name it would say
 * so as well, but if there is none it first tries to load a module for it.
 */
static bool stands_on_tap(const struct bport *p, const struct guest_net *n)
{
    char name[IF_NAMESIZE];
    struct bport_info i;

    if (strcmp(bport_spec(p)->kind, "packet") != 0)
        return false;
    bport_info(p, &i);
    return i.ifindex > 0 && i.netns == own_netns() &&
           if_indextoname((unsigned)i.ifindex, name) &&
           strcmp(name, n->port) == 0;
}

static bool connects(const struct bport *p, const struct guest *g, unsigned net)
{
    const struct port_spec *s = bport_spec(p);
    char path[PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/%s", g->dir, args_net_socket(net));
    return strcmp(s->kind, "stream") == 0 && s->target &&
           strcmp(s->target, path) == 0;
}

bool place_is(const struct guest *g, unsigned net, const struct bport *p)
{
    const struct guest_net *n = &g->def->net[net];

    return n->kind == GUEST_STREAM ? connects(p, g, net) : stands_on_tap(p, n);
}

void place_set(struct guest_port *p, const char *bridge, const char *port)
{
    p->state = NET_THERE;
    p->due = false;
    snprintf(p->bridge, sizeof(p->bridge), "%s", bridge);
    snprintf(p->name, sizeof(p->name), "%s", port);
}

struct bport *place_port(const struct guest_port *p)
{
    struct bridge *b =
        p->state == NET_THERE ? bridge_find(p->g->all->sw, p->bridge) : NULL;

    return b ? bport_find(b, p->name) : NULL;
}

bool place_adopted(const struct bridge *b)
{
    struct bridge_info i;

    bridge_info(b, &i);
    return i.device[0] && strcmp(i.device, i.name) != 0 &&
           i.netns == own_netns();
}

const char *guest_behind(struct guests *all, const char *bridge,
                         const char *port)
{
    const struct guest *g;

    TAILQ_FOREACH(g, &all->list, link)
    {
        for (unsigned i = 0; g->pid && i < g->def->n_nets; i++) {
            const struct guest_port *p = &g->port[i];

            if (place_port(p) && strcmp(p->bridge, bridge) == 0 &&
                strcmp(p->name, port) == 0)
                return g->def->name;
        }
    }
    return NULL;
}
