/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See guardfile.h.
 */
#include "ports/guardfile.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "guard-"

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

void guardfile_write(const struct guard_device *d)
{
    char *path = path_of(d->netns, d->ifindex);
    int fd;

    if (!path)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, d, sizeof(*d)) != (ssize_t)sizeof(*d))
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

static void take(int dir, const char *name,
                 bool (*found)(const struct guard_device *d))
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct guard_device d[2]; /* one, or it is another version's */
    bool done;

    if (fd < 0)
        return;
    done = read(fd, d, sizeof(d)) != (ssize_t)sizeof(d[0]) || found(&d[0]);
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
