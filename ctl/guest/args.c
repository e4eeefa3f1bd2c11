/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/guest/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What QEMU may no longer do once it runs, beside what its user may not. */
#define SANDBOX                                                                \
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

#if defined(__x86_64__) || defined(__i386__)
#define MACHINE "pc"
#else
#define MACHINE "virt"
#endif

static void add(struct args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct args *a, const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;

    va_start(ap, fmt);
    if (a->n < ARGS_MAX && vasprintf(&s, fmt, ap) >= 0)
        a->argv[a->n++] = s;
    else
        a->failed = true;
    va_end(ap);
}

/* The number that the descriptor will have. */
static unsigned pass(struct args *a, enum pass_kind kind, const char *path,
                     const char *option, unsigned net)
{
    if (a->n_pass == ARGS_PASS_MAX) {
        a->failed = true;
        return 0;
    }
    a->pass[a->n_pass] = (struct pass){kind, path, option, net};
    return ARGS_FIRST_FD + a->n_pass++;
}

/* A set of descriptors is how a disk's file is named: its number. */
static unsigned fdset(struct args *a, enum pass_kind kind, const char *path,
                      const char *option)
{
    unsigned fd = pass(a, kind, path, option, 0);

    add(a, "-add-fd");
    add(a, "fd=%u,set=%u", fd, fd);
    return fd;
}

const char *args_net_socket(unsigned net)
{
    static const char *const name[GUEST_NETS_MAX] = {
        "net0.sock", "net1.sock", "net2.sock", "net3.sock",
        "net4.sock", "net5.sock", "net6.sock", "net7.sock"};

    return name[net];
}

/* ---- processors and memory ---- */

static void add_memory(struct args *a, const struct guest_def *d)
{
    const char *kind =
        d->hugepages ? "memory-backend-memfd,hugetlb=on" : "memory-backend-ram";

    add(a, "-m");
    add(a, "%u", d->memory);
    add(a, "-smp");
    add(a, "%u", d->cpus);
    for (unsigned i = 0; i < d->n_numa; i++) {
        const struct guest_node *n = &d->numa[i];

        add(a, "-object");
        add(a, "%s,id=mem%u,size=%uM", kind, n->node, n->memory);
        add(a, "-numa");
        add(a, "node,nodeid=%u,cpus=%s,memdev=mem%u", n->node, n->cpus,
            n->node);
    }
    if (d->hugepages && !d->n_numa) {
        add(a, "-object");
        add(a, "%s,id=mem,size=%uM", kind, d->memory);
    }
}

static void add_machine(struct args *a, const struct guest_def *d,
                        const struct args_host *h)
{
    static const char *const merge[] = {"", ",mem-merge=on", ",mem-merge=off"};

    add(a, "-machine");
    add(a, "%s%s%s", d->machine ? d->machine : MACHINE, merge[d->ksm],
        d->hugepages && !d->n_numa ? ",memory-backend=mem" : "");
    add(a, "-accel");
    add(a, "%s", h->kvm ? "kvm" : "tcg");
    if (h->kvm) {
        add(a, "-cpu");
        add(a, "host");
    }
    add_memory(a, d);
}

/* ---- console, screen, control ---- */

static void add_socket(struct args *a, const char *id, const char *file)
{
    add(a, "-chardev");
    add(a, "socket,id=%s,fd=%u,server=on,wait=off", id,
        pass(a, PASS_SOCKET, file, id, 0));
}

static void add_screen(struct args *a, const struct guest_def *d,
                       const struct args_host *h)
{
    if (!d->vnc) {
        add(a, "-display");
        add(a, "none");
        return;
    }
    add(a, "-vga");
    add(a, "std");
    add(a, "-vnc");
    if (strcmp(d->vnc, "on") == 0)
        add(a, "unix:%s/" ARGS_VNC, h->run_dir);
    else
        add(a, "%s", d->vnc);
}

static void add_control(struct args *a, const struct guest_def *d,
                        const struct args_host *h)
{
    add_socket(a, "qmp", ARGS_QMP);
    add(a, "-mon");
    add(a, "chardev=qmp,mode=control");
    add_socket(a, "console", ARGS_CONSOLE);
    add(a, "-serial");
    add(a, "chardev:console");
    add_screen(a, d, h);
}

/* ---- disks ---- */

/* Where in the order of booting; 0 first, -1 not in it: a kernel that is given
 * comes before all, and QEMU has taken index 0 for it. */
static int boot_index(const struct guest_def *d, enum guest_boot what,
                      unsigned n)
{
    if (d->kernel)
        return -1;
    if (d->boot == what)
        return (int)n;
    if (d->boot == GUEST_BOOT_DEFAULT)
        return what == GUEST_BOOT_NETWORK
                   ? -1
                   : (int)n + (what == GUEST_BOOT_CDROM ? GUEST_DISKS_MAX : 0);
    return what == GUEST_BOOT_NETWORK ? -1 : (int)n + 64 * (int)what;
}

static const char *boot_key(int index, char out[24])
{
    out[0] = '\0';
    if (index >= 0)
        snprintf(out, 24, ",bootindex=%d", index);
    return out;
}

/* By itself QEMU opens every disk for reading first, for which there is no
 * descriptor if it is to be written. */
static void add_disk(struct args *a, const struct guest_def *d, unsigned i)
{
    static const char *const device[] = {"virtio-blk-pci", "scsi-hd,bus=scsi.0",
                                         "ide-hd"};
    const struct guest_disk *k = &d->disk[i];
    bool read = k->readonly || d->snapshot;
    char boot[24];
    unsigned fd = fdset(a, read ? PASS_READ : PASS_WRITE, k->path, "--disk");

    add(a, "-drive");
    add(a, "if=none,id=disk%u,file=/dev/fdset/%u,format=%s%s%s", i, fd,
        guest_format_word(k->format), k->readonly ? ",readonly=on" : "",
        d->snapshot && !k->readonly ? ",snapshot=on"
        : read                      ? ""
                                    : ",auto-read-only=off");
    add(a, "-device");
    add(a, "%s,drive=disk%u%s", device[k->bus], i,
        boot_key(boot_index(d, GUEST_BOOT_DISK, i), boot));
}

