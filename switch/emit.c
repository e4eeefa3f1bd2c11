/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/emit.h"

#include "ports/settle.h"

/* ---- handing over ---- */

/* The frames gathered for one port. */
struct parcel {
    struct forwarder *f;
    const struct view_port *to;
    struct lane *lane;
    unsigned n;
};

static void refuse(struct parcel *p, enum port_reason why)
{
    lane_add(&p->lane->reason[why], 1);
}

static void send_parcel(struct parcel *p)
{
    struct tx_result r = {0};

    if (p->n == 0)
        return;
    if (atomic_load_explicit(&p->to->port->failed, memory_order_relaxed)) {
        lane_add(&p->lane->reason[PORT_REASON_TX_FAILED], p->n);
        p->n = 0;
        return;
    }
    p->to->port->ops->tx(p->to->port, p->f->ctx, p->f->gather, p->n, &r);
    lane_add(&p->lane->tx_frames, r.sent);
    lane_add(&p->lane->tx_bytes, r.bytes);
    if (r.sent != p->n)
        for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
            if (r.refused[i])
                lane_add(&p->lane->reason[i], r.refused[i]);
    p->n = 0;
}

static void put(struct parcel *p, struct frame *frame)
{
    if (p->n == TURN_GATHER)
        send_parcel(p);
    p->f->gather[p->n++] = frame;
}

/* ---- fitting a frame to its port ---- */

/* The frame's plain form; made once per turn and way of completing it. */
static const struct cut *plain(struct forwarder *f, unsigned frame, bool csum)
{
    struct cut *c = &f->cut[frame][csum];
    enum port_reason why = PORT_REASON_TX_NO_MEMORY;
    unsigned n;

    if (!f->cut_used[frame]) {
        f->cut[frame][0].done = f->cut[frame][1].done = false;
        f->cut_used[frame] = true;
    }
    if (c->done)
        return c;
    n = offload_plain(&f->frame[frame], csum, f->scratch, OFFLOAD_PIECES_MAX,
                      &f->arena, &why);
    c->piece = n ? arena_alloc(&f->arena, n * sizeof(*c->piece)) : NULL;
    if (c->piece)
        memcpy(c->piece, f->scratch, n * sizeof(*c->piece));
    else if (n)
        why = PORT_REASON_TX_NO_MEMORY;
    c->n = c->piece ? (uint16_t)n : 0;
    c->why = (uint8_t)why;
    c->done = true;
    return c;
}

/* Most frames are single and complete and need no look at the port's caps. */
static bool fits(const struct frame *f, const struct port_caps *caps)
{
    return (f->csum == CSUM_COMPLETE && !frame_is_gso(f)) ||
           offload_fits(f, caps);
}

static bool short_enough(const struct frame *f, uint32_t mtu)
{
    return f->len <= mtu + FRAME_ETH_HLEN || offload_mtu_ok(f, mtu);
}

static void fit(struct parcel *p, unsigned i)
{
    struct frame *f = &p->f->frame[i];
    const struct port_caps *caps = &p->to->caps;
    const struct cut *c;

    if (f->csum == CSUM_UNKNOWN)
        settle(f);
    if (!short_enough(f, caps->mtu)) {
        refuse(p, PORT_REASON_TX_TOO_BIG);
        return;
    }
    if (fits(f, caps)) {
        put(p, f);
        return;
    }
    c = plain(p->f, i, caps->vnet && caps->tx_csum);
    if (c->n == 0)
        refuse(p, c->why);
    for (unsigned k = 0; k < c->n; k++)
        put(p, &c->piece[k]);
}

/* ---- lists ---- */

static void want_kick(struct forwarder *f, const struct view_port *to,
                      struct lane *lane)
{
    if (!to->port->ops->kick || lane->kick)
        return;
    if (f->n_kick == TURN_ENTRIES)
        emit_kicks(f);
    lane->kick = true;
    f->kick[f->n_kick++] = to;
}

void emit_touch(struct forwarder *f, const struct view_port *to)
{
    to->lane[f->ctx].to = to;
    f->touched[f->n_touched++] = to;
}

static void emit_list(struct forwarder *f, const struct view_port *to)
{
    struct parcel p = {.f = f, .to = to, .lane = &to->lane[f->ctx]};

    for (unsigned e = p.lane->head; e != LANE_END; e = f->entry[e].next)
        fit(&p, f->entry[e].frame);
    send_parcel(&p);
    p.lane->to = NULL;
    want_kick(f, to, p.lane);
}

void emit_lists(struct forwarder *f)
{
    for (unsigned i = 0; i < f->n_touched; i++)
        emit_list(f, f->touched[i]);
    f->n_touched = 0;
    f->n_entries = 0;
}

void emit_kicks(struct forwarder *f)
{
    for (unsigned i = 0; i < f->n_kick; i++) {
        const struct view_port *to = f->kick[i];

        to->lane[f->ctx].kick = false;
        to->port->ops->kick(to->port, f->ctx);
    }
    f->n_kick = 0;
}
