/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of two who take a lab down at once, one does.  The lock is on the folder and
 * held for the reading and writing of one file only.
 */
#include "ctl/client/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int gone(const struct lab_state *s, struct err *e)
{
    return err_set(e, ENOENT, "lab %s is not up", s->name);
}

/* The folder is gone when the last lab is. */
static int lock_folder(const struct lab_state *s, int *fd, struct err *e)
{
    char dir[PATH_MAX];

    memcpy(dir, s->path, sizeof(dir));
    *strrchr(dir, '/') = '\0';
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? gone(s, e) : err_sys(e, errno, "%s", dir);
    if (flock(*fd, LOCK_EX) == 0)
        return 0;
    (void)err_sys(e, errno, "%s", dir);
    close(*fd);
    return -EBUSY;
}

/* As it is written down by now. */
static int take(struct lab_state *s, struct err *e)
{
    json_t *remover, *now = json_load_file(s->path, 0, NULL);

    if (!now)
        return gone(s, e);
    json_decref(s->o);
    s->o = now;
    if (lab_state_made(s) == LAB_LEAVING)
        return err_set(e, EBUSY, "it is being taken down already");
    remover = json_object();
    lab_process_put(remover, getpid());
    json_object_set_new(s->o, "remover", remover);
    return lab_state_save(s, e);
}

int lab_state_leave(struct lab_state *s, struct err *e)
{
    int fd, rc = lock_folder(s, &fd, e);

    if (rc)
        return rc;
    rc = take(s, e);
    close(fd);
    return rc;
}

void lab_state_left(struct lab_state *s)
{
    json_object_del(s->o, "remover");
}
