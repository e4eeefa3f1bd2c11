/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removing a lab: guests, bridges, then what their ports stood on, and of each
 * kind the last first.  What is gone already is fine; what the daemon has to
 * remove while it does not answer stays written down.
 */
#include "ctl/client/lab.h"
#include "ports/netns.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define END_PATIENCE 30 /* times 50 ms, for a process to end */

struct remover {
    struct client *c;
    const json_t *state;
    bool fresh;   /* the machine was not booted since */
    bool reached; /* the daemon answers */
    bool same;    /* ... and is the one that was there when it was made */
};

static void pause_ms(long ms)
{
    struct timespec t = {0, ms * 1000000};

    nanosleep(&t, NULL);
}

/* Everybody who lives there ends, whether it has a name or not. */
static int end_processes(const struct lab_ns *ns, const char *host,
                         struct err *e)
{
    pid_t one = 0;

    if (lab_ns_signal(ns, SIGTERM, &one) == 0)
        return 0;
    for (int i = 0; i < END_PATIENCE && lab_ns_signal(ns, 0, &one); i++)
        pause_ms(50);
    (void)lab_ns_signal(ns, SIGKILL, &one);
    for (int i = 0; i < END_PATIENCE; i++) {
        if (lab_ns_signal(ns, 0, &one) == 0)
            return 0;
        pause_ms(50);
    }
    return err_set(e, EBUSY, "process %d of host %s does not end", (int)one,
                   host);
}

/* Is its name there and still, or not yet, that of our namespace?  A name that
 * is a mere file has nothing behind it any more. */
static bool name_is_ours(const char *netns, const struct lab_ns *ns)
{
    int fd = netns_open(netns, NULL);
    bool other = fd >= 0 && !lab_ns_is(fd, ns);

    if (fd >= 0)
        close(fd);
    return !other && lab_netns_exists(netns);
}

/* Which one it was: as written down, or of an `up` that did not get so far. */
static bool host_netns(const json_t *what, struct lab_ns *ns)
{
    int fd;
    bool known;

    if (lab_ns_get(what, ns))
        return true;
    fd = netns_open(str(what, "name"), NULL);
    known = fd >= 0 && lab_ns_of(fd, ns);
    if (fd >= 0)
        close(fd);
    return known;
}

static int remove_netns(const struct remover *m, const json_t *what,
                        struct err *e)
{
    const char *name = str(what, "name");
    struct lab_ns ns;
    int rc;

    if (!m->fresh || !host_netns(what, &ns))
        return 0;
    rc = end_processes(&ns, str(what, "host"), e);
    if (!rc && name_is_ours(name, &ns))
        rc = LAB_IP(e, "netns", "del", name);
    return rc;
}

/* In the namespace that the lab was taken up in; if that is gone, so is the
 * link. */
static int remove_link(const struct remover *m, const char *name, struct err *e)
{
    struct netns_scope scope;
    struct lab_ns ns;
    int fd, rc;

    if (!m->fresh || !lab_ns_get(m->state, &ns))
        return 0;
    fd = lab_ns_find(&ns);
    if (fd < 0)
        return 0;
    rc = netns_enter(&scope, fd, e);
    close(fd);
    if (rc)
        return rc;
    if (if_nametoindex(name))
        rc = LAB_IP(e, "link", "del", "dev", name);
    netns_leave(&scope);
    return rc;
}

/* The daemon knows how long it gets.  One that has ended by itself is fine. */
static int stop_guest(struct client *c, const char *name, struct err *e)
{
    struct reply r;
    int rc = 0;

    if (client_call(c, "guest.stop",
                    json_pack("{s:s,s:b}", "name", name, "kill", true), -1,
                    &r)) {
        if (*str(r.result, "notice"))
            fprintf(stderr, "guest %s %s\n", name, str(r.result, "notice"));
    } else if (r.err != ESRCH) {
        rc = reply_error(&r, e);
    }
    reply_free(&r);
    return rc;
}

