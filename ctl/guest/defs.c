/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Definitions as files, NAME.json, each one complete or not there; and what of
 * a guest that runs the next daemon has to know.
 */
#include "ctl/guest/guest_impl.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_name(char path[PATH_MAX], const char *dir, const char *name,
                     const char *end, struct err *e)
{
    if (snprintf(path, PATH_MAX, "%s/%s%s", dir, name, end) >= PATH_MAX)
        return err_set(e, ENAMETOOLONG, "%s: too long", dir);
    return 0;
}

static int write_all(const char *path, const char *text, struct err *e)
{
    size_t n = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd >= 0)
        errno = 0; /* a short write is no error of its own */
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
        rc = err_sys(e, errno ? errno : ENOSPC, "%s", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* DIR/NAMEEND is complete, or as it was. */
static int replace(const char *dir, const char *name, const char *end,
                   const char *text, struct err *e)
{
    char path[PATH_MAX], tmp[PATH_MAX];
    int rc = file_name(path, dir, name, end, e);

    if (!rc)
        rc = file_name(tmp, dir, name, ".new", e);
    if (rc)
        return rc;
    rc = write_all(tmp, text, e);
    if (!rc && rename(tmp, path) < 0)
        rc = err_sys(e, errno, "%s", path);
    if (rc)
        (void)unlink(tmp);
    return rc;
}

int defs_save(const char *dir, const struct guest_def *d, struct err *e)
{
    json_t *o = guest_def_write(d);
    char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
    int rc = text ? 0 : err_set(e, ENOMEM, "no memory for the guest");

    json_decref(o);
    if (!rc)
        rc = run_dir_make(dir, strlen(dir), 0711, e);
    if (!rc)
        rc = replace(dir, d->name, ".json", text, e);
    free(text);
    return rc;
}

int defs_remove(const char *dir, const char *name, struct err *e)
{
    char path[PATH_MAX];
    int rc = file_name(path, dir, name, ".json", e);

    if (!rc && unlink(path) < 0 && errno != ENOENT)
        rc = err_sys(e, errno, "%s", path);
    return rc;
}

static void load_one(const char *dir, const char *file,
                     void (*fn)(void *arg, struct guest_def *d), void *arg)
{
    char path[PATH_MAX];
    struct err e = {""};
    struct guest_def *d = NULL;
    json_error_t je;
    json_t *o;
    int rc;

    if (file_name(path, dir, file, "", &e) < 0)
        return;
    o = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
    rc = o ? guest_def_read(&d, o, &e)
           : err_set(&e, EINVAL, "%.150s (line %d)", je.text, je.line);
    json_decref(o);
    if (!rc && (strncmp(file, d->name, strlen(d->name)) != 0 ||
                strcmp(file + strlen(d->name), ".json") != 0))
        rc = err_set(&e, EINVAL, "it defines a guest called %s", d->name);
    if (!rc) {
        fn(arg, d);
        return;
    }
    guest_def_free(d);
    log_warn("definition of a guest, %s: %s", path, e.text);
}

int defs_load(const char *dir, void (*fn)(void *arg, struct guest_def *d),
              void *arg, struct err *e)
{
    struct dirent **file;
    int n = scandir(dir, &file, NULL, alphasort);

    if (n < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "%s", dir);
    for (int i = 0; i < n; i++) {
        const char *dot = strrchr(file[i]->d_name, '.');

        if (dot && strcmp(dot, ".json") == 0)
            load_one(dir, file[i]->d_name, fn, arg);
        free(file[i]);
    }
    free(file);
    return 0;
}

bool run_state(const char *dir, struct run_state *r)
{
    char path[PATH_MAX];
    struct stat st;
    struct err e;
    const char *notice;
    json_t *o;

    /* a link is none of our folders */
    if (file_name(path, dir, "state", "", &e) < 0 || lstat(dir, &st) < 0 ||
        !S_ISDIR(st.st_mode))
        return false;
    o = json_load_file(path, 0, NULL);
    r->pid = (pid_t)json_integer_value(json_object_get(o, "pid"));
    r->start =
        (unsigned long long)json_integer_value(json_object_get(o, "start"));
    r->kvm = json_is_true(json_object_get(o, "kvm"));
    notice = json_string_value(json_object_get(o, "notice"));
    snprintf(r->notice, sizeof(r->notice), "%s", notice ? notice : "");
    json_decref(o);
    return r->pid > 0;
}

/* ---- that it is to end ---- */

#define ENDING "ending"

int ending_save(const char *dir, const struct ending *w, struct err *e)
{
    char text[64];
    int rc;

    snprintf(text, sizeof(text), "{\"seconds\":%u,\"force\":%s}\n", w->seconds,
             w->force ? "true" : "false");
    rc = replace(dir, ENDING, "", text, e);
    return rc == -ENOENT ? 0 : rc; /* no directory: the next finds no guest */
}

int ending_forget(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    int rc = file_name(path, dir, ENDING, "", e);

    if (!rc && unlink(path) < 0 && errno != ENOENT)
        rc = err_sys(e, errno, "%s", path);
    return rc;
}

bool ending_saved(const char *dir, struct ending *w)
{
    char path[PATH_MAX];
    struct err e;
    json_t *o;

    if (file_name(path, dir, ENDING, "", &e) < 0)
        return false;
    o = json_load_file(path, 0, NULL);
    w->seconds = (unsigned)json_integer_value(json_object_get(o, "seconds"));
    w->force = json_is_true(json_object_get(o, "force"));
    json_decref(o);
    return o != NULL;
}

/* ---- cables ---- */

#define CABLES "cables"

int cables_save(const char *dir, unsigned out, struct err *e)
{
    char text[32];

    snprintf(text, sizeof(text), "{\"out\":%u}\n", out);
    return replace(dir, CABLES, "", text, e);
}

unsigned cables_saved(const char *dir)
{
    char path[PATH_MAX];
    struct err e;
    unsigned out;
    json_t *o;

    if (file_name(path, dir, CABLES, "", &e) < 0)
        return 0;
    o = json_load_file(path, 0, NULL);
    out = (unsigned)json_integer_value(json_object_get(o, "out"));
    json_decref(o);
    return out;
}
