/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk from which cloud-init takes what a guest is to become: a volume
 * called "cidata" with the files user-data and meta-data (NoCloud).
 */
#include "ctl/guest/spawn.h"

#include "ctl/l3/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whichever of these is there; they take the same arguments. */
static const char *const makers[] = {"genisoimage", "mkisofs", "xorrisofs"};

static int have(const char *dir, const char *file, char path[PATH_MAX],
                struct err *e)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", dir, file);

    if (n >= PATH_MAX || access(path, R_OK) < 0)
        return err_sys(e, n >= PATH_MAX ? ENAMETOOLONG : errno,
                       "--cloud-init %s: %s", dir, file);
    return 0;
}

static const char *maker(void)
{
    for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        if (child_find(makers[i], NULL))
            return makers[i];
    return NULL;
}

/* The paths of the files that have to be there. */
static int look(const char *dir, char user[PATH_MAX], char meta[PATH_MAX],
                struct err *e)
{
    int rc = have(dir, "user-data", user, e);

    return rc ? rc : have(dir, "meta-data", meta, e);
}

int seed_check_files(const char *dir, struct err *e)
{
    char user[PATH_MAX], meta[PATH_MAX];

    return look(dir, user, meta, e);
}

static int check_maker(const char *dir, struct err *e)
{
    return maker() ? 0
                   : err_set(e, ENOENT,
                             "--cloud-init %s: nothing here makes such an "
                             "image: apt-get install genisoimage",
                             dir);
}

int seed_check(const char *dir, struct err *e)
{
    int rc = seed_check_files(dir, e);

    return rc ? rc : check_maker(dir, e);
}

/* What is in it is for the guest alone: passwords, keys.  Whatever writes to
 * the file finds it closed to others already. */
static int make_private(const char *image, struct err *e)
{
    int fd =
        open(image, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(e, errno, "%s", image);
    close(fd);
    return 0;
}

int seed_make(const char *dir, const char *image, struct err *e)
{
    char user[PATH_MAX], meta[PATH_MAX], network[PATH_MAX], out[512];
    const char *argv[16] = {maker(),  "-quiet",  "-output", image, "-volid",
                            "cidata", "-joliet", "-rock",   user,  meta};
    struct err none;
    int rc = look(dir, user, meta, e);

    if (!rc)
        rc = check_maker(dir, e);
    if (rc)
        return rc;
    if (have(dir, "network-config", network, &none) == 0)
        argv[10] = network;
    rc = make_private(image, e);
    if (rc)
        return rc;
    rc = child_run(argv, out, sizeof(out), e);
    if (!rc && chmod(image, 0600) < 0) /* should it have made another one */
        rc = err_sys(e, errno, "%s", image);
    if (rc > 0)
        return err_set(e, EIO,
                       "--cloud-init %s: %s ended with status %d: %.120s", dir,
                       argv[0], rc, out);
    return rc < 0 ? err_wrap(e, rc, "--cloud-init %s", dir) : 0;
}
