/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * basculed: the switch and its control socket, in the foreground until a
 * signal ends both.
 */
#include "base/log.h"
#include "base/owndir.h"
#include "base/stdfds.h"
#include "ctl/apply/apply.h"
#include "ctl/call.h"
#include "ctl/config/load.h"
#include "ctl/guest/guest.h"
#include "ctl/l3/l3.h"
#include "ctl/listen.h"
#include "ctl/options.h"
#include "ctl/server.h"
#include "ctl/sockpath.h"

#include <ev.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the threads, the sockets and the first client take; libev ends the
 * process when it finds none left for its own. */
#define DESCRIPTORS_MIN 32

/* A port takes a few descriptors: a thousand of them more than the 1024 that
 * are usual, and less than what we may have. */
static int raise_descriptor_limit(struct err *e)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return err_sys(e, errno, "limit of file descriptors");
    if (l.rlim_max < DESCRIPTORS_MIN)
        return err_set(e, EMFILE,
                       "only %llu file descriptors are allowed, %d are needed "
                       "without any port: raise the limit (LimitNOFILE=, "
                       "ulimit -n)",
                       (unsigned long long)l.rlim_max, DESCRIPTORS_MIN);
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &l) < 0)
        log_warn("limit of file descriptors: %s", strerror(errno));
    return 0;
}

/* ---- the configuration to begin with ---- */

/* A guest that leaves its file may be given longer to power down than systemd
 * waits for us to begin: it is to wait as long as our loop turns. */
#define STILL_EVERY 1. /* s */
#define STILL_SAID  "EXTEND_TIMEOUT_USEC=30000000"

struct start {
    struct ev_loop *loop;
    bool signalled;
    bool done;
    int rc;
    struct err e;
};

static void started(void *arg, int rc, const struct err *e,
                    const struct apply_report *r)
{
    struct start *s = arg;

    for (unsigned i = 0; i < r->n_notes; i++)
        log_info("%s", r->note[i]);
    s->done = true;
    s->rc = rc;
    s->e = *e;
    ev_break(s->loop, EVBREAK_ALL);
}

static void on_still(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)w;
    (void)revents;
    notify_systemd(STILL_SAID);
}

/* Takes 'conf' over.  Devices that are late come later. */
static int configure(struct apply *a, struct start *s, struct conf *conf,
                     struct err *e)
{
    struct apply_request *r = calloc(1, sizeof(*r));
    ev_timer still;

    if (!r) {
        conf_free(conf);
        return err_set(e, ENOMEM, "no memory for the configuration");
    }
    r->netns_fd = -1;
    r->conf = conf;
    r->may_wait = true;
    r->may_open = true;
    r->may_name = true;
    for (const struct conf_notice *n = conf->notice; n; n = n->next)
        log_info("%s", n->text);
    apply_start(a, r, started, s);
    ev_timer_init(&still, on_still, STILL_EVERY, STILL_EVERY);
    ev_timer_start(s->loop, &still);
    while (!s->done && !s->signalled)
        ev_run(s->loop, 0);
    ev_timer_stop(s->loop, &still);
    *e = s->e;
    return s->rc;
}

/* ---- from the beginning to a signal ---- */

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    struct start *s = w->data;

    (void)revents;
    log_info("%s: ending", strsignal(w->signum));
    s->signalled = true;
    ev_break(loop, EVBREAK_ALL);
}

/* 'conf' (NULL: none) is taken over. */
static int run(struct start *s, struct server *server, struct conf *conf,
               struct err *e)
{
    static const int number[] = {SIGTERM, SIGINT, SIGHUP};
    ev_signal w[3];
    int rc = 0;

    for (int i = 0; i < 3; i++) {
        ev_signal_init(&w[i], on_signal, number[i]);
        w[i].data = s;
        ev_signal_start(s->loop, &w[i]);
    }
    if (conf)
        rc = configure(server->apply, s, conf, e);
    if (rc == 0)
        notify_systemd("READY=1");
    while (rc == 0 && !s->signalled)
        ev_run(s->loop, 0);
    notify_systemd("STOPPING=1");
    for (int i = 0; i < 3; i++)
        ev_signal_stop(s->loop, &w[i]);
    return rc;
}

/* ---- guests ---- */

/* Where definitions are kept; "": beside the socket. */
static void choose_def_dir(const struct options *o, char *out, size_t n)
{
    const char *asked = o->guest_dir ? o->guest_dir : getenv("BASCULE_GUESTS");
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    const char *sock = getenv("BASCULE_SOCKET");

    *out = '\0';
    if (asked && *asked)
        snprintf(out, n, "%s", asked);
    else if (o->socket || (sock && *sock))
        return;
    else if (geteuid() == 0)
        snprintf(out, n, "/var/lib/bascule/guests");
    else if (state && *state)
        snprintf(out, n, "%s/bascule/guests", state);
    else if (home && *home)
        snprintf(out, n, "%s/.local/state/bascule/guests", home);
}

/* /run/bascule/guests, or PATH.guests beside a socket PATH.sock; definitions
 * that have no other place are in there. */
