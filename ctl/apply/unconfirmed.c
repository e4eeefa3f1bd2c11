/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A note in the directory of what survives a crash: the file that waits to be
 * confirmed.  A daemon that finds one says that the one before ended with it.
 *
 * Threads: as said.
 */
#include "base/log.h"
#include "ctl/apply/op.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void path_of(const struct apply *a, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/unconfirmed", a->state_dir);
}

static int write_note(const char *path, const char *name)
{
    size_t n = strlen(name);
    int rc = 0;
    int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    if (write(fd, name, n) != (ssize_t)n)
        rc = -EIO;
    close(fd);
    return rc;
}

/* Task thread.  No reason not to apply it. */
void unconfirmed_note(struct op *op)
{
    char path[PATH_MAX];
    int rc;

    if (!op->a->state_dir || !op->req->confirm || op->req->dry_run ||
        !op->plan.n_said)
        return;
    op->noted = true;
    path_of(op->a, path);
    rc = write_note(path, op->what);
    if (rc)
        log_warn("%s: that %s is to be confirmed is not remembered: %s", path,
                 op->what, strerror(-rc));
}

/* Control thread.  What the daemon ends with remains unconfirmed. */
void unconfirmed_over(const struct op *op)
{
    char path[PATH_MAX];

    if (!op->noted || op->a->ending)
        return;
    path_of(op->a, path);
    (void)unlink(path);
}

/* It says so once; an empty one is of a daemon that had changed nothing yet. */
void unconfirmed_find(struct apply *a)
{
    char path[PATH_MAX], name[256];
    ssize_t n;
    int fd;

    if (!a->state_dir)
        return;
    path_of(a, path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    n = read(fd, name, sizeof(name) - 1);
    close(fd);
    (void)unlink(path);
    if (n <= 0)
        return;
    name[n] = '\0';
    if (asprintf(&a->left,
                 "%s was applied and not confirmed when basculed "
                 "was ended: what it changed is not taken back",
                 name) < 0)
        a->left = NULL;
    else
        log_warn("%s", a->left);
}
