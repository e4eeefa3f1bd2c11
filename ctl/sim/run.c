/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network at work: what comes next is taken from the queue, engines are
 * told, their actions are carried out, and every step is checked.
 */
#include "ctl/sim/check.h"

#include <stdlib.h>
#include <string.h>

/* Whatever waits longest in an engine, and a margin. */
#define REST_MAX (600 * SIM_SECOND)

void sim_exhausted(struct sim *s)
{
    sim_fail(s, SIM_LINE_WRONG, "", "out of memory");
    s->over = true;
}

static void later(struct sim *s, struct sim_item it)
{
    if (sim_heap_push(&s->heap, it))
        sim_exhausted(s);
}

/* ---- frames ---- */

static uint32_t new_frame(struct sim *s)
{
    uint32_t n = s->frames ? 2 * s->frames : 64, i = s->frame_free;
    struct sim_frame *more;

    if (i == SIM_NONE) {
        more = realloc(s->frame, n * sizeof(*more));
        if (!more)
            return SIM_NONE;
        s->frame = more;
        for (i = s->frames; i < n; i++)
            more[i].next = i + 1 < n ? i + 1 : SIM_NONE;
        i = s->frames;
        s->frames = n;
    }
    s->frame_free = s->frame[i].next;
    return i;
}

/* What the frame says, and what it answers. */
static void note_words(struct sim_port *p, struct sim_frame *f)
{
    struct bpdu b;

    (void)bpdu_decode(&b, f->bytes, sizeof(f->bytes));
    if (stp_vector_compare(&b.vector, &p->truth.vector) != 0) {
        p->truth.vector = b.vector;
        p->truth.said++;
    }
    f->said = p->truth.said;
    f->answers = p->truth.heard;
    f->agreement = b.type == BPDU_RST && (b.flags & BPDU_AGREEMENT) &&
                   bpdu_role(&b) != BPDU_ROLE_DESIGNATED;
}

static void send(struct sim *s, uint32_t port, const uint8_t *bytes)
{
    struct sim_port *p = &s->port[port];
    struct sim_lan *l = &s->lan[p->lan];
    uint32_t i;

    s->result.frames++;
    if (p->mute || !sim_port_up(s, p)) {
        s->result.lost++;
        return;
    }
    i = new_frame(s);
    if (i == SIM_NONE) {
        sim_exhausted(s);
        return;
    }
    s->frame[i].from = port;
    s->frame[i].sent = s->now;
    memcpy(s->frame[i].bytes, bytes, BPDU_FRAME_LEN);
    note_words(p, &s->frame[i]);
    if (s->frame[i].agreement)
        sim_agrees(s, port);
    if (s->now + l->delay > l->last_at)
        l->last_at = s->now + l->delay;
    later(s, (struct sim_item){.at = l->last_at, .kind = SIM_DELIVER, .a = i});
}

static bool arrives(struct sim *s, const struct sim_port *q, uint64_t sent)
{
    uint32_t loss = s->lan[q->lan].loss;

    if (!s->bridge[q->bridge].stp || !q->config.up || sent < q->up_at)
        return false;
    if (q->deaf || (loss && sim_draw(s) % SIM_MILLION < loss)) {
        s->result.lost++;
        return false;
    }
    return true;
}

/* Before the engine is told, since it may open the port at once. */
static void note_answer(struct sim_port *q, const struct sim_frame *f)
{
    q->truth.heard = f->said;
    if (f->agreement)
        q->truth.stale = f->answers != q->truth.said;
}

static void deliver(struct sim *s, uint32_t frame)
{
    const struct sim_frame f = s->frame[frame];
    const struct sim_lan *l = &s->lan[s->port[f.from].lan];

    s->frame[frame].next = s->frame_free;
    s->frame_free = frame;
    for (uint32_t i = 0; i < l->ports; i++) {
        struct sim_port *q = &s->port[l->port[i]];
        struct stp_event e = {.type = STP_BPDU,
                              .port = q->number,
                              .frame = f.bytes,
                              .len = sizeof(f.bytes)};

        if ((l->port[i] == f.from && !l->loop) || !arrives(s, q, f.sent))
            continue;
        note_answer(q, &f);
        if (f.agreement)
            sim_agreement_comes(s, l->port[i], f.from);
        sim_tell(s, q->bridge, &e);
    }
}

/* ---- actions ---- */

