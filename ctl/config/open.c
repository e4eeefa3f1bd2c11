/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files to texts.
 */
#include "ctl/config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One octet more than may be, so that the loader sees that there is more. */
#define READ_MAX (CONF_BYTES_MAX + 1)

static int check_kind(int fd, const char *name, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "%s", name);
    if (S_ISDIR(st.st_mode))
        return err_set(e, EISDIR, "%s: is a folder; name a file in it", name);
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        return err_set(e, EINVAL, "%s: is neither a file nor a pipe", name);
    return 0;
}

static int read_all(int fd, const char *name, char *to, size_t *len,
                    struct err *e)
{
    for (*len = 0; *len < READ_MAX;) {
        ssize_t n = read(fd, to + *len, READ_MAX - *len);

        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_sys(e, errno, "%s", name);
        if (n > 0)
            *len += (size_t)n;
    }
    return 0;
}

int conf_open_file(void *arg, const char *name, const char *from, char **text,
                   size_t *len, struct err *e)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC), rc;
    char *to = NULL;

    (void)arg;
    (void)from;
    if (fd < 0)
        return err_sys(e, errno, "%s", name);
    rc = check_kind(fd, name, e);
    if (!rc) {
        to = malloc(READ_MAX + 1);
        rc = to ? read_all(fd, name, to, len, e)
                : err_set(e, ENOMEM, "%s: no memory to read it", name);
    }
    close(fd);
    if (rc || !to) {
        free(to);
        return rc;
    }
    to[*len] = '\0';
    *text = to;
    return 0;
}
