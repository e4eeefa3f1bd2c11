/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of a frame: one list that yields the enum, the per-port counter
 * and the sentence shown to people.  Every frame the switch receives ends
 * with exactly one ingress verdict; every copy it makes ends as sent or with
 * one of the egress reasons.  There is no silent drop.
 *
 * The ports' own reasons (ports/port_reason.h) come first, so that their
 * numbers agree.
 */
#ifndef SWITCH_REASON_H
#define SWITCH_REASON_H

#include "ports/port_reason.h"

#include <stdbool.h>

/* X(ENUM, "machine-name", "sentence for people") */
#define SWITCH_REASON_LIST(X)                                                  \
    X(FORWARDED, "forwarded", "sent to the one port that has the address")     \
    X(FLOODED, "flooded", "sent to all ports: nobody known has the address")   \
    X(LOCAL, "local", "delivered to the bridge's own interface")               \
    X(RESERVED_FORWARDED, "reserved-forwarded",                                \
      "reserved address, forwarded: by the mask, or BPDU, spanning tree off")  \
    X(RESERVED_DROPPED, "reserved",                                            \
      "reserved address (802.1D): not forwarded, see group-fwd-mask")          \
    X(BPDU, "bpdu", "taken by the spanning tree")                              \
    X(BPDU_FLOOD, "bpdu-flood",                                                \
      "BPDU not looked at: more came by this port than a neighbour sends")     \
    X(BPDU_FILTERED, "bpdu-filtered",                                          \
      "BPDU of others dropped: the port's BPDU filter is on")                  \
    X(BAD_SOURCE, "bad-source", "source is a group address or all zeroes")     \
    X(BRIDGE_DOWN, "bridge-down", "the bridge interface is down")              \
    X(PORT_STATE, "port-state", "port is not forwarding")                      \
    X(SAME_PORT, "same-port",                                                  \
      "destination is behind the port it came from (hairpin is off)")          \
    X(ISOLATED, "isolated", "both ports are isolated")                         \
    X(NO_PORT, "no-port", "no port to send it to")                             \
    X(FLOOD_OFF, "flood-off", "flooding of this kind is off on all others")    \
    X(EGRESS_STATE, "egress-state", "egress port is not forwarding")

/*
 * Remarks: counted beside the verdict, not instead of it.  The frame goes on,
 * as it does in the kernel's bridge; nothing is learned from it.
 */
#define REMARK_LIST(X)                                                         \
    X(OWN_SOURCE, "own-source",                                                \
      "remark: our own address as source, not learned: loop or duplicate")     \
    X(PINNED, "pinned",                                                        \
      "remark: source is static or sticky on another port, not learned")       \
    X(FOLLOWED, "followed",                                                    \
      "remark: sent again, after a guest that was moved from this port")

enum reason {
#define X(id, name, text) REASON_PORT_##id = PORT_REASON_##id,
    PORT_REASON_LIST(X)
#undef X
        REASON_PORT_LAST = PORT_REASON_COUNT - 1,
#define X(id, name, text) REASON_##id,
    SWITCH_REASON_LIST(X) REMARK_LIST(X)
#undef X
        REASON_COUNT
};

static inline bool reason_is_remark(enum reason r)
{
    return r == REASON_OWN_SOURCE || r == REASON_PINNED || r == REASON_FOLLOWED;
}

/* "tx-too-big"; NULL past the end. */
const char *reason_name(enum reason r);
/* "too big for egress"; NULL past the end. */
const char *reason_text(enum reason r);

#endif
