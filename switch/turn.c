/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/turn.h"

#include "base/clock.h"
#include "switch/emit.h"
#include "switch/follow.h"
#include "switch/watch.h"

#include <errno.h>

/*
 * Room for a turn's frames at the size of a super-frame each, were all its
 * queues to deliver nothing else; reserved, and touched only as used.
 */
#define ARENA_SIZE (24UL * 1024 * 1024)

int turn_fwd_init(struct forwarder *f, unsigned ctx,
                  const _Atomic bool *observed)
{
    memset(f, 0, sizeof(*f));
    f->ctx = ctx;
    f->observed = observed;
    f->ready_tail = &f->ready;
    return arena_init(&f->arena, ARENA_SIZE);
}

void turn_fwd_free(struct forwarder *f)
{
    arena_destroy(&f->arena);
}

/* ---- ready queues ---- */

static void append_ready(struct forwarder *f, struct ingress *in)
{
    in->next = NULL;
    in->queued = true;
    *f->ready_tail = in;
    f->ready_tail = &in->next;
}

static struct ingress *take_ready(struct forwarder *f)
{
    struct ingress *in = f->ready;

    f->ready = in->next;
    if (!f->ready)
        f->ready_tail = &f->ready;
    in->queued = false;
    return in;
}

void turn_ready(struct port_queue *q)
{
    struct ingress *in = (struct ingress *)q;

    if (!in->queued)
        append_ready(in->fwd, in);
}

void turn_forget(struct ingress *in)
{
    struct forwarder *f = in->fwd;
    struct ingress **at = &f->ready;

    if (!in->queued)
        return;
    while (*at != in)
        at = &(*at)->next;
    *at = in->next;
    if (!*at)
        f->ready_tail = at;
    in->queued = false;
}

/* ---- commit: what the pipeline said would change ---- */

static void tell(struct forwarder *f, const struct plane *p,
                 enum sw_event_type type, uint64_t key, uint16_t port,
                 uint16_t old)
{
    const struct fdb_event e = {.time = f->now,
                                .key = key,
                                .bridge = p->bridge,
                                .port = port,
                                .old_port = old,
                                .type = (uint8_t)type};

    if (!atomic_load_explicit(f->observed, memory_order_relaxed))
        return;
    ring_push(&f->ring, &e);
    f->news = true;
}

/* The table may want its owner: wakes control, once until it has looked. */
static void attention(struct forwarder *f, struct plane *p)
{
    if (!fdb_pressed(p->fdb))
        return;
    atomic_store_explicit(&p->pressed, true, memory_order_release);
    f->news = true;
}

/* Is there something to send after the host that has announced itself? */
static void look_back(struct forwarder *f, struct plane *p,
                      const struct scene *s, uint16_t old,
                      const struct frame *frame)
{
    if (s->view->port[old] && s->view->port[old]->hold &&
        f->n_moved < TURN_MOVES && follow_announces(frame))
        f->moved[f->n_moved++] = (struct moved){.plane = p, .port = old};
}

static void learn(struct forwarder *f, struct plane *p, const struct scene *s,
                  uint64_t key, const struct frame *frame)
{
    struct fdb_value old = {0};

    switch (fdb_learn(s->fdb, &s->now, key, s->in->no, &old)) {
    case FDB_NEW:
    case FDB_REPLACED:
        tell(f, p, SW_EVENT_FDB_ADD, key, s->in->no, 0);
        attention(f, p);
        break;
    case FDB_MOVED:
        tell(f, p, SW_EVENT_FDB_MOVE, key, s->in->no, old.port);
        look_back(f, p, s, old.port, frame);
        break;
    case FDB_FULL:
    case FDB_PORT_FULL:
    case FDB_BUSY:
        attention(f, p);
        break;
    case FDB_KNOWN:
    case FDB_PINNED:
        break;
    }
}

static void flood(struct forwarder *f, const struct scene *s,
                  const struct fate *t, unsigned frame)
{
    const struct flood_list *l = &s->view->flood[t->flood];
    unsigned span = flood_span(s->in, l);

    for (unsigned i = 0; i < span; i++)
        if (flood_reaches(s->in, l->to[i]))
            emit_append(f, l->to[i], frame);
}

/*
 * The host listens to one address, its interface's.  What came for another of
 * the bridge's own, its port's for instance, is the host's as well: neighbours
 * may still know it by the uplink's address.  The kernel's bridge does so for
 * the address of the port by which the frame came.
 */
static bool address_host(struct forwarder *f, const struct view_port *host,
                         struct frame *frame)
{
    const struct mac *own = &host->caps.mac;

    if (memcmp(frame->seg[0].iov_base, own, sizeof(*own)) == 0 ||
        mac_is_zero(own))
        return true;
    if (!frame_own_head(frame, &f->arena))
        return false;
    memcpy(frame->seg[0].iov_base, own, sizeof(*own));
    return true;
}

static void deliver(struct forwarder *f, const struct fate *t, unsigned frame)
{
    if (t->verdict == REASON_LOCAL && t->to->no == BRIDGE_LOCAL &&
        !address_host(f, t->to, &f->frame[frame]))
        lane_add(&t->to->lane[f->ctx].reason[PORT_REASON_TX_NO_MEMORY], 1);
    else
        emit_append(f, t->to, frame);
}

/* To the spanning tree, if the port is within its budget. */
static void take_bpdu(struct forwarder *f, struct ingress *in, struct fate *t,
                      const struct frame *frame)
{
    if (!bpdu_ring_push(&in->lane->bpdus, f->now, frame->seg[0].iov_base,
                        (uint32_t)frame->seg[0].iov_len, frame->len)) {
        t->verdict = REASON_BPDU_FLOOD;
        return;
    }
    atomic_store_explicit(&in->plane->bpdus, true, memory_order_release);
    f->news = true;
}

