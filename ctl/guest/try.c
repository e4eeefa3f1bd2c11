/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What would become of a guest, without touching anything.
 */
#include "ctl/guest/guest_impl.h"

#include <errno.h>
#include <stdio.h>

static int try_start(const struct guests *all, const struct guest_def *d,
                     long others, char *notice, size_t n, struct err *e)
{
    struct launch *l = launch_new(d, "", 0, &all->user);
    int rc = l ? launch_check_host(l, others, e) : -ENOMEM;

    if (!rc)
        snprintf(notice, n, "%s", l->notice);
    launch_free(l);
    return rc == -ENOMEM && !l ? err_set(e, ENOMEM, "no memory") : rc;
}

int guest_try(const struct guests *all, const struct guest_def *d, bool start,
              long others, char *notice, size_t n, struct err *e)
{
    int rc = launch_check_files(d, e);

    *notice = '\0';
    if (!rc && start)
        rc = try_start(all, d, others, notice, n, e);
    return rc ? err_wrap(e, rc, "guest %s", d->name) : 0;
}
