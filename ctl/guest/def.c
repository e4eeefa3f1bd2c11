/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See def.h.  Each member of the object is a row of a table: one loop reads,
 * one writes, and no member can be known to one of them only.
 */
#include "ctl/guest/def.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { T_PATH, T_TEXT, T_SWITCH, T_NUMBER, T_MEMORY, T_WORD };

struct field {
    const char *key;
    const char *option; /* as typed, for sentences */
    enum type type;
    size_t at;
    unsigned min, max; /* numbers */
    unsigned usual;    /* ... and words */
    const char *const *words;
};

static const char *const formats[] = {"", "raw", "qcow2", NULL};
static const char *const buses[] = {"virtio", "scsi", "ide", NULL};
static const char *const kinds[] = {"tap", "stream", "vhost-user", NULL};
static const char *const accels[] = {"auto", "kvm", "tcg", NULL};
static const char *const ksms[] = {"", "on", "off", NULL};
static const char *const boots[] = {"", "network", "disk", "cdrom", NULL};
static const char *const restarts[] = {"no", "on-failure", "always", NULL};

#define AT(s, m) offsetof(struct s, m)

static const struct field guest_fields[] = {
    {"name", "the guest's name", T_TEXT, .at = AT(guest_def, name), .min = 1},
    {"snapshot", "--snapshot", T_SWITCH, .at = AT(guest_def, snapshot)},
    {"cdrom", "--cdrom", T_PATH, .at = AT(guest_def, cdrom)},
    {"kernel", "--kernel", T_PATH, .at = AT(guest_def, kernel)},
    {"initrd", "--initrd", T_PATH, .at = AT(guest_def, initrd)},
    {"append", "--append", T_TEXT, .at = AT(guest_def, append)},
    {"memory", "--memory", T_MEMORY, .at = AT(guest_def, memory), 1,
     GUEST_MEMORY_MAX, 512},
    {"cpus", "--cpus", T_NUMBER, .at = AT(guest_def, cpus), 1, GUEST_CPUS_MAX,
     1},
    {"accel", "--accel", T_WORD, .at = AT(guest_def, accel), .words = accels},
    {"machine", "--machine", T_TEXT, .at = AT(guest_def, machine)},
    {"hugepages", "--hugepages", T_SWITCH, .at = AT(guest_def, hugepages)},
    {"ksm", "--ksm", T_WORD, .at = AT(guest_def, ksm), .words = ksms},
    {"vnc", "--vnc", T_TEXT, .at = AT(guest_def, vnc)},
    {"cloud_init", "--cloud-init", T_PATH, .at = AT(guest_def, cloud_init)},
    {"boot", "--boot", T_WORD, .at = AT(guest_def, boot), .words = boots},
    {"restart", "--restart", T_WORD, .at = AT(guest_def, restart),
     .words = restarts},
    {"from_file", "from_file", T_SWITCH, .at = AT(guest_def, from_file)},
    {.key = NULL},
};

static const struct field disk_fields[] = {
    {"path", "--disk", T_PATH, .at = AT(guest_disk, path), .min = 1},
    {"format", "--disk, format=", T_WORD, .at = AT(guest_disk, format),
     .words = formats},
    {"bus", "--disk, bus=", T_WORD, .at = AT(guest_disk, bus), .words = buses},
    {"readonly", "--disk, readonly=", T_SWITCH, .at = AT(guest_disk, readonly)},
    {.key = NULL},
};

static const struct field net_fields[] = {
    {"bridge", "--net", T_TEXT, .at = AT(guest_net, bridge), .min = 1},
    {"kind", "--net, kind=", T_WORD, .at = AT(guest_net, kind), .words = kinds},
    {"mac", "--net, mac=", T_TEXT, .at = AT(guest_net, mac_text)},
    {"queues", "--net, queues=", T_NUMBER, .at = AT(guest_net, queues), 1,
     GUEST_QUEUES_MAX, 1},
    {.key = NULL},
};

static const struct field numa_fields[] = {
    {"node", "--numa, node", T_NUMBER, .at = AT(guest_node, node), 0,
     GUEST_NUMA_MAX - 1, UINT32_MAX},
    {"cpus", "--numa, processors", T_TEXT, .at = AT(guest_node, cpus),
     .min = 1},
    {"memory", "--numa, memory", T_MEMORY, .at = AT(guest_node, memory), 1,
     GUEST_MEMORY_MAX, UINT32_MAX},
    {.key = NULL},
};

/* The lists. */
struct list {
    const char *key, *option;
    const struct field *fields;
    size_t at, size, n_at;
    unsigned max;
};