static void changed(struct sim *s)
{
    s->result.changed_at = s->now;
    s->judged = false;
}

/*
 * Opening is in force at once.  Shutting takes a while, in which the port
 * goes on as before.
 */
static void set_state(struct sim *s, uint32_t port, enum stp_state state)
{
    struct sim_port *p = &s->port[port];

    p->asked++;
    changed(s);
    if (state == STP_DISCARDING) {
        later(s, (struct sim_item){.at = s->now + s->apply,
                                   .kind = SIM_APPLIED,
                                   .a = port,
                                   .b = s->bridge[p->bridge].life,
                                   .c = p->asked});
        return;
    }
    p->state = state;
    s->dirty |= state == STP_FORWARDING;
}

static void note(struct sim *s, uint32_t bridge, const struct stp_action *a)
{
    uint32_t port = s->bridge[bridge].port[a->port];
    const struct stp_note *n = &a->note;

    if (n->type == STP_NOTE_ROLE || n->type == STP_NOTE_ROOT)
        changed(s);
    if (n->type == STP_NOTE_STATE)
        s->port[port].truth.by_timer = n->cause == STP_CAUSE_DELAY;
    if (n->type == STP_NOTE_ROLE && n->role == STP_ROLE_DESIGNATED)
        sim_agrees_no_more(s, port);
    if (s->line)
        sim_say_note(s, bridge, a->port, n);
}

static void act(struct sim *s, uint32_t bridge, const struct stp_action *a)
{
    uint32_t port = s->bridge[bridge].port[a->port];

    switch (a->type) {
    case STP_DO_STATE:
        set_state(s, port, a->state);
        break;
    case STP_DO_SEND:
        send(s, port, a->frame);
        break;
    case STP_DO_TELL:
        note(s, bridge, a);
        break;
    case STP_DO_FLUSH:
    case STP_DO_AGEING:
        break;
    }
}

static void plan_tick(struct sim *s, uint32_t bridge)
{
    struct sim_bridge *b = &s->bridge[bridge];
    uint64_t at = stp_deadline(b->stp);

    if (at >= b->tick_at)
        return; /* a tick that comes too soon plans the next */
    b->tick_at = at;
    later(s, (struct sim_item){
                 .at = at, .kind = SIM_TICK, .a = bridge, .b = b->life});
}

void sim_tell(struct sim *s, uint32_t bridge, struct stp_event *e)
{
    struct sim_bridge *b = &s->bridge[bridge];
    struct stp_actions a = {.action = s->action, .max = SIM_ACTIONS};
    bool more;

    if (!b->stp || s->over)
        return;
    e->now = s->now;
    do {
        more = stp_step(b->stp, e, &a);
        s->result.steps++;
        for (unsigned i = 0; i < a.n; i++)
            act(s, bridge, &a.action[i]);
        sim_check(s);
        e->type = STP_TICK;
    } while (more);
    plan_tick(s, bridge);
}

void sim_tell_port(struct sim *s, uint32_t port)
{
    struct sim_port *p = &s->port[port];
    struct stp_event e = {
        .type = STP_PORT, .port = p->number, .port_config = &p->config};
    bool was = p->config.up;

    p->config.up = sim_port_up(s, p);
    if (p->config.up && !was) {
        p->up_at = s->now;
        s->dirty = true;
    }
    p->config.id = (uint16_t)(p->priority << 10 | p->number);
    p->config.p2p = s->lan[p->lan].ports <= 2 && !p->shared;
    sim_tell(s, p->bridge, &e);
}

void sim_tell_bridge(struct sim *s, uint32_t bridge)
{
    struct sim_bridge *b = &s->bridge[bridge];
    struct stp_event e = {.type = STP_BRIDGE, .config = &b->config};

    b->config.id = sim_bridge_id(b);
    sim_tell(s, bridge, &e);
}

void sim_start_bridge(struct sim *s, uint32_t bridge)
{
    struct sim_bridge *b = &s->bridge[bridge];

    b->life++;
    b->tick_at = STP_NEVER;
    if (b->host)
        return;
    b->stp = stp_new(b->ports);
    if (!b->stp) {
        sim_exhausted(s);
        return;
    }
    sim_tell_bridge(s, bridge);
    for (uint16_t n = 1; n <= b->ports; n++)
        if (b->port[n] != SIM_NONE)
            sim_tell_port(s, b->port[n]);
}

