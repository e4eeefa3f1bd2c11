/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What QEMU is given is opened here, with the daemon's rights.
 */
#include "ctl/guest/open.h"

#include "base/owndir.h"
#include "ctl/guest/hugepages.h"
#include "ctl/l3/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

struct launch *launch_new(const struct guest_def *def, const char *dir,
                          size_t own, const struct guest_user *user)
{
    struct launch *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->def = def;
    snprintf(l->dir, sizeof(l->dir), "%s", dir);
    l->own = own;
    l->user = *user;
    l->extra = (gid_t)-1;
    l->pidfd = -1;
    for (unsigned i = 0; i < ARGS_PASS_MAX; i++)
        l->fd[i] = -1;
    return l;
}

void launch_free(struct launch *l)
{
    if (!l)
        return;
    args_free(&l->args);
    free(l);
}

void launch_close(struct launch *l)
{
    for (unsigned i = 0; i < ARGS_PASS_MAX; i++) {
        if (l->fd[i] >= 0)
            close(l->fd[i]);
        l->fd[i] = -1;
    }
}

/* ---- the run directory ---- */

#define MAKE_NONE ((mode_t)-1)

/* Goes down to it; 'mode' MAKE_NONE: as far as there is something. */
static int go_down(const char *dir, size_t own, mode_t mode, struct err *e)
{
    char path[PATH_MAX];
    int rc = 0;

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1; !rc; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mode != MAKE_NONE && mkdir(path, mode) < 0 && errno != EEXIST)
            rc = err_sys(e, errno, "directory %s", path);
        if (!rc && (size_t)(p - path) >= own)
            rc = owndir_check(path, "--guest-dir or --socket", e);
        *p = c;
        if (c == '\0')
            break;
    }
    return rc;
}

int run_dir_make(const char *dir, size_t own, mode_t mode, struct err *e)
{
    return go_down(dir, own, mode, e);
}

int run_dir_check(const char *dir, size_t own, struct err *e)
{
    return go_down(dir, own, MAKE_NONE, e);
}

/* Everything in it but directories.  What a link points to is not ours. */
static int empty_dir(const char *dir, struct err *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *f;
    int rc = 0;

    if (!d && fd >= 0)
        close(fd);
    if (!d)
        return errno == ENOENT ? 0 : err_sys(e, errno, "%s is in the way", dir);
    /* 'd' is ours alone */
    /* cppcheck-suppress readdirCalled */
    while (!rc && (f = readdir(d)) != NULL) {
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0 ||
            strcmp(f->d_name, ARGS_OWN) == 0)
            continue;
        if (unlinkat(dirfd(d), f->d_name, 0) < 0 && errno != ENOENT)
            rc = err_sys(e, errno, "%s/%s is in the way", dir, f->d_name);
    }
    closedir(d);
    return rc;
}

static int remove_dir(const char *dir, struct err *e)
{
    int rc = empty_dir(dir, e);

    if (!rc && rmdir(dir) < 0 && errno != ENOENT)
        rc = err_sys(e, errno, "%s is in the way", dir);
    return rc;
}

int run_dir_remove(const char *dir, struct err *e)
{
    char own[PATH_MAX + 8];
    int rc;

    snprintf(own, sizeof(own), "%s/" ARGS_OWN, dir);
    rc = remove_dir(own, e);
    return rc ? rc : remove_dir(dir, e);
}

/* What a guest that has ended left there goes; so that nothing lies in it
 * that somebody else has put there. */
static int fresh_dir(struct launch *l, struct err *e)
{
    int rc = run_dir_remove(l->dir, e);

    if (!rc)
        rc = run_dir_make(l->dir, l->own, 0711, e);
    l->made_dir = !rc;
    return rc;
}

/* For what QEMU has to make by itself. */
static int own_dir(const struct launch *l, struct err *e)
{
    char own[PATH_MAX + 8];

    if (!l->def->vnc || strcmp(l->def->vnc, "on") != 0)
        return 0;
    snprintf(own, sizeof(own), "%s/" ARGS_OWN, l->dir);
    if (mkdir(own, 0700) < 0 ||
        (l->user.change && chown(own, l->user.uid, l->user.gid) < 0))
        return err_sys(e, errno, "directory %s", own);
    return 0;
}

/* ---- files ---- */

