/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/follow.h"

#include "switch/emit.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

/* RFC 903; QEMU and others send it when a guest goes on after a move. */
bool follow_announces(const struct frame *f)
{
    static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint16_t type = htons(ETH_P_RARP);
    const uint8_t *at = f->seg[0].iov_base;

    return memcmp(at, all, sizeof(all)) == 0 &&
           memcmp(at + 2 * ETH_ALEN, &type, sizeof(type)) == 0;
}

/* Where it would go now; NULL: to nobody, or to the old port again. */
static const struct view_port *whither(const struct forwarder *f,
                                       const struct moved *m,
                                       const struct view *view,
                                       const struct held *held)
{
    const struct view_port *in = view->port[held->frame.in_port];
    const struct scene s = {
        .view = view,
        .in = in,
        .fdb = m->plane->fdb,
        .now = scene_now(view, f->now),
    };
    struct fate t = {.act = ACT_ONE, .dst = held->key};

    if (!in || !in->forwarding || !view->up)
        return NULL;
    pipeline_decide(&s, &t, 1);
    return t.act == ACT_ONE && t.verdict == REASON_FORWARDED &&
                   t.to->no != m->port
               ? t.to
               : NULL;
}

static void follow(struct forwarder *f, const struct moved *m)
{
    const struct view *view = rcu_read(&m->plane->view);
    const struct view_port *old = view->port[m->port];
    struct held held;
    uint8_t *bytes;
    size_t n, at = 0;
    unsigned k = 0;

    if (!old || !old->hold)
        return;
    f->arena.used = 0;
    n = hold_take(old->hold, f->now, &f->arena, &bytes);
    while (hold_next(bytes, n, &at, &held)) {
        const struct view_port *to = whither(f, m, view, &held);

        if (!to)
            continue;
        f->frame[k] = held.frame;
        f->cut_used[k] = false;
        emit_append(f, to, k);
        lane_add(&old->lane[f->ctx].reason[REASON_FOLLOWED], 1);
        if (++k == TURN_FRAMES) {
            emit_lists(f);
            k = 0;
        }
    }
    emit_lists(f);
}

void follow_run(struct forwarder *f)
{
    for (unsigned i = 0; i < f->n_moved; i++)
        follow(f, &f->moved[i]);
    f->n_moved = 0;
}
