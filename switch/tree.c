/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree's place in the switch: what happens to a bridge and its
 * ports is told to the engine (switch/stp/), and what it asks for is done.
 *
 * Port states go into the next view.  When the grace period behind that view
 * has ended, no forwarder follows the old one, and the engine is told that
 * discarding is in force; only then does it agree to a neighbour's proposal.
 *
 * BPDUs come from the forwarders' rings (bpdu_ring.h) and leave by the control
 * thread's own transmit context, past all queues of data in the switch.
 */
#include "switch/bridge.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ACTIONS 256

/* ---- observers ---- */

static const char *name_of(void *arg, uint16_t no)
{
    const struct bridge *b = arg;

    return no < VIEW_PORTS && b->port[no] ? b->port[no]->port->spec.name : NULL;
}

static void tell_note(struct bridge *b, uint16_t no, const struct stp_note *n)
{
    const struct stp_names names = {.name = name_of, .arg = b};
    char text[STP_TEXT_MAX];

    stp_note_format(n, no, &names, text);
    if (n->type == STP_NOTE_GUARD && !n->yes)
        log_warn("bridge %s: %s", b->name, text);
    if (!b->sw->observer)
        return;
    if (no && b->port[no])
        observe_port(b->port[no], SW_EVENT_STP, "%s", text);
    else
        observe_bridge(b, SW_EVENT_STP, "%s: %s", b->name, text);
}

static void tell_bpdu(struct bport *p, const char *way, const void *frame,
                      size_t len)
{
    char text[BPDU_TEXT_MAX];
    enum bpdu_bad bad;
    struct bpdu b;

    if (!p->b->sw->observer || !p->b->sw->observe_bpdus)
        return;
    bad = bpdu_decode(&b, frame, len);
    if (bad == BPDU_OK)
        bpdu_format(&b, text);
    else
        snprintf(text, sizeof(text), "no BPDU: %s", bpdu_bad_text(bad));
    observe_port(p, SW_EVENT_BPDU, "%s %s: %s", p->port->spec.name, way, text);
}

/* ---- what the engine asks for ---- */

/* Has the view that is out shut a port that has a link? */
static bool is_shut(const struct bport *p)
{
    return p->record && p->record->caps.link && !p->record->forwarding &&
           !p->record->learns_only;
}

static void set_state(struct bport *p, enum stp_state state)
{
    if (state != STP_DISCARDING && is_shut(p))
        p->opened++;
    p->stp_state = state;
    if (state == STP_DISCARDING)
        p->apply = APPLY_WANTED;
    bport_dirty(p);
}

static void count_sent(struct bport *p, const struct tx_result *r)
{
    struct lane *l = &p->lane[0];

    lane_add(&l->tx_frames, r->sent);
    lane_add(&l->tx_bytes, r->bytes);
    for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
        if (r->refused[i])
            lane_add(&l->reason[i], r->refused[i]);
}

static void send_bpdu(struct bport *p, uint8_t *bytes)
{
    struct frame f = {
        .seg = {{.iov_base = bytes, .iov_len = BPDU_FRAME_LEN}},
        .nseg = 1,
        .len = BPDU_FRAME_LEN,
        .csum = CSUM_COMPLETE,
    };
    struct frame *list = &f;
    struct tx_result r = {0};

    tell_bpdu(p, "sends", bytes, BPDU_FRAME_LEN);
    if (p->life != LIFE_RUNNING || atomic_load(&p->port->failed))
        return; /* and the engine is about to hear of it */
    p->port->ops->tx(p->port, 0, &list, 1, &r);
    if (p->port->ops->kick)
        p->port->ops->kick(p->port, 0);
    count_sent(p, &r);
}

/* What observers see of the port: blocking or listening. */
static void note_port(struct bport *p, const struct stp_note *n)
{
    if (n->type == STP_NOTE_ROLE)
        p->stp_role = n->role;
    else if (n->type == STP_NOTE_GUARD)
        p->stp_guarded = !n->yes;
    else
        return;
    bridge_dirty(p->b);
}

static void act_on_port(struct bport *p, struct stp_action *a)
{
    switch (a->type) {
    case STP_DO_STATE:
        set_state(p, a->state);
        break;
    case STP_DO_FLUSH:
        table_flush_port(p->b, p->no, false);
        break;
    case STP_DO_SEND:
        send_bpdu(p, a->frame);
        break;
    case STP_DO_TELL:
        note_port(p, &a->note);
        tell_note(p->b, p->no, &a->note);
        break;
    case STP_DO_AGEING: /* of bridges */
        break;
    }
}

