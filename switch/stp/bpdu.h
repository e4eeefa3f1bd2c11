/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bridge protocol data units: what they carry, and their octets (IEEE Std
 * 802.1D-2004, clause 9; Configuration and TCN BPDUs are those of
 * 802.1D-1998).
 *
 * Pure functions; any thread.
 */
#ifndef SWITCH_STP_BPDU_H
#define SWITCH_STP_BPDU_H

#include "base/mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A priority vector without the receiving port (17.5).  Bridge identifiers are
 * numbers, priority << 48 | address, so that the lower one is the better.
 */
struct stp_vector {
    uint64_t root;
    uint32_t cost;
    uint64_t bridge; /* designated bridge */
    uint16_t port;   /* designated port: priority << 10 | number */
};

/* < 0: a is better; 0: the same; > 0: b is better (17.6). */
int stp_vector_compare(const struct stp_vector *a, const struct stp_vector *b);

static inline uint64_t stp_bridge_id(uint16_t priority, const struct mac *m)
{
    return (uint64_t)priority << 48 | mac_to_u64(m);
}

/* Low ten bits as the Linux bridge has them; 802.1D-2004 has twelve. */
#define STP_PORT_NUMBER(id) ((uint16_t)((id)&0x3ff))

/* Times in 1/256 s, as on the wire (9.2.8). */
#define STP_SECOND 256
struct stp_times {
    uint16_t message_age, max_age, hello, forward_delay;
};

static inline bool stp_times_same(const struct stp_times *a,
                                  const struct stp_times *b)
{
    return a->message_age == b->message_age && a->max_age == b->max_age &&
           a->hello == b->hello && a->forward_delay == b->forward_delay;
}

static inline uint16_t stp_time_from_cs(uint32_t cs)
{
    uint32_t t = (cs * STP_SECOND + 50) / 100;

    return t > UINT16_MAX ? UINT16_MAX : (uint16_t)t;
}

static inline uint32_t stp_time_to_cs(uint32_t t)
{
    return (t * 100 + STP_SECOND / 2) / STP_SECOND;
}

enum bpdu_type {
    BPDU_CONFIG = 0x00, /* 9.3.1 */
    BPDU_RST = 0x02,    /* 9.3.3; MST BPDUs (version 3) begin the same way */
    BPDU_TCN = 0x80,    /* 9.3.2 */
};

/* 9.2.9, 9.3.3 */
#define BPDU_TC         0x01
#define BPDU_PROPOSAL   0x02
#define BPDU_ROLE_SHIFT 2
#define BPDU_ROLE_MASK  0x0c
#define BPDU_LEARNING   0x10
#define BPDU_FORWARDING 0x20
#define BPDU_AGREEMENT  0x40
#define BPDU_TC_ACK     0x80

/* The port role in an RST BPDU's flags. */
enum bpdu_role {
    BPDU_ROLE_UNKNOWN, /* as if it were a Configuration BPDU (9.3.3) */
    BPDU_ROLE_ALTERNATE_BACKUP,
    BPDU_ROLE_ROOT,
    BPDU_ROLE_DESIGNATED
};

struct bpdu {
    uint8_t version;
    uint8_t type; /* enum bpdu_type */
    uint8_t flags;
    struct stp_vector vector; /* zero in a TCN, as are the times */
    struct stp_times times;
};

static inline enum bpdu_role bpdu_role(const struct bpdu *b)
{
    return (enum bpdu_role)((b->flags & BPDU_ROLE_MASK) >> BPDU_ROLE_SHIFT);
}

/* Why a frame sent to the bridge group address is no BPDU (9.3.4). */
#define BPDU_BAD_LIST(X)                                                       \
    X(SHORT, "short", "shorter than its kind of BPDU has to be")               \
    X(LENGTH, "length", "its length field promises more than there is")        \
    X(LLC, "llc", "no LLC header of the bridge protocol (42 42 03)")           \
    X(PROTOCOL, "protocol", "its protocol identifier is not 0")                \
    X(TYPE, "type", "its type is none that its version has")

enum bpdu_bad {
    BPDU_OK,
#define X(id, name, text) BPDU_BAD_##id,
    BPDU_BAD_LIST(X)
#undef X
        BPDU_BAD_COUNT
};
/* "short"; "shorter than ..."; for BPDU_OK "ok". */
const char *bpdu_bad_name(enum bpdu_bad b);
const char *bpdu_bad_text(enum bpdu_bad b);

/*
 * Reads a whole Ethernet frame, from its destination address on; what is
 * behind the BPDU (padding, version 3's own part) is not looked at.
 */
enum bpdu_bad bpdu_decode(struct bpdu *b, const void *frame, size_t len);

/* The least an Ethernet carries, and the most we send. */
#define BPDU_FRAME_LEN 60

/* Writes the frame, padded with zeroes. */
void bpdu_encode(const struct bpdu *b, const struct mac *src,
                 uint8_t frame[BPDU_FRAME_LEN]);

/* "8000.0200deadbeef"; returns 'text'. */
#define STP_ID_TEXT_MAX 18
const char *stp_id_format(uint64_t id, char text[STP_ID_TEXT_MAX]);

/*
 * One line that says all of it: "RST, designated, proposal, discarding: root
 * 8000.... cost 0, from 8000.... port 8001, age 0.00 of 20.00 s, ...".
 */
#define BPDU_TEXT_MAX 288
const char *bpdu_format(const struct bpdu *b, char text[BPDU_TEXT_MAX]);

#endif
