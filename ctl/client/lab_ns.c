/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces and who lives in them, whatever became of their names.
 * A namespace is known by its inode and by its cookie, a number that the
 * kernel gives to no other one until the next boot.
 */
#include "ctl/client/lab.h"
#include "ports/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES "/run/netns"

/* ---- knowing one again ---- */

bool lab_ns_of(int fd, struct lab_ns *ns)
{
    struct netns_scope scope;
    struct stat st;

    if ((fd < 0 ? stat("/proc/self/ns/net", &st) : fstat(fd, &st)) < 0 ||
        netns_enter(&scope, fd, NULL))
        return false;
    ns->inode = st.st_ino;
    ns->cookie = netns_cookie();
    netns_leave(&scope);
    return true;
}

bool lab_ns_is(int fd, const struct lab_ns *ns)
{
    struct lab_ns that;
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_ino == ns->inode &&
           lab_ns_of(fd, &that) && that.cookie == ns->cookie;
}

/* A descriptor of that one, which is to be found at 'path'; or -1. */
static int open_if(const char *path, const struct lab_ns *ns)
{
    struct stat st;
    int fd;

    if (stat(path, &st) < 0 || st.st_ino != ns->inode)
        return -1;
    fd = netns_open(path, NULL);
    if (fd >= 0 && lab_ns_is(fd, ns))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int lab_ns_open(const struct lab_ns *ns, const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), NAMES "/%s", name);
    return open_if(path, ns);
}

bool lab_netns_exists(const char *netns)
{
    char path[300];

    snprintf(path, sizeof(path), NAMES "/%s", netns);
    return access(path, F_OK) == 0;
}

/* ---- processes ---- */

static int open_of(const char *pid, const struct lab_ns *ns)
{
    char path[300];

    snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
    return open_if(path, ns);
}

/* Neither init nor ourselves. */
static int is_process(const struct dirent *f)
{
    long pid = strtol(f->d_name, NULL, 10);

    return pid > 1 && pid != getpid();
}

/* A process cannot be another one between the look and the signal. */
static bool signal_if(const char *pid, const struct lab_ns *ns, int sig)
{
    int process = pidfd_open((pid_t)strtol(pid, NULL, 10), 0);
    int fd = process < 0 ? -1 : open_of(pid, ns);

    if (fd >= 0 && sig)
        (void)pidfd_send_signal(process, sig, NULL, 0);
    if (fd >= 0)
        close(fd);
    if (process >= 0)
        close(process);
    return fd >= 0;
}

unsigned lab_ns_signal(const struct lab_ns *ns, int sig, pid_t *one)
{
    struct dirent **f;
    int len = scandir("/proc", &f, is_process, alphasort);
    unsigned n = 0;

    for (int i = 0; i < len; i++) {
        if (signal_if(f[i]->d_name, ns, sig)) {
            n++;
            *one = (pid_t)strtol(f[i]->d_name, NULL, 10);
        }
        free(f[i]);
    }
    if (len >= 0)
        free(f);
    return n;
}

/* A descriptor of the first of a folder's that is the one; or -1. */
static int search(const char *dir, int (*filter)(const struct dirent *),
                  int (*open_one)(const char *, const struct lab_ns *),
                  const struct lab_ns *ns)
{
    struct dirent **f;
    int n = scandir(dir, &f, filter, alphasort), fd = -1;

    for (int i = 0; i < n; i++) {
        if (fd < 0)
            fd = open_one(f[i]->d_name, ns);
        free(f[i]);
    }
    if (n >= 0)
        free(f);
    return fd;
}

static int open_named(const char *name, const struct lab_ns *ns)
{
    return lab_ns_open(ns, name);
}

int lab_ns_find(const struct lab_ns *ns)
{
    int fd = open_of("self", ns);

    if (fd < 0)
        fd = search(NAMES, NULL, open_named, ns);
    return fd >= 0 ? fd : search("/proc", is_process, open_of, ns);
}

/* ---- written down ---- */

void lab_ns_put(json_t *o, const struct lab_ns *ns)
{
    json_object_set_new(o, "netns",
                        json_pack("{s:I,s:I}", "inode", (json_int_t)ns->inode,
                                  "cookie", (json_int_t)ns->cookie));
}

bool lab_ns_get(const json_t *o, struct lab_ns *ns)
{
    const json_t *v = json_object_get(o, "netns");

    ns->inode = (uint64_t)json_integer_value(json_object_get(v, "inode"));
    ns->cookie = (uint64_t)json_integer_value(json_object_get(v, "cookie"));
    return ns->inode != 0;
}

/* ---- is what is made here seen elsewhere? ---- */

/* Of the mount that a path below /run/netns is on, the group it passes its own
 * mounts on to ("shared:"), or the one it has them from ("master:"); 0: none.
 */
static unsigned mount_group(const char *mountinfo, const char *key)
{
    char line[4096], point[256], *at;
    size_t longest = 0, n;
    unsigned group = 0;
    FILE *f = fopen(mountinfo, "re");

    while (f && fgets(line, sizeof(line), f)) {
        char *end = strstr(line, " - ");

        if (!end || sscanf(line, "%*s %*s %*s %*s %255s", point) != 1)
            continue;
        *end = '\0';
        n = strcmp(point, "/") == 0 ? 0 : strlen(point);
        if (strncmp(point, NAMES, n) != 0 || !strchr("/", NAMES[n]) ||
            n < longest)
            continue;
        longest = n;
        at = strstr(line, key);
        group = at ? (unsigned)strtoul(at + strlen(key), NULL, 10) : 0;
    }
    if (f)
        fclose(f);
    return group;
}

bool lab_ns_hidden(void)
{
    unsigned from = mount_group("/proc/self/mountinfo", " master:");

    return from && from == mount_group("/proc/1/mountinfo", " shared:");
}
