/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge among hostile neighbours.  Input that is a frame to the bridge
 * group address is one BPDU on port 1, as captured; other input is a sequence
 * of events for an engine of four ports: an octet says which, others what.
 * After each event it must still hold what holds of any bridge.
 */
#include "tests/fuzz/check.h"

#include "base/cursor.h"
#include "switch/stp/stp.h"

#include <string.h>

#define PORTS       4
#define SECOND      1000000000ULL
#define EVENTS_MAX  400
#define ACTIONS_MAX 64

static struct stp *s;
static uint64_t now;
static struct stp_config config;
static struct stp_port_config port[PORTS + 1];
static bool there[PORTS + 1];
static unsigned to_apply[PORTS + 1];
static enum stp_state state[PORTS + 1];

/* ---- what it says ---- */

static void check_frame(const struct stp_action *a)
{
    struct bpdu b;
    char text[BPDU_TEXT_MAX];
    uint8_t again[BPDU_FRAME_LEN];

    CHECK(port[a->port].up && !port[a->port].bpdu_filter);
    CHECK(bpdu_decode(&b, a->frame, BPDU_FRAME_LEN) == BPDU_OK);
    bpdu_encode(&b, &port[a->port].mac, again);
    CHECK(memcmp(again, a->frame, sizeof(again)) == 0);
    CHECK(strlen(bpdu_format(&b, text)) < BPDU_TEXT_MAX - 1);
    if (b.type != BPDU_TCN)
        CHECK(b.vector.bridge == config.id &&
              b.vector.port == port[a->port].id);
    if (config.force_version < 2)
        CHECK(b.type != BPDU_RST);
}

static void check_action(const struct stp_action *a)
{
    char text[STP_TEXT_MAX];

    CHECK(a->port <= PORTS);
    CHECK(a->port == 0 || there[a->port]);
    switch (a->type) {
    case STP_DO_STATE:
        CHECK(a->state != state[a->port] && !to_apply[a->port]);
        state[a->port] = a->state;
        to_apply[a->port] += a->state == STP_DISCARDING;
        break;
    case STP_DO_FLUSH:
        CHECK(a->port);
        break;
    case STP_DO_SEND:
        check_frame(a);
        break;
    case STP_DO_AGEING:
        CHECK(a->port == 0);
        break;
    case STP_DO_TELL:
        memset(text, 'x', sizeof(text));
        stp_note_format(&a->note, a->port, NULL, text);
        CHECK(memchr(text, '\0', sizeof(text)));
        break;
    default:
        CHECK(!"an action");
    }
}

static bool opens(const struct stp_port_info *i)
{
    return i->role == STP_ROLE_ROOT || i->role == STP_ROLE_DESIGNATED;
}

static void check_port(uint16_t n, const struct stp_info *b, unsigned *roots)
{
    struct stp_port_info i;

    CHECK(stp_port_info(s, n, now, &i) == there[n]);
    if (!there[n])
        return;
    CHECK(i.state == state[n]);
    CHECK(i.state == STP_DISCARDING || (opens(&i) && port[n].up));
    CHECK(i.guard == STP_GUARD_NONE || i.state == STP_DISCARDING);
    CHECK(i.guard != STP_GUARD_BPDU || i.role == STP_ROLE_DISABLED);
    CHECK((i.role != STP_ROLE_DISABLED) ==
          (port[n].up && i.guard != STP_GUARD_BPDU));
    CHECK(i.role != STP_ROLE_ROOT || !port[n].root_guard);
    CHECK((i.role == STP_ROLE_ROOT) == (b->root_port == n));
    *roots += i.role == STP_ROLE_ROOT;
}

static void check_words(void)
{
    char text[STP_WHY_MAX];

    for (uint16_t n = 1; n <= PORTS; n++)
        CHECK(stp_why(s, n, now, NULL, text, sizeof(text)) < sizeof(text) - 1);
}

static void check_all(void)
{
    struct stp_info b;
    unsigned roots = 0;

    stp_info(s, now, &b);
    for (uint16_t n = 1; n <= PORTS; n++)
        check_port(n, &b, &roots);
    CHECK(roots == (b.root_port != 0));
    CHECK(b.root.root <= config.id);
    CHECK(roots || b.root.root == config.id);
    CHECK(stp_deadline(s) > now);
}

