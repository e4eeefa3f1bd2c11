/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has a tap open: proc(5), where descriptors of /dev/net/tun tell the
 * interface's name in fdinfo ("iff:").  To delete such a tap would pull the
 * cable of a machine that runs.
 */
#include "ports/netdev.h"
#include "ports/netns.h"
#include "ports/netwatch.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

/* The file's beginning, NUL behind it; "": it cannot be read. */
static void read_some(int dir, const char *path, char *text, size_t n)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, n - 1) : 0;

    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static bool is_tap(int process, const char *fd, const char *name)
{
    char path[300], text[1024], want[IFNAMSIZ + 8];
    ssize_t n;

    snprintf(path, sizeof(path), "fd/%.20s", fd);
    n = readlinkat(process, path, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    if (strcmp(text, "/dev/net/tun") != 0)
        return false;
    snprintf(path, sizeof(path), "fdinfo/%.20s", fd);
    read_some(process, path, text, sizeof(text));
    snprintf(want, sizeof(want), "iff:\t%s\n", name);
    return strstr(text, want) != NULL;
}

/* The namespace of the interface behind another process's descriptor, which
 * need not be that process's.  0: the kernel does not say. */
static uint64_t netns_of(pid_t pid, int fd)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int tap = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    int ns = tap < 0 ? -1 : ioctl(tap, TUNGETDEVNETNS);
    struct stat st = {.st_ino = 0};

    if (ns >= 0) {
        (void)fstat(ns, &st);
        close(ns);
    }
    if (tap >= 0)
        close(tap);
    if (process >= 0)
        close(process);
    return st.st_ino;
}

static bool is_there(pid_t pid, int process, const char *fd, uint64_t netns)
{
    uint64_t its = netns_of(pid, (int)strtol(fd, NULL, 10));
    struct stat st;

    if (!its && fstatat(process, "ns/net", &st, 0) == 0)
        its = st.st_ino;
    return its == netns;
}

static bool has_open(pid_t pid, int process, const char *name, uint64_t netns)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *f;
    bool found = false;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    /* 'd' is ours alone */
    /* cppcheck-suppress readdirCalled */
    while (!found && (f = readdir(d)) != NULL)
        found = isdigit((unsigned char)f->d_name[0]) &&
                is_tap(process, f->d_name, name) &&
                is_there(pid, process, f->d_name, netns);
    closedir(d);
    return found;
}

/* 0: nobody, or nobody who may be looked at. */
static pid_t user_of(const char *name, uint64_t netns, char comm[32])
{
    DIR *proc = opendir("/proc");
    const struct dirent *f;
    pid_t found = 0;

    if (!proc)
        return 0;
    /* cppcheck-suppress readdirCalled */
    while (!found && (f = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(f->d_name, NULL, 10);
        int process = pid > 0 ? openat(dirfd(proc), f->d_name,
                                       O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                              : -1;

        if (process < 0)
            continue;
        if (has_open(pid, process, name, netns)) {
            found = pid;
            read_some(process, "comm", comm, 32);
            comm[strcspn(comm, "\n")] = '\0';
        }
        close(process);
    }
    closedir(proc);
    return found;
}

static bool is_kernel_bridge(int netns_fd, const char *name)
{
    struct netns_scope scope;
    struct netdev d;
    struct err none;
    bool is;

    if (netns_enter(&scope, netns_fd, &none))
        return false;
    is = netdev_get(name, 0, &d, &none) == 0 && strcmp(d.kind, "bridge") == 0;
    netns_leave(&scope);
    return is;
}

/* The way that is always open; as a port only what is there could be meant. */
static void other_way(const char *name, enum netdev_use use, bool bridge,
                      char out[40])
{
    static const char *const whose[] = {[NETDEV_FOR_PORT] = "port",
                                        [NETDEV_FOR_BRIDGE] = "bridge",
                                        [NETDEV_FOR_GUEST] = "guest"};

    if (use == NETDEV_FOR_PORT && !bridge)
        snprintf(out, 40, "take it over as packet:%.15s", name);
    else
        snprintf(out, 40, "give the %s another name", whose[use]);
}

const char *netdev_in_the_way(int netns_fd, const char *name,
                              enum netdev_use use, char text[NETDEV_WAY_MAX])
{
    bool bridge = is_kernel_bridge(netns_fd, name);
    char comm[32], other[40];
    pid_t pid = bridge ? 0 : user_of(name, netns_id(netns_fd), comm);

    other_way(name, use, bridge, other);
    if (bridge && use == NETDEV_FOR_BRIDGE)
        snprintf(text, NETDEV_WAY_MAX,
                 "interface %.15s exists already, a bridge of the kernel's: "
                 "take it over (bascule adopt %.15s; in a file, adopt: yes) or "
                 "%s",
                 name, name, other);
    else if (bridge)
        snprintf(text, NETDEV_WAY_MAX,
                 "interface %.15s exists already, a bridge of the kernel's: %s",
                 name, other);
    else if (pid)
        snprintf(text, NETDEV_WAY_MAX,
                 "interface %.15s exists already, and process %d (%s) has it "
                 "open: %s",
                 name, (int)pid, comm, other);
    else
        snprintf(text, NETDEV_WAY_MAX,
                 "interface %.15s exists already: delete it (ip link del dev "
                 "%.15s) or %s",
                 name, name, other);
    return text;
}
