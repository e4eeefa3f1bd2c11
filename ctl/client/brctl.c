/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * brctl's commands that change something, with brctl's sentences.  Where
 * brctl would print the system's words for an error and the daemon knows
 * more, its sentence follows in parentheses.
 */
#include "ctl/client/client.h"

#include "ctl/code.h"
#include "ports/netns.h"
#include "ports/spec.h"

#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool device_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

static bool about(const struct reply *r, const char *what)
{
    return strcmp(r->what, what) == 0;
}

/* Do the system's words for 'err' say all there is to say? */
static bool says_enough(const struct client *c, const struct reply *r, int err)
{
    if (err != r->err) /* brctl's view of it, not the daemon's */
        return true;
    if (about(r, "bridge") && err == ENODEV)
        return true;
    return c->brctl && (r->code == RPC_DENIED || about(r, "value")) &&
           err != EOPNOTSUPP;
}

/* "MESSAGE: strerror", and the daemon's sentence where it adds to that. */
static int say(const struct client *c, const struct reply *r, int err,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int say(const struct client *c, const struct reply *r, int err,
               const char *fmt, ...)
{
    va_list ap;

    if (r->code == 0)
        return client_complain(c, r); /* there was no daemon to ask */
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, ": %s", strerror(err));
    if (!says_enough(c, r, err))
        fprintf(stderr, " (%s)", r->text);
    fputc('\n', stderr);
    return 1;
}

/* ---- bridges ---- */

static int addbr_failed(const struct client *c, const char *name,
                        const struct reply *r)
{
    if (r->code != 0 && r->err == EEXIST) {
        fprintf(stderr,
                "device %s already exists; can't create bridge with the same "
                "name",
                name);
        /* what to do; or it is not here, but the daemon knows one */
        if (!c->brctl || !device_exists(name))
            fprintf(stderr, " (%s)", r->text);
        fputc('\n', stderr);
        return 1;
    }
    return say(c, r, r->err, "add bridge failed");
}

/* Takes "--no-local" and the like out of argv; the number of the rest. */
static int take_option(int argc, char **argv, const char *option, bool *found)
{
    int n = 0;

    *found = false;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], option) == 0)
            *found = true;
        else
            argv[n++] = argv[i];
    }
    return n;
}

int run_addbr(struct client *c, int argc, char **argv)
{
    struct reply r;
    bool no_local;
    int netns, status = 0;

    argc = take_option(argc, argv, "--no-local", &no_local);
    if (argc < 1)
        return complain(c, "addbr: which bridge?");
    netns = open_own_netns();
    if (!client_call(c, "addbr",
                     json_pack("{s:s,s:b,s:b}", "bridge", argv[0], "local",
                               !no_local, "netns", netns >= 0),
                     netns, &r))
        status = addbr_failed(c, argv[0], &r);
    else if (c->json)
        print_json(r.result);
    if (netns >= 0)
        close(netns);
    reply_free(&r);
    return status;
}

static int delbr_failed(const struct client *c, const char *name,
                        const struct reply *r)
{
    if (r->code != 0 && r->err == ENXIO && device_exists(name))
        return say(c, r, EPERM, "can't delete bridge %s", name);
    if (r->code != 0 && r->err == ENXIO) {
        fprintf(stderr, "bridge %s doesn't exist; can't delete it\n", name);
        return 1;
    }
    if (r->code != 0 && r->err == EBUSY) {
        fprintf(stderr, "bridge %s is still up; can't delete it\n", name);
        return 1;
    }
    return say(c, r, r->err, "can't delete bridge %s", name);
}

int run_delbr(struct client *c, int argc, char **argv)
{
    struct reply r;
    bool force;
    int status = 0;

    argc = take_option(argc, argv, "--force", &force);
    if (argc < 1)
        return complain(c, "delbr: which bridge?");
    if (!client_call_quietly(
            c, "delbr",
            json_pack("{s:s,s:b}", "bridge", argv[0], "force", force), &r))
        status = delbr_failed(c, argv[0], &r);
    else if (c->json)
        print_json(r.result);
    reply_free(&r);
    return status;
}

