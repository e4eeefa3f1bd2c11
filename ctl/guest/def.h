/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest is made of, as somebody has defined it.  The same object says
 * it in a request, in the file that keeps it, and to whoever defines guests
 * inside the daemon:
 *
 *   {"name": "vm1", "memory": 512, "cpus": 1,
 *    "disks": [{"path": "/lab/vm1.qcow2", "bus": "virtio"}],
 *    "nets": [{"bridge": "br0", "kind": "tap", "queues": 1}], ...}
 *
 * Numbers may come as strings of digits, memory as "2G", switches as "on" and
 * "off": that is how words of a command line and of YAML arrive.  Writing it
 * back gives numbers and booleans.
 *
 * Threads: pure functions; any.  A definition does not change once made.
 */
#ifndef CTL_GUEST_DEF_H
#define CTL_GUEST_DEF_H

#include "base/err.h"
#include "base/mac.h"
#include "ports/spec.h"

#include <jansson.h>
#include <stdbool.h>

#define GUEST_DISKS_MAX  16
#define GUEST_NETS_MAX   8
#define GUEST_NUMA_MAX   8
#define GUEST_ARGS_MAX   64
#define GUEST_QUEUES_MAX 8
#define GUEST_CPUS_MAX   255
#define GUEST_STOP_MAX   86400     /* s */
#define GUEST_MEMORY_MAX (4 << 20) /* MB */

/* Words are numbered as they are listed in def.c. */
enum guest_format { GUEST_FORMAT_BY_NAME, GUEST_RAW, GUEST_QCOW2 };
enum guest_bus { GUEST_VIRTIO, GUEST_SCSI, GUEST_IDE };
enum guest_kind { GUEST_TAP, GUEST_STREAM, GUEST_VHOST_USER };
enum guest_accel { GUEST_ACCEL_AUTO, GUEST_KVM, GUEST_TCG };
enum guest_ksm { GUEST_KSM_DEFAULT, GUEST_KSM_ON, GUEST_KSM_OFF };
enum guest_boot {
    GUEST_BOOT_DEFAULT,
    GUEST_BOOT_NETWORK,
    GUEST_BOOT_DISK,
    GUEST_BOOT_CDROM
};
enum guest_restart { GUEST_NO, GUEST_ON_FAILURE, GUEST_ALWAYS };

struct guest_disk {
    char *path;
    unsigned format; /* enum guest_format */
    unsigned bus;    /* enum guest_bus */
    bool readonly;
};

struct guest_net {
    char *bridge;
    unsigned kind; /* enum guest_kind */
    unsigned queues;
    char *mac_text; /* as given; NULL: by name */
    /* from the above */
    struct mac mac;           /* the guest's */
    char port[PORT_NAME_MAX]; /* of the bridge, and the netdev's name */
};

struct guest_node {
    unsigned node;
    char *cpus; /* "0" or "0-3" */
    unsigned memory;
};

struct guest_def {
    char *name;
    struct guest_disk disk[GUEST_DISKS_MAX];
    unsigned n_disks;
    bool snapshot;
    char *cdrom, *kernel, *initrd, *append;
    unsigned memory; /* MB */
    unsigned cpus;
    struct guest_net net[GUEST_NETS_MAX];
    unsigned n_nets;
    unsigned accel; /* enum guest_accel, and so on */
    char *machine;  /* NULL: the usual one */
    bool hugepages;
    unsigned ksm;
    struct guest_node numa[GUEST_NUMA_MAX];
    unsigned n_numa;
    char *vnc; /* "on": at a socket beside the console; NULL: none */
    char *cloud_init;
    unsigned boot;
    unsigned restart;
    unsigned stop_timeout; /* s, for powering down; 0: nobody has said it */
    char *arg[GUEST_ARGS_MAX];
    unsigned n_args;
    bool from_file; /* the daemon's configuration has defined it */
};

/*
 * Reads and checks a definition.  0 and *d, to be given back with
 * guest_def_free; or -EINVAL, -ENAMETOOLONG, -ENOMEM and a sentence that
 * names the option and its value.
 */
int guest_def_read(struct guest_def **d, const json_t *o, struct err *e);
void guest_def_free(struct guest_def *d);

/*
 * Is 'v' fit to be the member 'key' of a guest, or of an object of its list
 * 'list'?  0, or -EINVAL with a sentence about the value alone ("found 3X:
 * ..."), -ENOENT: there is no such member.  What has to fit together is not
 * looked at.
 */
int guest_def_try(const char *list, const char *key, const json_t *v,
                  struct err *e);

/* The object with everything that is not as by default; NULL: no memory. */
json_t *guest_def_write(const struct guest_def *d);

/* Do two guests get in each other's way?  -EEXIST with a sentence. */
int guest_def_clash(const struct guest_def *d, const struct guest_def *other,
                    struct err *e);

/* Fit to be a guest's name?  0, -EINVAL or -ENAMETOOLONG. */
int guest_name_check(const char *name, struct err *e);

/* The words as they are typed. */
const char *guest_format_word(unsigned v);
const char *guest_bus_word(unsigned v);
const char *guest_kind_word(unsigned v);
const char *guest_boot_word(unsigned v);

#endif
