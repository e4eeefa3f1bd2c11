/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine's frame: events in, machines run until nothing moves, actions
 * out, the next deadline.
 */
#include "switch/stp/engine.h"

#include <assert.h>
#include <stdlib.h>

/* Actions that one port's machines may ask for before there is another look
 * at the room left: a handful, with a wide margin. */
#define ROOM_PER_PORT 24

struct stp *stp_new(uint16_t ports)
{
    struct stp *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->port = calloc(ports + 1U, sizeof(*s->port));
    if (!s->port) {
        free(s);
        return NULL;
    }
    s->ports = ports;
    s->cause.why = s->tree_cause.why = STP_CAUSE_START;
    return s;
}

void stp_free(struct stp *s)
{
    if (s)
        free(s->port);
    free(s);
}

/* ---- what machines share ---- */

void stp_wake_all(struct stp *s)
{
    s->wakes++;
}

static bool due(const struct stp *s, const struct stp_port *p)
{
    return p->todo || p->seen != s->wakes;
}

void stp_reselect(struct stp *s, struct stp_port *p)
{
    p->reselect = true;
    p->selected = false;
    s->roles_due = true;
    p->todo = true;
}

void stp_blame(struct stp *s, enum stp_cause why, uint16_t port,
               uint64_t bridge)
{
    s->cause = s->tree_cause =
        (struct cause){.why = why, .port = port, .bridge = bridge};
}

struct stp_action *stp_do(struct stp *s, enum stp_action_type type,
                          uint16_t port)
{
    struct stp_action *a;

    assert(s->out->n < s->out->max);
    a = &s->out->action[s->out->n++];
    memset(a, 0, sizeof(*a));
    a->type = type;
    a->port = port;
    return a;
}

struct stp_note *stp_tell(struct stp *s, const struct stp_port *p,
                          enum stp_note_type type, const struct cause *why)
{
    struct stp_note *n = &stp_do(s, STP_DO_TELL, p ? p->number : 0)->note;

    n->type = type;
    n->cause = why->why;
    n->cause_port = why->port;
    n->cause_bridge = why->bridge;
    if (p) {
        n->role = p->role;
        n->guard = stp_guard_of(s, p);
        n->vector = p->port_priority;
    }
    return n;
}

void stp_tell_role(struct stp *s, struct stp_port *p)
{
    enum stp_role was = p->shown_role;

    if (p->role == was)
        return;
    p->shown_role = p->role;
    stp_tell(s, p, STP_NOTE_ROLE, &s->tree_cause)->was = was;
}

/* ---- ports ---- */

static struct stp_port *find(struct stp *s, uint16_t port)
{
    return port >= 1 && port <= s->ports && s->port[port].number
               ? &s->port[port]
               : NULL;
}

/* The link that leads to the first port whose number is not below 'port'. */
static uint16_t *link_to(struct stp *s, uint16_t port)
{
    uint16_t *at = &s->first;

    while (*at && *at < port)
        at = &s->port[*at].next;
    return at;
}

/* BEGIN (17.18.1) for one port; what is counted and configured stays. */
static void begin(struct stp *s, struct stp_port *p)
{
    const struct stp_port old = *p;

    memset(p, 0, sizeof(*p));
    p->number = old.number;
    p->next = old.next;
    p->config = old.config;
    p->counts = old.counts;
    p->bpdu_seen = old.bpdu_seen;
    p->recover_at = old.recover_at;
    p->shown_guard = old.shown_guard;
    p->shown_edge = old.shown_edge;
    p->shown_stp = old.shown_stp;
    p->shown_role = old.shown_role;
    /* What is in force stays so until the machines have it changed. */
    p->learning = old.learning;
    p->forwarding = old.forwarding;
    p->applying = old.applying;
    p->knows = old.knows;
    p->flush_due = true;
    p->state_cause = s->cause;
    p->enabled = p->config.up && !p->bpdu_seen;
    p->migration = MIGRATION_CHECKING;
    p->send_rst = rstp_version(s);
    p->mdelay_while = p->edge_delay_while = s->now + MIGRATE_TIME;
    p->role = p->selected_role = STP_ROLE_DISABLED;
    p->sync = p->re_root = true; /* INIT_PORT (figure 17-20) */
    p->oper_edge = p->config.admin_edge && !p->config.assurance;
    p->new_info = true;
    stp_guard_reset(s, p);
    stp_reselect(s, p);
}