static void act(struct bridge *b, struct stp_action *a)
{
    if (a->type == STP_DO_AGEING) {
        b->tree.age = a->age;
        bridge_dirty(b);
        table_kick(b);
    } else if (a->port == 0) {
        tell_note(b, 0, &a->note);
    } else if (b->port[a->port]) {
        act_on_port(b->port[a->port], a);
    }
}

/* ---- time ---- */

static void arm(struct bridge *b)
{
    uint64_t at = stp_deadline(b->tree.stp), now = clock_now();

    ev_timer_stop(b->sw->loop, &b->tree.timer);
    if (at == STP_NEVER)
        return;
    ev_timer_set(&b->tree.timer,
                 at > now ? (double)(at - now) / (double)NSEC_PER_SEC : 0., 0.);
    ev_timer_start(b->sw->loop, &b->tree.timer);
}

static void step(struct bridge *b, struct stp_event *e)
{
    struct stp_action action[ACTIONS];
    struct stp_actions out = {.action = action, .max = ACTIONS};
    bool more;

    e->now = clock_now();
    do {
        more = stp_step(b->tree.stp, e, &out);
        for (unsigned i = 0; i < out.n; i++)
            act(b, &action[i]);
        e->type = STP_TICK;
    } while (more);
    arm(b);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct bridge *b =
        (struct bridge *)(void *)((char *)w -
                                  offsetof(struct bridge, tree.timer));
    struct stp_event e = {.type = STP_TICK};

    (void)loop;
    (void)events;
    step(b, &e);
}

/* ---- on and off ---- */

/* Ports that run already are open, and the engine is told so. */
static void begin_port(struct bport *p)
{
    p->stp_role = STP_ROLE_DISABLED;
    p->stp_guarded = p->heritage.tree = false;
    p->stp_state = bport_forwarding(p) ? STP_FORWARDING : STP_DISCARDING;
    p->apply = APPLY_NONE;
}

static int begin(struct bridge *b)
{
    for (unsigned i = 1; i < VIEW_PORTS; i++)
        if (b->port[i])
            begin_port(b->port[i]);
    b->tree.stp = stp_new(BRIDGE_PORTS_MAX);
    if (!b->tree.stp)
        return -ENOMEM;
    memset(&b->tree.told, 0, sizeof(b->tree.told));
    memset(b->tree.known, 0, sizeof(b->tree.known));
    b->tree.age = 0;
    ev_timer_init(&b->tree.timer, on_timer, 0., 0.);
    return 0;
}

static void end(struct bridge *b)
{
    ev_timer_stop(b->sw->loop, &b->tree.timer);
    stp_free(b->tree.stp);
    b->tree.stp = NULL;
    b->tree.age = 0;
}

int tree_switch(struct bridge *b, bool on)
{
    int rc = 0;

    if (on == (b->tree.stp != NULL))
        return 0;
    if (on)
        rc = begin(b);
    else
        end(b);
    bridge_all_dirty(b);
    return rc;
}

/* ---- what the engine is told ---- */

static struct stp_config bridge_config(const struct bridge *b)
{
    const uint32_t *v = b->param;

    return (struct stp_config){
        .id = stp_bridge_id((uint16_t)v[BRIDGE_PRIORITY], &b->id_mac),
        .force_version = (uint8_t)v[BRIDGE_FORCE_VERSION],
        .tx_hold_count = (uint8_t)v[BRIDGE_TX_HOLD],
        .hello = stp_time_from_cs(v[BRIDGE_HELLO]),
        .max_age = stp_time_from_cs(v[BRIDGE_MAX_AGE]),
        .forward_delay = stp_time_from_cs(v[BRIDGE_FORWARD_DELAY]),
        .recovery = (v[BRIDGE_RECOVERY] + 99) / 100,
    };
}

static struct stp_port_config port_config(const struct bport *p)
{
    const uint32_t *v = p->param;