static void add_cdrom(struct args *a, const char *path, const char *option,
                      const char *id, const char *boot)
{
    unsigned fd = fdset(a, PASS_READ, path, option);

    add(a, "-drive");
    add(a,
        "if=none,id=%s,file=/dev/fdset/%u,format=raw,readonly=on,media=cdrom",
        id, fd);
    add(a, "-device");
    add(a, "%s,drive=%s%s",
        strcmp(MACHINE, "pc") == 0 ? "ide-cd" : "virtio-blk-pci", id, boot);
}

static void add_disks(struct args *a, const struct guest_def *d,
                      const struct args_host *h)
{
    char boot[24];

    for (unsigned i = 0; i < d->n_disks; i++)
        if (d->disk[i].bus == GUEST_SCSI) {
            add(a, "-device");
            add(a, "virtio-scsi-pci,id=scsi");
            break;
        }
    for (unsigned i = 0; i < d->n_disks; i++)
        add_disk(a, d, i);
    if (d->cdrom)
        add_cdrom(a, d->cdrom, "--cdrom", "cdrom",
                  boot_key(boot_index(d, GUEST_BOOT_CDROM, 0), boot));
    if (h->seed)
        add_cdrom(a, h->seed, "--cloud-init", "seed", "");
}

/*
 * The kernel's file is opened by name; /dev/fdset is none that fopen knows,
 * the process's own descriptors are.
 */
static void add_kernel(struct args *a, const struct guest_def *d)
{
    if (!d->kernel)
        return;
    add(a, "-kernel");
    add(a, "/proc/self/fd/%u", pass(a, PASS_REOPEN, d->kernel, "--kernel", 0));
    if (d->initrd) {
        add(a, "-initrd");
        add(a, "/proc/self/fd/%u",
            pass(a, PASS_REOPEN, d->initrd, "--initrd", 0));
    }
    if (d->append) {
        add(a, "-append");
        add(a, "%s", d->append);
    }
}

/* ---- networks ---- */

/* "fds=7:8" */
static void fd_list(struct args *a, char *out, size_t n, const char *key,
                    enum pass_kind kind, const struct guest_net *net,
                    unsigned i)
{
    size_t len = (size_t)snprintf(out, n, ",%s=", key);

    for (unsigned q = 0; q < net->queues && len < n; q++)
        len += (size_t)snprintf(out + len, n - len, "%s%u", q ? ":" : "",
                                pass(a, kind, NULL, "--net", i));
}

static void add_backend(struct args *a, const struct guest_net *net, unsigned i,
                        bool vhost)
{
    char fds[96], vhostfds[112] = "";

    if (net->kind == GUEST_STREAM) {
        unsigned fd = pass(a, PASS_SOCKET, args_net_socket(i), "--net", i);

        add(a, "-netdev");
        add(a, "stream,id=net%u,server=on,addr.type=fd,addr.str=%u", i, fd);
        return;
    }
    fd_list(a, fds, sizeof(fds), "fds", PASS_TAP, net, i);
    if (vhost)
        fd_list(a, vhostfds, sizeof(vhostfds), "vhost=on,vhostfds", PASS_VHOST,
                net, i);
    add(a, "-netdev");
    add(a, "tap,id=net%u%s%s", i, fds, vhostfds);
}

static void add_net(struct args *a, const struct guest_def *d, unsigned i,
                    bool vhost)
{
    const struct guest_net *net = &d->net[i];
    char mac[MAC_TEXT_MAX], mq[48] = "", boot[24];
    bool boots = d->boot == GUEST_BOOT_NETWORK;

    add_backend(a, net, i, vhost);
    if (net->queues > 1) /* a vector for each direction, two for the rest */
        snprintf(mq, sizeof(mq), ",mq=on,vectors=%u", 2 * net->queues + 2);
    add(a, "-device");
    add(a, "virtio-net-pci,id=nic%u,netdev=net%u,mac=%s%s%s%s", i, i,
        mac_format(&net->mac, mac), mq, boots ? "" : ",romfile=",
        boot_key(boot_index(d, GUEST_BOOT_NETWORK, i), boot));
}

/* ---- all of it ---- */

int args_build(struct args *a, const struct guest_def *d,
               const struct args_host *h, struct err *e)
{
    memset(a, 0, sizeof(*a));
    add(a, "%s", h->program);
    add(a, "-name");
    add(a, "%s", d->name);
    add(a, "-nodefaults");
    add(a, "-no-user-config");
    add(a, "-sandbox");
    add(a, SANDBOX);
    add_machine(a, d, h);
    add_control(a, d, h);
    add_kernel(a, d);
    add_disks(a, d, h);
    for (unsigned i = 0; i < d->n_nets; i++)
        add_net(a, d, i, h->vhost);
    for (unsigned i = 0; i < d->n_args; i++)
        add(a, "%s", d->arg[i]);
    if (a->failed)
        return err_set(e, a->n < ARGS_MAX ? ENOMEM : E2BIG, "guest %s: %s",
                       d->name,
                       a->n < ARGS_MAX ? "no memory" : "too many arguments");
    return 0;
}

void args_free(struct args *a)
{
    for (unsigned i = 0; i < a->n; i++)
        free(a->argv[i]);
    a->n = 0;
}
