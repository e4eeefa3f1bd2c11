/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/stprig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- what it says ---- */

static void note(struct stprig *r, const struct stp_action *a)
{
    char text[STP_TEXT_MAX];
    size_t room = sizeof(r->notes) - r->noted;
    int n;

    memset(text, 'x', sizeof(text));
    stp_note_format(&a->note, a->port, NULL, text);
    assert_non_null(memchr(text, '\0', sizeof(text)));
    n = snprintf(r->notes + r->noted, room, "%s\n", text);
    if (n > 0 && (size_t)n < room)
        r->noted += (size_t)n;
}

static void sent(struct stprig *r, const struct stp_action *a)
{
    struct stprig_port *p = &r->port[a->port];

    assert_int_equal(bpdu_decode(&p->last, a->frame, BPDU_FRAME_LEN), BPDU_OK);
    assert_memory_equal(a->frame + 6, &p->config.mac, 6);
    p->sent++;
}

static void state(struct stprig *r, const struct stp_action *a)
{
    struct stprig_port *p = &r->port[a->port];

    assert_true(p->state != a->state);
    assert_true(p->to_apply == 0);
    p->state = a->state;
    p->states++;
    p->to_apply += a->state == STP_DISCARDING;
}

static void carry_out(struct stprig *r, const struct stp_action *a)
{
    assert_true(a->port <= STPRIG_PORTS);
    assert_true(a->port == 0 || r->port[a->port].there);
    switch (a->type) {
    case STP_DO_STATE:
        state(r, a);
        break;
    case STP_DO_FLUSH:
        r->port[a->port].flushed++;
        break;
    case STP_DO_SEND:
        sent(r, a);
        break;
    case STP_DO_AGEING:
        r->age = a->age;
        r->ages++;
        break;
    case STP_DO_TELL:
        note(r, a);
        break;
    default:
        fail();
    }
}

static void step(struct stprig *r, struct stp_event e)
{
    struct stp_actions a = {.max = r->max_actions};
    bool more;

    a.action = calloc(a.max, sizeof(*a.action));
    assert_non_null(a.action);
    e.now = r->now;
    do {
        more = stp_step(r->s, &e, &a);
        r->steps++;
        for (unsigned i = 0; i < a.n; i++)
            carry_out(r, &a.action[i]);
        e = (struct stp_event){.type = STP_TICK, .now = r->now};
    } while (more);
    free(a.action);
    assert_true(stp_deadline(r->s) > r->now);
}

void stprig_applied(struct stprig *r, uint16_t port)
{
    struct stprig_port *p = &r->port[port];

    assert_true(p->to_apply > 0);
    p->to_apply--;
    step(r, (struct stp_event){.type = STP_APPLIED, .port = port});
}

void stprig_step(struct stprig *r, struct stp_event e)
{
    step(r, e);
    for (uint16_t i = 1; i <= STPRIG_PORTS && !r->hold_applied; i++)
        if (r->port[i].there && r->port[i].to_apply) {
            stprig_applied(r, i);
            i = 0;
        }
}

/* ---- what it is told ---- */

void stprig_bridge(struct stprig *r)
{
    stprig_step(r,
                (struct stp_event){.type = STP_BRIDGE, .config = &r->config});
}

void stprig_up(struct stprig *r, uint16_t ports, uint8_t version)
{
    memset(r, 0, sizeof(*r));
    r->max_actions = STP_ACTIONS_MIN;
    r->now = STPRIG_SECOND;
    r->config = (struct stp_config){.id = STPRIG_ID,
                                    .force_version = version,
                                    .tx_hold_count = 6,
                                    .hello = 2 * STP_SECOND,
                                    .max_age = 20 * STP_SECOND,
                                    .forward_delay = 15 * STP_SECOND,
                                    .recovery = 30};
    r->s = stp_new(ports);
    assert_non_null(r->s);
    stprig_bridge(r);
}

