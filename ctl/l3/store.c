/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that remember what was taken off an uplink while the daemon has
 * it, so that the next daemon can give it back if this one is killed.
 *
 * One file per uplink, in the daemon's runtime directory, which does not
 * outlive the machine's run; boot id, process and its start time say whose it
 * is and whether that is still there.
 */
#include "ctl/l3/impl.h"

#include "base/boot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LAYOUT 1 /* of these files */

uint64_t boot_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec;
}

uint64_t netns_inode(int netns_fd)
{
    struct stat st;
    int rc = netns_fd >= 0 ? fstat(netns_fd, &st)
                           : stat("/proc/thread-self/ns/net", &st);

    return rc == 0 ? (uint64_t)st.st_ino : 0;
}

/* ---- who we are ---- */

/* When process 'pid' started, in ticks since boot; 0: there is none, or it has
 * ended and nobody has noticed. */
static uint64_t start_time(long pid)
{
    char path[40], line[1024];
    const char *p;
    uint64_t t = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    /* the name, in parentheses, may hold anything */
    p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    if (p && (p[2] == 'Z' || p[2] == 'X'))
        p = NULL;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (p)
        t = strtoull(p, NULL, 10);
    fclose(f);
    return t;
}

/* ---- writing ---- */

static json_t *hex(const void *data, size_t n)
{
    const unsigned char *p = data;
    char *text = malloc(2 * n + 1);
    json_t *j;

    if (!text)
        return NULL;
    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", p[i]);
    j = json_string(text);
    free(text);
    return j;
}

static json_t *addr_json(const struct rt_addr *a)
{
    char text[RT_TEXT_MAX];
    json_t *j =
        json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:o, s:s, s:I, s:I, s:I}",
                  "text", rt_addr_text(a, text), "family", a->family, "prefix",
                  a->prefix, "scope", a->scope, "proto", a->proto, "flags",
                  (json_int_t)a->flags, "local", hex(a->local, 16), "label",
                  a->label, "valid", (json_int_t)a->valid, "preferred",
                  (json_int_t)a->preferred, "metric", (json_int_t)a->metric);

    if (j && a->has_peer)
        json_object_set_new(j, "peer", hex(a->peer, 16));
    if (j && a->has_bcast)
        json_object_set_new(j, "broadcast", hex(a->bcast, 4));
    return j;
}

static json_t *route_json(const struct rt_route *r)
{
    char text[RT_TEXT_MAX];
    json_t *j = json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:i, s:I, s:o}", "text",
        rt_route_text(r, text), "message", hex(&r->m, sizeof(r->m)), "table",
        (json_int_t)r->table, "metric", (json_int_t)r->metric, "to",
        hex(r->dst, 16), "interface", r->oif, "expires", (json_int_t)r->expires,
        "attributes", hex(r->attr, r->attr_len));

    if (j && r->has_src)
        json_object_set_new(j, "source", hex(r->src, 16));
    return j;
}

static json_t *set_json(const struct rt_set *s)
{
    json_t *addrs = json_array(), *routes = json_array();

    for (unsigned i = 0; i < s->n_addrs; i++)
        json_array_append_new(addrs, addr_json(&s->addr[i]));
    for (unsigned i = 0; i < s->n_routes; i++)
        json_array_append_new(routes, route_json(&s->route[i]));
    return json_pack("{s:o, s:o}", "addresses", addrs, "routes", routes);
}

int store_stamp(json_t *j)
{
    long pid = (long)getpid();
    char boot[BOOT_ID_MAX];

    boot_id(boot);
    if (json_object_set_new(j, "boot", json_string(boot)) ||
        json_object_set_new(j, "pid", json_integer(pid)) ||
        json_object_set_new(j, "started",
                            json_integer((json_int_t)start_time(pid))))
        return -ENOMEM;
    return 0;
}

