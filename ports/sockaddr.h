/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of sockets as people type them, and making sockets at them; for
 * the kinds stream and dgram.
 *
 *   /PATH  unix:/PATH      UNIX socket in the file system, absolute
 *   @NAME  unix:@NAME      UNIX socket in the network namespace's own space
 *   HOST:PORT  [V6]:PORT  :PORT  tcp:...  udp:...
 *
 * Threads: job thread, unless a function says otherwise.
 */
#ifndef PORTS_SOCKADDR_H
#define PORTS_SOCKADDR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define SOCKADDR_MAX  2 /* of the addresses a text stands for */
#define SOCKADDR_TEXT 128

struct sockaddr_one {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    };
    socklen_t len;
};

/* What one text stands for: one address, or one of IPv6 and one of IPv4. */
struct sockaddrs {
    struct sockaddr_one at[SOCKADDR_MAX];
    unsigned n;    /* >= 1 */
    bool wildcard; /* no host was given, or "any" */
};

/*
 * 'type' is SOCK_STREAM or SOCK_DGRAM.  Hosts are addresses or "localhost".
 * 0, or -EINVAL, -ENAMETOOLONG with a sentence naming the text.  Quick.
 */
int sockaddr_parse(const char *text, int type, struct sockaddrs *out,
                   struct err *e);

/* As it would be typed; returns 'out'.  Any thread. */
const char *sockaddr_text(const struct sockaddr_one *a,
                          char out[SOCKADDR_TEXT]);

static inline bool sockaddr_is_unix(const struct sockaddr_one *a)
{
    return a->any.sa_family == AF_UNIX;
}
bool sockaddr_is_multicast(const struct sockaddr_one *a);
/* The same address and port?  Any thread. */
bool sockaddr_equal(const struct sockaddr_one *a, const struct sockaddr_one *b);

/*
 * A non-blocking socket for 'a' in the namespace 'netns_fd' (-1: ours).  The
 * descriptor, or -errno.  Any thread; quick.
 */
int sockaddr_socket(const struct sockaddr_one *a, int type, int netns_fd);

/* The file of a UNIX socket that we made. */
struct sockaddr_file {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": none */
    dev_t dev;
    ino_t ino;
};

/*
 * Binds 'fd'.  A UNIX socket's file that nobody has open is replaced; 'mode'
 * are its permissions (0: what the umask leaves).  0, or -errno with a
 * sentence: -EADDRINUSE when somebody is there, -EEXIST when it is no socket.
 */
int sockaddr_bind(int fd, const struct sockaddr_one *a, unsigned mode,
                  struct sockaddr_file *made, struct err *e);

/* Removes the file if it is still ours; before the socket is closed. */
void sockaddr_remove(struct sockaddr_file *made);

/*
 * Asks for so many octets of buffer, as far as we may; 0: the system's own.
 * Any thread.
 */
void sockaddr_buffers(int fd, uint32_t send, uint32_t receive);

#endif