/* It has been through INIT_PORT, with another bridge. */
static void inherit(struct stp *s, struct stp_port *p,
                    const struct stp_heritage *h)
{
    p->learn = p->forward = p->forwarding;
    p->sync = p->re_root = false;
    p->migration = MIGRATION_STP;
    p->send_rst = false;
    if (!h->heard)
        return;
    p->msg = (struct bpdu){
        .type = BPDU_CONFIG, .vector = h->vector, .times = h->times};
    p->msg_at = s->now;
    p->heard = p->rcvd_bpdu = true;
}

static void add_port(struct stp *s, uint16_t number,
                     const struct stp_port_config *c,
                     const struct stp_heritage *h)
{
    struct stp_port *p = &s->port[number];
    uint16_t *at = link_to(s, number);

    memset(p, 0, sizeof(*p));
    p->number = number;
    p->next = *at;
    *at = number;
    p->config = *c;
    p->learning = p->forwarding = c->open;
    if (c->open || h)
        stp_blame(s, STP_CAUSE_START, 0, 0);
    else if (c->up)
        stp_blame(s, STP_CAUSE_LINK_UP, number, 0);
    begin(s, p);
    if (h && p->enabled)
        inherit(s, p, h);
    stp_wake_all(s);
}

void stp_enable(struct stp *s, struct stp_port *p)
{
    p->enabled = p->config.up && !p->bpdu_seen;
    p->mdelay_while = p->edge_delay_while = s->now + MIGRATE_TIME;
    stp_guard_reset(s, p);
}

/* A link that goes down ends what BPDU guard did. */
static void follow_link(struct stp *s, struct stp_port *p, bool was_up)
{
    if (was_up == p->config.up)
        return;
    p->bpdu_seen = false;
    p->recover_at = 0;
    stp_blame(s, was_up ? STP_CAUSE_LINK_DOWN : STP_CAUSE_LINK_UP, p->number,
              0);
    stp_enable(s, p);
}

static bool tree_differs(const struct stp_port_config *a,
                         const struct stp_port_config *b)
{
    return a->id != b->id || a->cost != b->cost ||
           a->root_guard != b->root_guard;
}

/*
 * An edge port by configuration is one at once, unless it has heard a bridge;
 * and one no longer, unless auto-edge would have it so (17.25).
 */
static void follow_edge(struct stp_port *p, bool was_edge)
{
    bool edge = p->config.admin_edge;

    if (p->heard || edge == was_edge)
        return;
    if (edge || !p->config.auto_edge)
        p->oper_edge = edge;
}

static void configure_port(struct stp *s, struct stp_port *p,
                           const struct stp_port_config *c)
{
    struct stp_port_config old = p->config;

    p->config = *c;
    /* It was open, or shut, for reasons that are gone. */
    if (old.bpdu_filter != c->bpdu_filter) {
        stp_blame(s, STP_CAUSE_CONFIG, p->number, 0);
        begin(s, p);
    }
    if (tree_differs(&old, c)) {
        stp_blame(s, STP_CAUSE_CONFIG, p->number, 0);
        stp_reselect(s, p);
    }
    if (old.bpdu_guard && !c->bpdu_guard && p->bpdu_seen) {
        stp_blame(s, STP_CAUSE_CONFIG, p->number, 0);
        stp_guard_release(s, p);
    }
    follow_edge(p, old.admin_edge);
    if (c->assurance && !old.assurance)
        stp_guard_heard(s, p);
    follow_link(s, p, old.up);
    stp_wake_all(s);
}

static void on_port(struct stp *s, const struct stp_event *e)
{
    struct stp_port *p = find(s, e->port);

    if (e->port < 1 || e->port > s->ports)
        return;
    if (p)
        configure_port(s, p, e->port_config);
    else
        add_port(s, e->port, e->port_config, e->heritage);
}

static void on_gone(struct stp *s, uint16_t number)
{
    struct stp_port *p = find(s, number);

    if (!p)
        return;
    *link_to(s, number) = p->next;
    p->number = 0;
    stp_blame(s, STP_CAUSE_GONE, number, 0);
    s->roles_due = true;
    stp_wake_all(s);
}

