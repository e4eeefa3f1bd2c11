/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs share that send frames as fast as a device takes them.
 * Threads: one.
 */
#ifndef TESTS_TOOLS_BLAST_H
#define TESTS_TOOLS_BLAST_H

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static inline double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
            strerror(errno));
    exit(1);
}

/* A socket that sends past the queueing discipline. */
static inline int open_device(const char *name)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET};
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    a.sll_ifindex = (int)if_nametoindex(name);
    if (!a.sll_ifindex || bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die(name);
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
    return fd;
}

#endif
