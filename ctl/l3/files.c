/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of files we have written for a manager, for whoever comes after
 * us: they would go on to tell it of a bridge that is no more.
 */
#include "ctl/l3/impl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void list_path(const struct l3 *l, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/l3-files-%llu-%s.json", l->state_dir,
             (unsigned long long)l->netns, l->ifname);
}

static bool listed(const json_t *files, const char *path)
{
    const json_t *x;
    size_t i;

    json_array_foreach(files, i, x)
    {
        if (strcmp(json_string_value(x) ? json_string_value(x) : "", path) == 0)
            return true;
    }
    return false;
}

static json_t *load_or_begin(const char *list, const struct l3 *l)
{
    json_t *j = json_load_file(list, 0, NULL);

    if (j && json_is_array(json_object_get(j, "files")) && store_owner_alive(j))
        return j;
    json_decref(j);
    return json_pack("{s:s, s:[]}", "manager", l3_owner_name(l->owner),
                     "files");
}

int files_remember(struct l3 *l, const char *path, struct err *e)
{
    char list[PATH_MAX];
    json_t *j, *files;
    int rc = 0;

    list_path(l, list);
    j = load_or_begin(list, l);
    files = json_object_get(j, "files");
    if (!listed(files, path)) {
        if (!files || json_array_append_new(files, json_string(path)))
            rc = -ENOMEM;
        if (!rc)
            rc = store_stamp(j);
        if (!rc)
            rc = store_json(list, j);
    }
    json_decref(j);
    return rc ? err_sys(e, rc, "remembering %s", path) : 0;
}

void files_forget(struct l3 *l)
{
    char list[PATH_MAX];

    list_path(l, list);
    unlink(list);
}

static void remove_files(const json_t *files)
{
    const json_t *x;
    size_t i;

    json_array_foreach(files, i, x)
    {
        const char *path = json_string_value(x);

        /* nothing but what we could have written */
        if (path && strstr(path, "bascule-") && !strstr(path, "/../") &&
            strncmp(path, "/run/", 5) == 0)
            unlink(path);
    }
}

void files_recover(const char *list, struct l3_notes *n)
{
    json_t *j = json_load_file(list, 0, NULL);
    const char *name = json_string_value(json_object_get(j, "manager"));
    const struct manager *m = name && strcmp(name, "NetworkManager") == 0
                                  ? &nm_manager
                                  : &networkd_manager;
    struct err e = {""};

    if (!j || store_owner_alive(j)) {
        json_decref(j);
        return;
    }
    remove_files(json_object_get(j, "files"));
    if (owner_runs(m->process, netns_inode(-1)) && m->reload(NULL, &e))
        l3_note(n, "%s", e.text);
    json_decref(j);
    unlink(list);
}