static int begin_guests(const struct options *o, struct server *server,
                        const struct server_config *sc, struct err *e)
{
    const char *usual = SOCKPATH_RUN_DIR "/control.sock";
    char top[PATH_MAX], run[PATH_MAX], defs[PATH_MAX];
    size_t len = strlen(sc->state_dir) - strlen(".state");
    struct guests_config c = {.loop = sc->loop,
                              .sw = sc->sw,
                              .def_dir = defs,
                              .run_dir = run,
                              .run_top = top,
                              .user = o->guest_user,
                              .event = monitor_guest,
                              .event_arg = server};

    snprintf(top, sizeof(top), "%.*s.guests", (int)len, sc->state_dir);
    snprintf(run, sizeof(run), "%.4000s/run", top);
    if (strcmp(sc->socket, usual) == 0) {
        snprintf(top, sizeof(top), SOCKPATH_RUN_DIR "/guests");
        snprintf(run, sizeof(run), "%s", top);
    }
    choose_def_dir(o, defs, sizeof(defs));
    if (!*defs)
        snprintf(defs, sizeof(defs), "%.*s.guests", (int)len, sc->state_dir);
    return guests_new(&server->guests, &c, e);
}

/* The switch first, then the clients that could ask it for something. */
static int serve(const struct options *o, struct start *s,
                 struct server_config *sc, struct conf *conf, struct err *e)
{
    struct sw_config config = {
        .loop = s->loop, .workers = o->workers, .state_dir = sc->state_dir};
    struct server *server = NULL;
    int rc;

    memcpy(config.cpu, o->cpu, sizeof(config.cpu));
    rc = sw_new(&sc->sw, &config, e);
    if (rc < 0) {
        conf_free(conf);
        return rc;
    }
    rc = server_new(&server, sc, e);
    if (rc == 0)
        rc = begin_guests(o, server, sc, e);
    if (rc == 0) {
        apply_guests(server->apply, server->guests);
        log_info("version %s, %u worker%s", BASCULE_VERSION, o->workers,
                 o->workers == 1 ? "" : "s");
        rc = run(s, server, conf, e);
        server_close(server);
    } else {
        conf_free(conf);
        if (server)
            server_close(server);
    }
    sw_free(sc->sw);
    server_free(server);
    return rc;
}

/*
 * What has to survive a crash is kept beside the socket.  What is found there
 * is obeyed, so a directory that somebody else has prepared, or can write to,
 * is refused.
 */
static int make_state_dir(const struct sockaddr_un *addr, char *out, size_t n,
                          struct err *e)
{
    size_t len = strlen(addr->sun_path);

    if (len > 5 && strcmp(addr->sun_path + len - 5, ".sock") == 0)
        len -= 5;
    snprintf(out, n, "%.*s.state", (int)len, addr->sun_path);
    if (mkdir(out, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return err_sys(e, errno, "the directory of what survives a crash, %s",
                       out);
    return owndir_check(out, "--socket", e);
}

static int begin(const struct options *o, struct listener *l, struct conf *conf,
                 struct err *e)
{
    char dir[sizeof(l->addr.sun_path) + 8];
    struct server_config sc = {.fd = l->fd, .group = o->gid};
    struct l3_notes notes = {{0}, 0, 0};
    struct start s = {0};
    int rc = make_state_dir(&l->addr, dir, sizeof(dir), e);

    if (rc) {
        conf_free(conf);
        return rc;
    }
    sc.state_dir = dir;
    sc.socket = l->addr.sun_path;
    l3_recover(sc.state_dir, &notes);
    if (notes.len)
        log_info("%s", notes.text);
    sc.loop = s.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (s.loop) {
        rc = serve(o, &s, &sc, conf, e);
    } else {
        conf_free(conf);
        rc = err_set(e, ENOSYS, "cannot start the event loop (epoll)");
    }
    (void)rmdir(dir); /* unless something is still to be remembered */
    return rc;
}

int main(int argc, char **argv)
{
    struct sockaddr_un addr;
    struct listener listener = {.fd = -1, .lock = -1};
    struct conf *conf = NULL;
    struct options o;
    struct err e = {""};
    int rc;

    stdfds_fill();
    if (l3_helper(argc, argv, &rc))
        return rc;
    rc = options_parse(&o, argc, argv, &e);
    if (rc > 0)
        return 0;
    if (rc == 0) {
        log_set_level(o.log);
        signal(SIGPIPE, SIG_IGN);
        rc = raise_descriptor_limit(&e);
    }
    if (rc == 0)
        rc = sockpath_resolve(o.socket, &addr, &e);
    if (rc == 0 && o.config)
        rc = conf_load(&conf, o.config, conf_open_file, NULL, &e);
    if (rc == 0)
        rc = listener_open(&listener, &addr, o.gid, &e);
    if (rc < 0) {
        conf_free(conf);
        log_error("%s", e.text);
        return 1;
    }
    rc = begin(&o, &listener, conf, &e);
    listener_close(&listener, true);
    if (rc == 0)
        return 0;
    log_error("%s", e.text);
    return 1;
}