static const struct list lists[] = {
    {"disks", "--disk", disk_fields, AT(guest_def, disk),
     sizeof(struct guest_disk), AT(guest_def, n_disks), GUEST_DISKS_MAX},
    {"nets", "--net", net_fields, AT(guest_def, net), sizeof(struct guest_net),
     AT(guest_def, n_nets), GUEST_NETS_MAX},
    {"numa", "--numa", numa_fields, AT(guest_def, numa),
     sizeof(struct guest_node), AT(guest_def, n_numa), GUEST_NUMA_MAX},
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

/* Members by their place in the struct; types are the table's promise. */
static void *member(void *base, size_t at)
{
    return (char *)base + at;
}

/* ---- values ---- */

static int bad(struct err *e, const struct field *f, const char *text,
               const char *what)
{
    return err_set(e, EINVAL, "%s %.80s: %s", f->option, text, what);
}

/* What was given, for a sentence. */
static const char *shown(const json_t *v, char *out, size_t n)
{
    if (json_is_string(v))
        snprintf(out, n, "%.80s", json_string_value(v));
    else if (json_is_integer(v))
        snprintf(out, n, "%lld", (long long)json_integer_value(v));
    else
        snprintf(out, n, "%s",
                 json_is_true(v)    ? "true"
                 : json_is_false(v) ? "false"
                                    : "(no plain value)");
    return out;
}

/* Digits, and for memory a unit: M, or G. */
static bool read_digits(const char *s, bool memory, json_int_t *n)
{
    char *end;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    *n = strtoll(s, &end, 10);
    if (errno || *n > INT32_MAX)
        return false;
    if (memory && (*end == 'G' || *end == 'g')) {
        *n *= 1024;
        end++;
    } else if (memory && (*end == 'M' || *end == 'm')) {
        end++;
    }
    return *end == '\0';
}

static int read_number(const struct field *f, const json_t *v, unsigned *out,
                       struct err *e)
{
    bool memory = f->type == T_MEMORY;
    char text[88], what[80];
    json_int_t n = json_integer_value(v);

    if (!json_is_integer(v) &&
        !(json_is_string(v) && read_digits(json_string_value(v), memory, &n)))
        return bad(e, f, shown(v, text, sizeof(text)),
                   memory ? "megabytes, or gigabytes as in 2G" : "a number");
    if (n < f->min || n > f->max) {
        snprintf(what, sizeof(what), "%u to %u%s", f->min, f->max,
                 memory ? " MB" : "");
        return bad(e, f, shown(v, text, sizeof(text)), what);
    }
    *out = (unsigned)n;
    return 0;
}

static int read_switch(const struct field *f, const json_t *v, bool *out,
                       struct err *e)
{
    const char *s = json_string_value(v);
    char text[88];

    if (!json_is_boolean(v) && !(s && (!strcmp(s, "on") || !strcmp(s, "off"))))
        return bad(e, f, shown(v, text, sizeof(text)), "on or off");
    *out = s ? s[1] == 'n' : json_is_true(v);
    return 0;
}

static int read_word(const struct field *f, const json_t *v, unsigned *out,
                     struct err *e)
{
    const char *s = json_is_boolean(v) ? json_is_true(v) ? "on" : "off"
                                       : json_string_value(v);
    char text[88], known[80] = "";

    for (unsigned i = 0; f->words[i]; i++) {
        if (s && *s && strcmp(s, f->words[i]) == 0) {
            *out = i;
            return 0;
        }
        if (f->words[i][0])
            snprintf(known + strlen(known), sizeof(known) - strlen(known),
                     "%s%s", known[0] ? ", " : "", f->words[i]);
    }
    return err_set(e, EINVAL, "%s %s: one of %s", f->option,
                   shown(v, text, sizeof(text)), known);
}

static int read_text(const struct field *f, const json_t *v, char **out,
                     struct err *e)
{
    const char *s = json_string_value(v);
    char text[88];

    if (!s || !*s || strlen(s) != json_string_length(v))
        return bad(e, f, shown(v, text, sizeof(text)), "a word is needed");
    for (const char *p = s; *p; p++)
        if (iscntrl((unsigned char)*p))
            return bad(e, f, "...", "control characters are not taken");
    if (f->type == T_PATH && *s != '/')
        return bad(e, f, s, "the path must be absolute");
    *out = strdup(s);
    return *out ? 0 : err_set(e, ENOMEM, "no memory for the guest");
}

static int read_field(const struct field *f, void *base, const json_t *v,
                      struct err *e)
{
    void *p = member(base, f->at);

    switch (f->type) {
    case T_SWITCH:
        return read_switch(f, v, p, e);
    case T_NUMBER:
    case T_MEMORY:
        return read_number(f, v, p, e);
    case T_WORD:
        return read_word(f, v, p, e);
    default:
        return read_text(f, v, p, e);
    }
}

/* Numbers and words as they are when nobody says anything. */
static void preset(const struct field *f, void *base)
{
    for (; f->key; f++) {
        unsigned *n = member(base, f->at);

        if (f->type == T_NUMBER || f->type == T_MEMORY || f->type == T_WORD)
            *n = f->usual;
    }
}

static bool is_list(const char *key)
{
    for (unsigned i = 0; i < LISTS; i++)
        if (strcmp(lists[i].key, key) == 0)
            return true;
    return strcmp(key, "qemu_args") == 0;
}

static int read_fields(const struct field *fields, const char *where,
                       void *base, const json_t *o, struct err *e)
{
    const char *key;
    json_t *v;
    int rc;

    preset(fields, base);
    /* the macro wants an object that may be changed */
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        const struct field *f = fields;

        while (f->key && strcmp(f->key, key) != 0)
            f++;
        if (!f->key && (fields != guest_fields || !is_list(key)))
            return err_set(e, EINVAL, "%s: there is no key %.40s", where, key);
        rc = f->key ? read_field(f, base, v, e) : 0;
        if (rc)
            return rc;
    }
    for (const struct field *f = fields; f->key; f++) {
        bool text = f->type == T_TEXT || f->type == T_PATH;
        const void *p = member(base, f->at);

        if ((text && f->min && !*(char *const *)p) ||
            (f->usual == UINT32_MAX && *(const unsigned *)p == UINT32_MAX))
            return err_set(e, EINVAL, "%s: %s is missing", where, f->key);
    }
    return 0;
}

