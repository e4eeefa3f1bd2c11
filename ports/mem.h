/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem:NAME, a port in memory that a person or a test holds the other end of:
 * frames are injected and collected from the control thread, the link is
 * pulled, the device fails when told to.  It needs no privileges.
 *
 * Keys
 *   vnet=on|off     takes a virtio-net header at all (on); off turns the four
 *                   below off
 *   csum= tso4= tso6= uso=   takes CSUM_PARTIAL and super-frames (as vnet)
 *   mtu=68..65535   (1500)   speed=Mb/s (10000)   mac=ADDRESS (none)
 *   link=on|off     carrier when opened (on)      edge=on|off (on)
 *   queues=1..8     ingress queues; a pair of addresses stays on one (1)
 *   proto=on|off    01:80:c2:00:00:0X has its own queue (off)
 *   head=128..65535 octets in a received frame's first segment, the rest in
 *                   three more (all in one)
 *   collect=N       frames kept for collecting (4096)
 *   discard=on|off  count what is sent and keep nothing (off)
 *   slow=N          take N frames of each list, refuse the rest: "peer slow"
 *                   (0: all)
 *   fail-open=on|off  opening fails (off)
 *
 * As a device would, it refuses what its caps do not allow: nothing that is
 * partial, cut-less or too long is collected from a port that cannot take it.
 *
 * Serial (one short lock per list) unless discard=on, which is parallel.
 * What has been collected survives failure and close; what was injected and
 * not yet received does not.
 *
 * Threads: any that may block for a moment; injection and link changes are
 * ordered by the caller.  All return -EINVAL for a port of another kind.
 */
#ifndef PORTS_MEM_H
#define PORTS_MEM_H

#include "ports/port.h"

/* Frames that may wait to be received, per queue and in all copies. */
#define MEM_PENDING_MAX 1000000

extern const struct port_kind port_kind_mem;

bool mem_is(const struct port *p);

/*
 * Makes 'copies' of the frame arrive.  vnet NULL: a complete, single frame.
 * It is judged when it is received (runts and bad headers are counted there).
 * 0, -EMSGSIZE (over FRAME_LEN_MAX), -ENETDOWN (closed, failed or link down),
 * -ENOBUFS (MEM_PENDING_MAX), -ENOMEM.
 */
int mem_inject(struct port *p, const void *frame, uint32_t len,
               const struct virtio_net_hdr *vnet, unsigned copies);

/* Copies injected and not yet received, all queues. */
uint64_t mem_pending(const struct port *p);

/*
 * Takes the oldest frame collected.  Its length (the frame is cut to 'size',
 * the length is not), or -EAGAIN.  vnet may be NULL.
 */
int mem_collect(struct port *p, void *buf, uint32_t size,
                struct virtio_net_hdr *vnet);

/* Frames taken from the switch since port_new, discarded ones included. */
uint64_t mem_taken(const struct port *p);

/*
 * The device fails when it has taken 'n' more frames: the next list's frames
 * behind them are refused, PORT_EVENT_FAILED is reported, rx fails.  0: now.
 * -1: never, and a device that has failed is back (PORT_EVENT_READY).
 */
int mem_fail_after(struct port *p, int64_t n);

/* Carrier; reports UP or DOWN if it changes. */
int mem_set_link(struct port *p, bool up);

/*
 * Control thread.  Takes vnet, tx_*, mtu, speed and mac from 'c' and reports
 * CAPS.
 */
int mem_set_caps(struct port *p, const struct port_caps *c);

/*
 * For benchmarks: the n frames arrive 'rounds' times over, in order, without
 * being copied: each is prepared once and lives until the port is closed.
 * They must be good (-EINVAL if frame_vnet_check refuses one); all come by
 * queue 0.  -ENETDOWN, -ENOMEM; -EBUSY while an earlier replay runs.
 */
struct mem_frame {
    const void *bytes;
    uint32_t len;
    struct virtio_net_hdr vnet;
};
int mem_replay(struct port *p, const struct mem_frame *f, unsigned n,
               uint64_t rounds);

#endif