/* ---- what it is told ---- */

static void step(struct stp_event e)
{
    static struct stp_action action[ACTIONS_MAX];
    struct stp_actions a = {.action = action, .max = ACTIONS_MAX};
    unsigned calls = 0;
    bool more;

    e.now = now;
    do {
        more = stp_step(s, &e, &a);
        CHECK(a.n <= a.max && ++calls < 100);
        for (unsigned i = 0; i < a.n; i++)
            check_action(&action[i]);
        e = (struct stp_event){.type = STP_TICK, .now = now};
    } while (more);
    check_all();
}

static void tell_port(uint16_t n)
{
    step((struct stp_event){
        .type = STP_PORT, .port = n, .port_config = &port[n]});
}

static void apply(uint16_t n)
{
    if (!to_apply[n])
        return;
    to_apply[n]--;
    step((struct stp_event){.type = STP_APPLIED, .port = n});
}

/* An accepted frame is written as it was read. */
static void check_round_trip(const uint8_t *frame, size_t len)
{
    uint8_t again[BPDU_FRAME_LEN];
    struct bpdu b, back;
    struct mac from;
    char text[BPDU_TEXT_MAX];

    if (bpdu_decode(&b, frame, len) != BPDU_OK)
        return;
    memcpy(&from, frame + 6, sizeof(from));
    bpdu_encode(&b, &from, again);
    CHECK(bpdu_decode(&back, again, sizeof(again)) == BPDU_OK);
    CHECK(b.type == back.type && b.version == back.version &&
          b.flags == back.flags && stp_times_same(&b.times, &back.times) &&
          stp_vector_compare(&b.vector, &back.vector) == 0);
    CHECK(memcmp(again + 6, frame + 6, 6) == 0);
    CHECK(memcmp(again + 14, frame + 14, again[13]) == 0);
    CHECK(strlen(bpdu_format(&b, text)) < BPDU_TEXT_MAX - 1);
}

static void hear(uint16_t n, const uint8_t *frame, size_t len)
{
    check_round_trip(frame, len);
    step((struct stp_event){
        .type = STP_BPDU, .port = n, .frame = frame, .len = len});
}

/* Few values, so that the vectors meet: all around our own. */
static void hear_made(uint16_t n, const uint8_t knob[6])
{
    static const struct mac from = {{2, 0, 0, 0, 0, 9}};
    static const uint8_t types[] = {BPDU_RST, BPDU_RST, BPDU_CONFIG, BPDU_TCN};
    struct bpdu b = {.type = types[knob[0] & 3], .flags = knob[1]};
    uint8_t frame[BPDU_FRAME_LEN];

    b.version = b.type == BPDU_RST ? 2 : 0;
    b.vector = (struct stp_vector){
        .root = config.id - 4 + (knob[2] & 7),
        .cost = knob[0] & 4 ? knob[3] : UINT32_MAX - (knob[3] & 1),
        .bridge = config.id - 4 + (knob[2] >> 3 & 7),
        .port = (uint16_t)(0x8000 | (knob[2] >> 6))};
    b.times = (struct stp_times){.message_age = (uint16_t)(knob[4] << 5),
                                 .max_age = 20 * STP_SECOND,
                                 .hello = (uint16_t)(knob[5] << 6),
                                 .forward_delay = (uint16_t)(knob[5] << 7)};
    bpdu_encode(&b, &from, frame);
    hear(n, frame, sizeof(frame));
}

