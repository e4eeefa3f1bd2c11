/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports come from a specification, and their memory goes again.
 */
#include "switch/life.h"

#include <errno.h>
#include <stdlib.h>

void bport_free(struct bport *p)
{
    struct sw *sw = p->b->sw;

    inbox_cancel(&sw->inbox, &p->message);
    netwatch_remove(p->watch);
    bport_set_note(p, NULL, NULL);
    port_free(p->port);
    view_port_put(p->record);
    free(p->lane);
    hold_free(p->hold);
    free(p);
}

static int lanes_new(struct bport *p)
{
    size_t size = p->b->sw->n_forwarders * sizeof(*p->lane);

    p->lane = aligned_alloc(_Alignof(struct lane), size);
    if (!p->lane)
        return -ENOMEM;
    memset(p->lane, 0, size);
    return 0;
}

static int watch(struct bport *p, struct err *e)
{
    int fd = p->port->spec.netns_fd;
    int rc = 0;

    if (!p->port->kind->netdev || !p->port->ops->link)
        return 0;
    p->netns = p->netns_first = netns_id(fd);
    p->watch = netwatch_add(p->b->sw->netwatch, fd, &rc, e);
    return rc;
}

static int birth(struct bport *p, const struct port_spec *spec, struct err *e)
{
    int rc;

    p->port = port_new(spec, &rc, e);
    if (!p->port)
        return rc;
    p->port->owner = p;
    p->port->event = device_event;
    p->port->n_txctx = p->b->sw->n_forwarders;
    if (lanes_new(p))
        return err_set(e, ENOMEM, "port %s: no memory", spec->name);
    return watch(p, e);
}

struct bport *bport_new(struct bridge *b, const struct port_spec *spec,
                        uint16_t no, int *rc, struct err *e)
{
    struct bport *p = calloc(1, sizeof(*p));

    if (!p) {
        *rc = err_set(e, ENOMEM, "port %s: no memory", spec->name);
        return NULL;
    }
    p->b = b;
    p->no = no;
    p->adding = true;
    p->life = LIFE_OPENING;
    p->message.run = device_message;
    changes_init(&p->on_add);
    changes_init(&p->on_del);
    *rc = birth(p, spec, e);
    if (*rc) {
        bport_free(p);
        return NULL;
    }
    return p;
}