static int remove_guest(struct client *c, const char *name, struct err *e)
{
    int rc = stop_guest(c, name, e);

    if (!rc)
        rc = lab_call(c, "guest.undefine", json_pack("{s:s}", "name", name), e);
    return rc == -ENOENT ? 0 : rc;
}

/* Bridges end with their daemon; one of that name in another daemon is
 * somebody else's. */
static int remove_bridge(const struct remover *m, const char *name,
                         struct err *e)
{
    int rc;

    if (!m->same)
        return 0;
    rc = lab_call(m->c, "delbr",
                  json_pack("{s:s,s:b}", "bridge", name, "force", true), e);
    return rc == -ENXIO || rc == -ENODEV || rc == -ENOENT ? 0 : rc;
}

static int remove_uplink(const struct remover *m, const json_t *what)
{
    struct err gone;

    if (m->same)
        (void)lab_call(m->c, "delif",
                       json_pack("{s:s,s:s}", "bridge", str(what, "bridge"),
                                 "port", str(what, "name")),
                       &gone);
    return 0; /* it goes with its bridge at the latest */
}

static int remove_one(const struct remover *m, const json_t *what,
                      struct err *e)
{
    const char *kind = str(what, "what"), *name = str(what, "name");

    if (strcmp(kind, "netns") == 0)
        return remove_netns(m, what, e);
    if (strcmp(kind, "link") == 0)
        return remove_link(m, name, e);
    if (strcmp(kind, "uplink") == 0)
        return remove_uplink(m, what);
    if (strcmp(kind, "bridge") == 0)
        return remove_bridge(m, name, e);
    if (m->reached)
        return remove_guest(m->c, name, e);
    return err_set(e, ENOTCONN,
                   "guest %s is still there, and perhaps more of them: "
                   "basculed does not answer; start it, and say bascule lab "
                   "down again",
                   name);
}

static void reach(struct remover *m, const struct lab_state *s)
{
    struct reply r;

    if (client_ended(m->c, 0))
        client_close(m->c); /* another may have begun */
    if (client_call(m->c, "version", NULL, -1, &r)) {
        m->reached = true;
        m->same =
            m->fresh && json_integer_value(json_object_get(r.result, "pid")) ==
                            json_integer_value(json_object_get(s->o, "daemon"));
    }
    reply_free(&r);
}

/* No port is to lose its device while it has one: that would be a failure. */
enum turn { TURN_GUESTS, TURN_BRIDGES, TURN_DEVICES, TURNS };

static enum turn turn_of(const json_t *what)
{
    const char *kind = str(what, "what");

    if (strcmp(kind, "netns") == 0 || strcmp(kind, "link") == 0)
        return TURN_DEVICES;
    return strcmp(kind, "bridge") == 0 ? TURN_BRIDGES : TURN_GUESTS;
}

/* What is of that turn; what could not be removed comes into 'left'.  0 or the
 * first failure. */
static int remove_turn(const struct remover *m, enum turn turn, json_t *made,
                       json_t *left, struct err *e)
{
    int rc = 0;

    for (size_t i = json_array_size(made); i-- > 0;) {
        json_t *what = json_array_get(made, i);
        struct err why = {""};
        int failed = turn_of(what) == turn ? remove_one(m, what, &why) : 0;

        if (failed)
            json_array_insert(left, 0, what);
        if (failed && !rc) {
            rc = failed;
            *e = why;
        }
    }
    return rc;
}

int lab_remove(struct client *c, struct lab_state *s, struct err *e)
{
    struct remover m = {.c = c, .state = s->o, .fresh = lab_state_fresh(s)};
    json_t *made = lab_made(s), *left = json_array();
    struct err first = {""}, none;
    int rc = 0;

    reach(&m, s);
    for (enum turn t = TURN_GUESTS; t < TURNS; t++) {
        struct err why = {""};
        int failed = remove_turn(&m, t, made, left, &why);

        if (failed && !rc) {
            rc = failed;
            first = why;
        }
    }
    json_object_set_new(s->o, "made", left);
    if (rc) {
        *e = first;
        lab_state_left(s);
        (void)lab_state_save(s, &none);
    } else {
        lab_state_remove(s);
    }
    return rc;
}