/* ---- the bridge ---- */

/* Another version starts everything over (17.13.4). */
static void on_bridge(struct stp *s, const struct stp_config *c)
{
    bool first = !s->configured;
    bool version = c->force_version != s->config.force_version;
    bool recovery = c->recovery != s->config.recovery;

    s->configured = true;
    s->config = *c;
    stp_blame(s, first ? STP_CAUSE_START : STP_CAUSE_CONFIG, 0, 0);
    s->roles_due = true;
    each_port (s, p) {
        stp_reselect(s, p);
        if (version && !first)
            begin(s, p);
        if (recovery)
            stp_guard_retime(s, p);
    }
}

/* ---- BPDUs ---- */

static void count_good(struct stp_port *p, const struct bpdu *b)
{
    if (b->type == BPDU_TCN)
        p->counts.rx_tcn++;
    else if (b->type == BPDU_CONFIG)
        p->counts.rx_config++;
    else
        p->counts.rx_rst++;
    if (b->type == BPDU_TCN || b->flags & BPDU_TC)
        p->counts.rx_tc++;
}

/*
 * 9.3.4: a Configuration BPDU whose age is its end is not processed.  An RST
 * BPDU is, and is void at once (17.21.23); either way it says that there is a
 * bridge.
 */
static bool stale(struct stp_port *p, const struct bpdu *b)
{
    if (b->type == BPDU_TCN || b->times.message_age < b->times.max_age)
        return false;
    p->counts.rx_stale++;
    p->oper_edge = false;
    return b->type == BPDU_CONFIG;
}

static void on_bpdu(struct stp *s, const struct stp_event *e)
{
    struct stp_port *p = find(s, e->port);
    enum bpdu_bad bad;
    struct bpdu b;

    if (!p)
        return;
    bad = bpdu_decode(&b, e->frame, e->len);
    if (bad != BPDU_OK) {
        p->counts.rx_bad[bad]++;
        return;
    }
    if (p->config.bpdu_filter) {
        p->counts.rx_filtered++;
        return;
    }
    count_good(p, &b);
    if (!p->enabled) {
        p->counts.rx_disabled++;
        return;
    }
    p->todo = true;
    if (!stp_guard_admit(s, p, &b) || stale(p, &b))
        return;
    p->msg = b;
    p->msg_at = s->now;
    stp_guard_heard(s, p);
    p->rcvd_bpdu = true;
}

static void on_applied(struct stp *s, struct stp_port *p)
{
    if (!p || !p->applying)
        return;
    p->applying = p->learning = p->forwarding = false;
    stp_wake_all(s);
}

static void on_change(struct stp *s)
{
    s->cause = (struct cause){.why = STP_CAUSE_CONFIG};
    each_port (s, p) {
        if (p->change != CHANGE_ACTIVE)
            continue;
        p->tc_prop = true;
        p->new_info = true;
    }
    s->changes++;
    s->change_at = s->now;
    s->change_port = 0;
    (void)stp_tell(s, NULL, STP_NOTE_TC, &s->cause);
    stp_wake_all(s);
}

static void on_mcheck(struct stp *s, struct stp_port *p)
{
    if (!p)
        return;
    s->cause = (struct cause){STP_CAUSE_CONFIG, p->number, 0};
    p->mcheck = rstp_version(s);
    if (p->bpdu_seen)
        stp_blame(s, STP_CAUSE_CONFIG, p->number, 0);
    stp_guard_release(s, p);
    stp_wake_all(s);
}

/* ---- running ---- */

static bool expired(const struct stp *s, uint64_t deadline, uint64_t before)
{
    return deadline > before && deadline <= s->now;
}

/* A timer that other ports' conditions look at has come to its end. */
static bool any_expired(const struct stp *s, const struct stp_port *p,
                        uint64_t before)
{
    return expired(s, p->rr_while, before) || expired(s, p->rb_while, before) ||
           expired(s, p->fd_while, before) ||
           expired(s, p->edge_delay_while, before) ||
           expired(s, p->rcvd_info_while, before) ||
           expired(s, p->mdelay_while, before) ||
           expired(s, p->self_until, before) ||
           expired(s, p->assured_until, before) ||
           expired(s, p->recover_at, before) || expired(s, p->tc_while, before);
}

