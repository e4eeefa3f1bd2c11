/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/stp/bpdu.h"

#include "base/cursor.h"

#include <stdio.h>

#define LLC_BRIDGE   0x4242 /* DSAP and SSAP (9.1.2) */
#define LLC_UI       0x03
#define ETH_LEN_MAX  1500
#define CONFIG_BYTES 35
#define RST_BYTES    36
#define TCN_BYTES    4
#define LLC_BYTES    3

static const struct mac group = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};

int stp_vector_compare(const struct stp_vector *a, const struct stp_vector *b)
{
    if (a->root != b->root)
        return a->root < b->root ? -1 : 1;
    if (a->cost != b->cost)
        return a->cost < b->cost ? -1 : 1;
    if (a->bridge != b->bridge)
        return a->bridge < b->bridge ? -1 : 1;
    return (int)a->port - (int)b->port;
}

static const struct {
    const char *name, *text;
} bad[BPDU_BAD_COUNT] = {[BPDU_OK] = {"ok", "a good BPDU"},
#define X(id, name, text) [BPDU_BAD_##id] = {name, text},
                         BPDU_BAD_LIST(X)
#undef X
};

const char *bpdu_bad_name(enum bpdu_bad b)
{
    return b < BPDU_BAD_COUNT ? bad[b].name : "?";
}

const char *bpdu_bad_text(enum bpdu_bad b)
{
    return b < BPDU_BAD_COUNT ? bad[b].text : "?";
}

/* ---- reading ---- */

static bool read_id(struct cursor *c, uint64_t *id)
{
    uint32_t high, low;

    if (!cursor_be32(c, &high) || !cursor_be32(c, &low))
        return false;
    *id = (uint64_t)high << 32 | low;
    return true;
}

/* What Configuration and RST BPDUs share behind the type. */
static bool read_body(struct cursor *c, struct bpdu *b)
{
    return cursor_u8(c, &b->flags) && read_id(c, &b->vector.root) &&
           cursor_be32(c, &b->vector.cost) && read_id(c, &b->vector.bridge) &&
           cursor_be16(c, &b->vector.port) &&
           cursor_be16(c, &b->times.message_age) &&
           cursor_be16(c, &b->times.max_age) &&
           cursor_be16(c, &b->times.hello) &&
           cursor_be16(c, &b->times.forward_delay);
}

/* Octets that a BPDU of this type has; 0: there is no such type. */
static size_t bytes_of(const struct bpdu *b)
{
    if (b->type == BPDU_CONFIG)
        return CONFIG_BYTES;
    if (b->type == BPDU_TCN)
        return TCN_BYTES;
    return b->type == BPDU_RST && b->version >= 2 ? RST_BYTES : 0;
}

static enum bpdu_bad read_bpdu(struct cursor *c, struct bpdu *b)
{
    size_t have = cursor_left(c), want;
    uint16_t protocol;

    if (!cursor_be16(c, &protocol) || !cursor_u8(c, &b->version) ||
        !cursor_u8(c, &b->type))
        return BPDU_BAD_SHORT;
    if (protocol != 0)
        return BPDU_BAD_PROTOCOL;
    want = bytes_of(b);
    if (want == 0)
        return BPDU_BAD_TYPE;
    if (have < want)
        return BPDU_BAD_SHORT;
    if (b->type == BPDU_TCN)
        return BPDU_OK;
    return read_body(c, b) ? BPDU_OK : BPDU_BAD_SHORT;
}

enum bpdu_bad bpdu_decode(struct bpdu *b, const void *frame, size_t len)
{
    struct cursor c = cursor_over(frame, len);
    uint16_t length, sap;
    uint8_t control;

    memset(b, 0, sizeof(*b));
    if (!cursor_skip(&c, 2 * sizeof(struct mac)) || !cursor_be16(&c, &length))
        return BPDU_BAD_SHORT;
    if (length > ETH_LEN_MAX) /* a type, or a tag's */
        return BPDU_BAD_LLC;
    if (length > cursor_left(&c))
        return BPDU_BAD_LENGTH;
    c.end = c.at + length;
    if (!cursor_be16(&c, &sap) || !cursor_u8(&c, &control))
        return BPDU_BAD_SHORT;
    if (sap != LLC_BRIDGE || control != LLC_UI)
        return BPDU_BAD_LLC;
    return read_bpdu(&c, b);
}