/*
 * The frames' ingress counters and their places in the lists.  Verdicts are
 * counted in runs, as neighbours mostly share theirs.
 */
static void commit(struct forwarder *f, const struct scene *s,
                   struct ingress *in, unsigned first, unsigned n)
{
    struct lane *lane = in->lane;
    enum reason run = REASON_COUNT;
    unsigned length = 0;

    for (unsigned i = 0; i < n; i++) {
        struct fate *t = &f->fate[i];

        if (t->act == ACT_ONE) {
            if (t->to->hold && hold_wants(t->to->hold, f->now))
                hold_frame(t->to->hold, f->now, t->dst, &f->frame[first + i]);
            deliver(f, t, first + i);
        } else if (t->act == ACT_FLOOD)
            flood(f, s, t, first + i);
        else if (t->act == ACT_BPDU)
            take_bpdu(f, in, t, &f->frame[first + i]);
        if (t->tells)
            watch_look(f, in, &f->frame[first + i], !s->in->watches);
        if (t->note != NO_NOTE)
            lane_add(&lane->reason[t->note], 1);
        if (t->verdict != run) {
            if (length)
                lane_add(&lane->reason[run], length);
            run = t->verdict;
            length = 0;
        }
        length++;
    }
    if (length)
        lane_add(&lane->reason[run], length);
}

static void classify(struct forwarder *f, struct ingress *in, unsigned first,
                     unsigned n)
{
    const struct view *view = rcu_read(&in->plane->view);
    struct scene s = {
        .view = view,
        .in = view->port[in->no],
        .fdb = in->plane->fdb,
        .now = scene_now(view, f->now),
    };

    /* not in the view yet, or not any more */
    if (!s.in || s.in->port != in->q.port) {
        lane_add(&in->lane->reason[view->up ? REASON_PORT_STATE
                                            : REASON_BRIDGE_DOWN],
                 n);
        return;
    }
    s.late = in->fresh != s.in->opened;
    if (s.in->hold)
        hold_heard(s.in->hold, f->now);
    pipeline_ingress(&s, &f->frame[first], f->fate, n);
    for (unsigned i = 0; i < n; i++)
        if (f->fate[i].learn)
            learn(f, in->plane, &s, f->fate[i].src, &f->frame[first + i]);
    pipeline_decide(&s, f->fate, n);
    commit(f, &s, in, first, n);
}

/* ---- receive ---- */

static uint64_t count_received(struct ingress *in, const struct batch *b,
                               unsigned first)
{
    uint64_t bytes = 0, frames = b->n - first;

    for (unsigned i = first; i < b->n; i++)
        bytes += b->frame[i].len;
    for (unsigned r = 0; r < PORT_REASON_COUNT; r++) {
        if (b->lost[r]) {
            lane_add(&in->lane->reason[r], b->lost[r]);
            frames += b->lost[r];
        }
    }
    if (frames) {
        lane_add(&in->lane->rx_frames, frames);
        lane_add(&in->lane->rx_bytes, bytes);
    }
    return bytes;
}

/*
 * One queue's share of the turn.  A queue that gave all it was asked for goes
 * to the end of the list; another will be told by its watcher.
 */
static uint64_t serve(struct forwarder *f, struct ingress *in, struct batch *b)
{
    unsigned first = b->n;
    unsigned budget = b->max - first;
    uint64_t bytes;
    int n;

    if (budget > PIPELINE_BATCH)
        budget = PIPELINE_BATCH;
    memset(b->lost, 0, sizeof(b->lost));
    n = in->q.port->ops->rx(in->q.port, in->q.index, b, budget);
    bytes = count_received(in, b, first);
    for (unsigned i = first; i < b->n; i++) {
        b->frame[i].in_port = in->no;
        f->cut_used[i] = false;
    }
    if (b->n > first)
        classify(f, in, first, b->n - first);
    /* A dead device may look readable for ever: do not wait for control. */
    if (n < 0 && f->loop)
        in->q.port->ops->detach(in->q.port, &in->q, f->loop);
    if (n >= 0 && (unsigned)n >= budget)
        append_ready(f, in);
    if (in->fresh != in->asked && (n < (int)budget || f->now > in->asked_end))
        in->fresh = in->asked;
    return bytes;
}

unsigned turn_run(struct forwarder *f)
{
    struct batch b = {
        .frame = f->frame,
        .max = TURN_FRAMES,
        .arena = &f->arena,
        .turn = atomic_load_explicit(&f->stats.turns, memory_order_relaxed) + 1,
    };
    uint64_t bytes = 0;

    f->now = clock_now();
    f->arena.used = 0;
    while (f->ready && b.n < TURN_FRAMES && bytes < TURN_BYTES && !f->n_moved)
        bytes += serve(f, take_ready(f), &b);
    emit_lists(f);
    if (f->n_moved)
        follow_run(f);
    emit_kicks(f);
    lane_add(&f->stats.turns, 1);
    lane_add(&f->stats.frames, b.n);
    return b.n;
}

/* ---- a port that was shut ---- */

/*
 * A device's queue may hold frames that came while the port was shut.  A bridge
 * without such queues has dropped them; forwarded now, they would come a second
 * time to where another port has sent them.  A queue that is never empty is
 * taken to be fresh after a while.
 */
#define FRESHEN_NS (20 * NSEC_PER_MSEC)

void turn_freshen(struct ingress *in, uint32_t opened)
{
    in->asked = opened;
    in->asked_end = clock_now() + FRESHEN_NS;
    while (in->fresh != in->asked) {
        turn_ready(&in->q);
        (void)turn_run(in->fwd);
        rcu_quiescent();
    }
}
