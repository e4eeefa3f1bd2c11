/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What QEMU says goes to a file, usually in memory (/run), and a guest can make
 * it say the same warning without end.  So the file is cut when it is too long.
 */
#include "ctl/guest/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUT "(here were earlier lines, which are gone)\n"

/* QEMU appends: what it says meanwhile is cut off as well, or stands behind. */
static void keep_end(int fd, off_t size)
{
    char text[LOGFILE_KEEP];
    ssize_t n = pread(fd, text, sizeof(text), size - (off_t)sizeof(text));
    const char *from = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

    if (ftruncate(fd, 0) < 0 || !from)
        return;
    from++;
    (void)!write(fd, CUT, sizeof(CUT) - 1);
    (void)!write(fd, from, (size_t)(text + n - from));
}

void logfile_cut(const char *path)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size > LOGFILE_MAX)
        keep_end(fd, st.st_size);
    close(fd);
}

static void on_change(struct ev_loop *loop, ev_stat *w, int revents)
{
    (void)loop;
    (void)revents;
    if (w->attr.st_nlink && w->attr.st_size > LOGFILE_MAX)
        logfile_cut(w->path);
}

void logfile_watch(struct logfile *l, struct ev_loop *loop, const char *dir)
{
    if (snprintf(l->path, sizeof(l->path), "%s/log", dir) >=
        (int)sizeof(l->path))
        return; /* nor was it made */
    logfile_cut(l->path);
    ev_stat_init(&l->stat, on_change, l->path, 0.);
    ev_stat_start(loop, &l->stat);
}

void logfile_unwatch(struct logfile *l, struct ev_loop *loop)
{
    ev_stat_stop(loop, &l->stat);
}
