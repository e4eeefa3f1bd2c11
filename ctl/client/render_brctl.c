/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/field.h"
#include "ctl/client/render.h"

#include <stdlib.h>
#include <string.h>

/* brctl lists directories of sysfs: bridges and ports come by name. */
static int by_name(const void *a, const void *b)
{
    return strcmp(str(*(json_t *const *)a, "name"),
                  str(*(json_t *const *)b, "name"));
}

/* A new array of borrowed objects in order; NULL if empty or no memory. */
static const json_t **sorted(const json_t *array, size_t *n)
{
    const json_t **v;

    *n = json_array_size(array);
    v = *n ? calloc(*n, sizeof(json_t *)) : NULL;
    if (!v) {
        *n = 0;
        return NULL;
    }
    for (size_t i = 0; i < *n; i++)
        v[i] = json_array_get(array, i);
    qsort(v, *n, sizeof(json_t *), by_name);
    return v;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- show ---- */

static void show_interfaces(FILE *out, const json_t *names)
{
    size_t n = json_array_size(names);
    const char **v = n ? calloc(n, sizeof(*v)) : NULL;

    if (!v) {
        fputc('\n', out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = json_string_value(json_array_get(names, i));
    qsort(v, n, sizeof(*v), by_text);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s\n", i ? "\t\t\t\t\t\t\t" : "", v[i]);
    free(v);
}

void render_show(FILE *out, const json_t *bridges, bool *header)
{
    size_t n;
    const json_t **b = sorted(bridges, &n);

    for (size_t i = 0; i < n; i++) {
        if (!*header)
            fprintf(out, "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n");
        *header = true;
        fprintf(out, "%s\t\t%s\t%s\t\t", str(b[i], "name"), str(b[i], "id"),
                json_is_true(json_object_get(b[i], "stp_state")) ? "yes"
                                                                 : "no");
        show_interfaces(out, json_object_get(b[i], "interfaces"));
    }
    free(b);
}

/* ---- showmacs ---- */

void render_macs_add(struct mac_list *l, const json_t *entry)
{
    struct mac_entry *e;

    /* The bridge's own address on no port is not in brctl's list. */
    if (num(entry, "port_no") == 0)
        return;
    if (l->n == l->cap) {
        size_t want = l->cap ? l->cap * 2 : 256;
        struct mac_entry *p = realloc(l->mac, want * sizeof(*p));

        if (!p) {
            fprintf(stderr, "out of memory\n");
            exit(1);
        }
        l->mac = p;
        l->cap = want;
    }
    e = &l->mac[l->n];
    memset(e, 0, sizeof(*e));
    if (!mac_parse(str(entry, "mac"), &e->mac))
        return;
    e->port = (uint16_t)num(entry, "port_no");
    e->local = strcmp(str(entry, "state"), "permanent") == 0;
    if (str(entry, "state")[0] == '\0')
        e->age = (uint32_t)num(entry, "age");
    l->n++;
}

static int by_mac(const void *a, const void *b)
{
    const struct mac_entry *x = a, *y = b;
    int d = mac_compare(&x->mac, &y->mac);

    return d ? d : (int)x->port - (int)y->port;
}

void render_macs(FILE *out, struct mac_list *l)
{
    char text[MAC_TEXT_MAX];

    if (l->n)
        qsort(l->mac, l->n, sizeof(*l->mac), by_mac);
    fprintf(out, "port no\tmac addr\t\tis local?\tageing timer\n");
    for (size_t i = 0; i < l->n; i++) {
        const struct mac_entry *e = &l->mac[i];

        fprintf(out, "%3u\t%s\t%s\t\t%4u.%02u\n", e->port,
                mac_format(&e->mac, text), e->local ? "yes" : "no",
                e->age / 100, e->age % 100);
    }
}

/* ---- showstp ---- */

struct seconds {
    char text[24];
};

static struct seconds seconds(long long cs)
{
    struct seconds s;

    snprintf(s.text, sizeof(s.text), "%4lld.%02lld", cs / 100, cs % 100);
    return s;
}

/* What the spanning tree says, or 'own' while it is off: the kernel's bridge is
 * then the root itself. */
static const char *of_tree(const json_t *tree, const char *key, const char *own)
{
    const char *s = str(tree, key);

    return *s ? s : own;
}

static struct seconds timer(const json_t *tree, const char *key)
{
    return seconds(num(json_object_get(tree, "timers"), key));
}

/* "max age" and "bridge max age" are the same file in sysfs: the root's. */
static void stp_times(FILE *out, const json_t *b, const json_t *tree)
{
    const json_t *from = json_object_get(tree, "times");
    struct seconds age = seconds(num(from ? from : b, "max_age"));
    struct seconds hello = seconds(num(from ? from : b, "hello_time"));
    struct seconds fd = seconds(num(from ? from : b, "forward_delay"));

    fprintf(out, " max age\t\t%s\t\t\tbridge max age\t\t%s\n", age.text,
            age.text);
    fprintf(out, " hello time\t\t%s\t\t\tbridge hello time\t%s\n", hello.text,
            hello.text);
    fprintf(out, " forward delay\t\t%s\t\t\tbridge forward delay\t%s\n",
            fd.text, fd.text);
}

static void stp_bridge(FILE *out, const json_t *b)
{
    const json_t *tree = json_object_get(b, "stp");
    struct seconds ageing = seconds(num(b, "ageing_time"));

    fprintf(out, "%s\n bridge id\t\t%s\n", str(b, "name"), str(b, "id"));
    fprintf(out, " designated root\t%s\n", of_tree(tree, "root", str(b, "id")));
    fprintf(out, " root port\t\t%4lld\t\t\tpath cost\t\t%4lld\n",
            num(tree, "root_port_no"), num(tree, "root_cost"));
    stp_times(out, b, tree);
    fprintf(out, " ageing time\t\t%s\n", ageing.text);
    fprintf(out, " hello timer\t\t%s\t\t\ttcn timer\t\t%s\n",
            timer(tree, "hello").text, timer(tree, "tcn").text);
    fprintf(out, " topology change timer\t%s\t\t\tgc timer\t\t%s\n",
            timer(tree, "topology_change").text, seconds(0).text);
    fprintf(out, " flags\t\t\t%s%s\n\n\n",
            yes(tree, "topology_change") ? "TOPOLOGY_CHANGE " : "",
            yes(tree, "topology_change_detected") ? "TOPOLOGY_CHANGE_DETECTED "
                                                  : "");
}

/* A port that is down says what it would send, as the kernel's does. */
static const json_t *vector_of(const json_t *tree)
{
    bool down = strcmp(str(tree, "role"), "disabled") == 0;

    return json_object_get(tree, down ? "designated" : "vector");
}

static void stp_port(FILE *out, const json_t *b, const json_t *p)
{
    unsigned id = (unsigned)num(p, "priority") << 10 | (unsigned)num(p, "no");
    const json_t *tree = json_object_get(p, "stp"), *v = vector_of(tree);
    const json_t *up = json_object_get(b, "stp");
    char own[8];

    snprintf(own, sizeof(own), "%.4x", id & 0xffff);
    fprintf(out, "%s (%lld)\n", str(p, "name"), num(p, "no"));
    fprintf(out, " port id\t\t%s\t\t\tstate\t\t%15s\n", own, str(p, "state"));
    fprintf(out, " designated root\t%s\tpath cost\t\t%4lld\n",
            of_tree(v, "root", of_tree(up, "root", str(b, "id"))),
            num(p, "cost"));
    fprintf(out, " designated bridge\t%s\tmessage age timer\t%s\n",
            of_tree(v, "bridge", str(b, "id")),
            timer(tree, "message_age").text);
    fprintf(out, " designated port\t%s\t\t\tforward delay timer\t%s\n",
            of_tree(v, "port", own), timer(tree, "forward_delay").text);
    fprintf(out, " designated cost\t%4lld\t\t\thold timer\t\t%s\n",
            v ? num(v, "cost") : num(up, "root_cost"),
            timer(tree, "hold").text);
    fprintf(out, " flags\t\t\t%s%s\n",
            yes(tree, "config_pending") ? "CONFIG_PENDING " : "",
            yes(tree, "topology_change_ack") ? "TOPOLOGY_CHANGE_ACK " : "");
    if (yes(p, "hairpin"))
        fprintf(out, " hairpin mode\t\t%4d\n", 1);
    fputc('\n', out);
}

void render_stp(FILE *out, const json_t *result)
{
    const json_t *b = json_object_get(result, "bridge");
    size_t n;
    const json_t **p = sorted(json_object_get(result, "ports"), &n);

    stp_bridge(out, b);
    for (size_t i = 0; i < n; i++)
        stp_port(out, b, p[i]);
    free(p);
}
