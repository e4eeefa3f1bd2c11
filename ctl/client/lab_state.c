/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LABS/NAME.json, where LABS is /run/bascule/labs, or PATH.labs beside a
 * socket PATH.sock.  The first write is exclusive: of two who take the same
 * lab up, one hears that it is up.
 */
#include "base/boot.h"
#include "ctl/client/lab.h"
#include "ctl/sockpath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int folder(const struct client *c, char out[PATH_MAX], struct err *e)
{
    struct sockaddr_un addr;
    int rc = sockpath_resolve(c->socket, &addr, e);
    size_t len = rc ? 0 : strlen(addr.sun_path);

    if (rc)
        return rc;
    if (strcmp(addr.sun_path, SOCKPATH_RUN_DIR "/control.sock") == 0) {
        snprintf(out, PATH_MAX, SOCKPATH_RUN_DIR "/labs");
        return 0;
    }
    if (len > 5 && strcmp(addr.sun_path + len - 5, ".sock") == 0)
        len -= 5;
    snprintf(out, PATH_MAX, "%.*s.labs", (int)len, addr.sun_path);
    return 0;
}

static int write_text(int fd, const char *path, const char *text, struct err *e)
{
    size_t n = strlen(text);

    errno = ENOSPC; /* what a short write means */
    if (write(fd, text, n) != (ssize_t)n)
        return err_sys(e, errno, "%s", path);
    return 0;
}

bool lab_state_fresh(const struct lab_state *s)
{
    char now[BOOT_ID_MAX];

    boot_id(now);
    return strcmp(str(s->o, "boot"), now) == 0;
}

/* Whose labs are they? */
static int forbidden(const char *dir, struct err *e)
{
    return err_sys(e, EACCES,
                   "%s: the labs of a daemon are for its own user and root",
                   dir);
}

/* ---- is it whole? ---- */

enum lab_made lab_state_made(const struct lab_state *s)
{
    const json_t *maker = json_object_get(s->o, "maker");
    const json_t *remover = json_object_get(s->o, "remover");

    if (lab_state_fresh(s) && lab_process_runs(remover))
        return LAB_LEAVING;
    if (!maker)
        return LAB_UP;
    return lab_state_fresh(s) && lab_process_runs(maker) ? LAB_BEING_MADE
                                                         : LAB_INTERRUPTED;
}

int lab_state_complete(struct lab_state *s, struct err *e)
{
    json_object_del(s->o, "maker");
    return lab_state_save(s, e);
}

static bool load(struct lab_state *s, const char *dir, const char *file)
{
    const char *name;

    memset(s, 0, sizeof(*s));
    if (snprintf(s->path, sizeof(s->path), "%s/%s", dir, file) >=
        (int)sizeof(s->path))
        return false;
    s->o = json_load_file(s->path, 0, NULL);
    name = str(s->o, "lab");
    snprintf(s->name, sizeof(s->name), "%s", name);
    if (*name && json_is_array(lab_made(s)))
        return true;
    lab_state_free(s);
    return false;
}

/* The file of 's' is. */
static int there_already(const struct lab_state *s, struct err *e)
{
    const char *file = strrchr(s->path, '/');
    char dir[PATH_MAX];
    struct lab_state old;
    enum lab_made how = LAB_UP;

    snprintf(dir, sizeof(dir), "%.*s", (int)(file - s->path), s->path);
    if (load(&old, dir, file + 1)) {
        how = lab_state_made(&old);
        lab_state_free(&old);
    }
    if (how == LAB_INTERRUPTED)
        return err_set(e, EEXIST,
                       "its making was interrupted: bascule lab down %s takes "
                       "it away",
                       s->name);
    if (how == LAB_BEING_MADE)
        return err_set(e, EEXIST, "it is being made already");
    if (how == LAB_LEAVING)
        return err_set(e, EEXIST, "it is being taken down: wait for that");
    return err_set(e, EEXIST,
                   "it is up already: bascule lab show %s, bascule lab down %s",
                   s->name, s->name);
}

/* ---- writing ---- */