/* Which ports has the time that passed given something to do? */
static void pass_time(struct stp *s, uint64_t now)
{
    uint64_t before = s->now;
    bool all = false;

    if (now <= before)
        return;
    s->now = now;
    each_port (s, p) {
        stp_transmit_tick(s, p);
        all |= any_expired(s, p, before);
        if (expired(s, p->hello_when, before) || p->new_info)
            p->todo = true;
    }
    if (all)
        stp_wake_all(s);
    if (s->fast_until && !running(s, s->fast_until)) {
        s->fast_until = 0;
        stp_do(s, STP_DO_AGEING, 0)->age = 0;
    }
}

static bool port_step(struct stp *s, struct stp_port *p)
{
    return stp_guard_tick(s, p) || stp_receive(s, p) || stp_migrate(s, p) ||
           stp_detect(s, p) || stp_information(s, p) || stp_role_step(s, p) ||
           stp_forget(s, p) || stp_state_step(s, p) || stp_change(s, p);
}

static bool room(const struct stp *s)
{
    return s->out->max - s->out->n >= ROOM_PER_PORT;
}

static void run_port(struct stp *s, struct stp_port *p)
{
    p->todo = false;
    p->seen = s->wakes;
    while (room(s) && port_step(s, p))
        ;
    if (!room(s))
        p->todo = true;
}

static void tell_edge(struct stp *s, struct stp_port *p)
{
    struct cause why = {.why = STP_CAUSE_CONFIG};

    if (!p->enabled)
        p->shown_edge = p->oper_edge; /* it begins anew */
    if (p->shown_edge == p->oper_edge)
        return;
    p->shown_edge = p->oper_edge;
    if (p->oper_edge && p->config.bpdu_filter)
        why.why = STP_CAUSE_FILTER;
    else if (p->oper_edge && !p->config.admin_edge)
        why.why = STP_CAUSE_EDGE;
    else if (!p->oper_edge && running(s, p->self_until))
        why.why = STP_CAUSE_GUARD;
    else if (!p->oper_edge && p->heard)
        why.why = STP_CAUSE_BETTER;
    stp_tell(s, p, STP_NOTE_EDGE, &why)->yes = p->oper_edge;
}

/* What has become of the port, for people; and what it has to send.  Last, so
 * that BPDUs say what is, and one BPDU says all of it. */
static void finish_port(struct stp *s, struct stp_port *p)
{
    stp_tell_role(s, p);
    tell_edge(s, p);
    if (p->shown_stp == p->send_rst && rstp_version(s)) {
        p->shown_stp = !p->send_rst;
        stp_tell(s, p, STP_NOTE_STP, &s->cause)->yes = !p->send_rst;
    }
    while (room(s) && stp_transmit(s, p))
        ;
    if (!room(s))
        p->todo = true;
}

static bool pending(const struct stp *s)
{
    each_port (s, p)
        if (due(s, p))
            return true;
    return s->roles_due || s->tc_due;
}

/* Machines of all ports until none moves, or there is no room for actions. */
static void run(struct stp *s)
{
    while (pending(s) && room(s)) {
        each_port (s, p)
            if (due(s, p) && room(s))
                run_port(s, p);
        stp_tc_prop_tree(s);
        if (room(s))
            stp_select_roles(s);
    }
    each_port (s, p)
        if (room(s))
            finish_port(s, p);
}

bool stp_step(struct stp *s, const struct stp_event *e, struct stp_actions *a)
{
    assert(a->max >= STP_ACTIONS_MIN);
    a->n = 0;
    s->out = a;
    s->cause = (struct cause){.why = STP_CAUSE_DELAY};
    pass_time(s, e->now);
    switch (e->type) {
    case STP_TICK:
        break;
    case STP_BRIDGE:
        on_bridge(s, e->config);
        break;
    case STP_PORT:
        on_port(s, e);
        break;
    case STP_GONE:
        on_gone(s, e->port);
        break;
    case STP_BPDU:
        on_bpdu(s, e);
        break;
    case STP_APPLIED:
        on_applied(s, find(s, e->port));
        break;
    case STP_CHANGE:
        on_change(s);
        break;
    case STP_MCHECK:
        on_mcheck(s, find(s, e->port));
        break;
    }
    run(s);
    s->out = NULL;
    return a->max - a->n < ROOM_PER_PORT;
}
