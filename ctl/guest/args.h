/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest as arguments for QEMU, and as the descriptors that these arguments
 * speak of.  QEMU opens nothing by itself that its user might not be allowed
 * to: what is needed is opened for it and passed, in the order of the list
 * 'pass', from descriptor 3 on.
 *
 * Threads: pure; any.
 */
#ifndef CTL_GUEST_ARGS_H
#define CTL_GUEST_ARGS_H

#include "ctl/guest/def.h"

#define ARGS_FIRST_FD 3
#define ARGS_PASS_MAX 192
#define ARGS_MAX      512

enum pass_kind {
    PASS_SOCKET, /* a UNIX socket that listens, 'path' in the run directory */
    PASS_READ,   /* a file */
    PASS_WRITE,  /* ... for reading and writing */
    PASS_REOPEN, /* ... that QEMU opens once more by /proc/self/fd */
    PASS_TAP,    /* a queue of the tap of network 'net' */
    PASS_VHOST,  /* /dev/vhost-net */
};

struct pass {
    enum pass_kind kind;
    const char *path;   /* the definition's, or constant */
    const char *option; /* which asked for it, for sentences */
    unsigned net;
};

/* What the host has, and what has been decided for this start. */
struct args_host {
    const char *program; /* QEMU's path */
    const char *run_dir; /* of this guest */
    const char *seed;    /* cloud-init's image; NULL: none */
    bool kvm;
    bool vhost; /* /dev/vhost-net is there */
};

struct args {
    char *argv[ARGS_MAX + 1]; /* malloc'ed; NULL behind the last */
    unsigned n;
    struct pass pass[ARGS_PASS_MAX];
    unsigned n_pass;
    bool failed; /* no memory, or too many */
};

/* 0, or -ENOMEM, -E2BIG with a sentence.  args_free in either case. */
int args_build(struct args *a, const struct guest_def *d,
               const struct args_host *h, struct err *e);
void args_free(struct args *a);

/* How things are called in the run directory. */
#define ARGS_QMP     "qmp.sock"
#define ARGS_CONSOLE "console.sock"
/* QEMU makes this one itself, in a directory that is its own. */
#define ARGS_OWN "own"
#define ARGS_VNC ARGS_OWN "/vnc.sock"
/* The socket of a network of kind stream: "net0.sock". */
const char *args_net_socket(unsigned net);

#endif