    return (struct stp_port_config){
        .up = p->life == LIFE_RUNNING && p->caps.link && bridge_up(p->b),
        .open = p->stp_state == STP_FORWARDING,
        .id = (uint16_t)(v[BPORT_PRIORITY] << 10 | p->no),
        .cost = bport_cost(p),
        .mac = mac_is_zero(&p->caps.mac) ? p->b->mac : p->caps.mac,
        .admin_edge = v[BPORT_ADMIN_EDGE],
        .auto_edge = v[BPORT_AUTO_EDGE],
        .p2p = v[BPORT_P2P] == 2 ? !p->caps.shared : v[BPORT_P2P],
        .bpdu_guard = v[BPORT_BPDU_GUARD],
        .bpdu_filter = v[BPORT_BPDU_FILTER],
        .root_guard = v[BPORT_ROOT_GUARD],
        .tcn_guard = v[BPORT_TCN_GUARD],
        .loop_guard = v[BPORT_LOOP_GUARD],
        .assurance = v[BPORT_ASSURANCE],
    };
}

/* Field by field: what is between them is not theirs. */
static bool same_bridge(const struct stp_config *x, const struct stp_config *y)
{
    return x->id == y->id && x->force_version == y->force_version &&
           x->tx_hold_count == y->tx_hold_count && x->hello == y->hello &&
           x->max_age == y->max_age && x->forward_delay == y->forward_delay &&
           x->recovery == y->recovery;
}

static bool same_port(const struct stp_port_config *x,
                      const struct stp_port_config *y)
{
    return x->up == y->up && x->id == y->id && x->cost == y->cost &&
           mac_equal(&x->mac, &y->mac) && x->admin_edge == y->admin_edge &&
           x->auto_edge == y->auto_edge && x->p2p == y->p2p &&
           x->bpdu_guard == y->bpdu_guard && x->bpdu_filter == y->bpdu_filter &&
           x->root_guard == y->root_guard && x->tcn_guard == y->tcn_guard &&
           x->loop_guard == y->loop_guard && x->assurance == y->assurance;
}

static void update_bridge(struct bridge *b)
{
    struct stp_config c = bridge_config(b);
    struct stp_event e = {.type = STP_BRIDGE, .config = &c};

    if (same_bridge(&c, &b->tree.told))
        return;
    b->tree.told = c;
    step(b, &e);
}

/* What it was elsewhere it is here from the moment that it can be. */
static bool waits_to_inherit(const struct bport *p)
{
    return p->heritage.tree && (p->life < LIFE_RUNNING || !bridge_up(p->b));
}

static void inherit(struct bport *p)
{
    if (p->heritage.forwards && p->life == LIFE_RUNNING && p->caps.link)
        p->stp_state = STP_FORWARDING;
    bport_dirty(p);
}

static void update_port(struct bport *p)
{
    struct stp_event e = {.type = STP_PORT, .port = p->no};
    bool *known = &p->b->tree.known[p->no];
    struct stp_port_config c;

    if (waits_to_inherit(p))
        return;
    if (p->heritage.tree) {
        inherit(p);
        e.heritage = &p->heritage.stp;
        p->heritage.tree = false;
    }
    c = port_config(p);
    e.port_config = &c;
    if (*known && same_port(&c, &p->stp_told))
        return;
    *known = true;
    p->stp_told = c;
    step(p->b, &e);
}

void tree_update(struct bridge *b)
{
    if (!b->tree.stp)
        return;
    update_bridge(b);
    for (unsigned i = 1; i < VIEW_PORTS; i++)
        if (b->port[i])
            update_port(b->port[i]);
}

void tree_port_gone(struct bport *p)
{
    struct stp_event e = {.type = STP_GONE, .port = p->no};
    struct bridge *b = p->b;

    if (!b->tree.stp || !b->tree.known[p->no])
        return;
    b->tree.known[p->no] = false;
    step(b, &e);
}

/* ---- BPDUs ---- */

static void poll_lane(struct bport *p, struct bpdu_ring *r)
{
    struct bpdu_slot s;

    while (bpdu_ring_pop(r, &s)) {
        struct stp_event e = {
            .type = STP_BPDU, .port = p->no, .frame = s.bytes, .len = s.len};

        if (!p->b->tree.stp || !p->b->tree.known[p->no])
            continue; /* switched off meanwhile */
        tell_bpdu(p, "receives", s.bytes, s.len);
        step(p->b, &e);
    }
}

void tree_poll(struct sw *sw)
{
    for (struct bridge *b = sw->bridges; b; b = b->next) {
        if (!atomic_exchange_explicit(&b->plane.bpdus, false,
                                      memory_order_acquire))
            continue;
        for (unsigned i = 1; i < VIEW_PORTS; i++)
            for (unsigned k = 0; b->port[i] && k < sw->n_forwarders; k++)
                poll_lane(b->port[i], &b->port[i]->lane[k].bpdus);
    }
}

