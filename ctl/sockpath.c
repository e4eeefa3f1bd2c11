/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/sockpath.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put(struct sockaddr_un *addr, const char *dir, const char *file,
               struct err *e)
{
    int n;

    memset(addr, 0, sizeof(*addr));
    addr->sun_family = AF_UNIX;
    n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s%s", dir, file);
    if (n < 0 || (size_t)n >= sizeof(addr->sun_path))
        return err_set(e, ENAMETOOLONG,
                       "a socket's path is at most %zu characters long: %s%s",
                       sizeof(addr->sun_path) - 1, dir, file);
    return 0;
}

int sockpath_resolve(const char *asked, struct sockaddr_un *addr, struct err *e)
{
    const char *dir;

    if (!asked || !*asked)
        asked = getenv("BASCULE_SOCKET");
    if (asked && *asked)
        return put(addr, asked, "", e);
    if (geteuid() == 0)
        return put(addr, SOCKPATH_RUN_DIR, "/control.sock", e);
    dir = getenv("XDG_RUNTIME_DIR");
    if (dir && *dir)
        return put(addr, dir, "/bascule.sock", e);
    return err_set(e, ENOENT,
                   "no place for the control socket: XDG_RUNTIME_DIR is not "
                   "set; give one with --socket or BASCULE_SOCKET");
}
