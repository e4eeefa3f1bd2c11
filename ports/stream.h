/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream:ADDR, a port whose other end is one peer at a stream socket, with
 * the framing of QEMU's "-netdev stream" and "-netdev socket": each frame
 * behind its length, four octets, big-endian.  Needs no privileges.
 *
 * ADDR is a UNIX socket (/PATH, @NAME) or HOST:PORT (ports/sockaddr.h).
 *
 * Keys
 *   listen=on|off    wait for the peer there, or connect to it.  Default: on
 *                    for UNIX sockets and addresses without a host (:PORT),
 *                    off for HOST:PORT
 *   reconnect=1..3600  seconds between attempts to connect (1, 2, then 4)
 *   mtu=68..65535    longest frame (65535; it does not bind the bridge's own
 *                    interface unless given)
 *   edge=on|off      a guest or host is expected behind it (on)
 *   buffer=N         octets the socket may hold for a slow peer (1 MB for UNIX
 *                    sockets, the system's choice for TCP)
 *   mode=OCTAL       permissions of the socket's file (by the umask)
 *
 * The port is open, and its link down, while there is no peer: it waits, or
 * tries again, for ever.  A listening port has one peer at a time; others are
 * let in and closed at once, so that they notice, and counted.  A peer that
 * has died is noticed before the next is looked at; a TCP peer's host that
 * vanished, within half a minute, whether frames are sent to it or not.
 */
#ifndef PORTS_STREAM_H
#define PORTS_STREAM_H

#include "ports/port.h"

extern const struct port_kind port_kind_stream;

#endif