static int read_list(const struct list *l, struct guest_def *d, const json_t *o,
                     struct err *e)
{
    const json_t *list = json_object_get(o, l->key), *v;
    unsigned *n = member(d, l->n_at);
    size_t i;
    int rc;

    if (list && !json_is_array(list))
        return err_set(e, EINVAL, "%s: a list of objects is needed", l->option);
    if (json_array_size(list) > l->max)
        return err_set(e, EINVAL, "%s: at most %u of them", l->option, l->max);
    json_array_foreach(list, i, v)
    {
        if (!json_is_object(v))
            return err_set(e, EINVAL, "%s: an object is needed", l->option);
        (*n)++;
        rc = read_fields(l->fields, l->option, member(d, l->at + i * l->size),
                         v, e);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_args(struct guest_def *d, const json_t *o, struct err *e)
{
    static const struct field f = {.option = "--qemu-arg", .type = T_TEXT};
    const json_t *list = json_object_get(o, "qemu_args"), *v;
    size_t i;
    int rc;

    if (json_array_size(list) > GUEST_ARGS_MAX)
        return err_set(e, EINVAL, "--qemu-arg: at most %d of them",
                       GUEST_ARGS_MAX);
    json_array_foreach(list, i, v)
    {
        rc = read_text(&f, v, &d->arg[d->n_args], e);
        if (rc)
            return rc;
        d->n_args++;
    }
    return 0;
}

static const struct field *find_field(const char *list, const char *key)
{
    static const struct field arg = {.key = "qemu_args", .type = T_TEXT};
    const struct field *f = list ? NULL : guest_fields;

    if (!list && strcmp(key, arg.key) == 0)
        return &arg;
    for (unsigned i = 0; list && i < LISTS; i++)
        if (strcmp(lists[i].key, list) == 0)
            f = lists[i].fields;
    for (; f && f->key; f++)
        if (strcmp(f->key, key) == 0)
            return f;
    return NULL;
}

int guest_def_try(const char *list, const char *key, const json_t *v,
                  struct err *e)
{
    const struct field *found = find_field(list, key);
    union {
        char *text;
        unsigned number;
        bool on;
    } to = {NULL};
    struct field f;
    int rc;

    if (!found)
        return err_set(e, ENOENT, "there is no key %.40s", key);
    f = *found;
    f.option = "found";
    f.at = 0;
    rc = read_field(&f, &to, v, e);
    if (!rc && (f.type == T_TEXT || f.type == T_PATH))
        free(to.text);
    return rc;
}

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
                       "--net, mac= %.40s: not the address of one interface",
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
                   "--net, mac= %s: %s has that address, too; give another "
                   "with mac=",
                   mac_format(&a->mac, text), of);
}