/* A FIFO or a directory is not what anybody means. */
static int open_file(const char *option, const char *path, int flags, int *fd,
                     struct err *e)
{
    struct stat st;

    *fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return err_sys(e, errno, "%s %s", option, path);
    if (fstat(*fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return err_set(e, EINVAL, "%s %s: neither a file nor a block device",
                       option, path);
    (void)fcntl(*fd, F_SETFL, flags);
    return 0;
}

static bool user_may_read(const struct guest_user *u, const struct stat *st)
{
    if (!u->change || u->uid == 0)
        return true;
    if (st->st_uid == u->uid)
        return st->st_mode & S_IRUSR;
    if (st->st_gid == u->gid)
        return st->st_mode & S_IRGRP;
    return st->st_mode & S_IROTH;
}

/*
 * A file that QEMU opens a second time, as its own user.  If that user may
 * not read it, he gets a copy that nobody else can see.
 */
static int open_again(const struct launch *l, const struct pass *p, int *fd,
                      struct err *e)
{
    struct stat st;
    off_t at = 0;
    int copy, rc = open_file(p->option, p->path, O_RDONLY, fd, e);

    if (rc || fstat(*fd, &st) < 0 || user_may_read(&l->user, &st))
        return rc;
    if (!S_ISREG(st.st_mode))
        return err_set(e, EACCES,
                       "%s %s: it is no file to be copied, and QEMU's user may "
                       "not read it",
                       p->option, p->path);
    copy = memfd_create(p->option, MFD_CLOEXEC);
    while (copy >= 0 && at < st.st_size)
        if (sendfile(copy, *fd, &at, (size_t)(st.st_size - at)) <= 0)
            break;
    if (copy < 0 || at < st.st_size)
        rc = err_sys(e, errno, "%s %s: copying it for QEMU's user", p->option,
                     p->path);
    close(*fd);
    *fd = copy;
    return rc;
}

static int listen_at(const struct launch *l, const char *file, int *fd,
                     struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", l->dir, file);

    if (n >= (int)sizeof(a.sun_path))
        return err_set(e, ENAMETOOLONG,
                       "the socket's path %s/%s is longer than %zu "
                       "characters: give the daemon a shorter --socket",
                       l->dir, file, sizeof(a.sun_path) - 1);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || bind(*fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
        chmod(a.sun_path, 0600) < 0 || listen(*fd, 4) < 0)
        return err_sys(e, errno, "socket %s", a.sun_path);
    return 0;
}

static int open_taps(struct launch *l, unsigned first, struct err *e)
{
    const struct guest_net *n = &l->def->net[l->args.pass[first].net];

    return tap_make(n->port, &n->mac, n->queues, &l->fd[first], e);
}

static int open_pass(struct launch *l, unsigned i, struct err *e)
{
    const struct pass *p = &l->args.pass[i];

    switch (p->kind) {
    case PASS_SOCKET:
        return listen_at(l, p->path, &l->fd[i], e);
    case PASS_READ:
        return open_file(p->option, p->path, O_RDONLY, &l->fd[i], e);
    case PASS_WRITE:
        return open_file(p->option, p->path, O_RDWR, &l->fd[i], e);
    case PASS_REOPEN:
        return open_again(l, p, &l->fd[i], e);
    case PASS_TAP:
        /* the first queue makes all of them */
        return l->fd[i] < 0 ? open_taps(l, i, e) : 0;
    default:
        l->fd[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
        return l->fd[i] < 0 ? err_sys(e, errno, "/dev/vhost-net") : 0;
    }
}

static int try_open(const char *option, const char *path, int flags,
                    struct err *e)
{
    int fd = -1, rc = path ? open_file(option, path, flags, &fd, e) : 0;

    if (fd >= 0)
        close(fd);
    return rc;
}

int launch_check_files(const struct guest_def *d, struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; i < d->n_disks && !rc; i++)
        rc =
            try_open("--disk", d->disk[i].path,
                     d->disk[i].readonly || d->snapshot ? O_RDONLY : O_RDWR, e);
    if (!rc)
        rc = try_open("--cdrom", d->cdrom, O_RDONLY, e);
    if (!rc)
        rc = try_open("--kernel", d->kernel, O_RDONLY, e);
    if (!rc)
        rc = try_open("--initrd", d->initrd, O_RDONLY, e);
    if (!rc && d->cloud_init)
        rc = seed_check_files(d->cloud_init, e);
    return rc;
}

/* ---- what the host has ---- */

int launch_find_qemu(char path[PATH_MAX], struct err *e)
{
    const char *named = getenv("BASCULE_QEMU");
    struct utsname u;
    char name[80];

    if (named && *named)
        return child_find(named, path)
                   ? 0
                   : err_set(e, ENOENT, "there is no program %s", named);
    uname(&u);
    snprintf(name, sizeof(name), "qemu-system-%.60s", u.machine);
    return child_find(name, path)
               ? 0
               : err_set(e, ENOENT,
                         "QEMU is not installed: there is no %s (apt-get "
                         "install qemu-system)",
                         name);
}

/* Has the processor what KVM needs?  Some hosts show a /dev/kvm on which no
 * ordinary kernel boots. */
static bool processor_can(void)
{
#if defined(__x86_64__) || defined(__i386__)
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[4096];
    bool can = false;

    while (f && !can && fgets(line, sizeof(line), f))
        can = strncmp(line, "flags", 5) == 0 &&
              (strstr(line, " vmx ") || strstr(line, " svm "));
    if (f)
        fclose(f);
    return can;
#else
    return true;
#endif
}

/* 0 if QEMU's user can use it; else a sentence why not. */
static int reach_kvm(struct launch *l, struct err *e)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    struct stat st;
    int rc = 0;

    if (fd < 0)
        return err_sys(e, errno, "/dev/kvm");
    if (fstat(fd, &st) < 0)
        rc = err_sys(e, errno, "/dev/kvm");
    else if (l->user.change && (st.st_mode & 0060) == 0060)
        l->extra = st.st_gid;
    else if (l->user.change && (st.st_mode & 0006) != 0006)
        rc = err_set(e, EACCES, "/dev/kvm: closed to QEMU's user, number %u",
                     (unsigned)l->user.uid);
    close(fd);
    return rc;
}

static int choose_accel(struct launch *l, struct err *e)
{
    struct err why = {""};
    int rc = 0;

    if (l->def->accel == GUEST_TCG)
        return 0;
    rc = reach_kvm(l, &why);
    if (l->def->accel == GUEST_KVM && rc)
        return err_set(e, rc, "--accel kvm: %s", why.text);
    if (!rc && l->def->accel == GUEST_ACCEL_AUTO && !processor_can()) {
        rc = -ENODEV;
        err_set(&why, ENODEV, "the processor shows neither vmx nor svm");
    }
    l->kvm = !rc;
    if (rc)
        snprintf(l->notice, sizeof(l->notice),
                 "runs under emulation (TCG), slowly: %.100s", why.text);
    return 0;
}

static int make_seed(struct launch *l, struct err *e)
{
    if (!l->def->cloud_init)
        return 0;
    if (snprintf(l->seed, sizeof(l->seed), "%s/seed.iso", l->dir) >=
        (int)sizeof(l->seed))
        return err_set(e, ENAMETOOLONG, "%s: too long", l->dir);
    return seed_make(l->def->cloud_init, l->seed, e);
}

int launch_check_host(struct launch *l, long others, struct err *e)
{
    int rc = launch_find_qemu(l->program, e);

    if (!rc)
        rc = choose_accel(l, e);
    if (!rc)
        rc = hugepages_check(l->def, others, e);
    if (!rc && l->def->cloud_init)
        rc = seed_check(l->def->cloud_init, e);
    return rc;
}

int launch_prepare(void *arg, struct err *e)
{
    struct launch *l = arg;
    struct args_host h = {.program = l->program, .run_dir = l->dir};
    int rc = launch_check_host(l, 0, e);

    if (!rc)
        rc = fresh_dir(l, e);
    if (!rc)
        rc = own_dir(l, e);
    if (!rc)
        rc = make_seed(l, e);
    h.kvm = l->kvm;
    h.vhost = access("/dev/vhost-net", R_OK | W_OK) == 0;
    h.seed = l->def->cloud_init ? l->seed : NULL;
    if (!rc)
        rc = args_build(&l->args, l->def, &h, e);
    for (unsigned i = 0; i < l->args.n_pass && !rc; i++)
        rc = open_pass(l, i, e);
    return rc;
}