/* ---- membership ---- */

/* "can't add eth1 to bridge br0" and two more of that kind */
#define CANNOT  "can't %s %s %s %s"
#define ADD     "add", "to bridge"
#define DELETE  "delete", "from"
#define HAIRPIN "set", "to hairpin on bridge"

/* The bridge is unknown to the daemon: what would brctl have said? */
static int no_bridge(const struct client *c, const struct reply *r,
                     const char *bridge, const char *device, const char *verb,
                     const char *joint)
{
    bool plain = !strchr(device, ':');

    if (plain && !device_exists(device))
        fprintf(stderr, "interface %s does not exist!\n", device);
    else if (device_exists(bridge))
        return say(c, r, EOPNOTSUPP, CANNOT, verb, device, joint, bridge);
    else
        fprintf(stderr, "bridge %s does not exist!\n", bridge);
    return 1;
}

#define MEMBER                                                                 \
    "device %s is already a member of a bridge; can't add it to bridge %s."

static int addif_failed(const struct client *c, const char *bridge,
                        const char *device, const struct reply *r)
{
    if (about(r, "bridge"))
        return no_bridge(c, r, bridge, device, ADD);
    if (about(r, "port") && r->err == ENODEV && !strchr(device, ':'))
        fprintf(stderr, "interface %s does not exist!\n", device);
    else if (about(r, "member") &&
             (r->err == EBUSY || (r->err == EEXIST && !strchr(device, ':'))))
        fprintf(stderr, MEMBER "\n", device, bridge);
    else if (about(r, "port") && r->err == EBUSY)
        fprintf(stderr, MEMBER " (%s)\n", device, bridge, r->text);
    else if (r->code != 0 && r->err == ELOOP)
        fprintf(stderr,
                "device %s is a bridge device itself; can't add a bridge "
                "device to a bridge device.\n",
                device);
    else
        return say(c, r, r->err, CANNOT, "add", device, "to bridge", bridge);
    return 1;
}

/* What a port needs that is opened here, since the daemon opens nothing for a
 * client. */
struct opened {
    int fd[2]; /* the namespace its device lives in, its file; -1: none */
    bool made; /* the file is new */
    char text[2 * SPEC_TEXT_MAX]; /* the specification, for the daemon */
};

/*
 * The namespace is the one that netns= names, else our own.  A file's path is
 * made absolute: the daemon shows it, from a folder of its own.
 */
static int open_spec(const char *text, struct opened *o, struct err *e)
{
    struct port_spec s;
    int rc = port_spec_parse(&s, text, e);

    *o = (struct opened){.fd = {-1, -1}};
    snprintf(o->text, sizeof(o->text), "%s", text);
    if (rc < 0)
        return rc;
    o->fd[0] = s.netns ? netns_open(s.netns, e) : open_own_netns();
    if (o->fd[0] < 0 && e->text[0])
        return o->fd[0];
    if (!port_spec_has_file(&s))
        return 0;
    rc = port_spec_absolute(&s, o->text, sizeof(o->text), e);
    if (rc < 0)
        return rc;
    o->fd[1] = port_spec_open_file(&s, &o->made, e);
    return o->fd[1] < 0 ? o->fd[1] : 0;
}

/* 'came_to_nothing': no port has the file, so if it was made for one it goes.
 */
static void close_opened(const struct opened *o, bool came_to_nothing)
{
    struct port_spec s;

    if (o->made && came_to_nothing && port_spec_parse(&s, o->text, NULL) == 0)
        (void)unlink(s.target);
    for (int i = 0; i < 2; i++)
        if (o->fd[i] >= 0)
            close(o->fd[i]);
}