void stprig_down(struct stprig *r)
{
    stp_free(r->s);
    r->s = NULL;
}

struct stp_port_config *stprig_add(struct stprig *r, uint16_t port)
{
    struct stprig_port *p = &r->port[port];

    memset(p, 0, sizeof(*p));
    p->there = true;
    p->config = (struct stp_port_config){
        .id = (uint16_t)(0x8000 | port), .cost = 100, .p2p = true};
    p->config.mac = mac_from_u64(0x020000000000ULL | port);
    return &p->config;
}

void stprig_set(struct stprig *r, uint16_t port)
{
    stprig_step(r, (struct stp_event){.type = STP_PORT,
                                      .port = port,
                                      .port_config = &r->port[port].config});
}

void stprig_link(struct stprig *r, uint16_t port, bool up)
{
    r->port[port].config.up = up;
    stprig_set(r, port);
}

void stprig_event(struct stprig *r, enum stp_event_type t, uint16_t port)
{
    if (t == STP_GONE)
        r->port[port].there = false;
    stprig_step(r, (struct stp_event){.type = t, .port = port});
}

struct bpdu stprig_config(uint64_t root, uint32_t cost, uint64_t bridge,
                          uint8_t flags)
{
    return (struct bpdu){
        .type = BPDU_CONFIG,
        .flags = flags,
        .vector = {.root = root,
                   .cost = cost,
                   .bridge = bridge,
                   .port = 0x8001},
        .times = {.message_age = root == bridge ? 0 : STP_SECOND,
                  .max_age = 20 * STP_SECOND,
                  .hello = 2 * STP_SECOND,
                  .forward_delay = 15 * STP_SECOND}};
}

struct bpdu stprig_rst(uint64_t root, uint32_t cost, uint64_t bridge,
                       enum bpdu_role role, uint8_t flags)
{
    struct bpdu b = stprig_config(root, cost, bridge, flags);

    b.type = BPDU_RST;
    b.version = 2;
    b.flags |= (uint8_t)(role << BPDU_ROLE_SHIFT);
    return b;
}

void stprig_hear(struct stprig *r, uint16_t port, const struct bpdu *b)
{
    static const struct mac src = {{2, 0, 0, 0, 0, 9}};
    uint8_t frame[BPDU_FRAME_LEN];

    bpdu_encode(b, &src, frame);
    stprig_step(r, (struct stp_event){.type = STP_BPDU,
                                      .port = port,
                                      .frame = frame,
                                      .len = sizeof(frame)});
}

/* ---- time ---- */

void stprig_run(struct stprig *r, uint64_t ns)
{
    uint64_t end = r->now + ns;

    while (stp_deadline(r->s) <= end) {
        r->now = stp_deadline(r->s);
        r->ticks++;
        stprig_event(r, STP_TICK, 0);
    }
    r->now = end; /* of which it is not told: it has not asked */
}

void stprig_run_with(struct stprig *r, uint64_t ns, uint16_t port,
                     const struct bpdu *b)
{
    uint64_t end = r->now + ns;

    while (r->now < end) {
        uint64_t left = end - r->now;

        stprig_hear(r, port, b);
        stprig_run(r, left < 2 * STPRIG_SECOND ? left : 2 * STPRIG_SECOND);
    }
}

/* ---- how it stands ---- */

struct stp_port_info stprig_info(const struct stprig *r, uint16_t port)
{
    struct stp_port_info i;

    assert_true(stp_port_info(r->s, port, r->now, &i));
    return i;
}

bool stprig_noted(const struct stprig *r, const char *part)
{
    return strstr(r->notes, part) != NULL;
}

void stprig_forget(struct stprig *r)
{
    for (unsigned i = 0; i <= STPRIG_PORTS; i++)
        r->port[i].sent = r->port[i].flushed = r->port[i].states = 0;
    r->ages = r->ticks = r->steps = 0;
    r->noted = 0;
    r->notes[0] = '\0';
}