/* ---- what comes next ---- */

static void applied(struct sim *s, const struct sim_item *it)
{
    struct sim_port *p = &s->port[it->a];
    struct stp_event e = {.type = STP_APPLIED, .port = p->number};

    if (it->b != s->bridge[p->bridge].life || it->c != p->asked)
        return;
    p->state = STP_DISCARDING;
    sim_tell(s, p->bridge, &e);
}

static void tick(struct sim *s, const struct sim_item *it)
{
    struct sim_bridge *b = &s->bridge[it->a];
    struct stp_event e = {.type = STP_TICK};

    if (it->b != b->life || it->at != b->tick_at)
        return;
    b->tick_at = STP_NEVER;
    if (stp_deadline(b->stp) > s->now)
        plan_tick(s, it->a);
    else
        sim_tell(s, it->a, &e);
}

static void order(struct sim *s, const struct sim_order *o)
{
    s->orders_left--;
    if (o->verb != SIM_EXPECT) {
        s->result.since = s->now;
        s->judged = false;
    }
    sim_carry_out(s, o);
}

static void happen(struct sim *s, const struct sim_item *it)
{
    switch ((enum sim_kind)it->kind) {
    case SIM_TICK:
        tick(s, it);
        break;
    case SIM_DELIVER:
        deliver(s, it->a);
        break;
    case SIM_APPLIED:
        applied(s, it);
        break;
    case SIM_ORDER:
        order(s, &s->order[it->a]);
        break;
    }
}

static void start(struct sim *s)
{
    s->started = true;
    s->frame_free = SIM_NONE;
    s->set = calloc(2 * (s->bridges + s->lans) + 1U, sizeof(*s->set));
    if (!s->set) {
        sim_exhausted(s);
        return;
    }
    for (uint32_t i = 0; i < s->orders; i++)
        if (s->order[i].at != STP_NEVER) {
            later(s, (struct sim_item){
                         .at = s->order[i].at, .kind = SIM_ORDER, .a = i});
            s->orders_left++;
        }
    sim_excuses(s);
    for (uint32_t i = 0; i < s->bridges; i++)
        sim_start_bridge(s, i);
}

static void finish(struct sim *s)
{
    s->over = true;
    for (uint32_t i = 0; i < s->orders; i++)
        if (s->order[i].at == STP_NEVER)
            sim_carry_out(s, &s->order[i]);
}

/*
 * The longest time for which an engine may keep still and yet have something
 * before it: a delay, or information that is not renewed.
 */
static uint64_t rest(const struct sim *s)
{
    unsigned most = 0;

    for (uint32_t i = 0; i < s->bridges; i++) {
        const struct stp_config *c = &s->bridge[i].config;
        unsigned t =
            c->max_age > c->forward_delay ? c->max_age : c->forward_delay;

        t += 4 * c->hello;
        most = t > most ? t : most;
    }
    return most * (SIM_SECOND / STP_SECOND);
}

/* Has nothing changed for so long that nothing will? */
static bool at_rest(const struct sim *s, uint64_t at)
{
    uint64_t last = s->result.changed_at;

    if (s->result.since > last)
        last = s->result.since;
    return at > last + rest(s);
}

static bool come_to_rest(struct sim *s, uint64_t at)
{
    if (!s->judged && at_rest(s, at)) {
        s->judged = true;
        sim_judge(s);
    }
    s->result.quiet = s->judged;
    if (s->orders_left > 0)
        return false;
    if (!s->judged && at > s->result.since + REST_MAX) {
        sim_restless(s);
        return true;
    }
    return s->judged;
}

bool sim_next(struct sim *s, uint64_t until)
{
    struct sim_item it;

    if (!s->started) {
        start(s);
        return !s->over;
    }
    if (s->over)
        return false;
    /* Without bridges nothing is in the queue; time passes all the same. */
    if (!sim_heap_pop(&s->heap, &it))
        it = (struct sim_item){.at = STP_NEVER};
    if (come_to_rest(s, it.at) || it.at > until || it.at == STP_NEVER) {
        finish(s);
        return false;
    }
    s->now = s->result.now = it.at;
    happen(s, &it);
    return !s->over;
}

const struct sim_result *sim_result(const struct sim *s)
{
    return &s->result;
}

void sim_seed(struct sim *s, uint64_t seed)
{
    s->random = seed;
}
