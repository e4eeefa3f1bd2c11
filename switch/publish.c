/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a turn of the control thread: views of the bridges that changed
 * are published, and one grace period serves everything that waits for one,
 * be it a caller's answer, a port to be closed, a view to be freed or the
 * table.  While a grace period is under way the next one's customers gather.
 */
#include "switch/bridge.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* ---- answers ---- */

void changes_init(struct changes *c)
{
    c->head = NULL;
    c->tail = &c->head;
}

void changes_move(struct changes *to, struct changes *from)
{
    if (!from->head)
        return;
    *to->tail = from->head;
    to->tail = from->tail;
    changes_init(from);
}

void changes_run(struct changes *c)
{
    struct changes mine;

    changes_init(&mine);
    changes_move(&mine, c);
    while (mine.head) {
        struct change *ch = mine.head;

        mine.head = ch->next;
        if (ch->done)
            ch->done(ch->arg, ch->rc, &ch->e);
        free(ch);
    }
}

struct change *change_new(struct changes *c, sw_done done, void *arg)
{
    struct change *ch = calloc(1, sizeof(*ch));
    struct err e;

    if (!ch) {
        if (done)
            done(arg, err_set(&e, ENOMEM, "out of memory"), &e);
        return NULL;
    }
    ch->done = done;
    ch->arg = arg;
    *c->tail = ch;
    c->tail = &ch->next;
    return ch;
}

void changes_fail(struct changes *c, int rc, const struct err *e)
{
    for (struct change *ch = c->head; ch; ch = ch->next) {
        ch->rc = rc;
        if (e)
            ch->e = *e;
    }
}

static void run_answers(struct message *m)
{
    struct sw *sw =
        (struct sw *)(void *)((char *)m - offsetof(struct sw, answer_message));

    changes_run(&sw->answers);
}

void sw_answer_all(struct sw *sw, struct changes *c)
{
    if (!c->head)
        return;
    changes_move(&sw->answers, c);
    inbox_post(&sw->inbox, &sw->answer_message);
}

void sw_answer(struct sw *sw, sw_done done, void *arg, int rc,
               const struct err *e)
{
    struct changes c;

    changes_init(&c);
    if (!done || !change_new(&c, done, arg))
        return;
    changes_fail(&c, rc, e);
    sw_answer_all(sw, &c);
}

void sw_want_grace(struct sw *sw)
{
    sw->grace_due = true;
}

void sw_stage(struct sw *sw, struct changes *c)
{
    changes_move(&sw->staged, c);
    sw_want_grace(sw);
}

/* ---- views ---- */

void bridge_dirty(struct bridge *b)
{
    b->dirty = true;
}

void bport_dirty(struct bport *p)
{
    p->stale = true;
    bridge_dirty(p->b);
}

void bridge_all_dirty(struct bridge *b)
{
    for (unsigned i = 0; i < VIEW_PORTS; i++)
        if (b->port[i])
            b->port[i]->stale = true;
    bridge_dirty(b);
}

static struct view_port *record_new(const struct bport *p)
{
    const struct bridge *b = p->b;
    bool pending = b->gen_wait[p->no];
    struct view_port r = {
        .port = p->port,
        .lane = p->lane,
        .no = p->no,
        .fwd_mask =
            (uint16_t)(b->param[BRIDGE_FWD_MASK] | p->param[BPORT_FWD_MASK]),
        .forwarding = bport_forwarding(p),
        .learns_only = bport_state(p) == BPORT_LEARN,
        .opened = p->opened,
        .bpdu_filter = p->param[BPORT_BPDU_FILTER],
        .learning = p->param[BPORT_LEARNING] && !pending,
        .hairpin = p->param[BPORT_HAIRPIN],
        .isolated = p->param[BPORT_ISOLATED],
        .watches = p->param[BPORT_WATCH_ADDRESSES],
        .hold = p->param[BPORT_FOLLOW_MOVES] ? p->hold : NULL,
        .flood = {[FLOOD_UNICAST] = p->param[BPORT_FLOOD],
                  [FLOOD_MULTICAST] = p->param[BPORT_FLOOD_MCAST],
                  [FLOOD_BROADCAST] = p->param[BPORT_FLOOD_BCAST],
                  [FLOOD_FROM_LOCAL] = p->no != BRIDGE_LOCAL},
        .caps = p->caps,
    };

    return view_port_new(&r);
}

