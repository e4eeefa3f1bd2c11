/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting QEMU: its directory, everything it needs opened with the daemon's
 * rights, then a process without them.
 *
 * The new process waits between fork and exec until it has been written down
 * (its number and start time, in the file 'state'); if we are killed before,
 * it ends.  So there never is a guest that the next daemon does not find.
 *
 * Threads: launch_new control; the rest on a thread that may block.
 */
#ifndef CTL_GUEST_SPAWN_H
#define CTL_GUEST_SPAWN_H

#include "ctl/guest/args.h"

#include <limits.h>
#include <sys/types.h>

/* Whom QEMU runs as. */
struct guest_user {
    bool change; /* else as the daemon itself */
    uid_t uid;
    gid_t gid;
};

struct launch {
    const struct guest_def *def;
    char dir[PATH_MAX]; /* the guest's run directory */
    size_t own;         /* the length of its part from which on it is ours */
    struct guest_user user;
    gid_t extra; /* /dev/kvm's group; (gid_t)-1: none */
    char program[PATH_MAX];
    bool kvm;
    char notice[160]; /* "" or what was decided for the user */
    char seed[PATH_MAX];
    struct args args;
    int fd[ARGS_PASS_MAX]; /* opened; -1 */
    bool made_dir;
    pid_t pid; /* 0: not started */
    int pidfd;
    unsigned long long start; /* in clock ticks since boot, as /proc says */
};

/* 'def' must outlive it.  NULL: no memory. */
struct launch *launch_new(const struct guest_def *def, const char *dir,
                          size_t own, const struct guest_user *user);

/* An sw_work: directory, files, sockets and taps, arguments. */
int launch_prepare(void *launch, struct err *e);
/* An sw_work: the netdevs up, the process; then our descriptors are closed. */
int launch_spawn(void *launch, struct err *e);
/* An sw_work: closes what is open, removes the directory if no process was
 * started. */
int launch_discard(void *launch, struct err *e);
void launch_free(struct launch *l);

/* Empties and removes a guest's run directory.  0 or -errno. */
int run_dir_remove(const char *dir, struct err *e);
/* Makes a directory and those above it.  Its first 'own' characters are the
 * one from which on they are ours alone; others are refused, -EPERM. */
int run_dir_make(const char *dir, size_t own, mode_t mode, struct err *e);
/* The same of those that are there, without making any. */
int run_dir_check(const char *dir, size_t own, struct err *e);

/* Start time of a process; 0: there is none. */
unsigned long long process_start(pid_t pid);

/* ---- taps (tap.c) ---- */

/*
 * Makes a tap with that many queues, down, its netdev's address the guest's
 * with fe in front.  Descriptors in fd[].  0 or -errno with a sentence.
 */
int tap_make(const char *name, const struct mac *guest, unsigned queues,
             int *fd, struct err *e);
int tap_up(const char *name, struct err *e);
/* A port of the kernel's bridge, if it is none of one already. */
int tap_join(const char *name, const char *bridge, struct err *e);

/* ---- cloud-init (seed.c) ---- */

/* Are the files there that it is made of?  0 or -errno with a sentence. */
int seed_check_files(const char *dir, struct err *e);
/* Could the image be made?  0 or -errno with a sentence. */
int seed_check(const char *dir, struct err *e);
/* Makes the image from the directory's files.  0 or -errno with a sentence. */
int seed_make(const char *dir, const char *image, struct err *e);

#endif
