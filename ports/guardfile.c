/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See guardfile.h.
 */
#include "ports/guardfile.h"

#include "base/boot.h"
#include "base/log.h"
#include "ports/netns.h"
#include "ports/netwatch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "guard-"

struct record {
    struct guard_device device;
    char boot[BOOT_ID_MAX];
    uint64_t cookie; /* of the namespace: its inode may be another's later */
};

/* A path and not a descriptor: the guard closes those. */
static char *folder;

void guardfile_open(const char *dir)
{
    folder = realpath(dir, NULL);
}

static char *path_of(uint64_t netns, int ifindex)
{
    char *path;

    if (!folder || asprintf(&path, "%s/" PREFIX "%llu-%d", folder,
                            (unsigned long long)netns, ifindex) < 0)
        return NULL;
    return path;
}

static struct record record_here(void)
{
    struct record r;

    memset(&r, 0, sizeof(r)); /* its padding is written, too */
    boot_id(r.boot);
    r.cookie = netns_cookie();
    return r;
}

void guardfile_write(const struct guard_device *d)
{
    char *path = path_of(d->netns, d->ifindex);
    struct record r;
    int fd;

    if (!path)
        return;
    r = record_here();
    r.device = *d;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    errno = fd < 0 ? errno : ENOSPC; /* what a short write means */
    if (fd < 0 || write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
        log_warn("%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
}

void guardfile_remove(uint64_t netns, int ifindex)
{
    char *path = path_of(netns, ifindex);

    if (path)
        (void)unlink(path);
    free(path);
}

/* Else nothing can be made of it: namespaces cannot be entered by their
 * numbers. */
static bool is_of_here(const struct record *r)
{
    const struct record here = record_here();

    return r->device.netns == netns_id(-1) && r->cookie == here.cookie &&
           memcmp(r->boot, here.boot, sizeof(r->boot)) == 0;
}

static void take(int dir, const char *name,
                 bool (*found)(const struct guard_device *d))
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct record r[2]; /* one, or it is another version's */
    bool done;

    if (fd < 0)
        return;
    done = read(fd, r, sizeof(r)) != (ssize_t)sizeof(r[0]) ||
           !is_of_here(&r[0]) || found(&r[0].device);
    close(fd);
    if (done)
        (void)unlinkat(dir, name, 0);
}

void guardfile_take_all(bool (*found)(const struct guard_device *d))
{
    DIR *d = folder ? opendir(folder) : NULL;
    const struct dirent *x;

    if (!d)
        return;
    /* 'd' is ours alone */
    /* cppcheck-suppress readdirCalled */
    while ((x = readdir(d)) != NULL)
        if (strncmp(x->d_name, PREFIX, strlen(PREFIX)) == 0)
            take(dirfd(d), x->d_name, found);
    closedir(d);
}