/* The file of this name becomes the state's; 'fresh': only if there is none. */
static int put_in_place(const struct lab_state *s, const char *tmp, bool fresh,
                        struct err *e)
{
    if ((fresh ? link(tmp, s->path) : rename(tmp, s->path)) == 0)
        return 0;
    return fresh && errno == EEXIST ? there_already(s, e)
                                    : err_sys(e, errno, "%s", s->path);
}

/* Complete or not at all. */
static int save(const struct lab_state *s, bool fresh, struct err *e)
{
    char tmp[PATH_MAX + 24];
    char *text = json_dumps(s->o, JSON_INDENT(1));
    int fd, rc;

    snprintf(tmp, sizeof(tmp), "%s.%d.new", s->path, (int)getpid());
    fd = text ? open(tmp, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0600) : -1;
    if (!text)
        rc = err_set(e, ENOMEM, "out of memory");
    else
        rc = fd < 0 ? err_sys(e, errno, "%s", tmp)
                    : write_text(fd, tmp, text, e);
    if (!rc)
        rc = put_in_place(s, tmp, fresh, e);
    if (fd >= 0) {
        close(fd);
        (void)unlink(tmp); /* unless it was renamed */
    }
    free(text);
    return rc;
}

int lab_state_new(const struct client *c, struct lab_state *s, const char *lab,
                  const char *file, json_int_t daemon, struct err *e)
{
    char dir[PATH_MAX], full[PATH_MAX], boot[BOOT_ID_MAX];
    struct lab_ns here;
    json_t *maker;
    int rc = folder(c, dir, e);

    memset(s, 0, sizeof(*s));
    snprintf(s->name, sizeof(s->name), "%s", lab);
    if (!rc && mkdir(dir, 0700) < 0 && errno != EEXIST)
        rc = errno == EACCES ? forbidden(dir, e) : err_sys(e, errno, "%s", dir);
    if (!rc && access(dir, R_OK | W_OK | X_OK) < 0)
        rc = forbidden(dir, e);
    if (!rc && snprintf(s->path, sizeof(s->path), "%s/%s.json", dir, lab) >=
                   (int)sizeof(s->path))
        rc = err_set(e, ENAMETOOLONG, "%.80s: too long", dir);
    if (rc)
        return rc;
    boot_id(boot);
    maker = json_object();
    s->o = json_pack("{s:s,s:s,s:I,s:s,s:[]}", "lab", lab, "file",
                     realpath(file, full) ? full : file, "daemon", daemon,
                     "boot", boot, "made");
    lab_process_put(maker, getpid());
    json_object_set_new(s->o, "maker", maker);
    if (lab_ns_of(-1, &here))
        lab_ns_put(s->o, &here);
    rc = save(s, true, e);
    if (rc)
        lab_state_free(s);
    return rc;
}

/* ---- finding ---- */

static bool is_meant(const struct lab_state *s, const char *word,
                     const char *full, const char *lab)
{
    return strcmp(s->name, word) == 0 || strcmp(s->name, lab) == 0 ||
           strcmp(str(s->o, "file"), full) == 0;
}

static bool has_ending(const char *name, const char *ending)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ending) == 0;
}

/* Of a file that is gone, too: then its folder's. */
static void full_path(const char *word, char full[PATH_MAX])
{
    const char *slash = strrchr(word, '/');
    char dir[PATH_MAX], real[PATH_MAX];
    int n;

    if (realpath(word, full))
        return;
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - word) + 1 : 1,
             slash ? word : ".");
    n = realpath(dir, real)
            ? snprintf(full, PATH_MAX, "%s/%s", real[1] ? real : "",
                       slash ? slash + 1 : word)
            : PATH_MAX;
    if (n >= PATH_MAX)
        snprintf(full, PATH_MAX, "%s", word);
}