/* ---- writing ---- */

static uint8_t *put(uint8_t *at, uint64_t v, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0; v >>= 8)
        at[i] = (uint8_t)v;
    return at + bytes;
}

static uint8_t *put_body(uint8_t *at, const struct bpdu *b)
{
    at = put(at, b->flags, 1);
    at = put(at, b->vector.root, 8);
    at = put(at, b->vector.cost, 4);
    at = put(at, b->vector.bridge, 8);
    at = put(at, b->vector.port, 2);
    at = put(at, b->times.message_age, 2);
    at = put(at, b->times.max_age, 2);
    at = put(at, b->times.hello, 2);
    return put(at, b->times.forward_delay, 2);
}

void bpdu_encode(const struct bpdu *b, const struct mac *src,
                 uint8_t frame[BPDU_FRAME_LEN])
{
    uint8_t *at = frame;

    memset(frame, 0, BPDU_FRAME_LEN);
    at = put(at, mac_to_u64(&group), 6);
    at = put(at, mac_to_u64(src), 6);
    at = put(at, LLC_BYTES + bytes_of(b), 2);
    at = put(at, LLC_BRIDGE, 2);
    at = put(at, LLC_UI, 1);
    at = put(at, 0, 2); /* protocol identifier */
    at = put(at, b->version, 1);
    at = put(at, b->type, 1);
    if (b->type != BPDU_TCN)
        (void)put_body(at, b); /* an RST's version 1 length is zero */
}

/* ---- words ---- */

const char *stp_id_format(uint64_t id, char text[STP_ID_TEXT_MAX])
{
    snprintf(text, STP_ID_TEXT_MAX, "%04x.%012llx", (unsigned)(id >> 48),
             (unsigned long long)(id & 0xffffffffffffULL));
    return text;
}

static const char *kind_text(const struct bpdu *b)
{
    if (b->type == BPDU_TCN)
        return "TCN";
    if (b->type == BPDU_CONFIG)
        return "Config";
    return b->version >= 3 ? "MST" : "RST";
}

static void flags_format(const struct bpdu *b, char *text, size_t n)
{
    static const char *const role[] = {"unknown role", "alternate or backup",
                                       "root", "designated"};
    bool rst = b->type == BPDU_RST;

    snprintf(text, n, "%s%s%s%s%s%s%s%s", rst ? ", " : "",
             rst ? role[bpdu_role(b)] : "",
             rst && b->flags & BPDU_PROPOSAL ? ", proposal" : "",
             rst && b->flags & BPDU_AGREEMENT ? ", agreement" : "",
             rst && b->flags & BPDU_LEARNING ? ", learning" : "",
             rst && b->flags & BPDU_FORWARDING ? ", forwarding" : "",
             b->flags & BPDU_TC ? ", topology change" : "",
             b->flags & BPDU_TC_ACK ? ", acknowledgment" : "");
}

static unsigned long hundredths(uint16_t t)
{
    return stp_time_to_cs(t);
}

const char *bpdu_format(const struct bpdu *b, char text[BPDU_TEXT_MAX])
{
    const struct stp_times *t = &b->times;
    char root[STP_ID_TEXT_MAX], bridge[STP_ID_TEXT_MAX], flags[128];

    if (b->type == BPDU_TCN) {
        snprintf(text, BPDU_TEXT_MAX, "TCN");
        return text;
    }
    flags_format(b, flags, sizeof(flags));
    snprintf(text, BPDU_TEXT_MAX,
             "%s%s: root %s cost %lu, from %s port %04x; age %lu.%02lu of "
             "%lu.%02lu s, hello %lu.%02lu, delay %lu.%02lu",
             kind_text(b), flags, stp_id_format(b->vector.root, root),
             (unsigned long)b->vector.cost,
             stp_id_format(b->vector.bridge, bridge), b->vector.port,
             hundredths(t->message_age) / 100, hundredths(t->message_age) % 100,
             hundredths(t->max_age) / 100, hundredths(t->max_age) % 100,
             hundredths(t->hello) / 100, hundredths(t->hello) % 100,
             hundredths(t->forward_delay) / 100,
             hundredths(t->forward_delay) % 100);
    return text;
}
