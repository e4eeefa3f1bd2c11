/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/owndir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int owndir_check(const char *path, const char *option, struct err *e)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
        !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    return err_set(e, EPERM,
                   "%s is not a directory that only this user can write to; "
                   "remove it, or give another place with %s",
                   path, option);
}
