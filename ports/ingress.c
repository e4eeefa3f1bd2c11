/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See ingress.h.
 */
#include "ports/ingress.h"

#include "base/clock.h"
#include "ports/netdev.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* The name of a constant newer than the headers we build with. */
#ifndef BPF_TCX_INGRESS
#define BPF_TCX_INGRESS 46
#endif

/* Where our filter sits on clsact: nobody else picks these by accident. */
#define FILTER_HANDLE   0xba5c
#define FILTER_PRIORITY 0xba5c

/* ---- the lock ---- */

/* How long the guard of a killed daemon may hold a device: 10 * 20 ms. */
#define LOCK_TRIES   10
#define LOCK_WAIT_US 20000

/* The lock's descriptor or -errno. */
static int try_lock(int ifindex)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n, rc;

    if (fd < 0)
        return -errno;
    /* A leading NUL: abstract, so it belongs to the network namespace. */
    n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "bascule/netdev/%d",
                 ifindex);
    if (bind(fd, (struct sockaddr *)&a,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                         (size_t)n)) == 0)
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

static int take_lock(int ifindex, const char *name, struct err *e)
{
    int fd = try_lock(ifindex);

    for (int i = 0; fd == -EADDRINUSE && i < LOCK_TRIES; i++) {
        usleep(LOCK_WAIT_US);
        fd = try_lock(ifindex);
    }
    if (fd == -EADDRINUSE)
        return err_set(e, EBUSY,
                       "%s is a port already, here or of another basculed: "
                       "remove it there first (brctl delif)",
                       name);
    return fd < 0 ? err_sys(e, fd, "lock of %s", name) : fd;
}

/* ---- the program ---- */

/*
 * An ordinary user's own network namespace gives him all over its devices, but
 * not the right to load this; the classic program on clsact then does it.
 */
static int load(void)
{
    static const struct bpf_insn prog[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K,
         .dst_reg = BPF_REG_0,
         .imm = TC_ACT_SHOT},
        {.code = BPF_JMP | BPF_EXIT},
    };

    return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "bascule_shot",
                         "Dual BSD/GPL", prog, 2, NULL);
}

/*
 * bpf(2) itself: libbpf of Debian 12 does not know the attach type.  The
 * attributes behind the flags stay zero: at the end, whatever is there.
 */
static int link_tcx(int prog, int ifindex)
{
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)prog;
    attr.link_create.target_ifindex = (uint32_t)ifindex;
    attr.link_create.attach_type = BPF_TCX_INGRESS;
    fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
    return fd < 0 ? -errno : fd;
}

/*
 * For each program on tcx the kernel waits for a grace period (14 ms) and
 * holds the lock of all network settings meanwhile: a thousand devices would
 * be 15 seconds in which nobody on this host changes an interface.  So when
 * several come at once, all but the first go on clsact, which takes no time;
 * the guard removes those if we are killed.
 */
#define CROWD_NS (10 * NSEC_PER_MSEC)

static bool in_a_crowd(void)
{
    static _Atomic uint64_t last;
    uint64_t now = clock_now();

    return now - atomic_exchange(&last, now) < CROWD_NS;
}

/* The link's descriptor or -errno. */
static int attach_tcx(int ifindex)
{
    int prog, fd;

    if (in_a_crowd() || getenv("BASCULE_NO_TCX"))
        return -EINVAL;
    prog = load();
    if (prog < 0)
        return prog;
    fd = link_tcx(prog, ifindex);
    close(prog); /* the link holds it now */
    return fd;
}

static int attach_filter(struct ingress *g, struct err *e)
{
    bool old = false;
    int rc = netdev_clsact_add(g->ifindex);

    if (rc == -EPERM)
        return err_set(e, rc,
                       "no permission to take the interface over: run as root "
                       "or with CAP_NET_ADMIN and CAP_NET_RAW");
    if (rc && rc != -EEXIST)
        return err_sys(e, rc, "tc ingress (clsact qdisc)");
    g->made_hook = rc == 0;
    /* We hold the lock, so a filter of ours is what a killed daemon left:
     * it is replaced, and if it is alone the qdisc was that daemon's too. */
    if (rc == -EEXIST &&
        netdev_clsact_filters(g->ifindex, FILTER_HANDLE, &old) == 1)
        g->made_hook = old;
    rc = netdev_drop_add(g->ifindex, FILTER_HANDLE, FILTER_PRIORITY);
    g->filter = rc == 0;
    return rc ? err_sys(e, rc, "tc ingress (BPF filter)") : 0;
}

static int block(struct ingress *g, struct err *e)
{
    g->link_fd = attach_tcx(g->ifindex);
    if (g->link_fd >= 0)
        return 0;
    if (g->link_fd == -EMFILE || g->link_fd == -ENFILE)
        return err_sys(e, g->link_fd, "tc ingress");
    return attach_filter(g, e);
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    (void)level;
    (void)fmt;
    (void)ap;
    return 0;
}

int ingress_lock(struct ingress *g, int ifindex, const char *name,
                 struct err *e)
{
    int fd;

    *g = INGRESS_NONE;
    g->ifindex = ifindex;
    fd = take_lock(ifindex, name, e);
    if (fd < 0)
        return fd;
    g->lock_fd = fd;
    return 0;
}

int ingress_take(struct ingress *g, int ifindex, const char *name,
                 struct err *e)
{
    int rc = ingress_lock(g, ifindex, name, e);

    if (rc)
        return rc;
    /* What libbpf says on standard error is said better by our sentence. */
    libbpf_set_print(silent);
    rc = block(g, e);
    if (rc)
        ingress_release(g);
    return rc;
}

void ingress_remove_filter(int ifindex, bool made_hook)
{
    (void)netdev_drop_del(ifindex, FILTER_HANDLE, FILTER_PRIORITY);
    if (made_hook && netdev_clsact_filters(ifindex, 0, NULL) == 0)
        (void)netdev_clsact_del(ifindex);
}

void ingress_release(struct ingress *g)
{
    if (g->link_fd >= 0)
        close(g->link_fd);
    if (g->filter || g->made_hook)
        ingress_remove_filter(g->ifindex, g->made_hook);
    if (g->lock_fd >= 0)
        close(g->lock_fd);
    *g = INGRESS_NONE;
}

const char *ingress_how(const struct ingress *g)
{
    if (g->link_fd >= 0)
        return "tcx";
    return g->filter ? "clsact" : "none";
}
