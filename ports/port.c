/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/port.h"
#include "ports/dgram.h"
#include "ports/mem.h"
#include "ports/netdev.h"
#include "ports/packet.h"
#include "ports/pcap_port.h"
#include "ports/stream.h"
#include "ports/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One on each line, in the order people read them. */
/* clang-format off */
const struct port_kind *const port_kinds[] = {
    &port_kind_packet,
    &port_kind_tap,
    &port_kind_mem,
    &port_kind_pcap,
    &port_kind_pcapfile,
    &port_kind_stream,
    &port_kind_dgram,
    NULL,
};
/* clang-format on */

const struct port_kind *port_kind_find(const char *name)
{
    for (const struct port_kind *const *k = port_kinds; *k; k++) {
        if (strcmp((*k)->name, name) == 0)
            return *k;
    }
    return NULL;
}

static int no_such_kind(const char *name, struct err *e)
{
    char list[200] = "";
    size_t used = 0;

    for (const struct port_kind *const *k = port_kinds; *k; k++) {
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                 used ? ", " : "", (*k)->name);
        if (used >= sizeof(list))
            break;
    }
    return err_set(e, EINVAL, "no port kind '%s'; this version has %s", name,
                   list);
}

static int check_makeable(const struct port_spec *spec, struct err *e)
{
    if (netdev_name_is_allowed(spec->target))
        return 0;
    return err_set(e, EINVAL,
                   "the kernel lets no interface be called %s: choose another "
                   "name%s",
                   spec->target,
                   spec->local ? ", or make the bridge without an interface "
                                 "(--no-local; in a file, local: no)"
                               : "");
}

static int check_words(const struct port_spec *spec, struct err *e)
{
    const struct port_kind *kind = port_kind_find(spec->kind);
    int rc;

    if (!kind)
        return no_such_kind(spec->kind, e);
    rc = port_spec_known(spec, kind->keys, e);
    if (!rc && spec->name[0])
        rc = port_name_check(spec->name, e);
    if (!rc && kind->netdev)
        rc = netdev_name_check(spec->target, e);
    if (!rc && strcmp(kind->name, "tap") == 0)
        rc = check_makeable(spec, e);
    return rc;
}

static int keep_open(int *to, int fd, const char *what, struct err *e)
{
    if (fd < 0)
        return 0;
    *to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *to < 0 ? err_sys(e, errno, "keeping the %s open", what) : 0;
}

/* Fills the copy; what it holds is given back by port_free. */
static int take_spec(struct port *p, const struct port_spec *spec,
                     struct err *e)
{
    int rc = port_spec_copy(&p->spec, spec);

    p->spec.netns_fd = p->spec.file_fd = -1;
    if (rc)
        return err_set(e, rc, "the port's specification is too long");
    rc = keep_open(&p->spec.netns_fd, spec->netns_fd, "network namespace", e);
    if (!rc && p->kind->file)
        rc = keep_open(&p->spec.file_fd, spec->file_fd, "file", e);
    return rc;
}

struct port *port_new(const struct port_spec *spec, int *rc, struct err *e)
{
    const struct port_kind *kind = port_kind_find(spec->kind);
    struct port *p;

    *rc = check_words(spec, e);
    if (*rc)
        return NULL;
    p = kind->alloc();
    if (!p) {
        *rc = err_set(e, ENOMEM, "no memory for a %s port", kind->name);
        return NULL;
    }
    p->kind = kind;
    p->ops = kind->ops;
    p->n_txctx = 1;
    *rc = take_spec(p, spec, e);
    if (*rc) {
        port_free(p);
        return NULL;
    }
    return p;
}

int port_check(const struct port_spec *spec, struct err *e)
{
    struct port_spec words;
    struct port *p;
    int rc = port_spec_copy(&words, spec);

    if (rc)
        return err_set(e, rc, "the port's specification is too long");
    words.netns_fd = words.file_fd = -1;
    p = port_new(&words, &rc, e);
    if (p && p->ops->check)
        rc = p->ops->check(p, e);
    port_free(p);
    return rc;
}

void port_free(struct port *p)
{
    if (!p)
        return;
    if (p->spec.netns_fd >= 0)
        close(p->spec.netns_fd);
    if (p->spec.file_fd >= 0)
        close(p->spec.file_fd);
    p->kind->free(p);
}

struct port_caps port_caps_now(const struct port *p)
{
    struct port_caps c = p->caps;

    if (p->kind->peer)
        c.link = atomic_load(&p->peer);
    return c;
}

void port_event(struct port *p, enum port_event ev, const char *fmt, ...)
{
    char reason[160];
    va_list ap;

    if (ev == PORT_EVENT_FAILED) {
        if (atomic_exchange(&p->failed, true))
            return;
        if (p->kind && p->kind->peer)
            atomic_store(&p->peer, false);
    }
    if (!p->event)
        return;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    p->event(p, ev, reason);
}
