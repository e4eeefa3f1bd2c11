/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who manages a network namespace: systemd-networkd, NetworkManager or nobody.
 *
 * Running is not managing: a manager of the host knows nothing of the
 * namespace of a lab.  So its process is looked for, and its namespace
 * compared.  At boot none runs yet when the switch starts; in the first
 * namespace that one counts that will.
 */
#include "ctl/l3/impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_name(const char *pid, const char *comm)
{
    char path[300], have[32] = "";
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    if (!fgets(have, sizeof(have), f))
        have[0] = 0;
    fclose(f);
    have[strcspn(have, "\n")] = 0;
    /* the kernel keeps fifteen characters */
    return strncmp(have, comm, 15) == 0;
}

static uint64_t netns_of(const char *pid)
{
    char path[300];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
    return stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

bool owner_runs(const char *comm, uint64_t netns)
{
    DIR *d = opendir("/proc");
    const struct dirent *x;
    bool found = false;

    /* cppcheck-suppress readdirCalled ; one stream, one thread */
    while (d && !found && (x = readdir(d)))
        found = x->d_name[0] >= '1' && x->d_name[0] <= '9' &&
                has_name(x->d_name, comm) && netns_of(x->d_name) == netns;
    if (d)
        closedir(d);
    return found;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Enabled in a system that systemd runs, whose first namespace it is. */
static bool will_run(const char *unit, uint64_t netns)
{
    static const char *const dir[] = {
        "/etc/systemd/system/multi-user.target.wants",
        "/run/systemd/system/multi-user.target.wants",
        "/run/systemd/generator/multi-user.target.wants",
        "/etc/systemd/system/network.target.wants",
        "/etc/systemd/system/network-online.target.wants",
    };

    if (!exists("/run/systemd/system") || netns_of("1") != netns)
        return false;
    for (unsigned i = 0; i < sizeof(dir) / sizeof(dir[0]); i++) {
        char path[200];

        snprintf(path, sizeof(path), "%s/%s", dir[i], unit);
        if (exists(path))
            return true;
    }
    return false;
}

static bool networkd(uint64_t netns)
{
    return owner_runs("systemd-networkd", netns) ||
           will_run("systemd-networkd.service", netns);
}

static bool nm(uint64_t netns)
{
    return owner_runs("NetworkManager", netns) ||
           will_run("NetworkManager.service", netns);
}

enum l3_owner owner_find(const char *renderer, uint64_t netns)
{
    bool n = networkd(netns), m = nm(netns);

    if (n && m) /* netplan's default is networkd */
        return renderer && strcmp(renderer, "NetworkManager") == 0
                   ? L3_NM
                   : L3_NETWORKD;
    return n ? L3_NETWORKD : m ? L3_NM : L3_SELF;
}