static bool search(struct lab_state *s, const char *dir, const char *word,
                   const char *lab)
{
    char full[PATH_MAX];
    struct dirent **f;
    int n = scandir(dir, &f, NULL, alphasort);
    bool found = false;

    full_path(word, full);
    for (int i = 0; i < n; i++) {
        if (!found && has_ending(f[i]->d_name, ".json") &&
            load(s, dir, f[i]->d_name)) {
            found = is_meant(s, word, full, lab);
            if (!found)
                lab_state_free(s);
        }
        free(f[i]);
    }
    if (n >= 0)
        free(f);
    return found;
}

static int not_up(struct lab_state *s, const char *name, struct err *e)
{
    snprintf(s->name, sizeof(s->name), "%s", name);
    return err_set(e, ENOENT, "lab %s is not up", name);
}

/* Nothing is written down of it, and it is no lab's file because of 'why'. */
static int unknown(struct lab_state *s, const char *word, const struct err *why,
                   struct err *e)
{
    struct stat st;

    if (stat(word, &st) == 0 && (S_ISREG(st.st_mode) || strchr(word, '/')))
        return err_set(e, EINVAL, "%s", why->text);
    if (lab_name_is_fit(word))
        return not_up(s, word, e);
    return err_set(e, EINVAL,
                   "%.100s: there is no such file, and no lab of that name or "
                   "file is up",
                   word);
}

/* By name, by file, or by the name that the file gives; the file may have been
 * changed since, even for the worse. */
int lab_state_find(const struct client *c, struct lab_state *s,
                   const char *word, struct err *e)
{
    struct err why = {""};
    struct lab *lab = NULL;
    char dir[PATH_MAX], name[LAB_NAME_MAX] = "";
    int rc = folder(c, dir, e);

    memset(s, 0, sizeof(*s));
    if (rc)
        return rc;
    if (access(dir, R_OK | X_OK) < 0 && errno == EACCES)
        return forbidden(dir, e);
    if (search(s, dir, word, word))
        return 0;
    rc = lab_load(&lab, word, &why);
    if (!rc)
        memcpy(name, lab->name, sizeof(name));
    lab_free(lab);
    if (!rc && search(s, dir, word, name))
        return 0;
    return rc ? unknown(s, word, &why, e) : not_up(s, name, e);
}

void lab_state_each(const struct client *c,
                    void (*each)(void *arg, const char *lab), void *arg)
{
    char dir[PATH_MAX];
    struct lab_state s;
    struct dirent **f;
    int n = folder(c, dir, NULL) ? -1 : scandir(dir, &f, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        if (has_ending(f[i]->d_name, ".json") && load(&s, dir, f[i]->d_name)) {
            each(arg, s.name);
            lab_state_free(&s);
        }
        free(f[i]);
    }
    if (n >= 0)
        free(f);
}

/* ---- changing ---- */

json_t *lab_made(const struct lab_state *s)
{
    return json_object_get(s->o, "made");
}

int lab_state_save(const struct lab_state *s, struct err *e)
{
    return save(s, false, e);
}

int lab_state_add(struct lab_state *s, json_t *what, struct err *e)
{
    if (json_array_append_new(lab_made(s), what) < 0)
        return err_set(e, ENOMEM, "out of memory");
    return lab_state_save(s, e);
}

/* Logs of commands are NAME.HOST.log. */
static void remove_logs(const struct lab_state *s, const char *dir)
{
    char path[PATH_MAX + 260];
    struct dirent **f;
    int n = scandir(dir, &f, NULL, alphasort);
    size_t len = strlen(s->name);

    for (int i = 0; i < n; i++) {
        const char *name = f[i]->d_name;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (strncmp(name, s->name, len) == 0 && name[len] == '.' &&
            (has_ending(name, ".log") || has_ending(name, ".new")))
            (void)unlink(path);
        free(f[i]);
    }
    if (n >= 0)
        free(f);
}

void lab_state_remove(struct lab_state *s)
{
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s", s->path);
    *strrchr(dir, '/') = '\0';
    (void)unlink(s->path);
    remove_logs(s, dir);
    (void)rmdir(dir); /* unless another lab is up */
}

void lab_state_free(struct lab_state *s)
{
    json_decref(s->o);
    s->o = NULL;
}