static int add_one(struct client *c, const char *bridge, const char *device)
{
    struct err e = {""};
    struct opened o;
    struct reply r;
    int rc = open_spec(device, &o, &e), status = 0;

    if (rc < 0) {
        fprintf(stderr, "can't add %s to bridge %s: %s (%s)\n", device, bridge,
                strerror(-rc), e.text);
        close_opened(&o, true);
        return 1;
    }
    if (!client_call_fds(c, "addif",
                         json_pack("{s:s,s:s,s:b,s:b}", "bridge", bridge,
                                   "port", o.text, "netns", o.fd[0] >= 0,
                                   "file", o.fd[1] >= 0),
                         o.fd, 2, &r))
        status = addif_failed(c, bridge, device, &r);
    else if (c->json)
        print_json(r.result);
    close_opened(&o, status != 0);
    reply_free(&r);
    return status;
}

int run_addif(struct client *c, int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc && status == 0; i++)
        status = add_one(c, argv[0], argv[i]);
    return status;
}

static int delif_failed(const struct client *c, const char *bridge,
                        const char *device, const struct reply *r)
{
    bool absent = about(r, "port") && (r->err == EINVAL || r->err == ENOENT);

    if (about(r, "bridge"))
        return no_bridge(c, r, bridge, device, DELETE);
    if (absent && strchr(device, ':')) {
        fprintf(stderr,
                "device %s is not a port of %s (ports are deleted by their "
                "names; see bascule port show %s)\n",
                device, bridge, bridge);
        return 1;
    }
    if (absent && !device_exists(device))
        fprintf(stderr, "interface %s does not exist!\n", device);
    else if (absent)
        fprintf(stderr, "device %s is not a port of %s\n", device, bridge);
    else
        return say(c, r, r->err, CANNOT, "delete", device, "from", bridge);
    return 1;
}

int run_delif(struct client *c, int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc && status == 0; i++) {
        struct reply r;

        if (!client_call_quietly(
                c, "delif",
                json_pack("{s:s,s:s}", "bridge", argv[0], "port", argv[i]), &r))
            status = delif_failed(c, argv[0], argv[i], &r);
        else if (c->json)
            print_json(r.result);
        reply_free(&r);
    }
    return status;
}

/* ---- parameters ---- */

/*
 * brctl reads times as floating point seconds and tells the kernel
 * centiseconds.  We take nothing behind the number and nothing that is none;
 * what no parameter could hold becomes a value that every range refuses.
 */
static bool read_time(const char *text, json_int_t *cs)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(v))
        return false;
    *cs = v < 0 || v > 1e9 ? (json_int_t)1 << 40 : (json_int_t)(v * 100 + 1e-6);
    return true;
}

/* Decimal, 0x... or 0..., as brctl's %i. */
static bool read_number(const char *text, json_int_t *n)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 0);
    if (end == text || *end != '\0')
        return false;
    *n = errno || v < 0 ? (json_int_t)1 << 40 : v;
    return true;
}

static bool read_switch(const char *text, bool *on)
{
    *on = strcmp(text, "on") == 0 || strcmp(text, "yes") == 0 ||
          strcmp(text, "1") == 0;
    return *on || strcmp(text, "off") == 0 || strcmp(text, "no") == 0 ||
           strcmp(text, "0") == 0;
}

static int bad_value(const char *sentence)
{
    fprintf(stderr, "%s\n", sentence);
    return 1;
}

/* The errno that the kernel would have given for what is missing. */
static int missing(const struct reply *r, const char *bridge, const char *port)
{
    if (about(r, "bridge"))
        return device_exists(bridge) ? EOPNOTSUPP : ENODEV;
    if (port && about(r, "port"))
        return device_exists(port) ? ENOENT : ENODEV;
    return r->err;
}

