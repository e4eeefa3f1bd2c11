/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port cannot do for itself is done here: completing checksums (SCTP's
 * CRC among them) and cutting super-frames (TCPv4, TCPv6, UDP) into frames,
 * with VLAN tags counted.  Never trusts hdr_len; refuses more than
 * OFFLOAD_PIECES_MAX pieces or a gso_size under OFFLOAD_GSO_MIN.
 *
 * Threads: the forwarder that owns the arena.  Pure but for the arena.
 */
#ifndef PORTS_OFFLOAD_H
#define PORTS_OFFLOAD_H

#include "ports/port.h"

#define OFFLOAD_PIECES_MAX 128
#define OFFLOAD_GSO_MIN    48 /* octets of payload per piece, except the last */

/* Does 'f' pass to a port with 'caps' as it is?  Never if its checksum is
 * CSUM_UNKNOWN: settle() it first (ports/settle.h). */
bool offload_fits(const struct frame *f, const struct port_caps *caps);

/*
 * Do the headers of a super-frame say what its virtio-net header says?  The
 * kernel gives a tunnel's super-frame (TCP inside VXLAN) the offload type and
 * the offsets of the inner headers, and nobody can cut it by those.
 */
bool offload_describes(const struct frame *f);

/*
 * Is 'f', or each piece it would be cut into, short enough for 'mtu'
 * (port_caps.mtu)?  A super-frame is judged by gso_size, not by its length.
 */
bool offload_mtu_ok(const struct frame *f, uint32_t mtu);

/*
 * Makes 'f' fit for a port that takes complete, single frames only: completes
 * the checksum on a private head, or cuts by gso_size.  Writes up to 'max'
 * frames to out[], their heads in 'arena', their payload still f's memory
 * (valid as long as f's).  Returns how many, or 0 with the reason in *why.
 * 'f' is unchanged, so one result serves every such port of the turn.  An
 * unknown checksum is looked at first.
 *
 * tx_csum: the port completes checksums itself: pieces keep CSUM_PARTIAL.
 */
unsigned offload_plain(const struct frame *f, bool tx_csum, struct frame *out,
                       unsigned max, struct arena *arena,
                       enum port_reason *why);

#endif
