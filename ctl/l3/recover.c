/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving back what a daemon that was killed had taken off uplinks.  The
 * bridge's interface went with it, and with that the addresses there.
 */
#include "ctl/l3/impl.h"
#include "ports/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A descriptor of the namespace with this inode if 'path' is it, else -1. */
static int open_if(const char *path, uint64_t inode)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && netns_inode(fd) != inode) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int look_in(const char *dir, const char *rest, uint64_t inode)
{
    DIR *d = opendir(dir);
    const struct dirent *x;
    int fd = -1;

    /* cppcheck-suppress readdirCalled ; one stream, one thread */
    while (d && fd < 0 && (x = readdir(d))) {
        char path[PATH_MAX];

        if (x->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s%s", dir, x->d_name, rest);
        fd = open_if(path, inode);
    }
    if (d)
        closedir(d);
    return fd;
}

static int find_netns(uint64_t inode)
{
    int fd = open_if("/proc/thread-self/ns/net", inode);

    if (fd < 0)
        fd = look_in("/run/netns", "", inode);
    if (fd < 0)
        fd = look_in("/proc", "/ns/net", inode);
    return fd;
}

static void give_back(struct stored *s, struct l3_notes *n)
{
    char text[RT_TEXT_MAX];
    struct netns_scope scope;
    struct err e = {""};
    int fd = find_netns(s->netns);

    rt_set_text(&s->u.moved, text);
    if (fd < 0 || netns_enter(&scope, fd, &e)) {
        l3_note(n, "%s had %s; its network namespace is gone", s->u.name, text);
    } else {
        if (s->u.moved.n_addrs || s->u.moved.n_routes)
            l3_note(n,
                    "%s has %s again, which a daemon that was killed had given "
                    "to %s",
                    s->u.name, text, s->bridge);
        uplink_give_back(&s->u, NULL, 0, n);
        netns_leave(&scope);
    }
    if (fd >= 0)
        close(fd);
}

static void recover_file(const char *path, struct l3_notes *n)
{
    struct stored s;
    struct err e = {""};

    if (store_read(path, &s, &e)) {
        l3_note(n, "%s", e.text);
        return;
    }
    if (!s.owner_alive) {
        if (s.this_boot)
            give_back(&s, n);
        unlink(path);
    }
    uplink_clear(&s.u);
}

static void recover_all(const char *state_dir, const char *pattern,
                        void (*recover)(const char *, struct l3_notes *),
                        struct l3_notes *n)
{
    DIR *d = opendir(state_dir);
    const struct dirent *x;

    /* cppcheck-suppress readdirCalled ; one stream, one thread */
    while (d && (x = readdir(d))) {
        char path[PATH_MAX];

        if (fnmatch(pattern, x->d_name, 0) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", state_dir, x->d_name);
        recover(path, n);
    }
    if (d)
        closedir(d);
}

/* One at a time: the process that survived a daemon and the next daemon may
 * both be at it. */
void l3_recover(const char *state_dir, struct l3_notes *n)
{
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)flock(fd, LOCK_EX);
    recover_all(state_dir, "l3-uplink-*.json", recover_file, n);
    /* After that: a manager removes again what its own files do not say. */
    recover_all(state_dir, "l3-files-*.json", files_recover, n);
    close(fd);
}