static int set(struct client *c, const char *method, const char *bridge,
               const char *port, json_t *value, const char *failed)
{
    json_t *params = json_pack("{s:s,s:o}", "bridge", bridge, "value", value);
    struct reply r;
    int status = 0;

    if (port)
        json_object_set_new(params, "port", json_string(port));
    if (!client_call(c, method, params, -1, &r))
        status = say(c, &r, missing(&r, bridge, port), "%s", failed);
    else if (c->json)
        print_json(r.result);
    reply_free(&r);
    return status;
}

static int set_time(struct client *c, char **argv, const char *method,
                    const char *bad, const char *failed)
{
    json_int_t cs;

    if (!read_time(argv[1], &cs))
        return bad_value(bad);
    return set(c, method, argv[0], NULL, json_integer(cs), failed);
}

int run_setageing(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_time(c, argv, "setageing", "bad ageing time value",
                    "set ageing time failed");
}

int run_setfd(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_time(c, argv, "setfd", "bad forward delay value",
                    "set forward delay failed");
}

int run_sethello(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_time(c, argv, "sethello", "bad hello timer value",
                    "set hello timer failed");
}

int run_setmaxage(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_time(c, argv, "setmaxage", "bad max age value",
                    "set max age failed");
}

int run_setbridgeprio(struct client *c, int argc, char **argv)
{
    json_int_t v;

    (void)argc;
    if (!read_number(argv[1], &v))
        return bad_value("bad priority");
    return set(c, "setbridgeprio", argv[0], NULL, json_integer(v),
               "set bridge priority failed");
}

/* A number of a port: BRIDGE PORT NUMBER. */
static int set_port_number(struct client *c, const char *method, char **argv,
                           const char *bad, const char *failed)
{
    json_int_t v;

    if (!read_number(argv[2], &v))
        return bad_value(bad);
    return set(c, method, argv[0], argv[1], json_integer(v), failed);
}

int run_setpathcost(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_port_number(c, "setpathcost", argv, "bad path cost value",
                           "set path cost failed");
}

int run_setportprio(struct client *c, int argc, char **argv)
{
    (void)argc;
    return set_port_number(c, "setportprio", argv, "bad path priority value",
                           "set port priority failed");
}

/* brctl knows no versions: its "on" leaves the one that is set. */
static json_t *stp_value(const struct client *c, const char *word)
{
    bool on;

    if (!c->brctl && (strcmp(word, "rstp") == 0 || strcmp(word, "stp") == 0))
        return json_string(word);
    if (!read_switch(word, &on))
        return NULL;
    return on && !c->brctl ? json_string("rstp") : json_boolean(on);
}

int run_stp(struct client *c, int argc, char **argv)
{
    json_t *value = stp_value(c, argv[1]);

    (void)argc;
    if (!value)
        return bad_value(c->brctl ? "expect on/off for argument"
                                  : "expect on/off or rstp/stp for argument");
    return set(c, "stp", argv[0], NULL, value, "set stp status failed");
}

static int hairpin_failed(const struct client *c, const char *bridge,
                          const char *port, const struct reply *r)
{
    if (about(r, "bridge"))
        return no_bridge(c, r, bridge, port, HAIRPIN);
    if (about(r, "port") && !device_exists(port)) {
        fprintf(stderr, "interface %s does not exist!\n", port);
        return 1;
    }
    return say(c, r, r->err, CANNOT, "set", port, "to hairpin on bridge",
               bridge);
}

int run_hairpin(struct client *c, int argc, char **argv)
{
    struct reply r;
    int status = 0;
    bool on;

    (void)argc;
    if (!read_switch(argv[2], &on))
        return bad_value("expect on/off for argument");
    if (!client_call(c, "hairpin",
                     json_pack("{s:s,s:s,s:b}", "bridge", argv[0], "port",
                               argv[1], "value", on),
                     -1, &r))
        status = hairpin_failed(c, argv[0], argv[1], &r);
    else if (c->json)
        print_json(r.result);
    reply_free(&r);
    return status;
}
