/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dgram:LOCAL,remote=REMOTE, a port whose frames are datagrams, one each, as
 * QEMU's "-netdev dgram" and "-netdev socket,udp=" / "mcast=" send them.
 * Needs no privileges.
 *
 *   dgram:/run/b.sock,remote=/run/vm.sock    UNIX sockets, a path for each side
 *   dgram::5001,remote=192.0.2.9:5000        UDP
 *   dgram:239.7.7.7:5000                     UDP multicast: a shared segment
 *
 * Keys
 *   remote=ADDR      the peer, which alone is listened to (ports/sockaddr.h)
 *   learn=on|off     UDP without remote: the first that sends becomes the
 *                    peer, until it is gone.  Whoever reaches the address can
 *                    be it (off: remote= is needed)
 *   local=ADDRESS    of the interface a multicast group is joined on
 *   ttl=1..255       of multicast datagrams (1: this network)
 *   mtu=68..65535    longest frame (as long as a datagram can be; it does not
 *                    bind the bridge's own interface unless given)
 *   edge=on|off      a guest or host is expected behind it (on)
 *   buffer=N         octets for each direction (4 MB, as far as allowed)
 *   mode=OCTAL       permissions of the socket's file (by the umask)
 *
 * While the peer refuses datagrams (nobody there) the link is down; each
 * second it is tried again: a UNIX socket by connecting to it, UDP by a frame
 * that nobody minds (EtherType 0x9000, loopback).  A peer whose queue is full
 * gets what fits into a queue of ours; the rest is "peer slow".
 */
#ifndef PORTS_DGRAM_H
#define PORTS_DGRAM_H

#include "ports/port.h"

extern const struct port_kind port_kind_dgram;

#endif
