/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of two who take a lab down at once, one does.  The lock is on the folder and
 * held for the reading and writing of one file only; but who holds it may have
 * been stopped (^Z), so nobody waits for it without an end.
 */
#include "ctl/client/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK_PATIENCE 500 /* times 10 ms, for the lock */

static int gone(const struct lab_state *s, struct err *e)
{
    return err_set(e, ENOENT, "lab %s is not up", s->name);
}

/* As it is written down by now: to be taken down by us? */
static int look(struct lab_state *s, struct err *e)
{
    json_t *now = json_load_file(s->path, 0, NULL);

    if (!now)
        return gone(s, e);
    json_decref(s->o);
    s->o = now;
    if (lab_state_made(s) == LAB_LEAVING)
        return err_set(e, EBUSY, "it is being taken down already");
    return 0;
}

/* Who holds the lock may have written already what we need to know. */
static int lock(struct lab_state *s, int fd, const char *dir, struct err *e)
{
    struct timespec step = {0, 10000000};

    for (int i = 0; i < LOCK_PATIENCE; i++) {
        int rc;

        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(e, errno, "%s", dir);
        rc = look(s, e);
        if (rc)
            return rc;
        nanosleep(&step, NULL);
    }
    return err_set(e, EBUSY,
                   "another process keeps %s locked: a stopped bascule lab "
                   "down?",
                   dir);
}

/* The folder is gone when the last lab is. */
static int lock_folder(struct lab_state *s, int *fd, struct err *e)
{
    char dir[PATH_MAX];
    int rc;

    memcpy(dir, s->path, sizeof(dir));
    *strrchr(dir, '/') = '\0';
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? gone(s, e) : err_sys(e, errno, "%s", dir);
    rc = lock(s, *fd, dir, e);
    if (rc)
        close(*fd);
    return rc;
}

static int take(struct lab_state *s, struct err *e)
{
    int rc = look(s, e);
    json_t *remover;

    if (rc)
        return rc;
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
