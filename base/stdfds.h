/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors 0 to 2 for those that were started without: else the first
 * socket would become standard output, and take what is printed.
 */
#ifndef BASE_STDFDS_H
#define BASE_STDFDS_H

#include <fcntl.h>
#include <unistd.h>

/* First thing in main.  Writing to what was closed still fails (EBADF). */
static inline void stdfds_fill(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

#endif
