/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See sockaddr.h.
 *
 * Whether a UNIX socket's file is stale is asked by connecting to it with a
 * socket of the other type: a live socket answers "wrong type", whatever it
 * is doing, and does not notice; one that nobody has open refuses.  Looking
 * and replacing happen under a lock on the directory, so that of two daemons
 * that find the same stale file only one replaces it.
 */
#include "ports/sockaddr.h"

#include "ports/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SPACE sizeof(((struct sockaddr_un *)0)->sun_path)

/* ---- reading ---- */

static bool skip_prefix(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (strncmp(*text, prefix, n) != 0)
        return false;
    *text += n;
    return true;
}

static int parse_unix(const char *path, struct sockaddrs *out, struct err *e)
{
    struct sockaddr_one *a = &out->at[0];
    size_t n = strlen(path);

    if (*path != '/' && *path != '@')
        return err_set(e, EINVAL,
                       "%s: a socket's path must be absolute (or @NAME)", path);
    if (n < 2)
        return err_set(e, EINVAL, "%s: the name of the socket is missing",
                       path);
    if (n >= PATH_SPACE)
        return err_set(e, ENAMETOOLONG,
                       "%s: a socket's path is at most %zu characters long",
                       path, PATH_SPACE - 1);
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, path, n + 1);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (*path == '@') {
        a->un.sun_path[0] = '\0';
        a->len--; /* all octets count, and none is at the end */
    }
    out->n = 1;
    return 0;
}

/* Takes "HOST" or "[V6]" off the front; the port's text, or NULL. */
static const char *split(const char *text, char *host, size_t size)
{
    const char *colon = strrchr(text, ':'), *end = colon;

    if (!colon)
        return NULL;
    if (*text == '[') {
        if (colon == text || colon[-1] != ']')
            return NULL;
        text++;
        end--;
    } else if (strchr(text, ':') != colon) {
        return NULL; /* a bare IPv6 address: where does it end? */
    }
    if ((size_t)(end - text) >= size)
        return NULL;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    return colon + 1;
}

static bool good_port(const char *text)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && !*end && v >= 1 && v <= 65535;
}

static void set_wildcard(struct sockaddrs *out, const char *port)
{
    struct sockaddr_in6 *six = (void *)&out->at[0].room;
    struct sockaddr_in *four = (void *)&out->at[1].room;
    uint16_t no = htons((uint16_t)strtoul(port, NULL, 10));

    /* both families by one socket, or IPv4 where there is no IPv6 */
    six->sin6_family = AF_INET6;
    six->sin6_port = no;
    out->at[0].len = sizeof(*six);
    four->sin_family = AF_INET;
    four->sin_port = no;
    out->at[1].len = sizeof(*four);
    out->n = 2;
    out->wildcard = true;
}

static bool is_wildcard(const struct sockaddr_one *a)
{
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(
            &((const struct sockaddr_in6 *)&a->room)->sin6_addr);
    return ((const struct sockaddr_in *)&a->room)->sin_addr.s_addr == 0;
}

/* Asking a name server could hold up every port that is to be opened. */
static int read_host(const char *host, const char *port, int type,
                     struct sockaddrs *out, struct err *e)
{
    const bool local = strcmp(host, "localhost") == 0;
    const struct addrinfo hints = {.ai_socktype = type,
                                   .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *a;

    if (getaddrinfo(local ? "127.0.0.1" : host, port, &hints, &a))
        return err_set(e, EINVAL,
                       "%s is no address: names other than localhost are not "
                       "looked up",
                       host);
    memcpy(&out->at[0].room, a->ai_addr, a->ai_addrlen);
    out->at[0].len = a->ai_addrlen;
    out->n = 1;
    freeaddrinfo(a);
    if (local && getaddrinfo("::1", port, &hints, &a) == 0) {
        memcpy(&out->at[1].room, a->ai_addr, a->ai_addrlen);
        out->at[1].len = a->ai_addrlen;
        out->n = 2;
        freeaddrinfo(a);
    }
    out->wildcard = is_wildcard(&out->at[0]);
    return 0;
}

int sockaddr_parse(const char *text, int type, struct sockaddrs *out,
                   struct err *e)
{
    const bool stream = type == SOCK_STREAM;
    const char *rest = text, *port;
    char host[256];

