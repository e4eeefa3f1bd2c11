/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a port did not take or could not deliver a frame: one list that gives
 * the enum, the counter and the sentence.  switch/reason.h continues it with
 * the switch's own reasons.
 */
#ifndef PORTS_PORT_REASON_H
#define PORTS_PORT_REASON_H

/* X(ENUM, "machine-name", "sentence for people") */
#define PORT_REASON_LIST(X)                                                    \
    X(RX_RUNT, "rx-runt", "received frame shorter than an Ethernet header")    \
    X(RX_TRUNCATED, "rx-truncated",                                            \
      "received frame longer than the switch carries (64 KB)")                 \
    X(RX_CUT, "rx-cut",                                                        \
      "captured frame without its end (snaplen shorter than the frame)")       \
    X(RX_BAD_VNET, "rx-bad-vnet",                                              \
      "received frame with an impossible virtio-net header")                   \
    X(RX_UNDESCRIBED, "rx-undescribed",                                        \
      "kernel could not describe the frame (tunnel or unknown offload)")       \
    X(RX_NO_MEMORY, "rx-no-memory", "no memory left in this turn")             \
    X(RX_BAD_LENGTH, "rx-bad-length",                                          \
      "peer announced a frame of impossible length and was disconnected")      \
    X(RX_STRANGER, "rx-stranger",                                              \
      "datagram from somebody else than the port's peer")                      \
    X(RX_QUEUE_FULL, "rx-queue-full",                                          \
      "socket queue full: the switch did not read fast enough")                \
    X(TX_DOWN, "tx-down", "egress port's link is down")                        \
    X(TX_QUEUE_FULL, "tx-queue-full",                                          \
      "device ring full: the receiver does not read fast enough")              \
    X(TX_TOO_BIG, "tx-too-big", "too big for egress")                          \
    X(TX_GSO_TINY, "tx-gso-tiny",                                              \
      "super-frame would become too many or too small pieces")                 \
    X(TX_GSO_BAD, "tx-gso-bad",                                                \
      "super-frame whose headers do not match its offload type")               \
    X(TX_CSUM_BAD, "tx-csum-bad",                                              \
      "checksum to be completed lies outside the headers")                     \
    X(TX_NOBODY, "tx-nobody", "nobody is there: the port replays a file")      \
    X(TX_PEER_SLOW, "tx-peer-slow", "peer slow: it does not drain its side")   \
    X(TX_FAILED, "tx-failed", "egress port has failed")                        \
    X(TX_NO_MEMORY, "tx-no-memory", "no memory left to cut or copy the frame") \
    X(TX_ERROR, "tx-error", "kernel refused the frame")

enum port_reason {
#define X(id, name, text) PORT_REASON_##id,
    PORT_REASON_LIST(X)
#undef X
        PORT_REASON_COUNT
};

#endif
