/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has to be true of a definition whose values are right one by one, and
 * what follows from them.
 */
#include "ctl/guest/check.h"

#include "ports/netdev.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names and addresses ---- */

int guest_name_check(const char *name, struct err *e)
{
    size_t n = strlen(name);

    if (n >= PORT_NAME_MAX)
        return err_set(e, ENAMETOOLONG,
                       "guest name %.40s: at most %d characters, since its "
                       "port is called so",
                       name, PORT_NAME_MAX - 1);
    if (n == 0 || !isalnum((unsigned char)name[0]) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789._-") != n)
        return err_set(e, EINVAL,
                       "guest name \"%.40s\": letters, digits, '.', '_' and "
                       "'-', the first a letter or digit",
                       name);
    return 0;
}

/* FNV-1a: the same address for the same name on every host. */
static struct mac mac_by_name(const char *name, unsigned index)
{
    char text[40];
    uint32_t h = 2166136261u;

    snprintf(text, sizeof(text), "%s/%u", name, index);
    for (const char *p = text; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    h ^= h >> 24;
    return mac_from_u64(0x525400000000ULL | (h & 0xffffff));
}

static int name_net(struct guest_def *d, unsigned i, struct err *e)
{
    struct guest_net *n = &d->net[i];
    char port[PORT_NAME_MAX + 12];

    snprintf(port, sizeof(port), i ? "%s-%u" : "%s", d->name, i);
    if (strlen(port) >= sizeof(n->port))
        return err_set(e, ENAMETOOLONG,
                       "the port of network %u would be called %s: at most %d "
                       "characters, so give the guest a shorter name",
                       i, port, PORT_NAME_MAX - 1);
    memcpy(n->port, port, strlen(port) + 1);
    n->mac = mac_by_name(d->name, i);
    if (!n->mac_text)
        return 0;
    if (!mac_parse(n->mac_text, &n->mac) || mac_is_group(&n->mac) ||
        mac_is_zero(&n->mac))
        return err_set(e, EINVAL,
                       "--net, mac=%.40s: not the address of one interface",
                       n->mac_text);
    return 0;
}

static int same_mac(const struct guest_net *a, const char *of,
                    const struct guest_net *b, struct err *e)
{
    char text[MAC_TEXT_MAX];

    if (!mac_equal(&a->mac, &b->mac))
        return 0;
    return err_set(e, EEXIST,
                   "--net, mac=%s: %s has that address, too; give another "
                   "with mac=",
                   mac_format(&a->mac, text), of);
}

static int check_net(struct guest_def *d, unsigned i, struct err *e)
{
    const struct guest_net *n = &d->net[i];
    int rc = name_net(d, i, e);

    if (!rc && (rc = bridge_name_check(n->bridge, e)) != 0)
        return err_wrap(e, rc, "--net");
    if (!rc && n->kind == GUEST_VHOST_USER)
        return err_set(e, EOPNOTSUPP,
                       "--net, kind=vhost-user: it is not available yet; use "
                       "tap or stream");
    if (!rc && n->kind == GUEST_STREAM && n->queues > 1)
        return err_set(e, EINVAL,
                       "--net, queues=%u: a stream has one queue; use "
                       "kind=tap",
                       n->queues);
    if (!rc && n->kind == GUEST_TAP && !netdev_name_is_allowed(n->port))
        return err_set(e, EINVAL,
                       "the kernel lets no interface be called %s: give the "
                       "guest another name, or use kind=stream",
                       n->port);
    for (unsigned k = 0; !rc && k < i; k++)
        rc = same_mac(n, "another network of this guest", &d->net[k], e);
    return rc;
}

int guest_def_clash(const struct guest_def *d, const struct guest_def *o,
                    struct err *e)
{
    char of[PORT_NAME_MAX + 16];
    int rc = 0;

    if (strcmp(d->name, o->name) == 0)
        return err_set(e, EEXIST, "guest %s is defined already", d->name);
    snprintf(of, sizeof(of), "guest %s", o->name);
    for (unsigned i = 0; i < d->n_nets; i++)
        for (unsigned k = 0; !rc && k < o->n_nets; k++) {
            if (strcmp(d->net[i].port, o->net[k].port) == 0)
                return err_set(e, EEXIST,
                               "the port of network %u would be called %s, as "
                               "one of guest %s: choose another name",
                               i, d->net[i].port, o->name);
            rc = same_mac(&d->net[i], of, &o->net[k], e);
        }
    return rc;
}

/* ---- what has to fit together ---- */

/* "0" or "0-3": processors of the guest, counted. */
static bool cpu_range(const char *s, unsigned *first, unsigned *last)
{
    unsigned long n;
    char *end;

    if (!isdigit((unsigned char)*s) || strlen(s) > 7)
        return false;
    n = strtoul(s, &end, 10);
    *first = *last = (unsigned)n;
    if (*end == '-' && isdigit((unsigned char)end[1]))
        *last = (unsigned)strtoul(end + 1, &end, 10);
    return *end == '\0' && *first <= *last;
}

static int check_numa(const struct guest_def *d, struct err *e)
{
    unsigned memory = 0, first, last;
    bool seen[GUEST_CPUS_MAX + 1] = {false}, node[GUEST_NUMA_MAX] = {false};

    for (unsigned i = 0; i < d->n_numa; i++) {
        const struct guest_node *n = &d->numa[i];

        memory += n->memory;
        if (node[n->node])
            return err_set(e, EINVAL, "--numa: node %u is given twice",
                           n->node);
        node[n->node] = true;
        if (!cpu_range(n->cpus, &first, &last) || last >= d->cpus)
            return err_set(e, EINVAL,
                           "--numa, processors %.20s: one, or a range as in "
                           "0-1, below --cpus %u",
                           n->cpus, d->cpus);
        for (unsigned c = first; c <= last; c++) {
            if (seen[c])
                return err_set(e, EINVAL,
                               "--numa: processor %u is on two nodes", c);
            seen[c] = true;
        }
    }
    if (d->n_numa && memory != d->memory)
        return err_set(e, EINVAL,
                       "--numa: the nodes have %u MB, --memory says %u", memory,
                       d->memory);
    for (unsigned c = 0; d->n_numa && c < d->cpus; c++)
        if (!seen[c])
            return err_set(e, EINVAL, "--numa: processor %u is on no node", c);
    return 0;
}

static int check_boot(const struct guest_def *d, struct err *e)
{
    if (!d->kernel && (d->initrd || d->append))
        return err_set(e, EINVAL, "%s: it goes with --kernel, which is missing",
                       d->initrd ? "--initrd" : "--append");
    if (d->snapshot && !d->n_disks)
        return err_set(e, EINVAL, "--snapshot: there is no --disk");
    if ((d->boot == GUEST_BOOT_NETWORK && !d->n_nets) ||
        (d->boot == GUEST_BOOT_DISK && !d->n_disks) ||
        (d->boot == GUEST_BOOT_CDROM && !d->cdrom))
        return err_set(e, EINVAL, "--boot %s: the guest has none",
                       guest_boot_word(d->boot));
    return 0;
}

static int check_disks(const struct guest_def *d, struct err *e)
{
    for (unsigned i = 0; i < d->n_disks; i++)
        if (d->disk[i].readonly && d->disk[i].bus == GUEST_IDE)
            return err_set(e, EINVAL,
                           "--disk %.80s: a disk on the bus ide cannot be "
                           "read-only; use virtio or scsi",
                           d->disk[i].path);
    return 0;
}

/* They become part of options, where a comma would begin another. */
static int check_plain(const char *option, const char *s, const char *also,
                       struct err *e)
{
    for (; s && *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr(also, *s))
            return err_set(e, EINVAL, "%s: '%c' cannot be part of it", option,
                           *s);
    return 0;
}

/* HOST:DISPLAY; a display is a TCP port above 5900. */
#define DISPLAY_MAX (65535 - 5900)

static int check_vnc(const char *vnc, struct err *e)
{
    const char *display = vnc ? strrchr(vnc, ':') : NULL;
    size_t n = display ? strlen(display + 1) : 0;

    if (!vnc || strcmp(vnc, "on") == 0)
        return 0;
    if (n > 0 && n <= 5 && strspn(display + 1, "0123456789") == n &&
        strtoul(display + 1, NULL, 10) <= DISPLAY_MAX)
        return 0;
    return err_set(e, EINVAL,
                   "--vnc %s: HOST:DISPLAY, as in 127.0.0.1:1; a display is 0 "
                   "to %d",
                   vnc, DISPLAY_MAX);
}

/* Every card and disk of ours is a PCI device. */
static int check_machine(const char *machine, struct err *e)
{
    static const char *const without_pci[] = {"microvm", "isapc", "none"};

    for (unsigned i = 0; machine && i < 3; i++)
        if (strcmp(machine, without_pci[i]) == 0)
            return err_set(e, EINVAL,
                           "--machine %s: it has no PCI, on which a guest's "
                           "disks and network cards are",
                           machine);
    return check_plain("--machine", machine, ".-_", e);
}

/* The name of a disk's file says its format, not its content: that belongs
 * to the guest, who could write another disk's header into it. */
static void settle_formats(struct guest_def *d)
{
    for (unsigned i = 0; i < d->n_disks; i++) {
        struct guest_disk *k = &d->disk[i];
        const char *dot = strrchr(k->path, '.');

        if (k->format == GUEST_FORMAT_BY_NAME)
            k->format =
                dot && strcmp(dot, ".qcow2") == 0 ? GUEST_QCOW2 : GUEST_RAW;
    }
}

int guest_def_check(struct guest_def *d, struct err *e)
{
    int rc = guest_name_check(d->name, e);

    for (unsigned i = 0; !rc && i < d->n_nets; i++)
        rc = check_net(d, i, e);
    if (!rc)
        rc = check_numa(d, e);
    if (!rc)
        rc = check_boot(d, e);
    if (!rc)
        rc = check_disks(d, e);
    if (!rc)
        rc = check_machine(d->machine, e);
    if (!rc)
        rc = check_plain("--vnc", d->vnc, ".:-[]", e);
    if (!rc)
        rc = check_vnc(d->vnc, e);
    settle_formats(d);
    return rc;
}
