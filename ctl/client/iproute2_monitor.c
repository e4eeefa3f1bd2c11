/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge monitor: the daemon's events, and the kernel's of the devices' own
 * lists, as lines like those of "show".  With -j each is a JSON object on a
 * line of its own (iproute2 6.1 prints text all the same).
 */
#include "ctl/client/field.h"
#include "ctl/client/iproute2.h"
#include "ctl/client/render.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct monitor {
    struct client *c;
    struct ip_style style;
    bool link, fdb, banner;
    int watch; /* the kernel's, -1: none */
};

/* ---- printing ---- */

static json_t *stamped(json_t *o)
{
    struct timeval now;
    struct tm tm;
    char text[64], day[32];

    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof(text), "%s.%06ld", day, (long)now.tv_usec);
    json_object_set_new(o, "timestamp", json_string(text));
    return o;
}

static void print_stamp(void)
{
    struct timeval now;
    struct tm tm;
    char day[64];

    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(day, sizeof(day), "%a %b %e %H:%M:%S %Y", &tm);
    printf("Timestamp: %s %ld usec\n", day, (long)now.tv_usec);
}

/* Takes 'o' over. */
static void print(const struct monitor *m, json_t *o, const char *banner,
                  void (*text)(FILE *out, const json_t *o,
                               const struct ip_style *s))
{
    if (m->style.json) {
        if (m->c->timestamp)
            stamped(o);
        ip_object_json(stdout, o, &m->style);
    } else {
        if (m->c->timestamp)
            print_stamp();
        if (m->banner)
            fputs(banner, stdout);
        text(stdout, o, &m->style);
    }
    json_decref(o);
    fflush(stdout);
}

/* ---- the daemon's events ---- */

static void entry_event(const struct monitor *m, const json_t *e, bool deleted)
{
    json_t *like = json_object(), *o;

    json_object_update(like, (json_t *)(uintptr_t)e);
    json_object_set(like, "ifname", json_object_get(e, "port"));
    json_object_set(like, "master", json_object_get(e, "bridge"));
    o = ip_entry(like, &m->style);
    json_decref(like);
    print(m, deleted ? ip_deleted(o) : o, "[NEIGH]", ip_entry_text);
}

static void link_event(const struct monitor *m, const json_t *e, bool deleted)
{
    const json_t *port = json_object_get(e, "object");
    struct kernel_link k;
    bool has;
    json_t *o;

    if (!port || json_integer_value(json_object_get(port, "no")) == 0)
        return; /* the bridge's own interface is no port */
    has = kernel_link(ip_port_index(port), &k);
    o = ip_link(port, has ? &k : NULL, &m->style);
    if (deleted) { /* what it was as a port is no more */
        o = ip_deleted(o);
        ip_link_cut(o);
    }
    print(m, o, "[LINK]", ip_link_text);
}

static void event(const struct monitor *m, const json_t *e)
{
    const char *name = str(e, "event");

    if (strncmp(name, "fdb-", 4) == 0 && json_object_get(e, "mac")) {
        if (m->fdb)
            entry_event(m, e, strcmp(name, "fdb-del") == 0);
    } else if (strncmp(name, "port-", 5) == 0) {
        if (m->link)
            link_event(m, e, strcmp(name, "port-del") == 0);
    } else if (strcmp(name, "lost") == 0) {
        complain(m->c, "%s", str(e, "text"));
    }
}

/* ---- the kernel's ---- */

static void self_event(void *arg, const struct kernel_entry *e, bool deleted)
{
    const struct monitor *m = arg;
    char name[IF_NAMESIZE];
    json_t *o;

    if (!if_indextoname((unsigned)e->ifindex, name))
        snprintf(name, sizeof(name), "if%d", e->ifindex);
    o = ip_self_entry(e, name, &m->style);
    print(m, deleted ? ip_deleted(o) : o, "[NEIGH]", ip_entry_text);
}

static int kernel_events(struct monitor *m)
{
    int rc = kernel_watch_read(m->watch, self_event, m);

    if (rc == -ENOBUFS)
        return complain(m->c, "the kernel's events came too fast, some were "
                              "lost: look again"),
               0;
    return rc < 0 ? ip_complain("the kernel's events: %s", strerror(-rc)) : 0;
}

/* ---- waiting ---- */

static int daemon_event(struct monitor *m)
{
    json_t *e = client_event(m->c);

    if (!e)
        return complain(m->c, "the daemon has ended");
    event(m, json_object_get(e, "params"));
    json_decref(e);
    return ferror(stdout) ? 1 : 0;
}

static int follow(struct monitor *m)
{
    struct pollfd p[2] = {{.fd = m->c->fd, .events = POLLIN},
                          {.fd = m->watch, .events = POLLIN}};
    int status = 0;

    while (status == 0) {
        if (client_pending(m->c)) {
            status = daemon_event(m);
            continue;
        }
        if (poll(p, 2, -1) < 0) {
            if (errno != EINTR)
                return ip_complain("poll: %s", strerror(errno));
            continue;
        }
        if (p[1].revents)
            status = kernel_events(m);
        if (status == 0 && p[0].revents)
            status = daemon_event(m);
    }
    return status;
}

/* ---- words ---- */

static int monitor_word(struct monitor *m, const char *word)
{
    static const char *const unbuilt[] = {"file", "mdb", "vlan", "vni", NULL};

    if (word_begins(word, "link"))
        m->link = true;
    else if (word_begins(word, "fdb"))
        m->fdb = true;
    else if (strcmp(word, "all") == 0)
        m->link = m->fdb = m->banner = true;
    else {
        for (int i = 0; unbuilt[i]; i++)
            if (word_begins(word, unbuilt[i]))
                return ip_complain("Error: \"monitor %s\" is not built yet.",
                                   unbuilt[i]);
        return ip_complain(
            "Argument \"%s\" is unknown, try \"bridge monitor help\".", word);
    }
    return 0;
}

static int start(struct monitor *m)
{
    const char *what = !m->fdb ? "link" : !m->link ? "fdb" : "all";
    struct reply r;
    int status = 0;

    if (!client_call(m->c, "monitor", json_pack("{s:s}", "what", what), -1,
                     &r)) {
        client_complain(m->c, &r);
        status = IP_FAIL;
    }
    reply_free(&r);
    if (status || !m->fdb)
        return status;
    m->watch = kernel_watch();
    if (m->watch < 0)
        return ip_complain("the kernel's events: %s", strerror(-m->watch));
    return 0;
}

int run_monitor(struct client *c, int argc, char **argv)
{
    struct words w = {argc, argv};
    struct monitor m = {.c = c, .style = ip_style(c), .watch = -1};
    const char *word;
    int status;

    if (!c->bridge && argc > 0 && strcmp(argv[0], "stp") == 0) {
        if (argc > 1)
            return complain(c, "monitor stp: it takes no \"%s\"", argv[1]);
        return client_monitor_stp(c);
    }
    while ((word = words_take(&w)))
        if ((status = monitor_word(&m, word)))
            return status;
    if (!m.link && !m.fdb)
        m.link = m.fdb = true;
    status = start(&m);
    if (status == 0)
        status = follow(&m);
    if (m.watch >= 0)
        close(m.watch);
    return status;
}