static json_t *uplink_json(const char *bridge, uint64_t netns,
                           const struct uplink *u)
{
    char mac[MAC_TEXT_MAX];
    json_t *j =
        json_pack("{s:i, s:I, s:s, s:i, s:s, s:s, s:I, s:o, s:o}", "layout",
                  LAYOUT, "netns", (json_int_t)netns, "uplink", u->name,
                  "ifindex", u->ifindex, "mac", mac_format(&u->mac, mac),
                  "bridge", bridge, "taken", (json_int_t)u->taken_at, "moved",
                  set_json(&u->moved), "stay", set_json(&u->stay));

    if (j && store_stamp(j)) {
        json_decref(j);
        j = NULL;
    }
    return j;
}

static void path_of(char path[PATH_MAX], const char *dir, uint64_t netns,
                    const char *uplink)
{
    snprintf(path, PATH_MAX, "%s/l3-uplink-%llu-%s.json", dir,
             (unsigned long long)netns, uplink);
}

int store_json(const char *path, const json_t *j)
{
    char draft[PATH_MAX + 8];
    int fd, rc = 0;

    snprintf(draft, sizeof(draft), "%s.new", path);
    fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
              0600);
    if (fd < 0)
        return -errno;
    if (json_dumpfd(j, fd, JSON_INDENT(1)) < 0 || fsync(fd) < 0)
        rc = errno ? -errno : -EIO;
    close(fd);
    if (!rc && rename(draft, path) < 0)
        rc = -errno;
    if (rc)
        unlink(draft);
    return rc;
}

int store_write(const char *dir, const char *bridge, uint64_t netns,
                const struct uplink *u, struct err *e)
{
    char path[PATH_MAX];
    json_t *j = uplink_json(bridge, netns, u);
    int rc;

    if (!j)
        return err_sys(e, ENOMEM, "remembering the addresses of %s", u->name);
    path_of(path, dir, netns, u->name);
    rc = store_json(path, j);
    json_decref(j);
    return rc ? err_sys(e, rc, "remembering the addresses of %s in %s", u->name,
                        path)
              : 0;
}

void store_remove(const char *dir, uint64_t netns, const char *uplink)
{
    char path[PATH_MAX];

    path_of(path, dir, netns, uplink);
    unlink(path);
}

