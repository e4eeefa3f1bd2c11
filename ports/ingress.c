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
#include <linux/filter.h>
#include <linux/pkt_cls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Names of constants newer than the headers we build with. */
#ifndef BPF_TCX_INGRESS
#define BPF_TCX_INGRESS 46
#define BPF_TCX_EGRESS  47
#endif
#ifndef BPF_F_BEFORE
#define BPF_F_BEFORE (1U << 3)
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
 * A word that all programs on adopted devices look at, and the guard holds as
 * well: when we are killed it opens all of them at once.  The kernel closes
 * our descriptors one after another, and spends 80 ms on those of a device.
 */
static int gate(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int fd = -1;

    pthread_mutex_lock(&lock);
    if (fd < 0)
        fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bascule_gate", 4, 4, 1, NULL);
    pthread_mutex_unlock(&lock);
    return fd;
}

void ingress_open_gate(int fd)
{
    const uint32_t key = 0, open = 1;

    (void)bpf_map_update_elem(fd, &key, &open, 0);
}

#define SKB_MARK ((int16_t)offsetof(struct __sk_buff, mark))

#define INSN(c, d, s, o, i)                                                    \
    ((struct bpf_insn){                                                        \
        .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOVE(reg, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, i)
#define EXIT         INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* r3 = the gate's word */
#define LOAD_GATE(fd)                                                          \
    INSN(BPF_LD | BPF_DW | BPF_IMM, 3, BPF_PSEUDO_MAP_VALUE, 0, fd),           \
        INSN(0, 0, 0, 0, 0), INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 3, 0, 0)

static int load_prog(const char *name, const struct bpf_insn *prog, size_t n)
{
    return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "Dual BSD/GPL", prog, n,
                         NULL);
}

/*
 * An ordinary user's own network namespace gives him all over its devices, but
 * not the right to load these; classic programs on clsact then do it.
 */
static int load_drop(void)
{
    const struct bpf_insn prog[] = {MOVE(BPF_REG_0, TC_ACT_SHOT), EXIT};

    return load_prog("bascule_shot", prog, 2);
}

/* Drops every frame while the gate is shut. */
static int load_gated_drop(int fd)
{
    const struct bpf_insn prog[] = {
        LOAD_GATE(fd),
        MOVE(BPF_REG_0, TC_ACT_UNSPEC),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 1, 0),
        MOVE(BPF_REG_0, TC_ACT_SHOT),
        EXIT,
    };

    return load_prog("bascule_shot", prog, sizeof(prog) / sizeof(prog[0]));
}

/* Drops what has no mark while the gate is shut.  The mark has done its work
 * then: who comes after us finds the frame as a packet socket without one
 * would have sent it. */
static int load_marked(int fd)
{
    const struct bpf_insn prog[] = {
        LOAD_GATE(fd),
        MOVE(BPF_REG_0, TC_ACT_UNSPEC),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 4, 0),
        INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, SKB_MARK, 0),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 3, EGRESS_MARK),
        MOVE(BPF_REG_2, 0),
        INSN(BPF_STX | BPF_MEM | BPF_W, 1, 2, SKB_MARK, 0),
        EXIT,
        MOVE(BPF_REG_0, TC_ACT_SHOT),
        EXIT,
    };

    return load_prog("bascule_mark", prog, sizeof(prog) / sizeof(prog[0]));
}

static int load(const struct ingress *g, bool egress)
{
    int fd = g->gate_fd;

    if (egress)
        return fd < 0 ? -EPERM : load_marked(fd);
    return fd < 0 ? load_drop() : load_gated_drop(fd);
}

/*
 * bpf(2) itself: libbpf of Debian 12 does not know the attach type.  The
 * attributes behind the flags stay zero: at the end, whatever is there; at
 * egress before it, since a program that passes a frame ends the list.
 */
static int link_tcx(int prog, int ifindex, bool egress)
{
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)prog;
    attr.link_create.target_ifindex = (uint32_t)ifindex;
    attr.link_create.attach_type = egress ? BPF_TCX_EGRESS : BPF_TCX_INGRESS;
    attr.link_create.flags = egress ? BPF_F_BEFORE : 0;
    fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
    return fd < 0 ? -errno : fd;
}

/*
 * For each program on tcx the kernel waits for a grace period (14 ms) and
 * holds the lock of all network settings meanwhile: a thousand devices would
 * be 15 seconds in which nobody on this host changes an interface.  So when
 * several come at once, all but the first go on clsact, which takes no time;
 * the guard removes those if we are killed.  Not so when a whole bridge hangs
 * on it that is to go on even if the guard is killed with us.
 */
