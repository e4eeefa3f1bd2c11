/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kinds that stand on libpcap: pcap.c (a live interface) and pcapfile*.c
 * (files).  For the table of kinds.
 */
#ifndef PORTS_PCAP_PORT_H
#define PORTS_PCAP_PORT_H

#include "ports/port.h"

extern const struct port_kind port_kind_pcap;
extern const struct port_kind port_kind_pcapfile;

#endif