/* ---- discarding, in force ---- */

void tree_grace(struct bridge *b)
{
    for (unsigned i = 1; b->tree.stp && i < VIEW_PORTS; i++)
        if (b->port[i] && b->port[i]->apply == APPLY_WANTED)
            b->port[i]->apply = APPLY_IN_GRACE;
}

void tree_graced(struct bridge *b)
{
    for (unsigned i = 1; b->tree.stp && i < VIEW_PORTS; i++) {
        struct stp_event e = {.type = STP_APPLIED, .port = (uint16_t)i};

        if (!b->port[i] || b->port[i]->apply != APPLY_IN_GRACE)
            continue;
        b->port[i]->apply = APPLY_NONE;
        step(b, &e);
    }
}

/* ---- asking ---- */

uint16_t tree_ageing(const struct bridge *b)
{
    uint32_t set = (b->param[BRIDGE_AGEING] + 9) / 10;
    uint32_t fast = (stp_time_to_cs(b->tree.age) + 9) / 10;

    return (uint16_t)(fast && (!set || fast < set) ? fast : set);
}

const char *tree_why_shut(const struct bport *p)
{
    struct stp_port_info i;

    if (!bport_stp_info(p, &i) || i.state == STP_FORWARDING)
        return "";
    switch (i.guard) {
    case STP_GUARD_NONE:
        break;
    case STP_GUARD_BPDU:
        return "error-disabled by BPDU guard";
    case STP_GUARD_ROOT:
        return "shut by root guard";
    case STP_GUARD_LOOP:
        return "shut by loop guard";
    case STP_GUARD_ASSURANCE:
        return "shut by bridge assurance";
    case STP_GUARD_SELF:
        return "shut: it receives its own BPDUs";
    }
    if (i.role == STP_ROLE_ALTERNATE)
        return "alternate port: another way to the root is better";
    if (i.role == STP_ROLE_BACKUP)
        return "backup port: another port serves the same segment";
    return i.state == STP_LEARNING
               ? "learning: forward delay"
               : "waits for its neighbour's agreement or the forward delay";
}

bool bridge_stp_info(const struct bridge *b, struct stp_info *i)
{
    if (!b->tree.stp)
        return false;
    stp_info(b->tree.stp, clock_now(), i);
    return true;
}

bool bport_stp_info(const struct bport *p, struct stp_port_info *i)
{
    return p->b->tree.stp && p->no != BRIDGE_LOCAL &&
           stp_port_info(p->b->tree.stp, p->no, clock_now(), i);
}

size_t bport_stp_why(const struct bport *p, char *text, size_t size)
{
    const struct stp_names names = {.name = name_of, .arg = p->b};

    if (!p->b->tree.stp)
        return 0;
    if (p->stp_told.up == false && p->no != BRIDGE_LOCAL) {
        struct bport_info i;

        bport_info(p, &i);
        return (size_t)snprintf(text, size, "It is disabled: %s.\n",
                                i.why[0] ? i.why : "it is not open");
    }
    return stp_why(p->b->tree.stp, p->no, clock_now(), &names, text, size);
}

/* ---- commands ---- */

static void answer(struct bridge *b, sw_done done, void *arg)
{
    struct changes told;

    changes_init(&told);
    if (change_new(&told, done, arg))
        sw_stage(b->sw, &told);
}

static void is_off(struct bridge *b, sw_done done, void *arg)
{
    struct err e;

    sw_answer(
        b->sw, done, arg,
        err_set(&e, EOPNOTSUPP, "bridge %s: the spanning tree is off", b->name),
        &e);
}

void bridge_stp_change(struct bridge *b, sw_done done, void *arg)
{
    struct stp_event e = {.type = STP_CHANGE};

    if (!b->tree.stp) {
        is_off(b, done, arg);
        return;
    }
    step(b, &e);
    answer(b, done, arg);
}

void bport_stp_mcheck(struct bport *p, sw_done done, void *arg)
{
    struct stp_event e = {.type = STP_MCHECK, .port = p->no};

    if (!p->b->tree.stp || !p->b->tree.known[p->no]) {
        is_off(p->b, done, arg);
        return;
    }
    step(p->b, &e);
    answer(p->b, done, arg);
}
