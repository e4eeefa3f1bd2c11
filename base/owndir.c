/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/owndir.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(const char *path, const struct stat *at)
{
    struct stat st = *at;

    if (S_ISLNK(at->st_mode) && stat(path, &st) < 0)
        return false;
    return at->st_uid == geteuid() && st.st_uid == geteuid() &&
           S_ISDIR(st.st_mode) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

int owndir_check(const char *path, const char *option, struct err *e)
{
    struct stat at;

    if (lstat(path, &at) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
    if (is_ours(path, &at))
        return 0;
    return err_set(e, EPERM,
                   "%s is not a directory that only this user can write to; "
                   "remove it, or give another place with %s",
                   path, option);
}