static void configure(uint16_t n, const uint8_t knob[6])
{
    struct stp_port_config *c = &port[n];

    if (knob[5] & 3) { /* else the link's state, mostly, is what changes */
        c->admin_edge = knob[0] & 1;
        c->auto_edge = knob[0] & 2;
        c->p2p = !(knob[0] & 4);
        c->bpdu_guard = knob[0] & 8;
        c->bpdu_filter = (knob[0] & 0x30) == 0x30;
        c->root_guard = knob[0] & 0x40;
        c->tcn_guard = knob[0] & 0x80;
        c->loop_guard = knob[1] & 1;
        c->assurance = knob[1] & 2;
        c->cost = 1U + knob[2];
        c->id = (uint16_t)(knob[3] << 10 | n);
    }
    c->up = knob[4] & 1;
    c->mac = mac_from_u64(0x020000000000ULL | n);
    if (there[n] && (knob[4] & 0xf0) == 0xf0) {
        there[n] = false;
        to_apply[n] = 0;
        state[n] = STP_DISCARDING;
        step((struct stp_event){.type = STP_GONE, .port = n});
        return;
    }
    there[n] = true;
    tell_port(n);
}

static void configure_bridge(const uint8_t knob[6])
{
    config = (struct stp_config){
        .id = 0x8000020000000100ULL + (knob[4] & 3),
        .force_version = knob[0] & 1   ? 2
                         : knob[0] & 6 ? 2
                                       : 0,
        .tx_hold_count = (uint8_t)(1 + knob[1] % 10),
        .hello = (uint16_t)(STP_SECOND * (1 + knob[2] % 10)),
        .max_age = (uint16_t)(STP_SECOND * (6 + knob[3] % 35)),
        .forward_delay = (uint16_t)(STP_SECOND * (2 + knob[5] % 29)),
        .recovery = knob[1] >> 4 ? knob[1] : 0};
    step((struct stp_event){.type = STP_BRIDGE, .config = &config});
}

/* Time passes, with or without its ticks; these are few. */
static void pass(uint64_t ns, bool late)
{
    uint64_t end = now + ns;
    unsigned ticks = 0;

    while (!late && stp_deadline(s) <= end) {
        now = stp_deadline(s);
        step((struct stp_event){.type = STP_TICK});
        CHECK(++ticks < 100 + 40 * (ns / SECOND));
    }
    now = end;
    step((struct stp_event){.type = STP_TICK});
}

static void event(uint8_t op, struct cursor *c)
{
    uint16_t n = (uint16_t)(1 + (op >> 4) % PORTS);
    uint8_t knob[6] = {0}, frame[80];
    size_t len;

    if ((op & 15) != 9 && cursor_left(c) >= 6)
        (void)cursor_bytes(c, knob, 6);
    switch (op & 15) {
    case 0:
    case 1:
        configure(n, knob);
        break;
    case 2:
        configure_bridge(knob);
        break;
    case 3:
        pass((uint64_t)knob[0] * SECOND / 8, false);
        break;
    case 4:
        pass((uint64_t)knob[0] * SECOND / 8, true);
        break;
    case 5:
    case 6:
        apply(n);
        break;
    case 7:
        step((struct stp_event){.type = STP_MCHECK, .port = n});
        break;
    case 8:
        step((struct stp_event){.type = STP_CHANGE});
        break;
    case 9:
        len = cursor_left(c) < sizeof(frame) ? cursor_left(c) : sizeof(frame);
        (void)cursor_bytes(c, frame, len);
        hear(n, frame, len);
        break;
    default:
        hear_made(n, knob);
        break;
    }
}

static void begin(void)
{
    const uint8_t rstp[6] = {1, 5, 1, 14, 0, 13},
                  plain[6] = {2, 0, 99, 32, 1, 1};

    s = stp_new(PORTS);
    CHECK(s);
    now = SECOND;
    memset(port, 0, sizeof(port));
    memset(there, 0, sizeof(there));
    memset(to_apply, 0, sizeof(to_apply));
    memset(state, 0, sizeof(state));
    configure_bridge(rstp);
    for (uint16_t n = 1; n <= PORTS; n++)
        configure(n, plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_over(data, size);
    uint8_t op;

    begin();
    if (size >= 6 && memcmp(data, "\x01\x80\xc2\0\0\0", 6) == 0) {
        hear(1, data, size);
        pass(10 * SECOND, false);
    } else {
        for (unsigned i = 0; i < EVENTS_MAX && cursor_u8(&c, &op); i++)
            event(op, &c);
    }
    check_words();
    for (uint16_t n = 1; n <= PORTS; n++)
        apply(n);
    pass(40 * SECOND, false);
    stp_free(s);
    s = NULL;
    return 0;
}
