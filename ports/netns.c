/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See netns.h.  A namespace is recognised by asking the kernel for the
 * descriptor's type, so that a typo names a file and not a namespace is told
 * as such and not as a setns that failed later.
 */
#include "ports/netns.h"

#include "base/log.h"
#include "ports/netwatch.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

#define NETNS_DIR "/run/netns"

static bool all_digits(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!isdigit((unsigned char)*s))
            return false;
    return true;
}

/* Opens 'path' if it is a network namespace; else -errno. */
static int open_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}

static int explain(struct err *e, const char *text, int rc)
{
    switch (-rc) {
    case EINVAL:
        return err_set(e, rc, "%s is not a network namespace", text);
    case ENOENT:
        return err_set(
            e, rc,
            "no network namespace \"%s\": neither a name under " NETNS_DIR
            " (ip netns list), nor a process id, nor a "
            "path",
            text);
    default:
        return err_sys(e, rc, "network namespace %s", text);
    }
}

int netns_open(const char *text, struct err *e)
{
    char path[PATH_MAX];
    int rc = -ENOENT;

    if (!*text)
        return err_set(e, EINVAL, "the name of a network namespace is empty");
    if (strchr(text, '/')) {
        rc = open_path(text);
        return rc < 0 ? explain(e, text, rc) : rc;
    }
    /* A name wins over a process id, as nobody names one by accident. */
    if (snprintf(path, sizeof(path), NETNS_DIR "/%s", text) < (int)sizeof(path))
        rc = open_path(path);
    if (rc == -ENOENT && all_digits(text)) {
        snprintf(path, sizeof(path), "/proc/%.16s/ns/net", text);
        rc = open_path(path);
    }
    return rc < 0 ? explain(e, text, rc) : rc;
}

int netns_enter(struct netns_scope *s, int fd, struct err *e)
{
    int rc;

    s->home = -1;
    if (fd < 0)
        return 0;
    s->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (s->home < 0)
        return err_sys(e, errno, "own network namespace");
    if (setns(fd, CLONE_NEWNET) == 0)
        return 0;
    rc = errno;
    close(s->home);
    s->home = -1;
    if (rc == EPERM)
        return err_set(e, rc,
                       "entering another network namespace needs root "
                       "(CAP_SYS_ADMIN)");
    return err_sys(e, rc, "entering the network namespace");
}

void netns_leave(struct netns_scope *s)
{
    if (s->home < 0)
        return;
    if (setns(s->home, CLONE_NEWNET) != 0) {
        log_error("cannot return to own network namespace: %s",
                  strerror(errno));
        abort();
    }
    close(s->home);
    s->home = -1;
}

uint64_t netns_cookie(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    if (fd < 0)
        return 0;
    (void)getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
    close(fd);
    return cookie;
}

uint64_t netns_id(int netns_fd)
{
    struct stat st;
    int rc;

    if (netns_fd < 0)
        rc = stat("/proc/self/ns/net", &st);
    else
        rc = fstat(netns_fd, &st);
    return rc == 0 ? st.st_ino : 0;
}
