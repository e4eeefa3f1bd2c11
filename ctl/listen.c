/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/listen.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG       64
#define LOCK_WAIT_MS  4000 /* a busy machine takes seconds to delete taps */
#define LOCK_PAUSE_MS 20

static int connects(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno
                                                                       : 0;
    close(fd);
    return rc;
}

/*
 * Is a daemon there?  That a connection is made says nothing: a process that
 * was killed and takes its devices down still has its listening socket, and the
 * kernel queues whoever comes.  Only an answer does.
 */
static int ask(const struct sockaddr_un *addr)
{
    static const char ping[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":1}\n";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 &&
        send(fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL) > 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Waits LOCK_PAUSE_MS for it, or until there is one; fd -1: just that long. */
static bool answered(int *fd)
{
    struct pollfd p = {.fd = *fd, .events = POLLIN};
    char c;

    if (poll(&p, 1, LOCK_PAUSE_MS) <= 0)
        return false;
    if (read(*fd, &c, 1) == 1)
        return true;
    close(*fd); /* it has gone without a word */
    *fd = -1;
    return false;
}

/*
 * Until 'tried' is true, for a while, unless a daemon answers meanwhile.  One
 * that was killed needs a moment for its devices, and its guard, which puts
 * back what it had changed, has the lock for a moment longer.
 */
static bool soon(bool (*tried)(const struct listener *, int), int lock,
                 const struct listener *l)
{
    uint64_t end = clock_now() + LOCK_WAIT_MS * NSEC_PER_MSEC;
    bool done = tried(l, lock);
    int fd = done ? -1 : ask(&l->addr);

    while (!done && clock_now() < end && !answered(&fd))
        done = tried(l, lock);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool locked(const struct listener *l, int lock)
{
    (void)l;
    return flock(lock, LOCK_EX | LOCK_NB) == 0;
}

static bool deserted(const struct listener *l, int lock)
{
    (void)lock;
    return connects(&l->addr) == -ECONNREFUSED;
}

/*
 * The lock decides between two daemons, also when both find a stale socket
 * at the same moment.  Its file is removed at the end, so that whoever got a
 * lock on a file that is no longer the one at that path tries again.
 */
static int take_lock(struct listener *l, struct err *e)
{
    for (int tries = 0; tries < 10; tries++) {
        struct stat mine, there;
        int fd =
            open(l->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return err_sys(e, errno,
                           "cannot make the control socket's lock %s; give "
                           "another place with --socket",
                           l->lock_path);
        if (!soon(locked, fd, l)) {
            close(fd);
            return err_set(e, EADDRINUSE,
                           "another basculed has the control socket %s; end it "
                           "or give another place with --socket",
                           l->addr.sun_path);
        }
        if (fstat(fd, &mine) == 0 && stat(l->lock_path, &there) == 0 &&
            mine.st_dev == there.st_dev && mine.st_ino == there.st_ino) {
            l->lock = fd;
            return 0;
        }
        close(fd);
    }
    return err_set(e, EAGAIN, "%s keeps changing", l->lock_path);
}

/* Something is at the socket's path: only what nobody answers may go. */
static int replace_stale(const struct listener *l, struct err *e)
{
    const char *path = l->addr.sun_path;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, EEXIST,
                       "%s exists and is not a socket; remove it or give "
                       "another place with --socket",
                       path);
    if (!soon(deserted, -1, l))
        return err_set(e, EADDRINUSE,
                       "somebody else listens on the control socket %s; end it "
                       "or give another place with --socket",
                       path);
    if (unlink(path) < 0)
        return err_sys(e, errno, "stale socket %s", path);
    return 0;
}

static int bind_listen(struct listener *l, gid_t group, struct err *e)
{
    const char *path = l->addr.sun_path;
    mode_t mask = umask(0111); /* 0666: whoever connects may read */
    int rc;

    rc = bind(l->fd, (const struct sockaddr *)&l->addr, sizeof(l->addr)) < 0
             ? -errno
             : 0;
    umask(mask);
    if (rc < 0)
        return err_sys(e, rc, "control socket %s", path);
    if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0)
        rc = err_sys(e, errno, "control socket %s: group %u", path,
                     (unsigned)group);
    else if (listen(l->fd, BACKLOG) < 0)
        rc = err_sys(e, errno, "control socket %s", path);
    if (rc < 0)
        unlink(path);
    return rc;
}

int listener_open(struct listener *l, const struct sockaddr_un *addr,
                  gid_t group, struct err *e)
{
    int rc;

    *l = (struct listener){.fd = -1, .lock = -1, .addr = *addr};
    snprintf(l->lock_path, sizeof(l->lock_path), "%s.lock", addr->sun_path);
    if (strncmp(addr->sun_path, SOCKPATH_RUN_DIR "/",
                strlen(SOCKPATH_RUN_DIR) + 1) == 0)
        l->made_dir = mkdir(SOCKPATH_RUN_DIR, 0755) == 0;
    rc = take_lock(l, e);
    if (rc == 0)
        rc = replace_stale(l, e);
    if (rc == 0) {
        l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        rc = l->fd < 0 ? err_sys(e, errno, "control socket")
                       : bind_listen(l, group, e);
    }
    if (rc < 0) {
        if (l->fd >= 0)
            close(l->fd);
        l->addr.sun_path[0] = '\0'; /* whoever is there stays there */
        l->fd = -1;
        listener_close(l, false);
    }
    return rc;
}

void listener_close(struct listener *l, bool keep_fd)
{
    if (l->fd >= 0 && !keep_fd)
        close(l->fd);
    if (l->addr.sun_path[0])
        unlink(l->addr.sun_path);
    if (l->lock >= 0) {
        unlink(l->lock_path);
        close(l->lock);
    }
    if (l->made_dir)
        rmdir(SOCKPATH_RUN_DIR);
    l->fd = l->lock = -1;
}

int notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len;
    int fd, rc = 0;

    if (!path || !*path)
        return 0;
    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') /* abstract */
        addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
               (const struct sockaddr *)&addr, len) < 0)
        rc = -errno;
    close(fd);
    return rc;
}
