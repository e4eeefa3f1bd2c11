/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * basculed: the switch and its control socket, in the foreground until a
 * signal ends both.
 */
#include "base/log.h"
#include "base/stdfds.h"
#include "ctl/l3/l3.h"
#include "ctl/listen.h"
#include "ctl/options.h"
#include "ctl/server.h"

#include <ev.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    (void)revents;
    log_info("%s: ending", strsignal(w->signum));
    ev_break(loop, EVBREAK_ALL);
}

static void run(struct ev_loop *loop)
{
    static const int number[] = {SIGTERM, SIGINT, SIGHUP};
    ev_signal w[3];

    for (int i = 0; i < 3; i++) {
        ev_signal_init(&w[i], on_signal, number[i]);
        ev_signal_start(loop, &w[i]);
    }
    notify_systemd("READY=1");
    ev_run(loop, 0);
    notify_systemd("STOPPING=1");
    for (int i = 0; i < 3; i++)
        ev_signal_stop(loop, &w[i]);
}

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

/* The switch first, then the clients that could ask it for something. */
static int serve(const struct options *o, struct ev_loop *loop, int fd,
                 struct err *e)
{
    struct sw_config config = {.loop = loop, .workers = o->workers};
    struct server_config sc = {.loop = loop, .fd = fd, .group = o->gid};
    struct server *server = NULL;
    int rc;

    memcpy(config.cpu, o->cpu, sizeof(config.cpu));
    rc = sw_new(&sc.sw, &config, e);
    if (rc < 0)
        return rc;
    rc = server_new(&server, &sc, e);
    if (rc == 0) {
        log_info("version %s, %u worker%s", BASCULE_VERSION, o->workers,
                 o->workers == 1 ? "" : "s");
        run(loop);
        server_close(server);
    }
    sw_free(sc.sw);
    server_free(server);
    return rc;
}

int main(int argc, char **argv)
{
    struct sockaddr_un addr;
    struct listener listener = {.fd = -1, .lock = -1};
    struct ev_loop *loop;
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
    if (rc == 0)
        rc = listener_open(&listener, &addr, o.gid, &e);
    if (rc < 0) {
        log_error("%s", e.text);
        return 1;
    }
    loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
    rc = loop ? serve(&o, loop, listener.fd, &e)
              : err_set(&e, ENOSYS, "cannot start the event loop (epoll)");
    listener_close(&listener, true);
    if (rc == 0)
        return 0;
    log_error("%s", e.text);
    return 1;
}
