/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG       64
#define LOCK_WAIT_MS  2000
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
 * One that was killed answers nobody, and its guard, which puts back what it
 * had changed, has the lock for a moment longer.
 */
static int lock_soon(int fd, const struct sockaddr_un *addr)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    int rc;

    for (int ms = 0; (rc = flock(fd, LOCK_EX | LOCK_NB)) < 0 &&
                     ms < LOCK_WAIT_MS && connects(addr) != 0;
         ms += LOCK_PAUSE_MS)
        (void)nanosleep(&pause, NULL);
    return rc;
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
        if (lock_soon(fd, &l->addr) < 0) {
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
    if (connects(&l->addr) != -ECONNREFUSED)
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
