/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that a specification names: see spec.h. */
#include "ports/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool port_spec_has_file(const struct port_spec *s)
{
    return strcmp(s->kind, "pcapfile") == 0;
}

int port_spec_file(const struct port_spec *s, struct spec_file *how,
                   struct err *e)
{
    const char *mode = port_spec_get(s, "mode");

    *how = (struct spec_file){.record = mode && strcmp(mode, "record") == 0};
    if (mode && !how->record && strcmp(mode, "replay") != 0)
        return err_set(e, EINVAL, "mode=%s: expected replay or record", mode);
    if (!how->record && port_spec_get(s, "overwrite"))
        return err_set(e, EINVAL, "overwrite= is for mode=record");
    return port_spec_bool(s, "overwrite", &how->overwrite, e);
}

/* O_NONBLOCK: a FIFO nobody writes to must not hold us; it is refused below. */
#define FLAGS (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static int open_for_record(const char *path, bool *made)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | FLAGS, 0644);

    *made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_RDWR | FLAGS);
    return fd;
}

int port_spec_open_file(const struct port_spec *s, bool *made, struct err *e)
{
    struct spec_file how;
    struct stat st;
    int rc = port_spec_file(s, &how, e), fd;

    *made = false;
    if (rc)
        return rc;
    fd = how.record ? open_for_record(s->target, made)
                    : open(s->target, O_RDONLY | FLAGS);
    if (fd < 0)
        return err_sys(e, errno, "%s", s->target);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return err_set(e, EINVAL, "%s is no regular file", s->target);
}

int port_spec_absolute(const struct port_spec *s, char *out, size_t n,
                       struct err *e)
{
    char here[PATH_MAX], path[PATH_MAX];
    struct port_spec to = *s;
    size_t used;

    if (s->target[0] != '/') {
        if (!getcwd(here, sizeof(here)))
            return err_sys(e, errno, "the working directory");
        used = (size_t)snprintf(path, sizeof(path), "%s/%s", here, s->target);
        if (used >= sizeof(path))
            return err_set(e, ENAMETOOLONG, "%s: the path is too long",
                           s->target);
        to.target = path; /* strings of 's' are only read meanwhile */
    }
    port_spec_format(&to, out, n);
    return strlen(out) < SPEC_TEXT_MAX && strlen(out) + 1 < n
               ? 0
               : err_set(e, ENAMETOOLONG, "%s: the path is too long",
                         s->target);
}
