/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See def.h.  Each member of the object is a row of a table: one loop reads,
 * one writes, and no member can be known to one of them only.
 */
#include "ctl/guest/check.h"

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
    size_t at;
    const char *const *words;
    unsigned works; /* how many of them do; 0: all */
    enum type type;
    unsigned min, max; /* numbers */
    unsigned usual;    /* ... and words; less than min: none */
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
    {"name", "the guest's name", .at = AT(guest_def, name), .type = T_TEXT,
     .min = 1},
    {"snapshot", "--snapshot", .at = AT(guest_def, snapshot), .type = T_SWITCH},
    {"cdrom", "--cdrom", .at = AT(guest_def, cdrom), .type = T_PATH},
    {"kernel", "--kernel", .at = AT(guest_def, kernel), .type = T_PATH},
    {"initrd", "--initrd", .at = AT(guest_def, initrd), .type = T_PATH},
    {"append", "--append", .at = AT(guest_def, append), .type = T_TEXT},
    {"memory", "--memory", .at = AT(guest_def, memory), .type = T_MEMORY, 1,
     GUEST_MEMORY_MAX, 512},
    {"cpus", "--cpus", .at = AT(guest_def, cpus), .type = T_NUMBER, 1,
     GUEST_CPUS_MAX, 1},
    {"accel", "--accel", .at = AT(guest_def, accel), .type = T_WORD,
     .words = accels},
    {"machine", "--machine", .at = AT(guest_def, machine), .type = T_TEXT},
    {"hugepages", "--hugepages", .at = AT(guest_def, hugepages),
     .type = T_SWITCH},
    {"ksm", "--ksm", .at = AT(guest_def, ksm), .type = T_WORD, .words = ksms},
    {"vnc", "--vnc", .at = AT(guest_def, vnc), .type = T_TEXT},
    {"cloud_init", "--cloud-init", .at = AT(guest_def, cloud_init),
     .type = T_PATH},
    {"boot", "--boot", .at = AT(guest_def, boot), .type = T_WORD,
     .words = boots},
    {"restart", "--restart", .at = AT(guest_def, restart), .type = T_WORD,
     .words = restarts},
    {"stop_timeout", "--stop-timeout", .at = AT(guest_def, stop_timeout),
     .type = T_NUMBER, 1, GUEST_STOP_MAX, 0},
    {"from_file", "from_file", .at = AT(guest_def, from_file),
     .type = T_SWITCH},
    {.key = NULL},
};

static const struct field disk_fields[] = {
    {"path", "--disk", .at = AT(guest_disk, path), .type = T_PATH, .min = 1},
    {"format", "--disk, format=", .at = AT(guest_disk, format), .type = T_WORD,
     .words = formats},
    {"bus", "--disk, bus=", .at = AT(guest_disk, bus), .type = T_WORD,
     .words = buses},
    {"readonly", "--disk, readonly=", .at = AT(guest_disk, readonly),
     .type = T_SWITCH},
    {.key = NULL},
};

static const struct field net_fields[] = {
    {"bridge", "--net", .at = AT(guest_net, bridge), .type = T_TEXT, .min = 1},
    {"kind", "--net, kind=", .at = AT(guest_net, kind), .type = T_WORD,
     .words = kinds, .works = GUEST_VHOST_USER},
    {"mac", "--net, mac=", .at = AT(guest_net, mac_text), .type = T_TEXT},
    {"queues", "--net, queues=", .at = AT(guest_net, queues), .type = T_NUMBER,
     1, GUEST_QUEUES_MAX, 1},
    {.key = NULL},
};

static const struct field numa_fields[] = {
    {"node", "--numa, node", .at = AT(guest_node, node), .type = T_NUMBER, 0,
     GUEST_NUMA_MAX - 1, UINT32_MAX},
    {"cpus", "--numa, processors", .at = AT(guest_node, cpus), .type = T_TEXT,
     .min = 1},
    {"memory", "--numa, memory", .at = AT(guest_node, memory), .type = T_MEMORY,
     1, GUEST_MEMORY_MAX, UINT32_MAX},
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

/* Between an option and its value: "--net, queues=0", "--memory 0". */
static const char *gap(const struct field *f)
{
    size_t n = strlen(f->option);

    return n && f->option[n - 1] == '=' ? "" : " ";
}

static int bad(struct err *e, const struct field *f, const char *text,
               const char *what)
{
    return err_set(e, EINVAL, "%s%s%.80s: %s", f->option, gap(f), text, what);
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
        if (f->words[i][0] && (!f->works || i < f->works))
            snprintf(known + strlen(known), sizeof(known) - strlen(known),
                     "%s%s", known[0] ? ", " : "", f->words[i]);
    }
    return err_set(e, EINVAL, "%s%s%s: one of %s", f->option, gap(f),
                   shown(v, text, sizeof(text)), known);
}

static int read_text(const struct field *f, const json_t *v, char **out,
                     struct err *e)
{
    const char *s = json_string_value(v);
    char text[88];

    if (s && !*s)
        return err_set(e, EINVAL, "%s is empty: a word is needed", f->option);
    if (!s || strlen(s) != json_string_length(v))
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

/* ---- one value ---- */

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

/* ---- the whole ---- */

int guest_def_read(struct guest_def **out, const json_t *o, struct err *e)
{
    struct guest_def *d = calloc(1, sizeof(*d));
    int rc = 0;

    if (!d)
        return err_set(e, ENOMEM, "no memory for the guest");
    if (!json_is_object(o))
        rc = err_set(e, EINVAL, "a guest is defined by an object");
    if (!rc)
        rc = read_fields(guest_fields, "guest", d, o, e);
    for (unsigned i = 0; !rc && i < LISTS; i++)
        rc = read_list(&lists[i], d, o, e);
    if (!rc)
        rc = read_args(d, o, e);
    if (!rc)
        rc = guest_def_check(d, e);
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
        return f->usual < f->min && n == f->usual
                   ? 0 /* nobody has said it */
                   : json_object_set_new(o, f->key, json_integer(n));
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

const char *guest_boot_word(unsigned v)
{
    return boots[v];
}

const char *guest_bus_word(unsigned v)
{
    return buses[v];
}

const char *guest_kind_word(unsigned v)
{
    return kinds[v];
}