static int refresh_record(struct bport *p)
{
    struct view_port *r;

    if (!p->stale && p->record)
        return 0;
    if (p->param[BPORT_FOLLOW_MOVES] && !p->hold && !(p->hold = hold_new()))
        return -ENOMEM;
    r = record_new(p);
    if (!r)
        return -ENOMEM;
    view_port_put(p->record);
    p->record = r;
    p->stale = false;
    return 0;
}

static int view_make(struct bridge *b, struct view **out)
{
    const struct view_port *ports[VIEW_PORTS] = {0};
    bool watches = false;

    for (unsigned i = 0; i < VIEW_PORTS; i++) {
        struct bport *p = b->port[i];

        if (!p || p->life != LIFE_RUNNING)
            continue;
        if (refresh_record(p))
            return -ENOMEM;
        ports[i] = p->record;
        watches |= p->record->watches;
    }
    *out = view_new(ports, b->gens);
    if (!*out)
        return -ENOMEM;
    (*out)->up = bridge_up(b);
    (*out)->stp = b->tree.stp != NULL;
    (*out)->watches = watches;
    (*out)->ageing = tree_ageing(b);
    return 0;
}

/* After the view: who sees it true finds the view that makes it so. */
static void tell_forwarding(struct bport *p)
{
    atomic_store_explicit(&p->port->forwarding, bport_forwarding(p),
                          memory_order_release);
}

/* When memory is short the old view stays in force and the next turn tries
 * again; callers get their answers only then. */
static bool publish_bridge(struct bridge *b)
{
    struct view *v, *old;

    local_identity(b);
    tree_update(b);
    local_update(b);
    if (view_make(b, &v)) {
        log_error("bridge %s: no memory for a new view", b->name);
        return false;
    }
    old = rcu_read(&b->plane.view);
    rcu_publish(&b->plane.view, v);
    if (old) {
        old->next = b->sw->retired;
        b->sw->retired = old;
    }
    b->dirty = false;
    own_follow(b);
    memset(b->gen_new, 0, sizeof(b->gen_new));
    sw_want_grace(b->sw);
    for (unsigned i = 0; i < VIEW_PORTS; i++)
        if (b->port[i]) {
            tell_forwarding(b->port[i]);
            if (b->port[i]->opened != b->port[i]->opened_out)
                life_freshen(b->port[i]);
            observe_state(b->port[i]);
            addresses_follow(b->port[i]);
        }
    return true;
}

/* ---- grace periods ---- */

static void grace_work(struct job *j)
{
    (void)j;
    rcu_wait();
}

static void free_views(struct view **list)
{
    struct view *v;

    while ((v = *list)) {
        *list = v->next;
        view_free(v);
    }
}

static void grace_done(struct message *m)
{
    struct sw *sw =
        (struct sw *)(void *)((char *)m - offsetof(struct sw, grace.done));
    struct bridge *next;

    sw->grace_running = false;
    sw->grace_count++;
    free_views(&sw->retired_in_grace);
    for (struct bridge *b = sw->bridges; b; b = next) {
        next = b->next;
        if (b->grace_running)
            table_graced(b);
        tree_graced(b);
        for (unsigned i = 0; i < VIEW_PORTS; i++)
            if (b->port[i] && b->port[i]->in_grace)
                life_graced(b->port[i]);
    }
    changes_run(&sw->in_grace);
}

static void grace_start(struct sw *sw)
{
    sw->grace_due = false;
    sw->grace_running = true;
    changes_move(&sw->in_grace, &sw->staged);
    sw->retired_in_grace = sw->retired;
    sw->retired = NULL;
    for (struct bridge *b = sw->bridges; b; b = b->next) {
        b->grace_running = b->grace_wanted;
        b->grace_wanted = 0;
        tree_grace(b);
        for (unsigned i = 0; i < VIEW_PORTS; i++)
            if (b->port[i] && b->port[i]->life == LIFE_GRACE)
                b->port[i]->in_grace = true;
    }
    jobs_add(&sw->graces, &sw->grace);
}

void publish_start(struct sw *sw)
{
    changes_init(&sw->answers);
    changes_init(&sw->staged);
    changes_init(&sw->in_grace);
    sw->answer_message.run = run_answers;
    sw->grace.work = grace_work;
    sw->grace.done.run = grace_done;
}

void publish_turn(struct sw *sw)
{
    bool all = true;

    for (struct bridge *b = sw->bridges; b; b = b->next)
        if (b->dirty && !publish_bridge(b))
            all = false;
    if (all && sw->grace_due && !sw->grace_running)
        grace_start(sw);
}