#define CROWD_NS (10 * NSEC_PER_MSEC)

static bool in_a_crowd(void)
{
    static _Atomic uint64_t last;
    uint64_t now = clock_now();

    return now - atomic_exchange(&last, now) < CROWD_NS;
}

/* The link's descriptor or -errno. */
static int attach_tcx(const struct ingress *g, bool egress)
{
    int prog = load(g, egress), fd;

    if (prog < 0)
        return prog;
    fd = link_tcx(prog, g->ifindex, egress);
    close(prog); /* the link holds it now */
    return fd;
}

static int add_filter(int ifindex, bool egress)
{
    static const struct sock_filter drop[] = {
        BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
    };
    static const struct sock_filter marked[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EGRESS_MARK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, (uint32_t)TC_ACT_UNSPEC),
        BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
    };

    return egress ? netdev_filter_add(ifindex, true, FILTER_HANDLE,
                                      FILTER_PRIORITY, marked, 4)
                  : netdev_filter_add(ifindex, false, FILTER_HANDLE,
                                      FILTER_PRIORITY, drop, 1);
}

static int make_hook(struct ingress *g, struct err *e)
{
    int rc = netdev_clsact_add(g->ifindex);

    if (rc == -EPERM)
        return err_set(e, rc,
                       "no permission to take the interface over: run as root "
                       "or with CAP_NET_ADMIN and CAP_NET_RAW");
    if (rc && rc != -EEXIST)
        return err_sys(e, rc, "tc ingress (clsact qdisc)");
    g->made_hook = rc == 0;
    return 0;
}

static int attach_filter(struct ingress *g, bool egress, struct err *e)
{
    int rc = g->filter ? 0 : make_hook(g, e);

    if (rc)
        return rc;
    rc = add_filter(g->ifindex, egress);
    if (rc)
        return err_sys(e, rc, "tc %s (BPF filter)",
                       egress ? "egress" : "ingress");
    g->filter = true;
    return 0;
}

static int attach(struct ingress *g, bool egress, bool clsact, struct err *e)
{
    int *fd = egress ? &g->out_fd : &g->link_fd;

    if (clsact)
        return attach_filter(g, egress, e);
    *fd = attach_tcx(g, egress);
    if (*fd >= 0)
        return 0;
    if (*fd == -EMFILE || *fd == -ENFILE)
        return err_sys(e, *fd, "tc %s", egress ? "egress" : "ingress");
    return attach_filter(g, egress, e);
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    (void)level;
    (void)fmt;
    (void)ap;
    return 0;
}

/* We hold the lock, so filters of ours are what a daemon left that was killed
 * together with its guard; if they are alone the qdisc was that daemon's too.
 */
static void sweep(int ifindex)
{
    int ours = 0, n = netdev_clsact_filters(ifindex, FILTER_HANDLE, &ours);

    if (n > 0 && ours)
        ingress_remove_filter(ifindex, n == ours);
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
    sweep(ifindex);
    return 0;
}

int ingress_take(struct ingress *g, int ifindex, const char *name, bool mortal,
                 struct err *e)
{
    int rc = ingress_lock(g, ifindex, name, e);
    bool crowd;

    if (rc)
        return rc;
    /* What libbpf says on standard error is said better by our sentence. */
    libbpf_set_print(silent);
    crowd = in_a_crowd();
    if (mortal)
        g->gate_fd = gate();
    rc = attach(g, false, (crowd && !mortal) || getenv("BASCULE_NO_TCX"), e);
    if (rc)
        ingress_release(g);
    return rc;
}

int ingress_shut_egress(struct ingress *g, struct err *e)
{
    return attach(g, true, g->filter, e); /* the way that ingress went */
}

void ingress_remove_filter(int ifindex, bool made_hook)
{
    for (int egress = 0; egress < 2; egress++)
        (void)netdev_filter_del(ifindex, egress, FILTER_HANDLE,
                                FILTER_PRIORITY);
    if (made_hook && netdev_clsact_filters(ifindex, 0, NULL) == 0)
        (void)netdev_clsact_del(ifindex);
}

void ingress_release(struct ingress *g)
{
    if (g->link_fd >= 0)
        close(g->link_fd);
    if (g->out_fd >= 0)
        close(g->out_fd);
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
