/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that came without a virtio-net header from where one might have been
 * needed (CSUM_UNKNOWN): the sender's host may have left the checksum, or even
 * the cutting of a super-frame, to a device that never did it, and libpcap has
 * no way to tell.  The frame itself tells:
 *
 *   TCP, UDP  the checksum field holds the pseudo-header's sum, nothing else.
 *             A finished checksum looks so once in 65536 frames, and then
 *             completing it again gives the same value.
 *   SCTP      the field is zero.
 *
 * All other fields are left alone: a checksum that a sender got wrong stays
 * wrong for the receiver to see.  What is inside a tunnel is not looked at.
 *
 * Threads: the forwarder that owns the frame.  Pure; reads the first segment
 * and, behind the end of the IP packet, padding.
 */
#ifndef PORTS_SETTLE_H
#define PORTS_SETTLE_H

#include "ports/frame.h"

/*
 * Makes CSUM_PARTIAL or CSUM_COMPLETE of CSUM_UNKNOWN, vnet with it; other
 * frames stay as they are.  The frame's octets are not changed.
 */
void settle(struct frame *f);

/*
 * The same for a frame of a device with 'mtu' (port_caps.mtu) whose kernel
 * hands over super-frames as they are.  One that is longer than the device
 * could send becomes a TCP super-frame of pieces as long as the MTU allows and
 * at most 'mss' octets of payload (0: no limit), since what size the sender
 * meant is not known.  False, and PORT_REASON_RX_UNDESCRIBED in *why: it is no
 * TCP segment that waits for its checksum, so nobody can say what it stands
 * for.  Frames within the MTU are left unknown (settle() is for them).
 */
bool settle_super(struct frame *f, uint32_t mtu, uint32_t mss,
                  enum port_reason *why);

#endif