static int check_net(struct guest_def *d, unsigned i, struct err *e)
{
    const struct guest_net *n = &d->net[i];
    int rc = name_net(d, i, e);

    if (!rc && strlen(n->bridge) >= PORT_NAME_MAX)
        return err_set(e, ENAMETOOLONG,
                       "--net %.40s: a bridge's name has at most %d characters",
                       n->bridge, PORT_NAME_MAX - 1);
    if (!rc && n->kind == GUEST_VHOST_USER)
        return err_set(e, EOPNOTSUPP,
                       "--net, kind= vhost-user: ports of this kind are not "
                       "built yet; use tap or stream");
    if (!rc && n->kind == GUEST_STREAM && n->queues > 1)
        return err_set(e, EINVAL,
                       "--net, queues= %u: a stream has one queue; use "
                       "kind=tap",
                       n->queues);
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
    int end = 0;

    if (sscanf(s, "%3u-%3u%n", first, last, &end) == 2 && !s[end])
        return *first <= *last;
    if (sscanf(s, "%3u%n", first, &end) == 1 && end && !s[end]) {
        *last = *first;
        return true;
    }
    return false;
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
                       boots[d->boot]);
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

static int check(struct guest_def *d, struct err *e)
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
        rc = check_plain("--machine", d->machine, ".-_", e);
    if (!rc)
        rc = check_plain("--vnc", d->vnc, ".:-[]", e);
    if (!rc && d->vnc && strcmp(d->vnc, "on") != 0 && !strchr(d->vnc, ':'))
        rc = err_set(e, EINVAL, "--vnc %s: HOST:DISPLAY, as in 127.0.0.1:1",
                     d->vnc);
    settle_formats(d);
    return rc;
}

int guest_def_read(struct guest_def **out, const json_t *o, struct err *e)
{
    struct guest_def *d = calloc(1, sizeof(*d));
    int rc = d ? 0 : err_set(e, ENOMEM, "no memory for the guest");

    if (!rc && !json_is_object(o))
        rc = err_set(e, EINVAL, "a guest is defined by an object");
    if (!rc)
        rc = read_fields(guest_fields, "guest", d, o, e);
    for (unsigned i = 0; !rc && i < LISTS; i++)
        rc = read_list(&lists[i], d, o, e);
    if (!rc)
        rc = read_args(d, o, e);
    if (!rc)
        rc = check(d, e);
    if (rc) {
        guest_def_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

static void free_fields(const struct field *f, void *base)
{
    for (; f->key; f++) {
        char **text = member(base, f->at);

        if (f->type == T_TEXT || f->type == T_PATH)
            free(*text);
    }
}

void guest_def_free(struct guest_def *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < LISTS; i++) {
        unsigned *n = member(d, lists[i].n_at);

        for (unsigned k = 0; k < *n; k++)
            free_fields(lists[i].fields,
                        member(d, lists[i].at + k * lists[i].size));
    }
    for (unsigned i = 0; i < d->n_args; i++)
        free(d->arg[i]);
    free_fields(guest_fields, d);
    free(d);
}

/* ---- writing ---- */

static int write_field(const struct field *f, const void *base, json_t *o)
{
    const void *p = (const char *)base + f->at;
    unsigned n = f->type == T_SWITCH || f->type == T_TEXT || f->type == T_PATH
                     ? 0
                     : *(const unsigned *)p;

    switch (f->type) {
    case T_SWITCH:
        return *(const bool *)p ? json_object_set_new(o, f->key, json_true())
                                : 0;
    case T_NUMBER:
    case T_MEMORY:
        return json_object_set_new(o, f->key, json_integer(n));
    case T_WORD:
        return f->words[n][0]
                   ? json_object_set_new(o, f->key, json_string(f->words[n]))
                   : 0;
    default:
        return *(char *const *)p
                   ? json_object_set_new(o, f->key,
                                         json_string(*(char *const *)p))
                   : 0;
    }
}

static json_t *write_fields(const struct field *f, const void *base)
{
    json_t *o = json_object();
    int rc = 0;

    for (; f->key; f++)
        rc |= write_field(f, base, o);
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}

static int write_lists(const struct guest_def *d, json_t *o)
{
    int rc = 0;

    for (unsigned i = 0; i < LISTS; i++) {
        const struct list *l = &lists[i];
        unsigned n = *(const unsigned *)((const char *)d + l->n_at);
        json_t *a = json_array();

        for (unsigned k = 0; k < n; k++)
            rc |= json_array_append_new(
                a,
                write_fields(l->fields, (const char *)d + l->at + k * l->size));
        rc |= json_object_set_new(o, l->key, a);
    }
    return rc;
}

json_t *guest_def_write(const struct guest_def *d)
{
    json_t *o = write_fields(guest_fields, d), *a = json_array();
    int rc = o ? write_lists(d, o) : -1;

    for (unsigned i = 0; i < d->n_args; i++)
        rc |= json_array_append_new(a, json_string(d->arg[i]));
    if (d->n_args)
        rc |= json_object_set(o, "qemu_args", a);
    json_decref(a);
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}

const char *guest_format_word(unsigned v)
{
    return formats[v];
}

const char *guest_bus_word(unsigned v)
{
    return buses[v];
}

const char *guest_kind_word(unsigned v)
{
    return kinds[v];
}