    memset(out, 0, sizeof(*out));
    if (*rest == '/' || *rest == '@' || skip_prefix(&rest, "unix:"))
        return parse_unix(rest, out, e);
    if (skip_prefix(&rest, stream ? "udp:" : "tcp:"))
        return err_set(e, EINVAL, "%s: %s", text,
                       stream ? "UDP is for dgram ports"
                              : "TCP is for stream ports");
    (void)skip_prefix(&rest, stream ? "tcp:" : "udp:");
    port = split(rest, host, sizeof(host));
    if (!port)
        return err_set(e, EINVAL,
                       "%s: expected an absolute path, @NAME, HOST:PORT or "
                       "[V6]:PORT",
                       text);
    if (!good_port(port))
        return err_set(e, EINVAL, "%s: a port's number is 1 to 65535", text);
    if (*host)
        return read_host(host, port, type, out, e);
    set_wildcard(out, port);
    return 0;
}

/* ---- printing and comparing ---- */

static const char *unix_text(const struct sockaddr_one *a, char *out)
{
    size_t n = a->len - offsetof(struct sockaddr_un, sun_path);

    if (a->len <= offsetof(struct sockaddr_un, sun_path))
        return memcpy(out, "unnamed", 8);
    if (n > PATH_SPACE)
        n = PATH_SPACE;
    memcpy(out, a->un.sun_path, n);
    out[n] = '\0';
    if (!*out)
        *out = '@';
    for (char *c = out; *c; c++) /* an abstract name may be anything */
        if (*c < ' ' || *c == 127)
            *c = '?';
    return out;
}

const char *sockaddr_text(const struct sockaddr_one *a, char out[SOCKADDR_TEXT])
{
    bool six = a->any.sa_family == AF_INET6;
    char host[64], port[8];

    if (sockaddr_is_unix(a))
        return unix_text(a, out);
    if (getnameinfo(&a->any, a->len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return memcpy(out, "?", 2);
    snprintf(out, SOCKADDR_TEXT, six ? "[%s]:%s" : "%s:%s", host, port);
    return out;
}

bool sockaddr_is_multicast(const struct sockaddr_one *a)
{
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_MULTICAST(
            &((const struct sockaddr_in6 *)&a->room)->sin6_addr);
    return a->any.sa_family == AF_INET &&
           IN_MULTICAST(
               ntohl(((const struct sockaddr_in *)&a->room)->sin_addr.s_addr));
}

bool sockaddr_equal(const struct sockaddr_one *a, const struct sockaddr_one *b)
{
    const struct sockaddr_in6 *a6 = (const void *)&a->room;
    const struct sockaddr_in6 *b6 = (const void *)&b->room;
    const struct sockaddr_in *a4 = (const void *)&a->room;
    const struct sockaddr_in *b4 = (const void *)&b->room;

    if (a->any.sa_family != b->any.sa_family)
        return false;
    switch (a->any.sa_family) {
    case AF_INET:
        return a4->sin_port == b4->sin_port &&
               a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    case AF_INET6: /* what else it holds is not always filled in */
        return a6->sin6_port == b6->sin6_port &&
               memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
    default:
        return a->len == b->len && memcmp(&a->room, &b->room, a->len) == 0;
    }
}

/* ---- making ---- */

int sockaddr_socket(const struct sockaddr_one *a, int type, int netns_fd)
{
    struct netns_scope scope;
    int off = 0, fd, rc = netns_enter(&scope, netns_fd, NULL);

    if (rc)
        return rc;
    fd = socket(a->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rc = -errno;
    netns_leave(&scope);
    if (fd < 0)
        return rc;
    if (a->any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return fd;
}

void sockaddr_buffers(int fd, uint32_t send, uint32_t receive)
{
    int n = (int)send;

    if (send && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
    n = (int)receive;
    if (receive &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n, sizeof(n)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
}

/* ---- files ---- */

/*
 * Anybody who may read a directory can lock it, so there is a limit to our
 * patience.  The descriptor, or -errno.
 */
static int lock_directory(const char *path, struct err *e)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    char dir[PATH_SPACE];
    int fd;

    snprintf(dir, sizeof(dir), "%s", path);
    *(strrchr(dir, '/') + 1) = '\0';
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "the directory of socket %s", path);
    for (int i = 0; i < 100; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    close(fd);
    return err_set(e, EAGAIN, "somebody keeps %s locked", dir);
}

static int probe(const struct sockaddr_one *a, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = connect(fd, &a->any, a->len) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int remove_stale(int fd, const struct sockaddr_one *a, struct err *e)
{
    const char *path = a->un.sun_path;
    int type = SOCK_STREAM;
    socklen_t len = sizeof(type);
    struct stat st;
    int rc;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "socket %s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, EEXIST,
                       "%s exists and is not a socket: it is left alone", path);
    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    rc = probe(a, type == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM);
    if (rc == -EACCES)
        return err_set(e, rc, "socket %s belongs to somebody else", path);
    if (rc != -ECONNREFUSED && rc != -ENOENT)
        return err_set(
            e, EADDRINUSE, "somebody has the socket %s already%s", path,
            type == SOCK_STREAM ? "; to connect to it: listen=off" : "");
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, errno, "removing the stale socket %s", path);
    return 0;
}

static int bind_locked(int fd, const struct sockaddr_one *a, unsigned mode,
                       struct sockaddr_file *made, struct err *e)
{
    const char *path = a->un.sun_path;
    struct stat st;
    int rc = remove_stale(fd, a, e);

    if (rc)
        return rc;
    /* The file is made with the socket's own mode: never wider than asked. */
    if (mode && fchmod(fd, mode) < 0)
        return err_sys(e, errno, "permissions of socket %s", path);
    if (bind(fd, &a->any, a->len) < 0)
        return err_sys(e, errno, "socket %s", path);
    if (lstat(path, &st) < 0)
        return err_sys(e, errno, "socket %s", path);
    snprintf(made->path, sizeof(made->path), "%s", path);
    made->dev = st.st_dev;
    made->ino = st.st_ino;
    if (mode && chmod(path, mode) < 0) {
        rc = err_sys(e, errno, "permissions of socket %s", path);
        sockaddr_remove(made);
    }
    return rc;
}

int sockaddr_bind(int fd, const struct sockaddr_one *a, unsigned mode,
                  struct sockaddr_file *made, struct err *e)
{
    char text[SOCKADDR_TEXT];
    int lock, rc;

    made->path[0] = '\0';
    if (sockaddr_is_unix(a) && a->un.sun_path[0]) {
        lock = lock_directory(a->un.sun_path, e);
        if (lock < 0)
            return lock;
        rc = bind_locked(fd, a, mode, made, e);
        close(lock);
        return rc;
    }
    if (bind(fd, &a->any, a->len) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return err_set(e, EADDRINUSE, "somebody has the address %s already",
                       sockaddr_text(a, text));
    return err_sys(e, errno, "address %s", sockaddr_text(a, text));
}

void sockaddr_remove(struct sockaddr_file *made)
{
    struct stat st;

    /* Our open socket keeps the inode's number from being used again. */
    if (made->path[0] && lstat(made->path, &st) == 0 &&
        st.st_dev == made->dev && st.st_ino == made->ino)
        unlink(made->path);
    made->path[0] = '\0';
}