/* ---- reading ---- */

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Octets read, or -1. */
static int unhex(const json_t *o, const char *key, void *out, size_t max)
{
    const char *t = json_string_value(json_object_get(o, key));
    unsigned char *p = out;
    size_t n = t ? strlen(t) : 1;

    if (n % 2 || n / 2 > max)
        return -1;
    for (size_t i = 0; i < n / 2; i++) {
        int hi = nibble(t[2 * i]), lo = nibble(t[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return -1;
        p[i] = (unsigned char)(hi << 4 | lo);
    }
    return (int)(n / 2);
}

static json_int_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool read_addr(const json_t *j, struct rt_addr *a)
{
    const char *label = json_string_value(json_object_get(j, "label"));

    memset(a, 0, sizeof(*a));
    a->family = (uint8_t)number(j, "family");
    a->prefix = (uint8_t)number(j, "prefix");
    a->scope = (uint8_t)number(j, "scope");
    a->proto = (uint8_t)number(j, "proto");
    a->flags = (uint32_t)number(j, "flags");
    a->valid = (uint32_t)number(j, "valid");
    a->preferred = (uint32_t)number(j, "preferred");
    a->metric = (uint32_t)number(j, "metric");
    a->has_peer = unhex(j, "peer", a->peer, 16) == 16;
    a->has_bcast = unhex(j, "broadcast", a->bcast, 4) == 4;
    snprintf(a->label, sizeof(a->label), "%s", label ? label : "");
    return (a->family == AF_INET || a->family == AF_INET6) &&
           unhex(j, "local", a->local, 16) == 16;
}

static bool read_route(const json_t *j, struct rt_route *r)
{
    int n;

    memset(r, 0, sizeof(*r));
    r->attr = malloc(UINT16_MAX);
    if (!r->attr)
        return false;
    n = unhex(j, "attributes", r->attr, UINT16_MAX);
    if (n < 0 ||
        unhex(j, "message", &r->m, sizeof(r->m)) != (int)sizeof(r->m) ||
        unhex(j, "to", r->dst, 16) != 16)
        return false;
    r->attr_len = (uint16_t)n;
    r->table = (uint32_t)number(j, "table");
    r->metric = (uint32_t)number(j, "metric");
    r->expires = (uint32_t)number(j, "expires");
    r->oif = (int)number(j, "interface");
    r->has_src = unhex(j, "source", r->src, 16) == 16;
    return true;
}

static bool read_set(const json_t *j, struct rt_set *s)
{
    const json_t *x;
    size_t i;

    json_array_foreach(json_object_get(j, "addresses"), i, x)
    {
        struct rt_addr a;

        if (!read_addr(x, &a) || rt_set_addr(s, &a))
            return false;
    }
    json_array_foreach(json_object_get(j, "routes"), i, x)
    {
        struct rt_route r;
        bool ok = read_route(x, &r) && rt_set_route(s, &r) == 0;

        rt_route_free(&r);
        if (!ok)
            return false;
    }
    return true;
}

bool store_this_boot(const json_t *j)
{
    const char *boot = json_string_value(json_object_get(j, "boot"));
    char here[BOOT_ID_MAX];

    boot_id(here);
    return boot && strcmp(boot, here) == 0;
}

bool store_owner_alive(const json_t *j)
{
    uint64_t started = (uint64_t)number(j, "started");

    return store_this_boot(j) && started &&
           start_time((long)number(j, "pid")) == started;
}

static bool read_uplink(const json_t *j, struct stored *s)
{
    const char *name = json_string_value(json_object_get(j, "uplink"));
    const char *bridge = json_string_value(json_object_get(j, "bridge"));
    const char *mac = json_string_value(json_object_get(j, "mac"));

    if (number(j, "layout") != LAYOUT || !name || !bridge || !mac || !*name ||
        strlen(name) >= IFNAMSIZ || strlen(bridge) >= IFNAMSIZ ||
        !mac_parse(mac, &s->u.mac))
        return false;
    memcpy(s->u.name, name, strlen(name) + 1);
    memcpy(s->bridge, bridge, strlen(bridge) + 1);
    s->u.ifindex = (int)number(j, "ifindex");
    s->u.taken_at = (uint64_t)number(j, "taken");
    s->netns = (uint64_t)number(j, "netns");
    s->this_boot = store_this_boot(j);
    s->owner_alive = store_owner_alive(j);
    return read_set(json_object_get(j, "moved"), &s->u.moved) &&
           read_set(json_object_get(j, "stay"), &s->u.stay);
}

int store_read(const char *path, struct stored *s, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    json_error_t why;
    json_t *j;
    bool ok;

    memset(s, 0, sizeof(*s));
    if (fd < 0)
        return err_sys(e, errno, "%s", path);
    j = json_loadfd(fd, 0, &why);
    close(fd);
    if (!j)
        return err_set(e, EINVAL, "%s: line %d: %s", path, why.line, why.text);
    ok = read_uplink(j, s);
    json_decref(j);
    if (ok)
        return 0;
    uplink_clear(&s->u);
    return err_set(e, EINVAL, "%s does not say what was on an uplink", path);
}

/* ---- leases ---- */

void lease_clear(struct lease *l)
{
    rt_set_clear(&l->set);
    memset(l, 0, sizeof(*l));
}

void lease_read(const char *path, struct lease *l)
{
    json_t *j = json_load_file(path, 0, NULL);
    const char *dns = json_string_value(json_object_get(j, "dns"));
    const char *domains = json_string_value(json_object_get(j, "domains"));

    memset(l, 0, sizeof(*l));
    snprintf(l->dns, sizeof(l->dns), "%s", dns ? dns : "");
    snprintf(l->domains, sizeof(l->domains), "%s", domains ? domains : "");
    if (j && !read_set(j, &l->set))
        rt_set_clear(&l->set);
    json_decref(j);
}

int lease_write(const char *path, const struct lease *l)
{
    json_t *j = set_json(&l->set);
    int rc;

    if (!j)
        return -ENOMEM;
    json_object_set_new(j, "dns", json_string(l->dns));
    json_object_set_new(j, "domains", json_string(l->domains));
    rc = store_json(path, j);
    json_decref(j);
    return rc;
}
